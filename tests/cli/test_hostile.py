# SPDX-License-Identifier: MIT
"""Names and contents that any local user may choose: exact, escaped, taken back."""

import fcntl
import mmap
import os
import socket
import stat
import subprocess
import time

import kernel
import places
import pytest
from program import ENVIRONMENT, unescape
from silentfs import SilentFs

# Every byte that a name can have, and the combinations that fool programs.
NAMES = [
    b"plain", b"with space", b" lead", b"trail ", b"-rf", b"--json", b"new\nline", b"\n", b"tab\there", b"cr\rlf",
    b"\x1b[2J\x1b]0;pwned\x07", b"\x07", b"\x7f", b"back\\slash", b"\\", b"\\n", b"\\x41", b'quo"te', b"'", b"$(id)",
    b"`id`", b"%s%n", b"\xff", b"\xff\xfe\xfd", b"\xc3\x28", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf",
    b"\xf4\x90\x80\x80", "ünïcödé".encode(), "漢字".encode(), "e\u0301".encode(), "\u202egnp.exe".encode(),
    "\u200b".encode(), "\u2028".encode(), "\ufeff".encode(), "\u0085".encode(), "\u009b31m".encode(),
    "\U0001f600".encode(), "\U000e0041".encode(), b" (deleted)", b"x (deleted)", b"key=0x1", b"musl:x", b"a,b",
    b"a:b", b"*", b"?", b"-", b"null", b"0", b".hidden", b"...", b"sem", b"semx", b"x" * 255, b"\n" * 255,
    b"\xff" * 255,
]
EVERY_BYTE = [bytes([b]) for b in range(1, 256) if bytes([b]) not in b"./"] + [
    b"a" + bytes([b]) + b"z" for b in range(1, 256) if bytes([b]) != b"/"]


def make(name):
    with open(b"/dev/shm/" + name, "xb"):
        pass


@pytest.fixture
def hostile_files():
    for name in set(NAMES + EVERY_BYTE):
        make(name)


def test_every_name_is_listed_once_and_reversible(ipcctl, hostile_files):
    """ipcctl.judge() has looked for unsafe bytes; here every name comes back."""
    expected = {b"/" + name for name in kernel.files()}
    objects = ipcctl.json("list", "posix-shm")["objects"]
    assert {unescape(o["name"]) for o in objects} == expected
    assert {unescape(o["ref"]) for o in objects} == {b"posix-shm:" + name for name in expected}
    assert len({o["name"] for o in objects}) == len(expected)
    rows = ipcctl("list", "posix-shm", "--raw", "-o", "name").table()
    assert {unescape(row["name"]) for row in rows} == expected
    # A table's line is a line, whatever the name.
    assert len(ipcctl("list", "posix-shm", "-H").lines) == len(expected)
    raw = ipcctl("list", "posix-shm", "-0", "-o", "name", clean=False).out
    assert set(raw.split(b"\0")[:-1]) == expected


def test_round_trip_through_xargs(ipcctl, hostile_files, factory):
    """`list -0 -o ref | xargs -0 ipcctl remove` removes exactly what was listed."""
    factory("file", name="/dev/shm/keep", type="fifo")
    factory("sysv-shm")
    factory("posix-mq", name=b"/q\n\xff\x1b[m")
    factory("posix-sem", name=b"/s \\x41")
    factory("posix-sem-file", path=b"/dev/shm/m\n", layout="musl-64", value=1)
    listing = ipcctl("list", "-0", "-o", "ref", "-f", "type=-,regular", clean=False).out
    subprocess.run(["xargs", "-0", "-n", "100", *ipcctl.command("remove", "--quiet")], input=listing,
                   env=ENVIRONMENT, check=True)
    assert set(kernel.files()) == {b"keep"}
    assert kernel.sysvipc("shm") == []
    assert [o["ref"] for o in ipcctl.json("list")["objects"]] == ["posix-shm:/keep"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_each_name_alone(ipcctl, name):
    """Created, shown, and removed under exactly that name."""
    ref = b"posix-shm:/" + name
    result = ipcctl("create", "posix-shm", b"/" + name)
    assert unescape(result.lines[0]) == ref
    assert set(kernel.files()) == {name}
    o = ipcctl.describe(ref)
    assert unescape(o["ref"]) == ref and unescape(o["name"]) == b"/" + name
    ipcctl("describe", ref)
    ipcctl("remove", ref)
    assert kernel.files() == {}
    assert len(ipcctl("remove", ref, status=1).errors) == 1


@pytest.mark.parametrize("kind", ["posix-sem", "posix-mq"])
def test_semaphores_and_queues(ipcctl, kind):
    prefix, mark = (b"sem.", b"") if not ipcctl.musl else (b"", b"musl:")
    longest = 255 - (len(prefix) if kind == "posix-sem" else 0)
    names = [name for name in NAMES if len(name) <= longest] + [b"x" * longest, b"\xff" * longest]
    limit = kernel.sysctl("fs/mqueue/queues_max")[0]
    names = sorted(set(names))[:limit - 2]
    for name in names:
        # Small queues: RLIMIT_MSGQUEUE counts what they could hold.
        more = ["--maxmsg=1", "--msgsize=1"] if kind == "posix-mq" else ["--value=1"]
        ref = ipcctl("create", kind, *more, b"/" + name).lines[0]
        assert unescape(ref) == kind.encode() + b":" + (mark if kind == "posix-sem" else b"") + b"/" + name
    objects = ipcctl.json("list", kind)["objects"]
    assert {unescape(o["name"]) for o in objects} == {b"/" + name for name in names}
    if kind == "posix-sem":
        assert set(kernel.files()) == {prefix + name for name in names}
    ipcctl("remove", "--quiet", *[unescape(o["ref"]) for o in objects])
    assert ipcctl.json("list", kind)["objects"] == []


def test_nested_hostile_directories(ipcctl, factory):
    factory("file", name=b"/dev/shm/d\n\xff", type="directory", mode="0755")
    factory("file", name=b"/dev/shm/d\n\xff/in\x1b[m", size=3)
    ref = b"posix-shm:/d\n\xff/in\x1b[m"
    assert ipcctl.describe(ref)["size"] == 3
    ipcctl("remove", ref)
    assert os.listdir(b"/dev/shm/d\n\xff") == []


def test_deep_directories(ipcctl):
    """Deeper than any path may be long: no crash, no endless run, and what is left out is said."""
    base = os.open("/dev/shm", os.O_PATH)
    for _ in range(3000):
        os.mkdir("d" * 20, dir_fd=base)
        inner = os.open("d" * 20, os.O_PATH, dir_fd=base)
        os.close(base)
        base = inner
    os.close(base)
    document = ipcctl("list", "posix-shm", "--no-holders", "--json", status=None).json()
    assert document["objects"]
    assert document["complete"] is False and document["warnings"]


def test_links_and_loops(ipcctl, factory):
    factory("file", name="/dev/shm/a", type="symlink", target="b")
    factory("file", name="/dev/shm/b", type="symlink", target="a")
    factory("file", name="/dev/shm/self", type="symlink", target="/dev/shm/self")
    factory("file", name="/dev/shm/bytes", type="symlink", target=b"\x1b[2J\xff\n" + b"x" * 4000)
    assert len(ipcctl.objects("posix-shm")) == 4
    assert unescape(ipcctl.describe("posix-shm:/bytes")["target"]) == b"\x1b[2J\xff\n" + b"x" * 4000
    ipcctl("describe", "posix-shm:/bytes")


def test_commands_with_hostile_names(ipcctl, factory, background):
    """A process may call itself anything; its name is shown beside its number."""
    truth = factory("sysv-sem", nsems=1)
    process = background("python3", "-c", f"""
import ctypes, time
libc = ctypes.CDLL(None)
libc.prctl(15, b"x) R 1 (\\x1b\\n\\xff")
libc.semctl({truth['id']}, 0, 16, 3)
print("ready", flush=True)
time.sleep(600)
""", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    o = ipcctl.describe(f"sysv-sem:{truth['id']}")
    assert o["semaphores"][0]["pid"] == process.pid
    assert unescape(o["semaphores"][0]["pid_command"]) == b"x) R 1 (\x1b\n\xff"
    ipcctl("describe", f"sysv-sem:{truth['id']}")
    process.stdout.close()


def test_hostile_contents(ipcctl, factory):
    every = bytes(range(256))
    factory("file", name="/dev/shm/x", content=every)
    truth = factory("sysv-msg")
    kernel.msg_send(truth["id"], 1, b"\x1b[2J\x9b\xff")
    for ref in "posix-shm:/x", f"sysv-msg:{truth['id']}":
        ipcctl("describe", "--content", ref)  # the dump is held to the rules by judge()
    assert unescape(ipcctl.describe("posix-shm:/x", "--content")["content"][0]["data"]) == every


def test_another_mount_inside(ipcctl, factory):
    """A file system mounted below /dev/shm is another's: said to be a directory, not entered."""
    os.mkdir("/dev/shm/m")
    kernel.mount("tmpfs", "/dev/shm/m", "tmpfs")
    try:
        make(b"m/inside")
        objects = ipcctl("list", "posix-shm", "--json", status=None).json()["objects"]
        assert [o["ref"] for o in objects] == ["posix-shm:/m"]
    finally:
        kernel.unmount("/dev/shm/m")


def test_whatever_lies_there(ipcctl, factory):
    """In /dev/shm anybody may leave anything: it is shown as what the kernel says it is, and nothing of it is opened
    that could wait, nor read that is not there."""
    left = {"fifo": lambda path: os.mkfifo(path, 0o600), "socket": lambda path: socket.socket(socket.AF_UNIX).bind(path),
            "dangling": lambda path: os.symlink("nowhere", path), "shadow": lambda path: os.symlink("/etc/shadow", path),
            "sparse": lambda path: sparse(path, 2**63 - 1), "sem.sparse": lambda path: sparse(path, 2**63 - 1),
            "sem.d": os.mkdir, "sem.fifo": os.mkfifo, "sem.link": lambda path: os.symlink("sparse", path),
            "sem.": lambda path: sparse(path, 32)}
    left |= {f"sem.{size}": lambda path, size=size: sparse(path, size) for size in (0, 1, 15, 16, 31, 33, 4096)}
    for name, make_it in left.items():
        make_it(f"/dev/shm/{name}")
    before = kernel.files()
    objects = {("sem." if o["kind"] == "posix-sem" else "") + o["name"].removeprefix("/"): o
               for o in ipcctl.json("list", "posix", "--prove", status=None)["objects"]}
    assert set(objects) == set(left)
    for name, o in objects.items():
        st = os.lstat(f"/dev/shm/{name}")
        assert o["inode"] == st.st_ino and (stat.S_ISDIR(st.st_mode) or o["size"] == st.st_size), o
        assert o["state"] == "unknown" or stat.S_ISREG(st.st_mode), o
        for words in (["describe", "--content", o["ref"]], ["describe", "--json", "--status", o["ref"]]):
            ipcctl(*words, status=None, timeout=60)
    for words in (["summary"], ["metrics"], ["waits"], ["graph"], ["list", "all", "-o", "all"]):
        ipcctl(*words, timeout=60)
    result = ipcctl("clean", "--remove", "--yes", "--idle", "--older-than=0", status=None)
    assert result.status in (0, 1), result
    for name in before:
        assert name in kernel.files() or stat.S_ISREG(before[name].st_mode), name


def sparse(path, size):
    with open(path, "xb") as f:
        f.truncate(size)


def test_a_file_system_that_fell_silent(ipcctl, tmp_path):
    """Somebody has its files open, mapped and locked; whoever asks it now waits for ever. All else is told."""
    mounted = tmp_path / "silent"
    mounted.mkdir()

    def hold():
        served.enter("mnt")
        file, fifo = os.open(mounted / "file", os.O_RDWR), os.open(mounted / "fifo", os.O_RDWR)
        kept.extend([mmap.mmap(file, 4096), fifo])
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(os.open(mounted / "file", os.O_RDWR), fcntl.LOCK_EX)
        os.chdir(mounted)
        assert not os.path.exists(mounted / "silence")

    kept = []
    try:
        served = places.Place("mnt", setup=lambda: kept.append(SilentFs(str(mounted))))
    except AssertionError as error:
        pytest.skip(f"no FUSE here: {error}")
    pid, _ = places.forked(hold)
    try:
        make(b"beside")
        begun = time.monotonic()
        for words in (["list", "all", "-o", "all"], ["list", "all", "--json"], ["list", "--pid", str(pid), "--json"],
                      ["summary"], ["waits"], ["graph"], ["metrics"], ["check"], ["limits"], ["clean"],
                      ["list", "posix-shm", "-N", "all", "--json"],
                      ["list", "fifo", "unix-socket", "--json", "--path", str(tmp_path)]):
            result = ipcctl(*words, status=None, timeout=60)
            assert result.status == 0 or result.status == 1 and result.errors or words == ["check"], result
            if "all" in words and "--json" in words:
                assert "posix-shm:/beside" in {o["ref"] for o in result.json()["objects"]}
        theirs = ipcctl.json("list", "--pid", str(pid))["objects"]
        assert {"file-mapping", "flock", "record-lock"} <= {o["kind"] for o in theirs}, theirs
        for o in theirs:
            ipcctl("describe", o["ref"], status=None, timeout=60)
        assert time.monotonic() - begun < 60
    finally:
        served.close()  # then nobody waits any more
        places.reap(pid)
