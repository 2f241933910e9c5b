/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into a program under test: what waits for something outside of it
 * and does not come back. The environment says what:
 *
 * HANG_HOST=NAME	the name server does not answer for this host, as long
 *			as HANG_WHILE is there; then it is 127.0.0.1
 * HANG_WHILE=FILE	without it: for ever
 * HANG_LOAD=NAME	loading a library that is called so, at the beginning
 * HANG_REPORT=FILE	is made when that begins
 * HANG_HURRY=N		alarms come N times as soon
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int look_up(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **found);
typedef void *load(const char *path, int mode);

static void
take_a_moment(void)
{
	static const struct timespec moment = { 0, 10000000 };

	nanosleep(&moment, NULL);
}

static void
find(const char *name, void *function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(function, &symbol, sizeof(symbol));
}

int
getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **found)
{
	const char *hanging = getenv("HANG_HOST");
	const char *file = getenv("HANG_WHILE");
	look_up *real;

	find("getaddrinfo", &real);
	if (!hanging || !host || strcasecmp(host, hanging) != 0)
		return real(host, service, hints, found);
	while (!file || access(file, F_OK) == 0)
		take_a_moment();
	return real("127.0.0.1", service, hints, found);
}

void *
dlopen(const char *path, int mode)
{
	const char *hanging = getenv("HANG_LOAD");
	const char *report = getenv("HANG_REPORT");
	load *real;

	find("dlopen", &real);
	if (!hanging || !path || strncmp(path, hanging, strlen(hanging)) != 0)
		return real(path, mode);
	if (report)
		close(open(report, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	for (;;)
		take_a_moment();
}

unsigned
alarm(unsigned seconds)
{
	const char *hurry = getenv("HANG_HURRY");
	struct itimerval timer = { { 0, 0 }, { 0, 0 } };
	long us = (long)seconds * 1000000;

	if (hurry && atol(hurry) > 0)
		us /= atol(hurry);
	timer.it_value.tv_sec = us / 1000000;
	timer.it_value.tv_usec = us % 1000000;
	setitimer(ITIMER_REAL, &timer, NULL);
	return 0;
}
