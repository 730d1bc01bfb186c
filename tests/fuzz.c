/* SPDX-License-Identifier: ISC
 *
 * Four fuzzers of one shape; -DFUZZ= says which:
 *
 *   reply       kind and service of a command, its CID or message (2 bytes),
 *               MBIMEx version (and 4 for its request, 8 for a mask, 16 for
 *               the next one that is so), the bytes of a reply: told in all
 *               three outputs
 *   frame       a script of what a device does (see below): a whole session
 *   arguments   an argument each up to a NUL: parsed, encoded, decoded again
 *   hex         what is fed to --decode
 *
 * Beside what sanitizers find, these must hold: JSON is strict JSON with no
 * key twice, sh is assignments of quoted text, text has no control characters,
 * what is malformed prints nothing, frames sent are well-formed, runs end in
 * time, clients and sessions are given back.
 *
 * With -DLIBFUZZER it is for libFuzzer. Otherwise it replays files, and holds
 * that they reach every kind of item in the table (reply, arguments).
 *
 * All of mbimctl is in this file, so that it can be put back to its beginning,
 * with a small operating system of its own beneath.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- failing ---- */

static const char *current_file = "";

static void tell_file(void)
{
	fprintf(stderr, "FAILED with the input %s\n", current_file);
}

/* Something that must not be. */
static void wrong(const char *what, const char *s, size_t len)
{
	fprintf(stderr, "\nERROR: %s: %.*s\n", what, (int)len, s);
	tell_file();
	abort();
}

/* ---- the operating system ---- */

enum { DEVICE_FD = 901, SECRET_FD };

static struct {
	const uint8_t *p;		/* standard input, or the script */
	size_t len, at;
} input;
static struct {
	char s[1 << 22];
	size_t len;
} printed;				/* what came on standard output */
static int64_t clock_now, delay;	/* and what it is to be put forward */
static int secret_read;

static ssize_t device_read(uint8_t *p, size_t n);
static ssize_t device_write(const uint8_t *p, size_t n);
static short device_poll(short events);

static ssize_t fuzz_read(int fd, void *p, size_t n)
{
	size_t left = input.len - input.at;

	if (fd == DEVICE_FD)
		return device_read(p, n);
	if (fd == SECRET_FD) {
		if (secret_read++)
			return 0;
		memcpy(p, "1234\n", n < 5 ? n : 5);
		return n < 5 ? (ssize_t)n : 5;
	}
	if (fd != 0) {
		errno = EBADF;
		return -1;
	}
	n = n < left ? n : left;
	memcpy(p, input.p + input.at, n);
	input.at += n;
	return (ssize_t)n;
}

static ssize_t fuzz_write(int fd, const void *p, size_t n)
{
	if (fd == DEVICE_FD)
		return device_write(p, n);
	if (fd == 1 && printed.len + n <= sizeof(printed.s)) {
		memcpy(printed.s + printed.len, p, n);
		printed.len += n;
	}
	return (ssize_t)n;
}

static int fuzz_open(const char *path, int flags, ...)
{
	(void)flags;
	secret_read = 0;
	errno = ENOENT;
	return *path == '/' || !*path ? -1 : SECRET_FD;
}

static int fuzz_no(void)
{
	errno = ENOENT;
	return -1;
}

static int fuzz_close(int fd)
{
	(void)fd;
	return 0;
}

static int fuzz_clock(clockid_t id, struct timespec *t)
{
	(void)id;
	clock_now += 1000;
	t->tv_sec = (time_t)(clock_now / 1000000000);
	t->tv_nsec = (long)(clock_now % 1000000000);
	return 0;
}

static int fuzz_ppoll(struct pollfd *p, nfds_t n, const struct timespec *t,
	const sigset_t *mask)
{
	int64_t wait = t->tv_sec * 1000000000LL + t->tv_nsec, passes;

	(void)mask;
	p->revents = 0;
	if (n && (!delay || p->events & POLLOUT))
		p->revents = device_poll(p->events);
	if (n && p->revents)
		return p->revents < 0 ? (errno = EINTR, -1) : 1;
	passes = delay && delay < wait ? delay : wait;
	delay -= delay < passes ? delay : passes;
	clock_now += passes;
	return 0;
}

#define read		fuzz_read
#define write		fuzz_write
#define open		fuzz_open
#define openat(...)	fuzz_no()
#define mkdir(...)	fuzz_no()
#define close		fuzz_close
#define fsync(...)	fuzz_no()
#define clock_gettime	fuzz_clock
#define ppoll		fuzz_ppoll

/* ---- the program ---- */

#define out		mbim_out
#include "../mbim.c"
#undef out
#include "../values.c"
#include "../qmi-over-mbim.c"
#define main		mbimctl_main
#include "../main.c"
#undef main

/* Which items were told: commands.c gives the very names of its table. */
static void note(const char *name, int kind);

#define out_value(name, kind, s, len) \
	(note(name, (int)kind), out_value(name, kind, s, len))
#define out_open(name, group)	(note(name, 0), out_open(name, group))
#define out_number(name, n, minus) \
	(note(name, 0), out_number(name, n, minus))
#include "../commands.c"
#include "../request.c"
#include "../jobs.c"
#undef out_value
#undef out_open
#undef out_number

static char told[sizeof(names)];
static size_t n_told;
static char op_told[OPS];

static void note(const char *name, int kind)
{
	if (kind >= OUT_ABSENT)
		return;
	n_told++;
	if (name >= names && name < names + sizeof(names))
		told[name - names] = 1;
}

/* ---- what is printed ---- */

static size_t utf8_length(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + len;
	uint32_t c = next_utf8(&p, end);

	if (c == NO_CHARACTER && (len < 3 || memcmp(s, "\357\277\275", 3)))
		wrong("no UTF-8", s, len);
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		wrong("a control character", s, len);
	return (size_t)(p - (const uint8_t *)s);
}

static void check_text(const char *s, size_t len)
{
	while (len) {
		size_t n = *s == '\n' ? 1 : utf8_length(s, len);

		s += n;
		len -= n;
	}
}

/*
 * NAME='…' on each line, in which '\'' stands for a quote; before the frames of
 * --decode their numbers, as comments.
 */
static void check_sh(const char *s, size_t len)
{
	const char *end = s + len, *line;

	while (s < end) {
		line = s;
		if (*s == '#')
			for (s++; s < end && (*s == ' ' || isdigit(*s)); )
				s++;
		if (*s == '\n') {
			s++;
			continue;
		}
		if (!isalpha(*s) && *s != '_')
			wrong("sh: no name", line, (size_t)(end - line));
		while (s < end && (isalnum(*s) || *s == '_'))
			s++;
		if (end - s < 2 || s[0] != '=' || s[1] != '\'')
			wrong("sh: no assignment", line, (size_t)(end - line));
		for (s += 2; s < end && (*s != '\'' || (end - s >= 4 &&
				!memcmp(s, "'\\''", 4))); )
			s += *s == '\'' ? 4 : utf8_length(s,
				(size_t)(end - s));
		if (end - s < 2 || s[0] != '\'' || s[1] != '\n')
			wrong("sh: not quoted", line, (size_t)(end - line));
		s += 2;
	}
}

static const char *json_at, *json_end;

static void json_wrong(const char *what)
{
	wrong(what, json_at, (size_t)(json_end - json_at));
}

static int json_take(char c)
{
	if (json_at == json_end || *json_at != c)
		return 0;
	json_at++;
	return 1;
}

static void json_string(void)
{
	if (!json_take('"'))
		json_wrong("JSON: no string");
	while (!json_take('"')) {
		if (json_at == json_end)
			json_wrong("JSON: a string has no end");
		if (!json_take('\\')) {
			/* U+007F to U+009F are harmless in JSON */
			if (*json_at == '\177')
				json_at++;
			else if (json_end - json_at > 1 && *json_at == '\302'
				 && (uint8_t)json_at[1] >> 6 == 2)
				json_at += 2;
			else
				json_at += utf8_length(json_at,
					(size_t)(json_end - json_at));
		} else if (json_take('u')) {
			int i;

			for (i = 0; i < 4; i++, json_at++)
				if (json_at == json_end || !isxdigit(*json_at))
					json_wrong("JSON: \\u");
		} else if (json_at == json_end || !strchr("\"\\/bfnrt",
				*json_at++)) {
			json_wrong("JSON: escape");
		}
	}
}

static void json_digits(void)
{
	if (json_at == json_end || !isdigit(*json_at))
		json_wrong("JSON: no digit");
	while (json_at < json_end && isdigit(*json_at))
		json_at++;
}

static void json_scalar(void)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i, len;

	for (i = 0; i < 3; i++) {
		len = strlen(words[i]);
		if ((size_t)(json_end - json_at) >= len &&
		    !memcmp(json_at, words[i], len)) {
			json_at += len;
			return;
		}
	}
	json_take('-');
	if (!json_take('0'))
		json_digits();
	if (json_take('.'))
		json_digits();
}

static void json_thing(int depth)
{
	const char *keys[1024];
	size_t lengths[1024], n = 0, i;

	if (depth > 32)
		json_wrong("JSON: too deep");
	if (json_at < json_end && *json_at == '"') {
		json_string();
	} else if (json_take('[')) {
		if (json_take(']'))
			return;
		do
			json_thing(depth + 1);
		while (json_take(','));
		if (!json_take(']'))
			json_wrong("JSON: no ]");
	} else if (json_take('{')) {
		if (json_take('}'))
			return;
		do {
			keys[n] = json_at;
			json_string();
			lengths[n] = (size_t)(json_at - keys[n]);
			for (i = 0; i < n; i++)
				if (lengths[i] == lengths[n] && !memcmp(keys[i],
						keys[n], lengths[n]))
					json_wrong("JSON: a key twice");
			if (n < 1023)
				n++;
			if (!json_take(':'))
				json_wrong("JSON: no :");
			json_thing(depth + 1);
		} while (json_take(','));
		if (!json_take('}'))
			json_wrong("JSON: no }");
	} else {
		json_scalar();
	}
}

static void check_json(const char *s, size_t len)
{
	json_at = s;
	json_end = s + len;
	while (json_at < json_end) {
		if (*json_at != '{')
			json_wrong("JSON: no object");
		json_thing(0);
		if (!json_take('\n'))
			json_wrong("JSON: no end of line");
	}
}

/* All that was printed so far, which is forgotten. */
static void check_printed(void)
{
	flush(&out);
	if (format == JSON)
		check_json(printed.s, printed.len);
	else if (format == SH)
		check_sh(printed.s, printed.len);
	else
		check_text(printed.s, printed.len);
	if (level != levels)
		wrong("levels are left open", "", 0);
	if (column || muted)
		wrong("a line is left over", printed.s, printed.len);
	printed.len = 0;
}

/* ---- from the beginning ---- */

static void start_again(const uint8_t *data, size_t size)
{
	input.p = data;
	input.len = size;
	input.at = 0;
	printed.len = 0;
	clock_now = 1000000000000;
	delay = 0;
	/* main.c */
	failure = (struct failure){ 0 };
	memset(given, 0, sizeof(given));
	memset(&mbim, 0, sizeof(mbim));
	n_calls = n_options = current = 0;
	verbose = needs_none = muted = 0;
	column = margin = 0;
	signals_seen = signal_last = 0;
	out.len = err.len = 0;
	memset(failed, 0, sizeof(failed));
	to = &out;
	format = TEXT_FORMAT;
	prefix = "mbim";
	level = levels;
	pasted_len = frames_found = 0;
	/* mbim.c */
	in_len = in_at = joined_len = 0;
	joined_id = joined_next = 0;
	/* qmi-over-mbim.c */
	n_clients = 0;
	on_disk = (struct mbim_mark){ 0 };
	next_id = 0;
}

/* ---- replies ---- */

static const size_t n_commands = sizeof(commands) / sizeof(*commands);

/* The nameless items of a part, and those whose names were told. */
static void note_items(struct cursor c)
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		if (!it.name || it.op == OP_CONST || told[it.name - names])
			op_told[it.op] = 1;
		if (it.name && told[it.name - names]) {
			op_told[OP_TLV] |= it.tlv >= 0;
			op_told[it.guard] = 1;
		}
		if (kinds[it.op].has & ITEMS)
			note_items(it.inner);
	}
}

/*
 * Commands are named by what does not change when others are added; the raw
 * ones are services of the fourth kind.
 */
static const struct command *command_of(const uint8_t *data)
{
	size_t i, nth = data[3] >> 4;

	for (i = 0; i < n_commands; i++)
		if ((commands[i].kind < KIND_RAW_MBIM ?
		     commands[i].kind << 6 | commands[i].service :
		     (3 << 6) + commands[i].kind - KIND_RAW_MBIM) == data[0] &&
		    commands[i].id == (data[1] | data[2] << 8) && !nth--)
			return &commands[i];
	return &commands[(data[0] | (size_t)data[1] << 8) % n_commands];
}

static void __attribute__((unused)) fuzz_reply(const uint8_t *data, size_t size)
{
	const struct command *c;
	enum op part;
	struct decoder d;
	uint8_t *copy;
	int f, good = 1, quiet, version, first = -1;

	if (size < 4 || size > sizeof(hidden))
		return;
	c = command_of(data);
	version = data[3] & 3;
	part = data[3] & 4 ? OP_REQUEST : OP_REPLY;
	size -= 4;
	copy = malloc(size + !size);
	memcpy(copy, data + 4, size);
	for (f = TEXT_FORMAT; f <= SH; f++) {
		start_again(NULL, 0);
		format = (enum format)f;
		n_told = 0;
		good = 1;
		shown = copy;
		for (quiet = 1; good && quiet >= 0; quiet--) {
			struct reader r = { copy, size, 0, 0 };

			d = (struct decoder){ .quiet = quiet,
				.mask = data[3] >> 3 & 1 };
			if (!quiet)
				out_begin(head_of(c)->name);
			good = tell(&d, c, part, version, c->kind == KIND_QMI,
				r);
			if (!quiet)
				out_end();
		}
		flush(&out);
		if (!good && printed.len)
			wrong("malformed, but printed", printed.s, printed.len);
		if (first >= 0 && good != first)
			wrong("malformed in one output only", "", 0);
		first = good;
		check_printed();
	}
	if (good && n_told)
		note_items(find_part(c, part, version));
	free(copy);
}

/* ---- sessions ---- */

/*
 * The script: flags, size of a control message in 64 bytes, then steps of two
 * bytes or more, the first of which says what happens when the host polls next:
 *
 *   0 n bytes      n bytes come; an id of 0xffffffff becomes the last request's
 *   1 n n bytes    the same with two bytes of length
 *   2 n            reading fails: EAGAIN, EIO, ENODEV, ENOBUFS, EINTR; or 0
 *   3 n            these events
 *   4 n            the next write fails, or takes only a part
 *   5 n            a signal
 *   6 n            n times 100 ms pass
 *   7 s n bytes    the last request is answered, with status s and n bytes (in
 *                  QMI: TLVs)
 */
enum { FLAG_CLOSE = 4, FLAG_TRACE = 8, FLAG_COMMANDS = 0x70, FLAG_EX = 0x80 };

static uint8_t reply[MBIM_REPLY_MAX];	/* what may be read */
static size_t reply_len, reply_at;
static int read_error, write_error, hindered;
static uint8_t sent[96];		/* the start of the last message */
static size_t sent_len;
static int n_opens, n_closes, n_releases;

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)take_number(&(struct reader){ p, 4, 0, 0 }, 4);
}

static uint8_t next_byte(void)
{
	return input.at < input.len ? input.p[input.at++] : 0;
}

static void take_bytes(uint8_t *to, size_t n)
{
	size_t left = input.len - input.at;

	memset(to, 0, n);
	if (n && left)
		memcpy(to, input.p + input.at, n < left ? n : left);
	input.at += n < left ? n : left;
}

/* What an obedient modem would say to the last message. */
static void answer_last(uint8_t status, size_t n)
{
	uint8_t *p = reply, *q;
	int ctl;

	memset(p, 0, 128);
	memcpy(p, sent, 12);
	p[3] = 0x80;
	if (sent[0] != 3 || sent_len < 48) {
		p[12] = status;
		reply_len = 16;
	} else {
		p[12] = 1;
		memcpy(p + 20, sent + 20, 20);
		p[40] = status;
		q = p + 48;
		if (!memcmp(sent + 20, qmi_uuid, 16) && sent_len >= 60) {
			memcpy(q, sent + 48, 13);
			ctl = q[4] == 0;
			q[3] = 0x80;
			q[6] = ctl ? 1 : 2;
			q += ctl ? 10 : 11;
			put_number(q, n, 2);
			q += 2;
			put_number(p + 49, (size_t)(q - p) - 49 + n, 2);
			put_number(p + 44, (size_t)(q - p) - 48 + n, 4);
		} else {
			put_number(p + 44, n, 4);
		}
		take_bytes(q, n);
		reply_len = (size_t)(q - p) + n;
	}
	put_number(p + 4, reply_len, 4);
}

static void next_step(void)
{
	static const int errors[] = { EAGAIN, EIO, ENODEV, ENOBUFS, EINTR, 0 };
	uint8_t step = next_byte(), n = next_byte();
	size_t len = n;

	switch (step & 7) {
	case 1:
		len |= (size_t)next_byte() << 8;
		/* fall through */
	case 0:
		take_bytes(reply, len);
		reply_len = len;
		if (len >= 12 && get_u32(reply + 8) == UINT32_MAX)
			memcpy(reply + 8, sent + 8, 4);
		break;
	case 2:
		read_error = errors[n % 6] ? errors[n % 6] : -1;
		break;
	case 4:
		write_error = n & 1 ? EIO : n & 2 ? ENODEV : n & 4 ? EAGAIN :
			-1;
		hindered = 1;
		break;
	case 5:
		signals_seen++;
		signal_last = n & 1 ? SIGTERM : SIGINT;
		hindered = 1;
		break;
	case 6:
		delay = n * 100000000LL;
		break;
	case 7:
		answer_last(n, next_byte());
	}
}

static short device_poll(short events)
{
	uint8_t step;

	clock_now += 10000;
	if (events & POLLOUT)
		return POLLOUT;
	if (reply_at < reply_len || read_error)
		return POLLIN;
	reply_at = reply_len = 0;
	if (input.at >= input.len)
		return 0;
	step = input.p[input.at];
	next_step();
	if ((step & 7) == 3) {
		step = input.p[input.at - 1];
		return (short)((step & 1 ? POLLERR : 0) | (step & 2 ? POLLIN :
			0) | (step & 4 ? POLLHUP : 0));
	}
	return (step & 7) == 5 ? -1 : reply_len || read_error ? POLLIN : 0;
}

static ssize_t device_read(uint8_t *p, size_t n)
{
	size_t left = reply_len - reply_at;

	if (read_error || !left) {
		errno = read_error > 0 ? read_error : EAGAIN;
		n = read_error < 0 ? 0 : (size_t)-1;
		read_error = 0;
		return (ssize_t)n;
	}
	n = n < left ? n : left;
	memcpy(p, reply + reply_at, n);
	reply_at += n;
	return (ssize_t)n;
}

static ssize_t device_write(const uint8_t *p, size_t n)
{
	uint32_t type;

	if (write_error) {
		errno = write_error;
		write_error = 0;
		return errno < 0 ? (ssize_t)(n / 2) : -1;
	}
	if (hindered)
		return (ssize_t)n;
	type = n >= 12 ? get_u32(p) : 0;
	if (n < 12 || type < 1 || type > 3 || get_u32(p + 4) != n ||
	    n > mbim.mark.control_size || get_u32(p + 8) == 0 ||
	    (type == 3 && (n < 20 || get_u32(p + 16) >= get_u32(p + 12))))
		wrong("an odd frame was sent", (const char *)p, n);
	n_opens += type == 1;
	n_closes += type == 2;
	if (type == 3 && get_u32(p + 16) == 0 && n >= 60 &&
	    !memcmp(p + 20, qmi_uuid, 16) && p[52] == 0 && p[56] == 0x23)
		n_releases++;
	if (type != 3 || get_u32(p + 16) == 0) {
		sent_len = n < sizeof(sent) ? n : sizeof(sent);
		memcpy(sent, p, sent_len);
	}
	return (ssize_t)n;
}

static void __attribute__((unused)) fuzz_frame(const uint8_t *data, size_t size)
{
	static const char *const lines[8][4] = {
		{ "--get-device-caps" },
		{ "--dms-get-ids" },
		{ "--connect" },
		{ "--get-device-caps", "--dms-get-ids", "--nas-get-signal-info" },
		{ "--wds-start-network" },
		{ "--set-radio-state=on", "--get-ip-configuration" },
		{ "--disconnect" },
		{ "--raw-qmi=DMS,0x25", "--raw-mbim=BASIC_CONNECT,9,query" },
	};
	char *argv[8] = { (char *)"mbimctl" };
	uint8_t flags;
	size_t i;
	int unkept = 0;

	if (size < 2)
		return;
	start_again(data + 2, size - 2);
	flags = data[0];
	for (i = 0; lines[flags >> 4 & 7][i]; i++)
		argv[i + 1] = (char *)(size_t)lines[flags >> 4 & 7][i];
	argv[++i] = (char *)"-j";
	argv[i + 1] = NULL;
	if (parse_arguments(argv) || check_calls())
		wrong("arguments", failure.text, sizeof(failure.text));
	current = 0;
	mbim.fd = DEVICE_FD;
	mbim.next_id = 0x10000;
	mbim.mark.control_size = 64 * (uint32_t)(data[1] ? data[1] : 1);
	mbim.mark.version = flags & FLAG_EX ? 3 : 0;
	mbim.open = (enum mbim_open)((flags & 3) % 3);
	mbim.close = !!(flags & FLAG_CLOSE);
	mbim.trace = flags & FLAG_TRACE ? trace : NULL;
	mbim.limit = now() + mbim.patience;
	reply_len = reply_at = sent_len = 0;
	read_error = write_error = hindered = 0;
	n_opens = n_closes = n_releases = 0;
	run_session(&mbim);
	if (clock_now > 1000000000000 + mbim.patience + 3500000000)
		wrong("the run took too long", "", 0);
	check_printed();
	for (i = 0; i < n_clients; i++)
		unkept += !clients[i].kept;
	if (!mbim.gone && !hindered && n_releases < unkept)
		wrong("a client is not released", "", 0);
	if (!mbim.gone && !hindered && n_opens && !n_closes &&
	    mbim.open != OPEN_NEVER && !mbim.mark.n_sessions && !mbim.mark.n_kept)
		wrong("the function is not closed", "", 0);
}

/* ---- arguments ---- */

static void note_call(struct cursor c, const struct call *call)
{
	struct item it;
	size_t i;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		int is_given = it.fallback || !it.help;

		for (i = 0; i < call->n_options; i++)
			is_given |= names_item(call->options[i].name, &it);
		if (is_given)
			op_told[it.op] = 1;
		op_told[OP_TLV] |= is_given && it.tlv >= 0;
		if (kinds[it.op].has & ITEMS)
			note_call(it.inner, call);
	}
}

static void encode_and_decode(const struct call *call, int version)
{
	const struct command *c = call->command;
	struct decoder d = { 0 };
	struct encoder e;
	uint8_t *copy;
	int good;

	failure = (struct failure){ 0 };
	if (encode(&e, call, version, NULL)) {
		if (failure.exit != USAGE || !failure.text[0])
			wrong("refused, but why?", head_of(c)->name, 64);
		return;
	}
	if (e.end > sizeof(request) || e.overflow)
		wrong("too long", head_of(c)->name, 64);
	copy = malloc(e.end + !e.end);
	memcpy(copy, request, e.end);
	level = levels;
	muted = 1;
	good = tell(&d, c, OP_REQUEST, version, c->kind == KIND_QMI,
		(struct reader){ copy, e.end, 0, 0 });
	muted = 0;
	if (!good || d.mismatch)
		wrong("our request is malformed", head_of(c)->name,
			strlen(head_of(c)->name));
	note_call(find_part(c, OP_REQUEST, version), call);
	free(copy);
}

static void __attribute__((unused)) fuzz_arguments(const uint8_t *data,
	size_t size)
{
	char *argv[130] = { (char *)"mbimctl" }, *copy = malloc(size + 1);
	int n = 1, version, code;
	size_t i;

	start_again((const uint8_t *)"5678\n", 5);
	memcpy(copy, data, size);
	copy[size] = '\0';
	for (i = 0; i < size && n < 128; i += strlen(copy + i) + 1)
		argv[n++] = copy + i;
	argv[n] = NULL;
	code = parse_arguments(argv);
	if (!code && given[HELP])
		code = print_help(given[HELP]);
	else if (!code && !given[LIST] && !given[DECODE])
		code = check_calls();
	if (code && (failure.exit != USAGE || !failure.text[0]))
		wrong("refused, but why?", failure.text, 1);
	format = TEXT_FORMAT;
	check_printed();
	for (i = 0; !code && i < n_calls; i++)
		for (version = 0; version < 4; version++)
			encode_and_decode(&calls[i], version);
	free(copy);
}

/* ---- hex ---- */

static void __attribute__((unused)) fuzz_hex(const uint8_t *data, size_t size)
{
	int f, code;

	for (f = TEXT_FORMAT; f <= SH; f++) {
		start_again(data, size);
		format = (enum format)f;
		code = decode_file("-");
		flush(&out);
		if (code && printed.len)
			wrong("refused, but printed", printed.s, printed.len);
		check_printed();
	}
}

/* ---- running ---- */

#define PASTE2(a, b)	a##b
#define PASTE(a, b)	PASTE2(a, b)
#define TEXT2(a)	#a
#define AS_TEXT(a)	TEXT2(a)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PASTE(fuzz_, FUZZ)(data, size);
	return 0;
}

#ifndef LIBFUZZER
#undef read
#undef write
#undef open
#undef close

static char op_used[OPS];

static void use_ops(struct cursor c)
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		op_used[it.op] = 1;
		op_used[it.guard] = 1;
		op_used[OP_TLV] |= it.tlv >= 0;
		if (kinds[it.op].has & ITEMS)
			use_ops(it.inner);
	}
}

/* How many kinds of items the table has that no file reached. */
static int count_missed(enum op part)
{
	static const char *const kind_names[] = {
#define K(op, has, where, what, size)	[OP_##op] = #op,
		KINDS(K)
#undef K
	};
	int version, op, missed = 0;
	size_t i;

	for (i = 0; i < n_commands; i++)
		for (version = 0; version < 4; version++)
			use_ops(find_part(&commands[i], part, version));
	for (op = OP_TLV; op < OP_SUFFIXES; op++)
		if (op_used[op] && !op_told[op]) {
			printf("fuzz-" AS_TEXT(FUZZ) ": FAILED: no file has "
				"reached %s; tests/build/plain/table -s "
				"tests/corpus makes one\n", kind_names[op]);
			missed++;
		}
	return missed;
}

#pragma GCC diagnostic ignored "-Wunused-function"
__attribute__((weak)) void __sanitizer_set_death_callback(void (*f)(void));

int main(int argc, char **argv)
{
	static uint8_t data[1 << 20];
	int i, missed = 0;
	size_t len;
	FILE *f;

	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(tell_file);
	for (i = 1; i < argc; i++) {
		current_file = argv[i];
		f = fopen(argv[i], "rb");
		if (!f) {
			perror(argv[i]);
			return 1;
		}
		len = fread(data, 1, sizeof(data), f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, len);
	}
	if (argc > 1 && (PASTE(fuzz_, FUZZ) == fuzz_reply))
		missed = count_missed(OP_REPLY);
	if (argc > 1 && (PASTE(fuzz_, FUZZ) == fuzz_arguments))
		missed = count_missed(OP_REQUEST);
	printf("fuzz-" AS_TEXT(FUZZ) ": %d passed, %d failed, 0 skipped\n",
		argc - 1, missed);
	return missed != 0;
}
#endif
