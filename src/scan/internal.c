/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "scan/hugepages.h"

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif

/* That of one sort, if the kernel has it. 0 or -errno. */
static int add(struct internal_devices *devices, unsigned flags)
{
	_cleanup_(close_fd) int fd = memfd_create("ipcctl", MFD_CLOEXEC | flags);
	struct stat st;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (devices->count < MOST_INTERNAL_DEVICES)
		devices->items[devices->count++] = st.st_dev;
	return 0;
}

int internal_devices_read(struct internal_devices *devices)
{
	struct huge_pages huge = { 0 };
	int r;

	*devices = (struct internal_devices){ 0 };
	r = add(devices, 0);
	if (r == 0)
		r = huge_pages_read(&huge);
	/* Each size of huge pages has a mount of its own. */
	for (size_t i = 0; r == 0 && i < huge.count; i++)
		r = add(devices, MFD_HUGETLB | (unsigned)__builtin_ctzll(huge.sizes[i]) << MFD_HUGE_SHIFT);
	return r;
}

bool internal_devices_has(const struct internal_devices *devices, uint64_t dev)
{
	for (size_t i = 0; i < devices->count; i++)
		if (devices->items[i] == dev)
			return true;
	return false;
}
