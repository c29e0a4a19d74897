# SPDX-License-Identifier: MIT
"""What `clean` says of an object and does with it, against what the kernel says; and the processes
that such objects are left by."""

import contextlib
import ctypes
import os
import pty
import signal
import struct
import subprocess
import time

import kernel
from program import ENVIRONMENT

NOW = ("--older-than", "0")
SEM_UNDO = 0x1000
# A user who has no process but those that a test starts.
NOBODY_ELSE = 54321


def there(ref):
    """Whether the kernel has the object: by its id, or by its path."""
    kind, name = ref.split(":", 1)
    return os.path.lexists(name) if name.startswith("/") else kernel.exists(kind, int(name))


def record(ref):
    """All that the kernel tells of it."""
    kind, name = ref.split(":", 1)
    if name.startswith("/"):
        return os.lstat(name)
    if kind == "sysv-sem":
        return kernel.sem(int(name)), kernel.sem_each(int(name))
    return (kernel.shm if kind == "sysv-shm" else kernel.msg)(int(name))


def plan(ipcctl, *words, age="0", **options):
    """The rows by reference, those that are spared too."""
    document = ipcctl.json("clean", "-v", "--older-than", age, *words, **options)
    return {row["ref"]: row for row in document["candidates"]}


def judged(ipcctl, ref, state, goes, *words, **options):
    """Demands the verdict, and that it goes then or is as it was; returns the row of the plan."""
    before = record(ref)
    row = plan(ipcctl, *words, **options)[ref]
    assert (row["state"], row["action"]) == (state, "remove" if goes else "spare"), row
    assert there(ref)
    result = ipcctl("clean", "--remove", "--yes", *NOW, *words, **options)
    assert there(ref) is not goes, result
    assert (f"removed {ref}" in result.lines) is goes, result
    if not goes:
        after = record(ref)
        assert after == before or (isinstance(before, os.stat_result) and os.path.samestat(before, after))
    return row


def until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def next_second(moment):
    """Waits until the clock shows the next second: stamps made from then on differ, and whoever begins is younger
    than what was recorded at that moment. Stamps are taken to lag by the tenth of a second."""
    until(lambda: time.time() > int(moment) + 1.2, "the clock stands still")


# Processes


def started(body, uid=None):
    """(pid, what body returned: a number) of a new process; ends with the pipe that is returned third."""
    result, answer = os.pipe()
    wait, hold = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(hold)
            if uid is not None:
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            os.write(answer, str(body()).encode())
            os.close(answer)
            os.read(wait, 1)
            status = 0
        finally:
            os._exit(status)
    os.close(answer)
    os.close(wait)
    said = os.read(result, 64)
    os.close(result)
    if not said:
        os.close(hold)
        os.waitpid(pid, 0)
        raise AssertionError("the process failed")
    return pid, int(said), hold


@contextlib.contextmanager
def lives(body, uid=None):
    """A process that has done that, and lives on for so long."""
    pid, answer, hold = started(body, uid)
    try:
        yield pid, answer
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(hold)
        os.waitpid(pid, 0)


def dies(body, uid=None):
    """A process that has done that, and is no more."""
    with lives(body, uid) as done:
        return done


# System V


def attach(ident):
    kernel.libc.shmat.restype = ctypes.c_void_p
    address = kernel.libc.shmat(ident, None, 0)
    assert address != ctypes.c_void_p(-1).value, os.strerror(ctypes.get_errno())
    return address


def detach(address):
    kernel.call("shmdt", ctypes.c_void_p(address))


def touch(ident):
    """Attached and let go: the last user."""
    detach(attach(ident))
    return ident


def segment(size=4096):
    return kernel.shmget(kernel.IPC_PRIVATE, size, 0o600)


def semop(ident, op, flags=0):
    kernel.call("semop", ident, struct.pack("Hhh", 0, op, flags), ctypes.c_size_t(1))
    return ident


def semaphores():
    """A set that was changed once, by who calls."""
    return semop(kernel.semget(kernel.IPC_PRIVATE, 1, 0o600), 3)


def queue(messages=1, left=0):
    """A queue that messages were sent to, of which some are left."""
    ident = kernel.msgget(kernel.IPC_PRIVATE, 0o600)
    for _ in range(messages):
        kernel.msg_send(ident, 1, b"x")
    if left == 0:
        kernel.msg_drain(ident)
    return ident


MAKERS = {"sysv-shm": segment, "sysv-sem": semaphores, "sysv-msg": queue}


def left_behind(kind, uid=None):
    """One whose maker is gone: its reference."""
    return f"{kind}:{dies(MAKERS[kind], uid)[1]}"


# On a terminal


class Asked:
    """`clean --remove` on a terminal, stopped where it asks."""

    def __init__(self, ipcctl, *words, drop=None):
        self.ipcctl, self.said = ipcctl, b""
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(ipcctl.command("clean", "--remove", *NOW, *words), stdin=slave, stdout=slave,
                                        stderr=slave, env=ENVIRONMENT, cwd=ipcctl.cwd, preexec_fn=drop,
                                        start_new_session=True)
        os.close(slave)

    def __enter__(self):
        while b"[y/N] " not in self.said:
            assert self.read(), self.said
        return self

    def read(self):
        try:
            data = os.read(self.master, 4096)
        except OSError:  # the other side is closed
            data = b""
        self.said += data
        return data

    def answer(self, text):
        """What it says from then on, and its status."""
        before = len(self.said)
        os.write(self.master, text)
        while self.read():
            pass
        status = self.process.wait(timeout=60)
        assert status >= 0 and status not in (98, 99), (self.said, self.ipcctl.reports())
        return status, self.said[before:].decode()

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
