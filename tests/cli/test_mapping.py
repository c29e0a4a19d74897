# SPDX-License-Identifier: MIT
"""Shared mappings of files and of memory without a file: sharers, ranges, rights and what they cost."""

import os

import expect
import kernel
import pytest
from holdings import check, left_out, listed, not_there, views

ROLES = {"mapping": "mapped"}
PAGE = os.sysconf("SC_PAGESIZE")

FILES = {
    "read": "map-r", "write": "map-w", "both": "map-rw", "none": "map-none", "second-page": "map-second-page",
    "ranges": "map-r+map-rw+map-second-page", "processes": "map-r,map-rw,map-second-page", "child": "map-rw+fork",
    "grown-after-fork": "map-rw+fork+map-r", "stopped": "map-rw+stop", "leader-gone": "map-rw+leave",
    "closed-again": "rw+map-r+close", "descriptors-beside": "rw+map-r,r", "private-beside": "map-rw,map-private",
}
MEMORY = {
    "whole": "keep", "head": "keep-head", "tail": "keep-tail", "two-ranges": "keep-around",
    "three-ranges": "keep-protected", "moved": "keep-moved", "child": "keep+fork", "children": "keep-around+fork+fork",
    "relatives": "keep,keep-head,keep-tail,keep-moved", "stopped": "keep+stop", "leader-gone": "keep+leave",
}


def shared(truth, holders):
    """The truth as far as it is of shared mappings. Those of a process that maps privately go, too."""
    private = {pid for pid, text in zip(truth["tasks"], holders.split(",")) if "private" in text}
    return {**truth, "holdings": [h for h in truth["holdings"] if h["fd"] < 0 and h["pid"] not in private]}


def covered(truth):
    """From the first to the last byte of the object that any of them maps."""
    spans = [(h["offset"], h["offset"] + h["end"] - h["start"]) for h in truth["holdings"]]
    return max(end for _, end in spans) - min(start for start, _ in spans)


def smaps(pid):
    """Bytes by field and start of the mapping, from the smaps of the process's last thread:
    the first may have left."""
    out, row = {}, None
    thread = max(os.listdir(f"/proc/{pid}/task"), key=int)
    with open(f"/proc/{pid}/task/{thread}/smaps", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                row = out.setdefault(int(words[0].split("-")[0], 16), {})
            elif words[-1] == "kB":
                row[words[0][:-1]] = int(words[1]) * 1024
    return out


def check_memory(o, truth):
    """The sum and the rows are those of the sharers' smaps."""
    expected = {}
    for h in truth["holdings"]:
        m = smaps(h["pid"])[h["start"]]
        expected[h["pid"], f"{h['start']:x}-{h['end']:x}"] = {
            "rss": m["Rss"], "pss": m["Pss"], "swap": m["Swap"], "dirty": m["Shared_Dirty"] + m["Private_Dirty"]}
    got = {(row["pid"], row["address"]): {k: row[k] for k in ("rss", "pss", "swap", "dirty")} for row in o["memory"]}
    assert got == expected
    for field in ("rss", "pss", "swap"):
        assert o[field] == sum(row[field] for row in expected.values())


@pytest.mark.parametrize("holders", FILES.values(), ids=FILES.keys())
@pytest.mark.parametrize("unlink", [0, 1], ids=["named", "unlinked"])
def test_file(ipcctl, factory, tmp_path, holders, unlink):
    path = tmp_path / "file"
    device = kernel.mount_device(tmp_path)
    whole = factory("held-file", name=str(path), hold=True, size=3 * PAGE + 5, holders=holders, unlink=unlink)
    truth = shared(whole, holders)
    ref = f"file-mapping:{device}:{whole['ino']}"
    for o in (listed(ipcctl, "file-mapping")[ref], *views(ipcctl, ref)):
        check(o, truth, ROLES)
        assert (o["path"], o["device"], o["inode"], o["deleted"]) == (str(path), device, whole["ino"], bool(unlink))
        assert (o["mappings"], o["mapped"]) == (len(truth["holdings"]), covered(truth))
        assert o["writable"] == sum(bool(h["access"] & 2) for h in truth["holdings"])
    check_memory(o, truth)
    left_out(ipcctl, "file-mapping", ref, "pss", "rss", "swap", "memory")
    if not unlink:
        check(ipcctl.describe(f"file-mapping:{path}"), truth, ROLES)


@pytest.mark.parametrize("holders", ["r", "map-private", "rw,map-private"])
def test_what_is_no_shared_mapping(ipcctl, factory, tmp_path, holders):
    truth = factory("held-file", name=str(tmp_path / "file"), hold=True, holders=holders)
    ref = f"file-mapping:{kernel.mount_device(tmp_path)}:{truth['ino']}"
    assert ref not in listed(ipcctl, "file-mapping")
    not_there(ipcctl, ref)
    not_there(ipcctl, f"file-mapping:{tmp_path}/file")


def test_what_is_an_object_of_another_kind(ipcctl, factory):
    """Each mapping is shown once: segments, semaphores and memfds are no file mappings."""
    before = listed(ipcctl, "file-mapping").keys() | listed(ipcctl, "anon-mapping").keys()
    factory("held-file", name="/dev/shm/x", hold=True, holders="map-rw")
    factory("held-file", name="/dev/shm/y", hold=True, holders="map-rw", unlink=1)
    factory("held-posix-sem", name="/s", hold=True, holders="semaphore")
    factory("held-sysv-shm", hold=True, holders="attach")
    factory("memfd", hold=True, holders="map-rw")
    after = listed(ipcctl, "file-mapping").keys() | listed(ipcctl, "anon-mapping").keys()
    # The factories' own boards are shared memory without a file.
    assert not {ref for ref in after - before if ref.startswith("file-mapping")}
    for ref in after - before:
        assert all(row["command"] == "factory" for row in listed(ipcctl, "anon-mapping")[ref]["holders"]), ref


@pytest.mark.parametrize("name", [b"new\nline", b"\x1b[2J\x07", b"\xff\xfe", b"x (deleted)", b"a b", "\u202e".encode(),
                                  b"memfd:x", b"SYSV00000000"])
@pytest.mark.parametrize("unlink", [0, 1], ids=["named", "unlinked"])
def test_hostile_names(ipcctl, factory, tmp_path, name, unlink):
    device = kernel.mount_device(tmp_path)
    truth = factory("held-file", name=os.fsencode(tmp_path) + b"/" + name, hold=True, holders="map-rw,map-r",
                    unlink=unlink)
    for o in views(ipcctl, f"file-mapping:{device}:{truth['ino']}"):
        check(o, truth, ROLES)
        assert o["deleted"] is bool(unlink)
    ipcctl("list", "file-mapping")


def test_equal_numbers_on_two_file_systems(ipcctl, factory):
    truths = []
    for point in ("/mnt", "/dev/shm"):
        kernel.mount("tmpfs", point, "tmpfs")
    try:
        truths.append((kernel.mount_device("/mnt"), factory("held-file", name="/mnt/x", hold=True, holders="map-rw")))
        os.mkdir("/dev/shm/m")
        kernel.mount("tmpfs", "/dev/shm/m", "tmpfs")
        truths.append((kernel.mount_device("/dev/shm/m"),
                       factory("held-file", name="/dev/shm/m/x", hold=True, holders="map-r,map-r")))
        got = listed(ipcctl, "file-mapping")
    finally:
        kernel.unmount("/dev/shm/m")
        kernel.unmount("/dev/shm")
        kernel.unmount("/mnt")
    assert truths[0][1]["ino"] == truths[1][1]["ino"]
    for device, truth in truths:
        check(got[f"file-mapping:{device}:{truth['ino']}"], truth, ROLES)


@pytest.mark.parametrize("holders", MEMORY.values(), ids=MEMORY.keys())
def test_memory(ipcctl, factory, holders):
    truth = factory("anon-mapping", hold=True, holders=holders, size=10 * PAGE, touch=4 * PAGE)
    ref = f"anon-mapping:{truth['ino']}"
    for o in (listed(ipcctl, "anon-mapping")[ref], *views(ipcctl, ref)):
        check(o, truth, ROLES)
        assert (o["inode"], o["device"]) == (truth["ino"], f"{truth['dev_major']}:{truth['dev_minor']}")
        assert (o["mappings"], o["mapped"], o["hugetlb"]) == (len(truth["holdings"]), covered(truth), False)
    check_memory(o, truth)
    # There is no map_files of a thread.
    if kernel.map_files_open() and "leave" not in holders:
        assert (o["size"], o["allocated"]) == (10 * PAGE, 4 * PAGE)
    else:
        assert o.get("size") in (None, 10 * PAGE)
    left_out(ipcctl, "anon-mapping", ref, "pss", "rss", "memory", "size", "allocated")


def test_memory_that_nobody_shares_any_more(ipcctl, factory):
    """It goes with its last mapping."""
    truth = factory("anon-mapping", hold=True, holders="keep,keep-head", size=2 * PAGE)
    truth["let_go"]()
    assert f"anon-mapping:{truth['ino']}" not in listed(ipcctl, "anon-mapping")
    not_there(ipcctl, f"anon-mapping:{truth['ino']}")


def test_equal_sizes(ipcctl, factory):
    """Nothing but the inode tells two apart."""
    truths = [factory("anon-mapping", hold=True, holders=holders) for holders in ("keep", "keep+fork", "keep,keep")]
    got = listed(ipcctl, "anon-mapping")
    for truth in truths:
        check(got[f"anon-mapping:{truth['ino']}"], truth, ROLES)


def test_equal_numbers(ipcctl, factory):
    """Segments and memfds count on the same device."""
    memory = factory("anon-mapping", hold=True, holders="keep")
    memfd = factory("memfd", hold=True, holders="map-rw", name="zero")
    got = listed(ipcctl, "anon-mapping")
    check(got[f"anon-mapping:{memory['ino']}"], memory, ROLES)
    assert f"anon-mapping:{memfd['ino']}" not in got


def test_dev_zero(ipcctl, factory):
    """Mapping /dev/zero shared is memory without a file (mem(4)); a file of that name is none."""
    import mmap
    fd = os.open("/dev/zero", os.O_RDWR)
    memory = mmap.mmap(fd, PAGE, mmap.MAP_SHARED)
    os.close(fd)
    try:
        mine = listed(ipcctl, "anon-mapping", "--pid", str(os.getpid()))
        rows = [row for o in mine.values() for row in o["holders"] if row["pid"] == os.getpid()]
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as f:
            expected = [line.split()[0].lstrip("0") for line in f if "/dev/zero" in line and line.split()[1][3] == "s"]
        assert sorted(row["address"] for row in rows) == sorted(expected)
    finally:
        memory.close()


def test_huge_pages(ipcctl, factory):
    truth = factory("anon-mapping", hold=True, holders="keep,keep", size=2 << 20, hugetlb=2 << 20)
    for o in views(ipcctl, f"anon-mapping:{truth['ino']}"):
        check(o, truth, ROLES)
        assert o["hugetlb"] is True


def test_owner(ipcctl, factory, tmp_path):
    truth = factory("held-file", name=str(tmp_path / "file"), hold=True, holders="map-rw", mode="640")
    o = ipcctl.describe(f"file-mapping:{tmp_path}/file")
    assert o["inode"] == truth["ino"]
    if kernel.map_files_open():
        expect.matches(o, {"uid": os.geteuid(), "owner": expect.user(os.geteuid()), "mode": "0640"})
