/* SPDX-License-Identifier: ISC
 *
 * What is asked for: from the text of options to a request, by the walk that
 * commands.c has, and from the request to the modem's answer, judged and told.
 * Every request is encoded before the device is touched, and again to be sent.
 */
#include "mbim.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- what an option says ---- */

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
	const char *s)
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
	size_t max = it->max ? it->max : MBIM_REPLY_MAX;
	const char *entry;

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
		memset(bytes, 0, 16);
		entry = s ? uuid_entry(table_of(it->show), s, 37) : NULL;
		return s && !parse_uuid(entry ? entry : s, bytes) ? -1 : 16;
	case NOTHING:
		memset(bytes, 0, it->n);
		return it->n;
	default:
		return s ? parse_hex(s, s + strlen(s), bytes, max) : 0;
	}
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

	next_item(&c, &element);
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

/* Is this what DIGITS wants, if it does? */
static int has_digits(const struct item *it, const char *s)
{
	size_t n = 0;

	while (s[n] >= '0' && s[n] <= '9')
		n++;
	return !it->digits || (!s[n] && n >= it->digits);
}

/* Why an item did not take an option's text. */
static const char *what_is_wanted(const struct item *it)
{
	const char *table = table_of(it->show);

	if (it->digits)
		return "not digits, or too few or many";
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
	if (len < 0 || (it->op == OP_BYTES && len != it->n) ||
	    (s && !has_digits(it, s))) {
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

/* The item that has an option's name. */
static int find_item(const struct command *c, const char *name, struct item *it)
{
	struct cursor options = head_of(c)->request;

	while (next_option(&options, it))
		if (names_item(name, it))
			return 1;
	return 0;
}

int command_has_option(const struct command *c, const char *name)
{
	struct item it;

	return find_item(c, name, &it);
}

const char *call_text(const struct call *call, const char *name)
{
	struct encoder e = { .options = call->options,
		.n_options = call->n_options };
	struct item it;
	struct option *o;

	if (!find_item(call->command, name, &it))
		return "";
	o = find_option(&e, &it, 0);
	return o ? o->value : it.fallback ? it.fallback : "";
}

uint64_t call_number(const struct call *call, const char *name)
{
	uint64_t n = 0;
	int minus;
	struct item it;

	if (find_item(call->command, name, &it))
		parse_value(it.show, call_text(call, name), &n, &minus);
	return n;
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

int command_secrets(const struct call *call)
{
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
	return code;
}

int command_check(const struct call *call)
{
	struct encoder e;

	return encode(&e, call, 0, NULL);
}

/* ---- what a reply says, kept ---- */

static char record_bytes[4096];		/* name, value, name, value... */
static struct text record = { record_bytes, 0, sizeof(record_bytes), NULL };

void record_clear(void)
{
	record.len = 0;
}

void record_value(const char *name, const char *s, size_t len)
{
	if (record.size - record.len < strlen(name) + len + 3)
		return;
	text_put(&record, name, strlen(name) + 1);
	text_put(&record, s, len);
	text_char(&record, '\0');
}

const char *said_nth(const char *name, size_t n)
{
	const char *p = record_bytes, *end = p + record.len;

	while (p < end) {
		const char *value = p + strlen(p) + 1;

		if (!strcmp(p, name) && !n--)
			return value;
		p = value + strlen(value) + 1;
	}
	return "";
}

const char *said(const char *name)
{
	return said_nth(name, 0);
}

/* ---- one command under way ---- */

/* One command under way: what was asked, and what came. */
struct run {
	const struct call *call;
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
	out_begin(r->call->title ? r->call->title : r->head.name);
	if (r->call->preface)
		r->call->preface();
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
		word = word_of(table_of(d.cause_show), d.cause);
		text_join(&t, ", cause ", decimal(d.cause), word ? " " : "");
		text_dashed(&t, word ? word : "");
	}
	return (r->is_qmi ? qmi_refused : mbim_refused)(r->status, code, more);
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
		r->replies = command_lookup((enum kind_of)operation,
			service_number(uuid), cid);
	} else {
		for (int i = r->command->service; i; i--)
			service += strlen(service) + 1;
		parse_uuid(service, uuid);
	}
	/* before, so that a run that is killed leaves word of it */
	if (r->head.flags & FLAG(OP_KEEP))
		added = mark_session(m, session, 1);
	code = mbim_command(m, uuid, cid, operation, request + q.at,
		q.len - q.at, &answer);
	r->status = answer.status;
	r->reply = answer.info;
	/* after silence it may yet come up, if no CLOSE will end it */
	if (added && (r->status || (code && !m->joined)))
		mark_session(m, session, 0);
	else if (r->head.flags & FLAG(OP_KEEP) && !code && !r->status)
		mark_session(m, session, 1);	/* an OPEN forgot it */
	if (r->head.flags & FLAG(OP_DROP) && !code && (!r->status ||
			r->status == CONTEXT_NOT_ACTIVATED))
		mark_session(m, session, 0);
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
		r->replies = command_lookup(KIND_QMI, service, message);
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
	struct run r = { .call = call, .command = c, .replies = c, .head = *head_of(c),
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

/* ---- help ---- */

/* What is to be said of an option. */
static struct option_help describe(const struct item *it)
{
	struct cursor inner = it->inner;
	struct item element = *it;
	struct option_help h = { it->name, it->also, it->help, it->fallback,
		NULL, (it->flags & FLAG(OP_VALUE)) != 0,
		(it->flags & FLAG(OP_REQUIRED)) != 0 };

	if (it->kind->has & ITEMS)
		next_item(&inner, &element);
	if (element.show >= SHOW_TABLES)
		h.words = table_of(element.show);
	return h;
}

void command_options(const struct command *c,
	void (*told)(const struct option_help *help))
{
	struct cursor options = head_of(c)->request;
	struct item it;

	while (next_option(&options, &it)) {
		struct option_help h = describe(&it);

		told(&h);
	}
}

static void text_words(struct text *t, const char *table)
{
	const char *p = table + (*table == '|'), *word;
	uint64_t n;

	for (int any = 0; (word = next_word(&p, &n)); any = 1) {
		text_add(t, any ? ", " : "        ");
		text_dashed(t, word);
	}
	text_add(t, *table == '|' ? " (a comma list)\n" : "\n");
}

void command_help(struct text *t, const struct command *c)
{
	struct cursor options = head_of(c)->request;
	struct item it;

	text_add(t, "--");
	text_dashed(t, head_of(c)->name);
	text_join(t, ": ", head_of(c)->help, "\n");
	if (head_of(c)->slow)
		text_join(t, "  (deadline ", decimal(head_of(c)->slow), " s)\n");
	while (next_option(&options, &it)) {
		struct option_help h = describe(&it);

		text_add(t, h.is_value ? "  (its value) --" : "  --");
		text_dashed(t, h.name);
		text_add(t, h.also ? ", --" : "");
		text_dashed(t, h.also ? h.also : "");
		text_join(t, "  ", h.help, h.is_required ? "; needed" : "",
			h.fallback ? "; default " : "");
		text_dashed(t, h.fallback ? h.fallback : "");
		text_char(t, '\n');
		if (h.words && *h.words != '*')
			text_words(t, h.words);
	}
}
