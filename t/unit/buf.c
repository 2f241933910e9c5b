/* SPDX-License-Identifier: ISC */
/* Growable text. */
#include "base/buf.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	unsigned long long n;
	const char *text;
} counts[] = {
	{ 0, "0" },
	{ 7, "7" },
	{ 999, "999" },
	{ 1000, "1,000" },
	{ 1001, "1,001" },
	{ 10050, "10,050" },
	{ 999999, "999,999" },
	{ 1000000, "1,000,000" },
	{ 1234567, "1,234,567" },
	{ 18446744073709551615ULL, "18,446,744,073,709,551,615" },
};

static void
test_empty(void)
{
	struct buf b = BUF_INIT, zero;

	memset(&zero, 0, sizeof(zero));
	is_str(buf_text(&b), "", "an empty buffer reads as no text");
	is_str(buf_text(&zero), "", "so does one filled with zero bytes");
	buf_clear(&b);
	is_str(buf_text(&b), "", "clearing an empty buffer does no harm");
	buf_release(&b);
	buf_release(&b);
	ok(!b.data && b.len == 0, "releasing twice does no harm");
	buf_add(&b, "", 0);
	is_str(b.data, "", "adding nothing leaves a text of no length");
	is_num((long long)b.len, 0, "and its length is 0");
	buf_release(&b);
}

static void
test_adding(void)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "one");
	buf_addc(&b, ' ');
	buf_addf(&b, "%s %d", "two", 3);
	buf_add(&b, " fourth", 5);
	is_str(buf_text(&b), "one two 3 four", "pieces follow one another");
	is_num((long long)b.len, 14, "the length is theirs together");
	buf_clear(&b);
	is_str(buf_text(&b), "", "a cleared buffer is empty");
	buf_adds(&b, "x");
	is_str(buf_text(&b), "x", "and can be filled again");
	buf_clear(&b);
	buf_add(&b, "a\0b", 3);
	ok(b.len == 3 && memcmp(b.data, "a\0b", 4) == 0,
	    "NUL bytes are kept, and one stands behind the text");
	buf_release(&b);
}

/* Every length from 0 to 300 by every way of adding, against memset. */
static void
test_growth(void)
{
	struct buf by_byte = BUF_INIT, by_text = BUF_INIT, by_form = BUF_INIT;
	char want[301];
	size_t n, bad = 0;

	for (n = 0; n <= 300; n++) {
		memset(want, 'x', n);
		want[n] = '\0';
		buf_release(&by_text);
		buf_release(&by_form);
		buf_adds(&by_text, want);
		buf_addf(&by_form, "%s", want);
		bad += strcmp(buf_text(&by_byte), want) != 0 ||
		    strcmp(buf_text(&by_text), want) != 0 ||
		    strcmp(buf_text(&by_form), want) != 0 ||
		    by_byte.len != n || by_text.len != n || by_form.len != n;
		buf_addc(&by_byte, 'x');
	}
	is_num((long long)bad, 0, "texts of every length up to 300 are whole");
	buf_release(&by_byte);
	buf_release(&by_text);
	buf_release(&by_form);
}

static void
test_detach(void)
{
	struct buf b = BUF_INIT;
	char *text;

	text = buf_detach(&b);
	is_str(text, "", "an empty buffer gives away a text of no length");
	free(text);
	buf_adds(&b, "mine");
	text = buf_detach(&b);
	is_str(text, "mine", "a text is given away");
	ok(!b.data && b.len == 0 && b.size == 0,
	    "and the buffer is then empty");
	buf_adds(&b, "yours");
	is_str(text, "mine", "what is added later is not in it");
	free(text);
	buf_release(&b);
}

static void
test_counts(void)
{
	struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < ROWS(counts); i++) {
		buf_clear(&b);
		buf_add_count(&b, counts[i].n);
		is_str(buf_text(&b), counts[i].text,
		    "%llu is written with commas", counts[i].n);
	}
	buf_adds(&b, " of ");
	buf_add_count(&b, 1000);
	is_str(buf_text(&b), "18,446,744,073,709,551,615 of 1,000",
	    "a count is added behind what there is");
	buf_release(&b);
}

static void
test_memory(void)
{
	char *text = mem_dup("copy"), *more;

	is_str(text, "copy", "mem_dup copies a text");
	more = mem_realloc(text, 100);
	is_str(more, "copy", "mem_realloc keeps what there is");
	free(more);
	more = mem_alloc(0);
	ok(more != NULL, "no bytes at all are still a piece of memory");
	free(more);
}

static void
test_writing(void)
{
	struct buf b = BUF_INIT, got = BUF_INIT;
	int fd;

	scratch_enter();
	fd = open("out", O_WRONLY | O_CREAT, 0600);
	ok(write_all(fd, buf_text(&b), b.len), "nothing is written well");
	buf_add(&b, "a\0b\n", 4);
	ok(write_all(fd, buf_text(&b), b.len), "a text is written");
	close(fd);
	file_read("out", &got);
	ok(got.len == 4 && memcmp(got.data, "a\0b\n", 4) == 0,
	    "all of it, NUL bytes too");
	ok(!write_all(fd, buf_text(&b), b.len) && errno == EBADF,
	    "what cannot be written is told, with the reason");
	buf_release(&b);
	buf_release(&got);
}

int
main(void)
{
	test_empty();
	test_adding();
	test_growth();
	test_detach();
	test_counts();
	test_memory();
	test_writing();
	return done_testing();
}
