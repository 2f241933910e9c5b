/* SPDX-License-Identifier: ISC */
/*
 * start COUNT BODY (CONFIGURATION PROGRAM)...: each program so many times, in
 * turn, with the file BODY to read, as a web server starts CGI programs;
 * prints for each the median time from fork to exit, in microseconds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
become(const char *body, const char *configuration, const char *program)
{
	int in = open(body, O_RDONLY);
	int out = open("/dev/null", O_WRONLY);

	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0)
		_exit(126);
	close(in);
	close(out);
	setenv("LOG_STREAM_CONFIG", configuration, 1);
	execl(program, program, (char *)NULL);
	_exit(127);
}

/* Exits when the program does not end well. */
static long
time_us(const char *body, const char *configuration, const char *program)
{
	struct timespec begin, end;
	int status;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	pid = fork();
	if (pid == 0)
		become(body, configuration, program);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "start: %s failed\n", program);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - begin.tv_sec) * 1000000 +
	    (end.tv_nsec - begin.tv_nsec) / 1000;
}

static int
compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	size_t count, programs, i, k;
	long *us;

	if (argc < 5 || argc % 2 == 0)
		return 2;
	count = strtoul(argv[1], NULL, 10);
	programs = (size_t)(argc - 3) / 2;
	us = calloc(count * programs, sizeof(*us));
	if (count == 0 || !us)
		return 2;
	for (i = 0; i < count; i++)
		for (k = 0; k < programs; k++)
			us[k * count + i] = time_us(argv[2], argv[3 + 2 * k],
			    argv[4 + 2 * k]);
	for (k = 0; k < programs; k++) {
		qsort(us + k * count, count, sizeof(*us), compare);
		printf("%ld\n", us[k * count + count / 2]);
	}
	free(us);
	return 0;
}
