# SPDX-License-Identifier: MIT
"""What every command answers over a small system, and how an answer that was given in spite of a fault is judged."""

import collections
import re

from comparing import FOLLOWS, differences, is_ours, losses, rows
from program import strict_json

KINDS = ("sysv", "posix", "fd", "memory", "lock", "sync")
# {held} stands for references, {files} for a directory.
LOOKS = {
    "list": ["list", *KINDS, "--path={files}", "--json"], "list-fields": ["list", *KINDS, "-o", "all", "--json"],
    "list-prove": ["list", "persistent", "--prove", "--json"], "list-no-holders": ["list", "--no-holders", "--json"],
    "list-everywhere": ["list", "all", "-N", "all", "--json"], "list-jsonl": ["list", "all", "--jsonl"],
    "list-table": ["list", "all", "-o", "ref,owner,size,state,nholders"],
    "list-raw": ["list", "fd", "--raw", "-o", "ref,mode,state,holders"], "list-null": ["list", "all", "-0"],
    "list-chosen": ["list", "all", "--json", "-f", "nholders>=1", "-f", "owner=root", "--sort", "-size,ref"],
    "describe": ["describe", "--content", "--json", "{held}"], "describe-text": ["describe", "--content", "{held}"],
    "summary": ["summary"], "summary-json": ["summary", "--json"], "limits": ["limits"],
    "limits-json": ["limits", "--json"], "waits": ["waits"], "waits-json": ["waits", "--json"], "graph": ["graph"],
    "graph-json": ["graph", "--json"], "graph-mermaid": ["graph", "--format", "mermaid", "--group"],
    "check": ["check"], "metrics": ["metrics"], "plan": ["clean", "-v", "--json"],
    "plan-text": ["clean", "--stale", "--idle", "-v"], "kinds": ["kinds"], "kinds-json": ["kinds", "--json"],
    "watch": ["watch", "--initial", "--interval", "10ms", "--for", "10ms", "--jsonl"],
    "schema": ["kinds", "--json-schema"], "help": ["help", "list"], "version": ["version"],
    "complete": ["__complete", "--", "describe", "posix-shm:"],
}
# What it may say no to, other than "there is none", which would be an answer.
ERRORS = {
    "openat": "EACCES", "openat2": "EACCES", "newfstatat": "EACCES", "fstat": "EIO", "statx": "EACCES", "read": "EIO",
    "pread64": "EIO", "getdents64": "EIO", "readlink": "EACCES", "readlinkat": "EACCES", "lseek": "EINVAL",
    "fcntl": "EINVAL", "fstatfs": "EIO", "mmap": "ENOMEM", "shmctl": "EACCES", "semctl": "EACCES", "msgctl": "EACCES",
    "mq_getsetattr": "EBADF", "fsopen": "EPERM", "fsconfig": "EPERM", "fsmount": "EPERM", "unlinkat": "EACCES",
    "socket": "EMFILE", "socketpair": "EMFILE", "connect": "EACCES", "sendmsg": "EPERM", "sendto": "EPERM",
    "recvmsg": "EIO", "recvfrom": "EIO", "ioctl": "EINVAL", "kill": "EPERM", "process_vm_readv": "EPERM",
    "pidfd_open": "EMFILE", "pidfd_getfd": "EPERM", "memfd_create": "EMFILE", "capget": "EINVAL", "prctl": "EINVAL",
    "getsockopt": "EIO", "getsockname": "EIO", "uname": "EFAULT", "name_to_handle_at": "EOPNOTSUPP",
    # What makes and removes.
    "shmget": "ENOSPC", "semget": "ENOSPC", "msgget": "ENOSPC", "mq_open": "ENOSPC", "mq_unlink": "EACCES",
    "ftruncate": "EFBIG", "fallocate": "ENOSPC", "linkat": "EPERM", "unlink": "EACCES", "fchmod": "EPERM",
    "fchown": "EPERM", "link": "EPERM", "mknodat": "EACCES", "bind": "EADDRINUSE", "listen": "EADDRINUSE",
    # Where words are narrow, and with musl.
    "fstatat64": "EACCES", "fstat64": "EIO", "_llseek": "EINVAL", "fcntl64": "EINVAL", "fstatfs64": "EIO",
    "mmap2": "ENOMEM", "open": "EACCES", "stat": "EACCES", "lstat": "EACCES",
}
AT_DIRECTORY = {"openat", "openat2", "newfstatat", "fstatat64", "statx", "readlinkat"}
# What is no matter of permission, of those that may be one.
WORSE = {"openat": "EMFILE", "openat2": "EMFILE", "newfstatat": "EIO", "statx": "EIO", "readlink": "EIO",
         "readlinkat": "EIO", "shmctl": "ENOMEM", "semctl": "ENOMEM", "msgctl": "ENOMEM", "fsopen": "ENOMEM",
         "fsconfig": "ENOMEM", "fsmount": "EMFILE", "sendmsg": "ENOBUFS", "sendto": "ENOBUFS", "connect": "ENOMEM",
         "process_vm_readv": "ENOMEM", "pidfd_getfd": "EMFILE"}
# What goes on by itself, as JSON has it.
MOVING = re.compile(rb'"(time|age|used|headroom|percent|full|queue_used)":[^,}\n]*')
# What is of the whole system, where other tests have theirs: terminals, a user's signals, OFD locks.
SHARED = re.compile(rb'pty-max|rlimit-sigpending|queue_used\{kind="signal"|record-lock')
# What is another thing if less is in sight: those who wait unseen, names of what no path leads to, who is to blame.
UNLIKE = FOLLOWS | {"unseen_waiters", "memory"}
# What stands in the memory of others: that it cannot be had, for whatever reason, fails nothing.
SOFT = re.compile("what some task waits for could not be told|it is not in memory")
# What nobody has; of that which somebody has it is never said.
UNHELD = re.compile(r"\b(idle|orphaned|stale)\b")


def words_of(name, scene):
    """A command's words over that system."""
    words = [word.format(files=scene.directory) for word in LOOKS[name] if word != "{held}"]
    return words + (scene.held if "{held}" in LOOKS[name] else [])


def some(numbers, most):
    """That many of them at most, the first and the last included."""
    most = min(most, len(numbers))
    return sorted({numbers[i * (len(numbers) - 1) // max(most - 1, 1)] for i in range(most)})


# Where names of users and libraries come from: none of that tells who has an object.
ELSEWHERE = re.compile(r"(/var)?(/run)?/(etc|lib\w*|usr|run|nscd|sys)?(/.*)?")
QUOTED = re.compile(r'<(/[^>]*)>|"((?:[^"\\]|\\.)*)"')


def calls_in(path, program):
    """What strace -y wrote to a file: which calls of each system call there were, by what they were about, as numbers
    from 1; and how many of each."""
    with open(program.path, "rb") as f:
        # The sanitizers themselves do not bear that.
        text = f.read()
        errors = ERRORS.keys() - ({"mmap", "mmap2"} if b"__asan_init" in text or b"__tsan_init" in text else set())
    seen, found, loaded = collections.Counter(), collections.defaultdict(list), False
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            name, _, rest = line.split(maxsplit=1)[1].partition("(")
            loaded |= rest.endswith("</proc>\n")  # it is what the program opens first
            if name not in errors:
                continue
            seen[name] += 1
            about = ["".join(pair) for pair in QUOTED.findall(rest)]
            # What is read is no name.
            about = about[:2 if name in AT_DIRECTORY else 1]
            if loaded and not any(ELSEWHERE.fullmatch(word) for word in about[-1:]):
                found[name, re.sub(r"\d+", "N", " ".join(about))].append(seen[name])
    return found, seen


def lines(result):
    return [MOVING.sub(b"", line) for line in re.split(b"[\n\0]", result.out) if not SHARED.search(line)]


def document(result):
    """None if there is none that is whole."""
    try:
        found = strict_json(result.out)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def records(result):
    """Those of any format that are JSON objects, of a document that was cut, too."""
    whole = document(result)
    if whole:
        return [row for rows in whole.values() if isinstance(rows, list) for row in rows if isinstance(row, dict)]
    found = []
    for line in result.out.split(b"\n"):
        try:
            found.append(strict_json(line.rstrip(b",")))
        except ValueError:
            pass
    return [row for row in found if isinstance(row, dict)]


def waiters(document):
    return {row["pid"] for row in document["waits"] if not is_ours(row)}


class Truth:
    """What a command says without a fault: what is the same in two answers, before and after those with faults."""

    def __init__(self, scene, first, second):
        assert (first.status, second.status) == (0, 0), (first, second)
        self.scene, self.first, self.second = scene, first, second
        again = set(lines(second))
        self.stable = [line for line in lines(first) if line in again]
        assert self.stable
        self.comparable = first.args[0] in ("list", "describe", "waits", "limits") and document(first) is not None
        self.same_number = len(lines(first)) == len(lines(second))

    def is_whole(self, result):
        got = lines(result)
        here = set(got)
        missing = [line for line in self.stable if line not in here]
        assert not missing, (missing, result)
        assert not self.same_number or len(got) == len(lines(self.first)), result

    def is_fair(self, result):
        """Of what somebody has it is not said, in any format, that nobody has it."""
        said = {o["ref"]: o["state"] for o in records(result) if "ref" in o and "state" in o}
        for ref in self.scene.held:
            assert not UNHELD.fullmatch(said.get(ref) or ""), (ref, result)
        if said or result.args[0] == "graph":
            return
        for line in result.out.decode("utf-8", "replace").splitlines():
            assert not UNHELD.search(line) or not any(ref in line for ref in self.scene.held), (line, result)

    def failed(self, result):
        """It failed, and said why in plain lines; what it printed before that is not wrong."""
        assert result.status == (3 if result.args[0] == "check" else 1), result
        said = result.errors or result.status == 3 and result.text.startswith("IPC UNKNOWN - ")
        assert said and all(line.startswith("ipcctl: ") for line in result.errors), result
        self.is_fair(result)

    def is_honest(self, result, hard):
        """It may tell less, and says so. hard: for want of descriptors or memory, and then that is a failure."""
        if result.status != 0:
            self.failed(result)
        else:
            self.is_fair(result)
        got = document(result)
        if not got or not self.comparable:
            return
        less = self.less(got)
        said = not got["complete"] or set(got["warnings"]) - set(document(self.first)["warnings"])
        told = (result.args, less, result.status, result.errors, got["complete"], got["warnings"])
        assert not less or said, told
        assert not less or result.status != 0 or not hard or any(map(SOFT.search, got["warnings"])), told

    def less(self, got):
        """Of which objects a document tells less, or what is but a part of one. None tells another thing.
        Of waits it is who is missing; who is to blame, and for what, depends on what was seen of others."""
        if self.first.args[0] == "waits":
            missing = [waiters(document(result)) - waiters(got) for result in (self.first, self.second)]
            return missing[0] & missing[1]
        mine, first, second = rows(got), rows(document(self.first)), rows(document(self.second))
        first = {key: row for key, row in first.items() if key in second and not is_ours(row)}
        for key in first.keys() & mine.keys():
            wrong = set(differences(mine[key], first[key], second[key])) - UNLIKE
            wrong -= {"ref"} if key[0] == "pty" else set()
            assert not wrong, (key, {name: (mine[key].get(name), first[key].get(name)) for name in wrong})
        return [(key, [name for name in row if losses(mine.get(key, {}).get(name), row[name])])
                for key, row in first.items() if key not in mine or losses(mine[key], row)] + [
            key for key, row in mine.items() if key not in first and key not in second and not is_ours(row)
            # It says itself that nothing is known of it.
            and row.get("state") != "unknown"]
