# SPDX-License-Identifier: MIT
"""Real output against the JSON Schema that the program prints, by a real validator."""

import socket

import jsonschema
import kernel
import pytest
from holdings import listed


@pytest.fixture(scope="module")
def schema(ipcctl):
    schema = ipcctl("kinds", "--json-schema").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.fixture
def valid(schema):
    validator = jsonschema.Draft202012Validator(schema)

    def check(document):
        errors = sorted(validator.iter_errors(document), key=str)
        assert not errors, errors[0]
        return document
    return check


@pytest.fixture
def zoo(factory):
    factory("sysv-shm", hold=True, attach=2, key=5, content=b"x\0\xff")
    factory("sysv-shm", mode="0")
    factory("sysv-sem", hold=True, nsems=3, values="1,2,3", block="0:-9,1:-9")
    factory("sysv-msg", messages="1:5,2:0")
    factory("posix-shm", name="/a", size=100)
    factory("file", name=b"/dev/shm/\xff\n\x1b", content=b"\0\xff" * 100)
    factory("file", name="/dev/shm/l", type="symlink", target="/etc")
    factory("file", name="/dev/shm/d", type="directory")
    factory("file", name="/dev/shm/f", type="fifo")
    factory("posix-sem", name="/s", value=3)
    factory("file", name="/dev/shm/sem.none", content=b"nothing")
    factory("posix-mq", name="/q", hold=True, messages="1:5", notify="thread")


@pytest.fixture
def held(factory, tmp_path):
    """Everything that lives with its processes, in as many states as can be made."""
    directory = tmp_path / "files"
    directory.mkdir()
    factory("pipe", hold=True, holders="r,w+dup", fill=3)
    factory("fifo", path=str(directory / "f"), hold=True, holders="r,w")
    factory("fifo", path=str(directory / "waited-for"), hold=True, openers="r")
    factory("fifo", path=str(directory / "gone"), hold=True, holders="rw", unlink=1)
    factory("memfd", name=b"\xff\n\x1b", hold=True, holders="rw+map-r,map-rw", seals="grow")
    factory("eventfd", hold=True, holders="rw+fork", value=(1 << 64) - 2)
    factory("unix-pair", hold=True, holders="a,b", queued=5, rights=1)
    factory("unix-listener", name=str(directory / "s"), hold=True, holders="a", pending=2, accepted=1)
    factory("unix-listener", name=b"\0\xff\x1b\n", hold=True, holders="a", type="seqpacket")
    factory("unix-dgram", name=str(directory / "d"), hold=True, holders="a,b", datagrams="5")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(directory / "stale"))
    factory("inet-listener", hold=True, holders="a", pending=1)
    factory("inet-pair", hold=True, holders="a,b", queued=5)
    factory("inet-pair", hold=True, holders="a,b", type="udp")
    factory("inet-pair", hold=True, closed=1)
    factory("pty", hold=True, holders="a,b", session=1, typed=3)
    factory("pty", hold=True, holders="b")
    factory("held-file", name=str(directory / "m"), hold=True, holders="map-r,map-rw+fork,map-second-page", size=9000)
    factory("anon-mapping", hold=True, holders="keep-around,keep-protected", size=40960, touch=4096)
    return directory


# Tests need not run in a container, nor in a unit of systemd.
WHEREABOUTS = {"container", "container_id", "unit"}
HELD = {"pipe", "fifo", "memfd", "eventfd", "unix-socket", "inet-socket", "pty", "file-mapping", "anon-mapping"}


def test_listing(ipcctl, valid, zoo):
    document = valid(ipcctl.json("list"))
    assert len(document["objects"]) == 12
    valid(ipcctl.json("list", "-o", "all"))
    valid(ipcctl.json("list", "--no-holders"))


def test_describing(ipcctl, valid, zoo):
    refs = ipcctl("list", "-0", "-o", "ref", clean=False).out.split(b"\0")[:-1]
    document = valid(ipcctl.json("describe", *refs))
    assert len(document["objects"]) == len(refs)
    for words in (["--content"], ["--status"], ["--content", "--attach", "--status"]):
        valid(ipcctl.json("describe", *words, *refs))


def test_creating(ipcctl, valid):
    for words in (["sysv-shm", "--size=1"], ["sysv-sem"], ["sysv-msg"], ["posix-shm", "/a"], ["posix-sem", "/b"],
                  ["posix-mq", "/a"]):
        valid(ipcctl.json("create", *words))


def test_every_field_of_real_output_is_in_the_schema(ipcctl, schema, zoo):
    """And the other way: no field of the schema was never seen (but those that need
    a state of the system that this test cannot make)."""
    refs = ipcctl("list", "-0", "-o", "ref", clean=False).out.split(b"\0")[:-1]
    seen = {}
    for o in ipcctl.json("describe", "--content", "--attach", "--status", *refs)["objects"]:
        seen.setdefault(o["kind"], set()).update(o)
    rare = {"huge_page_size", "lrpid", "lrpid_command", "rtime", "rtime_rfc3339", "dtime", "dtime_rfc3339",
            "otime", "otime_rfc3339", "lspid_command", "notify_signal", "stime", "stime_rfc3339", "lspid",
            *WHEREABOUTS}
    for kind, fields in seen.items():
        properties = set(schema["$defs"][kind]["properties"])
        assert fields <= properties
        assert properties - fields <= rare, (kind, properties - fields - rare)


def test_what_processes_hold(ipcctl, valid, held):
    document = valid(ipcctl.json("list", "all", "--path", str(held)))
    assert {o["kind"] for o in document["objects"]} >= HELD
    valid(ipcctl("list", "all", "--json", "-o", "all", "--path", str(held), status=None).json())
    # Without those of the program itself, which ends.
    refs = [o["ref"] for o in document["objects"] if o["kind"] in HELD and "\\" not in o["ref"] and (
        not o.get("holders") or "factory" in [row["command"] for row in o["holders"]])]
    assert len(refs) > 20
    described = valid(ipcctl("describe", "--json", *refs, status=None).json())
    assert len(described["objects"]) == len(refs)
    for words in (["pipe"], ["memfd", "x"], ["eventfd"], ["unix-socket"], ["unix-socket", "@x"], ["pty"],
                  ["anon-mapping", "--size=4096"]):
        valid(ipcctl.json("create", *words, "--timeout=0s"))
    valid(ipcctl.json("create", "fifo", str(held / "new")))


def test_every_field_of_what_processes_hold(ipcctl, schema, held):
    seen = {}
    for words in ([], ["-o", "all"]):
        for kind in HELD:
            path = ["--path", str(held)] if kind in ("fifo", "unix-socket") else []
            for o in listed(ipcctl, kind, *words, *path).values():
                seen.setdefault(kind, set()).update(o)
    # Where nothing lies on a device or in a group of its own, or nobody swaps, and times twice only in describe.
    rare = {"interface", "huge_page_size", *WHEREABOUTS}
    for kind, fields in seen.items():
        properties = set(schema["$defs"][kind]["properties"])
        assert fields <= properties
        missing = {f for f in properties - fields - rare if not f.endswith("_rfc3339")}
        if kind.endswith("-mapping") and not kernel.map_files_open():
            missing -= {"size", "allocated", "owner", "group", "uid", "gid", "mode", "atime", "mtime", "ctime", "age"}
        assert not missing, (kind, missing)


def test_the_schema_refuses_what_is_wrong(ipcctl, schema, zoo):
    """A validator that takes anything would prove nothing."""
    validator = jsonschema.Draft202012Validator(schema)
    document = ipcctl.json("list", "sysv-shm")
    for field, wrong in (("size", "4096"), ("size", -1), ("mode", 384), ("key", "5"), ("nonsense", 1),
                         ("dest", "no"), ("kind", "sysv-shmm"), ("state", "fine"), ("ref", None)):
        spoiled = {**document, "objects": [{**document["objects"][0], field: wrong}]}
        assert not validator.is_valid(spoiled), (field, wrong)
    for field in ("schema", "objects", "complete", "warnings"):
        assert not validator.is_valid({k: v for k, v in document.items() if k != field})
