/* SPDX-License-Identifier: ISC */
/*
 * JSON, read and written by json-c: the only user of it. Pure.
 *
 * json-c reports few of the allocations that fail within it: a member or a
 * part of a text is then missing from its result. Every failed allocation
 * sets errno to ENOMEM (POSIX, malloc()), so errno is looked at after each
 * call, and exhausted memory ends the process as everywhere else.
 */
#ifndef JSON_H
#define JSON_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value of json-c. */
struct json;

enum json_kind {
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* Takes NULL too. Frees what is in the value as well. */
void json_free(struct json *value);

/* -------------------------------------------------------------- reading */

/* Levels of arrays and objects that a text may have. */
#define JSON_LEVELS_MAX 120

struct json_reader;

struct json_reader *json_reader_new(void);
void json_reader_free(struct json_reader *r);

/*
 * Takes the next bytes of one value, which have to be good JSON, and
 * no number in them may be cut. The first bytes after json_reader_end()
 * begin another value.
 */
void json_reader_feed(struct json_reader *r, const char *bytes, size_t len);

/* Forgets what has come of a value. */
void json_reader_reset(struct json_reader *r);

/* The value is complete. The caller frees it with json_free(). */
struct json *json_reader_end(struct json_reader *r);

/* NULL is of kind JSON_NULL. */
enum json_kind json_kind_of(const struct json *value);

/* The last member of this name; NULL: none, or null. Borrowed. */
struct json *json_member(const struct json *object, const char *name);

/* Whether there is one, be it null. */
bool json_has(const struct json *object, const char *name);

/* The items of an array. Borrowed. */
size_t json_item_count(const struct json *array);
struct json *json_item(const struct json *array, size_t i);

bool json_boolean(const struct json *value);

/*
 * The text of a string, and its length in bytes, in which a NUL counts like
 * any other: borrowed, until the string is set or freed.
 */
const char *json_string(struct json *string, size_t *len);

/* Sets the text of a string to another, which is copied. */
void json_set_string(struct json *string, const char *text, size_t len);

/* -------------------------------------------------------------- writing */

/* The caller frees it with json_free(), or gives it away. */
struct json *json_new_object(void);
struct json *json_new_array(void);

/*
 * Adds a member to an object, in place of one of that name. A value is given
 * away; NULL, a text too, is null. A text should be UTF-8 and is written as it
 * is where it is not.
 */
void json_put(struct json *object, const char *name, struct json *value);
void json_put_text(struct json *object, const char *name, const char *text);
void json_put_number(struct json *object, const char *name, int64_t number);
void json_put_boolean(struct json *object, const char *name, bool value);

/* Adds an item to an array, which is given away. */
void json_add(struct json *array, struct json *item);

/*
 * The value on one line without spaces, members in the order in which they
 * were added; *len is its length. Valid until the value is changed or freed.
 */
const char *json_text(struct json *value, size_t *len);

#endif
