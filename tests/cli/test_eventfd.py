# SPDX-License-Identifier: MIT
"""Event counters: which one a descriptor is, what it counts, who shares it."""

import os

import pytest
from holdings import check, listed, not_there, views

ROLES = {"fd": ["open"] * 4}

HOLDERS = {
    "one": "rw", "copies": "rw+dup+dup", "closed": "rw+dup+close", "child": "rw+fork", "children": "rw+dup+fork+fork",
    "processes": "rw,rw+dup,rw+fork", "own-table": "thread", "own-table-beside": "rw+thread", "in-flight": "rw,flight",
    "stopped": "rw+stop", "leader-gone": "rw+leave",
}


@pytest.mark.parametrize("holders", HOLDERS.values(), ids=HOLDERS.keys())
def test_holders(ipcctl, factory, holders):
    truth = factory("eventfd", hold=True, holders=holders, value=3)
    for o in [listed(ipcctl, "eventfd")[f"eventfd:{truth['id']}"], *views(ipcctl, f"eventfd:{truth['id']}")]:
        check(o, truth, ROLES)
        assert (o["kind"], o["id"], o["count"]) == ("eventfd", truth["id"], 3)


@pytest.mark.parametrize("value", [0, 1, 9, 10, 255, 1 << 32, (1 << 53) + 1, (1 << 64) - 2])
def test_count(ipcctl, factory, value):
    """The kernel writes it in hexadecimal; a 64-bit number is exact."""
    truth = factory("eventfd", hold=True, holders="rw", value=value)
    for o in views(ipcctl, f"eventfd:{truth['id']}"):
        assert o["count"] == value
    row = next(row for row in ipcctl("list", "eventfd", "-r", "-o", "id,count", "--quiet").table()
               if row["id"] == str(truth["id"]))
    assert row["count"] == str(value)


@pytest.mark.parametrize("semaphore", [0, 1])
def test_semaphore(ipcctl, factory, semaphore):
    truth = factory("eventfd", hold=True, holders="rw", semaphore=semaphore)
    for o in views(ipcctl, f"eventfd:{truth['id']}"):
        if truth["semaphore"] < 0:
            assert o.get("semaphore") is None  # this kernel does not tell
        else:
            assert o["semaphore"] is bool(semaphore)


def test_one_inode_many_counters(ipcctl, factory):
    """All of them have the same inode: only the id tells them apart."""
    truths = [factory("eventfd", hold=True, holders=holders, value=i)
              for i, holders in enumerate(["rw", "rw+dup", "rw,rw", "rw+fork"])]
    got = listed(ipcctl, "eventfd")
    for truth in truths:
        check(got[f"eventfd:{truth['id']}"], truth, ROLES)
        assert got[f"eventfd:{truth['id']}"]["count"] == truth["value"]


def test_other_descriptors_of_the_same_inode(ipcctl, factory, background):
    """epoll and signalfd are anonymous inodes, too, and no counters."""
    import select
    before = listed(ipcctl, "eventfd").keys()
    poll = select.epoll()
    try:
        assert listed(ipcctl, "eventfd").keys() == before
    finally:
        poll.close()


def test_gone_when_nobody_holds_it(ipcctl, factory):
    truth = factory("eventfd", hold=True, holders="rw")
    pids = {h["pid"] for h in truth["holdings"]}
    truth["let_go"]()
    # The number may be another's by now, never theirs.
    o = listed(ipcctl, "eventfd").get(f"eventfd:{truth['id']}")
    if o is None:
        not_there(ipcctl, f"eventfd:{truth['id']}")
    else:
        assert not pids & {row["pid"] for row in o["holders"]}


def test_ours(ipcctl):
    """The test's own process is no exception."""
    fd = os.eventfd(5, os.EFD_CLOEXEC)
    try:
        mine = [o for o in listed(ipcctl, "eventfd", "--pid", str(os.getpid())).values()
                if fd in [row.get("fd") for row in o["holders"] if row["pid"] == os.getpid()]]
        assert len(mine) == 1 and mine[0]["count"] == 5
    finally:
        os.close(fd)
