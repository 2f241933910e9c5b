/* SPDX-License-Identifier: ISC */
/*
 * What libFuzzer and AFL++ call, for one target: t/fuzz/run names it.
 * AFL++ brings a persistent loop that calls the same function as libFuzzer
 * (afl-clang-fast -fsanitize=fuzzer), so it needs nothing of its own.
 */
#include "target.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef TARGET
#define TARGET body_holds
#endif

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf how = BUF_INIT;

	if (!TARGET((const char *)bytes, len, &how)) {
		fprintf(stderr, "%s\n", buf_text(&how));
		abort();
	}
	buf_release(&how);
	return 0;
}
