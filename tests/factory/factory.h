/* SPDX-License-Identifier: MIT */
/*
 * The factory makes one thing on demand, through system calls and libc alone,
 * and prints the truth it made as one line of JSON:
 *
 *   factory THING [NAME=VALUE...] [hold=1]
 *
 * With hold=1 it then waits for the end of its standard input; its tasks and
 * attachments live that long. Objects that outlive processes stay: callers run
 * it in namespaces of their own.
 *
 * Adding a thing: a function of type make_fn in a file here, and its line in
 * the table of main.c. Every value comes from an argument; an argument that
 * the function never asked for is an error. What this machine cannot do (no
 * huge page, no right to make a device) ends with status 77 and the reason.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CANNOT 77 /* exit status: not on this machine */

/* main.c */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));	  /* adds errno's text */
void wrong(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2))); /* misuse of the factory */
void cannot(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* args.c: NAME=VALUE arguments */
struct arg {
	const char *name;
	const char *value;
	bool used;
};

struct args {
	struct arg *items;
	size_t count;
};

struct bytes {
	char *data; /* a zero byte follows, not counted */
	size_t len;
};

void args_parse(struct args *args, int argc, char **argv);
void args_all_used(const struct args *args);
const char *arg_text(struct args *args, const char *name, const char *otherwise);
uint64_t arg_u64(struct args *args, const char *name, uint64_t otherwise);
mode_t arg_mode(struct args *args, const char *name, mode_t otherwise); /* octal */
/* The bytes of NAME=text or NAMEhex=digits; exits if neither is given and
 * otherwise is NULL. */
struct bytes arg_bytes(struct args *args, const char *name, const char *otherwise);
/* The next item of a comma-separated list, or NULL at its end. Cuts *rest. */
char *next_item(char **rest);
/* A number that must be the whole text. */
int64_t number(const char *text);
struct bytes decode_hex(const char *digits);

/* truth.c: one flat JSON object; lists hold numbers */
struct truth {
	FILE *out;
	bool started;
	bool in_list;
};

void truth_begin(struct truth *t, const char *thing);
void truth_u64(struct truth *t, const char *name, uint64_t v);
void truth_i64(struct truth *t, const char *name, int64_t v);
void truth_text(struct truth *t, const char *name, const char *plain); /* printable ASCII */
void truth_hex(struct truth *t, const char *name, struct bytes b);
void truth_list(struct truth *t, const char *name);
void truth_item(struct truth *t, uint64_t v);
void truth_list_end(struct truth *t);
void truth_end(struct truth *t);
/* Number of a field of the descriptor's own fdinfo; -1: this kernel has none (eventfd-id
 * came with Linux 5.2, eventfd-semaphore with 6.5). */
int64_t own_fdinfo(int fd, const char *field, int base);

/* memfd.c: device and inode of the mapping that begins there, from the process's own maps */
void own_mapping_truth(struct truth *truth, const void *address);

/* tasks.c: children that do one thing, usually block, and die with the factory */
struct tasks {
	pid_t *pids;
	size_t count;
};

/* Runs body(argument) in a child, which exits when body returns. */
pid_t task_start(struct tasks *tasks, void (*body)(const void *), const void *argument);
/* Waits until the child sleeps in the system call nr (or alternative), and no
 * longer than a test would; exits if it never does. */
void task_wait_blocked(pid_t pid, long nr, long alternative);
/* The number of the system call that a task sleeps in, or -1. */
long task_call(pid_t tid);
/* Waits until answer(argument) is at least n. */
void wait_until(uint64_t (*answer)(const void *), const void *argument, uint64_t n, const char *what);
void tasks_truth(const struct tasks *tasks, struct truth *t);
void tasks_end(struct tasks *tasks);

/* Everything that a thing is made with. */
struct job {
	struct args args;
	struct truth truth;
	struct tasks tasks;
};

/* unix.c: what a socket of this process is, and what lies in it */
void socket_truth(struct truth *truth, const char *name, int fd);
void socket_queue_truth(struct truth *truth, const char *name, int fd);
int socket_new(int family, int type);
void send_bytes(int fd, uint64_t count);

/* A function type, so that a table and its prototypes cannot differ. */
typedef void make_fn(struct job *job);

make_fn make_sysv_shm, make_sysv_sem, make_sysv_msg;
make_fn make_file, make_posix_shm;
make_fn make_posix_sem, make_posix_sem_file;
make_fn make_posix_mq;
make_fn make_held_file, make_held_posix_sem, make_held_posix_mq, make_held_sysv_shm; /* held.c */
make_fn make_pipe, make_fifo;
make_fn make_memfd, make_eventfd, make_anon_mapping;
make_fn make_unix_pair, make_unix_listener, make_unix_dgram;
make_fn make_inet_listener, make_inet_pair;
make_fn make_pty;
make_fn make_lock;
make_fn make_signals;
make_fn make_futex;
make_fn make_steps;
make_fn make_storm;
make_fn make_churn;
