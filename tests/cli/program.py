# SPDX-License-Identifier: MIT
"""Running the program and the factory, and holding their output to the rules
that every output must keep."""

import decimal
import errno
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
import unicodedata

import kernel
import pytest

# What must never reach an output as it is: control characters but newline and
# tab, line and paragraph separators, bidirectional and invisible format characters.
UNSAFE = re.compile("[" + "".join(
    re.escape(c) for c in map(chr, range(0x110000))
    if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in "\n\t") + "]")
# What is said of an object that is not there.
MISSING = re.compile(r"ipcctl: (\w+ \S+): (?:not found|No such file or directory)")
COLOUR = re.compile("\x1b\\[[0-9;]*m")

# Statuses with which valgrind and the sanitizers report what they found.
FINDINGS = {98, 99}
NOBODY = 65534

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "xterm",
    "ASAN_OPTIONS": "exitcode=98:detect_stack_use_after_return=1:strict_string_checks=1",
    "LSAN_OPTIONS": "exitcode=98",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=98",
}

PR_CAPBSET_DROP = 24


def is_musls(path):
    """Whether a program is linked with musl: another libc than the interpreter's may be."""
    with open(path, "rb") as f:
        return b"/ld-musl-" in f.read()


# What the program's libc says: which file has a semaphore, which signal is the first that is free, what an error is.
MUSL = is_musls(os.path.join(os.path.dirname(__file__), "../..", os.environ.get("IPCCTL", "ipcctl")))
RTMIN = 35 if MUSL else signal.SIGRTMIN
MUSLS_WORDS = {errno.EIO: "I/O error", errno.EMFILE: "No file descriptors available"}


def words_of(error):
    return MUSLS_WORDS[error] if MUSL else os.strerror(error)


def strict_json(data):
    """Parses one JSON document; duplicate keys, NaN and stray bytes fail, and so do
    inexact numbers: only a percentage has a fraction, and that becomes a Decimal."""
    def once(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"duplicate keys: {keys}"
        for key, value in pairs:
            assert not isinstance(value, decimal.Decimal) or key in ("percent", "full"), (key, value)
        return dict(pairs)

    def refuse(word):
        raise AssertionError(f"not a JSON number: {word}")

    return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse,
                      parse_float=decimal.Decimal)


def drop_capabilities():
    """Leaves the user as it is and takes every power from it at the next exec."""
    last = int(open("/proc/sys/kernel/cap_last_cap", encoding="ascii").read())
    for capability in range(last + 1):
        kernel.call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)


def become(uid):
    def preexec():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    return preexec


def unescape(text):
    """The bytes behind an escaped text, by the rules of ipcctl(1)."""
    def byte(match):
        word = match.group(0)
        if word[1] == "x":
            return bytes([int(word[2:], 16)]).decode("latin-1")
        return {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r"}[word]

    # Escapes stand for bytes, the rest for UTF-8: both as Latin-1 code points first.
    return re.sub(r"\\(?:x[0-9a-f]{2}|.)", byte, text.encode("utf-8").decode("latin-1")).encode("latin-1")


class Result:
    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    @property
    def text(self):
        return self.out.decode("utf-8")

    @property
    def lines(self):
        return self.text.splitlines()

    @property
    def errors(self):
        return self.err.decode("utf-8").splitlines()

    def json(self):
        assert self.out.endswith(b"\n")
        return strict_json(self.out)

    def jsonl(self):
        return [strict_json(line) for line in self.out.splitlines()]

    def table(self):
        """Rows of --raw output by the names in its head line."""
        head, *rows = [line.split("\t") for line in self.out.decode("utf-8").removesuffix("\n").split("\n")]
        for row in rows:
            assert len(row) == len(head), (head, row)
        return [dict(zip(head, row)) for row in rows]

    def __repr__(self):
        return f"{self.args} -> {self.status}\n{self.out!r}\n{self.err!r}"


class Ipcctl:
    def __init__(self, path, cwd):
        self.path, self.cwd = path, cwd
        self.wrapper = shlex.split(os.environ.get("IPCCTL_WRAPPER", ""))
        self.musl = MUSL
        # Where a wrapper that reports to a file is to put it; every user may write there.
        self.logs = tempfile.TemporaryDirectory()
        os.chmod(self.logs.name, 0o1777)
        ENVIRONMENT["IPCCTL_LOG"] = os.environ["IPCCTL_LOG"] = os.path.join(self.logs.name, "log")
        assert os.access(path, os.X_OK), f"{path}: build the program first (make)"

    @property
    def slow(self):
        """Whether a run costs seconds: tests that repeat may repeat less."""
        return bool(self.wrapper)

    def command(self, *args):
        return [*self.wrapper, self.path, *args]

    def __call__(self, *args, status=0, stdin=b"", stdout=subprocess.PIPE, env=None, drop=None,
                 clean=True, argv0=None, timeout=120, **options):
        """Runs it and demands this exit status (None: any). drop: run in the child
        before exec. clean: output must be UTF-8 without anything unsafe."""
        process = subprocess.run(self.command(*args), input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                                 env={**ENVIRONMENT, **(env or {})}, preexec_fn=drop, cwd=self.cwd,
                                 timeout=timeout, **options)
        result = Result(args, process.returncode, process.stdout or b"", process.stderr)
        self.judge(result, clean)
        if status is not None:
            assert result.status == status, result
        return result

    def reports(self):
        """What the wrapper reported since the last call."""
        text = ""
        for name in os.listdir(self.logs.name):
            path = os.path.join(self.logs.name, name)
            with open(path, encoding="utf-8", errors="replace") as f:
                text += f.read()
            os.unlink(path)
        return text

    def judge(self, result, clean=True):
        """What no run may ever do."""
        reports = self.reports()
        assert result.status not in FINDINGS, f"{result.args}: {result.err.decode(errors='replace')}\n{reports}"
        assert result.status >= 0, f"{result.args} died of signal {-result.status}: {result.err!r}"
        for name, data in ("output", result.out if clean else b""), ("errors", result.err):
            found = UNSAFE.search(COLOUR.sub("", data.decode("utf-8")))
            assert not found, f"{result.args}: {found.group()!r} in its {name}: {data!r}"
        for line in result.errors:
            assert len(line) < 4096 and line.strip(), result

    def json(self, *args, **options):
        return self(*args, "--json", **options).json()

    def objects(self, *args, **options):
        """Objects of `list ARGS --json` by reference; the document must be complete,
        which it never is with holders: the PID namespace of the tests is not the first."""
        document = self.json("list", "--no-holders", *args, **options)
        assert document["complete"] is True, document
        refs = [o["ref"] for o in document["objects"]]
        assert len(refs) == len(set(refs))
        return {o["ref"]: o for o in document["objects"]}

    def describe(self, *args, **options):
        """The only object of `describe ARGS --json`."""
        objects = self.json("describe", *args, **options)["objects"]
        assert len(objects) == 1, objects
        return objects[0]

    def refuses(self, *args, words=(), status=2, **options):
        """Demands one clear line on standard error, nothing on standard output, and
        that the line has the words."""
        result = self(*args, status=status, **options)
        assert result.out == b"", result
        assert len(result.errors) == 1, result
        assert result.errors[0].startswith("ipcctl: "), result
        for word in words:
            assert word in result.errors[0], result
        return result


class Factory:
    def __init__(self, path, stack, prefix=()):
        """prefix: a command that starts it elsewhere."""
        self.path, self.stack, self.prefix = path, stack, prefix
        assert os.access(path, os.X_OK), f"{path}: make test-programs"

    def __call__(self, thing, hold=False, drop=None, **arguments):
        """Makes a thing; returns the truth. Bytes are passed in hexadecimal. With
        hold, let_go() in the truth ends what the factory holds."""
        words = [*self.prefix, self.path, thing]
        for name, value in arguments.items():
            if isinstance(value, bytes):
                words.append(f"{name}hex={value.hex()}")
            else:
                words.append(f"{name}={value}")
        if hold:
            words.append("hold=1")
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, preexec_fn=drop)

        def let_go():
            process.stdin.close()
            process.wait()
            process.stdout.close()
            process.stderr.close()

        line = process.stdout.readline()
        if not line:
            reason = process.stderr.read().decode(errors="replace").strip()
            let_go()
            if process.returncode == 77:
                pytest.skip(reason)
            pytest.fail(f"{words}: {reason}")
        truth = json.loads(line)
        truth["let_go"] = let_go
        if hold:
            self.stack.callback(lambda: process.stdin.closed or let_go())
        else:
            let_go()
            assert process.returncode == 0, words
        return truth


class Churn:
    """Calls make() and remove() without pause in a thread until told to stop."""

    def __init__(self, body):
        self.body, self.rounds, self.error = body, 0, None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.stop.is_set():
                self.body()
                self.rounds += 1
        except Exception as error:  # told to the test's own thread
            self.error = error

    def __enter__(self):
        self.thread.start()
        # A test on a busy machine may be over before the thread has run at all.
        deadline = time.monotonic() + 30
        while self.rounds == 0 and self.error is None and time.monotonic() < deadline:
            time.sleep(0.001)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        assert self.error is None, self.error
        assert self.rounds > 0
