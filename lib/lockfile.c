/* SPDX-License-Identifier: ISC */
/* Locks on files. It does not know what is locked. */
#include "lockfile.h"

#include "ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file, for a lock that nobody shares. */
static const struct flock whole = {
	.l_type = F_WRLCK,
	.l_whence = SEEK_SET,
};

int
lockfile_take(const char *path)
{
	int fd = ownfile_open(path, O_RDWR, 0600);
	struct flock lock = whole;
	int error;

	if (fd < 0)
		return -1;
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		/* Not emptied first: who dies in between has left something
		 * to do. On a full disk it is a lock without the mark. */
		if (pwrite(fd, "held\n", 5, 0) != 5 ||
		    ftruncate(fd, 5) < 0 || fsync(fd) < 0)
			errno = 0;
		return fd;
	}
	error = errno == EACCES || errno == EAGAIN ? 0 : errno;
	close(fd);
	errno = error;
	return -1;
}

bool
lockfile_is_lost(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) < 0 || lstat(path, &theirs) < 0 ||
	    ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino;
}

void
lockfile_leave(int fd, bool done)
{
	/* A file that cannot be emptied makes somebody look for work. */
	if (done && ftruncate(fd, 0) < 0)
		errno = 0;
	close(fd);
}

enum lockfile_state
lockfile_look(const char *path, pid_t *pid)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	enum lockfile_state state = LOCKFILE_FREE;
	struct flock lock = whole;
	struct stat st;

	if (fd < 0)
		return LOCKFILE_FREE;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
		state = LOCKFILE_HELD;
		if (pid)
			*pid = lock.l_pid;
	} else if (fstat(fd, &st) == 0 && st.st_size > 0) {
		state = LOCKFILE_ABANDONED;
	}
	close(fd);
	return state;
}
