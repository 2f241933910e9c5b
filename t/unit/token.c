/* SPDX-License-Identifier: ISC */
/* The secret in the Authorization header. */
#include "config/token.h"

#include "tap.h"

#include <string.h>

static const struct {
	const char *accepted;
	const char *header;
	enum token_verdict verdict;
	const char *title;
} cases[] = {
	{ "s3cret", "s3cret", TOKEN_OK, "the token itself is right" },
	{ "s3cret", "Bearer s3cret", TOKEN_OK,
	    "Bearer before the header's is ignored" },
	{ "Bearer s3cret", "s3cret", TOKEN_OK,
	    "Bearer before the configured one is ignored" },
	{ "Bearer s3cret", "Bearer s3cret", TOKEN_OK,
	    "Bearer on both sides is ignored" },
	{ "s3cret", "bearer s3cret", TOKEN_OK, "bearer in small letters" },
	{ "s3cret", "BEARER s3cret", TOKEN_OK, "BEARER in capitals" },
	{ "bEaReR s3cret", "BeArEr s3cret", TOKEN_OK, "bEaReR in any case" },
	{ "s3cret", "Bearer    s3cret", TOKEN_OK,
	    "several spaces behind Bearer" },
	{ "s3cret", "Bearer\ts3cret", TOKEN_OK, "a tab behind Bearer" },
	{ "s3cret", "  s3cret ", TOKEN_OK, "white space around the header" },
	{ " \ts3cret\t ", "s3cret", TOKEN_OK,
	    "white space around the configured one" },
	{ "s3cret\n", "s3cret", TOKEN_OK, "a line end behind it" },
	{ "s3cret\r\n", "s3cret", TOKEN_OK, "a CRLF behind it" },
	{ "two words", "two words", TOKEN_OK, "a token may hold a space" },
	{ "Basic dTpw", "Basic dTpw", TOKEN_OK,
	    "another scheme is part of the token" },
	{ "dTpw", "Basic dTpw", TOKEN_WRONG, "and is not ignored" },
	{ "s\xC3\xA9" "cret", "s\xC3\xA9" "cret", TOKEN_OK,
	    "bytes above 7F count as they are" },
	{ "x", "x", TOKEN_OK, "a token of one sign" },

	{ "s3cret", NULL, TOKEN_MISSING, "no header is missing" },
	{ "s3cret", "", TOKEN_MISSING, "an empty header is missing" },
	{ "s3cret", " \t ", TOKEN_MISSING, "white space alone is missing" },
	{ "s3cret", "Bearer ", TOKEN_MISSING, "Bearer alone is missing" },
	{ "s3cret", "wrong!", TOKEN_WRONG,
	    "another token of that length is wrong" },
	{ "s3cret", "S3CRET", TOKEN_WRONG, "capitals count" },
	{ "s3cret", "s3cre", TOKEN_WRONG, "a beginning is wrong" },
	{ "s3cret", "s3cret1", TOKEN_WRONG, "a longer one is wrong" },
	{ "s3cret", "s3crets3cret", TOKEN_WRONG, "the token twice is wrong" },
	{ "xx", "x", TOKEN_WRONG, "half of it is wrong" },
	{ "s3cret", "3cret", TOKEN_WRONG, "an ending is wrong" },
	{ "s3cret", "Bearers3cret", TOKEN_WRONG,
	    "Bearer without a space belongs to the token" },
	{ "s3cret", "Bearer Bearer s3cret", TOKEN_WRONG,
	    "only one Bearer is ignored" },
	{ "s3cret", "s3cret, s3cret", TOKEN_WRONG,
	    "two headers that a server joined are wrong" },
	{ "s3cret", "s3 cret", TOKEN_WRONG, "white space within counts" },

	{ "old\nnew", "old", TOKEN_OK, "the first of two tokens" },
	{ "old\nnew", "new", TOKEN_OK, "the second of two tokens" },
	{ "old\nnew", "oldnew", TOKEN_WRONG, "both together are wrong" },
	{ "old\nnew", "old new", TOKEN_WRONG, "both with a space as well" },
	{ "\n\n \nold\n\n", "old", TOKEN_OK, "blank lines do not count" },
	{ "a\nb\nc\nd", "d", TOKEN_OK, "the last of many" },
	{ "a\nb\nc\nd", "e", TOKEN_WRONG, "none of many" },
	{ "Bearer a\r\n bearer b \r\n", "b", TOKEN_OK,
	    "each line is read like a header" },

	{ "", "anything", TOKEN_WRONG, "no token accepts nothing" },
	{ "\n \n", "anything", TOKEN_WRONG, "blank lines accept nothing" },
	{ "", "", TOKEN_MISSING, "not even no text" },
	{ "\n", " ", TOKEN_MISSING, "nor white space" },
	{ "Bearer ", "Bearer ", TOKEN_MISSING, "nor Bearer alone" },
	{ "", NULL, TOKEN_MISSING, "nor no header" },
};

static void
test_cases(void)
{
	static const char *const names[] = { "wrong", "missing", "ok" };
	size_t i;

	for (i = 0; i < ROWS(cases); i++)
		is_str(names[token_check(cases[i].accepted, cases[i].header)],
		    names[cases[i].verdict], "%s", cases[i].title);
	is_num(TOKEN_WRONG, 0, "the safe verdict is zero");
}

/* Every token of 1 to 40 signs against each change of one sign of it. */
static void
test_one_sign_off(void)
{
	char token[41], header[41];
	size_t len, i, bad = 0;

	for (len = 1; len <= 40; len++) {
		for (i = 0; i < len; i++)
			token[i] = (char)('A' + (i * 7 + len) % 26);
		token[len] = '\0';
		memcpy(header, token, sizeof(header));
		bad += token_check(token, header) != TOKEN_OK;
		for (i = 0; i < len; i++) {
			header[i] ^= 1;
			bad += token_check(token, header) != TOKEN_WRONG;
			header[i] ^= 1;
		}
		for (i = 1; i < len; i++) {
			header[i] = '\0';
			bad += token_check(token, header) != TOKEN_WRONG;
			bad += token_check(header, token) != TOKEN_WRONG;
			header[i] = token[i];
		}
	}
	is_num((long long)bad, 0, "one sign changed, or some left out, is "
	    "wrong at every length");
}

static const struct {
	const char *accepted;
	unsigned count, shortest;
} counts[] = {
	{ "", 0, 0 },
	{ "\n \r\n\t\n", 0, 0 },
	{ "Bearer ", 0, 0 },
	{ "abc", 1, 3 },
	{ "Bearer abc", 1, 3 },
	{ "abc\n", 1, 3 },
	{ "abcdef\nab\nabcd", 3, 2 },
	{ "ab\n\n  abcdef  \r\n", 2, 2 },
	{ "abcdef\n a \n", 2, 1 },
};

static void
test_counts(void)
{
	unsigned count, shortest;
	size_t i;

	for (i = 0; i < ROWS(counts); i++) {
		shortest = 99;
		count = token_count(counts[i].accepted, &shortest);
		ok(count == counts[i].count && shortest == counts[i].shortest,
		    "list %zu has %u token(s), the shortest of %u", i + 1,
		    counts[i].count, counts[i].shortest);
	}
}

int
main(void)
{
	test_cases();
	test_one_sign_off();
	test_counts();
	return done_testing();
}
