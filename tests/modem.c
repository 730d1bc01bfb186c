/* SPDX-License-Identifier: ISC */
/*
 * A simulated MBIM modem: the other end of the cable, for tests.
 *
 * It is written from the specifications (MBIM 1.0, Microsoft's extensions,
 * QMI as libqmi describes it), shares no code with mbimctl, is strict about
 * what the host sends, and can misbehave in every way that we know of.
 *
 *	modem [-s SOCKET] [-p LINK] [-l LOG] [-r REPORT] [-1] [key=value ...]
 *
 * -s  listen on an AF_UNIX SOCK_SEQPACKET socket: one frame is one packet
 * -p  make a pseudo-terminal in raw mode and let LINK point to it
 * -l  log each frame on a line: "> HEX" to the modem, "< HEX" from it
 * -r  write the report there at SIGTERM, SIGINT (and end) or SIGUSR1 (go on)
 *     SIGUSR2 makes the modem start anew, as after a crash of its own
 * -1  end when the first socket client has gone
 * It prints "ready" on stdout when clients may come.  State outlives clients.
 *
 * The report, key=value lines: opened clients pdh sessions radio fcc_locked
 * registered attached opens closes requests allocs releases notopened
 * host_errors overlapped pin_attempts bad bad_reason.  `bad' counts
 * what a host may not send, `notopened' commands to a closed function,
 * `overlapped' commands that came before the last answer was read,
 * `clients' is SVC:ID,... in hex of QMI clients still allocated.
 *
 * THE MODEM
 *	longfw=N	firmware string of N characters (long replies)
 *	hwradio=0	hardware radio switch off
 *	radio=0|1	software radio state at start (1, with fcc 0)
 *	fcc=1		FCC lock: radio on is refused with status 28, QMI 60
 *	fcc=2		the same, but MBIM says success and the radio stays off
 *	fcc=3		like 1, and what unlocks says success and does nothing;
 *			fcc=4: like 2, and the same
 *	quectel=1	has the Quectel radio state service too
 *	foxconn=1	a Foxconn, its FCC lock wants the hash; 2: firmware that
 *			takes a zero instead, 3: and tells no versions
 *	dss=1		has the service for device service streams
 *	sim=ready|absent|bad|notinit	and simdelay=MS before it is ready
 *	pin=DIGITS	PIN1 is enabled and not yet entered; puk=12345678
 *	attempts=3	tries left; then PUK1.  pin2=1: PIN2 is asked afterwards
 *	noattempts=1	nobody is told how many tries are left
 *	regdelay=MS	time to register; regwait=0: the set does not wait
 *	deny=CAUSE	registration is denied with this cause
 *	roam=1		registers as roaming; 2: with a partner
 *	operator=@FILE	provider name, raw UTF-16LE; opertext=UTF-8 text
 *	autoattach=1	packet service attaches with registration
 *	attachdelay=MS connectdelay=MS scandelay=MS
 *	attacherror=CAUSE  ATTACH fails: status 2 with a buffer, cause in it
 *	apn=NAME	other access strings fail with cause 27
 *	nwerror=CAUSE	CONNECT fails: status 2 with a buffer, cause in it
 *	iptype=N	every session gets this address family
 *	needready=1	CONNECT wants a SUBSCRIBER_READY query first (EM7455)
 *	drop=MS		the network ends a session after this time
 *	rssi=21		coded signal; wobble=MS: it changes that often
 *	ex=2|3		speaks MBIMEx unasked; mbimex=2|3: when negotiated
 *	opened=1	the function is already open
 *	session=ID	that session is active at start (radio, attached too)
 *	client=0x34	first QMI client id of a service; clients=8 at most
 *	usb=0x13	current USB composition (DMS 0x555b)
 *
 * FAULTS.  STEP is open close cmd qmi alloc release, a CID (cid12 sms2 ext15)
 * or a number: the n-th message from the host, 1 first.  `cmd' is any
 * command that is not QMI, `qmi' any QMI message but those of CTL.
 *	silent=STEP[:N]		never answered, or only not the first N times
 *	delay=MS late=STEP:MS	before every answer; before that one
 *	drip=MS			pty: a byte each MS; socket: 7 bytes a packet
 *	frag=N			fragments of N bytes at most
 *	fragswap=1 fragmiss=1	first two swapped; second missing
 *	dup=STEP		answered twice
 *	reorder=1		answers 20 ms late, behind an indication
 *	truncate=STEP:N		cut by N bytes, header unchanged
 *	short=STEP:N		cut by N bytes, lengths consistent
 *	garbage=STEP[:N]	N (40) random bytes before it; seed=N
 *	zero=STEP		an empty packet before it (socket)
 *	ind=N stale=N		N indications, N foreign answers before each
 *	quiet=1			no change of state is indicated
 *	flood=1			an indication each 2 ms, commands unanswered
 *	hangup=STEP		unplugged (and reset) instead of an answer
 *	busy=N openfail=N:STATUS	for the first N OPENs
 *	maxtransfer=N		OPEN with more: FUNCTION_ERROR 8
 *	notopened=N		N commands are answered as if not open
 *	status=STEP:N statusq=STEP:N	sets (or anything), queries fail
 *	nobuffer=STEP		success without information buffer
 *	hexreply=CID:HEX	the information buffer (12, cid12, sms2, ext15)
 *	qmierror=[SVC/]MSG:ERR	QMI message fails (CTL: 0/0x22)
 *	badqmi=1		QMI messages get MBIM status 2, no buffer
 *	rejectsub=1		SUBSCRIBE_LIST refused with status 9
 *	neverclose=1		CLOSE is never answered
 * CHANNEL (socket)
 *	What a client did not read stays for the next one, as in cdc-wdm.
 *	flush=1		it is dropped
 *	wdm=1		a message needs a notification, and those are lost
 *			when a client goes: off by one from then on
 *	behind=N	N old answers wait, and each new one pushes one out
 */

#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define LONGEST		65536
#define SESSIONS	8

enum { OPEN = 1, CLOSE, COMMAND, HOST_ERROR };	/* MBIM 1.0 §9.3 */
#define OPEN_DONE	0x80000001u		/* MBIM 1.0 §9.4 */
#define CLOSE_DONE	0x80000002u
#define COMMAND_DONE	0x80000003u
#define FUNCTION_ERROR	0x80000004u
#define INDICATE_STATUS	0x80000007u

enum protocol_error {				/* MBIM 1.0 §9.3.4 */
	TIMEOUT_FRAGMENT = 1, OUT_OF_SEQUENCE, LENGTH_MISMATCH, DUPLICATED_TID,
	NOT_OPENED, UNKNOWN, CANCEL, MAX_TRANSFER,
};

enum status {					/* MBIM 1.0 §9.4.5 */
	SUCCESS, BUSY, FAILURE, SIM_NOT_INSERTED, BAD_SIM, PIN_REQUIRED,
	PIN_DISABLED, NOT_REGISTERED, NO_DEVICE_SUPPORT = 9,
	PROVIDER_NOT_VISIBLE, DATA_CLASS_NOT_AVAILABLE, DETACHED,
	MAX_CONTEXTS, NOT_INITIALIZED, CONTEXT_NOT_ACTIVATED = 16,
	RADIO_OFF = 20, INVALID, WRITE_FAILURE = 23, NOT_ALLOWED = 28,
	BAD_INDEX = 30, CONTEXT_NOT_SUPPORTED = 38, SMS_FORMAT = 104,
};
#define PENDING		0xffffffffu	/* somebody will complete() it later */

enum { BASIC, SMS, QMI, EXT, QUECTEL, DSS, SERVICES };
enum { DEREGISTERED = 1, SEARCHING, HOME, ROAMING, PARTNER, DENIED };

static const struct { unsigned char uuid[16]; unsigned cids; }
services[SERVICES] = {			/* cids: a bit for each */
	[BASIC] = { { 0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f, 0xb6,
		0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf }, 0x1f9fffe },
	[SMS] = { { 0x53, 0x3f, 0xbe, 0xeb, 0x14, 0xfe, 0x44, 0x67, 0x9f,
		0x90, 0x33, 0xa2, 0x23, 0xe5, 0x6c, 0x3f }, 0x3e },
	[QMI] = { { 0xd1, 0xa3, 0x0b, 0xc2, 0xf9, 0x7a, 0x6e, 0x43, 0xbf,
		0x65, 0xc7, 0xe2, 0x4f, 0xb0, 0xf0, 0xd3 }, 0x2 },
	[EXT] = { { 0x3d, 0x01, 0xdc, 0xc5, 0xfe, 0xf5, 0x4d, 0x05, 0x0d,
		0x3a, 0xbe, 0xf7, 0x05, 0x8e, 0x9a, 0xaf }, 0x8040 },
	[QUECTEL] = { { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
		0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x11 }, 0x2 },
	[DSS] = { { 0xc0, 0x8a, 0x26, 0xdd, 0x77, 0x18, 0x43, 0x82, 0x84,
		0x82, 0x6e, 0x0d, 0x58, 0x3c, 0x4d, 0x0e }, 0x2 },
};

static const unsigned char internet[16] = {	/* context type */
	0x7e, 0x5e, 0x2a, 0x7e, 0x4e, 0x6f, 0x72, 0x72,
	0x73, 0x6b, 0x65, 0x6e, 0x7e, 0x5e, 0x2a, 0x7e,
};

/* ---- what is said in many places ------------------------------------- */

static const char imei[] = "013937001234564";
static const char imsi[] = "001010123456789";
static const char iccid[] = "89001000000000000010";
static const char model[] = "EM7355";
static const char revision[] = "SWI9X15C_05.05.58.00";

/* ---- numbers and text on the wire ------------------------------------ */

static unsigned get16(const unsigned char *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static unsigned get32(const unsigned char *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static void put16(unsigned char *p, unsigned v)
{
	p[0] = v & 0xff;
	p[1] = v >> 8 & 0xff;
}

static void put32(unsigned char *p, unsigned v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

/* UTF-8 here, UTF-16LE on the wire (MBIM 1.0 §10). */
static size_t to_utf16(unsigned char *to, size_t room, const char *from)
{
	const unsigned char *p = (const unsigned char *)from;
	size_t n = 0;

	while (*p && n + 4 <= room) {
		unsigned c = *p++;
		int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

		if (more)
			c &= 0x3fu >> more;
		while (more-- && *p)
			c = c << 6 | (*p++ & 0x3f);
		if (c >= 0x10000) {
			put16(to + n, 0xd7c0 + (c >> 10));
			n += 2;
			c = 0xdc00 + (c & 0x3ff);
		}
		put16(to + n, c);
		n += 2;
	}
	return n;
}

/* Text as the host sent it. */
struct wide { size_t len; unsigned char bytes[512]; };

static int same(const struct wide *w, const char *text)
{
	unsigned char bytes[512];
	size_t len = to_utf16(bytes, sizeof(bytes), text);

	return w->len == len && !memcmp(w->bytes, bytes, len);
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "modem: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "modem: fault in the modem itself: %s\n", what);
	abort();
}

/* ---- options --------------------------------------------------------- */

static struct {
	long longfw, hwradio, radio, fcc, quectel, simdelay, attempts, pin2;
	long regdelay, regwait, deny, roam, autoattach, attachdelay;
	long connectdelay, scandelay, nwerror, iptype, needready, drop;
	long rssi, wobble, ex, mbimex, opened, session, client, clients, usb;
	long delay, drip, frag, fragswap, fragmiss, reorder, seed, ind, stale;
	long flood, busy, maxtransfer, notopened, badqmi, rejectsub;
	long neverclose, flush, wdm, behind, dss, foxconn, noattempts;
	long attacherror, quiet;
	const char *sim, *pin, *puk, *apn, *opertext, *operator;
} opt = {
	.hwradio = 1, .radio = -1, .attempts = 3, .regwait = 1, .rssi = 21,
	.session = -1, .client = 0x34, .clients = 8, .usb = 0x13, .seed = 1,
	.sim = "ready", .pin = "", .puk = "12345678", .apn = "",
	.opertext = "Simulated", .operator = "",
};

#define NUMBER(name)	{ #name, &opt.name, NULL }
#define TEXT(name)	{ #name, NULL, &opt.name }
static const struct { const char *name; long *number; const char **text; }
options[] = {
	NUMBER(longfw), NUMBER(hwradio), NUMBER(radio), NUMBER(fcc),
	NUMBER(quectel), TEXT(sim), NUMBER(simdelay), TEXT(pin), TEXT(puk),
	NUMBER(attempts), NUMBER(pin2), NUMBER(regdelay), NUMBER(regwait),
	NUMBER(deny), NUMBER(roam), TEXT(operator), TEXT(opertext),
	NUMBER(autoattach), NUMBER(attachdelay), NUMBER(connectdelay),
	NUMBER(scandelay), TEXT(apn), NUMBER(nwerror), NUMBER(iptype),
	NUMBER(needready), NUMBER(drop), NUMBER(rssi), NUMBER(wobble),
	NUMBER(ex), NUMBER(mbimex), NUMBER(opened), NUMBER(session),
	NUMBER(client), NUMBER(clients), NUMBER(usb), NUMBER(delay),
	NUMBER(drip), NUMBER(frag), NUMBER(fragswap), NUMBER(fragmiss),
	NUMBER(reorder), NUMBER(seed), NUMBER(ind), NUMBER(stale),
	NUMBER(flood), NUMBER(busy), NUMBER(maxtransfer), NUMBER(notopened),
	NUMBER(badqmi), NUMBER(rejectsub), NUMBER(neverclose), NUMBER(flush),
	NUMBER(wdm), NUMBER(behind), NUMBER(dss), NUMBER(foxconn),
	NUMBER(noattempts), NUMBER(attacherror), NUMBER(quiet),
};

/* ---- requests, commands, and the faults planned for them ------------- */

struct build;
struct request;
typedef void show(struct build *);
typedef unsigned act(struct request *);		/* a status, or PENDING */

#define VARIABLE	0x1000			/* or more, for strings */
#define NONE		(-1)

/*
 * A CID: the sizes of the fixed information buffers, what may stand against
 * a query, what a set does, and the information that both answer with.
 */
struct command {
	int service;
	unsigned cid, version;			/* since which MBIMEx */
	int query;
	act *ask;
	int set;
	act *change;
	show *answer;
};

struct request {
	unsigned type, tid, number;	/* number: the n-th from the host */
	unsigned cid, set;
	int service;			/* -1: none that we have */
	unsigned char uuid[16];
	unsigned qmi_service, qmi_message;
	const unsigned char *info;	/* information buffer */
	size_t len, end;		/* end of the data that was followed */
	int wrong;
	const struct command *command;
	unsigned arg;			/* for build.arg */
};

enum step {
	AT_OPEN, AT_CLOSE, AT_CMD, AT_QMI, AT_ALLOC, AT_RELEASE,
	AT_NUMBER, AT_CID, AT_MESSAGE,
};
static const char *const step_names[] = {
	"open", "close", "cmd", "qmi", "alloc", "release",
};

enum fault {
	SILENT, LATE, DUP, TRUNCATE, SHORT, GARBAGE, ZERO, HANGUP, STATUS,
	STATUSQ, NOBUFFER, HEXREPLY, QMIERROR, OPENFAIL,
};
static const char *const fault_names[] = {
	"silent", "late", "dup", "truncate", "short", "garbage", "zero",
	"hangup", "status", "statusq", "nobuffer", "hexreply", "qmierror",
	"openfail",
};

static struct planned {
	enum fault fault;
	enum step step;
	unsigned n;			/* message number, CID, QMI message */
	int service;			/* of a CID or QMI message */
	long arg;
	const char *text;		/* what follows the colon */
} plan[64];
static unsigned plans;

static int is_ctl(const struct request *rq, unsigned message)
{
	return rq->service == QMI && rq->qmi_service == 0 &&
		rq->qmi_message == message;
}

static int meets(const struct planned *p, const struct request *rq)
{
	int is_qmi = rq->service == QMI;

	if (p->step == AT_NUMBER)
		return rq->number == p->n;
	if (rq->type != COMMAND)
		return rq->type == (p->step == AT_OPEN ? OPEN :
				    p->step == AT_CLOSE ? CLOSE : 0);
	switch (p->step) {
	case AT_CMD:
		return !is_qmi;
	case AT_QMI:
		return is_qmi && rq->qmi_service;
	case AT_ALLOC:
		return is_ctl(rq, 0x22);
	case AT_RELEASE:
		return is_ctl(rq, 0x23);
	case AT_CID:
		return rq->service == p->service && rq->cid == p->n;
	case AT_MESSAGE:		/* no service named: any but CTL */
		return is_qmi && rq->qmi_message == p->n &&
			(p->service < 0 ? rq->qmi_service != 0 :
			 rq->qmi_service == (unsigned)p->service);
	default:
		return 0;
	}
}

static struct planned *planned(enum fault fault, const struct request *rq)
{
	unsigned i;

	for (i = 0; i < plans; i++)
		if (plan[i].fault == fault && meets(&plan[i], rq))
			return &plan[i];
	return NULL;
}

static int find_name(const char *const *names, unsigned n, const char *text,
		     size_t len)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], text, len))
			return (int)i;
	return -1;
}

static int parse_step(struct planned *p, const char *text)
{
	static const char *const prefixes[] = { "cid", "sms", "ext" };
	static const int prefixed[] = { BASIC, SMS, EXT };
	int i = find_name(step_names, COUNT(step_names), text,
			  strcspn(text, ":"));
	char *end;

	if (i >= 0) {
		p->step = (enum step)i;
		return 1;
	}
	p->step = p->fault == QMIERROR ? AT_MESSAGE :
		p->fault == HEXREPLY ? AT_CID : AT_NUMBER;
	p->service = p->fault == QMIERROR ? -1 : BASIC;
	i = find_name(prefixes, COUNT(prefixes), text, 3);
	if (i >= 0) {
		p->step = AT_CID;
		p->service = prefixed[i];
		text += 3;
	}
	p->n = (unsigned)strtoul(text, &end, 0);
	if (p->step == AT_MESSAGE && *end == '/') {
		p->service = (int)p->n;
		p->n = (unsigned)strtoul(end + 1, &end, 0);
	}
	return end != text && (!*end || *end == ':');
}

static int parse_fault(const char *arg, const char *value)
{
	struct planned *p = &plan[plans];
	const char *colon = strchr(value, ':');
	int i = find_name(fault_names, COUNT(fault_names), arg,
			  (size_t)(value - arg - 1));

	if (i < 0 || plans == COUNT(plan))
		return 0;
	p->fault = (enum fault)i;
	p->text = colon ? colon + 1 : "";
	p->arg = strtol(p->text, NULL, 0);
	if (p->fault == OPENFAIL) {		/* N:STATUS */
		p->step = AT_OPEN;
		p->n = (unsigned)strtoul(value, NULL, 0);
	} else if (!parse_step(p, value)) {
		return 0;
	}
	plans++;
	return 1;
}

static int parse_option(const char *arg)
{
	size_t n = strcspn(arg, "=");
	const char *value = arg + n + 1;
	char *end;
	unsigned i;

	if (!arg[n])
		return 0;
	for (i = 0; i < COUNT(options); i++) {
		if (strlen(options[i].name) != n ||
		    memcmp(options[i].name, arg, n))
			continue;
		if (options[i].text) {
			*options[i].text = value;
			return 1;
		}
		*options[i].number = strtol(value, &end, 0);
		return *value && !*end;
	}
	return parse_fault(arg, value);
}

/* ---- state ----------------------------------------------------------- */

static struct modem {
	int opened;
	unsigned max, version;		/* control size, MBIMEx version */
	unsigned subscribed[SERVICES];	/* a bit for each CID */
	int hw, sw, fcc;		/* radio switches, FCC lock */
	unsigned sim;			/* ready state, but for PIN1 */
	int pin_enabled, pin_verified;
	unsigned pin_tries, puk_tries;
	struct wide pin;
	unsigned reg, reg_mode, nw_error;
	int attached, asked_ready;
	unsigned rssi, thresholds[3];	/* interval, RSSI, error rate */
	unsigned idle_hint, emergency;
	struct session {
		int active;
		unsigned ip_type, nw_error;
		unsigned char context[16];
		struct wide apn;
	} sessions[SESSIONS];
	unsigned char streams[256];	/* DSS: connected */
	struct { unsigned char service, id; } clients[64];
	unsigned pdh, caller;		/* the QMI data call, and its client */
	unsigned usb;
	unsigned heard;			/* messages from the host */
} m;

static struct {
	unsigned opens, closes, requests, allocs, releases, notopened;
	unsigned host_errors, overlapped, pin_attempts, bad;
	char reason[160];
} seen;

static long long now;			/* ms, set once a turn */

static void __attribute__((format(printf, 1, 2))) bad(const char *why, ...)
{
	va_list ap;

	if (seen.bad++)
		return;			/* the first reason is kept */
	va_start(ap, why);
	vsnprintf(seen.reason, sizeof(seen.reason), why, ap);
	va_end(ap);
}

/* ---- the queue of frames to the host --------------------------------- */

/*
 * Frames leave in order, but each not before its time, so that a late answer
 * lets indications pass.  `noted' means that its notification was given out:
 * with wdm or behind a frame needs one (kernel-driver.md §3).
 */
struct frame {
	size_t len;
	long long due;
	unsigned tid;			/* answered by this frame, or 0 */
	int hangup, noted, fetched;
};

static unsigned char store[1 << 20];	/* the frames' bytes, end to end */
static struct frame frames[1024];
static unsigned queued;
static size_t stored;
static unsigned notes;			/* notifications not yet used */

static struct { unsigned tid; int silent; } waiting[65];
static unsigned waits;			/* requests without an answer */

static struct frame *enqueue(const void *bytes, size_t len, long long due)
{
	struct frame *f = &frames[queued];

	if (queued == COUNT(frames) || len > sizeof(store) - stored)
		return NULL;		/* a full device forgets */
	memcpy(store + stored, bytes, len);
	memset(f, 0, sizeof(*f));
	f->len = len;
	f->due = due;
	stored += len;
	queued++;
	return f;
}

static void drop_frame(unsigned n)
{
	size_t at = 0, len = frames[n].len;
	unsigned i;

	for (i = 0; i < n; i++)
		at += frames[i].len;
	memmove(store + at, store + at + len, stored - at - len);
	memmove(&frames[n], &frames[n + 1],
		(queued - n - 1) * sizeof(frames[0]));
	stored -= len;
	queued--;
}

/* The place of a transaction among those waiting, or `waits'. */
static unsigned find_waiting(unsigned tid)
{
	unsigned i = 0;

	while (i < waits && waiting[i].tid != tid)
		i++;
	return i;
}

/* ---- building information -------------------------------------------- */

/*
 * An MBIM structure has a fixed part and then the data that its offsets
 * point to, padded to four bytes (MBIM 1.0 §10).
 */
struct build {
	unsigned char *base;
	size_t room, at, end;		/* next field; end of the data */
	unsigned arg;			/* which one: a session, a message */
};

static void add32(struct build *b, unsigned v)
{
	put32(b->base + b->at, v);
	b->at += 4;
}

/* Data go to the end; what is empty has offset 0. */
static void add_offset(struct build *b, const void *data, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	must(b->end + padded <= b->room, "room");
	add32(b, len ? (unsigned)b->end : 0);
	memset(b->base + b->end, 0, padded);
	memcpy(b->base + b->end, data, len);
	b->end += padded;
}

static void add_text(struct build *b, const char *text)
{
	static unsigned char bytes[LONGEST];
	size_t len = to_utf16(bytes, sizeof(bytes), text);

	add_offset(b, bytes, len);
	add32(b, (unsigned)len);
}

/*
 * The fixed part, and behind it room for `refs' pairs of offset and size.
 * u: 32 bits, q: 64, g: UUID, t: text, w: struct wide, d: bytes and size_t,
 * o: the same, but without the size on the wire.
 */
static void fields(struct build *b, size_t refs, const char *format, ...)
{
	size_t fixed = 8 * refs, n;
	unsigned long long q;
	const struct wide *w;
	const void *data;
	const char *f;
	va_list ap;

	for (f = format; *f; f++)
		fixed += *f == 'u' || *f == 'o' ? 4 : *f == 'g' ? 16 : 8;
	must(fixed <= b->room, "room");
	memset(b->base, 0, fixed);
	b->at = 0;
	b->end = fixed;
	va_start(ap, format);
	for (f = format; *f; f++) {
		if (*f == 'u') {
			add32(b, va_arg(ap, unsigned));
		} else if (*f == 'q') {
			q = va_arg(ap, unsigned long long);
			add32(b, (unsigned)(q & 0xffffffff));
			add32(b, (unsigned)(q >> 32));
		} else if (*f == 'g') {
			memcpy(b->base + b->at, va_arg(ap, void *), 16);
			b->at += 16;
		} else if (*f == 't') {
			add_text(b, va_arg(ap, const char *));
		} else if (*f == 'w') {
			w = va_arg(ap, const struct wide *);
			add_offset(b, w->bytes, w->len);
			add32(b, (unsigned)w->len);
		} else {
			data = va_arg(ap, const void *);
			n = va_arg(ap, size_t);
			add_offset(b, data, n);
			if (*f == 'd')
				add32(b, (unsigned)n);
		}
	}
	va_end(ap);
}

/* A structure among the data, with its own base for offsets. */
static struct build inner(struct build *b)
{
	struct build in = { b->base + b->end, b->room - b->end, 0, 0, 0 };

	return in;
}

static void add_inner(struct build *b, const struct build *in)
{
	add32(b, (unsigned)b->end);
	add32(b, (unsigned)in->end);
	b->end += in->end;
}

/* MBIMEx: type, padding, length, data; behind the fixed part. */
static void add_tlv(struct build *b, unsigned type, const void *data,
		    size_t len)
{
	size_t pad = -len & 3;
	unsigned char *p = b->base + b->end;

	must(b->end + 8 + len + pad <= b->room, "room");
	memset(p, 0, 8 + len + pad);
	put16(p, type);
	p[3] = (unsigned char)pad;
	put32(p + 4, (unsigned)len);
	memcpy(p + 8, data, len);
	b->end += 8 + len + pad;
}

static void add_text_tlv(struct build *b, const char *text)
{
	unsigned char bytes[512];

	add_tlv(b, 10, bytes, to_utf16(bytes, sizeof(bytes), text));
}

/* ---- messages to the host -------------------------------------------- */

static unsigned char reply[LONGEST];	/* the answer being made */
static unsigned char notice[LONGEST];	/* anything beside it */

static void header(unsigned char *p, unsigned type, size_t len, unsigned tid)
{
	put32(p, type);
	put32(p + 4, (unsigned)len);
	put32(p + 8, tid);
}

static size_t command_done(unsigned char *p, const struct request *rq,
			   unsigned status, size_t len)
{
	header(p, COMMAND_DONE, 48 + len, rq->tid);
	put32(p + 12, 1);
	put32(p + 16, 0);
	memcpy(p + 20, rq->uuid, 16);
	put32(p + 36, rq->cid);
	put32(p + 40, status);
	put32(p + 44, (unsigned)len);
	return 48 + len;
}

/* A message in fragments (MBIM 1.0 §9.5), the last one cut by `cut'. */
static struct frame *send_fragments(const unsigned char *p, size_t len,
				    long long due, size_t limit, size_t cut)
{
	static unsigned char part[LONGEST];
	size_t room = limit - 20, total = (len - 20 + room - 1) / room, i;
	struct frame *f = NULL;

	for (i = 0; i < total; i++) {
		size_t k = opt.fragswap && i < 2 ? 1 - i : i;
		size_t at = 20 + k * room;
		size_t n = len - at < room ? len - at : room;
		size_t off = k == total - 1 && cut < n ? cut : 0;

		if (opt.fragmiss && k == 1)
			continue;
		memcpy(part, p, 12);
		put32(part + 4, (unsigned)(20 + n));
		put32(part + 12, (unsigned)total);
		put32(part + 16, (unsigned)k);
		memcpy(part + 20, p + at, n);
		f = enqueue(part, 20 + n - off, due);
	}
	return f;
}

static void send_message(const unsigned char *p, size_t len, long long due,
			 unsigned tid, size_t cut)
{
	size_t limit = m.max ? m.max : 4096;
	struct frame *f;

	if (opt.frag > 20 && (size_t)opt.frag < limit)
		limit = (size_t)opt.frag;
	if (len <= limit)
		f = enqueue(p, cut < len ? len - cut : 0, due);
	else
		f = send_fragments(p, len, due, limit, cut);
	if (f)
		f->tid = tid;
}

static void notify(int service, unsigned cid, show *what, unsigned arg,
		   long long due)
{
	struct build b = { notice + 44, sizeof(notice) - 44, 0, 0, arg };

	what(&b);
	header(notice, INDICATE_STATUS, 44 + b.end, 0);
	put32(notice + 12, 1);
	put32(notice + 16, 0);
	memcpy(notice + 20, services[service].uuid, 16);
	put32(notice + 36, cid);
	put32(notice + 40, (unsigned)b.end);
	send_message(notice, 44 + b.end, due, 0, 0);
}

/* A state has changed: say so to a host that wants to hear it. */
static void indicate(int service, unsigned cid, show *what, unsigned arg)
{
	if (m.opened && m.subscribed[service] >> cid & 1 && !opt.quiet)
		notify(service, cid, what, arg, now);
}

/* ---- answers, and what may happen to them ---------------------------- */

static void show_signal(struct build *b)
{
	unsigned rssi = m.sw && m.hw ? m.rssi : 99;
	unsigned char cell[24] = { 1 };

	if (m.version < 2) {
		fields(b, 0, "uuuuu", rssi, 99, m.thresholds[0],
		       m.thresholds[1], m.thresholds[2]);
		return;
	}
	put32(cell + 4, 55);			/* MBIMEx 2: RSRP, SNR, */
	put32(cell + 8, 70);			/* thresholds, LTE */
	put32(cell + 16, 0xffffffff);
	put32(cell + 20, 0x20);
	fields(b, 0, "uuuuud", rssi, 99, m.thresholds[0], m.thresholds[1],
	       m.thresholds[2], cell, rssi == 99 ? (size_t)0 : sizeof(cell));
}

static const char *firmware(void)
{
	static char text[LONGEST / 3];
	long n;

	for (n = 0; n < opt.longfw && n < (long)sizeof(text) - 1; n++)
		text[n] = (char)('0' + n % 10);
	return n ? text : revision;
}

/* Embedded, GSM, no voice, removable SIM, GPRS to LTE, SMS PDUs. */
#define CAPS	1, 1, 1, 2, 0x3f, 3, 3

static void show_caps(struct build *b)
{
	/* MBIM 1.0 §10.5.1 */
	fields(b, 0, "uuuuuuuutttt", CAPS, SESSIONS, "", imei, firmware(),
	       model);
}

/* An answer to somebody else's question, whole and valid. */
static void foreign_answer(unsigned n, long long due)
{
	struct build b = { notice + 48, sizeof(notice) - 48, 0, 0, 0 };
	struct request rq = { .tid = 0x0e0e0000 + n, .cid = 1 };

	memcpy(rq.uuid, services[BASIC].uuid, 16);
	show_caps(&b);
	send_message(notice, command_done(notice, &rq, SUCCESS, b.end), due,
		     0, 0);
}

static void add_garbage(long n, long long due)
{
	static unsigned long random;
	long i;

	random = random ? random : (unsigned long)opt.seed;
	n = n > 0 && n < 4096 ? n : 40;
	for (i = 0; i < n; i++) {
		random = (random * 1103515245 + 12345) & 0x7fffffff;
		notice[i] = random >> 16 & 0xff;
	}
	enqueue(notice, (size_t)n, due);
}

/* What the plan wants to be sent in front of an answer. */
static void before_answer(const struct request *rq, long long due)
{
	const struct planned *p = planned(GARBAGE, rq);
	long i;

	if (planned(ZERO, rq))
		enqueue("", 0, due);
	if (p)
		add_garbage(p->arg, due);
	for (i = 0; i < opt.stale; i++)
		foreign_answer((unsigned)i, due);
	for (i = 0; i < opt.ind + (opt.reorder != 0); i++)
		notify(BASIC, 11, show_signal, 0, due);
}

static int is_silenced(const struct request *rq)
{
	struct planned *p = planned(SILENT, rq);

	return p && (!*p->text || p->arg-- > 0);
}

/* Every answer goes through here, with all that is planned for it. */
static void answer(const struct request *rq, unsigned char *p, size_t len)
{
	const struct planned *late = planned(LATE, rq);
	const struct planned *cut = planned(TRUNCATE, rq);
	const struct planned *less = planned(SHORT, rq);
	long long due = now + opt.delay + (late ? late->arg : 0);
	size_t off = cut ? (size_t)cut->arg : 0;

	if (planned(HANGUP, rq)) {
		struct frame *f = enqueue("", 0, due);

		if (f)
			f->hangup = 1;
		return;
	}
	if (is_silenced(rq) || (opt.neverclose && rq->type == CLOSE) ||
	    (opt.flood && rq->type == COMMAND)) {
		waiting[find_waiting(rq->tid)].silent = 1;
		return;
	}
	before_answer(rq, due);
	due += opt.reorder ? 20 : 0;
	if (less) {
		len -= (size_t)less->arg < len ? (size_t)less->arg : len;
		put32(p + 4, (unsigned)len);
		if (get32(p) == COMMAND_DONE && len >= 48)
			put32(p + 44, (unsigned)(len - 48));
	}
	if (planned(DUP, rq))
		send_message(p, len, due, 0, off);
	send_message(p, len, due, rq->tid, off);
}

/* OPEN_DONE, CLOSE_DONE, FUNCTION_ERROR: sixteen bytes all. */
static void answer_word(const struct request *rq, unsigned type, unsigned word)
{
	unsigned char p[16];

	header(p, type, 16, rq->tid);
	put32(p + 12, word);
	answer(rq, p, 16);
}

static size_t unhex(unsigned char *to, size_t room, const char *hex)
{
	size_t n = 0;
	unsigned v;

	for (; n < room && sscanf(hex, "%2x", &v) == 1; hex += 2)
		to[n++] = (unsigned char)v;
	return n;
}

/* The end of a command.  A Failure still has something to show (NwError). */
static void complete(const struct request *rq, unsigned status)
{
	const struct planned *hex = planned(HEXREPLY, rq);
	struct build b = { reply + 48, sizeof(reply) - 48, 0, 0, rq->arg };

	if (hex)
		b.end = unhex(b.base, b.room, hex->text);
	else if (rq->command && rq->command->answer && status != PENDING &&
		 (!status || (status == FAILURE && rq->service == BASIC)))
		rq->command->answer(&b);
	if (planned(NOBUFFER, rq))
		b.end = 0;
	answer(rq, reply, command_done(reply, rq, status, b.end));
}

/* ---- things that happen later ---------------------------------------- */

/* rq.type is 0 when no host waits for it. */
typedef void work(const struct request *rq);
static struct job { long long due; work *run; struct request rq; } jobs[64];
static unsigned njobs;

/* The status of a command that takes so long. */
static unsigned after(long ms, work *run, const struct request *rq)
{
	static const struct request nobody;
	struct job job = { now + ms, run, rq ? *rq : nobody };

	must(njobs < COUNT(jobs), "jobs");
	if (ms > 0)
		jobs[njobs++] = job;
	else
		run(&job.rq);
	return PENDING;
}

static void run_jobs(void)
{
	unsigned i = 0;

	while (i < njobs) {
		struct job job = jobs[i];

		if (job.due > now) {
			i++;
			continue;
		}
		jobs[i] = jobs[--njobs];
		job.run(&job.rq);
	}
}

/* OPEN and CLOSE forget what the host was waiting for. */
static void forget_answers(void)
{
	unsigned i = 0;

	while (i < njobs)
		if (jobs[i].rq.type)
			jobs[i] = jobs[--njobs];
		else
			i++;
}

/* ---- reading requests ------------------------------------------------ */

static unsigned field(const struct request *rq, size_t at)
{
	return at + 4 <= rq->len ? get32(rq->info + at) : 0;
}

static void __attribute__((format(printf, 2, 3)))
wrong(struct request *rq, const char *why, ...)
{
	char text[120];
	va_list ap;

	va_start(ap, why);
	vsnprintf(text, sizeof(text), why, ap);
	va_end(ap);
	bad("cid %u: %s", rq->cid, text);
	rq->wrong = 1;
}

/*
 * Where `size' bytes at `offset' lie, counted from a structure at `base' that
 * has `fixed' bytes before its data.
 */
static const unsigned char *follow(struct request *rq, size_t base,
				   size_t fixed, size_t offset, size_t size)
{
	if (!size || rq->wrong)
		return rq->info;
	if (offset % 4 || offset < fixed || offset > rq->len - base ||
	    size > rq->len - base - offset) {
		wrong(rq, "offset %zu, size %zu in %zu bytes", offset, size,
		      rq->len - base);
		return rq->info;
	}
	if (base + offset + size > rq->end)
		rq->end = base + offset + size;
	return rq->info + base + offset;
}

static struct wide read_text(struct request *rq, size_t base, size_t fixed,
			     size_t at)
{
	struct wide w = { .len = field(rq, base + at + 4) };
	const unsigned char *p = follow(rq, base, fixed, field(rq, base + at),
					w.len);

	if (!rq->wrong && (w.len % 2 || w.len > sizeof(w.bytes)))
		wrong(rq, "string of %zu bytes", w.len);
	if (rq->wrong)
		w.len = 0;
	memcpy(w.bytes, p, w.len);
	return w;
}

/* Where the n-th structure of an array of (offset, size) pairs lies. */
static size_t element(struct request *rq, size_t array, size_t count,
		      size_t n, size_t least)
{
	size_t at = array + 8 * n, size = field(rq, at + 4);
	const unsigned char *p = follow(rq, 0, array + 8 * count,
					field(rq, at), size);

	if (!rq->wrong && size < least)
		wrong(rq, "element of %zu bytes", size);
	return (size_t)(p - rq->info);
}

/* After all data were followed: nothing may be wrong, or left over. */
static int sound(struct request *rq)
{
	if (!rq->wrong && (((rq->end + 3) & ~(size_t)3) < rq->len ||
			   rq->len % 4))
		wrong(rq, "%zu bytes, used %zu", rq->len, rq->end);
	return !rq->wrong;
}

/* ---- Basic Connect: card and PIN ------------------------------------- */

static int pin_locked(void)
{
	return m.pin_enabled && !m.pin_verified;
}

/* What stands between the host and its card, */
static unsigned no_card(void)
{
	static const enum status missing[] = {
		NOT_INITIALIZED, SUCCESS, SIM_NOT_INSERTED, BAD_SIM
	};

	return missing[m.sim] ? missing[m.sim] :
		pin_locked() ? PIN_REQUIRED : SUCCESS;
}

/* and the network. */
static unsigned no_network(void)
{
	return no_card() ? no_card() : m.sw && m.hw ? SUCCESS : RADIO_OFF;
}

static unsigned need_card(struct request *rq)
{
	(void)rq;
	return no_card();
}

static void show_ready(struct build *b)
{
	unsigned state = m.sim == 1 && pin_locked() ? 6 : m.sim;
	unsigned numbers = state == 1;
	const char *id = state == 1 ? imsi : "";

	if (m.version >= 3)			/* 6: removable, and known */
		fields(b, numbers, "uuttuu", state, 6, id,
		       m.sim == 1 ? iccid : "", 0, numbers);
	else
		fields(b, numbers, "uttuu", state, id,
		       m.sim == 1 ? iccid : "", 0, numbers);
	if (numbers)
		add_text(b, "+15550100");
}

static unsigned ask_ready(struct request *rq)
{
	(void)rq;
	m.asked_ready = 1;
	return SUCCESS;
}

static unsigned tries_told(unsigned tries)
{
	return opt.noattempts ? 0xffffffff : tries;
}

static void show_pin(struct build *b)
{
	if (m.pin_enabled && !m.pin_tries)		/* PUK1, PIN1 */
		fields(b, 0, "uuu", 11, 1, tries_told(m.puk_tries));
	else if (pin_locked())
		fields(b, 0, "uuu", 2, 1, tries_told(m.pin_tries));
	else if (opt.pin2)		/* no obstacle, but they say it */
		fields(b, 0, "uuu", 3, 1, 3);
	else
		fields(b, 0, "uuu", 0, 0, 0xffffffff);
}

static void show_pin_list(struct build *b)
{
	/* digits, 4 to 8 */
	fields(b, 16, "uuuuuuuu", m.pin_enabled ? 1 : 2, 1, 4, 8, 1, 1, 4, 8);
}

/* ---- Basic Connect: radio and network -------------------------------- */

static const char *const networks[] = { "00101", "00102", "99999" };

static void show_radio(struct build *b)
{
	fields(b, 0, "uu", m.hw, m.sw);
}

static int registered(void)
{
	return m.reg == HOME || m.reg == ROAMING || m.reg == PARTNER;
}

/* The network's name, which may be any bytes. */
static struct wide network_name(void)
{
	struct wide w = { .len = 0 };
	FILE *f;

	if (*opt.operator != '@') {
		w.len = to_utf16(w.bytes, sizeof(w.bytes), opt.opertext);
		return w;
	}
	f = fopen(opt.operator + 1, "rb");
	if (!f)
		die(opt.operator);
	w.len = fread(w.bytes, 1, sizeof(w.bytes), f);
	fclose(f);
	return w;
}

static void show_register(struct build *b)
{
	int on = registered();
	struct wide name = network_name();

	if (!on)
		name.len = 0;
	fields(b, 0, m.version >= 2 ? "uuuuutwtuu" : "uuuuutwtu", m.nw_error,
	       m.reg, m.reg_mode, on ? 0x20 : 0, 1, on ? networks[0] : "",
	       &name, m.reg == ROAMING ? "Roaming" : "",
	       opt.autoattach ? 2 : 0, 0x3f);
}

static void show_packet(struct build *b)
{
	unsigned on = m.attached;

	/* up to LTE, 50 and 5000 Mb/s */
	fields(b, 0, m.version >= 3 ? "uuuqquuuu" : m.version == 2 ? "uuuqqu" :
	       "uuuqq", on ? 0 : (unsigned)opt.attacherror, on ? 2 : 4, on ? 0x20 : 0, on * 50000000ull,
	       on * 5000000000ull, on, 0, 0x00010001, 12345);
}

static void show_connect(struct build *b)
{
	const struct session *s = &m.sessions[b->arg];

	fields(b, 0, m.version >= 3 ? "uuuuguu" : "uuuugu", b->arg,
	       s->active ? 1 : 3, 0, s->active ? s->ip_type : 0,
	       s->active ? s->context : internet, s->nw_error, 1);
	if (m.version >= 3)
		add_tlv(b, 10, s->apn.bytes, s->apn.len);
}

static void end_session(unsigned id)
{
	if (!m.sessions[id].active)
		return;
	m.sessions[id].active = 0;
	indicate(BASIC, 12, show_connect, id);
}

static void attach(int on)
{
	unsigned id;

	for (id = 0; id < SESSIONS && !on; id++)
		end_session(id);
	if (!on)
		m.pdh = 0;
	if (m.attached == on)
		return;
	m.attached = on;
	indicate(BASIC, 10, show_packet, 0);
}

static void finish_registration(const struct request *rq)
{
	unsigned status = no_network();

	if (!status) {
		m.reg = opt.deny ? DENIED : opt.roam > 1 ? PARTNER :
			opt.roam ? ROAMING : HOME;
		m.nw_error = (unsigned)opt.deny;
		status = opt.deny ? FAILURE : SUCCESS;
		indicate(BASIC, 9, show_register, 0);
		if (opt.autoattach && registered())
			attach(1);
	}
	if (rq->type)
		complete(rq, status);
}

/* Off the network; with a ready card and a radio, look for it again. */
static unsigned search(const struct request *rq)
{
	attach(0);
	m.nw_error = 0;
	m.reg = no_network() ? DEREGISTERED : SEARCHING;
	indicate(BASIC, 9, show_register, 0);
	return after(opt.regdelay, finish_registration, rq);
}

static void switch_radio(int on)
{
	if (m.sw == on)
		return;
	m.sw = on;
	indicate(BASIC, 3, show_radio, 0);
	search(NULL);
}

static void card_ready(const struct request *rq)
{
	(void)rq;
	m.sim = 1;
	indicate(BASIC, 2, show_ready, 0);
	search(NULL);
}

static unsigned set_radio(struct request *rq)
{
	unsigned on = field(rq, 0);

	if (on > 1)
		return INVALID;
	if (on && m.fcc)			/* some lie about it */
		return opt.fcc % 2 ? NOT_ALLOWED : SUCCESS;
	switch_radio((int)on);
	return SUCCESS;
}

static unsigned check_pin(const struct wide *pin)
{
	if (m.pin_tries && m.pin.len == pin->len &&
	    !memcmp(pin->bytes, m.pin.bytes, pin->len)) {
		m.pin_tries = (unsigned)opt.attempts;
		return SUCCESS;
	}
	if (m.pin_tries && !--m.pin_tries) {
		m.pin_enabled = 1;
		m.pin_verified = 0;
		search(NULL);
	}
	return FAILURE;
}

static unsigned unblock(const struct wide *puk, const struct wide *pin)
{
	if (m.pin_tries)
		return NOT_ALLOWED;
	if (!m.puk_tries || !same(puk, opt.puk) || pin->len < 8) {
		m.puk_tries -= m.puk_tries > 0;
		return FAILURE;
	}
	m.pin = *pin;
	m.pin_tries = (unsigned)opt.attempts;
	m.puk_tries = 10;
	m.pin_verified = 1;
	return SUCCESS;
}

/* Operations: 0 enter, 1 enable, 2 disable, 3 change. */
static unsigned use_pin(unsigned operation, const struct wide *pin,
			const struct wide *new_pin)
{
	if (m.pin_enabled != (operation != 1))
		return operation == 1 ? SUCCESS : PIN_DISABLED;
	seen.pin_attempts++;
	if (check_pin(pin))
		return FAILURE;
	m.pin_verified = 1;
	if (operation == 1 || operation == 2)
		m.pin_enabled = operation == 1;
	if (operation == 3)
		m.pin = *new_pin;
	return SUCCESS;
}

static unsigned need_sim(struct request *rq)
{
	(void)rq;
	return no_card() == PIN_REQUIRED ? SUCCESS : no_card();
}

static unsigned set_pin(struct request *rq)
{
	unsigned type = field(rq, 0), operation = field(rq, 4), status;
	struct wide pin = read_text(rq, 0, 24, 8);
	struct wide new_pin = read_text(rq, 0, 24, 16);
	int locked = pin_locked();

	if (!sound(rq) || operation > 3)
		return INVALID;
	if (need_sim(rq))
		return need_sim(rq);
	if (type == 11 && operation == 0) {
		seen.pin_attempts++;
		status = unblock(&pin, &new_pin);
	} else if (type == 2) {
		status = use_pin(operation, &pin, &new_pin);
	} else {
		return NO_DEVICE_SUPPORT;
	}
	if (locked && !pin_locked()) {
		indicate(BASIC, 2, show_ready, 0);
		search(NULL);
	}
	return status;
}

static unsigned set_register(struct request *rq)
{
	struct wide id = read_text(rq, 0, 16, 0);
	unsigned action = field(rq, 8), classes = field(rq, 12), i = 0;

	if (!sound(rq) || action > 1 || (action && !id.len))
		return INVALID;
	if (no_network())
		return no_network();
	if (classes && !(classes & 0x3f))
		return DATA_CLASS_NOT_AVAILABLE;
	while (action && i < COUNT(networks) && !same(&id, networks[i]))
		i++;
	if (i == COUNT(networks))
		return PROVIDER_NOT_VISIBLE;
	m.nw_error = i ? 11 : 0;		/* PLMN not allowed */
	if (i)
		return FAILURE;
	m.reg_mode = action + 1;
	if (registered())
		return SUCCESS;
	if (opt.regwait)
		return search(rq);
	search(NULL);
	return SUCCESS;
}

static void finish_attach(const struct request *rq)
{
	unsigned status = no_network();

	if (!status && !registered())
		status = NOT_REGISTERED;
	if (!status && opt.attacherror)
		status = FAILURE;
	if (!status)
		attach(1);
	complete(rq, status);
}

static unsigned set_packet(struct request *rq)
{
	if (field(rq, 0) > 1)
		return INVALID;
	if (field(rq, 0) == 0)
		return after(opt.attachdelay, finish_attach, rq);
	attach(0);
	return no_network();
}

static unsigned set_signal(struct request *rq)
{
	unsigned i;

	for (i = 0; i < 3; i++)
		m.thresholds[i] = field(rq, 4 * i);
	return SUCCESS;
}

static void fill_provider(struct build *b, unsigned i, unsigned state)
{
	static const char *const names[] = { "", "Other", "Third" };
	struct wide name = network_name();

	if (i)
		name.len = to_utf16(name.bytes, sizeof(name.bytes), names[i]);
	fields(b, 0, "tuwuuu", networks[i], state, &name, 1, m.rssi - i, 99);
}

static void show_visible(struct build *b)
{
	unsigned i;

	fields(b, COUNT(networks), "u", (unsigned)COUNT(networks));
	for (i = 0; i < COUNT(networks); i++) {
		struct build in = inner(b);

		/* visible, and: home, registered; forbidden; nothing */
		fill_provider(&in, i, i == 1 ? 0x0a : i ? 8 :
			      registered() ? 0x19 : 9);
		add_inner(b, &in);
	}
}

static void finish_scan(const struct request *rq)
{
	complete(rq, SUCCESS);
}

static unsigned ask_visible(struct request *rq)
{
	if (field(rq, 0) > 1)
		return INVALID;
	if (!m.sw || !m.hw)
		return RADIO_OFF;
	return after(opt.scandelay, finish_scan, rq);
}

/* ---- Basic Connect: lists that the host gives and gets back ---------- */

/*
 * For these, the set and the answer have one layout, so the modem checks
 * what it gets and keeps it as it is.
 */
static struct kept { size_t len; unsigned char bytes[2048]; }
	home, preferred, multicarrier, filters[SESSIONS];

static unsigned keep(struct request *rq, struct kept *to)
{
	if (!sound(rq) || rq->len > sizeof(to->bytes))
		return INVALID;
	to->len = rq->len;
	memcpy(to->bytes, rq->info, rq->len);
	return SUCCESS;
}

static void show_kept(struct build *b, const struct kept *k)
{
	memcpy(b->base, k->bytes, k->len);
	b->end = k->len;
}

static void check_provider(struct request *rq, size_t base)
{
	read_text(rq, base, 32, 0);
	read_text(rq, base, 32, 12);
}

/* The number of structures, with room for their pairs behind it. */
static unsigned list_length(struct request *rq, size_t at)
{
	unsigned n = field(rq, at);

	if (n > 64 || at + 4 + 8 * n > rq->len) {
		wrong(rq, "%u elements in %zu bytes", n, rq->len);
		return 0;
	}
	rq->end = at + 4 + 8 * n;
	return n;
}

static unsigned set_home(struct request *rq)
{
	check_provider(rq, 0);
	return need_card(rq) ? need_card(rq) : keep(rq, &home);
}

static void show_home(struct build *b)
{
	if (home.len)
		show_kept(b, &home);
	else
		fill_provider(b, 0, 1);
}

static unsigned set_providers(struct request *rq)
{
	unsigned n = list_length(rq, 0), i;

	for (i = 0; i < n && !rq->wrong; i++)
		check_provider(rq, element(rq, 4, n, i, 32));
	return keep(rq, rq->cid == 7 ? &preferred : &multicarrier);
}

static void show_providers(struct build *b, const struct kept *k)
{
	struct build in;

	if (k->len) {
		show_kept(b, k);
		return;
	}
	fields(b, 1, "u", 1);			/* nothing was set yet */
	in = inner(b);
	fill_provider(&in, 0, k == &preferred ? 4 : 0x20);
	add_inner(b, &in);
}

static void show_preferred(struct build *b)
{
	show_providers(b, &preferred);
}

static void show_multicarrier(struct build *b)
{
	show_providers(b, &multicarrier);
}

static unsigned set_filters(struct request *rq)
{
	size_t fixed = m.version >= 3 ? 16 : 12, at;
	unsigned n = list_length(rq, 4), i;

	for (i = 0; i < n && !rq->wrong; i++) {
		at = element(rq, 8, n, i, fixed);
		follow(rq, at, fixed, field(rq, at + 4), field(rq, at));
		follow(rq, at, fixed, field(rq, at + 8), field(rq, at));
	}
	if (field(rq, 0) >= SESSIONS)
		return INVALID;
	return keep(rq, &filters[field(rq, 0)]);
}

static unsigned ask_session(struct request *rq)
{
	return field(rq, 0) < SESSIONS ? SUCCESS : INVALID;
}

static void show_filters(struct build *b)
{
	fields(b, 0, "uu", b->arg, 0);
	if (filters[b->arg].len)
		show_kept(b, &filters[b->arg]);
}

/* ---- Basic Connect: sessions ----------------------------------------- */

static void network_drops(const struct request *rq)
{
	end_session(rq->arg);
}

static unsigned may_connect(unsigned id)
{
	if (no_network())
		return no_network();
	if (!registered())
		return NOT_REGISTERED;
	if (!m.attached)
		return DETACHED;
	if (opt.needready && !m.asked_ready)
		return NOT_INITIALIZED;
	return m.sessions[id].active ? MAX_CONTEXTS : SUCCESS;
}

static void finish_connect(const struct request *rq)
{
	struct session *s = &m.sessions[rq->arg];
	struct request nobody = { .arg = rq->arg };
	unsigned status = may_connect(rq->arg);

	if (!status) {
		s->nw_error = opt.nwerror ? (unsigned)opt.nwerror :
			*opt.apn && !same(&s->apn, opt.apn) ? 27 : 0;
		s->active = !s->nw_error;
		status = s->nw_error ? FAILURE : SUCCESS;
	}
	if (!status) {
		indicate(BASIC, 12, show_connect, rq->arg);
		if (opt.drop)
			after(opt.drop, network_drops, &nobody);
	}
	complete(rq, status);
}

/* MBIMEx 3 carries the strings in TLVs behind the fixed part. */
static struct wide read_connect_tlvs(struct request *rq)
{
	struct wide apn = { .len = 0 };
	size_t at = 40, len, pad;

	for (; at + 8 <= rq->len; at += 8 + len + pad) {
		len = get32(rq->info + at + 4);
		pad = rq->info[at + 3];
		if (len > rq->len - at - 8 || pad > rq->len - at - 8 - len ||
		    (at == 40 && len > sizeof(apn.bytes))) {
			wrong(rq, "TLV of %zu bytes", len);
			return apn;
		}
		if (at == 40) {
			apn.len = len;
			memcpy(apn.bytes, rq->info + at + 8, len);
		}
	}
	rq->end = at;
	return apn;
}

static unsigned set_connect(struct request *rq)
{
	int v3 = m.version >= 3;
	unsigned id = field(rq, 0), command = field(rq, 4), status;
	struct session wanted = { .ip_type = field(rq, v3 ? 16 : 40) };

	wanted.apn = v3 ? read_connect_tlvs(rq) : read_text(rq, 0, 60, 8);
	if (!v3) {
		read_text(rq, 0, 60, 16);	/* user, password */
		read_text(rq, 0, 60, 24);
	}
	memcpy(wanted.context, rq->info + (v3 ? 20 : 44), 16);
	if (!sound(rq) || command > 1 || wanted.ip_type > 4 ||
	    field(rq, v3 ? 8 : 32) > 1 || field(rq, v3 ? 12 : 36) > 3)
		return INVALID;
	if (id >= SESSIONS)
		return MAX_CONTEXTS;
	if (!command) {
		status = m.sessions[id].active ? SUCCESS :
			CONTEXT_NOT_ACTIVATED;
		end_session(id);
		return status;
	}
	status = may_connect(id);
	if (status)
		return status;
	if (!get32(wanted.context))
		return CONTEXT_NOT_SUPPORTED;
	if (opt.iptype || !wanted.ip_type)	/* 0: the modem chooses */
		wanted.ip_type = opt.iptype ? (unsigned)opt.iptype : 1;
	m.sessions[id] = wanted;
	return after(opt.connectdelay, finish_connect, rq);
}

static unsigned ask_ip(struct request *rq)
{
	if (field(rq, 0) >= SESSIONS)
		return INVALID;
	return m.sessions[field(rq, 0)].active ? SUCCESS :
		CONTEXT_NOT_ACTIVATED;
}

static void show_ip(struct build *b)
{
	unsigned type = m.sessions[b->arg].ip_type;
	unsigned char n = (unsigned char)b->arg;
	unsigned char net4[8] = { 30, 0, 0, 0, 10, 0, n, 2 };
	unsigned char gw4[4] = { 10, 0, n, 1 };
	unsigned char dns4[8] = { 192, 0, 2, 53, 192, 0, 2, 54 };
	unsigned char net6[20] = { 64, 0, 0, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 0,
				   0, n, 0, 0, 0, 0, 0, 0, 0, 2 };
	unsigned char gw6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, n,
				  0, 0, 0, 0, 0, 0, 0, 1 };
	unsigned char dns6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
				   0, 0, 0, 0, 0, 0, 0, 53 };
	unsigned four = type != 2, six = type >= 2;

	/* flags: address, gateway, DNS, MTU */
	fields(b, 0, "uuuuouooouououu", b->arg, four * 15, six * 15,
	       four, net4, four * sizeof(net4), six, net6, six * sizeof(net6),
	       gw4, four * sizeof(gw4), gw6, six * sizeof(gw6),
	       four * 2, dns4, four * sizeof(dns4),
	       six, dns6, six * sizeof(dns6), four * 1500, six * 1480);
}

static struct context {
	unsigned id, compression, auth;
	unsigned char type[16];
	struct wide apn, user, password;
} contexts[4];

static unsigned set_context(struct request *rq)
{
	struct context c = { .id = field(rq, 0), .compression = field(rq, 44),
			     .auth = field(rq, 48) };
	unsigned i = 0;

	memcpy(c.type, rq->info + 4, 16);
	c.apn = read_text(rq, 0, 60, 20);
	c.user = read_text(rq, 0, 60, 28);
	c.password = read_text(rq, 0, 60, 36);
	read_text(rq, 0, 60, 52);		/* provider */
	if (!sound(rq) || c.compression > 1 || c.auth > 3 || !c.id)
		return INVALID;
	while (i < COUNT(contexts) && contexts[i].id && contexts[i].id != c.id)
		i++;
	if (i == COUNT(contexts))
		return WRITE_FAILURE;
	contexts[i] = c;
	return SUCCESS;
}

static void show_contexts(struct build *b)
{
	unsigned n = 0, i;

	while (n < COUNT(contexts) && contexts[n].id)
		n++;
	fields(b, n, "u", n);
	for (i = 0; i < n; i++) {
		const struct context *c = &contexts[i];
		struct build in = inner(b);

		fields(&in, 0, "ugwwwuu", c->id, c->type, &c->apn, &c->user,
		       &c->password, c->compression, c->auth);
		add_inner(b, &in);
	}
}

/* ---- Basic Connect: the rest ----------------------------------------- */

static struct kept activation;

static unsigned set_activation(struct request *rq)
{
	activation.len = rq->len < 2000 ? rq->len : 2000;
	memcpy(activation.bytes, rq->info, activation.len);
	return SUCCESS;
}

static void show_activation(struct build *b)
{
	/* no error, and an echo */
	fields(b, 0, "u", 0);
	memcpy(b->base + 4, activation.bytes, activation.len);
	b->end += activation.len;
}

static void show_statistics(struct build *b)
{
	/* one number beyond 32 bits */
	fields(b, 0, "uuqqqquu", 1, 2, 5000000000ull, 4000000ull,
	       123456789ull, 100000ull, 3, 4);
}

static unsigned set_switch(struct request *rq)
{
	if (field(rq, 0) > 1)
		return INVALID;
	*(rq->cid == 21 ? &m.idle_hint : &m.emergency) = field(rq, 0);
	return SUCCESS;
}

static void show_idle_hint(struct build *b)
{
	fields(b, 0, "u", m.idle_hint);
}

static void show_emergency(struct build *b)
{
	fields(b, 0, "u", m.emergency);
}

static int has_service(int service)
{
	return service == QUECTEL ? opt.quectel != 0 :
		service == DSS ? opt.dss != 0 : 1;
}

static int find_service(const unsigned char *uuid)
{
	int i;

	for (i = 0; i < SERVICES; i++)
		if (has_service(i) && !memcmp(services[i].uuid, uuid, 16))
			return i;
	return -1;
}

static void show_services(struct build *b)
{
	unsigned n = 0, i, cid, count;

	for (i = 0; i < SERVICES; i++)
		n += (unsigned)has_service((int)i);
	/* MBIM 1.0 §10.5.29 */
	fields(b, n, "uu", n, 0);
	for (i = 0; i < SERVICES; i++) {
		struct build in = inner(b);

		if (!has_service((int)i))
			continue;
		for (count = 0, cid = 1; cid < 32; cid++)
			count += services[i].cids >> cid & 1;
		fields(&in, 0, "guuu", services[i].uuid, 0, 0, count);
		for (cid = 1; cid < 32; cid++)
			if (services[i].cids >> cid & 1) {
				put32(in.base + in.end, cid);
				in.end += 4;
			}
		add_inner(b, &in);
	}
}

static struct kept subscription;

/* One entry of the list; no CIDs means all of them. */
static unsigned read_entry(struct request *rq, size_t at, size_t len,
			   int service)
{
	unsigned n = field(rq, at + 16), cids = n ? 0 : ~0u, i, cid;

	if (len != 20 + 4 * (size_t)n)
		wrong(rq, "%u CIDs in %zu bytes", n, len);
	for (i = 0; i < n && !rq->wrong; i++) {
		cid = field(rq, at + 20 + 4 * i);
		cids |= cid < 32 ? 1u << cid : 0;
	}
	return service < 0 ? 0 : cids;
}

static unsigned subscribe(struct request *rq)
{
	unsigned wanted[SERVICES + 1] = { 0 }, n = list_length(rq, 0), i;

	if (opt.rejectsub)
		return NO_DEVICE_SUPPORT;
	for (i = 0; i < n && !rq->wrong; i++) {
		size_t at = element(rq, 4, n, i, 20);
		int service = rq->wrong ? -1 : find_service(rq->info + at);

		wanted[service + 1] |= read_entry(rq, at, field(rq, 8 + 8 * i),
						  service);
	}
	if (keep(rq, &subscription))
		return INVALID;
	memcpy(m.subscribed, wanted + 1, sizeof(m.subscribed));
	return SUCCESS;
}

static void show_subscription(struct build *b)
{
	/* what is in force now */
	show_kept(b, &subscription);
}

/* ---- SMS ------------------------------------------------------------- */

/* Status: 0 new, 1 old, 2 draft, 3 sent; len 0 is an empty place. */
static struct { unsigned status; size_t len; unsigned char pdu[256]; }
	messages[8];
static unsigned reference;		/* of the last message sent */
static struct wide center;

static void add_message(unsigned n, unsigned status, const char *hex)
{
	messages[n].status = status;
	messages[n].len = unhex(messages[n].pdu, sizeof(messages[n].pdu), hex);
}

/* Whether message n is meant: all, by index, new, old, sent, drafts. */
static unsigned selected(unsigned n, unsigned flag, unsigned index)
{
	static const unsigned status[] = { 0, 0, 0, 1, 3, 2 };

	return messages[n].len && flag < COUNT(status) &&
		(flag == 0 || (flag == 1 ? n + 1 == index :
			       messages[n].status == status[flag]));
}

static unsigned count_selected(unsigned flag, unsigned index)
{
	unsigned n = 0, i;

	for (i = 0; i < COUNT(messages); i++)
		n += selected(i, flag, index);
	return n;
}

static unsigned set_sms(struct request *rq)
{
	struct wide w = read_text(rq, 0, 12, 4);

	if (!sound(rq))
		return INVALID;
	if (field(rq, 0))
		return SMS_FORMAT;
	if (w.len)
		center = w;
	return no_card();
}

static void show_sms(struct build *b)
{
	/* initialized, PDU */
	fields(b, 0, "uuuuw", 1, 0, (unsigned)COUNT(messages), 0, &center);
}

static unsigned check_selection(unsigned flag, unsigned index)
{
	if (flag > 5)
		return INVALID;
	if (flag == 1 && !count_selected(flag, index))
		return BAD_INDEX;
	return no_card();
}

static unsigned read_messages(struct request *rq)
{
	rq->arg = field(rq, 4) << 16 | (field(rq, 8) & 0xffff);
	if (field(rq, 0))
		return SMS_FORMAT;
	return check_selection(field(rq, 4), field(rq, 8));
}

static void show_messages(struct build *b)
{
	unsigned flag = b->arg >> 16, index = b->arg & 0xffff;
	unsigned n = count_selected(flag, index), i;

	fields(b, n, "uu", 0, n);
	for (i = 0; i < COUNT(messages); i++) {
		struct build in = inner(b);

		if (!selected(i, flag, index))
			continue;
		fields(&in, 0, "uud", i + 1, messages[i].status,
		       messages[i].pdu, messages[i].len);
		add_inner(b, &in);
	}
	for (i = 0; i < COUNT(messages); i++)	/* new, then read */
		if (selected(i, flag, index) &&
		    messages[i].status == 0)
			messages[i].status = 1;
}

static unsigned send_message_pdu(struct request *rq)
{
	/* the record is a structure of its own, behind the format */
	follow(rq, 4, 8, field(rq, 4), field(rq, 8));
	if (field(rq, 0))
		return SMS_FORMAT;
	if (!sound(rq) || !field(rq, 8))
		return INVALID;
	if (no_network())
		return no_network();
	if (!registered())
		return NOT_REGISTERED;
	reference++;
	return SUCCESS;
}

static void show_reference(struct build *b)
{
	fields(b, 0, "u", reference);
}

static unsigned delete_messages(struct request *rq)
{
	unsigned flag = field(rq, 0), index = field(rq, 4), i;
	unsigned status = check_selection(flag, index);

	for (i = 0; i < COUNT(messages) && !status; i++)
		if (selected(i, flag, index))
			messages[i].len = 0;
	return status;
}

static void show_store(struct build *b)
{
	/* new message: the first */
	fields(b, 0, "uu", 2, 1);
}

/* ---- Microsoft's extensions, Quectel's switch ------------------------ */

static void show_caps_ext(struct build *b)
{
	fields(b, 0, "uuuuuuuuttttu", CAPS, SESSIONS, "", imei, firmware(),
	       model, 0);
}

static void show_caps_v3(struct build *b)
{
	static const unsigned char bands[] = { 1, 0, 3, 0, 7, 0, 20, 0 };

	fields(b, 0, "uuuuuuuquuu", CAPS, 0ull, SESSIONS, 0, 0);
	add_tlv(b, 11, bands, sizeof(bands));	/* LTE; no NR */
	add_tlv(b, 11, bands, 0);
	add_text_tlv(b, "");
	add_text_tlv(b, imei);
	add_text_tlv(b, revision);
	add_text_tlv(b, model);
}

/* Both sides name what they have; the lower MBIMEx version counts. */
static unsigned ask_version(struct request *rq)
{
	unsigned asked = get16(rq->info + 2) >> 8;

	if (opt.mbimex > 1)
		m.version = asked < 1 ? 1 : asked < (unsigned)opt.mbimex ?
			asked : (unsigned)opt.mbimex;
	return SUCCESS;
}

static void show_version(struct build *b)
{
	/* 1.0, and BCD too */
	fields(b, 0, "u", 0x0100 | m.version << 24);
}

static unsigned set_quectel(struct request *rq)
{
	if (field(rq, 0) > 1)
		return INVALID;
	m.fcc = m.fcc && (!field(rq, 0) || opt.fcc > 2);	/* on unlocks */
	if (!m.fcc || !field(rq, 0))
		switch_radio((int)field(rq, 0));
	return SUCCESS;
}

static void show_quectel(struct build *b)
{
	fields(b, 0, "u", m.fcc ? 4 : m.sw);
}

/* ---- QMI over MBIM --------------------------------------------------- */

enum qmi_error {
	QMI_IDS_EXHAUSTED = 5, QMI_BAD_CLIENT = 7, QMI_BAD_HANDLE = 9,
	QMI_CALL_FAILED = 14, QMI_OUT_OF_CALL = 15, QMI_MISSING = 17,
	QMI_NO_EFFECT = 26, QMI_BAD_SERVICE = 31, QMI_INVALID = 48,
	QMI_TRANSITION = 60, QMI_BAD_COMMAND = 71, QMI_NO_INFORMATION = 74,
};

enum { CTL, WDS, DMS, NAS, WMS = 5, UIM = 0x0b, WDA = 0x1a };

struct qmi {
	unsigned service, client, message;
	const unsigned char *tlvs;	/* of the request */
	size_t len;
	unsigned char *out;		/* TLVs of the answer */
	size_t n;
};

/* 1, 2, 4: so many bytes; s: text; p: text behind its length */
static void tlv(struct qmi *q, unsigned type, const char *format, ...)
{
	size_t start = q->n, bytes;
	const char *text;
	unsigned v;
	va_list ap;

	q->n += 3;
	va_start(ap, format);
	for (; *format; format++) {
		if (*format == 's' || *format == 'p') {
			text = va_arg(ap, const char *);
			bytes = strlen(text) & 0xff;
			if (*format == 'p')
				q->out[q->n++] = (unsigned char)bytes;
			memcpy(q->out + q->n, text, bytes);
			q->n += bytes;
			continue;
		}
		v = va_arg(ap, unsigned);
		for (bytes = (size_t)(*format - '0'); bytes; bytes--) {
			q->out[q->n++] = v & 0xff;
			v >>= 8;
		}
	}
	va_end(ap);
	q->out[start] = (unsigned char)type;
	put16(q->out + start + 1, (unsigned)(q->n - start - 3));
}

/* The value of a TLV in the request, at least so long; or NULL. */
static const unsigned char *find_tlv(const struct qmi *q, unsigned type,
				     size_t least)
{
	size_t at = 0, len;

	for (; at + 3 <= q->len; at += 3 + len) {
		len = get16(q->tlvs + at + 1);
		if (q->tlvs[at] == type)
			return len >= least ? q->tlvs + at + 3 : NULL;
	}
	return NULL;
}

static unsigned find_client(unsigned service, unsigned id)
{
	unsigned i;

	for (i = 0; i < COUNT(m.clients); i++)
		if (m.clients[i].id == id && m.clients[i].service == service)
			break;
	return i;
}

static unsigned ctl_versions(struct qmi *q)
{
	tlv(q, 0x01, "1122122122122122122122", 7, CTL, 1, 5, WDS, 1, 36,
	    DMS, 1, 14, NAS, 1, 25, WMS, 1, 10, UIM, 1, 11, WDA, 1, 5);
	return 0;
}

static unsigned ctl_allocate(struct qmi *q)
{
	const unsigned char *p = find_tlv(q, 0x01, 1);
	unsigned id = (unsigned)opt.client, i = find_client(0, 0);

	if (!p)
		return QMI_MISSING;
	if (!memchr("\1\2\3\5\x0b\x1a", *p, 6))
		return QMI_BAD_SERVICE;
	while (find_client(*p, id) < COUNT(m.clients))
		id++;
	if (id >= (unsigned)(opt.client + opt.clients) || id > 0xfe ||
	    i == COUNT(m.clients))
		return QMI_IDS_EXHAUSTED;
	m.clients[i].service = *p;
	m.clients[i].id = (unsigned char)id;
	seen.allocs++;
	tlv(q, 0x01, "11", *p, id);
	return 0;
}

static unsigned ctl_release(struct qmi *q)
{
	const unsigned char *p = find_tlv(q, 0x01, 2);
	unsigned i;

	if (!p)
		return QMI_MISSING;
	i = p[1] ? find_client(p[0], p[1]) : COUNT(m.clients);
	if (i == COUNT(m.clients))
		return QMI_BAD_CLIENT;
	memset(&m.clients[i], 0, sizeof(m.clients[i]));
	if (p[0] == WDS && p[1] == m.caller)
		m.pdh = 0;			/* the call goes with it */
	seen.releases++;
	tlv(q, 0x01, "11", p[0], p[1]);
	return 0;
}

static unsigned ctl_sync(struct qmi *q)
{
	(void)q;
	memset(m.clients, 0, sizeof(m.clients));
	m.pdh = 0;
	return 0;
}

static unsigned dms_capabilities(struct qmi *q)
{
	/* rates, packet service, SIM; GSM, UMTS, LTE */
	tlv(q, 0x01, "44111111", 50000000, 100000000, 2, 2, 3, 4, 5, 8);
	return 0;
}

static unsigned dms_strings(struct qmi *q)
{
	tlv(q, 0x01, "s", q->message == 0x21 ?
	    "Sierra Wireless, Incorporated" : q->message == 0x22 ? model :
	    q->message == 0x23 ? "SWI9X15C_05.05.58.00 r27044" :
	    q->message == 0x24 ? "15550100" : "1.0");
	return 0;
}

static const char foxconn_imei[] = "353082110000000";	/* fcc-unlock.md, M2 */

static unsigned dms_ids(struct qmi *q)
{
	tlv(q, 0x10, "s", "0");
	tlv(q, 0x11, "s", opt.foxconn ? foxconn_imei : imei);
	tlv(q, 0x12, "s", "01393700123456");
	return 0;
}

static unsigned dms_get_mode(struct qmi *q)
{
	tlv(q, 0x01, "1", !m.sw);		/* online, low power */
	tlv(q, 0x11, "1", !m.hw);
	return 0;
}

static unsigned dms_set_mode(struct qmi *q)
{
	const unsigned char *p = find_tlv(q, 0x01, 1);

	if (!p)
		return QMI_MISSING;
	if (*p > 7)
		return QMI_INVALID;
	if (*p == 0 && m.fcc)
		return QMI_TRANSITION;
	switch_radio(*p == 0);
	return 0;
}

static unsigned unlocked(void)
{
	m.fcc = m.fcc && opt.fcc > 2;		/* the radio stays off */
	return 0;
}

static unsigned dms_fcc(struct qmi *q)
{
	(void)q;
	return opt.foxconn ? QMI_BAD_COMMAND : unlocked();
}

/* What M2 begins with; the last two fields of the firmware's do not count. */
static unsigned dms_foxconn_version(struct qmi *q)
{
	const unsigned char *p = find_tlv(q, 0x01, 1);

	if (!opt.foxconn || opt.foxconn == 3)
		return QMI_BAD_COMMAND;
	if (!p)
		return QMI_MISSING;
	if (*p > 2)
		return QMI_INVALID;
	tlv(q, 0x01, "s", *p == 0 ? "F0.1.0.0.9.GC.1.2" :
	    *p == 1 ? "F0.1.0.0.9.GC.1.2.004" : "004");
	return 0;
}

/* M2 and M3 are one message; what is in it tells them apart. */
static unsigned dms_foxconn_fcc(struct qmi *q)
{
	static const char magic[] = "salte8f36c23b670cc93a7f5d56ef87271dc";
	const unsigned char *p = find_tlv(q, 0x01, opt.foxconn == 1 ? 36 : 1);
	const unsigned char *number = find_tlv(q, 0x02, 1);

	if (!opt.foxconn)
		return QMI_BAD_COMMAND;
	if (!p)
		return QMI_MISSING;
	if (opt.foxconn == 1 ? q->len != 43 || memcmp(p, magic, 36) ||
	    !number || *number != 48 : q->len != 4 || *p || number)
		return QMI_INVALID;
	return unlocked();
}

static const char compositions[] =		/* golden-vectors.md, V6 */
	"\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26";

static unsigned dms_usb(struct qmi *q)
{
	tlv(q, 0x10, "1", m.usb);
	tlv(q, 0x11, "p", compositions);
	return 0;
}

static unsigned dms_set_usb(struct qmi *q)
{
	const unsigned char *p = find_tlv(q, 0x01, 1);

	if (!p)
		return QMI_MISSING;
	if (!*p || !strchr(compositions, *p))
		return QMI_INVALID;
	m.usb = *p;
	return 0;
}

static unsigned nas_serving_system(struct qmi *q)
{
	int on = registered();

	/* state, CS, PS, 3GPP, one radio: LTE */
	tlv(q, 0x01, "111111", on ? 1 : m.reg == SEARCHING ? 2 :
	    m.reg == DENIED ? 3 : 0, on ? 1 : 2, m.attached ? 1 : 2,
	    on ? 2 : 0, 1, on ? 8 : 0);
	if (!on)
		return 0;
	tlv(q, 0x10, "1", m.reg == HOME);	/* 0: roaming */
	tlv(q, 0x12, "22p", 1, 1, opt.opertext);
	tlv(q, 0x1c, "2", 0xfffe);		/* LAC, cell, TAC */
	tlv(q, 0x1d, "4", 0x01a2b3c4);
	tlv(q, 0x24, "2", 12345);
	return 0;
}

static unsigned nas_home_network(struct qmi *q)
{
	tlv(q, 0x01, "22p", 1, 1, opt.opertext);
	tlv(q, 0x12, "11", 1, 0);
	return 0;
}

static unsigned nas_signal(struct qmi *q)
{
	if (!registered())
		return QMI_NO_INFORMATION;
	/* LTE: RSSI, RSRQ, RSRP, SNR in tenths */
	tlv(q, 0x14, "1122", 2 * m.rssi - 113, -9, -101, 132);
	return 0;
}

static unsigned uim_card_status(struct qmi *q)
{
	int there = m.sim == 1, blocked = m.pin_enabled && !m.pin_tries;
	unsigned pin1 = blocked ? 4 : !m.pin_enabled ? 3 : pin_locked() ? 1 : 2;
	unsigned app = blocked ? 3 : pin_locked() ? 2 : 7;

	/*
	 * Four indices, one card with its UPIN, one application: USIM, state,
	 * personalization (4), id, PIN1 (4), PIN2 (3).
	 */
	tlv(q, 0x10, there ? "22221111111111111p1111111" : "22221111111",
	    there ? 0 : 0xffff, 0xffff, 0xffff, 0xffff, 1,
	    there ? 1 : m.sim == 3 ? 2 : 0, 0, 3, 10, 0, there, 2, app, 2, 11,
	    0, 0, "\xa0\1\1\1\x87\x10\2", 0, pin1, m.pin_tries, m.puk_tries,
	    1, 3, 10);
	return 0;
}

static unsigned wds_start(struct qmi *q)
{
	if (m.pdh)
		return QMI_NO_EFFECT;
	if (opt.nwerror) {			/* 6: as 3GPP counts */
		tlv(q, 0x10, "2", 1);
		tlv(q, 0x11, "22", 6, (unsigned)opt.nwerror);
		return QMI_CALL_FAILED;
	}
	if (no_network() || !registered()) {
		tlv(q, 0x10, "2", 3);		/* no service */
		return QMI_CALL_FAILED;
	}
	attach(1);
	m.pdh = 0xe1a2b3c4;
	m.caller = q->client;
	tlv(q, 0x01, "4", m.pdh);
	return 0;
}

static unsigned wds_stop(struct qmi *q)
{
	const unsigned char *p = find_tlv(q, 0x01, 4);

	if (!p)
		return QMI_MISSING;
	if (!m.pdh || q->client != m.caller)
		return QMI_NO_EFFECT;
	if (get32(p) != m.pdh && get32(p) != 0xffffffff)
		return QMI_BAD_HANDLE;
	m.pdh = 0;
	return 0;
}

static unsigned wds_status(struct qmi *q)
{
	tlv(q, 0x01, "1", m.pdh ? 2 : 1);
	return 0;
}

static unsigned wds_settings(struct qmi *q)
{
	if (!m.pdh)
		return QMI_OUT_OF_CALL;
	tlv(q, 0x15, "4", 0xc0000235);		/* 192.0.2.53, .54 */
	tlv(q, 0x16, "4", 0xc0000236);
	tlv(q, 0x1e, "4", 0x0a000002);		/* 10.0.0.2/30 */
	tlv(q, 0x20, "4", 0x0a000001);
	tlv(q, 0x21, "4", 0xfffffffc);
	tlv(q, 0x29, "4", 1500);
	tlv(q, 0x2b, "1", 4);
	return 0;
}

static const struct {
	unsigned service, message;
	unsigned (*run)(struct qmi *);
} qmi_messages[] = {
	{ CTL, 0x21, ctl_versions }, { CTL, 0x22, ctl_allocate },
	{ CTL, 0x23, ctl_release }, { CTL, 0x27, ctl_sync },
	{ WDS, 0x20, wds_start }, { WDS, 0x21, wds_stop },
	{ WDS, 0x22, wds_status }, { WDS, 0x2d, wds_settings },
	{ DMS, 0x20, dms_capabilities }, { DMS, 0x21, dms_strings },
	{ DMS, 0x22, dms_strings }, { DMS, 0x23, dms_strings },
	{ DMS, 0x24, dms_strings }, { DMS, 0x25, dms_ids },
	{ DMS, 0x2c, dms_strings }, { DMS, 0x2d, dms_get_mode },
	{ DMS, 0x2e, dms_set_mode }, { DMS, 0x555b, dms_usb },
	{ DMS, 0x555c, dms_set_usb }, { DMS, 0x555f, dms_fcc },
	{ DMS, 0x555e, dms_foxconn_version }, { DMS, 0x5571, dms_foxconn_fcc },
	{ NAS, 0x24, nas_serving_system }, { NAS, 0x25, nas_home_network },
	{ NAS, 0x4f, nas_signal }, { UIM, 0x2f, uim_card_status },
};

/* The frame must be just what its lengths say: QMUX, SDU, TLVs. */
static int qmi_sound(const struct request *rq, size_t head)
{
	const unsigned char *p = rq->info;
	size_t at = head;

	if (rq->len < head || p[0] != 1 || get16(p + 1) + 1u != rq->len) {
		bad("QMUX length %u in %zu bytes",
		    rq->len >= 3 ? get16(p + 1) : 0, rq->len);
		return 0;
	}
	if (p[3] || p[6] || (head == 12 ? !p[7] : !get16(p + 7)) ||
	    get16(p + head - 2) != rq->len - head) {
		bad("QMI flags, transaction or length");
		return 0;
	}
	while (at + 3 <= rq->len && get16(p + at + 1) <= rq->len - at - 3)
		at += 3 + get16(p + at + 1);
	if (at != rq->len)
		bad("QMI TLVs end at %zu of %zu", at, rq->len);
	return at == rq->len;
}

static unsigned run_qmi(const struct request *rq, struct qmi *q)
{
	const struct planned *p = planned(QMIERROR, rq);
	unsigned i;

	if (p)
		return (unsigned)p->arg;
	for (i = 0; i < COUNT(qmi_messages); i++)
		if (qmi_messages[i].service == q->service &&
		    qmi_messages[i].message == q->message)
			return qmi_messages[i].run(q);
	return QMI_BAD_COMMAND;
}

static struct kept qmux;			/* the frame to answer with */

static void show_qmux(struct build *b)
{
	show_kept(b, &qmux);
}

/*
 * The information buffer is one QMUX frame, exactly.  A frame that is not,
 * and a client that was not allocated, an EM7355 answers with MBIM status 2
 * and no frame (golden-vectors.md, A1 and A2).  The head is QMUX (6), flags,
 * transaction (1 byte for CTL, else 2), message, length.
 */
static unsigned take_qmi(struct request *rq)
{
	const unsigned char *p = rq->info;
	size_t head = rq->qmi_service ? 13 : 12;
	unsigned char *out = qmux.bytes;
	struct qmi q = { .service = rq->qmi_service,
			 .message = rq->qmi_message, .out = out + head + 7 };
	unsigned error;

	if (!qmi_sound(rq, head) || (q.service && opt.badqmi))
		return FAILURE;
	q.client = p[5];
	q.tlvs = p + head;
	q.len = rq->len - head;
	if (q.service && (!q.client || find_client(q.service, q.client) ==
			  COUNT(m.clients))) {
		bad("QMI client %02x:%02x is not allocated", q.service,
		    q.client);
		return FAILURE;
	}
	error = run_qmi(rq, &q);
	qmux.len = head + 7 + q.n;
	memcpy(out, p, head);
	put16(out + 1, (unsigned)qmux.len - 1);
	out[3] = 0x80;				/* from the service */
	out[6] = q.service ? 2 : 1;		/* a response */
	put16(out + head - 2, (unsigned)(7 + q.n));
	out[head] = 2;				/* the result comes first */
	put16(out + head + 1, 4);
	put16(out + head + 3, error != 0);
	put16(out + head + 5, error);
	return SUCCESS;
}

/* ---- device service streams: DSS_CONNECT ----------------------------- */

static unsigned set_stream(struct request *rq)
{
	unsigned id = field(rq, 16), state = field(rq, 20);

	if (id > 255 || state > 1)
		return INVALID;
	m.streams[id] = (unsigned char)state;
	return SUCCESS;
}

/* ---- the commands ---------------------------------------------------- */

static const struct command commands[] = {
{ BASIC,  1, 1,   0, NULL,         NONE, NULL,                    show_caps },
{ BASIC,  2, 1,   0, ask_ready,    NONE, NULL,                    show_ready },
{ BASIC,  3, 1,   0, NULL,         4, set_radio,                  show_radio },
{ BASIC,  4, 1,   0, need_sim,     24 | VARIABLE, set_pin,        show_pin },
{ BASIC,  5, 1,   0, need_sim,     NONE, NULL,                    show_pin_list },
{ BASIC,  6, 1,   0, need_card,    32 | VARIABLE, set_home,       show_home },
{ BASIC,  7, 1,   0, need_card,    4 | VARIABLE, set_providers,   show_preferred },
{ BASIC,  8, 1,   4, ask_visible,  NONE, NULL,                    show_visible },
{ BASIC,  9, 1,   0, NULL,         16 | VARIABLE, set_register,   show_register },
{ BASIC, 10, 1,   0, NULL,         4, set_packet,                 show_packet },
{ BASIC, 11, 1,   0, NULL,         12, set_signal,                show_signal },
{ BASIC, 12, 1,  36, ask_session,  60 | VARIABLE, set_connect,    show_connect },
{ BASIC, 12, 3,   4, ask_session,  40 | VARIABLE, set_connect,    show_connect },
{ BASIC, 13, 1,   0, need_card,    60 | VARIABLE, set_context,    show_contexts },
{ BASIC, 14, 1, NONE, NULL,        0 | VARIABLE, set_activation,  show_activation },
{ BASIC, 15, 1,  60, ask_ip,       NONE, NULL,                    show_ip },
{ BASIC, 16, 1,   0, NULL,         NONE, NULL,                    show_services },
{ BASIC, 19, 1, NONE, NULL,        4 | VARIABLE, subscribe,       show_subscription },
{ BASIC, 20, 1,   0, NULL,         NONE, NULL,                    show_statistics },
{ BASIC, 21, 1,   0, NULL,         4, set_switch,                 show_idle_hint },
{ BASIC, 22, 1,   0, NULL,         4, set_switch,                 show_emergency },
{ BASIC, 23, 1,   8, ask_session,  8 | VARIABLE, set_filters,     show_filters },
{ BASIC, 24, 1,   0, NULL,         4 | VARIABLE, set_providers,   show_multicarrier },
{ SMS,    1, 1,   0, need_card,    12 | VARIABLE, set_sms,        show_sms },
{ SMS,    2, 1,  12, read_messages, NONE, NULL,                   show_messages },
{ SMS,    3, 1, NONE, NULL,        12 | VARIABLE, send_message_pdu, show_reference },
{ SMS,    4, 1, NONE, NULL,        8, delete_messages,            NULL },
{ SMS,    5, 1,   0, need_card,    NONE, NULL,                    show_store },
{ QMI,    1, 1, NONE, NULL,        0 | VARIABLE,  take_qmi,       show_qmux },
{ EXT,    6, 1,   0, NULL,         NONE, NULL,                    show_caps_ext },
{ EXT,    6, 3,   0, NULL,         NONE, NULL,                    show_caps_v3 },
{ EXT,   15, 1,   4, ask_version,  NONE, NULL,                    show_version },
{ QUECTEL, 1, 1,  0, NULL,         4, set_quectel,                show_quectel },
{ DSS,    1, 1, NONE, NULL,        24, set_stream,                NULL },
};

static const struct command *find_command(const struct request *rq)
{
	const struct command *found = NULL;
	unsigned i;

	for (i = 0; i < COUNT(commands); i++)
		if (commands[i].service == rq->service &&
		    commands[i].cid == rq->cid &&
		    commands[i].version <= m.version)
			found = &commands[i];
	return found;
}

/* The status that the plan wants; plain STATUS is for sets, or a step. */
static unsigned planned_status(const struct request *rq)
{
	const struct planned *p = rq->set ? NULL : planned(STATUSQ, rq);

	if (p)
		return (unsigned)p->arg;
	p = planned(STATUS, rq);
	return p && (rq->set || (p->step != AT_CID && p->step != AT_CMD)) ?
		(unsigned)p->arg : SUCCESS;
}

static unsigned run_command(struct request *rq)
{
	const struct command *c = find_command(rq);
	int size = !c ? NONE : rq->set ? c->set : c->query;
	size_t least = (size_t)(size & ~VARIABLE);
	act *run = !c ? NULL : rq->set ? c->change : c->ask;

	if (rq->set > 1) {
		wrong(rq, "command type %u", rq->set);
		return INVALID;
	}
	if (planned_status(rq))
		return planned_status(rq);
	if (size == NONE)
		return NO_DEVICE_SUPPORT;
	if (size & VARIABLE ? rq->len < least : rq->len != least) {
		wrong(rq, "%s of %zu bytes, not %zu", rq->set ? "set" :
		      "query", rq->len, least);
		return INVALID;
	}
	rq->command = c;
	rq->arg = field(rq, 0);			/* often a session id */
	rq->end = least;
	return run ? run(rq) : SUCCESS;
}

/* ---- opening and closing --------------------------------------------- */

static void reset_function(void)
{
	unsigned id;

	for (id = 0; id < SESSIONS; id++)	/* both end IP sessions */
		m.sessions[id].active = 0;
	memset(m.streams, 0, sizeof(m.streams));
	memset(m.clients, 0, sizeof(m.clients));
	memset(m.subscribed, 0, sizeof(m.subscribed));
	m.subscribed[BASIC] = ~0u;		/* until the host says else */
	m.pdh = 0;
	m.asked_ready = 0;
	m.version = opt.ex > 1 ? (unsigned)opt.ex : 1;
	m.opened = 0;
	forget_answers();
}

static unsigned open_status(const struct request *rq)
{
	const struct planned *p = planned(OPENFAIL, rq);

	if (p && seen.opens <= p->n)
		return (unsigned)p->arg;
	if (opt.busy > 0 && seen.opens <= (unsigned)opt.busy)
		return BUSY;
	p = planned(STATUS, rq);
	return p ? (unsigned)p->arg : SUCCESS;
}

/* MBIM 1.0 §9.3.1, §9.3.2: both start from nothing. */
static void take_open(const struct request *rq, unsigned max)
{
	unsigned status;

	seen.opens++;
	status = open_status(rq);
	if (max < 64) {
		bad("MaxControlTransfer %u", max);
		status = INVALID;
	}
	reset_function();
	if (opt.maxtransfer && max > (unsigned)opt.maxtransfer) {
		answer_word(rq, FUNCTION_ERROR, MAX_TRANSFER);
		return;
	}
	m.opened = !status;
	m.max = m.opened ? max : 0;
	answer_word(rq, OPEN_DONE, status);
}

static void take_close(const struct request *rq)
{
	const struct planned *p = planned(STATUS, rq);
	int opened = m.opened;

	seen.closes++;
	reset_function();
	/* a D-Link that never opened said Failure here */
	answer_word(rq, CLOSE_DONE, p ? (unsigned)p->arg :
		    opened ? SUCCESS : FAILURE);
}

/* ---- from the host: framing ------------------------------------------ */

static struct {
	unsigned char bytes[LONGEST];
	size_t len;
	unsigned tid, total, next;	/* total: 0 when nothing is begun */
	long long since;
} joined;

static void refuse(const struct request *rq, enum protocol_error code,
		   const char *why)
{
	bad("%s", why);
	joined.total = 0;
	answer_word(rq, FUNCTION_ERROR, code);
}

static void wait_for(unsigned tid)
{
	unsigned i = 0;

	while (i < waits && waiting[i].silent)
		i++;
	seen.overlapped += i < waits;
	waiting[waits].tid = tid;
	waiting[waits].silent = 0;
	waits += waits < COUNT(waiting) - 1;
}

/* A whole command is in joined.bytes (MBIM 1.0 §9.3.3). */
static void take_command(struct request *rq)
{
	const unsigned char *p = joined.bytes;
	unsigned status;

	if (joined.len < 48 || get32(p + 44) != joined.len - 48) {
		refuse(rq, LENGTH_MISMATCH, "InformationBufferLength");
		return;
	}
	memcpy(rq->uuid, p + 20, 16);
	rq->service = find_service(rq->uuid);
	rq->cid = get32(p + 36);
	rq->set = get32(p + 40);
	rq->info = p + 48;
	rq->len = joined.len - 48;
	if (rq->service == QMI && rq->len >= 13) {
		rq->qmi_service = rq->info[4];
		rq->qmi_message = get16(rq->info + (rq->info[4] ? 9 : 8));
	} else if (rq->service == QMI && rq->len >= 12) {
		rq->qmi_message = get16(rq->info + 8);
	}
	seen.requests++;
	wait_for(rq->tid);
	if (!m.opened || opt.notopened > 0) {
		opt.notopened -= m.opened;
		m.opened = 0;
		seen.notopened++;
		answer_word(rq, FUNCTION_ERROR, NOT_OPENED);
		return;
	}
	status = run_command(rq);
	if (status != PENDING)
		complete(rq, status);
}

/* MBIM 1.0 §9.5: in order, and not mixed with other commands. */
static void take_fragment(struct request *rq, const unsigned char *p,
			  size_t len)
{
	unsigned total = get32(p + 12), current = get32(p + 16);
	int begun = joined.total != 0;

	if (m.opened && len > m.max) {
		refuse(rq, LENGTH_MISMATCH, "longer than MaxControlTransfer");
		return;
	}
	if (current == 0 && find_waiting(rq->tid) < waits) {
		refuse(rq, DUPLICATED_TID, "transaction id in use");
		return;
	}
	if (current >= total || begun != (current != 0) ||
	    (begun && (joined.tid != rq->tid || joined.next != current ||
		       joined.total != total))) {
		refuse(rq, OUT_OF_SEQUENCE, "fragment out of sequence");
		return;
	}
	if (!begun)
		joined.len = 0;
	else
		p += 20, len -= 20;
	if (len > sizeof(joined.bytes) - joined.len) {
		refuse(rq, LENGTH_MISMATCH, "command too long");
		return;
	}
	memcpy(joined.bytes + joined.len, p, len);
	joined.len += len;
	joined.tid = rq->tid;
	joined.next = current + 1;
	joined.total = joined.next < total ? total : 0;
	joined.since = now;
	if (!joined.total)
		take_command(rq);
}

/*
 * ==== the core's interface: bytes in, frames out, time goes on ===========
 */

/* What the host sent as one message; `len' is what really came. */
static void core_input(const unsigned char *p, size_t len)
{
	struct request rq = { .service = -1 };

	if (len < 12) {
		bad("%zu bytes are no message", len);
		return;
	}
	rq.type = get32(p);
	rq.tid = get32(p + 8);
	if (rq.type != COMMAND || len < 20 || !get32(p + 16))
		m.heard++;
	rq.number = m.heard;
	if (!rq.tid)
		refuse(&rq, UNKNOWN, "transaction id 0");
	else if (rq.type < OPEN || rq.type > HOST_ERROR)
		refuse(&rq, UNKNOWN, "unknown message type");
	else if (get32(p + 4) != len)
		refuse(&rq, LENGTH_MISMATCH, "MessageLength");
	else if (rq.type == COMMAND ? len < 20 :
		 len != (rq.type == CLOSE ? 12 : 16))
		refuse(&rq, LENGTH_MISMATCH, rq.type == CLOSE ?
		       "CLOSE is 12 bytes" : "OPEN is 16 bytes");
	else if (rq.type == COMMAND)
		take_fragment(&rq, p, len);
	else if (rq.type == HOST_ERROR)
		seen.host_errors++;
	else {
		joined.total = 0;
		waits = 1;			/* it resets all others */
		waiting[0].tid = rq.tid;
		waiting[0].silent = 0;
		if (rq.type == OPEN)
			take_open(&rq, get32(p + 12));
		else
			take_close(&rq);
	}
}

static void core_tick(long long time)
{
	static long long flooded, wobbled;
	unsigned i;

	now = time;
	run_jobs();
	if (joined.total && now - joined.since > 1250) {
		struct request rq = { .type = COMMAND, .tid = joined.tid,
				      .service = -1 };

		refuse(&rq, TIMEOUT_FRAGMENT, "fragments stopped");
	}
	if (opt.flood && m.opened && now >= flooded + 2 && queued < 8) {
		notify(BASIC, 11, show_signal, 0, now);
		flooded = now;
	}
	if (opt.wobble && now >= wobbled + opt.wobble) {
		m.rssi += m.rssi == (unsigned)opt.rssi ? 1 : -1u;
		indicate(BASIC, 11, show_signal, 0);
		wobbled = now;
	}
	for (i = 0; i < queued; i++)
		if (!frames[i].noted && frames[i].due <= now) {
			frames[i].noted = 1;
			notes++;
		}
}

/* The frame to send now, and where its bytes are; it stays in the queue. */
static struct frame *core_output(const unsigned char **bytes)
{
	struct frame *found = NULL;
	size_t at = 0;
	unsigned i;

	for (i = 0; i < queued; at += frames[i++].len) {
		if (frames[i].due > now || (found && !frames[i].fetched))
			continue;
		found = &frames[i];
		*bytes = store + at;
		if (found->fetched)
			return found;
	}
	if (!found || (!notes && (opt.wdm || opt.behind)))
		return NULL;
	notes -= notes > 0;
	found->fetched = 1;
	return found;
}

/* The host has it. */
static void core_taken(struct frame *f)
{
	unsigned i = f->tid ? find_waiting(f->tid) : waits;

	if (i < waits)
		waiting[i] = waiting[--waits];
	drop_frame((unsigned)(f - frames));
}

/* Milliseconds until something happens by itself. */
static int core_wait(void)
{
	long long soonest = now + 60000;
	unsigned i;

	for (i = 0; i < queued; i++)
		if (!frames[i].noted && frames[i].due < soonest)
			soonest = frames[i].due;
	for (i = 0; i < njobs; i++)
		if (jobs[i].due < soonest)
			soonest = jobs[i].due;
	if (joined.total && joined.since + 1251 < soonest)
		soonest = joined.since + 1251;
	if (opt.wobble && now + opt.wobble < soonest)
		soonest = now + opt.wobble;
	if (opt.flood && m.opened)
		soonest = now + 2;
	return soonest <= now ? 0 : (int)(soonest - now);
}

/* The client has gone; what it did not read is still in the device. */
static void core_hangup(void)
{
	waits = 0;
	joined.total = 0;
	if (opt.wdm)
		notes = 0;
	if (opt.flush)
		queued = 0, stored = 0;
}

/* Pulled out: the function starts from nothing. */
static void core_unplug(void)
{
	reset_function();
	waits = 0;
	joined.total = 0;
	queued = 0, stored = 0, notes = 0;
}

/* The modem's own crash: power stays, and so does who holds the device. */
static void core_reboot(void)
{
	reset_function();
	joined.total = 0;
	m.pin_verified = 0;
	attach(0);
	search(NULL);
}

static void start_session(unsigned id)
{
	if (id >= SESSIONS)
		return;
	m.reg = HOME;
	m.attached = 1;
	m.sessions[id].active = 1;
	m.sessions[id].ip_type = 1;
	memcpy(m.sessions[id].context, internet, 16);
}

static void core_init(long long time)
{
	const char *pin = *opt.pin ? opt.pin : "1234";
	long i;

	now = time;
	m.hw = opt.hwradio != 0;
	m.fcc = opt.fcc != 0;
	m.sw = opt.radio >= 0 ? opt.radio != 0 : !m.fcc;
	m.sim = !strcmp(opt.sim, "absent") ? 2 : !strcmp(opt.sim, "bad") ? 3 :
		!strcmp(opt.sim, "notinit") || opt.simdelay ? 0 : 1;
	m.pin_enabled = *opt.pin != 0;
	m.pin_tries = (unsigned)opt.attempts;
	m.puk_tries = 10;
	m.pin.len = to_utf16(m.pin.bytes, sizeof(m.pin.bytes), pin);
	m.rssi = (unsigned)opt.rssi;
	m.usb = (unsigned)opt.usb;
	m.reg_mode = 1;
	center.len = to_utf16(center.bytes, sizeof(center.bytes), "+15550000");
	contexts[0].id = 1;
	memcpy(contexts[0].type, internet, 16);
	contexts[0].apn.len = to_utf16(contexts[0].apn.bytes, 100, "internet");
	add_message(0, 0, "059151550000040891515510000000621112900043000B"
		    "E8329BFD06B5DFE4721B");	/* "hello modem" */
	add_message(1, 1, "05915155000004089151551099000062111290104300"
		    "086F3619E42EDFE7");	/* "old news" */
	reset_function();
	if (opt.simdelay && !strcmp(opt.sim, "ready"))
		after(opt.simdelay, card_ready, NULL);
	search(NULL);
	if (opt.session >= 0)
		start_session((unsigned)opt.session);
	m.opened = opt.opened || opt.session >= 0;
	m.max = m.opened ? 4096 : 0;
	for (i = 0; i < opt.behind; i++)
		foreign_answer(0x100 + (unsigned)i, now);
	for (i = 0; i < opt.behind; i++)
		frames[i].noted = 1;		/* theirs were lost */
}

static void core_report(FILE *f)
{
	const char *comma = "";
	unsigned i;

	fprintf(f, "opened=%d\nclients=", m.opened);
	for (i = 0; i < COUNT(m.clients); i++)
		if (m.clients[i].id) {
			fprintf(f, "%s%02x:%02x", comma, m.clients[i].service,
				m.clients[i].id);
			comma = ",";
		}
	fprintf(f, "\npdh=");
	if (m.pdh)
		fprintf(f, "0x%08x", m.pdh);
	fprintf(f, "\nsessions=");
	for (comma = "", i = 0; i < SESSIONS; i++)
		if (m.sessions[i].active) {
			fprintf(f, "%s%u", comma, i);
			comma = ",";
		}
	fprintf(f, "\nradio=%d\nfcc_locked=%d\nregistered=%d\nattached=%d\n",
		m.sw, m.fcc, registered(), m.attached);
	fprintf(f, "opens=%u\ncloses=%u\nrequests=%u\n", seen.opens,
		seen.closes, seen.requests);
	fprintf(f, "allocs=%u\nreleases=%u\nnotopened=%u\n", seen.allocs,
		seen.releases, seen.notopened);
	fprintf(f, "host_errors=%u\noverlapped=%u\npin_attempts=%u\n",
		seen.host_errors, seen.overlapped, seen.pin_attempts);
	fprintf(f, "bad=%u\nbad_reason=%s\n", seen.bad, seen.reason);
}

/*
 * ==== the doors: how a host reaches the core =============================
 */

static struct door {
	const char *path;
	int fd, listener, slave;	/* slave: keeps a pty alive */
	int is_pty, reset;
	unsigned char in[LONGEST];
	size_t in_len, sent;
	int sending;
	long long since, next;		/* last input, next piece out */
} doors[2] = {
	{ .fd = -1, .listener = -1 },
	{ .fd = -1, .listener = -1, .is_pty = 1 },
};

static struct door *host;		/* who gets the answers */
static FILE *log_file;
static const char *report_path;
static void (*report_more)(FILE *);	/* of a door in another file */
static int once, finished;
static volatile sig_atomic_t want_report, want_end, want_reboot;

static long long clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void log_frame(char direction, const unsigned char *p, size_t len)
{
	if (!log_file)
		return;
	fprintf(log_file, "%c ", direction);
	while (len--)
		fprintf(log_file, "%02x", *p++);
	fputc('\n', log_file);
	fflush(log_file);
}

static void heard(struct door *d, const unsigned char *p, size_t len)
{
	host = d;
	log_frame('>', p, len);
	core_input(p, len);
}

static void open_pty(struct door *d)
{
	struct termios t;
	const char *name;

	d->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (d->fd < 0 || grantpt(d->fd) || unlockpt(d->fd))
		die("pty");
	name = ptsname(d->fd);
	d->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (d->slave < 0 || tcgetattr(d->slave, &t))
		die(name);
	cfmakeraw(&t);
	if (tcsetattr(d->slave, TCSANOW, &t))
		die(name);
	unlink(d->path);
	if (symlink(name, d->path))
		die(d->path);
}

static void open_socket(struct door *d)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(d->path) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		die(d->path);
	}
	strcpy(at.sun_path, d->path);
	unlink(d->path);
	d->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
			     SOCK_NONBLOCK, 0);
	if (d->listener < 0 || bind(d->listener, (struct sockaddr *)&at,
				    sizeof(at)) || listen(d->listener, 8))
		die(d->path);
}

static void hang_up(struct door *d)
{
	close(d->fd);
	d->fd = -1;
	d->in_len = d->sent = 0;
	d->sending = d->reset = 0;
	if (d->is_pty) {
		close(d->slave);
		open_pty(d);			/* plugged in again */
	} else if (once) {
		finished = 1;
	}
}

/*
 * Whether the client has yet to read what was sent last.  When it has gone
 * the queue is empty too: then only the error from recv() tells.
 */
static int unread(const struct door *d)
{
	struct pollfd p = { .fd = d->fd };
	int n = 0;

	if (d->is_pty || ioctl(d->fd, TIOCOUTQ, &n))
		return 0;
	return n > 0 || poll(&p, 1, 0) > 0;
}

/* A piece of the frame; whether there is more to do now. */
static int send_piece(struct door *d, const unsigned char *p, size_t len)
{
	size_t n;
	ssize_t done;

	if (!d->sending)
		d->sent = 0;
	else if (now < d->next)
		return 0;
	n = len - d->sent;
	if (opt.drip && n > (d->is_pty ? 1 : 7))
		n = d->is_pty ? 1 : 7;
	if (d->is_pty)
		done = write(d->fd, p + d->sent, n);
	else
		done = send(d->fd, p + d->sent, n, MSG_NOSIGNAL);
	if (done < 0)
		return 0;
	d->sending = 1;
	d->sent += (size_t)done;
	d->next = now + opt.drip;
	if (d->sent == len)
		log_frame('<', p, len);
	return 1;
}

static void socket_gone(struct door *d)
{
	const unsigned char *p;
	struct frame *f = d->sending ? core_output(&p) : NULL;

	/* ECONNRESET told us that the last frame was not read */
	if (f && d->sent == f->len && !d->reset)
		core_taken(f);
	core_hangup();
	hang_up(d);
}

/* Was what was sent last read, and by now?  Who asks anew has read it. */
static void settle(struct door *d)
{
	const unsigned char *p;
	struct frame *f = d->sending ? core_output(&p) : NULL;

	if (f && d->sent == f->len && !unread(d)) {
		core_taken(f);
		d->sending = 0;
	}
}

/* All that has come; the end of the connection too. */
static void socket_input(struct door *d)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN };
	ssize_t n;

	while (d->fd >= 0 && poll(&p, 1, 0) > 0) {
		n = recv(d->fd, d->in, sizeof(d->in), MSG_DONTWAIT);
		if (n > 0 || (n == 0 && !(p.revents & POLLHUP))) {
			settle(d);
			heard(d, d->in, (size_t)n);
		} else if (n < 0 && errno == ECONNRESET) {
			d->reset = 1;
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		} else {
			socket_gone(d);
		}
	}
}

/*
 * Send what is due, one frame at a time: like cdc-wdm, the next is fetched
 * when the client has read the last.  Whether there is nothing more to do.
 */
static int door_output(struct door *d)
{
	const unsigned char *p;
	struct frame *f;

	while (d == host && d->fd >= 0 && (f = core_output(&p))) {
		if (f->hangup) {
			core_unplug();
			hang_up(d);
		} else if (d->sending && d->sent == f->len) {
			if (unread(d))
				return 0;
			core_taken(f);
			d->sending = 0;
			if (!d->is_pty)		/* before the next is sent */
				socket_input(d);
		} else if (!send_piece(d, p, f->len)) {
			return 0;
		}
	}
	return 1;
}

/* A byte stream: MessageLength is all that parts the messages. */
static void pty_input(struct door *d)
{
	ssize_t n = read(d->fd, d->in + d->in_len, sizeof(d->in) - d->in_len);
	size_t len;

	if (n <= 0)
		return;
	d->in_len += (size_t)n;
	d->since = now;
	while (d->in_len >= 12) {
		len = get32(d->in + 4);
		if (len < 12 || len > sizeof(d->in)) {
			log_frame('>', d->in, d->in_len);
			bad("MessageLength %zu on the pty", len);
			d->in_len = 0;
			break;
		}
		if (d->in_len < len)
			break;
		heard(d, d->in, len);
		d->in_len -= len;
		memmove(d->in, d->in + len, d->in_len);
	}
}

static void door_input(struct door *d, const struct pollfd *p)
{
	if (d->is_pty && d->in_len && now - d->since >= 1000)
		d->in_len = 0;			/* its client died */
	if (!p->revents || (p->fd != d->fd && p->fd != d->listener))
		return;
	if (p->fd == d->listener) {
		d->fd = accept4(d->listener, NULL, NULL,
				SOCK_CLOEXEC | SOCK_NONBLOCK);
		host = d->fd >= 0 ? d : host;
	} else if (d->is_pty) {
		pty_input(d);
	} else {
		socket_input(d);
	}
}

static void write_report(void)
{
	char name[4096];
	FILE *f = stdout;

	if (report_path) {
		snprintf(name, sizeof(name), "%s.new", report_path);
		f = fopen(name, "w");
		if (!f)
			die(name);
	}
	core_report(f);
	if (report_more)
		report_more(f);
	if (!report_path)
		fflush(f);
	else if (fclose(f) || rename(name, report_path))
		die(report_path);
}

static void one_turn(const sigset_t *open_mask)
{
	struct pollfd p[COUNT(doors)];
	struct timespec t;
	int ms, soon = 60000;
	unsigned i;

	for (i = 0; i < COUNT(doors); i++) {
		struct door *d = &doors[i];

		if (!door_output(d))
			soon = 1;
		else if (d->is_pty && d->in_len && soon > 100)
			soon = 100;
		p[i].fd = d->fd >= 0 ? d->fd : d->listener;
		p[i].events = POLLIN;
		p[i].revents = 0;
	}
	ms = core_wait() < soon ? core_wait() : soon;
	t.tv_sec = ms / 1000;
	t.tv_nsec = ms % 1000 * 1000000L;
	if (ppoll(p, COUNT(doors), &t, open_mask) < 0 && errno != EINTR)
		die("ppoll");
	core_tick(clock_ms());
	for (i = 0; i < COUNT(doors); i++) {
		door_output(&doors[i]);
		door_input(&doors[i], &p[i]);
	}
	core_tick(now);
	if (want_reboot)
		core_reboot();
	want_reboot = 0;
	if (want_report)
		write_report();
	want_report = 0;
}

static void on_signal(int n)
{
	if (n == SIGUSR1)
		want_report = 1;
	else if (n == SIGUSR2)
		want_reboot = 1;
	else
		want_end = 1;
}

static void catch_signals(sigset_t *open_mask)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t blocked;
	unsigned i;

	sigemptyset(&blocked);
	for (i = 0; i < COUNT(signals); i++) {
		sigaction(signals[i], &sa, NULL);
		sigaddset(&blocked, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, open_mask);
	for (i = 0; i < COUNT(signals); i++)
		sigdelset(open_mask, signals[i]);
	signal(SIGPIPE, SIG_IGN);
}

static int usage(const char *what)
{
	fprintf(stderr, "modem: %s: see the top of tests/modem.c\n", what);
	return 2;
}

static int read_arguments(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:p:l:r:1")) != -1) {
		if (c == 's')
			doors[0].path = optarg;
		else if (c == 'p')
			doors[1].path = optarg;
		else if (c == 'r')
			report_path = optarg;
		else if (c == '1')
			once = 1;
		else if (c != 'l')
			return usage("options");
		else if (!(log_file = fopen(optarg, "w")))
			die(optarg);
	}
	for (; optind < argc; optind++)
		if (!parse_option(argv[optind]))
			return usage(argv[optind]);
	return doors[0].path || doors[1].path ? 0 : usage("-s or -p");
}

int main(int argc, char **argv)
{
	sigset_t open_mask;
	unsigned i;

	if (read_arguments(argc, argv))
		return 2;
	core_init(clock_ms());
	catch_signals(&open_mask);
	if (doors[0].path)
		open_socket(&doors[0]);
	if (doors[1].path)
		open_pty(&doors[1]);
	host = &doors[doors[1].path != NULL];
	printf("ready\n");
	fflush(stdout);
	while (!want_end && !finished)
		one_turn(&open_mask);
	write_report();
	for (i = 0; i < COUNT(doors); i++)
		if (doors[i].path)
			unlink(doors[i].path);
	return 0;
}
