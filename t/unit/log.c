/* SPDX-License-Identifier: ISC */
/* The log: quoting, levels, and lines that nobody can forge. */
#include "base/log.h"

#include "base/utf8.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct buf caught;

/* The lines caught since the last call, without the program's name. */
static const char *
lines(void)
{
	static struct buf text;
	char prefix[64];
	const char *line;
	size_t len;

	buf_clear(&text);
	snprintf(prefix, sizeof(prefix), "log-stream-to-slack[%ld]: ",
	    (long)getpid());
	for (line = buf_text(&caught); *line; line += len) {
		len = strcspn(line, "\n") + 1;
		if (strncmp(line, prefix, strlen(prefix)) == 0)
			buf_add(&text, line + strlen(prefix),
			    len - strlen(prefix));
		else
			buf_add(&text, line, len);
	}
	buf_clear(&caught);
	return buf_text(&text);
}

static const char *
line_of(const char *value)
{
	struct log_line line;

	log_begin(&line, LEVEL_INFO);
	log_str(&line, "v", value);
	log_end(&line);
	return lines();
}

static const struct {
	const char *title;
	const char *value;
	const char *line;
} values[] = {
	{ "a plain word stands bare", "acme-1.eu_x", "info v=acme-1.eu_x\n" },
	{ "so do the plain signs", "a.b_c-d:e/f@g+h|i",
	    "info v=a.b_c-d:e/f@g+h|i\n" },
	{ "no text is two quotes", "", "info v=\"\"\n" },
	{ "a space asks for quotes", "two words", "info v=\"two words\"\n" },
	{ "an equals sign asks for quotes", "a=b", "info v=\"a=b\"\n" },
	{ "a quote is escaped", "say \"x\"",
	    "info v=\"say \\x22x\\x22\"\n" },
	{ "a quote that would end the value and begin a key is escaped",
	    "x\" status=\"200",
	    "info v=\"x\\x22 status=\\x22200\"\n" },
	{ "a backslash is escaped", "a\\x41", "info v=\"a\\x5cx41\"\n" },
	{ "a line feed is escaped", "a\nerror b",
	    "info v=\"a\\x0aerror b\"\n" },
	{ "a carriage return is escaped", "a\rb", "info v=\"a\\x0db\"\n" },
	{ "a tab is escaped", "a\tb", "info v=\"a\\x09b\"\n" },
	{ "an escape sequence is disarmed", "\x1B[31mred",
	    "info v=\"\\x1b[31mred\"\n" },
	{ "DEL is escaped", "\x7F", "info v=\"\\x7f\"\n" },
	{ "the C1 control U+009B is escaped", "a\xC2\x9B" "31m",
	    "info v=\"a\\xc2\\x9b31m\"\n" },
	{ "the first C1 control is escaped", "\xC2\x80",
	    "info v=\"\\xc2\\x80\"\n" },
	{ "the last C1 control is escaped", "\xC2\x9F",
	    "info v=\"\\xc2\\x9f\"\n" },
	{ "U+00A0, the next, is not", "\xC2\xA0", "info v=\"\xC2\xA0\"\n" },
	{ "a line separator is escaped", "\xE2\x80\xA8",
	    "info v=\"\\xe2\\x80\\xa8\"\n" },
	{ "a paragraph separator is escaped", "\xE2\x80\xA9",
	    "info v=\"\\xe2\\x80\\xa9\"\n" },
	{ "a mark that turns the direction of text is escaped",
	    "a\xE2\x80\xAE" "b", "info v=\"a\\xe2\\x80\\xae" "b\"\n" },
	{ "UTF-8 text is shown", "J\xC3\xBCrgen \xF0\x9F\x98\x80",
	    "info v=\"J\xC3\xBCrgen \xF0\x9F\x98\x80\"\n" },
	{ "U+FFFD itself is shown", "\xEF\xBF\xBD",
	    "info v=\"\xEF\xBF\xBD\"\n" },
	{ "bytes that are not UTF-8 are escaped", "a\xFF\x80z",
	    "info v=\"a\\xff\\x80z\"\n" },
	{ "a surrogate is escaped", "\xED\xA0\x80",
	    "info v=\"\\xed\\xa0\\x80\"\n" },
	{ "an overlong form is escaped", "\xC0\xAF",
	    "info v=\"\\xc0\\xaf\"\n" },
	{ "a cut character is escaped", "x\xE2\x82",
	    "info v=\"x\\xe2\\x82\"\n" },
};

static void
test_values(void)
{
	size_t i;

	for (i = 0; i < ROWS(values); i++)
		is_str(line_of(values[i].value), values[i].line, "%s",
		    values[i].title);
}

/* Whatever single byte is logged, the line is one printable line. */
static void
test_every_byte(void)
{
	char value[4] = "a?b";
	const char *line;
	unsigned byte, bad = 0;
	size_t i;

	for (byte = 1; byte < 256; byte++) {
		value[1] = (char)byte;
		line = line_of(value);
		for (i = 0; line[i + 1]; i++)
			bad += (unsigned char)line[i] < 0x20 ||
			    (unsigned char)line[i] > 0x7E;
		bad += i == 0 || line[i] != '\n';
	}
	is_num(bad, 0, "no single byte splits a line or drives a terminal");
}

static void
test_line(void)
{
	struct log_line line;
	char want[64];

	log_begin(&line, LEVEL_WARN);
	log_str(&line, "log_id", "900");
	log_str(&line, "absent", NULL);
	log_num(&line, "status", 200);
	log_num(&line, "least", -9223372036854775807LL - 1);
	log_str(&line, "outcome", "sent");
	is_str(lines(), "", "nothing is written before the end of a line");
	log_end(&line);
	is_str(buf_text(&caught)[0] ? "something" : "", "something",
	    "the end writes it");
	snprintf(want, sizeof(want), "log-stream-to-slack[%ld]: warn ",
	    (long)getpid());
	ok(strncmp(buf_text(&caught), want, strlen(want)) == 0,
	    "a line begins with the program, its process and the level");
	is_str(lines(), "warn log_id=900 status=200 "
	    "least=-9223372036854775808 outcome=sent\n",
	    "members follow in order, and one without a value is left out");
	log_begin(&line, LEVEL_INFO);
	log_end(&line);
	is_str(lines(), "info \n", "a line without members is a line");
}

/* What is between the quotes, or the bare value, of "info v=...\n". */
static size_t
value_length(const char *line)
{
	size_t len = strlen("info v=");

	return line[len] == '"' ? strlen(line) - len - 3 :
	    strlen(line) - len - 1;
}

static bool
is_utf8(const char *text)
{
	struct utf8 u = { 0, 0, 0, 0 };

	for (; *text; text++)
		if (!utf8_step(&u, (unsigned char)*text))
			return false;
	return utf8_between(&u);
}

static void
test_cut(void)
{
	char value[2048];
	size_t n, bad = 0, lead;

	memset(value, 'a', sizeof(value));
	value[500] = '\0';
	is_num((long long)value_length(line_of(value)), 500,
	    "a value of 500 bytes is whole");
	value[500] = 'a';
	value[501] = '\0';
	is_num((long long)value_length(line_of(value)), 500,
	    "one of 501 bytes is cut at 500");
	memset(value, ' ', 600);
	value[600] = '\0';
	is_num((long long)value_length(line_of(value)), 500,
	    "so is one in quotes");
	memset(value, 'a', 500);
	value[500] = ' ';
	ok(line_of(value)[7] == 'a', "what is cut off asks for no quotes");
	for (lead = 0; lead < 4; lead++) {
		memset(value, 'a', lead);
		for (n = lead; n + 4 < 1000; n += 4)
			memcpy(value + n, "\xF0\x9F\x98\x80", 5);
		bad += !is_utf8(line_of(value));
	}
	is_num((long long)bad, 0, "a line cut within a character is still "
	    "UTF-8");
}

static const struct {
	enum log_level level;
	const char *name;
	const char *line;
} levels[] = {
	{ LEVEL_ERROR, "error", "error error=\"a b\"\n" },
	{ LEVEL_WARN, "warn", "warn message=\"a b\"\n" },
	{ LEVEL_INFO, "info", "info message=\"a b\"\n" },
	{ LEVEL_DEBUG, "debug", "debug message=\"a b\"\n" },
};

static void
test_default_level(void)
{
	log_say(LEVEL_DEBUG, "not wanted");
	is_str(lines(), "", "debug lines are dropped unless asked for");
	log_say(LEVEL_INFO, "wanted");
	is_str(lines(), "info message=wanted\n", "info lines are not");
}

static void
test_levels(void)
{
	size_t set, said;
	const char *want;

	for (set = 0; set < ROWS(levels); set++) {
		log_set_level(levels[set].level);
		for (said = 0; said < ROWS(levels); said++) {
			want = said <= set ? levels[said].line : "";
			log_say(levels[said].level, "%s %s", "a", "b");
			is_str(lines(), want, "at level %s a line of level "
			    "%s is %s", levels[set].name, levels[said].name,
			    said <= set ? "written" : "dropped");
			ok(log_wants(levels[said].level) == (said <= set),
			    "and log_wants says so");
		}
	}
	log_set_level(LEVEL_INFO);
}

static void
test_say(void)
{
	log_say(LEVEL_ERROR, "%s:%d: unknown key \"%s\"", "x.conf", 12,
	    "chanel");
	is_str(lines(), "error error=\"x.conf:12: unknown key "
	    "\\x22chanel\\x22\"\n", "a sentence is one escaped member");
}

static void
test_escape(void)
{
	struct buf out = BUF_INIT;

	buf_adds(&out, "> ");
	log_escape(&out, "a b\"\0\x1B\xC3\xBC\xFF", 9);
	is_str(buf_text(&out), "> a b\\x22\\x00\\x1b\xC3\xBC\\xff",
	    "log_escape adds text as it stands in quotes, NUL bytes too");
	buf_clear(&out);
	log_escape(&out, "abc", 0);
	is_str(buf_text(&out), "", "no text gives none");
	log_quote(&out, "a \"b\"\n", 5);
	is_str(buf_text(&out), "\"a \\x22b\\x22\"", "log_quote puts quotes "
	    "around it");
	buf_release(&out);
}

/* The line as it arrives on descriptor 2. */
static void
test_stderr(void)
{
	struct buf text = BUF_INIT;
	char want[64], got[256];
	ssize_t n;
	int ends[2], saved = dup(STDERR_FILENO);

	fflush(stdout);
	if (saved < 0 || pipe(ends) < 0)
		abort();
	dup2(ends[1], STDERR_FILENO);
	log_to(NULL, NULL);
	log_say(LEVEL_INFO, "hello");
	log_catch(&caught);
	dup2(saved, STDERR_FILENO);
	close(ends[1]);
	while ((n = read(ends[0], got, sizeof(got))) > 0)
		buf_add(&text, got, (size_t)n);
	close(ends[0]);
	close(saved);
	snprintf(want, sizeof(want),
	    "log-stream-to-slack[%ld]: info message=hello\n", (long)getpid());
	is_str(buf_text(&text), want, "without a writer lines go to standard "
	    "error, with a line end");
	is_str(lines(), "", "and to no writer named before");
	buf_release(&text);
}

/* ------------------------------------------------------------- a file */

/* The lines of a file, each without its time and the program's name. */
static const char *
file_lines(const char *path)
{
	static const char digits[] = "dddd-dd-ddTdd:dd:ddZ ";
	struct buf text = BUF_INIT;
	const char *line;
	size_t i;

	file_read(path, &text);
	for (line = buf_text(&text); *line; line += strcspn(line, "\n") + 1) {
		for (i = 0; digits[i]; i++)
			if (digits[i] == 'd' ? line[i] < '0' || line[i] > '9' :
			    line[i] != digits[i])
				return "a line without a time\n";
		buf_add(&caught, line + i, strcspn(line + i, "\n") + 1);
	}
	buf_release(&text);
	return lines();
}

static void
test_file(void)
{
	char path[] = "x.log";
	struct stat info;

	log_to_file(path);
	path[0] = 'y';
	log_say(LEVEL_INFO, "one");
	log_catch(&caught);
	log_say(LEVEL_WARN, "two");
	is_str(lines(), "", "while there is a file no writer is written to");
	is_str(file_lines("x.log"), "info message=one\nwarn message=two\n",
	    "lines are appended to it, each with its time before it");
	ok(stat("x.log", &info) == 0 && (info.st_mode & 0777) == 0640,
	    "it can be read by its owner and group");
	rename("x.log", "x.log.1");
	log_say(LEVEL_INFO, "three");
	is_str(file_lines("x.log"), "info message=three\n", "when it is moved "
	    "away another is made");
	log_say(LEVEL_DEBUG, "four");
	is_str(file_lines("x.log"), "info message=three\n", "levels hold for "
	    "it too");
	log_to_file(NULL);
	log_say(LEVEL_INFO, "five");
	is_str(lines(), "info message=five\n", "then lines go to the writer "
	    "again that was last named");
}

/* What cannot be appended to is not waited for, and no line is lost. */
static void
test_no_file(void)
{
	static const char *const paths[] = {
		"link", "dangling", "fifo", "directory", "absent/x.log",
		"/dev/full", "open.log",
	};
	size_t i;

	if (symlink("x.log", "link") < 0 || symlink("z.log", "dangling") < 0 ||
	    mkfifo("fifo", 0600) < 0 || mkdir("directory", 0700) < 0)
		abort();
	file_write("open.log", "", 0, 0602); /* anybody may write there */
	for (i = 0; i < ROWS(paths); i++) {
		log_to_file(paths[i]);
		log_say(LEVEL_INFO, "kept");
		is_str(lines(), "info message=kept\n", "a line that %s does "
		    "not take goes to the writer", paths[i]);
	}
	is_str(file_lines("x.log"), "info message=three\n", "no link was "
	    "followed");
	ok(access("z.log", F_OK) < 0, "to nowhere either");
	test_stderr();
	log_to_file(NULL);
}

int
main(void)
{
	scratch_enter();
	umask(0);
	log_catch(&caught);
	test_default_level();
	test_values();
	test_every_byte();
	test_line();
	test_cut();
	test_levels();
	test_say();
	test_escape();
	test_stderr();
	test_file();
	test_no_file();
	buf_release(&caught);
	return done_testing();
}
