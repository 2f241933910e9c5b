/* SPDX-License-Identifier: ISC */
/* What time it is. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/*
 * Milliseconds since some moment; only goes forward, and is not changed
 * when the date is set: for waits and time-outs.
 */
int64_t clock_ms(void);

/* Milliseconds since 1970, UTC; changed when the date is set. */
int64_t clock_wall_ms(void);

#endif
