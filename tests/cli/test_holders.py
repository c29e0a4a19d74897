# SPDX-License-Identifier: MIT
"""Who holds what: exactly the processes, descriptors, addresses and rights that the factory made."""

import contextlib
import os
import subprocess
import threading
import time

import expect
import kernel
import pytest
from holdings import check, expected_rows, only
from program import become, drop_capabilities

FILE_ROLES = {"fd": ["open"] * 4, "mapping": "mapped"}
QUEUE_ROLES = {"fd": [None, "receiver", "sender", "both"], "mapping": "mapped"}
SEGMENT_ROLES = {"mapping": "attached"}


FILE_HOLDERS = {
    "read": "r", "write": "w", "read-write": "rw", "path": "path",
    "mapped-read": "map-r", "mapped-write": "map-w", "mapped-both": "map-rw", "mapped-none": "map-none",
    "mapped-private": "map-private",
    "descriptor-and-mapping": "rw+map-rw", "second-page": "map-second-page+map-r",
    "closed-again": "rw+dup+close",
    "copies": "r+dup+dup+w+dup",
    "child": "r+map-r+fork", "children": "rw+fork+fork+map-rw", "grown-after-fork": "r+fork+w",
    "two-processes": "rw,rw", "many-ways": "r,w,map-r,map-rw+map-rw,rw+fork",
    "stopped": "rw+map-r+stop",
    "leader-gone": "rw+map-rw+leave",
    "own-table": "thread", "own-table-beside": "rw+thread", "own-tables": "thread+thread",
    "own-table-leader-gone": "rw+map-r+thread+leave",
}


@pytest.mark.parametrize("holders", FILE_HOLDERS.values(), ids=FILE_HOLDERS.keys())
@pytest.mark.parametrize("unlink", [0, 1], ids=["named", "unlinked"])
def test_segment(ipcctl, factory, holders, unlink):
    truth = factory("held-file", name="/dev/shm/x", hold=True, size=10000, holders=holders, unlink=unlink)
    o = only(ipcctl.json("list", "posix-shm"))
    check(o, truth, FILE_ROLES)
    ref = f"posix-shm:inode={truth['ino']}" if unlink else "posix-shm:/x"
    assert (o["ref"], o["inode"], o["deleted"]) == (ref, truth["ino"], bool(unlink))
    if unlink and not kernel.map_files_open() and all(h["fd"] < 0 for h in truth["holdings"]):
        # Only the line of the mapping speaks of it.
        assert o["size"] is o["links"] is o["allocated"] is None
        return
    assert (o["size"], o["links"]) == (10000, 1 - unlink)
    # What an unlinked file goes on to cost.
    assert o["allocated"] == truth["allocated"] > 0
    described = ipcctl.describe(ref)
    assert described["ref"] == ref
    check(described, truth, FILE_ROLES)


def test_unlinked_and_let_go_is_gone(ipcctl, factory):
    truth = factory("held-file", name="/dev/shm/x", hold=True, holders="map-rw", unlink=1)
    ref = f"posix-shm:inode={truth['ino']}"
    assert ipcctl.describe(ref)["deleted"] is True
    truth["let_go"]()
    assert ipcctl.json("list", "posix-shm")["objects"] == []
    assert len([line for line in ipcctl("describe", ref, "--quiet", status=1).errors if ref in line]) == 1


def test_same_name_twice(ipcctl, factory):
    """The unlinked file and the one that took its name: each has its own holders."""
    old = factory("held-file", name="/dev/shm/x", hold=True, size=4096, holders="rw,map-r", unlink=1)
    new = factory("held-file", name="/dev/shm/x", hold=True, size=8192, holders="w")
    got = {o["ref"]: o for o in ipcctl.json("list", "posix-shm")["objects"]}
    assert got.keys() == {"posix-shm:/x", f"posix-shm:inode={old['ino']}"}
    check(got["posix-shm:/x"], new, FILE_ROLES)
    check(got[f"posix-shm:inode={old['ino']}"], old, FILE_ROLES)


def test_names_that_look_deleted(ipcctl, factory):
    """A file may be called `x (deleted)`; being linked decides."""
    there = factory("held-file", name="/dev/shm/x (deleted)", hold=True, holders="rw,map-r")
    gone = factory("held-file", name="/dev/shm/y (deleted)", hold=True, holders="rw,map-r", unlink=1)
    got = {o["ref"]: o for o in ipcctl.json("list", "posix-shm")["objects"]}
    assert got.keys() == {"posix-shm:/x (deleted)", f"posix-shm:inode={gone['ino']}"}
    assert got["posix-shm:/x (deleted)"]["deleted"] is False
    check(got["posix-shm:/x (deleted)"], there, FILE_ROLES)
    check(got[f"posix-shm:inode={gone['ino']}"], gone, FILE_ROLES)


@pytest.mark.parametrize("name", ["a b", "new\nline", "back\\slash", "\\012", "ünï", "t\tab", "-x", "\x1b[31m"])
@pytest.mark.parametrize("unlink", [0, 1], ids=["named", "unlinked"])
def test_hostile_names(ipcctl, factory, name, unlink):
    truth = factory("held-file", name=os.fsencode("/dev/shm/" + name), hold=True, holders="rw,map-rw", unlink=unlink)
    check(only(ipcctl.json("list", "posix-shm")), truth, FILE_ROLES)


def test_paths_too_long_for_a_link(ipcctl, factory):
    """readlink(2) of such a descriptor fails with ENAMETOOLONG; its holder is found all the same."""
    home = os.open("/dev/shm", os.O_PATH | os.O_DIRECTORY)
    deep = home
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: os.close(home))
        for _ in range(22):
            os.mkdir("d" * 200, dir_fd=deep)
            deep = os.open("d" * 200, os.O_PATH | os.O_DIRECTORY, dir_fd=deep)
            stack.callback(os.close, deep)
        truth = factory("held-file", name="x", hold=True, holders="rw,map-r", unlink=1,
                        drop=lambda: os.fchdir(deep))
        got = [o for o in ipcctl.json("list", "posix-shm")["objects"] if o["type"] == "regular"]
        assert len(got) == 1
        check(got[0], truth, FILE_ROLES)


def test_another_files_holders_are_not_this_ones(ipcctl, factory):
    """Hard links share their holders; other files, also of other file systems with the same number, do not."""
    factory("file", name="/dev/shm/idle")
    truth = factory("held-file", name="/dev/shm/x", hold=True, holders="rw,map-r")
    os.link("/dev/shm/x", "/dev/shm/y")
    got = {o["ref"]: o for o in ipcctl.json("list", "posix-shm")["objects"]}
    check(got["posix-shm:/x"], truth, FILE_ROLES)
    check(got["posix-shm:/y"], truth, FILE_ROLES)
    assert not got["posix-shm:/idle"].get("holders") and got["posix-shm:/idle"]["state"] != "in-use"


def test_the_other_dev_shm(ipcctl, factory):
    """A /dev/shm that lies under this one, or in another mount namespace, has other files of the same names."""
    kernel.mount("tmpfs", "/dev/shm", "tmpfs")
    try:
        factory("held-file", name="/dev/shm/x", hold=True, holders="rw,map-r")
    finally:
        kernel.unmount("/dev/shm")
    factory("file", name="/dev/shm/x")
    o = only(ipcctl.json("list", "posix-shm"))
    assert not o.get("holders") and not o["nholders"] and o["state"] != "in-use"


@pytest.mark.parametrize("unlink", [0, 1], ids=["named", "unlinked"])
@pytest.mark.parametrize("holders", ["semaphore", "semaphore,semaphore", "semaphore+fork", "semaphore+stop",
                                     "semaphore+leave"])
def test_semaphore(ipcctl, factory, holders, unlink):
    truth = factory("held-posix-sem", name="/s", hold=True, value=3, holders=holders, unlink=unlink)
    o = only(ipcctl.json("list", "posix-sem"))
    check(o, truth, FILE_ROLES)
    assert o["deleted"] is bool(unlink)
    assert o["ref"] == (f"posix-sem:inode={o['inode']}" if unlink else "posix-sem:/s")
    check(ipcctl.describe(o["ref"]), truth, FILE_ROLES)
    # It is no segment besides.
    assert ipcctl.json("list", "posix-shm")["objects"] == []


@pytest.mark.parametrize("unlink", [0, 1], ids=["named", "unlinked"])
@pytest.mark.parametrize("holders", ["r", "w", "rw", "r,w,rw", "r+w+dup", "rw+fork", "thread", "r+leave", "w+stop"])
def test_queue(ipcctl, factory, holders, unlink):
    truth = factory("held-posix-mq", name="/q", hold=True, holders=holders, unlink=unlink)
    o = only(ipcctl.json("list", "posix-mq"))
    check(o, truth, QUEUE_ROLES)
    assert o["deleted"] is bool(unlink)
    assert o["ref"] == (f"posix-mq:inode={truth['ino']}" if unlink else "posix-mq:/q")
    assert o["inode"] == truth["ino"]
    check(ipcctl.describe(o["ref"]), truth, QUEUE_ROLES)


def test_queue_with_a_mount(ipcctl, factory, mqueue_mounted):
    truth = factory("held-posix-mq", name="/q", hold=True, holders="r,w")
    check(only(ipcctl.json("list", "posix-mq")), truth, QUEUE_ROLES)


SEGMENT_HOLDERS = {
    "once": "attach", "thrice": "attach+attach+attach", "read-only": "attach-r", "both": "attach+attach-r",
    "processes": "attach,attach+attach,attach-r", "child": "attach+attach+fork", "stopped": "attach+stop",
    "leader-gone": "attach+leave",
}


@pytest.mark.parametrize("holders", SEGMENT_HOLDERS.values(), ids=SEGMENT_HOLDERS.keys())
@pytest.mark.parametrize("rmid", [0, 1], ids=["kept", "destroyed"])
@pytest.mark.parametrize("first", [True, False], ids=["id-0", "another-id"])
def test_sysv_segment(ipcctl, factory, holders, rmid, first):
    if not first:
        kernel.REMOVERS["sysv-shm"](factory("sysv-shm")["id"])
    truth = factory("held-sysv-shm", hold=True, size=10000, holders=holders, rmid=rmid)
    o = only(ipcctl.json("list", "sysv-shm"))
    check(o, truth, SEGMENT_ROLES)
    assert o["id"] == truth["id"] and (o["id"] == 0) == first
    assert o["nattch"] == kernel.shm(truth["id"])["nattch"] == len(truth["holdings"])
    check(ipcctl.describe(f"sysv-shm:{truth['id']}"), truth, SEGMENT_ROLES)


def test_nobody_attached_is_known(ipcctl, factory):
    """The kernel counts the attachments: none is none, whatever else is hidden."""
    factory("sysv-shm")
    o = only(ipcctl.json("list", "sysv-shm"))
    assert o["nholders"] == 0 and not o.get("holders")


def test_equal_ids_of_other_ipc_namespaces(ipcctl, factory):
    """Every namespace has a segment 0; only processes of this one hold ours."""
    here = factory("held-sysv-shm", hold=True, holders="attach")
    there = factory("held-sysv-shm", hold=True, holders="attach,attach+attach",
                    drop=lambda: kernel.unshare(kernel.CLONE_NEWIPC))
    assert here["id"] == there["id"]
    check(only(ipcctl.json("list", "sysv-shm")), here, SEGMENT_ROLES)


def test_files_that_are_called_like_segments(ipcctl, factory):
    """Everybody may map a file whose path begins with /SYSV: that makes nobody a holder."""
    kernel.mount("tmpfs", "/mnt", "tmpfs")
    try:
        maker = factory("held-file", name="/mnt/SYSV00000000", hold=True, holders="map-rw")
        # The root of a detached mount: the kernel shows paths from there on.
    finally:
        kernel.unmount("/mnt")
    with open(f"/proc/{maker['holdings'][0]['pid']}/maps", encoding="ascii") as f:
        assert any(line.split()[-1] == "/SYSV00000000" for line in f)
    # Numbers go on: the same as the file's is among them.
    for _ in range(maker["ino"] + 1):
        factory("sysv-shm")
    got = {o["id"]: o for o in ipcctl.json("list", "sysv-shm")["objects"]}
    assert maker["ino"] in got
    for o in got.values():
        assert o["nholders"] == 0 and not o.get("holders"), o


@pytest.mark.real_root
@pytest.mark.parametrize("who", ["uid=65534", "uid=65534+dumpable", "uid=4242+dumpable"])
def test_another_user(ipcctl, factory, who):
    """Also one that gave up root and never called execve(2): /proc/PID belongs to root then."""
    truth = factory("held-file", name="/dev/shm/x", mode="666", hold=True, holders=f"{who}+rw+map-r")
    check(only(ipcctl.json("list", "posix-shm")), truth, FILE_ROLES)


@pytest.mark.parametrize("name", [b"a) S 1 (b", b"new\nline", b"\x1b[31mred", b"\xff\xfe", b"", b"x (deleted)",
                                  b"fifteen bytes!!", "\u202ertl".encode()])
def test_hostile_commands(ipcctl, factory, name):
    truth = factory("held-file", name="/dev/shm/x", hold=True, holders=f"name={name.hex()}+rw")
    for words in (["list", "posix-shm"], ["describe", "posix-shm:/x"]):
        ipcctl(*words)
        row = only(ipcctl.json(*words))["holders"][0]
        assert row["pid"] == truth["holdings"][0]["pid"] and row["fd"] == truth["holdings"][0]["fd"]
        assert len(row["command"].encode()) >= len(name)


# What is listed, with which options


@pytest.fixture
def zoo(factory):
    """Something of every kind that has holders: reference -> (truth, roles)."""
    shm = factory("held-file", name="/dev/shm/x", hold=True, holders="r,map-rw")
    gone = factory("held-file", name="/dev/shm/y", hold=True, holders="rw,rw+map-r", unlink=1)
    sem = factory("held-posix-sem", name="/s", hold=True, holders="semaphore")
    queue = factory("held-posix-mq", name="/q", hold=True, holders="r,w")
    segment = factory("held-sysv-shm", hold=True, holders="attach+attach,attach")
    factory("file", name="/dev/shm/idle")
    factory("sysv-sem")
    factory("sysv-msg")
    return {"posix-shm:/x": (shm, FILE_ROLES), f"posix-shm:inode={gone['ino']}": (gone, FILE_ROLES),
            "posix-sem:/s": (sem, FILE_ROLES), "posix-mq:/q": (queue, QUEUE_ROLES),
            f"sysv-shm:{segment['id']}": (segment, SEGMENT_ROLES)}


IDLE = {"posix-shm:/idle", "sysv-sem:0", "sysv-msg:0"}


@pytest.mark.parametrize("threads", [[], ["--threads=1"], ["--threads=2"], ["--threads=64"]], ids=str)
def test_all_kinds_at_once(ipcctl, zoo, threads):
    for objects in (ipcctl.json("list", *threads)["objects"], ipcctl("list", "--jsonl", *threads).jsonl()):
        got = {o["ref"]: o for o in objects}
        assert got.keys() == zoo.keys() | IDLE
        for ref, (truth, roles) in zoo.items():
            check(got[ref], truth, roles)


def test_order_does_not_depend_on_threads(ipcctl, zoo):
    def holders(*words):
        return [(o["ref"], o.get("holders")) for o in ipcctl.json("list", *words)["objects"]]
    first = holders("--threads=1")
    assert all(holders("--threads=8") == first for _ in range(5))


def test_table_and_raw_count_them(ipcctl, zoo):
    rows = {row["ref"]: row for row in ipcctl("list", "--raw", "-o", "ref,nholders,state", "--quiet").table()}
    for ref, (truth, _) in zoo.items():
        assert rows[ref]["nholders"] == str(len({h["pid"] for h in truth["holdings"]}))
        assert rows[ref]["state"] == "in-use"
    assert rows["posix-shm:/idle"]["nholders"] == "?"  # another PID namespace may hold it


def test_pid_option(ipcctl, zoo):
    pids = {h["pid"] for truth, _ in zoo.values() for h in truth["holdings"]}
    for pid in pids:
        held = {ref for ref, (truth, _) in zoo.items() if pid in [h["pid"] for h in truth["holdings"]]}
        assert {o["ref"] for o in ipcctl.json("list", "persistent", "--pid", str(pid))["objects"]} == held
        rows = ipcctl("list", "persistent", "-p", str(pid), "-r", "-o", "ref", "--quiet").table()
        assert {row["ref"] for row in rows} == held
        # Without a kind, all that it holds.
        everything = {o["ref"] for o in ipcctl.json("list", "--pid", str(pid))["objects"]}
        assert everything == {o["ref"] for o in ipcctl.json("list", "all", "--pid", str(pid))["objects"]} >= held
        assert any(ref.startswith("pipe:") for ref in everything)
    document = ipcctl.json("list", "persistent", "--pid", str(os.getpid()))
    assert document["objects"] == []
    # Of these nobody can tell: none listed is not none held.
    assert {"sysv-sem", "sysv-msg"} <= {w.split(":")[0] for w in document["warnings"]}


def test_pid_of_nobody(ipcctl, zoo):
    """Not an empty list with exit 0: the process is not there."""
    process = subprocess.Popen(["true"])
    process.wait()
    result = ipcctl("list", "--pid", str(process.pid), "--quiet", status=1)
    assert any(str(process.pid) in line for line in result.errors), result


@pytest.mark.parametrize("pid", ["0", "-1", "x", "", "4194305", "99999999999999999999", "1.5"])
def test_wrong_pid(ipcctl, pid):
    assert ipcctl("list", f"--pid={pid}", "--quiet", status=None).status in (1, 2)


@pytest.mark.parametrize("threads", ["-1", "x", "", "99999999999999999999", "1.5"])
def test_wrong_threads(ipcctl, threads):
    ipcctl("list", f"--threads={threads}", status=2)


def test_without_holders(ipcctl, zoo):
    """Nothing was looked at, so nothing is missing and nothing is claimed."""
    document = ipcctl.json("list", "--no-holders")
    assert document["complete"] is True and document["unreadable_processes"] == 0
    got = {o["ref"]: o for o in document["objects"]}
    # Nobody looked for the one without a name.
    assert got.keys() == {ref for ref in zoo if "inode=" not in ref} | IDLE
    for ref, o in got.items():
        assert o.get("nholders") is None and not o.get("holders"), o
        if not ref.startswith("sysv-shm"):
            assert o["state"] == "unknown", o


def test_what_is_not_needed_is_not_read(ipcctl, zoo):
    """Fields without holders take no walk: nothing is said to be missing."""
    document = ipcctl.json("list", "posix-shm", "-o", "ref,size")
    assert document["complete"] is True and document["warnings"] == []


def test_private_pid_namespace_is_never_complete(ipcctl, factory):
    """Processes outside of it could hold the object: unknown, not 0."""
    factory("file", name="/dev/shm/idle")
    factory("posix-mq", name="/q")
    if not kernel.processes_may_hide():
        pytest.skip("this is the first PID namespace")
    document = ipcctl.json("list", "posix")
    assert document["complete"] is False and document["warnings"]
    for o in document["objects"]:
        assert o["nholders"] is None and o["state"] == "unknown", o
    ipcctl("list", "posix", "--strict", "--quiet", status=1)


# What cannot be read


def never_wrong(document, zoo):
    """Rows may be missing, none may be wrong, and a number is the truth or unknown."""
    assert document["complete"] is False and document["unreadable_processes"] > 0
    got = {o["ref"]: o for o in document["objects"]}
    for ref, (truth, roles) in zoo.items():
        if ref not in got:
            # Without a name only the holder shows it; without a mount nothing shows queues.
            assert "inode=" in ref or ref.startswith("posix-mq"), ref
            continue
        o = got[ref]
        assert o["nholders"] in (None, len({h["pid"] for h in truth["holdings"]})), (ref, o)
        for row in o["holders"] or []:
            row.pop("start_time")
            assert row in expected_rows(truth, roles)
    return got


@pytest.mark.real_root
def test_as_another_user(ipcctl, zoo):
    got = never_wrong(ipcctl.json("list", drop=become(65534)), zoo)
    for ref in zoo:
        if ref.startswith("posix") and ref in got:
            assert got[ref]["nholders"] is None and got[ref]["state"] == "unknown"


def test_without_capabilities(ipcctl, zoo):
    """As the same user: its own processes can be read, but mappings without a name only with CAP_SYS_ADMIN or
    CAP_CHECKPOINT_RESTORE, in the first user namespace."""
    document = ipcctl.json("list", drop=drop_capabilities)
    assert document["complete"] is False
    for o in document["objects"]:
        if o["ref"] in zoo and o["nholders"] is not None:
            check(o, *zoo[o["ref"]])


@pytest.mark.real_root
@pytest.mark.parametrize("holders", ["map-rw", "rw", "rw,map-r"])
def test_some_hidden_some_not(ipcctl, factory, holders):
    """Two users hold it, one of them is asking: the sum is not known, and the part is not the sum."""
    truth = factory("held-file", name="/dev/shm/x", mode="666", hold=True,
                    holders=",".join(f"uid=65534+dumpable+{h}" for h in holders.split(",")) + ",rw,map-rw")
    document = ipcctl.json("list", "posix-shm", drop=become(65534))
    assert document["complete"] is False and document["unreadable_processes"] >= 2
    o = only(document)
    assert o["state"] == "in-use"
    mine = {h["pid"] for h in truth["holdings"] if h["uid"] == 65534}
    assert {row["pid"] for row in o["holders"]} == mine
    assert o["nholders"] is None, "a lower bound is shown as the number"


@pytest.mark.real_root
def test_some_attached_processes_hidden(ipcctl, factory):
    truth = factory("held-sysv-shm", mode="666", hold=True, holders="uid=65534+dumpable+attach,attach")
    o = only(ipcctl.json("list", "sysv-shm", drop=become(65534)))
    assert o["nattch"] == 2
    assert {row["pid"] for row in o["holders"]} == {truth["holdings"][0]["pid"]} or \
        len(o["holders"]) == 1
    assert o["nholders"] is None, "a lower bound is shown as the number"


@pytest.mark.real_root
def test_all_attached_processes_ours(ipcctl, factory):
    """As many mappings as the kernel counts: then the number is known, whatever else is hidden."""
    truth = factory("held-sysv-shm", mode="666", hold=True, holders="uid=65534+dumpable+attach+attach")
    document = ipcctl.json("list", "sysv-shm", drop=become(65534))
    check(only(document), truth, SEGMENT_ROLES)


@pytest.mark.real_root
def test_unlinked_and_mapped_for_an_ordinary_user(ipcctl, factory):
    """It is listed, or something is said to be missing; map_files takes more than being the same user."""
    truth = factory("held-file", name="/dev/shm/x", mode="666", hold=True, holders="uid=65534+dumpable+map-rw",
                    unlink=1)
    document = ipcctl.json("list", "posix-shm", drop=become(65534))
    if document["objects"]:
        check(only(document), truth, FILE_ROLES, counted=False)
    else:
        assert document["complete"] is False
        assert any("map" in str(w).lower() or "delet" in str(w).lower() for w in document["warnings"]), document


# Observing


def test_observing_changes_nothing(ipcctl, zoo):
    """Neither what is held nor how: times, counters, attachments, descriptors and their flags."""
    pids = sorted({h["pid"] for truth, _ in zoo.values() for h in truth["holdings"]})
    segment = next(int(ref.split(":")[1]) for ref in zoo if ref.startswith("sysv-shm"))

    def facts():
        files = {name: (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns, st.st_nlink, st.st_size)
                 for name, st in kernel.files().items()}
        processes = {}
        for pid in pids:
            fds = {}
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as f:
                    fds[fd] = (os.readlink(f"/proc/{pid}/fd/{fd}"), f.read())
            with open(f"/proc/{pid}/maps", encoding="ascii") as f:
                processes[pid] = (fds, f.read())
        return files, kernel.shm(segment), kernel.sysvipc("shm"), kernel.mq("/q")["times_ns"], processes

    before = facts()
    for words in (["list"], ["list", "--json"], ["describe", "--json", *zoo], ["list", "--pid", str(pids[0])],
                  ["summary"], ["list", "--threads=8", "--jsonl"]):
        ipcctl(*words)
        assert facts() == before, words


def test_leases_are_not_broken(ipcctl, factory):
    """Nobody opens the file: a lease on it stays, and its holder gets no signal."""
    import fcntl
    factory("file", name="/dev/shm/x")
    fd = os.open("/dev/shm/x", os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        ipcctl("list", "posix-shm", "--json")
        ipcctl("describe", "posix-shm:/x")
        assert fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_WRLCK
    finally:
        os.close(fd)


# Storms

STORM = r"""
import os, signal, sys
# Children come and go as fast as this can make them; each opens the file and is killed or exits.
fd = os.open("/dev/shm/storm", os.O_RDWR)
while True:
    children = []
    for i in range(8):
        pid = os.fork()
        if pid == 0:
            os.close(fd)
            if i % 2:
                os.open("/dev/shm/storm", os.O_RDONLY)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    sys.stdout.write("x")
    sys.stdout.flush()
"""


class Storm:
    """Processes that start and end, two makers of them; counts what was started."""

    def __init__(self, start):
        self.rounds = 0
        self.makers = [start(os.sys.executable, "-c", STORM, stdout=subprocess.PIPE) for _ in range(2)]
        self.threads = [threading.Thread(target=self.count, args=[maker]) for maker in self.makers]
        for thread in self.threads:
            thread.start()

    def count(self, maker):
        while maker.stdout.read(1):
            self.rounds += 1

    def end(self):
        for maker in self.makers:
            maker.kill()
            maker.wait()
        for thread in self.threads:
            thread.join()
        for maker in self.makers:
            maker.stdout.close()


@contextlib.contextmanager
def storm(start):
    s = Storm(start)
    try:
        yield s
    finally:
        s.end()


def test_storm_of_processes(ipcctl, factory, background, zoo):
    """No error, no crash, nobody is taken for another: those that stay are exactly right each time."""
    factory("file", name="/dev/shm/storm")
    runs = 10 if ipcctl.slow else 100
    formats = [["--json"], ["--json", "--threads=8"], ["--raw", "-o", "all"], ["--jsonl"], []]
    with storm(background) as s:
        makers = {maker.pid for maker in s.makers}
        for i in range(runs):
            words = formats[i % len(formats)]
            result = ipcctl("list", *words, "--quiet", timeout=60)
            assert result.err == b"", result
            if "--json" in words:
                document = result.json()
                # Processes that ended are no processes that could not be read.
                assert document["unreadable_processes"] == 0, document
                got = {o["ref"]: o for o in document["objects"]}
                for ref, (truth, roles) in zoo.items():
                    check(got[ref], truth, roles)
                held = got["posix-shm:/storm"]
                # The makers fork and never execute anything else.
                names = {kernel.command(pid).decode() for pid in makers}
                # A maker may not have opened it at first.
                for row in held["holders"] or []:
                    assert row["command"] in names and row["user"] == expect.user(os.geteuid()), row
        assert s.rounds > runs, "hardly a storm"


def test_storm_while_describing(ipcctl, background, zoo):
    runs = 5 if ipcctl.slow else 50
    open("/dev/shm/storm", "xb").close()
    with storm(background):
        for i in range(runs):
            ref = list(zoo)[i % len(zoo)]
            check(ipcctl.describe(ref), *zoo[ref])


HOLDER_CHURN = r"""
import mmap, os, sys
# Descriptors and mappings of the same process come and go.
while True:
    fds = [os.open("/dev/shm/churn", os.O_RDONLY) for _ in range(50)]
    maps = [mmap.mmap(fd, 4096, prot=mmap.PROT_READ) for fd in fds]
    for fd in fds:
        os.close(fd)
    for m in maps:
        m.close()
"""


def test_descriptors_that_come_and_go(ipcctl, background, zoo):
    with open("/dev/shm/churn", "xb") as f:
        f.truncate(4096)
    process = background(os.sys.executable, "-c", HOLDER_CHURN)
    for _ in range(5 if ipcctl.slow else 50):
        document = ipcctl.json("list")
        assert document["unreadable_processes"] == 0
        got = {o["ref"]: o for o in document["objects"]}
        for ref, (truth, roles) in zoo.items():
            check(got[ref], truth, roles)
        for row in got["posix-shm:/churn"]["holders"] or []:
            assert (row["pid"], row["access"]) == (process.pid, "read")
    assert process.poll() is None


def test_what_a_filter_cannot_decide_is_said(ipcctl, factory):
    """Left out is not the same as not there."""
    factory("posix-shm", name="/x")
    result = ipcctl("list", "posix-shm", "--no-holders", "-f", "nholders=0")
    assert len(result.lines) == 1
    assert any("1 left out" in line for line in result.errors), result
    assert any("left out" in text for text in ipcctl.json("list", "posix-shm", "--no-holders", "-f", "nholders=0")["warnings"])
    assert not any("left out" in line for line in ipcctl("list", "posix-shm", "--no-holders", "-f", "size=1").errors)
