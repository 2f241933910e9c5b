/* SPDX-License-Identifier: ISC */
/* JSON by way of json-c. It does not know what the members mean. */
#include "json/json.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

struct json_reader {
	json_tokener *tokener;
	json_object *value;	/* NULL: not complete yet */
};

/*
 * Before each call. json-c's first table asks getrandom(2) for a seed, for
 * which the C library may map memory; where that fails it does without, and
 * leaves errno behind. So that table is made here, for nothing.
 */
static void
begin(void)
{
	static bool seeded;
	json_object *first = seeded ? NULL : json_object_new_object();

	if (first)
		seeded = json_object_object_add(first, "", NULL) == 0;
	json_object_put(first);
	errno = 0;
}

static void
check(bool good)
{
	if (!good || errno == ENOMEM)
		mem_exhausted();
}

static json_object *
object_of(const struct json *value)
{
	return (json_object *)(uintptr_t)value;
}

struct json_reader *
json_reader_new(void)
{
	struct json_reader *r = mem_alloc(sizeof(*r));

	r->value = NULL;
	begin();
	r->tokener = json_tokener_new_ex(JSON_LEVELS_MAX);
	check(r->tokener != NULL);
	return r;
}

void
json_reader_free(struct json_reader *r)
{
	if (!r)
		return;
	json_object_put(r->value);
	json_tokener_free(r->tokener);
	free(r);
}

void
json_reader_feed(struct json_reader *r, const char *bytes, size_t len)
{
	enum json_tokener_error error;

	if (len == 0)
		return;
	begin();
	r->value = json_tokener_parse_ex(r->tokener, bytes, (int)len);
	error = json_tokener_get_error(r->tokener);
	check(error == json_tokener_continue || r->value);
}

void
json_reader_reset(struct json_reader *r)
{
	json_object_put(r->value);
	r->value = NULL;
	json_tokener_reset(r->tokener);
}

struct json *
json_reader_end(struct json_reader *r)
{
	json_object *value = r->value;

	begin();
	check(value != NULL);
	r->value = NULL;
	json_reader_reset(r);
	return (struct json *)value;
}

void
json_free(struct json *value)
{
	json_object_put(object_of(value));
}

enum json_kind
json_kind_of(const struct json *value)
{
	static const enum json_kind kinds[] = {
		[json_type_null] = JSON_NULL,
		[json_type_boolean] = JSON_BOOLEAN,
		[json_type_double] = JSON_NUMBER,
		[json_type_int] = JSON_NUMBER,
		[json_type_object] = JSON_OBJECT,
		[json_type_array] = JSON_ARRAY,
		[json_type_string] = JSON_STRING,
	};

	return kinds[json_object_get_type(object_of(value))];
}

struct json *
json_member(const struct json *object, const char *name)
{
	json_object *value = NULL;

	if (json_kind_of(object) == JSON_OBJECT)
		json_object_object_get_ex(object_of(object), name, &value);
	return (struct json *)value;
}

bool
json_has(const struct json *object, const char *name)
{
	return json_kind_of(object) == JSON_OBJECT &&
	    json_object_object_get_ex(object_of(object), name, NULL);
}

size_t
json_item_count(const struct json *array)
{
	return (size_t)json_object_array_length(object_of(array));
}

struct json *
json_item(const struct json *array, size_t i)
{
	return (struct json *)json_object_array_get_idx(object_of(array), i);
}

bool
json_boolean(const struct json *value)
{
	return json_object_get_boolean(object_of(value));
}

const char *
json_string(struct json *string, size_t *len)
{
	*len = (size_t)json_object_get_string_len(object_of(string));
	return json_object_get_string(object_of(string));
}

void
json_set_string(struct json *string, const char *text, size_t len)
{
	begin();
	check(json_object_set_string_len(object_of(string), text, (int)len));
}

/* -------------------------------------------------------------- writing */

static struct json *
checked(json_object *value)
{
	check(value != NULL);
	return (struct json *)value;
}

struct json *
json_new_object(void)
{
	begin();
	return checked(json_object_new_object());
}

struct json *
json_new_array(void)
{
	begin();
	return checked(json_object_new_array());
}

void
json_put(struct json *object, const char *name, struct json *value)
{
	begin();
	check(json_object_object_add(object_of(object), name,
	    object_of(value)) == 0);
}

void
json_put_text(struct json *object, const char *name, const char *text)
{
	begin();
	json_put(object, name, text ? checked(json_object_new_string(text)) :
	    NULL);
}

void
json_put_number(struct json *object, const char *name, int64_t number)
{
	begin();
	json_put(object, name, checked(json_object_new_int64(number)));
}

void
json_put_boolean(struct json *object, const char *name, bool value)
{
	begin();
	json_put(object, name, checked(json_object_new_boolean(value)));
}

void
json_add(struct json *array, struct json *item)
{
	begin();
	check(json_object_array_add(object_of(array), object_of(item)) == 0);
}

const char *
json_text(struct json *value, size_t *len)
{
	const char *text;

	begin();
	text = json_object_to_json_string_length(object_of(value),
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, len);
	check(text != NULL);
	return text;
}
