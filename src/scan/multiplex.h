/* SPDX-License-Identifier: MIT */
/*
 * ipc(2) and socketcall(2): each is many calls in one on some machines, i386 among them. Which one is the
 * first argument; socketcall(2) takes those of the call in memory.
 */
#pragma once

#include "scan/tasks.h"

/* What the call waits for that these arguments of ipc(2) stand for; they become those of that call. */
enum task_wait wait_of_ipc(uint64_t args[static 6]);
/* The same of socketcall(2), whose arguments stay as they are. */
enum task_wait wait_of_socketcall(const uint64_t args[static 6]);

/* The descriptor that the call of a task waits at: its first argument, wherever that is. Or -errno; -ESRCH:
 * the task waits there no more. */
int task_descriptor(const struct scan_context *context, const struct task *task) _must_check_;
/* The type of message that a task in msgrcv(2) asks for. 0 or -errno, likewise. */
int task_message_type(const struct scan_context *context, const struct task *task,
		      int64_t *type) _must_check_;
