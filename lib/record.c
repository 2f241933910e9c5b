/* SPDX-License-Identifier: ISC */
/* Events as records. */
#include "record.h"

#include "pick.h"
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

/* False for what is not one whole object, with the reason in *why. */
static bool
read_whole(struct pick *p, const char *text, size_t len, struct buf *why)
{
	struct scan s = { 0 };
	enum prune_stop stop = PRUNE_MORE;
	const char *reason = "it is cut";
	size_t done, at = 0;

	while (at < len && scan_is_space(text[at]))
		at++;
	if (at == len || text[at] != '{') {
		buf_adds(why, at == len ? "it is empty" : "it is no object");
		return false;
	}
	pick_begin(p, &s, false);
	done = at + pick_read(p, &s, text + at, len - at, &stop, &reason);
	scan_release(&s);
	while (stop == PRUNE_WHOLE && done < len && scan_is_space(text[done]))
		done++;
	if (stop == PRUNE_WHOLE && done == len)
		return true;
	buf_addf(why, "%s at byte %zu", stop == PRUNE_WHOLE ?
	    "more text after its end" : reason, done);
	return false;
}

struct event *
record_read(const char *text, size_t len, struct buf *why)
{
	struct pick *p = pick_new(len);
	struct event *e = NULL;

	event_want(p);
	if (read_whole(p, text, len, why)) {
		if (pick_type(p))
			e = event_read(p);
		else
			buf_adds(why, "it has no type");
	}
	pick_free(p);
	return e;
}
