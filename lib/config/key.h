/* SPDX-License-Identifier: ISC */
/*
 * The keys of the configuration, one row each: parsing, listing and error
 * texts come from here. For config.c; others see config.h.
 */
#ifndef KEY_H
#define KEY_H

#include "config/config.h"

/*
 * Reads text, which is not empty, into its member of the configuration, or
 * of the entry's destination, where it may stay: it lives as long as the
 * configuration. Returns false and adds the reason to *why;
 * no secret is in it.
 */
typedef bool key_reader(struct config *c, const struct config_entry *entry,
    const char *text, struct buf *why);

/* Adds a line for each thing that is allowed but unwise. */
typedef void key_doubter(const struct config *c,
    const struct config_entry *entry, struct buf *out);

#ifndef DOOR_IS_STATIC		/* configure --enable-static-door */
#define DOOR_IS_STATIC 0
#endif

/* As reasons show it to people. */
#define QUEUE_EXAMPLE "sqlite:/var/lib/log-stream-to-slack/queue.db"

struct quantity;

struct key {
	const char *name;
	const char *help;
	key_reader *read;
	key_doubter *doubt;	/* NULL: every value is wise */
	const char *fallback;	/* the default; NULL: none */
	const struct quantity *quantity; /* of numbers: how they are written */
	int64_t min, max;	/* of numbers, in the unit of the member */
	size_t member;		/* of numbers: its place in struct config */
	bool secret;		/* masked; may come from NAME_FILE */
	/* What of a secret may be seen, to be freed: where that is all of it,
	 * it is none. NULL: nothing may. */
	char *(*shown_dup)(const char *text);
	bool many;		/* its file may have several lines */
	bool per_destination;	/* there is NAME_x for destination x */
	bool makes_destination;	/* and x is one because of it */
};

extern const struct key config_keys[CONFIG_KEYS];

#endif
