/* SPDX-License-Identifier: ISC */
/* Random values that nobody can guess and no two processes share. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/* 64 random bits; never 0. */
int64_t random_nonce(void);

#endif
