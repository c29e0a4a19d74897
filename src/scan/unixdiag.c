/* SPDX-License-Identifier: MIT */
#include "scan/unixdiag.h"

int unix_sockets_read(struct unix_sockets *s, struct warnings *warnings _unused_)
{
	*s = (struct unix_sockets){ 0 };
	return 0;
}

void unix_sockets_free(struct unix_sockets *s)
{
	free(s->items);
	arena_free(&s->arena);
}
