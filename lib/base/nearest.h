/* SPDX-License-Identifier: ISC */
/*
 * The word that a misspelt one was meant to be. Pure.
 *
 *	struct nearest n = { "faliure", NULL, 0 };
 *
 *	nearest_try(&n, "failure");
 *	nearest_try(&n, "limit");
 *	n.found is "failure"
 */
#ifndef NEAREST_H
#define NEAREST_H

struct nearest {
	const char *word;	/* what was written */
	const char *found;	/* borrowed; NULL: no candidate is near */
	unsigned distance;	/* of found: letters to change */
};

/*
 * Makes candidate n->found when it is nearer to the word than what was
 * found before. The distance is that of Damerau and Levenshtein: letters
 * put in, left out, exchanged, or swapped with their neighbour; upper and
 * lower case are equal. Up to two letters may differ, of a word of three to
 * five letters one, of a shorter word none.
 */
void nearest_try(struct nearest *n, const char *candidate);

#endif
