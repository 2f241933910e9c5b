/* SPDX-License-Identifier: ISC */
/*
 * What an engine remembers of each destination while the queue is open. How
 * many events wait is counted once for many puts, so that QUEUE_MAX is kept
 * to but for a hundredth.
 */
#ifndef QUEUE_ROOM_H
#define QUEUE_ROOM_H

#include "queue/queue_engine.h"

struct room {
	char *destination;
	int64_t waiting;	/* as counted, and what was put since */
	int64_t left;		/* puts until it is to be counted again */
	int64_t until_ms;	/* the same by clock_ms() */
	unsigned session;	/* of a server, that took its lease; 0: none */
};

/*
 * Counts what waits for a destination: exactly, or at next to no cost how
 * many it can be at the most.
 */
typedef enum queue_result room_count(struct store *s,
    const char *destination, bool exactly, int64_t *waiting,
    struct buf *why);

/* With nothing but max and count_waiting: none is known. */
struct rooms {
	struct room *list;
	size_t count;
	int64_t max;		/* QUEUE_MAX */
	room_count *count_waiting;
};

/* That of a destination; valid until the next call. */
struct room *rooms_find(struct rooms *rooms, const char *destination);
void rooms_release(struct rooms *rooms);

/*
 * One more is put. *above tells whether it is above max; may_count is false
 * where what was put just before could not be counted yet.
 */
enum queue_result rooms_take(struct rooms *rooms, struct store *s,
    const char *destination, bool may_count, bool *above, struct buf *why);

#endif
