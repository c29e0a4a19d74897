/* SPDX-License-Identifier: MIT */
#include "kind/shmfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "kind/reclaim.h"
#include "lib/out.h"
#include "lib/parse.h"

const char *const file_type_values[] = { "regular", "directory",	"symlink",	"fifo",
					 "socket",  "character-device", "block-device", NULL };

static const char *file_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "regular";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "character-device";
	default:
		return "block-device";
	}
}

/* ref and name in one piece of memory: "posix-shm:" "/jobs", name is its tail. */
static void project_names(struct record *r, struct span path, const char *name_prefix)
{
	size_t kind = strlen(r->schema->name), prefix = strlen(name_prefix);
	size_t head = kind + 1 + prefix;
	char *p = arena_alloc(r->arena, head + 1 + path.len);

	if (!p) {
		record_unknown(r, FILE_REF, ENOMEM);
		record_unknown(r, FILE_NAME, ENOMEM);
		return;
	}
	memcpy(p, r->schema->name, kind);
	p[kind] = ':';
	memcpy(p + kind + 1, name_prefix, prefix);
	p[head] = '/';
	memcpy(p + head + 1, path.ptr, path.len);
	record_str(r, FILE_REF, (struct span){ p, head + 1 + path.len });
	record_str(r, FILE_NAME, (struct span){ p + head, 1 + path.len });
}

static int64_t newest(const struct shm_entry *e)
{
	int64_t t = e->ctime > e->mtime ? e->ctime : e->mtime;

	return e->atime > t ? e->atime : t;
}

static struct leased_file leased_file(const struct snapshot *s, const struct shm_entry *e)
{
	return (struct leased_file){
		.dev = e->dev,
		.ino = e->ino,
		.path = e->path,
		.uid = e->uid,
		.created = e->ctime,
		.alone = e->links > 1 ? s->shm.twins : NULL,
		.more = "",
	};
}

/* Where it lies: the root itself, or a directory below, which *parent then owns. 0 or -errno. */
static int find_directory(const struct snapshot *s, const struct shm_entry *e, struct leased_file *file,
			  int *parent)
{
	if (!memchr(e->path.ptr, '/', e->path.len)) {
		file->dir = s->shm.root;
		file->leaf = e->path.ptr;
		return 0;
	}
	*parent = shmtree_open_parent(&s->shm, e->path, &file->leaf);
	file->dir = *parent;
	return *parent < 0 ? *parent : 0;
}

/* The verdict: who was found holds it; that nobody does, only the kernel can prove. */
static int judge(struct projector *p, struct record *r, const struct verdict_fields *at,
		 const struct shm_entry *e, const struct holding_count *found)
{
	const struct object_key key = { OBJECT_FILE, e->dev, e->ino };
	struct leased_file file = leased_file(p->snapshot, e);
	_cleanup_(close_fd) int parent = -1;
	int error;

	if (!S_ISREG(e->mode)) {
		record_state(p, r, FILE_STATE, "unknown", FILE_REASON, "it is a %s", file_type(e->mode));
		return 0;
	}
	if (judge_by_holders(p, r, at, &key, e->deleted || e->undescribed, found))
		return 0;
	error = find_directory(p->snapshot, e, &file, &parent);
	if (error == -ENOENT || error == -ENOTDIR)
		return PROJECT_SKIP;
	if (error < 0) {
		record_state(p, r, FILE_STATE, "unknown", FILE_REASON, "it cannot be reached: %s",
			     strerror(-error));
		return 0;
	}
	return judge_by_lease(p, r, at, &file);
}

int shmfile_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report)
{
	const struct shm_entry *e = &p->snapshot->shm.items[i];
	struct leased_file file = leased_file(p->snapshot, e);
	_cleanup_(close_fd) int parent = -1;
	int error;

	if (!S_ISREG(e->mode) || e->deleted || e->undescribed) {
		report_text(report, "it is no file that could be judged");
		return -EBUSY;
	}
	error = find_directory(p->snapshot, e, &file, &parent);
	return error < 0 ? error : reclaim_leased(p, &file, rules, NULL, report);
}

static int project_holding(struct projector *p, struct record *r, const struct shm_entry *e)
{
	static const struct holding_fields holding = { FILE_NHOLDERS, FILE_HOLDERS };
	static const struct verdict_fields state_fields = { FILE_STATE, FILE_REASON, FILE_EVIDENCE };
	static const struct holding_roles roles = { "open", "open", "open", "mapped", NULL };
	bool judged = wants_verdict(p, &state_fields);
	struct object_key key = { OBJECT_FILE, e->dev, e->ino };
	struct holding_count found;
	int error = 0;

	if (!wants_any(p->want, FILE_NHOLDERS, FILE_HOLDERS) && !judged)
		return 0;
	found = holding_count(p, &key);
	found.known &= p->snapshot->shm.exact;
	if (judged)
		error = judge(p, r, &state_fields, e, &found);
	return error || !S_ISREG(e->mode) ? error : record_holders(p, r, &holding, &key, &found, &roles);
}

int shmfile_project(struct projector *p, struct record *r, const struct shm_entry *e, const char *name_prefix,
		    size_t skip)
{
	static const struct owner_fields owner = { FILE_OWNER, FILE_GROUP, FILE_UID, FILE_GID, FILE_MODE };

	record_text(r, FILE_KIND, r->schema->name);
	project_names(r, span_from(e->path, skip), name_prefix);
	if (e->deleted)
		record_printf(r, FILE_REF, "%s:inode=%llu", r->schema->name, (unsigned long long)e->ino);
	record_u64(r, FILE_INODE, e->ino);
	record_bool(r, FILE_DELETED, e->deleted);
	record_text(r, FILE_TYPE, file_type(e->mode));
	if (e->undescribed) {
		for (size_t f = FILE_OWNER; f <= FILE_CTIME; f++)
			if (f != FILE_INODE)
				record_unknown(r, f, EPERM);
		record_unknown(r, FILE_AGE, EPERM);
		return project_holding(p, r, e);
	}
	record_owner(p, r, &owner, e->uid, e->gid, e->mode);
	record_u64(r, FILE_SIZE, e->size);
	record_u64(r, FILE_ALLOCATED, e->allocated);
	record_u64(r, FILE_LINKS, e->links);
	record_i64(r, FILE_ATIME, e->atime);
	record_i64(r, FILE_MTIME, e->mtime);
	record_i64(r, FILE_CTIME, e->ctime);
	record_age(p, r, FILE_AGE, newest(e));
	return project_holding(p, r, e);
}

const struct holding *shmfile_held(const struct snapshot *s, size_t i)
{
	const struct shm_entry *e = &s->shm.items[i];

	return holders_find(&s->holders, &(struct object_key){ OBJECT_FILE, e->dev, e->ino });
}

int shmfile_narrow(struct span id, struct scan_request *request, struct name_list *list)
{
	if (span_starts(id, "inode=")) {
		request->sources |= SOURCE_HOLDERS;
		return 0;
	}
	return name_list_add(list, span_starts(id, "/") ? span_from(id, 1) : id);
}

int parse_inode(struct span id, uint64_t *ino)
{
	const struct span prefix = SPAN("inode=");

	if (!span_starts(id, prefix.ptr) || parse_u64(span_from(id, prefix.len), ino) < 0)
		return -EINVAL;
	return 0;
}

int64_t shmfile_find_inode(const struct shmtree *t, struct span id)
{
	uint64_t ino;

	if (parse_inode(id, &ino) < 0)
		return -EINVAL;
	for (size_t i = t->count; i-- > 0 && t->items[i].deleted;)
		if (t->items[i].ino == ino)
			return (int64_t)i;
	return -ENOENT;
}

int shmfile_name(struct span text, bool nested, struct span *name, struct report *report)
{
	if (span_starts(text, "/"))
		text = span_from(text, 1);
	report->usage = true;
	if (text.len == 0)
		report_text(report, "a name is needed, such as /jobs");
	else if (span_is(text, ".") || span_is(text, ".."))
		report_text(report, "'.' and '..' are no names");
	else if (!nested && memchr(text.ptr, '/', text.len))
		report_text(report, "a name has no slash but the leading one");
	else if (!nested && text.len > NAME_MAX)
		report_text(report, "the name is longer than %d bytes", NAME_MAX);
	else
		report->usage = false;
	*name = text;
	return report->usage ? -EINVAL : 0;
}

int shmfile_unreadable(struct record *r, size_t first, size_t last, int error)
{
	if (error == -ENOENT || error == -ESTALE)
		return PROJECT_SKIP;
	for (size_t f = first; f <= last; f++)
		if (error == -EPERM)
			record_unknown_why(r, f, WHY_MOVES_ATIME);
		else if (error == -EAGAIN)
			record_unknown_why(r, f, WHY_LEASED);
		else
			record_unknown(r, f, error);
	return 0;
}

/* The /dev/shm that something is to be made in. A descriptor or -errno. */
static int open_place(const struct create_args *args)
{
	int fd = args->shm > 0 ? openat(args->shm, ".", O_PATH | O_DIRECTORY | O_CLOEXEC) :
				 open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int shmfile_accept(const char *name, const char *noun, const struct create_args *args, struct report *report)
{
	struct span path = span_of(name);
	struct warnings warnings = { 0 };
	struct shmtree t = { .root = -1 };
	int fd = open_place(args), r = fd < 0 ? fd : shmtree_adopt(&t, fd);

	if (r == 0)
		r = shmtree_look(&t, &(struct name_list){ &path, 1 }, &warnings);

	if (r == 0 && t.count == 1 && !S_ISREG(t.items[0].mode)) {
		report_text(report, "it is a %s, not a %s", file_type(t.items[0].mode), noun);
		r = -EEXIST;
	}
	report->existed = r == 0;
	shmtree_free(&t);
	warnings_free(&warnings);
	return r;
}

/* Why the kernel refused to unlink, as far as it can be seen. */
static void explain_refusal(int parent, const struct shm_entry *e, struct report *report)
{
	struct stat st;
	bool sticky = fstat(parent, &st) == 0 && st.st_mode & S_ISVTX;

	report_owner(report, e->uid, sticky ? ", sticky directory" : "");
}

int shmfile_remove(struct snapshot *s, size_t i, const char *noun, struct report *report)
{
	const struct shm_entry *e = &s->shm.items[i];
	_cleanup_(close_fd) int parent = -1;
	const char *leaf;
	int r;

	if (e->deleted) {
		report_text(report, "it has no name any more; it goes with its last holder");
		return -ENOTSUP;
	}
	if (!S_ISREG(e->mode)) {
		report_text(report, "it is a %s, not a %s; rm(1) removes it", file_type(e->mode), noun);
		return -ENOTSUP;
	}
	parent = shmtree_open_parent(&s->shm, e->path, &leaf);
	if (parent < 0)
		return parent;
	r = shmtree_check(parent, leaf, e);
	if (r < 0)
		return r;
	if (unlinkat(parent, leaf, 0) == 0)
		return 0;
	r = -errno;
	if (r == -EPERM || r == -EACCES)
		explain_refusal(parent, e, report);
	return r;
}

/* Gives the nameless file its name; fails if that is taken. */
static int link_in(int fd, int dir, const char *name)
{
	char path[32];

	/* Needs CAP_DAC_READ_SEARCH on older kernels; the way through /proc needs /proc. */
	if (linkat(fd, "", dir, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int shmfile_create(const char *name, const void *content, size_t content_size, uint64_t size,
		   const struct create_args *args, struct report *report)
{
	_cleanup_(close_fd) int dir = open_place(args);
	_cleanup_(close_fd) int fd = -1;
	uint32_t uid = (uint32_t)-1, gid = (uint32_t)-1;
	int r;

	r = args->owner ? parse_owner(args->owner, &uid, &gid, report) : 0;
	if (r < 0)
		return r;
	if (dir < 0)
		return dir;
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = content_size ? write_all(fd, content, content_size) : 0;
	if (r < 0)
		return r;
	if (size > INT64_MAX || ftruncate(fd, (off_t)size) < 0)
		return size > INT64_MAX ? -EFBIG : -errno;
	if (args->owner && fchown(fd, uid, gid) < 0) {
		r = -errno;
		report_text(report, "--owner '%s'", args->owner);
		return r;
	}
	if (fchmod(fd, create_mode(args)) < 0)
		return -errno;
	return link_in(fd, dir, name);
}
