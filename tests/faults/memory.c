/* SPDX-License-Identifier: MIT */
/*
 * Loaded before libc (LD_PRELOAD): the allocation of number FAULT_AT fails with ENOMEM, and with FAULT_ON in
 * the environment every one after it, too. How many there were goes to the file FAULT_COUNT, as text. What
 * libc allocates for its functions counts as well, but not for those that ask for names of users and groups:
 * glibc ends the process, or reads through a null pointer, where it cannot have what it wants
 * (nss/nss_database.c).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_ulong count;
static unsigned long at;
static bool on;
static const char *count_path;
static _Thread_local bool exempt;

__attribute__((constructor)) static void start(void)
{
	const char *number = getenv("FAULT_AT");

	at = number ? strtoul(number, NULL, 10) : 0;
	on = getenv("FAULT_ON") != NULL;
	count_path = getenv("FAULT_COUNT");
}

__attribute__((destructor)) static void end(void)
{
	int fd = count_path ? open(count_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;

	if (fd >= 0) {
		dprintf(fd, "%lu\n", atomic_load(&count));
		close(fd);
	}
}

static bool fails(void)
{
	unsigned long n;

	if (exempt)
		return false;
	n = atomic_fetch_add(&count, 1) + 1;
	if (!at || !(n == at || (on && n > at)))
		return false;
	errno = ENOMEM;
	return true;
}

/* The function of that name that would be called without this library. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

void *malloc(size_t size)
{
	return fails() ? NULL : NEXT(malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : NEXT(calloc)(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : NEXT(realloc)(old, size);
}

void *reallocarray(void *old, size_t n, size_t size)
{
	return fails() ? NULL : NEXT(reallocarray)(old, n, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : NEXT(aligned_alloc)(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	return fails() ? ENOMEM : NEXT(posix_memalign)(p, alignment, size);
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *text, size_t size, struct passwd **found)
{
	int r;

	exempt = true;
	r = NEXT(getpwuid_r)(uid, entry, text, size, found);
	exempt = false;
	return r;
}

int getgrgid_r(gid_t gid, struct group *entry, char *text, size_t size, struct group **found)
{
	int r;

	exempt = true;
	r = NEXT(getgrgid_r)(gid, entry, text, size, found);
	exempt = false;
	return r;
}

struct passwd *getpwnam(const char *name)
{
	struct passwd *entry;

	exempt = true;
	entry = NEXT(getpwnam)(name);
	exempt = false;
	return entry;
}
