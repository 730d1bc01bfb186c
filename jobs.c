/* SPDX-License-Identifier: ISC
 *
 * The jobs: what people want done, as chains of the ledger's commands. A step
 * asks, looks at the words of the reply, and does the least that is missing;
 * in between it waits for an indication, or asks again. No frame is built here,
 * and no number of the wire is known. Then what a job has to tell: the IP
 * configuration as commands of ip(8), and whether the kernel has it.
 */
#include "mbim.h"

#include <net/if.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct job_settings job_settings;

/* ---- steps ---- */

static int says(const char *name, const char *word)
{
	return !strcmp(said(name), word);
}

static const char *said_or(const char *name, const char *otherwise)
{
	return *said(name) ? said(name) : otherwise;
}

enum { OPTIONS_MAX = 16, AGAIN = -1 };

static const char *stage = "";		/* of the job, for its errors */
static const struct call *job;
static unsigned done;			/* steps that are taken once */

enum { RADIO = 1, PIN = 2, REGISTER = 4, ATTACH = 8, CONNECT = 16 };

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A failure that is none for the job. */
static void forgive(void)
{
	failure = (struct failure){ .quiet = failure.quiet };
}

/* A call of a command, with those options of the job that it has. */
static struct call call_of(const char *name, struct option *options)
{
	struct call c = { .command = command_find(name), .options = options };

	for (size_t i = 0; i < job->n_options && c.n_options < OPTIONS_MAX; i++)
		if (*job->options[i].name && command_has_option(c.command,
				job->options[i].name))
			options[c.n_options++] = job->options[i];
	return c;
}

/* Run a command, with an option or two of our own; keep what it says. */
static int ask_with(struct mbim *m, const char *name, const char *option,
	const char *value)
{
	struct option options[OPTIONS_MAX + 1];
	struct call c = call_of(name, options);
	int code;

	if (option)
		options[c.n_options++] = (struct option){ option, value, 0 };
	out_record(1);
	code = command_run(m, &c);
	out_record(0);
	return code;
}

static int ask(struct mbim *m, const char *name)
{
	return ask_with(m, name, NULL, NULL);
}

/* The modem's own no, which may be a yes later, is as good as no answer. */
static int unless_refused(int code)
{
	if (code != REFUSED && code != NO_SIM && code != PIN_NEEDED)
		return code;
	forgive();
	record_clear();
	return DONE;
}

/* A state that a query tells: a field, and the words that will do. */
struct goal {
	const char *query, *field, *words;
};

static const struct goal goals[] = {
	{ "get_radio_state", "sw_radio_state", "on " },
	{ "get_subscriber_ready_status", "ready_state", "initialized " },
	{ "get_register_state", "register_state", "home roaming partner " },
	{ "get_register_state", "register_state", "home " },
	{ "get_packet_service", "packet_service_state", "attached " },
	{ "get_connect", "activation_state", "activated " },
};
enum { RADIO_ON, SIM_READY, REGISTERED, HOME, ATTACHED, CONNECTED };

/* Is a word one of those that a blank follows each? */
static int is_among(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (; len && *words; words += span(words, ' ') + 1)
		if (!strncmp(words, word, len) && words[len] == ' ')
			return 1;
	return 0;
}

static int is_reached(const struct goal *g)
{
	return is_among(g->words, said(g->field)) &&
		!says("hw_radio_state", "off");
}

static const int64_t poll_time = 5 * SECOND;	/* without indications */

/*
 * Ask until a goal is reached. After each answer that is another, step may do
 * something about it: it says AGAIN then, DONE to wait on, or why not.
 */
static int await(struct mbim *m, const struct goal *g,
	int (*step)(struct mbim *m))
{
	const struct command *query = command_find(g->query);
	char word[40];
	int code;

	for (;;) {
		struct text t = TEXT(word);

		code = unless_refused(ask(m, g->query));
		if (!code && is_reached(g))
			return DONE;
		text_dashed(&t, said(g->field));
		if (!code && step)
			code = step(m);
		if (code == AGAIN)
			continue;
		if (code)
			return code;
		code = mbim_listen(m, query->id, now() + poll_time);
		if (code && (code != TIMED_OUT || now() >= m->limit))
			break;
	}
	return code != TIMED_OUT ? code : fail(step ? TIMED_OUT : NOT_REACHED,
		"still ", *word ? word : "refused", " after ",
		decimal((uint64_t)(m->patience / SECOND)), " s");
}

static int radio_step(struct mbim *m)
{
	if (says("hw_radio_state", "off"))
		return fail(NOT_REACHED, "the radio's hardware switch is off");
	if (done & RADIO)
		return DONE;
	done |= RADIO;
	int code = ask_with(m, "set_radio_state", "", "on");

	return code ? code : AGAIN;
}

/*
 * PIN1 is sent once, and not when few attempts are left: three wrong ones lock
 * the SIM. PIN2 keeps nobody from anything.
 */
static int enter_pin(struct mbim *m)
{
	const char *left = said_or("remaining_attempts", "unknown");
	uint64_t n = 3;
	int code;

	parse_number(&(const char *){ left }, &n);
	if (!*call_text(job, "pin"))
		return fail(PIN_NEEDED, "the SIM wants PIN1 (attempts left: ",
			left, "): give --pin");
	if (*left != 'u' && n < 3 && !job_settings.force)
		return fail(PIN_NEEDED, "attempts left: ", left,
			"; the PIN is not sent without --force");
	done |= PIN;
	code = ask(m, "enter_pin");
	if (!code || unless_refused(code))
		return code ? code : AGAIN;
	if (ask(m, "get_pin"))
		forgive();
	return fail(PIN_NEEDED, "wrong PIN; the SIM wants ",
		says("pin_type", "puk1") ? "PUK1" : "PIN1", " (attempts left: ",
		said_or("remaining_attempts", "unknown"), ")");
}

static int sim_step(struct mbim *m)
{
	char why[80];
	struct text t = TEXT(why);

	if (*said("ready_state") && !says("ready_state", "not_initialized") &&
	    !says("ready_state", "device_locked")) {
		text_dashed(&t, said("ready_state"));
		return fail(NO_SIM, "the SIM's state is ", why);
	}
	int code = unless_refused(ask(m, "get_pin"));

	if (code || !says("pin_state", "locked") || says("pin_type", "pin2") ||
	    says("pin_type", "puk2") || done & PIN)
		return code;
	if (says("pin_type", "pin1"))
		return enter_pin(m);
	text_dashed(&t, said("pin_type"));
	return fail(PIN_NEEDED, "the SIM wants ", why, " (attempts left: ",
		said_or("remaining_attempts", "unknown"), ")",
		says("pin_type", "puk1") ? ": try --unblock-pin" : "");
}

static int register_step(struct mbim *m)
{
	const char *state = said("register_state");
	char why[80];
	struct text t = TEXT(why);
	int code;

	if (!strcmp(state, "searching"))
		return DONE;
	if (is_among(goals[REGISTERED].words, state))
		return fail(NOT_REACHED, "the network is ", state,
			", which --allow does not have");
	if (done & REGISTER && !strcmp(state, "denied")) {
		text_dashed(&t, said_or("nw_error", "unknown"));
		return fail(NETWORK_REFUSED, "denied, cause ", why);
	}
	if (done & REGISTER)
		return DONE;
	done |= REGISTER;
	code = ask(m, "register");
	return code ? code : AGAIN;
}

static int attach_step(struct mbim *m)
{
	int code;

	if (done & ATTACH || says("packet_service_state", "attaching"))
		return DONE;
	done |= ATTACH;
	code = ask(m, "attach");
	return code ? code : AGAIN;
}

static int connect_step(struct mbim *m)
{
	struct text t = { failure.text, 0, sizeof(failure.text), NULL };
	int code;

	if (says("activation_state", "activating") ||
	    says("activation_state", "deactivating"))
		return DONE;
	if (done & CONNECT)
		return fail(NOT_REACHED, "connected, and ended again");
	done |= CONNECT;
	code = ask(m, "connect");
	if (!code)
		return AGAIN;
	done &= ~(unsigned)CONNECT;
	/* what a modem says when it does not even try */
	t.len = strlen(failure.text);
	if (code == REFUSED && failure.name && !strcmp(failure.name, "Failure"))
		text_add(&t, ": no cause from the network; after refused "
			"connects a modem may hold back new ones for minutes");
	return code;
}

/* ---- the connection ---- */

static char net[40];			/* of the session, with its VLAN */
static uint64_t session;

static void find_net(struct mbim *m)
{
	struct text t = TEXT(net);

	session = call_number(job, "session_id");
	sys_net(&t, m->sys);
	if (session && t.len)
		text_join(&t, ".", decimal(session));
}

static void tell_net(void)
{
	out_value("interface", *net ? OUT_TEXT : OUT_ABSENT, net, strlen(net));
	if (session)
		out_number("vlan_id", session, 0);
	else
		out_value("vlan_id", OUT_ABSENT, "", 0);
}

/* Print the IP configuration, as what the job has to say. */
static int tell_ip(struct mbim *m, void (*preface)(void))
{
	struct option options[OPTIONS_MAX];
	struct call c = call_of("get_ip_configuration", options);

	c.title = head_of(job->command)->name;
	c.preface = preface;
	find_net(m);
	return command_run(m, &c);
}

static int has_address(void)
{
	return *said("ipv4_address") || *said("ipv6_address");
}

static int await_ip(struct mbim *m)
{
	const struct command *ip = command_find("get_ip_configuration");
	int64_t end = sooner(now() + 10 * SECOND, m->limit);
	int code;

	for (;;) {
		code = ask(m, "get_ip_configuration");
		if (code || has_address())
			return code;
		if (now() >= end)
			return fail(NOT_REACHED,
				"connected, but without IP configuration");
		code = mbim_listen(m, ip->id, now() + SECOND);
		if (code && code != TIMED_OUT)
			return code;
	}
}

/* The radio, SIM and network stages, then those of the session. */
static int bring_up(struct mbim *m)
{
	uint64_t allow = call_number(job, "allow");
	char words[32];
	struct text t = TEXT(words);
	struct goal registered = goals[REGISTERED];
	const struct {
		const char *stage;
		const struct goal *goal;
		int (*step)(struct mbim *m);
	} stages[] = {
		{ "radio", &goals[RADIO_ON], radio_step },
		{ "SIM", &goals[SIM_READY], sim_step },
		{ "registration", &registered, register_step },
		{ "attach", &goals[ATTACHED], attach_step },
		{ "connect", &goals[CONNECTED], connect_step },
	};
	int code = DONE;

	text_join(&t, allow & 1 ? "home " : "", allow & 2 ? "roaming " : "",
		allow & 4 ? "partner " : "");
	registered.words = words;
	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages) && !code; i++) {
		stage = stages[i].stage;
		code = await(m, stages[i].goal, stages[i].step);
	}
	if (!code) {
		stage = "IP configuration";
		code = await_ip(m);
	}
	if (code && done & CONNECT && !m->gone) {
		mbim_clean_up(m);	/* leave nothing half up */
		ask(m, "disconnect");
	}
	return code;
}

static int up(struct mbim *m)
{
	int code = bring_up(m);

	return code ? code : tell_ip(m, tell_net);
}

static int disconnect(struct mbim *m, uint8_t id)
{
	int code = ask_with(m, "disconnect", *call_text(job, "session_id") ?
		NULL : "session_id", decimal(id));

	if (code == REFUSED && failure.name &&
	    !strcmp(failure.name, "ContextNotActivated")) {
		forgive();
		code = DONE;
	}
	return code;
}

/* What is well stays as it is; who fell silent is opened anew. */
static int ensure_connected(struct mbim *m)
{
	const char *why = " is not up: connecting";
	int64_t limit = m->limit;
	int code;

	stage = "connect";
	m->limit = sooner(limit, now() + sooner((limit - now()) / 3,
		10 * SECOND));
	code = ask(m, "get_connect");
	m->limit = limit;
	if (code == TIMED_OUT && m->open != OPEN_NEVER && !m->gone) {
		forgive();
		record_clear();
		warn("no answer from the modem: opening its function anew");
		code = mbim_open(m);
	}
	code = unless_refused(code);
	if (!code && is_reached(&goals[CONNECTED])) {
		code = unless_refused(ask(m, "get_ip_configuration"));
		if (!code && has_address())
			return tell_ip(m, tell_net);
		why = " has no address: connecting anew";
		code = code ? code : disconnect(m, 0);
	}
	if (!code)
		warn("session ", decimal(call_number(job, "session_id")), why);
	return code ? code : up(m);
}

static int down(struct mbim *m)
{
	const char *one = call_text(job, "session_id");
	int code = DONE, tries = MBIM_KEPT_MAX;

	if (*one) {
		code = disconnect(m, 0);
	} else if (!m->mark.n_sessions) {
		code = unless_refused(ask(m, "get_connect"));
		if (!code && is_reached(&goals[CONNECTED]))
			code = disconnect(m, 0);
	}
	while (!*one && !code && m->mark.n_sessions && tries--)
		code = disconnect(m, m->mark.sessions[0]);
	while (!*one && !code && m->mark.n_kept && tries--)
		code = ask(m, "wds_stop_network");
	if (!code) {
		out_begin("down");
		out_end();
	}
	return code;
}

static int wait_for_state(struct mbim *m)
{
	const struct goal *g = &goals[call_number(job, "state")];
	int code = await(m, g, NULL);

	if (code)
		return code;
	out_begin("wait_for");
	out_value(g->field, OUT_WORD, said(g->field), strlen(said(g->field)));
	out_end();
	return DONE;
}

/* ---- the kernel's side ---- */

/* Call each with every line of a file, until it says that it has enough. */
static int each_line(const char *file, int (*each)(const char *line))
{
	char part[512], line[256] = "";
	struct text t = TEXT(line);
	int fd = open(file, O_RDONLY | O_CLOEXEC), found = 0;
	ssize_t n;

	while (fd >= 0 && !found && (n = read(fd, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < n && !found; i++)
			if (part[i] != '\n') {
				text_char(&t, part[i]);
			} else {
				found = each(line);
				t = (struct text)TEXT(line);
			}
	if (fd >= 0)
		close(fd);
	return found;
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

/* Is this the address that was said, up to its prefix length? */
static int is_said(const char *name, const uint8_t *address, size_t len)
{
	char s[48];
	struct text t = TEXT(s);

	text_address(&t, address, len);
	return strlen(s) == span(said(name), '/') &&
		!strncmp(s, said(name), t.len);
}

/* "20010db8… 02 40 00 80   wwan0" */
static int has_ipv6(const char *line)
{
	uint8_t address[16];

	return is_word(word_at(line, 5), net) &&
		parse_hex(line, line + 32, address, 16) == 16 &&
		is_said("ipv6_address", address, 16);
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
		if (!strcmp(all[i].ifr_name, net) && is_said("ipv4_address",
				(const uint8_t *)&a.sin_addr, 4))
			return 1;
	}
	return 0;
}

/* "wwan0 00000000 …", and "0000… 00 … wwan0" */
static int is_ipv4_default(const char *line)
{
	return is_word(line, net) && is_word(word_at(line, 1), "00000000") &&
		is_word(word_at(line, 7), "00000000");
}

static int is_ipv6_default(const char *line)
{
	return is_word(word_at(line, 9), net) && is_word(word_at(line, 1),
		"00") && span(line, '1') > 32;
}

static const char *rx, *tx;		/* packets */

static int read_counters(const char *line)
{
	static char kept[256];
	struct text t = TEXT(kept);

	if (!is_word(word_at(line, 0), net))
		return 0;
	text_add(&t, line);
	rx = word_at(kept, 2);
	tx = word_at(kept, 10);
	return 1;
}

static void tell_counters(void)
{
	uint64_t n;

	tell_net();
	for (int i = 0; i < 2; i++) {
		const char *p = i ? tx : rx;

		if (p && parse_number(&p, &n))
			out_number(i ? "tx_packets" : "rx_packets", n, 0);
	}
}

/* Why the kernel's side does not go with what the modem says, or NULL. */
static const char *broken_link(int fd)
{
	struct ifreq r = { 0 };
	const char *p4 = said("ipv4_address"), *p6 = said("ipv6_address");
	uint64_t in = 0, out = 0;

	memcpy(r.ifr_name, net, sizeof(r.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return "there is no such interface";
	if (!(r.ifr_flags & IFF_UP))
		return "the interface is down";
	if ((*p4 && !has_ipv4(fd)) ||
	    (*p6 && !each_line("/proc/net/if_inet6", has_ipv6)))
		return "the interface lacks the modem's address";
	if (!(*p4 && each_line("/proc/net/route", is_ipv4_default)) &&
	    !(*p6 && each_line("/proc/net/ipv6_route", is_ipv6_default)))
		return "no default route goes through the interface";
	if (each_line("/proc/net/dev", read_counters) &&
	    parse_number(&(const char *){ rx }, &in) &&
	    parse_number(&(const char *){ tx }, &out) && !in && out >= 10)
		return "packets leave, and none comes back";
	return NULL;
}

static int verify_connection(struct mbim *m)
{
	const char *why;
	int code, fd;

	stage = "modem";
	code = unless_refused(ask(m, "get_connect"));
	if (!code && !is_reached(&goals[CONNECTED]))
		return fail(NOT_REACHED, "the session is ",
			said_or("activation_state", "unknown"));
	code = code ? code : ask(m, "get_ip_configuration");
	if (code)
		return code;
	if (!has_address())
		return fail(NOT_REACHED, "the session has no address");
	find_net(m);
	stage = *net ? net : "kernel";
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	why = *net ? broken_link(fd) : "the modem has no network interface";
	if (fd >= 0)
		close(fd);
	return why ? fail(NOT_REACHED, why) : tell_ip(m, tell_counters);
}

/* ---- the FCC lock ---- */

static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
	0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
	0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static uint32_t rotate(uint32_t n, unsigned by)
{
	return n << by | n >> (32 - by);
}

/* MD5 (RFC 1321) of a text shorter than 120 characters, as hex. */
static void text_md5(struct text *t, const char *s)
{
	static const uint8_t turns[4][4] = { { 7, 12, 17, 22 },
		{ 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	uint8_t block[128] = { 0 };
	struct text all = { (char *)block, 0, sizeof(block), NULL };
	size_t end = strlen(s) < 56 ? 64 : 128, len;

	text_add(&all, s);
	len = all.len;
	block[len] = 0x80;
	put_number(block + end - 8, 8 * (uint64_t)len, 8);
	for (size_t at = 0; at < end; at += 64) {
		uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

		for (unsigned i = 0; i < 64; i++) {
			struct reader r = { block + at, 64, 0, 0 };
			unsigned round = i / 16;
			uint32_t f = round == 0 ? (b & c) | (~b & d) :
				round == 1 ? (d & b) | (~d & c) :
				round == 2 ? b ^ c ^ d : c ^ (b | ~d);
			uint32_t word;

			take(&r, 4 * ((round == 0 ? i : round == 1 ? 5 * i + 1 :
				round == 2 ? 3 * i + 5 : 7 * i) % 16));
			word = (uint32_t)take_number(&r, 4);
			f += a + sines[i] + word;
			a = d;
			d = c;
			c = b;
			b += rotate(f, turns[round][i % 4]);
		}
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
	}
	for (int i = 0; i < 16; i++)
		text_hex(t, state[i / 4] >> 8 * (i % 4) & 255, 2);
}

/* Firmware that wants a hash of what it is, and firmware that does not. */
static int unlock_foxconn(struct mbim *m)
{
	char magic[64], all[120];
	struct text t = TEXT(all), a = TEXT(magic);
	int code = ask_with(m, "dms_foxconn_get_firmware_version", "",
		"firmware_mcfg");

	if (!code) {
		text_add(&t, said("version"));
		for (int dots = 0; t.len && dots < 2; dots += all[t.len] == '.')
			t.len--;
		code = ask_with(m, "dms_foxconn_get_firmware_version", "",
			"apps");
	}
	text_add(&t, said("version"));
	code = code ? code : ask(m, "dms_get_ids");
	if (!code) {
		text_join(&t, said("imei"), "saltfoxc");
		text_add(&a, "salt");
		text_md5(&a, all);
		code = ask_with(m, "dms_foxconn_set_fcc_authentication_v2",
			"magic_string", magic);
	}
	if (code == UNSUPPORTED || (code && !unless_refused(code))) {
		forgive();
		code = ask(m, "dms_foxconn_set_fcc_authentication");
	}
	return code;
}

enum method { AUTO, SIERRA, FOXCONN, QUECTEL };

/* The modems whose lock is known to be lifted through MBIM. */
static const struct {
	char ids[10];
	uint8_t method;
} locked[] = {
	{ "1199:9079", SIERRA }, { "03f0:4e1d", SIERRA },
	{ "413c:81a3", SIERRA }, { "413c:81a8", SIERRA },
	{ "105b:e0ab", FOXCONN }, { "105b:e0c3", FOXCONN },
	{ "05c6:90d5", FOXCONN },
	{ "2c7c:030a", QUECTEL }, { "2c7c:0313", QUECTEL },
	{ "2c7c:0314", QUECTEL }, { "2c7c:0801", QUECTEL },
	{ "1eac:1001", QUECTEL }, { "1eac:1004", QUECTEL },
	{ "1eac:1007", QUECTEL },
};

/* What counts is the effect: the radio is switched on, and looked at. */
static int fcc_unlock(struct mbim *m)
{
	uint64_t method = call_number(job, "method");
	char ids[16];
	struct text t = TEXT(ids);
	int code;

	stage = "method";
	sys_ids(&t, m->sys);
	for (size_t i = 0; i < sizeof(locked) / sizeof(*locked); i++)
		if (method == AUTO && !strcmp(locked[i].ids, ids))
			method = locked[i].method;
	if (method == AUTO)
		return fail(UNSUPPORTED, "none through MBIM is known for ",
			t.len ? ids : "this modem", "; --method names one "
			"(modems that want an AT port or XMM RPC have none)");
	stage = "unlock";
	code = method == SIERRA ? ask(m, "dms_set_fcc_authentication") :
		method == FOXCONN ? unlock_foxconn(m) :
		ask_with(m, "quectel_set_radio_state", "", "on");
	if (code)
		return code;
	stage = "radio";
	code = ask_with(m, "set_radio_state", "", "on");
	if (code == FCC_LOCKED) {
		forgive();
		return fail(FCC_LOCKED, "the modem took it, and is locked");
	}
	if (!code) {
		out_begin("fcc_unlock");
		out_value("sw_radio_state", OUT_WORD, "on", 2);
		out_end();
	}
	return code;
}

/* ---- one job ---- */

int job_check(const struct call *call)
{
	static const char *const parts[] = { "connect", "enter_pin" };
	struct option options[OPTIONS_MAX];
	int code = command_check(call), has_pin;

	job = call;
	has_pin = *call_text(call, "pin") != '\0';
	if (call->command->id > job_ensure_connected)
		return code;
	for (int i = 0; i < 1 + has_pin && !code; i++) {
		struct call c = call_of(parts[i], options);

		code = command_check(&c);
	}
	return code;
}

int job_run(struct mbim *m, const struct call *call)
{
	static int (*const jobs[])(struct mbim *m) = { up, ensure_connected,
		down, wait_for_state, verify_connection, fcc_unlock };
	char text[sizeof(failure.text)];
	struct text t = TEXT(text);
	int code;

	job = call;
	stage = "";
	done = 0;
	code = jobs[call->command->id](m);
	if (!code || failure.exit != code || !*stage)
		return code;
	text_join(&t, stage, ": ", failure.text, code == FCC_LOCKED &&
		call->command->id != job_fcc_unlock ? ": try --fcc-unlock" : "");
	memcpy(failure.text, text, sizeof(text));
	return code;
}

void job_blank(const struct command *c)
{
	net[0] = '\0';
	session = 0;
	if (c->id <= job_ensure_connected || c->id == job_verify_connection)
		tell_net();
	command_blank(c);
}

/* ---- -o ip ---- */

/* The addresses and the route of a family; the old ones go first. */
static void text_family(struct text *t, const char *dev, const char *metric,
	int six)
{
	const char *name = six ? "ipv6_address" : "ipv4_address", *s;
	const char *ip = six ? "ip -6 " : "ip -4 ";

	for (size_t i = 0; *(s = said_nth(name, i)); i++) {
		text_join(t, ip, "addr show dev ", dev, " | grep -qF ' ", s,
			" ' || ", i ? "" : "{ ");
		if (!i)
			text_join(t, ip, "addr flush dev ", dev,
				six ? " scope global; " : "; ");
		text_join(t, ip, "addr add ", s, " dev ", dev,
			i ? "\n" : "; }\n");
	}
	if (*said(name))
		text_join(t, ip, "route replace default dev ", dev, " metric ",
			metric, "\n");
	name = six ? "ipv6_dns" : "ipv4_dns";
	for (size_t i = 0; *(s = said_nth(name, i)); i++)
		text_join(t, "# nameserver ", s, "\n");
}

void text_ip_commands(struct text *t, const char *base)
{
	const char *mtu = said_or("ipv4_mtu", said("ipv6_mtu"));
	const char *id = said("session_id"), *p = id, *metric;
	uint64_t n = 0;
	char dev[48];
	struct text d = TEXT(dev);
	int vlan = *id && strcmp(id, "0");

	if (!has_address())
		return;
	if (!*base || base[span(base, '\'')]) {
		fail(NO_DEVICE, "the modem has no network interface, "
			"or its name is odd");
		return;
	}
	/* its own, lest it takes the place of another default route */
	parse_number(&p, &n);
	metric = job_settings.metric ? job_settings.metric : decimal(700 + n);
	text_join(&d, "'", base, vlan ? "." : "", vlan ? id : "", "'");
	text_add(t, "set -e\n");
	if (vlan)
		text_join(t, "ip link set dev '", base, "' up\n",
			"ip link show dev ", dev, " >/dev/null 2>&1 || ",
			"ip link add link '", base, "' name ", dev,
			" type vlan id ", id, "\n");
	if (*mtu)
		text_join(t, "ip link set dev ", dev, " mtu ", mtu, " || :\n");
	text_join(t, "ip link set dev ", dev, " up\n");
	text_family(t, dev, metric, 0);
	text_family(t, dev, metric, 1);
}
