# SPDX-License-Identifier: MIT
"""Where an example is played: the machine of its story, with users, programs that do what theirs do, and a shell."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import subprocess
import time

import examples
import kernel
import leftovers
from monitoring import asleep_in
from program import ENVIRONMENT, FINDINGS, become

USERS = {"ann": 2001, "alice": 2002, "postgres": 2003, "mail": 2004, "video": 2005, "nobody": 65534}
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
# Locks are told of the whole system, and other tests may wait for theirs meanwhile.
OTHERS = re.compile(r"ipcctl: wait: \d+ left out: their processes are out of sight")
HIGH = 300  # descriptors that a story does not speak of are above


class Printed:
    """What came out of a command."""

    def __init__(self, command, status, text):
        self.command, self.status, self.text = command, status, text

    @property
    def lines(self):
        return [line for line in self.text.splitlines() if not OTHERS.fullmatch(line)]

    def __repr__(self):
        return f"$ {self.command}\n{self.text}(status {self.status})"


def act_as(name, act, fds, uid, ready):
    """In a new process: becomes that program, with these descriptors {number: ours}, and does what it does: as far as
    it yields before it is waited for, then the rest. Then it lives on."""
    kept = {number: fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH) for number, fd in (fds or {}).items()}
    ready = fcntl.fcntl(ready, fcntl.F_DUPFD, HIGH)
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.closerange(3, HIGH)
    for number, fd in kept.items():
        os.dup2(fd, number)
        os.close(fd)
    if uid:
        become(uid)()
    kernel.call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    kernel.call("prctl", PR_SET_NAME, name.encode(), 0, 0, 0)
    steps = act() if act else iter(())
    held = [next(steps, None)]
    os.write(ready, b"x")
    os.close(ready)
    held += steps
    while held:
        signal.pause()


def pids(name):
    """Of the processes with this name, as procps has them."""
    return [int(word) for word in subprocess.run(["pgrep", "-x", name], capture_output=True).stdout.split()]


def watch_has_looked():
    """Waits until the watch that runs waits for the time of its next look. It does not tell what the first finds."""
    leftovers.wait_for(lambda: len(pids("ipcctl")) == 1)
    asleep_in(pids("ipcctl")[0], "poll")


class Stage:
    """says: {word of the text: what is in its place here}; varies: words whose digits are those of the machine."""

    def __init__(self, program, original, top, factory, place, directory):
        """program: led to believe that it is in the first PID namespace; original: where it is without that."""
        self.original, self.top = original, top
        self.program, self.factory, self.place, self.directory = program, factory, place, directory
        self.example, self.says, self.varies, self.later = None, {}, set(), 0
        self.played, self.status = 0, 0
        self.any_order = False  # of the lines below the first
        self.stack = contextlib.ExitStack()
        (directory / "bin").mkdir()
        self.write("passwd", "".join(f"{name}:x:{uid}:{uid}::/:\n" for name, uid in USERS.items()), "/etc/passwd")
        self.write("group", "".join(f"{name}:x:{uid}:\n" for name, uid in USERS.items()), "/etc/group")

    # The machine

    def write(self, name, text, over):
        """Puts a file of users in the place of the system's, whose other users stay."""
        with open(over, encoding="utf-8") as f:
            text += "".join(line for line in f if line.split(":")[0] not in USERS)
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        self.mount(over, str(path), "none", kernel.MS_BIND)

    def mount(self, target, source="tmpfs", fstype="tmpfs", flags=0, data=None):
        """A directory of the story's own, or a file, until its end."""
        kernel.mount(source, target, fstype, flags, data)
        self.stack.callback(kernel.unmount, target)

    def script(self, name, text):
        """A program that an example speaks of."""
        path = self.directory / "bin" / name
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o755)
        return path

    @staticmethod
    def sysctl(name, text):
        with open(f"/proc/sys/{name}", "w", encoding="ascii") as f:
            f.write(text)

    def call_first(self, name):
        """The first process of this PID namespace, which is that of the tests, is called so."""
        with open("/proc/1/comm", encoding="ascii") as f:
            before = f.read().strip()

        def call(name):
            with open("/proc/1/comm", "w", encoding="ascii") as f:
                f.write(name)
        call(name)
        self.stack.callback(call, before)

    # Its processes

    def process(self, name, act=None, fds=None, user=None, asleep=None):
        """Starts one, and returns its number. asleep: when it sleeps in that function of the kernel."""
        told, ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                act_as(name, act, fds, USERS.get(user), ready)
            finally:
                os._exit(1)
        self.stack.callback(self.end, pid)
        os.close(ready)
        began = os.read(told, 1)
        os.close(told)
        assert began, f"{name} could not do what it was to do"
        if asleep:
            asleep_in(pid, asleep)
        return pid

    @staticmethod
    def end(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def gone(self, body, user=None):
        """Does that in a process that then ends; returns its number."""
        pid = os.fork()
        if pid == 0:
            try:
                if user:
                    become(USERS[user])()
                body()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        return pid

    @staticmethod
    def file(path, size=0, data=0, mode=0o644):
        """A file of that size, so many bytes of which are there."""
        with open(path, "xb") as f:
            os.fchmod(f.fileno(), mode)
            f.truncate(size)
            if data:
                os.posix_fallocate(f.fileno(), 0, data)

    # The shell

    def environment(self):
        return {**ENVIRONMENT, "PATH": f"{self.directory}:{self.directory}/bin:{ENVIRONMENT['PATH']}",
                "LATER": str(self.later), "LD_PRELOAD": os.path.join(os.path.dirname(self.factory.path), "story.so"),
                "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}

    def begin(self, command, **options):
        """Starts a command of the shell whose output goes to a file: a pipe would be an object more."""
        path = self.directory / f"printed-{time.monotonic_ns()}"
        with open(path, "ab") as out:
            # What $? is for a command, the one before it left.
            process = subprocess.Popen(["sh", "-c", f"(exit {self.status})\n{command}"], cwd=self.directory,
                                       env=self.environment(), start_new_session=True,
                                       **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **options})
        self.stack.callback(self.end_session, process)
        return process, path

    @staticmethod
    def end_session(process):
        """What a command left running ends with the story."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # Others of it are children of the first process by now, which is the test.
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-process.pid, 0)

    def sh(self, command):
        """Runs a command that no text has."""
        process, path = self.begin(command)
        return self.result(command, process, path)

    def result(self, command, process, path):
        status = process.wait(timeout=leftovers.PATIENCE)
        printed = Printed(command, status, path.read_text(encoding="utf-8"))
        assert status not in FINDINGS and "Sanitizer" not in printed.text, printed
        return printed

    def next_step(self):
        self.played += 1
        step = self.example.steps[self.played - 1]
        return examples.told(step.command, self.says), step

    def judge(self, printed, step, status, shown):
        if status is not None:
            assert printed.status == status, printed
        if (self.example.exact or step.output) and shown:
            got = printed.lines
            if self.any_order:
                got = examples.ordered(step.output, got, self.says)
            examples.compare(step.output, got, self.says, self.varies)
        self.status = printed.status
        return printed

    def unwrap(self):
        """The text has cut a line of the output in two."""
        for step in self.example.steps:
            step.output = [" ".join(line.strip() for line in step.output)]

    def step(self, status=0, more="", shown=True, edit=None):
        """The next command of the example: demands the status (None: any) and the output that the text shows, unless
        that is not to be shown. more: what follows it; edit: (what is there, what the test puts in its place)."""
        command, step = self.next_step()
        if edit:
            assert command.count(edit[0]) == 1, command
            command = command.replace(*edit)
        process, path = self.begin(command + more)
        return self.judge(self.result(command, process, path), step, status, shown)

    def run(self, status=0, **options):
        """All that are left; the last one's output."""
        while self.played < len(self.example.steps):
            printed = self.step(status, **options)
        return printed

    @contextlib.contextmanager
    def running(self, ended=None):
        """The next command, while the body runs: it is given how to wait for what is printed. ended: the signal that
        ends it, or None, when it ends by itself; what it printed is compared then."""
        command, step = self.next_step()
        process, path = self.begin(command)

        def until(condition):
            leftovers.wait_for(lambda: condition(path.read_text(encoding="utf-8").splitlines()))
        yield until
        if ended:
            os.killpg(process.pid, ended)
        self.last = self.judge(self.result(command, process, path), step, None, True)

    @contextlib.contextmanager
    def told_by(self, command):
        """What a command prints while the body runs, for a display of output alone; the body is given how to wait."""
        process, path = self.begin(command)

        def lines():
            return path.read_text(encoding="utf-8").splitlines()

        def until(condition):
            leftovers.wait_for(lambda: lines() and condition(lines()))
        until.compare = lambda wanted: examples.compare(wanted, lines(), self.says, self.varies)
        yield until
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=leftovers.PATIENCE)

    def typed(self, answer, status=0):
        """The next command on a terminal, answered when it asks; up to there it shows what the text does."""
        command, step = self.next_step()
        with self.terminal(command) as (process, master):
            said = leftovers.read_until(master, b"[y/N] ")
            os.write(master, answer + b"\n")
            said = leftovers.read_until(master, None, said)
        printed = Printed(command, process.wait(timeout=leftovers.PATIENCE), said.decode().replace("\r\n", "\n"))
        assert printed.status == status, printed
        if step.output:
            shown = printed.text[:printed.text.index("[y/N]") + 5].splitlines()
            examples.compare(step.output, shown, self.says, self.varies)
        return printed

    @contextlib.contextmanager
    def terminal(self, command):
        """A command that is started on one: (process, the other end)."""
        master, slave = pty.openpty()
        process, _ = self.begin(command, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        yield process, master
        os.close(master)
