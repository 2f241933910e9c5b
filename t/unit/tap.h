/* SPDX-License-Identifier: ISC */
/*
 * What the unit programs share: the Test Anything Protocol on standard
 * output, files to read and write, and the log caught as text.
 */
#ifndef TAP_H
#define TAP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/*
 * A test each: the title says what holds when it passes. They return
 * whether it did. is_str() compares word for word, and NULL with NULL.
 */
bool ok(bool good, const char *title, ...) PRINTF_LIKE(2, 3);
bool is_str(const char *got, const char *want, const char *title, ...)
    PRINTF_LIKE(3, 4);
bool is_num(long long got, long long want, const char *title, ...)
    PRINTF_LIKE(3, 4);

/* A test left out, and why. */
void skip(const char *title, const char *reason);

/* A remark for whoever reads the output. */
void diag(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Ends the output; returns what main() is to return. */
int done_testing(void);

/* From now on each line of the log is added to *lines, with a line end. */
void log_catch(struct buf *lines);

/*
 * The path of a file of the source tree, under the directory that the
 * environment names as top_srcdir, or else the one we are in. Valid until
 * the next call.
 */
const char *source_path(const char *name);

/* Adds a file's bytes to *bytes. The program ends when that fails. */
void file_read(const char *path, struct buf *bytes);
void file_write(const char *path, const void *bytes, size_t len, mode_t mode);

/*
 * Makes a directory that is removed, with all in it, when the program
 * ends, and goes there. Returns its path, valid until then.
 */
const char *scratch_enter(void);

/*
 * Makes the next text of len letters, the first of which is the first of
 * all; false behind the last.
 */
bool next_text(char *text, const char *letters, size_t len);

#endif
