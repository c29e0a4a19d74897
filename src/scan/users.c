/* SPDX-License-Identifier: MIT */
#include "scan/users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "lib/buf.h"
#include "lib/parse.h"

#define GROUP_BIT ((uint64_t)1 << 32)
#define LARGEST_ENTRY ((size_t)1 << 20) /* a group may list thousands of members */

/* What getpwuid_r(3) lists as ways of saying that there is no such entry. */
static bool means_unknown(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* Asks the database for one entry, with as large a buffer as it wants. 0 and the
 * name in scratch, -ENOENT if it has none, or -errno if it failed. */
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
			return *name ? 0 : means_unknown(r) ? -ENOENT : -r;
	}
	return -ENOENT;
}

static int add(struct users *u, uint64_t key, struct span *name)
{
	_cleanup_(buf_free) struct buf scratch = { 0 };
	struct user_name *names, entry = { 0 };
	const char *found = NULL;
	char digits[20];

	entry.error = ask(key, &scratch, &found);
	if (entry.error == 0 && found) {
		entry.name = arena_span(&u->arena, span_of(found));
	} else if (entry.error == -ENOENT) {
		entry.error = 0;
		entry.name =
			arena_span(&u->arena, (struct span){ digits, format_u64(digits, (uint32_t)key) });
	}
	if (entry.error == 0 && !entry.name.ptr)
		return -ENOMEM;
	names = reallocarray(u->names, u->count + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	u->names = names;
	names[u->count] = entry;
	if (hash_add(&u->index, key, (uint32_t)u->count) < 0)
		return -ENOMEM;
	u->count++;
	*name = entry.name;
	return entry.error;
}

static int lookup(struct users *u, uint64_t key, struct span *name)
{
	const struct hash_slot *slot = hash_find(&u->index, key, NULL);
	int e = slot ? u->names[slot->value].error : add(u, key, name);

	if (slot)
		*name = u->names[slot->value].name;
	u->failed |= e == -ENOMEM;
	return e;
}

int users_uid_name(struct users *u, uint32_t uid, struct span *name)
{
	return lookup(u, uid, name);
}

int users_gid_name(struct users *u, uint32_t gid, struct span *name)
{
	return lookup(u, gid | GROUP_BIT, name);
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
