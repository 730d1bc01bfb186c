/* SPDX-License-Identifier: ISC
 *
 * How bytes reach a modem, and what is remembered of it. It knows no service,
 * and no command but the query by which it finds a channel out of step. It
 * prints nothing and builds no frame but those of MBIM itself.
 *
 * MBIM 1.0 errata 1, §9 (messages); Linux cdc-wdm.c (what a read and a write
 * of the device really do).
 *
 * Contents
 *
 *   text and numbers
 *   failures and warnings
 *   addresses
 *   files and sysfs
 *   discovery
 *   the network interface, as the kernel has it
 *   waiting
 *   frames
 *   one exchange
 *   OPEN and CLOSE
 *   commands and indications
 *   the marker
 *   the device
 */
#include "mbim.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
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

/* ---- text and numbers ---- */

size_t span(const char *s, char c)
{
	size_t n = 0;

	while (s[n] && s[n] != c)
		n++;
	return n;
}

const char *find_char(const char *s, char c)
{
	s += span(s, c);
	return *s ? s : NULL;
}

void text_char(struct text *t, char c)
{
	if (t->len + 1 >= t->size) {
		if (!t->full)
			return;
		t->full(t);
	}
	t->s[t->len++] = c;
	t->s[t->len] = '\0';
}

void text_put(struct text *t, const char *s, size_t len)
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

void text_add(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

static void text_strings(struct text *t, va_list list)
{
	const char *s;

	while ((s = va_arg(list, const char *)))
		text_add(t, s);
}

void text_list(struct text *t, ...)
{
	va_list list;

	va_start(list, t);
	text_strings(t, list);
	va_end(list);
}

void text_dashed(struct text *t, const char *s)
{
	for (; *s && *s != '='; s++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s | 32) : *s;

		text_char(t, c == '_' ? '-' : c);
	}
}

void text_hex(struct text *t, uint64_t n, int digits)
{
	while (digits-- > 0)
		text_char(t, "0123456789abcdef"[n >> 4 * digits & 15]);
}

void text_decimal(struct text *t, uint64_t n)
{
	uint64_t power = 1;

	while (n / power > 9)
		power *= 10;
	for (; power; power /= 10)
		text_char(t, (char)('0' + n / power % 10));
}

const char *decimal(char buffer[24], uint64_t n)
{
	struct text t = { .s = buffer, .size = 24 };

	text_decimal(&t, n);
	return buffer;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int parse_hex_byte(const char *s, uint8_t *byte)
{
	int high = hex_digit(s[0]), low = high < 0 ? -1 : hex_digit(s[1]);

	if (low >= 0)
		*byte = (uint8_t)(high << 4 | low);
	return low >= 0;
}

int parse_number(const char **s, uint64_t *n)
{
	int base = (*s)[0] == '0' && ((*s)[1] | 32) == 'x' ? 16 : 10, digit;
	const char *start = *s += base == 16 ? 2 : 0;

	for (*n = 0; ; ++*s) {
		digit = hex_digit(**s);
		if (digit < 0 || digit >= base)
			return *s > start;
		if (*n > (UINT64_MAX - (unsigned)digit) / (unsigned)base)
			return 0;
		*n = *n * (unsigned)base + (unsigned)digit;
	}
}

/* ---- failures and warnings ---- */

struct failure failure;
void (*warn_line)(const char *line);

int fail_list(int code, ...)
{
	va_list list;

	va_start(list, code);
	if (!failure.quiet && !failure.exit) {
		struct text t = TEXT(failure.text);

		text_strings(&t, list);
		failure.exit = code;
	}
	va_end(list);
	return code;
}

void warn_list(const char *s, ...)
{
	char line[400];
	struct text t = TEXT(line);
	va_list list;

	va_start(list, s);
	text_add(&t, s);
	text_strings(&t, list);
	va_end(list);
	warn_line(line);
}

/* The exit code is REFUSED until commands.c has looked it up. */
int fail_refused(enum domain domain, uint32_t number, int code,
	const char *more)
{
	if (!failure.quiet && !failure.exit) {
		failure.domain = domain;
		failure.number = number;
	}
	return fail(code ? code : REFUSED, more);
}

void clear_failure(void)
{
	failure = (struct failure){ .quiet = failure.quiet };
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
	case EISDIR: return "a directory";
	case ELOOP: return "a symbolic link";
	case EROFS: return "read-only";
	case ENOSPC: return "no space left";
	default: return "system error";
	}
}

/* ---- addresses ---- */

/* RFC 5952: the longest run of two or more zero groups becomes "::". */
static void text_ipv6(struct text *t, const uint8_t *p)
{
	int best = -1, best_len = 1;

	for (int i = 0, run; i < 8; i += run + 1) {
		for (run = 0; i + run < 8 && !p[2 * (i + run)] &&
				!p[2 * (i + run) + 1]; run++)
			;
		if (run > best_len) {
			best = i;
			best_len = run;
		}
	}
	for (int i = 0; i < 8; i++) {
		unsigned group = (unsigned)p[2 * i] << 8 | p[2 * i + 1];

		if (i == best) {
			text_add(t, "::");
			i += best_len - 1;
			continue;
		}
		if (i && i != best + best_len)
			text_char(t, ':');
		text_hex(t, group, 1 + (group > 15) + (group > 255) +
			(group > 4095));
	}
}

void text_address(struct text *t, const uint8_t *p, size_t len)
{
	size_t prefix = len == 8 || len == 20 ? 4 : 0;
	struct reader r = { p, len, 0, 0 };

	if (len - prefix == 16)
		text_ipv6(t, p + prefix);
	for (size_t i = prefix; len - prefix == 4 && i < len; i++) {
		text_add(t, i > prefix ? "." : "");
		text_decimal(t, p[i]);
	}
	if (prefix) {
		text_char(t, '/');
		text_decimal(t, take_number(&r, 4));
	}
}

/* ---- files and sysfs ---- */

enum { FILE_MAX = 4096, PATH_SIZE = 320 };

/* Test beds keep their /sys and /dev below a directory of their own. */
static const char *sys_root(void)
{
	static const char *root;

	if (!root)
		root = secure_getenv("MBIMCTL_ROOT");
	if (!root)
		root = "";
	return root;
}

/* A path below it, of strings in a row, in a buffer of the asking block. */
#define SYS_PATH(...) \
	sys_path((char[PATH_SIZE]){ "" }, __VA_ARGS__, (char *)NULL)

static const char *sys_path(char *path, ...)
{
	struct text t = { .s = path, .size = PATH_SIZE };
	va_list list;

	va_start(list, path);
	text_add(&t, sys_root());
	text_strings(&t, list);
	va_end(list);
	return path;
}

/* A file without a newline at its end, as a string; its length. */
static size_t read_file(const char *file, char *to, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, to, size - 1);

	if (fd >= 0)
		close(fd);
	n -= n > 0 && to[n - 1] == '\n';
	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static int file_is(const char *file, const char *s)
{
	char contents[32];

	read_file(file, contents, sizeof(contents));
	return !strcmp(contents, s);
}

static uint64_t read_number(const char *file)
{
	char contents[32];
	const char *p = contents;
	uint64_t n;

	read_file(file, contents, sizeof(contents));
	return parse_number(&p, &n) ? n : 0;
}

/* The last part of a link's target. */
static void text_link(struct text *t, const char *link)
{
	char target[PATH_SIZE];
	ssize_t n = readlink(link, target + 1, sizeof(target) - 2);

	target[0] = '/';
	target[n > 0 ? n + 1 : 1] = '\0';
	text_add(t, strrchr(target, '/') + 1);
}

/* Call each with every name in a directory; opendir() would allocate. */
static void each_name(const char *dir,
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

/* Call each with every line of a file, until it says that it has enough. */
static int each_line(const char *file, int (*each)(const char *line))
{
	char part[512], line[256] = "";
	struct text t = TEXT(line);
	int fd = open(file, O_RDONLY | O_CLOEXEC), enough = 0;
	ssize_t n;

	while (fd >= 0 && !enough && (n = read(fd, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < n && !enough; i++)
			if (part[i] != '\n') {
				text_char(&t, part[i]);
			} else {
				enough = each(line);
				t = (struct text)TEXT(line);
			}
	if (fd >= 0)
		close(fd);
	return enough;
}

/* The nth word of a line, which ends with a space, a tab or a colon. */
static const char *word_at(const char *line, int n)
{
	for (;; n--) {
		while (*line == ' ' || *line == '\t' || *line == ':')
			line++;
		if (!n)
			return line;
		while (*line && *line != ' ' && *line != '\t' && *line != ':')
			line++;
	}
}

static int is_word(const char *word, const char *s)
{
	size_t len = strlen(s);

	return !strncmp(word, s, len) && (!word[len] || word[len] == ' ' ||
		word[len] == '\t' || word[len] == ':');
}

/* ---- discovery ---- */

static void first_name(const char *name, void *arg)
{
	struct text *t = arg;

	if (!t->len)
		text_add(t, name);
}

/* The network interface of a port, as USB and as WWAN devices have it. */
static void text_net(struct text *t, const char *sys)
{
	if (!*sys)
		return;
	each_name(SYS_PATH(sys, "/device/net"), first_name, t);
	each_name(SYS_PATH(sys, "/device/device/net"), first_name, t);
}

static int net_is_up(const char *sys)
{
	char net[32];
	struct text t = TEXT(net);

	text_net(&t, sys);
	return t.len && read_number(SYS_PATH("/sys/class/net/", net, "/flags"))
		& IFF_UP;
}

static void text_id(struct text *t, const char *file)
{
	char id[16];

	read_file(file, id, sizeof(id));
	text_add(t, strncmp(id, "0x", 2) ? id : id + 2);
}

/* The USB or PCI ids of a port's device. */
static void text_ids(struct text *t, const char *sys)
{
	if (!*sys)
		return;
	text_id(t, SYS_PATH(sys, "/device/../idVendor"));
	if (t->len) {
		text_char(t, ':');
		text_id(t, SYS_PATH(sys, "/device/../idProduct"));
		return;
	}
	text_id(t, SYS_PATH(sys, "/device/device/vendor"));
	text_add(t, t->len ? ":" : "");
	text_id(t, SYS_PATH(sys, "/device/device/device"));
}

void mbim_net(struct text *t, const struct mbim *m)
{
	text_net(t, m->sys);
}

void mbim_ids(struct text *t, const struct mbim *m)
{
	text_ids(t, m->sys);
}

static char lock_inode[32];		/* that is looked for, as "123" */
static uint64_t lock_holder;

/* "1: FLOCK ADVISORY WRITE PID MAJ:MIN:INODE 0 EOF" */
static int find_lock(const char *line)
{
	const char *pid = word_at(line, 4), *p = word_at(line, 7);

	return is_word(p, lock_inode) && parse_number(&pid, &lock_holder);
}

/* The process that holds the lock of a file; 0 when there is none. */
static uint64_t holder_of(const struct stat *st)
{
	struct text t = TEXT(lock_inode);

	text_decimal(&t, st->st_ino);
	lock_holder = 0;
	each_line("/proc/locks", find_lock);
	return lock_holder;
}

struct search {
	void (*each)(const struct mbim_port *port);
	int usb;
};

static void check_port(const char *name, void *arg)
{
	struct search *search = arg;
	int usb = search->usb;
	struct mbim_port port = { .holder = 0 };
	struct stat st;
	char sys[256];
	struct text t = TEXT(sys), path = TEXT(port.path), net = TEXT(port.net);
	struct text bus = TEXT(port.bus), ids = TEXT(port.ids);
	struct text driver = TEXT(port.driver);

	text_join(&t, usb ? "/sys/class/usbmisc/" : "/sys/class/wwan/", name);
	text_link(&driver, SYS_PATH(sys, usb ? "/device/driver" :
		"/device/device/driver"));
	if (usb ? strcmp(port.driver, "cdc_mbim") != 0 :
	    !file_is(SYS_PATH(sys, "/type"), "MBIM"))
		return;
	text_join(&path, sys_root(), "/dev/", name);
	text_net(&net, sys);
	text_link(&bus, SYS_PATH(sys, usb ? "/device" : "/device/device"));
	if (usb)			/* an interface: 1-1.2:1.0 */
		port.bus[span(port.bus, ':')] = '\0';
	text_ids(&ids, sys);
	if (stat(port.path, &st) == 0)
		port.holder = holder_of(&st);
	search->each(&port);
}

void mbim_ports(void (*each)(const struct mbim_port *port))
{
	struct search search = { each, 1 };

	each_name(SYS_PATH("/sys/class/usbmisc"), check_port, &search);
	search.usb = 0;
	each_name(SYS_PATH("/sys/class/wwan"), check_port, &search);
}

static const char *wanted;		/* -d, when it is no path */
static struct mbim_port match;		/* the last of so many */
static int matches;
static char found[160];			/* the paths of all */

static void match_port(const struct mbim_port *p)
{
	struct text t = { .s = found, strlen(found), sizeof(found) };
	const char *name = strrchr(p->path, '/');

	/* a USB modem may have a WWAN port beside its cdc-wdm: one modem */
	if (matches && *p->net && !strcmp(p->net, match.net))
		return;
	text_join(&t, t.len ? ", " : "", p->path);
	if (!wanted || !strcmp(wanted, p->net) || !strcmp(wanted, p->bus) ||
	    (name && !strcmp(wanted, name + 1))) {
		match = *p;
		matches++;
	}
}

int mbim_find(struct mbim *m, const char *device)
{
	struct text t = TEXT(m->path);

	if (device && (!*device || strlen(device) >= sizeof(m->path)))
		return fail(USAGE, "no name for a device: ", device);
	if (device && find_char(device, '/')) {
		text_add(&t, device);
		return DONE;
	}
	wanted = device;
	mbim_ports(match_port);
	text_add(&t, match.path);
	if (matches == 1)
		return DONE;
	if (wanted)
		return fail(NO_DEVICE, matches ? "several MBIM ports are " :
			"no MBIM port is ", wanted, "; see --list");
	return fail(NO_DEVICE, matches ?
		"several MBIM ports, choose one with -d: " :
		"no MBIM port found; name one with -d", found);
}

/* ---- the network interface, as the kernel has it ---- */

int net_has_vlans(const char *net)
{
	char driver[32];
	struct text t = TEXT(driver);

	text_link(&t, SYS_PATH("/sys/class/net/", net, "/device/driver"));
	return !t.len || !strcmp(driver, "cdc_mbim");
}

static const char *of_net, *addresses[2];	/* what is looked for */

/* Is this the address that is looked for, up to its prefix length? */
static int is_address(int six, const uint8_t *address, size_t len)
{
	char s[48];
	struct text t = TEXT(s);

	text_address(&t, address, len);
	return t.len == span(addresses[six], '/') &&
		!strncmp(s, addresses[six], t.len);
}

/* "20010db8… 02 40 00 80   wwan0" */
static int has_ipv6(const char *line)
{
	uint8_t address[16];

	if (!is_word(word_at(line, 5), of_net))
		return 0;
	for (int i = 0; i < 16; i++)
		if (!parse_hex_byte(line + 2 * i, &address[i]))
			return 0;
	return is_address(1, address, 16);
}

static int has_ipv4(int fd)
{
	struct ifreq all[64];
	struct ifconf c = { .ifc_len = sizeof(all), .ifc_req = all };

	if (ioctl(fd, SIOCGIFCONF, &c) < 0)
		return 0;
	for (size_t i = 0; i < (size_t)c.ifc_len / sizeof(*all); i++) {
		struct sockaddr_in a;

		memcpy(&a, &all[i].ifr_addr, sizeof(a));
		if (!strcmp(all[i].ifr_name, of_net) && is_address(0,
				(const uint8_t *)&a.sin_addr, 4))
			return 1;
	}
	return 0;
}

/* "wwan0 00000000 …", and "0000… 00 … wwan0" */
static int is_ipv4_default(const char *line)
{
	return is_word(line, of_net) && is_word(word_at(line, 1), "00000000") &&
		is_word(word_at(line, 7), "00000000");
}

static int is_ipv6_default(const char *line)
{
	return is_word(word_at(line, 9), of_net) && is_word(word_at(line, 1),
		"00");
}

static uint64_t counters[2];

static int read_counters(const char *line)
{
	const char *rx = word_at(line, 2), *tx = word_at(line, 10);

	return is_word(word_at(line, 0), of_net) &&
		parse_number(&rx, &counters[0]) &&
		parse_number(&tx, &counters[1]);
}

int net_counters(const char *net, uint64_t packets[2])
{
	of_net = net;
	if (!each_line("/proc/net/dev", read_counters))
		return 0;
	memcpy(packets, counters, sizeof(counters));
	return 1;
}

const char *net_fault(const char *net, const char *ipv4, const char *ipv6)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), up, has4;
	uint64_t n[2];

	of_net = net;
	addresses[0] = ipv4;
	addresses[1] = ipv6;
	memcpy(r.ifr_name, net, span(net, '\0') % sizeof(r.ifr_name));
	up = ioctl(fd, SIOCGIFFLAGS, &r) < 0 ? -1 : r.ifr_flags & IFF_UP;
	has4 = has_ipv4(fd);
	if (fd >= 0)
		close(fd);
	if (up <= 0)
		return up ? "there is no such interface" :
			"the interface is down";
	if ((*ipv4 && !has4) ||
	    (*ipv6 && !each_line("/proc/net/if_inet6", has_ipv6)))
		return "the interface lacks the modem's address";
	if (!(*ipv4 && each_line("/proc/net/route", is_ipv4_default)) &&
	    !(*ipv6 && each_line("/proc/net/ipv6_route", is_ipv6_default)))
		return "no default route goes through the interface";
	return net_counters(net, n) && !n[0] && n[1] >= 10 ?
		"packets leave, and none comes back" : NULL;
}

/* ---- waiting ---- */

/* How long CLOSE and the release of clients are waited for. */
enum { CLEAN_UP_SECONDS = 3, CLOSE_BEFORE_OPEN_SECONDS = 2 };

volatile sig_atomic_t signals_seen, signal_last;

int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

uint64_t timeout_seconds(const struct mbim *m)
{
	return (uint64_t)((m->timeout + SECOND - 1) / SECOND);
}

/*
 * The only place of a session that sleeps and where signals get through; its
 * output has main.c's write_some().
 */
int wait_for(struct mbim *m, int fd, short events, int64_t limit, short *got)
{
	struct pollfd p = { fd, events, 0 };
	int n;

	do {
		int64_t left = limit - now();
		struct timespec t = { 0 };

		if (signals_seen > m->old_signals)
			return fail(SIGNALLED + signal_last, "interrupted");
		t.tv_sec = left > 0 ? left / SECOND : 0;
		t.tv_nsec = left > 0 ? left % SECOND : 0;
		n = ppoll(&p, fd >= 0, &t, &m->waiting);
	} while (n < 0 && errno == EINTR);
	*got = n > 0 ? p.revents : 0;
	return DONE;
}

/*
 * Let time pass, and signals in, when there is something to do all the time.
 * TIMED_OUT, which is not recorded as a failure, when the limit has come.
 */
static int pause_for(struct mbim *m, int64_t time, int64_t limit)
{
	short got;
	int code = wait_for(m, -1, 0, earlier(now() + time, limit), &got);

	if (code)
		return code;
	return now() < limit ? DONE : TIMED_OUT;
}

void mbim_clean_up(struct mbim *m)
{
	if (m->cleaning)
		return;
	m->cleaning = 1;
	m->deadline = now() + CLEAN_UP_SECONDS * SECOND;
	m->old_signals = signals_seen ? signals_seen : 1;
	failure.quiet = 1;
}

static int device_gone(struct mbim *m)
{
	m->gone = 1;
	return fail(NO_DEVICE, m->path, ": the device went away");
}

/* ---- frames ---- */

enum {
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

static uint8_t output[MBIM_REPLY_MAX + HEADER + FRAGMENT];
static uint8_t input[MBIM_REPLY_MAX];	/* input_len as read, input_at parsed */
static size_t input_len, input_at;
static uint8_t joined[MBIM_REPLY_MAX];	/* fragments: of this id, this far */
static size_t joined_len;
static uint32_t joined_id, joined_next;

/* The device takes no data: wait until it does, or says only that it would. */
static int wait_to_write(struct mbim *m)
{
	short got;
	int code = wait_for(m, m->fd, POLLOUT, m->deadline, &got);

	if (code)
		return code;
	if (!got)
		return fail(TIMED_OUT, "the device takes no data");
	if (got & (POLLHUP | POLLNVAL))
		return device_gone(m);
	return pause_for(m, SECOND / 100, m->deadline);
}

/*
 * One write is one control message. EIO is the failure of an earlier one,
 * reported late: this one was not sent.
 */
static int write_frame(struct mbim *m, const uint8_t *frame, size_t len)
{
	int code = DONE;

	while (len && !code) {
		ssize_t n = write(m->fd, frame, len);

		if (n >= 0) {
			frame += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EINTR) {
			code = wait_to_write(m);
		} else {
			return errno == EIO ? WRITE_LOST : device_gone(m);
		}
	}
	return code;
}

/* Send a message in as many fragments as it needs (MBIM 1.0 §9.5). */
static int send_once(struct mbim *m, const struct message *q, uint32_t id)
{
	size_t head = HEADER + (q->type == message_command ? FRAGMENT : 0);
	size_t len = q->head_len + q->info_len;
	size_t piece = m->marker.control_size - head;
	size_t total = len > piece ? (len + piece - 1) / piece : 1;
	int code = DONE;

	if (q->head_len)
		memcpy(output + head, q->head, q->head_len);
	if (q->info_len)
		memcpy(output + head + q->head_len, q->info, q->info_len);
	/* each fragment's headers overwrite what was sent before it */
	for (size_t i = 0; i < total && !code; i++) {
		uint8_t *p = output + i * piece;
		size_t n = head + (i + 1 < total ? piece : len - i * piece);

		put_number(p, q->type, 4);
		put_number(p + 4, n, 4);
		put_number(p + 8, id, 4);
		if (q->type == message_command) {
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

	if (len < HEADER || type < message_open_done ||
	    type > message_indicate_status)
		return 0;
	return size >= HEADER && size <= MBIM_REPLY_MAX ? size : 0;
}

/*
 * Read what is there. A message begins with a read; when a read is a whole
 * message while another was half there, that other one will not be finished.
 */
static int read_device(struct mbim *m)
{
	ssize_t n;

	memmove(input, input + input_at, input_len - input_at);
	input_len -= input_at;
	input_at = 0;
	n = read(m->fd, input + input_len, sizeof(input) - input_len);
	if (n < 0 && errno == ENOBUFS)
		input_len = 0;	/* the driver lost one */
	if (n < 0 && errno == ENODEV)
		return device_gone(m);
	if (n <= 0)
		return DONE;
	if (input_len &&
	    message_length(input + input_len, (size_t)n) == (size_t)n) {
		memmove(input, input + input_len, (size_t)n);
		input_len = 0;
	}
	input_len += (size_t)n;
	return DONE;
}

/* An error without input may be a write's: collect it, lest fsync() waits. */
static int collect_error(struct mbim *m)
{
	short got;
	int code = wait_for(m, m->fd, POLLOUT, 0, &got);

	if (!code && got & POLLOUT && fsync(m->fd) < 0 && errno == EIO)
		code = WRITE_LOST;
	return code;
}

/* Wait for input and read it. */
static int wait_for_input(struct mbim *m, int64_t limit)
{
	size_t before = input_len - input_at;
	short got;
	int code = wait_for(m, m->fd, POLLIN, limit, &got);

	if (!code && !got)
		return TIMED_OUT;
	if (!code && got & POLLIN)
		code = read_device(m);
	if (code || input_len - input_at != before)
		return code;
	if (got & (POLLHUP | POLLNVAL))
		return device_gone(m);
	if (got & POLLERR)
		code = collect_error(m);
	if (code)
		return code;
	/* nothing to read all the same: look again, slowly */
	return pause_for(m, SECOND / (got & POLLERR ? 20 : 100), limit);
}

/* Join fragments in strict order. Returns whether the message is whole. */
static int join_fragment(struct mbim *m, struct frame *f)
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

/* What became of the input: more is needed, it was dropped, it is a message. */
enum parsed { NEEDS_MORE, DROPPED, IS_MESSAGE };

/* Take the next message out of what was read. */
static enum parsed parse_input(struct mbim *m, struct frame *f)
{
	const uint8_t *p = input + input_at;
	size_t have = input_len - input_at, len = message_length(p, have);
	int has_fragments;

	if (have < HEADER || len > have)
		return NEEDS_MORE;
	input_at = len ? input_at + len : input_len;
	if (!len)
		return DROPPED;		/* whatever it was */
	if (m->trace)
		m->trace(0, p, len);
	f->body = (struct reader){ p, len, 0, 0 };
	f->type = (uint32_t)take_number(&f->body, 4);
	take(&f->body, 4);
	f->id = (uint32_t)take_number(&f->body, 4);
	has_fragments = f->type == message_command_done ||
		f->type == message_indicate_status;
	return has_fragments && !join_fragment(m, f) ? DROPPED : IS_MESSAGE;
}

static int next_frame(struct mbim *m, struct frame *f, int64_t limit)
{
	int code = DONE;

	while (!code)
		switch (parse_input(m, f)) {
		case IS_MESSAGE:
			return DONE;
		case DROPPED:	/* a flood must not hold up signals or limit */
			code = pause_for(m, 0, limit);
			break;
		case NEEDS_MORE:
			if (input_at && now() >= limit)
				return TIMED_OUT;	/* a flood */
			code = wait_for_input(m, limit);
		}
	return code;
}

/* ---- one exchange ---- */

enum { OWN_IDS = 8, PROBES = 8 };

/* A request under way, under the ids that it was sent with. */
struct exchange {
	const struct message *request;
	int64_t repeat_after;		/* silence of so long; 0: never */
	uint32_t ids[OWN_IDS];
	size_t n_ids;
	int probes;
};

static int send_request(struct mbim *m, struct exchange *x)
{
	uint32_t id = m->next_id++;

	x->ids[x->n_ids++] = id;
	return send_message(m, x->request, id);
}

/*
 * An answer that is not ours came: the channel may be an answer behind, and
 * only another request brings out the next. Ask what changes nothing.
 */
static int send_probe(struct mbim *m)
{
	uint8_t query[28] = { 0 };

	memcpy(query, m->probe, 16);
	put_number(query + 16, 1, 4);
	m->pending_probes++;
	return send_message(m, &(struct message){ message_command, query, NULL,
		sizeof(query), 0 }, m->next_id++);
}

static int is_ours(const struct exchange *x, const struct frame *f)
{
	const struct message *q = x->request;
	struct reader r = f->body;
	size_t n = x->n_ids;
	const uint8_t *p;

	while (n && x->ids[n - 1] != f->id)
		n--;
	if (!n || f->type == message_function_error)
		return n != 0;
	if (q->type != message_command || f->type != message_command_done)
		return f->type == q->type + message_open_done - message_open;
	p = take(&r, 20);
	return !p || memcmp(p, q->head, 20) == 0;
}

/* Give the answers to probes a moment, lest the next run finds them. */
static void drain_probes(struct mbim *m, struct frame *ours)
{
	static uint8_t kept[MBIM_REPLY_MAX];
	int64_t end = earlier(now() + SECOND / 10, m->deadline);
	struct frame f;

	if (!m->pending_probes)
		return;
	memcpy(kept, ours->body.base, ours->body.len);
	ours->body.base = kept;
	while (m->pending_probes && !next_frame(m, &f, end))
		m->pending_probes -= f.type == message_command_done ||
			f.type == message_function_error;
	m->pending_probes = 0;
}

/* Record that the deadline passed; other codes are recorded already. */
static int record_silence(struct mbim *m, int code)
{
	const char *what = "no answer from the modem within ";

	if (code != TIMED_OUT)
		return code;
	if (input_len > input_at)
		what = "the modem's answer was not complete within ";
	return fail(TIMED_OUT, what, DECIMAL(timeout_seconds(m)), " s",
		m->joined ? " (it was taken for open: --open starts it anew, "
		"ending sessions)" : "");
}

/* What came of waiting for the answer. */
enum event { ANSWER, OTHER_ANSWER, INDICATION, REPEAT, LOST, FAILED };

static enum event next_event(struct mbim *m, struct exchange *x,
	struct frame *f, int *code)
{
	int64_t limit = m->deadline;

	if (x->repeat_after && x->n_ids < OWN_IDS)
		limit = earlier(now() + x->repeat_after, limit);
	*code = next_frame(m, f, limit);
	if (*code == WRITE_LOST)
		return LOST;
	if (*code == TIMED_OUT && limit < m->deadline)
		return REPEAT;
	if (*code)
		return FAILED;
	if (is_ours(x, f))
		return ANSWER;
	return f->id && f->type <= message_function_error ? OTHER_ANSWER :
		INDICATION;
}

/* Ask again, by a probe where the request itself must not be repeated. */
static int ask_again(struct mbim *m, struct exchange *x)
{
	int code = pause_for(m, 0, m->deadline);

	if (code || x->probes++ >= PROBES)
		return code;
	if (x->request->type == message_command)
		return send_probe(m);
	return x->n_ids < OWN_IDS ? send_request(m, x) : DONE;
}

/* What was written did not arrive: ours, or a probe, which is let go. */
static int repeat_lost(struct mbim *m, struct exchange *x)
{
	int code;

	if (x->n_ids == OWN_IDS)
		return device_gone(m);
	code = pause_for(m, SECOND / 20, m->deadline);
	if (code || m->pending_probes)
		return code;
	return send_request(m, x);
}

/*
 * Send a request and wait for its answer. An answer that a modem owes to a
 * critical request is waited for in the clean-up, too.
 */
static int exchange(struct mbim *m, struct exchange *x, struct frame *f)
{
	int code = send_request(m, x);

	if (code)
		return code;
	for (;;) {
		switch (next_event(m, x, f, &code)) {
		case ANSWER:
			m->unanswered = 0;
			drain_probes(m, f);
			return DONE;
		case OTHER_ANSWER:
			code = ask_again(m, x);
			break;
		case INDICATION:
			code = pause_for(m, 0, m->deadline);
			break;
		case REPEAT:
			code = send_request(m, x);
			break;
		case LOST:
			code = repeat_lost(m, x);
			break;
		case FAILED:
			break;
		}
		if (code && (!m->critical || m->cleaning || m->gone))
			return code;
		if (code) {
			record_silence(m, code);
			mbim_clean_up(m);
		}
	}
}

/* ---- OPEN and CLOSE ---- */

int mbim_close(struct mbim *m)
{
	struct message q = { .type = message_close };
	struct exchange x = { .request = &q };
	struct frame f;
	int code = exchange(m, &x, &f);

	m->close = 0;
	if (!code)
		m->marker.n_sessions = m->marker.n_kept = 0;
	return record_silence(m, code);
}


/* OPEN is repeated in silence: a third of what is left, 5 s at most. */
static int64_t open_interval(const struct mbim *m)
{
	return earlier((m->deadline - now()) / 3, 5 * SECOND);
}

/* A function that is not open may ignore CLOSE: the run goes on. */
static int close_before_open(struct mbim *m)
{
	int64_t deadline = m->deadline;
	int is_wanted = m->close, code;

	m->deadline = earlier(deadline,
		now() + CLOSE_BEFORE_OPEN_SECONDS * SECOND);
	code = mbim_close(m);
	m->deadline = deadline;
	m->close = is_wanted;
	if (code == TIMED_OUT) {
		clear_failure();
		code = DONE;
	}
	return code;
}

static int open_refused(const struct frame *f, uint32_t status)
{
	return fail_refused(f->type == message_open_done ? DOMAIN_MBIM :
		DOMAIN_FUNCTION, status, 0, "");
}

int mbim_open(struct mbim *m)
{
	uint8_t head[4];
	struct message q = { message_open, head, NULL, sizeof(head), 0 };
	int code = DONE, closed = 0;

	m->opened = 1;
	m->joined = 0;
	m->marker.n_sessions = m->marker.n_kept = 0;
	while (!code) {
		struct exchange x = { .request = &q,
			.repeat_after = open_interval(m) };
		struct frame f;
		uint32_t status;

		put_number(head, m->marker.control_size, 4);
		code = exchange(m, &x, &f);
		if (code)
			break;
		status = (uint32_t)take_number(&f.body, 4);
		if (f.body.bad)
			return fail(MALFORMED, "malformed OPEN_DONE");
		if (f.type == message_open_done && !status)
			return DONE;
		if (f.type == message_open_done && status == status_Busy) {
			code = pause_for(m, SECOND / 2, m->deadline);
			if (code == TIMED_OUT)
				return open_refused(&f, status);
			continue;
		}
		if (closed++)
			return open_refused(&f, status);
		if (f.type == message_function_error &&
		    status == function_error_MaxTransfer)
			m->marker.control_size = 512;
		code = close_before_open(m);
	}
	return record_silence(m, code);
}

int mbim_with_session(struct mbim *m, int (*next)(struct mbim *m))
{
	int was_kept = m->marker.n_sessions || m->marker.n_kept, code = DONE;

	m->joined = m->open == OPEN_NEVER || (m->open == OPEN_AUTO &&
		(was_kept || (m->sys[0] && net_is_up(m->sys))));
	if (!m->joined)
		code = mbim_open(m);
	if (!code)
		code = next(m);
	mbim_clean_up(m);
	if (m->open != OPEN_NEVER && (m->opened || was_kept) &&
	    !m->marker.n_sessions && !m->marker.n_kept)
		m->close = 1;		/* it leaves nothing behind */
	if (m->close && !m->gone) {
		if (mbim_close(m) && !m->gone && !failure.exit)
			warn("the modem did not answer CLOSE");
		m->marker.n_sessions = m->marker.n_kept = 0;
	}
	return code;
}

/* ---- commands and indications ---- */

/* A command's COMMAND_DONE; a function that is not open is opened. */
static int exchange_command(struct mbim *m, const struct message *q,
	struct frame *f)
{
	for (;;) {
		struct exchange x = { .request = q };
		int code = exchange(m, &x, f);
		uint32_t error;

		if (code || f->type != message_function_error)
			return record_silence(m, code);
		error = (uint32_t)take_number(&f->body, 4);
		/* it was not executed, so it may be sent again */
		if (error != function_error_NotOpened || !m->joined ||
		    m->cleaning || m->open == OPEN_NEVER)
			return fail_refused(DOMAIN_FUNCTION, error, 0, "");
		code = mbim_open(m);
		if (code)
			return code;
	}
}

int mbim_command(struct mbim *m, const uint8_t service[16], uint32_t cid,
	enum mbim_operation operation, const uint8_t *info, size_t len,
	struct mbim_answer *answer)
{
	uint8_t head[28];
	struct message q = { message_command, head, info, sizeof(head), len };
	struct frame f = { 0 };
	int code;

	memcpy(head, service, 16);
	put_number(head + 16, cid, 4);
	put_number(head + 20, operation, 4);
	put_number(head + 24, len, 4);
	code = exchange_command(m, &q, &f);
	if (code)
		return code;
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

	limit = earlier(limit, m->deadline);
	while ((code = next_frame(m, &f, limit)) == DONE)
		if (f.type == message_indicate_status && take(&f.body, 16) &&
		    take_number(&f.body, 4) == cid)
			return DONE;
	return code == WRITE_LOST ? TIMED_OUT : code;
}

/* ---- the marker ---- */

static struct mbim_marker on_disk;	/* as last read or written; or zeros */

static int open_run_dir(int make)
{
	const char *dir = secure_getenv("MBIMCTL_RUN_DIR");
	const char *const dirs[] = { "/run/mbimctl", "/var/run/mbimctl" };
	struct stat st;

	errno = ENOENT;
	for (int i = 0; i < (dir ? 1 : 2); i++) {
		const char *name = dir ? dir : dirs[i];
		int fd;

		if (make)
			mkdir(name, 0700);
		fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
		if (fd < 0)
			continue;
		/* others must not be able to write the marker */
		if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
		    (st.st_mode & 022) == 0)
			return fd;
		close(fd);
		errno = EPERM;
	}
	return -1;
}

static void text_marker_name(struct text *t, const struct mbim *m)
{
	text_hex(t, m->marker.identity[0], 8);
	text_char(t, '-');
	text_hex(t, m->marker.identity[1], 8);
}

static void read_marker(struct mbim *m)
{
	int fd, dir = open_run_dir(0);
	struct mbim_marker *k = &on_disk;
	char name[32];
	struct text t = TEXT(name);

	if (dir < 0 && errno == EPERM)
		warn("the run directory is not ours alone: not used");
	if (dir < 0)
		return;
	text_marker_name(&t, m);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return;
	if (read(fd, k, sizeof(*k)) == sizeof(*k) && k->size == sizeof(*k) &&
	    !memcmp(k->identity, m->marker.identity, sizeof(k->identity)) &&
	    k->n_sessions <= MBIM_KEPT_MAX && k->n_kept <= MBIM_KEPT_MAX &&
	    k->control_size >= 64 && k->control_size <= MBIM_CONTROL_MAX)
		m->marker = *k;
	close(fd);
}

void marker_write(struct mbim *m)
{
	static int warned;
	int want = m->marker.n_sessions || m->marker.n_kept, good = 0, fd = -1;
	int dir = open_run_dir(want);
	char new[32];
	struct text t = TEXT(new);
	const char *name = new + 1;

	on_disk = m->marker;
	text_char(&t, 'n');
	text_marker_name(&t, m);
	if (!want && dir >= 0)
		unlinkat(dir, name, 0);
	if (want && dir >= 0)
		fd = openat(dir, new, O_WRONLY | O_CREAT | O_TRUNC |
			O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		good = write(fd, &on_disk, sizeof(on_disk)) == sizeof(on_disk);
		good &= close(fd) == 0;
		good = good && renameat(dir, new, dir, name) == 0;
	}
	if (want && !good && !warned++)
		warn("cannot remember the session, a later run may end it: "
			"run directory: ",
			errno_text());
	if (dir >= 0)
		close(dir);
}

int marker_session(struct mbim *m, uint8_t session, int keep)
{
	uint8_t *end = m->marker.sessions + m->marker.n_sessions, *at;

	for (at = m->marker.sessions; at < end && *at != session; at++)
		;
	if (keep && at == end && m->marker.n_sessions < MBIM_KEPT_MAX)
		m->marker.sessions[m->marker.n_sessions++] = session;
	else if (!keep && at < end)
		*at = m->marker.sessions[--m->marker.n_sessions];
	else
		return 0;
	marker_write(m);
	return 1;
}

int mbim_with_marker(struct mbim *m, int (*next)(struct mbim *m))
{
	int code;

	m->marker.size = sizeof(m->marker);
	read_marker(m);
	code = next(m);
	if (on_disk.size ? memcmp(&on_disk, &m->marker, sizeof(on_disk)) != 0 :
	    m->marker.n_sessions || m->marker.n_kept)
		marker_write(m);
	return code;
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

static int lock_is_held(const struct mbim *m, uint64_t holder)
{
	if (!holder)
		return fail(BUSY, m->path, ": in use by another process");
	return fail(BUSY, m->path, ": in use by process ", DECIMAL(holder));
}

static int lock_device(struct mbim *m, const struct stat *st)
{
	while (flock(m->fd, LOCK_EX | LOCK_NB) < 0) {
		int code;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return DONE;	/* it has no locks */
		if (now() >= m->deadline)
			return lock_is_held(m, holder_of(st));
		code = pause_for(m, SECOND / 20, m->deadline);
		if (code && code != TIMED_OUT)
			return code;
	}
	return DONE;
}

/* A file of the USB device that a cdc-wdm node, or a WWAN port, belongs to. */
static size_t read_usb(const struct mbim *m, const char *file, char *to,
	size_t size)
{
	size_t n;

	to[0] = '\0';
	if (!m->sys[0])
		return 0;
	n = read_file(SYS_PATH(m->sys, "/device/../", file), to, size);
	return n ? n : read_file(SYS_PATH(m->sys, "/device/device/../", file),
		to, size);
}

/* wMaxControlMessage: of the driver, of the descriptor, or the usual. */
static void find_control_size(struct mbim *m)
{
	char descriptors[FILE_MAX];
	const uint8_t *p = (const uint8_t *)descriptors;
	uint16_t size = 0;
	size_t n = 0;

	if (ioctl(m->fd, _IOR('H', 0xA0, uint16_t), &size) < 0)
		n = read_usb(m, "descriptors", descriptors,
			sizeof(descriptors));
	/* the MBIM functional descriptor (MBIM 1.0 §6.5) */
	for (; n > 6; n--, p++)
		if (memcmp(p, "\x0c\x24\x1b", 3) == 0)
			size = (uint16_t)(p[5] | p[6] << 8);
	if (!size)
		size = 4096;
	m->marker.control_size = size < 64 ? 64 : size;
}

/* What a replug changes. */
static void identify(struct mbim *m, const struct stat *st)
{
	uint64_t *id = m->marker.identity;
	char devnum[32];

	id[0] = st->st_rdev;
	id[1] = st->st_ino;
	id[2] = (uint64_t)st->st_ctim.tv_sec;
	id[3] = (uint64_t)st->st_ctim.tv_nsec;
	if (m->sys[0] && read_usb(m, "devnum", devnum, sizeof(devnum)))
		parse_number(&(const char *){ devnum }, &id[4]);
}

/* What an earlier run left behind in the driver. */
static void drain_input(struct mbim *m)
{
	int reads = 256;

	input_len = input_at = 0;
	while (reads-- && (read(m->fd, input, sizeof(input)) >= 0 ||
			errno == EIO || errno == ENOBUFS))
		;
}

/* Where sysfs has the device, by its number or, a test bed's, by its name. */
static void find_sys(struct mbim *m, const struct stat *st)
{
	struct text sys = TEXT(m->sys);
	struct stat dir;

	if (!m->is_socket) {
		text_add(&sys, "/sys/dev/char/");
		text_decimal(&sys, major(st->st_rdev));
		text_char(&sys, ':');
		text_decimal(&sys, minor(st->st_rdev));
	} else if (*sys_root()) {
		text_join(&sys, "/sys/class/usbmisc/",
			strrchr(m->path, '/') + 1);
	}
	if (sys.len && stat(SYS_PATH(m->sys), &dir) < 0)
		m->sys[0] = '\0';
}

static int open_node(struct mbim *m, struct stat *st)
{
	if (stat(m->path, st) == 0) {
		m->is_socket = S_ISSOCK(st->st_mode);
		if (m->is_socket)
			m->fd = connect_to(SOCK_SEQPACKET, m->path,
				strlen(m->path) + 1);
		else
			m->fd = open(m->path, O_RDWR | O_NONBLOCK | O_NOCTTY |
				O_CLOEXEC);
	}
	if (m->fd < 0)
		return fail(NO_DEVICE, m->path, ": ", errno_text());
	if (!m->is_socket && !S_ISCHR(st->st_mode))
		return fail(NO_DEVICE, m->path, ": not a device");
	return DONE;
}

static int open_device(struct mbim *m)
{
	struct stat st = { 0 };
	int code;

	m->next_id = 0x10000 + (uint32_t)(((uint64_t)now() / 1000 ^
		(uint64_t)getpid() << 8) % 0xe00000);
	m->marker.control_size = 4096;
	code = open_node(m, &st);
	if (code)
		return code;
	if (!m->is_socket && !m->direct && proxy_runs())
		return fail(BUSY, m->path, ": mbim-proxy is running; "
			"--direct works beside it");
	if (!m->is_socket)
		code = lock_device(m, &st);
	if (code)
		return code;
	find_sys(m, &st);
	if (!m->is_socket)
		find_control_size(m);
	identify(m, &st);
	drain_input(m);
	return DONE;
}

/*
 * The driver may hold close(2) for 30 s when the device did not take a write:
 * SIGALRM, for which main.c has a handler, interrupts it.
 */
static void close_device(struct mbim *m)
{
	struct itimerval t = { { 0, 100000 }, { 0, 100000 } };

	if (m->fd < 0)
		return;
	if (m->unanswered && !m->is_socket)
		setitimer(ITIMER_REAL, &t, NULL);
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
