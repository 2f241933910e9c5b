/* SPDX-License-Identifier: ISC */
/* Other processes, by /proc (proc(5)). */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "123 (name) S ...": a name may hold anything, and is cut at 15 bytes. */
static bool
runs_worker(const char *stat)
{
	static const char wanted[] = "(" WORKER_PROGRAM ") ";
	const char *name = strchr(stat, '(');

	return name && strncmp(name, wanted, strlen(wanted)) == 0 &&
	    !strchr("ZXx", name[strlen(wanted)]);
}

bool
process_is_worker(pid_t pid)
{
	char path[64], text[128];
	ssize_t len;
	int fd;

	if (pid <= 1)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return access("/proc/self/stat", R_OK) < 0 &&
		    (kill(pid, 0) == 0 || errno == EPERM);
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return runs_worker(text);
}
