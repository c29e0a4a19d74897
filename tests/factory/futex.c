/* SPDX-License-Identifier: MIT */
/*
 * Process-shared mutexes, condition variables, read-write locks and semaphores in memory of any
 * kind, with tasks that own them and tasks that wait for them. Each waiter maps the memory once
 * more, and so sees it at an address of its own.
 */
#include "factory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __NR_futex_time64
#define __NR_futex_time64 -1
#endif
#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif
#ifndef __NR_futex_wait
#define __NR_futex_wait 455
#endif
#define COMPANION 64 /* a condition variable's mutex lies so many bytes behind it */
#define MOST 64

/* What tasks tell about themselves, and how far they are. */
struct entry {
	atomic_int pid; /* as the maker sees it */
	_Atomic uint64_t address;
	atomic_int inner; /* thread number in its own PID namespace */
	atomic_bool done; /* it has what it should own */
};

struct memory {
	const char *kind;
	int fd, id;
	char *first; /* where the maker sees it */
	size_t size;
};

struct scene {
	struct memory memory;
	const char *type, *wait;
	uint64_t offset, at, locks;
	struct entry *board;
};

/* What one task is to do. */
struct role {
	const struct scene *scene;
	struct entry *entry;
	enum { OWN, OWN_AND_DIE, READ, WAIT } act;
	bool namespace; /* in a PID namespace of its own */
};

static char *map_again(const struct memory *m)
{
	char *p;

	if (strcmp(m->kind, "sysv-shm") == 0)
		p = shmat(m->id, NULL, 0);
	else if (strcmp(m->kind, "anon-mapping") == 0 && m->first) /* mremap(2): the same pages once more */
		p = mremap(m->first, 0, m->size, MREMAP_MAYMOVE);
	else if (strcmp(m->kind, "anon-mapping") == 0)
		p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	else
		p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (p == MAP_FAILED)
		die("map");
	return p;
}

static void make_memory(struct job *job, struct memory *m)
{
	const char *name = arg_text(&job->args, "name", "/futex");
	struct stat st;

	m->kind = arg_text(&job->args, "memory", "posix-shm");
	m->size = arg_u64(&job->args, "size", 8192);
	m->fd = -1;
	if (strcmp(m->kind, "posix-shm") == 0)
		m->fd = shm_open(name, O_RDWR | O_CREAT, 0600);
	else if (strcmp(m->kind, "file-mapping") == 0)
		m->fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	else if (strcmp(m->kind, "memfd") == 0)
		m->fd = memfd_create("futex", MFD_CLOEXEC);
	else if (strcmp(m->kind, "sysv-shm") == 0)
		m->id = shmget(IPC_PRIVATE, m->size, IPC_CREAT | 0600);
	else if (strcmp(m->kind, "anon-mapping") != 0)
		wrong("memory=%s: no such kind", m->kind);
	if (m->fd >= 0 && (fstat(m->fd, &st) < 0 || (st.st_size == 0 && ftruncate(m->fd, m->size) < 0)))
		die("ftruncate");
	if (m->id < 0)
		die("shmget");
	m->first = map_again(m);
	truth_text(&job->truth, "memory", m->kind);
	truth_u64(&job->truth, "id", m->id);
	if (m->fd >= 0)
		truth_u64(&job->truth, "ino", st.st_ino);
	else
		own_mapping_truth(&job->truth, m->first);
}

static void check(int error, const char *what)
{
	errno = error;
	if (error)
		die("%s", what);
}

static void make_mutex(struct job *job, pthread_mutex_t *mutex)
{
	struct args *args = &job->args;
	pthread_mutexattr_t attr;
	int type = arg_u64(args, "recursive", 0)  ? PTHREAD_MUTEX_RECURSIVE :
		   arg_u64(args, "errorcheck", 0) ? PTHREAD_MUTEX_ERRORCHECK :
						    PTHREAD_MUTEX_NORMAL;

	check(pthread_mutexattr_init(&attr), "pthread_mutexattr_init");
	check(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), "pthread_mutexattr_setpshared");
	check(pthread_mutexattr_settype(&attr, type), "pthread_mutexattr_settype");
	if (arg_u64(args, "robust", 0))
		check(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST),
		      "pthread_mutexattr_setrobust");
	if (arg_u64(args, "inherit", 0))
		check(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT),
		      "pthread_mutexattr_setprotocol");
	check(pthread_mutex_init(mutex, &attr), "pthread_mutex_init");
}

static void make_object(struct job *job, const struct scene *s)
{
	char *p = s->memory.first + s->offset;
	pthread_condattr_t cond;
	pthread_rwlockattr_t rwlock;
	struct bytes content;

	if (strcmp(s->type, "mutex") == 0) {
		make_mutex(job, (pthread_mutex_t *)p);
	} else if (strcmp(s->type, "sem") == 0) {
		if (sem_init((sem_t *)p, 1, arg_u64(&job->args, "value", 0)) < 0)
			die("sem_init");
	} else if (strcmp(s->type, "cond") == 0) {
		check(pthread_condattr_init(&cond), "pthread_condattr_init");
		check(pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED),
		      "pthread_condattr_setpshared");
		check(pthread_cond_init((pthread_cond_t *)p, &cond), "pthread_cond_init");
		make_mutex(job, (pthread_mutex_t *)(p + COMPANION));
	} else if (strcmp(s->type, "rwlock") == 0) {
		check(pthread_rwlockattr_init(&rwlock), "pthread_rwlockattr_init");
		check(pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED),
		      "pthread_rwlockattr_setpshared");
		check(pthread_rwlock_init((pthread_rwlock_t *)p, &rwlock), "pthread_rwlock_init");
	} else if (strcmp(s->type, "raw") == 0) {
		content = arg_bytes(&job->args, "content", "");
		memcpy(p, content.data, content.len);
	} else {
		wrong("type=%s: no such type", s->type);
	}
}

static void own(const struct role *role, char *p)
{
	const struct scene *s = role->scene;

	if (strcmp(s->type, "mutex") == 0)
		for (uint64_t i = 0; i < s->locks; i++)
			check(pthread_mutex_lock((pthread_mutex_t *)p), "pthread_mutex_lock");
	else if (role->act == READ)
		check(pthread_rwlock_rdlock((pthread_rwlock_t *)p), "pthread_rwlock_rdlock");
	else
		check(pthread_rwlock_wrlock((pthread_rwlock_t *)p), "pthread_rwlock_wrlock");
}

/* futex(2) and its sisters on a word, expecting what is there; never woken. */
static void wait_raw(const char *how, uint32_t *word)
{
	struct {
		uint64_t value, address;
		uint32_t flags, reserved;
	} list[2] = { { *word, (uintptr_t)word, 2, 0 }, { 0, (uintptr_t)(word + 1), 2, 0 } };

	if (strcmp(how, "waitv") == 0) {
		list[1].value = word[1];
		syscall(__NR_futex_waitv, list, 2, 0, NULL, 0);
	} else if (strcmp(how, "wait2") == 0)
		syscall(__NR_futex_wait, word, (unsigned long)*word, ~0ul & UINT32_MAX, 2, NULL, 0);
	else if (strcmp(how, "private") == 0)
		syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, *word, NULL, NULL, 0);
	else if (strcmp(how, "bitset") == 0)
		syscall(SYS_futex, word, FUTEX_WAIT_BITSET, *word, NULL, NULL, FUTEX_BITSET_MATCH_ANY);
	else if (strcmp(how, "timed") == 0)
		syscall(SYS_futex, word, FUTEX_WAIT, *word, &(struct timespec){ .tv_sec = 3600 }, NULL, 0);
	else
		syscall(SYS_futex, word, FUTEX_WAIT, *word, NULL, NULL, 0);
	cannot("%s", how);
}

static void wait_for(const struct scene *s, char *p)
{
	if (*s->wait && strcmp(s->wait, "read") != 0)
		wait_raw(s->wait, (uint32_t *)(p + s->at));
	if (strcmp(s->type, "mutex") == 0)
		pthread_mutex_lock((pthread_mutex_t *)p);
	else if (strcmp(s->type, "sem") == 0)
		sem_wait((sem_t *)p);
	else if (strcmp(s->type, "cond") == 0) {
		pthread_mutex_lock((pthread_mutex_t *)(p + COMPANION));
		pthread_cond_wait((pthread_cond_t *)p, (pthread_mutex_t *)(p + COMPANION));
	} else if (strcmp(s->wait, "read") == 0)
		pthread_rwlock_rdlock((pthread_rwlock_t *)p);
	else
		pthread_rwlock_wrlock((pthread_rwlock_t *)p);
}

static void play(const struct role *role)
{
	const struct scene *s = role->scene;
	/* Children of one parent would all see it at the same address. */
	size_t gap = (size_t)(role->entry - s->board + 1) * (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, gap, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	p = map_again(&s->memory) + s->offset;

	atomic_store(&role->entry->address, (uintptr_t)p);
	atomic_store(&role->entry->inner, (int)syscall(SYS_gettid));
	if (role->act != WAIT)
		own(role, p);
	atomic_store(&role->entry->done, true);
	if (role->act == OWN_AND_DIE)
		_exit(0);
	if (role->act == WAIT)
		wait_for(s, p);
	for (;;)
		pause();
}

static void play_task(const void *argument)
{
	const struct role *role = argument;
	pid_t pid;

	if (!role->namespace) {
		atomic_store(&role->entry->pid, getpid());
		play(role);
	}
	if (unshare(CLONE_NEWPID) < 0)
		die("unshare");
	/* A number of its own there that is not that of here: the second process. */
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	pid = pid < 0 ? -1 : fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		play(role);
	}
	atomic_store(&role->entry->pid, pid);
	for (;;)
		pause();
}

static uint64_t is_done(const void *argument)
{
	const struct entry *e = argument;

	return atomic_load(&e->done) && atomic_load(&e->pid) != 0;
}

static pid_t start(struct job *job, const struct role *role)
{
	pid_t pid = task_start(&job->tasks, play_task, role);

	wait_until(is_done, role->entry, 1, "a task");
	return pid;
}

static void start_owners(struct job *job, struct scene *s, struct entry **next)
{
	const char *owner = arg_text(&job->args, "owner", "");
	uint64_t readers = arg_u64(&job->args, "readers", 0);
	struct role role = { .scene = s, .entry = (*next)++, .act = OWN };

	if (*owner) {
		role.namespace = strcmp(owner, "namespace") == 0;
		role.act = strcmp(owner, "dead") == 0 ? OWN_AND_DIE : OWN;
		pid_t pid = start(job, &role);

		if (role.act == OWN_AND_DIE) {
			waitpid(pid, NULL, 0);
			job->tasks.count--;
		}
		truth_u64(&job->truth, "owner_pid", atomic_load(&role.entry->pid));
		truth_u64(&job->truth, "owner_number", atomic_load(&role.entry->inner));
	}
	role.act = READ;
	role.namespace = false;
	for (uint64_t i = 0; i < readers; i++) {
		role.entry = (*next)++;
		start(job, &role);
	}
}

static void start_waiters(struct job *job, struct scene *s, struct entry **next)
{
	uint64_t n = arg_u64(&job->args, "waiters", 0), inside = arg_u64(&job->args, "inside", 0);
	bool stop = arg_u64(&job->args, "stop", 0), go = arg_u64(&job->args, "continue", 0);
	struct entry *first = *next;
	long call = strcmp(s->wait, "waitv") == 0 ? __NR_futex_waitv :
		    strcmp(s->wait, "wait2") == 0 ? __NR_futex_wait :
						    __NR_futex;

	for (uint64_t i = 0; i < n + inside; i++) {
		struct role role = { .scene = s, .entry = (*next)++, .act = WAIT, .namespace = i >= n };

		start(job, &role);
		task_wait_blocked(atomic_load(&role.entry->pid), call, __NR_futex_time64);
	}
	for (struct entry *e = first; e < *next; e++) {
		pid_t pid = atomic_load(&e->pid);

		if (stop && (kill(pid, SIGSTOP) < 0 || waitpid(pid, NULL, WUNTRACED) != pid))
			die("stop");
		if (go && kill(pid, SIGCONT) < 0)
			die("continue");
		if (go)
			task_wait_blocked(pid, strcmp(s->wait, "timed") == 0 ? __NR_restart_syscall : call,
					  -1);
	}
	truth_list(&job->truth, "waiters");
	for (struct entry *e = first; e < *next; e++)
		truth_item(&job->truth, atomic_load(&e->pid));
	truth_list_end(&job->truth);
	truth_list(&job->truth, "addresses");
	for (struct entry *e = first; e < *next; e++)
		truth_item(&job->truth, atomic_load(&e->address));
	truth_list_end(&job->truth);
}

void make_futex(struct job *job)
{
	struct args *args = &job->args;
	struct scene s = { .type = arg_text(args, "type", "mutex"),
			   .wait = arg_text(args, "wait", ""),
			   .offset = arg_u64(args, "offset", 64),
			   .at = arg_u64(args, "at", 0),
			   .locks = arg_u64(args, "locks", 1) };
	struct entry *next;
	struct bytes seen;

	make_memory(job, &s.memory);
	make_object(job, &s);
	next = s.board = mmap(NULL, MOST * sizeof(*s.board), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (next == MAP_FAILED)
		die("mmap");
#ifdef __GLIBC__
	truth_text(&job->truth, "libc", "glibc");
#else
	truth_text(&job->truth, "libc", "musl");
#endif
	truth_u64(&job->truth, "offset", s.offset);
	truth_u64(&job->truth, "address", (uintptr_t)(s.memory.first + s.offset));
	start_owners(job, &s, &next);
	start_waiters(job, &s, &next);
	seen = (struct bytes){ s.memory.first + s.offset + s.at, 4 };
	truth_hex(&job->truth, "word_hex", seen);
	/* The maker keeps it mapped only if it is asked to: those who do are the tasks. */
	if (!arg_u64(args, "keep", 0) && munmap(s.memory.first, s.memory.size) < 0)
		die("munmap");
	if (s.memory.fd >= 0)
		close(s.memory.fd);
}
