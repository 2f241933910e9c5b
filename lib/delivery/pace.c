/* SPDX-License-Identifier: ISC */
/* Pacing, back-off and splitting, as arithmetic. */
#include "delivery/pace.h"

#include "slack/slack.h"
#include "slack/slack_digest.h"

#include <stdio.h>
#include <string.h>

#define FIRST_MS 1000		/* the first wait after a failure */
#define DOUBLINGS_MAX 30
#define RETRY_AFTER_MAX_S 86400	/* a longer one is taken for a mistake */
#define SUSPECT_AFTER 3		/* failures in a row, some event is suspected */
#define CONDEMNED_MAX 3		/* from then on the destination is at fault */

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

/* Whether the event at fault may be what Slack fails over. */
static bool
is_unclear(const struct post_outcome *outcome)
{
	return outcome->timed_out || outcome->status >= 500;
}

/*
 * Some event of the message may be at fault: half of them come next. One
 * that is alone goes behind the others. When those have gone out, and it
 * fails again, the fault is its own.
 */
static enum pace_verdict
suspect(struct pace *p, const struct pace_message *message)
{
	if (message->events == 1 && message->postponed)
		return PACE_POSTPONE_LONG;
	if (p->failures < SUSPECT_AFTER)
		return PACE_WAIT;
	p->suspects = message->events > 1 ? (int64_t)message->events : 0;
	return message->events == 1 && message->others ? PACE_POSTPONE :
	    PACE_WAIT;
}

static void
forget_condemned(struct pace *p)
{
	p->condemned = 0;
	p->condemned_ms = 0;
	p->condemned_by[0] = '\0';
}

/* One more event in a row that Slack will never take. */
static void
count_condemned(struct pace *p, const struct post_outcome *outcome,
    int64_t now_ms)
{
	if (strncmp(p->condemned_by, outcome->reason,
	    sizeof(p->condemned_by) - 1) != 0)
		forget_condemned(p);
	if (p->condemned++ > 0)
		return;
	p->condemned_ms = now_ms;
	snprintf(p->condemned_by, sizeof(p->condemned_by), "%.*s",
	    (int)sizeof(p->condemned_by) - 1, outcome->reason);
}

/*
 * A single event is tried again and again, once its destination is taken to
 * be at fault: the first that is sent says that it is not any more.
 */
static enum pace_verdict
condemn(struct pace *p, const struct pace_rules *rules,
    const struct post_outcome *outcome, int64_t now_ms)
{
	count_condemned(p, outcome, now_ms);
	if (p->condemned < CONDEMNED_MAX)
		return PACE_SET_ASIDE;
	p->condemned = CONDEMNED_MAX;
	p->suspects = 1;
	p->refused = true;
	p->failures++;
	set_wait(p, now_ms, rules->interval_ms, rules->retry_max_ms);
	return PACE_RECALL;
}

enum pace_verdict
pace_ended(struct pace *p, const struct pace_rules *rules,
    const struct post_outcome *outcome, const struct pace_message *message,
    int64_t now_ms, double chance)
{
	size_t events = message->events;

	p->posting = false;
	p->refused = outcome->result == POST_REFUSED;
	if (outcome->result != POST_SENT)
		keep_error(p, outcome, now_ms);
	switch (outcome->result) {
	case POST_SENT:
		p->failures = 0;
		p->success_ms = now_ms;
		forget_condemned(p);
		clear_suspects(p, events);
		break;
	case POST_LATER:
		ended_later(p, rules, outcome, now_ms, chance);
		return is_unclear(outcome) ? suspect(p, message) : PACE_WAIT;
	case POST_REFUSED:
		p->failures++;
		set_wait(p, now_ms, rules->interval_ms, rules->retry_max_ms);
		return PACE_WAIT;
	case POST_NEVER:
		p->suspects = events > 1 ? (int64_t)events : 0;
		if (events == 0) { /* it only told of others */
			p->failures++;
			set_wait(p, now_ms, rules->interval_ms,
			    rules->retry_max_ms);
			return PACE_WAIT;
		}
		p->failures = 0;
		set_wait(p, now_ms, rules->interval_ms, 0);
		return events == 1 ? condemn(p, rules, outcome, now_ms) :
		    PACE_WAIT;
	}
	set_wait(p, now_ms, rules->interval_ms, 0);
	return PACE_SENT;
}

/* FNV-1a, folded to 32 bits: the address is a secret, and cannot be had
 * back from so few of them. */
static int64_t
checksum(const char *text)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return (int64_t)((sum >> 32 ^ sum) & UINT32_MAX) + 1;
}

bool
pace_aim(struct pace *p, const char *url, int64_t now_ms)
{
	int64_t webhook = checksum(url), before = p->webhook;

	p->webhook = webhook;
	if (before == 0 || before == webhook)
		return before == 0;
	set_wait(p, now_ms, 0, 0);
	p->failures = 0;
	p->suspects = 0;
	p->refused = false;
	forget_condemned(p);
	return true;
}
