/* SPDX-License-Identifier: ISC */
/* The catalogue against its fact sheet, and the rule for unknown codes. */
#include "event/catalog.h"

#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHEET "t/data/event-types.tsv"

/* -------------------------------------------------------- the table */

/* "code class name" of each row of the sheet, against the table's. */
static void
test_rows(void)
{
	struct buf sheet = BUF_INIT, got = BUF_INIT;
	const struct event_type *types;
	char *line, *rest = NULL;
	size_t count, i = 0;

	types = catalog_types(&count);
	file_read(source_path(SHEET), &sheet);
	for (line = strtok_r(sheet.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (*line == '#')
			continue;
		buf_clear(&got);
		if (i < count)
			buf_addf(&got, "%s\t%s\t%s", types[i].code,
			    catalog_class_name(types[i].class),
			    types[i].name);
		is_str(buf_text(&got), line, "row %zu is the sheet's",
		    i + 1);
		i++;
	}
	is_num((long long)i, 182, "the sheet has 182 rows");
	is_num((long long)count, 182, "the table has 182 rows");
	buf_release(&sheet);
	buf_release(&got);
}

static void
test_order(void)
{
	const struct event_type *types;
	size_t count, i, bad = 0;

	types = catalog_types(&count);
	for (i = 1; i < count; i++)
		bad += strcmp(types[i - 1].code, types[i].code) >= 0;
	is_num((long long)bad, 0, "the table is sorted by byte, without "
	    "duplicates");
	for (i = 0; i < count; i++)
		bad += catalog_find(types[i].code) != &types[i] ||
		    catalog_class(types[i].code) != types[i].class ||
		    !*types[i].name;
	is_num((long long)bad, 0, "every code is found, with its class and "
	    "a name");
}

/* A message says the name, and a reader has to know what failed. */
static void
test_names(void)
{
	const struct event_type *types;
	size_t count, i, j, same = 0;

	types = catalog_types(&count);
	for (i = 0; i < count; i++)
		for (j = 0; j < i; j++)
			if (strcmp(types[i].name, types[j].name) == 0 &&
			    same++ == 0)
				diag("%s and %s are both %s", types[j].code,
				    types[i].code, types[i].name);
	is_num((long long)same, 0, "no two codes have the same name");
}

static void
test_unknown(void)
{
	static const char *const codes[] = {
		"", "fx", "F", "aaa", "zzz", "f ", "limit", "wumx", "\xFF",
	};
	size_t i;

	for (i = 0; i < ROWS(codes); i++)
		ok(!catalog_find(codes[i]), "\"%s\" is not in the table",
		    i + 1 < ROWS(codes) ? codes[i] : "a byte FF");
}

/* --------------------------------------------------------- the rule */

static const struct {
	const char *code;
	enum event_class class;
	const char *title;
} unknown[] = {
	{ "new_thing_failed", CLASS_FAILURE, "ends in _failed" },
	{ "new_thing_failure", CLASS_FAILURE, "ends in _failure" },
	{ "new_thing_error", CLASS_FAILURE, "ends in _error" },
	{ "new_thing_rejected", CLASS_FAILURE, "ends in _rejected" },
	{ "new_fail_thing", CLASS_FAILURE, "has _fail_ in it" },
	{ "new_pwd_leak_thing", CLASS_ANOMALY, "has pwd_leak in it" },
	{ "pwd_leaked", CLASS_ANOMALY, "begins with pwd_leak" },
	{ "new_limit_thing", CLASS_LIMIT, "has limit in it" },
	{ "unlimited", CLASS_LIMIT, "has limit within a word" },
	{ "new_thing_succeeded", CLASS_SUCCESS, "ends in _succeeded" },
	{ "new_thing_success", CLASS_SUCCESS, "ends in _success" },
	{ "new_thing_completed", CLASS_SUCCESS, "ends in _completed" },
	{ "fxyz", CLASS_FAILURE, "begins with f" },
	{ "sxyz", CLASS_SUCCESS, "begins with s" },
	{ "xyz", CLASS_NOTICE, "fits no rule" },
	{ "Fxyz", CLASS_NOTICE, "begins with a capital F" },
	{ "failed", CLASS_FAILURE, "is a bare word with f" },
	{ "xfailed", CLASS_NOTICE, "ends in failed without _" },
	{ "new_failed_thing", CLASS_NOTICE, "has _failed in its middle" },
	{ "new_succeeded_thing", CLASS_NOTICE, "has _succeeded within" },
	{ "_failed", CLASS_FAILURE, "is nothing but an ending" },
	{ "", CLASS_NOTICE, "is empty" },
	/* The order of the rules. */
	{ "s_failed", CLASS_FAILURE, "is an s that failed" },
	{ "limit_failed", CLASS_FAILURE, "is a limit that failed" },
	{ "pwd_leak_error", CLASS_FAILURE, "is a leak with an error" },
	{ "pwd_leak_limit", CLASS_ANOMALY, "is a leak and a limit" },
	{ "limit_succeeded", CLASS_LIMIT, "is a limit that succeeded" },
	{ "flow_completed", CLASS_SUCCESS, "is an f that completed" },
	{ "sfail_limit", CLASS_LIMIT, "is an s with a limit" },
	{ "flimit", CLASS_LIMIT, "is an f with a limit" },
};

static void
test_rule(void)
{
	size_t i;

	for (i = 0; i < ROWS(unknown); i++)
		is_str(catalog_class_name(catalog_class(unknown[i].code)),
		    catalog_class_name(unknown[i].class),
		    "an unknown code that %s: %s", unknown[i].title,
		    catalog_class_name(unknown[i].class));
}

static bool
is_alert(enum event_class class)
{
	return class == CLASS_FAILURE || class == CLASS_LIMIT ||
	    class == CLASS_ANOMALY;
}

/* The class of before + code + after, which the table must not have. */
static enum event_class
class_within(const char *before, const char *code, const char *after)
{
	struct buf text = BUF_INIT;
	enum event_class class;

	buf_addf(&text, "%s%s%s", before, code, after);
	if (catalog_find(buf_text(&text)))
		printf("Bail out! %s is a known code\n", buf_text(&text));
	class = catalog_class(buf_text(&text));
	buf_release(&text);
	return class;
}

/*
 * What the rule alone says of a code that the table has. Letters before it
 * hide the table and the beginnings, letters behind it the table and the
 * endings; beginnings come last in the rule.
 */
static enum event_class
class_by_rule(const char *code)
{
	enum event_class class = class_within("zz", code, "");

	return class != CLASS_NOTICE ? class : class_within("", code, "zz");
}

static void
test_rule_on_table(void)
{
	const struct event_type *types;
	struct buf wrong = BUF_INIT;
	size_t count, i;

	types = catalog_types(&count);
	for (i = 0; i < count; i++)
		if (is_alert(types[i].class) !=
		    is_alert(class_by_rule(types[i].code)))
			buf_addf(&wrong, "%s ", types[i].code);
	is_str(buf_text(&wrong), "too_many_records ", "of the known codes "
	    "the rule alone misjudges the alert-worthiness of one");
	buf_release(&wrong);
}

/* ---------------------------------------------------------- classes */

static void
test_classes(void)
{
	static const char *const names[CLASSES] = {
		[CLASS_NOTICE] = "notice",
		[CLASS_FAILURE] = "failure",
		[CLASS_LIMIT] = "limit",
		[CLASS_ANOMALY] = "anomaly",
		[CLASS_WARNING] = "warning",
		[CLASS_SUCCESS] = "success",
	};
	enum event_class class;
	int i;

	for (i = 0; i < CLASSES; i++) {
		class = (enum event_class)((i + 1) % CLASSES);
		is_str(catalog_class_name((enum event_class)i), names[i],
		    "there is a class %s", names[i]);
		ok(catalog_class_find(names[i], &class) && (int)class == i,
		    "and it is found by its name");
	}
	class = CLASS_LIMIT;
	ok(!catalog_class_find("Failure", &class) &&
	    !catalog_class_find("fail", &class) &&
	    !catalog_class_find("failures", &class) &&
	    !catalog_class_find("", &class),
	    "what is not the name of a class is not found");
	ok(class == CLASS_LIMIT, "and leaves the result alone");
}

int
main(void)
{
	test_rows();
	test_order();
	test_names();
	test_unknown();
	test_rule();
	test_rule_on_table();
	test_classes();
	return done_testing();
}
