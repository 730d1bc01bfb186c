/* SPDX-License-Identifier: ISC
 *
 * Values as text, and back: numbers, UUIDs, addresses, UTF-8 and UTF-16, hex,
 * frames in what people paste, the words of value tables, MD5. All of it is
 * without state but for buffers, and knows no protocol but the two headers by
 * which a pasted frame is found.
 */
#include "mbim.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- values ---- */

enum { NO_CHARACTER = 0xfffd };

void text_bytes(struct text *t, const uint8_t *bytes, size_t len)
{
	while (len--)
		text_hex(t, *bytes++, 2);
}

/* Is there a dash before this byte of a UUID? */
static int is_dashed(int i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

void text_uuid(struct text *t, const uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++) {
		text_add(t, is_dashed(i) ? "-" : "");
		text_hex(t, uuid[i], 2);
	}
}

/* RFC 5952: the longest run of two or more zero groups becomes "::". */
static void text_ipv6(struct text *t, const uint8_t *p)
{
	int best = -1, best_len = 1;

	for (int i = 0, run; i < 8; i += run + 1) {
		for (run = 0; i + run < 8 && !p[2 * (i + run)] &&
				!p[2 * (i + run) + 1]; run++)
			;
		if (run > best_len) {
			best = i;
			best_len = run;
		}
	}
	for (int i = 0; i < 8; i++) {
		unsigned group = (unsigned)p[2 * i] << 8 | p[2 * i + 1];

		if (i == best) {
			text_add(t, "::");
			i += best_len - 1;
			continue;
		}
		if (i && i != best + best_len)
			text_char(t, ':');
		text_hex(t, group, 1 + (group > 15) + (group > 255) +
			(group > 4095));
	}
}

void text_address(struct text *t, const uint8_t *p, size_t len)
{
	size_t prefix = len == 8 || len == 20 ? 4 : 0;
	struct reader r = { p, len, 0, 0 };

	if (len - prefix == 16)
		text_ipv6(t, p + prefix);
	for (size_t i = prefix; len - prefix == 4 && i < len; i++)
		text_join(t, i > prefix ? "." : "", decimal(p[i]));
	if (prefix)
		text_join(t, "/", decimal(take_number(&r, 4)));
}

/* One character, as UTF-8. */
static void text_character(struct text *t, uint32_t c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	text_char(t, (char)(!more ? c :
		(0xff00u >> (more + 1) & 0xff) | c >> 6 * more));
	while (more--)
		text_char(t, (char)(0x80 | (c >> 6 * more & 63)));
}

/* A surrogate alone is no text. */
void text_utf16(struct text *t, const uint8_t *p, size_t len)
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
			text_character(t, c >> 11 == 0x1b ? NO_CHARACTER : c);
	}
}

/* The next character of UTF-8; a byte that is none becomes U+FFFD. */
static uint32_t next_utf8(const uint8_t **p, const uint8_t *end)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *s = *p;
	uint32_t c = *s++;
	int more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 :
		c >> 3 == 30 ? 3 : 4;

	*p = s;
	if (more == 4 || more > end - s)
		return NO_CHARACTER;
	c &= more ? 0x3fu >> more : 0x7f;
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

void text_utf8(struct text *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end && *p)
		text_character(t, next_utf8(&p, end));
}

int parse_text(const char *s, int wide, uint8_t *to, size_t max)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + strlen(s);
	size_t n = 0;

	if ((size_t)(end - p) > MBIM_REPLY_MAX / 2)
		return -1;
	max *= wide ? 2 : 1;
	while (p < end) {
		const uint8_t *from = p;
		uint32_t c = next_utf8(&p, end);
		size_t size = !wide ? (size_t)(p - from) : c < 0x10000 ? 2 : 4;

		if (c == NO_CHARACTER || n + size > max)
			return -1;
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

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' &&
		(c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
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

/*
 * The same as parse_hex() of a whole line that somebody pasted: what quotes it
 * is passed, and what a log has before "data =".
 */
static int parse_pasted(const char *line, uint8_t *bytes, size_t max)
{
	while (*line && strchr("><| \t", *line))
		line++;
	for (const char *p = line, *end; *p; p++) {
		for (end = p + 4; !strncmp(p, "data", 4) && *end == ' '; end++)
			;
		if (!strncmp(p, "data", 4) && *end == '=')
			line = end + 1;
	}
	return parse_hex(line, line + strlen(line), bytes, max);
}

/* Lines beyond this are taken in pieces; of whole bytes, if they are regular */
enum { LINE = MBIM_REPLY_MAX * 3 };

/* Of what was pasted: the rest of a frame, and all that a line can add. */
static uint8_t pasted[MBIM_REPLY_MAX + LINE / 2];
static size_t pasted_len;

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
	int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : 0;
	ssize_t n;

	if (fd < 0)
		return fail(USAGE, name, ": ", errno_text());
	while ((n = read(fd, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (part[i] == '\n' || t.len == LINE) {
				take_line(line, each);
				t = (struct text)TEXT(line);
			}
			if (part[i] != '\n')
				text_char(&t, part[i]);
		}
	take_line(line, each);
	return DONE;
}

int parse_uuid(const char *s, uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++, s += 2)
		if ((is_dashed(i) && *s++ != '-') || !hex_byte(s, uuid + i))
			return 0;
	return !*s || *s == ' ';
}

/* ---- numbers, and the words of a value table ---- */

const char *decimal(uint64_t n)
{
	static char digits[4][24];
	static unsigned calls;
	char *s = digits[calls++ % 4];
	struct text t = { .s = s, .size = sizeof(digits[0]) };

	text_decimal(&t, n);
	return t.s;
}

int parse_number(const char **s, uint64_t *n)
{
	int base = (*s)[0] == '0' && ((*s)[1] | 32) == 'x' ? 16 : 10, digit;
	const char *start = *s += base == 16 ? 2 : 0;

	for (*n = 0; ; ++*s) {
		digit = **s - '0';
		if (digit > 9 && base == 16)
			digit = (**s | 32) >= 'a' ? (**s | 32) - 'a' + 10 : 16;
		if (digit < 0 || digit >= base)
			return *s > start;
		if (*n > (UINT64_MAX - (unsigned)digit) / (unsigned)base)
			return 0;
		*n = *n * (unsigned)base + (unsigned)digit;
	}
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

const char *word_of(const char *table, uint64_t n)
{
	const char *word;
	uint64_t at;

	while ((word = next_word(&table, &at)) && at != n)
		;
	return word;
}

int same_word(const char *a, const char *b, size_t len)
{
	for (; len && *b; len--, a++, b++)
		if ((*a == '-' ? '_' : tolower(*a)) != tolower(*b))
			return 0;
	return !len && !*b;
}

struct scale scale_of(const char *table)
{
	int64_t n[4];

	for (int i = 0; i < 4; i++) {
		table++;		/* the asterisk; blanks */
		n[i] = parse_signed(&table);
	}
	return (struct scale){ n[0], n[1], n[2], n[3] };
}

void text_scaled(struct text *t, const char *table, int64_t n)
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

const char *uuid_entry(const char *p, const char *s, size_t skip)
{
	for (; *p > '\1'; p += strlen(p) + 1)
		if (skip ? same_word(s, p + skip, strlen(s)) :
		    !strncmp(s, p, 36))
			return p;
	return NULL;
}

/* ---- MD5 (RFC 1321) ---- */

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
		uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

		for (unsigned i = 0; i < 64; i++) {
			struct reader r = { block + at, 64, 0, 0 };
			unsigned round = i / 16;
			uint32_t f = round == 0 ? (b & c) | (~b & d) :
				round == 1 ? (d & b) | (~d & c) :
				round == 2 ? b ^ c ^ d : c ^ (b | ~d);
			uint32_t word;

			take(&r, 4 * ((round == 0 ? i : round == 1 ? 5 * i + 1 :
				round == 2 ? 3 * i + 5 : 7 * i) % 16));
			word = (uint32_t)take_number(&r, 4);
			f += a + sines[i] + word;
			a = d;
			d = c;
			c = b;
			b += rotate(f, turns[round][i % 4]);
		}
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
	}
	for (int i = 0; i < 16; i++)
		text_hex(t, state[i / 4] >> 8 * (i % 4) & 255, 2);
}
