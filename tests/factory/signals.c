/* SPDX-License-Identifier: MIT */
/*
 * A process with given blocked, ignored and caught signals, to which the factory then sends
 * some: they stay pending. Its threads wait in a call of the caller's choice.
 */
#include "factory.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 4096

/* Shared by the factory and the process. */
struct board {
	atomic_uint ready; /* threads that have written their number, and wait */
	atomic_int tids[MOST_THREADS]; /* the main thread first */
};

struct process {
	struct board *board;
	unsigned threads;
	sigset_t blocked, thread_blocked; /* by all; by all but the main thread, too */
	char *ignored, *caught;
	const char *wait;
	int semaphores;
	bool leave;
	struct bytes name;
};

/* Which thread of a process to be. */
struct place {
	const struct process *process;
	unsigned index;
};

static void take_nothing(int number)
{
	(void)number;
}

/* Numbers that libc keeps for itself are refused by its own functions. */
static void set_action(int number, void (*handler)(int))
{
	const struct sigaction action = { .sa_handler = handler };

	if (sigaction(number, &action, NULL) < 0)
		die("sigaction %d", number);
}

static void set_actions(char *list, void (*handler)(int))
{
	for (char *item; (item = next_item(&list)) != NULL;)
		set_action((int)number(item), handler);
}

static sigset_t set_of(char *list)
{
	sigset_t set;

	sigemptyset(&set);
	for (char *item; (item = next_item(&list)) != NULL;)
		if (sigaddset(&set, (int)number(item)) < 0)
			die("signal %s", item);
	return set;
}

/* Waits for a child that never ends nor runs a program: no signal but a fatal one gets to us. */
static void wait_in_vfork(void)
{
	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (true)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	}
}

/* Blocks in the call asked for; whoever comes back from it was disturbed, and ends. */
static void wait_in_call(const struct process *p)
{
	struct epoll_event event;
	struct sembuf take = { .sem_op = -1 };

	if (strcmp(p->wait, "epoll") == 0)
		epoll_wait(epoll_create1(EPOLL_CLOEXEC), &event, 1, -1);
	else if (strcmp(p->wait, "semop") == 0)
		semop(p->semaphores, &take, 1);
	else if (strcmp(p->wait, "sleep") == 0)
		nanosleep(&(struct timespec){ .tv_sec = 100000 }, NULL);
	else if (strcmp(p->wait, "pause") == 0)
		pause();
	else if (strcmp(p->wait, "vfork") == 0)
		wait_in_vfork();
	else
		wrong("wait=%s: expected epoll, semop, sleep, pause or vfork", p->wait);
	_exit(3);
}

static void *run_thread(void *argument)
{
	struct place *place = argument;
	const struct process *p = place->process;

	if (place->index > 0)
		pthread_sigmask(SIG_BLOCK, &p->thread_blocked, NULL);
	atomic_store(&p->board->tids[place->index], (int)syscall(SYS_gettid));
	atomic_fetch_add(&p->board->ready, 1);
	if (place->index == 0 && p->leave)
		syscall(SYS_exit, 0); /* this thread alone */
	wait_in_call(p);
	return NULL;
}

static void run_process(const void *argument)
{
	const struct process *p = argument;
	struct place *places = calloc(p->threads, sizeof(*places));
	pthread_attr_t attr;
	pthread_t thread;

	if (!places)
		die("memory");
	set_actions(p->ignored, SIG_IGN);
	set_actions(p->caught, take_nothing);
	sigprocmask(SIG_SETMASK, &p->blocked, NULL);
	if (p->name.len > 0)
		prctl(PR_SET_NAME, p->name.data);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (unsigned i = 1; i < p->threads; i++) {
		places[i] = (struct place){ p, i };
		if (pthread_create(&thread, &attr, run_thread, &places[i]) != 0)
			die("thread %u", i);
	}
	places[0] = (struct place){ p, 0 };
	run_thread(&places[0]);
}

static uint64_t count_ready(const void *argument)
{
	return atomic_load(&((const struct board *)argument)->ready);
}

/* The state letter of a thread; 0: there is none. */
static char state_of(pid_t pid, pid_t tid)
{
	char path[64], line[512], *end;
	FILE *f;
	char state = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	line[fread(line, 1, sizeof(line) - 1, f)] = '\0';
	end = strrchr(line, ')');
	if (end && end[1] == ' ')
		state = end[2];
	fclose(f);
	return state;
}

struct settled {
	pid_t pid;
	const struct board *board;
	unsigned threads;
	bool leave;
	char state;
};

/* How many threads are in the state asked for; a main thread that left is a zombie. */
static uint64_t count_settled(const void *argument)
{
	const struct settled *s = argument;
	uint64_t n = 0;

	for (unsigned i = 0; i < s->threads; i++)
		n += state_of(s->pid, atomic_load(&s->board->tids[i])) == (i == 0 && s->leave ? 'Z' : s->state);
	return n;
}

/* "SIGNAL:VALUE": sigqueue(3) to the process. */
static void queue_one(pid_t pid, char *item)
{
	char *value = strchr(item, ':');
	union sigval v = { 0 };

	if (!value)
		wrong("queue=%s: expected SIGNAL:VALUE", item);
	*value++ = '\0';
	v.sival_int = (int)number(value);
	if (sigqueue(pid, (int)number(item), v) < 0)
		die("sigqueue %s", item);
}

/* "THREAD:SIGNAL": tgkill(2); "THREAD:SIGNAL:VALUE": rt_tgsigqueueinfo(2). */
static void send_to_thread(pid_t pid, const struct board *board, char *item)
{
	char *sent = strchr(item, ':'), *value = sent ? strchr(sent + 1, ':') : NULL;
	siginfo_t info = { 0 };
	int tid, r;

	if (!sent)
		wrong("thread=%s: expected THREAD:SIGNAL", item);
	*sent++ = '\0';
	if (value)
		*value++ = '\0';
	tid = atomic_load(&board->tids[number(item)]);
	info.si_signo = (int)number(sent);
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value ? (int)number(value) : 0;
	if (value)
		r = (int)syscall(SYS_rt_tgsigqueueinfo, pid, tid, info.si_signo, &info);
	else
		r = (int)syscall(SYS_tgkill, pid, tid, info.si_signo);
	if (r < 0)
		die("signal %s to thread %s", sent, item);
}

static void send_all(struct job *job, pid_t pid, const struct board *board)
{
	char *queue = arg_bytes(&job->args, "queue", "").data, *kills = arg_bytes(&job->args, "kill", "").data;
	char *threads = arg_bytes(&job->args, "thread", "").data;

	for (char *item; (item = next_item(&kills)) != NULL;)
		if (kill(pid, (int)number(item)) < 0)
			die("kill %s", item);
	for (char *item; (item = next_item(&queue)) != NULL;)
		queue_one(pid, item);
	for (char *item; (item = next_item(&threads)) != NULL;)
		send_to_thread(pid, board, item);
}

void make_signals(struct job *job)
{
	struct args *args = &job->args;
	struct process p = {
		.board = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		.threads = (unsigned)arg_u64(args, "threads", 1),
		.blocked = set_of(arg_bytes(args, "blocked", "").data),
		.thread_blocked = set_of(arg_bytes(args, "thread_blocked", "").data),
		.ignored = arg_bytes(args, "ignored", "").data,
		.caught = arg_bytes(args, "caught", "").data,
		.wait = arg_text(args, "wait", "pause"),
		.leave = arg_u64(args, "leave", 0),
		.name = arg_bytes(args, "name", ""),
	};
	struct settled settled = { .board = p.board, .threads = p.threads, .leave = p.leave };
	bool stop = arg_u64(args, "stop", 0), end = arg_u64(args, "end", 0);
	pid_t pid;

	/* Who waits in vfork(2) sleeps uninterruptibly. */
	settled.state = strcmp(p.wait, "vfork") == 0 ? 'D' : 'S';
	if (p.board == MAP_FAILED)
		die("mmap");
	if (p.threads < 1 || p.threads > MOST_THREADS)
		wrong("threads=%u: expected 1 to %d", p.threads, MOST_THREADS);
	p.semaphores = semget(IPC_PRIVATE, 1, 0600);
	if (p.semaphores < 0)
		die("semget");
	pid = settled.pid = task_start(&job->tasks, run_process, &p);
	wait_until(count_ready, p.board, p.threads, "threads");
	wait_until(count_settled, &settled, p.threads, "threads that wait");
	send_all(job, pid, p.board);
	if (stop || end)
		kill(pid, end ? SIGKILL : SIGSTOP);
	if (stop) {
		settled.state = 'T';
		wait_until(count_settled, &settled, p.threads, "threads that are stopped");
	}
	if (end)
		waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	truth_u64(&job->truth, "process", (uint64_t)pid);
	truth_u64(&job->truth, "uid", getuid());
	truth_list(&job->truth, "threads");
	for (unsigned i = 0; i < p.threads; i++)
		truth_item(&job->truth, (uint64_t)atomic_load(&p.board->tids[i]));
	truth_list_end(&job->truth);
}
