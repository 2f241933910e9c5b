/* SPDX-License-Identifier: ISC */
/*
 * What a queue keeps of a destination, as plain numbers and texts. What they
 * lead to is for delivery/pace.h.
 *
 * A wait is kept as the moment it was set and the moment it ends, both by
 * the wall clock, so that a clock that is set back makes nobody wait for
 * longer than was meant.
 */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* What is known of a destination. All zero: never posted to. */
struct pace {
	int64_t set_ms;		/* when the wait was set */
	int64_t until_ms;	/* no message before */
	int64_t obey_ms;	/* the same, but what a person may not skip:
				 * SLACK_INTERVAL and Slack's Retry-After */
	int64_t failures;	/* tries in a row that came to nothing */
	int64_t suspects;	/* so many of the first events hold one that
				 * Slack will never take; 0: none known */
	bool posting;		/* a message is on its way, or was when the
				 * process that sent it died */
	bool refused;		/* by the last answer */
	int64_t success_ms;	/* of the last one taken; 0: none yet */
	int64_t error_ms;	/* of the last one not taken; 0: none yet */
	char error[256];	/* with Slack's word; "" with error_ms 0 */
	int64_t condemned;	/* so many events in a row Slack would never
				 * take, by the same word, and none was sent
				 * in between */
	int64_t condemned_ms;	/* when the first of them was set aside */
	char condemned_by[64];	/* the word; "" with condemned 0 */
	int64_t webhook;	/* a checksum of the address that all this
				 * was learnt from; 0: not known */
};

#endif
