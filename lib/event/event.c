/* SPDX-License-Identifier: ISC */
/* Events and lists of them. It knows no JSON. */
#include "event/event.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define YEAR_2000_MS 946684800000
#define YEAR_2100_MS 4102444800000
#define EPOCH_DIGITS 13		/* of milliseconds before 2100 */

/* The strings that an event keeps of a record's data. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	{ "log_id", offsetof(struct event, log_id) },
	{ "type", offsetof(struct event, type) },
	{ "description", offsetof(struct event, description) },
	{ "client_id", offsetof(struct event, client_id) },
	{ "client_name", offsetof(struct event, client_name) },
	{ "connection", offsetof(struct event, connection) },
	{ "environment_name", offsetof(struct event, environment_name) },
	{ "hostname", offsetof(struct event, hostname) },
	{ "ip", offsetof(struct event, ip) },
	{ "organization_id", offsetof(struct event, organization_id) },
	{ "organization_name", offsetof(struct event, organization_name) },
	{ "tenant_name", offsetof(struct event, tenant_name) },
	{ "user_id", offsetof(struct event, user_id) },
	{ "user_name", offsetof(struct event, user_name) },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/*
 * The number that digits, count of them, make at *text, which is moved
 * behind them; -1 when they are not digits.
 */
static int
take_digits(const char **text, int count)
{
	int number = 0;

	for (; count > 0; count--, ++*text) {
		if (**text < '0' || **text > '9')
			return -1;
		number = number * 10 + (**text - '0');
	}
	return number;
}

/* Takes a number between signs: "2026-", "08-". False when it is none. */
static bool
take_part(const char **text, int digits, char after, int *number)
{
	*number = take_digits(text, digits);
	if (*number < 0 || (after && **text != after))
		return false;
	*text += after != '\0';
	return true;
}

/* Milliseconds of ".789"; 0 without a point, -1 for one without digits. */
static int
take_fraction(const char **text)
{
	int ms = 0, unit = 100;

	if (**text != '.')
		return 0;
	++*text;
	if (**text < '0' || **text > '9')
		return -1;
	for (; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
		ms += (**text - '0') * unit;
	return ms;
}

/*
 * Milliseconds of "Z", "+02:00", "+0200", "+02" or nothing, which must end
 * the text.
 */
static bool
take_zone(const char *text, int64_t *ms)
{
	int hours = 0, minutes = 0, sign = *text == '-' ? -1 : 1;

	if (*text == 'Z') {
		text++;
	} else if (*text == '+' || *text == '-') {
		text++;
		if (!take_part(&text, 2, '\0', &hours))
			return false;
		text += *text == ':' && text[1] != '\0';
		if (*text && !take_part(&text, 2, '\0', &minutes))
			return false;
	}
	*ms = (int64_t)sign * (hours * 60 + minutes) * 60000;
	return *text == '\0' && hours < 24 && minutes < 60;
}

/* Whether there is such a time: timegm() makes 2 March of 30 February. */
static bool
take_calendar(struct tm tm, int64_t *ms)
{
	struct tm real = tm;

	*ms = (int64_t)timegm(&real) * 1000;
	return real.tm_mon == tm.tm_mon && real.tm_mday == tm.tm_mday &&
	    real.tm_hour == tm.tm_hour && real.tm_min == tm.tm_min &&
	    real.tm_sec == tm.tm_sec;
}

static int64_t
iso_ms(const char *iso)
{
	struct tm tm = { 0 };
	int64_t ms, zone;
	int fraction;

	if (!take_part(&iso, 4, '-', &tm.tm_year) ||
	    !take_part(&iso, 2, '-', &tm.tm_mon) ||
	    !take_part(&iso, 2, '\0', &tm.tm_mday) ||
	    (*iso != 'T' && *iso != ' '))
		return EVENT_NO_TIME;
	iso++;
	if (!take_part(&iso, 2, ':', &tm.tm_hour) ||
	    !take_part(&iso, 2, ':', &tm.tm_min) ||
	    !take_part(&iso, 2, '\0', &tm.tm_sec))
		return EVENT_NO_TIME;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	fraction = take_fraction(&iso);
	if (fraction < 0 || !take_zone(iso, &zone) || !take_calendar(tm, &ms))
		return EVENT_NO_TIME;
	return ms + fraction - zone;
}

static bool
is_sensible(int64_t ms)
{
	return ms >= YEAR_2000_MS && ms < YEAR_2100_MS;
}

/* Of digits, and a fraction; no number is both seconds and milliseconds. */
static int64_t
epoch_ms(const char *text)
{
	size_t digits = strspn(text, ASCII_DIGITS);
	int64_t number;
	int fraction;

	if (digits == 0 || digits > EPOCH_DIGITS)
		return EVENT_NO_TIME;
	number = strtoll(text, NULL, 10);
	text += digits;
	fraction = take_fraction(&text);
	if (fraction < 0 || *text != '\0')
		return EVENT_NO_TIME;
	return is_sensible(number) ? number : number * 1000 + fraction;
}

int64_t
event_time_ms(const char *date)
{
	int64_t ms = iso_ms(date);

	if (ms == EVENT_NO_TIME)
		ms = epoch_ms(date);
	return is_sensible(ms) ? ms : EVENT_NO_TIME;
}

static const char **
slot(struct event *e, size_t i)
{
	return (const char **)(void *)((char *)e + fields[i].offset);
}

static bool
is_log_id(size_t i)
{
	return fields[i].offset == offsetof(struct event, log_id);
}

struct event *
event_new(const struct event *from)
{
	struct event source = *from, *e;
	size_t i, lens[FIELDS], bytes = sizeof(*e);
	char *text;

	for (i = 0; i < FIELDS; i++) {
		lens[i] = *slot(&source, i) ? strlen(*slot(&source, i)) + 1 : 0;
		bytes += lens[i];
	}
	e = mem_alloc(bytes);
	*e = source;
	text = (char *)(e + 1);
	for (i = 0; i < FIELDS; i++) {
		if (lens[i] == 0)
			continue;
		*slot(e, i) = memcpy(text, *slot(&source, i), lens[i]);
		text += lens[i];
	}
	return e;
}

void
event_each_text(const struct event *e,
    void (*take)(void *context, const char *name, const char *text),
    void *context)
{
	struct event source = *e;
	size_t i;

	for (i = 0; i < FIELDS; i++)
		if (*slot(&source, i) && !is_log_id(i))
			take(context, fields[i].name, *slot(&source, i));
}

void
event_want(struct pick *record)
{
	size_t i;

	for (i = 0; i < FIELDS; i++)
		pick_want(record, fields[i].name, PRUNE_NO_ITEMS);
	pick_want(record, "date", PRUNE_NO_ITEMS);
}

struct event *
event_read(struct pick *record)
{
	struct event e = { 0 };
	const char *date = pick_text(record, "date");
	size_t i;

	for (i = 0; i < FIELDS; i++)
		*slot(&e, i) = pick_text(record, fields[i].name);
	e.log_id = pick_log_id(record);
	if (e.log_id && strlen(e.log_id) > EVENT_LOG_ID_MAX)
		e.log_id = NULL;
	e.time_ms = date ? event_time_ms(date) : EVENT_NO_TIME;
	e.class = catalog_class(e.type);
	return event_new(&e);
}

void
event_list_add(struct event_list *list, struct event *e)
{
	if (list->count == list->size) {
		list->size = list->size ? 2 * list->size : 16;
		list->events = mem_realloc(list->events,
		    list->size * sizeof(struct event *));
	}
	list->events[list->count++] = e;
}

void
event_list_release(struct event_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->events[i]);
	free(list->events);
	memset(list, 0, sizeof(*list));
}

struct event **
event_list_wanted(const struct event_list *list, size_t destination,
    size_t *count)
{
	struct event **wanted;
	size_t i;

	wanted = mem_alloc(list->count * sizeof(struct event *));
	*count = 0;
	for (i = 0; i < list->count; i++)
		if (list->events[i]->destinations & 1U << destination)
			wanted[(*count)++] = list->events[i];
	return wanted;
}

static int64_t
sort_key(const struct event *e)
{
	return e->time_ms == EVENT_NO_TIME ? INT64_MAX : e->time_ms;
}

static void
merge(struct event **to, struct event **a, size_t na, struct event **b,
    size_t nb)
{
	while (na > 0 || nb > 0) {
		if (nb == 0 || (na > 0 && sort_key(*a) <= sort_key(*b)))
			*to++ = *a++, na--;
		else
			*to++ = *b++, nb--;
	}
}

/* A merge sort, because qsort(3) need not keep the order of equals. */
static void
sort(struct event **events, struct event **spare, size_t count)
{
	size_t half = count / 2;

	if (count < 2)
		return;
	sort(events, spare, half);
	sort(events + half, spare, count - half);
	memcpy(spare, events, count * sizeof(*events));
	merge(events, spare, half, spare + half, count - half);
}

void
event_list_sort(struct event_list *list)
{
	struct event **spare;

	spare = mem_alloc(list->count * sizeof(struct event *));
	sort(list->events, spare, list->count);
	free(spare);
}
