# SPDX-License-Identifier: MIT
"""FIFOs: found by their holders or by path, and who waits in open(2) of one."""

import contextlib
import ctypes
import errno
import os
import stat

import expect
import kernel
import pytest
from holdings import check, found, listed, not_there, only
from program import drop_capabilities, unescape

READ, WRITE = 1, 2
MS_BIND = 0x1000
ROLES = {"fd": [None, "reader", "writer", "both"]}

HOLDERS = {
    "both": ("r,w", "open"), "reader": ("r", "no-writer"), "writer": ("w", "no-reader"), "read-write": ("rw", "open"),
    "copies": ("r+dup,w+dup+dup", "open"), "closed": ("r+dup,w+close", "no-writer"), "child": ("r+w+fork", "open"),
    "processes": ("r,r,w,w,rw", "open"), "writer-in-flight": ("r,flight-w", "open"),
    "own-table": ("thread", "open"), "stopped": ("r+stop,w", "open"), "leader-gone": ("r,w+leave", "open"),
}


def expected(path, deleted=False):
    st = os.lstat(path)
    return {"kind": "fifo", "path": str(path), "device": kernel.mount_device(path), "inode": st.st_ino,
            "uid": st.st_uid, "gid": st.st_gid, "owner": expect.user(st.st_uid), "group": expect.group(st.st_gid),
            "mode": f"0{stat.S_IMODE(st.st_mode):03o}", "atime": int(st.st_atime), "mtime": int(st.st_mtime),
            "ctime": int(st.st_ctime), "deleted": deleted}


def openers(n):
    """How many are said to wait when n were found: none in sight is not none."""
    return None if n == 0 and kernel.processes_may_hide() else n


def all_views(ipcctl, ref, *words):
    return [listed(ipcctl, "fifo", *words)[ref], ipcctl.describe(ref),
            listed(ipcctl, "fifo", "-o", "all", *words)[ref]]


@pytest.mark.parametrize("holders, ends", HOLDERS.values(), ids=HOLDERS.keys())
def test_holders(ipcctl, factory, tmp_path, holders, ends):
    path = tmp_path / "f"
    truth = factory("fifo", path=str(path), hold=True, holders=holders, fill=10, mode="640")
    for o in all_views(ipcctl, f"fifo:{path}"):
        check(o, truth, ROLES)
        expect.matches(o, expected(path))
        if "thread" not in holders:
            assert (o["readers"], o["writers"]) == (found(truth, READ), found(truth, WRITE))
    # A writer that only a message has may be past telling, but is never denied.
    if not ipcctl.slow:  # valgrind makes no copies of descriptors
        assert o["ends"] in ([ends, None] if "flight" in holders else [ends])
        assert (o["queued"], o["capacity"]) == (10, truth["capacity"])
    assert o["nopeners"] == openers(0)


def test_a_reader_that_did_not_wait(ipcctl, tmp_path, copies):
    """Opened with O_NONBLOCK before any writer: poll(2) shows it no hang-up (fifo(7))."""
    os.mkfifo(tmp_path / "f")
    fd = os.open(tmp_path / "f", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert ipcctl.describe(f"fifo:{tmp_path}/f")["ends"] in ("no-writer", None)
        writer = os.open(tmp_path / "f", os.O_WRONLY)
        assert ipcctl.describe(f"fifo:{tmp_path}/f")["ends"] == "open"
        os.close(writer)
        assert ipcctl.describe(f"fifo:{tmp_path}/f")["ends"] == "no-writer"
    finally:
        os.close(fd)


@pytest.mark.parametrize("holders", ["r,w", "rw", "r"])
def test_unlinked(ipcctl, factory, tmp_path, holders):
    """Without a name it goes by its numbers, and its name may be another's."""
    path = tmp_path / "f"
    device = kernel.mount_device(tmp_path)
    gone = factory("fifo", path=str(path), hold=True, holders=holders, unlink=1)
    there = factory("fifo", path=str(path), hold=True, holders="w")
    ref = f"fifo:{device}:{gone['ino']}"
    got = listed(ipcctl, "fifo")
    check(got[ref], gone, ROLES)
    check(got[f"fifo:{path}"], there, ROLES)
    for o in all_views(ipcctl, ref):
        assert (o["deleted"], o["inode"], o["device"]) == (True, gone["ino"], device)
    gone["let_go"]()
    not_there(ipcctl, ref)


def test_hard_links(ipcctl, factory, tmp_path):
    """Two names of one FIFO have the same holders."""
    truth = factory("fifo", path=str(tmp_path / "a"), hold=True, holders="r,w")
    os.link(tmp_path / "a", tmp_path / "b")
    for name in "ab":
        check(ipcctl.describe(f"fifo:{tmp_path}/{name}"), truth, ROLES)


def test_nobody_has_it_open(ipcctl, factory, tmp_path):
    """Found by its path or its directory; a FIFO in sight is no reason to list others."""
    path = tmp_path / "idle"
    os.mkfifo(path, 0o600)
    assert f"fifo:{path}" not in listed(ipcctl, "fifo")
    for o in (ipcctl.describe(f"fifo:{path}"), listed(ipcctl, "fifo", "--path", str(tmp_path))[f"fifo:{path}"]):
        expect.matches(o, expected(path))
        # Processes outside of this PID namespace could have it open.
        assert not o.get("holders") and o["state"] != "in-use"
    described = ipcctl.describe(f"fifo:{path}")
    assert not {"queued", "capacity", "packet", "ends"} & {k for k, v in described.items() if v is not None}


def test_directories(ipcctl, factory, tmp_path):
    """Each --path is looked through, with what lies below it, and nothing else."""
    made = set()
    for name in ("a", "a/b", "a/b/c", "other"):
        (tmp_path / name).mkdir()
        os.mkfifo(tmp_path / name / "f")
        made.add(f"fifo:{tmp_path}/{name}/f")
    (tmp_path / "a" / "file").touch()
    os.symlink(tmp_path / "other", tmp_path / "a" / "link")
    os.symlink(tmp_path / "other" / "f", tmp_path / "a" / "f-link")
    below = {ref for ref in made if "/a/" in ref}
    assert listed(ipcctl, "fifo", "--path", str(tmp_path / "a")).keys() == below
    assert listed(ipcctl, "fifo", "--path", str(tmp_path / "a"), "--path", str(tmp_path / "other")).keys() == made
    # The same twice is the same.
    assert listed(ipcctl, "fifo", "--path", str(tmp_path / "a"), "--path", str(tmp_path)).keys() == made


def test_held_and_found(ipcctl, factory, tmp_path):
    """One that is held and lies below the directory is one object."""
    truth = factory("fifo", path=str(tmp_path / "f"), hold=True, holders="r,w")
    got = listed(ipcctl, "fifo", "--path", str(tmp_path))
    assert got.keys() == {f"fifo:{tmp_path}/f"}
    check(got[f"fifo:{tmp_path}/f"], truth, ROLES)


def test_a_directory_that_is_not_there(ipcctl, tmp_path):
    result = ipcctl("list", "fifo", "--path", str(tmp_path / "none"), "--json", status=None)
    assert result.status == 1 or result.json()["warnings"], result
    ipcctl.refuses("list", "posix-mq", "--path", str(tmp_path), words=["--path"])


@pytest.mark.parametrize("waiting", ["r", "w", "r,r", "w,w,w"])
@pytest.mark.parametrize("unlink", [0, 1], ids=["named", "unlinked"])
def test_openers(ipcctl, factory, tmp_path, waiting, unlink):
    """They have no descriptor yet; nothing else shows an unlinked one."""
    path = tmp_path / "f"
    truth = factory("fifo", path=str(path), hold=True, openers=waiting, unlink=unlink)
    if unlink:
        assert f"fifo:{path}" not in listed(ipcctl, "fifo", "-o", "all", "--path", str(tmp_path))
        return
    words = {"r": "read", "w": "write"}
    wanted = sorted((pid, words[o]) for pid, o in zip(truth["openers"], waiting.split(",")))
    for o in (ipcctl.describe(f"fifo:{path}"),
              listed(ipcctl, "fifo", "-o", "all", "--path", str(tmp_path))[f"fifo:{path}"]):
        assert o["nopeners"] == openers(len(wanted))
        assert sorted((row["pid"], row["access"]) for row in o["openers"]) == wanted
        for row in o["openers"]:
            assert row["command"].encode() == kernel.command(row["pid"])
            assert row["user"] == expect.user(os.geteuid())
        assert o["state"] == "in-use" and not o.get("holders")
    # They wait as before.
    assert kernel.blocked_in_open(truth["openers"]) == truth["openers"]


def test_openers_beside_holders(ipcctl, factory, tmp_path):
    """A writer holds it, another has it for reading: a third that opens it does not wait, so is a holder."""
    path = tmp_path / "f"
    truth = factory("fifo", path=str(path), hold=True, holders="w", openers="")
    waiting = factory("fifo", path=str(tmp_path / "g"), hold=True, openers="w")
    held, free = ipcctl.describe(f"fifo:{path}"), ipcctl.describe(f"fifo:{tmp_path}/g")
    check(held, truth, ROLES)
    assert held["nopeners"] == openers(0)
    assert [row["pid"] for row in free["openers"]] == waiting["openers"]


def test_an_opener_by_a_relative_path(ipcctl, factory, tmp_path):
    truth = factory("fifo", path="f", hold=True, openers="r", drop=lambda: os.chdir(tmp_path))
    assert [row["pid"] for row in ipcctl.describe(f"fifo:{tmp_path}/f")["openers"]] == truth["openers"]


def test_other_mount_namespaces(ipcctl, factory, tmp_path):
    """A path of another mount namespace leads elsewhere for us: it goes by its numbers."""
    def elsewhere():
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("tmpfs", "/mnt", "tmpfs")
    inside = factory("fifo", path="/mnt/f", hold=True, holders="r,w", drop=elsewhere)
    got = listed(ipcctl, "fifo")
    assert "fifo:/mnt/f" not in got
    o = only({"objects": [o for o in got.values() if o["inode"] == inside["ino"]]})
    assert o["ref"] == f"fifo:{o['device']}:{inside['ino']}"
    check(o, inside, ROLES)
    check(ipcctl.describe(o["ref"]), inside, ROLES)


@pytest.mark.parametrize("name", [b"new\nline", b"\x1b[2J\x07", b"\xff\xfe", b"x (deleted)", b"pipe:[1]", b"a b",
                                  b"back\\slash\\n", "\u202ertl".encode(), b"-rf", b"socket:[7]", b"x" * 255])
def test_hostile_names(ipcctl, factory, tmp_path, name):
    path = os.fsencode(tmp_path) + b"/" + name
    truth = factory("fifo", path=path, hold=True, holders="r,w")
    objects = listed(ipcctl, "fifo", "--path", str(tmp_path))
    assert {unescape(ref) for ref in objects} == {b"fifo:" + path}
    for o in [*objects.values(), ipcctl.describe(b"fifo:" + path)]:
        assert unescape(o["path"]) == path
        check(o, truth, ROLES)
    ipcctl("describe", b"fifo:" + path)
    raw = ipcctl("list", "fifo", "-0", "-o", "ref", "--path", str(tmp_path), "--quiet", clean=False).out
    assert raw == b"fifo:" + path + b"\0"


def test_four_thousand_bytes(ipcctl, factory, tmp_path):
    path = str(tmp_path)
    while len(path) < 3700:
        path += "/" + "d" * 200
    path += "/" + "f" * (3999 - len(path))
    os.makedirs(os.path.dirname(path))
    truth = factory("fifo", path=path, hold=True, holders="r,w")
    assert len(path) == 4000
    for o in (ipcctl.describe(f"fifo:{path}"), listed(ipcctl, "fifo")[f"fifo:{path}"]):
        check(o, truth, ROLES)


def test_longer_than_any_path(ipcctl, factory, tmp_path):
    """readlink(2) fails with ENAMETOOLONG: it goes by its numbers, and its holders are right."""
    deep = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: os.close(deep))
        for _ in range(22):
            os.mkdir("d" * 200, dir_fd=deep)
            deeper = os.open("d" * 200, os.O_PATH | os.O_DIRECTORY, dir_fd=deep)
            os.close(deep)
            deep = deeper
        truth = factory("fifo", path="f", hold=True, holders="r,w", drop=lambda: os.fchdir(deep))
    o = only({"objects": [o for o in listed(ipcctl, "fifo").values() if o["inode"] == truth["ino"]]})
    assert o["ref"] == f"fifo:{kernel.mount_device(tmp_path)}:{truth['ino']}"
    check(o, truth, ROLES)
    check(ipcctl.describe(o["ref"]), truth, ROLES)


@pytest.mark.parametrize("what", ["file", "directory", "socket", "symlink"])
def test_what_is_no_fifo(ipcctl, factory, tmp_path, what):
    """Said to be something else, or not found; never opened."""
    import socket
    path = tmp_path / "x"
    if what == "file":
        path.touch()
    elif what == "directory":
        path.mkdir()
    elif what == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        os.mkfifo(tmp_path / "target")
        path.symlink_to(tmp_path / "target")
    result = ipcctl("describe", f"fifo:{path}", "--quiet", status=None)
    if what == "symlink" and result.status == 0:
        return  # a name that leads there may be taken
    assert result.status == 1 and result.out == b"" and len(result.errors) == 1, result


def test_create(ipcctl, tmp_path):
    path = tmp_path / "f"
    assert ipcctl("create", "fifo", str(path), "--mode=0620").text == f"fifo:{path}\n"
    st = os.lstat(path)
    assert stat.S_ISFIFO(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o620
    ipcctl.refuses("create", "fifo", str(path), status=1, words=[str(path)])
    ipcctl("create", "fifo", str(path), "--exist-ok", "--mode=0666")
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o620, "what exists is never changed"
    (tmp_path / "file").write_text("x")
    ipcctl.refuses("create", "fifo", str(tmp_path / "file"), "--exist-ok", status=1)
    ipcctl.refuses("create", "fifo", str(tmp_path / "none" / "f"), status=1)


@pytest.mark.real_root
def test_create_for_somebody_else(ipcctl, tmp_path):
    """It has its owner from the first, and nothing else is left."""
    path = tmp_path / "f"
    ipcctl("create", "fifo", str(path), "--mode=0620", "--owner=1:2")
    st = os.lstat(path)
    assert stat.S_ISFIFO(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o620
    assert (st.st_uid, st.st_gid, st.st_nlink) == (1, 2, 1)
    ipcctl.refuses("create", "fifo", str(path), "--owner=3", status=1)
    ipcctl("create", "fifo", str(path), "--owner=3", "--exist-ok")
    assert os.lstat(path).st_uid == 1, "what exists is never changed"
    (tmp_path / "file").write_text("x")
    ipcctl.refuses("create", "fifo", str(tmp_path / "file"), "--owner=1", "--exist-ok", status=1)
    ipcctl.refuses("create", "fifo", str(tmp_path / "none" / "f"), "--owner=1", status=1)
    # A directory that hands its group on.
    (tmp_path / "d").mkdir()
    os.chown(tmp_path / "d", 0, 5)
    os.chmod(tmp_path / "d", 0o2777)
    ipcctl("create", "fifo", str(tmp_path / "d" / "f"), "--owner=1")
    st = os.lstat(tmp_path / "d" / "f")
    assert (st.st_uid, st.st_gid) == (1, 5)
    ipcctl.refuses("create", "fifo", str(tmp_path / "d" / "g"), "--owner=1", status=1, words=["--owner"],
                   drop=drop_capabilities)
    assert os.listdir(tmp_path / "d") == ["f"] and sorted(os.listdir(tmp_path)) == ["d", "f", "file"]


def refuse_openat2(error):
    """As an old kernel does, and a seccomp profile that is older than the call."""
    class Filter(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]

    # ld nr; jeq 437 (openat2 everywhere); ret ERRNO; ret ALLOW
    filters = (Filter * 4)((0x20, 0, 0, 0), (0x15, 0, 1, 437), (0x06, 0, 0, 0x50000 | error), (0x06, 0, 0, 0x7fff0000))
    program = Program(4, filters)

    def drop():
        kernel.call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        kernel.call("prctl", 22, 2, ctypes.byref(program), 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    return drop


@pytest.mark.parametrize("error", [None, errno.ENOSYS, errno.EPERM], ids=["openat2", "ENOSYS", "EPERM"])
def test_mounts_below_a_directory(ipcctl, tmp_path, error):
    """They are not entered, with openat2(2) and without; what is beside them is found."""
    for name in ("a", "a/b", "mounted", "a/bound"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "a" / "b" / "f")
    os.symlink(tmp_path / "a", tmp_path / "link")
    (tmp_path / "elsewhere").mkdir()
    kernel.mount("tmpfs", str(tmp_path / "mounted"), "tmpfs")
    # On one device with what lies around it, but another mount all the same.
    kernel.mount(str(tmp_path / "a" / "b"), str(tmp_path / "a" / "bound"), "none", MS_BIND)
    try:
        os.mkfifo(tmp_path / "mounted" / "f")
        document = ipcctl.json("list", "fifo", "--path", str(tmp_path), "-o", "ref", "--no-holders",
                               drop=error and refuse_openat2(error))
    finally:
        kernel.unmount(str(tmp_path / "mounted"))
        kernel.unmount(str(tmp_path / "a" / "bound"))
    assert [o["ref"] for o in document["objects"]] == [f"fifo:{tmp_path}/a/b/f"], document
    assert not [w for w in document.get("warnings", []) if "--path" in str(w)], document


@pytest.mark.parametrize("error", [None, errno.ENOSYS, errno.EPERM], ids=["openat2", "ENOSYS", "EPERM"])
def test_a_dead_file_system_below_a_directory(ipcctl, tmp_path, error):
    """A FUSE mount that nobody serves: whoever opens its root waits for ever."""
    os.mkfifo(tmp_path / "f")
    (tmp_path / "dead").mkdir()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as e:
        pytest.skip(f"/dev/fuse: {e}")
    try:
        kernel.mount("fuse", str(tmp_path / "dead"), "fuse", 0, f"fd={server},rootmode=40000,user_id=0,group_id=0")
        try:
            document = ipcctl.json("list", "fifo", "--path", str(tmp_path), "-o", "ref", "--no-holders", timeout=60,
                                   drop=error and refuse_openat2(error))
        finally:
            kernel.unmount(str(tmp_path / "dead"))
    finally:
        os.close(server)
    assert [o["ref"] for o in document["objects"]] == [f"fifo:{tmp_path}/f"]


def test_remove(ipcctl, factory, tmp_path):
    """Its name goes; who has it open keeps it."""
    path = tmp_path / "f"
    truth = factory("fifo", path=str(path), hold=True, holders="r,w")
    os.mkfifo(tmp_path / "g")
    ipcctl("remove", f"fifo:{path}", "--dry-run")
    assert path.exists()
    ipcctl("remove", f"fifo:{path}", f"fifo:{tmp_path}/g")
    assert os.listdir(tmp_path) == []
    o = only({"objects": [o for o in listed(ipcctl, "fifo").values() if o["inode"] == truth["ino"]]})
    assert o["deleted"] is True
    check(o, truth, ROLES)
    (tmp_path / "file").touch()
    assert ipcctl("remove", f"fifo:{tmp_path}/file", status=1).errors
    assert (tmp_path / "file").exists()
