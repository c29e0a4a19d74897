/* SPDX-License-Identifier: MIT */
/*
 * The least that a listing can cost: the system calls that gather its bytes, and nothing
 * done with them. Prints how much there was, so that a floor under an empty load shows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	return -1;
}

/* Returns the bytes of the file, or -1 after saying why. */
static long read_once(const char *path)
{
	static char buffer[64 * 1024];
	ssize_t got;
	long total = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(path);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		total += got;
	if (got < 0)
		return fail(path);
	close(fd);
	return total;
}

static long floor_sysv(void)
{
	static const char *const paths[] = { "/proc/sysvipc/msg", "/proc/sysvipc/sem", "/proc/sysvipc/shm" };
	long total = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		long bytes = read_once(paths[i]);

		if (bytes < 0)
			return -1;
		total += bytes;
	}
	return total;
}

/* Returns the number of files among `length` bytes of directory entries, each looked at once. */
static long stat_entries(int directory, const char *entries, ssize_t length)
{
	struct statx facts;
	long files = 0;

	for (ssize_t at = 0; at < length;) {
		const struct dirent64 *entry = (const struct dirent64 *)(entries + at);

		at += entry->d_reclen;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (statx(directory, entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &facts) < 0)
			return fail(entry->d_name);
		files++;
	}
	return files;
}

static long floor_shm(void)
{
	static _Alignas(struct dirent64) char buffer[256 * 1024];
	ssize_t got;
	long total = 0;
	int directory = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return fail("/dev/shm");
	while ((got = syscall(SYS_getdents64, directory, buffer, sizeof(buffer))) > 0) {
		long files = stat_entries(directory, buffer, got);

		if (files < 0)
			return -1;
		total += files;
	}
	if (got < 0)
		return fail("/dev/shm");
	close(directory);
	return total;
}

/* Returns the number of files in one /proc/PID/fdinfo, each of them read once. */
static long read_infos(int directory)
{
	static _Alignas(struct dirent64) char entries[64 * 1024];
	static char text[4096];
	ssize_t got;
	long infos = 0;

	while ((got = syscall(SYS_getdents64, directory, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
			int fd;

			at += entry->d_reclen;
			if (entry->d_name[0] == '.')
				continue;
			fd = openat(directory, entry->d_name, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			infos += read(fd, text, sizeof(text)) > 0;
			close(fd);
		}
	}
	return infos;
}

/* Returns the number of threads in one /proc/PID/task, of each of which it was read what it is blocked in. */
static long read_syscalls(int directory)
{
	static _Alignas(struct dirent64) char entries[64 * 1024];
	static char text[4096];
	char path[40];
	ssize_t got;
	long threads = 0;

	while ((got = syscall(SYS_getdents64, directory, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
			int fd;

			at += entry->d_reclen;
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%.20s/syscall", entry->d_name);
			fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			threads += read(fd, text, sizeof(text)) > 0;
			close(fd);
		}
	}
	return threads;
}

/* Returns the number of descriptors in one /proc/PID/fd, each link of it read once. */
static long read_links(int directory)
{
	static _Alignas(struct dirent64) char entries[64 * 1024];
	static char target[PATH_MAX];
	ssize_t got;
	long links = 0;

	while ((got = syscall(SYS_getdents64, directory, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);

			at += entry->d_reclen;
			if (entry->d_name[0] == '.')
				continue;
			/* Some may have been closed since, or are not for us to see. */
			links += readlinkat(directory, entry->d_name, target, sizeof(target)) > 0;
		}
	}
	return links;
}

static long scan_processes(int proc, const char *entries, ssize_t length, const char *table,
			   long (*read_table)(int directory))
{
	long links = 0;

	for (ssize_t at = 0; at < length;) {
		const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
		char path[40];
		int fd;

		at += entry->d_reclen;
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%.20s/%s", entry->d_name, table);
		fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		links += read_table(fd);
		close(fd);
	}
	return links;
}

static long each_table(const char *table, long (*read_table)(int directory))
{
	static _Alignas(struct dirent64) char entries[64 * 1024];
	ssize_t got;
	long total = 0;
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return fail("/proc");
	while ((got = syscall(SYS_getdents64, proc, entries, sizeof(entries))) > 0)
		total += scan_processes(proc, entries, got, table, read_table);
	if (got < 0)
		return fail("/proc");
	close(proc);
	return total;
}

/* What any program pays that asks who holds what: the names of all descriptors of all processes. */
static long floor_scan(void)
{
	return each_table("fd", read_links);
}

/* What it pays that asks what they are: /proc/PID/fdinfo of all of them. */
static long floor_fdinfo(void)
{
	return each_table("fdinfo", read_infos);
}

/* What it pays that asks who waits: /proc/PID/task/TID/syscall of all of them. */
static long floor_tasks(void)
{
	return each_table("task", read_syscalls);
}

static const struct {
	const char *name;
	const char *unit;
	long (*run)(void);
} floors[] = {
	{ "sysv", "bytes", floor_sysv },       { "shm", "files", floor_shm },
	{ "scan", "descriptors", floor_scan }, { "fdinfo", "descriptors", floor_fdinfo },
	{ "tasks", "threads", floor_tasks },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(floors) / sizeof(floors[0]); i++) {
		long total;

		if (strcmp(argv[1], floors[i].name) != 0)
			continue;
		total = floors[i].run();
		if (total < 0)
			return 1;
		printf("%ld %s\n", total, floors[i].unit);
		return 0;
	}
	fputs("usage: floor sysv|shm|scan|fdinfo|tasks\n", stderr);
	return 2;
}
