/* SPDX-License-Identifier: ISC */
/* Counting what waits, now and then. It asks no database. */
#include "queue/queue_room.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define COUNTED_MS 10000	/* how long a count is gone by */

struct room *
rooms_find(struct rooms *rooms, const char *destination)
{
	struct room *room;
	size_t i;

	for (i = 0; i < rooms->count; i++)
		if (strcmp(rooms->list[i].destination, destination) == 0)
			return &rooms->list[i];
	rooms->list = mem_realloc(rooms->list,
	    (rooms->count + 1) * sizeof(*rooms->list));
	room = &rooms->list[rooms->count++];
	memset(room, 0, sizeof(*room));
	room->destination = mem_dup(destination);
	return room;
}

void
rooms_release(struct rooms *rooms)
{
	while (rooms->count > 0)
		free(rooms->list[--rooms->count].destination);
	free(rooms->list);
	rooms->list = NULL;
}

static enum queue_result
count(const struct rooms *rooms, struct store *s, struct room *room,
    struct buf *why)
{
	enum queue_result result;

	result = rooms->count_waiting(s, room->destination, false,
	    &room->waiting, why);
	if (result == QUEUE_OK && room->waiting > rooms->max)
		result = rooms->count_waiting(s, room->destination, true,
		    &room->waiting, why);
	room->left = rooms->max / 100;
	room->until_ms = clock_ms() + COUNTED_MS;
	return result;
}

enum queue_result
rooms_take(struct rooms *rooms, struct store *s, const char *destination,
    bool may_count, bool *above, struct buf *why)
{
	struct room *room = rooms_find(rooms, destination);
	enum queue_result result = QUEUE_OK;

	if (may_count && (room->left <= 0 || clock_ms() >= room->until_ms))
		result = count(rooms, s, room, why);
	room->left--;
	*above = room->waiting++ >= rooms->max;
	return result;
}
