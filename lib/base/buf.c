/* SPDX-License-Identifier: ISC */
/* Growable text. It knows nothing of what is written into it. */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *
mem_realloc(void *old, size_t bytes)
{
	void *memory = realloc(old, bytes ? bytes : 1);

	if (!memory)
		mem_exhausted();
	return memory;
}

void *
mem_alloc(size_t bytes)
{
	return mem_realloc(NULL, bytes);
}

char *
mem_dup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(mem_alloc(size), text, size);
}

static void
reserve(struct buf *b, size_t more)
{
	size_t need;

	if (more >= (size_t)-1 / 2 - b->len)
		mem_exhausted();
	need = b->len + more + 1;
	if (need <= b->size)
		return;
	b->size = need < 64 ? 64 : need + need / 2;
	b->data = mem_realloc(b->data, b->size);
}

void
buf_add(struct buf *b, const void *bytes, size_t len)
{
	reserve(b, len);
	if (len > 0)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_adds(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_vaddf(struct buf *b, const char *fmt, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		return;
	reserve(b, (size_t)len);
	vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
	b->len += (size_t)len;
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vaddf(b, fmt, args);
	va_end(args);
}

void
buf_add_count(struct buf *b, unsigned long long n)
{
	if (n >= 1000) {
		buf_add_count(b, n / 1000);
		buf_addf(b, ",%03llu", n % 1000);
	} else {
		buf_addf(b, "%llu", n);
	}
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

const char *
buf_text(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *
buf_detach(struct buf *b)
{
	char *text = b->data ? b->data : mem_dup("");

	b->data = NULL;
	b->len = b->size = 0;
	return text;
}

void
buf_release(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->size = 0;
}

bool
write_all(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	for (; len > 0; bytes += n, len -= (size_t)n) {
		n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

