# SPDX-License-Identifier: MIT
"""list: every field of every kind equals what the kernel says of the object."""

import os
import struct
import subprocess
import time

import expect
import kernel
import pytest
from calls import NARROW


def test_nothing_there(ipcctl):
    document = ipcctl.json("list", "--no-holders")
    assert document["schema"] == 1
    assert document["objects"] == []
    assert document["complete"] is True
    assert document["warnings"] == []
    assert document["unreadable_processes"] == 0
    assert document["host"] == os.uname().nodename
    assert abs(document["time"] - time.time()) < 120


def test_default_is_persistent(ipcctl, factory):
    for thing, arguments in [("sysv-shm", {}), ("sysv-sem", {}), ("sysv-msg", {}), ("posix-shm", {"name": "/a"}),
                             ("posix-sem", {"name": "/b"}), ("posix-mq", {"name": "/c"})]:
        factory(thing, **arguments)
    kinds = {"sysv-shm", "sysv-sem", "sysv-msg", "posix-shm", "posix-sem", "posix-mq"}
    for words in [], ["persistent"], sorted(kinds), ["sysv", "posix"]:
        assert {o["kind"] for o in ipcctl.objects(*words).values()} == kinds
    assert {o["kind"] for o in ipcctl.objects("sysv").values()} == {k for k in kinds if k.startswith("sysv")}
    assert {o["kind"] for o in ipcctl.objects("posix").values()} == {k for k in kinds if k.startswith("posix")}


@pytest.mark.parametrize("letter, kind", [("-m", "sysv-shm"), ("-q", "sysv-msg"), ("-s", "sysv-sem"),
                                          ("-M", "posix-shm"), ("-Q", "posix-mq"), ("-S", "posix-sem")])
def test_letters_choose_kinds(ipcctl, factory, letter, kind):
    test_default_is_persistent(ipcctl, factory)
    assert [o["kind"] for o in ipcctl.objects(letter).values()] == [kind]
    assert set(ipcctl.objects(letter)) == set(ipcctl.objects(kind))


def test_a_kind_named_twice_is_shown_once(ipcctl, factory):
    factory("sysv-shm")
    assert len(ipcctl.json("list", "sysv-shm", "sysv", "-m")["objects"]) == 1


# System V


def segments(ipcctl, *words):
    return {o["id"]: o for o in ipcctl.objects("sysv-shm", *words).values()}


def test_sysv_shm(ipcctl, factory):
    plain = factory("sysv-shm", size=12345, mode="640")
    held = factory("sysv-shm", hold=True, key=0xC0FFEE01, size=3 << 20, attach=3, touch=1 << 20, mode="606")
    dest = factory("sysv-shm", hold=True, size=8192, attach=1, rmid=1, key=0x7FFFFFFF)
    got = segments(ipcctl)
    assert set(got) == {plain["id"], held["id"], dest["id"]}
    for ident, o in got.items():
        expect.matches(o, expect.sysv_shm(ident))
    # The truth that the factory made, beside the kernel's.
    expect.matches(got[held["id"]], {"key": "0xc0ffee01", "nattch": 3, "size": 3 << 20, "rss": 1 << 20,
                                     "cpid": held["pid"], "lpid": held["pid"], "cpid_command": "factory",
                                     "mode": "0606", "state": "in-use"}, "dtime")
    expect.matches(got[plain["id"]], {"nattch": 0, "dest": False, "key": "0x00000000", "cpid": plain["pid"]},
                   "atime", "dtime", "lpid", "lpid_command", "cpid_command")
    expect.matches(got[dest["id"]], {"dest": True, "key": "0x00000000", "nattch": 1, "state": "in-use"})


def test_sysv_shm_sizes_are_exact(ipcctl, factory):
    """Beyond 2^53, where doubles lose the last bits; the pages are never touched."""
    kernel_limit = kernel.sysctl("kernel/shmmax")[0]
    for size in (2**53 + 1, 2**62 + 12345):
        if size > min(kernel_limit, kernel.SIZE_MAX):
            continue
        try:
            ident = kernel.shmget(0, size, kernel.IPC_CREAT | 0o10000 | 0o600)  # SHM_NORESERVE
        except OSError:
            continue
        assert segments(ipcctl)[ident]["size"] == kernel.shm(ident)["size"] == size
        assert f"\t{size}\t" in "\t" + ipcctl("list", "-m", "-r", "-o", "size,id").text.replace("\n", "\t")
        break
    else:
        pytest.skip("no segment of more than 2^53 bytes can be made here")


@pytest.mark.skipif(not NARROW, reason="the program's words are the widest ones")
def test_sysv_shm_of_wider_words(ipcctl, foreign_program):
    """The structures of shmctl(2) have no room for its size here."""
    subprocess.run([foreign_program], check=True)
    size = kernel.sysvipc("shm")[0]["size"]
    assert size > 2**32 and [o["size"] for o in segments(ipcctl).values()] == [size]


def test_sysv_shm_locked(ipcctl, factory):
    truth = factory("sysv-shm", lock=1)
    o = segments(ipcctl)[truth["id"]]
    assert o["locked"] is True
    expect.matches(o, expect.sysv_shm(truth["id"]))


def test_sysv_shm_detached(ipcctl, factory):
    truth = factory("sysv-shm", attach=1)
    o = segments(ipcctl)[truth["id"]]
    expect.matches(o, expect.sysv_shm(truth["id"]), "cpid_command", "lpid_command")
    expect.matches(o, {"nattch": 0, "lpid": truth["pid"]})
    assert o["dtime"] >= o["atime"] > 0


@pytest.mark.real_root
def test_sysv_shm_owner_and_creator_differ(ipcctl, factory):
    for thing, kind in ("sysv-shm", expect.sysv_shm), ("sysv-sem", expect.sysv_sem), ("sysv-msg", expect.sysv_msg):
        truth = factory(thing, uid=65534, gid=12345)
        o = ipcctl.objects(thing)[f"{thing}:{truth['id']}"]
        expect.matches(o, kind(truth["id"]))
        expect.matches(o, {"uid": 65534, "gid": 12345, "group": "12345", "cuid": 0, "creator": "root"})


def test_sysv_shm_huge_pages(ipcctl, factory):
    """rss of a huge page segment, which newer kernels print too large by a factor."""
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as f:
            free = int(f.read())
    except OSError:
        free = 0
    if free < 2:
        pytest.skip("fewer than two free huge pages of 2 MiB: set vm.nr_hugepages to test this")
    truth = factory("sysv-shm", hold=True, hugetlb=2 << 20, size=4 << 20, attach=1, touch=2 << 20)
    o = segments(ipcctl)[truth["id"]]
    expect.matches(o, {"size": 4 << 20, "rss": 2 << 20, "nattch": 1})
    assert ipcctl.describe(f"sysv-shm:{truth['id']}")["hugetlb"] is True


def test_sysv_shm_ordinary_pages_are_not_called_huge(ipcctl, factory):
    truth = factory("sysv-shm", hold=True, size=4 << 20, attach=1, touch=4 << 20)
    o = ipcctl.describe(f"sysv-shm:{truth['id']}")
    assert o["hugetlb"] is False
    assert o["rss"] == 4 << 20


def test_sysv_sem(ipcctl, factory):
    fresh = factory("sysv-sem", nsems=5, mode="644", key=0xFFFFFFFF)
    used = factory("sysv-sem", nsems=2, values="3,4", hold=True, block="0:-4")
    got = {o["id"]: o for o in ipcctl.objects("sysv-sem").values()}
    assert set(got) == {fresh["id"], used["id"]}
    for ident, o in got.items():
        expect.matches(o, expect.sysv_sem(ident))
    expect.matches(got[fresh["id"]], {"nsems": 5, "key": "0xffffffff", "mode": "0644"}, "otime")


def test_sysv_msg(ipcctl, factory):
    empty = factory("sysv-msg", key=0x1234, mode="622")
    full = factory("sysv-msg", qbytes=9999, messages="5:100,7:23,5:0", hold=True)
    got = {o["id"]: o for o in ipcctl.objects("sysv-msg").values()}
    assert set(got) == {empty["id"], full["id"]}
    for ident, o in got.items():
        expect.matches(o, expect.sysv_msg(ident))
    expect.matches(got[empty["id"]], {"bytes": 0, "messages": 0}, "lspid", "lrpid", "stime", "rtime")
    expect.matches(got[full["id"]], {"bytes": 123, "messages": 3, "qbytes": 9999, "lspid": full["pid"],
                                     "lspid_command": "factory"}, "lrpid")
    kernel.msg_drain(full["id"])
    o = ipcctl.objects("sysv-msg")[f"sysv-msg:{full['id']}"]
    expect.matches(o, expect.sysv_msg(full["id"]))
    expect.matches(o, {"messages": 0, "lrpid": os.getpid()})


def test_sysv_ids_that_were_used_before(ipcctl, factory):
    """Ids carry a sequence number above the slot: large, and not the row's number."""
    for _ in range(300):
        kernel.REMOVERS["sysv-sem"](kernel.semget(0, 1, kernel.IPC_CREAT | 0o600))
    truth = factory("sysv-sem")
    assert list(ipcctl.objects("sysv-sem")) == [f"sysv-sem:{truth['id']}"]


def test_many_sysv(ipcctl):
    """More rows than one read(2) of the table can bring."""
    idents = {kernel.msgget(0, kernel.IPC_CREAT | 0o600) for _ in range(2000)}
    got = ipcctl.objects("sysv-msg")
    assert {o["id"] for o in got.values()} == idents
    for ident in sorted(idents)[::97]:
        expect.matches(got[f"sysv-msg:{ident}"], expect.sysv_msg(ident))


# POSIX


def test_posix_shm(ipcctl, factory):
    factory("posix-shm", name="/jobs", size=5000, mode="0644")
    factory("file", name="/dev/shm/sparse", size=1 << 40, content=b"x" * 5000, at=1 << 30)
    factory("file", name="/dev/shm/linked", size=1, links=3, atime=1000000000, mtime=1100000000)
    factory("file", name="/dev/shm/empty", mode="0")
    got = ipcctl.objects("posix-shm")
    assert set(got) == {f"posix-shm:/{n}" for n in
                        ("jobs", "sparse", "linked", "linked.link1", "linked.link2", "empty")}
    for ref, o in got.items():
        expect.matches(o, expect.posix_shm(ref.removeprefix("posix-shm:/")))
    expect.matches(got["posix-shm:/sparse"], {"size": 1 << 40, "allocated": 8192})
    expect.matches(got["posix-shm:/linked"], {"links": 3, "atime": 1000000000, "mtime": 1100000000})


def test_posix_shm_nested_directories(ipcctl, factory):
    for directory in ("a", "a/b", "a/b/c"):
        factory("file", name=f"/dev/shm/{directory}", type="directory", mode="0755")
    factory("file", name="/dev/shm/a/b/c/deep", size=77)
    got = ipcctl.objects("posix-shm")
    assert set(got) == {"posix-shm:/a", "posix-shm:/a/b", "posix-shm:/a/b/c", "posix-shm:/a/b/c/deep"}
    for ref, o in got.items():
        expect.matches(o, expect.posix_shm(ref.removeprefix("posix-shm:/")))
    assert ipcctl.describe("posix-shm:/a/b/c/deep")["size"] == 77


@pytest.mark.parametrize("kind", ["directory", "symlink", "fifo", "socket", "character-device", "block-device"])
def test_posix_shm_foreign_types(ipcctl, factory, kind):
    extra = {"target": "/etc/passwd"} if kind == "symlink" else {}
    factory("file", name="/dev/shm/thing", type=kind, **extra)
    o = ipcctl.objects("posix-shm")["posix-shm:/thing"]
    expect.matches(o, expect.posix_shm("thing"))
    assert o["type"] == kind


def test_symlinks_are_not_followed(ipcctl, factory, tmp_path):
    (tmp_path / "secret").write_text("x" * 99)
    factory("file", name="/dev/shm/out", type="symlink", target=str(tmp_path))
    factory("file", name="/dev/shm/file", type="symlink", target=str(tmp_path / "secret"))
    factory("file", name="/dev/shm/loop", type="symlink", target="/dev/shm")
    got = ipcctl.objects("posix-shm")
    assert set(got) == {"posix-shm:/out", "posix-shm:/file", "posix-shm:/loop"}
    assert got["posix-shm:/file"]["size"] == len(str(tmp_path / "secret"))
    assert ipcctl.describe("posix-shm:/file")["target"] == str(tmp_path / "secret")
    assert "99" not in [str(o["size"]) for o in got.values()]


def test_posix_sem(ipcctl, factory):
    for value, waiters in ((0, 0), (5, 0), (0, 2), (2147483647, 0)):
        factory("posix-sem", name=f"/s{value}.{waiters}", value=value, block=waiters, hold=bool(waiters))
    got = ipcctl.objects("posix-sem")
    assert set(got) == {"posix-sem:/s0.0", "posix-sem:/s5.0", "posix-sem:/s0.2", "posix-sem:/s2147483647.0"}
    for ref, o in got.items():
        name = ref.removeprefix("posix-sem:")
        value, waiters = name[2:].split(".")
        expect.matches(o, expect.posix_sem(name))
        expect.matches(o, {"value": int(value), "waiters": int(waiters)})
    assert ipcctl.objects("posix-shm") == {}


LAYOUTS = ["glibc-64", "glibc-32", "musl-64", "musl-32"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("value, waiters", [(0, 0), (1, 0), (7, 3), (0, 5), (2147483647, 0)])
def test_posix_sem_layouts(ipcctl, factory, layout, value, waiters):
    # All zero is what musl makes of value 0, and what a new file of that size is, too.
    factory("posix-sem-file", path="/dev/shm/sem.x", layout=layout, value=value, waiters=waiters)
    o = ipcctl.objects("posix-sem")["posix-sem:/x"]
    expect.matches(o, expect.posix_sem("/x"))
    expect.matches(o, {"value": value, "waiters": waiters, "layout": layout})


@pytest.mark.parametrize("layout", ["musl-64", "musl-32"])
def test_posix_sem_of_musl_by_name(ipcctl, factory, layout):
    factory("posix-sem-file", path="/dev/shm/lock", layout=layout, value=3, waiters=1)
    got = ipcctl.objects("posix")
    assert set(got) == {"posix-sem:musl:/lock"}
    o = got["posix-sem:musl:/lock"]
    expect.matches(o, expect.posix_sem("musl:/lock", file="lock"))
    expect.matches(o, {"value": 3, "waiters": 1, "layout": layout, "name": "/lock"})
    assert ipcctl.describe("posix-sem:musl:/lock")["value"] == 3


def test_posix_sem_of_musl_with_what_was_on_the_stack(ipcctl, factory):
    """Its sem_open(3) sets three words, and writes the others as they are."""
    factory("file", name="/dev/shm/lock", content=struct.pack("<8I", 3, 1, 0, 0x55d4, 7, 0xf7a0c040, 0x7fff, 1))
    expect.matches(ipcctl.objects("posix")["posix-sem:musl:/lock"], {"value": 3, "waiters": 1, "layout": "musl-64"})


def test_posix_sem_of_musl_waited_for(ipcctl, factory):
    """Up to 1.2.3 musl writes -1 for: no value left, and somebody waits."""
    factory("posix-sem-file", path="/dev/shm/sem.x", layout="musl-64", value=0xFFFFFFFF, waiters=1)
    expect.matches(ipcctl.objects("posix-sem")["posix-sem:/x"], {"value": 0, "waiters": 1})
    factory("posix-sem-file", path="/dev/shm/sem.y", layout="musl-64", value=0x80000000, waiters=2)
    expect.matches(ipcctl.objects("posix-sem")["posix-sem:/y"], {"value": 0, "waiters": 2})


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 32, b"\0" * 31, b"\0" * 33,
                                     b"\1\0\0\0" + b"\0" * 4 + b"\x81" + b"\0" * 23,
                                     b"\1\0\0\0" + b"\0" * 4 + b"\x80" + b"\0" * 22 + b"\1"])
def test_posix_sem_that_is_none(ipcctl, factory, content):
    factory("file", name="/dev/shm/sem.x", content=content)
    o = ipcctl.objects("posix-sem")["posix-sem:/x"]
    expect.matches(o, {"layout": "none", "size": len(content), "type": "regular"}, "value", "waiters")


def test_posix_sem_names_of_other_things(ipcctl, factory):
    """A FIFO or directory called sem.x is said to be what it is, and nothing blocks on it."""
    factory("file", name="/dev/shm/sem.fifo", type="fifo")
    factory("file", name="/dev/shm/sem.link", type="symlink", target="/etc/passwd")
    factory("file", name="/dev/shm/sem.dir", type="directory")
    got = {**ipcctl.objects("posix-sem", timeout=20), **ipcctl.objects("posix-shm", timeout=20)}
    assert {o["type"] for o in got.values()} == {"fifo", "symlink", "directory"}
    for o in got.values():
        assert "value" not in o


def test_segments_of_a_semaphores_size_stay_segments(ipcctl, factory):
    factory("file", name="/dev/shm/data", content=bytes(range(32)))
    factory("file", name="/dev/shm/zeros", size=32)
    assert set(ipcctl.objects("posix")) == {"posix-shm:/data", "posix-shm:/zeros"}


def queues(ipcctl):
    return ipcctl.objects("posix-mq")


def check_queues(ipcctl, factory):
    factory("posix-mq", name="/empty", maxmsg=7, msgsize=100, mode="0640")
    factory("posix-mq", name="/full", maxmsg=3, msgsize=8192, messages="1:10,9:8192,0:0")
    got = queues(ipcctl)
    assert set(got) == {"posix-mq:/empty", "posix-mq:/full"}
    for ref, o in got.items():
        expect.matches(o, expect.posix_mq(ref.removeprefix("posix-mq:")))
    expect.matches(got["posix-mq:/full"], {"maxmsg": 3, "msgsize": 8192, "curmsgs": 3})


def test_posix_mq_without_a_mount(ipcctl, factory, mqueue_unmounted):
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        assert " - mqueue " not in f.read()
    check_queues(ipcctl, factory)


def test_posix_mq_with_a_mount(ipcctl, factory, mqueue_mounted):
    check_queues(ipcctl, factory)


def test_ages(ipcctl, factory):
    """Seconds since the newest time stamp."""
    old = time.time() - 5000
    factory("file", name="/dev/shm/a", atime=int(old), mtime=int(old))
    truth = factory("sysv-sem")
    got = ipcctl.objects("posix-shm", "sysv-sem")
    # ctime of a file is set by the kernel and cannot be in the past.
    assert 0 <= got["posix-shm:/a"]["age"] < 100
    assert 0 <= got[f"sysv-sem:{truth['id']}"]["age"] < 100


def test_user_option(ipcctl, factory):
    factory("sysv-shm")
    me = expect.user(os.geteuid())
    assert len(ipcctl.objects("-u", me)) == len(ipcctl.objects("--user", str(os.geteuid()))) == 1
    assert len(ipcctl.objects("--user=4711")) == 0


@pytest.mark.real_root
def test_user_option_tells_users_apart(ipcctl, factory):
    factory("sysv-shm", uid=65534)
    factory("file", name="/dev/shm/mine")
    factory("file", name="/dev/shm/theirs", uid=65534)
    assert {o["uid"] for o in ipcctl.objects("-u", "65534").values()} == {65534}
    assert len(ipcctl.objects("-u", "65534")) == 2
    assert len(ipcctl.objects("-u", "root")) == 1
