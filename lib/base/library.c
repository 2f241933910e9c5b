/* SPDX-License-Identifier: ISC */
/* Loading shared libraries. It knows none of them. */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

static void
explain(const struct library *library, const char *what, const char *name,
    struct buf *why)
{
	buf_addf(why, "%s cannot be loaded: install %s: %s%s",
	    library->soname, library->advice, what, name);
}

static bool
find_functions(const struct library *library, void *handle, void *table,
    struct buf *why)
{
	const struct library_function *wanted;
	void *function;
	size_t i;

	for (i = 0; i < library->count; i++) {
		wanted = &library->functions[i];
		function = dlsym(handle, wanted->name);
		if (!function) {
			explain(library, "it has no ", wanted->name, why);
			return false;
		}
		/* ISO C has no conversion, POSIX has the same form. */
		memcpy((char *)table + wanted->offset, &function,
		    sizeof(function));
	}
	return true;
}

/*
 * RTLD_NOW: what it lacks in its turn is an error here, and not the end of
 * the process later. It is never closed, because it and its libraries
 * leave handlers for the exit, and perhaps threads.
 */
bool
library_load(const struct library *library, void *table, struct buf *why)
{
	void *handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);

	if (handle)
		return find_functions(library, handle, table, why);
	explain(library, dlerror(), "", why);
	return false;
}
