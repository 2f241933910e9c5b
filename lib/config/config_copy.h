/* SPDX-License-Identifier: ISC */
/*
 * A configuration in force, for another process: the texts of the files as
 * they were read, so that a worker has the very one of the receiver that
 * starts it, even when a file has since become bad. It holds secrets, and
 * goes by a descriptor: never by arguments, environment or disk.
 */
#ifndef CONFIG_COPY_H
#define CONFIG_COPY_H

#include "base/buf.h"
#include "config/config.h"

#include <stdbool.h>

/*
 * A copy of c, in memory that only this user can read; closed by an exec.
 * Returns -1 where the system has no such memory.
 */
int config_copy_open(const struct config *c);

/*
 * Adds the bytes behind a descriptor that config_copy_open() made, which
 * may be inherited, to *copy. Returns false and adds the reason to *why
 * when it is no file, or another user owns it or may open it.
 */
bool config_copy_slurp(int fd, struct buf *copy, struct buf *why);

/*
 * Fills in the path, the files and the stamps of *c, which must be all
 * zero: for config_load_copy(). Returns false when the copy is not one that
 * this version of the program made; *c is then to be released.
 */
bool config_copy_read(struct config *c, const struct buf *copy);

/* Adds the copy's bytes to *out. */
void config_copy_write(const struct config *c, struct buf *out);

#endif
