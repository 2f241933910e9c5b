/* SPDX-License-Identifier: ISC */
/*
 * The worker. A channel is a destination in its hands: how it stands, and
 * the message that is on its way to it. It knows no SQL and no HTTP.
 */
#include "worker.h"

#include "current.h"
#include "message.h"
#include "queue.h"
#include "slack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 250		/* between looks for new events */
#define LOOK_WAITING_MS 1000	/* where some wait, and must */
#define LINGER_MS 4000		/* with nothing to do, before it leaves */
#define PURGE_MS 3600000
#define AGAIN_MS 1000		/* after the queue failed */
#define GIVE_UP_MS 15000	/* on a queue that fails, when it may end */
#define TIMEOUT_MAX_MS 30000	/* from which on it is not doubled */
#define BYTES_MAX 8000000	/* of the events of a message, as records */

enum stage {
	IDLE,
	POSTING,	/* a message is on its way */
	UNSETTLED	/* what came of it is not yet in the queue */
};

struct channel {
	char *name;
	char *webhook_url;	/* NULL: the configuration has it no more */
	bool renewed;		/* the webhook, and it is to be tried at once */
	enum stage stage;
	int64_t look_at;	/* by the run clock: when to count again */
	int64_t not_before;	/* by the run clock: no message before */
	int64_t obey_until;	/* the same, but what no haste may shorten */
	bool known;		/* counted at least once */
	unsigned timeouts;	/* in a row */
	struct queue_tally tally;

	/* The message in hand. */
	struct event_list events;
	size_t bytes;
	size_t taken;		/* of the events, in the message */
	bool digest;
	struct buf payload;
	int64_t began_ms;
	struct post_outcome outcome;
};

struct worker {
	const struct world *world;
	enum worker_mode mode;
	struct current current;
	char *address;		/* of the queue it began with */
	int lock;		/* what makes it the worker; -1: it is not */
	bool locked_out;	/* because another process is */
	struct queue *queue;	/* NULL: to be opened */
	bool opened;		/* once at least */
	enum queue_result result; /* how it failed last */
	struct channel *channels;
	size_t channel_count;

	int64_t purge_at;
	int64_t idle_since;
	int64_t failing_since;	/* of the queue; -1: it does not fail */
	int64_t open_at;	/* not before; after a failure */
	int64_t stop_by;	/* -1: not told to stop */
	char *complaint;	/* the last about the queue; NULL: none */
};

static int64_t
wall_ms(const struct worker *w)
{
	return w->world->wall_ms(w->world->context);
}

static int64_t
run_ms(const struct worker *w)
{
	return w->world->run_ms(w->world->context);
}

/* ---------------------------------------------------------- channels */

static struct channel *
find_channel(const struct worker *w, const char *name)
{
	size_t i;

	for (i = 0; i < w->channel_count; i++)
		if (strcmp(w->channels[i].name, name) == 0)
			return &w->channels[i];
	return NULL;
}

static void
drop_message(struct channel *ch)
{
	event_list_release(&ch->events);
	buf_release(&ch->payload);
	ch->bytes = 0;
	ch->taken = 0;
	ch->stage = IDLE;
}

static void
channel_release(struct channel *ch)
{
	drop_message(ch);
	free(ch->name);
	free(ch->webhook_url);
}

/*
 * Places for DESTINATIONS_MAX channels are there from the start, because
 * a post on its way knows its channel by the address.
 */
static struct channel *
add_channel(struct worker *w, const char *name)
{
	struct channel *ch;

	if (w->channel_count == DESTINATIONS_MAX)
		return NULL;
	ch = &w->channels[w->channel_count++];
	memset(ch, 0, sizeof(*ch));
	ch->name = mem_dup(name);
	return ch;
}

static void
set_webhook(struct channel *ch, const char *url)
{
	if (ch->webhook_url ? strcmp(ch->webhook_url, url) != 0 : ch->known)
		ch->renewed = true;
	free(ch->webhook_url);
	ch->webhook_url = mem_dup(url);
}

/*
 * A channel for each destination of the configuration. One that is gone
 * from it keeps its channel, but gets no more messages.
 */
static void
match_channels(struct worker *w)
{
	const struct config *c = &w->current.config;
	const struct destination *d;
	struct channel *ch;
	size_t i;

	for (i = 0; i < w->channel_count; i++) {
		ch = &w->channels[i];
		if (config_destination(c, ch->name))
			continue;
		free(ch->webhook_url);
		ch->webhook_url = NULL;
	}
	for (i = 0; i < c->destination_count; i++) {
		d = &c->destinations[i];
		if (!d->webhook_url)
			continue;
		ch = find_channel(w, d->name);
		if (!ch)
			ch = add_channel(w, d->name);
		if (ch) /* else, after many changes, a later worker's */
			set_webhook(ch, d->webhook_url);
	}
}

/* ------------------------------------------------------------- queue */

/*
 * Sees to a result of the queue: true when it failed, and is then closed.
 * The same complaint is logged once. The reason in *why is used up.
 */
static bool
queue_failed(struct worker *w, enum queue_result result, struct buf *why)
{
	if (result == QUEUE_OK)
		return false;
	if (!w->complaint || strcmp(w->complaint, buf_text(why)) != 0) {
		log_say(LEVEL_ERROR, "%s", buf_text(why));
		free(w->complaint);
		w->complaint = mem_dup(buf_text(why));
	}
	buf_clear(why);
	w->result = result;
	if (w->failing_since < 0)
		w->failing_since = run_ms(w);
	queue_close(w->queue);
	w->queue = NULL;
	w->open_at = run_ms(w) + AGAIN_MS;
	return true;
}

/*
 * Nothing failed in a whole turn. One result that is good would not do: a
 * queue on a full disk can be read.
 */
static void
queue_recovered(struct worker *w)
{
	w->failing_since = -1;
	free(w->complaint);
	w->complaint = NULL;
}

static void
open_queue(struct worker *w)
{
	const struct config *c = &w->current.config;
	struct queue_options options = { w->address, c->queue_max,
	    c->queue_on_network, true };
	enum queue_result result;
	struct buf why = BUF_INIT;

	if (w->queue || run_ms(w) < w->open_at)
		return;
	w->queue = queue_open(&options, &result, &why);
	if (w->queue)
		w->opened = true;
	else
		queue_failed(w, result, &why);
	buf_release(&why);
}

static void
purge(struct worker *w)
{
	int64_t retention = w->current.config.retention_ms;
	struct buf why = BUF_INIT;
	enum queue_result result;

	result = queue_purge(w->queue, retention, wall_ms(w), &why);
	queue_failed(w, result, &why);
	w->purge_at = run_ms(w) +
	    (retention < PURGE_MS ? retention : PURGE_MS);
	buf_release(&why);
}

/* ------------------------------------------------------------ keeping */

static struct pace_rules
rules_of(const struct worker *w)
{
	const struct config *c = &w->current.config;
	struct pace_rules rules = { c->slack_interval_ms,
	    c->slack_retry_max_ms, c->digest_after };

	return rules;
}

/*
 * From now on the run clock says when the wait is over, so that setting
 * the date does no harm.
 */
static void
reckon(const struct worker *w, struct channel *ch)
{
	ch->not_before = run_ms(w) + pace_left(&ch->tally.pace, wall_ms(w));
	if (ch->not_before < ch->obey_until)
		ch->not_before = ch->obey_until;
}

/* Changes the events of the message in hand; the caller frees numbers. */
static struct queue_batch
batch_of(const struct channel *ch, const struct pace *pace)
{
	struct queue_batch batch = { ch->name, NULL, ch->taken,
	    ch->outcome.reason, pace };
	int64_t *numbers = mem_alloc(ch->taken * sizeof(*numbers));
	size_t i;

	for (i = 0; i < ch->taken; i++)
		numbers[i] = ch->events.events[i]->number;
	batch.numbers = numbers;
	return batch;
}

/* Keeps a change of these events, and the pace; false when it failed. */
static bool
keep(struct worker *w, struct channel *ch, enum queue_change change,
    const struct pace *pace)
{
	struct queue_batch batch = batch_of(ch, pace);
	struct buf why = BUF_INIT;
	enum queue_result result;

	result = queue_change(w->queue, change, &batch, wall_ms(w), &why);
	free((void *)(uintptr_t)batch.numbers);
	if (!queue_failed(w, result, &why)) {
		ch->tally.pace = *pace;
		ch->obey_until = run_ms(w) + pace->obey_ms - pace->set_ms;
		reckon(w, ch);
	}
	buf_release(&why);
	return result == QUEUE_OK;
}

/* ------------------------------------------------------------ looking */

/*
 * Sees to what the worker before us left behind. Where that died over a
 * message, it may have been sent. A wait of a clock that has since been set
 * back begins anew, from here on: else it did so with each worker.
 */
static bool
take_over(struct worker *w, struct channel *ch)
{
	struct pace pace = ch->tally.pace;

	if (pace.posting)
		log_say(LEVEL_WARN, "destination %s: a message was on its way "
		    "when the last worker ended; its events may appear twice",
		    ch->name);
	else if (!pace_is_ahead(&pace, wall_ms(w)))
		return true;
	pace.posting = false;
	pace_move(&pace, wall_ms(w));
	return keep(w, ch, QUEUE_PUT_BACK, &pace);
}

static bool
same_wait(const struct pace *a, const struct pace *b)
{
	return a->set_ms == b->set_ms && a->until_ms == b->until_ms;
}

/* Counts what waits for a channel; false when the queue failed. */
static bool
look(struct worker *w, struct channel *ch)
{
	struct pace before = ch->tally.pace;
	struct buf why = BUF_INIT;
	enum queue_result result;
	bool first = !ch->known;

	result = queue_count(w->queue, ch->name, &ch->tally, &why);
	if (!queue_failed(w, result, &why)) {
		if (first || !same_wait(&before, &ch->tally.pace))
			reckon(w, ch);
		ch->known = true;
		ch->look_at = run_ms(w) + (ch->tally.waiting > 0 ?
		    LOOK_WAITING_MS : LOOK_MS);
	}
	buf_release(&why);
	return result == QUEUE_OK && (!first || take_over(w, ch));
}

/* ----------------------------------------------------------- claiming */

static bool
gather(void *context, struct event *e, size_t bytes)
{
	struct channel *ch = context;

	event_list_add(&ch->events, e);
	ch->bytes += bytes;
	return ch->bytes < BYTES_MAX;
}

/* Takes the next events into the channel; false when there are none. */
static bool
read_events(struct worker *w, struct channel *ch)
{
	struct pace_rules rules = rules_of(w);
	size_t budget = pace_budget(&ch->tally.pace, &rules,
	    ch->tally.waiting);
	struct buf why = BUF_INIT;
	enum queue_result result;
	bool failed;

	result = queue_read(w->queue, ch->name, budget, gather, ch,
	    wall_ms(w), &why);
	failed = queue_failed(w, result, &why);
	buf_release(&why);
	ch->digest = budget > SLACK_ATTACHMENTS_MAX;
	event_list_sort(&ch->events);
	return !failed && ch->events.count > 0;
}

/*
 * Longer after each that was not enough: what took too long may have been
 * taken, and a slow Slack would get it over and over.
 */
static int64_t
timeout_for(const struct worker *w, const struct channel *ch)
{
	int64_t timeout = w->current.config.slack_timeout_ms;
	unsigned i;

	for (i = 0; i < ch->timeouts && timeout < TIMEOUT_MAX_MS; i++)
		timeout *= 2;
	return timeout;
}

/*
 * Begins a message. That it begins is written down before it is posted:
 * a queue that cannot be written to would else send it again and again.
 */
static void
begin_message(struct worker *w, struct channel *ch)
{
	const struct config *c = &w->current.config;
	struct pace_rules rules = rules_of(w);
	struct pace pace = ch->tally.pace;

	if (!read_events(w, ch)) {
		drop_message(ch);
		ch->look_at = 0;
		return;
	}
	ch->taken = message_compose(&ch->payload, ch->events.events,
	    ch->events.count, ch->digest, c);
	pace_began(&pace, &rules, wall_ms(w));
	if (!keep(w, ch, QUEUE_CLAIM, &pace)) {
		drop_message(ch);
		return;
	}
	ch->stage = POSTING;
	ch->began_ms = run_ms(w);
	w->world->begin(w->world->context, ch, ch->webhook_url, &ch->payload,
	    timeout_for(w, ch));
}

/* ----------------------------------------------------------- settling */

/* Writes down what came of a message, if the queue lets us. */
static void
settle(struct worker *w, struct channel *ch)
{
	struct pace_rules rules = rules_of(w);
	struct pace pace = ch->tally.pace;
	enum queue_change change = QUEUE_PUT_BACK;
	bool aside;

	ch->stage = UNSETTLED;
	if (!w->queue)
		return;
	aside = pace_ended(&pace, &rules, &ch->outcome, ch->taken, wall_ms(w),
	    w->world->chance(w->world->context));
	if (aside)
		change = QUEUE_SET_ASIDE;
	else if (ch->outcome.result == POST_SENT)
		change = QUEUE_SETTLE;
	if (!keep(w, ch, change, &pace))
		return;
	if (aside)
		message_log_event(LEVEL_ERROR, ch->events.events[0], ch->name,
		    "set-aside");
	drop_message(ch);
	ch->look_at = 0;
}

/*
 * An event has a line when it is sent, and when its destination begins to
 * fail; not at every try of an outage.
 */
static void
end_message(struct worker *w, struct channel *ch,
    const struct post_outcome *outcome)
{
	bool first = ch->tally.pace.failures == 0;

	ch->outcome = *outcome;
	ch->timeouts = outcome->timed_out ? ch->timeouts + 1 : 0;
	message_log(ch->name, ch->taken, ch->digest, outcome,
	    run_ms(w) - ch->began_ms);
	if (outcome->result == POST_SENT ||
	    (outcome->result != POST_NEVER && first))
		message_log_events(ch->events.events, ch->taken, ch->name,
		    post_result_name(outcome->result));
	settle(w, ch);
}

/* --------------------------------------------------------------- turn */

/* A new webhook is tried at once: whoever gave it waits for that. */
static bool
hurry(struct worker *w, struct channel *ch)
{
	struct buf why = BUF_INIT;
	enum queue_result result;

	result = queue_hurry(w->queue, ch->name, &why);
	if (!queue_failed(w, result, &why)) {
		ch->renewed = false;
		ch->look_at = 0;
	}
	buf_release(&why);
	return result == QUEUE_OK;
}

static void
serve_channel(struct worker *w, struct channel *ch)
{
	int64_t now = run_ms(w);
	bool due;

	if (ch->stage == UNSETTLED)
		settle(w, ch);
	if (ch->stage != IDLE || !ch->webhook_url || w->stop_by >= 0)
		return;
	if (ch->renewed && !hurry(w, ch))
		return;
	due = ch->tally.waiting > 0 && now >= ch->not_before;
	if ((due || now >= ch->look_at) && !look(w, ch))
		return;
	if (ch->tally.waiting > 0 && run_ms(w) >= ch->not_before)
		begin_message(w, ch);
}

/* How long nothing is to be done, unless a post ends. */
static int64_t
time_to_wait(const struct worker *w)
{
	int64_t now = run_ms(w), next = now + LOOK_MS;
	const struct channel *ch;
	size_t i;

	for (i = 0; i < w->channel_count; i++) {
		ch = &w->channels[i];
		if (ch->stage != IDLE || !ch->webhook_url || !w->queue ||
		    w->stop_by >= 0)
			continue;
		if (ch->look_at < next)
			next = ch->look_at;
		if (ch->tally.waiting > 0 && ch->not_before < next)
			next = ch->not_before;
	}
	return next > now ? next - now : 0;
}

static bool
is_busy(const struct worker *w)
{
	size_t i;

	for (i = 0; i < w->channel_count; i++)
		if (w->channels[i].stage != IDLE)
			return true;
	return false;
}

static void
turn(struct worker *w)
{
	struct post_outcome outcome;
	struct channel *ch;
	size_t i;

	if (current_refresh(&w->current))
		match_channels(w);
	open_queue(w);
	for (i = 0; i < w->channel_count && w->queue; i++)
		serve_channel(w, &w->channels[i]);
	if (w->queue && run_ms(w) >= w->purge_at && !is_busy(w))
		purge(w);
	if (w->queue)
		queue_recovered(w);
	ch = w->world->wait(w->world->context, time_to_wait(w), &outcome);
	if (ch)
		end_message(w, ch, &outcome);
}

/* --------------------------------------------------------------- lock */

/* False when another process is the worker, or there can be none. */
static bool
become_the_worker(struct worker *w)
{
	struct buf why = BUF_INIT;

	w->lock = queue_become_worker(w->address, &why);
	w->locked_out = w->lock < 0 && why.len == 0;
	if (why.len > 0)
		log_say(LEVEL_ERROR, "%s", buf_text(&why));
	buf_release(&why);
	return w->lock >= 0;
}

/* A service takes over from a worker that a door started, when it leaves. */
static bool
wait_to_be_the_worker(struct worker *w)
{
	struct post_outcome none;
	bool said = false;

	while (!become_the_worker(w) && w->locked_out &&
	    w->mode == WORKER_STAYS &&
	    !w->world->stopping(w->world->context)) {
		if (!said)
			log_say(LEVEL_INFO, "another worker runs: waiting "
			    "until it leaves");
		said = true;
		w->world->wait(w->world->context, AGAIN_MS, &none);
	}
	return w->lock >= 0;
}

/*
 * Somebody may have moved the queue's files away, the locked one with
 * them: then whoever locks the new one is the worker.
 */
static bool
is_the_worker(struct worker *w)
{
	if (queue_is_worker(w->lock, w->address))
		return true;
	queue_leave(w->lock, false);
	return become_the_worker(w);
}

/* ---------------------------------------------------------------- end */

/* Whether something waits for a channel; later: for a failure to pass. */
static bool
has_waiting(const struct worker *w, bool later)
{
	const struct channel *ch;
	size_t i;

	for (i = 0; i < w->channel_count; i++) {
		ch = &w->channels[i];
		if (!ch->webhook_url)
			continue;
		if (!ch->known)
			return true;
		if (ch->tally.waiting > 0 && (later ||
		    ch->tally.pace.failures == 0 ||
		    run_ms(w) >= ch->not_before))
			return true;
	}
	return false;
}

/* Whether the configuration names another queue now. */
static bool
has_moved_on(const struct worker *w)
{
	const char *address = w->current.config.queue;

	return !address || strcmp(address, w->address) != 0;
}

/* Told to stop, or to use another queue: what is on its way is settled. */
static bool
must_stop(struct worker *w)
{
	if (w->stop_by < 0 && (w->world->stopping(w->world->context) ||
	    has_moved_on(w)))
		w->stop_by = run_ms(w) + GIVE_UP_MS +
		    w->current.config.slack_timeout_ms;
	return w->stop_by >= 0 &&
	    (!is_busy(w) || run_ms(w) >= w->stop_by);
}

/*
 * With a message that is not settled it stays: the next worker would send
 * that once more. A person who drains a queue that is none hears at once.
 */
static bool
gives_up(const struct worker *w)
{
	if (w->mode == WORKER_STAYS || w->failing_since < 0 || is_busy(w))
		return false;
	return run_ms(w) - w->failing_since >= GIVE_UP_MS ||
	    (w->mode == WORKER_DRAINS && !w->opened &&
	    w->result == QUEUE_FAILED);
}

static bool
is_done(struct worker *w)
{
	if (w->mode == WORKER_STAYS || is_busy(w) || !w->queue)
		return false;
	if (w->mode == WORKER_DRAINS)
		return !has_waiting(w, false);
	if (has_waiting(w, true)) {
		w->idle_since = -1;
		return false;
	}
	if (w->idle_since < 0)
		w->idle_since = run_ms(w);
	return run_ms(w) - w->idle_since >= LINGER_MS;
}

/* Works on as long as there is reason to; false when the queue fails. */
static bool
work(struct worker *w)
{
	w->idle_since = -1;
	while (is_the_worker(w) && !must_stop(w) && !is_done(w)) {
		if (gives_up(w))
			return false;
		turn(w);
	}
	if (w->queue)
		purge(w);
	return w->queue != NULL || w->stop_by >= 0;
}

/* ------------------------------------------------------------- remains */

static void
add_name(void *context, const char *name)
{
	struct buf *names = context;

	buf_addf(names, "%s\n", name);
}

/* What waits for a destination that has no webhook is said, not hidden. */
static bool
remains_for(struct worker *w, const char *name, struct buf *why)
{
	struct queue_tally tally;

	if (queue_count(w->queue, name, &tally, why) != QUEUE_OK)
		return true;
	if (tally.waiting > 0 &&
	    !config_destination(&w->current.config, name))
		log_say(LEVEL_WARN, "destination %s, which the configuration "
		    "does not have, has events waiting: %" PRId64, name,
		    tally.waiting);
	return tally.waiting > 0;
}

/* Whether anything waits, of any destination that ever was. */
static bool
anything_remains(struct worker *w)
{
	struct buf names = BUF_INIT, why = BUF_INIT;
	char *name, *rest = NULL;
	bool remains = true;

	if (w->queue &&
	    queue_names(w->queue, add_name, &names, &why) == QUEUE_OK)
		remains = false;
	if (!remains && names.len > 0)
		for (name = strtok_r(names.data, "\n", &rest); name;
		     name = strtok_r(NULL, "\n", &rest))
			remains = remains_for(w, name, &why) || remains;
	buf_release(&names);
	buf_release(&why);
	return remains;
}

/* ---------------------------------------------------------------- run */

/*
 * The worker that leaves looks once more after it has let go of the lock:
 * what a door put in before that, seeing the lock held, would else be left
 * to nobody. A door that comes later finds no worker and starts one. So
 * does one that gave up a queue that failed: if it can be opened now, a door
 * may have put something in.
 */
static bool
must_return(struct worker *w, bool good)
{
	size_t i;

	if (w->mode == WORKER_STAYS || w->stop_by >= 0 ||
	    (w->mode == WORKER_DRAINS && !good))
		return false;
	w->failing_since = -1;
	w->open_at = run_ms(w);
	open_queue(w);
	if (!w->queue)
		return false;
	for (i = 0; i < w->channel_count; i++)
		if (!look(w, &w->channels[i]))
			return true;
	return has_waiting(w, w->mode == WORKER_UNTIL_IDLE);
}

static enum worker_end
work_as_the_one(struct worker *w)
{
	bool good, done;

	do {
		good = wait_to_be_the_worker(w) && work(w);
		done = good && w->stop_by < 0 && !has_waiting(w, true);
		if (w->lock < 0)
			return w->locked_out ? WORKER_OTHER : WORKER_FAILED;
		queue_leave(w->lock, done);
	} while (must_return(w, good));
	if (!good)
		return WORKER_FAILED;
	if (!anything_remains(w))
		return WORKER_EMPTY;
	if (has_moved_on(w))
		log_say(LEVEL_ERROR, "QUEUE is another now, and events still "
		    "wait in %s: run log-stream-ctl drain with "
		    "QUEUE=%s in its environment", w->address, w->address);
	return WORKER_REMAINS;
}

static enum worker_end
run_configured(struct worker *w)
{
	enum worker_end end = WORKER_FAILED;
	struct buf why = BUF_INIT;
	size_t i;

	w->address = mem_dup(w->current.config.queue);
	w->channels = mem_alloc(DESTINATIONS_MAX * sizeof(*w->channels));
	match_channels(w);
	if (queue_become_owner(w->address, &why))
		end = work_as_the_one(w);
	else
		log_say(LEVEL_ERROR, "%s", buf_text(&why));
	buf_release(&why);
	queue_close(w->queue);
	for (i = 0; i < w->channel_count; i++)
		channel_release(&w->channels[i]);
	free(w->channels);
	free(w->address);
	free(w->complaint);
	return end;
}

enum worker_end
worker_run(enum worker_mode mode, const struct world *world)
{
	struct worker w = { .world = world, .mode = mode,
	    .failing_since = -1, .stop_by = -1 };
	enum worker_end end = WORKER_FAILED;

	current_load(&w.current);
	if (!current_is_ready(&w.current))
		current_log_problems(&w.current);
	else if (!w.current.config.queue)
		log_say(LEVEL_ERROR, "QUEUE is not set: without a queue there "
		    "is nothing to work off");
	else
		end = run_configured(&w);
	current_release(&w.current);
	return end;
}
