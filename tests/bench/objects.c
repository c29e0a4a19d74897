/* SPDX-License-Identifier: MIT */
/* The objects that the processes of a group hold, one call of make_unit() each, and their mappings. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "group.h"

_Static_assert((SHM_FILES + PLAIN_FILES + ANON_SHARED + ANON_OWN + OWN_MEMFDS) * MEMBERS +
			       LINKED_MEMFDS * WORKERS * 2 ==
		       MAPPINGS * MEMBERS,
	       "the mappings add up");

void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static int listen_at(const struct sockaddr_un *name, size_t length, int type)
{
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)name,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0 ||
	    listen(fd, 8) < 0)
		die("a listening socket");
	return fd;
}

static void make_listeners(struct member *m)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX }, name = { .sun_family = AF_UNIX };
	int length;

	if (snprintf(path.sun_path, sizeof(path.sun_path), "%s/%s-%u.sock", m->directory,
		     m->composition->name, m->group) >= (int)sizeof(path.sun_path)) {
		errno = ENAMETOOLONG;
		die("the path of a socket");
	}
	m->listening[0] = listen_at(&path, strlen(path.sun_path) + 1, SOCK_STREAM);
	length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "bench/%s-%u", m->composition->name,
			  m->group);
	m->listening[1] = listen_at(&name, 1 + (size_t)length, SOCK_SEQPACKET);
}

/* ends[0] is the server's. */
static void connect_through(int listening, int ends[2])
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name), size = sizeof(int);
	int type;

	if (getsockname(listening, (struct sockaddr *)&name, &length) < 0 ||
	    getsockopt(listening, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		die("the name of a socket");
	ends[1] = socket(AF_UNIX, type, 0);
	if (ends[1] < 0 || connect(ends[1], (struct sockaddr *)&name, length) < 0)
		die("connect");
	ends[0] = accept(listening, NULL, NULL);
	if (ends[0] < 0)
		die("accept");
}

/*
 * The first pair that a group shares are its two listening sockets, every other pair for
 * a worker is a connection to one of them, and the rest are unnamed: most of them streams.
 */
static void make_sockets(struct member *m, enum place place, unsigned int serial, int ends[2])
{
	int type = serial % 8 == 0 ? SOCK_DGRAM : serial % 8 == 4 ? SOCK_SEQPACKET : SOCK_STREAM;

	if (place == SHARED && serial == 0) {
		make_listeners(m);
		ends[0] = m->listening[0];
		ends[1] = m->listening[1];
	} else if (place == LINKED && serial % 2 == 1) {
		connect_through(m->listening[serial / 2 % 2], ends);
	} else if (socketpair(AF_UNIX, type, 0, ends) < 0) {
		die("socketpair");
	}
	m->made.objects[UNIX_SOCKET] += 2;
}

/* Every other one is to be written by whoever made it, the rest are to be read. */
static void make_pipe(struct member *m, unsigned int serial, int ends[2])
{
	int fds[2];

	if (pipe(fds) < 0)
		die("pipe");
	ends[0] = fds[serial % 2];
	ends[1] = fds[!(serial % 2)];
	m->made.objects[PIPE]++;
}

static void make_memfd(struct member *m, enum place place, unsigned int serial, int ends[2])
{
	char name[32];

	snprintf(name, sizeof(name), "bench-%u-%u", m->group, serial);
	ends[0] = memfd_create(name, 0);
	if (ends[0] < 0 || ftruncate(ends[0], (off_t)(1 + serial) * 4096) < 0)
		die("memfd_create");
	if ((place == LINKED && serial < LINKED_MEMFDS) || (place == OWN && serial < OWN_MEMFDS))
		m->mapped.fd[m->mapped.count++] = ends[0];
	m->made.objects[MEMFD]++;
}

void make_unit(struct member *m, enum unit unit, enum place place, unsigned int serial, int ends[2])
{
	ends[1] = -1;
	switch (unit) {
	case PIPES:
		make_pipe(m, serial, ends);
		break;
	case SOCKET_PAIRS:
		make_sockets(m, place, serial, ends);
		break;
	case EVENTFDS:
		ends[0] = eventfd(serial, 0);
		if (ends[0] < 0)
			die("eventfd");
		m->made.objects[EVENTFD]++;
		break;
	default:
		make_memfd(m, place, serial, ends);
	}
}

/* A page that is never touched: an entry in the process's list, and no memory. */
static void map_page(int fd, int protection)
{
	int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);

	if (mmap(NULL, 4096, protection, flags, fd, 0) == MAP_FAILED)
		die("mmap");
}

void map_memfd(int fd)
{
	map_page(fd, PROT_READ | PROT_WRITE);
}

static void map_file(const struct member *m, const char *directory, unsigned int serial, int protection)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s-%u-%u", directory, m->composition->name, m->group, serial);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		die(path);
	map_page(fd, protection);
	close(fd);
}

static void map_anonymous(struct member *m, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		map_page(-1, PROT_READ | PROT_WRITE);
	m->made.objects[ANON_MAPPING] += count;
}

void map_shared(struct member *m)
{
	for (unsigned int i = 0; i < SHM_FILES; i++)
		map_file(m, "/dev/shm", i, PROT_READ | PROT_WRITE);
	for (unsigned int i = 0; i < PLAIN_FILES; i++)
		map_file(m, m->directory, i, PROT_READ);
	m->made.objects[POSIX_SHM] += SHM_FILES;
	m->made.objects[FILE_MAPPING] += PLAIN_FILES;
	map_anonymous(m, ANON_SHARED);
}

void map_own(struct member *m)
{
	map_anonymous(m, ANON_OWN);
	for (unsigned int i = 0; i < m->mapped.count; i++)
		map_memfd(m->mapped.fd[i]);
}

static unsigned int count_descriptors(int except)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;
	struct dirent *entry;

	if (!directory)
		die("/proc/self/fd");
	while ((entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name);

		count += entry->d_name[0] != '.' && fd != dirfd(directory) && fd != except;
	}
	closedir(directory);
	return count;
}

static unsigned int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned int count = 0;
	char *line = NULL;
	size_t size = 0;

	if (!maps)
		die("/proc/self/maps");
	while (getline(&line, &size, maps) > 0) {
		const char *access = strchr(line, ' ');

		count += access && strlen(access) > 4 && access[4] == 's';
	}
	free(line);
	fclose(maps);
	return count;
}

void count_all(struct made *made, int except)
{
	made->processes = 1;
	made->descriptors = count_descriptors(except);
	made->mappings = count_mappings();
}
