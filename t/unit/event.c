/* SPDX-License-Identifier: ISC */
/* Events: their fields, their times and their order. */
#include "event/event.h"

#include "base/buf.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
test_event_new(void)
{
	struct event fields = { 0 };
	char text[] = "borrowed";
	struct event *e;

	fields.type = "f";
	fields.log_id = text;
	fields.class = CLASS_FAILURE;
	fields.time_ms = -5;
	e = event_new(&fields);
	text[0] = 'X';
	is_str(e->log_id, "borrowed", "an event has copies of its texts");
	is_str(e->type, "f", "of each");
	ok(!e->description && e->class == CLASS_FAILURE && e->time_ms == -5,
	    "and the other members as they are");
	free(e);
}

/* The event of a record; the caller frees it. */
static struct event *
read_event(const char *record)
{
	struct pick *p = pick_new(0);
	struct scan s = { 0 };
	enum prune_stop stop;
	const char *why;
	struct event *e;

	event_want(p);
	pick_begin(p, &s, false);
	pick_read(p, &s, record, strlen(record), &stop, &why);
	e = event_read(p);
	scan_release(&s);
	pick_free(p);
	return e;
}

static void
test_event_read(void)
{
	struct event *e = read_event("{\"log_id\":\"outer\",\"data\":{"
	    "\"log_id\":\"inner\",\"type\":\"limit_wc\",\"description\":"
	    "\"d\",\"client_id\":\"ci\",\"client_name\":\"cn\","
	    "\"connection\":\"co\",\"environment_name\":\"en\","
	    "\"hostname\":\"h\",\"ip\":\"i\",\"organization_id\":\"oi\","
	    "\"organization_name\":\"on\",\"tenant_name\":\"t\",\"user_id\":"
	    "\"ui\",\"user_name\":\"un\",\"date\":\"2026-08-01T12:34:56.789Z"
	    "\"}}");

	is_str(e->log_id, "outer", "the record's own log_id");
	is_str(e->type, "limit_wc", "type");
	is_str(e->description, "d", "description");
	is_str(e->client_id, "ci", "client_id");
	is_str(e->client_name, "cn", "client_name");
	is_str(e->connection, "co", "connection");
	is_str(e->environment_name, "en", "environment_name");
	is_str(e->hostname, "h", "hostname");
	is_str(e->ip, "i", "ip");
	is_str(e->organization_id, "oi", "organization_id");
	is_str(e->organization_name, "on", "organization_name");
	is_str(e->tenant_name, "t", "tenant_name");
	is_str(e->user_id, "ui", "user_id");
	is_str(e->user_name, "un", "user_name");
	is_num(e->class, CLASS_ANOMALY, "the class is the catalogue's");
	is_num(e->time_ms, 1785587696789, "the time is in milliseconds");
	free(e);
	e = read_event("{\"data\":{\"type\":\"f\",\"log_id\":\"inner\"}}");
	is_str(e->log_id, "inner", "or else that of its data");
	free(e);
	e = read_event("{\"type\":\"xyz\",\"date\":\"yesterday\"}");
	ok(!e->log_id && !e->description && !e->client_id &&
	    !e->client_name && !e->connection && !e->environment_name &&
	    !e->hostname && !e->ip && !e->organization_id &&
	    !e->organization_name &&
	    !e->tenant_name && !e->user_id && !e->user_name,
	    "what a record lacks is NULL");
	is_num(e->class, CLASS_NOTICE, "an unknown type has a class");
	ok(e->time_ms == EVENT_NO_TIME, "a bad date is no time");
	free(e);
}

/* --------------------------------------------------------------- time */

#define NONE EVENT_NO_TIME

static const struct {
	const char *iso;
	int64_t ms;
	const char *title;
} times[] = {
	{ "2026-08-01T12:34:56.789Z", 1785587696789, "as Auth0 writes it" },
	{ "2026-08-01T12:34:56Z", 1785587696000, "no fraction" },
	{ "2026-08-01T12:34:56.7Z", 1785587696700, "one digit of fraction" },
	{ "2026-08-01T12:34:56.07Z", 1785587696070, "two digits" },
	{ "2026-08-01T12:34:56.789654321Z", 1785587696789,
	    "nine digits are cut, not rounded" },
	{ "2026-08-01T12:34:56.9999Z", 1785587696999, "nor carried" },
	{ "2026-08-01T12:34:56.78900000000000000000000000000Z",
	    1785587696789, "very many digits" },
	{ "2026-08-01T14:34:56+02:00", 1785587696000, "an offset east" },
	{ "2026-08-01T07:04:56.5-05:30", 1785587696500, "an offset west" },
	{ "2026-08-01T12:34:56+00:00", 1785587696000, "an offset of none" },
	{ "2026-08-01T12:34:56-00:00", 1785587696000, "and of minus none" },
	{ "2026-08-01T14:34:56+0200", 1785587696000,
	    "an offset without a colon" },
	{ "2026-08-01T07:04:56.5-0530", 1785587696500, "and one west" },
	{ "2026-08-01T14:34:56+02", 1785587696000,
	    "an offset without minutes" },
	{ "2026-08-01T12:34:56", 1785587696000, "no zone is UTC" },
	{ "2026-08-01T12:34:56.789", 1785587696789,
	    "a fraction and no zone" },
	{ "2026-08-01 12:34:56Z", 1785587696000, "a space in place of T" },
	{ "2026-08-01 12:34:56.789000000", 1785587696789,
	    "and no zone" },
	{ "2026-08-01 14:34:56+02:00", 1785587696000, "and an offset" },
	{ "2026-08-01 14:34:56.789+0200", 1785587696789,
	    "and one without a colon" },
	{ "2027-01-01T00:30:00+01:00", 1798759800000,
	    "an offset over the end of the year" },
	{ "2024-02-29T00:00:00Z", 1709164800000, "a leap day" },
	{ "2000-02-29T23:59:59Z", 951868799000, "one of a full century" },
	{ "2024-12-31T23:59:59.999Z", 1735689599999, "the end of a year" },
	{ "2038-01-19T03:14:08Z", 2147483648000, "after 31 bits" },
	{ "2000-01-01T00:00:00Z", 946684800000, "the first time" },
	{ "2099-12-31T23:59:59.999Z", 4102444799999, "the last" },

	{ "1785587696", 1785587696000, "seconds since 1970" },
	{ "1785587696.789", 1785587696789, "with a fraction" },
	{ "1785587696789", 1785587696789, "milliseconds since 1970" },
	{ "1785587696789.5", 1785587696789, "with a fraction" },
	{ "946684800", 946684800000, "the first seconds" },
	{ "4102444799", 4102444799000, "the last seconds" },
	{ "946684800000", 946684800000, "the first milliseconds" },
	{ "4102444799999", 4102444799999, "the last milliseconds" },

	{ "0001-01-01T00:00:00.000Z", NONE, "the year 1" },
	{ "0001-01-01T00:00:00.000", NONE, "without a zone" },
	{ "0000-00-00 00:00:00", NONE, "no day at all" },
	{ "0000-01-01T00:00:00Z", NONE, "the year 0" },
	{ "1900-01-01T00:00:00Z", NONE, "the year 1900" },
	{ "1970-01-01T00:00:00.000Z", NONE, "the beginning" },
	{ "1999-12-31T23:59:59.999Z", NONE, "before the first time" },
	{ "2100-01-01T00:00:00Z", NONE, "after the last" },
	{ "2000-01-01T00:00:00+00:01", NONE,
	    "before the first one by its offset" },
	{ "9999-12-31T23:59:59Z", NONE, "the last year" },
	{ "0", NONE, "the beginning in seconds" },
	{ "-1785587696", NONE, "seconds before 1970" },
	{ "946684799", NONE, "seconds before the first time" },
	{ "4102444800", NONE, "seconds after the last" },
	{ "4102444800000", NONE, "milliseconds after the last" },
	{ "1785587696789000", NONE, "microseconds" },
	{ "1785587696789000000", NONE, "nanoseconds" },
	{ "20260801", NONE, "a day in digits" },
	{ "20260801123456", NONE, "a time in digits" },
	{ "99999999999999999999999999999999", NONE, "very many digits" },
	{ "00001785587696", NONE, "zeros before the digits" },
	{ "1785587696.", NONE, "a point without digits" },
	{ "1785587696x", NONE, "more behind it" },
	{ "1785587696 ", NONE, "a space behind it" },
	{ "1.785587696789e12", NONE, "an exponent" },
	{ "true", NONE, "a truth" },

	{ "", NONE, "nothing" },
	{ "2", NONE, "a digit" },
	{ "2026-", NONE, "a year alone" },
	{ "2026-08-0", NONE, "half a day" },
	{ "yesterday", NONE, "a word" },
	{ "2026-08-01", NONE, "a day alone" },
	{ "2026-08-01T", NONE, "a day and T" },
	{ "2026-08-01T12:34Z", NONE, "no seconds" },
	{ "2026-08-01  12:34:56Z", NONE, "two spaces in place of T" },
	{ "2026-08-01_12:34:56Z", NONE, "another sign in place of T" },
	{ "2026-08-01T12:34:56Zx", NONE, "more behind it" },
	{ "2026-08-01T12:34:56Z ", NONE, "a space behind it" },
	{ "2026-08-01T12:34:56.Z", NONE, "a point without digits" },
	{ "2026-08-01T12:34:56.", NONE, "and without a zone" },
	{ "2026-08-01T12:34:56,5Z", NONE, "a comma" },
	{ "2026-08-01T12:34:56+", NONE, "a sign alone" },
	{ "2026-08-01T12:34:56+02:", NONE, "a colon without minutes" },
	{ "2026-08-01T12:34:56+020", NONE, "half of the minutes" },
	{ "2026-08-01T12:34:56+02000", NONE, "a digit too many" },
	{ "2026-08-01T12:34:56+02:00x", NONE, "more behind an offset" },
	{ "2026-08-01T12:34:56 02:00", NONE, "an offset without a sign" },
	{ "2026-08-01T12:34:56+2:00", NONE, "an offset of one digit" },
	{ "2026-08-01T12:34:56++2:00", NONE, "an offset with two signs" },
	{ "2026-08-01T12:34:56+99:99", NONE, "an offset of days" },
	{ "2026-08-01T12:34:56GMT", NONE, "a zone by name" },
	{ "2026-13-01T00:00:00Z", NONE, "month 13" },
	{ "2026-00-01T00:00:00Z", NONE, "month 0" },
	{ "2026-01-32T00:00:00Z", NONE, "day 32" },
	{ "2026-01-00T00:00:00Z", NONE, "day 0" },
	{ "2026-02-30T00:00:00Z", NONE, "30 February" },
	{ "2026-02-29T00:00:00Z", NONE, "a leap day without a leap year" },
	{ "2026-01-01T24:00:00Z", NONE, "hour 24" },
	{ "2026-01-01T00:60:00Z", NONE, "minute 60" },
	{ "2026-8-1T1:2:3Z", NONE, "single digits" },
	{ " 2026-08-01T12:34:56Z", NONE, "a space before it" },
	{ "2026- 8-01T12:34:56Z", NONE, "a space within it" },
	{ "99999-01-01T00:00:00Z", NONE, "a year of five digits" },
	{ "+2026-08-01T12:34:56Z", NONE, "a year with a sign" },
	{ "-2026-08-01T12:34:56Z", NONE, "a year before all years" },
};

static void
test_times(void)
{
	size_t i;

	for (i = 0; i < ROWS(times); i++)
		is_num(event_time_ms(times[i].iso), times[i].ms,
		    "\"%s\" (%s) %s", times[i].iso, times[i].title,
		    times[i].ms == NONE ? "is no time" : "is a time");
}

/* Every day of 100 years, counted. */
static void
test_every_day(void)
{
	static const int lengths[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	int64_t days = 10957; /* before 2000 */
	int year, month, day, last, bad = 0;
	char iso[64];
	bool leap;

	for (year = 2000; year < 2100; year++)
		for (month = 1; month <= 12; month++) {
			leap = (year % 4 == 0 && year % 100 != 0) ||
			    year % 400 == 0;
			last = lengths[month - 1] + (month == 2 && leap);
			for (day = 1; day <= last; day++, days++) {
				snprintf(iso, sizeof(iso),
				    "%d-%02d-%02dT00:00:01.002Z", year, month,
				    day);
				bad += event_time_ms(iso) !=
				    days * 86400000 + 1002;
			}
		}
	is_num(bad, 0, "every day from 2000 to 2099 is the one after the day "
	    "before");
}

/* ------------------------------------------------------------ sorting */

static void
list_append(struct event_list *list, int64_t time_ms, const char *log_id)
{
	struct event e = { 0 };

	e.type = "f";
	e.time_ms = time_ms;
	e.log_id = log_id;
	event_list_add(list, event_new(&e));
}

/*
 * Lists of 0 to 130 events with few different times, some with none: in
 * order afterwards, and equals as they came.
 */
static void
test_sort(void)
{
	struct event_list list = { NULL, 0, 0 };
	unsigned seed = 1, bad = 0;
	const struct event *a, *b;
	size_t count, i;
	char id[20];

	for (count = 0; count < 130; count++) {
		for (i = 0; i < count; i++) {
			seed = seed * 1103515245 + 12345;
			snprintf(id, sizeof(id), "%04zu", i);
			list_append(&list, seed >> 16 & 1 ? NONE :
			    (int64_t)(seed >> 17 & 7) - 4, id);
		}
		event_list_sort(&list);
		bad += list.count != count;
		for (i = 1; i < count; i++) {
			a = list.events[i - 1];
			b = list.events[i];
			if (a->time_ms == b->time_ms)
				bad += strcmp(a->log_id, b->log_id) >= 0;
			else
				bad += a->time_ms == NONE ||
				    (b->time_ms != NONE &&
				    a->time_ms > b->time_ms);
		}
		event_list_release(&list);
	}
	is_num(bad, 0, "events are sorted by time, equals as they came, those "
	    "without one last");
}

/* Each event of ten is wanted by the destinations whose bits its place has. */
static void
test_wanted(void)
{
	struct event_list list = { NULL, 0, 0 };
	struct event **wanted;
	size_t count, i;
	char id[20];

	for (i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "%zu", i);
		list_append(&list, 0, id);
		list.events[i]->destinations = (unsigned)i;
	}
	list.events[9]->destinations = 1U << 31;
	wanted = event_list_wanted(&list, 2, &count);
	ok(count == 4 && wanted[0] == list.events[4] &&
	    wanted[3] == list.events[7], "a destination gets those events "
	    "that it wants, in their order");
	free(wanted);
	wanted = event_list_wanted(&list, 31, &count);
	ok(count == 1 && wanted[0] == list.events[9], "so does the last one");
	free(wanted);
	wanted = event_list_wanted(&list, 30, &count);
	is_num(count, 0, "or none");
	free(wanted);
	event_list_release(&list);
}

static void
note_text(void *context, const char *name, const char *text)
{
	buf_addf(context, "%s=%s ", name, text);
}

static void
test_each_text(void)
{
	struct event e = { 0 };
	struct buf texts = BUF_INIT;

	e.log_id = "id";
	e.type = "fu";
	e.user_name = "me";
	e.ip = "::1";
	event_each_text(&e, note_text, &texts);
	is_str(buf_text(&texts), "type=fu ip=::1 user_name=me ",
	    "the texts that an event has are given with their names");
	buf_release(&texts);
}

int
main(void)
{
	test_event_new();
	test_event_read();
	test_times();
	test_every_day();
	test_sort();
	test_wanted();
	test_each_text();
	return done_testing();
}
