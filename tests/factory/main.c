/* SPDX-License-Identifier: MIT */
/* Failures leave with _exit(2): no half-made truth is ever printed. */
#include "factory.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct thing {
	const char *name;
	make_fn *make;
	const char *help;
} things[] = {
	{ "sysv-shm", make_sysv_shm,
	  "key= size= mode= uid= gid= attach=N content=|contenthex= touch=BYTES lock=1 hugetlb=BYTES "
	  "noreserve=1 rmid=1" },
	{ "sysv-sem", make_sysv_sem, "key= nsems= mode= uid= gid= values=V,V.. block=INDEX:OP,.." },
	{ "sysv-msg", make_sysv_msg,
	  "key= mode= uid= gid= qbytes= messages=TYPE:SIZE,.. receivers=TYPE,.. senders=SIZE,.." },
	{ "file", make_file,
	  "name= (a path) type= mode= uid= gid= size= content=|contenthex= at=OFFSET target= links=N "
	  "atime= mtime= open=1 map=1" },
	{ "posix-shm", make_posix_shm, "name= mode= size= map=1" },
	{ "posix-sem", make_posix_sem, "name= mode= value= block=N" },
	{ "posix-sem-file", make_posix_sem_file,
	  "path= layout=glibc-64|glibc-32|musl-64|musl-32 value= waiters= mode=" },
	{ "posix-mq", make_posix_mq,
	  "name= mode= uid= gid= maxmsg= msgsize= messages=PRIORITY:SIZE,.. notify=signal|none|thread "
	  "signal= receivers=N senders=N" },
	{ "held-file", make_held_file, "name= (a path) mode= size= holders= unlink=1" },
	{ "held-posix-sem", make_held_posix_sem, "name= mode= value= holders= unlink=1" },
	{ "held-posix-mq", make_held_posix_mq, "name= mode= maxmsg= msgsize= holders= unlink=1" },
	{ "held-sysv-shm", make_held_sysv_shm, "key= mode= size= holders= rmid=1" },
	{ "pipe", make_pipe, "packet=1 capacity= fill=BYTES holders=" },
	{ "fifo", make_fifo,
	  "path= exists=1 mode= packet=1 capacity= fill=BYTES holders= openers=r|w,.. unlink=1" },
	{ "memfd", make_memfd, "name= size= content= seals=WORD,.. hugetlb=BYTES holders=" },
	{ "eventfd", make_eventfd, "value= semaphore=1 holders=" },
	{ "anon-mapping", make_anon_mapping, "size= touch=BYTES hugetlb=BYTES holders=" },
	{ "unix-pair", make_unix_pair,
	  "type=stream|seqpacket|dgram queued=BYTES rights=N shutdown=send|receive|both holders=" },
	{ "unix-listener", make_unix_listener,
	  "name= (abstract: begins with a zero byte) type= backlog= accepted=N pending=N unlink=1 holders=" },
	{ "unix-dgram", make_unix_dgram, "name= datagrams=SIZE,.. holders=" },
	{ "inet-listener", make_inet_listener, "type=tcp|udp family=4|6 any=1 port= backlog= pending=N holders=" },
	{ "inet-pair", make_inet_pair, "type=tcp|udp family=4|6 port= queued=BYTES closed=1 holders=" },
	{ "pty", make_pty, "instance=DIRECTORY typed=BYTES printed=BYTES session=1 holders=" },
	{ "lock", make_lock,
	  "name= (a path) type=flock|posix|ofd|lease lock=read|write[:START-END] waiters=MODE[:START-END],.. "
	  "unlink=1 holders=" },
	{ "signals", make_signals,
	  "blocked=SIGNAL,.. thread_blocked= ignored= caught= threads=N wait=epoll|semop|sleep|pause|vfork "
	  "kill=SIGNAL,.. queue=SIGNAL:VALUE,.. thread=INDEX:SIGNAL[:VALUE],.. name= stop=1 leave=1 end=1" },
	{ "futex", make_futex,
	  "memory=posix-shm|sysv-shm|memfd|anon-mapping|file-mapping name= size= offset= "
	  "type=mutex|sem|cond|rwlock|raw robust=1 recursive=1 errorcheck=1 inherit=1 value= locks=N "
	  "content=|contenthex= owner=live|dead|namespace readers=N waiters=N inside=N (in a PID namespace) "
	  "wait=read|wait|bitset|timed|waitv|wait2|private at=BYTES stop=1 continue=1 keep=1" },
	{ "steps", make_steps,
	  "name= path= locks=mutex|errorcheck|recursive|robust|rwlock|flock|posix|ofd|sem|set,.. "
	  "steps=PROCESS[.THREAD]:LOCK[r|t],.. busy=1 kill=PROCESS" },
	{ "storm", make_storm, "reuse=1" },
	{ "churn", make_churn, "report=PATH lost=PATH directory=PATH uid=" },
};

__attribute__((format(printf, 1, 0))) static void complain(const char *fmt, va_list ap, const char *tail)
{
	fputs("factory: ", stderr);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "%s%s\n", tail ? ": " : "", tail ? tail : "");
}

void die(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap, strerror(error));
	va_end(ap);
	_exit(1);
}

void wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap, NULL);
	va_end(ap);
	_exit(2);
}

void cannot(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap, strerror(error));
	va_end(ap);
	_exit(CANNOT);
}

static const struct thing *find_thing(const char *name)
{
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		if (strcmp(things[i].name, name) == 0)
			return &things[i];
	return NULL;
}

static void usage(FILE *out)
{
	fputs("usage: factory THING [NAME=VALUE...] [hold=1]\n", out);
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		fprintf(out, "  %-16s%s\n", things[i].name, things[i].help);
}

static void wait_for_end_of_input(void)
{
	char c;
	ssize_t n;

	do
		n = read(STDIN_FILENO, &c, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
}

int main(int argc, char **argv)
{
	const struct thing *thing = argc > 1 ? find_thing(argv[1]) : NULL;
	struct job job = { 0 };
	bool hold;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (!thing) {
		usage(stderr);
		return 2;
	}
	/* Modes are made as asked for. */
	umask(0);
	args_parse(&job.args, argc - 2, argv + 2);
	hold = arg_u64(&job.args, "hold", 0);
	truth_begin(&job.truth, thing->name);
	truth_u64(&job.truth, "pid", getpid());
	thing->make(&job);
	args_all_used(&job.args);
	tasks_truth(&job.tasks, &job.truth);
	truth_end(&job.truth);
	if (hold)
		wait_for_end_of_input();
	tasks_end(&job.tasks);
	/* What was allocated goes with the process: nothing is freed one by one. */
	_exit(0);
}
