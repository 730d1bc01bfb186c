/* SPDX-License-Identifier: ISC
 *
 * A strict judge of JSON (RFC 8259), for tests: every line of stdin must be
 * one object, in valid UTF-8, without names that come twice in an object.
 * Exit 0 when all are, 1 with the place of the first fault on stderr.
 *
 *	json		judge
 *	json -k		and print the names of each line's object: those of
 *			objects in it as outer.inner, of lists only their own
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1 << 20, DEPTH = 64 };

static char text[LONGEST], *at;
static int line, wants_names, in_list;
static char path[4096];
static size_t path_len;

static _Noreturn void fault(const char *what)
{
	fprintf(stderr, "json: line %d, byte %d: %s\n", line,
		(int)(at - text) + 1, what);
	exit(1);
}

static void utf8(void)
{
	const unsigned char *p = (const unsigned char *)at;
	int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1, i;
	unsigned long c = *p & (0x3fu >> more);

	if (*p < 0xc2 || *p > 0xf4)
		fault("not UTF-8");
	for (i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			fault("not UTF-8");
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((more == 2 && c < 0x800) || (more == 3 && c < 0x10000) ||
	    c > 0x10ffff || c - 0xd800 < 0x800)
		fault("not UTF-8");
	at += more + 1;
}

static unsigned long hex4(void)
{
	char digits[5] = "", *end;
	int i;

	for (i = 0; i < 4; i++)
		if (!at[i] || !strchr("0123456789abcdefABCDEF", at[i]))
			fault("\\u wants four hex digits");
	memcpy(digits, at, 4);
	at += 4;
	return strtoul(digits, &end, 16);
}

static void escape(void)
{
	unsigned long c;

	at++;
	if (*at != 'u') {
		if (!*at || !strchr("\"\\/bfnrt", *at))
			fault("no such escape");
		at++;
		return;
	}
	at++;
	c = hex4();
	if (c - 0xdc00 < 0x400)
		fault("lone surrogate");
	if (c - 0xd800 >= 0x400)
		return;
	if (at[0] != '\\' || at[1] != 'u')
		fault("lone surrogate");
	at += 2;
	if (hex4() - 0xdc00 >= 0x400)
		fault("lone surrogate");
}

static void string(void)
{
	if (*at++ != '"')
		fault("a string is wanted");
	while (*at != '"') {
		if ((unsigned char)*at < 0x20)
			fault("a control character, or no end");
		if (*at == '\\')
			escape();
		else if ((unsigned char)*at < 0x80)
			at++;
		else
			utf8();
	}
	at++;
}

static int digits(void)
{
	char *from = at;

	while (*at >= '0' && *at <= '9')
		at++;
	return (int)(at - from);
}

static void number(void)
{
	at += *at == '-';
	if (*at == '0')
		at++;
	else if (!digits())
		fault("a value is wanted");
	if (*at == '.') {
		at++;
		if (!digits())
			fault("digits are wanted");
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '+' || *at == '-';
		if (!digits())
			fault("digits are wanted");
	}
}

static void space(void)
{
	at += strspn(at, " \t\r");
}

static void value(int depth);

/* A name with its quotes, behind those of the objects around it. */
static void enter(const char *name, size_t len)
{
	if (path_len + len >= sizeof(path))
		fault("names too long");
	if (path_len)
		path[path_len++] = '.';
	memcpy(path + path_len, name + 1, len - 2);
	path_len += len - 2;
	if (wants_names && !in_list)
		printf("%.*s\n", (int)path_len, path);
}

static void members(int depth)
{
	struct { char *s; size_t len; } names[512];
	size_t n = 0, i, outer = path_len;

	at++;
	space();
	if (*at == '}') {
		at++;
		return;
	}
	for (;;) {
		space();
		if (n == sizeof(names) / sizeof(*names))
			fault("too many names");
		names[n].s = at;
		string();
		names[n].len = (size_t)(at - names[n].s);
		for (i = 0; i < n; i++)
			if (names[i].len == names[n].len &&
			    !memcmp(names[i].s, names[n].s, names[n].len))
				fault("the same name again");
		n++;
		space();
		if (*at++ != ':')
			fault("a colon is wanted");
		enter(names[n - 1].s, names[n - 1].len);
		value(depth);
		path_len = outer;
		if (*at != ',')
			break;
		at++;
	}
	if (*at++ != '}')
		fault("} is wanted");
}

static void elements(int depth)
{
	at++;
	space();
	if (*at == ']') {
		at++;
		return;
	}
	for (;;) {
		value(depth);
		if (*at != ',')
			break;
		at++;
	}
	if (*at++ != ']')
		fault("] is wanted");
}

static void value(int depth)
{
	static const char *const words[] = { "true", "false", "null" };
	int i;

	if (depth == DEPTH)
		fault("too deep");
	space();
	if (*at == '{') {
		members(depth + 1);
	} else if (*at == '[') {
		in_list++;
		elements(depth + 1);
		in_list--;
	} else if (*at == '"') {
		string();
	} else {
		for (i = 0; i < 3; i++)
			if (!strncmp(at, words[i], strlen(words[i])))
				break;
		if (i < 3)
			at += strlen(words[i]);
		else
			number();
	}
	space();
}

int main(int argc, char **argv)
{
	size_t len;

	wants_names = argc == 2 && !strcmp(argv[1], "-k");

	while (fgets(text, sizeof(text), stdin)) {
		line++;
		at = text;
		len = strlen(text);
		if (!len || text[len - 1] != '\n')
			fault("no newline at the end, or a NUL");
		text[len - 1] = '\0';
		if (*at != '{')
			fault("an object is wanted");
		value(0);
		if (*at)
			fault("something behind the object");
	}
	if (!line) {
		at = text;
		fault("nothing at all");
	}
	return 0;
}
