# SPDX-License-Identifier: MIT
"""Internet sockets: addresses, states, and both ends where both are on this machine."""

import errno
import os
import socket
import subprocess

import expect
import kernel
import pytest
from holdings import check, check_rows, listed, not_there, views

PEER = {"fd": ["peer"] * 4}


def roles(word):
    return {"fd": [word] * 4}


def ref(truth, name):
    return f"inet-socket:{truth[name + '_ino']}"


def endpoint(truth, name):
    address = truth[name + "_address"]
    return f"[{address}]:{truth[name + '_port']}" if ":" in address else f"{address}:{truth[name + '_port']}"


def common(truth, name, protocol, family):
    return {"kind": "inet-socket", "ref": ref(truth, name),
            "cookie": truth[name + "_cookie"], "protocol": protocol, "family": f"ipv{family}",
            "local_address": truth[name + "_address"], "local_port": truth[name + "_port"],
            "local": endpoint(truth, name), "uid": os.geteuid(), "owner": expect.user(os.geteuid())}


LISTENERS = {"one": "a", "copies": "a+dup+dup", "children": "a+fork+fork", "processes": "a,a+fork", "stopped": "a+stop",
             "leader-gone": "a+leave", "closed": "a+dup+close", "in-flight": "a,flight"}


@pytest.mark.parametrize("holders", LISTENERS.values(), ids=LISTENERS.keys())
@pytest.mark.parametrize("family", [4, 6])
def test_listener(ipcctl, factory, holders, family):
    truth = factory("inet-listener", hold=True, holders=holders, family=family)
    reference = f"inet-socket:tcp:{endpoint(truth, 'a')}"
    for o in (listed(ipcctl, "inet-socket")[ref(truth, "a")], *views(ipcctl, ref(truth, "a")),
              ipcctl.describe(reference), ipcctl.describe(f"inet-socket:cookie={truth['a_cookie']}")):
        check(o, truth, roles("listener"))
        expect.matches(o, {**common(truth, "a", "tcp", family), "socket_state": "listen"}, "peer")
        assert not o.get("remote_port")


@pytest.mark.parametrize("family", [4, 6])
def test_bound_datagram_socket(ipcctl, factory, family):
    truth = factory("inet-listener", hold=True, holders="a,a+dup", type="udp", family=family)
    for o in (*views(ipcctl, ref(truth, "a")), ipcctl.describe(f"inet-socket:udp:{endpoint(truth, 'a')}")):
        check(o, truth, roles("bound"))
        expect.matches(o, common(truth, "a", "udp", family), "peer")
        assert o["socket_state"] in ("unconnected", "unconn", "close")
    not_there(ipcctl, f"inet-socket:tcp:{endpoint(truth, 'a')}")


@pytest.mark.parametrize("family, address", [(4, "0.0.0.0"), (6, "[::]")])
def test_any_address(ipcctl, factory, family, address):
    truth = factory("inet-listener", hold=True, holders="a", any=1, family=family)
    for word in (address, "*"):
        assert ipcctl.describe(f"inet-socket:tcp:{word}:{truth['a_port']}")["ref"] == ref(truth, "a")


PAIRS = {"both": "a,b", "one-process": "a+b", "copies": "a+dup,b+dup", "children": "a+fork,b+fork+fork",
         "processes": "a,a,b", "leader-gone": "a+leave,b", "stopped": "a,b+stop"}


@pytest.mark.parametrize("holders", PAIRS.values(), ids=PAIRS.keys())
@pytest.mark.parametrize("protocol, family", [("tcp", 4), ("tcp", 6), ("udp", 4), ("udp", 6)])
def test_pair(ipcctl, factory, holders, protocol, family):
    truth = factory("inet-pair", hold=True, holders=holders, type=protocol, family=family, queued=11)
    everything = listed(ipcctl, "inet-socket")
    for name, other, side in (("a", "b", 0), ("b", "a", 1)):
        for o in (everything[ref(truth, name)], *views(ipcctl, ref(truth, name))):
            check(o, truth, roles("connected"), side=side)
            expect.matches(o, {**common(truth, name, protocol, family), "socket_state": "established",
                               "remote_address": truth[other + "_address"], "remote_port": truth[other + "_port"],
                               "remote": endpoint(truth, other), "peer": ref(truth, other)})
            if protocol == "tcp":
                assert o["receive_queue"] == (truth["queued"] if name == "b" else 0)
        check_rows(o["peers"], truth, PEER, side=1 - side)
    if protocol == "tcp":
        assert ref(truth, "listener") not in everything


def udp(server, family=socket.AF_INET, options=()):
    """A server of datagrams, bound to an address and port."""
    s = socket.socket(family, socket.SOCK_DGRAM)
    for level, option, value in options:
        s.setsockopt(level, option, value)
    s.bind(server)
    return s


def peer_of_client(ipcctl, address, family=socket.AF_INET):
    """What is said to be the peer of a client that is connected there."""
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.connect(address)
        return ipcctl.describe(f"inet-socket:{os.fstat(s.fileno()).st_ino}").get("peer")


def reference(s):
    return f"inet-socket:{os.fstat(s.fileno()).st_ino}"


@pytest.mark.parametrize("only", [False, True], ids=["both families", "ipv6 only"])
def test_server_on_all_addresses_of_ipv6(ipcctl, only):
    """IPV6_V6ONLY (ipv6(7)): no client of an IPv4 address reaches it."""
    kernel.loopback_up()
    with udp(("::", 0), socket.AF_INET6, [(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only))]) as server:
        port = server.getsockname()[1]
        assert peer_of_client(ipcctl, ("127.0.0.1", port)) == (None if only else reference(server))
        assert peer_of_client(ipcctl, ("::1", port), socket.AF_INET6) == reference(server)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_servers_that_share_a_port(ipcctl, address):
    """SO_REUSEPORT: the kernel chooses by a digest that it does not tell."""
    kernel.loopback_up()
    reuse = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]
    with udp((address, 0), options=reuse) as one:
        port = one.getsockname()[1]
        assert peer_of_client(ipcctl, ("127.0.0.1", port)) == reference(one)
        with udp((address, port), options=reuse):
            assert peer_of_client(ipcctl, ("127.0.0.1", port)) is None


def test_servers_of_interfaces(ipcctl):
    """SO_BINDTODEVICE: what stays on this machine comes by lo."""
    kernel.loopback_up()
    try:
        subprocess.run(["ip", "link", "add", "other0", "type", "bridge"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no second interface can be made")
    on = {name: [(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)] for name in (b"lo", b"other0")}
    with udp(("0.0.0.0", 0), options=on[b"other0"]) as other:
        port = other.getsockname()[1]
        assert peer_of_client(ipcctl, ("127.0.0.1", port)) is None
        with udp(("0.0.0.0", port), options=on[b"lo"]) as here:
            assert peer_of_client(ipcctl, ("127.0.0.1", port)) == reference(here)


def test_not_accepted_yet(ipcctl, factory):
    """The kernel holds the other ends: they have no inode, and their clients' peers are they."""
    truth = factory("inet-listener", hold=True, holders="a", pending=3)
    got = listed(ipcctl, "inet-socket")
    waiting = {r: o for r, o in got.items() if o.get("local_port") == truth["a_port"] and r != ref(truth, "a")}
    assert len(waiting) == 3
    clients = {}
    for r, o in waiting.items():
        assert r == f"inet-socket:cookie={o['cookie']}" and o["socket_state"] == "established"
        assert not o.get("holders") and o["state"] == "in-use"
        assert ipcctl.describe(r)["ref"] == r
        clients[o["peer"]] = r
    assert clients.keys() == {ref(truth, f"pending{i}") for i in range(3)}
    for i in range(3):
        client = got[ref(truth, f"pending{i}")]
        assert client["peer"] == clients[client["ref"]]
        assert [(row["pid"], row["fd"]) for row in client["holders"]] == [(truth["pid"], truth[f"pending{i}_fd"])]


def test_time_wait(ipcctl, factory):
    """Nobody has it any more; only the kernel remembers."""
    truth = factory("inet-pair", hold=True, closed=1)
    got = listed(ipcctl, "inet-socket")
    o = next(o for o in got.values() if o["local_port"] == truth["a_port"])
    assert o["ref"].startswith("inet-socket:cookie=") and o["socket_state"] == "time-wait"
    assert o["remote_port"] == truth["b_port"] and not o.get("holders")
    assert not {ref(truth, "a"), ref(truth, "b")} & got.keys()


def test_several_at_once(ipcctl, factory):
    """Each has its own peer, though all went to the same port."""
    pairs = [factory("inet-pair", hold=True, holders="a,b", queued=i + 1) for i in range(5)]
    got = listed(ipcctl, "inet-socket")
    for i, truth in enumerate(pairs):
        assert got[ref(truth, "a")]["peer"] == ref(truth, "b")
        assert got[ref(truth, "b")]["peer"] == ref(truth, "a")
        assert got[ref(truth, "b")]["receive_queue"] == i + 1


def test_a_reference_that_means_several(ipcctl):
    """All are said, none is touched."""
    kernel.loopback_up()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = listener.accept()
    with listener, client, server:
        result = ipcctl("describe", f"inet-socket:tcp:127.0.0.1:{port}", "--json", status=None)
        inode = [os.fstat(s.fileno()).st_ino for s in (listener, server)]
        if result.status == 0:
            # The one that is bound there is what is meant.
            assert [o["ref"] for o in result.json()["objects"]] == [f"inet-socket:{inode[0]}"]
        else:
            assert all(str(i) in result.err.decode() for i in inode), result
            assert ipcctl("remove", f"inet-socket:tcp:127.0.0.1:{port}", status=1).errors
            client.send(b"x")
            assert server.recv(1) == b"x"


@pytest.mark.parametrize("what", ["tcp:127.0.0.1:99999", "tcp:127.0.0.1", "tcp:localhost:80", "xyz:127.0.0.1:80",
                                  "tcp:::1:80", "cookie=x", "cookie=", "tcp:[::1:80", "tcp:127.0.0.1:", "tcp:1.2.3:4"])
def test_wrong_references(ipcctl, what):
    ipcctl.refuses("describe", f"inet-socket:{what}")


def test_nothing_there(ipcctl):
    for what in ("tcp:127.0.0.1:9", "udp:[::1]:9", "cookie=18446744073709551614", "4294967290"):
        not_there(ipcctl, f"inet-socket:{what}")


def test_remove(ipcctl):
    """By SOCK_DESTROY: its owner is told ECONNABORTED, the other side hangs up."""
    kernel.loopback_up()
    listener = socket.create_server(("127.0.0.1", 0))
    pairs = []
    for _ in range(2):
        client = socket.create_connection(listener.getsockname())
        pairs.append((client, listener.accept()[0]))
    (client, server), (other, kept) = pairs
    with listener, client, server, other, kept:
        inode = os.fstat(client.fileno()).st_ino
        ipcctl("remove", "--dry-run", f"inet-socket:{inode}")
        client.send(b"x")
        assert server.recv(1) == b"x"
        result = ipcctl("remove", f"inet-socket:{inode}", status=None)
        if result.status == 1 and "not supported" in result.err.decode():
            pytest.skip("this kernel has no SOCK_DESTROY")
        assert result.status == 0, result
        with pytest.raises(OSError) as caught:
            client.recv(1)
        assert caught.value.errno in (errno.ECONNABORTED, errno.ECONNRESET)
        other.send(b"y")
        assert kept.recv(1) == b"y"


def test_other_protocols(ipcctl):
    """A raw socket is listed with its protocol; where its module is missing nothing is said to be wrong."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) as s:
        document = ipcctl.json("list", "inet-socket")
        mine = [o for o in document["objects"] if o["ref"] == f"inet-socket:{os.fstat(s.fileno()).st_ino}"]
        assert len(mine) <= 1 and all(o["protocol"].startswith("raw") for o in mine)


def test_sockets_of_another_network_are_not_ours(ipcctl, factory):
    truth = factory("inet-listener", hold=True, holders="a", drop=lambda: kernel.unshare(kernel.CLONE_NEWNET))
    got = listed(ipcctl, "inet-socket")
    assert ref(truth, "a") not in got or got[ref(truth, "a")]["cookie"] == truth["a_cookie"]
