/* SPDX-License-Identifier: MIT */
#include "scan/placelook.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "lib/out.h"
#include "scan/beneath.h"
#include "scan/mqueuemount.h"
#include "scan/proclink.h"
#include "scan/sockdiag.h"

/* What is asked for. */
struct looking {
	const struct scan_context *context;
	const struct scan_request *request;
	unsigned sources;
};

/* In the child: the tables of System V objects, of the IPC namespace that it is in by now. */
static void read_tables(const struct looking *t, struct place_answer *a, struct sysv_table *tables)
{
	static const enum source sources[] = { SOURCE_SYSV_SHM, SOURCE_SYSV_SEM, SOURCE_SYSV_MSG };

	for (enum sysv_kind kind = SYSV_SHM; kind <= SYSV_MSG; kind++) {
		tables[kind].kind = kind;
		if (!(t->sources & sources[kind]))
			continue;
		a->tables[kind].error = sysv_table_take(&tables[kind], t->context->proc,
							t->context->own_proc || !t->context->recorded);
		a->tables[kind].count = tables[kind].count;
		a->tables[kind].columns = tables[kind].columns;
		a->tables[kind].bad_rows = tables[kind].bad_rows;
		a->tables[kind].from_stat = tables[kind].from_stat;
	}
}

/* In the child: the root directory of who is in that mount namespace. A descriptor or -errno. */
static int open_root(const struct looking *t, const struct place_namespace *ns)
{
	char path[48];
	int root;

	snprintf(path, sizeof(path), "%u/task/%u/root", ns->door.pid, ns->door.tid);
	root = openat(t->context->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? proc_link_error(t->context->proc, path, -errno) : root;
}

/* The root of the namespace itself: nobody is in it, or who is has another. */
static int enter_root(int mounts)
{
	int root;

	/* A root that is shared may not be moved: a sanitizer, for one, has a thread in every child. */
	root = unshare(CLONE_FS) < 0 || setns(mounts, CLONE_NEWNS) < 0 ?
		       -1 :
		       open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : root;
}

/* In the child: opens /dev/shm as whoever is in that mount namespace has it, following no link. */
static int open_shm(const struct looking *t, const struct place_namespace *ns)
{
	const char *const shm = "dev/shm";
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	bool inhabited = ns->door.fd < 0 && !ns->door.path.ptr;
	/* As long as this is open the namespace stays, whoever ends: what is left of one is taken apart, and
	 * below its root another /dev/shm may appear, on which one was mounted. */
	_cleanup_(close_fd) int mounts = place_open(t->context, ns, PLACE_SHM);
	_cleanup_(close_fd) int root = -1;
	struct shmtree tree;
	int fd;

	if (mounts < 0)
		return mounts;
	root = inhabited ? open_root(t, ns) : enter_root(mounts);
	if (root < 0)
		return root;
	fd = beneath_open(root, shm, flags);
	/* The first process in it may have changed its root, as services do. */
	if (fd == -ENOENT && inhabited) {
		_cleanup_(close_fd) int own = enter_root(mounts);

		fd = own < 0 ? fd : beneath_open(own, shm, flags);
	}
	if (fd < 0)
		return fd;
	/* Whatever else may be there could keep us waiting. */
	if (shmtree_adopt(&tree, fd) == 0 && tree.exact)
		return fd;
	close_fd(&fd);
	return -EXDEV;
}

/* Descriptors go with the first bytes. 0 or -EIO. */
static int send_with(int to, void *bytes, size_t size, const int *fds, size_t n)
{
	union {
		char space[CMSG_SPACE(sizeof(int[GIVEN]))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec io = { bytes, size };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1 };

	if (n > 0) {
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -EIO;
}

/* Descriptors that are negative are told as missing. */
static int send_answer(int to, struct place_answer *a, const int *fds, const struct sysv_table *tables)
{
	int list[GIVEN];
	size_t n = 0;
	int r;

	for (size_t i = 0; i < GIVEN; i++) {
		a->given[i] = fds[i] >= 0;
		if (fds[i] >= 0)
			list[n++] = fds[i];
	}
	r = send_with(to, a, sizeof(*a), list, n);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(a->tables); i++)
		r = write_all(to, tables[i].rows, tables[i].count * sysv_row_size(tables[i].kind));
	return r;
}

static int send_shm(int to, int fd)
{
	int32_t error = fd < 0 ? fd : 0;

	return send_with(to, &error, sizeof(error), &fd, fd >= 0);
}

void place_look(const struct place *place, const struct scan_context *context,
		const struct scan_request *request, unsigned sources, int to, pid_t parent)
{
	const struct looking looking = { context, request, sources }, *t = &looking;
	struct place_answer a = { 0 };
	struct sysv_table tables[3] = { 0 };
	int fds[GIVEN] = { -1, -1, -1, -1 }, net = -1, r;
	const struct place_namespace *parts = place->parts;

	place_child(parent);
	if (parts[PLACE_IPC].ino)
		fds[GIVEN_IPC] = place_open(t->context, &parts[PLACE_IPC], PLACE_IPC);
	if (parts[PLACE_NET].ino)
		net = place_open(t->context, &parts[PLACE_NET], PLACE_NET);
	a.errors[PLACE_IPC] = fds[GIVEN_IPC] < 0 && parts[PLACE_IPC].ino ? fds[GIVEN_IPC] : 0;
	a.errors[PLACE_NET] = net < 0 && parts[PLACE_NET].ino ? net : 0;
	if (fds[GIVEN_IPC] >= 0 && setns(fds[GIVEN_IPC], CLONE_NEWIPC) < 0) {
		a.errors[PLACE_IPC] = -errno;
		close_fd(&fds[GIVEN_IPC]);
	}
	if (fds[GIVEN_IPC] >= 0) {
		read_tables(t, &a, tables);
		if (t->sources & SOURCE_MQUEUE)
			a.queues = fds[GIVEN_QUEUES] = mqueue_open_detached();
	}
	if (net >= 0)
		fds[GIVEN_DIAG] = setns(net, CLONE_NEWNET) < 0 ? -errno : sock_diag_open();
	a.errors[PLACE_NET] = net >= 0 && fds[GIVEN_DIAG] < 0 ? fds[GIVEN_DIAG] : a.errors[PLACE_NET];
	r = send_answer(to, &a, fds, tables);
	/* A file system that is somebody's process may never answer, and what was sent is sent. */
	if (r == 0 && parts[PLACE_SHM].ino)
		r = send_shm(to, open_shm(t, &parts[PLACE_SHM]));
	_exit(r < 0);
}
