/* SPDX-License-Identifier: ISC */
/*
 * RFC 8259 in one walk. Each function takes what it can of the bytes at
 * hand and returns where it stopped; s->place tells how to go on there, be
 * it with the next byte or with the next call.
 */
#include "json/scan.h"

#include "base/buf.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define UNEXPECTED "an unexpected character"
#define CONTROL "a control byte"

#define NO_DEPTH SIZE_MAX
#define WORD_LEVELS 64	/* of s->open, and of each word of s->outer */

/* ------------------------------------------------------ kinds of bytes */

enum class {
	C_OTHER,
	C_SPACE,
	C_QUOTE,
	C_COLON,
	C_COMMA,
	C_BRACE,
	C_BRACKET,
	C_END_BRACE,
	C_END_BRACKET,
	C_WORD,		/* of which true, false and null begin */
	C_MINUS,
	C_PLUS,
	C_POINT,
	C_ZERO,
	C_DIGIT,	/* 1 to 9 */
	C_E,
	CLASSES
};

static const unsigned char classes[UCHAR_MAX + 1] = {
	[' '] = C_SPACE, ['\t'] = C_SPACE, ['\n'] = C_SPACE, ['\r'] = C_SPACE,
	['"'] = C_QUOTE, [':'] = C_COLON, [','] = C_COMMA,
	['{'] = C_BRACE, ['['] = C_BRACKET,
	['}'] = C_END_BRACE, [']'] = C_END_BRACKET,
	['t'] = C_WORD, ['f'] = C_WORD, ['n'] = C_WORD,
	['-'] = C_MINUS, ['+'] = C_PLUS, ['.'] = C_POINT,
	['0'] = C_ZERO, ['1'] = C_DIGIT, ['2'] = C_DIGIT, ['3'] = C_DIGIT,
	['4'] = C_DIGIT, ['5'] = C_DIGIT, ['6'] = C_DIGIT, ['7'] = C_DIGIT,
	['8'] = C_DIGIT, ['9'] = C_DIGIT, ['e'] = C_E, ['E'] = C_E,
};

#define BIT(class) (1U << (class))
#define BEGINS_VALUE (BIT(C_QUOTE) | BIT(C_BRACE) | BIT(C_BRACKET) | \
	BIT(C_WORD) | BIT(C_MINUS) | BIT(C_ZERO) | BIT(C_DIGIT))

/* What may stand where no value is half-read, besides white space. */
static const unsigned takes[] = {
	[SCAN_VALUE] = BEGINS_VALUE,
	[SCAN_FIRST_ITEM] = BEGINS_VALUE | BIT(C_END_BRACKET),
	[SCAN_FIRST_KEY] = BIT(C_QUOTE) | BIT(C_END_BRACE),
	[SCAN_KEY] = BIT(C_QUOTE),
	[SCAN_COLON] = BIT(C_COLON),
	[SCAN_AFTER] = BIT(C_COMMA) | BIT(C_END_BRACE) | BIT(C_END_BRACKET),
};

static enum class
class_of(char c)
{
	return (enum class)classes[(unsigned char)c];
}

bool
scan_is_space(char c)
{
	return class_of(c) == C_SPACE;
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20;
}

/* ----------------------------------------------------------- stopping */

static const char *
refuse(struct scan *s, const char *at, const char *why)
{
	s->stop = SCAN_BAD;
	s->why = why;
	return at;
}

static const char *
refuse_byte(struct scan *s, const char *at)
{
	if (is_control(*at) && !scan_is_space(*at))
		return refuse(s, at, CONTROL);
	if (*at == '\xEF' && at == s->from && s->taken == 0)
		return refuse(s, at, "a byte order mark");
	return refuse(s, at, UNEXPECTED);
}

static void
end_value(struct scan *s)
{
	s->place = s->depth > 0 ? SCAN_AFTER : SCAN_VALUE;
	if (s->depth == s->value_depth)
		s->stop = SCAN_WHOLE;
}

uint64_t
scan_len_bit(unsigned long long len)
{
	return (uint64_t)1 << (len < 63 ? len : 63);
}

/* The name ends before the quote at this place. */
static void
end_name(struct scan *s, const char *at)
{
	unsigned long long end = s->taken + (unsigned long long)(at - s->from);

	s->place = SCAN_COLON;
	if (s->depth < s->name_depth || (s->depth == s->name_depth &&
	    (s->escaped || s->name_lens & scan_len_bit(end - s->name - 1))))
		s->stop = SCAN_NAME;
}

/* ---------------------------------------------------------- the levels */

static bool
in_object(const struct scan *s)
{
	return s->open & 1;
}

/* Makes room for a level where s->open has none. */
static void
put_outer(struct scan *s)
{
	size_t words = s->depth / WORD_LEVELS;

	if (words > s->outer_size) {
		s->outer_size = 2 * words;
		s->outer = mem_realloc(s->outer, s->outer_size *
		    sizeof(*s->outer));
	}
	s->outer[words - 1] = s->open;
}

static void
push_level(struct scan *s, bool object)
{
	if (s->depth > 0 && s->depth % WORD_LEVELS == 0)
		put_outer(s);
	s->open = s->open << 1 | object;
	s->depth++;
}

static void
pop_level(struct scan *s)
{
	s->open >>= 1;
	s->depth--;
	if (s->depth > 0 && s->depth % WORD_LEVELS == 0)
		s->open = s->outer[s->depth / WORD_LEVELS - 1];
}

/* ------------------------------------------------------------- strings */

#define EACH(byte) (UINT64_MAX / 255 * (byte))

/*
 * Whether one of eight bytes needs a look: below 0x20, a quote, a
 * backslash, or above 0x7F. A byte less than what is taken away from it
 * leaves its highest bit set; it may borrow from those above, so that only
 * the lowest bit that is set can be relied upon.
 */
static uint64_t
need_look(uint64_t bytes)
{
	return (bytes | (bytes - EACH(0x20)) |
	    ((bytes ^ EACH('"')) - EACH(1)) |
	    ((bytes ^ EACH('\\')) - EACH(1))) & EACH(0x80);
}

static bool
is_ascii(char c)
{
	return (unsigned char)c < 0x80;
}

static bool
is_plain(char c)
{
	return is_ascii(c) && !is_control(c) && c != '"' && c != '\\';
}

/* To the first byte that needs a look. */
static const char *
skip_plain(const char *at, const char *end)
{
	uint64_t bytes, look;

	for (; end - at >= 8; at += 8) {
		memcpy(&bytes, at, 8);
		look = need_look(bytes);
		if (look == 0)
			continue;
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		return at + __builtin_ctzll(look) / 8;
#else
		break;
#endif
	}
	while (at < end && is_plain(*at))
		at++;
	return at;
}

/* A character byte by byte: it is broken, or comes in two pieces. */
static const char *
read_character(struct scan *s, const char *at, const char *end)
{
	s->place = SCAN_CHARACTER;
	do {
		if (is_control(*at))
			return refuse(s, at, CONTROL);
		if (!utf8_step(&s->utf8, (unsigned char)*at))
			return refuse(s, at, "text that is not UTF-8");
		at++;
	} while (at < end && !utf8_between(&s->utf8));
	if (utf8_between(&s->utf8))
		s->place = SCAN_STRING;
	return at;
}

static void
begin_string(struct scan *s, bool in_key, const char *at)
{
	s->place = SCAN_STRING;
	s->in_key = in_key;
	if (!in_key)
		return;
	s->name = s->taken + (unsigned long long)(at - s->from);
	s->escaped = false;
}

/*
 * Behind a string: goes on in the next one, past a colon or comma, where
 * they stand together. It is what most bytes of a record are. False leaves
 * all to read_structure().
 */
static bool
begin_next_string(struct scan *s, const char *at, const char *end)
{
	if (end - at < 2 || at[1] != '"' || s->stop != SCAN_MORE)
		return false;
	if (s->place == SCAN_COLON && at[0] == ':')
		begin_string(s, false, at + 1);
	else if (s->place == SCAN_AFTER && at[0] == ',')
		begin_string(s, in_object(s), at + 1);
	else
		return false;
	return true;
}

static const char *
read_string(struct scan *s, const char *at, const char *end)
{
	for (;;) {
		at = skip_plain(at, end);
		if (at == end)
			return at;
		if (*at == '"') {
			if (s->in_key)
				end_name(s, at);
			else
				end_value(s);
			at++;
			if (!begin_next_string(s, at, end))
				return at;
			at += 2;
		} else if (*at == '\\') {
			s->place = SCAN_ESCAPE;
			return at + 1;
		} else if (is_control(*at)) {
			return refuse(s, at, CONTROL);
		} else {
			at = utf8_skip(at, end);
			if (at < end && !is_ascii(*at))
				return read_character(s, at, end);
		}
	}
}

static const char *
read_escape(struct scan *s, const char *at, const char *end)
{
	(void)end;
	s->escaped |= s->in_key;
	s->hex = 4;
	if (*at == 'u')
		s->place = SCAN_HEX;
	else if (*at != '\0' && strchr("\"\\/bfnrt", *at))
		s->place = SCAN_STRING;
	else
		return refuse_byte(s, at);
	return at + 1;
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F');
}

static const char *
read_hex(struct scan *s, const char *at, const char *end)
{
	for (; at < end && s->hex > 0; at++, s->hex--)
		if (!is_hex(*at))
			return refuse_byte(s, at);
	if (s->hex == 0)
		s->place = SCAN_STRING;
	return at;
}

/* ------------------------------------------------- words and numbers */

static const char *
read_literal(struct scan *s, const char *at, const char *end)
{
	for (; at < end && *s->literal; at++, s->literal++)
		if (*at != *s->literal)
			return refuse_byte(s, at);
	if (*s->literal == '\0')
		end_value(s);
	return at;
}

static const char *
begin_literal(struct scan *s, const char *at, const char *end)
{
	s->place = SCAN_LITERAL;
	s->literal = *at == 't' ? "rue" : *at == 'f' ? "alse" : "ull";
	return read_literal(s, at + 1, end);
}

/* RFC 8259 section 6: where each kind of sign leads. */
static const unsigned char number_places[SCAN_PLACES][CLASSES] = {
	[SCAN_VALUE] = { [C_MINUS] = SCAN_MINUS, [C_ZERO] = SCAN_ZERO,
	    [C_DIGIT] = SCAN_INTEGER },
	[SCAN_MINUS] = { [C_ZERO] = SCAN_ZERO, [C_DIGIT] = SCAN_INTEGER },
	[SCAN_ZERO] = { [C_POINT] = SCAN_POINT, [C_E] = SCAN_E },
	[SCAN_INTEGER] = { [C_ZERO] = SCAN_INTEGER, [C_DIGIT] = SCAN_INTEGER,
	    [C_POINT] = SCAN_POINT, [C_E] = SCAN_E },
	[SCAN_POINT] = { [C_ZERO] = SCAN_FRACTION,
	    [C_DIGIT] = SCAN_FRACTION },
	[SCAN_FRACTION] = { [C_ZERO] = SCAN_FRACTION,
	    [C_DIGIT] = SCAN_FRACTION, [C_E] = SCAN_E },
	[SCAN_E] = { [C_PLUS] = SCAN_E_SIGN, [C_MINUS] = SCAN_E_SIGN,
	    [C_ZERO] = SCAN_EXPONENT, [C_DIGIT] = SCAN_EXPONENT },
	[SCAN_E_SIGN] = { [C_ZERO] = SCAN_EXPONENT,
	    [C_DIGIT] = SCAN_EXPONENT },
	[SCAN_EXPONENT] = { [C_ZERO] = SCAN_EXPONENT,
	    [C_DIGIT] = SCAN_EXPONENT },
};

/* A number ends before the first byte that is not part of it. */
static const char *
read_number(struct scan *s, const char *at, const char *end)
{
	enum scan_place place = s->place, next;

	for (; at < end; at++, place = next) {
		next = (enum scan_place)number_places[place][class_of(*at)];
		if (next == 0)
			break;
	}
	s->place = place;
	if (at == end)
		return at;
	if (place != SCAN_ZERO && place != SCAN_INTEGER &&
	    place != SCAN_FRACTION && place != SCAN_EXPONENT)
		return refuse_byte(s, at);
	end_value(s);
	return at;
}

/* ----------------------------------------------------------- structure */

static const char *
open_bracket(struct scan *s, const char *at, enum scan_place next)
{
	push_level(s, next == SCAN_FIRST_KEY);
	s->place = next;
	return at + 1;
}

static const char *
close_bracket(struct scan *s, const char *at, bool object)
{
	if (in_object(s) != object)
		return refuse(s, at, UNEXPECTED);
	pop_level(s);
	end_value(s);
	return at + 1;
}

static const char *
read_structure(struct scan *s, const char *at, const char *end)
{
	enum class class = class_of(*at);

	if (class == C_SPACE)
		return at + 1;
	if (!(takes[s->place] & BIT(class)))
		return refuse_byte(s, at);
	switch (class) {
	case C_QUOTE:
		begin_string(s, s->place == SCAN_KEY ||
		    s->place == SCAN_FIRST_KEY, at);
		return read_string(s, at + 1, end);
	case C_COLON:
		s->place = SCAN_VALUE;
		return at + 1;
	case C_COMMA:
		s->place = in_object(s) ? SCAN_KEY : SCAN_VALUE;
		return at + 1;
	case C_BRACE:
		return open_bracket(s, at, SCAN_FIRST_KEY);
	case C_BRACKET:
		return open_bracket(s, at, SCAN_FIRST_ITEM);
	case C_END_BRACE:
		return close_bracket(s, at, true);
	case C_END_BRACKET:
		return close_bracket(s, at, false);
	case C_WORD:
		return begin_literal(s, at, end);
	case C_MINUS:
	case C_ZERO:
	case C_DIGIT:
		s->place = SCAN_VALUE;
		return read_number(s, at, end);
	case C_OTHER:
	case C_SPACE:
	case C_PLUS:
	case C_POINT:
	case C_E:
	case CLASSES:
		break; /* takes[] has none of these */
	}
	return at;
}

/* ------------------------------------------------------------ the walk */

typedef const char *reader(struct scan *s, const char *at, const char *end);

/* How to go on within a value. */
static reader *const readers[SCAN_PLACES] = {
	[SCAN_STRING] = read_string,
	[SCAN_CHARACTER] = read_character,
	[SCAN_ESCAPE] = read_escape,
	[SCAN_HEX] = read_hex,
	[SCAN_LITERAL] = read_literal,
	[SCAN_MINUS] = read_number,
	[SCAN_ZERO] = read_number,
	[SCAN_INTEGER] = read_number,
	[SCAN_POINT] = read_number,
	[SCAN_FRACTION] = read_number,
	[SCAN_E] = read_number,
	[SCAN_E_SIGN] = read_number,
	[SCAN_EXPONENT] = read_number,
};

/* Until there is something to tell. */
static size_t
walk(struct scan *s, const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len;
	size_t good;

	s->from = bytes;
	s->stop = SCAN_MORE;
	while (at < end && s->stop == SCAN_MORE)
		at = s->place < SCAN_STRING ? read_structure(s, at, end) :
		    readers[s->place](s, at, end);
	good = (size_t)(at - bytes);
	s->taken += good;
	return good;
}

size_t
scan_bytes(struct scan *s, const char *bytes, size_t len, const char **why)
{
	size_t good;

	if (len == 0)
		return 0;
	s->value_depth = NO_DEPTH;
	s->name_depth = 0;
	good = walk(s, bytes, len);
	if (s->stop == SCAN_BAD)
		*why = s->why;
	return good;
}

void
scan_begin(struct scan *s, size_t levels, uint64_t lens)
{
	scan_resume(s, s->depth, levels, lens);
}

void
scan_resume(struct scan *s, size_t depth, size_t levels, uint64_t lens)
{
	s->value_depth = depth;
	s->name_depth = depth + levels;
	s->name_lens = lens;
}

size_t
scan_value(struct scan *s, const char *bytes, size_t len,
    enum scan_stop *stop, const char **why)
{
	size_t good = walk(s, bytes, len);

	*stop = s->stop;
	if (s->stop == SCAN_BAD)
		*why = s->why;
	return good;
}

size_t
scan_level(const struct scan *s)
{
	return s->depth - s->value_depth;
}

bool
scan_in_name(const struct scan *s)
{
	return s->in_key && s->depth <= s->name_depth &&
	    s->place >= SCAN_STRING && s->place <= SCAN_HEX;
}

void
scan_release(struct scan *s)
{
	free(s->outer);
	memset(s, 0, sizeof(*s));
}
