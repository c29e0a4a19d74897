# SPDX-License-Identifier: MIT
"""What a process is given by whoever starts it: limits, arguments, a directory, signals, a terminal, a locale.
None of it makes an answer wrong, or half an answer a success."""

import ctypes
import json
import os
import resource
import signal
import subprocess
import time

import kernel
import pytest
from program import ENVIRONMENT, strict_json

COMMANDS = [["list", "all", "--json"], ["list"], ["summary"], ["limits"], ["waits"], ["graph"], ["metrics"], ["check"],
            ["clean", "-v"], ["describe", "posix-shm:/held"]]
SMALL_LIMITS = {"descriptors": (resource.RLIMIT_NOFILE, 16), "stack": (resource.RLIMIT_STACK, 256 << 10),
                "data": (resource.RLIMIT_DATA, 1 << 20), "addresses": (resource.RLIMIT_AS, 24 << 20),
                "processes": (resource.RLIMIT_NPROC, 1), "locked": (resource.RLIMIT_MEMLOCK, 0)}


@pytest.fixture
def held(factory):
    factory("held-file", name="/dev/shm/held", hold=True, size=4096, holders="rw")
    factory("sysv-shm", hold=True, attach=1)
    factory("posix-mq", name="/q")


def many(count=3000):
    for i in range(count):
        open(f"/dev/shm/{i:04}", "wb").close()


@pytest.mark.parametrize("limit", SMALL_LIMITS)
def test_limits(ipcctl, held, limit):
    """It does, or it says what it lacks."""
    if ipcctl.slow or "asan" in ipcctl.path or "tsan" in ipcctl.path:
        pytest.skip("the wrapper needs more itself")
    which, value = SMALL_LIMITS[limit]
    for words in COMMANDS:
        result = ipcctl(*words, status=None, drop=lambda: resource.setrlimit(which, (value, value)))
        assert result.status in ((0, 3) if words == ["check"] else (0, 1)), result
        assert result.status == 0 or result.errors or b"UNKNOWN" in result.out, result
        if "--json" in words and result.status == 0:
            states = {o["ref"]: o["state"] for o in result.json()["objects"] if "state" in o}
            assert states["posix-shm:/held"] in ("in-use", "unknown") and "posix-mq:/q" in states


def test_file_size_limit(ipcctl, tmp_path):
    """Its signal would end it in the middle of a document; as an error it is told, if there is whom to tell."""
    if ipcctl.slow:
        pytest.skip("the limit is the wrapper's, too, which has files of its own")
    many()
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.run(ipcctl.command("list", "--json"), stdout=out, stderr=subprocess.PIPE, env=ENVIRONMENT,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (70000, 70000)))
    assert process.returncode in (1, -signal.SIGXFSZ) and os.path.getsize(tmp_path / "out") <= 70000


@pytest.mark.parametrize("argv", [[], [""], ["-rf"], ["--json"]], ids=str)
def test_argument_vectors(ipcctl, argv):
    """Linux before 5.18 lets a program be started without any argument, its own name included."""
    if ipcctl.slow:
        pytest.skip("a wrapper is the one that would get them")
    words = (ctypes.c_char_p * (len(argv) + 1))(*[word.encode() for word in argv], None)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        environment = (ctypes.c_char_p * 2)(b"LC_ALL=C.UTF-8", None)
        kernel.libc.execve(ipcctl.path.encode(), words, environment)
        os._exit(99)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 and "sysv-shm" in text


def test_a_hostile_directory(ipcctl, held, tmp_path):
    """Nothing is loaded, read or run from where it is started."""
    for name in ("-rf", "--remove", "--yes", "ipcctl", "libcjson.so.1", "libc.so.6", "proc", "dev", "ld.so.preload"):
        (tmp_path / name).write_bytes(b"#!/bin/sh\nexit 99\n")
        (tmp_path / name).chmod(0o755)
    os.mkfifo(tmp_path / "nsswitch.conf")
    before, names = kernel.files(), sorted(os.listdir(tmp_path))
    for words in COMMANDS:
        run = subprocess.run(ipcctl.command(*words), cwd=tmp_path, env=ENVIRONMENT, capture_output=True, timeout=120)
        assert run.returncode == 0 or words == ["check"] and run.returncode == 3, run
    assert kernel.files().keys() == before.keys() and sorted(os.listdir(tmp_path)) == names


def test_a_directory_that_is_gone(ipcctl, held, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    run = subprocess.run(["sh", "-c", 'rmdir "$PWD" && exec "$0" list --json', ipcctl.path], cwd=gone,
                         env=ENVIRONMENT, capture_output=True)
    assert run.returncode == 0 and strict_json(run.stdout)["objects"], run


@pytest.fixture
def writing(ipcctl):
    """The program in the middle of a document that is larger than its pipe."""
    many()
    process = subprocess.Popen(ipcctl.command("list", "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENVIRONMENT, bufsize=0)
    process.first = process.stdout.read(1)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_signal(writing, number):
    writing.send_signal(number)
    out, _ = writing.communicate(timeout=60)
    assert writing.returncode == -number
    with pytest.raises(json.JSONDecodeError):
        json.loads(writing.first + out)


def test_stopped_for_a_while(writing):
    """A stop, and a terminal's going and coming, take nothing away."""
    for _ in range(3):
        writing.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 60
        while kernel.process_state(writing.pid) != "T":
            assert time.monotonic() < deadline
            time.sleep(0.002)
        writing.send_signal(signal.SIGCONT)
        writing.send_signal(signal.SIGWINCH)
    out, _ = writing.communicate(timeout=60)
    assert writing.returncode == 0 and len(strict_json(writing.first + out)["objects"]) == 3000


@pytest.mark.parametrize("environment", [
    {"COLUMNS": "0"}, {"COLUMNS": "2147483647"}, {"COLUMNS": "-1"}, {"COLUMNS": "x" * 5000}, {"TERM": ""}, {"TZ": ":/"},
    {"LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "de_DE.UTF-8"}, {"LC_ALL": "C"}, {"LC_ALL": "nowhere"}, {"LANGUAGE": "tr"},
    {"POSIXLY_CORRECT": "1"}, {"MALLOC_PERTURB_": "165"}], ids=str)
def test_environments(ipcctl, held, environment):
    """Where nobody looks at a terminal, what is told is the same."""
    for words in (["list", "--json"], ["list", "-o", "ref,size,state"], ["kinds"]):
        usual, other = ipcctl(*words), ipcctl(*words, env=environment)
        same = [line for line in usual.lines if '"time"' not in line and '"age"' not in line]
        assert [line for line in other.lines if line in same] == same, other
    assert ipcctl("list", "SYSV-SHM", env=environment, status=2).errors == ipcctl("list", "SYSV-SHM", status=2).errors


def test_no_environment(ipcctl, held):
    if ipcctl.slow:
        pytest.skip("a wrapper needs one")
    run = subprocess.run(ipcctl.command("list", "--color=auto"), env={}, capture_output=True)
    assert run.returncode == 0 and b"posix-shm:/held" in run.stdout and b"\x1b" not in run.stdout


@pytest.mark.parametrize("seconds", [-2**62, -2**31 - 1, -1, 2**31, 2**33, 2**62])
def test_times_of_files(ipcctl, held, seconds):
    """Whatever the file system makes of it is what is told, and an age is none of the future."""
    nanoseconds = (ctypes.c_long * 4)(seconds, 0, seconds, 0)
    kernel.call("utimensat", -100, b"/dev/shm/held", nanoseconds, 0)
    o = ipcctl.describe("posix-shm:/held")
    st = os.stat("/dev/shm/held")
    assert (o.get("atime", 0), o.get("mtime", 0)) == (st.st_atime_ns // 10**9, st.st_mtime_ns // 10**9)
    assert 0 <= o["age"] < 2**63
    for words in (["list"], ["describe", "posix-shm:/held"], ["list", "--raw", "-o", "all"], ["metrics"]):
        ipcctl(*words)
