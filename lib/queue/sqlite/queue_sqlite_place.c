/* SPDX-License-Identifier: ISC */
/*
 * Where the queue's file may lie: on a disk of this machine, and where
 * nobody but its user can put a file in its place. Who may write to the
 * directory owns the queue: a journal that is put there is played back into
 * the file (SQLite, "Atomic Commit", hot journals).
 */
#include "queue/sqlite/queue_sqlite.h"

#include "base/ownfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_SYS_VFS_H
#include <sys/vfs.h>
#endif

/* ------------------------------------------------------------- network */

#ifdef HAVE_SYS_VFS_H
/* File systems of other machines: statfs(2), f_type. */
static const struct {
	unsigned long type;
	const char *name;
} networks[] = {
	{ 0x6969, "NFS" },
	{ 0xff534d42, "CIFS" },
	{ 0xfe534d42, "SMB" },
	{ 0x517b, "SMB" },
	{ 0x5346414f, "AFS" },
	{ 0x6b414653, "AFS" },
	{ 0x73757245, "Coda" },
	{ 0x00c36400, "Ceph" },
	{ 0x0bd00bd0, "Lustre" },
	{ 0x01021997, "9P" },
};

const char *
store_network(const char *path)
{
	char *directory = ownfile_directory_dup(path);
	struct statfs fs;
	size_t i;
	int got;

	got = statfs(directory, &fs);
	free(directory);
	if (got < 0)
		return NULL;
	for (i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if (((unsigned long)fs.f_type & 0xffffffffUL) ==
		    networks[i].type)
			return networks[i].name;
	return NULL;
}
#else
const char *
store_network(const char *path)
{
	(void)path;
	return NULL;
}
#endif

/* --------------------------------------------------------------- owner */

/*
 * Another user than ours and root is a stranger. Root works for the owner
 * of the directory, and gives that user what it makes.
 */
static bool
is_stranger(uid_t owner, const struct stat *directory)
{
	uid_t self = geteuid();

	return owner != 0 && owner != self &&
	    !(self == 0 && owner == directory->st_uid);
}

/* The file, and what SQLite and we put beside it. */
static const char *const endings[] = {
	"", "-journal", "-wal", "-shm", "-turn", "-worker"
};

static bool
check_one_file(const char *path, const struct stat *directory,
    struct buf *why)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return true; /* to be made */
	if (!S_ISREG(st.st_mode))
		buf_addf(why, "%s: is not a regular file%s", path,
		    S_ISLNK(st.st_mode) ? " but a link: name the file itself"
		    : "");
	else if (is_stranger(st.st_uid, directory))
		buf_addf(why, "%s: belongs to another user, number %lu: %s",
		    path, (unsigned long)st.st_uid, geteuid() == 0 ?
		    "give that user its directory, or run this as that user"
		    : "run chown on it");
	else if (st.st_mode & S_IRWXO)
		buf_addf(why, "%s: every user of this machine may read or "
		    "write it: run chmod o-rwx on it", path);
	else
		return true;
	return false;
}

/*
 * SQLite gives what it makes beside the file the mode that the file has then.
 * Made while nobody might write to that, it would outlive the mend of it. Where
 * it cannot be changed SQLite tells of it.
 */
static void
follow_mode(const char *path, const char *file)
{
	const mode_t own = S_IRUSR | S_IWUSR;
	struct stat whole, st;

	if (lstat(path, &whole) == 0 && (whole.st_mode & own) == own &&
	    lstat(file, &st) == 0 && (st.st_mode & own) != own)
		(void)!chmod(file, (st.st_mode & 07777) | own);
}

static bool
check_files(const char *path, const struct stat *directory, struct buf *why)
{
	struct buf file = BUF_INIT;
	bool good = true;
	size_t i;

	for (i = 0; i < sizeof(endings) / sizeof(endings[0]) && good; i++) {
		buf_clear(&file);
		buf_addf(&file, "%s%s", path, endings[i]);
		good = check_one_file(file.data, directory, why);
		if (good && i > 0)
			follow_mode(path, file.data);
	}
	buf_release(&file);
	return good;
}

/* Whoever may write there can put a lock or a journal beside the file. */
static bool
check_directory(const char *path, const struct stat *st, struct buf *why)
{
	if (st->st_mode & S_IWOTH)
		buf_addf(why, "%s: every user of this machine may write to "
		    "its directory: give it one of its own", path);
	else if (geteuid() != 0 && is_stranger(st->st_uid, st))
		buf_addf(why, "%s: its directory belongs to another user, "
		    "number %lu: give it one of its own", path,
		    (unsigned long)st->st_uid);
	else
		return true;
	return false;
}

/*
 * An empty file is a database to SQLite; made here, nobody else reads it.
 * One that is there is not opened: closing it would let go of the locks
 * that this process has on it (SQLite, "How To Corrupt", section 2.2).
 */
static bool
make_file(const char *path, struct buf *why)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0)
		return true;
	fd = ownfile_open(path, O_RDWR, 0600);
	if (fd >= 0) {
		close(fd);
		return true;
	}
	buf_addf(why, "%s: cannot be opened: %s: make its directory, "
	    "writable for the user of this program", path, strerror(errno));
	return false;
}

bool
store_check_place(const char *path, const char *network, bool on_network,
    struct buf *why)
{
	char *directory = ownfile_directory_dup(path);
	struct stat st;
	bool found = stat(directory, &st) == 0;

	free(directory);
	if (found && !check_directory(path, &st, why))
		return false;
	if (network && !on_network) {
		buf_addf(why, "%s: lies on a network file system, %s, where "
		    "locks and syncs may not hold: put it on a local disk, "
		    "or insist with QUEUE_ON_NETWORK=yes", path, network);
		return false;
	}
	return (!found || check_files(path, &st, why)) &&
	    make_file(path, why);
}
