# SPDX-License-Identifier: MIT
"""Namespaces of all sorts beside those of a test, and the processes that they live by.

Their processes end with the test, and with the test run, however that ends.
"""

import os
import pickle
import signal

import kernel

SORTS = {"user": kernel.CLONE_NEWUSER, "mnt": kernel.CLONE_NEWNS, "ipc": kernel.CLONE_NEWIPC,
         "net": kernel.CLONE_NEWNET, "pid": kernel.CLONE_NEWPID}
CONTAINER = ("ipc", "mnt", "net")
PR_SET_PDEATHSIG = 1
# The part of a place that the objects of a kind belong to.
PART_OF = {"sysv-shm": "ipc", "sysv-sem": "ipc", "sysv-msg": "ipc", "posix-mq": "ipc", "posix-shm": "mnt",
           "posix-sem": "mnt", "unix-socket": "net", "inet-socket": "net"}
FIELD_OF = {"ipc": "ipcns", "mnt": "mntns", "net": "netns"}


def number(sort, pid="self"):
    """That of a namespace, from the kernel."""
    return os.stat(f"/proc/{pid}/ns/{sort}").st_ino


def placed(expected, numbers):
    """An object as it is expected here, seen from outside of its place."""
    part = PART_OF[expected["kind"]]
    kind, rest = expected["ref"].split(":", 1)
    return {**expected, "ref": f"{kind}:{numbers[part]}/{rest.removeprefix('/')}", FIELD_OF[part]: numbers[part]}


def hear(told):
    """All of one pickled answer, or nothing; others may still have the other end."""
    size, text = os.read(told, 8), b""
    while len(text) < int.from_bytes(size, "little"):
        more = os.read(told, 1 << 16)
        if not more:
            break
        text += more
    return text


def tell(to, what):
    text = pickle.dumps(what)
    data = len(text).to_bytes(8, "little") + text
    while data:
        data = data[os.write(to, data):]


def forked(body):
    """A process that does that, and then nothing: (pid, what body returned). It has no descriptors from here."""
    told, to = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            kernel.call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.closerange(3, to)
            os.closerange(to + 1, 1024)
            try:
                answer = True, body()
            except BaseException as error:  # it is the test's to say
                answer = False, repr(error)
            tell(to, answer)
            os.close(to)
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(to)
    answer = hear(told)
    os.close(told)
    done, result = pickle.loads(answer) if answer else (False, "it died")
    if not done:
        reap(pid)
        raise AssertionError(result)
    return pid, result


def reap(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def asked(body):
    """What body returns in a process of its own."""
    pid, result = forked(body)
    reap(pid)
    return result


def map_root(uid=0):
    """The user of outside is root in this new user namespace, and nobody else is there."""
    for name, text in ("uid_map", f"0 {uid} 1"), ("setgroups", "deny"), ("gid_map", f"0 {uid} 1"):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as f:
            f.write(text)


def make_new(sorts, uid=0):
    """Takes this process into new namespaces, with a /dev/shm of its own in that of mounts."""
    if "user" in sorts:
        kernel.unshare(kernel.CLONE_NEWUSER)
        map_root(uid)
    flags = 0
    for sort in sorts:
        flags |= SORTS[sort] if sort != "user" else 0
    kernel.unshare(flags)
    if "mnt" in sorts:
        kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("tmpfs", "/dev/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777,size=16m")
    if "net" in sorts:
        kernel.loopback_up()


class Place:
    """New namespaces of these sorts, and a process that sleeps in them."""

    def __init__(self, *sorts, factory=None, before=None, setup=None, uid=0):
        """before: what the process does first, such as to enter others; setup: what it does in there."""
        self.sorts, self.factory = sorts or CONTAINER, factory

        def body():
            if before:
                before()
            make_new(self.sorts, uid)
            if "pid" not in self.sorts:
                return os.getpid(), setup and setup()
            return forked(lambda: self.first(setup))

        self.child, (self.pid, self.said) = forked(body)
        self.numbers = {sort: number(sort, self.pid) for sort in SORTS}

    def first(self, setup):
        """The first process of a PID namespace."""
        if "mnt" in self.sorts:
            kernel.mount("proc", "/proc", "proc")
        return setup and setup()

    def close(self):
        if self.child:
            reap(self.child)
        self.child = 0

    def enter(self, *sorts):
        """Takes the calling process into them; its children, where it is a PID namespace."""
        fds = [os.open(f"/proc/{self.pid}/ns/{sort}", os.O_RDONLY) for sort in SORTS
               if sort in (sorts or self.sorts) and (sort != "pid" or sort in sorts)]
        for fd in fds:
            kernel.call("setns", fd, 0)
            os.close(fd)

    def ask(self, body, *sorts):
        """What body returns in a process that is in the place; numbers of processes mean the same there as here."""
        def there():
            self.enter(*sorts)
            return body()
        return asked(there)

    def make(self, thing, **arguments):
        """What the factory makes in there; its processes have numbers here."""
        return self.factory(thing, drop=self.enter, **arguments)

    def expect(self, describe, *words):
        """An object as the kernel describes it in there to expect.py, as the program is to show it."""
        part = PART_OF[describe.__name__.replace("_", "-")]
        return placed(self.ask(lambda: describe(*words), "user" if "user" in self.sorts else part, part),
                      self.numbers)

    def ref(self, kind, rest):
        return f"{kind}:{self.numbers[PART_OF[kind]]}/{rest}"

    def exists(self, kind, ident):
        return self.ask(lambda: kernel.exists(kind, ident), "ipc")
