/* SPDX-License-Identifier: MIT */
/*
 * A closer look at an object through those who hold it, without opening it: what the
 * link of a descriptor or mapping tells, and a copy of a descriptor (pidfd_getfd(2)).
 *
 * A copy shares the open file description: it counts as no further reader or writer, but
 * as long as it is there the other side sees no end of file, and locks stay. Close it at
 * once.
 */
#pragma once

#include "scan/scan.h"
#include "scan/statx.h"

/*
 * The file behind the holdings of an object, from `first` on: the first that can be asked
 * answers. 0, -ENOENT: none of them holds it any more, -EAGAIN: it changes hands too quickly,
 * -ENOTSUP: this /proc is another system's or PID namespace's, or -errno.
 */
int object_look(const struct snapshot *s, const struct holding *first, struct statx *stx) _must_check_;
/*
 * A copy of a descriptor of the object that is open for `access` (of enum holding_access;
 * 0: for anything). Returns it, -ENOENT: nobody holds such a one (any more), or as above.
 */
int object_copy(const struct snapshot *s, const struct holding *first, uint8_t access) _must_check_;
/*
 * A descriptor for reading the object, through its mappings. Only of the kernel's own
 * memory (memfd): opening another file may wait, or be seen. As object_copy().
 */
int object_open_mapped(const struct snapshot *s, const struct holding *first) _must_check_;
/* As object_copy(), of one holding. */
int descriptor_copy(const struct snapshot *s, const struct holding *g) _must_check_;
/* fdinfo of a descriptor that the object is held by, which is surely the object's. As object_look(). */
struct fdinfo;
int object_fdinfo(const struct snapshot *s, const struct holding *first, struct fdinfo *info) _must_check_;
