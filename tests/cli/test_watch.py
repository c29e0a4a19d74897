# SPDX-License-Identifier: MIT
"""watch: each event against what the kernel or the test itself did, and when."""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import termios
import time

import kernel
import pytest
from program import COLOUR, ENVIRONMENT, NOBODY, UNSAFE, become, unescape, words_of
from watching import MAKERS, Watch, come_and_go, judge

INTERVAL = 0.5
FIELDS = ["time", "time_rfc3339", "time_ms", "event", "kind", "ref", "field", "old", "new", "owner"]


@pytest.fixture
def watch(ipcctl, isolated):
    """watch(WORDS): a running watch, which is ready."""
    started = []

    def start(*words, ready=True, jsonl=True, **options):
        form = ["--jsonl"] if jsonl else []
        started.append(Watch(ipcctl.command("watch", *form, *words), ENVIRONMENT, cwd=ipcctl.cwd, **options))
        if ready:
            started[-1].ready()
        return started[-1]

    yield start
    for w in started:
        w.kill()


@contextlib.contextmanager
def between_looks(w):
    """What is done meanwhile is done between two looks."""
    os.kill(w.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, w.process.pid, os.WSTOPPED | os.WNOWAIT)
    yield
    os.kill(w.process.pid, signal.SIGCONT)


def brief(events):
    """(event, ref) or (event, ref, field, old, new)."""
    return [tuple(e[name] for name in ("event", "ref", "field", "old", "new") if name in e) for e in events]


# What comes and goes


@pytest.mark.parametrize("words", [["--no-holders"], []], ids=["tables", "holders"])
def test_each_of_a_thousand_is_told(ipcctl, watch, words):
    """1000 creations and removals, 200 a second, over all persistent kinds: none is missed that lived longer
    than an interval, none invented, none told twice, and none later than one interval."""
    interval = 2 if ipcctl.slow else INTERVAL
    w = watch("--interval", str(interval), *words)
    lives = come_and_go(240 if ipcctl.slow else 1000, 200, [(0, 0.05), (0, interval), (2.5 * interval, 3 * interval)])
    w.catch_up()
    events = w.end()
    # The slack is for a machine that is busy; judge() counts looks as well, of which none may be left out.
    seen, _ = judge(lives, events, int(interval * 1000), 400 if not ipcctl.slow else 4000)
    assert seen >= sum(life.lives > 2 * interval for life in lives) > len(lives) / 4
    # Nothing of them changed, and whose they are is told, too.
    assert {e["event"] for e in events} <= {"created", "removed"} | ({"changed", "state"} if not words else set())
    assert {e["owner"] for e in events} == {"root"}
    assert {e["kind"] for e in events} == {e["ref"].partition(":")[0] for e in events} == {
        "sysv-shm", "sysv-sem", "sysv-msg", "posix-shm", "posix-sem", "posix-mq"}


def test_what_stands_there_is_not_told(watch):
    made = [make(1)[0] for make in MAKERS]
    w = watch("--interval", "50ms")
    assert w.catch_up() == [] and w.end() == []
    assert len(made) == 6


def test_initial(ipcctl, watch):
    made = sorted(make(1)[0] for make in MAKERS)
    events = watch("--initial", "--for", "1ms", ready=False).end(0)
    assert sorted(e["ref"] for e in events) == made
    assert {e["event"] for e in events} == {"present"}


def test_records(watch):
    """Names and types of what is promised."""
    w = watch("--interval", "50ms")
    before = time.time()
    os.close(os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600))
    created = w.until(lambda e: e["ref"] == "posix-shm:/a")
    os.truncate("/dev/shm/a", 4097)
    changed = w.until(lambda e: e.get("field") == "size")
    for e in created, changed:
        assert [name for name in FIELDS if name in e] == list(e)
        assert e["time"] == e["time_ms"] // 1000 and before - 0.001 <= e["time_ms"] / 1000 <= time.time()
        assert e["time_rfc3339"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(e["time"]))
        assert (e["kind"], e["owner"]) == ("posix-shm", "root")
    assert set(FIELDS) - set(created) == {"field", "old", "new"} and created["event"] == "created"
    assert (changed["event"], changed["old"], changed["new"]) == ("changed", 0, 4097)


def test_changes(watch):
    """Of each kind what the kernel says is old and new."""
    shm = kernel.shmget(0x4711, 5000, 0o600 | kernel.IPC_CREAT)
    msg = kernel.msgget(0x4711, 0o600 | kernel.IPC_CREAT)
    MAKERS[4](7)  # a semaphore
    MAKERS[5](7)  # a queue
    kernel.libc.shmat.restype = ctypes.c_void_p
    w = watch("--no-holders", "--interval", "50ms")

    def expect(*changes):
        got = brief(w.catch_up())
        w.events.clear()
        assert sorted(got, key=str) == sorted((("changed", *c) for c in changes), key=str)

    at = kernel.libc.shmat(shm, None, 0)
    # Before, there was no such process: old is absent.
    expect((f"sysv-shm:{shm}", "nattch", 0, 1), (f"sysv-shm:{shm}", "lpid", kernel.shm(shm)["lpid"]))
    kernel.msg_send(msg, 1, b"hello")
    expect((f"sysv-msg:{msg}", "bytes", 0, 5), (f"sysv-msg:{msg}", "messages", 0, 1),
           (f"sysv-msg:{msg}", "lspid", kernel.msg(msg)["lspid"]))
    os.chmod("/dev/shm/sem.o7", 0o640)
    expect(("posix-sem:/o7", "mode", "0600", "0640"))
    with open("/dev/shm/sem.o7", "r+b") as f:
        f.write((3).to_bytes(8, "little"))
    expect(("posix-sem:/o7", "value", 1, 3))
    fd = kernel.mq_open("/o7", os.O_RDWR)
    kernel.call("mq_send", fd, b"x", ctypes.c_size_t(1), 0)
    os.close(fd)
    expect(("posix-mq:/o7", "curmsgs", 0, 1))
    # Removed, but somebody has it attached: it has lost its key only.
    kernel.REMOVERS["sysv-shm"](shm)
    expect((f"sysv-shm:{shm}", "key", "0x00004711", "0x00000000"))
    kernel.call("shmdt", ctypes.c_void_p(at))
    assert brief(w.catch_up()) == [("removed", f"sysv-shm:{shm}")]
    w.end()


def test_what_changes_by_itself_is_not_told(watch):
    """Times and ages do."""
    msg = kernel.msgget(0x4711, 0o600 | kernel.IPC_CREAT)
    kernel.msg_send(msg, 1, b"a")
    w = watch("--interval", "50ms", "-q", "posix-shm")
    start = time.time()
    while time.time() < start + 1.2:
        w.catch_up()
    assert brief(w.end()) == []


def test_named_fields(watch):
    """-o chooses what is compared, of several kinds too; with + it adds."""
    os.close(os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600))
    only = watch("--interval", "50ms", "-o", "mode,mtime")
    more = watch("--interval", "50ms", "-o", "+mtime")
    os.utime("/dev/shm/a", (5, 5))
    os.truncate("/dev/shm/a", 10)
    os.utime("/dev/shm/a", (7, 7))
    os.chmod("/dev/shm/a", 0o640)
    for w, expected in (only, {"mode", "mtime"}), (more, {"mode", "mtime", "size"}):
        events = w.catch_up()
        # It may be looked at between any two of these.
        assert {e["field"] for e in events if e["event"] == "changed" and e["field"] != "nholders"} == expected, events
        times = [e for e in events if e.get("field") == "mtime"]
        assert times[-1]["new"] == 7 and all(a["new"] == b["old"] for a, b in zip(times, times[1:]))
        w.end()


def test_ages_only_if_named(watch):
    os.close(os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600))
    os.utime("/dev/shm/a", (5, 5))
    w = watch("--interval", "50ms", "-o", "age", "posix-shm")
    e = w.until(lambda e: e.get("field") == "age" and e["ref"] == "posix-shm:/a")
    assert e["new"] > e["old"] >= 0
    everything = watch("--interval", "50ms", "-o", "all", "posix-shm", "--no-holders")
    os.chmod("/dev/shm/a", 0o640)
    everything.until(lambda e: e.get("field") == "mode")
    assert "age" not in {e.get("field") for e in everything.end()}


def test_state(watch, factory):
    """A segment without a user, and with one."""
    ident = factory("sysv-shm", size=4096)["id"]
    w = watch("--interval", "50ms", "sysv-shm", "posix-shm")
    before = kernel.shm(ident)
    kernel.libc.shmat.restype = ctypes.c_void_p
    at = kernel.libc.shmat(ident, None, 0)
    used = w.until(lambda e: e["event"] == "state" and e["ref"] == f"sysv-shm:{ident}")
    assert before["nattch"] == 0 and used["field"] == "state"
    assert used["old"] in ("orphaned", "idle", "stale", "unknown") and used["new"] == "in-use"
    kernel.call("shmdt", ctypes.c_void_p(at))
    free = w.until(lambda e: e["event"] == "state" and e["ref"] == f"sysv-shm:{ident}")
    assert (free["old"], free["new"]) == ("in-use", used["old"]) or free["new"] in ("idle", "orphaned")
    w.end()


def test_no_holders_compares_no_state(watch):
    ident = kernel.shmget(0x4711, 5000, 0o600 | kernel.IPC_CREAT)
    w = watch("--interval", "50ms", "--no-holders")
    kernel.libc.shmat.restype = ctypes.c_void_p
    at = kernel.libc.shmat(ident, None, 0)
    assert {e["field"] for e in w.catch_up()} == {"nattch", "lpid"}
    kernel.call("shmdt", ctypes.c_void_p(at))
    assert w.end() and w.errors == b""


# Which object it is


def test_another_file_under_the_same_name(watch):
    os.close(os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600))
    w = watch("--interval", "50ms")
    with between_looks(w):
        os.close(os.open("/dev/shm/.new", os.O_CREAT | os.O_RDWR, 0o640))
        os.rename("/dev/shm/.new", "/dev/shm/a")
    assert brief(w.catch_up()) == [("removed", "posix-shm:/a"), ("created", "posix-shm:/a")]
    w.end()


def test_another_queue_under_the_same_name(watch):
    _, remove = make = MAKERS[5](1)
    w = watch("--interval", "50ms")
    with between_looks(w):
        remove()
        MAKERS[5](1)
    assert brief(w.catch_up()) == [("removed", make[0]), ("created", make[0])]
    w.end()


def test_another_segment_under_the_same_id(watch, factory):
    """The kernel can be told which id to give."""
    ident = factory("sysv-shm", size=4096)["id"]
    w = watch("--interval", "50ms", "--no-holders")
    with between_looks(w):
        kernel.REMOVERS["sysv-shm"](ident)
        try:
            with open("/proc/sys/kernel/shm_next_id", "w", encoding="ascii") as f:
                f.write(str(ident))
        except OSError:
            pytest.skip("kernel.shm_next_id cannot be set here")
        assert kernel.shmget(0, 4096, 0o600) == ident
    assert kernel.shm(ident)["cpid"] == os.getpid()
    assert brief(w.catch_up()) == [("removed", f"sysv-shm:{ident}"), ("created", f"sysv-shm:{ident}")]
    w.end()


def test_a_name_that_goes_while_the_file_is_held(watch):
    """Nothing is created when a file loses its name; and it goes when its last holder does."""
    fd = os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600)
    inode = os.fstat(fd).st_ino
    w = watch("--interval", "50ms", "posix-shm")
    os.unlink("/dev/shm/a")
    nameless = f"posix-shm:inode={inode}"
    assert set(brief(w.catch_up())) == {("removed", "posix-shm:/a"), ("changed", nameless, "deleted", False, True)}
    w.events.clear()
    os.close(fd)
    assert brief(w.catch_up()) == [("removed", nameless)]
    w.end()


# Which objects are told of


def test_kinds_and_letters(watch):
    made = [make(1)[0] for make in MAKERS]
    for words, kinds in (["posix-mq"], {"posix-mq"}), (["-M", "-m"], {"posix-shm", "sysv-shm"}), (
            ["sysv"], {"sysv-shm", "sysv-sem", "sysv-msg"}):
        events = watch("--initial", "--for", "1ms", *words, ready=False).end(0)
        assert sorted(e["ref"] for e in events) == sorted(ref for ref in made if ref.partition(":")[0] in kinds)


def test_pipes_too(watch):
    w = watch("--interval", "50ms", "pipe", "posix-shm")
    pipe = os.pipe()
    ref = f"pipe:{os.fstat(pipe[0]).st_ino}"
    w.until(lambda e: e["ref"] == ref and e["event"] == "created")
    os.close(pipe[0])
    os.close(pipe[1])
    w.until(lambda e: e["ref"] == ref and e["event"] == "removed")
    w.end()


def test_filters(watch):
    """Created and removed is what exists or not; what begins or stops to match has changed."""
    paths = {name: f"/dev/shm/{name}" for name in ("small", "grows", "shrinks", "large")}
    for name, path in paths.items():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        os.truncate(path, 5000 if name in ("shrinks", "large") else 5)
    w = watch("--interval", "50ms", "--no-holders", "--initial", "-f", "size>=1K", ready=False)
    assert {w.until(lambda e: True)["ref"] for _ in range(2)} == {"posix-shm:/shrinks", "posix-shm:/large"}
    w.events.clear()
    with between_looks(w):
        os.truncate(paths["grows"], 6000)
        os.truncate(paths["shrinks"], 6)
        os.truncate(paths["small"], 6)
        os.truncate(paths["large"], 6000)
        os.close(os.open("/dev/shm/empty", os.O_CREAT | os.O_RDWR, 0o600))
        os.truncate(os.open("/dev/shm/new", os.O_CREAT | os.O_RDWR, 0o600), 7000)
    w.until(lambda e: e["ref"] == "posix-shm:/new")
    with between_looks(w):
        for path in [*paths.values(), "/dev/shm/empty", "/dev/shm/new"]:
            os.unlink(path)
    while not {"posix-shm:/grows", "posix-shm:/large", "posix-shm:/new"} <= {
            e["ref"] for e in w.events if e["event"] == "removed"}:
        w.until(lambda e: e["event"] == "removed")
    got = brief(e for e in w.end() if e.get("field") in (None, "size"))
    assert sorted(got) == sorted([
        ("changed", "posix-shm:/grows", "size", 5, 6000), ("changed", "posix-shm:/shrinks", "size", 5000, 6),
        ("changed", "posix-shm:/large", "size", 5000, 6000), ("created", "posix-shm:/new"),
        ("removed", "posix-shm:/grows"), ("removed", "posix-shm:/large"), ("removed", "posix-shm:/new")])


@pytest.mark.real_root
def test_user(watch):
    w = watch("--interval", "50ms", "--initial", "--user", str(NOBODY), ready=False)
    for number in range(10):
        for owner in 0, NOBODY:
            path = f"/dev/shm/{owner}-{number}"
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            os.chown(path, owner, owner)
    for number in range(10):
        w.until(lambda e: True)
    assert {e["ref"] for e in w.end() if e["event"] in ("created", "present", "changed")} <= {
        f"posix-shm:/{NOBODY}-{number}" for number in range(10)}


def test_pid(watch):
    """What one process holds; and there is no more to tell when it has ended."""
    holder = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
    w = watch("--interval", "50ms", "--pid", str(holder.pid), "--initial", "pipe", "posix-shm", ready=False)
    holder.kill()
    holder.wait()
    w.end(0, status=1)
    assert b"no such process" in w.errors or b"it ended" in w.errors


HOSTILE = [b"a\tb\nc", b"\x1b[31mred", b"\xff\xfe", "a\u202eb".encode(), b"a -> b", b"-", b"?", b"x" * 255]


@pytest.mark.parametrize("form", ["--jsonl", "--raw", "-0", None])
def test_hostile_names(ipcctl, watch, form):
    """Escaped, a line each, and the same bytes can be had from each form."""
    w = subprocess.Popen(ipcctl.command("watch", "posix-shm", "--interval", "50ms", "--initial", "--no-holders",
                                        "--count", str(2 * len(HOSTILE)), *([form] if form else [])),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=ENVIRONMENT)
    try:
        for name in HOSTILE:
            os.close(os.open(b"/dev/shm/" + name, os.O_CREAT | os.O_RDWR, 0o600))
        out = b""
        while out.count(b"\0" if form == "-0" else b"\n") < len(HOSTILE) + (form == "--raw"):
            out += os.read(w.stdout.fileno(), 65536)
        for name in HOSTILE:
            os.unlink(b"/dev/shm/" + name)
        out += w.stdout.read()
        assert w.wait(timeout=60) == 0
    finally:
        w.kill()
        w.stdout.close()
        w.wait()
    if form == "-0":
        got = out.split(b"\0")[:-1]
    else:
        assert not UNSAFE.search(out.decode("utf-8")), out
        lines = out.decode("utf-8").splitlines()
        if form == "--jsonl":
            got = [unescape(json.loads(line)["ref"]) for line in lines]
        elif form == "--raw":
            assert lines[0].split("\t") == [name for name in FIELDS if name != "time_rfc3339"]
            got = [unescape(line.split("\t")[4]) for line in lines[1:]]
        else:
            got = [unescape(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  (?:created|removed|present) +(.*)", line)[1])
                   for line in lines]
    assert sorted(got) == sorted(2 * [b"posix-shm:/" + name for name in HOSTILE])


def test_lines_for_people(ipcctl, watch):
    os.close(os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600))
    out = []
    for words in ["--color=always"], [], ["--bytes"]:
        w = subprocess.Popen(ipcctl.command("watch", "posix-shm", "--no-holders", "--initial", "--count", "3",
                                            "--interval", "50ms", "-o", "size", *words),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={**ENVIRONMENT, "TZ": "UTC-5"})
        first = w.stdout.readline()
        os.truncate("/dev/shm/a", 3 << 20)
        second = w.stdout.readline()
        os.truncate("/dev/shm/a", (3 << 20) + 1)
        third = w.stdout.readline()
        assert w.stdout.read() == b"" and w.wait(timeout=60) == 0
        w.stdout.close()
        os.truncate("/dev/shm/a", 0)
        out.append((first + second + third).decode())
    assert COLOUR.search(out[0]) and not COLOUR.search(out[1])
    for text, large in zip(out, ["3M", "3M", str(3 << 20)]):
        lines = COLOUR.sub("", text).splitlines()
        assert re.fullmatch(r"[\d:.]{12}  present  posix-shm:/a", lines[0])
        assert re.fullmatch(rf"[\d:.]{{12}}  changed  posix-shm:/a  size: 0 -> {large}", lines[1])
        # Where the short forms are the same, the difference is shown all the same.
        assert re.fullmatch(rf"[\d:.]{{12}}  changed  posix-shm:/a  size: {3 << 20} -> {(3 << 20) + 1}", lines[2])
        hours, minutes = map(int, lines[0].split(":")[:2])
        now = time.gmtime(time.time() + 5 * 3600)
        assert (now.tm_hour * 60 + now.tm_min - hours * 60 - minutes) % 1440 <= 2


# How it goes on, and ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(watch, number):
    # Whoever started the tests may have had it ignored.
    w = watch("--interval", "10s", "--no-holders", preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    w.end(number)
    assert w.errors == b""


def test_ignored_signals_stay_ignored(watch):
    w = watch("--interval", "50ms", "--no-holders", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    w.process.send_signal(signal.SIGHUP)
    assert w.catch_up() == []
    w.end()


def test_a_reader_that_goes_away(ipcctl, watch):
    """Even if there is nothing to write."""
    w = subprocess.Popen(ipcctl.command("watch", "--initial", "--no-holders", "--interval", "1000"),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    try:
        os.close(os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600))
        assert w.stdout.readline()
        w.stdout.close()
        assert w.wait(timeout=60) == 1
        assert w.stderr.read() == b"ipcctl: standard output: Broken pipe\n"
    finally:
        w.kill()
        w.wait()
        w.stderr.close()


def test_a_reader_that_does_not_read(ipcctl, watch):
    """It can be ended all the same; what could not be written is not passed over."""
    for i in range(3000):
        open(f"/dev/shm/{i:0200}", "wb").close()
    w = subprocess.Popen(ipcctl.command("watch", "--initial", "--no-holders", "--jsonl"), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    try:
        capacity = fcntl.fcntl(w.stdout, fcntl.F_GETPIPE_SZ)
        filled = 0
        # A last page may have room that is too small for what comes next.
        while filled < capacity - 8192:
            filled = struct.unpack("i", fcntl.ioctl(w.stdout, termios.FIONREAD, bytes(4)))[0]
            assert w.poll() is None
        w.send_signal(signal.SIGTERM)
        assert w.wait(timeout=60) == 1
        assert b"standard output" in w.stderr.read()
    finally:
        w.kill()
        w.wait()
        w.stdout.close()
        w.stderr.close()


def test_a_slow_reader_gets_everything(watch):
    """A watch that is told to end has what it wrote taken first."""
    for i in range(2000):
        open(f"/dev/shm/{i:04}", "wb").close()
    assert len(watch("--initial", "--no-holders", "--for", "10ms", ready=False).end(0)) == 2000


def test_count(watch):
    for number in 1, 3, 6:
        w = watch("--interval", "50ms", "--initial", "--count", str(number), ready=False)
        made = [make(number) for make in MAKERS]
        assert len(w.end(0)) == number
        for _, remove in made:
            remove()


def test_for(watch):
    """It ends by itself, and looks once more as it does."""
    start = time.monotonic()
    w = watch("--interval", "1h", "--for", "1.2", "--no-holders", "sysv-shm", "--initial", ready=False)
    ident = kernel.shmget(0, 100, 0o600)
    events = w.end(0)
    assert time.monotonic() - start >= 1.2
    assert [e["ref"] for e in events] == [f"sysv-shm:{ident}"] and events[0]["event"] in ("created", "present")


def test_changes_in_dev_shm_are_told_early(watch):
    """Long before the interval is over."""
    w = watch("--interval", "1h", "--no-holders")
    for number in range(5):
        ref, remove = MAKERS[3](number)
        w.until(lambda e: e["ref"] == ref and e["event"] == "created")
        remove()
        w.until(lambda e: e["ref"] == ref and e["event"] == "removed")
    w.end()


def test_dev_shm_is_unmounted(watch):
    """Then the interval counts again; what lay there is gone with it."""
    MAKERS[3](1)
    w = watch("--interval", "50ms", "--no-holders")
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777,size=1m")
    try:
        w.until(lambda e: e["ref"] == "posix-shm:/o1" and e["event"] == "removed")
        MAKERS[3](2)
        w.until(lambda e: e["ref"] == "posix-shm:/o2" and e["event"] == "created")
    finally:
        kernel.unmount("/dev/shm")
    w.until(lambda e: e["ref"] == "posix-shm:/o1" and e["event"] == "created")
    assert ("removed", "posix-shm:/o2") in brief(w.end())


def test_memory_does_not_grow(ipcctl, watch):
    """Hundreds of looks at what comes and goes. (The bench does it for minutes.)"""
    with open(ipcctl.path, "rb") as f:
        if ipcctl.slow or re.search(rb"__[at]san_init", f.read()):
            pytest.skip("what a wrapper or a sanitizer needs itself is not the program's")
    w = watch("--interval", "10ms", "--no-holders")
    come_and_go(300, 300, [(0, 0.1)])
    before = w.memory()
    for seed in range(3):
        come_and_go(300, 300, [(0, 0.1)], seed)
        w.catch_up()
    assert w.memory() <= before + 512
    w.end()


# What could not be read


def test_a_source_that_fails(ipcctl, watch):
    """Nothing is taken for removed, the warning comes once, and the status says it."""
    if ipcctl.slow:
        pytest.skip("a wrapper needs descriptors of its own")
    made = [make(1) for make in MAKERS]
    w = watch("--interval", "50ms", "--no-holders", "sysv-shm", "sysv-sem", "posix-shm")
    pid, usual = w.process.pid, resource.prlimit(w.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, usual[1]))
    made[3][1]()
    # What needs no descriptor goes on to be told.
    ident = kernel.semget(0, 1, 0o600)
    w.until(lambda e: e["ref"] == f"sysv-sem:{ident}" and e["event"] == "created")
    kernel.REMOVERS["sysv-sem"](ident)
    w.until(lambda e: e["ref"] == f"sysv-sem:{ident}" and e["event"] == "removed")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    w.until(lambda e: e["ref"] == made[3][0] and e["event"] == "removed")
    assert w.catch_up() and {e["ref"] for e in w.end(status=1)} == {f"sysv-sem:{ident}", made[3][0]}
    lines = w.errors.decode().splitlines()
    assert lines and len(lines) == len(set(lines)) and all(words_of(errno.EMFILE) in line for line in lines)


@pytest.mark.real_root
def test_what_permission_begins_to_hide(watch):
    """It may be there, so it is not told as removed; once it can be seen again, what became of it is."""
    os.mkdir("/dev/shm/d", 0o755)
    for name in "stays", "goes":
        os.close(os.open(f"/dev/shm/d/{name}", os.O_CREAT | os.O_RDWR, 0o644))
    w = watch("--interval", "50ms", "--no-holders", "posix-shm", preexec_fn=become(NOBODY))
    os.chmod("/dev/shm/d", 0o700)
    w.until(lambda e: e["ref"] == "posix-shm:/d")
    w.catch_up()
    os.unlink("/dev/shm/d/goes")
    w.catch_up()
    assert {e["ref"] for e in w.catch_up()} == {"posix-shm:/d"}
    os.chmod("/dev/shm/d", 0o755)
    w.until(lambda e: e["ref"] == "posix-shm:/d/goes" and e["event"] == "removed")
    w.catch_up()
    assert {e["ref"] for e in w.end()} == {"posix-shm:/d", "posix-shm:/d/goes"}
    assert w.errors.count(b"\n") == 1 and b"CAP_DAC_READ_SEARCH" in w.errors


@pytest.mark.real_root
def test_what_comes_into_sight_was_not_created(watch):
    os.mkdir("/dev/shm/d", 0o700)
    os.close(os.open("/dev/shm/d/a", os.O_CREAT | os.O_RDWR, 0o644))
    w = watch("--interval", "50ms", "--no-holders", "posix-shm", preexec_fn=become(NOBODY))
    os.chmod("/dev/shm/d", 0o755)
    assert w.until(lambda e: e["ref"] == "posix-shm:/d/a")["event"] == "present"
    w.end()


@pytest.mark.real_root
def test_unknown_is_null(watch):
    """A value that cannot be read any more."""
    MAKERS[4](1)
    os.chown("/dev/shm/sem.o1", NOBODY, NOBODY)
    w = watch("--interval", "50ms", "--no-holders", "-o", "value", "posix-sem", "posix-shm", preexec_fn=become(NOBODY))
    os.chmod("/dev/shm/sem.o1", 0)
    assert brief([w.until(lambda e: e.get("field") == "value")]) == [("changed", "posix-sem:/o1", "value", 1, None)]
    os.chmod("/dev/shm/sem.o1", 0o600)
    assert brief([w.until(lambda e: e.get("field") == "value")]) == [("changed", "posix-sem:/o1", "value", None, 1)]
    w.end()


# --table


class Screen:
    """`watch --table` on a terminal of its own."""

    def __init__(self, ipcctl, lines, columns, *words, env=None):
        self.master, slave = pty.openpty()
        self.lines, self.columns, self.text = lines, columns, ""
        self.resize(lines, columns)
        self.process = subprocess.Popen(ipcctl.command("watch", "--table", *words), stdin=slave, stdout=slave,
                                        stderr=subprocess.PIPE, env={**ENVIRONMENT, **(env or {})},
                                        start_new_session=True)
        os.close(slave)

    def resize(self, lines, columns):
        self.lines, self.columns = lines, columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def frames(self):
        """Whole frames: lines of each, without what erases to the end."""
        whole = re.findall("\x1b\\[H((?:(?!\x1b\\[H|\x1b\\[2J).)*?)\x1b\\[J", self.text, re.S)
        return [frame.replace("\x1b[K", "").replace("\r\r", "\r").split("\r\n") for frame in whole]

    def until(self, wanted, timeout=60):
        """Waits for a frame; returns it."""
        deadline = time.monotonic() + timeout
        while not self.frames() or not wanted(self.frames()[-1]):
            assert time.monotonic() < deadline, self.text
            try:
                self.text += os.read(self.master, 65536).decode("utf-8")
            except OSError:
                raise AssertionError(f"it ended: {self.text}") from None
        return self.frames()[-1]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(OSError):
            while data := os.read(self.master, 65536):
                self.text += data.decode("utf-8")
        self.errors = self.process.stderr.read()
        self.process.stderr.close()
        assert self.process.wait(timeout=60) == 0, self.errors
        os.close(self.master)


def plain(frame):
    return [COLOUR.sub("", line) for line in frame]


@pytest.mark.parametrize("lines, columns", [(24, 80), (50, 200), (8, 40), (3, 20), (2, 10), (1, 5), (0, 0)])
def test_table_fits(ipcctl, factory, lines, columns):
    for number in range(30):
        MAKERS[3](number)
    open("/dev/shm/" + "\u6f22" * 30, "wb").close()
    screen = Screen(ipcctl, lines, columns, "--interval", "0.1", "--no-holders", "--sort", "name")
    frame = plain(screen.until(lambda f: True))
    screen.end()
    lines, columns = lines or 24, columns or 80
    assert len(frame) == (lines if lines < 33 else 33)
    for line in frame:
        assert sum(2 if c == "\u6f22" else 1 for c in line) <= columns, line
    if lines == 50:
        names = [line.split()[0] for line in frame[2:]]
        assert names[:30] == sorted(f"posix-shm:/o{number}" for number in range(30))
    elif columns >= 20:
        assert frame[-1] == f"... and {31 - (lines - 3)} more"
    # Another screen is left as it was entered, and the cursor shown again.
    assert screen.text.startswith("\x1b[?1049h\x1b[?25l\x1b[?7l") and screen.text.endswith(
        "\x1b[?7h\x1b[?25h\x1b[?1049l")
    assert screen.errors == b""
    assert not UNSAFE.search(re.sub("\x1b\\[\\??[0-9;]*[A-Za-z]|\r", "", screen.text))


def test_table_marks(ipcctl, factory):
    for number in range(3):
        MAKERS[3](number)
    screen = Screen(ipcctl, 24, 120, "posix-shm", "--interval", "0.1", "--no-holders", "-o", "name,size,mode")
    first = screen.until(lambda f: len(f) == 5)
    assert not any("\x1b[7m" in line or "\x1b[1;32m" in line for line in first)
    os.truncate("/dev/shm/o0", 5000)
    row = next(line for line in screen.until(lambda f: any("\x1b[7m" in line for line in f)) if "/o0" in line)
    assert row.count("\x1b[7m") == 1 and "\x1b[7m4.9K\x1b[0m" in row
    MAKERS[3](3)
    frame = screen.until(lambda f: any("\x1b[1;32m" in line for line in f))
    assert [COLOUR.sub("", line).split()[0] for line in frame if "\x1b[1;32m" in line] == ["/o3"]
    assert "1 created" in frame[0]
    os.unlink("/dev/shm/o1")
    frame = screen.until(lambda f: any("\x1b[2;9;31m" in line for line in f))
    assert [COLOUR.sub("", line).split()[0] for line in frame if "\x1b[2;9" in line] == ["/o1"]
    assert "1 removed" in frame[0] and "3 objects" in frame[0]
    frame = screen.until(lambda f: not any("\x1b[2;9" in line or "\x1b[1;32m" in line for line in f))
    assert sorted(line.split()[0] for line in plain(frame)[2:]) == ["/o0", "/o2", "/o3"]
    screen.end()


def test_table_follows_the_size(ipcctl, factory):
    for number in range(30):
        MAKERS[3](number)
    screen = Screen(ipcctl, 24, 80, "--interval", "1h", "--no-holders")
    screen.until(lambda f: len(f) == 24)
    screen.resize(10, 60)
    screen.process.send_signal(signal.SIGWINCH)
    frame = screen.until(lambda f: len(f) == 10)
    assert all(len(line) <= 60 for line in plain(frame))
    screen.end()


def test_table_without_colour(ipcctl, factory):
    MAKERS[3](1)
    screen = Screen(ipcctl, 24, 120, "--interval", "0.1", "--no-holders", env={"NO_COLOR": "1"})
    screen.until(lambda f: len(f) == 3)
    os.truncate("/dev/shm/o1", 5000)
    screen.until(lambda f: any("\x1b[7m" in line for line in f))
    assert not re.search("\x1b\\[[0-9;]*3[0-7]m", screen.text)
    screen.end()


# What is refused


@pytest.mark.parametrize("words, named", [
    (["--json"], ["--jsonl"]),
    (["--table"], ["terminal"]),
    (["--table", "--jsonl"], ["--table"]),
    (["--jsonl", "--raw"], ["--jsonl", "--raw"]),
    (["--interval", "9ms"], ["10ms"]),
    (["--interval", "0"], ["10ms"]),
    (["--interval", "1x"], ["1x"]),
    (["--interval", ".5"], [".5"]),
    (["--interval", "99999999999999999999"], ["out of range"]),
    (["--for", "0"], ["--for"]),
    (["--for", "soon"], ["soon"]),
    (["--count", "0"], ["--count"]),
    (["--count", "-1"], ["-1"]),
    (["--sort", "size"], ["--table"]),
    (["sysv-shmm"], ["sysv-shmm", "sysv-shm"]),
    (["-o", "sise"], ["sise", "size"]),
    (["-f", "sise>1"], ["sise", "size"]),
    (["--no-holders", "--pid", "1"], ["--no-holders"]),
])
def test_usage(ipcctl, words, named):
    ipcctl.refuses("watch", *words, words=named)
