# SPDX-License-Identifier: MIT
"""--ipcns: objects of other namespaces, against what was made in them and what the kernel says there."""

import ctypes
import os
import subprocess
import threading

import expect
import kernel
import places
import pytest
from conftest import one_user_only
from program import ENVIRONMENT, unescape

KINDS = ("sysv-shm", "sysv-sem", "sysv-msg", "posix-shm", "posix-sem", "posix-mq")


def fill(place):
    """One of each persistent kind, without a process: what the kernel says of each, by reference."""
    owner = {} if one_user_only() else {"uid": 7, "gid": 8}
    shm = place.make("sysv-shm", key=0x4711, size=5000, mode="640", **owner)["id"]
    sem = place.make("sysv-sem", key=0x4712, nsems=3, values="1,0,7")["id"]
    msg = place.make("sysv-msg", key=0x4713, messages="5:10,1:0")["id"]
    place.make("posix-shm", name="/seg", size=7777, mode="600")
    place.make("posix-sem", name="/sem", value=3)
    place.make("posix-mq", name="/queue", maxmsg=3, msgsize=64, messages="2:5")
    made = [place.expect(expect.sysv_shm, shm), place.expect(expect.sysv_sem, sem), place.expect(expect.sysv_msg, msg),
            place.expect(expect.posix_shm, "seg"), place.expect(expect.posix_sem, "/sem"),
            place.expect(expect.posix_mq, "/queue")]
    return {o["ref"]: o for o in made}


def listed(ipcctl, *words, **options):
    return ipcctl.objects(*words, **options)


def compare(got, expected):
    """Object by object, and no other of those namespaces."""
    numbers = {o[field] for o in expected.values() for field in places.FIELD_OF.values() if field in o}
    theirs = {ref for ref, o in got.items() if numbers & {o.get(f) for f in places.FIELD_OF.values()}}
    assert theirs == set(expected)
    for ref, o in expected.items():
        expect.matches(got[ref], o)


@pytest.mark.parametrize("sorts", [("ipc", "mnt", "net"), ("ipc", "mnt", "net", "pid"),
                                   ("user", "ipc", "mnt", "net"), ("user", "ipc", "mnt", "net", "pid")], ids="-".join)
def test_all(ipcctl, factory, place, sorts):
    """Objects of here and there, of each kind, are told apart and told in full."""
    here = factory("sysv-shm", key=0x4711, size=99)["id"]
    factory("posix-shm", name="/seg", size=1)
    first, second = place(*sorts), place(*sorts)
    if "user" in sorts:
        expected = {}
        for p in first, second:
            ident = p.make("sysv-shm", key=3, size=55)["id"]
            p.make("posix-shm", name="/seg", size=7)
            for o in p.expect(expect.sysv_shm, ident), p.expect(expect.posix_shm, "seg"):
                expected[o["ref"]] = o
    else:
        expected = {**fill(first), **fill(second)}
    got = listed(ipcctl, "-N", "all")
    compare(got, expected)
    expect.matches(got[f"sysv-shm:{here}"], expect.sysv_shm(here))
    expect.matches(got["posix-shm:/seg"], expect.posix_shm("seg"))
    assert not [ref for ref in listed(ipcctl) if ref in expected]


def test_nested(ipcctl, place):
    """A container in a container."""
    outer = place("user", "ipc", "mnt", "net")
    inner = place("user", "ipc", "mnt", "net", before=lambda: outer.enter())
    made = {}
    for p in outer, inner:
        ident = p.make("sysv-sem", nsems=2)["id"]
        made |= {o["ref"]: o for o in [p.expect(expect.sysv_sem, ident)]}
    compare(listed(ipcctl, "sysv-sem", "-N", "all"), made)
    assert set(listed(ipcctl, "sysv-sem", "-N", str(inner.pid))) == {list(made)[1]}


def test_where(ipcctl, factory, place):
    """By a process, by the number of any of its namespaces, by a path, and several."""
    factory("sysv-shm")
    a, b = place(), place()
    a_made, b_made = fill(a), fill(b)
    everything = a_made.keys() | b_made.keys()
    for where in str(a.pid), str(a.numbers["ipc"]), f"/proc/{a.pid}/ns/ipc":
        assert set(listed(ipcctl, "-N", where)) == set(a_made), where
    assert set(listed(ipcctl, f"--ipcns={a.pid}")) == set(a_made)
    assert set(listed(ipcctl, "-N", str(a.pid), "-N", str(b.numbers["ipc"]))) == everything
    assert set(listed(ipcctl, "-N", str(a.numbers["mnt"]))) == {r for r in a_made if PART(r) == "mnt"}
    a.ask(kernel.loopback_up)
    listening = a.make("inet-listener", hold=True, holders="a")
    got = ipcctl.json("list", "inet-socket", "-N", str(a.numbers["net"]))["objects"]
    assert [(o["netns"], o["ref"].split("/")[1]) for o in got] == [(a.numbers["net"], str(listening["a_ino"]))]
    assert listed(ipcctl, "-N", str(a.numbers["net"])) == {}


def PART(ref):
    return places.PART_OF[ref.split(":")[0]]


def test_own_place_by_word(ipcctl, factory):
    """The place of the program itself has no number in its references, however it is asked for."""
    ident = factory("sysv-shm")["id"]
    for where in str(os.getpid()), str(places.number("ipc")), "/proc/self/ns/ipc", "all":
        assert set(listed(ipcctl, "sysv-shm", "-N", where)) >= {f"sysv-shm:{ident}"}, where
    assert ipcctl.describe(f"sysv-shm:{places.number('ipc')}/{ident}")["ref"] == f"sysv-shm:{ident}"


def test_kept_by_a_mount(ipcctl, place, tmp_path):
    """Nobody is in it; only where it is mounted, it can be found."""
    kept = tmp_path / "kept"
    kept.touch()
    p = place("ipc")
    ident = p.make("sysv-shm", size=321)["id"]
    expected = p.expect(expect.sysv_shm, ident)
    kernel.mount(f"/proc/{p.pid}/ns/ipc", kept, "none", kernel.MS_BIND)
    try:
        p.close()
        for where in "all", str(p.numbers["ipc"]), str(kept):
            got = listed(ipcctl, "sysv-shm", "-N", where)
            expect.matches(got[expected["ref"]], {k: v for k, v in expected.items() if "pid" not in k})
        assert ipcctl.describe(expected["ref"])["size"] == 321
        ipcctl("remove", expected["ref"])
        assert ipcctl.objects("sysv-shm", "-N", "all") == {}
    finally:
        kernel.unmount(kept)
    ipcctl.refuses("describe", expected["ref"], status=1)


@pytest.mark.parametrize("sort, kind", [("ipc", "sysv-shm"), ("mnt", "posix-shm"), ("net", "unix-socket")])
def test_kept_by_a_descriptor(ipcctl, place, background, sort, kind):
    """Nobody is in it; only a process that has it open, by number, leads there."""
    p = place(sort)
    if sort == "ipc":
        p.make("sysv-shm")
    elif sort == "mnt":
        p.make("posix-shm", name="/left", size=8)
    pid, _ = places.forked(lambda: os.open(f"/proc/{p.pid}/ns/{sort}", os.O_RDONLY) and None)
    try:
        p.close()
        assert p.numbers[sort] == next(os.stat(f"/proc/{pid}/fd/{fd}").st_ino for fd in os.listdir(f"/proc/{pid}/fd")
                                       if os.readlink(f"/proc/{pid}/fd/{fd}").startswith(f"{sort}:"))
        for where in "all", str(p.numbers[sort]):
            got = ipcctl.json("list", kind, "--no-holders", "-N", where)["objects"]
            mine = [o for o in got if o[places.FIELD_OF[sort]] == p.numbers[sort]]
            assert len(mine) == (0 if sort == "net" else 1)
        if sort != "net":
            assert ipcctl.describe(mine[0]["ref"])["ref"] == mine[0]["ref"]
    finally:
        places.reap(pid)


def test_descriptor_of_a_thread(ipcctl, place):
    """The thread that keeps it has a table of its own, of which the process has nothing."""
    p = place("ipc")
    ident = p.make("sysv-shm")["id"]
    ready = threading.Event()

    def keep():
        kernel.unshare(0x400)  # CLONE_FILES
        os.open(f"/proc/{p.pid}/ns/ipc", os.O_RDONLY)
        ready.set()
        threading.Event().wait()

    def body():
        threading.Thread(target=keep, daemon=True).start()
        ready.wait()

    pid, _ = places.forked(body)
    try:
        p.close()
        assert p.ref("sysv-shm", ident) in listed(ipcctl, "sysv-shm", "-N", "all")
    finally:
        places.reap(pid)


def test_thread_alone(ipcctl, place):
    """Another thread than the leader is in it, and nobody else."""
    ready, made = threading.Event(), {}

    def go():
        kernel.unshare(kernel.CLONE_NEWIPC)
        made["id"] = kernel.shmget(kernel.IPC_PRIVATE, 1234, 0o600)
        made["tid"] = threading.get_native_id()
        ready.set()
        threading.Event().wait()

    def body():
        threading.Thread(target=go, daemon=True).start()
        ready.wait()
        return made

    pid, there = places.forked(body)
    try:
        ino = os.stat(f"/proc/{pid}/task/{there['tid']}/ns/ipc").st_ino
        ref = f"sysv-shm:{ino}/{there['id']}"
        for where in "all", str(ino):
            assert listed(ipcctl, "sysv-shm", "-N", where)[ref]["size"] == 1234
        assert ipcctl.describe(ref)["cpid"] == pid
    finally:
        places.reap(pid)


def test_thread_with_its_own_mounts(ipcctl, factory):
    """/dev/shm as the thread sees it, not its process."""
    factory("posix-shm", name="/outside", size=1)
    ready, made = threading.Event(), {}

    def go():
        kernel.unshare(0x200)  # CLONE_FS
        places.make_new(("mnt",))
        with open("/dev/shm/inside", "wb"):
            pass
        made["tid"] = threading.get_native_id()
        ready.set()
        threading.Event().wait()

    def body():
        threading.Thread(target=go, daemon=True).start()
        ready.wait()
        return made["tid"]

    pid, tid = places.forked(body)
    try:
        ino = os.stat(f"/proc/{pid}/task/{tid}/ns/mnt").st_ino
        assert set(listed(ipcctl, "posix-shm", "-N", "all")) == {"posix-shm:/outside", f"posix-shm:{ino}/inside"}
    finally:
        places.reap(pid)


def test_first_process_elsewhere(ipcctl, place):
    """The first process of a mount namespace has a root without /dev/shm; the others have one."""
    p = place("mnt", setup=lambda: (kernel.mount("tmpfs", "/mnt", "tmpfs"), kernel.call("chroot", b"/mnt")) and None)
    pid, _ = places.forked(lambda: (p.enter(), open("/dev/shm/x", "wb").close())[1])
    assert pid > p.pid and not os.path.exists(f"/proc/{p.pid}/root/dev/shm")
    assert os.path.exists(f"/proc/{pid}/root/dev/shm/x")
    for where in "all", str(p.pid):
        assert p.ref("posix-shm", "x") in ipcctl.objects("posix-shm", "-N", where)
    places.reap(pid)


def test_shared_memory_of_two(ipcctl, place):
    """Two mount namespaces with one /dev/shm: one object, with the holders of both."""
    a = place("mnt")
    b = place("mnt", before=a.enter, setup=lambda: kernel.unmount("/dev/shm"))
    assert a.numbers["mnt"] != b.numbers["mnt"]
    mine = a.make("held-file", hold=True, name="/dev/shm/x", size=10, holders="r")
    b.sorts = ("mnt",)
    other, fd = places.forked(lambda: (b.enter(), os.open("/dev/shm/x", os.O_RDWR))[1])
    assert os.stat(f"/proc/{other}/fd/{fd}").st_ino == mine["ino"]
    objects = ipcctl.json("list", "posix-shm", "-N", "all", "-o", "all")["objects"]
    assert [o["ref"] for o in objects] == [a.ref("posix-shm", "x")]
    held = {(h["pid"], h["fd"]) for h in mine["holdings"]} | {(other, fd)}
    assert {(h["pid"], h["fd"]) for h in objects[0]["holders"]} == held and objects[0]["state"] == "in-use"
    places.reap(other)


def test_holders_in_a_pid_namespace(ipcctl, place):
    """Processes have the numbers that they have here."""
    def attach():
        ident = kernel.shmget(0x77, 4096, kernel.IPC_CREAT | 0o600)
        kernel.libc.shmat.restype = ctypes.c_void_p
        kernel.libc.shmat(ident, None, 0)
        fd = os.open("/dev/shm/held", os.O_RDWR | os.O_CREAT, 0o600)
        return ident, fd, os.getpid()

    p = place("ipc", "mnt", "net", "pid", setup=attach)
    ident, fd, inside = p.said
    assert inside == 1 and p.pid != 1
    o = ipcctl.describe(p.ref("sysv-shm", ident))
    assert (o["nattch"], o["cpid"], o["lpid"], o["state"]) == (1, p.pid, p.pid, "in-use")
    assert [h["pid"] for h in o["holders"]] == [p.pid]
    o = ipcctl.describe(p.ref("posix-shm", "held"))
    assert [(h["pid"], h["fd"]) for h in o["holders"]] == [(p.pid, fd)]
    assert o["mntns"] == p.numbers["mnt"]


def test_contents(ipcctl, factory, place):
    """What costs a call per object is asked for where the object is; the same numbers here are others."""
    p = place()
    for make, values, messages, waiting in (factory, "9,9,9", "1:1", ()), (p.make, "1,0,7", "5:10,1:0", ("block",)):
        sem = make("sysv-sem", key=1, nsems=3, values=values, hold=True, **{w: "1:-1" for w in waiting})["id"]
        msg = make("sysv-msg", key=2, messages=messages)["id"]
        make("posix-mq", name="/q", messages="2:5")
    assert kernel.exists("sysv-sem", sem) and kernel.exists("sysv-msg", msg)
    o = ipcctl.describe(p.ref("sysv-sem", sem))
    assert o["semaphores"] == p.ask(lambda: expect.semaphores(sem), "ipc")
    assert [row["value"] for row in o["semaphores"]] == [1, 0, 7] and o["semaphores"][1]["ncount"] == 1
    assert o["waiters"] == 1 and len(o["waiting"]) == 1
    o = ipcctl.describe(p.ref("sysv-msg", msg), "--content")
    got = [(m["type"], unescape(m["body"])) for m in o["content"]]
    assert got == p.ask(lambda: kernel.msg_drain(msg), "ipc") and len(got) == 2
    o = ipcctl.describe(p.ref("posix-mq", "q"), "--status")
    assert (o["curmsgs"], o["bytes"]) == (1, 5)
    assert kernel.msg(msg)["messages"] == 1


def test_sockets(ipcctl, factory, place):
    """Those of a network namespace, with their processes."""
    a = place("net")
    listener = a.make("unix-listener", hold=True, holders="a", name=b"\0there")
    a.ask(kernel.loopback_up)
    tcp = a.make("inet-listener", hold=True, holders="a")
    factory("unix-listener", hold=True, holders="a", name=b"\0there")
    document = ipcctl.json("list", "unix-socket", "inet-socket", "-N", str(a.pid), "-o", "+holders")
    got = {o["kind"]: o for o in document["objects"]}
    assert len(document["objects"]) == 2
    assert got["unix-socket"]["name"] == "@there" and got["unix-socket"]["netns"] == a.numbers["net"]
    for kind, truth in ("unix-socket", listener), ("inet-socket", tcp):
        assert {h["pid"] for h in got[kind]["holders"]} == {h["pid"] for h in truth["holdings"]}
        assert got[kind]["ref"].startswith(f"{kind}:{a.numbers['net']}/")
        assert ipcctl.describe(got[kind]["ref"])["ref"] == got[kind]["ref"]
    everywhere = ipcctl.json("list", "unix-socket", "-N", "all", "-f", "name=@there")["objects"]
    assert sorted(o["netns"] for o in everywhere) == sorted([a.numbers["net"], places.number("net")])
    ref = got["inet-socket"]["ref"]
    ipcctl("remove", ref, status=None)
    assert a.ask(lambda: len(open("/proc/self/net/tcp", encoding="ascii").readlines()), "net") == 1


def test_references(ipcctl, factory, place):
    """Every one that is listed is taken back, and acts there and nowhere else."""
    mine, a = fill_here(factory), place()
    made = fill(a)
    refs = ipcctl("list", "-N", "all", "--no-holders", "-0", "-o", "ref", clean=False).out.split(b"\0")[:-1]
    assert {r.decode() for r in refs} == made.keys() | mine.keys()
    described = ipcctl.json("describe", *refs)["objects"]
    assert {o["ref"] for o in described} == made.keys() | mine.keys()
    for o in described:
        expect.matches(o, made.get(o["ref"]) or mine[o["ref"]])
    subprocess.run(["xargs", "-0", *ipcctl.command("remove", "--quiet")], check=True, env=ENVIRONMENT,
                   input=b"".join(r + b"\0" for r in refs if r.decode() in made))
    for which in "shm", "sem", "msg":
        assert a.ask(lambda which=which: kernel.sysvipc(which), "ipc") == []
        assert len(kernel.sysvipc(which)) == 1
    assert os.listdir(f"/proc/{a.pid}/root/dev/shm") == [] and set(kernel.files()) == {b"seg", b"sem.sem"}
    assert not a.ask(lambda: kernel.mq_exists("/queue"), "ipc") and kernel.mq_exists("/queue")
    for ref in made:
        ipcctl.refuses("remove", ref, status=1, words=[ref, "not found"])


def fill_here(factory):
    """The same ids, keys and names as fill() makes."""
    class Here:
        make = staticmethod(factory)

        @staticmethod
        def expect(describe, *words):
            return describe(*words)
    return fill(Here)


@pytest.mark.parametrize("kind", KINDS)
def test_number_of_nothing(ipcctl, kind):
    """A reference into a namespace that is not there, or is of another sort."""
    rest = "0" if kind.startswith("sysv") else "x"
    other = "mnt" if places.PART_OF[kind] == "ipc" else "ipc"
    for number in 4294967290, places.number(other):
        for command in "describe", "remove":
            ipcctl.refuses(command, f"{kind}:{number}/{rest}", status=1, words=["not found"])


@pytest.mark.parametrize("kind", ["sysv-shm", "sysv-sem", "sysv-msg"])
def test_keys(ipcctl, factory, place, kind):
    """`key=` with the number of a namespace means the object there."""
    a, here = place("ipc"), factory(kind, key=0x99)["id"]
    there = a.make(kind, key=0x99)["id"]
    ref = f"{kind}:{a.numbers['ipc']}/key=0x99"
    assert ipcctl.describe(ref)["ref"] == a.ref(kind, there)
    assert ipcctl.describe(f"{kind}:key=0x99")["ref"] == f"{kind}:{here}"
    both = ipcctl.json("describe", "-N", "all", f"{kind}:key=0x99")["objects"]
    assert {o["ref"] for o in both} == {f"{kind}:{here}", a.ref(kind, there)}
    ipcctl("remove", ref)
    assert not a.exists(kind, there) and kernel.exists(kind, here)


@pytest.mark.parametrize("kind", ["sysv-shm", "sysv-sem", "sysv-msg"])
def test_first_namespace(ipcctl, kind):
    """Its number (include/linux/proc_ns.h) is one as well, seen from another."""
    ipcctl.refuses("describe", f"{kind}:{0xEFFFFFFF}/2147483646", status=1, words=["not found"])
