# SPDX-License-Identifier: MIT
"""Thousands of processes a second start and end while everything is listed: no error, no
crash, no hang, and nobody is taken for another."""

import fcntl
import socket
import time

import kernel
import pytest
from conftest import repeats
from holdings import check, check_rows, listed

PIPE = {"fd": [None, "reader", "writer", "both"]}
MEMFD = {"fd": ["open"] * 4, "mapping": "mapped"}
PTY = {"side": ["master", "slave"]}


def roles(word):
    return {"fd": [word] * 4}


# What one process of the storm can hold of what its family shares (tests/factory/storm.c).
SHARED = {"pipe": "pipe", "memfd": "memfd", "socket": "unix-socket", "event": "eventfd"}


def forks():
    """How many processes were started since the machine was (proc_stat(5))."""
    with open("/proc/stat", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("processes "))


@pytest.fixture
def stable(factory, tmp_path):
    """Objects of every kind that nobody touches: reference -> (truth, roles, end)."""
    pipe = factory("pipe", hold=True, holders="r+dup,w+fork", fill=5)
    fifo = factory("fifo", path=str(tmp_path / "f"), hold=True, holders="r,w")
    memfd = factory("memfd", hold=True, holders="rw+map-r,map-rw")
    event = factory("eventfd", hold=True, holders="rw+fork,rw", value=3)
    memory = factory("anon-mapping", hold=True, holders="keep,keep-head+fork", size=16384)
    file = factory("held-file", name=str(tmp_path / "file"), hold=True, holders="map-r,map-rw+fork")
    pair = factory("unix-pair", hold=True, holders="a+fork,b")
    tcp = factory("inet-pair", hold=True, holders="a,b+fork")
    pty = factory("pty", hold=True, holders="a,b+fork")
    segment = factory("held-file", name="/dev/shm/x", hold=True, holders="rw,map-r")
    file_ref = f"file-mapping:{kernel.mount_device(tmp_path)}:{file['ino']}"
    return {
        f"pipe:{pipe['ino']}": (pipe, PIPE, None), f"fifo:{tmp_path}/f": (fifo, PIPE, None),
        f"memfd:{memfd['ino']}": (memfd, MEMFD, None), f"eventfd:{event['id']}": (event, MEMFD, None),
        f"anon-mapping:{memory['ino']}": (memory, MEMFD, None), file_ref: (file, MEMFD, None),
        f"unix-socket:{pair['a_ino']}": (pair, roles("connected"), 0),
        f"unix-socket:{pair['b_ino']}": (pair, roles("connected"), 1),
        f"inet-socket:{tcp['a_ino']}": (tcp, roles("connected"), 0),
        f"inet-socket:{tcp['b_ino']}": (tcp, roles("connected"), 1),
        f"pty:{pty['slave']}": (pty, PTY, None), "posix-shm:/x": (segment, MEMFD, None),
    }


def judge(objects, stable, storm):
    got = {o["ref"]: o for o in objects}
    assert len(got) == len(objects)
    missing = stable.keys() - got.keys()
    kinds = {ref.split(":")[0] for ref in missing}
    assert not missing, [ref for ref in got if ref.split(":")[0] in kinds]
    for ref, (truth, kinds_roles, side) in stable.items():
        check(got[ref], truth, kinds_roles, side=side)
    shared = {f"{kind}:{storm[f'{family}_{what}']}": family
              for what, kind in SHARED.items() for family in ("storm_a", "storm_b")}
    for ref, o in got.items():
        names = {row["command"] for row in o.get("holders") or []}
        families = {name for name in names if name.startswith("storm_")}
        if ref in shared:
            # Its holders are of one family, and of no other people.
            assert names <= {shared[ref]}, (ref, names)
        else:
            # What one of them made for itself is nobody else's; ids of counters are given anew at once.
            assert not families or names <= {"storm_a", "storm_b"}, (ref, o)
            if families and not ref.startswith("eventfd:"):
                assert len({row["pid"] for row in o["holders"]}) == 1, (ref, o)
    return got


@pytest.fixture
def lock_in_flight(tmp_path):
    """A lock that nobody is seen to have makes whoever was looked at early be looked at twice."""
    ours, other = socket.socketpair()
    with ours, other, open(tmp_path / "locked", "wb") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        socket.send_fds(ours, [b"x"], [f.fileno()])
        f.close()
        yield


@pytest.mark.parametrize("reuse", [0, 1], ids=["new-numbers", "same-numbers"])
def test_list_all(ipcctl, factory, stable, lock_in_flight, reuse):
    """The numbers of processes that ended are given to others at once."""
    storm = factory("storm", hold=True, reuse=reuse)
    runs = repeats(ipcctl, 100)
    formats = [["--json"], ["--json", "--threads=8"], ["--jsonl"], ["--raw"]]
    seen = set()
    start, before = time.monotonic(), forks()
    for i in range(runs):
        words = formats[i % len(formats)]
        result = ipcctl("list", "all", *words, "--quiet", timeout=100)
        assert result.err == b"", result
        if "--json" in words:
            document = result.json()
            # Processes that ended are no processes that could not be read.
            assert document["unreadable_processes"] == 0, document["warnings"]
            seen |= judge(document["objects"], stable, storm).keys()
        elif "--jsonl" in words:
            judge([o for o in result.jsonl() if "ref" in o], stable, storm)
        else:
            assert stable.keys() <= {row["ref"] for row in result.table()}
    rate = (forks() - before) / (time.monotonic() - start)
    assert rate > (1 if ipcctl.slow else 50), f"{rate} processes a second are hardly a storm"
    # It was in sight.
    assert any(f"{kind}:{storm[f'storm_a_{what}']}" in seen for what, kind in SHARED.items())


def test_fields_that_cost_calls(ipcctl, factory, stable):
    """Copies of descriptors are asked for; what went meanwhile is left out, and no error."""
    storm = factory("storm", hold=True, reuse=1)
    for _ in range(repeats(ipcctl, 25)):
        document = ipcctl("list", "all", "--json", "-o", "all", timeout=100).json()
        judge(document["objects"], stable, storm)


def test_describe(ipcctl, factory, stable):
    factory("storm", hold=True, reuse=1)
    for _ in range(repeats(ipcctl, 20)):
        for ref, (truth, kinds_roles, side) in stable.items():
            document = ipcctl.json("describe", ref)
            assert document["unreadable_processes"] == 0, (ref, document["warnings"])
            o = document["objects"][0]
            check(o, truth, kinds_roles, side=side)
            if side is not None:
                check_rows(o["peers"], truth, roles("peer"), 1 - side)


def test_what_one_process_holds(ipcctl, factory, stable):
    factory("storm", hold=True, reuse=1)
    for _ in range(repeats(ipcctl, 20)):
        for truth, _, _ in list(stable.values())[:3]:
            pid = truth["holdings"][0]["pid"]
            held = {ref for ref, (t, _, side) in stable.items()
                    if pid in [h["pid"] for h in t["holdings"] if side in (None, h["side"])]}
            got = {o["ref"] for o in ipcctl.json("list", "all", "--pid", str(pid))["objects"]}
            assert held <= got


def test_describe_what_ends(ipcctl, factory):
    """An object of the storm is there or is not; nothing between."""
    factory("storm", hold=True)
    for _ in range(repeats(ipcctl, 20)):
        for kind in ("pipe", "eventfd"):
            mine = [ref for ref, o in listed(ipcctl, kind).items()
                    if {row["command"] for row in o["holders"] or []} & {"storm_a", "storm_b"}]
            for ref in mine[-2:]:
                result = ipcctl("describe", ref, "--json", status=None)
                assert result.status == 0 or b"not found" in result.err, result
