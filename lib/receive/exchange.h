/* SPDX-License-Identifier: ISC */
/*
 * What a gateway hands over, and what it gets back: a request and the answer
 * to it.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "base/buf.h"

#include <stdint.h>

enum body_state {
	BODY_BAD,	/* cut, stalled, longer than announced: see *why */
	BODY_MORE,
	BODY_END
};

/*
 * A request as a gateway hands it over. Strings are borrowed and live as
 * long as the request does.
 */
struct request {
	const char *method;
	const char *authorization;	/* NULL: none reached the program */
	const char *content_encoding;	/* NULL: none, or "identity" */
	int64_t content_length;		/* -1: not known */
	/*
	 * Reads up to size bytes of the body into bytes and their number
	 * into *len (which is 0 unless BODY_MORE is returned). With BODY_BAD
	 * the reason is added to *why.
	 */
	enum body_state (*read)(void *context, char *bytes, size_t size,
	    size_t *len, struct buf *why);
	void *context;
};

/* What to answer. The body is plain text; none with status 204. */
struct answer {
	int status;
	int64_t retry_after_s;	/* 0: no Retry-After header */
	const char *allow;	/* NULL: no Allow header; a literal */
	struct buf body;
};

/* Sets status and body; text is a line without its end. */
void answer_say(struct answer *answer, int status, const char *text);

/* 200 and "ok". */
void answer_ok(struct answer *answer);

#endif
