# SPDX-License-Identifier: MIT
"""clean, when the kernel refuses an answer on the way to a verdict: doubt spares. strace(1) refuses in its stead."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys

import kernel
import pytest
from faulting import ERRORS, WORSE, calls_in, some
from leftovers import ALL, NOW, wait_for
from program import ENVIRONMENT, FINDINGS, become

pytestmark = pytest.mark.real_root
GONE = 4711  # a user without processes
MOST = 1 if os.environ.get("IPCCTL_SAMPLE") else 3  # of the calls about the like
STRACE = ["strace", "-f", "-qq", "-o"]


def as_gone(body):
    child = os.fork()
    if child == 0:
        try:
            become(GONE)()
            body()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def wchan(pid):
    with open(f"/proc/{pid}/wchan", encoding="ascii") as f:
        return f.read()


def mounted(pid, target):
    with open(f"/proc/{pid}/mountinfo", encoding="ascii") as f:
        return any(line.split()[4] == target for line in f)


class World:
    """Objects of every kind: what somebody has, in several ways, and what GONE has left."""

    def __init__(self, program, factory, background, directory, queues):
        self.program, self.directory, self.queues = program, str(directory / "files"), queues
        os.mkdir(self.directory)
        for name, holders in ("open", "r"), ("mapped", "map-r"), ("sent", "flight"):
            factory("held-file", hold=True, name=f"/dev/shm/{name}", holders=holders)
            factory("held-file", hold=True, name=f"/dev/shm/sem.{name}", size=32, holders=holders)
            if name != "mapped":
                factory("held-posix-mq", hold=True, name=f"/{name}", holders=holders)
        factory("sysv-shm", hold=True, attach=1)
        factory("fifo", path=f"{self.directory}/opening", hold=True, openers="r")
        factory("fifo", path=f"{self.directory}/open", hold=True, holders="r")
        factory("unix-listener", name=f"{self.directory}/open-socket", hold=True, holders="a")
        for path in ("/dev/shm", queues, self.directory):
            for name in os.listdir(path):
                os.chown(f"{path}/{name}", GONE, GONE)
        as_gone(lambda: (kernel.semget(0, 1, 0o666), kernel.msgget(0, 0o666)))
        semid, msqid = kernel.sysvipc("sem")[0]["semid"], kernel.sysvipc("msg")[0]["msqid"]
        for waits in f"semop({semid}, bytes([0, 0, 255, 255, 0, 0]), 1)", f"msgrcv({msqid}, bytes(99), 9, 0, 0)":
            process = background(sys.executable, "-c", f"import ctypes; ctypes.CDLL(None).{waits}")
            wait_for(lambda: ("sem" if "semop" in waits else "msgrcv") in wchan(process.pid))
        self.held = self.there()
        self.leave()

    def mount_elsewhere(self, background):
        """What nobody has open, but is mounted in another namespace: a lease does not show it."""
        target = f"{self.directory}.mounted"
        for path in "/dev/shm/bound", target:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        process = background("unshare", "--mount", "--propagation=private", "sh", "-c",
                             f"mount --bind /dev/shm/bound {target} && exec sleep 999")
        wait_for(lambda: mounted(process.pid, target))

    def leave(self):
        """Leaves behind what is not left behind any more."""
        there = self.there()
        as_gone(lambda: self.leave_as_user(there))
        for name, make in ("left", os.mkfifo), ("left-socket", lambda path: socket.socket(socket.AF_UNIX).bind(path)):
            if f"file {name}" not in there:
                make(f"{self.directory}/{name}")
                os.chown(f"{self.directory}/{name}", GONE, GONE)
        self.left = {"posix-shm:/left": "shm left", "posix-sem:/left": "shm sem.left", "posix-mq:/left": "mq left",
                     f"fifo:{self.directory}/left": "file left",
                     f"unix-socket:{self.directory}/left-socket": "file left-socket"}
        self.left |= {name.replace(" ", ":"): name for name in self.there() if name.startswith("sysv")
                      and name not in self.held}

    def leave_as_user(self, there):
        held = self.held
        if "shm left" not in there:
            os.close(os.open("/dev/shm/left", os.O_CREAT | os.O_EXCL, 0o600))
        if "shm sem.left" not in there:
            with open("/dev/shm/sem.left", "xb") as f:
                f.write(bytes(32))
        if "mq left" not in there:
            kernel.call("mq_open", b"/left", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, None)
        for which, get in ("shm", lambda: kernel.shmget(0, 1, 0o600)), ("sem", lambda: kernel.semget(0, 1, 0o600)), \
                ("msg", lambda: kernel.msgget(0, 0o600)):
            if not any(name.startswith(f"sysv-{which} ") and name not in held for name in there):
                get()

    def there(self):
        """What there is, as the kernel has it: number by name."""
        found = {f"{what} {entry.name}": entry.inode()
                 for what, path in (("shm", "/dev/shm"), ("mq", self.queues), ("file", self.directory))
                 for entry in os.scandir(path)}
        for kind, table, column in ("sysv-shm", "shm", "shmid"), ("sysv-sem", "sem", "semid"), \
                ("sysv-msg", "msg", "msqid"):
            found |= {f"{kind} {row[column]}": row[column] for row in kernel.sysvipc(table)}
        return found

    def command(self, *words):
        return self.program.command("clean", "--json", *NOW, "--path", self.directory, *words)

    def run(self, strace, words, where="/dev/null", one=True):
        """The records by reference; none if it failed as a whole. one: in one thread, which keeps the order."""
        options = {**ENVIRONMENT, "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"] + ":detect_leaks=0"}
        cpu = {min(os.sched_getaffinity(0))}
        run = subprocess.run([*STRACE, where, *strace, *self.command(*words)], capture_output=True, env=options,
                             preexec_fn=(lambda: os.sched_setaffinity(0, cpu)) if one else None)
        assert 0 <= run.returncode < 128 and run.returncode not in FINDINGS, (strace, run)
        assert self.held.items() <= self.there().items(), (strace, words, run)
        try:
            return {o["ref"]: o for o in json.loads(run.stdout)["candidates"]}
        except json.JSONDecodeError:
            assert run.returncode != 0 and run.stderr, (strace, run)
            return {}

    def plan(self, strace, *words, **options):
        """Nothing but what was left behind is to go."""
        got = self.run(strace, ["-v", *words], **options)
        for ref, o in got.items():
            assert o["action"] == "spare" or ref in self.left, (strace, o)
            assert o["state"] in ("in-use", "unknown") or ref in self.left, (strace, o)
        return got

    def act(self, strace, *words):
        """What is said of each is so."""
        got = self.run(strace, ["--remove", "--yes", *words])
        there = self.there()
        for ref, what in self.left.items():
            outcome = got.get(ref, {}).get("outcome")
            assert not got or (outcome in ("removed", "gone")) is (what not in there), (strace, got.get(ref), ref)
        return got


@pytest.fixture
def world(first, factory, background, tmp_path, mqueue_mounted):
    if first.wrapper:
        pytest.skip("a wrapper is the one that would be refused")
    if not shutil.which("strace"):
        pytest.skip("no strace(1)")
    probe = subprocess.run([*STRACE, "/dev/null", "-e", "inject=getpid:error=EPERM", "true"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip(f"strace cannot refuse calls here: {probe.stderr.decode(errors='replace').strip()}")
    return World(first, factory, background, tmp_path, mqueue_mounted)


def test_no_fault(world):
    """Else the rest would prove nothing: the held is in use, and all that was left is to go, and goes."""
    got = world.plan([], "--stale")
    assert {ref for ref, o in got.items() if o["action"] == "remove"} == world.left.keys()
    assert {o["state"] for ref, o in got.items() if ref not in world.left} == {"in-use"}
    stale = {ref.split(":")[0] for ref, o in got.items() if o["state"] == "stale"}
    assert stale == {"sysv-sem", "sysv-msg", "fifo"}
    assert {got[ref]["state"] for ref in world.left if ref.split(":")[0] not in stale} == {"orphaned"}
    world.act([], "--stale")
    assert world.there() == world.held


def calls_of(world, path, *words):
    """Of one run: which calls of each system call there were, by what they were about."""
    world.run(["-y"], words, where=str(path))
    found, seen = calls_in(path, world.program)
    assert len(seen) > 10 and len(found) > 50
    return found, seen


def refusing(names, error, when=""):
    """Not every machine has each of the calls."""
    calls = ",".join("?" + name for name in names.split(","))
    return ["--seccomp-bpf", "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}{when}"]


def test_any_call_of_the_plan(world, tmp_path):
    """Whatever call fails, what somebody has is not planned to go."""
    found, _ = calls_of(world, tmp_path / "trace", "-v", *ALL)
    answers = []
    for (name, _), numbers in found.items():
        for number in some(numbers, MOST):
            answers.append(world.plan(refusing(name, ERRORS[name], f":when={number}"), *ALL))
    assert answers.count({}) < len(answers) / 4


def test_any_call_of_the_act(world, tmp_path):
    """Nor does it go. Of what is before the act a part is tried."""
    _, before = calls_of(world, tmp_path / "trace", "-v", *ALL)
    found, _ = calls_of(world, tmp_path / "trace", "--remove", "--yes", *ALL)
    for (name, _), numbers in found.items():
        late = [number for number in numbers if number > before[name]]
        for number in {*some(numbers, 1), *(some(late, MOST) if late else [])}:
            world.leave()
            world.act(refusing(name, ERRORS[name], f":when={number}"), *ALL)


def test_any_look_at_mounts(world, background, tmp_path):
    """Whatever is no matter of permission: mounts that could not be read may be of what nobody has open."""
    world.mount_elsewhere(background)
    assert world.plan([], *ALL)["posix-shm:/bound"]["reason"] == "it is mounted elsewhere, too"
    found, _ = calls_of(world, tmp_path / "trace", "-v", *ALL)
    looks = [(name, number) for (name, about), numbers in found.items() if name in WORSE
             and re.search("mountinfo|ns/mnt", about) for number in numbers]
    assert len(looks) > 10
    for name, number in looks:
        world.plan(refusing(name, WORSE[name], f":when={number}"), *ALL)


def test_a_queue_that_cannot_go_is_as_it_was(world):
    """Its permissions are taken away right before."""
    before = os.stat(f"{world.queues}/left").st_mode
    assert world.act(refusing("unlinkat,unlink", "EACCES"), *ALL)["posix-mq:/left"]["outcome"] == "failed"
    assert os.stat(f"{world.queues}/left").st_mode == before


# Single probes: the calls that fail; on what; of which kinds what was left behind is then spared, and as what.
FILES, RECORDS = {"posix-shm", "posix-sem", "posix-mq"}, {"sysv-sem", "sysv-msg", "fifo"}
UNKNOWN, IDLE = {"unknown"}, {"idle"}
PROBES = {
    "lease": ("fcntl,fcntl64:EINVAL,EACCES,ENOLCK", "", FILES, UNKNOWN),
    "file": ("openat:EACCES,EMFILE,ENXIO", "left", {"posix-shm", "posix-mq"}, UNKNOWN),
    "opened-file": ("newfstatat,fstat,fstatat64,fstat64,statx:EIO", "/dev/shm/left", {"posix-shm"}, UNKNOWN),
    "mounts": ("openat,open:EACCES,EMFILE", "/proc/self/mountinfo", FILES | {"unix-socket"}, UNKNOWN),
    "processes": ("getdents64:EIO,EACCES", "/proc", FILES | RECORDS, UNKNOWN | {"stale"}),
    "status": ("openat:EACCES,EMFILE", "1/status", FILES | RECORDS, IDLE | {"stale"}),
    "stat": ("openat:EACCES,EMFILE", "1/stat", FILES | RECORDS, IDLE | {"stale", "unknown"}),
    "threads": ("openat:EACCES,EMFILE", "loadavg", FILES | RECORDS, IDLE | UNKNOWN | {"stale"}),
    "namespace": ("readlinkat:EACCES", "self/ns/pid", FILES | RECORDS, IDLE | UNKNOWN),
    "segment": ("shmctl:EACCES,EIO,ENOSYS", "", {"sysv-shm"}, {"orphaned"}),
    "sets": ("semctl:EACCES,ENOSYS", "", {"sysv-sem"}, UNKNOWN),
    "queues": ("msgctl:EACCES,ENOSYS", "", {"sysv-msg"}, UNKNOWN | {"stale"}),
    "blocked": ("openat:EACCES,EMFILE", "1/syscall", {"sysv-msg", "fifo"}, UNKNOWN),
    "own-namespace": ("readlink,readlinkat:EACCES", "/proc/self/ns/ipc", {"sysv-msg", "fifo"}, UNKNOWN),
    "socket": ("connect:EACCES,EIO,ENOMEM", "", {"unix-socket"}, UNKNOWN),
    "sockets": ("socket:EMFILE", "", {"unix-socket"}, UNKNOWN),
}


@pytest.mark.parametrize("probe, path, kinds, states", PROBES.values(), ids=PROBES.keys())
def test_probe(world, probe, path, kinds, states):
    """A probe that always fails: the verdict falls short of what clean takes, and the act spares it, too."""
    names, _, errors = probe.partition(":")
    for error in errors.split(","):
        # The first three ask whether 0, 1 and 2 are open.
        when = ":when=4+" if names.startswith("fcntl") else ""
        strace = [*refusing(names, error, when), *(["-P", path] if path else [])]
        for ref, o in world.plan(strace, "--stale", one=False).items():
            if ref in world.left and o["kind"] in kinds:
                assert o["state"] in states, (strace, o)
        world.act(strace, "--stale")
        there = world.there()
        for ref, what in world.left.items():
            assert (what in there) is (ref.split(":")[0] in kinds), (strace, ref)
        world.leave()
