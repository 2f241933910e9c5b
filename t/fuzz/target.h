/* SPDX-License-Identifier: ISC */
/*
 * What is fuzzed: a target takes any bytes and says whether the program
 * keeps its promises on them. fuzz.c gives it those of a fuzzer, replay.c
 * those of t/fuzz/corpus. A new target is a file, a line here, a row in
 * replay.c, a name in t/fuzz/run, a corpus and a dictionary.
 */
#ifndef TARGET_H
#define TARGET_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether all is well; if not, *how gets what is wrong. */
typedef bool fuzz_target(const char *bytes, size_t len, struct buf *how);

/* A request body; the second one cuts it in two at each byte. */
fuzz_target body_holds;
fuzz_target body_holds_at_each_cut;

/* A configuration file. */
fuzz_target config_holds;

/* A FILTER; behind a NUL byte a type code, behind another a field's text. */
fuzz_target filter_holds;

/* Events, and how a message is to tell them: see message.c. */
fuzz_target message_holds;

/* A FastCGI connection: see params.c. */
fuzz_target params_holds;

/* For the targets: adds the string of JSON that stands for a text. */
void quote(struct buf *out, const char *text);

/* For the targets: what is foreign in text can neither end nor bend a line. */
bool is_plain_line(const char *text, size_t len);

/* The same for each line of a text whose last one is ended too. */
bool are_plain_lines(const char *text);

#endif
