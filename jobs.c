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

enum { OPTIONS_MAX = 16 };

/* What a step may say: ask again at once; or, this will do. */
enum { AGAIN = -1, GO_ON = -2 };

static const char *stage = "";		/* of the job, for its errors */
static const struct call *job;
static unsigned done;			/* steps that are taken once */

enum { RADIO = 1, PIN = 2, REGISTER = 4, ATTACH = 8, CONNECT = 16 };

/* A failure that is none for the job. */
static void forgive(void)
{
	failure = (struct failure){ .quiet = failure.quiet };
}

static void add_to_failure(const char *more)
{
	struct text t = { failure.text, strlen(failure.text),
		sizeof(failure.text), NULL };

	text_add(&t, more);
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

/* Run a command, with an option of our own; keep what it says. */
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

static int failed_with(const char *name)
{
	return failure.name && !strcmp(failure.name, name);
}

/* The modem's own no to a query is as good as an answer that says nothing. */
static int unless_refused(int code)
{
	if (code != REFUSED && code != NO_SIM && code != PIN_NEEDED &&
	    code != UNSUPPORTED)
		return code;
	forgive();
	record_clear();
	return DONE;
}

/* A state that a query tells: a field, and the words that will do. */
struct goal {
	const char *query, *field, *words;
};

/* In the order of the ledger's goals, as methods are in that of fcc_method. */
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
 * something about it: it says AGAIN or GO_ON then, DONE to wait, or why not. A
 * modem that cannot tell is taken for being there; some tell by a status that
 * the SIM is missing.
 */
static int await(struct mbim *m, const struct goal *g,
	int (*step)(struct mbim *m))
{
	const struct command *query = command_find(g->query);
	char word[40] = "";
	int code, busy, heard = 0;

	for (;;) {
		struct text t = { word, 0, sizeof(word), NULL };

		code = ask(m, g->query);
		if (!code && is_reached(g))
			return DONE;
		if (step ? code == NO_SIM && !failed_with("NotInitialized") :
		    code == UNSUPPORTED)
			return code;
		if (code == UNSUPPORTED && g != &goals[CONNECTED])
			return unless_refused(code);
		busy = failed_with("Busy");
		if (code != TIMED_OUT)
			text_dashed(&t, failure.name ? failure.name :
				said(g->field));
		code = unless_refused(code);
		heard |= !code;
		if (!code && step && !busy)
			code = step(m);
		if (code == AGAIN)
			continue;
		if (code == GO_ON)
			return DONE;
		if (!code)
			code = mbim_listen(m, query->id,
				now() + (busy ? SECOND : poll_time));
		if (code && (code != TIMED_OUT || now() >= m->limit))
			break;
	}
	if (code != TIMED_OUT || (failure.exit && (step || !heard)))
		return code;
	forgive();
	return fail(step ? TIMED_OUT : NOT_REACHED, "still ", word, " after ",
		decimal((uint64_t)((m->patience + SECOND - 1) / SECOND)), " s");
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

	if (*left != 'u')
		parse_number(&(const char *){ left }, &n);
	if (!*call_text(job, "pin"))
		return fail(PIN_NEEDED, "the SIM wants PIN1 (attempts left: ",
			left, "): give --pin");
	/* which cron repeats, so that it must know how many are left */
	if (job->command->id == job_ensure_connected && *left == 'u')
		n = 0;
	if (n < 3 && !job_settings.force)
		return fail(PIN_NEEDED, "attempts left: ", left,
			"; the PIN is not sent without --force");
	done |= PIN;
	code = ask(m, "enter_pin");
	if (!code)
		return AGAIN;
	if (code == UNSUPPORTED || failed_with("Busy") || unless_refused(code))
		return code;
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
		return fail(NO_SIM, "the SIM is ", why);
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
			", not in --allow");
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
	if (code != UNSUPPORTED)
		return code ? code : AGAIN;
	forgive();		/* it attaches by itself */
	return GO_ON;
}

static int connect_step(struct mbim *m)
{
	int code;

	if (says("activation_state", "activating") ||
	    says("activation_state", "deactivating"))
		return DONE;
	if (done & CONNECT && !*said("activation_state"))
		return GO_ON;		/* it cannot tell */
	if (done & CONNECT)
		return fail(NOT_REACHED, "connected, and ended again");
	done |= CONNECT;
	code = ask(m, "connect");
	if (!code)
		return AGAIN;
	if (failure.name)		/* it was refused; silence is neither */
		done &= ~(unsigned)CONNECT;
	/* what a modem says when it does not even try */
	if (code == REFUSED && failed_with("Failure"))
		add_to_failure(": no cause from the network; after refused ones "
			"modems hold back connects for minutes");
	return code;
}

/* ---- the connection ---- */

static const char no_net[] = "the modem has no (usable) network interface";
static char net[40];			/* of the session */
static uint64_t session;

/* A session's interface: a VLAN has its number, and a tail that fits. */
static void text_dev(struct text *t, const char *base, uint64_t id)
{
	const char *number = decimal(id);
	size_t len = strlen(base), room = IFNAMSIZ - 2 - strlen(number);

	text_add(t, base + (id && len > room ? len - room : 0));
	if (id)
		text_join(t, ".", number);
}

static void find_net(struct mbim *m)
{
	char base[32];
	struct text t = TEXT(net), b = TEXT(base);

	session = call_number(job, "session_id");
	sys_net(&b, m->sys);
	if (b.len)
		text_dev(&t, base, session);
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
	return command_run(m, &c);
}

static int has_address(void)
{
	return *said("ipv4_address") || *said("ipv6_address");
}

static int await_ip(struct mbim *m)
{
	const struct command *ip = command_find("get_ip_configuration");
	int64_t end = earlier(now() + 10 * SECOND, m->limit);
	int code;

	for (;;) {
		code = ask(m, "get_ip_configuration");
		if (!code && has_address())
			return DONE;
		if (now() >= end && code)
			return code;
		code = unless_refused(code);
		if (code)
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
static int up(struct mbim *m)
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
		/* it may be up without our doing: it is not to be closed */
		mark_session(m, (uint8_t)call_number(job, "session_id"), 1);
		stage = "IP configuration";
		code = await_ip(m);
	}
	code = code ? code : tell_ip(m, tell_net);
	if (code && done & CONNECT && !m->gone) {
		mbim_clean_up(m);	/* leave nothing half up */
		ask(m, "disconnect");
	}
	return code;
}

static int disconnect(struct mbim *m, uint8_t id)
{
	int code = ask_with(m, "disconnect", *call_text(job, "session_id") ?
		NULL : "session_id", decimal(id));

	return failed_with("ContextNotActivated") ? unless_refused(code) : code;
}

/* Is the session up? What refuses to tell of one that is not, says so. */
static int ask_connected(struct mbim *m)
{
	int code = ask(m, "get_connect");

	return failed_with("ContextNotActivated") ? unless_refused(code) : code;
}

enum { SILENCE = 10 };			/* seconds */

/*
 * What is well stays as it is. Who says nothing for so long is opened anew, if
 * the deadline leaves time for it.
 */
static int ensure_connected(struct mbim *m)
{
	const char *why = " is not up: connecting";
	int64_t limit = m->limit;
	int code;

	stage = "connect";
	m->limit = earlier(limit, now() + SILENCE * SECOND);
	code = ask_connected(m);
	m->limit = limit;
	if (code == TIMED_OUT && now() < limit && m->open != OPEN_NEVER) {
		forgive();
		record_clear();
		warn("no answer: opening the function anew");
		code = mbim_open(m);
	}
	if (!failed_with("Busy"))
		code = unless_refused(code);
	if (!code && is_reached(&goals[CONNECTED])) {
		mark_session(m, (uint8_t)call_number(job, "session_id"), 1);
		code = ask(m, "get_ip_configuration");
		if (!code && has_address())
			return tell_ip(m, tell_net);
		if (failed_with("ContextNotActivated")) {
			code = unless_refused(code);
		} else if (!code) {
			why = " has no address: connecting anew";
			code = disconnect(m, 0);
		}
	}
	if (!code)
		warn("session ", decimal(call_number(job, "session_id")), why);
	return code ? code : up(m);
}

static int down(struct mbim *m)
{
	const char *one = call_text(job, "session_id");
	uint8_t ids[MBIM_KEPT_MAX] = { 0 };
	size_t n = m->mark.n_sessions;
	int code = DONE, tries = MBIM_KEPT_MAX;

	if (*one) {
		n = 1;
		ids[0] = (uint8_t)call_number(job, "session_id");
	} else if (n) {
		memcpy(ids, m->mark.sessions, sizeof(ids));
	} else {
		code = unless_refused(ask_connected(m));
		n = !code && is_reached(&goals[CONNECTED]);
	}
	for (size_t i = 0; i < n && !code; i++)
		code = disconnect(m, ids[i]);
	while (!*one && !code && m->mark.n_kept && tries--)
		code = ask(m, "wds_stop_network");
	if (!*one && failure.name && m->open != OPEN_NEVER) {
		code = unless_refused(code);
		warn("refused: closing the modem's function");
		m->mark.n_sessions = m->mark.n_kept = 0;
		m->close = 1;
	}
	if (code)
		return code;
	out_begin("down");
	out_open("sessions", OUT_WORDS);
	for (size_t i = 0; i < n; i++)
		out_number("", ids[i], 0);
	out_close();
	out_end();
	return DONE;
}

static int wait_for_state(struct mbim *m)
{
	const struct goal *g = &goals[call_number(job, "state")];
	int code = await(m, g, NULL);

	if (code)
		return code;
	out_begin("wait_for");
	out_value("state", OUT_WORD, said(g->field), strlen(said(g->field)));
	out_end();
	return DONE;
}

/* Packets of the interface, as far as the kernel tells. */
static void tell_counters(void)
{
	uint64_t n[2];
	int known = net_counters(net, n);

	tell_net();
	for (int i = 0; i < 2; i++)
		if (known)
			out_number(i ? "tx_packets" : "rx_packets", n[i], 0);
		else
			out_value(i ? "tx_packets" : "rx_packets", OUT_ABSENT,
				"", 0);
}

static int verify_connection(struct mbim *m)
{
	const char *why;
	int code;

	stage = "modem";
	code = ask_connected(m);
	if (!code && !is_reached(&goals[CONNECTED]))
		return fail(NOT_REACHED, "the session is ",
			said_or("activation_state", "unknown"));
	code = code ? code : ask(m, "get_ip_configuration");
	if (code)
		return code;
	if (!has_address())
		return fail(NOT_REACHED, "the session has no address");
	stage = *net ? net : "kernel";
	why = *net ? net_fault(net, said("ipv4_address"),
		said("ipv6_address")) : no_net;
	return why ? fail(NOT_REACHED, why) : tell_ip(m, tell_counters);
}

/* ---- the FCC lock ---- */

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
	/* older firmware wants another, without a hash */
	if (code && unless_refused(code) == DONE)
		code = ask(m, "dms_foxconn_set_fcc_authentication");
	return code;
}

enum method { AUTO, SIERRA, FOXCONN, QUECTEL };

/* The modems whose lock is known to be lifted through MBIM. */
static const char *const locked[] = {
	[AUTO] = "",
	[SIERRA] = "1199:9079 03f0:4e1d 413c:81a3 413c:81a8 ",
	[FOXCONN] = "105b:e0ab 105b:e0c3 05c6:90d5 ",
	[QUECTEL] = ("2c7c:030a 2c7c:0313 2c7c:0314 2c7c:0801 "
		"1eac:1001 1eac:1004 1eac:1007 "),
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
	for (unsigned i = SIERRA; method == AUTO && i <= QUECTEL; i++)
		if (is_among(locked[i], ids))
			method = i;
	if (method == AUTO)
		return fail(UNSUPPORTED, "none through MBIM is known for ",
			t.len ? ids : "this modem", "; --method names one "
			"(there is none over AT or XMM RPC)");
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
		return fail(FCC_LOCKED, "still locked");
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

int job_tells_ip(const struct command *c)
{
	return c->kind == KIND_JOB ||
		!strcmp(head_of(c)->name, "get_ip_configuration");
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
	find_net(m);
	if (job_settings.wants_net && !*net &&
	    call->command->id <= job_ensure_connected)
		return fail(NO_DEVICE, no_net);
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
	if (c->id == job_verify_connection)
		tell_counters();
	else if (c->id <= job_ensure_connected)
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

/* What ends with a session: its addresses and routes, or its interface. */
static void text_undo(struct text *t, const char *base, uint64_t id)
{
	char dev[48];
	struct text d = TEXT(dev);

	text_dev(&d, base, id);
	if (id)
		text_join(t, "ip link del dev '", dev, "' || :\n");
	else
		text_join(t, "ip addr flush dev '", dev, "'\n",
			"ip link set dev '", dev, "' down\n");
}

/* The smaller of the two, if it is one. */
static uint64_t smallest_mtu(void)
{
	uint64_t least = 0, n;

	for (int i = 0; i < 2; i++) {
		const char *p = said(i ? "ipv6_mtu" : "ipv4_mtu");

		if (*p && parse_number(&p, &n) && n >= 576 &&
		    (!least || n < least))
			least = n;
	}
	return least;
}

/* cdc_mbim has VLANs, the drivers of PCIe modems have links. */
static void text_link(struct text *t, const char *base, const char *dev,
	const char *id)
{
	const char *driver = sys_link(sys_path("/sys/class/net/", base,
		"/device/driver"));
	int vlan = !*driver || !strcmp(driver, "cdc_mbim");

	text_join(t, "ip link set dev '", base, "' up\n",
		"ip link show dev ", dev, " >/dev/null 2>&1 || ",
		vlan ? "ip link add link '" : "ip link add parentdev '", base,
		"' name ", dev, vlan ? " type vlan id " : " type wwan linkid ",
		id, "\n");
}

void text_ip_commands(struct text *t, const char *base)
{
	const char *id = said("session_id"), *s, *metric;
	uint64_t mtu = smallest_mtu(), n = 0;
	char dev[48];
	struct text d = TEXT(dev);

	if (!has_address() && (!*base || !*said("sessions")))
		return;
	if (!*base || base[span(base, '\'')]) {
		fail(NO_DEVICE, no_net);
		return;
	}
	text_add(t, "set -e\n");
	for (size_t i = 0; *(s = said_nth("sessions", i)); i++)
		if (parse_number(&s, &n))
			text_undo(t, base, n);
	if (!has_address())
		return;
	s = id;
	parse_number(&s, &n);
	text_char(&d, '\'');
	text_dev(&d, base, n);
	text_char(&d, '\'');
	/* its own, lest it takes the place of another default route */
	metric = job_settings.metric ? job_settings.metric : decimal(700 + n);
	if (n)
		text_link(t, base, dev, id);
	if (mtu)
		text_join(t, "ip link set dev ", dev, " mtu ", decimal(mtu),
			" || :\n");
	text_join(t, "ip link set dev ", dev, " up\n");
	if (!*said("ipv4_address"))
		text_join(t, "ip -4 addr flush dev ", dev, "\n");
	text_family(t, dev, metric, 0);
	text_family(t, dev, metric, 1);
}
