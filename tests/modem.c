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
 *	quectel=1	has the Quectel radio state service too
 *	sim=ready|absent|bad|notinit	and simdelay=MS before it is ready
 *	pin=DIGITS	PIN1 is enabled and not yet entered; puk=12345678
 *	attempts=3	tries left; then PUK1.  pin2=1: PIN2 is asked afterwards
 *	regdelay=MS	time to register; regwait=0: the set does not wait
 *	deny=CAUSE	registration is denied with this cause
 *	roam=1		registers as roaming
 *	operator=@FILE	provider name, raw UTF-16LE; opertext=UTF-8 text
 *	autoattach=1	packet service attaches with registration
 *	attachdelay=MS connectdelay=MS scandelay=MS
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
 *	silent=STEP		never answered
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

#define _GNU_SOURCE
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
#include <linux/sockios.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define LONGEST		65536
#define SESSIONS	8
#define PENDING		0xffffffffu	/* a handler will complete() later */

enum message_type { OPEN = 1, CLOSE, COMMAND, HOST_ERROR };	/* §9.3 */
#define OPEN_DONE	0x80000001u			/* MBIM 1.0 §9.4 */
#define CLOSE_DONE	0x80000002u
#define COMMAND_DONE	0x80000003u
#define FUNCTION_ERROR	0x80000004u
#define INDICATE_STATUS	0x80000007u

enum protocol_error {			/* MBIM 1.0 §9.3.4 */
	TIMEOUT_FRAGMENT = 1, OUT_OF_SEQUENCE, LENGTH_MISMATCH, DUPLICATED_TID,
	NOT_OPENED, UNKNOWN, CANCEL, MAX_TRANSFER,
};

enum status {				/* MBIM 1.0 §9.4.5 */
	SUCCESS, BUSY, FAILURE, SIM_NOT_INSERTED, BAD_SIM, PIN_REQUIRED,
	PIN_DISABLED, NOT_REGISTERED, NO_DEVICE_SUPPORT = 9,
	PROVIDER_NOT_VISIBLE, DATA_CLASS_NOT_AVAILABLE, DETACHED,
	MAX_CONTEXTS, NOT_INITIALIZED, CONTEXT_NOT_ACTIVATED = 16,
	RADIO_OFF = 20, INVALID, WRITE_FAILURE = 23, NOT_ALLOWED = 28, BAD_INDEX = 30,
	MEMORY_FULL, CONTEXT_NOT_SUPPORTED = 38, SMS_FORMAT = 104,
};

enum { BASIC, SMS, QMI, EXT, QUECTEL, SERVICES };
enum { SEARCHING = 2, HOME, ROAMING, DENIED = 6 };	/* register state */

static const unsigned char uuids[SERVICES][16] = {
	[BASIC] = { 0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f,
		    0xb6, 0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf },
	[SMS] = { 0x53, 0x3f, 0xbe, 0xeb, 0x14, 0xfe, 0x44, 0x67,
		  0x9f, 0x90, 0x33, 0xa2, 0x23, 0xe5, 0x6c, 0x3f },
	[QMI] = { 0xd1, 0xa3, 0x0b, 0xc2, 0xf9, 0x7a, 0x6e, 0x43,
		  0xbf, 0x65, 0xc7, 0xe2, 0x4f, 0xb0, 0xf0, 0xd3 },
	[EXT] = { 0x3d, 0x01, 0xdc, 0xc5, 0xfe, 0xf5, 0x4d, 0x05,
		  0x0d, 0x3a, 0xbe, 0xf7, 0x05, 0x8e, 0x9a, 0xaf },
	[QUECTEL] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
		      0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x11 },
};

static const unsigned char internet[16] = {	/* context type, §10.5 */
	0x7e, 0x5e, 0x2a, 0x7e, 0x4e, 0x6f, 0x72, 0x72,
	0x73, 0x6b, 0x65, 0x6e, 0x7e, 0x5e, 0x2a, 0x7e
};

/* ---- numbers on the wire ------------------------------------------- */

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

/* ---- text: UTF-8 here, UTF-16LE on the wire (MBIM 1.0 §10.3) -------- */

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

static void to_utf8(char *to, size_t room, const unsigned char *p, size_t len)
{
	size_t n = 0, i;

	for (i = 0; i + 1 < len && n + 5 <= room; i += 2) {
		unsigned c = get16(p + i);

		if (c - 0xd800 < 0x400 && i + 3 < len) {
			i += 2;
			c = 0x10000 + (c - 0xd800) * 0x400 +
				(get16(p + i) & 0x3ff);
		}
		if (c < 0x80) {
			to[n++] = (char)c;
			continue;
		}
		if (c >= 0x10000) {
			to[n++] = (char)(0xf0 | c >> 18);
			to[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		} else if (c >= 0x800) {
			to[n++] = (char)(0xe0 | c >> 12);
		}
		to[n++] = (char)(c < 0x800 ? 0xc0 | c >> 6 :
				 0x80 | (c >> 6 & 0x3f));
		to[n++] = (char)(0x80 | (c & 0x3f));
	}
	to[n] = 0;
}

/* ---- options ------------------------------------------------------- */

static struct {
	long longfw, hwradio, radio, fcc, quectel, simdelay, attempts, pin2;
	long regdelay, regwait, deny, roam, autoattach, attachdelay;
	long connectdelay, scandelay, nwerror, iptype, needready, drop;
	long rssi, wobble, ex, mbimex, opened, session, client, clients, usb;
	long delay, drip, frag, fragswap, fragmiss, reorder, seed, ind, stale;
	long flood, busy, openfail, maxtransfer, notopened, badqmi, rejectsub;
	long neverclose, flush, wdm, behind;
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
	NUMBER(wdm), NUMBER(behind),
};

/* ---- requests, and the faults that they meet ------------------------ */

struct request {
	unsigned type, tid, number;	/* number: the n-th from the host */
	unsigned cid, set;
	int service;			/* -1: none that we have */
	unsigned char uuid[16];
	unsigned qmi_service, qmi_message;
	const unsigned char *info;	/* information buffer */
	size_t len, end;		/* end of the data that was followed */
	int wrong;
	unsigned arg;			/* for whoever completes it later */
};

enum step_kind {
	AT_NUMBER, AT_OPEN, AT_CLOSE, AT_CMD, AT_QMI, AT_ALLOC, AT_RELEASE,
	AT_CID, AT_MESSAGE,
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
	enum step_kind kind;
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
	int is_qmi = rq->type == COMMAND && rq->service == QMI;

	switch (p->kind) {
	case AT_NUMBER:
		return rq->number == p->n;
	case AT_OPEN:
		return rq->type == OPEN;
	case AT_CLOSE:
		return rq->type == CLOSE;
	case AT_CMD:
		return rq->type == COMMAND && !is_qmi;
	case AT_QMI:
		return is_qmi && rq->qmi_service;
	case AT_ALLOC:
		return rq->type == COMMAND && is_ctl(rq, 0x22);
	case AT_RELEASE:
		return rq->type == COMMAND && is_ctl(rq, 0x23);
	case AT_CID:
		return rq->type == COMMAND && rq->service == p->service &&
			rq->cid == p->n;
	case AT_MESSAGE:
		return is_qmi && rq->qmi_message == p->n &&
			(p->service < 0 ? rq->qmi_service != 0 :
			 rq->qmi_service == (unsigned)p->service);
	}
	return 0;
}

static const struct planned *planned(enum fault fault, const struct request *rq)
{
	unsigned i;

	for (i = 0; i < plans; i++)
		if (plan[i].fault == fault && meets(&plan[i], rq))
			return &plan[i];
	return NULL;
}

static int parse_step(struct planned *p, const char *text)
{
	static const struct { const char *word; enum step_kind kind; }
	words[] = {
		{ "open", AT_OPEN }, { "close", AT_CLOSE }, { "cmd", AT_CMD },
		{ "qmi", AT_QMI }, { "alloc", AT_ALLOC },
		{ "release", AT_RELEASE },
	};
	static const char *const prefixes[] = { "cid", "sms", "ext" };
	static const int services[] = { BASIC, SMS, EXT };
	size_t n = strcspn(text, ":");
	char *end;
	unsigned i;

	for (i = 0; i < COUNT(words); i++)
		if (strlen(words[i].word) == n &&
		    !memcmp(text, words[i].word, n)) {
			p->kind = words[i].kind;
			return 1;
		}
	p->kind = p->fault == QMIERROR ? AT_MESSAGE :
		p->fault == HEXREPLY ? AT_CID : AT_NUMBER;
	p->service = p->fault == QMIERROR ? -1 : BASIC;
	for (i = 0; i < COUNT(prefixes); i++)
		if (!strncmp(text, prefixes[i], 3)) {
			p->kind = AT_CID;
			p->service = services[i];
			text += 3;
			break;
		}
	p->n = (unsigned)strtoul(text, &end, 0);
	if (p->kind == AT_MESSAGE && *end == '/') {
		p->service = (int)p->n;
		p->n = (unsigned)strtoul(end + 1, &end, 0);
	}
	return end != text && (!*end || *end == ':');
}

static int parse_option(const char *arg)
{
	size_t n = strcspn(arg, "=");
	const char *value = arg + n + 1, *colon;
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
	for (i = 0; i < COUNT(fault_names); i++) {
		struct planned *p = &plan[plans];

		if (strlen(fault_names[i]) != n ||
		    memcmp(fault_names[i], arg, n) || plans == COUNT(plan))
			continue;
		colon = strchr(value, ':');
		p->fault = (enum fault)i;
		p->text = colon ? colon + 1 : "";
		p->arg = strtol(p->text, NULL, 0);
		if (p->fault == OPENFAIL) {
			p->kind = AT_OPEN;
			opt.openfail = strtol(value, NULL, 0);
		} else if (!parse_step(p, value)) {
			return 0;
		}
		plans++;
		return 1;
	}
	return 0;
}

/* ---- state ---------------------------------------------------------- */

struct provider { char id[16], name[48]; unsigned state, rssi; };

static struct modem {
	int opened;
	unsigned max, version;		/* control size, MBIMEx version */
	unsigned subscribed[SERVICES];	/* a bit for each CID */
	int hw, sw, fcc;		/* radio switches, FCC lock */
	int sim;			/* subscriber ready state of the card */
	int pin_enabled, pin_verified;
	unsigned pin_tries, puk_tries;
	char pin[32];
	unsigned reg, reg_mode, nw_error;
	int attached, asked_ready;
	unsigned rssi, interval, rssi_threshold, error_threshold;
	unsigned idle_hint, emergency;
	struct session {
		int active;
		unsigned ip_type;
		unsigned char context[16];
		char apn[128];
	} sessions[SESSIONS];
	struct { unsigned char service, id; } clients[64];
	unsigned pdh;			/* handle of the QMI data call */
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
		return;
	va_start(ap, why);
	vsnprintf(seen.reason, sizeof(seen.reason), why, ap);
	va_end(ap);
}

/* ---- the queue of frames to the host -------------------------------- */

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

static struct { unsigned tid; int silent; } waiting[64];
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

static void no_longer_waiting(unsigned tid)
{
	unsigned i;

	for (i = 0; i < waits; i++)
		if (waiting[i].tid == tid) {
			waiting[i] = waiting[--waits];
			return;
		}
}

/* ---- building messages ---------------------------------------------- */

/*
 * An MBIM structure is a fixed part, whose fields come one by one, and after
 * it the data that its offsets point to (MBIM 1.0 §10.3).
 */
struct build {
	unsigned char *base;
	size_t room, at, fixed, end;
};

static void must(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "modem: fault in the modem itself: %s\n", what);
	abort();
}

static void start(struct build *b, size_t fixed)
{
	must(fixed <= b->room, "room");
	memset(b->base, 0, fixed);
	b->at = 0;
	b->fixed = b->end = fixed;
}

static void add32(struct build *b, unsigned v)
{
	must(b->at + 4 <= b->fixed, "fixed part");
	put32(b->base + b->at, v);
	b->at += 4;
}

static void add64(struct build *b, unsigned long long v)
{
	add32(b, (unsigned)(v & 0xffffffff));
	add32(b, (unsigned)(v >> 32));
}

static void add_uuid(struct build *b, const unsigned char *uuid)
{
	must(b->at + 16 <= b->fixed, "fixed part");
	memcpy(b->base + b->at, uuid, 16);
	b->at += 16;
}

/* Data go to the end, padded to four; nothing has offset 0. */
static void add_offset(struct build *b, const void *data, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	must(b->end + padded <= b->room, "room");
	add32(b, len ? (unsigned)b->end : 0);
	memset(b->base + b->end, 0, padded);
	memcpy(b->base + b->end, data, len);
	b->end += padded;
}

static void add_data(struct build *b, const void *data, size_t len)
{
	add_offset(b, data, len);
	add32(b, (unsigned)len);
}

static void add_text(struct build *b, const char *text)
{
	static unsigned char wide[LONGEST];

	add_data(b, wide, to_utf16(wide, sizeof(wide), text));
}

/* A structure among the data, with its own base for offsets. */
static struct build inner(struct build *b, size_t fixed)
{
	struct build in = { b->base + b->end, b->room - b->end, 0, 0, 0 };

	start(&in, fixed);
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

	must(b->end + 8 + len + pad <= b->room, "room");
	memset(b->base + b->end, 0, 8 + len + pad);
	put16(b->base + b->end, type);
	b->base[b->end + 3] = (unsigned char)pad;
	put32(b->base + b->end + 4, (unsigned)len);
	memcpy(b->base + b->end + 8, data, len);
	b->end += 8 + len + pad;
}

static void add_text_tlv(struct build *b, const char *text)
{
	unsigned char wide[1024];

	add_tlv(b, 10, wide, to_utf16(wide, sizeof(wide), text));
}

static unsigned char reply[LONGEST];	/* the answer being made */
static unsigned char notice[LONGEST];	/* anything beside it */

static struct build reply_build(void)
{
	struct build b = { reply + 48, sizeof(reply) - 48, 0, 0, 0 };

	return b;
}

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

/* One message, in fragments where it is too long (MBIM 1.0 §9.5). */
static void send_message(const unsigned char *p, size_t len, long long due,
			 unsigned tid, size_t cut)
{
	static unsigned char part[LONGEST];
	size_t limit = m.max ? m.max : 4096, room, total, i;
	struct frame *f = NULL;

	if (opt.frag > 20 && (size_t)opt.frag < limit)
		limit = (size_t)opt.frag;
	if (len <= limit || get32(p) == FUNCTION_ERROR) {
		f = enqueue(p, cut < len ? len - cut : 0, due);
		if (f)
			f->tid = tid;
		return;
	}
	room = limit - 20;
	total = (len - 20 + room - 1) / room;
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
	if (f)
		f->tid = tid;
}

typedef void body(struct build *, unsigned);

static void notify(int service, unsigned cid, body *make, unsigned arg,
		   long long due)
{
	struct build b = { notice + 44, sizeof(notice) - 44, 0, 0, 0 };

	make(&b, arg);
	header(notice, INDICATE_STATUS, 44 + b.end, 0);
	put32(notice + 12, 1);
	put32(notice + 16, 0);
	memcpy(notice + 20, uuids[service], 16);
	put32(notice + 36, cid);
	put32(notice + 40, (unsigned)b.end);
	send_message(notice, 44 + b.end, due, 0, 0);
}

/* A state has changed: say so to a host that wants to hear it. */
static void indicate(int service, unsigned cid, body *make, unsigned arg)
{
	if (m.opened && m.subscribed[service] >> cid & 1)
		notify(service, cid, make, arg, now);
}

/* ---- answers, and what may happen to them ---------------------------- */

static void body_signal(struct build *b, unsigned arg)
{
	int v2 = m.version >= 2;
	unsigned char cell[24];

	(void)arg;
	start(b, v2 ? 28 : 20);
	add32(b, m.sw && m.hw ? m.rssi : 99);
	add32(b, 99);				/* error rate: unknown */
	add32(b, m.interval);
	add32(b, m.rssi_threshold);
	add32(b, m.error_threshold);
	if (!v2)
		return;
	put32(cell, 1);				/* MBIMEx 2: RSRP and SNR */
	put32(cell + 4, 55);
	put32(cell + 8, 70);
	put32(cell + 12, 0);
	put32(cell + 16, 0xffffffff);
	put32(cell + 20, 0x20);			/* LTE */
	add_data(b, cell, m.sw && m.hw ? sizeof(cell) : 0);
}

static void body_caps(struct build *b, unsigned arg)
{
	static char firmware[LONGEST / 3];
	long n;

	start(b, arg ? 68 : 64);		/* arg: MS extension */
	add32(b, 1);				/* embedded */
	add32(b, 1);				/* GSM */
	add32(b, 1);				/* no voice */
	add32(b, 2);				/* removable SIM */
	add32(b, 0x3f);				/* GPRS to LTE */
	add32(b, 3);				/* SMS PDU both ways */
	add32(b, 3);				/* manual, hardware switch */
	add32(b, SESSIONS);
	strcpy(firmware, "SWI9X15C_05.05.58.00");
	for (n = 0; n < opt.longfw && n < (long)sizeof(firmware) - 1; n++)
		firmware[n] = (char)('0' + n % 10);
	if (n)
		firmware[n] = 0;
	add_text(b, "");
	add_text(b, "013937001234564");
	add_text(b, firmware);
	add_text(b, "EM7355");
	if (arg)
		add32(b, 0);			/* executor index */
}

/* An answer to somebody else's question, whole and valid. */
static void foreign_answer(unsigned n, long long due)
{
	struct build b = { notice + 48, sizeof(notice) - 48, 0, 0, 0 };
	struct request rq = { .tid = 0x0e0e0000 + n, .cid = 1 };

	memcpy(rq.uuid, uuids[BASIC], 16);
	body_caps(&b, 0);
	send_message(notice, command_done(notice, &rq, SUCCESS, b.end), due,
		     0, 0);
}

static unsigned random_byte(void)
{
	static unsigned long seed;

	seed = seed ? seed : (unsigned long)opt.seed;
	seed = (seed * 1103515245 + 12345) & 0x7fffffff;
	return seed >> 16 & 0xff;
}

static void add_garbage(long n, long long due)
{
	long i;

	n = n > 0 && n < 4096 ? n : 40;
	for (i = 0; i < n; i++)
		notice[i] = (unsigned char)random_byte();
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
	for (i = 0; i < opt.ind; i++)
		notify(BASIC, 11, body_signal, 0, due);
	if (opt.reorder)
		notify(BASIC, 11, body_signal, 0, due);
}

static int never_answered(const struct request *rq)
{
	return planned(SILENT, rq) || (opt.neverclose && rq->type == CLOSE) ||
		(opt.flood && rq->type == COMMAND);
}

/* Every answer goes through here, with all that is planned for it. */
static void answer(const struct request *rq, unsigned char *p, size_t len)
{
	const struct planned *late = planned(LATE, rq);
	const struct planned *cut = planned(TRUNCATE, rq);
	const struct planned *shorter = planned(SHORT, rq);
	long long due = now + opt.delay + (late ? late->arg : 0);
	size_t n;
	unsigned i;

	if (planned(HANGUP, rq)) {
		struct frame *f = enqueue("", 0, due);

		if (f)
			f->hangup = 1;
		return;
	}
	if (never_answered(rq)) {
		for (i = 0; i < waits; i++)
			if (waiting[i].tid == rq->tid)
				waiting[i].silent = 1;
		return;
	}
	before_answer(rq, due);
	due += opt.reorder ? 20 : 0;
	if (shorter) {
		n = (size_t)shorter->arg < len ? (size_t)shorter->arg : len;
		len -= n;
		put32(p + 4, (unsigned)len);
		if (get32(p) == COMMAND_DONE && len >= 48)
			put32(p + 44, (unsigned)(len - 48));
	}
	n = cut ? (size_t)cut->arg : 0;
	if (planned(DUP, rq))
		send_message(p, len, due, 0, n);
	send_message(p, len, due, rq->tid, n);
}

static void function_error(const struct request *rq, enum protocol_error code)
{
	unsigned char p[16];

	header(p, FUNCTION_ERROR, 16, rq->tid);
	put32(p + 12, code);
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

/* The end of a command; the information buffer is in reply_build(). */
static void complete(const struct request *rq, unsigned status, size_t len)
{
	const struct planned *hex = planned(HEXREPLY, rq);

	if (hex)
		len = unhex(reply + 48, sizeof(reply) - 48, hex->text);
	if (planned(NOBUFFER, rq))
		len = 0;
	answer(rq, reply, command_done(reply, rq, status, len));
}

/* ---- things that happen later ---------------------------------------- */

/* rq.type is 0 when no host waits for it. */
typedef void work(const struct request *rq);
static struct job { long long due; work *run; struct request rq; } jobs[32];
static unsigned njobs;

static void after(long ms, work *run, const struct request *rq)
{
	static const struct request nobody;

	if (ms <= 0) {
		run(rq ? rq : &nobody);
		return;
	}
	must(njobs < COUNT(jobs), "jobs");
	jobs[njobs].due = now + ms;
	jobs[njobs].run = run;
	jobs[njobs++].rq = rq ? *rq : nobody;
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

/*
 * Follow (offset, size) at `at' in the structure at `base', whose fixed part
 * has `fixed' bytes.
 */
static const unsigned char *follow(struct request *rq, size_t base, size_t at,
				   size_t fixed, size_t *len)
{
	size_t offset = field(rq, base + at), size = field(rq, base + at + 4);

	*len = 0;
	if (!size)
		return rq->info;
	if (offset % 4 || offset < fixed || offset > rq->len - base ||
	    size > rq->len - base - offset) {
		bad("cid %u: offset %zu size %zu in %zu bytes", rq->cid,
		    offset, size, rq->len - base);
		rq->wrong = 1;
		return rq->info;
	}
	if (base + offset + size > rq->end)
		rq->end = base + offset + size;
	*len = size;
	return rq->info + base + offset;
}

static void read_text(struct request *rq, size_t base, size_t at, size_t fixed,
		      char *to, size_t room)
{
	size_t len;
	const unsigned char *p = follow(rq, base, at, fixed, &len);

	if (len % 2) {
		bad("cid %u: string of %zu bytes", rq->cid, len);
		rq->wrong = 1;
	}
	to_utf8(to, room, p, len);
}

/* After all data were followed: nothing may be wrong, or left over. */
static int sound(struct request *rq)
{
	if (!rq->wrong && (((rq->end + 3) & ~(size_t)3) < rq->len ||
			   rq->len % 4)) {
		bad("cid %u: %zu bytes, used %zu", rq->cid, rq->len, rq->end);
		rq->wrong = 1;
	}
	return !rq->wrong;
}

/* ---- Basic Connect: card, radio, PIN --------------------------------- */

static int pin_locked(void)
{
	return m.pin_enabled && !m.pin_verified;
}

/* What stands between the host and the network. */
static unsigned not_ready(void)
{
	switch (m.sim) {
	case 0:
		return NOT_INITIALIZED;
	case 2:
		return SIM_NOT_INSERTED;
	case 3:
		return BAD_SIM;
	}
	if (pin_locked())
		return PIN_REQUIRED;
	return m.sw && m.hw ? SUCCESS : RADIO_OFF;
}

static void body_ready(struct build *b, unsigned arg)
{
	int there = m.sim == 1 && !pin_locked();
	size_t extra = m.version >= 3 ? 4 : 0;

	(void)arg;
	start(b, 28 + extra + (there ? 8 : 0));
	add32(b, m.sim == 1 && pin_locked() ? 6 : (unsigned)m.sim);
	if (extra)
		add32(b, 6);			/* removable, and known */
	add_text(b, there ? "001010123456789" : "");
	add_text(b, m.sim == 1 ? "89001000000000000010" : "");
	add32(b, 0);
	add32(b, there);
	if (there)
		add_text(b, "+15550100");
}

static void body_radio(struct build *b, unsigned arg)
{
	(void)arg;
	start(b, 8);
	add32(b, (unsigned)m.hw);
	add32(b, (unsigned)m.sw);
}

static const char *const networks[][2] = {
	{ "00101", NULL }, { "00102", "Other" }, { "99999", "Third" },
};

static void add_provider_name(struct build *b)
{
	static unsigned char raw[512];
	size_t n = 0;
	FILE *f;

	if (*opt.operator != '@') {
		add_text(b, opt.opertext);
		return;
	}
	f = fopen(opt.operator + 1, "rb");
	if (f) {
		n = fread(raw, 1, sizeof(raw), f);
		fclose(f);
	}
	add_data(b, raw, n);
}

static int registered(void)
{
	return m.reg == HOME || m.reg == ROAMING;
}

static void body_register(struct build *b, unsigned arg)
{
	(void)arg;
	start(b, m.version >= 2 ? 52 : 48);
	add32(b, m.nw_error);
	add32(b, m.reg);
	add32(b, m.reg_mode);
	add32(b, registered() ? 0x20 : 0);
	add32(b, 1);
	add_text(b, registered() ? networks[0][0] : "");
	if (registered())
		add_provider_name(b);
	else
		add_text(b, "");
	add_text(b, m.reg == ROAMING ? "Roaming" : "");
	add32(b, opt.autoattach ? 2 : 0);
	if (m.version >= 2)
		add32(b, 0x3f);			/* preferred classes */
}

static void body_packet(struct build *b, unsigned arg)
{
	unsigned char tai[8] = { 1, 0, 1, 0, 0x39, 0x30, 0, 0 };

	(void)arg;
	start(b, m.version >= 3 ? 44 : m.version == 2 ? 32 : 28);
	add32(b, 0);
	add32(b, m.attached ? 2 : 4);
	add32(b, m.attached ? 0x20 : 0);
	add64(b, m.attached ? 50000000 : 0);
	add64(b, m.attached ? 5000000000ull : 0);
	if (m.version >= 2)
		add32(b, m.attached ? 1 : 0);	/* frequency range 1 */
	if (m.version >= 3) {
		add32(b, 0);
		add32(b, get32(tai));		/* MCC 1, MNC 1, TAC 12345 */
		add32(b, get32(tai + 4));
	}
}

static void body_connect(struct build *b, unsigned id)
{
	const struct session *s = &m.sessions[id % SESSIONS];

	start(b, m.version >= 3 ? 40 : 36);
	add32(b, id);
	add32(b, s->active ? 1 : 3);
	add32(b, 0);
	add32(b, s->active ? s->ip_type : 0);
	add_uuid(b, s->active ? s->context : internet);
	add32(b, m.nw_error);
	if (m.version >= 3) {
		add32(b, 1);			/* 3GPP */
		add_text_tlv(b, s->apn);
	}
}

static void end_session(unsigned id)
{
	if (!m.sessions[id].active)
		return;
	m.sessions[id].active = 0;
	indicate(BASIC, 12, body_connect, id);
}

static void detach(void)
{
	unsigned id;

	for (id = 0; id < SESSIONS; id++)
		end_session(id);
	m.pdh = 0;
	if (!m.attached)
		return;
	m.attached = 0;
	indicate(BASIC, 10, body_packet, 0);
}

static void attach(void)
{
	if (m.attached)
		return;
	m.attached = 1;
	indicate(BASIC, 10, body_packet, 0);
}

static void finish_registration(const struct request *rq)
{
	struct build b = reply_build();
	unsigned status = not_ready();

	if (!status) {
		m.reg = opt.deny ? DENIED : opt.roam ? ROAMING : HOME;
		m.nw_error = (unsigned)opt.deny;
		indicate(BASIC, 9, body_register, 0);
		if (opt.autoattach && registered())
			attach();
		status = opt.deny ? FAILURE : SUCCESS;
	}
	if (!rq->type)
		return;
	body_register(&b, 0);
	complete(rq, status, b.end);
}

/* Off the network; with a ready card and a radio, look for it again. */
static void search(const struct request *rq)
{
	detach();
	m.nw_error = 0;
	m.reg = not_ready() ? 1 : SEARCHING;
	indicate(BASIC, 9, body_register, 0);
	if (m.reg == SEARCHING || rq)
		after(opt.regdelay, finish_registration, rq);
}

static void switch_radio(int on)
{
	if (m.sw == on)
		return;
	m.sw = on;
	indicate(BASIC, 3, body_radio, 0);
	search(NULL);
}

static void card_ready(const struct request *rq)
{
	(void)rq;
	m.sim = 1;
	indicate(BASIC, 2, body_ready, 0);
	search(NULL);
}

static unsigned device_caps(struct request *rq, struct build *b)
{
	body_caps(b, rq->service == EXT);
	return SUCCESS;
}

static unsigned ready_status(struct request *rq, struct build *b)
{
	(void)rq;
	m.asked_ready = 1;
	body_ready(b, 0);
	return SUCCESS;
}

static unsigned radio_state(struct request *rq, struct build *b)
{
	unsigned on = field(rq, 0);

	if (rq->set && on > 1)
		return INVALID;
	if (rq->set && on && m.fcc && opt.fcc == 1)
		return NOT_ALLOWED;
	if (rq->set && !(on && m.fcc))
		switch_radio((int)on);
	body_radio(b, 0);
	return SUCCESS;
}

static void body_pin(struct build *b, unsigned arg)
{
	(void)arg;
	start(b, 12);
	if (m.pin_enabled && !m.pin_tries) {
		add32(b, 11);			/* PUK1 */
		add32(b, 1);
		add32(b, m.puk_tries);
	} else if (pin_locked()) {
		add32(b, 2);			/* PIN1 */
		add32(b, 1);
		add32(b, m.pin_tries);
	} else if (opt.pin2) {			/* not an obstacle, but */
		add32(b, 3);			/* that is what they say */
		add32(b, 1);
		add32(b, 3);
	} else {
		add32(b, 0);
		add32(b, 0);
		add32(b, 0xffffffff);
	}
}

static int pin_is(const char *pin)
{
	seen.pin_attempts++;
	if (m.pin_tries && !strcmp(pin, m.pin)) {
		m.pin_tries = (unsigned)opt.attempts;
		return 1;
	}
	if (m.pin_tries && !--m.pin_tries) {
		m.pin_enabled = 1;
		m.pin_verified = 0;
		search(NULL);
	}
	return 0;
}

static unsigned unblock(const char *puk, const char *pin)
{
	seen.pin_attempts++;
	if (m.pin_tries)
		return NOT_ALLOWED;
	if (!m.puk_tries || strcmp(puk, opt.puk) || strlen(pin) < 4) {
		m.puk_tries -= m.puk_tries > 0;
		return FAILURE;
	}
	snprintf(m.pin, sizeof(m.pin), "%s", pin);
	m.pin_tries = (unsigned)opt.attempts;
	m.puk_tries = 10;
	m.pin_verified = 1;
	return SUCCESS;
}

static unsigned pin_operation(unsigned operation, const char *pin,
			      const char *new_pin)
{
	if (m.pin_enabled != (operation != 1))
		return operation == 1 ? SUCCESS : PIN_DISABLED;
	if (!pin_is(pin))
		return FAILURE;
	m.pin_verified = 1;
	if (operation == 1 || operation == 2)
		m.pin_enabled = operation == 1;
	if (operation == 3)
		snprintf(m.pin, sizeof(m.pin), "%s", new_pin);
	return SUCCESS;
}

static unsigned pin(struct request *rq, struct build *b)
{
	unsigned type = field(rq, 0), operation = field(rq, 4), status = 0;
	char old_pin[32], new_pin[32];
	int locked = pin_locked();

	if (m.sim == 2 || m.sim == 3 || !m.sim)
		return not_ready();
	if (rq->set) {
		read_text(rq, 0, 8, 24, old_pin, sizeof(old_pin));
		read_text(rq, 0, 16, 24, new_pin, sizeof(new_pin));
		if (!sound(rq) || operation > 3)
			return INVALID;
		if (type == 2)
			status = pin_operation(operation, old_pin, new_pin);
		else if (type == 11 && operation == 0)
			status = unblock(old_pin, new_pin);
		else
			return NO_DEVICE_SUPPORT;
		if (locked && !pin_locked()) {
			indicate(BASIC, 2, body_ready, 0);
			search(NULL);
		}
	}
	body_pin(b, 0);
	return status;
}

static unsigned pin_list(struct request *rq, struct build *b)
{
	unsigned i;

	(void)rq;
	start(b, 160);
	for (i = 0; i < 2; i++) {
		add32(b, i || m.pin_enabled ? 1 : 2);
		add32(b, 1);			/* digits, 4 to 8 */
		add32(b, 4);
		add32(b, 8);
	}
	return SUCCESS;				/* the others: not supported */
}

/* ---- Basic Connect: network ------------------------------------------ */

static struct provider_list { unsigned n; struct provider list[8]; }
	preferred = { 1, { { "00101", "Preferred", 4, 0 } } }, multicarrier;
static struct provider home;

static void fill_provider(struct build *in, const struct provider *p)
{
	add_text(in, p->id);
	add32(in, p->state);
	if (*p->name)
		add_text(in, p->name);
	else
		add_provider_name(in);
	add32(in, 1);
	add32(in, p->rssi);
	add32(in, 99);
}

static void body_providers(struct build *b, const struct provider_list *l)
{
	unsigned i;

	start(b, 4 + 8 * l->n);
	add32(b, l->n);
	for (i = 0; i < l->n; i++) {
		struct build in = inner(b, 32);

		fill_provider(&in, &l->list[i]);
		add_inner(b, &in);
	}
}

static void read_provider(struct request *rq, size_t base, struct provider *p)
{
	memset(p, 0, sizeof(*p));
	read_text(rq, base, 0, 32, p->id, sizeof(p->id));
	p->state = field(rq, base + 8);
	read_text(rq, base, 12, 32, p->name, sizeof(p->name));
	p->rssi = field(rq, base + 24);
}

/* Where the n-th of an array of (offset, size) pairs lies. */
static size_t element(struct request *rq, size_t array, unsigned n,
		      size_t count, size_t least)
{
	size_t at = array + 8 * n, len;
	const unsigned char *p = follow(rq, 0, at, array + 8 * count, &len);

	if (len < least && !rq->wrong) {
		bad("cid %u: element of %zu bytes", rq->cid, len);
		rq->wrong = 1;
	}
	return rq->wrong ? 0 : (size_t)(p - rq->info);
}

static unsigned read_providers(struct request *rq, struct provider_list *to)
{
	struct provider_list l = { field(rq, 0), { { "", "", 0, 0 } } };
	unsigned i;

	if (l.n > COUNT(l.list) || 4 + 8 * l.n > rq->len)
		return INVALID;
	for (i = 0; i < l.n; i++) {
		size_t at = element(rq, 4, i, l.n, 32);

		if (!rq->wrong)
			read_provider(rq, at, &l.list[i]);
	}
	if (l.n == 0)
		rq->end = 4;
	if (!sound(rq))
		return INVALID;
	*to = l;
	return SUCCESS;
}

static unsigned home_provider(struct request *rq, struct build *b)
{
	struct provider p;
	unsigned status = not_ready();

	if (status && status != RADIO_OFF)
		return status;
	if (rq->set) {
		read_provider(rq, 0, &p);
		if (!sound(rq))
			return INVALID;
		home = p;
	}
	start(b, 32);
	fill_provider(b, &home);
	return SUCCESS;
}

static unsigned provider_lists(struct request *rq, struct build *b)
{
	struct provider_list *l = rq->cid == 7 ? &preferred : &multicarrier;

	if (rq->set && read_providers(rq, l))
		return INVALID;
	body_providers(b, l);
	return SUCCESS;
}

static void finish_scan(const struct request *rq)
{
	struct provider_list l = { 3, { { "", "", 0, 0 } } };
	struct build b = reply_build();
	unsigned i;

	for (i = 0; i < 3; i++) {
		strcpy(l.list[i].id, networks[i][0]);
		if (i)
			strcpy(l.list[i].name, networks[i][1]);
		l.list[i].rssi = m.rssi - i;
	}
	l.list[0].state = registered() ? 0x19 : 9;	/* home, visible */
	l.list[1].state = 0x0a;				/* forbidden */
	l.list[2].state = 8;
	body_providers(&b, &l);
	complete(rq, SUCCESS, b.end);
}

static unsigned visible_providers(struct request *rq, struct build *b)
{
	(void)b;
	if (field(rq, 0) > 1)
		return INVALID;
	if (!m.sw || !m.hw)
		return RADIO_OFF;
	after(opt.scandelay, finish_scan, rq);
	return PENDING;
}

static unsigned register_state(struct request *rq, struct build *b)
{
	unsigned action = field(rq, 8), classes = field(rq, 12);
	unsigned status = not_ready(), i;
	char id[16];

	if (!rq->set) {
		body_register(b, 0);
		return SUCCESS;
	}
	read_text(rq, 0, 0, 16, id, sizeof(id));
	if (!sound(rq) || action > 1 || (action == 1 && !*id))
		return INVALID;
	if (status)
		return status;
	if (classes && !(classes & 0x3f))
		return DATA_CLASS_NOT_AVAILABLE;
	for (i = 0; action && i < 3 && strcmp(id, networks[i][0]); i++)
		;
	if (i == 3)
		return PROVIDER_NOT_VISIBLE;
	if (i) {				/* seen, but not for us */
		m.nw_error = 11;		/* PLMN not allowed */
		body_register(b, 0);
		return FAILURE;
	}
	m.reg_mode = action + 1;
	if (opt.regwait && !registered()) {
		search(rq);
		return PENDING;
	}
	if (!registered())
		search(NULL);
	body_register(b, 0);
	return SUCCESS;
}

static void finish_attach(const struct request *rq)
{
	struct build b = reply_build();
	unsigned status = not_ready();

	if (!status && !registered())
		status = NOT_REGISTERED;
	if (!status)
		attach();
	body_packet(&b, 0);
	complete(rq, status, status ? 0 : b.end);
}

static unsigned packet_service(struct request *rq, struct build *b)
{
	unsigned action = field(rq, 0), status = not_ready();

	if (rq->set) {
		if (action > 1)
			return INVALID;
		if (status)
			return status;
		if (action == 0) {
			after(opt.attachdelay, finish_attach, rq);
			return PENDING;
		}
		detach();
	}
	body_packet(b, 0);
	return SUCCESS;
}

static unsigned signal_state(struct request *rq, struct build *b)
{
	if (rq->set) {
		m.interval = field(rq, 0);
		m.rssi_threshold = field(rq, 4);
		m.error_threshold = field(rq, 8);
	}
	body_signal(b, 0);
	return SUCCESS;
}

/* ---- Basic Connect: sessions ----------------------------------------- */

static void network_drops(const struct request *rq)
{
	end_session(rq->arg);
}

static void finish_connect(const struct request *rq)
{
	struct session *s = &m.sessions[rq->arg];
	struct request drop = { .arg = rq->arg };
	struct build b = reply_build();
	unsigned cause = (unsigned)opt.nwerror;

	if (!cause && *opt.apn && strcmp(opt.apn, s->apn))
		cause = 27;			/* missing or unknown APN */
	if (not_ready() || !registered() || !m.attached) {
		complete(rq, DETACHED, 0);
		return;
	}
	s->active = !cause;
	if (!cause) {
		indicate(BASIC, 12, body_connect, rq->arg);
		if (opt.drop)
			after(opt.drop, network_drops, &drop);
	}
	m.nw_error = cause;
	body_connect(&b, rq->arg);
	m.nw_error = 0;
	complete(rq, cause ? FAILURE : SUCCESS, b.end);
}

static unsigned may_connect(const struct session *s)
{
	unsigned status = not_ready();

	if (status)
		return status;
	if (!registered())
		return NOT_REGISTERED;
	if (!m.attached)
		return DETACHED;
	if (opt.needready && !m.asked_ready)
		return NOT_INITIALIZED;
	return s->active ? MAX_CONTEXTS : SUCCESS;
}

/* MBIMEx 3 carries the strings in TLVs behind the fixed part. */
static void read_connect_tlvs(struct request *rq, struct session *s)
{
	size_t at = 40, len, pad;

	if (rq->len < at + 8 || get16(rq->info + at) != 10)
		return;
	for (; at + 8 <= rq->len; at += 8 + len + pad) {
		len = get32(rq->info + at + 4);
		pad = rq->info[at + 3];
		if (len > rq->len - at - 8 || pad > rq->len - at - 8 - len) {
			bad("connect: TLV of %zu bytes", len);
			rq->wrong = 1;
			return;
		}
		if (at == 40)
			to_utf8(s->apn, sizeof(s->apn), rq->info + 48, len);
	}
	rq->end = at;
}

static unsigned activate(struct request *rq, struct build *b, unsigned id)
{
	struct session *s = &m.sessions[id], wanted = { .active = 0 };
	int v3 = m.version >= 3;
	unsigned command = field(rq, 4), status;
	char secret[512];

	if (v3) {
		read_connect_tlvs(rq, &wanted);
	} else {
		read_text(rq, 0, 8, 60, wanted.apn, sizeof(wanted.apn));
		read_text(rq, 0, 16, 60, secret, sizeof(secret));
		read_text(rq, 0, 24, 60, secret, sizeof(secret));
	}
	wanted.ip_type = field(rq, v3 ? 16 : 40);
	memcpy(wanted.context, rq->info + (v3 ? 20 : 44), 16);
	if (!sound(rq) || command > 1 || wanted.ip_type > 4 ||
	    field(rq, v3 ? 8 : 32) > 1 || field(rq, v3 ? 12 : 36) > 3)
		return INVALID;
	if (!command) {
		if (!s->active)
			return CONTEXT_NOT_ACTIVATED;
		end_session(id);
		body_connect(b, id);
		return SUCCESS;
	}
	status = may_connect(s);
	if (status)
		return status;
	if (!memcmp(wanted.context, "\0\0\0", 4))
		return CONTEXT_NOT_SUPPORTED;
	if (opt.iptype || !wanted.ip_type)	/* 0: the modem chooses */
		wanted.ip_type = opt.iptype ? (unsigned)opt.iptype : 1;
	*s = wanted;
	rq->arg = id;
	after(opt.connectdelay, finish_connect, rq);
	return PENDING;
}

static unsigned connect_session(struct request *rq, struct build *b)
{
	unsigned id = field(rq, 0);

	if (id >= SESSIONS)
		return rq->set ? MAX_CONTEXTS : INVALID;
	if (rq->set)
		return activate(rq, b, id);
	body_connect(b, id);
	return SUCCESS;
}

static void add_ipv4(struct build *b, unsigned id, int there)
{
	unsigned char net[8] = { 30, 0, 0, 0, 10, 0, (unsigned char)id, 2 };

	add32(b, (unsigned)there);
	add_offset(b, net, there ? 8 : 0);
}

static void add_ipv6(struct build *b, unsigned id, int there)
{
	unsigned char net[20] = { 64, 0, 0, 0, 0x20, 0x01, 0x0d, 0xb8 };

	net[11] = (unsigned char)id;
	net[19] = 2;
	add32(b, (unsigned)there);
	add_offset(b, net, there ? 20 : 0);
}

static unsigned ip_configuration(struct request *rq, struct build *b)
{
	unsigned id = field(rq, 0), type;
	unsigned char gw4[4] = { 10, 0, (unsigned char)id, 1 };
	unsigned char dns4[8] = { 192, 0, 2, 53, 192, 0, 2, 54 };
	unsigned char gw6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0 };
	unsigned char dns6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	int four, six;

	if (id >= SESSIONS)
		return INVALID;
	if (!m.sessions[id].active)
		return CONTEXT_NOT_ACTIVATED;
	type = m.sessions[id].ip_type;
	four = type != 2;
	six = type >= 2;
	gw6[7] = (unsigned char)id;
	gw6[15] = 1;
	dns6[15] = 53;
	start(b, 60);
	add32(b, id);
	add32(b, four ? 15 : 0);		/* address, gateway, DNS, */
	add32(b, six ? 15 : 0);			/* MTU */
	add_ipv4(b, id, four);
	add_ipv6(b, id, six);
	add_offset(b, gw4, four ? 4 : 0);
	add_offset(b, gw6, six ? 16 : 0);
	add32(b, four ? 2 : 0);
	add_offset(b, dns4, four ? 8 : 0);
	add32(b, six ? 1 : 0);
	add_offset(b, dns6, six ? 16 : 0);
	add32(b, four ? 1500 : 0);
	add32(b, six ? 1480 : 0);
	return SUCCESS;
}

static struct context {
	unsigned id, compression, auth;
	unsigned char type[16];
	char apn[128], user[64], password[64];
} contexts[4];

static unsigned set_context(struct request *rq)
{
	struct context c = { .id = field(rq, 0), .compression = field(rq, 44),
			     .auth = field(rq, 48) };
	char provider[16];
	unsigned i;

	memcpy(c.type, rq->info + 4, 16);
	read_text(rq, 0, 20, 60, c.apn, sizeof(c.apn));
	read_text(rq, 0, 28, 60, c.user, sizeof(c.user));
	read_text(rq, 0, 36, 60, c.password, sizeof(c.password));
	read_text(rq, 0, 52, 60, provider, sizeof(provider));
	if (!sound(rq) || c.compression > 1 || c.auth > 3 || !c.id)
		return INVALID;
	for (i = 0; i < COUNT(contexts); i++)
		if (contexts[i].id == c.id || !contexts[i].id) {
			contexts[i] = c;
			return SUCCESS;
		}
	return WRITE_FAILURE;
}

static unsigned provisioned_contexts(struct request *rq, struct build *b)
{
	unsigned n = 0, i, status = rq->set ? set_context(rq) : SUCCESS;

	if (status)
		return status;
	while (n < COUNT(contexts) && contexts[n].id)
		n++;
	start(b, 4 + 8 * n);
	add32(b, n);
	for (i = 0; i < n; i++) {
		struct build in = inner(b, 52);

		add32(&in, contexts[i].id);
		add_uuid(&in, contexts[i].type);
		add_text(&in, contexts[i].apn);
		add_text(&in, contexts[i].user);
		add_text(&in, contexts[i].password);
		add32(&in, contexts[i].compression);
		add32(&in, contexts[i].auth);
		add_inner(b, &in);
	}
	return SUCCESS;
}

static unsigned service_activation(struct request *rq, struct build *b)
{
	start(b, 4);				/* no error, and an echo */
	must(4 + rq->len <= b->room, "room");
	memcpy(b->base + 4, rq->info, rq->len);
	b->end = 4 + rq->len;
	return SUCCESS;
}

static unsigned packet_statistics(struct request *rq, struct build *b)
{
	(void)rq;
	start(b, 48);
	add32(b, 1);				/* in: discards, errors */
	add32(b, 2);
	add64(b, 5000000000ull);		/* octets: more than 32 bits */
	add64(b, 4000000);
	add64(b, 123456789);
	add64(b, 100000);
	add32(b, 3);				/* out: errors, discards */
	add32(b, 4);
	return SUCCESS;
}

static unsigned switches(struct request *rq, struct build *b)
{
	unsigned *value = rq->cid == 21 ? &m.idle_hint : &m.emergency;

	if (rq->set && field(rq, 0) > 1)
		return INVALID;
	if (rq->set)
		*value = field(rq, 0);
	start(b, 4);
	add32(b, *value);
	return SUCCESS;
}

static struct filter_list {
	unsigned n;
	struct { size_t len; unsigned id; unsigned char bits[2][192]; } list[4];
} filters[SESSIONS];

static unsigned set_filters(struct request *rq, struct filter_list *to)
{
	static struct filter_list l;
	size_t fixed = m.version >= 3 ? 16 : 12, at, i, k;

	memset(&l, 0, sizeof(l));
	l.n = field(rq, 4);
	if (l.n > COUNT(l.list) || 8 + 8 * l.n > rq->len)
		return INVALID;
	rq->end = 8 + 8 * l.n;
	for (i = 0; i < l.n; i++) {
		at = element(rq, 8, (unsigned)i, l.n, fixed);
		if (rq->wrong)
			return INVALID;
		l.list[i].len = field(rq, at);
		l.list[i].id = fixed == 16 ? field(rq, at + 12) : 0;
		for (k = 0; k < 2; k++) {
			size_t offset = field(rq, at + 4 + 4 * k);
			size_t len = l.list[i].len;

			if (len > 192 || offset < fixed || offset % 4 ||
			    offset > rq->len - at ||
			    len > rq->len - at - offset) {
				bad("filter at %zu of %zu", offset, len);
				return INVALID;
			}
			memcpy(l.list[i].bits[k], rq->info + at + offset, len);
		}
	}
	if (!sound(rq))
		return INVALID;
	*to = l;
	return SUCCESS;
}

static unsigned packet_filters(struct request *rq, struct build *b)
{
	struct filter_list *l = &filters[field(rq, 0) % SESSIONS];
	unsigned i;

	if (field(rq, 0) >= SESSIONS)
		return INVALID;
	if (rq->set && set_filters(rq, l))
		return INVALID;
	start(b, 8 + 8 * l->n);
	add32(b, field(rq, 0));
	add32(b, l->n);
	for (i = 0; i < l->n; i++) {
		struct build in = inner(b, m.version >= 3 ? 16 : 12);

		add32(&in, (unsigned)l->list[i].len);
		add_offset(&in, l->list[i].bits[0], l->list[i].len);
		add_offset(&in, l->list[i].bits[1], l->list[i].len);
		if (m.version >= 3)
			add32(&in, l->list[i].id);
		add_inner(b, &in);
	}
	return SUCCESS;
}

/* ---- SMS -------------------------------------------------------------- */

/* Status: 0 new, 1 old, 2 draft, 3 sent; len 0 is an empty place. */
static struct { unsigned status; size_t len; unsigned char pdu[256]; }
	messages[8];
static unsigned newest, reference;

static void add_message(unsigned n, unsigned status, const char *hex)
{
	messages[n].status = status;
	messages[n].len = unhex(messages[n].pdu, sizeof(messages[n].pdu), hex);
}

/* Whether message n is meant by (flag, index); old and new swap over. */
static int selected(unsigned n, unsigned flag, unsigned index)
{
	static const unsigned status[] = { 0, 0, 0, 1, 3, 2 };

	if (!messages[n].len)
		return 0;
	return flag == 0 || (flag == 1 ? n + 1 == index :
			     messages[n].status == status[flag]);
}

static unsigned sms_ready(void)
{
	unsigned status = not_ready();

	return status == RADIO_OFF ? SUCCESS : status;
}

static unsigned sms_configuration(struct request *rq, struct build *b)
{
	static char center[32] = "+15550000";

	if (sms_ready())
		return sms_ready();
	if (rq->set) {
		char wanted[32];

		read_text(rq, 0, 4, 12, wanted, sizeof(wanted));
		if (!sound(rq))
			return INVALID;
		if (field(rq, 0))
			return SMS_FORMAT;
		if (*wanted)
			strcpy(center, wanted);
	}
	start(b, 24);
	add32(b, 1);				/* initialized */
	add32(b, 0);				/* PDU */
	add32(b, COUNT(messages));
	add32(b, 0);
	add_text(b, center);
	return SUCCESS;
}

static unsigned sms_read(struct request *rq, struct build *b)
{
	unsigned flag = field(rq, 4), index = field(rq, 8), n = 0, i;

	if (sms_ready())
		return sms_ready();
	if (field(rq, 0))
		return SMS_FORMAT;
	if (flag > 5)
		return INVALID;
	for (i = 0; i < COUNT(messages); i++)
		n += (unsigned)selected(i, flag, index);
	if (!n && flag == 1)
		return BAD_INDEX;
	start(b, 8 + 8 * n);
	add32(b, 0);
	add32(b, n);
	for (i = 0; i < COUNT(messages); i++) {
		struct build in = inner(b, 16);

		if (!selected(i, flag, index))
			continue;
		add32(&in, i + 1);
		add32(&in, messages[i].status);
		add_data(&in, messages[i].pdu, messages[i].len);
		add_inner(b, &in);
		if (messages[i].status == 0)
			messages[i].status = 1;	/* new, then read */
	}
	return SUCCESS;
}

static unsigned sms_send(struct request *rq, struct build *b)
{
	unsigned status = not_ready();
	size_t len;

	if (status)
		return status;
	if (field(rq, 0))
		return SMS_FORMAT;
	/* the record is a structure of its own, behind the format */
	follow(rq, 4, 0, 8, &len);
	if (!sound(rq) || !len)
		return INVALID;
	if (!registered())
		return NOT_REGISTERED;
	start(b, 4);
	add32(b, ++reference);
	return SUCCESS;
}

static unsigned sms_delete(struct request *rq, struct build *b)
{
	unsigned flag = field(rq, 0), index = field(rq, 4), n = 0, i;

	start(b, 0);
	if (sms_ready())
		return sms_ready();
	if (flag > 5)
		return INVALID;
	for (i = 0; i < COUNT(messages); i++)
		if (selected(i, flag, index)) {
			messages[i].len = 0;
			n++;
		}
	return n || flag != 1 ? SUCCESS : BAD_INDEX;
}

static unsigned sms_store_status(struct request *rq, struct build *b)
{
	(void)rq;
	if (sms_ready())
		return sms_ready();
	start(b, 8);
	add32(b, newest ? 2 : 0);		/* new message */
	add32(b, newest);
	return SUCCESS;
}

/* ---- Microsoft's extensions, Quectel's switch ------------------------- */

static unsigned device_caps_v3(struct request *rq, struct build *b)
{
	static const unsigned char bands[] = { 1, 0, 3, 0, 7, 0, 20, 0 };
	static const unsigned char none[1];

	(void)rq;
	start(b, 48);
	add32(b, 1);
	add32(b, 1);
	add32(b, 1);
	add32(b, 2);
	add32(b, 0x3f);
	add32(b, 3);
	add32(b, 3);
	add64(b, 0);				/* no 5G subclass */
	add32(b, SESSIONS);
	add32(b, 0);				/* executor */
	add32(b, 0);				/* WCDMA band classes */
	add_tlv(b, 11, bands, sizeof(bands));	/* LTE, then NR */
	add_tlv(b, 11, none, 0);
	add_text_tlv(b, "");
	add_text_tlv(b, "013937001234564");
	add_text_tlv(b, "SWI9X15C_05.05.58.00");
	add_text_tlv(b, "EM7355");
	return SUCCESS;
}

/* Both sides name what they have; the lower MBIMEx version counts. */
static unsigned version(struct request *rq, struct build *b)
{
	unsigned asked = get16(rq->info + 2) >> 8;
	unsigned most = opt.mbimex > 1 ? (unsigned)opt.mbimex : 1;

	if (opt.mbimex > 1)
		m.version = asked < most ? asked : most;
	if (m.version < 1)
		m.version = 1;
	start(b, 4);
	add32(b, 0x0100 | m.version << 24);
	return SUCCESS;
}

static unsigned quectel_radio(struct request *rq, struct build *b)
{
	if (rq->set && field(rq, 0) > 1)
		return INVALID;
	if (rq->set) {				/* on is what unlocks */
		m.fcc = m.fcc && !field(rq, 0);
		switch_radio((int)field(rq, 0));
	}
	start(b, 4);
	add32(b, m.fcc ? 4 : (unsigned)m.sw);
	return SUCCESS;
}

/* ---- QMI over MBIM ---------------------------------------------------- */

enum qmi_error {
	QMI_MALFORMED = 1, QMI_IDS_EXHAUSTED = 5, QMI_BAD_CLIENT = 7,
	QMI_BAD_HANDLE = 9, QMI_CALL_FAILED = 14, QMI_OUT_OF_CALL = 15,
	QMI_MISSING = 17, QMI_NO_EFFECT = 26, QMI_BAD_SERVICE = 31,
	QMI_INVALID = 48, QMI_TRANSITION = 60, QMI_BAD_COMMAND = 71,
	QMI_NO_INFORMATION = 74,
};

enum { CTL, WDS, DMS, NAS, WMS = 5, UIM = 0x0b, WDA = 0x1a };

struct qmi {
	unsigned service, client, message;
	const unsigned char *tlvs;
	size_t len;
	unsigned char *out;		/* TLVs of the answer */
	size_t n, tlv;
};

static void q8(struct qmi *q, unsigned v)
{
	q->out[q->n++] = (unsigned char)v;
}

static void q16(struct qmi *q, unsigned v)
{
	put16(q->out + q->n, v);
	q->n += 2;
}

static void q32(struct qmi *q, unsigned v)
{
	put32(q->out + q->n, v);
	q->n += 4;
}

static void q_open(struct qmi *q, unsigned type)
{
	q8(q, type);
	q->tlv = q->n;
	q16(q, 0);
}

static void q_close(struct qmi *q)
{
	put16(q->out + q->tlv, (unsigned)(q->n - q->tlv - 2));
}

static void q_text(struct qmi *q, const char *text)
{
	while (*text)
		q8(q, (unsigned char)*text++);
}

static void q_number(struct qmi *q, unsigned type, unsigned bytes, unsigned v)
{
	q_open(q, type);
	while (bytes--) {
		q8(q, v & 0xff);
		v >>= 8;
	}
	q_close(q);
}

static void q_string(struct qmi *q, unsigned type, const char *text)
{
	q_open(q, type);
	q_text(q, text);
	q_close(q);
}

/* The value of a TLV in the request, at least so long; or NULL. */
static const unsigned char *q_find(const struct qmi *q, unsigned type,
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
			return i;
	return COUNT(m.clients);
}

static unsigned ctl_versions(struct qmi *q)
{
	static const unsigned char list[][3] = {
		{ CTL, 1, 5 }, { WDS, 1, 36 }, { DMS, 1, 14 }, { NAS, 1, 25 },
		{ WMS, 1, 10 }, { UIM, 1, 11 }, { WDA, 1, 5 },
	};
	unsigned i;

	q_open(q, 0x01);
	q8(q, COUNT(list));
	for (i = 0; i < COUNT(list); i++) {
		q8(q, list[i][0]);
		q16(q, list[i][1]);
		q16(q, list[i][2]);
	}
	q_close(q);
	return 0;
}

static unsigned ctl_allocate(struct qmi *q)
{
	const unsigned char *p = q_find(q, 0x01, 1);
	unsigned id = (unsigned)opt.client, i;

	if (!p)
		return QMI_MISSING;
	if (!memchr("\1\2\3\5\x0b\x1a", *p, 6))
		return QMI_BAD_SERVICE;
	while (find_client(*p, id) < COUNT(m.clients))
		id++;
	i = find_client(0, 0);			/* an empty place */
	if (id >= (unsigned)(opt.client + opt.clients) || id > 0xfe ||
	    i == COUNT(m.clients))
		return QMI_IDS_EXHAUSTED;
	m.clients[i].service = *p;
	m.clients[i].id = (unsigned char)id;
	seen.allocs++;
	q_number(q, 0x01, 2, *p | id << 8);
	return 0;
}

static unsigned ctl_release(struct qmi *q)
{
	const unsigned char *p = q_find(q, 0x01, 2);
	unsigned i;

	if (!p)
		return QMI_MISSING;
	i = p[1] ? find_client(p[0], p[1]) : COUNT(m.clients);
	if (i == COUNT(m.clients))
		return QMI_BAD_CLIENT;
	memset(&m.clients[i], 0, sizeof(m.clients[i]));
	if (p[0] == WDS)
		m.pdh = 0;			/* the call was its client's */
	seen.releases++;
	q_number(q, 0x01, 2, p[0] | (unsigned)p[1] << 8);
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
	q_open(q, 0x01);
	q32(q, 50000000);
	q32(q, 100000000);
	q8(q, 2);				/* packet service */
	q8(q, 2);				/* SIM supported */
	q8(q, 3);
	q8(q, 4);				/* GSM, UMTS, LTE */
	q8(q, 5);
	q8(q, 8);
	q_close(q);
	return 0;
}

static unsigned dms_strings(struct qmi *q)
{
	q_string(q, 0x01, q->message == 0x21 ? "Sierra Wireless, Incorporated" :
		 q->message == 0x22 ? "EM7355" :
		 q->message == 0x23 ? "SWI9X15C_05.05.58.00 r27044" :
		 q->message == 0x24 ? "15550100" : "1.0");
	return 0;
}

static unsigned dms_ids(struct qmi *q)
{
	q_string(q, 0x10, "0");
	q_string(q, 0x11, "013937001234564");
	q_string(q, 0x12, "01393700123456");
	return 0;
}

static unsigned dms_get_mode(struct qmi *q)
{
	q_number(q, 0x01, 1, !m.sw);		/* online, low power */
	q_number(q, 0x11, 1, !m.hw);
	return 0;
}

static unsigned dms_set_mode(struct qmi *q)
{
	const unsigned char *p = q_find(q, 0x01, 1);

	if (!p)
		return QMI_MISSING;
	if (*p > 7)
		return QMI_INVALID;
	if (*p == 0 && m.fcc)
		return QMI_TRANSITION;
	switch_radio(*p == 0);
	return 0;
}

static unsigned dms_fcc(struct qmi *q)
{
	(void)q;
	m.fcc = 0;
	return 0;
}

static const unsigned char compositions[] = {	/* golden-vectors.md, V6 */
	6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22
};

static unsigned dms_usb(struct qmi *q)
{
	unsigned i;

	q_number(q, 0x10, 1, m.usb);
	q_open(q, 0x11);
	q8(q, COUNT(compositions));
	for (i = 0; i < COUNT(compositions); i++)
		q8(q, compositions[i]);
	q_close(q);
	return 0;
}

static unsigned dms_set_usb(struct qmi *q)
{
	const unsigned char *p = q_find(q, 0x01, 1);

	if (!p)
		return QMI_MISSING;
	if (!memchr(compositions, *p, sizeof(compositions)))
		return QMI_INVALID;
	m.usb = *p;
	return 0;
}

static void q_network(struct qmi *q, unsigned type)
{
	q_open(q, type);
	q16(q, 1);				/* MCC 001, MNC 01 */
	q16(q, 1);
	q8(q, (unsigned)(strlen(opt.opertext) & 0xff));
	q_text(q, opt.opertext);
	q_close(q);
}

static unsigned nas_serving_system(struct qmi *q)
{
	q_open(q, 0x01);
	q8(q, registered() ? 1 : m.reg == SEARCHING ? 2 :
	   m.reg == DENIED ? 3 : 0);
	q8(q, registered() ? 1 : 2);		/* circuit, packet */
	q8(q, m.attached ? 1 : 2);
	q8(q, registered() ? 2 : 0);		/* 3GPP */
	q8(q, 1);
	q8(q, registered() ? 8 : 0);		/* LTE */
	q_close(q);
	if (!registered())
		return 0;
	q_number(q, 0x10, 1, m.reg == HOME);
	q_network(q, 0x12);
	q_number(q, 0x1c, 2, 0xfffe);
	q_number(q, 0x1d, 4, 0x01a2b3c4);
	q_number(q, 0x24, 2, 12345);
	return 0;
}

static unsigned nas_home_network(struct qmi *q)
{
	q_network(q, 0x01);
	q_number(q, 0x12, 2, 1);
	return 0;
}

static unsigned nas_signal(struct qmi *q)
{
	if (!registered())
		return QMI_NO_INFORMATION;
	q_open(q, 0x14);			/* LTE */
	q8(q, (unsigned)(2 * (int)m.rssi - 113) & 0xff);
	q8(q, (unsigned)-9 & 0xff);		/* RSRQ dB */
	q16(q, (unsigned)-101 & 0xffff);	/* RSRP dBm */
	q16(q, 132);				/* SNR, tenths of a dB */
	q_close(q);
	return 0;
}

static unsigned uim_card_status(struct qmi *q)
{
	int there = m.sim == 1;
	int blocked = m.pin_enabled && !m.pin_tries;

	q_open(q, 0x10);
	q16(q, there ? 0 : 0xffff);		/* primary GW application */
	q16(q, 0xffff);
	q16(q, 0xffff);
	q16(q, 0xffff);
	q8(q, 1);
	q8(q, there ? 1 : m.sim == 3 ? 2 : 0);	/* present, error, absent */
	q8(q, 0);
	q8(q, 3);				/* UPIN, UPUK tries */
	q8(q, 10);
	q8(q, 0);
	q8(q, (unsigned)there);
	if (there) {
		q8(q, 2);			/* USIM */
		q8(q, blocked ? 3 : pin_locked() ? 2 : 7);
		q8(q, 2);			/* no personalization */
		q8(q, 11);
		q16(q, 0);
		q8(q, 7);
		q_text(q, "\xa0\x01\x01\x01\x87\x10\x02");
		q8(q, 0);
		q8(q, blocked ? 4 : !m.pin_enabled ? 3 : pin_locked() ? 1 : 2);
		q8(q, m.pin_tries);
		q8(q, m.puk_tries);
		q8(q, 1);			/* PIN2 */
		q8(q, 3);
		q8(q, 10);
	}
	q_close(q);
	return 0;
}

static unsigned wds_start(struct qmi *q)
{
	if (m.pdh)
		return QMI_NO_EFFECT;
	if (not_ready() || !registered() || opt.nwerror) {
		q_number(q, 0x10, 2, opt.nwerror ? 1 : 3);
		if (opt.nwerror)		/* 6: as 3GPP counts */
			q_number(q, 0x11, 4, 6 | (unsigned)opt.nwerror << 16);
		return QMI_CALL_FAILED;
	}
	attach();
	m.pdh = 0xe1a2b3c4;
	q_number(q, 0x01, 4, m.pdh);
	return 0;
}

static unsigned wds_stop(struct qmi *q)
{
	const unsigned char *p = q_find(q, 0x01, 4);

	if (!p)
		return QMI_MISSING;
	if (!m.pdh)
		return QMI_NO_EFFECT;
	if (get32(p) != m.pdh && get32(p) != 0xffffffff)
		return QMI_BAD_HANDLE;
	m.pdh = 0;
	return 0;
}

static unsigned wds_status(struct qmi *q)
{
	q_number(q, 0x01, 1, m.pdh ? 2 : 1);
	return 0;
}

static unsigned wds_settings(struct qmi *q)
{
	if (!m.pdh)
		return QMI_OUT_OF_CALL;
	q_number(q, 0x15, 4, 0xc0000235);	/* 192.0.2.53, .54 */
	q_number(q, 0x16, 4, 0xc0000236);
	q_number(q, 0x1e, 4, 0x0a000002);	/* 10.0.0.2, of /30 */
	q_number(q, 0x20, 4, 0x0a000001);
	q_number(q, 0x21, 4, 0xfffffffc);
	q_number(q, 0x29, 4, 1500);
	q_number(q, 0x2b, 1, 4);
	return 0;
}

static const struct qmi_message {
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
	if (p[3] || p[6] || !p[7] || get16(p + head - 2) != rq->len - head) {
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

/*
 * The information buffer is one QMUX frame, exactly.  A frame that is not,
 * and a client that was not allocated, an EM7355 answers with MBIM status 2
 * and no frame (golden-vectors.md, A1 and A2).
 */
static unsigned qmi(struct request *rq, struct build *b)
{
	const unsigned char *p = rq->info;
	size_t head = rq->len > 4 && p[4] == CTL ? 12 : 13, wide = head - 12;
	unsigned char *out = b->base;
	struct qmi q = { .out = out + head + 7 };
	unsigned error;

	if (!qmi_sound(rq, head))
		return FAILURE;
	q.service = p[4];
	q.client = p[5];
	q.message = get16(p + 8 + wide);
	q.tlvs = p + head;
	q.len = rq->len - head;
	if (q.service && opt.badqmi)
		return FAILURE;
	if (q.service && (!q.client || find_client(q.service, q.client) ==
			  COUNT(m.clients))) {
		bad("QMI client %02x:%02x is not allocated", q.service,
		    q.client);
		return FAILURE;
	}
	error = run_qmi(rq, &q);
	q.n += head + 7;
	out[0] = 1;
	put16(out + 1, (unsigned)q.n - 1);
	out[3] = 0x80;				/* from the service */
	out[4] = p[4];
	out[5] = p[5];
	out[6] = q.service ? 2 : 1;		/* response */
	out[7] = p[7];
	out[7 + wide] = p[7 + wide];
	put16(out + 8 + wide, q.message);
	put16(out + 10 + wide, (unsigned)(q.n - head));
	out[head] = 2;				/* the result comes first */
	put16(out + head + 1, 4);
	put16(out + head + 3, error != 0);
	put16(out + head + 5, error);
	b->end = q.n;
	return SUCCESS;
}

/* ---- which services there are, and what the host wants to hear ---------- */

static const unsigned cids[SERVICES] = {	/* a bit for each CID */
	[BASIC] = 0x1f9fffe, [SMS] = 0x3e, [QMI] = 2, [EXT] = 0x8040,
	[QUECTEL] = 2,
};

static int find_service(const unsigned char *uuid)
{
	int i, n = opt.quectel ? SERVICES : QUECTEL;

	for (i = 0; i < n; i++)
		if (!memcmp(uuids[i], uuid, 16))
			return i;
	return -1;
}

static unsigned device_services(struct request *rq, struct build *b)
{
	unsigned n = opt.quectel ? SERVICES : QUECTEL, i, cid;

	(void)rq;
	start(b, 8 + 8 * n);			/* MBIM 1.0 §10.5.29 */
	add32(b, n);
	add32(b, 0);
	for (i = 0; i < n; i++) {
		unsigned count = (unsigned)__builtin_popcount(cids[i]);
		struct build in = inner(b, 28 + 4 * count);

		add_uuid(&in, uuids[i]);
		add32(&in, 0);
		add32(&in, 0);
		add32(&in, count);
		for (cid = 1; cid < 32; cid++)
			if (cids[i] >> cid & 1)
				add32(&in, cid);
		add_inner(b, &in);
	}
	return SUCCESS;
}

/* One entry of the list; no CIDs means all of them. */
static void read_entry(struct request *rq, size_t at, size_t len,
		       unsigned *wanted)
{
	unsigned n = field(rq, at + 16), i, cid;
	int service = find_service(rq->info + at);

	if (len != 20 + 4 * (size_t)n) {
		bad("subscribe: %u CIDs in %zu bytes", n, len);
		rq->wrong = 1;
		return;
	}
	if (service < 0)
		return;
	for (i = 0; i < n; i++) {
		cid = field(rq, at + 20 + 4 * i);
		wanted[service] |= cid < 32 ? 1u << cid : 0;
	}
	if (!n)
		wanted[service] = ~0u;
}

static unsigned subscribe(struct request *rq, struct build *b)
{
	unsigned wanted[SERVICES] = { 0 }, n = field(rq, 0), i;
	size_t len;

	if (opt.rejectsub)
		return NO_DEVICE_SUPPORT;
	if (n > 32 || 4 + 8 * n > rq->len)
		return INVALID;
	rq->end = 4 + 8 * n;
	for (i = 0; i < n && !rq->wrong; i++) {
		size_t at = element(rq, 4, i, n, 20);

		follow(rq, 0, 4 + 8 * i, 4, &len);
		if (!rq->wrong)
			read_entry(rq, at, len, wanted);
	}
	if (!sound(rq))
		return INVALID;
	memcpy(m.subscribed, wanted, sizeof(wanted));
	memcpy(b->base, rq->info, rq->len);	/* what is in force now */
	b->end = rq->len;
	return SUCCESS;
}

/* ---- the commands ------------------------------------------------------ */

#define VARIABLE	0x1000			/* at least so many bytes */
#define NONE		-1

static const struct command {
	int service;
	unsigned cid, version;			/* since which MBIMEx */
	int query, set;				/* information buffer sizes */
	unsigned (*run)(struct request *, struct build *);
} commands[] = {
	{ BASIC, 1, 1, 0, NONE, device_caps },
	{ BASIC, 2, 1, 0, NONE, ready_status },
	{ BASIC, 3, 1, 0, 4, radio_state },
	{ BASIC, 4, 1, 0, 24 | VARIABLE, pin },
	{ BASIC, 5, 1, 0, NONE, pin_list },
	{ BASIC, 6, 1, 0, 32 | VARIABLE, home_provider },
	{ BASIC, 7, 1, 0, 4 | VARIABLE, provider_lists },
	{ BASIC, 8, 1, 4, NONE, visible_providers },
	{ BASIC, 9, 1, 0, 16 | VARIABLE, register_state },
	{ BASIC, 10, 1, 0, 4, packet_service },
	{ BASIC, 11, 1, 0, 12, signal_state },
	{ BASIC, 12, 1, 36, 60 | VARIABLE, connect_session },
	{ BASIC, 12, 3, 4, 40 | VARIABLE, connect_session },
	{ BASIC, 13, 1, 0, 60 | VARIABLE, provisioned_contexts },
	{ BASIC, 14, 1, NONE, 0 | VARIABLE, service_activation },
	{ BASIC, 15, 1, 60, NONE, ip_configuration },
	{ BASIC, 16, 1, 0, NONE, device_services },
	{ BASIC, 19, 1, NONE, 4 | VARIABLE, subscribe },
	{ BASIC, 20, 1, 0, NONE, packet_statistics },
	{ BASIC, 21, 1, 0, 4, switches },
	{ BASIC, 22, 1, 0, 4, switches },
	{ BASIC, 23, 1, 8, 8 | VARIABLE, packet_filters },
	{ BASIC, 24, 1, 0, 4 | VARIABLE, provider_lists },
	{ SMS, 1, 1, 0, 12 | VARIABLE, sms_configuration },
	{ SMS, 2, 1, 12, NONE, sms_read },
	{ SMS, 3, 1, NONE, 12 | VARIABLE, sms_send },
	{ SMS, 4, 1, NONE, 8, sms_delete },
	{ SMS, 5, 1, 0, NONE, sms_store_status },
	{ QMI, 1, 1, NONE, 0 | VARIABLE, qmi },
	{ EXT, 6, 1, 0, NONE, device_caps },
	{ EXT, 6, 3, 0, NONE, device_caps_v3 },
	{ EXT, 15, 1, 4, NONE, version },
	{ QUECTEL, 1, 1, 0, 4, quectel_radio },
};

/* What a command may carry by the specification, or an error status. */
static unsigned check_size(const struct request *rq, const struct command *c)
{
	int size = rq->set ? c->set : c->query;
	size_t least = (size_t)(size & ~VARIABLE);

	if (size == NONE)
		return NO_DEVICE_SUPPORT;
	if (size & VARIABLE ? rq->len >= least : rq->len == least)
		return SUCCESS;
	bad("cid %u %s: %zu bytes, not %zu", rq->cid,
	    rq->set ? "set" : "query", rq->len, least);
	return INVALID;
}

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

static unsigned planned_status(const struct request *rq)
{
	const struct planned *p = planned(STATUSQ, rq);

	if (p && !rq->set)
		return (unsigned)p->arg;
	p = planned(STATUS, rq);
	if (p && (rq->set || (p->kind != AT_CID && p->kind != AT_CMD)))
		return (unsigned)p->arg;
	return SUCCESS;
}

static void serve_command(struct request *rq)
{
	const struct command *c = find_command(rq);
	struct build b = reply_build();
	unsigned status = planned_status(rq);

	rq->end = 0;
	if (!status)
		status = c ? check_size(rq, c) : NO_DEVICE_SUPPORT;
	if (!status) {
		int size = rq->set ? c->set : c->query;

		rq->end = (size_t)(size & ~VARIABLE);
		status = c->run(rq, &b);
		if (status == PENDING)
			return;
	}
	complete(rq, status, b.end);
}

/* ---- opening and closing ------------------------------------------------ */

static void reset_function(void)
{
	unsigned id;

	for (id = 0; id < SESSIONS; id++)	/* both end IP sessions */
		m.sessions[id].active = 0;
	memset(m.clients, 0, sizeof(m.clients));
	memset(m.subscribed, 0, sizeof(m.subscribed));
	m.subscribed[BASIC] = ~0u;		/* the default, §10.5 */
	m.pdh = 0;
	m.asked_ready = 0;
	m.version = opt.ex > 1 ? (unsigned)opt.ex : 1;
	forget_answers();
}

static unsigned open_status(const struct request *rq)
{
	const struct planned *p = planned(OPENFAIL, rq);

	if (p && opt.openfail > 0) {
		opt.openfail--;
		return (unsigned)p->arg;
	}
	if (opt.busy > 0) {
		opt.busy--;
		return BUSY;
	}
	p = planned(STATUS, rq);
	return p ? (unsigned)p->arg : SUCCESS;
}

/* MBIM 1.0 §9.3.1, §9.3.2: both start from nothing. */
static void serve_open(const struct request *rq, unsigned max)
{
	unsigned char p[16];
	unsigned status = open_status(rq);

	seen.opens++;
	if (max < 64) {
		bad("MaxControlTransfer %u", max);
		status = INVALID;
	}
	reset_function();
	m.opened = 0;
	if (opt.maxtransfer && max > (unsigned)opt.maxtransfer) {
		function_error(rq, MAX_TRANSFER);
		return;
	}
	m.opened = !status;
	if (m.opened)
		m.max = max;
	header(p, OPEN_DONE, 16, rq->tid);
	put32(p + 12, status);
	answer(rq, p, 16);
}

static void serve_close(const struct request *rq)
{
	const struct planned *fail = planned(STATUS, rq);
	unsigned char p[16];

	seen.closes++;
	header(p, CLOSE_DONE, 16, rq->tid);
	/* a D-Link that never opened said Failure here */
	put32(p + 12, fail ? (unsigned)fail->arg :
	      m.opened ? SUCCESS : FAILURE);
	reset_function();
	m.opened = 0;
	answer(rq, p, 16);
	m.max = 0;
}

/* ---- from the host: framing ---------------------------------------------- */

static struct {
	unsigned char bytes[LONGEST];
	size_t len;
	unsigned tid, total, next;
	long long since;
} joined;

static void refuse(struct request *rq, enum protocol_error code,
		   const char *why)
{
	bad("%s", why);
	joined.total = 0;
	function_error(rq, code);
}

/* Whether the whole command is there now, in joined.bytes. */
static int join(struct request *rq, const unsigned char *p, size_t len)
{
	unsigned total = get32(p + 12), current = get32(p + 16);
	int first = current == 0;

	if (!total || current >= total ||
	    (!first && (!joined.total || joined.tid != rq->tid ||
			current != joined.next || total != joined.total)) ||
	    (first && joined.total)) {
		refuse(rq, OUT_OF_SEQUENCE, "fragment out of sequence");
		return 0;
	}
	if (first)
		joined.len = 0;
	else
		p += 20, len -= 20;
	if (len > sizeof(joined.bytes) - joined.len) {
		refuse(rq, LENGTH_MISMATCH, "command too long");
		return 0;
	}
	memcpy(joined.bytes + joined.len, p, len);
	joined.len += len;
	joined.tid = rq->tid;
	joined.total = total;
	joined.next = current + 1;
	joined.since = now;
	if (joined.next < total)
		return 0;
	joined.total = 0;
	return 1;
}

static void count_waiting(unsigned tid, int command)
{
	unsigned i;

	for (i = 0; command && i < waits; i++)
		if (!waiting[i].silent) {
			seen.overlapped++;
			break;
		}
	if (waits < COUNT(waiting)) {
		waiting[waits].tid = tid;
		waiting[waits++].silent = 0;
	}
}

/* MBIM 1.0 §9.3.3 */
static void take_command(struct request *rq)
{
	const unsigned char *p = joined.bytes;

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
	}
	seen.requests++;
	count_waiting(rq->tid, 1);
	if (!m.opened || opt.notopened > 0) {
		opt.notopened -= m.opened;
		m.opened = 0;
		seen.notopened++;
		function_error(rq, NOT_OPENED);
		return;
	}
	if (rq->set > 1) {
		bad("command type %u", rq->set);
		complete(rq, INVALID, 0);
		return;
	}
	serve_command(rq);
}

static int tid_in_use(unsigned tid)
{
	unsigned i;

	for (i = 0; i < waits && waiting[i].tid != tid; i++)
		;
	return i < waits;
}

static void take_fragment(struct request *rq, const unsigned char *p,
			  size_t len)
{
	if (len < 20) {
		refuse(rq, LENGTH_MISMATCH, "command without header");
		return;
	}
	if (m.opened && len > m.max) {
		refuse(rq, LENGTH_MISMATCH, "longer than MaxControlTransfer");
		return;
	}
	if (get32(p + 16) == 0 && tid_in_use(rq->tid)) {
		refuse(rq, DUPLICATED_TID, "transaction id in use");
		return;
	}
	if (join(rq, p, len))
		take_command(rq);
}

/*
 * ==== the core's interface: bytes in, frames out, time goes on ============
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
	rq.number = m.heard += rq.type != COMMAND || len < 20 ||
		!get32(p + 16);
	if (!rq.tid) {
		refuse(&rq, UNKNOWN, "transaction id 0");
	} else if (get32(p + 4) != len) {
		refuse(&rq, LENGTH_MISMATCH, "MessageLength");
	} else if (rq.type == OPEN || rq.type == CLOSE) {
		if (len != (rq.type == OPEN ? 16 : 12)) {
			refuse(&rq, LENGTH_MISMATCH, rq.type == OPEN ?
			       "OPEN is 16 bytes" : "CLOSE is 12 bytes");
			return;
		}
		joined.total = 0;
		waits = 0;			/* it resets all others */
		count_waiting(rq.tid, 0);
		if (rq.type == OPEN)
			serve_open(&rq, get32(p + 12));
		else
			serve_close(&rq);
	} else if (rq.type == COMMAND) {
		take_fragment(&rq, p, len);
	} else if (rq.type == HOST_ERROR && len == 16) {
		seen.host_errors++;
	} else {
		refuse(&rq, UNKNOWN, "unknown message type");
	}
}

static void core_tick(void)
{
	static long long flooded, wobbled;
	unsigned i;

	run_jobs();
	if (joined.total && now - joined.since > 1250) {
		struct request rq = { .type = COMMAND, .tid = joined.tid,
				      .service = -1 };

		refuse(&rq, TIMEOUT_FRAGMENT, "fragments stopped");
	}
	if (opt.flood && m.opened && now >= flooded + 2 && queued < 8) {
		notify(BASIC, 11, body_signal, 0, now);
		flooded = now;
	}
	if (opt.wobble && now >= wobbled + opt.wobble) {
		m.rssi += m.rssi == (unsigned)opt.rssi ? 1 : -1u;
		indicate(BASIC, 11, body_signal, 0);
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
	if (f->tid)
		no_longer_waiting(f->tid);
	drop_frame((unsigned)(f - frames));
}

/* Milliseconds until something happens by itself, -1 for never. */
static int core_wait(void)
{
	long long soonest = now + 3600000;
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
	if (opt.flood && m.opened && now + 2 < soonest)
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
	njobs = 0;
	m.opened = 0;
	queued = 0, stored = 0, notes = 0;
}

static void core_init(void)
{
	long i;

	m.hw = opt.hwradio != 0;
	m.fcc = opt.fcc != 0;
	m.sw = opt.radio >= 0 ? opt.radio != 0 : !m.fcc;
	m.sim = !strcmp(opt.sim, "absent") ? 2 : !strcmp(opt.sim, "bad") ? 3 :
		!strcmp(opt.sim, "notinit") || opt.simdelay ? 0 : 1;
	m.pin_enabled = *opt.pin != 0;
	m.pin_tries = (unsigned)opt.attempts;
	m.puk_tries = 10;
	snprintf(m.pin, sizeof(m.pin), "%s", *opt.pin ? opt.pin : "1234");
	m.rssi = (unsigned)opt.rssi;
	m.usb = (unsigned)opt.usb;
	m.reg_mode = 1;
	home.state = 1;
	strcpy(home.id, networks[0][0]);
	contexts[0].id = 1;
	memcpy(contexts[0].type, internet, 16);
	strcpy(contexts[0].apn, "internet");
	add_message(0, 0, "059151550000040891515510000000621112900043000B"
		    "E8329BFD06B5DFE4721B");	/* "hello modem" */
	add_message(1, 1, "05915155000004089151551099000062111290104300"
		    "086F3619E42EDFE7");	/* "old news" */
	newest = 1;
	reset_function();
	if (opt.simdelay && !strcmp(opt.sim, "ready"))
		after(opt.simdelay, card_ready, NULL);
	search(NULL);
	if (opt.session >= 0 && opt.session < SESSIONS) {
		m.reg = HOME;
		m.attached = 1;
		m.sessions[opt.session].active = 1;
		m.sessions[opt.session].ip_type = 1;
		memcpy(m.sessions[opt.session].context, internet, 16);
	}
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
	fprintf(f, m.pdh ? "\npdh=0x%08x" : "\npdh=", m.pdh);
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
 * ==== the doors: how a host reaches the core ==============================
 */

static struct door {
	const char *path;
	int fd, listener, slave;	/* slave: keeps a pty alive */
	int is_pty, reset;
	unsigned char in[LONGEST];
	size_t in_len, sent;
	int sending;
	long long since, next;		/* last input, next piece out */
} socket_door = { .fd = -1, .listener = -1, .slave = -1 },
  pty_door = { .fd = -1, .listener = -1, .slave = -1, .is_pty = 1 };

static struct door *host;		/* who gets the answers */
static FILE *log_file;
static const char *report_path;
static int once, finished;
static volatile sig_atomic_t want_report, want_end;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "modem: %s: %s\n", what, strerror(errno));
	exit(1);
}

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

	if (d->is_pty || ioctl(d->fd, SIOCOUTQ, &n))
		return 0;
	return n > 0 || poll(&p, 1, 0) > 0;
}

/*
 * Send what is due, one frame at a time: like cdc-wdm, the next is fetched
 * when the client has read the last.  Whether all was sent and read.
 */
static int door_output(struct door *d)
{
	const unsigned char *p;
	struct frame *f;
	size_t n;
	ssize_t done;

	while (d == host && d->fd >= 0 && (f = core_output(&p))) {
		if (d->sending && d->sent == f->len) {
			if (unread(d))
				return 0;
			core_taken(f);
			d->sending = 0;
			continue;
		}
		if (f->hangup) {
			core_unplug();
			hang_up(d);
			return 1;
		}
		if (d->sending && now < d->next)
			return 0;
		if (!d->sending)
			d->sent = 0;
		n = f->len - d->sent;
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
		if (d->sent == f->len)
			log_frame('<', p, f->len);
	}
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

static void socket_input(struct door *d, int hup)
{
	ssize_t n = recv(d->fd, d->in, sizeof(d->in), MSG_DONTWAIT);

	if (n < 0 && errno == ECONNRESET)
		d->reset = 1;
	else if (n > 0 || (n == 0 && !hup))
		heard(d, d->in, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		socket_gone(d);
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
	if (!p->revents || p->fd < 0)
		return;
	if (p->fd == d->listener) {
		d->fd = accept4(d->listener, NULL, NULL,
				SOCK_CLOEXEC | SOCK_NONBLOCK);
		host = d->fd >= 0 ? d : host;
	} else if (d->is_pty) {
		pty_input(d);
	} else {
		socket_input(d, p->revents & POLLHUP);
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
	if (!report_path)
		fflush(f);
	else if (fclose(f) || rename(name, report_path))
		die(report_path);
}

static void on_signal(int n)
{
	if (n == SIGUSR1)
		want_report = 1;
	else
		want_end = 1;
}

static void one_turn(const sigset_t *open_mask)
{
	struct door *doors[2] = { &socket_door, &pty_door };
	struct pollfd p[2];
	struct timespec t;
	int i, ms = core_wait();

	for (i = 0; i < 2; i++) {
		struct door *d = doors[i];

		if (!door_output(d) && ms > 1)
			ms = 1;
		if (d->in_len && ms > 100)
			ms = 100;
		p[i].fd = d->fd >= 0 ? d->fd : d->listener;
		p[i].events = POLLIN;
		p[i].revents = 0;
	}
	t.tv_sec = ms / 1000;
	t.tv_nsec = ms % 1000 * 1000000L;
	if (ppoll(p, 2, &t, open_mask) < 0 && errno != EINTR)
		die("ppoll");
	now = clock_ms();
	core_tick();
	for (i = 0; i < 2; i++) {
		door_output(doors[i]);
		door_input(doors[i], &p[i]);
	}
	core_tick();
	if (want_report) {
		want_report = 0;
		write_report();
	}
}

static void catch_signals(sigset_t *open_mask)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGUSR1 };
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

int main(int argc, char **argv)
{
	sigset_t open_mask;
	int c;

	while ((c = getopt(argc, argv, "s:p:l:r:1")) != -1) {
		if (c == 's')
			socket_door.path = optarg;
		else if (c == 'p')
			pty_door.path = optarg;
		else if (c == 'l')
			log_file = fopen(optarg, "w");
		else if (c == 'r')
			report_path = optarg;
		else if (c == '1')
			once = 1;
		else
			return usage("options");
		if (c == 'l' && !log_file)
			die(optarg);
	}
	for (; optind < argc; optind++)
		if (!parse_option(argv[optind]))
			return usage(argv[optind]);
	if (!socket_door.path && !pty_door.path)
		return usage("-s or -p");
	now = clock_ms();
	core_init();
	catch_signals(&open_mask);
	if (socket_door.path)
		open_socket(&socket_door);
	if (pty_door.path)
		open_pty(&pty_door);
	host = pty_door.path ? &pty_door : &socket_door;
	printf("ready\n");
	fflush(stdout);
	while (!want_end && !finished)
		one_turn(&open_mask);
	write_report();
	if (socket_door.path)
		unlink(socket_door.path);
	if (pty_door.path)
		unlink(pty_door.path);
	return 0;
}
