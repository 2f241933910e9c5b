/* SPDX-License-Identifier: ISC */
/* Addresses of queues, as text, and the lock's file. It opens none. */
#include "queue_place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MASK "********"
#define NAME "log-stream-to-slack"

/* ------------------------------------------------------------ passwords */

/* What is a secret in the query of an address (libpq, "Parameter Key Words"). */
static const char *const secrets[] = { "password=", "sslpassword=" };

/* The first len bytes of text without the password of "user:password@". */
static void
add_authority(struct buf *out, const char *text, size_t len)
{
	const char *at = memchr(text, '@', len);
	const char *colon = at ? memchr(text, ':', (size_t)(at - text)) : NULL;

	if (colon) {
		buf_add(out, text, (size_t)(colon - text) + 1);
		buf_adds(out, MASK);
		len -= (size_t)(at - text);
		text = at;
	}
	buf_add(out, text, len);
}

/* One "name=value", len bytes. */
static void
add_parameter(struct buf *out, const char *text, size_t len)
{
	size_t i, name;

	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		name = strlen(secrets[i]);
		if (len < name || memcmp(text, secrets[i], name) != 0)
			continue;
		buf_adds(out, secrets[i]);
		buf_adds(out, MASK);
		return;
	}
	buf_add(out, text, len);
}

char *
queue_shown_dup(const char *address)
{
	const char *rest = strstr(address, "://");
	struct buf out = BUF_INIT;
	size_t len;

	if (!rest)
		return mem_dup(address);
	rest += 3;
	buf_add(&out, address, (size_t)(rest - address));
	len = strcspn(rest, "/?");
	add_authority(&out, rest, len);
	rest += len;
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

/* ----------------------------------------------------------------- lock */

static bool
is_writable_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	    access(path, W_OK | X_OK) == 0;
}

static bool
add_state_directory(struct buf *out)
{
	const char *named = getenv("STATE_DIRECTORY");

	if (named && *named)
		buf_add(out, named, strcspn(named, ":"));
	else
		buf_adds(out, LOCALSTATEDIR "/lib/" NAME);
	if (is_writable_directory(buf_text(out)))
		return true;
	buf_clear(out);
	return false;
}

/* Others may make one there first: it has to be ours, and for us alone. */
static void
add_own_directory(struct buf *out)
{
	struct stat st;

	buf_addf(out, "/tmp/" NAME "-%lu", (unsigned long)geteuid());
	mkdir(buf_text(out), 0700);
	if (lstat(buf_text(out), &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid() || st.st_mode & (S_IRWXG | S_IRWXO))
		buf_adds(out, ", which others may use"); /* nor exists */
}

/* FNV-1a: two queues of one machine need two names. */
static uint64_t
hash(const char *text)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return sum;
}

char *
queue_lock_path_dup(const char *address)
{
	char *shown = queue_shown_dup(address);
	struct buf path = BUF_INIT;

	if (!add_state_directory(&path))
		add_own_directory(&path);
	buf_addf(&path, "/queue-%016" PRIx64 "-worker", hash(shown));
	free(shown);
	return buf_detach(&path);
}
