/* SPDX-License-Identifier: ISC */
/* Pacing, back-off and splitting, with times that are only numbers. */
#include "delivery/pace.h"

#include "slack/slack.h"
#include "slack/slack_digest.h"
#include "tap.h"

#include <stdio.h>
#include <string.h>

#define NOW 1785587696789	/* some day of 2026 */
#define DAY 86400000

static const struct pace_rules usual = { 1000, 300000, 60 };

static struct post_outcome
outcome_of(enum post_result result, int64_t retry_after_s)
{
	struct post_outcome outcome = { result, 0, retry_after_s, false, "" };

	snprintf(outcome.reason, sizeof(outcome.reason), "the word for %s",
	    post_result_name(result));
	return outcome;
}

/* What came of a message of so many events, when no others wait. */
static enum pace_verdict
ended(struct pace *p, const struct pace_rules *rules,
    const struct post_outcome *outcome, size_t events, int64_t now_ms,
    double chance)
{
	struct pace_message message = { .events = events };

	return pace_ended(p, rules, outcome, &message, now_ms, chance);
}

/* --------------------------------------------------------------- left */

static const struct {
	int64_t set_ms, until_ms, now_ms, left_ms;
	const char *title;
} lefts[] = {
	{ 0, 0, 0, 0, "who was never posted to need not wait" },
	{ 0, 0, NOW, 0, "at no time" },
	{ NOW, NOW + 500, NOW, 500, "a wait begins whole" },
	{ NOW, NOW + 500, NOW + 499, 1, "and runs" },
	{ NOW, NOW + 500, NOW + 500, 0, "and ends" },
	{ NOW, NOW + 500, NOW + 501, 0, "and stays ended" },
	{ NOW, NOW + 500, NOW + 1000 * (int64_t)DAY, 0,
	    "a clock set forward by years ends it" },
	{ NOW, NOW + 500, NOW - 1, 500, "a clock set back by a little begins "
	    "it anew, and no longer" },
	{ NOW, NOW + 500, NOW - 1000 * (int64_t)DAY, 500,
	    "nor does one set back by years" },
	{ NOW, NOW + 500, 0, 500, "nor one that was never set" },
	{ NOW, NOW, NOW - 5, 0, "no wait stays none" },
};

static void
test_left(void)
{
	struct pace p;
	size_t i;

	for (i = 0; i < ROWS(lefts); i++) {
		memset(&p, 0, sizeof(p));
		p.set_ms = lefts[i].set_ms;
		p.until_ms = lefts[i].until_ms;
		is_num(pace_left(&p, lefts[i].now_ms), lefts[i].left_ms,
		    "%s", lefts[i].title);
	}
}

static void
test_move(void)
{
	struct pace p = { .set_ms = NOW, .until_ms = NOW + 300,
	    .obey_ms = NOW + 100 };

	ok(!pace_is_ahead(&p, NOW) && !pace_is_ahead(&p, NOW + 1),
	    "a wait that was set before now is not ahead");
	ok(pace_is_ahead(&p, NOW - 1), "one that was set later is");
	pace_move(&p, NOW + 50);
	ok(p.set_ms == NOW && p.until_ms == NOW + 300,
	    "the first stays as it is");
	pace_move(&p, NOW - 86400000);
	ok(p.set_ms == NOW - 86400000 && pace_left(&p, NOW - 86400000) == 300
	    && p.obey_ms == p.set_ms + 100, "the other begins anew");
}

/* ------------------------------------------------------------- budget */

static const struct {
	int64_t suspects, digest_after, waiting;
	size_t budget;
	const char *title;
} budgets[] = {
	{ 0, 60, 1, SLACK_ATTACHMENTS_MAX, "one event is listed" },
	{ 0, 60, 60, SLACK_ATTACHMENTS_MAX, "so are DIGEST_AFTER of them" },
	{ 0, 60, 61, DIGEST_MAX, "one more, and they are counted" },
	{ 0, 0, 1000000, SLACK_ATTACHMENTS_MAX,
	    "with DIGEST_AFTER 0 any number is listed" },
	{ 0, 1, 2, DIGEST_MAX, "DIGEST_AFTER may be small" },
	{ 20, 60, 30, 10, "of suspects half are tried" },
	{ 3, 60, 30, 1, "or the smaller half" },
	{ 2, 60, 30, 1, "down to one" },
	{ 1, 60, 30, 1, "and the last one alone" },
	{ 10000, 60, 10000, 5000, "half of a digest is a digest" },
	{ 30, 60, 61, 15, "half of a small one is a list" },
	{ 10000, 60, 5, SLACK_ATTACHMENTS_MAX,
	    "suspects that are gone from the queue make no digest of what "
	    "is left" },
	{ 10000, 0, 5000, SLACK_ATTACHMENTS_MAX,
	    "nor do they where DIGEST_AFTER is 0 now" },
};

static void
test_budget(void)
{
	struct pace_rules rules = usual;
	struct pace p;
	size_t i;

	for (i = 0; i < ROWS(budgets); i++) {
		memset(&p, 0, sizeof(p));
		p.suspects = budgets[i].suspects;
		rules.digest_after = budgets[i].digest_after;
		is_num((long long)pace_budget(&p, &rules, budgets[i].waiting),
		    (long long)budgets[i].budget, "%s", budgets[i].title);
	}
}

/* ----------------------------------------------------------- back-off */

static const struct {
	int64_t interval_ms, retry_max_ms, failures;
	int64_t longest_ms, shortest_ms; /* without jitter, and with all */
	const char *title;
} backoffs[] = {
	{ 1000, 300000, 1, 1000, 1000, "a first wait is a second, and never "
	    "less than the interval" },
	{ 1, 300000, 1, 1000, 500, "jitter takes off up to half of it" },
	{ 1, 300000, 0, 1000, 500, "no failure is as one" },
	{ 1000, 300000, 2, 2000, 1000, "the second is twice as long" },
	{ 1000, 300000, 3, 4000, 2000, "the third four times" },
	{ 1000, 300000, 9, 256000, 128000, "the ninth the longest below "
	    "SLACK_RETRY_MAX" },
	{ 1000, 300000, 10, 300000, 150000, "the tenth is that" },
	{ 1000, 300000, 1000000, 300000, 150000, "and the millionth" },
	{ 1000, 300000, INT64_MAX, 300000, 150000, "and any other" },
	{ 5000, 300000, 1, 5000, 5000, "a long interval is the first wait" },
	{ 5000, 300000, 2, 10000, 5000, "and doubled like any" },
	{ 3600000, 86400000, 500, 86400000, 43200000,
	    "the longest settings there are do not overflow" },
	{ 3600000, 300000, 1, 3600000, 3600000, "the interval is kept where "
	    "it is longer than SLACK_RETRY_MAX" },
	{ 1, 10, 1, 10, 5, "SLACK_RETRY_MAX may be below a second" },
	{ 1, 10, 20, 10, 5, "and stays the longest" },
};

static void
test_backoff(void)
{
	struct pace_rules rules = usual;
	int64_t between;
	size_t i;

	for (i = 0; i < ROWS(backoffs); i++) {
		rules.interval_ms = backoffs[i].interval_ms;
		rules.retry_max_ms = backoffs[i].retry_max_ms;
		is_num(pace_backoff_ms(&rules, backoffs[i].failures, 0),
		    backoffs[i].longest_ms, "%s", backoffs[i].title);
		is_num(pace_backoff_ms(&rules, backoffs[i].failures, 1),
		    backoffs[i].shortest_ms, "... with all jitter");
		between = pace_backoff_ms(&rules, backoffs[i].failures, 0.3);
		ok(between >= backoffs[i].shortest_ms &&
		    between <= backoffs[i].longest_ms, "... and between");
	}
}

/* ------------------------------------------------------- began, ended */

static void
test_began(void)
{
	struct pace p = { .set_ms = 5, .until_ms = 6, .obey_ms = 6,
	    .failures = 3, .suspects = 8, .refused = true,
	    .success_ms = 1, .error_ms = 2, .error = "x" };

	pace_began(&p, &usual, NOW);
	ok(p.posting, "a message that begins is on its way");
	is_num(pace_left(&p, NOW), 1000, "it keeps the interval");
	is_num(p.obey_ms, NOW + 1000, "which nobody may skip");
	ok(p.failures == 3 && p.suspects == 8 && p.refused &&
	    p.success_ms == 1 && p.error_ms == 2 && strcmp(p.error, "x") == 0,
	    "and changes nothing else");
}

/* What an outcome makes of four failures and 16 suspects. */
static const struct {
	enum post_result result;
	int64_t retry_after_s;
	size_t events;
	int64_t left_ms, obey_ms, failures, suspects;
	bool aside, refused;
	const char *title;
} ends[] = {
	{ POST_SENT, 0, 8, 1000, 1000, 0, 8, false, false,
	    "a message taken ends the failures" },
	{ POST_SENT, 0, 20, 1000, 1000, 0, 0, false, false,
	    "one with all suspects leaves none" },
	{ POST_SENT, 900, 1, 1000, 1000, 0, 15, false, false,
	    "one with a single suspect leaves the others" },
	{ POST_LATER, 0, 20, 16000, 1000, 5, 16, false, false,
	    "one that failed waits for longer than the last did" },
	{ POST_LATER, 0, 1, 16000, 1000, 5, 16, false, false,
	    "one event that failed is not at fault" },
	{ POST_LATER, 7, 1, 16000, 7000, 5, 16, false, false,
	    "of Retry-After and back-off the longer counts" },
	{ POST_LATER, 30, 1, 30000, 30000, 5, 16, false, false,
	    "be it Retry-After" },
	{ POST_LATER, 86400, 1, DAY, DAY, 5, 16, false, false,
	    "a day is obeyed" },
	{ POST_LATER, 86401, 1, DAY, DAY, 5, 16, false, false,
	    "more than a day is taken for a mistake" },
	{ POST_LATER, INT64_MAX, 1, DAY, DAY, 5, 16, false, false,
	    "however much it is" },
	{ POST_LATER, -1, 1, 16000, 1000, 5, 16, false, false,
	    "less than nothing is nothing" },
	{ POST_REFUSED, 0, 20, 300000, 1000, 5, 16, false, true,
	    "a refused destination is tried at SLACK_RETRY_MAX" },
	{ POST_REFUSED, 0, 1, 300000, 1000, 5, 16, false, true,
	    "and keeps its events" },
	{ POST_NEVER, 0, 8, 1000, 1000, 0, 8, false, false,
	    "a message that is never taken makes suspects of its events" },
	{ POST_NEVER, 0, 2, 1000, 1000, 0, 2, false, false, "be they two" },
	{ POST_NEVER, 0, 1, 1000, 1000, 0, 0, true, false,
	    "one event that is never taken is set aside" },
	{ POST_NEVER, 0, 0, 300000, 1000, 5, 0, false, false,
	    "a message that only told of others is tried again, at "
	    "SLACK_RETRY_MAX" },
};

static void
test_ended(void)
{
	struct post_outcome outcome;
	struct pace p;
	size_t i;

	for (i = 0; i < ROWS(ends); i++) {
		memset(&p, 0, sizeof(p));
		p.failures = 4;
		p.suspects = 16;
		pace_began(&p, &usual, NOW - 5);
		outcome = outcome_of(ends[i].result, ends[i].retry_after_s);
		ok((ended(&p, &usual, &outcome, ends[i].events, NOW, 0) ==
		    PACE_SET_ASIDE) == ends[i].aside, "%s", ends[i].title);
		is_num(pace_left(&p, NOW), ends[i].left_ms, "... the wait");
		is_num(p.obey_ms - NOW, ends[i].obey_ms, "... nobody skips");
		is_num(p.failures, ends[i].failures, "... failures");
		is_num(p.suspects, ends[i].suspects, "... suspects");
		ok(p.refused == ends[i].refused && !p.posting,
		    "... whether it is refused; nothing is on its way");
		ok(p.obey_ms <= p.until_ms && p.set_ms == NOW,
		    "... what is obeyed is waited for");
	}
}

static void
test_words(void)
{
	struct post_outcome sent = outcome_of(POST_SENT, 0);
	struct post_outcome never = outcome_of(POST_NEVER, 0);
	struct post_outcome refused = outcome_of(POST_REFUSED, 0);
	struct pace p = { 0 };

	ended(&p, &usual, &sent, 1, NOW, 0);
	ok(p.success_ms == NOW && p.error_ms == 0 && !*p.error,
	    "a message taken is a success and no error");
	ended(&p, &usual, &refused, 1, NOW + 1, 0);
	is_str(p.error, "the word for refused", "Slack's word is kept");
	ok(p.error_ms == NOW + 1 && p.success_ms == NOW, "with its time");
	ended(&p, &usual, &never, 1, NOW + 2, 0);
	is_str(p.error, "the word for never", "as the last one");
	ok(!p.refused, "another answer takes the refusal back");
	ended(&p, &usual, &sent, 1, NOW + 3, 0);
	ok(p.success_ms == NOW + 3 && p.error_ms == NOW + 2 &&
	    strcmp(p.error, "the word for never") == 0,
	    "a success leaves the last error to be read");
	memset(never.reason, 'x', sizeof(never.reason) - 1);
	never.reason[sizeof(never.reason) - 1] = '\0';
	ended(&p, &usual, &never, 1, NOW, 0);
	is_str(p.error, never.reason, "the longest word is kept whole");
}

/* ---------------------------------------------------------- splitting */

#define MANY 10000

/* A destination of Slack's, some of whose events it will never take. */
struct trial {
	struct pace_rules rules;
	size_t list_max;	/* events that a list has room for */
	bool bad[MANY];		/* of the waiting, in their order */
	size_t waiting;
	size_t posts, sent, aside, wrong;
};

static void
take_away(struct trial *t, size_t count)
{
	memmove(t->bad, t->bad + count, (t->waiting - count) *
	    sizeof(t->bad[0]));
	t->waiting -= count;
}

static void
post_once(struct trial *t, struct pace *p)
{
	size_t i, n = pace_budget(p, &t->rules, (int64_t)t->waiting);
	struct post_outcome outcome = outcome_of(POST_SENT, 0);

	if (n <= SLACK_ATTACHMENTS_MAX && n > t->list_max)
		n = t->list_max;
	if (n > t->waiting)
		n = t->waiting;
	for (i = 0; i < n; i++)
		if (t->bad[i])
			outcome = outcome_of(POST_NEVER, 0);
	t->posts++;
	pace_began(p, &t->rules, NOW);
	if (ended(p, &t->rules, &outcome, n, NOW, 0) == PACE_SET_ASIDE) {
		t->aside++;
		t->wrong += n != 1 || !t->bad[0];
		take_away(t, 1);
	} else if (outcome.result == POST_SENT) {
		t->sent += n;
		take_away(t, n);
	}
}

/* Posts until nothing waits; returns how many posts that took. */
static size_t
run_trial(struct trial *t, size_t most)
{
	struct pace p = { 0 };

	t->posts = t->sent = t->aside = t->wrong = 0;
	while (t->waiting > 0 && t->posts <= most)
		post_once(t, &p);
	return t->posts;
}

static struct trial trial; /* too large for a stack */

static void
begin_trial(size_t waiting, size_t list_max)
{
	memset(&trial, 0, sizeof(trial));
	trial.rules = usual;
	trial.waiting = waiting;
	trial.list_max = list_max;
}

/* Each number of events up to 45 with a bad one at each place. */
static void
test_one_bad(size_t list_max, size_t most)
{
	size_t n, at, posts, worst = 0, wrong = 0;

	for (n = 1; n <= 45; n++)
		for (at = 0; at < n; at++) {
			begin_trial(n, list_max);
			trial.bad[at] = true;
			posts = run_trial(&trial, 1000);
			worst = posts > worst ? posts : worst;
			wrong += trial.aside != 1 || trial.sent != n - 1 ||
			    trial.wrong > 0;
		}
	is_num((long long)wrong, 0, "the one event at fault is set aside and "
	    "all others go out, %zu a message", list_max);
	ok(worst <= most, "... with no more than %zu posts (%zu)", most,
	    worst);
}

static void
test_two_bad(void)
{
	size_t n = 20, a, b, posts, worst = 0, wrong = 0;

	for (a = 0; a < n; a++)
		for (b = 0; b < n; b++) {
			begin_trial(n, SLACK_ATTACHMENTS_MAX);
			trial.bad[a] = trial.bad[b] = true;
			posts = run_trial(&trial, 1000);
			worst = posts > worst ? posts : worst;
			wrong += trial.aside != 1 + (a != b) ||
			    trial.aside + trial.sent != n || trial.wrong > 0;
		}
	is_num((long long)wrong, 0, "so are two of twenty");
	ok(worst <= 16, "... with no more than 16 posts (%zu)", worst);
}

static void
test_all_bad(void)
{
	size_t i, n = 20;

	begin_trial(n, SLACK_ATTACHMENTS_MAX);
	for (i = 0; i < n; i++)
		trial.bad[i] = true;
	run_trial(&trial, 1000);
	ok(trial.aside == 2 && trial.sent == 0 && trial.wrong == 0,
	    "when none of twenty is taken, two are set aside");
	is_num((long long)trial.waiting, (long long)n - 2,
	    "and then the destination is at fault, and the others wait");
}

static void
test_digests(void)
{
	size_t at, posts, worst = 0, wrong = 0;

	for (at = 0; at < MANY; at += 333) {
		begin_trial(MANY, SLACK_ATTACHMENTS_MAX);
		trial.bad[at] = true;
		posts = run_trial(&trial, 1000);
		worst = posts > worst ? posts : worst;
		wrong += trial.aside != 1 || trial.sent != MANY - 1 ||
		    trial.wrong > 0;
	}
	is_num((long long)wrong, 0, "a digest is split down to the one event");
	ok(worst <= 32, "... with no more than 32 posts (%zu)", worst);
}

/* What is posted to is slow, refused and restarted while it is split. */
static void
test_interrupted(void)
{
	struct post_outcome later = outcome_of(POST_LATER, 9);
	struct post_outcome refused = outcome_of(POST_REFUSED, 0);
	struct pace p = { .suspects = 6 };

	ended(&p, &usual, &later, 3, NOW, 0.5);
	ended(&p, &usual, &refused, 3, NOW, 0.5);
	pace_began(&p, &usual, NOW);
	is_num((long long)pace_budget(&p, &usual, 100), 3, "splitting goes on "
	    "where it was after a failure, a refusal and a death");
}

/* ------------------------------------------------------ whose fault it is */

/* An answer of 503, or a time-out: an event may be at fault. */
static const struct post_outcome unclear[] = {
	{ POST_LATER, 503, 0, false, "oops" },
	{ POST_LATER, 0, 0, true, "timed out" },
};

static void
test_unclear(void)
{
	struct post_outcome limited = { POST_LATER, 429, 0, false, "x" };
	struct post_outcome nowhere = { POST_LATER, 0, 0, false, "x" };
	struct pace_message many = { 20, true, false };
	struct pace_message one = { 1, true, false };
	struct pace_message alone = { 1, false, false };
	struct pace_message again = { 1, true, true };
	struct pace p;
	size_t i;

	for (i = 0; i < ROWS(unclear); i++) {
		memset(&p, 0, sizeof(p));
		pace_ended(&p, &usual, &unclear[i], &many, NOW, 0);
		pace_ended(&p, &usual, &unclear[i], &many, NOW, 0);
		is_num(p.suspects, 0, "two failures are an outage: %s",
		    unclear[i].reason);
		pace_ended(&p, &usual, &unclear[i], &many, NOW, 0);
		is_num(pace_budget(&p, &usual, 30), 10, "from the third on "
		    "half of the events come next");
		is_num(pace_ended(&p, &usual, &unclear[i], &one, NOW, 0),
		    PACE_POSTPONE, "one alone goes behind the others");
		is_num(pace_ended(&p, &usual, &unclear[i], &alone, NOW, 0),
		    PACE_WAIT, "unless there are none");
		memset(&p, 0, sizeof(p));
		is_num(pace_ended(&p, &usual, &unclear[i], &again, NOW, 0),
		    PACE_POSTPONE_LONG, "and fails it again, for long");
	}
	memset(&p, 0, sizeof(p));
	for (i = 0; i < 10; i++) {
		pace_ended(&p, &usual, &limited, &many, NOW, 0);
		pace_ended(&p, &usual, &nowhere, &many, NOW, 0);
	}
	is_num(p.suspects, 0, "a rate limit and a connection that fails are "
	    "no event's fault");
}

static void
test_condemned(void)
{
	struct post_outcome never = outcome_of(POST_NEVER, 0);
	struct post_outcome other = outcome_of(POST_NEVER, 0);
	struct post_outcome sent = outcome_of(POST_SENT, 0);
	struct pace p = { 0 };

	strcpy(other.reason, "another word");
	is_num(ended(&p, &usual, &never, 1, NOW, 0), PACE_SET_ASIDE,
	    "the first event that is never taken is set aside");
	is_num(ended(&p, &usual, &never, 1, NOW + 1, 0), PACE_SET_ASIDE,
	    "so is the second");
	is_num(ended(&p, &usual, &sent, 1, NOW + 2, 0), PACE_SENT,
	    "when one is sent in between");
	is_num(ended(&p, &usual, &never, 1, NOW + 3, 0), PACE_SET_ASIDE,
	    "the next counts as the first");
	ended(&p, &usual, &never, 1, NOW + 4, 0);
	is_num(ended(&p, &usual, &other, 1, NOW + 5, 0), PACE_SET_ASIDE,
	    "another word begins anew");
	ended(&p, &usual, &other, 1, NOW + 6, 0);
	is_num(ended(&p, &usual, &other, 1, NOW + 7, 0), PACE_RECALL,
	    "the third in a row by the same word condemns the destination");
	ok(p.refused && p.condemned_ms == NOW + 5, "since the first of them");
	is_num(pace_left(&p, NOW + 7), usual.retry_max_ms,
	    "which is tried at SLACK_RETRY_MAX");
	is_num(pace_budget(&p, &usual, 30), 1, "with one event");
	is_num(ended(&p, &usual, &other, 1, NOW + 8, 0), PACE_RECALL,
	    "and again");
	is_num(ended(&p, &usual, &sent, 1, NOW + 9, 0), PACE_SENT,
	    "until one is sent");
	is_num(ended(&p, &usual, &other, 1, NOW + 10, 0), PACE_SET_ASIDE,
	    "then an event is at fault again");
}

static void
test_aim(void)
{
	struct pace p = { .set_ms = NOW, .until_ms = NOW + 9000,
	    .obey_ms = NOW + 9000, .failures = 3, .suspects = 4,
	    .refused = true, .success_ms = NOW - 1, .error_ms = NOW - 2 };

	ok(pace_aim(&p, "https://hooks.slack.com/services/a", NOW),
	    "an address that was not known before is kept");
	is_num(p.failures, 3, "with what is known of the destination");
	ok(!pace_aim(&p, "https://hooks.slack.com/services/a", NOW),
	    "the same address changes nothing");
	ok(pace_aim(&p, "https://hooks.slack.com/services/b", NOW + 1),
	    "another one does");
	ok(p.failures == 0 && !p.refused && p.suspects == 0 &&
	    pace_left(&p, NOW + 1) == 0 && p.obey_ms <= NOW + 1,
	    "nothing is left of failures and waits");
	ok(p.success_ms == NOW - 1 && p.error_ms == NOW - 2,
	    "but for what people read");
	ok(p.webhook > 0 && p.webhook <= INT64_C(0x100000000),
	    "of the address so little is kept that it cannot be had back");
}

int
main(void)
{
	test_left();
	test_move();
	test_budget();
	test_backoff();
	test_began();
	test_ended();
	test_unclear();
	test_condemned();
	test_aim();
	test_words();
	test_one_bad(SLACK_ATTACHMENTS_MAX, 14);
	test_one_bad(7, 20);
	test_two_bad();
	test_all_bad();
	test_digests();
	test_interrupted();
	return done_testing();
}
