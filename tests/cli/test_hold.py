# SPDX-License-Identifier: MIT
"""Objects that live as long as somebody holds them: made for a COMMAND, held until a signal,
ended by signals to exactly their holders."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import kernel
import pytest
from holdings import listed, not_there, only
from program import ENVIRONMENT, RTMIN, drop_capabilities, unescape

# What COMMAND finds: its environment, its descriptors and what they are.
TELL = """
import json, os, sys
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[int(name)] = [os.readlink(f"/proc/self/fd/{name}"), os.fstat(int(name)).st_ino]
    except OSError:
        pass
print(json.dumps({"pid": os.getpid(), "ppid": os.getppid(), "fds": fds, "env": {k: v for k, v in os.environ.items()
                  if k.startswith(("IPCCTL_", "LISTEN_"))}}))
"""
MINE = {"IPCCTL_LOG"}  # of the tests' own

# create KIND ARGUMENT..., and the variables that name its descriptors
KINDS = {
    "pipe": (["pipe"], ["IPCCTL_READ_FD", "IPCCTL_WRITE_FD"]),
    "memfd": (["memfd", "label", "--size=5000"], ["IPCCTL_FD"]),
    "memfd-nameless": (["memfd"], ["IPCCTL_FD"]),
    "eventfd": (["eventfd", "--value=7"], ["IPCCTL_FD"]),
    "pty": (["pty"], ["IPCCTL_FD"]),
    "unix-pair": (["unix-socket"], ["IPCCTL_FD", "IPCCTL_PEER_FD"]),
    "unix-path": (["unix-socket", "/dev/shm/sock"], ["IPCCTL_FD"]),
    "unix-abstract": (["unix-socket", "@name"], ["IPCCTL_FD"]),
    "unix-dgram": (["unix-socket", "/dev/shm/sock", "--type=dgram"], ["IPCCTL_FD"]),
    "inet-tcp": (["inet-socket", "tcp:127.0.0.1:0"], ["IPCCTL_FD"]),
    "inet-udp": (["inet-socket", "udp:127.0.0.1:0"], ["IPCCTL_FD"]),
}
# systemd hands datagram sockets on in the same way.
BOUND = {"unix-path", "unix-abstract", "unix-dgram", "inet-tcp", "inet-udp"}
HELD = {**{name: words for name, (words, _) in KINDS.items()},
        "anon-mapping": ["anon-mapping", "--size=8192"], "file-mapping": ["file-mapping", "/dev/shm/../shm-file"]}


@pytest.fixture(autouse=True)
def loopback():
    kernel.loopback_up()


@contextlib.contextmanager
def held(ipcctl, *words, drop=None):
    """`create` without a command: yields its process and the reference it printed."""
    process = subprocess.Popen(ipcctl.command("create", *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=ipcctl.cwd, preexec_fn=drop)
    try:
        ref = process.stdout.readline().decode().rstrip("\n")
        assert ref, process.stderr.read()
        yield process, ref
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def tell(ipcctl, *words):
    result = ipcctl("create", *words, "--", sys.executable, "-c", TELL)
    assert result.err == b"", result
    return json.loads(result.out)


@pytest.mark.parametrize("kind", KINDS)
def test_command_finds_it(ipcctl, kind):
    words, variables = KINDS[kind]
    told = tell(ipcctl, *words)
    env = {k: v for k, v in told["env"].items() if k not in MINE}
    extra = {"pty": {"IPCCTL_PTY"}}.get(kind, set())
    listen = {"LISTEN_FDS", "LISTEN_PID"} if kind in BOUND else set()
    assert env.keys() == {"IPCCTL_REF", *variables} | extra | listen
    # Those descriptors and no others, but the usual three (and the one that looks).
    numbers = {int(env[name]) for name in variables}
    assert len(numbers) == len(variables)
    inherited = {int(fd) for fd in told["fds"]} - {0, 1, 2}
    # valgrind has some open itself.
    assert inherited >= numbers if ipcctl.slow else inherited == numbers
    ref = env["IPCCTL_REF"]
    if kind in ("pipe", "unix-pair", "memfd", "memfd-nameless", "inet-tcp", "inet-udp", "unix-abstract"):
        assert int(ref.split(":")[1]) in [told["fds"][str(fd)][1] for fd in numbers]
    if kind in BOUND:
        assert (env["LISTEN_FDS"], env["LISTEN_PID"], env["IPCCTL_FD"]) == ("1", str(told["pid"]), "3")
    if kind == "pty":
        assert env["IPCCTL_PTY"].startswith("/dev/pts/") and ref == f"pty:{env['IPCCTL_PTY']}"
    # With the command the object went.
    assert not os.path.exists("/dev/shm/sock")
    assert ref not in listed(ipcctl, ref.split(":")[0])


def test_pipe_works(ipcctl):
    """The one end is read by whoever reads, and there is no third party: EOF comes."""
    script = 'echo hello >&"$IPCCTL_WRITE_FD"; eval "exec $IPCCTL_WRITE_FD>&-"; cat <&"$IPCCTL_READ_FD"'
    assert ipcctl("create", "pipe", "--", "bash", "-c", script, timeout=30).text == "hello\n"


def test_pipe_options(ipcctl):
    code = ("import fcntl, os; w = int(os.environ['IPCCTL_WRITE_FD']);"
            "print(fcntl.fcntl(w, 1032), bool(fcntl.fcntl(w, 3) & os.O_DIRECT))")
    assert ipcctl("create", "pipe", "--", sys.executable, "-c", code).text == "65536 False\n"
    result = ipcctl("create", "pipe", "--capacity=4K", "--packet", "--", sys.executable, "-c", code)
    assert result.text == "4096 True\n"


def test_memfd_options(ipcctl):
    code = ("import fcntl, os; fd = int(os.environ['IPCCTL_FD']);"
            "print(os.fstat(fd).st_size, fcntl.fcntl(fd, 1034), os.readlink(f'/proc/self/fd/{fd}'))")
    result = ipcctl("create", "memfd", "a b", "--size=1M", "--seals=shrink,grow", "--", sys.executable, "-c", code)
    assert result.text == "1048576 6 /memfd:a b (deleted)\n"


@pytest.mark.parametrize("semaphore, reads", [([], [5]), (["--semaphore"], [1, 1, 1, 1, 1])])
def test_eventfd_options(ipcctl, semaphore, reads):
    code = ("import os; fd = int(os.environ['IPCCTL_FD']); os.set_blocking(fd, False)\n"
            "try:\n    while True: print(os.eventfd_read(fd))\nexcept BlockingIOError: pass")
    result = ipcctl("create", "eventfd", "--value=5", *semaphore, "--", sys.executable, "-c", code)
    assert [int(line) for line in result.lines] == reads


@pytest.mark.parametrize("kind", ["stream", "seqpacket", "dgram"])
def test_socket_pair(ipcctl, kind):
    code = ("import os, socket; a, b = (socket.socket(fileno=int(os.environ[n])) for n in "
            "('IPCCTL_FD', 'IPCCTL_PEER_FD')); a.send(b'x'); print(b.recv(9), a.type.name)")
    result = ipcctl("create", "unix-socket", f"--type={kind}", "--", sys.executable, "-c", code)
    assert result.text == f"b'x' SOCK_{kind.upper()}\n"


@pytest.mark.parametrize("name", ["/dev/shm/sock", "@name"])
def test_socket_that_listens(ipcctl, name):
    with held(ipcctl, "unix-socket", name, "--backlog=1") as (_, ref):
        if name[0] == "/":
            assert stat.S_ISSOCK(os.lstat(name).st_mode)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(name.replace("@", "\0"))
        o = ipcctl.describe(ref)
        assert (o["socket_state"], o["name"], o["backlog"]) == ("listen", name, 1)
        # What is there is never taken away.
        ipcctl.refuses("create", "unix-socket", name, "--timeout=1s", status=1, words=[name])
        assert ipcctl.describe(ref)["ref"] == ref


def test_socket_file_mode(ipcctl):
    with held(ipcctl, "unix-socket", "/dev/shm/sock", "--mode=0640"):
        assert stat.S_IMODE(os.lstat("/dev/shm/sock").st_mode) == 0o640


def test_existing_files_stay(ipcctl):
    for path in ("/dev/shm/file", "/dev/shm/directory"):
        os.mkdir(path) if "directory" in path else open(path, "x").close()
        ipcctl.refuses("create", "unix-socket", path, "--timeout=1s", status=1, words=[path])
        assert os.path.exists(path)


def test_inet_port(ipcctl):
    with held(ipcctl, "inet-socket", "tcp:127.0.0.1:0") as (_, ref):
        o = ipcctl.describe(ref)
        assert o["local_port"] > 0 and o["socket_state"] == "listen"
        socket.create_connection(("127.0.0.1", o["local_port"])).close()
        ipcctl.refuses("create", "inet-socket", f"tcp:127.0.0.1:{o['local_port']}", "--timeout=1s", status=1)


@pytest.mark.parametrize("name, local, reached", [
    ("tcp:[::1]:0", "::1", ["::1"]), ("udp:[::1]:0", "::1", []), ("tcp:*:0", "::", ["::1", "127.0.0.1"]),
    ("tcp:0.0.0.0:0", "0.0.0.0", ["127.0.0.1"])])
def test_inet_addresses(ipcctl, name, local, reached):
    """Of both families; * is every address of both, and 0.0.0.0 those of IPv4 alone."""
    if not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6 here")
    with held(ipcctl, "inet-socket", name) as (_, ref):
        o = ipcctl.describe(ref)
        port = o["local_port"]
        assert o["local_address"] == local and port > 0
        for address in "::1", "127.0.0.1":
            if name.startswith("udp"):
                continue
            try:
                socket.create_connection((address, port)).close()
                assert address in reached
            except ConnectionRefusedError:
                assert address not in reached
        # It has the address: nobody else can.
        ipcctl.refuses("create", "inet-socket", f"{name.rpartition(':')[0]}:{port}", "--timeout=1s", status=1)


# The command's end is the program's


@pytest.mark.parametrize("script, status", [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143),
                                            ("kill -KILL $$", 137)])
def test_exit_status(ipcctl, script, status):
    assert ipcctl("create", "pipe", "--", "sh", "-c", script, status=status).out == b""


def test_no_such_command(ipcctl, tmp_path):
    # A directory that may not be searched would make it "permission denied", as it does for shells.
    path = {"PATH": "/usr/bin:/bin"}
    ipcctl.refuses("create", "pipe", "--", "no-such-command-here", status=127, words=["no-such-command-here"], env=path)
    (tmp_path / "file").write_text("not executable")
    ipcctl.refuses("create", "pipe", "--", str(tmp_path / "file"), status=126)
    ipcctl.refuses("create", "pipe", "--", str(tmp_path), status=126)
    ipcctl.refuses("create", "unix-socket", "/dev/shm/sock", "--", "no-such-command-here", status=127,
                   env=path)
    assert not os.path.exists("/dev/shm/sock")
    # A command that itself exits so is no failure of ours.
    assert ipcctl("create", "pipe", "--", "sh", "-c", "exit 127", status=127).err == b""


def test_output_and_input_are_the_commands(ipcctl):
    result = ipcctl("create", "pipe", "--", "sh", "-c", "cat; echo err >&2", stdin=b"\0\xffin", clean=False)
    assert (result.out, result.err) == (b"\0\xffin", b"err\n")


def test_options_behind_the_dashes_are_the_commands(ipcctl):
    assert ipcctl("create", "pipe", "--", "echo", "--json", "-h").text == "--json -h\n"


def test_commands_signals_are_as_they_were(ipcctl):
    """Neither its mask nor its dispositions are the program's own."""
    result = ipcctl("create", "pipe", "--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    plain = subprocess.run(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], capture_output=True, check=True)
    if not ipcctl.slow:
        assert result.out == plain.stdout


def test_signals_reach_the_command(ipcctl):
    """SIGTERM to the program ends the command, and the status says so."""
    code = ("import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [15]);"
            "print('up', flush=True); signal.sigwait([15]); sys.exit(42)")
    words = ["create", "unix-socket", "/dev/shm/sock", "--", sys.executable, "-c", code]
    process = subprocess.Popen(ipcctl.command(*words), stdout=subprocess.PIPE, env=ENVIRONMENT, cwd=ipcctl.cwd)
    try:
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 42
    finally:
        process.kill()
        process.stdout.close()
    assert not os.path.exists("/dev/shm/sock")


def test_usage(ipcctl):
    ipcctl.refuses("create", "pipe", "--timeout=1s", "--", "true", words=["--timeout"])
    ipcctl.refuses("create", "anon-mapping", "--size=4096", "--", "true")
    ipcctl.refuses("create", "pipe", "name", "--", "true", words=["name"])
    ipcctl.refuses("create", "pipe", "--timeout=x", words=["x"])
    ipcctl.refuses("create", "posix-shm", "/x", "--size=1", "--", "true")
    ipcctl.refuses("create", "inet-socket", "tcp:127.0.0.1", "--timeout=1s")
    ipcctl.refuses("create", "inet-socket", "raw:127.0.0.1:1", "--timeout=1s", words=["no port"])
    ipcctl.refuses("create", "inet-socket", "udp:127.0.0.1:0", "--backlog=1", "--timeout=1s", words=["--backlog"])
    ipcctl.refuses("create", "inet-socket", "tcp:127.0.0.1:0", "--backlog=2147483648", "--timeout=1s",
                   words=["--backlog"])
    ipcctl.refuses("create", "eventfd", "--value=18446744073709551615", "--timeout=1s")
    ipcctl.refuses("create", "memfd", "--seals=nonsense", "--timeout=1s", words=["nonsense"])


# Held without a command


@pytest.mark.parametrize("kind", HELD)
def test_held(ipcctl, kind):
    words = list(HELD[kind])
    if kind == "file-mapping":
        kernel.mount("tmpfs", "/mnt", "tmpfs")
        words[1] = "/mnt/file"
        with open("/mnt/file", "wb") as f:
            f.write(b"x" * 5000)
    try:
        with held(ipcctl, *words) as (process, ref):
            o = ipcctl.describe(ref)
            # Under a wrapper the program has that one's descriptors, too, never another's.
            assert o["ref"] == ref and {row["pid"] for row in o["holders"]} == {process.pid}
            assert o["nholders"] == 1 and o["state"] == "in-use"
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert process.stdout.read() == b"" and process.stderr.read() == b""
        assert ref not in listed(ipcctl, ref.split(":")[0])
        not_there(ipcctl, ref)
        assert not os.path.exists("/dev/shm/sock")
    finally:
        if kind == "file-mapping":
            kernel.unmount("/mnt")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it(ipcctl, sent):
    with held(ipcctl, "unix-socket", "/dev/shm/sock") as (process, _):
        process.send_signal(sent)
        assert process.wait(60) == 0
        assert not os.path.exists("/dev/shm/sock")


def test_timeout(ipcctl):
    start = time.monotonic()
    result = ipcctl("create", "unix-socket", "/dev/shm/sock", "--timeout=1s", timeout=60)
    assert time.monotonic() - start >= 1
    assert len(result.lines) == 1 and result.lines[0].startswith("unix-socket:")
    assert not os.path.exists("/dev/shm/sock")


def test_killed_it_leaves_only_what_nobody_can_clean(ipcctl):
    """SIGKILL gives no chance: the file stays, and is called stale."""
    with held(ipcctl, "unix-socket", "/dev/shm/sock") as (process, ref):
        process.kill()
        process.wait()
        assert ref not in listed(ipcctl, "unix-socket")
        o = ipcctl.describe("unix-socket:/dev/shm/sock")
        assert o["state"] == "orphaned", o


def test_a_file_that_took_its_place_stays(ipcctl):
    with held(ipcctl, "unix-socket", "/dev/shm/sock") as (process, _):
        os.rename("/dev/shm/sock", "/dev/shm/old")
        open("/dev/shm/sock", "x").close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert os.path.isfile("/dev/shm/sock")


def make_trap():
    """A directory, and one beside it with a victim."""
    os.mkdir("/dev/shm/d")
    os.mkdir("/dev/shm/other")
    open("/dev/shm/other/x", "x").close()


def test_its_directory_is_replaced(ipcctl):
    """By a symbolic link to where another file has the name: that one stays, its own goes."""
    for drop in (None, drop_capabilities):
        for victim in ("file", "socket"):
            os.mkdir("/dev/shm/d")
            os.mkdir("/dev/shm/other")
            with held(ipcctl, "unix-socket", "/dev/shm/d/x", drop=drop) as (process, _):
                os.rename("/dev/shm/d", "/dev/shm/moved")
                if victim == "file":
                    open("/dev/shm/other/x", "x").close()
                else:
                    socket.socket(socket.AF_UNIX).bind("/dev/shm/other/x")
                os.symlink("other", "/dev/shm/d")
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0
            assert os.listdir("/dev/shm/other") == ["x"] and os.listdir("/dev/shm/moved") == []
            os.unlink("/dev/shm/other/x")
            os.unlink("/dev/shm/d")
            os.rmdir("/dev/shm/other")
            os.rmdir("/dev/shm/moved")


def test_its_directory_is_replaced_by_the_command(ipcctl):
    make_trap()
    script = "cd /dev/shm && mv d moved && ln -s other d && test -e d/x && test -S moved/x"
    ipcctl("create", "unix-socket", "/dev/shm/d/x", "--", "sh", "-c", script)
    assert os.listdir("/dev/shm/other") == ["x"] and os.listdir("/dev/shm/moved") == []


def test_a_directory_by_way_of_a_link(ipcctl):
    make_trap()
    os.symlink("other", "/dev/shm/link")
    ipcctl.refuses("create", "unix-socket", "/dev/shm/link/x", "--timeout=1s", status=1, words=["left alone"])
    ipcctl.refuses("create", "unix-socket", "/dev/shm/none/x", "--timeout=1s", status=1)
    with held(ipcctl, "unix-socket", "/dev/shm/link/y") as (process, ref):
        assert ipcctl.describe(ref)["name"] == "/dev/shm/link/y"
        assert sorted(os.listdir("/dev/shm/other")) == ["x", "y"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert os.listdir("/dev/shm/other") == ["x"]


def test_json(ipcctl):
    """The record, while it is held."""
    o = only(ipcctl.json("create", "pipe", "--timeout=1s", timeout=60))
    assert o["kind"] == "pipe" and o["nholders"] == 1


def test_nobody_reads_the_reference(ipcctl):
    """A closed standard output ends it at once, with a failure."""
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(ipcctl.command("create", "pipe"), stdout=write, stderr=subprocess.PIPE, env=ENVIRONMENT,
                               stdin=subprocess.DEVNULL, cwd=ipcctl.cwd)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and err.startswith(b"ipcctl: "), err


# What cannot be ended from outside


ENDLESS = {
    "pipe": dict(holders="r,w+fork"), "memfd": dict(holders="rw,map-r"), "eventfd": dict(holders="rw+fork"),
    "anon-mapping": dict(holders="keep,keep"),
}


def reference(kind, truth):
    return f"{kind}:{truth['id' if kind == 'eventfd' else 'ino']}"


def alive(pids):
    """Those that are no zombies yet."""
    out = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if kernel.process_state(pid) not in "ZX":
                out.add(pid)
    return out


def wait_until_ended(pids):
    deadline = time.monotonic() + 30
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pids)


@pytest.mark.parametrize("kind", ENDLESS)
def test_remove_says_who_holds_it(ipcctl, factory, kind):
    truth = factory(kind, hold=True, **ENDLESS[kind])
    pids = {h["pid"] for h in truth["holdings"]}
    ref = reference(kind, truth)
    result = ipcctl.refuses("remove", "--quiet", ref, status=1, words=["--kill", ref])
    for pid in pids:
        assert f"{pid} (factory)" in result.errors[0]
    assert alive(pids) == pids
    assert ipcctl.describe(reference(kind, truth))["nholders"] == len(pids)


@pytest.mark.parametrize("kind", ENDLESS)
def test_kill(ipcctl, signals, factory, kind):
    """Exactly its holders; the neighbours live on."""
    truth = factory(kind, hold=True, **ENDLESS[kind])
    neighbour = factory(kind, hold=True, **ENDLESS[kind])
    pids, others = ({h["pid"] for h in t["holdings"]} for t in (truth, neighbour))
    dry = ipcctl("remove", "--kill", "--dry-run", reference(kind, truth))
    assert all(str(pid) in dry.text for pid in pids) and alive(pids) == pids
    result = ipcctl("remove", "--kill", reference(kind, truth))
    assert all(str(pid) in result.text for pid in pids), result
    assert not any(str(pid) in result.text.split() for pid in others)
    wait_until_ended(pids)
    not_there(ipcctl, reference(kind, truth))
    assert alive(others | {truth["pid"]}) == others | {truth["pid"]}


@pytest.mark.parametrize("word, number", [("KILL", 9), ("SIGUSR1", 10), ("usr2", 12), ("15", 15), ("HUP", 1),
                                          ("RTMIN+1", RTMIN + 1)])
def test_kill_with(ipcctl, signals, background, word, number):
    code = "import os, sys, time; r, w = os.pipe(); print(os.fstat(r).st_ino, flush=True); time.sleep(99)"
    process = background(sys.executable, "-c", code, stdout=subprocess.PIPE)
    ref = f"pipe:{int(process.stdout.readline())}"
    ipcctl("remove", f"--kill={word}", ref)
    assert process.wait(30) == -number
    process.stdout.close()


@pytest.mark.parametrize("word", ["NONSENSE", "0", "-1", "999", "TERM ", "SIG", "\x1b"])
def test_kill_with_nonsense(ipcctl, factory, word):
    truth = factory("pipe", hold=True, holders="r")
    ipcctl.refuses("remove", f"--kill={word}", f"pipe:{truth['ino']}")
    assert alive({truth["holdings"][0]["pid"]})


def test_kill_a_process_that_stays(ipcctl, signals, factory):
    """Stopped processes take a signal when they go on: it was sent, which was asked."""
    truth = factory("pipe", hold=True, holders="r+stop,w")
    ipcctl("remove", "--kill", f"pipe:{truth['ino']}")
    pid = truth["tasks"][0]
    wait_until_ended({truth["tasks"][1]})
    assert alive({pid}) and kernel.pending_signals(pid) & 1 << signal.SIGTERM - 1


def test_kill_several(ipcctl, signals, factory):
    """All are shown before the first is signalled; who holds both is signalled once."""
    a, b = factory("pipe", hold=True, holders="r,w"), factory("memfd", hold=True, holders="rw")
    result = ipcctl("remove", "--kill", f"pipe:{a['ino']}", f"memfd:{b['ino']}")
    wait_until_ended({h["pid"] for t in (a, b) for h in t["holdings"]})
    assert len(result.lines) >= 3


def test_kill_what_is_not_there(ipcctl):
    ipcctl.refuses("remove", "--quiet", "--kill", "pipe:4294967295", status=1)
    ipcctl.refuses("remove", "--kill", "--all", "pipe", "--yes", words=["--kill"])


def test_kill_and_remove(ipcctl, signals, factory):
    """What has a name goes as well."""
    truth = factory("held-file", name="/dev/shm/x", hold=True, holders="rw,map-r")
    ipcctl("remove", "--kill", "posix-shm:/x")
    wait_until_ended({h["pid"] for h in truth["holdings"]})
    assert not os.path.exists("/dev/shm/x")


def test_kill_never_means_itself(ipcctl, signals):
    """A pipe that the program was started with is held by it, too."""
    read, write = os.pipe()
    code = "import time; print('up', flush=True); time.sleep(99)"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=read, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"up\n"
    inode = os.fstat(read).st_ino
    os.close(read)
    # The test holds the writing end, too, and so does the program.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        result = ipcctl("remove", "--kill=USR1", f"pipe:{inode}", status=None, pass_fds=[write])
        assert result.status in (0, 1)
        assert other.wait(30) == -signal.SIGUSR1
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        other.kill()
        other.stdout.close()
        os.close(write)


def test_hostile_commands_of_holders(ipcctl, signals, factory):
    truth = factory("pipe", hold=True, holders=f"name={(chr(27) + '[31m) R 1 (').encode().hex()}+r")
    pid = truth["holdings"][0]["pid"]
    ipcctl.refuses("remove", "--quiet", f"pipe:{truth['ino']}", status=1, words=[str(pid)])
    result = ipcctl("remove", "--kill", f"pipe:{truth['ino']}")
    assert b"\x1b[31m) R 1 (" in unescape(result.text)
    wait_until_ended({pid})


def test_many_holders(ipcctl, factory):
    """The line does not grow without end."""
    truth = factory("pipe", hold=True, holders="r" + "+fork" * 30)
    result = ipcctl.refuses("remove", "--quiet", f"pipe:{truth['ino']}", status=1)
    assert "23 more" in result.errors[0] and len(result.errors[0]) < 1000, result
