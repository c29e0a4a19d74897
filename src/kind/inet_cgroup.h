/* SPDX-License-Identifier: MIT */
/* Control groups (cgroups(7), version 2) by their numbers. */
#pragma once

#include "lib/arena.h"

/*
 * The path of a control group below its hierarchy's mount: "/" and up. 0; -ESTALE: there is
 * no such group any more; -EPERM: it takes CAP_DAC_READ_SEARCH; -ENODEV: the hierarchy is not
 * mounted; or -errno.
 */
int cgroup_path(uint64_t id, struct arena *arena, struct span *path) _must_check_;
