# SPDX-License-Identifier: MIT
"""System V objects that were left behind, and such as only look so: the verdict, and what `clean` does."""

import ctypes
import os
import signal
import subprocess
import threading
import time

import calls
import kernel
import pytest
from cleaning import (MAKERS, NOBODY_ELSE, NOW, SEM_UNDO, attach, dies, judged, left_behind, lives, next_second, plan,
                      queue, record, segment, semaphores, semop, started, there, touch, until)
from namespaces import as_the_first
from program import ENVIRONMENT, NOBODY, become

STALE = ["sysv-sem", "sysv-msg"]
SYS_EXIT = calls.number("exit")


@pytest.fixture
def own_pids():
    """Says that the test is about a PID namespace of the tests' own."""
    if not kernel.processes_may_hide():
        pytest.skip("this is the first PID namespace")


# Segments: the kernel counts who has them


def test_creator_alive(ipcctl, factory):
    """It may be about to attach it, by its id."""
    truth = factory("sysv-shm", hold=True)
    ref = f"sysv-shm:{truth['id']}"
    assert str(truth["pid"]) in judged(ipcctl, ref, "idle", False)["reason"]
    truth["let_go"]()
    judged(ipcctl, ref, "orphaned", True)


def test_idle_on_request(ipcctl, factory):
    truth = factory("sysv-shm", hold=True)
    judged(ipcctl, f"sysv-shm:{truth['id']}", "idle", True, "--idle")


def test_last_user_alive(ipcctl):
    """Its creator is gone."""
    ref = left_behind("sysv-shm")
    ident = kernel.sysvipc("shm")[0]["shmid"]
    with lives(lambda: touch(ident)) as (pid, _):
        assert kernel.shm(ident)["nattch"] == 0 and kernel.shm(ident)["lpid"] == pid
        assert str(pid) in judged(ipcctl, ref, "idle", False)["reason"]
    judged(ipcctl, ref, "orphaned", True)


def test_attached_by_a_child(ipcctl):
    ref, ident = left_behind("sysv-shm"), kernel.sysvipc("shm")[0]["shmid"]
    with lives(lambda: attach(ident)):
        for words in [], ["--idle", "--stale"]:
            judged(ipcctl, ref, "in-use", False, *words)
        assert kernel.shm(ident)["nattch"] == 1
    judged(ipcctl, ref, "orphaned", True)


def test_inherited(ipcctl):
    """Attached by its creator, whose child alone has it still."""
    orphan, word = os.pipe()

    def make():
        ident = segment()
        attach(ident)
        if os.fork() == 0:
            os.close(word)
            os.read(orphan, 1)
            os._exit(0)
        return ident

    _, ident = dies(make)
    ref = f"sysv-shm:{ident}"
    assert kernel.shm(ident)["nattch"] == 1
    judged(ipcctl, ref, "in-use", False)
    os.close(word)
    until(lambda: kernel.shm(ident)["nattch"] == 0, "the child has it")
    os.close(orphan)
    judged(ipcctl, ref, "orphaned", True)


@pytest.mark.parametrize("attached", [0, 3])
def test_all_gone(ipcctl, factory, attached):
    used = factory("sysv-shm", attach=attached, size=5000)
    row = judged(ipcctl, f"sysv-shm:{used['id']}", "orphaned", True)
    assert (row["kind"], row["bytes"], row["uid"]) == ("sysv-shm", 5000, os.geteuid())


def test_zombie(ipcctl):
    """It comes back to nothing."""
    pid, ident, hold = started(segment)
    os.close(hold)
    until(lambda: kernel.process_state(pid) == "Z", "it is no zombie")
    try:
        judged(ipcctl, f"sysv-shm:{ident}", "orphaned", True)
    finally:
        os.waitpid(pid, 0)


@pytest.mark.skipif(SYS_EXIT is None, reason="the number of exit(2) is not known here")
def test_threads_outlive_their_leader(ipcctl):
    def make():
        ident = segment()
        threading.Thread(target=signal.pause).start()
        os.write(answer, str(ident).encode())
        ctypes.CDLL(None).syscall(SYS_EXIT, 0)

    result, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        make()
    try:
        ref = f"sysv-shm:{int(os.read(result, 64))}"
        until(lambda: kernel.process_state(pid) == "Z", "its leader lives")
        judged(ipcctl, ref, "idle", False)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(result)
        os.close(answer)
    judged(ipcctl, ref, "orphaned", True)


def reborn(pid):
    """A younger process that has this number."""
    def again():
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
            f.write(str(pid - 1))
        new = os.fork()
        if new == 0:
            signal.pause()
        if new != pid:
            os.kill(new, signal.SIGKILL)
            os.waitpid(new, 0)
        return new == pid

    until(again, "the number is not given again")


@pytest.mark.parametrize("kind", MAKERS)
def test_number_of_another_process(ipcctl, own_pids, kind):
    """The number of who made it was given to a process that has nothing to do with it."""
    pid, ident = dies(MAKERS[kind])
    next_second(time.time())
    reborn(pid)
    try:
        if kind == "sysv-shm":
            assert kernel.shm(ident)["cpid"] == pid
        os.kill(pid, 0)
        judged(ipcctl, f"{kind}:{ident}", "orphaned" if kind == "sysv-shm" else "stale", kind == "sysv-shm",
               drop=as_the_first)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def run_inside(ipcctl, *words):
    """In a PID namespace below, of the same IPC namespace."""
    result = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", *ipcctl.command(*words)],
                            capture_output=True, check=True, env=ENVIRONMENT, cwd=ipcctl.cwd)
    return result.stdout.decode()


@pytest.mark.parametrize("kind", MAKERS)
def test_maker_in_another_pid_namespace(ipcctl, kind):
    """From in there it has no number, be it alive or not."""
    ref = left_behind(kind)
    before = record(ref)
    assert f"{ref}\tunknown\tspare" in run_inside(ipcctl, "clean", kind, "-v", *NOW, "-r", "-o", "ref,state,action")
    run_inside(ipcctl, "clean", "--remove", "--yes", "--idle", "--stale", *NOW)
    assert record(ref) == before
    # From where the maker's number is known, it may be judged.
    if kind == "sysv-shm":
        judged(ipcctl, ref, "orphaned", True)


def test_marked_for_destruction(ipcctl, factory):
    truth = factory("sysv-shm", hold=True, attach=1, rmid=1)
    row = judged(ipcctl, f"sysv-shm:{truth['id']}", "in-use", False, "--idle")
    assert "marked for destruction" in row["reason"]
    assert kernel.shm(truth["id"])["flags"] & kernel.SHM_DEST


# Sets and queues: the kernel keeps no list of users


@pytest.mark.parametrize("words", [[], ["--stale", "--idle"]], ids=["plain", "all"])
def test_blocked(ipcctl, factory, words):
    """Whoever waits is a user, whoever is recorded."""
    for values, block in ("0", "0:-1"), ("1", "0:0"):
        truth = factory("sysv-sem", hold=True, nsems=1, values=values, block=block)
        judged(ipcctl, f"sysv-sem:{truth['id']}", "in-use", False, *words)
    truth = factory("sysv-msg", hold=True, receivers="5", messages="1:1")
    judged(ipcctl, f"sysv-msg:{truth['id']}", "in-use", False, *words, "--with-messages")


@pytest.mark.parametrize("words", [[], ["--stale"]], ids=["plain", "stale"])
def test_undo_pending(ipcctl, words):
    """Who would undo what was done is not told of; who was last is gone."""
    ident = semaphores()
    with lives(lambda: semop(ident, -1, SEM_UNDO)):
        dies(lambda: semop(ident, 1))
        judged(ipcctl, f"sysv-sem:{ident}", "stale", False, *words, drop=as_the_first)
        assert kernel.sem_each(ident)[0]["value"] == 3
    assert kernel.sem_each(ident)[0]["value"] == 4


@pytest.mark.parametrize("kind", STALE)
def test_recorded_alive(ipcctl, kind):
    with lives(MAKERS[kind]) as (pid, ident):
        row = judged(ipcctl, f"{kind}:{ident}", "idle", False, "--stale", drop=as_the_first)
        assert str(pid) in row["reason"]


@pytest.mark.parametrize("kind", STALE)
def test_idle_is_no_proof(ipcctl, kind):
    """Nobody knows that nobody uses it: --idle does not take it, and does not say so."""
    with lives(MAKERS[kind]) as (_, ident):
        judged(ipcctl, f"{kind}:{ident}", "idle", False, "--idle", "--stale", drop=as_the_first)


@pytest.mark.real_root
@pytest.mark.parametrize("words", [["--idle"], ["--idle", "--stale"]], ids=["idle", "both"])
def test_used_by_somebody_else(ipcctl, words):
    """Its owner has no process, but who used it last lives."""
    for kind, use in ("sysv-sem", lambda i: semop(i, 1)), ("sysv-msg", lambda i: kernel.msg_send(i, 1, b"x") or i):
        ident = dies(MAKERS[kind], NOBODY_ELSE)[1]
        with lives(lambda: use(ident)):
            judged(ipcctl, f"{kind}:{ident}", "idle", False, *words, "--with-messages", drop=as_the_first)


@pytest.mark.parametrize("kind", STALE)
def test_owner_has_processes(ipcctl, kind):
    """Every process that it records is gone; of its owner there are others."""
    ref = left_behind(kind)
    judged(ipcctl, ref, "stale", False, drop=as_the_first)
    row = judged(ipcctl, ref, "stale", False, "--stale", drop=as_the_first)
    assert "living process" in row["why"]


@pytest.mark.real_root
@pytest.mark.parametrize("kind", STALE)
def test_owner_has_none(ipcctl, kind):
    ref = left_behind(kind, NOBODY_ELSE)
    for words in [], ["--idle"]:
        judged(ipcctl, ref, "stale", False, *words, drop=as_the_first)
    # As long as somebody may be out of sight nothing is known of its owner.
    plan(ipcctl, "--stale")
    assert there(ref)
    with lives(os.getpid, NOBODY_ELSE):
        judged(ipcctl, ref, "stale", False, "--stale", drop=as_the_first)
    judged(ipcctl, ref, "stale", True, "--stale", drop=as_the_first)


@pytest.mark.real_root
@pytest.mark.parametrize("kind", STALE)
def test_somebody_out_of_sight(ipcctl, own_pids, kind):
    """In a PID namespace others may have processes elsewhere."""
    ref = left_behind(kind, NOBODY_ELSE)
    judged(ipcctl, ref, "stale" if kind == "sysv-sem" else "unknown", False, "--stale")


@pytest.mark.real_root
@pytest.mark.parametrize("kind", STALE)
def test_given_away(ipcctl, factory, kind):
    """Who made it counts as who owns it."""
    ref = f"{kind}:{factory(kind, uid=NOBODY_ELSE)['id']}"
    assert record(ref)[0]["uid"] == NOBODY_ELSE if kind == "sysv-sem" else record(ref)["uid"] == NOBODY_ELSE
    judged(ipcctl, ref, "stale", False, "--stale", drop=as_the_first)


@pytest.mark.real_root
def test_messages(ipcctl):
    """They are somebody's."""
    ident = dies(lambda: queue(3, left=3), NOBODY_ELSE)[1]
    ref = f"sysv-msg:{ident}"
    row = judged(ipcctl, ref, "stale", False, "--stale", drop=as_the_first)
    assert "3 messages" in row["reason"] and "--with-messages" in row["why"]
    judged(ipcctl, ref, "stale", False, "--with-messages", drop=as_the_first)
    assert kernel.msg(ident)["messages"] == 3
    judged(ipcctl, ref, "stale", True, "--stale", "--with-messages", drop=as_the_first)


# Of those who see less


@pytest.mark.real_root
def test_of_another_user(ipcctl, factory):
    """What is proved and may not be removed is spared and counted."""
    refs = [left_behind("sysv-shm"), *(left_behind(kind) for kind in STALE)]
    rows = plan(ipcctl, drop=become(NOBODY))
    assert [rows[ref]["action"] for ref in refs] == ["spare"] * 3
    assert rows[refs[0]]["state"] == "orphaned" and rows[refs[1]]["state"] == "unknown"
    result = ipcctl("clean", "--remove", "--yes", "--stale", *NOW, drop=become(NOBODY))
    assert all(there(ref) for ref in refs)
    assert "nothing removed; 3 spared for want of proof or rights" in result.errors[-1], result


@pytest.mark.real_root
def test_of_the_user(ipcctl, factory):
    """By the count of the kernel an ordinary user proves as much as root."""
    ref = left_behind("sysv-shm", NOBODY)
    others = left_behind("sysv-shm")
    used = factory("sysv-shm", hold=True, attach=1, drop=become(NOBODY))
    idle = factory("sysv-shm", hold=True, uid=NOBODY)
    judged(ipcctl, ref, "orphaned", True, drop=become(NOBODY))
    assert there(others) and all(kernel.exists("sysv-shm", truth["id"]) for truth in (used, idle))


@pytest.mark.real_root
def test_hidden_processes(ipcctl, factory):
    """A creator that /proc does not show to this user is alive all the same."""
    def hide():
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("proc", "/proc", "proc", 0, "hidepid=2")
        become(NOBODY)()

    truth = factory("sysv-shm", hold=True, uid=NOBODY)
    ref = f"sysv-shm:{truth['id']}"
    row = plan(ipcctl, drop=hide)[ref]
    assert row["state"] in ("idle", "unknown") and row["action"] == "spare", row
    ipcctl("clean", "--remove", "--yes", *NOW, drop=hide)
    assert there(ref)
    truth["let_go"]()
    judged(ipcctl, ref, "orphaned", True, drop=hide)
