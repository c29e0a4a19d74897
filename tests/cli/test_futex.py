# SPDX-License-Identifier: MIT
"""Mutexes, condition variables, read-write locks and semaphores in shared memory: who waits, who
owns, and what lies there, against what the factory made and the memory itself."""

import contextlib
import ctypes
import mmap
import os
import platform
import random
import struct
import time

import expect
import kernel
import pytest
from calls import NARROW
from holdings import listed, not_there
from program import Factory, drop_capabilities

MEMORIES = ["posix-shm", "sysv-shm", "memfd", "anon-mapping", "file-mapping"]
MUTEXES = {
    "normal": {}, "recursive": {"recursive": 1}, "errorcheck": {"errorcheck": 1}, "robust": {"robust": 1},
    "inherit": {"inherit": 1}, "robust-recursive": {"robust": 1, "recursive": 1},
    "robust-inherit": {"robust": 1, "inherit": 1},
}
# How many bytes into an object tasks wait.
WORDS = {"glibc": {"mutex": {0}, "semaphore": {0}, "cond": {40, 44, 32, 36}, "rwlock": {8, 12}},
         "musl": {"mutex": {4}, "semaphore": {0}, "cond": {8}, "rwlock": {0}}}
LAYOUTS = {"glibc": ("glibc-64", "glibc-32"), "musl": ("musl-64", "musl-32")}
TYPE_WORDS = {"mutex": "mutex", "sem": "semaphore", "cond": "cond", "rwlock": "rwlock"}


@pytest.fixture(params=["native", "musl"])
def factory(request, isolated, top):
    """The factory with this system's C library, and with musl."""
    path = os.path.join(top, os.environ.get("FACTORY", "build/tests/factory"))
    if request.param == "musl":
        path += "-musl"
        if not os.access(path, os.X_OK):
            pytest.skip("there is no musl-gcc here")
    with contextlib.ExitStack() as stack:
        yield Factory(path, stack)


def semaphore_word(truth, value):
    """glibc keeps the bit that says whether somebody waits below the value, where words are narrow."""
    return value << 1 if NARROW and truth["libc"] == "glibc" else value


def glibc_mutex(lock, owner, kind, last=0):
    """The bytes of one (struct __pthread_mutex_s); last: a word among the pointers at its end."""
    if NARROW:
        return struct.pack("<6I", lock, 0, owner, kind, int(owner != 0), last)
    return struct.pack("<10I", lock, 0, owner, int(owner != 0), kind, 0, last, 0, 0, 0)


def names_owner(truth, attributes):
    """musl's normal mutexes and its locks do not say who has locked them."""
    return truth["libc"] == "glibc" or bool(attributes)


def ref(truth, path=None):
    """The reference as this test knows it from the kernel's numbers."""
    kind = truth["memory"]
    place = {"posix-shm": "/futex", "sysv-shm": truth["id"], "memfd": truth["ino"], "anon-mapping": truth["ino"],
             "file-mapping": path and f"{kernel.mount_device(path)}:{truth['ino']}"}[kind]
    return f"futex:{kind}:{place}+{truth['offset']}"


def make(factory, tmp_path, **arguments):
    if arguments.get("memory") == "file-mapping":
        arguments["name"] = str(tmp_path / "file")
    truth = factory("futex", hold=True, **arguments)
    truth["ref"] = ref(truth, tmp_path / "file" if "name" in arguments else None)
    return truth


def described(ipcctl, truth):
    """By its reference, by the address of a task, and in the listing, if anybody is at it."""
    objects = [ipcctl.describe(truth["ref"])]
    objects += [ipcctl.describe(f"futex:{pid}@{address:x}")
                for pid, address in zip(truth["waiters"], truth["addresses"])]
    if truth["waiters"]:
        objects.append(listed(ipcctl, "futex", "-o", "all")[truth["ref"]])
    return objects


def check_waiters(o, truth, operation=None):
    assert sorted(row["pid"] for row in o.get("waiting") or []) == sorted(truth["waiters"]), o
    assert o["waiters"] == (len(truth["waiters"]) or (None if kernel.processes_may_hide() else 0))
    for row in o.get("waiting") or []:
        address = truth["addresses"][truth["waiters"].index(row["pid"])]
        assert int(row["address"], 16) - address in WORDS[truth["libc"]][o["type"]], row
        assert row["tid"] == row["pid"] and row["command"].encode() == kernel.command(row["pid"])
        assert row["user"] == expect.user(os.stat(f"/proc/{row['pid']}").st_uid)
        assert row["stopped"] == (kernel.process_state(row["pid"]) in "Tt")
        assert operation is None or row["operation"] == operation


def maps(pid, truth):
    """Whether a process has the memory mapped, by its own /proc/PID/maps."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as f:
        return any(line.split()[4] == str(truth["ino"]) for line in f)


def check_holders(o, truth, tasks):
    """Those who wait and own have it mapped, and so do their children; the maker has let go."""
    pids = {row["pid"] for row in o["holders"]}
    assert set(tasks) <= pids, (o, tasks)
    assert all(maps(pid, truth) for pid in pids)
    assert o["nholders"] == len(pids)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("type_", ["mutex", "sem", "cond", "rwlock"])
def test_waiters(ipcctl, factory, tmp_path, memory, type_):
    """Through different addresses they wait for one object."""
    owner = {"owner": "live"} if type_ in ("mutex", "rwlock") else {}
    truth = make(factory, tmp_path, memory=memory, type=type_, waiters=3, **owner)
    assert len(set(truth["addresses"])) > 1 or memory == "sysv-shm"
    for o in described(ipcctl, truth):
        assert (o["kind"], o["ref"]) == ("futex", truth["ref"])
        assert (o["type"], o["confidence"], o["state"]) == (TYPE_WORDS[type_], "certain", "in-use")
        assert o["object"] == truth["ref"][len("futex:"):].rsplit("+", 1)[0] and o["offset"] == truth["offset"]
        check_waiters(o, truth)
        check_holders(o, truth, truth["waiters"])
        assert o["layout"] == LAYOUTS[truth["libc"]][NARROW]
        assert o.get("owner_pid") == (truth.get("owner_pid") if names_owner(truth, {}) else None)
        assert o.get("value") == (0 if type_ == "sem" else None)


@pytest.mark.parametrize("attributes", MUTEXES.values(), ids=MUTEXES.keys())
@pytest.mark.parametrize("waiters", [0, 2])
def test_mutexes(ipcctl, factory, tmp_path, attributes, waiters):
    locks = 3 if "recursive" in attributes else 1
    truth = make(factory, tmp_path, owner="live", waiters=waiters, locks=locks, **attributes)
    for o in described(ipcctl, truth):
        kind = "recursive" if "recursive" in attributes else "error-checking" if "errorcheck" in attributes else "normal"
        assert (o["type"], o["mutex_kind"]) == ("mutex", kind)
        assert o["robust"] == ("robust" in attributes)
        assert o["protocol"] == ("inherit" if "inherit" in attributes else "none")
        assert o.get("count") == (locks if kind == "recursive" else None)
        check_waiters(o, truth, "lock-pi" if "inherit" in attributes else None)
        assert o["locked"] is True
        if not names_owner(truth, attributes):
            assert "owner_pid" not in o and "owner_dead" not in o
            continue
        assert (o["owner_pid"], o["owner_tid"]) == (truth["owner_pid"], truth["owner_pid"])
        assert (o["owner_number"], o["owner_dead"]) == (truth["owner_number"], False)
        assert o["owner_command"].encode() == kernel.command(truth["owner_pid"])
        assert o["state"] == "in-use" and str(truth["owner_pid"]) in o["reason"]
    # Robust ones are in the list of their owner: found though nobody waits. musl puts all others there, too.
    in_list = "robust" in attributes or (truth["libc"] == "musl" and attributes)
    assert (truth["ref"] in listed(ipcctl, "futex")) == bool(waiters or in_list)


@pytest.mark.parametrize("attributes", MUTEXES.values(), ids=MUTEXES.keys())
def test_owner_dies(ipcctl, factory, tmp_path, attributes):
    """A robust one is known to have lost its owner; another may have it out of our sight."""
    truth = make(factory, tmp_path, owner="dead", keep=1, **attributes)
    o = ipcctl.describe(truth["ref"])
    assert not os.path.exists(f"/proc/{truth['owner_pid']}")
    assert "owner_pid" not in o or o["owner_pid"] is None
    if "robust" in attributes:
        assert o["owner_dead"] is True and o["state"] == "in-use" and "next locker" in o["reason"]
    elif truth["libc"] == "musl" and attributes:
        assert o["owner_dead"] is True and o["state"] == "orphaned"
    elif truth["libc"] == "musl":
        assert o["locked"] and "owner_dead" not in o and o["state"] == "unknown"
    elif kernel.processes_may_hide():
        assert (o["owner_dead"], o["state"]) == (None, "unknown")
    else:
        assert (o["owner_dead"], o["state"]) == (True, "orphaned")


def test_waiting_for_the_dead(ipcctl, factory, tmp_path):
    truth = make(factory, tmp_path, owner="dead", waiters=2)
    for o in described(ipcctl, truth):
        check_waiters(o, truth)
        assert o.get("owner_pid") is None
        if not names_owner(truth, {}):
            continue
        assert o["owner_number"] == truth["owner_number"]
        assert o["owner_dead"] is (None if kernel.processes_may_hide() else True)


@pytest.mark.parametrize("attributes", [{}, {"robust": 1}], ids=["normal", "robust"])
def test_owner_in_another_pid_namespace(ipcctl, factory, tmp_path, attributes):
    """Its number there is somebody else's here. (FUTEX_LOCK_PI does not find such an owner itself.)"""
    truth = make(factory, tmp_path, owner="namespace", waiters=1, **attributes)
    assert truth["owner_number"] != truth["owner_pid"] and truth["owner_number"] < 10
    for o in described(ipcctl, truth) if names_owner(truth, attributes) else []:
        assert (o["owner_pid"], o["owner_number"]) == (truth["owner_pid"], truth["owner_number"])
        assert o["owner_dead"] is False


@pytest.mark.parametrize("type_", ["sem", "cond"])
def test_waiters_in_another_pid_namespace(ipcctl, factory, tmp_path, type_):
    truth = make(factory, tmp_path, type=type_, waiters=1, inside=2)
    for o in described(ipcctl, truth):
        check_waiters(o, truth)


def test_rwlock(ipcctl, factory, tmp_path):
    """Readers are counted, and nobody knows who they are; the writer is known."""
    held = make(factory, tmp_path, type="rwlock", readers=3, waiters=2)
    for o in described(ipcctl, held):
        assert (o["type"], o["readers"], o["locked"]) == ("rwlock", 3, True)
        assert "owner_pid" not in o and "3 readers" in o["reason"]
        check_waiters(o, held)
    held["let_go"]()
    written = make(factory, tmp_path, type="rwlock", owner="live", waiters=2, wait="read", offset=256)
    for o in described(ipcctl, written):
        assert (o["readers"], o["locked"]) == (0, True)
        assert o.get("owner_pid") == (written["owner_pid"] if names_owner(written, {}) else None)
        check_waiters(o, written)


@pytest.mark.parametrize("how", ["waitv", "wait2", "wait", "bitset", "timed"])
def test_other_calls(ipcctl, factory, tmp_path, how):
    """Words that are nothing's are shown as they are, however they are waited for."""
    truth = make(factory, tmp_path, type="raw", content=struct.pack("<4I", 0xfeedface, 77, 1, 2), wait=how, waiters=2)
    o = listed(ipcctl, "futex", "-o", "all")[truth["ref"]]
    assert (o["type"], o["word"], o["waiters"]) == ("unknown", "0xfeedface", 2)
    assert "confidence" not in o
    operation = {"bitset": "wait-bitset", "timed": "wait"}.get(how, how)
    assert {row["operation"] for row in o["waiting"]} == {operation}
    assert [int(row["address"], 16) for row in o["waiting"]] == truth["addresses"]
    second = truth["ref"].replace(f"+{truth['offset']}", f"+{truth['offset'] + 4}")
    assert (second in listed(ipcctl, "futex")) == (how == "waitv")


def test_private_waits_are_nobody_elses(ipcctl, factory, tmp_path):
    make(factory, tmp_path, type="raw", content=b"abcd", wait="private", waiters=2)
    assert not listed(ipcctl, "futex")


@pytest.mark.parametrize("how", ["", "timed"])
def test_stopped_and_continued(ipcctl, factory, tmp_path, how):
    """A stopped one has its call still; a wait with a timeout is restarted by another call."""
    arguments = {"type": "raw", "content": b"abcdefgh", "wait": "timed"} if how else {"type": "sem"}
    stopped = make(factory, tmp_path, waiters=1, stop=1, **arguments)
    o = listed(ipcctl, "futex", "-o", "all")[stopped["ref"]]
    assert [row["stopped"] for row in o["waiting"]] == [True] and o["waiters"] == 1
    stopped["let_go"]()
    restarted = make(factory, tmp_path, waiters=1, stop=1, **{"continue": 1}, **arguments)
    o = listed(ipcctl, "futex", "-o", "all")[restarted["ref"]]
    assert [(row["pid"], row["stopped"]) for row in o["waiting"]] == [(restarted["waiters"][0], False)]
    assert o["waiters"] == 1


def test_before_and_after(ipcctl, factory, tmp_path):
    """Nobody waits any more: it is not listed, but described on request."""
    truth = make(factory, tmp_path, type="sem", value=0, waiters=1)
    assert truth["ref"] in listed(ipcctl, "futex")
    truth["let_go"]()
    assert not listed(ipcctl, "futex")
    with open("/dev/shm/futex", "r+b") as f:
        f.seek(truth["offset"])
        f.write(struct.pack("<I", semaphore_word(truth, 5)))
    o = ipcctl.describe(truth["ref"])
    assert o["word"] == f"{semaphore_word(truth, 5):#010x}"
    if truth["libc"] == "musl":  # nothing but its value tells such a semaphore from any other word
        assert o["type"] == "unknown"
    elif ipcctl.musl:  # to which it is as likely a lock that five read
        assert o["confidence"] == "guess"
    else:
        assert (o["type"], o["value"], o["confidence"]) == ("semaphore", 5, "guess")
    assert not o.get("waiting") and o["waiters"] == (None if kernel.processes_may_hide() else 0)


def test_aliases(ipcctl, factory, tmp_path):
    """Each stands for objects of its type."""
    truths = {TYPE_WORDS[type_]: make(factory, tmp_path, type=type_, waiters=1, offset=64 + 256 * i,
                                      **({"owner": "live"} if type_ in ("mutex", "rwlock") else {}))
              for i, type_ in enumerate(TYPE_WORDS)}
    assert len(listed(ipcctl, "futex")) == 4
    for word, type_ in (("mutex", "mutex"), ("cond", "cond"), ("rwlock", "rwlock"), ("unnamed-sem", "semaphore")):
        assert list(listed(ipcctl, word)) == [truths[type_]["ref"]]
        id_ = truths[type_]["ref"][len("futex:"):]
        assert ipcctl.describe(f"{word}:{id_}")["ref"] == truths[type_]["ref"]
        other = truths["cond" if type_ != "cond" else "mutex"]["ref"][len("futex:"):]
        not_there(ipcctl, f"{word}:{other}")
    both = listed(ipcctl, "mutex", "cond")
    assert set(both) == {truths["mutex"]["ref"], truths["cond"]["ref"]}


def test_a_named_semaphore(ipcctl, factory):
    """It is one, too: its memory is the file of its own kind."""
    truth = factory("posix-sem", hold=True, name="/s", value=0, block=2)
    own = next(iter(listed(ipcctl, "posix-sem", "posix-shm")))
    o = listed(ipcctl, "futex", "-o", "all")[f"futex:{own}+0"]
    assert (o["type"], o["value"], o["waiters"]) == ("semaphore", 0, 2)
    assert sorted(row["pid"] for row in o["waiting"]) == sorted(truth["tasks"])
    assert ipcctl.describe(o["ref"])["waiters"] == 2
    ipcctl.refuses("remove", "--quiet", o["ref"], status=1)


def test_width(ipcctl, factory, tmp_path):
    make(factory, tmp_path, waiters=1, owner="live", offset=4096)
    assert all(len(line) <= 80 for line in ipcctl("list", "futex", "--quiet").lines)


# Observing


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return {k: v for k, v in (line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
                if k in ("State", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches", "TracerPid", "SigPnd")}


def syscalls(pids):
    out = []
    for pid in pids:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as f:
            out.append(f.read())
    return out


@pytest.mark.parametrize("type_", ["mutex", "sem", "cond", "rwlock"])
def test_nothing_is_disturbed(ipcctl, factory, tmp_path, type_):
    truth = make(factory, tmp_path, type=type_, waiters=2, **({"owner": "live"} if type_ in ("mutex", "rwlock") else {}))
    os.utime("/dev/shm/futex", (1500000000, 1400000000))
    fd = os.open("/dev/shm/futex", os.O_RDONLY | os.O_NOATIME)
    pids = [*truth["waiters"], *([truth["owner_pid"]] if "owner_pid" in truth else [])]

    def state():
        st = os.stat("/dev/shm/futex")
        return (os.pread(fd, 8192, 0), st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns, st.st_blocks,
                [status(pid) for pid in pids], syscalls(pids))
    before = state()
    for _ in range(3):
        described(ipcctl, truth)
        ipcctl("list", "futex")
    assert state() == before
    os.close(fd)


def test_describing_without_a_process_moves_no_time(ipcctl, factory, tmp_path):
    truth = make(factory, tmp_path, type="sem", value=3)
    truth["let_go"]()
    os.utime("/dev/shm/futex", (1400000000, 1500000000))
    before = os.stat("/dev/shm/futex")
    assert ipcctl.describe(truth["ref"])["word"] == f"{semaphore_word(truth, 3):#010x}"
    after = os.stat("/dev/shm/futex")
    assert (after.st_atime_ns, after.st_mtime_ns, after.st_ctime_ns, after.st_blocks) == (
        before.st_atime_ns, before.st_mtime_ns, before.st_ctime_ns, before.st_blocks)


# Hostile memory


def test_random_memory(ipcctl, factory, tmp_path):
    """Whatever lies there, the waiters are right, and nobody is made an owner who does not have it."""
    source = random.Random(7)
    truths = []
    for i in range(8):
        content = bytes(source.randrange(256) for _ in range(128))
        truths.append(make(factory, tmp_path, type="raw", content=content, at=64, wait="bitset", waiters=1,
                           offset=64 + 256 * i))
    got = listed(ipcctl, "futex", "-o", "all")
    assert sorted(row["pid"] for o in got.values() for row in o["waiting"]) == sorted(
        pid for t in truths for pid in t["waiters"])
    for o in got.values():
        assert o.get("owner_pid") is None or maps(o["owner_pid"], truths[0])


@pytest.mark.parametrize("attributes", [0x80, 0x90, 0xa0], ids=["normal", "robust", "inherit"])
def test_words_that_name_somebody_else(ipcctl, factory, tmp_path, attributes):
    """A mutex that claims to be owned by a process that does not have the memory mapped."""
    somebody = os.getpid()
    lock = 2 if attributes == 0x80 else somebody | 0x80000000
    truth = make(factory, tmp_path, type="raw", keep=1,
                 content=glibc_mutex(lock, somebody, attributes))
    o = ipcctl.describe(truth["ref"])
    if truth["libc"] == "musl":  # what it has mapped is laid out in another way
        assert o["type"] == "unknown" and "owner_number" not in o
        return
    assert (o["type"], o["confidence"], o["owner_number"]) == ("mutex", "guess", somebody)
    assert o.get("owner_pid") is None and o["owner_dead"] in (None, True)


@pytest.mark.parametrize("offset", [0, 4092, 4096, 8188], ids=["start", "page-end", "page", "end"])
@pytest.mark.parametrize("memory", MEMORIES)
def test_at_the_edges(ipcctl, factory, tmp_path, memory, offset):
    """A word at the end of a page, and of the mapping: its neighbours may not be there."""
    truth = make(factory, tmp_path, memory=memory, type="raw", content=b"\1\2\3\4", wait="wait", waiters=1,
                 offset=offset)
    o = listed(ipcctl, "futex", "-o", "all")[truth["ref"]]
    assert (o["type"], o["word"], o["waiters"]) == ("unknown", "0x04030201", 1)
    assert ipcctl.describe(f"futex:{truth['waiters'][0]}@{truth['addresses'][0]:#x}")["ref"] == truth["ref"]


def test_memory_that_vanishes(ipcctl, factory, tmp_path):
    """The file is cut off under a waiter, which sleeps on: the word cannot be read, and is not made up."""
    truth = make(factory, tmp_path, type="sem", waiters=1, offset=4096)
    os.truncate("/dev/shm/futex", 0)
    o = listed(ipcctl, "futex", "-o", "all")[truth["ref"]]
    assert (o["type"], o["word"], o["waiters"]) == (None, None, 1)
    assert [row["pid"] for row in o["waiting"]] == truth["waiters"]


def test_two_segments_of_one_id(ipcctl, factory, tmp_path):
    """Ids of another IPC namespace are other segments'."""
    ours = make(factory, tmp_path, memory="sysv-shm", type="sem", waiters=1)
    theirs = factory("futex", hold=True, memory="sysv-shm", type="sem", waiters=1,
                     drop=lambda: kernel.unshare(kernel.CLONE_NEWIPC))
    assert ours["id"] == theirs["id"]
    got = listed(ipcctl, "futex", "-o", "all")
    assert len(got) == 2
    assert [row["pid"] for row in got[ours["ref"]]["waiting"]] == ours["waiters"]
    other = next(o for o in got.values() if o["ref"] != ours["ref"])
    assert other["ref"] == f"futex:{theirs['waiters'][0]}@{theirs['addresses'][0]:x}"
    assert [row["pid"] for row in other["waiting"]] == theirs["waiters"]
    assert ipcctl.describe(other["ref"])["ref"] == other["ref"]


def test_unlinked(ipcctl, factory, tmp_path):
    truth = make(factory, tmp_path, type="sem", waiters=1)
    os.unlink("/dev/shm/futex")
    with open("/dev/shm/futex", "wb") as f:
        f.truncate(8192)
    o = listed(ipcctl, "futex", "-o", "all")[f"futex:posix-shm:inode={truth['ino']}+{truth['offset']}"]
    assert [row["pid"] for row in o["waiting"]] == truth["waiters"]
    # Another segment has the name by now.
    assert not ipcctl.describe(truth["ref"]).get("waiters")


@pytest.mark.real_root
def test_waits_that_may_not_be_seen(ipcctl, factory, tmp_path):
    """Of processes that may not be read nothing is known: never that nobody waits."""
    truth = make(factory, tmp_path, type="sem", waiters=1)
    os.chmod("/dev/shm/futex", 0o666)
    os.utime("/dev/shm/futex", (2000000000, 1400000000))
    o = ipcctl.describe(truth["ref"], drop=drop_capabilities)
    # musl (up to 1.2.3) marks one that is waited for with -1; glibc, where words are narrow, with the lowest bit.
    assert o["word"] in ("0x00000000", "0xffffffff", "0x80000000", "0x00000001") and o["waiters"] is None and not o.get("waiting")
    document = ipcctl.json("list", "futex", drop=drop_capabilities)
    assert document["objects"] == [] and document["complete"] is False


def waits_in_futex(process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with open(f"/proc/{process.pid}/wchan", encoding="ascii") as f:
            if f.read().startswith("futex"):
                return True
        time.sleep(0.01)
    return False


def test_foreign_program(ipcctl, factory, tmp_path, background, foreign_program):
    """Its call has another number and means something else: nobody says that nobody waits. What it has mapped is
    shown, wherever that lies."""
    truth = make(factory, tmp_path, type="sem", waiters=1, offset=0)
    assert ipcctl.describe(truth["ref"])["waiters"] == 1
    process = background(foreign_program, "/dev/shm/futex")
    assert waits_in_futex(process)
    o = ipcctl.describe(truth["ref"])
    assert o["waiters"] is None and [row["pid"] for row in o["waiting"]] == truth["waiters"]
    with open(f"/proc/{process.pid}/maps", encoding="ascii") as f:
        mapped = next(line.split()[0] for line in f if line.endswith(" /dev/shm/futex\n"))
    assert mapped in [row.get("address") for row in o["holders"] if row["pid"] == process.pid]
    truth["let_go"]()
    document = ipcctl.json("list", "futex")
    assert document["objects"] == [] and document["complete"] is False
    assert any("understood" in str(warning) for warning in document["warnings"])
    assert ipcctl.describe(truth["ref"])["waiters"] is None
    if truth["libc"] == "glibc":
        ipcctl.refuses("remove", "--quiet", truth["ref"], status=1, words=["understood"])


# References


@pytest.mark.parametrize("word", ["futex:", "futex:x", "futex:posix-shm:/futex", "futex:posix-shm:/futex+",
                                  "futex:posix-shm:/futex+x", "futex:1@", "futex:@7f00", "futex:1@g", "futex:0@10",
                                  "futex:99999999999@10", "futex:pipe:1+0", "futex:posix-shm:/none+0",
                                  "futex:posix-shm:/futex+2", "futex:posix-shm:/futex+8192", "futex:1@3",
                                  "futex:posix-shm:/futex+18446744073709551616",
                                  "futex:posix-shm:/futex+18446744073709551612"])
def test_what_is_no_futex(ipcctl, factory, tmp_path, word):
    make(factory, tmp_path, type="sem", keep=1)
    result = ipcctl("describe", word, "--quiet", status=None)
    assert result.status in (1, 2) and result.out == b"" and len(result.errors) >= 1, result


def test_memory_of_ones_own(ipcctl, factory, tmp_path):
    """An address that is not shared is no futex of this kind."""
    word = ctypes.c_uint32(1)
    ipcctl.refuses("describe", "--quiet", f"futex:{os.getpid()}@{ctypes.addressof(word):x}", status=None, words=["share"])


# Create and remove


libc = ctypes.CDLL(None, use_errno=True)


class Mapping:
    """The segment as a process that uses it sees it."""

    def __init__(self, name="/dev/shm/m", size=4096):
        if not os.path.exists(name):
            with open(name, "wb") as f:
                f.truncate(size)
        with open(name, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), size)
        self.anchor = (ctypes.c_char * size).from_buffer(self.map)
        self.address = ctypes.addressof(self.anchor)

    def at(self, offset):
        return ctypes.c_void_p(self.address + offset)

    def close(self):
        del self.anchor
        self.map.close()


@pytest.fixture
def mapping(isolated):
    m = Mapping()
    yield m
    m.close()


@pytest.fixture
def own_libc(ipcctl):
    """Says that the test locks what the program made: with the interpreter's libc."""
    if ipcctl.musl and platform.libc_ver()[0] == "glibc":
        pytest.skip("the interpreter has another libc than the program")


EDEADLK, EBUSY = 35, 16
CREATED = {
    "normal": ([], {"mutex_kind": "normal", "robust": False, "protocol": "none"}),
    "robust": (["--robust"], {"mutex_kind": "normal", "robust": True}),
    "recursive": (["--recursive"], {"mutex_kind": "recursive", "robust": False}),
    "errorcheck": (["--errorcheck", "--robust"], {"mutex_kind": "error-checking", "robust": True}),
    "inherit": (["--priority-inherit"], {"mutex_kind": "normal", "protocol": "inherit"}),
}


@pytest.mark.parametrize("type_, words", [
    *[("mutex", words) for words, _ in CREATED.values()], ("sem", ["--value=3"]), ("cond", []), ("rwlock", [])],
                         ids=[*CREATED, "sem", "cond", "rwlock"])
def test_create_makes_what_the_libc_makes(ipcctl, own_factory, mapping, type_, words):
    asked = [word.removeprefix("--").removeprefix("priority-").partition("=") for word in words]
    own_factory("futex", hold=True, memory="posix-shm", name="/futex", offset=64, type=type_,
                **{name: value or 1 for name, _, value in asked})
    ipcctl("create", "futex", "posix-shm:/m+64", f"--type={type_}", *words)
    with open("/dev/shm/futex", "rb") as f:
        # Behind a condition variable the factory has the mutex that belongs to it.
        assert f.read(128) == bytes(mapping.map[:128])


@pytest.mark.parametrize("words, fields", CREATED.values(), ids=CREATED.keys())
def test_create_mutex(ipcctl, own_libc, mapping, words, fields):
    """The libc takes it for what was asked for."""
    assert ipcctl("create", "futex", "posix-shm:/m+64", "--type=mutex", *words).text == "futex:posix-shm:/m+64\n"
    o = ipcctl.describe("futex:posix-shm:/m+64")
    expect.matches(o, {"type": "mutex", "locked": False, **fields})
    assert libc.pthread_mutex_lock(mapping.at(64)) == 0
    again = libc.pthread_mutex_trylock(mapping.at(64)) if "--recursive" in words else libc.pthread_mutex_lock(
        mapping.at(64)) if "--errorcheck" in words else libc.pthread_mutex_trylock(mapping.at(64))
    assert again == (0 if "--recursive" in words else EDEADLK if "--errorcheck" in words else EBUSY)
    o = ipcctl.describe("futex:posix-shm:/m+64")
    assert (o["locked"], o["owner_pid"], o.get("count")) == (True, os.getpid(), 2 if "--recursive" in words else None)
    before = bytes(mapping.map)
    ipcctl.refuses("remove", "--quiet", "futex:posix-shm:/m+64", status=1, words=[str(os.getpid())])
    assert bytes(mapping.map) == before
    for _ in range(2 if "--recursive" in words else 1):
        assert libc.pthread_mutex_unlock(mapping.at(64)) == 0
    ipcctl("remove", "futex:posix-shm:/m+64")
    assert not any(bytes(mapping.map))


def test_create_semaphore(ipcctl, own_libc, mapping):
    ipcctl("create", "futex", "posix-shm:/m+128", "--type=sem", "--value=3")
    value = ctypes.c_int()
    assert libc.sem_getvalue(mapping.at(128), ctypes.byref(value)) == 0 and value.value == 3
    assert libc.sem_wait(mapping.at(128)) == 0
    assert ipcctl.describe("futex:posix-shm:/m+128")["value"] == 2
    assert bytes(mapping.map[:128]) == bytes(128) and not any(mapping.map[128 + 32:])
    ipcctl("remove", "futex:posix-shm:/m+128")
    assert not any(bytes(mapping.map))


@pytest.mark.parametrize("type_", ["cond", "rwlock"])
def test_create_the_others(ipcctl, own_libc, mapping, type_):
    ipcctl("create", "futex", "posix-shm:/m+0", f"--type={type_}")
    assert ipcctl.describe("futex:posix-shm:/m+0")["type"] == type_
    if type_ == "rwlock":
        assert libc.pthread_rwlock_wrlock(mapping.at(0)) == 0
        assert ipcctl.describe("futex:posix-shm:/m+0")["owner_pid"] == os.getpid()
        ipcctl.refuses("remove", "--quiet", "futex:posix-shm:/m+0", status=1, words=[str(os.getpid())])
        assert libc.pthread_rwlock_unlock(mapping.at(0)) == 0
    else:
        assert libc.pthread_cond_signal(mapping.at(0)) == 0
    ipcctl("remove", "futex:posix-shm:/m+0")
    assert not any(bytes(mapping.map))


def test_create_refuses(ipcctl, mapping):
    place = "posix-shm:/m+64"
    for words in ([], ["--type=x"], ["--type=cond", "--robust"], ["--type=mutex", "--value=1"],
                  ["--type=mutex", "--recursive", "--errorcheck"], ["--type=sem", "--value=2147483648"]):
        ipcctl.refuses("create", "futex", place, *words, status=2)
    for name in ("posix-shm:/m", "posix-shm:/m+", "/m+0", "memfd:1+0", "posix-shm:/m+x"):
        ipcctl.refuses("create", "futex", name, "--type=sem", status=2)
    ipcctl.refuses("create", "futex", f"posix-shm:/m+{2 if NARROW else 4}", "--type=mutex", status=2, words=["multiple"])
    for offset in (4096, 4088, 1 << 40, (1 << 64) - 8):
        ipcctl.refuses("create", "futex", f"posix-shm:/m+{offset}", "--type=mutex", status=1, words=["4096"])
    ipcctl.refuses("create", "futex", "posix-shm:/none+0", "--type=sem", status=1)
    assert os.stat("/dev/shm/m").st_size == 4096 and not any(bytes(mapping.map))
    mapping.map[70] = 1
    ipcctl.refuses("create", "futex", place, "--type=mutex", status=1, words=["--force"])
    assert mapping.map[70] == 1 and sum(bytes(mapping.map)) == 1
    ipcctl("create", "futex", place, "--type=mutex", "--force")
    assert mapping.map[70] == 0 and any(mapping.map[64:88])


def test_create_never_leaves_the_segment(ipcctl, tmp_path):
    """Links and FIFOs are not followed and not waited for."""
    (tmp_path / "target").write_bytes(bytes(4096))
    os.symlink(tmp_path / "target", "/dev/shm/link")
    os.mkfifo("/dev/shm/fifo")
    for name in ("link", "fifo", "../tmp/x", "."):
        ipcctl.refuses("create", "futex", f"posix-shm:/{name}+0", "--type=sem", "--value=1", status=None)
    assert not any((tmp_path / "target").read_bytes())


@pytest.mark.parametrize("type_", ["mutex", "sem", "cond", "rwlock"])
def test_remove_spares_what_is_waited_for(ipcctl, factory, tmp_path, type_):
    truth = make(factory, tmp_path, type=type_, waiters=2, **({"owner": "live"} if type_ in ("mutex", "rwlock") else {}))
    with open("/dev/shm/futex", "rb") as f:
        before = f.read()
    ipcctl.refuses("remove", "--quiet", truth["ref"], status=1, words=["2 tasks wait"])
    with open("/dev/shm/futex", "rb") as f:
        assert f.read() == before
    truth["let_go"]()


def test_remove_spares_another_word_among_its_bytes(ipcctl, factory, tmp_path):
    """Bytes that read as an unlocked mutex need not be one: somebody waits in the middle."""
    truth = make(factory, tmp_path, type="raw", content=glibc_mutex(0, 0, 0x80, 5), at=20 if NARROW else 24, wait="wait",
                 waiters=1)
    if truth["libc"] == "musl":
        assert ipcctl.describe(truth["ref"])["type"] == "unknown"
        return
    assert ipcctl.describe(truth["ref"])["type"] == "mutex"
    with open("/dev/shm/futex", "rb") as f:
        before = f.read()
    ipcctl.refuses("remove", "--quiet", truth["ref"], status=1, words=["another futex"])
    with open("/dev/shm/futex", "rb") as f:
        assert f.read() == before


@pytest.mark.parametrize("memory", ["memfd", "anon-mapping", "sysv-shm"])
def test_remove_only_in_files(ipcctl, factory, tmp_path, memory):
    truth = make(factory, tmp_path, memory=memory, type="sem", waiters=1)
    ipcctl.refuses("remove", "--quiet", truth["ref"], status=1, words=["/dev/shm"])


def test_remove_after_its_owner_died(ipcctl, factory, tmp_path):
    """A robust one that nobody owns or waits for goes; of another it cannot be told."""
    truth = make(factory, tmp_path, owner="dead", robust=1, keep=1)
    ipcctl("remove", truth["ref"])
    with open("/dev/shm/futex", "rb") as f:
        assert not any(f.read())
    truth = make(factory, tmp_path, owner="dead", keep=1, offset=256)
    if truth["libc"] == "musl":
        ipcctl.refuses("remove", "--quiet", truth["ref"], status=1, words=["does not say by whom"])
    elif kernel.processes_may_hide():
        ipcctl.refuses("remove", "--quiet", truth["ref"], status=1, words=["cannot be told"])


@pytest.mark.real_root
def test_remove_when_it_cannot_know(ipcctl, factory, tmp_path, background):
    """Somebody may wait whom we may not ask."""
    mapping = Mapping("/dev/shm/theirs")
    os.chmod("/dev/shm/theirs", 0o666)
    # Nothing marks a semaphore of musl's.
    ipcctl("create", "futex", "posix-shm:/theirs+0", *(["--type=mutex"] if ipcctl.musl else ["--type=sem", "--value=1"]))
    os.utime("/dev/shm/theirs", (2000000000, 1400000000))
    before = bytes(mapping.map)
    ipcctl.refuses("remove", "--quiet", "futex:posix-shm:/theirs+0", status=1, drop=drop_capabilities, words=["could be asked"])
    assert bytes(mapping.map) == before
    mapping.close()
