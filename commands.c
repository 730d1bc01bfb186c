/* SPDX-License-Identifier: ISC
 *
 * What the ledger means. First the readings of commands.def: ids, sizes, ops,
 * names, an index, the words. Then the interpreter that walks the ops and the
 * names in step, one way from option text to a request, the other way from a
 * reply to out_…; there are no structs to land in. It opens nothing, waits for
 * nothing and prints nothing itself.
 *
 * MBIM 1.0 errata 1 §10 (offsets count from the start of the structure that
 * holds them), Microsoft's MBIMEx (IEs), libqmi (TLVs).
 */
#include "mbim.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- the readings of commands.def ---- */

enum kind_of { KIND_QUERY, KIND_SET, KIND_QMI, KIND_RAW_MBIM, KIND_RAW_QMI };

/* 1. The numbers of value tables, ops and services. */

enum show {
	show_dec, show_hex, show_bool, show_mcc, show_mnc, SHOW_TABLES,
	show_before_tables = SHOW_TABLES - 1,
#define VALUES(name)			show_##name,
#define END
#define SCALE(name, a, b, c, unknown)	show_##name,
#include "commands.def"
};

enum op {
	OP_END, OP_REPLY, OP_REQUEST, OP_SAME,
#define K(op, has, where, what, size)	OP_##op,
	KINDS(K)
#undef K
	OP_SUFFIXES,
	OP_DEFAULT = OP_SUFFIXES, OP_GIVEN, OP_ALSO, OP_MAX,
	OP_SLOW, OP_LOCK, OP_FLAGS,
	OP_REQUIRED = OP_FLAGS, OP_VALUE, OP_SECRET, OP_PERSONAL,
	OP_EFFECT, OP_CAUSE, OP_HANDLE, OP_KEEP, OP_DROP,
	OPS,
	OP_HELPED = 128		/* a help text follows the name */
};

enum service {
#define VALUES(name)
#define SERVICE(name, uuid)		service_##name,
#include "commands.def"
};

enum qmi_service {
#define VALUES(name)
#define QMI_SERVICE(name, id)		qmi_##name = id,
#include "commands.def"
};

/* 2. The sizes of the fixed parts, summed; a division by 0 is a wrong size. */

enum fixed_size {
	fixed_size_of_nothing
#define ITEM(ops, text, size, field)			+ (size)
#define OPEN(ops, text, size, weight, field)	+ (size) + (weight) * ((0
#define OPEN_SIZED(ops, text, size, element, field) \
	+ (size) + 0 / ((element) == (0
#define END						))
#define HEAD(kind, name, ...)			, request_##name = ((0
#define PART(op, part, v, size)			)), part = ((0
#define SAME(name, other)			)), reply_##name = reply_##other
#include "commands.def"
};

/*
 * 3. A type of no bytes but one for each command, in which a part is a struct
 * with one byte for each of its fields: a name or word given twice or a missing
 * END does not compile, and offsetof counts the fields before a guard's.
 */
#define UNIQUE2(n)	unique_##n
#define UNIQUE1(n)	UNIQUE2(n)
#define UNIQUE		UNIQUE1(__COUNTER__)

struct ledger {
#define VALUES(name)				struct {
#define V(n, word)				char w_##word;
#define ITEM(ops, text, size, field)		field
#define OPEN(ops, text, size, weight, field)	field struct {
#define END					} UNIQUE[0];
#define HEAD(kind, name, service, id, request, reply, help) \
	char c_##name; \
	_Static_assert((request) < 0 || ((request) == request_##name && \
		(reply) == reply_##name), "fixed part of " #name); \
	struct request_##name {
#define PART(op, part, v, size) \
	} UNIQUE[0]; \
	_Static_assert((size) < 0 || (size) == part, "fixed part of " #part); \
	struct part {
#define SAME(name, other)			} UNIQUE[0];
#include "commands.def"
};

/* 4. The ops; where each command's begin. */

#define COMMAND_NUMBER(name)	offsetof(struct ledger, c_##name)

struct ops_at {
	char start[sizeof((const unsigned char[]){ 0,
#define ITEM(ops, text, size, field)		BARE ops,
#define OPEN(ops, text, size, weight, field)	BARE ops,
#define END					OP_END,
#define HEAD(kind, name, ...) })]; char c_##name[sizeof((const unsigned char[]){
#define PART(op, part, v, size)			op, v,
#define SAME(name, other)	OP_SAME, 0, 0,
#include "commands.def"
	})];
};

static const unsigned char ops[] = { 0,
#define ITEM(ops, text, size, field)		BARE ops,
#define OPEN(ops, text, size, weight, field)	BARE ops,
#define END					OP_END,
#define PART(op, part, v, size)			op, v,
#define SAME(name, other) \
	OP_SAME, COMMAND_NUMBER(other) & 255, COMMAND_NUMBER(other) >> 8,
#include "commands.def"
};

/* 5. The names and help; where each command's begin. */

struct names_at {
	char start[sizeof("\0"
#define ITEM(ops, text, size, field)		text
#define OPEN(ops, text, size, weight, field)	text
#define HEAD(kind, name, service, id, request, reply, help) \
	) - 1]; char c_##name[sizeof(#name "\0" help "\0"
#include "commands.def"
	) - 1];
};

static const char names[] = "\0"
#define ITEM(ops, text, size, field)		text
#define OPEN(ops, text, size, weight, field)	text
#define HEAD(kind, name, service, id, request, reply, help) \
	#name "\0" help "\0"
#include "commands.def"
;

/* 6. The index of the commands, with a hash so that a search reads no names. */

#define HASH(s, n)	((unsigned char)((n) * 31 + (s)[0] * 7 + \
				(s)[(n) / 2] * 3 + (s)[(n) - 1]))

static const struct command {
	uint32_t names;			/* where its own begin */
	uint16_t ops;
	uint16_t id;			/* CID or message id */
	uint8_t service;		/* enum service or qmi_service */
	uint8_t kind, hash;
} commands[] = {
#define HEAD(kind, name, service, id, request, reply, help) \
	{ offsetof(struct names_at, c_##name), offsetof(struct ops_at, c_##name), \
	  id, service, kind, HASH(#name, sizeof(#name) - 1) },
#include "commands.def"
}, *const commands_end = commands + sizeof(commands) / sizeof(*commands);

/* 7. The words of the value tables, as "number word"; where each begins. */

struct values_at {
	char start[sizeof(""
#define VALUES(name)			) - 1]; char name[sizeof("\1"
#define BITS				"|"
#define V(n, word)			#n " " #word "\0"
#define END
#define SCALE(name, a, b, c, unknown) \
	) - 1]; char name[sizeof("\1*" #a " " #b " " #c " " #unknown "\0"
#include "commands.def"
	) - 1];
};
static const char values[] = ""
#define VALUES(name)			"\1"
#define BITS				"|"
#define V(n, word)			#n " " #word "\0"
#define END
#define SCALE(name, a, b, c, unknown)	"\1*" #a " " #b " " #c " " #unknown "\0"
#include "commands.def"
;
_Static_assert(sizeof(ops) <= UINT16_MAX && sizeof(values) <= UINT16_MAX,
	"the offsets want another type");
static const uint16_t tables[] = {
#define VALUES(name)			offsetof(struct values_at, name),
#define END
#define SCALE(name, a, b, c, unknown)	offsetof(struct values_at, name),
#include "commands.def"
};

/* ---- walking the items ---- */

enum has { NAME = 1, SHOW = 2, ONE = 4, TWO = 8, ITEMS = 16 };

/* Where the bytes of an item are. */
enum where {
	INLINE,			/* here, as many as the kind has */
	GIVEN_SIZE,		/* here, as many as the item says */
	TAIL,			/* here, all that is left */
	PREFIXED,		/* here, after their number */
	POINTED,		/* at an offset, with a size */
	AWAY,			/* at an offset, with a COUNT's size */
	ELEMENT			/* in an information element */
};

/* What the bytes are. */
enum what {
	NOTHING, NUMBER, SIGNED, CONSTANT, COUNTER, HEX, TEXT8, TEXT16, ID,
	ADDRESS
};

static const struct kind {
	uint8_t has, where, what, size;
} kinds[OPS] = {
#define K(op, has, where, what, size)	[OP_##op] = { has, where, what, size },
	KINDS(K)
#undef K
};

/* Where a walk is: in the ops and, in step, in the names. */
struct cursor {
	const unsigned char *op;
	const char *name;
	const unsigned char *again_op;		/* the last STRUCT's items */
	const char *again_name;
	int depth;				/* next_option: of containers */
};

struct item {
	enum op op;
	const struct kind *kind;
	uint8_t n, show, max, n_givens;
	int tlv;				/* or -1 */
	enum op guard;				/* WHEN, IS, or END */
	uint8_t guard_field, guard_n;
	const char *name, *help;
	const char *also, *fallback, *givens;	/* suffixes, or NULL */
	unsigned flags;				/* of those from OP_FLAGS on */
	struct cursor inner;			/* a container's items */
	int in_place;				/* they come next */
	enum op bare;				/* op of elements without name */
};

#define FLAG(op)	(1u << ((op) - OP_FLAGS))
#define HIDDEN		(FLAG(OP_SECRET) | FLAG(OP_PERSONAL))

static const char *next_name(struct cursor *c)
{
	const char *name = c->name;

	c->name += strlen(name) + 1;
	return name;
}

static void suffixes(struct cursor *c, struct item *it)
{
	for (; *c->op >= OP_SUFFIXES && *c->op < OPS; c->op++)
		if (*c->op == OP_DEFAULT) {
			it->fallback = next_name(c);
		} else if (*c->op == OP_ALSO) {
			it->also = next_name(c);
		} else if (*c->op == OP_MAX) {
			it->max = *++c->op;
		} else if (*c->op == OP_GIVEN) {
			it->givens = it->n_givens++ ? it->givens : c->name;
			next_name(c);
			next_name(c);
		} else {
			it->flags |= FLAG(*c->op);
		}
}

/*
 * The next item, with its guards and suffixes; false at an END or at the end
 * of a part, which are not passed. After a container its own items are next.
 */
static int next(struct cursor *c, struct item *it)
{
	*it = (struct item){ .tlv = -1 };
	for (; *c->op <= OP_IS && *c->op >= OP_TLV; c->op += 2)
		if (*c->op == OP_TLV) {
			it->tlv = c->op[1];
		} else {
			it->guard = *c->op++;
			it->guard_field = c->op[0];
			it->guard_n = c->op[1];
		}
	it->op = *c->op & ~OP_HELPED;
	if (it->op < OP_TLV)
		return 0;
	it->kind = &kinds[it->op];
	int helped = *c->op++ & OP_HELPED, has = it->kind->has;

	if (has & SHOW)
		it->show = *c->op++;
	if (has & ONE)
		it->n = *c->op++;
	if (has & NAME)
		it->name = next_name(c);
	if (helped)
		it->help = next_name(c);
	if (it->op == OP_AGAIN) {
		it->op = OP_STRUCT;
		it->inner = (struct cursor){ .op = c->again_op,
			.name = c->again_name };
	} else if (has & ITEMS) {
		it->inner = (struct cursor){ .op = c->op, .name = c->name };
		it->in_place = 1;
		if (!*c->name)
			it->bare = *c->op;
	} else {
		suffixes(c, it);
	}
	if (it->op == OP_STRUCT) {
		c->again_op = it->inner.op;
		c->again_name = it->inner.name;
	}
	return 1;
}

/* Pass the rest of an item: a container's items and END. */
static void skip(struct cursor *c, const struct item *it)
{
	struct item inner;

	if (!it->in_place)
		return;
	while (next(c, &inner))
		skip(c, &inner);
	c->op++;
}

/* The next item that is an option, in containers too; false at the end. */
static int next_option(struct cursor *c, struct item *it)
{
	do {
		for (; *c->op == OP_END && c->depth; c->depth--)
			c->op++;
		if (!next(c, it))
			return 0;
		c->depth += it->in_place;
	} while (!it->help);
	return 1;
}

/* The bytes of the fixed part of some items, without those of pairs. */
static size_t fixed_size(struct cursor c)
{
	struct item it;
	size_t size = 0;

	for (; next(&c, &it); skip(&c, &it))
		size += it.op == OP_STRUCT ? fixed_size(it.inner) :
			it.kind->where == GIVEN_SIZE ? it.n : it.kind->size;
	return size;
}

/* What the head of a command says, and where its request begins. */
struct head {
	const char *name, *help;
	uint8_t slow, lock, lock_value;
	unsigned flags;
	struct cursor request;
};

/* The head of a command, which holds until that of another is asked for. */
static const struct head *head_of(const struct command *command)
{
	static const struct command *last;
	static struct head h;
	struct cursor c = { .op = ops + command->ops,
		.name = names + command->names };

	if (command == last)
		return &h;
	last = command;
	h = (struct head){ .name = next_name(&c) };
	h.help = next_name(&c);
	for (; *c.op >= OP_SUFFIXES && *c.op < OPS; c.op++)
		if (*c.op == OP_SLOW) {
			h.slow = *++c.op;
		} else if (*c.op == OP_LOCK) {
			h.lock = *++c.op;
			h.lock_value = *++c.op;
		} else {
			h.flags |= FLAG(*c.op);
		}
	h.request = c;
	return &h;
}

/* A part of a command: of the highest version not above the session's. */
static struct cursor find_part(const struct command *command, enum op part,
	int version)
{
	struct cursor c = head_of(command)->request;
	struct cursor best = { .op = ops, .name = names };
	struct item it;

	if (part == OP_REQUEST)
		best = c;
	while (best.op == ops || version > 0) {
		for (; next(&c, &it); skip(&c, &it))
			;
		if (*c.op == OP_END)
			break;
		if (*c.op == OP_SAME)
			return part != OP_REPLY ? best :
				find_part(&commands[c.op[1] | c.op[2] << 8],
					part, version);
		c.op += 2;
		if (c.op[-2] == part && c.op[-1] <= version)
			best = c;
	}
	return best;
}

/* ---- words, scales and numbers ---- */

static char scratch[3 * MBIM_REPLY_MAX + 1];	/* one value as text or bytes */

static const char *table_of(int show)
{
	return show < SHOW_TABLES ? "" :
		values + tables[show - SHOW_TABLES] + 1;
}

static int64_t parse_signed(const char **s)
{
	int minus = **s == '-';
	uint64_t n;

	*s += minus;
	parse_number(s, &n);
	return (int64_t)(minus ? 0 - n : n);
}

const char *next_word(const char **table, uint64_t *n)
{
	const char *word = *table;

	if (*word <= '\1')
		return NULL;
	*n = (uint64_t)(*word++ - '0');		/* most are digits */
	if (*word != ' ') {
		word--;
		*n = (uint64_t)parse_signed(&word);
		word += span(word, ' ');	/* a UUID */
	}
	*table = word + strlen(word) + 1;
	return word + 1;
}

static const char *word_of(int show, uint64_t n)
{
	const char *table = table_of(show), *word;
	uint64_t at;

	while ((word = next_word(&table, &at)) && at != n)
		;
	return word;
}

/* Words are the same whatever their case, with - for _. */
static int same_word(const char *a, const char *b, size_t len)
{
	for (; len && *b; len--, a++, b++)
		if ((*a == '-' ? '_' : tolower(*a)) != tolower(*b))
			return 0;
	return !len && !*b;
}

struct scale {
	int64_t a, b, c, unknown;	/* shown is (a n + b) / c */
};

static struct scale scale_of(const char *table)
{
	int64_t n[4];

	for (int i = 0; i < 4; i++) {
		table++;		/* the asterisk; blanks */
		n[i] = parse_signed(&table);
	}
	return (struct scale){ n[0], n[1], n[2], n[3] };
}

static void text_scaled(struct text *t, const char *table, int64_t n)
{
	struct scale s = scale_of(table);
	int64_t v = s.a * n + s.b;

	if (n == s.unknown)
		return;
	text_add(t, v < 0 ? "-" : "");
	v = v < 0 ? -v : v;
	text_decimal(t, (uint64_t)(v / s.c));
	if (v % s.c) {
		text_char(t, '.');
		text_decimal(t, (uint64_t)(v % s.c * 10 / s.c));
	}
}

/* A number in the unit that it is shown in, to a thousandth. */
static int parse_scaled(const char *table, const char *s, uint64_t *n)
{
	struct scale scale = scale_of(table);
	int minus = *s == '-';
	int64_t v, digit = 100;

	*n = (uint64_t)scale.unknown;
	if (same_word(s, "unknown", strlen(s)))
		return 1;
	s += minus;
	if (!parse_number(&s, n) || *n > 1000000)
		return 0;
	v = (int64_t)*n * 1000;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9' && digit; digit /= 10)
			v += (*s++ - '0') * digit;
	v = (minus ? -v : v) * scale.c - scale.b * 1000;
	*n = (uint64_t)(v / (scale.a * 1000));
	return !*s && v % (scale.a * 1000) == 0;
}

static void out_word(const char *name, const char *word)
{
	out_value(name, OUT_WORD, word, strlen(word));
}

static void out_bits(const char *name, const char *table, uint64_t n)
{
	uint64_t bit, left = n;
	const char *word;

	out_open(name, OUT_WORDS);
	while ((left || !n) && (word = next_word(&table, &bit)))
		if (bit ? (n & bit) == bit : !n) {
			out_value("", OUT_WORD, word,
				(size_t)(table - word) - 1);
			left &= ~bit;
		}
	if (left)
		out_number("", left, 0);
	out_close();
}

/* A number; below zero it is sign-extended and minus is set. */
static void show_number(const char *name, int show, uint64_t n, int minus)
{
	const char *table = table_of(show), *word;
	char buffer[32];
	struct text t = TEXT(buffer);
	int digits = 2;

	if (*table == '|') {
		out_bits(name, table + 1, n);
	} else if (*table == '*') {
		text_scaled(&t, table, (int64_t)n);
		out_value(name, t.len ? OUT_NUMBER : OUT_UNKNOWN, t.s, t.len);
	} else if (*table && (word = word_of(show, n))) {
		out_word(name, word);
	} else if (show == show_bool && n < 2) {
		out_value(name, OUT_NUMBER, n ? "true" : "false", n ? 4 : 5);
	} else if (show == show_hex) {
		while (digits < 16 && n >> 4 * digits)
			digits += 2;
		text_add(&t, "0x");
		text_hex(&t, n, digits);
		out_word(name, t.s);
	} else if (show == show_mnc || show == show_mcc) {
		text_add(&t, show == show_mcc && n < 100 ? "0" : "");
		text_add(&t, n < 10 ? "0" : "");
		text_decimal(&t, n);
		out_word(name, t.s);
	} else {
		out_number(name, n, minus);
	}
}

/* A word of a table, or a number; *s moves behind it. */
static int parse_word(const char *table, const char **s, uint64_t *n)
{
	size_t len = span(*s, ',');
	const char *word;

	while ((word = next_word(&table, n)))
		if (same_word(*s, word, len)) {
			*s += len;
			return 1;
		}
	return parse_number(s, n);
}

/* What an option's text means; minus when it is below zero. */
static int parse_value(int show, const char *s, uint64_t *n, int *minus)
{
	const char *table = show != show_bool ? table_of(show) :
		"0 off\0" "1 on\0" "0 false\0" "1 true\0" "0 no\0" "1 yes\0";
	uint64_t bit = 0;

	if (*table == '*') {
		int good = parse_scaled(table, s, n);

		*minus = (int64_t)*n < 0;
		return good;
	}
	*minus = *s == '-' && *table <= '\1';
	s += *minus;
	*n = 0;
	do {
		if (!parse_word(table + (*table == '|'), &s, &bit))
			return 0;
		*n |= bit;
	} while (*table == '|' && *s == ',' && s++);
	*n = *minus ? 0 - *n : *n;
	return !*s && !(show == show_bool && *n > 1);
}

/* The entry of a UUID (skip 0) or a word (37) in a table of "uuid word". */
static const char *uuid_entry(int show, const char *s, size_t skip)
{
	const char *p = table_of(show);

	for (; *p > '\1'; p += strlen(p) + 1)
		if (skip ? same_word(s, p + skip, strlen(s)) :
		    !strncmp(s, p, 36))
			return p;
	return NULL;
}

/* ---- decoding: a reply to out_… ---- */

enum { DEPTH_MAX = 8, ELEMENTS_MAX = 4096, FIELDS_MAX = 64 };

struct decoder {
	int quiet;			/* only look; tell nothing */
	int mask;			/* keep personal values back */
	int depth, elements;
	uint64_t fields[FIELDS_MAX];	/* the top level's, for guards */
	size_t n_fields;
	size_t counts[4];
	int mismatch;			/* a CONST is another number */
	/* what the items marked so said */
	int has_effect;
	uint64_t effect, cause, handle;
	uint8_t cause_show;
};

static void decode_items(struct decoder *d, struct cursor c, struct reader *r);

/* Nothing came for an item. */
static void absent(struct decoder *d, const struct item *it)
{
	struct reader nothing = { 0 };

	if (it->op == OP_REF)
		decode_items(d, it->inner, &nothing);
	else if (it->name && it->op != OP_STRUCT)
		out_value(it->name, it->kind->has & ITEMS && (!it->bare ||
			it->bare == OP_STRING) ? OUT_ABSENT_ARRAY : OUT_ABSENT,
			"", 0);
}

enum { IE_WCHAR_STR = 10 };

/* The bytes of an item. */
static struct reader locate(struct decoder *d, const struct item *it,
	struct reader *r)
{
	size_t n = it->kind->size, offset, padding = 0;

	switch (it->kind->where) {
	case POINTED:
		offset = take_number(r, 4);
		n = take_number(r, 4);
		return window(r, n ? offset : 0, n);
	case AWAY:
		offset = take_number(r, 4);
		n = d->counts[it->n & 3];
		return window(r, n ? offset : 0, n);
	case ELEMENT:		/* type, padding, length (MBIMEx 3.0) */
		if (it->op == OP_WSTR && take_number(r, 2) != IE_WCHAR_STR)
			r->bad = 1;
		take(r, 1);
		padding = take_number(r, 1);
		n = take_number(r, 4);
		break;
	case GIVEN_SIZE:
		n = it->n;
		break;
	case TAIL:
		n = r->len - r->at;
		break;
	case PREFIXED:
		n = take_number(r, n);
	}
	struct reader v = window(r, r->at, n);

	take(r, n);
	/* the last element's padding may be cut off */
	offset = r->len - r->at;
	take(r, padding < offset ? padding : offset);
	return v;
}

static void decode_number(struct decoder *d, const struct item *it,
	struct reader v)
{
	unsigned sign = (8 * (unsigned)v.len - 1) & 63;
	uint64_t n = take_number(&v, v.len);
	int minus = it->kind->what == SIGNED && n >> sign;

	if (minus)
		n |= ~(uint64_t)0 << sign;
	if (d->depth == 1 && d->n_fields < FIELDS_MAX)
		d->fields[d->n_fields] = n;
	if (it->flags & FLAG(OP_EFFECT)) {
		d->has_effect = 1;
		d->effect = n;
	}
	if (it->flags & FLAG(OP_CAUSE)) {
		d->cause = n;
		d->cause_show = it->show;
	}
	if (it->flags & FLAG(OP_HANDLE))
		d->handle = n;
	if (it->kind->what == CONSTANT)
		d->mismatch |= n != it->n;
	else if (it->kind->what == COUNTER)
		d->counts[it->n & 3] = n;
	else if (!d->quiet && !(d->mask && it->flags & HIDDEN))
		show_number(it->name, it->show, n, minus);
}

static void decode_value(struct decoder *d, const struct item *it,
	struct reader *r)
{
	enum what what = it->kind->what;
	struct reader v = locate(d, it, r);
	struct text t = TEXT(scratch);
	int hidden = d->mask && it->flags & HIDDEN;
	const char *entry;

	r->bad |= v.bad;
	if (r->bad)
		return;
	if (hidden) {
		out_mask(v.base, v.len);
		out_word(it->name, "***");
	}
	if (what >= NUMBER && what <= COUNTER)
		decode_number(d, it, v);
	if (what <= COUNTER || hidden || d->quiet)
		return;
	if (what == HEX) {
		text_bytes(&t, v.base, v.len);
	} else if (what == TEXT8) {
		text_utf8(&t, v.base, v.len);
	} else if (what == TEXT16) {
		text_utf16(&t, v.base, v.len);
	} else if (what == ADDRESS) {
		text_address(&t, v.base, v.len);
	} else {
		text_uuid(&t, v.base);
		entry = uuid_entry(it->show, t.s, 0);
		if (entry) {
			out_word(it->name, entry + 37);
			return;
		}
	}
	out_value(it->name, what == TEXT8 || what == TEXT16 ? OUT_TEXT :
		OUT_WORD, t.s, t.len);
}

/* One element: a bare value, or an object. */
static void decode_element(struct decoder *d, const struct item *it,
	struct reader *r)
{
	if (++d->elements > ELEMENTS_MAX)
		r->bad = 1;
	if (!it->bare)
		out_open(it->op == OP_STRUCT ? it->name : "", OUT_OBJECT);
	decode_items(d, it->inner, r);
	if (!it->bare)
		out_close();
}

static void decode_array(struct decoder *d, const struct item *it,
	struct reader *r)
{
	int pairs = it->op == OP_REFS || it->op == OP_PAIRS;
	size_t element = pairs ? 8 : fixed_size(it->inner), offset;
	size_t count = it->op == OP_PAIRS ? d->counts[it->n & 3] :
		it->op == OP_ALL ? SIZE_MAX :
		take_number(r, it->op == OP_LIST ? 4 : it->kind->size);
	struct reader v, *from = r;

	if (it->op == OP_LIST) {
		offset = take_number(r, 4);
		v = window(r, count ? offset : 0,
			count && offset < r->len ? r->len - offset : 0);
		from = &v;
	}
	if (it->op != OP_ALL &&
	    count > (from->len - from->at) / (element ? element : 1))
		r->bad = 1;
	out_open(it->name, it->bare && it->bare != OP_STRING ? OUT_WORDS :
		OUT_ARRAY);
	for (; count && !r->bad && (it->op != OP_ALL || r->at < r->len);
	     count--) {
		if (pairs) {
			offset = take_number(r, 4);
			v = window(r, offset, take_number(r, 4));
			from = &v;
		}
		decode_element(d, it, from);
		r->bad |= from->bad;
	}
	out_close();
}

/* Items elsewhere: a value at an offset; some, with a size; a struct. */
static void decode_away(struct decoder *d, const struct item *it,
	struct reader *r)
{
	size_t offset = it->op == OP_STRUCT ? r->at : take_number(r, 4);
	size_t size = it->op == OP_REF ? take_number(r, 4) :
		offset < r->len ? r->len - offset : 0;
	struct cursor inner = it->inner;
	struct item value;
	struct reader v;

	if (it->op == OP_REF ? !size : it->op == OP_AT && !offset) {
		absent(d, it);
		return;
	}
	v = window(r, offset, size);
	if (it->op == OP_STRUCT) {
		decode_element(d, it, &v);
		r->at += v.at;
	} else if (it->op == OP_REF) {
		decode_items(d, inner, &v);
	} else if (next(&inner, &value)) {
		value.name = it->name;
		decode_value(d, &value, &v);
	}
	r->bad |= v.bad;
}

/* Is there an item to decode? Fixed bytes under a WHEN are passed if not. */
static int is_there(struct decoder *d, const struct item *it, struct reader *r)
{
	uint64_t n = d->fields[it->guard_field % FIELDS_MAX];

	if (it->guard == OP_WHEN && !(n & it->guard_n)) {
		take(r, it->kind->size);
		return 0;
	}
	return it->guard != OP_IS || n == it->guard_n;
}

static void decode_items(struct decoder *d, struct cursor c, struct reader *r)
{
	struct item it;

	if (++d->depth > DEPTH_MAX)
		r->bad = 1;
	for (; next(&c, &it); skip(&c, &it)) {
		struct reader v, *from = r;

		if (it.tlv >= 0)
			from = qmi_tlv(*r, (uint8_t)it.tlv, &v) ? &v : NULL;
		if (!from || r->bad || r->len == 0 || !is_there(d, &it, r))
			absent(d, &it);
		else if (it.op == OP_AT || it.op == OP_REF ||
			 it.op == OP_STRUCT)
			decode_away(d, &it, from);
		else if (it.kind->has & ITEMS)
			decode_array(d, &it, from);
		else
			decode_value(d, &it, from);
		r->bad |= from && from->bad;
		d->n_fields += d->depth == 1 && it.name;
	}
	d->depth--;
}

/* ---- encoding: option text to a request ---- */

/*
 * A request under construction. In MBIM a structure has its fixed part at at
 * and its data from end on, and offsets count from start; in QMI at is end.
 */
struct encoder {
	struct cursor items;		/* all of the request's */
	struct option *options;		/* the slice in force: an element's */
	size_t n_options;
	size_t start, at, end;
	int overflow;
	size_t count_at, count;		/* a COUNT; SIZE_MAX: not known yet */
	size_t n_given;			/* values that are not just absent */
	const char *missing;		/* the first that is */
	uint64_t asked, first;		/* the VALUE; the first number */
	int n_numbers;
	const uint32_t *handle;		/* of a kept client, or NULL */
};

static uint8_t request[MBIM_REPLY_MAX - 128];	/* less headers to come */

static void put(struct encoder *e, size_t *where, const void *bytes, size_t len)
{
	e->overflow |= *where > sizeof(request) ||
		len > sizeof(request) - *where;
	if (e->overflow)
		return;
	if (len)
		memcpy(request + *where, bytes, len);
	*where += len;
	if (e->end < *where)
		e->end = *where;
}

static void put_fixed(struct encoder *e, uint64_t n, size_t size)
{
	uint8_t bytes[8];

	put_number(bytes, n, size);
	put(e, &e->at, bytes, size);
}

/* Write a number over what stands at a place. */
static void patch(struct encoder *e, size_t where, uint64_t n, size_t size)
{
	if (!e->overflow)
		put_number(request + where, n, size);
}

static void align(struct encoder *e)
{
	put(e, &e->end, "\0\0", (e->start - e->end) & 3);
}

static int bad_option(const char *name, const char *what)
{
	char dashed[64];
	struct text t = TEXT(dashed);

	text_dashed(&t, name);
	return fail(USAGE, t.len ? "--" : "its value", dashed, ": ", what);
}

/* Is this an item's option? The command's own value has no name. */
static int names_item(const char *given, const struct item *it)
{
	size_t len = span(given, '=');

	return it->help && (!len ? it->flags & FLAG(OP_VALUE) :
		same_word(given, it->name, len) ||
		(it->also && same_word(given, it->also, len)));
}

/* The nth option of the slice that is this item's, or NULL. */
static struct option *find_option(struct encoder *e, const struct item *it,
	size_t nth)
{
	for (struct option *o = e->options; o < e->options + e->n_options; o++)
		if (names_item(o->name, it) && !nth--) {
			o->used = 1;
			return o;
		}
	return NULL;
}

/* The word of the GIVENs whose other option is there, or NULL. */
static const char *given_word(struct encoder *e, const struct item *it)
{
	struct cursor c = { .name = it->givens };

	for (size_t i = 0; i < it->n_givens; i++) {
		const char *other = next_name(&c), *word = next_name(&c);
		struct cursor options = e->items;
		struct item item;

		while (next_option(&options, &item))
			if (!strcmp(item.name, other) &&
			    find_option(e, &item, 0))
				return word;
	}
	return NULL;
}

/* The text that gives an item its value, or what stands for it. */
static int value_of(struct encoder *e, const struct item *it, const char **s)
{
	struct option *o = find_option(e, it, 0);
	int required = (it->flags & FLAG(OP_REQUIRED)) != 0;

	if (o && find_option(e, it, 1))
		return bad_option(o->name, "given twice");
	if (o && required && !*o->value)
		return bad_option(o->name, "is empty");
	*s = o ? o->value : given_word(e, it);
	*s = *s ? *s : it->fallback;
	e->n_given += *s != NULL;
	if (!*s && !e->missing)
		e->missing = it->name;
	return *s || !required ? DONE : bad_option(it->name, "is needed");
}

static int encode_number(struct encoder *e, const struct item *it,
	const char *s, uint8_t *bytes)
{
	size_t size = it->kind->size;
	unsigned bits = 8 * (unsigned)size;
	int minus = 0;
	uint64_t n = 0;

	if (s && !parse_value(it->show, s, &n, &minus))
		return -1;
	if (it->kind->what == SIGNED ?
	    (minus ? 0 - n : n + 1) > (uint64_t)1 << (bits - 1) :
	    minus || (bits < 64 && n >> bits) || (it->max && n > it->max))
		return -1;
	if (it->flags & FLAG(OP_VALUE))
		e->asked = n;
	if (!e->n_numbers++)
		e->first = n;
	put_number(bytes, n, size);
	return (int)size;
}

/* An option's text, or NULL, as the bytes of an item; how many, or -1. */
static int content(struct encoder *e, const struct item *it, const char *s)
{
	uint8_t *bytes = (uint8_t *)scratch;
	size_t max = it->max ? it->max : MBIM_REPLY_MAX;
	const char *entry;

	switch (it->kind->what) {
	case NUMBER: case SIGNED:
		return encode_number(e, it, s, bytes);
	case CONSTANT: case COUNTER:
		put_number(bytes, it->kind->what == CONSTANT ? it->n : 0, 4);
		return 4;
	case TEXT8: case TEXT16:
		return parse_text(s ? s : "", it->kind->what == TEXT16,
			bytes, max);
	case ID:
		memset(bytes, 0, 16);
		entry = s ? uuid_entry(it->show, s, 37) : NULL;
		return s && !parse_uuid(entry ? entry : s, bytes) ? -1 : 16;
	case NOTHING:
		memset(bytes, 0, it->n);
		return it->n;
	default:
		return s ? parse_hex(s, s + strlen(s), bytes, max) : 0;
	}
}

/* Put the bytes of an item, which are in scratch, in their place. */
static void place(struct encoder *e, const struct item *it, size_t len)
{
	uint8_t head[8] = { IE_WCHAR_STR, 0, 0, (uint8_t)(-len & 3) };
	enum where where = it->kind->where;

	if (where == POINTED || where == AWAY) {
		align(e);
		put_fixed(e, len ? e->end - e->start : 0, 4);
		if (where == POINTED)
			put_fixed(e, len, 4);
	} else if (where == ELEMENT) {
		put_number(head + 4, len, 4);
		put(e, &e->end, head, sizeof(head));
	} else {
		if (where == PREFIXED)
			put_fixed(e, len, it->kind->size);
		put(e, &e->at, scratch, len);
		return;
	}
	put(e, &e->end, scratch, len);
	align(e);
}

static int encode_items(struct encoder *e, struct cursor c);

/* Named elements: an option of the first member has those up to the next. */
static int encode_structs(struct encoder *e, const struct item *it)
{
	struct option *o, *end, *last = e->options + e->n_options;
	const struct encoder outer = *e;
	struct cursor c = it->inner;
	struct item first;
	size_t n = 0, start;
	int code = DONE;

	next_option(&c, &first);
	while (find_option(e, &first, n))
		n++;
	put_fixed(e, n, it->kind->size);
	if (it->op == OP_REFS && e->end < e->at + 8 * n)
		e->end = e->at + 8 * n;
	for (size_t i = 0, at = e->at; i < n && !code; i++) {
		e->options = outer.options;
		e->n_options = outer.n_options;
		o = find_option(e, &first, i);
		end = find_option(e, &first, i + 1);
		e->options = o;
		e->n_options = (size_t)((end ? end : last) - o);
		if (it->op != OP_REFS) {
			if (it->op == OP_ALL)
				e->missing = NULL;
			code = encode_items(e, it->inner);
			if (!code && it->op == OP_ALL && e->missing)
				code = bad_option(e->missing, "is needed");
			continue;
		}
		e->start = outer.start;
		align(e);
		e->start = e->at = start = e->end;
		e->end += fixed_size(it->inner);
		code = encode_items(e, it->inner);
		e->at = at;
		put_fixed(e, start - outer.start, 4);
		put_fixed(e, e->end - start, 4);
		at = e->at;
	}
	e->options = outer.options;
	e->n_options = outer.n_options;
	e->start = outer.start;
	return code;
}

/* Elements without: a comma list, under the container's name. */
static int encode_list(struct encoder *e, const struct item *it)
{
	struct item element;
	struct cursor c = it->inner;
	struct option *o = find_option(e, it, 0);
	const char *s = o ? o->value : "";
	size_t count_at = e->at, n = 0;
	char word[64];

	next(&c, &element);
	put_fixed(e, 0, it->kind->size);
	e->n_given += o != NULL;
	for (; o && (s == o->value || *s++ == ','); n++) {
		struct text t = TEXT(word);

		for (size_t len = span(s, ','); len; len--)
			text_char(&t, *s++);
		int size = content(e, &element, word);

		if (size < 0)
			return bad_option(o->name, "no such word or number");
		place(e, &element, (size_t)size);
	}
	patch(e, count_at, n, it->kind->size);
	return DONE;
}

static int encode_container(struct encoder *e, const struct item *it)
{
	size_t start = e->start;

	if (it->op != OP_STRUCT)
		return it->bare ? encode_list(e, it) : encode_structs(e, it);
	e->start = e->at;
	int code = encode_items(e, it->inner);

	e->start = start;
	return code;
}

/* Why an item did not take an option's text. */
static const char *what_is_wanted(const struct item *it)
{
	const char *table = table_of(it->show);

	switch (it->kind->what) {
	case NUMBER: case SIGNED: case ID:
		return *table && *table != '*' ? "no such word or number" :
			"not a number that fits";
	case TEXT8: case TEXT16:
		return "too long, or not UTF-8";
	default:
		return "not hex of the right length";
	}
}

static int encode_value(struct encoder *e, const struct item *it)
{
	const char *s = NULL;
	int len, code = DONE;

	if (it->kind->has & ITEMS)
		return encode_container(e, it);
	if (it->help)
		code = value_of(e, it, &s);
	if (code)
		return code;
	if (it->op == OP_COUNT) {
		e->count_at = e->at;
		e->count = SIZE_MAX;
	}
	len = content(e, it, s);
	if (it->op == OP_DATA_AT && len >= 0) {
		if (e->count == SIZE_MAX)
			patch(e, e->count_at, e->count = (size_t)len, 4);
		len = (size_t)len == e->count ? len : -1;
	}
	if (len < 0 || (it->op == OP_BYTES && len != it->n)) {
		struct option *o = find_option(e, it, 0);

		return bad_option(o ? o->name : it->name, what_is_wanted(it));
	}
	place(e, it, (size_t)len);
	return DONE;
}

/* A TLV is sent when something in it was given; a default is, always. */
static int encode_tlv(struct encoder *e, const struct item *it)
{
	size_t at = e->at, given = e->n_given;
	int code = DONE;

	e->missing = NULL;
	put(e, &e->at, (uint8_t[3]){ (uint8_t)it->tlv }, 3);
	if (it->flags & FLAG(OP_HANDLE) && e->handle &&
	    !find_option(e, it, 0)) {
		put_fixed(e, *e->handle, 4);
		e->n_given++;
	} else {
		code = encode_value(e, it);
	}
	if (!code && e->n_given == given)
		e->at = e->end = at;
	else if (!code && e->missing)
		code = bad_option(e->missing, "is needed");
	else
		patch(e, at + 1, e->at - at - 3, 2);
	return code;
}

static int encode_items(struct encoder *e, struct cursor c)
{
	struct item it;
	int code = DONE;

	for (; !code && next(&c, &it); skip(&c, &it))
		code = it.tlv >= 0 ? encode_tlv(e, &it) : encode_value(e, &it);
	return code;
}

enum { PARTS_MAX = 1024 };

/* The parts of a raw command's value as options of its items, in order. */
static int split_value(struct encoder *e, const struct call *call)
{
	static struct option parts[PARTS_MAX];
	static char copy[sizeof(scratch)];
	struct cursor c = e->items, again = c, before;
	struct item it;
	char *s = copy;
	size_t len = strlen(call->options->value) + 1;

	if (len > sizeof(copy))
		return fail(USAGE, "the request is too long");
	memcpy(copy, call->options->value, len);
	e->options = parts;
	for (e->n_options = 0; e->n_options < PARTS_MAX; s++) {
		before = c;
		if (!next_option(&c, &it)) {	/* more elements */
			before = c = again;
			next_option(&c, &it);
		}
		if (!before.depth)
			again = before;
		parts[e->n_options++] = (struct option){ it.name, s, 0 };
		while (*s && *s != ',' && *s != '=')
			s++;
		if (!*s)
			return DONE;
		*s = '\0';
	}
	return fail(USAGE, "the request is too long");
}

/* Encode a call: the request is in request, up to e->end. */
static int encode(struct encoder *e, const struct call *call, int version,
	const uint32_t *handle)
{
	struct cursor c = find_part(call->command, OP_REQUEST, version);
	int mbim = call->command->kind <= KIND_SET, code = DONE;

	*e = (struct encoder){ .items = c, .options = call->options,
		.n_options = call->n_options, .handle = handle };
	if (call->command->kind >= KIND_RAW_MBIM && call->n_options == 1 &&
	    !*call->options->name)
		code = split_value(e, call);
	for (size_t i = 0; i < e->n_options; i++)
		e->options[i].used = 0;
	if (mbim)
		e->end = fixed_size(c);
	code = code ? code : encode_items(e, c);
	if (mbim)
		align(e);
	for (size_t i = 0; i < e->n_options && !code; i++)
		if (!e->options[i].used)
			code = bad_option(e->options[i].name,
				"belongs after another option");
	return !code && e->overflow ?
		fail(USAGE, "the request is too long") : code;
}

/* ---- commands ---- */

/* The number of a service by its UUID, or -1. */
static int service_number(const uint8_t *uuid)
{
	const char *p = table_of(show_service);
	char s[40];
	struct text t = TEXT(s);

	text_uuid(&t, uuid);
	for (int i = 0; *p > '\1'; p += strlen(p) + 1, i++)
		if (!strncmp(p, s, 36))
			return i;
	return -1;
}

static const struct command *lookup(enum kind_of kind, int service, uint32_t id)
{
	for (const struct command *c = commands; c < commands_end; c++)
		if (c->kind == kind && c->service == service && c->id == id)
			return c;
	return NULL;
}

const struct command *command_find(const char *name)
{
	size_t len = span(name, '=');
	char key[64];

	if (len == 0 || len >= sizeof(key))
		return NULL;
	for (size_t i = 0; i < len; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[len] = '\0';
	for (const struct command *c = commands; c < commands_end; c++)
		if (c->hash == HASH(key, len) && !strcmp(names + c->names, key))
			return c;
	return NULL;
}

const char *command_name(const struct command *c)
{
	return names + c->names;
}

const char *command_help(const struct command *c)
{
	return head_of(c)->help;
}

int command_slow(const struct command *c)
{
	return head_of(c)->slow;
}

int command_has_option(const struct command *c, const char *name)
{
	struct cursor options = head_of(c)->request;
	struct item it;

	while (next_option(&options, &it))
		if (names_item(name, &it))
			return 1;
	return 0;
}

/* A secret may be in a file, or come from standard input. */
static int read_secret(struct option *o)
{
	static char pool[4096];
	static size_t used;
	char *s = pool + used;
	ssize_t n = 0;

	if (*++o->value == '@')
		return DONE;
	int fd = strcmp(o->value, "-") ? open(o->value, O_RDONLY | O_CLOEXEC) :
		0;

	while (fd >= 0 && used < sizeof(pool) &&
	       (n = read(fd, pool + used, sizeof(pool) - used)) > 0)
		used += (size_t)n;
	if (fd > 0)
		close(fd);
	if (fd < 0 || n < 0 || used == sizeof(pool))
		return bad_option(o->name, "its file cannot be read");
	if (pool + used > s && pool[used - 1] == '\n')
		used--;
	pool[used++] = '\0';
	o->value = s;
	return strlen(s) + 1 == (size_t)(pool + used - s) ? DONE :
		bad_option(o->name, "there is a NUL in its file");
}

int command_check(const struct call *call)
{
	struct encoder e;
	struct item it;
	int code = DONE;

	for (size_t i = 0; i < call->n_options && !code; i++) {
		struct option *o = &call->options[i];
		struct cursor c = head_of(call->command)->request;

		while (*o->value == '@' && next_option(&c, &it))
			if (it.flags & FLAG(OP_SECRET) &&
			    names_item(o->name, &it)) {
				code = read_secret(o);
				break;
			}
	}
	return code ? code : encode(&e, call, 0, NULL);
}

/* ---- running ---- */

/* The TLVs that the table does not have, as hex; the result is left out. */
static void tell_unknown(struct cursor c, struct reader *tlvs)
{
	struct item rest = { .op = OP_REST, .kind = &kinds[OP_REST] }, it;
	struct reader r = *tlvs, v, first;
	struct decoder d = { 0 };
	uint8_t type;
	char name[8];
	int any = 0;

	while (qmi_next_tlv(&r, &type, &v)) {
		struct cursor known = c;
		struct text t = TEXT(name);

		it.tlv = 0x02;
		while (it.tlv != type && next(&known, &it))
			skip(&known, &it);
		if (it.tlv == type || !qmi_tlv(*tlvs, type, &first) ||
		    first.base != v.base)
			continue;
		if (!any++)
			out_open("unknown", OUT_OBJECT);
		text_add(&t, "0x");
		text_hex(&t, type, 2);
		rest.name = name;
		decode_value(&d, &rest, &v);
	}
	if (any)
		out_close();
	tlvs->bad |= r.bad;
}

/* Tell a part of a message through out_…; false when it is malformed. */
static int tell(struct decoder *d, const struct command *c, enum op part,
	int version, int qmi, struct reader r)
{
	struct cursor items = { .op = ops, .name = names };
	struct item data = { .op = OP_REST, .kind = &kinds[OP_REST],
		.name = "data" };

	if (d->quiet)
		out_mute(1);
	if (c)
		items = find_part(c, part, version);
	if (c || qmi)
		decode_items(d, items, &r);
	else
		decode_value(d, &data, &r);
	if (qmi)
		tell_unknown(items, &r);
	if (d->quiet)
		out_mute(0);
	return !r.bad;
}

void command_blank(const struct command *c)
{
	tell(&(struct decoder){ 0 }, c, OP_REPLY, 0, 0, (struct reader){ 0 });
}

/* One command under way: what was asked, and what came. */
struct run {
	const struct command *command;	/* as given; and whose reply it is */
	const struct command *replies;
	struct head head;
	int version, is_qmi;
	uint64_t asked;
	uint32_t status;		/* an MBIM status or a QMI error */
	struct reader reply;
	struct decoder said;
};

/* Print a reply, once it is known to be whole and to be what was asked for. */
static int print_reply(struct run *r)
{
	struct decoder *d = &r->said;

	*d = (struct decoder){ .quiet = 1 };
	if (!tell(d, r->replies, OP_REPLY, r->version, r->is_qmi, r->reply))
		return fail(MALFORMED, "malformed reply");
	/* did the modem do what it was asked for, or only say so? */
	if (d->has_effect && r->command == r->replies && d->effect != r->asked)
		return r->head.lock && r->asked == r->head.lock_value ?
			fail(FCC_LOCKED,
				"the modem said yes, but it stayed off") :
			fail(NOT_REACHED,
				"the modem said yes, but nothing changed");
	out_begin(r->head.name);
	tell(&(struct decoder){ 0 }, r->replies, OP_REPLY, r->version,
		r->is_qmi, r->reply);
	out_end();
	return DONE;
}

/* A status or QMI error: of the modem's, the network's or the FCC lock's? */
static int refused(struct run *r)
{
	struct decoder d = { .quiet = 1 };
	char more[80];
	struct text t = TEXT(more);
	const char *word;
	int code = 0;

	if (r->command == r->replies)
		tell(&d, r->command, OP_REPLY, r->version, r->is_qmi, r->reply);
	if (r->head.lock && r->status == r->head.lock &&
	    r->asked == r->head.lock_value) {
		code = FCC_LOCKED;
	} else if (d.cause && r->command->kind != KIND_QUERY) {
		code = NETWORK_REFUSED;
		word = word_of(d.cause_show, d.cause);
		text_join(&t, ", cause ", decimal(d.cause), word ? " " : "");
		text_dashed(&t, word ? word : "");
	}
	return (r->is_qmi ? qmi_refused : mbim_refused)(r->status, code, more);
}

/* Sessions that outlive the run: true when there is a change. */
static int keep_session(struct mbim *m, uint8_t session, int keep)
{
	uint8_t *end = m->mark.sessions + m->mark.n_sessions, *at;

	for (at = m->mark.sessions; at < end && *at != session; at++)
		;
	if (keep && at == end && m->mark.n_sessions < MBIM_KEPT_MAX)
		m->mark.sessions[m->mark.n_sessions++] = session;
	else if (!keep && at < end)
		*at = m->mark.sessions[--m->mark.n_sessions];
	else
		return 0;
	mark_write(m);
	return 1;
}

enum { CONTEXT_NOT_ACTIVATED = 16, INVALID_HANDLE = 9,
	OUT_OF_CALL = 15, NO_EFFECT = 26 };

static int send_mbim(struct mbim *m, struct run *r, const struct encoder *e)
{
	struct reader q = { request, e->end, 0, 0 };
	uint8_t uuid[16], session = (uint8_t)e->first;
	int added = 0, code;
	enum mbim_operation operation = (enum mbim_operation)r->command->kind;
	const char *service = table_of(show_service);
	struct mbim_answer answer = { 0 };
	uint32_t cid = r->command->id;

	if (r->command->kind == KIND_RAW_MBIM) {
		memcpy(uuid, take(&q, 16), 16);
		cid = (uint32_t)take_number(&q, 4);
		operation = take_number(&q, 4) ? MBIM_SET : MBIM_QUERY;
		r->replies = lookup((enum kind_of)operation,
			service_number(uuid), cid);
	} else {
		for (int i = r->command->service; i; i--)
			service += strlen(service) + 1;
		parse_uuid(service, uuid);
	}
	/* before, so that a run that is killed leaves word of it */
	if (r->head.flags & FLAG(OP_KEEP))
		added = keep_session(m, session, 1);
	code = mbim_command(m, uuid, cid, operation, request + q.at,
		q.len - q.at, &answer);
	r->status = answer.status;
	r->reply = answer.info;
	if (added && (code || r->status))
		keep_session(m, session, 0);
	else if (r->head.flags & FLAG(OP_KEEP) && !code && !r->status)
		keep_session(m, session, 1);	/* an OPEN forgot it */
	if (r->head.flags & FLAG(OP_DROP) && !code && (!r->status ||
			r->status == CONTEXT_NOT_ACTIVATED))
		keep_session(m, session, 0);
	return code;
}

static int send_qmi(struct mbim *m, struct run *r, const struct encoder *e)
{
	struct reader q = { request, e->end, 0, 0 };
	uint8_t service = r->command->service;
	uint16_t message = r->command->id;
	int code, error = 0;

	if (r->command->kind == KIND_RAW_QMI) {
		service = (uint8_t)take_number(&q, 1);
		message = (uint16_t)take_number(&q, 2);
		r->replies = lookup(KIND_QMI, service, message);
	}
	code = qmi_command(m, service, message,
		r->head.flags & FLAG(OP_KEEP) ? QMI_KEEP :
		r->head.flags & FLAG(OP_DROP) ? QMI_DROP : QMI_PLAIN,
		request + q.at, q.len - q.at, &error, &r->reply);
	r->status = (uint32_t)error;
	/* the call of the kept client has ended by itself */
	if (!code && r->head.flags & FLAG(OP_DROP) && (error == NO_EFFECT ||
			error == INVALID_HANDLE || error == OUT_OF_CALL))
		qmi_drop(m);
	return code;
}

int command_run(struct mbim *m, const struct call *call)
{
	const struct command *c = call->command;
	struct run r = { .command = c, .replies = c, .head = *head_of(c),
		.version = m->mark.version,
		.is_qmi = c->kind == KIND_QMI || c->kind == KIND_RAW_QMI };
	struct encoder e;
	uint32_t handle;
	int code = encode(&e, call, r.version, c->kind == KIND_QMI &&
		qmi_kept_handle(m, c->service, &handle) ? &handle : NULL);

	r.asked = e.asked;
	if (!code)
		code = (r.is_qmi ? send_qmi : send_mbim)(m, &r, &e);
	if (code)
		return code;
	if (r.status)
		return refused(&r);
	code = print_reply(&r);
	if (!code && r.is_qmi && r.head.flags & FLAG(OP_KEEP))
		qmi_keep(m, (uint32_t)r.said.handle);
	if (!code && r.is_qmi && r.head.flags & FLAG(OP_DROP))
		qmi_drop(m);
	return code;
}

/* ---- frames, for the trace and --decode ---- */

/*
 * Which command is this a message of? Of several with one number (the PIN's),
 * a request is the one whose constants fit.
 */
static const struct command *recognize(enum kind_of kind, int service,
	uint32_t id, enum op part, int version, struct reader r)
{
	const struct command *c = lookup(kind, service, id), *first = c;

	if (part == OP_REPLY && !c && kind == KIND_QUERY)
		return lookup(KIND_SET, service, id);
	for (; part == OP_REQUEST && c && c < commands_end; c++) {
		struct decoder d = { .quiet = 1 };

		if (c->kind == kind && c->service == service && c->id == id &&
		    tell(&d, c, part, version, 0, r) && !d.mismatch)
			return c;
	}
	return first;
}

static int tell_named(const struct command *c, enum op part, int version,
	int qmi, struct reader r, int mask)
{
	struct decoder d = { .mask = mask };

	if (!r.len && part == OP_REPLY && !qmi)
		return 1;
	if (c)
		out_open(command_name(c), OUT_OBJECT);
	int good = tell(&d, c, part, version, qmi, r);

	if (c)
		out_close();
	return good;
}

static int tell_qmux(const uint8_t *frame, size_t len, int mask)
{
	const struct command *c;
	struct qmux q;

	if (!qmux_parse(frame, len, &q))
		return 0;
	show_number("qmi_service", show_qmi_service, q.service, 0);
	out_number("client", q.client, 0);
	out_number("qmi_transaction", q.id, 0);
	show_number("qmi_message", show_hex, q.message, 0);
	out_word("direction", q.indication ? "indication" :
		q.response ? "response" : "request");
	if (q.response) {
		int error = qmi_result(q.tlvs);

		show_number("result", show_qmi_error, (uint64_t)error, 0);
	}
	if (q.surplus)
		out_number("surplus_bytes", q.surplus, 0);
	c = lookup(KIND_QMI, q.service, q.message);
	return tell_named(c, q.from_modem ? OP_REPLY : OP_REQUEST, 0, 1,
		q.tlvs, mask) && !q.surplus;
}

static int tell_command(uint32_t type, struct reader *r, int version, int mask)
{
	int done = type == 0x80000003, indication = type == 0x80000007;
	enum op part = done || indication ? OP_REPLY : OP_REQUEST;
	const uint8_t *uuid = take(r, 16);
	uint32_t id = (uint32_t)take_number(r, 4), operation = 0;
	struct item service = { .op = OP_UUID, .kind = &kinds[OP_UUID],
		.name = "service", .show = show_service };
	struct reader info = { uuid, 16, 0, 0 };
	struct decoder d = { 0 };
	const struct command *c;
	int number;
	size_t len;

	if (!uuid)
		return 0;
	decode_value(&d, &service, &info);
	number = service_number(uuid);
	out_number("cid", id, 0);
	if (!indication)
		operation = (uint32_t)take_number(r, 4);
	if (done)
		show_number("status", show_mbim_status, operation, 0);
	else if (!indication)
		show_number("operation", show_operation, operation, 0);
	len = take_number(r, 4);
	info = window(r, r->at, len);
	if (r->bad)
		return 0;
	if (number == service_QMI && len)
		return tell_qmux(info.base, info.len, mask);
	c = recognize(part == OP_REPLY || operation == MBIM_QUERY ?
		KIND_QUERY : KIND_SET, number, id, part, version, info);
	return tell_named(c, part, version, 0, info, mask);
}

int decode_frame(const uint8_t *frame, size_t len, int version, int mask)
{
	struct reader r = { frame, len, 0, 0 };
	uint32_t type = (uint32_t)take_number(&r, 4), n;

	if (len < 12 || take_number(&r, 4) != len)
		return tell_qmux(frame, len, mask);
	show_number("message", show_message, type, 0);
	out_number("transaction", take_number(&r, 4), 0);
	if (type == 3 || type == 0x80000003 || type == 0x80000007) {
		n = (uint32_t)take_number(&r, 4);
		if (n > 1) {
			out_number("fragments", n, 0);
			out_number("fragment", take_number(&r, 4), 0);
			if (mask && !r.bad)
				out_mask(frame + r.at, len - r.at);
			return !r.bad;
		}
		take(&r, 4);
		return tell_command(type, &r, version, mask);
	}
	n = r.len - r.at >= 4 ? (uint32_t)take_number(&r, 4) : 0;
	if (type == 1)
		out_number("max_control_transfer", n, 0);
	else if (type == 0x80000004)
		show_number("function_error", show_function_error, n, 0);
	else if (type & 0x80000000)
		show_number("status", show_mbim_status, n, 0);
	return 1;
}

/* ---- names, and lists for help and documents ---- */

const char *name_of(enum name_table which, uint32_t n)
{
	static const uint8_t shows[] = { show_mbim_status,
		show_function_error, show_qmi_error, show_hint };
	const char *name = word_of(shows[which], n);

	return name || which == HINT ? name : "an unknown error";
}

void command_list(void (*told)(const char *name, const char *help))
{
	for (const struct command *c = commands; c < commands_end; c++)
		told(command_name(c), command_help(c));
}

void command_options(const struct command *c,
	void (*told)(const struct option_help *help))
{
	struct cursor options = head_of(c)->request;
	struct item it;

	while (next_option(&options, &it)) {
		struct cursor inner = it.inner;
		struct item element = it;
		struct option_help h = { it.name, it.also, it.help, it.fallback,
			NULL, (it.flags & FLAG(OP_VALUE)) != 0,
			(it.flags & FLAG(OP_REQUIRED)) != 0 };

		if (it.kind->has & ITEMS)
			next(&inner, &element);
		if (element.show >= SHOW_TABLES)
			h.words = table_of(element.show);
		told(&h);
	}
}
