/* SPDX-License-Identifier: ISC */
/* Locks of one process among others: children of this program. */
#include "base/lockfile.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
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

/* 0: nobody holds it, 1: the parent does, 2: somebody else. */
static int
look_elsewhere(const char *path)
{
	pid_t pid = lockfile_look(path).pid;

	return pid == 0 ? 0 : pid == getppid() ? 1 : 2;
}

static void
test_take(void)
{
	struct stat st;
	int fd;

	umask(0);
	ok(lockfile_look("none").pid == 0 &&
	    lockfile_look("none").silent_ms == INT64_MAX,
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
	is_num(in_child(look_elsewhere, "lock"), 1,
	    "another sees it held, and by whom");
	is_num(in_child(take_elsewhere, "lock"), 1,
	    "that others looked and tried does not let go of it");
	close(fd);
	is_num(in_child(look_elsewhere, "lock"), 0, "closed, it is free");
	is_num(size_of("lock"), 0, "and the file stays, empty");
}

/* Sets the file's time to so long before now. */
static void
age_file(const char *path, long seconds)
{
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds;
	times[1] = times[0];
	utimensat(AT_FDCWD, path, times, 0);
}

static bool
is_about(int64_t ms, int64_t want)
{
	return ms >= want && ms < want + 5000;
}

static void
test_signs(void)
{
	int fd;

	lockfile_stamp("signs");
	ok(is_about(lockfile_look("signs").looked_ms, 0),
	    "a stamp makes the file, and counts from now");
	age_file("signs", 100);
	ok(is_about(lockfile_look("signs").looked_ms, 100000),
	    "a look is as long ago as the last stamp is old");
	lockfile_stamp("signs");
	ok(is_about(lockfile_look("signs").silent_ms, 100000),
	    "a stamp is no sign of life");
	ok(is_about(lockfile_look("signs").silent_ms, 100000),
	    "the silence is as long as the last sign is old");
	age_file("signs", -100);
	ok(is_about(lockfile_look("signs").silent_ms, 99000),
	    "a sign that is ahead of the clock is not one of now");
	age_file("signs", 100);
	fd = lockfile_take("signs");
	ok(is_about(lockfile_look("signs").silent_ms, 0),
	    "to take the lock is a sign of life");
	close(fd);
	fd = lockfile_take("signs");
	age_file("signs", 100);
	lockfile_sign(fd);
	ok(is_about(lockfile_look("signs").silent_ms, 0),
	    "the holder gives one when it likes");
	ok(lockfile_look("signs").looked_ms > 1000000,
	    "after which no look counts");
	close(fd);
}

static void
test_notes(void)
{
	struct buf note = BUF_INIT;
	int fd;

	lockfile_read_note("notes", &note);
	is_str(buf_text(&note), "", "without a file there is no note");
	lockfile_note("notes", "the first and long one");
	lockfile_note("notes", "the second");
	lockfile_read_note("notes", &note);
	is_str(buf_text(&note), "the second", "a note replaces the last one");
	close(lockfile_take("notes"));
	buf_clear(&note);
	lockfile_read_note("notes", &note);
	is_str(buf_text(&note), "", "who takes the lock takes it away");
	fd = open("notes", O_WRONLY);
	ok(write(fd, "held\n", 5) == 5, "an older version leaves its mark");
	close(fd);
	lockfile_read_note("notes", &note);
	is_str(buf_text(&note), "", "which is no note");
	lockfile_note("missing/notes", "a note");
	lockfile_read_note("missing/notes", &note);
	is_str(buf_text(&note), "", "where there can be no file there is none");
	buf_release(&note);
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
	pid_t child = holder_start("killed");

	is_num(lockfile_look("killed").pid, child,
	    "the lock of a child is held by the child");
	errno = EIO;
	ok(lockfile_take("killed") == -1 && errno == 0,
	    "and not to be had by its parent");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	is_num(lockfile_look("killed").pid, 0,
	    "a lock whose owner was killed is free");
	is_num(in_child(take_elsewhere, "killed"), 0, "to be taken");
}

/* A lock belongs to the process, not to a child that has it open as well. */
static void
test_fork(void)
{
	int fd = lockfile_take("forked");

	is_num(in_child(look_elsewhere, "forked"), 1,
	    "a child is not the owner");
	is_num(in_child(look_elsewhere, "forked"), 1,
	    "and its end lets go of nothing");
	close(fd);
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
		is_num(lockfile_look(places[i].path).pid, 0,
		    "... and nobody holds it");
		lockfile_stamp(places[i].path);
	}
	is_num(size_of("target"), -1, "no link was followed");
}

int
main(void)
{
	scratch_enter();
	test_take();
	test_signs();
	test_notes();
	test_killed();
	test_fork();
	test_places();
	return done_testing();
}
