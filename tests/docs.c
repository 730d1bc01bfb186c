/* SPDX-License-Identifier: ISC
 *
 * Prints the man page ("man") or the bash completion ("bash"), from the ledger
 * and the run options. A native program of make docs: a cross build can have
 * them too, and the shipped file does not carry them.
 */
#define DOCS
#include "../main.c"

static void put(const char *s)
{
	text_add(&out, s);
}

static const char man_head[] =
	".TH MBIMCTL 1 2026-11-21 \"mbimctl " VERSION "\"\n"
	".SH NAME\nmbimctl \\- talk MBIM, and QMI through MBIM, to a modem\n"
	".SH SYNOPSIS\n.B mbimctl\n[\\fIrun options\\fR] "
	"\\-\\-\\fIcommand\\fR[=\\fIVALUE\\fR] "
	"[\\-\\-\\fIparameter VALUE\\fR]... [\\-\\-\\fIcommand\\fR ...]\n"
	".SH DESCRIPTION\nOne run makes one transaction with a modem: open, "
	"commands, close. The whole line is parsed and every request encoded "
	"before the device is touched. The device is locked with flock(2); "
	"programs that take no such lock are not kept out.\n"
	".SH RUN OPTIONS\n";
static const char man_exits[] =
	".SH EXIT STATUS\n.nf\n"
	"0    done\n1    the modem refused\n2    usage\n"
	"3    no device, cannot open it, or it went away\n"
	"4    deadline passed\n5    malformed reply\n"
	"6    device busy\n7    PIN or PUK needed\n"
	"8    no SIM, bad SIM, SIM not ready\n9    network refused\n"
	"10   FCC lock\n11   the modem does not have this command\n"
	"12   state not reached\n13   output could not be written\n"
	"128+n  ended by signal n\n.fi\n"
	".SH ENVIRONMENT\n.TP\nMBIMCTL_RUN_DIR\nwhere open sessions are "
	"remembered, instead of /run/mbimctl or /var/run/mbimctl\n"
	".TP\nMBIMCTL_ROOT\na directory in which /sys and /dev are looked for\n"
	".SH SEE ALSO\nmbimcli(1), qmicli(1)\n";

static void man_words(const char *table)
{
	const char *p = table + (*table == '|'), *word;
	uint64_t n;

	put(".br\n");
	for (int any = 0; (word = next_word(&p, &n)); any = 1) {
		put(any ? ", " : "");
		text_dashed(&out, word);
	}
	put(*table == '|' ? " (a comma list)\n" : "\n");
}

static void man_option(const struct option_help *h)
{
	put(".TP\n\\fB\\-\\-");
	text_dashed(&out, h->name);
	put(h->is_value ? "\\fR (the command's own value)\n" : "\\fR\n");
	put(h->help);
	put(h->also ? "; also \\-\\-" : "");
	text_dashed(&out, h->also ? h->also : "");
	put(h->is_required ? "; needed" : "");
	put(h->fallback ? "; default " : "");
	text_dashed(&out, h->fallback ? h->fallback : "");
	put("\n");
	if (h->words && *h->words != '*')
		man_words(h->words);
}

static void man_command(const char *name, const char *help)
{
	put(".SS \\-\\-");
	text_dashed(&out, name);
	put("\n");
	put(help);
	put("\n");
	command_options(command_find(name), man_option);
}

static void bash_name(const char *name, const char *help)
{
	(void)help;
	put(" --");
	text_dashed(&out, name);
}

static void bash_option(const struct option_help *h)
{
	bash_name(h->name, "");
	if (h->also)
		bash_name(h->also, "");
}

static void bash_command(const char *name, const char *help)
{
	(void)help;
	put("\t--");
	text_dashed(&out, name);
	put("|--");
	text_dashed(&out, name);
	put("=*) own=\"");
	command_options(command_find(name), bash_option);
	put("\" ;;\n");
}

int main(int argc, char **argv)
{
	int man = argc > 1 && !strcmp(argv[1], "man");
	size_t i;

	put(man ? man_head : "# bash completion for mbimctl\n_mbimctl()\n{\n"
		"\tlocal own= word\n\tfor word in \"${COMP_WORDS[@]:1:"
		"COMP_CWORD-1}\"; do case $word in\n");
	if (!man)
		command_list(bash_command);
	put(man ? "" : "\tesac; done\n\tCOMPREPLY=($(compgen -W \"$own");
	for (i = 0; i < RUN_OPTIONS; i++) {
		put(man ? ".TP\n\\fB\\-\\-" : " --");
		text_dashed(&out, run_options[i].name);
		if (man) {
			put("\\fR ");
			put(run_options[i].value);
			put("\n");
			put(run_options[i].help);
			put("\n");
		}
	}
	put(man ? ".SH COMMANDS\n" : "");
	command_list(man ? man_command : bash_name);
	put(man ? man_exits : "\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
		"complete -o default -F _mbimctl mbimctl\n");
	flush(&out);
	return failed[1];
}
