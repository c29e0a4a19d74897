# SPDX-License-Identifier: MIT
"""metrics: a strict reading of OpenMetrics, and numbers against what was made here and what the kernel says."""

import os
import time

import kernel
import pytest
from monitoring import Exposition, asleep_in, metrics, quiet_run
from program import NOBODY, become
from test_check import QUEUES, fill_semmni, network  # noqa: F401: a fixture
from test_waits import PAIR, make  # noqa: F401: a fixture

STATES = {"in-use", "idle", "orphaned", "stale", "unknown"}
FAMILIES = {
    "objects", "memory_bytes", "holders", "waiters", "oldest_orphan_seconds", "fullest_ratio", "limit", "limit_bytes",
    "limit_used", "limit_used_bytes", "limit_used_ratio", "blocked_threads", "deadlocks", "likely_deadlocks",
    "dead_owner_waits", "view_complete", "unreadable_processes", "unread_values", "scan_seconds", "build_info"}
ALONE = {"blocked_threads", "deadlocks", "likely_deadlocks", "dead_owner_waits", "view_complete",
         "unreadable_processes", "scan_seconds"}


@pytest.fixture
def zoo(factory, tmp_path):
    """Something of every kind that takes no privilege, and locks that many have."""
    factory("sysv-shm", hold=True, attach=1, size=5000)
    factory("sysv-sem", hold=True, nsems=3, values="0,1,2", block="0:-1")
    factory("sysv-msg", messages="1:10")
    factory("posix-shm", name="/plain", size=1536)
    factory("posix-sem", name="/s", value=2)
    factory("posix-mq", name="/q", messages="3:4")
    factory("pipe", hold=True, fill=100, holders="r,w")
    factory("fifo", hold=True, path=str(tmp_path / "f"), fill=100, holders="r,w")
    factory("unix-pair", hold=True, type="stream", holders="a,b", queued=10)
    factory("unix-listener", hold=True, name=b"\0a\xffb", holders="a")
    factory("memfd", hold=True, name="m", size=8192, holders="rw")
    factory("eventfd", hold=True, value=3, holders="rw,rw")
    factory("pty", hold=True, holders="a,b")
    factory("anon-mapping", hold=True, size=8192, holders="keep,keep")
    factory("lock", hold=True, name=str(tmp_path / "l"), type="flock", lock="read", holders="rw,rw",
            waiters="write,write")
    factory("lock", hold=True, name=str(tmp_path / "p"), type="ofd", lock="read:0-9", holders="rw,rw",
            waiters="write:0-9,write:5-6")
    factory("futex", hold=True, memory="posix-shm", name="/futex", type="mutex", owner="live", waiters=2)


# The format


def kinds_of(ipcctl):
    return [row["kind"] for row in ipcctl.json("kinds")["kinds"]]


@pytest.mark.parametrize("full", [False, True], ids=["empty", "zoo"])
def test_grammar(ipcctl, request, full):
    """Parsing is the test; and what the manual page lists is there, each with its labels."""
    if full:
        request.getfixturevalue("zoo")
    text = metrics(ipcctl)
    assert {"ipcctl_" + name for name in FAMILIES} <= set(text.families)
    kinds = set(kinds_of(ipcctl))
    for name, family in text.families.items():
        name = name.removeprefix("ipcctl_")
        for labels, value in text.having(name):
            assert value >= 0 and labels.get("kind", "pipe") in kinds and labels.get("state", "idle") in STATES
            assert (labels == {}) == (name in ALONE), (name, labels)
            assert set(labels) <= {"kind", "state", "limit", "field", "version"}, (name, labels)
        assert family.samples or not full or name not in FAMILIES - {"oldest_orphan_seconds", "unread_values"}, name
    assert text.value("build_info", version=ipcctl("version").text.split()[1]) == 1


def test_per_object_of_everything(ipcctl, zoo):
    """No object is there twice, whatever it is."""
    kinds = kinds_of(ipcctl)
    text = metrics(ipcctl, *[word for kind in kinds for word in ("--per-object", kind)], "--max", "1000")
    assert {labels["kind"] for labels, _ in text.having("objects_left_out")} == set(kinds)
    told = [(name, labels) for name in text.families if name.startswith("ipcctl_object_")
            for labels, _ in text.having(name.removeprefix("ipcctl_"))]
    assert len({labels["kind"] for _, labels in told}) >= 15
    assert all({"kind", "ref"} <= set(labels) <= {"kind", "ref", "owner", "state"} for _, labels in told)


@pytest.mark.parametrize("words, kinds", [(["sysv-shm"], {"sysv-shm"}), (["-q", "-M"], {"sysv-msg", "posix-shm"}),
                                          (["pipe", "fifo"], {"pipe", "fifo"})], ids=str)
def test_kinds(ipcctl, zoo, words, kinds):
    text = metrics(ipcctl, *words)
    named = {labels["kind"] for name in text.families for labels, _ in text.having(name.removeprefix("ipcctl_"))
             if "kind" in labels}
    assert named == kinds and text.families.keys() >= {"ipcctl_deadlocks"}


def test_few_lines(ipcctl, factory):
    """They do not grow with what is there: 1000 of each make as many as 10."""
    def make_to(n):
        for i in range(len(kernel.sysvipc("shm")), n):
            kernel.shmget(0, 1, 0o600)
            kernel.semget(0, 1, 0o600)
            kernel.msgget(0, 0o600)
            with open(f"/dev/shm/{i}", "xb"):
                pass
        text = metrics(ipcctl, "persistent")
        assert text.total("objects", kind="sysv-shm") == text.total("objects", kind="sysv-sem") == n
        assert text.total("objects", kind="sysv-msg") == text.total("objects", kind="posix-shm") == n
        return {(name, labels) for name, family in text.families.items() for labels in family.samples}

    assert make_to(10) == make_to(1000)


# Objects


def test_objects_and_bytes(ipcctl, factory):
    """By kind and state, as the kernel has them."""
    held = [factory("sysv-shm", hold=True, attach=2, size=size)["id"] for size in (1, 5000)]
    left = [factory("sysv-shm", size=size)["id"] for size in (7, 4096, 1 << 20)]
    queue = factory("sysv-msg", messages="1:10,2:25")["id"]
    factory("sysv-sem", nsems=3)
    factory("sysv-sem", nsems=4)
    with open("/dev/shm/file", "wb") as f:
        f.write(b"x" * 10000)
    text = metrics(ipcctl)
    assert {state: text.value("objects", kind="sysv-shm", state=state) for state in STATES} == {
        "in-use": 2, "orphaned": 3, "idle": 0, "stale": 0, "unknown": 0}
    for state, ids in (("in-use", held), ("orphaned", left)):
        assert text.value("memory_bytes", kind="sysv-shm", state=state) == sum(kernel.shm(i)["size"] for i in ids)
    assert text.value("nattch", kind="sysv-shm") == sum(kernel.shm(i)["nattch"] for i in held) == 4
    rows = kernel.sysvipc("shm")
    assert text.value("rss_bytes", kind="sysv-shm") == sum(row["rss"] for row in rows)
    assert text.total("memory_bytes", kind="sysv-msg") == kernel.msg(queue)["bytes"] == 35
    assert text.value("messages", kind="sysv-msg") == kernel.msg(queue)["messages"] == 2
    assert text.total("objects", kind="sysv-sem") == 2 and text.value("nsems", kind="sysv-sem") == 7
    assert text.total("memory_bytes", kind="posix-shm") == os.stat("/dev/shm/file").st_blocks * 512
    assert text.value("size_bytes", kind="posix-shm") == 10000
    assert text.total("objects", kind="posix-mq") == 0 and text.value("curmsgs", kind="posix-mq") == 0


def test_states_as_list_shows_them(ipcctl, zoo):
    for words in ([], ["--prove"]):
        listed = [(o["kind"], o["state"]) for o in ipcctl.json("list", "persistent", *words)["objects"]]
        text = metrics(ipcctl, "persistent", *words)
        got = {(labels["kind"], labels["state"]): int(value) for labels, value in text.having("objects") if value}
        assert got == {pair: listed.count(pair) for pair in listed} and len(got) >= 6


@pytest.mark.parametrize("holders, processes", [("r", 1), ("r+dup+dup", 1), ("r,w,rw", 3), ("r+fork,w", 3)])
def test_holders(ipcctl, factory, holders, processes):
    """Processes, not descriptors."""
    truth = factory("held-file", hold=True, name="/dev/shm/x", size=4096, holders=holders)
    assert len({h["pid"] for h in truth["holdings"]}) == processes
    text = metrics(ipcctl, "posix-shm")
    assert text.value("holders", kind="posix-shm", state="in-use") == processes
    # One that holds two counts at each.
    factory("held-file", hold=True, name="/dev/shm/y", holders="r,r")
    assert metrics(ipcctl, "posix-shm").value("holders", kind="posix-shm", state="in-use") == processes + 2


def test_waiters(ipcctl, factory):
    semaphores = factory("sysv-sem", hold=True, nsems=2, values="1,0", block="1:-1,1:-1,0:0")["id"]
    factory("sysv-msg", hold=True, receivers="5,6")
    factory("posix-mq", hold=True, name="/q", receivers=2)
    assert sum(row["ncount"] + row["zcount"] for row in kernel.sem_each(semaphores)) == 3
    text = metrics(ipcctl)
    for kind, n in (("sysv-sem", 3), ("sysv-msg", 2), ("posix-mq", 2)):
        assert text.value("waiters", kind=kind, state="in-use") == text.total("waiters", kind=kind) == n, kind


@pytest.mark.parametrize("kind", QUEUES)
def test_fullest(ipcctl, factory, network, lookups, tmp_path, kind):  # noqa: F811
    """One half: the fullest of a kind, whatever else there is."""
    assert metrics(ipcctl, kind).having("fullest_ratio", kind=kind) in ([], [({"kind": kind}, 0)])
    QUEUES[kind](factory, tmp_path)
    if kind == "sysv-msg":
        factory("sysv-msg", qbytes=1000, messages="1:100")
    value = metrics(ipcctl, kind).value("fullest_ratio", kind=kind)
    assert value == 0.5 and str(value) == "0.5000"


def test_oldest_orphan(ipcctl, factory):
    """Since its newest time stamp; the younger one does not count, nor does who is in use."""
    assert metrics(ipcctl).having("oldest_orphan_seconds") == []
    factory("sysv-shm", hold=True, attach=1)
    assert metrics(ipcctl).having("oldest_orphan_seconds") == []
    first = kernel.shm(factory("sysv-shm")["id"])["ctime"]
    while time.time() < first + 2.1:  # the kernel's own clock is a tick behind
        time.sleep(0.05)
    second = kernel.shm(factory("sysv-shm")["id"])["ctime"]
    before = int(time.time())
    age = metrics(ipcctl).value("oldest_orphan_seconds", kind="sysv-shm")
    assert second >= first + 2 and before - first <= age <= time.time() - first


# Limits


def test_limits(ipcctl, factory):
    fill_semmni(100, 91)
    factory("sysv-shm", size=50000)
    factory("sysv-msg", messages="1:1024")
    factory("posix-mq", name="/q", maxmsg=4, msgsize=100)
    text = metrics(ipcctl)

    def limit(kind, name, unit=""):
        return tuple(text.value(family + unit, kind=kind, limit=name) for family in ("limit", "limit_used"))

    assert limit("sysv-sem", "semmni") == (100, 91)
    assert text.value("limit_used_ratio", kind="sysv-sem", limit="semmni") * 100 == 91
    assert limit("sysv-sem", "semmns") == (kernel.sysctl("kernel/sem")[1], 91)
    assert limit("sysv-shm", "shmmni") == (kernel.sysctl("kernel/shmmni")[0], 1)
    assert limit("sysv-shm", "shmall") == (kernel.sysctl("kernel/shmall")[0], kernel.shm_info()["shm_tot"])
    assert limit("sysv-shm", "shmmax", "_bytes") == (kernel.sysctl("kernel/shmmax")[0], 50000)
    assert limit("sysv-msg", "msgmnb", "_bytes") == (kernel.sysctl("kernel/msgmnb")[0], 1024)
    assert limit("posix-mq", "queues_max") == (kernel.sysctl("fs/mqueue/queues_max")[0], 1)
    assert limit("posix-mq", "msgsize_max", "_bytes") == (kernel.sysctl("fs/mqueue/msgsize_max")[0], 100)


def test_limits_as_limits_shows_them(ipcctl, factory):
    """All of them, each once, in the family of its unit; what is not known or means nothing is not there."""
    factory("sysv-msg", messages="1:1024")
    rows = ipcctl.json("limits", "sysv-shm", "sysv-sem", "sysv-msg", "posix-shm", "posix-sem", "posix-mq")["limits"]
    text = metrics(ipcctl, "persistent")
    got = {(labels["kind"], labels["limit"], family): value
           for family in ("limit", "limit_bytes", "limit_used", "limit_used_bytes", "limit_used_ratio")
           for labels, value in text.having(family)}
    expected = {}
    for row in rows:
        unit = "_bytes" if row["unit"] == "bytes" else ""
        for name, family in (("value", "limit"), ("used", "limit_used")):
            if row.get(name) is not None:
                expected[row["kind"], row["name"], family + unit] = row[name]
        if row.get("percent") is not None:
            expected[row["kind"], row["name"], "limit_used_ratio"] = row["percent"] / 100
    assert got == expected and len(got) > 30


# Waits


def test_blocked_threads(ipcctl, factory, tmp_path):
    """Three at a semaphore, and the factory at its input; nobody else, while the test waits for its child."""
    def blocked():
        return Exposition(quiet_run(ipcctl, tmp_path, "metrics").out).value("blocked_threads")

    assert blocked() == 0
    truth = factory("sysv-sem", hold=True, nsems=2, values="1,0", block="1:-1,1:-1,1:-1")
    asleep_in(truth["pid"], "pipe_read")
    assert blocked() == 4


def hopeless(text):
    return tuple(int(text.value(name)) for name in ("deadlocks", "likely_deadlocks", "dead_owner_waits"))


@pytest.mark.parametrize("locks, steps, libc, kill, expected", [
    (["mutex", "mutex"], PAIR[:-1], "native", None, (0, 0, 0)),
    (["mutex", "mutex"], PAIR, "native", None, (1, 0, 0)),
    (["flock", "posix"], PAIR, "native", None, (1, 0, 0)),
    (["set", "set"], PAIR, "native", None, (0, 1, 0)),
    (["errorcheck"], ["0:0", "1:0", "2:0"], "musl", 0, (0, 0, 2)),
], ids=["none", "mutexes", "files", "semaphores", "dead"])
def test_deadlocks(ipcctl, make, locks, steps, libc, kill, expected):  # noqa: F811
    make(locks, steps, libc, **({} if kill is None else {"kill": kill}))
    assert hopeless(metrics(ipcctl)) == expected


# What is not known


def test_view(ipcctl):
    text = metrics(ipcctl)
    assert text.value("view_complete") == (0 if kernel.processes_may_hide() else 1)
    assert text.value("unreadable_processes") == 0


@pytest.mark.real_root
def test_unknown_is_not_there(ipcctl, factory):
    """Not 0: waiters of a set that only its owner may ask, holders that cannot be seen, kinds of which none is."""
    factory("sysv-sem", hold=True, nsems=2, values="1,0", block="1:-1")
    factory("eventfd", hold=True, holders="rw")
    factory("held-file", hold=True, name="/dev/shm/x", mode="644", holders="r")
    text = metrics(ipcctl)
    assert text.total("waiters", kind="sysv-sem") == 1 and text.total("objects", kind="eventfd") == 1
    assert text.total("holders", kind="posix-shm") == 1
    text = metrics(ipcctl, drop=become(NOBODY))
    (labels, value), = [(labels, value) for labels, value in text.having("objects", kind="sysv-sem") if value]
    assert value == 1 and text.value("waiters", **labels) is None and text.value("nsems", kind="sysv-sem") == 2
    assert text.value("unread_values", kind="sysv-sem", field="waiters") == 1
    assert text.value("holders", kind="posix-shm", state="unknown") is None
    assert text.value("unread_values", kind="posix-shm", field="nholders") == 1
    assert text.having("objects", kind="eventfd") == []
    assert text.value("view_complete") == 0 and text.value("unreadable_processes") > 3


@pytest.mark.real_root
def test_known_in_part(ipcctl, factory):
    """The sum is of those that are, and it is said of how many they are not."""
    for drop in (None, become(NOBODY), become(NOBODY)):
        factory("sysv-sem", hold=True, nsems=1, values="0", block="0:-1", drop=drop)
    text = metrics(ipcctl, drop=become(NOBODY))
    assert text.total("waiters", kind="sysv-sem") == 2
    assert text.value("unread_values", kind="sysv-sem", field="waiters") == 1


def test_full_device(ipcctl):
    with open("/dev/full", "wb") as full:
        result = ipcctl("metrics", "--quiet", stdout=full, status=1)
    assert len(result.errors) == 1 and "standard output" in result.errors[0]
