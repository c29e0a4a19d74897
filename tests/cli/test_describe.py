# SPDX-License-Identifier: MIT
"""describe: what costs a call per object, contents, and times in words."""

import os

import expect
import kernel
import pytest
from program import strict_json, unescape


def test_semaphores(ipcctl, factory):
    truth = factory("sysv-sem", hold=True, nsems=4, values="1,0,7,65", block="1:-1,1:-2,0:0,2:-100")
    o = ipcctl.describe(f"sysv-sem:{truth['id']}")
    expect.matches(o, expect.sysv_sem(truth["id"]))
    assert o["semaphores"] == expect.semaphores(truth["id"])
    assert [s["ncount"] for s in o["semaphores"]] == [0, 2, 1, 0]
    assert [s["zcount"] for s in o["semaphores"]] == [1, 0, 0, 0]
    assert [s["value"] for s in o["semaphores"]] == [1, 0, 7, 65]
    assert o["waiters"] == 4


def test_semaphore_pids(ipcctl, factory):
    """The pid is that of the last change; one that is gone has a number and no command."""
    truth = factory("sysv-sem", nsems=2, values="1,2")
    kernel.call("semctl", truth["id"], 1, kernel.SETVAL, 9)
    o = ipcctl.describe(f"sysv-sem:{truth['id']}")
    assert o["semaphores"] == expect.semaphores(truth["id"])
    assert o["semaphores"][0]["pid"] == truth["pid"]
    assert "pid_command" not in o["semaphores"][0]
    assert o["semaphores"][1]["pid"] == os.getpid()
    assert o["semaphores"][1]["pid_command"]


def test_big_set(ipcctl, factory):
    n = min(kernel.sysctl("kernel/sem")[0], 5000)
    truth = factory("sysv-sem", nsems=n, values=",".join(str(i % 32768) for i in range(n)))
    o = ipcctl.describe(f"sysv-sem:{truth['id']}")
    assert [s["value"] for s in o["semaphores"]] == [i % 32768 for i in range(n)]


def bodies(queue):
    return [(m["type"], unescape(m["body"])) for m in queue["content"]]


def test_messages(ipcctl, factory):
    truth = factory("sysv-msg", messages=f"5:10,1:0,{kernel.LONG_MAX}:26")
    kernel.msg_send(truth["id"], 3, bytes(range(256)))
    o = ipcctl.describe(f"sysv-msg:{truth['id']}", "--content")
    assert [m["index"] for m in o["content"]] == [0, 1, 2, 3]
    assert [m["size"] for m in o["content"]] == [10, 0, 26, 256]
    got = bodies(o)
    assert got == kernel.msg_drain(truth["id"])
    assert got[2][0] == kernel.LONG_MAX
    assert got[3][1] == bytes(range(256))


def test_messages_cut(ipcctl, factory):
    """--content=BYTES bounds what is shown, and the true length is still said."""
    truth = factory("sysv-msg", messages="1:100,2:100")
    o = ipcctl.describe(f"sysv-msg:{truth['id']}", "--content=10")
    assert [m["size"] for m in o["content"]][0] == 100
    assert unescape(o["content"][0]["body"]) == b"abcdefghij"


def test_messages_only_when_asked(ipcctl, factory):
    truth = factory("sysv-msg", messages="1:5")
    assert "content" not in ipcctl.describe(f"sysv-msg:{truth['id']}")


def extents(o):
    """The bytes of a memory object, holes as zeros, up to the end of what was read."""
    out = b""
    for row in o["content"]:
        data = unescape(row["data"])
        assert len(data) == row["size"]
        assert row["offset"] >= len(out)
        out += b"\0" * (row["offset"] - len(out)) + data
    return out


def test_content_of_posix_shm(ipcctl, factory):
    content = bytes(range(256)) * 40
    factory("file", name="/dev/shm/x", content=content)
    assert extents(ipcctl.describe("posix-shm:/x", "--content=1M")) == content
    assert extents(ipcctl.describe("posix-shm:/x", "--content=16")) == content[:16]
    assert "content" not in ipcctl.describe("posix-shm:/x")


def test_content_of_a_sparse_file(ipcctl, factory):
    """Holes are not read: a tebibyte of them is no hindrance, and takes no memory."""
    factory("file", name="/dev/shm/x", size=1 << 40, content=b"needle", at=1 << 39)
    before = os.stat("/dev/shm/x").st_blocks
    # At most the first BYTES of the object: there is nothing but a hole.
    assert ipcctl.describe("posix-shm:/x", "--content=64K")["content"] == []
    o = ipcctl.describe("posix-shm:/x", "--content=1T")
    page = os.sysconf("SC_PAGESIZE")
    assert o["content"][0]["offset"] == 1 << 39
    assert unescape(o["content"][0]["data"])[:6] == b"needle"
    assert sum(row["size"] for row in o["content"]) <= page
    assert os.stat("/dev/shm/x").st_blocks == before


def test_content_of_an_attached_segment(ipcctl, factory):
    truth = factory("sysv-shm", hold=True, size=8192, attach=1, content=b"\0hello\xff")
    o = ipcctl.describe(f"sysv-shm:{truth['id']}", "--content=7")
    if kernel.map_files_open():
        assert extents(o) == b"\0hello\xff"
    else:
        assert o["content"] is None


def test_content_of_an_unattached_segment(ipcctl, factory):
    """Only attaching could show it, and that leaves traces: it is unknown unless asked for."""
    truth = factory("sysv-shm", size=4096, attach=1, content=b"hello")
    before = kernel.shm(truth["id"])
    document = ipcctl.json("describe", f"sysv-shm:{truth['id']}", "--content", "--no-holders")
    assert document["objects"][0]["content"] is None
    assert document["warnings"]
    assert kernel.shm(truth["id"]) == before
    o = ipcctl.describe(f"sysv-shm:{truth['id']}", "--content=5", "--attach")
    assert extents(o) == b"hello"
    assert kernel.shm(truth["id"])["lpid"] != before["lpid"]


@pytest.mark.parametrize("kind", ["fifo", "character-device", "symlink", "directory"])
def test_content_of_what_is_no_segment(ipcctl, factory, kind):
    extra = {"target": "/etc/passwd"} if kind == "symlink" else {}
    factory("file", name="/dev/shm/x", type=kind, **extra)
    o = ipcctl.describe("posix-shm:/x", "--content", timeout=20)
    assert not o.get("content")
    assert o["type"] == kind


def test_queue_status_only_when_asked(ipcctl, factory):
    factory("posix-mq", name="/q", messages="1:5,2:6", hold=True, notify="signal", signal=12)
    before = kernel.mq("/q")
    document = ipcctl.json("describe", "posix-mq:/q", "--no-holders")
    o = document["objects"][0]
    for field in ("bytes", "notify_pid", "notify_signal", "notify_method"):
        assert o[field] is None
    assert document["warnings"]
    assert kernel.mq("/q") == before


@pytest.mark.parametrize("method", ["signal", "none", "thread"])
def test_queue_status(ipcctl, factory, method):
    truth = factory("posix-mq", name="/q", hold=True, notify=method, signal=12)
    o = ipcctl.describe("posix-mq:/q", "--status")
    expect.matches(o, {"notify_pid": truth["pid"], "notify_method": method, "bytes": 0})
    assert o.get("notify_signal") == (12 if method == "signal" else None)


def test_queue_status_bytes(ipcctl, factory):
    factory("posix-mq", name="/q", messages="1:5,2:6")
    o = ipcctl.describe("posix-mq:/q", "--status")
    assert o["bytes"] == 11
    assert not o.get("notify_pid")


def test_queue_status_with_a_mount_agrees(ipcctl, factory, mqueue_mounted):
    truth = factory("posix-mq", name="/q", hold=True, messages="1:5", notify="signal", signal=10)
    with open(mqueue_mounted + "/q", encoding="ascii") as f:
        line = dict(word.split(":") for word in f.read().split())
    o = ipcctl.describe("posix-mq:/q", "--status")
    assert o["bytes"] == int(line["QSIZE"]) == 5
    assert o["notify_pid"] == int(line["NOTIFY_PID"]) == truth["pid"]
    assert o["notify_signal"] == int(line["SIGNO"]) == 10


def test_times_have_twins(ipcctl, factory):
    factory("file", name="/dev/shm/x", atime=951782400, mtime=1763669449)
    o = ipcctl.describe("posix-shm:/x")
    expect.matches(o, {"atime": 951782400, "atime_rfc3339": "2000-02-29T00:00:00Z",
                       "mtime": 1763669449, "mtime_rfc3339": "2025-11-20T20:10:49Z"})
    assert not [name for name in ipcctl.objects("posix-shm")["posix-shm:/x"] if name.endswith("_rfc3339")]


def test_several_at_once(ipcctl, factory):
    a, b = factory("sysv-shm"), factory("sysv-sem")
    factory("posix-shm", name="/x")
    refs = ["posix-shm:/x", f"sysv-shm:{a['id']}", f"sysv-sem:{b['id']}"]
    assert [o["ref"] for o in ipcctl.json("describe", *refs)["objects"]] == refs
    lines = ipcctl("describe", *refs, "--jsonl").jsonl()
    assert [o["ref"] for o in lines] == refs


def test_by_key(ipcctl, factory):
    truth = factory("sysv-shm", key=0xC0FFEE01)
    for spelling in ("0xc0ffee01", "0xC0FFEE01", str(0xC0FFEE01)):
        assert ipcctl.describe(f"sysv-shm:key={spelling}")["id"] == truth["id"]


def test_missing(ipcctl, factory):
    truth = factory("sysv-shm")
    for ref in ("sysv-shm:4711", "sysv-shm:key=0x4711", "sysv-sem:0", "sysv-msg:0", "posix-shm:/nope",
                "posix-sem:/nope", "posix-mq:/nope", "posix-shm:/no/pe", "posix-sem:musl:/nope"):
        result = ipcctl("describe", ref, status=1)
        assert result.out == b""
        assert len(result.errors) == 1 and ref in result.errors[0], result
    # What is there is still shown.
    result = ipcctl("describe", "posix-shm:/nope", f"sysv-shm:{truth['id']}", "--json", status=1)
    assert [o["id"] for o in result.json()["objects"]] == [truth["id"]]
    assert len(result.errors) == 1


def test_text_shows_every_field(ipcctl, factory):
    """The text of describe has every field that its JSON has, under the same name."""
    truth = factory("sysv-sem", nsems=2, values="12321,1")
    factory("posix-shm", name="/x", size=54321)
    for ref, word in (f"sysv-sem:{truth['id']}", "12321"), ("posix-shm:/x", "54321"):
        o = ipcctl.describe(ref)
        text = ipcctl("describe", ref, "--bytes").text
        for name in o:
            if not name.endswith("_rfc3339"):
                assert name in text, (name, text)
        assert word in text


def test_counters_follow_the_holder(ipcctl, factory):
    """Attached twice in a process that ends: the counters follow."""
    truth = factory("sysv-shm", hold=True, attach=2)
    ref = f"sysv-shm:{truth['id']}"
    assert ipcctl.describe(ref)["nattch"] == 2
    truth["let_go"]()
    expect.matches(ipcctl.describe(ref), {"nattch": 0}, "lpid_command")


def test_json_is_one_document(ipcctl, factory):
    factory("posix-shm", name="/x")
    result = ipcctl("describe", "posix-shm:/x", "--no-holders", "--json")
    assert result.out.count(b"\n") >= 1
    assert strict_json(result.out)["complete"] is True
