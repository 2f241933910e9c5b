/* SPDX-License-Identifier: ISC */
/*
 * What the door does with the events it keeps: post them before it
 * answers, or put them in the queue and see to it that a worker runs.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include "config.h"
#include "event.h"
#include "relay.h"

struct deliverer;

/* Keeps connections and the queue open from one request to the next. */
struct deliverer *deliverer_new(void);
void deliverer_free(struct deliverer *d);

/*
 * Delivers events, each to its destinations, and sets the answer: 200 and
 * "ok" when all of them are with Slack, or on disk; else what went wrong.
 */
void deliver_events(struct deliverer *d, const struct config *c,
    const struct event_list *events, struct answer *answer);

/*
 * At the start of a door, and for a request that had nothing to deliver:
 * starts a worker when the last one died, or left with something to do, as
 * a reboot makes it.
 */
void deliver_rest(struct deliverer *d, const struct config *c);

/* The worker or queue of another configuration is no longer used. */
void deliver_anew(struct deliverer *d);

#endif
