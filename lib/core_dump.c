/* SPDX-License-Identifier: ISC */
/* No core dumps. */
#include "core_dump.h"

#include <stddef.h>
#include <sys/resource.h>

/*
 * One byte is too little for a file of any system. Where cores go to a
 * program by a pipe, Linux minds no limit (core(5)) but that one: it means
 * "none" there (fs/coredump.c), and 0 does not. Where the limit is 0 for
 * good, it stays.
 */
void
core_dump_forbid(void)
{
	static const struct rlimit limits[] = { { 1, 1 }, { 0, 0 } };
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (setrlimit(RLIMIT_CORE, &limits[i]) == 0)
			return;
}
