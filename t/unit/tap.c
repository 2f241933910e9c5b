/* SPDX-License-Identifier: ISC */
/* TAP, files and the caught log. It knows nothing of what is tested. */
#include "tap.h"

#include "base/log.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned run, failed;
static char scratch[] = "/dev/shm/log-stream-unit.XXXXXX";

/* --------------------------------------------------------------- TAP */

/* A comment, each line of it behind a #; control bytes are escaped. */
static void
print_comment(const char *label, const char *text)
{
	struct buf line = BUF_INIT;
	size_t len;

	do {
		len = strcspn(text, "\n");
		buf_clear(&line);
		log_escape(&line, text, len);
		printf("# %s%s\n", label, buf_text(&line));
		text += len + (text[len] == '\n');
	} while (*text);
	buf_release(&line);
}

void
diag(const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	print_comment("", buf_text(&text));
	buf_release(&text);
}

/* A # in a title would begin a directive such as TODO. */
static void
print_title(const char *title)
{
	for (; *title; title++) {
		if (*title == '#' || *title == '\\')
			putchar('\\');
		putchar((unsigned char)*title < ' ' ? ' ' : *title);
	}
}

PRINTF_LIKE(2, 0) static void
print_test(bool good, const char *title, va_list args)
{
	struct buf text = BUF_INIT;

	run++;
	failed += !good;
	buf_vaddf(&text, title, args);
	printf("%sok %u - ", good ? "" : "not ", run);
	print_title(buf_text(&text));
	putchar('\n');
	buf_release(&text);
}

bool
ok(bool good, const char *title, ...)
{
	va_list args;

	va_start(args, title);
	print_test(good, title, args);
	va_end(args);
	return good;
}

bool
is_str(const char *got, const char *want, const char *title, ...)
{
	bool good = got && want ? strcmp(got, want) == 0 : got == want;
	va_list args;

	va_start(args, title);
	print_test(good, title, args);
	va_end(args);
	if (!good) {
		print_comment("     got: ", got ? got : "NULL");
		print_comment("expected: ", want ? want : "NULL");
	}
	return good;
}

bool
is_num(long long got, long long want, const char *title, ...)
{
	va_list args;

	va_start(args, title);
	print_test(got == want, title, args);
	va_end(args);
	if (got != want) {
		printf("#      got: %lld\n", got);
		printf("# expected: %lld\n", want);
	}
	return got == want;
}

void
skip(const char *title, const char *reason)
{
	printf("ok %u - ", ++run);
	print_title(title);
	printf(" # SKIP %s\n", reason);
}

int
done_testing(void)
{
	printf("1..%u\n", run);
	if (failed > 0)
		printf("# failed %u of %u\n", failed, run);
	return failed > 0;
}

/* --------------------------------------------------------------- log */

static void
catch_line(void *context, const char *line, size_t len)
{
	struct buf *lines = context;

	buf_add(lines, line, len);
	buf_addc(lines, '\n');
}

void
log_catch(struct buf *lines)
{
	log_to(catch_line, lines);
}

/* ------------------------------------------------------------- files */

NORETURN static void
give_up(const char *what)
{
	perror(what);
	printf("Bail out! %s\n", what);
	exit(1);
}

const char *
source_path(const char *name)
{
	static char path[4096];
	const char *top = getenv("top_srcdir");

	snprintf(path, sizeof(path), "%s/%s", top && *top ? top : ".", name);
	return path;
}

void
file_read(const char *path, struct buf *bytes)
{
	char part[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		give_up(path);
	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_add(bytes, part, (size_t)n);
	if (n < 0)
		give_up(path);
	close(fd);
}

void
file_write(const char *path, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || fchmod(fd, mode) < 0)
		give_up(path);
	if (write(fd, bytes, len) != (ssize_t)len || close(fd) < 0)
		give_up(path);
}

static int
remove_entry(const char *path, const struct stat *info, int type,
    struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

static pid_t owner;

static void
remove_scratch(void)
{
	if (getpid() != owner) /* a child that could not go on */
		return;
	if (chdir("/") < 0 ||
	    nftw(scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS) < 0)
		perror(scratch);
}

const char *
scratch_enter(void)
{
	/* In memory: the disk's own slowness is no part of a unit test. */
	if (access("/dev/shm", W_OK) < 0)
		strcpy(scratch, "/tmp/log-stream-unit.XXXXXX");
	if (!mkdtemp(scratch))
		give_up(scratch);
	owner = getpid();
	atexit(remove_scratch);
	if (chdir(scratch) < 0)
		give_up(scratch);
	return scratch;
}

bool
next_text(char *text, const char *letters, size_t len)
{
	const char *letter;
	size_t i;

	for (i = 0; i < len; i++) {
		letter = strchr(letters, text[i]);
		text[i] = letter ? letter[1] : '\0';
		if (text[i])
			return true;
		text[i] = letters[0];
	}
	return false;
}
