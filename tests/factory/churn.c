/* SPDX-License-Identifier: MIT */
/*
 * Processes that make, open, map, close, open again and remove objects of many kinds, as fast as
 * they can, and are killed now and then. Each says when an object that it holds is taken from it.
 * They share names: of what one has left another opens, or whoever cleans up takes it.
 *
 * Among themselves they agree by locks of bytes in the report, one byte for each name, which the
 * kernel lifts when one is killed: who is about to open an object, or holds it, has a read lock,
 * who removes it a write lock. What one has removed is made again under another name, for no
 * unlink(2) can tell whether a name has come to stand for another file.
 */
#include "churn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "factory.h"

#define WORKERS 4
#define SLOTS 16 /* names of a kind */
#define HELD 6	 /* by one process */
#define MOST_KINDS 8
#define KILL_MS 20
#define RARELY 32 /* one in so many */

/* The report, a file: numbers for the test to read. */
struct tally {
	uint64_t made, held, gone, lost, removed;
};

struct report {
	uint64_t killed;
	struct tally of[MOST_KINDS];
	uint64_t generation[MOST_KINDS][SLOTS]; /* part of the name */
};

struct churn {
	const char *directory; /* of sockets and FIFOs */
	int fd, log;
	struct report *report;
	uid_t uid;
};

struct worker {
	const struct churn *churn;
	struct churned held[HELD];
	bool has[HELD], lost[HELD];
	uint64_t random;
};

static unsigned roll(struct worker *w)
{
	/* xorshift64 */
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)(w->random >> 32);
}

static void count(uint64_t *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static uint64_t *generation(const struct worker *w, const struct churned *o)
{
	return &w->churn->report->generation[o->kind][o->slot];
}

static bool lock(const struct worker *w, const struct churned *o, short type)
{
	struct flock l = { .l_type = type,
			   .l_whence = SEEK_SET,
			   .l_start = (off_t)sizeof(struct report) + o->kind * SLOTS + o->slot,
			   .l_len = 1 };

	return fcntl(w->churn->fd, F_SETLK, &l) == 0;
}

static void begin(struct worker *w, unsigned place)
{
	struct churned *o = &w->held[place];
	const struct churn_kind *k;
	struct tally *tally;
	bool make = roll(w) % 2;
	const char *directory;
	enum got got;

	o->kind = roll(w) % churn_nkinds;
	o->slot = roll(w) % SLOTS;
	o->dice = (unsigned char)(roll(w) >> 8);
	o->fd = o->id = -1;
	o->address = NULL;
	o->dev = o->ino = 0;
	/* One of its own locks would not be in its way. */
	for (unsigned i = 0; i < HELD; i++)
		if (w->has[i] && w->held[i].kind == o->kind && w->held[i].slot == o->slot)
			return;
	k = &churn_kinds[o->kind];
	if (!lock(w, o, k->alone ? F_WRLCK : F_RDLCK))
		return;
	directory = k->directory ? k->directory : w->churn->directory;
	snprintf(o->name, sizeof(o->name), "%schurn.%u.%llu", directory, o->slot,
		 (unsigned long long)__atomic_load_n(generation(w, o), __ATOMIC_RELAXED));
	got = k->get(o, make);
	tally = &w->churn->report->of[o->kind];
	if (got == GOT_IT) {
		w->has[place] = true;
		count(&tally->held);
		if (make)
			count(&tally->made);
		return;
	}
	if (got == GOT_GONE)
		count(&tally->gone);
	/* Somebody who was killed has left it: as the file is, it is of no use. */
	if (k->alone)
		count(generation(w, o));
	lock(w, o, F_UNLCK);
}

/* One that is lost is held on to, so that whoever took it can see that. */
static void say_lost(const struct worker *w, const struct churned *o)
{
	const struct churn_kind *k = &churn_kinds[o->kind];
	char line[PATH_MAX + 64];
	int n = snprintf(line, sizeof(line), "%s:%s\n", k->name, k->ref ? k->ref(o) : o->name);

	count(&w->churn->report->of[o->kind].lost);
	if (write(w->churn->log, line, (size_t)n) != n)
		_exit(1);
}

static void end(struct worker *w, unsigned place)
{
	struct churned *o = &w->held[place];
	const struct churn_kind *k = &churn_kinds[o->kind];

	if (!k->is_there(o)) {
		say_lost(w, o);
		w->lost[place] = true;
		return;
	}
	k->let_go(o);
	w->has[place] = false;
	/* Most are left, but for what nobody else opens again. */
	if ((roll(w) % RARELY == 0) != k->alone && lock(w, o, F_WRLCK)) {
		count(generation(w, o));
		k->remove(o);
		count(&w->churn->report->of[o->kind].removed);
	}
	lock(w, o, F_UNLCK);
}

static void work(const struct churn *churn, pid_t parent, uint64_t seed)
{
	struct worker w = { .churn = churn, .random = seed * 0x9e3779b97f4a7c15U + 1 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_NAME, "churn");
	for (unsigned n = 0;; n++) {
		unsigned place = n % HELD;

		if (w.lost[place])
			continue;
		if (w.has[place])
			end(&w, place);
		if (!w.has[place])
			begin(&w, place);
	}
}

static void supervise(const void *argument)
{
	const struct churn *churn = argument;
	const struct timespec pause = { .tv_nsec = KILL_MS * 1000000 };
	pid_t workers[WORKERS] = { 0 }, self = getpid();

	prctl(PR_SET_NAME, "churn");
	if (churn->uid && (setresgid(churn->uid, churn->uid, churn->uid) < 0 ||
			   setresuid(churn->uid, churn->uid, churn->uid) < 0))
		_exit(1);
	/* The change has made it forget that. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t n = 0;; n++) {
		pid_t *w = &workers[n % WORKERS];

		if (*w > 0) {
			nanosleep(&pause, NULL);
			kill(*w, SIGKILL);
			waitpid(*w, NULL, 0);
			count(&churn->report->killed);
		}
		*w = fork();
		if (*w == 0)
			work(churn, self, n + 1);
	}
}

static uint64_t all_held(const void *argument)
{
	const struct report *report = argument;
	uint64_t kinds = 0;

	for (unsigned i = 0; i < churn_nkinds; i++)
		kinds += __atomic_load_n(&report->of[i].held, __ATOMIC_RELAXED) > 0;
	return kinds;
}

/* report= and lost= files; directory= where sockets and FIFOs are made, with a slash; uid= of the processes.
 */
void make_churn(struct job *job)
{
	static struct churn churn;
	const char *report = arg_text(&job->args, "report", NULL), *log = arg_text(&job->args, "lost", NULL);

	churn.directory = arg_text(&job->args, "directory", NULL);
	churn.uid = (uid_t)arg_u64(&job->args, "uid", 0);
	if (!report || !log || !churn.directory)
		wrong("report=, lost= and directory= are missing");
	if (churn_nkinds > MOST_KINDS)
		wrong("too many kinds");
	churn.fd = open(report, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	churn.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (churn.fd < 0 || churn.log < 0 || ftruncate(churn.fd, sizeof(*churn.report)) < 0)
		die("report");
	churn.report = mmap(NULL, sizeof(*churn.report), PROT_READ | PROT_WRITE, MAP_SHARED, churn.fd, 0);
	if (churn.report == MAP_FAILED)
		die("mmap");
	task_start(&job->tasks, supervise, &churn);
	wait_until(all_held, churn.report, churn_nkinds, "objects of all kinds");
}
