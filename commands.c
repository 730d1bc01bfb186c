/* SPDX-License-Identifier: ISC
 *
 * What the command table means. It opens nothing but files of secrets and of
 * pasted frames, waits for nothing but a secret that is typed, and writes only
 * into the text that main.c gives it; there are no structs for a reply to land
 * in.
 *
 * MBIM 1.0 errata 1 §10 (offsets count from the start of the structure that
 * holds them), Microsoft's MBIMEx (information elements), libqmi (TLVs).
 *
 * Contents
 *
 *   the expansions of commands.def
 *   walking the items
 *   words and numbers
 *   text codings
 *   printing: what all have in common, JSON, sh, text
 *   the record of a reply
 *   decoding
 *   options and their values
 *   secrets in files
 *   encoding: option text to a request
 *   failures, explained
 *   -o ip
 *   running a command
 *   frames, for the trace and --decode
 *   help
 *   suggestions for a name that there is not
 */
#include "mbim.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* ---- the expansions of commands.def ---- */

/* 1. The numbers of value tables (show words), bodies, kinds and suffixes. */

enum show {
	show_dec, show_hex, show_bool, show_mcc, show_mnc, SHOW_TABLES,
	show_before_tables = SHOW_TABLES - 1,
#define VALUES(name, ...)			show_##name,
#define SCALE(name, ...)			show_##name,
#include "commands.def"
};

enum body_number {
#define BODY(name)				body_number_##name,
#include "commands.def"
};

enum op {
	OP_END, OP_REPLY, OP_REQUEST, OP_SAME, OP_BACK,
#define K(op, has, where, what, size)		OP_##op,
	KINDS(K)
#undef K
	OP_SUFFIXES,
	OP_DEFAULT = OP_SUFFIXES, OP_GIVEN, OP_ALSO, OP_MAX, OP_DIGITS,
	OP_SLOW, OP_LOCK, OP_RISKY, OP_FLAGS,
	OP_REQUIRED = OP_FLAGS, OP_VALUE, OP_SECRET, OP_PERSONAL,
	OP_EFFECT, OP_CAUSE, OP_HANDLE, OP_KEEP, OP_DROP,
	OPS,
	OP_HELPED = 128		/* a help text follows the name */
};

_Static_assert(OPS <= OP_HELPED, "an op has 7 bits");

#define FLAG(op)	(1u << ((op) - OP_FLAGS))
#define HIDDEN		(FLAG(OP_SECRET) | FLAG(OP_PERSONAL))

/* 2. The sizes of the fixed parts, summed; a division by 0 is a wrong size. */

enum fixed_size {
	fixed_size_of_nothing
#define ITEM(ops, text, size, field)			+ (size)
#define OPEN(ops, text, size, weight, field)	+ (size) + (weight) * ((0
#define OPEN_SIZED(ops, text, size, element, field) \
	+ (size) + 0 / ((element) == (0
#define END						))
#define BODY(name)				, body_##name = ((0
#define BACK						))
#define HEAD(kind, name, ...)			, request_##name = ((0
#define PART(op, part, v, size)			)), part = ((0
#define SAME(name, other)			)), reply_##name = reply_##other
#include "commands.def"
};

#define HEAD(kind, name, service, id, request, reply, help) \
	_Static_assert((request) < 0 || ((request) == request_##name && \
		(reply) == reply_##name), "fixed part of " #name);
#define PART(op, part, v, size) \
	_Static_assert((size) < 0 || (size) == part, "fixed part of " #part);
#include "commands.def"

/* 3. The ops; where each command's and body's begin. */

struct ops_at {
	char start[sizeof((const unsigned char[]){ 0,
#define ITEM(ops, text, size, field)		BARE ops,
#define OPEN(ops, text, size, weight, field)	BARE ops,
#define END					OP_END,
#define BODY(name)	})]; char b_##name[sizeof((const unsigned char[]){
#define BACK					OP_BACK,
#define HEAD(kind, name, ...) })]; char c_##name[sizeof((const unsigned char[]){
#define PART(op, part, v, size)			op, v,
#define SAME(name, other)			OP_SAME, 0, 0,
#include "commands.def"
	})];
};

static const unsigned char ops[] = { 0,
#define ITEM(ops, text, size, field)		BARE ops,
#define OPEN(ops, text, size, weight, field)	BARE ops,
#define END					OP_END,
#define BACK					OP_BACK,
#define PART(op, part, v, size)			op, v,
#define SAME(name, other)	OP_SAME, cmd_##other & 255, cmd_##other >> 8,
#include "commands.def"
};

/* 4. The names and help; where each command's and body's begin. */

struct names_at {
	char start[sizeof("\0"
#define ITEM(ops, text, size, field)		text
#define OPEN(ops, text, size, weight, field)	text
#define BODY(name)	) - 1]; char b_##name[sizeof(""
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

/* 5. The index of the commands, and of the bodies. */

struct command {
	uint32_t names;			/* where its own begin */
	uint16_t ops;
	uint16_t id;			/* CID or message id */
	uint8_t service;		/* enum service or qmi_service */
	uint8_t kind;
};

static const struct command commands[] = {
#define HEAD(kind, name, service, id, request, reply, help) \
	{ offsetof(struct names_at, c_##name), \
	  offsetof(struct ops_at, c_##name), SHORT(id), BYTE(service), kind },
#include "commands.def"
};

static const struct {
	uint32_t names;
	uint16_t ops;
} bodies[] = {
#define BODY(name) \
	{ offsetof(struct names_at, b_##name), \
	  offsetof(struct ops_at, b_##name) },
#include "commands.def"
};

/* 6. The words of the value tables, as "number word"; where each begins. */

struct values_at {
	char start[sizeof(""
#define VALUES(name, ...)	) - 1]; char name[sizeof("\1" __VA_ARGS__
#define BITS				"|"
#define V(n, word)			#n " " #word "\0"
#define SCALE(name, a, b, c, unknown, ...) \
	) - 1]; char name[sizeof("\1*" #a " " #b " " #c " " #unknown \
		__VA_OPT__(" " #__VA_ARGS__) "\0"
#include "commands.def"
	) - 1];
};

static const char values[] = ""
#define VALUES(name, ...)		"\1" __VA_ARGS__
#define BITS				"|"
#define V(n, word)			#n " " #word "\0"
#define SCALE(name, a, b, c, unknown, ...) \
	"\1*" #a " " #b " " #c " " #unknown __VA_OPT__(" " #__VA_ARGS__) "\0"
#include "commands.def"
;
_Static_assert(sizeof(ops) <= UINT16_MAX && sizeof(values) <= UINT16_MAX &&
	COUNT_OF(commands) <= UINT16_MAX, "the offsets want another type");

static const uint16_t tables[] = {
#define VALUES(name, ...)		offsetof(struct values_at, name),
#define SCALE(name, ...)		offsetof(struct values_at, name),
#include "commands.def"
};
_Static_assert(COUNT_OF(tables) <= 256 - SHOW_TABLES, "a show is a byte");

/* 7. Statuses and errors with an exit code or a hint of their own. */

static const struct refusal {
	uint16_t number, hint;		/* hint: a command to try */
	uint8_t domain, exit;
} refusals[] = {
#define VALUES(name, ...)		__VA_ARGS__
#define V(n, word)
#define S(n, name)
#define Q(n, name)
#define STATUS(n, name, exit, hint) \
	{ SHORT(n), cmd_##hint, DOMAIN_MBIM, exit },
#define QMI_ERROR(n, name, exit)	{ SHORT(n), cmd_none, DOMAIN_QMI, exit },
#include "commands.def"
};

/* 8. What the jobs walk, and what people guess. */

const struct goal goals[] = {
#define VALUES(name, ...)		__VA_ARGS__
#define V(n, word)
#define GOAL(n, name, query, field, reached, pending, final, exit) \
	{ cmd_##query, FIELD(query, field), reached, pending, final, exit },
#include "commands.def"
};

const struct stage stages[] = {
#define STAGE(job, name, goal, action, value) \
	{ cmd_##job, goal_##goal, cmd_##action, name, value },
#include "commands.def"
};
const size_t n_stages = COUNT_OF(stages);

const struct method methods[] = {
#define VALUES(name, ...)		__VA_ARGS__
#define V(n, word)
#define METHOD(n, name, command, value, ids) \
	{ n, cmd_##command, value, ids },
#include "commands.def"
};
const size_t n_methods = COUNT_OF(methods);

static const struct guess {
	const char *words;
	uint16_t command;
} guesses[] = {
#define GUESS(words, command)		{ words, cmd_##command },
#include "commands.def"
};

/* ---- walking the items ---- */

/* What follows the op of an item. */
enum has { NAME = 1, SHOW = 2, ONE = 4, TWO = 8, ITEMS = 16 };

/* Where its bytes are. */
enum where {
	INLINE,			/* here, as many as the kind has */
	GIVEN_SIZE,		/* here, as many as the item says */
	TAIL,			/* here, all that is left */
	PREFIXED,		/* here, after their number */
	POINTED,		/* at an offset, with a size */
	AWAY,			/* at an offset, with a COUNT's size */
	ELEMENT			/* in an information element */
};

/* What they are. */
enum what {
	NOTHING, NUMBER, SIGNED, CONSTANT, COUNTER, HEX, TEXT8, TEXT16, ID,
	ADDRESS
};

enum { IE_WCHAR_STR = 10 };	/* the type of an element that is a string */

static const struct kind {
	uint8_t has, where, what, size;
} kinds[OPS] = {
#define K(op, has, where, what, size)	[OP_##op] = { has, where, what, size },
	KINDS(K)
#undef K
};

/* Where a walk is: in the ops and, in step, in the names. */
struct cursor {
	const unsigned char *op, *back_op;	/* back: behind the USE */
	const char *name, *back_name;
	int depth;				/* next_option: of containers */
};

static const struct cursor nowhere = { .op = ops, .name = names };

struct item {
	enum op op;
	const struct kind *kind;
	uint8_t n, show, max, n_givens;
	int tlv;				/* or -1 */
	enum op guard;				/* WHEN, IS, or END */
	uint8_t guard_field, guard_n;
	uint8_t min_digits, max_digits;
	uint16_t digits_mask;
	const char *name, *help;
	const char *also, *fallback, *givens;	/* suffixes, or NULL */
	unsigned flags;				/* of those from OP_FLAGS on */
	struct cursor inner;			/* a container's items */
	int in_place;				/* they come next */
	enum op bare;				/* of elements without name */
};

static const char *next_name(struct cursor *c)
{
	const char *name = c->name;

	c->name += strlen(name) + 1;
	return name;
}

static void take_suffixes(struct cursor *c, struct item *it)
{
	for (; *c->op >= OP_SUFFIXES && *c->op < OPS; c->op++)
		switch (*c->op) {
		case OP_DEFAULT:
			it->fallback = next_name(c);
			break;
		case OP_ALSO:
			it->also = next_name(c);
			break;
		case OP_MAX:
			it->max = *++c->op;
			break;
		case OP_DIGITS:
			it->digits_mask = (uint16_t)(c->op[1] | c->op[2] << 8);
			it->min_digits = c->op[3];
			it->max_digits = c->op[4];
			c->op += 4;
			break;
		case OP_GIVEN:
			if (!it->n_givens++)
				it->givens = c->name;
			next_name(c);
			next_name(c);
			break;
		default:
			it->flags |= FLAG(*c->op);
		}
}

/* Into the body that is used next, and back from one that has ended. */
static void follow_uses(struct cursor *c)
{
	for (;;)
		if (*c->op == OP_USE) {
			c->back_op = c->op + 2;
			c->back_name = c->name;
			c->name = names + bodies[c->op[1]].names;
			c->op = ops + bodies[c->op[1]].ops;
		} else if (*c->op == OP_BACK && c->back_op) {
			c->op = c->back_op;
			c->name = c->back_name;
		} else {
			return;
		}
}

static void take_guards(struct cursor *c, struct item *it)
{
	for (; *c->op >= OP_TLV && *c->op <= OP_IS; c->op += 2)
		if (*c->op == OP_TLV) {
			it->tlv = c->op[1];
		} else {
			it->guard = *c->op++;
			it->guard_field = c->op[0];
			it->guard_n = c->op[1];
		}
}

/*
 * The next item, with its guards and suffixes; false at an END or at the end
 * of a part, which are not passed. After a container its own items are next;
 * skip_item() passes what is left of an item.
 */
static int next_item(struct cursor *c, struct item *it)
{
	int helped, has;

	follow_uses(c);
	*it = (struct item){ .tlv = -1, .inner = nowhere };
	take_guards(c, it);
	it->op = *c->op & ~OP_HELPED;
	if (it->op < OP_TLV)
		return 0;
	it->kind = &kinds[it->op];
	helped = *c->op++ & OP_HELPED;
	has = it->kind->has;
	if (has & SHOW)
		it->show = *c->op++;
	if (has & ONE)
		it->n = *c->op++;
	if (has & NAME)
		it->name = next_name(c);
	if (helped)
		it->help = next_name(c);
	if (!(has & ITEMS)) {
		take_suffixes(c, it);
		return 1;
	}
	it->inner = *c;
	it->inner.depth = 0;
	it->in_place = 1;
	if (!*c->name && *c->op != OP_USE)
		it->bare = *c->op;
	return 1;
}

static void skip_item(struct cursor *c, const struct item *it)
{
	struct item inner;

	if (!it->in_place)
		return;
	while (next_item(c, &inner))
		skip_item(c, &inner);
	c->op++;
}

/* The next item that is an option, in containers too; false at the end. */
static int next_option(struct cursor *c, struct item *it)
{
	do {
		follow_uses(c);
		for (; *c->op == OP_END && c->depth; c->depth--) {
			c->op++;
			follow_uses(c);
		}
		if (!next_item(c, it))
			return 0;
		c->depth += it->in_place;
	} while (!it->help);
	return 1;
}

/* The next field of the top level: those of a REF are of it, too. */
static int next_field(struct cursor *c, struct item *it)
{
	for (;;) {
		follow_uses(c);
		for (; *c->op == OP_END && c->depth; c->depth--)
			c->op++;
		if (!next_item(c, it))
			return 0;
		if (it->op == OP_REF) {
			c->depth++;
			continue;
		}
		skip_item(c, it);
		if (it->name && it->op != OP_CONST)
			return 1;
	}
}

/* The bytes of the fixed part of some items, without those of pairs. */
static size_t fixed_size(struct cursor c)
{
	struct item it;
	size_t size = 0;

	for (; next_item(&c, &it); skip_item(&c, &it))
		if (it.op == OP_STRUCT)
			size += fixed_size(it.inner);
		else
			size += it.kind->where == GIVEN_SIZE ? it.n :
				it.kind->size;
	return size;
}

/* What the head of a command says, and where its request begins. */
static struct cursor read_head(enum command_number number,
	struct command_head *h)
{
	const struct command *command = &commands[number];
	struct cursor c = { .op = ops + command->ops,
		.name = names + command->names };

	*h = (struct command_head){ .kind = command->kind, .id = command->id };
	h->name = next_name(&c);
	h->help = next_name(&c);
	for (; *c.op >= OP_SUFFIXES && *c.op < OPS; c.op++)
		if (*c.op == OP_SLOW) {
			h->slow = *++c.op;
		} else if (*c.op == OP_RISKY) {
			h->risky = *++c.op;
		} else if (*c.op == OP_LOCK) {
			h->lock = *++c.op;
			h->lock_value = *++c.op;
		} else {
			h->flags |= FLAG(*c.op);
		}
	h->keeps_session = (h->flags & FLAG(OP_KEEP)) != 0;
	return c;
}

const struct command_head *head_of(enum command_number number)
{
	static enum command_number last = cmd_none;
	static struct command_head h;

	if (number != last)
		read_head(number, &h);
	last = number;
	return &h;
}

/* A part of a command: of the highest version not above the session's. */
static struct cursor find_part(enum command_number number, enum op part,
	int version)
{
	struct command_head h;
	struct cursor c = read_head(number, &h), best = nowhere;
	struct item it;

	if (part == OP_REQUEST)
		best = c;
	while (best.op == ops || version > 0) {
		while (next_item(&c, &it))
			skip_item(&c, &it);
		if (*c.op == OP_END)
			break;
		if (*c.op == OP_SAME)
			return part != OP_REPLY ? best :
				find_part(c.op[1] | c.op[2] << 8, part,
					version);
		c.op += 2;
		if (c.op[-2] == part && c.op[-1] <= version)
			best = c;
	}
	return best;
}

enum { VERSION_MAX = 3 };	/* of MBIMEx */

/* Is there a part of its own for this version? */
static int has_part(enum command_number number, enum op part, int version)
{
	return version == 0 || find_part(number, part, version).op !=
		find_part(number, part, version - 1).op;
}

static enum command_number find_number(enum command_kind kind, int service,
	uint32_t id, enum command_number from)
{
	for (; from < COMMANDS; from++) {
		const struct command *c = &commands[from];

		if (c->kind == kind && c->service == service && c->id == id)
			break;
	}
	return from;
}

/* By service and CID or message; cmd_none when the table has none. */
static enum command_number command_lookup(enum command_kind kind, int service,
	uint32_t id)
{
	return find_number(kind, service, id, 0);
}

/* Case does not matter, nor do - and _. */
static int folded(char c)
{
	return c == '-' ? '_' : tolower((uint8_t)c);
}

static enum command_number find_name(const char *key)
{
	enum command_number n = 0;

	while (n < COMMANDS && strcmp(names + commands[n].names, key))
		n++;
	return n;
}

enum command_number command_find(const char *name)
{
	size_t len = span(name, '=');
	char key[64], *s = key;
	enum command_number n;

	if (len == 0 || len >= sizeof(key))
		return cmd_none;
	for (size_t i = 0; i < len; i++)
		s[i] = (char)folded(name[i]);
	s[len] = '\0';
	n = find_name(s);
	/* --query-X is --get-X, also behind a service's prefix */
	while (n == cmd_none && *s && strncmp(s, "query_", 6))
		s += span(s, '_') + (s[span(s, '_')] == '_');
	if (n != cmd_none || !*s)
		return n;
	memcpy(s, "get_", 4);
	memmove(s + 4, s + 6, strlen(s + 6) + 1);
	return find_name(key);
}

/* ---- words and numbers ---- */

/* The value table of a show; "" when it has none. */
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

/* The next word and, if it has no UUID, its number; NULL at the end. */
static const char *next_word(const char **table, uint64_t *n)
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

/* The word of a number, or NULL. */
static const char *word_of(const char *table, uint64_t n)
{
	const char *word;
	uint64_t at;

	while ((word = next_word(&table, &at)))
		if (at == n)
			break;
	return word;
}

/* Does a text start with len characters of a word, as folded() has them? */
static int starts_with(const char *s, const char *word, size_t len)
{
	for (; len && *s && folded(*s) == folded(*word); len--, s++, word++)
		;
	return !len;
}

static int same_word(const char *a, const char *b, size_t len)
{
	return starts_with(b, a, len) && !b[len];
}

/* Of a number n, (a n + b) / c is shown, with a unit; nothing if unknown. */
struct scale {
	int64_t a, b, c, unknown;
	int is_plain;			/* the number itself, never unknown */
	const char *unit;		/* "" or " dBm", " dBm -113 -51" */
};

static struct scale scale_of(const char *table)
{
	int64_t n[4] = { 0 };
	int is_plain = 0;

	for (int i = 0; i < 4; i++) {
		table++;		/* the asterisk; spaces */
		is_plain = *table == 'n';
		if (is_plain)
			table += 5;	/* never */
		else
			n[i] = parse_signed(&table);
	}
	return (struct scale){ n[0], n[1], n[2], n[3], is_plain, table };
}

static void text_scaled(struct text *t, const char *table, int64_t n)
{
	struct scale s = scale_of(table);
	int64_t v = s.a * n + s.b;

	if (s.is_plain)
		text_decimal(t, (uint64_t)n);
	if (s.is_plain || n == s.unknown)
		return;
	text_add(t, v < 0 ? "-" : "");
	v = v < 0 ? -v : v;
	text_decimal(t, (uint64_t)(v / s.c));
	if (v % s.c) {
		text_char(t, '.');
		text_decimal(t, (uint64_t)(v % s.c * 10 / s.c));
	}
}

/* The entry of a UUID (skip 0) or a word (37) in a table of "uuid word". */
static const char *uuid_entry(const char *p, const char *s, size_t skip)
{
	for (; *p > '\1'; p += strlen(p) + 1)
		if (skip ? same_word(s, p + skip, strlen(s)) :
		    !strncmp(s, p, 36))
			return p;
	return NULL;
}

/* Is there a dash before this byte of a UUID? */
static int is_dashed(int i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

static void text_uuid(struct text *t, const uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++) {
		text_add(t, is_dashed(i) ? "-" : "");
		text_hex(t, uuid[i], 2);
	}
}

/* A UUID up to a NUL or space; false when it is none. */
static int parse_uuid(const char *s, uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++, s += 2)
		if ((is_dashed(i) && *s++ != '-') ||
		    !parse_hex_byte(s, uuid + i))
			return 0;
	return !*s || *s == ' ';
}

/* The entry of a service of MBIM: its UUID, a space, its name. */
static const char *service_entry(int service)
{
	const char *p = table_of(show_service);

	while (service--)
		p += strlen(p) + 1;
	return p;
}

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

void command_services(struct mbim *m)
{
	parse_uuid(service_entry(service_BASIC_CONNECT), m->probe);
}

/* ---- text codings ---- */

enum { NO_CHARACTER = 0xfffd };

static void text_bytes(struct text *t, const uint8_t *bytes, size_t len)
{
	while (len--)
		text_hex(t, *bytes++, 2);
}

/* One character, as UTF-8. */
static void text_character(struct text *t, uint32_t c)
{
	int more = (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);

	text_char(t, (char)(!more ? c :
		(0xff00u >> (more + 1) & 0xff) | c >> 6 * more));
	while (more--)
		text_char(t, (char)(0x80 | (c >> 6 * more & 63)));
}

/* Up to a NUL; a surrogate alone is no text. */
static void text_utf16(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + (len & ~(size_t)1);
	uint32_t c, low;

	for (; p < end; p += 2) {
		c = p[0] | (uint32_t)p[1] << 8;
		if (!c)
			return;
		low = 0;
		if (c >> 10 == 0x36 && p + 2 < end)
			low = p[2] | (uint32_t)p[3] << 8;
		if (low >> 10 == 0x37) {
			c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
			p += 2;
		}
		if (c < 0x80)
			text_char(t, (char)c);
		else
			text_character(t, c >> 11 == 0x1b ? NO_CHARACTER : c);
	}
}

/* How many bytes follow the first of a character; 4 when it is none. */
static int bytes_that_follow(uint8_t c)
{
	if (c < 0x80)
		return 0;
	if (c >> 5 == 6)
		return 1;
	if (c >> 4 == 14)
		return 2;
	return c >> 3 == 30 ? 3 : 4;
}

/* The next character of UTF-8; a byte that is none becomes U+FFFD. */
static uint32_t next_utf8(const uint8_t **p, const uint8_t *end)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *s = *p;
	uint32_t c = *s++;
	int more = bytes_that_follow((uint8_t)c);

	*p = s;
	if (more == 4 || more > end - s)
		return NO_CHARACTER;
	if (more)
		c &= 0x3fu >> more;
	for (int i = 0; i < more; i++) {
		if (*s >> 6 != 2)
			return NO_CHARACTER;
		c = c << 6 | (*s++ & 63);
	}
	if (c < least[more] || c > 0x10ffff || c >> 11 == 0x1b)
		return NO_CHARACTER;
	*p = s;
	return c;
}

/* Up to a NUL; what is no UTF-8 becomes U+FFFD. */
static void text_utf8(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end && *p)
		text_character(t, next_utf8(&p, end));
}

/*
 * UTF-8 as it is, or as UTF-16LE: the number of bytes; -1 when it is no text,
 * -2 when it has more than max bytes (wide: units of UTF-16).
 */
static int parse_text(const char *s, int wide, uint8_t *to, size_t max)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + strlen(s);
	size_t n = 0;

	if ((size_t)(end - p) > MBIM_REPLY_MAX / 2)
		return -2;
	max *= wide ? 2 : 1;
	while (p < end) {
		const uint8_t *from = p;
		uint32_t c = next_utf8(&p, end);
		size_t size = (size_t)(p - from);

		if (c == NO_CHARACTER)
			return -1;
		if (wide)
			size = c < 0x10000 ? 2 : 4;
		if (n + size > max)
			return -2;
		if (c >= 0x10000)	/* the low surrogate comes second */
			c = (0xd7c0 + (c >> 10)) |
				(0xdc00 + (c & 0x3ff)) << 16;
		if (wide)
			put_number(to + n, c, size);
		else
			memcpy(to + n, from, size);
		n += size;
	}
	return (int)n;
}

/* Hex, with spaces, colons and bars between bytes; how many bytes, or -1. */
static int parse_hex(const char *s, const char *end, uint8_t *bytes, size_t max)
{
	size_t n = 0;

	while (s < end && *s) {
		if (find_char(" \t\r:|", *s)) {
			s++;
			continue;
		}
		if (n == max || !parse_hex_byte(s, &bytes[n++]))
			return -1;
		s += 2;
	}
	return (int)n;
}

/* MD5 (RFC 1321) */
static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
	0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
	0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static uint32_t rotate(uint32_t n, unsigned by)
{
	return n << by | n >> (32 - by);
}

/* The function and the word of a step. */
static uint32_t md5_step(unsigned i, const uint32_t s[4], const uint8_t *block)
{
	static const uint8_t factors[] = { 1, 5, 3, 7 };
	static const uint8_t starts[] = { 0, 1, 5, 0 };
	unsigned word = (factors[i / 16] * i + starts[i / 16]) % 16;
	struct reader r = { block, 64, 4 * word, 0 };
	uint32_t b = s[1], c = s[2], d = s[3], f = c ^ (b | ~d);

	if (i < 16)
		f = (b & c) | (~b & d);
	else if (i < 32)
		f = (d & b) | (~d & c);
	else if (i < 48)
		f = b ^ c ^ d;
	return s[0] + f + sines[i] + (uint32_t)take_number(&r, 4);
}

void text_md5(struct text *t, const char *s)
{
	static const uint8_t turns[4][4] = { { 7, 12, 17, 22 },
		{ 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	uint8_t block[128] = { 0 };
	struct text all = { (char *)block, 0, sizeof(block), NULL };
	size_t end = strlen(s) < 56 ? 64 : 128, len;

	text_add(&all, s);
	len = all.len;
	block[len] = 0x80;
	put_number(block + end - 8, 8 * (uint64_t)len, 8);
	for (size_t at = 0; at < end; at += 64) {
		uint32_t v[4] = { state[0], state[1], state[2], state[3] };

		for (unsigned i = 0; i < 64; i++) {
			uint32_t f = md5_step(i, v, block + at);

			v[0] = v[3];
			v[3] = v[2];
			v[2] = v[1];
			v[1] += rotate(f, turns[i / 16][i % 4]);
		}
		for (int i = 0; i < 4; i++)
			state[i] += v[i];
	}
	for (int i = 0; i < 16; i++)
		text_hex(t, state[i / 4] >> 8 * (i % 4) & 255, 2);
}

/* ---- printing: what all have in common ---- */

/* One value: its name, text and how to quote it; in text its unit, or "". */
struct value {
	const char *name;
	enum value_kind kind;
	const char *s;
	size_t len;
	const char *unit;
};

/* Which missing values a printer gets: none; keys, but not of TLVs; all. */
enum missing { MISSING_NONE, MISSING_KEYS, MISSING_ALL };

struct printer {
	void (*begin)(const char *command, const char *prefix);
	void (*value)(const struct value *v);
	void (*open)(const char *name, enum group group);
	void (*close)(void);
	void (*end)(void);
	enum missing missing;
};

static const struct printer *printer;	/* that is in use */
static enum format format;
static struct text *to;			/* where it writes */

/* The groups that are open: the first is the command's object. */
enum { LEVELS = 12 };
static struct level {
	enum group group;
	const char *name;
	size_t count, path_len;
} levels[LEVELS], *level = levels;

static void open_level(const char *name, enum group group, size_t path_len)
{
	*++level = (struct level){ group, name, 0, path_len };
}

/* A text with another character for _. */
static void put_without_underscores(const char *s, size_t len, char instead)
{
	const char *end = s + len;

	while (s < end) {
		const char *from = s;

		while (s < end && *s != '_')
			s++;
		text_put(to, from, (size_t)(s - from));
		if (s == end)
			return;
		text_char(to, instead);
		s++;
	}
}

/* A word, with - for _; the services', which are capitals, small. */
static void put_word(const char *s, size_t len)
{
	char small[64];
	size_t n = 0;

	if (len < 2 || !isupper((uint8_t)s[0]) || !isupper((uint8_t)s[1])) {
		put_without_underscores(s, len, '-');
		return;
	}
	for (; n < len && n < sizeof(small); n++)
		small[n] = (char)tolower(s[n]);
	put_without_underscores(small, n, '-');
}

static void print(const struct value *v)
{
	if (printer)
		printer->value(v);
}

void print_value(const char *name, enum value_kind kind, const char *s,
	size_t len)
{
	print(&(struct value){ name, kind, s, len, "" });
}

static void print_word(const char *name, const char *word)
{
	print_value(name, VALUE_WORD, word, strlen(word));
}

static void print_signed(const char *name, uint64_t n, int minus)
{
	char digits[24];
	struct text t = TEXT(digits);

	text_add(&t, minus ? "-" : "");
	text_decimal(&t, minus ? 0 - n : n);
	print_value(name, VALUE_NUMBER, digits, t.len);
}

void print_number(const char *name, uint64_t n)
{
	print_signed(name, n, 0);
}

/* Text from without, which may be no UTF-8: arguments, names of files. */
void print_string(const char *name, const char *s)
{
	char valid[1200];
	struct text t = TEXT(valid);

	text_utf8(&t, (const uint8_t *)s, strlen(s));
	print_value(name, VALUE_TEXT, valid, t.len);
}

void print_missing(const char *name)
{
	if (printer && printer->missing)
		print_value(name, VALUE_MISSING, "", 0);
}

void print_open(const char *name, enum group group)
{
	if (printer)
		printer->open(name, group);
}

void print_close(void)
{
	if (printer)
		printer->close();
}

void print_begin(const char *command, const char *prefix)
{
	level = levels;
	*level = (struct level){ GROUP_OBJECT, "", 0, 0 };
	if (printer)
		printer->begin(command, prefix ? prefix : "mbim");
}

static void print_begin_call(const struct call *call)
{
	if (call)
		print_begin(names + commands[call->command].names,
			call->prefix);
	else
		print_begin(NULL, NULL);
}

void print_end(void)
{
	if (printer)
		printer->end();
}

/* Control characters, C1 included, and those that turn the line. */
static int is_invisible(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x61c ||
		c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
		(c >= 0x2066 && c <= 0x2069);
}

/*
 * Text of which invisible characters and a quote are replaced: JSON escapes
 * them, text and sh have a space for the former; quote is what stands for '.
 */
static void put_visible(const char *s, size_t len, const char *quote)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + len;

	while (p < end) {
		const uint8_t *from = p;
		uint32_t c;

		while (p < end && *p >= ' ' && *p < 0x7f && *p != '\'' &&
		       *p != '"' && *p != '\\')
			p++;		/* most are what they are */
		text_put(to, (const char *)from, (size_t)(p - from));
		if (p == end)
			return;
		from = p;
		c = next_utf8(&p, end);
		if (is_invisible(c) && format == FORMAT_JSON) {
			text_add(to, "\\u");
			text_hex(to, c, 4);
		} else if (is_invisible(c)) {
			text_char(to, ' ');
		} else if (c == '\'' && quote) {
			text_add(to, quote);
		} else {
			if ((c == '"' || c == '\\') && format == FORMAT_JSON)
				text_char(to, '\\');
			text_put(to, (const char *)from, (size_t)(p - from));
		}
	}
}

/* ---- printing: JSON ---- */

static void json_separate(const char *name)
{
	text_add(to, level->count++ ? "," : "");
	if (level->group == GROUP_OBJECT)
		text_join(to, "\"", name, "\":");
}

static void json_value(const struct value *v)
{
	json_separate(v->name);
	switch (v->kind) {
	case VALUE_NUMBER:
		text_put(to, v->s, v->len);
		break;
	case VALUE_WORD: case VALUE_TEXT:
		text_char(to, '"');
		if (v->kind == VALUE_WORD)
			put_word(v->s, v->len);
		else
			put_visible(v->s, v->len, NULL);
		text_char(to, '"');
		break;
	case VALUE_UNKNOWN: case VALUE_MISSING:
		text_add(to, "null");
		break;
	case VALUE_MISSING_LIST:
		text_add(to, "[]");
	}
}

static void json_open(const char *name, enum group group)
{
	json_separate(name);
	text_char(to, group == GROUP_OBJECT ? '{' : '[');
	open_level(name, group, 0);
}

static void json_close(void)
{
	text_char(to, level->group == GROUP_OBJECT ? '}' : ']');
	level--;
}

static void json_begin(const char *command, const char *prefix)
{
	(void)prefix;
	text_char(to, '{');
	if (command)
		print_word("command", command);
	else
		print_missing("command");
}

static void json_end(void)
{
	text_add(to, "}\n");
}

/* ---- printing: sh ---- */

/* The name of the variable, of which path_len belong to the group. */
static char name_buffer[512];
static struct text variable = { name_buffer, 0, sizeof(name_buffer), NULL };

static void sh_name(const char *name)
{
	variable.len = level->path_len;
	text_char(&variable, '_');
	if (*name)
		text_add(&variable, name);
	else
		text_decimal(&variable, level->count);
	level->count++;
}

static void sh_value(const struct value *v)
{
	int is_words = level->group == GROUP_WORDS;

	if (is_words)
		text_add(to, level->count++ ? " " : "");
	else
		sh_name(v->name);
	if (v->kind == VALUE_MISSING_LIST) {
		text_join(to, variable.s, "_count='0'\n");
		return;
	}
	if (!is_words)
		text_join(to, variable.s, "='");
	if (v->kind == VALUE_WORD)
		put_word(v->s, v->len);
	else
		put_visible(v->s, v->len, "'\\''");
	text_add(to, is_words ? "" : "'\n");
}

static void sh_open(const char *name, enum group group)
{
	sh_name(name);
	if (group == GROUP_WORDS)
		text_join(to, variable.s, "='");
	open_level(name, group, variable.len);
}

static void sh_close(void)
{
	variable.len = level->path_len;
	variable.s[variable.len] = '\0';
	if (level->group == GROUP_ARRAY)
		text_join(to, variable.s, "_count='", DECIMAL(level->count));
	text_add(to, level->group == GROUP_OBJECT ? "" : "'\n");
	level--;
}

static void sh_begin(const char *command, const char *prefix)
{
	(void)command;
	variable.len = 0;
	text_add(&variable, prefix);
	level->path_len = variable.len;
}

static void sh_end(void)
{
}

/* ---- printing: text, for people, in 80 columns ---- */

enum { VALUE_COLUMN = 28, LINE_COLUMNS = 80 };

static size_t column, margin;		/* margin: 2 below a title */
static int titles;

void print_titles(int on)
{
	titles = on;
}

static void put_spaces(size_t n)
{
	static const char spaces[] = "                                ";

	for (; n >= sizeof(spaces); n--)
		text_char(to, ' ');
	text_put(to, spaces, n);
}

/* The columns that a text takes. */
static size_t width_of(const char *s, size_t len)
{
	size_t n = 0;

	for (; len--; s++)
		n += ((uint8_t)*s & 0xc0) != 0x80;
	return n;
}

static size_t indent(void)
{
	return margin + 2 * (size_t)(level - levels);
}

static void end_line(void)
{
	text_char(to, '\n');
	column = 0;
}

/* A name with spaces for underscores. */
static void put_name(const char *name)
{
	size_t len = strlen(name);

	put_without_underscores(name, len, ' ');
	column += len;
}

/* Rates in thousands, millions... of bits. */
static void put_rate(uint64_t n)
{
	static const char powers[] = " kMGT";
	int power = 0;

	for (; n >= 10000 && power < 4; power++)
		n = (n + 500) / 1000;
	text_decimal(to, n);
	text_char(to, ' ');
	if (power)
		text_char(to, powers[power]);
	text_add(to, "bit/s");
}

/* Where a value lies between the two numbers that follow a unit. */
static void put_bar(const char *range, const char *s)
{
	int64_t from = parse_signed(&range), at = parse_signed(&s);
	int64_t n, all;

	range++;
	all = parse_signed(&range) - from;
	n = (at - from) * 10 / all;
	text_add(to, "  [");
	for (int i = 0; i < 10; i++)
		text_char(to, i < n ? '#' : '-');
	text_char(to, ']');
}

/* A value without its label, with a bar if there is room for one. */
static void put_text_value(const struct value *v, int has_room)
{
	uint64_t n;

	if (v->kind == VALUE_UNKNOWN) {
		text_add(to, "unknown");
	} else if (v->kind == VALUE_WORD) {
		put_word(v->s, v->len);
	} else if (!strcmp(v->unit, " bit/s") && parse_number(
			&(const char *){ v->s }, &n)) {
		put_rate(n);
	} else {
		size_t len = *v->unit ? 1 + span(v->unit + 1, ' ') : 0;

		put_visible(v->s, v->len, NULL);
		text_put(to, v->unit, len);
		if (v->unit[len] && has_room)
			put_bar(v->unit + len + 1, v->s);
	}
}

static void text_label(const char *name)
{
	level->count++;
	if (level->group != GROUP_OBJECT)
		return;
	put_spaces(column ? 1 : indent());
	column = indent();
	put_name(name);
	text_char(to, ':');
	column++;
}

/* A list's values stand in one line while they fit. */
static void text_separate(size_t width)
{
	if (level->count > 1 && column + 2 + width > LINE_COLUMNS) {
		text_add(to, ",\n");
		put_spaces(VALUE_COLUMN);
		column = VALUE_COLUMN;
	} else if (level->count > 1) {
		text_add(to, ", ");
		column += 2;
	} else if (column < VALUE_COLUMN) {
		put_spaces(VALUE_COLUMN - column);
		column = VALUE_COLUMN;
	} else {
		put_spaces(1);
		column++;
	}
	column += width;
}

/*
 * An array whose elements are structures of single values is measured first,
 * and becomes a table if that fits, without the columns of which nothing is
 * known; else each element is a block.
 */
enum { TABLE_COLUMNS = 16 };

static struct {
	enum { NO_TABLE, MEASURED, MEASURING, IN_TABLE } mode;
	int is_flat;
	size_t depth, column, columns;		/* depth: 1 is a row */
	size_t spaces;				/* before the next cell */
	size_t widths[TABLE_COLUMNS];
	const char *names[TABLE_COLUMNS], *name;	/* name: of a list */
	uint8_t known[TABLE_COLUMNS];
	char bytes[256];
} grid;
static struct text cell = { grid.bytes, 0, sizeof(grid.bytes), NULL };

int print_measure(void)
{
	if (format != FORMAT_TEXT || !printer || grid.mode != NO_TABLE)
		return 0;
	memset(&grid, 0, sizeof(grid));
	grid.mode = MEASURING;
	grid.is_flat = 1;
	return 1;
}

/* A name in a table's head: id, not provider_id, below providers. */
static const char *head_name(const char *name, const char *array)
{
	size_t len = strlen(array) - 1;

	if (!strncmp(name, array, len) && name[len] == '_')
		return name + len + 1;
	return name;
}

/* How wide is its column? */
static void measure_cell(size_t n, const char *name)
{
	size_t width = width_of(cell.s, cell.len);

	if (n >= TABLE_COLUMNS || (grid.names[n] && grid.names[n] != name)) {
		grid.is_flat = 0;
		return;
	}
	grid.names[n] = name;
	if (width > grid.widths[n])
		grid.widths[n] = width;
}

/* A cell stands behind the spaces of the one before. */
static void put_cell(size_t n)
{
	if (!grid.known[n])
		return;
	put_spaces(grid.spaces);
	text_put(to, cell.s, cell.len);
	grid.spaces = grid.widths[n] + 2 - width_of(cell.s, cell.len);
}

static void end_cell(const char *name)
{
	size_t n = grid.column++;

	if (grid.mode == MEASURING)
		measure_cell(n, name);
	else
		put_cell(n);
	cell.len = 0;
}

static void grid_value(const struct value *v)
{
	struct text *saved = to;

	to = &cell;
	text_add(to, cell.len ? "," : "");
	put_text_value(v, 0);
	to = saved;
	if (v->len && grid.column < TABLE_COLUMNS)
		grid.known[grid.column] = 1;
	if (grid.depth == 1)
		end_cell(v->name);
}

static void grid_open(const char *name, enum group group)
{
	grid.is_flat &= group == (grid.depth ? GROUP_WORDS : GROUP_OBJECT);
	grid.name = name;
	if (grid.depth++)
		return;
	grid.column = 0;
	grid.spaces = indent() + 2;
}

static void grid_close(void)
{
	if (--grid.depth == 1)
		end_cell(grid.name);
	if (grid.depth)
		return;
	if (grid.mode == IN_TABLE)
		end_line();
	if (!grid.columns)
		grid.columns = grid.column;
	grid.is_flat &= grid.columns == grid.column;
}

/* Is it a table that fits? Then its head is printed. */
static int begin_table(const char *array)
{
	size_t all = indent();

	for (size_t i = 0; i < grid.columns && grid.is_flat; i++) {
		size_t width = strlen(head_name(grid.names[i], array));

		if (width > grid.widths[i])
			grid.widths[i] = width;
		if (grid.known[i])
			all += grid.widths[i] + 2;
	}
	if (!grid.is_flat || !grid.columns || all > LINE_COLUMNS)
		return 0;
	grid.mode = IN_TABLE;
	grid.spaces = indent() + 2;
	end_line();
	for (size_t i = 0; i < grid.columns; i++) {
		const char *name = head_name(grid.names[i], array);
		struct text *saved = to;

		to = &cell;
		put_name(name);
		to = saved;
		put_cell(i);
		cell.len = 0;
	}
	end_line();
	return 1;
}

static void text_value(const struct value *v)
{
	if (grid.mode >= MEASURING) {
		grid_value(v);
		return;
	}
	if (v->kind >= VALUE_MISSING)
		return;
	text_label(v->name);
	if (level->group != GROUP_OBJECT) {
		text_separate(width_of(v->s, v->len));
		put_text_value(v, 1);
		return;
	}
	if (v->len || v->kind == VALUE_UNKNOWN)
		put_spaces(column < VALUE_COLUMN ? VALUE_COLUMN - column : 1);
	put_text_value(v, 1);
	end_line();
}

/* An element that is an object is a block, after a dash. */
static void text_open(const char *name, enum group group)
{
	int is_element = level->group != GROUP_OBJECT;

	if (grid.mode >= MEASURING) {
		grid_open(name, group);
		return;
	}
	text_label(name);
	if (grid.mode == MEASURED && begin_table(name))
		return;
	grid.mode = NO_TABLE;
	if (column && (is_element || group == GROUP_OBJECT))
		end_line();
	if (is_element) {
		put_spaces(indent());
		text_char(to, '-');
		column = 1;
	}
	open_level(name, group, 0);
}

static void text_close(void)
{
	if (grid.depth) {
		grid_close();
	} else if (grid.mode >= MEASURING) {
		grid.mode = grid.mode == MEASURING ? MEASURED : NO_TABLE;
	} else {
		if (column)
			end_line();
		level--;
	}
}

static void text_begin(const char *command, const char *prefix)
{
	(void)prefix;
	margin = titles && command ? 2 : 0;
	column = 0;
	if (!margin)
		return;
	text_dashed(to, command);
	text_add(to, ":\n");
}

static void text_end(void)
{
}

static const struct printer printers[] = {
	[FORMAT_TEXT] = { text_begin, text_value, text_open, text_close,
		text_end, MISSING_KEYS },
	[FORMAT_JSON] = { json_begin, json_value, json_open, json_close,
		json_end, MISSING_KEYS },
	[FORMAT_SH] = { sh_begin, sh_value, sh_open, sh_close, sh_end,
		MISSING_ALL },
};

void print_to(struct text *t, enum format f)
{
	to = t;
	format = f;
	printer = f == FORMAT_IP ? NULL : &printers[f];
}

/* ---- the record of a reply ---- */

static struct {
	uint64_t numbers[FIELDS_MAX], known;	/* known: a bit for each */
	const char *words[FIELDS_MAX];		/* of the numbers, or NULL */
	char bytes[4096];			/* field, text, field... */
	size_t len;
} record;

void clear_record(void)
{
	record.known = 0;
	record.len = 0;
}

static void record_number(size_t field, uint64_t n, const char *word)
{
	record.numbers[field] = n;
	record.words[field] = word;
	record.known |= (uint64_t)1 << field;
}

static void record_text(size_t field, const char *s, size_t len)
{
	if (sizeof(record.bytes) - record.len < len + 2)
		return;
	record.bytes[record.len++] = (char)field;
	memcpy(record.bytes + record.len, s, len + 1);
	record.len += len + 1;
}

int is_recorded(size_t field)
{
	return record.known >> field & 1;
}

uint64_t recorded(size_t field)
{
	return is_recorded(field) ? record.numbers[field] : 0;
}

const char *recorded_word(size_t field, const char *otherwise)
{
	return is_recorded(field) && record.words[field] ?
		record.words[field] : otherwise;
}

const char *recorded_text(size_t field, size_t nth)
{
	const char *p = record.bytes, *end = p + record.len;

	for (; p < end; p += strlen(p) + 1)
		if ((size_t)(uint8_t)*p++ == field && !nth--)
			return p;
	return "";
}

/* ---- decoding ---- */

enum { DEPTH_MAX = 8, ELEMENTS_MAX = 4096 };

/* What is known while a message is decoded, and afterwards. */
struct decoder {
	int quiet;			/* print nothing */
	int to_record;			/* but keep the top level's values */
	int mask;			/* keep personal values back */
	const uint8_t *frame;		/* and mark their bytes in hidden */
	char *hidden;
	int depth, elements;
	uint64_t fields[FIELDS_MAX];	/* the top level's, for guards */
	size_t n_fields;
	size_t counts[4];
	int mismatch;			/* a CONST is another number */
	/* the values of the items that are marked so */
	int has_effect;
	uint64_t effect, cause, handle;
	uint8_t cause_show;
};

static char scratch[3 * MBIM_REPLY_MAX + 1];	/* one value as text */

static void hide_bytes(struct decoder *d, const uint8_t *bytes, size_t len)
{
	if (d->hidden)
		memset(d->hidden + (bytes - d->frame), 1, len);
}

static void print_bits(const char *name, const char *table, uint64_t n)
{
	uint64_t bit, left = n;
	const char *word;

	print_open(name, GROUP_WORDS);
	while ((left || !n) && (word = next_word(&table, &bit)))
		if (bit ? (n & bit) == bit : !n) {
			print_value("", VALUE_WORD, word,
				(size_t)(table - word) - 1);
			left &= ~bit;
		}
	if (left)
		print_number("", left);
	print_close();
}

static void print_scaled(const char *name, const char *table, uint64_t n)
{
	char buffer[32];
	struct text t = TEXT(buffer);

	text_scaled(&t, table, (int64_t)n);
	print(&(struct value){ name, t.len ? VALUE_NUMBER : VALUE_UNKNOWN,
		buffer, t.len, scale_of(table).unit });
}

/* Numbers that have another form than decimal. */
static int print_formed(const char *name, int show, uint64_t n)
{
	char buffer[32];
	struct text t = TEXT(buffer);
	int digits = 2;

	if (show == show_bool && n < 2) {
		text_add(&t, n ? "true" : "false");
		print_value(name, VALUE_NUMBER, buffer, t.len);
	} else if (show == show_hex) {
		while (digits < 16 && n >> 4 * digits)
			digits += 2;
		text_add(&t, "0x");
		text_hex(&t, n, digits);
		print_word(name, buffer);
	} else if (show == show_mnc || show == show_mcc) {
		text_add(&t, show == show_mcc && n < 100 ? "0" : "");
		text_add(&t, n < 10 ? "0" : "");
		text_decimal(&t, n);
		print_word(name, buffer);
	} else {
		return 0;
	}
	return 1;
}

/* A number; below zero it is sign-extended and minus is set. */
static void print_shown(const char *name, int show, uint64_t n, int minus)
{
	const char *table = table_of(show), *word = NULL;

	if (*table == '|') {
		print_bits(name, table + 1, n);
		return;
	}
	if (*table == '*') {
		print_scaled(name, table, n);
		return;
	}
	if (*table)
		word = word_of(table, n);
	if (word)
		print_word(name, word);
	else if (!print_formed(name, show, n))
		print_signed(name, n, minus);
}

static void decode_items(struct decoder *d, struct cursor c, struct reader *r);

/* Nothing came for an item. */
static void print_missing_item(const struct item *it)
{
	struct cursor c = it->inner;
	struct item inner;
	int is_container = it->kind->has & ITEMS && it->op != OP_AT &&
		it->op != OP_STRUCT;
	/* in sh a list of values is one variable, of structures a count */
	int is_list = is_container && (!printer ||
		printer->missing == MISSING_KEYS || !it->bare ||
		it->bare == OP_STRING);

	if (!printer || !printer->missing || it->op == OP_CONST ||
	    (it->tlv >= 0 && printer->missing == MISSING_KEYS))
		return;
	if (it->op == OP_REF || (it->op == OP_STRUCT &&
			printer->missing == MISSING_ALL)) {
		if (it->op == OP_STRUCT)
			print_open(it->name, GROUP_OBJECT);
		for (; next_item(&c, &inner); skip_item(&c, &inner))
			print_missing_item(&inner);
		if (it->op == OP_STRUCT)
			print_close();
	} else if (it->name) {
		print_value(it->name, is_list ? VALUE_MISSING_LIST :
			VALUE_MISSING, "", 0);
	}
}

/* The bytes of an item. */
static struct reader locate(struct decoder *d, const struct item *it,
	struct reader *r)
{
	size_t n = it->kind->size, offset, padding = 0;
	struct reader v;

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
	v = window(r, r->at, n);
	take(r, n);
	/* the last element's padding may be cut off */
	offset = r->len - r->at;
	take(r, padding < offset ? padding : offset);
	return v;
}

/* What a number means to the guards, counts and marks of the command. */
static void note_number(struct decoder *d, const struct item *it, uint64_t n)
{
	const char *table = table_of(it->show);
	int is_top = d->depth == 1 && d->n_fields < FIELDS_MAX;

	if (is_top)
		d->fields[d->n_fields] = n;
	if (is_top && d->to_record && it->name)
		record_number(d->n_fields, n, *table && *table != '|' &&
			*table != '*' ? word_of(table, n) : NULL);
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
}

static void decode_number(struct decoder *d, const struct item *it,
	struct reader v)
{
	unsigned sign = (8 * (unsigned)v.len - 1) & 63;
	uint64_t n = take_number(&v, v.len);
	int minus = it->kind->what == SIGNED && n >> sign;

	if (minus)
		n |= ~(uint64_t)0 << sign;
	note_number(d, it, n);
	if (it->kind->what == CONSTANT)
		d->mismatch |= n != it->n;
	else if (it->kind->what == COUNTER)
		d->counts[it->n & 3] = n;
	else if (printer && !(d->mask && it->flags & HIDDEN))
		print_shown(it->name, it->show, n, minus);
}

/* Bytes as text; the word of a UUID takes the place of it. */
static const char *text_of(struct text *t, const struct item *it,
	struct reader v)
{
	static void (*const texts[])(struct text *t, const uint8_t *p,
		size_t len) = { [HEX] = text_bytes, [TEXT8] = text_utf8,
		[TEXT16] = text_utf16, [ADDRESS] = text_address };
	const char *entry;

	if (it->kind->what != ID) {
		texts[it->kind->what](t, v.base, v.len);
		return t->s;
	}
	text_uuid(t, v.base);
	entry = uuid_entry(table_of(it->show), t->s, 0);
	return entry ? entry + 37 : t->s;
}

static void decode_value(struct decoder *d, const struct item *it,
	struct reader *r)
{
	enum what what = it->kind->what;
	struct reader v = locate(d, it, r);
	struct text t = TEXT(scratch);
	int is_hidden = d->mask && it->flags & HIDDEN;
	enum value_kind kind = VALUE_WORD;
	const char *s;

	r->bad |= v.bad;
	if (r->bad)
		return;
	if (is_hidden) {
		hide_bytes(d, v.base, v.len);
		print_word(it->name, "***");
	}
	if (what >= NUMBER && what <= COUNTER)
		decode_number(d, it, v);
	if (what <= COUNTER || is_hidden || (!printer && !d->to_record))
		return;
	s = text_of(&t, it, v);
	if (what == TEXT8 || what == TEXT16)
		kind = VALUE_TEXT;
	print_value(it->name, kind, s, strlen(s));
	if (d->to_record && d->depth <= 2 && d->n_fields < FIELDS_MAX)
		record_text(d->n_fields, s, strlen(s));
}

/* One element: a bare value, or an object. */
static void decode_element(struct decoder *d, const struct item *it,
	struct reader *r)
{
	if (++d->elements > ELEMENTS_MAX)
		r->bad = 1;
	if (!it->bare)
		print_open(it->op == OP_STRUCT ? it->name : "", GROUP_OBJECT);
	decode_items(d, it->inner, r);
	if (!it->bare)
		print_close();
}

/* How many elements come; SIZE_MAX: as many as there is room for. */
static size_t count_elements(struct decoder *d, const struct item *it,
	struct reader *r)
{
	switch (it->op) {
	case OP_PAIRS:
		return d->counts[it->n & 3];
	case OP_ALL:
		return SIZE_MAX;
	case OP_LIST:
		return take_number(r, 4);
	default:
		return take_number(r, it->kind->size);
	}
}

static void decode_elements(struct decoder *d, const struct item *it,
	struct reader *r, size_t count)
{
	int pairs = it->op == OP_REFS || it->op == OP_PAIRS;
	struct reader v, *from = r;

	for (; count && !r->bad && (it->op != OP_ALL || r->at < r->len);
	     count--) {
		if (pairs) {
			size_t offset = take_number(r, 4);

			v = window(r, offset, take_number(r, 4));
			from = &v;
		}
		decode_element(d, it, from);
		r->bad |= from->bad;
	}
}

static void decode_array(struct decoder *d, const struct item *it,
	struct reader *r)
{
	int pairs = it->op == OP_REFS || it->op == OP_PAIRS;
	size_t element = pairs ? 8 : fixed_size(it->inner), offset;
	size_t count = count_elements(d, it, r);
	struct reader v, *from = r;

	if (it->op == OP_LIST) {
		offset = take_number(r, 4);
		if (!count)
			offset = 0;
		v = window(r, offset, count && offset < r->len ?
			r->len - offset : 0);
		from = &v;
	}
	if (!element)
		element = 1;
	if (it->op != OP_ALL && count > (from->len - from->at) / element)
		r->bad = 1;
	if (!it->bare && count && print_measure()) {
		struct decoder again = *d;
		struct reader copy = *from;

		decode_elements(&again, it, &copy, count);
		print_close();
	}
	print_open(it->name, it->bare && it->bare != OP_STRING ?
			GROUP_WORDS : GROUP_ARRAY);
	if (!r->bad)
		decode_elements(d, it, from, count);
	r->bad |= from->bad;
	print_close();
}

/* Items elsewhere: a value at an offset; some, with a size; a struct. */
static void decode_away(struct decoder *d, const struct item *it,
	struct reader *r)
{
	size_t offset = it->op == OP_STRUCT ? r->at : take_number(r, 4);
	size_t size = offset < r->len ? r->len - offset : 0;
	struct cursor inner = it->inner;
	struct item value;
	struct reader v;

	if (it->op == OP_REF)
		size = take_number(r, 4);
	if (it->op == OP_REF ? !size : it->op == OP_AT && !offset) {
		print_missing_item(it);
		return;
	}
	v = window(r, offset, size);
	if (it->op == OP_STRUCT) {
		decode_element(d, it, &v);
		r->at += v.at;
	} else if (it->op == OP_REF) {
		decode_items(d, inner, &v);
	} else if (next_item(&inner, &value)) {
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
	for (; next_item(&c, &it); skip_item(&c, &it)) {
		struct reader v, *from = r;
		int is_sent = 1;

		if (it.tlv >= 0) {
			is_sent = qmi_tlv(*r, (uint8_t)it.tlv, &v);
			from = &v;
		}
		if (!is_sent || r->bad || r->len == 0 || !is_there(d, &it, r))
			print_missing_item(&it);
		else if (it.op == OP_AT || it.op == OP_REF ||
			 it.op == OP_STRUCT)
			decode_away(d, &it, from);
		else if (it.kind->has & ITEMS)
			decode_array(d, &it, from);
		else
			decode_value(d, &it, from);
		if (is_sent)
			r->bad |= from->bad;
		d->n_fields += d->depth == 1 && it.name;
	}
	d->depth--;
}

/* The TLVs that the table does not have, as hex; the result is left out. */
static void print_unknown(struct cursor c, struct reader *tlvs)
{
	struct reader r = *tlvs, v, first;
	struct item it;
	uint8_t type;
	int any = format == FORMAT_SH;

	if (any)
		print_open("unknown", GROUP_WORDS);
	while (qmi_next_tlv(&r, &type, &v)) {
		struct cursor known = c;
		char name[8];
		struct text n = TEXT(name), t = TEXT(scratch);

		it.tlv = 0x02;
		while (it.tlv != type && next_item(&known, &it))
			skip_item(&known, &it);
		if (it.tlv == type || !qmi_tlv(*tlvs, type, &first) ||
		    first.base != v.base)
			continue;
		if (!any++)
			print_open("unknown", GROUP_OBJECT);
		text_add(&n, "0x");
		text_hex(&n, type, 2);
		if (format == FORMAT_SH)
			text_join(&t, name, "=");
		text_bytes(&t, v.base, v.len);
		print_value(name, VALUE_WORD, scratch, t.len);
	}
	if (any)
		print_close();
	tlvs->bad |= r.bad;
}

/* Is there a field of this name in a layout? */
static int has_field(struct cursor c, const char *name)
{
	struct item it;

	while (next_field(&c, &it))
		if (!strcmp(it.name, name))
			return 1;
	return 0;
}

static int is_last_part(struct cursor c)
{
	struct item it;

	while (next_item(&c, &it))
		skip_item(&c, &it);
	return *c.op == OP_END;
}

/* What layouts of other versions have beside the one that was used. */
static void print_other_fields(enum command_number number, enum op part,
	int used_version, struct cursor used)
{
	if (!used_version && is_last_part(used))
		return;			/* there is but one */
	for (int version = 0; version <= VERSION_MAX; version++) {
		struct cursor c = find_part(number, part, version);
		struct item it;

		if (!has_part(number, part, version))
			continue;
		while (next_field(&c, &it)) {
			int is_known = has_field(used, it.name);

			for (int v = 0; v < version && !is_known; v++)
				is_known = has_field(find_part(number, part,
					v), it.name);
			if (!is_known)
				print_missing_item(&it);
		}
	}
}

/*
 * Decode a part of a message; false when it is malformed. Without a command its
 * bytes are printed as hex.
 */
static int decode(struct decoder *d, enum command_number number, enum op part,
	int version, int is_qmi, struct reader r)
{
	struct item data = { .op = OP_REST, .kind = &kinds[OP_REST],
		.name = "data" };
	struct cursor items = nowhere;
	const struct printer *saved = printer;

	if (d->quiet)
		printer = NULL;
	if (number != cmd_none)
		items = find_part(number, part, version);
	if (number != cmd_none || is_qmi)
		decode_items(d, items, &r);
	else
		decode_value(d, &data, &r);
	if (is_qmi)
		print_unknown(items, &r);
	else if (number != cmd_none && part == OP_REPLY && printer)
		print_other_fields(number, part, version, items);
	printer = saved;
	return !r.bad;
}

/* ---- options and their values ---- */

/* A number in the unit that it is shown in, to a thousandth. */
static int parse_scaled(const char *table, const char *s, uint64_t *n)
{
	struct scale scale = scale_of(table);
	int minus = *s == '-';
	int64_t v, digit = 100;

	if (scale.is_plain)
		return parse_number(&s, n) && !*s;
	*n = (uint64_t)scale.unknown;
	if (same_word(s, "unknown", strlen(s)))
		return 1;
	s += minus;
	if (!parse_number(&s, n) || *n > UINT32_MAX)
		return 0;
	v = (int64_t)*n * 1000;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9' && digit; digit /= 10)
			v += (*s++ - '0') * digit;
	v = (minus ? -v : v) * scale.c - scale.b * 1000;
	*n = (uint64_t)(v / (scale.a * 1000));
	return !*s && v % (scale.a * 1000) == 0;
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
	const char *table = table_of(show);
	uint64_t bit = 0;

	if (show == show_bool)
		table = "0 off\0" "1 on\0" "0 false\0" "1 true\0" "0 no\0"
			"1 yes\0";
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
	if (*minus)
		*n = 0 - *n;
	return !*s && !(show == show_bool && *n > 1);
}

/* A value as an error quotes it: not all of a long one. */
static void text_quoted(struct text *t, const char *s)
{
	size_t len = strlen(s);

	text_add(t, len ? "" : "''");
	text_put(t, s, len > 40 ? 40 : len);
	text_add(t, len > 40 ? "..." : "");
}

/* What is wrong with an option; its value is quoted where an item says so. */
static int bad_option(const struct option *o, const struct item *it,
	const char *what)
{
	char text[160];
	struct text t = TEXT(text);
	const char *name = o ? o->name : it->name;

	if (*name && *name != '=') {
		text_add(&t, o && o->is_part ? "" : "--");
		text_dashed(&t, name);
	}
	if (o && it && !(it->flags & FLAG(OP_SECRET))) {
		text_add(&t, t.len ? " " : "");
		text_quoted(&t, o->value);
	}
	return fail(USAGE, t.len ? text : "its value", ": ", what);
}

static int bad_use(const char *name, const char *what)
{
	return bad_option(&(struct option){ .name = name }, NULL, what);
}

/* Is this an item's option? The command's own value has no name. */
static int names_item(const struct option *o, const struct item *it)
{
	size_t len = span(o->name, '=');

	if (!it->help)
		return 0;
	if (!len)
		return it->flags & FLAG(OP_VALUE);
	if (o->is_file && !(it->flags & FLAG(OP_SECRET)))
		return 0;
	if (o->is_file)
		len -= 5;
	return same_word(o->name, it->name, len) ||
		(it->also && same_word(o->name, it->also, len));
}

/* The item that has an option. */
static int find_item(enum command_number c, const struct option *o,
	struct item *it)
{
	struct command_head h;
	struct cursor options = read_head(c, &h);

	while (next_option(&options, it))
		if (names_item(o, it))
			return 1;
	return 0;
}

enum option_found command_option(enum command_number c, const char *name)
{
	struct option o = { .name = name };
	size_t len = span(name, '=');
	struct item it;

	if (find_item(c, &o, &it))
		/* the parts of a raw command's value are none */
		return len && commands[c].kind >= KIND_RAW_MBIM ? OPTION_NONE :
			OPTION_VALUE;
	o.is_file = len > 5 && same_word(name + len - 5, "_file", 5);
	return o.is_file && find_item(c, &o, &it) ? OPTION_FILE : OPTION_NONE;
}

int is_secret_value(enum command_number c)
{
	struct item it;

	return find_item(c, &(struct option){ .name = "" }, &it) &&
		it.flags & FLAG(OP_SECRET);
}

/* The nth of some options that is this item's, or NULL. */
static struct option *nth_option(struct option *options, size_t n,
	const struct item *it, size_t nth)
{
	for (struct option *o = options; o < options + n; o++)
		if (names_item(o, it) && !nth--)
			return o;
	return NULL;
}

const char *call_text(const struct call *call, const char *name)
{
	struct option *o;
	struct item it;

	if (!find_item(call->command, &(struct option){ .name = name }, &it))
		return "";
	o = nth_option(call->options, call->n_options, &it, 0);
	if (o)
		return o->value;
	return it.fallback ? it.fallback : "";
}

uint64_t call_number(const struct call *call, const char *name)
{
	uint64_t n = 0;
	int minus;
	struct item it;

	if (find_item(call->command, &(struct option){ .name = name }, &it))
		parse_value(it.show, call_text(call, name), &n, &minus);
	return n;
}

/* ---- secrets in files ---- */

static char pool[4096];
static size_t pool_used;

/* A line of a descriptor into the pool, without its end; false: an error. */
static int read_line(int fd, int *more)
{
	ssize_t n = 1;
	char c = '\0';

	while (pool_used < sizeof(pool) - 1 && (n = read(fd, &c, 1)) == 1 &&
	       c != '\n')
		pool[pool_used++] = c;
	*more = n == 1 && c == '\n';
	if (n == 1 && c != '\n')
		return 0;
	pool[pool_used++] = '\0';
	return n >= 0;
}

static struct termios terminal;		/* as it was */

/* Whoever ends us gets the terminal back as it was. */
static void on_signal_at_prompt(int sig)
{
	tcsetattr(0, TCSAFLUSH, &terminal);
	kill(getpid(), sig);
}

/* A line of a terminal, which does not show it. */
static int read_hidden(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal_at_prompt,
		.sa_flags = (int)SA_RESETHAND };
	struct sigaction before[COUNT_OF(signals)];
	struct termios quiet = terminal;
	int more, good;

	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaction(signals[i], &action, &before[i]);
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ECHONL;
	tcsetattr(0, TCSAFLUSH, &quiet);
	good = read_line(0, &more);
	tcsetattr(0, TCSAFLUSH, &terminal);
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaction(signals[i], &before[i], NULL);
	return good;
}

/* A line of standard input. */
static int read_typed(const struct option *o)
{
	char dashed[64];
	struct text t = TEXT(dashed);
	int more;

	if (tcgetattr(0, &terminal) < 0)
		return read_line(0, &more);
	text_dashed(&t, *o->name ? o->name : "PIN");
	if (t.len > 5 && !strcmp(dashed + t.len - 5, "-file"))
		dashed[t.len - 5] = '\0';
	warn("type the ", dashed, ", then Enter; it is not shown");
	return read_hidden();
}

/* A file of one line. */
static int read_secret_file(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), more = 0, good;
	char c;

	if (fd < 0)
		return 0;
	good = read_line(fd, &more);
	if (good && more)
		good = read(fd, &c, 1) <= 0;
	close(fd);
	return good;
}

static int read_secret(struct option *o)
{
	const char *name = o->value, *value = pool + pool_used;

	errno = 0;
	if (strcmp(name, "-") ? !read_secret_file(name) : !read_typed(o)) {
		if (errno == EINTR)
			return fail(TIMED_OUT, "the deadline passed while a "
				"secret was waited for");
		return fail(USAGE, name, ": ", errno ? errno_text() :
			"more than one line, or too long");
	}
	o->value = value;
	if (strlen(value) + 1 == (size_t)(pool + pool_used - value))
		return DONE;
	return fail(USAGE, name, ": there is a NUL in it");
}

int call_secrets(const struct call *call)
{
	int code = DONE;

	for (size_t i = 0; i < call->n_options && !code; i++)
		if (call->options[i].is_file)
			code = read_secret(&call->options[i]);
	return code;
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
	size_t n_given;			/* values that are not just missing */
	const char *missing;		/* the first that is */
	uint64_t asked, first;		/* the VALUE; the first number */
	int n_numbers;
	const uint32_t *handle;		/* of a kept client, or NULL */
};

static uint8_t request[MBIM_REPLY_MAX - 128];	/* less headers to come */
static uint8_t bytes[2 * MBIM_REPLY_MAX];	/* of an item; of text, most */

static void put(struct encoder *e, size_t *where, const void *from, size_t len)
{
	e->overflow |= *where > sizeof(request) ||
		len > sizeof(request) - *where;
	if (e->overflow)
		return;
	if (len)
		memcpy(request + *where, from, len);
	*where += len;
	if (e->end < *where)
		e->end = *where;
}

static void put_fixed(struct encoder *e, uint64_t n, size_t size)
{
	uint8_t number[8];

	put_number(number, n, size);
	put(e, &e->at, number, size);
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

/* The nth option of the slice that is this item's, or NULL. */
static struct option *find_option(struct encoder *e, const struct item *it,
	size_t nth)
{
	struct option *o = nth_option(e->options, e->n_options, it, nth);

	if (o)
		o->used = 1;
	return o;
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
		return bad_option(o, NULL, "given twice");
	if (o && required && !*o->value && it->kind->what >= HEX)
		return bad_option(o, NULL, "is empty");
	*s = o ? o->value : given_word(e, it);
	if (!*s)
		*s = it->fallback;
	e->n_given += *s != NULL;
	if (!*s && !e->missing)
		e->missing = it->name;
	return *s || !required ? DONE : bad_option(NULL, it, "is needed");
}

static int encode_number(struct encoder *e, const struct item *it,
	const char *s)
{
	size_t size = it->kind->size;
	unsigned bits = 8 * (unsigned)size;
	int minus = 0;
	uint64_t n = 0;

	if (s && !parse_value(it->show, s, &n, &minus))
		return -1;
	if (it->kind->what == SIGNED) {
		if ((minus ? 0 - n : n + 1) > (uint64_t)1 << (bits - 1))
			return -1;
	} else if (minus || (bits < 64 && n >> bits) ||
		   (it->max && n > it->max)) {
		return -1;
	}
	if (it->flags & FLAG(OP_VALUE))
		e->asked = n;
	if (!e->n_numbers++)
		e->first = n;
	put_number(bytes, n, size);
	return (int)size;
}

static int encode_uuid(const struct item *it, const char *s)
{
	const char *entry;

	memset(bytes, 0, 16);
	if (!s)
		return 16;
	entry = uuid_entry(table_of(it->show), s, 37);
	if (entry)
		s = entry;
	return parse_uuid(s, bytes) ? 16 : -1;
}

/* An option's text, or NULL, as the bytes of an item; how many, or below 0. */
static int encode_text(struct encoder *e, const struct item *it, const char *s)
{
	size_t max = it->max ? it->max : MBIM_REPLY_MAX;

	switch (it->kind->what) {
	case NUMBER: case SIGNED:
		return encode_number(e, it, s);
	case CONSTANT: case COUNTER:
		put_number(bytes, it->kind->what == CONSTANT ? it->n : 0, 4);
		return 4;
	case TEXT8: case TEXT16:
		return parse_text(s ? s : "", it->kind->what == TEXT16,
			bytes, max);
	case ID:
		return encode_uuid(it, s);
	case NOTHING:
		memset(bytes, 0, it->n);
		return it->n;
	default:
		return s ? parse_hex(s, s + strlen(s), bytes, max) : 0;
	}
}

/* Does a number fit in a length or count of so many bytes? */
static int fits(size_t n, size_t size)
{
	return size >= 4 || n >> 8 * size == 0;
}

/* Put the bytes of an item, in their place. */
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
		put(e, &e->at, bytes, len);
		return;
	}
	put(e, &e->end, bytes, len);
	align(e);
}

/* The words of a table; in help they begin new lines. */
static void text_words(struct text *t, const char *table, int is_help)
{
	const char *p = table + (*table == '|'), *word;
	size_t width = LINE_COLUMNS, len;
	uint64_t n;

	for (int any = 0; (word = next_word(&p, &n)); any = 1) {
		len = strlen(word) + 2;
		text_add(t, any ? "," : "");
		if (is_help && width + len > LINE_COLUMNS) {
			text_add(t, any ? "\n       " : "       ");
			width = 7;
		}
		width += len;
		text_add(t, any || is_help ? " " : "");
		text_dashed(t, word);
	}
}

/* Why an item did not take an option's text: len is what the text gave. */
static void text_wanted(struct text *t, const struct item *it, int len)
{
	const char *table = table_of(it->show);

	if (it->max_digits) {
		text_add(t, "not ");
		text_decimal(t, it->min_digits);
		if (it->min_digits < it->max_digits) {
			text_add(t, " to ");
			text_decimal(t, it->max_digits);
		}
		text_add(t, " digits");
		return;
	}
	switch (it->kind->what) {
	case NUMBER: case SIGNED: case ID:
		if (*table <= '\1' || *table == '*') {
			text_add(t, "not a number that fits");
			return;
		}
		text_add(t, *table == '|' ? "not a comma list of " :
			"not one of ");
		text_words(t, table, 0);
		return;
	case TEXT8: case TEXT16:
		if (len == -1)
			text_add(t, "not UTF-8");
		else
			text_join(t, "longer than ", DECIMAL(it->max ?
				it->max : MBIM_REPLY_MAX / 2), " characters");
		return;
	default:
		text_add(t, "not hex of the right length");
	}
}

static int bad_value(struct encoder *e, const struct item *it, int len)
{
	char wanted[200];
	struct text t = TEXT(wanted);
	struct option *o = find_option(e, it, 0);

	text_wanted(&t, it, len);
	if (t.len == sizeof(wanted) - 1)	/* cut: too many words */
		memcpy(wanted + t.len - 4, "...", 4);
	return bad_option(o, it, wanted);
}

/* Has a text what DIGITS wants, if it does? */
static int has_digits(const struct encoder *e, const struct item *it,
	const char *s)
{
	size_t n = 0;

	if (!(e->first < 16 && it->digits_mask >> e->first & 1) &&
	    it->digits_mask != 0xffff)
		return 1;
	while (s[n] >= '0' && s[n] <= '9')
		n++;
	return !s[n] && n >= it->min_digits && n <= it->max_digits;
}

static int encode_items(struct encoder *e, struct cursor c);

/* The slice of options that belong to the ith element. */
static void slice_options(struct encoder *e, const struct encoder *outer,
	const struct item *first, size_t i)
{
	struct option *last = outer->options + outer->n_options, *o, *end;

	e->options = outer->options;
	e->n_options = outer->n_options;
	o = find_option(e, first, i);
	end = find_option(e, first, i + 1);
	e->options = o;
	e->n_options = (size_t)((end ? end : last) - o);
}

/* An element in place. */
static int encode_element(struct encoder *e, const struct item *it)
{
	int code;

	if (it->op == OP_ALL)
		e->missing = NULL;
	code = encode_items(e, it->inner);
	if (!code && it->op == OP_ALL && e->missing)
		code = bad_use(e->missing, "is needed");
	return code;
}

/* An element elsewhere; its offset, from the base of all, and size here. */
static int encode_reference(struct encoder *e, const struct item *it,
	size_t base)
{
	size_t at = e->at, start;
	int code;

	e->start = base;
	align(e);
	e->start = e->at = start = e->end;
	e->end += fixed_size(it->inner);
	code = encode_items(e, it->inner);
	e->at = at;
	put_fixed(e, start - base, 4);
	put_fixed(e, e->end - start, 4);
	return code;
}

/* Named elements: an option of the first member has those up to the next. */
static int encode_structs(struct encoder *e, const struct item *it)
{
	const struct encoder outer = *e;
	struct cursor c = it->inner;
	struct item first;
	size_t n = 0;
	int code = DONE;

	next_option(&c, &first);
	while (find_option(e, &first, n))
		n++;
	if (it->kind->size && !fits(n, it->kind->size))
		return bad_use(first.name, "too many");
	put_fixed(e, n, it->kind->size);
	if (it->op == OP_REFS && e->end < e->at + 8 * n)
		e->end = e->at + 8 * n;
	for (size_t i = 0; i < n && !code; i++) {
		slice_options(e, &outer, &first, i);
		code = it->op == OP_REFS ?
			encode_reference(e, it, outer.start) :
			encode_element(e, it);
	}
	e->options = outer.options;
	e->n_options = outer.n_options;
	e->start = outer.start;
	return code;
}

/* Elements without a name: a comma list, under the container's. */
static int encode_list(struct encoder *e, const struct item *it)
{
	struct item element;
	struct cursor c = it->inner;
	struct option *o = find_option(e, it, 0);
	const char *s = o ? o->value : "";
	size_t count_at = e->at, n = 0;
	char word[64];

	next_item(&c, &element);
	put_fixed(e, 0, it->kind->size);
	e->n_given += o != NULL;
	for (; o && (s == o->value || *s++ == ','); n++) {
		struct text t = TEXT(word);
		size_t len = span(s, ',');
		int size;

		text_put(&t, s, len);
		s += len;
		size = t.len == len ? encode_text(e, &element, word) : -1;
		if (size < 0)
			return bad_option(o, it, "no such word or number");
		place(e, &element, (size_t)size);
	}
	if (!fits(n, it->kind->size))
		return bad_use(it->name, "too many");
	patch(e, count_at, n, it->kind->size);
	return DONE;
}

static int encode_container(struct encoder *e, const struct item *it)
{
	size_t start = e->start;
	int code;

	if (it->op != OP_STRUCT)
		return it->bare ? encode_list(e, it) : encode_structs(e, it);
	e->start = e->at;
	code = encode_items(e, it->inner);
	e->start = start;
	return code;
}

/* Two DATA_ATs of one COUNT have its length. */
static int count_data(struct encoder *e, int len)
{
	if (e->count == SIZE_MAX) {
		e->count = (size_t)len;
		patch(e, e->count_at, e->count, 4);
	}
	return (size_t)len == e->count ? len : -1;
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
	len = encode_text(e, it, s);
	if (it->op == OP_DATA_AT && len >= 0)
		len = count_data(e, len);
	if (len < 0 || (it->op == OP_BYTES && len != it->n) ||
	    (s && it->max_digits && !has_digits(e, it, s)))
		return bad_value(e, it, len);
	if (it->kind->where == PREFIXED &&
	    !fits((size_t)len, it->kind->size))
		return bad_option(find_option(e, it, 0), it, "is too long");
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
	if (code)
		return code;
	if (e->n_given == given) {
		e->at = e->end = at;
		return DONE;
	}
	if (e->missing)
		return bad_use(e->missing, "is needed");
	if (!fits(e->at - at - 3, 2))
		return fail(USAGE, "the request is too long");
	patch(e, at + 1, e->at - at - 3, 2);
	return DONE;
}

static int encode_items(struct encoder *e, struct cursor c)
{
	struct item it;
	int code = DONE;

	for (; !code && next_item(&c, &it); skip_item(&c, &it))
		code = it.tlv >= 0 ? encode_tlv(e, &it) : encode_value(e, &it);
	return code;
}

enum { PARTS_MAX = 1024 };

/* The parts of a raw command's value as options of its items, in order. */
static int split_value(struct encoder *e, const struct call *call)
{
	static struct option parts[PARTS_MAX];
	static char copy[3 * MBIM_REPLY_MAX];
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
		parts[e->n_options++] = (struct option){ .name = it.name,
			.value = s, .is_part = 1 };
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
	enum command_kind kind = commands[call->command].kind;
	int code = DONE;

	*e = (struct encoder){ .items = c, .options = call->options,
		.n_options = call->n_options, .handle = handle };
	if (kind >= KIND_RAW_MBIM && call->n_options == 1 &&
	    !*call->options->name)
		code = split_value(e, call);
	for (size_t i = 0; i < e->n_options; i++)
		e->options[i].used = 0;
	if (kind <= KIND_SET)
		e->end = fixed_size(c);
	if (!code)
		code = encode_items(e, c);
	if (kind <= KIND_SET)
		align(e);
	for (size_t i = 0; i < e->n_options && !code; i++)
		if (!e->options[i].used)
			code = bad_option(&e->options[i], NULL,
				"belongs after another option");
	if (!code && e->overflow)
		return fail(USAGE, "the request is too long");
	return code;
}

int call_check(const struct call *call)
{
	struct encoder e;
	struct text t = { failure.text, 0, sizeof(failure.text), NULL };
	int code = encode(&e, call, 0, NULL);

	if (!code)
		return DONE;
	t.len = strlen(failure.text);
	text_add(&t, "; see --help ");
	text_dashed(&t, names + commands[call->command].names);
	return code;
}

/* ---- failures, explained ---- */

static const struct refusal *find_refusal(enum domain domain, uint32_t number)
{
	for (size_t i = 0; i < COUNT_OF(refusals); i++)
		if (refusals[i].domain == domain &&
		    refusals[i].number == number)
			return &refusals[i];
	return NULL;
}

static const struct {
	int show;
	const char *who;
} domains[] = {
	[DOMAIN_NONE] = { show_dec, "" },
	[DOMAIN_MBIM] = { show_status, "modem said " },
	[DOMAIN_FUNCTION] = { show_function_error, "function error " },
	[DOMAIN_QMI] = { show_qmi_error, "QMI error " },
};

const char *name_of_failure(void)
{
	const char *name = word_of(table_of(domains[failure.domain].show),
		failure.number);

	return name ? name : "an unknown error";
}

int explain_failure(void)
{
	const struct refusal *r;
	char more[sizeof(failure.text)];
	struct text t = { failure.text, 0, sizeof(failure.text), NULL };
	int is_own;

	if (failure.domain == DOMAIN_NONE || failure.named)
		return failure.exit;
	memcpy(more, failure.text, sizeof(more));
	r = find_refusal(failure.domain, failure.number);
	is_own = failure.exit == REFUSED;
	if (r && is_own)
		failure.exit = r->exit;
	failure.named = 1;
	text_join(&t, domains[failure.domain].who, name_of_failure(), " (");
	if (failure.number > 0xffff) {
		text_add(&t, "0x");
		text_hex(&t, failure.number, 8);
	} else {
		text_decimal(&t, failure.number);
	}
	text_join(&t, ")", more);
	if (r && is_own && r->hint != cmd_none) {
		text_add(&t, ": try --");
		text_dashed(&t, names + commands[r->hint].names);
	}
	return failure.exit;
}

int is_refusal(enum domain domain, uint32_t number)
{
	return failure.exit && failure.domain == domain &&
		failure.number == number;
}

/* What a user may try next, by exit code. */
static const char *const hints[] = {
	[PIN_NEEDED] = ": --get-pin shows the attempts left",
	[NO_SIM] = ": no SIM, or it is not ready",
	[FCC_LOCKED] = ": radio locked? try --fcc-unlock",
	[UNSUPPORTED] = ": the modem does not have this command",
};

void text_failure(struct text *t, const struct call *call)
{
	size_t code = (size_t)explain_failure();
	int is_job = call && commands[call->command].kind == KIND_JOB;

	if (call)
		text_dashed(t, names + commands[call->command].names);
	text_join(t, call ? ": " : "", failure.text);
	if (code < COUNT_OF(hints) && hints[code] && !is_job)
		text_add(t, hints[code]);
}

static void print_error_object(const char *line)
{
	print_open("error", GROUP_OBJECT);
	print_number("exit", (uint64_t)failure.exit);
	if (failure.domain) {
		static const char *const words[] = {
			[DOMAIN_MBIM] = "mbim", [DOMAIN_QMI] = "qmi",
			[DOMAIN_FUNCTION] = "function_error" };

		print_word("domain", words[failure.domain]);
		print_number("number", failure.number);
		print_string("name", name_of_failure());
	}
	print_string("text", line);
	print_close();
}

void print_failure(const struct call *call, const char *line)
{
	if (failure.printed || format != FORMAT_JSON)
		return;
	failure.printed = 1;
	print_begin_call(call);
	print_error_object(line);
	print_end();
}

/* ---- -o ip ---- */

#define IP(field)	FIELD(get_ip_configuration, field)

const char *ip_metric;

void text_interface(struct text *t, const char *base, uint64_t session)
{
	const char *number = DECIMAL(session);
	size_t len = strlen(base), room = IFNAMSIZ - 2 - strlen(number);

	/* a VLAN has its number, and a tail that fits */
	if (session && len > room)
		base += len - room;
	text_add(t, base);
	if (session)
		text_join(t, ".", number);
}

int has_address(void)
{
	return *recorded_text(IP(ipv4_address), 0) ||
		*recorded_text(IP(ipv6_address), 0);
}

/* The addresses and the route of a family; the old ones go first. */
static void put_family(const char *dev, const char *metric, int six)
{
	size_t field = six ? IP(ipv6_address) : IP(ipv4_address);
	const char *ip = six ? "ip -6 " : "ip -4 ", *s;

	for (size_t i = 0; *(s = recorded_text(field, i)); i++) {
		text_join(to, ip, "addr show dev ", dev, " | grep -qF ' ", s,
			" ' || ", i ? "" : "{ ");
		if (!i)
			text_join(to, ip, "addr flush dev ", dev,
				six ? " scope global; " : "; ");
		text_join(to, ip, "addr add ", s, " dev ", dev,
			i ? "\n" : "; }\n");
	}
	if (*recorded_text(field, 0))
		text_join(to, ip, "route replace default dev ", dev,
			" metric ", metric, "\n");
	field = six ? IP(ipv6_dns) : IP(ipv4_dns);
	for (size_t i = 0; *(s = recorded_text(field, i)); i++)
		text_join(to, "# nameserver ", s, "\n");
}

/* The smaller MTU that is valid, or 0. */
static uint64_t smallest_mtu(void)
{
	uint64_t least = 0;

	for (int i = 0; i < 2; i++) {
		uint64_t n = recorded(i ? IP(ipv6_mtu) : IP(ipv4_mtu));

		if (n >= 576 && (!least || n < least))
			least = n;
	}
	return least;
}

/* cdc_mbim has VLANs, the drivers of PCIe modems have links. */
static void put_link(const char *base, const char *dev, uint64_t session)
{
	int is_vlan = net_has_vlans(base);

	text_join(to, "ip link set dev '", base, "' up\n",
		"ip link show dev ", dev, " >/dev/null 2>&1 || ",
		is_vlan ? "ip link add link '" : "ip link add parentdev '");
	text_join(to, base, "' name ", dev,
		is_vlan ? " type vlan id " : " type wwan linkid ",
		DECIMAL(session), "\n");
}

/* Can the name of an interface stand in a command of sh? */
static int check_base(const char *base)
{
	if (*base && !find_char(base, '\''))
		return DONE;
	return fail(NO_DEVICE, NO_INTERFACE);
}

/*
 * The IP configuration that was recorded, as commands of ip(8). A failure is
 * recorded, but it is none of the command: the session stays.
 */
static void print_ip(const struct mbim *m)
{
	uint64_t session = recorded(IP(session_id)), mtu = smallest_mtu();
	/* its own, lest it takes the place of another default route */
	const char *own = DECIMAL(700 + session);
	char base[32], dev[48];
	struct text b = TEXT(base), d = TEXT(dev);

	mbim_net(&b, m);
	if (!has_address() || check_base(base))
		return;
	text_char(&d, '\'');
	text_interface(&d, base, session);
	text_char(&d, '\'');
	text_add(to, "set -e\n");
	if (session)
		put_link(base, dev, session);
	if (mtu)
		text_join(to, "ip link set dev ", dev, " mtu ", DECIMAL(mtu),
			" || :\n");
	text_join(to, "ip link set dev ", dev, " up\n");
	if (!*recorded_text(IP(ipv4_address), 0))
		text_join(to, "ip -4 addr flush dev ", dev, "\n");
	put_family(dev, ip_metric ? ip_metric : own, 0);
	put_family(dev, ip_metric ? ip_metric : own, 1);
}

int print_ip_down(const struct mbim *m, const uint8_t *sessions, size_t n)
{
	char base[32];
	struct text b = TEXT(base);
	int code;

	mbim_net(&b, m);
	if (!b.len || !n)
		return DONE;
	code = check_base(base);
	if (code)
		return code;
	text_add(to, "set -e\n");
	for (size_t i = 0; i < n; i++) {
		char dev[48];
		struct text d = TEXT(dev);

		text_interface(&d, base, sessions[i]);
		if (sessions[i])
			text_join(to, "ip link del dev '", dev, "' || :\n");
		else
			text_join(to, "ip addr flush dev '", dev, "'\n",
				"ip link set dev '", dev, "' down\n");
	}
	return DONE;
}

/* ---- running a command ---- */

/* One command under way: what was asked, and what came. */
struct run {
	const struct call *call;
	enum reply_use use;
	enum command_number command;	/* as given; and whose reply it is */
	enum command_number replies;
	struct command_head head;
	int version, is_qmi;
	uint64_t asked;
	uint32_t status;		/* an MBIM status or a QMI error */
	struct reader reply;
	struct decoder decoder;		/* of the reply */
};

static int decode_reply(struct run *r, struct decoder *d)
{
	return decode(d, r->replies, OP_REPLY, r->version, r->is_qmi,
		r->reply);
}

/* Did the modem do what it was asked for, or only say so? */
static int judge_effect(const struct run *r)
{
	const struct decoder *d = &r->decoder;

	if (!d->has_effect || r->command != r->replies ||
	    d->effect == r->asked)
		return DONE;
	if (r->head.lock && r->asked == r->head.lock_value)
		return fail(FCC_LOCKED,
			"the modem said yes, but it stayed off");
	return fail(NOT_REACHED, "the modem said yes, but nothing changed");
}

/* Print or record a reply, once it is known to be whole and as asked for. */
static int finish_reply(struct mbim *m, struct run *r)
{
	const struct call *shown = r->call->job ? r->call->job : r->call;
	int code;

	r->decoder = (struct decoder){ .quiet = 1,
		.to_record = r->use == RECORD_REPLY || format == FORMAT_IP };
	if (!decode_reply(r, &r->decoder))
		return fail(MALFORMED, "malformed reply");
	code = judge_effect(r);
	if (code || r->use == RECORD_REPLY)
		return code;
	if (format == FORMAT_IP && r->replies == cmd_get_ip_configuration)
		print_ip(m);
	if (format == FORMAT_IP)
		return DONE;
	print_begin_call(shown);
	if (r->call->preface)
		r->call->preface();
	decode_reply(r, &(struct decoder){ 0 });
	print_end();
	return DONE;
}

/* What a refusal's buffer says, as fields beside the error. */
static void print_refusal(struct run *r)
{
	char line[400];
	struct text t = TEXT(line);

	if (r->use == RECORD_REPLY || format > FORMAT_SH ||
	    format == FORMAT_TEXT || failure.quiet || failure.printed)
		return;
	failure.printed = 1;
	text_failure(&t, r->call);
	print_begin_call(r->call);
	decode_reply(r, &(struct decoder){ 0 });
	if (format == FORMAT_JSON)
		print_error_object(line);
	print_end();
}

/* A status or QMI error: of the modem's, the network's or the FCC lock's? */
static int refused(struct run *r)
{
	struct decoder d = { .quiet = 1,
		.to_record = r->use == RECORD_REPLY };
	char more[80];
	struct text t = TEXT(more);
	const char *word;
	int code = 0, is_whole = 0;

	if (r->command == r->replies && r->reply.len)
		is_whole = decode_reply(r, &d);
	if (r->head.lock && r->status == r->head.lock &&
	    r->asked == r->head.lock_value) {
		code = FCC_LOCKED;
	} else if (d.cause && r->head.kind != KIND_QUERY) {
		code = NETWORK_REFUSED;
		word = word_of(table_of(d.cause_show), d.cause);
		text_join(&t, ", cause ", DECIMAL(d.cause), word ? " " : "");
		text_dashed(&t, word ? word : "");
	}
	code = fail_refused(r->is_qmi ? DOMAIN_QMI : DOMAIN_MBIM, r->status,
		code, more);
	if (is_whole)
		print_refusal(r);
	return code;
}

static int is_one_of(uint32_t n, const uint8_t *list, size_t len)
{
	while (len && list[len - 1] != n)
		len--;
	return len != 0;
}

/* What the marker is to know of an MBIM session, by the answer. */
static void note_session(struct mbim *m, const struct run *r, uint8_t session,
	int is_new, int code)
{
	int keeps = r->head.flags & FLAG(OP_KEEP);

	/* after silence it may yet come up, if no CLOSE will end it */
	if (is_new && (r->status || (code && !m->joined)))
		marker_session(m, session, 0);
	else if (keeps && !code && !r->status)
		marker_session(m, session, 1);	/* an OPEN forgot it */
	if (r->head.flags & FLAG(OP_DROP) && !code && (!r->status ||
			r->status == status_ContextNotActivated))
		marker_session(m, session, 0);
}

static int send_mbim(struct mbim *m, struct run *r, const struct encoder *e)
{
	struct reader q = { request, e->end, 0, 0 };
	uint8_t uuid[16], session = (uint8_t)e->first;
	int is_new = 0, code;
	enum mbim_operation operation = MBIM_SET;
	struct mbim_answer answer = { 0 };
	uint32_t cid = r->head.id;

	if (r->head.kind == KIND_RAW_MBIM) {
		memcpy(uuid, take(&q, 16), 16);
		cid = (uint32_t)take_number(&q, 4);
		if (!take_number(&q, 4))
			operation = MBIM_QUERY;
		r->replies = command_lookup(operation == MBIM_QUERY ?
			KIND_QUERY : KIND_SET, service_number(uuid), cid);
	} else {
		if (r->head.kind == KIND_QUERY)
			operation = MBIM_QUERY;
		parse_uuid(service_entry(commands[r->command].service), uuid);
	}
	/* before, so that a run that is killed leaves word of it */
	if (r->head.flags & FLAG(OP_KEEP))
		is_new = marker_session(m, session, 1);
	code = mbim_command(m, uuid, cid, operation, request + q.at,
		q.len - q.at, &answer);
	r->status = answer.status;
	r->reply = answer.info;
	note_session(m, r, session, is_new, code);
	return code;
}

static int send_qmi(struct mbim *m, struct run *r, const struct encoder *e)
{
	static const uint8_t ended[] = { qmi_error_NoEffect,
		qmi_error_InvalidHandle, qmi_error_OutOfCall };
	struct reader q = { request, e->end, 0, 0 };
	uint8_t service = commands[r->command].service;
	uint16_t message = (uint16_t)r->head.id;
	enum qmi_use use = QMI_PLAIN;
	int code, error = 0;

	if (r->head.kind == KIND_RAW_QMI) {
		service = (uint8_t)take_number(&q, 1);
		message = (uint16_t)take_number(&q, 2);
		r->replies = command_lookup(KIND_QMI, service, message);
	}
	if (r->head.flags & FLAG(OP_KEEP))
		use = QMI_KEEP;
	else if (r->head.flags & FLAG(OP_DROP))
		use = QMI_DROP;
	parse_uuid(service_entry(service_QMI), m->qmi);
	code = qmi_command(m, service, message, use, request + q.at,
		q.len - q.at, &error, &r->reply);
	r->status = (uint32_t)error;
	/* the call of the kept client has ended by itself */
	if (!code && use == QMI_DROP &&
	    is_one_of(r->status, ended, COUNT_OF(ended)))
		qmi_drop(m);
	return code;
}

/* The exit code is that of the failure, when there is one by now. */
static int exit_of(int code)
{
	if (!code || failure.quiet || !failure.exit)
		return code;
	return explain_failure();
}

static int run_encoded(struct mbim *m, struct run *r, const struct encoder *e)
{
	int code = r->is_qmi ? send_qmi(m, r, e) : send_mbim(m, r, e);

	if (code)
		return code;
	if (r->status)
		return refused(r);
	code = finish_reply(m, r);
	if (!code && r->is_qmi && r->head.flags & FLAG(OP_KEEP))
		qmi_keep(m, (uint32_t)r->decoder.handle);
	if (!code && r->is_qmi && r->head.flags & FLAG(OP_DROP))
		qmi_drop(m);
	return code;
}

int call_run(struct mbim *m, const struct call *call, enum reply_use use)
{
	enum command_number c = call->command;
	struct run r = { .call = call, .use = use, .command = c, .replies = c,
		.version = m->marker.version };
	struct encoder e;
	uint32_t handle;
	int code, has_handle;

	read_head(c, &r.head);
	r.is_qmi = r.head.kind == KIND_QMI || r.head.kind == KIND_RAW_QMI;
	has_handle = r.head.kind == KIND_QMI &&
		qmi_kept_handle(m, commands[c].service, &handle);
	clear_record();
	code = encode(&e, call, r.version, has_handle ? &handle : NULL);
	if (code)
		return code;
	r.asked = e.asked;
	return exit_of(run_encoded(m, &r, &e));
}

/* The command whose reply a call has: of a raw one, that of its message. */
static enum command_number replying(const struct call *call)
{
	enum command_kind kind = commands[call->command].kind;
	struct reader q = { request, sizeof(request), 0, 0 };
	int service;

	if (kind < KIND_RAW_MBIM || call_check(call))
		return call->command;
	if (kind == KIND_RAW_QMI) {
		service = (int)take_number(&q, 1);
		return command_lookup(KIND_QMI, service,
			(uint32_t)take_number(&q, 2));
	}
	service = service_number(take(&q, 16));
	kind = request[20] ? KIND_SET : KIND_QUERY;
	return command_lookup(kind, service, (uint32_t)take_number(&q, 4));
}

void print_nothing(const struct call *call)
{
	enum command_number number = replying(call);

	print_begin_call(call);
	if (number != cmd_none)
		decode(&(struct decoder){ 0 }, number, OP_REPLY, 0,
			commands[number].kind == KIND_QMI,
			(struct reader){ 0 });
	print_end();
}

/* The variables that a call sets, as sh would have them. */
static void text_variables(struct text *t, const struct call *call)
{
	struct text *saved = to;
	enum format before = format;

	print_to(t, FORMAT_SH);
	print_nothing(call);
	print_to(saved, before);
}

int calls_collide(const struct call *a, const struct call *b)
{
	static char of_a[8192], of_b[8192];
	struct text ta = TEXT(of_a), tb = TEXT(of_b);

	text_variables(&ta, a);
	text_variables(&tb, b);
	for (const char *p = of_a; *p; p += span(p, '\n') + 1)
		for (const char *q = of_b; *q; q += span(q, '\n') + 1)
			if (span(p, '=') == span(q, '=') &&
			    !memcmp(p, q, span(p, '=')))
				return 1;
	return 0;
}

/* ---- frames, for the trace and --decode ---- */

/* A frame as it is decoded, and what is to be kept back of it. */
struct shown {
	const uint8_t *frame;
	char *hidden;
	int version, mask;
};

static struct decoder decoder_of(const struct shown *s)
{
	return (struct decoder){ .mask = s->mask, .frame = s->frame,
		.hidden = s->hidden };
}

/*
 * Which command is this a message of? Of several with one number (the PIN's),
 * a request is the one whose constants fit.
 */
static enum command_number recognize(enum command_kind kind, int service,
	uint32_t id, enum op part, int version, struct reader r)
{
	enum command_number first = command_lookup(kind, service, id), c;

	if (part == OP_REPLY && first == cmd_none && kind == KIND_QUERY)
		return command_lookup(KIND_SET, service, id);
	for (c = first; part == OP_REQUEST && c != cmd_none;
	     c = find_number(kind, service, id, c + 1)) {
		struct decoder d = { .quiet = 1 };

		if (decode(&d, c, part, version, 0, r) && !d.mismatch)
			return c;
	}
	return first;
}

/* A message's items, under the name of the command. */
static int print_message(const struct shown *s, enum command_number number,
	enum op part, int is_qmi, struct reader r)
{
	struct decoder d = decoder_of(s);
	int good;

	if (!r.len && part == OP_REPLY && !is_qmi)
		return 1;
	if (number != cmd_none)
		print_open(names + commands[number].names, GROUP_OBJECT);
	good = decode(&d, number, part, s->version, is_qmi, r);
	if (number != cmd_none)
		print_close();
	return good;
}

static int print_qmux(const struct shown *s, const uint8_t *frame, size_t len)
{
	enum command_number number;
	const char *direction = "request";
	struct qmux q;

	if (!qmux_parse(frame, len, &q))
		return 0;
	if (q.indication)
		direction = "indication";
	else if (q.response)
		direction = "response";
	print_shown("qmi_service", show_qmi_service, q.service, 0);
	print_number("client", q.client);
	print_number("qmi_transaction", q.id);
	print_shown("qmi_message", show_hex, q.message, 0);
	print_word("direction", direction);
	if (q.response) {
		int error = qmi_result(q.tlvs);

		if (error >= 0)
			print_shown("result", show_qmi_error, (uint64_t)error,
				0);
	}
	if (q.surplus)
		print_number("surplus_bytes", q.surplus);
	number = command_lookup(KIND_QMI, q.service, q.message);
	return print_message(s, number, q.from_modem ? OP_REPLY : OP_REQUEST,
		1, q.tlvs) && !q.surplus;
}

static int print_command(const struct shown *s, uint32_t type, struct reader *r)
{
	int is_done = type == message_command_done;
	int is_indication = type == message_indicate_status;
	enum op part = is_done || is_indication ? OP_REPLY : OP_REQUEST;
	enum command_kind kind = KIND_QUERY;
	const uint8_t *uuid = take(r, 16);
	uint32_t id = (uint32_t)take_number(r, 4), operation = 0;
	struct item service = { .op = OP_UUID, .kind = &kinds[OP_UUID],
		.name = "service", .show = show_service };
	struct reader info = { uuid, 16, 0, 0 };
	struct decoder d = { 0 };
	int number;
	size_t len;

	if (!uuid)
		return 0;
	decode_value(&d, &service, &info);
	number = service_number(uuid);
	print_number("cid", id);
	if (!is_indication)
		operation = (uint32_t)take_number(r, 4);
	if (is_done)
		print_shown("status", show_status, operation, 0);
	else if (!is_indication)
		print_shown("operation", show_operation, operation, 0);
	len = take_number(r, 4);
	info = window(r, r->at, len);
	if (r->bad)
		return 0;
	if (number == service_QMI && len)
		return print_qmux(s, info.base, info.len);
	if (part == OP_REQUEST && operation != MBIM_QUERY)
		kind = KIND_SET;
	return print_message(s, recognize(kind, number, id, part, s->version,
		info), part, 0, info);
}

static int print_fragment(const struct shown *s, size_t len, uint64_t n,
	struct reader *r)
{
	print_number("fragments", n);
	print_number("fragment", take_number(r, 4));
	if (s->mask && !r->bad && s->hidden)
		memset(s->hidden + r->at, 1, len - r->at);
	return !r->bad;
}

static int print_parts(const struct shown *s, size_t len)
{
	struct reader r = { s->frame, len, 0, 0 };
	uint32_t type = (uint32_t)take_number(&r, 4), n;

	if (len < 12 || take_number(&r, 4) != len)
		return print_qmux(s, s->frame, len);
	print_shown("message", show_message, type, 0);
	print_number("transaction", take_number(&r, 4));
	switch (type) {
	case message_command: case message_command_done:
	case message_indicate_status:
		n = (uint32_t)take_number(&r, 4);
		if (n > 1)
			return print_fragment(s, len, n, &r);
		take(&r, 4);
		return print_command(s, type, &r);
	}
	n = r.len - r.at >= 4 ? (uint32_t)take_number(&r, 4) : 0;
	if (type == message_open)
		print_number("max_control_transfer", n);
	else if (type == message_function_error)
		print_shown("function_error", show_function_error, n, 0);
	else if (type & 0x80000000)
		print_shown("status", show_status, n, 0);
	return 1;
}

int check_frame(const uint8_t *frame, size_t len, int version, int mask,
	char *hidden)
{
	struct shown s = { frame, hidden, version, mask };
	const struct printer *saved = printer;
	int good;

	/* is it good, and what is to be kept back? */
	printer = NULL;
	memset(hidden, 0, len);
	good = print_parts(&s, len);
	printer = saved;
	if (!good && mask && len > 20)
		memset(hidden + 20, 1, len - 20);
	return good;
}

void print_frame(const uint8_t *frame, size_t len, int version, int mask,
	int good)
{
	struct shown s = { frame, NULL, version, mask };

	print_begin(format == FORMAT_JSON ? "decode" : NULL, NULL);
	print_parts(&s, len);
	if (!good)
		print_value("malformed", VALUE_NUMBER, "true", 4);
	print_end();
}

/* Lines beyond this are taken in pieces; of whole bytes, if they are regular */
enum { LINE = MBIM_REPLY_MAX * 3 };

/* Of what was pasted: the rest of a frame, and all that a line can add. */
static uint8_t pasted[MBIM_REPLY_MAX + LINE / 2];
static size_t pasted_len;

/*
 * The same as parse_hex() of a whole line that somebody pasted: what quotes it
 * is passed, and what a log has before "data =".
 */
static int parse_pasted(const char *line, uint8_t *to_bytes, size_t max)
{
	while (*line && find_char("><| \t", *line))
		line++;
	for (const char *p = line, *end; *p; p++) {
		for (end = p + 4; !strncmp(p, "data", 4) && *end == ' '; end++)
			;
		if (!strncmp(p, "data", 4) && *end == '=')
			line = end + 1;
	}
	return parse_hex(line, line + strlen(line), to_bytes, max);
}

static size_t frame_length(const uint8_t *p, size_t len)
{
	struct reader r = { p, len, 0, 0 };
	uint64_t type = take_number(&r, 4), size = take_number(&r, 4);

	if (!r.bad && (type & 0x7fffffff) - 1 < 7 && size >= 12 &&
	    size <= MBIM_REPLY_MAX)
		return size;
	size = len > 2 ? p[1] | (size_t)p[2] << 8 : 0;
	return size >= 11 && p[0] == 1 ? size + 1 : 0;
}

/*
 * A line of what was pasted: if it is nothing but hex, more of a frame, else
 * something in between.
 */
static void take_line(const char *line,
	void (*each)(const uint8_t *frame, size_t len))
{
	size_t at = 0, len;
	int n = parse_pasted(line, pasted + pasted_len,
		sizeof(pasted) - pasted_len);

	if (n == 0)
		return;
	pasted_len = n < 0 ? 0 : pasted_len + (size_t)n;
	while ((len = frame_length(pasted + at, pasted_len - at)) &&
	       len <= pasted_len - at) {
		each(pasted + at, len);
		at += len;
	}
	pasted_len -= at;
	memmove(pasted, pasted + at, pasted_len);
	if (!len && pasted_len >= 8)
		pasted_len = 0;		/* no frame begins there */
}

int read_pasted(const char *name,
	void (*each)(const uint8_t *frame, size_t len))
{
	static char line[LINE + 1];
	char part[4096];
	struct text t = TEXT(line);
	int fd = 0;
	ssize_t n;

	if (strcmp(name, "-"))
		fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd;
	while (n >= 0 && (n = read(fd, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (part[i] == '\n' || t.len == LINE) {
				take_line(line, each);
				t = (struct text)TEXT(line);
			}
			if (part[i] != '\n')
				text_char(&t, part[i]);
		}
	if (n < 0 && errno == EINTR)
		return fail(TIMED_OUT, "the deadline passed while ", name,
			" was read");
	if (n < 0)
		return fail(USAGE, name, ": ", errno_text());
	take_line(line, each);
	return DONE;
}

/* ---- help ---- */

/* What help, man page and completion say of an option or a field. */
struct item_help {
	const char *name, *also, *help, *fallback;
	const char *words;		/* a value table, or NULL */
	int is_value, is_required, is_secret;
};

static struct item_help describe(const struct item *it)
{
	struct cursor inner = it->inner;
	struct item element = *it;
	struct item_help h = { .name = it->name, .also = it->also,
		.help = it->help, .fallback = it->fallback,
		.is_value = (it->flags & FLAG(OP_VALUE)) != 0,
		.is_required = (it->flags & FLAG(OP_REQUIRED)) != 0,
		.is_secret = (it->flags & FLAG(OP_SECRET)) != 0 };

	if (it->kind->has & ITEMS && it->bare)
		next_item(&inner, &element);
	if (element.show >= SHOW_TABLES)
		h.words = table_of(element.show);
	return h;
}

static void text_option(struct text *t, const struct command_head *head,
	const struct item_help *h)
{
	if (head->kind >= KIND_RAW_MBIM)
		text_add(t, "  (in its value) ");
	else
		text_add(t, h->is_value ? "  (its value) " : "  --");
	text_dashed(t, h->name);
	if (h->also) {
		text_add(t, ", --");
		text_dashed(t, h->also);
	}
	if (h->is_secret) {
		text_add(t, ", --");
		text_dashed(t, h->is_value ? head->name : h->name);
		text_add(t, "-file");
	}
	text_join(t, *h->help ? "  " : "", h->help);
	text_add(t, h->is_required ? "; needed" : "");
	if (h->fallback) {
		text_add(t, "; default ");
		text_dashed(t, h->fallback);
	}
	text_char(t, '\n');
	if (!h->words || *h->words == '*')
		return;
	text_words(t, h->words, 1);
	text_add(t, *h->words == '|' ? " (a comma list)\n" : "\n");
}

void text_command_help(struct text *t, enum command_number c)
{
	struct command_head head;
	struct cursor options = read_head(c, &head);
	struct item it;

	text_add(t, "--");
	text_dashed(t, head.name);
	text_join(t, ": ", head.help, "\n");
	if (head.slow)
		text_join(t, "  (deadline ", DECIMAL(head.slow), " s)\n");
	while (next_option(&options, &it)) {
		struct item_help h = describe(&it);

		text_option(t, &head, &h);
	}
}

static int contains(const char *s, const char *word)
{
	for (; *s; s++)
		if (starts_with(s, word, strlen(word)))
			return 1;
	return 0;
}

int command_list(const char *word,
	void (*each)(const char *name, const char *help))
{
	int n = 0;

	for (enum command_number c = 0; c < COMMANDS; c++) {
		const struct command_head *h = head_of(c);

		if (!contains(h->name, word) && !contains(h->help, word))
			continue;
		each(h->name, h->help);
		n++;
	}
	return n;
}

/* ---- suggestions for a name that there is not ---- */

/* Is this a letter or digit of a word? */
static int in_word(char c)
{
	return isalnum((uint8_t)c) || c == '.';
}

/* Does a text have this word, or, if it is long enough, one that begins so? */
static int has_whole_word(const char *s, const char *word, size_t len)
{
	while (*s) {
		size_t n = 0;

		while (in_word(s[n]))
			n++;
		if (n >= len && (n == len || len > 3) &&
		    starts_with(s, word, len))
			return 1;
		s += n;
		s += *s != '\0';
	}
	return 0;
}

/* How many letters must change (Levenshtein); names up to 63 letters. */
static size_t distance(const char *a, size_t len_a, const char *b)
{
	uint8_t row[64];
	size_t len_b = strlen(b);

	if (len_a > 63 || len_b > 63)
		return 64;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = (uint8_t)j;
	for (size_t i = 1; i <= len_a; i++) {
		uint8_t corner = row[0];

		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= len_b; j++) {
			uint8_t best = corner;

			best += folded(a[i - 1]) != folded(b[j - 1]);
			if (row[j] < best)
				best = row[j] + 1;
			if (row[j - 1] < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[len_b];
}

/* Words without meaning for a search. */
static int is_filler(const char *word, size_t len)
{
	return has_whole_word("get set query show read do", word, len) &&
		len < 6;
}

/* How well a command fits a name that there is not; below 64: it does not. */
static size_t fitness(enum command_number c, const char *name, size_t len)
{
	const struct command_head *h = head_of(c);
	size_t far = distance(name, len, h->name), score = 0, n;

	if (far < 4 && far * 3 < len)
		score += 10 - 2 * far;
	if (starts_with(name, h->name, strlen(h->name)))
		score += 2;
	for (const char *word = name; word < name + len; word += n + 1) {
		for (n = 0; word + n < name + len && word[n] != '-' &&
				word[n] != '_'; n++)
			;
		if (!n || is_filler(word, n))
			continue;
		score += 3 * (size_t)has_whole_word(h->name, word, n);
		score += 2 * (size_t)has_whole_word(h->help, word, n);
		for (size_t i = 0; i < COUNT_OF(guesses); i++)
			if (guesses[i].command == c && has_whole_word(
					guesses[i].words, word, n))
				score += 4;
	}
	return score ? 64 * (score + 1) - far : 0;
}

enum { SUGGESTIONS = 3 };

void text_suggestions(struct text *t, const char *name)
{
	size_t len = span(name, '='), ceiling = SIZE_MAX;

	for (int i = 0; i < SUGGESTIONS; i++) {
		enum command_number best = cmd_none;
		size_t most = 0;

		for (enum command_number c = 0; c < COMMANDS; c++) {
			size_t fit = fitness(c, name, len);

			if (fit > most && fit < ceiling) {
				most = fit;
				best = c;
			}
		}
		if (best == cmd_none)
			return;
		ceiling = most;
		text_add(t, i ? ", --" : "--");
		text_dashed(t, head_of(best)->name);
	}
}

void text_owners(struct text *t, const char *name)
{
	int n = 0;

	for (enum command_number c = 0; c < COMMANDS && n <= 4; c++) {
		if (command_option(c, name) == OPTION_NONE)
			continue;
		if (n++ == 4) {
			text_add(t, "...");
			return;
		}
		text_add(t, n > 1 ? ", --" : "--");
		text_dashed(t, head_of(c)->name);
	}
}

/* If a name is nearer than what was the nearest, it is that. */
static void note_near(const char **nearest, size_t *best, const char *name,
	const char *candidate)
{
	size_t far = 64;

	if (candidate)
		far = distance(name, span(name, '='), candidate);
	if (far >= *best)
		return;
	*best = far;
	*nearest = candidate;
}

void text_near_options(struct text *t, enum command_number c, const char *name)
{
	struct command_head head;
	struct cursor options = read_head(c, &head);
	size_t best = 1 + span(name, '=') / 3;
	const char *nearest = NULL;
	struct item it;

	while (head.kind < KIND_RAW_MBIM && next_option(&options, &it)) {
		note_near(&nearest, &best, name, it.name);
		note_near(&nearest, &best, name, it.also);
	}
	if (!nearest)
		return;
	text_add(t, "--");
	text_dashed(t, nearest);
}
