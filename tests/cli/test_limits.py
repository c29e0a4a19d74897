# SPDX-License-Identifier: MIT
"""limits: the kernel's numbers, 64-bit exact, and how much of them is used."""

import os
import resource

import kernel
import pytest
from program import become


def limits(ipcctl, *words):
    document = ipcctl.json("limits", *words)
    assert document["schema"] == 1 and document["complete"] is True, document
    out = {(row["kind"], row["name"]): row for row in document["limits"]}
    assert len(out) == len(document["limits"])
    return out


SYSCTLS = [
    ("sysv-shm", "shmmni", "kernel/shmmni", 0), ("sysv-shm", "shmall", "kernel/shmall", 0),
    ("sysv-shm", "shmmax", "kernel/shmmax", 0), ("sysv-sem", "semmsl", "kernel/sem", 0),
    ("sysv-sem", "semmns", "kernel/sem", 1), ("sysv-sem", "semopm", "kernel/sem", 2),
    ("sysv-sem", "semmni", "kernel/sem", 3), ("sysv-msg", "msgmni", "kernel/msgmni", 0),
    ("sysv-msg", "msgmnb", "kernel/msgmnb", 0), ("sysv-msg", "msgmax", "kernel/msgmax", 0),
    ("posix-mq", "queues_max", "fs/mqueue/queues_max", 0), ("posix-mq", "msg_max", "fs/mqueue/msg_max", 0),
    ("posix-mq", "msgsize_max", "fs/mqueue/msgsize_max", 0),
    ("posix-mq", "msg_default", "fs/mqueue/msg_default", 0),
    ("posix-mq", "msgsize_default", "fs/mqueue/msgsize_default", 0),
]


@pytest.mark.parametrize("kind, name, sysctl, word", SYSCTLS, ids=[s[1] for s in SYSCTLS])
def test_sysctls(ipcctl, kind, name, sysctl, word):
    row = limits(ipcctl)[kind, name]
    assert row["value"] == kernel.sysctl(sysctl)[word]
    assert row["scope"] and row["source"] and row["reached"]


def test_shmmax_is_exact(ipcctl):
    """The number that no double holds: its digits stand in the document as they are."""
    with open("/proc/sys/kernel/shmmax", encoding="ascii") as f:
        digits = f.read().strip()
    assert f'"value":{digits}' in ipcctl("limits", "sysv-shm", "--json").text.replace(" ", "").replace("\t", "")
    assert digits in ipcctl("limits", "sysv-shm", "--raw").text


@pytest.mark.parametrize("value", [18446744073692774399, 9007199254740993, 9223372036854775809, 1])
def test_every_size_of_limit(ipcctl, value):
    try:
        with open("/proc/sys/kernel/shmmax", "w", encoding="ascii") as f:
            f.write(str(value))
    except OSError as error:
        pytest.skip(f"kernel.shmmax of this namespace cannot be set: {error.strerror}")
    row = limits(ipcctl, "sysv-shm")["sysv-shm", "shmmax"]
    assert row["value"] == kernel.sysctl("kernel/shmmax")[0] == value
    assert row["headroom"] == value


def check_arithmetic(row):
    """headroom and percent follow from value and used; absent where they would mean nothing."""
    if "value" in row and "used" in row:
        assert row["headroom"] == max(row["value"] - row["used"], 0)
        exact = row["used"] * 100 / row["value"] if row["value"] else 0
        assert abs(float(row["percent"]) - exact) < 0.011, row
    else:
        assert "headroom" not in row and "percent" not in row


def test_use_of_sysv(ipcctl, factory):
    page = os.sysconf("SC_PAGESIZE")
    for size in (1, page, page + 1, 100 * page):
        factory("sysv-shm", size=size)
    factory("sysv-sem", nsems=7)
    factory("sysv-sem", nsems=30)
    factory("sysv-msg", messages="1:100,1:23")
    factory("sysv-msg", messages="1:9")
    got = limits(ipcctl)
    info = kernel.shm_info()
    assert got["sysv-shm", "shmmni"]["used"] == info["used_ids"] == 4
    assert got["sysv-shm", "shmall"]["used"] == info["shm_tot"] == 104
    assert got["sysv-shm", "shmmax"]["used"] == 100 * page
    sem = kernel.sem_info()
    assert got["sysv-sem", "semmni"]["used"] == sem["semusz"] == 2
    assert got["sysv-sem", "semmns"]["used"] == sem["semaem"] == 37
    assert got["sysv-sem", "semmsl"]["used"] == 30
    msg = kernel.msg_info()
    assert got["sysv-msg", "msgmni"]["used"] == msg["msgpool"] == 2
    assert got["sysv-msg", "msgmnb"]["used"] == 123
    for row in got.values():
        check_arithmetic(row)


def test_use_of_posix(ipcctl, factory):
    factory("posix-mq", name="/a", maxmsg=3, msgsize=100)
    factory("posix-mq", name="/b", maxmsg=2, msgsize=500)
    with open("/dev/shm/x", "wb") as f:
        f.write(b"x" * 100000)
    got = limits(ipcctl)
    assert got["posix-mq", "queues_max"]["used"] == 2
    assert got["posix-mq", "msg_max"]["used"] == 3
    assert got["posix-mq", "msgsize_max"]["used"] == 500
    st = os.statvfs("/dev/shm")
    size = got["posix-shm", "shm-size"]
    assert size["value"] == st.f_blocks * st.f_frsize == 64 << 20
    assert size["used"] == (st.f_blocks - st.f_bfree) * st.f_frsize >= 100000
    inodes = got["posix-shm", "shm-inodes"]
    assert (inodes["value"], inodes["used"]) == (st.f_files, st.f_files - st.f_ffree)
    soft, _ = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    row = got["posix-mq", "rlimit-msgqueue"]
    if soft == resource.RLIM_INFINITY:
        assert "value" not in row
    else:
        assert row["value"] == soft
    for row in got.values():
        check_arithmetic(row)


@pytest.mark.real_root
def test_rlimit_counts_what_the_kernel_counts(ipcctl, factory, mqueue_mounted):
    """What is shown as used is what the kernel charges, to the byte. It charges the user
    whatever the namespace: so the user is one that has no other queue."""
    def bound(limit):
        def drop():
            resource.setrlimit(resource.RLIMIT_MSGQUEUE, (limit, limit))
            become(54321)()
        return drop

    factory("posix-mq", name="/a", maxmsg=3, msgsize=100, drop=become(54321))
    document = ipcctl.json("limits", "posix-mq", drop=bound(819200))
    used = next(row["used"] for row in document["limits"] if row["name"] == "rlimit-msgqueue")
    # Another of the same kind takes as much again: the bound is exact to the byte.
    words = ["create", "posix-mq", "--maxmsg=3", "--msgsize=100", "--json"]
    result = ipcctl(*words, "/b", status=1, drop=bound(2 * used - 1))
    assert "Too many open files" in result.errors[0] or "RLIMIT_MSGQUEUE" in result.errors[0], result
    ipcctl(*words, "/b", drop=bound(2 * used))
    assert kernel.mq_exists("/b")


def test_kinds_can_be_chosen(ipcctl):
    assert {kind for kind, _ in limits(ipcctl, "sysv-msg")} == {"sysv-msg"}
    assert {kind for kind, _ in limits(ipcctl, "posix", "sysv-sem")} >= {"posix-shm", "posix-mq", "sysv-sem"}
    assert limits(ipcctl, "-m") == limits(ipcctl, "sysv-shm")


def test_filter_and_sort(ipcctl, factory):
    factory("sysv-shm")
    rows = ipcctl.json("limits", "--sort", "-percent", "-f", "used>0")["limits"]
    assert rows and all(row["used"] > 0 for row in rows)
    percents = [row["percent"] for row in rows if "percent" in row]
    assert percents == sorted(percents, reverse=True)


def test_a_full_limit_is_100_percent(ipcctl, factory):
    try:
        with open("/proc/sys/kernel/msgmni", "w", encoding="ascii") as f:
            f.write("2")
    except OSError as error:
        pytest.skip(f"kernel.msgmni of this namespace cannot be set: {error.strerror}")
    factory("sysv-msg")
    factory("sysv-msg")
    row = limits(ipcctl, "sysv-msg")["sysv-msg", "msgmni"]
    assert (row["value"], row["used"], row["headroom"], row["percent"]) == (2, 2, 0, 100)
    # Set lower than what there is: nothing left, and no number below zero.
    with open("/proc/sys/kernel/msgmni", "w", encoding="ascii") as f:
        f.write("1")
    row = limits(ipcctl, "sysv-msg")["sysv-msg", "msgmni"]
    assert (row["headroom"], row["percent"]) == (0, 200)


def test_formats_agree(ipcctl, factory):
    factory("sysv-shm", size=1 << 20)
    rows = ipcctl.json("limits")["limits"]
    raw = ipcctl("limits", "--raw", "-o", "kind,name,value,used,headroom,percent").table()
    assert len(rows) == len(raw)
    for row, line in zip(rows, raw):
        if row["name"] == "rlimit-sigpending":
            continue  # other processes of the user queue signals, too
        for name in ("kind", "name", "value", "used", "headroom"):
            assert line[name] == str(row.get(name, "-"))
        assert line["percent"] == "-" if "percent" not in row else float(line["percent"]) == float(row["percent"])
