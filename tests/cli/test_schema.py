# SPDX-License-Identifier: MIT
"""Real output against the JSON Schema that the program prints, by a real validator."""

import jsonschema
import pytest


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
    for words in (["sysv-shm", "--size=1"], ["sysv-sem"], ["sysv-msg"], ["posix-shm", "/a"], ["posix-sem", "/a"],
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
            "otime", "otime_rfc3339", "lspid_command", "notify_signal", "stime", "stime_rfc3339", "lspid"}
    for kind, fields in seen.items():
        properties = set(schema["$defs"][kind]["properties"])
        assert fields <= properties
        assert properties - fields <= rare, (kind, properties - fields - rare)


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
