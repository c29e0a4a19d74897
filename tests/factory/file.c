/* SPDX-License-Identifier: MIT */
/* Whatever can lie in /dev/shm: files of every type, of any name and size. */
#include "factory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static void make_node(const char *path, mode_t type, mode_t mode, dev_t device)
{
	if (mknod(path, type | mode, device) == 0)
		return;
	if (errno == EPERM && (type == S_IFCHR || type == S_IFBLK))
		cannot("mknod of a device");
	die("mknod");
}

/* Binds by a relative name, so that sun_path is long enough. */
static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		wrong("a socket's name is too long");
	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("bind");
}

static void write_at(int fd, const struct bytes *content, uint64_t offset)
{
	size_t done = 0;

	while (done < content->len) {
		ssize_t n = pwrite(fd, content->data + done, content->len - done, offset + done);

		if (n <= 0)
			die("pwrite");
		done += n;
	}
}

/* Leaves a descriptor or a mapping behind when asked to: it goes with the factory. */
static void hold(int fd, struct args *args, uint64_t size)
{
	if (arg_u64(args, "map", 0) && mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		die("mmap");
	if (!arg_u64(args, "open", 0))
		close(fd);
}

static void make_regular(const char *path, struct args *args)
{
	uint64_t size = arg_u64(args, "size", 0);
	struct bytes content = arg_bytes(args, "content", "");
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		die("open");
	if (size && ftruncate(fd, size) < 0)
		die("ftruncate");
	write_at(fd, &content, arg_u64(args, "at", 0));
	free(content.data);
	hold(fd, args, size);
}

static void make_links(struct bytes name, uint64_t links)
{
	for (uint64_t i = 1; i < links; i++) {
		char *other;

		if (asprintf(&other, "%s.link%llu", name.data, (unsigned long long)i) < 0)
			die("memory");
		if (link(name.data, other) < 0)
			die("link");
		free(other);
	}
}

static void set_attributes(const char *path, struct args *args, bool symbolic)
{
	uint64_t uid = arg_u64(args, "uid", UINT64_MAX), gid = arg_u64(args, "gid", UINT64_MAX);
	mode_t mode = arg_mode(args, "mode", 0600);
	struct timespec times[2] = {
		{ .tv_sec = arg_u64(args, "atime", 0), .tv_nsec = UTIME_OMIT },
		{ .tv_sec = arg_u64(args, "mtime", 0), .tv_nsec = UTIME_OMIT },
	};

	for (int i = 0; i < 2; i++)
		if (times[i].tv_sec)
			times[i].tv_nsec = 0;
	if ((uid != UINT64_MAX || gid != UINT64_MAX) && lchown(path, uid, gid) < 0)
		cannot("lchown");
	if (!symbolic && chmod(path, mode) < 0)
		die("chmod");
	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		die("utimensat");
}

static void file_truth(const char *path, struct truth *truth)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		die("lstat");
	truth_u64(truth, "ino", st.st_ino);
	truth_u64(truth, "dev_major", major(st.st_dev));
	truth_u64(truth, "dev_minor", minor(st.st_dev));
	truth_u64(truth, "size", st.st_size);
	truth_u64(truth, "allocated", (uint64_t)st.st_blocks * 512);
}

void make_file(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	const char *type = arg_text(args, "type", "regular");
	bool symbolic = strcmp(type, "symlink") == 0;

	if (symbolic) {
		struct bytes target = arg_bytes(args, "target", NULL);

		if (symlink(target.data, name.data) < 0)
			die("symlink");
	} else if (strcmp(type, "regular") == 0) {
		make_regular(name.data, args);
	} else if (strcmp(type, "directory") == 0) {
		if (mkdir(name.data, 0700) < 0)
			die("mkdir");
	} else if (strcmp(type, "fifo") == 0) {
		make_node(name.data, S_IFIFO, 0600, 0);
	} else if (strcmp(type, "socket") == 0) {
		make_socket(name.data);
	} else if (strcmp(type, "character-device") == 0) {
		make_node(name.data, S_IFCHR, 0600, makedev(1, 3)); /* null */
	} else if (strcmp(type, "block-device") == 0) {
		make_node(name.data, S_IFBLK, 0600, makedev(7, 0)); /* loop0 */
	} else {
		wrong("%s: no such type of file", type);
	}
	make_links(name, arg_u64(args, "links", 1));
	set_attributes(name.data, args, symbolic);
	truth_hex(&job->truth, "name_hex", name);
	file_truth(name.data, &job->truth);
	free(name.data);
}

void make_posix_shm(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	uint64_t size = arg_u64(args, "size", 4096);
	mode_t mode = arg_mode(args, "mode", 0600);
	int fd = shm_open(name.data, O_RDWR | O_CREAT | O_EXCL, mode);
	struct stat st;

	if (fd < 0)
		die("shm_open");
	if (ftruncate(fd, size) < 0 || fstat(fd, &st) < 0)
		die("ftruncate");
	truth_hex(&job->truth, "name_hex", name);
	truth_u64(&job->truth, "ino", st.st_ino);
	truth_u64(&job->truth, "size", size);
	hold(fd, args, size);
}
