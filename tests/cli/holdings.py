# SPDX-License-Identifier: MIT
"""Holders of an object against the truth of the factory's holders= (tests/factory/holding.h)."""

import os
import time

import expect

ACCESS = ["none", "read", "write", "read-write"]
TICKS = os.sysconf("SC_CLK_TCK")
# Two clocks are read one after the other: a start that lies so close to a full second may be shown as either.
JITTER = 50_000_000


def starts(ticks):
    """The seconds since the epoch that a process started at, from its own /proc/PID/stat."""
    offset = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    exact = offset + ticks * (1_000_000_000 // TICKS)
    return {(exact - JITTER) // 1_000_000_000, (exact + JITTER) // 1_000_000_000}


def holdings_of(truth, side=None):
    """What the truth says is held; side: of one of two ends."""
    return [h for h in truth["holdings"] if side is None or h["side"] == side]


def role(h, roles):
    """roles: "fd" by access, or "side" by end, or "mapping"."""
    if h["fd"] < 0:
        return roles["mapping"]
    return roles["side"][h["side"]] if "side" in roles else roles["fd"][h["access"]]


def expected_rows(truth, roles, side=None):
    rows = []
    for h in holdings_of(truth, side):
        row = {"pid": h["pid"], "command": bytes.fromhex(h["command_hex"]).decode(),
               "user": expect.user(h["uid"]), "access": ACCESS[h["access"]], "role": role(h, roles)}
        if h["fd"] >= 0:
            row.update(fd=h["fd"])
        else:
            row.update(address=f"{h['start']:x}-{h['end']:x}", offset=h["offset"])
        # A thread's own table began as a copy of the process's: the same number in both.
        if row not in rows:
            rows.append(row)
    return rows


def ordered(rows):
    return sorted(rows, key=lambda row: (row["pid"], row.get("fd", -1), row.get("address", "")))


def check_rows(got, truth, roles, side=None):
    """Rows of `holders` or `peers` are those of the truth: all of them, and nothing else."""
    ticks = {h["pid"]: h["start_ticks"] for h in holdings_of(truth, side)}
    rows = [dict(row) for row in got or []]
    for row in rows:
        assert row["pid"] in ticks, (row, ticks)
        start = row.pop("start_time")
        assert start in starts(ticks[row["pid"]]), (row, truth)
        row.pop("tid", None)
        twin = row.pop("start_time_rfc3339", None)  # only in describe
        assert twin in (None, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))), row
    rows = [row for i, row in enumerate(rows) if row not in rows[:i]]
    assert ordered(rows) == ordered(expected_rows(truth, roles, side))


def check(o, truth, roles, counted=True, side=None):
    """The object's holders are those of the truth. counted: every process could be read,
    so that their number is known."""
    check_rows(o["holders"], truth, roles, side)
    pids = {h["pid"] for h in holdings_of(truth, side)}
    assert o["nholders"] == (len(pids) if counted else None), o
    # Descriptors of O_PATH reach no data of a file that has a name to come back to.
    reached = any(h["fd"] < 0 or h["access"] for h in holdings_of(truth, side))
    assert o["state"] == ("in-use" if reached or not o["kind"].startswith("posix-") else "unknown")


def descriptors(truth, access, side=None):
    """How many descriptors are open for it; not of threads with tables of their own."""
    return sum(h["fd"] >= 0 and bool(h["access"] & access) for h in holdings_of(truth, side))


def found(truth, access):
    """The same as the program may say it in a PID namespace, out of whose sight there may be
    others: none is unknown."""
    return descriptors(truth, access) or None


def only(document):
    assert len(document["objects"]) == 1, document
    return document["objects"][0]


def listed(ipcctl, kind, *words, **options):
    """Objects of `list KIND --json` by reference."""
    objects = ipcctl.json("list", kind, *words, **options)["objects"]
    got = {o["ref"]: o for o in objects}
    assert len(got) == len(objects), "a reference twice"
    return got


def locks(ipcctl, kind="lock"):
    """Those of files: the kernel tells OFD locks of other PID namespaces, too, of files that nobody in sight has."""
    objects = ipcctl.json("list", kind, "-o", "all")["objects"]
    return {o["ref"]: o for o in objects if "path" in o and o["path"] is not None}


def views(ipcctl, ref):
    """The object as `describe` shows it and as `list` does with every field named."""
    kind = ref.split(":")[0]
    return [ipcctl.describe(ref), listed(ipcctl, kind, "-o", "all")[ref]]


def left_out(ipcctl, kind, ref, *fields):
    """A plain listing does not carry what costs a call per object."""
    o = listed(ipcctl, kind)[ref]
    assert not [field for field in fields if field in o], o
    return o


def not_there(ipcctl, ref):
    """`describe` says that there is none of that reference."""
    result = ipcctl("describe", ref, "--quiet", status=1)
    assert result.out == b"" and len(result.errors) == 1 and ref in result.errors[0], result
