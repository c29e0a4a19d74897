# SPDX-License-Identifier: MIT
"""File systems on which stat(2) and /proc/PID/maps tell different numbers: overlay, whose
files have devices of their own, and btrfs, whose subvolumes repeat each other's inodes."""

import contextlib
import fcntl
import mmap
import os
import shutil
import subprocess

import kernel
import pytest
from holdings import locks, only


@contextlib.contextmanager
def mapped(path):
    fd = os.open(path, os.O_RDWR)
    memory = mmap.mmap(fd, 0)
    os.close(fd)
    try:
        yield memory
    finally:
        memory.close()


def map_line(path):
    """Device and inode of a mapping as /proc/self/maps has them: MAJ:MIN:INODE in decimal."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            words = line.split(maxsplit=5)
            if len(words) > 5 and words[5].strip() == str(path):
                major, minor = (int(n, 16) for n in words[3].split(":"))
                return f"{major}:{minor}:{words[4]}"
    raise AssertionError(f"{path} is not mapped")


@pytest.fixture
def overlay(tmp_path):
    for name in "lower", "merged", "memory":
        (tmp_path / name).mkdir()
    (tmp_path / "lower" / "file").write_bytes(b"x" * 5000)
    # The layers are on two file systems: that is where devices differ.
    kernel.mount("tmpfs", str(tmp_path / "memory"), "tmpfs")
    for name in "upper", "work":
        (tmp_path / "memory" / name).mkdir()
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/memory/upper,workdir={tmp_path}/memory/work"
    try:
        kernel.mount("overlay", str(tmp_path / "merged"), "overlay", 0, options)
    except OSError as error:
        kernel.unmount(str(tmp_path / "memory"))
        pytest.skip(f"no overlay can be mounted: {error}")
    yield tmp_path / "merged"
    kernel.unmount(str(tmp_path / "merged"))
    kernel.unmount(str(tmp_path / "memory"))


def test_overlay(ipcctl, overlay):
    path = overlay / "file"
    os.mkfifo(overlay / "fifo")
    with mapped(path):
        ref = f"file-mapping:{map_line(path)}"
        for word in ref, f"file-mapping:{path}":
            o = ipcctl.describe(word)
            assert (o["ref"], o["path"], o["mappings"], o["deleted"]) == (ref, str(path), 1, False)
            assert {h["pid"] for h in o["holders"]} == {os.getpid()}
        fd = os.open(overlay / "fifo", os.O_RDWR)
        o = ipcctl.describe(f"fifo:{overlay}/fifo")
        assert [(h["pid"], h["fd"], h["role"]) for h in o["holders"]] == [(os.getpid(), fd, "both")]
        os.close(fd)


@contextlib.contextmanager
def locked(path):
    """All three sorts, by us; and who asks the kernel finds them."""
    with open(path, "r+b") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
        yield f


def lock_refs(path):
    return {f"flock:{path}", f"record-lock:{path}:5-14"}


def test_locks_on_overlay(ipcctl, overlay, lookups):
    path = overlay / "file"
    with locked(path):
        assert locks(ipcctl).keys() == lock_refs(path)
        for ref in lock_refs(path):
            o = ipcctl.describe(ref)
            assert (o["path"], o["deleted"]) == (str(path), False)
            assert {h["pid"] for h in o["holders"]} == {os.getpid()} and o["locker"] == os.getpid()
        waiter = subprocess.Popen(["flock", path, "true"])
        try:
            deadline = 200
            while not (rows := ipcctl.describe(f"flock:{path}")["waiting"]):
                deadline -= 1
                assert deadline
            assert [row["pid"] for row in rows] == [waiter.pid]
        finally:
            waiter.kill()
            waiter.wait()
    assert not locks(ipcctl)


@pytest.fixture
def btrfs(tmp_path):
    if not shutil.which("mkfs.btrfs"):
        pytest.skip("mkfs.btrfs is not installed")
    image, where = tmp_path / "image", tmp_path / "mounted"
    where.mkdir()
    with open(image, "wb") as f:
        f.truncate(200 << 20)
    subprocess.run(["mkfs.btrfs", "-q", "-f", image], check=True, capture_output=True)
    done = subprocess.run(["mount", "-o", "loop", image, where], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no btrfs can be mounted: {done.stderr.strip()}")
    for name in "one", "two":
        subprocess.run(["btrfs", "subvolume", "create", where / name], check=True, capture_output=True)
        (where / name / "file").write_bytes(name.encode() * 1000)
    yield where
    subprocess.run(["umount", where], check=True)


def test_subvolumes(ipcctl, btrfs):
    paths = [btrfs / name / "file" for name in ("one", "two")]
    # One and the same number in /proc/PID/maps.
    assert os.stat(paths[0]).st_ino == os.stat(paths[1]).st_ino
    with mapped(paths[0]), mapped(paths[1]):
        assert map_line(paths[0]) == map_line(paths[1])
        if not kernel.map_files_open():
            pytest.skip("map_files takes capabilities that are not there")
        refs = set()
        for path in paths:
            o = only(ipcctl.json("describe", f"file-mapping:{path}"))
            assert (o["path"], o["mappings"], len(o["holders"])) == (str(path), 1, 1)
            device = os.stat(path).st_dev
            assert o["device"] == f"{os.major(device)}:{os.minor(device)}"
            refs.add(o["ref"])
        assert len(refs) == 2


def test_locks_on_subvolumes(ipcctl, btrfs, lookups):
    """The kernel shows the same numbers for both files."""
    paths = [btrfs / name / "file" for name in ("one", "two")]
    with locked(paths[0]), locked(paths[1]):
        assert locks(ipcctl).keys() == lock_refs(paths[0]) | lock_refs(paths[1])
        for path in paths:
            for ref in lock_refs(path):
                o = only(ipcctl.json("describe", ref))
                assert o["path"] == str(path) and len(o["holders"]) == 1
    with locked(paths[1]):
        assert ipcctl("describe", f"flock:{paths[0]}", "--quiet", status=1).out == b""
        ipcctl("remove", f"flock:{paths[1]}", clean=False)
        assert locks(ipcctl).keys() == {f"record-lock:{paths[1]}:5-14"}
