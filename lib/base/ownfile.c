/* SPDX-License-Identifier: ISC */
/* Files made for the owner of their directory. */
#include "base/ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *
ownfile_directory_dup(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct buf directory = BUF_INIT;

	if (slash)
		buf_add(&directory, path, (size_t)(slash - path) + 1);
	else
		buf_adds(&directory, ".");
	return buf_detach(&directory);
}

/* False when there is no such directory. */
static bool
find_directory(const char *path, struct stat *st)
{
	char *directory = ownfile_directory_dup(path);
	bool found = stat(directory, st) == 0;

	free(directory);
	return found;
}

/* Should that fail the file stays root's, which is no worse than before. */
static void
give_to_owner(int fd, const char *path)
{
	struct stat st;

	if (find_directory(path, &st) && st.st_uid != 0 &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		errno = 0;
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

/* With the groups that the user has, so that it can read what it may. */
static bool
become(uid_t user, gid_t group)
{
	const struct passwd *entry = getpwuid(user);

	if (entry)
		group = entry->pw_gid;
	return (entry ? initgroups(entry->pw_name, group) :
	    setgroups(0, NULL)) == 0 && setgid(group) == 0 &&
	    setuid(user) == 0;
}

bool
ownfile_become_owner(const char *path, struct buf *why)
{
	struct stat st;

	if (geteuid() != 0 || !find_directory(path, &st) || st.st_uid == 0 ||
	    become(st.st_uid, st.st_gid))
		return true;
	buf_addf(why, "%s: root cannot become the owner of its directory: %s",
	    path, strerror(errno));
	return false;
}
