# SPDX-License-Identifier: MIT
"""create: what was asked for is what the kernel then has."""

import ctypes
import os
import stat

import expect
import kernel
import pytest
from calls import NARROW
from program import drop_capabilities


def create(ipcctl, *words, **options):
    """Creates one and returns its reference, which is all that is printed."""
    result = ipcctl("create", *words, **options)
    assert len(result.lines) == 1 and not result.errors, result
    return result.lines[0]


def accept(ipcctl, *words):
    """create --exist-ok of what exists: the reference, and a remark that --quiet leaves out."""
    result = ipcctl("create", *words, "--exist-ok")
    assert len(result.lines) == 1, result
    assert len(result.errors) == 1 and "exists already" in result.errors[0], result
    assert ipcctl("create", *words, "--exist-ok", "--quiet").err == b""
    return result.lines[0]


def ident(ref, kind):
    assert ref.startswith(kind + ":")
    return int(ref.removeprefix(kind + ":"))


UMASK_ALL = dict(drop=lambda: os.umask(0o777))


def test_segment(ipcctl):
    shmid = ident(create(ipcctl, "sysv-shm", "--size", "12345"), "sysv-shm")
    got = kernel.shm(shmid)
    assert (got["size"], got["mode"], got["key"], got["nattch"]) == (12345, 0o600, 0, 0)


@pytest.mark.parametrize("size, expected", [("1", 1), ("64K", 65536), ("3M", 3 << 20), ("0x1000", 4096)])
def test_segment_sizes(ipcctl, size, expected):
    assert kernel.shm(ident(create(ipcctl, "sysv-shm", f"--size={size}"), "sysv-shm"))["size"] == expected


@pytest.mark.parametrize("kind, more, look", [("sysv-shm", ["--size=1"], kernel.shm), ("sysv-sem", [], kernel.sem),
                                              ("sysv-msg", [], kernel.msg)])
def test_sysv_keys_and_modes(ipcctl, kind, more, look, tmp_path):
    got = look(ident(create(ipcctl, kind, *more, "--key", "0xc0ffee01", "--mode", "0646", **UMASK_ALL), kind))
    assert (got["key"], got["mode"]) == (0xC0FFEE01, 0o646)
    path = tmp_path / "token"
    path.touch()
    got = look(ident(create(ipcctl, kind, *more, "--path", path, "--project", "65"), kind))
    assert (got["key"], got["mode"]) == (kernel.ftok(path, 65), 0o600)
    # Without --key each is private and new.
    refs = {create(ipcctl, kind, *more) for _ in range(3)}
    assert len(refs) == 3
    # Exclusive: what exists is refused, and named.
    result = ipcctl.refuses("create", kind, *more, "--key", "0xc0ffee01", status=1)
    assert "File exists" in result.errors[0]


@pytest.mark.parametrize("kind, more, look", [
    ("sysv-shm", ["--size=8192", "--mode=666"], kernel.shm), ("sysv-sem", ["--nsems=9", "--mode=666"], kernel.sem),
    ("sysv-msg", ["--qbytes=100", "--mode=666"], kernel.msg)])
def test_sysv_exist_ok_changes_nothing(ipcctl, factory, kind, more, look):
    truth = factory(kind, key=0x77, mode="600")
    before = look(truth["id"])
    assert accept(ipcctl, kind, *more, "--key=0x77") == f"{kind}:{truth['id']}"
    assert look(truth["id"]) == before
    # And makes one where there is none.
    new = create(ipcctl, kind, *more, "--key=0x78", "--exist-ok")
    assert look(ident(new, kind))["mode"] == 0o666


def test_semaphores(ipcctl):
    semid = ident(create(ipcctl, "sysv-sem", "--nsems", "3"), "sysv-sem")
    assert [s["value"] for s in kernel.sem_each(semid)] == [0, 0, 0]
    semid = ident(create(ipcctl, "sysv-sem", "--values", "1,0,32767"), "sysv-sem")
    assert [s["value"] for s in kernel.sem_each(semid)] == [1, 0, 32767]


def test_values_and_nsems_must_agree(ipcctl):
    ipcctl.refuses("create", "sysv-sem", "--nsems=2", "--values=1,2,3")
    for values in ("", "1,", "1,,2", "32768", "-1", "x", "1 2"):
        ipcctl.refuses("create", "sysv-sem", "--values", values)
    assert kernel.sysvipc("sem") == []


def test_queue(ipcctl):
    got = kernel.msg(ident(create(ipcctl, "sysv-msg", "--qbytes", "4K", "--mode=640"), "sysv-msg"))
    assert (got["qbytes"], got["mode"], got["messages"]) == (4096, 0o640, 0)
    default = kernel.msg(ident(create(ipcctl, "sysv-msg"), "sysv-msg"))
    assert default["qbytes"] == kernel.sysctl("kernel/msgmnb")[0]


def test_posix_shm(ipcctl):
    assert create(ipcctl, "posix-shm", "/jobs", "--size=3M", "--mode=0646", **UMASK_ALL) == "posix-shm:/jobs"
    st = os.lstat("/dev/shm/jobs")
    assert (stat.S_ISREG(st.st_mode), st.st_mode & 0o7777, st.st_size) == (True, 0o646, 3 << 20)
    assert st.st_blocks == 0
    # A leading slash is what shm_open(3) wants and what nobody has to type.
    assert create(ipcctl, "posix-shm", "plain") == "posix-shm:/plain"
    assert os.lstat("/dev/shm/plain").st_mode & 0o777 == 0o600


def test_posix_shm_is_what_shm_open_finds(ipcctl):
    create(ipcctl, "posix-shm", "/jobs", "--size=100")
    fd = kernel.call("shm_open", b"/jobs", os.O_RDWR, 0)
    assert os.fstat(fd).st_size == 100
    os.close(fd)


def test_posix_shm_exclusive(ipcctl, factory):
    factory("posix-shm", name="/a", size=10, mode="0640")
    before = os.lstat("/dev/shm/a")
    assert "File exists" in ipcctl.refuses("create", "posix-shm", "/a", "--size=20", status=1).errors[0]
    assert accept(ipcctl, "posix-shm", "/a", "--size=20", "--mode=666") == "posix-shm:/a"
    assert os.lstat("/dev/shm/a") == before


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo"])
def test_planted_things_are_not_taken_for_objects(ipcctl, factory, kind, tmp_path):
    """Not followed, not written through, not blocked on; --exist-ok is no excuse."""
    target = tmp_path / "target"
    extra = {"target": str(target)} if kind == "symlink" else {}
    factory("file", name="/dev/shm/x", type=kind, **extra)
    factory("file", name="/dev/shm/sem.x", type=kind, **extra)
    for thing in "posix-shm", "posix-sem":
        for more in [], ["--exist-ok"]:
            ipcctl.refuses("create", thing, "/x", *more, status=1, timeout=20)
    assert not target.exists()
    assert len(kernel.files()) == 2


def semaphore_file(ipcctl, name):
    return "/dev/shm/" + ("" if ipcctl.musl else "sem.") + name.removeprefix("/")


def semaphore_ref(ipcctl, name):
    return "posix-sem:" + ("musl:" if ipcctl.musl else "") + name


def sem_value(name):
    semaphore = kernel.libc.sem_open
    semaphore.restype = ctypes.c_void_p
    handle = semaphore(name, 0)
    assert handle
    value = ctypes.c_int()
    kernel.call("sem_getvalue", ctypes.c_void_p(handle), ctypes.byref(value))
    kernel.call("sem_close", ctypes.c_void_p(handle))
    return value.value


@pytest.mark.parametrize("value", [0, 1, 77, 2147483647])
def test_posix_sem(ipcctl, own_factory, value):
    """What it makes is what this libc opens, and makes."""
    ref = semaphore_ref(ipcctl, "/s")
    assert create(ipcctl, "posix-sem", "/s", f"--value={value}", "--mode=0622", **UMASK_ALL) == ref
    if not ipcctl.musl:  # else the interpreter's may be another libc
        assert sem_value(b"/s") == value
    own_factory("posix-sem", name="/made", value=value)
    with open(semaphore_file(ipcctl, "/s"), "rb") as ours, open(semaphore_file(ipcctl, "/made"), "rb") as made:
        # musl's sem_open(3) writes but three words of it, and then what is on its stack.
        assert ours.read()[:12 if ipcctl.musl else None] == made.read()[:12 if ipcctl.musl else None]
    assert os.lstat(semaphore_file(ipcctl, "/s")).st_mode & 0o7777 == 0o622
    assert ipcctl.describe(ref)["value"] == value


def test_posix_sem_exclusive(ipcctl, own_factory):
    own_factory("posix-sem", name="/s", value=3)
    with open(semaphore_file(ipcctl, "/s"), "rb") as f:
        before = f.read()
    ipcctl.refuses("create", "posix-sem", "/s", "--value=9", status=1)
    ref = semaphore_ref(ipcctl, "/s")
    assert accept(ipcctl, "posix-sem", "/s", "--value=9") == ref
    with open(semaphore_file(ipcctl, "/s"), "rb") as f:
        assert f.read() == before
    assert ipcctl.describe(ref)["value"] == 3


def test_posix_mq(ipcctl):
    words = ["posix-mq", "/q", "--maxmsg=7", "--msgsize=100", "--mode=0646"]
    assert create(ipcctl, *words, **UMASK_ALL) == "posix-mq:/q"
    got = kernel.mq("/q")
    assert (got["maxmsg"], got["msgsize"], got["curmsgs"], got["mode"]) == (7, 100, 0, 0o646)
    ipcctl.refuses("create", "posix-mq", "/q", status=1)
    assert accept(ipcctl, "posix-mq", "/q", "--maxmsg=3") == "posix-mq:/q"
    assert kernel.mq("/q")["maxmsg"] == 7


def test_posix_mq_defaults(ipcctl):
    """One attribute given, the other is the system's default."""
    create(ipcctl, "posix-mq", "/a")
    create(ipcctl, "posix-mq", "/b", "--maxmsg=2")
    create(ipcctl, "posix-mq", "/c", "--msgsize=16")
    maxmsg, msgsize = kernel.sysctl("fs/mqueue/msg_default")[0], kernel.sysctl("fs/mqueue/msgsize_default")[0]
    assert [(kernel.mq(n)["maxmsg"], kernel.mq(n)["msgsize"]) for n in ("/a", "/b", "/c")] == [
        (maxmsg, msgsize), (2, msgsize), (maxmsg, 16)]


def test_json_shows_what_was_made(ipcctl):
    for words, look in [
            (["sysv-shm", "--size=4096", "--key=0x99"], lambda o: expect.sysv_shm(o["id"])),
            (["sysv-sem", "--nsems=2"], lambda o: expect.sysv_sem(o["id"])),
            (["sysv-msg"], lambda o: expect.sysv_msg(o["id"])),
            (["posix-shm", "/a", "--size=77"], lambda o: expect.posix_shm("a")),
            (["posix-sem", "/b", "--value=4"],
             lambda o: expect.posix_sem("musl:/b", file="b") if ipcctl.musl else expect.posix_sem("/b")),
            (["posix-mq", "/c"], lambda o: expect.posix_mq("/c"))]:
        document = ipcctl.json("create", *words)
        assert len(document["objects"]) == 1
        # The processes that it names are gone by now; the kernel's numbers are not.
        got = {k: v for k, v in document["objects"][0].items() if not k.endswith("_command")}
        expect.matches(got, look(got))


@pytest.mark.real_root
def test_owner(ipcctl):
    for words, owner in [(["sysv-shm", "--size=1"], lambda r: kernel.shm(ident(r, "sysv-shm"))),
                         (["sysv-sem"], lambda r: kernel.sem(ident(r, "sysv-sem"))),
                         (["sysv-msg"], lambda r: kernel.msg(ident(r, "sysv-msg"))),
                         (["posix-mq", "/q"], lambda r: kernel.mq("/q"))]:
        got = owner(create(ipcctl, *words, "--owner", "65534:12", "--mode=640"))
        assert (got["uid"], got["gid"], got["mode"]) == (65534, 12, 0o640)
    for kind, file in (("posix-shm", "/dev/shm/x"), ("posix-sem", semaphore_file(ipcctl, "/y"))):
        create(ipcctl, kind, "/" + file[-1], "--owner=65534:12", "--mode=640")
        st = os.lstat(file)
        assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (65534, 12, 0o640)


def test_owner_that_may_not_be_given_leaves_nothing(ipcctl):
    """The right to change an owner is missing: no half-made object stays behind."""
    for words in (["posix-shm", "/x"], ["posix-sem", "/x"], ["posix-mq", "/x"]):
        result = ipcctl("create", *words, "--owner=12345", status=1, drop=drop_capabilities)
        assert len(result.errors) == 1
    assert kernel.files() == {}
    assert not kernel.mq_exists("/x")


@pytest.mark.parametrize("kind", ["sysv-shm", "posix-shm", "posix-mq"])
def test_unknown_owner(ipcctl, kind):
    more = {"sysv-shm": ["--size=1"]}.get(kind, ["/x"])
    for owner in ("no-such-user", "root:no-such-group", "", "4294967296", "-1", "root:", ":"):
        ipcctl.refuses("create", kind, *more, "--owner", owner, words=[owner.removeprefix("root:")])
    assert kernel.files() == {} and kernel.sysvipc("shm") == []


@pytest.mark.real_root
def test_huge_pages(ipcctl):
    result = ipcctl("create", "sysv-shm", "--size=2M", "--huge-page-size=2M", status=None)
    if result.status:
        # Without free pages the kernel refuses, and it is said why in one line.
        assert result.status == 1 and len(result.errors) == 1 and "huge" in result.errors[0], result
        pytest.skip("no free huge page of 2 MiB: set vm.nr_hugepages to test this")
    assert kernel.shm(ident(result.lines[0], "sysv-shm"))["size"] == 2 << 20
    # Attached, it lies in the mapping's page size.
    with open("/proc/meminfo", encoding="ascii") as f:
        assert "HugePages_Rsvd" in f.read()


def set_sysctl(name, value):
    with open("/proc/sys/" + name, "w", encoding="ascii") as f:
        f.write(str(value))


@pytest.mark.parametrize("limit, value, kind, more, made", [
    ("kernel/shmmni", 1, "sysv-shm", ["--size=1"], "shm"), ("kernel/msgmni", 1, "sysv-msg", [], "msg")])
def test_full_tables_say_which_limit(ipcctl, limit, value, kind, more, made):
    try:
        set_sysctl(limit, value)
    except OSError as error:
        pytest.skip(f"{limit} of this namespace cannot be set: {error.strerror}")
    create(ipcctl, kind, *more)
    result = ipcctl.refuses("create", kind, *more, status=1)
    assert "No space left on device" in result.errors[0] and limit[7:] in result.errors[0]
    assert len(kernel.sysvipc(made)) == 1


def test_too_big_for_the_kernel(ipcctl):
    # Where words are narrow it does not even fit into the call.
    ipcctl.refuses("create", "sysv-shm", "--size=18446744073709551615", status=2 if NARROW else 1)
    ipcctl.refuses("create", "posix-shm", "/x", "--size=18446744073709551615", status=1)
    ipcctl.refuses("create", "posix-mq", "/x", "--maxmsg=1000000000", status=1)
    assert kernel.files() == {} and kernel.sysvipc("shm") == []
    assert not kernel.mq_exists("/x")


def test_names(ipcctl):
    long_name = "n" * 255
    assert create(ipcctl, "posix-shm", "/" + long_name) == "posix-shm:/" + long_name
    assert os.path.exists("/dev/shm/" + long_name)
    for kind, longest in (("posix-shm", 255), ("posix-sem", 255 if ipcctl.musl else 251), ("posix-mq", 255)):
        for name in ("", "/", "//", "/a/b", "a/b", "/.", "/..", "/" + "n" * (longest + 1), "/" + "n" * 5000):
            result = ipcctl.refuses("create", kind, name)
            assert len(result.errors[0]) < 4096
    assert len(kernel.files()) == 1


def test_a_name_is_needed_or_refused(ipcctl):
    for kind in ("posix-shm", "posix-sem", "posix-mq"):
        ipcctl.refuses("create", kind)
        ipcctl.refuses("create", kind, "/a", "/b", words=["/b"])
    ipcctl.refuses("create", "sysv-msg", "name", words=["name"])
    ipcctl.refuses("create", "sysv-shm")  # no size
    ipcctl.refuses("create")
    assert kernel.files() == {} and kernel.sysvipc("msg") == []


def test_semaphores_are_not_made_as_segments(ipcctl):
    ipcctl.refuses("create", "posix-shm", "/sem.x", words=["posix-sem"])


def test_kinds_not_built_yet(ipcctl):
    for kind in ("flock", "lease", "signal"):
        result = ipcctl.refuses("create", kind, words=[kind], status=None)
        assert result.status in (1, 2)
