/* SPDX-License-Identifier: ISC */
/* Ending a process that hangs. It does not know in what. */
#include "base/watchdog.h"

#include "base/log.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define STOP_S 2	/* for the step, when told to stop */
#define LOG_S 2		/* for the log, which may hang as well */

/* What programs of ours handle. */
static const int stop_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

#define STOP_SIGNALS (sizeof(stop_signals) / sizeof(stop_signals[0]))

/* How all was before. */
static struct {
	struct sigaction alarm, stop[STOP_SIGNALS];
	struct itimerval timer;
	sigset_t mask;
} before;

static const char *last_words;
static volatile sig_atomic_t asked[STOP_SIGNALS];

/* With SA_RESETHAND the second alarm is the system's to deal with. */
static void
give_up(int number)
{
	(void)number;
	alarm(LOG_S);
	log_and_end(last_words);
}

static void
note(int number)
{
	bool first = true;
	size_t i;

	for (i = 0; i < STOP_SIGNALS; i++) {
		if (asked[i])
			first = false;
		if (stop_signals[i] == number)
			asked[i] = 1;
	}
	if (first)
		alarm(STOP_S);
}

static bool
is_handled(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* Those that the program handles are let in, be they blocked or not. */
static void
take_signals(void)
{
	struct sigaction action;
	sigset_t ours;
	size_t i;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	sigemptyset(&ours);
	sigaddset(&ours, SIGALRM);
	action.sa_handler = give_up;
	action.sa_flags = SA_RESETHAND | SA_NODEFER;
	sigaction(SIGALRM, &action, &before.alarm);
	action.sa_handler = note;
	action.sa_flags = SA_RESTART;
	for (i = 0; i < STOP_SIGNALS; i++) {
		asked[i] = 0;
		sigaction(stop_signals[i], NULL, &before.stop[i]);
		if (!is_handled(&before.stop[i]))
			continue;
		sigaction(stop_signals[i], &action, NULL);
		sigaddset(&ours, stop_signals[i]);
	}
	sigprocmask(SIG_UNBLOCK, &ours, &before.mask);
}

void
watchdog_start(unsigned seconds, const char *text)
{
	static const struct itimerval none;

	last_words = text;
	setitimer(ITIMER_REAL, &none, &before.timer);
	take_signals();
	alarm(seconds);
}

void
watchdog_stop(void)
{
	size_t i;

	alarm(0);
	sigaction(SIGALRM, &before.alarm, NULL);
	for (i = 0; i < STOP_SIGNALS; i++)
		sigaction(stop_signals[i], &before.stop[i], NULL);
	sigprocmask(SIG_SETMASK, &before.mask, NULL);
	setitimer(ITIMER_REAL, &before.timer, NULL);
	for (i = 0; i < STOP_SIGNALS; i++)
		if (asked[i])
			raise(stop_signals[i]);
}
