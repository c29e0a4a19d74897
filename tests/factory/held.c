/* SPDX-License-Identifier: MIT */
/* Objects that are made, then held by the processes of holders=, then unlinked if so asked. */
#include "holding.h"

#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const struct subject *subject, unsigned side, unsigned access)
{
	(void)side;
	return open(subject->name, open_flags(access));
}

static int open_queue(const struct subject *subject, unsigned side, unsigned access)
{
	(void)side;
	return mq_open(subject->name, open_flags(access));
}

static void inode_truth(struct truth *truth, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	truth_u64(truth, "ino", st.st_ino);
	truth_u64(truth, "allocated", (uint64_t)st.st_blocks * 512);
}

void make_held_file(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	struct subject subject = { .name = name.data, .open = open_file, .size = arg_u64(args, "size", 4096) };
	int fd = open(name.data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, arg_mode(args, "mode", 0600));

	/* Written, not a hole: it costs memory, which an unlinked file goes on to do. */
	if (fd < 0 || ftruncate(fd, subject.size) < 0 || pwrite(fd, "x", 1, 0) != 1)
		die("%s", name.data);
	inode_truth(&job->truth, fd);
	close(fd);
	hold_all(job, &subject);
	if (arg_u64(args, "unlink", 0) && unlink(name.data) < 0)
		die("unlink");
}

void make_held_posix_sem(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	struct subject subject = { .name = name.data, .size = sizeof(sem_t) };
	sem_t *semaphore = sem_open(name.data, O_CREAT | O_EXCL, arg_mode(args, "mode", 0600),
				    (unsigned)arg_u64(args, "value", 1));

	if (semaphore == SEM_FAILED || sem_close(semaphore) < 0)
		die("sem_open");
	hold_all(job, &subject);
	if (arg_u64(args, "unlink", 0) && sem_unlink(name.data) < 0)
		die("sem_unlink");
}

void make_held_posix_mq(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	struct subject subject = { .name = name.data, .open = open_queue };
	struct mq_attr attr = { .mq_maxmsg = arg_u64(args, "maxmsg", 2), .mq_msgsize = arg_u64(args, "msgsize", 16) };
	mqd_t queue = mq_open(name.data, O_RDWR | O_CREAT | O_EXCL, arg_mode(args, "mode", 0600), &attr);

	if (queue == (mqd_t)-1)
		die("mq_open");
	inode_truth(&job->truth, queue);
	mq_close(queue);
	hold_all(job, &subject);
	if (arg_u64(args, "unlink", 0) && mq_unlink(name.data) < 0)
		die("mq_unlink");
}

void make_held_sysv_shm(struct job *job)
{
	struct args *args = &job->args;
	struct subject subject = { .size = arg_u64(args, "size", 4096) };
	int flags = IPC_CREAT | IPC_EXCL | arg_mode(args, "mode", 0600);

	subject.id = shmget((key_t)arg_u64(args, "key", IPC_PRIVATE), subject.size, flags);
	if (subject.id < 0)
		die("shmget");
	truth_u64(&job->truth, "id", subject.id);
	hold_all(job, &subject);
	if (arg_u64(args, "rmid", 0) && shmctl(subject.id, IPC_RMID, NULL) < 0)
		die("shmctl IPC_RMID");
}
