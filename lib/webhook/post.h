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

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * An answer sorted by what to do next (Slack, "Handling errors" of incoming
 * webhooks). Success is a 2xx with "ok", or with JSON in which ok or success
 * is true, or a 204 without a body. Else a word of Slack's decides, before
 * the status, and the status where the word is new. What is not Slack's, a
 * page say, is POST_LATER: nothing else condemns a message.
 */
enum post_result {
	POST_LATER,	/* transient: try again */
	POST_SENT,	/* taken */
	POST_REFUSED,	/* this destination: try others, tell the owner */
	POST_NEVER	/* this payload: it will never be taken */
};

struct post_outcome {
	enum post_result result;
	int status;		/* HTTP's; 0 when no answer came */
	int64_t retry_after_s;	/* least wait before a next try; 0: not said */
	bool timed_out;
	/* Slack's word ("no_service"), or else what went wrong, in words of
	 * ours: plain text of one line, in which no address is. With a status
	 * of 0 it tells of this machine, and is for its owner alone. */
	char reason[256];
};

/* "sent", "later", "refused" or "never". */
const char *post_result_name(enum post_result result);

/*
 * What an answer means; pure. body is NUL-terminated and may be cut.
 * retry_after_s is the header's, 0 for none; the body may have a longer one.
 */
void post_judge(struct post_outcome *outcome, int status, const char *body,
    int64_t retry_after_s);

/* Of what follows, a static door has its own that post nothing: static.c. */
struct poster;

/*
 * Keeps connections open from one post to the next. Never NULL. libcurl is
 * loaded for the first post; where it is missing each post is POST_LATER.
 * Where loading it hangs the process ends: see watchdog.h.
 */
struct poster *poster_new(void);
/* Posts that are on their way are given up. Waits for nothing. */
void poster_free(struct poster *p);

/*
 * Loads libcurl now, unless it is there or missing: the first post does, but
 * a time that is set for that begins only then.
 */
void poster_load(struct poster *p);

/* Whether libcurl can be loaded; it is. False adds to *why. */
bool poster_check(struct buf *why);

/*
 * Posts the JSON in *payload, once: when the connection ends without an
 * answer, that is an outcome. Waits no longer than timeout_ms > 0, of which
 * finding the host and connecting to it may take 5 s.
 */
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
