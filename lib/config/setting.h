/* SPDX-License-Identifier: ISC */
/*
 * What one source, a file or the environment, says of the keys. It knows
 * what their names can look like, and what none of them means.
 */
#ifndef SETTING_H
#define SETTING_H

#include "base/buf.h"
#include "config/key.h"

#include <stdbool.h>
#include <stddef.h>

/* A key as a source has it: SLACK_WEBHOOK_URL_ops_FILE. */
struct key_use {
	const struct key *key;
	char destination[DESTINATION_NAME_MAX + 1]; /* "default" for none */
	bool from_file;		/* the text names a file with the value */
};

struct setting {
	struct key_use use;
	char *name;	/* as it stands there: "SLACK_WEBHOOK_URL_ops_FILE" */
	char *text;
	char *origin;	/* "path:line" or "environment" */
};

/* Each name once. All zero is empty; settings_release() frees it all. */
struct settings {
	struct setting *list;
	size_t count;
};

/*
 * Adds what text, which came from the file at path, says. What is wrong
 * goes to *problems, as "path:line: what", a line each, and what is most
 * likely not meant to *warnings.
 */
void settings_read_file(struct settings *s, const char *path,
    const char *text, struct buf *problems, struct buf *warnings);

/*
 * Adds the variables that are keys. One that is none is a problem where its
 * name begins AUTH0_LOG: the token may be meant, and without it everyone
 * may post. One that begins SLACK_WEBHOOK, FILTER_ or LOG_STREAM_ may be
 * another program's, and is a warning. Others do not count.
 */
void settings_read_environment(struct settings *s, struct buf *problems,
    struct buf *warnings);

/* The setting of exactly that name; NULL: none. Borrowed. */
const struct setting *settings_find(const struct settings *s,
    const char *name);

void settings_release(struct settings *s);

#endif
