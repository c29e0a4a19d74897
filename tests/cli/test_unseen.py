# SPDX-License-Identifier: MIT
"""The line that says what was not visible for want of rights, and which capability would show it: it is right by what
the kernel refuses, judged capability by capability, and nothing is taken for unused behind it."""

import errno
import json
import os
import re
import socket
import subprocess
import sys

import kernel
import pytest
from leftovers import NOW
from namespaces import as_the_first
from program import NOBODY, become, drop_capabilities
from rights import limited_to, one_after_the_other, user_with, without

CLONE_NEWUSER = 0x10000000
OUTSIDE = "processes outside this PID namespace"
HIDEPID = "processes of others, which /proc hides: hidepid"


def line(result):
    """What the closing line says: {what: {"CAP_...", ...}}, or None: there is none."""
    lines = [text for text in result.errors if text.startswith("ipcctl: not visible: ")]
    if not lines:
        return None
    assert len(lines) == 1, result
    said = {}
    for group in lines[0].removeprefix("ipcctl: not visible: ").split("; "):
        things, _, rights = group.partition(" (")
        assert re.fullmatch(r"|(?:CAP_\w+|, | and )+ would show (?:it|them)\)|refused in spite of .*\)", rights), lines
        for thing in things.split(", ") if "hidepid" not in things else [things]:
            said[thing] = (rights.startswith("refused"), set(re.findall(r"CAP_\w+", rights)))
    return said


def missing(*names):
    return (False, set(names))


# Whose descriptors, or namespace, the kernel refuses: whoever has ended does not count.
REFUSED = """
import errno, json, os, sys
refused = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if open(f"/proc/{pid}/statm").read().startswith("0 "):
            continue
        if sys.argv[1] == "fd":
            for fd in os.listdir(f"/proc/{pid}/fd"):
                os.readlink(f"/proc/{pid}/fd/{fd}")
        else:
            os.readlink(f"/proc/{pid}/{sys.argv[1]}")
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            refused.append(int(pid))
print(json.dumps(refused))
"""


def refused(drop, what="fd"):
    return json.loads(subprocess.run([sys.executable, "-c", REFUSED, what], preexec_fn=drop, capture_output=True,
                                     check=True).stdout)


def processes(count):
    return "1 process" if count == 1 else f"{count} processes"


def alone(step):
    """In what it takes for the first PID namespace: nobody is out of sight there."""
    return one_after_the_other(as_the_first, step)


def hidepid(value, *steps):
    """With a proc file system of its own that hides processes."""
    def mount():
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("proc", "/proc", "proc", 0, f"hidepid={value}")
    return one_after_the_other(mount, *steps)


def as_it_is():
    pass


# Processes


@pytest.mark.real_root
@pytest.mark.parametrize("words", [["list"], ["list", "-r"], ["list", "--jsonl"], ["summary"], ["clean"], ["metrics"],
                                   ["describe", "posix-shm:/x"]], ids=" ".join)
def test_an_ordinary_user(ipcctl, factory, mqueue_unmounted, words):
    """Beside root's processes: one line, with how many of them, and both that it takes to look at them."""
    factory("posix-shm", name="/x", mode="644")
    factory("pipe", hold=True, holders="r,w")
    drop = alone(become(NOBODY))
    count = len(refused(drop))
    assert count > 0
    result = ipcctl(*words, drop=drop)
    said = line(result)
    assert said[processes(count)] == missing("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"), said
    assert OUTSIDE not in said and HIDEPID not in said
    if words[0] != "describe":
        assert said["message queues"] == missing("CAP_SYS_ADMIN")
    more = [text for text in result.errors if not text.startswith("ipcctl: not visible: ")]
    assert not more or (words == ["clean"] and len(more) == 1), result
    assert ipcctl(*words, "--quiet", drop=drop).err == b""
    # With the reasons one by one.
    if words[0] != "metrics":
        assert len(ipcctl(*words, "--verbose", drop=drop).errors) > 2


@pytest.mark.real_root
def test_root_without_one(ipcctl, factory, mqueue_unmounted):
    """Only that is named: being uid 0 is no capability, and the rest is there."""
    factory("pipe", hold=True, drop=become(NOBODY), holders="r,w")
    drop = alone(without("CAP_SYS_PTRACE"))
    count = len(refused(drop))
    assert count > 0 and line(ipcctl("list", drop=drop)) == {processes(count): missing("CAP_SYS_PTRACE")}
    drop = alone(without("CAP_SYS_ADMIN"))
    assert line(ipcctl("list", drop=drop)) == {"message queues": missing("CAP_SYS_ADMIN")}
    assert line(ipcctl("list", drop=alone(as_it_is))) is None


@pytest.mark.real_root
def test_the_right_to_read_is_part_of_the_right_to_override(ipcctl, factory):
    factory("pipe", hold=True, drop=become(NOBODY), holders="r,w")
    assert line(ipcctl("list", drop=alone(without("CAP_DAC_READ_SEARCH")))) is None
    drop = alone(without("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE"))
    assert line(ipcctl("list", drop=drop)) == {processes(len(refused(drop))): missing("CAP_DAC_READ_SEARCH")}


@pytest.mark.real_root
def test_an_ordinary_user_with_some(ipcctl, factory, mqueue_unmounted):
    """What he was given is not asked of him."""
    factory("pipe", hold=True, holders="r,w")
    drop = alone(user_with(NOBODY, "CAP_SYS_PTRACE"))
    said = line(ipcctl("list", drop=drop))
    assert said == {processes(len(refused(drop))): missing("CAP_DAC_READ_SEARCH"),
                    "message queues": missing("CAP_SYS_ADMIN")}
    # Mappings take no more than he has.
    assert line(ipcctl("list", "anon-mapping", drop=drop)) is None
    given = ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"]
    assert line(ipcctl("list", drop=alone(user_with(NOBODY, *given)))) is None


@pytest.mark.real_root
def test_those_that_refuse_all_the_same(ipcctl, factory):
    """The capabilities of another user namespace count for nothing here."""
    factory("pipe", hold=True, holders="r,w")

    def another():
        kernel.unshare(CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as f:
                f.write(text)
    drop = alone(another)
    said = line(ipcctl("list", "pipe", drop=drop))
    assert said == {processes(len(refused(drop))): (True, {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"})}


def test_pid_namespace(ipcctl, factory):
    """No capability shows who is outside."""
    result = ipcctl("list", "sysv", "posix-shm")
    assert line(result) == {OUTSIDE: missing()} and len(result.errors) == 1


@pytest.mark.real_root
def test_other_namespaces(ipcctl, factory):
    """Which ones there are, only processes tell."""
    factory("pipe", hold=True, holders="r,w")
    count = len(refused(become(NOBODY), "ns/ipc"))
    said = line(ipcctl("list", "sysv", "-N", "all", drop=become(NOBODY)))
    assert count > 0 and said[f"{count} processes' namespaces"] == missing("CAP_SYS_PTRACE"), said


@pytest.mark.real_root
@pytest.mark.parametrize("value, drop, hides", [
    (2, become(NOBODY), True), (4, become(NOBODY), True), (0, become(NOBODY), False), (2, as_it_is, False),
    (2, user_with(NOBODY, "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"), False),
    # Group 0 is exempt of the former unless another is named, but not of the latter.
    (2, without("CAP_SYS_PTRACE"), False), (4, without("CAP_SYS_PTRACE"), True)],
    ids=["invisible", "ptraceable", "off", "root", "capability", "group", "not-group"])
def test_hidepid(ipcctl, factory, value, drop, hides):
    segment = factory("sysv-shm", hold=True, attach=1)
    process = segment.get("pid") or kernel.shm(segment["id"])["cpid"]
    drop = hidepid(value, drop)
    result = ipcctl("list", "sysv-shm", "posix-shm", drop=drop)
    said = line(result)
    assert said.get(HIDEPID) == (missing("CAP_SYS_PTRACE") if hides else None), result
    assert OUTSIDE in said and len(result.errors) == 1
    # The kernel still tells that it lives: its command is unknown, and not absent.
    document = ipcctl.json("list", "sysv-shm", "-o", "ref,cpid,cpid_command", drop=drop)
    assert document["objects"][0]["cpid"] == process
    if hides:
        assert document["objects"][0]["cpid_command"] is None
        assert line(ipcctl("list", "sysv-shm", "-o", "cpid_command", drop=drop))[
            f"cpid_command of sysv-shm:{segment['id']}"] == missing("CAP_SYS_PTRACE")
    assert ipcctl.json("list", "sysv-shm", "posix-shm", drop=drop)["complete"] is False


# Values


@pytest.mark.real_root
def test_values(ipcctl, factory):
    """Each by what would show it; in one line, however many there are."""
    for i in range(3):
        factory("posix-sem", name=f"/s{i}", mode="600", value=1)
    semaphores = factory("sysv-sem", nsems=1, mode="600")
    queue = factory("sysv-msg", messages="1:2", mode="600")
    nobody = alone(become(NOBODY))

    def said(*words, drop=nobody):
        result = ipcctl(*words, "--no-holders", drop=drop)
        assert len(result.errors) <= 1, result
        return line(result)

    assert said("list", "posix-sem", "-o", "value") == {"value of 3 posix-sem": missing("CAP_DAC_READ_SEARCH")}
    assert said("describe", f"sysv-sem:{semaphores['id']}", "-o", "semaphores") == {
        f"semaphores of sysv-sem:{semaphores['id']}": missing("CAP_IPC_OWNER")}
    assert said("describe", f"sysv-msg:{queue['id']}", "--content", "-o", "content") == {
        f"content of sysv-msg:{queue['id']}": missing("CAP_IPC_OWNER")}
    assert said("list", "posix-sem", "-o", "value", drop=alone(user_with(NOBODY, "CAP_DAC_READ_SEARCH"))) == {
        "value of 3 posix-sem": missing("CAP_FOWNER")}
    assert said("list", "posix-sem", "-o", "value",
                drop=alone(user_with(NOBODY, "CAP_DAC_READ_SEARCH", "CAP_FOWNER"))) is None
    # In several groups, and in one line.
    assert said("describe", f"sysv-sem:{semaphores['id']}", "posix-sem:/s1", "-o", "semaphores,value") == {
        f"semaphores of sysv-sem:{semaphores['id']}": missing("CAP_IPC_OWNER"),
        "value of posix-sem:/s1": missing("CAP_DAC_READ_SEARCH")}


@pytest.mark.real_root
@pytest.mark.skipif(not kernel.map_files_open(), reason="nobody here may look behind mappings")
def test_behind_mappings(ipcctl, factory):
    """Of a memory file that is but mapped: one's own processes do not show more of it, either."""
    truth = factory("memfd", hold=True, drop=become(NOBODY), size=5000, holders="map-rw")
    words = ["list", "memfd", "-o", "size", "-f", f"ref=memfd:{truth['ino']}"]
    thing = f"size of memfd:{truth['ino']}"
    assert line(ipcctl(*words, drop=alone(become(NOBODY))))[thing] == missing("CAP_SYS_ADMIN")
    assert thing in line(ipcctl(*words, drop=alone(without("CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"))))
    for name in "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE":
        assert thing not in (line(ipcctl(*words, drop=alone(user_with(NOBODY, name)))) or {})


@pytest.mark.real_root
def test_control_group(ipcctl):
    """Looked up by its number, which takes that very right."""
    kernel.loopback_up()
    with socket.create_server(("127.0.0.1", 0)) as server:
        ref = f"inet-socket:{os.fstat(server.fileno()).st_ino}"
        words = ["list", "inet-socket", "-o", "cgroup", "-f", f"ref={ref}", "--no-holders"]
        if ipcctl.describe(ref, "-o", "ref,cgroup").get("cgroup") is None:
            pytest.skip("no control groups of version 2 here, or not those of the first user namespace")
        assert line(ipcctl(*words)) is None
        for drop in become(NOBODY), without("CAP_DAC_READ_SEARCH"):
            assert line(ipcctl(*words, drop=drop)) == {f"cgroup of {ref}": missing("CAP_DAC_READ_SEARCH")}


@pytest.mark.real_root
def test_directories(ipcctl, factory):
    factory("file", name="/dev/shm/d", type="directory", mode="0700")
    said = line(ipcctl("list", "posix-shm", "--no-holders", drop=become(NOBODY)))
    assert said == {"contents of d in /dev/shm": missing("CAP_DAC_READ_SEARCH")}


@pytest.mark.real_root
def test_names_are_escaped(ipcctl, factory):
    factory("posix-sem", name=b"/a\x1b[31m\nb", mode="600", value=1)
    result = ipcctl("list", "posix-sem", "--no-holders", "-o", "value", drop=become(NOBODY))
    assert len(result.errors) == 1 and "\\x1b[31m\\n" in result.errors[0], result


def test_as_an_error(ipcctl, factory):
    """With --strict, quiet or not; a document has it in its warnings."""
    factory("posix-sem", name="/s", mode="0", value=1)
    for words in ([], ["--quiet"], ["--json"]):
        result = ipcctl("list", "posix-sem", "--no-holders", "--strict", *words, status=1, drop=drop_capabilities)
        assert len(result.errors) == 1 and "CAP_DAC_READ_SEARCH" in result.errors[0], result
    assert ipcctl("list", "posix-sem", "--no-holders", "--json", drop=drop_capabilities).err == b""


# Verdicts behind it


@pytest.mark.real_root
@pytest.mark.parametrize("kind, where", [("posix-shm", "/dev/shm"), ("posix-sem", "/dev/shm/sem.")])
def test_clean_of_an_ordinary_user(ipcctl, factory, kind, where):
    """What is his is proved by the kernel, and goes; what root's process holds of it does not."""
    nobody = alone(become(NOBODY))
    for name in ("free", "held"):
        factory(kind, drop=become(NOBODY), name=f"/{name}", mode="666")
    factory(kind, name="/roots", mode="600")
    separator = "" if where.endswith(".") else "/"
    path = {name: f"{where}{separator}{name}" for name in ("free", "held", "roots")}
    fd = os.open(path["held"], os.O_RDONLY)
    try:
        states = {o["ref"]: o["state"] for o in ipcctl.json("list", kind, "--prove", drop=nobody)["objects"]}
        assert states[f"{kind}:/free"] == "orphaned" and states[f"{kind}:/held"] == "in-use"
        assert states[f"{kind}:/roots"] == "unknown"
        document = ipcctl.json("list", kind, drop=nobody)
        assert document["complete"] is False
        assert {o["ref"]: o["state"] for o in document["objects"]}[f"{kind}:/held"] == "unknown"
        inode = os.stat(path["held"]).st_ino
        result = ipcctl("clean", "--remove", "--yes", *NOW, drop=nobody)
        assert result.lines == [f"removed {kind}:/free"] and len(result.errors) == 2, result
        assert not os.path.exists(path["free"]) and os.path.exists(path["roots"])
        assert os.stat(path["held"]).st_ino == inode
    finally:
        os.close(fd)
    assert ipcctl("clean", "--remove", "--yes", *NOW, drop=nobody).lines == [f"removed {kind}:/held"]


@pytest.mark.real_root
@pytest.mark.parametrize("drop", [become(NOBODY), hidepid(2, become(NOBODY)), without("CAP_SYS_PTRACE", "CAP_LEASE"),
                                  user_with(NOBODY, "CAP_SYS_PTRACE"), limited_to([])],
                         ids=["user", "hidepid", "root", "some", "none"])
def test_nothing_held_is_orphaned(ipcctl, factory, drop):
    """Whoever may not look at the holder."""
    factory("held-file", hold=True, name="/dev/shm/held", mode="600", holders="r")
    segment = factory("sysv-shm", hold=True, attach=1)
    document = ipcctl.json("list", "persistent", drop=drop)
    states = {o["ref"]: o["state"] for o in document["objects"]}
    assert document["complete"] is False
    assert states["posix-shm:/held"] in ("unknown", "in-use") and states[f"sysv-shm:{segment['id']}"] == "in-use"
    for words in (["posix-shm:/held"], [f"sysv-shm:{segment['id']}"]):
        assert ipcctl.json("describe", *words, drop=drop)["objects"][0]["state"] in ("unknown", "in-use")
    ipcctl("clean", "--remove", "--yes", "--idle", "--stale", *NOW, "--quiet", status=None, drop=drop)
    assert os.path.exists("/dev/shm/held") and kernel.shm(segment["id"])["nattch"] == 1
