/* SPDX-License-Identifier: MIT */
#include "scan/inetdiag.h"

int inet_sockets_read(struct inet_sockets *s, struct warnings *warnings _unused_)
{
	*s = (struct inet_sockets){ 0 };
	return 0;
}

void inet_sockets_free(struct inet_sockets *s)
{
	free(s->items);
	arena_free(&s->arena);
}
