/* SPDX-License-Identifier: MIT */
/* Sending a signal: pidfd_send_signal(2). */
#pragma once

#include "kind/kind.h"

#define SIGNAL_CREATE_NOPTS 2

extern const struct opt signal_create_opts[SIGNAL_CREATE_NOPTS];

/* As kind->create. */
int signal_create(const struct create_args *args, struct report *report);
