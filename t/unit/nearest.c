/* SPDX-License-Identifier: ISC */
/* The word that a misspelt one was meant to be. */
#include "base/nearest.h"

#include "tap.h"

#include <string.h>

static const char *const words[] = { "failure", "limit", "limit_wc", "fu" };

static const struct {
	const char *word;
	const char *found;
	const char *title;
} cases[] = {
	{ "failure", "failure", "a word is nearest to itself" },
	{ "FAILURE", "failure", "whatever its case" },
	{ "failur", "failure", "a letter may be missing" },
	{ "failuree", "failure", "a letter may be too many" },
	{ "faylure", "failure", "a letter may be another" },
	{ "fialure", "failure", "two may be swapped" },
	{ "fialuer", "failure", "two faults are few enough in a long word" },
	{ "filurre", "failure", "of any kind" },
	{ "fialures", "failure", "of two kinds" },
	{ "gialuers", NULL, "three are too many" },
	{ "limti", "limit", "one is few enough in a word of five letters" },
	{ "lmiti", NULL, "two are not" },
	{ "limit_w", "limit_wc", "of two near ones the nearer is found" },
	{ "fux", "fu", "one fault in three letters" },
	{ "f", NULL, "none in one" },
	{ "fx", NULL, "nor in two" },
	{ "FU", "fu", "but the case" },
	{ "", NULL, "no word is near to none" },
};

static void
test_cases(void)
{
	struct nearest n;
	size_t i, k;

	for (i = 0; i < ROWS(cases); i++) {
		n.word = cases[i].word;
		n.found = NULL;
		n.distance = 0;
		for (k = 0; k < ROWS(words); k++)
			nearest_try(&n, words[k]);
		is_str(n.found, cases[i].found, "\"%s\": %s", cases[i].word,
		    cases[i].title);
	}
}

static void
test_length(void)
{
	char word[70], candidate[70];
	struct nearest n = { word, NULL, 0 };
	size_t len;

	for (len = 64; len < 66; len++) {
		memset(word, 'x', len);
		memset(candidate, 'x', len);
		word[len] = candidate[len] = '\0';
		word[0] = 'y';
		n.found = NULL;
		nearest_try(&n, candidate);
		ok((n.found != NULL) == (len == 64), "a word of %zu bytes is "
		    "%s", len, len == 64 ? "looked at" : "too long");
	}
}

int
main(void)
{
	test_cases();
	test_length();
	return done_testing();
}
