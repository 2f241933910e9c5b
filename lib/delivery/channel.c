/* SPDX-License-Identifier: ISC */
/* One destination: claiming, posting, settling. It knows no SQL or HTTP. */
#include "delivery/channel.h"

#include "base/log.h"
#include "delivery/message.h"
#include "slack/slack.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_WAITING_MS 1000	/* where some wait, and must */
#define TIMEOUT_MAX_MS 30000	/* from which on it is not doubled */
#define BYTES_MAX 8000000	/* of the events of a message, as records */

/* ---------------------------------------------------------- channels */

static struct channel *
channel_find(const struct worker *w, const char *name)
{
	size_t i;

	for (i = 0; i < w->channel_count; i++)
		if (strcmp(w->channels[i]->name, name) == 0)
			return w->channels[i];
	return NULL;
}

static void
channel_drop(struct channel *ch)
{
	event_list_release(&ch->events);
	buf_release(&ch->payload);
	ch->bytes = 0;
	ch->taken = 0;
	ch->stage = IDLE;
}

void
channel_free(struct channel *ch)
{
	if (!ch)
		return;
	channel_drop(ch);
	free(ch->name);
	free(ch->webhook_url);
	free(ch->pace_of);
	free(ch->pace_next);
	free(ch);
}

/* A post on its way knows its channel by the address, which stays. */
static struct channel *
channel_add(struct worker *w, const char *name)
{
	struct channel *ch = mem_alloc(sizeof(*ch));

	memset(ch, 0, sizeof(*ch));
	ch->name = mem_dup(name);
	ch->renewed = w->matched;
	w->channels = mem_realloc(w->channels,
	    (w->channel_count + 1) * sizeof(*w->channels));
	w->channels[w->channel_count++] = ch;
	return ch;
}

/* Those that the configuration has no more, but for a message in hand. */
static void
drop_unused(struct worker *w)
{
	size_t i, kept = 0;

	for (i = 0; i < w->channel_count; i++)
		if (w->channels[i]->webhook_url ||
		    w->channels[i]->stage != IDLE)
			w->channels[kept++] = w->channels[i];
		else
			channel_free(w->channels[i]);
	w->channel_count = kept;
}

static void
channel_aim(struct channel *ch, const char *url, const char *pace_of)
{
	free(ch->webhook_url);
	ch->webhook_url = mem_dup(url);
	free(ch->pace_next);
	ch->pace_next = mem_dup(pace_of);
	if (!ch->pace_of)
		ch->pace_of = mem_dup(pace_of);
}

void
channels_match(struct worker *w)
{
	const struct config *c = &w->current.config;
	const struct destination *d;
	struct channel *ch;
	size_t i;

	for (i = 0; i < w->channel_count; i++) {
		ch = w->channels[i];
		if (config_destination(c, ch->name))
			continue;
		free(ch->webhook_url);
		ch->webhook_url = NULL;
	}
	for (i = 0; i < c->destination_count; i++) {
		d = &c->destinations[i];
		if (!d->webhook_url)
			continue;
		ch = channel_find(w, d->name);
		if (!ch)
			ch = channel_add(w, d->name);
		channel_aim(ch, d->webhook_url,
		    c->destinations[d->shares].name);
	}
	drop_unused(w);
	w->rules.interval_ms = c->slack_interval_ms;
	w->rules.retry_max_ms = c->slack_retry_max_ms;
	w->rules.digest_after = c->digest_after;
	w->matched = true;
}

/* ------------------------------------------------------------ keeping */

/*
 * What time it is for all machines that speak to this destination, at the
 * latest: a wait that is set begins when it should, or after that.
 */
static int64_t
queue_ms(const struct worker *w, const struct channel *ch)
{
	return worker_wall_ms(w) + ch->ahead_most;
}

/* The same at the earliest: a wait is over, and not just nearly so. */
static int64_t
queue_ms_least(const struct worker *w, const struct channel *ch)
{
	return worker_wall_ms(w) + ch->ahead_least;
}

/*
 * The queue told its time between two moments of ours. What is known from
 * other times stays, unless a clock was set.
 */
static void
learn_time(struct channel *ch, int64_t before_ms, int64_t after_ms)
{
	int64_t clock_ms = ch->tally.clock_ms;
	int64_t least = clock_ms == 0 ? 0 : clock_ms - after_ms;
	int64_t most = clock_ms == 0 ? 0 : clock_ms - before_ms;
	bool anew = !ch->counted || least > ch->ahead_most ||
	    most < ch->ahead_least;

	if (anew || least > ch->ahead_least)
		ch->ahead_least = least;
	if (anew || most < ch->ahead_most)
		ch->ahead_most = most;
}

/*
 * From now on the run clock says when the wait is over, so that setting
 * the date does no harm.
 */
static void
reckon(const struct worker *w, struct channel *ch)
{
	ch->not_before = worker_run_ms(w) +
	    pace_left(&ch->tally.pace, queue_ms_least(w, ch));
	if (ch->not_before < ch->obey_until)
		ch->not_before = ch->obey_until;
}

/* Changes the events of the message in hand; the caller frees the keys. */
static struct queue_batch
batch_of(const struct channel *ch, const struct pace *pace)
{
	struct queue_batch batch = { .destination = ch->name,
	    .count = ch->taken, .reason = ch->outcome.reason,
	    .pace_of = ch->pace_of, .pace = pace };
	size_t i;

	batch.keys = mem_alloc(ch->taken * sizeof(*batch.keys));
	for (i = 0; i < ch->taken; i++) {
		batch.keys[i].number = ch->events.events[i]->number;
		batch.keys[i].nonce = ch->events.events[i]->nonce;
		batch.keys[i].missed = false;
	}
	return batch;
}

/*
 * The database that has them now is not the one that they were read from:
 * a backup, or a standby that lagged. It may wait there under another key.
 */
static void
log_missed(const struct channel *ch, const struct queue_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->count; i++)
		if (batch->keys[i].missed)
			message_log_event(LEVEL_WARN, ch->events.events[i],
			    ch->name, "left-alone");
}

/* What the queue has for the destination now. */
static void
keep_pace(const struct worker *w, struct channel *ch, const struct pace *pace)
{
	ch->tally.pace = *pace;
	ch->obey_until = worker_run_ms(w) + pace->obey_ms - pace->set_ms;
	reckon(w, ch);
}

/*
 * Keeps a change of these events, and the pace; false when it failed, or
 * when it was a claim and not all of them are there to be claimed.
 */
static bool
keep_batch(struct worker *w, struct channel *ch, enum queue_change change,
    const struct queue_batch *batch)
{
	struct buf why = BUF_INIT;
	enum queue_result result;
	bool good;

	result = queue_change(w->queue, change, batch, queue_ms(w, ch), &why);
	good = worker_queue_good(w, result, &why);
	if (good && change == QUEUE_CLAIM)
		good = !queue_missed(batch);
	else if (good)
		log_missed(ch, batch);
	if (good)
		keep_pace(w, ch, batch->pace);
	return good;
}

static bool
keep(struct worker *w, struct channel *ch, enum queue_change change,
    const struct pace *pace)
{
	struct queue_batch batch = batch_of(ch, pace);
	bool good = keep_batch(w, ch, change, &batch);

	free(batch.keys);
	return good;
}

/* ------------------------------------------------------------ looking */

/*
 * Sees to what the worker before us left behind. Where that died over a
 * message, it may have been sent, a moment ago perhaps. A wait of a clock
 * that has since been set back begins anew, from here on: else it did so
 * with each worker.
 */
static bool
take_over(struct worker *w, struct channel *ch)
{
	struct pace pace = ch->tally.pace;

	if (pace.posting) {
		log_say(LEVEL_WARN, "destination %s: a message was on its way "
		    "when the last worker ended; its events may appear twice",
		    ch->name);
		pace_began(&pace, &w->rules, queue_ms(w, ch));
	} else if (ch->known || !pace_is_ahead(&pace, queue_ms(w, ch))) {
		return true;
	}
	pace.posting = false;
	pace_move(&pace, queue_ms(w, ch));
	return keep(w, ch, QUEUE_PUT_BACK, &pace);
}

/* What was learnt from another address of the webhook is forgotten. */
static bool
aim(struct worker *w, struct channel *ch)
{
	struct pace pace = ch->tally.pace;

	return !pace_aim(&pace, ch->webhook_url, queue_ms(w, ch)) ||
	    keep(w, ch, QUEUE_PUT_BACK, &pace);
}

/* Whether the queue has something else for this address. */
static bool
is_aimed_anew(const struct worker *w, const struct channel *ch)
{
	struct pace pace = ch->tally.pace;

	return ch->counted && ch->tally.pace.webhook != 0 &&
	    pace_aim(&pace, ch->webhook_url, queue_ms(w, ch));
}

static bool
same_wait(const struct pace *a, const struct pace *b)
{
	return a->set_ms == b->set_ms && a->until_ms == b->until_ms;
}

bool
channel_look(struct worker *w, struct channel *ch)
{
	struct pace before = ch->tally.pace;
	int64_t before_ms = worker_wall_ms(w);
	struct buf why = BUF_INIT;
	enum queue_result result;

	result = queue_count(w->queue, ch->name, ch->pace_of, &ch->tally,
	    &why);
	if (!worker_queue_good(w, result, &why))
		return false;
	learn_time(ch, before_ms, worker_wall_ms(w));
	if (!ch->counted || !same_wait(&before, &ch->tally.pace))
		reckon(w, ch);
	ch->counted = true;
	ch->look_at = worker_run_ms(w) + (ch->tally.waiting > 0 ?
	    LOOK_WAITING_MS : LOOK_MS);
	return true;
}

/* ----------------------------------------------------------- claiming */

static bool
gather(void *context, struct event *e, size_t bytes)
{
	struct channel *ch = context;

	/* One that is postponed may be at fault, and goes alone. */
	if (e->postponed && ch->events.count > 0) {
		free(e);
		return false;
	}
	event_list_add(&ch->events, e);
	ch->bytes += bytes;
	return !e->postponed && ch->bytes < BYTES_MAX;
}

/* Takes the next events into the channel; false when there are none. */
static bool
read_events(struct worker *w, struct channel *ch)
{
	size_t budget = pace_budget(&ch->tally.pace, &w->rules,
	    ch->tally.waiting - ch->tally.postponed);
	struct buf why = BUF_INIT;
	enum queue_result result;

	result = queue_read(w->queue, ch->name, budget, gather, ch,
	    queue_ms(w, ch), &why);
	ch->digest = budget > SLACK_ATTACHMENTS_MAX;
	event_list_sort(&ch->events);
	return worker_queue_good(w, result, &why) && ch->events.count > 0;
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
 * Whether a message has to tell of what was set aside, and of nothing else:
 * no other is to come.
 */
static bool
must_tell(const struct channel *ch)
{
	return ch->tally.untold > 0 &&
	    ch->tally.waiting == ch->tally.postponed;
}

/*
 * Begins a message. That it begins is written down before it is posted:
 * a queue that cannot be written to would else send it again and again.
 * Where the turn was lost till then, another machine may have begun one.
 */
static void
begin_message(struct worker *w, struct channel *ch)
{
	const struct config *c = &w->current.config;
	struct pace pace = ch->tally.pace;

	if (!worker_can_post(w)) {
		ch->not_before = worker_run_ms(w) + LOOK_WAITING_MS;
		return;
	}
	if (!read_events(w, ch) && !must_tell(ch)) {
		channel_drop(ch);
		ch->look_at = 0;
		return;
	}
	ch->telling = ch->tally.untold;
	ch->taken = message_compose(&ch->payload, ch->events.events,
	    ch->events.count, ch->digest, ch->telling, c);
	pace_began(&pace, &w->rules, queue_ms(w, ch));
	if (!keep(w, ch, QUEUE_CLAIM, &pace) ||
	    !queue_has_turn(w->queue, ch->pace_of)) {
		channel_drop(ch);
		return;
	}
	ch->stage = POSTING;
	ch->claimed_ms = pace.set_ms;
	ch->began_ms = worker_run_ms(w);
	w->world->begin(w->world->context, ch, ch->webhook_url, &ch->payload,
	    timeout_for(w, ch));
}

/* -------------------------------------------------------------- turns */

/* False, for the time being, while another machine speaks. */
static bool
begin_turn(struct worker *w, struct channel *ch)
{
	struct buf why = BUF_INIT;
	enum queue_result result;
	bool mine = false;

	result = queue_begin_turn(w->queue, ch->pace_of, &mine, &why);
	if (worker_queue_good(w, result, &why) && !mine)
		ch->not_before = ch->look_at = worker_run_ms(w) + LOOK_MS;
	return result == QUEUE_OK && mine;
}

/* Others may speak to the destination now. */
static void
end_turn(struct worker *w, struct channel *ch)
{
	if (w->queue)
		queue_end_turn(w->queue, ch->pace_of);
}

/* ----------------------------------------------------------- settling */

/*
 * A turn that was lost during the message, with the connection, is taken
 * again. *alone: nobody else began a message meanwhile.
 */
static bool
keep_turn(struct worker *w, struct channel *ch, bool *alone)
{
	*alone = true;
	if (queue_has_turn(w->queue, ch->pace_of))
		return true;
	if (!begin_turn(w, ch) || !channel_look(w, ch))
		return false;
	*alone = ch->tally.pace.posting &&
	    ch->tally.pace.set_ms == ch->claimed_ms;
	return true;
}

/* Which change makes a verdict true. */
static const enum queue_change changes[] = {
	[PACE_WAIT] = QUEUE_PUT_BACK,
	[PACE_SENT] = QUEUE_SETTLE,
	[PACE_POSTPONE] = QUEUE_POSTPONE,
	[PACE_POSTPONE_LONG] = QUEUE_POSTPONE,
	[PACE_SET_ASIDE] = QUEUE_SET_ASIDE,
	[PACE_RECALL] = QUEUE_RECALL,
};

/* What is to be done with the events; also changes the pace. */
static enum pace_verdict
judge(struct worker *w, struct channel *ch, struct pace *pace)
{
	struct pace_message message = { .events = ch->taken };

	message.postponed = ch->taken > 0 && ch->events.events[0]->postponed;
	message.others = ch->tally.waiting - ch->tally.postponed >
	    (message.postponed ? 0 : (int64_t)ch->taken);
	return pace_ended(pace, &w->rules, &ch->outcome, &message,
	    queue_ms(w, ch), w->world->chance(w->world->context));
}

/* Keeps what came of a message; true when that is done. */
static bool
keep_verdict(struct worker *w, struct channel *ch, enum pace_verdict verdict,
    const struct pace *pace)
{
	const struct config *c = &w->current.config;
	struct queue_batch batch = batch_of(ch, pace);
	bool good;

	batch.later_ms = queue_ms(w, ch);
	if (verdict == PACE_POSTPONE_LONG)
		batch.later_ms += c->slack_retry_max_ms;
	batch.expired_ms = queue_ms(w, ch) - c->retention_ms;
	batch.since_ms = ch->tally.pace.condemned_ms;
	batch.told = ch->telling > 0 && ch->outcome.result == POST_SENT;
	good = keep_batch(w, ch, changes[verdict], &batch);
	free(batch.keys);
	return good;
}

/* What a person should know of a verdict. */
static void
log_verdict(const struct channel *ch, enum pace_verdict verdict)
{
	switch (verdict) {
	case PACE_WAIT:
	case PACE_SENT:
	case PACE_POSTPONE:
		break;
	case PACE_POSTPONE_LONG:
		message_log_event(LEVEL_WARN, ch->events.events[0], ch->name,
		    "postponed");
		break;
	case PACE_SET_ASIDE:
		message_log_event(LEVEL_ERROR, ch->events.events[0], ch->name,
		    "set-aside");
		break;
	case PACE_RECALL:
		log_say(LEVEL_ERROR, "destination %s: Slack rejects every "
		    "event with the same word, so the webhook is at fault: "
		    "its events wait", ch->name);
		break;
	}
}

/*
 * Writes down what came of a message, if the queue lets us. Where another
 * machine has sent one since, it knows better how the destination stands.
 */
static void
settle(struct worker *w, struct channel *ch)
{
	enum pace_verdict verdict = PACE_WAIT;
	struct pace pace;
	bool alone;

	ch->stage = UNSETTLED;
	if (!w->queue || !keep_turn(w, ch, &alone))
		return;
	pace = ch->tally.pace;
	if (alone)
		verdict = judge(w, ch, &pace);
	else if (ch->outcome.result == POST_SENT)
		verdict = PACE_SENT;
	if (!keep_verdict(w, ch, verdict, &pace))
		return;
	log_verdict(ch, verdict);
	channel_drop(ch);
	end_turn(w, ch);
	ch->look_at = 0;
}

/*
 * An event has a line when it is sent, and when its destination begins to
 * fail; not at every try of an outage.
 */
void
channel_end_message(struct worker *w, struct channel *ch,
    const struct post_outcome *outcome)
{
	bool first = ch->tally.pace.failures == 0;

	ch->outcome = *outcome;
	ch->timeouts = outcome->timed_out ? ch->timeouts + 1 : 0;
	message_log(ch->name, ch->taken, ch->digest, outcome,
	    worker_run_ms(w) - ch->began_ms);
	if (outcome->result == POST_SENT ||
	    (outcome->result != POST_NEVER && first))
		message_log_events(ch->events.events, ch->taken, ch->name,
		    post_result_name(outcome->result));
	settle(w, ch);
}

/* ------------------------------------------------------------ serving */

/* A new webhook is tried at once: whoever gave it waits for that. */
static bool
hurry(struct worker *w, struct channel *ch)
{
	struct buf why = BUF_INIT;
	enum queue_result result;

	result = queue_hurry(w->queue, ch->pace_of, &why);
	if (!worker_queue_good(w, result, &why))
		return false;
	ch->renewed = false;
	ch->look_at = 0;
	return true;
}

bool
channel_has_something(const struct worker *w, const struct channel *ch)
{
	const struct queue_tally *t = &ch->tally;

	return t->waiting > t->postponed || (t->postponed > 0 &&
	    queue_ms_least(w, ch) >= t->later_ms) || must_tell(ch);
}

static bool
is_due(const struct worker *w, const struct channel *ch)
{
	return channel_has_something(w, ch) &&
	    worker_run_ms(w) >= ch->not_before;
}

/* Nothing that was known before the turn is sure. */
static void
use_turn(struct worker *w, struct channel *ch)
{
	if (channel_look(w, ch) && take_over(w, ch) && aim(w, ch)) {
		ch->known = true;
		if (is_due(w, ch))
			begin_message(w, ch);
	}
	if (ch->stage == IDLE)
		end_turn(w, ch);
}

/*
 * By the configuration the webhook may be shared with others now. A message
 * on its way is settled first, by the pace that it began with.
 */
static void
use_pace(struct channel *ch)
{
	if (strcmp(ch->pace_of, ch->pace_next) == 0)
		return;
	free(ch->pace_of);
	ch->pace_of = mem_dup(ch->pace_next);
	ch->counted = ch->known = false;
	ch->look_at = 0;
}

/* Destinations with one webhook have one message at a time together. */
bool
channel_is_shared_now(const struct worker *w, const struct channel *ch)
{
	const struct channel *other;
	size_t i;

	for (i = 0; i < w->channel_count; i++) {
		other = w->channels[i];
		if (other != ch && other->stage != IDLE &&
		    strcmp(other->pace_of, ch->pace_of) == 0)
			return true;
	}
	return false;
}

void
channel_serve(struct worker *w, struct channel *ch)
{
	if (ch->stage == UNSETTLED)
		settle(w, ch);
	if (ch->stage != IDLE || !ch->webhook_url || w->stop_by >= 0)
		return;
	use_pace(ch);
	if (channel_is_shared_now(w, ch))
		return;
	if (ch->renewed && !hurry(w, ch))
		return;
	if (is_aimed_anew(w, ch)) {
		if (begin_turn(w, ch))
			use_turn(w, ch);
		return;
	}
	if (ch->known && !is_due(w, ch) && (worker_run_ms(w) < ch->look_at ||
	    !channel_look(w, ch) || !is_due(w, ch)))
		return;
	if (worker_run_ms(w) >= ch->not_before && begin_turn(w, ch))
		use_turn(w, ch);
}
