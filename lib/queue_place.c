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
