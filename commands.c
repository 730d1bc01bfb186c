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

enum kind { KIND_QUERY, KIND_SET, KIND_QMI };

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
};

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

static const struct {
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
};

struct item {
	enum op op;
	uint8_t n, show;
	int tlv;				/* or -1 */
	enum op guard;				/* WHEN, IS, or END */
	uint8_t guard_field, guard_n;
	const char *name, *help;
	const char *also, *fallback;		/* suffixes, or NULL */
	const char *givens;			/* other, word, other, … */
	uint8_t n_givens;
	uint8_t max;
	unsigned flags;				/* of those from OP_FLAGS on */
	struct cursor inner;			/* a container's items */
	int in_place;				/* they come next */
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
		switch (*c->op) {
		case OP_DEFAULT:
			it->fallback = next_name(c);
			break;
		case OP_GIVEN:
			it->givens = it->n_givens++ ? it->givens : c->name;
			next_name(c);
			next_name(c);
			break;
		case OP_ALSO:
			it->also = next_name(c);
			break;
		case OP_MAX:
			it->max = *++c->op;
			break;
		default:
			it->flags |= FLAG(*c->op);
		}
}

/*
 * The next item, with its guards and suffixes; false at an END or at the end
 * of a part, which are not passed. After a container its own items are next.
 */
static int next(struct cursor *c, struct item *it)
{
	unsigned char op;

	memset(it, 0, sizeof(*it));
	it->tlv = -1;
	for (; *c->op <= OP_IS && *c->op >= OP_TLV; c->op += 2)
		if (*c->op == OP_TLV) {
			it->tlv = c->op[1];
		} else {
			it->guard = *c->op++;
			it->guard_field = c->op[0];
			it->guard_n = c->op[1];
		}
	op = *c->op;
	it->op = op & ~OP_HELPED;
	if (it->op < OP_TLV)
		return 0;
	c->op++;
	if (kinds[it->op].has & SHOW)
		it->show = *c->op++;
	if (kinds[it->op].has & ONE)
		it->n = *c->op++;
	if (kinds[it->op].has & NAME)
		it->name = next_name(c);
	if (op & OP_HELPED)
		it->help = next_name(c);
	if (it->op == OP_AGAIN) {
		it->op = OP_STRUCT;
		it->inner = (struct cursor){ c->again_op, c->again_name, 0, 0 };
	} else if (kinds[it->op].has & ITEMS) {
		it->inner = (struct cursor){ c->op, c->name, 0, 0 };
		it->in_place = 1;
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

/* The bytes of the fixed part of some items, without those of pairs. */
static size_t fixed_size(struct cursor c)
{
	struct item it;
	size_t size = 0;

	for (; next(&c, &it); skip(&c, &it))
		size += it.op == OP_STRUCT ? fixed_size(it.inner) :
			kinds[it.op].where == GIVEN_SIZE ? it.n :
			kinds[it.op].size;
	return size;
}

/* What the head of a command says, and where its request begins. */
struct head {
	const char *name, *help;
	uint8_t slow, lock, lock_value;
	unsigned flags;
	struct cursor request;
};

static struct head head_of(const struct command *command)
{
	struct cursor c = { ops + command->ops, names + command->names, 0, 0 };
	struct head h = { 0 };

	h.name = next_name(&c);
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
	return h;
}

/* A part of a command: of the highest version not above the session's. */
static struct cursor find_part(const struct command *command, enum op part,
	int version)
{
	struct cursor c = head_of(command).request, best = { ops, names, 0, 0 };
	struct item it;

	if (part == OP_REQUEST)
		best = c;
	while (best.op == ops || version > 0) {
		for (; next(&c, &it); skip(&c, &it))
			;
		if (*c.op == OP_END)
			return best;
		if (*c.op == OP_SAME) {
			size_t other = c.op[1] | (size_t)c.op[2] << 8;

			return part != OP_REPLY ? best :
				find_part(&commands[other], part, version);
		}
		c.op += 2;
		if (c.op[-2] == part && c.op[-1] <= version)
			best = c;
	}
	return best;
}

/* ---- values as text ---- */

static char scratch[3 * MBIM_REPLY_MAX + 1];	/* one value as text or bytes */

static const char *table_of(int show)
{
	return values + tables[show - SHOW_TABLES] + 1;
}

/*
 * Walk a table of "number word": start with *n = -1. Returns the word, or NULL
 * at the end.
 */
const char *next_word(const char **table, uint64_t *n)
{
	const char *word = *table;

	if (*word <= '\1')
		return NULL;
	if (word[1] == ' ')
		*n = (uint64_t)(*word++ - '0');		/* most are digits */
	else
		*n = (uint64_t)parse_signed(&word);
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
	struct scale s;

	table++;		/* the asterisk */
	s.a = parse_signed(&table), table++;
	s.b = parse_signed(&table), table++;
	s.c = parse_signed(&table), table++;
	s.unknown = parse_signed(&table);
	return s;
}

static void text_scaled(struct text *t, const char *table, int64_t n)
{
	struct scale s = scale_of(table);
	int64_t v = s.a * n + s.b;

	if (n == s.unknown)
		return;
	if (v < 0)
		text_char(t, '-');
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

static void out_number(const char *name, uint64_t n, int minus)
{
	char buffer[24];
	struct text t = TEXT(buffer);

	if (minus)
		text_char(&t, '-');
	text_decimal(&t, minus ? 0 - n : n);
	out_value(name, OUT_NUMBER, buffer, t.len);
}

static void out_bits(const char *name, const char *table, uint64_t n)
{
	uint64_t bit, left = n;
	const char *word;

	out_open(name, OUT_WORDS);
	table++;		/* the bar */
	while ((left || !n) && (word = next_word(&table, &bit)))
		if (bit ? (n & bit) == bit : !n) {
			out_value("", OUT_WORD, word, strlen(word));
			left &= ~bit;
		}
	if (left)
		out_number("", left, 0);
	out_close();
}

/* A number; below zero it is sign-extended and minus is set. */
static void show_number(const char *name, int show, uint64_t n, int minus)
{
	const char *table = show < SHOW_TABLES ? "" : table_of(show), *word;
	enum out_kind kind = OUT_WORD;
	char buffer[32];
	struct text t = TEXT(buffer);
	int digits = 2;

	if (*table == '|') {
		out_bits(name, table, n);
		return;
	}
	if (*table == '*') {
		kind = OUT_NUMBER;
		text_scaled(&t, table, (int64_t)n);
	} else if (*table) {
		word = word_of(show, n);
		text_add(&t, word ? word : "");
		if (word) {
			out_value(name, kind, word, strlen(word));
			return;
		}
	} else if (show == show_bool && n < 2) {
		kind = OUT_NUMBER;
		text_add(&t, n ? "true" : "false");
	} else if (show == show_hex) {
		while (digits < 16 && n >> 4 * digits)
			digits += 2;
		text_add(&t, "0x");
		text_hex(&t, n, digits);
	} else if (show == show_mnc || show == show_mcc) {
		text_add(&t, show == show_mcc && n < 100 ? "0" : "");
		text_add(&t, n < 10 ? "0" : "");
		text_decimal(&t, n);
	}
	if (t.len)
		out_value(name, kind, buffer, t.len);
	else if (*table == '*')
		out_value(name, OUT_UNKNOWN, "", 0);
	else
		out_number(name, n, minus);
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
	const char *table = show < SHOW_TABLES ? "" : table_of(show);
	uint64_t bit = 0;

	if (show == show_bool)
		table = "0 off\0" "1 on\0" "0 false\0" "1 true\0" "0 no\0"
			"1 yes\0";
	*minus = *s == '-' && *table <= '\1';
	if (*table == '*') {
		if (!parse_scaled(table, s, n))
			return 0;
		*minus = (int64_t)*n < 0;
		return 1;
	}
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

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
		tolower(c) >= 'a' && tolower(c) <= 'f' ?
		tolower(c) - 'a' + 10 : -1;
}

/* Two digits; false when they are none. */
static int hex_byte(const char *s, uint8_t *byte)
{
	int high = hex_digit(s[0]), low = high < 0 ? -1 : hex_digit(s[1]);

	if (low >= 0)
		*byte = (uint8_t)(high << 4 | low);
	return low >= 0;
}

int parse_hex(const char *s, const char *end, uint8_t *bytes, size_t max)
{
	size_t n = 0;

	while (s < end && *s) {
		if (strchr(" \t\r:|", *s)) {
			s++;
			continue;
		}
		if (n == max || !hex_byte(s, &bytes[n++]))
			return -1;
		s += 2;
	}
	return (int)n;
}

/* The entry of a UUID (skip 0) or a word (37) in a table of "uuid word". */
static const char *uuid_entry(int show, const char *s, size_t skip)
{
	const char *p = show < SHOW_TABLES ? "" : table_of(show);
	size_t len = skip ? strlen(s) : 36;

	for (; *p > '\1'; p += strlen(p) + 1)
		if (skip ? same_word(s, p + skip, len) : !strncmp(s, p, len))
			return p;
	return NULL;
}

/* A UUID, or its word where the table has one. */
static void text_uuid(struct text *t, int show, const uint8_t *p)
{
	const char *entry;
	int i;

	for (i = 0; i < 16; i++) {
		if (i >= 4 && i <= 10 && !(i & 1))
			text_char(t, '-');
		text_bytes(t, p + i, 1);
	}
	entry = uuid_entry(show, t->s, 0);
	if (entry) {
		t->len = 0;
		text_add(t, entry + 37);
	}
}

static int parse_groups(const char *s, uint8_t *uuid)
{
	int i;

	for (i = 0; i < 16; i++, s += 2) {
		if (i >= 4 && i <= 10 && !(i & 1) && *s++ != '-')
			return 0;
		if (!hex_byte(s, uuid + i))
			return 0;
	}
	return !*s || *s == ' ';
}

static int parse_uuid(int show, const char *s, uint8_t *uuid)
{
	const char *entry = uuid_entry(show, s, 37);

	return parse_groups(entry ? entry : s, uuid);
}

/* RFC 5952: the longest run of two or more zero groups becomes "::". */
static void text_ipv6(struct text *t, const uint8_t *p)
{
	int i, run, best = -1, best_len = 1;
	unsigned group;

	for (i = 0; i < 8; i += run + 1) {
		for (run = 0; i + run < 8 && !p[2 * (i + run)] &&
				!p[2 * (i + run) + 1]; run++)
			;
		if (run > best_len) {
			best = i;
			best_len = run;
		}
	}
	for (i = 0; i < 8; i++) {
		if (i == best) {
			text_add(t, "::");
			i += best_len - 1;
			continue;
		}
		if (i && i != best + best_len)
			text_char(t, ':');
		group = (unsigned)p[2 * i] << 8 | p[2 * i + 1];
		text_hex(t, group, 1 + (group > 15) + (group > 255) +
			(group > 4095));
	}
}

/* An IP address, behind its prefix length where it has one. */
static void text_address(struct text *t, const uint8_t *p, size_t len)
{
	size_t prefix = len == 8 || len == 20 ? 4 : 0, i;
	struct reader r = { p, len, 0, 0 };

	if (len - prefix == 16)
		text_ipv6(t, p + prefix);
	for (i = prefix; len - prefix == 4 && i < len; i++) {
		text_add(t, i > prefix ? "." : "");
		text_decimal(t, p[i]);
	}
	if (prefix) {
		text_char(t, '/');
		text_decimal(t, take_number(&r, 4));
	}
}

enum { NO_CHARACTER = 0xfffd };

static void text_utf8(struct text *t, uint32_t c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	text_char(t, (char)(!more ? c :
		(0xff00u >> (more + 1) & 0xff) | c >> 6 * more));
	while (more--)
		text_char(t, (char)(0x80 | (c >> 6 * more & 63)));
}

/* UTF-16LE up to a NUL; a surrogate alone becomes U+FFFD. */
static void text_utf16(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + (len & ~(size_t)1);
	uint32_t c, low;

	for (; p < end && (c = p[0] | (uint32_t)p[1] << 8); p += 2) {
		low = c >> 10 == 0x36 && p + 2 < end ?
			p[2] | (uint32_t)p[3] << 8 : 0;
		if (low >> 10 == 0x37) {
			c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
			p += 2;
		}
		if (c < 0x80)
			text_char(t, (char)c);
		else
			text_utf8(t, c >> 11 == 0x1b ? NO_CHARACTER : c);
	}
}

/* The next character of UTF-8; a byte that is none becomes U+FFFD. */
static uint32_t next_utf8(const uint8_t **p, const uint8_t *end)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *s = *p;
	uint32_t c = *s++;
	int i, more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 :
		c >> 3 == 30 ? 3 : 4;

	*p = s;
	if (more == 4 || more > end - s)
		return NO_CHARACTER;
	c &= more ? 0x3fu >> more : 0x7f;
	for (i = 0; i < more; i++) {
		if (*s >> 6 != 2)
			return NO_CHARACTER;
		c = c << 6 | (*s++ & 63);
	}
	if (c < least[more] || c > 0x10ffff || c >> 11 == 0x1b)
		return NO_CHARACTER;
	*p = s;
	return c;
}

static void text_8bit(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end && *p)
		text_utf8(t, next_utf8(&p, end));
}

/* UTF-8 as it is, or as UTF-16LE; the number of bytes, or -1. */
static int convert_text(const char *s, int wide, uint8_t *to, size_t max)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + strlen(s);
	size_t n = 0;
	uint32_t c;

	if ((size_t)(end - p) > MBIM_REPLY_MAX / 2)
		return -1;
	while (p < end) {
		const uint8_t *from = p;

		c = next_utf8(&p, end);
		if (c == NO_CHARACTER)
			return -1;
		if (wide && c >= 0x10000) {
			put_number(to + n, 0xd7c0 + (c >> 10), 2);
			n += 2;
			c = 0xdc00 + (c & 0x3ff);
		}
		if (wide)
			put_number(to + n, c, 2);
		else
			memcpy(to + n, from, (size_t)(p - from));
		n += wide ? 2 : (size_t)(p - from);
	}
	return n > max * (wide ? 2 : 1) ? -1 : (int)n;
}

/* ---- decoding: a reply to out_… ---- */

enum { DEPTH_MAX = 8, ELEMENTS_MAX = 4096, FIELDS_MAX = 64 };

struct decoder {
	int mask;			/* keep personal values back */
	int measure;			/* names only, no values */
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

/* A container whose elements are bare values. */
static int holds_bare(const struct item *it)
{
	struct cursor c = it->inner;
	struct item first;

	return kinds[it->op].has & ITEMS && next(&c, &first) &&
		first.name && !*first.name ? (int)first.op : 0;
}

static void absent(struct item it, struct cursor *c)
{
	struct cursor inner = it.inner;
	int bare = holds_bare(&it);
	struct item item;

	if (it.op == OP_REF)
		while (next(&inner, &item))
			absent(item, &inner);
	else if (it.name && it.op != OP_STRUCT)
		out_value(it.name, kinds[it.op].has & ITEMS &&
			(!bare || bare == OP_STRING) ? OUT_ABSENT_ARRAY : OUT_ABSENT, "", 0);
	skip(c, &it);
}

/* The header of an information element: type, padding, length (MBIMEx 3.0). */
static struct reader take_ie(struct reader *r, uint64_t *type)
{
	size_t padding, len;
	struct reader v;

	*type = take_number(r, 2);
	take(r, 1);
	padding = take_number(r, 1);
	len = take_number(r, 4);
	v = window(r, r->at, len);
	take(r, len);
	/* the last one's padding may be cut off */
	take(r, padding < r->len - r->at ? padding : r->len - r->at);
	return v;
}

enum { IE_WCHAR_STR = 10 };

/* The bytes of an item. */
static struct reader locate(struct decoder *d, const struct item *it,
	struct reader *r)
{
	size_t offset, n = kinds[it->op].size;
	struct reader v;
	uint64_t type;

	switch (kinds[it->op].where) {
	case POINTED:
		offset = take_number(r, 4);
		n = take_number(r, 4);
		return window(r, n ? offset : 0, n);
	case AWAY:
		offset = take_number(r, 4);
		n = d->counts[it->n & 3];
		return window(r, n ? offset : 0, n);
	case ELEMENT:
		v = take_ie(r, &type);
		r->bad |= type != IE_WCHAR_STR;
		return v;
	case GIVEN_SIZE:
		n = it->n;
		break;
	case TAIL:
		n = r->len - r->at;
		break;
	case PREFIXED:
		n = take_number(r, n);
	}
	v = window(r, r->at, n);
	take(r, n);
	return v;
}

static void decode_number(struct decoder *d, const struct item *it,
	struct reader v)
{
	unsigned sign = 8 * (unsigned)v.len - 1;
	uint64_t n = take_number(&v, v.len);
	int minus = kinds[it->op].what == SIGNED && n >> sign;

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
	if (kinds[it->op].what == CONSTANT)
		d->mismatch |= n != it->n;
	else if (kinds[it->op].what == COUNTER)
		d->counts[it->n & 3] = n;
	else if (d->measure)
		out_value(it->name, OUT_WORD, "", 0);
	else if (!d->mask || !(it->flags & HIDDEN))
		show_number(it->name, it->show, n, minus);
}

static void decode_value(struct decoder *d, const struct item *it,
	struct reader *r)
{
	enum what what = kinds[it->op].what;
	struct reader v = locate(d, it, r);
	struct text t = TEXT(scratch);

	r->bad |= v.bad;
	if (r->bad)
		return;
	scratch[0] = '\0';
	if (d->mask && it->flags & HIDDEN) {
		out_mask(v.base, v.len);
		out_value(it->name, OUT_WORD, "***", 3);
	}
	if (what >= NUMBER && what <= COUNTER) {
		decode_number(d, it, v);
		return;
	}
	if (what == NOTHING || (d->mask && it->flags & HIDDEN))
		return;
	if (d->measure)
		t.len = 0;
	else if (what == HEX)
		text_bytes(&t, v.base, v.len);
	else if (what == TEXT8)
		text_8bit(&t, v.base, v.len);
	else if (what == TEXT16)
		text_utf16(&t, v.base, v.len);
	else if (what == ID)
		text_uuid(&t, it->show, v.base);
	else
		text_address(&t, v.base, v.len);
	out_value(it->name, what == TEXT8 || what == TEXT16 ? OUT_TEXT :
		OUT_WORD, t.s, t.len);
}

static void decode_items(struct decoder *d, struct cursor c, struct reader *r);

static void decode_ies(struct decoder *d, const struct item *it,
	struct reader *r)
{
	uint64_t type;

	out_open(it->name, OUT_ARRAY);
	while (!r->bad && r->at < r->len && ++d->elements <= ELEMENTS_MAX) {
		struct reader v = take_ie(r, &type);
		struct item data = { .op = OP_REST, .name = "data" };

		out_open("", OUT_OBJECT);
		out_number("type", type, 0);
		decode_value(d, &data, &v);
		out_close();
	}
	out_close();
}

/* One element: a bare value, or an object. */
static void decode_element(struct decoder *d, const struct item *it,
	struct reader *r)
{
	int bare = holds_bare(it);

	if (++d->elements > ELEMENTS_MAX)
		r->bad = 1;
	if (!bare)
		out_open(it->op == OP_STRUCT ? it->name : "", OUT_OBJECT);
	decode_items(d, it->inner, r);
	if (!bare)
		out_close();
}

static void decode_array(struct decoder *d, const struct item *it,
	struct reader *r)
{
	int pairs = it->op == OP_REFS || it->op == OP_PAIRS;
	int bare = holds_bare(it);
	size_t element = pairs ? 8 : fixed_size(it->inner), offset, i;
	size_t size = it->op == OP_LIST ? 4 : kinds[it->op].size;
	size_t count = size ? take_number(r, size) : d->counts[it->n & 3];
	struct reader v, *from = r;

	if (it->op == OP_LIST) {
		offset = take_number(r, 4);
		v = window(r, count ? offset : 0,
			count && offset < r->len ? r->len - offset : 0);
		from = &v;
	}
	if (count > (from->len - from->at) / (element ? element : 1))
		r->bad = 1;
	out_open(it->name, bare && bare != OP_STRING ? OUT_WORDS : OUT_ARRAY);
	for (i = 0; i < count && !r->bad; i++) {
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
	struct cursor *c, struct reader *r)
{
	size_t offset = it->op == OP_STRUCT ? r->at : take_number(r, 4);
	size_t size = it->op == OP_REF ? take_number(r, 4) :
		offset < r->len ? r->len - offset : 0;
	struct cursor inner = it->inner;
	struct item value;
	struct reader v;

	if (it->op == OP_REF ? !size : it->op == OP_AT && !offset) {
		absent(*it, c);
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
	skip(c, it);
}

/* Is there an item to decode? Fixed bytes under a WHEN are passed if not. */
static int is_there(struct decoder *d, const struct item *it, struct reader *r)
{
	uint64_t n = d->fields[it->guard_field % FIELDS_MAX];

	if (it->guard == OP_WHEN && !(n & it->guard_n)) {
		take(r, kinds[it->op].size);
		return 0;
	}
	return it->guard != OP_IS || n == it->guard_n;
}

static void decode_items(struct decoder *d, struct cursor c, struct reader *r)
{
	struct item it;
	struct reader v, *from;

	if (++d->depth > DEPTH_MAX)
		r->bad = 1;
	for (; next(&c, &it); d->n_fields += d->depth == 1 && it.name) {
		from = r;
		if (it.tlv >= 0)
			from = qmi_tlv(*r, (uint8_t)it.tlv, &v) ? &v : NULL;
		if (!from || r->bad || r->len == 0 || !is_there(d, &it, r)) {
			absent(it, &c);
		} else if (it.op == OP_AT || it.op == OP_REF ||
			   it.op == OP_STRUCT) {
			decode_away(d, &it, &c, from);
		} else if (kinds[it.op].has & ITEMS) {
			decode_array(d, &it, from);
			skip(&c, &it);
		} else if (it.op == OP_IES) {
			decode_ies(d, &it, from);
		} else {
			decode_value(d, &it, from);
		}
		r->bad |= from && from->bad;
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
	size_t counts[4];
	uint64_t asked, first;		/* the VALUE; the first number */
	int n_numbers;
	const uint32_t *handle;		/* of a kept client, or NULL */
};

static uint8_t request[MBIM_REPLY_MAX - 128];	/* less headers to come */

static void put(struct encoder *e, size_t *where, const void *bytes, size_t len)
{
	if (*where > sizeof(request) || len > sizeof(request) - *where) {
		e->overflow = 1;
		return;
	}
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

static void align(struct encoder *e)
{
	put(e, &e->end, "\0\0", (e->start - e->end) & 3);
}

static int bad_option(const struct option *o, const char *what)
{
	char name[64];
	struct text t = TEXT(name);
	size_t i, len = span(o->name, '=');

	name[0] = '\0';
	for (i = 0; i < len; i++)
		text_char(&t, o->name[i] == '_' ? '-' : o->name[i]);
	return fail(USAGE, len ? "--" : "its value", name, ": ", what, NULL);
}

/* Is this an item's option? The command's own value has no name. */
static int names_item(const char *given, const struct item *it)
{
	size_t len = span(given, '=');

	if (!it->help || !len)
		return it->help && it->flags & FLAG(OP_VALUE);
	return same_word(given, it->name, len) ||
		(it->also && same_word(given, it->also, len));
}

/* The nth option of the slice that is this item's, or NULL. */
static struct option *find_option(struct encoder *e, const struct item *it,
	size_t nth)
{
	size_t i;

	for (i = 0; i < e->n_options; i++)
		if (names_item(e->options[i].name, it) && !nth--) {
			e->options[i].used = 1;
			return &e->options[i];
		}
	return NULL;
}

static int encode_number(struct encoder *e, const struct item *it,
	const char *s, uint8_t *bytes)
{
	size_t size = kinds[it->op].size;
	unsigned bits = 8 * (unsigned)size;
	int minus = 0, is_signed = kinds[it->op].what == SIGNED;
	uint64_t n = 0;

	if (s && !parse_value(it->show, s, &n, &minus))
		return -1;
	if (is_signed ? (minus ? 0 - n : n + 1) > (uint64_t)1 << (bits - 1) :
	    minus || (bits < 64 && n >> bits))
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

	switch (kinds[it->op].what) {
	case NUMBER: case SIGNED:
		return encode_number(e, it, s, bytes);
	case CONSTANT:
		put_number(bytes, it->n, 4);
		return 4;
	case TEXT8: case TEXT16:
		return convert_text(s ? s : "", kinds[it->op].what == TEXT16,
			bytes, max);
	case ID:
		memset(bytes, 0, 16);
		return s && !parse_uuid(it->show, s, bytes) ? -1 : 16;
	case NOTHING:
		memset(bytes, 0, it->n);
		return it->n;
	default:
		return s ? parse_hex(s, s + strlen(s), bytes, max) : 0;
	}
}

/* Put the bytes of an item in their place; those of a string are in scratch. */
static void place(struct encoder *e, const struct item *it, size_t len)
{
	uint8_t head[8] = { IE_WCHAR_STR };

	switch (kinds[it->op].where) {
	case POINTED: case AWAY:
		align(e);
		put_fixed(e, len ? e->end - e->start : 0, 4);
		if (kinds[it->op].where == POINTED)
			put_fixed(e, len, 4);
		put(e, &e->end, scratch, len);
		align(e);
		return;
	case ELEMENT:
		if (it->op == OP_IES)
			return;
		head[3] = (uint8_t)(-len & 3);
		put_number(head + 4, len, 4);
		put(e, &e->end, head, sizeof(head));
		put(e, &e->end, scratch, len);
		align(e);
		return;
	case PREFIXED:
		put_fixed(e, len, kinds[it->op].size);
	}
	put(e, &e->at, scratch, len);
}

/*
 * Call found for every option of some request items; stops when it returns
 * true, and returns that.
 */
static int each_option(struct cursor c, int (*found)(const struct item *it,
	void *arg), void *arg)
{
	struct item it;
	int stop = 0;

	for (; !stop && next(&c, &it); skip(&c, &it)) {
		if (it.help)
			stop = found(&it, arg);
		if (!stop && it.inner.op)
			stop = each_option(it.inner, found, arg);
	}
	return stop;
}

struct spelling {
	const char *given, *name;
};

static int is_spelt(const struct item *it, void *arg)
{
	const struct spelling *s = arg;

	return !strcmp(it->name, s->name) && names_item(s->given, it);
}

/* The word of the GIVENs whose other option is there, or NULL. */
static const char *given_word(struct encoder *e, const struct item *it)
{
	struct cursor c = { NULL, it->givens, 0, 0 };
	struct spelling s;
	const char *word;
	size_t i, o;

	for (i = 0; i < it->n_givens; i++) {
		s.name = next_name(&c);
		word = next_name(&c);
		for (o = 0; o < e->n_options; o++) {
			s.given = e->options[o].name;
			if (each_option(e->items, is_spelt, &s))
				return word;
		}
	}
	return NULL;
}

/* The text that gives an item its value, or what stands for it. */
static int value_of(struct encoder *e, const struct item *it, const char **s)
{
	struct option *given = find_option(e, it, 0);

	if (given && find_option(e, it, 1))
		return bad_option(given, "given twice");
	if (given && it->flags & FLAG(OP_REQUIRED) && !*given->value)
		return bad_option(given, "is empty");
	*s = given ? given->value : given_word(e, it);
	if (!*s)
		*s = it->fallback;
	return *s || !(it->flags & FLAG(OP_REQUIRED)) ? DONE :
		bad_option(&(struct option){ .name = it->name }, "is needed");
}

static int encode_items(struct encoder *e, struct cursor c);

/* How many elements the slice holds: as many as the first member options. */
static size_t count_elements(struct encoder *e, const struct item *array,
	struct item *first)
{
	struct cursor c = array->inner;
	size_t n = 0;

	while (next(&c, first) && !first->help)
		;
	while (find_option(e, first, n))
		n++;
	return n;
}

/* What a COUNT counts: the elements or the bytes of an item further on. */
static size_t count_for(struct encoder *e, struct cursor c, uint8_t n)
{
	struct option *o;
	struct item it, first;

	for (; next(&c, &it); skip(&c, &it)) {
		if (it.n == n && it.op == OP_PAIRS)
			return count_elements(e, &it, &first);
		if (it.n == n && it.op == OP_DATA_AT &&
		    (o = find_option(e, &it, 0)))
			return strlen(o->value) / 2;
	}
	return 0;
}

/* Named elements: an option of the first member has those up to the next. */
static int encode_structs(struct encoder *e, const struct item *it)
{
	int pairs = it->op == OP_REFS || it->op == OP_PAIRS, code = DONE;
	struct item first;
	size_t i, n = count_elements(e, it, &first);
	struct encoder sub;

	if (it->op != OP_PAIRS)
		put_fixed(e, n, kinds[it->op].size);
	if (pairs && e->end < e->at + 8 * n)
		e->end = e->at + 8 * n;
	for (i = 0; i < n && !code; i++) {
		struct option *o = find_option(e, &first, i);
		struct option *end = find_option(e, &first, i + 1);

		if (pairs)
			align(e);
		sub = *e;
		sub.options = o;
		sub.n_options = (size_t)((end ? end :
			e->options + e->n_options) - o);
		if (pairs) {
			sub.start = sub.at = e->end;
			sub.end += fixed_size(it->inner);
		}
		code = encode_items(&sub, it->inner);
		if (pairs) {
			put_fixed(e, sub.start - e->start, 4);
			put_fixed(e, sub.end - sub.start, 4);
		} else {
			e->at = sub.at;
		}
		e->end = sub.end;
		e->overflow |= sub.overflow;
	}
	return code;
}

/* Elements without: a comma list, under the container's name. */
static int encode_list(struct encoder *e, const struct item *it)
{
	struct item element;
	struct cursor c = it->inner;
	struct option *o = find_option(e, it, 0);
	const char *s = o ? o->value : "";
	size_t count_at = e->at, n = 0, len;
	char word[64];

	next(&c, &element);
	put_fixed(e, 0, kinds[it->op].size);
	for (; o && (s == o->value || *s++ == ','); n++) {
		struct text t = TEXT(word);
		int size;

		word[0] = '\0';
		for (len = span(s, ','); len; len--)
			text_char(&t, *s++);
		size = content(e, &element, word);
		if (size < 0)
			return bad_option(o, "no such word or number");
		place(e, &element, (size_t)size);
	}
	if (!e->overflow)
		put_number(request + count_at, n, kinds[it->op].size);
	return DONE;
}

static int encode_container(struct encoder *e, const struct item *it)
{
	size_t start = e->start;
	int code;

	if (it->op != OP_STRUCT)
		return holds_bare(it) ? encode_list(e, it) :
			encode_structs(e, it);
	e->start = e->at;
	code = encode_items(e, it->inner);
	e->start = start;
	return code;
}

/* Is anything given that belongs to a TLV? A default is, always. */
static int tlv_wanted(struct encoder *e, const struct item *it)
{
	struct cursor c = it->inner;
	struct item inner;
	int wanted = it->fallback || it->flags & FLAG(OP_REQUIRED) ||
		find_option(e, it, 0) || given_word(e, it);

	if (kinds[it->op].has & ITEMS)
		for (; !wanted && next(&c, &inner); skip(&c, &inner))
			wanted = tlv_wanted(e, &inner);
	return wanted;
}

/* Why an item did not take an option's text. */
static const char *what_is_wanted(const struct item *it)
{
	switch (kinds[it->op].what) {
	case NUMBER: case SIGNED: case ID:
		return it->show >= SHOW_TABLES && *table_of(it->show) != '*' ?
			"no such word or number" : "not a number that fits";
	case TEXT8: case TEXT16:
		return "too long, or not UTF-8";
	default:
		return "not hex of the right length";
	}
}

static int encode_value(struct encoder *e, const struct item *it,
	struct cursor after)
{
	const char *s = NULL;
	int code, len;

	if (kinds[it->op].has & ITEMS)
		return encode_container(e, it);
	code = it->help ? value_of(e, it, &s) : DONE;
	if (code)
		return code;
	if (it->op == OP_COUNT) {
		e->counts[it->n & 3] = count_for(e, after, it->n);
		put_fixed(e, e->counts[it->n & 3], 4);
		return DONE;
	}
	len = content(e, it, s);
	if (len < 0 || (it->op == OP_BYTES && len != it->n) ||
	    (it->op == OP_DATA_AT && (size_t)len != e->counts[it->n & 3])) {
		struct option *o = find_option(e, it, 0);

		return bad_option(o ? o : &(struct option){ .name = it->name },
			what_is_wanted(it));
	}
	place(e, it, (size_t)len);
	return DONE;
}

static int encode_tlv(struct encoder *e, const struct item *it,
	struct cursor after)
{
	int handle = it->flags & FLAG(OP_HANDLE) && e->handle &&
		!find_option(e, it, 0), code = DONE;
	size_t at = e->at;

	if (!handle && !tlv_wanted(e, it))
		return DONE;
	put(e, &e->at, (uint8_t[3]){ (uint8_t)it->tlv }, 3);
	if (handle)
		put_fixed(e, *e->handle, 4);
	else
		code = encode_value(e, it, after);
	if (!e->overflow)
		put_number(request + at + 1, e->at - at - 3, 2);
	return code;
}

static int encode_items(struct encoder *e, struct cursor c)
{
	struct item it;
	int code = DONE;

	for (; !code && next(&c, &it); skip(&c, &it))
		code = it.tlv >= 0 ? encode_tlv(e, &it, c) :
			encode_value(e, &it, c);
	return code;
}

/* Encode a call: the request is in request, up to e->end. */
static int encode(struct encoder *e, const struct call *call, int version,
	const uint32_t *handle)
{
	struct cursor c = find_part(call->command, OP_REQUEST, version);
	size_t i;
	int code;

	*e = (struct encoder){ .items = c, .options = call->options,
		.n_options = call->n_options, .handle = handle };
	for (i = 0; i < call->n_options; i++)
		call->options[i].used = 0;
	if (call->command->kind != KIND_QMI)
		e->end = fixed_size(c);
	code = encode_items(e, c);
	if (call->command->kind != KIND_QMI)
		align(e);
	for (i = 0; i < call->n_options && !code; i++)
		if (!call->options[i].used)
			code = bad_option(&call->options[i],
				"belongs after another option");
	if (!code && e->overflow)
		code = fail(USAGE, "the request is too long", NULL);
	return code;
}

/* ---- commands ---- */

/* The number of a service by its UUID, or -1; and the way back. */
static int service_number(const uint8_t *uuid)
{
	const char *p = table_of(show_service);
	uint8_t other[16];
	int i;

	for (i = 0; *p > '\1'; p += strlen(p) + 1, i++)
		if (parse_groups(p, other) && !memcmp(uuid, other, 16))
			return i;
	return -1;
}

static void service_uuid(int number, uint8_t *uuid)
{
	const char *p = table_of(show_service);

	while (number--)
		p += strlen(p) + 1;
	parse_groups(p, uuid);
}

static const struct command *lookup(enum kind kind, int service, uint32_t id)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (commands[i].kind == kind && commands[i].service == service
		    && commands[i].id == id)
			return &commands[i];
	return NULL;
}

const struct command *command_find(const char *name)
{
	size_t i, len = span(name, '=');
	char key[64];

	if (len == 0 || len >= sizeof(key))
		return NULL;
	for (i = 0; i < len; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[len] = '\0';
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (commands[i].hash == HASH(key, len) &&
		    !strcmp(names + commands[i].names, key))
			return &commands[i];
	return NULL;
}

const char *command_name(const struct command *c)
{
	return names + c->names;
}

const char *command_help(const struct command *c)
{
	return head_of(c).help;
}

int command_slow(const struct command *c)
{
	return head_of(c).slow;
}

static int is_named(const struct item *it, void *arg)
{
	const char *name = arg;

	return *name ? names_item(name, it) : !!(it->flags & FLAG(OP_VALUE));
}

int command_has_option(const struct command *c, const char *name)
{
	return each_option(head_of(c).request, is_named, (void *)(size_t)name);
}

/* A secret may be in a file, or come from standard input. */
static int read_secret(struct option *o)
{
	static char pool[4096];
	static size_t used;
	char *s = pool + used;
	ssize_t n = 0;
	int fd = 0;

	if (o->value[1] == '@') {
		o->value++;
		return DONE;
	}
	if (strcmp(o->value, "@-") != 0)
		fd = open(o->value + 1, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && used < sizeof(pool) &&
	       (n = read(fd, pool + used, sizeof(pool) - used)) > 0)
		used += (size_t)n;
	if (fd > 0)
		close(fd);
	if (fd < 0 || n < 0 || used == sizeof(pool))
		return bad_option(o, "its file cannot be read");
	if (pool + used > s && pool[used - 1] == '\n')
		used--;
	pool[used++] = '\0';
	o->value = s;
	return strlen(s) + 1 == (size_t)(pool + used - s) ? DONE :
		bad_option(o, "there is a NUL in its file");
}

static int is_secret(const struct item *it, void *arg)
{
	struct option *o = arg;

	return is_named(it, (void *)(size_t)o->name) && *o->value == '@' &&
		it->flags & FLAG(OP_SECRET);
}

/* ---- raw commands ---- */

struct raw {
	int service;			/* number, or -1 */
	uint8_t uuid[16];
	uint32_t id;
	enum mbim_operation operation;
	size_t len;			/* of what is in request */
};

/* The next of some words with commas between; an empty one is none. */
static int next_part(const char **s, char word[64])
{
	size_t len = span(*s, ',');

	if (!len || len >= 64)
		return 0;
	memcpy(word, *s, len);
	word[len] = '\0';
	*s += len + ((*s)[len] == ',');
	return 1;
}

static int next_value(const char **s, int show, uint64_t max, uint64_t *n)
{
	char word[64];
	int minus;

	return next_part(s, word) && parse_value(show, word, n, &minus) &&
		*n <= max;
}

static int parse_raw_mbim(const char *s, struct raw *raw)
{
	uint64_t id, operation;
	char word[64];
	int len;

	if (!next_part(&s, word) || !parse_uuid(show_service, word, raw->uuid)
	    || !next_value(&s, show_dec, UINT32_MAX, &id) ||
	    !next_value(&s, show_operation, MBIM_SET, &operation))
		return 0;
	raw->service = service_number(raw->uuid);
	raw->id = (uint32_t)id;
	raw->operation = (enum mbim_operation)operation;
	len = parse_hex(s, s + strlen(s), request, sizeof(request));
	raw->len = (size_t)len;
	return len >= 0;
}

static int parse_raw_qmi(const char *s, struct raw *raw)
{
	uint64_t service, id, type;
	const char *end;
	int len;

	if (!next_value(&s, show_qmi_service, 255, &service) ||
	    !next_value(&s, show_dec, 0xffff, &id))
		return 0;
	raw->service = (int)service;
	raw->id = (uint32_t)id;
	for (raw->len = 0; *s; raw->len += 3 + (size_t)len, s = end) {
		uint8_t *tlv = request + raw->len;

		end = s + span(s, ',');
		if (!parse_number(&s, &type) || type > 255 || *s++ != '=' ||
		    raw->len > 0xff00)
			return 0;
		len = parse_hex(s, end, tlv + 3, 0xff00 - raw->len);
		if (len < 0)
			return 0;
		tlv[0] = (uint8_t)type;
		put_number(tlv + 1, (uint64_t)len, 2);
		end += *end == ',';
	}
	return 1;
}

static int parse_raw(const struct call *call, struct raw *raw)
{
	if (call->raw_qmi)
		return parse_raw_qmi(call->raw, raw) ? DONE : fail(USAGE,
			"wants SERVICE,MESSAGE[,TLV=HEX]...", NULL);
	return parse_raw_mbim(call->raw, raw) ? DONE : fail(USAGE,
		"wants UUID|SERVICE,CID,query|set[,HEX]", NULL);
}

/* Check a call: encode its request and throw it away. */
int command_check(const struct call *call)
{
	struct encoder e;
	struct raw raw;
	size_t i;
	int code = DONE;

	if (call->raw)
		return parse_raw(call, &raw);
	for (i = 0; i < call->n_options && !code; i++)
		if (each_option(head_of(call->command).request, is_secret,
				&call->options[i]))
			code = read_secret(&call->options[i]);
	return code ? code : encode(&e, call, 0, NULL);
}

/* ---- running ---- */

static int knows_tlv(struct cursor c, uint8_t type)
{
	struct item it;

	for (; next(&c, &it); skip(&c, &it))
		if (it.tlv == type)
			return 1;
	return 0;
}

/* The TLVs that the table does not have, as hex; the result is left out. */
static void tell_unknown(struct cursor c, struct reader *tlvs)
{
	struct item it = { .op = OP_REST };
	struct decoder d = { 0 };
	struct reader r = *tlvs, v, first;
	int any = 0;
	uint8_t type;
	char name[8];

	while (qmi_next_tlv(&r, &type, &v)) {
		struct text t = TEXT(name);

		if (type == 0x02 || knows_tlv(c, type) ||
		    !qmi_tlv(*tlvs, type, &first) || first.base != v.base)
			continue;
		if (!any++)
			out_open("unknown", OUT_OBJECT);
		text_add(&t, "0x");
		text_hex(&t, type, 2);
		it.name = name;
		decode_value(&d, &it, &v);
	}
	if (any)
		out_close();
	tlvs->bad |= r.bad;
}

/* Tell a part of a message through out_…; false when it is malformed. */
static int tell(struct decoder *d, const struct command *c, enum op part,
	int version, int qmi, struct reader r)
{
	struct cursor none = { ops, names, 0, 0 };
	struct item data = { .op = OP_REST, .name = "data" };

	if (c)
		none = find_part(c, part, version);
	if (c || qmi)
		decode_items(d, none, &r);
	else
		decode_value(d, &data, &r);
	if (qmi)
		tell_unknown(none, &r);
	return !r.bad;
}

/* Did the modem do what it was asked for, or only say so? */
static int check_effect(const struct command *c, const struct decoder *d,
	uint64_t asked)
{
	struct head h;

	if (!d->has_effect || d->effect == asked)
		return DONE;
	h = head_of(c);
	return h.lock && asked == h.lock_value ?
		fail(FCC_LOCKED, "the modem said yes, but it stayed off",
			NULL) :
		fail(NOT_REACHED, "the modem said yes, but nothing changed",
			NULL);
}

/* Print a reply, once it is known to be whole and to be what was asked for. */
static int print_reply(const struct call *call, const struct command *c,
	uint64_t asked, int version, struct reader r, struct decoder *d)
{
	int qmi = c ? c->kind == KIND_QMI : call->raw_qmi, good, code;
	const char *name = call->raw ? "raw" : command_name(c);
	enum out_pass pass;

	for (pass = OUT_MEASURE; pass <= OUT_PRINT; pass++) {
		*d = (struct decoder){ .measure = pass == OUT_MEASURE };
		out_begin(name, pass);
		good = tell(d, c, OP_REPLY, version, qmi, r);
		out_end();
		code = !good ? fail(MALFORMED, "malformed reply", NULL) :
			call->raw ? DONE : check_effect(c, d, asked);
		if (code)
			return code;
	}
	return DONE;
}

void command_blank(const struct command *c)
{
	struct decoder d = { 0 };

	tell(&d, c, OP_REPLY, 0, 0, (struct reader){ 0 });
}

/* A status or QMI error: of the modem's, the network's or the FCC lock's? */
static int refused(const struct call *call, uint64_t asked, int qmi,
	uint32_t number, struct reader info, int version)
{
	struct head h = { .flags = 0 };
	struct decoder d = { 0 };
	char more[80];
	struct text t = TEXT(more);
	const char *word;
	int code = 0;

	more[0] = '\0';
	if (call->command) {
		h = head_of(call->command);
		out_mute(1);
		tell(&d, call->command, OP_REPLY, version, qmi, info);
		out_mute(0);
	}
	if (h.lock && number == h.lock && asked == h.lock_value) {
		code = FCC_LOCKED;
	} else if (d.cause && call->command->kind != KIND_QUERY) {
		code = NETWORK_REFUSED;
		text_add(&t, ", cause ");
		text_decimal(&t, d.cause);
		word = word_of(d.cause_show, d.cause);
		text_add(&t, word ? " " : "");
		for (; word && *word; word++)
			text_char(&t, *word == '_' ? '-' : *word);
	}
	return qmi ? qmi_refused(number, code, more) :
		mbim_refused(number, code, more);
}

/* Sessions that outlive the run: true when there is a change. */
static int keep_session(struct mbim *m, uint8_t session, int keep)
{
	size_t i;

	for (i = 0; i < m->mark.n_sessions; i++)
		if (m->mark.sessions[i] == session)
			break;
	if (keep && i == m->mark.n_sessions && i < MBIM_KEPT_MAX)
		m->mark.sessions[m->mark.n_sessions++] = session;
	else if (!keep && i < m->mark.n_sessions)
		m->mark.sessions[i] = m->mark.sessions[--m->mark.n_sessions];
	else
		return 0;
	mark_write(m);
	return 1;
}

enum { CONTEXT_NOT_ACTIVATED = 16, INVALID_HANDLE = 9,
	OUT_OF_CALL = 15, NO_EFFECT = 26 };

static int run_mbim(struct mbim *m, const struct call *call,
	const struct encoder *e)
{
	const struct command *c = call->command;
	unsigned flags = head_of(c).flags;
	uint8_t uuid[16], session = (uint8_t)e->first;
	struct mbim_answer answer = { 0 };
	struct decoder d;
	int code, added = 0;

	service_uuid(c->service, uuid);
	/* before, so that a run that is killed leaves word of it */
	if (flags & FLAG(OP_KEEP))
		added = keep_session(m, session, 1);
	code = mbim_command(m, uuid, c->id, (enum mbim_operation)c->kind,
		request, e->end, &answer);
	if (added && (code || answer.status))
		keep_session(m, session, 0);
	else if (flags & FLAG(OP_KEEP) && !code && !answer.status)
		keep_session(m, session, 1);	/* an OPEN forgot it */
	if (flags & FLAG(OP_DROP) && !code && (!answer.status ||
			answer.status == CONTEXT_NOT_ACTIVATED))
		keep_session(m, session, 0);
	if (code)
		return code;
	if (answer.status)
		return refused(call, e->asked, 0, answer.status, answer.info,
			m->mark.version);
	return print_reply(call, c, e->asked, m->mark.version,
		answer.info, &d);
}

static int run_qmi(struct mbim *m, const struct call *call,
	const struct encoder *e)
{
	const struct command *c = call->command;
	unsigned flags = head_of(c).flags;
	struct reader reply = { 0 };
	struct decoder d;
	int code, error;

	code = qmi_command(m, c->service, c->id, flags & FLAG(OP_KEEP) ?
		QMI_KEEP : flags & FLAG(OP_DROP) ? QMI_DROP : QMI_PLAIN,
		request, e->end, &error, &reply);
	if (code)
		return code;
	/* the call of the kept client has ended by itself */
	if (flags & FLAG(OP_DROP) && (error == NO_EFFECT ||
			error == INVALID_HANDLE || error == OUT_OF_CALL))
		qmi_drop(m);
	if (error)
		return refused(call, e->asked, 1, (uint32_t)error, reply,
			m->mark.version);
	code = print_reply(call, c, e->asked, m->mark.version, reply,
		&d);
	if (!code && flags & FLAG(OP_KEEP))
		qmi_keep(m, (uint32_t)d.handle);
	if (!code && flags & FLAG(OP_DROP))
		qmi_drop(m);
	return code;
}

static int run_raw(struct mbim *m, const struct call *call)
{
	struct mbim_answer answer = { 0 };
	struct reader reply = { 0 };
	struct decoder d;
	struct raw raw = { 0 };
	int code = parse_raw(call, &raw), error = 0;

	if (code)
		return code;
	if (call->raw_qmi)
		code = qmi_command(m, (uint8_t)raw.service, (uint16_t)raw.id,
			QMI_PLAIN, request, raw.len, &error, &reply);
	else
		code = mbim_command(m, raw.uuid, raw.id, raw.operation,
			request, raw.len, &answer);
	if (code)
		return code;
	if (error || answer.status)
		return refused(call, 0, call->raw_qmi, error ?
			(uint32_t)error : answer.status, answer.info, 0);
	return print_reply(call, call->raw_qmi ?
		lookup(KIND_QMI, raw.service, raw.id) :
		lookup((enum kind)raw.operation, raw.service, raw.id), 0,
		m->mark.version, call->raw_qmi ? reply : answer.info, &d);
}

int command_run(struct mbim *m, const struct call *call)
{
	const struct command *c = call->command;
	struct encoder e;
	uint32_t handle;
	int code;

	if (call->raw)
		return run_raw(m, call);
	code = encode(&e, call, m->mark.version, c->kind == KIND_QMI &&
		qmi_kept_handle(m, c->service, &handle) ? &handle : NULL);
	if (code)
		return code;
	return c->kind == KIND_QMI ? run_qmi(m, call, &e) :
		run_mbim(m, call, &e);
}

/* ---- frames, for the trace and --decode ---- */

/*
 * Which command is this a message of? Of several with one number (the PIN's),
 * a request is the one whose constants fit.
 */
static const struct command *recognize(enum kind kind, int service,
	uint32_t id, enum op part, int version, struct reader r)
{
	const struct command *c = lookup(kind, service, id), *first = c;
	const struct command *end = commands +
		sizeof(commands) / sizeof(*commands);

	if (part == OP_REPLY && !c && kind == KIND_QUERY)
		return lookup(KIND_SET, service, id);
	for (; part == OP_REQUEST && c && c < end; c++) {
		struct decoder d = { 0 };
		int good;

		if (c->kind != kind || c->service != service || c->id != id)
			continue;
		out_mute(1);
		good = tell(&d, c, part, version, 0, r);
		out_mute(0);
		if (good && !d.mismatch)
			return c;
	}
	return first;
}

static int tell_named(const struct command *c, enum op part, int version,
	int qmi, struct reader r, int mask)
{
	struct decoder d = { .mask = mask };
	int good;

	if (!r.len && part == OP_REPLY && !qmi)
		return 1;
	if (c)
		out_open(command_name(c), OUT_OBJECT);
	good = tell(&d, c, part, version, qmi, r);
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
	out_value("direction", OUT_WORD, q.indication ? "indication" :
		q.response ? "response" : "request",
		q.indication ? 10 : q.response ? 8 : 7);
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
	const uint8_t *uuid = take(r, 16);
	uint32_t id = (uint32_t)take_number(r, 4), operation = 0;
	struct item service = { .op = OP_UUID, .name = "service",
		.show = show_service };
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
	if (done) {
		show_number("status", show_mbim_status, operation, 0);
	} else if (!indication) {
		show_number("operation", show_operation, operation, 0);
	}
	len = take_number(r, 4);
	info = window(r, r->at, len);
	if (r->bad)
		return 0;
	if (number == service_QMI && len)
		return tell_qmux(info.base, info.len, mask);
	c = recognize(done || indication || operation == MBIM_QUERY ?
		KIND_QUERY : KIND_SET, number, id, done || indication ?
		OP_REPLY : OP_REQUEST, version, info);
	return tell_named(c, done || indication ? OP_REPLY : OP_REQUEST,
		version, 0, info, mask);
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
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		struct head h = head_of(&commands[i]);

		told(h.name, h.help);
	}
}

static int tell_option(const struct item *it, void *arg)
{
	void (*const *told)(const struct option_help *) = arg;
	struct cursor c = it->inner;
	struct item element = *it;
	struct option_help h = { .name = it->name, .also = it->also,
		.help = it->help, .fallback = it->fallback };

	if (kinds[it->op].has & ITEMS)
		next(&c, &element);
	if (element.show >= SHOW_TABLES)
		h.words = table_of(element.show);
	h.is_uuid = element.op == OP_UUID;
	h.is_value = !!(it->flags & FLAG(OP_VALUE));
	h.is_required = !!(it->flags & FLAG(OP_REQUIRED));
	(*told)(&h);
	return 0;
}

void command_options(const struct command *c,
	void (*told)(const struct option_help *help))
{
	each_option(head_of(c).request, tell_option, &told);
}
