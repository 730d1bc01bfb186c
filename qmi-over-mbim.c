/* SPDX-License-Identifier: ISC
 *
 * QMI inside MBIM: QMUX frames as the information buffer of a vendor command,
 * clients that are allocated when first used and released before the session
 * ends, and TLVs. It knows no QMI service but the control service, CTL. Beside
 * that what is known of a device without asking it: discovery in sysfs, the
 * interface as the kernel has it, and the marker, the file that remembers what outlives a run.
 *
 * QMUX and CTL as libqmi describes them. The frame's length is exact: modems
 * refuse one that is padded as MBIM pads everything else.
 */
#include "mbim.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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

/* ---- the network interface, as the kernel has it ---- */

static const char *of_net, *addresses[2];	/* what is looked for */

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

/* The nth word of a line, which ends with a blank, a tab or a colon. */
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

	return is_word(word_at(line, 5), of_net) &&
		parse_hex(line, line + 32, address, 16) == 16 &&
		is_address(1, address, 16);
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
		warn("cannot remember the session, a later run may end it: "
			"run directory: ",
			errno_text());
	if (dir >= 0)
		close(dir);
}

int mark_session(struct mbim *m, uint8_t session, int keep)
{
	uint8_t *end = m->mark.sessions + m->mark.n_sessions, *at;

	for (at = m->mark.sessions; at < end && *at != session; at++)
		;
	if (keep && at == end && m->mark.n_sessions < MBIM_KEPT_MAX)
		m->mark.sessions[m->mark.n_sessions++] = session;
	else if (!keep && at < end)
		*at = m->mark.sessions[--m->mark.n_sessions];
	else
		return 0;
	mark_write(m);
	return 1;
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
