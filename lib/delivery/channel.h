/* SPDX-License-Identifier: ISC */
/*
 * A channel: a destination in the worker's hands, how it stands, and the
 * message that is on its way to it. For worker.c and channel.c; others see
 * worker.h.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "config/current.h"
#include "delivery/pace.h"
#include "delivery/worker.h"
#include "event/event.h"
#include "queue/queue.h"

#define LOOK_MS 250		/* between looks for new events */

enum stage {
	IDLE,
	POSTING,	/* a message is on its way */
	UNSETTLED	/* what came of it is not yet in the queue */
};

struct channel {
	char *name;
	char *pace_of;		/* of the first with the same webhook */
	char *pace_next;	/* the same from the next message on */
	char *webhook_url;	/* NULL: the configuration has it no more */
	bool renewed;		/* it was not there, and is tried at once */
	enum stage stage;
	int64_t look_at;	/* by the run clock: when to count again */
	int64_t not_before;	/* by the run clock: no message before */
	int64_t obey_until;	/* the same, but what no haste may shorten */
	bool counted;		/* at least once */
	bool known;		/* and what the last worker left seen to */
	unsigned timeouts;	/* in a row */
	int64_t ahead_least;	/* of the queue's clock, before the wall's: */
	int64_t ahead_most;	/* it is between these two */
	struct queue_tally tally;

	/* The message in hand. */
	struct event_list events;
	size_t bytes;
	size_t taken;		/* of the events, in the message */
	bool digest;
	int64_t telling;	/* so many that are set aside, too */
	struct buf payload;
	int64_t claimed_ms;	/* by the queue's clock: pace.set_ms */
	int64_t began_ms;
	struct post_outcome outcome;
};

/* What the log was last told of something that lasts. */
struct complaint {
	char *text;		/* NULL: there is nothing to complain of */
	int64_t again_at;	/* when to say the same again */
};

struct worker {
	const struct world *world;
	enum worker_mode mode;
	struct current current;
	char *address;		/* of the queue it began with */
	struct queue_lock *lock; /* what makes it the worker */
	bool locked_out;	/* another process is */
	bool stuck;		/* that one hangs, and cannot be ended */
	struct queue_holder hung; /* the last that hung; none: not held */
	bool needs_person;	/* at the end: see struct worker_report */
	bool displaced;		/* it has lost the lock to another */
	struct queue *queue;	/* NULL: to be opened */
	bool opened;		/* once at least */
	enum queue_result result; /* how it failed last */
	struct channel **channels;
	size_t channel_count;
	bool matched;		/* to a configuration, once at least */
	struct pace_rules rules; /* of that one */

	int64_t sign_at;
	int64_t purge_at;
	int64_t began_wall_ms;	/* the date when it began, or when a jump of
				 * it was noticed */
	int64_t began_run_ms;	/* the same by the run clock */
	int64_t idle_since;
	int64_t failing_since;	/* of the queue; -1: it does not fail */
	int64_t open_at;	/* not before; after a failure */
	int64_t again_ms;	/* the wait till then; 0: there was none */
	int64_t stop_by;	/* -1: not told to stop */
	struct complaint of_queue;
	struct complaint of_post;	/* why nothing can be sent */
};

/* -------------------------------------------------------- channel.c */

/*
 * The configuration's rules, and a channel for each of its destinations. One
 * that is gone from it keeps its channel until its message is settled, and
 * gets no more.
 */
void channels_match(struct worker *w);

/* Takes NULL too. */
void channel_free(struct channel *ch);

/* Counts what waits for it; false when the queue failed. */
bool channel_look(struct worker *w, struct channel *ch);

/* Whether there is something to send now, but for the rate limit. */
bool channel_has_something(const struct worker *w, const struct channel *ch);

/* Whether another channel has a message on its way to the same webhook. */
bool channel_is_shared_now(const struct worker *w, const struct channel *ch);

/* Does what is due: settles, looks, begins the next message. */
void channel_serve(struct worker *w, struct channel *ch);

/* A message is over. */
void channel_end_message(struct worker *w, struct channel *ch,
    const struct post_outcome *outcome);

/* --------------------------------------------------------- worker.c */

/* The world's clocks. */
int64_t worker_wall_ms(const struct worker *w);
int64_t worker_run_ms(const struct worker *w);

/* Whether a message can be sent now; why not is told. */
bool worker_can_post(struct worker *w);

/*
 * Sees to a result of the queue: false when it failed, and is then closed.
 * The same complaint is logged every few minutes. Releases the reason.
 */
bool worker_queue_good(struct worker *w, enum queue_result result,
    struct buf *why);

#endif
