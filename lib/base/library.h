/* SPDX-License-Identifier: ISC */
/*
 * A shared library that is loaded when it is needed: what most requests do
 * without is not to slow the start of all of them.
 */
#ifndef LIBRARY_H
#define LIBRARY_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct library_function {
	const char *name;
	size_t offset;		/* of its pointer in the table */
};

struct library {
	const char *soname;	/* as a program linked to it names it */
	const char *advice;	/* what to install */
	const struct library_function *functions;
	size_t count;
};

/*
 * Loads the library, which stays until the process ends, and puts pointers
 * to its functions into table. Returns false and adds to *why when it is
 * not there or lacks one of them.
 */
bool library_load(const struct library *library, void *table,
    struct buf *why);

#endif
