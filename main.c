/* SPDX-License-Identifier: ISC
 *
 * The face: options, the order of work, the printer with its three outputs,
 * error sentences, exit codes, signals, the trace, --list, --decode and help.
 * Only this file writes to stdout and stderr. It knows no command, and never
 * touches the device.
 */
#include "mbim.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define VERSION "0.1"

/* ---- stdout and stderr ---- */

static char out_bytes[4096], err_bytes[4096];
static int failed[3];			/* by descriptor */

/* Write what is there; after an error, throw it away. */
static void flush(struct text *t)
{
	int fd = t->s == err_bytes ? 2 : 1;
	size_t at = 0;

	while (at < t->len && !failed[fd]) {
		ssize_t n = write(fd, t->s + at, t->len - at);

		if (n >= 0)
			at += (size_t)n;
		else if (errno == EAGAIN)
			poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, -1);
		else
			failed[fd] = errno != EINTR;
	}
	t->len = 0;
}

static struct text out = { out_bytes, 0, sizeof(out_bytes), flush };
static struct text err = { err_bytes, 0, sizeof(err_bytes), flush };
static struct text *to = &out;		/* the printer's */

void warn_list(const char *const *text)
{
	text_add(&err, "mbimctl: ");
	text_list(&err, text);
	text_char(&err, '\n');
	flush(&err);
}

static void text_blanks(struct text *t, size_t n)
{
	static const char blanks[] = "                                ";

	for (; n >= sizeof(blanks); n--)
		text_char(t, ' ');
	text_put(t, blanks, n);
}

/* ---- failure ---- */

struct failure failure;

int fail_list(int code, const char *const *text)
{
	if (!failure.quiet && !failure.exit) {
		struct text t = TEXT(failure.text);

		text_list(&t, text);
		failure.exit = code;
	}
	return code;
}

int fail_with(int code, const char *who, uint32_t number, const char *name,
	const char *more, const char *try)
{
	char hex[12], dashed[40];
	struct text h = TEXT(hex), d = TEXT(dashed);

	if (!failure.quiet && !failure.exit) {
		failure.number = number;
		failure.name = name;
	}
	text_add(&h, "0x");
	text_hex(&h, number, 8);
	text_dashed(&d, try ? try : "");
	return fail(code, who, name, " (", number > 0xffff ? hex :
		decimal(number), ")", more, try ? ": try --" : "", dashed);
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

/* ---- the printer ---- */

/* IP: replies are recorded, and become commands of ip(8) at their end */
static enum format { TEXT_FORMAT, JSON, SH, IP } format;
static const char *const formats[] = { "text", "json", "sh", "ip" };
static const char *prefix = "mbim";
static struct mbim mbim;

/* The groups that are open: the first is the command's object. */
enum { LEVELS = 12 };
static struct level {
	enum out_group group;
	const char *name;
	size_t count, path_len, indent;
} levels[LEVELS], *level = levels;

/* sh: the name of the variable, of which path_len belong to the group */
static char name_buffer[512];
static struct text variable = { name_buffer, 0, sizeof(name_buffer), NULL };

/* text: where values stand, and how far a line has come */
enum { VALUE_COLUMN = 28 };
static size_t column, margin;		/* margin: 1 below a title */
static int muted;

void out_mute(int mute)
{
	muted += mute ? 1 : -1;
}

/*
 * A value without its quotes. JSON escapes control characters; text and sh have
 * none, C1 included. Words of ours are as users see them: with dashes, and the
 * services, which the ledger has in capitals, small.
 */
static void out_print(const char *s, size_t len, int word)
{
	int capitals = word && len > 1 && isupper((uint8_t)s[0]) &&
		isupper((uint8_t)s[1]);

	for (; len; s++, len--) {
		size_t n = 0;

		/* most are what they are */
		while (n < len && ((s[n] > '_' && s[n] < 0x7f) ||
				(s[n] >= '(' && s[n] < 'A') || s[n] == ' '))
			n++;
		text_put(to, s, n);
		s += n;
		len -= n;
		if (!len)
			break;

		uint8_t c = (uint8_t)*s;
		int c1 = c == 0xc2 && len > 1 && (s[1] & 0xe0) == 0x80;

		if (format == JSON && (c < ' ' || c == 0x7f)) {
			text_add(to, "\\u");
			text_hex(to, c, 4);
		} else if (format != JSON && (c < ' ' || c == 0x7f || c1)) {
			text_char(to, ' ');
			s += c1;
			len -= (size_t)c1;
		} else if (c == '\'' && format == SH) {
			text_add(to, "'\\''");
		} else {
			if (format == JSON && (c == '"' || c == '\\'))
				text_char(to, '\\');
			text_char(to, word && c == '_' ? '-' : capitals &&
				isupper(c) ? (char)(c | 32) : *s);
		}
	}
}

static void end_line(void)
{
	text_char(to, '\n');
	column = 0;
}

static int recording;

void out_record(int on)
{
	static enum format printing;

	if (on) {
		printing = format;
		record_clear();
	}
	format = on ? IP : printing;
	recording = on;
}

/* What stands before a value or a group, and keeps it from the one before. */
static void out_label(const char *name)
{
	size_t count = level->count++;
	int named = level->group == OUT_OBJECT;

	if (format == JSON) {
		text_add(to, count ? "," : "");
		if (named)
			text_join(to, "\"", name, "\":");
	} else if (format == SH && level->group == OUT_WORDS) {
		text_add(to, count ? " " : "");
	} else if (format == SH) {
		variable.len = level->path_len;
		text_join(&variable, "_", *name ? name : decimal(count));
	} else if (named) {
		text_blanks(to, column ? 1 : level->indent);
		column = level->indent;
		for (size_t n; *name; name += n + (name[n] == '_')) {
			n = span(name, '_');
			text_put(to, name, n);
			text_char(to, name[n] ? ' ' : ':');
			column += n + 1;
		}
	}
}

void out_value(const char *name, enum out_kind kind, const char *s, size_t len)
{
	int word = kind == OUT_WORD, named = level->group == OUT_OBJECT;
	const char *end = "";

	/* what is absent empties a variable of sh, and is nowhere else */
	if (muted || (kind >= OUT_ABSENT && (format != SH || level > levels)))
		return;
	if (kind == OUT_UNKNOWN && format != SH) {
		s = format == JSON ? "null" : "unknown";
		len = strlen(s);
	}
	if (format == IP) {
		if (level == levels || (level == levels + 1 && !*name))
			record_value(*name ? name : level->name, s, len);
		return;
	}
	out_label(name);
	if (format == JSON) {
		end = word || kind == OUT_TEXT ? "\"" : "";
		text_add(to, end);
	} else if (format == SH && level->group != OUT_WORDS) {
		text_join(to, variable.s, kind == OUT_ABSENT_ARRAY ?
			"_count='0" : "='");
		end = "'\n";
	} else if (format == TEXT_FORMAT) {
		if (!named && level->count > 1)
			text_put(to, ", ", 2);
		else if (len)
			text_blanks(to, column < VALUE_COLUMN ?
				VALUE_COLUMN - column : 1);
	}
	out_print(s, len, word);
	if (*end)
		text_add(to, end);
	if (format == TEXT_FORMAT && named)
		end_line();
}

void out_number(const char *name, uint64_t n, int minus)
{
	char digits[24];
	struct text t = TEXT(digits);

	text_join(&t, minus ? "-" : "", decimal(minus ? 0 - n : n));
	out_value(name, OUT_NUMBER, digits, t.len);
}

/* Text from without, which may be no UTF-8: arguments, names of files. */
static void out_string(const char *name, const char *s)
{
	char valid[1200];
	struct text t = TEXT(valid);

	text_utf8(&t, (const uint8_t *)s, strlen(s));
	out_value(name, OUT_TEXT, valid, t.len);
}

/* In text, an element that is an object is a block, after a dash. */
void out_open(const char *name, enum out_group group)
{
	int element = level->group != OUT_OBJECT;

	if (muted)
		return;
	if (format != IP)
		out_label(name);
	if (format == JSON)
		text_char(to, group == OUT_OBJECT ? '{' : '[');
	if (format == SH && group == OUT_WORDS)
		text_join(to, variable.s, "='");
	if (format == TEXT_FORMAT && column && (element || group == OUT_OBJECT))
		end_line();
	if (format == TEXT_FORMAT && element) {
		text_blanks(to, level->indent);
		text_char(to, '-');
		column = 1;
	}
	level[1] = (struct level){ group, name, 0, variable.len,
		level->indent + 2 };
	level++;
}

void out_close(void)
{
	if (muted)
		return;
	if (format == JSON)
		text_char(to, level->group == OUT_OBJECT ? '}' : ']');
	if (format == TEXT_FORMAT && column)
		end_line();
	variable.s[level->path_len] = '\0';
	if (format == SH && level->group == OUT_ARRAY)
		text_join(to, variable.s, "_count='", decimal(level->count));
	if (format == SH && level->group != OUT_OBJECT)
		text_add(to, "'\n");
	level--;
}

void out_begin(const char *name)
{
	if (muted)
		return;
	variable.len = 0;
	text_add(&variable, prefix);
	level = levels;
	*level = (struct level){ OUT_OBJECT, "", 0, variable.len, 2 * margin };
	if (format == IP)
		record_clear();
	if (format == JSON)
		text_char(to, '{');
	if (format == TEXT_FORMAT && margin && *name) {
		text_dashed(to, name);
		text_add(to, ":\n");
	}
}

void out_end(void)
{
	if (!muted && format == JSON)
		text_add(to, "}\n");
	if (!muted && format == IP && !recording) {
		char net[32];
		struct text t = TEXT(net);

		sys_net(&t, mbim.sys);
		text_ip_commands(to, net);
	}
}

/* ---- errors ---- */

/* What a user may try next, by exit code. */
static const char *const hints[] = {
	[PIN_NEEDED] = ": --get-pin shows the attempts left",
	[NO_SIM] = ": no SIM, or it is not ready",
	[FCC_LOCKED] = ": radio locked? try --fcc-unlock",
	[UNSUPPORTED] = ": the modem does not have this command",
};

/* One line on stderr; in JSON and sh the same on stdout. */
static void report(const struct command *c)
{
	size_t n = sizeof(hints) / sizeof(*hints), code = (size_t)failure.exit;
	char line[360];
	struct text t = TEXT(line);

	if (code) {
		text_dashed(&t, c ? head_of(c)->name : "");
		text_join(&t, c ? ": " : "", failure.text,
			code < n && hints[code] && !(c && c->kind == KIND_JOB) ?
			hints[code] : "");
		warn(line);
	}
	if (format == IP && code)
		text_join(&out, "exit ", decimal(code), "\n");
	if (format == TEXT_FORMAT || format == IP || (format == JSON && !code))
		return;
	out_begin("");
	if (format == JSON) {
		out_open("error", OUT_OBJECT);
		out_number("exit", code, 0);
		if (failure.name) {
			out_number("status", failure.number, 0);
			out_string("name", failure.name);
		}
		out_string("text", line);
		out_close();
	} else {
		if (code && c)
			(c->kind == KIND_JOB ? job_blank : command_blank)(c);
		if (code)
			out_string("error", line);
		out_number("exit", code, 0);
	}
	out_end();
}

/* ---- frames: the trace and --decode ---- */

static int verbose;

/* The frame that is being printed, and which of its bytes are kept back. */
static const uint8_t *shown;
static char hidden[MBIM_REPLY_MAX];

void out_mask(const uint8_t *bytes, size_t len)
{
	memset(hidden + (bytes - shown), 1, len);
}

/* A frame as text or JSON; as hex before, in the trace. */
static void print_frame(const char *title, const uint8_t *frame, size_t len,
	int hex)
{
	int mask = hex && verbose < 2, good;

	shown = frame;
	memset(hidden, 0, len);
	out_mute(1);		/* is it good, and what is to be masked? */
	good = decode_frame(frame, len, mbim.mark.version, mask);
	out_mute(0);
	if (!good && mask && len > 20)
		out_mask(frame + 20, len - 20);
	text_add(to, title);
	for (size_t i = 0; hex && i < len; i++) {
		text_add(to, i % 24 ? " " : "\n   ");
		text_add(to, hidden[i] ? "xx" : "");
		text_hex(to, frame[i], hidden[i] ? 0 : 2);
	}
	text_add(to, hex || *title ? "\n" : "");
	out_begin("");
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

static size_t frames_found;

static void print_pasted(const uint8_t *frame, size_t len)
{
	char title[32];
	struct text t = TEXT(title);

	if (format != JSON)
		text_join(&t, frames_found ? "\n# " : "# ",
			decimal(frames_found + 1));
	frames_found++;
	print_frame(title, frame, len, 0);
}

static int decode_file(const char *name)
{
	int code = read_pasted(name, print_pasted);

	return code || frames_found ? code :
		fail(MALFORMED, name, ": no MBIM or QMUX frame in it");
}

/* ---- options ---- */

enum { CALLS = 64, OPTIONS = 256 };
static struct call calls[CALLS];
static struct option options[OPTIONS];
static size_t n_calls, n_options;

enum run_option {
	DEVICE, TIMEOUT, OUTPUT, JSON_OUTPUT, SH_OUTPUT, PREFIX, VERBOSE,
	METRIC, ANEW, NEVER, CLOSING, DIRECT, YES, FORCE,
	LIST, DECODE, HELP, SHOW_VERSION,	/* these need no modem */
	RUN_OPTIONS
};

static const struct {
	const char letter[2], *name, *value, *help;	/* "" is no value */
} run_options[RUN_OPTIONS] = {
	[DEVICE] = { "d", "device", "DEVICE",
		"path, network interface or USB path" },
	[TIMEOUT] = { "t", "timeout", "SECONDS", "deadline of the whole run" },
	[OUTPUT] = { "o", "output", "text|json|sh|ip", "how replies are printed" },
	[JSON_OUTPUT] = { "j", "json", "", "the same as -o json" },
	[SH_OUTPUT] = { "s", "sh", "", "the same as -o sh" },
	[PREFIX] = { "", "prefix", "P", "of the variables of -o sh, not mbim" },
	[VERBOSE] = { "v", "verbose", "", "show frames; twice, secrets too" },
	[METRIC] = { "", "metric", "N", "of -o ip's routes (700 + session)" },
	[ANEW] = { "", "open", "", "start the function anew, ending sessions" },
	[NEVER] = { "", "no-open", "",
		"take the function for open, leave it so" },
	[CLOSING] = { "", "close", "", "close the function, ending sessions" },
	[DIRECT] = { "", "direct", "", "work beside mbim-proxy" },
	[YES] = { "", "yes", "", "do what may cut you off" },
	[FORCE] = { "", "force", "", "send the PIN with few tries left" },
	[LIST] = { "", "list", "", "show the MBIM ports of this machine" },
	[DECODE] = { "", "decode", "FILE", "tell the frames in pasted hex" },
	[HELP] = { "h", "help", "[COMMAND]", "this, or a command's options" },
	[SHOW_VERSION] = { "", "version", "", "show the version" },
};

static const char *given[RUN_OPTIONS];	/* their values, or "" */
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
	mbim.patience = (int64_t)n * SECOND;
	if (*s == '.')
		for (s++; isdigit((uint8_t)*s) && unit > 1; s++)
			mbim.patience += (*s - '0') * (unit /= 10);
	return !*s && mbim.patience;
}

static int parse_format(const char *s)
{
	for (format = IP; format && strcmp(s, formats[format]); format--)
		;
	return !strcmp(s, formats[format]);
}

static int parse_prefix(const char *s)
{
	const char *end = s;

	while (*end == '_' || (end > s ? isalnum : isalpha)((uint8_t)*end))
		end++;
	prefix = *s && !*end ? s : prefix;
	return prefix == s;
}

static int parse_metric(const char *s)
{
	uint64_t n;

	job_settings.metric = s;
	return parse_number(&s, &n) && !*s && n <= UINT32_MAX;
}

static int take_run_option(enum run_option o, const char *value)
{
	if (o == JSON_OUTPUT || o == SH_OUTPUT) {
		value = run_options[o].name;
		o = OUTPUT;
	}
	if (given[o] && o != VERBOSE)
		return bad_usage("given twice: --", run_options[o].name);
	given[o] = value;
	verbose += o == VERBOSE;
	needs_none |= o >= LIST;
	if (o == TIMEOUT && !parse_timeout(value))
		return bad_usage("-t wants seconds, not ", value);
	if (o == OUTPUT && !parse_format(value))
		return bad_usage("-o wants text, json, sh or ip, not ", value);
	if (o == METRIC && !parse_metric(value))
		return bad_usage("no number for a metric: ", value);
	if (o == PREFIX && !parse_prefix(value))
		return bad_usage("no name for variables: ", value);
	return DONE;
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

/* One long or short option; *i is that of the argument with its value. */
static int parse_option(char **argv, int *i)
{
	const char *a = argv[*i] + 1, *next = argv[*i + 1];
	const char *value = strchr(a, '=');
	const struct command *c = n_calls ? calls[n_calls - 1].command : NULL;
	int is_long = a[0] == '-', mine = is_long && c && a[1] &&
		a[1] != '=' && command_has_option(c, a + 1), wants = mine;
	enum run_option o = mine ? RUN_OPTIONS : find_run_option(a);

	if (o < RUN_OPTIONS) {
		wants = *run_options[o].value != '\0';
	} else if (!mine) {
		c = is_long ? command_find(a + 1) : NULL;
		if (!c)
			return bad_usage("no such option or command: ",
				argv[*i]);
		wants = command_has_option(c, "");
	}
	if (value && !wants)
		return bad_usage("takes no value: ", argv[*i]);
	if (!is_long && a[1] && !wants) {	/* -vv */
		if (o != VERBOSE || strcmp(a, "vv"))
			return bad_usage("no such option: ", argv[*i]);
		verbose++;
	}
	if (!is_long && a[1] && wants)		/* -t5 */
		value = a;
	if (value)
		value++;
	else if (wants && next && strncmp(next, "--", 2) &&
		 !(*next == '-' && (o == HELP || (next[1] && !next[2] &&
			find_run_option(next + 1) < RUN_OPTIONS))))
		value = argv[++*i];
	else if (wants && o != HELP)
		return bad_usage("wants a value: ", argv[*i]);
	if (o < RUN_OPTIONS)
		return take_run_option(o, value ? value : "");
	if (n_options == OPTIONS || (!mine && n_calls == CALLS))
		return bad_usage("too many commands or options", "");
	if (!mine)
		calls[n_calls++] = (struct call){ .command = c,
			.options = options + n_options };
	if (wants) {
		options[n_options++] = (struct option){ mine ? a + 1 : "",
			value, 0 };
		calls[n_calls - 1].n_options++;
	}
	return DONE;
}

static int parse_arguments(char **argv)
{
	/* to the end: an error, too, is told in the output that was asked for */
	for (int i = 1; argv[i]; i++)
		if (argv[i][0] == '-' && argv[i][1] && argv[i][1] != '=')
			parse_option(argv, &i);
		else
			bad_usage("not an option: ", argv[i]);
	if (failure.exit)
		return failure.exit;
	if (given[ANEW] && given[NEVER])
		return bad_usage("--open and --no-open exclude each other", "");
	if (given[HELP] && !*given[HELP] && n_calls)
		given[HELP] = head_of(calls[0].command)->name;
	else if (n_calls && needs_none)
		return bad_usage("that option goes without commands", "");
	return DONE;
}

/* ---- help ---- */

static void print_pair(const char *name, const char *help)
{
	size_t width = strlen(name);

	text_add(&out, "  --");
	text_dashed(&out, name);
	text_blanks(&out, width < 32 ? 32 - width : 1);
	text_join(&out, help, "\n");
}

static int print_help(const char *name)
{
	name += strncmp(name, "--", 2) ? 0 : 2;
	if (*name) {
		const struct command *c = command_find(name);

		if (!c)
			return bad_usage("no such command: ", name);
		command_help(&out, c);
		return DONE;
	}
	text_add(&out, "mbimctl [run options] --command[=VALUE] "
		"[--parameter VALUE]... [--command ...]\n\nRun options:\n");
	for (size_t i = 0; i < RUN_OPTIONS; i++) {
		char both[48];
		struct text t = TEXT(both);

		text_join(&t, run_options[i].name, *run_options[i].value ?
			" " : "", run_options[i].value);
		if (*run_options[i].letter)
			text_join(&out, " -", run_options[i].letter, ",");
		print_pair(both, run_options[i].help);
	}
	text_add(&out, "\nCommands (--help COMMAND shows more of one):\n");
	command_list(print_pair);
	return DONE;
}

/* ---- the run ---- */

volatile sig_atomic_t signals_seen, signal_last;
static size_t current;		/* the call that is being done, from 1 */

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

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGPIPE);
	for (int i = 0; i < 3; i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &action, &old);
		if (old.sa_handler == SIG_IGN)
			sigaction(signals[i], &old, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, &mbim.waiting);
	sigaddset(&mbim.waiting, SIGPIPE);
}

static int run_calls(struct mbim *m)
{
	int code = DONE;

	margin = n_calls > 1;
	if (!n_calls)
		return mbim_close(m);
	for (current = 0; current < n_calls && !code; current++)
		code = calls[current].command->kind == KIND_JOB ?
			job_run(m, &calls[current]) :
			command_run(m, &calls[current]);
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
	int code = DONE, ip = 0;

	if (!n_calls && !given[CLOSING])
		return bad_usage("no command", "");
	for (current = 0; current < n_calls && !code; current++) {
		const struct call *c = &calls[current];
		const struct head *head = head_of(c->command);

		slow = head->slow > slow ? head->slow : slow;
		ip |= job_tells_ip(c->command);
		if (head->risky >> (call_number(c, "") & 7) & 1 && !given[YES])
			code = bad_usage("may cut you off: wants --yes", "");
		code = code ? code : command_secrets(c);
		code = code ? code : c->command->kind == KIND_JOB ?
			job_check(c) : command_check(c);
	}
	if (!mbim.patience)
		mbim.patience = slow * SECOND;
	return code || ip || format != IP ? code : bad_usage(
		"-o ip is for --up, --down, --get-ip-configuration", "");
}

static void print_port(const struct mbim_port *p)
{
	out_open("", OUT_OBJECT);
	out_string("device", p->path);
	out_string("interface", p->net);
	out_string("bus", p->bus);
	out_string("id", p->ids);
	out_close();
}

static int list_ports(void)
{
	out_begin("list");
	out_open("ports", OUT_ARRAY);
	mbim_ports(print_port);
	out_close();
	out_end();
	return DONE;
}

static int run(void)
{
	int code;

	if (given[HELP])
		return print_help(given[HELP]);
	if (given[DECODE])
		return decode_file(given[DECODE]);
	if (given[LIST])
		return list_ports();
	if (given[SHOW_VERSION]) {
		text_add(&out, "mbimctl " VERSION "\n");
		return DONE;
	}
	code = check_calls();
	if (code)
		return code;
	current = 0;
	mbim.limit = now() + mbim.patience;
	mbim.open = given[ANEW] ? OPEN_ALWAYS : given[NEVER] || !n_calls ?
		OPEN_NEVER : OPEN_AUTO;
	mbim.close = given[CLOSING] != NULL;
	mbim.direct = given[DIRECT] != NULL;
	job_settings.force = given[FORCE] != NULL;
	job_settings.wants_net = format == IP;
	mbim.trace = verbose ? trace : NULL;
	code = mbim_find(&mbim, given[DEVICE]);
	return code ? code : mbim_with_device(&mbim, run_marked);
}

#ifndef DOCS
int main(int argc, char **argv)
{
	int code;

	(void)argc;
	set_signals();
	code = parse_arguments(argv);
	if (!code)
		code = run();
	failure.quiet = 0;
	if (signals_seen)	/* maybe not before clean-up */
		code = fail(SIGNALLED + signal_last, "interrupted");
	code = failure.exit ? failure.exit : code;
	if (code)
		flush(&out);	/* what went well comes first */
	if (code || !needs_none)
		report(current ? calls[current - 1].command : NULL);
	if (code && current && current < n_calls)
		warn(decimal(n_calls - current), " of the commands not run");
	flush(&out);
	if (failed[1]) {
		warn("cannot write the output");
		code = code ? code : NO_OUTPUT;
	}
	if (code > SIGNALLED) {		/* a true death by the signal */
		(void)signal(code - SIGNALLED, SIG_DFL);
		(void)raise(code - SIGNALLED);
		sigprocmask(SIG_SETMASK, &mbim.waiting, NULL);
	}
	return code;
}
#endif
