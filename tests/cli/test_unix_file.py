# SPDX-License-Identifier: MIT
"""Socket files where a device and an inode number do not make a file: btrfs, overlay."""

import os
import socket
import subprocess

import kernel
from holdings import listed
from test_filesystems import btrfs, overlay


def ref(truth):
    return f"unix-socket:{truth['listener_ino']}"


def serves(path):
    """Whether somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        return s.connect_ex(str(path)) == 0


def subvolume(*args):
    subprocess.run(["btrfs", "subvolume", *args], check=True, capture_output=True)


def same_number(a, b):
    return os.stat(a).st_ino == os.stat(b).st_ino and kernel.mount_device(a) == kernel.mount_device(b)


def test_snapshot_of_a_socket_file(ipcctl, btrfs, factory, copies):
    """The copy has the number of the original, whose server is another's business."""
    live, copy = btrfs / "one" / "u", btrfs / "snapshot" / "u"
    truth = factory("unix-listener", hold=True, holders="a", name=str(live), backlog=9)
    subvolume("snapshot", btrfs / "one", btrfs / "snapshot")
    assert same_number(live, copy)
    assert ipcctl.describe(f"unix-socket:{live}")["ref"] == ref(truth)
    o = ipcctl.describe(f"unix-socket:{copy}")
    assert (o["ref"], o["state"], o["nholders"]) == (f"unix-socket:{copy}", "orphaned", 0), o
    got = listed(ipcctl, "unix-socket", "--path", str(btrfs / "snapshot"))
    assert got[f"unix-socket:{copy}"]["state"] == "orphaned"
    assert f"unix-socket:{live}" not in listed(ipcctl, "unix-socket", "--path", str(btrfs / "one"))
    ipcctl("remove", f"unix-socket:{copy}")
    assert not os.path.exists(copy) and serves(live)
    ipcctl("remove", f"unix-socket:{live}")
    assert not serves(live) and os.path.exists(live)


def test_servers_of_two_subvolumes(ipcctl, btrfs, factory, copies):
    paths = [btrfs / name / "u" for name in ("one", "two")]
    truths = [factory("unix-listener", hold=True, holders="a", name=str(path), backlog=9) for path in paths]
    assert same_number(*paths)
    for path, truth in zip(paths, truths):
        assert ipcctl.describe(f"unix-socket:{path}")["ref"] == ref(truth)
    files = [r for r in listed(ipcctl, "unix-socket", "--path", str(btrfs / "one"), "--path", str(btrfs / "two"))
             if r.startswith("unix-socket:/")]
    assert files == []
    ipcctl("remove", f"unix-socket:{paths[1]}")
    assert serves(paths[0]) and not serves(paths[1])


def cannot_be_told(ipcctl, path):
    o = ipcctl.describe(f"unix-socket:{path}")
    assert (o["ref"], o["state"]) == (f"unix-socket:{path}", "in-use") and "cannot be told" in o["reason"], o
    assert not o.get("holders")
    assert listed(ipcctl, "unix-socket", "--path", str(path.parent))[o["ref"]]["state"] == "in-use"
    assert "cannot be told" in ipcctl("remove", f"unix-socket:{path}", status=1).errors[-1]
    assert os.path.exists(path)


def test_server_of_another_network_in_a_subvolume(ipcctl, btrfs, factory, copies):
    """The only socket that is listed with that number is not the one."""
    factory("unix-listener", hold=True, holders="a", name=str(btrfs / "one" / "u"), backlog=9)
    factory("unix-listener", hold=True, holders="a", name=str(btrfs / "two" / "u"), backlog=9,
            drop=lambda: kernel.unshare(kernel.CLONE_NEWNET))
    assert same_number(btrfs / "one" / "u", btrfs / "two" / "u")
    cannot_be_told(ipcctl, btrfs / "two" / "u")
    assert serves(btrfs / "one" / "u") and serves(btrfs / "two" / "u")


def test_renamed_in_a_subvolume(ipcctl, btrfs, factory, copies):
    """Its name is no proof any more."""
    factory("unix-listener", hold=True, holders="a", name=str(btrfs / "one" / "u"), backlog=9)
    os.rename(btrfs / "one" / "u", btrfs / "one" / "moved")
    cannot_be_told(ipcctl, btrfs / "one" / "moved")
    # Nor is it if another file bears it.
    subvolume("snapshot", btrfs / "one", btrfs / "snapshot")
    os.rename(btrfs / "snapshot" / "moved", btrfs / "snapshot" / "u")
    os.rename(btrfs / "one", btrfs / "old")
    os.rename(btrfs / "snapshot", btrfs / "one")
    assert same_number(btrfs / "old" / "moved", btrfs / "one" / "u")
    assert ipcctl.describe(f"unix-socket:{btrfs}/one/u")["state"] == "unknown"
    ipcctl("remove", f"unix-socket:{btrfs}/one/u")
    assert not os.path.exists(btrfs / "one" / "u") and serves(btrfs / "old" / "moved")


def test_name_that_its_holder_understands(ipcctl, btrfs, factory):
    truth = factory("unix-listener", hold=True, holders="a", name="u", drop=lambda: os.chdir(btrfs / "two"))
    assert ipcctl.describe(f"unix-socket:{btrfs}/two/u")["ref"] == ref(truth)


def test_layer_of_an_overlay(ipcctl, overlay, tmp_path):
    """Who binds in the overlay is bound to another inode: the file below may be in use."""
    upper = tmp_path / "memory" / "upper" / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind(str(overlay / "s"))
        o = ipcctl.describe(f"unix-socket:{upper}")
        assert o["state"] == "unknown" and "layer" in o["reason"], o
        o = ipcctl.describe(f"unix-socket:{overlay}/s")
        assert o["ref"] == f"unix-socket:{os.fstat(s.fileno()).st_ino}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind(str(tmp_path / "memory" / "beside"))
    assert ipcctl.describe(f"unix-socket:{tmp_path}/memory/beside")["state"] == "orphaned"
