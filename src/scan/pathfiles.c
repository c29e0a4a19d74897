/* SPDX-License-Identifier: MIT */
#include "scan/pathfiles.h"

int path_files_read(struct path_files *p _unused_, const struct name_list *directories _unused_,
		    const struct name_list *files _unused_, struct warnings *warnings _unused_)
{
	return 0;
}

void path_files_free(struct path_files *p)
{
	free(p->items);
	arena_free(&p->arena);
}
