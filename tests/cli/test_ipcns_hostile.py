# SPDX-License-Identifier: MIT
"""--ipcns where it leads nowhere, and in places that were made to mislead or to keep whoever looks waiting."""

import os
import shutil
import subprocess
import threading
import time

import kernel
import places
import pytest
from monitoring import traced
from program import ENVIRONMENT, Churn, become, drop_capabilities, strict_json, unescape
from silentfs import SilentFs

LONGEST = 45  # seconds that a look may take in all


def gone():
    """The number of a process, and of its IPC namespace, that are no more."""
    pid, number = places.forked(lambda: (kernel.unshare(kernel.CLONE_NEWIPC), places.number("ipc"))[1])
    places.reap(pid)
    return pid, number


# What is not there


@pytest.mark.parametrize("word", ["x", "-1", "1x", "0", "ALL", "99999999999999999999", ""])
def test_no_place(ipcctl, word):
    ipcctl.refuses("list", f"--ipcns={word}", words=["--ipcns"])


@pytest.mark.parametrize("command", [["list"], ["describe", "sysv-shm:0"], ["limits"], ["waits"], ["summary"]],
                         ids="-".join)
def test_bad_beside_good(ipcctl, place, tmp_path, command):
    """The good one is shown all the same, and each bad one is a line and exit status 1."""
    p = place()
    ident = p.make("sysv-shm", size=3)["id"]
    pid, number = gone()
    bad = [str(pid), str(number), f"/proc/{p.pid}/ns/net", str(tmp_path), "/dev/null", "/proc/none", "/dev/shm/none"]
    for where in bad:
        result = ipcctl(*command, "-N", where, "-N", str(p.pid), "--quiet", status=1)
        assert result.out and len(result.errors) == 1 and where in result.errors[0], result
        if command == ["list"]:
            assert p.ref("sysv-shm", ident) in result.text
    assert len(ipcctl("list", "-N", bad[0], "-N", bad[1], "--quiet", status=1).errors) == 2


def test_ends_meanwhile(ipcctl, place):
    """Places that come and go are no error with `all`, and the others are shown."""
    p = place()
    ref = p.ref("sysv-shm", p.make("sysv-shm")["id"])

    def come_and_go():
        pid, _ = places.forked(lambda: (places.make_new(("ipc", "mnt", "net")),
                                        kernel.shmget(kernel.IPC_PRIVATE, 1, 0o600))[1])
        places.reap(pid)

    with Churn(come_and_go):
        for _ in range(20):
            result = ipcctl("list", "--no-holders", "-N", "all", "-o", "ref,uid", "--json")
            document = result.json()
            assert ref in {o["ref"] for o in document["objects"]} and document["complete"] is True, document["warnings"]


def test_taken_apart_meanwhile(ipcctl):
    """Whoever was alone in a mount namespace ends between the look at its root and the one at its /dev/shm: below,
    another directory of that name may come to light."""
    if ipcctl.slow or not shutil.which("strace"):
        pytest.skip("no strace(1), or a wrapper in its way")

    def live_for_a_moment():
        pid = os.fork()
        if pid == 0:
            kernel.unshare(kernel.CLONE_NEWNS)
            time.sleep(0.002 * (os.getpid() % 5))
            os._exit(0)
        os.waitpid(pid, 0)

    slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat2", "-e", "inject=openat2:delay_enter=3000"]
    with Churn(live_for_a_moment), Churn(live_for_a_moment), Churn(live_for_a_moment):
        for _ in range(20):
            run = subprocess.run([*slow, *ipcctl.command("list", "posix-shm", "--no-holders", "-N", "all", "--json")],
                                 capture_output=True, env={**ENVIRONMENT, "ASAN_OPTIONS": "detect_leaks=0"})
            document = strict_json(run.stdout)
            assert run.returncode == 0 and document["complete"] is True, document["warnings"]


def test_descriptor_opened_anew(ipcctl, place):
    """What alone keeps a namespace is closed and opened again all the time, under other numbers."""
    p = place("ipc")
    ref = p.ref("sysv-shm", p.make("sysv-shm")["id"])

    def body():
        first = os.open(f"/proc/{p.pid}/ns/ipc", os.O_RDONLY)

        def turn():
            fd = first
            while True:
                other = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
                os.close(fd)
                fd = other
        threading.Thread(target=turn, daemon=True).start()

    pid, _ = places.forked(body)
    try:
        p.close()
        seen = 0
        for _ in range(20):
            result = ipcctl("list", "sysv-shm", "--no-holders", "-N", "all", "--json")
            seen += ref in {o["ref"] for o in result.json()["objects"]}
        assert seen > 0
    finally:
        places.reap(pid)


# What lies


def link(target, path):
    def body():
        kernel.unmount("/dev/shm")
        kernel.mount("tmpfs", "/dev", "tmpfs")
        if path == "/dev":
            kernel.unmount("/dev")
            kernel.mount("tmpfs", "/mnt", "tmpfs")
            os.mkdir("/mnt/real")
            os.symlink(target, "/mnt/dev")
            kernel.call("chroot", b"/mnt")
        else:
            os.symlink(target, path)
    return body


@pytest.mark.parametrize("path, target", [("/dev/shm", "/etc"), ("/dev/shm", "/"), ("/dev/shm", "../etc"),
                                          ("/dev", "/"), ("/dev", "/real"), ("/dev/shm", "/proc/1/root/dev/shm")])
def test_links(ipcctl, factory, place, path, target):
    """No link of a place's making is followed; that is said, and what else is there is shown."""
    factory("posix-shm", name="/outside", size=1)
    p = place("ipc", "mnt", setup=link(target, path))
    ref = p.ref("sysv-shm", p.ask(lambda: kernel.shmget(kernel.IPC_PRIVATE, 9, 0o600), "ipc"))
    document = ipcctl.json("list", "--no-holders", "-N", str(p.pid))
    assert [o["ref"] for o in document["objects"]] == [ref]
    assert document["complete"] is False and "symbolic link" in str(document["warnings"])
    assert str(p.numbers["mnt"]) in str(document["warnings"])
    ipcctl("list", "--no-holders", "-N", str(p.pid), "--strict", status=1)


def test_another_file_system(ipcctl, factory, place):
    """A directory of the disk as /dev/shm is said, and not read."""
    p = place("ipc", "mnt", setup=lambda: kernel.mount("/etc", "/dev/shm", "none", kernel.MS_BIND))
    document = ipcctl.json("list", "--no-holders", "-N", str(p.pid))
    assert document["objects"] == [] and document["complete"] is False and "of memory" in str(document["warnings"])


def test_names(ipcctl, place):
    """Bytes that no terminal should see, taken back as they are."""
    p = place()
    names = {b"\x1b[2J\n", b"\xff\xfe", "\u202e".encode(), b" (deleted)", b"4026531840", b"a/b"}
    for name in names - {b"a/b"}:
        p.make("file", name=b"/dev/shm/" + name)
    p.make("file", name=b"/dev/shm/a", type="directory", mode="0755")
    p.make("file", name=b"/dev/shm/a/b")
    refs = ipcctl("list", "posix-shm", "-N", str(p.pid), "-0", "-o", "ref", clean=False).out.split(b"\0")[:-1]
    head = f"posix-shm:{p.numbers['mnt']}/".encode()
    assert set(refs) == {head + name for name in names | {b"a"}}
    assert {unescape(o["ref"]) for o in ipcctl.json("describe", *refs)["objects"]} == set(refs)
    ipcctl("remove", "--quiet", *(ref for ref in refs if ref != head + b"a"))
    assert os.listdir(f"/proc/{p.pid}/root/dev/shm") == ["a"] and os.listdir(f"/proc/{p.pid}/root/dev/shm/a") == []


# What does not answer


def silent_mount(path):
    SilentFs(path, silent=True)
    time.sleep(0.1)


def fuse_works():
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
        places.reap(places.forked(lambda: (places.make_new(("mnt",)), silent_mount("/dev/shm"))[1])[0])
        return True
    except (OSError, AssertionError):
        return False


@pytest.mark.parametrize("number", [1, 40])
def test_silent_file_system(ipcctl, place, number):
    """What never answers is given up; all else is shown, also what else is in that very place. Whoever reads the
    output is not kept waiting either."""
    if not fuse_works():
        pytest.skip("no FUSE here (/dev/fuse)")
    p = place("ipc", "mnt")
    good = p.ref("sysv-shm", p.make("sysv-shm")["id"])
    file = p.make("posix-shm", name="/x", size=1) and p.ref("posix-shm", "x")
    silent = [place("ipc", "mnt", setup=lambda: silent_mount("/dev/shm")) for _ in range(number)]
    theirs = {q.ref("sysv-shm", q.ask(lambda: kernel.shmget(kernel.IPC_PRIVATE, 9, 0o600), "ipc")) for q in silent}
    begun = time.monotonic()
    document = ipcctl.json("list", "--no-holders", "-N", "all", status=1)
    assert time.monotonic() - begun < LONGEST
    got = {o["ref"] for o in document["objects"]}
    assert good in got and file in got and theirs <= got, document["warnings"]
    assert document["complete"] is False and str(silent[0].numbers["mnt"]) in str(document["warnings"])


# Who may not, and what is left as it was


def test_without_rights(ipcctl, place):
    """What may not be entered is said: part of `all` that permission hides, and an error where it was asked for."""
    p = place()
    p.make("sysv-shm")
    powerless = dict(drop=drop_capabilities)
    document = ipcctl.json("list", "--no-holders", "-N", "all", **powerless)
    assert document["objects"] == [] and document["complete"] is False and document["warnings"]
    for where in str(p.pid), str(p.numbers["ipc"]):
        result = ipcctl("list", "--no-holders", "-N", where, status=1, **powerless)
        assert len(result.errors) >= 1 and result.lines[1:] == []


def test_nobody_to_ask(ipcctl, place):
    """Where no child can be sent, what only it could ask is unknown, and the object is shown; never one of here."""
    p = place("ipc")
    ident = p.make("sysv-sem", nsems=2, values="1,2")["id"]
    result = traced(ipcctl, "pipe2:error=EMFILE", "describe", "--json", p.ref("sysv-sem", ident))
    o = result.json()["objects"][0]
    assert (o["ref"], o["nsems"], o["semaphores"]) == (p.ref("sysv-sem", ident), 2, None), o
    assert result.json()["complete"] is False and result.json()["warnings"]


@pytest.mark.real_root
def test_another_user(ipcctl, factory, place):
    """`all` of somebody who sees no namespaces but his own: few words, and exit status 0."""
    here = factory("sysv-shm")["id"]
    place().make("sysv-shm")
    result = ipcctl("list", "-N", "all", "--no-holders", drop=become(65534))
    assert f"sysv-shm:{here}" in result.text and len(result.errors) <= 3
    assert ipcctl.json("list", "-N", "all", "--no-holders", drop=become(65534))["complete"] is False


@pytest.mark.real_root
def test_own_user_namespace(ipcctl, place):
    """A user sees the places that he made himself."""
    def as_nobody():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        kernel.call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
    p = place("user", "ipc", "mnt", before=as_nobody, uid=65534,
              setup=lambda: kernel.shmget(kernel.IPC_PRIVATE, 77, 0o600))
    document = ipcctl.json("list", "sysv-shm", "--no-holders", "-N", str(p.pid),
                           drop=lambda: (become(65534)(), p.enter("user")))
    assert [(o["ref"], o["size"]) for o in document["objects"]] == [(p.ref("sysv-shm", p.said), 77)]


def test_observing_changes_nothing(ipcctl, place):
    p = place()
    shm = p.make("sysv-shm", hold=True, attach=1)["id"]
    msg = p.make("sysv-msg", messages="1:5")["id"]
    sem = p.make("sysv-sem", nsems=2, values="1,2")["id"]
    p.make("posix-shm", name="/x", size=100)

    def truth():
        st = os.stat("/dev/shm/x")
        return (kernel.shm(shm), kernel.msg(msg), kernel.sem(sem), kernel.sem_each(sem),
                (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns), os.stat("/dev/shm").st_atime_ns)
    before = p.ask(truth)
    time.sleep(1.1)
    ipcctl("list", "all", "-N", "all", "-o", "all", status=None)
    ipcctl("describe", "--content", p.ref("sysv-shm", shm), p.ref("sysv-msg", msg), p.ref("sysv-sem", sem),
           p.ref("posix-shm", "x"))
    assert p.ask(truth) == before


# --procfs


def test_procfs_of_another_pid_namespace(ipcctl, factory, place, tmp_path):
    """What follows the namespaces of its first process is shown from there."""
    factory("sysv-shm", size=1)
    p = place("ipc", "mnt", "net", "pid", setup=lambda: kernel.shmget(kernel.IPC_PRIVATE, 77, 0o600))
    # A new mount, made in that PID namespace.
    subprocess.run(["nsenter", f"--pid=/proc/{p.pid}/ns/pid", "mount", "-t", "proc", "proc", str(tmp_path)], check=True)
    try:
        document = ipcctl.json("list", "sysv-shm", "--no-holders", f"--procfs={tmp_path}")
        assert [o["size"] for o in document["objects"]] == [77], document
        result = ipcctl("list", "sysv-shm", "--no-holders", f"--procfs={tmp_path}", "--json", drop=drop_capabilities)
        assert result.json()["objects"] == [] and result.json()["complete"] is False and result.json()["warnings"]
    finally:
        kernel.unmount(tmp_path)

