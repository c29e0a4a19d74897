# SPDX-License-Identifier: MIT
"""Locks of files: who has one, who waits for it, how it is taken and taken away."""

import fcntl
import os
import struct
import subprocess
import time

import kernel
import pytest
from holdings import check, listed, locks, only, views

KIND = {"flock": "flock", "posix": "record-lock", "ofd": "record-lock", "lease": "lease"}
TYPES = list(KIND)
ROLES = {"fd": ["holder"] * 4}
F_OFD_SETLK = 37


def make(factory, path, kind, **arguments):
    return factory("lock", hold=True, name=path, type=kind, **arguments)


def ref_of(path, kind, span="0-EOF"):
    return f"{KIND[kind]}:{path}" + (f":{span}" if KIND[kind] == "record-lock" else "")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "x")


@pytest.fixture(params=TYPES)
def kind(request):
    return request.param


def is_locked(path, kind, span=None):
    """Whether the kernel refuses an exclusive one to us. (To ask for a lease would break that of others.)"""
    if kind == "lease":
        with open("/proc/locks", encoding="ascii") as f:
            return any(" LEASE " in line and f":{os.stat(path).st_ino} " in line for line in f)
    with open(path, "r+b", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as f:
        start, length = span or (0, 0)
        try:
            if kind == "flock":
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                fcntl.fcntl(f, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, start, length, 0))
        except BlockingIOError:
            return True
        return False


# One process with a lock, its copies, its children: all share the open file description.
HOLDERS = {"one": "rw", "copies": "rw+dup+dup", "child": "rw+fork", "children": "rw+dup+fork+fork", "stopped": "rw+stop",
           "leader-gone": "rw+leave"}


# But of a classic lock, which is the process's: see test_not_of_the_child().
@pytest.mark.parametrize("kind,holders", [(kind, holders) for kind in TYPES for holders in HOLDERS.values()
                                          if kind != "posix" or "fork" not in holders])
@pytest.mark.parametrize("mode", ["read", "write"])
def test_holders(ipcctl, factory, path, kind, mode, holders):
    access = "r" if kind == "lease" and mode == "read" else "rw"
    truth = make(factory, path, kind, lock=mode, holders=holders.replace("rw", access, 1))
    for o in views(ipcctl, ref_of(path, kind)):
        check(o, truth, ROLES)
        assert (o["kind"], o["path"], o["inode"], o["lock_mode"]) == (KIND[kind], path, truth["ino"], mode)
        assert o["device"] == f"{truth['dev_major']}:{truth['dev_minor']}" and o["deleted"] is False
        assert o.get("type") == (kind if KIND[kind] == "record-lock" else None)
        first = truth["holdings"][0]
        if kind == "ofd":
            assert "locker" not in o and "locker_command" not in o
        else:
            assert o["locker"] == first["pid"]
            assert o["locker_command"] == bytes.fromhex(first["command_hex"]).decode()


def test_not_of_the_child(ipcctl, factory, path):
    """A classic lock is the process's: a child has the descriptor, and no lock."""
    truth = make(factory, path, "posix", holders="rw+fork")
    o = ipcctl.describe(ref_of(path, "posix"))
    assert o["nholders"] == 1 and [row["pid"] for row in o["holders"]] == [o["locker"]]
    assert o["locker"] in truth["tasks"]


@pytest.mark.parametrize("kind", ["flock", "posix", "ofd"])
def test_shared_by_several(ipcctl, factory, path, kind):
    truth = make(factory, path, kind, lock="read", holders="r,rw+dup,r")
    for o in views(ipcctl, ref_of(path, kind)):
        check(o, truth, ROLES)
        assert o["lock_mode"] == "read"
    assert len([ref for ref in listed(ipcctl, KIND[kind]) if str(path) in ref]) == 1


@pytest.mark.parametrize("span", ["0-0", "0-9", "7-7", "100-EOF", "0-EOF", "4294967296-9223372036854775806"])
@pytest.mark.parametrize("kind", ["posix", "ofd"])
def test_ranges(ipcctl, factory, path, kind, span):
    make(factory, path, kind, lock=f"write:{span}", holders="rw")
    start, end = span.split("-")
    for o in views(ipcctl, ref_of(path, kind, span)):
        assert o["start"] == int(start)
        assert o.get("end") == (None if end == "EOF" else int(end))
    other = f"record-lock:{path}:1-2"
    assert ipcctl("describe", other, "--quiet", status=1).out == b""


@pytest.mark.parametrize("kind", ["posix", "ofd"])
def test_many_ranges_of_one_file(ipcctl, factory, path, kind):
    spans = ["0-9", "20-29", "30-30", "40-EOF"]
    for span in spans:
        make(factory, path, kind, lock=f"write:{span}", holders="rw")
    assert {ref for ref in listed(ipcctl, "record-lock") if str(path) in ref} == {
        ref_of(path, kind, span) for span in spans}
    # Without a range all of them are meant.
    got = ipcctl.json("describe", f"record-lock:{path}")["objects"]
    assert {o["ref"] for o in got} == {ref_of(path, kind, span) for span in spans}


def test_all_types_on_one_file(ipcctl, factory, path):
    make(factory, path, "flock", holders="rw")
    make(factory, path, "posix", lock="write:0-9", holders="rw")
    make(factory, path, "ofd", lock="write:10-19", holders="rw")
    assert locks(ipcctl).keys() == {
        f"flock:{path}", f"record-lock:{path}:0-9", f"record-lock:{path}:10-19"}


WAITERS = {
    "flock": ("write", ["write", "read", "write"]), "posix": ("write:0-9", ["write:5-6", "read:9-20", "write:5-6"]),
    "ofd": ("write:0-9", ["write:5-6", "read:9-20"]),
}


@pytest.mark.parametrize("kind", WAITERS)
def test_waiters(ipcctl, factory, path, kind):
    lock, waiters = WAITERS[kind]
    truth = make(factory, path, kind, lock=lock, holders="rw", waiters=",".join(waiters))
    span = lock.partition(":")[2] or "0-EOF"
    for o in views(ipcctl, ref_of(path, kind, span)):
        assert o["waiters"] == len(waiters)
        got = {row["pid"]: row for row in o["waiting"]}
        assert sorted(got) == sorted(truth["waiters"])
        for pid, text in zip(truth["waiters"], waiters):
            mode, _, wanted = text.partition(":")
            assert got[pid]["lock_mode"] == mode and got[pid]["command"] == "factory"
            assert got[pid].get("range") == (wanted or None)
        first = got[truth["waiters"][0]]
        assert first.get("blocked_by") == (None if kind == "ofd" else o["locker"])


def test_waiters_in_their_order(ipcctl, factory, path):
    """All that wait for one lock, as they came."""
    truth = make(factory, path, "flock", holders="rw", waiters="write,write,write,write")
    assert [row["pid"] for row in ipcctl.describe(f"flock:{path}")["waiting"]] == truth["waiters"]


def test_a_broken_lease(ipcctl, factory, path):
    truth = make(factory, path, "lease", holders="r", waiters="write")
    for o in views(ipcctl, f"lease:{path}"):
        assert o["breaking"] is True and o["waiters"] == 1
        assert o["waiting"][0]["pid"] == truth["waiters"][0]


@pytest.mark.parametrize("kind", ["flock", "ofd"])
def test_deleted(ipcctl, factory, path, kind):
    truth = make(factory, path, kind, holders="rw", unlink=1)
    o, = locks(ipcctl, KIND[kind]).values()
    assert o["deleted"] is True and o["path"] == path
    number = f"{truth['dev_major']}:{truth['dev_minor']}:{truth['ino']}"
    assert o["ref"] == f"{KIND[kind]}:{number}" + (":0-EOF" if kind == "ofd" else "")
    check(ipcctl.describe(o["ref"]), truth, ROLES)
    # Another file by that name is not locked.
    open(path, "w").close()
    assert ipcctl("describe", ref_of(path, kind), "--quiet", status=1).out == b""


@pytest.mark.parametrize("name", [b"a b", b"new\nline", b"esc\x1b[31m", b"\xff", b"x (deleted)", b"a:0-9", b"a:b:1-2"])
@pytest.mark.parametrize("kind", ["flock", "posix"])
def test_names(ipcctl, factory, tmp_path, kind, name):
    path = os.fsencode(tmp_path) + b"/" + name
    truth = factory("lock", hold=True, name=path, type=kind, holders="rw")
    raw = ipcctl("list", KIND[kind], "-0", "-o", "ref", "--quiet", clean=False).out.split(b"\0")[0]
    assert raw == KIND[kind].encode() + b":" + path + (b"" if kind == "flock" else b":0-EOF")
    check(ipcctl.describe(raw), truth, ROLES)


def test_files_without_a_path(ipcctl, factory, path, background):
    """What hardly anybody locks: a pipe, memory, and a device."""
    script = ("import fcntl,os,sys,time\n"
              "r, w = os.pipe(); m = os.memfd_create('m')\n"
              "d = os.open('/dev/null', os.O_RDWR); fcntl.flock(d, fcntl.LOCK_EX)\n"
              "fcntl.flock(r, fcntl.LOCK_EX); fcntl.flock(m, fcntl.LOCK_SH)\n"
              "print(*(os.fstat(f).st_ino for f in (r, m, d)), flush=True); time.sleep(99)")
    process = background("python3", "-c", script, stdout=subprocess.PIPE)
    pipe, memory, device = (int(word) for word in process.stdout.readline().split())
    got = {o["inode"]: o for o in listed(ipcctl, "flock").values()}
    for inode, mode in ((pipe, "write"), (memory, "read"), (device, "write")):
        assert got[inode]["lock_mode"] == mode and got[inode]["locker"] == process.pid
        assert [row["pid"] for row in got[inode]["holders"]] == [process.pid]


def test_own_table(ipcctl, factory, path):
    """A thread with descriptors of its own: the process itself has none of them."""
    truth = make(factory, path, "flock", holders="thread")
    o = ipcctl.describe(f"flock:{path}")
    assert [row["pid"] for row in o["holders"]] == [truth["holdings"][0]["pid"]]
    assert o["holders"][0]["tid"] != o["holders"][0]["pid"]


def test_in_flight(ipcctl, factory, path):
    """No descriptor shows it, but the kernel still has it."""
    make(factory, path, "flock", holders="flight")
    assert is_locked(path, "flock")
    o = only(ipcctl.json("list", "flock"))
    assert o["holders"] is None and o["nholders"] is None and o["path"] is None


def test_locker_gone(ipcctl, factory, path, background):
    """A child has what its dead parent locked."""
    script = (f"import fcntl,os,time\nf = open({path!r}, 'w')\nfcntl.flock(f, fcntl.LOCK_EX)\n"
              "if os.fork() == 0:\n  os.setsid()\n  os.read(0, 1)\n  os._exit(0)\n")
    parent = subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE)
    try:
        assert parent.wait() == 0
        o = only(ipcctl.json("list", "flock"))
        assert o["nholders"] == 1 and o["holders"][0]["pid"] != parent.pid
        assert "locker_command" not in o and o["locker"] in (None, parent.pid)
    finally:
        parent.stdin.close()


def test_no_holders(ipcctl, factory, path):
    """/proc/locks alone."""
    truth = make(factory, path, "flock", holders="rw")
    o = only(ipcctl.json("list", "flock", "--no-holders"))
    assert (o["inode"], o["locker"], o["lock_mode"]) == (truth["ino"], truth["holdings"][0]["pid"], "write")
    assert o["path"] is None and o["nholders"] is None


def test_let_go_meanwhile(ipcctl, factory, path):
    truth = make(factory, path, "flock", holders="rw")
    assert listed(ipcctl, "flock")
    truth["let_go"]()
    assert not listed(ipcctl, "flock")


def test_looking_locks_nothing(ipcctl, factory, path, kind):
    """Neither does it hold up those who wait, nor get in the way."""
    make(factory, path, kind, holders="rw")
    before = os.stat(path)
    for _ in range(5):
        ipcctl.json("list", "lock", "-o", "all")
        ipcctl.describe(ref_of(path, kind))
    assert is_locked(path, kind) and os.stat(path) == before


# create


@pytest.fixture
def create(ipcctl, background):
    """Starts `ipcctl create` and waits for its first line."""
    def start(*words):
        process = background(*ipcctl.command("create", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = process.stdout.readline().decode().strip()
        assert line, process.stderr.read()
        return process, line
    return start


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("options", [["flock"], ["record-lock"], ["record-lock", "--ofd"], ["lease"]], ids=" ".join)
def test_create_holds(ipcctl, create, path, options, shared):
    open(path, "w").close()
    process, ref = create(options[0], path, *options[1:], *(["--shared"] if shared else []))
    kind = {"record-lock": "ofd" if "--ofd" in options else "posix"}.get(options[0], options[0])
    assert ref == ref_of(path, kind)
    o = ipcctl.describe(ref)
    assert o["lock_mode"] == ("read" if shared else "write") and o["holders"][0]["pid"] == process.pid
    assert is_locked(path, kind)
    process.terminate()
    assert process.wait(60) == 0 and not is_locked(path, kind)


def test_create_makes_the_file(create, path):
    process, _ = create("flock", path)
    assert os.path.exists(path)
    process.terminate()
    process.wait(60)
    assert os.path.exists(path), "as flock(1): others may hold it open"


def test_create_lease_needs_a_file(ipcctl, path):
    ipcctl.refuses("create", "lease", path, status=1, words=["No such file"])
    assert not os.path.exists(path)


def test_create_around_a_command(ipcctl, path):
    """The command inherits the lock, and its exit status is told."""
    script = f'test -e "/proc/self/fd/$IPCCTL_FD" && ! flock -n {path} true && echo "$IPCCTL_REF" && exit 7'
    result = ipcctl("create", "flock", path, "--", "sh", "-c", script, status=7)
    assert result.text == f"flock:{path}\n"
    assert not is_locked(path, "flock")


def test_create_posix_around_a_command(ipcctl, path):
    """It is ours as long as the command runs, which cannot inherit it."""
    script = (f"import fcntl,sys\nf = open({path!r}, 'r+')\n"
              "try:\n  fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 10)\nexcept OSError:\n  sys.exit(3)\n")
    ipcctl("create", "record-lock", path, "--range", "0-19", "--", "python3", "-c", script, status=3)
    ipcctl("create", "record-lock", path, "--range", "20-29", "--", "python3", "-c", script, status=0)


@pytest.mark.parametrize("options", [["flock"], ["record-lock"], ["record-lock", "--ofd"]], ids=" ".join)
def test_create_when_it_is_taken(ipcctl, factory, path, options):
    kind = {"record-lock": "ofd" if "--ofd" in options else "posix"}.get(options[0], options[0])
    make(factory, path, kind, holders="rw")
    for how in (["--nonblock"], ["--timeout", "0"], ["--timeout", "1s"]):
        start = time.monotonic()
        result = ipcctl.refuses("create", options[0], path, *options[1:], *how, "--", "true", status=1,
                                words=["locked", path])
        assert result.out == b""
        if how[1:] == ["1s"]:
            assert time.monotonic() - start >= 1


def test_create_waits(ipcctl, factory, path, background):
    truth = make(factory, path, "flock", holders="rw")
    process = background(*ipcctl.command("create", "flock", path, "--timeout", "1m", "--", "echo", "got it"),
                         stdout=subprocess.PIPE)
    while not any(row["pid"] == process.pid for row in ipcctl.describe(f"flock:{path}")["waiting"] or []):
        assert process.poll() is None
    truth["let_go"]()
    assert process.communicate(timeout=60)[0] == b"got it\n" and process.returncode == 0


def test_create_can_be_interrupted(ipcctl, factory, path, background):
    make(factory, path, "flock", holders="rw")
    process = background(*ipcctl.command("create", "flock", path))
    while not any(row["pid"] == process.pid for row in ipcctl.describe(f"flock:{path}")["waiting"] or []):
        assert process.poll() is None
    process.terminate()
    assert process.wait(60) == -15


def test_a_lease_is_given_up(create, path):
    open(path, "w").close()
    process, _ = create("lease", path)
    with open(path, "r+b"):  # which the kernel lets wait until it is given up
        assert process.wait(60) == 0
    assert b"given up" in process.stderr.read()


def test_a_lease_around_a_command_is_given_up(ipcctl, path, background):
    open(path, "w").close()
    process = background(*ipcctl.command("create", "lease", path, "--", "sh", "-c", "echo; exec sleep 60"),
                         stdout=subprocess.PIPE)
    process.stdout.readline()
    with open(path, "r+b"):
        assert process.poll() is None, "the command goes on"
    assert not is_locked(path, "lease")
    process.terminate()
    process.wait(60)


@pytest.mark.parametrize("words", [["--range", "5"], ["--range", "9-5"], ["--range", "x-5"], ["--range", "-5-9"],
                                   ["--range", "0-9223372036854775808"], ["--nonblock", "--timeout", "3"]])
def test_create_bad_usage(ipcctl, path, words):
    ipcctl.refuses("create", "record-lock", path, *words, status=2)
    assert not os.path.exists(path)


# remove


@pytest.mark.parametrize("kind", ["flock", "ofd", "lease"])
def test_remove_takes_it_away(ipcctl, factory, path, kind):
    truth = make(factory, path, kind, holders="rw+dup+fork")
    result = ipcctl("remove", ref_of(path, kind), "-v", clean=False)
    holders = {h["pid"] for h in truth["holdings"]}
    assert any(str(pid) in result.text + "".join(result.errors) for pid in holders)
    assert not is_locked(path, kind)
    # The kernel tells OFD locks of other PID namespaces, too: those that another test has made.
    inode = f":{os.stat(path).st_ino}:"
    assert not [ref for ref in listed(ipcctl, KIND[kind]) if str(path) in ref or inode in ref]


def test_one_that_is_gone(ipcctl, path):
    """Named by the numbers of its file, as list shows it where no path leads there: not found, and no wrong usage."""
    with open(path, "wb"):
        pass
    ref = f"record-lock:{kernel.mount_device(path)}:{os.stat(path).st_ino}:0-9"
    for command in ("describe", "remove"):
        result = ipcctl(command, ref, status=1, clean=False)
        assert any(f"{command} {ref}: not found" in line for line in result.errors)


def test_remove_from_all_who_share(ipcctl, factory, path):
    truth = make(factory, path, "flock", lock="read", holders="r,r,rw")
    result = ipcctl("remove", f"flock:{path}", clean=False)
    said = result.text + "".join(result.errors)
    assert all(str(h["pid"]) in said for h in truth["holdings"])
    assert not is_locked(path, "flock")


def test_remove_from_very_many(ipcctl, factory, path):
    """Who has lost it is told by number, up to a point."""
    make(factory, path, "flock", lock="read", holders=",".join("r" * 11))
    result = ipcctl("remove", f"flock:{path}", clean=False)
    said = result.text + "".join(result.errors)
    assert "and 3 more, which are not told" in said and said.count("(factory)") == 8, said
    assert not is_locked(path, "flock")


def test_remove_one_range_only(ipcctl, factory, path):
    for span in ("0-9", "20-29"):
        make(factory, path, "ofd", lock=f"write:{span}", holders="rw")
    ipcctl("remove", f"record-lock:{path}:0-9", clean=False)
    # The kernel tells OFD locks of other PID namespaces, too: those that another test has made.
    assert {ref for ref in listed(ipcctl, "record-lock") if str(path) in ref} == {f"record-lock:{path}:20-29"}
    assert is_locked(path, "ofd", (20, 1)) and not is_locked(path, "ofd", (0, 10))


def test_remove_posix_is_impossible(ipcctl, factory, path):
    truth = make(factory, path, "posix", holders="rw")
    result = ipcctl("remove", f"record-lock:{path}:0-EOF", status=1, clean=False)
    assert result.out == b"" and str(truth["holdings"][0]["pid"]) in result.errors[-1]
    assert is_locked(path, "posix")


def test_kill(ipcctl, factory, path):
    truth = make(factory, path, "posix", holders="rw")
    ipcctl("remove", "--kill", "--yes", f"record-lock:{path}:0-EOF", clean=False)
    deadline = time.monotonic() + 30
    while is_locked(path, "posix"):
        assert time.monotonic() < deadline, truth


@pytest.mark.parametrize("ref", ["flock:", "flock:x", "flock:1:2", "record-lock:x:0-9", "record-lock::0-9", "lease:no"])
def test_bad_references(ipcctl, ref):
    assert ipcctl("describe", ref, status=2, clean=False).errors


def test_pid(ipcctl, factory, path):
    a = make(factory, path, "flock", holders="rw")
    make(factory, path + "2", "flock", holders="rw")
    assert set(listed(ipcctl, "flock", "--pid", str(a["holdings"][0]["pid"]))) == {f"flock:{path}"}
