/* SPDX-License-Identifier: MIT */
/* One object of each kind: got, and seen to have its name still; looked at; let go; removed. */
#include "churn.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY 0x43480000

/* Files: the name leads to what the process has, and that has a name. */

static bool leads_there(const struct churned *o)
{
	struct stat st;

	return lstat(o->name, &st) == 0 && st.st_dev == o->dev && st.st_ino == o->ino && st.st_nlink > 0;
}

static bool file_is_there(const struct churned *o)
{
	struct stat st;

	return leads_there(o) && (o->fd < 0 || (fstat(o->fd, &st) == 0 && st.st_nlink > 0));
}

static void file_let_go(const struct churned *o)
{
	if (o->address)
		munmap(o->address, 4096);
	if (o->fd >= 0)
		close(o->fd);
}

static void file_remove(const struct churned *o)
{
	unlink(o->name);
}

static enum got verify(struct churned *o, void (*let_go)(const struct churned *o))
{
	struct stat st;

	if (o->fd >= 0 && fstat(o->fd, &st) == 0) {
		o->dev = st.st_dev;
		o->ino = st.st_ino;
	}
	if (leads_there(o))
		return GOT_IT;
	let_go(o);
	return GOT_GONE;
}

/* By a descriptor, a mapping, or both. */
static enum got shm_get(struct churned *o, bool make)
{
	enum got got;

	o->fd = open(o->name, O_RDWR | O_CLOEXEC | (make ? O_CREAT | O_EXCL : 0), 0600);
	if (o->fd < 0)
		return GOT_NOTHING;
	got = verify(o, file_let_go);
	if (got != GOT_IT || o->dice % 3 == 0)
		return got;
	if (ftruncate(o->fd, 4096) < 0)
		return got;
	o->address = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);
	if (o->address == MAP_FAILED) {
		o->address = NULL;
	} else if (o->dice % 3 == 1) {
		close(o->fd);
		o->fd = -1;
	}
	return got;
}

/* The file behind a mapping of this process. */
static void find_mapped(struct churned *o)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, ino;
	unsigned major, minor;
	char line[PATH_MAX + 128];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%*x %*s %*x %x:%x %lu", &start, &major, &minor, &ino) == 4 &&
		    start == (unsigned long)o->address) {
			o->dev = makedev(major, minor);
			o->ino = ino;
		}
	if (maps)
		fclose(maps);
}

static void sem_let_go(const struct churned *o)
{
	sem_close(o->address);
}

static enum got sem_get(struct churned *o, bool make)
{
	/* The name as sem_open(3) wants it, of the file /dev/shm/sem.NAME. */
	char name[64];
	sem_t *sem;

	snprintf(name, sizeof(name), "/%.60s", strstr(o->name, "/sem.") + strlen("/sem."));
	sem = make ? sem_open(name, O_CREAT | O_EXCL, 0600, 1) : sem_open(name, 0);
	if (sem == SEM_FAILED)
		return GOT_NOTHING;
	o->address = sem;
	find_mapped(o);
	return verify(o, sem_let_go);
}

/* Queues have no other name than the one that nlink counts. */

static bool mq_is_there(const struct churned *o)
{
	struct stat st;

	return fstat(o->fd, &st) == 0 && st.st_nlink > 0;
}

static enum got mq_get(struct churned *o, bool make)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 16 };

	o->fd = make ? mq_open(o->name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr) : mq_open(o->name, O_RDWR);
	if (o->fd < 0)
		return GOT_NOTHING;
	if (mq_is_there(o))
		return GOT_IT;
	close(o->fd);
	return GOT_GONE;
}

static void mq_remove(const struct churned *o)
{
	mq_unlink(o->name);
}

/* System V */

static key_t key_of(const struct churned *o)
{
	return (key_t)(KEY + (o->kind << 8) + o->slot);
}

static bool segment_is_there(const struct churned *o)
{
	struct shmid_ds ds;

	return shmctl(o->id, IPC_STAT, &ds) == 0 && !(ds.shm_perm.mode & SHM_DEST);
}

static void segment_let_go(const struct churned *o)
{
	shmdt(o->address);
}

static enum got segment_get(struct churned *o, bool make)
{
	o->id = shmget(key_of(o), 4096, make ? IPC_CREAT | IPC_EXCL | 0600 : 0);
	if (o->id < 0)
		return GOT_NOTHING;
	o->address = shmat(o->id, NULL, 0);
	if (o->address == (void *)-1)
		return GOT_GONE;
	if (segment_is_there(o))
		return GOT_IT;
	segment_let_go(o);
	return GOT_GONE;
}

static void segment_remove(const struct churned *o)
{
	shmctl(o->id, IPC_RMID, NULL);
}

static const char *segment_ref(const struct churned *o)
{
	static char text[32];

	snprintf(text, sizeof(text), "%d", o->id);
	return text;
}

/* Nobody holds sets and queues: they are used, and nobody else may remove them meanwhile. */
static void nothing(const struct churned *o __attribute__((unused)))
{
}

static enum got set_get(struct churned *o, bool make)
{
	struct sembuf up = { .sem_op = 1, .sem_flg = IPC_NOWAIT };

	o->id = semget(key_of(o), 1, make ? IPC_CREAT | IPC_EXCL | 0600 : 0);
	/* It may stand at its highest value. */
	return o->id < 0 || (semop(o->id, &up, 1) < 0 && errno != ERANGE) ? GOT_NOTHING : GOT_IT;
}

static bool set_is_there(const struct churned *o)
{
	return semctl(o->id, 0, GETVAL) >= 0;
}

static void set_remove(const struct churned *o)
{
	semctl(o->id, 0, IPC_RMID);
}

static enum got queue_get(struct churned *o, bool make)
{
	struct {
		long type;
		char body[8];
	} m = { .type = 1 };

	o->id = msgget(key_of(o), make ? IPC_CREAT | IPC_EXCL | 0600 : 0);
	if (o->id < 0)
		return GOT_NOTHING;
	if (msgsnd(o->id, &m, sizeof(m.body), IPC_NOWAIT) == 0)
		msgrcv(o->id, &m, sizeof(m.body), 0, IPC_NOWAIT);
	return GOT_IT;
}

static bool queue_is_there(const struct churned *o)
{
	struct msqid_ds ds;

	return msgctl(o->id, IPC_STAT, &ds) == 0;
}

static void queue_remove(const struct churned *o)
{
	msgctl(o->id, IPC_RMID, NULL);
}

/* Files of other kinds */

static enum got fifo_get(struct churned *o, bool make)
{
	if (make && mkfifo(o->name, 0600) < 0)
		return GOT_NOTHING;
	o->fd = open(o->name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return o->fd < 0 ? GOT_NOTHING : verify(o, file_let_go);
}

/* Bound, and somebody could connect: then it is held. */
static enum got socket_get(struct churned *o, bool make __attribute__((unused)))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int type = o->dice % 2 ? SOCK_STREAM : SOCK_DGRAM, other;
	bool live;

	if (strlen(o->name) >= sizeof(address.sun_path))
		return GOT_NOTHING;
	memcpy(address.sun_path, o->name, strlen(o->name));
	o->fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (o->fd < 0 || bind(o->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (type == SOCK_STREAM && listen(o->fd, 4) < 0)) {
		file_let_go(o);
		return GOT_NOTHING;
	}
	other = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	live = connect(other, (const struct sockaddr *)&address, sizeof(address)) == 0;
	close(other);
	if (live) {
		struct stat st;

		if (lstat(o->name, &st) == 0) {
			o->dev = st.st_dev;
			o->ino = st.st_ino;
			return GOT_IT;
		}
	}
	file_let_go(o);
	return GOT_GONE;
}

/* The name is that of a file; nlink of the descriptor is of no file that has one. */
static bool socket_is_there(const struct churned *o)
{
	return leads_there(o);
}

const struct churn_kind churn_kinds[] = {
	{ "posix-shm", "/dev/shm/", false, shm_get, file_is_there, file_let_go, file_remove, NULL },
	{ "posix-sem", "/dev/shm/sem.", false, sem_get, leads_there, sem_let_go, file_remove, NULL },
	{ "posix-mq", "/", false, mq_get, mq_is_there, file_let_go, mq_remove, NULL },
	{ "sysv-shm", "", false, segment_get, segment_is_there, segment_let_go, segment_remove, segment_ref },
	{ "unix-socket", NULL, true, socket_get, socket_is_there, file_let_go, file_remove, NULL },
	{ "fifo", NULL, false, fifo_get, file_is_there, file_let_go, file_remove, NULL },
	{ "sysv-sem", "", false, set_get, set_is_there, nothing, set_remove, segment_ref },
	{ "sysv-msg", "", false, queue_get, queue_is_there, nothing, queue_remove, segment_ref },
};
const unsigned churn_nkinds = sizeof(churn_kinds) / sizeof(churn_kinds[0]);
