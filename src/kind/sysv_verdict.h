/* SPDX-License-Identifier: MIT */
/* States of System V objects, and what `clean` may do with them. */
#pragma once

#include "kind/sysv.h"
#include "kind/verdict.h"

/* Fill state and reason. That of a set asks the kernel: 0, or PROJECT_SKIP if it has gone. */
void sysv_shm_judge(struct projector *p, const struct sysv_shm_row *row, struct record *r,
		    const struct verdict_fields *at);
int sysv_sem_judge(struct projector *p, const struct sysv_sem_row *row, struct record *r,
		   const struct verdict_fields *at) _must_check_;
void sysv_msg_judge(struct projector *p, const struct sysv_msg_row *row, struct record *r,
		    const struct verdict_fields *at);
/* As kind->reclaim. */
int sysv_shm_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report);
int sysv_sem_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report);
int sysv_msg_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report);
