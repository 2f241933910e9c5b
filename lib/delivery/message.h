/* SPDX-License-Identifier: ISC */
/*
 * What the door and the worker have in common: a message composed as the
 * configuration says, and the log lines that tell what became of it.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base/buf.h"
#include "config/config.h"
#include "event/event.h"
#include "webhook/post.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Adds to *payload the JSON of a message about as many of the first of count
 * events as it holds, listed or, in a digest, counted, and about so many that
 * are set aside. Returns how many of the first that are; at least one is
 * where count is not 0.
 */
size_t message_compose(struct buf *payload, struct event *const *events,
    size_t count, bool digest, int64_t aside, const struct config *c);

/* The same message in plain text for a terminal, with the same events. */
size_t message_preview(struct buf *text, struct event *const *events,
    size_t count, bool digest, const struct config *c);

/* The line of a message. */
void message_log(const char *destination, size_t events, bool digest,
    const struct post_outcome *outcome, int64_t took_ms);

/* The line of an event: log_id, type, destination, outcome. */
void message_log_event(enum log_level level, const struct event *e,
    const char *destination, const char *outcome);

/* The same for each of them, at LEVEL_INFO. */
void message_log_events(struct event *const *events, size_t count,
    const char *destination, const char *outcome);

#endif
