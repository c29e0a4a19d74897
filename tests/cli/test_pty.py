# SPDX-License-Identifier: MIT
"""Pseudo-terminals: who has the master, who the slave, whose session it is."""

import os

import expect
import kernel
import pytest
from holdings import check, descriptors, left_out, listed, not_there, views

READ = 1
ROLES = {"side": ["master", "slave"]}

HOLDERS = {
    "both": "a,b", "one-process": "a+b", "master": "a", "copies": "a+dup,b+dup+dup", "closed": "a,b+dup+close",
    "children": "a+fork,b+fork+fork", "processes": "a,a,b,b", "read-only": "a,b-r", "stopped": "a+stop,b",
    "leader-gone": "a+leave,b", "in-flight": "a,b,flight",
}


@pytest.fixture
def other_devpts():
    """Another instance of devpts: numbers begin at 0 again."""
    kernel.mount("devpts", "/mnt", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    yield "/mnt"
    kernel.unmount("/mnt")


def ref(truth):
    return f"pty:{truth['slave']}"


@pytest.mark.parametrize("holders", HOLDERS.values(), ids=HOLDERS.keys())
def test_holders(ipcctl, factory, holders):
    truth = factory("pty", hold=True, holders=holders)
    for o in (listed(ipcctl, "pty")[ref(truth)], *views(ipcctl, ref(truth))):
        check(o, truth, ROLES)
        assert (o["kind"], o["number"]) == ("pty", truth["number"])
        assert o["device"] == f"{truth['dev_major']}:{truth['dev_minor']}"
        assert (o["masters"], o["slaves"]) == (descriptors(truth, READ, 0), descriptors(truth, READ, 1))
        assert not o.get("session")
    expect.matches(o, {"uid": truth["uid"], "gid": truth["gid"], "mode": f"0{truth['mode']:03o}",
                       "owner": expect.user(truth["uid"]), "group": expect.group(truth["gid"])})


@pytest.mark.parametrize("holders", ["b", "b,b+fork", "b-r"])
def test_no_master_is_left(ipcctl, factory, holders):
    truth = factory("pty", hold=True, holders=holders)
    for o in views(ipcctl, ref(truth)):
        check(o, truth, ROLES)
        assert o["masters"] == 0 and "master" in o["reason"]


def test_session(ipcctl, factory):
    truth = factory("pty", hold=True, holders="a", session=1)
    for o in (listed(ipcctl, "pty")[ref(truth)], *views(ipcctl, ref(truth))):
        check(o, truth, ROLES)
        expect.matches(o, {"session": truth["session"], "session_command": "factory",
                           "foreground": truth["foreground"], "foreground_command": "foreground"})


@pytest.mark.parametrize("typed, printed", [(0, 0), (1, 0), (0, 1), (1000, 7)])
def test_queues(ipcctl, factory, copies, typed, printed):
    """What the slave has not read, and what the master has not."""
    truth = factory("pty", hold=True, holders="a,b", typed=typed, printed=printed)
    assert (truth["input_queued"], truth["output_queued"]) == (typed, printed)
    for o in views(ipcctl, ref(truth)):
        assert (o["input_queued"], o["output_queued"]) == (typed, printed)
    left_out(ipcctl, "pty", ref(truth), "input_queued", "output_queued")


def test_two_instances(ipcctl, factory, other_devpts):
    """The same number twice: each has its own master and slave."""
    truths = [factory("pty", hold=True, holders="a,b") for _ in range(2)]
    others = [factory("pty", hold=True, holders="a+dup,b,b", instance=other_devpts) for _ in range(3)]
    assert [t["number"] for t in others] == [0, 1, 2]
    got = listed(ipcctl, "pty")
    for truth in truths:
        check(got[ref(truth)], truth, ROLES)
    for truth in others:
        name = f"pty:{truth['dev_major']}:{truth['dev_minor']}/{truth['number']}"
        check(got[name], truth, ROLES)
        check(ipcctl.describe(name), truth, ROLES)


def test_another_mount_namespace(ipcctl, factory):
    """/dev/pts there is another instance than here."""
    def elsewhere():
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
        kernel.mount("/dev/pts/ptmx", "/dev/ptmx", "none", 4096)  # MS_BIND
    here = factory("pty", hold=True, holders="a,b")
    there = factory("pty", hold=True, holders="a,b", drop=elsewhere)
    got = listed(ipcctl, "pty")
    check(got[ref(here)], here, ROLES)
    name = f"pty:{there['dev_major']}:{there['dev_minor']}/{there['number']}"
    check(got[name], there, ROLES)


def test_gone(ipcctl, factory):
    truth = factory("pty", hold=True, holders="a")
    truth["let_go"]()
    if ref(truth) not in listed(ipcctl, "pty"):
        not_there(ipcctl, ref(truth))


def test_remove_hangs_up(ipcctl, copies):
    """The slave's readers get the end of input."""
    import tty
    master, slave = os.openpty()
    other_master, other_slave = os.openpty()
    try:
        tty.setraw(other_slave)
        name = os.ttyname(slave)
        ipcctl("remove", "--dry-run", f"pty:{name}")
        assert os.isatty(slave)
        result = ipcctl("remove", f"pty:{name}", status=None)
        if os.geteuid() == 0 and result.status == 1 and not kernel.map_files_open():
            pytest.skip("hanging up takes CAP_SYS_ADMIN in the first user namespace")
        assert result.status == 0, result
        assert os.read(slave, 10) == b""
        os.write(other_master, b"x")
        assert os.read(other_slave, 10) == b"x"
    finally:
        for fd in (master, slave, other_master, other_slave):
            os.close(fd)


@pytest.mark.parametrize("what", ["x", "/dev/null", "/dev/pts/", "/dev/pts/x", "-1"])
def test_wrong_references(ipcctl, what):
    assert ipcctl("describe", f"pty:{what}", "--quiet", status=None).status in (1, 2)
