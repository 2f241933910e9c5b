/* SPDX-License-Identifier: ISC */
/*
 * What a queue holds and how its destinations stand, laid out for a person
 * or as JSON. It writes nothing anywhere.
 */
#ifndef REPORT_H
#define REPORT_H

#include "base/buf.h"
#include "config/config.h"
#include "queue/queue.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Adds how every destination stands, configured or not, and whether a
 * worker runs; *needs_person says that one hangs, that Slack refuses a
 * destination, or that events are set aside. As JSON it is one object on a
 * line. Unless QUEUE_OK comes back, *out is not to be used and *why has the
 * reason.
 */
enum queue_result report_status(struct queue *q, const struct config *c,
    bool json, int64_t now_ms, struct buf *out, bool *needs_person,
    struct buf *why);

/* Adds a line about a worker that hangs. */
void report_silence(struct buf *out, const struct queue_holder *holder);

/*
 * Adds a line for each event that waits or is set aside, oldest first; as
 * JSON an object a line. It is one page of them, as with queue_list().
 */
enum queue_result report_list(struct queue *q, bool json, int64_t now_ms,
    int64_t *after, struct buf *out, struct buf *why);

#endif
