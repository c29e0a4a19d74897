# SPDX-License-Identifier: MIT
"""clean, and what is in /dev/shm or is a message queue: whoever has it, in whatever way, keeps it."""

import array
import ctypes
import errno
import os
import signal
import struct
import subprocess
import time

import kernel
import pytest
from cleaning import next_second
from leftovers import ALL, KINDS, Named, carry_out, fits_in_lease, plan, spared, taken, wait_for
from program import ENVIRONMENT, become

NOBODY = 65534
GONE = 4711  # a user without processes
MS_BIND = 4096  # sys/mount.h
SEMAPHORE = 32  # bytes of it (sem_t of 64 bit)


def hold(factory, thing, holders, **arguments):
    if thing.kind == "posix-mq":
        return factory("held-posix-mq", hold=True, name=thing.name, holders=holders, **arguments)
    return factory("held-file", hold=True, name=thing.path, size=4096 if thing.kind == "posix-shm" else SEMAPHORE,
                   holders=holders, **arguments)


# Who holds it


HOLDERS = {"read": "r", "write": "rw", "in-flight": "flight", "stopped": "r+stop", "thread-of-a-zombie": "r+leave",
           "own-table": "thread"}


@pytest.mark.parametrize("holders", HOLDERS.values(), ids=HOLDERS.keys())
def test_open(ipcctl, factory, thing, holders):
    """Open, or only under way in a socket; and afterwards it is left behind."""
    held = hold(factory, thing, holders)
    spared(ipcctl, thing, "in-use")
    held["let_go"]()
    taken(ipcctl, thing)


@pytest.mark.parametrize("holders", ["map-r", "map-rw", "map-none", "map-private"])
@pytest.mark.parametrize("kind", ["posix-shm", "posix-sem"])
def test_only_mapped(ipcctl, factory, kind, holders):
    thing = Named(kind)
    held = hold(factory, thing, holders)
    spared(ipcctl, thing, "in-use")
    held["let_go"]()
    taken(ipcctl, thing)


HIDDEN = ["unshare", "--pid", "--fork", "--mount-proc"]


@pytest.mark.parametrize("kind, holders", [(kind, holders) for kind in KINDS for holders in ("r", "flight", "map-r")
                                           if (kind, holders) != ("posix-mq", "map-r")])
def test_out_of_sight(ipcctl, factory, kind, holders):
    """The holder is in no PID namespace of ours: only the kernel knows of it."""
    thing = Named(kind)
    hold(factory, thing, holders)
    before = thing.inode()
    for words in ["-v", "--json"], ["--remove", "--yes"]:
        run = subprocess.run([*HIDDEN, *ipcctl.command("clean", "--older-than", "0", *ALL, *words)],
                             capture_output=True, env=ENVIRONMENT, check=True)
        assert thing.inode() == before
        assert words[0] != "-v" or b"write lease refused" in run.stdout
    assert b"nothing removed" in run.stderr


def test_relay(ipcctl, factory, thing, tmp_path):
    """Each has it for a moment and passes it on: whenever one looks, another has it."""
    go, rounds, script = tmp_path / "go", tmp_path / "rounds", tmp_path / "relay"
    go.touch()
    rounds.touch()
    script.write_text(f'[ -e {go} ] || exit 0\necho >>{rounds}\nsleep 0.003\nsh "$0" &\n')
    thing.make(factory)
    before, fd = thing.inode(), thing.open()
    subprocess.run(["sh", str(script)], pass_fds=[fd], check=True)
    os.close(fd)
    try:
        while rounds.stat().st_size < 40:
            assert plan(ipcctl, *ALL)[thing.ref]["state"] == "in-use"
            carry_out(ipcctl, *ALL, thing.kind)
            assert thing.inode() == before
    finally:
        go.unlink()
    wait_for(lambda: plan(ipcctl)[thing.ref]["state"] == "idle")
    taken(ipcctl, thing)


def test_just_made(ipcctl, thing):
    """Its maker is between open and mmap; then has closed it; and what is that young has time."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    fd = os.open(thing.path, flags, 0o600) if thing.path else kernel.call(
        "mq_open", os.fsencode(thing.name), flags, 0o600, None)
    spared(ipcctl, thing, "in-use")
    os.close(fd)
    result = ipcctl("clean", "--remove", "--yes", "--idle")
    assert "nothing removed" in result.errors[-1] and thing.inode() is not None
    if thing.path:
        os.truncate(thing.path, SEMAPHORE)
        taken(ipcctl, thing)


def test_nameless_and_its_successor(ipcctl, factory, thing):
    """Unlinked and held, and a new one of the same name that nobody holds: that goes alone."""
    held = hold(factory, thing, "r" if thing.kind == "posix-mq" else "map-r", unlink=1)
    pid = held["holdings"][0]["pid"]
    old = f"{thing.kind}:inode={held['ino']}"
    thing.make(factory)
    candidates = plan(ipcctl, *ALL)
    assert thing.inode() != held["ino"] and candidates[thing.ref]["action"] == "remove"
    assert (candidates[old]["state"], candidates[old]["action"]) == ("in-use", "spare")
    taken(ipcctl, thing)
    if thing.kind == "posix-mq":
        assert os.stat(f"/proc/{pid}/fd/{held['holdings'][0]['fd']}").st_ino == held["ino"]
    else:
        with open(f"/proc/{pid}/maps", encoding="ascii") as f:
            assert any(line.split()[4] == str(held["ino"]) for line in f)


# What is no process


class RingParameters(ctypes.Structure):
    """struct io_uring_params; of what it tells nothing is needed."""
    _fields_ = [("words", ctypes.c_uint32 * 30)]


def ring_with(fd):
    """An io_uring that has the file, by the numbers all machines share (io_uring_setup(2))."""
    try:
        ring = kernel.call("syscall", ctypes.c_long(425), 1, ctypes.byref(RingParameters()))
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS, errno.ENOMEM):
            pytest.skip(f"io_uring: {os.strerror(error.errno)}")
        raise
    kernel.call("syscall", ctypes.c_long(427), ring, 2, ctypes.byref(ctypes.c_int(fd)), 1)  # IORING_REGISTER_FILES
    return ring


def test_ring(ipcctl, factory, thing):
    """A fixed file of an io_uring: no descriptor of it is left."""
    thing.make(factory)
    fd = thing.open()
    try:
        ring = ring_with(fd)
    finally:
        os.close(fd)
    spared(ipcctl, thing, "in-use", why="write lease refused")
    os.close(ring)
    wait_for(lambda: plan(ipcctl)[thing.ref]["state"] == "idle")  # a ring is taken down later on
    taken(ipcctl, thing)


def test_loop_device(ipcctl, factory):
    thing = Named("posix-shm").make(factory, size=65536)
    made = subprocess.run(["losetup", "--find", "--show", thing.path], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    try:
        spared(ipcctl, thing, "in-use", why="write lease refused")
    finally:
        subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)
    wait_for(lambda: fits_in_lease(thing.path))
    taken(ipcctl, thing)


def test_swap(ipcctl, tmp_path):
    """A swap file, where /dev/shm is of a file system that can have one."""
    page = os.sysconf("SC_PAGESIZE")
    thing = Named("posix-shm")
    header = bytearray(page)
    struct.pack_into("=III", header, 1024, 1, 9, 0)  # union swap_header: version, last page, bad ones
    header[-10:] = b"SWAPSPACE2"
    kernel.mount(str(tmp_path), "/dev/shm", "none", MS_BIND)
    try:
        with open(thing.path, "xb") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(header + bytes(9 * page))
            f.flush()
            os.fsync(f.fileno())
        try:
            kernel.call("swapon", os.fsencode(thing.path), 0)
        except OSError as error:
            pytest.skip(f"no swap file here: {error.strerror}")
        try:
            spared(ipcctl, thing, "in-use", why="write lease refused")
        finally:
            kernel.call("swapoff", os.fsencode(thing.path))
        taken(ipcctl, thing)
    finally:
        kernel.unmount("/dev/shm")


def test_other_name(ipcctl, factory):
    """Hard links: open through one of them, the file is in use under the other, too."""
    thing, other = Named("posix-shm").make(factory), Named("posix-shm", "/y")
    os.link(thing.path, other.path)
    fd = other.open()
    spared(ipcctl, thing, "in-use")
    spared(ipcctl, other, "in-use")
    assert os.fstat(fd).st_nlink == 2
    os.close(fd)
    taken(ipcctl, thing, "--name", "x")
    taken(ipcctl, other)


def test_many_names(ipcctl, factory):
    """Several threads, each with another name of the same file, are not in each other's way."""
    first = Named("posix-shm").make(factory)
    for i in range(700):
        os.link(first.path, f"/dev/shm/name{i}")
    planned = plan(ipcctl, "--idle")
    assert len(planned) == 701 and {row["state"] for row in planned.values()} == {"idle"}
    assert len(carry_out(ipcctl, "--idle").lines) == 701 and os.listdir("/dev/shm") == []


# Nobody holds it


def test_passed_on(ipcctl, factory, thing):
    """Made, closed, and its name sent to somebody who is alive and older."""
    taken(ipcctl, thing.make(factory), why=" of its owner is older, and could come back")


@pytest.mark.real_root
def test_owner_without_process(ipcctl, factory, thing):
    """Not from here: what is not in this PID namespace may be anybody's."""
    taken(ipcctl, thing.make(factory, drop=become(GONE)), why="somebody out of sight could come back")


@pytest.mark.real_root
@pytest.mark.parametrize("processes", ["none", "younger", "older"])
def test_orphaned(first, factory, background, thing, processes):
    """Where all can be seen: its owner has no process, or one that knows nothing of it; or one that may."""
    if processes == "older":
        older = background("sleep", "infinity", preexec_fn=become(GONE))
    thing.make(factory, drop=become(GONE))
    before, made = thing.inode(), int(time.time())
    if processes == "younger":
        next_second(made)
        background("sleep", "infinity", preexec_fn=become(GONE))
    got = plan(first)[thing.ref]
    if processes == "older":
        assert (got["state"], got["action"]) == ("idle", "spare") and f"process {older.pid} " in got["reason"], got
        assert "nothing removed" in carry_out(first).errors[-1] and thing.inode() == before
    else:
        assert (got["state"], got["action"]) == ("orphaned", "remove"), got
        assert carry_out(first).lines == [f"removed {thing.ref}"] and thing.inode() is None


@pytest.mark.real_root
def test_orphaned_messages(first, factory):
    """They are somebody's, even if nobody is left."""
    thing = Named("posix-mq").make(factory, messages="0:3,1:3,2:3", drop=become(GONE))
    got = plan(first)[thing.ref]
    assert (got["state"], got["action"]) == ("orphaned", "spare") and "3 messages" in got["reason"], got
    assert "nothing removed" in carry_out(first).errors[-1] and thing.inode()
    assert carry_out(first, "--with-messages").lines == [f"removed {thing.ref}"] and thing.inode() is None


def test_semaphore(ipcctl, factory):
    """Mapped by one process, with the value 0; with one who waits; and all killed, which leaves their number."""
    thing = Named("posix-sem")
    held = factory("held-posix-sem", hold=True, name=thing.name, value=0, holders="semaphore")
    spared(ipcctl, thing, "in-use")
    held["let_go"]()
    taken(ipcctl, thing)
    waits = factory("posix-sem", hold=True, name=thing.name, block=3)
    spared(ipcctl, thing, "in-use")
    for pid in [*waits["tasks"], waits["pid"]]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: fits_in_lease(thing.path))
    with open(thing.path, "rb") as f:
        assert 3 in array.array("I", f.read())
    taken(ipcctl, thing)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory", "character-device", "socket"])
@pytest.mark.parametrize("name", ["/x", "/sem.x"])
def test_no_files(ipcctl, factory, tmp_path, name, kind):
    (tmp_path / "target").touch()
    factory("file", name="/dev/shm" + name, type=kind, **({"target": tmp_path / "target"} if kind == "symlink" else {}))
    spared(ipcctl, Named("posix-sem" if "sem" in name else "posix-shm", "/x"), "unknown", why=kind)
    assert (tmp_path / "target").exists()


def test_no_semaphore(ipcctl, factory):
    """Called sem.x, it is judged as any file is."""
    thing = Named("posix-sem")
    factory("file", name=thing.path, content="nonsense")
    fd = thing.open()
    spared(ipcctl, thing, "in-use")
    os.close(fd)
    taken(ipcctl, thing)


def test_directory(ipcctl, factory):
    """Each file in it is judged; the directories stay."""
    os.makedirs("/dev/shm/d/e")
    held, left = Named("posix-shm", "/d/e/held"), Named("posix-shm", "/d/e/left")
    for file in held, left:
        factory("file", name=file.path, size=1)
    fd = held.open(os.O_RDONLY)
    taken(ipcctl, left)
    spared(ipcctl, held, "in-use")
    os.close(fd)
    taken(ipcctl, held)
    assert os.listdir("/dev/shm/d/e") == []
    spared(ipcctl, Named("posix-shm", "/d"), "unknown", why="directory")


@pytest.mark.parametrize("notify", ["signal", "none", "thread"])
def test_queue_for_a_notice(ipcctl, factory, notify):
    """Open only to be told of the first message."""
    thing = Named("posix-mq")
    held = factory("posix-mq", hold=True, name=thing.name, notify=notify)
    spared(ipcctl, thing, "in-use")
    held["let_go"]()
    taken(ipcctl, thing)


def test_queue_with_messages(ipcctl, factory):
    thing = Named("posix-mq").make(factory, messages="0:3,1:3,2:3")
    before = thing.inode()
    got = plan(ipcctl, "--idle")[thing.ref]
    assert (got["state"], got["action"]) == ("idle", "spare")
    assert "3 messages" in got["reason"] and "--with-messages" in got["why"], got
    assert "nothing removed" in carry_out(ipcctl, "--idle").errors[-1] and thing.inode() == before
    taken(ipcctl, thing, "--with-messages")


def test_of_the_future(ipcctl, factory, thing):
    """Its time stamps are ahead of the clock: it has no age yet."""
    thing.make(factory)
    before, fd = thing.inode(), thing.open()
    os.utime(fd, (kernel.AHEAD, kernel.AHEAD))
    os.close(fd)
    assert plan(ipcctl)[thing.ref]["age"] == 0
    result = ipcctl("clean", "--remove", "--yes", "--idle", "--older-than", "1s")
    assert "nothing removed" in result.errors[-1] and thing.inode() == before
    taken(ipcctl, thing)


# Who asks


def unproved(ipcctl, thing):
    """NOBODY cannot tell, takes nothing, and is told what would help."""
    before = thing.inode()
    got = plan(ipcctl, *ALL, drop=become(NOBODY))[thing.ref]
    assert (got["state"], got["action"]) == ("unknown", "spare") and "CAP_LEASE" in got["reason"], got
    result = carry_out(ipcctl, *ALL, drop=become(NOBODY))
    assert "nothing removed; 1 spared for want of proof or rights; more rights could tell: CAP_LEASE" in \
        result.errors[-1]
    assert thing.inode() == before


@pytest.mark.real_root
@pytest.mark.parametrize("mode", ["666", "600"])
def test_of_others(ipcctl, factory, mqueue_mounted, thing, mode):
    """Sticky directories: what another left there is not this user's to judge, held or not."""
    thing.make(factory, mode=mode)
    unproved(ipcctl, thing)
    fd = thing.open()
    unproved(ipcctl, thing)
    os.close(fd)
    taken(ipcctl, thing)


@pytest.mark.real_root
def test_not_permitted(ipcctl, factory, mqueue_mounted, thing):
    """Its owner proves that nobody has it, and still may not take it from a directory of others."""
    thing.make(factory, drop=become(NOBODY))
    directory = "/dev/shm" if thing.path else mqueue_mounted
    before = thing.inode()
    os.chmod(directory, 0o755)
    result = carry_out(ipcctl, "--idle", status=1, drop=become(NOBODY))
    assert any(thing.ref in line and "denied" in line for line in result.errors), result
    assert "1 failed" in result.errors[-1] and thing.inode() == before
    os.chmod(directory, 0o1777)
    carry_out(ipcctl, "--idle", drop=become(NOBODY))
    assert thing.inode() is None


@pytest.mark.real_root
def test_processes_of_others_hidden(ipcctl, factory, mqueue_mounted, thing):
    """hidepid: the lease tells its owner of those who hold it; that there are none left alive it does not tell."""
    thing.make(factory, drop=become(NOBODY))
    before, fd = thing.inode(), thing.open()
    kernel.mount("proc", "/proc", "proc", 0, "hidepid=2")
    try:
        got = plan(ipcctl, *ALL, drop=become(NOBODY))[thing.ref]
        assert (got["state"], got["action"]) == ("in-use", "spare") and "lease refused" in got["reason"], got
        carry_out(ipcctl, *ALL, drop=become(NOBODY))
        assert thing.inode() == before
        os.close(fd)
        assert plan(ipcctl, drop=become(NOBODY))[thing.ref]["state"] == "idle"
        carry_out(ipcctl, drop=become(NOBODY))
        assert thing.inode() == before
        carry_out(ipcctl, "--idle", drop=become(NOBODY))
        assert thing.inode() is None
    finally:
        kernel.unmount("/proc")
