/* SPDX-License-Identifier: MIT */
#include "scan/inhabitants.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/vec.h"

/* Where the runtimes keep their state: as the first process of that /proc sees it, if that is not our own. */
static int open_root(const struct scan_context *context)
{
	return context->own_proc ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) :
				   openat(context->proc, "1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* 0 or -ENOMEM. */
static int ask(struct inhabitants *in, const struct scan_context *context, uint32_t pid,
	       struct inhabitant *out)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct container c;

	if (in->root == 0)
		in->root = open_root(context);
	*out = (struct inhabitant){
		.error = container_of(context->proc, pid, in->root, &in->arena, &c),
	};
	if (out->error < 0)
		return out->error == -ENOMEM ? -ENOMEM : 0;
	container_text(&c, &text);
	out->text = arena_span(&in->arena, buf_span(&text));
	out->id = c.id;
	out->unit = c.unit;
	return text.failed || !out->text.ptr ? -ENOMEM : 0;
}

const struct inhabitant *inhabitants_of(struct inhabitants *in, const struct scan_context *context,
					uint32_t pid)
{
	const struct hash_slot *slot = hash_find(&in->by_pid, pid, NULL);

	if (slot)
		return &in->items[slot->value];
	if (vec_reserve(&in->items, in->count, sizeof(*in->items)) < 0 ||
	    ask(in, context, pid ? pid : (uint32_t)getpid(), &in->items[in->count]) < 0 ||
	    hash_add(&in->by_pid, pid, (uint32_t)in->count) < 0)
		return NULL;
	return &in->items[in->count++];
}

void inhabitants_free(struct inhabitants *in)
{
	if (in->root > 0)
		close_fd(&in->root);
	free(in->items);
	hash_free(&in->by_pid);
	arena_free(&in->arena);
	*in = (struct inhabitants){ 0 };
}
