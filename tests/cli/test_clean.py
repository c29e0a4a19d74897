# SPDX-License-Identifier: MIT
"""clean as a command: what may be said to it, what it says, and what its status is."""

import os
import pty
import socket
import subprocess
import time

import expect
import kernel
import pytest
from cleaning import Asked, NOW, plan, record
from program import ENVIRONMENT

CANNOT_LEAK = ["pipe", "memfd", "eventfd", "file-mapping", "anon-mapping", "pty", "inet-socket", "flock",
               "record-lock", "lease", "futex", "signal"]


@pytest.fixture
def some(factory):
    """Segments: three orphans of different sizes, one attached, one whose creator lives."""
    orphans = [f"sysv-shm:{factory('sysv-shm', size=size)['id']}" for size in (10000, 20000, 30000)]
    factory("sysv-shm", hold=True, attach=1)
    factory("sysv-shm", hold=True)
    return orphans


def remaining():
    return {f"sysv-shm:{row['shmid']}" for row in kernel.sysvipc("shm")}


def carry_out(ipcctl, *words, **options):
    return ipcctl("clean", "--remove", "--yes", *NOW, *words, **options)


# The plan


def test_the_plan_removes_nothing(ipcctl, some):
    before = kernel.sysvipc("shm"), [record(ref) for ref in remaining()]
    for words in [], ["-v"], ["--json"], ["--idle", "--stale", "--with-messages"], ["-n"], ["--remove", "-n"]:
        ipcctl("clean", *NOW, *words)
        assert (kernel.sysvipc("shm"), [record(ref) for ref in remaining()]) == before, words


def test_the_plan_tells_what_goes(ipcctl, some):
    """Only that; with -v what is spared too, and why."""
    result = ipcctl("clean", *NOW)
    assert result.lines[0].split() == ["REF", "OWNER", "BYTES", "AGE", "STATE", "REASON"]
    assert [line.split()[0] for line in result.lines[1:]] == some
    assert result.errors[-1] == "ipcctl: 3 objects, 58.6K would be removed"
    document = ipcctl.json("clean", *NOW)
    assert [row["ref"] for row in document["candidates"]] == some
    rows = plan(ipcctl)
    assert rows.keys() == remaining()
    for ref, row in rows.items():
        assert (row["action"], "why" in row) == (("remove", False) if ref in some else ("spare", True))
        assert "outcome" not in row
    table = ipcctl("clean", "-v", *NOW)
    assert table.lines[0].split()[-2:] == ["ACTION", "WHY"] and len(table.lines) == 6


def test_fields(ipcctl, factory):
    """Those of the object, as the kernel has them."""
    truth = factory("sysv-shm", size=12345)
    row, = ipcctl.json("clean", *NOW)["candidates"]
    age = row.pop("age")
    assert 0 <= age <= time.time() - kernel.shm(truth["id"])["ctime"]
    assert row.pop("reason")
    assert row == {"ref": f"sysv-shm:{truth['id']}", "kind": "sysv-shm", "owner": expect.user(os.geteuid()),
                   "uid": os.geteuid(), "bytes": 12345, "state": "orphaned", "action": "remove"}


@pytest.mark.parametrize("words", [["--json"], ["--jsonl"], ["--raw"], ["--null", "-o", "ref,outcome"]])
def test_records_tell_the_outcome(ipcctl, some, words):
    result = carry_out(ipcctl, *words, clean="--null" not in words)
    if words == ["--json"]:
        told = {row["ref"]: row["outcome"] for row in result.json()["candidates"]}
    elif words == ["--jsonl"]:
        told = {row["ref"]: row["outcome"] for row in result.jsonl() if "ref" in row}
    elif words == ["--raw"]:
        told = {row["ref"]: row["outcome"] for row in result.table()}
    else:
        parts = result.out.decode().split("\0")
        told = dict(zip(parts[::2], parts[1::2]))
    assert told == dict.fromkeys(some, "removed") and not remaining() & set(some)
    assert b"removed sysv" not in result.out


def test_output_and_sort(ipcctl, some):
    """They are about the plan."""
    result = ipcctl("clean", *NOW, "-rH", "-o", "bytes,action,ref", "--sort", "-bytes")
    assert result.lines == [f"{size}\tremove\t{ref}" for size, ref in zip((30000, 20000, 10000), reversed(some))]
    ipcctl.refuses("clean", "-o", "nattch", words=["nattch"])
    ipcctl.refuses("clean", "--sort", "nattch", words=["nattch"])


# Carrying it out


def test_removed(ipcctl, some):
    spared = remaining() - set(some)
    result = carry_out(ipcctl)
    assert remaining() == spared
    assert result.lines == [f"removed {ref}" for ref in some]
    assert result.errors[-1] == "ipcctl: 3 objects, 58.6K removed"
    # There is nothing to do: that is no error.
    result = carry_out(ipcctl)
    assert result.out == b"" and result.errors[-1] == "ipcctl: nothing removed" and remaining() == spared


def test_quiet(ipcctl, some):
    result = carry_out(ipcctl, "--quiet")
    assert result.out == result.err == b"" and not remaining() & set(some)


def test_one_object(ipcctl, factory):
    """Of what takes next to no memory none is told."""
    factory("sysv-shm", size=4096)
    assert ipcctl("clean", *NOW).errors[-1] == "ipcctl: 1 object, 4K would be removed"
    assert carry_out(ipcctl).errors[-1] == "ipcctl: 1 object, 4K removed"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("/dev/shm/s")
    if ipcctl.slow:
        return
    words = ["unix-socket", "--path", "/dev/shm"]
    assert ipcctl("clean", *NOW, *words).errors[-1] == "ipcctl: 1 object would be removed"
    assert carry_out(ipcctl, *words).errors[-1] == "ipcctl: 1 object removed"


@pytest.mark.parametrize("answer, goes", [(b"y\n", True), (b"Yes\n", True), (b"n\n", False), (b"\n", False),
                                          (b"\x04", False)], ids=["y", "yes", "n", "newline", "end"])
def test_question(ipcctl, some, answer, goes):
    """The plan is shown first; without a yes nothing goes, and the status says so."""
    with Asked(ipcctl) as asked:
        shown = asked.said.decode()
        assert all(ref in shown for ref in some) and "Remove 3 objects, 58.6K?" in shown
        assert set(some) <= remaining()
        status, said = asked.answer(answer)
    assert (set(some) & remaining() == set()) is goes
    assert status == (0 if goes else 1)
    assert ("3 objects, 58.6K removed" in said, "nothing was removed" in said) == (goes, not goes)


def on_a_terminal(ipcctl, *words):
    """With a terminal to ask at where nobody answers."""
    master, slave = pty.openpty()
    try:
        return subprocess.run(ipcctl.command("clean", "--remove", *NOW, *words), stdin=slave, capture_output=True,
                              env=ENVIRONMENT, cwd=ipcctl.cwd, timeout=60)
    finally:
        os.close(master)
        os.close(slave)


def test_nothing_to_ask(ipcctl, factory):
    """Without a candidate there is no question."""
    factory("sysv-shm", hold=True, attach=1)
    result = on_a_terminal(ipcctl)
    assert result.returncode == 0 and b"[y/N]" not in result.stderr and b"nothing removed" in result.stderr


# What is not understood


@pytest.mark.parametrize("words, said", [
    (["--remove"], "--yes"), (["--yes"], "--remove"), (["--yes", "-n"], "--remove"), (["--remove", "--json"], "--yes"),
    (["--remove", "--yes", "--max", "0"], "--max"), (["--remove", "--yes", "--max", "x"], "--max"),
    (["--remove", "--yes", "--older-than", "x"], "--older-than"), (["--remove", "--yes", "--user", "n o"], "--user"),
    (["--remove", "--yes", "--filter", "nattch"], "--filter"), (["--remove", "--yes", "--filter", "nope=1"], "nope"),
    (["--remove", "--yes", "nonsense"], "nonsense")], ids=lambda v: "_".join(v) if isinstance(v, list) else None)
def test_usage(ipcctl, some, words, said):
    """Nothing is looked at, let alone removed."""
    ipcctl.refuses("clean", *NOW, *words, words=[said])
    assert set(some) <= remaining()


@pytest.mark.parametrize("words", [["--json"], ["--jsonl"], ["--raw"], ["--null"]])
def test_records_are_for_nobody_to_answer(ipcctl, some, words):
    """On a terminal, too, --yes must be given with them."""
    result = on_a_terminal(ipcctl, *words)
    assert result.returncode == 2 and b"--yes" in result.stderr and set(some) <= remaining()


@pytest.mark.parametrize("kind", CANNOT_LEAK)
def test_kinds_that_go_with_their_holders(ipcctl, some, kind):
    for words in [kind], ["sysv-shm", kind]:
        ipcctl.refuses("clean", "--remove", "--yes", *NOW, *words, words=[kind, "only as long as somebody holds them"])
    assert set(some) <= remaining()


def test_every_kind_leaks_or_is_refused(ipcctl):
    kinds = {kind["kind"] for kind in ipcctl.json("kinds")["kinds"] if kind["built"]}
    leak = {"sysv-shm", "sysv-sem", "sysv-msg", "posix-shm", "posix-sem", "posix-mq", "unix-socket", "fifo"}
    assert kinds == leak | set(CANNOT_LEAK)
    if not ipcctl.slow:
        ipcctl("clean", *sorted(leak))
