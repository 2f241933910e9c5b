/* SPDX-License-Identifier: ISC */
/*
 * Files of KEY=value lines, as systemd's EnvironmentFile has them, and
 * small files that hold one secret. It knows no key.
 *
 * A value may stand in single quotes, or in double ones with \ before one
 * of " \ $ `; a backslash has to. White space around it does not count;
 * neither do lines that are blank or begin with # or ;. A value is one
 * line, and # within it is a part of it: systemd and docker --env-file read
 * it so, and the same file has to mean the same to them. What .env files
 * are elsewhere (dotenv, shells) ends a value there, so that is warned of.
 */
#ifndef ENVFILE_H
#define ENVFILE_H

#include "base/buf.h"

#include <stdbool.h>
#include <sys/types.h>

#define ENVFILE_MAX 65536	/* bytes of such a file */

/*
 * Adds the text of a regular file to *text, without a NUL byte in it and
 * with a byte order mark left out, and sets *owner to whose file that was.
 * Returns false and adds "path: reason" to *why when that cannot be done.
 */
bool envfile_slurp(const char *path, struct buf *text, uid_t *owner,
    struct buf *why);

/* Whether bit is in the file's mode: with S_IROTH, all users may read it. */
bool envfile_has_mode(const char *path, mode_t bit);

/*
 * Gets one setting: name, value, and its origin, "path:line", the path as
 * log_escape() has it. Adds to *why what is wrong with it, or nothing.
 */
typedef void envfile_take(void *context, const char *name, const char *value,
    const char *origin, struct buf *why);

/*
 * Gives each setting of text, which came from the file at path, to take.
 * Adds "path:line: what is wrong", a line each, to *problems, and what is
 * right but most likely not meant to *warnings.
 */
void envfile_read(const char *path, const char *text, envfile_take *take,
    void *context, struct buf *problems, struct buf *warnings);

/* Whether a value, not in quotes, has what looks like a comment in it. */
bool envfile_has_comment(const char *value, size_t len);

#endif
