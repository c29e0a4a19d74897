/* SPDX-License-Identifier: MIT */
/* Which internet socket a reference means. */
#pragma once

#include "kind/kind.h"

bool inet_is_connected(const struct inet_socket *x);
/* As kind->resolve. */
int inet_resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report);
