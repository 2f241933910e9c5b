/* SPDX-License-Identifier: ISC */
/*
 * When a destination may have its next message, and how large that may be.
 * Pure: times come in, decisions go out; the queue keeps what is decided,
 * so that it outlives every process.
 */
#ifndef PACE_H
#define PACE_H

#include "queue/queue_state.h"
#include "webhook/post.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the configuration says, in milliseconds and events. */
struct pace_rules {
	int64_t interval_ms;	/* SLACK_INTERVAL */
	int64_t retry_max_ms;	/* SLACK_RETRY_MAX */
	int64_t digest_after;	/* DIGEST_AFTER */
};

/* Milliseconds still to wait at now_ms; 0: it may have a message. */
int64_t pace_left(const struct pace *p, int64_t now_ms);

/* Whether the wait was set later than now, by a clock since set back. */
bool pace_is_ahead(const struct pace *p, int64_t now_ms);

/* Lets the wait begin anew, if so. */
void pace_move(struct pace *p, int64_t now_ms);

/*
 * Events that the next message may hold, when so many wait. More than
 * SLACK_ATTACHMENTS_MAX: it is a digest.
 */
size_t pace_budget(const struct pace *p, const struct pace_rules *rules,
    int64_t waiting);

/* A message is about to be posted. */
void pace_began(struct pace *p, const struct pace_rules *rules,
    int64_t now_ms);

/* What is to be done with the events of a message that is over. */
enum pace_verdict {
	PACE_WAIT,		/* they wait on */
	PACE_SENT,		/* they are delivered */
	PACE_POSTPONE,		/* the one event may be at fault: it goes
				 * behind the others */
	PACE_POSTPONE_LONG,	/* the others went out, and it fails still:
				 * the same, for retry_max */
	PACE_SET_ASIDE,		/* Slack will never take the one event */
	PACE_RECALL		/* nor those before it, by the same word: so
				 * the destination is at fault, and they all
				 * wait again, from condemned_ms on */
};

/* A message that is over. */
struct pace_message {
	size_t events;		/* in it; 0: it told of others */
	bool others;		/* wait as well, and are not postponed */
	bool postponed;		/* its one event was */
};

/*
 * Puts down what came of a message. chance, from 0 to 1, spreads the tries of
 * several senders (jitter).
 *
 * An event that Slack will never take is found by halves. So is one that
 * makes it fail, or be slow: from the third such failure in a row on.
 */
enum pace_verdict pace_ended(struct pace *p, const struct pace_rules *rules,
    const struct post_outcome *outcome, const struct pace_message *message,
    int64_t now_ms, double chance);

/*
 * The destination has this address now. Where it had another one, what was
 * learnt from that is forgotten, but for when the last message was. Returns
 * whether something has changed.
 */
bool pace_aim(struct pace *p, const char *url, int64_t now_ms);

/*
 * The wait before the next try after so many failures in a row: from one
 * second, or the interval if that is longer, doubling up to retry_max_ms;
 * jitter takes off up to half of it.
 */
int64_t pace_backoff_ms(const struct pace_rules *rules, int64_t failures,
    double chance);

#endif
