/* SPDX-License-Identifier: ISC
 *
 * What must hold for every entry of commands.def, and for the readers and
 * writers of values. It includes commands.c, and so sees its tables and static
 * functions, with a printer of its own; main.c is there for its run options.
 *
 *	table			test
 *	table -s DIRECTORY [N]	write seeds for the fuzzers of tests/fuzz.c,
 *				in variation N
 *
 * Replies are made here from the table, by a writer that shares no code with
 * the reader. A reply has as many forms as there are variations: each takes
 * other words, numbers and lengths.
 */
#define main	mbimctl_main
#include "../main.c"
#undef main
#include "../commands.c"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VARIATIONS = 6, ELEMENTS = 2, NAMES_MAX = 512 };

/* ---- counting ---- */

static int n_passed, n_failed, bad;
static char about[256];			/* what is being tested */

/* A property of something: one test, however many wants it has. */
static void begin(const char *property, const char *thing, int n)
{
	snprintf(about, sizeof(about), "%s: %s %d", property, thing, n);
	bad = 0;
}

static void want(int yes, const char *what, const char *got)
{
	if (!yes && bad++ < 3)
		printf("table: FAILED: %s: %s: %s\n", about, what, got);
}

static void end(void)
{
	if (bad)
		n_failed++;
	else
		n_passed++;
}

/* ---- what was printed ---- */

enum printed { VALUE_PRINTED, OPEN_PRINTED, CLOSE_PRINTED };

struct print {
	enum printed what;
	int kind;			/* enum value_kind or group */
	const char *name;
	char *s;
	size_t len;
};

static struct print prints[100000];
static size_t n_prints, depth, deepest;

static struct print *add_print(enum printed what, int kind, const char *name)
{
	struct print *p = &prints[n_prints++];

	if (n_prints == COUNT_OF(prints))
		abort();
	*p = (struct print){ what, kind, name, NULL, 0 };
	return p;
}

static void note_begin(const char *command, const char *prefix)
{
	(void)command;
	(void)prefix;
}

static void note_value(const struct value *v)
{
	struct print *p;

	if (v->kind >= VALUE_MISSING && printer->missing == MISSING_NONE)
		return;
	p = add_print(VALUE_PRINTED, (int)v->kind, v->name);
	p->s = malloc(v->len + 1);
	memcpy(p->s, v->s, v->len);
	p->s[v->len] = '\0';
	p->len = v->len;
}

static void note_open(const char *name, enum group group)
{
	add_print(OPEN_PRINTED, (int)group, name);
	if (++depth > deepest)
		deepest = depth;
}

static void note_close(void)
{
	add_print(CLOSE_PRINTED, 0, "");
	depth--;
}

static void note_end(void)
{
}

/* Printers that note what is printed, by what they are told of missing ones. */
static const struct printer noting[] = {
	[MISSING_NONE] = { note_begin, note_value, note_open, note_close,
		note_end, MISSING_NONE },
	[MISSING_KEYS] = { note_begin, note_value, note_open, note_close,
		note_end, MISSING_KEYS },
	[MISSING_ALL] = { note_begin, note_value, note_open, note_close,
		note_end, MISSING_ALL },
};

static void forget_prints(void)
{
	while (n_prints)
		free(prints[--n_prints].s);
	depth = 0;
}

/* ---- what is expected to be printed ---- */

struct expected {
	const char *name;		/* as in the table, or NULL: any */
	char text[120];			/* "": anything */
};

static struct expected expected[4096];
static size_t n_expected;

static void expect(const char *name, const char *format, ...)
{
	struct expected *e = &expected[n_expected++];
	va_list list;

	e->name = name;
	va_start(list, format);
	vsnprintf(e->text, sizeof(e->text), format, list);
	va_end(list);
}

static void compare(void)
{
	size_t i, n = 0;
	char what[400];

	for (i = 0; i < n_prints; i++) {
		struct print *e = &prints[i];
		struct expected *x = &expected[n];

		if (e->what != VALUE_PRINTED)
			continue;
		if (n++ == n_expected) {
			want(0, "printed too much", e->name);
			return;
		}
		snprintf(what, sizeof(what), "%s is not %s", e->name, x->text);
		want(!x->name || !strcmp(x->name, e->name), x->name ?
			x->name : "", e->name);
		want(!*x->text || !strcmp(x->text, e->s), what, e->s);
	}
	want(n == n_expected, "not printed", n < n_expected && expected[n].name ?
		expected[n].name : "");
}

/* ---- walking the table ---- */

static const size_t n_tables = COUNT_OF(tables);

static const char *name_of(enum command_number c)
{
	return names + commands[c].names;
}

static int is_uuid_table(const char *table)
{
	return strlen(table) > 36 && table[8] == '-' && table[13] == '-';
}

static int is_container(const struct item *it)
{
	return (it->kind->has & ITEMS) != 0;
}

/* The nth word of a table, going round; *n becomes its number. */
static const char *nth_word(const char *table, int nth, uint64_t *n)
{
	const char *p = table + (*table == '|'), *word = NULL;

	for (;;) {
		word = next_word(&p, n);
		if (word && !nth--)
			return word;
		if (*p <= '\1')
			p = table + (*table == '|');
	}
}

static uint64_t all_bits(const char *table)
{
	uint64_t n, bits = 0;

	for (table++; next_word(&table, &n); )
		bits |= n;
	return bits;
}

/* Call each for the items of a part and of all within. */
static void each_item(struct cursor c, int level, void (*each)(
	const struct item *it, int level))
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		each(&it, level);
		if (is_container(&it))
			each_item(it.inner, level + 1, each);
	}
}

/* Call each with the options of a command. */
static void each_option(enum command_number c,
	void (*each)(const struct item *it))
{
	struct cursor options = find_part(c, OP_REQUEST, 0);
	struct item it;

	while (next_option(&options, &it))
		each(&it);
}

/* ---- making messages ---- */

struct maker {
	uint8_t bytes[MBIM_REPLY_MAX];	/* the fixed part, then the data */
	size_t at;
	struct {
		size_t at, base, len;	/* of the offset, what it counts from */
		int has_size;
		uint8_t *data;
	} later[256];
	size_t n_later;
};

static int variation;
static uint64_t serial;			/* numbers, none like another */
static uint64_t guards[FIELDS_MAX];
static size_t n_guards, counted[4];

static void make_bytes(struct maker *m, const void *bytes, size_t len)
{
	if (len)
		memcpy(m->bytes + m->at, bytes, len);
	m->at += len;
}

static void make_number(struct maker *m, uint64_t n, size_t size)
{
	for (; size--; n >>= 8)
		m->bytes[m->at++] = (uint8_t)n;
}

/* An offset, and a size if there is one, of data that follows. */
static void make_later(struct maker *m, size_t base, int has_size,
	const void *data, size_t len)
{
	m->later[m->n_later].at = m->at;
	m->later[m->n_later].base = base;
	m->later[m->n_later].len = len;
	m->later[m->n_later].has_size = has_size;
	m->later[m->n_later].data = malloc(len + 1);
	memcpy(m->later[m->n_later++].data, data, len);
	make_number(m, 0, has_size ? 8 : 4);
}

static void make_data(struct maker *m)
{
	size_t i, end;

	for (i = 0; i < m->n_later; i++) {
		while (m->at % 4)
			make_number(m, 0, 1);
		end = m->at;
		make_bytes(m, m->later[i].data, m->later[i].len);
		free(m->later[i].data);
		put_number(m->bytes + m->later[i].at, m->later[i].len ?
			end - m->later[i].base : 0, 4);
		if (m->later[i].has_size)
			put_number(m->bytes + m->later[i].at + 4,
				m->later[i].len, 4);
	}
	m->n_later = 0;
}

static uint64_t make_word(const struct item *it, const char *table,
	uint64_t limit)
{
	const char *word;
	uint64_t n = 0;

	if (*table == '|' && variation % 2 == 0) {
		const char *p = table + 1;

		n = all_bits(table) & limit;
		while ((word = next_word(&p, &serial)))
			if (serial && (serial & n) == serial)
				expect("", "%s", word);
		return n;
	}
	word = nth_word(table, variation, &n);
	expect(*table == '|' ? "" : it->name, "%s", word);
	return n;
}

static void expect_number(const struct item *it, uint64_t n, int minus)
{
	char hex[24];
	int digits = snprintf(hex, sizeof(hex), "%llx", (unsigned long long)n);

	if (it->show == show_bool && n < 2)
		expect(it->name, n ? "true" : "false");
	else if (it->show == show_mnc || it->show == show_mcc)
		expect(it->name, it->show == show_mcc ? "%03llu" : "%02llu",
			(unsigned long long)n);
	else if (it->show == show_hex)
		expect(it->name, digits % 2 ? "0x0%s" : "0x%s", hex);
	else if (it->show == show_dec || it->show == show_bool)
		expect(it->name, minus ? "%lld" : "%llu", (long long)n);
	else
		expect(it->name, "");
}

static void make_value(struct maker *m, const struct item *it)
{
	size_t size = it->kind->size;
	const char *table = table_of(it->show);
	uint64_t limit = size < 8 ? ((uint64_t)1 << 8 * size) - 1 : ~0ull, n;
	int minus = 0;

	if (*table && *table != '*') {
		n = make_word(it, table, limit);
	} else {
		n = it->show == show_bool ? (uint64_t)(variation & 1) :
			variation == 1 ? limit : variation == 2 ? 0 :
			(++serial * 7) & (limit >> 1);
		if (it->kind->what == SIGNED && variation == 1) {
			n = ~(limit >> 1);		/* the least */
			minus = 1;
		}
		expect_number(it, n, minus);
	}
	if (n_guards < FIELDS_MAX)
		guards[n_guards] = n & limit;
	make_number(m, n, size);
}

static const char *const texts[VARIATIONS] = {
	"Gr\303\274\303\237e", "", "a", "\360\237\232\200 \342\202\254",
	"it's \"quoted\" $(x) `y` \\", "internet.example"
};

static size_t make_text(const struct item *it, int wide, uint8_t *to)
{
	const char *s = texts[variation];
	size_t n = 0;

	expect(it->name, "%s", s);
	if (!wide) {
		memcpy(to, s, strlen(s));
		return strlen(s);
	}
	for (; *s; s++) {
		unsigned c = (uint8_t)*s;

		if (c >= 0xf0) {	/* the rocket */
			memcpy(to + n, "\x3d\xd8\x80\xde", 4);
			n += 4;
			s += 3;
			continue;
		}
		if (c >= 0xe0) {
			c = (c & 15) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u);
			s += 2;
		} else if (c >= 0xc0) {
			c = (c & 31) << 6 | (s[1] & 63u);
			s++;
		}
		to[n++] = (uint8_t)c;
		to[n++] = (uint8_t)(c >> 8);
	}
	return n;
}

static size_t make_hex(const struct item *it, uint8_t *to, size_t len)
{
	char text[120] = "";
	size_t i;

	for (i = 0; i < len; i++) {
		to[i] = (uint8_t)(++serial * 11);
		snprintf(text + 2 * i, 3, "%02x", to[i]);
	}
	expect(it->name, "%s", text);
	return len;
}

static void make_uuid(struct maker *m, const struct item *it)
{
	const char *table = table_of(it->show), *word, *s;
	uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	uint64_t n;
	int i;

	if (!*table || variation == 3) {
		expect(it->name, "01020304-0506-0708-0900-000000000000");
		make_bytes(m, uuid, 16);
		return;
	}
	word = nth_word(table, variation, &n);
	expect(it->name, "%s", word);
	for (i = 0, s = word - 37; i < 16; s += 2 + (s[2] == '-'))
		uuid[i++] = (uint8_t)strtoul((char[]){ s[0], s[1], 0 }, NULL,
			16);
	make_bytes(m, uuid, 16);
}

static void make_address(struct maker *m, const struct item *it)
{
	static const uint8_t v6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };
	int net = it->op == OP_IPV4NET || it->op == OP_IPV6NET;

	if (net)
		make_number(m, 24, 4);
	if (it->op == OP_IPV4 || it->op == OP_IPV4NET) {
		make_bytes(m, "\300\0\002\007", 4);
		expect(it->name, "192.0.2.7%s", net ? "/24" : "");
	} else {
		make_bytes(m, v6, 16);
		expect(it->name, "2001:db8::1%s", net ? "/24" : "");
	}
}

/* An information element behind its type. */
static void make_ie(struct maker *m, const uint8_t *v, size_t len)
{
	size_t padding = -len & 3;

	make_number(m, 0, 1);
	make_number(m, padding, 1);
	make_number(m, len, 4);
	make_bytes(m, v, len);
	make_number(m, 0, padding);
}

/* What a COUNT, of which the number is n, will count. */
static size_t count_ahead(struct cursor c, uint8_t n)
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it))
		if (it.n == n && (it.op == OP_PAIRS || it.op == OP_DATA_AT))
			return it.op == OP_PAIRS ? ELEMENTS : 3;
	return 0;
}

static void make_items(struct maker *m, struct cursor c, size_t base,
	int level);

/* A structure of its own, as the data of this one. */
static size_t make_structure(struct cursor c, uint8_t *to, int repeat,
	int level)
{
	struct maker *m = calloc(1, sizeof(*m));
	size_t len;

	while (repeat--)
		make_items(m, c, 0, level);
	make_data(m);
	len = m->at;
	memcpy(to, m->bytes, len);
	free(m);
	return len;
}

static void make_container(struct maker *m, const struct item *it, size_t base,
	int level)
{
	uint8_t *data = malloc(MBIM_REPLY_MAX);
	struct cursor inner = it->inner;
	struct item value;
	size_t len;
	int i;

	switch (it->op) {
	case OP_STRUCT:
		make_items(m, inner, m->at, level);
		break;
	case OP_LIST:
		make_number(m, ELEMENTS, 4);
		len = make_structure(inner, data, ELEMENTS, level);
		make_later(m, base, 0, data, len);
		break;
	case OP_AT:		/* has the name of its one value */
		i = (int)n_expected;
		len = make_structure(inner, data, 1, level);
		for (; i < (int)n_expected; i++)
			expected[i].name = it->name;
		make_later(m, base, 0, data, len);
		break;
	case OP_REF:
		len = make_structure(inner, data, 1, level);
		make_later(m, base, 1, data, len);
		break;
	case OP_REFS: case OP_PAIRS:
		if (it->op == OP_REFS)
			make_number(m, ELEMENTS, 4);
		for (i = 0; i < ELEMENTS; i++) {
			len = make_structure(inner, data, 1, level);
			make_later(m, base, 1, data, len);
		}
		break;
	default:
		make_number(m, ELEMENTS, it->kind->size);
		for (i = 0; i < ELEMENTS; i++)
			make_items(m, inner, base, level);
	}
	free(data);
	next_item(&inner, &value);
}

static void make_item(struct maker *m, const struct item *it, size_t base,
	struct cursor after, int level)
{
	uint8_t data[256];
	size_t len;

	if (is_container(it)) {
		make_container(m, it, base, level + 1);
		return;
	}
	switch (it->kind->what) {
	case NUMBER: case SIGNED:
		make_value(m, it);
		return;
	case CONSTANT:
		make_number(m, it->n, 4);
		return;
	case COUNTER:
		counted[it->n] = count_ahead(after, it->n);
		make_number(m, counted[it->n], 4);
		return;
	case NOTHING:
		make_number(m, 0, it->n);
		return;
	case ID:
		make_uuid(m, it);
		return;
	case ADDRESS:
		make_address(m, it);
		return;
	default:
		break;
	}
	if (it->kind->what == HEX)
		len = make_hex(it, data, it->op == OP_BYTES ? it->n :
			it->op == OP_DATA_AT ? counted[it->n] :
			(size_t)variation);
	else
		len = make_text(it, it->kind->what == TEXT16, data);
	switch (it->kind->where) {
	case POINTED:
		make_later(m, base, 1, data, len);
		break;
	case AWAY:
		make_later(m, base, 0, data, len);
		break;
	case ELEMENT:
		if (it->op == OP_WSTR)
			make_number(m, 10, 2);
		make_ie(m, data, len);
		break;
	case PREFIXED:
		make_number(m, len, it->kind->size);
		/* fall through */
	default:
		make_bytes(m, data, len);
	}
}

static void make_items(struct maker *m, struct cursor c, size_t base, int level)
{
	struct item it;
	size_t tlv, n;

	for (; next_item(&c, &it); skip_item(&c, &it),
	     n_guards += level == 1 && it.name) {
		n = guards[it.guard_field % FIELDS_MAX];
		if (it.guard == OP_IS && n != it.guard_n)
			continue;
		if (it.guard == OP_WHEN && !(n & it.guard_n)) {
			make_number(m, 0, it.kind->size);
			continue;
		}
		tlv = m->at;
		if (it.tlv >= 0)
			make_number(m, (uint64_t)it.tlv, 3);
		make_item(m, &it, base, c, level);
		if (it.tlv >= 0)
			put_number(m->bytes + tlv + 1, m->at - tlv - 3, 2);
	}
}

/* A part of a command; what it means is expected. */
static struct maker *make_part(enum command_number c, enum op part,
	int version)
{
	struct maker *m = calloc(1, sizeof(*m));

	n_expected = n_guards = 0;
	serial = 0;
	memset(guards, 0, sizeof(guards));
	make_items(m, find_part(c, part, version), 0, 1);
	make_data(m);
	return m;
}

/* ---- replies ---- */

/* Decode a copy, whose bounds are watched. */
static int decode_copy(enum command_number c, enum op part, int version,
	const uint8_t *bytes, size_t len, int quiet, enum missing missing)
{
	uint8_t *copy = malloc(len + !len);
	struct reader r = { copy, len, 0, 0 };
	struct decoder d = { .quiet = quiet };
	int good;

	forget_prints();
	if (len)
		memcpy(copy, bytes, len);
	printer = &noting[missing];
	format = missing == MISSING_ALL ? FORMAT_SH : FORMAT_JSON;
	good = decode(&d, c, part, version, commands[c].kind == KIND_QMI, r);
	want(!quiet || !n_prints, "printed, although quiet", "");
	free(copy);
	return good;
}

static int print_copy(enum command_number c, enum op part, int version,
	const uint8_t *bytes, size_t len)
{
	return decode_copy(c, part, version, bytes, len, 0, MISSING_NONE);
}

/* What part of a reply says must be part of what the whole says. */
static void compare_prefix(size_t len)
{
	char what[64];
	size_t i, n = 0;

	snprintf(what, sizeof(what), "the first %zu bytes say", len);
	for (i = 0; i < n_prints; i++) {
		if (prints[i].what != VALUE_PRINTED)
			continue;
		for (; n < n_expected; n++)
			if ((!expected[n].name || !strcmp(expected[n].name,
			     prints[i].name)) && (!*expected[n].text ||
			     !strncmp(expected[n].text, prints[i].s,
				prints[i].len)))
				break;
		want(n++ < n_expected, what, prints[i].name);
	}
}

static void test_reply(enum command_number c, int version)
{
	struct maker *m;
	size_t len;

	for (variation = 0; variation < VARIATIONS; variation++) {
		begin("reply", name_of(c), version * 10 + variation);
		m = make_part(c, OP_REPLY, version);
		want(print_copy(c, OP_REPLY, version, m->bytes, m->at),
			"is malformed", "");
		compare();
		want(depth == 0, "containers left open", "");
		for (len = 0; len <= m->at; len++) {
			int good = decode_copy(c, OP_REPLY, version, m->bytes,
				len, 1, MISSING_NONE);

			want(good == print_copy(c, OP_REPLY, version, m->bytes,
				len), "malformed, or not, when quiet", "");
			if (good && len < m->at)
				compare_prefix(len);
		}
		free(m);
		end();
	}
}

/* ---- what is missing ---- */

/*
 * The names that the prints have: in sh (MISSING_ALL) the variables, but for
 * those of the elements of lists; in JSON the keys of the object itself.
 */
struct names {
	char text[NAMES_MAX][96];
	size_t n;
};

static void add_name(struct names *n, const char *path, const char *name,
	const char *end)
{
	char text[96];
	size_t at = n->n;

	snprintf(text, sizeof(text), "%s%s%s%s", path, *path ? "_" : "", name,
		end);
	if (n->n == NAMES_MAX)
		abort();
	for (; at && strcmp(n->text[at - 1], text) > 0; at--)
		strcpy(n->text[at], n->text[at - 1]);
	want(!at || strcmp(n->text[at - 1], text), "two of one name", text);
	strcpy(n->text[at], text);
	n->n++;
}

static void collect_names(struct names *n, enum missing missing)
{
	char paths[LEVELS + 1][96] = { "" }, path[96];
	int is_all = missing == MISSING_ALL, list = 0, open = 0;

	n->n = 0;
	for (size_t i = 0; i < n_prints; i++) {
		const struct print *p = &prints[i];
		int is_array = p->what == OPEN_PRINTED &&
			p->kind == GROUP_ARRAY;
		int is_list = p->what == VALUE_PRINTED &&
			p->kind == VALUE_MISSING_LIST;

		if (p->what == CLOSE_PRINTED) {
			open--;
			list -= list != 0;
			continue;
		}
		if (!list && (is_all ? p->what == VALUE_PRINTED ||
				p->kind != GROUP_OBJECT : !open))
			add_name(n, paths[open], p->name, is_all &&
				(is_array || is_list) ? "_count" : "");
		if (p->what == VALUE_PRINTED)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", paths[open],
			*paths[open] ? "_" : "", p->name);
		strcpy(paths[++open], path);
		list += list || p->kind != GROUP_OBJECT;
	}
}

static void compare_names(const struct names *a, const struct names *b,
	const char *of)
{
	char what[64];

	snprintf(what, sizeof(what), "only one prints, %s", of);
	for (size_t i = 0, j = 0; i < a->n || j < b->n; ) {
		int order = i == a->n ? 1 : j == b->n ? -1 :
			strcmp(a->text[i], b->text[j]);

		want(!order, what, order < 0 ? a->text[i] : b->text[j]);
		i += order <= 0;
		j += order >= 0;
	}
}

/* What a reply sets that the modem left empty. */
static void names_of_nothing(struct names *n, enum command_number c,
	enum missing missing)
{
	forget_prints();
	printer = &noting[missing];
	format = missing == MISSING_ALL ? FORMAT_SH : FORMAT_JSON;
	print_nothing(&(struct call){ .command = c });
	collect_names(n, missing);
}

/* The fields of all layouts are printed, whatever came. */
static void compare_with_layouts(const struct names *n, enum command_number c)
{
	for (int version = 0; version <= VERSION_MAX; version++) {
		struct cursor fields = find_part(c, OP_REPLY, version);
		struct item it;

		for (; next_item(&fields, &it); skip_item(&fields, &it)) {
			size_t i = 0;

			if (!it.name || it.op == OP_CONST)
				continue;
			while (i < n->n && strcmp(n->text[i], it.name))
				i++;
			want(i < n->n, "no key", it.name);
		}
	}
}

/*
 * A reply prints the same names, whatever the modem left out and whichever
 * layout it has: every variable that a command can set is always set. In JSON
 * that is so of MBIM's, for QMI's TLVs are optional.
 */
static void test_missing(enum command_number c, enum missing missing)
{
	static struct names empty, part;
	struct maker *m;
	char of[40];

	begin("names, whatever is missing", name_of(c), (int)missing);
	names_of_nothing(&empty, c, missing);
	if (missing == MISSING_KEYS)
		compare_with_layouts(&empty, c);
	for (int version = 0; version <= VERSION_MAX; version++)
		for (variation = 0; variation < VARIATIONS; variation++) {
			m = make_part(c, OP_REPLY, version);
			for (size_t len = 0; len <= m->at; len++) {
				if (!decode_copy(c, OP_REPLY, version, m->bytes,
						len, 1, missing))
					continue;
				decode_copy(c, OP_REPLY, version, m->bytes,
					len, 0, missing);
				collect_names(&part, missing);
				snprintf(of, sizeof(of), "version %d, %zu of "
					"%zu bytes", version, len, m->at);
				compare_names(&empty, &part, of);
			}
			free(m);
		}
	end();
}

/* A job prints what it has of its own, and then the reply of a query. */
static void test_job_names(enum command_number c)
{
	static const char *const own[] = { "interface", "vlan_id",
		"rx_packets", "tx_packets" };
	static struct names all, query;
	size_t n = c == cmd_verify_connection ? 4 : 2;

	if (c != cmd_up && c != cmd_ensure_connected &&
	    c != cmd_verify_connection)
		return;
	for (int missing = MISSING_KEYS; missing <= MISSING_ALL; missing++) {
		begin("names of a job", name_of(c), missing);
		names_of_nothing(&all, c, (enum missing)missing);
		names_of_nothing(&query, cmd_get_ip_configuration,
			(enum missing)missing);
		for (size_t i = 0; i < n; i++)
			add_name(&query, "", own[i], "");
		compare_names(&all, &query, "the job or its query");
		end();
	}
}

/* Two of a command collide; what tells, has room for all its variables. */
static void test_collisions(enum command_number c)
{
	static char variables_of[8192];
	struct call a = { .command = c }, b = { .command = c, .prefix = "x" };
	struct text t = TEXT(variables_of);

	begin("variables", name_of(c), 0);
	text_variables(&t, &a);
	want(t.len < sizeof(variables_of) / 2, "they hardly fit", "");
	want(calls_collide(&a, &a) == (t.len != 0), "it does not collide with "
		"itself", "");
	want(!calls_collide(&a, &b), "it does with another prefix", "");
	end();
}

/* ---- requests ---- */

static struct option given_options[256];
static char *given_texts[256];
static size_t n_given;

static void give(const char *name, const char *format, ...)
{
	char text[400];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	given_texts[n_given] = strdup(text);
	given_options[n_given] = (struct option){ .name = name,
		.value = given_texts[n_given] };
	n_given++;
}

static void forget_options(void)
{
	while (n_given)
		free(given_texts[--n_given]);
}

/* A name as it is typed: with dashes. */
static void give_words(const char *name, const char *word, const char *more)
{
	char text[400];
	char *p;

	snprintf(text, sizeof(text), "%s%s%s", more, *more ? "," : "", word);
	for (p = text; *p; p++)
		if (*p == '_' && variation != 4)
			*p = '-';
	give(name, "%s", text);
}

static void give_number(const struct item *it, const char *name)
{
	const char *table = table_of(it->show), *word;
	size_t bits = 8 * it->kind->size;
	uint64_t limit = bits < 64 ? ((uint64_t)1 << bits) - 1 : ~0ull, n = 0;
	char text[400] = "";

	if (*table == '*') {
		struct text t = TEXT(text);

		text_scaled(&t, table, 10 + variation);
		give(name, "%s", text);
		expect(it->name, "%s", text);
	} else if (*table == '|' && variation % 2 == 0) {
		for (table++; (word = next_word(&table, &n)); )
			if (n) {
				snprintf(text + strlen(text), sizeof(text) -
					strlen(text), "%s%s", *text ? "," : "",
					word);
				expect("", "%s", word);
			}
		give_words(name, text, "");
	} else if (*table) {
		word = nth_word(table, variation, &n);
		if (variation == 5)
			give(name, "%llu", (unsigned long long)n);
		else
			give_words(name, word, "");
		expect(*table == '|' ? "" : it->name, "%s", word);
	} else if (it->show == show_bool) {
		give(name, variation & 1 ? "on" : "no");
		expect(it->name, variation & 1 ? "true" : "false");
	} else if (it->kind->what == SIGNED) {
		give(name, "-%llu", (unsigned long long)(limit / 2 + 1));
		expect(it->name, "-%llu", (unsigned long long)(limit / 2 + 1));
	} else {
		n = variation == 0 ? limit : (uint64_t)variation;
		give(name, variation == 2 ? "0x%llx" : "%llu",
			(unsigned long long)n);
		expect_number(it, n, 0);
	}
}

/* Text that fits into max characters. */
static void give_text(const struct item *it, const char *name)
{
	const char *s = variation == 1 ? "1" : texts[variation];

	if (it->max && strlen(s) > it->max)
		s = "123";
	if (it->max_digits)
		s = &"12345678"[8 - it->max_digits];
	give(name, "%s", s);
	expect(it->name, "%s", s);
}

static void give_item(const struct item *it, const char *name)
{
	switch (it->kind->what) {
	case NUMBER: case SIGNED:
		give_number(it, name);
		break;
	case ID:
		if (variation == 3 || !*table_of(it->show)) {
			give(name, "01020304-0506-0708-0900-0a0b0c0d0e0f");
			expect(it->name, "%s", given_texts[n_given - 1]);
		} else {
			uint64_t n;
			const char *word = nth_word(table_of(it->show),
				variation, &n);

			give_words(name, word, "");
			expect(it->name, "%s", word);
		}
		break;
	case TEXT8: case TEXT16:
		give_text(it, name);
		break;
	default:
		give(name, "%0*d", it->op == OP_BYTES ? 2 * it->n : 8, 102);
		expect(it->name, "%s", given_texts[n_given - 1]);
	}
}

/* A comma list. */
static void give_list(const struct item *it)
{
	struct cursor c = it->inner;
	struct item element;
	char text[400] = "";
	size_t i, first = n_given;

	next_item(&c, &element);
	for (i = 0; i < ELEMENTS; i++) {
		give_item(&element, it->name);
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"%s%s", i ? "," : "", given_texts[n_given - 1]);
	}
	while (n_given > first)
		free(given_texts[--n_given]);
	give(it->name, "%s", text);
}

static int values_only;			/* VALUEs without a name */

static void give_items(struct cursor c)
{
	struct item it;
	int i;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		if (is_container(&it) && it.bare)
			give_list(&it);
		else if (is_container(&it))
			for (i = 0; i < (it.op == OP_STRUCT ? 1 : ELEMENTS);
			     i++)
				give_items(it.inner);
		else if (it.help)
			give_item(&it, it.flags & FLAG(OP_VALUE) &&
				(variation % 2 || values_only) ? "" :
				it.also && variation == 2 ? it.also : it.name);
	}
}

static void test_round_trip(enum command_number c, int version)
{
	struct call call = { .command = c, .options = given_options };
	struct encoder e;
	int code;

	for (variation = 0; variation < VARIATIONS; variation++) {
		begin("round trip", name_of(c), version * 10 + variation);
		n_expected = 0;
		forget_options();
		give_items(find_part(c, OP_REQUEST, version));
		call.n_options = n_given;
		failure = (struct failure){ 0 };
		code = encode(&e, &call, version, NULL);
		want(code == DONE, "not encoded", failure.text);
		if (!code) {
			want(print_copy(c, OP_REQUEST, version, request, e.end),
				"its request is malformed", "");
			compare();
			want(commands[c].kind > KIND_SET || e.end % 4 == 0,
				"the length is no multiple of 4", "");
		}
		end();
	}
	forget_options();
}

/* A raw command's value is those of all its options in a row. */
static void join_values(char *text)
{
	size_t i;

	for (i = 0; i < n_given; i++)
		text += sprintf(text, "%s%s", !i ? "" : i % 2 == 0 && i > 2 ?
			"," : i > 2 ? "=" : ",", given_options[i].value);
}

static int encode_value_of(enum command_number c, struct encoder *e,
	const char *value)
{
	struct option o = { .name = "", .value = value };
	struct call call = { .command = c, .options = &o, .n_options = 1 };

	failure = (struct failure){ 0 };
	return encode(e, &call, 0, NULL);
}

static void test_raw(enum command_number c)
{
	static uint8_t saved[sizeof(request)];
	struct call call = { .command = c, .options = given_options };
	struct encoder e, again;
	char text[2000];

	for (variation = 0; variation < VARIATIONS; variation++) {
		begin("a value for all", name_of(c), variation);
		n_expected = 0;
		forget_options();
		give_items(find_part(c, OP_REQUEST, 0));
		call.n_options = n_given;
		failure = (struct failure){ 0 };
		want(!encode(&e, &call, 0, NULL), "not encoded", failure.text);
		memcpy(saved, request, e.end);
		join_values(text);
		want(!encode_value_of(c, &again, text), "its value is refused",
			failure.text);
		want(e.end == again.end && !memcmp(saved, request, e.end),
			"not the same request", text);
		end();
	}
	forget_options();
}

static void test_raw_values(void)
{
	static const struct {
		const char *command, *value, *hex;	/* NULL: refused */
	} cases[] = {
		{ "raw_qmi", "DMS,0x25", "022500" },
		{ "raw_qmi", "2,37", "022500" },
		{ "raw_qmi", "dms,37,1=", "022500010000" },
		{ "raw_qmi", "dms,37,0x10=0a:0B", "0225001002000a0b" },
		{ "raw_qmi", "dms,37,1=00,0x02=0102", "02250001010000020200"
			"0102" },
		{ "raw_qmi", "", NULL },
		{ "raw_qmi", ",", NULL },
		{ "raw_qmi", "DMS", NULL },
		{ "raw_qmi", "DMS,", NULL },
		{ "raw_qmi", ",37", NULL },
		{ "raw_qmi", "NO_SERVICE,37", NULL },
		{ "raw_qmi", "256,37", NULL },
		{ "raw_qmi", "DMS,0x10000", NULL },
		{ "raw_qmi", "DMS,37,1", NULL },
		{ "raw_qmi", "DMS,37,1,2=00", NULL },
		{ "raw_qmi", "DMS,37,", NULL },
		{ "raw_qmi", "DMS,37,1=00,", NULL },
		{ "raw_qmi", "DMS,37,1=00,2", NULL },
		{ "raw_qmi", "DMS,37,256=00", NULL },
		{ "raw_qmi", "DMS,37,1=0", NULL },
		{ "raw_qmi", "DMS,37,=00", NULL },
		{ "raw_mbim", "BASIC_CONNECT,9,query", "a289cc33bcbb8b4fb6b013"
			"3ec2aae6df0900000000000000" },
		{ "raw_mbim", "basic-connect,0x9,set,0001", "a289cc33bcbb8b4f"
			"b6b0133ec2aae6df09000000010000000001" },
		{ "raw_mbim", "01020304-0506-0708-0900-0a0b0c0d0e0f,1,query,",
			"0102030405060708" "09000a0b0c0d0e0f" "01000000"
			"00000000" },
		{ "raw_mbim", "", NULL },
		{ "raw_mbim", "BASIC_CONNECT", NULL },
		{ "raw_mbim", "BASIC_CONNECT,9", NULL },
		{ "raw_mbim", "BASIC_CONNECT,9,", NULL },
		{ "raw_mbim", "BASIC_CONNECT,,query", NULL },
		{ "raw_mbim", "NO_SERVICE,9,query", NULL },
		{ "raw_mbim", "BASIC_CONNECT,x,query", NULL },
		{ "raw_mbim", "BASIC_CONNECT,0x100000000,query", NULL },
		{ "raw_mbim", "BASIC_CONNECT,9,ask", NULL },
		{ "raw_mbim", "BASIC_CONNECT,9,2", NULL },
		{ "raw_mbim", "BASIC_CONNECT,9,query,0", NULL },
		{ "raw_mbim", "BASIC_CONNECT,9,query,00,00", NULL },
	};
	struct encoder e;
	char hex[200];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct text t = TEXT(hex);
		int code = encode_value_of(command_find(cases[i].command), &e,
			cases[i].value);

		begin(cases[i].command, cases[i].value, (int)i);
		want(code == (cases[i].hex ? DONE : USAGE), "taken or not",
			failure.text);
		want(!code || *failure.text, "no reason", "");
		text_bytes(&t, request, !code && e.end < 90 ? e.end : 0);
		want(code || !cases[i].hex || !strcmp(hex, cases[i].hex),
			"is not", hex);
		end();
	}
}

/* A TLV is there with all that it has, or not at all. */
static size_t nth_given(const struct item *it, size_t nth)
{
	size_t i;

	for (i = 0; i < n_given; i++)
		if (names_item(&given_options[i], it) && !nth--)
			break;
	return i;
}

static void forget_option(size_t i)
{
	free(given_texts[i]);
	n_given--;
	for (; i < n_given; i++) {
		given_texts[i] = given_texts[i + 1];
		given_options[i] = given_options[i + 1];
	}
}

/* Without the nth option of a member, or with no other of the TLV. */
static void test_without(enum command_number c, const struct item *member,
	size_t nth, const struct item *others)
{
	struct call call = { .command = c, .options = given_options };
	struct encoder e;
	struct item other;
	char name[64];
	struct text t = TEXT(name);
	size_t i;

	n_expected = 0;
	forget_options();
	give_items(find_part(c, OP_REQUEST, 0));
	if (nth_given(member, nth) == n_given)
		return;
	begin("without", member->name, (int)nth);
	if (!others) {
		forget_option(nth_given(member, nth));
	} else {
		struct cursor inner = others->inner;

		while (next_option(&inner, &other))
			while (strcmp(other.name, member->name) && (i =
					nth_given(&other, 0)) < n_given)
				forget_option(i);
	}
	call.n_options = n_given;
	failure = (struct failure){ 0 };
	text_dashed(&t, member->name);
	want(encode(&e, &call, 0, NULL) == USAGE, "taken", name_of(c));
	want(others || strstr(failure.text, ": is needed") ||
		strstr(failure.text, ": belongs after") ||
		strstr(failure.text, ": given twice"), "no reason",
		failure.text);
	end();
}

static void test_members(enum command_number c)
{
	struct cursor items = find_part(c, OP_REQUEST, 0), inner;
	struct item it, member;
	size_t n, nth, others;

	variation = 0;
	for (; next_item(&items, &it); skip_item(&items, &it)) {
		if ((it.tlv < 0 && it.op != OP_ALL) || !is_container(&it) ||
		    it.bare)
			continue;
		n = others = 0;
		inner = it.inner;
		while (next_option(&inner, &member)) {
			others += member.fallback || member.givens;
			n++;
		}
		inner = it.inner;
		while (n > 1 && next_option(&inner, &member)) {
			if (member.fallback || member.givens ||
			    is_container(&member))
				continue;
			for (nth = 0; nth < ELEMENTS; nth++)
				test_without(c, &member, nth, NULL);
			if (n - others > 1)
				test_without(c, &member, 0, &it);
		}
	}
	forget_options();
}

/*
 * Requests that no command has yet: a TLV of a number and an array of two
 * members, one with a comma list, and a comma list; what is missing is named.
 */
static void test_made_up(void)
{
	enum { HELPED_U8 = OP_U8 | OP_HELPED, HELPED_U16 = OP_U16 | OP_HELPED };
	static const unsigned char made_ops[] = {
		OP_TLV, 0x11, OP_STRUCT,
			HELPED_U8, show_dec,
			OP_ARRAY8,
				HELPED_U8, show_dec,
				HELPED_U16, show_dec,
			OP_END,
		OP_END,
		OP_TLV, 0x10, OP_STRUCT,
			HELPED_U8, show_dec, OP_DEFAULT,
			OP_ARRAY16 | OP_HELPED,
				OP_U8, show_dec,
			OP_END,
		OP_END,
		OP_TLV, 0x01, OP_ARRAY8 | OP_HELPED,
			OP_U8, show_dec,
		OP_END,
		OP_END
	};
	static const char made_names[] = "s\0a\0h\0l\0b\0h\0c\0h\0" "t\0d\0h\0"
		"7\0e\0h\0\0" "f\0h\0";
	static const struct {
		const char *given, *hex;		/* or what is missing */
	} cases[] = {
		{ "", "100300070000" },
		{ "a1", "1102000100" "100300070000" },
		{ "d1", "100300010000" },
		{ "d1e2,3", "1005000102000203" },
		{ "a1b2c3", "1105000101020300" "100300070000" },
		{ "a1b2c3b4c5", "11080001020203000405" "00100300070000" },
		{ "f4,5", "100300070000" "010300020405" },
		{ "b2c3", "--a" }, { "a1b2", "--c" }, { "a1b2b4c5", "--c" },
		{ "a1b2c3b4", "--c" }, { "a1c3", "--c" }, { "c3", "--c" },
		{ "a1a2", "--a" }, { "a256", "--a" }, { "a1b2c65536", "--c" },
		{ "d1e2,", "--e" }, { "e256", "--e" },
	};
	static const char *const letters[] = { "a", "b", "c", "d", "e",
		"f" };
	struct option made[8];
	char copies[8][8], hex[80];
	size_t i, o;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cursor c = { .op = made_ops, .name = made_names };
		struct encoder e = { .items = c, .options = made };
		const char *p = cases[i].given;
		struct text t = TEXT(hex);
		int code, good = *cases[i].hex != '-';

		for (; *p; e.n_options++, p += o) {
			char *to = copies[e.n_options];

			o = 1 + strspn(p + 1, "0123456789,");
			memcpy(to, p + 1, o - 1);
			to[o - 1] = '\0';
			made[e.n_options] = (struct option){
				.name = letters[*p - 'a'], .value = to };
		}
		begin("made up", cases[i].given, 0);
		failure = (struct failure){ 0 };
		code = encode_items(&e, c);
		for (o = 0; !code && o < e.n_options; o++)
			if (!made[o].used)
				code = bad_option(&made[o], NULL, "left over");
		want(code == (good ? DONE : USAGE), "taken or not",
			failure.text);
		text_bytes(&t, request, !code ? e.end : 0);
		want(!good || !strcmp(hex, cases[i].hex), "is not", hex);
		want(good || !strncmp(failure.text, cases[i].hex, 3),
			"another reason", failure.text);
		end();
	}
}

/* What is needed is all that is needed. */
static void test_needed(enum command_number c)
{
	struct call call = { .command = c, .options = given_options };
	struct cursor options;
	struct encoder e;
	struct item it;
	size_t i;

	begin("with what is needed alone", name_of(c), 0);
	variation = 0;
	n_expected = 0;
	forget_options();
	give_items(find_part(c, OP_REQUEST, 0));
	options = find_part(c, OP_REQUEST, 0);
	while (next_option(&options, &it))
		while (!(it.flags & FLAG(OP_REQUIRED)) &&
		       (i = nth_given(&it, 0)) < n_given)
			forget_option(i);
	call.n_options = n_given;
	failure = (struct failure){ 0 };
	want(encode(&e, &call, 0, NULL) == DONE, "refused", failure.text);
	while (n_given) {
		const char *name = given_options[n_given - 1].name;

		forget_option(n_given - 1);
		call.n_options = n_given;
		failure = (struct failure){ 0 };
		want(encode(&e, &call, 0, NULL) == USAGE, "taken without",
			name);
	}
	end();
}

/* Text and numbers beyond what an option takes; each alone is wrong. */
static enum command_number limited;

static void test_limit(const struct item *it, int level)
{
	struct call call = { .command = limited, .options = given_options };
	char text[300];
	struct encoder e;
	size_t i, bits = 8 * it->kind->size;
	int what = it->kind->what;

	if (!it->help || is_container(it) || level > 0)
		return;
	if (what == TEXT8 || what == TEXT16) {
		if (!it->max)
			return;
		memset(text, 'x', sizeof(text));
		text[it->max + 1] = '\0';
	} else if ((what == NUMBER || what == SIGNED) && bits < 64) {
		snprintf(text, sizeof(text), "%llu", it->max ? it->max + 1ull :
			1ull << bits);
	} else {
		return;
	}
	variation = 0;
	n_expected = 0;
	forget_options();
	give_items(find_part(limited, OP_REQUEST, 0));
	for (i = 0; i < n_given && strcmp(given_options[i].name, it->name); i++)
		;
	if (i == n_given)
		return;
	begin("limit", it->name, 0);
	given_options[i].value = text;
	call.n_options = n_given;
	failure = (struct failure){ 0 };
	want(encode(&e, &call, 0, NULL) == USAGE, "taken", text);
	end();
	forget_options();
}

/* ---- digits, lengths, counts ---- */

/* Encode what is given, with another text for the nth option. */
static int encode_given(enum command_number c, size_t nth, const char *text)
{
	struct call call = { .command = c, .options = given_options,
		.n_options = n_given };
	const char *saved = given_options[nth].value;
	struct encoder e;
	int code;

	given_options[nth].value = text;
	failure = (struct failure){ 0 };
	code = encode(&e, &call, 0, NULL);
	given_options[nth].value = saved;
	return code;
}

/* Give all that a command takes, with this number for its first. */
static size_t give_all(enum command_number c, const struct item *it, int number)
{
	struct cursor options = find_part(c, OP_REQUEST, 0);
	struct item first;
	char text[16];
	size_t i;

	variation = 0;
	n_expected = 0;
	forget_options();
	give_items(options);
	snprintf(text, sizeof(text), "%d", number);
	if (number >= 0 && next_option(&options, &first) &&
	    (i = nth_given(&first, 0)) < n_given) {
		free(given_texts[i]);
		given_options[i].value = given_texts[i] = strdup(text);
	}
	return nth_given(it, 0);
}

static void want_digits(enum command_number c, const struct item *it, size_t i,
	int is_meant)
{
	static const char digits[] = "01234567890123456789";
	char text[32];
	size_t min = it->min_digits, max = it->max_digits;

	for (size_t n = min - (min > 0); n <= max + 1; n++) {
		int good = n >= min && n <= max;

		snprintf(text, sizeof(text), "%.*s", (int)n, digits);
		want(encode_given(c, i, text) == (good || (!is_meant && n) ?
			DONE : USAGE), good ? "not taken" : "taken", text);
		text[n / 2] = 'x';
		want(n < min || encode_given(c, i, text) == (is_meant ? USAGE :
			DONE), "a letter is taken, or not", text);
	}
}

/* DIGITS at both ends; DIGITS_OF only for the first numbers that it names. */
static void test_digits(const struct item *it, int level)
{
	(void)level;
	if (!it->help || !it->max_digits)
		return;
	begin("digits", it->name, (int)limited);
	want(it->min_digits <= it->max_digits, "from more to less", "");
	want(it->kind->what == TEXT8 || it->kind->what == TEXT16,
		"digits that are no text", "");
	want(!it->max || it->max > it->max_digits, "MAX is less", "");
	if (it->digits_mask == 0xffff)
		want_digits(limited, it, give_all(limited, it, -1), 1);
	for (int n = 0; n < 16 && it->digits_mask != 0xffff; n++)
		want_digits(limited, it, give_all(limited, it, n),
			it->digits_mask >> n & 1);
	end();
	forget_options();
}

/* A text of the option g, or so many of it, with made-up ops. */
static int encode_made_up(const unsigned char *made_ops, const char *value,
	size_t n, struct encoder *e)
{
	static const char made_names[] = "s\0f\0h\0" "g\0h\0";
	static struct option made[400];
	int is_structs = made_ops[2] == OP_ARRAY8;
	struct cursor c = { .op = made_ops, .name = made_names + 6 *
		!is_structs };

	*e = (struct encoder){ .items = c, .options = made, .n_options = n };
	for (size_t i = 0; i < n; i++)
		made[i] = (struct option){ .name = is_structs ? "f" : "g",
			.value = value };
	failure = (struct failure){ 0 };
	return encode_items(e, c);
}

static char *repeat(const char *s, size_t n)
{
	char *text = malloc(strlen(s) * n + 1), *p = text;

	*p = '\0';
	while (n--)
		p = stpcpy(p, s);
	return text;
}

/* What does not fit behind a length or count of 8 bits, and what just does. */
static void test_lengths(void)
{
	static const struct {
		unsigned char ops[12];
		const char *what, *unit;
		int is_many;		/* options, not one option's text */
		size_t more;		/* of the text, than there is once */
	} cases[] = {
		{ { OP_TLV, 1, OP_STR8 | OP_HELPED, OP_END }, "a text", "x",
			0, 0 },
		{ { OP_TLV, 1, OP_BYTES8 | OP_HELPED, OP_END }, "bytes", "00",
			0, 0 },
		{ { OP_TLV, 1, OP_ARRAY8 | OP_HELPED, OP_U8, show_dec, OP_END,
			OP_END }, "a comma list", ",1", 0, 1 },
		{ { OP_TLV, 1, OP_ARRAY8, OP_U8 | OP_HELPED, show_dec, OP_END,
			OP_END }, "structures", "1", 1, 0 },
	};
	static const size_t numbers[] = { 1, 255, 256, 300 };
	struct encoder e;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (size_t j = 0; j < COUNT_OF(numbers); j++) {
			size_t n = numbers[j];
			char *text = repeat(cases[i].unit, cases[i].is_many ?
				1 : n);
			int code;

			begin("behind 8 bits", cases[i].what, (int)n);
			code = encode_made_up(cases[i].ops, text +
				cases[i].more, cases[i].is_many ? n : 1, &e);
			want(code == (n > 255 ? USAGE : DONE), "taken or not",
				failure.text);
want(code || (request[3] == n && e.end == n + 4),
				"another length", "");
			want(!code || *failure.text, "no reason", "");
			free(text);
			end();
		}
}

/* What a raw command takes at most. */
static void test_raw_lengths(void)
{
	static const struct {
		const char *command, *head, *unit;
		size_t n;
		int good;
	} cases[] = {
		{ "raw_qmi", "DMS,37", ",1=00", 300, 1 },
		{ "raw_qmi", "DMS,37", ",1=00", 511, 1 },
		{ "raw_qmi", "DMS,37", ",1=00", 512, 0 },
		{ "raw_qmi", "DMS,37,1=", "00", 300, 1 },
		{ "raw_qmi", "DMS,37,1=", "00", 65000, 1 },
		{ "raw_qmi", "DMS,37,1=", "00", 65536, 0 },
		{ "raw_qmi", "DMS,37,1=", "00", 70000, 0 },
		{ "raw_mbim", "SMS,1,set,", "00", 300, 1 },
		{ "raw_mbim", "SMS,1,set,", "00", 65000, 1 },
		{ "raw_mbim", "SMS,1,set,", "00", 65536, 0 },
		{ "raw_mbim", "SMS,1,set,", "00", 200000, 0 },
	};
	struct encoder e;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *more = repeat(cases[i].unit, cases[i].n);
		char *text = malloc(strlen(more) + 40);

		stpcpy(stpcpy(text, cases[i].head), more);
		begin(cases[i].command, cases[i].head, (int)cases[i].n);
		want(encode_value_of(command_find(cases[i].command), &e, text)
			== (cases[i].good ? DONE : USAGE), "taken or not",
			failure.text);
		want(cases[i].good || *failure.text, "no reason", "");
		free(more);
		free(text);
		end();
	}
}

/* ---- jobs ---- */

/* The words of the table of a query's field, as bits; 0 if there is no field */
static uint32_t words_of_field(enum command_number c, size_t field)
{
	struct cursor fields = find_part(c, OP_REPLY, 0);
	uint32_t bits = 0;
	uint64_t n;
	struct item it;
	const char *table;

	while (next_field(&fields, &it))
		if (!field--) {
			table = table_of(it.show);
			while (*table != '|' && *table != '*' &&
			       next_word(&table, &n))
				bits |= n < 32 ? BIT(n) : 0;
			break;
		}
	return bits;
}

static void test_goals(void)
{
	const char *table = table_of(show_goal), *word;
	uint64_t n;

	for (size_t i = 0; i < COUNT_OF(goals); i++) {
		const struct goal *g = &goals[i];
		uint32_t words;

		word = next_word(&table, &n);
		begin("goal", word ? word : "", (int)i);
		want(word && n == i, "its number is not its place", "");
		want(g->query < COMMANDS && commands[g->query].kind ==
			KIND_QUERY, "it asks no query", "");
		want(find_part(g->query, OP_REPLY, 0).op != ops, "no reply",
			name_of(g->query));
		words = words_of_field(g->query, g->field);
		want(words != 0, "the query has no such words",
			name_of(g->query));
		want(g->reached && !((g->reached | g->pending | g->final) &
			~words), "words that there are not", "");
		want(!(g->reached & g->pending) && !(g->reached & g->final) &&
			!(g->pending & g->final), "a word twice", "");
		want(g->exit > DONE && g->exit <= NO_OUTPUT, "exit code", "");
		end();
	}
	want(!next_word(&table, &n), "more words than goals", "");
}

/* A command with a value of its own, or none, and all it needs. */
static void want_action(enum command_number c, const char *value)
{
	struct option o = { .name = "", .value = value };
	struct call call = { .command = c, .options = &o,
		.n_options = value != NULL };

	want(!value || command_option(c, "") == OPTION_VALUE, "no VALUE",
		name_of(c));
	failure = (struct failure){ 0 };
	want(call_check(&call) == DONE, "it cannot be sent", failure.text);
}

static enum command_number staged;	/* the job whose options are looked at */

static void want_taker(const struct item *it)
{
	for (size_t i = 0; i < n_stages; i++)
		if (stages[i].job == staged && command_option(stages[i].action,
				it->name) != OPTION_NONE)
			return;
	want(!strcmp(it->name, "allow"), "an option that no stage takes",
		it->name);
}

static void test_stages(void)
{
	for (size_t i = 0; i < n_stages; i++) {
		const struct stage *s = &stages[i];

		begin("stage", s->name, (int)i);
		want(s->job < COMMANDS && commands[s->job].kind == KIND_JOB,
			"of no job", "");
		want(s->goal < COUNT_OF(goals), "no goal", "");
		want(*s->name, "no name", "");
		want(s->action < COMMANDS && commands[s->action].kind ==
			KIND_SET, "its action is no command that sets", "");
		if (s->action != cmd_enter_pin)	/* the user's */
			want_action(s->action, s->value);
		staged = s->job;
		each_option(s->job, want_taker);
		for (size_t j = 0; j < i; j++)
			want(stages[j].job != s->job || (stages[j].goal !=
				s->goal && strcmp(stages[j].name, s->name)),
				"a stage twice", "");
		end();
	}
}

static void test_methods(void)
{
	for (size_t i = 0; i < n_methods; i++) {
		const struct method *m = &methods[i];
		const char *word = word_of(table_of(show_fcc_method),
			m->number);

		begin("method", word ? word : "", (int)i);
		want(m->number && word, "it has no name", "");
		if (m->command != cmd_none)
			want_action(m->command, m->value);
		want(m->command != cmd_none || !m->value, "a value of nothing",
			"");
		for (const char *id = m->ids; ; id += 10) {
			want(strlen(id) >= 9 && strspn(id, "0123456789abcdef")
				== 4 && id[4] == ':' && strspn(id + 5,
				"0123456789abcdef") == 4, "no VID:PID", id);
			for (size_t j = 0; j < i; j++) {
				char one[16];

				snprintf(one, sizeof(one), "%.9s", id);
				want(!strstr(methods[j].ids, one),
					"a modem twice", one);
			}
			if (strlen(id) < 10 || id[9] != ' ')
				break;
		}
		for (size_t j = 0; j < i; j++)
			want(methods[j].number != m->number, "a number twice",
				"");
		end();
	}
}

/* ---- names ---- */

static struct name {
	const char *name, *also, *help;
	unsigned required, value, secret;
} seen[256];
static size_t n_seen;

static void note_option(const struct item *it)
{
	seen[n_seen++] = (struct name){ it->name, it->also, it->help,
		it->flags & FLAG(OP_REQUIRED), !!(it->flags & FLAG(OP_VALUE)),
		it->flags & FLAG(OP_SECRET) };
}

static int is_run_option(const char *name)
{
	char dashed[64];
	size_t i;

	for (i = 0; name[i] && i < sizeof(dashed) - 1; i++)
		dashed[i] = name[i] == '_' ? '-' : name[i];
	dashed[i] = '\0';
	for (i = 0; i < RUN_OPTIONS; i++)
		if (!strcmp(run_options[i].name, dashed))
			return 1;
	return 0;
}

static int is_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
		strlen(s) && *s != '_' && s[strlen(s) - 1] != '_';
}

static int is_help(const char *s)
{
	size_t len = s ? strlen(s) : 0;

	if (s && !len)			/* the name says it all */
		return 1;
	return len && len <= 60 && *s != ' ' && !strpbrk(s, "\n\t'\\") &&
		(s[len - 1] != '.' || !strcmp(s + len - 3, "..."));
}

/* Names that the program may want for itself one day. */
static int is_reserved(const char *name)
{
	static const char *const words[] = { "field", "batch", "record",
		"count", "personal", "net", "mtu", "proxy", "prefix", "yes",
		"iccid", "status", "slots", "cells", "bands", "to", "flash",
		"report", "peek" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (!strcmp(name, words[i]))
			return 1;
	return 0;
}

static void test_options(enum command_number c)
{
	size_t i, j;
	unsigned values = 0;
	char file[80];

	begin("options", name_of(c), 0);
	n_seen = 0;
	each_option(c, note_option);
	for (i = 0; i < n_seen; i++) {
		const char *both[] = { seen[i].name, seen[i].also };

		want(is_help(seen[i].help), "no help, or odd", seen[i].name);
		values += seen[i].value;
		for (j = 0; j < 2 && both[j]; j++) {
			want(is_name(both[j]), "no name", both[j]);
			want(!is_run_option(both[j]), "a run option", both[j]);
			want(!is_reserved(both[j]), "reserved", both[j]);
			want(command_find(both[j]) == cmd_none, "a command",
				both[j]);
			want(find_file_command(both[j]) == cmd_none,
				"a command's file", both[j]);
			want(command_option(c, both[j]) == (head_of(c)->kind >=
				KIND_RAW_MBIM ? OPTION_NONE : OPTION_VALUE),
				"found, or not", both[j]);
			snprintf(file, sizeof(file), "%s-file", both[j]);
			want(command_option(c, file) == (seen[i].secret ?
				OPTION_FILE : OPTION_NONE), "-file or not",
				file);
			want(command_find(file) == cmd_none, "a command",
				file);
		}
		for (j = 0; j < i; j++) {
			want(strcmp(seen[i].name, seen[j].name) &&
				(!seen[j].also || strcmp(seen[i].name,
				seen[j].also)), "twice", seen[i].name);
			want(!seen[i].also || (strcmp(seen[i].also,
				seen[j].name) && (!seen[j].also ||
				strcmp(seen[i].also, seen[j].also))),
				"twice", seen[i].also);
		}
	}
	want(values <= 1, "several VALUEs", "");
	want(values == (command_option(c, "") != OPTION_NONE), "VALUE", "");
	end();
}

static void test_command_names(void)
{
	enum command_number i, j;

	for (i = 0; i < COMMANDS; i++) {
		const char *name = name_of(i);

		begin("command", name, 0);
		want(is_name(name), "no name", name);
		want(*head_of(i)->help && is_help(head_of(i)->help), "no help, or odd",
			head_of(i)->help);
		want(command_find(name) == i, "not found", name);
		want(!is_run_option(name), "a run option", name);
		for (j = 0; j < i; j++)
			want(strcmp(name, name_of(j)), "twice", name);
		end();
	}
}

/* Variables of sh: nested names are joined, and must not meet. */
static char variables[512][128];
static size_t n_variables;

static void note_variable(const char *path, const char *name, const char *end)
{
	size_t i;

	if (n_variables == 512)
		abort();
	snprintf(variables[n_variables], sizeof(variables[0]), "%s%s%s%s",
		path, *path && *name ? "_" : "", name, end);
	for (i = 0; i < n_variables; i++)
		want(strcmp(variables[i], variables[n_variables]),
			"two variables", variables[i]);
	n_variables++;
}

/* What is printed beside the fields, or may be. */
static int is_taken(const char *name)
{
	return !strcmp(name, "error") || !strcmp(name, "command") ||
		!strcmp(name, "exit") || !strcmp(name, "count") ||
		!strcmp(name, "unknown");
}

static void note_variables(struct cursor c, const char *path)
{
	char inner[128];
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it)) {
		const char *name = it.name ? it.name : "";

		if (it.guard == OP_IS)	/* one of them is there */
			continue;
		if (it.op == OP_CONST || it.op == OP_COUNT || it.op == OP_ZERO)
			continue;
		want(!*name || is_name(name), "no name", name);
		want(!is_taken(name), "a name that is taken", name);
		if (!is_container(&it) || it.op == OP_AT) {
			note_variable(path, name, "");
			continue;
		}
		if (it.op != OP_STRUCT && it.op != OP_REF)
			note_variable(path, name, it.bare ? "" :
				"_count");
		snprintf(inner, sizeof(inner), "%s%s%s%s", path,
			*path && *name ? "_" : "", name, it.op == OP_STRUCT ||
			it.op == OP_REF ? "" : "_0");
		if (!it.bare)
			note_variables(it.inner, inner);
	}
}

/* ---- items ---- */

static int in_request;
static int is_job;			/* whose reply no modem sends */
static int tail;			/* none, at this level, or all */
static struct cursor request_items;

static int is_option_of(struct cursor c, const char *name)
{
	struct item it;

	for (; next_item(&c, &it); skip_item(&c, &it))
		if ((it.help && !strcmp(it.name, name)) ||
		    (is_container(&it) && is_option_of(it.inner, name)))
			return 1;
	return 0;
}

static int can_encode(enum op op)
{
	switch (op) {
	case OP_IPV4: case OP_IPV6: case OP_IPV4NET: case OP_IPV6NET:
	case OP_IE: case OP_LIST: case OP_PAIRS: case OP_AT: case OP_REF:
		return 0;
	default:
		return 1;
	}
}

/* The kind of a container's elements, when they are values without a name. */
static enum op bare_of(const struct item *it)
{
	struct cursor c = it->inner;
	struct item first;

	return is_container(it) && next_item(&c, &first) && first.name &&
		!*first.name ? first.op : 0;
}

/* Elements of a comma list stand in a row. */
static int is_listable(enum op op)
{
	enum where where = kinds[op].where;

	return where == INLINE || where == GIVEN_SIZE || where == PREFIXED;
}

static void test_item(const struct item *it, int level)
{
	const char *table, *name = it->name ? it->name : "";
	struct cursor c = { .name = it->givens };
	int what = it->kind->what, i;

	want(it->op < OP_SUFFIXES && it->op >= OP_TLV, "no kind", name);
	want(level > tail || is_job, "nothing may follow what takes the rest", name);
	if (it->tlv < 0 && (it->kind->where == TAIL || it->op == OP_ALL))
		tail = it->op == OP_ALL ? level : INT_MAX;
	want(it->bare == bare_of(it), "bare or not", name);
	if (it->kind->has & SHOW) {
		want(it->show < SHOW_TABLES + n_tables, "no show", name);
		table = table_of(it->show);
		want(what != ID || !*table || is_uuid_table(table),
			"no table of UUIDs", name);
		want(what == ID || !is_uuid_table(table), "a table of UUIDs",
			name);
		want(*table != '*' || it->kind->size < 8 ||
			scale_of(table).is_plain, "64 bits are not scaled",
			name);
	}
	if (what == COUNTER || it->op == OP_PAIRS || it->op == OP_DATA_AT)
		want(it->n < 4, "counts beyond 3", name);
	want(it->guard != OP_WHEN || it->guard_field < FIELDS_MAX, "guard",
		name);
	if (!in_request) {
		want(!it->help, "a reply has help", name);
		return;
	}
	want(can_encode(it->op), "the encoder has no such kind", name);
	want(!it->bare || is_listable(it->bare), "no list of these", name);
	want(it->help || !*name || (is_container(it) && !it->bare) ||
		it->op == OP_CONST, "an argument without help", name);
	want(it->help || !(it->fallback || it->givens || it->also ||
		it->flags & FLAG(OP_REQUIRED)), "suffixes of no option", name);
	for (i = 0; i < it->n_givens; i++) {
		want(is_option_of(request_items, next_name(&c)),
			"GIVEN an option that there is not", name);
		next_name(&c);
	}
}

static void test_guards(enum command_number c, enum op part, int version);

static void test_parts(enum command_number c)
{
	int version, part;

	for (part = OP_REPLY; part <= OP_REQUEST; part++)
		for (version = 0; version <= 4; version++) {
			struct cursor items = find_part(c, (enum op)part,
				version);

			if (!has_part(c, (enum op)part, version))
				continue;
			begin(part == OP_REPLY ? "items of the reply" :
				"items of the request", name_of(c),
				version);
			in_request = part == OP_REQUEST;
			is_job = commands[c].kind == KIND_JOB && !in_request;
			tail = -1;
			request_items = items;
			each_item(items, 0, test_item);
			n_variables = 0;
			if (!in_request)
				note_variables(items, "");
			end();
			if (in_request)
				test_round_trip(c, version);
			else if (!is_job)
				test_reply(c, version);
			test_guards(c, (enum op)part, version);
		}
}

/* ---- guards: the table again, as text ---- */

/*
 * Another expansion, which knows nothing of ops: what each item, guard and
 * container of the table is called, as a mark and a name.
 */
enum mark {
	MARK_ITEM = 2, MARK_USE, MARK_OPEN, MARK_END, MARK_GUARD, MARK_BODY,
	MARK_BACK, MARK_HEAD = 14, MARK_PART, MARK_SAME
};

#undef MARK
#undef MARK_TEXT
#undef WHEN
#undef IS
#undef USE
#define MARK(...)
#define MARK_TEXT(op, text)
#define WHEN(command, field, bit)	"\6" #field "\0\1"
#define IS(command, field, n)		"\6" #field "\0\1"
#define USE(body)			"\3" #body "\0\1"

static const char marks[] =
#define ITEM(ops, text, size, field)		"\2" text "\1"
#define OPEN(ops, text, size, weight, field)	"\4" text "\1"
#define END					"\5\0\1"
#define BODY(name)				"\7" #name "\0\1"
#define BACK					"\10\0\1"
#define HEAD(kind, name, ...)			"\16" #name "\0\1"
#define PART(op, part, v, size)			"\17" #op #v "\0\1"
#define SAME(name, other)			"\20" #other "\0\1"
#include "../commands.def"
;

/* The next mark and its name, or NULL for an item without a name. */
static enum mark next_mark(const char **at, const char **name)
{
	enum mark mark = (enum mark)*(*at)++;

	*name = **at == '\1' ? NULL : *at;
	while (**at != '\1')
		(*at)++;
	(*at)++;
	return mark;
}

/* Behind the mark of this name. */
static const char *find_mark(enum mark wanted, const char *wanted_name)
{
	const char *at = marks, *name;

	while (at < marks + sizeof(marks) - 1)
		if (next_mark(&at, &name) == wanted && name &&
		    !strcmp(name, wanted_name))
			return at;
	return NULL;
}

struct step {
	const char *name, *guard;	/* guard: the name of its field */
	int level, field;		/* field: the number, or -1 */
};

static struct step steps[2][512];
static size_t n_steps[2];

static void add_step(int of, const char *name, const char *guard, int level,
	int field)
{
	if (n_steps[of] == COUNT_OF(steps[0]))
		abort();
	steps[of][n_steps[of]++] = (struct step){ name, guard, level, field };
}

/* The items from a mark on, up to the end of the part or body. */
static void walk_marks(const char *at, int *level)
{
	const char *name, *guard = NULL;

	while (at < marks + sizeof(marks) - 1) {
		enum mark mark = next_mark(&at, &name);

		switch (mark) {
		case MARK_GUARD:
			guard = name;
			continue;
		case MARK_USE:
			walk_marks(find_mark(MARK_BODY, name), level);
			break;
		case MARK_ITEM: case MARK_OPEN:
			add_step(0, name, guard, *level, -1);
			*level += mark == MARK_OPEN;
			break;
		case MARK_END:
			if (!(*level)--)
				return;
			break;
		default:
			return;
		}
		guard = NULL;
	}
}

/* Where the layout of a part begins that a version has. */
static const char *find_layout(const char *command, enum op part, int version)
{
	const char *at = find_mark(MARK_HEAD, command), *best = NULL, *name;
	const char *kind = part == OP_REPLY ? "OP_REPLY" : "OP_REQUEST";
	enum mark mark = MARK_ITEM;

	if (part == OP_REQUEST)
		best = at;
	while (mark != MARK_HEAD && at < marks + sizeof(marks) - 1) {
		mark = next_mark(&at, &name);
		if (mark == MARK_SAME && part == OP_REPLY)
			return find_layout(name, part, version);
		if (mark == MARK_PART && !strncmp(name, kind, strlen(kind)) &&
		    name[strlen(kind)] - '0' <= version)
			best = at;
	}
	return best;
}

static void add_item_step(const struct item *it, int level)
{
	add_step(1, it->name, it->guard == OP_END ? NULL : "", level,
		it->guard == OP_END ? -1 : it->guard_field);
}

/* The number of a field among those of the top level. */
static int field_number(const char *name)
{
	int n = 0;

	for (size_t i = 0; i < n_steps[0]; i++) {
		const struct step *s = &steps[0][i];

		if (s->level || !s->name)
			continue;
		if (!strcmp(s->name, name))
			return n;
		n++;
	}
	return -1;
}

/*
 * The ops have the items of the text, in its order, and a guard has the number
 * of the field that it names. (The reply of a job is that of its query.)
 */
static void test_guards(enum command_number c, enum op part, int version)
{
	int level = 0, is_sent = commands[c].kind != KIND_JOB;

	begin(part == OP_REPLY ? "guards of the reply" :
		"guards of the request", name_of(c), version);
	n_steps[0] = n_steps[1] = 0;
	walk_marks(find_layout(name_of(c), part, version), &level);
	each_item(find_part(c, part, version), 0, add_item_step);
	want(n_steps[0] == n_steps[1], "another number of items", "");
	for (size_t i = 0; i < n_steps[0] && i < n_steps[1]; i++) {
		const struct step *a = &steps[0][i], *b = &steps[1][i];

		want(a->level == b->level && !a->name == !b->name &&
			(!a->name || !strcmp(a->name, b->name)),
			a->name ? a->name : "no name", b->name ? b->name :
			"no name");
		want(!a->guard == !b->guard, "a guard in one only",
			a->guard ? a->guard : "");
		want(!a->guard || !is_sent || b->field ==
			field_number(a->guard), "it guards by another field",
			a->guard ? a->guard : "");
	}
	end();
}

/* A body uses no other. */
static void test_bodies(void)
{
	const char *at = marks, *name, *body = NULL;

	while (at < marks + sizeof(marks) - 1) {
		enum mark mark = next_mark(&at, &name);

		if (mark == MARK_BODY)
			begin("body", body = name, 0);
		want(!body || mark != MARK_USE, "it uses another", name);
		want(!body || mark != MARK_HEAD, "it does not end", name);
		if (mark == MARK_BACK) {
			end();
			body = NULL;
		}
	}
}

/* The numbers by which C asks for fields are those of the walk. */
static void test_field_numbers(void)
{
#define F(command, field)	{ #command, #field, FIELD(command, field) }
	static const struct {
		const char *command, *field;
		size_t number;
	} fields[] = {
		F(get_radio_state, hw_radio_state),
		F(get_radio_state, sw_radio_state),
		F(get_pin, pin_type), F(get_pin, pin_state),
		F(get_pin, remaining_attempts),
		F(get_register_state, nw_error),
		F(get_register_state, register_state),
		F(get_connect, activation_state),
		F(get_ip_configuration, session_id),
		F(get_ip_configuration, ipv4_address),
		F(get_ip_configuration, ipv6_address),
		F(get_ip_configuration, ipv4_dns),
		F(get_ip_configuration, ipv6_dns),
		F(get_ip_configuration, ipv4_mtu),
		F(get_ip_configuration, ipv6_mtu),
		F(dms_foxconn_get_firmware_version, version),
		F(dms_get_ids, imei),
	};

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		for (int version = 0; version <= VERSION_MAX; version++) {
			int level = 0, number;

			begin("field", fields[i].field, version);
			n_steps[0] = 0;
			walk_marks(find_layout(fields[i].command, OP_REPLY,
				version), &level);
			number = field_number(fields[i].field);
			want(number == (int)fields[i].number, "another number",
				fields[i].command);
			want(number < FIELDS_MAX, "too many fields", "");
			end();
		}
}

/* ---- help ---- */

static char help_text[16384];
static enum command_kind help_kind;

static void want_name_in_help(const char *name, const char *more)
{
	char option[80];
	struct text t = TEXT(option);

	text_add(&t, "--");
	text_dashed(&t, name);
	text_add(&t, more);
	want(strstr(help_text, option) != NULL, "not in the help", option);
}

static void want_in_help(const struct item *it)
{
	const char *p = table_of(it->show), *word;
	unsigned flags = it->flags;
	uint64_t n;

	if (flags & FLAG(OP_VALUE) || help_kind >= KIND_RAW_MBIM)
		want(strstr(help_text, "value) ") != NULL, "no value", "");
	else
		want_name_in_help(it->name, "");
	if (it->also)
		want_name_in_help(it->also, "");
	if (flags & FLAG(OP_SECRET) && !(flags & FLAG(OP_VALUE)))
		want_name_in_help(it->name, "-file");
	p += *p == '|';
	while (*p != '*' && (word = next_word(&p, &n))) {
		char dashed[80];
		struct text t = TEXT(dashed);

		text_dashed(&t, word);
		want(strstr(help_text, dashed) != NULL, "not in the help",
			dashed);
	}
}

/* The help of a command names all its options and words, in lines of text. */
static void test_help(enum command_number c)
{
	struct text t = TEXT(help_text);

	begin("help", name_of(c), 0);
	text_command_help(&t, c);
	want(t.len < sizeof(help_text) - 1, "it is cut", "");
	help_kind = head_of(c)->kind;
	each_option(c, want_in_help);
	for (const char *p = help_text; *p; p++)
		want(*p == '\n' || ((uint8_t)*p >= ' ' && (uint8_t)*p < 127),
			"no text", p);
	end();
}

/* ---- value tables ---- */

static void test_uuids(const char *p, int show)
{
	uint8_t uuid[16], other[16];
	const char *q;
	char text[64];
	uint64_t n;
	size_t i;

	for (; *p > '\1'; p += strlen(p) + 1) {
		struct text t = TEXT(text);

		snprintf(text, sizeof(text), "%.36s", p);
		want(parse_uuid(p, uuid), "not parsed", p);
		want(parse_uuid(text, other) && !memcmp(uuid, other, 16),
			"another UUID", p);
		want(uuid_entry(table_of(show), text, 0) == p, "not found", p);
		want(uuid_entry(table_of(show), p + 37, 37) == p, "another word's", p);
		q = p;
		want(next_word(&q, &n) == p + 37, "no word", p);
		want(q == p + strlen(p) + 1, "the next is not next", p);
		for (i = 0; text[i]; i++)
			want(!isupper(text[i]), "not lower case", text);
		text[0] = '\0';
		text_uuid(&t, uuid);
		want(!strncmp(text, p, 36) && !text[36], "another text", text);
	}
}

static void test_words(const char *table, int show)
{
	const char *p = table + (*table == '|'), *word, *q, *other;
	uint64_t n = 0, m = 0, got;
	int minus;

	while ((word = next_word(&p, &n))) {
		for (q = p; (other = next_word(&q, &m)); ) {
			want(strcasecmp(word, other), "word twice", word);
			want(n != m, "number twice", word);
		}
		want(strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR"
			"STUVWXYZ0123456789_-.") == strlen(word), "no word",
			word);
		want(*table != '|' || !(n & (n - 1)) || !n, "not one bit",
			word);
		want(*word == '-' || (parse_value(show, word, &got, &minus) &&
			got == n), "not parsed", word);
		forget_prints();
		printer = &noting[MISSING_NONE];
		print_shown("x", show, n, (int64_t)n < 0);
		want(n_prints && prints[*table == '|'].s && !strcmp(word,
			prints[*table == '|'].s), "shown as another", word);
	}
}

/* Nothing; or a blank and a unit; or, behind it, from and to of a bar. */
static void test_unit(const char *unit)
{
	size_t len = strlen(unit), n;
	char *end;
	long from, to_;

	if (!len)
		return;
	n = strcspn(unit + 1, " ") + 1;
	want(*unit == ' ' && n > 1, "no unit", unit);
	if (!unit[n])
		return;
	from = strtol(unit + n, &end, 10);
	want(end > unit + n && *end == ' ', "from what?", unit);
	to_ = strtol(end, &end, 10);
	want(!*end, "to what?", unit);
	want(from < to_, "a bar from more to less", unit);
}

static void test_scale(const char *table, int show)
{
	struct scale s = scale_of(table);
	uint64_t got;
	char text[64];
	int64_t n;
	int minus;

	want(s.is_plain || (s.a && s.c > 0), "scale", table);
	for (n = -33000; n < 33000; n++) {
		struct text t = TEXT(text);

		text[0] = '\0';
		text_scaled(&t, table, n);
		want((!s.is_plain && n == s.unknown) == !text[0], "unknown",
			table);
		want(!text[0] || (parse_value(show, text, &got, &minus)
			&& (int64_t)got == n && minus == (n < 0)),
			"not the same back", text);
	}
	want(parse_value(show, "unknown", &got, &minus) == !s.is_plain,
		"unknown is taken or not", table);
	want(s.is_plain || (int64_t)got == s.unknown, "unknown is not parsed",
		table);
	test_unit(s.unit);
}

static void test_tables(void)
{
	int show;

	for (show = SHOW_TABLES; show < (int)(SHOW_TABLES + n_tables); show++) {
		const char *table = table_of(show);

		begin("values", is_uuid_table(table) ? table + 37 : table,
			show - SHOW_TABLES);
		want(table[-1] == '\1', "does not begin where it should", "");
		if (*table == '*')
			test_scale(table, show);
		else if (is_uuid_table(table))
			test_uuids(table, show);
		else
			test_words(table, show);
		end();
	}
}

/* ---- values ---- */

static void test_utf16(void)
{
	static const struct { const char *in, *out; size_t len; } cases[] = {
		{ "a\0b\0", "ab", 4 },
		{ "a\0\0\0b\0", "a", 6 },
		{ "a\0b", "a", 3 },
		{ "\xe9\0\xac\x20", "\303\251\342\202\254", 4 },
		{ "\x3d\xd8\x80\xde", "\360\237\232\200", 4 },
		{ "\xff\xdb\xff\xdf", "\364\217\277\277", 4 },
		{ "\x3d\xd8", "\357\277\275", 2 },
		{ "\x3d\xd8x\0", "\357\277\275x", 4 },
		{ "\x80\xdex\0", "\357\277\275x", 4 },
		{ "\x3d\xd8\x3d\xd8\x80\xde", "\357\277\275\360\237\232\200",
			6 },
		{ "\x80\xde\x3d\xd8", "\357\277\275\357\277\275", 4 },
		{ "\xff\xff", "\357\277\277", 2 },
		{ "", "", 0 },
	};
	char got[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct text t = TEXT(got);

		begin("UTF-16", cases[i].out, (int)i);
		got[0] = '\0';
		text_utf16(&t, (const uint8_t *)cases[i].in, cases[i].len);
		want(!strcmp(got, cases[i].out), "is not", got);
		end();
	}
}

static void test_utf8(void)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "abc", "abc" }, { "\303\251", "\303\251" },
		{ "\300\200", "\357\277\275\357\277\275" },	/* overlong */
		{ "\340\200\200", "\357\277\275\357\277\275\357\277\275" },
		{ "\355\240\200", "\357\277\275\357\277\275\357\277\275" },
		{ "\364\220\200\200", "\357\277\275\357\277\275\357\277\275"
			"\357\277\275" },
		{ "\303", "\357\277\275" }, { "\303x", "\357\277\275x" },
		{ "\377", "\357\277\275" },
	};
	uint8_t bytes[64];
	char got[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct text t = TEXT(got);
		int same = !strcmp(cases[i].in, cases[i].out);

		begin("UTF-8", cases[i].out, (int)i);
		got[0] = '\0';
		text_utf8(&t, (const uint8_t *)cases[i].in,
			strlen(cases[i].in));
		want(!strcmp(got, cases[i].out), "is not", got);
		want((parse_text(cases[i].in, 1, bytes, 32) >= 0) == same,
			"as an option's text", got);
		end();
	}
}

static void write_utf8(char *s, uint32_t c)
{
	int n = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	*s++ = (char)(n ? (0xff00u >> (n + 1) & 0xff) | c >> 6 * n : c);
	while (n--)
		*s++ = (char)(0x80 | (c >> 6 * n & 0x3f));
	*s = '\0';
}

/* Every character there and back. */
static void test_characters(void)
{
	uint8_t bytes[8];
	char text[16], back[16], again[16];
	uint32_t c;
	int n;

	begin("characters", "all", 0);
	for (c = 1; c < 0x110000; c++) {
		struct text u = TEXT(back), v = TEXT(again);

		if (c == 0xfffd || c >> 11 == 0x1b)
			continue;
		write_utf8(text, c);
		n = parse_text(text, 1, bytes, sizeof(bytes));
		want(n == (c < 0x10000 ? 2 : 4), "its length", text);
		if (n < 0)
			continue;
		text_utf16(&u, bytes, (size_t)n);
		want(!strcmp(text, back), "is not", back);
		text_utf8(&v, (uint8_t *)text, strlen(text));
		want(!strcmp(text, again), "is not", again);
		n = parse_text(text, 0, bytes, sizeof(bytes));
		want(n == (int)strlen(text) && !memcmp(bytes, text, (size_t)n),
			"is not itself", text);
	}
	end();
}

static void test_addresses(void)
{
	static const struct { const char *text; uint8_t b[16]; } cases[] = {
		{ "::", { 0 } },
		{ "::1", { [15] = 1 } },
		{ "1::", { [1] = 1 } },
		{ "2001:db8::1", { 0x20, 1, 0x0d, 0xb8, [15] = 1 } },
		{ "2001:db8:0:1:1:1:1:1", { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1,
			0, 1, 0, 1, 0, 1, 0, 1 } },
		{ "2001:0:0:1::1", { 0x20, 1, 0, 0, 0, 0, 0, 1, [15] = 1 } },
		{ "2001:db8::1:0:0:1", { 0x20, 1, 0x0d, 0xb8, [9] = 1,
			[15] = 1 } },
		{ "fe80::a:bc:def:1234", { 0xfe, 0x80, [9] = 0xa, [11] = 0xbc,
			[12] = 0xd, 0xef, 0x12, 0x34 } },
		{ "1:2:3:4:5:6:7:8", { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0,
			7, 0, 8 } },
		{ "1:2:3:4:5:6::", { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6 } },
		{ "::3:4:5:6:7:8", { 0, 0, 0, 0, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7,
			0, 8 } },
	};
	char got[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct text t = TEXT(got);

		begin("RFC 5952", cases[i].text, 0);
		text_address(&t, cases[i].b, 16);
		want(!strcmp(got, cases[i].text), "is not", got);
		end();
	}
}

static void test_numbers(void)
{
	static const struct { const char *s; int good; uint64_t n; } cases[] = {
		{ "0", 1, 0 }, { "10", 1, 10 }, { "0x1F", 1, 31 },
		{ "18446744073709551615", 1, UINT64_MAX },
		{ "18446744073709551616", 0, 0 },
		{ "0xffffffffffffffff", 1, UINT64_MAX },
		{ "0x10000000000000000", 0, 0 }, { "", 0, 0 }, { "0x", 0, 0 },
		{ "x", 0, 0 }, { "0xg", 0, 0 }, { " 1", 0, 0 }, { "+1", 0, 0 },
	};
	static const char *const no_uuids[] = {
		"", "01020304-0506-0708-0900-0a0b0c0d0e0",
		"01020304-0506-0708-0900-0a0b0c0d0e0f0",
		"01020304-0506-0708-0900-0a0b0c0d0e0g",
		"0102030400506-0708-0900-0a0b0c0d0e0f",
		"01020304-0506-0708-09000a0b0c0d0e0f-",
	};
	uint8_t bytes[16];
	const char *s;
	uint64_t n;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin("number", cases[i].s, 0);
		s = cases[i].s;
		want(parse_number(&s, &n) == cases[i].good, "taken or not", s);
		want(!cases[i].good || (n == cases[i].n && !*s), "is not", s);
		end();
	}
	for (i = 0; i < sizeof(no_uuids) / sizeof(*no_uuids); i++) {
		begin("no UUID", no_uuids[i], 0);
		want(!parse_uuid(no_uuids[i], bytes), "taken", "");
		end();
	}
}

static void test_reader(void)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, SIZE_MAX,
		SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 2 + 1 };
	const size_t n = sizeof(sizes) / sizeof(*sizes);
	uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 0x88 };
	size_t len, at, i, j;

	begin("reader", "take", 0);
	for (len = 0; len <= 8; len++)
		for (at = 0; at <= len; at++)
			for (i = 0; i < n; i++) {
				struct reader r = { bytes, len, at, 0 };
				const uint8_t *p = take(&r, sizes[i]);
				int fits = sizes[i] <= len - at;

				want(fits ? p == bytes + at && !r.bad &&
					r.at == at + sizes[i] : !p && r.bad &&
					r.at == at, "take", "");
				want(fits || !take(&r, 0), "bad for good", "");
				want(fits || !take_number(&r, 1), "zeros", "");
			}
	end();
	begin("reader", "window", 0);
	for (len = 0; len <= 8; len++)
		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++) {
				struct reader r = { bytes, len, len, 0 };
				struct reader w = window(&r, sizes[i],
					sizes[j]);
				int fits = sizes[i] <= len &&
					sizes[j] <= len - sizes[i];

				want(fits ? w.base == bytes + sizes[i] &&
					w.len == sizes[j] && !w.bad && !r.bad :
					w.bad && r.bad && !w.len, "window", "");
				want(fits || !take(&w, 1), "an empty one", "");
			}
	end();
	begin("reader", "numbers", 0);
	for (i = 1; i <= 8; i++) {
		struct reader r = { bytes, 8, 0, 0 };
		uint8_t back[9] = { [8] = 0x55 };
		uint64_t got = take_number(&r, i);

		put_number(back, got, i);
		want(!memcmp(back, bytes, i) && back[8] == 0x55 && r.at == i,
			"there and back", "");
	}
	end();
}

/* ---- seeds ---- */

static void write_seed(const char *directory, const char *target,
	const char *name, int n, const uint8_t *bytes, size_t len)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s-%d", directory, target, name, n);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f))
		perror(path);
}

/* Of the forms that tests/fuzz.c reads: see there. */
static void seed_part(const char *directory, enum command_number number,
	enum op part, int version)
{
	static uint8_t seed[MBIM_REPLY_MAX + 4];
	const struct command *c = &commands[number], *other;
	struct maker *m;

	if (!has_part(number, part, version))
		return;
	m = make_part(number, part, version);
	seed[0] = (uint8_t)(c->kind < KIND_RAW_MBIM ? c->kind << 6 | c->service :
		(3 << 6) + c->kind - KIND_RAW_MBIM);
	put_number(seed + 1, c->id, 2);
	seed[3] = (uint8_t)(version | (part == OP_REQUEST ? 4 : 0));
	for (other = commands; other < c; other++)
		if (other->kind == c->kind && other->id == c->id &&
		    other->service == c->service)
			seed[3] += 16;
	memcpy(seed + 4, m->bytes, m->at);
	write_seed(directory, "reply", name_of(number), (part == OP_REQUEST ?
		100 : 0) + 10 * version + variation, seed, m->at + 4);
	free(m);
}

static void seed_arguments(const char *directory, enum command_number c,
	int version)
{
	static char seed[65536];
	size_t i, len;

	if (!has_part(c, OP_REQUEST, version))
		return;
	n_expected = 0;
	forget_options();
	values_only = 1;
	give_items(find_part(c, OP_REQUEST, version));
	len = (size_t)sprintf(seed, "--%s", name_of(c)) + 1;
	if (commands[c].kind >= KIND_RAW_MBIM && variation % 2) {
		join_values(seed + len);
		len += strlen(seed + len) + 1;
		forget_options();
	}
	for (i = 0; i < n_given; i++)
		if (!*given_options[i].name)
			len += (size_t)sprintf(seed + len, "%s",
				given_options[i].value) + 1;
	for (i = 0; i < n_given; i++)
		if (*given_options[i].name)
			len += (size_t)sprintf(seed + len, "--%s=%s",
				given_options[i].name, given_options[i].value)
				+ 1;
	write_seed(directory, "arguments", name_of(c), 10 * version +
		variation, (uint8_t *)seed, len);
}

static void write_seeds(const char *directory)
{
	for (enum command_number c = 0; c < COMMANDS; c++)
		for (int version = 0; version <= VERSION_MAX; version++) {
			seed_part(directory, c, OP_REPLY, version);
			seed_part(directory, c, OP_REQUEST, version);
			seed_arguments(directory, c, version);
		}
}

int main(int argc, char **argv)
{
	enum command_number c;

	if (argc > 2 && !strcmp(argv[1], "-s")) {
		variation = argc > 3 ? atoi(argv[3]) % VARIATIONS : 0;
		write_seeds(argv[2]);
		return 0;
	}
	test_reader();
	test_numbers();
	test_utf16();
	test_utf8();
	test_characters();
	test_addresses();
	test_tables();
	test_command_names();
	test_raw_values();
	test_made_up();
	test_lengths();
	test_raw_lengths();
	test_goals();
	test_stages();
	test_methods();
	test_bodies();
	test_field_numbers();
	for (c = 0; c < COMMANDS; c++) {
		test_options(c);
		test_parts(c);
		test_members(c);
		test_needed(c);
		if (commands[c].kind >= KIND_RAW_MBIM)
			test_raw(c);
		limited = c;
		each_item(find_part(c, OP_REQUEST, 0), 0, test_limit);
		each_item(find_part(c, OP_REQUEST, 0), 0, test_digits);
		if (commands[c].kind != KIND_JOB)
			test_missing(c, MISSING_ALL);
		if (commands[c].kind <= KIND_SET)
			test_missing(c, MISSING_KEYS);
		test_job_names(c);
		test_collisions(c);
		test_help(c);
	}
	begin("containers within each other", "all", (int)deepest);
	want(deepest + 2 <= LEVELS, "more than the printer has levels", "");
	end();
	forget_prints();
	printf("table: %d passed, %d failed, 0 skipped\n", n_passed, n_failed);
	return n_failed != 0;
}
