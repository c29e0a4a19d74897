# SPDX-License-Identifier: MIT
"""metrics --per-object: the numbers of each object, its names in labels, and how many there may be."""

import os

import expect
import kernel
import pytest
from monitoring import metrics
from program import unescape
from test_hostile import NAMES

LABELS = {"kind", "ref", "owner", "state"}


def of_objects(text, name, **labels):
    """reference -> value of a number of single objects; their other labels are as they should be."""
    out = {}
    for got, value in text.having("object_" + name, **labels):
        assert set(got) <= LABELS, got
        out[got["ref"]] = int(value)
    return out


def test_queues(ipcctl, factory):
    """The example of the manual page: how much is in each."""
    mine = [factory("sysv-msg", messages=messages)["id"] for messages in ("1:10", "1:20,2:30", "")]
    for name, messages in (("/a", "0:1,1:2"), ("/b", "")):
        factory("posix-mq", name=name, messages=messages)
    text = metrics(ipcctl, "sysv-msg", "posix-mq", "--per-object", "sysv-msg", "--per-object", "posix-mq")
    kept = [kernel.msg(i) for i in mine]
    assert of_objects(text, "messages") == {f"sysv-msg:{o['id']}": o["messages"] for o in kept}
    assert of_objects(text, "bytes") == {f"sysv-msg:{o['id']}": o["bytes"] for o in kept} != {}
    assert of_objects(text, "curmsgs") == {f"posix-mq:{name}": kernel.mq(name)["curmsgs"] for name in ("/a", "/b")}
    assert text.value("objects_left_out", kind="sysv-msg") == text.value("objects_left_out", kind="posix-mq") == 0
    # The sums are there all the same.
    assert text.value("messages", kind="sysv-msg") == 3 and text.value("curmsgs", kind="posix-mq") == 2


def test_labels(ipcctl, factory):
    """Kind, owner and state are those of the listing."""
    factory("sysv-shm", hold=True, attach=1, size=5000)
    factory("sysv-shm", size=100)
    listed = {o["ref"]: o for o in ipcctl.json("list", "sysv-shm")["objects"]}
    rows = metrics(ipcctl, "--per-object", "sysv-shm").having("object_size_bytes")
    assert len(rows) == len(listed) == 2
    for labels, value in rows:
        o = listed[labels["ref"]]
        assert labels == {"kind": "sysv-shm", "ref": o["ref"], "state": o["state"], "owner": expect.user(os.geteuid())}
        assert value == kernel.shm(o["id"])["size"]


def test_twice_is_once(ipcctl, factory):
    factory("sysv-msg", messages="1:10")
    text = metrics(ipcctl, "--per-object", "sysv-msg", "--per-object=sysv-msg")
    assert len(of_objects(text, "messages")) == 1 and len(text.having("objects_left_out")) == 1


def test_without_it(ipcctl, factory):
    factory("sysv-msg", messages="1:10")
    assert not [name for name in metrics(ipcctl).families if name.startswith("ipcctl_object_")]


@pytest.mark.parametrize("most", [None, 1, 99, 100, 101, 1000])
def test_most(ipcctl, most):
    """100 if nothing else is said; what is too many is counted, and summed up."""
    ids = {f"sysv-msg:{kernel.msgget(0, 0o600)}" for _ in range(120)}
    kernel.semget(0, 3, 0o600)
    text = metrics(ipcctl, "--per-object", "sysv-msg", "--per-object", "sysv-sem",
                   *([] if most is None else ["--max", str(most)]))
    told = of_objects(text, "messages")
    assert len(told) == min(most or 100, 120) and set(told) <= ids
    assert text.value("objects_left_out", kind="sysv-msg") == 120 - len(told)
    # Of each kind so many.
    assert len(of_objects(text, "nsems")) == 1 and text.value("objects_left_out", kind="sysv-sem") == 0
    assert text.total("objects", kind="sysv-msg") == 120


MQ_NAMES = [name for name in NAMES if name not in (b".", b"..")]


def test_hostile_names(ipcctl, factory):
    """Every one is one label that is a line's part, and comes back to the byte."""
    for name in MQ_NAMES:
        with open(b"/dev/shm/" + name, "xb") as f:
            f.write(b"x" * len(name))
    text = metrics(ipcctl, "posix-shm", "--per-object", "posix-shm", "--max", "1000")
    got = of_objects(text, "size_bytes")
    assert {unescape(ref): size for ref, size in got.items()} == {b"posix-shm:/" + name: len(name) for name in MQ_NAMES}


@pytest.mark.parametrize("name", [b'"', b"\n", b"\\", b"\\n", b"\xff", b'a"} 1\n# EOF\n', b"\x1b[m", b'{x="1"}'],
                         ids=ascii)
def test_hostile_queue(ipcctl, factory, name):
    factory("posix-mq", name=b"/" + name, messages="0:1,0:1")
    text = metrics(ipcctl, "posix-mq", "--per-object", "posix-mq")
    (ref, value), = of_objects(text, "curmsgs").items()
    assert unescape(ref) == b"posix-mq:/" + name and value == 2


@pytest.mark.parametrize("words, named", [
    (["--max", "5"], ["--max", "--per-object"]),
    (["--per-object", "pipe", "--max", "0"], ["--max"]),
    (["--per-object", "pipe", "--max", "few"], ["few"]),
    (["--per-object", "pipe", "--max=-1"], ["-1"]),
    (["--per-object", "pips"], ["pips"]),
    (["--per-object", ""], ["--per-object"]),
    (["--per-object"], ["--per-object"]),
    (["sysv-msg", "--per-object", "pipe"], ["pipe", "not among those named"]),
    (["persistent", "--per-object", "persistent"], ["persistent"]),
    (["nothing"], ["nothing"]), (["--json"], ["--json"]), (["--textfile"], ["--textfile"]),
], ids=str)
def test_refused(ipcctl, tmp_path, words, named):
    ipcctl.refuses("metrics", *words, words=named)
    # Nothing is written before that.
    ipcctl.refuses("metrics", "--textfile", str(tmp_path / "x"), *words, words=named)
    assert os.listdir(tmp_path) == []
