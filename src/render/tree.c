/* SPDX-License-Identifier: MIT */
#include "render/tree.h"

#include <errno.h>
#include <limits.h>

#include "lib/escape.h"

/* Bound of a key with its quotes, colon and comma. */
#define NODE_OVERHEAD 64

void tree_init(struct tree *t, struct arena *arena, bool twins)
{
	t->arena = arena;
	t->run = NULL;
	t->run_parent = NULL;
	t->run_length = 0;
	t->text = (struct buf){ 0 };
	t->length = 0;
	t->twins = twins;
	t->failed = false;
}

/* Ends the run: its text becomes the value of its node. */
static void end_run(struct tree *t)
{
	struct span text = { t->run_text, t->run_length };

	if (!t->run)
		return;
	text = arena_span(t->arena, text);
	t->failed |= !text.ptr;
	t->run->valuestring = (char *)(uintptr_t)text.ptr;
	t->length += text.len;
	t->run = NULL;
}

/* A new node at the end of parent, with `extra` bytes behind it for its text. */
static inline cJSON *add_with_room(struct tree *t, cJSON *parent, const char *key, int type, size_t extra)
{
	cJSON *item;

	end_run(t);
	item = arena_alloc(t->arena, sizeof(*item) + extra);
	if (!item) {
		t->failed = true;
		return NULL;
	}
	/* Only what cJSON_Print reads. */
	item->next = NULL;
	item->child = NULL;
	item->type = type | cJSON_StringIsConst;
	item->valuestring = NULL;
	item->string = (char *)(uintptr_t)key;
	t->length += NODE_OVERHEAD;
	if (!parent) {
		item->prev = item;
		return item;
	}
	/* As cJSON does: the first child's prev is the last child. */
	if (!parent->child) {
		parent->child = item;
		item->prev = item;
	} else {
		cJSON *last = parent->child->prev;

		last->next = item;
		item->prev = last;
		parent->child->prev = item;
	}
	return item;
}

cJSON *tree_add(struct tree *t, cJSON *parent, const char *key, int type)
{
	return add_with_room(t, parent, key, type, 0);
}

static void add_text(struct tree *t, cJSON *parent, const char *key, int type, struct span text)
{
	cJSON *item = add_with_room(t, parent, key, type, text.len + 1);
	char *copy;

	if (!item)
		return;
	copy = (char *)(item + 1);
	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	item->valuestring = copy;
	/* A backslash or quote takes two bytes; controls were escaped before. */
	t->length += type == cJSON_String ? 2 * text.len : text.len;
}

/* The text is what was written to t->text. */
void tree_scratch(struct tree *t, cJSON *parent, const char *key, int type)
{
	t->failed |= t->text.failed;
	add_text(t, parent, key, type, buf_span(&t->text));
}

/*
 * Room for `need` bytes of a plain value in the run of parent, behind its key. The
 * caller writes them and adds to run_length. NULL if there is none, or no memory.
 */
static char *add_to_run(struct tree *t, cJSON *parent, const char *key, size_t need)
{
	size_t n = strlen(key);
	char *p;

	if (need > RUN_SIZE)
		return NULL;
	if (!t->run || t->run_parent != parent || t->run_length + n + 4 + need > RUN_SIZE) {
		cJSON *node = tree_add(t, parent, key, cJSON_Raw);

		if (!node)
			return NULL;
		t->run = node;
		t->run_parent = parent;
		t->run_length = 0;
		return t->run_text;
	}
	p = t->run_text + t->run_length;
	*p++ = ',';
	*p++ = '"';
	memcpy(p, key, n);
	p += n;
	*p++ = '"';
	*p++ = ':';
	t->run_length += n + 4;
	return p;
}

/* Whether every byte is printable ASCII and neither quote nor backslash: such a text
 * is its own JSON. Eight bytes at a
 * time; the borrows and carries between them can only refuse too much. */
static bool is_plain(struct span s)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t bad = 0, w;

	for (size_t i = 0, n; i < s.len; i += n) {
		n = s.len - i < sizeof(w) ? s.len - i : sizeof(w);
		w = ones * ' ';
		memcpy(&w, s.ptr + i, n);
		bad |= w | (w + ones) | (w - ones * 0x20) | ((w ^ ones * '\\') - ones) |
		       ((w ^ ones * '"') - ones);
	}
	return !(bad & ones << 7);
}

void tree_string(struct tree *t, cJSON *parent, const char *key, struct span s)
{
	char *p = key && is_plain(s) ? add_to_run(t, parent, key, s.len + 2) : NULL;

	if (!p) {
		buf_reset(&t->text);
		escape_into(&t->text, s);
		tree_scratch(t, parent, key, cJSON_String);
		return;
	}
	*p++ = '"';
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '"';
	t->run_length += s.len + 2;
}

static void add_number(struct tree *t, cJSON *parent, const char *key, uint64_t magnitude, bool negative)
{
	char *p = add_to_run(t, parent, key, 21);

	if (!p)
		return; /* no memory: the tree knows */
	if (negative)
		*p++ = '-';
	t->run_length += negative + format_u64(p, magnitude);
}

void tree_number(struct tree *t, cJSON *parent, const char *key, uint64_t number)
{
	add_number(t, parent, key, number, false);
}

void tree_signed(struct tree *t, cJSON *parent, const char *key, int64_t number)
{
	add_number(t, parent, key, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
}

void tree_word(struct tree *t, cJSON *parent, const char *key, const char *word)
{
	size_t n = strlen(word);
	char *p = add_to_run(t, parent, key, n);

	if (!p)
		return;
	memcpy(p, word, n);
	t->run_length += n;
}

int tree_print(struct tree *t, cJSON *root, struct buf *out)
{
	size_t room;
	char *p;

	end_run(t);
	/* cJSON wants some bytes to spare (see cJSON_PrintPreallocated()). */
	room = t->length + 64;
	p = t->failed || room > INT_MAX ? NULL : buf_reserve(out, room);
	if (!p || !cJSON_PrintPreallocated(root, p, (int)room, false))
		return -ENOMEM;
	out->len += strlen(p);
	return 0;
}
