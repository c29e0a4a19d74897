/* SPDX-License-Identifier: MIT */
#include "scan/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

void memory_open(struct memory *memory, int proc, uint32_t tid)
{
	char path[24];

	/* Below task there is no file of that name, but each thread has a directory among the
	 * processes, too; that of a dead leader shows nothing. */
	snprintf(path, sizeof(path), "%u/pagemap", tid);
	*memory = (struct memory){ tid, openat(proc, path, O_RDONLY | O_CLOEXEC) };
}

void memory_close(struct memory *memory)
{
	close_fd(&memory->pagemap);
}

/*
 * Whether the page at an address is in memory. Reading one that is not may wait for the
 * file system behind it (Documentation/admin-guide/mm/pagemap.rst: bit 63).
 */
static bool is_resident(const struct memory *memory, uint64_t address)
{
	uint64_t entry = 0;

	if (memory->pagemap < 0 ||
	    pread(memory->pagemap, &entry, sizeof(entry), (off_t)(address / page_size() * sizeof(entry))) !=
		    (ssize_t)sizeof(entry))
		return false;
	return entry >> 63;
}

static ssize_t read_page(const struct memory *memory, uint64_t address, void *to, size_t max)
{
	uint64_t left = page_size() - address % page_size();
	struct iovec local = { to, max < left ? max : (size_t)left };
	struct iovec remote = { (void *)(uintptr_t)address, local.iov_len };
	ssize_t n;

	if (address > UINTPTR_MAX)
		return -EFAULT;
	if (!is_resident(memory, address))
		return -EAGAIN;
	n = process_vm_readv((pid_t)memory->tid, &local, 1, &remote, 1, 0);
	return n < 0 ? -errno : n;
}

int memory_read_from(const struct memory *memory, uint64_t address, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read_page(memory, address + done, (char *)to + done, size - done);

		if (n <= 0)
			return n < 0 ? (int)n : -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

ssize_t memory_read_page(int proc, uint32_t tid, uint64_t address, void *to, size_t max)
{
	_cleanup_(memory_close) struct memory memory;

	memory_open(&memory, proc, tid);
	return read_page(&memory, address, to, max);
}

int memory_read(int proc, uint32_t tid, uint64_t address, void *to, size_t size)
{
	_cleanup_(memory_close) struct memory memory;

	memory_open(&memory, proc, tid);
	return memory_read_from(&memory, address, to, size);
}

int memory_read_string(int proc, uint32_t tid, uint64_t address, char text[static PATH_MAX])
{
	size_t len = 0;

	while (len < PATH_MAX) {
		ssize_t n = memory_read_page(proc, tid, address + len, text + len, PATH_MAX - len);

		if (n <= 0)
			return n < 0 ? (int)n : -EFAULT;
		if (memchr(text + len, '\0', (size_t)n))
			return 0;
		len += (size_t)n;
	}
	return -ENAMETOOLONG;
}
