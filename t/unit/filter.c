/* SPDX-License-Identifier: ISC */
/* The FILTER language. */
#include "event/filter.h"

#include "tap.h"

#include <string.h>

/* The data of events, without their types. */
static const char nothing[] = "{}";
static const char load_client[] = "{\"client_id\":\"loadtest-7\","
    "\"client_name\":\"Load, test\"}";
static const char real_client[] = "{\"client_id\":\"AbC123\",\"connection\":"
    "\"Users\",\"ip\":\"10.0.0.1\"}";
static const char deep[] = "{\"details\":{\"error\":{\"message\":\"boom\"},"
    "\"code\":42,\"ok\":false,\"none\":null,\"in-part\":\"x\",\"empty\":\"\","
    "\"scope\":[\"openid\",\"delete:users\",7,[true]],\"tries\":[{\"by\":"
    "\"sms\"},{\"by\":\"push\"}]},\"isMobile\":true,\"number\":"
    "12345678901234567890}";

static void
want(void *record, const char *path)
{
	pick_want(record, path, PRUNE_ITEMS);
}

/* A record of this data, about which the filter may ask. It is borrowed. */
static struct pick *
record_of(const struct filter *f, const char *data)
{
	struct pick *record = pick_new(0);
	struct scan s = { 0 };
	enum prune_stop stop;
	const char *why;

	filter_each_field(f, want, record);
	pick_begin(record, &s, false);
	pick_read(record, &s, data, strlen(data), &stop, &why);
	scan_release(&s);
	return record;
}

static bool
keeps(const struct filter *f, const char *code, const char *data)
{
	struct pick *record = record_of(f, data);
	bool kept = filter_keeps(f, code, record);

	pick_free(record);
	return kept;
}

/* ------------------------------------------------------- what is kept */

static const struct {
	const char *filter;
	const char *code;
	const char *data;
	bool kept;
	const char *title;
} cases[] = {
	/* Classes. */
	{ FILTER_DEFAULT, "f", nothing, true, "the default keeps a failure" },
	{ FILTER_DEFAULT, "api_limit", nothing, true,
	    "the default keeps a limit" },
	{ FILTER_DEFAULT, "limit_wc", nothing, true,
	    "the default keeps an anomaly" },
	{ FILTER_DEFAULT, "s", nothing, false,
	    "the default drops a success" },
	{ FILTER_DEFAULT, "w", nothing, false,
	    "the default drops a warning" },
	{ FILTER_DEFAULT, "du", nothing, false,
	    "the default drops a notice" },
	{ FILTER_DEFAULT, "flows_execution_completed", nothing, false,
	    "the default goes by the class, not by the first letter" },
	{ FILTER_DEFAULT, "brand_new_failed", nothing, true,
	    "an unknown code is judged by its spelling" },
	{ "warning", "w", nothing, true, "warning keeps a warning" },
	{ "notice", "du", nothing, true, "notice keeps a notice" },
	{ "success", "s", nothing, true, "success keeps a success" },
	{ "failure", "api_limit", nothing, false,
	    "failure does not keep a limit" },

	/* Type codes. */
	{ "fu", "fu", nothing, true, "a code matches itself" },
	{ "fu", "fui", nothing, false, "and not one that begins so" },
	{ "fu", "f", nothing, false, "nor a shorter one" },
	{ "*", "anything", nothing, true, "* matches every code" },
	{ "f*", "f", nothing, true, "f* matches f" },
	{ "f*", "forms_submission_succeeded", nothing, true,
	    "f* goes by the spelling, whatever the class" },
	{ "f*", "du", nothing, false, "f* does not match du" },
	{ "*limit*", "gd_otp_rate_limit_exceed", nothing, true,
	    "a glob may match the middle" },
	{ "f?", "fp", nothing, true, "? is one sign" },
	{ "f?", "f", nothing, false, "? is not none" },
	{ "f?", "fpr", nothing, false, "? is not two" },
	{ "f[cp]", "fp", nothing, true, "a set matches one of its signs" },
	{ "f[cp]", "fs", nothing, false, "and no other" },
	{ "f[a-d]", "fc", nothing, true, "a set may have a range" },
	{ "f[!cp]", "fs", nothing, true, "a set may be turned round by !" },
	{ "f[!cp]", "fp", nothing, false, "and then matches the others" },
	{ "f[!!]", "fp", nothing, true, "a set turned round may be of a sign" },
	{ "f[^!]*[!^]", "fpx", nothing, true, "or of the other one" },
	{ "limit_wc", "limit_wc", nothing, true, "_ is a sign like others" },
	{ "brand_new", "brand_new", nothing, true,
	    "a code that the catalogue does not have is one" },
	{ "f[A-Z]", "fS", nothing, true, "capitals stand in sets" },

	/* Order: the last term that matches decides. */
	{ "failure -fsa", "fsa", nothing, false, "- excludes a code" },
	{ "failure -fsa", "fs", nothing, true, "and no other" },
	{ "failure -fsa f*", "fsa", nothing, true,
	    "a later term takes it back in" },
	{ "fsa s -failure", "fsa", nothing, false,
	    "a class may exclude an earlier code" },
	{ "failure -f* fu", "fu", nothing, true, "three terms, the last one "
	    "fits" },
	{ "failure -f* fu", "fp", nothing, false, "three terms, the second "
	    "is the last that fits" },
	{ "failure -f* fu", "gd_auth_failed", nothing, true,
	    "three terms, only the first fits" },
	{ "failure -f* fu", "s", nothing, false, "three terms, none fits" },

	/* A first term that excludes starts from everything. */
	{ "-success", "du", nothing, true, "-success keeps the others" },
	{ "-success", "s", nothing, false, "-success drops a success" },
	{ "-success -notice", "w", nothing, true,
	    "two exclusions keep the rest" },
	{ "-success -notice", "du", nothing, false,
	    "the second exclusion counts" },
	{ "-success ss", "ss", nothing, true,
	    "what was excluded can be taken back in" },
	{ "-success ss", "du", nothing, true, "and the rest stays" },
	{ "failure -success", "du", nothing, false,
	    "an exclusion behind the first term does not start from "
	    "everything" },

	/* Separators. */
	{ "failure,limit", "api_limit", nothing, true,
	    "a comma separates" },
	{ " ,failure , ,\tlimit, ", "api_limit", nothing, true,
	    "separators may stand together and at the ends" },

	/* Fields. */
	{ "client_id=load*", "s", load_client, true,
	    "a field is matched by a glob" },
	{ "client_id=load*", "s", real_client, false,
	    "one of another value is not" },
	{ "client_id=load*", "f", nothing, false,
	    "a field that is not there matches nothing" },
	{ "client_id=*", "f", nothing, false, "not even *" },
	{ "-client_id=*", "f", nothing, true,
	    "nor is an event without it excluded" },
	{ "failure -client_id=load*", "f", load_client, false,
	    "a field excludes" },
	{ "failure -client_id=load*", "f", real_client, true,
	    "and leaves others in" },
	{ "failure -client_id=load* fu", "fu", load_client, true,
	    "a type behind it decides again" },
	{ "connection=Users", "s", real_client, true,
	    "a field may be given whole" },
	{ "connection=users", "s", real_client, false,
	    "capitals count in fields" },
	{ "ip=10.0.0.?", "s", real_client, true,
	    "a field's glob may hold other signs" },
	{ "ip=10[.]0[.]0[.]1", "s", real_client, true,
	    "and sets" },
	{ "client_name=Load?*test", "s", load_client, true,
	    "? and * stand for the separators that a term cannot hold" },
	{ "details.error.message=b*", "s", deep, true,
	    "a field may be within others" },
	{ "details.error.message=x", "s", deep, false,
	    "one of another value is not matched" },
	{ "details.error=*", "s", deep, false, "an object has no text" },
	{ "details.error.message.x=*", "s", deep, false,
	    "nothing is within a text" },
	{ "details.code=42", "s", deep, true, "a number has its digits" },
	{ "number=12345678901234567890", "s", deep, true, "all of them" },
	{ "details.ok=false", "s", deep, true, "false is a text" },
	{ "isMobile=true", "s", deep, true, "and so is true" },
	{ "details.none=*", "s", deep, false, "null is none" },
	{ "details.empty=*", "s", deep, false, "an empty text is none" },
	{ "details.in-part=x", "s", deep, true,
	    "a hyphen may stand in a name" },
	{ "details.scope=delete:*", "s", deep, true, "any item counts" },
	{ "details.scope=7", "s", deep, true, "be it a number" },
	{ "details.scope=true", "s", deep, true, "or in another array" },
	{ "details.scope=update:*", "s", deep, false, "when none fits" },
	{ "details.tries.by=push", "s", deep, true,
	    "an array may be on the way" },

	/* Several in one term. */
	{ "failure&client_id=load*", "f", load_client, true,
	    "a class and a field" },
	{ "failure&client_id=load*", "s", load_client, false,
	    "not another class" },
	{ "failure&client_id=load*", "f", real_client, false,
	    "nor another field" },
	{ "failure -f&client_id=load*", "f", load_client, false,
	    "a code and a field exclude together" },
	{ "failure -f&client_id=load*", "fp", load_client, true,
	    "another code stays" },
	{ "failure -f&client_id=load*", "f", real_client, true,
	    "another field, too" },
	{ "details.code=42&details.ok=false&isMobile=true", "s", deep, true,
	    "three fields" },
	{ "details.code=42&details.ok=true", "s", deep, false,
	    "of which one does not fit" },
	{ "f*&*p", "fp", nothing, true, "two globs" },
	{ "f*&*p", "fu", nothing, false, "of which one does not fit" },
	{ "failure -failure&connection=Users connection=Users&ip=10.*", "f",
	    real_client, true, "later ones decide" },
	{ "client_name=A[&]B", "s", "{\"client_name\":\"A&B\"}", true,
	    "a set may hold an &" },
};

static void
test_cases(void)
{
	struct buf why = BUF_INIT;
	struct filter *f;
	size_t i;

	for (i = 0; i < ROWS(cases); i++) {
		buf_clear(&why);
		f = filter_new(cases[i].filter, &why);
		if (!ok(f && why.len == 0 && keeps(f, cases[i].code,
		    cases[i].data) == cases[i].kept, "%s: %s",
		    cases[i].filter, cases[i].title))
			diag("%s", f ? "judged wrongly" : buf_text(&why));
		filter_free(f);
	}
	buf_release(&why);
}

/* A plain reading of the rule, to check long filters against. */
static void
test_last_match_decides(void)
{
	static const char *const terms[] = {
		"failure", "-failure", "success", "-success", "fu", "-fu",
		"f*", "-s*",
	};
	static const bool hits_fu[] = { 1, 1, 0, 0, 1, 1, 1, 0 };
	struct buf text = BUF_INIT, why = BUF_INIT;
	struct filter *f;
	unsigned i, n, bad = 0;
	bool want, kept;

	for (i = 0; i < 8 * 8 * 8; i++) {
		const unsigned pick[] = { i / 64, i / 8 % 8, i % 8 };

		buf_clear(&text);
		want = terms[pick[0]][0] == '-';
		for (n = 0; n < 3; n++) {
			buf_addf(&text, "%s ", terms[pick[n]]);
			if (hits_fu[pick[n]])
				want = terms[pick[n]][0] != '-';
		}
		f = filter_new(buf_text(&text), &why);
		/* None: it could keep nothing. */
		kept = f && filter_keeps(f, "fu", NULL);
		bad += kept != want;
		filter_free(f);
	}
	is_num(bad, 0, "in all filters of three terms the last that matches "
	    "decides");
	buf_release(&text);
	buf_release(&why);
}

/* ------------------------------------------------------------- errors */

#define NEITHER(word) "\"" word "\" is not a filter term: it is neither a " \
	"class (failure limit anomaly warning notice success) nor a type " \
	"code or glob such as f*"
#define NO_FIELD(word) "\"" word "\" is not a filter term: it takes the " \
	"name of a field, =, and a glob"
#define NO_TERM "the filter has no term"
#define INSTEAD(word, what) "\"" word "\" is not a filter term: " what
#define MEANT(word, what) INSTEAD(word, "did you mean " what "?")
#define ALL(word) INSTEAD(word, "write * for every event")
#define NONE(word) INSTEAD(word, "to send a destination nothing, remove its " \
	"webhook")
#define KEEPS_NOTHING "no event can pass it: its terms exclude all that " \
	"they include"

static const struct {
	const char *filter;
	const char *why;
} errors[] = {
	{ "", NO_TERM },
	{ " ,\t, ", NO_TERM },
	{ "failure!", MEANT("failure!", "failure") },
	{ "failure limit! -x", MEANT("limit!", "limit") },
	{ "-", NEITHER("-") },
	{ "--fsa", MEANT("--fsa", "fsa") },
	{ "+fsa", MEANT("+fsa", "fsa") },
	{ "f-g", NEITHER("f-g") },
	{ "f^", NEITHER("f^") },
	{ "f;g", NEITHER("f;g") },
	{ "f.*", NEITHER("f.*") },
	{ "\"f\"", NEITHER("\\x22f\\x22") },
	{ "f|g", NEITHER("f|g") },
	{ "f\\*", NEITHER("f\\x5c*") },
	{ "f[", NEITHER("f[") },
	{ "f[ab", NEITHER("f[ab") },
	{ "f[]", NEITHER("f[]") },
	{ "f[!]", NEITHER("f[!]") },
	{ "f]", NEITHER("f]") },
	{ "f[a]b[", NEITHER("f[a]b[") },
	{ "a-b[cd]", NEITHER("a-b[cd]") },
	{ "[cd]a-b", NEITHER("[cd]a-b") },
	{ "fu]x[a]", NEITHER("fu]x[a]") },
	{ "-f[", NEITHER("-f[") },
	{ "\xC3\xBC", NEITHER("\xC3\xBC") },
	{ "f\n\x1B[31m", NEITHER("f\\x0a\\x1b[31m") },
	{ "client_id=", NO_FIELD("client_id=") },
	{ "=load*", NO_FIELD("=load*") },
	{ "=", NO_FIELD("=") },
	{ "-client_id=", NO_FIELD("-client_id=") },
	{ "client'id=x", NO_FIELD("client'id=x") },
	{ "details.=x", NO_FIELD("details.=x") },
	{ ".details=x", NO_FIELD(".details=x") },
	{ "details..error=x", NO_FIELD("details..error=x") },
	{ "details.er ror=x", NEITHER("details.er") },
	{ "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q=x",
	    NO_FIELD("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q=x") },
	{ "failure&", NEITHER("failure&") },
	{ "&failure", NEITHER("&failure") },
	{ "failure&&limit", NEITHER("failure&&limit") },
	{ "failure&-fu", MEANT("failure&-fu", "fu") },
	{ "failure&errors", MEANT("failure&errors", "failure") },
	{ "failure&client_id=", NO_FIELD("failure&client_id=") },
	{ "client_id=[x", NO_FIELD("client_id=[x") },
	{ "failure client_id=a b! c!", NEITHER("b!") },

	/* Words that look like codes, and would keep nothing. */
	{ "on", ALL("on") },
	{ "yes", ALL("yes") },
	{ "true", ALL("true") },
	{ "all", ALL("all") },
	{ "-ALL", ALL("-ALL") },
	{ "everything", ALL("everything") },
	{ "enabled", ALL("enabled") },
	{ "1", ALL("1") },
	{ "off", NONE("off") },
	{ "no", NONE("no") },
	{ "false", NONE("false") },
	{ "none", NONE("none") },
	{ "0", NONE("0") },
	{ "default", INSTEAD("default", "for the default, failure limit "
	    "anomaly, remove the key") },
	{ "error", MEANT("error", "failure") },
	{ "errors", MEANT("errors", "failure") },
	{ "failures", MEANT("failures", "failure") },
	{ "failed", MEANT("failed", "failure") },
	{ "failure limits", MEANT("limits", "limit") },
	{ "anomalies", MEANT("anomalies", "anomaly") },
	{ "warnings", MEANT("warnings", "warning") },
	{ "notices", MEANT("notices", "notice") },
	{ "successes", MEANT("successes", "success") },

	/* Nearly a class. */
	{ "Failure", MEANT("Failure", "failure") },
	{ "faliure", MEANT("faliure", "failure") },
	{ "failure -anomoly", MEANT("-anomoly", "anomaly") },
	{ "limt", MEANT("limt", "limit") },

	/* No code begins or looks so. */
	{ "FU", MEANT("FU", "fu") },
	{ "9fu", MEANT("9fu", "fu") },
	{ "_fu_", NEITHER("_fu_") },
	{ "42", NEITHER("42") },
	{ "F*", NEITHER("F*") },

	/* What keeps nothing, whatever comes. */
	{ "-*", KEEPS_NOTHING },
	{ "failure -*", KEEPS_NOTHING },
	{ "failure -failure", KEEPS_NOTHING },
	{ "fu -f*", KEEPS_NOTHING },
	{ "brand_new -brand_new", KEEPS_NOTHING },
	{ "brand_new* -brand*", KEEPS_NOTHING },
	{ "-[!a]* -a*", KEEPS_NOTHING },
	{ "-failure -limit -anomaly -warning -notice -success",
	    KEEPS_NOTHING },
	{ "client_id=x -*", KEEPS_NOTHING },
	{ "client_id=x -client_id=x", KEEPS_NOTHING },
	{ "client_id=x -client_id=**", KEEPS_NOTHING },
	{ "failure&limit", KEEPS_NOTHING },
	{ "failure&s", KEEPS_NOTHING },
	{ "failure&client_id=x -client_id=x", KEEPS_NOTHING },
	{ "failure&client_id=x -failure", KEEPS_NOTHING },
	{ "failure&client_id=x -client_id=*&failure", KEEPS_NOTHING },
	{ "client_id=x&ip=y -ip=y", KEEPS_NOTHING },
	{ "fu&client_id=x -f*&ip=* -failure&client_id=*", KEEPS_NOTHING },
};

/* Near to those that keep nothing, and good. */
static const char *const keepers[] = {
	"-failure", "-failure -limit", "failure -f*", "failure -fu -fp",
	"-* fu", "failure -* f*", "brand_new", "brand_new* -brand_new",
	"brand_new_* -notice", "xyz_[a-c]?", "xyz[!a-z] -x",
	"-[!a]* -a", "client_id=x -client_id=y", "client_id=x -ip=*",
	"-* client_id=x", "client_id=x -failure", "-client_id=*",
	"a[-]b", "failure&client_id=x -client_id=y",
	"failure&client_id=x -limit&client_id=x",
	"client_id=x -client_id=x&ip=y", "brand_new&client_id=x",
	"brand_*&*_new", "client_id=x&ip=y -ip=z",
};

static void
test_keepers(void)
{
	struct buf why = BUF_INIT;
	struct filter *f;
	size_t i;

	for (i = 0; i < ROWS(keepers); i++) {
		buf_clear(&why);
		f = filter_new(keepers[i], &why);
		if (!ok(f, "\"%s\" can keep something", keepers[i]))
			diag("%s", buf_text(&why));
		filter_free(f);
	}
	buf_release(&why);
}

/* No word of people's is a code, so that every code can be written. */
static void
test_every_code(void)
{
	const struct event_type *types;
	struct buf why = BUF_INIT;
	size_t i, count, bad = 0;
	struct filter *f;

	types = catalog_types(&count);
	for (i = 0; i < count; i++) {
		f = filter_new(types[i].code, &why);
		if (f)
			filter_doubts(f, &why);
		bad += !f || why.len > 0;
		filter_free(f);
	}
	if (!is_num((long long)bad, 0, "every code of the catalogue is a "
	    "filter, without doubt"))
		diag("%s", buf_text(&why));
	buf_release(&why);
}

static void
test_errors(void)
{
	struct buf why = BUF_INIT;
	struct filter *f;
	size_t i;

	for (i = 0; i < ROWS(errors); i++) {
		buf_clear(&why);
		f = filter_new(errors[i].filter, &why);
		ok(!f, "\"%s\" is no filter", errors[i].filter);
		is_str(buf_text(&why), errors[i].why, "and the reason says "
		    "why");
		filter_free(f);
	}
	filter_free(NULL);
	buf_release(&why);
}

/* ------------------------------------------------------------- doubts */

#define NO_TYPE(word, what) "\"" word "\" is no event type of the " \
	"catalogue: " what "\n"
#define NEW "it is right only if Auth0 has it new"
#define ONE_NEW " no event type of the catalogue: it is right only if " \
	"Auth0 has one new\n"

static const struct {
	const char *filter;
	const char *doubts;
	const char *title;
} doubts[] = {
	{ FILTER_DEFAULT, "", "the default raises no doubt" },
	{ "f* -fsa limit_wc", "", "known codes raise none" },
	{ "fux f*", NO_TYPE("fux", "did you mean fu?"),
	    "a code that is not known is named, with the nearest" },
	{ "-fux", NO_TYPE("fux", "did you mean fu?"),
	    "so is one that is excluded, without its sign" },
	{ "gd_auth_faild", NO_TYPE("gd_auth_faild",
	    "did you mean gd_auth_failed?"), "in a longer one two letters "
	    "may be wrong" },
	{ "brand_new", NO_TYPE("brand_new", NEW),
	    "one that is near to none may be new" },
	{ "q", NO_TYPE("q", NEW), "a single letter is near to none" },
	{ "zz* failure q?", "\"zz*\" matches" ONE_NEW "\"q?\" matches"
	    ONE_NEW, "each on a line, in order" },
	{ "nosuch=field", "", "fields are not doubted" },
	{ "f[x-z]", "\"f[x-z]\" matches" ONE_NEW,
	    "a set that fits no code is named" },
};

static void
test_doubts(void)
{
	struct buf out = BUF_INIT;
	struct filter *f;
	size_t i;

	for (i = 0; i < ROWS(doubts); i++) {
		buf_clear(&out);
		f = filter_new(doubts[i].filter, &out);
		if (f)
			filter_doubts(f, &out);
		is_str(buf_text(&out), doubts[i].doubts, "%s: %s",
		    doubts[i].filter, doubts[i].title);
		filter_free(f);
	}
	buf_release(&out);
}

static void
note_field(void *out, const char *name)
{
	buf_addf(out, "%s ", name);
}

static void
test_each_field(void)
{
	struct buf out = BUF_INIT;
	struct filter *f;

	f = filter_new("failure -client_id=load* f*&a.b=c ip=10.*&client_id=x",
	    &out);
	filter_each_field(f, note_field, &out);
	is_str(buf_text(&out), "client_id a.b ip client_id ", "the fields "
	    "that a filter looks at are known");
	filter_free(f);
	buf_release(&out);
}

/* ------------------------------------------------------ who decides */

static const struct {
	const char *filter;
	const char *code;
	const char *data;
	const char *term;	/* NULL: none */
} deciding[] = {
	{ "failure -fu", "fp", nothing, "failure" },
	{ "failure -fu", "fu", nothing, "-fu" },
	{ "failure -fu", "s", nothing, NULL },
	{ "-s", "fu", nothing, NULL },
	{ "failure f*&client_id=load* fp", "fu", load_client,
	    "f*&client_id=load*" },
	{ "failure f*&client_id=load* fp", "fu", real_client, "failure" },
	{ "failure f*&client_id=load* fp", "fp", load_client, "fp" },
};

static void
test_deciding(void)
{
	struct buf why = BUF_INIT;
	struct pick *record;
	struct filter *f;
	size_t i;

	for (i = 0; i < ROWS(deciding); i++) {
		f = filter_new(deciding[i].filter, &why);
		record = record_of(f, deciding[i].data);
		is_str(filter_deciding_term(f, deciding[i].code, record),
		    deciding[i].term, "of \"%s\" the term that decides on %s",
		    deciding[i].filter, deciding[i].code);
		pick_free(record);
		filter_free(f);
	}
	buf_release(&why);
}

/*
 * A record that the type decides on is not looked into. It would end the
 * program here: the record has not been read.
 */
static void
test_cheap(void)
{
	static const struct {
		const char *filter;
		const char *code;
		bool kept;
	} cheap[] = {
		{ "failure -client_id=x", "s", false },
		{ "failure client_id=x", "f", true },
		{ "client_id=x failure", "f", true },
		{ "s client_id=x -f*", "f", false },
		{ "-client_id=x failure", "f", true },
		{ "-s -s&client_id=x", "s", false },
		{ "failure client_id=x&limit -ip=y&s", "f", true },
	};
	struct buf why = BUF_INIT;
	struct pick *record;
	struct filter *f;
	size_t i;

	for (i = 0; i < ROWS(cheap); i++) {
		buf_clear(&why);
		f = filter_new(cheap[i].filter, &why);
		record = pick_new(0);
		filter_each_field(f, want, record);
		ok(filter_keeps(f, cheap[i].code, record) == cheap[i].kept,
		    "\"%s\" decides on %s by its type", cheap[i].filter,
		    cheap[i].code);
		pick_free(record);
		filter_free(f);
	}
	buf_release(&why);
}

int
main(void)
{
	test_cases();
	test_last_match_decides();
	test_errors();
	test_keepers();
	test_every_code();
	test_doubts();
	test_each_field();
	test_deciding();
	test_cheap();
	return done_testing();
}
