/* SPDX-License-Identifier: ISC */
/* Events as records. What reads them back is the reader of requests. */
#include "record.h"

#include "reader.h"
#include "unquote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The years that four digits can tell. */
#define YEAR_0_MS (-62167219200000)
#define YEAR_10000_MS 253402300800000

/* Adds a member to an object whose brace is open. */
static void
put(void *object, const char *name, const char *text)
{
	struct buf *out = object;

	if (out->data[out->len - 1] != '{')
		buf_addc(out, ',');
	buf_addf(out, "\"%s\":", name);
	quote(out, text);
}

/* As event_time_ms() reads it; EVENT_NO_TIME is outside as well. */
static void
put_date(struct buf *out, int64_t time_ms)
{
	int64_t ms = time_ms % 1000;
	time_t seconds;
	char date[96];
	struct tm tm;
	int len;

	if (time_ms < YEAR_0_MS || time_ms >= YEAR_10000_MS)
		return;
	if (ms < 0)
		ms += 1000;
	seconds = (time_t)((time_ms - ms) / 1000);
	if (!gmtime_r(&seconds, &tm))
		return;
	/* strftime(3) has no way to write the year 999 as four digits. */
	len = snprintf(date, sizeof(date), "%04d-%02d-%02dT%02d:%02d:%02d",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	if (ms > 0)
		snprintf(date + len, sizeof(date) - (size_t)len, ".%03dZ",
		    (int)ms);
	else
		snprintf(date + len, sizeof(date) - (size_t)len, "Z");
	put(out, "date", date);
}

void
record_write(struct buf *out, const struct event *e)
{
	buf_addc(out, '{');
	if (e->log_id) {
		put(out, "log_id", e->log_id);
		buf_addc(out, ',');
	}
	buf_adds(out, "\"data\":{");
	put_date(out, e->time_ms);
	event_each_text(e, put, out);
	buf_adds(out, "}}");
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
	unsigned long records;

	reader = event_reader_new(keep_all, NULL, &list);
	if (event_reader_feed(reader, text, len, why) &&
	    event_reader_end(reader, why)) {
		records = event_reader_counts(reader)->records;
		if (records == 1) {
			e = list.events[0];
			list.count = 0;
		} else {
			buf_addf(why, "it holds %lu records", records);
		}
	}
	event_reader_free(reader);
	event_list_release(&list);
	return e;
}
