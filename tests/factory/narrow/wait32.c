/* SPDX-License-Identifier: MIT */
/*
 * A program with words of 32 bits that needs no library: it maps the file that it is told of, and
 * waits for the word at its beginning. The calls are those of i386 (int 0x80), whose numbers and
 * arguments mean something else to a 64-bit program.
 */
#define CALL_OPEN 5
#define CALL_EXIT 1
#define CALL_MMAP2 192
#define CALL_FUTEX 240
#define READ_WRITE 2
#define PROTECTION 3 /* PROT_READ | PROT_WRITE */
#define SHARED 1
#define PAGE 4096

static long call(long number, long a, long b, long c, long d, long e)
{
	long result;

	/* The sixth argument, in ebp, is 0: an offset, or not used. */
	__asm__ volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return result;
}

__attribute__((used, noreturn)) static void run(char **stack)
{
	long fd = call(CALL_OPEN, (long)stack[2], READ_WRITE, 0, 0, 0);
	long address = call(CALL_MMAP2, 0, PAGE, PROTECTION, SHARED, fd);

	if (fd >= 0 && (address > 0 || address < -PAGE))
		call(CALL_FUTEX, address, 0, *(long *)address, 0, 0);
	for (;;)
		call(CALL_EXIT, 1, 0, 0, 0, 0);
}

/* The stack at the start: how many arguments, and where they are. */
__asm__(".globl _start\n_start: mov %esp, %eax\n push %eax\n call run\n");
