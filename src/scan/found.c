/* SPDX-License-Identifier: MIT */
#include "scan/found.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "lib/vec.h"

uint64_t object_digest(const struct object_key *key)
{
	return object_digest_packed(key->class, device_pack(key->dev), key->ino);
}

bool object_same(const struct object_key *a, const struct object_key *b)
{
	return a->class == b->class && a->dev == b->dev && a->ino == b->ino;
}

/* 12 bits of major and 20 of minor number: the kernel has no more. */
uint32_t device_pack(uint64_t dev)
{
	return major(dev) << 20 | (minor(dev) & 0xfffff);
}

uint64_t device_unpack(uint32_t packed)
{
	return makedev(packed >> 20, packed & 0xfffff);
}

static struct found_file *find(const struct found_file *files, const struct hash *index,
			       const struct object_key *key)
{
	const struct hash_slot *slot = NULL;
	uint64_t digest = object_digest(key);

	while ((slot = hash_find(index, digest, slot)) != NULL)
		if (object_same(&files[slot->value].key, key))
			return (struct found_file *)(uintptr_t)&files[slot->value];
	return NULL;
}

const struct found_file *found_file_find(const struct found_file *files, const struct hash *index,
					 const struct object_key *key)
{
	return find(files, index, key);
}

bool found_file_is_whole(const struct found_file *file)
{
	return file->described && !file->escaped;
}

int found_file_add(struct found_file **files, size_t *count, struct hash *index,
		   const struct found_file *file)
{
	struct found_file *known = find(*files, index, &file->key);

	if (known) {
		if (known->described + !known->escaped < file->described + !file->escaped)
			*known = *file;
		return 0;
	}
	if (vec_reserve(files, *count, sizeof(**files)) < 0 ||
	    hash_add(index, object_digest(&file->key), (uint32_t)*count) < 0)
		return -ENOMEM;
	(*files)[(*count)++] = *file;
	return 0;
}
