/* SPDX-License-Identifier: ISC */
/*
 * Auth0's log event types: what a type code is called, and whether it is
 * a failure, a limit, an attack or something else.
 *
 * Gathered from Auth0's documentation ("Log Event Type Codes") and its
 * published log schemas, August 2026. No two codes share a name: where
 * Auth0 gives one to several ("Failed Exchange"), what tells them apart is
 * added in parentheses. New codes appear monthly, so a code
 * that is not in the table is normal: catalog_class() judges it by its
 * spelling.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>
#include <stddef.h>

enum event_class {
	CLASS_NOTICE,	/* zero: the class of what says nothing else */
	CLASS_FAILURE,
	CLASS_LIMIT,
	CLASS_ANOMALY,
	CLASS_WARNING,
	CLASS_SUCCESS,
	CLASSES
};

struct event_type {
	const char *code;
	enum event_class class;
	const char *name;
};

/* The table, sorted by code in byte order; *count gets its length. */
const struct event_type *catalog_types(size_t *count);

/* The row of a code; NULL when the catalogue does not have it. */
const struct event_type *catalog_find(const char *code);

/* The class of any code, from the table or else from its spelling. */
enum event_class catalog_class(const char *code);

/* "failure", "limit" and so on. */
const char *catalog_class_name(enum event_class class);

/* False when there is no class of that name; *class is then untouched. */
bool catalog_class_find(const char *name, enum event_class *class);

#endif
