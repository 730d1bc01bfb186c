/* SPDX-License-Identifier: ISC
 *
 * The pipe: how bytes reach a modem. Sysfs, which others need too; opening and
 * locking the device, waiting with a deadline, frames and fragments, OPEN
 * and CLOSE, one transaction at a time. It knows no service, and no command but
 * the query that it pushes through a channel out of step. It prints nothing.
 *
 * MBIM 1.0 errata 1, §9 (messages); Linux cdc-wdm.c (what a read and a write
 * of the device really do).
 */
#include "mbim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- sysfs ---- */

const char *sys_root(void)
{
	const char *dir = getenv("MBIMCTL_ROOT");

	return dir ? dir : "";
}

const char *sys_path_list(const char *const *parts)
{
	static char path[320];
	struct text t = TEXT(path);

	text_add(&t, sys_root());
	text_list(&t, parts);
	return path;
}

static char contents[4096];		/* what was read last */

/* Read a file but for a newline at its end; returns its length. */
static size_t read_file(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, contents, sizeof(contents) - 1);

	if (fd >= 0)
		close(fd);
	n -= n > 0 && contents[n - 1] == '\n';
	contents[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

const char *sys_text(const char *file)
{
	read_file(file);
	return contents;
}

static uint64_t read_number(const char *file)
{
	const char *p = contents;
	uint64_t n;

	read_file(file);
	return parse_number(&p, &n) ? n : 0;
}

const char *sys_link(const char *link)
{
	ssize_t n = readlink(link, contents + 1, sizeof(contents) - 2);

	contents[0] = '/';
	contents[n > 0 ? n + 1 : 1] = '\0';
	return strrchr(contents, '/') + 1;
}

/* opendir() would allocate */
void sys_each(const char *dir,
	void (*each)(const char *name, void *arg), void *arg)
{
	_Alignas(8) char entries[1024];
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint16_t size;
	long n;

	if (fd < 0)
		return;
	/* struct linux_dirent64: the size at 16, the name at 19 */
	while ((n = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0)
		for (long at = 0; at < n; at += size) {
			memcpy(&size, entries + at + 16, sizeof(size));
			if (entries[at + 19] != '.')
				each(entries + at + 19, arg);
		}
	close(fd);
}

static void first_name(const char *name, void *arg)
{
	struct text *t = arg;

	if (!t->len)
		text_add(t, name);
}

void sys_net(struct text *t, const char *sys)
{
	sys_each(sys_path(sys, "/device/net"), first_name, t);
	sys_each(sys_path(sys, "/device/device/net"), first_name, t);
}

static int net_is_up(const char *sys)
{
	char net[32];
	struct text t = TEXT(net);

	sys_net(&t, sys);
	return t.len && read_number(sys_path("/sys/class/net/", net, "/flags"))
		& 1;			/* IFF_UP */
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
	int n;

	do {
		int64_t left = limit - now();
		struct timespec t = { 0 };

		if (signals_seen > m->signals_known)
			return fail(SIGNALLED + signal_last, "interrupted");
		t.tv_sec = left > 0 ? left / SECOND : 0;
		t.tv_nsec = left > 0 ? left % SECOND : 0;
		n = ppoll(&p, events != 0, &t, &m->waiting);
	} while (n < 0 && errno == EINTR);
	*got = n > 0 ? p.revents : 0;
	return DONE;
}

/*
 * Let signals in and sleep, when there is something to do all the time.
 * TIMED_OUT, which is not recorded as a failure, when the limit has come.
 */
static int doze(struct mbim *m, int64_t time, int64_t limit)
{
	short got;
	int code = wait_for(m, 0, earlier(now() + time, limit), &got);

	return code || now() < limit ? code : TIMED_OUT;
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
	return fail(NO_DEVICE, m->path, ": the device went away");
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

/*
 * One write is one control message. EIO is the failure of an earlier one,
 * reported late: this one was not sent.
 */
static int write_frame(struct mbim *m, const uint8_t *frame, size_t len)
{
	int code = DONE;

	while (len && !code) {
		short got;
		ssize_t n;

		code = wait_for(m, POLLOUT, m->limit, &got);
		if (code)
			return code;
		if (!got)
			return fail(TIMED_OUT, "the device takes no data");
		if (got & (POLLHUP | POLLNVAL))
			return device_gone(m);
		n = write(m->fd, frame, len);
		if (n >= 0) {
			frame += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EINTR) {
			/* ready, but only to say no */
			code = doze(m, SECOND / 100, m->limit);
		} else {
			return errno == EIO ? WRITE_LOST : device_gone(m);
		}
	}
	return code;
}

/* Send a message in as many fragments as it needs (MBIM 1.0 §9.5). */
static int send_once(struct mbim *m, const struct message *q, uint32_t id)
{
	size_t head = HEADER + (q->type == COMMAND ? FRAGMENT : 0);
	size_t len = q->head_len + q->info_len;
	size_t piece = m->mark.control_size - head;
	size_t total = len > piece ? (len + piece - 1) / piece : 1;
	int code = DONE;

	if (q->head_len)
		memcpy(out + head, q->head, q->head_len);
	if (q->info_len)
		memcpy(out + head + q->head_len, q->info, q->info_len);
	/* each fragment's headers overwrite what was sent before it */
	for (size_t i = 0; i < total && !code; i++) {
		uint8_t *p = out + i * piece;
		size_t n = head + (i + 1 < total ? piece : len - i * piece);

		put_number(p, q->type, 4);
		put_number(p + 4, n, 4);
		put_number(p + 8, id, 4);
		if (q->type == COMMAND) {
			put_number(p + HEADER, total, 4);
			put_number(p + HEADER + 4, i, 4);
		}
		if (m->trace)
			m->trace(1, p, n);
		code = write_frame(m, p, n);
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

/* The length of a message that fits, if this is the header of one, or 0. */
static size_t message_length(const uint8_t *p, size_t len)
{
	struct reader r = { p, len, 0, 0 };
	uint64_t type = take_number(&r, 4), size = take_number(&r, 4);

	return len >= HEADER && type >= OPEN_DONE && type <= INDICATE_STATUS &&
		size >= HEADER && size <= MBIM_REPLY_MAX ? size : 0;
}

/*
 * Read what is there. A message begins with a read; when a read is a whole
 * message while another was half there, that other one will not be finished.
 */
static int fill(struct mbim *m)
{
	ssize_t n;

	memmove(in, in + in_at, in_len - in_at);
	in_len -= in_at;
	in_at = 0;
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

/* Wait for input and read it. */
static int await_input(struct mbim *m, int64_t limit)
{
	size_t before = in_len - in_at;
	short got;
	int code = wait_for(m, POLLIN, limit, &got), error;

	if (code || !got)
		return code ? code : TIMED_OUT;
	if (got & POLLIN)
		code = fill(m);
	if (code || in_len - in_at != before)
		return code;
	if (got & (POLLHUP | POLLNVAL))
		return device_gone(m);
	error = got & POLLERR;
	/* ERR alone may be a write's: collect it, lest fsync() waits for one */
	if (error)
		code = wait_for(m, POLLOUT, 0, &got);
	if (error && !code && got & POLLOUT && fsync(m->fd) < 0 &&
	    errno == EIO)
		return WRITE_LOST;
	/* nothing to read all the same: look again, slowly */
	return code ? code : doze(m, SECOND / (error ? 20 : 100), limit);
}

/* Join fragments in strict order. Returns whether the message is whole. */
static int join(struct mbim *m, struct frame *f)
{
	uint32_t total = (uint32_t)take_number(&f->body, 4);
	uint32_t current = (uint32_t)take_number(&f->body, 4);
	size_t skip = current ? f->body.at : 0, len = f->body.len - skip;

	if (f->body.bad || total <= 1)
		return !f->body.bad;
	if (current == 0) {
		joined_len = joined_next = 0;
		joined_id = f->id;
	}
	if (current != joined_next || current >= total || f->id != joined_id ||
	    len > sizeof(joined) - joined_len) {
		joined_next = UINT32_MAX;
		return 0;
	}
	memcpy(joined + joined_len, f->body.base + skip, len);
	joined_len += len;
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

	if (have < HEADER || len > have)
		return 0;
	in_at = len ? in_at + len : in_len;
	if (!len)
		return -1;		/* whatever it was */
	if (m->trace)
		m->trace(0, p, len);
	f->body = (struct reader){ p, len, 0, 0 };
	f->type = (uint32_t)take_number(&f->body, 4);
	take(&f->body, 4);
	f->id = (uint32_t)take_number(&f->body, 4);
	return (f->type != COMMAND_DONE && f->type != INDICATE_STATUS) ||
		join(m, f) ? 1 : -1;
}

static int next_frame(struct mbim *m, struct frame *f, int64_t limit)
{
	int code = DONE, n;

	/* a flood of frames must not hold up signals or the limit */
	while (!code && (n = parse_input(m, f)) <= 0)
		code = n < 0 ? doze(m, 0, limit) : await_input(m, limit);
	return code;
}

/* ---- refusals ---- */

enum { STATUS_BUSY = 1, NOT_OPENED = 5, MAX_TRANSFER = 8 };

int mbim_refused(uint32_t status, int code, const char *more)
{
	const char *try = code ? NULL : name_of(show_hint, status);
	static const uint8_t exits[] = {
		[3] = NO_SIM, [4] = NO_SIM, [5] = PIN_NEEDED,
		[9] = UNSUPPORTED, [14] = NO_SIM,
	};

	if (!code && status < sizeof(exits))
		code = exits[status];
	return fail_with(code ? code : REFUSED, "modem said ", status,
		name_of(show_mbim_status, status), more, try);
}

/* ---- transactions ---- */

enum { OWN_IDS = 8, PUSHES = 8 };

/*
 * An answer that is not ours came: the channel may be an answer behind, and
 * only another request brings out the next. Ask what changes nothing: Basic
 * Connect's DEVICE_CAPS.
 */
static int push(struct mbim *m)
{
	static const uint8_t query[28] = {
		0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f,
		0xb6, 0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf, 1
	};

	m->owed++;
	return send_message(m, &(struct message){ COMMAND, query, NULL,
		sizeof(query), 0 }, m->next_id++);
}

static int is_ours(const struct frame *f, const struct message *q,
	const uint32_t *ids, size_t n)
{
	struct reader r = f->body;
	const uint8_t *p;

	while (n && ids[n - 1] != f->id)
		n--;
	if (!n || f->type == FUNCTION_ERROR)
		return n != 0;
	if (q->type != COMMAND || f->type != COMMAND_DONE)
		return f->type == q->type + OPEN_DONE - OPEN;
	p = take(&r, 20);
	return !p || memcmp(p, q->head, 20) == 0;
}

/* Give the answers to pushes a moment, lest the next run finds them. */
static void collect_owed(struct mbim *m, struct frame *ours)
{
	static uint8_t kept[MBIM_REPLY_MAX];
	int64_t end = earlier(now() + SECOND / 10, m->limit);
	struct frame f;

	memcpy(kept, ours->body.base, ours->body.len);
	ours->body.base = kept;
	while (m->owed && !next_frame(m, &f, end))
		m->owed -= f.type == COMMAND_DONE || f.type == FUNCTION_ERROR;
	m->owed = 0;
}

/* Record that the deadline passed; other codes are recorded already. */
static int silence(struct mbim *m, int code)
{
	int64_t seconds = (m->patience + SECOND - 1) / SECOND;

	return code != TIMED_OUT ? code : fail(TIMED_OUT, in_len > in_at ?
		"the modem's answer stopped half way; the deadline of " :
		"no answer from the modem within ", decimal((uint64_t)seconds),
		" s", m->joined ? " (the function was taken for open; --open "
			"starts it anew and ends data sessions)" : "");
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
	int code, pushes = 0, resend = 1;

	f->id = f->type = 0;
	for (;;) {
		int64_t limit = m->limit;

		if (resend) {
			ids[n++] = m->next_id++;
			code = send_message(m, q, ids[n - 1]);
			if (code)
				return code;
		}
		if (again && n < OWN_IDS)
			limit = earlier(now() + again, limit);
		code = next_frame(m, f, limit);
		if (!code && is_ours(f, q, ids, n))
			break;
		if (code == WRITE_LOST && n == OWN_IDS)
			code = device_gone(m);
		/* a lost push is no reason to repeat a set */
		resend = (code == WRITE_LOST && !m->owed) ||
			(code == TIMED_OUT && limit < m->limit);
		if (code == TIMED_OUT && resend)
			continue;
		if (!code || code == WRITE_LOST)
			code = doze(m, code ? SECOND / 20 : 0, m->limit);
		if (!code && !resend && f->id && f->type <= FUNCTION_ERROR &&
		    pushes++ < PUSHES) {
			if (q->type == COMMAND)
				code = push(m);
			else
				resend = n < OWN_IDS;
		}
		if (code && m->critical && !m->cleaning && !m->gone) {
			silence(m, code);
			mbim_clean_up(m);
			resend = code = DONE;
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
	struct message q = { .type = CLOSE };
	struct frame f;
	int code = exchange(m, &q, 0, &f);

	m->close = 0;
	if (!code)
		m->mark.n_sessions = m->mark.n_kept = 0;
	return silence(m, code);
}

static void send_close(struct mbim *m)
{
	if (mbim_close(m) && !m->gone && !failure.exit)
		warn("the modem did not answer CLOSE");
}

static int64_t open_again(const struct mbim *m)
{
	return earlier((m->limit - now()) / 3, 5 * SECOND);
}

int mbim_open(struct mbim *m)
{
	int64_t limit = m->limit, again = open_again(m);
	uint8_t head[4];
	struct message q = { OPEN, head, NULL, sizeof(head), 0 };
	struct frame f;
	int code, closed = 0;

	m->opened = 1;
	m->joined = 0;
	m->mark.n_sessions = m->mark.n_kept = 0;
	put_number(head, m->mark.control_size, 4);
	while ((code = exchange(m, &q, again, &f)) == DONE) {
		uint32_t status = (uint32_t)take_number(&f.body, 4);

		if (f.body.bad)
			return fail(MALFORMED, "malformed OPEN_DONE");
		if (f.type == OPEN_DONE && !status)
			return DONE;
		if (f.type == OPEN_DONE && status == STATUS_BUSY) {
			code = doze(m, SECOND / 2, m->limit);
			if (code)
				break;
			continue;
		}
		if (closed++)
			return f.type == OPEN_DONE ?
				mbim_refused(status, 0, "") :
				fail(REFUSED, "modem refused to open: ",
				name_of(show_function_error, status));
		if (f.type == FUNCTION_ERROR && status == MAX_TRANSFER)
			m->mark.control_size = 512;
		put_number(head, m->mark.control_size, 4);
		/* which may not be answered by what is not open */
		m->limit = earlier(limit, now() + 2 * SECOND);
		send_close(m);
		m->limit = limit;
		again = open_again(m);
	}
	return silence(m, code);
}

int mbim_with_session(struct mbim *m, int (*next)(struct mbim *m))
{
	int had = m->mark.n_sessions || m->mark.n_kept, code = DONE;

	m->joined = m->open == OPEN_NEVER || (m->open == OPEN_AUTO &&
		(had || (m->sys[0] && net_is_up(m->sys))));
	if (!m->joined)
		code = mbim_open(m);
	if (!code)
		code = next(m);
	mbim_clean_up(m);
	if (m->open != OPEN_NEVER && (m->opened || had) &&
	    !m->mark.n_sessions && !m->mark.n_kept)
		m->close = 1;		/* it leaves nothing behind */
	if (m->close && !m->gone) {
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
	int code;

	memcpy(head, service, 16);
	put_number(head + 16, cid, 4);
	put_number(head + 20, operation, 4);
	put_number(head + 24, len, 4);
	while ((code = exchange(m, &q, 0, &f)) == DONE &&
			f.type == FUNCTION_ERROR) {
		uint32_t error = (uint32_t)take_number(&f.body, 4);

		/* it was not executed, so it may be sent again */
		if (error != NOT_OPENED || !m->joined || m->cleaning ||
		    m->open == OPEN_NEVER)
			return fail(REFUSED, "modem refused the message: ",
				name_of(show_function_error, error));
		code = mbim_open(m);
		if (code)
			return code;
	}
	if (code)
		return silence(m, code);
	take(&f.body, 20);
	answer->status = (uint32_t)take_number(&f.body, 4);
	len = take_number(&f.body, 4);
	answer->info = (struct reader){ 0 };
	if (len)
		answer->info = window(&f.body, f.body.at, len);
	return f.body.bad ? fail(MALFORMED, "malformed answer") : DONE;
}

int mbim_listen(struct mbim *m, uint32_t cid, int64_t limit)
{
	struct frame f;
	int code;

	limit = earlier(limit, m->limit);
	while ((code = next_frame(m, &f, limit)) == DONE)
		if (f.type == INDICATE_STATUS && take(&f.body, 16) &&
		    take_number(&f.body, 4) == cid)
			return DONE;
	return code == WRITE_LOST ? TIMED_OUT : code;
}

/* ---- the device ---- */

/* A socket that is connected, or -1. */
static int connect_to(int type, const char *name, size_t len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, name, len);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a,
			offsetof(struct sockaddr_un, sun_path) + len) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int proxy_runs(void)
{
	int fd = connect_to(SOCK_STREAM, "\0mbim-proxy", 11);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == EAGAIN;
}

/* Who holds the lock: "1: FLOCK ADVISORY WRITE PID MAJ:MIN:INODE 0 EOF". */
static uint64_t lock_holder(const struct stat *st)
{
	char inode[32];
	struct text t = TEXT(inode);
	const char *p;
	uint64_t pid;

	text_join(&t, ":", decimal(st->st_ino), " ");
	read_file("/proc/locks");
	for (p = contents; *p && strncmp(p, inode, t.len); p++)
		;
	if (!*p)
		return 0;
	while (p > contents && *p != ' ')
		p--;
	while (p > contents && p[-1] != ' ')
		p--;
	return parse_number(&p, &pid) ? pid : 0;
}

static int lock_device(struct mbim *m, const struct stat *st)
{
	while (flock(m->fd, LOCK_EX | LOCK_NB) < 0) {
		int code;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return DONE;	/* it has no locks */
		if (now() >= m->limit)
			return fail(BUSY, m->path, ": in use by process ",
				decimal(lock_holder(st)));
		code = doze(m, SECOND / 20, m->limit);
		if (code && code != TIMED_OUT)
			return code;
	}
	return DONE;
}

/* A file of the USB device that a cdc-wdm node, or a WWAN port, belongs to. */
static size_t read_usb(const struct mbim *m, const char *file)
{
	size_t n = read_file(sys_path(m->sys, "/device/../", file));

	return n ? n : read_file(sys_path(m->sys, "/device/device/../", file));
}

/* wMaxControlMessage: of the driver, of the descriptor, or the usual. */
static void ask_control_size(struct mbim *m)
{
	const uint8_t *p = (const uint8_t *)contents;
	uint16_t size = 0;
	size_t n = 0;

	if (ioctl(m->fd, _IOR('H', 0xA0, uint16_t), &size) < 0)
		n = read_usb(m, "descriptors");
	/* the MBIM functional descriptor (MBIM 1.0 §6.5) */
	for (; n > 6; n--, p++)
		if (memcmp(p, "\x0c\x24\x1b", 3) == 0)
			size = (uint16_t)(p[5] | p[6] << 8);
	m->mark.control_size = !size ? 4096 : size < 64 ? 64 : size;
}

/* What a replug changes. */
static void identify(struct mbim *m, const struct stat *st)
{
	uint64_t *id = m->mark.identity;

	id[0] = st->st_rdev;
	id[1] = st->st_ino;
	id[2] = (uint64_t)st->st_ctim.tv_sec;
	id[3] = (uint64_t)st->st_ctim.tv_nsec;
	if (m->sys[0] && read_usb(m, "devnum"))
		parse_number(&(const char *){ contents }, &id[4]);
}

static int open_device(struct mbim *m)
{
	struct text sys = TEXT(m->sys);
	struct stat st;
	int code, reads = 256;

	m->next_id = 0x10000 + (uint32_t)(((uint64_t)now() / 1000 ^
		(uint64_t)getpid() << 8) % 0xe00000);
	m->mark.control_size = 4096;
	if (stat(m->path, &st) == 0) {
		m->is_socket = S_ISSOCK(st.st_mode);
		m->fd = m->is_socket ? connect_to(SOCK_SEQPACKET, m->path,
			strlen(m->path) + 1) : open(m->path,
			O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (m->fd < 0)
		return fail(NO_DEVICE, m->path, ": ", errno_text());
	if (m->is_socket) {
		if (*sys_root())
			text_join(&sys, "/sys/class/usbmisc/",
				strrchr(m->path, '/') + 1);
	} else {
		if (!S_ISCHR(st.st_mode))
			return fail(NO_DEVICE, m->path, ": not a device");
		if (!m->direct && proxy_runs())
			return fail(BUSY, m->path, ": mbim-proxy is running; "
				"--direct works beside it");
		code = lock_device(m, &st);
		if (code)
			return code;
		text_join(&sys, "/sys/dev/char/", decimal(major(st.st_rdev)),
			":", decimal(minor(st.st_rdev)));
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
	sigset_t set;

	if (m->fd < 0)
		return;
	if (m->unanswered && !m->is_socket) {
		sigaction(SIGALRM, &action, NULL);
		sigemptyset(&set);
		sigaddset(&set, SIGALRM);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
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
