/* SPDX-License-Identifier: ISC */
/*
 * The configuration in force, for a program that runs on while its files
 * change: a new one takes the place of the old one, unless it is bad.
 */
#ifndef CURRENT_H
#define CURRENT_H

#include "base/buf.h"
#include "config/config.h"

#include <stdbool.h>

/* current_release() is owed; it leaves the log as it was set. */
struct current {
	struct config config;	/* whole, even when it cannot be used */
	struct buf problems;	/* why it cannot be used; empty: it can */
	bool receives;		/* requests, which need a token */
	bool told;		/* its warnings are logged */
};

/*
 * Fills *c, whatever it held, with the configuration for the worker, and
 * sets the log up as that says, even when it is bad. Where a file may be
 * half written (config_is_settled), waits until that is decided, for a few
 * seconds at most. Logs the warnings.
 *
 * With copy, the bytes of config_copy.h, it is the configuration that the
 * receiver has in force, and in that process the warnings are logged.
 */
void current_load(struct current *c, const struct buf *copy);

/*
 * The same for the receiver, which does not wait: where a file may be half
 * written the configuration cannot be used yet. Warnings are not logged.
 */
void current_load_to_receive(struct current *c);

/*
 * Looks whether a file has changed. Returns true when *c then holds
 * another configuration, and all that was borrowed from the old one is
 * gone. A bad new one is logged, once, and leaves a good old one in force.
 *
 * To a receiver that has a token it is bad that the new one has none.
 */
bool current_refresh(struct current *c);

/*
 * Logs what is most likely not meant in the configuration in force, a line
 * each; not more than once.
 */
void current_log_warnings(struct current *c);

/* Whether the configuration can be used. */
bool current_is_ready(const struct current *c);

/* Logs each reason why it cannot, on a line of its own. */
void current_log_problems(const struct current *c);

void current_release(struct current *c);

#endif
