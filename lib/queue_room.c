/* SPDX-License-Identifier: ISC */
/* Counting what waits, now and then. It asks no database. */
#include "queue_room.h"

#include "buf.h"
#include "clock.h"

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

bool
room_is_stale(const struct room *room)
{
	return room->left <= 0 || clock_ms() >= room->until_ms;
}

void
room_counted(struct room *room, int64_t waiting, int64_t max)
{
	room->waiting = waiting;
	room->left = max / 100;
	room->until_ms = clock_ms() + COUNTED_MS;
}

bool
room_take(struct room *room, int64_t max)
{
	room->left--;
	return room->waiting++ >= max;
}
