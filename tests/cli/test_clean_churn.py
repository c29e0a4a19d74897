# SPDX-License-Identifier: MIT
"""clean, while processes make, open, close and remove the same objects as fast as they can, and
are killed now and then (tests/factory/churn.c): nobody loses what he holds, and nothing is left."""

import collections
import os
import struct
import time

import conftest
import kernel
import pytest

NOBODY = 65534
KINDS = ["posix-shm", "posix-sem", "posix-mq", "sysv-shm", "unix-socket", "fifo", "sysv-sem", "sysv-msg"]
# Of these the kernel keeps no list of users. They go only with the last process of their user.
UNPROVED = {"fifo", "sysv-sem", "sysv-msg"}
# No call removes these and compares as well: what is taken in that moment is told (ipcctl-clean(1)). Queues
# are shut before, for all but root.
TOLD, TOLD_TO_ROOT = {"sysv-shm"}, {"sysv-shm", "posix-mq"}
RUN = "/run"  # where sockets and FIFOs are: a directory that every user reaches, and every system has
CLEAN = ["clean", "--remove", "--yes", "--idle", "--older-than", "0", "--json"]


def seconds(ipcctl):
    """A minute is for the program as it is; with an instrument in it, or as a user, there is less to see."""
    plain = os.path.basename(os.path.dirname(ipcctl.path)) not in ("asan", "tsan")
    return 60 if plain and not ipcctl.slow and not conftest.one_user_only() else 10


class Churn:
    """The processes, and what they report."""

    def __init__(self, factory, tmp_path):
        self.report, self.log = str(tmp_path / "report"), str(tmp_path / "lost")
        self.user = 0 if conftest.one_user_only() else NOBODY
        self.factory = factory("churn", hold=True, report=self.report, lost=self.log,
                               directory=RUN + "/", uid=self.user)

    def lost(self):
        with open(self.log, encoding="ascii") as f:
            return set(f.read().splitlines())

    def numbers(self):
        """(killed, kind -> counted), as struct report has them."""
        with open(self.report, "rb") as f:
            killed, *numbers = struct.unpack_from(f"={1 + 5 * len(KINDS)}Q", f.read())
        names = ("made", "held", "gone", "lost", "removed")
        return killed, {kind: dict(zip(names, numbers[5 * i:])) for i, kind in enumerate(KINDS)}

    def end(self):
        self.factory["let_go"]()
        deadline = time.monotonic() + 60
        while living("churn"):
            assert time.monotonic() < deadline, "processes that were killed do not end"
            time.sleep(0.01)


def living(command):
    """Processes called so that have not ended."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if kernel.command(pid) == command.encode() and kernel.process_state(pid) != "Z":
                found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def left(mounted):
    """Of each kind what there is, by the kernel's word."""
    shm = [os.fsdecode(name) for name in kernel.files()]
    files = {name: os.lstat(os.path.join(RUN, name)) for name in os.listdir(RUN)}
    return {
        "posix-shm": [name for name in shm if not name.startswith("sem.")],
        "posix-sem": [name for name in shm if name.startswith("sem.")],
        "posix-mq": os.listdir(mounted),
        "unix-socket": [name for name, st in files.items() if st.st_mode >> 12 == 0o14],
        "fifo": [name for name, st in files.items() if st.st_mode >> 12 == 0o1],
        **{f"sysv-{what}": [row[ident] for row in kernel.sysvipc(what)]
           for what, ident in (("shm", "shmid"), ("sem", "semid"), ("msg", "msqid"))},
    }


def clean(ipcctl, *words):
    """Runs it once: the records of what it wanted to remove."""
    result = ipcctl(*CLEAN, "--path", RUN, *words, status=None)
    assert result.status in (0, 1), result
    taken = [o for o in result.json()["candidates"] if o["action"] == "remove"]
    for o in taken:
        assert o["outcome"] in ("removed", "gone", "spared"), o
    # The exit status says whether all went as it was planned.
    bad = [o for o in taken if o["outcome"] == "spared" or (o["outcome"] == "removed" and o.get("why"))]
    assert result.status == (1 if bad else 0), (result, bad)
    return taken


@pytest.fixture
def mounted(isolated):
    """An empty directory RUN for everybody; and where the queues are in sight, for ipcctl does without."""
    kernel.mount("tmpfs", RUN, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777,size=1m")
    where = conftest.MQUEUE
    if not conftest.under_valgrind():
        kernel.mount("mqueue", where, "mqueue")
    yield where
    kernel.unmount(RUN)


def check_that_nothing_is_left(ipcctl, churn, mounted):
    """What processes had that were killed goes; what cannot be proved needs its user gone, and everybody
    in sight."""
    before = left(mounted)
    assert all(before[kind] for kind in ("posix-shm", "posix-sem", "sysv-shm", "fifo", "sysv-sem")), before
    clean(ipcctl)
    after = left(mounted)
    assert not any(after[kind] for kind in KINDS if kind not in UNPROVED), after
    assert {kind: after[kind] for kind in UNPROVED} == {kind: before[kind] for kind in UNPROVED}
    clean(ipcctl, "--stale", "--with-messages")
    kept = kernel.processes_may_hide() or churn.user == 0
    for kind in UNPROVED:
        assert left(mounted)[kind] == (before[kind] if kept else []), kind


def test_nobody_loses_what_he_holds(ipcctl, factory, mounted, tmp_path):
    churn = Churn(factory, tmp_path)
    outcomes, runs, told = collections.Counter(), 0, set()
    variants = [[], ["--stale"], ["-v"], ["--stale", "--with-messages"]]
    end = time.monotonic() + seconds(ipcctl)
    while time.monotonic() < end:
        for o in clean(ipcctl, *variants[runs % len(variants)]):
            outcomes[o["kind"], o["outcome"]] += 1
            if o["outcome"] == "removed" and o.get("why"):
                assert "in that moment" in o["why"], o
                told.add(o["ref"])
        runs += 1
    churn.end()
    killed, numbers = churn.numbers()
    removed = {kind: outcomes[kind, "removed"] for kind in KINDS}
    print(f"{runs} runs, {killed} killed, {numbers}, {outcomes}, lost {churn.lost()}, told {told}")
    # What was taken in the very moment is told; and that is rare.
    may = TOLD_TO_ROOT if churn.user == 0 else TOLD
    assert churn.lost() <= {ref for ref in told if ref.split(":")[0] in may}
    assert not {kind: n for kind, n in numbers.items() if n["lost"] > 1 + removed[kind] / 20}
    # As long as any process of their user is alive, these stay.
    assert not any(removed[kind] for kind in UNPROVED)
    # There was something to do, for both.
    assert killed > 10 and not {kind: n for kind, n in numbers.items() if n["held"] < 100}
    # In a short time, or if it is slow, most may have changed before their turn comes.
    least = 50 if seconds(ipcctl) == 60 else 0
    assert not {kind: n for kind, n in removed.items() if kind not in UNPROVED and n < least}
    assert sum(removed.values()) > 0
    check_that_nothing_is_left(ipcctl, churn, mounted)
