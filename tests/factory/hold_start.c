/* SPDX-License-Identifier: MIT */
/* Starts the processes of holders=. */
#include "holding.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void wait_forever(void)
{
	for (;;)
		pause();
}

void let_go(const struct holding_process *p)
{
	close_ends(p->subject);
	if (p->subject->memory && !p->keeps_memory && munmap(p->subject->memory, p->subject->size) < 0)
		die("munmap");
}

static void *idle_thread(void *argument)
{
	(void)argument;
	wait_forever();
}

static void start_idle_thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, idle_thread, NULL);
	if (errno)
		die("pthread_create");
}

/* A process and how it is to end up: 'T' stopped, 'Z' only its threads live on, or 0; or blocked
 * in a call. */
struct plan {
	const struct subject *subject;
	char *text;
	char state;
	const struct wait_call *call;
};

static void carry_out(const void *argument)
{
	const struct plan *plan = argument;
	struct holding_process p = { .subject = plan->subject, .last_fd = -1 };
	char *rest = plan->text, *text;

	while ((text = strsep(&rest, "+")))
		hold_act(&p, text);
	let_go(&p);
	if (plan->state == 'Z')
		start_idle_thread();
	atomic_fetch_add(&plan->subject->board->ready, 1);
	if (plan->state == 'T')
		raise(SIGSTOP);
	if (plan->state == 'Z')
		pthread_exit(NULL);
	if (plan->call)
		plan->call->wait(p.last_fd);
	wait_forever();
}

/* "+stop", "+leave" and "+in-CALL" at the end of a process say how it ends up. */
static void cut_end(struct plan *plan)
{
	char *plus = strrchr(plan->text, '+');
	const char *last = plus ? plus + 1 : plan->text;

	plan->state = strcmp(last, "stop") == 0 ? 'T' : strcmp(last, "leave") == 0 ? 'Z' : '\0';
	plan->call = wait_call_find(last);
	if (!plan->state && !plan->call)
		return;
	if (!plus)
		wrong("%s: what should it hold?", plan->text);
	*plus = '\0';
}

static uint64_t is_ready(const void *argument)
{
	const struct board *board = argument;
	unsigned ready = atomic_load(&board->ready);

	return ready >= atomic_load(&board->expected);
}

struct wanted_state {
	pid_t pid;
	char state;
	const struct wait_call *call;
};

static uint64_t has_state(const void *argument)
{
	const struct wanted_state *wanted = argument;
	char path[64], text[512] = "", *close;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)wanted->pid);
	f = fopen(path, "re");
	if (!f)
		die("%s", path);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	close = strrchr(text, ')');
	return close && close[1] && close[2] == wanted->state;
}

static void start_processes(struct job *job, const struct subject *subject)
{
	char *list = strdup(arg_text(&job->args, "holders", "")), *rest = list, *text;
	struct wanted_state *wanted = NULL;
	size_t nwanted = 0;

	while ((text = next_item(&rest))) {
		struct plan plan = { .subject = subject, .text = text };

		cut_end(&plan);
		atomic_fetch_add(&subject->board->expected, 1);
		wanted = realloc(wanted, (nwanted + 1) * sizeof(*wanted));
		if (!wanted)
			die("memory");
		wanted[nwanted].pid = task_start(&job->tasks, carry_out, &plan);
		wanted[nwanted].call = plan.call;
		wanted[nwanted++].state = plan.state;
	}
	wait_until(is_ready, subject->board, 1, "holders");
	truth_list(&job->truth, "blocked");
	for (size_t i = 0; i < nwanted; i++) {
		if (wanted[i].state)
			wait_until(has_state, &wanted[i], 1, "states of processes");
		if (!wanted[i].call)
			continue;
		task_wait_blocked(wanted[i].pid, wanted[i].call->number, wanted[i].call->alternative);
		truth_item(&job->truth, (uint64_t)wanted[i].pid);
	}
	truth_list_end(&job->truth);
	free(wanted);
	free(list);
}

void hold_start(struct job *job, struct subject *subject)
{
	if (!subject->board)
		subject->board = board_new();
	start_processes(job, subject);
}

void hold_end(struct job *job, struct subject *subject)
{
	const struct holding_process maker = { .subject = subject };

	let_go(&maker);
	board_truth(subject->board, &job->truth);
}

void hold_all(struct job *job, struct subject *subject)
{
	hold_start(job, subject);
	hold_end(job, subject);
}
