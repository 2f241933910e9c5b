/* SPDX-License-Identifier: ISC */
/* Files of KEY=value lines. */
#include "config/envfile.h"

#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------- lines */

/* Each setting as name=[value]@origin, a line each. */
static void
take(void *context, const char *name, const char *value, const char *origin,
    struct buf *why)
{
	buf_addf(context, "%s=[%s]@%s\n", name, value, origin);
	if (strcmp(name, "BAD") == 0)
		buf_addf(why, "\"%s\" is bad", value);
}

static const struct {
	const char *title;
	const char *text;
	const char *settings;
	const char *problems;
} files[] = {
	{ "an empty file has no setting", "", "", "" },
	{ "a line is a setting", "KEY=value\n", "KEY=[value]@f:1\n", "" },
	{ "the last line may lack its end", "A=1\nB=2",
	    "A=[1]@f:1\nB=[2]@f:2\n", "" },
	{ "blank lines and comments count as lines",
	    "\n# A=1\n ; B=2\n \t\nC=3\n", "C=[3]@f:5\n", "" },
	{ "lines may end in CRLF", "A=1\r\n\r\nB=\"2\"\r\n",
	    "A=[1]@f:1\nB=[2]@f:3\n", "" },
	{ "white space around a line and a value does not count",
	    " \tA= \t1 2\t \n", "A=[1 2]@f:1\n", "" },
	{ "a value may be empty", "A=\nB= \nC=\"\"\nD=''\n",
	    "A=[]@f:1\nB=[]@f:2\nC=[]@f:3\nD=[]@f:4\n", "" },
	{ "a value may hold = and #", "A=b=c #d\n", "A=[b=c #d]@f:1\n", "" },
	{ "single quotes keep all that is in them",
	    "A=' \\n\"$x '\n", "A=[ \\n\"$x ]@f:1\n", "" },
	{ "double quotes keep white space", "A=\" b \"\n", "A=[ b ]@f:1\n",
	    "" },
	{ "in double quotes \\ stands before \" \\ $ and `",
	    "A=\"\\\"\\\\\\$\\`\"\n", "A=[\"\\$`]@f:1\n", "" },
	{ "before another letter it is itself", "A=\"\\n\\x\"\n",
	    "A=[\\n\\x]@f:1\n", "" },
	{ "quotes within a bare value are part of it", "A=b\"c\"'d'\n",
	    "A=[b\"c\"'d']@f:1\n", "" },
	{ "a name has letters, digits and _", "aZ_9=1\n", "aZ_9=[1]@f:1\n",
	    "" },
	{ "a value may hold UTF-8", "A=\xC3\xBC\n", "A=[\xC3\xBC]@f:1\n",
	    "" },
	{ "a key given twice is given twice", "A=1\nA=2\n",
	    "A=[1]@f:1\nA=[2]@f:2\n", "" },

	{ "a line without = is wrong", "A\n", "",
	    "f:1: the line is not KEY=value\n" },
	{ "a line without a name is wrong", "=x\n", "",
	    "f:1: the line is not KEY=value\n" },
	{ "a space before = is wrong", "A =x\n", "",
	    "f:1: the line is not KEY=value\n" },
	{ "export is wrong", "export A=x\n", "",
	    "f:1: the line is not KEY=value\n" },
	{ "a name with another sign is wrong", "A-B=x\n", "",
	    "f:1: the line is not KEY=value\n" },
	{ "a colon in place of = is wrong", "A: hunter2\n", "",
	    "f:1: the line is not KEY=value\n" },
	{ "a closing quote may not be missing", "A=\"b\n", "",
	    "f:1: A: the closing quote is missing\n" },
	{ "nor a single one", "A='b\n", "",
	    "f:1: A: the closing quote is missing\n" },
	{ "nor be escaped", "A=\"b\\\"\n", "",
	    "f:1: A: the closing quote is missing\n" },
	{ "a quote alone is not closed", "A=\"\n", "",
	    "f:1: A: the closing quote is missing\n" },
	{ "a value in quotes does not go on in the next line",
	    "A=\"b\nc\"\n", "", "f:1: A: the closing quote is missing\n"
	    "f:2: the line is not KEY=value\n" },
	{ "no text stands behind quotes", "A=\"b\" # c\n", "",
	    "f:1: A: there is text after the closing quote\n" },
	{ "nor a second text in quotes", "A='b''c'\n", "",
	    "f:1: A: there is text after the closing quote\n" },
	{ "a line does not go on behind a backslash", "A=b\\\nB=2\n",
	    "B=[2]@f:2\n",
	    "f:1: A: it holds a backslash: put it in single quotes\n" },
	{ "a control character is wrong", "A=b\x1Bz\n", "",
	    "f:1: A: it holds a control character\n" },
	{ "so is one in quotes", "A='b\x01'\n", "",
	    "f:1: A: it holds a control character\n" },
	{ "so is DEL", "A=b\x7F\n", "",
	    "f:1: A: it holds a control character\n" },
	{ "so is a carriage return within a value", "A=b\rc\n", "",
	    "f:1: A: it holds a control character\n" },
	{ "what the taker finds wrong stands beside the line",
	    "A=1\nBAD=x\nB=2\n", "A=[1]@f:1\nBAD=[x]@f:2\nB=[2]@f:3\n",
	    "f:2: \"x\" is bad\n" },
	{ "every wrong line is told, and the others are read",
	    "?\nA=1\n\"\nB=2\nC='\n", "A=[1]@f:2\nB=[2]@f:4\n",
	    "f:1: the line is not KEY=value\n"
	    "f:3: the line is not KEY=value\n"
	    "f:5: C: the closing quote is missing\n" },
};

static void
test_files(void)
{
	struct buf settings = BUF_INIT, problems = BUF_INIT;
	struct buf warnings = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(files); i++) {
		buf_clear(&settings);
		buf_clear(&problems);
		envfile_read("f", files[i].text, take, &settings, &problems,
		    &warnings);
		is_str(buf_text(&settings), files[i].settings, "%s",
		    files[i].title);
		is_str(buf_text(&problems), files[i].problems, "and the "
		    "problems are told so");
	}
	buf_release(&settings);
	buf_release(&problems);
	buf_release(&warnings);
}

#define COMMENT(line, name) "f:" line ": " name ": the # and what follows " \
	"it are part of the value: write the comment on a line of its own, " \
	"or the value in quotes if it has a #\n"

static const struct {
	const char *text;
	const char *warnings;
	const char *title;
} comments[] = {
	{ "A=b # c\n", COMMENT("1", "A"), "a comment behind a value" },
	{ "\nA= # c\nB=#\n", COMMENT("2", "A") COMMENT("3", "B"),
	    "one in its place, in each line" },
	{ "A=b#c\n", "", "a # within a word is none" },
	{ "A='b # c'\nB=\" #\"\n", "", "nor is one in quotes" },
	{ "# A=b # c\n", "", "nor one on a line of its own" },
	{ "A='b' # c\n", "", "one behind quotes is an error already" },
	{ "BAD=b # c\n", "", "so is a line that is wrong otherwise" },
};

static void
test_comments(void)
{
	struct buf settings = BUF_INIT, problems = BUF_INIT;
	struct buf warnings = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(comments); i++) {
		buf_clear(&warnings);
		envfile_read("f", comments[i].text, take, &settings,
		    &problems, &warnings);
		is_str(buf_text(&warnings), comments[i].warnings, "%s",
		    comments[i].title);
	}
	buf_release(&settings);
	buf_release(&problems);
	buf_release(&warnings);
}

/* No line that is wrong is quoted: it may be half of a secret. */
static void
test_secrecy(void)
{
	static const char *const forms[] = {
		"hunter2", "K hunter2", "K: hunter2", "K='hunter2",
		"K=\"hunter2", "K=\"hunter2\"hunter2", "K=hunter2\\",
		"K=hunter2\x01", "'K'=hunter2", "K =hunter2",
		"export K=hunter2",
	};
	struct buf settings = BUF_INIT, problems = BUF_INIT;
	struct buf warnings = BUF_INIT;
	size_t i, bad = 0;

	for (i = 0; i < ROWS(forms); i++) {
		buf_clear(&problems);
		envfile_read("f", forms[i], take, &settings, &problems,
		    &warnings);
		bad += problems.len == 0 ||
		    strstr(buf_text(&problems), "hunter2");
	}
	is_num((long long)bad, 0, "no problem quotes the value or the line");
	is_str(buf_text(&settings), "", "and no wrong line is a setting");
	buf_release(&settings);
	buf_release(&problems);
	buf_release(&warnings);
}

/* Any byte as a line's end: what is read is that line, whole or wrong. */
static void
test_every_byte(void)
{
	struct buf settings = BUF_INIT, problems = BUF_INIT;
	struct buf warnings = BUF_INIT;
	char text[] = "A=b?c";
	unsigned byte, bad = 0;
	bool good;

	for (byte = 1; byte < 256; byte++) {
		if (byte == '\n' || byte == '\\')
			continue; /* a backslash: see the table above */
		buf_clear(&settings);
		buf_clear(&problems);
		text[3] = (char)byte;
		envfile_read("f", text, take, &settings, &problems,
		    &warnings);
		good = byte >= 0x20 && byte != 0x7F;
		bad += good != (settings.len > 0) ||
		    good != (problems.len == 0);
	}
	is_num(bad, 0, "every control byte is refused, and no other");
	buf_release(&settings);
	buf_release(&problems);
	buf_release(&warnings);
}

/* ------------------------------------------------------------- slurp */

static bool
slurp(struct buf *text, struct buf *why, const char *path)
{
	uid_t owner;

	buf_clear(text);
	buf_clear(why);
	return envfile_slurp(path, text, &owner, why);
}

static void
test_slurp(void)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	uid_t owner = (uid_t)-1;

	file_write("plain", "A=1\n", 4, 0600);
	ok(slurp(&text, &why, "plain") && why.len == 0, "a file is read");
	is_str(buf_text(&text), "A=1\n", "as it is");
	file_write("empty", "", 0, 0600);
	ok(slurp(&text, &why, "empty") && text.len == 0,
	    "an empty file is a file");
	file_write("bom", "\xEF\xBB\xBF" "A=1\n\xEF\xBB\xBF", 10, 0600);
	ok(slurp(&text, &why, "bom"), "a byte order mark is no mistake");
	is_str(buf_text(&text), "A=1\n\xEF\xBB\xBF", "it is left out at the "
	    "beginning, and only there");
	file_write("half", "\xEF\xBB", 2, 0600);
	ok(slurp(&text, &why, "half"), "half a mark is read");
	is_str(buf_text(&text), "\xEF\xBB", "and left in");
	buf_release(&text);
	buf_adds(&text, "before ");
	ok(envfile_slurp("plain", &text, &owner, &why), "text is added");
	is_str(buf_text(&text), "before A=1\n", "behind what there was");
	ok(owner == geteuid(), "and whose it is is told");
	buf_release(&text);
	buf_release(&why);
}

static const struct {
	const char *path;
	const char *why;
} refusals[] = {
	{ "nul", "nul: cannot be read: it holds a NUL byte" },
	{ "long", "long: cannot be read: it is longer than 64 KiB" },
	{ "directory", "directory: cannot be read: it is not a file" },
	{ "pipe", "pipe: cannot be read: it is not a file" },
	{ "absent", "absent: cannot be read: No such file or directory" },
	{ "plain/x", "plain/x: cannot be read: Not a directory" },
};

static void
test_refusals(void)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	char *bytes = mem_alloc(ENVFILE_MAX + 1);
	size_t i;

	memset(bytes, 'x', ENVFILE_MAX + 1);
	file_write("longest", bytes, ENVFILE_MAX, 0600);
	file_write("long", bytes, ENVFILE_MAX + 1, 0600);
	file_write("nul", "A=1\n\0B=2\n", 9, 0600);
	if (mkdir("directory", 0700) < 0 || mkfifo("pipe", 0600) < 0)
		abort();
	ok(slurp(&text, &why, "longest") && text.len == ENVFILE_MAX,
	    "a file of 64 KiB is read whole");
	for (i = 0; i < ROWS(refusals); i++) {
		ok(!slurp(&text, &why, refusals[i].path), "%s is not read",
		    refusals[i].path);
		is_str(buf_text(&why), refusals[i].why, "and the reason is "
		    "told");
		is_num((long long)text.len, 0, "and nothing is added");
	}
	free(bytes);
	buf_release(&text);
	buf_release(&why);
}

static void
test_modes(void)
{
	unsigned mode, bad = 0;

	for (mode = 0; mode < 01000; mode++) {
		if (chmod("plain", mode) < 0)
			abort();
		bad += envfile_has_mode("plain", S_IROTH) != ((mode & 04) != 0);
		bad += envfile_has_mode("plain", S_IWOTH) != ((mode & 02) != 0);
	}
	is_num(bad, 0, "of all modes those are open to all that let others "
	    "read or write");
	ok(!envfile_has_mode("absent", S_IROTH | S_IWOTH),
	    "a file that is not there is not open to all");
	if (chmod("plain", 0600) < 0)
		abort();
}

int
main(void)
{
	scratch_enter();
	test_files();
	test_comments();
	test_secrecy();
	test_every_byte();
	test_slurp();
	test_refusals();
	test_modes();
	return done_testing();
}
