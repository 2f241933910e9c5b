/* SPDX-License-Identifier: ISC */
/*
 * Configuration: KEY=value from one file and from the environment, which
 * wins. Every key is a row of one table in config.c.
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

#include "buf.h"
#include "filter.h"
#include "log.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum { CONFIG_KEYS = 9 };

/* One key's text and where it came from; both NULL for one not given. */
struct config_value {
	char *text;
	char *origin;
};

/* A file that was looked for, as it was then. */
struct config_stamp {
	char *path;
	int error;		/* errno of looking for it; 0: it is there */
	struct stat stat;
};

/* All memory belongs to the structure. */
struct config {
	char *webhook_url;	/* NULL when not given */
	char *tokens;		/* one a line; NULL: everyone may post */
	struct filter *filter;
	unsigned show;		/* of enum slack_show */
	int64_t slack_timeout_ms;
	int64_t max_body;	/* bytes */
	char *dashboard_url;	/* without a slash at its end */
	bool syslog;
	enum log_level log_level;

	char *path;		/* of the file read; NULL: none */
	struct config_value values[CONFIG_KEYS];
	struct config_stamp *stamps;
	size_t stamp_count;
};

/*
 * Reads the configuration into *c. Returns false and adds each thing that
 * is wrong to *problems, as "file:line: what" on a line of its own; no
 * secret is in it. Either way *c is whole, with defaults where a value
 * could not be used, and config_release() is owed.
 */
bool config_load(struct config *c, struct buf *problems);

/* The same for a program that posts: that there is no webhook is wrong. */
bool config_load_to_post(struct config *c, struct buf *problems);

/* Whether a file that config_load read or looked for is another now. */
bool config_changed(const struct config *c);

/*
 * Makes c mind the files that other minds, as they were then: a bad new
 * configuration that is not used is thus complained about once.
 */
void config_adopt_stamps(struct config *c, struct config *other);

/* Adds every key: help, value with secrets masked, where it came from. */
void config_describe(const struct config *c, struct buf *out);

/* Adds a line for each thing that is allowed but unwise. */
void config_doubts(const struct config *c, struct buf *out);

/* Adds a line a file that was looked for. */
void config_files(const struct config *c, struct buf *out);

void config_release(struct config *c);

#endif
