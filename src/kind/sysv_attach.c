/* SPDX-License-Identifier: MIT */
#include "kind/sysv_attach.h"

#include <errno.h>
#include <sys/shm.h>

#include "kind/content.h"
#include "scan/attach.h"

/* Reads through the process that has it attached: changes nothing. */
static int content_passively(struct record *r, const struct attach_fields *at, int proc, uint32_t id,
			     const struct attach *attach, uint64_t size, uint64_t max)
{
	_cleanup_(close_fd) int fd = attach_open(proc, id, attach);

	if (fd < 0) {
		record_unknown(r, at->content, fd);
		return 0;
	}
	return content_read_file(r, at->content, at->content_read, fd, size, max);
}

/* Attaches it, as --attach allowed: moves atime, dtime and lpid, and a segment
 * marked for destruction goes with the detach. Holes read as zeroes. */
static int content_attaching(struct record *r, const struct attach_fields *at, int id, uint64_t size,
			     uint64_t max)
{
	void *address = shmat(id, NULL, SHM_RDONLY);
	uint64_t n = size < max ? size : max;
	int error;

	if (address == (void *)-1) {
		record_unknown(r, at->content, errno);
		return 0;
	}
	error = content_add(r, at->content, 0, (struct span){ address, n });
	record_u64(r, at->content_read, n);
	shmdt(address);
	return error;
}

/* Nobody was found who has it attached. */
static enum why why_not_found(const struct projector *p)
{
	return p->snapshot->holders.walked ? WHY_NOT_ATTACHED : WHY_NOT_LOOKED;
}

int sysv_attach_project(struct projector *p, const struct sysv_shm_row *row, struct record *r,
			const struct attach_fields *at)
{
	const struct scan_depth *depth = &p->snapshot->depth;
	int proc = p->snapshot->context->proc;
	const struct holders *holders = &p->snapshot->holders;
	const struct holding *first = attach_holding(holders, p->snapshot->ipcns, &row->perm);
	struct attach attach = { .pid = 0 };
	int found = 0;

	if (row->nattch > 0)
		found = attach_find(holders, proc, first, row->size, &attach);
	if (found == -ENOMEM)
		return found;
	if (found > 0) {
		record_bool(r, at->hugetlb, attach.hugetlb);
		record_bool(r, at->noreserve, attach.noreserve);
		if (attach.hugetlb)
			record_u64(r, at->huge_page_size, attach.page_size);
	} else {
		int error = found < 0 ? -found : why_not_found(p);

		/* Resident memory may have proved huge pages already. */
		if (r->values[at->hugetlb].state == VALUE_ABSENT)
			r->values[at->hugetlb] = (struct value){ .state = VALUE_UNKNOWN, .error = error };
		r->values[at->noreserve] = (struct value){ .state = VALUE_UNKNOWN, .error = error };
		r->unknowns = true;
	}
	if (!wants(p->want, at->content))
		return 0;
	if (!depth->content) {
		record_unknown_why(r, at->content, WHY_NEEDS_CONTENT);
		return 0;
	}
	if (depth->attach && p->snapshot->context->own_proc)
		return content_attaching(r, at, (int)row->perm.id, row->size, depth->content_max);
	if (found > 0)
		return content_passively(r, at, proc, row->perm.id, &attach, row->size, depth->content_max);
	if (found < 0)
		record_unknown(r, at->content, found);
	else
		record_unknown_why(r, at->content, why_not_found(p));
	return 0;
}
