/* SPDX-License-Identifier: ISC */
/* Locks of one process among others: children of this program. */
#include "lockfile.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (int64_t)st.st_size;
}

/* The exit status of a child that runs this; it ends without tidying up. */
static int
in_child(int (*run)(const char *path), const char *path)
{
	pid_t child = fork();
	int status = -1;

	if (child < 0)
		abort();
	if (child == 0)
		_exit(run(path));
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What another process finds: 0 it took the lock, 1 held, 2 an error. */
static int
take_elsewhere(const char *path)
{
	errno = EIO;
	if (lockfile_take(path) >= 0)
		return 0;
	return errno == 0 ? 1 : 2;
}

static int
look_elsewhere(const char *path)
{
	return (int)lockfile_look(path, NULL);
}

static int
parent_elsewhere(const char *path)
{
	pid_t pid = 0;

	return lockfile_look(path, &pid) == LOCKFILE_HELD && pid == getppid();
}

static void
test_take(void)
{
	pid_t pid = 77;
	struct stat st;
	int fd;

	umask(0);
	ok(lockfile_look("none", &pid) == LOCKFILE_FREE && pid == 77,
	    "where there is no file nobody holds the lock");
	is_num(size_of("none"), -1, "looking makes none");
	fd = lockfile_take("lock");
	ok(fd >= 0, "a lock is taken");
	ok(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600,
	    "its file is nobody else's");
	ok((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
	    "no program that is started has it open");
	is_num(in_child(take_elsewhere, "lock"), 1,
	    "no other process gets it, and errno is 0");
	is_num(in_child(look_elsewhere, "lock"), LOCKFILE_HELD,
	    "another sees it held");
	is_num(in_child(parent_elsewhere, "lock"), 1, "and by whom");
	is_num(in_child(take_elsewhere, "lock"), 1,
	    "that others looked and tried does not let go of it");
	lockfile_leave(fd, true);
	is_num(in_child(look_elsewhere, "lock"), LOCKFILE_FREE,
	    "left with nothing to do it is free");
	is_num(size_of("lock"), 0, "and the file stays, empty");
	ok(fcntl(fd, F_GETFD) < 0, "the descriptor is closed");
}

static void
test_abandon(void)
{
	pid_t pid = 77;
	int fd;

	fd = lockfile_take("abandoned");
	lockfile_leave(fd, false);
	ok(lockfile_look("abandoned", &pid) == LOCKFILE_ABANDONED &&
	    pid == 77, "left with something to do it is abandoned");
	fd = lockfile_take("abandoned");
	ok(fd >= 0, "which keeps nobody from taking it");
	is_num(in_child(look_elsewhere, "abandoned"), LOCKFILE_HELD,
	    "it is held then");
	lockfile_leave(fd, true);
	is_num(lockfile_look("abandoned", NULL), LOCKFILE_FREE,
	    "and abandoned no longer when all is done");
	is_num(in_child(take_elsewhere, "abandoned"), 0,
	    "a process takes it and ends");
	is_num(lockfile_look("abandoned", NULL), LOCKFILE_ABANDONED,
	    "and did not say that it was done");
}

/* A child takes the lock, says so, and stays until it is killed. */
static pid_t
holder_start(const char *path)
{
	int ends[2];
	char byte;
	pid_t child;

	if (pipe(ends) < 0 || (child = fork()) < 0)
		abort();
	if (child == 0) {
		if (lockfile_take(path) < 0 || write(ends[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		abort();
	close(ends[0]);
	return child;
}

static void
test_killed(void)
{
	pid_t pid = 0, child = holder_start("killed");

	ok(lockfile_look("killed", &pid) == LOCKFILE_HELD && pid == child,
	    "the lock of a child is held by the child");
	errno = EIO;
	ok(lockfile_take("killed") == -1 && errno == 0,
	    "and not to be had by its parent");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	is_num(lockfile_look("killed", NULL), LOCKFILE_ABANDONED,
	    "a lock whose owner was killed is abandoned");
	is_num(in_child(take_elsewhere, "killed"), 0, "and free to be taken");
}

/* A lock belongs to the process, not to a child that has it open as well. */
static void
test_fork(void)
{
	int fd = lockfile_take("forked");

	is_num(in_child(look_elsewhere, "forked"), LOCKFILE_HELD,
	    "a child is not the owner");
	is_num(in_child(look_elsewhere, "forked"), LOCKFILE_HELD,
	    "and its end lets go of nothing");
	lockfile_leave(fd, true);
}

static const struct {
	const char *path;
	int error;
	const char *title;
} places[] = {
	{ "missing/lock", ENOENT, "in a directory that is not there" },
	{ "directory", EISDIR, "on a directory" },
	{ "link", ELOOP, "through a symbolic link" },
	{ "", ENOENT, "without a name" },
};

static void
test_places(void)
{
	size_t i;

	if (mkdir("directory", 0700) < 0 || symlink("target", "link") < 0)
		abort();
	for (i = 0; i < ROWS(places); i++) {
		errno = 0;
		is_num(lockfile_take(places[i].path), -1, "there is no lock "
		    "%s", places[i].title);
		is_num(errno, places[i].error, "... and errno says why");
		is_num(lockfile_look(places[i].path, NULL), LOCKFILE_FREE,
		    "... and nobody holds it");
	}
	is_num(size_of("target"), -1, "no link was followed");
}

int
main(void)
{
	scratch_enter();
	test_take();
	test_abandon();
	test_killed();
	test_fork();
	test_places();
	return done_testing();
}
