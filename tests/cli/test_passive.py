# SPDX-License-Identifier: MIT
"""Observing changes nothing: not a time, not a counter, not a message."""

import os

import kernel
import pytest

OLD, OLDER = 1500000000, 1400000000


def file_facts(st):
    return (st.st_ino, st.st_mode, st.st_size, st.st_blocks, st.st_nlink, st.st_atime_ns, st.st_mtime_ns,
            st.st_ctime_ns)


def everything(ids, names):
    """All that the kernel knows of the objects, without reading or attaching any."""
    return {
        "shm": [kernel.shm(i) for i in ids["sysv-shm"]],
        "sem": [(kernel.sem(i), kernel.sem_each(i)) for i in ids["sysv-sem"]],
        "msg": [kernel.msg(i) for i in ids["sysv-msg"]],
        "files": {name: file_facts(st) for name, st in kernel.files().items()},
        "root": file_facts(os.stat("/dev/shm")),
        "queues": [kernel.mq(name) for name in names],
        "tables": [kernel.sysvipc(which) for which in ("shm", "sem", "msg")],
    }


@pytest.fixture
def zoo(factory):
    """One or more of everything, busy and idle. Access times lie before the others, so
    that any read that moves them under `relatime` does so."""
    ids = {"sysv-shm": [], "sysv-sem": [], "sysv-msg": []}
    ids["sysv-shm"].append(factory("sysv-shm", hold=True, attach=2, content=b"secret")["id"])
    ids["sysv-shm"].append(factory("sysv-shm", attach=1, touch=4096)["id"])
    ids["sysv-shm"].append(factory("sysv-shm", hold=True, attach=1, rmid=1)["id"])
    ids["sysv-sem"].append(factory("sysv-sem", hold=True, nsems=3, values="1,0,2", block="1:-1,2:0")["id"])
    ids["sysv-msg"].append(factory("sysv-msg", messages="1:10,2:20,3:0")["id"])
    ids["sysv-msg"].append(factory("sysv-msg", hold=True, receivers="7")["id"])
    times = {"atime": OLDER, "mtime": OLD}
    factory("file", name="/dev/shm/dir", type="directory", mode="0755")
    factory("file", name="/dev/shm/dir/inner", content=b"x" * 5000, **times)
    factory("file", name="/dev/shm/sparse", size=1 << 30, content=b"x", at=1 << 29, **times)
    factory("file", name="/dev/shm/fifo", type="fifo", **times)
    factory("posix-sem-file", path="/dev/shm/musl", layout="musl-64", value=2)
    factory("posix-sem", name="/s", value=0, block=2, hold=True)
    for name in ("dir", "musl", "sem.s", ""):
        os.utime("/dev/shm/" + name, (OLDER, OLD))
    factory("posix-mq", name="/q", hold=True, messages="1:10,5:20", notify="signal")
    factory("posix-mq", name="/w", hold=True, receivers=1)
    return ids, ["/q", "/w"]


def check(ipcctl, ids, names, commands):
    before = everything(ids, names)
    for command in commands:
        ipcctl(*command, status=None)
        after = everything(ids, names)
        for part in before:
            assert after[part] == before[part], (command, part)


def references(ids, names):
    return [f"{kind}:{i}" for kind in ids for i in ids[kind]] + [f"posix-mq:{n}" for n in names] + [
        "posix-shm:/dir", "posix-shm:/dir/inner", "posix-shm:/sparse", "posix-shm:/fifo", "posix-sem:musl:/musl",
        "posix-sem:/s"]


def test_list_and_the_rest_disturb_nothing(ipcctl, zoo):
    ids, names = zoo
    check(ipcctl, ids, names, [
        ["list"], ["list", "--json"], ["list", "--raw", "-o", "all"], ["list", "--jsonl", "persistent"],
        ["list", "--no-holders"], ["list", "-f", "value>=0", "posix-sem"], ["summary"], [], ["limits"],
        ["limits", "--json"], ["kinds"], ["__complete", "--", "describe", "posix-shm:"],
    ])


def test_describe_disturbs_nothing(ipcctl, zoo):
    ids, names = zoo
    check(ipcctl, ids, names, [
        ["describe", *references(ids, names)], ["describe", "--json", *references(ids, names)],
        ["describe", "--content", *references(ids, names)],
        ["describe", "--content=1M", "--json", *references(ids, names)],
    ])


def test_dry_run_and_failed_requests_disturb_nothing(ipcctl, zoo):
    ids, names = zoo
    key = "0x1234"
    check(ipcctl, ids, names, [
        ["remove", "--dry-run", *references(ids, names)],
        ["remove", "--all", "--dry-run", "persistent"],
        ["create", "posix-shm", "/dir"],
        ["create", "posix-mq", "/q", "--maxmsg", "1"],
        ["create", "posix-mq", "/q", "--maxmsg", "1", "--exist-ok"],
        ["create", "posix-sem", "/musl" if ipcctl.musl else "/s", "--value", "9", "--exist-ok"],
        ["remove", "posix-shm:/dir", "posix-shm:/fifo"],
        ["remove", f"sysv-shm:key={key}"],
    ])


def test_messages_and_notifications_survive(ipcctl, zoo):
    ids, names = zoo
    refs = references(ids, names)
    ipcctl("describe", "--content", *refs, status=None)
    ipcctl("describe", "--status", *refs, status=None)
    assert [(t, len(b)) for t, b in kernel.msg_drain(ids["sysv-msg"][0])] == [(1, 10), (2, 20), (3, 0)]
    # The registration is still there: another may not register.
    o = ipcctl.describe("posix-mq:/q", "--status")
    assert o["notify_pid"]
    assert [(p, len(b)) for p, b in kernel.mq_receive_all("/q")] == [(5, 20), (1, 10)]
