/* SPDX-License-Identifier: ISC */
/*
 * Which events are sent: the FILTER language. Pure.
 *
 *	failure limit anomaly -fsa client_id=load*
 *
 * Terms stand in order, separated by space or comma. A term is a class, a
 * glob over the type code, or field=glob over the text that JSON has for a
 * field of the event's data, which may be within others: details.error.type.
 * Of an array any item counts. Several of these with & between them are one
 * term, which matches when all do. "-" before a term excludes. The last term
 * that matches an event decides. An event that none matches is not sent,
 * unless the first term excludes: such a filter starts from everything.
 *
 * Globs are those of fnmatch(3): * ? and [], over bytes.
 */
#ifndef FILTER_H
#define FILTER_H

#include "base/buf.h"
#include "event/event.h"

#include <stdbool.h>

#define FILTER_DEFAULT "failure limit anomaly"

struct filter; /* made by filter_new, freed by filter_free */

/*
 * Reads a filter. Returns NULL and adds to *why what is wrong with it, in
 * one line: a word that is no class and cannot be a type code ("on",
 * "failures", "Fu") with what to write instead, or that no event at all
 * could pass.
 */
struct filter *filter_new(const char *text, struct buf *why);

/* Takes NULL too. */
void filter_free(struct filter *f);

/*
 * Whether a record of this type code is sent. It is asked about its fields
 * only where terms that go by the type alone leave it open. NULL is a record
 * without fields.
 */
bool filter_keeps(const struct filter *f, const char *code,
    struct pick *record);

/*
 * The term that decides on the record, as it was written, with its "-". NULL:
 * none matches.
 */
const char *filter_deciding_term(const struct filter *f, const char *code,
    struct pick *record);

/* Gives the path of each field that filter_keeps() may ask about. */
void filter_each_field(const struct filter *f,
    void (*take)(void *context, const char *path), void *context);

/*
 * Adds to *out a line for each term on the type that matches no code of
 * the catalogue, with the nearest code: most likely it is misspelt, though
 * Auth0 adds codes monthly.
 */
void filter_doubts(const struct filter *f, struct buf *out);

#endif
