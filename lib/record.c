/* SPDX-License-Identifier: ISC */
/* Events as records. What reads them back is the reader of requests. */
#include "record.h"

#include "reader.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
put(void *context, const char *name, const char *text)
{
	struct json_object *data = context;

	json_object_object_add(data, name, json_object_new_string(text));
}

/* As event_time_ms() reads it; such a time has a year of four digits. */
static void
put_date(struct json_object *data, int64_t time_ms)
{
	int64_t ms = time_ms % 1000;
	time_t seconds;
	char date[64];
	struct tm tm;
	size_t len;

	if (time_ms == EVENT_NO_TIME)
		return;
	if (ms < 0)
		ms += 1000;
	seconds = (time_t)((time_ms - ms) / 1000);
	if (!gmtime_r(&seconds, &tm) || tm.tm_year < -900 ||
	    tm.tm_year > 9999 - 1900)
		return;
	len = strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	if (ms > 0)
		snprintf(date + len, sizeof(date) - len, ".%03dZ", (int)ms);
	else
		snprintf(date + len, sizeof(date) - len, "Z");
	put(data, "date", date);
}

void
record_write(struct buf *out, const struct event *e)
{
	struct json_object *record = json_object_new_object();
	struct json_object *data = json_object_new_object();
	const char *text;
	size_t len;

	if (e->log_id)
		put(record, "log_id", e->log_id);
	put_date(data, e->time_ms);
	event_each_text(e, put, data);
	json_object_object_add(record, "data", data);
	text = json_object_to_json_string_length(record,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	buf_add(out, text, len);
	json_object_put(record);
}

static unsigned
keep_all(void *context, const char *type, const char *log_id,
    const struct record *record)
{
	(void)context;
	(void)type;
	(void)log_id;
	(void)record;
	return 1;
}

struct event *
record_read(const char *text, size_t len, struct buf *why)
{
	struct event_list list = { 0 };
	struct event_reader *reader;
	struct event *e = NULL;

	reader = event_reader_new(keep_all, NULL, &list);
	if (event_reader_feed(reader, text, len, why) &&
	    event_reader_end(reader, why)) {
		if (list.count == 1) {
			e = list.events[0];
			list.count = 0;
		} else {
			buf_addf(why, "it holds %zu events", list.count);
		}
	}
	event_reader_free(reader);
	event_list_release(&list);
	return e;
}
