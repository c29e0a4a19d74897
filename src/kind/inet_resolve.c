/* SPDX-License-Identifier: MIT */
#include "kind/inet_resolve.h"

#include <errno.h>

#include "kind/inet_address.h"
#include "lib/parse.h"

bool inet_is_connected(const struct inet_socket *x)
{
	return x->remote.port != 0 || !inet_address_is_any(&x->remote);
}

/* How well a socket answers to the name: 0 not at all; those that others connect to go first,
 * those that the kernel only winds up last. */
static int fits(const struct inet_socket *x, const struct inet_name *name)
{
	if (x->protocol != name->protocol || x->local.port != name->end.port ||
	    (!name->any_address &&
	     memcmp(x->local.address, name->end.address, sizeof(x->local.address)) != 0))
		return 0;
	if (!x->inode)
		return 1;
	return inet_is_connected(x) ? 2 : 3;
}

static int resolve_name(struct snapshot *s, const struct inet_name *name, struct matches *m)
{
	const struct inet_sockets *sockets = &s->inet_sockets;
	int best = 0, r = 0;

	for (size_t i = 0; i < sockets->count; i++) {
		int fit = fits(&sockets->items[i], name);

		best = fit > best ? fit : best;
	}
	for (size_t i = 0; best > 0 && r == 0 && i < sockets->count; i++)
		if (fits(&sockets->items[i], name) == best)
			r = matches_add(m, i);
	return r;
}

int inet_resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	struct inet_name name;
	uint64_t number;

	if (parse_u64(id, &number) == 0)
		return number > UINT32_MAX ?
			       0 :
			       matches_found(m, inet_sockets_find(&s->inet_sockets, (uint32_t)number));
	if (span_starts(id, "cookie=") && parse_u64(span_from(id, 7), &number) == 0)
		return matches_found(m, inet_sockets_find_cookie(&s->inet_sockets, number));
	if (inet_name_parse(id, &name) < 0) {
		report_text(report, "expected an inode number, cookie=N, or PROTOCOL:ADDRESS:PORT such as "
				    "tcp:127.0.0.1:80, udp:[::1]:53 or tcp:*:80");
		return -EINVAL;
	}
	return resolve_name(s, &name, m);
}
