# SPDX-License-Identifier: MIT
"""--ipcns of every command that has it: what is done or said is of that place, and nothing here changes."""

import json
import os
import subprocess
import time

import kernel
import leftovers
import places
import pytest
from monitoring import check, metrics
from program import ENVIRONMENT
from test_prometheus import promtool
from watching import Watch

CREATE = {"sysv-shm": ("--key=0x51", "--size=4096"), "sysv-sem": ("--key=0x51", "--nsems=2"),
          "sysv-msg": ("--key=0x51",), "posix-shm": ("/made", "--size=99"), "posix-sem": ("/made", "--value=3"),
          "posix-mq": ("/made", "--maxmsg=2", "--msgsize=10")}
TABLES = {"sysv-shm": ("shm", "shmid"), "sysv-sem": ("sem", "semid"), "sysv-msg": ("msg", "msqid")}
NOW = leftovers.NOW


def found(kind, musl=False):
    """What the kernel has of the kind where this runs; of semaphores, as that libc names them."""
    if kind in TABLES:
        table, column = TABLES[kind]
        return {str(row[column]) for row in kernel.sysvipc(table)}
    if kind == "posix-mq":
        return {"made"} if kernel.mq_exists("/made") else set()
    if kind == "posix-sem" and musl:
        return {"musl:/" + name for name in os.listdir("/dev/shm")}
    prefix = "sem." if kind == "posix-sem" else ""
    return {name.removeprefix(prefix) for name in os.listdir("/dev/shm") if name.startswith(prefix)}


# create


@pytest.mark.parametrize("kind", CREATE)
def test_create(ipcctl, place, kind):
    p = place()
    part = places.PART_OF[kind]
    result = ipcctl("create", kind, *CREATE[kind], "-N", str(p.pid))
    there = p.ask(lambda: found(kind, ipcctl.musl), part)
    assert len(there) == 1 and result.lines == [p.ref(kind, there.pop())] and found(kind) == set()
    ref = result.lines[0]
    assert ipcctl.describe(ref)["ref"] == ref
    ipcctl.refuses("create", kind, *CREATE[kind], "-N", str(p.pid), status=1, words=["exists"])
    again = ipcctl("create", kind, *CREATE[kind], "--exist-ok", "-N", str(p.numbers[part]))
    assert again.lines[0].endswith(ref), again
    assert len(p.ask(lambda: found(kind, ipcctl.musl), part)) == 1 and found(kind) == set()
    if kind == "sysv-sem":
        assert p.ask(lambda: kernel.sem(int(ref.split("/")[1]))["nsems"], "ipc") == 2
    ipcctl("remove", ref)
    assert p.ask(lambda: found(kind), part) == set()


def test_create_here(ipcctl):
    """One's own place, by a word."""
    assert ipcctl("create", "posix-shm", "/made", "-N", str(os.getpid())).lines == ["posix-shm:/made"]
    assert found("posix-shm") == {"made"}


@pytest.mark.parametrize("kind", ["pipe", "memfd", "unix-socket", "inet-socket", "eventfd", "flock", "signal"])
def test_create_what_a_process_has(ipcctl, place, kind):
    name = {"flock": ["/dev/shm/x"], "signal": ["1"], "memfd": ["x"], "unix-socket": ["@x"],
            "inet-socket": ["127.0.0.1:0"]}.get(kind, [])
    ipcctl.refuses("create", kind, *name, "-N", str(place("ipc").pid), words=["--ipcns"])


def test_create_in_one_place(ipcctl, place):
    p, q = place("ipc"), place("ipc")
    ipcctl.refuses("create", "sysv-shm", "--size=1", "-N", "all", words=["--ipcns"])
    ipcctl.refuses("create", "sysv-shm", "--size=1", "-N", str(p.pid), "-N", str(q.pid), words=["--ipcns"])
    # A mount namespace has no segments.
    ipcctl.refuses("create", "sysv-shm", "--size=1", "-N", str(place("mnt").numbers["mnt"]), status=1)
    assert found("sysv-shm") == set() and p.ask(lambda: found("sysv-shm"), "ipc") == set()


# remove and clean


def test_remove_all(ipcctl, factory, place):
    p, q = place(), place()
    for make in factory, p.make, q.make:
        make("sysv-shm")
        make("posix-shm", name="/x", size=1)
        make("posix-mq", name="/made")
    ipcctl("remove", "--all", "--yes", "sysv-shm", "posix-shm", "posix-mq", "-N", str(p.pid))
    for kind in "sysv-shm", "posix-shm", "posix-mq":
        part = places.PART_OF[kind]
        counts = [len(found(kind)), len(p.ask(lambda kind=kind: found(kind), part)),
                  len(q.ask(lambda kind=kind: found(kind), part))]
        assert counts == [1, 0, 1], kind


def test_remove_by_letters(ipcctl, factory, place):
    """-m ID and -M KEY mean those of the place."""
    p = place("ipc")
    for make in factory, p.make:
        ident = make("sysv-shm", key=0x71)["id"]
        make("sysv-sem", key=0x71)
    ipcctl("remove", "-m", str(ident), "-S", "0x71", "-N", str(p.pid))
    assert not p.exists("sysv-shm", ident) and p.ask(lambda: found("sysv-sem"), "ipc") == set()
    assert kernel.exists("sysv-shm", ident) and len(found("sysv-sem")) == 1


def test_clean(first, factory, place):
    """What was left behind there goes, what is held there is spared, and nothing here goes."""
    p = place()
    here = factory("sysv-shm")["id"]
    left = p.make("sysv-shm")["id"]
    held = p.make("sysv-shm", hold=True, attach=1)["id"]
    p.make("posix-shm", name="/left", size=5)
    p.make("held-file", hold=True, name="/dev/shm/held", size=5, holders="r")
    p.make("posix-mq", name="/made")
    words = ("sysv-shm", "posix-shm", "posix-mq", *leftovers.ALL, "-N", str(p.pid))
    planned = leftovers.plan(first, *words)
    expected = {p.ref("sysv-shm", left): "remove", p.ref("sysv-shm", held): "spare",
                p.ref("posix-shm", "left"): "remove", p.ref("posix-shm", "held"): "spare",
                p.ref("posix-mq", "made"): "remove"}
    assert {ref: o["action"] for ref, o in planned.items()} == expected
    result = leftovers.carry_out(first, *words)
    assert {line for line in result.lines if line.startswith("removed ")} == {
        f"removed {ref}" for ref, action in expected.items() if action == "remove"}
    assert p.ask(lambda: found("sysv-shm"), "ipc") == {str(held)} and found("sysv-shm") == {str(here)}
    assert p.ask(lambda: found("posix-shm"), "mnt") == {"held"}
    assert not p.ask(lambda: kernel.mq_exists("/made"), "ipc")


def test_clean_by_age(first, place):
    """What is old there is as old from here."""
    p = place()
    old = p.make("sysv-shm")["id"]
    time.sleep(2.1)  # stamps are of whole seconds
    new = p.make("sysv-shm")["id"]
    listed = {o["ref"]: o["age"] for o in first.json("list", "sysv-shm", "-N", str(p.pid))["objects"]}
    stamps = {p.ref("sysv-shm", ident): p.ask(lambda ident=ident: kernel.shm(ident)["ctime"], "ipc")
              for ident in (old, new)}
    assert listed.keys() == stamps.keys()
    assert all(abs(int(time.time()) - stamps[ref] - age) <= 1 for ref, age in listed.items()), (listed, stamps)
    first("clean", "sysv-shm", "--remove", "--yes", "--older-than", "2s", "-N", str(p.pid))
    assert not p.exists("sysv-shm", old) and p.exists("sysv-shm", new)


def test_clean_what_is_held_elsewhere(first, factory, place):
    """A file of a /dev/shm that two have, held in the other one."""
    p = place("mnt")
    q = place("mnt", before=p.enter, setup=lambda: kernel.unmount("/dev/shm"))
    q.make("held-file", hold=True, name="/dev/shm/x", size=5, holders="map-r")
    leftovers.carry_out(first, *leftovers.ALL, "-N", "all")
    assert p.ask(lambda: found("posix-shm"), "mnt") == {"x"}


# What is said


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


LIMITS = {"kernel/msgmni": "77", "kernel/shmmni": "88", "kernel/sem": "32\t99\t5\t66", "fs/mqueue/queues_max": "55"}


def test_limits(ipcctl, place):
    """As they are set there, with what is used there."""
    p = place()
    before = {name: kernel.sysctl(name) for name in LIMITS}
    p.ask(lambda: [write(f"/proc/sys/{name}", text) for name, text in LIMITS.items()], "ipc")
    assert before == {name: kernel.sysctl(name) for name in LIMITS}
    for _ in range(7):
        p.make("sysv-msg")
    p.make("sysv-sem", nsems=4)
    p.make("posix-mq", name="/made")
    rows = ipcctl.json("limits", "-N", "all")["limits"]
    got = {(row["name"], row.get("namespace")): row for row in rows}
    assert len(got) == len(rows)
    there, here = p.numbers["ipc"], places.number("ipc")
    for name, value, used in [("msgmni", 77, 7), ("shmmni", 88, 0), ("semmni", 66, 1), ("semmns", 99, 4),
                              ("queues_max", 55, 1)]:
        assert (got[name, there]["value"], got[name, there]["used"]) == (value, used), name
        assert got[name, here]["used"] == 0 and got[name, here]["value"] != value
    alone = ipcctl.json("limits", "-N", str(p.pid))["limits"]
    assert {row["namespace"] for row in alone if row["name"] == "msgmni"} == {there}
    # The file system of that place.
    size = p.ask(lambda: os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize, "mnt")
    assert got["shm-size", p.numbers["mnt"]]["value"] == size


@pytest.mark.parametrize("thing, arguments, call", [
    ("sysv-sem", {"nsems": 1, "values": "0", "block": "0:-1"}, "semop"), ("sysv-msg", {"receivers": "9"}, "msgrcv"),
    ("posix-mq", {"name": "/made", "receivers": 1}, "mq_receive")])
def test_waits(ipcctl, factory, place, thing, arguments, call):
    """Who is blocked in a container is told with its object there, not with that of the same number here."""
    p = place()
    here = factory(thing, **{k: v for k, v in arguments.items() if k in ("nsems", "name")})
    truth = p.make(thing, hold=True, **arguments)
    rest = truth.get("id", "made")
    rows = ipcctl.json("waits", "-N", "all")["waits"]
    assert [row.get("object") for row in rows if row["call"].startswith(call[:5])] == [p.ref(thing, rest)], rows
    assert str(here.get("id", "/made")) in f"{rest} /made"
    assert not [row for row in ipcctl.json("waits")["waits"] if row.get("kind") == thing]


def test_watch(ipcctl, place):
    p = place()
    w = Watch(ipcctl.command("watch", "--jsonl", "--interval=0.2", "-N", str(p.pid), "-N", str(os.getpid())),
              ENVIRONMENT, cwd=ipcctl.cwd)
    try:
        w.ready()
        ident = p.make("sysv-shm")["id"]
        w.until(lambda e: (e["event"], e.get("ref")) == ("created", p.ref("sysv-shm", ident)))
        p.ask(lambda: kernel.REMOVERS["sysv-shm"](ident), "ipc")
        w.until(lambda e: (e["event"], e.get("ref")) == ("removed", p.ref("sysv-shm", ident)))
        w.end()
    finally:
        w.kill()


def test_watch_a_place_that_begins_and_ends(ipcctl, place):
    """`all` means those that come, too; what ends with its namespace is told as gone."""
    w = Watch(ipcctl.command("watch", "--jsonl", "--interval=0.2", "-N", "all"), ENVIRONMENT,
              cwd=ipcctl.cwd)
    try:
        w.ready()
        p = place("ipc")
        ref = p.ref("sysv-shm", p.make("sysv-shm")["id"])
        w.until(lambda e: (e["event"], e.get("ref")) == ("created", ref))
        p.close()
        w.until(lambda e: (e["event"], e.get("ref")) == ("removed", ref))
        w.end()
    finally:
        w.kill()


def test_check(ipcctl, place):
    """A limit that fills up in a container is said, and where."""
    p = place()
    p.ask(lambda: write("/proc/sys/kernel/msgmni", "4"), "ipc")
    for _ in range(4):
        p.make("sysv-msg")
    words = ("--limits=80,90", "--incomplete=ok")
    assert check(ipcctl, *words, status=0).status == 0
    verdict = check(ipcctl, *words, "-N", "all", status=2)
    assert "msgmni" in verdict.text and str(p.numbers["ipc"]) in verdict.text and "4 of 4" in verdict.text
    check(ipcctl, *words, "-N", str(p.pid), status=2)


@pytest.mark.parametrize("words", [(), ("--per-object=sysv-shm", "--per-object=posix-shm", "--per-object=sysv-msg")],
                         ids=["sums", "per-object"])
def test_metrics(ipcctl, factory, place, words):
    """Objects of the same numbers and names in several places are different series."""
    made = [place() for _ in range(2)]
    for make in factory, *(p.make for p in made):
        make("sysv-shm", key=5, size=4096)
        make("sysv-msg", messages="1:5")
        make("posix-shm", name="/x", size=3)
    text = ipcctl("metrics", *words, "-N", "all").out
    assert promtool("check", "metrics", data=text) == (0, "")
    series = [line.rsplit(b" ", 1)[0] for line in text.splitlines() if line and not line.startswith(b"#")]
    assert len(series) == len(set(series))
    metrics(ipcctl, *words, "-N", "all")
    for p in made:
        assert f'namespace="{p.numbers["ipc"]}"'.encode() in text
    # Over all of them.
    total = sum(float(line.rsplit(b" ", 1)[1]) for line in text.splitlines()
                if line.startswith(b"ipcctl_objects{") and b'kind="sysv-shm"' in line)
    assert total == 3


def test_summary(ipcctl, factory, place):
    p = place()
    for make in factory, p.make:
        make("sysv-shm", size=4096)
    p.make("sysv-shm", size=8192)

    def row(*words):
        rows = ipcctl("summary", "--raw", *words).table()
        return next(r for r in rows if r["kind"] == "sysv-shm")
    assert (row()["count"], row()["bytes"]) == ("1", "4096")
    assert (row("-N", "all")["count"], row("-N", "all")["bytes"]) == ("3", "16384")
    assert (row("-N", str(p.pid))["count"], row("-N", str(p.pid))["bytes"]) == ("2", "12288")


def test_graph(ipcctl, factory, place):
    """Two processes with one segment in a container; here is another of the same number."""
    p = place()
    here = factory("sysv-shm", hold=True, attach=1)["id"]
    truth = p.make("held-sysv-shm", hold=True, size=4096, holders="attach,attach-r")
    pids = {h["pid"] for h in truth["holdings"]}
    document = ipcctl.json("graph", "sysv-shm", "--all", "-N", "all")
    refs = {n["ref"] for n in document["nodes"] if "ref" in n}
    assert refs == {f"sysv-shm:{here}", p.ref("sysv-shm", truth["id"])}
    node = next(n for n in document["nodes"] if n.get("ref") == p.ref("sysv-shm", truth["id"]))
    ends = {e[end] for e in document["edges"] for end in ("from", "to") if node["id"] in (e["from"], e["to"])}
    assert {n["pid"] for n in document["nodes"] if n["id"] in ends and "pid" in n} == pids
    assert p.ref("sysv-shm", truth["id"]) in ipcctl("graph", "sysv-shm", "-N", str(p.pid), "--all").text


def test_columns(ipcctl, place):
    """A table tells the places apart by its references; every format has the same objects."""
    p = place()
    p.make("sysv-shm")
    p.make("posix-shm", name="/x", size=2)
    refs = {o["ref"] for o in ipcctl.json("list", "-N", "all")["objects"]}
    assert refs == {row["ref"] for row in ipcctl("list", "-N", "all", "--raw").table()}
    assert refs == {json.loads(line)["ref"] for line in ipcctl("list", "-N", "all", "--jsonl").lines}
    assert all(ref in ipcctl("list", "-N", "all", "--no-truncate").text for ref in refs)
    chosen = ipcctl.json("list", "-N", "all", "-f", f"ipcns={p.numbers['ipc']}", "sysv-shm")["objects"]
    assert {o["ref"] for o in chosen} == {ref for ref in refs if ref.startswith("sysv-shm")}


def test_completion(ipcctl, place):
    """Nothing is entered for a completion that did not ask for it, and the option is offered."""
    place("ipc").make("sysv-shm")
    assert "--ipcns" in ipcctl("__complete", "--", "list", "--ipc").text
    assert subprocess.run(ipcctl.command("__complete", "--", "describe", "sysv-shm:"), capture_output=True, check=True,
                          env=ENVIRONMENT).stdout.strip() == b""
