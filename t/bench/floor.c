/* SPDX-License-Identifier: ISC */
/*
 * The least that a FastCGI program can do with a batch: it reads the body
 * and answers 204. What the door needs beyond this is the door's own.
 */
#include <fcgiapp.h>

int
main(void)
{
	static char piece[65536];
	FCGX_Request request;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&request) == 0) {
		while (FCGX_GetStr(piece, sizeof(piece), request.in) > 0)
			continue;
		FCGX_PutS("Status: 204 No Content\r\n\r\n", request.out);
		FCGX_Finish_r(&request);
	}
	return 0;
}
