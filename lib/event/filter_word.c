/* SPDX-License-Identifier: ISC */
/* Words of a filter. It knows neither their order nor globs. */
#include "event/filter_word.h"

#include "base/nearest.h"
#include "event/catalog.h"
#include "event/filter.h"

#include <string.h>
#include <strings.h>

#define EVERYTHING "write * for every event"
#define NOTHING "to send a destination nothing, remove its webhook"
#define THE_DEFAULT "for the default, " FILTER_DEFAULT ", remove the key"
#define MEANT(class) "did you mean " class "?"

/* What people write, and no code is called: it would silently keep nothing. */
static const struct {
	const char *word;
	const char *hint;
} hints[] = {
	{ "all", EVERYTHING }, { "any", EVERYTHING }, { "enable", EVERYTHING },
	{ "enabled", EVERYTHING }, { "every", EVERYTHING },
	{ "everything", EVERYTHING }, { "on", EVERYTHING },
	{ "true", EVERYTHING }, { "yes", EVERYTHING }, { "1", EVERYTHING },
	{ "disable", NOTHING }, { "disabled", NOTHING }, { "false", NOTHING },
	{ "never", NOTHING }, { "no", NOTHING }, { "none", NOTHING },
	{ "nothing", NOTHING }, { "null", NOTHING }, { "off", NOTHING },
	{ "0", NOTHING },
	{ "default", THE_DEFAULT },
	{ "error", MEANT("failure") }, { "errors", MEANT("failure") },
	{ "fail", MEANT("failure") }, { "failed", MEANT("failure") },
	{ "fails", MEANT("failure") }, { "failures", MEANT("failure") },
	{ "limited", MEANT("limit") }, { "limits", MEANT("limit") },
	{ "rate_limit", MEANT("limit") }, { "rate_limits", MEANT("limit") },
	{ "anomalies", MEANT("anomaly") }, { "attack", MEANT("anomaly") },
	{ "attacks", MEANT("anomaly") },
	{ "warn", MEANT("warning") }, { "warnings", MEANT("warning") },
	{ "info", MEANT("notice") }, { "notices", MEANT("notice") },
	{ "ok", MEANT("success") }, { "succeeded", MEANT("success") },
	{ "successes", MEANT("success") }, { "successful", MEANT("success") },
};

static const char *
find_hint(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strcasecmp(word, hints[i].word) == 0)
			return hints[i].hint;
	return NULL;
}

static const char *
nearest_class(const char *word)
{
	struct nearest n = { word, NULL, 0 };
	int class;

	for (class = 0; class < CLASSES; class++)
		nearest_try(&n, catalog_class_name((enum event_class)class));
	return n.found;
}

const char *
filter_word_nearest(const char *word)
{
	struct nearest n = { word, NULL, 0 };
	const struct event_type *types;
	size_t i, count;

	types = catalog_types(&count);
	for (i = 0; i < count; i++)
		nearest_try(&n, types[i].code);
	return n.found;
}

/* Behind a letter, as every code of the catalogue. */
static bool
plausible_code(const char *word)
{
	return strspn(word, FILTER_LETTERS) > 0 &&
	    word[strspn(word, FILTER_CODE)] == '\0';
}

bool
filter_word_is_code(const char *word, struct buf *instead)
{
	const char *hint = find_hint(word), *meant;

	if (catalog_find(word))
		return true;
	meant = nearest_class(word);
	if (!hint && !meant && plausible_code(word))
		return true;
	if (!hint && !meant)
		meant = filter_word_nearest(word);
	if (hint)
		buf_adds(instead, hint);
	else if (meant)
		buf_addf(instead, MEANT("%s"), meant);
	return false;
}
