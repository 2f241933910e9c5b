/* SPDX-License-Identifier: ISC */
/* Delivery. It knows no request, and nothing of how messages look. */
#include "receive/deliver.h"

#include "base/clock.h"
#include "base/log.h"
#include "delivery/launch.h"
#include "delivery/message.h"
#include "queue/queue.h"
#include "slack/slack_digest.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_S 30	/* when Slack says 429 and no time */
/*
 * All posts of a request together: it is answered 25 s after the last byte of
 * its body at the latest. Web servers give up at 40 s (mod_fcgid) and 60 s
 * (nginx, Apache).
 */
#define POSTS_MS 24000
#define LOOK_MS 1000		/* between two looks for what waits */
#define LOOK_CGI_MS 10000	/* the same, by whichever process */
#define LOOK_IDLE_MS 10000	/* the same, without a request */
#define LAUNCH_MS 1000		/* after a worker was started, till the next */
#define LAUNCH_MAX_MS 60000	/* is; then twice that and so on */

struct deliverer {
	struct poster *poster;	/* NULL until the first post */
	struct queue *queue;	/* NULL until it is first needed */
	struct queue_lock *lock; /* the worker's; NULL like the queue */
	int64_t look_at;	/* by clock_ms(), as those below */
	int64_t launch_at;	/* no worker is started before */
	int64_t launch_ms;	/* the last wait till then; 0: there was none */
	int64_t complain_at;	/* not of a look that fails before */
	unsigned failures;	/* of looks, in a row */
};

struct deliverer *
deliverer_new(void)
{
	struct deliverer *d = mem_alloc(sizeof(*d));

	memset(d, 0, sizeof(*d));
	return d;
}

static void
close_queue(struct deliverer *d)
{
	queue_close(d->queue);
	d->queue = NULL;
}

void
deliver_anew(struct deliverer *d)
{
	queue_lock_free(d->lock, NULL);
	d->lock = NULL;
	close_queue(d);
	d->look_at = d->launch_at = d->launch_ms = 0;
}

void
deliverer_free(struct deliverer *d)
{
	if (!d)
		return;
	poster_free(d->poster);
	deliver_anew(d);
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

	taken = message_compose(&payload, events, count, digest, 0,
	    p->config);
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

static bool
open_queue(struct deliverer *d, const struct config *c,
    enum queue_result *result, struct buf *why)
{
	struct queue_options options = config_queue_options(c, false);

	*result = QUEUE_OK;
	if (!d->queue)
		d->queue = queue_open(&options, result, why);
	return d->queue != NULL;
}

static struct queue_lock *
worker_lock(struct deliverer *d, const struct config *c)
{
	if (!d->lock)
		d->lock = queue_lock_new(c->queue);
	return d->lock;
}

/* A queue that failed is opened anew next time. */
static enum queue_result
check_result(struct deliverer *d, enum queue_result result)
{
	if (result != QUEUE_OK)
		close_queue(d);
	return result;
}

/*
 * Starts a worker, or leaves that to a later call: one that was started a
 * moment ago may not have the lock yet, and one that cannot be started, or
 * ends at once, is not tried again without end.
 */
static void
start_worker(struct deliverer *d, const struct config *c)
{
	struct buf why = BUF_INIT;

	if (clock_ms() < d->launch_at) {
		d->look_at = d->launch_at;
		return;
	}
	d->launch_ms = d->launch_ms == 0 ? LAUNCH_MS : d->launch_ms * 2;
	if (d->launch_ms > LAUNCH_MAX_MS)
		d->launch_ms = LAUNCH_MAX_MS;
	if (!launch_worker(c, &why)) {
		log_say(LEVEL_ERROR, "%s: events wait in %s", buf_text(&why),
		    c->queue_shown);
		queue_lock_note(worker_lock(d, c), d->queue, buf_text(&why));
	}
	d->launch_at = d->look_at = clock_ms() + d->launch_ms;
	buf_release(&why);
}

/* A worker that hangs is as good as none: the next one ends it. */
static enum queue_result
find_worker(struct deliverer *d, const struct config *c,
    struct queue_holder *holder, struct buf *why)
{
	enum queue_result result;

	result = queue_lock_look(worker_lock(d, c), d->queue, holder, why);
	if (queue_holder_hangs(holder))
		holder->held = false;
	if (holder->held)
		d->launch_ms = d->launch_at = 0;
	return result;
}

/* After a commit: something waits. */
static void
see_to_worker(struct deliverer *d, const struct config *c)
{
	struct queue_holder holder;
	struct buf why = BUF_INIT;

	if (check_result(d, find_worker(d, c, &holder, &why)) != QUEUE_OK)
		log_say(LEVEL_ERROR, "%s", buf_text(&why));
	else if (!holder.held)
		start_worker(d, c);
	buf_release(&why);
}

/*
 * An item for each event and destination, those of one event one after the
 * other; the caller frees them.
 */
static struct queue_item *
items_of(const struct config *c, const struct event_list *events,
    size_t *count)
{
	struct queue_item *items, *item;
	size_t i, j;

	items = mem_alloc(events->count * c->destination_count *
	    sizeof(*items));
	item = items;
	for (i = 0; i < events->count; i++)
		for (j = 0; j < c->destination_count; j++) {
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
		[QUEUE_REPLACED] = "the queue was replaced: try again",
		[QUEUE_OK] = "",
	};

	answer_say(answer, 503, texts[result]);
}

static enum queue_result
put_once(struct deliverer *d, const struct config *c,
    struct queue_item *items, size_t count, struct buf *why)
{
	enum queue_result result;

	if (open_queue(d, c, &result, why))
		result = queue_put(d->queue, items, count, clock_wall_ms(),
		    why);
	return check_result(d, result);
}

/* What was replaced since the last request is opened anew within this one. */
static enum queue_result
put(struct deliverer *d, const struct config *c, struct queue_item *items,
    size_t count, struct buf *why)
{
	enum queue_result result = put_once(d, c, items, count, why);

	if (result == QUEUE_REPLACED) {
		buf_clear(why);
		result = put_once(d, c, items, count, why);
	}
	if (result != QUEUE_OK) /* a look would fail as well */
		d->look_at = clock_ms() + LAUNCH_MAX_MS;
	return result;
}

/* One that hangs may hang in the middle of a transaction. */
static void
replace_hanging_worker(struct deliverer *d, const struct config *c)
{
	struct queue_lock *lock = worker_lock(d, c);
	struct queue_holder holder;
	struct buf ignored = BUF_INIT;

	if (!queue_lock_needs_queue(lock) &&
	    queue_lock_look(lock, NULL, &holder, &ignored) == QUEUE_OK &&
	    queue_holder_hangs(&holder))
		start_worker(d, c);
	buf_release(&ignored);
}

/* Items of one event stand together. */
static size_t
count_new(const struct queue_item *items, size_t count)
{
	const struct event *last = NULL;
	size_t i, new = 0;

	for (i = 0; i < count; i++) {
		if (items[i].duplicate || items[i].event == last)
			continue;
		last = items[i].event;
		new++;
	}
	return new;
}

static size_t
queue_events(struct deliverer *d, const struct config *c,
    const struct event_list *events, struct answer *answer)
{
	struct buf why = BUF_INIT;
	struct queue_item *items;
	enum queue_result result;
	size_t i, count, new;

	items = items_of(c, events, &count);
	result = put(d, c, items, count, &why);
	for (i = 0; i < count; i++)
		message_log_event(LEVEL_INFO, items[i].event,
		    items[i].destination, result != QUEUE_OK ? "untaken" :
		    items[i].duplicate ? "duplicate" : "queued");
	if (result == QUEUE_OK) {
		answer_ok(answer);
		see_to_worker(d, c);
	} else {
		log_say(LEVEL_ERROR, "%s", buf_text(&why));
		answer_queue_failure(answer, result);
		if (result == QUEUE_BUSY)
			replace_hanging_worker(d, c);
	}
	new = count_new(items, count);
	free(items);
	buf_release(&why);
	return new;
}

size_t
deliver_events(struct deliverer *d, const struct config *c,
    const struct event_list *events, struct answer *answer)
{
	if (c->queue)
		return queue_events(d, c, events, answer);
	post_events(d, c, events, answer);
	return events->count;
}

/* ------------------------------------------------------------- looking */

/* Whether something waits for a destination of the configuration. */
static enum queue_result
find_waiting(struct deliverer *d, const struct config *c, bool *waits,
    struct buf *why)
{
	const char *names[DESTINATIONS_MAX];
	size_t count = config_destination_names(c, names);
	enum queue_result result;

	*waits = false;
	if (open_queue(d, c, &result, why))
		result = queue_waits(d->queue, names, count, waits, why);
	return result;
}

/* Whether events wait and no process delivers them. */
static enum queue_result
needs_worker(struct deliverer *d, const struct config *c, bool once,
    bool *needed, struct buf *why)
{
	struct queue_lock *lock = worker_lock(d, c);
	struct queue_holder holder;
	enum queue_result result = QUEUE_OK;

	*needed = false;
	if (queue_lock_needs_queue(lock) && !open_queue(d, c, &result, why))
		return result;
	result = find_worker(d, c, &holder, why);
	if (result != QUEUE_OK || holder.held ||
	    (once && holder.looked_ms < LOOK_CGI_MS))
		return result;
	if (once)
		queue_lock_stamp(lock);
	return find_waiting(d, c, needed, why);
}

/*
 * A queue that fails is not asked again soon: a server that does not answer
 * holds up the next request. The first failure is not worth a line: what
 * lasts has one, and a request that fails has its own.
 */
static void
look_failed(struct deliverer *d, enum queue_result result, const char *why)
{
	int64_t now = clock_ms();

	d->look_at = now + LAUNCH_MAX_MS;
	if (++d->failures == 1 || result == QUEUE_BUSY || now < d->complain_at)
		return;
	d->complain_at = now + LOG_AGAIN_MS;
	log_say(LEVEL_ERROR, "%s", why);
}

static void
look(struct deliverer *d, const struct config *c, bool once)
{
	struct buf why = BUF_INIT;
	enum queue_result result;
	bool needed;

	d->look_at = clock_ms() + LOOK_MS;
	result = check_result(d, needs_worker(d, c, once, &needed, &why));
	if (result != QUEUE_OK) {
		look_failed(d, result, buf_text(&why));
	} else {
		d->failures = 0;
		if (needed)
			start_worker(d, c);
	}
	buf_release(&why);
}

int64_t
deliver_look(struct deliverer *d, const struct config *c, bool once)
{
	int64_t now = clock_ms();

	if (c->queue && now >= d->look_at &&
	    (d->queue || queue_is_there(c->queue)))
		look(d, c, once);
	/* A worker that was started is looked after soon. */
	return d->launch_at > now && d->launch_at < now + LOOK_IDLE_MS ?
	    d->launch_at - now : LOOK_IDLE_MS;
}
