/* SPDX-License-Identifier: ISC */
/* libpq, loaded. It knows its functions' names, and calls none of them. */
#include "queue/pgsql/queue_pq.h"

#include "base/library.h"

#define PLACE(name) { "PQ" #name, offsetof(struct libpq, name) },

static const struct library_function functions[] = {
	LIBPQ_FUNCTIONS(PLACE)
};

static const struct library library = {
	.soname = LIBPQ_SONAME,
	.advice = "libpq (Debian's libpq5)",
	.functions = functions,
	.count = sizeof(functions) / sizeof(functions[0]),
};

const struct libpq *
libpq_load(struct buf *why)
{
	static struct libpq libpq;
	static bool loaded;

	if (!loaded)
		loaded = library_load(&library, &libpq, why);
	return loaded ? &libpq : NULL;
}
