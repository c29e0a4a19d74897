/* SPDX-License-Identifier: MIT */
#include "kind/futex_ref.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "kind/registry.h"
#include "lib/parse.h"

/* Kinds whose objects are memory. */
static const struct kind *const memories[] = {
	&kind_posix_shm, &kind_posix_sem, &kind_sysv_shm, &kind_memfd, &kind_file_mapping, &kind_anon_mapping,
};

static void file_ref(const struct shm_entry *e, struct buf *out)
{
	const size_t prefix = strlen("sem.");
	bool semaphore = shm_entry_is_semaphore(e);

	if (e->deleted) {
		buf_printf(out, "posix-shm:inode=%llu", (unsigned long long)e->ino);
		return;
	}
	if (semaphore)
		buf_puts(out, "posix-sem:/");
	else /* musl gives its semaphores no prefix */
		buf_puts(out, shm_entry_reads_as_semaphore(e) ? "posix-sem:musl:/" : "posix-shm:/");
	buf_put_span(out, semaphore ? span_from(e->path, prefix) : e->path);
}

bool futex_object_ref(const struct snapshot *s, const struct futex *futex, struct buf *out)
{
	const struct object_key *key = &futex->object.key;
	unsigned long long ino = key->ino;

	if (futex->object.space)
		return false;
	switch (key->class) {
	case OBJECT_FILE:
		if (futex->entry < 0)
			return false;
		file_ref(&s->shm.items[futex->entry], out);
		return true;
	case OBJECT_SYSV:
		buf_printf(out, "sysv-shm:%llu", ino);
		return true;
	case OBJECT_MEMFD:
		buf_printf(out, "memfd:%llu", ino);
		return true;
	case OBJECT_ANON_MAPPING:
		buf_printf(out, "anon-mapping:%llu", ino);
		return true;
	default:
		buf_printf(out, "file-mapping:%u:%u:%llu", major(key->dev), minor(key->dev), ino);
		return true;
	}
}

/* "mutex:posix-shm:/x+0" stands for a mutex only: the value of its type, or NULL. */
static const char *cut_alias(struct span *id)
{
	for (size_t i = 0; kind_futex.aliases[i]; i++) {
		size_t n = strlen(kind_futex.aliases[i]);

		if (span_starts(*id, kind_futex.aliases[i]) && id->len > n && id->ptr[n] == ':') {
			*id = span_from(*id, n + 1);
			return kind_futex.alias_values[i];
		}
	}
	return NULL;
}

int futex_split(struct span id, struct span *object, uint64_t *offset)
{
	const char *plus = memrchr(id.ptr, '+', id.len);

	/* A name may have a plus of its own: the last one counts. */
	if (!plus)
		return -EINVAL;
	*object = (struct span){ id.ptr, (size_t)(plus - id.ptr) };
	return parse_u64(span_from(id, object->len + 1), offset);
}

/* "PID@ADDRESS", the address in hexadecimal digits. 0 or -EINVAL. */
static int parse_place(struct span id, uint32_t *pid, uint64_t *address)
{
	const char *at = memchr(id.ptr, '@', id.len);
	struct span digits;
	uint64_t number;

	if (!at || parse_u64_in((struct span){ id.ptr, (size_t)(at - id.ptr) }, 1, INT32_MAX, &number) < 0)
		return -EINVAL;
	*pid = (uint32_t)number;
	digits = span_from(id, (size_t)(at - id.ptr) + 1);
	return parse_hex(span_starts(digits, "0x") ? span_from(digits, 2) : digits, address);
}

/* The kind of memory that a reference names; *id: what stands behind its name. */
static const struct kind *memory_kind(struct span *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(memories); i++) {
		size_t n = strlen(memories[i]->name);

		if (span_starts(*id, memories[i]->name) && id->len > n && id->ptr[n] == ':') {
			*id = span_from(*id, n + 1);
			return memories[i];
		}
	}
	return NULL;
}

int futex_narrow(struct span id, struct scan_request *request)
{
	const struct kind *memory;
	struct span object;
	uint64_t offset;

	cut_alias(&id);
	if (futex_split(id, &object, &offset) < 0)
		return 0;
	memory = memory_kind(&object);
	if (!memory)
		return 0;
	/* What is narrowed by name must end where the name does. */
	object = arena_span(&request->arena, object);
	if (!object.ptr)
		return -ENOMEM;
	request->sources |= memory->sources;
	return memory->narrow ? memory->narrow(object, request) : 0;
}

/* The memory that the i-th object of a kind is. 0, or -ENOENT: nobody has it mapped. */
static int memory_of(const struct snapshot *s, const struct kind *k, size_t i, struct memory_object *memory)
{
	const struct holding *first;

	*memory = (struct memory_object){ 0 };
	if (k == &kind_posix_shm || k == &kind_posix_sem) {
		memory->key = (struct object_key){ OBJECT_FILE, s->shm.items[i].dev, s->shm.items[i].ino };
		return 0;
	}
	first = k->held(s, i);
	if (!first)
		return -ENOENT;
	memory->key = holding_key(first);
	return 0;
}

/* What futexes_at() and futexes_in() failed with. */
static int say_why(int64_t error, struct report *report)
{
	switch (error) {
	case -EINVAL:
		report_text(report, "a futex lies at a multiple of 4");
		return -EINVAL;
	case -EFAULT:
		report_text(report, "no memory that processes share is mapped there");
		return -EINVAL;
	case -EAGAIN:
	case -EREMOTE:
		report_text(report, "that memory could not be read without bringing it in or waiting for its "
				    "file system");
		return -EINVAL;
	case -ENOTSUP:
		report_text(report, "processes of this system and PID namespace were not looked at");
		return -EINVAL;
	default:
		report_text(report, "its memory could not be read: %s", strerror((int)-error));
		return -EINVAL;
	}
}

/* Only of a regular file in /dev/shm; it is not disturbed. A descriptor, or -1. */
static int open_file(const struct snapshot *s, const struct kind *k, size_t i)
{
	const struct shm_entry *e = &s->shm.items[i];
	int fd;

	if ((k != &kind_posix_shm && k != &kind_posix_sem) || e->deleted || !S_ISREG(e->mode))
		return -1;
	fd = shmtree_open_file(&s->shm, e);
	return fd < 0 ? -1 : fd;
}

/* The futex at an offset of the memory of that name; unreached: as that of the memory's own matches. */
static int64_t find_in(struct snapshot *s, const struct kind *k, struct span name, uint64_t offset,
		       int *unreached, struct report *report)
{
	_cleanup_(close_fd) int fd = -1;
	struct memory_object memory;
	struct matches m = { 0 };
	int64_t r = k->resolve(s, name, &m, report);

	if (r == 0)
		r = m.count != 1 ? -ENOENT : memory_of(s, k, m.items[0], &memory);
	if (r == 0) {
		fd = open_file(s, k, m.items[0]);
		r = futexes_in(s, &memory, offset, fd);
		if (r < 0 && r != -ENOMEM && r != -ENOENT)
			r = say_why(r, report);
	}
	*unreached = m.error;
	matches_free(&m);
	return r;
}

static int no_reference(struct report *report)
{
	report_text(report, "expected such as futex:posix-shm:/name+64 or futex:4711@7f0012345000");
	return -EINVAL;
}

int futex_resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	static const enum futex_type types[] = { FUTEX_MUTEX, FUTEX_COND, FUTEX_RWLOCK, FUTEX_SEMAPHORE };
	const char *type = cut_alias(&id);
	const struct kind *memory;
	struct span object;
	uint64_t place;
	uint32_t pid;
	int64_t i;

	if (parse_place(id, &pid, &place) == 0) {
		i = futexes_at(s, pid, place);
		if (i < 0 && i != -ENOENT && i != -ENOMEM)
			return say_why(i, report);
	} else {
		if (futex_split(id, &object, &place) < 0)
			return no_reference(report);
		memory = memory_kind(&object);
		if (!memory)
			return no_reference(report);
		object = arena_span(&report->arena, object);
		i = object.ptr ? find_in(s, memory, object, place, &m->error, report) : -ENOMEM;
	}
	for (size_t a = 0; type && i >= 0 && a < ARRAY_SIZE(types); a++)
		if (kind_futex.alias_values[a] == type && s->futexes.items[i].decoded.type != types[a])
			i = -ENOENT;
	return matches_found(m, i);
}
