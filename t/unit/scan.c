/* SPDX-License-Identifier: ISC */
/*
 * Is it JSON? Short texts of every kind are judged by a second reader,
 * written after the grammar of RFC 8259 from the top down, and by ours,
 * whole and byte by byte.
 */
#include "json/scan.h"

#include "base/buf.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------- the second reader */

static const char *read_any(const char *at);

static const char *
skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* Each of these returns where its value ends, or NULL when it is none. */
static const char *
read_word(const char *at, const char *word)
{
	return strncmp(at, word, strlen(word)) == 0 ? at + strlen(word) : NULL;
}

static const char *
read_digits(const char *at)
{
	size_t digits = strspn(at, "0123456789");

	return digits > 0 ? at + digits : NULL;
}

static const char *
read_number(const char *at)
{
	at += *at == '-';
	at = *at == '0' ? at + 1 : read_digits(at);
	if (at && *at == '.')
		at = read_digits(at + 1);
	if (at && (*at == 'e' || *at == 'E')) {
		at++;
		at = read_digits(at + (*at == '-' || *at == '+'));
	}
	return at;
}

static const char *
read_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at != '\\')
			continue;
		at++;
		if (*at == 'u' && strspn(at + 1, "0123456789abcdefABCDEF") >=
		    4)
			at += 4;
		else if (*at == '\0' || !strchr("\"\\/bfnrt", *at))
			return NULL;
	}
	return at + 1;
}

static const char *
read_member(const char *at)
{
	at = read_string(skip_space(at));
	if (!at)
		return NULL;
	at = skip_space(at);
	return *at == ':' ? read_any(at + 1) : NULL;
}

static const char *
read_list(const char *at, char end, const char *(*item)(const char *at))
{
	at = skip_space(at + 1);
	if (*at == end)
		return at + 1;
	for (;; at++) {
		at = item(at);
		if (!at)
			return NULL;
		at = skip_space(at);
		if (*at == end)
			return at + 1;
		if (*at != ',')
			return NULL;
	}
}

static const char *
read_any(const char *at)
{
	at = skip_space(at);
	switch (*at) {
	case '[':
		return read_list(at, ']', read_any);
	case '{':
		return read_list(at, '}', read_member);
	case '"':
		return read_string(at);
	case 't':
		return read_word(at, "true");
	case 'f':
		return read_word(at, "false");
	case 'n':
		return read_word(at, "null");
	default:
		return read_number(at);
	}
}

/* Whether a text is a stream of values. */
static bool
is_json(const char *text)
{
	while (text && *skip_space(text))
		text = read_any(text);
	return text != NULL;
}

/* ------------------------------------------------------ the first one */

/* All good bytes, and nothing left open. */
static bool
scans_as_json(const char *text, size_t piece)
{
	size_t len = strlen(text), done, n;
	const char *why = NULL;
	struct scan s;

	memset(&s, 0, sizeof(s));
	for (done = 0; done < len; done += n) {
		n = len - done < piece ? len - done : piece;
		if (scan_bytes(&s, text + done, n, &why) < n)
			return false;
	}
	return s.place == SCAN_VALUE && s.depth == 0;
}

struct alphabet {
	const char *name;
	const char *letters;
	const char *before, *after;	/* put around each text */
	size_t longest;
};

static const struct alphabet alphabets[] = {
	{ "numbers", "01.-+eE", "[", "]", 6 },
	{ "numbers in an object", "07.-e ", "{\"a\":", "}", 5 },
	{ "structure", "[]{}\":,1", "[", "]", 6 },
	{ "structure of an object", "[]{}\":, ", "{\"a\":", "}", 6 },
	{ "strings", "\"\\u0aG/", "[\"", "\"]", 6 },
	{ "escapes of four digits", "09afAFgG", "[\"\\u", "\"]", 5 },
	{ "words", "truefalsn", "[", "]", 5 },
	{ "white space", " \t\n\r\f\v1,", "[1", "2]", 5 },
};

static void
test_alphabet(const struct alphabet *a)
{
	char text[16], whole[64];
	size_t len, bad = 0, good = 0;
	bool want;

	for (len = 0; len <= a->longest; len++) {
		memset(text, a->letters[0], len);
		text[len] = '\0';
		do {
			snprintf(whole, sizeof(whole), "%s%s%s", a->before,
			    text, a->after);
			want = is_json(whole);
			good += want;
			if ((scans_as_json(whole, 64) != want ||
			    scans_as_json(whole, 1) != want) && bad++ < 5)
				diag("%s is %sJSON", whole, want ? "" :
				    "not ");
		} while (next_text(text, a->letters, len));
	}
	is_num((long long)bad, 0, "%s: every text up to %zu signs is judged "
	    "as the grammar has it", a->name, a->longest);
	ok(good > 0, "and some of them are JSON");
}

/* ----------------------------------------------------------- reasons */

#define UNEXPECTED "an unexpected character"
#define CONTROL "a control byte"
#define NOT_UTF8 "text that is not UTF-8"

static const struct {
	const char *title;
	const char *text;
	size_t good;		/* bytes */
	const char *why;	/* NULL: all are good */
} texts[] = {
	{ "values may follow one another", "1 [2]{}\"3\"null\n", 15, NULL },
	{ "and may be cut anywhere", "[{\"a\":tr", 8, NULL },
	{ "a byte order mark", "\xEF\xBB\xBF[]", 0, "a byte order mark" },
	{ "one behind space is no character of JSON", " \xEF\xBB\xBF[]", 1,
	    UNEXPECTED },
	{ "a letter", "[x]", 1, UNEXPECTED },
	{ "a wrong bracket", "[}", 1, UNEXPECTED },
	{ "a bracket too many", "[]]", 2, UNEXPECTED },
	{ "a comma before a bracket", "[1,]", 3, UNEXPECTED },
	{ "a key that is no string", "{1:2}", 1, UNEXPECTED },
	{ "a number with a zero before it", "[01]", 2, UNEXPECTED },
	{ "a point without digits", "[1.]", 3, UNEXPECTED },
	{ "a plus sign", "[+1]", 1, UNEXPECTED },
	{ "a word in capitals", "[True]", 1, UNEXPECTED },
	{ "a word that goes on", "[truer]", 5, UNEXPECTED },
	{ "an escape of another language", "[\"\\x41\"]", 3, UNEXPECTED },
	{ "an escape with few digits", "[\"\\u12\"]", 6, UNEXPECTED },
	{ "a line feed in a string", "[\"a\nb\"]", 3, CONTROL },
	{ "a tab in a key", "{\"a\tb\":1}", 3, CONTROL },
	{ "an escape byte between values", "[\x1B]", 1, CONTROL },
	{ "DEL is no control byte in a string", "[\"\x7F\"]", 5, NULL },
	{ "DEL between values", "[\x7F]", 1, UNEXPECTED },
	{ "a character outside a string", "[\xC3\xBC]", 1, UNEXPECTED },
	{ "characters in strings", "{\"\xC3\xBC\":\"\xF0\x9F\x98\x80\"}", 13,
	    NULL },
	{ "an overlong form", "[\"a\xC0\xAF\"]", 3, NOT_UTF8 },
	{ "a surrogate", "[\"\xED\xA0\x80\"]", 3, NOT_UTF8 },
	{ "a code beyond the last", "[\"\xF4\x90\x80\x80\"]", 3, NOT_UTF8 },
	{ "a string that ends within a character", "[\"\xE2\x82\"]", 4,
	    NOT_UTF8 },
	{ "a character broken by a backslash", "[\"\xE2\\n\"]", 3, NOT_UTF8 },
	{ "surrogate escapes are the grammar's", "[\"\\uD800\\udfff\"]", 16,
	    NULL },
};

static void
test_texts(void)
{
	const char *why;
	struct scan s;
	size_t i, len, at, good, bad;

	for (i = 0; i < ROWS(texts); i++) {
		len = strlen(texts[i].text);
		memset(&s, 0, sizeof(s));
		why = NULL;
		good = scan_bytes(&s, texts[i].text, len, &why);
		is_num((long long)good, (long long)texts[i].good, "%s: the "
		    "good bytes are counted", texts[i].title);
		is_str(good < len ? why : NULL, texts[i].why, "and the "
		    "reason is told");
		memset(&s, 0, sizeof(s));
		for (at = bad = 0; at < len; at++) {
			good = scan_bytes(&s, texts[i].text + at, 1, &why);
			bad += (good == 1) != (at < texts[i].good);
			if (good == 0)
				break;
		}
		ok(bad == 0 && (at == len || strcmp(why, texts[i].why) == 0),
		    "the same byte by byte");
	}
}

static void
test_nul(void)
{
	static const char *const places[] = {
		"", "[", "[1", "[1,", "{", "{\"a", "{\"a\"", "{\"a\":",
		"[\"\\", "[\"\\u0", "[t", "[-", "[1.", "[1e", "[]",
	};
	const char *why = NULL;
	struct scan s;
	size_t i;

	for (i = 0; i < ROWS(places); i++) {
		memset(&s, 0, sizeof(s));
		scan_bytes(&s, places[i], strlen(places[i]), &why);
		ok(scan_bytes(&s, "", 1, &why) == 0 &&
		    strcmp(why, CONTROL) == 0,
		    "a NUL byte is never good: behind <%s>", places[i]);
	}
	memset(&s, 0, sizeof(s));
	ok(scan_bytes(&s, NULL, 0, &why) == 0 && s.taken == 0,
	    "no bytes are all good");
}

/* Any one byte at places where few may stand. */
static void
test_every_byte(void)
{
	static const struct {
		const char *name;
		const char *before, *after;
	} places[] = {
		{ "behind a backslash", "[\"\\", "\"]" },
		{ "as a digit of an escape", "[\"\\u000", "\"]" },
		{ "in a string", "[\"a", "b\"]" },
		{ "between values", "[1", "2]" },
		{ "for a value", "[", "]" },
		{ "before a key", "{", "\"a\":1}" },
		{ "before a colon", "{\"a\"", ":1}" },
	};
	char text[40];
	unsigned byte;
	size_t i, bad;

	for (i = 0; i < ROWS(places); i++) {
		for (byte = 1, bad = 0; byte < 128; byte++) {
			snprintf(text, sizeof(text), "%s%c%s",
			    places[i].before, (char)byte, places[i].after);
			bad += scans_as_json(text, 40) != is_json(text);
		}
		is_num((long long)bad, 0, "every byte %s is judged as the "
		    "grammar has it", places[i].name);
	}
}

/* Brackets that a text may have at each level, many times over. */
static const struct {
	const char *title;
	const char *open;	/* by turns, one a level */
	const char *close;	/* what ends each */
} nests[] = {
	{ "arrays", "[[", "]]" },
	{ "objects", "{{", "}}" },
	{ "both by turns", "[{", "]}" },
	{ "both in groups", "[[[[[[[{{{{{{{{{{{{{", "]]]]]]]}}}}}}}}}}}}}" },
};

/*
 * A text of so many levels whose innermost one ends with the right bracket,
 * as all the others do, or with the wrong one.
 */
static size_t
nest(char *text, size_t row, size_t levels, bool right)
{
	size_t turns = strlen(nests[row].open), i;
	char *at = text;

	for (i = 0; i < levels; i++) {
		*at++ = nests[row].open[i % turns];
		if (at[-1] == '{' && i + 1 < levels)
			at += sprintf(at, "\"\":");
	}
	for (i = levels; i-- > 0;)
		*at++ = nests[row].close[i % turns];
	if (!right)
		at[-1] = at[-1] == ']' ? '}' : ']';
	return (size_t)(at - text);
}

static size_t
scan_in_pieces(struct scan *s, const char *text, size_t len, size_t piece)
{
	size_t done = 0, n, good;
	const char *why;

	do {
		n = len - done < piece ? len - done : piece;
		good = scan_bytes(s, text + done, n, &why);
		done += good;
	} while (good == n && done < len);
	return done;
}

static void
test_depth(size_t row)
{
	static const size_t levels[] = {
		1, 2, 63, 64, 65, 66, 100, 101, 127, 128, 129, 192, 193, 1000,
		200000
	};
	char *text = malloc(8 * 200000);
	struct scan s = { 0 };
	size_t i, len, bad = 0;

	for (i = 0; i < ROWS(levels); i++) {
		len = nest(text, row, levels[i], true);
		bad += scan_in_pieces(&s, text, len, len) != len ||
		    s.depth != 0;
		scan_release(&s);
		bad += scan_in_pieces(&s, text, len, 13) != len ||
		    s.depth != 0;
		bad += scan_in_pieces(&s, text, len, len) != len; /* again */
		scan_release(&s);
		len = nest(text, row, levels[i], false);
		bad += scan_in_pieces(&s, text, len, len) != len - 1 ||
		    s.depth != 1;
		scan_release(&s);
	}
	is_num((long long)bad, 0, "%s of any depth are read, and the bracket "
	    "that ends each is known", nests[row].title);
	free(text);
}

/* A byte takes up a bit, and no more than twice that. */
static void
test_room(void)
{
	static char text[1000000];
	struct scan s = { 0 };
	const char *why;

	memset(text, '[', sizeof(text));
	is_num((long long)scan_bytes(&s, text, sizeof(text), &why),
	    sizeof(text), "a million levels are good");
	ok(s.outer_size * sizeof(*s.outer) <= sizeof(text) / 4, "and take up "
	    "a bit each, or two");
	scan_release(&s);
	ok(s.outer == NULL && s.depth == 0, "which are given back");
}

/* ------------------------------------------------------- names told of */

static const struct {
	const char *title;
	const char *value;
	size_t levels;
	uint64_t lens;		/* as bits */
	const char *told;	/* each with its level */
} tellings[] = {
	{ "own names", "{\"a\":{\"b\":1},\"cc\":[{\"d\":2}]}", 1,
	    SCAN_ALL_LENS, "1\"a\" 1\"cc\" " },
	{ "those of members as well", "{\"a\":{\"b\":1},\"cc\":[{\"d\":2}]}",
	    2, SCAN_ALL_LENS, "1\"a\" 2\"b\" 1\"cc\" " },
	{ "no names", "{\"a\":1}", 0, SCAN_ALL_LENS, "" },
	{ "names of a length", "{\"a\":1,\"bb\":2,\"ccc\":3,\"\":4}", 1,
	    1 << 2, "1\"bb\" " },
	{ "of two lengths", "{\"a\":1,\"bb\":2,\"ccc\":3,\"\":4}", 1,
	    1 << 3 | 1 << 0, "1\"ccc\" 1\"\" " },
	{ "of a length in the last level alone",
	    "{\"a\":{\"b\":1,\"cc\":2},\"ddd\":3}", 2, 1 << 2,
	    "1\"a\" 2\"cc\" 1\"ddd\" " },
	{ "whatever length with an escape", "{\"a\\n\":1,\"b\":2,\"\\\"\":3}",
	    1, 1 << 7, "1\"a\\n\" 1\"\\\"\" " },
	{ "an escape in a text is none", "{\"a\":\"\\n\",\"b\":2}", 1, 1 << 7,
	    "" },
};

static void
tell(struct buf *out, const char *text, size_t row, size_t piece)
{
	size_t len = strlen(text), done = 0, end;
	enum scan_stop stop = SCAN_MORE;
	struct scan s = { 0 };
	const char *why;

	scan_begin(&s, tellings[row].levels, tellings[row].lens);
	while (done < len && stop != SCAN_WHOLE && stop != SCAN_BAD) {
		end = (done / piece + 1) * piece;
		done += scan_value(&s, text + done, (end < len ? end : len) -
		    done, &stop, &why);
		if (stop == SCAN_NAME)
			buf_addf(out, "%zu%.*s ", scan_level(&s),
			    (int)(done - s.name), text + s.name);
		else if (stop == SCAN_MORE && scan_in_name(&s) &&
		    (s.name >= done || text[s.name] != '"'))
			buf_adds(out, "(in no name) ");
	}
	if (stop != SCAN_WHOLE)
		buf_adds(out, "(not whole) ");
	scan_release(&s);
}

static void
test_tellings(void)
{
	struct buf got = BUF_INIT;
	size_t i, piece;

	for (i = 0; i < ROWS(tellings); i++)
		for (piece = 1; piece < 40; piece += 6) {
			buf_clear(&got);
			tell(&got, tellings[i].value, i, piece);
			is_str(buf_text(&got), tellings[i].told, "%s are told "
			    "of, in pieces of %zu", tellings[i].title, piece);
		}
	buf_release(&got);
	ok(scan_len_bit(63) == scan_len_bit(1000) && scan_len_bit(62) !=
	    scan_len_bit(63), "long names have one bit in common");
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ROWS(alphabets); i++)
		test_alphabet(&alphabets[i]);
	test_texts();
	test_nul();
	test_every_byte();
	for (i = 0; i < ROWS(nests); i++)
		test_depth(i);
	test_room();
	test_tellings();
	return done_testing();
}
