/* SPDX-License-Identifier: MIT */
#pragma once

#include "kind/kind.h"

#define POSIX_MQ_NLIMITS 6

extern const struct limit posix_mq_limits[POSIX_MQ_NLIMITS];
