/* SPDX-License-Identifier: ISC */
/*
 * Files that the programs make for themselves. What root makes, running
 * log-stream-ctl by hand, belongs to the owner of its directory: else the
 * web server's user could not use it afterwards.
 */
#ifndef OWNFILE_H
#define OWNFILE_H

#include "base/buf.h"

#include <stdbool.h>
#include <sys/types.h>

/* The directory that path is in; the caller frees it. */
char *ownfile_directory_dup(const char *path);

/*
 * As open(2), with O_CREAT, O_CLOEXEC and O_NOFOLLOW: no program started
 * from here has it, and no link is followed. A new file gets just this
 * mode, whatever the umask.
 */
int ownfile_open(const char *path, int flags, mode_t mode);

/*
 * Root becomes the owner of the directory that path is in, for good.
 * Returns false, with *why, when that fails; true for everybody else.
 */
bool ownfile_become_owner(const char *path, struct buf *why);

#endif
