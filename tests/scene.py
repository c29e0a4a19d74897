#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the system that man/graph.svg shows, in namespaces of its own, and runs a command in it:

    tests/scene.py sh -c './ipcctl graph --quiet | dot -Tsvg > man/graph.svg'

A pipeline that is stuck, a server with clients, workers on one segment with a queue, a terminal,
three processes in a deadlock, and a segment that somebody left behind."""

import fcntl
import mmap
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "cli"))
import kernel  # noqa: E402


def wait_until_asleep(pid, call):
    while True:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as f:
            if call in f.read():
                return
        time.sleep(0.001)


def start(name, *fds, act=None):
    """A process with these descriptors that does what it is to do, and then nothing."""
    asked, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        kernel.call("prctl", 1, signal.SIGKILL, 0, 0, 0)
        kernel.call("prctl", 15, name.encode(), 0, 0, 0)
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd not in (*fds, ready):
                try:
                    os.close(fd)
                except OSError:
                    pass
        steps = act() if act else iter(())
        kept = [next(steps, None)]  # up to what may block
        os.close(ready)
        kept += steps
        while kept is not None:
            signal.pause()
    os.close(ready)
    os.read(asked, 1)
    os.close(asked)
    return pid


def pipeline():
    (r1, w1), (r2, w2) = os.pipe(), os.pipe()
    os.write(w1, b"x" * 65536)
    os.write(w2, b"x" * 12288)

    def blocked():
        yield
        os.write(w1, b"x")
    wait_until_asleep(start("tail", w1, act=blocked), "pipe")
    start("grep", r1, w2)
    start("gzip", r2)
    for fd in (r1, w1, r2, w2):
        os.close(fd)


def connect(path, count):
    """So many connections to the listener there: (clients, accepted)."""
    return [(s.connect(path), s)[1] for s in (socket.socket(socket.AF_UNIX) for _ in range(count))]


def server():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("/run/db.sock")
    listener.listen(8)
    accepted, clients = [], []
    for name, count in (("web", 4), ("web", 4), ("report", 1)):
        mine = connect("/run/db.sock", count)
        accepted += [listener.accept()[0] for _ in mine]
        if name == "report":
            mine[0].send(b"x" * 3000)
        clients.append((name, mine))
    for name, mine in clients:
        start(name, *(s.fileno() for s in mine))
    tcp = socket.create_server(("127.0.0.1", 5432))
    remote = socket.create_connection(("127.0.0.1", 5432))
    accepted.append(tcp.accept()[0])
    start("backup-agent", remote.fileno())
    start("db", listener.fileno(), tcp.fileno(), *(s.fileno() for s in accepted))
    for s in (listener, tcp, remote, *accepted, *(s for _, mine in clients for s in mine)):
        s.close()


def workers():
    with open("/dev/shm/frames", "wb") as f:
        f.truncate(64 << 20)

    def renders():
        fd = os.open("/dev/shm/frames", os.O_RDWR)
        yield mmap.mmap(fd, 64 << 20)

    def views():
        fd = os.open("/dev/shm/frames", os.O_RDONLY)
        yield mmap.mmap(fd, 64 << 20, prot=mmap.PROT_READ)
    descriptor = kernel.call("mq_open", b"/jobs", os.O_RDWR | os.O_CREAT, 0o600, None)
    reader, writer = (kernel.mq_open("/jobs", flags) for flags in (os.O_RDONLY, os.O_WRONLY))
    for _ in range(3):
        start("render", reader, act=renders)
    start("dispatcher", writer)
    start("viewer", act=views)
    for fd in (descriptor, reader, writer):
        os.close(fd)


def terminal():
    master, slave = pty.openpty()
    start("sshd", master)
    start("bash", slave)
    start("vim", slave)
    os.close(master)
    os.close(slave)


def deadlock():
    paths = [f"/run/{name}.lock" for name in ("orders", "stock", "prices")]
    files = [os.open(path, os.O_RDWR | os.O_CREAT) for path in paths]
    for fd in files:
        os.close(fd)
    go = [os.pipe() for _ in paths]
    pids = []
    for i, name in enumerate(("import", "billing", "export")):
        def locks(i=i):
            mine = os.open(paths[i], os.O_RDWR)
            fcntl.flock(mine, fcntl.LOCK_EX)
            yield
            os.read(go[i][0], 1)
            os.close(go[i][0])
            fcntl.flock(os.open(paths[(i + 1) % 3], os.O_RDWR), fcntl.LOCK_EX)
        pids.append(start(name, go[i][0], act=locks))
    for r, w in go:
        os.write(w, b"x")
        os.close(r)
        os.close(w)
    for pid in pids:
        wait_until_asleep(pid, "lock")


def leftover():
    pid = os.fork()
    if pid == 0:
        kernel.shmget(0x52e2c1, 16 << 20, 0o1600)
        os._exit(0)
    os.waitpid(pid, 0)


def main():
    if os.environ.get("IPCCTL_SCENE") != "inside":
        os.environ["IPCCTL_SCENE"] = "inside"
        os.execvp("unshare", ["unshare", "--fork", "--pid", "--mount", "--ipc", "--net", "--mount-proc",
                              "--kill-child", sys.executable, *sys.argv])
    kernel.loopback_up()
    for directory in ("/dev/shm", "/run"):
        kernel.mount("tmpfs", directory, "tmpfs")
    # What the program of the picture says must not be a line in it.
    with tempfile.TemporaryFile() as errors, open(os.devnull, "r+b") as null:
        terminal_errors = os.dup(2)
        for fd in (0, 1, 2):
            os.dup2(null.fileno(), fd)
        status = 1
        try:
            for make in (pipeline, server, workers, terminal, deadlock, leftover):
                make()
            status = subprocess.run(sys.argv[1:], stdin=null, stdout=null, stderr=errors).returncode
        finally:
            os.dup2(terminal_errors, 2)
            errors.seek(0)
            os.write(2, errors.read())
    sys.exit(status)


if __name__ == "__main__":
    main()
