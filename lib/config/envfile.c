/* SPDX-License-Identifier: ISC */
/* Files of KEY=value lines. It knows no key and no meaning. */
#include "config/envfile.h"

#include "base/log.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIGNS ASCII_ALNUM "_"
#define BOM "\xEF\xBB\xBF" /* some editors begin a file with it */

/* The reason why fd cannot be read to its end; NULL when it was. */
static const char *
read_all(int fd, struct buf *text, struct stat *info)
{
	char part[4096];
	ssize_t n;

	if (fstat(fd, info) < 0)
		return strerror(errno);
	if (!S_ISREG(info->st_mode))
		return "it is not a file";
	while ((n = read(fd, part, sizeof(part))) > 0) {
		if (memchr(part, '\0', (size_t)n))
			return "it holds a NUL byte";
		buf_add(text, part, (size_t)n);
		if (text->len > ENVFILE_MAX)
			return "it is longer than 64 KiB";
	}
	return n < 0 ? strerror(errno) : NULL;
}

bool
envfile_slurp(const char *path, struct buf *text, uid_t *owner,
    struct buf *why)
{
	struct buf whole = BUF_INIT;
	struct stat info = { 0 };
	const char *reason, *begin;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	reason = fd < 0 ? strerror(errno) : read_all(fd, &whole, &info);
	if (fd >= 0)
		close(fd);
	*owner = info.st_uid;
	begin = buf_text(&whole);
	if (strncmp(begin, BOM, strlen(BOM)) == 0)
		begin += strlen(BOM);
	if (reason) {
		log_escape(why, path, strlen(path));
		buf_addf(why, ": cannot be read: %s", reason);
	} else {
		buf_adds(text, begin);
	}
	buf_release(&whole);
	return !reason;
}

bool
envfile_has_mode(const char *path, mode_t bit)
{
	struct stat info;

	return stat(path, &info) == 0 && (info.st_mode & bit) != 0;
}

/* What stands in quotes; the closing one must end the line. */
static void
unquote(const char *value, size_t len, struct buf *text, struct buf *why)
{
	char quote = value[0];
	size_t i;

	for (i = 1; i < len && value[i] != quote; i++) {
		if (quote == '"' && value[i] == '\\' && i + 1 < len &&
		    strchr("\"\\$`", value[i + 1]))
			i++;
		buf_addc(text, value[i]);
	}
	if (i >= len)
		buf_adds(why, "the closing quote is missing");
	else if (i + 1 < len)
		buf_adds(why, "there is text after the closing quote");
}

static void
read_value(const char *value, size_t len, struct buf *text, struct buf *why)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F) {
			buf_adds(why, "it holds a control character");
			return;
		}
	if (len > 0 && (value[0] == '"' || value[0] == '\''))
		unquote(value, len, text, why);
	else if (memchr(value, '\\', len)) /* systemd would take it away */
		buf_adds(why, "it holds a backslash: put it in single quotes");
	else
		buf_add(text, value, len);
}

static size_t
trim(const char **text, size_t len)
{
	while (len > 0 && strchr(" \t\r", (*text)[0]))
		(*text)++, len--;
	while (len > 0 && strchr(" \t\r", (*text)[len - 1]))
		len--;
	return len;
}

bool
envfile_has_comment(const char *value, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (value[i] == '#' && (i == 0 || strchr(" \t", value[i - 1])))
			return true;
	return false;
}

/* Where the settings of a file go. */
struct taker {
	envfile_take *take;
	void *context;
	struct buf *warnings;
};

/* Reads a line that is KEY=value; what is wrong goes to *why. */
static void
read_setting(const char *line, size_t len, const char *origin,
    const struct taker *taker, struct buf *why)
{
	struct buf name = BUF_INIT, value = BUF_INIT, reason = BUF_INIT;
	size_t name_len = strspn(line, NAME_SIGNS);
	const char *rest = line + name_len + 1;

	if (name_len == 0 || name_len >= len || line[name_len] != '=') {
		/* The line is not quoted: it may be half a secret. */
		buf_adds(why, "the line is not KEY=value");
		return;
	}
	buf_add(&name, line, name_len);
	len = trim(&rest, len - name_len - 1);
	read_value(rest, len, &value, &reason);
	if (reason.len > 0)
		buf_addf(why, "%s: %s", buf_text(&name), buf_text(&reason));
	else
		taker->take(taker->context, buf_text(&name), buf_text(&value),
		    origin, why);
	if (why->len == 0 && envfile_has_comment(rest, len) &&
	    !strchr("'\"", rest[0]))
		buf_addf(taker->warnings, "%s: %s: the # and what follows it "
		    "are part of the value: write the comment on a line of "
		    "its own, or the value in quotes if it has a #\n", origin,
		    buf_text(&name));
	buf_release(&name);
	buf_release(&value);
	buf_release(&reason);
}

void
envfile_read(const char *path, const char *text, envfile_take *take,
    void *context, struct buf *problems, struct buf *warnings)
{
	struct taker taker = { take, context, warnings };
	struct buf name = BUF_INIT, origin = BUF_INIT, why = BUF_INIT;
	const char *line;
	unsigned number;
	size_t len;

	log_escape(&name, path, strlen(path));
	for (number = 1; *text; number++) {
		line = text;
		len = strcspn(text, "\n");
		text += len + (text[len] == '\n');
		len = trim(&line, len);
		if (len == 0 || *line == '#' || *line == ';')
			continue;
		buf_clear(&origin);
		buf_clear(&why);
		buf_addf(&origin, "%s:%u", buf_text(&name), number);
		read_setting(line, len, buf_text(&origin), &taker, &why);
		if (why.len > 0)
			buf_addf(problems, "%s: %s\n", buf_text(&origin),
			    buf_text(&why));
	}
	buf_release(&name);
	buf_release(&origin);
	buf_release(&why);
}
