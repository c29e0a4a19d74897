# SPDX-License-Identifier: MIT
"""Tasks that wait for an object: those that the factory blocked, and no others."""

import ctypes
import json
import os
import subprocess
import time

import kernel
import pytest
from holdings import views
from program import ENVIRONMENT, become

CALLS = {"in-read": "read", "in-write": "write", "in-receive": "recv", "in-accept": "accept", "in-poll": "poll",
         "in-select": "select", "in-epoll": "epoll_wait"}


def ref_of(thing, truth, tmp_path):
    side = truth.get("a_ino")
    return {"pipe": lambda: f"pipe:{truth['ino']}", "fifo": lambda: f"fifo:{tmp_path}/f",
            "eventfd": lambda: f"eventfd:{truth['id']}", "unix-pair": lambda: f"unix-socket:{side}",
            "inet-pair": lambda: f"inet-socket:{side}", "pty": lambda: f"pty:{truth['slave']}",
            "unix-listener": lambda: f"unix-socket:{truth['listener_ino']}",
            "inet-listener": lambda: f"inet-socket:{side}"}[thing]()


# thing, its arguments, who holds it and how those end up
BLOCKED = [
    ("pipe", {}, "r+{},w", ["in-read", "in-poll", "in-select", "in-epoll"]),
    ("pipe", {}, "r,w+{}", ["in-write"]),
    ("fifo", {"path": "f"}, "rw+{}", ["in-read", "in-poll", "in-select", "in-epoll"]),
    ("eventfd", {}, "rw+{},rw", ["in-read", "in-poll", "in-select", "in-epoll"]),
    ("unix-pair", {"type": "stream"}, "a+{},b", ["in-read", "in-receive", "in-write", "in-poll", "in-select", "in-epoll"]),
    ("inet-pair", {"type": "tcp"}, "a+{},b", ["in-read", "in-receive", "in-poll", "in-select", "in-epoll"]),
    ("unix-listener", {"name": b"\0waiting", "type": "stream"}, "rw+{}", ["in-accept", "in-poll"]),
    ("inet-listener", {"type": "tcp"}, "rw+{}", ["in-accept", "in-poll"]),
    ("pty", {}, "a,b+{}", ["in-read", "in-poll"]),
    ("pty", {}, "b+a+{}", ["in-read", "in-poll"]),
]
CASES = [pytest.param(thing, arguments, holders.format(call), call, id=f"{thing}-{holders.format(call)}")
         for thing, arguments, holders, calls in BLOCKED for call in calls]


@pytest.mark.parametrize("thing,arguments,holders,call", CASES)
def test_descriptors(ipcctl, factory, request, tmp_path, thing, arguments, holders, call):
    if "path" in arguments:
        request.getfixturevalue("lookups")
        arguments = {"path": str(tmp_path / arguments["path"])}
    truth = factory(thing, hold=True, holders=holders, **arguments)
    assert len(truth["blocked"]) == 1
    for o in views(ipcctl, ref_of(thing, truth, tmp_path)):
        assert o["waiters"] == 1
        row = o["waiting"][0]
        assert row["pid"] == row["tid"] == truth["blocked"][0] and row["call"] == CALLS[call]
        assert row["command"] == "factory" and row["user"] == "root"
        assert row["fd"] in {h["fd"] for h in truth["holdings"] if h["pid"] == row["pid"]}


@pytest.mark.parametrize("thing", ["sysv-sem", "pipe", "flock"])
def test_list_alone(ipcctl, factory, tmp_path, thing):
    """Who waits is told in full, though nothing else is asked for."""
    if thing == "sysv-sem":
        ref = f"sysv-sem:{factory('sysv-sem', hold=True, nsems=1, values='0', block='0:-1')['id']}"
    elif thing == "pipe":
        ref = f"pipe:{factory('pipe', hold=True, holders='r+in-read,w')['ino']}"
    else:
        ref = f"flock:{tmp_path}/l"
        factory("lock", hold=True, name=f"{tmp_path}/l", type="flock", lock="write", holders="rw", waiters="write")
    alone, whole = ipcctl.describe(ref, "-o", "waiting")["waiting"], ipcctl.describe(ref)["waiting"]
    assert alone == whole and [row["user"] for row in alone] == ["root"]


def test_several_at_a_time(ipcctl, factory):
    truth = factory("pipe", hold=True, holders="r+in-read,r+in-poll,r+in-epoll,w,r")
    o = ipcctl.describe(f"pipe:{truth['ino']}")
    assert o["waiters"] == 3
    assert [row["pid"] for row in o["waiting"]] == sorted(truth["blocked"])
    assert {row["call"] for row in o["waiting"]} == {"read", "poll", "epoll_wait"}


def test_a_number_that_means_another_file(ipcctl, factory):
    """The epoll instance still has the first file, under a number that was given away."""
    truth = factory("pipe", hold=True, holders="r+in-stale-epoll,w")
    o = ipcctl.describe(f"pipe:{truth['ino']}")
    assert not o["waiting"], "it waits for it, but nothing tells; nor does it for the other"


def test_none_is_unknown_here(ipcctl, factory):
    """In a PID namespace somebody outside may wait."""
    truth = factory("pipe", hold=True, holders="r,w")
    for o in views(ipcctl, f"pipe:{truth['ino']}"):
        assert o["waiters"] is None and o["waiting"] is None
    assert "waiters" not in ipcctl.json("list", "pipe")["objects"][0]


def test_semaphores(ipcctl, factory):
    truth = factory("sysv-sem", hold=True, nsems=3, values="1,0,5", block="0:0,1:-1,1:-2")
    for o in views(ipcctl, f"sysv-sem:{truth['id']}"):
        ncount = sum(kernel.call("semctl", truth["id"], i, command) for i in range(3)
                     for command in (kernel.GETNCNT, kernel.GETZCNT))
        assert o["waiters"] == ncount == len(o["waiting"]) == 3
        got = {row["pid"]: row["operation"] for row in o["waiting"]}
        assert got == dict(zip(truth["tasks"], ["semaphore 0: 0", "semaphore 1: -1", "semaphore 1: -2"]))
        assert {row["call"] for row in o["waiting"]} == {"semop"}


def test_nobody_waits_for_a_semaphore(ipcctl, factory):
    """That the kernel itself knows."""
    truth = factory("sysv-sem", hold=True, nsems=1, values="1")
    for o in views(ipcctl, f"sysv-sem:{truth['id']}"):
        assert o["waiters"] == 0 and o["waiting"] == []


def test_semaphores_of_another_namespace(ipcctl, factory, background):
    """An id means another set there."""
    truth = factory("sysv-sem", nsems=1, values="0")
    script = ("import ctypes,os\nlibc = ctypes.CDLL(None)\nlibc.unshare(0x08000000)\n"
              "sets = [libc.semget(0, 1, 0o600) for _ in range(2)]\nprint(sets, flush=True)\n"
              "op = (ctypes.c_short * 3)(0, -1, 0)\nif os.fork() == 0:\n  libc.semop(sets[0], op, 1)\nlibc.semop(sets[1], op, 1)")
    process = background("python3", "-c", script, stdout=subprocess.PIPE)
    ids = eval(process.stdout.readline())  # pylint: disable=eval-used
    assert truth["id"] in ids, "the ids of a new namespace begin anew"
    while open(f"/proc/{process.pid}/wchan", encoding="ascii").read() in ("0", ""):
        assert process.poll() is None
    o = ipcctl.describe(f"sysv-sem:{truth['id']}")
    assert o["waiters"] == 0 and o["waiting"] == []


def test_queues(ipcctl, factory):
    truth = factory("sysv-msg", hold=True, qbytes=100, messages="1:90", receivers="5,7", senders="50")
    for o in views(ipcctl, f"sysv-msg:{truth['id']}"):
        assert o["waiters"] == 3
        got = {(row["pid"], row["call"], row["operation"]) for row in o["waiting"]}
        first, second, third = truth["tasks"]
        assert got == {(first, "msgrcv", "type 5"), (second, "msgrcv", "type 7"), (third, "msgsnd", "50 bytes")}


def test_posix_queues(ipcctl, factory):
    truth = factory("posix-mq", hold=True, name="/q", receivers=2)
    for o in views(ipcctl, "posix-mq:/q"):
        assert o["waiters"] == 2
        assert {row["pid"] for row in o["waiting"]} == set(truth["tasks"])
        assert {row["call"] for row in o["waiting"]} == {"mq_receive"}


def read_syscall(pid):
    try:
        with open(f"/proc/{pid}/syscall", "rb") as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""  # it is gone; a zombie refuses everybody but root


def test_posix_sem(ipcctl, factory):
    """Its memory counts whoever was killed, too; the tasks tell who really waits."""
    truth = factory("posix-sem", hold=True, name="/s", value=0, block=3)
    for o in views(ipcctl, "posix-sem:/s"):
        assert (o["waiters"], o["unseen_waiters"]) == (3, 0)
        assert {row["pid"] for row in o["waiting"]} == set(truth["tasks"])
        assert {row["call"] for row in o["waiting"]} == {"futex"}
    killed, *others = truth["tasks"]
    os.kill(killed, 9)
    deadline = time.monotonic() + 20
    while read_syscall(killed).partition(b" ")[0] not in (b"", b"-1"):
        assert time.monotonic() < deadline
    for o in views(ipcctl, "posix-sem:/s"):
        assert (o["waiters"], o["unseen_waiters"]) == (3, 1)
        assert {row["pid"] for row in o["waiting"]} == set(others)
    rows = [row for row in ipcctl.json("waits")["waits"] if row["pid"] in truth["tasks"]]
    assert {row["pid"] for row in rows} == set(others) and len(rows) == 2
    assert {(row["kind"], row["object"]) for row in rows} == {("posix-sem", "posix-sem:/s")}
    factory("posix-sem", name="/idle", value=1)
    o = ipcctl.describe("posix-sem:/idle")
    assert (o["waiters"], o["unseen_waiters"], o["waiting"]) == (0, 0, [])


def test_counts_of_the_kernel(ipcctl, factory):
    """The kernel counts all who wait for a set; those of another PID namespace are no tasks in sight."""
    truth = factory("sysv-sem", hold=True, nsems=2, values="1,0", block="0:0,1:-1")
    o = ipcctl.describe(f"sysv-sem:{truth['id']}")
    assert (o["waiters"], o["unseen_waiters"], len(o["waiting"])) == (2, 0, 2)
    inside = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc",
                             *ipcctl.command("describe", f"sysv-sem:{truth['id']}", "--json")],
                            capture_output=True, check=True, env=ENVIRONMENT)
    o, = json.loads(inside.stdout)["objects"]
    assert (o["waiters"], o["unseen_waiters"]) == (2, 2) and not o["waiting"]


def test_threads(ipcctl, factory, background):
    """Each thread that waits is told, and who runs is not."""
    script = ("import os,threading,time\nr, w = os.pipe()\nprint(os.fstat(r).st_ino, flush=True)\n"
              "for _ in range(5):\n  threading.Thread(target=os.read, args=(r, 1), daemon=True).start()\n"
              "time.sleep(99)")
    process = background("python3", "-c", script, stdout=subprocess.PIPE)
    inode = int(process.stdout.readline())
    deadline = 200
    while ipcctl.describe(f"pipe:{inode}")["waiters"] != 5:
        deadline -= 1
        assert deadline
    rows = ipcctl.describe(f"pipe:{inode}")["waiting"]
    assert {row["pid"] for row in rows} == {process.pid}
    assert {row["tid"] for row in rows} == {int(t) for t in os.listdir(f"/proc/{process.pid}/task")} - {process.pid}


@pytest.mark.real_root
def test_refused(ipcctl, factory):
    """What may not be read is not taken for nobody."""
    truth = factory("sysv-msg", hold=True, mode="666", receivers="5")
    o = ipcctl.describe(f"sysv-msg:{truth['id']}", drop=become(65534))
    assert o["waiters"] is None and not o["waiting"]


def test_it_goes_on_waiting(ipcctl, factory):
    """Nobody is woken: the same calls, the same counters."""
    truth = factory("pipe", hold=True, holders="r+in-read,r+in-epoll,r+in-poll,w")
    semaphores = factory("sysv-sem", hold=True, nsems=1, values="1", block="0:0")

    def look():
        out = []
        for pid in truth["blocked"] + semaphores["tasks"]:
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
                out.append([line for line in f if line.startswith(("voluntary_ctxt", "State"))])
        return out

    before = look()
    for _ in range(5):
        ipcctl.describe(f"pipe:{truth['ino']}")
        ipcctl.describe(f"sysv-sem:{semaphores['id']}")
    assert look() == before


def test_memory_that_lies(ipcctl, factory, background):
    """A call whose arguments point nowhere by now: it waits for something, and nothing is made up."""
    truth = factory("pipe", hold=True, holders="r,w")
    script = ("import ctypes,mmap,threading,time,os\nlibc = ctypes.CDLL(None)\n"
              "libc.mmap.restype = ctypes.c_void_p\n"
              "p = libc.mmap(None, 4096, 3, 0x22, -1, 0)\nctypes.memset(p, 0xff, 4096)\n"
              "threading.Thread(target=lambda: libc.poll(ctypes.c_void_p(p), 512, -1), daemon=True).start()\n"
              "time.sleep(0.3)\nlibc.munmap(ctypes.c_void_p(p), 4096)\nprint('x', flush=True)\ntime.sleep(99)")
    process = background("python3", "-c", script, stdout=subprocess.PIPE)
    process.stdout.readline()
    o = ipcctl.describe(f"pipe:{truth['ino']}")
    assert o["waiters"] is None and not o["waiting"]
    assert ctypes.sizeof(ctypes.c_void_p) in (4, 8)
