# SPDX-License-Identifier: MIT
"""What changes between the plan and the removal, and what ends `clean` half-way."""

import array
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
import time

import kernel
import pytest
from cleaning import (Asked, MAKERS, NOBODY_ELSE, NOW, attach, detach, dies, left_behind, lives, next_second, record,
                      segment, semop, there, until)
from namespaces import as_the_first
from program import ENVIRONMENT, become

SLOTS = 32768  # an id is a sequence number times this and a slot
PATH = ["unix-socket", "--path", "/dev/shm"]
REMOVE = kernel.REMOVERS["sysv-shm"]


def number(ref):
    return int(ref.split(":")[1])


def spared(asked, ref, why):
    """Said, counted, and left as it is now."""
    before = record(ref)
    status, said = asked.answer(b"y\n")
    assert status == 1 and f"ipcctl: clean {ref}: spared, " in said and why in said, said
    assert "1 spared, for they changed" in said and f"removed {ref}" not in said
    assert record(ref) == before


def gone(asked, ref):
    """That somebody else removed it is no error."""
    status, said = asked.answer(b"y\n")
    assert status == 0 and ref not in said and "nothing removed" in said, said


# Segments


def test_attached(ipcctl):
    ref, other = left_behind("sysv-shm"), left_behind("sysv-shm")
    with Asked(ipcctl) as asked:
        address = attach(number(ref))
        try:
            spared(asked, ref, "somebody has attached it")
            assert kernel.shm(number(ref))["nattch"] == 1 and not there(other)
        finally:
            detach(address)


def test_attached_for_a_moment(ipcctl):
    """Nobody has it attached now, but somebody came back."""
    ref = left_behind("sysv-shm")
    with Asked(ipcctl) as asked:
        dies(lambda: attach(number(ref)))
        assert kernel.shm(number(ref))["nattch"] == 0
        spared(asked, ref, "it was used meanwhile")


def test_removed_by_somebody_else(ipcctl):
    ref = left_behind("sysv-shm")
    with Asked(ipcctl) as asked:
        REMOVE(number(ref))
        gone(asked, ref)


def next_id(kind, ident):
    """The kernel gives the next object of the kind this id (Documentation/admin-guide/sysctl/kernel.rst)."""
    try:
        with open(f"/proc/sys/kernel/{kind.removeprefix('sysv-')}_next_id", "w", encoding="ascii") as f:
            f.write(str(ident))
    except OSError as error:
        pytest.skip(f"no id can be chosen: {error}")


def test_slot_of_another(ipcctl):
    """The kernel gives the place of the old one to a new one."""
    ref = left_behind("sysv-shm")
    with Asked(ipcctl) as asked:
        REMOVE(number(ref))
        next_id("sysv-shm", number(ref) + SLOTS)
        assert segment() == number(ref) + SLOTS
        gone(asked, ref)
    assert kernel.exists("sysv-shm", number(ref) + SLOTS)


@pytest.mark.parametrize("maker", ["alive", "dead"])
def test_id_of_another(ipcctl, maker):
    """And even the same id."""
    ref = left_behind("sysv-shm")
    with Asked(ipcctl) as asked:
        REMOVE(number(ref))
        next_id("sysv-shm", number(ref))
        assert (segment() if maker == "alive" else dies(segment)[1]) == number(ref)
        spared(asked, ref, "another object has taken its place")


# Sets and queues


@pytest.fixture(params=["sysv-sem", "sysv-msg"])
def stale(request, ipcctl):
    """(reference, question) of a set or a queue of a user without processes."""
    ref = left_behind(request.param, NOBODY_ELSE)
    with Asked(ipcctl, "--stale", drop=as_the_first) as asked:
        yield ref, asked


def use(ref):
    if ref.startswith("sysv-sem"):
        return semop(number(ref), 1)
    return kernel.msg_send(number(ref), 1, b"x") or 0


@pytest.mark.real_root
def test_used(stale):
    ref, asked = stale
    next_second(time.time())
    dies(lambda: use(ref))
    spared(asked, ref, "it was used meanwhile")


@pytest.mark.real_root
def test_owner_came_back(stale):
    ref, asked = stale
    with lives(os.getpid, NOBODY_ELSE) as (pid, _):
        spared(asked, ref, f"process {pid} ")


@pytest.mark.real_root
@pytest.mark.parametrize("kind", ["sysv-sem", "sysv-msg"])
def test_maker_came_back(ipcctl, factory, kind):
    """To what it gave to somebody else without a process."""
    truth = factory(kind, uid=NOBODY_ELSE + 1, drop=become(NOBODY_ELSE),
                    **({"values": "1"} if kind == "sysv-sem" else {"messages": "1:1"}))
    ref = f"{kind}:{truth['id']}"
    with Asked(ipcctl, "--stale", "--with-messages", drop=as_the_first) as asked, \
            lives(os.getpid, NOBODY_ELSE) as (pid, _):
        spared(asked, ref, f"process {pid} ")


@pytest.mark.real_root
def test_nobody_came_back(stale):
    """Without a change it goes: what the others are held against."""
    ref, asked = stale
    assert asked.answer(b"y\n")[0] == 0 and not there(ref)


@pytest.mark.real_root
def test_somebody_waits(ipcctl, stale, background):
    ref, asked = stale
    call = (f"semop({number(ref)}, struct.pack('Hhh', 0, -9, 0), 1)" if ref.startswith("sysv-sem") else
            f"msgrcv({number(ref)}, ctypes.create_string_buffer(64), 8, 7, 0)")
    pid = background(sys.executable, "-c", f"import ctypes, struct; ctypes.CDLL(None).{call}").pid

    def waits():
        with open(f"/proc/{pid}/wchan", encoding="ascii") as f:
            return f.read() in ("do_msgrcv", "__do_semtimedop", "do_semtimedop")
    until(waits, "it does not wait")
    spared(asked, ref, f"process {pid} waits for it" if ref.startswith("sysv-msg") else "1 task blocked on it")


@pytest.mark.real_root
def test_set_of_the_same_id(ipcctl, stale):
    """Of another owner."""
    ref, asked = stale
    kind = ref.split(":")[0]
    kernel.REMOVERS[kind](number(ref))
    next_id(kind, number(ref))
    assert MAKERS[kind]() == number(ref)
    spared(asked, ref, "another object has taken its place")


# Files


def bind(name, listen=False):
    s = socket.socket(socket.AF_UNIX)
    s.bind(name)
    if listen:
        s.listen()
    return s


@pytest.fixture
def file(ipcctl, lookups):
    """(path, reference, question) of a socket file that nothing is bound to."""
    bind("/dev/shm/s").close()
    with Asked(ipcctl, *PATH) as asked:
        yield "/dev/shm/s", "unix-socket:/dev/shm/s", asked


def test_file_is_gone(file):
    path, ref, asked = file
    os.unlink(path)
    gone(asked, ref)


def test_file_is_renamed(file):
    path, ref, asked = file
    os.rename(path, "/dev/shm/t")
    gone(asked, ref)
    assert os.path.lexists("/dev/shm/t")


def test_server_was_started(file):
    """Under the name of the old file there is a new one, and it is served."""
    path, ref, asked = file
    os.unlink(path)
    with bind(path, listen=True):
        spared(asked, ref, "another object has taken its place")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)


def test_server_on_the_same_inode(ipcctl, lookups, tmp_path):
    """Some file systems give the next file the number of the last."""
    path = tmp_path / "s"
    bind(str(path)).close()
    number = os.stat(path).st_ino
    with Asked(ipcctl, "unix-socket", "--path", str(tmp_path)) as asked:
        os.unlink(path)
        with bind(str(path), listen=True):
            if os.stat(path).st_ino != number:
                pytest.skip("not this file system")
            spared(asked, f"unix-socket:{path}", "in-use")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/etc/passwd", path),
                                  lambda path: open(path, "x").close()], ids=["directory", "fifo", "link", "file"])
def test_something_else_has_the_name(file, make):
    path, ref, asked = file
    os.unlink(path)
    make(path)
    spared(asked, ref, "another object has taken its place")


def test_directory_was_swapped(ipcctl, lookups):
    """What lies where the path leads now is another file."""
    for name in "d", "e":
        os.mkdir(f"/dev/shm/{name}")
        bind(f"/dev/shm/{name}/s").close()
    with Asked(ipcctl, "unix-socket", "--path", "/dev/shm/d") as asked:
        os.rename("/dev/shm/d", "/dev/shm/old")
        os.symlink("e", "/dev/shm/d")
        spared(asked, "unix-socket:/dev/shm/d/s", "another object has taken its place")
    assert there("unix-socket:/dev/shm/e/s") and there("unix-socket:/dev/shm/old/s")


@pytest.mark.real_root
@pytest.mark.parametrize("made", [{"openers": "r"}, {"holders": "r"}], ids=["waits", "has-it"])
def test_fifo_was_opened(ipcctl, factory, lookups, made):
    os.mkfifo("/dev/shm/f")
    os.chown("/dev/shm/f", NOBODY_ELSE, NOBODY_ELSE)
    with Asked(ipcctl, "fifo", "--path", "/dev/shm", "--stale", drop=as_the_first) as asked:
        factory("fifo", hold=True, path="/dev/shm/f", exists=1, **made)
        spared(asked, "fifo:/dev/shm/f", "somebody has it open, or is about to")


# Signals


def queued(pipe):
    """Bytes that lie in a pipe."""
    n = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, n)
    return n[0]


@pytest.fixture
def many(lookups):
    """So many socket files, of names so long, that what is said of them fills a pipe half-way."""
    directory = "/dev/shm/" + "d" * 200
    os.mkdir(directory)
    before = os.getcwd()
    os.chdir(directory)
    try:
        for i in range(2000):
            bind(str(i)).close()
    finally:
        os.chdir(before)
    return directory


def interrupted(ipcctl, directory, number, *words, ignored=()):
    """Stopped where its output is full, sent the signal, then read: (status, lines, errors)."""
    def ignore():
        for n in ignored:
            signal.signal(n, signal.SIG_IGN)

    process = subprocess.Popen(ipcctl.command("clean", "--remove", "--yes", *NOW, "unix-socket", "--path", directory,
                                              *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=ENVIRONMENT, cwd=ipcctl.cwd, preexec_fn=ignore)
    size = fcntl.fcntl(process.stdout, 1031, 4096)  # F_SETPIPE_SZ
    until(lambda: queued(process.stdout) > size // 2 and kernel.process_state(process.pid) == "S", "it does not write")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode().splitlines(), err.decode().splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_half_way(ipcctl, many, number):
    """What was told is gone and what was not is there; once more does the rest."""
    status, lines, errors = interrupted(ipcctl, many, number)
    left = {f"removed unix-socket:{many}/{name}" for name in os.listdir(many)}
    assert status == -number and 0 < len(left) < 2000
    assert len(lines) == 2000 - len(left) and not left & set(lines)
    assert f"ipcctl: {len(lines)} objects removed; interrupted, {len(left)} left" in errors
    ipcctl("clean", "--remove", "--yes", *NOW, "unix-socket", "--path", many)
    assert os.listdir(many) == []


def test_signals_that_are_ignored(ipcctl, many):
    """As under nohup(1): they end nothing."""
    status, lines, _ = interrupted(ipcctl, many, signal.SIGHUP, ignored=[signal.SIGHUP])
    assert status == 0 and len(lines) == 2000 and os.listdir(many) == []


def test_ended_at_the_question(ipcctl):
    """Nothing has begun."""
    ref = left_behind("sysv-shm")
    with Asked(ipcctl) as asked:
        asked.process.send_signal(signal.SIGINT)
        assert asked.process.wait(timeout=60) == -signal.SIGINT
    assert there(ref)


def test_nobody_reads(ipcctl, many):
    """What it cannot say, it does not do for ever: it ends, and whole."""
    process = subprocess.Popen(ipcctl.command("clean", "--remove", "--yes", *NOW, "unix-socket", "--path", many),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=ipcctl.cwd)
    process.stdout.close()
    process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) != 0
    ipcctl("clean", "--remove", "--yes", *NOW, "unix-socket", "--path", many)
    assert os.listdir(many) == []
