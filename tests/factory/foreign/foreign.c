/* SPDX-License-Identifier: MIT */
/*
 * A program that needs no library, and is built with words of the other size than those of the program under
 * test: it maps the file that it is told of, and waits for the word at its beginning; told of none, it makes
 * a System V segment whose size takes more than 32 bits. The numbers and arguments of calls of one size mean
 * something else to a program of the other.
 */
#ifdef __x86_64__
enum { CALL_OPEN = 2, CALL_EXIT = 60, CALL_MMAP = 9, CALL_FUTEX = 202, CALL_SHMGET = 29 };
#else
enum { CALL_OPEN = 5, CALL_EXIT = 1, CALL_MMAP = 192, CALL_FUTEX = 240 };
#endif
#define READ_WRITE 2
#define PROTECTION 3 /* PROT_READ | PROT_WRITE */
#define SHARED 1
#define PAGE 4096
#define SEGMENT_SIZE (0x100000000 + 2 * PAGE)
#define SEGMENT_FLAGS 010600 /* SHM_NORESERVE, and for the owner */

/* The sixth argument is 0: an offset, or not used. */
static long call(long number, long a, long b, long c, long d, long e)
{
	long result;

#ifdef __x86_64__
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = 0;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
#else
	__asm__ volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
#endif
	return result;
}

__attribute__((used, noreturn)) static void run(char **stack)
{
	long fd, address;

#ifdef __x86_64__
	if (!stack[2])
		call(CALL_EXIT, call(CALL_SHMGET, 0, SEGMENT_SIZE, SEGMENT_FLAGS, 0, 0) < 0, 0, 0, 0, 0);
#endif
	fd = call(CALL_OPEN, (long)stack[2], READ_WRITE, 0, 0, 0);
	address = call(CALL_MMAP, 0, PAGE, PROTECTION, SHARED, fd);
	if (fd >= 0 && (address > 0 || address < -PAGE))
		call(CALL_FUTEX, address, 0, *(int *)address, 0, 0);
	for (;;)
		call(CALL_EXIT, 1, 0, 0, 0, 0);
}

/* The stack at the start: how many arguments, and where they are. */
#ifdef __x86_64__
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call run\n");
#else
__asm__(".globl _start\n_start: mov %esp, %eax\n push %eax\n call run\n");
#endif
