/* SPDX-License-Identifier: MIT */
#include "cmd/unseen.h"

#include <errno.h>
#include <inttypes.h>

#include "kind/registry.h"
#include "lib/capability.h"
#include "lib/escape.h"
#include "scan/pids.h"

/* What shows the fields of objects that a warning is about; 0: no capability does, or it is not about
 * that. */
static uint64_t rights_of_fields(const struct warning *w)
{
	const struct kind *k = kind_find(span_of(w->subject));

	if (w->error == WHY_MOVES_ATIME)
		return CAPABILITY(CAP_FOWNER);
	if (w->error == WHY_PROC_HIDES)
		return CAPABILITY(CAP_SYS_PTRACE);
	if (!k)
		return 0;
	/* What has no name is reached through the mappings of those who have it: either will do, but older
	 * kernels know the first only. */
	if (w->error == EPERM && k->groups & (GROUP_SYSV | GROUP_POSIX | GROUP_MEMORY))
		return CAPABILITY(capability_has(CAP_CHECKPOINT_RESTORE) ? CAP_CHECKPOINT_RESTORE :
									   CAP_SYS_ADMIN);
	return k->shown_by ? k->shown_by : RIGHTS_OF_DESCRIPTORS;
}

static uint64_t rights_of(const struct warning *w)
{
	return w->rights || !w->fields ? w->rights : rights_of_fields(w);
}

/* Those that this process has not. CAP_DAC_OVERRIDE does nearly always instead of CAP_DAC_READ_SEARCH:
 * that is missing if no other is (open_by_handle_at(2) wants that very one). */
static uint64_t missing(uint64_t rights)
{
	const uint64_t search = CAPABILITY(CAP_DAC_READ_SEARCH);
	uint64_t left = 0;

	for (int i = 0; i < 64; i++)
		if (rights & CAPABILITY(i) && !capability_has(i))
			left |= CAPABILITY(i);
	return left != search && capability_has(CAP_DAC_OVERRIDE) ? left & ~search : left;
}

bool unseen_has(const struct warning *w)
{
	uint64_t rights = rights_of(w);

	if (w->fatal)
		return false;
	if (w->error != EACCES && w->error != EPERM && w->error != WHY_MOVES_ATIME &&
	    w->error != WHY_PROC_HIDES)
		return false;
	if (w->unseen)
		return !rights || missing(rights) || w->count > 0;
	return w->fields && rights;
}

/* Whether two have the same to say about rights. */
static bool is_alike(const struct warning *a, const struct warning *b)
{
	uint64_t ra = rights_of(a), rb = rights_of(b);

	return missing(ra) ? missing(ra) == missing(rb) : ra == rb;
}

static bool is_same(const struct warning *a, const struct warning *b)
{
	return a->unseen && b->unseen && strcmp(a->unseen, b->unseen) == 0;
}

/* Different looks may have met different numbers of the same processes. */
static uint64_t most(const struct warnings *all, const struct warning *w)
{
	uint64_t count = w->count;

	for (size_t i = 0; i < all->count; i++)
		if (is_same(&all->items[i], w) && all->items[i].count > count)
			count = all->items[i].count;
	return count;
}

/* What it is: "3 processes", "value of posix-sem:/s", "content of 20 sysv-msg". */
static void put_thing(struct buf *b, const struct warning *w, uint64_t count)
{
	const size_t longest = 40;

	if (w->unseen && count > 0)
		buf_printf(b, "%" PRIu64 " ", count);
	if (w->unseen) {
		buf_puts(b, w->unseen);
		return;
	}
	buf_printf(b, "%s of ", strlen(w->fields) > longest ? "values" : w->fields);
	if (count == 1 && w->example.ptr)
		escape_into(b, w->example);
	else
		buf_printf(b, "%" PRIu64, count);
	/* The reference of an object says what kind it is; a path in a directory does not say where. */
	if (w->subject[0] == '/')
		buf_printf(b, " in %s", w->subject);
	else if (count != 1 || !w->example.ptr)
		buf_printf(b, " %s", w->subject);
}

static void put_names(struct buf *b, uint64_t rights)
{
	bool first = true;

	for (int i = 0; i < 64; i++) {
		if (!(rights & CAPABILITY(i)))
			continue;
		rights &= ~CAPABILITY(i);
		buf_printf(b, "%s%s", first ? "" : rights ? ", " : " and ", capability_name(i));
		first = false;
	}
}

/* Of the first of those that are alike in rights, all of them. */
static void put_group(struct buf *b, const struct warnings *all, size_t first)
{
	uint64_t rights = rights_of(&all->items[first]), lack = missing(rights);
	bool many = false;

	for (size_t i = first; i < all->count; i++) {
		const struct warning *w = &all->items[i];
		size_t before = first;

		if (!unseen_has(w) || !is_alike(w, &all->items[first]))
			continue;
		while (before < i && !is_same(&all->items[before], w))
			before++;
		if (before < i)
			continue;
		if (i > first)
			buf_puts(b, ", ");
		put_thing(b, w, most(all, w));
		many |= i > first || w->count != 1 || (w->fields && strchr(w->fields, ','));
	}
	if (!rights)
		return;
	buf_puts(b, lack ? " (" : " (refused in spite of ");
	put_names(b, lack ? lack : rights);
	if (lack)
		buf_printf(b, " would show %s", many ? "them" : "it");
	buf_putc(b, ')');
}

void unseen_put(const struct warnings *all, struct buf *b)
{
	bool any = false;

	for (size_t i = 0; i < all->count; i++) {
		size_t before = 0;

		if (!unseen_has(&all->items[i]))
			continue;
		while (before < i &&
		       !(unseen_has(&all->items[before]) && is_alike(&all->items[before], &all->items[i])))
			before++;
		if (before < i)
			continue;
		buf_puts(b, any ? "; " : "not visible: ");
		put_group(b, all, i);
		any = true;
	}
}
