/* SPDX-License-Identifier: ISC */
/*
 * The simulated modem of tests/modem.c as a USB device: its third door, for
 * Linux's own cdc_mbim and cdc-wdm.  No hardware and no network: the modem
 * holds one end of a socketpair, vhci_hcd (USB/IP) the other.  Needs root and
 * a kernel that may be spoilt, so it runs in a virtual machine.
 *
 *	usb [-l LOG] [-r REPORT] -c FIFO [maxcontrol=4096] [key=value ...]
 *
 * -c  a named pipe, made if it is not there; a line in it is a hook, below
 * -l, -r, SIGTERM, SIGINT, SIGUSR1, key=value	as in tests/modem.c
 * maxcontrol is wMaxControlMessage of the descriptor.  What cannot be here:
 * drip, flush, wdm and behind of modem.c imitate what is now real; behind=N
 * still means N old answers without notification, from the start.
 * hangup=STEP detaches; the hook `plug' attaches again.  dss=1 is set.
 * It prints "ready" when it is attached: the driver then looks at it.
 *
 * THE CHANNEL
 *	A message waits in the device until the host fetches it; there is one
 *	notification for each, given when its time has come.  Who has the node
 *	open, a device cannot see: nothing is ever dropped for that.
 *	SEND and GET take effect when they end, after the delay (3 ms), so
 *	that what is cancelled before has not happened.
 *
 * THE DATA
 *	An active session N answers echo requests (IPv4, IPv6) to any address,
 *	if it has that address family.  A connected stream sends back what it
 *	gets.  All else vanishes.
 *
 * HOOKS
 *	raw LEN [BYTE]	a message of LEN bytes (0xee), and its notification
 *	hex HEXBYTES	these bytes, and a notification
 *	ind N		N signal indications, subscribed or not
 *	nonotify 0|1	while 1 messages get no notification
 *	notify N	N notifications with nothing behind them
 *	flush		forget all messages and notifications
 *	stallin N	the next N GETs stall; the message stays
 *	errin N		the next N GETs end with EPROTO; the message stays
 *	holdget N	the next N GETs never end
 *	stallout N	the next N SENDs stall, their data are not taken
 *	hang 0|1	while 1 no SEND ends; 0 ends (and takes) those
 *	drop 0|1	while 1 what is sent is not taken, without an error
 *	delay MS	before a SEND or GET ends
 *	dss ID TEXT	a datagram on stream ID, connected or not
 *	unplug		control transfers fail, then it is detached; state as
 *			after modem.c's hangup; all faults above are off, and
 *			the delay as at the start
 *	plug		attached again; with maxcontrol as last set
 *	set KEY=VALUE	an option, from now on; a fault is added to those set
 *	clear		faults off, delay as at the start, what hung ends;
 *			planned faults (late=, silent=...) are forgotten
 *	mark TEXT	the line "# TEXT" in the log
 *
 * THE REPORT has in addition: attached_usb, sends, gets, empty (GETs that got
 * nothing), partial (more was there than the host asked for), notices, lost
 * (messages that no GET took before an unplug), unlinks, stray (datagrams that
 * belong to no session or stream), broken (transfer blocks that make no
 * sense); and for each session with traffic, from the host and to it:
 * out0 in0 pings0; for each stream: dssout5 dssin5 dss5 (those sent back).
 */

#define main socket_main
#include "modem.c"
#undef main

#include <sys/stat.h>

#define VHCI	"/sys/devices/platform/vhci_hcd.0/"
#define PORT	"0"			/* a high speed one */
#define DEVID	0x10002			/* bus 1, device 2: any will do */
#define HIGH	3
#define PDU	48
#define BLOCK	16384			/* transfer block, either way */
#define DELAY	3			/* ms: an instant answer hides races */

enum { CMD_SUBMIT = 1, CMD_UNLINK, RET_SUBMIT, RET_UNLINK };
enum { CONTROL, INTERRUPT, BULK_IN, BULK_OUT };	/* endpoint numbers */

/* A transfer that the host has asked for and that has not ended yet. */
struct transfer {
	int used, in, held;		/* held: never ends by itself */
	unsigned seqnum, endpoint;
	size_t len;			/* wanted, or in data */
	long long due;
	unsigned char setup[8];
	unsigned char *data;		/* what SEND brought */
};

static struct usb {
	int fd;				/* -1: unplugged */
	int fifo;
	unsigned max_control;
	unsigned char config, alternate;
	unsigned notices;		/* to be given */
	unsigned short sequence;	/* of transfer blocks */
	size_t have;			/* bytes that are no whole PDU yet */
} usb = { .fd = -1, .max_control = 4096 };

static struct transfer transfers[128];
static unsigned char control_data[8][LONGEST];	/* of SENDs not ended */
static int control_used[COUNT(control_data)];

/* Transfer blocks for the host, a datagram in each. */
static struct { size_t len; unsigned char bytes[32 + 2048]; } out[64];
static unsigned blocks;

static struct {				/* the hooks' switches */
	long nonotify, stallin, errin, holdget, stallout, hang, drop;
} fault;
static long delay = DELAY;

static struct {
	unsigned attached, sends, gets, empty, partial, notices, lost;
	unsigned unlinks, stray, broken;
	struct { unsigned out, in, pings; } session[SESSIONS];
	struct { unsigned out, in, echoes; } stream[256];
} count;

/* ---- what the device says of itself ---------------------------------- */

static const unsigned char device_descriptor[] = {
	18, 1, 0x00, 0x02, 0xef, 2, 1, 64,	/* USB 2.0, has an IAD */
	0x99, 0x11, 0x79, 0x90, 0x06, 0x00, 1, 2, 3, 1,
};

static const char *const strings[] = {
	"", "Sierra Wireless, Incorporated", "EM7355", "SIMULATED00001",
};

/* 0xff, 0xff: the control size. */
static const unsigned char config_descriptor[] = {
	9, 2, 0, 0, 2, 1, 0, 0xa0, 250,		/* length is put in */
	8, 0x0b, 0, 2, 2, 0x0e, 0, 0,		/* both interfaces are one */
	9, 4, 0, 0, 1, 2, 0x0e, 0, 0,
	5, 0x24, 0x00, 0x10, 0x01,		/* CDC header */
	5, 0x24, 0x06, 0, 1,			/* union */
	12, 0x24, 0x1b, 0, 1, 0xff, 0xff, 16, 128, 0xdc, 0x05, 0x20,
	8, 0x24, 0x1c, 0x00, 1, 4, 0xdc, 0x05,	/* MBIM, extended */
	7, 5, 0x81, 3, 64, 0, 5,
	9, 4, 1, 0, 0, 0x0a, 0, 2, 0,		/* data: without endpoints */
	9, 4, 1, 1, 2, 0x0a, 0, 2, 0,		/* and with */
	7, 5, 0x82, 2, 0x00, 0x02, 0,
	7, 5, 0x03, 2, 0x00, 0x02, 0,
};
#define CONTROL_SIZE_AT	(9 + 8 + 9 + 5 + 5 + 5)

static const unsigned char ntb_parameters[28] = {
	28, 0, 1, 0,				/* NTB16 only */
	BLOCK & 255, BLOCK >> 8, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0,
	BLOCK & 255, BLOCK >> 8, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0,
};

static size_t string_descriptor(unsigned char *p, unsigned n)
{
	static const unsigned char english[] = { 4, 3, 0x09, 0x04 };

	if (!n) {
		memcpy(p, english, 4);
		return 4;
	}
	p[0] = (unsigned char)(2 + to_utf16(p + 2, 250, strings[n]));
	p[1] = 3;
	return p[0];
}

/* Its length, or -1: there is none, stall. */
static int get_descriptor(unsigned char *p, unsigned type, unsigned n)
{
	size_t len = sizeof(config_descriptor);

	if (type == 1) {
		memcpy(p, device_descriptor, sizeof(device_descriptor));
		return sizeof(device_descriptor);
	}
	if (type == 3 && n < COUNT(strings))
		return (int)string_descriptor(p, n);
	if (type != 2 || n)
		return -1;
	memcpy(p, config_descriptor, len);
	put16(p + 2, (unsigned)len);
	put16(p + CONTROL_SIZE_AT, usb.max_control);
	return (int)len;
}

/* ---- USB/IP ---------------------------------------------------------- */

static unsigned get32be(const unsigned char *p)
{
	return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 |
		(unsigned)p[2] << 8 | p[3];
}

static void put32be(unsigned char *p, unsigned v)
{
	p[0] = v >> 24 & 0xff;
	p[1] = v >> 16 & 0xff;
	p[2] = v >> 8 & 0xff;
	p[3] = v & 0xff;
}

/* A kernel that has gone is seen when we read: nothing to do about it here. */
static void send_all(const unsigned char *p, size_t len)
{
	ssize_t n;

	while (usb.fd >= 0 && len) {
		n = send(usb.fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void send_pdu(unsigned command, unsigned seqnum, int status,
		     const unsigned char *data, size_t len, size_t actual)
{
	static unsigned char pdu[PDU + LONGEST];

	memset(pdu, 0, PDU);
	put32be(pdu, command);
	put32be(pdu + 4, seqnum);
	put32be(pdu + 20, (unsigned)status);
	put32be(pdu + 24, (unsigned)actual);
	memcpy(pdu + PDU, data, len);
	send_all(pdu, PDU + len);
}

static void forget_transfer(struct transfer *t)
{
	if (t->data)
		control_used[(t->data - control_data[0]) / LONGEST] = 0;
	memset(t, 0, sizeof(*t));
}

/* The end of a transfer: status is 0 or a negative errno of Linux. */
static void end_transfer(struct transfer *t, int status, const void *data,
			 size_t len)
{
	if (len > t->len)
		len = t->len;
	if (t->in)
		send_pdu(RET_SUBMIT, t->seqnum, status, data, len, len);
	else
		send_pdu(RET_SUBMIT, t->seqnum, status, (const void *)"", 0,
			 status ? 0 : t->len);
	forget_transfer(t);
}

/* The one that came first, of those that nothing holds. */
static struct transfer *first_transfer(unsigned endpoint)
{
	struct transfer *found = NULL;
	unsigned i;

	for (i = 0; i < COUNT(transfers); i++) {
		struct transfer *t = &transfers[i];

		if (t->used && t->endpoint == endpoint && !t->held &&
		    (!found || (int)(t->seqnum - found->seqnum) < 0))
			found = t;
	}
	return found;
}

#define REQUEST(type, number)	((type) | (number) << 8)
#define SEND			REQUEST(0x21, 0)
#define GET			REQUEST(0xa1, 1)

static int request_of(const struct transfer *t)
{
	return REQUEST(t->setup[0], t->setup[1]);
}

/* What hung ends after all. */
static void release_sends(void)
{
	unsigned i;

	for (i = 0; i < COUNT(transfers); i++)
		if (transfers[i].used && transfers[i].endpoint == CONTROL &&
		    request_of(&transfers[i]) == SEND)
			transfers[i].held = 0;
}

static void clear_faults(void)
{
	memset(&fault, 0, sizeof(fault));
	delay = DELAY;
	release_sends();
}

static void detach_from_kernel(void)
{
	int fd = open(VHCI "detach", O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : write(fd, PORT, strlen(PORT));

	(void)n;			/* it may have gone already */
	close(fd);
}

/* Nothing of this device is left; the kernel need not know yet. */
static void forget_device(void)
{
	unsigned i;

	for (i = 0; i < COUNT(transfers); i++)
		if (transfers[i].used)
			forget_transfer(&transfers[i]);
	close(usb.fd);
	usb.fd = -1;
	usb.notices = usb.config = usb.alternate = 0;
	usb.have = blocks = 0;
	clear_faults();
	count.lost += queued;
	core_unplug();
}

/*
 * Control transfers fail first: vhci_hcd forgets those that are under way,
 * which no real host controller does (kernel-driver.md §2).
 */
static void unplug(void)
{
	unsigned i;

	if (usb.fd < 0)
		return;
	for (i = 0; i < COUNT(transfers); i++) {
		struct transfer *t = &transfers[i];

		if (t->used && t->endpoint == CONTROL)
			end_transfer(t, -EPROTO, "", 0);
	}
	detach_from_kernel();
	forget_device();
}

/* The port of a device that has just gone is busy for a moment. */
static int port_is_free(void)
{
	char text[4096];
	int fd = open(VHCI "status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		die(VHCI "status");
	close(fd);
	text[n] = 0;
	return strstr(text, "000" PORT " 004") != NULL;	/* VDEV_ST_NULL */
}

static void plug(void)
{
	static const struct timespec moment = { .tv_nsec = 10000000 };
	int fd, ends[2], tries, n;
	char line[64];

	if (usb.fd >= 0)
		return;
	for (tries = 0; !port_is_free() && tries < 300; tries++)
		nanosleep(&moment, NULL);
	fd = open(VHCI "attach", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		die(VHCI "attach");
	n = snprintf(line, sizeof(line), PORT " %d %u %d", ends[1], DEVID,
		     HIGH);
	if (write(fd, line, (size_t)n) != n)
		die(VHCI "attach");
	close(fd);
	close(ends[1]);			/* the kernel has its own */
	usb.fd = ends[0];
	count.attached++;
}

/* ---- datagrams ------------------------------------------------------- */

/* A transfer block with one datagram in it (NCM 1.0 §3, MBIM 1.0 §7). */
static void send_datagram(const char *kind, unsigned id,
			  const unsigned char *p, size_t len)
{
	unsigned char *b;

	if (usb.fd < 0 || blocks == COUNT(out) ||
	    len > sizeof(out[0].bytes) - 32)
		return;				/* as the air does */
	b = out[blocks].bytes;
	out[blocks++].len = 32 + len;
	memset(b, 0, 32);
	memcpy(b, "NCMH", 4);
	put16(b + 4, 12);
	put16(b + 6, usb.sequence++);
	put16(b + 8, (unsigned)(32 + len));
	put16(b + 10, 12);			/* where the pointers are */
	memcpy(b + 12, kind, 3);
	b[15] = (unsigned char)id;
	put16(b + 16, 16);
	put16(b + 20, 32);
	put16(b + 22, (unsigned)len);
	memcpy(b + 32, p, len);
	if (*kind == 'I')
		count.session[id].in++;
	else
		count.stream[id].in++;
}

static void give_blocks(void)
{
	struct transfer *t;

	while (blocks && (t = first_transfer(BULK_IN))) {
		end_transfer(t, 0, out[0].bytes, out[0].len);
		memmove(out, out + 1,
			--blocks * sizeof(out[0]));
	}
}

static void swap(unsigned char *a, unsigned char *b, size_t len)
{
	unsigned char t;

	for (; len--; a++, b++) {
		t = *a;
		*a = *b;
		*b = t;
	}
}

/*
 * Request becomes reply.  The checksum is corrected for the changed word
 * (RFC 1624): swapped addresses do not count, they sum up to the same.
 */
static void turn_icmp(unsigned char *icmp, unsigned type)
{
	unsigned sum = ~((unsigned)icmp[2] << 8 | icmp[3]) & 0xffff;

	sum += (~((unsigned)icmp[0] << 8) & 0xffff) + (type << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	icmp[0] = (unsigned char)type;
	icmp[2] = sum >> 8 & 0xff;
	icmp[3] = sum & 0xff;
}

/* Whether the datagram was a ping, and now is its answer. */
static int turn_ping(unsigned char *p, size_t len, unsigned ip_type)
{
	size_t head = len ? 4u * (p[0] & 15) : 0;

	if (len >= 48 && p[0] >> 4 == 6 && ip_type >= 2 && p[6] == 58 &&
	    p[40] == 128) {
		swap(p + 8, p + 24, 16);
		turn_icmp(p + 40, 129);
		return 1;
	}
	/* of a fragmented one no part is answered */
	if (len < 28 || p[0] >> 4 != 4 || ip_type == 2 || head < 20 ||
	    len < head + 8 || p[9] != 1 || (p[6] & 0x3f) || p[7] ||
	    p[head] != 8)
		return 0;
	swap(p + 12, p + 16, 4);
	turn_icmp(p + head, 0);
	return 1;
}

static void take_packet(unsigned id, unsigned char *p, size_t len)
{
	if (id >= SESSIONS || !m.sessions[id].active) {
		count.stray++;
		return;
	}
	count.session[id].out++;
	if (!turn_ping(p, len, m.sessions[id].ip_type))
		return;
	count.session[id].pings++;
	send_datagram("IPS", id, p, len);
}

static void take_stream(unsigned id, const unsigned char *p, size_t len)
{
	if (!m.streams[id]) {
		count.stray++;
		return;
	}
	count.stream[id].out++;
	count.stream[id].echoes++;
	send_datagram("DSS", id, p, len);
}

/* One table of pointers; where the next is (0: none), or -1 when broken. */
static int take_pointers(unsigned char *block, size_t len, size_t at)
{
	unsigned char *p = block + at;
	size_t size, i, where, n;

	if (at < 12 || at % 4 || at + 16 > len)
		return -1;
	size = get16(p + 4);
	if (size < 16 || size > len - at || (memcmp(p, "IPS", 3) &&
					     memcmp(p, "DSS", 3)))
		return -1;
	for (i = 8; i + 4 <= size; i += 4) {
		where = get16(p + i);
		n = get16(p + i + 2);
		if (!where || !n)
			break;
		if (where < 12 || where > len || n > len - where)
			return -1;
		if (*p == 'I')
			take_packet(p[3], block + where, n);
		else
			take_stream(p[3], block + where, n);
	}
	return (int)get16(p + 6);
}

static void take_block(unsigned char *p, size_t len)
{
	unsigned tables = 0;
	int at = -1;

	if (len >= 28 && !memcmp(p, "NCMH", 4) && get16(p + 4) == 12 &&
	    get16(p + 8) <= len)
		at = (int)get16(p + 10);
	while (at > 0 && tables++ < 32)
		at = take_pointers(p, len, (size_t)at);
	count.broken += at != 0;
}

/* ---- control transfers ----------------------------------------------- */

/* Time goes on; each message that is now due has its notification. */
static void tick(long long time)
{
	core_tick(time);
	if (!fault.nonotify)
		usb.notices += notes;
	notes = 0;			/* before core_output() uses them */
}

/* What the standard and the class demand; -1: stall. */
static int plain_request(const unsigned char *setup, unsigned char *p)
{
	unsigned value = get16(setup + 2);

	memset(p, 0, 8);
	switch (REQUEST(setup[0], setup[1])) {
	case REQUEST(0x80, 0):			/* GET_STATUS */
	case REQUEST(0x81, 0):
	case REQUEST(0x82, 0):
		return 2;
	case REQUEST(0x00, 1):			/* CLEAR_, SET_FEATURE */
	case REQUEST(0x02, 1):
	case REQUEST(0x00, 3):
	case REQUEST(0x02, 3):
		return 0;
	case REQUEST(0x80, 6):
		return get_descriptor(p, value >> 8, value & 255);
	case REQUEST(0x80, 8):			/* the configuration */
		p[0] = usb.config;
		return 1;
	case REQUEST(0x00, 9):
		usb.config = (unsigned char)value;
		usb.alternate = 0;
		return value > 1 ? -1 : 0;
	case REQUEST(0x81, 10):			/* the interface */
		p[0] = setup[4] == 1 ? usb.alternate : 0;
		return 1;
	case REQUEST(0x01, 11):
		if (setup[4] > 1 || value > setup[4])
			return -1;
		if (setup[4])
			usb.alternate = (unsigned char)value;
		blocks = 0;
		return 0;
	case REQUEST(0x21, 0x05):		/* RESET_FUNCTION */
		core_unplug();
		usb.notices = 0;
		return 0;
	case REQUEST(0xa1, 0x80):		/* NTB parameters */
		memcpy(p, ntb_parameters, sizeof(ntb_parameters));
		return sizeof(ntb_parameters);
	case REQUEST(0xa1, 0x83):		/* NTB format: 16 */
		return 2;
	case REQUEST(0x21, 0x84):
		return value ? -1 : 0;
	case REQUEST(0xa1, 0x85):		/* NTB input size */
		put32(p, BLOCK);
		return 8;
	case REQUEST(0x21, 0x86):
		return 0;
	default:
		return -1;
	}
}

static void end_send(struct transfer *t)
{
	if (fault.stallout > 0) {
		fault.stallout--;
		end_transfer(t, -EPIPE, "", 0);
		return;
	}
	count.sends++;
	log_frame('>', t->data, t->len);
	if (!fault.drop)
		core_input(t->data, t->len);
	end_transfer(t, 0, "", 0);
}

static void end_get(struct transfer *t)
{
	const unsigned char *p;
	struct frame *f;

	if (fault.stallin > 0 || fault.errin > 0) {
		end_transfer(t, fault.stallin > 0 ? -EPIPE : -EPROTO, "", 0);
		*(fault.stallin > 0 ? &fault.stallin : &fault.errin) -= 1;
		return;
	}
	count.gets++;
	f = core_output(&p);
	if (!f) {
		count.empty++;
		end_transfer(t, 0, "", 0);
	} else if (f->hangup) {
		unplug();
	} else {
		count.partial += f->len > t->len;
		log_frame('<', p, f->len < t->len ? f->len : t->len);
		end_transfer(t, 0, p, f->len);
		core_taken(f);
	}
}

/* SENDs and GETs whose time has come, in the order in which they came. */
static void end_control(void)
{
	struct transfer *t;

	while ((t = first_transfer(CONTROL)) && t->due <= now) {
		int sends = request_of(t) == SEND;

		if (sends && fault.hang) {
			t->held = 1;
		} else if (!sends && fault.holdget > 0) {
			fault.holdget--;
			t->held = 1;
		} else if (sends) {
			end_send(t);
			tick(now);		/* an answer may be due */
		} else {
			end_get(t);
		}
	}
}

static void give_notices(void)
{
	/* RESPONSE_AVAILABLE of interface 0 */
	static const unsigned char notification[8] = { 0xa1, 0x01 };
	struct transfer *t;

	while (usb.notices && (t = first_transfer(INTERRUPT))) {
		usb.notices--;
		count.notices++;
		end_transfer(t, 0, notification, sizeof(notification));
	}
}

/* ---- what the host wants --------------------------------------------- */

static void keep_data(struct transfer *t, const unsigned char *data)
{
	unsigned i = 0;

	while (i < COUNT(control_data) && control_used[i])
		i++;
	must(i < COUNT(control_data) && t->len <= LONGEST, "SENDs");
	control_used[i] = 1;
	t->data = control_data[i];
	memcpy(t->data, data, t->len);
}

static void take_control(struct transfer *t, const unsigned char *data)
{
	unsigned char p[512];
	int len;

	if (request_of(t) == SEND && !t->in) {
		keep_data(t, data);
		t->due = now + delay;
	} else if (request_of(t) == GET && t->in) {
		t->due = now + delay;
	} else {
		len = plain_request(t->setup, p);
		end_transfer(t, len < 0 ? -EPIPE : 0, p,
			     len < 0 ? 0 : (size_t)len);
	}
}

static void take_submit(const unsigned char *pdu, unsigned char *data)
{
	unsigned i = 0;
	struct transfer *t;

	while (i < COUNT(transfers) && transfers[i].used)
		i++;
	must(i < COUNT(transfers), "transfers");
	t = &transfers[i];
	t->used = 1;
	t->seqnum = get32be(pdu + 4);
	t->in = get32be(pdu + 12) == 1;
	t->endpoint = get32be(pdu + 16);
	t->len = get32be(pdu + 24);
	memcpy(t->setup, pdu + 40, 8);
	if (t->endpoint == CONTROL) {
		take_control(t, data);
	} else if (t->endpoint == BULK_OUT) {
		take_block(data, t->len);
		end_transfer(t, 0, "", 0);
	} else if (t->endpoint > BULK_OUT || !t->in) {
		end_transfer(t, -EPIPE, "", 0);
	}				/* else it waits for something to say */
}

static void take_unlink(const unsigned char *pdu)
{
	unsigned seqnum = get32be(pdu + 20), i = 0;

	while (i < COUNT(transfers) &&
	       !(transfers[i].used && transfers[i].seqnum == seqnum))
		i++;
	count.unlinks++;
	send_pdu(RET_UNLINK, get32be(pdu + 4),
		 i < COUNT(transfers) ? -ECONNRESET : 0, pdu, 0, 0);
	if (i < COUNT(transfers))
		forget_transfer(&transfers[i]);
}

/* Whole PDUs from the bytes that the kernel has sent. */
static void take_pdus(void)
{
	static unsigned char in[4 * LONGEST];
	size_t len, at = 0;
	ssize_t n = recv(usb.fd, in + usb.have, sizeof(in) - usb.have,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {				/* somebody has detached it */
		forget_device();
		return;
	}
	for (usb.have += (size_t)n; usb.have - at >= PDU; at += len) {
		len = PDU;
		if (get32be(in + at) == CMD_SUBMIT && !get32be(in + at + 12))
			len += get32be(in + at + 24);
		must(len <= sizeof(in), "PDU");
		if (usb.have - at < len)
			break;
		if (get32be(in + at) == CMD_SUBMIT)
			take_submit(in + at, in + at + PDU);
		else
			take_unlink(in + at);
	}
	usb.have -= at;
	memmove(in, in + at, usb.have);
}

/* ---- hooks ----------------------------------------------------------- */

static const struct { const char *name; long *value; } switches[] = {
	{ "nonotify", &fault.nonotify }, { "stallin", &fault.stallin },
	{ "errin", &fault.errin }, { "holdget", &fault.holdget },
	{ "stallout", &fault.stallout }, { "hang", &fault.hang },
	{ "drop", &fault.drop }, { "delay", &delay },
};

static int set_switch_hook(const char *name, const char *value)
{
	unsigned i;
	char *end;

	for (i = 0; i < COUNT(switches); i++) {
		if (strcmp(switches[i].name, name))
			continue;
		*switches[i].value = strtol(value, &end, 0);
		if (!fault.hang)
			release_sends();
		return *value && !*end;
	}
	return 0;
}

/* An option of this door or of modem.c, which keeps the text. */
static int set_option(const char *text)
{
	char *copy, *end;

	if (!strncmp(text, "maxcontrol=", 11)) {
		usb.max_control = (unsigned)strtoul(text + 11, &end, 0);
		return text[11] && !*end && usb.max_control <= 0xffff;
	}
	copy = strdup(text);
	return copy && parse_option(copy);
}

static int hook_raw(const char *arg)
{
	static unsigned char junk[LONGEST];
	char *end;
	unsigned long len = strtoul(arg, &end, 0);
	int byte = *end ? (int)strtol(end, NULL, 0) : 0xee;

	if (end == arg || len > sizeof(junk))
		return 0;
	memset(junk, byte, len);
	return enqueue(junk, len, now) != NULL;
}

static int hook_hex(const char *arg)
{
	static unsigned char bytes[LONGEST];
	size_t n = unhex(bytes, sizeof(bytes), arg);

	return 2 * n == strlen(arg) && enqueue(bytes, n, now);
}

static int hook_dss(const char *arg)
{
	char *end;
	unsigned long id = strtoul(arg, &end, 0);

	if (end == arg || id > 255 || *end != ' ')
		return 0;
	send_datagram("DSS", (unsigned)id, (const unsigned char *)end + 1,
		      strlen(end + 1));
	return 1;
}

/* Hooks without a number; whether it was one. */
static int plain_hook(const char *name, const char *arg)
{
	if (!strcmp(name, "unplug")) {
		unplug();
	} else if (!strcmp(name, "plug")) {
		plug();
	} else if (!strcmp(name, "flush")) {
		queued = 0, stored = 0, notes = 0;
		usb.notices = 0;
	} else if (!strcmp(name, "clear")) {
		plans = 0;
		clear_faults();
	} else if (!strcmp(name, "mark")) {
		if (log_file) {
			fprintf(log_file, "# %s\n", arg);
			fflush(log_file);
		}
	} else {
		return 0;
	}
	return 1;
}

static int run_hook(const char *name, const char *arg)
{
	long n = strtol(arg, NULL, 0);

	if (!strcmp(name, "raw"))
		return hook_raw(arg);
	if (!strcmp(name, "hex"))
		return hook_hex(arg);
	if (!strcmp(name, "dss"))
		return hook_dss(arg);
	if (!strcmp(name, "set"))
		return set_option(arg);
	if (!strcmp(name, "notify")) {
		usb.notices += n > 0 ? (unsigned)n : 0;
		return n > 0;
	}
	if (!strcmp(name, "ind")) {
		while (n-- > 0)
			notify(BASIC, 11, show_signal, 0, now);
		return *arg != 0;
	}
	return plain_hook(name, arg) || set_switch_hook(name, arg);
}

static void take_hooks(void)
{
	static char in[4 * LONGEST];
	static size_t have;
	ssize_t n = read(usb.fifo, in + have, sizeof(in) - 1 - have);
	char *line = in, *end, *arg;

	if (n <= 0)
		return;
	have += (size_t)n;
	in[have] = 0;
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		if (!*line)
			continue;
		arg = line + strcspn(line, " ");
		if (*arg)
			*arg++ = 0;
		if (!run_hook(line, arg))
			fprintf(stderr, "usb: hook `%s %s'?\n", line, arg);
		tick(now);			/* what it made is due now */
	}
	have -= (size_t)(line - in);
	memmove(in, line, have);
	if (have == sizeof(in) - 1)
		have = 0;
}

/* ---- the whole ------------------------------------------------------- */

static void report_usb(FILE *f)
{
	unsigned i;

	fprintf(f, "attached_usb=%u\nsends=%u\ngets=%u\nempty=%u\n",
		count.attached, count.sends, count.gets, count.empty);
	fprintf(f, "partial=%u\nnotices=%u\nlost=%u\nunlinks=%u\n",
		count.partial, count.notices, count.lost, count.unlinks);
	fprintf(f, "stray=%u\nbroken=%u\n", count.stray, count.broken);
	for (i = 0; i < SESSIONS; i++)
		if (count.session[i].out || count.session[i].in)
			fprintf(f, "out%u=%u\nin%u=%u\npings%u=%u\n", i,
				count.session[i].out, i, count.session[i].in,
				i, count.session[i].pings);
	for (i = 0; i < COUNT(count.stream); i++)
		if (count.stream[i].out || count.stream[i].in)
			fprintf(f, "dssout%u=%u\ndssin%u=%u\ndss%u=%u\n", i,
				count.stream[i].out, i, count.stream[i].in,
				i, count.stream[i].echoes);
}

/* Milliseconds until something happens by itself. */
static int usb_wait(void)
{
	struct transfer *t = first_transfer(CONTROL);
	long long ms = core_wait();

	if (t && t->due - now < ms)
		ms = t->due - now;
	return ms < 0 ? 0 : (int)ms;
}

static void usb_turn(const sigset_t *open_mask)
{
	struct pollfd p[2] = {
		{ .fd = usb.fifo, .events = POLLIN },
		{ .fd = usb.fd, .events = POLLIN },
	};
	struct timespec t;
	int ms = usb_wait();

	t.tv_sec = ms / 1000;
	t.tv_nsec = ms % 1000 * 1000000L;
	if (ppoll(p, COUNT(p), &t, open_mask) < 0) {
		if (errno != EINTR)
			die("ppoll");
		p[0].revents = p[1].revents = 0;
	}
	tick(clock_ms());
	if (p[0].revents)
		take_hooks();
	if (p[1].revents && usb.fd >= 0)
		take_pdus();
	end_control();
	tick(now);
	give_notices();
	give_blocks();
	if (want_report)
		write_report();
	want_report = 0;
}

static int usb_usage(const char *what)
{
	fprintf(stderr, "usb: %s: see the top of tests/usb.c\n", what);
	return 2;
}

static int usb_arguments(int argc, char **argv)
{
	const char *fifo = NULL;
	int c;

	while ((c = getopt(argc, argv, "c:l:r:")) != -1) {
		if (c == 'c')
			fifo = optarg;
		else if (c == 'r')
			report_path = optarg;
		else if (c != 'l')
			return usb_usage("options");
		else if (!(log_file = fopen(optarg, "w")))
			die(optarg);
	}
	for (; optind < argc; optind++)
		if (!set_option(argv[optind]))
			return usb_usage(argv[optind]);
	if (!fifo)
		return usb_usage("-c");
	if (mkfifo(fifo, 0600) && errno != EEXIST)
		die(fifo);
	/* for writing too: then a writer that closes is no end of file */
	usb.fifo = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (usb.fifo < 0)
		die(fifo);
	return 0;
}

int main(int argc, char **argv)
{
	sigset_t open_mask;

	opt.dss = 1;
	if (usb_arguments(argc, argv))
		return 2;
	core_init(clock_ms());
	opt.wdm = opt.behind = 0;	/* the real thing sees to that */
	report_more = report_usb;
	catch_signals(&open_mask);
	plug();
	printf("ready\n");
	fflush(stdout);
	while (!want_end)
		usb_turn(&open_mask);
	write_report();
	unplug();
	return 0;
}
