/* SPDX-License-Identifier: ISC */
/* Settings. It does not know which source wins. */
#include "config/setting.h"

#include "base/log.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "config/envfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FILE_FORM "_FILE"
#define CONFIG_VARIABLE "LOG_STREAM_CONFIG" /* see config.h; no key */

#ifndef __GLIBC__ /* whose unistd.h declares it; POSIX leaves that to us */
extern char **environ;
#endif

/* ------------------------------------------------------------- names */

/* Whether the first len bytes of text end as the key of a file does. */
static bool
is_file_form(const char *text, size_t len)
{
	size_t end = strlen(FILE_FORM);

	return len >= end && memcmp(text + len - end, FILE_FORM, end) == 0;
}

/* Reads the destination's name out of rest, len bytes such as "_ops". */
static bool
read_destination(struct key_use *use, const char *whole, const char *rest,
    size_t len, struct buf *why)
{
	const char *key = use->key->name;

	if (len < 2 || len - 1 > DESTINATION_NAME_MAX ||
	    strspn(rest, ASCII_ALNUM "_") < len) {
		log_escape(why, whole, strlen(whole));
		buf_addf(why, ": the name of a destination is 1 to %d "
		    "letters, digits or _", DESTINATION_NAME_MAX);
		return false;
	}
	if (is_file_form(rest, len)) {
		buf_addf(why, "%s: no destination can be called FILE, or end "
		    "in _FILE: that means a file", whole);
		return false;
	}
	snprintf(use->destination, sizeof(use->destination), "%.*s",
	    (int)len - 1, rest + 1);
	if (strcmp(use->destination, DESTINATION_DEFAULT) != 0)
		return true;
	buf_addf(why, "%s is destination default: use %s%s", whole, key,
	    use->from_file ? FILE_FORM : "");
	return false;
}

/* Reads what follows the key's own name: "", _FILE, _ops or _ops_FILE. */
static bool
read_rest(struct key_use *use, const char *whole, const char *rest,
    struct buf *why)
{
	const struct key *key = use->key;
	size_t len = strlen(rest);

	use->from_file = is_file_form(rest, len);
	if (use->from_file && !key->secret)
		return false;
	if (use->from_file)
		len -= strlen(FILE_FORM);
	if (len == 0) {
		snprintf(use->destination, sizeof(use->destination), "%s",
		    DESTINATION_DEFAULT);
		return true;
	}
	return key->per_destination && *rest == '_' &&
	    read_destination(use, whole, rest, len, why);
}

/*
 * Reads the name of a key. Returns false when no key is called so, and
 * then adds the reason to *why, beginning with the name, when it is the
 * name of a destination that is wrong.
 */
static bool
read_name(struct key_use *use, const char *name, struct buf *why)
{
	size_t i, len, before = why->len;

	for (i = 0; i < CONFIG_KEYS && why->len == before; i++) {
		use->key = &config_keys[i];
		len = strlen(use->key->name);
		if (strncmp(use->key->name, name, len) == 0 &&
		    read_rest(use, name, name + len, why))
			return true;
	}
	return false;
}

/* ----------------------------------------------------- unknown names */

enum { KEY_NAME_MAX = 48 };	/* bytes of a key's own name and _FILE */

/*
 * Adds ": did you mean ...?" when a key of no destination is called nearly
 * so, or returns false. For a variable the one that names the file is among
 * them.
 */
static bool
add_nearest(struct buf *out, const char *name, bool is_variable)
{
	char names[CONFIG_KEYS][2][KEY_NAME_MAX];
	struct nearest n = { name, NULL, 0 };
	size_t i;

	for (i = 0; i < CONFIG_KEYS; i++) {
		snprintf(names[i][0], KEY_NAME_MAX, "%s", config_keys[i].name);
		snprintf(names[i][1], KEY_NAME_MAX, "%s" FILE_FORM,
		    config_keys[i].name);
		nearest_try(&n, names[i][0]);
		if (config_keys[i].secret)
			nearest_try(&n, names[i][1]);
	}
	if (is_variable)
		nearest_try(&n, CONFIG_VARIABLE);
	if (n.found)
		buf_addf(out, ": did you mean %s?", n.found);
	return n.found != NULL;
}

static bool
begins(const char *name, const char *prefix)
{
	return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

/* Whether a variable that is no key may be another program's. */
static bool
is_near_ours(const char *name)
{
	return begins(name, "SLACK_WEBHOOK") || begins(name, "FILTER_") ||
	    (begins(name, "LOG_STREAM_") && strcmp(name, CONFIG_VARIABLE) != 0);
}

/* A variable that is no key; why is what is wrong with its destination. */
static void
judge_unknown(const char *name, const struct buf *why, struct buf *problems,
    struct buf *warnings)
{
	struct buf text = BUF_INIT;

	if (why->len > 0) {
		buf_addf(begins(name, "SLACK_WEBHOOK") ? problems : warnings,
		    "environment: %s\n", buf_text(why));
	} else if (begins(name, "AUTH0_LOG")) {
		buf_adds(&text, "unknown variable ");
		log_quote(&text, name, strlen(name));
		if (!add_nearest(&text, name, true))
			buf_adds(&text, ": the secret of the stream is "
			    "AUTH0_LOG_STREAM_TOKEN");
		buf_addf(problems, "environment: %s\n", buf_text(&text));
	} else if (is_near_ours(name)) {
		log_quote(&text, name, strlen(name));
		buf_adds(&text, " is no key, and has no effect");
		add_nearest(&text, name, true);
		buf_addf(warnings, "environment: %s\n", buf_text(&text));
	}
	buf_release(&text);
}

/* ---------------------------------------------------------- settings */

static void
add_setting(struct settings *s, const struct key_use *use, const char *name,
    const char *text, const char *origin)
{
	struct setting *setting;

	s->list = mem_realloc(s->list, (s->count + 1) * sizeof(*s->list));
	setting = &s->list[s->count++];
	setting->use = *use;
	setting->name = mem_dup(name);
	setting->text = mem_dup(text);
	setting->origin = mem_dup(origin);
}

static void
take_line(void *context, const char *name, const char *text,
    const char *origin, struct buf *why)
{
	struct settings *s = context;
	const struct setting *before = settings_find(s, name);
	struct key_use use;

	if (before) {
		buf_addf(why, "%s was already set at %s", name,
		    before->origin);
	} else if (read_name(&use, name, why)) {
		add_setting(s, &use, name, text, origin);
	} else if (why->len > 0) {
		return;
	} else if (text[strspn(text, "=")] == '\0') {
		/* Base64 ends like this: the name may be half a secret. */
		buf_adds(why, "an unknown key without a value");
	} else {
		buf_addf(why, "unknown key \"%s\"", name);
		add_nearest(why, name, false);
	}
}

void
settings_read_file(struct settings *s, const char *path, const char *text,
    struct buf *problems, struct buf *warnings)
{
	envfile_read(path, text, take_line, s, problems, warnings);
}

/* A variable that is there twice: the first counts, as for getenv. */
static void
take_variable(struct settings *s, const char *name, const char *text,
    struct buf *problems, struct buf *warnings)
{
	struct buf why = BUF_INIT;
	struct key_use use;

	if (!read_name(&use, name, &why))
		judge_unknown(name, &why, problems, warnings);
	else if (!settings_find(s, name))
		add_setting(s, &use, name, text, "environment");
	buf_release(&why);
}

void
settings_read_environment(struct settings *s, struct buf *problems,
    struct buf *warnings)
{
	struct buf name = BUF_INIT;
	const char *equals;
	char **variable;

	for (variable = environ; variable && *variable; variable++) {
		equals = strchr(*variable, '=');
		if (!equals)
			continue;
		buf_clear(&name);
		buf_add(&name, *variable, (size_t)(equals - *variable));
		take_variable(s, buf_text(&name), equals + 1, problems,
		    warnings);
	}
	buf_release(&name);
}

const struct setting *
settings_find(const struct settings *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (strcmp(s->list[i].name, name) == 0)
			return &s->list[i];
	return NULL;
}

void
settings_release(struct settings *s)
{
	size_t i;

	for (i = 0; i < s->count; i++) {
		free(s->list[i].name);
		free(s->list[i].text);
		free(s->list[i].origin);
	}
	free(s->list);
	memset(s, 0, sizeof(*s));
}
