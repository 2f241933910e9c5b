/* SPDX-License-Identifier: ISC */
/*
 * The worker: the queue, the one lock, and when to leave. What is done for
 * a destination is in channel.c.
 */
#include "channel.h"

#include "log.h"
#include "queue_place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_MS 4000		/* with nothing to do, before it leaves */
#define PURGE_MS 3600000
#define SIGN_IN_MS 5000
#define AGAIN_MS 1000		/* after the queue failed; then twice that */
#define AGAIN_MAX_MS 4000	/* and so on */
#define GIVE_UP_MS 15000	/* on a queue that fails, when it may end */

int64_t
worker_wall_ms(const struct worker *w)
{
	return w->world->wall_ms(w->world->context);
}

int64_t
worker_run_ms(const struct worker *w)
{
	return w->world->run_ms(w->world->context);
}

/* ------------------------------------------------------------- queue */

bool
worker_queue_failed(struct worker *w, enum queue_result result,
    struct buf *why)
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
		w->failing_since = worker_run_ms(w);
	queue_close(w->queue);
	w->queue = NULL;
	w->again_ms = w->again_ms == 0 ? AGAIN_MS : w->again_ms * 2;
	if (w->again_ms > AGAIN_MAX_MS)
		w->again_ms = AGAIN_MAX_MS;
	w->open_at = worker_run_ms(w) + w->again_ms;
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
	w->again_ms = 0;
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

	if (w->queue || worker_run_ms(w) < w->open_at)
		return;
	w->queue = queue_open(&options, &result, &why);
	if (w->queue)
		w->opened = true;
	else
		worker_queue_failed(w, result, &why);
	buf_release(&why);
}

static void
purge(struct worker *w)
{
	int64_t retention = w->current.config.retention_ms;
	struct buf why = BUF_INIT;
	enum queue_result result;

	result = queue_purge(w->queue, retention, worker_wall_ms(w), &why);
	worker_queue_failed(w, result, &why);
	w->purge_at = worker_run_ms(w) +
	    (retention < PURGE_MS ? retention : PURGE_MS);
	buf_release(&why);
}

static void
sign_in(struct worker *w)
{
	struct buf why = BUF_INIT;

	worker_queue_failed(w, queue_sign_in(w->queue, &why), &why);
	w->sign_in_at = worker_run_ms(w) + SIGN_IN_MS;
	buf_release(&why);
}

static void
sign_out(struct worker *w)
{
	struct buf why = BUF_INIT;

	worker_queue_failed(w, queue_sign_out(w->queue, &why), &why);
	buf_release(&why);
}

/* --------------------------------------------------------------- turn */

/* How long nothing is to be done, unless a post ends. */
static int64_t
time_to_wait(const struct worker *w)
{
	int64_t now = worker_run_ms(w), next = now + LOOK_MS;
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
		channels_match(w);
	open_queue(w);
	if (w->queue && worker_run_ms(w) >= w->sign_in_at)
		sign_in(w);
	for (i = 0; i < w->channel_count && w->queue; i++)
		channel_serve(w, &w->channels[i]);
	if (w->queue && worker_run_ms(w) >= w->purge_at && !is_busy(w))
		purge(w);
	if (w->queue)
		queue_recovered(w);
	ch = w->world->wait(w->world->context, time_to_wait(w), &outcome);
	if (ch)
		channel_end_message(w, ch, &outcome);
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
		    worker_run_ms(w) >= ch->not_before))
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
		w->stop_by = worker_run_ms(w) + GIVE_UP_MS +
		    w->current.config.slack_timeout_ms;
	return w->stop_by >= 0 &&
	    (!is_busy(w) || worker_run_ms(w) >= w->stop_by);
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
	return worker_run_ms(w) - w->failing_since >= GIVE_UP_MS ||
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
		w->idle_since = worker_run_ms(w);
	return worker_run_ms(w) - w->idle_since >= LINGER_MS;
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
	if (w->queue)
		sign_out(w);
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
		for (name = strtok_r(names.data, "\n", &rest);
		     name && why.len == 0;
		     name = strtok_r(NULL, "\n", &rest))
			remains = remains_for(w, name, &why) || remains;
	if (why.len > 0)
		log_say(LEVEL_ERROR, "%s", buf_text(&why));
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
	w->open_at = worker_run_ms(w);
	open_queue(w);
	if (!w->queue)
		return false;
	for (i = 0; i < w->channel_count; i++)
		if (!channel_look(w, &w->channels[i]))
			return true;
	return has_waiting(w, w->mode == WORKER_UNTIL_IDLE);
}

static enum worker_end
work_as_the_one(struct worker *w)
{
	bool good, done;
	char *shown;

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
	if (has_moved_on(w)) {
		shown = queue_shown_dup(w->address);
		log_say(LEVEL_ERROR, "QUEUE is another now, and events still "
		    "wait in %s: run log-stream-ctl drain, or export for "
		    "import, with QUEUE=%s in its environment", shown, shown);
		free(shown);
	}
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
	channels_match(w);
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

	current_load(&w.current, world->configuration);
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
