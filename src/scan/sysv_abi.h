/* SPDX-License-Identifier: MIT */
/* What headers of the libc leave out of System V IPC (semctl(2), msgctl(2), shmctl(2)). */
#pragma once

#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

/* Linux 4.17: like *_STAT, without asking for read permission. They look only at the
 * slot of an id, and answer with the id that is there. */
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
/* Linux 3.8: reads a message by its number and leaves it there. */
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

/* semctl(2): the caller defines it. */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};
