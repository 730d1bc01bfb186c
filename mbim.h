/* SPDX-License-Identifier: ISC
 *
 * The map of mbimctl: read this first.
 *
 *   main.c            what the user asks for, in what order it is done; jobs
 *   commands.c        what the command table, commands.def, means
 *   qmi-over-mbim.c   QMI inside MBIM
 *   mbim.c            how bytes reach a modem, and what is remembered of it
 *
 * Each file uses those below it, never one above. What the top hands down is a
 * pointer: the trace of frames and the line of a warning. This header has a
 * section for each file, from the bottom up, and before them what all of them
 * use: exit codes, the reader of untrusted bytes, text, the table's numbers.
 *
 * Functions that can fail return an exit code, 0 being success, and have
 * recorded why with fail(). Times are nanoseconds of CLOCK_MONOTONIC. Numbers
 * on the wire are little-endian. Nothing is allocated: a reply's bytes belong
 * to mbim.c and hold until its next exchange.
 */
#ifndef MBIM_H
#define MBIM_H

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Exit codes. They are frozen: scripts depend on them. */
enum exit_code {
	DONE = 0,
	REFUSED = 1,		/* the modem refused */
	USAGE = 2,
	NO_DEVICE = 3,		/* no device, cannot open it, it went away */
	TIMED_OUT = 4,		/* deadline passed */
	MALFORMED = 5,		/* malformed reply */
	BUSY = 6,		/* lock held, or mbim-proxy has the device */
	PIN_NEEDED = 7,		/* PIN or PUK needed */
	NO_SIM = 8,		/* no SIM, bad SIM, SIM not ready */
	NETWORK_REFUSED = 9,
	FCC_LOCKED = 10,
	UNSUPPORTED = 11,	/* the modem lacks the service or command */
	NOT_REACHED = 12,	/* waited-for or verified state not reached */
	NO_OUTPUT = 13,		/* output could not be written */
	SIGNALLED = 128		/* + the signal's number */
};

#define SECOND		1000000000LL
#define COUNT_OF(array)	(sizeof(array) / sizeof(*(array)))

/* ---- untrusted bytes ---- */

/*
 * A reader of len bytes. It never reads beyond; after an attempt it is bad for
 * good and gives zeros.
 */
struct reader {
	const uint8_t *base;
	size_t len, at;
	int bad;
};

/* The next n bytes, or NULL when there are fewer. */
static inline const uint8_t *take(struct reader *r, size_t n)
{
	if (r->bad || n > r->len - r->at) {
		r->bad = 1;
		return NULL;
	}
	r->at += n;
	return r->base + r->at - n;
}

/* The next number of 1 to 8 bytes. */
static inline uint64_t take_number(struct reader *r, size_t bytes)
{
	const uint8_t *p = take(r, bytes);
	uint64_t n = 0;

	while (p && bytes--)
		n = n << 8 | p[bytes];
	return n;
}

/* The bytes at an offset from the reader's base; the only way to follow one. */
static inline struct reader window(struct reader *r, size_t offset, size_t size)
{
	r->bad |= offset > r->len || size > r->len - offset;
	if (r->bad)
		return (struct reader){ .bad = 1 };
	return (struct reader){ r->base + offset, size, 0, 0 };
}

static inline void put_number(uint8_t *p, uint64_t n, size_t bytes)
{
	for (; bytes--; n >>= 8)
		*p++ = (uint8_t)n;
}

/* ---- text ---- */

/*
 * Text under construction in a caller's buffer, NUL-ended. At its end it is
 * cut, unless full empties it.
 */
struct text {
	char *s;
	size_t len, size;
	void (*full)(struct text *t);
};

/* An empty text in an array. */
#define TEXT(buffer) \
	{ .s = ((buffer)[0] = '\0', (buffer)), .size = sizeof(buffer) }

void text_char(struct text *t, char c);
void text_put(struct text *t, const char *s, size_t len);
void text_add(struct text *t, const char *s);
void text_hex(struct text *t, uint64_t n, int digits);
void text_decimal(struct text *t, uint64_t n);

/* A name up to a NUL or '=' as options and words are spelt: small, - for _. */
void text_dashed(struct text *t, const char *s);

/* Strings in a row; the list ends with a NULL. */
void text_list(struct text *t, ...);

#define text_join(t, ...)	text_list(t, __VA_ARGS__, (char *)NULL)

/* A number as a string, in a buffer of the block that asks for it. */
#define DECIMAL(n)	decimal((char[24]){ "" }, n)

const char *decimal(char buffer[24], uint64_t n);

/* How many characters there are before a c or the end; the first c or NULL. */
size_t span(const char *s, char c);
const char *find_char(const char *s, char c);

/* ---- the numbers of the command table ---- */

/* The commands, as cmd_get_radio_state. */
enum command_number {
#define HEAD(kind, name, ...)		cmd_##name,
#include "commands.def"
	COMMANDS, cmd_none = COMMANDS
};

/* The services of MBIM, in the table's order. */
enum service {
#define VALUES(name, ...)		__VA_ARGS__
#define V(n, word)
#define SERVICE(name, uuid)		service_##name,
#define QMI_SERVICE(name, id)
#include "commands.def"
};

/* Words that C compares with, as register_state_home, status_Busy, qmi_CTL. */
enum table_word {
#define VALUES(name, ...)		__VA_ARGS__
#define V(n, word)
#define QMI_SERVICE(name, id)		qmi_##name = id,
#define E(table, n, word)		table##_##word = n,
#define GOAL(n, name, ...)		goal_##name = n,
#define METHOD(n, name, ...)		fcc_method_##name = n,
#include "commands.def"
};

/*
 * Of each part of a command a struct with a byte for each of its fields: a name
 * or word that is given twice, or a missing END, does not compile.
 */
#define UNIQUE2(n)	unique_##n
#define UNIQUE1(n)	UNIQUE2(n)
#define UNIQUE		UNIQUE1(__COUNTER__)

struct table_fields {
#define BODY(name)				struct fields_##name {
#define BACK					} UNIQUE[0];
#define ITEM(ops, text, size, field)		field
#define OPEN(ops, text, size, weight, field)	field struct {
#define END					} UNIQUE[0];
#define HEAD(kind, name, ...)			struct request_##name {
#define PART(op, part, v, size)			} UNIQUE[0]; struct part {
#define SAME(name, other)			} UNIQUE[0];
#include "commands.def"
};

/* The number of a field among those of a reply's top level. */
#define FIELD(command, field)	offsetof(struct reply_##command, f_##field)

enum { FIELDS_MAX = 64 };

/* ==== mbim.c: how bytes reach a modem, and what is remembered of it ==== */

/* ---- failures and warnings ---- */

/* Whose number a failure has: an MBIM status, a function error, QMI's error. */
enum domain { DOMAIN_NONE, DOMAIN_MBIM, DOMAIN_FUNCTION, DOMAIN_QMI };

/* What went wrong first. */
extern struct failure {
	int exit;
	enum domain domain;	/* of number; its name is in the table */
	uint32_t number;
	int named;		/* commands.c has put the name into text */
	char text[240];
	int quiet;		/* cleaning up: a failure changes nothing */
	int printed;		/* in JSON or sh, with the refusal's fields */
} failure;

/* Record a failure, unless there is one; its text is the strings in a row. */
#define fail(code, ...)	fail_list(code, __VA_ARGS__, (char *)NULL)

int fail_list(int code, ...);

/* The same for a number of the modem's; code is 0: the table has its exit. */
int fail_refused(enum domain domain, uint32_t number, int code,
	const char *more);

/* Who goes on after a failure clears it. */
void clear_failure(void);
const char *errno_text(void);

/* A line on stderr, the strings in a row, by what main.c has set. */
#define warn(...)	warn_list(__VA_ARGS__, (char *)NULL)

void warn_list(const char *s, ...);

extern void (*warn_line)(const char *line);

/* ---- numbers and addresses ---- */

/*
 * Read a number, decimal or 0x…; *s moves behind it. False when there is none
 * or it does not fit in 64 bits.
 */
int parse_number(const char **s, uint64_t *n);

int parse_hex_byte(const char *s, uint8_t *byte);	/* two hex digits */

/* An IPv4 or IPv6 address, behind its prefix length when len is 8 or 20. */
void text_address(struct text *t, const uint8_t *p, size_t len);

/* ---- discovery ---- */

/* An MBIM port of this machine. */
struct mbim_port {
	char path[128];			/* /dev/cdc-wdm0 */
	char net[32];			/* wwan0, or empty */
	char bus[32];			/* 1-1.2, or empty */
	char ids[16];			/* 1199:9079, or empty */
	char driver[32];		/* cdc_mbim, or empty */
	uint64_t holder;		/* the process with its lock, or 0 */
};

/* Call each with every port. */
void mbim_ports(void (*each)(const struct mbim_port *port));

struct mbim;

/*
 * Find the device that is meant by a path, the name of a node or of a network
 * interface, or a USB path; NULL is the only one there is.
 */
int mbim_find(struct mbim *m, const char *device);

/* Of the opened device: its network interface; its ids, as 1199:9079. */
void mbim_net(struct text *t, const struct mbim *m);
void mbim_ids(struct text *t, const struct mbim *m);

/* ---- the network interface, as the kernel has it ---- */

/* Has it the VLANs of cdc_mbim, not the links of the WWAN core? */
int net_has_vlans(const char *net);

/*
 * Why an interface does not carry these addresses, as far as the kernel knows,
 * or NULL; its packets, received and sent: false when they are not known.
 */
const char *net_fault(const char *net, const char *ipv4, const char *ipv6);
int net_counters(const char *net, uint64_t packets[2]);

/* ---- the device and the MBIM session ---- */

enum {
	MBIM_CONTROL_MAX = 65535,	/* largest fragment */
	MBIM_REPLY_MAX = 65536,		/* largest joined message */
	MBIM_KEPT_MAX = 16		/* sessions, and kept QMI clients */
};

enum mbim_open { OPEN_AUTO, OPEN_ALWAYS, OPEN_NEVER };

enum mbim_operation { MBIM_QUERY = operation_query, MBIM_SET = operation_set };

/* A QMI client that outlives the run. */
struct mbim_kept {
	uint32_t handle;
	uint8_t service, client, unused[2];
};

/* What is known of the session; as a file it outlives a run. */
struct mbim_marker {
	uint64_t identity[5];		/* rdev, inode, ctime (2), USB devnum */
	uint32_t size, control_size;	/* size: of this struct, its version */
	int32_t version;		/* MBIMEx: 2, 3, or 0 for MBIM 1.0 */
	uint32_t n_sessions, n_kept, unused;
	uint8_t sessions[MBIM_KEPT_MAX];
	struct mbim_kept kept[MBIM_KEPT_MAX];
};

struct mbim {
	/* set by the caller */
	char path[104];			/* of the node or socket */
	enum mbim_open open;
	int close, direct;		/* --close; beside mbim-proxy */
	int64_t deadline;		/* when the run ends */
	int64_t timeout;		/* how long that is, for messages */
	sigset_t waiting;		/* the signal mask of ppoll */
	uint8_t probe[16];		/* a service of a harmless query 1 */
	uint8_t qmi[16];		/* the service of QMI */
	void (*trace)(int sent, const uint8_t *frame, size_t len);

	/* what is known of the session */
	struct mbim_marker marker;
	int fd;
	int joined, opened;		/* it was open before; OPEN was sent */
	int critical;			/* wait for this answer always */

	/* mbim.c's own */
	char sys[96];			/* the device's directory in sysfs */
	int is_socket, gone, cleaning, unanswered, pending_probes, old_signals;
	uint32_t next_id;
};

/* Signals that came so far, and the last one's number: main.c counts them. */
extern volatile sig_atomic_t signals_seen, signal_last;

int64_t now(void);

static inline int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

uint64_t timeout_seconds(const struct mbim *m);

/*
 * Wait for events on a descriptor, or (-1) for the time to pass, and let
 * signals in. Returns 0 or a signal's exit code; *got is 0 when time is up.
 */
int wait_for(struct mbim *m, int fd, short events, int64_t limit, short *got);

/*
 * These own something: each takes it, calls next, gives it back, and returns
 * the first error. The device is locked; the marker is read before and written
 * or removed after; the session is joined or opened, and closed if it was
 * opened and leaves nothing behind.
 */
int mbim_with_device(struct mbim *m, int (*next)(struct mbim *m));
int mbim_with_marker(struct mbim *m, int (*next)(struct mbim *m));
int mbim_with_session(struct mbim *m, int (*next)(struct mbim *m));

/* OPEN, which ends sessions: for a function that is silent. */
int mbim_open(struct mbim *m);

/* CLOSE, under the deadline: the only thing that a run may have to do. */
int mbim_close(struct mbim *m);

/* Clean-up begins: three seconds from here; a second signal ends it. */
void mbim_clean_up(struct mbim *m);

/* A COMMAND_DONE: its information buffer and status (MBIM 1.0 §9.4.5). */
struct mbim_answer {
	uint32_t status;
	struct reader info;
};

/*
 * One command and its answer. Success here is an answer; its status may be a
 * failure, which fail_refused() records.
 */
int mbim_command(struct mbim *m, const uint8_t service[16], uint32_t cid,
	enum mbim_operation operation, const uint8_t *info, size_t len,
	struct mbim_answer *answer);

/*
 * Wait for an indication of this CID, of whatever service, until limit or the
 * deadline; TIMED_OUT, which is not recorded as a failure, when none came.
 */
int mbim_listen(struct mbim *m, uint32_t cid, int64_t limit);

/*
 * Write the marker now; what cannot be written is warned of once. Does a
 * session outlive the run? True when that is new; it is written.
 */
void marker_write(struct mbim *m);
int marker_session(struct mbim *m, uint8_t session, int keep);

/* ==== qmi-over-mbim.c: QMI inside MBIM ==== */

/* Parts of a QMUX frame with an SDU, checked; tlvs reads behind the header. */
struct qmux {
	uint8_t service, client;
	int from_modem, indication, response;
	uint16_t id, message;
	struct reader tlvs;
	size_t surplus;			/* bytes behind the frame */
};

/* Returns false when no QMUX frame begins there. */
int qmux_parse(const uint8_t *frame, size_t len, struct qmux *q);

/*
 * The first TLV of a type; the next one: false when there is none, and where
 * they are broken (bad then). Result TLV 0x02: 0, or the error; -1 when it is
 * missing or broken.
 */
int qmi_tlv(struct reader tlvs, uint8_t type, struct reader *value);
int qmi_next_tlv(struct reader *tlvs, uint8_t *type, struct reader *value);
int qmi_result(struct reader tlvs);

/* Owns the clients: those allocated by next and not kept are released. */
int qmi_with_clients(struct mbim *m, int (*next)(struct mbim *m));

enum qmi_use { QMI_PLAIN, QMI_KEEP, QMI_DROP };

/*
 * One QMI message and its reply, through a client that is allocated when
 * needed (QMI_DROP: a kept one where there is one). error is the QMI error.
 */
int qmi_command(struct mbim *m, uint8_t service, uint16_t message,
	enum qmi_use use, const uint8_t *tlvs, size_t len,
	int *error, struct reader *reply);

/*
 * The last command's client outlives the run, or has ended. The handle of a
 * kept client of a service; false when there is none.
 */
void qmi_keep(struct mbim *m, uint32_t handle);
void qmi_drop(struct mbim *m);
int qmi_kept_handle(struct mbim *m, uint8_t service, uint32_t *handle);

/* ==== commands.c: what the table means ==== */

/* ---- commands and their options ---- */

enum command_kind {
	KIND_QUERY, KIND_SET, KIND_QMI, KIND_JOB, KIND_RAW_MBIM, KIND_RAW_QMI
};

/* What the head of a command says. */
struct command_head {
	const char *name, *help;
	enum command_kind kind;
	uint32_t id;			/* CID or message id */
	uint8_t slow;			/* its deadline in seconds, or 0 */
	uint8_t lock, lock_value;	/* a refusal by the FCC lock */
	uint8_t risky;			/* a bit for each VALUE */
	int keeps_session;
	unsigned flags;
};

/* It holds until that of another command is asked for; its strings, always. */
const struct command_head *head_of(enum command_number command);

/* By a name up to a NUL or '=', with - or _, in any case; or cmd_none. */
enum command_number command_find(const char *name);

/* An option as given; "" is the name of a command's own value. */
struct option {
	const char *name;		/* without dashes, up to a NUL or '=' */
	const char *value;
	int used, is_file, is_part;	/* value: a file's name; a part */
};

/* A command of the run with its options. */
struct call {
	enum command_number command;
	struct option *options;
	size_t n_options;
	const char *prefix;		/* of its variables in sh */
	/* of a job's, the job and what is printed before the reply; or NULL */
	const struct call *job;
	void (*preface)(void);
};

/*
 * Is there an option of this name? "" is the command's own value. OPTION_FILE:
 * it is that of a secret, with -file behind.
 */
enum option_found { OPTION_NONE, OPTION_VALUE, OPTION_FILE };

enum option_found command_option(enum command_number c, const char *name);
int is_secret_value(enum command_number c);

/* Read the secrets of a call that are in files; - is standard input. */
int call_secrets(const struct call *call);

/* Encode the request and throw it away. Would two calls set one variable? */
int call_check(const struct call *call);
int calls_collide(const struct call *a, const struct call *b);

/* What an option says, or else its default; "" and 0 when there is none. */
const char *call_text(const struct call *call, const char *name);
uint64_t call_number(const struct call *call, const char *name);

/* ---- running them ---- */

/* The service of the probe, which lower files do not know. */
void command_services(struct mbim *m);

/* Send a call; print or record its reply. */
enum reply_use { PRINT_REPLY, RECORD_REPLY };

int call_run(struct mbim *m, const struct call *call, enum reply_use use);

/*
 * The reply that was recorded last: the number of a field of its top level, the
 * nth text of one, "" when there is none; its word or number, or otherwise.
 */
void clear_record(void);
uint64_t recorded(size_t field);
int is_recorded(size_t field);
const char *recorded_text(size_t field, size_t nth);
const char *recorded_word(size_t field, const char *otherwise);

/*
 * The exit code of a failure, whose text says by now what the number means; the
 * name of the number; is it this one?
 */
int explain_failure(void);
const char *name_of_failure(void);
int is_refusal(enum domain domain, uint32_t number);

/* ---- -o ip: commands of ip(8) ---- */

#define NO_INTERFACE	"the modem has no (usable) network interface"

extern const char *ip_metric;		/* of the routes, or NULL */

/* Has the IP configuration that was recorded an address? */
int has_address(void);

/* The name of a session's interface; what takes those of sessions down. */
void text_interface(struct text *t, const char *base, uint64_t session);
int print_ip_down(const struct mbim *m, const uint8_t *sessions, size_t n);

/* ---- goals, stages and methods of jobs ---- */

extern const struct goal {
	uint16_t query, field;		/* enum command_number, FIELD */
	uint32_t reached, pending, final;	/* bits of the field's words */
	int exit;			/* what a final word means */
} goals[];

extern const struct stage {
	uint16_t job, goal, action;	/* action: a command, or cmd_none */
	const char *name, *value;	/* value: of the action, or NULL */
} stages[];

extern const struct method {
	uint16_t number, command;
	const char *value, *ids;	/* of modems, between spaces */
} methods[];

extern const size_t n_stages, n_methods;

/* ---- printing ---- */

/* ip: replies are recorded, and become commands of ip(8) at their end */
enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SH, FORMAT_IP };

/* Where the printer writes, and how. */
void print_to(struct text *t, enum format format);

/*
 * How a value is quoted: a number, a word of ours, text of the modem's; a value
 * that the modem does not know; one that it did not send, and a list.
 */
enum value_kind {
	VALUE_NUMBER, VALUE_WORD, VALUE_TEXT, VALUE_UNKNOWN, VALUE_MISSING,
	VALUE_MISSING_LIST
};

/* An object, an array of objects or texts, an array of words or numbers. */
enum group { GROUP_OBJECT, GROUP_ARRAY, GROUP_WORDS };

/* One object, of a command (or NULL), with a prefix of variables (or NULL). */
void print_begin(const char *command, const char *prefix);
void print_end(void);
void print_value(const char *name, enum value_kind kind, const char *s,
	size_t len);
void print_number(const char *name, uint64_t n);
void print_string(const char *name, const char *s);
void print_missing(const char *name);
void print_open(const char *name, enum group group);
void print_close(void);

/* Before an array: are its elements and a close wanted now, to measure it? */
int print_measure(void);

/* In text each command is a block below its title. */
void print_titles(int on);

/* The failure of a call (or NULL): a line; an object; a reply of nothing. */
void text_failure(struct text *t, const struct call *call);
void print_failure(const struct call *call, const char *line);
void print_nothing(const struct call *call);

/* ---- frames ---- */

/*
 * Is an MBIM or QMUX frame of either direction well-formed? With mask the bytes
 * of personal and secret values are set in hidden, as long as the frame.
 */
int check_frame(const uint8_t *frame, size_t len, int version, int mask,
	char *hidden);

/* Print it; good is the result of check_frame(). */
void print_frame(const uint8_t *frame, size_t len, int version, int mask,
	int good);

/*
 * Find the frames in hex that somebody pasted into a file; - is standard input.
 * A frame may have several lines, which may be quoted, or of a log.
 */
int read_pasted(const char *name,
	void (*each)(const uint8_t *frame, size_t len));

/* The MD5 of a text shorter than 120 characters, as hex. */
void text_md5(struct text *t, const char *s);

/* ---- help ---- */

/* A command and its options, for people. */
void text_command_help(struct text *t, enum command_number c);

/* Call each with the commands that have a word in name or help: how many. */
int command_list(const char *word,
	void (*each)(const char *name, const char *help));

/*
 * For a name that there is not: commands that may be meant; those that have an
 * option of this name; the nearest of a command's options. Maybe nothing.
 */
void text_suggestions(struct text *t, const char *name);
void text_owners(struct text *t, const char *name);
void text_near_options(struct text *t, enum command_number c, const char *name);

#endif
