/* SPDX-License-Identifier: ISC */
/*
 * In a program that is built with the sanitizers: what they find goes to a
 * file in REPORTS, whoever started the program with whatever environment. It
 * knows nothing of the program.
 */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* Some tests preload a library, which is then before the sanitizer's. */
const char *
__asan_default_options(void)
{
	return "log_path=" REPORTS "/asan:detect_stack_use_after_return=1:"
	    "strict_string_checks=1:verify_asan_link_order=0";
}

const char *
__ubsan_default_options(void)
{
	return "log_path=" REPORTS "/ubsan:print_stacktrace=1";
}
