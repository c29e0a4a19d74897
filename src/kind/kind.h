/* SPDX-License-Identifier: MIT */
/*
 * Adding a kind:
 *  1. Write src/kind/NAME.c with one `const struct kind kind_NAME`: its field
 *     table, how a snapshot becomes records, and how one is made and removed.
 *  2. Add one line to the list in src/kind/registry.h.
 * If no source in src/scan gathers what it needs yet, add one there first.
 * Commands, renderers, --help, completion and the JSON Schema follow by
 * themselves; the manual's ipcctl-kinds.7 and a factory entry for the tests do
 * not, and the tests say so.
 */
#pragma once

#include "lib/opt.h"
#include "model/record.h"
#include "scan/scan.h"

/* Names under which several kinds are asked for at once. */
enum kind_group {
	GROUP_SYSV = 1 << 0,
	GROUP_POSIX = 1 << 1,
	GROUP_PERSISTENT = 1 << 2,
	GROUP_FD = 1 << 3,
	GROUP_SOCKET = 1 << 4,
	GROUP_MEMORY = 1 << 5,
	GROUP_LOCK = 1 << 6,
	GROUP_SYNC = 1 << 7,
};

/* What `create` was told. Each kind's option table fills the members it knows. */
struct create_args {
	const char *name; /* NAME as typed, or NULL */
	const char *key;  /* System V key */
	const char *path; /* for ftok(3) */
	struct opt_u64 project;
	struct opt_u64 size, mode, nsems, value, maxmsg, msgsize, qbytes, huge_page_size;
	const char *values; /* "1,0,3" */
	const char *owner;  /* USER[:GROUP] */
	const char *type;   /* of a socket */
	const char *seals;
	const char *signal;
	struct opt_i64 sigval; /* value that goes with a signal */
	struct opt_u64 capacity, backlog;
	struct opt_u64 timeout; /* seconds to hold it; see kind->transient */
	const char *range;	/* "0-99" */
	int shm;		/* descriptor of the /dev/shm to make it in; 0: this process's own */
	bool exist_ok, packet, semaphore, listen, read_only, shared, nonblock, ofd;
	bool robust, recursive, errorcheck, priority_inherit, force; /* of a mutex in memory */
};

/* A descriptor that `create` made, and the variable that tells COMMAND its number. */
struct made_descriptor {
	int fd;
	const char *variable;
};

/* What `create` made and now holds; closed by creation_end(). */
struct creation {
	struct made_descriptor fds[2];
	size_t nfds;
	const char *variable;	 /* beside those of the descriptors, or NULL */
	struct span value;	 /* of that; terminated */
	bool listens;		 /* fds[0] is a listening socket: LISTEN_FDS goes with it */
	bool stays;		 /* this process has to keep its descriptors while COMMAND runs */
	void (*give_up)(int fd); /* lets go of it when SIGIO says that somebody wants it, or NULL */
	/* A socket file that was made, to be unlinked in the end unless another is there by
	 * then: its name, terminated, or nothing. */
	struct span leaf;
	int parent;	   /* the directory it was made in, wherever that is by then */
	uint64_t dev, ino; /* of the file */
};

/* What a kind has to say about something it did or would not do. */
struct report {
	struct arena arena;
	struct span text;     /* a short phrase without stop, or empty */
	struct span ref;      /* create: reference of the object */
	bool existed;	      /* create: it was there before */
	struct creation made; /* create: of a kind that is transient */
	bool usage;	      /* the fault is in what the user typed: exit 2 */
};

/* Takes the memory that references and texts of usual length need, so that what is done then can be told. 0
 * or -ENOMEM. */
int report_begin(struct report *report) _must_check_;
/* Sets report->text. */
void report_text(struct report *report, const char *fmt, ...) _printf_(2, 3);
/* The same of what the user typed wrong; returns -EINVAL. */
int report_usage(struct report *report, const char *fmt, ...) _printf_(2, 3);
/* Sets report->ref; 0 or -ENOMEM. */
int report_ref(struct report *report, const char *fmt, ...) _printf_(2, 3) _must_check_;
void report_free(struct report *report);
/* Notes a descriptor in report->made; it must be close-on-exec. */
void report_made(struct report *report, int fd, const char *variable);
/* Closes the descriptors, and unlinks the file if it is still the one that was made. */
void creation_end(struct creation *made);
/* kind->irremovable of what lives as long as its holders. */
extern const char only_holders_end_it[];

/* Indices into a snapshot. */
struct matches {
	size_t *items;
	size_t count;
	int error; /* why what the path in a reference leads to is not known: -errno; 0 also if there is
		      nothing */
};

int matches_add(struct matches *m, size_t index) _must_check_;
/* Adds what a look-up found: an index, or -ENOENT (nothing). 0 or the -errno. */
int matches_found(struct matches *m, int64_t found) _must_check_;
/* Notes why a path could not be followed, if not because nothing is there; error: -errno. 0 or -ENOMEM. */
int matches_unreached(struct matches *m, int error) _must_check_;
void matches_free(struct matches *m);

/* One limit of the kernel's; read by limit->read. */
struct limit_value {
	struct value limit, used; /* as the limit's unit says */
};

struct limit {
	const char *name;     /* "shmmni" */
	enum field_type unit; /* FIELD_U64 or FIELD_BYTES */
	const char *scope;    /* what it bounds: "IPC namespace", "each queue", ... */
	const char *source;   /* where it is set */
	const char *reached;  /* "shmget: ENOSPC" */
	bool fills;	      /* use adds up until it is reached; else it bounds each object */
	unsigned sources;     /* what `used` needs from the scan */
	void (*read)(struct snapshot *s, struct limit_value *out);
};

/* What `clean` may take beside what is orphaned. */
struct reclaim {
	bool idle, stale;
	bool messages; /* queues that hold some, too */
	/* What tasks wait for and have open, a moment ago; NULL: it was not asked for. */
	const struct snapshot *now;
};

enum project_result {
	PROJECT_SKIP = 1, /* this index is not an object of the kind (any more) */
};

/*
 * Of a kind whose objects lead from process to process: `graph` draws one that has both its ends in sight
 * as a line between those who hold them, and not as a thing of its own.
 */
struct channel {
	/* Roles of those who hold the end that bytes go in at, and the one that they come out of; a holder in
	 * another role has both. NULL: all holders have the same end, and `peer` has the other. */
	const char *source, *sink;
	bool duplex;	      /* bytes go both ways */
	const char *listener; /* with a peer: the role of who takes connections */
	/* Names of fields, or NULL: the object that is the other end; what a listener has in common with
	 * the ends that it accepted. */
	const char *peer, *address;
	/* Likewise: bytes on their way to the sink, or with a peer those that wait to be read at this end;
	 * bytes on their way to the source; the most that there can be. */
	const char *queued, *queued_back, *capacity;
};

/* Processes that an object notes, of a kind that keeps no list of those who use it. */
struct trace {
	const char *list;  /* field with rows that have such a process each; NULL: the object itself has it */
	const char *field; /* its number; the next field is its command, absent unless it still lives */
	const char *access; /* what it did: one of access_values (kind/holding.h) */
	const char *role;   /* the same in words */
};

struct kind {
	const char *name;
	const char *const *aliases; /* NULL-terminated, or NULL */
	/* The field whose values some of the aliases are: those stand for such objects only. */
	const char *alias_field;
	/* Which values those are, alias by alias, where they are not the same words; or NULL. */
	const char *const *alias_values;
	unsigned groups;
	char letter;		/* selects the kind in list and its identifier in remove, or 0 */
	char key_letter;	/* removes by key, or 0 */
	const char *key_option; /* long name of the same: "sysv-shm-key" */
	/* For `kinds`; one line each. */
	const char *title, *identifier, *handle, *persistence, *access, *source, *create_means, *remove_means;
	const char *reference; /* forms of REF */

	/* From here on NULL in a kind that is not built yet. */
	const struct schema *schema;	     /* first two fields: kind, ref */
	const char *bytes_field;	     /* the field that summary adds up, or NULL */
	const char *fill_field, *room_field; /* how much is in an object, of how much; or NULL */
	unsigned sources;		     /* what a listing needs at least */
	/* Its objects belong to a namespace: the field with the number of that; or NULL. */
	const char *namespace;
	bool numbered; /* they are changed by their numbers, from within that namespace */
	/* Whether to project what is wanted asks the kernel by number, too; NULL: never. */
	bool (*enters)(const struct projector *p, const struct snapshot *view);

	/* Tells the scan that only this object is wanted, where it can be told, and which
	 * sources it takes beside those of a listing. */
	int (*narrow)(struct span id, struct scan_request *request);
	/* Upper bound of indices. */
	size_t (*count)(const struct snapshot *s);
	/* Whether index i is listed under this kind; NULL: every index is. */
	bool (*owns)(const struct snapshot *s, size_t i);
	/* Whether an index it owns may be taken with all others of the kind; NULL: yes. One
	 * that may be of another kind after all goes only by name. */
	bool (*is_certain)(const struct snapshot *s, size_t i);
	/*
	 * Fills at least the wanted fields (p->want) of r from index i. 0,
	 * PROJECT_SKIP or -ENOMEM. The record is clear on entry; its arena is the
	 * caller's to reset. Runs in several threads at once, each with its own p.
	 */
	int (*project)(struct projector *p, size_t i, struct record *r);
	/* Whether a task in sight waits for index i; NULL: its field `waiting` tells. */
	bool (*awaited)(const struct snapshot *s, size_t i);
	/* Finds what the part of a reference behind "KIND:" means. 0, or -EINVAL
	 * with report->text saying what would be right. */
	int (*resolve)(struct snapshot *s, struct span id, struct matches *m, struct report *report);

	const struct opt *create_opts; /* offsets into struct create_args */
	size_t ncreate_opts;
	const char *name_arg; /* what help calls NAME, or NULL: takes none */
	bool name_optional;
	/*
	 * Its objects live as long as somebody holds them: `create` runs a COMMAND with
	 * report->made, or holds it until a signal or the timeout. What only a mapping holds
	 * takes no COMMAND.
	 */
	bool transient, no_command;
	bool waits; /* `create` may have to wait for it, as long as args->timeout; a signal ends that */
	/* Who has one, or changed it last, keeps others waiting who want it: they may do so in a
	 * circle. */
	bool excludes;
	bool asked;		       /* the kernel may ask for it back, with SIGIO */
	const struct channel *channel; /* NULL: its objects are things, not lines */
	const struct trace *traces;    /* ended by one without a field; or NULL */
	/* Makes one. 0 with report->ref, or -errno with or without report->text. */
	int (*create)(const struct create_args *args, struct report *report);
	/*
	 * Removes index i after comparing its identity once more. 0, -ENOENT (gone
	 * already), -ESTALE (another object has taken its place), or -errno.
	 */
	int (*remove)(struct snapshot *s, size_t i, struct report *report);
	/*
	 * `clean`: decides on index i once more, and removes it if it may go, both in one. 0, -ENOENT
	 * (gone already), -ESTALE (another object has taken its place), -EBUSY (it is spared;
	 * report->text says why), PROJECT_SKIP (not an object of the kind any more), or -errno. NULL in a
	 * kind whose objects go with their holders: nothing is left behind.
	 */
	int (*reclaim)(struct projector *p, size_t i, const struct reclaim *rules, struct report *report);
	/* The kernel keeps no list of its users: one that is idle may be in use as well. */
	bool unlisted;
	/* Capabilities (lib/capability.h) that show what is kept from others than the owner; 0: as of what
	 * processes hold. */
	uint64_t shown_by;
	int remover; /* the capability (capabilities(7)) that others than the owner need for that */
	/* Why nobody can do that from outside, a short phrase; then there is no remove. */
	const char *irremovable;
	/* The first holding of index i, or NULL: nobody was found. NULL in a kind whose
	 * holders cannot be told. */
	const struct holding *(*held)(const struct snapshot *s, size_t i);
	/* Has what held() will read on index i fetched into the processor's cache, a step of
	 * enum holders_step at a time. NULL in a kind whose objects are met in the order of their holdings.
	 */
	void (*prefetch)(const struct snapshot *s, size_t i, enum holders_step step);

	const struct limit *limits;
	size_t nlimits;
};

/*
 * What follows is what commands call: the objects of a kind over a snapshot and its views, each index beyond
 * the snapshot's own being one of a view's.
 */
size_t kind_count(const struct kind *k, const struct snapshot *s);
/* The snapshot itself, or the view that an index is one of; *i becomes the index there. */
const struct snapshot *kind_view(const struct kind *k, const struct snapshot *s, size_t *i);
bool kind_owns(const struct kind *k, const struct snapshot *s, size_t i);
bool kind_is_certain(const struct kind *k, const struct snapshot *s, size_t i);
/* The snapshot or view behind `after` (NULL: the first) that the kind has to do with; NULL: that was the
 * last. Of a kind whose objects belong to no namespace there is but the snapshot itself. */
struct snapshot *kind_next_place(const struct kind *k, struct snapshot *s, const struct snapshot *after);
/* The sort of namespace that its objects belong to, or -1. */
int kind_part(const struct kind *k);
const struct holding *kind_held(const struct kind *k, const struct snapshot *s, size_t i);
/*
 * Projects the objects of [from, to) one after the other into r, which is initialised, and calls visit for
 * each. r's arena is reset before each. 0, or -errno of a projection or of visit.
 */
int kind_each(const struct kind *k, struct projector *p, size_t from, size_t to, struct record *r,
	      int (*visit)(void *data, size_t index, const struct record *r), void *data) _must_check_;
/* As k->project(), k->resolve(), k->remove() and k->reclaim(). */
int kind_project(const struct kind *k, struct projector *p, size_t i, struct record *r) _must_check_;
int kind_resolve(const struct kind *k, struct snapshot *s, struct span id, struct matches *m,
		 struct report *report) _must_check_;
int kind_remove(const struct kind *k, struct snapshot *s, size_t i, struct report *report) _must_check_;
int kind_reclaim(const struct kind *k, struct projector *p, size_t i, const struct reclaim *rules,
		 struct report *report) _must_check_;
/* As k->create() in the place of a snapshot or view, which the reference then names. */
int kind_create(const struct kind *k, const struct snapshot *s, const struct create_args *args,
		struct report *report) _must_check_;
/* Reads a limit as it is in the place of a snapshot or view. */
void kind_limit(const struct limit *limit, struct snapshot *s, struct limit_value *out);

/* The values of alias_field that a word is one of, or NULL: it stands for the whole kind. */
const char *kind_alias_value(const struct kind *k, const char *word);

static inline bool kind_is_built(const struct kind *k)
{
	return k->schema != NULL;
}
