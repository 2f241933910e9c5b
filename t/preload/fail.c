/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into a program under test: memory that is not to be had, and reads
 * and writes that stop short. It counts from main() on, because the loader's
 * own failures are not ours; for strace, main() is marked by a look at a file
 * that is not there. The environment says what is to fail:
 *
 * FAIL_PROGRAM=NAME	in which program; others are left alone
 * FAIL_MALLOC=N	the N-th allocation fails, with FAIL_FOR_GOOD all after
 *			it, too
 * FAIL_SHORT=N		no call reads or writes more bytes than that
 * FAIL_REPORT=FILE	gets a line when an allocation fails, and the number of
 *			them at the end
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK "/main-begins-here"

/* What glibc has below the names that are taken here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

/* What a program's own start calls with its main(). */
typedef int main_function(int argc, char **argv, char **environment);
typedef int start_function(main_function *main_, int argc, char **argv,
    void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
    void *stack_end);
start_function __libc_start_main;

static atomic_long allocations;
static long failing;		/* 0: none */
static int for_good;
static size_t most;		/* bytes of a call; 0: any */
static int report = -1;

static void
tell(const char *what, long number)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %ld\n", what, number);

	if (report >= 0 && syscall(SYS_write, report, line, len) < 0)
		report = -1;
}

/* ------------------------------------------------------------- memory */

static int
fails(void)
{
	long turn;

	if (report < 0)
		return 0;
	turn = atomic_fetch_add(&allocations, 1) + 1;
	if (failing == 0 || turn < failing || (turn > failing && !for_good))
		return 0;
	if (turn == failing)
		tell("failed", turn);
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t bytes)
{
	return fails() ? NULL : __libc_malloc(bytes);
}

void *
calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : __libc_calloc(count, bytes);
}

void *
realloc(void *old, size_t bytes)
{
	return fails() ? NULL : __libc_realloc(old, bytes);
}

/* ---------------------------------------------------- reads and writes */

static size_t
cut(size_t bytes)
{
	return most > 0 && bytes > most ? most : bytes;
}

ssize_t
read(int fd, void *to, size_t bytes)
{
	return syscall(SYS_read, fd, to, cut(bytes));
}

ssize_t
write(int fd, const void *from, size_t bytes)
{
	return syscall(SYS_write, fd, from, cut(bytes));
}

/* A place in a file, as a system call takes it. */
#if LONG_MAX > 0x7fffffff
#define PLACE(at) (at)
#elif defined(__arm__)
#define PLACE(at) 0, __LONG_LONG_PAIR((long)((at) >> 32), (long)(at))
#else
#define PLACE(at) __LONG_LONG_PAIR((long)((at) >> 32), (long)(at))
#endif

ssize_t
pread64(int fd, void *to, size_t bytes, off64_t at)
{
	return syscall(SYS_pread64, fd, to, cut(bytes), PLACE(at));
}

ssize_t
pwrite64(int fd, const void *from, size_t bytes, off64_t at)
{
	return syscall(SYS_pwrite64, fd, from, cut(bytes), PLACE(at));
}

ssize_t
recv(int fd, void *to, size_t bytes, int flags)
{
	return syscall(SYS_recvfrom, fd, to, cut(bytes), flags, NULL, NULL);
}

ssize_t
send(int fd, const void *from, size_t bytes, int flags)
{
	return syscall(SYS_sendto, fd, from, cut(bytes), flags, NULL, 0);
}

/* --------------------------------------------------------------- main */

static long
number(const char *name)
{
	const char *text = getenv(name);

	return text ? atol(text) : 0;
}

static void
begin(void)
{
	const char *program = getenv("FAIL_PROGRAM");
	const char *file = getenv("FAIL_REPORT");

	if (!program || strcmp(program, program_invocation_short_name) != 0)
		return;
	failing = number("FAIL_MALLOC");
	for_good = number("FAIL_FOR_GOOD") != 0;
	most = (size_t)number("FAIL_SHORT");
	if (file)
		report = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		    0600);
	if (report >= 0)	/* out of the way of what is closed or counted */
		report = fcntl(report, F_DUPFD_CLOEXEC, 900);
}

static main_function *real_main;

static int
main_begins(int argc, char **argv, char **environment)
{
	int status;

	begin();
	if (access(MARK, F_OK) == 0)
		tell("there is a file " MARK, 0);
	status = real_main(argc, argv, environment);
	tell("allocations", atomic_load(&allocations));
	return status;
}

int
__libc_start_main(main_function *main_, int argc, char **argv,
    void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
    void *stack_end)
{
	void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
	start_function *start;

	memcpy(&start, &symbol, sizeof(start));
	real_main = main_;
	return start(main_begins, argc, argv, init, fini, rtld_fini,
	    stack_end);
}
