/* SPDX-License-Identifier: ISC */
/* For clang's -fsanitize=fuzzer: make fuzz-scan. */
#include "agree.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf how = BUF_INIT;

	if (!agree((const char *)bytes, len, false, &how)) {
		fprintf(stderr, "%s\n", buf_text(&how));
		abort();
	}
	buf_release(&how);
	return 0;
}
