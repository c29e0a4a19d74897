/* SPDX-License-Identifier: MIT */
#pragma once

#include "lib/base.h"

/* Whether this thread has a capability (CAP_SYS_ADMIN ..., capabilities(7)) in its user namespace, in
 * force. */
bool capability_has(int capability);
