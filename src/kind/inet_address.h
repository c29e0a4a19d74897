/* SPDX-License-Identifier: MIT */
/* Internet addresses as text: "127.0.0.1:80", "[::1]:80". */
#pragma once

#include "kind/kind.h"

/* Room for the text of an address with its port. */
#define INET_END_TEXT 64

/* One end of a socket as a user names it. */
struct inet_name {
	enum inet_protocol protocol;
	bool any_address; /* "*" */
	struct inet_end end;
};

/* The text of an address, and of an address with its port; v6: an IPv4 address stands in an IPv6 socket. */
void inet_address_text(char text[static INET_END_TEXT], const struct inet_end *end, bool v6);
void inet_end_text(char text[static INET_END_TEXT], const struct inet_end *end, bool v6);
/* "PROTOCOL:ADDRESS:PORT"; ADDRESS is IPv4, [IPv6] or *. 0 or -EINVAL. */
int inet_name_parse(struct span text, struct inet_name *out) _must_check_;
/* Whether the address is 0.0.0.0 or [::]. */
bool inet_address_is_any(const struct inet_end *end);
