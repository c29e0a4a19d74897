/* SPDX-License-Identifier: MIT */
#pragma once

#include "kind/kind.h"

#define SYSV_SHM_NLIMITS 3

extern const struct limit sysv_shm_limits[SYSV_SHM_NLIMITS];
