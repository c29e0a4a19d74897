# SPDX-License-Identifier: MIT
"""Unix sockets: ends and peers, listeners and who waits for them, names of any bytes, stale files."""

import os
import socket
import stat
import subprocess
import sys

import expect
import kernel
import pytest
from holdings import check, check_rows, left_out, listed, not_there, only, views
from program import unescape

PEER = {"fd": ["peer"] * 4}
SO_COOKIE = 57


def roles(word):
    return {"fd": [word] * 4}


def ref(truth, name):
    return f"unix-socket:{truth[name + '_ino']}"


def check_end(o, truth, name, side, other, peer_side, word="connected"):
    """One of two connected sockets: itself, its holders, and the other's."""
    check(o, truth, roles(word), side=side)
    expect.matches(o, {"kind": "unix-socket", "ref": ref(truth, name),
                       "cookie": truth[name + "_cookie"], "peer": ref(truth, other), "uid": os.geteuid(),
                       "owner": expect.user(os.geteuid())})
    if "peers" in o:
        check_rows(o["peers"], truth, PEER, side=peer_side)


PAIRS = {
    "both": "a,b", "one-process": "a+b", "copies": "a+dup+dup,b", "closed": "a+dup+close,b", "child": "a+fork,b",
    "children": "a+fork+fork,b+fork", "processes": "a,a+dup,b,b", "stopped": "a+stop,b", "leader-gone": "a+leave,b",
    "in-flight": "a,b,flight-b",
}


@pytest.mark.parametrize("kind", ["stream", "seqpacket", "dgram"])
@pytest.mark.parametrize("holders", PAIRS.values(), ids=PAIRS.keys())
def test_pair(ipcctl, factory, kind, holders):
    truth = factory("unix-pair", hold=True, holders=holders, type=kind, queued=7)
    everything = listed(ipcctl, "unix-socket")
    for name, side, other, peer_side in (("a", 0, "b", 1), ("b", 1, "a", 0)):
        for o in (everything[ref(truth, name)], *views(ipcctl, ref(truth, name))):
            check_end(o, truth, name, side, other, peer_side)
            assert (o["type"], o["shutdown"]) == (kind, "none")
            assert o["receive_queue"] == truth[name + "_inq"]
            assert o["send_queue"] == truth[name + "_outq"]
            assert not o.get("name")
        assert "peers" in o


def test_one_end_in_flight(ipcctl, factory):
    """Nobody has it but a message: the peer is known, its holders are none."""
    truth = factory("unix-pair", hold=True, holders="a,flight-b")
    o = ipcctl.describe(ref(truth, "a"))
    assert o["peer"] == ref(truth, "b") and not o.get("peers")
    b = listed(ipcctl, "unix-socket")[ref(truth, "b")]
    assert not b.get("holders") and b["state"] != "orphaned", b


def test_one_end_closed(ipcctl, factory):
    truth = factory("unix-pair", hold=True, holders="a")
    got = listed(ipcctl, "unix-socket")
    assert ref(truth, "b") not in got
    o = got[ref(truth, "a")]
    check(o, truth, roles(o["holders"][0]["role"]))
    assert not o.get("peer")


@pytest.mark.parametrize("end, shown", [("send", ("send", "receive")), ("receive", ("receive", "send")),
                                        ("both", ("both", "both"))])
def test_shutdown(ipcctl, factory, end, shown):
    """What one end will not send the other will not receive."""
    truth = factory("unix-pair", hold=True, holders="a,b", shutdown=end)
    got = listed(ipcctl, "unix-socket")
    assert (got[ref(truth, "a")]["shutdown"], got[ref(truth, "b")]["shutdown"]) == shown


@pytest.mark.parametrize("rights", [0, 1, 5])
def test_descriptors_in_flight(ipcctl, factory, rights):
    truth = factory("unix-pair", hold=True, holders="a,b", rights=rights)
    for o in views(ipcctl, ref(truth, "b")):
        assert o["fds_in_flight"] == rights
    assert ipcctl.describe(ref(truth, "a"))["fds_in_flight"] == 0
    left_out(ipcctl, "unix-socket", ref(truth, "b"), "fds_in_flight", "peers", "peer_pid", "pending_clients")


def test_credentials(ipcctl, factory, copies):
    """Who made the connection, whoever holds it now (SO_PEERCRED in unix(7))."""
    truth = factory("unix-pair", hold=True, holders="a,b")
    for o in views(ipcctl, ref(truth, "a")):
        expect.matches(o, {"peer_pid": truth["pid"], "peer_pid_command": "factory", "peer_uid": os.geteuid(),
                           "peer_gid": os.getegid()})


NAMES = {"abstract": b"\0plain", "escape": b"\0\x1b[2J\x07\n", "not-utf-8": b"\0\xff\xfe", "nuls": b"\0a\0b\0",
         "at": b"\0@x", "rtl": "\0\u202ertl".encode(), "longest": b"\0" + b"x" * 107, "empty": b"\0",
         "every-byte": b"\0" + bytes(range(1, 108))}


def shown(name):
    return b"@" + name[1:] if name[:1] == b"\0" else name


@pytest.mark.parametrize("kind", ["stream", "seqpacket"])
@pytest.mark.parametrize("accepted, pending", [(0, 0), (2, 0), (0, 3), (1, 2)])
def test_listener(ipcctl, factory, tmp_path, kind, accepted, pending):
    path = tmp_path / "s"
    truth = factory("unix-listener", hold=True, holders="a,a+fork", name=str(path), type=kind, backlog=9,
                    accepted=accepted, pending=pending)
    got = listed(ipcctl, "unix-socket")
    st = os.lstat(path)
    assert st.st_ino == truth["file_ino"]
    for o in (got[ref(truth, "listener")], ipcctl.describe(f"unix-socket:{path}"),
              *views(ipcctl, ref(truth, "listener"))):
        check(o, truth, roles("listener"))
        expect.matches(o, {"ref": ref(truth, "listener"), "type": kind, "socket_state": "listen", "name": str(path),
                           "path_inode": truth["file_ino"], "path_device": kernel.mount_device(path),
                           "pending": pending, "backlog": 9, "cookie": truth["listener_cookie"]},
                       "peer", "receive_queue", "send_queue")
    assert sorted(row["ref"] for row in o["pending_clients"]) == sorted(
        ref(truth, f"pending{i}") for i in range(pending))
    for i in range(accepted):
        client, server = got[ref(truth, f"client{i}")], got[ref(truth, f"server{i}")]
        assert (client["peer"], server["peer"]) == (server["ref"], client["ref"])
        # What was accepted bears the listener's name, and is another socket.
        assert server["name"] == str(path) and not client.get("name")
        for o, name in ((client, "client"), (server, "server")):
            assert [(row["pid"], row["fd"], row["role"]) for row in o["holders"]] == [
                (truth["pid"], truth[f"{name}{i}_fd"], "connected")]
    for i in range(pending):
        client = got[ref(truth, f"pending{i}")]
        assert client["peer"] == ref(truth, "listener")
        assert [(row["pid"], row["fd"]) for row in client["holders"]] == [(truth["pid"], truth[f"pending{i}_fd"])]
        check_rows(ipcctl.describe(client["ref"])["peers"], truth, PEER)
    # Embryos that wait to be accepted are no sockets of their own.
    assert "unix-socket:0" not in got


@pytest.mark.parametrize("how", ["{}", "{} holders", "{} state"])
def test_each_field_alone(ipcctl, factory, tmp_path, how):
    """The kernel is asked for no more of each socket than is to be shown: what is, it must be asked for."""
    path = tmp_path / "s"
    truth = factory("unix-listener", hold=True, holders="a", name=str(path), backlog=9, accepted=1, pending=2)
    pair = factory("unix-pair", hold=True, holders="a,b", queued=7)
    bound = {"name": str(path), "path_inode": truth["file_ino"], "path_device": kernel.mount_device(path)}
    for known, socket_ref in (({**bound, "pending": 2, "backlog": 9}, ref(truth, "listener")),
                              ({"receive_queue": pair["b_inq"], "send_queue": pair["b_outq"], "peer": ref(pair, "a")},
                               ref(pair, "b"))):
        for field, value in known.items():
            columns = ",".join(["ref", *how.format(field).split()])
            rows = ipcctl("list", "unix-socket", "--jsonl", "-o", columns).jsonl()
            assert [o[field] for o in rows if o["ref"] == socket_ref] == [value], field
            rows = ipcctl("list", "unix-socket", "--jsonl", "-o", "ref", "-f", f"{field}={value}").jsonl()
            assert socket_ref in [o["ref"] for o in rows], field


def test_a_name_shows_in_the_role(ipcctl):
    """What the role depends on is asked for, though it is no column."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0role of {os.getpid()}")
        rows = ipcctl("list", "unix-socket", "--jsonl", "-o", "ref,holders").jsonl()
        (found,) = [o for o in rows if o["ref"] == f"unix-socket:{os.fstat(end.fileno()).st_ino}"]
    assert {row["role"] for row in found["holders"]} == {"bound"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_abstract_names(ipcctl, factory, name):
    truth = factory("unix-listener", hold=True, holders="a", name=name, accepted=1)
    got = listed(ipcctl, "unix-socket")
    assert unescape(got[ref(truth, "listener")]["name"]) == shown(name)
    assert unescape(got[ref(truth, "server0")]["name"]) == shown(name)
    ipcctl("list", "unix-socket")
    ipcctl("describe", ref(truth, "listener"))
    if b"\0" not in name[1:] and name != b"\0":
        # A reference on the command line cannot hold a zero byte.
        o = ipcctl.describe(b"unix-socket:" + shown(name))
        assert o["ref"] == ref(truth, "listener")


@pytest.mark.parametrize("name", [b"new\nline", b"\x1b[2J", b"\xff\xfe", b"x (deleted)", b"socket:[1]", b"a b"])
def test_hostile_paths(ipcctl, factory, tmp_path, name):
    path = os.fsencode(tmp_path) + b"/" + name
    truth = factory("unix-listener", hold=True, holders="a", name=name, drop=lambda: os.chdir(tmp_path))
    o = ipcctl.describe(b"unix-socket:" + path)
    check(o, truth, roles("listener"))
    assert o["ref"] == ref(truth, "listener") and unescape(o["name"]) == name


def test_a_path_is_found_by_its_file(ipcctl, factory, tmp_path):
    """The name is what bind(2) was told: after a rename it says nothing, and another may bear it."""
    old = factory("unix-listener", hold=True, holders="a", name=str(tmp_path / "s"))
    os.rename(tmp_path / "s", tmp_path / "moved")
    new = factory("unix-listener", hold=True, holders="a", name=str(tmp_path / "s"))
    assert ipcctl.describe(f"unix-socket:{tmp_path}/moved")["ref"] == ref(old, "listener")
    assert ipcctl.describe(f"unix-socket:{tmp_path}/s")["ref"] == ref(new, "listener")
    gone = factory("unix-listener", hold=True, holders="a", name=str(tmp_path / "gone"), unlink=1)
    not_there(ipcctl, f"unix-socket:{tmp_path}/gone")
    assert ipcctl.describe(ref(gone, "listener"))["name"] == str(tmp_path / "gone")


def test_a_file_that_is_called_like_an_abstract_name(ipcctl, factory, tmp_path):
    file = factory("unix-listener", hold=True, holders="a", name="@x", drop=lambda: os.chdir(tmp_path))
    name = factory("unix-listener", hold=True, holders="a", name=b"\0x")
    assert ipcctl.describe("unix-socket:@x")["ref"] == ref(name, "listener")
    assert ipcctl.describe(f"unix-socket:{tmp_path}/@x")["ref"] == ref(file, "listener")


@pytest.mark.parametrize("datagrams", ["", "5", "3,100,7"])
@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_datagrams(ipcctl, factory, tmp_path, datagrams, abstract):
    name = b"\0dgram" if abstract else os.fsencode(tmp_path / "s")
    truth = factory("unix-dgram", hold=True, holders="a,b", name=name, datagrams=datagrams)
    for a, b in ((listed(ipcctl, "unix-socket")[ref(truth, n)] for n in "ab"),
                 (ipcctl.describe(ref(truth, n)) for n in "ab")):
        check(a, truth, roles("bound"), side=0)
        check(b, truth, roles("connected"), side=1)
        assert unescape(a["name"]) == shown(name) and not a.get("peer")
        assert b["peer"] == ref(truth, "a")
        assert a["receive_queue"] == truth["a_inq"]
    check_rows(b["peers"], truth, PEER, side=0)


def test_neither_bound_nor_connected(ipcctl):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        o = listed(ipcctl, "unix-socket")[f"unix-socket:{os.fstat(s.fileno()).st_ino}"]
        assert [(row["pid"], row["fd"], row["role"]) for row in o["holders"]] == [(os.getpid(), s.fileno(), "unbound")]
        assert o["socket_state"] == "unconnected" and not o.get("peer") and not o.get("name")
        assert o["cookie"] == int.from_bytes(s.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")


# Socket files


def stale(path, mode=0o755):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind(str(path))
    os.chmod(path, mode)


def test_socket_files(ipcctl, factory):
    """Below --path: nobody is bound to the stale one, and only that is listed as a file."""
    os.mkdir("/dev/shm/d")
    stale("/dev/shm/d/stale", 0o640)
    live = factory("unix-listener", hold=True, holders="a", name="/dev/shm/d/live")
    receiver = factory("unix-dgram", hold=True, holders="a,b", name="/dev/shm/d/receiver")
    assert "unix-socket:/dev/shm/d/stale" not in listed(ipcctl, "unix-socket")
    got = listed(ipcctl, "unix-socket", "--path", "/dev/shm/d")
    files = {r for r in got if r.startswith("unix-socket:/")}
    assert files == {"unix-socket:/dev/shm/d/stale"}
    assert {ref(live, "listener"), ref(receiver, "a")} <= got.keys()
    st = os.lstat("/dev/shm/d/stale")
    for o in (got["unix-socket:/dev/shm/d/stale"], ipcctl.describe("unix-socket:/dev/shm/d/stale")):
        assert o["state"] == "orphaned" and not o.get("holders"), o
        expect.matches(o, {"path_inode": st.st_ino, "path_device": kernel.mount_device("/dev/shm/d/stale"),
                           "mode": f"0{stat.S_IMODE(st.st_mode):03o}", "uid": os.geteuid()})


@pytest.mark.parametrize("thing, kind", [("unix-listener", "stream"), ("unix-listener", "seqpacket"),
                                         ("unix-dgram", None)])
def test_bound_in_another_network(ipcctl, factory, thing, kind):
    """The kernel lists it in its own network namespace only; connecting there works from here."""
    options = {"type": kind} if kind else {}
    truth = factory(thing, hold=True, holders="a", name="/dev/shm/there",
                    drop=lambda: kernel.unshare(kernel.CLONE_NEWNET), **options)
    name = "listener" if kind else "a"
    assert ref(truth, name) not in listed(ipcctl, "unix-socket")
    o = ipcctl.describe("unix-socket:/dev/shm/there")
    assert o["state"] == "in-use", o
    assert ipcctl("remove", "unix-socket:/dev/shm/there", status=None).status in (0, 1)
    # Whatever that did, it was not done as to a stale file.
    assert os.path.exists("/dev/shm/there")


def test_longer_than_an_address(ipcctl, tmp_path):
    """The path is longer than sun_path: the file is judged all the same."""
    deep = "/dev/shm/" + "/".join(["d" * 200] * 5)
    os.makedirs(deep)
    here = os.open(".", os.O_PATH)
    os.chdir(deep)
    try:
        stale("s")
    finally:
        os.fchdir(here)
        os.close(here)
    assert ipcctl.describe(f"unix-socket:{deep}/s")["state"] == "orphaned"


@pytest.mark.parametrize("what", ["file", "directory", "fifo"])
def test_what_is_no_socket(ipcctl, tmp_path, what):
    path = tmp_path / "x"
    {"file": path.touch, "directory": path.mkdir, "fifo": lambda: os.mkfifo(path)}[what]()
    result = ipcctl("describe", f"unix-socket:{path}", "--quiet", status=1)
    assert result.out == b"" and len(result.errors) == 1
    assert ipcctl("remove", f"unix-socket:{path}", status=1).errors
    assert path.exists()


# Removing


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_remove_ends_a_connection(ipcctl, copies, kind):
    """By shutdown(2): both sides are told."""
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    c, d = socket.socketpair(socket.AF_UNIX, kind)
    with a, b, c, d:
        inode = os.fstat(a.fileno()).st_ino
        ipcctl("remove", "--dry-run", f"unix-socket:{inode}")
        a.send(b"x")
        assert b.recv(10) == b"x"
        ipcctl("remove", f"unix-socket:{inode}")
        assert b.recv(10) == b""
        with pytest.raises(BrokenPipeError):
            b.send(b"x")
        # The neighbours are not concerned.
        c.send(b"y")
        assert d.recv(10) == b"y"


def test_remove_a_stale_file(ipcctl):
    stale("/dev/shm/stale")
    ipcctl("remove", "--dry-run", "unix-socket:/dev/shm/stale")
    assert os.path.exists("/dev/shm/stale")
    ipcctl("remove", "unix-socket:/dev/shm/stale")
    assert not os.path.exists("/dev/shm/stale")


def test_sockets_of_another_network_are_not_ours(ipcctl, factory):
    truth = factory("unix-pair", hold=True, holders="a,b", drop=lambda: kernel.unshare(kernel.CLONE_NEWNET))
    got = listed(ipcctl, "unix-socket")
    assert ref(truth, "a") not in got or got[ref(truth, "a")]["cookie"] == truth["a_cookie"]


def test_all_of_a_directory_in_one_walk(ipcctl, factory, tmp_path):
    """FIFOs and sockets of the same --path, each under its own kind."""
    os.mkfifo("/dev/shm/f")
    stale("/dev/shm/s")
    objects = ipcctl.json("list", "fifo", "unix-socket", "--path", "/dev/shm")["objects"]
    refs = {o["ref"] for o in objects if o["ref"].split(":")[1].startswith("/dev/shm")}
    assert refs == {"fifo:/dev/shm/f", "unix-socket:/dev/shm/s"}


def test_owner_filter(ipcctl, factory):
    truth = factory("unix-pair", hold=True, holders="a,b")
    mine = listed(ipcctl, "unix-socket", "--user", expect.user(os.geteuid()))
    assert {ref(truth, "a"), ref(truth, "b")} <= mine.keys()
    assert listed(ipcctl, "unix-socket", "--user", "4242") == {}
    assert only(ipcctl.json("list", "unix-socket", "-f", f"cookie={truth['a_cookie']}"))["ref"] == ref(truth, "a")


def test_another_network_namespace(ipcctl, background):
    """Its sockets are not told here: an empty list is not said to be whole."""
    code = "import socket, sys, time; s = socket.socketpair(); print(s[0].fileno(), flush=True); time.sleep(60)"
    process = background("unshare", "--net", sys.executable, "-c", code, stdout=subprocess.PIPE)
    process.stdout.readline()
    document = ipcctl.json("list", "unix-socket", "inet-socket", "--pid", str(process.pid))
    assert document["objects"] == [] and document["complete"] is False
    assert any("network namespace" in text for text in document["warnings"]), document
    process.stdout.close()


def test_a_listener_has_no_peer(ipcctl, factory, tmp_path):
    factory("unix-listener", hold=True, holders="a", name=str(tmp_path / "s"))
    o = ipcctl.describe(f"unix-socket:{tmp_path / 's'}")
    assert o["socket_state"] == "listen"
    assert not {"peer", "peer_pid", "peer_uid", "peer_gid"} & o.keys()
