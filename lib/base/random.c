/* SPDX-License-Identifier: ISC */
/* Random values, from the system. */
#include "base/random.h"

#include "base/clock.h"

#include <stddef.h>
#include <unistd.h>

/*
 * For a kernel without getrandom(2): differs between processes, between
 * calls, and between a machine and its restored copy. That is what a nonce
 * needs; that it cannot be guessed is not.
 */
static uint64_t
makeshift(void)
{
	static uint64_t state;

	state += (uint64_t)clock_wall_ms() << 20 ^ (uint64_t)clock_ms() ^
	    (uint64_t)getpid() << 40;
	/* splitmix64 */
	state += UINT64_C(0x9e3779b97f4a7c15);
	state = (state ^ state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	state = (state ^ state >> 27) * UINT64_C(0x94d049bb133111eb);
	return state ^ state >> 31;
}

int64_t
random_nonce(void)
{
	static int64_t kept[32];	/* of one system call */
	static size_t left;

	if (left == 0 && getentropy(kept, sizeof(kept)) == 0)
		left = sizeof(kept) / sizeof(kept[0]);
	while (left > 0)
		if (kept[--left] != 0)
			return kept[left];
	return (int64_t)(makeshift() | 1);
}
