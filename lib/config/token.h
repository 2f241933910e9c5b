/* SPDX-License-Identifier: ISC */
/*
 * The secret that Auth0 sends in the Authorization header. Pure.
 *
 * Auth0 sends exactly what the stream's form holds and adds nothing; its
 * placeholder says "Bearer ...", so half of all users type that word and
 * the other half do not. A leading "Bearer " is therefore ignored on both
 * sides, in any case (RFC 9110 section 11.1).
 */
#ifndef TOKEN_H
#define TOKEN_H

enum token_verdict {
	TOKEN_WRONG,
	TOKEN_MISSING,
	TOKEN_OK
};

/*
 * Compares a header's value (NULL when there was none) with the accepted
 * tokens, given one a line; blank lines and white space around a token do
 * not count. The time taken depends on the lengths alone, never on where
 * the texts differ. No token at all accepts nothing: whoever lets
 * everybody post does not ask.
 */
enum token_verdict token_check(const char *accepted, const char *header);

/* The number of tokens in accepted, and the length of the shortest. */
unsigned token_count(const char *accepted, unsigned *shortest);

#endif
