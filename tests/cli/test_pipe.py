# SPDX-License-Identifier: MIT
"""Pipes: who reads, who writes, what lies in them and which end is gone."""

import os

import expect
import pytest
from holdings import check, found, left_out, listed, not_there, views

READ, WRITE = 1, 2
ROLES = {"fd": [None, "reader", "writer", "both"]}

# holders= and what is left of the ends, with descriptors that only a message has
HOLDERS = {
    "both": ("r,w", "open"), "one-process": ("r+w", "open"), "reader": ("r", "no-writer"),
    "writer": ("w", "no-reader"), "read-write": ("rw", "open"), "copies": ("r+dup+dup,w+dup", "open"),
    "closed": ("r+w+close", "no-writer"), "copy-of-closed": ("r,w+dup+close", "open"),
    "child": ("r+fork,w", "open"), "children": ("r+w+fork+fork", "open"), "grown-after-fork": ("r+fork+w", "open"),
    "readers": ("r,r,r+dup,w", "open"), "writer-in-flight": ("r,flight-w", "open"),
    "reader-in-flight": ("w,flight-r", "open"), "stopped": ("r+stop,w+stop", "open"),
    "leader-gone": ("r+leave,w", "open"),
}


@pytest.mark.parametrize("holders, ends", HOLDERS.values(), ids=HOLDERS.keys())
def test_holders(ipcctl, factory, holders, ends):
    truth = factory("pipe", hold=True, holders=holders, fill=100)
    ref = f"pipe:{truth['ino']}"
    for o in [listed(ipcctl, "pipe")[ref], *views(ipcctl, ref)]:
        check(o, truth, ROLES)
        assert (o["kind"], o["inode"]) == ("pipe", truth["ino"])
        assert (o["readers"], o["writers"]) == (found(truth, READ), found(truth, WRITE))
    if not ipcctl.slow:  # valgrind makes no copies of descriptors
        assert (o["ends"], o["queued"]) == (ends, 100)


def test_threads_with_tables_of_their_own(ipcctl, factory):
    """The thread opens one that its process does not see; the process's are in both tables."""
    truth = factory("pipe", hold=True, holders="r+thread,w")
    for o in views(ipcctl, f"pipe:{truth['ino']}"):
        check(o, truth, ROLES)
        assert len([row for row in o["holders"] if "tid" in row]) >= 1
        assert ipcctl.slow or o["ends"] == "open"


@pytest.mark.parametrize("how", [
    {}, {"fill": 1}, {"fill": 65536}, {"packet": 1}, {"packet": 1, "fill": 300}, {"capacity": 4096, "fill": 4096},
    {"capacity": 1 << 20, "fill": 100000},
], ids=str)
@pytest.mark.parametrize("holders", ["r", "w", "r,w"])
def test_queue(ipcctl, factory, copies, how, holders):
    truth = factory("pipe", hold=True, holders=holders, **how)
    assert truth["queued"] == how.get("fill", 0)
    for o in views(ipcctl, f"pipe:{truth['ino']}"):
        assert (o["queued"], o["capacity"]) == (truth["queued"], truth["capacity"])
        # Only the writing end is in packet mode (pipe(2)): without one it is not known.
        assert o.get("packet") is (bool(truth["packet"]) if "w" in holders else None)
        expect.matches(o, {"uid": truth["uid"], "gid": truth["gid"], "owner": expect.user(truth["uid"]),
                           "group": expect.group(truth["gid"]), "mode": f"0{truth['mode']:03o}"})


def test_what_costs_calls_is_left_out(ipcctl, factory, copies):
    truth = factory("pipe", hold=True, holders="r,w")
    left_out(ipcctl, "pipe", f"pipe:{truth['ino']}", "queued", "capacity", "packet", "ends", "owner", "uid", "mode",
             "atime", "mtime", "ctime")
    # Naming a field brings it, and no other.
    o = listed(ipcctl, "pipe", "-o", "ref,queued")[f"pipe:{truth['ino']}"]
    assert o == {"ref": f"pipe:{truth['ino']}", "queued": 0}


def test_only_an_address_of_it(ipcctl, factory):
    """O_PATH: held, and yet nobody reads or writes by that."""
    truth = factory("pipe", hold=True, holders="path,w")
    for o in views(ipcctl, f"pipe:{truth['ino']}"):
        assert (o["readers"], o["writers"], o["nholders"]) == (None, 1, 2)
        assert ipcctl.slow or o["ends"] == "no-reader"
        roles = {row["access"]: row["role"] for row in o["holders"]}
        assert roles["write"] == "writer" and roles["none"] not in ("reader", "writer", "both")


def test_filters_and_order(ipcctl, factory, copies):
    full = factory("pipe", hold=True, holders="r,w", fill=65536)
    half = factory("pipe", hold=True, holders="r", fill=30000)
    empty = factory("pipe", hold=True, holders="r,w")
    refs = {name: f"pipe:{truth['ino']}" for name, truth in (("full", full), ("half", half), ("empty", empty))}
    assert listed(ipcctl, "pipe", "-f", "queued>=30000").keys() == {refs["full"], refs["half"]}
    # Whatever else this machine's tests have open has both its ends.
    assert set(listed(ipcctl, "pipe", "-f", "ends=no-writer")) & set(refs.values()) == {refs["half"]}
    rows = [row["ref"] for row in ipcctl("list", "pipe", "-r", "-o", "ref", "--sort=-queued", "--quiet").table()]
    assert rows[:2] == [refs["full"], refs["half"]]


def test_gone_when_nobody_holds_it(ipcctl, factory):
    truth = factory("pipe", hold=True, holders="r,w")
    ref = f"pipe:{truth['ino']}"
    assert ipcctl.describe(ref)["ref"] == ref
    truth["let_go"]()
    assert ref not in listed(ipcctl, "pipe")
    not_there(ipcctl, ref)


def test_only_in_flight_is_not_seen_but_never_called_free(ipcctl, factory):
    """No process holds it: it is not listed, and nothing says that the view is whole."""
    truth = factory("pipe", hold=True, holders="flight-r,flight-w")
    document = ipcctl.json("list", "pipe")
    assert f"pipe:{truth['ino']}" not in [o["ref"] for o in document["objects"]]
    assert document["complete"] is False


def test_files_that_are_called_like_pipes(ipcctl, factory, tmp_path):
    """The text of a link is no proof: /.../pipe:[1] is a file."""
    path = tmp_path / "pipe:[1]"
    factory("held-file", name=str(path), hold=True, holders="rw,r")
    os.mkfifo(tmp_path / "pipe:[2]")
    factory("fifo", path=str(tmp_path / "pipe:[2]"), exists=1, hold=True, holders="r,w")
    refs = listed(ipcctl, "pipe").keys()
    assert not {"pipe:1", "pipe:2"} & refs


@pytest.mark.parametrize("name", [b"a) R 1 (", b"new\nline", b"\x1b[31mred", b"\xff\xfe", b"", b"1 (x) S 2"])
def test_hostile_commands(ipcctl, factory, name):
    truth = factory("pipe", hold=True, holders=f"name={name.hex()}+r+w")
    ref = f"pipe:{truth['ino']}"
    ipcctl("describe", ref)
    for o in views(ipcctl, ref):
        assert {row["pid"] for row in o["holders"]} == {truth["holdings"][0]["pid"]}
        assert (o["readers"], o["writers"]) == (1, 1)
