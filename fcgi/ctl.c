/* SPDX-License-Identifier: ISC */
/*
 * log-stream-ctl, for people: one table of verbs. It knows how to ask and
 * how to print, and leaves the rest to the library.
 */
#include "catalog.h"
#include "config.h"
#include "filter.h"
#include "relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum exit_status { GOOD = 0, BAD = 1, MISUSE = 2 };

struct verb {
	const char *name;
	const char *arguments;
	const char *help;
	int least, most;	/* arguments after the verb, options left out */
	bool json;		/* takes --json */
	enum exit_status (*run)(const struct config *c, char **arguments,
	    bool json);
	bool needs_config;	/* a bad configuration stops it */
	bool posts;		/* needs a webhook */
};

/* Prints each line of text behind a label. */
static void
print_lines(FILE *to, const char *label, const struct buf *text)
{
	char *lines = mem_dup(buf_text(text)), *line, *rest = NULL;

	for (line = strtok_r(lines, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		fprintf(to, "%s: %s\n", label, line);
	free(lines);
}

/* ------------------------------------------------------------- check */

static enum exit_status
run_check(const struct config *ignored, char **arguments, bool json)
{
	struct buf problems = BUF_INIT, doubts = BUF_INIT, text = BUF_INIT;
	struct config c;
	bool good;

	(void)ignored;
	(void)arguments;
	(void)json;
	good = config_load_to_post(&c, &problems);
	config_files(&c, &text);
	print_lines(stdout, "file", &text);
	buf_clear(&text);
	config_describe(&c, &text);
	printf("%s", buf_text(&text));
	config_doubts(&c, &doubts);
	print_lines(stdout, "warning", &doubts);
	print_lines(stdout, "error", &problems);
	if (good && doubts.len == 0)
		puts("all is well");
	config_release(&c);
	buf_release(&problems);
	buf_release(&doubts);
	buf_release(&text);
	return good ? GOOD : BAD;
}

/* -------------------------------------------------------------- send */

static enum exit_status
run_send(const struct config *c, char **arguments, bool json)
{
	struct post_outcome outcome;

	(void)arguments;
	(void)json;
	relay_send_test(c, &outcome);
	if (outcome.status > 0)
		printf("Slack answered %d: %s\n", outcome.status,
		    outcome.reason);
	else
		printf("no answer: %s\n", outcome.reason);
	return outcome.result == POST_SENT ? GOOD : BAD;
}

/* --------------------------------------------------------------- try */

static enum body_state
read_stdio(void *context, char *bytes, size_t size, size_t *len,
    struct buf *why)
{
	FILE *file = context;

	*len = fread(bytes, 1, size, file);
	if (*len > 0)
		return BODY_MORE;
	if (!ferror(file))
		return BODY_END;
	buf_addf(why, "cannot be read: %s", strerror(errno));
	return BODY_BAD;
}

static void
print_counts(const struct event_counts *n)
{
	fprintf(stderr, "records: %lu, unusable: %lu, filtered out: %lu, "
	    "to send: %lu\n", n->records, n->unusable,
	    n->records - n->unusable - n->kept, n->kept);
}

static enum exit_status
run_try(const struct config *c, char **arguments, bool json)
{
	const char *path = arguments[0];
	bool is_stdin = strcmp(path, "-") == 0, good;
	FILE *file = is_stdin ? stdin : fopen(path, "rb");
	struct request request = { 0 };
	struct event_counts counts = { 0 };
	struct buf out = BUF_INIT, why = BUF_INIT;

	if (!file) {
		fprintf(stderr, "log-stream-ctl: %s: %s\n", path,
		    strerror(errno));
		return BAD;
	}
	request.content_length = -1;
	request.read = read_stdio;
	request.context = file;
	good = relay_try(c, &request, json, &out, &counts, &why);
	if (good) {
		fwrite(buf_text(&out), 1, out.len, stdout);
		print_counts(&counts);
	} else {
		fprintf(stderr, "log-stream-ctl: %s: %s\n", path,
		    buf_text(&why));
	}
	if (!is_stdin)
		fclose(file);
	buf_release(&out);
	buf_release(&why);
	return good ? GOOD : BAD;
}

/* ------------------------------------------------------------- types */

/* The catalogue has no fields, so that field=glob terms match nothing. */
static const char *
no_field(const void *event, const char *field)
{
	(void)event;
	(void)field;
	return NULL;
}

static void
print_types(const struct filter *f)
{
	const struct event_type *types;
	size_t i, count, sent = 0;
	bool keep;

	types = catalog_types(&count);
	for (i = 0; i < count; i++) {
		keep = filter_keeps(f, types[i].code, no_field, NULL);
		sent += keep;
		printf("%-4s  %-8s  %-42s  %s\n", keep ? "send" : "-",
		    catalog_class_name(types[i].class), types[i].code,
		    types[i].name);
	}
	printf("%zu of %zu types are sent\n", sent, count);
}

static enum exit_status
run_types(const struct config *c, char **arguments, bool json)
{
	struct buf why = BUF_INIT;
	struct filter *f;

	(void)json;
	if (!arguments[0]) {
		print_types(c->filter);
		return GOOD;
	}
	f = filter_new(arguments[0], &why);
	if (f)
		print_types(f);
	else
		fprintf(stderr, "log-stream-ctl: FILTER: %s\n",
		    buf_text(&why));
	buf_release(&why);
	filter_free(f);
	return f ? GOOD : MISUSE;
}

/* ------------------------------------------------------------- verbs */

static const struct verb verbs[] = {
	{
		.name = "check",
		.arguments = "",
		.help = "show the configuration and what is wrong with it",
		.run = run_check,
	}, {
		.name = "send",
		.arguments = "",
		.help = "send a test message and print Slack's answer",
		.run = run_send,
		.needs_config = true,
		.posts = true,
	}, {
		.name = "try",
		.arguments = "[--json] FILE|-",
		.help = "show what a request body would send; nothing is sent",
		.least = 1,
		.most = 1,
		.json = true,
		.run = run_try,
		.needs_config = true,
	}, {
		.name = "types",
		.arguments = "[FILTER]",
		.help = "list the event types and which of them are sent",
		.most = 1,
		.run = run_types,
		.needs_config = true,
	},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void
print_usage(FILE *to)
{
	char form[64];
	size_t i;

	fprintf(to, "usage: log-stream-ctl VERB [ARGUMENT]\n\n");
	for (i = 0; i < VERBS; i++) {
		snprintf(form, sizeof(form), "%s %s", verbs[i].name,
		    verbs[i].arguments);
		fprintf(to, "  %-22s  %s\n", form, verbs[i].help);
	}
	fprintf(to, "\n  %-22s  %s\n  %-22s  %s\n", "--help", "show this",
	    "--version", "show the version");
}

static enum exit_status
misuse(const char *what, const char *which)
{
	fprintf(stderr, "log-stream-ctl: %s%s%s\n"
	    "Try 'log-stream-ctl --help'.\n", what, *which ? " " : "", which);
	return MISUSE;
}

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Loads what the verb needs and runs it. */
static enum exit_status
run(const struct verb *verb, char **arguments, bool json)
{
	struct buf problems = BUF_INIT;
	enum exit_status status = BAD;
	struct config c;
	bool good = true;

	if (!verb->needs_config)
		return verb->run(NULL, arguments, json);
	good = (verb->posts ? config_load_to_post : config_load)(&c,
	    &problems);
	print_lines(stderr, "log-stream-ctl", &problems);
	if (good)
		status = verb->run(&c, arguments, json);
	config_release(&c);
	buf_release(&problems);
	return status;
}

/* Takes --json out of the arguments and sees that the rest fits. */
static enum exit_status
run_verb(const struct verb *verb, char **arguments)
{
	char *rest[2] = { NULL, NULL };
	bool json = false;
	int count = 0;

	for (; *arguments; arguments++) {
		if (verb->json && strcmp(*arguments, "--json") == 0)
			json = true;
		else if ((*arguments)[0] == '-' && (*arguments)[1] == '-')
			return misuse("unknown option", *arguments);
		else if (count >= verb->most)
			return misuse("too many arguments to", verb->name);
		else
			rest[count++] = *arguments;
	}
	if (count < verb->least)
		return misuse("too few arguments to", verb->name);
	return run(verb, rest, json);
}

static enum exit_status
run_line(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2)
		return misuse("which verb?", "");
	if (strcmp(argv[1], "--help") == 0) {
		print_usage(stdout);
		return GOOD;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("log-stream-ctl (log-stream-to-slack) " VERSION);
		return GOOD;
	}
	verb = find_verb(argv[1]);
	return verb ? run_verb(verb, argv + 2) :
	    misuse("unknown verb", argv[1]);
}

int
main(int argc, char **argv)
{
	enum exit_status status = run_line(argc, argv);

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "log-stream-ctl: cannot write: %s\n",
	    strerror(errno));
	return status == GOOD ? BAD : status;
}
