/* SPDX-License-Identifier: ISC */
/* Misspelt words. It knows no list of words. */
#include "base/nearest.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define WORD_MAX 64		/* bytes; of a longer word nothing is found */

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_same(char a, char b)
{
	return lower(a) == lower(b);
}

/* Both are at most WORD_MAX bytes long. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], *now, *last, *before, cost;
	size_t i, j, b_len = strlen(b);

	for (j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (i = 1; a[i - 1]; i++) {
		now = rows[i % 3];
		last = rows[(i + 2) % 3];
		before = rows[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (j = 1; j <= b_len; j++) {
			cost = !is_same(a[i - 1], b[j - 1]);
			now[j] = least(least(now[j - 1], last[j]) + 1,
			    last[j - 1] + cost);
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
			    is_same(a[i - 2], b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return rows[strlen(a) % 3][b_len];
}

static unsigned
most_for(size_t len)
{
	if (len > WORD_MAX || len < 3)
		return 0;
	return len < 6 ? 1 : 2;
}

void
nearest_try(struct nearest *n, const char *candidate)
{
	size_t len = strlen(n->word);
	unsigned apart;

	if (len > WORD_MAX || strlen(candidate) > WORD_MAX)
		return;
	apart = distance(n->word, candidate);
	if (apart > most_for(len) || (n->found && apart >= n->distance))
		return;
	n->found = candidate;
	n->distance = apart;
}
