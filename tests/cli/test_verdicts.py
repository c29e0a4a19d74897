# SPDX-License-Identifier: MIT
"""States: who holds an object, and what proves that nobody does, against what was made here."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import time

import kernel
import pytest
from program import ENVIRONMENT, become

NOBODY = 65534
MS_BIND = 4096  # sys/mount.h


def states(ipcctl, *words, prove=True):
    document = ipcctl.json("list", "persistent", *(["--prove"] if prove else []), *words)
    return {o["ref"]: o["state"] for o in document["objects"]}


def reason(ipcctl, ref):
    return ipcctl.json("describe", ref, "--prove")["objects"][0]["reason"]


MADE = [("posix-shm", "posix-shm:/x", "/dev/shm/x", {"size": 4096}),
        ("posix-sem", "posix-sem:/x", "/dev/shm/sem.x", {"value": 1}),
        ("posix-mq", "posix-mq:/x", None, {})]


@pytest.fixture(params=MADE, ids=[kind for kind, _, _, _ in MADE])
def made(request, factory):
    """An object that nobody holds: (reference, how to open it)."""
    kind, ref, path, arguments = request.param
    factory(kind, name="/x", **arguments)
    return ref, lambda flags=os.O_RDWR: kernel.mq_open(b"/x", flags) if path is None else os.open(path, flags)


def test_nobody(ipcctl, made):
    """Without a proof nothing is said; with it the older processes of its owner could come back."""
    ref, _ = made
    assert states(ipcctl, prove=False)[ref] == "unknown"
    assert states(ipcctl)[ref] == "idle" and "nobody has it open" in reason(ipcctl, ref)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR], ids=["read", "write"])
def test_open(ipcctl, made, flags):
    ref, opened = made
    fd = opened(flags)
    assert states(ipcctl)[ref] == "in-use"
    os.close(fd)
    assert states(ipcctl)[ref] == "idle"


def test_under_way(ipcctl, made):
    """A descriptor in a socket's queue is no process's: the kernel knows of it all the same."""
    ref, opened = made
    a, b = socket.socketpair()
    with a, b:
        fd = opened()
        socket.send_fds(a, [b"x"], [fd])
        os.close(fd)
        assert states(ipcctl, prove=False)[ref] == "unknown"
        assert states(ipcctl)[ref] == "in-use" and "as the kernel tells" in reason(ipcctl, ref)
    assert states(ipcctl)[ref] == "idle"


def test_killed(ipcctl, made, background):
    """Whoever is gone holds nothing."""
    ref, opened = made
    fd = opened()
    os.set_inheritable(fd, True)
    process = background("sleep", "99", pass_fds=[fd])
    os.close(fd)
    assert states(ipcctl)[ref] == "in-use"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert states(ipcctl)[ref] == "idle"


def test_stopped(ipcctl, made, background):
    ref, opened = made
    fd = opened()
    process = background("sleep", "99", pass_fds=[fd])
    os.close(fd)
    process.send_signal(signal.SIGSTOP)
    assert states(ipcctl)[ref] == "in-use"


@pytest.mark.parametrize("protection", [1, 3], ids=["read", "write"])
@pytest.mark.parametrize("kind", ["posix-shm", "posix-sem"])
def test_mapped_only(ipcctl, factory, kind, protection):
    factory(kind, name="/x", **({"size": 4096} if kind == "posix-shm" else {}))
    path = "/dev/shm/x" if kind == "posix-shm" else "/dev/shm/sem.x"
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    fd = os.open(path, os.O_RDWR)
    address = libc.mmap(None, 4096, protection, 1, fd, ctypes.c_long(0))
    os.close(fd)
    assert states(ipcctl)[f"{kind}:/x"] == "in-use"
    libc.munmap(ctypes.c_void_p(address), 4096)
    assert states(ipcctl)[f"{kind}:/x"] == "idle"


def test_hidden_holder(ipcctl, made):
    """One in a PID namespace that is looked at from another: no scan sees it, the kernel does."""
    ref, opened = made
    fd = opened()
    inside = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc",
                             *ipcctl.command("list", "--prove", "-r", "-H", "-o", "ref,state", "--quiet")],
                            capture_output=True, check=True, text=True, env=ENVIRONMENT)
    os.close(fd)
    assert f"{ref}\tin-use" in inside.stdout.splitlines()


def test_other_name(ipcctl, factory):
    """A hard link: the same file, open through its other name."""
    factory("posix-shm", name="/x", size=1)
    os.link("/dev/shm/x", "/dev/shm/y")
    with open("/dev/shm/y", "rb"):
        assert states(ipcctl)["posix-shm:/x"] == "in-use"


def test_leased(ipcctl, factory):
    """Somebody who has a lease himself has the file open."""
    factory("posix-shm", name="/x", size=1)
    fd = os.open("/dev/shm/x", os.O_RDONLY)
    old = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert states(ipcctl)["posix-shm:/x"] == "in-use"
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, old)


def test_mounted_elsewhere(ipcctl, factory, tmp_path):
    """The lease is blind to that."""
    factory("posix-shm", name="/x y", size=1)
    target = tmp_path / "target"
    target.touch()
    kernel.mount("/dev/shm/x y", str(target), "none", MS_BIND)
    try:
        assert states(ipcctl)["posix-shm:/x y"] == "unknown"
        assert "mounted elsewhere" in reason(ipcctl, "posix-shm:/x y")
    finally:
        kernel.unmount(str(target))
    assert states(ipcctl)["posix-shm:/x y"] == "idle"


def test_mounted_in_another_namespace(ipcctl, factory, background, tmp_path):
    """Of processes in sight: any of that namespace tells."""
    factory("posix-shm", name="/x", size=1)
    (tmp_path / "target").touch()
    script = 'mount --bind /dev/shm/x "$0" && echo && exec sleep 99'
    process = background("unshare", "--mount", "sh", "-c", script, str(tmp_path / "target"), stdout=subprocess.PIPE)
    assert process.stdout.read(1) == b"\n"
    assert states(ipcctl)["posix-shm:/x"] == "unknown" and "mounted elsewhere" in reason(ipcctl, "posix-shm:/x")
    process.kill()
    process.wait()
    assert states(ipcctl)["posix-shm:/x"] == "idle"


@pytest.mark.parametrize("prove", [False, True], ids=["passive", "prove"])
def test_path_descriptors(ipcctl, made, mqueue_mounted, prove):
    """Whoever has it with O_PATH reaches no data, but could come back: the lease is blind to that."""
    ref, opened = made
    fd = opened(os.O_PATH) if not ref.startswith("posix-mq") else os.open(mqueue_mounted + "/x", os.O_PATH)
    assert states(ipcctl, prove=prove)[ref] == "unknown" and "O_PATH" in reason(ipcctl, ref)
    other = opened(os.O_RDONLY)
    assert states(ipcctl, prove=prove)[ref] == "in-use"
    os.close(other)
    os.close(fd)


def test_no_files(ipcctl, factory):
    os.mkfifo("/dev/shm/fifo")
    os.symlink("/etc/passwd", "/dev/shm/link")
    assert states(ipcctl) == {"posix-shm:/fifo": "unknown", "posix-shm:/link": "unknown"}


def test_messages(ipcctl, factory):
    """They are somebody's, and said."""
    factory("posix-mq", name="/q", messages="0:3,0:3")
    assert "2 messages" in reason(ipcctl, "posix-mq:/q")


@pytest.mark.real_root
def test_not_permitted(ipcctl, factory):
    """Who may not take the lease cannot prove anything."""
    factory("posix-shm", name="/x", size=1, mode="666")
    document = ipcctl.json("list", "posix-shm", "--prove", drop=become(NOBODY))
    o, = document["objects"]
    assert o["state"] == "unknown" and "CAP_LEASE" in o["reason"] and not document["complete"]


@pytest.mark.real_root
def test_of_a_user(ipcctl, factory):
    """Who owns it can prove it."""
    factory("posix-shm", name="/x", size=1, drop=become(NOBODY))
    assert ipcctl.json("list", "posix-shm", "--prove", drop=become(NOBODY))["objects"][0]["state"] == "idle"


def test_it_disturbs_nothing(ipcctl, made):
    """No time stamp moves, and whoever opens it right then gets it."""
    ref, opened = made

    def look():
        fd = opened(os.O_RDONLY)
        st = os.fstat(fd)
        os.close(fd)
        return st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns, st.st_size, st.st_nlink

    before = look()
    process = subprocess.Popen(ipcctl.command("list", "persistent", "--prove", "-r"), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    while process.poll() is None:
        os.close(opened(os.O_RDWR))
    assert process.returncode == 0 and look() == before and ref in states(ipcctl)


# System V


def test_sets(ipcctl, factory):
    """Who waits; whoever changed it last; and nobody: a set tells no more."""
    waits = factory("sysv-sem", hold=True, nsems=2, values="1,0", block="1:-1")
    assert states(ipcctl)[f"sysv-sem:{waits['id']}"] == "in-use"
    mine = kernel.semget(0, 1, 0o600)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.semctl(mine, 0, 16, 3) == 0
    assert states(ipcctl)[f"sysv-sem:{mine}"] == "idle"
    assert str(os.getpid()) in reason(ipcctl, f"sysv-sem:{mine}")


def test_set_of_the_dead(ipcctl):
    ident = kernel.semget(0, 1, 0o600)
    script = f"import ctypes\nassert ctypes.CDLL(None).semctl({ident}, 0, 16, 3) == 0"
    subprocess.run(["/usr/bin/python3", "-c", script], check=True)
    assert states(ipcctl)[f"sysv-sem:{ident}"] == "stale"
    assert ipcctl.json("list", "sysv-sem", "--no-holders")["objects"][0]["state"] == "unknown"


def test_queues(ipcctl, factory):
    """Last sender and receiver; one that waits counts before all."""
    ident = kernel.msgget(0, 0o600)
    kernel.msg_send(ident, 1, b"x")
    assert states(ipcctl)[f"sysv-msg:{ident}"] == "idle"
    waits = factory("sysv-msg", hold=True, receivers="5")
    assert states(ipcctl)[f"sysv-msg:{waits['id']}"] == "in-use"


def test_relay(ipcctl, factory, background):
    """Short-lived holders, one after the other, with never a moment without one."""
    factory("posix-shm", name="/x", size=1)
    background("sh", "-c", "exec 3</dev/shm/x; while :; do sh -c 'exec 4<&3; sleep 0.01' & wait; done")
    deadline = time.monotonic() + 20
    while states(ipcctl)["posix-shm:/x"] == "idle":
        assert time.monotonic() < deadline
    for _ in range(20):
        assert states(ipcctl)["posix-shm:/x"] == "in-use"
