/* SPDX-License-Identifier: MIT */
/* References to futexes: KIND:OBJECT+OFFSET behind "futex:", and PID@ADDRESS. */
#pragma once

#include "kind/kind.h"

/* Appends the reference of the memory that a futex lies in. False: nothing but a process leads to it. */
bool futex_object_ref(const struct snapshot *s, const struct futex *futex, struct buf *out);
/* Cuts "OBJECT+OFFSET". 0 or -EINVAL. */
int futex_split(struct span id, struct span *object, uint64_t *offset) _must_check_;
/* As kind->narrow and kind->resolve. */
int futex_narrow(struct span id, struct scan_request *request) _must_check_;
int futex_resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report) _must_check_;
