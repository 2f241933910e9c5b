/* SPDX-License-Identifier: ISC */
/* Pacing, back-off and splitting, as arithmetic. */
#include "pace.h"

#include "slack.h"
#include "slack_digest.h"

#include <stdio.h>
#include <string.h>

#define FIRST_MS 1000		/* the first wait after a failure */
#define DOUBLINGS_MAX 30
#define RETRY_AFTER_MAX_S 86400	/* a longer one is taken for a mistake */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
greatest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
pace_left(const struct pace *p, int64_t now_ms)
{
	int64_t whole = p->until_ms - p->set_ms;

	/* Before set_ms, the clock was set back: the wait begins anew. */
	return least(greatest(p->until_ms - now_ms, 0), whole);
}

bool
pace_is_ahead(const struct pace *p, int64_t now_ms)
{
	return p->set_ms > now_ms;
}

void
pace_move(struct pace *p, int64_t now_ms)
{
	int64_t ahead = greatest(p->set_ms - now_ms, 0);

	p->set_ms -= ahead;
	p->until_ms -= ahead;
	p->obey_ms -= ahead;
}

size_t
pace_budget(const struct pace *p, const struct pace_rules *rules,
    int64_t waiting)
{
	bool digest = slack_digest_is_due(rules->digest_after, waiting);
	int64_t most = digest ? DIGEST_MAX : SLACK_ATTACHMENTS_MAX;

	/* Suspects may be gone from the queue: of few no digest is made. */
	if (p->suspects > 0)
		most = least(greatest(p->suspects / 2, 1), most);
	return (size_t)most;
}

int64_t
pace_backoff_ms(const struct pace_rules *rules, int64_t failures,
    double chance)
{
	int64_t doublings = least(greatest(failures - 1, 0), DOUBLINGS_MAX);
	int64_t wait = greatest(FIRST_MS, rules->interval_ms) << doublings;

	wait = least(wait, rules->retry_max_ms);
	wait -= (int64_t)((double)wait / 2 * chance);
	return greatest(wait, rules->interval_ms);
}

/* obey_ms and wait_ms count from now. */
static void
set_wait(struct pace *p, int64_t now_ms, int64_t obey_ms, int64_t wait_ms)
{
	p->set_ms = now_ms;
	p->obey_ms = now_ms + obey_ms;
	p->until_ms = now_ms + greatest(obey_ms, wait_ms);
}

void
pace_began(struct pace *p, const struct pace_rules *rules, int64_t now_ms)
{
	p->posting = true;
	set_wait(p, now_ms, rules->interval_ms, 0);
}

static void
keep_error(struct pace *p, const struct post_outcome *outcome, int64_t now_ms)
{
	p->error_ms = now_ms;
	snprintf(p->error, sizeof(p->error), "%s", outcome->reason);
}

/* So many of the suspects are gone from the queue: sent, or set aside. */
static void
clear_suspects(struct pace *p, size_t events)
{
	p->suspects = greatest(p->suspects - (int64_t)events, 0);
}

static void
ended_later(struct pace *p, const struct pace_rules *rules,
    const struct post_outcome *outcome, int64_t now_ms, double chance)
{
	int64_t asked = least(outcome->retry_after_s, RETRY_AFTER_MAX_S);

	p->failures++;
	set_wait(p, now_ms, greatest(asked * 1000, rules->interval_ms),
	    pace_backoff_ms(rules, p->failures, chance));
}

bool
pace_ended(struct pace *p, const struct pace_rules *rules,
    const struct post_outcome *outcome, size_t events, int64_t now_ms,
    double chance)
{
	p->posting = false;
	p->refused = outcome->result == POST_REFUSED;
	if (outcome->result != POST_SENT)
		keep_error(p, outcome, now_ms);
	switch (outcome->result) {
	case POST_SENT:
		p->failures = 0;
		p->success_ms = now_ms;
		clear_suspects(p, events);
		break;
	case POST_LATER:
		ended_later(p, rules, outcome, now_ms, chance);
		return false;
	case POST_REFUSED:
		p->failures++;
		set_wait(p, now_ms, rules->interval_ms, rules->retry_max_ms);
		return false;
	case POST_NEVER:
		p->failures = 0;
		p->suspects = events > 1 ? (int64_t)events : 0;
		break;
	}
	set_wait(p, now_ms, rules->interval_ms, 0);
	return outcome->result == POST_NEVER && events == 1;
}
