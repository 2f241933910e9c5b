/* SPDX-License-Identifier: ISC */
/* UTF-8 as RFC 3629 has it. */
#include "base/utf8.h"

#include "tap.h"

#include <string.h>

static const struct {
	const char *what;
	const char *text;
	size_t len;		/* of the character at its start */
	uint32_t code;
} characters[] = {
	{ "a letter", "a", 1, 'a' },
	{ "a letter before another", "ab", 1, 'a' },
	{ "U+007F", "\x7F", 1, 0x7F },
	{ "U+0080", "\xC2\x80", 2, 0x80 },
	{ "U+00E9", "\xC3\xA9x", 2, 0xE9 },
	{ "U+07FF", "\xDF\xBF", 2, 0x7FF },
	{ "U+0800", "\xE0\xA0\x80", 3, 0x800 },
	{ "U+20AC", "\xE2\x82\xAC", 3, 0x20AC },
	{ "U+D7FF", "\xED\x9F\xBF", 3, 0xD7FF },
	{ "U+E000", "\xEE\x80\x80", 3, 0xE000 },
	{ "U+FFFF", "\xEF\xBF\xBF", 3, 0xFFFF },
	{ "U+10000", "\xF0\x90\x80\x80", 4, 0x10000 },
	{ "U+1F600", "\xF0\x9F\x98\x80", 4, 0x1F600 },
	{ "U+10FFFF", "\xF4\x8F\xBF\xBF", 4, 0x10FFFF },
	{ "a continuation byte alone", "\x80", 1, 0xFFFD },
	{ "an overlong /, two bytes", "\xC0\xAF", 1, 0xFFFD },
	{ "an overlong U+007F", "\xC1\xBF", 1, 0xFFFD },
	{ "an overlong /, three bytes", "\xE0\x80\xAF", 1, 0xFFFD },
	{ "an overlong U+07FF", "\xE0\x9F\xBF", 1, 0xFFFD },
	{ "an overlong U+FFFF", "\xF0\x8F\xBF\xBF", 1, 0xFFFD },
	{ "the surrogate U+D800", "\xED\xA0\x80", 1, 0xFFFD },
	{ "the surrogate U+DFFF", "\xED\xBF\xBF", 1, 0xFFFD },
	{ "U+110000", "\xF4\x90\x80\x80", 1, 0xFFFD },
	{ "a byte F5", "\xF5\x80\x80\x80", 1, 0xFFFD },
	{ "a byte FF", "\xFF", 1, 0xFFFD },
	{ "a character cut after one byte of two", "\xC3", 1, 0xFFFD },
	{ "a character cut after two bytes of three", "\xE2\x82", 1, 0xFFFD },
	{ "a character cut after three bytes of four", "\xF0\x9F\x98", 1,
	    0xFFFD },
	{ "a character broken by a letter", "\xE2\x82x", 1, 0xFFFD },
};

static void
test_next(void)
{
	uint32_t code;
	size_t i, len;

	for (i = 0; i < ROWS(characters); i++) {
		code = 0;
		len = utf8_next(characters[i].text, strlen(characters[i].text),
		    &code);
		ok(len == characters[i].len && code == characters[i].code,
		    "%s is U+%04X, %zu byte(s)", characters[i].what,
		    (unsigned)characters[i].code, characters[i].len);
	}
	code = 0;
	len = utf8_next("\0x", 2, &code);
	ok(len == 1 && code == 0, "a NUL byte is U+0000");
	len = utf8_next("\xE2\x82\xAC", 2, &code);
	ok(len == 1 && code == 0xFFFD, "no byte beyond the length is looked "
	    "at");
}

/* Written from the definition, to check the other one against. */
static size_t
encode(uint32_t code, char *bytes)
{
	if (code < 0x80) {
		bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		bytes[0] = (char)(0xC0 | code >> 6);
		bytes[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		bytes[0] = (char)(0xE0 | code >> 12);
		bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
		bytes[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	bytes[0] = (char)(0xF0 | code >> 18);
	bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
	bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
	bytes[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static bool
is_valid(const char *bytes, size_t len)
{
	struct utf8 u = { 0, 0, 0, 0 };
	size_t i;

	for (i = 0; i < len; i++)
		if (!utf8_step(&u, (unsigned char)bytes[i]))
			return false;
	return utf8_between(&u);
}

static void
test_all_characters(void)
{
	uint32_t code, got;
	size_t len, cut, bad = 0, cuts = 0;
	char bytes[4];
	bool surrogate;

	for (code = 0; code < 0x110000; code++) {
		surrogate = code >= 0xD800 && code < 0xE000;
		len = encode(code, bytes);
		got = 0xFFFFFFFF;
		if (is_valid(bytes, len) == surrogate)
			bad++;
		if (!surrogate && (utf8_next(bytes, len, &got) != len ||
		    got != code))
			bad++;
		for (cut = 1; cut < len; cut++)
			cuts += is_valid(bytes, cut);
	}
	is_num((long long)bad, 0, "every character but the surrogates is "
	    "valid and comes back as itself");
	is_num((long long)cuts, 0, "no character that is cut is valid");
}

/* Two bytes are valid when they are two letters or one character. */
static void
test_all_pairs(void)
{
	unsigned a, b;
	size_t bad = 0;
	char bytes[2];
	bool want;

	for (a = 0; a < 256; a++)
		for (b = 0; b < 256; b++) {
			bytes[0] = (char)a;
			bytes[1] = (char)b;
			want = (a < 0x80 && b < 0x80) ||
			    (a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);
			bad += is_valid(bytes, 2) != want;
		}
	is_num((long long)bad, 0, "of all pairs of bytes the right ones are "
	    "valid");
}

/* How far whole characters beyond ASCII go, one step at a time. */
static size_t
steps_beyond_ascii(const char *bytes, size_t len)
{
	struct utf8 u = { 0, 0, 0, 0 };
	size_t i, whole = 0;

	for (i = 0; i < len; i++) {
		if (utf8_between(&u) && (unsigned char)bytes[i] < 0x80)
			break;
		if (!utf8_step(&u, (unsigned char)bytes[i]))
			break;
		if (utf8_between(&u))
			whole = i + 1;
	}
	return whole;
}

/* Of four bytes each: any first one, and the others at an edge. */
static void
test_skip(void)
{
	static const unsigned char edges[] = {
		0x00, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0,
		0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xFF
	};
	size_t i, j, k, len, bad = 0;
	unsigned first;
	char bytes[4];

	for (first = 0; first < 256; first++)
		for (i = 0; i < ROWS(edges); i++)
			for (j = 0; j < ROWS(edges); j++)
				for (k = 0; k < 4 * ROWS(edges); k++) {
					bytes[0] = (char)first;
					bytes[1] = (char)edges[i];
					bytes[2] = (char)edges[j];
					bytes[3] = (char)edges[k / 4];
					len = 1 + k % 4;
					bad += (size_t)(utf8_skip(bytes,
					    bytes + len) - bytes) !=
					    steps_beyond_ascii(bytes, len);
				}
	is_num((long long)bad, 0, "whole characters beyond ASCII are skipped, "
	    "and no others");
}

static void
test_between(void)
{
	struct utf8 u = { 0, 0, 0, 0 };

	ok(utf8_between(&u), "the start is between two characters");
	ok(utf8_step(&u, 0xE2) && !utf8_between(&u),
	    "after the first of three bytes it is not");
	ok(utf8_step(&u, 0x82) && !utf8_between(&u),
	    "after the second neither");
	ok(utf8_step(&u, 0xAC) && utf8_between(&u) && u.code == 0x20AC,
	    "after the third it is, and the character is known");
	is_str(UTF8_REPLACEMENT, "\xEF\xBF\xBD", "U+FFFD stands for what "
	    "cannot be shown");
}

static void
test_mend(void)
{
	static const char text[] = "a\xC3\xBC\xE2\x82" "b\xFF\xEF\xBF\xBD";
	struct buf out = BUF_INIT;

	utf8_mend(&out, text, sizeof(text) - 1);
	is_str(buf_text(&out), "a\xC3\xBC" UTF8_REPLACEMENT UTF8_REPLACEMENT
	    "b" UTF8_REPLACEMENT UTF8_REPLACEMENT, "each byte that is none "
	    "of a character becomes U+FFFD, and nothing else changes");
	buf_release(&out);
}

static void
test_invisible(void)
{
	static const uint32_t some[] = {
		0xAD, 0x61C, 0x115F, 0x200B, 0x200D, 0x200F, 0x202E, 0x2060,
		0x2069, 0x3164, 0xFE0F, 0xFEFF, 0xFFA0, 0xE0020, 0xE007F,
		0xE01EF,
	};
	static const uint32_t none[] = {
		0, ' ', 'a', 0x34E, 0x350, 0x600, 0x200A, 0x2010, 0x2070,
		0x2800, 0x3163, 0xFFFD, 0x1F600, 0xDFFFF, 0xE1000,
	};
	unsigned long count = 0;
	uint32_t code;
	size_t i;

	for (i = 0; i < ROWS(some); i++)
		ok(utf8_is_invisible(some[i]), "U+%04X shows nothing",
		    (unsigned)some[i]);
	for (i = 0; i < ROWS(none); i++)
		ok(!utf8_is_invisible(none[i]), "U+%04X is not among them",
		    (unsigned)none[i]);
	for (code = 0; code <= 0x10FFFF; code++) {
		count += utf8_is_invisible(code);
		if (utf8_turns_direction(code) && !utf8_is_invisible(code))
			ok(false, "a mark of direction shows nothing");
	}
	is_num((long long)count, 4174 + 3, "there are as many as in "
	    "DerivedCoreProperties.txt, and three more");
}

int
main(void)
{
	test_next();
	test_all_characters();
	test_all_pairs();
	test_skip();
	test_between();
	test_mend();
	test_invisible();
	return done_testing();
}
