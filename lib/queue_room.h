/* SPDX-License-Identifier: ISC */
/*
 * How many events wait for a destination, counted once for many puts, so
 * that QUEUE_MAX is kept to but for a hundredth. For the engines.
 */
#ifndef QUEUE_ROOM_H
#define QUEUE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct room {
	char *destination;
	int64_t waiting;	/* as counted, and what was put since */
	int64_t left;		/* puts until it is to be counted again */
	int64_t until_ms;	/* the same by clock_ms() */
};

/* All zero: none is known. */
struct rooms {
	struct room *list;
	size_t count;
};

/* That of a destination; valid until the next call. */
struct room *rooms_find(struct rooms *rooms, const char *destination);
void rooms_release(struct rooms *rooms);

/* Whether it is to be counted before the next put. */
bool room_is_stale(const struct room *room);

/* So many wait, of max. */
void room_counted(struct room *room, int64_t waiting, int64_t max);

/* One more is put. Returns whether it is above max. */
bool room_take(struct room *room, int64_t max);

#endif
