/* SPDX-License-Identifier: ISC
 *
 * The pipe: how bytes reach a modem. The reader of untrusted bytes, opening and
 * locking the device, waiting with a deadline, frames and fragments, OPEN and
 * CLOSE, one transaction at a time. It knows no service, and no command but the
 * query that it pushes through a channel out of step. It prints nothing.
 *
 * MBIM 1.0 errata 1, §9 (messages); Linux cdc-wdm.c (what a read and a write
 * of the device really do).
 */
#include "mbim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- refusals ---- */

enum { STATUS_BUSY = 1, NOT_OPENED = 5, MAX_TRANSFER = 8 };

int mbim_refused(uint32_t status, int code, const char *more)
{
	const char *try = code ? NULL : name_of(HINT, status);
	static const uint8_t exits[] = {
		[3] = NO_SIM, [4] = NO_SIM, [5] = PIN_NEEDED,
		[9] = UNSUPPORTED, [14] = NO_SIM,
	};

	if (!code && status < sizeof(exits))
		code = exits[status];
	return fail_with(code ? code : REFUSED, "modem said ", status,
		name_of(MBIM_STATUS, status), more, try);
}

/* ---- untrusted bytes ---- */

const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p;

	if (r->bad || n > r->len - r->at) {
		r->bad = 1;
		return NULL;
	}
	p = r->base + r->at;
	r->at += n;
	return p;
}

uint64_t take_number(struct reader *r, size_t bytes)
{
	const uint8_t *p = take(r, bytes);
	uint64_t n = 0;

	while (p && bytes--)
		n = n << 8 | p[bytes];
	return n;
}

struct reader window(struct reader *r, size_t offset, size_t size)
{
	struct reader w = { r->base, 0, 0, 1 };

	if (r->bad || offset > r->len || size > r->len - offset) {
		r->bad = 1;
		return w;
	}
	w.base = r->base + offset;
	w.len = size;
	w.bad = 0;
	return w;
}

void put_number(uint8_t *p, uint64_t n, size_t bytes)
{
	for (; bytes--; n >>= 8)
		*p++ = (uint8_t)n;
}

static uint32_t get_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		(uint32_t)p[3] << 24;
}

/* ---- waiting ---- */

int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/*
 * The only place that sleeps, and the only one where signals get through.
 * Waits for events on the device, or (events 0) just for the time to pass.
 * Returns 0 or a signal's exit code; *got is 0 when the time is over.
 */
static int wait_for(struct mbim *m, short events, int64_t limit, short *got)
{
	struct pollfd p = { m->fd, events, 0 };
	struct timespec t;
	int64_t left;
	int n;

	for (;;) {
		if (signals_seen > m->signals_known)
			return fail(SIGNALLED + signal_last, "interrupted",
				NULL);
		left = limit - now();
		if (left < 0)
			left = 0;
		t.tv_sec = (time_t)(left / SECOND);
		t.tv_nsec = (long)(left % SECOND);
		n = ppoll(&p, events != 0, &t, &m->waiting);
		if (n < 0 && errno == EINTR)
			continue;
		*got = n > 0 ? p.revents : 0;
		return DONE;
	}
}

/* Let signals in and sleep, when there is something to do all the time. */
static int doze(struct mbim *m, int64_t time)
{
	int64_t end = now() + time;
	short got;

	return wait_for(m, 0, end < m->limit ? end : m->limit, &got);
}

void mbim_clean_up(struct mbim *m)
{
	if (m->cleaning)
		return;
	m->cleaning = 1;
	m->limit = now() + 3 * SECOND;
	m->signals_known = signals_seen ? signals_seen : 1;
	failure.quiet = 1;
}

static int device_gone(struct mbim *m)
{
	m->gone = 1;
	return fail(NO_DEVICE, m->path, ": the device went away", NULL);
}

/* ---- frames ---- */

enum {
	OPEN = 1, CLOSE = 2, COMMAND = 3,
	OPEN_DONE = 0x80000001, CLOSE_DONE, COMMAND_DONE,
	FUNCTION_ERROR, INDICATE_STATUS = 0x80000007,
	HEADER = 12, FRAGMENT = 8,
	WRITE_LOST = -1		/* the device did not take what was written */
};

/* What is to be sent: a head of its own, and a command's information buffer. */
struct message {
	uint32_t type;
	const uint8_t *head, *info;
	size_t head_len, info_len;
};

/* A whole message that came: its type, id, and what follows the headers. */
struct frame {
	uint32_t type, id;
	struct reader body;
};

static uint8_t out[MBIM_REPLY_MAX + HEADER + FRAGMENT];
static uint8_t in[MBIM_REPLY_MAX];	/* in_len as read, in_at parsed */
static size_t in_len, in_at;
static uint8_t joined[MBIM_REPLY_MAX];	/* fragments: of this id, this far */
static size_t joined_len;
static uint32_t joined_id, joined_next;

static void put_header(uint8_t *p, uint32_t type, size_t len, uint32_t id)
{
	put_number(p, type, 4);
	put_number(p + 4, len, 4);
	put_number(p + 8, id, 4);
}

/*
 * One write is one control message. EIO is the failure of an earlier one,
 * reported late: this one was not sent.
 */
static int write_frame(struct mbim *m, const uint8_t *frame, size_t len)
{
	short got;
	ssize_t n;
	int code;

	while (len) {
		code = wait_for(m, POLLOUT, m->limit, &got);
		if (code)
			return code;
		if (!got)
			return fail(TIMED_OUT, "the device takes no data",
				NULL);
		if (got & (POLLHUP | POLLNVAL))
			return device_gone(m);
		n = write(m->fd, frame, len);
		if (n < 0 && errno == EIO)
			return WRITE_LOST;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return device_gone(m);
		if (n < 0) {		/* ready, but only to say no */
			code = doze(m, SECOND / 100);
			if (!code && now() >= m->limit)
				code = TIMED_OUT;
			if (code)
				return code;
		}
		if (n > 0) {
			frame += n;
			len -= (size_t)n;
		}
	}
	return DONE;
}

/* Send a message in as many fragments as it needs (MBIM 1.0 §9.5). */
static int send_once(struct mbim *m, const struct message *q, uint32_t id)
{
	size_t head = HEADER + (q->type == COMMAND ? FRAGMENT : 0);
	size_t len = q->head_len + q->info_len;
	size_t piece = m->mark.control_size - head;
	size_t total = len > piece ? (len + piece - 1) / piece : 1, i, n;
	int code = DONE;

	if (q->head_len)
		memcpy(out + head, q->head, q->head_len);
	if (q->info_len)
		memcpy(out + head + q->head_len, q->info, q->info_len);
	/* each fragment's headers overwrite what was sent before it */
	for (i = 0; i < total && !code; i++) {
		uint8_t *p = out + i * piece;

		n = len - i * piece < piece ? len - i * piece : piece;
		put_header(p, q->type, head + n, id);
		if (q->type == COMMAND) {
			put_number(p + HEADER, total, 4);
			put_number(p + HEADER + 4, i, 4);
		}
		if (m->trace)
			m->trace(1, p, head + n);
		code = write_frame(m, p, head + n);
	}
	return code;
}

static int send_message(struct mbim *m, const struct message *q, uint32_t id)
{
	int code, tries = 3;

	if (m->gone)
		return NO_DEVICE;
	m->unanswered = 1;
	do
		code = send_once(m, q, id);
	while (code == WRITE_LOST && --tries);
	return code == WRITE_LOST ? device_gone(m) : code;
}

/* Is this the header of a message that fits? */
static size_t message_length(const uint8_t *p, size_t len)
{
	uint32_t type, size;

	if (len < HEADER)
		return 0;
	type = get_u32(p);
	size = get_u32(p + 4);
	return type >= OPEN_DONE && type <= INDICATE_STATUS && size >= HEADER &&
		size <= MBIM_REPLY_MAX ? size : 0;
}

/*
 * Read what is there. A message begins with a read; when a read is a whole
 * message while another was half there, that other one will not be finished.
 */
static int fill(struct mbim *m)
{
	ssize_t n;

	if (in_at) {
		memmove(in, in + in_at, in_len - in_at);
		in_len -= in_at;
		in_at = 0;
	}
	n = read(m->fd, in + in_len, sizeof(in) - in_len);
	if (n < 0 && errno == ENOBUFS)
		in_len = 0;	/* the driver lost one */
	if (n < 0 && errno == ENODEV)
		return device_gone(m);
	if (n <= 0)
		return DONE;
	if (in_len && message_length(in + in_len, (size_t)n) == (size_t)n) {
		memmove(in, in + in_len, (size_t)n);
		in_len = 0;
	}
	in_len += (size_t)n;
	return DONE;
}

/* ERR alone: collect a write's error, or go slowly while it stays. */
static int collect_error(struct mbim *m)
{
	short got;
	int code = wait_for(m, POLLOUT, 0, &got);

	/* with a write under way it would wait, without limit */
	if (!code && got & POLLOUT && fsync(m->fd) < 0 && errno == EIO)
		return WRITE_LOST;
	return code ? code : doze(m, SECOND / 20);
}

/* Wait for input and read it; TIMED_OUT is not recorded as a failure here. */
static int await_input(struct mbim *m, int64_t limit)
{
	size_t before = in_len - in_at;
	short got;
	int code = wait_for(m, POLLIN, limit, &got);

	if (code)
		return code;
	if (!got)
		return TIMED_OUT;
	if (got & POLLIN)
		code = fill(m);
	if (code || in_len - in_at != before)
		return code;
	if (got & (POLLHUP | POLLNVAL))
		return device_gone(m);
	if (got & POLLERR)
		return collect_error(m);
	/* readable, but with nothing to read: look again, slowly */
	code = doze(m, SECOND / 100);
	return code || now() < limit ? code : TIMED_OUT;
}

/* Join fragments in strict order. Returns whether the message is whole. */
static int join(struct mbim *m, const uint8_t *p, size_t len, struct frame *f)
{
	uint32_t total = get_u32(p + HEADER), current = get_u32(p + HEADER + 4);
	size_t skip = current ? HEADER + FRAGMENT : 0;

	if (total <= 1) {
		f->body = (struct reader){ p, len, HEADER + FRAGMENT, 0 };
		return 1;
	}
	if (current == 0) {
		joined_len = 0;
		joined_next = 0;
		joined_id = f->id;
	}
	if (current != joined_next || current >= total || f->id != joined_id ||
	    len - skip > sizeof(joined) - joined_len) {
		joined_next = UINT32_MAX;
		return 0;
	}
	memcpy(joined + joined_len, p + skip, len - skip);
	joined_len += len - skip;
	if (++joined_next < total)
		return 0;
	put_number(joined + 4, joined_len, 4);
	put_number(joined + HEADER, 1, 4);
	if (m->trace)
		m->trace(0, joined, joined_len);
	f->body = (struct reader){ joined, joined_len, HEADER + FRAGMENT, 0 };
	return 1;
}

/*
 * Take the next message out of what was read. Returns 1 when *f is one, 0 when
 * more input is needed, -1 when a frame or garbage was dropped.
 */
static int parse_input(struct mbim *m, struct frame *f)
{
	const uint8_t *p = in + in_at;
	size_t have = in_len - in_at, len = message_length(p, have);

	if (have < HEADER)
		return 0;
	if (!len) {
		in_at = in_len;		/* whatever it was */
		return -1;
	}
	if (len > have)
		return 0;
	in_at += len;
	if (m->trace)
		m->trace(0, p, len);
	f->type = get_u32(p);
	f->id = get_u32(p + 8);
	f->body = (struct reader){ p, len, HEADER, 0 };
	if (f->type != COMMAND_DONE && f->type != INDICATE_STATUS)
		return 1;
	return len >= HEADER + FRAGMENT && join(m, p, len, f) ? 1 : -1;
}

static int next_frame(struct mbim *m, struct frame *f, int64_t limit)
{
	int code, n;

	while ((n = parse_input(m, f)) <= 0) {
		/* a flood of frames must not hold up signals or the limit */
		code = n < 0 ? doze(m, 0) : await_input(m, limit);
		if (!code && n < 0 && now() >= limit)
			code = TIMED_OUT;
		if (code)
			return code;
	}
	return DONE;
}

/* ---- transactions ---- */

enum { OWN_IDS = 8, PUSHES = 8 };

static const uint8_t basic_connect[16] = {
	0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f,
	0xb6, 0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf
};

/*
 * An answer that is not ours came: the channel may be an answer behind, and
 * only another request brings out the next. Ask what changes nothing.
 */
static int push(struct mbim *m)
{
	uint8_t head[28] = { 0 };
	struct message q = { COMMAND, head, NULL, sizeof(head), 0 };

	memcpy(head, basic_connect, sizeof(basic_connect));
	put_number(head + 16, 1, 4);	/* DEVICE_CAPS, query */
	m->owed++;
	return send_message(m, &q, m->next_id++);
}

static int is_ours(const struct frame *f, const struct message *q,
	const uint32_t *ids, size_t n)
{
	struct reader r = f->body;
	const uint8_t *p;

	while (n && ids[n - 1] != f->id)
		n--;
	if (!n)
		return 0;
	if (f->type == FUNCTION_ERROR)
		return 1;
	if (f->type != q->type + OPEN_DONE - OPEN)
		return 0;
	if (q->type != COMMAND)
		return 1;
	p = take(&r, 20);
	return !p || memcmp(p, q->head, 20) == 0;
}

/* Give the answers to pushes a moment, lest the next run finds them. */
static void collect_owed(struct mbim *m, struct frame *ours)
{
	static uint8_t kept[MBIM_REPLY_MAX];
	int64_t end = now() + SECOND / 10;
	struct frame f;

	memcpy(kept, ours->body.base, ours->body.len);
	ours->body.base = kept;
	while (m->owed && next_frame(m, &f, end < m->limit ? end : m->limit)
			== DONE)
		m->owed -= f.type == COMMAND_DONE || f.type == FUNCTION_ERROR;
	m->owed = 0;
}

static int silence(struct mbim *m)
{
	char seconds[24];
	struct text t = TEXT(seconds);

	text_decimal(&t, (uint64_t)((m->patience + SECOND - 1) / SECOND));
	return fail(TIMED_OUT, in_len > in_at ?
		"the modem's answer stopped half way; the deadline of " :
		"no answer from the modem within ", seconds, " s",
		m->joined ? " (the function was taken for open; --open "
			"starts it anew and ends data sessions)" : "", NULL);
}

/*
 * Send a request and wait for its answer. With again, it is sent anew, under a
 * new id, each time so long passes in silence; the older ids still count.
 */
static int exchange(struct mbim *m, const struct message *q, int64_t again,
	struct frame *f)
{
	uint32_t ids[OWN_IDS];
	size_t n = 0;
	int64_t limit;
	int code, pushes = 0, resend = 1;

	f->id = 0;
	f->type = 0;
	for (;;) {
		if (resend) {
			ids[n++] = m->next_id++;
			code = send_message(m, q, ids[n - 1]);
			if (code)
				return code;
		}
		limit = again && n < OWN_IDS ? now() + again : m->limit;
		limit = limit < m->limit ? limit : m->limit;
		code = next_frame(m, f, limit);
		if (!code && is_ours(f, q, ids, n))
			break;
		if (code == WRITE_LOST && n == OWN_IDS)
			code = device_gone(m);
		/* what was lost may be a push: a set is not repeated for that */
		resend = (code == WRITE_LOST && !m->owed) ||
			(code == TIMED_OUT && limit < m->limit);
		if (!code || code == WRITE_LOST)
			code = doze(m, code ? SECOND / 20 : 0);
		else if (resend)
			continue;
		else if (code == TIMED_OUT && m->critical && !m->cleaning)
			silence(m);
		if (!code && !resend && q->type != CLOSE && f->id &&
		    f->type <= FUNCTION_ERROR && pushes++ < PUSHES) {
			if (q->type != OPEN)
				code = push(m);
			else
				resend = n < OWN_IDS;
		}
		if (!code && now() >= m->limit)
			code = TIMED_OUT;
		if (code && m->critical && !m->cleaning && !m->gone) {
			mbim_clean_up(m);
			resend = 0;
			continue;
		}
		if (code)
			return code;
	}
	m->unanswered = 0;
	if (m->owed)
		collect_owed(m, f);
	return DONE;
}

/* ---- OPEN and CLOSE ---- */

int mbim_close(struct mbim *m)
{
	struct message q = { CLOSE, NULL, NULL, 0, 0 };
	struct frame f;
	int code = exchange(m, &q, 0, &f);

	m->close = 0;
	if (!code)
		m->mark.n_sessions = m->mark.n_kept = 0;
	return code == TIMED_OUT ? silence(m) : code;
}

static void send_close(struct mbim *m)
{
	if (mbim_close(m) && !m->gone && !failure.exit)
		warn("the modem did not answer CLOSE", NULL);
}

/* One OPEN; *status is that of OPEN_DONE, or a function error. */
static int send_open(struct mbim *m, int *function_error, uint32_t *status)
{
	int64_t third = (m->limit - now()) / 3;
	uint8_t head[4];
	struct message q = { OPEN, head, NULL, sizeof(head), 0 };
	struct frame f;
	int code;

	put_number(head, m->mark.control_size, 4);
	do {
		code = exchange(m, &q, third < 5 * SECOND ? third : 5 * SECOND,
			&f);
		if (code)
			return code == TIMED_OUT ? silence(m) : code;
		*function_error = f.type == FUNCTION_ERROR;
		*status = (uint32_t)take_number(&f.body, 4);
		if (f.body.bad)
			return fail(MALFORMED, "malformed OPEN_DONE", NULL);
		if (*function_error || *status != STATUS_BUSY)
			return DONE;
		code = doze(m, SECOND / 2);
	} while (!code && now() < m->limit);
	return code ? code : silence(m);
}

static int open_function(struct mbim *m)
{
	int function_error = 0, code, tries = 2;
	int64_t limit = m->limit;
	uint32_t status = 0;

	m->opened = 1;
	m->joined = 0;
	m->mark.n_sessions = m->mark.n_kept = 0;
	while ((code = send_open(m, &function_error, &status)) == DONE) {
		if (!function_error && status == 0)
			return DONE;
		if (!--tries)
			break;
		if (function_error && status == MAX_TRANSFER)
			m->mark.control_size = 512;
		/* which may not be answered by what is not open */
		if (limit > now() + 2 * SECOND)
			m->limit = now() + 2 * SECOND;
		send_close(m);
		m->limit = limit;
	}
	if (code)
		return code;
	if (!function_error)
		return mbim_refused(status, 0, "");
	return fail(REFUSED, "modem refused to open: ",
		name_of(FUNCTION_ERROR_NAME, status), NULL);
}

int mbim_with_session(struct mbim *m, int (*next)(struct mbim *m))
{
	int had = m->mark.n_sessions || m->mark.n_kept, code = DONE, leaves;

	m->joined = m->open == OPEN_NEVER || (m->open == OPEN_AUTO &&
		(had || (m->sys[0] && sys_net_is_up(m->sys))));
	if (!m->joined)
		code = open_function(m);
	if (!code)
		code = next(m);
	mbim_clean_up(m);
	leaves = m->mark.n_sessions || m->mark.n_kept;
	if (!m->gone && (m->close || (m->open != OPEN_NEVER && !leaves &&
			(m->opened || had)))) {
		send_close(m);
		m->mark.n_sessions = m->mark.n_kept = 0;
	}
	return code;
}

int mbim_command(struct mbim *m, const uint8_t service[16], uint32_t cid,
	enum mbim_operation operation, const uint8_t *info, size_t len,
	struct mbim_answer *answer)
{
	uint8_t head[28];
	struct message q = { COMMAND, head, info, sizeof(head), len };
	struct frame f;
	uint32_t error;
	int code;

	memcpy(head, service, 16);
	put_number(head + 16, cid, 4);
	put_number(head + 20, operation, 4);
	put_number(head + 24, len, 4);
	for (;;) {
		code = exchange(m, &q, 0, &f);
		if (code == TIMED_OUT)
			return silence(m);
		if (code || f.type != FUNCTION_ERROR)
			break;
		error = (uint32_t)take_number(&f.body, 4);
		/* it was not executed, so it may be sent again */
		if (error != NOT_OPENED || !m->joined || m->cleaning ||
		    m->open == OPEN_NEVER)
			return fail(REFUSED, "modem refused the message: ",
				name_of(FUNCTION_ERROR_NAME, error), NULL);
		code = open_function(m);
		if (code)
			return code;
	}
	if (code)
		return code;
	take(&f.body, 20);
	answer->status = (uint32_t)take_number(&f.body, 4);
	len = take_number(&f.body, 4);
	answer->info = (struct reader){ NULL, 0, 0, 0 };
	if (len)
		answer->info = window(&f.body, f.body.at, len);
	if (f.body.bad)
		return fail(MALFORMED, "malformed answer", NULL);
	return DONE;
}

/* ---- the device ---- */

static int proxy_runs(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0mbim-proxy" };
	int yes, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
		SOCK_CLOEXEC, 0);

	yes = fd >= 0 && (connect(fd, (struct sockaddr *)&a,
		offsetof(struct sockaddr_un, sun_path) + 11) == 0 ||
		errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return yes;
}

static int connect_socket(struct mbim *m)
{
	struct sockaddr_un a = { AF_UNIX, "" };
	struct text t = TEXT(a.sun_path);

	text_add(&t, m->path);
	m->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0);
	return m->fd < 0 ? -1 : connect(m->fd, (struct sockaddr *)&a,
		sizeof(a));
}

/* Who holds the lock: "1: FLOCK ADVISORY WRITE PID MAJ:MIN:INODE 0 EOF". */
static uint64_t lock_holder(const struct stat *st)
{
	static char locks[4096];
	const char *p = locks;
	uint64_t pid, inode;
	int i;

	if (sys_read("/proc/locks", "", locks, sizeof(locks)) <= 0)
		return 0;
	for (; *p; p += span(p, '\n'), p += *p == '\n') {
		for (i = 0; i < 4; i++)
			for (p += span(p, ' '); *p == ' '; p++)
				;
		if (!parse_number(&p, &pid))
			continue;
		for (i = 0; i < 2; i++) {
			p += span(p, ':');
			p += *p == ':';
		}
		if (parse_number(&p, &inode) && inode == st->st_ino)
			return pid;
	}
	return 0;
}

static int lock_device(struct mbim *m, const struct stat *st)
{
	char pid[24];
	struct text t = TEXT(pid);
	int code = DONE;

	while (flock(m->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return DONE;	/* it has no locks */
		if (now() >= m->limit) {
			text_decimal(&t, lock_holder(st));
			return fail(BUSY, m->path, ": in use by process ", pid,
				NULL);
		}
		code = doze(m, SECOND / 20);
		if (code)
			break;
	}
	return code;
}

/* wMaxControlMessage: of the driver, of the descriptor, or the usual. */
static void ask_control_size(struct mbim *m)
{
	uint16_t size = 0;
	char bytes[1024];
	int i, n = 0;

	if (ioctl(m->fd, _IOR('H', 0xA0, uint16_t), &size) < 0)
		n = sys_read(m->sys, "/device/../descriptors", bytes,
			sizeof(bytes));
	/* the MBIM functional descriptor (MBIM 1.0 §6.5) */
	for (i = 0; i + 6 < n; i++)
		if (memcmp(bytes + i, "\x0c\x24\x1b", 3) == 0)
			size = (uint16_t)((uint8_t)bytes[i + 5] |
				(uint8_t)bytes[i + 6] << 8);
	m->mark.control_size = size ? size : 4096;
	if (m->mark.control_size < 64)
		m->mark.control_size = 64;
}

/* What a replug changes. */
static void identify(struct mbim *m, const struct stat *st)
{
	char word[32];
	const char *p = word;

	m->mark.identity[0] = (uint64_t)st->st_rdev;
	m->mark.identity[1] = (uint64_t)st->st_ino;
	m->mark.identity[2] = (uint64_t)st->st_ctim.tv_sec;
	m->mark.identity[3] = (uint64_t)st->st_ctim.tv_nsec;
	if (!m->sys[0] || sys_read(m->sys, "/device/../devnum", word,
			sizeof(word)) < 0 ||
	    !parse_number(&p, &m->mark.identity[4]))
		m->mark.identity[4] = 0;
}

static int open_device(struct mbim *m)
{
	struct text sys = TEXT(m->sys);
	struct stat st;
	int code, error, reads = 256;

	m->fd = -1;
	m->next_id = 0x10000 + (uint32_t)(((uint64_t)now() / 1000 ^
		(uint64_t)getpid() << 8) % 0xe00000);
	m->mark.control_size = 4096;
	error = stat(m->path, &st);
	m->is_socket = !error && S_ISSOCK(st.st_mode);
	if (!error && !m->is_socket) {
		m->fd = open(m->path, O_RDWR | O_NONBLOCK | O_NOCTTY |
			O_CLOEXEC);
		error = m->fd < 0;
	} else if (!error) {
		error = connect_socket(m);
	}
	if (!error && !m->is_socket && !S_ISCHR(st.st_mode))
		return fail(NO_DEVICE, m->path, ": not a device", NULL);
	if (error)
		return fail(NO_DEVICE, m->path, ": ", errno_text(), NULL);
	if (m->is_socket && sys_root()[0]) {
		text_add(&sys, sys_root());
		text_add(&sys, "/sys/class/usbmisc/");
		text_add(&sys, strrchr(m->path, '/') + 1);
	} else if (!m->is_socket) {
		text_add(&sys, sys_root());
		text_add(&sys, "/sys/dev/char/");
		text_decimal(&sys, major(st.st_rdev));
		text_char(&sys, ':');
		text_decimal(&sys, minor(st.st_rdev));
	}
	if (!m->is_socket) {
		if (!m->direct && proxy_runs())
			return fail(BUSY, m->path, ": mbim-proxy is running; "
				"--direct works beside it", NULL);
		code = lock_device(m, &st);
		if (code)
			return code;
		ask_control_size(m);
	}
	identify(m, &st);
	in_len = in_at = 0;
	while (reads-- && (read(m->fd, in, sizeof(in)) >= 0 ||
			errno == EIO || errno == ENOBUFS))
		;	/* what an earlier run left behind */
	return DONE;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* The driver may hold a close for 30 s when the device did not take a write. */
static void close_device(struct mbim *m)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval t = { { 0, 100000 }, { 0, 100000 } };

	if (m->fd < 0)
		return;
	if (m->unanswered && !m->is_socket) {
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &t, NULL);
	}
	close(m->fd);
}

int mbim_with_device(struct mbim *m, int (*next)(struct mbim *m))
{
	int code;

	m->fd = -1;
	code = open_device(m);
	if (!code)
		code = next(m);
	close_device(m);
	return code;
}
