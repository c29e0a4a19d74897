/* SPDX-License-Identifier: MIT */
/* A process whose threads are all blocked: most of them on mutexes in shared memory, as in real ones. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "group.h"

#define MUTEXES 6
#define STACK (64 * 1024)

/* Tenths of the threads: who waits for a mutex, and for the rest. */
enum { IN_FLOCK = MUTEXES, IN_SEMOP, IN_MSGRCV, IN_READ };

static struct {
	pthread_mutex_t *mutexes;
	const char *path;
	int set, queue, pipe[2];
	pid_t tids[BLOCKED];
	atomic_uint begun;
} own;

static void *block(void *argument)
{
	unsigned int number = (unsigned int)(size_t)argument, tenth = number / (BLOCKED / 10);
	struct sembuf take = { .sem_op = -1 };
	struct {
		long type;
		char text[8];
	} message;
	char byte;
	int fd;

	own.tids[number] = (pid_t)syscall(SYS_gettid);
	fd = tenth == IN_FLOCK ? open(own.path, O_RDWR | O_CLOEXEC) : -1;
	atomic_fetch_add(&own.begun, 1);
	if (tenth < MUTEXES)
		pthread_mutex_lock(&own.mutexes[tenth]);
	else if (tenth == IN_FLOCK)
		flock(fd, LOCK_EX);
	else if (tenth == IN_SEMOP)
		semop(own.set, &take, 1);
	else if (tenth == IN_MSGRCV)
		msgrcv(own.queue, &message, sizeof(message.text), 0, 0);
	else if (read(own.pipe[0], &byte, 1) != 0)
		die("a thread that was to be blocked");
	die("a thread that was to be blocked");
}

static void make_objects(const char *path)
{
	pthread_mutexattr_t shared;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	own.path = path;
	own.mutexes = mmap(NULL, sizeof(*own.mutexes) * MUTEXES, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	own.set = semget(IPC_PRIVATE, 1, 0600);
	own.queue = msgget(IPC_PRIVATE, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0 || own.mutexes == MAP_FAILED || own.set < 0 || own.queue < 0 ||
	    pipe2(own.pipe, O_CLOEXEC) < 0)
		die("what threads are to be blocked on");
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < MUTEXES; i++) {
		pthread_mutex_init(&own.mutexes[i], &shared);
		pthread_mutex_lock(&own.mutexes[i]);
	}
}

static int is_asleep(pid_t tid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		die(path);
	fclose(file);
	return state == 'S';
}

static void start_threads(void)
{
	pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	for (size_t i = 0; i < BLOCKED; i++)
		if (pthread_create(&thread, &small, block, (void *)i) != 0)
			die("a thread");
	while (atomic_load(&own.begun) < BLOCKED)
		usleep(1000);
	for (unsigned int i = 0; i < BLOCKED; i++)
		while (!is_asleep(own.tids[i]))
			usleep(1000);
}

static void be_blocked(unsigned int index, const char *directory)
{
	char path[128];

	if (snprintf(path, sizeof(path), "%s/blocker-%u", directory, index) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		die("the path of a locked file");
	}
	make_objects(path);
	start_threads();
}

int make_blocker(unsigned int index, const char *directory, struct made *made)
{
	if (start_process(be_blocked, index, directory) < 0)
		return -1;
	made->processes++;
	made->waits += BLOCKED;
	return 0;
}
