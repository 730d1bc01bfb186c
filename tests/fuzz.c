/* SPDX-License-Identifier: ISC
 *
 * Four fuzzers of one shape; -DFUZZ= says which:
 *
 *   reply       kind and service of a command, its CID or message (2 bytes),
 *               MBIMEx version (and 4 for its request, 8 for a mask, 16 for
 *               the next one that is so), the bytes of a reply: printed in all
 *               three outputs
 *   frame       a script of what a device does (see below): a whole run
 *   arguments   an argument each up to a NUL: parsed, encoded, decoded again
 *   hex         what is fed to --decode
 *
 * Beside what sanitizers find, these must hold: JSON is strict JSON with no
 * key twice, the command first, an object for each command at most; sh is
 * assignments of quoted text, none twice; text has no control characters; what
 * is malformed prints nothing; what fails says why; frames that are sent are
 * well-formed; runs end in time and do not spin; clients and sessions are given
 * back; secrets are not traced.
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
#include <net/if.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- failing ---- */

static const char *current_file = "";

static void name_file(void)
{
	fprintf(stderr, "FAILED with the input %s\n", current_file);
}

/* Something that must not be. */
static void wrong(const char *what, const char *s, size_t len)
{
	fprintf(stderr, "\nERROR: %s: %.*s\n", what, (int)len, s);
	name_file();
	abort();
}

/* ---- the operating system ---- */

/*
 * There is a device, /dev/cdc-wdm0, with an interface, wwan0, and a directory
 * for the marker. Names without a slash are files of one line.
 */
enum { DEVICE_FD = 901, SECRET_FD, RUN_FD, MARKER_FD, NET_FD };

static struct {
	const uint8_t *p;		/* standard input, or the script */
	size_t len, at;
} script;
static struct collected {
	char s[1 << 22];
	size_t len;
} printed, warned;			/* what came on stdout, on stderr */
static int64_t clock_now, delay;	/* and what it is to be put forward */
static int secret_read, net_read, fsync_error;
static int looks;			/* at the clock, since it waited */
static uint16_t control_size;		/* the device's */
static uint8_t marker[512];		/* what is in its file */
static size_t marker_len;		/* 0: there is none */

static ssize_t device_read(uint8_t *p, size_t n);
static ssize_t device_write(const uint8_t *p, size_t n);
static short device_poll(short events);

static ssize_t fuzz_read(int fd, void *p, size_t n)
{
	size_t left = script.len - script.at;

	if (fd == DEVICE_FD)
		return device_read(p, n);
	if (fd == MARKER_FD) {
		n = n < marker_len ? n : marker_len;
		memcpy(p, marker, n);
		return (ssize_t)n;
	}
	if (fd == SECRET_FD) {
		if (secret_read == 5)
			return 0;
		*(char *)p = "1234\n"[secret_read++];
		return 1;
	}
	if (fd != 0) {
		errno = EBADF;
		return -1;
	}
	n = n < left ? n : left;
	if (n)
		memcpy(p, script.p + script.at, n);
	script.at += n;
	return (ssize_t)n;
}

static void collect(struct collected *c, const void *p, size_t n)
{
	if (c->len + n > sizeof(c->s))
		return;
	memcpy(c->s + c->len, p, n);
	c->len += n;
}

static ssize_t fuzz_write(int fd, const void *p, size_t n)
{
	if (fd == DEVICE_FD)
		return device_write(p, n);
	if (fd == MARKER_FD && n <= sizeof(marker)) {
		memcpy(marker, p, n);
		marker_len = n;
	} else if (fd == 1 || fd == 2) {
		collect(fd == 1 ? &printed : &warned, p, n);
	}
	return (ssize_t)n;
}

static int fuzz_open(const char *path, int flags, ...)
{
	const char *net = strstr(path, "/device/net");

	(void)flags;
	secret_read = net_read = 0;
	if (!strcmp(path, "/dev/cdc-wdm0"))
		return DEVICE_FD;
	if (!strcmp(path, "/run/mbimctl"))
		return RUN_FD;
	if (net && !net[11])
		return NET_FD;
	errno = ENOENT;
	return *path == '/' || !*path ? -1 : SECRET_FD;
}

static int fuzz_openat(int dir, const char *name, int flags, ...)
{
	(void)name;
	errno = ENOENT;
	return dir == RUN_FD && (marker_len || flags & O_CREAT) ? MARKER_FD :
		-1;
}

static int fuzz_no(void)
{
	errno = ENOENT;
	return -1;
}

static int fuzz_fsync(void)
{
	errno = fsync_error ? EIO : EINVAL;
	fsync_error = 0;
	return -1;
}

static int fuzz_unlinkat(void)
{
	marker_len = 0;
	return 0;
}

static int fuzz_close(int fd)
{
	(void)fd;
	return 0;
}

static int fuzz_stat(const char *path, struct stat *st)
{
	if (strcmp(path, "/dev/cdc-wdm0"))
		return fuzz_no();
	*st = (struct stat){ .st_mode = S_IFCHR | 0600, .st_ino = 7,
		.st_rdev = makedev(180, 0) };
	return 0;
}

static int fuzz_fstat(int fd, struct stat *st)
{
	(void)fd;
	*st = (struct stat){ .st_mode = S_IFDIR | 0700, .st_uid = geteuid() };
	return 0;
}

static int fuzz_ioctl(int fd, unsigned long what, void *p)
{
	(void)what;
	if (fd != DEVICE_FD)
		return fuzz_no();
	memcpy(p, &control_size, sizeof(control_size));
	return 0;
}

/* The names in a directory are one: the device's interface. */
static long fuzz_syscall(long what, int fd, char *p)
{
	static const char entry[32] = { [16] = 32, [19] = 'w', 'w', 'a', 'n',
		'0' };

	if (what != SYS_getdents64 || fd != NET_FD || net_read++)
		return 0;
	memcpy(p, entry, sizeof(entry));
	return sizeof(entry);
}

/* Who looks at the clock over and over, but never waits, spins. */
static int fuzz_clock(clockid_t id, struct timespec *t)
{
	(void)id;
	if (looks++ > 10000)
		wrong("the run spins", "", 0);
	clock_now += 1000;
	t->tv_sec = (time_t)(clock_now / 1000000000);
	t->tv_nsec = (long)(clock_now % 1000000000);
	return 0;
}

/* It waits on when time was all that passed, as ppoll() does. */
static int fuzz_ppoll(struct pollfd *p, nfds_t n, const struct timespec *t,
	const sigset_t *mask)
{
	int64_t wait = t->tv_sec * 1000000000LL + t->tv_nsec, passes;

	(void)mask;
	looks = 0;
	do {
		p->revents = 0;
		if (n && (!delay || p->events & POLLOUT))
			p->revents = device_poll(p->events);
		if (n && p->revents)
			return p->revents < 0 ? (errno = EINTR, -1) : 1;
		passes = delay && delay < wait ? delay : wait;
		delay -= delay < passes ? delay : passes;
		clock_now += passes;
		wait -= passes;
	} while (wait);
	return 0;
}

/* Those with arguments alone where the table has words of the same name. */
#define read			fuzz_read
#define write			fuzz_write
#define open			fuzz_open
#define close			fuzz_close
#define clock_gettime		fuzz_clock
#define ppoll			fuzz_ppoll
#define openat			fuzz_openat
#define unlinkat(...)		fuzz_unlinkat()
#define renameat(...)		0
#define mkdir(...)		fuzz_no()
#define stat(path, st)		fuzz_stat(path, st)
#define fstat(fd, st)		fuzz_fstat(fd, st)
#define readlink(...)		fuzz_no()
#define fsync(...)		fuzz_fsync()
#define flock(...)		0
#define ioctl(fd, what, p)	fuzz_ioctl(fd, what, p)
#define socket(...)		fuzz_no()
#define connect(...)		fuzz_no()
#define getpid()		1
#define secure_getenv(name)	NULL
#define syscall(what, fd, p, ...) \
	fuzz_syscall(what, (int)(fd), (char *)(size_t)(p))
#define poll(...)		0
#define prctl(...)		0
#define setitimer(...)		((void)t)
#define sigaction(sig, new, old) \
	((void)(new), (void)(struct sigaction *)(old))
#define sigprocmask(how, set, old)	((void)(set), (void)(old))
#define signal(sig, how)	0
#define raise(sig)		0
#define tcgetattr(fd, t)	(memset(t, 0, sizeof(*(t))), 0)
#define tcsetattr(fd, how, t)	((void)(t))

/* ---- the program ---- */

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-value"
#pragma GCC diagnostic ignored "-Wenum-compare"
#pragma GCC diagnostic ignored "-Wenum-conversion"
#define on_alarm	mbim_on_alarm
#define event		mbim_event
#include "../mbim.c"
#undef on_alarm
#undef event
#include "../qmi-over-mbim.c"
#include "../commands.c"
enum run_format { RUN_FORMAT };			/* main.c's own is another */
#define format		run_format
#define main		mbimctl_main
#include "../main.c"
#undef main
#undef format

static const size_t n_commands = COUNT_OF(commands);

/* Which items were printed: commands.c gives the very names of its table. */
static char was_printed[sizeof(names)];
static size_t n_printed;
static char op_printed[OPS];

static void note(const char *name)
{
	n_printed++;
	if (name >= names && name < names + sizeof(names))
		was_printed[name - names] = 1;
}

static void note_begin(const struct call *call)
{
	(void)call;
}

static void note_value(const struct value *v)
{
	if (v->kind < VALUE_MISSING)
		note(v->name);
}

static void note_open(const char *name, enum group group)
{
	(void)group;
	note(name);
}

static void note_close(void)
{
}

static const struct printer noting = { note_begin, note_value, note_open,
	note_close, note_close, MISSING_NONE };

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

/* No variable is set twice, but by another frame of --decode. */
static void check_variables_once(const char *s, size_t len)
{
	static const char *lines[1024];
	size_t n = 0;

	for (const char *p = s, *end = s + len, *next; p < end; p = next) {
		next = memchr(p, '\n', (size_t)(end - p));
		next = next ? next + 1 : end;
		if (*p == '#')
			n = 0;		/* another frame */
		if (*p == '#' || *p == '\n' || n == COUNT_OF(lines))
			continue;
		for (size_t i = 0; i < n; i++) {
			size_t of = strcspn(lines[i], "=\n");

			if (of == strcspn(p, "=\n") && p[of] == '=' &&
			    !memcmp(p, lines[i], of))
				wrong("sh: a variable twice", p, of);
		}
		lines[n++] = p;
	}
}

/*
 * NAME='…' on each line, in which '\'' stands for a quote; before the frames of
 * --decode their numbers, as comments.
 */
static void check_sh(const char *s, size_t len)
{
	const char *end = s + len, *line;

	check_variables_once(s, len);
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

static const char *json_at, *json_until;

static void json_wrong(const char *what)
{
	wrong(what, json_at, (size_t)(json_until - json_at));
}

static int json_take(char c)
{
	if (json_at == json_until || *json_at != c)
		return 0;
	json_at++;
	return 1;
}

static void json_literal(void)
{
	if (!json_take('"'))
		json_wrong("JSON: no string");
	while (!json_take('"')) {
		if (json_at == json_until)
			json_wrong("JSON: a string has no end");
		if (!json_take('\\')) {
			/* U+007F to U+009F are harmless in JSON */
			if (*json_at == '\177')
				json_at++;
			else if (json_until - json_at > 1 && *json_at == '\302'
				 && (uint8_t)json_at[1] >> 6 == 2)
				json_at += 2;
			else
				json_at += utf8_length(json_at,
					(size_t)(json_until - json_at));
		} else if (json_take('u')) {
			int i;

			for (i = 0; i < 4; i++, json_at++)
				if (json_at == json_until || !isxdigit(*json_at))
					json_wrong("JSON: \\u");
		} else if (json_at == json_until || !strchr("\"\\/bfnrt",
				*json_at++)) {
			json_wrong("JSON: escape");
		}
	}
}

static void json_digits(void)
{
	if (json_at == json_until || !isdigit(*json_at))
		json_wrong("JSON: no digit");
	while (json_at < json_until && isdigit(*json_at))
		json_at++;
}

static void json_scalar(void)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i, len;

	for (i = 0; i < 3; i++) {
		len = strlen(words[i]);
		if ((size_t)(json_until - json_at) >= len &&
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
	if (json_at < json_until && *json_at == '"') {
		json_literal();
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
			json_literal();
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

/* The command comes first, but in the frames of --decode. */
static void check_json(const char *s, size_t len, int has_command)
{
	json_at = s;
	json_until = s + len;
	while (json_at < json_until) {
		if (*json_at != '{')
			json_wrong("JSON: no object");
		if (has_command && strncmp(json_at, "{\"command\":\"", 12) &&
		    strncmp(json_at, "{\"command\":null,\"error\":{", 25))
			json_wrong("JSON: the command is not first");
		json_thing(0);
		if (!json_take('\n'))
			json_wrong("JSON: no end of line");
	}
}

/* The commands of ip(8): what a modem could put between them is quoted. */
static void check_ip(const char *s, size_t len)
{
	check_text(s, len);
	for (const char *p = s; p < s + len; p++)
		if (strchr("`\\;$", *p) && *p && (p == s || *p != ';' ||
				!strchr("' le", p[-1])))
			wrong("ip: something to be expanded", s, len);
}

/* All that was printed so far, which is forgotten. */
static void check_printed(int has_command)
{
	flush(&out);
	printed.s[printed.len] = '\0';
	if (format == FORMAT_JSON)
		check_json(printed.s, printed.len, has_command);
	else if (format == FORMAT_SH)
		check_sh(printed.s, printed.len);
	else if (format == FORMAT_IP)
		check_ip(printed.s, printed.len);
	else
		check_text(printed.s, printed.len);
	if (level != levels)
		wrong("levels are left open", "", 0);
	if (format == FORMAT_TEXT && (column || grid.mode))
		wrong("a line is left over", printed.s, printed.len);
	printed.len = 0;
}

static void use_format(enum format f)
{
	run_format = (enum run_format)f;
	print_to(&out, f);
}

/* ---- from the beginning ---- */

static void start_again(const uint8_t *data, size_t size)
{
	script.p = data;
	script.len = size;
	script.at = 0;
	printed.len = warned.len = 0;
	clock_now = 1000000000000;
	delay = 0;
	fsync_error = looks = 0;
	marker_len = 0;
	/* main.c */
	memset(given, 0, sizeof(given));
	memset(&mbim, 0, sizeof(mbim));
	memset(&job, 0, sizeof(job));
	run_deadline = 0;
	n_calls = n_options = current = 0;
	all_done = 0;
	verbose = needs_none = force = output_wants_net = signals_blocked = 0;
	signals_seen = signal_last = 0;
	out.len = err.len = 0;
	memset(failed, 0, sizeof(failed));
	prefix = NULL;
	frames_found = 0;
	warn_line = write_warning;
	/* commands.c */
	use_format(FORMAT_TEXT);
	level = levels;
	column = margin = 0;
	titles = 0;
	memset(&grid, 0, sizeof(grid));
	pool_used = pasted_len = 0;
	ip_metric = NULL;
	clear_record();
	/* qmi-over-mbim.c */
	n_clients = 0;
	next_id = 0;
	last = NULL;
	/* mbim.c */
	failure = (struct failure){ 0 };
	input_len = input_at = joined_len = 0;
	joined_id = joined_next = 0;
	on_disk = (struct mbim_marker){ 0 };
	matches = 0;
	found[0] = '\0';
}

/* ---- replies ---- */

/* The nameless items of a part, and those whose names were printed. */
static void note_items(struct cursor c)
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		if (!it.name || it.op == OP_CONST ||
		    was_printed[it.name - names])
			op_printed[it.op] = 1;
		if (it.name && was_printed[it.name - names]) {
			op_printed[OP_TLV] |= it.tlv >= 0;
			op_printed[it.guard] = 1;
		}
		if (kinds[it.op].has & ITEMS)
			note_items(it.inner);
	}
}

/*
 * Commands are named by what does not change when others are added; the raw
 * ones are services of the fourth kind.
 */
static enum command_number command_of(const uint8_t *data)
{
	size_t i, nth = data[3] >> 4;

	for (i = 0; i < n_commands; i++)
		if ((commands[i].kind < KIND_RAW_MBIM ?
		     commands[i].kind << 6 | commands[i].service :
		     (3 << 6) + commands[i].kind - KIND_RAW_MBIM) == data[0] &&
		    commands[i].id == (data[1] | data[2] << 8) && !nth--)
			return (enum command_number)i;
	return (enum command_number)((data[0] | (size_t)data[1] << 8) %
		n_commands);
}

static int decode_part(enum command_number c, const uint8_t *data,
	const uint8_t *copy, size_t size, int quiet)
{
	struct decoder d = { .quiet = quiet, .mask = data[3] >> 3 & 1,
		.frame = copy };
	enum op part = data[3] & 4 ? OP_REQUEST : OP_REPLY;

	return decode(&d, c, part, data[3] & 3, commands[c].kind == KIND_QMI,
		(struct reader){ copy, size, 0, 0 });
}

static void __attribute__((unused)) fuzz_reply(const uint8_t *data, size_t size)
{
	enum command_number c;
	uint8_t *copy;
	int good = 1, first = -1;

	if (size < 4 || size > sizeof(hidden))
		return;
	c = command_of(data);
	size -= 4;
	copy = malloc(size + !size);
	if (size)
		memcpy(copy, data + 4, size);
	for (int f = FORMAT_TEXT; f <= FORMAT_SH; f++) {
		start_again(NULL, 0);
		use_format((enum format)f);
		good = decode_part(c, data, copy, size, 1);
		flush(&out);
		if (printed.len)
			wrong("quiet, but printed", printed.s, printed.len);
		if (first >= 0 && good != first)
			wrong("malformed in one output only", "", 0);
		first = good;
		if (good) {
			print_titles(data[3] & 1);
			print_begin(head_of(c)->name, NULL);
			if (!decode_part(c, data, copy, size, 0))
				wrong("malformed when printed", "", 0);
			print_end();
		}
		check_printed(1);
	}
	n_printed = 0;
	printer = &noting;
	if (good) {
		decode_part(c, data, copy, size, 0);
		if (n_printed)
			note_items(find_part(c, data[3] & 4 ? OP_REQUEST :
				OP_REPLY, data[3] & 3));
	}
	free(copy);
}

/* ---- sessions ---- */

/*
 * The script: flags, size of a control message in 64 bytes (its two lowest bits
 * choose the output), then steps of two bytes or more, the first of which says
 * what happens when the host polls next:
 *
 *   0 n bytes      n bytes come; an id of 0xffffffff becomes the last request's
 *   1 n n bytes    the same with two bytes of length
 *   2 n            reading fails: EAGAIN, EIO, ENODEV, ENOBUFS, EINTR; or 0
 *   3 n            these events; with 8 an earlier write has failed
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
	return script.at < script.len ? script.p[script.at++] : 0;
}

static void take_bytes(uint8_t *to, size_t n)
{
	size_t left = script.len - script.at;

	memset(to, 0, n);
	if (n && left)
		memcpy(to, script.p + script.at, n < left ? n : left);
	script.at += n < left ? n : left;
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
		if (!memcmp(sent + 20, mbim.qmi, 16) && sent_len >= 60) {
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
	if (script.at >= script.len)
		return 0;
	step = script.p[script.at];
	next_step();
	if ((step & 7) == 3) {
		step = script.p[script.at - 1];
		fsync_error = step & 8;
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
	    n > mbim.marker.control_size || get_u32(p + 8) == 0 ||
	    (type == 3 && (n < 20 || get_u32(p + 16) >= get_u32(p + 12))))
		wrong("an odd frame was sent", (const char *)p, n);
	n_opens += type == 1;
	n_closes += type == 2;
	if (type == 3 && get_u32(p + 16) == 0 && n >= 60 &&
	    !memcmp(p + 20, mbim.qmi, 16) && p[52] == 0 && p[56] == 0x23)
		n_releases++;
	if (type != 3 || get_u32(p + 16) == 0) {
		sent_len = n < sizeof(sent) ? n : sizeof(sent);
		memcpy(sent, p, sent_len);
	}
	return (ssize_t)n;
}

/* What a script asks for; the second eight when its mode is 3. */
static const char *const lines[16][4] = {
	{ "--get-device-caps" },
	{ "--dms-get-ids" },
	{ "--connect" },
	{ "--get-device-caps", "--dms-get-ids", "--nas-get-signal-info" },
	{ "--wds-start-network" },
	{ "--set-radio-state=on", "--get-ip-configuration" },
	{ "--disconnect" },
	{ "--raw-qmi=DMS,0x25", "--raw-mbim=BASIC_CONNECT,9,query" },
	{ "--up", "--apn=internet", "--pin=57910246" },
	{ "--ensure-connected", "--session-id=1", "--allow=home" },
	{ "--down" },
	{ "--wait-for=connected" },
	{ "--verify-connection" },
	{ "--fcc-unlock", "--method=foxconn" },
	{ "--fcc-unlock", "--method=quectel", "--get-visible-providers" },
	{ "--enter-pin=57910246", "--get-signal-state", "--sms-read" },
};

static int has_prefix(const char *s, const char *prefix_)
{
	return !strncmp(s, prefix_, strlen(prefix_));
}

/* What was sent is traced without the PIN. */
static void check_trace(void)
{
	static char block[sizeof(warned.s)];
	size_t n = 0;

	for (size_t i = 0; i < warned.len; i++)
		if (!isspace((uint8_t)warned.s[i]))
			block[n++] = warned.s[i];
	block[n] = '\0';
	for (char *p = block; (p = strstr(p, "->sent")); p++) {
		char *end = strstr(p, "<-received"), *next = strstr(p + 1,
			"->sent");
		char saved;

		end = !end || (next && next < end) ? next : end;
		end = end ? end : block + n;
		saved = *end;
		*end = '\0';
		if (strstr(p, "35003700390031003000") || strstr(p, "57910246"))
			wrong("a secret is traced", p, strlen(p));
		*end = saved;
	}
}

/* What failed says why: on stderr, in JSON as an object, in sh as variables. */
static void check_exit(int code)
{
	char last_line[40];
	size_t len, n;

	if (code && (!failure.exit || !*failure.text))
		wrong("failed, but why?", failure.text, strlen(failure.text));
	if (code < 0 || (code > NO_OUTPUT && code != SIGNALLED + SIGTERM &&
			code != SIGNALLED + SIGINT))
		wrong("an exit code that there is not", "", 0);
	if (code && !warned.len)
		wrong("nothing on stderr", failure.text, strlen(failure.text));
	printed.s[printed.len] = '\0';
	if (format == FORMAT_JSON && !code != !strstr(printed.s,
			"\"error\":{\"exit\":"))
		wrong("an error object, or none", printed.s, printed.len);
	n = 0;
	for (const char *p = printed.s; (p = strstr(p, "{\"command\":\"")); p++)
		n += p == printed.s || p[-1] == '\n';
	if (format == FORMAT_JSON && n > n_calls)
		wrong("a command has failed after its reply", printed.s,
			printed.len);
	len = (size_t)snprintf(last_line, sizeof(last_line),
		"mbim_exit='%d'\n", code);
	if (format == FORMAT_SH && (printed.len < len || strcmp(last_line,
			printed.s + printed.len - len)))
		wrong("exit is not last", printed.s, printed.len);
}

/* A marker as an earlier run left it, of MBIMEx 3.0, with a session. */
static void make_marker(void)
{
	struct mbim_marker m = { .identity = { makedev(180, 0), 7 },
		.size = sizeof(m), .control_size = control_size, .version = 3,
		.n_sessions = 1, .n_kept = 1,
		.kept = { { 1234, qmi_WDS, 1, { 0 } } } };

	memcpy(marker, &m, sizeof(m));
	marker_len = sizeof(m);
}

static void __attribute__((unused)) fuzz_frame(const uint8_t *data, size_t size)
{
	static const char *const outputs[] = { "-ojson", "-osh", "-otext",
		"-oip" };
	const char *argv[16] = { "mbimctl", "-d/dev/cdc-wdm0" };
	const char *const *line;
	int n = 2, unkept = 0, code, is_keeping, has_ip_ = 0;
	uint8_t flags;

	if (size < 2)
		return;
	start_again(data + 2, size - 2);
	flags = data[0];
	line = lines[(flags >> 4 & 7) | ((flags & 3) == 3 ? 8 : 0)];
	is_keeping = line == lines[2] || line == lines[4] || line == lines[8] ||
		line == lines[9];
	for (size_t i = 0; i < 4 && line[i]; i++) {
		has_ip_ |= has_prefix(line[i], "--get-ip") || has_prefix(
			line[i], "--up") || has_prefix(line[i], "--down") ||
			has_prefix(line[i], "--ensure-connected");
		argv[n++] = line[i];
	}
	argv[n++] = outputs[(data[1] & 3) == 3 && !has_ip_ ? 0 : data[1] & 3];
	if ((data[1] & 3) == 1 && line == lines[3])
		argv[n - 1] = "-ojson";	/* two of QMI have one variable */
	if ((data[1] & 3) == 1 && line == lines[14])
		argv[n - 1] = "-ojson";
	if ((flags & 3) % 3)
		argv[n++] = (flags & 3) == 1 ? "--open" : "--no-open";
	if (flags & FLAG_CLOSE && !is_keeping)
		argv[n++] = "--close";
	if (flags & FLAG_TRACE)
		argv[n++] = "-v";
	control_size = (uint16_t)(64 * (data[1] ? data[1] : 1));
	if (flags & FLAG_EX)
		make_marker();
	reply_len = reply_at = sent_len = 0;
	read_error = write_error = hindered = 0;
	n_opens = n_closes = n_releases = 0;
	code = mbimctl_main(n, (char **)(size_t)argv);
	if (code == USAGE)
		wrong("arguments", failure.text, strlen(failure.text));
	if (clock_now > 1000000000000 + mbim.timeout + 3500000000)
		wrong("the run took too long", "", 0);
	check_exit(code);
	check_text(warned.s, warned.len);
	if (flags & FLAG_TRACE)
		check_trace();
	check_printed(1);
	for (size_t i = 0; i < n_clients; i++)
		unkept += !clients[i].kept;
	if (!mbim.gone && !hindered && n_releases < unkept)
		wrong("a client is not released", "", 0);
	if (!mbim.gone && !hindered && n_opens && !n_closes &&
	    mbim.open != OPEN_NEVER && !mbim.marker.n_sessions &&
	    !mbim.marker.n_kept)
		wrong("the function is not closed", "", 0);
	if (marker_len ? memcmp(marker, &mbim.marker, marker_len) != 0 :
	    mbim.marker.n_sessions || mbim.marker.n_kept)
		wrong("the marker is not written", "", 0);
}

/* ---- arguments ---- */

static void note_call(struct cursor c, const struct call *call)
{
	struct item it;
	size_t i;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		int is_given = it.fallback || !it.help;

		/* the value of a raw command is those of all its items */
		is_given |= commands[call->command].kind >= KIND_RAW_MBIM;
		for (i = 0; i < call->n_options; i++)
			is_given |= names_item(&call->options[i], &it);
		if (is_given)
			op_printed[it.op] = 1;
		op_printed[OP_TLV] |= is_given && it.tlv >= 0;
		if (kinds[it.op].has & ITEMS)
			note_call(it.inner, call);
	}
}

static void encode_and_decode(const struct call *call, int version)
{
	enum command_number c = call->command;
	struct decoder d = { 0 };
	struct encoder e;
	uint8_t *copy;
	int good;

	failure = (struct failure){ 0 };
	if (encode(&e, call, version, NULL)) {
		if (failure.exit != USAGE || !failure.text[0])
			wrong("refused, but why?", head_of(c)->name,
				strlen(head_of(c)->name));
		return;
	}
	if (e.end > sizeof(request) || e.overflow)
		wrong("too long", head_of(c)->name, strlen(head_of(c)->name));
	copy = malloc(e.end + !e.end);
	memcpy(copy, request, e.end);
	printer = NULL;
	good = decode(&d, c, OP_REQUEST, version, commands[c].kind == KIND_QMI,
		(struct reader){ copy, e.end, 0, 0 });
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
	print_to(&out, (enum format)run_format);
	if (!code && needs_none)
		code = run_without_modem();
	else if (!code)
		code = read_secrets();
	if (!code)
		code = check_calls();
	if (code && ((failure.exit != USAGE && (failure.exit != MALFORMED ||
			!given[DECODE])) || !failure.text[0]))
		wrong("refused, but why?", failure.text, strlen(failure.text));
	if (needs_none && format == FORMAT_JSON && !given[LIST])
		print_to(&out, FORMAT_TEXT);	/* help has no JSON */
	if (needs_none && (given[HELP] || given[SHOW_VERSION]))
		print_to(&out, FORMAT_TEXT);
	check_printed(0);
	for (i = 0; !code && i < n_calls; i++)
		for (version = 0; version < 4; version++)
			encode_and_decode(&calls[i], version);
	free(copy);
}

/* ---- hex ---- */

static void __attribute__((unused)) fuzz_hex(const uint8_t *data, size_t size)
{
	for (int f = FORMAT_TEXT; f <= FORMAT_SH; f++) {
		int code;

		start_again(data, size);
		use_format((enum format)f);
		code = decode_file("-");
		flush(&out);
		if (code && printed.len)
			wrong("refused, but printed", printed.s, printed.len);
		check_printed(0);
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
			use_ops(find_part((enum command_number)i, part,
				version));
	for (op = OP_TLV; op < OP_SUFFIXES; op++)
		if (op_used[op] && !op_printed[op]) {
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
		__sanitizer_set_death_callback(name_file);
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
