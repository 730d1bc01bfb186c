/* SPDX-License-Identifier: ISC
 *
 * Prints the man page ("man"), the bash completion ("bash"), or the name of
 * every option, field and word, one a line ("names"), from the command table
 * and the run options. A native program of make docs: a cross build can have
 * them too, and the shipped file does not carry them. It includes commands.c,
 * to walk the table.
 */
#define DOCS
#include "../main.c"
#include "../commands.c"

enum { MANY_WORDS = 12 };	/* more stand in a section of their own */

static int is_bad;		/* a command is named that there is not */

static void add(const char *s)
{
	text_add(&out, s);
}

static void add_dashed(const char *before, const char *name, const char *after)
{
	add(before);
	text_dashed(&out, name);
	add(after);
}

static void add_number(uint64_t n)
{
	text_decimal(&out, n);
}

/* ---- walking the table ---- */

static const char *const table_names[] = {
#define VALUES(name, ...)		#name,
#define SCALE(name, ...)		#name,
#include "../commands.def"
};

static const char *name_of_table(int show)
{
	return table_names[show - SHOW_TABLES];
}

/* The table whose words a show has, or NULL when it has none. */
static const char *words_of(int show)
{
	const char *table = table_of(show);

	if (show == show_bool)
		return "0 off\0" "1 on\0";
	return *table > '\1' && *table != '*' ? table : NULL;
}

static int count_words(const char *table)
{
	uint64_t number;
	int n = 0;

	for (table += *table == '|'; next_word(&table, &number); n++)
		;
	return n;
}

static void each_option(enum command_number c,
	void (*each)(const struct item *it))
{
	struct cursor options = find_part(c, OP_REQUEST, 0);
	struct item it;

	while (next_option(&options, &it))
		each(&it);
}

/* Of a comma list's option the item that its elements are. */
static struct item element_of(const struct item *it)
{
	struct cursor inner = it->inner;
	struct item element = *it;

	if (it->kind->has & ITEMS && it->bare)
		next_item(&inner, &element);
	return element;
}

static int is_list(const struct item *it)
{
	return (it->kind->has & ITEMS && it->op != OP_STRUCT &&
		it->op != OP_AT) || *table_of(element_of(it).show) == '|';
}

/* The command whose reply a command has as its own, or cmd_none. */
static enum command_number same_as(enum command_number c)
{
	struct command_head h;
	struct cursor at = read_head(c, &h);
	struct item it;

	for (;;) {
		while (next_item(&at, &it))
			skip_item(&at, &it);
		if (*at.op == OP_SAME)
			return at.op[1] | at.op[2] << 8;
		if (*at.op == OP_END)
			return cmd_none;
		at.op += 2;
	}
}

/* ---- the man page ---- */

/* Text of ours: a dash is one to be copied, and no line is a request. */
static void roff(const char *s)
{
	for (int begins = 1; *s; begins = *s++ == '\n') {
		if (begins && (*s == '.' || *s == '\''))
			add("\\&");
		if (*s == '-')
			add("\\-");
		else if (*s == '\\')
			add("\\e");
		else
			text_char(&out, *s);
	}
}

static void roff_dashed(const char *name)
{
	char dashed[128];
	struct text t = TEXT(dashed);

	text_dashed(&t, name);
	roff(dashed);
}

static void bold_option(const char *name, const char *more)
{
	add("\\fB\\-\\-");
	roff_dashed(name);
	roff(more);
	add("\\fR");
}

static void roff_words(const char *table)
{
	const char *p = table + (*table == '|'), *word;
	uint64_t n;

	for (int any = 0; (word = next_word(&p, &n)); any = 1) {
		add(any ? ", " : "");
		roff_dashed(word);
	}
	add("\n");
}

/* Which tables stand in a section of their own. */
static uint8_t is_section[COUNT_OF(table_names)];

static void man_words(const char *before, int show)
{
	const char *table = words_of(show);

	if (!table)
		return;
	add(before);
	if (show >= SHOW_TABLES && count_words(table) > MANY_WORDS) {
		is_section[show - SHOW_TABLES] = 1;
		add("those of ");
		roff_dashed(name_of_table(show));
		add(", see WORDS.\n");
	} else {
		roff_words(table);
	}
}

static void man_unit(int show)
{
	const char *table = table_of(show);
	struct scale s;

	if (*table != '*')
		return;
	s = scale_of(table);
	if (*s.unit) {
		char unit[32];
		struct text t = TEXT(unit);

		text_put(&t, s.unit + 1, span(s.unit + 1, ' '));
		add(" in ");
		roff(unit);
	}
	add(s.is_plain ? "" : ", or unknown");
}

/* What an option's value is called. */
static const char *value_name(const struct item *it)
{
	struct item element = element_of(it);

	if (words_of(element.show))
		return is_list(it) ? "WORD,..." : "WORD";
	switch (element.kind->what) {
	case NUMBER: case SIGNED:
		return is_list(it) ? "N,..." : "N";
	case HEX:
		return "HEX";
	case ID:
		return "UUID";
	default:
		return "TEXT";
	}
}

/* A help text; or the name, which says it all. */
static void roff_help(const char *help, const char *name)
{
	char text[128];
	struct text t = TEXT(text);

	if (*help) {
		roff(help);
		return;
	}
	for (; *name; name++)
		text_char(&t, *name == '_' ? ' ' : *name);
	roff(text);
}

static void man_option(const struct item *it)
{
	struct item element = element_of(it);
	int is_value = (it->flags & FLAG(OP_VALUE)) != 0;

	add(".TP\n");
	bold_option(it->name, "");
	if (it->also) {
		add(", ");
		bold_option(it->also, "");
	}
	add(" \\fI");
	roff(value_name(it));
	add("\\fR");
	if (it->flags & FLAG(OP_SECRET) && !is_value) {
		add(", ");
		bold_option(it->name, "-file");
		add(" \\fIFILE\\fR");
	}
	add("\n");
	roff_help(it->help, it->name);
	if (is_value)
		add("; the command's own value");
	man_unit(element.show);
	if (it->flags & FLAG(OP_REQUIRED))
		add("; needed");
	if (it->fallback) {
		add("; default ");
		roff_dashed(it->fallback);
	}
	add(".\n");
	if (it->max_digits) {
		if (it->digits_mask != 0xffff)
			add("Of some: ");
		if (it->min_digits < it->max_digits) {
			add_number(it->min_digits);
			add(" to ");
		}
		add_number(it->max_digits);
		add(" digits.\n");
	}
	man_words(is_list(it) ? "A comma list of: " : "One of: ",
		element.show);
}

/* What a field of a reply is. */
static void man_kind(const struct item *it)
{
	static const char *const whats[] = { [NUMBER] = "number",
		[SIGNED] = "number", [HEX] = "hex", [TEXT8] = "text",
		[TEXT16] = "text", [ID] = "UUID", [ADDRESS] = "address" };
	struct item element = element_of(it);
	const char *words = words_of(element.show);

	if (it->op == OP_AT) {
		struct cursor inner = it->inner;

		next_item(&inner, &element);
	}
	if (it->op == OP_STRUCT) {
		add("object");
	} else if (it->kind->has & ITEMS && !it->bare && it->op != OP_AT) {
		add("list of objects");
	} else if (is_list(it)) {
		add("list of ");
		add(words ? "words" : whats[element.kind->what]);
		add(words || element.kind->what == HEX ? "" :
			element.kind->what == ADDRESS ? "es" : "s");
	} else if (element.show == show_bool) {
		add("true or false");
	} else if (element.show == show_mcc || element.show == show_mnc) {
		add("digits");
	} else if (element.show == show_hex) {
		add("0x and hex digits");
	} else {
		add(words ? element.kind->what == ID ? "word or UUID" :
			"word or number" : whats[element.kind->what]);
		man_unit(element.show);
	}
}

static void man_fields(struct cursor c, const char *since);

static void man_field(const struct item *it, const char *since)
{
	struct item element = element_of(it);

	if (!it->name || !*it->name || it->op == OP_CONST) {
		man_fields(it->inner, since);	/* a REF: its items */
		return;
	}
	add(".IP \"\\fB");
	roff(it->name);
	add("\\fR, ");
	man_kind(it);
	add(it->tlv >= 0 ? ", optional" : "");
	add(since);
	add("\" 4\n");
	if (element.show != show_bool)
		man_words("Of: ", element.show);
	if (it->kind->has & ITEMS && !it->bare && it->op != OP_AT) {
		add(".RS 4\n");
		man_fields(it->inner, "");
		add(".RE\n");
	}
}

static void man_fields(struct cursor c, const char *since)
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it))
		if ((it.name && it.op != OP_CONST) || it.op == OP_REF)
			man_field(&it, since);
}

/* Is a field of the top level in the layout of a version? */
static int is_in_version(enum command_number c, const char *name, int version)
{
	struct cursor fields = find_part(c, OP_REPLY, version);
	struct item it;

	while (next_field(&fields, &it))
		if (!strcmp(it.name, name))
			return 1;
	return 0;
}

/* Of a list of objects the newest layout; other fields have the oldest's. */
static void take_newest(enum command_number c, struct item *it)
{
	for (int v = VERSION_MAX; v && it->kind->has & ITEMS && it->name; v--) {
		struct cursor fields = find_part(c, OP_REPLY, v);
		struct item newer;

		for (; next_item(&fields, &newer); skip_item(&fields, &newer))
			if (newer.name && !strcmp(newer.name, it->name)) {
				*it = newer;
				return;
			}
	}
}

/* The fields of all layouts; those that not all have say so. */
static void man_layouts(enum command_number c)
{
	static const char *const since[] = { "", "", ", from MBIMEx 2.0 on",
		", from MBIMEx 3.0 on" };

	for (int v = 0; v <= VERSION_MAX; v++) {
		struct cursor fields = find_part(c, OP_REPLY, v);
		struct item it, newest;

		if (!has_part(c, OP_REPLY, v))
			continue;
		for (; next_item(&fields, &it); skip_item(&fields, &it)) {
			int is_old = 0, goes;

			if ((!it.name || it.op == OP_CONST) &&
			    it.op != OP_REF)
				continue;
			for (int i = 0; i < v && it.name; i++)
				is_old |= is_in_version(c, it.name, i);
			if (is_old)
				continue;
			goes = it.name && !is_in_version(c, it.name,
				VERSION_MAX);
			newest = it;
			take_newest(c, &newest);
			man_field(&newest, goes ? ", only before MBIMEx 2.0" :
				since[v]);
		}
	}
}

static void man_reply(enum command_number c)
{
	enum command_number other = same_as(c);
	struct cursor fields = find_part(c, OP_REPLY, 0);
	struct item it;

	add(".PP\n");
	if (other != cmd_none) {
		add("The reply is that of ");
		bold_option(names + commands[other].names, "");
		add(".\n");
		return;
	}
	if (!next_item(&fields, &it)) {
		add(commands[c].kind >= KIND_RAW_MBIM ? "The reply is that of "
			"the command, if the table has it, or hex.\n" :
			"The reply has no fields.\n");
		return;
	}
	add("Reply:\n.RS 4\n.PD 0\n");
	man_layouts(c);
	add(".PD\n.RE\n");
}

/* What is to be known before it is used. */
static void man_remarks(const struct command_head *h)
{
	if (h->slow) {
		add("The deadline is ");
		add_number(h->slow);
		add(" s.\n");
	}
	if (h->risky)
		add(h->risky == 255 ? "It wants \\fB\\-\\-yes\\fR.\n" :
			"Some values want \\fB\\-\\-yes\\fR.\n");
	if (h->flags & FLAG(OP_KEEP))
		add("The data session outlives the run.\n");
}

static void man_command(enum command_number c)
{
	struct command_head h;
	struct cursor options = read_head(c, &h);
	struct item it;

	add(".SS \"");
	bold_option(h.name, "");
	if (command_option(c, "") != OPTION_NONE) {
		add("=\\fI");
		while (next_option(&options, &it))
			if (it.flags & FLAG(OP_VALUE))
				roff(h.kind >= KIND_RAW_MBIM ? "VALUE" :
					value_name(&it));
		add("\\fR");
	}
	if (is_secret_value(c)) {
		add(", ");
		bold_option(h.name, "-file");
		add(" \\fIFILE\\fR");
	}
	add("\"\n");
	roff(h.help);
	add(h.help[strlen(h.help) - 1] == '.' ? "\n" : ".\n");
	man_remarks(&h);
	each_option(c, man_option);
	man_reply(c);
}

static void man_run_options(void)
{
	for (size_t i = 0; i < RUN_OPTIONS; i++) {
		add(".TP\n");
		if (*run_options[i].letter) {
			add("\\fB\\-");
			add(run_options[i].letter);
			add("\\fR, ");
		}
		bold_option(run_options[i].name, "");
		if (*run_options[i].value) {
			add(" \\fI");
			roff(run_options[i].value);
			add("\\fR");
		}
		add("\n");
		roff(run_options[i].help);
		add(".\n");
	}
}

static void man_sections_of_words(void)
{
	add(".SH WORDS\nWords may be written in any case, with _ for \\-; a "
		"number may take the place of one, in decimal or 0x.\n");
	for (size_t i = 0; i < COUNT_OF(table_names); i++) {
		if (!is_section[i])
			continue;
		add(".TP\n.B ");
		roff_dashed(table_names[i]);
		add("\n");
		roff_words(table_of((int)i + SHOW_TABLES));
	}
}

/*
 * What other programs call it, and the command that does it here.
 */
static const struct {
	const char *theirs, *ours;
} others[] = {
	{ "umbim", NULL },
	{ "caps", "--get-device-caps" },
	{ "subscriber", "--get-subscriber-ready-status" },
	{ "radio", "--get-radio-state" },
	{ "radio on|off", "--set-radio-state on|off" },
	{ "pinstate", "--get-pin" },
	{ "unlock PIN", "--enter-pin PIN" },
	{ "home", "--get-home-provider" },
	{ "registration", "--get-register-state" },
	{ "registration PLMN", "--register --provider-id PLMN" },
	{ "attach", "--attach" },
	{ "detach", "--detach" },
	{ "connect TYPE:APN", "--connect --ip-type TYPE --apn APN" },
	{ "disconnect", "--disconnect" },
	{ "config", "--get-ip-configuration" },
	{ "uqmi", NULL },
	{ "--get-versions", "--ctl-get-version-info" },
	{ "--sync", "--ctl-sync" },
	{ "--get-capabilities", "--dms-get-capabilities" },
	{ "--get-imei", "--dms-get-ids" },
	{ "--get-imsi, --get-iccid", "--get-subscriber-ready-status" },
	{ "--get-msisdn", "--get-subscriber-ready-status" },
	{ "--get-pin-status", "--get-pin" },
	{ "--verify-pin1 PIN", "--enter-pin PIN" },
	{ "--set-pin1-protection", "--enable-pin, --disable-pin" },
	{ "--change-pin1", "--change-pin" },
	{ "--unblock-pin1", "--unblock-pin" },
	{ "--get-device-operating-mode", "--dms-get-operating-mode" },
	{ "--set-device-operating-mode", "--dms-set-operating-mode" },
	{ "--fcc-auth", "--dms-set-fcc-authentication" },
	{ "--network-register", "--register" },
	{ "--set-plmn", "--register --provider-id PLMN" },
	{ "--network-scan", "--get-visible-providers" },
	{ "--get-signal-info", "--nas-get-signal-info" },
	{ "--get-serving-system", "--nas-get-serving-system" },
	{ "--uim-get-sim-state", "--uim-get-card-status" },
	{ "--start-network", "--wds-start-network" },
	{ "--stop-network", "--wds-stop-network" },
	{ "--get-data-status", "--wds-get-packet-service-status" },
	{ "--get-current-settings", "--get-ip-configuration" },
	{ "--list-messages, --get-message", "--sms-read" },
	{ "mbimcli", NULL },
	{ "--query-...", "--get-..., and --query-... itself" },
	{ "--query-device-caps", "--get-device-caps" },
	{ "--query-pin-state", "--get-pin" },
	{ "--enter-pin=PIN", "--enter-pin PIN" },
	{ "--enter-puk=PUK,PIN", "--unblock-pin --puk PUK --new-pin" },
	{ "--change-pin=PIN,NEW", "--change-pin --pin PIN --new-pin NEW" },
	{ "--query-registration-state", "--get-register-state" },
	{ "--set-register-state", "--register" },
	{ "--register-automatic", "--register" },
	{ "--query-packet-service-state", "--get-packet-service" },
	{ "--attach-packet-service", "--attach" },
	{ "--detach-packet-service", "--detach" },
	{ "--query-connection-state", "--get-connect" },
	{ "--connect=apn=APN,ip-type=...", "--connect --apn APN --ip-type ..." },
	{ "--disconnect=N", "--disconnect --session-id N" },
	{ "--set-service-activation", "--service-activation" },
	{ "--sms-read", "--sms-read" },
	{ "--quectel-query-radio-state", "--quectel-get-radio-state" },
	{ "--quectel-set-radio-state", "--quectel-set-radio-state" },
	{ "--printable=HEX", "--decode FILE" },
	{ "qmicli", NULL },
	{ "--dms-..., --nas-..., --wds-...", "the same names, such as these" },
	{ "--get-service-version-info", "--ctl-get-version-info" },
	{ "--device-open-sync", "--ctl-sync" },
	{ "--dms-get-ids", "--dms-get-ids" },
	{ "--dms-get-operating-mode", "--dms-get-operating-mode" },
	{ "--dms-uim-verify-pin=PIN,PIN", "--enter-pin PIN" },
	{ "--nas-network-scan", "--get-visible-providers" },
	{ "--uim-get-card-status", "--uim-get-card-status" },
	{ "--wds-start-network=apn=APN,...", "--wds-start-network --apn APN" },
	{ "--wds-stop-network=HANDLE", "--wds-stop-network" },
	{ "--wds-get-current-settings", "--get-ip-configuration" },
};

static int is_option(const char *name, enum command_number *c)
{
	enum command_number found = command_find(name);

	if (found != cmd_none)
		*c = found;
	for (size_t i = 0; i < RUN_OPTIONS; i++)
		if (!strcmp(run_options[i].name, name))
			return 1;
	return found != cmd_none || (*c != cmd_none &&
		command_option(*c, name) != OPTION_NONE);
}

/* Are all that our side names commands, and parameters of them? */
static void check_ours(const char *s)
{
	enum command_number c = cmd_none;

	while ((s = strstr(s, "--"))) {
		char name[64];
		struct text t = TEXT(name);

		for (s += 2; *s == '-' || isalnum((uint8_t)*s); s++)
			text_char(&t, *s);
		if (!strncmp(s, "...", 3) || is_option(name, &c))
			continue;
		warn("the table has no --", name);
		is_bad = 1;
	}
}

static void man_others(void)
{
	add(".SH FROM UMBIM, UQMI, MBIMCLI, QMICLI\nThe usual commands of "
		"other programs, and those that do it here. What is not "
		"among them is sent with \\fB\\-\\-raw\\-mbim\\fR and "
		"\\fB\\-\\-raw\\-qmi\\fR.\n");
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (!others[i].ours) {
			add(i ? ".fi\n" : "");
			add(".PP\n.B ");
			roff(others[i].theirs);
			add("\n.nf\n");
			continue;
		}
		check_ours(others[i].ours);
		add("    ");
		roff(others[i].theirs);
		for (size_t n = strlen(others[i].theirs); n < 32; n++)
			text_char(&out, ' ');
		add(" ");
		roff(others[i].ours);
		add("\n");
	}
	add(".fi\n");
}

static const char man_head[] =
	".TH MBIMCTL 1 2026-11-21 \"mbimctl " VERSION "\"\n"
	".SH NAME\nmbimctl \\- talk MBIM, and QMI through MBIM, to a modem\n"
	".SH SYNOPSIS\n.B mbimctl\n[\\fIrun options\\fR] "
	"\\fB\\-\\-\\fIcommand\\fR[=\\fIVALUE\\fR] "
	"[\\fB\\-\\-\\fIparameter VALUE\\fR]... "
	"[\\fB\\-\\-\\fIcommand\\fR ...]\n"
	".SH DESCRIPTION\nOne run makes one transaction with a modem: open, "
	"commands, close. The whole line is parsed and every request encoded "
	"before the device is touched. Parameters belong to the command before "
	"them; run options may stand anywhere. The device is locked with "
	"flock(2); programs that take no such lock are not kept out.\n.PP\n"
	"A value stands behind a = or is the next argument. Words may be "
	"written in any case, with _ for \\-; numbers in decimal or 0x. A "
	"secret (PIN, password) has a second option, with \\-file behind its "
	"name: the secret is the line of that file, or of standard input if it "
	"is \\-.\n"
	".SH RUN OPTIONS\n";
static const char man_outputs[] =
	".SH OUTPUTS\n"
	".TP\n.B text\nis for people and may change at any time.\n"
	".TP\n.B json\nhas an object for each command, one a line, the key "
	"\\fBcommand\\fR first. What the modem does not know or did not send "
	"is null, a list that it did not send []; an optional field that did "
	"not come is not there. A failure is an object \\fBerror\\fR: "
	"\\fBexit\\fR, \\fBtext\\fR and, if the modem gave a number, "
	"\\fBdomain\\fR, \\fBnumber\\fR and \\fBname\\fR. TLVs that the table "
	"does not have are in \\fBunknown\\fR, as hex.\n"
	".TP\n.B sh\nhas an assignment a line, mbim_\\fIfield\\fR='...', safe "
	"for eval; every variable that a command can set is set, to nothing if "
	"nothing came. The names of nested fields are joined by _. Lists of "
	"words, numbers and addresses are one variable, with blanks. Lists of "
	"objects and texts are mbim_\\fIlist\\fR_0_\\fIfield\\fR and so on, and "
	"mbim_\\fIlist\\fR_count. The last line is mbim_exit='\\fIN\\fR', with "
	"mbim_error='...' before it on failure.\n"
	".TP\n.B ip\nhas the commands of ip(8) that set the addresses, for "
	"\\fB\\-\\-up\\fR, \\fB\\-\\-ensure\\-connected\\fR, "
	"\\fB\\-\\-down\\fR and \\fB\\-\\-get\\-ip\\-configuration\\fR; on "
	"failure exit \\fIN\\fR.\n";
static const char man_tail[] =
	".SH FILES\n"
	".TP\n/dev/cdc\\-wdm*, /dev/wwan*mbim*\nthe control devices of modems\n"
	".TP\n/run/mbimctl, /var/run/mbimctl\nmarkers of the data sessions that "
	"outlive a run; a directory of yours with mode 0700\n"
	".SH ENVIRONMENT\n"
	".TP\nMBIMCTL_RUN_DIR\na directory for the markers, instead of "
	"these\n"
	".TP\nMBIMCTL_ROOT\na directory in which /sys and /dev are looked for\n"
	".SH EXIT STATUS\n.nf\n"
	"0      done\n1      the modem refused\n2      usage\n"
	"3      no device, cannot open it, or it went away\n"
	"4      deadline passed\n5      malformed reply\n"
	"6      device busy\n7      PIN or PUK needed\n"
	"8      no SIM, bad SIM, SIM not ready\n9      network refused\n"
	"10     FCC lock\n11     the modem does not have this command\n"
	"12     state not reached\n13     output could not be written\n"
	"128+N  ended by signal N\n.fi\n"
	".SH SEE ALSO\nmbimcli(1), qmicli(1), ip(8)\n";

static void print_man(void)
{
	add(man_head);
	man_run_options();
	add(".SH COMMANDS\nEach with its parameters and the fields of its "
		"reply. The names of fields are JSON's and, behind mbim_, "
		"those of sh; in text they have blanks for _. Optional fields "
		"are TLVs of QMI that a modem may leave out.\n");
	for (enum command_number c = 0; c < COMMANDS; c++)
		man_command(c);
	man_sections_of_words();
	add(man_outputs);
	man_others();
	add(man_tail);
}

/* ---- bash completion ---- */

/* All names of an option, each between two texts. */
static void option_names(const struct item *it, const char *before,
	const char *after)
{
	add_dashed(before, it->name, after);
	if (it->also)
		add_dashed(before, it->also, after);
	if (it->flags & FLAG(OP_SECRET) && !(it->flags & FLAG(OP_VALUE))) {
		add_dashed(before, it->name, "-file");
		add(after);
	}
}

static void bash_names(const struct item *it)
{
	option_names(it, " --", "");
}

/* The parameters of each command. */
static void bash_own(void)
{
	add("# What belongs to a command, into own; false if it is none.\n"
		"_mbimctl_own()\n{\n\tcase ${1/#--query-/--get-} in\n");
	for (enum command_number c = 0; c < COMMANDS; c++) {
		const char *name = names + commands[c].names;

		add_dashed("\t--", name, "");
		if (is_secret_value(c))
			add_dashed("|--", name, "-file");
		add(") own=\"");
		each_option(c, bash_names);
		add("\" ;;\n");
	}
	add("\t*) return 1 ;;\n\tesac\n}\n\n");
}

/* The table whose arm is being written, and what else its arm must have. */
static int arm_show, arm_is_list, arm_any;
static enum command_number arm_command;

static void add_pattern(const char *name)
{
	add(arm_any++ ? "|\\\n\t" : "\t");
	add_dashed("\"--", names + commands[arm_command].names, "");
	add_dashed(" --", name, "\"");
}

static void bash_pattern(const struct item *it)
{
	struct item element = element_of(it);

	if (element.show != arm_show || is_list(it) != arm_is_list)
		return;
	add_pattern(it->name);
	if (it->also)
		add_pattern(it->also);
	if (it->flags & FLAG(OP_VALUE))
		add_pattern(names + commands[arm_command].names);
}

/* An arm for each value table, with the words of it. */
static void bash_arm(int show, int is_comma_list)
{
	const char *p = words_of(show), *word;
	uint64_t n;

	arm_show = show;
	arm_is_list = is_comma_list;
	arm_any = 0;
	for (arm_command = 0; arm_command < COMMANDS; arm_command++)
		each_option(arm_command, bash_pattern);
	if (!arm_any)
		return;
	add(is_comma_list ? ") list=1 values=\"" : ") values=\"");
	for (p += *p == '|'; (word = next_word(&p, &n)); )
		add_dashed(" ", word, "");
	add("\" ;;\n");
}

/* Values without words: there is nothing to complete them with. */
static void bash_wordless(const struct item *it)
{
	if (it->flags & FLAG(OP_VALUE) && !words_of(element_of(it).show))
		add_pattern(names + commands[arm_command].names);
}

static void bash_values(void)
{
	add("# The words of a command's option, into values and list; false if "
		"it takes no\n# value.\n_mbimctl_values()\n{\n\tcase \""
		"${1/#--query-/--get-} ${2/#--query-/--get-}\" in\n");
	for (int is_comma_list = 0; is_comma_list < 2; is_comma_list++)
		for (int show = 0; show < (int)(SHOW_TABLES +
				COUNT_OF(table_names)); show++)
			if (words_of(show))
				bash_arm(show, is_comma_list);
	arm_any = 0;
	for (arm_command = 0; arm_command < COMMANDS; arm_command++)
		each_option(arm_command, bash_wordless);
	add(") ;;\n\t*) [[ \" $own \" == *\" $2 \"* ]] ;;\n\tesac\n}\n\n");
}

static void bash_run_options(void)
{
	for (size_t i = 0; i < RUN_OPTIONS; i++) {
		add_dashed(" --", run_options[i].name, "");
		if (*run_options[i].letter) {
			add(" -");
			add(run_options[i].letter);
		}
	}
}

static void bash_commands(void)
{
	for (enum command_number c = 0; c < COMMANDS; c++) {
		add_dashed(" --", names + commands[c].names, "");
		if (is_secret_value(c))
			add_dashed(" --", names + commands[c].names, "-file");
	}
}

/* The commands without dashes, and the words that they consist of. */
static void bash_help_words(void)
{
	static char words[16384];
	struct text t = TEXT(words);

	text_char(&t, ' ');
	for (enum command_number c = 0; c < COMMANDS; c++) {
		const char *name = names + commands[c].names;

		add_dashed(" ", name, "");
		for (size_t len; *name; name += len + (name[len] != '\0')) {
			char word[64] = " ";
			struct text w = { word, 1, sizeof(word), NULL };

			len = span(name, '_');
			text_put(&w, name, len);
			text_char(&w, ' ');
			if (len > 2 && !strstr(words, word))
				text_add(&t, word + 1);
		}
	}
	add(words);
}

static const char bash_devices[] =
	"# Nodes, and the network interfaces of MBIM ports.\n"
	"_mbimctl_devices()\n{\n"
	"\tlocal root=${MBIMCTL_ROOT-} f\n\n"
	"\tfor f in \"$root\"/dev/cdc-wdm* \"$root\"/dev/wwan*mbim*; do\n"
	"\t\t[[ ! -e $f ]] || echo \"$f\"\n"
	"\tdone\n"
	"\tfor f in \"$root\"/sys/class/{usbmisc/cdc-wdm*,wwan/*mbim*}/device/"
	"{,device/}net/*; do\n"
	"\t\t[[ ! -e $f ]] || echo \"${f##*/}\"\n"
	"\tdone\n}\n\n";
static const char bash_main[] =
	"_mbimctl()\n{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}"
	"\n\tlocal own= values= list= command= lead= word\n"
	"\tlocal IFS=$' \\t\\n'\n\n"
	"\tCOMPREPLY=()\n"
	"\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	"\t\t! _mbimctl_own \"${word%%=*}\" || command=${word%%=*}\n"
	"\tdone\n"
	"\t# a = is a word of its own, or not, by COMP_WORDBREAKS\n"
	"\tif [[ $cur == --*=* ]]; then\n"
	"\t\tprev=${cur%%=*} lead=$prev= cur=${cur#*=}\n"
	"\t\t! _mbimctl_own \"$prev\" || command=$prev\n"
	"\telif [[ $cur == '=' ]]; then\n"
	"\t\tcur=\n"
	"\telif [[ $prev == '=' ]]; then\n"
	"\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n"
	"\tfi\n"
	"\tcase $prev in\n"
	"\t-d|--device) values=$(_mbimctl_devices) ;;\n"
	"\t-o|--output) values='text json sh ip' ;;\n"
	"\t-t|--timeout|--prefix|--metric) return ;;\n"
	"\t--decode|--*-file)\n"
	"\t\tIFS=$'\\n'\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tCOMPREPLY=($(compgen -P \"$lead\" -f -- \"$cur\"))\n"
	"\t\treturn ;;\n"
	"\t-h|--help)\n\t\tvalues=\"";
static const char bash_end[] =
	"\n"
	"\tif [[ $list ]]; then	# the last of a comma list\n"
	"\t\tword=${cur##*,}\n"
	"\t\tlead=$lead${cur%\"$word\"} cur=$word\n"
	"\tfi\n"
	"\tCOMPREPLY=($(compgen -P \"$lead\" -W \"$values\" -- \"$cur\"))\n"
	"}\n"
	"complete -F _mbimctl mbimctl\n";

static void print_bash(void)
{
	add("# bash completion for mbimctl\n\n");
	bash_own();
	bash_values();
	add(bash_devices);
	add(bash_main);
	bash_help_words();
	add("\" ;;\n\t*)\n\t\t_mbimctl_values \"$command\" \"$prev\" || "
		"values=\"$own");
	bash_run_options();
	bash_commands();
	add("\" ;;\n\tesac");
	add(bash_end);
}

/* ---- names ---- */

static void name_option(const struct item *it)
{
	option_names(it, "--", "\n");
}

static void name_fields(struct cursor c)
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		if (it.name && *it.name && it.op != OP_CONST) {
			add(it.name);
			add("\n");
		}
		if (it.kind->has & ITEMS)
			name_fields(it.inner);
	}
}

static void print_names(void)
{
	for (size_t i = 0; i < RUN_OPTIONS; i++)
		add_dashed("--", run_options[i].name, "\n");
	for (enum command_number c = 0; c < COMMANDS; c++) {
		add_dashed("--", names + commands[c].names, "\n");
		if (is_secret_value(c))
			add_dashed("--", names + commands[c].names, "-file\n");
		each_option(c, name_option);
		for (int v = 0; v <= VERSION_MAX; v++)
			name_fields(find_part(c, OP_REPLY, v));
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	warn_line = write_warning;
	if (!strcmp(what, "man"))
		print_man();
	else if (!strcmp(what, "bash"))
		print_bash();
	else if (!strcmp(what, "names"))
		print_names();
	else
		is_bad = 1;
	flush(&out);
	return is_bad || failed[1];
}
