/* SPDX-License-Identifier: ISC */
/* Events as records. */
#include "event/record.h"

#include "event/pick.h"
#include "json/json.h"

static void
put(void *data, const char *name, const char *text)
{
	json_put_text(data, name, text);
}

void
record_write(struct buf *out, const struct event *e)
{
	struct json *record = json_new_object(), *data = json_new_object();
	const char *text;
	size_t len;

	if (e->log_id)
		json_put_text(record, "log_id", e->log_id);
	json_put(record, "data", data);
	if (e->time_ms != EVENT_NO_TIME)
		json_put_number(data, "date", e->time_ms);
	event_each_text(e, put, data);
	text = json_text(record, &len);
	buf_add(out, text, len);
	json_free(record);
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
