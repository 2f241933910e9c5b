/* SPDX-License-Identifier: ISC */
/*
 * What the body of an answer to a post says. Pure, and the only part of
 * posting that reads JSON. What it means is for post_judge.c.
 */
#ifndef POST_ANSWER_H
#define POST_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#define POST_ANSWER_MAX 4096	/* bytes of a body that are looked at */
#define POST_WORD_MAX 64	/* letters of a word */

struct post_answer {
	bool empty;		/* nothing but white space */
	bool ok;		/* "ok", or JSON with ok or success true */
	bool json;		/* an object, which is whole */
	/*
	 * The body, or the "error" of a JSON one, where that is one word of
	 * letters, digits and "_"; else "". It may be shown to anybody.
	 */
	char word[POST_WORD_MAX + 1];
	int64_t retry_after_s;	/* that of a JSON body; 0: none */
};

/* Reads a NUL-terminated body, of which a longer one may be cut. */
void post_answer_read(struct post_answer *a, const char *body);

/*
 * Seconds as Retry-After has them: digits, perhaps with a fraction, which
 * is rounded up. 0 for none, and for any other text, a date for one. A
 * number above a billion is a billion.
 */
int64_t post_answer_seconds(const char *text);

#endif
