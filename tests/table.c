/* SPDX-License-Identifier: ISC
 *
 * What must hold for every entry of commands.def, and for the readers and
 * writers of values. It includes commands.c, and so sees its tables and static
 * functions, with out_… of its own; main.c is there for its options and texts.
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
#define put	main_put
#include "../main.c"
#undef main
#undef put

/* What commands.c tells. */
enum told { VALUE_TOLD, OPEN_TOLD, CLOSE_TOLD };

static void tell_value(const char *name, enum out_kind kind, const char *s,
	size_t len);
static void tell_open(const char *name, enum out_group group);
static void tell_close(void);
static void tell_number(const char *name, uint64_t n, int minus);
static void tell_mute(int mute);
static void tell_mask(const uint8_t *bytes, size_t len);

#define out_value	tell_value
#define out_open	tell_open
#define out_close	tell_close
#define out_number	tell_number
#define out_mute	tell_mute
#define out_mask	tell_mask
#include "../commands.c"
#include "../request.c"
#include "../jobs.c"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VARIATIONS = 6, ELEMENTS = 2 };

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

/* ---- what was told ---- */

struct event {
	enum told what;
	int kind;			/* enum out_kind or out_group */
	const char *name;
	char *s;
	size_t len;
};

static struct event events[100000];
static size_t n_events, depth, deepest;
static int mutes;

static struct event *add_event(enum told what, int kind, const char *name)
{
	struct event *e = &events[n_events++];

	if (n_events == sizeof(events) / sizeof(*events))
		abort();
	*e = (struct event){ what, kind, name, NULL, 0 };
	return e;
}

static void tell_value(const char *name, enum out_kind kind, const char *s,
	size_t len)
{
	struct event *e;

	if (kind >= OUT_ABSENT || mutes)
		return;
	e = add_event(VALUE_TOLD, (int)kind, name);
	e->s = malloc(len + 1);
	memcpy(e->s, s, len);
	e->s[len] = '\0';
	e->len = len;
}

static void tell_open(const char *name, enum out_group group)
{
	if (mutes)
		return;
	add_event(OPEN_TOLD, (int)group, name);
	if (++depth > deepest)
		deepest = depth;
}

static void tell_close(void)
{
	if (mutes)
		return;
	add_event(CLOSE_TOLD, 0, "");
	depth--;
}

static void tell_number(const char *name, uint64_t n, int minus)
{
	char text[32];

	snprintf(text, sizeof(text), minus ? "%lld" : "%llu", (long long)n);
	tell_value(name, OUT_NUMBER, text, strlen(text));
}

static void tell_mute(int mute)
{
	mutes += mute ? 1 : -1;
}

static void tell_mask(const uint8_t *bytes, size_t len)
{
	while (len--)
		depth += 0 & *bytes++;		/* they must be readable */
}

static void forget_events(void)
{
	while (n_events)
		free(events[--n_events].s);
	depth = 0;
}

/* ---- what is expected to be told ---- */

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

	for (i = 0; i < n_events; i++) {
		struct event *e = &events[i];
		struct expected *x = &expected[n];

		if (e->what != VALUE_TOLD)
			continue;
		if (n++ == n_expected) {
			want(0, "told too much", e->name);
			return;
		}
		snprintf(what, sizeof(what), "%s is not %s", e->name, x->text);
		want(!x->name || !strcmp(x->name, e->name), x->name ?
			x->name : "", e->name);
		want(!*x->text || !strcmp(x->text, e->s), what, e->s);
	}
	want(n == n_expected, "not told", n < n_expected && expected[n].name ?
		expected[n].name : "");
}

/* ---- walking the table ---- */

static const size_t n_commands = sizeof(commands) / sizeof(*commands);
static const size_t n_tables = sizeof(tables) / sizeof(*tables);

static const char *table_or_none(int show)
{
	return show >= SHOW_TABLES ? table_of(show) : "";
}

static int is_uuid_table(const char *table)
{
	return strlen(table) > 36 && table[8] == '-' && table[13] == '-';
}

static int is_container(const struct item *it)
{
	return (kinds[it->op].has & ITEMS) != 0;	/* AGAIN is a STRUCT */
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

/* Is there a part of its own for this version? */
static int has_version(const struct command *c, enum op part, int version)
{
	return version == 0 || find_part(c, part, version).op !=
		find_part(c, part, version - 1).op;
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
	if (it->show == show_dec)
		expect(it->name, minus ? "%lld" : "%llu", (long long)n);
	else if (it->show == show_bool && n < 2)
		expect(it->name, n ? "true" : "false");
	else if (it->show == show_mnc)
		expect(it->name, "%02llu", (unsigned long long)n);
	else
		expect(it->name, "");
}

static void make_value(struct maker *m, const struct item *it)
{
	size_t size = it->kind->size;
	const char *table = table_or_none(it->show);
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
	const char *table = table_or_none(it->show), *word, *s;
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

static void make_items(struct maker *m, struct cursor c, size_t base, int level);

/* A structure of its own, as the data of this one. */
static size_t make_structure(struct cursor c, uint8_t *to, int repeat, int level)
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

	for (; next_item(&c, &it); skip_item(&c, &it), n_guards += level == 1 && it.name) {
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
static struct maker *make_part(const struct command *c, enum op part,
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

static int tell_copy(const struct command *c, enum op part, int version,
	const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + !len);	/* its bounds are watched */
	struct reader r = { copy, len, 0, 0 };
	struct decoder d = { 0 };
	int good;

	forget_events();
	memcpy(copy, bytes, len);
	good = tell(&d, c, part, version, c->kind == KIND_QMI, r);
	free(copy);
	return good;
}

/* The same without telling anything. */
static int look_at_copy(const struct command *c, enum op part, int version,
	const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + !len);
	struct reader r = { copy, len, 0, 0 };
	struct decoder d = { .quiet = 1 };
	int good;

	forget_events();
	memcpy(copy, bytes, len);
	good = tell(&d, c, part, version, c->kind == KIND_QMI, r);
	want(!n_events && !mutes, "told, although quiet", "");
	free(copy);
	return good;
}

/* What part of a reply says must be part of what the whole says. */
static void compare_prefix(size_t len)
{
	char what[64];
	size_t i, n = 0;

	snprintf(what, sizeof(what), "the first %zu bytes say", len);
	for (i = 0; i < n_events; i++) {
		if (events[i].what != VALUE_TOLD)
			continue;
		for (; n < n_expected; n++)
			if ((!expected[n].name || !strcmp(expected[n].name,
			     events[i].name)) && (!*expected[n].text ||
			     !strncmp(expected[n].text, events[i].s,
				events[i].len)))
				break;
		want(n++ < n_expected, what, events[i].name);
	}
}

static void test_reply(const struct command *c, int version)
{
	struct maker *m;
	size_t len;

	for (variation = 0; variation < VARIATIONS; variation++) {
		begin("reply", head_of(c)->name, version * 10 + variation);
		m = make_part(c, OP_REPLY, version);
		want(tell_copy(c, OP_REPLY, version, m->bytes, m->at),
			"is malformed", "");
		compare();
		want(depth == 0, "containers left open", "");
		for (len = 0; len <= m->at; len++) {
			int good = look_at_copy(c, OP_REPLY, version, m->bytes,
				len);

			want(good == tell_copy(c, OP_REPLY, version, m->bytes,
				len), "malformed, or not, when quiet", "");
			if (good && len < m->at)
				compare_prefix(len);
		}
		free(m);
		end();
	}
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
	given_options[n_given] = (struct option){ name, given_texts[n_given],
		0 };
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
	const char *table = table_or_none(it->show), *word;
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
	if (it->digits)
		s = "123456";
	give(name, it->flags & FLAG(OP_SECRET) && *s == '@' ? "@%s" : "%s", s);
	expect(it->name, "%s", s);
}

static void give_item(const struct item *it, const char *name)
{
	switch (it->kind->what) {
	case NUMBER: case SIGNED:
		give_number(it, name);
		break;
	case ID:
		if (variation == 3 || !*table_or_none(it->show)) {
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

static void test_round_trip(const struct command *c, int version)
{
	struct call call = { c, given_options, 0 };
	struct encoder e;
	int code;

	for (variation = 0; variation < VARIATIONS; variation++) {
		begin("round trip", head_of(c)->name, version * 10 + variation);
		n_expected = 0;
		forget_options();
		give_items(find_part(c, OP_REQUEST, version));
		call.n_options = n_given;
		failure = (struct failure){ 0 };
		code = encode(&e, &call, version, NULL);
		want(code == DONE, "not encoded", failure.text);
		if (!code) {
			want(tell_copy(c, OP_REQUEST, version, request, e.end),
				"its request is malformed", "");
			compare();
			want(c->kind > KIND_SET || e.end % 4 == 0,
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

static int encode_value_of(const struct command *c, struct encoder *e,
	const char *value)
{
	struct option o = { "", value, 0 };
	struct call call = { c, &o, 1 };

	failure = (struct failure){ 0 };
	return encode(e, &call, 0, NULL);
}

static void test_raw(const struct command *c)
{
	static uint8_t bytes[sizeof(request)];
	struct call call = { c, given_options, 0 };
	struct encoder e, again;
	char text[2000];

	for (variation = 0; variation < VARIATIONS; variation++) {
		begin("a value for all", head_of(c)->name, variation);
		n_expected = 0;
		forget_options();
		give_items(find_part(c, OP_REQUEST, 0));
		call.n_options = n_given;
		failure = (struct failure){ 0 };
		want(!encode(&e, &call, 0, NULL), "not encoded", failure.text);
		memcpy(bytes, request, e.end);
		join_values(text);
		want(!encode_value_of(c, &again, text), "its value is refused",
			failure.text);
		want(e.end == again.end && !memcmp(bytes, request, e.end),
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
		if (names_item(given_options[i].name, it) && !nth--)
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
static void test_without(const struct command *c, const struct item *member,
	size_t nth, const struct item *others)
{
	struct call call = { c, given_options, 0 };
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
	want(encode(&e, &call, 0, NULL) == USAGE, "taken", head_of(c)->name);
	want(others || strstr(failure.text, ": is needed") ||
		strstr(failure.text, ": belongs after") ||
		strstr(failure.text, ": given twice"), "no reason",
		failure.text);
	end();
}

static void test_members(const struct command *c)
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
 * members, one with a comma list, and a comma list; what is missing is told.
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
				letters[*p - 'a'], to, 0 };
		}
		begin("made up", cases[i].given, 0);
		failure = (struct failure){ 0 };
		code = encode_items(&e, c);
		for (o = 0; !code && o < e.n_options; o++)
			if (!made[o].used)
				code = bad_option(made[o].name, "left over");
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
static void test_needed(const struct command *c)
{
	struct call call = { c, given_options, 0 };
	struct cursor options;
	struct encoder e;
	struct item it;
	size_t i;

	begin("with what is needed alone", head_of(c)->name, 0);
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
static const struct command *limited;

static void test_limit(const struct item *it, int level)
{
	struct call call = { limited, given_options, 0 };
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

/* ---- names ---- */

static struct name {
	const char *name, *also, *help;
	int required, value;
} seen[256];
static size_t n_seen;

static void note_option(const struct option_help *h)
{
	seen[n_seen++] = (struct name){ h->name, h->also, h->help,
		h->is_required, h->is_value };
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

	return len && len <= 60 && *s != ' ' && !strpbrk(s, "\n\t'\\") &&
		(s[len - 1] != '.' || !strcmp(s + len - 3, "..."));
}

static void test_options(const struct command *c)
{
	size_t i, j;
	int values = 0;

	begin("options", head_of(c)->name, 0);
	n_seen = 0;
	command_options(c, note_option);
	for (i = 0; i < n_seen; i++) {
		const char *both[] = { seen[i].name, seen[i].also };

		want(is_help(seen[i].help), "no help, or odd", seen[i].name);
		values += seen[i].value;
		for (j = 0; j < 2 && both[j]; j++) {
			want(is_name(both[j]), "no name", both[j]);
			want(!is_run_option(both[j]), "a run option", both[j]);
			want(!command_find(both[j]), "a command", both[j]);
			want(command_has_option(c, both[j]), "not found",
				both[j]);
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
	want(values == command_has_option(c, ""), "VALUE", "");
	end();
}

static void test_command_names(void)
{
	size_t i, j;

	for (i = 0; i < n_commands; i++) {
		const char *name = head_of(&commands[i])->name;

		begin("command", name, 0);
		want(is_name(name), "no name", name);
		want(is_help(head_of(&commands[i])->help), "no help, or odd",
			head_of(&commands[i])->help);
		want(command_find(name) == &commands[i], "not found", name);
		want(!is_run_option(name), "a run option", name);
		for (j = 0; j < i; j++)
			want(strcmp(name, head_of(&commands[j])->name), "twice",
				name);
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
	want(strcmp(variables[n_variables], "exit") != 0 &&
		strcmp(variables[n_variables], "error") != 0 &&
		strcmp(variables[n_variables], "unknown") != 0,
		"a name that is taken", name);
	for (i = 0; i < n_variables; i++)
		want(strcmp(variables[i], variables[n_variables]),
			"two variables", variables[i]);
	n_variables++;
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
		!*first.name ? first.op : OP_END;
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
	want(level > tail, "nothing may follow what takes the rest", name);
	if (it->tlv < 0 && (it->kind->where == TAIL || it->op == OP_ALL))
		tail = it->op == OP_ALL ? level : INT_MAX;
	want(it->bare == bare_of(it), "bare or not", name);
	if (it->kind->has & SHOW) {
		want(it->show < SHOW_TABLES + n_tables, "no show", name);
		table = table_or_none(it->show);
		want(what != ID || !*table || is_uuid_table(table),
			"no table of UUIDs", name);
		want(what == ID || !is_uuid_table(table), "a table of UUIDs",
			name);
		want(*table != '*' || it->kind->size < 8,
			"64 bits are not scaled", name);
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
	want(!is_container(it) || it->in_place, "AGAIN has no options", name);
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

static void test_parts(const struct command *c)
{
	int version, part;

	for (part = OP_REPLY; part <= OP_REQUEST; part++)
		for (version = 0; version <= 4; version++) {
			struct cursor items = find_part(c, (enum op)part,
				version);

			if (!has_version(c, (enum op)part, version))
				continue;
			begin(part == OP_REPLY ? "items of the reply" :
				"items of the request", head_of(c)->name,
				version);
			in_request = part == OP_REQUEST;
			tail = -1;
			request_items = items;
			each_item(items, 0, test_item);
			n_variables = 0;
			if (!in_request)
				note_variables(items, "");
			end();
			if (!in_request)
				test_reply(c, version);
			else
				test_round_trip(c, version);
		}
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
		forget_events();
		show_number("x", show, n, (int64_t)n < 0);
		want(n_events && events[*table == '|'].s && !strcmp(word,
			events[*table == '|'].s), "shown as another", word);
	}
}

static void test_scale(const char *table, int show)
{
	struct scale s = scale_of(table);
	uint64_t got;
	char text[64];
	int64_t n;
	int minus;

	want(s.a && s.c > 0, "scale", table);
	for (n = -33000; n < 33000; n++) {
		struct text t = TEXT(text);

		text[0] = '\0';
		text_scaled(&t, table, n);
		want((n == s.unknown) == !text[0], "unknown", table);
		want(n == s.unknown || (parse_value(show, text, &got, &minus)
			&& (int64_t)got == n && minus == (n < 0)),
			"not the same back", text);
	}
	want(parse_value(show, "unknown", &got, &minus) &&
		(int64_t)got == s.unknown, "unknown is not parsed", table);
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
static void seed_part(const char *directory, const struct command *c,
	enum op part, int version)
{
	static uint8_t seed[MBIM_REPLY_MAX + 4];
	const struct command *before;
	struct maker *m;

	if (!has_version(c, part, version))
		return;
	m = make_part(c, part, version);
	seed[0] = (uint8_t)(c->kind < KIND_RAW_MBIM ? c->kind << 6 | c->service :
		(3 << 6) + c->kind - KIND_RAW_MBIM);
	put_number(seed + 1, c->id, 2);
	seed[3] = (uint8_t)(version | (part == OP_REQUEST ? 4 : 0));
	for (before = commands; before < c; before++)
		if (before->kind == c->kind && before->id == c->id &&
		    before->service == c->service)
			seed[3] += 16;
	memcpy(seed + 4, m->bytes, m->at);
	write_seed(directory, "reply", head_of(c)->name, (part == OP_REQUEST ?
		100 : 0) + 10 * version + variation, seed, m->at + 4);
	free(m);
}

static void seed_arguments(const char *directory, const struct command *c,
	int version)
{
	static char seed[65536];
	size_t i, len;

	if (!has_version(c, OP_REQUEST, version))
		return;
	n_expected = 0;
	forget_options();
	values_only = 1;
	give_items(find_part(c, OP_REQUEST, version));
	len = (size_t)sprintf(seed, "--%s", head_of(c)->name) + 1;
	if (c->kind >= KIND_RAW_MBIM && variation % 2) {
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
	write_seed(directory, "arguments", head_of(c)->name, 10 * version +
		variation, (uint8_t *)seed, len);
}

static void write_seeds(const char *directory)
{
	size_t i;
	int version;

	for (i = 0; i < n_commands; i++)
		for (version = 0; version < 4; version++) {
			seed_part(directory, &commands[i], OP_REPLY, version);
			seed_part(directory, &commands[i], OP_REQUEST, version);
			seed_arguments(directory, &commands[i], version);
		}
}

int main(int argc, char **argv)
{
	size_t i;

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
	for (i = 0; i < n_commands; i++) {
		test_options(&commands[i]);
		test_parts(&commands[i]);
		test_members(&commands[i]);
		test_needed(&commands[i]);
		if (commands[i].kind >= KIND_RAW_MBIM)
			test_raw(&commands[i]);
		limited = &commands[i];
		each_item(head_of(limited)->request, 0, test_limit);
	}
	begin("containers within each other", "all", (int)deepest);
	want(deepest + 2 <= LEVELS, "more than the printer has levels", "");
	end();
	forget_events();
	printf("table: %d passed, %d failed, 0 skipped\n", n_passed, n_failed);
	return n_failed != 0;
}
