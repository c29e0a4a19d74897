# SPDX-License-Identifier: MIT
"""graph: nodes and edges against what the test itself made, and pictures against what dot(1) understood."""

import fcntl
import mmap
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import termios
import time
import xml.etree.ElementTree as ElementTree

import kernel
import pytest
from conftest import under_valgrind
from holdings import starts
from program import ENVIRONMENT, unescape

NAME = 15  # bytes of a command that the kernel keeps
SVG = "{http://www.w3.org/2000/svg}"
# What fools those who write DOT, Mermaid, HTML or XML; as commands the kernel keeps but 15 bytes.
HOSTILE = [
    b'"', b'"];', b'"]; x [label="', b"\\", b'\\"', b"a\\nb", b"\\N \\G", b"new\nline", b"-->", b"n1 --> n2",
    b"<b>", b"<<b>bold</b>>", b"&lt;&amp;&#60;", b"&quot;", b"]]>", b"]]", b"])}}", b"|x|", b"#quot;", b"#35;",
    b"%%{init}%%", b"%% x", b"end", b"subgraph", b"--- x ---", b"`x`", b"{a|b|<p>c}", b"a:b:c", b"/*", b"//x",
    b"\xff\xfe", b"\xc3", b"\x1b[2J", "ünïcödé".encode(), "漢字".encode(), "\u202egnp".encode(), b" lead", b"$(id)",
    b"<!--x-->", b"click n1", b":::process", b"\ttab", b"a;b", b"__x__", b"**x**", b"x" * 255, b'"' * 200, b"\xff" * 150,
]
HOSTILE = [name.replace(b"/", b"|") for name in HOSTILE]


@pytest.fixture
def spawn(isolated):
    """spawn(FD..., name=, then=): a child that has these descriptors and no others; its pid. It comes back
    when the child is ready, or about to do `then`, which may block."""
    pids = []

    def child(ready, fds, name, then):
        kernel.call("prctl", 1, signal.SIGKILL, 0, 0, 0)
        kernel.call("prctl", 15, name, 0, 0, 0)
        for fd in os.listdir("/proc/self/fd"):
            if int(fd) not in (*fds, ready):
                try:
                    os.close(int(fd))
                except OSError:
                    pass  # the one that listed them
        # Its own memory between processes, whatever the tests' runner has.
        keep = then() if then and not getattr(then, "late", False) else None
        os.close(ready)
        if then and getattr(then, "late", False):
            then()
        while keep is None or keep:
            signal.pause()

    def spawn(*fds, name=b"holder", then=None):
        asked, ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                child(ready, fds, name, then)
            finally:
                os._exit(1)
        os.close(ready)
        pids.append(pid)
        assert os.read(asked, 1) == b""  # everybody who had the other end has closed it
        os.close(asked)
        return pid

    yield spawn
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def late(function):
    """Marks what may block, and is done when the child has reported."""
    function.late = True
    return function


@pytest.fixture
def files():
    """Descriptors that the test closes in the end, unless it did."""
    fds = []
    yield fds
    close(*fds)


def close(*fds):
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


class Graph:
    """The document of --format json, with what must hold of any."""

    def __init__(self, document):
        self.document = document
        assert list(document) == ["schema", "time", "host", "nodes", "edges", "left_out", "complete",
                                  "unreadable_processes", "warnings"], list(document)
        self.nodes = {node["id"]: node for node in document["nodes"]}
        self.edges = document["edges"]
        assert list(self.nodes) == [f"n{i + 1}" for i in range(len(self.nodes))]
        for node in self.nodes.values():
            assert node["type"] in ("process", "object"), node
            if node["type"] == "process":
                assert len(node.get("processes", [])) == node.get("count", 0)
                # Of what ended meanwhile there may be no more to tell.
                assert {"pid", "start_time", "command", "user"} <= set(node) or not os.path.exists(f"/proc/{node['pid']}")
            else:
                assert node["ref"].startswith(node["kind"] + ":") and node["objects"][0] == {"ref": node["ref"]}
                assert node["count"] == len(node["objects"])
        looks = [tuple(edge.get(k) for k in ("from", "to", "type", "kind", "direction", "verdict", "deadlock"))
                 for edge in self.edges]
        assert len(looks) == len(set(looks)), "edges that look the same"
        for edge in self.edges:
            assert {edge["from"], edge["to"]} <= set(self.nodes) and edge["count"] == len(edge["objects"]), edge
            assert edge["type"] in ("uses", "connects", "held-by", "waits-for"), edge
            ends = [self.nodes[edge[end]]["type"] for end in ("from", "to")]
            assert "process" in ends and (edge["type"] != "connects" or ends == ["process", "process"]), edge

    def process(self, pid):
        node, = [n for n in self.nodes.values() if n.get("pid") == pid]
        return node

    def has(self, pid):
        return any(n.get("pid") == pid for n in self.nodes.values())

    @property
    def pids(self):
        return {n["pid"] for n in self.nodes.values() if n["type"] == "process"}

    def object(self, ref):
        node, = [n for n in self.nodes.values() if {"ref": ref} in n.get("objects", [])]
        return node

    @property
    def refs(self):
        return {o["ref"] for n in self.nodes.values() for o in n.get("objects", [])}

    def name(self, node):
        return node.get("pid") or node["ref"]

    def between(self, *names):
        """Edges with both ends among these pids and references, as (from, to, what)."""
        out = []
        for edge in self.edges:
            ends = [self.name(self.nodes[edge[end]]) for end in ("from", "to")]
            if set(ends) <= set(names):
                out.append((*ends, edge))
        return out

    def edge(self, a, b, **what):
        """The only edge between these two, either way, that is so."""
        found = [e for e in self.between(a, b) if e[0] != e[1] and what.items() <= e[2].items()]
        assert len(found) == 1, (found, self.between(a, b))
        return found[0]


def graph(ipcctl, *words, **options):
    return Graph(ipcctl.json("graph", *words, **options))


def doomed(ipcctl, pids, *words):
    """The graph once all of these are in a deadlock. A look may miss it on a busy machine, where tasks and
    locks are not seen at one moment: it counts only if two looks agree."""
    deadline = time.monotonic() + 60
    while True:
        g = graph(ipcctl, *words)
        if all("deadlock" in g.process(pid) for pid in pids):
            return g
        assert time.monotonic() < deadline, g.document


def seen(ipcctl, mark, *words):
    """The text once it has this mark, for the same reason."""
    deadline = time.monotonic() + 60
    while mark not in (text := ipcctl("graph", "--quiet", *words).text):
        assert time.monotonic() < deadline, text
    return text


def label_of(node):
    """What is written on a process or on an object that is there once, lines and all."""
    if node["type"] == "process":
        first = [f"{node['pid']} {short(node['command'])}"]
        return first + ([f"DEADLOCK {node['deadlock']}"] if "deadlock" in node else [])
    lines = [short(o["ref"]) for o in node["objects"][:3]]
    if node["count"] > 1:
        lines.insert(0, f"{node['kind']} ×{node['count']}")
    if node["count"] > 3:
        lines.append(f"and {node['count'] - 3} more")
    if "size" in node:
        lines.append(human(node["size"]))
    if node["state"] != "in-use":
        lines.append("use unknown" if node["state"] == "unknown" else node["state"])
    return lines


def human(size):
    """As tables write sizes: at most four digits."""
    unit = 0
    value = float(size)
    while value >= 1023.95 and unit < 4:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return str(size)
    text = f"{int(value * 10 + 0.5) / 10:.1f}"
    return text.removesuffix(".0") + " KMGT"[unit]


def short(escaped):
    """A name of more than 60 bytes by its beginning and its end, no character cut in two."""
    raw = unescape(escaped)
    if len(raw) <= 60:
        return escaped
    head, tail = None, None
    chars = [c.encode("utf-8", "surrogateescape") for c in raw.decode("utf-8", "surrogateescape")]
    at, head, tail = 0, 0, None
    for char in chars:
        if at + len(char) <= 40:
            head = at + len(char)
        if tail is None and at >= len(raw) - 16:
            tail = at
        at += len(char)
    return escape(raw[:head]) + "…" + escape(raw[tail:])


def escape(raw):
    """Only of what these tests cut: bytes that are no UTF-8, quotes and letters."""
    return "".join(f"\\x{ord(c) - 0xdc00:02x}" if 0xdc80 <= ord(c) <= 0xdcff else "\\\\" if c == "\\" else c
                   for c in raw.decode("utf-8", "surrogateescape"))


@pytest.fixture
def dot():
    program = shutil.which("dot")
    if not program:
        pytest.skip("Graphviz is not installed")

    def dot(text):
        """The SVG of it: {name: lines of its label} of nodes, and [(from, to, lines)] of edges."""
        run = subprocess.run([program, "-Tsvg"], input=text, capture_output=True, env=ENVIRONMENT, timeout=120)
        assert run.returncode == 0 and not [line for line in run.stderr.decode().splitlines()
                                            if "font" not in line.lower() and "pango" not in line.lower()], run.stderr
        nodes, edges = {}, []
        for g in ElementTree.fromstring(run.stdout).iter(f"{SVG}g"):
            title = g.find(f"{SVG}title")
            # It keeps blanks by writing them as such that do not break.
            lines = [(text.text or "").replace("\xa0", " ") for text in g.iter(f"{SVG}text")]
            if g.get("class") == "node":
                assert title.text not in nodes
                nodes[title.text] = lines
            elif g.get("class") == "edge":
                edges.append((*title.text.split("->"), lines))
        return nodes, edges
    return dot


MERMAID = {
    "comment": re.compile(r" {4}%% [ -~]*"),
    "class": re.compile(r" {4}classDef [a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}"),
    "node": re.compile(r' {4}(n\d+)(\(|\[\(|\{\{|\(\[|\[)"([^"]*)"(\)|\)\]|\}\}|\]\)|\]):::([a-z]+)'),
    "edge": re.compile(r' {4}(n\d+) (-->|<-->|---|-\.->)(?:\|"([^"]*)"\|)? (n\d+)'),
    "cluster": re.compile(r' {4}subgraph c\d+\["([^"]*)"\]'),
    "end": re.compile(r" {4}end"),
    "colour": re.compile(r" {4}linkStyle \d+(,\d+)* stroke:#[0-9a-f]{6},color:#[0-9a-f]{6},stroke-width:3px"),
}
CLOSES = {"(": ")", "[(": ")]", "{{": "}}", "([": "])", "[": "]"}
# Within quotes: what means nothing anywhere in Mermaid, its entities, and breaks of lines.
MERMAID_TEXT = re.compile(r"(?:[A-Za-z0-9 ./:,+_?\u0080-\U0010ffff]|(?<!-)-|#\d+;|<br/>)*")


def mermaid_text(text):
    assert MERMAID_TEXT.fullmatch(text), text
    return [re.sub(r"#(\d+);", lambda m: chr(int(m.group(1))), line) for line in text.split("<br/>")]


def mermaid(text):
    """The same of a Mermaid flowchart, by a grammar that allows nothing but what is meant."""
    head, *lines = text.removesuffix("\n").split("\n")
    assert head == "flowchart LR"
    nodes, edges = {}, []
    for line in lines:
        (what, match), = [(what, m) for what, rule in MERMAID.items() if (m := rule.fullmatch(line))]
        if what == "node":
            name, opens, label, closes, _ = match.groups()
            assert closes == CLOSES[opens] and name not in nodes
            nodes[name] = mermaid_text(label)
        elif what == "edge":
            edges.append((match.group(1), match.group(4), mermaid_text(match.group(3) or "")))
        elif what == "cluster":
            mermaid_text(match.group(1))
    return nodes, edges


def check_pictures(ipcctl, dot, *words):
    """Both pictures have the nodes, labels and edges of the JSON document, and nothing else."""
    g = graph(ipcctl, *words)
    expected = {name: label_of(node) for name, node in g.nodes.items()}
    ends = sorted((edge["from"], edge["to"]) for edge in g.edges)
    for nodes, edges in (dot(ipcctl("graph", "--quiet", *words).out),
                         mermaid(ipcctl("graph", "--quiet", "--format", "mermaid", *words).text)):
        assert nodes == expected
        assert sorted(edge[:2] for edge in edges) == ends
    return g


def pipes(n, files):
    out = [os.pipe() for _ in range(n)]
    files += [fd for pair in out for fd in pair]
    return out


def ref(fd, kind="pipe"):
    return f"{kind}:{os.fstat(fd).st_ino}"


def read_only(value):
    """What only a copy of a descriptor tells."""
    return None if under_valgrind() else value


def test_a_pipeline_of_three(ipcctl, spawn, files):
    (r1, w1), (r2, w2) = pipes(2, files)
    fcntl.fcntl(w2, 1031, 8192)  # F_SETPIPE_SZ
    os.write(w1, b"x" * 300)
    refs = [ref(r1), ref(r2)]
    a, b, c = spawn(w1, name=b"first"), spawn(r1, w2, name=b"second"), spawn(r2, name=b"third")
    close(*files)
    g = graph(ipcctl, "pipe", "--pid", str(b))
    assert g.pids == {a, b, c} and len(g.edges) == 2 and not g.refs
    for (start, end), pipe, queued, capacity in (((a, b), refs[0], 300, 65536), ((b, c), refs[1], 0, 8192)):
        edge = g.edge(start, end)
        assert edge[:2] == (start, end) and edge[2] == {
            **edge[2], "type": "connects", "kind": "pipe", "direction": "forward", "ref": pipe, "count": 1,
            "objects": [{"ref": pipe}], "queued": read_only(queued), "capacity": read_only(capacity)}
    for pid, name in ((a, "first"), (b, "second"), (c, "third")):
        node = g.process(pid)
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            assert node["start_time"] in starts(int(f.read().rpartition(")")[2].split()[19]))
        assert node["command"] == name
        for which in ("pid", "ipc"):
            assert os.readlink(f"/proc/{pid}/ns/{which}") == f"{which}:[{node[f'{which}_namespace']}]"


def test_a_unix_client_and_server(ipcctl, spawn, tmp_path):
    """From who asked to who took the connection, once, with what waits to be read at either end."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        client.connect(path)
        accepted, _ = listener.accept()
        with accepted:
            accepted.send(b"x" * 70)
            client.send(b"x" * 11)
            inodes = {os.fstat(s.fileno()).st_ino for s in (client, accepted)}
            server = spawn(listener.fileno(), accepted.fileno(), name=b"server")
            caller = spawn(client.fileno(), name=b"client")
    g = graph(ipcctl, "unix-socket", "--pid", str(server))
    assert g.pids == {server, caller} and len(g.edges) == 1
    start, end, edge = g.edge(server, caller)
    assert (start, end) == (caller, server)
    assert (edge["type"], edge["direction"], edge["count"]) == ("connects", "forward", 1)
    assert int(edge["ref"].split(":")[1]) in inodes
    assert (edge["queued"], edge["queued_back"]) == (11, 70) and "capacity" not in edge
    # The listener is the server's alone.
    assert {"kind": "unix-socket", "why": "one-process", "count": 1} in g.document["left_out"]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_a_tcp_client_and_servers(ipcctl, spawn, family):
    """Two that the server has forked share the listener."""
    kernel.loopback_up()
    with socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family) as listener:
        with socket.create_connection(listener.getsockname()[:2]) as client:
            accepted, _ = listener.accept()
            with accepted:
                client.send(b"x" * 11)
                server = spawn(listener.fileno(), accepted.fileno(), name=b"server")
                caller = spawn(client.fileno(), name=b"client")
        idle = spawn(listener.fileno(), name=b"worker")
        shared = ref(listener.fileno(), "inet-socket")
    g = graph(ipcctl, "tcp", "--pid", str(server))
    assert g.pids == {server, caller, idle} and g.refs == {shared}
    start, end, edge = g.edge(server, caller)
    assert (start, end) == (caller, server) and (edge["direction"], edge["count"]) == ("forward", 1)
    assert (edge["queued"], edge["queued_back"]) == (11, 0)
    for pid in (server, idle):
        assert g.edge(pid, shared)[2]["roles"] == "listener"
    # Filters are of objects: connections to this port, whichever end has it.
    assert graph(ipcctl, "udp", "--pid", str(server)).edges == []


def test_a_pair_of_sockets_has_no_direction(ipcctl, spawn):
    a, b = socket.socketpair()
    with a, b:
        one, other = spawn(a.fileno()), spawn(b.fileno())
    g = graph(ipcctl, "unix-socket", "--pid", str(one))
    edge = g.edge(one, other)[2]
    assert (edge["type"], edge["direction"], edge["count"], len(g.edges)) == ("connects", "both", 1, 1)


def test_datagrams_to_one(ipcctl, spawn, tmp_path):
    """Many are connected to a socket that is connected to nobody."""
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(path)
        server = spawn(log.fileno(), name=b"logger")
        clients = []
        for _ in range(3):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.connect(path)
                clients.append(spawn(s.fileno()))
    g = graph(ipcctl, "unix-socket", "--pid", str(server))
    assert g.pids == {server, *clients} and len(g.edges) == 3
    for client in clients:
        start, end, edge = g.edge(client, server)
        assert (start, end, edge["direction"]) == (client, server, "forward")


def map_file(path, protection):
    def act():
        # Python keeps a copy of the descriptor beside the mapping.
        fd = os.open(path, os.O_RDWR if protection & mmap.PROT_WRITE else os.O_RDONLY)
        try:
            return mmap.mmap(fd, 8192, mmap.MAP_SHARED, protection)
        finally:
            os.close(fd)
    return act


def test_two_processes_on_one_segment(ipcctl, spawn, factory):
    factory("file", name="/dev/shm/frames", content=b"x" * 8192)
    writer = spawn(then=map_file("/dev/shm/frames", mmap.PROT_READ | mmap.PROT_WRITE))
    reader = spawn(then=map_file("/dev/shm/frames", mmap.PROT_READ))
    g = graph(ipcctl, "posix-shm")
    assert g.refs == {"posix-shm:/frames"} and g.pids == {writer, reader}
    node = g.object("posix-shm:/frames")
    assert (node["kind"], node["state"], node["size"], node["count"]) == ("posix-shm", "in-use", 8192, 1)
    for pid, access, roles in ((writer, "both", "open, mapped"), (reader, None, "open, mapped")):
        start, end, edge = g.edge(pid, node["ref"])
        assert (edge["type"], edge["roles"], edge["count"]) == ("uses", roles, 1)
        # Bytes come out of the segment to who may only read it.
        assert edge["direction"] == (access or "forward")
        assert (start, end) == ((pid, node["ref"]) if access else (node["ref"], pid))


def test_a_system_v_segment(ipcctl, factory):
    truth = factory("held-sysv-shm", hold=True, size=4096, holders="attach,attach-r")
    pids = {h["pid"] for h in truth["holdings"]}
    g = graph(ipcctl, "sysv-shm")
    assert g.pids == pids and len(pids) == 2 and g.refs == {f"sysv-shm:{truth['id']}"}
    assert {e["type"] for e in g.edges} == {"uses"} and len(g.edges) == 2


def test_a_queue_and_who_used_it_last(ipcctl, spawn):
    """System V queues have no holders, but note who sent and who received last."""
    queue = kernel.msgget(0, 0o1600)
    sender = spawn(then=lambda: (kernel.msg_send(queue, 1, b"abc"), kernel.msg_send(queue, 1, b"d"), [True])[2])
    receiver = spawn(then=lambda: kernel.msg_drain(queue) is None or [True])
    g = graph(ipcctl, "sysv-msg")
    name = f"sysv-msg:{queue}"
    assert g.refs == {name} and g.pids == {sender, receiver}
    assert g.edge(sender, name)[:2] == (sender, name) and g.edge(sender, name)[2]["roles"] == "sent last"
    assert g.edge(receiver, name)[:2] == (name, receiver) and g.edge(receiver, name)[2]["roles"] == "received last"


def test_a_terminal(ipcctl, spawn, files):
    master, slave = pty.openpty()
    files += [master, slave]
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    os.write(slave, b"x" * 20)
    name = f"pty:{os.ttyname(slave)}"
    emulator, shell = spawn(master, name=b"emulator"), spawn(slave, name=b"shell")
    # Printed is what has come through; waiting for that is no matter of time.
    deadline = time.monotonic() + 20
    queued = bytearray(4)
    while fcntl.ioctl(master, termios.FIONREAD, queued) or int.from_bytes(queued, "little") != 20:
        assert time.monotonic() < deadline
    close(*files)
    g = graph(ipcctl, "pty", "--pid", str(shell))
    assert g.pids == {emulator, shell} and len(g.edges) == 1
    start, end, edge = g.edge(emulator, shell)
    assert (start, end, edge["type"], edge["direction"], edge["ref"]) == (emulator, shell, "connects", "both", name)
    assert (edge["queued"], edge["queued_back"]) == (read_only(0), read_only(20))


def test_a_deadlock_of_three(ipcctl, factory, dot, tmp_path, lookups):
    """A circle that can be followed along the edges, all in red."""
    path = str(tmp_path / "lock")
    truth = factory("steps", hold=True, locks="flock,flock,flock", steps="0:0,1:1,2:2,0:1,1:2,2:0", name="/s",
                    path=path)
    pids = truth["pids"]
    g = doomed(ipcctl, pids, "flock")
    locks = [f"flock:{path}{i}" for i in range(3)]
    assert g.refs == set(locks) and g.pids == set(pids)
    circle = {e[:2]: e[2] for e in g.between(*pids, *locks)}
    assert len(circle) == len(g.edges) == 6
    for i, pid in enumerate(pids):
        wait, held = circle[pid, locks[(i + 1) % 3]], circle[locks[i], pid]
        assert (wait["type"], wait["waits"], wait["verdict"], wait["deadlock"]) == ("waits-for", 1, "deadlock", 1)
        assert (held["type"], held["deadlock"]) == ("held-by", 1)
        assert g.process(pid)["deadlock"] == 1 and g.object(locks[i])["waiters"] == 1
    text = seen(ipcctl, "DEADLOCK 1", "flock")
    red = [line for line in text.splitlines() if "->" in line and 'color="#b30000"' in line and "penwidth=2" in line]
    assert len(red) == 6
    assert len(re.findall(r'DEADLOCK 1"', text)) == 3
    nodes, edges = dot(text.encode())
    assert {lines[1] for lines in nodes.values() if len(lines) > 1} == {"DEADLOCK 1"} and len(edges) == 6
    text = seen(ipcctl, "DEADLOCK 1", "flock", "--format", "mermaid")
    assert re.search(r"^    linkStyle 0,1,2,3,4,5 stroke:#b30000", text, re.M)
    assert (nodes, sorted(e[:2] for e in edges)) == (mermaid(text)[0], sorted(e[:2] for e in mermaid(text)[1]))


def test_one_step_before_a_deadlock(ipcctl, factory, tmp_path):
    truth = factory("steps", hold=True, locks="mutex,mutex,mutex", steps="0:0,1:1,2:2,0:1,1:2", name="/s",
                    path=str(tmp_path / "lock"))
    g = graph(ipcctl, "futex")
    assert g.pids >= set(truth["pids"])
    waits = [e for e in g.edges if e["type"] == "waits-for"]
    assert len(waits) == 2 and {e["verdict"] for e in waits} == {"waiting"}
    assert not [x for x in (*g.edges, *g.nodes.values()) if "deadlock" in x]


@pytest.mark.parametrize("lock", ["mutex", "sem", "set", "ofd"])
def test_every_circle_can_be_followed(ipcctl, factory, tmp_path, lock):
    """Along edges of the deadlock one comes from each process back to it."""
    truth = factory("steps", hold=True, locks=f"{lock},{lock}", steps="0:0,1:1,0:1,1:0", name="/s",
                    path=str(tmp_path / "lock"))
    g = doomed(ipcctl, truth["pids"])
    ways = {}
    for edge in g.edges:
        if edge.get("deadlock") == 1:
            ways.setdefault(edge["from"], set()).add(edge["to"])
    for pid in truth["pids"]:
        start = g.process(pid)["id"]
        met, todo = set(), [start]
        while todo:
            new = ways.get(todo.pop(), set()) - met
            met |= new
            todo += new
        assert {g.process(p)["id"] for p in truth["pids"]} <= met, (met, g.edges)


def wait_for_sleep(pid, call):
    """Until the process sleeps in a function of the kernel whose name has this in it."""
    deadline = time.monotonic() + 20
    while True:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as f:
            if call in f.read():
                return
        assert time.monotonic() < deadline


def test_who_reads_waits_for_who_writes(ipcctl, spawn, files):
    (r, w), = pipes(1, files)
    name = ref(r)
    reader = spawn(r, then=late(lambda: os.read(r, 1)))
    writer = spawn(w)
    close(*files)
    wait_for_sleep(reader, "pipe")
    g = graph(ipcctl, "pipe", "--pid", str(reader))
    assert g.edge(reader, writer, type="connects")[:2] == (writer, reader)
    start, end, edge = g.edge(reader, writer, type="waits-for")
    assert (start, end, edge["ref"], edge["waits"], edge["verdict"]) == (reader, writer, name, 1, "waiting")
    dashed = [line for line in ipcctl("graph", "pipe", "--pid", str(reader), "--quiet").lines if "dashed" in line]
    assert len(dashed) == 1 and name in dashed[0]


def test_what_nobody_can_end_is_a_node(ipcctl, spawn, files):
    """Alone with a pipe, and blocked in it."""
    (r, w), = pipes(1, files)
    name = ref(r)
    reader = spawn(r, w, then=late(lambda: os.read(r, 1)))
    close(*files)
    wait_for_sleep(reader, "pipe")
    g = graph(ipcctl, "pipe", "--pid", str(reader))
    assert g.pids == {reader} and g.refs == {name}
    assert g.edge(reader, name, type="waits-for")[:2] == (reader, name)


def test_lines_that_look_the_same_are_one(ipcctl, spawn, files, dot):
    three = pipes(3, files)
    back = pipes(1, files)
    for i, (_, w) in enumerate(three):
        os.write(w, b"x" * (i + 1))
    names = {ref(r) for r, _ in three}
    a = spawn(*(w for _, w in three), back[0][0])
    b = spawn(*(r for r, _ in three), back[0][1])
    close(*files)
    g = graph(ipcctl, "pipe", "--pid", str(a))
    forth, = [e for e in g.between(a, b) if e[0] == a]
    assert forth[2]["count"] == 3 and {o["ref"] for o in forth[2]["objects"]} == names and forth[2]["ref"] in names
    assert (forth[2]["queued"], forth[2]["capacity"]) == (read_only(6), read_only(3 * 65536))
    assert len(g.edges) == 2, "the other way is another line"
    nodes, edges = dot(ipcctl("graph", "pipe", "--pid", str(a), "--quiet").out)
    assert len(nodes) == 2 and sorted(lines[0] for _, _, lines in edges) == ["pipe", "pipe ×3"]
    result = ipcctl("graph", "pipe", "--pid", str(a))
    remark = "2 lines are drawn together with others that look the same"
    assert f"ipcctl: {remark}" in result.errors and f"// {remark}" in result.lines


def test_objects_that_look_the_same_are_one(ipcctl, spawn, files):
    for _ in range(5):
        files.append(os.memfd_create("x"))
        os.ftruncate(files[-1], 4096)
    names = [ref(fd, "memfd") for fd in files]
    a, b, c = spawn(*files), spawn(*files[:4]), spawn(files[4])
    close(*files)
    g = graph(ipcctl, "memfd", "--pid", str(a))
    assert g.pids == {a, b, c} and g.refs == set(names) and len(g.nodes) == 3 + 2
    node = g.object(names[0])
    assert node["count"] == 4 and {o["ref"] for o in node["objects"]} == set(names[:4]) and node["size"] == 4 * 4096
    assert g.object(names[4])["count"] == 1
    for pid in (a, b):
        assert g.edge(pid, node["ref"])[2]["count"] == 4


def test_never_more_lines_than_holders(ipcctl, spawn, files):
    """A pipe that twenty can read and write, as the one of make -j: a node, not 380 lines."""
    (r, w), = pipes(1, files)
    name = ref(r)
    pids = [spawn(r, w) for _ in range(20)]
    close(*files)
    g = graph(ipcctl, "pipe", "--pid", str(pids[0]))
    assert g.pids == set(pids) and g.refs == {name} and len(g.edges) == 20
    assert {e["direction"] for e in g.edges} == {"both"}


def test_many_writers_of_one_pipe(ipcctl, spawn, files):
    """As the standard error of a service: a line from each."""
    (r, w), = pipes(1, files)
    reader, writers = spawn(r), [spawn(w) for _ in range(10)]
    close(*files)
    g = graph(ipcctl, "pipe", "--pid", str(reader))
    assert sorted(e[:2] for e in g.between(*g.pids)) == [(pid, reader) for pid in sorted(writers)]


def test_two_who_both_have_both_ends(ipcctl, spawn, files):
    (r, w), = pipes(1, files)
    a, b = spawn(r, w), spawn(r, w)
    close(*files)
    g = graph(ipcctl, "pipe", "--pid", str(a))
    edge = g.edge(a, b)[2]
    assert (edge["direction"], edge["count"], len(g.edges)) == ("both", 1, 1)


def test_neighbourhood(ipcctl, spawn, files):
    """A chain of six, seen from the third."""
    chain = pipes(5, files)
    pids = [spawn(*([chain[i - 1][0]] if i else []), *([chain[i][1]] if i < 5 else [])) for i in range(6)]
    close(*files)
    for depth, expected in ((0, pids[2:3]), (1, pids[1:4]), (2, pids[0:5]), (3, pids), (10**18, pids)):
        g = graph(ipcctl, "pipe", "--pid", str(pids[2]), "--depth", str(depth))
        assert g.pids == set(expected), depth
        assert len(g.edges) == len(expected) - 1
    assert graph(ipcctl, "pipe", "--pid", str(pids[2])).pids == set(pids[1:4])


def test_neighbours_through_an_object(ipcctl, spawn, files):
    """An object is no step of its own, and lines between neighbours are not shown."""
    files.append(os.memfd_create("x"))
    (r, w), = pipes(1, files)
    a, b, c = spawn(files[0]), spawn(files[0], w), spawn(files[0], r)
    close(*files)
    g = graph(ipcctl, "--pid", str(a))
    assert g.pids == {a, b, c} and not [e for e in g.edges if e["kind"] == "pipe"]
    assert g.edge(b, c, kind="pipe", type="connects") if (
        g := graph(ipcctl, "--pid", str(a), "--depth", "2")) else None


def test_pid_that_shares_nothing(ipcctl, spawn):
    pid = spawn()
    g = graph(ipcctl, "pipe", "memfd", "--pid", str(pid))
    assert g.pids == {pid} and not g.edges
    ipcctl.refuses("graph", "--pid", "999999999", status=1, words=["no such process"])


def test_what_one_process_has_alone(ipcctl, spawn, files):
    files.append(os.memfd_create("x"))
    name = ref(files[0], "memfd")
    pid = spawn(*files)
    close(*files)
    plain = ipcctl("graph", "memfd", "--pid", str(pid))
    assert name not in plain.text
    remark = "1 object of one process is left out (--all)"
    assert f"ipcctl: {remark}" in plain.errors and f"// {remark}" in plain.lines
    g = graph(ipcctl, "memfd", "--pid", str(pid))
    assert not g.refs and g.document["left_out"] == [{"kind": "memfd", "why": "one-process", "count": 1}]
    g = graph(ipcctl, "memfd", "--pid", str(pid), "--all")
    assert g.refs == {name} and g.edge(pid, name) and g.document["left_out"] == []
    assert remark not in "".join(ipcctl("graph", "memfd", "--pid", str(pid), "--all").errors)


def test_what_nobody_can_write_connects_nobody(ipcctl, spawn, tmp_path):
    """Such as a cache of fonts that every program has mapped."""
    path = tmp_path / "cache"
    path.write_bytes(b"x" * 8192)
    name = f"file-mapping:{kernel.mount_device(tmp_path)}:{path.stat().st_ino}"
    readers = [spawn(then=map_file(path, mmap.PROT_READ)) for _ in range(2)]
    g = graph(ipcctl, "file-mapping", "--pid", str(readers[0]))
    assert name not in g.refs and {"read-only"} == {
        row["why"] for row in g.document["left_out"] if row["kind"] == "file-mapping" and row["why"] == "read-only"}
    assert name in graph(ipcctl, "file-mapping", "--pid", str(readers[0]), "--all").refs
    writer = spawn(then=map_file(path, mmap.PROT_READ | mmap.PROT_WRITE))
    assert {writer, *readers} <= graph(ipcctl, "file-mapping", "--pid", str(readers[0])).pids


def test_orphans_are_shown_in_colour(ipcctl, factory, dot):
    """They are what deserves a look; those that look the same are one node."""
    truths = [factory("sysv-shm", size=4096) for _ in range(2)]
    states = {o["ref"]: o["state"] for o in ipcctl.json("list", "sysv-shm")["objects"]}
    state, = set(states.values())
    assert state in ("orphaned", "idle")
    g = check_pictures(ipcctl, dot, "sysv-shm")
    node, = g.nodes.values()
    assert node["count"] == 2 and g.refs == set(states) == {f"sysv-shm:{t['id']}" for t in truths}
    assert (node["state"], node["size"]) == (state, 8192)
    colour = {"orphaned": "#ffc9a8", "idle": "#fff3bf"}[state]
    assert f'fillcolor="{colour}"' in ipcctl("graph", "sysv-shm", "--quiet").text
    assert f":::{state}" in ipcctl("graph", "sysv-shm", "--quiet", "--format", "mermaid").text


def test_filters_and_kinds(ipcctl, factory, spawn):
    for name in ("one", "two"):
        factory("file", name=f"/dev/shm/{name}", content=b"x" * 8192)
        for _ in range(2):
            spawn(then=map_file(f"/dev/shm/{name}", mmap.PROT_READ | mmap.PROT_WRITE))
    assert graph(ipcctl, "posix-shm").refs == {"posix-shm:/one", "posix-shm:/two"}
    assert graph(ipcctl, "posix-shm", "-f", "name=/one").refs == {"posix-shm:/one"}
    assert graph(ipcctl, "-M", "-f", "name=/two").refs == {"posix-shm:/two"}
    assert graph(ipcctl, "sysv").refs == graph(ipcctl, "posix-shm", "-f", "size>1G").refs == set()
    assert graph(ipcctl, "posix-shm", "-u", "4711").refs == set()
    assert graph(ipcctl, "posix-shm", "-u", str(os.getuid())).refs == {"posix-shm:/one", "posix-shm:/two"}


def test_namespaces_are_clusters(ipcctl, spawn, files, dot):
    """Only if there are several; an object of both lies outside of them."""
    files.append(os.memfd_create("x"))
    (r, w), = pipes(1, files)
    a, b = spawn(files[0], w), spawn(files[0])
    words = ("memfd", "pipe", "--pid", str(a))
    assert "subgraph" not in ipcctl("graph", *words, "--quiet").text
    c = spawn(r, then=lambda: kernel.unshare(kernel.CLONE_NEWIPC) is None or [True])
    close(*files)
    g = check_pictures(ipcctl, dot, *words)
    namespaces = {pid: g.process(pid)["ipc_namespace"] for pid in (a, b, c)}
    assert namespaces[a] == namespaces[b] != namespaces[c]
    text = ipcctl("graph", *words, "--quiet").text
    for cluster, inside in zip(re.findall(r"subgraph cluster_\d+ \{(.*?)\n\t\}", text, re.S), ({a, b}, {c})):
        assert {int(pid) for pid in re.findall(r'label="(\d+) ', cluster)} == inside
        assert f"ipc namespace {namespaces[min(inside)]}" in cluster
        assert ("memfd:" in cluster) is (inside == {a, b})
    assert len(re.findall(r"subgraph c\d+", ipcctl("graph", *words, "--quiet", "--format", "mermaid").text)) == 2


def test_hostile_commands(ipcctl, spawn, files, dot):
    """Each is a node whose label is its name, in every form."""
    files.append(os.memfd_create("x"))
    commands = {spawn(files[0], name=name[:NAME]): name[:NAME] for name in HOSTILE}
    g = check_pictures(ipcctl, dot, "memfd", "--pid", str(min(commands)))
    assert set(commands) <= g.pids
    for pid, name in commands.items():
        assert unescape(g.process(pid)["command"]) == kernel.command(pid) == name


def test_hostile_objects(ipcctl, spawn, dot):
    for name in HOSTILE:
        with open(b"/dev/shm/" + name, "wb") as f:
            f.write(b"x" * 4096)
    fds = [os.open(b"/dev/shm/" + name, os.O_RDWR) for name in HOSTILE]
    # Each by others than the rest, so that none looks like another.
    everybody = spawn(*fds)
    for fd in fds:
        spawn(fd)
    close(*fds)
    g = check_pictures(ipcctl, dot, "posix-shm")
    assert {unescape(name) for name in g.refs} == {b"posix-shm:/" + name for name in HOSTILE}
    assert len([n for n in g.nodes.values() if n["type"] == "object"]) == len(HOSTILE)
    assert all(g.edge(everybody, name) for name in g.refs)


def test_hostile_lines(ipcctl, spawn, tmp_path, dot):
    """Names in the labels and tooltips of edges: FIFOs that somebody waits for."""
    pids = []
    for i, name in enumerate(HOSTILE):
        path = os.fsencode(tmp_path) + b"/" + name
        os.mkfifo(path)
        both = os.open(path, os.O_RDWR)
        writer = os.open(path, os.O_WRONLY)
        reader = os.open(path, os.O_RDONLY)
        os.close(both)
        pids.append(spawn(reader, then=late(lambda fd=reader: os.read(fd, 1))))
        spawn(writer)
        close(reader, writer)
    for pid in pids:
        wait_for_sleep(pid, "pipe")
    g = check_pictures(ipcctl, dot, "fifo")
    waits = [e for e in g.edges if e["type"] == "waits-for"]
    assert {os.path.basename(unescape(e["ref"])) for e in waits} == set(HOSTILE) or under_valgrind()
    _, edges = dot(ipcctl("graph", "fifo", "--quiet").out)
    told = {(start, end, "".join(lines[1:])) for start, end, lines in edges if lines and lines[0].startswith("waits")}
    assert told == {(e["from"], e["to"], short(e["ref"])) for e in waits}


def test_everything_twice_the_same(ipcctl, spawn, files, factory):
    """What does not change is told in the same order."""
    three = pipes(3, files)
    for r, w in three:
        spawn(r), spawn(w)
    close(*files)
    for words in ([], ["--format", "mermaid"]):
        first, second = (ipcctl("graph", "pipe", "--quiet", *words).text for _ in range(2))
        lines = [{line for line in text.splitlines() if "holder" in line} for text in (first, second)]
        assert lines[0] == lines[1] and lines[0]
    g = graph(ipcctl)
    processes = [n["pid"] for n in g.nodes.values() if n["type"] == "process"]
    assert processes == sorted(processes)
    assert [n["type"] for n in g.nodes.values()] == sorted((n["type"] for n in g.nodes.values()), reverse=True)


def test_two_hundred_processes(ipcctl, spawn, files, dot):
    """A server with two hundred clients, ten lines to each: as many lines as clients."""
    fds = [os.open("/dev/null", os.O_RDONLY)]
    ends, clients = [], []
    for _ in range(20 if ipcctl.slow else 200):
        pairs = [socket.socketpair() for _ in range(4)]
        clients.append(spawn(*(b.fileno() for _, b in pairs)))
        ends += [a for a, _ in pairs]
        for _, b in pairs:
            b.close()
    server = spawn(*(a.fileno() for a in ends))
    for a in ends:
        a.close()
    close(*fds)
    g = graph(ipcctl, "unix-socket", "--pid", str(server))
    assert g.pids == {server, *clients} and len(g.edges) == len(clients)
    assert {e["count"] for e in g.edges} == {4}


def test_workers_as_one(ipcctl, spawn, files, dot):
    """--group: those that have the same command and the same lines. What they share counts once."""
    files.append(os.memfd_create("x"))
    (r, w), = pipes(1, files)
    pairs = [socket.socketpair() for _ in range(5)]
    far = [b.fileno() for _, b in pairs]
    # The server is neither the first nor the last, so that lines without direction begin at either end.
    workers = [spawn(files[0], w, far[i], name=b"worker") for i in range(2)]
    server = spawn(files[0], r, *(a.fileno() for a, _ in pairs), name=b"server")
    workers += [spawn(files[0], w, far[i], name=b"worker") for i in range(2, 4)]
    other, odd = spawn(files[0], w, far[4], name=b"other"), spawn(files[0], w, name=b"worker")
    for pair in pairs:
        for s in pair:
            s.close()
    names = ref(r), ref(files[0], "memfd")
    close(*files)
    words = ("pipe", "unix-socket", "memfd", "--pid", str(server))
    assert graph(ipcctl, *words).pids == {*workers, server, other, odd}
    g = graph(ipcctl, *words, "--group")
    assert g.pids == {workers[0], server, other, odd}
    node = g.process(workers[0])
    assert [p["pid"] for p in node["processes"]] == sorted(workers) and node["count"] == 4
    assert "processes" not in g.process(server) and "count" not in g.process(other)
    edge = g.edge(workers[0], server, kind="pipe")[2]
    assert (edge["count"], edge["ref"], edge["capacity"]) == (1, names[0], read_only(65536))
    assert g.edge(workers[0], server, kind="unix-socket")[2]["count"] == 4
    assert g.edge(workers[0], names[1])[2]["count"] == 1
    label = ["worker ×4", f"{workers[0]}, {workers[1]}, {workers[2]} and 1 more"]
    for nodes in (dot(ipcctl("graph", "--quiet", "--group", *words).out)[0],
                  mermaid(ipcctl("graph", "--quiet", "--group", "--format", "mermaid", *words).text)[0]):
        assert nodes[node["id"]] == label and len(nodes) == len(g.nodes)
    assert "3 processes are drawn together with others that are connected in the same way" in "".join(
        ipcctl("graph", "--group", *words).errors)


def test_as_somebody_else(ipcctl, spawn, files):
    """What may not be looked at is said, and the document is not complete."""
    document = ipcctl.json("graph", "pipe")
    assert document["complete"] is (not kernel.processes_may_hide() and not document["warnings"])
    text = ipcctl("graph", "pipe", "--quiet").text
    assert ("// incomplete: something could not be read" in text) is not document["complete"]


def test_usage(ipcctl):
    ipcctl.refuses("graph", "--depth", "2", words=["--pid"])
    ipcctl.refuses("graph", "--format", "svg", words=["dot|mermaid|json"])
    ipcctl.refuses("graph", "--json", "--format", "dot", words=["exclude"])
    ipcctl.refuses("graph", "pipes", words=["pipe"])
    ipcctl.refuses("graph", "pipe", "-f", "colour=red", words=["colour"])
    assert ipcctl.json("graph", "pipe").keys() == ipcctl("graph", "pipe", "--format", "json").json().keys()


def test_the_picture_in_the_manual(top):
    """It is small, well formed, and tells nothing of the machine it was made on."""
    path = os.path.join(top, "man", "graph.svg")
    assert os.path.getsize(path) < 60 * 1024
    text = open(path, encoding="utf-8").read()
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg" and len(list(root.iter(f"{SVG}g"))) > 10
    assert "DEADLOCK 1" in text and "man/graph.svg" in open(os.path.join(top, "README.md"), encoding="utf-8").read()
