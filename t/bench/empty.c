/* SPDX-License-Identifier: ISC */
/* What the start of any program costs. */
int
main(void)
{
	return 0;
}
