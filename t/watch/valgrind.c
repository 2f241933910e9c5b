/* SPDX-License-Identifier: ISC */
/*
 * A program with this in it runs itself by valgrind, whoever started it with
 * whatever environment; what is found goes to a file in REPORTS. It knows
 * nothing of the program.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64

static const char already[] = "RUN_BY_VALGRIND";

static void become_valgrind(int argc, char **argv)
    __attribute__((constructor));

/* The number of this process stays what it was, which its children's is not. */
static int
is_run_by_valgrind(const char *number)
{
	const char *value = getenv(already);

	return value && strcmp(value, number) == 0;
}

/*
 * glibc gives main's arguments to what is called before it. What is in a
 * buffer for standard output would be written by a child that leaves by
 * _exit() too, if valgrind had the C library free what it has.
 */
static void
become_valgrind(int argc, char **argv)
{
	static char valgrind[] = "valgrind", quiet[] = "-q",
	    gdb[] = "--vgdb=no", keep[] = "--run-libc-freeres=no",
	    leaks[] = "--leak-check=full",
	    kinds[] = "--errors-for-leak-kinds=definite",
	    shown[] = "--show-leak-kinds=definite",
	    known[] = "--suppressions=" REPORTS "/valgrind.supp",
	    status[] = "--error-exitcode=99";
	static char log[PATH_MAX], self[PATH_MAX];
	char *own[ARGUMENTS_MAX] = { valgrind, quiet, gdb, keep, leaks, kinds,
	    shown, known, status, log, self };
	int i, count = 11;
	char number[32];
	struct timespec now;

	snprintf(number, sizeof(number), "%ld", (long)getpid());
	if (is_run_by_valgrind(number)) {
		unsetenv(already);
		return;
	}
	/* Numbers come again, so the time is in the name too. */
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(log, sizeof(log), "--log-file=%s/%ld.%09ld.%%p", REPORTS,
	    (long)now.tv_sec, now.tv_nsec);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		abort();
	for (i = 1; i < argc && count < ARGUMENTS_MAX - 1; i++)
		own[count++] = argv[i];
	setenv(already, number, 1);
	execvp(valgrind, own);
	abort();
}
