/* SPDX-License-Identifier: MIT */
/*
 * A group of processes as a service has them: a leader that makes pipes and sockets, and
 * workers that inherit some of them, so that the ends of most are in different processes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "group.h"

/*
 * What one group of MEMBERS is made of; check_group() holds the sums against the kernel's
 * own lists. Each member has DESCRIPTORS, the leader more and the workers fewer.
 *
 * typical: pipes and sockets outnumber everything else. A program has a pipe or a socket
 * for each child and each stream of it, two or more to each server that it talks to (bus,
 * log, display, sound), and the server has as many again; a browser has a few for each
 * of its processes, a container a few for its supervisor. Of eventfds it has one a
 * thread with an event loop, and of memfds one a buffer that it hands on. Few objects have
 * more than two holders: what was open before a fork, and listening sockets.
 *
 * even: a quarter of each, which no machine looks like. Eventfds and memfds cost a listing
 * more than the others (one or two further calls each), so that is the harder one.
 */
static const struct composition compositions[] = {
	/* units made: { OWN, LINKED, SHARED } */
	{ "typical",
	  { [PIPES] = { 12, 30, 6 },
	    [SOCKET_PAIRS] = { 8, 30, 5 },
	    [EVENTFDS] = { 10, 5, 1 },
	    [MEMFDS] = { 1, 5, 0 } } },
	{ "even",
	  { [PIPES] = { 5, 20, 2 },
	    [SOCKET_PAIRS] = { 5, 20, 2 },
	    [EVENTFDS] = { 40, 5, 1 },
	    [MEMFDS] = { 12, 20, 2 } } },
};

static const char *const unit_names[NUNITS] = { "pipe", "unix-socket", "eventfd", "memfd" };
static const enum kind unit_kinds[NUNITS] = { PIPE, UNIX_SOCKET, EVENTFD, MEMFD };

/* How many descriptors of a kind the group has in a place. */
static unsigned int descriptors_of(const struct composition *c, enum unit unit, enum place place)
{
	unsigned int ends = unit == PIPES || unit == SOCKET_PAIRS ? 2 : 1;

	/* The two ends of a link, or two descriptors of one thing. */
	return c->units[unit][place] * (place == LINKED ? 2 * WORKERS : ends * MEMBERS);
}

void print_compositions(void)
{
	printf("descriptors of a group of %d processes, by who has them:\n", MEMBERS);
	printf("%-12s %-12s %6s %15s %8s %6s\n", "composition", "kind", "own", "leader+worker", "everyone",
	       "share");
	for (size_t i = 0; i < sizeof(compositions) / sizeof(compositions[0]); i++) {
		const struct composition *c = &compositions[i];

		for (int unit = 0; unit < NUNITS; unit++) {
			unsigned int own = descriptors_of(c, unit, OWN);
			unsigned int linked = descriptors_of(c, unit, LINKED);
			unsigned int shared = descriptors_of(c, unit, SHARED);

			printf("%-12s %-12s %6u %15u %8u %5u%%\n", c->name, unit_names[unit], own, linked,
			       shared, (own + linked + shared) * 100 / (DESCRIPTORS * MEMBERS));
		}
	}
}

static void add(struct fds *fds, int fd)
{
	if (fds->count == sizeof(fds->fd) / sizeof(fds->fd[0])) {
		errno = EMFILE;
		die("the leader of a group");
	}
	fds->fd[fds->count++] = fd;
}

static void close_all(struct fds *fds)
{
	while (fds->count)
		close(fds->fd[--fds->count]);
}

static void move_all(struct fds *to, struct fds *from)
{
	for (unsigned int i = 0; i < from->count; i++)
		add(to, from->fd[i]);
	from->count = 0;
}

static void make_all(struct member *m, enum place place)
{
	int ends[2];

	for (int unit = 0; unit < NUNITS; unit++) {
		for (unsigned int i = 0; i < m->composition->units[unit][place]; i++) {
			make_unit(m, (enum unit)unit, place, i, ends);
			if (place != LINKED)
				continue;
			add(ends[1] < 0 ? &m->both : &m->near, ends[0]);
			if (ends[1] >= 0)
				add(&m->far, ends[1]);
		}
	}
}

/* Who has what, of what is made in `links` rounds for workers. Memfds that are mapped are open, too. */
static void count_held(struct member *m, unsigned int links)
{
	unsigned int *held = m->made.held;

	for (int unit = 0; unit < NUNITS; unit++) {
		const unsigned int *units = m->composition->units[unit];
		unsigned int objects = unit == SOCKET_PAIRS ? 2 : 1;

		held[unit_kinds[unit]] = objects * (units[OWN] + units[SHARED]) + links * units[LINKED];
	}
	held[POSIX_SHM] = SHM_FILES;
	held[FILE_MAPPING] = PLAIN_FILES;
	held[ANON_MAPPING] = ANON_SHARED + ANON_OWN;
}

/* The last part of every member: says what it made and has, and holds it from then on. */
__attribute__((noreturn)) static void settle(struct member *m, unsigned int links, int report)
{
	make_all(m, OWN);
	map_own(m);
	count_held(m, links);
	count_all(&m->made, report);
	/* The first three were for reporting errors, of which there are none from here on. */
	m->made.descriptors -= 3;
	if (write(report, &m->made, sizeof(m->made)) != (ssize_t)sizeof(m->made))
		die("reporting");
	for (int fd = 0; fd <= 3; fd++)
		close(fd);
	for (;;)
		pause();
}

__attribute__((noreturn)) static void lead(struct member *m, int report)
{
	struct rlimit files;

	/* 0 to 2 and the report, and nothing else that whoever started us had open. */
	if (report != 3 && dup2(report, 3) < 0)
		die("dup2");
	for (int fd = 4; fd < 1024; fd++)
		close(fd);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("getrlimit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("setrlimit");
	make_all(m, SHARED);
	map_shared(m);
	for (int worker = 0; worker < WORKERS; worker++) {
		unsigned int before = m->mapped.count;
		pid_t pid;

		make_all(m, LINKED);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			close_all(&m->kept);
			close_all(&m->near);
			m->made = (struct made){ 0 };
			m->mapped.count -= before;
			memmove(m->mapped.fd, m->mapped.fd + before, m->mapped.count * sizeof(int));
			settle(m, 1, 3);
		}
		close_all(&m->far);
		move_all(&m->kept, &m->near);
		move_all(&m->kept, &m->both);
	}
	settle(m, WORKERS, 3);
}

static int check_group(const struct made *group)
{
	if (group->processes == MEMBERS && group->descriptors == DESCRIPTORS * MEMBERS &&
	    group->mappings == MAPPINGS * MEMBERS)
		return 0;
	fprintf(stderr, "load: a group has %u processes, %u descriptors, %u mappings, not %d, %d, %d\n",
		group->processes, group->descriptors, group->mappings, MEMBERS, DESCRIPTORS * MEMBERS,
		MAPPINGS * MEMBERS);
	return -1;
}

static void sum_up(struct made *to, const struct made *from)
{
	for (int i = 0; i < NKINDS; i++) {
		to->objects[i] += from->objects[i];
		to->held[i] += from->held[i];
	}
	to->processes += from->processes;
	to->descriptors += from->descriptors;
	to->mappings += from->mappings;
}

static int make_group(const struct composition *c, unsigned int index, const char *directory,
		      struct made *made)
{
	struct member member = { .composition = c, .directory = directory, .group = index };
	struct made group = { 0 }, one;
	int report[2];
	pid_t leader;

	if (pipe(report) < 0)
		return -1;
	leader = fork();
	if (leader == 0)
		lead(&member, report[1]);
	close(report[1]);
	/* Each report is written at once, and ends when the last that could write one has. */
	while (leader > 0 && read(report[0], &one, sizeof(one)) == (ssize_t)sizeof(one))
		sum_up(&group, &one);
	close(report[0]);
	if (leader < 0)
		return -1;
	if (check_group(&group) < 0) {
		errno = ECANCELED;
		return -1;
	}
	sum_up(made, &group);
	return 0;
}

int make_typical_group(unsigned int index, const char *directory, struct made *made)
{
	return make_group(&compositions[0], index, directory, made);
}

int make_even_group(unsigned int index, const char *directory, struct made *made)
{
	return make_group(&compositions[1], index, directory, made);
}
