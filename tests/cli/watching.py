# SPDX-License-Identifier: MIT
"""A running `ipcctl watch`, and objects of all persistent kinds that come and go while the times are noted.

Used by the tests and by the bench: nothing here needs pytest."""

import bisect
import contextlib
import ctypes
import json
import os
import queue
import random
import subprocess
import threading
import time

import kernel


class Watch:
    """`ipcctl watch --jsonl` and what it has told so far."""

    def __init__(self, command, environment, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment, **options)
        self.events, self.errors, self.arrived = [], b"", queue.Queue()
        self.threads = [threading.Thread(target=self.read), threading.Thread(target=self.read_errors)]
        for thread in self.threads:
            thread.start()

    def read(self):
        for line in self.process.stdout:
            self.arrived.put(json.loads(line))
        self.arrived.put(None)

    def read_errors(self):
        self.errors = self.process.stderr.read()

    def take(self, timeout):
        """The next event, None at the end."""
        event = self.arrived.get(timeout=timeout)
        if event is None:
            self.arrived.put(None)
        else:
            self.events.append(event)
        return event

    def until(self, wanted, timeout=60):
        """Waits for an event; returns it."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                event = self.take(max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                raise AssertionError(f"it did not come; there are {self.events[-20:]}") from None
            assert event is not None, f"the watch ended: {self.errors!r}; there are {self.events[-20:]}"
            if wanted(event):
                return event

    def ready(self):
        """Waits until it has looked once: it tells of a file that comes later."""
        marker = f"/dev/shm/marker-{os.getpid()}-{time.monotonic_ns()}"
        made = 0
        while True:
            made += 1
            path = f"{marker}-{made}"
            open(path, "xb").close()
            try:
                self.until(lambda e: e["ref"].startswith("posix-shm:/marker-") and e["event"] in ("created", "present"),
                           timeout=1)
                return self.forget(path)
            except AssertionError:
                if self.process.poll() is not None:
                    raise
            finally:
                os.unlink(path)

    def forget(self, path):
        """Only what comes from now on counts; markers never do."""
        self.events.clear()
        return path

    def seen(self):
        """What has been told of anything but markers."""
        return [e for e in self.events if not e["ref"].startswith("posix-shm:/marker-")]

    def catch_up(self):
        """Waits until whatever happened before now must have been told."""
        path = f"/dev/shm/marker-end-{time.monotonic_ns()}"
        open(path, "xb").close()
        self.until(lambda e: e["ref"] == f"posix-shm:{path[8:]}" and e["event"] == "created")
        os.unlink(path)
        self.until(lambda e: e["ref"] == f"posix-shm:{path[8:]}" and e["event"] == "removed")
        return self.seen()

    def end(self, number=15, status=0):
        """Ends it by a signal; returns all that it told."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        got = self.process.wait(timeout=60)
        while self.take(60) is not None:
            pass
        for thread in self.threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()
        assert status is None or got == status, (got, self.errors)
        return self.seen()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def memory(self):
        """Its resident set in KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8", errors="replace") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def processor(self):
        """Seconds of processor time that it has used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8", errors="replace") as f:
            words = f.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


# One object of each persistent kind: makers return its reference and what removes it.


def make_shm(_):
    ident = kernel.shmget(kernel.IPC_PRIVATE, 100, 0o600)
    return f"sysv-shm:{ident}", lambda: kernel.REMOVERS["sysv-shm"](ident)


def make_sem(_):
    ident = kernel.semget(kernel.IPC_PRIVATE, 2, 0o600)
    return f"sysv-sem:{ident}", lambda: kernel.REMOVERS["sysv-sem"](ident)


def make_msg(_):
    ident = kernel.msgget(kernel.IPC_PRIVATE, 0o600)
    return f"sysv-msg:{ident}", lambda: kernel.REMOVERS["sysv-msg"](ident)


def make_posix_shm(number):
    path = f"/dev/shm/o{number}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    return f"posix-shm:/o{number}", lambda: os.unlink(path)


def make_posix_sem(number):
    """As sem_open(3), which never shows a half-made one, but without the name it has meanwhile."""
    path = f"/dev/shm/sem.o{number}"
    fd = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        os.write(fd, (1).to_bytes(8, "little") + bytes(24))
        # With a directory, whichever, Python says AT_SYMLINK_FOLLOW.
        os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
    finally:
        os.close(fd)
    return f"posix-sem:/o{number}", lambda: os.unlink(path)


def make_mq(number):
    name = f"/o{number}".encode()
    attr = kernel.MqAttr(maxmsg=1, msgsize=1)
    os.close(kernel.call("mq_open", name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, ctypes.byref(attr)))
    return f"posix-mq:/o{number}", lambda: kernel.call("mq_unlink", name)


MAKERS = [make_shm, make_sem, make_msg, make_posix_shm, make_posix_sem, make_mq]


class Life:
    """When an object came and went: before and after each call, in milliseconds since the epoch."""

    def __init__(self, number, lives):
        self.lives = lives  # seconds, at least
        self.made_from = time.time_ns() // 10**6
        self.ref, self.remove = MAKERS[number % len(MAKERS)](number)
        self.made_by = time.time_ns() // 10**6 + 1
        self.due = time.monotonic() + lives
        self.gone_from = self.gone_by = None

    def end(self):
        self.gone_from = time.time_ns() // 10**6
        self.remove()
        self.gone_by = time.time_ns() // 10**6 + 1


def come_and_go(count, rate, lifetimes, seed=1, first=0):
    """Makes so many objects, so many a second, of the kinds in turn; each lives as long as one of
    `lifetimes`, (least, most) in seconds, says. Their names are numbers from `first` on. Returns the lives of all
    when all have ended."""
    dice, start, living, lives = random.Random(seed), time.monotonic(), [], []
    while len(lives) < count or living:
        now = time.monotonic()
        for life in [life for life in living if life.due <= now]:
            life.end()
            living.remove(life)
        if len(lives) < count and now >= start + len(lives) / rate:
            life = Life(first + len(lives), dice.uniform(*dice.choice(lifetimes)))
            lives.append(life)
            living.append(life)
            continue
        waits = [life.due - now for life in living]
        if len(lives) < count:
            waits.append(start + len(lives) / rate - now)
        if waits and min(waits) > 0:
            time.sleep(min(waits))
    return lives


def judge(lives, events, interval, slack):
    """Holds what was told of objects that came and went to the times that were noted; all in milliseconds.
    Returns how many of the lives were told of, and how late the latest event was."""
    told = {"created": {}, "removed": {}}
    for event in events:
        if event["event"] in told:
            # An id of System V may come again, but not so soon.
            assert event["ref"] not in told[event["event"]], f"told twice: {event}"
            told[event["event"]][event["ref"]] = event["time_ms"]
    known = {life.ref: life for life in lives}
    assert len(known) == len(lives)
    # A semaphore that is being made has no name yet, and somebody has it open: make_posix_sem().
    invented = [ref for times in told.values() for ref in times
                if ref not in known and not ref.startswith("posix-shm:inode=")]
    assert not invented, f"invented: {invented}"
    looks = sorted({event["time_ms"] for event in events})
    latest = 0

    def check(ref, seen, after, by):
        """Seen not before it can have been, in the first or second look after it was (the first may have begun
        before), and at most one interval late."""
        nonlocal latest
        assert seen >= after, f"{ref} was told at {seen}, before it happened at {after}"
        between = looks[bisect.bisect_right(looks, by) : bisect.bisect_left(looks, seen)]
        assert len(between) <= 1, f"{ref}: {by}, told at {seen}, and not at {between}"
        latest = max(latest, seen - by)
        assert seen - by <= interval + slack, f"{ref} is {seen - by} ms late"

    for ref, life in known.items():
        if ref in told["created"]:
            check(ref, told["created"][ref], life.made_from, life.made_by)
            assert ref in told["removed"], f"{ref} is gone, and that was not told"
        else:
            assert life.gone_from - life.made_by <= interval + slack, f"missed: {ref}"
            assert ref not in told["removed"], f"{ref} was removed, but never created"
        if ref in told["removed"]:
            check(ref, told["removed"][ref], life.gone_from, life.gone_by)
    return len(told["created"]), latest
