/* SPDX-License-Identifier: MIT */
#include "scan/users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "lib/buf.h"
#include "lib/parse.h"

#define GROUP_BIT ((uint64_t)1 << 32)
#define LARGEST_ENTRY ((size_t)1 << 20) /* a group may list thousands of members */

/*
 * Asks the database for one entry, with as large a buffer as it wants. Returns
 * 0 and the name in scratch, or -ENOENT. A database that fails is taken for one
 * that does not know: the number stands in for the name.
 */
static int ask(uint64_t key, struct buf *scratch, const char **name)
{
	for (size_t size = 1024; size <= LARGEST_ENTRY; size *= 2) {
		char *p;
		int r;

		buf_reset(scratch);
		p = buf_reserve(scratch, size);
		if (!p)
			return -ENOMEM;
		if (key & GROUP_BIT) {
			struct group gr, *found;

			r = getgrgid_r((gid_t)key, &gr, p, size, &found);
			*name = r == 0 && found ? gr.gr_name : NULL;
		} else {
			struct passwd pw, *found;

			r = getpwuid_r((uid_t)key, &pw, p, size, &found);
			*name = r == 0 && found ? pw.pw_name : NULL;
		}
		if (r != ERANGE)
			return *name ? 0 : -ENOENT;
	}
	return -ENOENT;
}

static struct span lookup(struct users *u, uint64_t key)
{
	const struct hash_slot *slot = hash_find(&u->index, key, NULL);
	_cleanup_(buf_free) struct buf scratch = { 0 };
	const char *name = NULL;
	struct span *names, text;
	char digits[20];

	if (slot)
		return u->names[slot->value];
	if (ask(key, &scratch, &name) == 0)
		text = arena_span(&u->arena, span_of(name));
	else
		text = arena_span(&u->arena, (struct span){ digits, format_u64(digits, (uint32_t)key) });
	if (!text.ptr)
		return text;
	names = reallocarray(u->names, u->count + 1, sizeof(*names));
	if (!names)
		return (struct span){ 0 };
	u->names = names;
	names[u->count] = text;
	if (hash_add(&u->index, key, (uint32_t)u->count) < 0)
		return (struct span){ 0 };
	u->count++;
	return text;
}

struct span users_uid_name(struct users *u, uint32_t uid)
{
	return lookup(u, uid);
}

struct span users_gid_name(struct users *u, uint32_t gid)
{
	return lookup(u, gid | GROUP_BIT);
}

void users_free(struct users *u)
{
	hash_free(&u->index);
	free(u->names);
	arena_free(&u->arena);
	*u = (struct users){ 0 };
}

static int number_or(int r, const char *name, uint32_t *id)
{
	uint64_t v;

	/* (uid_t)-1 means "no change" to chown(2): it is no user. */
	if (r == -ENOENT && parse_u64_in(span_of(name), 0, UINT32_MAX - 1, &v) == 0) {
		*id = (uint32_t)v;
		return 0;
	}
	return r;
}

int user_id(const char *name, uint32_t *uid)
{
	struct passwd *pw;
	int r = -ENOENT;

	errno = 0;
	pw = getpwnam(name);
	if (pw) {
		*uid = pw->pw_uid;
		return 0;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO)
		r = -errno;
	return number_or(r, name, uid);
}

int group_id(const char *name, uint32_t *gid)
{
	struct group *gr;
	int r = -ENOENT;

	errno = 0;
	gr = getgrnam(name);
	if (gr) {
		*gid = gr->gr_gid;
		return 0;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO)
		r = -errno;
	return number_or(r, name, gid);
}
