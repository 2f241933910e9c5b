/* SPDX-License-Identifier: ISC */
/*
 * One process of a kind at a time, by a lock on a file (POSIX fcntl(2)).
 * The system lets go of it when the process ends, however it ends. The
 * file stays, and is not empty when its last owner died, or left with
 * something to do.
 */
#ifndef LOCKFILE_H
#define LOCKFILE_H

#include <stdbool.h>
#include <sys/types.h>

enum lockfile_state { LOCKFILE_FREE, LOCKFILE_ABANDONED, LOCKFILE_HELD };

/*
 * Returns a descriptor as long as which is open the lock is held; -1 when
 * another process holds it (errno is 0) or there can be no such file
 * (errno says why). The process must not open the file again meanwhile:
 * closing it anywhere would let go of the lock.
 */
int lockfile_take(const char *path);

/*
 * Whether the file was moved away or replaced, so that others lock another
 * one.
 */
bool lockfile_is_lost(int fd, const char *path);

/* Lets go, and closes the descriptor; done: nothing is left to do. */
void lockfile_leave(int fd, bool done);

/* Who holds it; *pid, which may be NULL, is set with LOCKFILE_HELD. */
enum lockfile_state lockfile_look(const char *path, pid_t *pid);

#endif
