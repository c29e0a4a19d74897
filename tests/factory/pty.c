/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals: master and slave by different processes, and a session on one. */
#include "holding.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

/* The master is handed on; a slave is opened anew by each process. */
static int open_side(const struct subject *subject, unsigned side, unsigned access)
{
	return side == 0 ? open_copy(subject, 0, access) : open(subject->name, open_flags(access) | O_NOCTTY);
}

/* instance=DIR: of another devpts than the one on /dev/pts. Returns the slave's path. */
static char *open_master(struct job *job, int *master)
{
	const char *directory = arg_text(&job->args, "instance", NULL);
	unsigned n;
	char *path;
	int locked = 0;

	if (asprintf(&path, "%s/ptmx", directory ? directory : "/dev") < 0)
		die("memory");
	*master = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0)
		cannot("%s", path);
	free(path);
	if (ioctl(*master, TIOCSPTLCK, &locked) < 0 || ioctl(*master, TIOCGPTN, &n) < 0)
		die("TIOCGPTN");
	if (asprintf(&path, "%s/%u", directory ? directory : "/dev/pts", n) < 0)
		die("memory");
	truth_u64(&job->truth, "number", n);
	return path;
}

struct session {
	const char *slave;
	struct board *board;
	atomic_uint *ready;
	int master; /* inherited, and not to be held */
};

/* A leader whose terminal this is, with a child in the foreground; both hold it. */
static void lead_session(const void *argument)
{
	const struct session *s = argument;
	pid_t child;
	int fd;

	close(s->master);
	signal(SIGTTOU, SIG_IGN);
	if (setsid() < 0)
		die("setsid");
	fd = open(s->slave, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
		die("TIOCSCTTY");
	board_add(s->board, (struct held){ .fd = fd, .access = HELD_BOTH, .side = 1 });
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "foreground");
		if (setpgid(0, 0) < 0 || tcsetpgrp(fd, getpid()) < 0)
			die("tcsetpgrp");
		board_add(s->board, (struct held){ .fd = fd, .access = HELD_BOTH, .side = 1 });
		atomic_store(s->ready, 1);
	}
	wait_forever();
}

static uint64_t is_set(const void *argument)
{
	return atomic_load((const atomic_uint *)argument);
}

/* The kernel hands bytes on by a worker: waits for them. */
static int wait_for_bytes(int fd, int count)
{
	int queued = 0;

	for (int i = 0; i < 20000; i++) {
		if (ioctl(fd, FIONREAD, &queued) < 0)
			die("FIONREAD");
		if (queued >= count)
			break;
		usleep(1000);
	}
	return queued;
}

/* typed= and printed=: bytes that the slave and the master could read now, without waiting
 * for the end of a line. */
static void fill_queues(struct job *job, int master, const char *slave)
{
	uint64_t typed = arg_u64(&job->args, "typed", 0), printed = arg_u64(&job->args, "printed", 0);
	int fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;

	if (fd < 0 || tcgetattr(fd, &raw) < 0)
		die("%s", slave);
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		die("tcsetattr");
	for (uint64_t i = 0; i < typed; i++)
		if (write(master, "x", 1) != 1)
			die("write");
	for (uint64_t i = 0; i < printed; i++)
		if (write(fd, "y", 1) != 1)
			die("write");
	truth_u64(&job->truth, "input_queued", wait_for_bytes(fd, typed));
	truth_u64(&job->truth, "output_queued", wait_for_bytes(master, printed));
	close(fd);
}

static void node_truth(struct truth *truth, const char *slave)
{
	struct stat st;

	if (stat(slave, &st) < 0)
		die("%s", slave);
	truth_u64(truth, "dev_major", major(st.st_dev));
	truth_u64(truth, "dev_minor", minor(st.st_dev));
	truth_u64(truth, "uid", st.st_uid);
	truth_u64(truth, "gid", st.st_gid);
	truth_u64(truth, "mode", st.st_mode & 07777);
}

/* Before the maker lets go of the master: afterwards it would be hung up. */
static void start_session(struct job *job, struct subject *subject)
{
	atomic_uint *ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct session session = { subject->name, subject->board, ready, subject->ends[0] };
	pid_t leader, foreground = 0, sid = 0;

	if (ready == MAP_FAILED)
		die("mmap");
	leader = task_start(&job->tasks, lead_session, &session);
	wait_until(is_set, ready, 1, "session");
	if (ioctl(subject->ends[0], TIOCGSID, &sid) < 0 || ioctl(subject->ends[0], TIOCGPGRP, &foreground) < 0)
		die("TIOCGSID");
	if (sid != leader)
		wrong("the session is not the leader's");
	truth_u64(&job->truth, "session", sid);
	truth_u64(&job->truth, "foreground", foreground);
}

void make_pty(struct job *job)
{
	struct subject subject = { .open = open_side };
	uint64_t session = arg_u64(&job->args, "session", 0);
	char *slave = open_master(job, &subject.ends[0]);

	subject.name = slave;
	truth_text(&job->truth, "slave", slave);
	node_truth(&job->truth, slave);
	fill_queues(job, subject.ends[0], slave);
	if (session) {
		subject.board = board_new();
		start_session(job, &subject);
	}
	hold_all(job, &subject);
}
