/* SPDX-License-Identifier: ISC */
/* The world of a worker that is a process. */
#include "delivery/worker_process.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SPARE 12		/* descriptors for a post and its settlement */
#define WANTED 256		/* all of them, with many destinations */

static const int stop_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

/* What a signal handler may touch. */
static volatile sig_atomic_t stopping;
static int wake_pipe[2] = { -1, -1 };

static void
stop(int number)
{
	int error = errno;

	(void)number;
	stopping = 1;
	/* Full or not: whoever waits wakes up. */
	if (write(wake_pipe[1], "", 1) < 0)
		errno = error;
	errno = error;
}

static bool
handle_signals(void)
{
	struct sigaction action;
	size_t i;

	if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		log_say(LEVEL_ERROR, "no pipe to be had: %s",
		    strerror(errno));
		return false;
	}
	memset(&action, 0, sizeof(action));
	action.sa_handler = stop;
	action.sa_flags = SA_RESTART;
	for (i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
		sigaction(stop_signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	return true;
}

static bool
stderr_leads_nowhere(void)
{
	struct stat here, null;

	return fstat(STDERR_FILENO, &here) < 0 ||
	    (stat("/dev/null", &null) == 0 && S_ISCHR(here.st_mode) &&
	    here.st_rdev == null.st_rdev);
}

/* ------------------------------------------------------------- world */

static int64_t
wall_ms(void *context)
{
	(void)context;
	return clock_wall_ms();
}

static int64_t
run_ms(void *context)
{
	(void)context;
	return clock_ms();
}

static double
chance(void *context)
{
	(void)context;
	return drand48();
}

static void
begin(void *context, void *ticket, const char *url,
    const struct buf *payload, int64_t timeout_ms)
{
	poster_begin(context, ticket, url, payload, timeout_ms);
}

static void *
wait_for_post(void *context, int64_t timeout_ms,
    struct post_outcome *outcome)
{
	/* Once awake it stays so: what is on its way is then waited for in
	 * short steps. */
	return poster_wait(context, stopping ? -1 : wake_pipe[0], timeout_ms,
	    outcome);
}

static bool
must_stop(void *context)
{
	(void)context;
	return stopping;
}

/*
 * Whether as many descriptors are left as libcurl and a settlement need: a
 * message that is sent and cannot be settled would be sent again.
 */
static bool
can_post(void *context, struct buf *why)
{
	int spare[SPARE], error = 0;
	struct rlimit limit;
	size_t i, count = 0;

	(void)context;
	while (count < SPARE && (spare[count] =
	    fcntl(wake_pipe[0], F_DUPFD_CLOEXEC, 0)) >= 0)
		count++;
	if (count < SPARE)
		error = errno;
	for (i = 0; i < count; i++)
		close(spare[i]);
	if (count == SPARE)
		return true;
	buf_addf(why, "nothing can be sent: %s", strerror(error));
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		buf_addf(why, ": %llu file descriptors are allowed: raise "
		    "the limit (ulimit -n, or LimitNOFILE= of a unit)",
		    (unsigned long long)limit.rlim_cur);
	return false;
}

/* Up to what the system lets us. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= WANTED)
		return;
	limit.rlim_cur = limit.rlim_max < WANTED ? limit.rlim_max : WANTED;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool
end_process(void *context, pid_t pid, struct buf *why)
{
	(void)context;
	if (pid <= 1 || pid == getpid())
		buf_adds(why, "its number cannot be known from here");
	else if (!process_is_worker(pid))
		buf_addf(why, "process %ld is not " WORKER_PROGRAM,
		    (long)pid);
	else if (kill(pid, SIGKILL) < 0)
		buf_addf(why, "it cannot be killed: %s", strerror(errno));
	else
		return true;
	return false;
}

enum worker_end
worker_process(enum worker_mode mode, const struct buf *configuration,
    struct worker_report *report)
{
	struct world world = { wall_ms, run_ms, chance, begin, wait_for_post,
	    must_stop, can_post, end_process, NULL, configuration };
	enum worker_end end;

	memset(report, 0, sizeof(*report));
	/* First: the pipe takes descriptor 2 where that is closed. */
	if (stderr_leads_nowhere())
		log_without_stderr();
	raise_limit();
	if (!handle_signals())
		return WORKER_FAILED;
	srand48((long)getpid() ^ (long)time(NULL));
	world.context = poster_new();
	end = worker_run(mode, &world, report);
	poster_free(world.context);
	return end;
}
