# SPDX-License-Identifier: MIT
"""Files that memfd_create(2) made: sizes, seals, and holders by descriptor and by mapping."""

import pytest
from holdings import check, left_out, listed, not_there, only, views
import expect
import kernel
from program import unescape

ROLES = {"fd": ["open"] * 4, "mapping": "mapped"}
SEALS = ["seal", "shrink", "grow", "write", "future-write", "exec"]  # by their bits (fcntl(2))

HOLDERS = {
    "read": "r", "read-write": "rw", "mapped-read": "map-r", "mapped-write": "map-w", "mapped-both": "map-rw",
    "mapped-none": "map-none", "mapped-private": "map-private", "descriptor-and-mapping": "rw+map-rw",
    "second-page": "map-second-page", "copies": "rw+dup+dup", "closed": "rw+dup+close", "child": "rw+map-r+fork",
    "processes": "rw,r,map-rw,map-r+map-rw", "in-flight": "rw,flight", "own-table": "thread", "stopped": "map-rw+stop",
    "leader-gone": "rw+map-rw+leave",
}


def expected(truth):
    """What describe must say beside the holders."""
    return {
        "kind": "memfd", "ref": f"memfd:{truth['ino']}", "inode": truth["ino"],
        "device": f"{truth['dev_major']}:{truth['dev_minor']}", "size": truth["size"],
        "allocated": truth["allocated"], "uid": truth["uid"], "gid": truth["gid"],
        "owner": expect.user(truth["uid"]), "group": expect.group(truth["gid"]), "mode": f"0{truth['mode']:03o}",
        "ctime": truth["ctime"], "mtime": truth["mtime"],
    }


def by_descriptor(truth):
    return any(h["fd"] >= 0 for h in truth["holdings"])


@pytest.mark.parametrize("holders", HOLDERS.values(), ids=HOLDERS.keys())
def test_holders(ipcctl, factory, holders):
    truth = factory("memfd", hold=True, holders=holders, size=10000, content=b"some memory")
    for o in [listed(ipcctl, "memfd")[f"memfd:{truth['ino']}"], *views(ipcctl, f"memfd:{truth['ino']}")]:
        check(o, truth, ROLES)
        assert unescape(o["name"]) == b"memory"
        if by_descriptor(truth) or kernel.map_files_open():
            expect.matches(o, expected(truth))
        else:
            # Only the lines of mappings speak of it.
            assert o["size"] is None and o["inode"] == truth["ino"]


@pytest.mark.parametrize("seals", ["", "shrink", "grow,shrink", "seal", "shrink,grow,seal", "future-write", "write"])
def test_seals(ipcctl, factory, copies, seals):
    truth = factory("memfd", hold=True, holders="r,rw", seals=seals)
    words = ",".join(word for bit, word in enumerate(SEALS) if truth["seals"] >> bit & 1)
    assert set(words.split(",")) >= set(seals.split(",")) - {""}
    for o in views(ipcctl, f"memfd:{truth['ino']}"):
        assert o["seals"] == words
    left_out(ipcctl, "memfd", f"memfd:{truth['ino']}", "seals")


def test_seals_of_a_mapping(ipcctl, factory):
    """No descriptor is left: the seals are told by the mapping's file, or unknown, and never none."""
    truth = factory("memfd", hold=True, holders="map-r", seals="grow")
    for o in views(ipcctl, f"memfd:{truth['ino']}"):
        assert o["seals"] in (None, "grow")


def test_sizes(ipcctl, factory):
    """Size is not memory: holes cost nothing."""
    hole = factory("memfd", hold=True, holders="rw", size=1 << 40)
    full = factory("memfd", hold=True, holders="rw", size=5000, content=b"x" * 5000)
    got = listed(ipcctl, "memfd")
    assert got[f"memfd:{hole['ino']}"]["size"] == 1 << 40 and got[f"memfd:{hole['ino']}"]["allocated"] == 0
    assert (got[f"memfd:{full['ino']}"]["size"], got[f"memfd:{full['ino']}"]["allocated"]) == (5000, 8192)


@pytest.mark.parametrize("name", [b"", b"x (deleted)", b" (deleted)", b"new\nline", b"\x1b[2J\x07", b"\xff\xfe",
                                  b"a/b", b"/memfd:x", b"back\\slash\\012", b"x" * 249, "\u202ertl".encode(), b"-rf"])
@pytest.mark.parametrize("holders", ["rw", "map-r", "rw,map-rw"])
def test_hostile_names(ipcctl, factory, name, holders):
    truth = factory("memfd", hold=True, holders=holders, name=name)
    ref = f"memfd:{truth['ino']}"
    ipcctl("describe", ref)
    for o in views(ipcctl, ref):
        check(o, truth, ROLES)
        # The text of a mapping alone does not tell a newline from its escape (proc(5)).
        if by_descriptor(truth) or kernel.map_files_open() or not {0x0a, 0x5c} & set(name):
            assert unescape(o["name"]) == name


def test_equal_names(ipcctl, factory):
    """A name is a mere label: each has its own holders."""
    truths = [factory("memfd", hold=True, name="same", holders=holders) for holders in ("rw", "map-rw", "r,map-r")]
    got = listed(ipcctl, "memfd")
    for truth in truths:
        check(got[f"memfd:{truth['ino']}"], truth, ROLES)


def test_equal_numbers(ipcctl, factory):
    """A segment's id is an inode number of the same device as a memfd's."""
    segment = factory("held-sysv-shm", hold=True, holders="attach")
    truth = factory("memfd", hold=True, holders="map-rw", name=f"SYSV{segment['id']:08x}")
    check(listed(ipcctl, "memfd")[f"memfd:{truth['ino']}"], truth, ROLES)
    assert f"memfd:{segment['id']}" not in listed(ipcctl, "memfd") or segment["id"] == truth["ino"]
    check(only(ipcctl.json("list", "sysv-shm")), segment, {"mapping": "attached"})


def test_files_that_are_called_like_a_memfd(ipcctl, factory):
    """The root of a detached mount: paths are shown from there on."""
    kernel.mount("tmpfs", "/mnt", "tmpfs")
    try:
        fake = factory("held-file", name="/mnt/memfd:fake", hold=True, holders="rw,map-rw", unlink=1)
    finally:
        kernel.unmount("/mnt")
    assert all(unescape(o["name"]) != b"fake" for o in listed(ipcctl, "memfd").values())
    assert f"memfd:{fake['ino']}" not in listed(ipcctl, "memfd")


@pytest.mark.parametrize("holders", ["rw", "map-rw"])
def test_huge_pages(ipcctl, factory, holders):
    truth = factory("memfd", hold=True, holders=holders, size=2 << 20, hugetlb=2 << 20)
    plain = factory("memfd", hold=True, holders="rw")
    for o in views(ipcctl, f"memfd:{truth['ino']}"):
        check(o, truth, ROLES)
        assert o["hugetlb"] is True
    assert all(o["hugetlb"] is False for o in views(ipcctl, f"memfd:{plain['ino']}"))


def test_gone_when_nobody_holds_it(ipcctl, factory):
    truth = factory("memfd", hold=True, holders="map-r,rw")
    truth["let_go"]()
    assert f"memfd:{truth['ino']}" not in listed(ipcctl, "memfd")
    not_there(ipcctl, f"memfd:{truth['ino']}")
