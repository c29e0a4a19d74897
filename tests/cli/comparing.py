# SPDX-License-Identifier: MIT
"""Holding a document from a look where something was refused against one from a look where nothing was: it may
tell less, and then says so, but never another thing."""

import re

# What follows from a verdict, and what goes on meanwhile.
FOLLOWS, MOVES = {"reason", "evidence"}, {"age", "used", "headroom", "percent", "queue_used"}
# valgrind runs the program under a name of its own.
OURS = {"ipcctl", "memcheck-amd64-", "python3", "pytest", "strace", "calls"}


def is_same_file(got, wanted):
    """Of a file whose path cannot be looked up without waiting for it, the numbers are the name."""
    return re.sub(r"^(\w[-\w]*):\d+:\d+:\d+", r"\1", got) == re.sub(r"^(\w[-\w]*):/[^:]*", r"\1", wanted)


def is_weaker(got, wanted, once_more):
    """Whether a value is the wanted one, or unknown. What differs between two looks of a whole kernel moves."""
    if got is None or got == wanted or wanted != once_more:
        return True
    if isinstance(wanted, str) and isinstance(got, str):
        return got.replace("at least ", "") == wanted or is_same_file(got, wanted)
    if isinstance(wanted, dict) and isinstance(got, dict):
        return not differences(got, wanted, once_more)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(got) == len(wanted) and all(map(is_weaker, got, wanted, once_more))
    return False


def is_part(got, wanted):
    """Whether some holders are not seen, and their number is therefore unknown."""
    return got.get("nholders") is None and all(row in wanted["holders"] for row in got["holders"] or [])


def differences(got, wanted, once_more):
    """Names of the fields that are told, and are others than on a whole kernel."""
    stated = got.get("state") != "unknown"
    known = stated and got.get("nholders") is not None
    return [name for name in wanted.keys() | got.keys()
            if name not in MOVES and not is_weaker(got.get(name), wanted.get(name), once_more.get(name))
            and not (name == "holders" and is_part(got, wanted))
            and (known or name not in FOLLOWS) and (name != "state" or stated)]


def number(row):
    """Its reference; of a terminal, which is known by its number where its path is not, that."""
    return int(row["ref"].rpartition("/")[2]) if row["kind"] == "pty" and "ref" in row else row.get("ref")


def rows(document):
    """By what names them."""
    found = next(rows for name, rows in document.items() if isinstance(rows, list) and name != "warnings")
    return {(row["kind"], row.get("tid") or row.get("inode") or number(row) or row.get("name"), row.get("type")): row
            for row in found}


def is_ours(row):
    """What the program itself and the tests' runner have, and wait for, changes; and so do OFD locks of other PID
    namespaces, which the kernel tells everybody, without a path."""
    return (row.get("ref", "").startswith("record-lock:") and "/" not in row["ref"] or row.get("command") in OURS
            or any(other.get("command") in OURS for name in ("holders", "releasers") for other in row.get(name) or []))


def losses(got, wanted):
    """Whether something is unknown that a whole kernel tells."""
    return got is None and wanted is not None or isinstance(wanted, dict) and isinstance(got, dict) and any(
        losses(got.get(name), wanted[name]) for name in wanted)


def compare(got, wanted, once_more, name):
    """Returns how many objects a document tells less of than on a whole kernel; none tells another thing."""
    mine, first, second = rows(got), rows(wanted), rows(once_more)
    first = {key: row for key, row in first.items() if key in second and not is_ours(row)}
    less = 0
    for key, row in first.items():
        if key not in mine:
            less += 1
            continue
        wrong = differences(mine[key], row, second[key])
        assert not wrong, (name, key, {field: (mine[key].get(field), row.get(field)) for field in wrong})
        less += losses(mine[key], row)
    for key in mine.keys() - first.keys() - second.keys():
        assert is_ours(mine[key]), (name, mine[key])
    return less
