/* SPDX-License-Identifier: ISC */
/* Locks on files. It does not know what is locked. */
#include "base/lockfile.h"

#include "base/clock.h"
#include "base/ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_MAX 1000		/* bytes of a note that are read */

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
		if (ftruncate(fd, 0) < 0)
			errno = 0; /* an old note does no harm */
		lockfile_sign(fd);
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

/* The last access is when somebody looked, and is unknown after a sign. */
void
lockfile_sign(int fd)
{
	static const struct timespec times[2] = { { 0, 0 },
	    { 0, UTIME_NOW } };

	if (futimens(fd, times) < 0)
		errno = 0;
}

void
lockfile_sign_note(int fd, const char *note)
{
	if (ftruncate(fd, 0) < 0 || pwrite(fd, note, strlen(note), 0) < 0)
		errno = 0;
	lockfile_sign(fd);
}

/* For who does not hold the lock; -1: there is no such file. */
static int
open_beside(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* A time ahead of the clock is one of before the clock was set back. */
static int64_t
age_ms(const struct timespec *time)
{
	int64_t then = (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
	int64_t age = clock_wall_ms() - then;

	return age < 0 ? -age : age;
}

struct lockfile_state
lockfile_look(const char *path)
{
	struct lockfile_state state = { 0, INT64_MAX, INT64_MAX };
	int fd = open_beside(path, O_RDWR);
	struct flock lock = whole;
	struct stat st;

	if (fd < 0)
		return state;
	if (fstat(fd, &st) == 0) {
		state.silent_ms = age_ms(&st.st_mtim);
		state.looked_ms = age_ms(&st.st_atim);
	}
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		state.pid = lock.l_pid > 0 ? lock.l_pid : -1;
	close(fd);
	return state;
}

void
lockfile_note(const char *path, const char *note)
{
	int fd = ownfile_open(path, O_RDWR, 0600);

	if (fd < 0)
		return;
	if (ftruncate(fd, 0) < 0 || pwrite(fd, note, strlen(note), 0) < 0)
		errno = 0;
	close(fd);
}

void
lockfile_read_note(const char *path, struct buf *note)
{
	int fd = open_beside(path, O_RDONLY);
	char text[NOTE_MAX];
	ssize_t len;

	if (fd < 0)
		return;
	len = read(fd, text, sizeof(text));
	/* Older versions of this program put a line here, as a mark. */
	if (len > 0 && !memchr(text, '\n', (size_t)len))
		buf_add(note, text, (size_t)len);
	close(fd);
}

void
lockfile_stamp(const char *path)
{
	static const struct timespec times[2] = { { 0, UTIME_NOW },
	    { 0, UTIME_OMIT } };
	int fd = ownfile_open(path, O_RDWR, 0600);

	if (fd < 0)
		return;
	if (futimens(fd, times) < 0)
		errno = 0;
	close(fd);
}
