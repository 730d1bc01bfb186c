/* SPDX-License-Identifier: ISC
 *
 * What the ledger means. First the readings of commands.def: sizes, ops, names,
 * an index, the words (mbim.h has the numbers). Then the walk over the ops and
 * the names in step, and the interpreter of replies and frames, which tells
 * them to out_…; there are no structs to land in. It opens nothing, waits for
 * nothing and prints nothing itself.
 *
 * MBIM 1.0 errata 1 §10 (offsets count from the start of the structure that
 * holds them), Microsoft's MBIMEx (IEs), libqmi (TLVs).
 */
#include "mbim.h"

#include <string.h>

/* ---- the readings of commands.def ---- */

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

static const struct command commands[] = {
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

static const struct kind kinds[OPS] = {
#define K(op, has, where, what, size)	[OP_##op] = { has, where, what, size },
	KINDS(K)
#undef K
};

const char *next_name(struct cursor *c)
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
		} else if (*c->op == OP_DIGITS) {
			it->digits = *++c->op;
		} else if (*c->op == OP_GIVEN) {
			it->givens = it->n_givens++ ? it->givens : c->name;
			next_name(c);
			next_name(c);
		} else {
			it->flags |= FLAG(*c->op);
		}
}

int next_item(struct cursor *c, struct item *it)
{
	*it = (struct item){ .tlv = -1, .inner = { .op = ops, .name = names } };
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

void skip_item(struct cursor *c, const struct item *it)
{
	struct item inner;

	if (!it->in_place)
		return;
	while (next_item(c, &inner))
		skip_item(c, &inner);
	c->op++;
}

int next_option(struct cursor *c, struct item *it)
{
	do {
		for (; *c->op == OP_END && c->depth; c->depth--)
			c->op++;
		if (!next_item(c, it))
			return 0;
		c->depth += it->in_place;
	} while (!it->help);
	return 1;
}

size_t fixed_size(struct cursor c)
{
	struct item it;
	size_t size = 0;

	for (; next_item(&c, &it); skip_item(&c, &it))
		size += it.op == OP_STRUCT ? fixed_size(it.inner) :
			it.kind->where == GIVEN_SIZE ? it.n : it.kind->size;
	return size;
}

const struct head *head_of(const struct command *command)
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
		} else if (*c.op == OP_RISKY) {
			h.risky = *++c.op;
		} else if (*c.op == OP_LOCK) {
			h.lock = *++c.op;
			h.lock_value = *++c.op;
		} else {
			h.flags |= FLAG(*c.op);
		}
	h.request = c;
	return &h;
}

struct cursor find_part(const struct command *command, enum op part,
	int version)
{
	struct cursor c = head_of(command)->request;
	struct cursor best = { .op = ops, .name = names };
	struct item it;

	if (part == OP_REQUEST)
		best = c;
	while (best.op == ops || version > 0) {
		for (; next_item(&c, &it); skip_item(&c, &it))
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

/* ---- words and numbers ---- */

static char scratch[3 * MBIM_REPLY_MAX + 1];	/* one value as text */

const char *table_of(int show)
{
	return show < SHOW_TABLES ? "" :
		values + tables[show - SHOW_TABLES] + 1;
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
	} else if (*table && (word = word_of(table, n))) {
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

/* ---- decoding: a reply to out_… ---- */

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
		entry = uuid_entry(table_of(it->show), t.s, 0);
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

/* ---- commands ---- */

int service_number(const uint8_t *uuid)
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

const struct command *command_lookup(enum kind_of kind, int service,
	uint32_t id)
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
		while (it.tlv != type && next_item(&known, &it))
			skip_item(&known, &it);
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

int tell(struct decoder *d, const struct command *c, enum op part,
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

/* ---- frames, for the trace and --decode ---- */

/*
 * Which command is this a message of? Of several with one number (the PIN's),
 * a request is the one whose constants fit.
 */
static const struct command *recognize(enum kind_of kind, int service,
	uint32_t id, enum op part, int version, struct reader r)
{
	const struct command *c = command_lookup(kind, service, id), *first = c;

	if (part == OP_REPLY && !c && kind == KIND_QUERY)
		return command_lookup(KIND_SET, service, id);
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
		out_open(head_of(c)->name, OUT_OBJECT);
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
	c = command_lookup(KIND_QMI, q.service, q.message);
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

const char *name_of(enum show show, uint32_t n)
{
	const char *name = word_of(table_of(show), n);

	return name || show == show_hint ? name : "an unknown error";
}

void command_list(void (*told)(const char *name, const char *help))
{
	for (const struct command *c = commands; c < commands_end; c++)
		told(head_of(c)->name, head_of(c)->help);
}
