/* SPDX-License-Identifier: ISC */
/* Answers. It does not know what they are to. */
#include "receive/exchange.h"

void
answer_say(struct answer *answer, int status, const char *text)
{
	answer->status = status;
	buf_clear(&answer->body);
	buf_adds(&answer->body, text);
	buf_addc(&answer->body, '\n');
}

void
answer_ok(struct answer *answer)
{
	answer->status = 200;
	buf_adds(&answer->body, "ok");
}
