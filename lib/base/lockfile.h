/* SPDX-License-Identifier: ISC */
/*
 * One process of a kind at a time, by a lock on a file (POSIX fcntl(2)).
 * The system lets go of it when the process ends, however it ends. The file
 * stays. Its time of modification is the last sign of life of the process
 * that holds the lock; its text is a note for people.
 */
#ifndef LOCKFILE_H
#define LOCKFILE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Returns a descriptor as long as which is open the lock is held; -1 when
 * another process holds it (errno is 0) or there can be no such file
 * (errno says why). It takes a note away, and is a sign of life. The process
 * must not open the file again meanwhile: closing it anywhere would let go
 * of the lock.
 */
int lockfile_take(const char *path);

/*
 * Whether the file was moved away or replaced, so that others lock another
 * one.
 */
bool lockfile_is_lost(int fd, const char *path);

/* A sign of life of the process that holds the lock, and its own note. */
void lockfile_sign(int fd);
void lockfile_sign_note(int fd, const char *note);

/* What can be seen of a lock from outside. */
struct lockfile_state {
	pid_t pid;		/* that holds it; 0: none does. -1: one that
				 * cannot be seen from here */
	int64_t silent_ms;	/* since the last sign of life */
	int64_t looked_ms;	/* since lockfile_stamp(), or longer where
				 * there was a sign of life since */
};				/* both INT64_MAX: there is no file */

/* Not for the holder, which would lose the lock. */
struct lockfile_state lockfile_look(const char *path);

/*
 * For others than the holder: a note for people, which replaces one that is
 * there, and what it says now, which is added to *note. Neither makes a
 * file that cannot be had an error: nothing depends on it.
 */
void lockfile_note(const char *path, const char *note);
void lockfile_read_note(const char *path, struct buf *note);

/*
 * Makes looked_ms count from now, and the file if there is none. It is kept
 * as the time of the last access, which nobody needs for anything else.
 */
void lockfile_stamp(const char *path);

#endif
