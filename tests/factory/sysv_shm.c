/* SPDX-License-Identifier: MIT */
#include "factory.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#ifndef SHM_HUGE_SHIFT
#define SHM_HUGE_SHIFT 26
#endif

static int log2_of(uint64_t n)
{
	int log = 0;

	while (n >>= 1)
		log++;
	return log;
}

static void set_owner(int id, struct job *job)
{
	uint64_t uid = arg_u64(&job->args, "uid", UINT64_MAX), gid = arg_u64(&job->args, "gid", UINT64_MAX);
	struct shmid_ds ds;

	if (uid == UINT64_MAX && gid == UINT64_MAX)
		return;
	if (shmctl(id, IPC_STAT, &ds) < 0)
		die("shmctl IPC_STAT");
	if (uid != UINT64_MAX)
		ds.shm_perm.uid = uid;
	if (gid != UINT64_MAX)
		ds.shm_perm.gid = gid;
	if (shmctl(id, IPC_SET, &ds) < 0)
		cannot("shmctl IPC_SET");
}

/* Attaches as often as asked for; the first attachment is given back. */
static void *attach(int id, uint64_t times, struct truth *truth)
{
	void *first = NULL;

	truth_list(truth, "addresses");
	for (uint64_t i = 0; i < times; i++) {
		void *address = shmat(id, NULL, 0);

		if (address == (void *)-1)
			die("shmat");
		if (!first)
			first = address;
		truth_item(truth, (uintptr_t)address);
	}
	truth_list_end(truth);
	return first;
}

void make_sysv_shm(struct job *job)
{
	struct args *args = &job->args;
	key_t key = arg_u64(args, "key", IPC_PRIVATE);
	uint64_t size = arg_u64(args, "size", 4096), huge = arg_u64(args, "hugetlb", 0);
	uint64_t times = arg_u64(args, "attach", 0), touch = arg_u64(args, "touch", 0);
	struct bytes content = arg_bytes(args, "content", "");
	int flags = IPC_CREAT | IPC_EXCL | arg_mode(args, "mode", 0600);
	char *memory;
	int id;

	if (huge)
		flags |= SHM_HUGETLB | log2_of(huge) << SHM_HUGE_SHIFT;
	if (arg_u64(args, "noreserve", 0))
		flags |= SHM_NORESERVE;
	id = shmget(key, size, flags);
	if (id < 0) {
		if (huge && (errno == ENOMEM || errno == EPERM || errno == EINVAL || errno == ENOENT))
			cannot("shmget with huge pages of %llu bytes", (unsigned long long)huge);
		die("shmget");
	}
	truth_u64(&job->truth, "id", id);
	truth_u64(&job->truth, "key", (uint32_t)key);
	truth_u64(&job->truth, "size", size);
	memory = attach(id, times, &job->truth);
	if ((content.len || touch) && !memory)
		wrong("content= and touch= need attach=1");
	if (content.len)
		memcpy(memory, content.data, content.len);
	if (touch)
		memset(memory + content.len, 0xa5, touch - content.len);
	if (arg_u64(args, "lock", 0) && shmctl(id, SHM_LOCK, NULL) < 0)
		cannot("shmctl SHM_LOCK");
	set_owner(id, job);
	if (arg_u64(args, "rmid", 0) && shmctl(id, IPC_RMID, NULL) < 0)
		die("shmctl IPC_RMID");
}
