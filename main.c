/* SPDX-License-Identifier: ISC
 *
 * The face: options, the order of work, the printer with its three outputs,
 * error sentences, exit codes, signals, the trace, --list, --decode and help;
 * and what all files need: text, failures, sysfs. Only this file writes to
 * stdout and stderr. It knows no command, and never touches the device.
 */
#include "mbim.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VERSION "0.1"

/* ---- text ---- */

void text_char(struct text *t, char c)
{
	if (t->len + 1 < t->size)
		t->s[t->len++] = c;
	t->s[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

void text_decimal(struct text *t, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	while (i < sizeof(digits))
		text_char(t, digits[i++]);
}

void text_hex(struct text *t, uint64_t n, int digits)
{
	while (digits-- > 0)
		text_char(t, "0123456789abcdef"[n >> 4 * digits & 15]);
}

void text_bytes(struct text *t, const uint8_t *bytes, size_t len)
{
	while (len--)
		text_hex(t, *bytes++, 2);
}

int parse_number(const char **s, uint64_t *n)
{
	int base = (*s)[0] == '0' && ((*s)[1] | 32) == 'x' ? 16 : 10, digit;
	const char *start = *s += base == 16 ? 2 : 0;

	for (*n = 0; ; ++*s) {
		digit = **s - '0';
		if (digit > 9 && base == 16)
			digit = (**s | 32) >= 'a' ? (**s | 32) - 'a' + 10 : 16;
		if (digit < 0 || digit >= base)
			return *s > start;
		if (*n > (UINT64_MAX - (unsigned)digit) / (unsigned)base)
			return 0;
		*n = *n * (unsigned)base + (unsigned)digit;
	}
}

size_t span(const char *s, char c)
{
	size_t n = 0;

	while (s[n] && s[n] != c)
		n++;
	return n;
}

int64_t parse_signed(const char **s)
{
	int minus = **s == '-';
	uint64_t n;

	*s += minus;
	parse_number(s, &n);
	return minus ? (int64_t)(0 - n) : (int64_t)n;
}

/* ---- failure ---- */

struct failure failure;

int fail(int code, const char *text, ...)
{
	struct text t = TEXT(failure.text);
	va_list list;

	if (failure.quiet || failure.exit)
		return code;
	failure.exit = code;
	va_start(list, text);
	for (; text; text = va_arg(list, const char *))
		text_add(&t, text);
	va_end(list);
	return code;
}

int fail_with(int code, const char *who, uint32_t number, const char *name,
	const char *more, const char *try)
{
	char dashed[32];
	struct text d = TEXT(dashed);
	char digits[24];
	struct text t = TEXT(digits);

	if (!failure.quiet && !failure.exit) {
		failure.number = number;
		failure.name = name;
	}
	text_add(&t, " (");
	if (number > 0xffff)
		text_add(&t, "0x");
	if (number > 0xffff)
		text_hex(&t, number, 8);
	else
		text_decimal(&t, number);
	text_char(&t, ')');
	dashed[0] = '\0';
	for (; try && *try; try++)
		text_char(&d, *try == '_' ? '-' : *try);
	return fail(code, who, name, digits, more, d.len ? ": try --" : "",
		dashed, NULL);
}

/* strerror() has a table of 2 KB; these are the ones that people meet. */
const char *errno_text(void)
{
	switch (errno) {
	case ENOENT: return "no such file or directory";
	case EACCES: case EPERM: return "permission denied";
	case ENODEV: case ENXIO: return "no such device";
	case EBUSY: return "busy";
	case ECONNREFUSED: return "nobody listens";
	case ENOTDIR: return "not a directory";
	case ELOOP: return "a symbolic link";
	case EROFS: return "read-only";
	case ENOSPC: return "no space left";
	default: return "system error";
	}
}

/* ---- output ---- */

static struct sink {
	int failed;
	size_t len;
	char s[4096];
} out, err, *to = &out;

static void flush(struct sink *s)
{
	size_t at = 0;
	ssize_t n;

	while (at < s->len && !s->failed) {
		n = write(s == &out ? 1 : 2, s->s + at, s->len - at);
		if (n < 0 && errno != EINTR)
			s->failed = 1;
		at += n > 0 ? (size_t)n : 0;
	}
	s->len = 0;
}

static void put_bytes(const char *s, size_t len)
{
	if (len > sizeof(to->s) - to->len)
		flush(to);
	if (len > sizeof(to->s)) {
		put_bytes(s, len / 2);
		put_bytes(s + len / 2, len - len / 2);
		return;
	}
	memcpy(to->s + to->len, s, len);
	to->len += len;
}

static void put_char(char c)
{
	if (to->len == sizeof(to->s))
		flush(to);
	to->s[to->len++] = c;
}

static void put(const char *s)
{
	put_bytes(s, strlen(s));
}

static void put_spaces(size_t n)
{
	for (; n > 8; n -= 8)
		put_bytes("        ", 8);
	put_bytes("        ", n);
}

/* A name of ours, in the spelling of text and options. */
static void put_dashed(const char *name, char dashed)
{
	char s[64];
	size_t n = 0;

	for (; *name && *name != '=' && n < sizeof(s); name++)
		s[n++] = *name == '_' || *name == '-' ? dashed : *name;
	put_bytes(s, n);
}

static void complain(const char *text, va_list list)
{
	to = &err;
	put("mbimctl: ");
	for (; text; text = va_arg(list, const char *))
		put(text);
	put_char('\n');
	flush(&err);
	to = &out;
}

void warn(const char *text, ...)
{
	va_list list;

	va_start(list, text);
	complain(text, list);
	va_end(list);
}

/* ---- the printer ---- */

static enum format { TEXT_FORMAT, JSON, SH } format;
static const char *prefix = "mbim";

enum { LEVELS = 12 };
static struct level {
	enum out_group group;
	size_t count, path_len, blocks, pad;
} levels[LEVELS], *level = levels;
static char variable[512];		/* sh: its name so far */
static size_t label_width;		/* text: where values begin */
static int measuring, muted, margin, dash;

void out_mute(int mute)
{
	muted += mute ? 1 : -1;
}

/* Our words as users see them: the ledger has services in capitals. */
static char worded(const char *s, char c, int word)
{
	return !word ? c : c == '_' ? '-' : s[0] >= 'A' && s[0] <= 'Z' &&
		s[1] >= 'A' && s[1] <= 'Z' ? (char)(c | 32) : c;
}

static int is_control(const char *s, size_t left)
{
	uint8_t c = (uint8_t)*s;

	return c < 0x20 || c == 0x7f || (c == 0xc2 && left > 1 &&
		(uint8_t)s[1] >= 0x80 && (uint8_t)s[1] < 0xa0);
}

static void put_json(const char *s, size_t len, int word)
{
	const char *start = s;
	char hex[8];

	put_char('"');
	for (; len--; s++) {
		struct text t = TEXT(hex);

		if (is_control(s, 1)) {
			text_add(&t, "\\u");
			text_hex(&t, (uint8_t)*s, 4);
			put(hex);
			continue;
		}
		if (*s == '"' || *s == '\\')
			put_char('\\');
		put_char(worded(start, *s, word));
	}
	put_char('"');
}

/* Text for people and for sh: no control characters; quotes apart, for sh. */
static void put_clean(const char *s, size_t len, int word)
{
	const char *start = s, *end = s + len, *plain;

	while (s < end) {
		for (plain = s; s < end && ((*s > '_' && (uint8_t)*s < 0x7f) ||
				(*s >= ' ' && *s < 'A' && *s != '\'')); s++)
			;
		put_bytes(plain, (size_t)(s - plain));
		if (s == end)
			break;
		if (is_control(s, (size_t)(end - s))) {
			put_char(' ');
			s += *s == '\xc2';
		} else if (*s == '\'' && format == SH) {
			put("'\\''");
		} else {
			put_char(worded(start, *s, word));
		}
		s++;
	}
}

/* text: labels, with the values in a column */

static size_t indent(void)
{
	return 2 * (size_t)(level - levels - 1 + margin);
}

/* The label of a value; returns how far away its value stands. */
static size_t text_label(const char *name)
{
	size_t len = indent() + strlen(name);

	put_spaces(indent() - 2 * (size_t)dash);
	put(dash ? "- " : "");
	dash = 0;
	put_dashed(name, ' ');
	put_char(':');
	return label_width > len ? label_width - len + 1 : 1;
}

static void text_measure(const char *name)
{
	size_t width = indent() + strlen(name);

	if (level->group == OUT_OBJECT && label_width < width)
		label_width = width;
}

static void text_value(const char *name, enum out_kind kind, const char *s,
	size_t len)
{
	if (kind >= OUT_ABSENT)
		return;
	if (measuring) {
		text_measure(name);
		return;
	}
	if (level->group == OUT_OBJECT)
		level->pad = text_label(name);
	else if (level->count++)
		put(", ");
	if (len || kind == OUT_UNKNOWN)
		put_spaces(level->pad);
	level->pad = 0;
	if (kind == OUT_UNKNOWN)
		put("unknown");
	else
		put_clean(s, len, kind == OUT_WORD);
	if (level->group == OUT_OBJECT)
		put_char('\n');
}

/* Objects in an array are a block each, after a dash; others share a line. */
static void text_open(const char *name, enum out_group group)
{
	size_t pad = 0;

	if (measuring) {
		if (group != OUT_OBJECT)
			text_measure(name);
	} else if (level->group == OUT_OBJECT) {
		pad = text_label(name);
		put(group == OUT_OBJECT ? "\n" : "");
	} else {
		put(level->blocks++ ? "" : "\n");
		dash = 1;
	}
	*++level = (struct level){ .group = group, .pad = pad };
}

static void text_close(void)
{
	struct level closed = *level;

	if (dash) {		/* an element with nothing in it */
		put_spaces(indent() - 2);
		put("-\n");
		dash = 0;
	}
	level--;
	if (!measuring && closed.group != OUT_OBJECT && !closed.blocks)
		put_char('\n');
}

/* JSON: one object a line */

static void json_name(const char *name)
{
	if (level->count++)
		put_char(',');
	if (level->group == OUT_OBJECT) {
		put_json(name, strlen(name), 0);
		put_char(':');
	}
}

static void json_value(const char *name, enum out_kind kind, const char *s,
	size_t len)
{
	if (measuring || kind >= OUT_ABSENT)
		return;
	json_name(name);
	if (kind == OUT_UNKNOWN)
		put("null");
	else if (kind == OUT_NUMBER)
		put(s);
	else
		put_json(s, len, kind == OUT_WORD);
}

static void json_open(const char *name, enum out_group group)
{
	if (!measuring) {
		json_name(name);
		put_char(group == OUT_OBJECT ? '{' : '[');
	}
	*++level = (struct level){ .group = group };
}

static void json_close(void)
{
	enum out_group group = level--->group;

	if (!measuring)
		put_char(group == OUT_OBJECT ? '}' : ']');
}

/* sh: assignments, nested names joined; words without space in one variable */

static void sh_name(const char *name)
{
	char digits[24];
	struct text t = TEXT(digits), p = { variable, level->path_len,
		sizeof(variable) };

	text_decimal(&t, level->count++);
	text_char(&p, '_');
	text_add(&p, *name ? name : digits);
}

static void sh_assign(const char *suffix, const char *s, size_t len, int word)
{
	put(variable);
	put(suffix);
	put("='");
	put_clean(s, len, word);
	put("'\n");
}

static void sh_value(const char *name, enum out_kind kind, const char *s,
	size_t len)
{
	if (measuring || (kind >= OUT_ABSENT && level > levels + 1))
		return;
	if (level->group == OUT_WORDS) {
		if (level->count++)
			put_char(' ');
		put_clean(s, len, 1);
		return;
	}
	sh_name(name);
	if (kind == OUT_ABSENT_ARRAY)
		sh_assign("_count", "0", 1, 0);
	else
		sh_assign("", s, len, kind == OUT_WORD);
}

static void sh_open(const char *name, enum out_group group)
{
	if (!measuring) {
		sh_name(name);
		if (group == OUT_WORDS) {
			put(variable);
			put("='");
		}
	}
	*++level = (struct level){ .group = group,
		.path_len = strlen(variable) };
}

static void sh_close(void)
{
	struct level closed = *level--;
	char digits[24];
	struct text t = TEXT(digits);

	if (measuring)
		return;
	variable[closed.path_len] = '\0';
	text_decimal(&t, closed.count);
	if (closed.group == OUT_WORDS)
		put("'\n");
	else if (closed.group == OUT_ARRAY)
		sh_assign("_count", digits, t.len, 0);
}

static const struct printer {
	const char *name;
	void (*value)(const char *name, enum out_kind kind, const char *s,
		size_t len);
	void (*open)(const char *name, enum out_group group);
	void (*close)(void);
} printers[] = {
	[TEXT_FORMAT] = { "text", text_value, text_open, text_close },
	[JSON] = { "json", json_value, json_open, json_close },
	[SH] = { "sh", sh_value, sh_open, sh_close },
};

void out_value(const char *name, enum out_kind kind, const char *s, size_t len)
{
	if (!muted)
		printers[format].value(name, kind, s, len);
}

void out_open(const char *name, enum out_group group)
{
	if (!muted)
		printers[format].open(name, group);
}

void out_close(void)
{
	if (!muted)
		printers[format].close();
}

void out_begin(const char *name, enum out_pass pass)
{
	struct text p = TEXT(variable);

	measuring = pass == OUT_MEASURE;
	if (measuring)
		label_width = 0;
	level = levels + 1;
	level->group = OUT_OBJECT;
	level->count = 0;
	variable[0] = '\0';
	text_add(&p, prefix);
	level->path_len = p.len;
	if (measuring)
		return;
	if (format == JSON)
		put_char('{');
	if (format == TEXT_FORMAT && margin && name[0]) {
		put_dashed(name, '-');
		put(":\n");
	}
}

void out_end(void)
{
	if (!measuring && format == JSON)
		put("}\n");
	measuring = 0;
}

/* ---- sysfs ---- */

/* Test beds keep their /sys and /dev below a directory of their own. */
const char *sys_root(void)
{
	const char *dir = getenv("MBIMCTL_ROOT");

	return dir ? dir : "";
}

int sys_read(const char *dir, const char *name, char *s, size_t size)
{
	char file[256];
	struct text t = TEXT(file);
	ssize_t n;
	int fd;

	text_add(&t, dir);
	text_add(&t, name);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, s, size - 1);
	close(fd);
	if (n < 0)
		return -1;
	s[n] = '\0';
	if (n > 0 && s[n - 1] == '\n')
		s[--n] = '\0';
	return (int)n;
}

/*
 * Call each with every name in a directory until it returns nonzero. Straight
 * from the kernel, because opendir() allocates.
 */
static int each_entry(const char *dir, int (*each)(const char *name, void *arg),
	void *arg)
{
	_Alignas(8) char entries[1024];
	uint16_t size;
	long n, at;
	int stop = 0, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	/* struct linux_dirent64: the size at 16, the name at 19 */
	while (!stop && (n = syscall(SYS_getdents64, fd, entries,
			sizeof(entries))) > 0)
		for (at = 0; at < n && !stop; at += size) {
			memcpy(&size, entries + at + 16, sizeof(size));
			if (entries[at + 19] != '.')
				stop = each(entries + at + 19, arg);
		}
	close(fd);
	return stop;
}

static int copy_name(const char *name, void *arg)
{
	struct text *t = arg;

	text_add(t, name);
	return 1;
}

/* The network interface of a port, as USB and as WWAN devices have it. */
static void port_net(const char *sys, char *net, size_t size)
{
	static const char *const dirs[] = { "/device/net",
		"/device/device/net" };
	char path[256];
	struct text t, name = { net, 0, size };
	size_t i;

	net[0] = '\0';
	for (i = 0; i < 2 && !name.len; i++) {
		t = (struct text)TEXT(path);
		text_add(&t, sys);
		text_add(&t, dirs[i]);
		each_entry(path, copy_name, &name);
	}
}

int sys_net_is_up(const char *sys)
{
	char net[32], dir[256], flags[32];
	const char *p = flags;
	struct text t = TEXT(dir);
	uint64_t n;

	port_net(sys, net, sizeof(net));
	if (!net[0])
		return 0;
	text_add(&t, sys_root());
	text_add(&t, "/sys/class/net/");
	text_add(&t, net);
	return sys_read(dir, "/flags", flags, sizeof(flags)) > 0 &&
		parse_number(&p, &n) && (n & 1);	/* IFF_UP */
}

/* The last part of a link's target. */
static void link_name(const char *sys, const char *name, char *s, size_t size)
{
	char path[256], target[256];
	struct text t = TEXT(path), last = { s, 0, size };
	const char *slash;
	ssize_t n;

	text_add(&t, sys);
	text_add(&t, name);
	s[0] = '\0';
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	slash = strrchr(target, '/');
	text_add(&last, slash ? slash + 1 : target);
}

/* An MBIM port of this machine. */
struct mbim_port {
	char path[128];			/* /dev/cdc-wdm0 */
	char name[32];			/* cdc-wdm0 */
	char net[32];			/* wwan0, or empty */
	char bus[32];			/* 1-1.2, or empty */
	char ids[16];			/* 1199:9079, or empty */
};

struct search {
	const char *class;
	void (*each)(const struct mbim_port *port);
	int count;
};

static int look_at_port(const char *name, void *arg)
{
	struct search *search = arg;
	int usb = strcmp(search->class, "usbmisc") == 0;
	struct mbim_port port = { .net = "" };
	char sys[256], word[64];
	struct text t = TEXT(sys), path = TEXT(port.path);
	struct text nm = TEXT(port.name), ids = TEXT(port.ids);
	const char *id = usb ? "/device/../idVendor" : "/device/device/vendor";

	text_add(&t, sys_root());
	text_add(&t, "/sys/class/");
	text_add(&t, search->class);
	text_char(&t, '/');
	text_add(&t, name);
	if (usb)
		link_name(sys, "/device/driver", word, sizeof(word));
	else if (sys_read(sys, "/type", word, sizeof(word)) < 0)
		return 0;
	if (strcmp(word, usb ? "cdc_mbim" : "MBIM") != 0)
		return 0;
	text_add(&path, sys_root());
	text_add(&path, "/dev/");
	text_add(&path, name);
	text_add(&nm, name);
	port_net(sys, port.net, sizeof(port.net));
	link_name(sys, usb ? "/device" : "/device/device", port.bus,
		sizeof(port.bus));
	if (usb && strchr(port.bus, ':'))	/* an interface: 1-1.2:1.0 */
		*strchr(port.bus, ':') = '\0';
	if (sys_read(sys, id, word, sizeof(word)) > 0) {
		text_add(&ids, word + (usb ? 0 : 2));
		id = usb ? "/device/../idProduct" : "/device/device/device";
		text_char(&ids, ':');
		if (sys_read(sys, id, word, sizeof(word)) > 0)
			text_add(&ids, word + (usb ? 0 : 2));
	}
	search->count++;
	search->each(&port);
	return 0;
}

static int sys_ports(void (*each)(const struct mbim_port *port))
{
	static const char *const classes[] = { "usbmisc", "wwan" };
	struct search search = { NULL, each, 0 };
	char dir[128];
	struct text t;
	size_t i;

	for (i = 0; i < 2; i++) {
		search.class = classes[i];
		t = (struct text)TEXT(dir);
		text_add(&t, sys_root());
		text_add(&t, "/sys/class/");
		text_add(&t, classes[i]);
		each_entry(dir, look_at_port, &search);
	}
	return search.count;
}

static const char *wanted;		/* -d, when it is no path */
static struct mbim_port match;
static int matches;
static char found[160];		/* the paths of all */

static void match_port(const struct mbim_port *p)
{
	struct text t = { found, strlen(found), sizeof(found) };

	text_add(&t, t.len ? ", " : "");
	text_add(&t, p->path);
	if (!wanted || !strcmp(wanted, p->net) || !strcmp(wanted, p->bus) ||
	    !strcmp(wanted, p->name)) {
		match = *p;
		matches++;
	}
}

static int sys_find_device(const char *device, char *path, size_t size)
{
	struct text t = { path, 0, size };
	int n;

	if (device && (!*device || strlen(device) >= size))
		return fail(USAGE, "no name for a device: ", device, NULL);
	if (device && strchr(device, '/')) {
		text_add(&t, device);
		return DONE;
	}
	wanted = device;
	n = sys_ports(match_port);
	if (matches == 1) {
		text_add(&t, match.path);
		return DONE;
	}
	if (wanted)
		return fail(NO_DEVICE, matches ? "several MBIM ports are " :
			"no MBIM port is ", wanted, "; see --list", NULL);
	return fail(NO_DEVICE, n ? "several MBIM ports, choose one with -d: " :
		"no MBIM port found; name one with -d", found, NULL);
}

/* ---- errors ---- */

/* What a user may try next, by exit code. */
static const char *const hints[] = {
	[PIN_NEEDED] = ": --get-pin shows the attempts left",
	[NO_SIM] = ": no SIM, or it is not ready",
	[FCC_LOCKED] = ": radio locked? try --dms-set-fcc-authentication",
	[UNSUPPORTED] = ": the modem does not have this command",
};

/* One line on stderr; in JSON and sh the same on stdout. */
static void report(const char *command, const struct command *c)
{
	size_t n = sizeof(hints) / sizeof(*hints);
	const char *hint = (size_t)failure.exit < n ? hints[failure.exit] :
		NULL;
	char line[360], code[24];
	struct text t = TEXT(line), number = TEXT(code);

	line[0] = '\0';
	text_decimal(&number, (uint64_t)failure.exit);
	if (failure.exit) {
		for (; *command; command++)
			text_char(&t, *command == '_' ? '-' : *command);
		text_add(&t, t.len ? ": " : "");
		text_add(&t, failure.text);
		text_add(&t, hint ? hint : "");
		warn(line, NULL);
	}
	measuring = 0;
	if (format == JSON && failure.exit) {
		out_begin("", OUT_PRINT);
		out_open("error", OUT_OBJECT);
		out_value("exit", OUT_NUMBER, code, number.len);
		if (failure.name) {
			char status[24];
			struct text s = TEXT(status);

			text_decimal(&s, failure.number);
			out_value("status", OUT_NUMBER, status, s.len);
			out_value("name", OUT_TEXT, failure.name,
				strlen(failure.name));
		}
		out_value("text", OUT_TEXT, line, t.len);
		out_close();
		out_end();
	} else if (format == SH) {
		out_begin("", OUT_PRINT);
		if (failure.exit && c)
			command_blank(c);
		if (failure.exit)
			out_value("error", OUT_TEXT, line, t.len);
		out_value("exit", OUT_NUMBER, code, number.len);
		out_end();
	}
}

/* ---- frames: the trace and --decode ---- */

static struct mbim mbim;

enum { MASKS = 64 };
static struct { const uint8_t *at; size_t len; } masks[MASKS];
static size_t n_masks;

void out_mask(const uint8_t *bytes, size_t len)
{
	if (n_masks < MASKS) {
		masks[n_masks].at = bytes;
		masks[n_masks].len = len;
	}
	n_masks++;
}

static int is_masked(const uint8_t *p)
{
	size_t i;

	for (i = 0; i < n_masks && i < MASKS; i++)
		if (p >= masks[i].at && p < masks[i].at + masks[i].len)
			return 1;
	return n_masks > MASKS;
}

static int verbose;

/* A frame as text or JSON; as hex before, in the trace. */
static void print_frame(const char *title, const uint8_t *frame, size_t len,
	int hex)
{
	int mask = hex && verbose < 2, good;
	char byte[4];
	size_t i;

	n_masks = 0;
	out_begin("", OUT_MEASURE);
	good = decode_frame(frame, len, mbim.mark.version, mask);
	out_end();
	if (!good && mask && len > 20)
		out_mask(frame + 20, len - 20);
	put(title);
	for (i = 0; hex && i < len; i++) {
		struct text t = TEXT(byte);

		text_hex(&t, frame[i], 2);
		put(i % 24 ? " " : "\n   ");
		put(is_masked(frame + i) ? "xx" : byte);
	}
	put(hex || *title ? "\n" : "");
	out_begin("", OUT_PRINT);
	decode_frame(frame, len, mbim.mark.version, mask);
	if (!good)
		out_value("malformed", OUT_NUMBER, "true", 4);
	out_end();
}

static void trace(int sent, const uint8_t *frame, size_t len)
{
	enum format saved = format;

	to = &err;
	format = TEXT_FORMAT;
	margin++;
	print_frame(sent ? "-> sent" : "<- received", frame, len, 1);
	margin--;
	format = saved;
	flush(&err);
	to = &out;
}

/*
 * The bytes of a line that is nothing but hex, or -1. What quotes it is passed,
 * and what a log has before "data =".
 */
static int hex_line(const char *s, uint8_t *bytes, size_t max)
{
	const char *p = s, *data;

	while (*s && strchr("><| \t", *s))
		s++;
	for (; *p; p++) {
		if (strncmp(p, "data", 4))
			continue;
		for (data = p + 4; *data == ' '; data++)
			;
		if (*data == '=')
			s = data + 1;
	}
	return parse_hex(s, s + strlen(s), bytes, max);
}

/* The length of the MBIM or QMUX frame that begins here; 0 if none does. */
static size_t frame_length(const uint8_t *p, size_t len)
{
	struct reader r = { p, len, 0, 0 };
	uint64_t type, size;

	if (len < 3)
		return 0;
	type = take_number(&r, 4);
	size = take_number(&r, 4);
	if (!r.bad && (type & 0x7fffffff) - 1 < 7 && size >= 12 &&
	    size <= MBIM_REPLY_MAX)
		return size;
	size = (size_t)p[1] | (size_t)p[2] << 8;
	return p[0] == 1 && size >= 11 ? size + 1 : 0;
}

static uint8_t pasted[MBIM_REPLY_MAX];
static size_t pasted_len, frames_found;

/* A line of what was pasted: more of a frame, or something in between. */
static void decode_line(const char *line)
{
	char digits[24];
	size_t len;
	int n = hex_line(line, pasted + pasted_len,
		sizeof(pasted) - pasted_len);

	if (n == 0)
		return;
	if (n < 0)
		pasted_len = 0;
	else
		pasted_len += (size_t)n;
	while ((len = frame_length(pasted, pasted_len)) && len <= pasted_len) {
		struct text t = TEXT(digits);

		text_add(&t, frames_found++ ? "\n# " : "# ");
		text_decimal(&t, frames_found);
		print_frame(format == JSON ? "" : digits, pasted, len, 0);
		pasted_len -= len;
		memmove(pasted, pasted + len, pasted_len);
	}
	if (!len && pasted_len >= 8)
		pasted_len = 0;
}

static int decode_file(const char *name)
{
	static char line[MBIM_REPLY_MAX * 3];
	char part[4096];
	size_t len = 0;
	ssize_t n, i;
	int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : 0;

	if (fd < 0)
		return fail(USAGE, name, ": ", errno_text(), NULL);
	while ((n = read(fd, part, sizeof(part))) > 0)
		for (i = 0; i < n; i++) {
			if (part[i] != '\n' && len < sizeof(line) - 1) {
				line[len++] = part[i];
				continue;
			}
			line[len] = '\0';
			decode_line(line);
			len = 0;
		}
	line[len] = '\0';
	decode_line(line);
	if (!frames_found)
		return fail(MALFORMED, name, ": no MBIM or QMUX frame in it",
			NULL);
	return DONE;
}

/* ---- options ---- */

enum { CALLS = 64, OPTIONS = 256 };
static struct call calls[CALLS];
static struct option options[OPTIONS];
static size_t n_calls, n_options;

enum run_option {
	DEVICE, TIMEOUT, OUTPUT, JSON_OUTPUT, SH_OUTPUT, PREFIX, VERBOSE,
	ALWAYS, NEVER, CLOSE_AFTER, DIRECT, LIST, DECODE, HELP, SHOW_VERSION,
	RAW_MBIM, RAW_QMI, RUN_OPTIONS
};

static const struct {
	const char *name, *value, *help;	/* value: its name, or "" */
	char letter;
} run_options[RUN_OPTIONS] = {
	[DEVICE] = { "device", "DEVICE", "path, network interface or USB path",
		'd' },
	[TIMEOUT] = { "timeout", "SECONDS", "deadline of the whole run", 't' },
	[OUTPUT] = { "output", "text|json|sh", "how replies are printed", 'o' },
	[JSON_OUTPUT] = { "json", "", "the same as -o json", 'j' },
	[SH_OUTPUT] = { "sh", "", "the same as -o sh", 's' },
	[PREFIX] = { "prefix", "P", "of the variables of -o sh, not mbim", 0 },
	[VERBOSE] = { "verbose", "", "show frames; twice, secrets too", 'v' },
	[ALWAYS] = { "open", "", "start the function anew, ending sessions",
		0 },
	[NEVER] = { "no-open", "", "take the function for open, leave it so",
		0 },
	[CLOSE_AFTER] = { "close", "", "close the function, ending sessions",
		0 },
	[DIRECT] = { "direct", "", "work beside mbim-proxy", 0 },
	[LIST] = { "list", "", "show the MBIM ports of this machine", 0 },
	[DECODE] = { "decode", "FILE", "tell the frames in pasted hex", 0 },
	[HELP] = { "help", "[COMMAND]", "show this, or a command's options",
		'h' },
	[SHOW_VERSION] = { "version", "", "show the version", 0 },
	[RAW_MBIM] = { "raw-mbim", "SERVICE,CID,query|set[,HEX]",
		"any MBIM command", 0 },
	[RAW_QMI] = { "raw-qmi", "SERVICE,MESSAGE[,TLV=HEX]...",
		"any QMI message", 0 },
};

static const char *given[RUN_OPTIONS];	/* their values, or "" */

static int bad_usage(const char *what, const char *name)
{
	return fail(USAGE, what, name, "; see --help", NULL);
}

static int parse_timeout(const char *s)
{
	uint64_t n, unit = SECOND;

	if (!parse_number(&s, &n) || n > 1000000)
		return bad_usage("-t wants seconds, not ", given[TIMEOUT]);
	mbim.patience = (int64_t)n * SECOND;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9' && unit > 1; s++)
			mbim.patience += (*s - '0') * (int64_t)(unit /= 10);
	return *s || !mbim.patience ? bad_usage("-t wants seconds, not ",
		given[TIMEOUT]) : DONE;
}

static int add_call(const struct command *c, const char *raw, int raw_qmi)
{
	if (n_calls == CALLS)
		return bad_usage("too many commands", "");
	calls[n_calls++] = (struct call){ c, raw, raw_qmi,
		options + n_options, 0 };
	return DONE;
}

static int add_option(const char *name, const char *value)
{
	if (n_options == OPTIONS)
		return bad_usage("too many options", "");
	options[n_options++] = (struct option){ name, value, 0 };
	calls[n_calls - 1].n_options++;
	return DONE;
}

static int take_run_option(enum run_option o, const char *value)
{
	size_t i;

	if (o == RAW_MBIM || o == RAW_QMI)
		return add_call(NULL, value, o == RAW_QMI);
	if (o == JSON_OUTPUT || o == SH_OUTPUT) {
		value = run_options[o].name;
		o = OUTPUT;
	}
	if (given[o] && o != VERBOSE)
		return bad_usage("given twice: --", run_options[o].name);
	given[o] = value;
	verbose += o == VERBOSE;
	if (o == TIMEOUT)
		return parse_timeout(value);
	if (o == OUTPUT) {
		for (i = 0; i < 3 && strcmp(printers[i].name, value); i++)
			;
		if (i == 3)
			return bad_usage("-o wants text, json or sh, not ",
				value);
		format = (enum format)i;
	}
	return DONE;
}

/*
 * Which run option is this? A letter, or a name up to a NUL or '='; RUN_OPTIONS
 * if none.
 */
static enum run_option find_run_option(const char *a)
{
	size_t i, len = span(a, '=');

	for (i = 0; i < RUN_OPTIONS; i++)
		if (a[0] != '-' ? a[0] && a[0] == run_options[i].letter :
		    a[1] == run_options[i].name[0] &&
		    !strncmp(a + 1, run_options[i].name, len - 1) &&
		    !run_options[i].name[len - 1])
			break;
	return (enum run_option)i;
}

/* One long or short option; *i is that of the argument with its value. */
static int parse_option(char **argv, int *i)
{
	const char *a = argv[*i] + 1, *eq = strchr(a, '='), *value = eq;
	const struct command *c = n_calls ? calls[n_calls - 1].command : NULL;
	int is_long = a[0] == '-', mine = 0, wants;
	enum run_option o;

	if (is_long && c && a[1] && a[1] != '=')
		mine = command_has_option(c, a + 1);
	o = mine ? RUN_OPTIONS : find_run_option(a);
	if (!mine && o == RUN_OPTIONS) {
		c = is_long ? command_find(a + 1) : NULL;
		if (!c)
			return bad_usage("no such option or command: ",
				argv[*i]);
	}
	wants = mine || (o < RUN_OPTIONS ? *run_options[o].value != '\0' :
		command_has_option(c, ""));
	if (value && !wants)
		return bad_usage("takes no value: ", argv[*i]);
	if (!is_long && a[1]) {		/* -vv, -t5 */
		if (wants)
			value = a;
		else if (o == VERBOSE && a[1] == 'v' && !a[2])
			verbose++;
		else
			return bad_usage("no such option: ", argv[*i]);
	}
	if (value)
		value++;
	else if (wants && argv[*i + 1] && strncmp(argv[*i + 1], "--", 2) &&
		 !(o == HELP && argv[*i + 1][0] == '-'))
		value = argv[++*i];
	else if (wants && o != HELP)
		return bad_usage("wants a value: ", argv[*i]);
	if (o < RUN_OPTIONS)
		return take_run_option(o, value ? value : "");
	if (mine)
		return add_option(a + 1, value);
	if (add_call(c, NULL, 0))
		return USAGE;
	return wants ? add_option("", value) : DONE;
}

static int parse_arguments(char **argv)
{
	int i, code = DONE;
	const char *p;

	for (i = 1; argv[i] && !code; i++)
		code = argv[i][0] == '-' && argv[i][1] && argv[i][1] != '=' ?
			parse_option(argv, &i) :
			bad_usage("not an option: ", argv[i]);
	if (code)
		return code;
	if (given[ALWAYS] && given[NEVER])
		return bad_usage("--open and --no-open exclude each other", "");
	if (given[PREFIX]) {
		for (p = given[PREFIX]; *p == '_' || isalpha((uint8_t)*p) ||
		     (p > given[PREFIX] && isdigit((uint8_t)*p)); p++)
			;
		if (*p || p == given[PREFIX])
			return bad_usage("no name for variables: ",
				given[PREFIX]);
		prefix = given[PREFIX];
	}
	if (given[HELP] && !*given[HELP] && n_calls && calls[0].command)
		given[HELP] = command_name(calls[0].command);
	else if (n_calls && (given[HELP] || given[SHOW_VERSION] ||
			given[LIST] || given[DECODE]))
		return bad_usage("that option goes without commands", "");
	return DONE;
}

/* ---- help ---- */

static void print_pair(const char *name, const char *value, const char *help)
{
	size_t width = strlen(name) + (*value ? 1 + strlen(value) : 0);

	put("  --");
	put_dashed(name, '-');
	put(*value ? " " : "");
	put(value);
	put_spaces(width < 32 ? 32 - width : 1);
	put(help);
	put_char('\n');
}

static void print_command(const char *name, const char *help)
{
	print_pair(name, "", help);
}

static void print_words(const struct option_help *h)
{
	const char *p = h->words + (*h->words == '|'), *word;
	uint64_t n;
	int any = 0;

	while (*p > '\1') {
		if (h->is_uuid) {
			word = p + 37;
			p += strlen(p) + 1;
		} else {
			word = next_word(&p, &n);
		}
		put(any++ ? ", " : "        ");
		put_clean(word, strlen(word), 1);
	}
	put(*h->words == '|' ? " (a comma list)\n" : "\n");
}

static void print_option(const struct option_help *h)
{
	put("  ");
	if (h->is_value)
		put("(its value) ");
	put("--");
	put_dashed(h->name, '-');
	if (h->also) {
		put(", --");
		put_dashed(h->also, '-');
	}
	put("  ");
	put(h->help);
	if (h->is_required)
		put("; needed");
	if (h->fallback) {
		put("; default ");
		put_dashed(h->fallback, '-');
	}
	put_char('\n');
	if (h->words && *h->words != '*')
		print_words(h);
}

static int print_help(const char *name)
{
	const struct command *c;
	size_t i;

	name += strncmp(name, "--", 2) ? 0 : 2;
	if (*name) {
		c = command_find(name);
		if (!c)
			return bad_usage("no such command: ", name);
		put("--");
		put_dashed(command_name(c), '-');
		put(": ");
		put(command_help(c));
		put_char('\n');
		command_options(c, print_option);
		return DONE;
	}
	put("mbimctl [run options] --command[=VALUE] [--parameter VALUE]... "
		"[--command ...]\n\nRun options:\n");
	for (i = 0; i < RUN_OPTIONS; i++) {
		if (run_options[i].letter) {
			put(" -");
			put_char(run_options[i].letter);
			put_char(',');
		}
		print_pair(run_options[i].name, run_options[i].value,
			run_options[i].help);
	}
	put("\nCommands (--help COMMAND shows the parameters of one):\n");
	command_list(print_command);
	return DONE;
}

static void print_port(const struct mbim_port *p)
{
	out_open("", OUT_OBJECT);
	out_value("device", OUT_TEXT, p->path, strlen(p->path));
	out_value("interface", OUT_TEXT, p->net, strlen(p->net));
	out_value("bus", OUT_TEXT, p->bus, strlen(p->bus));
	out_value("id", OUT_TEXT, p->ids, strlen(p->ids));
	out_close();
}

static void list_ports(void)
{
	enum out_pass pass;

	for (pass = OUT_MEASURE; pass <= OUT_PRINT; pass++) {
		out_begin("list", pass);
		out_open("ports", OUT_ARRAY);
		sys_ports(print_port);
		out_close();
		out_end();
	}
}

/* ---- the run ---- */

volatile sig_atomic_t signals_seen, signal_last;
static size_t current;			/* of the calls */

static void on_signal(int sig)
{
	signals_seen++;
	signal_last = sig;
}

/*
 * Signals are blocked but while we wait for the modem. One that was ignored
 * stays so; SIGPIPE never gets through, and a failed write tells.
 */
static void set_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal }, old;
	sigset_t blocked;
	size_t i;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGPIPE);
	for (i = 0; i < 3; i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &mbim.waiting);
	sigaddset(&mbim.waiting, SIGPIPE);
	for (i = 0; i < 3; i++) {
		sigaction(signals[i], &action, &old);
		if (old.sa_handler == SIG_IGN)
			sigaction(signals[i], &old, NULL);
	}
}

static void die_by_signal(int sig)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigaction(sig, &action, NULL);
	kill(getpid(), sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int run_calls(struct mbim *m)
{
	int code = DONE;

	margin = n_calls > 1;
	if (!n_calls)
		return mbim_close(m);
	for (current = 0; current < n_calls && !code; current++)
		code = command_run(m, &calls[current]);
	return code;
}

static int run_clients(struct mbim *m)
{
	return qmi_with_clients(m, run_calls);
}

static int run_session(struct mbim *m)
{
	return mbim_with_session(m, run_clients);
}

static int run_marked(struct mbim *m)
{
	return mark_with_mark(m, run_session);
}

static int check_calls(void)
{
	int64_t slow = 30;
	int code = DONE, seconds;

	if (!n_calls && !given[CLOSE_AFTER])
		return bad_usage("no command", "");
	for (current = 0; current < n_calls && !code; current++) {
		code = command_check(&calls[current]);
		seconds = calls[current].raw ? 0 :
			command_slow(calls[current].command);
		slow = seconds > slow ? seconds : slow;
	}
	if (!mbim.patience)
		mbim.patience = slow * SECOND;
	return code;
}

static int run(void)
{
	int code;

	if (given[HELP])
		return print_help(given[HELP]);
	if (given[SHOW_VERSION]) {
		put("mbimctl " VERSION "\n");
		return DONE;
	}
	if (given[DECODE])
		return decode_file(given[DECODE]);
	if (given[LIST]) {
		list_ports();
		return DONE;
	}
	code = check_calls();
	if (code)
		return code;
	mbim.limit = now() + mbim.patience;
	mbim.open = given[ALWAYS] ? OPEN_ALWAYS : given[NEVER] ||
		!n_calls ? OPEN_NEVER : OPEN_AUTO;
	mbim.close = given[CLOSE_AFTER] != NULL;
	mbim.direct = given[DIRECT] != NULL;
	mbim.trace = verbose ? trace : NULL;
	current = 0;
	code = sys_find_device(given[DEVICE], mbim.path, sizeof(mbim.path));
	return code ? code : mbim_with_device(&mbim, run_marked);
}

#ifndef DOCS
int main(int argc, char **argv)
{
	const struct call *c = NULL;
	char digits[24];
	struct text t = TEXT(digits);
	int code;

	(void)argc;
	set_signals();
	code = parse_arguments(argv);
	if (!code)
		code = run();
	failure.quiet = 0;
	if (signals_seen)	/* maybe not before clean-up */
		code = fail(SIGNALLED + signal_last, "interrupted", NULL);
	code = failure.exit ? failure.exit : code;
	if (code)
		flush(&out);	/* what went well comes first */
	if (current && current <= n_calls)
		c = &calls[current - 1];	/* the one that failed */
	if (code || !(given[HELP] || given[SHOW_VERSION] || given[LIST] ||
			given[DECODE]))
		report(!c ? "" : c->raw ? run_options[c->raw_qmi ? RAW_QMI :
			RAW_MBIM].name : command_name(c->command),
			c ? c->command : NULL);
	if (code && current && current < n_calls) {
		text_decimal(&t, n_calls - current);
		warn(digits, " of the commands not run", NULL);
	}
	flush(&out);
	if (out.failed) {
		warn("cannot write the output", NULL);
		code = code ? code : NO_OUTPUT;
	}
	if (code > SIGNALLED)
		die_by_signal(code - SIGNALLED);
	return code;
}
#endif
