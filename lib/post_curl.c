/* SPDX-License-Identifier: ISC */
/* libcurl, loaded. It knows its functions' names, and calls none of them. */
#include "post_curl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LIBCURL_PLACE(name) { "curl_" #name, offsetof(struct libcurl, name) },

static const struct {
	const char *name;
	size_t offset;		/* of its pointer in struct libcurl */
} functions[] = {
	LIBCURL_FUNCTIONS(LIBCURL_PLACE)
};

#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static void
explain(struct buf *why, const char *what, const char *name)
{
	buf_addf(why, "%s cannot be loaded: install libcurl 7.66.0 or newer "
	    "(Debian's libcurl4): %s%s", LIBCURL_SONAME, what, name);
}

static bool
find_functions(void *library, struct libcurl *found, struct buf *why)
{
	void *function;
	size_t i;

	for (i = 0; i < FUNCTIONS; i++) {
		function = dlsym(library, functions[i].name);
		if (!function) {
			explain(why, "it has no ", functions[i].name);
			return false;
		}
		/* ISO C has no conversion, POSIX has the same form. */
		memcpy((char *)found + functions[i].offset, &function,
		    sizeof(function));
	}
	return true;
}

/*
 * RTLD_NOW: what it lacks in its turn is an error here, and not the end of
 * the process in the middle of a post. It is never closed, because it and
 * its libraries leave handlers for the exit, and perhaps threads.
 */
const struct libcurl *
libcurl_load(struct buf *why)
{
	static struct libcurl libcurl;
	static bool loaded;
	void *library;

	if (loaded)
		return &libcurl;
	library = dlopen(LIBCURL_SONAME, RTLD_NOW | RTLD_LOCAL);
	if (library)
		loaded = find_functions(library, &libcurl, why);
	else
		explain(why, dlerror(), "");
	return loaded ? &libcurl : NULL;
}
