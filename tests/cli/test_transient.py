# SPDX-License-Identifier: MIT
"""What is the same for every kind that lives with its processes: found by a walk, by
process and by user, by its reference; honest where the walk could not see."""

import os
import subprocess

import expect
import kernel
import pytest
from holdings import check, expected_rows, holdings_of
from program import become, drop_capabilities

KINDS = ["pipe", "fifo", "unix-socket", "inet-socket", "memfd", "eventfd", "pty", "file-mapping", "anon-mapping"]
GROUPS = {"fd": set(KINDS[:7]), "socket": {"unix-socket", "inet-socket"},
          "memory": {"memfd", "file-mapping", "anon-mapping"}}
FD = {"fd": ["open"] * 4, "mapping": "mapped"}
PIPE = {"fd": [None, "reader", "writer", "both"]}
CONNECTED = {"fd": ["connected"] * 4}
PTY = {"side": ["master", "slave"]}


def make_zoo(factory, directory, who=""):
    """Reference -> (truth, roles, end); who: what stands before the actions of each process."""
    def holders(text):
        return ",".join(who + word for word in text.split(","))
    pipe = factory("pipe", hold=True, holders=holders("r+dup,w+fork"), fill=5)
    fifo = factory("fifo", path=str(directory / "f"), mode="666", hold=True, holders=holders("r,w"))
    memfd = factory("memfd", hold=True, holders=holders("rw+map-r,map-rw"))
    event = factory("eventfd", hold=True, holders=holders("rw+fork,rw"), value=3)
    memory = factory("anon-mapping", hold=True, holders=holders("keep,keep-head+fork"), size=16384)
    file = factory("held-file", name=str(directory / "file"), mode="666", hold=True,
                   holders=holders("map-r,map-rw+fork"))
    pair = factory("unix-pair", hold=True, holders=holders("a+fork,b"))
    tcp = factory("inet-pair", hold=True, holders=holders("a,b+fork"))
    pty = factory("pty", hold=True, holders=holders("a,a+fork"))
    return {
        f"pipe:{pipe['ino']}": (pipe, PIPE, None), f"fifo:{directory}/f": (fifo, PIPE, None),
        f"memfd:{memfd['ino']}": (memfd, FD, None), f"eventfd:{event['id']}": (event, FD, None),
        f"anon-mapping:{memory['ino']}": (memory, FD, None),
        f"file-mapping:{kernel.mount_device(directory)}:{file['ino']}": (file, FD, None),
        f"unix-socket:{pair['a_ino']}": (pair, CONNECTED, 0), f"unix-socket:{pair['b_ino']}": (pair, CONNECTED, 1),
        f"inet-socket:{tcp['a_ino']}": (tcp, CONNECTED, 0), f"inet-socket:{tcp['b_ino']}": (tcp, CONNECTED, 1),
        f"pty:{pty['slave']}": (pty, PTY, None),
    }


@pytest.fixture
def zoo(factory, tmp_path):
    return make_zoo(factory, tmp_path)


def kind_of(ref):
    return ref.split(":")[0]


def refs(objects):
    return {o["ref"] for o in objects}


@pytest.mark.parametrize("threads", [[], ["--threads=1"], ["--threads=2"], ["--threads=64"]], ids=str)
def test_all_at_once(ipcctl, zoo, threads):
    """One walk for every kind; the same by any number of threads, in every format."""
    for objects in (ipcctl.json("list", "all", *threads)["objects"],
                    ipcctl.json("list", *KINDS, "-o", "all", *threads)["objects"],
                    ipcctl("list", "all", "--jsonl", *threads).jsonl()):
        got = {o["ref"]: o for o in objects if "ref" in o}
        for ref, (truth, roles, side) in zoo.items():
            check(got[ref], truth, roles, side=side)
    rows = {row["ref"]: row for row in ipcctl("list", "all", "--raw", "-o", "ref,nholders,state", *threads,
                                              "--quiet").table()}
    for ref, (truth, _, side) in zoo.items():
        assert rows[ref]["nholders"] == str(len({h["pid"] for h in holdings_of(truth, side)}))
        assert rows[ref]["state"] == "in-use"


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_is_the_same_as_among_all(ipcctl, zoo, kind):
    """What other kinds are looked for changes nothing; a second may pass between the two."""
    mine = {ref for ref in zoo if kind_of(ref) == kind}
    alone, among = ({o["ref"]: {name: value for name, value in o.items() if name != "age"}
                     for o in ipcctl.json("list", what)["objects"] if o["ref"] in mine} for what in (kind, "all"))
    assert alone == among and alone.keys() == mine


@pytest.mark.parametrize("group", GROUPS)
def test_groups(ipcctl, zoo, group):
    kinds = {kind_of(ref) for ref in refs(ipcctl.json("list", group)["objects"])}
    assert kinds == GROUPS[group]


def test_table(ipcctl, zoo):
    """A line each, with its reference, or with what of it goes into a column."""
    text = ipcctl("list", "all", "--no-truncate", "--quiet").text
    for ref in zoo:
        assert any(ref in line.split() for line in text.splitlines()), ref
    for kind in KINDS:
        assert ipcctl("list", kind, "--quiet").lines


def test_plain_list_shows_the_persistent_ones(ipcctl, zoo):
    assert not {kind_of(ref) for ref in refs(ipcctl.json("list")["objects"])} & set(KINDS)


def test_references_are_taken_back(ipcctl, zoo):
    """Raw, NUL after each: xargs -0 can hand them on."""
    raw = ipcctl("list", *KINDS, "-0", "-o", "ref", "--quiet", clean=False).out
    listing = {word.decode() for word in raw.split(b"\0")[:-1]}
    assert zoo.keys() <= listing
    objects = ipcctl.json("describe", *zoo)["objects"]
    assert [o["ref"] for o in objects] == list(zoo)
    for o in objects:
        truth, roles, side = zoo[o["ref"]]
        check(o, truth, roles, side=side)


def test_describe_text(ipcctl, zoo):
    """Every holder has a line of its own."""
    for ref, (truth, _, side) in zoo.items():
        text = ipcctl("describe", ref, "--quiet").text
        for pid in {h["pid"] for h in holdings_of(truth, side)}:
            assert any(str(pid) in line.split() for line in text.splitlines()), (ref, pid, text)


def test_by_process(ipcctl, zoo):
    for pid in {h["pid"] for truth, _, _ in zoo.values() for h in truth["holdings"]}:
        held = {ref for ref, (truth, _, side) in zoo.items() if pid in [h["pid"] for h in holdings_of(truth, side)]}
        got = ipcctl.json("list", *KINDS, "--pid", str(pid))["objects"]
        assert refs(got) & zoo.keys() == held
        # Nothing that it does not hold.
        assert all(pid in [row["pid"] for row in o["holders"]] for o in got)


def test_our_own(ipcctl):
    """Everything that this very process holds of what it opened here."""
    read, write = os.pipe()
    memfd = os.memfd_create("ours")
    try:
        shown = ipcctl.json("list", *KINDS, "--pid", str(os.getpid()))["objects"]
        got = {row["fd"]: o["ref"] for o in shown for row in o["holders"]
               if row["pid"] == os.getpid() and "fd" in row}
        pipe = f"pipe:{os.fstat(read).st_ino}"
        assert (got[read], got[write], got[memfd]) == (pipe, pipe, f"memfd:{os.fstat(memfd).st_ino}")
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as f:
            private = [line.split()[0] for line in f if line.split()[1][3] == "p"]
        mapped = {row["address"] for o in shown for row in o["holders"]
                  if row["pid"] == os.getpid() and "address" in row}
        assert not mapped & set(private)
    finally:
        for fd in (read, write, memfd):
            os.close(fd)


def test_by_user(ipcctl, zoo):
    """An owner is a field like others, also where it costs a call to ask."""
    name = expect.user(os.geteuid())
    for kind in set(KINDS) - {"eventfd"}:
        mine = {ref for ref in zoo if kind_of(ref) == kind}
        if kind.endswith("-mapping") and not kernel.map_files_open():
            continue
        assert mine <= refs(ipcctl.json("list", kind, "--user", name)["objects"]), kind
        assert not mine & refs(ipcctl.json("list", kind, "--user", "4242")["objects"]), kind


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_walk(ipcctl, zoo, kind):
    """Only processes show them: nothing was looked at, and that is said. The kernel lists sockets itself."""
    document = ipcctl.json("list", kind, "--no-holders")
    if kind in GROUPS["socket"]:
        got = {o["ref"]: o for o in document["objects"]}
        mine = {ref for ref in zoo if kind_of(ref) == kind}
        assert mine <= got.keys()
        assert all(not got[ref].get("holders") and got[ref].get("nholders") is None for ref in mine)
        return
    assert document["objects"] == []
    assert document["complete"] is False and document["warnings"]
    ipcctl("list", kind, "--no-holders", "--strict", "--quiet", status=1)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_that_number(ipcctl, kind):
    ref = {"fifo": "fifo:/nonexistent/f", "pty": "pty:0:999/7", "file-mapping": "file-mapping:0:999:7",
           "inet-socket": "inet-socket:tcp:127.0.0.1:9"}.get(kind, f"{kind}:4294967294")
    for words in (["describe"], ["remove"], ["remove", "--kill"]):
        result = ipcctl(*words, ref, "--quiet", status=1)
        assert result.out == b"" and len(result.errors) == 1 and ref in result.errors[0], result


@pytest.mark.parametrize("ref", [
    "pipe:", "pipe:x", "pipe:-1", "pipe:1x", "pipe: 1", "pipe:0x", "pipe:18446744073709551616", "eventfd:", "eventfd:x",
    "eventfd:-1", "memfd:", "memfd:name", "memfd:-1", "fifo:", "fifo:relative", "fifo:1:2", "fifo:a:b:c",
    "unix-socket:",
    "unix-socket:relative", "unix-socket:-1", "inet-socket:", "inet-socket:x", "pty:", "pty:x", "anon-mapping:",
    "anon-mapping:x", "file-mapping:", "file-mapping:1:2", "file-mapping:a:b:c", "file-mapping:relative",
])
def test_wrong_references(ipcctl, ref):
    """One line that says what would be right."""
    result = ipcctl.refuses("describe", ref, words=[ref.split(":", 1)[1] or ref])
    assert len(result.errors[0]) > len("ipcctl: ") + len(ref)


# What cannot be read


def partial(document, zoo):
    """Rows may be missing, none may be wrong, and a number is the truth or unknown."""
    assert document["complete"] is False
    for o in document["objects"]:
        if o["ref"] not in zoo:
            continue
        truth, roles, side = zoo[o["ref"]]
        assert o.get("nholders") in (None, len({h["pid"] for h in holdings_of(truth, side)})), o
        for row in o.get("holders") or []:
            row = {k: v for k, v in row.items() if not k.startswith("start_time")}
            assert row in expected_rows(truth, roles, side)


@pytest.mark.real_root
def test_as_another_user(ipcctl, zoo):
    document = ipcctl.json("list", "all", drop=become(65534))
    assert document["unreadable_processes"] > 0
    partial(document, zoo)
    partial(ipcctl("list", "all", "--json", "-o", "all", status=None, drop=become(65534)).json(), zoo)
    for ref in zoo:
        result = ipcctl("describe", ref, "--quiet", status=None, drop=become(65534))
        assert result.status == 0 or b"could be read" in result.err or b"Permission denied" in result.err, result


def test_without_capabilities(ipcctl, zoo):
    """As the same user: its own processes can be read, if they may be traced."""
    document = ipcctl.json("list", "all", drop=drop_capabilities)
    partial(document, zoo)


@pytest.mark.real_root
def test_processes_of_two_users(ipcctl, factory, tmp_path):
    """An ordinary user sees its own side of a pipe, and says that it is but a part."""
    os.chmod(tmp_path, 0o755)
    truth = factory("pipe", hold=True, holders="uid=65534+dumpable+r,w")
    ref = f"pipe:{truth['ino']}"
    o = ipcctl.describe(ref, drop=become(65534))
    assert {row["role"] for row in o["holders"]} == {"reader"}
    assert o["nholders"] is None and o["state"] == "in-use"
    assert o["writers"] is None and o["readers"] is None, "a lower bound is shown as the number"
    # The kernel knows that there is a writer, whoever it is.
    assert o["ends"] == "open"
    mine = factory("pipe", hold=True, holders="uid=65534+dumpable+r")
    assert ipcctl.describe(f"pipe:{mine['ino']}", drop=become(65534))["ends"] == "no-writer"


@pytest.mark.real_root
def test_as_the_user_itself(ipcctl, factory, tmp_path):
    """All that an ordinary user's processes hold that user can see, with what calls tell."""
    os.chmod(tmp_path, 0o755)
    for directory in tmp_path.parents:
        if os.stat(directory).st_uid == os.geteuid() and str(directory) != "/" and not os.stat(directory).st_mode & 1:
            os.chmod(directory, 0o711)
    zoo = make_zoo(factory, tmp_path, "uid=65534+dumpable+")
    document = ipcctl("list", "all", "--json", "-o", "all", status=None, drop=become(65534)).json()
    got = {o["ref"]: o for o in document["objects"]}
    for ref, (truth, roles, side) in zoo.items():
        if ref in got:
            assert {row["pid"] for row in got[ref]["holders"]} == {h["pid"] for h in holdings_of(truth, side)}, ref
    assert {kind_of(ref) for ref in zoo if ref in got} >= {"pipe", "unix-socket", "inet-socket", "memfd", "eventfd"}
    assert got[next(ref for ref in zoo if ref.startswith("pipe"))]["queued"] == 5


def test_a_process_that_ended(ipcctl, zoo):
    process = subprocess.Popen(["true"])
    process.wait()
    result = ipcctl("list", *KINDS, "--pid", str(process.pid), "--quiet", status=1)
    assert any(str(process.pid) in line for line in result.errors), result


# Words of the listing that only these kinds know


def test_other_kinds_are_counted_on_a_terminal(ipcctl, zoo):
    """The closing line, on standard error, only for people."""
    master, slave = os.openpty()
    try:
        ipcctl("list", stdout=slave, timeout=60)
        result = subprocess.run(ipcctl.command("list"), stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                                cwd=ipcctl.cwd, timeout=60, check=True)
        assert result.returncode == 0
        os.set_blocking(master, False)
        text = b""
        try:
            while True:
                text += os.read(master, 65536)
        except BlockingIOError:
            pass
        assert b"ipcctl list all" in text, text
    finally:
        os.close(master)
        os.close(slave)
    assert ipcctl("list", "--quiet").err == b""
    assert b"list all" not in ipcctl("list").err
