/* SPDX-License-Identifier: ISC */
/*
 * Configuration: where it is looked for, which source wins, and how it is
 * listed. It knows no key's meaning.
 */
#include "config/config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/url.h"
#include "config/config_copy.h"
#include "config/envfile.h"
#include "config/key.h"
#include "config/setting.h"
#include "config/token.h"
#include "queue/queue.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "log-stream-to-slack.conf"
#define DOT_ENV ".env"
#define AHEAD_MS 60000		/* by which a file server's clock may differ */

/* In the order in which they win. */
enum source { ENVIRONMENT, FILE_READ, SOURCES };

/* ------------------------------------------------------------- files */

struct config_stamp *
config_stamp_add(struct config *c, const char *path)
{
	struct config_stamp *stamp;

	c->stamps = mem_realloc(c->stamps,
	    (c->stamp_count + 1) * sizeof(*c->stamps));
	stamp = &c->stamps[c->stamp_count++];
	memset(stamp, 0, sizeof(*stamp));
	stamp->path = mem_dup(path);
	return stamp;
}

void
config_file_add(struct config *c, const char *path, const char *text)
{
	struct config_file *file;

	c->files = mem_realloc(c->files,
	    (c->file_count + 1) * sizeof(*c->files));
	file = &c->files[c->file_count++];
	file->path = mem_dup(path);
	file->text = mem_dup(text);
}

static const struct config_file *
find_file(const struct config *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->file_count; i++)
		if (strcmp(c->files[i].path, path) == 0)
			return &c->files[i];
	return NULL;
}

static void
remember(struct config *c, const char *path)
{
	struct config_stamp *stamp = config_stamp_add(c, path);

	stamp->error = stat(path, &stamp->stat) == 0 ? 0 : errno;
}

/* Reads a file, or has its text from where it was read before. */
static bool
slurp(struct config *c, const char *path, struct buf *text, uid_t *owner,
    struct buf *why)
{
	const struct config_file *file = find_file(c, path);

	if (file) {
		*owner = geteuid();
		buf_adds(text, file->text);
		return true;
	}
	remember(c, path);
	if (!envfile_slurp(path, text, owner, why))
		return false;
	config_file_add(c, path, buf_text(text));
	return true;
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
config_files_changed(const struct config *c)
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

bool
config_changed(const struct config *c)
{
	return (c->look_at > 0 && clock_ms() >= c->look_at) ||
	    config_files_changed(c);
}

void
config_look_in(struct config *c, int64_t ms)
{
	c->look_at = clock_ms() + ms;
}

/* --------------------------------------------------- half-written files */

/* How long until the file is old enough; 0 when it is. */
static int64_t
youth_ms(const struct config_stamp *stamp)
{
	int64_t age;

	if (stamp->error)
		return 0;
	age = clock_wall_ms() - (int64_t)stamp->stat.st_mtim.tv_sec * 1000 -
	    stamp->stat.st_mtim.tv_nsec / 1000000;
	return age < CONFIG_SETTLE_MS && age > -AHEAD_MS ?
	    CONFIG_SETTLE_MS - age : 0;
}

static bool
is_cut(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && text[len - 1] != '\n';
}

static void
add_unsettled(struct buf *problems, const char *path, const char *what)
{
	log_escape(problems, path, strlen(path));
	buf_addf(problems, ": it is less than %d s old, and %s: it may be "
	    "half written, and counts when it is %d s old\n",
	    CONFIG_SETTLE_MS / 1000, what, CONFIG_SETTLE_MS / 1000);
}

bool
config_is_settled(struct config *c, bool needs_token, struct buf *problems)
{
	int64_t youth, longest = 0;
	const struct config_stamp *stamp;
	const struct config_file *file;

	for (stamp = c->stamps; stamp < c->stamps + c->stamp_count; stamp++) {
		file = find_file(c, stamp->path);
		youth = youth_ms(stamp);
		if (!file || youth == 0)
			continue;
		if (is_cut(file->text))
			add_unsettled(problems, file->path, "its last line has "
			    "no end");
		else if (needs_token && !c->tokens)
			add_unsettled(problems, file->path, "nothing gives "
			    "AUTH0_LOG_STREAM_TOKEN");
		else
			continue;
		if (youth > longest)
			longest = youth;
	}
	if (longest > 0)
		config_look_in(c, longest);
	return longest == 0;
}

/* ----------------------------------------------------------- sources */

/* Whether there is more to a value than may be seen. */
static bool
is_secret(const struct key *key, const char *text)
{
	char *shown;
	bool secret = key->secret;

	if (secret && key->shown_dup) {
		shown = key->shown_dup(text);
		secret = strcmp(shown, text) != 0;
		free(shown);
	}
	return secret;
}

/* The first key whose secret itself stands in the file; NULL for none. */
static const char *
held_secret(const struct settings *file)
{
	const struct setting *setting;
	size_t i;

	for (i = 0; i < file->count; i++) {
		setting = &file->list[i];
		if (is_secret(setting->use.key, setting->text) &&
		    !setting->use.from_file)
			return setting->name;
	}
	return NULL;
}

/* Of a copy the process that read the file has looked. */
static void
check_mode(const struct config *c, const char *path, const char *key,
    struct buf *problems)
{
	struct buf name = BUF_INIT;

	if (c->copied)
		return;
	log_escape(&name, path, strlen(path));
	if (envfile_has_mode(path, S_IWOTH))
		buf_addf(problems, "%s: every user of this machine may write "
		    "to it: run chmod o-w on it\n", buf_text(&name));
	if (key && envfile_has_mode(path, S_IROTH))
		buf_addf(problems, "%s: every user of this machine may read "
		    "it, and it holds %s: run chmod o-r on it\n",
		    buf_text(&name), key);
	buf_release(&name);
}

/* NULL: it is to be looked for. */
static const char *
named_path(void)
{
	const char *named = getenv("LOG_STREAM_CONFIG");

	return named && *named ? named : NULL;
}

static bool
is_stranger(uid_t owner)
{
	const char *caller = getenv("SUDO_UID"); /* sudo(8) */

	return owner != 0 && owner != geteuid() && !(geteuid() == 0 &&
	    caller && owner == (uid_t)strtoul(caller, NULL, 10));
}

/*
 * It says where this process writes: in a directory where every user may
 * make one, a .env may be a trap, and for root in any.
 */
static bool
may_be_trap(const char *path, uid_t owner)
{
	struct stat here;

	return !named_path() && strcmp(path, DOT_ENV) == 0 &&
	    is_stranger(owner) && (geteuid() == 0 ||
	    (stat(".", &here) == 0 && here.st_mode & S_IWOTH));
}

static void
read_config_file(struct config *c, struct settings *file,
    struct buf *problems)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	uid_t owner;

	if (!slurp(c, c->path, &text, &owner, &why)) {
		buf_addf(problems, "%s\n", buf_text(&why));
	} else if (may_be_trap(c->path, owner)) {
		buf_addf(problems, "%s: it belongs to another user: if it is "
		    "the right one, run this as that user, or name it: "
		    "LOG_STREAM_CONFIG=%s\n", c->path, c->path);
	} else {
		settings_read_file(file, c->path, buf_text(&text), problems,
		    &c->warnings);
		check_mode(c, c->path, held_secret(file), problems);
	}
	buf_release(&text);
	buf_release(&why);
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

/* Whoever runs us from a directory of another's has no .env there. */
static bool
is_closed_directory(int error, size_t place)
{
	return place == 0 && error == EACCES && access(".", X_OK) < 0;
}

/* Remembers each place looked at, so that a file put there counts later. */
static char *
find_path_dup(struct config *c)
{
	const char *named = named_path();
	char *home, *found = NULL;
	const char *places[3];
	size_t i;

	if (named)
		return mem_dup(named);
	home = home_path_dup();
	places[0] = DOT_ENV;
	places[1] = home;
	places[2] = SYSCONFDIR "/" NAME;
	for (i = 0; i < 3 && !found; i++) {
		if (!*places[i])
			continue;
		/* One that cannot be read is an error, not a miss. */
		if (access(places[i], F_OK) == 0 ||
		    !(is_absence(errno) || is_closed_directory(errno, i)))
			found = mem_dup(places[i]);
		else
			remember(c, places[i]);
	}
	free(home);
	return found;
}

/* ------------------------------------------------------ destinations */

static struct destination *
find_destination(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->destination_count; i++)
		if (strcmp(c->destinations[i].name, name) == 0)
			return &c->destinations[i];
	return NULL;
}

static void
add_destination(struct config *c, const char *name)
{
	struct destination *d;

	c->destinations = mem_realloc(c->destinations,
	    (c->destination_count + 1) * sizeof(*c->destinations));
	d = &c->destinations[c->destination_count++];
	memset(d, 0, sizeof(*d));
	d->name = mem_dup(name);
}

/* Adds what the source makes a destination. */
static void
add_destinations(struct config *c, const struct settings *source,
    struct buf *problems)
{
	const struct setting *setting;
	size_t i;

	for (i = 0; i < source->count; i++) {
		setting = &source->list[i];
		if (!setting->use.key->makes_destination ||
		    find_destination(c, setting->use.destination))
			continue;
		if (c->destination_count == DESTINATIONS_MAX) {
			buf_addf(problems, "%s: %s: there are more than %d "
			    "destinations, default among them\n",
			    setting->origin, setting->name,
			    DESTINATIONS_MAX);
			return;
		}
		add_destination(c, setting->use.destination);
	}
}

static bool
makes_destination(const struct settings *source, const char *name)
{
	size_t i;

	for (i = 0; i < source->count; i++)
		if (source->list[i].use.key->makes_destination &&
		    strcmp(source->list[i].use.destination, name) == 0)
			return true;
	return false;
}

/* Tells what a source says of a destination that nothing makes one. */
static void
check_strays(const struct settings *sources, enum source which,
    struct buf *out)
{
	const struct setting *setting;
	const char *name;
	size_t i;

	for (i = 0; i < sources[which].count; i++) {
		setting = &sources[which].list[i];
		name = setting->use.destination;
		if (strcmp(name, DESTINATION_DEFAULT) != 0 &&
		    !makes_destination(&sources[ENVIRONMENT], name) &&
		    !makes_destination(&sources[FILE_READ], name))
			buf_addf(out, "%s: %s: there is no "
			    "SLACK_WEBHOOK_URL_%s\n", setting->origin,
			    setting->name, name);
	}
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct destination *)a)->name,
	    ((const struct destination *)b)->name);
}

static void
list_destinations(struct config *c, const struct settings *sources,
    struct buf *problems)
{
	add_destination(c, DESTINATION_DEFAULT);
	add_destinations(c, &sources[FILE_READ], problems);
	add_destinations(c, &sources[ENVIRONMENT], problems);
	check_strays(sources, FILE_READ, problems);
	/* FILTER_x in the environment may be another program's. */
	check_strays(sources, ENVIRONMENT, &c->warnings);
	qsort(c->destinations + 1, c->destination_count - 1,
	    sizeof(*c->destinations), compare_names);
}

/* The first by name of those with the webhook of d; d has one. */
static size_t
find_sharer(const struct config *c, char *const *urls, size_t d)
{
	size_t i, first = d;

	for (i = 0; i < c->destination_count; i++)
		if (urls[i] && strcmp(urls[i], urls[d]) == 0 &&
		    strcmp(c->destinations[i].name,
		    c->destinations[first].name) < 0)
			first = i;
	return first;
}

static void
find_sharers(struct config *c)
{
	char *urls[DESTINATIONS_MAX];
	const char *url;
	size_t i;

	for (i = 0; i < c->destination_count; i++) {
		url = c->destinations[i].webhook_url;
		urls[i] = url ? url_normal_dup(url) : NULL;
	}
	for (i = 0; i < c->destination_count; i++)
		c->destinations[i].shares = urls[i] ?
		    find_sharer(c, urls, i) : i;
	for (i = 0; i < c->destination_count; i++)
		free(urls[i]);
}

/* ----------------------------------------------------------- entries */

static void
add_entry(struct config *c, const struct key *key, size_t destination)
{
	struct buf label = BUF_INIT;
	struct config_entry *entry;

	c->entries = mem_realloc(c->entries,
	    (c->entry_count + 1) * sizeof(*c->entries));
	entry = &c->entries[c->entry_count++];
	memset(entry, 0, sizeof(*entry));
	entry->key = key;
	entry->destination = destination;
	buf_adds(&label, key->name);
	if (destination > 0)
		buf_addf(&label, "_%s", c->destinations[destination].name);
	entry->label = buf_detach(&label);
}

/* One of each key, and of a key of destinations one for each of them. */
static void
list_entries(struct config *c)
{
	size_t i, d, count;

	for (i = 0; i < CONFIG_KEYS; i++) {
		count = config_keys[i].per_destination ?
		    c->destination_count : 1;
		for (d = 0; d < count; d++)
			add_entry(c, &config_keys[i], d);
	}
}

/* ------------------------------------------------------------ values */

/* A file of secrets has no comments: each line of it is one. */
static void
look_for_comments(struct config *c, const char *path, const char *label,
    const char *text)
{
	unsigned number;
	size_t len;

	for (number = 1; *text; number++) {
		len = strcspn(text, "\n");
		if (envfile_has_comment(text, len)) {
			log_escape(&c->warnings, path, strlen(path));
			buf_addf(&c->warnings, ":%u: %s: the # and what "
			    "follows it are part of the value: this file has "
			    "no comments\n", number, label);
		}
		text += len + (text[len] == '\n');
	}
}

/* The secret in the file that KEY_FILE names; NULL when it cannot be had. */
static char *
secret_dup(struct config *c, const struct config_entry *entry,
    const struct setting *from_file, struct buf *problems)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	char *secret = NULL;
	uid_t owner;

	if (!*from_file->text) {
		buf_addf(problems, "%s: %s: it is empty: give it a value or "
		    "remove it\n", from_file->origin, from_file->name);
		return NULL;
	}
	if (slurp(c, from_file->text, &text, &owner, &why)) {
		check_mode(c, from_file->text, entry->label, problems);
		secret = buf_detach(&text);
		if (!entry->key->many)
			secret[strcspn(secret, "\r\n")] = '\0';
		look_for_comments(c, from_file->text, entry->label, secret);
	} else {
		buf_addf(problems, "%s: %s: %s\n", from_file->origin,
		    from_file->name, buf_text(&why));
	}
	buf_release(&text);
	buf_release(&why);
	return secret;
}

static void
take_secret_file(struct config *c, struct config_entry *entry,
    const struct setting *from_file, struct buf *problems)
{
	struct buf origin = BUF_INIT;

	entry->value.text = secret_dup(c, entry, from_file, problems);
	if (entry->value.text) {
		buf_addf(&origin, "%s, in ", from_file->origin);
		log_escape(&origin, from_file->text, strlen(from_file->text));
		entry->value.origin = buf_detach(&origin);
	}
}

/* What the source has under KEY_FILE; NULL: nothing. */
static const struct setting *
find_file_form(const struct settings *source, const char *label)
{
	const struct setting *found;
	struct buf name = BUF_INIT;

	buf_addf(&name, "%s_FILE", label);
	found = settings_find(source, buf_text(&name));
	buf_release(&name);
	return found;
}

/*
 * Takes the value of a key from a source; false when it has none. An empty
 * secret is an error: AUTH0_LOG_STREAM_TOKEN=$FORGOTTEN must not open the
 * door to everybody.
 */
static bool
take_value(struct config *c, struct config_entry *entry,
    const struct settings *source, struct buf *problems)
{
	const struct setting *direct = settings_find(source, entry->label);
	const struct setting *from_file = find_file_form(source, entry->label);
	struct config_value *value = &entry->value;

	if (!direct && !from_file)
		return false;
	if (direct && from_file) {
		buf_addf(problems, "%s: %s and %s are both set: keep one\n",
		    from_file->origin, direct->name, from_file->name);
	} else if (direct) {
		value->text = mem_dup(direct->text);
		value->origin = mem_dup(direct->origin);
	} else {
		take_secret_file(c, entry, from_file, problems);
	}
	if (entry->key->secret && !entry->key->shown_dup && value->text &&
	    !*value->text)
		buf_addf(problems, "%s: %s: it is empty: give it a value or "
		    "remove it\n", value->origin, entry->label);
	return true;
}

/* Reads what was taken; the default where there is nothing good. */
static void
use_value(struct config *c, const struct config_entry *entry,
    struct buf *problems)
{
	const struct config_value *value = &entry->value;
	const struct key *key = entry->key;
	struct buf why = BUF_INIT;
	bool good = false;

	if (value->text && *value->text) {
		good = key->read(c, entry, value->text, &why);
		if (!good)
			buf_addf(problems, "%s: %s: %s\n", value->origin,
			    entry->label, buf_text(&why));
	}
	if (!good && key->fallback)
		key->read(c, entry, key->fallback, &why);
	buf_release(&why);
}

/* Gives every entry its value, from the first source that has one. */
static void
read_entries(struct config *c, const struct settings *sources,
    struct buf *problems)
{
	struct config_entry *entry;
	size_t i;

	for (i = 0; i < c->entry_count; i++) {
		entry = &c->entries[i];
		if (!take_value(c, entry, &sources[ENVIRONMENT], problems))
			take_value(c, entry, &sources[FILE_READ], problems);
		use_value(c, entry, problems);
	}
}

/* Reads the file at c->path, if any, and the environment. */
static bool
load(struct config *c, struct buf *problems)
{
	struct settings sources[SOURCES] = { { NULL, 0 }, { NULL, 0 } };
	size_t before = problems->len;

	if (c->path)
		read_config_file(c, &sources[FILE_READ], problems);
	settings_read_environment(&sources[ENVIRONMENT], problems,
	    &c->warnings);
	list_destinations(c, sources, problems);
	list_entries(c);
	read_entries(c, sources, problems);
	find_sharers(c);
	settings_release(&sources[FILE_READ]);
	settings_release(&sources[ENVIRONMENT]);
	return problems->len == before;
}

bool
config_load(struct config *c, struct buf *problems)
{
	memset(c, 0, sizeof(*c));
	c->path = find_path_dup(c);
	return load(c, problems);
}

size_t
config_destination_names(const struct config *c,
    const char *names[DESTINATIONS_MAX])
{
	size_t i, count = 0;

	for (i = 0; i < c->destination_count; i++)
		if (c->destinations[i].webhook_url)
			names[count++] = c->destinations[i].name;
	return count;
}

static bool
can_post(const struct config *c, struct buf *problems)
{
	const char *names[DESTINATIONS_MAX];

	if (config_destination_names(c, names) > 0)
		return true;
	buf_adds(problems, "SLACK_WEBHOOK_URL is not set: give it the "
	    "address of a Slack incoming webhook\n");
	return false;
}

static bool
can_serve(const struct config *c, struct buf *problems)
{
	if (!can_post(c, problems))
		return false;
	if (c->queue || !DOOR_IS_STATIC)
		return true;
	buf_adds(problems, "QUEUE is not set: log-stream-to-slack is linked "
	    "statically and cannot post by itself: give it a queue, such as "
	    QUEUE_EXAMPLE "\n");
	return false;
}

bool
config_load_to_post(struct config *c, struct buf *problems)
{
	return config_load(c, problems) && can_post(c, problems);
}

bool
config_load_to_serve(struct config *c, struct buf *problems)
{
	return config_load(c, problems) && can_serve(c, problems);
}

bool
config_load_copy(struct config *c, const struct buf *copy,
    struct buf *problems)
{
	memset(c, 0, sizeof(*c));
	if (!config_copy_read(c, copy)) {
		config_release(c);
		return config_load_to_serve(c, problems);
	}
	return load(c, problems) && can_serve(c, problems);
}

const struct destination *
config_destination(const struct config *c, const char *name)
{
	const struct destination *d = find_destination(c, name);

	return d && d->webhook_url ? d : NULL;
}

struct queue_options
config_queue_options(const struct config *c, bool settles)
{
	struct queue_options options = { .address = c->queue,
	    .max_waiting = c->queue_max,
	    .destinations = c->destination_count,
	    .on_network = c->queue_on_network, .settles = settles };

	return options;
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
	c->look_at = other->look_at;
}

static void
release_destinations(struct config *c)
{
	size_t i;

	for (i = 0; i < c->destination_count; i++) {
		free(c->destinations[i].name);
		filter_free(c->destinations[i].filter);
	}
	free(c->destinations);
}

static void
release_entries(struct config *c)
{
	size_t i;

	for (i = 0; i < c->entry_count; i++) {
		free(c->entries[i].label);
		free(c->entries[i].value.text);
		free(c->entries[i].value.origin);
	}
	free(c->entries);
}

void
config_release(struct config *c)
{
	size_t i;

	release_destinations(c);
	free(c->queue_shown);
	free(c->dashboard_url);
	free(c->path);
	release_entries(c);
	for (i = 0; i < c->file_count; i++) {
		free(c->files[i].path);
		free(c->files[i].text);
	}
	free(c->files);
	for (i = 0; i < c->stamp_count; i++)
		free(c->stamps[i].path);
	free(c->stamps);
	buf_release(&c->warnings);
	memset(c, 0, sizeof(*c));
}

/* ---------------------------------------------------------- listings */

static void
add_masked(const struct config *c, const struct config_entry *entry,
    struct buf *out)
{
	const char *url = c->destinations[entry->destination].webhook_url;
	char *shown;
	const char *host;
	size_t len;
	unsigned count, shortest;

	if (entry->key->many && c->tokens) {
		count = token_count(c->tokens, &shortest);
		buf_addf(out, "******** (%u token%s)", count,
		    count == 1 ? "" : "s");
	} else if (entry->key->makes_destination && url) {
		host = url_host(url, &len);
		buf_addf(out, "%.*s/********", (int)(host + len - url), url);
	} else if (entry->key->shown_dup) {
		shown = entry->key->shown_dup(entry->value.text);
		log_escape(out, shown, strlen(shown));
		free(shown);
	} else {
		buf_adds(out, "********");
	}
}

/* The value, and where it came from. */
static void
add_value(const struct config *c, const struct config_entry *entry,
    struct buf *out)
{
	const char *text = entry->value.text, *origin = entry->value.origin;

	if (!text || !*text) {
		text = entry->key->fallback;
		origin = text ? "default" : "not set";
		buf_adds(out, text ? text : "");
	} else if (entry->key->secret) {
		add_masked(c, entry, out);
	} else {
		log_escape(out, text, strlen(text));
	}
	buf_addf(out, "    (%s)\n", origin);
}

void
config_describe(const struct config *c, struct buf *out)
{
	const struct config_entry *entry;
	size_t i;

	for (i = 0; i < c->entry_count; i++) {
		entry = &c->entries[i];
		if (i == 0 || entry->key != entry[-1].key)
			buf_addf(out, "# %s\n", entry->key->help);
		buf_addf(out, "%s=", entry->label);
		add_value(c, entry, out);
	}
}

void
config_doubts(const struct config *c, struct buf *out)
{
	const struct config_entry *entry;
	size_t i;

	buf_adds(out, buf_text(&c->warnings));
	for (i = 0; i < c->entry_count; i++) {
		entry = &c->entries[i];
		if (entry->key->doubt)
			entry->key->doubt(c, entry, out);
	}
}

bool
config_reach(const struct config *c, struct buf *problems)
{
	bool good = true;
	size_t i;

	for (i = 0; i < c->stamp_count; i++) {
		if (c->stamps[i].error || access(c->stamps[i].path, R_OK) == 0)
			continue;
		log_escape(problems, c->stamps[i].path,
		    strlen(c->stamps[i].path));
		buf_addf(problems, ": the owner of the queue's directory "
		    "cannot read it: %s\n", strerror(errno));
		good = false;
	}
	return good;
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
