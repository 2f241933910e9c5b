/* SPDX-License-Identifier: ISC */
/*
 * What the door does with the events it keeps: post them before it
 * answers, or put them in the queue and see to it that a worker runs.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include "config/config.h"
#include "event/event.h"
#include "receive/exchange.h"

struct deliverer;

/* Keeps connections and the queue open from one request to the next. */
struct deliverer *deliverer_new(void);
void deliverer_free(struct deliverer *d);

/*
 * Delivers events, each to its destinations, and sets the answer: 200 and
 * "ok" when all of them are with Slack, or on disk; else what went wrong.
 * Returns how many of them are new: the queue has the others for each of their
 * destinations already.
 */
size_t deliver_events(struct deliverer *d, const struct config *c,
    const struct event_list *events, struct answer *answer);

/*
 * Looks whether events wait while no worker runs, and starts a worker for
 * them. It may be called at any time, looks now and then, and returns in how
 * many milliseconds it wants to be called again where no request comes. once:
 * by a process that handles one request and ends; then it looks when no other
 * such process has done so for some seconds.
 */
int64_t deliver_look(struct deliverer *d, const struct config *c, bool once);

/* The worker or queue of another configuration is no longer used. */
void deliver_anew(struct deliverer *d);

#endif
