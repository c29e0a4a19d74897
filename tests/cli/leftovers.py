# SPDX-License-Identifier: MIT
"""What `clean` plans and does, against files and queues as the kernel shows them."""

import contextlib
import copy
import ctypes
import errno
import fcntl
import os
import pty
import select
import subprocess
import time

import kernel
import pytest
from program import ENVIRONMENT

KINDS = ["posix-shm", "posix-sem", "posix-mq"]
NOW = ("--older-than", "0")
ALL = ("--idle", "--stale", "--with-messages")
PATIENCE = 60  # seconds
MS_BIND = 4096  # sys/mount.h


class Named:
    """A segment, semaphore or queue of this name; it need not be there."""

    def __init__(self, kind, name="/x"):
        self.kind, self.name, self.ref = kind, name, f"{kind}:{name}"
        self.path = {"posix-shm": "/dev/shm", "posix-sem": "/dev/shm/sem."}.get(kind)
        if self.path:
            self.path += name if kind == "posix-shm" else name[1:]

    def make(self, factory, **arguments):
        factory(self.kind, name=self.name, **arguments)
        return self

    def open(self, flags=os.O_RDWR):
        return os.open(self.path, flags) if self.path else kernel.mq_open(self.name, flags)

    def inode(self):
        """None: nothing has this name."""
        try:
            if self.path:
                return os.lstat(self.path).st_ino
            fd = self.open(os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return os.fstat(fd).st_ino
        finally:
            os.close(fd)

    def unlink(self):
        if self.path:
            os.unlink(self.path)
        else:
            kernel.call("mq_unlink", os.fsencode(self.name))


def plan(ipcctl, *words, **options):
    """The candidates by reference, spared ones included."""
    document = ipcctl.json("clean", "-v", *NOW, *words, **options)
    return {o["ref"]: o for o in document["candidates"]}


def carry_out(ipcctl, *words, status=0, **options):
    return ipcctl("clean", "--remove", "--yes", *NOW, *words, status=status, **options)


def spared(ipcctl, thing, state, why=""):
    """It has this verdict, and no run takes it; what was left behind beside it goes, so they do run."""
    before = thing.inode()
    assert before is not None
    got = plan(ipcctl, *ALL)[thing.ref]
    assert (got["state"], got["action"]) == (state, "spare") and why in got["reason"] + got["why"], got
    carry_out(ipcctl)
    assert thing.inode() == before
    beside = "/dev/shm/left-behind"
    with open(beside, "xb"):
        pass
    carry_out(ipcctl, *ALL)
    assert thing.inode() == before and not os.path.lexists(beside)


def taken(ipcctl, thing, *words, why=""):
    """Nobody has it, and somebody could come back to it: it goes with --idle, and not without."""
    before = thing.inode()
    got = plan(ipcctl, *words)[thing.ref]
    assert (got["state"], got["action"]) == ("idle", "spare") and why in got["reason"], got
    assert thing.ref not in carry_out(ipcctl, *words).text and thing.inode() == before is not None
    assert plan(ipcctl, "--idle", *words)[thing.ref]["action"] == "remove"
    assert f"removed {thing.ref}" in carry_out(ipcctl, "--idle", *words).lines
    assert thing.inode() is None


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def fits_in_lease(path):
    """Whether nobody has it open, by the lease, which is what the program asks, too."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        return True
    except OSError as error:
        assert error.errno == errno.EAGAIN, error
        return False
    finally:
        os.close(fd)


def read_until(master, mark, said=b""):
    """What comes from a terminal until the mark, or with None until its end."""
    while mark is None or mark not in said:
        assert select.select([master], [], [], PATIENCE)[0], said
        try:
            data = os.read(master, 4096)
        except OSError:  # nobody has the other end any more
            data = b""
        if not data:
            assert mark is None, said
            break
        said += data
    return said


class Asked:
    """What became of a question."""
    status = said = None


@contextlib.contextmanager
def asked(ipcctl, *words):
    """clean --remove on a terminal: the body runs while it asks, then the answer is yes."""
    master, slave = pty.openpty()
    process = subprocess.Popen(ipcctl.command("clean", "--remove", *NOW, *words), stdin=slave, stdout=slave,
                               stderr=slave, env=ENVIRONMENT, start_new_session=True)
    os.close(slave)
    answer = Asked()
    try:
        read_until(master, b"[y/N] ")
        yield answer
        os.write(master, b"y\n")
        answer.said = read_until(master, None).decode()
        answer.status = process.wait(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def first_namespace(ipcctl, directory):
    """The program, led to believe that this PID namespace is the first: there nobody is out of sight, if the
    kernel has no more threads than it sees. Only there is what nobody holds `orphaned` or `stale`."""
    mine, first = os.readlink("/proc/self/ns/pid").encode(), b"pid:[4026531836]"
    with open(ipcctl.path, "rb") as f:
        program = f.read()
    led, loadavg = copy.copy(ipcctl), directory / "loadavg"
    led.path = str(directory / "ipcctl")
    # Compilers compare a word at once; those of the first eight bytes are the same.
    word = ctypes.sizeof(ctypes.c_long)
    for at in range(8, len(first), word):
        program = program.replace(first[at:at + word], mine[at:at + word])
    (directory / "ipcctl").write_bytes(program)
    os.chmod(led.path, 0o755)
    loadavg.write_text("0.00 0.00 0.00 1/1 1\n")
    kernel.mount(str(loadavg), "/proc/loadavg", "none", MS_BIND)
    if mine[:8] != first[:8] or not led.json("list", "posix-shm")["complete"]:
        kernel.unmount("/proc/loadavg")
        pytest.skip("the program cannot be led to believe that it is in the first PID namespace")
    return led
