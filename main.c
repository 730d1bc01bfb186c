/* SPDX-License-Identifier: ISC
 *
 * What the user asks for, and in what order it is done. Jobs come first: chains
 * of the table's commands. A stage asks, looks at the answer, and does the
 * least that is missing; in between it waits for an indication, or asks again.
 * Then the run itself: options, the order of work, the trace, errors as
 * sentences, exit codes, signals, help. No frame is built here, no number of
 * the wire is known, and the device is never touched. Only this file writes to
 * stdout and stderr.
 *
 * Contents
 *
 *   stdout and stderr
 *   jobs: commands and refusals, goals, the stages of --up, waiting for a
 *         goal, the connection, the others, the FCC lock, one job
 *   the trace and --decode
 *   run options
 *   the command line
 *   help and lists
 *   signals, and what else the run is guarded against
 *   the run
 */
#include "mbim.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define VERSION "0.1"

static struct mbim mbim;
static int64_t run_deadline;		/* 0: there is none */

/* ---- stdout and stderr ---- */

static char out_bytes[4096], err_bytes[4096];
static int failed[3];			/* by descriptor */
static int signals_blocked;

static int is_overdue(void)
{
	return run_deadline && now() >= run_deadline;
}

/*
 * From a session on signals get through only here: what poll() says is writable
 * does not make a write of a pipe's size wait. After a signal nothing waits.
 */
static ssize_t write_some(int fd, const char *s, size_t len)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	int64_t left = signals_seen ? 0 : run_deadline - now();
	struct timespec t = { 0 };

	if (left > 0) {
		t.tv_sec = left / SECOND;
		t.tv_nsec = left % SECOND;
	}
	if (signals_blocked && ppoll(&p, 1, &t, &mbim.waiting) <= 0) {
		errno = EINTR;
		return -1;
	}
	return write(fd, s, len);
}

/* Write what is there; after an error, throw it away. */
static void flush(struct text *t)
{
	int fd = t->s == err_bytes ? 2 : 1;
	size_t at = 0;

	while (at < t->len && !failed[fd]) {
		ssize_t n = write_some(fd, t->s + at, t->len - at);

		if (n >= 0)
			at += (size_t)n;
		else if (errno == EAGAIN)
			poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, 100);
		else if (errno != EINTR)
			failed[fd] = 1;
		if (n < 0 && (is_overdue() || signals_seen))
			failed[fd] = 1;
	}
	t->len = 0;
}

static struct text out = { out_bytes, 0, sizeof(out_bytes), flush };
static struct text err = { err_bytes, 0, sizeof(err_bytes), flush };

/* A line on stderr: one line, whatever is in it. */
static void write_warning(const char *line)
{
	text_add(&err, "mbimctl: ");
	for (; *line; line++)
		text_char(&err, iscntrl((uint8_t)*line) ? '?' : *line);
	text_char(&err, '\n');
	flush(&err);
}

/* ---- jobs: commands and refusals ---- */

static struct {
	const struct call *call;
	const char *stage;		/* that it is at, for its errors */
	unsigned done;			/* a bit for each goal: tried once */
	uint64_t session;
	char net[40];			/* the session's interface, or "" */
} job;

static int force, output_wants_net;	/* --force; -o ip */

enum { OPTIONS_MAX = 16 };

/* What a stage may answer: ask again at once; or, this will do. */
enum { ASK_AGAIN = -1, GO_ON = -2 };

#define STATE(command, field)	recorded(FIELD(command, field))
#define WORD(command, field, otherwise) \
	recorded_word(FIELD(command, field), otherwise)

/* A call of a command, with those options of the job that it has. */
static struct call call_of(enum command_number command, struct option *options)
{
	struct call c = { .command = command, .options = options };

	for (size_t i = 0; i < job.call->n_options && c.n_options < OPTIONS_MAX;
	     i++) {
		const struct option *o = &job.call->options[i];

		if (*o->name && command_option(command, o->name))
			options[c.n_options++] = *o;
	}
	return c;
}

/* Run a command, with an option of our own; its reply is recorded. */
static int ask_with(struct mbim *m, enum command_number command,
	const char *option, const char *value)
{
	struct option options[OPTIONS_MAX + 1];
	struct call c = call_of(command, options);

	if (value)
		options[c.n_options++] = (struct option){ .name = option,
			.value = value };
	return call_run(m, &c, RECORD_REPLY);
}

static int ask(struct mbim *m, enum command_number command)
{
	return ask_with(m, command, NULL, NULL);
}

static int was_refused(uint32_t status)
{
	return is_refusal(DOMAIN_MBIM, status);
}

/* The job goes on after the modem's own refusal, as after an empty answer. */
static int allow_refusal(int code)
{
	if (failure.quiet || (code != REFUSED && code != NO_SIM &&
			code != PIN_NEEDED && code != UNSUPPORTED))
		return code;
	clear_failure();
	clear_record();
	return DONE;
}

static void add_to_failure(const char *more)
{
	struct text t = { failure.text, strlen(failure.text),
		sizeof(failure.text), NULL };

	text_add(&t, more);
}

/* ---- jobs: goals ---- */

enum { POLL_SECONDS = 5 };		/* without indications */

static int is_in(uint32_t states, size_t field)
{
	uint64_t n = recorded(field);

	return is_recorded(field) && n < 32 && states >> n & 1;
}

static int is_hardware_off(const struct goal *g)
{
	return g->query == cmd_get_radio_state &&
		is_recorded(FIELD(get_radio_state, hw_radio_state)) &&
		STATE(get_radio_state, hw_radio_state) == on_off_off;
}

static int is_reached(const struct goal *g)
{
	return is_in(g->reached, g->field) && !is_hardware_off(g);
}

/* ---- jobs: the stages of --up ---- */

/* In a buffer of the block that asks for it. */
#define ATTEMPTS_LEFT	attempts_left((char[24]){ "" })

static const char *attempts_left(char buffer[24])
{
	struct text t = { .s = buffer, .size = 24 };
	uint64_t n = STATE(get_pin, remaining_attempts);

	if (!is_recorded(FIELD(get_pin, remaining_attempts)) ||
	    n == UINT32_MAX)
		return "unknown";
	text_decimal(&t, n);
	return buffer;
}

/*
 * May PIN1 be sent? Not when few attempts are left: three wrong ones lock the
 * SIM. What cron repeats must know how many there are.
 */
static int may_send_pin(void)
{
	const char *left = ATTEMPTS_LEFT;
	int is_known = *left != 'u';
	uint64_t n = is_known ? STATE(get_pin, remaining_attempts) : 3;

	if (!*call_text(job.call, "pin"))
		return fail(PIN_NEEDED, "the SIM wants PIN1 (attempts left: ",
			left, "): give --pin");
	if (!is_known && job.call->command == cmd_ensure_connected)
		n = 0;
	if (n < 3 && !force)
		return fail(PIN_NEEDED, "attempts left: ", left,
			"; the PIN is not sent without --force");
	return DONE;
}

/* PIN1 is sent once. */
static int send_pin(struct mbim *m)
{
	int code = may_send_pin();

	if (code)
		return code;
	job.done |= BIT(goal_sim_ready);
	code = ask(m, cmd_enter_pin);
	if (!code)
		return ASK_AGAIN;
	if (code == UNSUPPORTED || was_refused(status_Busy) ||
	    allow_refusal(code))
		return code;
	code = allow_refusal(ask(m, cmd_get_pin));
	if (code)
		return code;
	return fail(PIN_NEEDED, "wrong PIN; the SIM wants ",
		STATE(get_pin, pin_type) == pin_type_puk1 ? "PUK1" : "PIN1",
		" (attempts left: ", ATTEMPTS_LEFT, ")");
}

/* The SIM is not ready: is it a PIN? PIN2 does not block registration. */
static int unlock_sim(struct mbim *m)
{
	int code = allow_refusal(ask(m, cmd_get_pin));
	uint64_t type = STATE(get_pin, pin_type);
	char word[40];
	struct text t = TEXT(word);

	if (code || STATE(get_pin, pin_state) != pin_state_locked ||
	    type == pin_type_pin2 || type == pin_type_puk2 ||
	    job.done & BIT(goal_sim_ready))
		return code;
	if (type == pin_type_pin1)
		return send_pin(m);
	text_dashed(&t, WORD(get_pin, pin_type, "an unknown PIN"));
	return fail(PIN_NEEDED, "the SIM wants ", word, " (attempts left: ",
		ATTEMPTS_LEFT, ")", type == pin_type_puk1 ?
		": try --unblock-pin" : "");
}

/* A state that will not become the goal. */
static int final_state(const struct stage *s, const struct goal *g)
{
	char word[48];
	struct text t = TEXT(word);

	switch (s->goal) {
	case goal_sim_ready:
		text_dashed(&t, recorded_word(g->field, "unknown"));
		return fail(g->exit, "the SIM is ", word);
	case goal_registered:
		text_dashed(&t, WORD(get_register_state, nw_error, "unknown"));
		return fail(g->exit, "denied, cause ", word);
	default:
		return fail(g->exit, "connected, and ended again");
	}
}

/* The action of a stage was refused. */
static int action_refused(const struct stage *s, int code)
{
	switch (s->goal) {
	case goal_attached:
		if (code != UNSUPPORTED)
			break;
		clear_failure();	/* it attaches by itself */
		return GO_ON;
	case goal_connected:
		if (failure.domain)	/* refused; silence is neither */
			job.done &= ~BIT(goal_connected);
		/* what a modem says when it does not even try */
		if (code == REFUSED && was_refused(status_Failure))
			add_to_failure(": no cause from the network; modems "
				"hold back connects for minutes after this");
	}
	return code;
}

/* A goal is not reached: wait, or do what brings it about, once. */
static int act(struct mbim *m, const struct stage *s)
{
	const struct goal *g = &goals[s->goal];
	int is_done = (job.done & BIT(s->goal)) != 0, code;
	char word[40];
	struct text t = TEXT(word);

	if (is_hardware_off(g))
		return fail(NOT_REACHED, "the radio's hardware switch is off");
	if (is_in(g->pending, g->field))
		return DONE;
	if (s->goal == goal_registered && is_in(g->reached, g->field)) {
		text_dashed(&t, recorded_word(g->field, ""));
		return fail(NOT_REACHED, "the network is ", word,
			", not in --allow");
	}
	if (is_in(g->final, g->field) && (is_done || s->goal == goal_sim_ready))
		return final_state(s, g);
	if (s->goal == goal_sim_ready)
		return unlock_sim(m);
	if (is_done && s->goal == goal_connected && !is_recorded(g->field))
		return GO_ON;		/* it does not know */
	if (is_done)
		return DONE;
	job.done |= BIT(s->goal);
	code = ask_with(m, s->action, "", s->value);
	return code ? action_refused(s, code) : ASK_AGAIN;
}

/* ---- jobs: waiting for a goal ---- */

/* What a query that did not reach the goal means: wait on, or how it ends. */
static int judge_query(const struct stage *s, int code)
{
	/* some modems say by a status that the SIM is missing */
	if (s && code == NO_SIM && !was_refused(status_NotInitialized))
		return code;
	if (code != UNSUPPORTED)
		return DONE;
	/* a modem without this query is taken for being there */
	if (s && s->goal != goal_connected)
		return GO_ON;
	return s ? DONE : code;
}

/* The deadline passed while a goal was waited for: say in what state. */
static int still_waiting(const struct mbim *m, const struct stage *s,
	const char *word)
{
	clear_failure();
	return fail(s ? TIMED_OUT : NOT_REACHED, "still ", word, " after ",
		DECIMAL(timeout_seconds(m)), " s");
}

/* One look at a goal, and what a stage (or NULL) does about it. */
static int look_at_goal(struct mbim *m, const struct goal *g,
	const struct stage *s, struct text *word, int *was_answered)
{
	int code = ask(m, g->query), busy, end;

	if (!code && is_reached(g))
		return GO_ON;
	end = judge_query(s, code);
	if (end == GO_ON)
		clear_failure();
	if (end)
		return end;
	busy = was_refused(status_Busy);
	word->len = 0;
	if (!code)
		text_dashed(word, recorded_word(g->field, ""));
	else if (failure.domain)
		text_dashed(word, name_of_failure());
	code = allow_refusal(code);
	*was_answered |= !code;
	if (!code && s && !busy)
		code = act(m, s);
	if (code)
		return code;
	return mbim_listen(m, head_of(g->query)->id, now() +
		(busy ? 1 : POLL_SECONDS) * SECOND);
}

/*
 * Ask until a goal is reached. After each answer that is another, a stage does
 * something about it.
 */
static int wait_for_goal(struct mbim *m, const struct goal *g,
	const struct stage *s)
{
	char buffer[40];
	struct text word = TEXT(buffer);
	int code, was_answered = 0;

	do {
		code = look_at_goal(m, g, s, &word, &was_answered);
		if (code == GO_ON)
			return DONE;
	} while (!code || code == ASK_AGAIN ||
		 (code == TIMED_OUT && now() < m->deadline));
	if (code != TIMED_OUT || (failure.exit && (s || !was_answered)))
		return code;
	return still_waiting(m, s, buffer);
}

/* ---- jobs: the connection ---- */

static void find_net(struct mbim *m)
{
	char base[32];
	struct text t = TEXT(job.net), b = TEXT(base);

	job.session = call_number(job.call, "session_id");
	mbim_net(&b, m);
	if (b.len)
		text_interface(&t, base, job.session);
}

static void print_net(void)
{
	if (*job.net)
		print_string("interface", job.net);
	else
		print_missing("interface");
	if (job.session)
		print_number("vlan_id", job.session);
	else
		print_missing("vlan_id");
}

/* Print the IP configuration, as the reply of the job. */
static int print_configuration(struct mbim *m, void (*preface)(void))
{
	struct option options[OPTIONS_MAX];
	struct call c = call_of(cmd_get_ip_configuration, options);

	c.job = job.call;
	c.preface = preface;
	return call_run(m, &c, PRINT_REPLY);
}

static int wait_for_ip(struct mbim *m)
{
	uint32_t cid = head_of(cmd_get_ip_configuration)->id;
	int64_t end = earlier(now() + 10 * SECOND, m->deadline);
	int code;

	for (;;) {
		code = ask(m, cmd_get_ip_configuration);
		if (!code && has_address())
			return DONE;
		if (now() >= end && code)
			return code;
		code = allow_refusal(code);
		if (code)
			return code;
		if (now() >= end)
			return fail(NOT_REACHED,
				"connected, but without IP configuration");
		code = mbim_listen(m, cid, now() + SECOND);
		if (code && code != TIMED_OUT)
			return code;
	}
}

/* The networks in which it may be registered, as states. */
static uint32_t allowed_states(void)
{
	uint64_t allow = call_number(job.call, "allow");
	uint32_t states = 0;

	if (allow & allow_home)
		states |= BIT(register_state_home);
	if (allow & allow_roaming)
		states |= BIT(register_state_roaming);
	if (allow & allow_partner)
		states |= BIT(register_state_partner);
	return states;
}

/* The stages that the table has of --up, then the IP configuration. */
static int up(struct mbim *m)
{
	int code = DONE;

	for (size_t i = 0; i < n_stages && !code; i++) {
		struct goal g = goals[stages[i].goal];

		job.stage = stages[i].name;
		if (stages[i].goal == goal_registered)
			g.reached = allowed_states();
		code = wait_for_goal(m, &g, &stages[i]);
	}
	if (!code) {
		/* it may be up without our doing: it is not to be closed */
		marker_session(m, (uint8_t)job.session, 1);
		job.stage = "IP configuration";
		code = wait_for_ip(m);
	}
	if (!code)
		code = print_configuration(m, print_net);
	if (code && job.done & BIT(goal_connected) && !m->gone) {
		mbim_clean_up(m);	/* leave nothing half up */
		ask(m, cmd_disconnect);
	}
	return code;
}

/* A refusal with ContextNotActivated means: not connected. */
static int allow_not_activated(int code)
{
	return was_refused(status_ContextNotActivated) ? allow_refusal(code) :
		code;
}

static int disconnect(struct mbim *m, uint8_t session)
{
	return allow_not_activated(ask_with(m, cmd_disconnect, "session_id",
		*call_text(job.call, "session_id") ? NULL : DECIMAL(session)));
}

static int ask_connected(struct mbim *m)
{
	return allow_not_activated(ask(m, cmd_get_connect));
}

enum { SILENT_SECONDS = 10 };

/* Is the session up? What is silent for so long is opened anew. */
static int ask_connected_or_open(struct mbim *m)
{
	int64_t deadline = m->deadline;
	int code;

	m->deadline = earlier(deadline, now() + SILENT_SECONDS * SECOND);
	code = ask_connected(m);
	m->deadline = deadline;
	if (code != TIMED_OUT || now() >= deadline || m->open == OPEN_NEVER)
		return was_refused(status_Busy) ? code : allow_refusal(code);
	clear_failure();
	clear_record();
	warn("no answer: opening the function anew");
	return mbim_open(m);
}

/* What is well stays as it is; the rest is --up's. */
static int ensure_connected(struct mbim *m)
{
	const char *why = " is not up: connecting";
	int code;

	job.stage = "connect";
	code = ask_connected_or_open(m);
	if (!code && is_reached(&goals[goal_connected])) {
		marker_session(m, (uint8_t)job.session, 1);
		code = ask(m, cmd_get_ip_configuration);
		if (!code && has_address())
			return print_configuration(m, print_net);
		if (was_refused(status_ContextNotActivated)) {
			code = allow_refusal(code);
		} else if (!code) {
			why = " has no address: connecting anew";
			code = disconnect(m, 0);
		}
	}
	if (code)
		return code;
	warn("session ", DECIMAL(job.session), why);
	return up(m);
}

/* ---- jobs: the others ---- */

static void print_job(void)
{
	print_begin(head_of(job.call->command)->name, job.call->prefix);
}

/* The sessions to end: that of the option, those known, or 0 if it is up. */
static int find_sessions(struct mbim *m, uint8_t ids[MBIM_KEPT_MAX], size_t *n)
{
	int code;

	*n = 1;
	ids[0] = (uint8_t)job.session;
	if (*call_text(job.call, "session_id"))
		return DONE;
	*n = m->marker.n_sessions;
	if (*n) {
		memcpy(ids, m->marker.sessions, MBIM_KEPT_MAX);
		return DONE;
	}
	code = allow_refusal(ask_connected(m));
	*n = !code && is_reached(&goals[goal_connected]);
	return code;
}

static int print_down(struct mbim *m, const uint8_t *ids, size_t n)
{
	if (output_wants_net)
		return print_ip_down(m, ids, n);
	print_job();
	print_open("sessions", GROUP_WORDS);
	for (size_t i = 0; i < n; i++)
		print_number("", ids[i]);
	print_close();
	print_end();
	return DONE;
}

static int down(struct mbim *m)
{
	int is_one = *call_text(job.call, "session_id") != '\0';
	uint8_t ids[MBIM_KEPT_MAX] = { 0 };
	int tries = MBIM_KEPT_MAX, code;
	size_t n;

	code = find_sessions(m, ids, &n);
	for (size_t i = 0; i < n && !code; i++)
		code = disconnect(m, ids[i]);
	while (!is_one && !code && m->marker.n_kept && tries--)
		code = ask(m, cmd_wds_stop_network);
	if (!is_one && code && failure.domain && m->open != OPEN_NEVER) {
		code = allow_refusal(code);
		warn("refused: closing the modem's function");
		m->marker.n_sessions = m->marker.n_kept = 0;
		m->close = 1;
	}
	return code ? code : print_down(m, ids, n);
}

static int wait_for_state(struct mbim *m)
{
	const struct goal *g = &goals[call_number(job.call, "state")];
	const char *word;
	int code = wait_for_goal(m, g, NULL);

	if (code)
		return code;
	word = recorded_word(g->field, "");
	print_job();
	print_value("state", VALUE_WORD, word, strlen(word));
	print_end();
	return DONE;
}

/* Packets of the interface, as far as the kernel counts them. */
static void print_counters(void)
{
	static const char *const words[] = { "rx_packets", "tx_packets" };
	uint64_t n[2];
	int is_known = net_counters(job.net, n);

	print_net();
	for (int i = 0; i < 2; i++)
		if (is_known)
			print_number(words[i], n[i]);
		else
			print_missing(words[i]);
}

static int verify_connection(struct mbim *m)
{
	const char *why = NO_INTERFACE;
	char word[40];
	struct text t = TEXT(word);
	int code;

	job.stage = "modem";
	code = ask_connected(m);
	if (!code && !is_reached(&goals[goal_connected])) {
		text_dashed(&t, WORD(get_connect, activation_state, "unknown"));
		return fail(NOT_REACHED, "the session is ", word);
	}
	if (!code)
		code = ask(m, cmd_get_ip_configuration);
	if (code)
		return code;
	if (!has_address())
		return fail(NOT_REACHED, "the session has no address");
	job.stage = *job.net ? job.net : "kernel";
	if (*job.net)
		why = net_fault(job.net,
			recorded_text(FIELD(get_ip_configuration,
				ipv4_address), 0),
			recorded_text(FIELD(get_ip_configuration,
				ipv6_address), 0));
	return why ? fail(NOT_REACHED, why) :
		print_configuration(m, print_counters);
}

/* ---- jobs: the FCC lock ---- */

/*
 * The text that Foxconn's hash is made of: firmware version without its last
 * two fields, that of the applications, IMEI, "saltfoxc".
 */
static int add_foxconn_identity(struct mbim *m, struct text *t)
{
	size_t version = FIELD(dms_foxconn_get_firmware_version, version);
	int code = ask_with(m, cmd_dms_foxconn_get_firmware_version, "",
		"firmware_mcfg");

	if (code)
		return code;
	text_add(t, recorded_text(version, 0));
	for (int dots = 0; t->len && dots < 2; dots += t->s[t->len] == '.')
		t->len--;
	code = ask_with(m, cmd_dms_foxconn_get_firmware_version, "", "apps");
	if (code)
		return code;
	text_add(t, recorded_text(version, 0));
	code = ask(m, cmd_dms_get_ids);
	text_join(t, recorded_text(FIELD(dms_get_ids, imei), 0), "saltfoxc");
	return code;
}

/* Firmware that wants a hash of what it is, and firmware that does not. */
static int unlock_foxconn(struct mbim *m)
{
	char magic[64], all[120];
	struct text t = TEXT(all), a = TEXT(magic);
	int code = add_foxconn_identity(m, &t);

	if (!code) {
		text_add(&a, "salt");
		text_md5(&a, all);
		code = ask_with(m, cmd_dms_foxconn_set_fcc_authentication_v2,
			"magic_string", magic);
	}
	/* older firmware wants another, without a hash */
	if (code && allow_refusal(code) == DONE)
		code = ask(m, cmd_dms_foxconn_set_fcc_authentication);
	return code;
}

/* Is a word one of those between spaces? */
static int is_among(const char *words, const char *word)
{
	size_t len = strlen(word);

	while (len && *words) {
		size_t n = span(words, ' ');

		if (n == len && !strncmp(words, word, len))
			return 1;
		words += n + (words[n] == ' ');
	}
	return 0;
}

static const struct method *find_method(struct mbim *m, struct text *ids)
{
	uint64_t wanted = call_number(job.call, "method");

	mbim_ids(ids, m);
	for (size_t i = 0; i < n_methods; i++)
		if (wanted ? methods[i].number == wanted :
		    is_among(methods[i].ids, ids->s))
			return &methods[i];
	return NULL;
}

/* What counts is the effect: the radio is switched on, and looked at. */
static int fcc_unlock(struct mbim *m)
{
	char ids[16];
	struct text t = TEXT(ids);
	const struct method *method = find_method(m, &t);
	int code;

	job.stage = "method";
	if (!method)
		return fail(UNSUPPORTED, "none is known for ",
			t.len ? ids : "this modem", "; choose one with "
			"--method (not over AT or XMM RPC)");
	job.stage = "unlock";
	if (method->command == cmd_none)
		code = unlock_foxconn(m);
	else
		code = ask_with(m, method->command, "", method->value);
	if (code)
		return code;
	job.stage = "radio";
	code = ask_with(m, cmd_set_radio_state, "", "on");
	if (code == FCC_LOCKED) {
		clear_failure();
		return fail(FCC_LOCKED, "still locked");
	}
	if (code)
		return code;
	print_job();
	print_value("sw_radio_state", VALUE_WORD, "on", 2);
	print_end();
	return DONE;
}

/* ---- jobs: one job ---- */

static int is_connecting(const struct call *call)
{
	return call->command == cmd_up || call->command == cmd_ensure_connected;
}

/* Check a job's options, those for its commands too. */
static int check_job(const struct call *call)
{
	struct option options[OPTIONS_MAX];
	struct call c;
	int code = call_check(call);

	job.call = call;
	if (code || !is_connecting(call))
		return code;
	c = call_of(cmd_connect, options);
	code = call_check(&c);
	if (code || !*call_text(call, "pin"))
		return code;
	c = call_of(cmd_enter_pin, options);
	return call_check(&c);
}

static const struct {
	enum command_number command;
	int (*run)(struct mbim *m);
} jobs[] = {
	{ cmd_up, up }, { cmd_ensure_connected, ensure_connected },
	{ cmd_down, down }, { cmd_wait_for, wait_for_state },
	{ cmd_verify_connection, verify_connection },
	{ cmd_fcc_unlock, fcc_unlock },
};

static int run_job(struct mbim *m, const struct call *call)
{
	char text[sizeof(failure.text)];
	struct text t = TEXT(text);
	size_t i;
	int code;

	job.call = call;
	job.stage = "";
	job.done = 0;
	find_net(m);
	if (output_wants_net && !*job.net && is_connecting(call))
		return fail(NO_DEVICE, NO_INTERFACE);
	for (i = 0; jobs[i].command != call->command; i++)
		;
	code = jobs[i].run(m);
	if (!code || explain_failure() != code || !*job.stage)
		return code;
	text_join(&t, job.stage, ": ", failure.text, code == FCC_LOCKED &&
		call->command != cmd_fcc_unlock ? ": try --fcc-unlock" : "");
	memcpy(failure.text, text, sizeof(text));
	return code;
}

/* ---- the trace and --decode ---- */

static int verbose;
static enum format format;
static char hidden[MBIM_REPLY_MAX];	/* bytes of a frame kept back */

/* A frame as text or JSON; as hex before, in the trace. */
static void show_frame(struct text *t, const char *title, const uint8_t *frame,
	size_t len, int is_trace)
{
	int mask = is_trace && verbose < 2;
	int good = check_frame(frame, len, mbim.marker.version, mask, hidden);

	text_add(t, title);
	for (size_t i = 0; is_trace && i < len; i++) {
		text_add(t, i % 24 ? " " : "\n   ");
		if (hidden[i])
			text_add(t, "xx");
		else
			text_hex(t, frame[i], 2);
	}
	text_add(t, is_trace || *title ? "\n" : "");
	print_frame(frame, len, mbim.marker.version, mask, good);
}

static void trace(int sent, const uint8_t *frame, size_t len)
{
	print_to(&err, FORMAT_TEXT);
	show_frame(&err, sent ? "-> sent" : "<- received", frame, len, 1);
	print_to(&out, format);
	flush(&err);
}

static size_t frames_found;

static void print_pasted(const uint8_t *frame, size_t len)
{
	char title[32];
	struct text t = TEXT(title);

	if (format != FORMAT_JSON)
		text_join(&t, frames_found ? "\n# " : "# ",
			DECIMAL(frames_found + 1));
	frames_found++;
	show_frame(&out, title, frame, len, 0);
}

static int decode_file(const char *name)
{
	int code = read_pasted(name, print_pasted);

	return code || frames_found ? code :
		fail(MALFORMED, name, ": no MBIM or QMUX frame in it");
}

/* ---- run options ---- */

enum { CALLS = 64, OPTIONS = 256 };
static struct call calls[CALLS];
static struct option options[OPTIONS];
static size_t n_calls, n_options;

enum run_option {
	DEVICE, TIMEOUT, OUTPUT, JSON_OUTPUT, SH_OUTPUT, PREFIX, VERBOSE,
	METRIC, OPEN_ANEW, OPEN_NOT, CLOSE_AFTER, DIRECT, YES, FORCE,
	LIST, DECODE, HELP, SHOW_VERSION,	/* these need no modem */
	RUN_OPTIONS
};

static const struct {
	const char letter[2], *name, *value, *help;	/* "" is no value */
} run_options[RUN_OPTIONS] = {
	[DEVICE] = { "d", "device", "DEVICE",
		"path, network interface or USB path" },
	[TIMEOUT] = { "t", "timeout", "SECONDS", "deadline of the whole run" },
	[OUTPUT] = { "o", "output", "text|json|sh|ip",
		"how replies are printed" },
	[JSON_OUTPUT] = { "j", "json", "", "the same as -o json" },
	[SH_OUTPUT] = { "s", "sh", "", "the same as -o sh" },
	[PREFIX] = { "", "prefix", "P",
		"of sh variables from here on, not mbim" },
	[VERBOSE] = { "v", "verbose", "", "show frames; twice, secrets too" },
	[METRIC] = { "", "metric", "N", "of -o ip's routes (700 + session)" },
	[OPEN_ANEW] = { "", "open", "",
		"start the function anew, end sessions" },
	[OPEN_NOT] = { "", "no-open", "",
		"take the function for open, leave it so" },
	[CLOSE_AFTER] = { "", "close", "", "close the function, end sessions" },
	[DIRECT] = { "", "direct", "", "work beside mbim-proxy" },
	[YES] = { "", "yes", "", "do what may cut you off" },
	[FORCE] = { "", "force", "", "send the PIN with few tries left" },
	[LIST] = { "", "list", "", "show the MBIM ports of this machine" },
	[DECODE] = { "", "decode", "FILE", "decode the frames in pasted hex" },
	[HELP] = { "h", "help", "[WORD]",
		"this; a command's options; those with a word" },
	[SHOW_VERSION] = { "", "version", "", "show the version" },
};

static const char *given[RUN_OPTIONS];	/* their values, or "" */
static const char *prefix;		/* of the commands to come, or NULL */
static int needs_none;			/* one of those that need no modem */

static int bad_usage(const char *what, const char *name)
{
	return fail(USAGE, what, name, "; see --help");
}

/* These are false when the value is none. */
static int parse_timeout(const char *s)
{
	int64_t unit = SECOND;
	uint64_t n;

	if (!parse_number(&s, &n) || n > 1000000)
		return 0;
	mbim.timeout = (int64_t)n * SECOND;
	if (*s == '.')
		for (s++; isdigit((uint8_t)*s) && unit > 1; s++)
			mbim.timeout += (*s - '0') * (unit /= 10);
	return !*s && mbim.timeout;
}

static int parse_format(const char *s)
{
	static const char *const formats[] = { [FORMAT_TEXT] = "text",
		[FORMAT_JSON] = "json", [FORMAT_SH] = "sh",
		[FORMAT_IP] = "ip" };
	int i = FORMAT_IP;

	while (i && strcmp(s, formats[i]))
		i--;
	format = i;
	return !strcmp(s, formats[i]);
}

static int parse_prefix(const char *s)
{
	const char *end = s;

	while (*end == '_' || isalpha((uint8_t)*end) ||
	       (end > s && isdigit((uint8_t)*end)))
		end++;
	if (*s && !*end)
		prefix = s;
	return prefix == s && end - s < 32;
}

static int parse_metric(const char *s)
{
	uint64_t n;

	ip_metric = s;
	return parse_number(&s, &n) && !*s && n <= UINT32_MAX;
}

static int parse_run_option(enum run_option o, const char *value)
{
	switch (o) {
	case TIMEOUT:
		return parse_timeout(value);
	case OUTPUT:
		return parse_format(value);
	case METRIC:
		return parse_metric(value);
	case PREFIX:
		return parse_prefix(value);
	default:
		return 1;
	}
}

static int take_run_option(enum run_option o, const char *value)
{
	if (o == JSON_OUTPUT || o == SH_OUTPUT) {
		value = run_options[o].name;
		o = OUTPUT;
	}
	if (given[o] && o == OUTPUT)
		return bad_usage("more than one of -o, -j and -s", "");
	if (given[o] && o != VERBOSE && o != PREFIX)
		return bad_usage("given twice: --", run_options[o].name);
	given[o] = value;
	verbose += o == VERBOSE;
	needs_none |= o >= LIST;
	if (parse_run_option(o, value))
		return DONE;
	return fail(USAGE, "--", run_options[o].name, " '", value,
		"': wants ", run_options[o].value);
}

/*
 * Which run option is this? A letter, or a dash and a name up to a NUL or '=';
 * RUN_OPTIONS if none.
 */
static enum run_option find_run_option(const char *a)
{
	size_t i, len = span(a, '=');

	for (i = 0; i < RUN_OPTIONS; i++)
		if (a[0] != '-' ? a[0] && a[0] == *run_options[i].letter :
		    !strncmp(a + 1, run_options[i].name, len - 1) &&
		    !run_options[i].name[len - 1])
			break;
	return (enum run_option)i;
}

/* ---- the command line ---- */

/* What an argument is: an option of the run, a command, or one of its own. */
struct argument {
	const char *text;		/* behind the first dash */
	enum run_option run;		/* or RUN_OPTIONS */
	enum command_number command;	/* or cmd_none */
	enum option_found own;		/* of the command before it */
	int wants_value;
	const char *value;		/* behind a '=' or a letter, or NULL */
};

/* --enter-pin-file: a command whose own value is in a file. */
static enum command_number find_file_command(const char *name)
{
	char base[64];
	struct text t = TEXT(base);
	size_t len;
	enum command_number c;

	text_dashed(&t, name);
	len = t.len;
	if (len < 6 || strcmp(base + len - 5, "-file"))
		return cmd_none;
	base[len - 5] = '\0';
	c = command_find(base);
	return c != cmd_none && is_secret_value(c) ? c : cmd_none;
}

static void classify(struct argument *a, const char *text)
{
	const char *name = text + 1;
	enum command_number last = cmd_none;
	int is_long = text[0] == '-';

	*a = (struct argument){ .text = text, .run = RUN_OPTIONS,
		.command = cmd_none, .value = find_char(text, '=') };
	if (n_calls)
		last = calls[n_calls - 1].command;
	if (is_long && last != cmd_none && name[0] && name[0] != '=')
		a->own = command_option(last, name);
	if (a->own) {
		a->wants_value = 1;
		return;
	}
	a->run = find_run_option(text);
	if (a->run < RUN_OPTIONS) {
		a->wants_value = *run_options[a->run].value != '\0';
		return;
	}
	if (!is_long)
		return;
	a->command = command_find(name);
	if (a->command != cmd_none) {
		a->wants_value = command_option(a->command, "") != OPTION_NONE;
		return;
	}
	a->command = find_file_command(name);
	if (a->command != cmd_none) {
		a->own = OPTION_FILE;
		a->wants_value = 1;
	}
}

/* Is an argument exactly the name of some option? */
static int is_option_name(const char *s)
{
	char owner[8];
	struct text t = TEXT(owner);

	if (s[0] != '-' || !s[1] || !strcmp(s, "--") || find_char(s, '='))
		return 0;
	if (s[1] != '-')
		return !strcmp(s, "-vv") || (!s[2] &&
			find_run_option(s + 1) < RUN_OPTIONS);
	if (find_run_option(s + 1) < RUN_OPTIONS ||
	    command_find(s + 2) != cmd_none ||
	    find_file_command(s + 2) != cmd_none)
		return 1;
	text_owners(&t, s + 2);
	return t.len != 0;
}

/* An argument without what is behind its '=': that may be a secret. */
#define NAME_OF(argument)	argument_name((char[64]){ "" }, argument)

static const char *argument_name(char buffer[64], const char *argument)
{
	struct text t = { .s = buffer, .size = 64 };

	text_put(&t, argument, span(argument, '='));
	return buffer;
}

/* There is no such option: say what there is. */
static int no_such_option(const char *argument)
{
	char near[160];
	struct text t = TEXT(near);
	const char *name = argument + 1 + (argument[1] == '-');

	if (argument[1] == '-')
		text_owners(&t, name);
	if (t.len)
		return fail(USAGE, NAME_OF(argument), " belongs to ", near,
			": write it behind that command");
	if (argument[1] == '-' && n_calls)
		text_near_options(&t, calls[n_calls - 1].command, name);
	if (!t.len)
		text_suggestions(&t, name);
	return fail(USAGE, "no such option or command: ", NAME_OF(argument),
		t.len ? "; there is " : "", near, "; see --help");
}

/* The value of an argument: behind it, or the next; *i moves. */
static int take_value(struct argument *a, char **argv, int *i)
{
	const char *next = argv[*i + 1];

	if (a->text[0] != '-' && a->text[1])	/* -t5 */
		a->value = a->text;
	if (a->value) {
		a->value++;
		return DONE;
	}
	if (a->run == HELP && (!next || *next == '-')) {
		a->value = "";
		return DONE;
	}
	if (!next)
		return bad_usage("wants a value: ", argv[*i]);
	if (is_option_name(next))
		return fail(USAGE, argv[*i], " wants a value, and ", next,
			" is an option: write ", argv[*i], "=", next,
			" if you mean it");
	a->value = argv[++*i];
	return DONE;
}

static int add_command(const struct argument *a)
{
	if (n_calls == CALLS)
		return bad_usage("too many commands or options", "");
	calls[n_calls++] = (struct call){ .command = a->command,
		.options = options + n_options, .prefix = prefix };
	return DONE;
}

static int add_option(const struct argument *a)
{
	int is_own = a->command == cmd_none;

	if (n_options == OPTIONS)
		return bad_usage("too many commands or options", "");
	options[n_options++] = (struct option){ .name = is_own ? a->text + 1 :
		"", .value = a->value, .is_file = a->own == OPTION_FILE };
	calls[n_calls - 1].n_options++;
	return DONE;
}

/* One long or short option; *i is that of the argument with its value. */
static int parse_option(char **argv, int *i)
{
	struct argument a;
	int is_long = argv[*i][1] == '-', code = DONE;

	classify(&a, argv[*i] + 1);
	if (a.run == RUN_OPTIONS && !a.own && a.command == cmd_none)
		return no_such_option(argv[*i]);
	if (a.value && !a.wants_value)
		return bad_usage("takes no value: ", NAME_OF(argv[*i]));
	if (!is_long && a.text[1] && !a.wants_value) {	/* -vv */
		if (a.run != VERBOSE || strcmp(a.text, "vv"))
			return no_such_option(argv[*i]);
		verbose++;
	}
	if (a.wants_value)
		code = take_value(&a, argv, i);
	if (code)
		return code;
	if (a.run < RUN_OPTIONS)
		return take_run_option(a.run, a.value ? a.value : "");
	if (a.command != cmd_none)
		code = add_command(&a);
	if (code || !a.wants_value)
		return code;
	return add_option(&a);
}

static int parse_arguments(char **argv)
{
	/* to the end: an error, too, is printed in the output asked for */
	for (int i = 1; argv[i]; i++)
		if (argv[i][0] == '-' && argv[i][1] && argv[i][1] != '=')
			parse_option(argv, &i);
		else
			bad_usage("not an option: ", argv[i]);
	if (failure.exit)
		return failure.exit;
	if (given[OPEN_ANEW] && given[OPEN_NOT])
		return bad_usage("--open and --no-open exclude each other", "");
	if (given[HELP] && !*given[HELP] && n_calls)
		given[HELP] = head_of(calls[0].command)->name;
	else if (n_calls && needs_none)
		return bad_usage("that option goes without commands", "");
	return DONE;
}

/* ---- help and lists ---- */

enum { HELP_COLUMN = 34 };

/* A name as far as the column of help, and its help. */
static void print_pair(const char *name, const char *help)
{
	size_t width = strlen(name) + 4;

	text_add(&out, "  --");
	text_dashed(&out, name);
	do
		text_char(&out, ' ');
	while (++width < HELP_COLUMN);
	text_join(&out, help, "\n");
}

static void print_run_option(size_t i)
{
	char line[120];
	struct text t = TEXT(line);
	const char *letter = run_options[i].letter;

	if (*letter)
		text_join(&t, "  -", letter, ", --", run_options[i].name);
	else
		text_join(&t, "      --", run_options[i].name);
	text_join(&t, *run_options[i].value ? " " : "", run_options[i].value);
	while (t.len < HELP_COLUMN)
		text_char(&t, ' ');
	text_join(&t, run_options[i].help, "\n");
	text_add(&out, line);
}

static int print_word_help(const char *name)
{
	enum command_number c;
	char near[160];
	struct text t = TEXT(near);

	name += strncmp(name, "--", 2) ? 0 : 2;
	c = command_find(name);
	if (c != cmd_none) {
		text_command_help(&out, c);
		return DONE;
	}
	if (command_list(name, print_pair))
		return DONE;
	text_suggestions(&t, name);
	return fail(USAGE, "no command has this in its name or help: ", name,
		t.len ? "; there is " : "", near);
}

static int print_help(void)
{
	text_add(&out, "mbimctl [run options] --command[=VALUE] "
		"[--parameter VALUE]... [--command ...]\n\nRun options:\n");
	for (size_t i = 0; i < RUN_OPTIONS; i++)
		print_run_option(i);
	text_add(&out, "\nCommands (--help COMMAND shows more of one):\n");
	command_list("", print_pair);
	return DONE;
}

static void print_known(const char *name, const char *s)
{
	if (*s)
		print_string(name, s);
	else
		print_missing(name);
}

static void print_port(const struct mbim_port *p)
{
	print_open("", GROUP_OBJECT);
	print_string("device", p->path);
	print_known("interface", p->net);
	print_known("bus", p->bus);
	print_known("id", p->ids);
	print_known("driver", p->driver);
	if (p->holder)
		print_number("locked_by", p->holder);
	else
		print_missing("locked_by");
	print_close();
}

static int list_ports(void)
{
	print_begin("list", prefix);
	if (print_measure()) {
		mbim_ports(print_port);
		print_close();
	}
	print_open("ports", GROUP_ARRAY);
	mbim_ports(print_port);
	print_close();
	print_end();
	return DONE;
}

/* ---- signals, and what else the run is guarded against ---- */

static void on_signal(int sig)
{
	signals_seen++;
	signal_last = sig;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/*
 * From here on signals are blocked but where we wait; they end what waits, and
 * at last us. One that was ignored stays so. Before, they end us.
 */
static void block_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal }, before;
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &action, &before);
		if (before.sa_handler == SIG_IGN)
			sigaction(signals[i], &before, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, &mbim.waiting);
	signals_blocked = 1;
}

/* A true death by a signal. */
static void die(int sig)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(sig, &action, NULL);
	sigprocmask(SIG_SETMASK, &mbim.waiting, NULL);
	kill(getpid(), sig);
}

/* What waits in a system call is interrupted at the deadline, and then on. */
static void set_deadline(int64_t timeout)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval t = { { 0, 100000 }, { 0, 1 } };
	sigset_t alarm;

	run_deadline = now() + timeout;
	mbim.deadline = run_deadline;
	t.it_value.tv_sec = (time_t)(timeout / SECOND);
	t.it_value.tv_usec += (suseconds_t)(timeout % SECOND / 1000);
	t.it_value.tv_usec -= t.it_value.tv_usec == 1000000;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/*
 * Descriptors 0 to 2 are ours, lest the modem's is one of them; a closed one
 * does not become writable. A write to a closed pipe is an error, no signal.
 */
static void guard(void)
{
	struct pollfd standard[3] = { { 0, 0, 0 }, { 1, 0, 0 }, { 2, 0, 0 } };
	uint64_t none[2] = { 0, 0 };
	sigset_t pipe;

	poll(standard, 3, 0);
	for (int fd = 0; fd < 3; fd++)
		if (standard[fd].revents & POLLNVAL &&
		    open("/dev/null", O_RDONLY) < 0)
			open("/", O_RDONLY);
	/* not setrlimit(): musl's stops threads that there are not */
	syscall(SYS_prlimit64, 0, RLIMIT_CORE, none, NULL);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigprocmask(SIG_BLOCK, &pipe, NULL);
	warn_line = write_warning;
}

/* ---- the run ---- */

static size_t current;		/* the call that is being done, from 1 */
static int all_done;		/* what fails now is none of theirs */

static int run_calls(struct mbim *m)
{
	int code = DONE;

	print_titles(n_calls > 1);
	if (!n_calls)
		return mbim_close(m);
	for (current = 0; current < n_calls && !code; ) {
		const struct call *c = &calls[current++];

		code = head_of(c->command)->kind == KIND_JOB ?
			run_job(m, c) : call_run(m, c, PRINT_REPLY);
		if (!code && failed[1])
			code = fail(NO_OUTPUT, "cannot write the output");
	}
	all_done = !code;
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
	return mbim_with_marker(m, run_session);
}

/* Has -o ip something to print of this command? */
static int has_ip(const struct call *c)
{
	return c->command == cmd_get_ip_configuration || is_connecting(c) ||
		c->command == cmd_down;
}

/* Two commands of a run must not set one variable. */
static int check_variables(const struct call *c)
{
	for (const struct call *other = calls; other < c; other++)
		if (calls_collide(other, c))
			return fail(USAGE, "a command before it sets its "
				"variables: write --prefix P between them");
	return DONE;
}

static int check_call(const struct call *c)
{
	const struct command_head *head = head_of(c->command);
	int risky = head->risky, keeps = head->keeps_session;
	int is_job = head->kind == KIND_JOB, code;

	if (risky >> (call_number(c, "") & 7) & 1 && !given[YES])
		return bad_usage("may cut you off: wants --yes", "");
	if (keeps && given[CLOSE_AFTER])
		return fail(USAGE, "--close would end the session at once");
	code = is_job ? check_job(c) : call_check(c);
	if (!code && format == FORMAT_SH)
		code = check_variables(c);
	return code;
}

static int check_calls(void)
{
	int code = DONE, ip = 0;

	for (current = 0; current < n_calls && !code; ) {
		const struct call *c = &calls[current++];

		ip |= has_ip(c);
		code = check_call(c);
	}
	if (!code)
		current = 0;
	return code || ip || format != FORMAT_IP ? code : bad_usage(
		"-o ip is for --up, --down, --get-ip-configuration", "");
}

/* The deadline that was given, or that of the slowest command. */
static void start_deadline(void)
{
	int64_t seconds = 30;

	for (size_t i = 0; i < n_calls; i++)
		if (head_of(calls[i].command)->slow > seconds)
			seconds = head_of(calls[i].command)->slow;
	if (!mbim.timeout)
		mbim.timeout = seconds * SECOND;
	set_deadline(mbim.timeout);
}

static int read_secrets(void)
{
	int code = DONE;

	for (current = 0; current < n_calls && !code; )
		code = call_secrets(&calls[current++]);
	if (!code)
		current = 0;
	return code;
}

static int run_without_modem(void)
{
	if (given[HELP])
		return *given[HELP] ? print_word_help(given[HELP]) :
			print_help();
	if (given[DECODE])
		return decode_file(given[DECODE]);
	if (given[LIST])
		return list_ports();
	text_add(&out, "mbimctl " VERSION "\n");
	return DONE;
}

static int run_with_modem(void)
{
	int code;

	if (!n_calls && !given[CLOSE_AFTER])
		return bad_usage("no command", "");
	code = read_secrets();
	if (!code)
		code = check_calls();
	if (code)
		return code;
	if (given[OPEN_ANEW])
		mbim.open = OPEN_ALWAYS;
	else if (given[OPEN_NOT] || !n_calls)
		mbim.open = OPEN_NEVER;
	mbim.close = given[CLOSE_AFTER] != NULL;
	mbim.direct = given[DIRECT] != NULL;
	force = given[FORCE] != NULL;
	output_wants_net = format == FORMAT_IP;
	if (verbose)
		mbim.trace = trace;
	command_services(&mbim);
	code = mbim_find(&mbim, given[DEVICE]);
	if (code)
		return code;
	prctl(PR_SET_DUMPABLE, 0);
	block_signals();
	return mbim_with_device(&mbim, run_marked);
}

/* In sh all variables are set, those of commands that were not run, too. */
static void report_variables(const char *line)
{
	size_t i = current ? current - 1 + (size_t)failure.printed : 0;

	for (; failure.exit && !all_done && i < n_calls; i++)
		print_nothing(&calls[i]);
	print_begin(NULL, prefix);
	print_string("error", failure.exit ? line : "");
	print_number("exit", (uint64_t)failure.exit);
	print_end();
}

/* One line on stderr; in JSON and sh the same on stdout. */
static void report(void)
{
	const struct call *call = NULL;
	int code = explain_failure();
	char line[400];
	struct text t = TEXT(line);

	if (current && !all_done)
		call = &calls[current - 1];
	text_failure(&t, call);
	if (!current && n_calls)
		call = &calls[0];	/* the first that was not done */
	if (code) {
		print_failure(call, line);
		warn(line);
	}
	if (format == FORMAT_IP && code)
		text_join(&out, "exit ", DECIMAL((uint64_t)code), "\n");
	if (format == FORMAT_SH)
		report_variables(line);
}

#ifndef DOCS
int main(int argc, char **argv)
{
	int code;

	(void)argc;
	guard();
	code = parse_arguments(argv);
	print_to(&out, format);
	if (code || !needs_none || mbim.timeout)
		start_deadline();
	if (!code)
		code = needs_none ? run_without_modem() : run_with_modem();
	failure.quiet = 0;
	if (signals_seen)	/* maybe not before clean-up */
		code = fail(SIGNALLED + signal_last, "interrupted");
	if (failure.exit)
		code = explain_failure();
	if (code)
		flush(&out);	/* what went well comes first */
	if (code || !needs_none)
		report();
	if (code && code != USAGE && current && current < n_calls)
		warn(DECIMAL(n_calls - current), " of the commands not run");
	flush(&out);
	if (failed[1] && code != NO_OUTPUT)
		warn("cannot write the output");
	if (failed[1] && !code)
		code = NO_OUTPUT;
	if (signals_seen)	/* maybe in the output at last */
		die(signal_last);
	return code;
}
#endif
