/* SPDX-License-Identifier: MIT */
/* System V tables from semctl(2) and msgctl(2): see sysv_table_stat(). */
#include <errno.h>
#include <sys/sem.h>

#include "scan/sysv_abi.h"
#include "scan/sysvipc.h"

static struct sysv_perm copy_perm(int id, const struct ipc_perm *perm)
{
	return (struct sysv_perm){
		.id = (uint32_t)id,
		.key = (uint32_t)perm->__key,
		.perms = perm->mode,
		.uid = perm->uid,
		.gid = perm->gid,
		.cuid = perm->cuid,
		.cgid = perm->cgid,
	};
}

/* The row at an index of the kernel's table: 1, 0 if that is free, or -errno. */
static int stat_shm(int index, void *row)
{
	struct shmid_ds ds = { 0 };
	int id = shmctl(index, SHM_STAT_ANY, &ds);

	if (id < 0)
		return errno == EINVAL || errno == EIDRM ? 0 : -errno;
	*(struct sysv_shm_row *)row = (struct sysv_shm_row){
		.perm = copy_perm(id, &ds.shm_perm),
		.cpid = (uint32_t)ds.shm_cpid,
		.lpid = (uint32_t)ds.shm_lpid,
		.size = ds.shm_segsz,
		.nattch = ds.shm_nattch,
		.atime = ds.shm_atime,
		.dtime = ds.shm_dtime,
		.ctime = ds.shm_ctime,
	};
	return 1;
}

static int stat_sem(int index, void *row)
{
	struct semid_ds ds = { 0 };
	int id = semctl(index, 0, SEM_STAT_ANY, (union semun){ .buf = &ds });

	if (id < 0)
		return errno == EINVAL || errno == EIDRM ? 0 : -errno;
	*(struct sysv_sem_row *)row = (struct sysv_sem_row){
		.perm = copy_perm(id, &ds.sem_perm),
		.nsems = (uint32_t)ds.sem_nsems,
		.otime = ds.sem_otime,
		.ctime = ds.sem_ctime,
	};
	return 1;
}

static int stat_msg(int index, void *row)
{
	struct msqid_ds ds = { 0 };
	int id = msgctl(index, MSG_STAT_ANY, &ds);

	if (id < 0)
		return errno == EINVAL || errno == EIDRM ? 0 : -errno;
	*(struct sysv_msg_row *)row = (struct sysv_msg_row){
		.perm = copy_perm(id, &ds.msg_perm),
		.lspid = (uint32_t)ds.msg_lspid,
		.lrpid = (uint32_t)ds.msg_lrpid,
		.cbytes = ds.__msg_cbytes,
		.qnum = ds.msg_qnum,
		.qbytes = ds.msg_qbytes,
		.stime = ds.msg_stime,
		.rtime = ds.msg_rtime,
		.ctime = ds.msg_ctime,
	};
	return 1;
}

/* Highest index in use and how many are, from *_INFO. */
static int table_extent(enum sysv_kind kind, int *highest, int *used)
{
	struct shm_info shm = { 0 };
	struct seminfo sem = { 0 };
	struct msginfo msg = { 0 };

	switch (kind) {
	case SYSV_SHM:
		*highest = shmctl(0, SHM_INFO, (struct shmid_ds *)&shm);
		*used = shm.used_ids;
		break;
	case SYSV_SEM:
		*highest = semctl(0, 0, SEM_INFO, (union semun){ .info = &sem });
		*used = sem.semusz;
		break;
	case SYSV_MSG:
		*highest = msgctl(0, MSG_INFO, (struct msqid_ds *)&msg);
		*used = msg.msgpool;
		break;
	}
	return *highest < 0 ? -errno : 0;
}

int sysv_table_stat(struct sysv_table *t, bool sparse_too)
{
	static const struct {
		size_t row_size;
		int (*stat_row)(int, void *);
	} types[] = {
		[SYSV_SHM] = { sizeof(struct sysv_shm_row), stat_shm },
		[SYSV_SEM] = { sizeof(struct sysv_sem_row), stat_sem },
		[SYSV_MSG] = { sizeof(struct sysv_msg_row), stat_msg },
	};
	size_t row_size = types[t->kind].row_size;
	int highest = -1, used = 0, r;

	r = table_extent(t->kind, &highest, &used);
	if (r < 0)
		return r == -EINVAL ? -EOPNOTSUPP : r;
	/* A free index costs a system call too: a nearly empty table is better printed. */
	if (used < highest / 8 && !sparse_too)
		return -EOPNOTSUPP;
	t->rows = calloc((size_t)highest + 1, row_size);
	if (!t->rows)
		return -ENOMEM;
	for (int i = 0; i <= highest; i++) {
		r = types[t->kind].stat_row(i, (char *)t->rows + t->count * row_size);
		if (r < 0) {
			sysv_table_free(t);
			return r;
		}
		t->count += (size_t)r;
	}
	if (t->count == 0 && used > 0) {
		/* A kernel that does not know the command says EINVAL each time. */
		sysv_table_free(t);
		return -EOPNOTSUPP;
	}
	t->from_stat = true;
	return 0;
}

uint32_t sysv_sem_changer(int id, const struct sembuf *operations, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int value = semctl(id, operations[i].sem_num, GETVAL);
		bool passes = operations[i].sem_op == 0 ? value == 0 : value + operations[i].sem_op >= 0;
		int pid;

		if (value < 0)
			return 0;
		if (passes)
			continue;
		pid = semctl(id, operations[i].sem_num, GETPID);
		return pid > 0 ? (uint32_t)pid : 0;
	}
	return 0;
}
