# SPDX-License-Identifier: MIT
"""Pending signals: which, for whom, and why they wait; what else the masks of a process hold."""

import ctypes
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import time

import calls
import expect
import jsonschema
import kernel
import pytest
from holdings import left_out, listed, not_there, only, starts, views
from program import ENVIRONMENT, RTMIN, Churn, become, drop_capabilities, unescape

USR1, USR2, TERM, RT = signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, RTMIN
# How long something may take that happens at once but for a busy machine.
PATIENCE = 60


def name(number):
    """As the program is to call it, from what Python knows of signals."""
    if number == RTMIN:
        return "SIGRTMIN"
    if number > RTMIN:
        return f"SIGRTMIN+{number - RTMIN}"
    return f"SIG{number}" if number >= 32 else signal.Signals(number).name  # those are its libc's own


def names(numbers):
    """The text of a mask; None: it is empty, so that the field is not there."""
    return " ".join(name(n) for n in sorted(numbers)) or None


def status(pid, tid=None):
    """The kernel's own masks, as sets of numbers, and the other lines of the file."""
    out = {}
    with open(f"/proc/{pid}/task/{tid or pid}/status", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            label, value = line.rstrip("\n").split(":", 1)
            out[label] = value.strip()
    for label in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"):
        out[label] = {n for n in range(1, 65) if int(out[label], 16) >> n - 1 & 1}
    return out


def while_quiet(pid, ask, field):
    """What ask() gives, and the kernel's SigQ of that moment: the used part is in the field, before and
    after. Others come and go meanwhile, so that it may take several looks."""
    for _ in range(200):
        before, got, after = status(pid)["SigQ"], ask(), status(pid)["SigQ"]
        used, limit = map(int, before.split("/"))
        if before == after and got[field] == used:
            break
    assert got[field] == used
    return got, used, limit


def words(numbers):
    return ",".join(str(int(n)) for n in numbers)


def make(factory, blocked=(), ignored=(), caught=(), kill=(), queue=(), thread=(), thread_blocked=(), **more):
    truth = factory("signals", hold=True, blocked=words(blocked), thread_blocked=words(thread_blocked),
                    ignored=words(ignored), caught=words(caught), kill=words(kill),
                    queue=",".join(f"{int(n)}:{v}" for n, v in queue),
                    thread=",".join(":".join(str(int(x)) for x in item) for item in thread), **more)
    truth["ref"] = f"signal:{truth['process']}"
    return truth


def pending_rows(o):
    """(signal, tid) -> why; tid is None for those of the process."""
    rows = {(row["signal"], row.get("tid")): row["why"] for row in o["signals"]}
    assert len(rows) == len(o["signals"])
    return rows


def check_masks(o, pid):
    """Every mask is the kernel's."""
    got, threads = status(pid), [status(pid, tid) for tid in os.listdir(f"/proc/{pid}/task")]
    assert o.get("process_pending") == names(got["ShdPnd"])
    assert o.get("thread_pending") == names(set().union(*(t["SigPnd"] for t in threads)))
    assert (o.get("ignored"), o.get("caught")) == (names(got["SigIgn"]), names(got["SigCgt"]))
    assert o.get("blocked") == (None if got["State"].startswith("Z") else names(got["SigBlk"]))


# What is listed


def test_fields(ipcctl, factory):
    truth = make(factory, blocked=[USR1, USR2, RT], ignored=[signal.SIGHUP, signal.SIGTTIN], caught=[USR1, TERM],
                 kill=[USR1], queue=[(RT, 7), (RT, 8)])
    pid = truth["process"]
    o, used, limit = while_quiet(pid, lambda: listed(ipcctl, "signal")[truth["ref"]], "queue_used")
    expect.matches(o, {
        "kind": "signal", "pid": pid, "command": "factory", "owner": expect.user(truth["uid"]), "uid": truth["uid"],
        "real_uid": truth["uid"], "run_state": "sleeping", "process_pending": f"SIGUSR1 {name(RT)}",
        "why": "blocked", "nthreads": 1}, "thread_pending", "tracer", "queue", "state", "holders")
    with open(f"/proc/{pid}/stat", "rb") as f:
        assert o["start_time"] in starts(int(f.read().rsplit(b")", 1)[1].split()[19]))
    assert o["queue_limit"] == limit and used >= 3
    assert {"SIGHUP", "SIGTTIN"} <= set(o["ignored"].split()) and {"SIGUSR1", "SIGTERM"} <= set(o["caught"].split())
    assert [(row["signal"], row["number"], row["why"], row["action"]) for row in o["signals"]] == [
        ("SIGUSR1", USR1, "blocked", "caught"), (name(RT), RT, "blocked", "default")]
    check_masks(o, pid)


def test_each_signal_has_its_name(ipcctl, factory):
    """Every one that can be blocked, in one mask."""
    numbers = [n for n in range(1, 65) if n not in (signal.SIGKILL, signal.SIGSTOP, 32, 33)]
    truth = make(factory, blocked=numbers, kill=[n for n in numbers if n != signal.SIGCONT])
    o = ipcctl.describe(truth["ref"])
    assert o["blocked"] == names(numbers)
    # The stop signals take back SIGCONT, and it them: only what is there in the end is shown.
    assert o["process_pending"] == names(status(truth["process"])["ShdPnd"])
    assert len(o["process_pending"].split()) == len(set(numbers) - {signal.SIGCONT})
    check_masks(o, truth["process"])


def test_libcs_own_signals(ipcctl, background):
    """32 and 33 have no names that a program could use; libc's functions refuse them."""
    number = calls.number("rt_sigprocmask")
    if not number:
        pytest.skip("the number of rt_sigprocmask(2) is not known here")
    code = ("import ctypes, os, sys, time\nset = ctypes.c_uint64(3 << 31)\n"
            f"ctypes.CDLL(None).syscall({number}, 0, ctypes.byref(set), None, 8)\n"
            "print('up', flush=True)\ntime.sleep(999)")
    process = background(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    process.stdout.close()
    assert status(process.pid)["SigBlk"] >= {32, 33}
    assert {"SIG32", "SIG33"} <= set(ipcctl.describe(f"signal:{process.pid}")["blocked"].split())
    os.kill(process.pid, 32)
    assert "SIG32" in listed(ipcctl, "signal")[f"signal:{process.pid}"]["process_pending"].split()


def test_threads(ipcctl, factory):
    truth = make(factory, threads=4, blocked=[USR1, USR2], thread_blocked=[TERM], kill=[USR2],
                 thread=[(1, USR1), (2, USR1), (2, TERM), (3, TERM)])
    main, *others = truth["threads"]
    o = listed(ipcctl, "signal")[truth["ref"]]
    assert (o["process_pending"], o["thread_pending"]) == ("SIGUSR2", "SIGUSR1 SIGTERM")
    assert pending_rows(o) == {("SIGUSR2", None): "blocked", ("SIGUSR1", others[0]): "blocked",
                               ("SIGUSR1", others[1]): "blocked", ("SIGTERM", others[1]): "blocked",
                               ("SIGTERM", others[2]): "blocked"}
    left_out(ipcctl, "signal", truth["ref"], "threads", "queue", "queue_cut")
    for o in views(ipcctl, truth["ref"])[:2]:
        assert [row["tid"] for row in o["threads"]] == truth["threads"] and o["nthreads"] == 4
        for row in o["threads"]:
            got = status(truth["process"], row["tid"])
            assert (row.get("pending"), row.get("blocked")) == (names(got["SigPnd"]), names(got["SigBlk"]))
            assert (row["command"], row["run_state"]) == ("factory", "sleeping")
        assert o["threads"][0]["blocked"] == "SIGUSR1 SIGUSR2"
        assert o["threads"][1]["blocked"] == "SIGUSR1 SIGUSR2 SIGTERM"
        check_masks(o, truth["process"])


def test_pending_for_one_thread_only(ipcctl, factory):
    """The process's own file says nothing of it."""
    truth = make(factory, threads=3, blocked=[USR1], thread=[(2, USR1)])
    assert not status(truth["process"])["ShdPnd"] | status(truth["process"])["SigPnd"]
    o = listed(ipcctl, "signal")[truth["ref"]]
    assert "process_pending" not in o and o["thread_pending"] == "SIGUSR1"


def test_one_thread_takes_it(ipcctl, factory):
    """What one thread alone does not block is not for the others to keep: nothing stays pending."""
    truth = make(factory, threads=2, thread_blocked=[USR1], ignored=[USR1], kill=[USR1])
    assert not status(truth["process"])["ShdPnd"]
    assert truth["ref"] not in listed(ipcctl, "signal")


def test_main_thread_has_ended(ipcctl, factory):
    truth = make(factory, threads=3, leave=1, blocked=[USR1], kill=[USR1], thread=[(1, USR1)])
    assert status(truth["process"])["State"].startswith("Z")
    for o in (listed(ipcctl, "signal")[truth["ref"]], *views(ipcctl, truth["ref"])):
        expect.matches(o, {"process_pending": "SIGUSR1", "thread_pending": "SIGUSR1", "run_state": "zombie",
                           "nthreads": 2, "why": "blocked"}, "blocked")
    assert [row["run_state"] for row in o["threads"]] == ["zombie", "sleeping", "sleeping"]


def test_nothing_pending(ipcctl, factory):
    """Not listed, but every process can be described."""
    truth = make(factory, blocked=[USR1], caught=[USR2])
    assert truth["ref"] not in listed(ipcctl, "signal")
    o = ipcctl.describe(truth["ref"])
    expect.matches(o, {"blocked": "SIGUSR1", "pid": truth["process"], "nthreads": 1, "signals": []},
                   "process_pending", "thread_pending", "why")
    check_masks(o, truth["process"])


def test_every_process_of_ours(ipcctl):
    """Also those of which nothing was made for the test."""
    compared = 0
    for pid in [pid for pid in os.listdir("/proc") if pid.isdigit()][:20]:
        try:
            before = status(pid)
            objects = ipcctl("describe", f"signal:{pid}", "--json", status=None).json()["objects"]
            after = status(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if objects and before["SigCgt"] == after["SigCgt"]:
            assert only({"objects": objects}).get("caught") == names(after["SigCgt"])
            compared += 1
    assert compared > 0


def test_a_zombie_is_no_news(ipcctl, factory):
    """The kernel leaves the signal that ended it in its mask for as long as nobody asks for it."""
    truth = make(factory, blocked=[USR1], kill=[USR1], end=1)
    assert status(truth["process"])["ShdPnd"] == {USR1, signal.SIGKILL}
    assert truth["ref"] not in listed(ipcctl, "signal")
    o = ipcctl.describe(truth["ref"])
    expect.matches(o, {"run_state": "zombie", "why": "ended", "nthreads": 0, "process_pending": "SIGKILL SIGUSR1"})


# Why it is pending


def test_stopped(ipcctl, factory):
    truth = make(factory, blocked=[USR2], stop=1)
    os.kill(truth["process"], TERM)
    os.kill(truth["process"], USR2)
    for o in (listed(ipcctl, "signal")[truth["ref"]], ipcctl.describe(truth["ref"])):
        assert (o["run_state"], o["why"]) == ("stopped", "blocked, stopped")
        assert pending_rows(o) == {("SIGUSR2", None): "blocked", ("SIGTERM", None): "stopped"}


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


def ptrace(request, pid):
    kernel.call("ptrace", ctypes.c_long(request), ctypes.c_int(pid), ctypes.c_void_p(0), ctypes.c_void_p(0))


def wait_for_state(pid, letters):
    deadline = time.monotonic() + PATIENCE
    while kernel.process_state(pid) not in letters and time.monotonic() < deadline:
        time.sleep(0.001)
    assert kernel.process_state(pid) in letters


def test_traced(ipcctl, factory):
    truth = make(factory)
    pid = truth["process"]
    ptrace(PTRACE_SEIZE, pid)
    ptrace(PTRACE_INTERRUPT, pid)
    try:
        wait_for_state(pid, "t")
        os.kill(pid, TERM)
        o = listed(ipcctl, "signal")[truth["ref"]]
        assert (o["run_state"], o["why"], o["tracer"]) == ("traced", "traced", os.getpid())
        # Nobody but its tracer can ask it for more.
        result = ipcctl("describe", "--queue", truth["ref"], "--json", status=0)
        o = only(result.json())
        assert o["queue"] is None and o["queue_cut"] is None and result.json()["complete"] is False
        assert any("traces" in text for text in result.json()["warnings"])
    finally:
        os.waitpid(pid, 0x40000000)  # __WALL
        ptrace(PTRACE_DETACH, pid)


def test_uninterruptible(ipcctl, factory):
    """Who waits for a vfork(2) takes no signal that has a handler, SIGUSR1 here."""
    truth = make(factory, wait="vfork", caught=[USR1], blocked=[USR2], kill=[USR1, USR2])
    assert kernel.process_state(truth["process"]) == "D"
    o = listed(ipcctl, "signal")[truth["ref"]]
    assert (o["run_state"], o["why"]) == ("uninterruptible", "blocked, uninterruptible")
    assert pending_rows(o) == {("SIGUSR1", None): "uninterruptible", ("SIGUSR2", None): "blocked"}


# Choosing and showing


def test_table(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1])
    result = ipcctl("list", "signal", "--quiet")
    assert result.lines[0].split() == ["REF", "COMMAND", "OWNER", "PROCESS_PENDING", "THREAD_PENDING", "WHY"]
    row = next(line.split() for line in result.lines if truth["ref"] in line)
    assert row == [truth["ref"], "factory", expect.user(truth["uid"]), "SIGUSR1", "-", "blocked"]
    assert len(next(line for line in result.lines if truth["ref"] in line)) <= 80


def test_formats(ipcctl, factory):
    truth = make(factory, blocked=[USR1, RT], kill=[USR1], queue=[(RT, 1)], threads=2)
    text = f"SIGUSR1 {name(RT)}"
    row = next(row for row in ipcctl("list", "signal", "-r", "--quiet", "-o", "ref,process_pending").table()
               if row["ref"] == truth["ref"])
    assert row["process_pending"] == text
    assert [o["process_pending"] for o in ipcctl("list", "signal", "--jsonl", "--quiet").jsonl()
            if o["ref"] == truth["ref"]] == [text]
    raw = ipcctl("list", "signal", "-0", "-o", "ref,process_pending", "--quiet", clean=False).out.split(b"\0")
    assert raw[raw.index(truth["ref"].encode()) + 1] == text.encode()
    text = ipcctl("describe", truth["ref"], "--quiet").text
    for tid in truth["threads"]:
        assert re.search(rf"^ +{tid} ", text, re.M)


def test_groups(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1])
    for what in (["sync"], ["all"], ["signal", "pipe"], ["all", "-o", "all"]):
        assert truth["ref"] in {o["ref"] for o in ipcctl("list", *what, "--json", status=None).json()["objects"]}, what
    assert truth["ref"] not in ipcctl("list", "--quiet").text
    assert any(truth["ref"] in line.split() for line in ipcctl("list", "all", "--quiet", "--no-truncate").lines)
    row = next(row for row in ipcctl.json("summary")["kinds"] if row["kind"] == "signal")
    assert row["count"] >= 1 and "in_use" not in row and "unknown" not in row


def test_by_process(ipcctl, factory):
    mine, other, nothing = (make(factory, blocked=[USR1], kill=kill) for kill in ([USR1], [USR1], []))
    assert set(listed(ipcctl, "signal", "--pid", str(mine["process"]))) == {mine["ref"]}
    assert not listed(ipcctl, "signal", "--pid", str(nothing["process"]))
    got = ipcctl.json("list", "--pid", str(other["process"]))["objects"]
    assert [o["ref"] for o in got if o["kind"] == "signal"] == [other["ref"]]
    ipcctl("list", "signal", "--pid", "2147483647", "--quiet", status=1)


@pytest.mark.real_root
def test_by_user(ipcctl, factory):
    mine = make(factory, blocked=[USR1], kill=[USR1])
    other = make(factory, blocked=[USR1], kill=[USR1], drop=become(65534))
    got = set(listed(ipcctl, "signal", "--user", "65534"))
    assert other["ref"] in got and mine["ref"] not in got
    assert mine["ref"] in listed(ipcctl, "signal", "--user", expect.user(os.geteuid()))


def test_filters(ipcctl, factory):
    a = make(factory, blocked=[USR1, USR2], kill=[USR1])
    b = make(factory, blocked=[USR1, USR2], thread=[(0, USR2)])
    ours = {a["ref"], b["ref"]}

    def got(*filters):
        return set(listed(ipcctl, "signal", *(w for f in filters for w in ("-f", f)))) & ours

    assert got("process_pending~SIGUSR1") == {a["ref"]}
    assert got("thread_pending=SIGUSR2") == {b["ref"]}
    assert got("why=blocked") == ours and got("why!=blocked") == set()
    assert got(f"pid={a['process']}") == {a["ref"]}
    assert got("queue_used>0", "run_state=sleeping") == ours
    rows = [row["ref"] for row in ipcctl("list", "signal", "-r", "--sort=-pid", "--quiet").table()]
    assert [ref for ref in rows if ref in ours] == sorted(ours, key=lambda ref: -int(ref.split(":")[1]))


def test_completion(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1])
    assert truth["ref"] in ipcctl("__complete", "--", "describe", "signal:").lines
    assert "signal:" in [line.split("\t")[0] for line in ipcctl("__complete", "--", "describe", "").lines]
    assert "USR1" in ipcctl("__complete", "--", "create", "signal", "1", "--signal", "").lines
    assert "--queue" in [line.split("\t")[0] for line in ipcctl("__complete", "--", "describe", "--").lines]


def test_schema(ipcctl, factory):
    schema = ipcctl("kinds", "--json-schema").json()
    make(factory, blocked=[USR1, RT], kill=[USR1], queue=[(RT, 1)], threads=2, thread=[(1, USR1)])
    pid = make(factory, leave=1, threads=2, stop=1)["process"]
    document = ipcctl.json("list", "signal")
    refs = [o["ref"] for o in document["objects"]]
    for document in (document, ipcctl.json("list", "signal", "-o", "all"),
                     ipcctl.json("describe", "--queue", f"signal:{pid}", *refs)):
        jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("threads", ["1", "2", "64"])
def test_many(ipcctl, factory, threads):
    """The same by any number of threads of ours, in the order of processes."""
    truths = [make(factory, blocked=[USR1, USR2], kill=[USR1] if i % 2 else [], threads=1 + i % 3) for i in range(12)]
    got = [o["ref"] for o in ipcctl.json("list", "signal", "--threads", threads)["objects"]]
    expected = [truth["ref"] for i, truth in enumerate(truths) if i % 2]
    assert [ref for ref in got if ref in {truth["ref"] for truth in truths}] == sorted(
        expected, key=lambda ref: int(ref.split(":")[1]))


def test_a_thousand_threads(ipcctl, factory):
    truth = make(factory, threads=1000, blocked=[USR1], thread=[(999, USR1)])
    o = ipcctl.describe(truth["ref"])
    assert [row["tid"] for row in o["threads"]] == truth["threads"] and o["nthreads"] == 1000
    assert pending_rows(o) == {("SIGUSR1", truth["threads"][999]): "blocked"}


# References


def test_references(ipcctl, factory):
    a, b = make(factory, blocked=[USR1], kill=[USR1]), make(factory, threads=2)
    objects = ipcctl.json("describe", a["ref"], b["ref"])["objects"]
    assert [o["ref"] for o in objects] == [a["ref"], b["ref"]]
    not_there(ipcctl, "signal:2147483647")
    for word in ("signal:", "signal:x", "signal:0", "signal:-1", "signal:4294967296", f"signal:{a['process']}x"):
        ipcctl.refuses("describe", word, words=[word])
    # The number of a thread is none of a process.
    tid = b["threads"][1]
    ipcctl.refuses("describe", f"signal:{tid}", words=["thread", b["ref"]])
    a["let_go"]()
    not_there(ipcctl, a["ref"])


# What cannot be seen


@pytest.mark.real_root
def test_everybody_may_see(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1], threads=2, thread=[(1, USR1)])
    for drop in (become(65534), drop_capabilities):
        document = ipcctl.json("list", "signal", drop=drop)
        o = next(o for o in document["objects"] if o["ref"] == truth["ref"])
        assert (o["process_pending"], o["thread_pending"]) == ("SIGUSR1", "SIGUSR1")
        assert document["unreadable_processes"] == 0
        got = listed(ipcctl, "signal", "--pid", str(truth["process"]), drop=drop)
        assert set(got) == {truth["ref"]}


@pytest.mark.real_root
@pytest.mark.parametrize("hidepid", ["1", "2"])
def test_hidden(ipcctl, factory, hidepid):
    """hidepid of proc(5): what is not shown is said to be missing, not to be none."""
    truth = make(factory, blocked=[USR1], kill=[USR1])

    def hide():
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("proc", "/proc", "proc", 0, f"hidepid={hidepid}")
        become(65534)()

    document = ipcctl.json("list", "signal", drop=hide)
    assert document["complete"] is False and document["warnings"]
    assert truth["ref"] not in [o["ref"] for o in document["objects"]]
    assert (document["unreadable_processes"] > 0) is (hidepid == "1")
    result = ipcctl("describe", truth["ref"], status=1, drop=hide)
    assert any("not everything could be read" in line for line in result.errors), result
    ipcctl.refuses("create", "signal", str(truth["process"]), "--signal", "USR2", status=1, drop=hide,
                   words=["not permitted"])


def test_processes_are_not_looked_at(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1])
    document = ipcctl.json("list", "signal", "--no-holders")
    assert document["objects"] == [] and document["complete"] is False
    assert any("--no-holders" in text for text in document["warnings"])
    ipcctl("describe", "--no-holders", truth["ref"], status=1)
    assert "signal" in [row["kind"] for row in ipcctl.json("summary", "--no-holders")["kinds"]]


def test_another_proc(ipcctl, factory):
    """Masks are in the files; what only calls tell is unknown."""
    truth = make(factory, blocked=[USR1], kill=[USR1])
    o = listed(ipcctl, "signal", "--procfs", "/proc")[truth["ref"]]
    assert o["process_pending"] == "SIGUSR1"
    o = only(ipcctl.json("describe", "--queue", "--procfs", "/proc", truth["ref"]))
    assert o["queue"] is None and o["blocked"] == "SIGUSR1"


def test_in_a_namespace_of_processes_something_may_hide(ipcctl):
    document = ipcctl.json("list", "signal")
    assert document["complete"] is not kernel.processes_may_hide()


# Names and numbers of other people


@pytest.mark.parametrize("command", [b"x\nSigPnd: ffff", b") R 1 (", b"\\nShdPnd:\tff", b"\xff\x1b[31m", b" ", b"a\\",
                                     b"\n\n\nSigQ:\t1/1"])
def test_hostile_commands(ipcctl, factory, command):
    """A name that looks like lines of the file changes nothing of what is read."""
    truth = make(factory, blocked=[USR1], kill=[USR1], name=command, threads=2)
    assert kernel.command(truth["process"]) == command[:15]
    for o in (listed(ipcctl, "signal")[truth["ref"]], *views(ipcctl, truth["ref"])):
        assert (o["process_pending"], o["blocked"]) == ("SIGUSR1", "SIGUSR1") and "thread_pending" not in o
        check_masks(o, truth["process"])
    assert unescape(o["command"]) == command[:15]
    assert unescape(o["threads"][0]["command"]) == command[:15]
    assert ipcctl("list", "signal", "--quiet").out


def test_processes_that_die_while_they_are_read(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1], threads=3)

    def churn():
        children = []
        for _ in range(8):
            pid = os.posix_spawn("/bin/true", ["true"], {}, setsigmask=[USR1])
            try:
                os.kill(pid, USR1)
            except ProcessLookupError:
                pass
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)

    with Churn(churn):
        for _ in range(3 if ipcctl.slow else 40):
            result = ipcctl("list", "signal", "--json", "-o", "all")
            objects = {o["ref"]: o for o in result.json()["objects"]}
            assert objects[truth["ref"]]["process_pending"] == "SIGUSR1"
            assert result.json()["unreadable_processes"] == 0, result
            for o in objects.values():
                assert o["signals"], o


# Sending


class Receiver:
    """Takes its signals from a signalfd, which tells all that came with each."""

    CODE = ("import ctypes, os, signal, sys\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "mask = (ctypes.c_uint64 * 16)(0xffffffffffffffff)\n"
            "fd = libc.signalfd(-1, mask, 0)\n"
            "assert fd >= 0\n"
            "print('up', flush=True)\n"
            "while True:\n"
            "    sys.stdout.buffer.write(os.read(fd, 128)); sys.stdout.flush()\n")

    def __init__(self, background, **options):
        self.process = background(sys.executable, "-c", self.CODE, stdout=subprocess.PIPE, **options)
        assert self.process.stdout.readline() == b"up\n"
        self.pid = self.process.pid

    def take(self):
        """(number, code, pid, uid, value) of signalfd_siginfo (signalfd(2))."""
        data = self.process.stdout.read(128)
        number, _, code, pid, uid = struct.unpack_from("<IiiII", data)
        return number, code, pid, uid, struct.unpack_from("<i", data, 44)[0]


SI_USER, SI_QUEUE = 0, -1
SPELLINGS = [("USR1", 10), ("SIGUSR1", 10), ("usr2", 12), ("15", 15), ("HUP", 1), ("RTMIN", RT), ("RTMIN+3", RT + 3),
             ("SIGRTMAX-2", signal.SIGRTMAX - 2), ("rtmax", signal.SIGRTMAX), ("64", 64)]


@pytest.mark.parametrize("word, number", SPELLINGS)
def test_create(ipcctl, background, word, number):
    receiver = Receiver(background)
    result = ipcctl("create", "signal", str(receiver.pid), "--signal", word)
    assert result.text == f"signal:{receiver.pid}\n" and result.err == b""
    got = receiver.take()
    assert (got[0], got[1], got[3]) == (number, SI_USER, os.getuid())
    receiver.process.stdout.close()


@pytest.mark.parametrize("value", [0, 1, -1, 17, (1 << 31) - 1, -(1 << 31)])
def test_create_with_a_value(ipcctl, background, value):
    receiver = Receiver(background)
    ipcctl("create", "signal", str(receiver.pid), "--signal", "RTMIN+1", f"--value={value}")
    got = receiver.take()
    assert (got[0], got[1], got[3], got[4]) == (RT + 1, SI_QUEUE, os.getuid(), value)
    receiver.process.stdout.close()


def test_create_in_order(ipcctl, background):
    """Of a real-time signal each is queued; the sender is the one that ran."""
    receiver = Receiver(background)
    senders = []
    for value in range(5):
        with subprocess.Popen(ipcctl.command("create", "signal", str(receiver.pid), "--signal=RTMIN", "--value",
                                             str(value)), cwd=ipcctl.cwd, env=ENVIRONMENT,
                              stdout=subprocess.DEVNULL) as process:
            senders.append(process.pid)
        assert process.returncode == 0
    got = [receiver.take() for _ in range(5)]
    assert [g[4] for g in got] == list(range(5))
    if not ipcctl.slow:
        assert [g[2] for g in got] == senders
    receiver.process.stdout.close()


def test_create_kills(ipcctl, factory):
    truth, neighbour = make(factory), make(factory)
    ipcctl("create", "signal", str(truth["process"]), "--signal", "KILL")
    wait_for_state(truth["process"], "Z")
    assert kernel.process_state(neighbour["process"]) == "S"


def test_create_stops(ipcctl, factory):
    truth = make(factory)
    ipcctl("create", "signal", str(truth["process"]), "--signal", "STOP")
    wait_for_state(truth["process"], "T")


def test_create_shows_the_record(ipcctl, factory):
    truth = make(factory, blocked=[USR1])
    o = only(ipcctl.json("create", "signal", str(truth["process"]), "--signal", "USR1"))
    assert (o["ref"], o["process_pending"], o["why"]) == (truth["ref"], "SIGUSR1", "blocked")
    assert status(truth["process"])["ShdPnd"] == {USR1}


WRONG = [
    (["1"], ["--signal"]), (["1", "--signal", "0"], ["0"]), (["1", "--signal", "65"], ["65"]),
    (["1", "--signal", "NONSENSE"], ["NONSENSE"]), (["1", "--signal", ""], ["--signal"]),
    (["1", "--signal", "-1"], ["-1"]), (["1", "--signal", "RTMIN+99"], ["RTMIN+99"]),
    (["1", "--signal", "USR1", "--value", "2147483648"], ["--value"]),
    (["1", "--signal", "USR1", "--value", "x"], ["--value"]),
    (["1", "--signal", "USR1", "--value=-2147483649"], ["--value"]),
    (["0", "--signal", "USR1"], ["0"]), (["-1", "--signal", "USR1"], ["-1"]), (["x", "--signal", "USR1"], ["x"]),
    (["99999999999", "--signal", "USR1"], ["99999999999"]), (["--signal", "USR1"], ["PID"]),
    (["1", "2", "--signal", "USR1"], ["2"]), (["1", "--signal", "USR1", "--", "true"], ["true"]),
]


@pytest.mark.parametrize("arguments, named", WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_create_wrong(ipcctl, arguments, named):
    ipcctl.refuses("create", "signal", *arguments, words=named)


def test_create_nobody(ipcctl, factory):
    process = subprocess.Popen(["true"])
    process.wait()
    ipcctl.refuses("create", "signal", str(process.pid), "--signal=USR1", status=1, words=["No such process"])
    truth = make(factory, threads=2, blocked=[USR1])
    tid = truth["threads"][1]
    ipcctl.refuses("create", "signal", str(tid), "--signal=USR1", status=1,
                   words=["thread", str(truth["process"])])
    assert not status(truth["process"])["ShdPnd"] and not status(truth["process"], tid)["SigPnd"]


@pytest.mark.real_root
def test_create_not_allowed(ipcctl, factory):
    truth = make(factory, blocked=[USR1])
    ipcctl.refuses("create", "signal", str(truth["process"]), "--signal", "USR1", status=1, drop=become(65534),
                   words=["not permitted", "owner root", "CAP_KILL"])
    assert not status(truth["process"])["ShdPnd"]


def test_create_with_a_full_queue(ipcctl, factory):
    truth = make(factory, blocked=[RT])
    resource.prlimit(truth["process"], resource.RLIMIT_SIGPENDING, (0, 0))
    ipcctl.refuses("create", "signal", str(truth["process"]), "--signal=RTMIN", "--value=1", status=1,
                   words=["RLIMIT_SIGPENDING"])
    assert not status(truth["process"])["ShdPnd"]
    assert ipcctl.describe(truth["ref"])["queue_limit"] == 0


# Taking back


def test_remove(ipcctl, factory):
    truth = make(factory, blocked=[USR1], kill=[USR1])
    for arguments in ([], ["--dry-run"], ["-y"]):
        ipcctl.refuses("remove", *arguments, truth["ref"], status=1, words=[truth["ref"], "taken back"])
    ipcctl.refuses("remove", "--kill", truth["ref"], words=["--kill", truth["ref"]])
    ipcctl.refuses("remove", "--all", "signal", "--yes", words=["signal", "taken back"])
    ipcctl.refuses("remove", "signal:2147483647", status=1, words=["not found"])
    assert status(truth["process"])["ShdPnd"] == {USR1}


# Looking on


@pytest.mark.parametrize("call", ["epoll", "semop", "sleep", "pause"])
def test_nobody_is_disturbed(ipcctl, factory, call):
    """No thread wakes, no signal is taken."""
    truth = make(factory, threads=2, blocked=[USR1, RT], kill=[USR1], queue=[(RT, 1), (RT, 2)], thread=[(1, USR1)],
                 wait=call)
    other = make(factory, wait=call)

    def facts():
        out = []
        for pid, tid in [*((truth["process"], tid) for tid in truth["threads"]), (other["process"], other["process"])]:
            got = status(pid, tid)
            with open(f"/proc/{pid}/task/{tid}/syscall", encoding="ascii") as f:
                out.append((f.read(), {k: got[k] for k in got if k.endswith("switches") or k.startswith(("Sig", "Shd"))
                                       and k != "SigQ"}))
        return out

    before = facts()
    for arguments in (["list", "signal"], ["list", "signal", "--json", "-o", "all"], ["list", "all"],
                      ["describe", truth["ref"], other["ref"]], ["describe", "--json", truth["ref"]], ["summary"],
                      ["remove", "--dry-run", truth["ref"]], ["describe", "--queue", other["ref"]]):
        ipcctl(*arguments, "--quiet", status=None)
        assert facts() == before, arguments


# Limits


def test_limit(ipcctl, factory):
    """The kernel's count for our user, against our limit."""
    make(factory, blocked=[RT], queue=[(RT, i) for i in range(20)])
    row, used, _ = while_quiet(os.getpid(), lambda: ipcctl.json("limits", "signal")["limits"][0], "used")
    assert used >= 20
    assert (row["name"], row["fills"]) == ("rlimit-sigpending", True)
    limit = resource.getrlimit(resource.RLIMIT_SIGPENDING)[0]
    assert row.get("value") == (None if limit == resource.RLIM_INFINITY else limit)
