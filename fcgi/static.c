/* SPDX-License-Identifier: ISC */
/*
 * What the door goes without when it is linked statically (configure
 * --enable-static-door): libcurl, and what loads modules into the process,
 * because these must be of the very C library that was linked in, which is
 * not to be had where such a door is of use.
 */
#include "webhook/post.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* -------------------------------------------------------------- posts */

/* The configuration must have a queue, so nobody gets here. */
struct poster *
poster_new(void)
{
	return NULL;
}

void
poster_free(struct poster *p)
{
	(void)p;
}

void
poster_load(struct poster *p)
{
	(void)p;
}

void
poster_send(struct poster *p, const char *url, const struct buf *payload,
    int64_t timeout_ms, struct post_outcome *outcome)
{
	(void)p;
	(void)url;
	(void)payload;
	(void)timeout_ms;
	memset(outcome, 0, sizeof(*outcome));
	snprintf(outcome->reason, sizeof(outcome->reason),
	    "this program is linked statically and cannot post");
}

/* ------------------------------------------------------ the C library */

/* "--wrap=name" makes every call of name one of __wrap_name. */
struct passwd *__wrap_getpwuid(uid_t uid);
int __wrap_initgroups(const char *name, gid_t group);
struct hostent *__wrap_gethostbyname(const char *name);
int __wrap_getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **list);
void __wrap_freeaddrinfo(struct addrinfo *list);
int __wrap_getnameinfo(const struct sockaddr *address, socklen_t len,
    char *host, socklen_t host_size, char *service, socklen_t service_size,
    int flags);
void *__wrap_dlopen(const char *path, int mode);

/* The users in /etc/passwd: others are known to modules alone. */
struct passwd *
__wrap_getpwuid(uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry = NULL;

	if (!file)
		return NULL;
	do
		entry = fgetpwent(file);
	while (entry && entry->pw_uid != uid);
	fclose(file);
	return entry;
}

/* Only log-stream-ctl becomes another user. */
int
__wrap_initgroups(const char *name, gid_t group)
{
	(void)name;
	(void)group;
	errno = ENOSYS;
	return -1;
}

/* libfcgi looks for hosts to connect to, and the door connects to none. */
struct hostent *
__wrap_gethostbyname(const char *name)
{
	(void)name;
	return NULL;
}

/* Hosts are looked up for PostgreSQL, whose library cannot be loaded. */
int
__wrap_getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **list)
{
	(void)name;
	(void)service;
	(void)hints;
	*list = NULL;
	return EAI_FAIL;
}

void
__wrap_freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

int
__wrap_getnameinfo(const struct sockaddr *address, socklen_t len,
    char *host, socklen_t host_size, char *service, socklen_t service_size,
    int flags)
{
	(void)address;
	(void)len;
	(void)host;
	(void)host_size;
	(void)service;
	(void)service_size;
	(void)flags;
	return EAI_FAIL;
}

/* SQLite loads extensions where that is allowed; here it is not. */
void *
__wrap_dlopen(const char *path, int mode)
{
	(void)path;
	(void)mode;
	return NULL;
}
