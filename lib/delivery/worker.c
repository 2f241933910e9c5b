/* SPDX-License-Identifier: ISC */
/*
 * The worker: the queue, the one lock, and when to leave. What is done for
 * a destination is in channel.c.
 */
#include "delivery/channel.h"

#include "base/log.h"
#include "queue/queue_place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_MS 4000		/* with nothing to do, before it leaves */
#define PURGE_MS 3600000
#define SIGN_MS 5000		/* between two signs of life */
#define AGAIN_MS 1000		/* after the queue failed; then twice that */
#define AGAIN_MAX_MS 4000	/* and so on */
#define GIVE_UP_MS 15000	/* on a queue that fails, when it may end */
#define WATCH_MS 7000		/* of a holder, before it is taken to hang */
#define ENDING_MS 5000		/* in which a process that was killed ends */
#define WATCH_AGAIN_MS 100

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

/* A complaint that lasts is repeated now and then, and not every second. */
static void
complain(const struct worker *w, struct complaint *c, const char *text)
{
	if (c->text && strcmp(c->text, text) == 0 &&
	    worker_run_ms(w) < c->again_at)
		return;
	log_say(LEVEL_ERROR, "%s", text);
	free(c->text);
	c->text = mem_dup(text);
	c->again_at = worker_run_ms(w) + LOG_AGAIN_MS;
}

static void
complaint_end(struct complaint *c)
{
	free(c->text);
	c->text = NULL;
}

/* It is in the log, and in a sign of life, given soon, for status to show. */
bool
worker_can_post(struct worker *w)
{
	struct buf why = BUF_INIT;
	bool good = w->world->can_post(w->world->context, &why);

	if (good == (w->of_post.text != NULL))
		w->sign_at = worker_run_ms(w);
	if (good)
		complaint_end(&w->of_post);
	else
		complain(w, &w->of_post, buf_text(&why));
	buf_release(&why);
	return good;
}

bool
worker_queue_good(struct worker *w, enum queue_result result,
    struct buf *why)
{
	if (result != QUEUE_OK)
		complain(w, &w->of_queue, buf_text(why));
	buf_release(why);
	if (result == QUEUE_OK)
		return true;
	w->result = result;
	if (w->failing_since < 0)
		w->failing_since = worker_run_ms(w);
	queue_close(w->queue);
	w->queue = NULL;
	w->again_ms = w->again_ms == 0 ? AGAIN_MS : w->again_ms * 2;
	if (w->again_ms > AGAIN_MAX_MS)
		w->again_ms = AGAIN_MAX_MS;
	w->open_at = worker_run_ms(w) + w->again_ms;
	return false;
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
	complaint_end(&w->of_queue);
}

static void
open_queue(struct worker *w)
{
	struct queue_options options = config_queue_options(
	    &w->current.config, true);
	enum queue_result result;
	struct buf why = BUF_INIT;

	if (w->queue || worker_run_ms(w) < w->open_at)
		return;
	options.address = w->address;
	w->queue = queue_open(&options, &result, &why);
	if (worker_queue_good(w, w->queue ? QUEUE_OK : result, &why))
		w->opened = true;
}

/* From here on the run clock says what date it should be. */
static void
begin_dates(struct worker *w)
{
	w->began_wall_ms = worker_wall_ms(w);
	w->began_run_ms = worker_run_ms(w);
}

/* Whether the date went on with the run clock, for so long at least. */
static bool
has_run_for(struct worker *w, int64_t ms)
{
	int64_t ran = worker_run_ms(w) - w->began_run_ms;
	int64_t went = worker_wall_ms(w) - w->began_wall_ms;

	if (went - ran > ms || ran - went > ms) {
		log_say(LEVEL_WARN, "the date was set: nothing is forgotten "
		    "before it has been right for half of RETENTION");
		begin_dates(w);
		return false;
	}
	return ran >= ms;
}

/*
 * Whether the date may be gone by for forgetting what is old. A clock that
 * is wrong for a while would have all log_ids forgotten. So there has to be a
 * second witness: this worker has run for half of RETENTION, or something
 * was done between a whole and half of it ago.
 */
static enum queue_result
ask_date(struct worker *w, bool *sure, struct buf *why)
{
	int64_t retention = w->current.config.retention_ms, done;
	int64_t now = worker_wall_ms(w);
	enum queue_result result;

	*sure = has_run_for(w, retention / 2);
	if (*sure)
		return QUEUE_OK;
	result = queue_last_done(w->queue, now - retention / 2, &done, why);
	*sure = done >= now - retention;
	return result;
}

static void
purge(struct worker *w)
{
	int64_t retention = w->current.config.retention_ms;
	struct buf why = BUF_INIT;
	enum queue_result result;
	bool sure;

	result = ask_date(w, &sure, &why);
	if (result == QUEUE_OK && sure)
		result = queue_purge(w->queue, retention, worker_wall_ms(w),
		    &why);
	worker_queue_good(w, result, &why);
	w->purge_at = worker_run_ms(w) +
	    (retention < PURGE_MS ? retention : PURGE_MS);
}

static void
sign(struct worker *w)
{
	struct buf why = BUF_INIT;

	worker_queue_good(w, queue_lock_sign(w->lock, w->queue,
	    w->of_post.text ? w->of_post.text : "", &why), &why);
	w->sign_at = worker_run_ms(w) + SIGN_MS;
}

static bool
is_busy(const struct worker *w)
{
	size_t i;

	for (i = 0; i < w->channel_count; i++)
		if (w->channels[i]->stage != IDLE)
			return true;
	return false;
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

/* --------------------------------------------------------------- lock */

/* False when another process is the worker, or there can be none. */
static bool
become_the_worker(struct worker *w)
{
	struct buf why = BUF_INIT;
	enum queue_result result;
	bool mine = false;

	w->locked_out = false;
	if (queue_lock_needs_queue(w->lock))
		open_queue(w);
	if (queue_lock_needs_queue(w->lock) && !w->queue)
		return false;
	result = queue_lock_take(w->lock, w->queue, &mine, &why);
	if (!worker_queue_good(w, result, &why))
		return false;
	w->locked_out = !mine;
	if (mine)
		sign(w);
	return mine;
}

/* What others see of the worker's lock. */
static bool
look_at_holder(struct worker *w, struct queue_holder *holder)
{
	struct buf why = BUF_INIT;

	return worker_queue_good(w, queue_lock_look(w->lock, w->queue, holder,
	    &why), &why);
}

static void
pause_for(struct worker *w, int64_t ms)
{
	struct post_outcome none;

	w->world->wait(w->world->context, ms, &none);
}

/*
 * Whether the holder gives no sign of life while it is watched. What its
 * last sign says alone may be the date, which was set.
 */
static bool
is_silent(struct worker *w)
{
	int64_t end = worker_run_ms(w) + WATCH_MS;
	struct queue_holder holder;

	do {
		if (!look_at_holder(w, &holder) ||
		    !queue_holder_hangs(&holder))
			return false;
		pause_for(w, WATCH_AGAIN_MS);
	} while (worker_run_ms(w) < end &&
	    !w->world->stopping(w->world->context));
	return worker_run_ms(w) >= end;
}

/* Ends the holder that hangs; true when the lock is ours then. */
static bool
take_over_from(struct worker *w, const struct queue_holder *holder)
{
	int64_t end = worker_run_ms(w) + ENDING_MS;
	struct buf why = BUF_INIT, text = BUF_INIT;

	if (!w->stuck)
		log_say(LEVEL_ERROR, "the worker, process %ld, has given no "
		    "sign of life for %lld s: it is ended",
		    (long)holder->pid,
		    (long long)(holder->silent_ms / 1000));
	if (w->world->end_process(w->world->context, holder->pid, &why)) {
		while (!become_the_worker(w) && w->locked_out &&
		    worker_run_ms(w) < end)
			pause_for(w, WATCH_AGAIN_MS);
		if (w->locked_out)
			buf_adds(&why, "it was killed and has not ended");
	}
	w->stuck = why.len > 0;
	if (w->stuck) {
		buf_addf(&text, "the worker, process %ld, hangs, and nothing "
		    "is delivered: %s: end it by hand", (long)holder->pid,
		    buf_text(&why));
		complain(w, &w->of_queue, buf_text(&text));
	}
	buf_release(&text);
	buf_release(&why);
	return !w->stuck && !w->locked_out;
}

/* Whether one that hangs has the lock, which is then ours instead. */
static bool
replace_holder(struct worker *w)
{
	struct queue_holder holder;

	if (!look_at_holder(w, &holder) || !queue_holder_hangs(&holder) ||
	    !is_silent(w))
		return false;
	w->hung = holder;
	return take_over_from(w, &holder);
}

/* Whether another try to become the worker makes sense. */
static bool
may_wait(const struct worker *w)
{
	if (w->world->stopping(w->world->context))
		return false;
	if (w->locked_out)
		return w->mode == WORKER_STAYS;
	return queue_lock_needs_queue(w->lock) && !gives_up(w);
}

/* A service takes over from a worker that a door started, when it leaves. */
static bool
wait_to_be_the_worker(struct worker *w)
{
	bool said = false;

	for (;;) {
		if (become_the_worker(w) ||
		    (w->locked_out && replace_holder(w)))
			return true;
		if (!may_wait(w))
			return false;
		if (w->locked_out && !said)
			log_say(LEVEL_INFO, "another worker runs: waiting "
			    "until it leaves");
		said = said || w->locked_out;
		pause_for(w, AGAIN_MS);
	}
}

/*
 * Gives a sign of life, and sees that it is still the worker: somebody may
 * have moved the queue's files away, the locked one with them, or the
 * session has ended. Where another has the lock by now, this one leaves.
 */
static void
keep_lock(struct worker *w)
{
	if (w->displaced)
		return;
	if (!queue_lock_is_mine(w->lock, w->queue)) {
		queue_lock_release(w->lock, w->queue);
		if (!become_the_worker(w))
			w->displaced = w->locked_out;
	} else if (worker_run_ms(w) >= w->sign_at) {
		sign(w);
	}
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
		ch = w->channels[i];
		if (ch->stage != IDLE || !ch->webhook_url || !w->queue ||
		    w->stop_by >= 0 || channel_is_shared_now(w, ch))
			continue;
		if (ch->look_at < next)
			next = ch->look_at;
		if (ch->not_before < next && channel_has_something(w, ch))
			next = ch->not_before;
	}
	return next > now ? next - now : 0;
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
	if (!queue_lock_needs_queue(w->lock) || w->queue)
		keep_lock(w);
	for (i = 0; i < w->channel_count && w->queue; i++)
		channel_serve(w, w->channels[i]);
	if (w->queue && worker_run_ms(w) >= w->purge_at && !is_busy(w))
		purge(w);
	if (w->queue)
		queue_recovered(w);
	ch = w->world->wait(w->world->context, time_to_wait(w), &outcome);
	if (ch)
		channel_end_message(w, ch, &outcome);
}

/* ---------------------------------------------------------------- end */

/* Whether something waits for a channel; later: for a failure to pass. */
static bool
has_waiting(const struct worker *w, bool later)
{
	const struct channel *ch;
	size_t i;

	for (i = 0; i < w->channel_count; i++) {
		ch = w->channels[i];
		if (!ch->webhook_url)
			continue;
		if (!ch->known)
			return true;
		if (later ? ch->tally.waiting > 0 || ch->tally.untold > 0 :
		    channel_has_something(w, ch) &&
		    (ch->tally.pace.failures == 0 ||
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

/*
 * Told to stop, or to use another queue, or no longer the worker: what is
 * on its way is settled.
 */
static bool
must_stop(struct worker *w)
{
	if (w->stop_by < 0 && (w->world->stopping(w->world->context) ||
	    w->displaced || has_moved_on(w)))
		w->stop_by = worker_run_ms(w) + GIVE_UP_MS +
		    w->current.config.slack_timeout_ms;
	return w->stop_by >= 0 &&
	    (!is_busy(w) || worker_run_ms(w) >= w->stop_by);
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
	while (!must_stop(w) && !is_done(w)) {
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

	if (queue_count(w->queue, name, name, &tally, why) != QUEUE_OK)
		return true;
	w->needs_person = w->needs_person || tally.untold > 0 ||
	    (tally.waiting > 0 && tally.pace.refused);
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
 * what a receiver put in before that, seeing the lock held, would else wait
 * for the next request. A receiver that comes later finds no worker and
 * starts one. So does one that gave up a queue that failed: if it can be
 * opened now, a receiver may have put something in.
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
		if (!channel_look(w, w->channels[i]))
			return true;
	return has_waiting(w, w->mode == WORKER_UNTIL_IDLE);
}

static enum worker_end
work_as_the_one(struct worker *w)
{
	bool good;
	char *shown;

	do {
		if (!wait_to_be_the_worker(w))
			return w->stuck ? WORKER_STUCK : w->locked_out ?
			    WORKER_OTHER : WORKER_FAILED;
		good = work(w);
		queue_lock_release(w->lock, w->queue);
	} while (must_return(w, good));
	if (w->displaced)
		return WORKER_OTHER;
	if (!good)
		return WORKER_FAILED;
	if (!anything_remains(w))
		return WORKER_EMPTY;
	if (has_moved_on(w)) {
		shown = queue_shown_dup(w->address);
		log_say(LEVEL_ERROR, "QUEUE is another now, and events still "
		    "wait in %s: run log-stream-ctl drain, with QUEUE=%s in "
		    "its environment", shown, shown);
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
	w->lock = queue_lock_new(w->address);
	begin_dates(w);
	channels_match(w);
	if (queue_become_owner(w->address, &why))
		end = work_as_the_one(w);
	else
		log_say(LEVEL_ERROR, "%s", buf_text(&why));
	buf_release(&why);
	queue_lock_free(w->lock, w->queue);
	queue_close(w->queue);
	for (i = 0; i < w->channel_count; i++)
		channel_free(w->channels[i]);
	free(w->channels);
	free(w->address);
	complaint_end(&w->of_queue);
	complaint_end(&w->of_post);
	return end;
}

enum worker_end
worker_run(enum worker_mode mode, const struct world *world,
    struct worker_report *report)
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
	report->hung = w.hung;
	report->needs_person = w.needs_person;
	return end;
}
