# SPDX-License-Identifier: MIT
"""describe --queue: each queued entry is shown, none is taken, and who was stopped for it goes on as before."""

import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import time

import calls
import expect
import kernel
import pytest
from holdings import only
from program import ENVIRONMENT, become
from test_signal import PATIENCE, RT, TERM, USR1, USR2, make, name, status, wait_for_state

SOURCE = "ipcctl: --queue stops"


def queue(ipcctl, ref, **options):
    """Rows of the queue, as they were sent: those of the process, then of each thread."""
    o = only(ipcctl.json("describe", "--queue", ref, **options))
    assert o["queue_cut"] is False
    return o["queue"]


def short(rows):
    return [(row["signal"], row.get("tid"), row["code"], row.get("value")) for row in rows]


def threads_of(truth):
    """What must not change: state, masks and tracer of each thread, and the call that it is in."""
    out = {}
    for tid in truth["threads"]:
        got = status(truth["process"], tid)
        out[tid] = {k: got[k] for k in ("State", "TracerPid", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")}
        if got["State"].startswith("Z"):
            continue  # it refuses all but root
        with open(f"/proc/{truth['process']}/task/{tid}/syscall", encoding="ascii") as f:
            out[tid]["call"] = f.read()
    return out


def unchanged(truth, before):
    """In the end: who was stopped takes a moment to be so again."""
    deadline = time.monotonic() + PATIENCE
    while threads_of(truth) != before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threads_of(truth) == before


def test_entries(ipcctl, factory):
    truth = make(factory, threads=3, blocked=[USR1, USR2, RT, RT + 1], kill=[USR1],
                 queue=[(RT, 7), (RT + 1, -1), (RT, 2147483647), (RT, -2147483648)],
                 thread=[(1, USR2), (2, RT, 5), (2, RT, 6)])
    main, one, two = truth["threads"]
    before = threads_of(truth)
    rows = queue(ipcctl, truth["ref"])
    # The kernel keeps them in the order in which they were sent, whatever the signal.
    assert short(rows) == [
        ("SIGUSR1", None, "SI_USER", None), (name(RT), None, "SI_QUEUE", 7), (name(RT + 1), None, "SI_QUEUE", -1),
        (name(RT), None, "SI_QUEUE", 2147483647), (name(RT), None, "SI_QUEUE", -2147483648),
        ("SIGUSR2", one, "SI_TKILL", None), (name(RT), two, "SI_QUEUE", 5), (name(RT), two, "SI_QUEUE", 6)]
    for row in rows:
        assert (row["sender_pid"], row["sender_command"], row["sender_uid"], row["sender"]) == (
            truth["pid"], "factory", truth["uid"], expect.user(truth["uid"]))
        assert row["number"] == {name(n): n for n in (USR1, USR2, RT, RT + 1)}[row["signal"]]
    assert int(rows[1]["pointer"], 16) & 0xFFFFFFFF == 7
    unchanged(truth, before)
    assert short(queue(ipcctl, truth["ref"])) == short(rows), "some entry was taken"
    assert main == truth["process"]


def test_what_else_sends(ipcctl, background):
    """A timer, a child, a descriptor; who sent it is told where that means something."""
    code = f"""
import ctypes, fcntl, os, signal, sys, time
rt = {int(RT)}
signal.pthread_sigmask(signal.SIG_BLOCK, [rt, rt + 1, signal.SIGCHLD, signal.SIGIO])
libc = ctypes.CDLL(None, use_errno=True)
class Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_long), ("signo", ctypes.c_int), ("notify", ctypes.c_int),
                ("pad", ctypes.c_char * 48)]
timer = ctypes.c_void_p()
assert libc.timer_create(1, ctypes.byref(Event(1234, rt, 0)), ctypes.byref(timer)) == 0
spec = (ctypes.c_long * 4)(0, 0, 0, 1)
assert libc.timer_settime(timer, 0, spec, None) == 0
read, write = os.pipe()
fcntl.fcntl(read, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(read, 10, rt + 1)  # F_SETSIG
fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
os.write(write, b"x")
child = os.fork()
if child == 0:
    os._exit(7)
while not {{rt, rt + 1, signal.SIGCHLD}} <= set(signal.sigpending()):
    time.sleep(0.001)
print(read, child, flush=True)
time.sleep(999)
"""
    process = background(sys.executable, "-c", code, stdout=subprocess.PIPE)
    fd, child = map(int, process.stdout.readline().split())
    process.stdout.close()
    rows = {row["signal"]: row for row in queue(ipcctl, f"signal:{process.pid}")}
    timer, descriptor, chld = rows[name(RT)], rows[name(RT + 1)], rows["SIGCHLD"]
    assert (timer["code"], timer["value"], int(timer["pointer"], 16)) == ("SI_TIMER", 1234, 1234)
    assert "timer" in timer and "sender_pid" not in timer and "fd" not in timer
    assert (descriptor["code"], descriptor["fd"]) == ("POLL_IN", fd) and "sender_pid" not in descriptor
    assert (chld["code"], chld["sender_pid"], chld["sender_uid"]) == ("CLD_EXITED", child, os.getuid())
    assert "value" not in chld


def test_any_code(ipcctl, factory):
    """Whoever sends a signal may make up a code, as long as it is negative."""
    truth = make(factory, blocked=[RT])
    queueinfo = calls.number("rt_sigqueueinfo")
    if not queueinfo:
        pytest.skip("the number of rt_sigqueueinfo(2) is not known here")
    for code in (-77, -2147483648, -1):
        # What follows the code is aligned as a pointer is.
        info = (ctypes.c_int * 32)(RT, 0, code, *([] if calls.NARROW else [0]), 4711, 815, 42)
        kernel.call("syscall", ctypes.c_long(queueinfo), truth["process"], int(RT), info)
    assert [(row["code"], row["sender_pid"], row["sender_uid"], row["value"])
            for row in queue(ipcctl, truth["ref"])] == [
                ("-77", 4711, 815, 42), ("-2147483648", 4711, 815, 42), ("SI_QUEUE", 4711, 815, 42)]


def test_another_pid_namespace(ipcctl):
    """Senders have the numbers that the receiver knows them by, and ours of that number is not meant."""
    code = """
import ctypes, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
assert ctypes.CDLL(None).unshare(0x20000000) == 0  # CLONE_NEWPID
receiver = os.fork()
if receiver == 0:
    if os.fork() == 0:
        os.kill(1, signal.SIGUSR2)
        os._exit(0)
    os.wait()
    time.sleep(999)
while signal.SIGUSR2 not in pending(receiver):
    time.sleep(0.001)
os.kill(receiver, signal.SIGUSR1)
print(receiver, flush=True)
try:
    sys.stdin.read()
finally:
    os.kill(receiver, signal.SIGKILL)
"""
    code = ("def pending(pid):\n"
            "    with open(f'/proc/{pid}/status') as f:\n"
            "        mask = next(int(line.split()[1], 16) for line in f if line.startswith('ShdPnd'))\n"
            "    return {n for n in range(1, 65) if mask >> n - 1 & 1}\n") + code
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        pid = int(process.stdout.readline())
        inside, outside = queue(ipcctl, f"signal:{pid}")
        process.stdin.close()
    assert (inside["signal"], inside["sender_pid"], "sender_command" in inside) == ("SIGUSR2", 2, False)
    assert (outside["signal"], "sender_pid" in outside, outside["sender_uid"]) == ("SIGUSR1", False, os.getuid())


def test_every_field_is_seen(ipcctl, factory):
    """No field of the schema, nor of a list's rows, was never filled in; those of a timer, a descriptor and
    a tracer are seen in tests of their own."""
    properties = ipcctl("kinds", "--json-schema").json()["$defs"]["signal"]["properties"]
    truth = make(factory, threads=2, blocked=[USR1, RT], ignored=[USR2], caught=[TERM], kill=[USR1],
                 queue=[(RT, 1)], thread=[(1, RT, 2)])
    o = only(ipcctl.json("describe", "--queue", truth["ref"]))
    # Tests need not run in a container, nor in a unit of systemd.
    assert set(properties) - set(o) - {"container", "container_id", "unit"} == {"tracer"}
    for field, rare in (("signals", set()), ("threads", set()), ("queue", {"timer", "fd"})):
        seen = set().union(*(row.keys() for row in o[field]))
        assert set(properties[field]["items"]["properties"]) - seen == rare, field


def test_what_has_no_entry(ipcctl, factory):
    """With a full queue kill(2) goes without: the signal is pending all the same."""
    import resource
    truth = make(factory, blocked=[USR1, RT])
    resource.prlimit(truth["process"], resource.RLIMIT_SIGPENDING, (0, 0))
    # Root's kill(2) may exceed it for standard signals, not for real-time ones.
    os.kill(truth["process"], RT)
    o = only(ipcctl.json("describe", "--queue", truth["ref"]))
    assert o["process_pending"] == name(RT) and o["queue"] == []


def test_it_is_said_before(ipcctl, factory, tmp_path):
    """On standard error, and before anything is looked at; not in the document."""
    truth = make(factory, blocked=[USR1], kill=[USR1])
    result = ipcctl("describe", "--queue", truth["ref"])
    assert result.errors[0].startswith(SOURCE) and "EINTR" in result.errors[0]
    with open(tmp_path / "both", "w+b") as both:
        subprocess.run(ipcctl.command("describe", "--queue", truth["ref"]), stdout=both, stderr=both,
                       cwd=ipcctl.cwd, env=ENVIRONMENT, check=True, timeout=60)
        both.seek(0)
        assert both.readline().decode().startswith(SOURCE)
    assert ipcctl("describe", "--queue", truth["ref"], "--quiet").err == b""
    assert not any("--queue stops" in line for line in ipcctl("describe", truth["ref"]).errors)
    assert not any("stops" in text for text in ipcctl.json("describe", "--queue", truth["ref"])["warnings"])


def test_only_where_it_is_asked_for(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1])
    assert "queue" not in ipcctl.describe(truth["ref"])
    result = ipcctl("list", "signal", "-o", "ref,queue", "--json")
    o = next(o for o in result.json()["objects"] if o["ref"] == truth["ref"])
    assert o["queue"] is None and any("--queue" in text for text in result.json()["warnings"])
    ipcctl.refuses("list", "signal", "--queue", words=["--queue"])
    factory("posix-shm", name="/a")
    ipcctl.refuses("describe", "--queue", "posix-shm:/a", words=["--queue"])


@pytest.mark.parametrize("pending", [False, True])
def test_nobody_is_stopped_without_need(ipcctl, factory, pending):
    """Where nothing is pending nobody is; else one thread, and those that have signals of their own."""
    truth = make(factory, threads=4, blocked=[USR1], thread=[(2, USR1)] if pending else [], wait="epoll")
    before = {tid: status(truth["process"], tid)["voluntary_ctxt_switches"] for tid in truth["threads"]}
    result = ipcctl("describe", "--queue", truth["ref"], "--json")
    rows = only(result.json())["queue"]
    assert short(rows) == ([("SIGUSR1", truth["threads"][2], "SI_TKILL", None)] if pending else [])
    try:
        after = {tid: status(truth["process"], tid)["voluntary_ctxt_switches"] for tid in truth["threads"]}
    except FileNotFoundError:
        after = {}  # its epoll_wait(2) returned EINTR, and the process ended
    if not pending:
        assert before == after


@pytest.mark.parametrize("call", ["sleep", "pause"])
def test_sleeps_go_on(ipcctl, factory, call):
    truth = make(factory, threads=2, blocked=[USR1, RT], kill=[USR1], queue=[(RT, 1)], thread=[(1, RT)], wait=call)
    before = {tid: {k: v for k, v in got.items() if k != "call"} for tid, got in threads_of(truth).items()}
    for _ in range(5):
        queue(ipcctl, truth["ref"])
    # A sleep goes on as restart_syscall(2), and so its call reads otherwise.
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        now = {tid: {k: v for k, v in got.items() if k != "call"} for tid, got in threads_of(truth).items()}
        if now == before:
            break
        time.sleep(0.001)
    assert now == before


@pytest.mark.parametrize("threads", [1, 3])
def test_stopped_stays_stopped(ipcctl, factory, threads):
    truth = make(factory, threads=threads, blocked=[RT], caught=[USR1], queue=[(RT, 1)], stop=1,
                 thread=[(threads - 1, RT, 9)])
    os.kill(truth["process"], USR1)  # it would take this one at once if it ran
    before = threads_of(truth)
    for _ in range(5):
        assert ("SIGUSR1", None, "SI_USER", None) in short(queue(ipcctl, truth["ref"]))
        unchanged(truth, before)
    # And it can be made to go on: then it takes the signal.
    os.kill(truth["process"], signal.SIGCONT)
    deadline = time.monotonic() + PATIENCE
    while kernel.process_state(truth["process"]) != "Z" and time.monotonic() < deadline:
        time.sleep(0.001)
    assert kernel.process_state(truth["process"]) == "Z"


def test_its_parent_hears_nothing(ipcctl):
    """Neither SIGCHLD nor waitpid(2) tells of a stop that was none of the parent's business."""
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, [USR1])
        while True:
            time.sleep(999)
    try:
        deadline = time.monotonic() + PATIENCE
        while USR1 not in status(pid)["SigBlk"] and time.monotonic() < deadline:
            time.sleep(0.001)
        os.kill(pid, USR1)
        for stop in (False, True):
            if stop:
                os.kill(pid, signal.SIGSTOP)
                assert os.waitpid(pid, os.WUNTRACED)[1] == signal.SIGSTOP << 8 | 0x7F
            for _ in range(5):
                queue(ipcctl, f"signal:{pid}")
                wait_for_state(pid, "T" if stop else "S")
                assert os.waitpid(pid, os.WUNTRACED | os.WCONTINUED | os.WNOHANG) == (0, 0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_leader_has_ended(ipcctl, factory):
    truth = make(factory, threads=3, leave=1, blocked=[USR1, RT], kill=[USR1], thread=[(2, RT, 3)])
    before = threads_of(truth)
    assert short(queue(ipcctl, truth["ref"])) == [
        ("SIGUSR1", None, "SI_USER", None), (name(RT), truth["threads"][2], "SI_QUEUE", 3)]
    unchanged(truth, before)


def test_a_zombie_cannot_be_asked(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1], end=1)
    document = ipcctl.json("describe", "--queue", truth["ref"])
    assert only(document)["queue"] is None and document["warnings"]


def test_who_does_not_stop(ipcctl, factory):
    """In vfork(2) nothing stops a thread; it is let go, and nothing is left attached to it."""
    truth = make(factory, wait="vfork", blocked=[USR1], kill=[USR1], thread=[(0, USR1)])
    document = ipcctl.json("describe", "--queue", truth["ref"])
    assert only(document)["queue"] is None and document["complete"] is False
    assert any("cannot be stopped" in text for text in document["warnings"])
    got = status(truth["process"])
    assert (got["State"][0], got["TracerPid"]) == ("D", "0")


@pytest.mark.real_root
def test_others_are_not_asked(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1])
    before = threads_of(truth)
    document = ipcctl.json("describe", "--queue", truth["ref"], drop=become(65534))
    o = only(document)
    assert o["queue"] is None and o["process_pending"] == "SIGUSR1" and document["complete"] is False
    assert threads_of(truth) == before


def test_a_long_queue_is_cut(ipcctl, factory):
    """At a length that is said; the first of them are shown, in order."""
    truth = make(factory, blocked=[RT, RT + 1], queue=[(RT, i) for i in range(1030)], thread=[(0, RT + 1, 5)])
    o = only(ipcctl.json("describe", "--queue", truth["ref"]))
    assert o["queue_cut"] is True
    assert [row["value"] for row in o["queue"] if "tid" not in row] == list(range(1024))
    assert [row["value"] for row in o["queue"] if "tid" in row] == [5]
    truth = make(factory, blocked=[RT], queue=[(RT, i) for i in range(1024)])
    assert [row["value"] for row in queue(ipcctl, truth["ref"])] == list(range(1024))


def test_signals_that_come_meanwhile(ipcctl, factory):
    """One that is delivered while the thread is stopped is delivered all the same."""
    code = """
import os, signal
taken = 0
def take(number, frame):  # the next one may come before it has returned
    global taken
    taken += 1
    os.write(1, b"%d\\n" % taken)
signal.signal(signal.SIGUSR1, take)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
print("up", flush=True)
while True:
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"up\n"
            os.kill(process.pid, USR2)
            looks = subprocess.Popen(["sh", "-c", 'while "$@" >/dev/null; do :; done', "sh", *ipcctl.command(
                "describe", "--queue", "--quiet", f"signal:{process.pid}")], cwd=ipcctl.cwd, env=ENVIRONMENT)
            try:
                for i in range(1, 20 if ipcctl.slow else 300):
                    os.kill(process.pid, USR1)
                    assert process.stdout.readline() == b"%d\n" % i
                assert looks.poll() is None
            finally:
                looks.kill()
                looks.wait()
            # One more of its looks may be under way.
            time.sleep(0.05)
            wait_for_state(process.pid, "S")
            assert status(process.pid)["ShdPnd"] == {USR2}
        finally:
            process.kill()


def test_ended_in_between(ipcctl, factory):
    """Whenever the program is killed, the process goes on, and nothing traces it."""
    truth = make(factory, threads=2, blocked=[USR1, RT], kill=[USR1], queue=[(RT, i) for i in range(200)],
                 thread=[(1, RT, 1)])
    stopped = make(factory, blocked=[USR1], kill=[USR1], stop=1)
    before = [threads_of(t) for t in (truth, stopped)]
    chance = random.Random(4711)
    for _ in range(10 if ipcctl.slow else 100):
        process = subprocess.Popen(ipcctl.command("describe", "--queue", truth["ref"], stopped["ref"]),
                                   cwd=ipcctl.cwd, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.006)
        process.kill()
        process.wait()
        for t, facts in zip((truth, stopped), before):
            unchanged(t, facts)
    ipcctl.reports()


def test_the_page_tells_what_is_cut(ipcctl, top):
    """The number of the manual is that of the program: see test_a_long_queue_is_cut."""
    with open(os.path.join(top, "man", "ipcctl-kinds.7"), encoding="utf-8") as f:
        assert re.search(r"whether a queue has more than the 1024 entries", f.read())


def test_term_is_not_lost(ipcctl, factory):
    """A process that is to end while it is looked at ends."""
    for _ in range(3 if ipcctl.slow else 20):
        truth = make(factory, threads=2, blocked=[USR1], kill=[USR1])
        process = subprocess.Popen(ipcctl.command("describe", "--queue", truth["ref"]), cwd=ipcctl.cwd, env=ENVIRONMENT,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.004)
        os.kill(truth["process"], TERM)
        process.wait()
        wait_for_state(truth["process"], "Z")
        truth["let_go"]()
    ipcctl.reports()
