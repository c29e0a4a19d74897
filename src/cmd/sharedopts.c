/* SPDX-License-Identifier: MIT */
/* Options that mean the same wherever they occur. */
#include "cmd/options.h"

#define OPTION(member) .offset = offsetof(struct options, member)

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

static const struct opt procfs_opts[] = {
	{ .name = "procfs",
	  .type = OPT_STRING,
	  .arg = "DIR",
	  OPTION(procfs),
	  .complete = COMPLETE_FILE,
	  .help = "read this proc file system instead of /proc; what it does not tell is unknown" },
};

static const struct opt place_opts[] = {
	{ .name = "ipcns",
	  .letter = 'N',
	  .type = OPT_WORDS,
	  .arg = "WHERE",
	  OPTION(ipcns),
	  .complete = COMPLETE_FILE,
	  .help = "in the namespaces of this PID, of this number or path, or all (repeatable)" },
};

#define PROVE                                                                                                \
	{                                                                                                    \
		.name = "prove", .type = OPT_FLAG, OPTION(prove),                                            \
		.help = "open files for a moment, to have the kernel prove that nobody else has"             \
	}

static const struct opt prove_opts[] = { PROVE };

static const struct opt depth_opts[] = {
	{ .name = "status",
	  .type = OPT_FLAG,
	  OPTION(status),
	  .help = "read a queue's status line too: that moves its atime and ctime" },
	PROVE,
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

const struct option_table shared_tables[] = {
	{ OPTIONS_SELECT, "Selection", select_opts, ARRAY_SIZE(select_opts) },
	{ OPTIONS_OWNER, NULL, owner_opts, ARRAY_SIZE(owner_opts) },
	{ OPTIONS_PROCESSES, "Processes", process_opts, ARRAY_SIZE(process_opts) },
	{ OPTIONS_PATHS, NULL, path_opts, ARRAY_SIZE(path_opts) },
	{ OPTIONS_PLACES, "Where", place_opts, ARRAY_SIZE(place_opts) },
	{ OPTIONS_PROCFS, NULL, procfs_opts, ARRAY_SIZE(procfs_opts) },
	{ OPTIONS_PROVE, "Depth", prove_opts, ARRAY_SIZE(prove_opts) },
	{ OPTIONS_DEPTH, "Depth", depth_opts, ARRAY_SIZE(depth_opts) },
	{ OPTIONS_OUTPUT, "Output", output_opts, ARRAY_SIZE(output_opts) },
	{ OPTIONS_GLOBAL, "Everywhere", global_opts, ARRAY_SIZE(global_opts) },
	{ 0, NULL, NULL, 0 },
};
