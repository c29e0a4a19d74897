/* SPDX-License-Identifier: MIT */
/*
 * Tasks that take locks one step after the other, each as soon as the one before it has its
 * lock or is blocked: what comes of that, such as a deadlock, is always the same.
 *
 *   locks=KIND,...               lock 0, 1 ..; mutexes and rwlocks lie in one object in /dev/shm,
 *                                which every process maps at an address of its own
 *   steps=TASK:LOCK[MODE],...    TASK = PROCESS[.THREAD]; MODE: r to read, t with a timeout
 */
#include "factory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __NR_futex_time64
#define __NR_futex_time64 -1
#endif
#ifndef SYS_semop
#define SYS_semop -1
#endif
#ifndef SYS_semtimedop
#define SYS_semtimedop -1
#endif
#ifndef SYS_ipc
#define SYS_ipc -1
#endif
#ifndef SYS_semtimedop_time64
#define SYS_semtimedop_time64 -1
#endif
#ifndef SYS_fcntl64
#define SYS_fcntl64 -1
#endif

enum { MOST = 32, SPACING = 128, RANGE = 10, LONG = 3600 };

enum lock_kind { MUTEX, RWLOCK, FLOCK, RECORD, SEMAPHORE };

static const struct lock_word {
	const char *name;
	enum lock_kind kind;
	int type; /* of a mutex */
	bool robust;
	bool ofd, apart; /* a record lock of an open file; a semaphore in a set of its own */
} words[] = {
	{ .name = "mutex", .kind = MUTEX, .type = PTHREAD_MUTEX_NORMAL },
	{ .name = "errorcheck", .kind = MUTEX, .type = PTHREAD_MUTEX_ERRORCHECK },
	{ .name = "recursive", .kind = MUTEX, .type = PTHREAD_MUTEX_RECURSIVE },
	{ .name = "robust", .kind = MUTEX, .type = PTHREAD_MUTEX_NORMAL, .robust = true },
	{ .name = "rwlock", .kind = RWLOCK },
	{ .name = "flock", .kind = FLOCK },
	{ .name = "posix", .kind = RECORD },
	{ .name = "ofd", .kind = RECORD, .ofd = true },
	{ .name = "sem", .kind = SEMAPHORE },
	{ .name = "set", .kind = SEMAPHORE, .apart = true },
};

struct lock {
	const struct lock_word *word;
	uint64_t offset; /* in the memory or the file, or the number of a semaphore */
	uint64_t id;	 /* of a set, inode of a file */
	char path[PATH_MAX];
};

/* A task, and how far it is. Shared by all processes. */
struct actor {
	unsigned process, thread;
	atomic_int tid;
	atomic_uint order, done; /* the step it is to take, and the one it has taken, from 1 */
};

struct step {
	struct actor *actor;
	unsigned lock;
	char mode; /* or '\0' */
};

struct play {
	struct actor *actors;	 /* shared */
	atomic_uint *over;	 /* shared */
	_Atomic uint64_t *bases; /* shared: where each process sees the memory */
	unsigned n_actors, n_processes, n_locks, n_steps;
	struct lock locks[MOST];
	struct step steps[MOST];
	int memory; /* descriptor, or -1 */
	size_t size;
	bool busy; /* at the end the tasks that are not blocked run instead of sleeping */
};

/* One process of a play, as itself. */
struct performer {
	const struct play *play;
	unsigned process;
	char *base;
	int files[MOST]; /* by lock */
};

struct performing_thread {
	struct performer *performer;
	struct actor *actor;
};

static void check(int error, const char *what)
{
	errno = error;
	if (error)
		die("%s", what);
}

static void take(const struct performer *p, const struct step *step)
{
	const struct lock *lock = &p->play->locks[step->lock];
	const struct timespec patience = { .tv_sec = LONG };
	struct timespec until;
	int error;
	struct flock range = { .l_type = step->mode == 'r' ? F_RDLCK : F_WRLCK,
			       .l_start = (off_t)lock->offset,
			       .l_len = RANGE };
	struct sembuf op = { .sem_num = (unsigned short)lock->offset, .sem_op = -1 };

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LONG;
	switch (lock->word->kind) {
	case MUTEX:
		error = step->mode == 't' ?
				pthread_mutex_timedlock((void *)(p->base + lock->offset), &until) :
				pthread_mutex_lock((void *)(p->base + lock->offset));
		if (error != EOWNERDEAD) /* with that it has a robust one */
			check(error, "pthread_mutex_lock");
		break;
	case RWLOCK:
		check(step->mode == 'r' ? pthread_rwlock_rdlock((void *)(p->base + lock->offset)) :
					  pthread_rwlock_wrlock((void *)(p->base + lock->offset)),
		      "pthread_rwlock_lock");
		break;
	case FLOCK:
		if (flock(p->files[step->lock], step->mode == 'r' ? LOCK_SH : LOCK_EX) < 0)
			die("flock");
		break;
	case RECORD:
		if (fcntl(p->files[step->lock], lock->word->ofd ? F_OFD_SETLKW : F_SETLKW, &range) < 0)
			die("fcntl");
		break;
	case SEMAPHORE:
		if ((step->mode == 't' ? semtimedop((int)lock->id, &op, 1, &patience) :
					 semop((int)lock->id, &op, 1)) < 0)
			die("semop");
		break;
	}
}

static void *perform(void *argument)
{
	const struct performing_thread *t = argument;
	const struct play *play = t->performer->play;
	const struct timespec ms = { .tv_nsec = 1000000 };
	struct actor *actor = t->actor;

	atomic_store(&actor->tid, (int)syscall(SYS_gettid));
	while (!atomic_load(play->over)) {
		unsigned order = atomic_load(&actor->order);

		if (order == atomic_load(&actor->done)) {
			nanosleep(&ms, NULL);
			continue;
		}
		take(t->performer, &play->steps[order - 1]);
		atomic_store(&actor->done, order);
	}
	while (play->busy && atomic_load(play->over))
		;
	for (;;)
		pause();
	return NULL;
}

/* Addresses differ from process to process, though all are children of one. */
static char *map_memory(const struct play *play, unsigned process)
{
	size_t gap = (process + 1) * (size_t)sysconf(_SC_PAGESIZE);
	char *p;

	if (play->memory < 0)
		return NULL;
	if (mmap(NULL, gap, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		die("mmap");
	p = mmap(NULL, play->size, PROT_READ | PROT_WRITE, MAP_SHARED, play->memory, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(play->memory);
	return p;
}

static void perform_process(const void *argument)
{
	struct performer p = *(const struct performer *)argument;
	const struct play *play = p.play;
	struct performing_thread threads[MOST], *first = NULL;
	pthread_t thread;

	p.base = map_memory(play, p.process);
	atomic_store(&play->bases[p.process], (uintptr_t)p.base);
	for (unsigned i = 0; i < play->n_locks; i++) {
		const struct lock *lock = &play->locks[i];

		if (lock->word->kind != FLOCK && lock->word->kind != RECORD)
			continue;
		p.files[i] = open(lock->path, O_RDWR | O_CLOEXEC);
		if (p.files[i] < 0)
			die("%s", lock->path);
	}
	for (unsigned i = 0; i < play->n_actors; i++) {
		struct actor *actor = &play->actors[i];

		threads[i] = (struct performing_thread){ &p, actor };
		if (actor->process != p.process)
			continue;
		if (actor->thread == 0)
			first = &threads[i];
		else
			check(pthread_create(&thread, NULL, perform, &threads[i]), "pthread_create");
	}
	if (first)
		perform(first);
	for (;;)
		pause();
}

/* Locks */

static void make_in_memory(const struct lock *lock, char *base)
{
	pthread_mutexattr_t mutex;
	pthread_rwlockattr_t rwlock;

	if (lock->word->kind == RWLOCK) {
		check(pthread_rwlockattr_init(&rwlock), "pthread_rwlockattr_init");
		check(pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED),
		      "pthread_rwlockattr_setpshared");
		check(pthread_rwlock_init((void *)(base + lock->offset), &rwlock), "pthread_rwlock_init");
		return;
	}
	check(pthread_mutexattr_init(&mutex), "pthread_mutexattr_init");
	check(pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED), "pthread_mutexattr_setpshared");
	check(pthread_mutexattr_settype(&mutex, lock->word->type), "pthread_mutexattr_settype");
	if (lock->word->robust)
		check(pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST),
		      "pthread_mutexattr_setrobust");
	check(pthread_mutex_init((void *)(base + lock->offset), &mutex), "pthread_mutex_init");
}

static void make_memory(const char *name, struct play *play)
{
	char *base;

	play->memory = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (play->memory < 0 || ftruncate(play->memory, (off_t)play->size) < 0)
		die("%s", name);
	base = mmap(NULL, play->size, PROT_READ | PROT_WRITE, MAP_SHARED, play->memory, 0);
	if (base == MAP_FAILED)
		die("mmap");
	for (unsigned i = 0; i < play->n_locks; i++)
		if (play->locks[i].word->kind == MUTEX || play->locks[i].word->kind == RWLOCK)
			make_in_memory(&play->locks[i], base);
	munmap(base, play->size);
}

/* Every flock has a file of its own, record locks share one. */
static void make_file_lock(const char *path, struct lock *lock, unsigned index)
{
	struct stat st;
	int fd;

	if (!*path)
		wrong("a lock of a file needs path=");
	if (lock->word->kind == FLOCK)
		snprintf(lock->path, sizeof(lock->path), "%s%u", path, index);
	else
		snprintf(lock->path, sizeof(lock->path), "%s", path);
	fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		die("%s", lock->path);
	close(fd);
	lock->id = st.st_ino;
	lock->offset = lock->word->kind == RECORD ? index * RANGE : 0;
}

/* Each is free: it has the value 1. */
static void make_semaphores(struct play *play)
{
	int together = -1;

	for (unsigned i = 0; i < play->n_locks; i++) {
		struct lock *lock = &play->locks[i];
		bool apart = lock->word->apart;
		int id;

		if (lock->word->kind != SEMAPHORE)
			continue;
		lock->offset = apart ? 0 : i;
		id = !apart && together >= 0 ? together :
					       semget(IPC_PRIVATE, apart ? 1 : (int)play->n_locks, 0600);
		if (id < 0 || semctl(id, (int)lock->offset, SETVAL, 1) < 0)
			die("semget");
		if (!apart)
			together = id;
		lock->id = (uint64_t)id;
	}
}

static const struct lock_word *find_word(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	wrong("%s: no such lock", name);
}

static void make_locks(struct job *job, struct play *play)
{
	char *list = strdup(arg_text(&job->args, "locks", "")), *item;
	const char *name = arg_text(&job->args, "name", "/steps"), *path = arg_text(&job->args, "path", "");
	bool in_memory = false;

	play->memory = -1;
	play->size = MOST * SPACING;
	while ((item = next_item(&list))) {
		struct lock *lock = &play->locks[play->n_locks];

		if (play->n_locks == MOST)
			wrong("too many locks");
		lock->word = find_word(item);
		if (lock->word->kind == FLOCK || lock->word->kind == RECORD)
			make_file_lock(path, lock, play->n_locks);
		else if (lock->word->kind != SEMAPHORE) {
			lock->offset = play->n_locks * SPACING;
			in_memory = true;
		}
		play->n_locks++;
	}
	if (in_memory)
		make_memory(name, play);
	make_semaphores(play);
	truth_list(&job->truth, "offsets");
	for (unsigned i = 0; i < play->n_locks; i++)
		truth_item(&job->truth, play->locks[i].offset);
	truth_list_end(&job->truth);
	truth_list(&job->truth, "ids");
	for (unsigned i = 0; i < play->n_locks; i++)
		truth_item(&job->truth, play->locks[i].id);
	truth_list_end(&job->truth);
}

/* Tasks and their steps */

static struct actor *find_actor(struct play *play, unsigned process, unsigned thread)
{
	struct actor *a;

	for (a = play->actors; a < play->actors + play->n_actors; a++)
		if (a->process == process && a->thread == thread)
			return a;
	if (play->n_actors == MOST || process >= MOST)
		wrong("too many tasks");
	play->n_actors++;
	a->process = process;
	a->thread = thread;
	if (process >= play->n_processes)
		play->n_processes = process + 1;
	return a;
}

static void parse_steps(struct job *job, struct play *play)
{
	char *list = strdup(arg_text(&job->args, "steps", "")), *item;

	while ((item = next_item(&list))) {
		struct step *step = &play->steps[play->n_steps];
		unsigned process = 0, thread = 0;
		char *colon = strchr(item, ':'), *dot, *last = item + strlen(item) - 1;

		if (!colon || play->n_steps == MOST)
			wrong("%s: no step, or too many", item);
		*colon = '\0';
		if ((dot = strchr(item, '.'))) {
			*dot++ = '\0';
			thread = (unsigned)number(dot);
		}
		process = (unsigned)number(item);
		if (*last == 'r' || *last == 't') {
			step->mode = *last;
			*last = '\0';
		}
		step->lock = (unsigned)number(colon + 1);
		if (step->lock >= play->n_locks)
			wrong("%u: no such lock", step->lock);
		step->actor = find_actor(play, process, thread);
		play->n_steps++;
	}
}

static bool is_blocked(const struct step *step, const struct play *play)
{
	long call = task_call(atomic_load(&step->actor->tid));

	if (call < 0)
		return false;
	switch (play->locks[step->lock].word->kind) {
	case MUTEX:
	case RWLOCK:
		return call == SYS_futex || call == __NR_futex_time64;
	case FLOCK:
		return call == SYS_flock;
	case RECORD:
		return call == SYS_fcntl || call == SYS_fcntl64;
	case SEMAPHORE:
		return call == SYS_semop || call == SYS_semtimedop || call == SYS_semtimedop_time64 ||
		       call == SYS_ipc;
	}
	return false;
}

struct attempt {
	const struct play *play;
	const struct step *step;
	unsigned number;
	unsigned *looks; /* how often it was seen blocked, one after the other */
};

/* Even a lock that is free may be waited for, for a moment: while somebody reads /proc/locks. */
#define LOOKS 150

static uint64_t is_settled(const void *argument)
{
	const struct attempt *a = argument;

	if (atomic_load(&a->step->actor->done) == a->number)
		return 1;
	*a->looks = is_blocked(a->step, a->play) ? *a->looks + 1 : 0;
	return *a->looks >= LOOKS;
}

static uint64_t is_there(const void *argument)
{
	const struct actor *actor = argument;

	return atomic_load(&actor->tid) != 0;
}

static void take_steps(struct job *job, struct play *play)
{
	truth_list(&job->truth, "blocked");
	for (unsigned i = 0; i < play->n_steps; i++) {
		unsigned looks = 0;
		struct attempt attempt = { play, &play->steps[i], i + 1, &looks };
		struct actor *actor = play->steps[i].actor;

		if (atomic_load(&actor->order) != atomic_load(&actor->done))
			wrong("step %u: the task is blocked already", i);
		atomic_store(&actor->order, i + 1);
		wait_until(is_settled, &attempt, 1, "a step");
		truth_item(&job->truth, atomic_load(&actor->done) != i + 1);
	}
	truth_list_end(&job->truth);
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void plays_truth(struct job *job, const struct play *play, const pid_t *pids)
{
#ifdef __GLIBC__
	truth_text(&job->truth, "libc", "glibc");
#else
	truth_text(&job->truth, "libc", "musl");
#endif
	truth_list(&job->truth, "pids");
	for (unsigned i = 0; i < play->n_processes; i++)
		truth_item(&job->truth, (uint64_t)pids[i]);
	truth_list_end(&job->truth);
	truth_list(&job->truth, "bases");
	for (unsigned i = 0; i < play->n_processes; i++)
		truth_item(&job->truth, atomic_load(&play->bases[i]));
	truth_list_end(&job->truth);
	truth_list(&job->truth, "steppers"); /* for each step: who */
	for (unsigned i = 0; i < play->n_steps; i++)
		truth_item(&job->truth, (uint64_t)atomic_load(&play->steps[i].actor->tid));
	truth_list_end(&job->truth);
}

static void end_process(struct job *job, pid_t pid)
{
	size_t kept = 0;

	if (kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) != pid)
		die("kill");
	for (size_t i = 0; i < job->tasks.count; i++)
		if (job->tasks.pids[i] != pid)
			job->tasks.pids[kept++] = job->tasks.pids[i];
	job->tasks.count = kept;
}

void make_steps(struct job *job)
{
	static struct play play;
	uint64_t ended = arg_u64(&job->args, "kill", UINT64_MAX);
	pid_t pids[MOST];

	play.actors = shared(MOST * sizeof(*play.actors));
	play.over = shared(sizeof(*play.over));
	play.bases = shared(MOST * sizeof(*play.bases));
	play.busy = arg_u64(&job->args, "busy", 0);
	make_locks(job, &play);
	parse_steps(job, &play);
	for (unsigned i = 0; i < play.n_processes; i++) {
		struct performer p = { .play = &play, .process = i };

		pids[i] = task_start(&job->tasks, perform_process, &p);
	}
	if (play.memory >= 0)
		close(play.memory);
	for (unsigned i = 0; i < play.n_actors; i++)
		wait_until(is_there, &play.actors[i], 1, "a task");
	take_steps(job, &play);
	atomic_store(play.over, 1);
	plays_truth(job, &play, pids);
	if (ended < play.n_processes)
		end_process(job, pids[ended]);
}
