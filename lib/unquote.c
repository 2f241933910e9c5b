/* SPDX-License-Identifier: ISC */
/* Escapes to text. What is no good string never comes here. */
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

/* Takes one escape; at is at its backslash. */
static const char *
take_escape(struct buf *out, const char *at, const char *nul, size_t nul_len)
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
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
		escape = memchr(at, '\\', (size_t)(quote - at));
		if (!escape)
			break;
		buf_add(out, at, (size_t)(escape - at));
		at = take_escape(out, escape, nul, nul_len);
	}
	buf_add(out, at, (size_t)(quote - at));
}
