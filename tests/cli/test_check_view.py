# SPDX-License-Identifier: MIT
"""check: deadlocks, names that are hostile, a view that is incomplete, misuse, and what takes too long."""

import os

import kernel
import pytest
from monitoring import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Verdict, check, traced
from program import NOBODY, become, unescape
from test_check import fill_semmni
from test_waits import PAIR, make  # noqa: F401: a fixture

INCOMPLETE = "the view is incomplete"
ANYHOW = "--incomplete=ok"


@pytest.fixture
def hidden():
    """Says that the test is about a view that is never complete: outside of the first PID namespace."""
    if not kernel.processes_may_hide():
        pytest.skip("every process is in sight here")


# Deadlocks


def hopeless(verdict):
    return tuple(int(verdict.value(name)) for name in ("deadlocks", "likely_deadlocks", "dead_owner_waits"))


@pytest.mark.parametrize("locks, numbers, text, status", [
    (["mutex", "mutex"], (1, 0, 0), "1 deadlock", CRITICAL),
    (["flock", "ofd"], (1, 0, 0), "1 deadlock", CRITICAL),
    (["sem", "sem"], (0, 1, 0), "1 likely deadlock", WARNING),
])
def test_deadlocks(ipcctl, make, locks, numbers, text, status):  # noqa: F811
    play = make(locks, PAIR)
    assert len(play.waits) == 2
    verdict = check(ipcctl, "--deadlocks", ANYHOW)
    assert verdict.status == status and hopeless(verdict) == numbers
    assert verdict.text in (text, f"{text}, {INCOMPLETE}")
    assert "ipcctl waits --deadlocks shows who waits for whom" in verdict.more
    assert {datum[1:] for datum in verdict.data.values()} == {("", None, None, "0", None)}
    # By itself it is looked for, too; and when it is not asked for, it is not.
    assert check(ipcctl, ANYHOW).status == status
    assert check(ipcctl, "--queue-fill", "101", ANYHOW).status == OK


def test_two_deadlocks(ipcctl, make, tmp_path):  # noqa: F811
    """A circle of three and one of two, and one that is but likely."""
    make(["mutex", "flock", "mutex"], ["0:0", "1:1", "2:2", "0:1", "1:2", "2:0"], name="/first")
    make(["flock", "flock"], PAIR, path=str(tmp_path / "second"))
    make(["set", "set"], PAIR)
    verdict = check(ipcctl, "--deadlocks", ANYHOW)
    assert verdict.status == CRITICAL and hopeless(verdict) == (2, 1, 0)
    assert verdict.text.startswith("2 deadlocks, 1 likely deadlock")


def test_no_deadlock_yet(ipcctl, make):  # noqa: F811
    play = make(["mutex", "flock"], PAIR[:-1])
    assert len(play.waits) == 1
    verdict = check(ipcctl, "--deadlocks", ANYHOW)
    assert verdict.status == OK and hopeless(verdict) == (0, 0, 0)


def test_waits_for_the_dead(ipcctl, make):  # noqa: F811
    play = make(["errorcheck"], ["0:0", "1:0", "2:0"], "musl", kill=0)
    assert len(play.waits) == 2
    verdict = check(ipcctl, "--deadlocks", ANYHOW)
    assert verdict.status == CRITICAL and hopeless(verdict) == (0, 0, 2)
    assert verdict.text.startswith("2 wait for a lock of the dead")


# Names


HOSTILE = [b"|", b"a|b=1;2;3;4;5", b"a\nIPC OK - fine | 'x'=1", b"'", b"'a'=1%", b"\x1b[2J\x07", b"\xff\xfe", b"\\",
           b"\\x7c", "\u202e\u2028".encode(), b"%s%n", b"a b", b"\r", b"|" * 200]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_queue(ipcctl, factory, name):
    """Whatever it is called, line and data are what they would be."""
    factory("posix-mq", name=b"/" + name, maxmsg=4, messages="0:1,0:1,0:1")
    verdict = check(ipcctl, "--queue-fill", "50:99", ANYHOW)
    assert verdict.status == WARNING and set(verdict.data) == {"queue_fill"} and verdict.value("queue_fill") == 75
    shown, _, rest = verdict.text.partition(" 75% full")
    assert unescape(shown) == b"posix-mq:/" + name and rest in ("", f", {INCOMPLETE}")
    assert f"the fullest posix-mq is {shown}: 75%" in verdict.more


def test_hostile_path(ipcctl, factory, lookups, tmp_path):
    path = os.fsencode(tmp_path) + b"/a | 'b'=1\n\x1b\xff"
    factory("fifo", hold=True, path=path, capacity=4096, fill=4096, holders="r,w")
    verdict = check(ipcctl, "--queue-fill", "50:99", ANYHOW)
    assert verdict.status == CRITICAL and set(verdict.data) == {"queue_fill"}
    assert unescape(verdict.text.partition(" 100% full")[0]) == b"fifo:" + path


# What could not be read


@pytest.mark.parametrize("words", [["--orphans", "10:20"], ["--orphan-bytes", "1G:2G"], ["--queue-fill", "101"],
                                   ["--blocked", "10000"], ["--deadlocks"], []], ids=" ".join)
@pytest.mark.parametrize("incomplete", [None, *STATUSES])
def test_incomplete(ipcctl, hidden, words, incomplete):
    """Nothing is wrong, as far as can be seen: that is said, and is what the option says."""
    more = [f"--incomplete={incomplete.lower()}"] if incomplete else []
    verdict = check(ipcctl, *words, *more)
    assert STATUSES[verdict.status] == (incomplete or "UNKNOWN")
    assert INCOMPLETE in verdict.text
    assert any("processes that are not shown here" in line for line in verdict.more)


@pytest.mark.parametrize("incomplete", STATUSES)
@pytest.mark.parametrize("text, found", [("10", OK), ("0", WARNING), ("0:0", CRITICAL)])
def test_incomplete_and_more(ipcctl, factory, hidden, incomplete, text, found):
    """What is known to be bad is worse than what is not known."""
    factory("sysv-shm")
    verdict = check(ipcctl, "--orphans", text, f"--incomplete={incomplete.lower()}")
    badness = ["OK", "UNKNOWN", "WARNING", "CRITICAL"]
    assert STATUSES[verdict.status] == max(STATUSES[found], incomplete, key=badness.index)
    assert INCOMPLETE in verdict.text
    # And the data are there.
    assert verdict.value("orphans") == 1
    if found:
        assert "1 orphaned" in verdict.text


@pytest.mark.parametrize("incomplete", [None, *STATUSES])
def test_limits_are_always_known(ipcctl, hidden, incomplete):
    verdict = check(ipcctl, "--limits", "80:95", *([f"--incomplete={incomplete.lower()}"] if incomplete else []))
    assert verdict.status == OK and INCOMPLETE not in verdict.text and not verdict.more


@pytest.mark.real_root
def test_limits_for_everybody(ipcctl, factory, mqueue_mounted):
    """A queue that can be opened proves that those mounted are those of this namespace."""
    factory("posix-mq", name="/q", mode="666")
    assert check(ipcctl, "--limits", "80:95", drop=become(NOBODY)).status == OK


@pytest.mark.real_root
@pytest.mark.parametrize("incomplete", STATUSES)
def test_limit_that_cannot_be_read(ipcctl, mqueue_unmounted, incomplete):
    """Queues that are mounted nowhere are not everybody's to count: that is said, whatever else is."""
    words = (f"--incomplete={incomplete.lower()}",)
    verdict = check(ipcctl, "--limits", "80:95", *words, drop=become(NOBODY))
    assert STATUSES[verdict.status] == incomplete and "queues_max of posix-mq cannot be read" in verdict.text
    assert "posix-mq/queues_max" not in verdict.data
    fill_semmni(10, 1)
    verdict = check(ipcctl, "--limits", ":9", *words, drop=become(NOBODY))
    assert verdict.status == CRITICAL and "queues_max of posix-mq cannot be read" in verdict.text


@pytest.mark.real_root
def test_ordinary_user(ipcctl, factory):
    """Who holds what is not everybody's to know, and nothing is silently well."""
    factory("sysv-sem", hold=True)
    for words in (["--orphans", "10"], ["--deadlocks"], ["--blocked", "100000"], []):
        verdict = check(ipcctl, *words, drop=become(NOBODY))
        assert verdict.status == UNKNOWN and INCOMPLETE in verdict.text, words


# Misuse


@pytest.mark.parametrize("option, text, expected", [
    *(("--limits", text, "80:95") for text in ("", ":", ",", "x", "95:80", "80:95:99", "80K", "-1", "1e2", "~:80",
                                               "@10:20", "20:10,", "|", "80\n95", "\x1b[2J", "'", "80;95", "\xff")),
    ("--orphans", "10%", "10:100"), ("--orphans", "10K", "10:100"), ("--orphan-bytes", "1X", "1G:10G"),
    ("--orphan-bytes", "10%", "1G:10G"), ("--queue-fill", "90B", "90:99"), ("--blocked", "many", "100:500"),
], ids=ascii)
def test_no_threshold(ipcctl, option, text, expected):
    """What was expected is said where monitoring shows it."""
    verdict = check(ipcctl, f"{option}={text}", status=3)
    shown, _, rest = verdict.text.removeprefix(f"{option} '").partition("': expected such as ")
    assert unescape(shown) == os.fsencode(text).replace(b"|", rb"\x7c") if "|" not in text else shown == r"\x7c"
    assert expected in rest and not verdict.data and not verdict.more


@pytest.mark.parametrize("words, named", [
    (["--limits"], "--limits"), (["--blocked"], "--blocked"), (["--incomplete", "fine"], "critical"),
    (["--incomplete="], "critical"), (["--timeout", "soon"], "soon"), (["--timeout=-1"], "-1"), (["all"], "all"),
    (["sysv-shm"], "sysv-shm"), (["--json"], "--json"), (["--deadlocks=1"], "--deadlocks"), (["--none"], "--none"),
    (["--limit", "80:95"], "--limits"), (["-x"], "-x"), (["--per-object", "pipe"], "--per-object"),
], ids=str)
def test_wrong_command_line(ipcctl, words, named):
    result = ipcctl("check", *words, status=3)
    assert Verdict(result).text == "the command line is wrong"
    assert len(result.errors) == 1 and named in result.errors[0], result


@pytest.mark.parametrize("words, named", [
    (["--nonsense"], "--nonsense"), (["-x"], "-x"), (["--timeout=-1"], "-1"), (["--timeout", "soon"], "soon"),
    (["--json"], "--json"), (["--nonsense", "--json"], "--nonsense"),
], ids=str)
def test_wrong_options_before_the_command(ipcctl, words, named):
    """For a monitoring system, 2 would mean that something is critical."""
    result = ipcctl(*words, "check", status=3)
    assert Verdict(result).text == "the command line is wrong"
    assert len(result.errors) == 1 and named in result.errors[0], result
    # Neither takes any of them, but a summary takes --json.
    option = words[0].partition("=")[0]
    ipcctl.refuses(*words, "version", words=[option])
    if words != ["--json"]:
        ipcctl.refuses(*words, words=[option])


@pytest.mark.parametrize("words", [["--limits", "80:95"], ["--limits", ":0"], ["--orphans", "1"], ["--limits", "x"],
                                   []], ids=" ".join)
def test_full_device(ipcctl, words):
    with open("/dev/full", "wb") as full:
        result = ipcctl("check", *words, stdout=full, status=None)
    assert result.status != 0 and len(result.errors) == 1 and "standard output" in result.errors[0], result


# Time


# The first directory of each thread takes more than a second to list.
SLOWLY = "getdents64:delay_enter=1200000:when=1"


def test_timeout(ipcctl):
    """It gives up; where it may take its time, it does not."""
    verdict = Verdict(traced(ipcctl, SLOWLY, "check", "--orphans", "10", ANYHOW, "--timeout", "1s"))
    assert verdict.status == UNKNOWN and verdict.first == "IPC UNKNOWN - it took longer than --timeout"
    assert not verdict.more
    verdict = Verdict(traced(ipcctl, SLOWLY, "check", "--orphans", "10", ANYHOW, "--timeout=0"))
    assert verdict.status == OK and verdict.value("orphans") == 0


def test_timeout_to_a_full_device(ipcctl):
    with open("/dev/full", "wb") as full:
        assert traced(ipcctl, SLOWLY, "check", "--orphans", "10", ANYHOW, "--timeout", "1s", stdout=full).status != 0
