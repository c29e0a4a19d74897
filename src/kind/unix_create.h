/* SPDX-License-Identifier: MIT */
#pragma once

#include "kind/kind.h"

#define UNIX_SOCKET_NCREATE_OPTS 3
extern const struct opt unix_socket_create_opts[UNIX_SOCKET_NCREATE_OPTS];
/* As kind->create. */
int unix_socket_create(const struct create_args *args, struct report *report);
