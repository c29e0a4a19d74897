# SPDX-License-Identifier: MIT
"""A small system with an object of every kind, for tests that look at it a thousand times: few processes, of which
one has nearly everything."""

import ctypes
import fcntl
import mmap
import os
import pty
import socket

import kernel
import places

PR_SET_NAME = 15
# Those of open file descriptions are seen from every PID namespace, and so by other tests.
LOCKS = ("flock", "posix", "lease")


def inode(fd):
    return os.fstat(fd).st_ino


def event_number(fd):
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as f:
        return next(line.split()[1] for line in f if line.startswith("eventfd-id:"))


def file(path, size=4096):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, size)
    return fd


def lock(kind, path):
    fd = file(path)
    if kind == "flock":
        fcntl.flock(fd, fcntl.LOCK_EX)
    elif kind == "posix":
        fcntl.lockf(fd, fcntl.LOCK_EX)
    else:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    return fd


def hold_everything(directory, kept):
    """What this process then has goes into kept; returns the references, by the kernel's own names."""
    kernel.call("prctl", PR_SET_NAME, b"keeper", 0, 0, 0)
    segment = kernel.shmget(0x1234, 4096, kernel.IPC_CREAT | 0o600)
    ctypes.CDLL(None).shmat(segment, None, 0)
    held, semaphore = file("/dev/shm/held"), file("/dev/shm/sem.held", 32)
    queue = kernel.call("mq_open", b"/held", os.O_CREAT | os.O_RDWR, 0o600, None)
    reader, writer = os.pipe()
    os.mkfifo(f"{directory}/fifo")
    fifo = os.open(f"{directory}/fifo", os.O_RDWR)
    memory, event = os.memfd_create("m"), kernel.call("eventfd", 7, 0)
    one, other = socket.socketpair()
    one.send(b"queued")
    named, tcp = socket.socket(socket.AF_UNIX), socket.socket()
    named.bind(f"{directory}/socket")
    named.listen()
    tcp.listen()
    master, slave = pty.openpty()
    mapped = file(f"{directory}/mapped")
    anonymous = mmap.mmap(-1, 4096, mmap.MAP_SHARED)
    anonymous[0] = 1
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as f:
        number = next(line.split()[4] for line in f if "/dev/zero (deleted)" in line)
    kept += [held, semaphore, queue, reader, writer, fifo, memory, event, one, other, named, tcp, master, slave, mapped,
             mmap.mmap(mapped, 4096), anonymous, *(lock(kind, f"{directory}/{kind}") for kind in LOCKS)]
    return [f"sysv-shm:{segment}", "posix-shm:/held", "posix-sem:/held", "posix-mq:/held", f"pipe:{inode(reader)}",
            f"fifo:{directory}/fifo", f"memfd:{inode(memory)}", f"eventfd:{event_number(event)}",
            f"unix-socket:{inode(one.fileno())}", f"unix-socket:{inode(other.fileno())}",
            f"unix-socket:{inode(named.fileno())}", f"inet-socket:{inode(tcp.fileno())}", f"pty:{os.ttyname(slave)}",
            f"file-mapping:{kernel.mount_device(directory)}:{inode(mapped)}", f"anon-mapping:{number}"]


class Small:
    """held: references of what somebody has; left: of what nobody has, and the kernel's names; directory: where
    what has a path is."""

    def __init__(self, factory, directory):
        self.directory, kept = directory, []
        os.mkdir(directory)
        self.keeper, self.held = places.forked(lambda: hold_everything(directory, kept))
        set_ = factory("sysv-sem", hold=True, nsems=1, block="0:-1")
        self.held.append(f"sysv-sem:{set_['id']}")
        factory("lock", name=f"{directory}/waited-for", hold=True, type="posix", lock="write", waiters="write",
                holders="rw")
        factory("futex", memory="posix-shm", name="/futex", hold=True, type="mutex", owner="live", waiters=1)
        factory("signals", hold=True, blocked="10", kill="10")
        self.factory, self.kept = factory, self.there()
        self.leave()

    def leave(self):
        """Leaves behind what nobody has, as far as it is not there any more."""
        there = self.there()
        if not any(name.startswith("msg ") for name in there):
            # The same number again: to find one takes more calls the higher it is.
            with open("/proc/sys/kernel/msg_next_id", "w", encoding="ascii") as f:
                f.write("0")
            self.factory("sysv-msg", messages="1:5")
        for kind, name, more in ("posix-shm", "/dev/shm/left", {"size": 100}), \
                ("posix-sem", "/dev/shm/sem.left", {"value": 3}), ("posix-mq", "queue left", {"messages": "1:5"}):
            if name not in there:
                self.factory(kind, name="/left", **more)
        self.made = self.there()
        number = next(name.split()[1] for name in self.made if name.startswith("msg "))
        self.left = {"posix-shm:/left": "/dev/shm/left", "posix-sem:/left": "/dev/shm/sem.left",
                     "posix-mq:/left": "queue left", f"sysv-msg:{number}": f"msg {number}"}

    def there(self):
        """What the kernel has that outlives its processes."""
        found = {f"{path}/{name}" for path in ("/dev/shm", self.directory) for name in os.listdir(path)}
        found |= {f"queue {name}" for name in ("held", "left", "x") if kernel.mq_exists(f"/{name}")}
        return found | {f"{table} {row[column]}" for table, column in (("shm", "shmid"), ("sem", "semid"),
                                                                       ("msg", "msqid"))
                        for row in kernel.sysvipc(table)}

    def undo(self):
        """Removes what was made since, with the kernel's own calls."""
        for name in self.there() - self.made:
            sort, _, rest = name.partition(" ")
            if sort == "queue":
                kernel.call("mq_unlink", f"/{rest}".encode())
            elif rest:
                kernel.REMOVERS[f"sysv-{sort}"](int(rest))
            else:
                os.unlink(name)

    def close(self):
        places.reap(self.keeper)
