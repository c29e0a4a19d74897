/* SPDX-License-Identifier: MIT */
/* /proc/PID/fdinfo/N (proc(5), Documentation/filesystems/proc.rst). */
#pragma once

#include "lib/base.h"

/* Such a file without the lines of locks, as far as there is room: what is looked for is short. */
struct fdinfo {
	char text[1024];
	size_t len;
};

/* Reads `table`/fdinfo/`name` below the directory /proc/PID; or, where table is NULL, `name` in
 * that very directory fdinfo. 0 or -errno. */
int fdinfo_read(struct fdinfo *info, int dir, const char *table, const char *name) _must_check_;
/* The same of a descriptor of this process. */
int fdinfo_read_own(struct fdinfo *info, const char *name) _must_check_;
/* The decimal number behind a label such as "eventfd-id:". 0, or -ENODATA: there is none. */
int fdinfo_number(const struct fdinfo *info, const char *label, uint64_t *out) _must_check_;
/* The same, hexadecimal; and octal, as flags are. */
int fdinfo_hex(const struct fdinfo *info, const char *label, uint64_t *out) _must_check_;
int fdinfo_flags(const struct fdinfo *info, unsigned *flags) _must_check_;
