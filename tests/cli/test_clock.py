# SPDX-License-Identifier: MIT
"""The clock is set: long ago, far ahead, again and again while something is being done. What is so stays so."""

import itertools
import os
import subprocess
import time

import kernel
import pytest
from program import ENVIRONMENT, Churn, strict_json
from test_surroundings import held  # noqa: F401: a fixture
from watching import Watch

YEARS = 365 * 86400
STEPS = [2, 3, 5, 10, 11, 20, 60]  # as a clock is often set, and more than tells nothing
JUMPS = [10 * YEARS, -20 * YEARS, 3600, -3600, 200 * YEARS, -2**32, 0]
# What says more or less of processes as the clock was set; the verdict itself is judged apart.
FOLLOWS = {"age", "evidence", "reason", "state", "cpid_command", "lpid_command", "lspid_command", "lrpid_command"}


class Clock:
    """That of the programs which are started in this environment."""

    def __init__(self, library, path):
        self.path = path
        self.set(0)
        self.environment = {"AHEAD": str(path), "LD_PRELOAD": library,
                            "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}

    def set(self, ahead):
        """Whoever looks meanwhile sees the one or the other."""
        other = f"{self.path}.new"
        with open(other, "w", encoding="ascii") as f:
            f.write(str(ahead))
        os.rename(other, self.path)
        self.ahead = ahead


@pytest.fixture
def clock(ipcctl, top, tmp_path):
    library = os.path.join(top, os.path.dirname(os.environ.get("FACTORY", "build/tests/factory")), "clock.so")
    if ipcctl.wrapper:
        pytest.skip("it would be the wrapper's clock, too")
    made = Clock(library, tmp_path / "ahead")
    made.set(10 * YEARS)
    told = ipcctl.json("list", env=made.environment)["time"]
    if abs(told - time.time() - 10 * YEARS) > 3600:
        pytest.skip("this program asks another C library for the time")
    made.set(0)
    return made


class Answer:
    """What is told of the objects that stand there, and at which time."""

    def __init__(self, ipcctl, clock):
        document = ipcctl.json("list", "persistent", "-o", "all", env=clock.environment)
        self.time, self.objects = document["time"], {o["ref"]: o for o in document["objects"]}
        self.states = {ref: o["state"] for ref, o in self.objects.items()}
        self.starts = [holder.get("start_time") for o in self.objects.values() for holder in o.get("holders") or []]

    def still(self):
        """What does not follow the clock."""
        kept = {}
        for ref, o in self.objects.items():
            kept[ref] = {name: value for name, value in o.items() if name not in FOLLOWS}
            kept[ref]["holders"] = [{**holder, "start_time": None} for holder in o.get("holders") or []]
        return kept

    def is_like(self, usual):
        """The same objects, and no worse is said of any."""
        assert self.still() == usual.still()
        for ref, state in self.states.items():
            assert state in (usual.states[ref], "unknown"), (ref, state, usual.states[ref])


@pytest.mark.parametrize("ahead", STEPS)
def test_its_maker_lives(ipcctl, factory, clock, ahead):
    """Set since it was made: the maker seems to have begun after that, but somebody looked at him before."""
    ref = f"sysv-shm:{factory('sysv-shm', hold=True)['id']}"
    assert Answer(ipcctl, clock).states[ref] == "idle"
    clock.set(ahead)
    assert Answer(ipcctl, clock).states[ref] in ("idle", "unknown")


@pytest.mark.parametrize("ahead", JUMPS + STEPS, ids=str)
def test_set_before(ipcctl, held, clock, ahead):  # noqa: F811
    """Objects and processes of the future, and those that are older than the machine."""
    usual = Answer(ipcctl, clock)
    clock.set(ahead)
    got = Answer(ipcctl, clock)
    got.is_like(usual)
    assert abs(got.time - time.time() - ahead) < 600
    # Of a process the kernel tells how long after boot it began.
    assert len(got.starts) > 1
    for then, now in zip(usual.starts, got.starts, strict=True):
        assert abs(now - then - ahead) < 5
    for o in got.objects.values():
        assert 0 <= o["age"] <= max(ahead, 0) + 86400, o
    for words in (["list"], ["describe", "posix-shm:/held"], ["summary"], ["waits"], ["limits"], ["graph"],
                  ["metrics"], ["kinds"]):
        ipcctl(*words, env=clock.environment)


def test_nothing_is_old_before_its_time(ipcctl, held, clock):  # noqa: F811
    """With a clock that was set back, what is there is of the future: none of it is called left long ago."""
    clock.set(-20 * YEARS)
    before = kernel.files()
    result = ipcctl("clean", "--remove", "--yes", "--stale", "--idle", "--older-than=1s", "-v",
                    env=clock.environment)
    assert kernel.files().keys() == before.keys() and kernel.mq_exists("/q"), result


def test_set_all_the_time(ipcctl, held, clock):  # noqa: F811
    """Between two looks of one command, too."""
    usual, jumps = Answer(ipcctl, clock), itertools.cycle(JUMPS)
    with Churn(lambda: clock.set(next(jumps))):
        for _ in range(10):
            Answer(ipcctl, clock).is_like(usual)
        for _ in range(10):
            ipcctl("clean", "--remove", "--yes", "--stale", "--idle", "--older-than=0", status=None,
                   env=clock.environment)
    assert os.path.exists("/dev/shm/held") and kernel.sysvipc("shm")


@pytest.mark.real_root
def test_set_forward_since(ipcctl, factory, clock):
    """Whoever made it began before that, by the clock of then; by the one of now, later. He is not called gone."""
    maker = factory("sysv-shm", hold=True)
    ref, pid = f"sysv-shm:{maker['id']}", kernel.shm(maker["id"])["cpid"]
    os.stat(f"/proc/{pid}")  # somebody looks at processes all the time
    assert ipcctl.describe(ref)["state"] == "idle"
    clock.set(3600)
    o = ipcctl.describe(ref, env=clock.environment)
    assert o["state"] == "unknown" and o["cpid"] == pid and o["cpid_command"] is None, o
    ipcctl("clean", "--remove", "--yes", "--stale", "--idle", "--older-than=0", env=clock.environment)
    assert kernel.exists("sysv-shm", maker["id"])


def test_watch(ipcctl, held, clock):  # noqa: F811
    """Each event is told once, in its time, with the time that the clock shows; none is that nothing happened to."""
    w = Watch(ipcctl.command("watch", "--jsonl", "--interval=200ms", "--for=10m"), {**ENVIRONMENT, **clock.environment},
              cwd=ipcctl.cwd)
    try:
        w.ready()
        for i, ahead in enumerate(JUMPS):
            clock.set(ahead)
            for what, event in (lambda path: open(path, "xb").close(), "created"), (os.unlink, "removed"):
                begun = time.monotonic()
                what(f"/dev/shm/jump-{i}")
                told = w.until(lambda e, i=i, event=event: (e["event"], e["ref"]) == (event, f"posix-shm:/jump-{i}"))
                assert time.monotonic() - begun < 20 and abs(told["time"] - time.time() - ahead) < 60, told
        w.catch_up()
        assert [(e["event"], e["ref"]) for e in w.seen()] == [
            (event, f"posix-shm:/jump-{i}") for i in range(len(JUMPS)) for event in ("created", "removed")]
        assert w.end() == w.seen()
    finally:
        w.kill()


def test_since_boot(ipcctl, held):  # noqa: F811
    """By a time namespace the time since boot may be another: the clock that ages are told by is as it was."""
    inside = subprocess.run(["unshare", "--time", "--boottime=1000000000", "--monotonic=1000000000",
                             *ipcctl.command("list", "--json")], capture_output=True, env=ENVIRONMENT)
    if b"unshare" in inside.stderr:
        pytest.skip(f"no time namespaces: {inside.stderr.decode(errors='replace').strip()}")
    usual = {o["ref"]: o for o in ipcctl.json("list")["objects"]}
    for o in strict_json(inside.stdout)["objects"]:
        assert abs(o["age"] - usual[o["ref"]]["age"]) < 60 and o["state"] in (usual[o["ref"]]["state"], "unknown"), o
