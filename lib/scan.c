/* SPDX-License-Identifier: ISC */
/* RFC 8259, a byte at a time: one small function for each place. */
#include "scan.h"

#include <string.h>

#define UNEXPECTED "an unexpected character"

/* Takes the byte; NULL, or why it cannot stand here. */
typedef const char *place_reader(struct scan *s, char c);

bool
scan_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* strchr() finds the end of the text as well. */
static bool
is_one_of(char c, const char *signs)
{
	return c != '\0' && strchr(signs, c) != NULL;
}

static const char *
move(struct scan *s, enum scan_place place)
{
	s->place = place;
	return NULL;
}

/* -------------------------------------------------------- structure */

static const char *
open_bracket(struct scan *s, char c)
{
	if (s->depth == SCAN_DEPTH_MAX)
		return "nesting too deep";
	s->open[s->depth++] = c;
	return move(s, c == '{' ? SCAN_FIRST_KEY : SCAN_FIRST_ITEM);
}

static const char *
end_value(struct scan *s)
{
	return move(s, s->depth > 0 ? SCAN_AFTER : SCAN_VALUE);
}

static const char *
close_bracket(struct scan *s, char c)
{
	if (s->open[s->depth - 1] != (c == '}' ? '{' : '['))
		return UNEXPECTED;
	s->depth--;
	return end_value(s);
}

static const char *
begin_string(struct scan *s, bool in_key)
{
	s->in_key = in_key;
	return move(s, SCAN_STRING);
}

static const char *
begin_literal(struct scan *s, const char *rest)
{
	s->literal = rest;
	return move(s, SCAN_LITERAL);
}

static const char *
read_value(struct scan *s, char c)
{
	switch (c) {
	case '{':
	case '[':
		return open_bracket(s, c);
	case '"':
		return begin_string(s, false);
	case 't':
		return begin_literal(s, "rue");
	case 'f':
		return begin_literal(s, "alse");
	case 'n':
		return begin_literal(s, "ull");
	case '-':
		return move(s, SCAN_MINUS);
	case '0':
		return move(s, SCAN_ZERO);
	default:
		return is_one_of(c, ASCII_DIGITS) ? move(s, SCAN_INTEGER) :
		    UNEXPECTED;
	}
}

static const char *
read_first_item(struct scan *s, char c)
{
	return c == ']' ? close_bracket(s, c) : read_value(s, c);
}

static const char *
read_key(struct scan *s, char c)
{
	return c == '"' ? begin_string(s, true) : UNEXPECTED;
}

static const char *
read_first_key(struct scan *s, char c)
{
	return c == '}' ? close_bracket(s, c) : read_key(s, c);
}

static const char *
read_colon(struct scan *s, char c)
{
	return c == ':' ? move(s, SCAN_VALUE) : UNEXPECTED;
}

static const char *
read_after(struct scan *s, char c)
{
	if (c == ',')
		return move(s, s->open[s->depth - 1] == '{' ? SCAN_KEY :
		    SCAN_VALUE);
	return is_one_of(c, "]}") ? close_bracket(s, c) : UNEXPECTED;
}

/* ---------------------------------------------- strings and literals */

static const char *
read_string(struct scan *s, char c)
{
	if (!utf8_step(&s->utf8, (unsigned char)c))
		return "text that is not UTF-8";
	if (c == '\\')
		return move(s, SCAN_ESCAPE);
	if (c != '"')
		return NULL;
	return s->in_key ? move(s, SCAN_COLON) : end_value(s);
}

static const char *
read_escape(struct scan *s, char c)
{
	s->hex = 4;
	if (c == 'u')
		return move(s, SCAN_HEX);
	return is_one_of(c, "\"\\/bfnrt") ? move(s, SCAN_STRING) : UNEXPECTED;
}

static const char *
read_hex(struct scan *s, char c)
{
	if (!is_one_of(c, ASCII_DIGITS "abcdefABCDEF"))
		return UNEXPECTED;
	return --s->hex > 0 ? NULL : move(s, SCAN_STRING);
}

static const char *
read_literal(struct scan *s, char c)
{
	if (c != *s->literal++)
		return UNEXPECTED;
	return *s->literal ? NULL : end_value(s);
}

/* ----------------------------------------------------------- numbers */

/* RFC 8259 section 6: where each kind of sign leads; the first row counts. */
static const struct {
	enum scan_place from;
	const char *signs;
	enum scan_place to;
} number_rows[] = {
	{ SCAN_MINUS, "0", SCAN_ZERO },
	{ SCAN_MINUS, ASCII_DIGITS, SCAN_INTEGER },
	{ SCAN_ZERO, ".", SCAN_POINT },
	{ SCAN_ZERO, "eE", SCAN_E },
	{ SCAN_INTEGER, ASCII_DIGITS, SCAN_INTEGER },
	{ SCAN_INTEGER, ".", SCAN_POINT },
	{ SCAN_INTEGER, "eE", SCAN_E },
	{ SCAN_POINT, ASCII_DIGITS, SCAN_FRACTION },
	{ SCAN_FRACTION, ASCII_DIGITS, SCAN_FRACTION },
	{ SCAN_FRACTION, "eE", SCAN_E },
	{ SCAN_E, "+-", SCAN_E_SIGN },
	{ SCAN_E, ASCII_DIGITS, SCAN_EXPONENT },
	{ SCAN_E_SIGN, ASCII_DIGITS, SCAN_EXPONENT },
	{ SCAN_EXPONENT, ASCII_DIGITS, SCAN_EXPONENT },
};

static const char *scan_byte(struct scan *s, char c);

/* The place that c leads to within a number; SCAN_PLACES for none. */
static enum scan_place
next_in_number(const struct scan *s, char c)
{
	size_t i;

	for (i = 0; i < sizeof(number_rows) / sizeof(number_rows[0]); i++)
		if (number_rows[i].from == s->place &&
		    is_one_of(c, number_rows[i].signs))
			return number_rows[i].to;
	return SCAN_PLACES;
}

/* A number ends before the byte that is not part of it. */
static bool
ends_number(const struct scan *s, char c)
{
	bool complete = s->place == SCAN_ZERO || s->place == SCAN_INTEGER ||
	    s->place == SCAN_FRACTION || s->place == SCAN_EXPONENT;

	return complete && next_in_number(s, c) == SCAN_PLACES;
}

static const char *
read_number(struct scan *s, char c)
{
	enum scan_place next = next_in_number(s, c);

	if (next != SCAN_PLACES)
		return move(s, next);
	if (!ends_number(s, c))
		return UNEXPECTED;
	end_value(s);
	return scan_byte(s, c);
}

/* --------------------------------------------------------- the places */

static const struct {
	place_reader *read;
	bool takes_space;	/* white space before it means nothing */
} places[SCAN_PLACES] = {
	[SCAN_VALUE] = { read_value, true },
	[SCAN_FIRST_ITEM] = { read_first_item, true },
	[SCAN_FIRST_KEY] = { read_first_key, true },
	[SCAN_KEY] = { read_key, true },
	[SCAN_COLON] = { read_colon, true },
	[SCAN_AFTER] = { read_after, true },
	[SCAN_STRING] = { read_string, false },
	[SCAN_ESCAPE] = { read_escape, false },
	[SCAN_HEX] = { read_hex, false },
	[SCAN_LITERAL] = { read_literal, false },
	[SCAN_MINUS] = { read_number, false },
	[SCAN_ZERO] = { read_number, false },
	[SCAN_INTEGER] = { read_number, false },
	[SCAN_POINT] = { read_number, false },
	[SCAN_FRACTION] = { read_number, false },
	[SCAN_E] = { read_number, false },
	[SCAN_E_SIGN] = { read_number, false },
	[SCAN_EXPONENT] = { read_number, false },
};

static const char *
scan_byte(struct scan *s, char c)
{
	bool started = s->started;

	s->started = true;
	if (places[s->place].takes_space && scan_is_space(c))
		return NULL;
	if ((unsigned char)c < 0x20 &&
	    (s->place == SCAN_STRING || !scan_is_space(c)))
		return "a control byte";
	if (!started && c == '\xEF')
		return "a byte order mark";
	return places[s->place].read(s, c);
}

size_t
scan_bytes(struct scan *s, const char *bytes, size_t len, const char **why)
{
	size_t i;

	for (i = 0; i < len; i++) {
		*why = scan_byte(s, bytes[i]);
		if (*why)
			break;
	}
	return i;
}

size_t
scan_value(struct scan *s, unsigned depth, const char *bytes, size_t len,
    bool *whole, const char **why)
{
	size_t i;

	*why = NULL;
	*whole = false;
	for (i = 0; i < len && !*whole; i++) {
		if (s->depth == depth && ends_number(s, bytes[i])) {
			end_value(s);
			*whole = true;
			break;
		}
		*why = scan_byte(s, bytes[i]);
		if (*why)
			break;
		*whole = s->depth == depth &&
		    (s->place == SCAN_AFTER || s->place == SCAN_COLON);
	}
	return i;
}
