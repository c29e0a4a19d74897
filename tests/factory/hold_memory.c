/* SPDX-License-Identifier: MIT */
/* Holding by mappings alone. */
#include "holding.h"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/shm.h>
#include <unistd.h>

static uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static void add_mapping(const struct subject *subject, const void *address, uint64_t offset, uint64_t size,
			unsigned access)
{
	uint64_t page = page_size(), start = (uintptr_t)address;

	board_add(subject->board, (struct held){ .fd = -1,
						 .start = start,
						 .end = start + (size + page - 1) / page * page,
						 .offset = offset,
						 .access = access });
}

static void map_file(struct holding_process *p, uint64_t offset, uint64_t size, unsigned access, int sharing)
{
	/* A shared mapping for writing takes a descriptor that may read, too. */
	int fd = subject_open(p->subject, 0, access & HELD_WRITE && sharing == MAP_SHARED ? HELD_BOTH : HELD_READ);
	int protection = (access & HELD_READ ? PROT_READ : 0) | (access & HELD_WRITE ? PROT_WRITE : 0);
	void *address = mmap(NULL, size, protection, sharing, fd, offset);

	if (address == MAP_FAILED)
		die("mmap");
	close(fd);
	/* What is written to a private mapping never gets to the object. */
	add_mapping(p->subject, address, offset, size, sharing == MAP_SHARED ? access : access & HELD_READ);
}

void hold_mapping(struct holding_process *p, unsigned side, unsigned access)
{
	(void)side;
	map_file(p, 0, p->subject->size, access, MAP_SHARED);
}

void hold_private_mapping(struct holding_process *p, unsigned side, unsigned access)
{
	(void)side;
	map_file(p, 0, p->subject->size, access, MAP_PRIVATE);
}

void hold_second_page(struct holding_process *p, unsigned side, unsigned access)
{
	(void)side;
	map_file(p, page_size(), page_size(), access, MAP_SHARED);
}

void hold_semaphore(struct holding_process *p, unsigned side, unsigned access)
{
	sem_t *semaphore = sem_open(p->subject->name, 0);

	(void)side;
	if (semaphore == SEM_FAILED)
		die("sem_open");
	/* The libc closes its descriptor and maps one page, where the semaphore begins. */
	add_mapping(p->subject, semaphore, 0, p->subject->size, access);
}

void hold_attachment(struct holding_process *p, unsigned side, unsigned access)
{
	void *address = shmat(p->subject->id, NULL, access & HELD_WRITE ? 0 : SHM_RDONLY);

	(void)side;
	if (address == (void *)-1)
		die("shmat");
	add_mapping(p->subject, address, 0, p->subject->size, access);
}

/* Memory that was inherited, and what is left of it. */

static char *inherited(struct holding_process *p, uint64_t pages)
{
	if (!p->subject->memory)
		wrong("this thing has no memory to inherit");
	if (p->subject->size < pages * page_size())
		wrong("size= is less than %llu pages", (unsigned long long)pages);
	p->keeps_memory = true;
	return p->subject->memory;
}

static void unmap(char *address, uint64_t size)
{
	if (munmap(address, size) < 0)
		die("munmap");
}

void keep_memory(struct holding_process *p, unsigned side, unsigned access)
{
	(void)side;
	add_mapping(p->subject, inherited(p, 1), 0, p->subject->size, access);
}

void keep_head(struct holding_process *p, unsigned side, unsigned access)
{
	char *memory = inherited(p, 2);

	(void)side;
	unmap(memory + page_size(), p->subject->size - page_size());
	add_mapping(p->subject, memory, 0, page_size(), access);
}

void keep_tail(struct holding_process *p, unsigned side, unsigned access)
{
	char *memory = inherited(p, 2);
	uint64_t offset = p->subject->size - page_size();

	(void)side;
	unmap(memory, offset);
	add_mapping(p->subject, memory + offset, offset, page_size(), access);
}

/* All but the second page: two mappings. */
void keep_around(struct holding_process *p, unsigned side, unsigned access)
{
	char *memory = inherited(p, 3);
	uint64_t rest = 2 * page_size();

	(void)side;
	unmap(memory + page_size(), page_size());
	add_mapping(p->subject, memory, 0, page_size(), access);
	add_mapping(p->subject, memory + rest, rest, p->subject->size - rest, access);
}

/* The second page for reading only: three mappings. */
void keep_protected(struct holding_process *p, unsigned side, unsigned access)
{
	char *memory = inherited(p, 3);
	uint64_t page = page_size();

	(void)side;
	if (mprotect(memory + page, page, PROT_READ) < 0)
		die("mprotect");
	add_mapping(p->subject, memory, 0, page, access);
	add_mapping(p->subject, memory + page, page, page, HELD_READ);
	add_mapping(p->subject, memory + 2 * page, 2 * page, p->subject->size - 2 * page, access);
}

/* At other addresses than its relatives. */
void keep_moved(struct holding_process *p, unsigned side, unsigned access)
{
	char *memory = inherited(p, 1);
	char *place = mmap(NULL, p->subject->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)side;
	if (place == MAP_FAILED || mremap(memory, p->subject->size, p->subject->size, MREMAP_MAYMOVE | MREMAP_FIXED,
					  place) != place)
		die("mremap");
	add_mapping(p->subject, place, 0, p->subject->size, access);
}
