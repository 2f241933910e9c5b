/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into a program under test: host names with a name server of ours.
 * "hangs.test" and what ends in ".hangs.test" has one that does not answer,
 * "db.test" is 127.0.0.1, and "none.test" is nothing.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define HANGS "hangs.test"
#define HANG_S 28	/* as long as libc waits, with a server of two */

typedef int lookup(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **list);

int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **list)
{
	size_t len = name ? strlen(name) : 0;
	lookup *next;

	*(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
	if (hints && hints->ai_flags & AI_NUMERICHOST)
		return next(name, service, hints, list);
	if (len >= strlen(HANGS) &&
	    strcmp(name + len - strlen(HANGS), HANGS) == 0) {
		sleep(HANG_S);
		return EAI_AGAIN;
	}
	if (name && strcmp(name, "none.test") == 0)
		return EAI_NONAME;
	if (name && strcmp(name, "db.test") == 0)
		name = "127.0.0.1";
	return next(name, service, hints, list);
}
