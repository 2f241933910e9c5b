/* SPDX-License-Identifier: ISC */
/*
 * The pipeline: a request goes in, an answer comes out, and on the way
 * what is worth telling goes to Slack. Begin reading here; each step has a
 * header of its own:
 *
 *	config/config.h		what the owner asked for (current.h: as it
 *				changes)
 *	config/token.h		whether the sender may post
 *	receive/exchange.h	what a request and an answer are
 *	event/reader.h		the body, record by record, to events (event.h)
 *	event/pick.h		what is in a record (json/prune.h, json/scan.h)
 *	event/filter.h		which of them are sent (catalog.h: type codes)
 *	receive/deliver.h	at once, or by the queue and its worker
 *	delivery/message.h	a message composed and logged
 *	slack/slack.h		events to messages (slack_digest.h: many)
 *	webhook/post.h		a message to Slack
 *	base/log.h		what happened, a line each
 *
 * The worker is a process of its own, and begins in delivery/worker.h:
 *
 *	queue/queue.h		events that wait, over an engine
 *				(queue_engine.h; sqlite and pgsql below it)
 *	delivery/worker.h	from the queue to Slack (channel.h: a
 *				destination of it)
 *	delivery/pace.h		when a destination may have its next message
 *
 * A folder of lib uses itself and those before it in this order: base, json,
 * event, slack, webhook, queue, config, delivery, status, receive. t/source.t
 * holds that.
 */
#ifndef RELAY_H
#define RELAY_H

#include "base/buf.h"
#include "config/config.h"
#include "event/reader.h"
#include "receive/exchange.h"
#include "slack/slack.h"
#include "webhook/post.h"

#include <stdbool.h>
#include <stdint.h>

struct relay;

/*
 * Reads the configuration. When that fails the relay is there all the
 * same and answers 503 until the configuration is mended. Never NULL.
 */
struct relay *relay_new(void);
void relay_free(struct relay *r);

/*
 * Sees to it that what waits is delivered, whatever happened to the worker
 * or the machine: see deliver_look(). To be called at the start of a
 * receiver that stays, after each answer, and again after the milliseconds
 * that it returns; once: this receiver handles a single request.
 */
int64_t relay_look(struct relay *r, bool once);

/*
 * Handles one request, after looking for a change of configuration. It may
 * stop reading the body early; the rest is for the gateway to read away.
 * *answer must be all zero; the caller releases its body.
 */
void relay_handle(struct relay *r, const struct request *request,
    struct answer *answer);

/*
 * For people: what the relay would do with a request body. The texts of
 * the messages are added to *out, as JSON or laid out for a terminal, and to
 * *terms a line for each event and destination that tells which term of the
 * filter decides on it; *counts is filled in. Returns false with the reason
 * in *why for a body that the door would answer with 400.
 */
bool relay_try(const struct config *c, const struct request *request,
    bool json, struct buf *out, struct buf *terms,
    struct event_counts *counts, struct buf *why);

/* How far relay_feed() has come. */
struct feed_counts {
	struct event_counts read;
	unsigned long new;	/* of those kept: see deliver_events() */
	uint64_t bytes;
};

/* Told now and then, while a file is fed. */
typedef void feed_progress(void *context, const struct feed_counts *counts);

/*
 * For people: treats a file as requests without HTTP, some of its events
 * after the other, each time all or none: all that came before what is wrong
 * stays delivered. It may be of any length. Without a queue SLACK_INTERVAL
 * lies between them. Returns false with the reason in *why; *counts is what was
 * done till then, in which kept are those that were delivered.
 */
bool relay_feed(const struct config *c, const struct request *request,
    feed_progress *progress, void *context, struct feed_counts *counts,
    struct buf *why);

/* Posts a message that says it is a test. */
void relay_send_test(const struct config *c, const struct destination *to,
    struct post_outcome *outcome);

#endif
