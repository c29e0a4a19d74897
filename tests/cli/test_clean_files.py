# SPDX-License-Identifier: MIT
"""Files of sockets and FIFOs: those that nobody can come back to, and what `clean` does with them."""

import errno
import os
import socket
import time

import expect
import kernel
import pytest
from cleaning import NOBODY_ELSE, NOW, judged, lives, next_second, plan, there
from namespaces import as_the_first
from program import NOBODY, become
from test_filesystems import overlay

OTHER_NETWORK = {"drop": lambda: kernel.unshare(kernel.CLONE_NEWNET)}
TYPES = [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM]


@pytest.fixture(autouse=True)
def looked_up(lookups):
    """All of this is about files."""


def bound(path, kind=socket.SOCK_STREAM, listen=False, mode=0o777):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(str(path))
    os.chmod(path, mode)
    if listen:
        s.listen()
        s.setblocking(False)
    return s


def stale(path, uid=None, **options):
    """The file of a socket that is no more; its reference."""
    bound(path, **options).close()
    if uid is not None:
        os.chown(path, uid, uid)
    return f"unix-socket:{path}"


def answers(path, kind=socket.SOCK_STREAM):
    """Whether a socket is bound to the file, by the kernel's word."""
    with socket.socket(socket.AF_UNIX, kind) as s:
        return s.connect_ex(str(path)) == 0


def below(directory, *words):
    return "unix-socket", "--path", str(directory), *words


def spared(ipcctl, path, state="in-use", directory=None, **options):
    """Under whatever name its socket goes: no row says that it is to go, one has the state, and it does not."""
    before, words = os.lstat(path), below(directory or path.parent)
    rows = plan(ipcctl, *words, **options).values()
    assert all(row["action"] == "spare" for row in rows), rows
    assert any(row["state"] == state for row in rows), rows
    ipcctl("clean", "--remove", "--yes", "--idle", "--stale", *NOW, *words, **options)
    assert os.path.samestat(os.lstat(path), before)


# Sockets


@pytest.mark.parametrize("kind", TYPES)
def test_nobody_listens(ipcctl, tmp_path, kind):
    """Nothing can ever be bound to the file again."""
    ref = stale(tmp_path / "s", kind=kind)
    assert not answers(tmp_path / "s", kind)
    judged(ipcctl, ref, "orphaned", True, *below(tmp_path))


def test_renamed(ipcctl, tmp_path):
    stale(tmp_path / "s")
    os.rename(tmp_path / "s", tmp_path / "t")
    judged(ipcctl, f"unix-socket:{tmp_path}/t", "orphaned", True, *below(tmp_path))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("listen", [False, True], ids=["bound", "listens"])
def test_bound(ipcctl, tmp_path, kind, listen):
    """It is not noticed that it was asked."""
    listen = listen and kind != socket.SOCK_DGRAM
    with bound(tmp_path / "s", kind, listen) as s:
        spared(ipcctl, tmp_path / "s")
        if listen:
            with pytest.raises(BlockingIOError):
                s.accept()
        assert answers(tmp_path / "s", kind) is (listen or kind == socket.SOCK_DGRAM)
    judged(ipcctl, f"unix-socket:{tmp_path}/s", "orphaned", True, *below(tmp_path))


def test_backlog_is_full(ipcctl, factory, tmp_path):
    factory("unix-listener", hold=True, name=str(tmp_path / "s"), backlog=0, pending=1, holders="a")
    spared(ipcctl, tmp_path / "s")


@pytest.mark.parametrize("kind", ["unix-listener", "unix-dgram"])
def test_in_another_network_namespace(ipcctl, factory, tmp_path, kind):
    """Nothing lists its socket here."""
    truth = factory(kind, hold=True, name=str(tmp_path / "s"), holders="a", **OTHER_NETWORK)
    judged(ipcctl, f"unix-socket:{tmp_path}/s", "in-use", False, *below(tmp_path))
    truth["let_go"]()
    judged(ipcctl, f"unix-socket:{tmp_path}/s", "orphaned", True, *below(tmp_path))


@pytest.mark.parametrize("elsewhere", [{}, OTHER_NETWORK], ids=["here", "other-network"])
def test_renamed_and_alive(ipcctl, factory, tmp_path, elsewhere):
    factory("unix-listener", hold=True, name=str(tmp_path / "s"), holders="a", **elsewhere)
    os.rename(tmp_path / "s", tmp_path / "t")
    spared(ipcctl, tmp_path / "t")
    assert answers(tmp_path / "t")


@pytest.mark.parametrize("kind", TYPES)
def test_renamed_and_bound(ipcctl, tmp_path, kind):
    """Nobody listens, and no name leads there: but who is bound may yet listen."""
    with bound(tmp_path / "s", kind) as s:
        os.rename(tmp_path / "s", tmp_path / "t")
        spared(ipcctl, tmp_path / "t")
        if kind != socket.SOCK_DGRAM:
            s.listen()
        assert answers(tmp_path / "t", kind)


def test_replaced_by_a_second_server(ipcctl, tmp_path):
    """The file of the first was renamed, and is of nobody when that is gone."""
    with bound(tmp_path / "s", listen=True) as first:
        os.rename(tmp_path / "s", tmp_path / "old")
        with bound(tmp_path / "s", listen=True):
            first.close()
            judged(ipcctl, f"unix-socket:{tmp_path}/old", "orphaned", True, *below(tmp_path))
            assert answers(tmp_path / "s")


def test_mounted_elsewhere(ipcctl, tmp_path):
    for name in "a", "b":
        (tmp_path / name).mkdir()
    (tmp_path / "b" / "s").touch()
    with bound(tmp_path / "a" / "s", listen=True):
        kernel.mount(str(tmp_path / "a" / "s"), str(tmp_path / "b" / "s"), "none", kernel.MS_BIND)
        try:
            for name in "a", "b":
                spared(ipcctl, tmp_path / name / "s")
            assert answers(tmp_path / "a" / "s") and answers(tmp_path / "b" / "s")
        finally:
            kernel.unmount(str(tmp_path / "b" / "s"))


def test_layers(ipcctl, overlay, tmp_path):
    """Whose name led through the overlay, or past it: nobody can tell, and it may be served."""
    upper = tmp_path / "memory" / "upper"
    for at, other in (overlay, upper), (upper, overlay):
        with bound(at / "s", listen=True):
            spared(ipcctl, other / "s", "unknown")
            assert answers(at / "s")
        os.unlink(at / "s")


@pytest.mark.real_root
def test_not_permitted_to_ask(ipcctl, tmp_path):
    """To connect takes write permission."""
    os.chmod(tmp_path, 0o755)
    directory = "/dev/shm/d"
    os.mkdir(directory, 0o755)
    ref = stale(f"{directory}/s", mode=0o600)
    row = judged(ipcctl, ref, "unknown", False, *below(directory), drop=become(NOBODY))
    assert "write permission" in row["reason"]
    judged(ipcctl, ref, "orphaned", True, *below(directory))


@pytest.mark.real_root
def test_sticky_directory(ipcctl):
    """What others own may not be removed there, proof or not; what the user owns may."""
    theirs, own = stale("/dev/shm/theirs"), stale("/dev/shm/own", NOBODY)
    assert os.stat("/dev/shm").st_mode & 0o1000
    row = judged(ipcctl, theirs, "orphaned", False, *below("/dev/shm", "--name", "*/theirs"), drop=become(NOBODY))
    assert "owner" in row["why"]
    result = ipcctl("clean", "--remove", "--yes", *NOW, *below("/dev/shm"), drop=become(NOBODY))
    assert (there(theirs), there(own)) == (True, False)
    assert "1 spared for want of proof or rights; more rights could tell: CAP_LEASE" in result.errors[-1]


@pytest.mark.real_root
def test_directory_of_another(ipcctl):
    """Its owner may not unlink it there: said when it fails."""
    os.mkdir("/dev/shm/d", 0o755)
    ref = stale("/dev/shm/d/s", NOBODY)
    result = ipcctl("clean", "--remove", "--yes", *NOW, *below("/dev/shm/d"), status=1, drop=become(NOBODY))
    said = f"ipcctl: clean {ref}: {os.strerror(errno.EACCES)} (owner {expect.user(NOBODY)})"
    assert there(ref) and said in result.errors and "1 failed" in result.errors[-1]


def test_from_the_future(ipcctl, tmp_path):
    """Its age is none: too young for any other, and no reason to spare it if it is asked for."""
    ref = stale(tmp_path / "s")
    os.utime(tmp_path / "s", (kernel.AHEAD, kernel.AHEAD))
    for age in "1", "1m":
        row = plan(ipcctl, *below(tmp_path), age=age)[ref]
        assert (row["age"], row["state"], row["action"]) == (0, "orphaned", "spare"), row
    next_second(time.time())
    ipcctl("clean", "--remove", "--yes", "--older-than", "1", *below(tmp_path))
    assert there(ref)
    judged(ipcctl, ref, "orphaned", True, *below(tmp_path))


def test_only_below_the_directory(ipcctl, tmp_path):
    """Neither above nor beside it, nor where a link leads; no file that is something else."""
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    inside, outside = stale(tmp_path / "d" / "e" / "s"), [stale(tmp_path / "s"), stale(tmp_path / "other" / "s")]
    os.symlink(tmp_path / "other", tmp_path / "d" / "link")
    os.symlink(tmp_path / "s", tmp_path / "d" / "file-link")
    (tmp_path / "d" / "file").touch()
    ipcctl("clean", "--remove", "--yes", *NOW, "--path", str(tmp_path / "d"))
    assert not there(inside) and all(there(ref) for ref in outside)
    assert sorted(os.listdir(tmp_path / "d")) == ["e", "file", "file-link", "link"]


# FIFOs


def fifo(path, uid=None):
    os.mkfifo(path, 0o600)
    if uid is not None:
        os.chown(path, uid, uid)
    return f"fifo:{path}"


@pytest.mark.parametrize("words", [[], ["--stale", "--idle"]], ids=["plain", "all"])
@pytest.mark.parametrize("made", [{"openers": "r"}, {"openers": "w"}, {"holders": "r"}, {"holders": "r,w"}],
                         ids=["reader-waits", "writer-waits", "reader", "both"])
def test_fifo_in_use(ipcctl, factory, tmp_path, made, words):
    """Whoever waits in open(2) has no descriptor yet."""
    truth = factory("fifo", hold=True, path=str(tmp_path / "f"), **made)
    ref = f"fifo:{tmp_path}/f"
    judged(ipcctl, ref, "in-use", False, "fifo", "--path", str(tmp_path), *words, drop=as_the_first)
    truth["let_go"]()
    judged(ipcctl, ref, "stale", False, "fifo", "--path", str(tmp_path), *words, drop=as_the_first)


def test_fifo_of_nobody_in_sight(ipcctl, tmp_path):
    """Who is out of sight may have it open."""
    if not kernel.processes_may_hide():
        pytest.skip("this is the first PID namespace")
    judged(ipcctl, fifo(tmp_path / "f"), "unknown", False, "fifo", "--path", str(tmp_path), "--stale", "--idle")


@pytest.mark.real_root
def test_fifo_of_a_user_without_processes(ipcctl, tmp_path):
    ref, words = fifo(tmp_path / "f", NOBODY_ELSE), ["--path", str(tmp_path)]
    judged(ipcctl, ref, "stale", False, *words, drop=as_the_first)
    with lives(os.getpid, NOBODY_ELSE):
        judged(ipcctl, ref, "stale", False, *words, "--stale", drop=as_the_first)
    judged(ipcctl, ref, "stale", True, *words, "--stale", drop=as_the_first)
