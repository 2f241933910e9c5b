/* SPDX-License-Identifier: ISC */
/* Addresses of queues, as text. It opens none. */
#include "queue/queue_place.h"

#include <stdlib.h>
#include <string.h>

#define MASK "********"
#define NAME "log-stream-to-slack"

/* ------------------------------------------------------------ passwords */

/* Secrets in the query of an address (libpq, "Parameter Key Words"). */
static const char *const secrets[] = { "password", "sslpassword" };

/* "user:password@", len bytes, of which the first ":" ends the user. */
static void
add_credentials(struct buf *out, const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);

	if (!colon) {
		buf_add(out, text, len);
		return;
	}
	buf_add(out, text, (size_t)(colon - text) + 1);
	buf_adds(out, MASK "@");
}

/* Whether a value of this name, len bytes, is; an encoded one may be any. */
static bool
is_secret(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (strlen(secrets[i]) == len &&
		    memcmp(name, secrets[i], len) == 0)
			return true;
	return memchr(name, '%', len) != NULL;
}

/* One "name=value", len bytes. */
static void
add_parameter(struct buf *out, const char *text, size_t len)
{
	size_t name = strcspn(text, "=");

	if (name >= len || !is_secret(text, name)) {
		buf_add(out, text, len);
		return;
	}
	buf_add(out, text, name + 1);
	buf_adds(out, MASK);
}

/* All up to the last "@" may be a password that was not encoded. */
char *
queue_shown_dup(const char *address)
{
	const char *rest = strstr(address, "://"), *at;
	struct buf out = BUF_INIT;
	size_t len;

	if (!*address || *address == '/' ||
	    strncmp(address, "sqlite:", strlen("sqlite:")) == 0)
		return mem_dup(address);
	if (!rest) /* a slip of the pen, with a password in it perhaps */
		return mem_dup(MASK);
	rest += 3;
	buf_add(&out, address, (size_t)(rest - address));
	at = strrchr(rest, '@');
	if (at) {
		add_credentials(&out, rest, (size_t)(at + 1 - rest));
		rest = at + 1;
	}
	len = strcspn(rest, "?");
	buf_add(&out, rest, len);
	for (rest += len; *rest; rest += len) {
		buf_addc(&out, *rest++);	/* "?" or "&" */
		len = strcspn(rest, "&");
		add_parameter(&out, rest, len);
	}
	return buf_detach(&out);
}

bool
queue_is_encoded(const char *address)
{
	const char *rest = strstr(address, "://"), *at;

	if (!rest)
		return true;
	rest += 3;
	at = strchr(rest, '@');
	return !at || (at == strrchr(rest, '@') &&
	    !memchr(rest, '/', (size_t)(at - rest)));
}

bool
queue_has_password(const char *address)
{
	char *shown = queue_shown_dup(address);
	bool differ = strcmp(shown, address) != 0;

	free(shown);
	return differ;
}

char *
queue_place_dup(const char *address)
{
	char *shown = queue_shown_dup(address);

	shown[strcspn(shown, "?")] = '\0';
	return shown;
}

/* ---------------------------------------------------------------- owner */

char *
queue_state_path_dup(const char *address)
{
	const char *named = getenv("STATE_DIRECTORY");
	struct buf path = BUF_INIT;

	(void)address;
	if (named && *named)
		buf_add(&path, named, strcspn(named, ":"));
	else
		buf_adds(&path, LOCALSTATEDIR "/lib/" NAME);
	buf_addc(&path, '/');
	return buf_detach(&path);
}
