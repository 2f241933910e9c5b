/* SPDX-License-Identifier: ISC */
/* Host names to addresses. It knows not what is connected to. */
#include "base/lookup.h"

#include "base/buf.h"
#include "base/clock.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ADDRESSES_MAX 16	/* of a name; what is beyond is not used */
#define ADDRESS_SIZE 64		/* "fe80::...%interface" */
#define THREADS_MAX 32		/* that may hang at a time */

/* Shared by who began it and its thread; the last one frees it. */
struct lookup {
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	unsigned users;
	bool done;
	const char *error;	/* NULL: none */
	char *name;
	size_t count;
	char addresses[ADDRESSES_MAX][ADDRESS_SIZE];
};

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static unsigned threads;

static bool
count_thread(void)
{
	bool good;

	pthread_mutex_lock(&counting);
	good = threads < THREADS_MAX;
	if (good)
		threads++;
	pthread_mutex_unlock(&counting);
	return good;
}

static void
uncount_thread(void)
{
	pthread_mutex_lock(&counting);
	threads--;
	pthread_mutex_unlock(&counting);
}

static void
leave(struct lookup *l)
{
	bool last;

	pthread_mutex_lock(&l->mutex);
	last = --l->users == 0;
	pthread_mutex_unlock(&l->mutex);
	if (!last)
		return;
	pthread_cond_destroy(&l->ended);
	pthread_mutex_destroy(&l->mutex);
	free(l->name);
	free(l);
}

/* ------------------------------------------------------------- thread */

static int
find(const char *name, int flags, struct addrinfo **list)
{
	struct addrinfo hints;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = flags;
	*list = NULL;
	return getaddrinfo(name, NULL, &hints, list);
}

static void
keep_addresses(struct lookup *l, const struct addrinfo *list)
{
	for (; list && l->count < ADDRESSES_MAX; list = list->ai_next)
		if (getnameinfo(list->ai_addr, list->ai_addrlen,
		    l->addresses[l->count], ADDRESS_SIZE, NULL, 0,
		    NI_NUMERICHOST) == 0)
			l->count++;
}

static void *
look_up(void *context)
{
	struct lookup *l = context;
	struct addrinfo *list;
	int error = find(l->name, 0, &list);

	pthread_mutex_lock(&l->mutex);
	if (error == 0)
		keep_addresses(l, list);
	else
		l->error = gai_strerror(error);
	if (!l->error && l->count == 0)
		l->error = gai_strerror(EAI_NONAME);
	l->done = true;
	pthread_cond_signal(&l->ended);
	pthread_mutex_unlock(&l->mutex);
	if (list)
		freeaddrinfo(list);
	leave(l);
	uncount_thread();
	return NULL;
}

/* Signals are for the thread that waits for them. */
static bool
start_thread(struct lookup *l)
{
	sigset_t all, old;
	pthread_attr_t detached;
	pthread_t thread;
	bool good;

	if (!count_thread())
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	good = pthread_create(&thread, &detached, look_up, l) == 0;
	pthread_attr_destroy(&detached);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!good)
		uncount_thread();
	return good;
}

/* ------------------------------------------------------------- caller */

struct lookup *
lookup_begin(const char *name)
{
	struct lookup *l = mem_alloc(sizeof(*l));
	pthread_condattr_t monotonic;

	memset(l, 0, sizeof(*l));
	l->name = mem_dup(name);
	pthread_mutex_init(&l->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	l->users = 2;
	if (!start_thread(l)) {
		l->users = 1;
		l->done = true;
		l->error = "too many names are being looked up";
	}
	return l;
}

static struct timespec
moment_in(int64_t ms)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	moment.tv_sec += (time_t)(ms / 1000);
	moment.tv_nsec += (long)(ms % 1000) * 1000000;
	if (moment.tv_nsec >= 1000000000) {
		moment.tv_nsec -= 1000000000;
		moment.tv_sec++;
	}
	return moment;
}

enum lookup_result
lookup_wait(struct lookup *l, int64_t end_ms)
{
	int64_t left = end_ms - clock_ms();
	struct timespec end = moment_in(left > 0 ? left : 0);
	enum lookup_result result = LOOKUP_LATE;

	pthread_mutex_lock(&l->mutex);
	while (!l->done &&
	    pthread_cond_timedwait(&l->ended, &l->mutex, &end) == 0)
		;
	if (l->done)
		result = l->error ? LOOKUP_FAILED : LOOKUP_DONE;
	pthread_mutex_unlock(&l->mutex);
	return result;
}

size_t
lookup_count(const struct lookup *l)
{
	return l->count;
}

const char *
lookup_address(const struct lookup *l, size_t i)
{
	return l->addresses[i];
}

const char *
lookup_error(const struct lookup *l)
{
	return l->error;
}

void
lookup_free(struct lookup *l)
{
	if (l)
		leave(l);
}

bool
lookup_is_address(const char *text)
{
	struct addrinfo *list;
	bool good = find(text, AI_NUMERICHOST, &list) == 0;

	if (list)
		freeaddrinfo(list);
	return good;
}
