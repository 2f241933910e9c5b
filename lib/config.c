/* SPDX-License-Identifier: ISC */
/* Configuration. It knows each key's meaning and nobody's use of it. */
#include "config.h"

#include "envfile.h"
#include "key.h"
#include "token.h"
#include "url.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_SHORT 16		/* characters; fewer can be guessed */
#define NAME "log-stream-to-slack.conf"

/* ------------------------------------------------------------- files */

static void
remember(struct config *c, const char *path)
{
	struct config_stamp *stamp;

	c->stamps = mem_realloc(c->stamps,
	    (c->stamp_count + 1) * sizeof(*c->stamps));
	stamp = &c->stamps[c->stamp_count++];
	stamp->path = mem_dup(path);
	stamp->error = stat(path, &stamp->stat) == 0 ? 0 : errno;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size && a->st_mode == b->st_mode &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool
config_changed(const struct config *c)
{
	struct stat now;
	size_t i;
	int error;

	for (i = 0; i < c->stamp_count; i++) {
		error = stat(c->stamps[i].path, &now) == 0 ? 0 : errno;
		if (error != c->stamps[i].error ||
		    (!error && !same_file(&now, &c->stamps[i].stat)))
			return true;
	}
	return false;
}

/* ---------------------------------------------------------- settings */

/* What a source says of a key: KEY, and for a secret also KEY_FILE. */
struct setting {
	struct config_value direct;
	struct config_value from_file;
};

/* A source: the file or the environment. */
struct source {
	struct setting settings[CONFIG_KEYS];
};

static void
value_release(struct config_value *value)
{
	free(value->text);
	free(value->origin);
}

static void
source_release(struct source *source)
{
	size_t i;

	for (i = 0; i < CONFIG_KEYS; i++) {
		value_release(&source->settings[i].direct);
		value_release(&source->settings[i].from_file);
	}
}

/* The place for what is called name; NULL when no key is called so. */
static struct config_value *
find_value(struct source *source, const char *name)
{
	const char *rest;
	size_t i, len;

	for (i = 0; i < CONFIG_KEYS; i++) {
		len = strlen(config_keys[i].name);
		rest = name + len;
		if (strncmp(config_keys[i].name, name, len) != 0)
			continue;
		if (!*rest)
			return &source->settings[i].direct;
		if (config_keys[i].secret && strcmp(rest, "_FILE") == 0)
			return &source->settings[i].from_file;
	}
	return NULL;
}

static void
take_line(void *context, const char *name, const char *text,
    const char *origin, struct buf *why)
{
	struct config_value *value = find_value(context, name);

	if (!value && text[strspn(text, "=")] == '\0') {
		/* Base64 ends like this: the name may be half a secret. */
		buf_adds(why, "an unknown key without a value");
	} else if (!value) {
		buf_addf(why, "unknown key \"%s\"", name);
	} else if (value->text) {
		buf_addf(why, "%s was already set at %s", name,
		    value->origin);
	} else {
		value->text = mem_dup(text);
		value->origin = mem_dup(origin);
	}
}

/* The first key whose secret itself stands in the file; NULL for none. */
static const char *
held_secret(const struct source *file)
{
	size_t i;

	for (i = 0; i < CONFIG_KEYS; i++)
		if (config_keys[i].secret && file->settings[i].direct.text)
			return config_keys[i].name;
	return NULL;
}

static void
check_mode(const char *path, const char *key, struct buf *problems)
{
	if (envfile_all_may_write(path))
		buf_addf(problems, "%s: every user of this machine may write "
		    "to it: run chmod o-w on it\n", path);
	if (key && envfile_all_may_read(path))
		buf_addf(problems, "%s: every user of this machine may read "
		    "it, and it holds %s: run chmod o-r on it\n", path, key);
}

static void
read_config_file(struct config *c, struct source *file, struct buf *problems)
{
	struct buf text = BUF_INIT, why = BUF_INIT;

	remember(c, c->path);
	if (envfile_slurp(c->path, &text, &why)) {
		envfile_read(c->path, buf_text(&text), take_line, file,
		    problems);
		check_mode(c->path, held_secret(file), problems);
	} else {
		buf_addf(problems, "%s\n", buf_text(&why));
	}
	buf_release(&text);
	buf_release(&why);
}

static void
take_variable(struct config_value *value, const char *name)
{
	const char *text = getenv(name);

	if (!text)
		return;
	value->text = mem_dup(text);
	value->origin = mem_dup("environment");
}

static void
read_environment(struct source *environment)
{
	struct buf name = BUF_INIT;
	size_t i;

	for (i = 0; i < CONFIG_KEYS; i++) {
		take_variable(&environment->settings[i].direct,
		    config_keys[i].name);
		if (!config_keys[i].secret)
			continue;
		buf_clear(&name);
		buf_addf(&name, "%s_FILE", config_keys[i].name);
		take_variable(&environment->settings[i].from_file,
		    buf_text(&name));
	}
	buf_release(&name);
}

/* ------------------------------------------------------------ places */

static char *
home_path_dup(void)
{
	const struct passwd *owner = getpwuid(geteuid());
	struct buf path = BUF_INIT;

	if (owner && owner->pw_dir)
		buf_addf(&path, "%s/.config/" NAME, owner->pw_dir);
	return buf_detach(&path);
}

static bool
is_absence(int error)
{
	return error == ENOENT || error == ENOTDIR;
}

/* Remembers each place looked at, so that a file put there counts later. */
static char *
find_path_dup(struct config *c)
{
	const char *named = getenv("LOG_STREAM_CONFIG");
	char *home, *found = NULL;
	const char *places[3];
	size_t i;

	if (named && *named)
		return mem_dup(named);
	home = home_path_dup();
	places[0] = ".env";
	places[1] = home;
	places[2] = SYSCONFDIR "/" NAME;
	for (i = 0; i < 3 && !found; i++) {
		if (!*places[i])
			continue;
		/* One that cannot be read is an error, not a miss. */
		if (access(places[i], F_OK) == 0 || !is_absence(errno))
			found = mem_dup(places[i]);
		else
			remember(c, places[i]);
	}
	free(home);
	return found;
}

/* ------------------------------------------------------------ values */

/* The secret in the file that KEY_FILE names; NULL when it cannot be had. */
static char *
secret_dup(struct config *c, size_t i, const struct config_value *from_file,
    struct buf *problems)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	char *secret = NULL;

	if (!*from_file->text) {
		buf_addf(problems, "%s: %s_FILE: it is empty: give it a value "
		    "or remove it\n", from_file->origin, config_keys[i].name);
		return NULL;
	}
	remember(c, from_file->text);
	if (envfile_slurp(from_file->text, &text, &why)) {
		check_mode(from_file->text, config_keys[i].name, problems);
		secret = buf_detach(&text);
		if (!config_keys[i].many)
			secret[strcspn(secret, "\r\n")] = '\0';
	} else {
		buf_addf(problems, "%s: %s_FILE: %s\n", from_file->origin,
		    config_keys[i].name, buf_text(&why));
	}
	buf_release(&text);
	buf_release(&why);
	return secret;
}

static void
take_secret_file(struct config *c, size_t i,
    const struct config_value *from_file, struct buf *problems)
{
	struct buf origin = BUF_INIT;

	c->values[i].text = secret_dup(c, i, from_file, problems);
	if (c->values[i].text) {
		buf_addf(&origin, "%s, in %s", from_file->origin,
		    from_file->text);
		c->values[i].origin = buf_detach(&origin);
	}
}

/*
 * Takes the value of a key from a source; false when it has none. An empty
 * secret is an error: AUTH0_LOG_STREAM_TOKEN=$FORGOTTEN must not open the
 * door to everybody.
 */
static bool
take_value(struct config *c, size_t i, const struct source *source,
    struct buf *problems)
{
	const struct config_value *direct = &source->settings[i].direct;
	const struct config_value *from_file = &source->settings[i].from_file;
	struct config_value *value = &c->values[i];

	if (!direct->text && !from_file->text)
		return false;
	if (direct->text && from_file->text) {
		buf_addf(problems, "%s: %s and %s_FILE are both set: keep "
		    "one\n", from_file->origin, config_keys[i].name,
		    config_keys[i].name);
	} else if (direct->text) {
		value->text = mem_dup(direct->text);
		value->origin = mem_dup(direct->origin);
	} else {
		take_secret_file(c, i, from_file, problems);
	}
	if (config_keys[i].secret && value->text && !*value->text)
		buf_addf(problems, "%s: %s: it is empty: give it a value or "
		    "remove it\n", value->origin, config_keys[i].name);
	return true;
}

/* Reads what was taken; the default where there is nothing good. */
static void
use_value(struct config *c, size_t i, struct buf *problems)
{
	const struct config_value *value = &c->values[i];
	const struct key *key = &config_keys[i];
	struct buf why = BUF_INIT;
	bool good = false;

	if (value->text && *value->text) {
		good = key->read(c, key, value->text, &why);
		if (!good)
			buf_addf(problems, "%s: %s: %s\n", value->origin,
			    key->name, buf_text(&why));
	}
	if (!good && key->fallback)
		key->read(c, key, key->fallback, &why);
	buf_release(&why);
}

bool
config_load(struct config *c, struct buf *problems)
{
	struct source file = { 0 }, environment = { 0 };
	size_t i, before = problems->len;

	memset(c, 0, sizeof(*c));
	c->path = find_path_dup(c);
	if (c->path)
		read_config_file(c, &file, problems);
	read_environment(&environment);
	for (i = 0; i < CONFIG_KEYS; i++) {
		if (!take_value(c, i, &environment, problems))
			take_value(c, i, &file, problems);
		use_value(c, i, problems);
	}
	source_release(&file);
	source_release(&environment);
	return problems->len == before;
}

bool
config_load_to_post(struct config *c, struct buf *problems)
{
	if (!config_load(c, problems))
		return false;
	if (!c->webhook_url)
		buf_adds(problems, "SLACK_WEBHOOK_URL is not set: give it the "
		    "address of a Slack incoming webhook\n");
	return c->webhook_url != NULL;
}

void
config_adopt_stamps(struct config *c, struct config *other)
{
	struct config_stamp *stamps = c->stamps;
	size_t count = c->stamp_count;

	c->stamps = other->stamps;
	c->stamp_count = other->stamp_count;
	other->stamps = stamps;
	other->stamp_count = count;
}

void
config_release(struct config *c)
{
	size_t i;

	free(c->webhook_url);
	free(c->tokens);
	filter_free(c->filter);
	free(c->dashboard_url);
	free(c->path);
	for (i = 0; i < CONFIG_KEYS; i++)
		value_release(&c->values[i]);
	for (i = 0; i < c->stamp_count; i++)
		free(c->stamps[i].path);
	free(c->stamps);
	memset(c, 0, sizeof(*c));
}

/* ---------------------------------------------------------- listings */

static void
add_masked(const struct config *c, size_t i, struct buf *out)
{
	const char *host;
	size_t len;
	unsigned count, shortest;

	if (config_keys[i].many && c->tokens) {
		count = token_count(c->tokens, &shortest);
		buf_addf(out, "******** (%u token%s)", count,
		    count == 1 ? "" : "s");
	} else if (c->webhook_url && !config_keys[i].many) {
		host = url_host(c->webhook_url, &len);
		buf_addf(out, "%.*s/********",
		    (int)(host + len - c->webhook_url), c->webhook_url);
	} else {
		buf_adds(out, "********");
	}
}

static void
add_value(const struct config *c, size_t i, struct buf *out)
{
	const char *text = c->values[i].text, *fallback;

	fallback = config_keys[i].fallback;
	if (!text || !*text)
		buf_adds(out, fallback ? fallback : "");
	else if (config_keys[i].secret)
		add_masked(c, i, out);
	else
		log_escape(out, text, strlen(text));
}

void
config_describe(const struct config *c, struct buf *out)
{
	const struct key *key;
	const char *text;
	size_t i;

	for (i = 0; i < CONFIG_KEYS; i++) {
		key = &config_keys[i];
		text = c->values[i].text;
		buf_addf(out, "# %s\n%s=", key->help, key->name);
		add_value(c, i, out);
		buf_adds(out, "    (");
		buf_adds(out, text && *text ? c->values[i].origin :
		    key->fallback ? "default" : "not set");
		buf_adds(out, ")\n");
	}
}

static void
doubt_tokens(const struct config *c, struct buf *out)
{
	unsigned shortest;

	if (!c->tokens)
		buf_adds(out, "AUTH0_LOG_STREAM_TOKEN is not set: whoever "
		    "finds the address may post\n");
	else if (token_count(c->tokens, &shortest), shortest < TOKEN_SHORT)
		buf_addf(out, "AUTH0_LOG_STREAM_TOKEN: a token of fewer than "
		    "%d characters can be guessed\n", TOKEN_SHORT);
}

static void
doubt_webhook(const struct config *c, struct buf *out)
{
	const char *host;
	size_t len;

	host = c->webhook_url ? url_host(c->webhook_url, &len) : NULL;
	if (host && !url_is_slack(c->webhook_url))
		buf_addf(out, "SLACK_WEBHOOK_URL: %.*s is not Slack\n",
		    (int)len, host);
}

void
config_doubts(const struct config *c, struct buf *out)
{
	struct buf globs = BUF_INIT;
	char *glob, *rest = NULL;

	doubt_webhook(c, out);
	doubt_tokens(c, out);
	filter_doubts(c->filter, &globs);
	if (globs.len > 0)
		for (glob = strtok_r(globs.data, "\n", &rest); glob;
		     glob = strtok_r(NULL, "\n", &rest))
			buf_addf(out, "FILTER: \"%s\" matches no known type "
			    "code\n", glob);
	buf_release(&globs);
}

void
config_files(const struct config *c, struct buf *out)
{
	size_t i;

	for (i = 0; i < c->stamp_count; i++) {
		log_escape(out, c->stamps[i].path, strlen(c->stamps[i].path));
		if (is_absence(c->stamps[i].error))
			buf_adds(out, " (not there)");
		else if (c->stamps[i].error)
			buf_addf(out, " (%s)", strerror(c->stamps[i].error));
		buf_addc(out, '\n');
	}
}
