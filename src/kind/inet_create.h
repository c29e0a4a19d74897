/* SPDX-License-Identifier: MIT */
#pragma once

#include "kind/kind.h"

#define INET_SOCKET_NCREATE_OPTS 1
extern const struct opt inet_socket_create_opts[INET_SOCKET_NCREATE_OPTS];
/* As kind->create. */
int inet_socket_create(const struct create_args *args, struct report *report);
