/* SPDX-License-Identifier: MIT */
#include "kind/sysv.h"

#include <errno.h>

#include "lib/parse.h"

/* "KIND:ID" without the cost of a format string: there may be 32000 of them. */
static struct span make_ref(struct arena *a, const char *kind, uint32_t id)
{
	size_t n = strlen(kind);
	char *p = arena_alloc(a, n + 1 + 20);

	if (!p)
		return (struct span){ 0 };
	memcpy(p, kind, n);
	p[n] = ':';
	return (struct span){ p, n + 1 + format_u64(p + n + 1, id) };
}

void sysv_project(struct projector *p, struct record *r, const struct sysv_perm *perm)
{
	static const struct owner_fields owner = { SYSV_OWNER, SYSV_GROUP, SYSV_UID, SYSV_GID, SYSV_MODE };
	struct span ref = make_ref(r->arena, r->schema->name, perm->id);

	record_text(r, SYSV_KIND, r->schema->name);
	if (ref.ptr)
		record_str(r, SYSV_REF, ref);
	else
		record_unknown(r, SYSV_REF, ENOMEM);
	record_u64(r, SYSV_ID, perm->id);
	record_u64(r, SYSV_KEY, perm->key);
	record_owner(p, r, &owner, perm->uid, perm->gid, perm->perms & 0777);
	record_user(p, r, SYSV_CREATOR, perm->cuid);
	record_group(p, r, SYSV_CREATOR_GROUP, perm->cgid);
	record_u64(r, SYSV_CUID, perm->cuid);
	record_u64(r, SYSV_CGID, perm->cgid);
}

int sysv_resolve(struct sysv_table *t, struct span id, struct matches *m, struct report *report)
{
	uint64_t v;

	if (span_starts(id, "key=")) {
		if (parse_u64_in(span_from(id, 4), 0, UINT32_MAX, &v) < 0) {
			report_text(report, "expected a key such as key=0x162e");
			return -EINVAL;
		}
		if (v == IPC_PRIVATE) {
			report_text(report, "key 0 is IPC_PRIVATE, which is the key of none; use the id");
			return -EINVAL;
		}
		return matches_found(m, sysv_table_find_key(t, (uint32_t)v));
	}
	if (parse_u64_in(id, 0, INT32_MAX, &v) < 0) {
		report_text(report, "expected an identifier such as 32768, or key=0x162e");
		return -EINVAL;
	}
	return matches_found(m, sysv_table_find(t, (uint32_t)v));
}

static int usage(struct report *report)
{
	report->usage = true;
	return -EINVAL;
}

static int choose_key(const struct create_args *args, key_t *key, struct report *report)
{
	uint64_t v;

	*key = IPC_PRIVATE;
	if (args->key && args->path) {
		report_text(report, "--key and --path exclude each other");
		return usage(report);
	}
	if (args->project.set && (!args->path || args->project.value < 1 || args->project.value > 255)) {
		report_text(report, args->path ? "--project takes 1 to 255" : "--project needs --path");
		return usage(report);
	}
	if (args->key) {
		if (parse_u64_in(span_of(args->key), 1, UINT32_MAX, &v) < 0) {
			report_text(report,
				    "--key '%s': expected 0x1 to 0xffffffff (without --key it is private)",
				    args->key);
			return usage(report);
		}
		*key = (key_t)(uint32_t)v;
	} else if (args->path) {
		*key = ftok(args->path, args->project.set ? (int)args->project.value : 1);
		if (*key == -1) {
			int r = -errno;

			report_text(report, "--path '%s'", args->path);
			return r;
		}
	}
	return 0;
}

/* Says whose the key is. */
static int taken(const struct sysv_maker *maker, key_t key, struct report *report)
{
	int id = maker->get(key, 0, &(struct create_args){ 0 });

	if (id >= 0)
		report_text(report, "key 0x%08x is that of %s:%d", (unsigned)key, maker->kind, id);
	else
		report_text(report, "key 0x%08x", (unsigned)key);
	return -EEXIST;
}

/* A new object, or with --exist-ok the one that has the key. The id or -errno. */
static int get(const struct sysv_maker *maker, const struct create_args *args, key_t key,
	       struct report *report)
{
	/* Somebody may make and remove the key under our eyes; not for ever. */
	for (int tries = 0; tries < 100; tries++) {
		int id = maker->get(key, IPC_CREAT | IPC_EXCL | (int)create_mode(args), args);

		if (id >= 0 || errno != EEXIST)
			return id < 0 ? -errno : id;
		if (!args->exist_ok)
			return taken(maker, key, report);
		report->existed = true;
		id = maker->get(key, 0, &(struct create_args){ 0 });
		if (id >= 0 || errno != ENOENT)
			return id < 0 ? -errno : id;
		report->existed = false;
	}
	return -EAGAIN;
}

int sysv_create(const struct sysv_maker *maker, const struct create_args *args, struct report *report)
{
	uint32_t uid = (uint32_t)-1, gid = (uint32_t)-1;
	key_t key = IPC_PRIVATE;
	int r, id;

	if (args->exist_ok && !args->key && !args->path) {
		report_text(report,
			    "--exist-ok needs --key or --path: a private object never exists already");
		return usage(report);
	}
	r = args->owner ? parse_owner(args->owner, &uid, &gid, report) : 0;
	if (r == 0)
		r = choose_key(args, &key, report);
	if (r != 0)
		return r;
	id = get(maker, args, key, report);
	if (id < 0)
		return id;
	if (!report->existed) {
		r = maker->finish(id, args, uid, gid, report);
		if (r < 0) {
			maker->discard(id);
			return r;
		}
	}
	return report_ref(report, "%s:%d", maker->kind, id);
}

void sysv_set_perm(struct ipc_perm *perm, uint32_t uid, uint32_t gid, unsigned mode)
{
	if (uid != (uint32_t)-1)
		perm->uid = uid;
	if (gid != (uint32_t)-1)
		perm->gid = gid;
	perm->mode = (unsigned short)mode;
}

int sysv_compare(const struct ipc_perm *now, const struct sysv_perm *then)
{
	return (uint32_t)now->__key == then->key && now->cuid == then->cuid && now->cgid == then->cgid ?
		       0 :
		       -ESTALE;
}

int sysv_removed(int r)
{
	/* Both say that the id means nothing any more. */
	if (r < 0 && (errno == EINVAL || errno == EIDRM))
		return -ENOENT;
	return r < 0 ? -errno : 0;
}
