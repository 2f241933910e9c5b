/* SPDX-License-Identifier: ISC */
/*
 * Configuration from process to process. It knows which members of it hold
 * what was read, and no key.
 *
 * A copy is a line with the version, then records: a line of a word and
 * numbers, and the bytes that these announce.
 */
#include "config/config_copy.h"

#include "base/clock.h"
#include "config/envfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "log-stream-to-slack configuration " VERSION "\n"
#define END "end\n"
/* The file, and two secrets of each destination in a file of their own. */
#define COPY_MAX ((size_t)ENVFILE_MAX * (2 * DESTINATIONS_MAX + 4))

/* ------------------------------------------------------------- writing */

static void
write_stamp(const struct config_stamp *stamp, struct buf *out)
{
	const struct stat *st = &stamp->stat;

	buf_addf(out, "stamp %zu %d %ju %ju %jd %ju %jd %ld %jd %ld\n",
	    strlen(stamp->path), stamp->error, (uintmax_t)st->st_dev,
	    (uintmax_t)st->st_ino, (intmax_t)st->st_size,
	    (uintmax_t)st->st_mode, (intmax_t)st->st_mtim.tv_sec,
	    st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec,
	    st->st_ctim.tv_nsec);
	buf_adds(out, stamp->path);
}

void
config_copy_write(const struct config *c, struct buf *out)
{
	const struct config_file *file;
	int64_t left;
	size_t i;

	buf_adds(out, HEAD);
	if (c->path)
		buf_addf(out, "path %zu\n%s", strlen(c->path), c->path);
	for (i = 0; i < c->file_count; i++) {
		file = &c->files[i];
		buf_addf(out, "file %zu %zu\n", strlen(file->path),
		    strlen(file->text));
		buf_adds(out, file->path);
		buf_adds(out, file->text);
	}
	for (i = 0; i < c->stamp_count; i++)
		write_stamp(&c->stamps[i], out);
	left = c->look_at - clock_ms();
	if (c->look_at > 0)
		buf_addf(out, "look %" PRId64 "\n", left > 0 ? left : 0);
	buf_adds(out, END);
}

int
config_copy_open(const struct config *c)
{
#ifdef HAVE_MEMFD_CREATE
	int fd = memfd_create("configuration", MFD_CLOEXEC);
	struct buf copy = BUF_INIT;

	config_copy_write(c, &copy);
	if (fd >= 0 && (fchmod(fd, 0600) < 0 ||
	    !write_all(fd, copy.data, copy.len) ||
	    lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		fd = -1;
	}
	buf_release(&copy);
	return fd;
#else
	(void)c;
	return -1;
#endif
}

/* ------------------------------------------------------------- reading */

bool
config_copy_slurp(int fd, struct buf *copy, struct buf *why)
{
	char part[4096];
	struct stat st;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0) {
		buf_adds(why, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & 077) {
		buf_adds(why, "it is not a private file of this user");
		return false;
	}
	while (copy->len <= COPY_MAX && (n = read(fd, part, sizeof(part))) > 0)
		buf_add(copy, part, (size_t)n);
	if (n < 0)
		buf_adds(why, strerror(errno));
	else if (copy->len > COPY_MAX)
		buf_adds(why, "it is too long");
	return n == 0;
}

/* What of a copy has not been read. */
struct rest {
	const char *at, *end;
};

/* The next len bytes as a text, to be freed; NULL when they are not there. */
static char *
text_dup(struct rest *rest, size_t len)
{
	char *text;

	if (len > (size_t)(rest->end - rest->at) ||
	    memchr(rest->at, '\0', len))
		return NULL;
	text = mem_alloc(len + 1);
	memcpy(text, rest->at, len);
	text[len] = '\0';
	rest->at += len;
	return text;
}

static bool
read_path(struct config *c, const char *line, struct rest *rest)
{
	size_t len;

	if (c->path || sscanf(line, "path %zu", &len) != 1)
		return false;
	c->path = text_dup(rest, len);
	return c->path != NULL;
}

static bool
read_file(struct config *c, const char *line, struct rest *rest)
{
	size_t path_len, text_len;
	char *path, *text = NULL;

	if (sscanf(line, "file %zu %zu", &path_len, &text_len) != 2)
		return false;
	path = text_dup(rest, path_len);
	if (path)
		text = text_dup(rest, text_len);
	if (text)
		config_file_add(c, path, text);
	free(path);
	free(text);
	return text != NULL;
}

static bool
read_stamp(struct config *c, const char *line, struct rest *rest)
{
	uintmax_t dev, ino, mode;
	intmax_t size, changed, touched;
	struct config_stamp *stamp;
	long changed_ns, touched_ns;
	size_t len;
	char *path;
	int error;

	if (sscanf(line, "stamp %zu %d %ju %ju %jd %ju %jd %ld %jd %ld", &len,
	    &error, &dev, &ino, &size, &mode, &changed, &changed_ns, &touched,
	    &touched_ns) != 10)
		return false;
	path = text_dup(rest, len);
	if (!path)
		return false;
	stamp = config_stamp_add(c, path);
	stamp->error = error;
	stamp->stat.st_dev = (dev_t)dev;
	stamp->stat.st_ino = (ino_t)ino;
	stamp->stat.st_size = (off_t)size;
	stamp->stat.st_mode = (mode_t)mode;
	stamp->stat.st_mtim.tv_sec = (time_t)changed;
	stamp->stat.st_mtim.tv_nsec = changed_ns;
	stamp->stat.st_ctim.tv_sec = (time_t)touched;
	stamp->stat.st_ctim.tv_nsec = touched_ns;
	free(path);
	return true;
}

static bool
read_look(struct config *c, const char *line, struct rest *rest)
{
	int64_t ms;

	(void)rest;
	if (sscanf(line, "look %" SCNd64, &ms) != 1 || ms < 0 ||
	    ms > CONFIG_SETTLE_MS)
		return false;
	config_look_in(c, ms);
	return true;
}

static bool (*const records[])(struct config *c, const char *line,
    struct rest *rest) = {
	read_path, read_file, read_stamp, read_look,
};

static bool
read_record(struct config *c, const char *line, struct rest *rest)
{
	size_t i;

	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		if (records[i](c, line, rest))
			return true;
	return false;
}

/* The line at rest, which is then behind it, to be freed; NULL: none. */
static char *
line_dup(struct rest *rest)
{
	const char *end = memchr(rest->at, '\n',
	    (size_t)(rest->end - rest->at));

	return end ? text_dup(rest, (size_t)(end + 1 - rest->at)) : NULL;
}

bool
config_copy_read(struct config *c, const struct buf *copy)
{
	struct rest rest = { copy->data, copy->data + copy->len };
	bool good = true, ended = false;
	char *line;

	c->copied = true;
	if (copy->len < strlen(HEAD) ||
	    memcmp(copy->data, HEAD, strlen(HEAD)) != 0)
		return false;
	rest.at += strlen(HEAD);
	while (good && !ended && (line = line_dup(&rest)) != NULL) {
		ended = strcmp(line, END) == 0;
		good = ended || read_record(c, line, &rest);
		free(line);
	}
	return good && ended && rest.at == rest.end;
}
