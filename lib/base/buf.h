/* SPDX-License-Identifier: ISC */
/*
 * Growable text, and the memory it stands on.
 *
 * Out of memory ends the process with exit status 71 and a line in the log:
 * the web server starts another, and Auth0 sends again.
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * data is NUL-terminated whenever len > 0 and may hold NUL bytes before
 * that; on an empty buffer it may be NULL, and buf_text() then gives "".
 * BUF_INIT and a buffer filled with zero bytes are both empty and valid.
 */
struct buf {
	char *data;
	size_t len;
	size_t size;
};

#define BUF_INIT { NULL, 0, 0 }

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#else
#define PRINTF_LIKE(fmt, args)
#define NORETURN
#endif

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list args)
    PRINTF_LIKE(2, 0);

/* Adds n with its thousands separated by commas: 1,234,567. */
void buf_add_count(struct buf *b, unsigned long long n);

/* Makes the buffer empty and keeps its memory for the next use. */
void buf_clear(struct buf *b);

/* The text, never NULL; valid until the buffer is next changed. */
const char *buf_text(const struct buf *b);

/* Gives the text away; the caller frees it. The buffer is then empty. */
char *buf_detach(struct buf *b);

void buf_release(struct buf *b);

/* Writes it all to a descriptor; false, with errno set, when it cannot. */
bool write_all(int fd, const char *bytes, size_t len);

/* Like their namesakes, but they never return NULL. The caller frees. */
void *mem_alloc(size_t bytes);
void *mem_realloc(void *old, size_t bytes);
char *mem_dup(const char *text);

/* What they do instead: says so in the log and ends the process. See log.c. */
NORETURN void mem_exhausted(void);

#endif
