/* SPDX-License-Identifier: ISC
 *
 * The map of mbimctl: read this first.
 *
 *   main.c            the face: options, outputs, errors, exit codes, signals
 *   jobs.c            chains of commands: up, down, wait-for...
 *   request.c         what is asked for: option text, requests, running them
 *   commands.c        what the ledger, commands.def, means; replies
 *   qmi-over-mbim.c   QMI inside MBIM; which device, and the marker, what
 *                     outlives a run
 *   mbim.c            the pipe: how bytes reach a modem
 *   values.c          values as text, and back
 *
 * Each file uses those below it, and this one: the reader and the writer of
 * bytes and text, which have no state. Two things point upwards: output and
 * failures, which are main.c's (the end of this file), and name_of(), because
 * the names of statuses and errors are in the ledger.
 *
 * Functions that can fail return an exit code, 0 being success, and have told
 * the reason to fail(). Times are nanoseconds of CLOCK_MONOTONIC. Numbers on
 * the wire are little-endian. Nothing is allocated: buffers belong to the file
 * that fills them and hold until its next exchange.
 */
#ifndef MBIM_H
#define MBIM_H

#include <signal.h>
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

#define SECOND	1000000000LL

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

static inline void text_char(struct text *t, char c)
{
	if (t->len + 1 >= t->size) {
		if (!t->full)
			return;
		t->full(t);
	}
	t->s[t->len++] = c;
	t->s[t->len] = '\0';
}

static inline void text_put(struct text *t, const char *s, size_t len)
{
	for (size_t n; len; s += n, len -= n) {
		n = t->size - 1 - t->len;
		n = n < len ? n : len;
		memcpy(t->s + t->len, s, n);
		t->len += n;
		t->s[t->len] = '\0';
		if (n == 0 && !t->full)
			return;
		if (n == 0)
			t->full(t);
	}
}

static inline void text_add(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

/* The strings of a list that ends with NULL. */
static inline void text_list(struct text *t, const char *const *list)
{
	while (*list)
		text_add(t, *list++);
}

#define LIST_OF(...)		((const char *const[]){ __VA_ARGS__, NULL })
#define text_join(t, ...)	text_list(t, LIST_OF(__VA_ARGS__))

/* A name up to a NUL or '=' as options and words are spelt: small, - for _. */
static inline void text_dashed(struct text *t, const char *s)
{
	for (; *s && *s != '='; s++)
		text_char(t, *s == '_' ? '-' :
			*s >= 'A' && *s <= 'Z' ? (char)(*s | 32) : *s);
}

static inline void text_hex(struct text *t, uint64_t n, int digits)
{
	while (digits-- > 0)
		text_char(t, "0123456789abcdef"[n >> 4 * digits & 15]);
}

static inline void text_decimal(struct text *t, uint64_t n)
{
	uint64_t power = 1;

	while (n / power > 9)
		power *= 10;
	for (; power; power /= 10)
		text_char(t, (char)('0' + n / power % 10));
}

/* How many characters there are before a c, or before the end. */
static inline size_t span(const char *s, char c)
{
	size_t n = 0;

	while (s[n] && s[n] != c)
		n++;
	return n;
}

/* A number as text, which holds until the fourth call after. */
const char *decimal(uint64_t n);		/* values.c */

/*
 * Read a number, decimal or 0x…; *s moves behind it. False when there is none
 * or it does not fit in 64 bits.
 */
int parse_number(const char **s, uint64_t *n);	/* values.c */

/* ---- sysfs: mbim.c ---- */

/* Test beds keep their /sys and /dev below a directory of their own. */
const char *sys_root(void);

/* A path below it, of strings in a row; it holds until the next. */
const char *sys_path_list(const char *const *parts);

#define sys_path(...)	sys_path_list(LIST_OF(__VA_ARGS__))

/* A file's text without its newline; the last part of a link's target; or "" */
const char *sys_text(const char *file);
const char *sys_link(const char *link);

/* Call each with every name in a directory. */
void sys_each(const char *dir, void (*each)(const char *name, void *arg),
	void *arg);

/* The network interface of a port, as USB and as WWAN devices have it. */
void sys_net(struct text *t, const char *port);

/* The USB or PCI ids of a port's device, as 1199:9079. */
void sys_ids(struct text *t, const char *port);	/* qmi-over-mbim.c */

/* ---- the device and the MBIM session: mbim.c ---- */

enum {
	MBIM_CONTROL_MAX = 65535,	/* largest fragment */
	MBIM_REPLY_MAX = 65536,		/* largest joined message */
	MBIM_KEPT_MAX = 16		/* sessions, and kept QMI clients */
};

enum mbim_open { OPEN_AUTO, OPEN_ALWAYS, OPEN_NEVER };

enum mbim_operation { MBIM_QUERY = 0, MBIM_SET = 1 };

/* A QMI client that outlives the run. */
struct mbim_kept {
	uint32_t handle;
	uint8_t service, client, unused[2];
};

/* What is known of the device's session. It outlives a run, as a file. */
struct mbim_mark {
	uint64_t identity[5];		/* rdev, inode, ctime (2), USB devnum */
	uint32_t size;			/* of this struct: its version */
	uint32_t control_size;
	int32_t version;		/* MBIMEx: 2, 3, or 0 for MBIM 1.0 */
	uint32_t n_sessions, n_kept, unused;
	uint8_t sessions[MBIM_KEPT_MAX];
	struct mbim_kept kept[MBIM_KEPT_MAX];
};

struct mbim {
	/* set by the caller */
	char path[104];			/* of the node or socket */
	enum mbim_open open;
	int close;			/* --close */
	int direct;			/* beside mbim-proxy */
	int64_t limit;			/* when waiting ends: the deadline */
	int64_t patience;		/* how long that is, to be told */
	sigset_t waiting;		/* the signal mask of ppoll */
	void (*trace)(int sent, const uint8_t *frame, size_t len);

	/* what is known of the session */
	struct mbim_mark mark;
	int fd;
	int joined;			/* the function was open before */
	int opened;			/* OPEN was sent */
	int critical;			/* wait for this answer always */

	/* mbim.c's own */
	char sys[96];			/* the device's directory in sysfs */
	int is_socket, gone, cleaning, unanswered, owed;
	int signals_known;
	uint32_t next_id;
};

int64_t now(void);

static inline int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * The owners. Each takes its thing, calls next, gives the thing back, and
 * returns the first error. The device is locked; the session is joined or
 * opened, and closed if it was opened and leaves nothing behind.
 */
int mbim_with_device(struct mbim *m, int (*next)(struct mbim *m));
int mbim_with_session(struct mbim *m, int (*next)(struct mbim *m));

/* OPEN, which ends sessions: for a function that is silent. */
int mbim_open(struct mbim *m);

/* CLOSE, under the deadline: the only thing that a run may have to do. */
int mbim_close(struct mbim *m);

/* Clean-up begins: three seconds from here; the run's second signal ends it. */
void mbim_clean_up(struct mbim *m);

/* A COMMAND_DONE: its information buffer and status (MBIM 1.0 §9.4.5). */
struct mbim_answer {
	uint32_t status;
	struct reader info;
};

/*
 * One command and its answer. Success here is an answer; its status may be a
 * failure, which mbim_refused() tells.
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
 * Record the failure that a status means, with more to be said of it; code is
 * its exit code, 0 being that of the status.
 */
int mbim_refused(uint32_t status, int code, const char *more);

/* ---- which device, and what outlives a run: qmi-over-mbim.c ---- */

/* An MBIM port of this machine. */
struct mbim_port {
	char path[128];			/* /dev/cdc-wdm0 */
	char net[32];			/* wwan0, or empty */
	char bus[32];			/* 1-1.2, or empty */
	char ids[16];			/* 1199:9079, or empty */
};

/* Call each with every port. */
void mbim_ports(void (*each)(const struct mbim_port *port));

/*
 * Find the device that is meant by a path, the name of a node or of a network
 * interface, or a USB path; NULL is the only one there is.
 */
int mbim_find(struct mbim *m, const char *device);


/*
 * Why an interface does not carry these addresses, as far as the kernel knows,
 * or NULL; its packets, received and sent: false when they are not known.
 */
const char *net_fault(const char *net, const char *ipv4, const char *ipv6);
int net_counters(const char *net, uint64_t packets[2]);

/* Owns the marker: reads it before, writes or removes it after. */
int mark_with_mark(struct mbim *m, int (*next)(struct mbim *m));

/* Write the marker now; what cannot be written is warned of once. */
void mark_write(struct mbim *m);

/* Does a session outlive the run? True when that is new; it is written. */
int mark_session(struct mbim *m, uint8_t session, int keep);

/* ---- QMI: qmi-over-mbim.c ---- */

extern const uint8_t qmi_uuid[16];

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

/* The first TLV of a type; false when there is none. */
int qmi_tlv(struct reader tlvs, uint8_t type, struct reader *value);

/* Result TLV 0x02: 0, or the error; -1 when it is missing or broken. */
int qmi_result(struct reader tlvs);

/* The next TLV; false at the end, and where they are broken (bad then). */
int qmi_next_tlv(struct reader *tlvs, uint8_t *type, struct reader *value);

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

/* The last command's client outlives the run, or has ended. */
void qmi_keep(struct mbim *m, uint32_t handle);
void qmi_drop(struct mbim *m);

/* The handle of a kept client of a service; false when there is none. */
int qmi_kept_handle(struct mbim *m, uint8_t service, uint32_t *handle);

int qmi_refused(uint32_t error, int code, const char *more);

/* ---- values as text, and back: values.c ---- */

void text_bytes(struct text *t, const uint8_t *bytes, size_t len);
void text_uuid(struct text *t, const uint8_t uuid[16]);

/* An IPv4 or IPv6 address, behind its prefix length when len is 8 or 20. */
void text_address(struct text *t, const uint8_t *p, size_t len);

/* Up to a NUL; what is no text becomes U+FFFD. */
void text_utf16(struct text *t, const uint8_t *p, size_t len);
void text_utf8(struct text *t, const uint8_t *p, size_t len);

/*
 * UTF-8 as it is, or as UTF-16LE: the number of bytes; -1 when it is no text or
 * has more than max bytes (wide: units of UTF-16).
 */
int parse_text(const char *s, int wide, uint8_t *to, size_t max);

/* Hex, with blanks, colons and bars between bytes; how many bytes, or -1. */
int parse_hex(const char *s, const char *end, uint8_t *bytes, size_t max);

/*
 * Find the frames in hex that somebody pasted into a file; - is standard input.
 * A frame may have several lines, which may be quoted, or of a log.
 */
int read_pasted(const char *name,
	void (*each)(const uint8_t *frame, size_t len));

/* The MD5 of a text shorter than 120 characters, as hex. */
void text_md5(struct text *t, const char *s);

/* A UUID up to a NUL or blank; false when it is none. */
int parse_uuid(const char *s, uint8_t uuid[16]);

/* ---- the words of a value table: values.c ---- */

/* The next word and, if it has no UUID, its number; NULL at the end. */
const char *next_word(const char **table, uint64_t *n);

/* The word of a number, or NULL. */
const char *word_of(const char *table, uint64_t n);

/* Words are the same whatever their case, with - for _. */
int same_word(const char *a, const char *b, size_t len);

/* The entry of a UUID (skip 0) or a word (37) in a table of "uuid word". */
const char *uuid_entry(const char *table, const char *s, size_t skip);

/* Of a number n, (a n + b) / c is shown; nothing if it is unknown. */
struct scale {
	int64_t a, b, c, unknown;
};

struct scale scale_of(const char *table);
void text_scaled(struct text *t, const char *table, int64_t n);

/* ---- the ledger and its items: commands.c ---- */

/* The numbers of value tables, ops and services: the ledger's first reading. */
enum show {
	show_dec, show_hex, show_bool, show_mcc, show_mnc, SHOW_TABLES,
	show_before_tables = SHOW_TABLES - 1,
#define VALUES(name)			show_##name,
#define END
#define SCALE(name, a, b, c, unknown)	show_##name,
#include "commands.def"
};

enum op {
	OP_END, OP_REPLY, OP_REQUEST, OP_SAME,
#define K(op, has, where, what, size)	OP_##op,
	KINDS(K)
#undef K
	OP_SUFFIXES,
	OP_DEFAULT = OP_SUFFIXES, OP_GIVEN, OP_ALSO, OP_MAX, OP_DIGITS,
	OP_SLOW, OP_LOCK, OP_RISKY, OP_FLAGS,
	OP_REQUIRED = OP_FLAGS, OP_VALUE, OP_SECRET, OP_PERSONAL,
	OP_EFFECT, OP_CAUSE, OP_HANDLE, OP_KEEP, OP_DROP,
	OPS,
	OP_HELPED = 128		/* a help text follows the name */
};

#define FLAG(op)	(1u << ((op) - OP_FLAGS))
#define HIDDEN		(FLAG(OP_SECRET) | FLAG(OP_PERSONAL))

enum service {
#define VALUES(name)
#define SERVICE(name, uuid)		service_##name,
#include "commands.def"
};

enum qmi_service {
#define VALUES(name)
#define QMI_SERVICE(name, id)		qmi_##name = id,
#include "commands.def"
};

/* What follows the op of an item. */
enum has { NAME = 1, SHOW = 2, ONE = 4, TWO = 8, ITEMS = 16 };

/* Where its bytes are. */
enum where {
	INLINE,			/* here, as many as the kind has */
	GIVEN_SIZE,		/* here, as many as the item says */
	TAIL,			/* here, all that is left */
	PREFIXED,		/* here, after their number */
	POINTED,		/* at an offset, with a size */
	AWAY,			/* at an offset, with a COUNT's size */
	ELEMENT			/* in an information element */
};

/* What they are. */
enum what {
	NOTHING, NUMBER, SIGNED, CONSTANT, COUNTER, HEX, TEXT8, TEXT16, ID,
	ADDRESS
};

enum { IE_WCHAR_STR = 10 };	/* the type of an element that is a string */

struct kind {
	uint8_t has, where, what, size;
};

/* Where a walk is: in the ops and, in step, in the names. */
struct cursor {
	const unsigned char *op;
	const char *name;
	const unsigned char *again_op;		/* the last STRUCT's items */
	const char *again_name;
	int depth;				/* next_option: of containers */
};

struct item {
	enum op op;
	const struct kind *kind;
	uint8_t n, show, max, n_givens;
	int tlv;				/* or -1 */
	enum op guard;				/* WHEN, IS, or END */
	uint8_t guard_field, guard_n, digits;
	const char *name, *help;
	const char *also, *fallback, *givens;	/* suffixes, or NULL */
	unsigned flags;				/* of those from OP_FLAGS on */
	struct cursor inner;			/* a container's items */
	int in_place;				/* they come next */
	enum op bare;				/* of elements without name */
};

/*
 * The next item, with its guards and suffixes; false at an END or at the end
 * of a part, which are not passed. After a container its own items are next;
 * skip_item() passes what is left of an item.
 */
int next_item(struct cursor *c, struct item *it);
void skip_item(struct cursor *c, const struct item *it);

/* The next item that is an option, in containers too; false at the end. */
int next_option(struct cursor *c, struct item *it);

const char *next_name(struct cursor *c);

/* The bytes of the fixed part of some items, without those of pairs. */
size_t fixed_size(struct cursor c);

/* The value table of a show word; "" when it has none. */
const char *table_of(int show);

/* ---- commands, and what is told of them: commands.c ---- */

enum kind_of {
	KIND_QUERY, KIND_SET, KIND_QMI, KIND_JOB, KIND_RAW_MBIM, KIND_RAW_QMI
};

/* The ids of those in jobs.c. */
enum job {
	job_up, job_ensure_connected, job_down, job_wait_for,
	job_verify_connection, job_fcc_unlock
};

struct command {
	uint32_t names;			/* where its own begin */
	uint16_t ops;
	uint16_t id;			/* CID or message id */
	uint8_t service;		/* enum service or qmi_service */
	uint8_t kind, hash;
};

/* What the head of a command says, and where its request begins. */
struct head {
	const char *name, *help;
	uint8_t slow;				/* its deadline in seconds */
	uint8_t lock, lock_value;
	uint8_t risky;				/* a bit for each VALUE */
	unsigned flags;
	struct cursor request;
};

/* It holds until that of another command is asked for; its strings, always. */
const struct head *head_of(const struct command *command);

const struct command *command_find(const char *name);

/* By service and CID or message; NULL when the table has none. */
const struct command *command_lookup(enum kind_of kind, int service,
	uint32_t id);

/* Call told with each. */
void command_list(void (*told)(const char *name, const char *help));

/* A part of a command: of the highest version not above the session's. */
struct cursor find_part(const struct command *command, enum op part,
	int version);

/* The number of a service by its UUID, or -1. */
int service_number(const uint8_t *uuid);

enum { DEPTH_MAX = 8, ELEMENTS_MAX = 4096, FIELDS_MAX = 64 };

/* What is known while a message is told, and afterwards. */
struct decoder {
	int quiet;			/* only look; tell nothing */
	int mask;			/* keep personal values back */
	int depth, elements;
	uint64_t fields[FIELDS_MAX];	/* the top level's, for guards */
	size_t n_fields;
	size_t counts[4];
	int mismatch;			/* a CONST is another number */
	/* what the items marked so said */
	int has_effect;
	uint64_t effect, cause, handle;
	uint8_t cause_show;
};

/*
 * Tell a part of a message through out_…; false when it is malformed. Without
 * a command the bytes are told as hex.
 */
int tell(struct decoder *d, const struct command *c, enum op part, int version,
	int qmi, struct reader r);

/*
 * Tell an MBIM or QMUX frame of either direction through out_…, with personal
 * and secret values kept back when mask is set; out_mask() is told where they
 * are. False when it is malformed.
 */
int decode_frame(const uint8_t *frame, size_t len, int version, int mask);

/* The name of a status or error, as the specification spells it. */
const char *name_of(enum show show, uint32_t n);

/* ---- requests, and running them: request.c ---- */

/* A command of the run with its options, as given. */
struct option {
	const char *name;		/* without dashes, up to a NUL or '=' */
	const char *value;
	int used;
};

struct call {
	const struct command *command;
	struct option *options;
	size_t n_options;
	/* of a job's, its name and what it says before the reply; or NULL */
	const char *title;
	void (*preface)(void);
};

/* Has the command an option of this name? "" is its own value. */
int command_has_option(const struct command *c, const char *name);

/* What help, man page and completion say of an option. */
struct option_help {
	const char *name, *also, *help, *fallback;
	const char *words;		/* a value table, or NULL */
	int is_value, is_required;
};

void command_options(const struct command *c,
	void (*told)(const struct option_help *help));

/* A command and its options, for people. */
void command_help(struct text *t, const struct command *c);

/* Fetch the secrets of a call from where they are. */
int command_secrets(const struct call *call);

/* Check a call: encode its request and throw it away. */
int command_check(const struct call *call);

/* What an option says, or else its default; "" and 0 when there is none. */
const char *call_text(const struct call *call, const char *name);
uint64_t call_number(const struct call *call, const char *name);

/* Send it, and give its reply to out_…. */
int command_run(struct mbim *m, const struct call *call);

/*
 * What a reply says, kept in place of being printed: forget it, keep a value;
 * get that of a name, or the nth of a list's, or "".
 */
void record_clear(void);
void record_value(const char *name, const char *s, size_t len);
const char *said(const char *name);
const char *said_nth(const char *name, size_t n);

/* Tell a reply in which nothing came. */
void command_blank(const struct command *c);

/* ---- jobs: jobs.c ---- */

struct job_settings {
	int force;			/* --force: the PIN, with few tries */
	int wants_net;			/* -o ip: no use without */
	const char *metric;		/* of routes, or NULL */
};

extern struct job_settings job_settings;

/* Check a job's options, those for its commands too; do it. */
int job_check(const struct call *call);
int job_run(struct mbim *m, const struct call *call);

/* Has -o ip something to print of this command? */
int job_tells_ip(const struct command *c);

/* Tell of a job that nothing came. */
void job_blank(const struct command *c);

/* The IP configuration that was said, as commands of ip(8); maybe nothing. */
void text_ip_commands(struct text *t, const char *net);

/* ==== what main.c supplies to all ==== */

/* ---- failure: main.c ---- */

/* What went wrong first. */
struct failure {
	int exit;
	uint32_t number;	/* MBIM status or QMI error, with its name */
	const char *name;
	char text[240];
	int quiet;		/* cleaning up: a failure changes nothing */
};

extern struct failure failure;

/* Record a failure, unless there is one; its text is the strings in a row. */
int fail_list(int code, const char *const *text);

#define fail(code, ...)	fail_list(code, LIST_OF(__VA_ARGS__))

/* The same for a refusal: number, name, more to say, a command to try. */
int fail_with(int code, const char *who, uint32_t number, const char *name,
	const char *more, const char *try);

const char *errno_text(void);

/* ---- output: main.c ---- */

/*
 * How a value is quoted: a number, a word of ours, text of the modem's; a value
 * that the modem does not know; one that it did not send, and an array.
 */
enum out_kind {
	OUT_NUMBER, OUT_WORD, OUT_TEXT, OUT_UNKNOWN, OUT_ABSENT,
	OUT_ABSENT_ARRAY
};

/* An object, an array of objects or texts, an array of words or numbers. */
enum out_group { OUT_OBJECT, OUT_ARRAY, OUT_WORDS };

void out_value(const char *name, enum out_kind kind, const char *s, size_t len);
void out_open(const char *name, enum out_group group);
void out_close(void);

void out_number(const char *name, uint64_t n, int minus);

/* Bytes of the frame that is being told that are not to be shown. */
void out_mask(const uint8_t *bytes, size_t len);

/* One object, of a command; muted, none of these does anything. */
void out_begin(const char *name);
void out_end(void);
void out_mute(int mute);

/* Replies are kept by record_value() in place of being printed. */
void out_record(int on);

/* A line on stderr. */
void warn_list(const char *const *text);

#define warn(...)	warn_list(LIST_OF(__VA_ARGS__))

/* Signals that came so far, and the last one's number. */
extern volatile sig_atomic_t signals_seen, signal_last;

#endif
