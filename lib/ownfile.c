/* SPDX-License-Identifier: ISC */
/* Files made for the owner of their directory. */
#include "ownfile.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Should that fail the file stays root's, which is no worse than before. */
static void
give_to_owner(int fd, const char *path)
{
	char *directory = mem_dup(path), *slash = strrchr(directory, '/');
	struct stat st;

	if (slash)
		slash[1] = '\0';
	if (stat(slash ? directory : ".", &st) == 0 && st.st_uid != 0 &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		errno = 0;
	free(directory);
}

/* umask(2) may have taken what we need, and differs between programs. */
static void
settle_file(int fd, const char *path, mode_t mode)
{
	if (fchmod(fd, mode) < 0)
		errno = 0;
	if (geteuid() == 0)
		give_to_owner(fd, path);
}

int
ownfile_open(const char *path, int flags, mode_t mode)
{
	int fd;

	flags |= O_CLOEXEC | O_NOFOLLOW;
	fd = open(path, flags);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(path, flags | O_CREAT | O_EXCL, mode);
	if (fd < 0 && errno == EEXIST) /* another process was quicker */
		return open(path, flags);
	if (fd >= 0)
		settle_file(fd, path, mode);
	return fd;
}
