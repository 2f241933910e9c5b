/* SPDX-License-Identifier: ISC */
/*
 * HTTPS POSTs to incoming webhooks, and what came of them.
 *
 * TLS is verified; redirects are not followed, because the URL is the
 * secret; https is spoken, and http only to this machine. Proxies come
 * from libcurl's usual variables (https_proxy, no_proxy, ...), certificate
 * authorities from CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, as the
 * curl program has them.
 */
#ifndef POST_H
#define POST_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Slack's answer sorted by what to do next (Slack, "Handling errors" of
 * incoming webhooks): the word in the body decides first, then the status.
 */
enum post_result {
	POST_LATER,	/* transient: try again */
	POST_SENT,	/* 200 and "ok": nothing else is success */
	POST_REFUSED,	/* this destination: try others, tell the owner */
	POST_NEVER	/* this payload: it will never be taken */
};

struct post_outcome {
	enum post_result result;
	int status;		/* HTTP's; 0 when no answer came */
	int64_t retry_after_s;	/* least wait before a next try; 0: not said */
	bool timed_out;
	/* Slack's word ("no_service"), or else what went wrong; plain text
	 * of one line, in which the URL is not. */
	char reason[256];
};

/* "sent", "later", "refused" or "never". */
const char *post_result_name(enum post_result result);

/*
 * What an answer means; pure. body is NUL-terminated and may be cut.
 * retry_after_s is the header's, 0 for none.
 */
void post_judge(struct post_outcome *outcome, int status, const char *body,
    int64_t retry_after_s);

/* Of what follows, a static door has its own that post nothing: static.c. */
struct poster;

/*
 * Keeps connections open from one post to the next. Never NULL. libcurl is
 * loaded for the first post; where it is missing each post is POST_LATER.
 */
struct poster *poster_new(void);
/* Posts that are on their way are given up. */
void poster_free(struct poster *p);

/* Whether libcurl can be loaded; it is. False adds to *why. */
bool poster_check(struct buf *why);

/* Posts the JSON in *payload, waiting no longer than timeout_ms > 0. */
void poster_send(struct poster *p, const char *url, const struct buf *payload,
    int64_t timeout_ms, struct post_outcome *outcome);

/*
 * The same for several at a time: begins a post, which poster_wait() will
 * give back by its ticket, not NULL. *payload must stay as it is until
 * then.
 */
void poster_begin(struct poster *p, void *ticket, const char *url,
    const struct buf *payload, int64_t timeout_ms);

/*
 * Waits up to timeout_ms until a post is over: returns its ticket and what
 * came of it; NULL when none was over by then, or when wake_fd (-1: none)
 * became readable.
 */
void *poster_wait(struct poster *p, int wake_fd, int64_t timeout_ms,
    struct post_outcome *outcome);

#endif
