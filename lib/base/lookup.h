/* SPDX-License-Identifier: ISC */
/*
 * The addresses of a host name, within a time. getaddrinfo(3) waits for as
 * long as the name servers and the modules of the C library make it, and
 * cannot be interrupted: each name is looked up in a thread of its own. A
 * thread that is no longer waited for goes on alone, and frees what it has
 * when it ends.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lookup;

enum lookup_result {
	LOOKUP_LATE,	/* no answer yet */
	LOOKUP_FAILED,	/* see lookup_error() */
	LOOKUP_DONE
};

/* Begins to look up a name, which is copied. */
struct lookup *lookup_begin(const char *name);

/* Waits until end_ms, by clock_ms(). May be called again after LOOKUP_LATE. */
enum lookup_result lookup_wait(struct lookup *l, int64_t end_ms);

/* After LOOKUP_DONE: how many addresses there are, and each of them as text,
 * which is valid as long as l is. */
size_t lookup_count(const struct lookup *l);
const char *lookup_address(const struct lookup *l, size_t i);

/* After LOOKUP_FAILED: what is wrong. */
const char *lookup_error(const struct lookup *l);

/* Waits for nothing. Takes NULL too. */
void lookup_free(struct lookup *l);

/* Whether the text is an address, which needs no looking up. */
bool lookup_is_address(const char *text);

#endif
