# SPDX-License-Identifier: MIT
"""What the program keeps of its capabilities, that it is enough, and that each is needed for what the manual says."""

import contextlib
import errno
import fcntl
import os
import re
import socket
import subprocess

import calls
import kernel
import pytest
from leftovers import wait_for
from program import ENVIRONMENT, NOBODY, become
from rights import NUMBERS, forbidding, limited_to, one_after_the_other, parse, sets, settled, user_with, without

LOOKING = ["summary", "list", "describe", "limits", "waits", "metrics", "check", "graph", "watch", "clean"]
ALL = [*LOOKING, "remove", "create", "__complete"]
BLIND = ["kinds", "help", "version"]
# What is run of each; {ref} is an object that is there.
WORDS = {"describe": ["{ref}"], "remove": ["-n", "{ref}"], "create": ["pipe"], "list": ["--json"], "clean": ["--json"],
         "waits": ["--json"], "watch": ["--initial"], "__complete": ["--", ""]}


def table(top):
    """What the manual says is kept: {command: {"CAP_...", ...}}."""
    with open(os.path.join(top, "man/ipcctl.1"), encoding="utf-8") as f:
        section = f.read().partition(".Sh PRIVILEGES\n")[2].partition("\n.Sh ")[0]
    kept = {command: set() for command in ALL + BLIND}
    rows = re.findall(r"^\.It Dv (CAP_\w+)\n\.Pq (.*)$", section, re.M)
    assert len(rows) == len(set(name for name, _ in rows)) == section.count(".It Dv ")
    for name, who in rows:
        commands = ALL if who == "all commands" else who.removeprefix("Cm ").replace(" ,", "").split()
        for command in commands:
            kept[command].add(name)
    return kept


@pytest.fixture
def kept(top):
    return table(top)


@contextlib.contextmanager
def caught(ipcctl, *words, drop=None):
    """The program as it runs: what it writes has no room, and it waits."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, bytes(4096))
    process = subprocess.Popen(ipcctl.command(*words), stdin=subprocess.DEVNULL, stdout=writer,
                               stderr=subprocess.PIPE, env=ENVIRONMENT, preexec_fn=drop, cwd=ipcctl.cwd)
    os.close(writer)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        os.close(reader)


def words_of(command, ref):
    return [command, *(word.format(ref=ref) for word in WORDS.get(command, []))]


# What is kept


@pytest.mark.parametrize("command", ALL + BLIND)
def test_what_is_kept_is_in_the_manual(ipcctl, factory, kept, command):
    """Of all that root has; nothing else is left, neither to use, nor to inherit, nor to gain."""
    truth = factory("sysv-sem", nsems=1)
    mine = sets()
    with caught(ipcctl, *words_of(command, f"sysv-sem:{truth['id']}")) as process:
        found = settled(process)
    assert found["CapEff"] == found["CapPrm"] == kept[command] & mine["CapEff"]
    assert found["CapBnd"] == kept[command] & mine["CapBnd"]
    assert found["CapInh"] == found["CapAmb"] == set()


@pytest.mark.parametrize("more", [set(), {"CAP_SETPCAP"}], ids=["bounded", "free"])
@pytest.mark.parametrize("command", ["list", "watch", "create", "kinds"])
def test_of_what_was_given(ipcctl, kept, command, more):
    """Nothing is gained; the bounding set may be touched with CAP_SETPCAP only."""
    given = {"CAP_SYS_PTRACE", "CAP_CHOWN", "CAP_NET_RAW", "CAP_FOWNER"} | more
    with caught(ipcctl, *words_of(command, ""), drop=limited_to(given)) as process:
        found = settled(process)
    assert found["CapEff"] == found["CapPrm"] == kept[command] & given
    assert found["CapBnd"] == (kept[command] & given if more else given)


@pytest.mark.real_root
@pytest.mark.parametrize("command", ["list", "watch", "kinds"])
def test_of_an_ordinary_user(ipcctl, kept, command):
    """Who was given some, and may not touch the bounding set."""
    given = ("CAP_SYS_PTRACE", "CAP_CHOWN", "CAP_SYS_ADMIN")
    with caught(ipcctl, *words_of(command, ""), drop=user_with(NOBODY, *given)) as process:
        found = settled(process)
    assert found["CapEff"] == found["CapPrm"] == kept[command] & set(given)
    assert found["CapInh"] == found["CapAmb"] == set() and found["CapBnd"] == sets()["CapBnd"]


@pytest.mark.real_root
def test_of_nothing(ipcctl):
    with caught(ipcctl, "list", "--json", drop=become(NOBODY)) as process:
        found = settled(process)
    assert found["CapEff"] == found["CapPrm"] == set()


@pytest.mark.parametrize("command", ["list", "watch", "remove", "create"])
def test_all_is_kept_where_capabilities_are_compared(ipcctl, factory, command):
    """Without CAP_SYS_PTRACE one may look at those only who have no capability that one lacks (ptrace(2))."""
    truth = factory("sysv-sem", nsems=1)
    words = words_of(command, f"sysv-sem:{truth['id']}")
    with caught(ipcctl, *words, drop=without("CAP_SYS_PTRACE")) as process:
        found = settled(process)
    assert found["CapEff"] == found["CapPrm"] == sets()["CapEff"] - {"CAP_SYS_PTRACE"}
    assert found["CapInh"] == found["CapAmb"] == set()


def test_a_container_sees_itself(ipcctl, factory, copies):
    """The capabilities that containers usually give, which do not include CAP_SYS_PTRACE."""
    usual = limited_to({"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
                        "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT",
                        "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"})
    truth = factory("pipe", hold=True, drop=usual, holders="r,w", fill=7)
    ref = f"pipe:{truth['ino']}"
    assert ref in [o["ref"] for o in ipcctl.json("list", "pipe", drop=usual)["objects"]]
    # By a copy of the descriptor, which takes the right to attach.
    assert ipcctl.describe(ref, drop=usual)["queued"] == 7


# What is executed


@pytest.mark.parametrize("given", [None, ["CAP_SYS_PTRACE", "CAP_NET_RAW"], []], ids=["all", "some", "none"])
def test_command_has_what_the_invoker_has(ipcctl, given):
    drop = given if given is None else limited_to(given)
    reference = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, preexec_fn=drop)
    result = ipcctl("create", "pipe", "--", "cat", "/proc/self/status", drop=drop)
    assert parse(result.text) == parse(reference.stdout)


@pytest.mark.real_root
def test_command_of_an_ordinary_user(ipcctl):
    """Ambient capabilities go on to it."""
    drop = user_with(NOBODY, "CAP_NET_RAW", "CAP_SYS_NICE")
    found = parse(ipcctl("create", "eventfd", "--", "cat", "/proc/self/status", drop=drop).text)
    assert found["CapEff"] == found["CapAmb"] == {"CAP_NET_RAW", "CAP_SYS_NICE"} and not found["NoNewPrivs"]


# When that fails


CAPSET = calls.number("capset")


@pytest.mark.skipif(not CAPSET, reason="the number of capset(2) is not known here")
def test_failure_is_an_error(ipcctl):
    for words in (["list"], ["kinds"], ["create", "pipe", "--timeout", "1"]):
        ipcctl.refuses(*words, status=1, words=["capabilities", "Operation not permitted"],
                       drop=forbidding(CAPSET, errno.EPERM))
    # As a plugin it is not known, and no WARNING.
    result = ipcctl("check", status=3, drop=forbidding(CAPSET, errno.EPERM))
    assert result.text.startswith("IPC UNKNOWN") and len(result.lines) == 1
    # What passes them on needs not give them up.
    ipcctl("create", "pipe", "--", "true", drop=forbidding(CAPSET, errno.EPERM))


@pytest.mark.real_root
@pytest.mark.skipif(not CAPSET, reason="the number of capset(2) is not known here")
def test_who_has_none_need_not_give_up_any(ipcctl):
    ipcctl("list", "sysv", "--no-holders", drop=one_after_the_other(forbidding(CAPSET, errno.EPERM), become(NOBODY)))


# Each is needed, and with those that are kept it is enough


def value(ipcctl, ref, field, *words):
    return lambda drop: ipcctl.json("describe", ref, *words, status=None, drop=drop)["objects"][0].get(field)


def semaphore_values(ipcctl, factory):
    truth = factory("sysv-sem", drop=become(NOBODY), nsems=2, values="1,2", mode="600")
    return value(ipcctl, f"sysv-sem:{truth['id']}", "semaphores")


def messages(ipcctl, factory):
    truth = factory("sysv-msg", drop=become(NOBODY), messages="1:5", mode="600")
    return value(ipcctl, f"sysv-msg:{truth['id']}", "content", "--content")


def file_contents(ipcctl, factory):
    factory("posix-shm", drop=become(NOBODY), name="/x", size=10, mode="600")
    return value(ipcctl, "posix-shm:/x", "content", "--content")


def pipe_contents(ipcctl, factory):
    truth = factory("pipe", hold=True, drop=become(NOBODY), holders="r,w", fill=9)
    return lambda drop: {o["ref"]: o["nholders"] for o in ipcctl.json("list", "pipe", drop=drop)["objects"]}.get(
        f"pipe:{truth['ino']}")


def queues(ipcctl, factory):
    factory("posix-mq", drop=become(NOBODY), name="/q")
    return lambda drop: ipcctl.json("list", "posix-mq", drop=drop)["objects"] != [] or None


def deserted_mounts(ipcctl, factory):
    """/dev/shm of a mount namespace that only a descriptor keeps."""
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("tmpfs", "/dev/shm", "tmpfs")
        with open("/dev/shm/deserted", "w", encoding="ascii"):
            os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    kept = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    factory.stack.callback(os.close, kept)
    os.write(go[1], b"x")
    os.waitpid(pid, 0)
    for fd in (*ready, *go):
        os.close(fd)

    def look(drop):
        result = ipcctl("list", "posix-shm", "-N", "all", "--json", status=None, drop=drop)
        return any(o["name"] == "/deserted" for o in result.json()["objects"]) or None
    return look


def proof(ipcctl, factory):
    factory("posix-shm", drop=become(NOBODY), name="/x", size=10, mode="666")

    def prove(drop):
        reason = ipcctl.describe("posix-shm:/x", "--prove", drop=drop)["reason"]
        return reason.startswith("nobody has it open") or None
    return prove


def bound_file(ipcctl, factory):
    os.mkdir("/dev/shm/d", 0o755)
    os.chown("/dev/shm/d", NOBODY, NOBODY)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("/dev/shm/d/s")
    os.chown("/dev/shm/d/s", NOBODY, NOBODY)
    os.chmod("/dev/shm/d/s", 0o600)

    def state(drop):
        objects = ipcctl.json("list", "unix-socket", "--path", "/dev/shm/d", drop=drop)["objects"]
        return {o["ref"]: o["state"] for o in objects}["unix-socket:/dev/shm/d/s"].replace("unknown", "") or None
    return state


def textfile(ipcctl, factory):
    os.mkdir("/dev/shm/d", 0o755)
    os.chown("/dev/shm/d", NOBODY, NOBODY)

    def write(drop):
        with contextlib.suppress(FileNotFoundError):
            os.unlink("/dev/shm/d/f.prom")
        ipcctl("metrics", "sysv-sem", "--quiet", "--textfile", "/dev/shm/d/f.prom", status=None, drop=drop)
        return os.path.exists("/dev/shm/d/f.prom") or None
    return write


def removal_in_a_sticky_directory(ipcctl, factory):
    os.mkdir("/dev/shm/d")
    os.chmod("/dev/shm/d", 0o1777)
    os.chown("/dev/shm/d", NOBODY, NOBODY)

    def remove(drop):
        with open("/dev/shm/d/f", "w", encoding="ascii"):
            os.chown("/dev/shm/d/f", NOBODY, NOBODY)
        ipcctl("remove", "posix-shm:/d/f", status=None, drop=drop)
        return not os.path.exists("/dev/shm/d/f") or None
    return remove


def removal_of_a_segment(ipcctl, factory):
    def remove(drop):
        ident = factory("sysv-shm", drop=become(NOBODY), mode="600")["id"]
        return ipcctl("remove", f"sysv-shm:{ident}", status=None, drop=drop).status == 0 or None
    return remove


def end_of_a_connection(ipcctl, factory):
    kernel.loopback_up()

    def end(drop):
        with socket.create_server(("127.0.0.1", 0)) as server:
            ref = f"inet-socket:{os.fstat(server.fileno()).st_ino}"
            return ipcctl("remove", ref, status=None, drop=drop).status == 0 or None
    return end


def signals_of_others(ipcctl, factory):
    def kill(drop):
        truth = factory("pipe", hold=True, drop=become(NOBODY), holders="r,w")
        result = ipcctl("remove", "--kill", f"pipe:{truth['ino']}", status=None, drop=drop)
        pid = truth["holdings"][0]["pid"]
        if result.status == 0:
            wait_for(lambda: not os.path.exists(f"/proc/{pid}/fd/0"))
        return result.status == 0 or None
    return kill


def owner(ipcctl, factory):
    def give(drop):
        with contextlib.suppress(FileNotFoundError):
            os.unlink("/dev/shm/given")
        ipcctl("create", "posix-shm", "/given", "--size=1", "--owner", str(NOBODY), status=None, drop=drop)
        return os.path.exists("/dev/shm/given") and os.stat("/dev/shm/given").st_uid == NOBODY or None
    return give


def low_port(ipcctl, factory):
    kernel.loopback_up()
    return lambda drop: ipcctl("create", "inet-socket", "tcp:127.0.0.1:99", "--", "true", status=None,
                               drop=drop).status == 0 or None


def lease(ipcctl, factory):
    with open("/dev/shm/f", "w", encoding="ascii"):
        os.chown("/dev/shm/f", NOBODY, NOBODY)
    return lambda drop: ipcctl("create", "lease", "/dev/shm/f", "--", "true", status=None,
                               drop=drop).status == 0 or None


# The command whose set it is; the capability; others that would do as well; what it shows.
NEEDED = [
    ("describe", "CAP_IPC_OWNER", [], semaphore_values),
    ("describe", "CAP_IPC_OWNER", [], messages),
    ("describe", "CAP_DAC_READ_SEARCH", ["CAP_DAC_OVERRIDE"], file_contents),
    ("describe", "CAP_FOWNER", [], file_contents),
    ("list", "CAP_SYS_PTRACE", [], pipe_contents),
    ("list", "CAP_DAC_READ_SEARCH", ["CAP_DAC_OVERRIDE"], pipe_contents),
    ("list", "CAP_SYS_ADMIN", [], queues),
    ("list", "CAP_SYS_CHROOT", [], deserted_mounts),
    ("describe", "CAP_LEASE", [], proof),
    ("list", "CAP_DAC_OVERRIDE", [], bound_file),
    ("metrics", "CAP_DAC_OVERRIDE", [], textfile),
    ("remove", "CAP_FOWNER", [], removal_in_a_sticky_directory),
    ("remove", "CAP_SYS_ADMIN", [], removal_of_a_segment),
    ("remove", "CAP_NET_ADMIN", [], end_of_a_connection),
    ("remove", "CAP_KILL", [], signals_of_others),
    ("create", "CAP_CHOWN", [], owner),
    ("create", "CAP_NET_BIND_SERVICE", [], low_port),
    ("create", "CAP_LEASE", [], lease),
]


@pytest.mark.real_root
@pytest.mark.parametrize("command, name, others, prepare", NEEDED,
                         ids=[f"{prepare.__name__}-{name}" for _, name, _, prepare in NEEDED])
def test_needed_and_enough(ipcctl, factory, kept, mqueue_unmounted, copies, signals, lookups, command, name, others,
                           prepare):
    assert name in kept[command]
    result = prepare(ipcctl, factory)
    assert result(limited_to(kept[command])) is not None
    assert result(limited_to(kept[command] - {name, *others})) is None
    assert result(None) is not None


@pytest.mark.real_root
@pytest.mark.skipif(not kernel.map_files_open(), reason="nobody here may look behind mappings")
@pytest.mark.parametrize("given, seen", [({"CAP_SYS_ADMIN"}, True), ({"CAP_CHECKPOINT_RESTORE"}, True), (set(), False)])
def test_behind_mappings(ipcctl, factory, given, seen):
    """Of a memory file that is but mapped."""
    truth = factory("memfd", hold=True, drop=become(NOBODY), size=5000, holders="map-rw")
    drop = limited_to({"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} | given)
    found = {o["ref"]: o for o in ipcctl.json("list", "memfd", drop=drop)["objects"]}[f"memfd:{truth['ino']}"]
    assert found["size"] == (5000 if seen else None)


def test_every_capability_of_the_manual_is_one(kept):
    assert set().union(*kept.values()) <= NUMBERS.keys()
    assert all(kept[command] == set() for command in BLIND)
