/* SPDX-License-Identifier: ISC */
/* Delivery. It knows no request, and nothing of how messages look. */
#include "deliver.h"

#include "clock.h"
#include "launch.h"
#include "log.h"
#include "message.h"
#include "queue.h"
#include "slack_digest.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_S 30	/* when Slack says 429 and no time */
/*
 * All posts of a request together: it is answered 25 s after the last byte of
 * its body at the latest. Web servers give up at 40 s (mod_fcgid) and 60 s
 * (nginx, Apache).
 */
#define POSTS_MS 24000
/* Between two looks whether the last worker left something. */
#define LOOK_MS 1000

struct deliverer {
	struct poster *poster;	/* NULL until the first post */
	struct queue *queue;	/* NULL until it is first needed */
	int64_t rest_at;	/* by clock_ms(): see deliver_rest() */
	bool anew;		/* the configuration is another */
};

struct deliverer *
deliverer_new(void)
{
	struct deliverer *d = mem_alloc(sizeof(*d));

	memset(d, 0, sizeof(*d));
	return d;
}

void
deliver_anew(struct deliverer *d)
{
	queue_close(d->queue);
	d->queue = NULL;
	d->rest_at = 0;
	d->anew = true;
}

void
deliverer_free(struct deliverer *d)
{
	if (!d)
		return;
	poster_free(d->poster);
	queue_close(d->queue);
	free(d);
}

/* ------------------------------------------------------------ at once */

/* Posts for one request, as far as they have got. */
struct posting {
	struct deliverer *deliverer;
	const struct config *config;
	const struct destination *to;
	int64_t end;		/* by clock_ms() */
	struct answer *answer;
};

/*
 * The answer that tells Auth0, and its owner, what Slack said. Why there is no
 * answer of Slack's may tell of this machine: that is for the log.
 */
static void
answer_failure(struct answer *answer, const struct post_outcome *outcome)
{
	struct buf text = BUF_INIT;
	int status = outcome->timed_out ? 504 : 502;

	if (outcome->status > 0)
		buf_addf(&text, "Slack did not take the message: %s",
		    outcome->reason);
	else if (outcome->timed_out)
		buf_adds(&text, "Slack did not answer in time: the log of "
		    "this program says more");
	else
		buf_adds(&text, "Slack cannot be reached: the log of this "
		    "program says why");
	if (outcome->status == 429) {
		status = 503;
		answer->retry_after_s = outcome->retry_after_s > 0 ?
		    outcome->retry_after_s : RETRY_AFTER_S;
	}
	answer_say(answer, status, buf_text(&text));
	buf_release(&text);
}

/* Posts one message; returns how many of the events were in it. */
static size_t
post_some(const struct posting *p, struct event *const *events, size_t count,
    bool digest, int64_t timeout_ms, struct post_outcome *outcome)
{
	struct buf payload = BUF_INIT;
	int64_t began = clock_ms();
	size_t taken;

	taken = message_compose(&payload, events, count, digest, p->config);
	poster_send(p->deliverer->poster, p->to->webhook_url, &payload,
	    timeout_ms, outcome);
	message_log(p->to->name, taken, digest, outcome,
	    clock_ms() - began);
	message_log_events(events, taken, p->to->name,
	    post_result_name(outcome->result));
	buf_release(&payload);
	return taken;
}

/*
 * Message after message, until all are taken or one is not; returns how
 * many events were in those that were tried. The first failure of all
 * destinations is the answer.
 */
static size_t
post_all(const struct posting *p, struct event *const *events, size_t count)
{
	int64_t left, timeout = p->config->slack_timeout_ms;
	bool digest = slack_digest_is_due(p->config->digest_after,
	    (int64_t)count);
	struct post_outcome outcome;
	size_t done = 0;

	while (done < count) {
		poster_load(p->deliverer->poster);
		left = p->end - clock_ms();
		if (left <= 0) {
			if (p->answer->status == 0)
				answer_say(p->answer, 504, "Slack took too "
				    "long for all the messages of this "
				    "batch");
			break;
		}
		done += post_some(p, events + done, count - done, digest,
		    left < timeout ? left : timeout, &outcome);
		if (outcome.result != POST_SENT) {
			if (p->answer->status == 0)
				answer_failure(p->answer, &outcome);
			break;
		}
	}
	return done;
}

static void
post_events(struct deliverer *d, const struct config *c,
    const struct event_list *events, struct answer *answer)
{
	struct posting p = { d, c, NULL, clock_ms() + POSTS_MS, answer };
	struct event **wanted;
	size_t i, done, count;

	if (!d->poster)
		d->poster = poster_new();
	for (i = 0; i < c->destination_count; i++) {
		p.to = &c->destinations[i];
		if (!p.to->webhook_url)
			continue;
		wanted = event_list_wanted(events, i, &count);
		done = post_all(&p, wanted, count);
		message_log_events(wanted + done, count - done, p.to->name,
		    "untried");
		free(wanted);
	}
	if (answer->status == 0)
		answer_ok(answer);
}

/* -------------------------------------------------------- by the queue */

static void
start_worker(const struct config *c)
{
	struct buf why = BUF_INIT;

	if (!launch_worker(&why))
		log_say(LEVEL_ERROR, "%s: events wait in %s",
		    buf_text(&why), c->queue_shown);
	buf_release(&why);
}

/* An item for each event and destination; the caller frees them. */
static struct queue_item *
items_of(const struct config *c, const struct event_list *events,
    size_t *count)
{
	struct queue_item *items, *item;
	size_t i, j;

	items = mem_alloc(events->count * c->destination_count *
	    sizeof(*items));
	item = items;
	for (j = 0; j < c->destination_count; j++)
		for (i = 0; i < events->count; i++) {
			if (!(events->events[i]->destinations & 1U << j))
				continue;
			item->destination = c->destinations[j].name;
			item->event = events->events[i];
			item->duplicate = false;
			item++;
		}
	*count = (size_t)(item - items);
	return items;
}

/* What is wrong in detail is for the log: the client is a stranger. */
static void
answer_queue_failure(struct answer *answer, enum queue_result result)
{
	static const char *const texts[] = {
		[QUEUE_FAILED] = "the queue cannot be used: the log of this "
		    "program says why",
		[QUEUE_BUSY] = "the queue was locked for too long: try "
		    "again",
		[QUEUE_FULL] = "the queue is full: the log of this program "
		    "says why",
		[QUEUE_OK] = "",
	};

	answer_say(answer, 503, texts[result]);
}

static enum queue_result
put(struct deliverer *d, const struct config *c, struct queue_item *items,
    size_t count, struct buf *why)
{
	struct queue_options options = { c->queue, c->queue_max,
	    c->queue_on_network, false };
	enum queue_result result = QUEUE_OK;

	if (!d->queue)
		d->queue = queue_open(&options, &result, why);
	if (d->queue)
		result = queue_put(d->queue, items, count, clock_wall_ms(),
		    why);
	if (result != QUEUE_OK) {
		queue_close(d->queue);
		d->queue = NULL;
	}
	return result;
}

static void
queue_events(struct deliverer *d, const struct config *c,
    const struct event_list *events, struct answer *answer)
{
	struct buf why = BUF_INIT;
	struct queue_item *items;
	enum queue_result result;
	size_t i, count;

	items = items_of(c, events, &count);
	result = put(d, c, items, count, &why);
	for (i = 0; i < count; i++)
		message_log_event(LEVEL_INFO, items[i].event,
		    items[i].destination, result != QUEUE_OK ? "untaken" :
		    items[i].duplicate ? "duplicate" : "queued");
	if (result == QUEUE_OK) {
		answer_ok(answer);
		if (queue_find_worker(c->queue, NULL) != QUEUE_WORKER)
			start_worker(c);
	} else {
		log_say(LEVEL_ERROR, "%s", buf_text(&why));
		answer_queue_failure(answer, result);
	}
	free(items);
	buf_release(&why);
}

void
deliver_events(struct deliverer *d, const struct config *c,
    const struct event_list *events, struct answer *answer)
{
	if (c->queue)
		queue_events(d, c, events, answer);
	else
		post_events(d, c, events, answer);
}

void
deliver_rest(struct deliverer *d, const struct config *c)
{
	enum queue_worker worker;

	if (!c->queue || clock_ms() < d->rest_at)
		return;
	d->rest_at = clock_ms() + LOOK_MS;
	worker = queue_find_worker(c->queue, NULL);
	/* With other destinations there may be work where there was none. */
	if (worker == QUEUE_WORKER_MISSING ||
	    (d->anew && worker == QUEUE_NO_WORKER))
		start_worker(c);
	d->anew = false;
}
