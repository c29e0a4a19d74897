# SPDX-License-Identifier: MIT
"""Kernels that lack the newer system calls, and filters that refuse them: what is told is the same as with
them, or it is unknown, and said to be. It is never another thing."""

import errno
import os
import socket

import kernel
import pytest
from calls import NARROW
from comparing import compare, is_ours
from filters import CALLS, refusing

KINDS = ("sysv", "posix", "fd", "memory", "lock", "sync")
# The loader of programs itself needs statx(2) where words are narrow, unless that is not there at all.
FILTERS = {**{name: refusing(name) for name in CALLS}, "all": refusing(*CALLS),
           "all-eperm": refusing(*(name for name in CALLS if name != "statx" or not NARROW), error=errno.EPERM)}


@pytest.fixture
def scene(factory, tmp_path):
    """Some of everything; returns the directory of what has a path."""
    place = tmp_path / "files"
    place.mkdir()
    factory("sysv-shm", hold=True, attach=2, key=5, content=b"x\0\xff")
    factory("sysv-sem", hold=True, nsems=2, values="1,0", block="1:-9")
    factory("sysv-msg", messages="1:5,2:0")
    factory("held-file", name="/dev/shm/held", hold=True, size=10000, holders="rw,map-r+fork")
    factory("held-file", name="/dev/shm/gone", hold=True, size=10000, holders="rw", unlink=1)
    factory("posix-shm", name="/left", size=100)
    factory("file", name="/dev/shm/d", type="directory")
    factory("file", name="/dev/shm/l", type="symlink", target="/etc")
    factory("posix-sem", name="/s", value=3)
    factory("posix-mq", name="/q", hold=True, messages="1:5")
    factory("posix-mq", name="/left", messages="1:5")
    factory("pipe", hold=True, holders="r,w+dup", fill=3)
    factory("fifo", path=str(place / "f"), hold=True, holders="r,w")
    factory("fifo", path=str(place / "waited-for"), hold=True, openers="r")
    factory("memfd", name="m", hold=True, holders="rw+map-r,map-rw", seals="grow")
    factory("eventfd", hold=True, holders="rw+fork", value=7)
    factory("unix-pair", hold=True, holders="a,b", queued=5)
    factory("unix-listener", name=str(place / "s"), hold=True, holders="a", pending=2, accepted=1)
    factory("inet-listener", hold=True, holders="a", pending=1)
    factory("inet-pair", hold=True, holders="a,b", queued=5)
    factory("pty", hold=True, holders="a,b", session=1, typed=3)
    factory("held-file", name=str(place / "mapped"), hold=True, holders="map-r,map-rw+fork", size=9000)
    factory("anon-mapping", hold=True, holders="keep-around", size=40960, touch=4096)
    for kind in ("flock", "posix", "ofd"):
        factory("lock", name=str(place / kind), hold=True, type=kind, lock="write", waiters="write", holders="rw")
    factory("futex", memory="posix-shm", name="/futex", hold=True, type="mutex", owner="live", waiters=2)
    factory("signals", hold=True, blocked="10", kill="10")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(place / "stale"))
    return place


def documents(ipcctl, place, refs, drop=None):
    """What each command tells of the scene: document and status."""
    path = ["--path", str(place)]
    runs = {"list": ["list", *KINDS, *path], "all fields": ["list", *KINDS, "-o", "all", *path],
            "proof": ["list", "persistent", "--prove"], "describe": ["describe", "--content", *refs],
            "waits": ["waits"], "limits": ["limits"],
            "plan": ["clean", "--older-than=1d", "--stale", "--idle", "-v", "-o", "all"]}
    results = {name: ipcctl(*words, "--json", status=None, drop=drop) for name, words in runs.items()}
    for result in results.values():
        assert result.out, result
    return {name: result.json() for name, result in results.items()}


def test_looking(ipcctl, scene):
    """One by one, and all of them at once: each costs but a look at everything."""
    listed = ipcctl.json("list", *KINDS, "--path", str(scene))["objects"]
    refs = [o["ref"] for o in listed if not is_ours(o) and o["kind"] != "signal" and "\\" not in o["ref"]]
    whole, once_more = documents(ipcctl, scene, refs), documents(ipcctl, scene, refs)
    for name, drop in FILTERS.items():
        for command, got in documents(ipcctl, scene, refs, drop).items():
            less = compare(got, whole[command], once_more[command], (name, command))
            said = set(got["warnings"]) - set(whole[command]["warnings"])
            assert not less or said, (name, command, less)


SYSV = ("sysv-shm", "sysv-sem", "sysv-msg")


def there():
    """What the kernel itself has, by the program's references."""
    files = {"posix-sem:/" + name[4:] if name.startswith("sem.") else "posix-shm:/" + name
             for name in os.listdir("/dev/shm")}
    return files | {f"posix-mq:/{name}" for name in ("x", "left") if kernel.mq_exists(f"/{name}")} | {
        f"{kind}:{id_}" for kind in SYSV for id_ in range(200) if kernel.exists(kind, id_)}


@pytest.mark.parametrize("name", FILTERS)
def test_acting(ipcctl, factory, name):
    """What is created is there, what is removed is gone, and what is refused is left as it was, and said."""
    drop = FILTERS[name]
    for kind in SYSV:
        factory(kind)
    factory("posix-shm", name="/left", size=100)
    factory("posix-sem", name="/left", value=3)
    factory("posix-mq", name="/left")
    factory("held-file", name="/dev/shm/held", hold=True, size=10000, holders="rw")
    before = there()
    assert len(before) == 7
    # Whoever made them is alive only as far as the tests' own processes are; what is in use stays anyway.
    words = ["clean", "--remove", "--yes", "--idle", "--stale", "--older-than=0s"]
    cleaned = ipcctl(*words, status=None, drop=drop)
    gone = before - there()
    assert "posix-shm:/held" not in gone
    assert {line.split()[1] for line in cleaned.lines if line.startswith("removed ")} == gone, cleaned
    for ref in sorted(there()):
        result = ipcctl("remove", ref, status=None, drop=drop)
        assert (result.status == 0) == (ref not in there()), result
        assert result.status == 0 or result.errors, result
    for kind in ("posix-shm", "posix-sem", "posix-mq", "sysv-shm", "sysv-sem", "sysv-msg"):
        size = ["--size=4096"] if kind.endswith("shm") else []
        name = ["/y" if kind == "posix-sem" else "/x"] if kind.startswith("posix") else []
        result = ipcctl("create", kind, *name, *size, drop=drop)
        # musl's semaphores have names that segments could have.
        assert result.text.strip().replace("posix-sem:musl:", "posix-shm:") in there(), result
