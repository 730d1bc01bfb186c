/* SPDX-License-Identifier: ISC
 *
 * QMI inside MBIM: QMUX frames as the information buffer of a vendor command,
 * clients that are allocated when first used and released before the session
 * ends, and TLVs. It knows no QMI service but the control service, CTL. Beside
 * that what is known of a device without asking it: discovery in sysfs, and the
 * marker, the file that remembers what outlives a run. And values as text, and
 * back: UUIDs, addresses, UTF-8 and UTF-16, hex.
 *
 * QMUX and CTL as libqmi describes them. The frame's length is exact: modems
 * refuse one that is padded as MBIM pads everything else.
 */
#include "mbim.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- discovery ---- */

struct search {
	void (*each)(const struct mbim_port *port);
	int usb;
};

static void text_id(struct text *t, const char *file)
{
	const char *id = sys_text(file);

	text_add(t, id + (strncmp(id, "0x", 2) ? 0 : 2));
}

void sys_ids(struct text *t, const char *sys)
{
	text_id(t, sys_path(sys, "/device/../idVendor"));
	if (t->len) {
		text_char(t, ':');
		text_id(t, sys_path(sys, "/device/../idProduct"));
		return;
	}
	text_id(t, sys_path(sys, "/device/device/vendor"));
	text_add(t, t->len ? ":" : "");
	text_id(t, sys_path(sys, "/device/device/device"));
}

static void look_at_port(const char *name, void *arg)
{
	struct search *search = arg;
	int usb = search->usb;
	const char *device = usb ? "/device/.." : "/device/device";
	struct mbim_port port;
	char sys[256];
	struct text t = TEXT(sys), path = TEXT(port.path), net = TEXT(port.net);
	struct text bus = TEXT(port.bus), ids = TEXT(port.ids);

	text_join(&t, usb ? "/sys/class/usbmisc/" : "/sys/class/wwan/", name);
	if (usb ? strcmp(sys_link(sys_path(sys, "/device/driver")), "cdc_mbim")
	    : strcmp(sys_text(sys_path(sys, "/type")), "MBIM"))
		return;
	text_join(&path, sys_root(), "/dev/", name);
	sys_net(&net, sys);
	text_add(&bus, sys_link(sys_path(sys, usb ? "/device" : device)));
	if (usb)			/* an interface: 1-1.2:1.0 */
		port.bus[span(port.bus, ':')] = '\0';
	sys_ids(&ids, sys);
	search->each(&port);
}

void mbim_ports(void (*each)(const struct mbim_port *port))
{
	struct search search = { each, 1 };

	sys_each(sys_path("/sys/class/usbmisc"), look_at_port, &search);
	search.usb = 0;
	sys_each(sys_path("/sys/class/wwan"), look_at_port, &search);
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
	if (device && strchr(device, '/')) {
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

/* ---- the marker ---- */

static struct mbim_mark on_disk;	/* as last read or written; or zeros */

static int open_run_dir(int make)
{
	const char *dir = getenv("MBIMCTL_RUN_DIR");
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
		/* nobody else may have a say in what we believe */
		if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
		    (st.st_mode & 077) == 0)
			return fd;
		close(fd);
		errno = EPERM;
	}
	return -1;
}

static void text_mark_name(struct text *t, const struct mbim *m)
{
	text_hex(t, m->mark.identity[0], 8);
	text_char(t, '-');
	text_hex(t, m->mark.identity[1], 8);
}

static void read_mark(struct mbim *m)
{
	int fd, dir = open_run_dir(0);
	struct mbim_mark *k = &on_disk;
	char name[32];
	struct text t = TEXT(name);

	if (dir < 0 && errno == EPERM)
		warn("the run directory is not ours alone: not used");
	if (dir < 0)
		return;
	text_mark_name(&t, m);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return;
	if (read(fd, k, sizeof(*k)) == sizeof(*k) && k->size == sizeof(*k) &&
	    !memcmp(k->identity, m->mark.identity, sizeof(k->identity)) &&
	    k->n_sessions <= MBIM_KEPT_MAX && k->n_kept <= MBIM_KEPT_MAX &&
	    k->control_size >= 64 && k->control_size <= MBIM_CONTROL_MAX)
		m->mark = *k;
	close(fd);
}

void mark_write(struct mbim *m)
{
	static int warned;
	int want = m->mark.n_sessions || m->mark.n_kept, good = 0, fd = -1;
	int dir = open_run_dir(want);
	char new[32];
	struct text t = TEXT(new);
	const char *name = new + 1;

	on_disk = m->mark;
	text_char(&t, 'n');
	text_mark_name(&t, m);
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
		warn("cannot remember the session: run directory: ",
			errno_text());
	if (dir >= 0)
		close(dir);
}

int mark_with_mark(struct mbim *m, int (*next)(struct mbim *m))
{
	int code;

	m->mark.size = sizeof(m->mark);
	read_mark(m);
	code = next(m);
	if (on_disk.size ? memcmp(&on_disk, &m->mark, sizeof(on_disk)) != 0 :
	    m->mark.n_sessions || m->mark.n_kept)
		mark_write(m);
	return code;
}

/* ---- refusals ---- */

int qmi_refused(uint32_t error, int code, const char *more)
{
	switch (code ? 0 : error) {
	case 12: case 35: case 36: case 104: case 105: case 106: case 107:
		code = PIN_NEEDED;	/* wrong, blocked, wanted */
		break;
	case 16: case 37: case 102:
		code = NO_SIM;
		break;
	case 71: case 94:
		code = UNSUPPORTED;
		break;
	}
	return fail_with(code ? code : REFUSED, "QMI error ", error,
		name_of(show_qmi_error, error), more, NULL);
}

/* ---- QMUX and TLVs ---- */

const uint8_t qmi_uuid[16] = {
	0xd1, 0xa3, 0x0b, 0xc2, 0xf9, 0x7a, 0x6e, 0x43,
	0xbf, 0x65, 0xc7, 0xe2, 0x4f, 0xb0, 0xf0, 0xd3
};

enum {
	CTL = 0, ALLOCATE = 0x0022, RELEASE = 0x0023,
	QMUX_HEADER = 6, CTL_HEADER = 6, SERVICE_HEADER = 7
};

int qmux_parse(const uint8_t *frame, size_t len, struct qmux *q)
{
	struct reader r = { frame, len, 0, 0 };
	uint8_t flags;
	size_t size, end;

	if (take_number(&r, 1) != 1)
		return 0;
	end = take_number(&r, 2) + 1;
	q->from_modem = take_number(&r, 1) == 0x80;
	q->service = (uint8_t)take_number(&r, 1);
	q->client = (uint8_t)take_number(&r, 1);
	flags = (uint8_t)take_number(&r, 1);
	q->response = flags == (q->service == CTL ? 1 : 2);
	q->indication = flags == (q->service == CTL ? 2 : 4);
	q->id = (uint16_t)take_number(&r, q->service == CTL ? 1 : 2);
	q->message = (uint16_t)take_number(&r, 2);
	size = take_number(&r, 2);
	q->tlvs = window(&r, r.at, size);
	q->surplus = len - end;
	return !r.bad && end <= len && r.at + size == end;
}

static size_t frame_length(const uint8_t *p, size_t len)
{
	struct reader r = { p, len, 0, 0 };
	uint64_t type = take_number(&r, 4), size = take_number(&r, 4);

	if (!r.bad && (type & 0x7fffffff) - 1 < 7 && size >= 12 &&
	    size <= MBIM_REPLY_MAX)
		return size;
	size = len > 2 ? p[1] | (size_t)p[2] << 8 : 0;
	return size >= 11 && p[0] == 1 ? size + 1 : 0;
}

int qmi_next_tlv(struct reader *tlvs, uint8_t *type, struct reader *value)
{
	size_t len;

	if (tlvs->bad || tlvs->at == tlvs->len)
		return 0;
	*type = (uint8_t)take_number(tlvs, 1);
	len = take_number(tlvs, 2);
	*value = window(tlvs, tlvs->at, len);
	take(tlvs, len);
	return !tlvs->bad;
}

int qmi_tlv(struct reader tlvs, uint8_t type, struct reader *value)
{
	uint8_t t;

	while (qmi_next_tlv(&tlvs, &t, value))
		if (t == type)
			return 1;
	return 0;
}

int qmi_result(struct reader tlvs)
{
	struct reader v;
	uint64_t status, error;

	if (!qmi_tlv(tlvs, 0x02, &v))
		return -1;
	status = take_number(&v, 2);
	error = take_number(&v, 2);
	return v.bad ? -1 : status ? (int)error : 0;
}

/* ---- clients ---- */

static struct client {
	uint8_t service, id, kept;
} clients[MBIM_KEPT_MAX];
static size_t n_clients;
static uint16_t next_id;

/* One message to a client and its reply; CTL's client is 0. */
static int transact(struct mbim *m, uint8_t service, uint8_t client,
	uint16_t message, const uint8_t *tlvs, size_t len, struct qmux *q)
{
	static uint8_t frame[QMUX_HEADER + SERVICE_HEADER + 65535];
	size_t head = service == CTL ? CTL_HEADER : SERVICE_HEADER;
	size_t id_size = service == CTL ? 1 : 2;
	uint8_t *p = frame + QMUX_HEADER;
	struct mbim_answer answer;
	int code;

	next_id = service == CTL && next_id >= 255 ? 1 :
		(uint16_t)(next_id + 1);
	frame[0] = 1;
	put_number(frame + 1, QMUX_HEADER + head + len - 1, 2);
	frame[3] = 0;
	frame[4] = service;
	frame[5] = client;
	p[0] = 0;
	put_number(p + 1, next_id, id_size);
	put_number(p + 1 + id_size, message, 2);
	put_number(p + 3 + id_size, len, 2);
	if (len)
		memcpy(p + head, tlvs, len);
	code = mbim_command(m, qmi_uuid, 1, MBIM_SET, frame,
		QMUX_HEADER + head + len, &answer);
	if (code)
		return code;
	if (answer.status)
		return mbim_refused(answer.status, 0, "");
	if (!qmux_parse(answer.info.base, answer.info.len, q) ||
	    !q->from_modem || !q->response || q->service != service ||
	    q->client != client || q->message != message || q->id != next_id)
		return fail(MALFORMED, "malformed QMI reply");
	return DONE;
}

/*
 * The modem may have allocated a client although we were told to stop: then
 * its answer is waited for all the same, so that the client can be released.
 */
static int allocate(struct mbim *m, uint8_t service, struct client **client)
{
	uint8_t tlv[4] = { 0x01, 1, 0, service };
	struct reader v;
	struct qmux q;
	int code, error;

	if (n_clients == MBIM_KEPT_MAX)
		return fail(REFUSED, "too many QMI clients in one run");
	m->critical = 1;
	code = transact(m, CTL, 0, ALLOCATE, tlv, sizeof(tlv), &q);
	m->critical = 0;
	if (code)
		return code;
	error = qmi_result(q.tlvs);
	if (error > 0)
		return qmi_refused((uint32_t)error, 0, "");
	if (error < 0 || !qmi_tlv(q.tlvs, 0x01, &v) ||
	    take_number(&v, 1) != service || v.len < 2)
		return fail(MALFORMED, "malformed QMI client");
	*client = &clients[n_clients++];
	**client = (struct client){ service, (uint8_t)take_number(&v, 1), 0 };
	return failure.exit;
}

static int release(struct mbim *m, const struct client *c)
{
	uint8_t tlv[5] = { 0x01, 2, 0, c->service, c->id };
	struct qmux q;

	return transact(m, CTL, 0, RELEASE, tlv, sizeof(tlv), &q) ||
		qmi_result(q.tlvs);
}

static int find_client(struct mbim *m, uint8_t service, enum qmi_use use,
	struct client **c)
{
	for (size_t i = m->mark.n_kept; use == QMI_DROP && i--; )
		if (m->mark.kept[i].service == service &&
		    n_clients < MBIM_KEPT_MAX) {
			*c = &clients[n_clients++];
			**c = (struct client){ service,
				m->mark.kept[i].client, 1 };
			return DONE;
		}
	for (size_t i = n_clients; i--; )
		if (clients[i].service == service &&
		    !(use == QMI_KEEP && clients[i].kept)) {
			*c = &clients[i];
			return DONE;
		}
	return allocate(m, service, c);
}

static struct client *last;		/* of the last command */

int qmi_command(struct mbim *m, uint8_t service, uint16_t message,
	enum qmi_use use, const uint8_t *tlvs, size_t len,
	int *error, struct reader *reply)
{
	struct client *c = NULL;
	struct qmux q;
	int code = DONE;

	if (service != CTL)
		code = find_client(m, service, use, &c);
	last = c;
	if (!code)
		code = transact(m, service, c ? c->id : 0, message, tlvs, len,
			&q);
	if (code)
		return code;
	*reply = q.tlvs;
	*error = qmi_result(q.tlvs);
	return *error < 0 ? fail(MALFORMED, "QMI reply without a result") :
		DONE;
}

void qmi_keep(struct mbim *m, uint32_t handle)
{
	if (m->mark.n_kept == MBIM_KEPT_MAX) {
		warn("too many QMI clients are kept: this one is released");
		return;
	}
	last->kept = 1;
	m->mark.kept[m->mark.n_kept++] = (struct mbim_kept){
		handle, last->service, last->id, { 0 } };
	mark_write(m);
}

void qmi_drop(struct mbim *m)
{
	last->kept = 0;
	for (size_t i = 0; i < m->mark.n_kept; i++)
		if (m->mark.kept[i].service == last->service &&
		    m->mark.kept[i].client == last->id)
			m->mark.kept[i] = m->mark.kept[--m->mark.n_kept];
}

int qmi_kept_handle(struct mbim *m, uint8_t service, uint32_t *handle)
{
	uint32_t i = m->mark.n_kept;

	while (i && m->mark.kept[i - 1].service != service)
		i--;
	if (i)
		*handle = m->mark.kept[i - 1].handle;
	return i != 0;
}

int qmi_with_clients(struct mbim *m, int (*next)(struct mbim *m))
{
	int code = next(m), failed = 0;

	mbim_clean_up(m);
	for (size_t i = 0; i < n_clients; i++)
		if (!clients[i].kept && !m->gone)
			failed |= release(m, &clients[i]);
	if (failed && !code)
		warn("a QMI client could not be released");
	return code;
}

/* ---- values as text, and back ---- */

enum { NO_CHARACTER = 0xfffd };

void text_bytes(struct text *t, const uint8_t *bytes, size_t len)
{
	while (len--)
		text_hex(t, *bytes++, 2);
}

/* Is there a dash before this byte of a UUID? */
static int is_dashed(int i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

void text_uuid(struct text *t, const uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++) {
		text_add(t, is_dashed(i) ? "-" : "");
		text_hex(t, uuid[i], 2);
	}
}

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
	for (size_t i = prefix; len - prefix == 4 && i < len; i++)
		text_join(t, i > prefix ? "." : "", decimal(p[i]));
	if (prefix)
		text_join(t, "/", decimal(take_number(&r, 4)));
}

/* One character, as UTF-8. */
static void text_character(struct text *t, uint32_t c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	text_char(t, (char)(!more ? c :
		(0xff00u >> (more + 1) & 0xff) | c >> 6 * more));
	while (more--)
		text_char(t, (char)(0x80 | (c >> 6 * more & 63)));
}

/* A surrogate alone is no text. */
void text_utf16(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + (len & ~(size_t)1);
	uint32_t c, low;

	for (; p < end && (c = p[0] | (uint32_t)p[1] << 8); p += 2) {
		low = c >> 10 == 0x36 && p + 2 < end ?
			p[2] | (uint32_t)p[3] << 8 : 0;
		if (low >> 10 == 0x37) {
			c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
			p += 2;
		}
		if (c < 0x80)
			text_char(t, (char)c);
		else
			text_character(t, c >> 11 == 0x1b ? NO_CHARACTER : c);
	}
}

/* The next character of UTF-8; a byte that is none becomes U+FFFD. */
static uint32_t next_utf8(const uint8_t **p, const uint8_t *end)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *s = *p;
	uint32_t c = *s++;
	int more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 :
		c >> 3 == 30 ? 3 : 4;

	*p = s;
	if (more == 4 || more > end - s)
		return NO_CHARACTER;
	c &= more ? 0x3fu >> more : 0x7f;
	for (int i = 0; i < more; i++) {
		if (*s >> 6 != 2)
			return NO_CHARACTER;
		c = c << 6 | (*s++ & 63);
	}
	if (c < least[more] || c > 0x10ffff || c >> 11 == 0x1b)
		return NO_CHARACTER;
	*p = s;
	return c;
}

void text_utf8(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end && *p)
		text_character(t, next_utf8(&p, end));
}

int parse_text(const char *s, int wide, uint8_t *to, size_t max)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + strlen(s);
	size_t n = 0;

	if ((size_t)(end - p) > MBIM_REPLY_MAX / 2)
		return -1;
	max *= wide ? 2 : 1;
	while (p < end) {
		const uint8_t *from = p;
		uint32_t c = next_utf8(&p, end);
		size_t size = !wide ? (size_t)(p - from) : c < 0x10000 ? 2 : 4;

		if (c == NO_CHARACTER || n + size > max)
			return -1;
		if (c >= 0x10000)	/* the low surrogate comes second */
			c = (0xd7c0 + (c >> 10)) |
				(0xdc00 + (c & 0x3ff)) << 16;
		if (wide)
			put_number(to + n, c, size);
		else
			memcpy(to + n, from, size);
		n += size;
	}
	return (int)n;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' &&
		(c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Two digits; false when they are none. */
static int hex_byte(const char *s, uint8_t *byte)
{
	int high = hex_digit(s[0]), low = high < 0 ? -1 : hex_digit(s[1]);

	if (low >= 0)
		*byte = (uint8_t)(high << 4 | low);
	return low >= 0;
}

int parse_hex(const char *s, const char *end, uint8_t *bytes, size_t max)
{
	size_t n = 0;

	while (s < end && *s) {
		if (strchr(" \t\r:|", *s)) {
			s++;
			continue;
		}
		if (n == max || !hex_byte(s, &bytes[n++]))
			return -1;
		s += 2;
	}
	return (int)n;
}

/*
 * The same as parse_hex() of a whole line that somebody pasted: what quotes it
 * is passed, and what a log has before "data =".
 */
static int parse_pasted(const char *line, uint8_t *bytes, size_t max)
{
	while (*line && strchr("><| \t", *line))
		line++;
	for (const char *p = line, *end; *p; p++) {
		for (end = p + 4; !strncmp(p, "data", 4) && *end == ' '; end++)
			;
		if (!strncmp(p, "data", 4) && *end == '=')
			line = end + 1;
	}
	return parse_hex(line, line + strlen(line), bytes, max);
}

/* Lines beyond this are taken in pieces; of whole bytes, if they are regular */
enum { LINE = MBIM_REPLY_MAX * 3 };

/* Of what was pasted: the rest of a frame, and all that a line can add. */
static uint8_t pasted[MBIM_REPLY_MAX + LINE / 2];
static size_t pasted_len;

/*
 * A line of what was pasted: if it is nothing but hex, more of a frame, else
 * something in between.
 */
static void take_line(const char *line,
	void (*each)(const uint8_t *frame, size_t len))
{
	size_t at = 0, len;
	int n = parse_pasted(line, pasted + pasted_len,
		sizeof(pasted) - pasted_len);

	if (n == 0)
		return;
	pasted_len = n < 0 ? 0 : pasted_len + (size_t)n;
	while ((len = frame_length(pasted + at, pasted_len - at)) &&
	       len <= pasted_len - at) {
		each(pasted + at, len);
		at += len;
	}
	pasted_len -= at;
	memmove(pasted, pasted + at, pasted_len);
	if (!len && pasted_len >= 8)
		pasted_len = 0;		/* no frame begins there */
}

int read_pasted(const char *name,
	void (*each)(const uint8_t *frame, size_t len))
{
	static char line[LINE + 1];
	char part[4096];
	struct text t = TEXT(line);
	int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : 0;
	ssize_t n;

	if (fd < 0)
		return fail(USAGE, name, ": ", errno_text());
	while ((n = read(fd, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (part[i] == '\n' || t.len == LINE) {
				take_line(line, each);
				t = (struct text)TEXT(line);
			}
			if (part[i] != '\n')
				text_char(&t, part[i]);
		}
	take_line(line, each);
	return DONE;
}

int parse_uuid(const char *s, uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++, s += 2)
		if ((is_dashed(i) && *s++ != '-') || !hex_byte(s, uuid + i))
			return 0;
	return !*s || *s == ' ';
}

/* ---- numbers, and the words of a value table ---- */

const char *decimal(uint64_t n)
{
	static char digits[4][24];
	static unsigned calls;
	char *s = digits[calls++ % 4];
	struct text t = { .s = s, .size = sizeof(digits[0]) };

	text_decimal(&t, n);
	return t.s;
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

static int64_t parse_signed(const char **s)
{
	int minus = **s == '-';
	uint64_t n;

	*s += minus;
	parse_number(s, &n);
	return (int64_t)(minus ? 0 - n : n);
}

const char *next_word(const char **table, uint64_t *n)
{
	const char *word = *table;

	if (*word <= '\1')
		return NULL;
	*n = (uint64_t)(*word++ - '0');		/* most are digits */
	if (*word != ' ') {
		word--;
		*n = (uint64_t)parse_signed(&word);
		word += span(word, ' ');	/* a UUID */
	}
	*table = word + strlen(word) + 1;
	return word + 1;
}

const char *word_of(const char *table, uint64_t n)
{
	const char *word;
	uint64_t at;

	while ((word = next_word(&table, &at)) && at != n)
		;
	return word;
}

int same_word(const char *a, const char *b, size_t len)
{
	for (; len && *b; len--, a++, b++)
		if ((*a == '-' ? '_' : tolower(*a)) != tolower(*b))
			return 0;
	return !len && !*b;
}

struct scale scale_of(const char *table)
{
	int64_t n[4];

	for (int i = 0; i < 4; i++) {
		table++;		/* the asterisk; blanks */
		n[i] = parse_signed(&table);
	}
	return (struct scale){ n[0], n[1], n[2], n[3] };
}

void text_scaled(struct text *t, const char *table, int64_t n)
{
	struct scale s = scale_of(table);
	int64_t v = s.a * n + s.b;

	if (n == s.unknown)
		return;
	text_add(t, v < 0 ? "-" : "");
	v = v < 0 ? -v : v;
	text_decimal(t, (uint64_t)(v / s.c));
	if (v % s.c) {
		text_char(t, '.');
		text_decimal(t, (uint64_t)(v % s.c * 10 / s.c));
	}
}

const char *uuid_entry(const char *p, const char *s, size_t skip)
{
	for (; *p > '\1'; p += strlen(p) + 1)
		if (skip ? same_word(s, p + skip, strlen(s)) :
		    !strncmp(s, p, 36))
			return p;
	return NULL;
}
