/* SPDX-License-Identifier: ISC */
/*
 * Configuration: KEY=value from one file and from the environment, which
 * wins. Every key is a row of one table in key.c.
 *
 * The file is the one that LOG_STREAM_CONFIG names; else the first there
 * is of .env in the working directory, .config/log-stream-to-slack.conf
 * in the home of the process's owner (from the user database: suEXEC
 * leaves no HOME), and log-stream-to-slack.conf in $sysconfdir.
 *
 * Its form is described in envfile.h.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/buf.h"
#include "base/log.h"
#include "event/filter.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum { CONFIG_KEYS = 16 };
enum { DESTINATIONS_MAX = 32 };		/* "default" is one of them */
enum { DESTINATION_NAME_MAX = 32 };	/* characters */

#define DESTINATION_DEFAULT "default"	/* of the keys without a name */

struct key;
struct queue_options;

/* One key's text and where it came from; both NULL for one not given. */
struct config_value {
	char *text;
	char *origin;
};

/* A key in the order of listing; one of a destination for each of them. */
struct config_entry {
	const struct key *key;
	size_t destination;	/* index of it; 0 where it does not matter */
	char *label;		/* how people write it: "FILTER_ops" */
	struct config_value value;
};

/* A file as it was read. */
struct config_file {
	char *path;
	char *text;
};

/* A file that was looked for, as it was then. */
struct config_stamp {
	char *path;
	int error;		/* errno of looking for it; 0: it is there */
	struct stat stat;
};

/* A Slack channel and what it wants to know. */
struct destination {
	char *name;		/* "default", or what follows the key's _ */
	const char *webhook_url; /* NULL: none; only "default" may have none */
	struct filter *filter;
	/*
	 * Destinations with one webhook address share its rate limit: that
	 * of the first of them by name, in the order of strcmp(). This is
	 * the index of that one, or the destination's own.
	 */
	size_t shares;
};

/* All memory belongs to the structure; values are texts of its entries. */
struct config {
	struct destination *destinations; /* "default", then by name */
	size_t destination_count;
	const char *tokens;	/* one a line; NULL: everyone may post */
	unsigned show;		/* of enum slack_show */
	const char *queue;	/* its address; NULL: no queue */
	char *queue_shown;	/* the same without a password */
	bool queue_on_network;	/* it may be on a network file system */
	int64_t slack_interval_ms;
	int64_t slack_timeout_ms;
	int64_t slack_retry_max_ms;
	int64_t digest_after;	/* events; 0: never */
	int64_t retention_ms;
	int64_t queue_max;	/* events */
	int64_t max_body;	/* bytes */
	char *dashboard_url;	/* without a slash at its end */
	bool syslog;
	const char *log_file;	/* absolute path; NULL: none */
	enum log_level log_level;

	char *path;		/* of the file read; NULL: none */
	struct config_entry *entries;
	size_t entry_count;
	struct config_file *files;
	size_t file_count;
	struct config_stamp *stamps;
	size_t stamp_count;
	int64_t look_at;	/* when config_changed() is true at the latest,
				 * by clock_ms(); 0: only after a change */
	bool copied;		/* from another process: config_copy.h */
	/* What is most likely not meant: "place: what", a line each. */
	struct buf warnings;
};

/* The most dangerous of all warnings. */
#define CONFIG_OPEN "AUTH0_LOG_STREAM_TOKEN is not set: whoever finds the " \
	"address may post"

/* A file that is younger may be half written. */
enum { CONFIG_SETTLE_MS = 2000 };

/*
 * Reads the configuration into *c. Returns false and adds each thing that
 * is wrong to *problems, as "file:line: what" on a line of its own; no
 * secret is in it. Either way *c is whole, with defaults where a value
 * could not be used, and config_release() is owed.
 */
bool config_load(struct config *c, struct buf *problems);

/* The same for a program that posts: that there is no webhook is wrong. */
bool config_load_to_post(struct config *c, struct buf *problems);

/*
 * The same for the door, and for the worker that must agree with it: where
 * the door is linked statically (configure --enable-static-door) it cannot
 * post, and that there is no queue is wrong.
 */
bool config_load_to_serve(struct config *c, struct buf *problems);

/*
 * Fills names, borrowed from c, with those of the destinations that have a
 * webhook, and returns how many they are.
 */
size_t config_destination_names(const struct config *c,
    const char *names[DESTINATIONS_MAX]);

/*
 * The destination of that name, borrowed from c; NULL when there is none,
 * or when it has no webhook.
 */
const struct destination *config_destination(const struct config *c,
    const char *name);

/* For queue_open(); its text is borrowed from c. settles: see there. */
struct queue_options config_queue_options(const struct config *c,
    bool settles);

/*
 * The same for a configuration out of a process that has it in force
 * (config_copy.h). Where the copy cannot be used the files are read.
 */
bool config_load_copy(struct config *c, const struct buf *copy,
    struct buf *problems);

/*
 * Whether what was read is all there. False when a file is younger than
 * CONFIG_SETTLE_MS and its last line has no end, or nothing gives a token
 * and needs_token: it may be half written. The reason is added to
 * *problems; config_changed() is true when the file is old enough.
 */
bool config_is_settled(struct config *c, bool needs_token,
    struct buf *problems);

/* Whether a file that config_load read or looked for is another now. */
bool config_files_changed(const struct config *c);

/* The same, or whether it is time to look again: see config_look_in(). */
bool config_changed(const struct config *c);

/* Makes config_changed() true in so many milliseconds. */
void config_look_in(struct config *c, int64_t ms);

/*
 * Makes c mind the files that other minds, as they were then, and the time
 * when to look again: a bad new configuration that is not used is thus
 * complained about once.
 */
void config_adopt_stamps(struct config *c, struct config *other);

/* Adds every key: help, value with secrets masked, where it came from. */
void config_describe(const struct config *c, struct buf *out);

/* Adds a line for each thing that is allowed but unwise, warnings first. */
void config_doubts(const struct config *c, struct buf *out);

/*
 * Whether the user that we are by now may read the files that were read;
 * adds a line to *problems for each that it may not.
 */
bool config_reach(const struct config *c, struct buf *problems);

/* Adds a line a file that was looked for. */
void config_files(const struct config *c, struct buf *out);

void config_release(struct config *c);

/*
 * For config_copy.c: adds a file that was read, and one that was looked
 * for, whose stamp, all zero but the path, is for the caller to fill in.
 */
void config_file_add(struct config *c, const char *path, const char *text);
struct config_stamp *config_stamp_add(struct config *c, const char *path);

#endif
