# SPDX-License-Identifier: MIT
"""clean in a container: all namespaces are its own, one user is root there, and nothing of outside is in sight."""

import os
import subprocess

import leftovers
import kernel
import pytest
from leftovers import ALL, NOW
from conftest import MQUEUE
from program import ENVIRONMENT, Factory, strict_json

# Its first process; $1 is what it gets as /dev/shm: a directory of outside, or nothing for a new one.
START = f"""
read -r pid rest </proc/self/stat
mount -t proc proc /proc && mount -t mqueue mqueue {MQUEUE} || exit 77
if [ -n "$1" ]; then mount --bind "$1" /dev/shm; else mount -t tmpfs -o mode=1777 tmpfs /dev/shm; fi || exit 77
echo "$pid"
exec sleep infinity
"""
HELD = {"posix-shm": ("held-file", {"name": "/dev/shm/held"}), "posix-mq": ("held-posix-mq", {"name": "/held"}),
        "posix-sem": ("held-file", {"name": "/dev/shm/sem.held", "size": 32})}


class Container:
    def __init__(self, ipcctl, factory, background, shared=""):
        first = background("unshare", "--user", "--map-root-user", "--pid", "--mount", "--ipc", "--net", "--fork",
                           "--kill-child", "sh", "-c", START, "sh", str(shared), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
        self.pid = first.stdout.readline().strip()
        if not self.pid:
            pytest.skip(f"no container in a container: {first.stderr.read().strip()}")
        self.ipcctl = ipcctl
        self.prefix = self.entering("--user", "--mount", "--ipc", "--net", "--pid")
        self.factory = Factory(factory.path, factory.stack, self.prefix)

    def entering(self, *namespaces):
        return ["nsenter", "--target", self.pid, *namespaces, "--preserve-credentials", "--"]

    def run(self, *command):
        return subprocess.run([*self.prefix, *command], capture_output=True, check=True, env=ENVIRONMENT).stdout

    def plan(self, *words):
        document = strict_json(self.run(*self.ipcctl.command("clean", "-v", "--json", *NOW, *words)))
        return {o["ref"]: o for o in document["candidates"]}

    def clean(self, *words):
        return self.run(*self.ipcctl.command("clean", "--remove", "--yes", *NOW, *words)).decode().splitlines()

    def files(self):
        """By their names, seen from outside; queues among them."""
        root = f"/proc/{self.pid}/root"
        return {*os.listdir(f"{root}/dev/shm"), *(f"mq:{name}" for name in os.listdir(root + MQUEUE))}

    def segments(self):
        return {int(line.split()[1]) for line in self.run("cat", "/proc/sysvipc/shm").splitlines()[1:]}


@pytest.fixture
def container(ipcctl, factory, background):
    return lambda shared="": Container(ipcctl, factory, background, shared)


def test_own(container):
    """What leaked in it goes, and what a process in it has, does not."""
    c = container()
    for kind in leftovers.KINDS:
        c.factory(kind, name="/left")
        thing, arguments = HELD[kind]
        c.factory(thing, hold=True, holders="r", **arguments)
    left = c.factory("sysv-shm")["id"]
    held = c.factory("sysv-shm", hold=True, attach=1)["id"]
    planned = c.plan()
    assert all(planned[f"{kind}:/left"]["state"] == "idle" for kind in leftovers.KINDS)
    assert all(planned[f"{kind}:/held"]["state"] == "in-use" for kind in leftovers.KINDS)
    assert (planned[f"sysv-shm:{left}"]["state"], planned[f"sysv-shm:{held}"]["state"]) == ("orphaned", "in-use")
    assert c.clean() == [f"removed sysv-shm:{left}"]
    assert c.files() == {"left", "sem.left", "mq:left", "held", "sem.held", "mq:held"} and c.segments() == {held}
    assert sorted(c.clean(*ALL)) == ["removed posix-mq:/left", "removed posix-sem:/left", "removed posix-shm:/left"]
    assert c.files() == {"held", "sem.held", "mq:held"} and c.segments() == {held}


def test_killed_worker(container):
    """It takes what it held with it, but not the objects."""
    c = container()
    workers = [c.factory(thing, hold=True, holders="r", **arguments) for thing, arguments in HELD.values()]
    workers.append(c.factory("sysv-shm", hold=True, attach=1))
    assert c.clean(*ALL) == []
    c.run("sh", "-c", 'kill -KILL "$@"', "sh", *(str(worker["pid"]) for worker in workers))
    for worker in workers:
        worker["let_go"]()
    leftovers.wait_for(lambda: "in-use" not in {o["state"] for o in c.plan().values()})
    assert len(c.clean("--idle")) == 4 and c.files() == set() and c.segments() == set()


def test_nothing_of_outside(container, factory):
    """Neither files nor queues nor segments of outside are in reach."""
    for kind in leftovers.KINDS:
        factory(kind, name="/x")
    segment = factory("sysv-shm")["id"]
    c = container()
    assert c.plan() == {} and c.clean(*ALL) == []
    assert all(leftovers.Named(kind).inode() for kind in leftovers.KINDS) and kernel.exists("sysv-shm", segment)


def test_segment_of_another_pid_namespace(container, factory):
    """Its maker has no number in here: whether he lives cannot be told."""
    c = container()
    outside = Factory(factory.path, factory.stack, c.entering("--user", "--ipc"))
    made = outside("sysv-shm")["id"]
    assert c.plan(*ALL)[f"sysv-shm:{made}"]["state"] == "unknown"
    assert c.clean(*ALL) == [] and c.segments() == {made}


@pytest.fixture
def shared(tmp_path):
    """A tmpfs of outside."""
    kernel.mount("tmpfs", str(tmp_path), "tmpfs", 0, "mode=1777")
    yield tmp_path
    kernel.unmount(str(tmp_path))


@pytest.mark.parametrize("where", ["outside", "other"])
@pytest.mark.parametrize("holders", ["r", "rw", "map-r", "map-rw", "flight"])
def test_shared(container, factory, shared, where, holders):
    """Who has it is outside, or in another container: only the kernel knows. What nobody has goes."""
    c = container(shared)
    make, path = (factory, shared) if where == "outside" else (container(shared).factory, "/dev/shm")
    held = make("held-file", hold=True, name=f"{path}/x", holders=holders)
    semaphore = make("held-file", hold=True, name=f"{path}/sem.x", size=32, holders=holders)
    make("file", name=f"{path}/left")
    planned = c.plan(*ALL)
    for ref in "posix-shm:/x", "posix-sem:/x":
        assert planned[ref]["state"] == "in-use" and "write lease refused" in planned[ref]["reason"]
    assert c.clean() == [] and c.clean(*ALL) == ["removed posix-shm:/left"]
    assert {name: (shared / name).stat().st_ino for name in os.listdir(shared)} == \
        {"x": held["ino"], "sem.x": semaphore["ino"]}
    held["let_go"]()
    assert c.clean(*ALL) == ["removed posix-shm:/x"] and os.listdir(shared) == ["sem.x"]


def test_shared_directory(container, factory, shared):
    """A directory of it only: the names are others, the files the same."""
    (shared / "d").mkdir()
    factory("held-file", hold=True, name=shared / "d" / "x", holders="map-r")
    factory("file", name=shared / "d" / "left")
    factory("file", name=shared / "above")
    c = container(shared / "d")
    assert c.clean(*ALL) == ["removed posix-shm:/left"]
    assert sorted(os.listdir(shared)) == ["above", "d"] and os.listdir(shared / "d") == ["x"]


@pytest.mark.real_root
def test_shared_with_other_users(container, factory, shared):
    """Root in here is not its owner, and may not even ask."""
    factory("file", name=shared / "x", mode="666", uid=4711)
    c = container(shared)
    planned = c.plan(*ALL)["posix-shm:/x"]
    assert planned["state"] == "unknown" and "CAP_LEASE" in planned["reason"]
    assert c.clean(*ALL) == [] and os.listdir(shared) == ["x"]
