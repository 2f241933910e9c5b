/* SPDX-License-Identifier: ISC */
/*
 * Escapes to text, where what is no good string never comes, and text to
 * escapes.
 */
#include "unquote.h"

#include "utf8.h"

#include <stdint.h>
#include <string.h>

#define IS_HIGH(code) ((code) >= 0xD800 && (code) <= 0xDBFF)
#define IS_LOW(code) ((code) >= 0xDC00 && (code) <= 0xDFFF)

static unsigned
hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Of the digits behind "\u". */
static uint32_t
code_at(const char *digits)
{
	return hex_value(digits[0]) << 12 | hex_value(digits[1]) << 8 |
	    hex_value(digits[2]) << 4 | hex_value(digits[3]);
}

/* Takes one \uXXXX, or two that are a pair; at is behind its u. */
static const char *
take_code(const char *at, uint32_t *code)
{
	uint32_t low;

	*code = code_at(at);
	at += 4;
	if (IS_HIGH(*code) && at[0] == '\\' && at[1] == 'u') {
		low = code_at(at + 2);
		if (IS_LOW(low)) {
			*code = 0x10000 + ((*code - 0xD800) << 10) +
			    (low - 0xDC00);
			return at + 6;
		}
	}
	if (IS_HIGH(*code) || IS_LOW(*code))
		*code = 0xFFFD;
	return at;
}

static void
add_code(struct buf *out, uint32_t code)
{
	if (code < 0x80) {
		buf_addc(out, (char)code);
		return;
	}
	if (code < 0x800) {
		buf_addc(out, (char)(0xC0 | code >> 6));
	} else {
		if (code < 0x10000) {
			buf_addc(out, (char)(0xE0 | code >> 12));
		} else {
			buf_addc(out, (char)(0xF0 | code >> 18));
			buf_addc(out, (char)(0x80 | (code >> 12 & 0x3F)));
		}
		buf_addc(out, (char)(0x80 | (code >> 6 & 0x3F)));
	}
	buf_addc(out, (char)(0x80 | (code & 0x3F)));
}

static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";

/* Takes one escape; at is at its backslash. */
static const char *
take_escape(struct buf *out, const char *at, const char *nul, size_t nul_len)
{
	const char *letter = strchr(letters, at[1]);
	uint32_t code;

	if (at[1] != 'u') {
		buf_addc(out, letter ? meant[letter - letters] : at[1]);
		return at + 2;
	}
	at = take_code(at + 2, &code);
	if (code == 0)
		buf_add(out, nul, nul_len);
	else
		add_code(out, code);
	return at;
}

void
unquote(struct buf *out, const char *quoted, const char *end,
    const char *nul, size_t nul_len)
{
	const char *at = quoted + 1, *quote = quoted, *escape;

	for (;;) {
		if (quote < at) /* or many escapes take quadratic time */
			quote = memchr(at, '"', (size_t)(end - at));
		if (!quote)
			quote = end;
		escape = memchr(at, '\\', (size_t)(quote - at));
		if (!escape)
			break;
		buf_add(out, at, (size_t)(escape - at));
		if (quote == end && end - escape < UNQUOTE_SLACK)
			return;
		at = take_escape(out, escape, nul, nul_len);
	}
	buf_add(out, at, (size_t)(quote - at));
}

/* Adds what stands for a character that may not stand for itself. */
static void
add_escape(struct buf *out, char c)
{
	const char *letter = strchr(meant, c);

	if (c == '"' || c == '\\')
		buf_addf(out, "\\%c", c);
	else if (letter)
		buf_addf(out, "\\%c", letters[letter - meant]);
	else
		buf_addf(out, "\\u%04x", (unsigned)c);
}

void
quote(struct buf *out, const char *text)
{
	static const char special[] = "\"\\"
	    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	    "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
	size_t plain;

	buf_addc(out, '"');
	for (;; text += plain + 1) {
		plain = strcspn(text, special);
		buf_add(out, text, plain);
		if (text[plain] == '\0')
			break;
		add_escape(out, text[plain]);
	}
	buf_addc(out, '"');
}
