/* SPDX-License-Identifier: MIT */
#include "cmd/rights.h"

#include "cmd/cmd.h"

int give_up_rights(struct context *c)
{
	uint64_t kept = c->command->capabilities;
	int r;

	/*
	 * Without CAP_SYS_PTRACE the kernel lets a process be looked at by those alone who have every
	 * capability that it has (ptrace(2)): in a container, root that gave one up would see nothing of
	 * root's other processes any more. Then what there is, is needed.
	 */
	if (kept & CAPABILITY(CAP_SYS_PTRACE) && !capability_has(CAP_SYS_PTRACE))
		kept = UINT64_MAX;
	r = capabilities_keep(kept);
	if (r == 0)
		return -1;
	diag_error(&c->diag, "capabilities cannot be given up: %s", error_text(r));
	return EXIT_FAILED;
}
