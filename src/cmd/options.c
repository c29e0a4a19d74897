/* SPDX-License-Identifier: MIT */
#include "cmd/options.h"

#include <errno.h>

#include "kind/registry.h"

#define OPTION(member) .offset = offsetof(struct options, member)

static const struct opt global_opts[] = {
	{ .name = "help",
	  .letter = 'h',
	  .type = OPT_FLAG,
	  OPTION(help),
	  .help = "show what can be said, and stop" },
	{ .name = "version",
	  .letter = 'V',
	  .type = OPT_FLAG,
	  OPTION(version),
	  .help = "show the version, and stop" },
	{ .name = "color",
	  .type = OPT_STRING,
	  .arg = "WHEN",
	  OPTION(color),
	  .choices = "auto|always|never",
	  .complete = COMPLETE_CHOICE,
	  .help = "auto, always or never (auto: on a terminal, unless NO_COLOR is set)" },
	{ .name = "quiet",
	  .type = OPT_FLAG,
	  OPTION(quiet),
	  .help = "no remarks on standard error, only errors" },
	{ .name = "verbose",
	  .letter = 'v',
	  .type = OPT_FLAG,
	  OPTION(verbose),
	  .help = "say on standard error how much was shown, and how long it took" },
};

static const struct opt procfs_opts[] = {
	{ .name = "procfs",
	  .type = OPT_STRING,
	  .arg = "DIR",
	  OPTION(procfs),
	  .complete = COMPLETE_FILE,
	  .help = "read this proc file system instead of /proc; what it does not tell is unknown" },
};

static const struct opt output_opts[] = {
	{ .name = "json", .letter = 'J', .type = OPT_FLAG, OPTION(json), .help = "one JSON document" },
	{ .name = "jsonl", .type = OPT_FLAG, OPTION(jsonl), .help = "a JSON object a line" },
	{ .name = "raw",
	  .letter = 'r',
	  .type = OPT_FLAG,
	  OPTION(raw),
	  .help = "tab-separated, escaped, exact" },
	{ .name = "null",
	  .letter = '0',
	  .type = OPT_FLAG,
	  OPTION(null),
	  .help = "raw bytes, NUL after each value (default field: ref)" },
	{ .name = "output",
	  .letter = 'o',
	  .type = OPT_STRING,
	  .arg = "FIELD,...",
	  OPTION(output),
	  .complete = COMPLETE_FIELD,
	  .help = "these fields; +FIELD adds to the usual ones; all" },
	{ .name = "noheadings",
	  .letter = 'H',
	  .type = OPT_FLAG,
	  OPTION(noheadings),
	  .help = "no line of headings" },
	{ .name = "bytes",
	  .letter = 'b',
	  .type = OPT_FLAG,
	  OPTION(bytes),
	  .help = "sizes in bytes, not 1.5M" },
	{ .name = "no-truncate", .type = OPT_FLAG, OPTION(no_truncate), .help = "never cut a column" },
};

static const struct opt select_opts[] = {
	{ .name = "filter",
	  .letter = 'f',
	  .type = OPT_WORDS,
	  .arg = "FIELD OP VALUE",
	  OPTION(filters),
	  .complete = COMPLETE_FIELD,
	  .help = "only these, as one word: size>=1M, owner=ann,bob, name~^/torch (repeatable)" },
	{ .name = "sort",
	  .type = OPT_STRING,
	  .arg = "FIELD,...",
	  OPTION(sort),
	  .complete = COMPLETE_FIELD,
	  .help = "order by these fields; -FIELD descends" },
	{ .name = "strict",
	  .type = OPT_FLAG,
	  OPTION(strict),
	  .help = "exit 1 if anything could not be read" },
};

static const struct opt owner_opts[] = {
	{ .name = "pid",
	  .letter = 'p',
	  .type = OPT_U64,
	  .arg = "PID",
	  OPTION(pid),
	  .help = "only what this process holds" },
	{ .name = "user",
	  .letter = 'u',
	  .type = OPT_STRING,
	  .arg = "USER",
	  OPTION(user),
	  .complete = COMPLETE_USER,
	  .help = "only what this user owns" },
};

static const struct opt process_opts[] = {
	{ .name = "threads",
	  .type = OPT_U64,
	  .arg = "N",
	  OPTION(threads),
	  .help = "use at most N threads (default: one a processor)" },
	{ .name = "no-holders",
	  .type = OPT_FLAG,
	  OPTION(no_holders),
	  .help = "look at no processes: quicker, state is then mostly unknown" },
};

static const struct opt path_opts[] = {
	{ .name = "path",
	  .type = OPT_WORDS,
	  .arg = "DIR",
	  OPTION(paths),
	  .complete = COMPLETE_FILE,
	  .help = "files below this directory too, whether or not they are in use (repeatable)" },
};

static const struct opt depth_opts[] = {
	{ .name = "status",
	  .type = OPT_FLAG,
	  OPTION(status),
	  .help = "read a queue's status line too: that moves its atime and ctime" },
	{ .name = "prove",
	  .type = OPT_FLAG,
	  OPTION(prove),
	  .help = "open files for a moment, to have the kernel prove that nobody else has" },
};

static const struct opt describe_opts[] = {
	{ .name = "content",
	  .type = OPT_SIZE,
	  .optional = true,
	  .missing = (uint64_t)64 << 10,
	  .arg = "BYTES",
	  OPTION(content),
	  .help = "contents too, at most so many bytes of each (default 64K)" },
	{ .name = "attach",
	  .type = OPT_FLAG,
	  OPTION(attach),
	  .help = "read a segment by attaching it: that moves its times and lpid" },
	{ .name = "queue",
	  .type = OPT_FLAG,
	  OPTION(queue),
	  .help = "read the queues of pending signals: that stops their process for a moment" },
};

static const struct opt remove_opts[] = {
	{ .name = "all", .type = OPT_FLAG, OPTION(all), .help = "all objects of the kinds that are named" },
	{ .name = "dry-run",
	  .letter = 'n',
	  .type = OPT_FLAG,
	  OPTION(dry_run),
	  .help = "only say what would be done" },
	{ .name = "yes", .letter = 'y', .type = OPT_FLAG, OPTION(yes), .help = "do not ask" },
	{ .name = "missing-ok",
	  .type = OPT_FLAG,
	  OPTION(missing_ok),
	  .help = "what is not there is no error" },
	{ .name = "kill",
	  .type = OPT_WORDS,
	  .optional = true,
	  .arg = "SIGNAL",
	  OPTION(kill),
	  .complete = COMPLETE_SIGNAL,
	  .help = "show who holds the objects, and signal exactly those (default TERM)" },
};

static const struct opt kinds_opts[] = {
	{ .name = "json-schema",
	  .type = OPT_FLAG,
	  OPTION(json_schema),
	  .help = "print the JSON Schema of list and describe" },
};

static const struct opt clean_opts[] = {
	{ .name = "remove",
	  .type = OPT_FLAG,
	  OPTION(remove),
	  .help = "carry the plan out, not only print it" },
	{ .name = "yes", .letter = 'y', .type = OPT_FLAG, OPTION(yes), .help = "do not ask" },
	{ .name = "dry-run",
	  .letter = 'n',
	  .type = OPT_FLAG,
	  OPTION(dry_run),
	  .help = "print the plan even with --remove" },
	{ .name = "older-than",
	  .type = OPT_AGE,
	  .arg = "AGE",
	  OPTION(older_than),
	  .help = "only what was not used for so long (default 1m)" },
	{ .name = "idle",
	  .type = OPT_FLAG,
	  OPTION(idle),
	  .help = "what somebody who is alive could come back to, too" },
	{ .name = "stale",
	  .type = OPT_FLAG,
	  OPTION(stale),
	  .help = "what nobody can prove to be unused, too, if its users have no process left" },
	{ .name = "with-messages",
	  .type = OPT_FLAG,
	  OPTION(with_messages),
	  .help = "queues that hold messages, too" },
	{ .name = "user",
	  .letter = 'u',
	  .type = OPT_STRING,
	  .arg = "USER",
	  OPTION(user),
	  .complete = COMPLETE_USER,
	  .help = "only what this user owns" },
	{ .name = "name",
	  .type = OPT_STRING,
	  .arg = "GLOB",
	  OPTION(name),
	  .help = "only what is called so: 'torch_*'" },
	{ .name = "max", .type = OPT_U64, .arg = "N", OPTION(max), .help = "take at most N objects" },
};

static const struct opt waits_opts[] = {
	{ .name = "deadlocks",
	  .type = OPT_FLAG,
	  OPTION(deadlocks),
	  .help = "only what can never end; exit 1 if there is anything" },
};

static const struct opt watch_opts[] = {
	{ .name = "interval",
	  .type = OPT_TIME,
	  .arg = "DURATION",
	  OPTION(interval),
	  .help = "how often to look: 1, 0.2, 200ms, 5m (default 1s)" },
	{ .name = "for", .type = OPT_TIME, .arg = "DURATION", OPTION(duration), .help = "end after so long" },
	{ .name = "count", .type = OPT_U64, .arg = "N", OPTION(count), .help = "end after N events" },
	{ .name = "initial",
	  .type = OPT_FLAG,
	  OPTION(initial),
	  .help = "tell what is there at the start, too" },
	{ .name = "table",
	  .type = OPT_FLAG,
	  OPTION(table),
	  .help = "redraw the table of list on a terminal, with what has changed marked" },
};

static void add(struct option_groups *g, const char *title, const struct opt *opts, size_t count,
		struct options *options)
{
	g->groups[g->count++] = (struct opt_group){ title, opts, count, options };
}

/* -m -q -s -M -Q -S, from the letters that the kinds claim. */
static int add_letters(struct option_groups *g, bool targets, struct options *options)
{
	size_t n = 0;

	for (const struct kind *const *k = kinds; *k; k++)
		n += ((*k)->letter != 0) + ((*k)->key_letter != 0);
	g->letters = calloc(n + 1, sizeof(*g->letters));
	if (!g->letters)
		return -ENOMEM;
	n = 0;
	for (const struct kind *const *k = kinds; *k; k++) {
		struct opt o = { .type = OPT_WORDS, .name = (*k)->name, .letter = (*k)->letter };

		if (!targets && o.letter) {
			o.offset = offsetof(struct options, kinds);
			o.help = (*k)->title;
			g->letters[n++] = o;
		} else if (targets && (*k)->key_letter) {
			o.offset = offsetof(struct options, targets);
			o.arg = "ID";
			o.help = (*k)->title;
			g->letters[n++] = o;
		}
	}
	for (const struct kind *const *k = kinds; targets && *k; k++)
		if ((*k)->key_letter)
			g->letters[n++] = (struct opt){ .type = OPT_WORDS,
							.name = (*k)->key_option,
							.letter = (*k)->key_letter,
							.arg = "KEY",
							.offset = offsetof(struct options, targets),
							.help = (*k)->title };
	add(g, targets ? "By number, as ipcrm has it" : "Kinds, as lsipc has them", g->letters, n, options);
	return 0;
}

int option_groups_init(struct option_groups *g, unsigned set, struct options *options)
{
	*g = (struct option_groups){ 0 };
	if (set & OPTIONS_KINDS)
		add(g, "What", kinds_opts, ARRAY_SIZE(kinds_opts), options);
	if (set & OPTIONS_CLEAN)
		add(g, "Cleaning", clean_opts, ARRAY_SIZE(clean_opts), options);
	if (set & OPTIONS_WAITS)
		add(g, "What", waits_opts, ARRAY_SIZE(waits_opts), options);
	if (set & OPTIONS_WATCH)
		add(g, "Watching", watch_opts, ARRAY_SIZE(watch_opts), options);
	if (set & OPTIONS_REMOVE)
		add(g, "Removing", remove_opts, ARRAY_SIZE(remove_opts), options);
	if (set & OPTIONS_DESCRIBE)
		add(g, "Contents", describe_opts, ARRAY_SIZE(describe_opts), options);
	if (set & OPTIONS_SELECT)
		add(g, "Selection", select_opts, ARRAY_SIZE(select_opts), options);
	if (set & OPTIONS_OWNER)
		add(g, NULL, owner_opts, ARRAY_SIZE(owner_opts), options);
	if (set & OPTIONS_PROCESSES)
		add(g, "Processes", process_opts, ARRAY_SIZE(process_opts), options);
	if (set & OPTIONS_PATHS)
		add(g, NULL, path_opts, ARRAY_SIZE(path_opts), options);
	if (set & OPTIONS_PROCFS)
		add(g, "Where", procfs_opts, ARRAY_SIZE(procfs_opts), options);
	if (set & OPTIONS_DEPTH)
		add(g, "Depth", depth_opts, ARRAY_SIZE(depth_opts), options);
	if (set & OPTIONS_OUTPUT)
		add(g, "Output", output_opts, ARRAY_SIZE(output_opts), options);
	if (set & (OPTIONS_LETTERS | OPTIONS_TARGETS) && add_letters(g, set & OPTIONS_TARGETS, options) < 0)
		return -ENOMEM;
	if (set & OPTIONS_GLOBAL)
		add(g, "Everywhere", global_opts, ARRAY_SIZE(global_opts), options);
	return 0;
}

void option_groups_free(struct option_groups *g)
{
	free(g->letters);
	*g = (struct option_groups){ 0 };
}
