# SPDX-License-Identifier: MIT
"""waits: who is blocked in what, who could release it, and what nobody ever will, against what the
factory made its tasks do."""

import contextlib
import os
import re
import subprocess
import time

import expect
import kernel
import pytest
from holdings import starts
from program import Factory, become

FIELDS = ["pid", "tid", "start_time", "command", "user", "call", "operation", "kind", "object", "among",
          "blocked_by", "releasers", "verdict", "cycle"]
MUTEXES = {"mutex", "errorcheck", "recursive", "robust"}
CALLS = {"flock": "flock", "posix": "fcntl", "ofd": "fcntl", "sem": "semop", "set": "semop"}
KINDS = {"flock": "flock", "posix": "record-lock", "ofd": "record-lock", "sem": "sysv-sem", "set": "sysv-sem"}
WHY = {"flock": "holder", "posix": "holder", "ofd": "holder", "sem": "last", "set": "last"}


class Play:
    """Locks and the steps that tasks took (tests/factory/steps.c), worked out once more here."""

    def __init__(self, truth, locks, steps, name, path):
        self.truth, self.locks, self.name, self.path = truth, locks, name, path
        self.steps = [re.fullmatch(r"(\d+)(?:\.(\d+))?:(\d+)([rt]?)", step).groups() for step in steps]
        self.held = {lock: [] for lock in range(len(locks))}  # lock -> (task, mode)
        self.waits = []
        for i, (process, _, lock, mode) in enumerate(self.steps):
            task, held = (truth["pids"][int(process)], truth["steppers"][i]), self.held[int(lock)]
            free = all(mode == others == "r" for _, others in held)
            assert free is not bool(truth["blocked"][i]), f"step {i} did not end as it should"
            if free:
                held.append((task, mode))
            else:
                self.waits.append((task, int(lock)))

    @property
    def tasks(self):
        return {task for task, _ in self.waits}

    def object(self, lock):
        offset, id_ = self.truth["offsets"][lock], self.truth["ids"][lock]
        return {"futex": f"futex:posix-shm:{self.name}+{offset}", "flock": f"flock:{self.path}{lock}",
                "record-lock": f"record-lock:{self.path}:{offset}-{offset + 9}",
                "sysv-sem": f"sysv-sem:{id_}"}[self.kind(lock)]

    def kind(self, lock):
        return KINDS.get(self.locks[lock], "futex")

    def check(self, rows, verdict):
        """The rows are these waits, each with whoever has the lock, and no others."""
        assert {(row["pid"], row["tid"]) for row in rows} == self.tasks and len(rows) == len(self.waits), rows
        rows = {row["tid"]: row for row in rows}
        for (pid, tid), lock in self.waits:
            row, word = rows[tid], self.locks[lock]
            check_task(row, pid, tid)
            assert (row["kind"], row["object"]) == (self.kind(lock), self.object(lock)), row
            assert row["call"] == CALLS.get(word, "futex") and not row.get("among"), row
            if word in ("sem", "set"):
                assert row["operation"] == f"semaphore {self.truth['offsets'][lock]}: -1"
            # Who changed a semaphore last need not be who has to give it.
            guessed = verdict == "deadlock" and any(self.locks[i] in ("sem", "set") for _, i in self.waits)
            assert row["verdict"] == ("likely-deadlock" if guessed else verdict) and ("cycle" in row) == (verdict == "deadlock"), row
            self.check_releaser(row, lock)

    def check_releaser(self, row, lock):
        """All who have the lock, and what becomes of them."""
        by_process = self.locks[lock] in WHY
        got = {r["pid"]: r for r in row["releasers"]}
        assert set(got) == {pid for (pid, _), _ in self.held[lock]} and len(got) == len(row["releasers"]), row
        for (pid, tid), _ in self.held[lock]:
            assert got[pid]["why"] == WHY.get(self.locks[lock], "owner"), row
            # A thread owns a mutex; a lock of a file and a semaphore any thread may release.
            assert got[pid].get("tid") == (None if by_process else tid), row
            assert got[pid]["command"].encode() == kernel.command(pid)
            # Whether a process with other threads waits has more than one answer.
            if not by_process or not any(thread for _, thread, _, _ in self.steps):
                assert got[pid]["waits"] is ((pid, tid) in self.tasks), row
        assert re.match(rf"({'|'.join(map(str, got))}) factory\b", row["blocked_by"]), row


def start_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return int(f.read().rpartition(")")[2].split()[19])


def check_task(row, pid, tid):
    """Who waits, by the task's own files."""
    assert (row["pid"], row["tid"]) == (pid, tid)
    assert row["start_time"] in starts(start_ticks(pid)), row
    assert row["command"].encode() == kernel.command(pid)
    assert row["user"] == expect.user(os.stat(f"/proc/{pid}").st_uid)
    assert [name for name in row if name in FIELDS] == [name for name in FIELDS if name in row], "their order"
    assert set(FIELDS) - set(row) <= {"operation", "among", "blocked_by", "cycle"}, row


def waits(ipcctl, *words, **options):
    document = ipcctl.json("waits", *words, **options)
    assert document["schema"] == 1 and isinstance(document["warnings"], list), document
    return document["waits"]


def of(rows, pids):
    """Those of these processes: the test, its program and the factory wait as well."""
    return [row for row in rows if row["pid"] in pids]


def deadlocks(ipcctl, *words):
    """The document's rows; the status says whether there are any, and the text which."""
    result = ipcctl("waits", "--deadlocks", "--json", *words, status=None)
    rows = result.json()["waits"]
    text = ipcctl("waits", "--deadlocks", "--quiet", *words, status=result.status)
    assert result.status == (1 if rows else 0) and bool(text.out) is bool(rows), (result, text)
    assert all(re.search(rf"\b{row['pid']}\b", text.text) and row["verdict"] != "waiting" for row in rows), text
    return rows


@pytest.fixture
def make(isolated, top, tmp_path):
    """make(locks, steps): a Play, by the factory with this system's C library or with musl."""
    with contextlib.ExitStack() as stack:
        def make(locks, steps, libc="native", name="/steps", path=None, **arguments):
            program = os.path.join(top, os.environ.get("FACTORY", "build/tests/factory"))
            program += "-musl" if libc == "musl" else ""
            if not os.access(program, os.X_OK) and libc == "musl":
                pytest.skip("there is no musl-gcc here")
            path = path or str(tmp_path / "lock")
            truth = Factory(program, stack)("steps", hold=True, locks=",".join(locks), steps=",".join(steps),
                                            name=name, path=path, **arguments)
            if truth["libc"] == "musl" and {"mutex", "rwlock"} & set(locks):
                pytest.skip("musl's plain mutexes do not say who has them")
            return Play(truth, locks, steps, name, path)
        yield make


PAIR = ["0:0", "1:1", "0:1", "1:0"]
CYCLES = [
    ("native", ["mutex", "mutex"], PAIR),
    ("native", ["errorcheck", "recursive"], PAIR),
    ("native", ["robust", "mutex"], PAIR),
    ("musl", ["errorcheck", "recursive"], PAIR),
    ("musl", ["robust", "errorcheck"], PAIR),
    ("native", ["rwlock", "mutex"], PAIR),
    ("native", ["rwlock", "rwlock"], ["0:0", "1:1", "0:1r", "1:0"]),
    ("native", ["flock", "flock", "flock"], ["0:0", "1:1", "2:2", "0:1", "1:2", "2:0"]),
    ("native", ["flock", "flock"], PAIR),
    ("native", ["ofd", "ofd"], PAIR),
    ("native", ["posix", "flock"], PAIR),
    ("native", ["sem", "sem"], PAIR),
    ("native", ["set", "set"], PAIR),
    ("native", ["mutex", "posix"], PAIR),
    ("native", ["mutex", "ofd"], PAIR),
    ("native", ["mutex", "flock", "set", "posix"],
     ["0:0", "1:1", "2:2", "3:3", "0:1", "1:2", "2:3", "3:0"]),
]
IDS = ["-".join([libc, *locks]) for libc, locks, _ in CYCLES]


@pytest.mark.parametrize("libc,locks,steps", CYCLES, ids=IDS)
def test_deadlocks(ipcctl, make, libc, locks, steps):
    """All of them in one cycle; a plain look says the same."""
    play = make(locks, steps, libc)
    if play.kind(0) == "futex" and play.kind(1) == "futex":
        assert len(set(play.truth["bases"])) == len(play.truth["bases"]), "the same address"
    rows = deadlocks(ipcctl)
    play.check(rows, "deadlock")
    assert {row["cycle"] for row in rows} == {1}
    play.check(of(waits(ipcctl), play.truth["pids"]), "deadlock")


@pytest.mark.parametrize("busy", [0, 1], ids=["sleeps", "runs"])
@pytest.mark.parametrize("libc,locks,steps", CYCLES, ids=IDS)
def test_one_step_before(ipcctl, make, libc, locks, steps, busy):
    """One has its lock still and is free to release it."""
    play = make(locks, steps[:-1], libc, busy=busy)
    assert deadlocks(ipcctl) == []
    play.check(of(waits(ipcctl), play.truth["pids"]), "waiting")


TIMED = [
    (["mutex", "mutex"], ["0:0", "1:1", "0:1t", "1:0"]),
    (["mutex", "mutex"], ["0:0", "1:1", "0:1", "1:0t"]),
    (["mutex", "mutex"], ["0:0", "1:1", "0:1t", "1:0t"]),
    (["robust", "flock"], ["0:0", "1:1", "0:1", "1:0t"]),
    (["set", "set"], ["0:0", "1:1", "0:1t", "1:0"]),
    (["sem", "flock"], ["0:0", "1:1", "0:1", "1:0t"]),
]


@pytest.mark.parametrize("locks,steps", TIMED, ids=[f"{'-'.join(t[0])}-{'_'.join(t[1])}" for t in TIMED])
def test_with_a_timeout(ipcctl, make, locks, steps):
    """One who gives up some day: none is in a deadlock, whichever of them it is."""
    play = make(locks, steps)
    assert deadlocks(ipcctl) == []
    play.check(of(waits(ipcctl), play.truth["pids"]), "waiting")


THREADS = [
    # The main thread of process 0 sleeps: it has nothing to do with a mutex of another thread.
    (["mutex", "mutex"], ["0.1:0", "1:1", "0.1:1", "1:0"], True),
    (["mutex", "mutex"], ["0.1:0", "0.2:1", "0.1:1", "0.2:0"], True),
    # Who owns it sleeps, another thread of the same process waits.
    (["mutex", "mutex"], ["0.1:0", "1:1", "0.2:1", "1:0"], False),
    # Any thread can unlock what the process has, and only some of them wait.
    (["flock", "flock"], ["0.1:0", "1:1", "0.1:1", "1:0"], False),
    (["set", "set"], ["0.1:0", "1:1", "0.1:1", "1:0"], False),
    (["flock", "flock"], ["0:0", "1:1", "0:1", "0.1:1", "1:0"], True),
    (["set", "mutex"], ["0:0", "1:1", "0:1", "0.1:1", "1:0"], True),
]


@pytest.mark.parametrize("locks,steps,dead", THREADS, ids=[f"{'-'.join(t[0])}-{'_'.join(t[1])}" for t in THREADS])
def test_threads(ipcctl, make, locks, steps, dead):
    play = make(locks, steps)
    rows = deadlocks(ipcctl)
    if dead:
        play.check(rows, "deadlock")
        assert {row["cycle"] for row in rows} == {1}
    else:
        assert rows == []
        play.check(of(waits(ipcctl), play.truth["pids"]), "waiting")


def test_with_itself(ipcctl, make):
    """A plain mutex locked twice by one thread."""
    play = make(["mutex"], ["0:0", "0:0"])
    play.check(deadlocks(ipcctl), "deadlock")


def test_two_at_a_time(ipcctl, make, tmp_path):
    """Each has its number."""
    first = make(["mutex", "mutex"], PAIR, name="/first")
    second = make(["flock", "flock"], PAIR, path=str(tmp_path / "second"))
    rows = deadlocks(ipcctl)
    numbers = []
    for play in (first, second):
        mine = of(rows, play.truth["pids"])
        play.check(mine, "deadlock")
        assert len({row["cycle"] for row in mine}) == 1
        numbers.append(mine[0]["cycle"])
    assert sorted(numbers) == [1, 2] and len(rows) == 4


def test_kinds(ipcctl, make):
    """Waits for objects of these kinds, and for no others."""
    play = make(["mutex", "posix"], PAIR)
    for kind, lock in (("futex", 0), ("record-lock", 1)):
        assert [row["object"] for row in waits(ipcctl, kind)] == [play.object(lock)]
        # The circle goes through another kind: it is one all the same.
        assert [row["object"] for row in deadlocks(ipcctl, kind)] == [play.object(lock)]
    assert {row["object"] for row in waits(ipcctl, "futex", "record-lock")} == {play.object(0), play.object(1)}
    assert waits(ipcctl, "flock") == deadlocks(ipcctl, "flock") == []


# Owners that are gone


def test_owner_killed(ipcctl, make):
    """glibc leaves its number in the mutex; in a PID namespace it might be somebody's outside."""
    play = make(["mutex"], ["0:0", "1:0", "2:0"], kill=0)
    rows = of(waits(ipcctl), play.truth["pids"])
    assert {row["tid"] for row in rows} == set(play.truth["pids"][1:]) and len(rows) == 2
    hidden = kernel.processes_may_hide()
    for row in rows:
        assert row["object"] == play.object(0) and row["verdict"] == ("waiting" if hidden else "owner-dead")
        assert not row["releasers"] and "cycle" not in row, row
    assert {row["tid"] for row in deadlocks(ipcctl)} == (set() if hidden else set(play.truth["pids"][1:]))


@pytest.mark.parametrize("word", ["errorcheck", "recursive"])
def test_owner_known_to_be_dead(ipcctl, make, word):
    """musl has the kernel mark it, in whatever namespace, and still nobody gets it."""
    play = make([word], ["0:0", "1:0", "2:0"], "musl", kill=0)
    settle(play.truth["pids"][1:])
    rows = deadlocks(ipcctl)
    assert {row["tid"] for row in rows} == set(play.truth["pids"][1:]) and len(rows) == 2
    for row in rows:
        assert row["verdict"] == "owner-dead" and row["object"] == play.object(0)
        assert not row["releasers"] and "cycle" not in row, row


@pytest.mark.parametrize("libc", ["native", "musl"])
def test_owner_of_a_robust_one_killed(ipcctl, make, libc):
    """The next one has it then."""
    play = make(["robust"], ["0:0", "1:0", "2:0"], libc, kill=0)
    pids = set(play.truth["pids"][1:])
    deadline = time.monotonic() + 20
    while len(owners := {pid for pid in pids if not in_call(pid, "futex")}) != 1:
        assert time.monotonic() < deadline
    settle(owners)
    assert deadlocks(ipcctl) == []
    row, = of(waits(ipcctl), pids)
    assert {row["tid"]} == pids - owners and row["verdict"] == "waiting"
    assert [(r["pid"], r["tid"], r["why"], r["waits"]) for r in row["releasers"]] == [
        (pid, pid, "owner", False) for pid in owners]


def state_of(tid):
    """What must not change: the call and its arguments, and how often it was on a processor."""
    with open(f"/proc/{tid}/syscall", encoding="ascii") as call, \
            open(f"/proc/{tid}/schedstat", encoding="ascii") as ran:
        return call.read(), ran.read().split()[2]


def in_call(tid, name):
    """Whether it sleeps in a function of the kernel whose name has this in it."""
    with open(f"/proc/{tid}/wchan", encoding="ascii") as f:
        return name in f.read()


def settle(tids):
    """Until nothing of them moves any more."""
    before = None
    deadline = time.monotonic() + 20
    while (now := [state_of(tid) for tid in tids]) != before:
        assert time.monotonic() < deadline
        before = now
        time.sleep(0.05)


# Plain waits, of every sort


def only(rows):
    assert len(rows) == 1, rows
    return rows[0]


def check_wait(ipcctl, pid, ref, call, releasers, why=None, operation=None):
    """The only wait of a task, by the listing of all kinds and by that of its own."""
    kind = ref.split(":")[0]
    for words in ([], [kind]):
        row = only(of(waits(ipcctl, *words), [pid]))
        check_task(row, pid, pid)
        assert (row["kind"], row["object"], row["call"], row["verdict"]) == (kind, ref, call, "waiting")
        assert not row.get("among") and "cycle" not in row
        if operation:
            assert row["operation"] == operation
        if releasers is not None:
            assert sorted((r["pid"], r["why"], r["waits"]) for r in row["releasers"] or []) == sorted(
                (releaser, why, False) for releaser in releasers), row
            assert ("blocked_by" in row and row["blocked_by"] is not None) == bool(releasers)
            named = re.findall(r"(\d+) factory\b", row.get("blocked_by", ""))
            assert {int(pid) for pid in named} <= releasers and len(named) >= min(len(releasers), 2), row


def others(truth, side=None):
    blocked = truth["blocked"][0]
    return {h["pid"] for h in truth["holdings"] if side in (None, h["side"])} - {blocked}


# thing, its arguments, who holds it, the call, whose processes could release it, and why
DESCRIPTORS = [
    ("pipe", {}, "r+in-read,w", "read", None, "other end"),
    ("pipe", {}, "r+in-read,w,w+fork", "read", None, "other end"),
    ("pipe", {}, "r,w+in-write", "write", None, "other end"),
    ("eventfd", {}, "rw+in-read,rw", "read", None, "shares"),
    ("unix-pair", {"type": "stream"}, "a+in-receive,b", "recv", 1, "other end"),
    ("unix-pair", {"type": "stream"}, "a+in-read,b", "read", 1, "other end"),
    ("inet-pair", {"type": "tcp"}, "a+in-receive,b", "recv", 1, "other end"),
    ("pty", {}, "a,b+in-read", "read", 0, "other end"),
]


@pytest.mark.parametrize("thing,arguments,holders,call,side,why", DESCRIPTORS,
                         ids=[d[0] + "-" + d[2] for d in DESCRIPTORS])
def test_descriptors(ipcctl, factory, thing, arguments, holders, call, side, why):
    truth = factory(thing, hold=True, holders=holders, **arguments)
    ref = {"pipe": lambda: f"pipe:{truth['ino']}", "eventfd": lambda: f"eventfd:{truth['id']}",
           "unix-pair": lambda: f"unix-socket:{truth['a_ino']}", "inet-pair": lambda: f"inet-socket:{truth['a_ino']}",
           "pty": lambda: f"pty:{truth['slave']}"}[thing]()
    releasers = others(truth, side)
    assert releasers
    check_wait(ipcctl, truth["blocked"][0], ref, call, releasers, why)
    assert deadlocks(ipcctl) == []


@pytest.mark.parametrize("thing", ["unix-listener", "inet-listener"])
def test_accept(ipcctl, factory, thing):
    """Anybody may come."""
    arguments = {"name": b"\0waits"} if thing == "unix-listener" else {}
    truth = factory(thing, hold=True, holders="rw+in-accept", **arguments)
    inode = truth["listener_ino" if thing == "unix-listener" else "a_ino"]
    check_wait(ipcctl, truth["blocked"][0], f"{thing.split('-', maxsplit=1)[0]}-socket:{inode}", "accept", None)


@pytest.mark.parametrize("side", ["r", "w"])
def test_open_of_a_fifo(ipcctl, factory, lookups, tmp_path, side):
    """Nobody has the other side."""
    truth = factory("fifo", hold=True, path=str(tmp_path / "f"), openers=side)
    check_wait(ipcctl, truth["openers"][0], f"fifo:{tmp_path}/f", "open", set())


def test_system_v_queues(ipcctl, factory):
    truth = factory("sysv-msg", hold=True, qbytes=100, messages="1:90", receivers="5", senders="50")
    empty = factory("sysv-msg", hold=True, receivers="7")
    receiver, sender = truth["tasks"]
    check_wait(ipcctl, receiver, f"sysv-msg:{truth['id']}", "msgrcv", None, operation="type 5")
    check_wait(ipcctl, sender, f"sysv-msg:{truth['id']}", "msgsnd", None, operation="50 bytes")
    check_wait(ipcctl, empty["tasks"][0], f"sysv-msg:{empty['id']}", "msgrcv", None, operation="type 7")
    assert deadlocks(ipcctl) == []


def test_posix_queues(ipcctl, factory):
    empty = factory("posix-mq", hold=True, name="/empty", receivers=1)
    full = factory("posix-mq", hold=True, name="/full", maxmsg=1, messages="0:1", senders=1)
    check_wait(ipcctl, empty["tasks"][0], "posix-mq:/empty", "mq_receive", None)
    check_wait(ipcctl, full["tasks"][0], "posix-mq:/full", "mq_send", None)


def test_semaphores(ipcctl, factory):
    truth = factory("sysv-sem", hold=True, nsems=4, values="1,0,5,2", block="0:0,1:-1,3:-3")
    texts = ["semaphore 0: 0", "semaphore 1: -1", "semaphore 3: -3"]
    for pid, text in zip(truth["tasks"], texts):
        check_wait(ipcctl, pid, f"sysv-sem:{truth['id']}", "semop", None, operation=text)


def test_who_changed_a_semaphore_last(ipcctl, make, factory):
    """It set it to this value: whoever did so before has no more to do with it."""
    play = make(["set"], ["0:0", "1:0"])
    row = only(waits(ipcctl, "sysv-sem"))
    assert [(r["pid"], r["why"]) for r in row["releasers"]] == [(play.truth["pids"][0], "last")]
    truth = factory("sysv-sem", hold=True, nsems=1, values="0", block="0:-1")
    row = only(of(waits(ipcctl), truth["tasks"]))
    assert [(r["pid"], r["why"]) for r in row["releasers"]] == [(truth["pid"], "last")], "by semctl(2)"


def test_several_at_a_time(ipcctl, factory):
    """poll(2) of two pipes is two records."""
    truth = factory("pipe", hold=True, holders="r+in-poll,w")
    pid = truth["blocked"][0]
    pipes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    own = {int(word[6:-1]) for word in pipes if word.startswith("pipe:[")} - pipes_of(truth["pid"])
    assert len(own) == 2 and truth["ino"] in own
    rows = {row["object"]: row for row in of(waits(ipcctl), [pid])}
    assert set(rows) == {f"pipe:{inode}" for inode in own}
    for ref, row in rows.items():
        check_task(row, pid, pid)
        assert row["call"] == "poll" and row["among"] is True and row["verdict"] == "waiting"
        if ref == f"pipe:{truth['ino']}":
            assert [(r["pid"], r["why"]) for r in row["releasers"]] == [(w, "other end") for w in others(truth)]
    assert deadlocks(ipcctl) == []


def pipes_of(pid):
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return {int(link[6:-1]) for link in links if link.startswith("pipe:[")}


@pytest.mark.parametrize("action,call", [("in-select", "select"), ("in-epoll", "epoll_wait")])
def test_select_and_epoll(ipcctl, factory, action, call):
    truth = factory("pipe", hold=True, holders=f"r+{action},w")
    row = only(of(waits(ipcctl, "pipe"), truth["blocked"]))
    assert (row["call"], row["object"]) == (call, f"pipe:{truth['ino']}")
    assert [r["pid"] for r in row["releasers"]] == sorted(others(truth))


def test_many_who_could(ipcctl, factory):
    """The list has them all, the short text the first and how many more."""
    truth = factory("pipe", hold=True, holders="r+in-read" + ",w" * 9)
    row = only(of(waits(ipcctl), truth["blocked"]))
    assert {r["pid"] for r in row["releasers"]} == others(truth) and len(row["releasers"]) == 9
    found = re.fullmatch(r"((?:\d+ factory(?:, )?)+) and (\d+) more", row["blocked_by"])
    assert found, row["blocked_by"]
    named = {int(pid) for pid in re.findall(r"(\d+) factory", found.group(1))}
    assert named <= others(truth) and len(named) + int(found.group(2)) == 9


def test_a_lock_that_many_share(ipcctl, make):
    """All readers have to go before a writer comes."""
    play = make(["flock"], ["0:0r", "1:0r", "2:0"])
    play.check(waits(ipcctl, "flock"), "waiting")


def test_what_locks_wait_for(ipcctl, make, tmp_path):
    make(["flock"], ["0:0", "1:0", "2:0r"])
    assert sorted(row["operation"] for row in waits(ipcctl, "flock")) == ["read", "write"]
    make(["posix"], ["0:0", "1:0"], path=str(tmp_path / "range"))
    row = only(waits(ipcctl, "record-lock"))
    assert "0-9" in row["operation"] and row["call"] == "fcntl"


# Output


def column(line):
    """Where its text begins, behind blanks and the lines of a tree."""
    return re.search(r"\w", line).start()


def test_tree(ipcctl, make):
    """Who could release, below it what it holds, below that who waits."""
    play = make(["flock"], ["0:0", "1:0", "2:0"])
    holder, *waiters = play.truth["pids"]
    lines = ipcctl("waits", "flock", "--quiet").lines
    top, = [i for i, line in enumerate(lines) if re.search(rf"\b{holder}\b", line)]
    held, = [i for i, line in enumerate(lines) if play.object(0) in line]
    below = [i for pid in waiters for i, line in enumerate(lines) if re.search(rf"\b{pid}\b", line)]
    assert len(below) == 2 and top < held < min(below), lines
    assert column(lines[top]) < column(lines[held]) < column(lines[below[0]]) == column(lines[below[1]]), lines
    assert "factory" in lines[top] and all("factory" in lines[i] for i in below)


def test_tree_of_a_deadlock(ipcctl, make):
    """It has no top, and is shown all the same, once."""
    play = make(["flock", "flock"], PAIR)
    for words in ([], ["--deadlocks"]):
        result = ipcctl("waits", "flock", "--quiet", *words, status=1 if words else 0)
        assert "deadlock" in result.text
        assert all(re.search(rf"\b{pid}\b", result.text) for pid in play.truth["pids"])
        assert all(play.object(lock) in result.text for lock in (0, 1)) and len(result.lines) < 20


def test_rows(ipcctl, make):
    """Raw, JSON Lines and NUL-separated output have the same records."""
    play = make(["flock", "flock"], PAIR)
    rows = waits(ipcctl, "flock", "--sort", "tid")
    names = ["pid", "tid", "call", "kind", "object", "verdict", "cycle"]
    table = ipcctl("waits", "flock", "-r", "-o", ",".join(names), "--sort", "tid", "--quiet").table()
    assert table == [{name: str(row[name]) for name in names} for row in rows]
    lines = ipcctl("waits", "--deadlocks", "--jsonl", "--sort", "tid", status=1).jsonl()
    assert [(row["tid"], row["object"]) for row in lines] == [(row["tid"], row["object"]) for row in rows]
    assert [row["tid"] for row in ipcctl("waits", "flock", "--jsonl", "--sort", "tid").jsonl()] == sorted(
        tid for _, tid in play.tasks)
    raw = ipcctl("waits", "flock", "-0", "-o", "object", "--quiet", clean=False).out
    assert sorted(raw.removesuffix(b"\0").split(b"\0")) == sorted(play.object(lock).encode() for lock in (0, 1))
    headless = ipcctl("waits", "flock", "-H", "-o", "pid", "--quiet").lines
    assert {int(line) for line in headless} == {pid for pid, _ in play.tasks}


def test_all_fields(ipcctl, make):
    make(["flock"], ["0:0", "1:0"])
    row, = ipcctl("waits", "flock", "-r", "-o", "all", "--quiet").table()
    assert [name for name in row if name in FIELDS] == FIELDS
    listed, = waits(ipcctl, "flock", "-o", "verdict,pid")
    assert set(listed) == {"verdict", "pid"}


def test_selection(ipcctl, make):
    play = make(["flock", "mutex"], PAIR)
    pids = play.truth["pids"]
    assert [row["kind"] for row in of(waits(ipcctl, "-f", "call=futex"), pids)] == ["futex"]
    assert of(waits(ipcctl, "-f", "verdict=waiting"), pids) == []
    play.check(waits(ipcctl, "-f", "verdict=deadlock"), "deadlock")
    assert [row["pid"] for row in waits(ipcctl, "flock", "futex", "--sort", "-pid")] == sorted(pids, reverse=True)


@pytest.mark.real_root
def test_user(ipcctl, make, factory):
    """Of whoever waits."""
    play = make(["flock"], ["0:0", "1:0"])
    assert len(of(waits(ipcctl, "--user", "root"), play.truth["pids"])) == 1
    assert of(waits(ipcctl, "--user", "65534"), play.truth["pids"]) == []
    truth = factory("sysv-sem", hold=True, nsems=1, mode="666", values="1", block="0:0", drop=become(65534))
    assert of(waits(ipcctl, "--user", "root"), truth["tasks"]) == []
    assert only(of(waits(ipcctl, "--user", "65534"), truth["tasks"]))["user"] == expect.user(65534)


@pytest.mark.parametrize("name", ["a b", "new\nline", "esc\x1b[31m", "\u202e"])
def test_names(ipcctl, make, tmp_path, name):
    """Nothing unsafe comes out in any format (see program.py), and the reference leads back."""
    play = make(["flock", "flock"], PAIR, path=str(tmp_path / name))
    ipcctl("waits")
    ipcctl("waits", "-r", "--quiet")
    assert len(deadlocks(ipcctl)) == 2
    raw = ipcctl("waits", "flock", "-0", "-o", "object", "--quiet", clean=False).out
    refs = raw.removesuffix(b"\0").split(b"\0")
    assert set(refs) == {os.fsencode(play.object(lock)) for lock in (0, 1)}
    assert {o["ref"] for ref in refs for o in ipcctl.json("describe", ref)["objects"]} == {
        row["object"] for row in waits(ipcctl, "flock")}


def test_nothing(ipcctl):
    result = ipcctl("waits", "--deadlocks", "--quiet")
    assert result.out == b"" and result.err == b""
    document = ipcctl.json("waits", "--deadlocks")
    assert document["waits"] == [] and document["schema"] == 1
    assert document["complete"] is not kernel.processes_may_hide()
    assert ipcctl("waits", "--deadlocks", "--jsonl").out == b""
    assert waits(ipcctl, "flock", "sysv-sem") == []


# Looking


def test_looking_changes_nothing(ipcctl, make, factory, tmp_path):
    """They are in the same call, and none of them was on a processor meanwhile."""
    play = make(["mutex", "flock", "set", "posix"], ["0:0", "1:1", "2:2", "3:3", "0:1", "1:2", "2:3", "3:0"])
    pipe = factory("pipe", hold=True, holders="r+in-read,r+in-epoll,r+in-poll,w")
    fifo = factory("fifo", hold=True, path=str(tmp_path / "f"), openers="r")
    queue = factory("sysv-msg", hold=True, receivers="7")
    posix = factory("posix-mq", hold=True, name="/q", receivers=1)
    tids = [tid for _, tid in play.tasks] + pipe["blocked"] + fifo["openers"] + queue["tasks"] + posix["tasks"]
    settle(tids)
    before = [state_of(tid) for tid in tids]
    for _ in range(3):
        ipcctl("waits")
        ipcctl("waits", "--deadlocks", status=1)
        ipcctl.json("waits", "-o", "all")
    assert [state_of(tid) for tid in tids] == before


# One holds the file lock and the other the semaphore, and they wait for each other in turns, never
# at the same time: between two instants of one look it may seem so.
TURNS = """import ctypes, fcntl, os, sys, time
libc = ctypes.CDLL(None)
semaphore = libc.semget(0, 1, 0o600)
def change(by):
    libc.semop(semaphore, (ctypes.c_short * 3)(0, by, 0), 1)
change(1)
(r1, w1), (r2, w2) = os.pipe(), os.pipe()
if os.fork() == 0:
    f = open(sys.argv[1], "w")
    while True:
        fcntl.flock(f, fcntl.LOCK_EX)
        os.write(w2, b"x"), os.read(r1, 1)
        change(-1)  # which the other releases in a moment
        change(1)
        os.write(w2, b"x"), os.read(r1, 1)
        time.sleep(0.001)
        fcntl.flock(f, fcntl.LOCK_UN)
        os.read(r1, 1)
for _ in range(200):  # so that some time passes from the look at one to that at the other
    if os.fork() == 0:
        time.sleep(999)
if os.fork() == 0:
    f = open(sys.argv[1], "w")
    while True:
        change(-1)
        os.write(w1, b"x"), os.read(r2, 1)
        time.sleep(0.001)
        change(1)
        os.read(r2, 1)
        change(-1)
        os.write(w1, b"x")
        fcntl.flock(f, fcntl.LOCK_EX)  # which the other releases in a moment
        fcntl.flock(f, fcntl.LOCK_UN)
        change(1)
        os.write(w1, b"x")
print("x", flush=True)
os.read(0, 1)
os.killpg(0, 9)
"""


def test_what_only_looks_like_one(ipcctl, tmp_path):
    """It moves while it is looked at, and counts only if it is still so a little later."""
    process = subprocess.Popen(["python3", "-c", TURNS, str(tmp_path / "lock")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, start_new_session=True)
    try:
        process.stdout.readline()
        for _ in range(3 if ipcctl.slow else 40):
            result = ipcctl("waits", "flock", "sysv-sem", "--deadlocks", "--quiet")
            assert result.out == b""
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_a_deadlock_ends(ipcctl, make):
    """One of the two is killed: the other goes on."""
    play = make(["flock", "flock"], PAIR)
    assert len(deadlocks(ipcctl)) == 2
    os.kill(play.truth["pids"][0], 9)
    deadline = time.monotonic() + 20
    while in_call(play.truth["pids"][1], "lock"):
        assert time.monotonic() < deadline
    assert deadlocks(ipcctl) == [] and waits(ipcctl, "flock") == []


@pytest.mark.real_root
def test_beside_another_users(ipcctl, make, factory):
    """What may not be read is not told, and that something is missing is."""
    make(["mutex", "mutex"], PAIR)
    factory("pipe", hold=True, holders="r+in-read,w")
    factory("sysv-sem", hold=True, nsems=1, values="1", block="0:0")
    for words in ([], ["--deadlocks"]):
        document = ipcctl.json("waits", *words, drop=become(65534))
        assert document["complete"] is False and document["unreadable_processes"] > 0
        assert document["warnings"] and not [row for row in document["waits"] if row["verdict"] != "waiting"]
        ipcctl("waits", *words, "--strict", "--json", status=1, drop=become(65534))
        assert not any("error" in line.lower() for line in ipcctl("waits", *words, drop=become(65534)).errors)


# Usage


@pytest.mark.parametrize("words", [["nonsense"], ["pipes"], ["pipe", "nonsense"]], ids=" ".join)
def test_unknown_kinds(ipcctl, words):
    ipcctl.refuses("waits", *words, status=2, words=[words[-1]])


@pytest.mark.parametrize("words", [["--nonsense"], ["-o", "nonsense"], ["-f", "nonsense=1"], ["--sort", "nonsense"],
                                   ["--deadlocks=5"]], ids=" ".join)
def test_bad_usage(ipcctl, words):
    ipcctl.refuses("waits", *words, status=2)


def test_the_manual_has_every_field(ipcctl, top, make):
    """In the order of the program; those of the releasers follow."""
    make(["flock"], ["0:0", "1:0"])
    with open(os.path.join(top, "man", "ipcctl-waits.1"), encoding="utf-8") as f:
        documented = [name for line in re.findall(r"^\.It Li (.+)$", f.read(), re.M) for name in line.split(" , ")]
    row, = ipcctl("waits", "flock", "-r", "-o", "all", "--quiet").table()
    assert documented[:len(row)] == list(row)
    assert documented[len(row):len(row) + 5] == ["pid", "tid", "command", "why", "waits"]
