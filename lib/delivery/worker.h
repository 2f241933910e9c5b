/* SPDX-License-Identifier: ISC */
/*
 * The worker: takes events out of the queue and posts them, one message a
 * destination at a time, at the pace of pace.h. What became of a message
 * is in the queue before the destination has its next; a destination that
 * is slow, refused or asked to wait holds up no other.
 *
 * When the queue itself fails, what Slack has taken is remembered, and
 * nothing more is posted until that can be kept.
 */
#ifndef WORKER_H
#define WORKER_H

#include "base/buf.h"
#include "queue/queue.h"
#include "webhook/post.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the worker needs of the world, so that a test can be the world. */
struct world {
	/* Milliseconds since 1970; may jump. */
	int64_t (*wall_ms)(void *context);
	/* Milliseconds since some moment; only goes forward. */
	int64_t (*run_ms)(void *context);
	/* From 0 to 1, at random. */
	double (*chance)(void *context);
	/* As poster_begin() and poster_wait(). */
	void (*begin)(void *context, void *ticket, const char *url,
	    const struct buf *payload, int64_t timeout_ms);
	void *(*wait)(void *context, int64_t timeout_ms,
	    struct post_outcome *outcome);
	/* Whether to end; what is on its way is settled first. */
	bool (*stopping)(void *context);
	/* Whether a message can be sent, and settled; false adds to *why. */
	bool (*can_post)(void *context, struct buf *why);
	/* Kills a process; false, and why, when that cannot be. */
	bool (*end_process)(void *context, pid_t pid, struct buf *why);
	void *context;
	/* Of the receiver that starts this worker, see config_copy.h; NULL:
	 * the files are read. */
	const struct buf *configuration;
};

enum worker_mode {
	WORKER_STAYS,		/* until told to stop */
	WORKER_UNTIL_IDLE,	/* until nothing has waited for a while */
	WORKER_DRAINS		/* until nothing is due */
};

enum worker_end {
	WORKER_FAILED,		/* configuration or queue: the log says why */
	WORKER_REMAINS,		/* some events still wait */
	WORKER_EMPTY,		/* none does */
	WORKER_OTHER,		/* another process is the worker */
	WORKER_STUCK		/* the same, and it hangs and cannot be ended */
};

/* What a person should hear of, whatever the end. */
struct worker_report {
	struct queue_holder hung;	/* held: another worker hung */
	bool needs_person;	/* with WORKER_REMAINS and WORKER_EMPTY: Slack
				 * refuses a destination, or rejected events
				 * and could not be told of them */
};

/*
 * Works off the queue that the configuration names, reading that again
 * when it changes. WORKER_OTHER comes back at once, unless the other hangs:
 * then it is ended.
 */
enum worker_end worker_run(enum worker_mode mode, const struct world *world,
    struct worker_report *report);

#endif
