# SPDX-License-Identifier: MIT
"""Observing what processes hold changes nothing: who waits waits on, who ends is missed at
once, and what lies in a queue stays there, in order."""

import contextlib
import fcntl
import mmap
import os
import select
import socket
import stat
import subprocess
import sys
import threading
import time
import tty

import kernel
import pytest
from holdings import listed

OLD, OLDER = 1500000000, 1400000000
POLL = select.POLLIN | select.POLLOUT | select.POLLRDHUP
FIONREAD = 0x541B
# How long something may take that happens at once but for a busy machine.
PATIENCE = 60


def revents(fd):
    poll = select.poll()
    poll.register(fd, POLL)
    return poll.poll(0)


def queued(fd):
    return int.from_bytes(fcntl.ioctl(fd, FIONREAD, b"\0" * 4), sys.byteorder)


def times(st):
    return st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns, st.st_size, st.st_nlink, stat.S_IMODE(st.st_mode)


class Zoo:
    """One or more of everything, held by the test's own process."""

    def __init__(self, stack, directory):
        self.stack, self.directory = stack, directory
        self.fds, self.files, self.refs = {}, [], set()
        self.pipes()
        self.fifos()
        self.unix()
        self.inet()
        self.others()

    def keep(self, name, thing):
        """Keeps a descriptor or a socket until the end."""
        fd = thing if isinstance(thing, int) else thing.fileno()
        self.stack.callback(os.close if isinstance(thing, int) else type(thing).close, thing)
        self.fds[name] = fd
        return thing

    def pipes(self):
        for name, data in (("pipe", b"some bytes"), ("empty", b""), ("full", b"x" * 65536)):
            r, w = os.pipe()
            self.keep(name + ".r", r), self.keep(name + ".w", w)
            os.write(w, data)
        r, w = os.pipe()
        os.close(w)
        self.keep("hung-up", r)
        r, w = os.pipe()
        os.close(r)
        self.keep("broken", w)

    def fifos(self):
        path = self.directory / "fifo"
        os.mkfifo(path)
        self.keep("fifo", os.open(path, os.O_RDWR))
        os.write(self.fds["fifo"], b"fifo's")
        os.mkfifo(self.directory / "idle")
        for name in ("fifo", "idle"):
            os.utime(self.directory / name, (OLDER, OLD))
            self.files.append(self.directory / name)
            self.refs.add(f"fifo:{self.directory}/{name}")

    def unix(self):
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            a, b = socket.socketpair(socket.AF_UNIX, kind)
            self.keep(f"{kind}.a", a).send(b"hello")
            self.keep(f"{kind}.b", b)
        path = self.directory / "listener"
        listener = self.keep("listener", socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(5)
        for i in range(3):
            client = self.keep(f"client{i}", socket.socket(socket.AF_UNIX))
            client.connect(str(path))
            client.send(b"%d" % i)
        receiver = self.keep("receiver", socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        receiver.bind(str(self.directory / "receiver"))
        sender = self.keep("sender", socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sender.connect(str(self.directory / "receiver"))
        sender.send(b"first")
        sender.send(b"second")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(self.directory / "stale"))
        self.refs.add(f"unix-socket:{self.directory}/stale")
        for name in ("listener", "receiver", "stale"):
            os.utime(self.directory / name, (OLDER, OLD))
            self.files.append(self.directory / name)

    def inet(self):
        kernel.loopback_up()
        listener = self.keep("tcp", socket.create_server(("127.0.0.1", 0), backlog=5))
        for i in range(2):
            self.keep(f"tcp-client{i}", socket.create_connection(listener.getsockname())).send(b"%d" % i)
        a = self.keep("udp.a", socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        a.bind(("127.0.0.1", 0))
        b = self.keep("udp.b", socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        b.connect(a.getsockname())
        b.send(b"datagram")

    def others(self):
        fd = self.keep("memfd", os.memfd_create("memory", os.MFD_ALLOW_SEALING))
        os.write(fd, b"x" * 5000)
        os.utime(fd, (OLDER, OLD))
        os.lseek(fd, 17, os.SEEK_SET)
        self.keep("eventfd", os.eventfd(5))
        self.keep("zero", os.eventfd(0))
        master, slave = os.openpty()
        self.keep("master", master), self.keep("slave", slave)
        tty.setraw(slave)  # without echo
        os.write(master, b"a line\nand half")
        # The kernel hands input on by a worker.
        deadline = time.monotonic() + PATIENCE
        while queued(slave) < 15 and time.monotonic() < deadline:
            time.sleep(0.001)
        path = self.directory / "mapped"
        path.write_bytes(b"y" * 10000)
        fd = os.open(path, os.O_RDWR)
        self.memory = [self.stack.enter_context(contextlib.closing(m)) for m in (
            mmap.mmap(fd, 10000), mmap.mmap(-1, 20000), mmap.mmap(fd, 4096, offset=4096, prot=mmap.PROT_READ))]
        os.close(fd)
        os.utime(path, (OLDER, OLD))
        self.files.append(path)

    def facts(self):
        """All that can be asked of it without touching it."""
        out = {}
        for name, fd in self.fds.items():
            with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as f:
                info = f.read()
            # All masters of a devpts share one inode: whoever else has a terminal moves its times.
            out[name] = (revents(fd), name != "master" and times(os.fstat(fd)), info, fcntl.fcntl(fd, fcntl.F_GETFL),
                         fcntl.fcntl(fd, fcntl.F_GETFD))
            if name not in ("eventfd", "zero", "listener", "tcp"):
                out[name] += (queued(fd),)
        for path in self.files:
            out[path] = times(os.lstat(path))
        out["directory"] = times(os.stat(self.directory))
        with open("/proc/self/smaps", encoding="utf-8", errors="surrogateescape") as f:
            # Of the memory that is shared, and nobody else touches.
            lines, rows, shared = f.read().splitlines(), [], False
            for line in lines:
                words = line.split()
                if "-" in words[0] and not words[0].endswith(":"):
                    shared = words[1][3] == "s"
                if shared and (not words[0].endswith(":") or words[0] in ("Rss:", "Shared_Dirty:", "Private_Dirty:")):
                    rows.append(line)
            out["memory"] = rows
        return out


@pytest.fixture
def zoo(tmp_path):
    os.utime(tmp_path, (OLDER, OLD))
    with contextlib.ExitStack() as stack:
        yield Zoo(stack, tmp_path)


def commands(ipcctl, zoo):
    mine = [o["ref"] for o in ipcctl.json("list", "all", "--pid", str(os.getpid()))["objects"]]
    # Of every kind there is one.
    kinds = {ref.split(":")[0] for ref in mine}
    assert kinds == {"pipe", "fifo", "unix-socket", "inet-socket", "memfd", "eventfd", "pty", "file-mapping",
                     "anon-mapping"}
    refs = sorted({*mine, *zoo.refs})
    return [["list", "all"], ["list", "all", "--json"], ["list", "all", "--json", "-o", "all"],
            ["list", "fifo", "unix-socket", "--path", str(zoo.directory), "--json", "-o", "all"],
            ["list", "all", "--raw", "-o", "all", "--threads=8"], ["describe", "--json", *refs], ["describe", *refs],
            ["list", "pipe", "-f", "queued>0", "--sort=capacity"], ["summary"],
            ["remove", "--dry-run", *refs], ["remove", "--kill", "--dry-run", *refs]]


def test_nothing_changes(ipcctl, zoo):
    before = zoo.facts()
    for words in commands(ipcctl, zoo):
        ipcctl(*words, "--quiet", status=None)
        after = zoo.facts()
        for name in before:
            assert after[name] == before[name], (words[:2], name)


def test_queues_are_as_they_were(ipcctl, zoo):
    """Every byte, every datagram and every client is there, in order."""
    for words in commands(ipcctl, zoo):
        ipcctl(*words, "--quiet", status=None)
    fds = zoo.fds
    assert os.read(fds["pipe.r"], 100) == b"some bytes"
    assert len(os.read(fds["full.r"], 100000)) == 65536
    assert os.read(fds["fifo"], 100) == b"fifo's"
    assert os.read(fds["hung-up"], 1) == b""
    with pytest.raises(BrokenPipeError):
        os.write(fds["broken"], b"x")
    assert os.eventfd_read(fds["eventfd"]) == 5
    assert os.read(fds["slave"], 100) == b"a line\nand half"
    assert os.lseek(fds["memfd"], 0, os.SEEK_CUR) == 17
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        assert os.read(fds[f"{kind}.b"], 100) == b"hello"
    assert [os.read(fds["receiver"], 100) for _ in range(2)] == [b"first", b"second"]
    for name, count in (("listener", 3), ("tcp", 2)):
        with socket.socket(fileno=os.dup(fds[name])) as listener:
            for i in range(count):
                server, _ = listener.accept()
                with server:
                    assert server.recv(10) == b"%d" % i
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert os.read(fds["udp.a"], 100) == b"datagram"


def test_descriptors_in_flight_arrive(ipcctl):
    """And whoever waits for the last of them to be closed is told when that is."""
    a, b = socket.socketpair()
    read, write = os.pipe()
    inode = os.fstat(write).st_ino
    with a, b:
        socket.send_fds(a, [b"x"], [write])
        os.close(write)
        for words in (["list", "all", "--json", "-o", "all"], ["describe", f"pipe:{inode}"],
                      ["describe", f"unix-socket:{os.fstat(b.fileno()).st_ino}"]):
            ipcctl(*words, "--quiet", status=None)
            assert not revents(read), words
        _, fds, _, _ = socket.recv_fds(b, 10, 4)
        assert len(fds) == 1 and os.fstat(fds[0]).st_ino == inode
        os.write(fds[0], b"still a pipe")
        assert os.read(read, 100) == b"still a pipe"
        os.close(fds[0])
        assert os.read(read, 1) == b""
        os.close(read)


def test_openers_wait_on(ipcctl, factory, tmp_path):
    """Nobody opens a FIFO to look at it: that would let them go."""
    truths = [factory("fifo", path=str(tmp_path / name), hold=True, openers=openers)
              for name, openers in (("r", "r,r"), ("w", "w"))]
    pids = [pid for truth in truths for pid in truth["openers"]]
    assert kernel.blocked_in_open(pids) == pids
    before = [times(os.lstat(tmp_path / name)) for name in "rw"]
    for words in (["list", "all", "--json", "-o", "all"], ["list", "fifo", "--path", str(tmp_path), "-o", "all"],
                  ["describe", f"fifo:{tmp_path}/r", f"fifo:{tmp_path}/w"],
                  ["describe", f"posix-shm:{tmp_path}/r"]):
        ipcctl(*words, "--quiet", status=None)
        assert kernel.blocked_in_open(pids) == pids, words
    assert [times(os.lstat(tmp_path / name)) for name in "rw"] == before


class Looking:
    """Looks at everything again and again beside the test."""

    def __init__(self, ipcctl, *more):
        self.ipcctl, self.more, self.rounds, self.error = ipcctl, more, 0, None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.stop.is_set():
                self.ipcctl("list", "all", "--json", "-o", "all", *self.more, "--quiet", status=None)
                self.rounds += 1
        except Exception as error:  # told to the test's own thread
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        assert self.error is None, self.error
        assert self.rounds > 0


HOLD = """
import fcntl, os, socket, sys, time
{body}
print("held", flush=True)
time.sleep(999)
"""


def holder(body, **options):
    process = subprocess.Popen([sys.executable, "-c", HOLD.format(body=body)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, **options)
    assert process.stdout.readline() == b"held\n"
    process.stdout.close()
    return process


def end(process):
    process.kill()
    process.wait()


def comes(fd, events):
    """Whether poll(2) says so within a while."""
    poll = select.poll()
    poll.register(fd, events)
    return poll.poll(PATIENCE * 1000)


def rounds(ipcctl):
    return 2 if ipcctl.slow else 15


def test_readers_learn_of_the_end(ipcctl):
    """A copy of the last writer's descriptor delays it by no more than a look."""
    with Looking(ipcctl):
        for _ in range(rounds(ipcctl)):
            read, write = os.pipe()
            process = holder("", pass_fds=[write])
            os.close(write)
            time.sleep(0.02)
            assert not revents(read)
            end(process)
            assert comes(read, select.POLLIN) == [(read, select.POLLHUP)]
            assert os.read(read, 1) == b""
            os.close(read)


def test_writers_learn_of_the_end(ipcctl):
    with Looking(ipcctl):
        for _ in range(rounds(ipcctl)):
            read, write = os.pipe()
            process = holder("", pass_fds=[read])
            os.close(read)
            time.sleep(0.02)
            os.write(write, b"x")
            end(process)
            deadline = time.monotonic() + PATIENCE
            with pytest.raises(BrokenPipeError):
                while time.monotonic() < deadline:
                    os.write(write, b"x")
                    time.sleep(0.001)
            os.close(write)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_peers_learn_of_the_end(ipcctl, kind):
    with Looking(ipcctl):
        for _ in range(rounds(ipcctl)):
            a, b = socket.socketpair(socket.AF_UNIX, kind)
            with a:
                process = holder("", pass_fds=[b.fileno()])
                b.close()
                time.sleep(0.02)
                a.settimeout(PATIENCE)
                end(process)
                assert a.recv(1) == b""


def test_after_a_look_it_is_at_once(ipcctl):
    """No copy outlives the program."""
    read, write = os.pipe()
    process = holder("", pass_fds=[write])
    os.close(write)
    ipcctl("describe", f"pipe:{os.fstat(read).st_ino}")
    assert not revents(read)
    end(process)
    assert revents(read) == [(read, select.POLLHUP)]
    os.close(read)


@pytest.mark.parametrize("what", ["fifo", "file", "memfd", "mapped"])
def test_locks_go_with_their_holder(ipcctl, tmp_path, what):
    """flock(2) belongs to the open file description: a copy would keep it."""
    path = str(tmp_path / "x")
    if what == "fifo":
        os.mkfifo(path)
    else:
        with open(path, "wb") as f:
            f.write(b"x" * 5000)
    body = {"fifo": f"fd = os.open({path!r}, os.O_RDWR)", "file": f"fd = os.open({path!r}, os.O_RDWR)",
            "memfd": "fd = os.memfd_create('x')",
            "mapped": f"import mmap; fd = os.open({path!r}, os.O_RDWR); m = mmap.mmap(fd, 5000)"}[what]
    with Looking(ipcctl):
        for _ in range(rounds(ipcctl)):
            process = holder(f"{body}\nfcntl.flock(fd, fcntl.LOCK_EX)")
            if what == "memfd":
                mine = next(os.open(f"/proc/{process.pid}/fd/{n}", os.O_RDWR) for n in os.listdir(
                    f"/proc/{process.pid}/fd") if "memfd:x" in os.readlink(f"/proc/{process.pid}/fd/{n}"))
            else:
                mine = os.open(path, os.O_RDWR)
            with pytest.raises(BlockingIOError):
                fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
            end(process)
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    assert time.monotonic() < deadline
                    time.sleep(0.001)
            os.close(mine)


def test_terminals_learn_of_the_end(ipcctl):
    """The slave hangs up when the last master goes."""
    with Looking(ipcctl):
        for _ in range(rounds(ipcctl)):
            master, slave = os.openpty()
            process = holder("", pass_fds=[master])
            os.close(master)
            time.sleep(0.02)
            end(process)
            assert comes(slave, select.POLLIN)[0][1] & select.POLLHUP
            os.close(slave)


def test_ports_are_free_again(ipcctl):
    """A listener's port can be bound anew when its holder has ended."""
    kernel.loopback_up()
    with Looking(ipcctl):
        for _ in range(rounds(ipcctl)):
            listener = socket.create_server(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            process = holder("", pass_fds=[listener.fileno()])
            listener.close()
            time.sleep(0.02)
            end(process)
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    with socket.socket() as s:
                        s.bind(("127.0.0.1", port))
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.001)


def test_abstract_names_are_free_again(ipcctl):
    with Looking(ipcctl):
        for i in range(rounds(ipcctl)):
            s = socket.socket(socket.AF_UNIX)
            s.bind(f"\0name{i}")
            s.listen()
            process = holder("", pass_fds=[s.fileno()])
            s.close()
            end(process)
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    with socket.socket(socket.AF_UNIX) as other:
                        other.bind(f"\0name{i}")
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.001)


def test_the_test_of_a_socket_file_is_not_noticed(ipcctl):
    """Nobody who listens or receives is disturbed by the question whether he does."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        listener.bind("/dev/shm/listener")
        listener.listen(1)
        receiver.bind("/dev/shm/receiver")
        for _ in range(5):
            got = listed(ipcctl, "unix-socket", "--path", "/dev/shm", "-o", "all")
            assert len(got) >= 2
            ipcctl("describe", "unix-socket:/dev/shm/listener", "unix-socket:/dev/shm/receiver")
        for s in (listener, receiver):
            assert not revents(s.fileno()) or revents(s.fileno())[0][1] == select.POLLOUT
            s.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with pytest.raises(BlockingIOError):
            receiver.recv(1)
