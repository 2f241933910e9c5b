/* SPDX-License-Identifier: ISC */
/*
 * A configuration file: what is wrong is told in plain lines that begin
 * with the place, no text made of it shows a secret, and a good file that
 * is written anew out of what was read is the same one.
 */
#include "target.h"

#include "base/utf8.h"
#include "config/config.h"
#include "config/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file, and another that a key can name, which holds the secret. */
#define FILE_FD 100
#define FILE_PATH "/proc/self/fd/100"
#define SECRET_FD 101

/* Where this stands for a secret, or a part of one, no text may have it. */
#define SECRET "k7Qz0tXw"

#ifndef __GLIBC__
extern char **environ;
#endif

static void
make_file(int fd, const char *bytes, size_t len)
{
	int made = memfd_create("fuzz", 0);

	if (made < 0 || fchmod(made, 0600) < 0 ||
	    write(made, bytes, len) != (ssize_t)len || dup2(made, fd) < 0) {
		perror("memfd_create");
		abort();
	}
	close(made);
}

/* The file alone counts, whatever the environment has. */
static bool
load(struct config *c, const char *bytes, size_t len, struct buf *problems)
{
	static char variable[] = "LOG_STREAM_CONFIG=" FILE_PATH;
	char *own[] = { variable, NULL }, **all = environ;
	bool good;

	make_file(FILE_FD, bytes, len);
	environ = own;
	good = config_load(c, problems);
	environ = all;
	return good;
}

/* ------------------------------------------------------------- secrets */

static bool
begins(const char *text, size_t len, const char *begin)
{
	return len >= strlen(begin) && memcmp(text, begin, strlen(begin)) == 0;
}

static bool
ends(const char *text, size_t len, const char *end)
{
	return len >= strlen(end) && begins(text + len - strlen(end),
	    strlen(end), end);
}

/* The longest key that a name begins with; NULL: none. */
static const struct key *
key_of(const char *name, size_t len)
{
	const struct key *key = NULL;
	size_t i;

	for (i = 0; i < CONFIG_KEYS; i++)
		if (begins(name, len, config_keys[i].name) && (!key ||
		    strlen(config_keys[i].name) > strlen(key->name)))
			key = &config_keys[i];
	return key;
}

/* Of the address of a webhook the host is shown. */
static void
add_host(struct buf *shown, const char *value, size_t len)
{
	struct buf text = BUF_INIT;
	const char *host;

	buf_add(&text, value, len);
	host = strstr(buf_text(&text), "://");
	if (host) {
		host += strlen("://");
		buf_add(shown, host, strspn(host, ASCII_ALNUM "-.:[]"));
	}
	buf_addc(shown, '\n');
	buf_release(&text);
}

/* What a key lets be seen of its value, which may be in quotes. */
static void
add_own(struct buf *shown, const struct key *key, const char *value,
    size_t len)
{
	struct buf text = BUF_INIT;
	char *own;

	for (; len > 0 && strchr(" \t\"'", *value); len--)
		value++;
	buf_add(&text, value, len);
	own = key->shown_dup(buf_text(&text));
	buf_adds(shown, own);
	free(own);
	buf_release(&text);
}

/* Adds the parts of a line that may be shown. */
static void
add_shown(struct buf *shown, const char *line, size_t len)
{
	size_t name_len = strspn(line, ASCII_ALNUM "_");
	const char *value = line + name_len + 1;
	const struct key *key;

	if (name_len == 0 || name_len >= len || line[name_len] != '=')
		return;
	len -= name_len + 1;
	key = key_of(line, name_len);
	/* A name without a value may be the end of a long secret. */
	if (key || strspn(value, "= \t\r") < len)
		buf_add(shown, line, name_len);
	buf_addc(shown, '\n');
	if (key && (!key->secret || ends(line, name_len, "_FILE")))
		buf_add(shown, value, len);
	else if (key && key->makes_destination)
		add_host(shown, value, len);
	else if (key && key->shown_dup)
		add_own(shown, key, value, len);
	buf_addc(shown, '\n');
}

static bool
may_show_secret(const char *text)
{
	struct buf shown = BUF_INIT;
	const char *line;
	bool may;
	size_t len;

	if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
		text += 3;
	for (; *text; text = line + len + (line[len] == '\n')) {
		line = text + strspn(text, " \t\r");
		len = strcspn(line, "\n");
		add_shown(&shown, line, len);
	}
	may = strstr(buf_text(&shown), SECRET) != NULL;
	buf_release(&shown);
	return may;
}

/* --------------------------------------------------------------- rules */

static void
judge_text(const char *name, const struct buf *text, bool may_show,
    struct buf *how)
{
	if (!are_plain_lines(buf_text(text)))
		buf_addf(how, "%s are not plain lines: %s; ", name,
		    buf_text(text));
	if (!may_show && strstr(buf_text(text), SECRET))
		buf_addf(how, "%s show a secret: %s; ", name, buf_text(text));
}

/* Each begins with the file, and mostly has the line behind it. */
static void
judge_places(const struct buf *problems, struct buf *how)
{
	const char *line, *at;

	for (line = buf_text(problems); *line; line = strchr(line, '\n') + 1) {
		at = line + strlen(FILE_PATH);
		if (!begins(line, strlen(line), FILE_PATH ":"))
			buf_addf(how, "a problem has no place: %s", line);
		else if (!strchr(":,", at[1 + strspn(at + 1, ASCII_DIGITS)]) &&
		    !begins(at, strlen(at), ": "))
			buf_addf(how, "a problem has no line: %s", line);
	}
}

static void
judge_values(const struct config *c, struct buf *how)
{
	const struct key *key;
	int64_t number;
	size_t i;

	for (key = config_keys; key < config_keys + CONFIG_KEYS; key++) {
		if (key->max == 0)
			continue;
		memcpy(&number, (const char *)c + key->member, sizeof(number));
		if (number < key->min || number > key->max)
			buf_addf(how, "%s is %lld; ", key->name,
			    (long long)number);
	}
	for (i = 0; i < c->destination_count; i++)
		if (!c->destinations[i].filter || !*c->destinations[i].name)
			buf_addf(how, "destination %zu is not whole; ", i);
	if (c->destination_count > DESTINATIONS_MAX)
		buf_adds(how, "there are too many destinations; ");
	if (!c->dashboard_url || ends(c->dashboard_url,
	    strlen(c->dashboard_url), "/"))
		buf_adds(how, "the links have no base; ");
}

/* ---------------------------------------------------------- once more */

/* False for a value that a line cannot have: tokens of a file. */
static bool
write_value(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7F)
			return false;
		if (strchr("\"\\$`", *text))
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
	buf_adds(out, "\"\n");
	return true;
}

static bool
write_file(struct buf *out, const struct config *c)
{
	const struct config_entry *entry;
	size_t i;

	for (i = 0; i < c->entry_count; i++) {
		entry = &c->entries[i];
		if (!entry->value.text || !*entry->value.text)
			continue;
		buf_addf(out, "%s=", entry->label);
		if (!write_value(out, entry->value.text))
			return false;
	}
	return true;
}

/* Adds all that is told of a configuration but where it came from. */
static void
tell(struct config *c, struct buf *out)
{
	size_t i;

	for (i = 0; i < c->entry_count; i++)
		if (c->entries[i].value.origin) {
			free(c->entries[i].value.origin);
			c->entries[i].value.origin = mem_dup("");
		}
	config_describe(c, out);
	config_doubts(c, out);
}

static void
judge_again(struct config *c, struct buf *how)
{
	struct buf file = BUF_INIT, problems = BUF_INIT;
	struct buf first = BUF_INIT, again = BUF_INIT;
	struct config second;

	/* Quotes may make it longer than a file may be. */
	if (write_file(&file, c) && file.len < 60000) {
		load(&second, file.data, file.len, &problems);
		tell(c, &first);
		tell(&second, &again);
		config_release(&second);
		if (problems.len > 0 ||
		    strcmp(buf_text(&first), buf_text(&again)) != 0)
			buf_addf(how, "written anew: %s%sthat was: %s",
			    buf_text(&problems), buf_text(&again),
			    buf_text(&first));
	}
	buf_release(&file);
	buf_release(&problems);
	buf_release(&first);
	buf_release(&again);
}

bool
config_holds(const char *bytes, size_t len, struct buf *how)
{
	struct buf text = BUF_INIT, problems = BUF_INIT, told = BUF_INIT;
	struct config c;
	bool good, may_show;

	buf_add(&text, bytes, len);
	may_show = may_show_secret(buf_text(&text));
	make_file(SECRET_FD, SECRET SECRET "\n", strlen(SECRET SECRET "\n"));
	good = load(&c, buf_text(&text), len, &problems);
	config_describe(&c, &told);
	config_doubts(&c, &told);
	judge_text("problems", &problems, may_show, how);
	judge_text("listings", &told, may_show, how);
	if (good != (problems.len == 0))
		buf_adds(how, "a problem is not told; ");
	if (how->len == 0)
		judge_places(&problems, how);
	judge_values(&c, how);
	if (good)
		judge_again(&c, how);
	config_release(&c);
	buf_release(&text);
	buf_release(&problems);
	buf_release(&told);
	return how->len == 0;
}
