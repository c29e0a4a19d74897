/* SPDX-License-Identifier: MIT */
#include "scan/shmtree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "lib/capability.h"
#include "lib/file.h"
#include "lib/vec.h"
#include "scan/statx.h"

#define SHM_DIR "/dev/shm"
/* What it takes to read other users' directories. */
#define RIGHTS_OF_DIRECTORIES CAPABILITY(CAP_DAC_READ_SEARCH)

/* A directory still to be read: its path below the root, "" for the root. */
struct pending {
	struct span path;
	unsigned depth;
};

struct walk {
	struct shmtree *tree;
	struct warnings *warnings;
	struct pending *stack;
	size_t count;
};

/* Room for one more entry, or NULL. */
static struct shm_entry *next_entry(struct shmtree *t)
{
	return vec_reserve(&t->items, t->count, sizeof(*t->items)) < 0 ? NULL : &t->items[t->count];
}

static int add_entry(struct shmtree *t, struct span path, const struct statx *stx)
{
	struct shm_entry *e = next_entry(t);

	if (!e)
		return -ENOMEM;
	*e = (struct shm_entry){
		.path = path,
		.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
		.ino = stx->stx_ino,
		.mode = stx->stx_mode,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.links = stx->stx_nlink,
		.size = stx->stx_size,
		.allocated = stx->stx_blocks * 512,
		.atime = stx->stx_atime.tv_sec,
		.mtime = stx->stx_mtime.tv_sec,
		.ctime = stx->stx_ctime.tv_sec,
		.ctime_nsec = stx->stx_ctime.tv_nsec,
	};
	e->mounted = e->dev != t->dev;
	t->count++;
	return 0;
}

int64_t shmtree_find_inode(struct shmtree *t, uint64_t ino)
{
	const struct hash_slot *slot;

	for (size_t i = 0; t->by_inode.count == 0 && i < t->count; i++)
		if (!t->items[i].deleted && t->items[i].dev == t->dev &&
		    hash_add(&t->by_inode, t->items[i].ino, (uint32_t)i) < 0)
			return -ENOMEM;
	slot = hash_find(&t->by_inode, ino, NULL);
	return slot ? (int64_t)slot->value : -ENOENT;
}

int shmtree_add_nameless(struct shmtree *t, const struct found_file *n)
{
	const struct span root = SPAN(SHM_DIR "/");
	struct span path = n->path;
	struct shm_entry *e;
	/* Where only the text " (deleted)" speaks for it, it may be part of the name. */
	int64_t named = n->described ? -ENOENT : shmtree_find_inode(t, n->key.ino);

	if (named != -ENOENT)
		return named < 0 ? (int)named : 0;
	/* Seen from another mount namespace the path may be any. */
	if (span_starts(path, root.ptr))
		path = span_from(path, root.len);
	else if (span_starts(path, "/"))
		path = span_from(path, 1);
	path = arena_span(&t->arena, path);
	e = next_entry(t);
	if (!e || !path.ptr)
		return -ENOMEM;
	*e = (struct shm_entry){
		.path = path,
		.dev = n->key.dev,
		.ino = n->key.ino,
		.mode = n->described ? n->mode : S_IFREG,
		.undescribed = !n->described,
		.uid = n->uid,
		.gid = n->gid,
		.links = n->links,
		.size = n->size,
		.allocated = n->allocated,
		.atime = n->atime,
		.mtime = n->mtime,
		.ctime = n->ctime,
		.deleted = true,
	};
	t->count++;
	return 0;
}

/* Looks at one name in a directory and adds it under path. */
static int look(struct shmtree *t, int dir, const char *name, struct span path)
{
	struct statx stx;
	/* NO_AUTOMOUNT and DONT_SYNC: whatever is mounted there, it is not woken. */
	int r = statx_at(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
			 STATX_BASIC_STATS, &stx);

	return r < 0 ? r : add_entry(t, path, &stx);
}

static int push(struct walk *w, struct span path, unsigned depth)
{
	if (vec_reserve(&w->stack, w->count, sizeof(*w->stack)) < 0)
		return -ENOMEM;
	w->stack[w->count++] = (struct pending){ path, depth };
	return 0;
}

static struct span join(struct arena *a, struct span dir, const char *name)
{
	size_t n = strlen(name);
	char *p = arena_alloc(a, dir.len + n + 2);
	char *end = p;

	if (!p)
		return (struct span){ 0 };
	if (dir.len > 0) {
		memcpy(end, dir.ptr, dir.len);
		end += dir.len;
		*end++ = '/';
	}
	memcpy(end, name, n + 1);
	return (struct span){ p, (size_t)(end - p) + n };
}

/* One name of a directory: looks at it, and remembers it if it is to be entered. */
static int visit(struct walk *w, int dir, const struct pending *in, const char *name)
{
	struct shmtree *t = w->tree;
	const struct shm_entry *e;
	struct span path;
	int r;

	/* What lies in directories can be any number of long paths; at the top it cannot. */
	if (in->depth > 0 && t->arena.total > SHMTREE_MOST_BYTES) {
		warnings_add(w->warnings, &(struct warning){ .subject = SHM_DIR,
							     .error = EACCES,
							     .text = "there is more than can be shown" });
		return 0;
	}
	path = join(&t->arena, in->path, name);
	if (!path.ptr)
		return -ENOMEM;
	r = look(t, dir, name, path);
	if (r == -ENOENT)
		return 0; /* gone meanwhile */
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		warnings_add(w->warnings, &(struct warning){ .subject = SHM_DIR, .error = -r, .count = 1 });
		return 0;
	}
	e = &t->items[t->count - 1];
	if (e->mounted)
		warnings_add(w->warnings,
			     &(struct warning){
				     .subject = SHM_DIR,
				     .text = "other file systems are mounted in it; they are not entered" });
	if (!S_ISDIR(e->mode) || e->mounted)
		return 0;
	if (in->depth + 1 > SHMTREE_DEPTH) {
		warnings_add(w->warnings,
			     &(struct warning){ .subject = SHM_DIR,
						.error = EACCES,
						.text = "directories more than 8 deep are not entered" });
		return 0;
	}
	return push(w, path, in->depth + 1);
}

static int read_directory(struct walk *w, int dir, const struct pending *in)
{
	_cleanup_(dir_reader_free) struct dir_reader reader = { .fd = dir };
	const char *name;
	int r;

	while ((r = dir_reader_next(&reader, &name)) > 0) {
		r = visit(w, dir, in, name);
		if (r < 0)
			return r;
	}
	return r;
}

/* A directory for reading, found again from the root component by component. */
static int open_directory(const struct shmtree *t, struct span path)
{
	_cleanup_(close_fd) int parent = -1;
	const char *leaf;
	int fd;

	if (path.len == 0) {
		fd = openat(t->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
		if (fd < 0 && errno == EPERM)
			fd = openat(t->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	parent = shmtree_open_parent(t, path, &leaf);
	if (parent < 0)
		return parent;
	fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int walk_all(struct walk *w)
{
	int r = push(w, SPAN(""), 0);

	while (r == 0 && w->count > 0) {
		struct pending next = w->stack[--w->count];
		_cleanup_(close_fd) int dir = open_directory(w->tree, next.path);

		if (dir >= 0)
			r = read_directory(w, dir, &next);
		else
			r = dir;
		if (r == -ENOMEM || next.depth == 0)
			continue;
		/* Gone, or replaced by a link, since it was seen: no news. */
		if (r < 0 && r != -ENOENT && r != -ELOOP && r != -ENOTDIR)
			warnings_add(w->warnings, &(struct warning){ .subject = SHM_DIR,
								     .fields = "contents",
								     .error = -r,
								     .count = 1,
								     .example = next.path,
								     .rights = RIGHTS_OF_DIRECTORIES });
		r = 0;
	}
	return r;
}

/* Whether an error says that there is nothing of that name, or can be nothing. */
static bool is_absence(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EINVAL ||
	       error == -ENAMETOOLONG || error == -EXDEV;
}

static int look_up_names(struct shmtree *t, const struct name_list *names, struct warnings *warnings)
{
	for (size_t i = 0; i < names->count; i++) {
		struct span path = arena_span(&t->arena, names->items[i]);
		_cleanup_(close_fd) int parent = -1;
		const char *leaf;
		int r;

		if (!path.ptr)
			return -ENOMEM;
		parent = shmtree_open_parent(t, path, &leaf);
		r = parent < 0 ? parent : look(t, parent, leaf, path);
		if (r == -ENOMEM)
			return r;
		if (r < 0 && !is_absence(r))
			warnings_add(warnings, &(struct warning){ .subject = SHM_DIR,
								  .fields = "existence",
								  .error = -r,
								  .count = 1,
								  .example = path,
								  .rights = RIGHTS_OF_DIRECTORIES });
	}
	return 0;
}

/* Reads what may be a semaphore of musl, once, so that all kinds see the same. */
static void try_as_semaphore(struct shmtree *t, struct shm_entry *e, struct warnings *warnings)
{
	int r;

	if (!S_ISREG(e->mode) || (e->size != SEMAPHORE_SIZE_64 && e->size != SEMAPHORE_SIZE_32) ||
	    memchr(e->path.ptr, '/', e->path.len) || shm_entry_is_semaphore(e))
		return;
	r = shmtree_read_semaphore(t, e, &e->semaphore);
	e->maybe_musl = r < 0 || semaphore_is_musl(&e->semaphore);
	/* What may not be read, or is gone, stays the file that it surely is. */
	if (r < 0 && r != -EPERM && r != -EACCES && r != -EAGAIN && r != -ESTALE && r != -ENOENT)
		warnings_add(warnings, &(struct warning){ .subject = SHM_DIR,
							  .fields = "contents",
							  .error = -r,
							  .count = 1,
							  .example = e->path,
							  .rights = RIGHTS_OF_DIRECTORIES });
}

int shmtree_open(struct shmtree *t)
{
	int root = open(SHM_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*t = (struct shmtree){ .root = -1 };
	return root < 0 ? -errno : shmtree_adopt(t, root);
}

int shmtree_adopt(struct shmtree *t, int root)
{
	struct statfs fs;
	struct stat st;

	*t = (struct shmtree){ .root = root };
	if (fstat(t->root, &st) < 0 || fstatfs(t->root, &fs) < 0)
		return -errno;
	t->dev = st.st_dev;
	t->exact = (unsigned)fs.f_type == TMPFS_MAGIC || (unsigned)fs.f_type == RAMFS_MAGIC;
	return 0;
}

/* 0 or -ENOMEM. */
static int prepare_for_twins(struct shmtree *t)
{
	if (t->twins)
		return 0;
	/* NOLINTNEXTLINE(misc-non-copyable-objects): nothing is copied */
	t->twins = malloc(sizeof(*t->twins));
	return !t->twins || pthread_mutex_init(t->twins, NULL) != 0 ? -ENOMEM : 0;
}

int shmtree_look(struct shmtree *t, const struct name_list *names, struct warnings *warnings)
{
	struct walk w = { .tree = t, .warnings = warnings };
	int r;

	if (names->count > 0) {
		r = look_up_names(t, names, warnings);
	} else {
		r = walk_all(&w);
		free(w.stack);
	}
	for (size_t i = 0; r == 0 && i < t->count; i++) {
		try_as_semaphore(t, &t->items[i], warnings);
		if (S_ISREG(t->items[i].mode) && t->items[i].links > 1)
			r = prepare_for_twins(t);
	}
	return r;
}

int shmtree_read(struct shmtree *t, const struct name_list *names, struct warnings *warnings)
{
	int r = shmtree_open(t);

	return r < 0 ? r : shmtree_look(t, names, warnings);
}

void shmtree_free(struct shmtree *t)
{
	close_fd(&t->root);
	free(t->items);
	arena_free(&t->arena);
	name_index_free(&t->by_path);
	hash_free(&t->by_inode);
	if (t->twins)
		pthread_mutex_destroy(t->twins);
	free(t->twins);
	*t = (struct shmtree){ .root = -1 };
}

static struct span path_at(const void *items, size_t i)
{
	const struct shm_entry *e = (const struct shm_entry *)items + i;

	/* A deleted one has no name that could be found. */
	return !e->deleted ? e->path : (struct span){ 0 };
}

int64_t shmtree_find(struct shmtree *t, struct span path)
{
	return name_index_find(&t->by_path, t->items, t->count, path_at, path);
}
