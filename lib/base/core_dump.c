/* SPDX-License-Identifier: ISC */
/* No core dumps. */
#include "base/core_dump.h"

#include <sys/resource.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

/*
 * One byte is too little for a file of any system. Where cores go to a
 * program by a pipe, Linux minds no limit (core(5)) but that one: it means
 * "none" there (fs/coredump.c), and 0 does not. Who may not have that 1,
 * because the limit is 0 for good, becomes a process that has no core; then
 * only root can look into it.
 */
void
core_dump_forbid(void)
{
	static const struct rlimit one = { 1, 1 }, none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &one) == 0)
		return;
	setrlimit(RLIMIT_CORE, &none);
#ifdef HAVE_SYS_PRCTL_H
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
