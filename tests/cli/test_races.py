# SPDX-License-Identifier: MIT
"""Objects that come and go while they are looked at: no error, no crash, no lie."""

import contextlib
import os
import stat

import kernel
import pytest
from conftest import repeats
from program import MISSING, Churn, drop_capabilities


def churn_sysv():
    made = [("sysv-shm", kernel.shmget(0, 4096, kernel.IPC_CREAT | 0o600)),
            ("sysv-sem", kernel.semget(0, 2, kernel.IPC_CREAT | 0o600)),
            ("sysv-msg", kernel.msgget(0, kernel.IPC_CREAT | 0o600))]
    for kind, ident in made:
        kernel.REMOVERS[kind](ident)


def churn_files():
    for name in ("x", "sem.x", "y"):
        with open("/dev/shm/" + name, "wb") as f:
            f.write(b"\0" * 32)
    os.mkdir("/dev/shm/d")
    open("/dev/shm/d/x", "wb").close()
    os.symlink("x", "/dev/shm/l")
    os.unlink("/dev/shm/d/x")
    for name in ("x", "sem.x", "y", "l"):
        os.unlink("/dev/shm/" + name)
    os.rmdir("/dev/shm/d")


def churn_queues():
    os.close(kernel.call("mq_open", b"/x", os.O_RDWR | os.O_CREAT, 0o600, None))
    kernel.call("mq_unlink", b"/x")


def churn_types():
    """The same name is now a file, now a FIFO, now a link, now a directory."""
    path = "/dev/shm/x"
    open(path, "wb").close()
    os.unlink(path)
    os.mkfifo(path)
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    os.unlink(path)
    os.mkdir(path)
    os.rmdir(path)


CHURNS = {"sysv": churn_sysv, "posix": churn_files, "posix-mq": churn_queues, "posix-shm": churn_types}


@pytest.mark.parametrize("kind", CHURNS)
def test_listing(ipcctl, kind):
    with Churn(CHURNS[kind]):
        for i in range(repeats(ipcctl, 200)):
            words = [["--json"], ["--raw", "-o", "all"], ["-0"]][i % 3]
            result = ipcctl("list", kind, "--no-holders", *words, clean="-0" not in words)
            # With every field named, what is not read unless asked for may be remarked.
            assert "all" in words or result.err == b"", result
            if words == ["--json"]:
                document = result.json()
                assert document["complete"] is True, document


def test_listing_queues_by_a_mount(ipcctl, factory, mqueue_mounted):
    """Without the right to attach the file system itself, a mount is looked through; that
    its queues come and go must not make it look like another namespace's."""
    factory("posix-mq", name="/anchor")
    with Churn(churn_queues):
        for _ in range(repeats(ipcctl, 200)):
            result = ipcctl("list", "posix-mq", "--raw", "--no-holders", drop=drop_capabilities)
            # While no queue stays long enough to be compared, the mount cannot be told.
            assert result.err == b"" or b"nothing proves" in result.err, result


@pytest.mark.parametrize("ref", ["posix-shm:/x", "posix-sem:/x", "posix-mq:/x", "posix-shm:/d/x"])
def test_describing(ipcctl, ref):
    """Either it is described, or it is not there; nothing between."""
    churn = churn_queues if ref.startswith("posix-mq") else churn_files
    content = ["--content"] if ref.startswith("posix-shm") else []
    with Churn(churn):
        for _ in range(repeats(ipcctl, 100)):
            result = ipcctl("describe", ref, "--json", *content, status=None)
            assert result.status in (0, 1), result
            if result.status == 1:
                assert len(result.errors) == 1, result
                assert MISSING.fullmatch(result.errors[0]) or "another" in result.errors[0], result
            else:
                assert result.json()["objects"][0]["ref"] == ref


def test_describing_something_that_changes_its_type(ipcctl):
    with Churn(churn_types):
        for _ in range(repeats(ipcctl, 100)):
            result = ipcctl("describe", "posix-shm:/x", "--content", "--json", status=None, timeout=60)
            assert result.status in (0, 1), result
            if result.status == 0:
                for o in result.json()["objects"]:
                    assert not o.get("content"), o


def test_removing_what_somebody_else_removes(ipcctl):
    """Gone already, or removed by us: never an error of another sort, never something else."""
    def make():
        try:
            open("/dev/shm/x", "xb").close()
        except FileExistsError:
            pass
    with Churn(make):
        for _ in range(repeats(ipcctl, 100)):
            result = ipcctl("remove", "posix-shm:/x", status=None)
            assert result.status in (0, 1), result
            assert len(result.errors) <= 1, result


def test_never_the_type_that_was_not_meant(ipcctl):
    """A name that becomes a directory, a link or a FIFO under our eyes is not removed as one."""
    with Churn(churn_types) as churn:
        for _ in range(repeats(ipcctl, 100)):
            result = ipcctl("remove", "posix-shm:/x", status=None)
            assert result.status in (0, 1), result
            # The other side may find its file gone: that is what was asked for.
            if result.status == 0:
                break
        churn.stop.set()
        churn.thread.join()
        if isinstance(churn.error, FileNotFoundError):
            churn.error = None


AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def swapped_directory():
    """/dev/shm/d is now a directory, now a symbolic link to where a victim, x, lies. Yields a
    descriptor of that directory and the churn."""
    os.mkdir("/dev/shm/d")
    os.mkdir("/dev/shm/victims")
    os.mkfifo("/dev/shm/victims/x")
    os.symlink("victims", "/dev/shm/l")
    directory = os.open("/dev/shm/d", os.O_RDONLY | os.O_DIRECTORY)

    def swap():
        kernel.call("renameat2", AT_FDCWD, b"/dev/shm/d", AT_FDCWD, b"/dev/shm/l", RENAME_EXCHANGE)
    try:
        with Churn(swap):
            yield directory
    finally:
        os.close(directory)


def victim_is_well():
    st = os.lstat("/dev/shm/victims/x")
    return stat.S_ISFIFO(st.st_mode) and st.st_uid == os.geteuid() and os.listdir("/dev/shm/victims") == ["x"]


def test_a_socket_in_a_directory_that_is_swapped(ipcctl):
    """Its file goes with it, wherever it was made; what lies where the path leads by then stays."""
    made = 0
    with swapped_directory() as directory:
        for _ in range(repeats(ipcctl, 200)):
            result = ipcctl("create", "unix-socket", "/dev/shm/d/x", "--", "true", status=None)
            assert result.status in (0, 1), result
            made += result.status == 0
            assert victim_is_well() and os.listdir(directory) == [], result
    assert made or ipcctl.slow


def test_a_socket_made_elsewhere(ipcctl):
    """Where nothing is in the way: never is a file left behind."""
    with swapped_directory() as directory:
        os.unlink("/dev/shm/victims/x")
        for _ in range(repeats(ipcctl, 200)):
            result = ipcctl("create", "unix-socket", "/dev/shm/d/x", "--", "true", status=None)
            assert result.status in (0, 1), result
            assert os.listdir("/dev/shm/victims") == os.listdir(directory) == [], result


@pytest.mark.real_root
def test_a_fifo_in_a_directory_that_is_swapped(ipcctl):
    made = 0
    with swapped_directory() as directory:
        for _ in range(repeats(ipcctl, 200)):
            result = ipcctl("create", "fifo", "/dev/shm/d/x", "--owner=1:1", status=None)
            assert victim_is_well(), result
            assert os.listdir(directory) == (["x"] if result.status == 0 else []), result
            if result.status == 0:
                made += 1
                assert os.lstat("x", dir_fd=directory).st_uid == 1
                os.unlink("x", dir_fd=directory)
    assert made or ipcctl.slow


@pytest.mark.real_root
@pytest.mark.parametrize("drop", [None, drop_capabilities], ids=["given", "refused"])
def test_a_fifo_that_is_replaced_is_not_given_away(ipcctl, drop):
    """Whoever may write in the directory puts another FIFO of root's in its place."""
    os.mkfifo("/dev/shm/bait", 0o600)
    bait = os.open("/dev/shm/bait", os.O_PATH)

    def replace():
        os.rename("/dev/shm/bait", "/dev/shm/x")
        os.rename("/dev/shm/x", "/dev/shm/bait")
    try:
        with Churn(replace):
            for _ in range(repeats(ipcctl, 200)):
                ipcctl("create", "fifo", "/dev/shm/x", "--owner=1:1", status=1 if drop else None, drop=drop)
                st = os.fstat(bait)
                assert (st.st_uid, st.st_nlink) == (0, 1)
    finally:
        os.close(bait)
    assert set(os.listdir("/dev/shm")) <= {"bait", "x"}


def test_summary_and_limits_while_everything_moves(ipcctl):
    with Churn(churn_sysv), Churn(churn_files), Churn(churn_queues):
        for _ in range(repeats(ipcctl, 50)):
            assert ipcctl("summary", "--no-holders", "--quiet").err == b""
            assert ipcctl("limits", "--json").json()["complete"] is True
