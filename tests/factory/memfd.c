/* SPDX-License-Identifier: MIT */
/* Files without a name, counters, and memory that relatives share. */
#include "holding.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static void add_seals(int fd, char *list)
{
	static const struct {
		const char *name;
		int seal;
	} seals[] = {
		{ "seal", F_SEAL_SEAL },	   { "shrink", F_SEAL_SHRINK }, { "grow", F_SEAL_GROW },
		{ "write", F_SEAL_WRITE },	   { "future-write", F_SEAL_FUTURE_WRITE },
	};
	char *item;

	while ((item = next_item(&list))) {
		size_t i = 0;

		while (i < sizeof(seals) / sizeof(seals[0]) && strcmp(seals[i].name, item) != 0)
			i++;
		if (i == sizeof(seals) / sizeof(seals[0]))
			wrong("%s: no such seal", item);
		if (fcntl(fd, F_ADD_SEALS, seals[i].seal) < 0)
			cannot("F_ADD_SEALS %s", item);
	}
}

static void memfd_truth(struct truth *truth, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	truth_u64(truth, "ino", st.st_ino);
	truth_u64(truth, "dev_major", major(st.st_dev));
	truth_u64(truth, "dev_minor", minor(st.st_dev));
	truth_u64(truth, "size", st.st_size);
	truth_u64(truth, "allocated", (uint64_t)st.st_blocks * 512);
	truth_u64(truth, "uid", st.st_uid);
	truth_u64(truth, "gid", st.st_gid);
	truth_u64(truth, "mode", st.st_mode & 07777);
	truth_i64(truth, "atime", st.st_atime);
	truth_i64(truth, "mtime", st.st_mtime);
	truth_i64(truth, "ctime", st.st_ctime);
	truth_i64(truth, "seals", fcntl(fd, F_GET_SEALS));
}

/* Huge pages are counted when they are mapped, not when the file is made. */
static void need_mapping(int fd, uint64_t size)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (address == MAP_FAILED)
		cannot("mmap of huge pages");
	munmap(address, size);
}

void make_memfd(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", "memory");
	struct bytes content = arg_bytes(args, "content", "");
	struct subject subject = { .open = open_again, .size = arg_u64(args, "size", 4096) };
	uint64_t huge = arg_u64(args, "hugetlb", 0);
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd;

	if (huge)
		flags |= MFD_HUGETLB | (unsigned)__builtin_ctzll(huge) << MFD_HUGE_SHIFT;
	fd = memfd_create(name.data, flags);
	if (fd < 0 || ftruncate(fd, subject.size) < 0) {
		if (huge)
			cannot("memfd_create with huge pages");
		die("memfd_create");
	}
	if (content.len && pwrite(fd, content.data, content.len, 0) != (ssize_t)content.len)
		die("pwrite");
	add_seals(fd, strdup(arg_text(args, "seals", "")));
	if (huge && strstr(arg_text(args, "holders", ""), "map"))
		need_mapping(fd, subject.size);
	truth_hex(&job->truth, "name_hex", name);
	memfd_truth(&job->truth, fd);
	subject.ends[0] = fd;
	hold_all(job, &subject);
}

void make_eventfd(struct job *job)
{
	struct args *args = &job->args;
	struct subject subject = { .open = open_copy };
	uint64_t value = arg_u64(args, "value", 0);
	int flags = EFD_CLOEXEC | EFD_NONBLOCK | (arg_u64(args, "semaphore", 0) ? EFD_SEMAPHORE : 0);
	int fd = eventfd(0, flags);
	int64_t id;

	if (fd < 0 || (value && write(fd, &value, sizeof(value)) != sizeof(value)))
		die("eventfd");
	id = own_fdinfo(fd, "eventfd-id", 10);
	if (id < 0) {
		errno = ENOSYS;
		cannot("eventfd-id in /proc/self/fdinfo");
	}
	truth_i64(&job->truth, "id", id);
	truth_u64(&job->truth, "value", value);
	truth_i64(&job->truth, "semaphore", own_fdinfo(fd, "eventfd-semaphore", 10));
	subject.ends[0] = fd;
	hold_all(job, &subject);
}

void own_mapping_truth(struct truth *truth, const void *address)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen("/proc/self/maps", "re");
	bool found = false;

	if (!f)
		die("/proc/self/maps");
	while (!found && getline(&line, &size, f) > 0) {
		unsigned dev_major, dev_minor;
		uint64_t start, ino;

		if (sscanf(line, "%" SCNx64 "-%*x %*s %*x %x:%x %" SCNu64, &start, &dev_major, &dev_minor, &ino) != 4 ||
		    start != (uintptr_t)address)
			continue;
		truth_u64(truth, "dev_major", dev_major);
		truth_u64(truth, "dev_minor", dev_minor);
		truth_u64(truth, "ino", ino);
		found = true;
	}
	if (!found)
		wrong("the mapping is not in /proc/self/maps");
	free(line);
	fclose(f);
}

void make_anon_mapping(struct job *job)
{
	struct args *args = &job->args;
	struct subject subject = { .size = arg_u64(args, "size", 4096) };
	uint64_t touch = arg_u64(args, "touch", 0), huge = arg_u64(args, "hugetlb", 0);
	int flags = MAP_SHARED | MAP_ANONYMOUS;

	if (huge)
		flags |= MAP_HUGETLB | __builtin_ctzll(huge) << MFD_HUGE_SHIFT;
	subject.memory = mmap(NULL, subject.size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (subject.memory == MAP_FAILED) {
		if (huge)
			cannot("mmap with huge pages");
		die("mmap");
	}
	memset(subject.memory, 1, touch);
	truth_u64(&job->truth, "size", subject.size);
	own_mapping_truth(&job->truth, subject.memory);
	hold_all(job, &subject);
}
