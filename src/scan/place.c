/* SPDX-License-Identifier: MIT */
#include "scan/place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/out.h"
#include "lib/parse.h"
#include "scan/beneath.h"
#include "scan/proclink.h"

#define NSFS_MAGIC 0x6e736673u /* linux/magic.h */
#define NAMESPACE_TYPE 0xb703  /* NS_GET_NSTYPE of linux/nsfs.h */

/* Exit status of a child that may not be where it was to go. */
#define CANNOT_ENTER 2

/* Numbers of inodes that /proc gives out begin at 0xf0000000 (PROC_DYNAMIC_FIRST in fs/proc/generic.c), those
 * of the first namespaces of all stand right before (PROC_IPC_INIT_INO in include/linux/proc_ns.h); ids of
 * objects and processes end long before. */
#define FIRST_NUMBER 0xef000000u

const char *const place_part_names[PLACE_PARTS] = {
	[PLACE_IPC] = "ipc",
	[PLACE_SHM] = "mnt",
	[PLACE_NET] = "net",
};

static const int types[PLACE_PARTS] = {
	[PLACE_IPC] = CLONE_NEWIPC,
	[PLACE_SHM] = CLONE_NEWNS,
	[PLACE_NET] = CLONE_NEWNET,
};

void place_of_self(struct place *place)
{
	_cleanup_(close_fd) int self = open("/proc/self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*place = (struct place){ .ipc = -1, .diag = -1, .queues.root = -1, .shm.root = -1 };
	for (size_t i = 0; i < PLACE_PARTS; i++) {
		struct place_namespace *part = &place->parts[i];

		part->ino = self < 0 ? 0 : namespace_number(self, place_part_names[i]);
		part->error = part->ino ? 0 : -errno;
	}
}

size_t place_prefix(struct span text, uint64_t *ino)
{
	const char *slash = memchr(text.ptr, '/', text.len);
	size_t n = slash ? (size_t)(slash - text.ptr) : 0;

	if (n == 0 || parse_u64((struct span){ text.ptr, n }, ino) < 0 || *ino < FIRST_NUMBER ||
	    *ino > UINT32_MAX)
		return 0;
	return n + 1;
}

/* A file of the namespaces' own file system, behind a descriptor that opened nothing. */
static int open_behind(int path)
{
	char link[32];
	struct statfs fs;
	int fd;

	/* Whatever else may be there is not opened: that may wait, or do something. */
	if (fstatfs(path, &fs) < 0)
		return -errno;
	if ((unsigned)fs.f_type != NSFS_MAGIC)
		return -EINVAL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Where it is mounted, in the sight of a task. */
static int open_mounted(const struct scan_context *context, const struct place_door *door)
{
	_cleanup_(close_fd) int root = -1, path = -1;
	char text[48];

	if (door->pid == 0) {
		path = open(door->path.ptr, O_PATH | O_CLOEXEC);
		return path < 0 ? -errno : open_behind(path);
	}
	snprintf(text, sizeof(text), "%u/task/%u/root", door->pid, door->tid);
	root = openat(context->proc, text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return proc_link_error(context->proc, text, -errno);
	path = beneath_open(root, door->path.ptr, O_PATH | O_CLOEXEC);
	return path < 0 ? path : open_behind(path);
}

static int open_door(const struct scan_context *context, const struct place_door *door, enum place_part part)
{
	_cleanup_(close_fd) int path = -1;
	char text[64];

	if (door->path.ptr)
		return open_mounted(context, door);
	if (door->fd >= 0)
		snprintf(text, sizeof(text), "%u/task/%u/fd/%d", door->pid, door->tid, door->fd);
	else
		snprintf(text, sizeof(text), "%u/task/%u/ns/%s", door->pid, door->tid,
			 place_part_names[part]);
	path = openat(context->proc, text, O_PATH | O_CLOEXEC);
	return path < 0 ? proc_link_error(context->proc, text, -errno) : open_behind(path);
}

int place_open(const struct scan_context *context, const struct place_namespace *ns, enum place_part part)
{
	int fd = open_door(context, &ns->door, part), r = 0;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (ioctl(fd, NAMESPACE_TYPE) != types[part])
		r = -EINVAL;
	else if (st.st_ino != ns->ino)
		r = -ESTALE;
	if (r < 0) {
		close_fd(&fd);
		return r;
	}
	return fd;
}

int64_t milliseconds(void)
{
	return (int64_t)(nanoseconds(CLOCK_MONOTONIC) / 1000000);
}

/* An answer begins with its length: children of other threads may have its pipe open as well, so that its end
 * is not to be waited for. */
static bool is_whole(const struct buf *answer, size_t before)
{
	uint64_t length;

	if (answer->len - before < sizeof(length))
		return false;
	memcpy(&length, answer->data + before, sizeof(length));
	return answer->len - before - sizeof(length) >= length;
}

/* Reads all that a child writes, for as long as it may take. 0 or -errno. */
static int read_answer(int fd, struct buf *answer)
{
	const int64_t end = milliseconds() + PLACE_SECONDS * 1000;
	const size_t chunk = (size_t)64 << 10, before = answer->len;

	while (!is_whole(answer, before)) {
		struct pollfd wait = { fd, POLLIN, 0 };
		int64_t left = end - milliseconds();
		char *p = buf_reserve(answer, chunk);
		ssize_t n;

		if (!p)
			return -ENOMEM;
		if (left <= 0 || poll(&wait, 1, (int)left) == 0)
			return -ETIMEDOUT;
		n = read(fd, p, chunk);
		if (n == 0)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		answer->len += n > 0 ? (size_t)n : 0;
	}
	answer->len -= sizeof(uint64_t);
	memmove(answer->data + before, answer->data + before + sizeof(uint64_t), answer->len - before);
	return 0;
}

void place_child(pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(1);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (null != fd && dup2(null, fd) < 0)
			_exit(1);
}

/* What the child does; it returns to nobody. */
static void answer_from(const struct place *place, int to, pid_t parent,
			void (*work)(void *context, struct buf *answer), void *context)
{
	struct buf text = { 0 };
	uint64_t length = 0;

	place_child(parent);
	if (place->ipc >= 0 && setns(place->ipc, CLONE_NEWIPC) < 0)
		_exit(CANNOT_ENTER);
	buf_put(&text, &length, sizeof(length));
	work(context, &text);
	length = text.len - sizeof(length);
	if (!text.failed)
		memcpy(text.data, &length, sizeof(length));
	_exit(text.failed || write_all(to, text.data, text.len) < 0);
}

int place_call(const struct place *place, void (*work)(void *context, struct buf *answer), void *context,
	       struct buf *answer)
{
	pid_t parent = getpid(), child;
	size_t before = answer->len;
	int fds[2], status = 0, r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		answer_from(place, fds[1], parent, work, context);
	r = child < 0 ? -errno : 0;
	close_fd(&fds[1]);
	if (child > 0)
		r = read_answer(fds[0], answer);
	close_fd(&fds[0]);
	if (r < 0 && r != -EIO && child > 0)
		kill(child, SIGKILL);
	/* One that hangs in the kernel is left to init. */
	while (child > 0 && r != -ETIMEDOUT && waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	if (r == -EIO && WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_ENTER)
		r = -EPERM;
	if (r < 0)
		answer->len = before;
	return r;
}

void place_free(struct place *place)
{
	close_fd(&place->ipc);
	close_fd(&place->diag);
	for (size_t i = 0; i < ARRAY_SIZE(place->sysv); i++)
		sysv_table_free(&place->sysv[i]);
	mqueue_free(&place->queues);
	shmtree_free(&place->shm);
	unix_sockets_free(&place->unix_sockets);
	inet_sockets_free(&place->inet_sockets);
}

void places_free(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		place_free(&places->items[i]);
	free(places->items);
	arena_free(&places->arena);
	*places = (struct places){ 0 };
}
