# SPDX-License-Identifier: MIT
"""What each example of the manual pages takes place in, and what then has become of it. Most print nothing there:
what has to come out is said here."""

import contextlib
import csv
import ctypes
import errno
import json
import os
import re
import shutil
import signal
import socket
import struct
import sys

import examples
import kernel
import leftovers
from program import unescape
from scenes_readme import (HOUR, KIB, MIB, attach, blocking, hold, locking, scene, send, shm_names, texts, torches)
from stage import USERS


def of(page):
    """For scenes of one page: ipcctl-PAGE.1 unless it has a name of its own."""
    return lambda name: scene(page if "." in page else f"ipcctl-{page}.1", name)


def refs(printed, column=0):
    """What a table has in one column."""
    return [examples.Row(line).cells[column] for line in printed.lines[1:]]


def pipe_between(s, writer, reader, fill=0):
    """Two programs, and a pipe from the standard output of one to the standard input of the other: all numbers."""
    r, w = os.pipe()
    os.write(w, bytes(fill))
    reads, writes = s.process(reader, fds={0: r}), s.process(writer, fds={1: w})
    number = os.fstat(r).st_ino
    os.close(r)
    os.close(w)
    return number, writes, reads


# check


check = of("check")


@check("ipcctl check --limits 80:95 --orphans 10:100")
def nearly_all_sets(s):
    s.sysctl("kernel/sem", "32000 1024000000 500 32000")
    for _ in range(29120):
        kernel.semget(0, 1, 0o600)
    s.run(status=1)


@check("ipcctl check --queue-fill '1:80,~:95'")
def queue_fills(s):
    s.factory("posix-mq", name="/jobs", maxmsg=10, msgsize=10)
    queue = kernel.mq_open("/jobs", os.O_RDWR)
    command = s.example.steps[0].command

    def put(count):
        for _ in range(count):
            kernel.call("mq_send", queue, b"x", ctypes.c_size_t(1), 0)
    assert s.sh(command).status == 1
    put(5)
    assert s.sh(command).status == 0
    put(5)
    printed = s.step(status=2)
    os.close(queue)
    assert printed.text.startswith("IPC CRITICAL - ") and "/jobs" in printed.text, printed


@check("command[check_ipc]=sudo ipcctl check --prove")
def as_a_plugin(s):
    """In the syntax of a file; sudo(8) may be missing, and who runs this has the rights."""
    s.script("sudo", 'exec "$@"\n')
    variable, _, command = s.example.text.strip().partition("=")
    assert variable == "command[check_ipc]"
    printed = s.sh(command)
    assert printed.status == 0 and printed.text.startswith("IPC OK - "), printed


# clean


clean = of("clean")


@clean("ipcctl clean")
def cleaning(s):
    s.mount("/dev/shm", data="mode=1777,size=512m")
    s.gone(lambda: kernel.shmget(0, 64 * MIB, 0o1600), "ann")
    s.gone(lambda: s.file("/dev/shm/train1", 192 * MIB, 192 * MIB), "ann")
    s.file("/dev/shm/cache")
    s.says["32769"] = kernel.sysvipc("shm")[0]["shmid"]
    s.later = 3 * HOUR
    s.step()
    assert "posix-shm:/cache" in s.step().text
    assert shm_names() == {"train1", "cache"}


@clean("ipcctl clean --remove --yes")
def do_it(s):
    torches(s, 1, MIB)
    s.process("renderer", lambda: iter([s.file("/dev/shm/held"), *hold("/dev/shm/held")()]))
    s.later = HOUR
    s.run()
    assert shm_names() == {"held"}


@clean("ipcctl clean --remove --yes --idle --older-than 1h")
def every_hour(s):
    for name in ("left", "held"):
        s.file(f"/dev/shm/{name}")
    s.process("worker", hold("/dev/shm/held"))
    s.later = HOUR - 300
    assert s.sh(s.example.steps[0].command).status == 0 and shm_names() == {"left", "held"}
    s.later = HOUR + 5
    s.run()
    assert shm_names() == {"held"}


@clean("ipcctl clean sysv-sem -u ann --stale --remove")
def logged_out(s):
    for user in ("ann", "alice"):
        s.gone(lambda: kernel.semget(0, 1, 0o600), user)
    s.later = HOUR
    s.typed(b"y")
    assert not kernel.exists("sysv-sem", 0) and kernel.exists("sysv-sem", 1)


@clean("ipcctl clean posix-shm --name 'torch_*' --remove")
def of_one_program(s):
    torches(s, 2, MIB)
    s.gone(lambda: s.file("/dev/shm/cache", MIB), "ann")
    s.later = HOUR
    s.typed(b"y")
    assert shm_names() == {"cache"}


def bind(path, listen=False):
    one = socket.socket(socket.AF_UNIX)
    one.bind(path)
    if listen:
        one.listen()
    return one


@clean("ipcctl clean unix-socket --path /run --remove")
def socket_files(s):
    s.mount("/run")
    bind("/run/left.sock").close()
    with bind("/run/db.sock", listen=True):
        s.later = HOUR
        s.typed(b"y")
        assert os.listdir("/run") == ["db.sock"]


# create


create = of("create")


@create("ipcctl create posix-shm /frames --size 64M --mode 660 --owner :video")
def three_objects(s):
    s.step()
    made = os.stat("/dev/shm/frames")
    assert (made.st_size, made.st_mode & 0o7777) == (64 * MIB, 0o660)
    assert (made.st_uid, made.st_gid) == (0, USERS["video"])
    s.step()
    assert [each["value"] for each in kernel.sem_each(0)] == [1, 0, 3] and kernel.sem(0)["key"] == 0x162E
    huge_segment(s)


def huge_segment(s):
    """Where there are not as many huge pages, as the kernel says itself, the program says that."""
    SHM_HUGETLB, SHM_HUGE_2MB = 0o4000, 21 << 26
    try:
        kernel.REMOVERS["sysv-shm"](kernel.shmget(0, 1 << 30, 0o1600 | SHM_HUGETLB | SHM_HUGE_2MB))
        there_are = True
    except OSError as error:
        assert error.errno in (errno.ENOMEM, errno.ENOENT, errno.EINVAL), error
        there_are = False
    printed = s.step(status=None, more='\necho "id $id"')
    if there_are:
        row, = kernel.sysvipc("shm")
        assert row["size"] == 1 << 30 and printed.lines == [f"id {row['shmid']}"], printed
    else:
        assert printed.text.startswith("ipcctl: create sysv-shm: ") and not kernel.sysvipc("shm"), printed


@create("ipcctl create inet-socket tcp:127.0.0.1:8080 -- ./server")
def socket_activated(s):
    kernel.loopback_up()
    program = s.directory / "server"
    program.write_text(f"#!{sys.executable}\n" + """
import os, socket
with socket.socket(fileno=int(os.environ["IPCCTL_FD"])) as s:
    print(s.getsockname(), s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), os.environ["LISTEN_FDS"])
""")
    program.chmod(0o755)
    assert s.run().text == "('127.0.0.1', 8080) 1 1\n"


@create("ipcctl create pipe -- bash -c \\")
def reader_gone(s):
    s.step(status=None)
    assert s.status == 128 + signal.SIGPIPE
    s.step()


@create("ipcctl create memfd scratch --size 16M --timeout 10m &")
def memory_for_a_test(s):
    command, step = s.next_step()
    process, path = s.begin(command)
    leftovers.wait_for(lambda: path.read_text().endswith("\n"))
    ref = path.read_text()
    number = s.says["1042"] = int(re.fullmatch(r"memfd:(\d+)\n", ref)[1])
    examples.compare(step.output, ref.splitlines(), s.says)
    holder, = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if number in numbers_of(pid)]
    assert numbers_of(holder)[number] == 16 * MIB
    assert f"size: 16M ({16 * MIB} bytes)" in s.step().text
    process.wait()


def numbers_of(pid):
    """Inode numbers of what a process has open, and the sizes."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            st = os.stat(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        found[st.st_ino] = st.st_size
    return found


@create("ipcctl create flock /run/job.lock --nonblock -- ./job")
def nightly_job(s):
    s.mount("/run")
    shutil.copy(s.script("job", "touch /run/done\n"), s.directory / "job")
    s.process("job", locking(["/run/job.lock"]))
    s.unwrap()
    command = s.example.steps[0].command
    s.run(status=1)
    assert os.listdir("/run") == ["job.lock"]
    os.unlink("/run/job.lock")
    assert s.sh(command).status == 0 and os.path.exists("/run/done")


@create("ipcctl create signal 4711 --signal RTMIN+3 --value 17")
def wake(s):
    number = signal.SIGRTMIN + 3

    def waits():
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        yield
        about = ctypes.create_string_buffer(128)  # siginfo_t: si_value is behind si_pid and si_uid
        kernel.call("sigwaitinfo", struct.pack("Q120x", 1 << number - 1), about)
        s.file("/dev/shm/got", struct.unpack_from("i", about, 24)[0])
    s.says["4711"] = s.process("waiter", waits, asleep="sigtimedwait")
    s.run()
    leftovers.wait_for(lambda: os.path.exists("/dev/shm/got") and os.stat("/dev/shm/got").st_size == 17)


@of("remove")("ipcctl create signal")
def named_by_remove(s):
    """Its name alone is in the text."""
    pid = s.process("worker", blocking(signal.SIGUSR1))
    s.run(more=f" {pid} --signal USR1")
    assert kernel.pending_signals(pid) == 1 << signal.SIGUSR1 - 1


# describe


describe = of("describe")


def semop(ident, *operations):
    """(index, what)"""
    each = b"".join(struct.pack("Hhh", index, operation, 0) for index, operation in operations)
    kernel.call("semop", ident, each, ctypes.c_size_t(len(operations)))


@describe("ipcctl describe sysv-sem:3 -o waiting,semaphores")
def who_waits(s):
    ident = [kernel.semget(0, 2, 0o600) for _ in range(4)][-1]
    s.says["sysv-sem:3"] = f"sysv-sem:{ident}"

    def sets():
        yield semop(ident, (1, 1)), semop(ident, (0, 1)), semop(ident, (0, -1))

    def waits():
        yield
        semop(ident, (0, -1))
    s.says |= {"4711": s.process("python3", sets), "4720": s.process("worker", waits, asleep="sem"),
               "4721": s.process("worker", waits, asleep="sem")}
    s.run()


@describe("readlink /proc/4711/fd/1")
def standard_output(s):
    number, writer, reader = pipe_between(s, "producer", "consumer")
    s.says |= {"4711": writer, "10466": number}
    printed = s.run()
    assert re.search(rf" {reader}  .* consumer .* reader", printed.text), printed


@describe("ipcctl describe unix-socket:/run/postgresql/.s.PGSQL.5432")
def talks_to_server(s):
    kernel.loopback_up()
    s.mount("/run")
    os.mkdir("/run/postgresql")
    with bind("/run/postgresql/.s.PGSQL.5432", listen=True) as local, \
            socket.create_server(("127.0.0.1", 5432)) as remote, \
            socket.socket(socket.AF_UNIX) as one, socket.create_connection(("127.0.0.1", 5432)) as other:
        one.connect("/run/postgresql/.s.PGSQL.5432")
        server = s.process("postgres", fds={3: local.fileno(), 4: remote.fileno()})
        clients = s.process("psql", fds={3: one.fileno()}), s.process("pgbench", fds={3: other.fileno()})
    for client in clients:
        printed = s.step()
        assert re.search(rf" {server} .* postgres ", printed.text) and "pending: 1\n" in printed.text, printed
        if client == clients[0]:  # nobody knows whose connection of TCP it is
            assert re.search(rf" pending_clients:\n.*\n.* {client} .* psql ", printed.text), printed


@describe("ipcctl describe signal:4711 -o signals,threads")
def does_not_take(s):
    pid = s.says["4711"] = s.process("worker", blocking(signal.SIGTERM))
    os.kill(pid, signal.SIGTERM)
    printed = s.step()
    assert "SIGTERM" in printed.text and "threads:" in printed.text, printed
    assert re.search(rf" SIGTERM +15 .* SI_USER +{os.getpid()} ", s.step().text)


@describe("ipcctl describe --content=16 sysv-msg:0")
def first_bytes(s):
    ident = kernel.msgget(0, 0o1600)
    body = b"render frame 1041"
    s.gone(lambda: next(send(ident, (1, body))()))
    printed = s.run()
    assert "|render frame 104|" in printed.text and "00000010" not in printed.text
    assert kernel.msg_drain(ident) == [(1, body)]


@describe("ipcctl list -s -0 | xargs -0 -r ipcctl describe -J |")
def values_of_all(s):
    for values in ((1, 0, 3), (7,)):
        ident = kernel.semget(0, len(values), 0o600)
        semop(ident, *((index, value) for index, value in enumerate(values) if value))
    assert list(csv.reader(s.run().lines)) == [["sysv-sem:0"], ["1", "0", "3"], ["sysv-sem:1"], ["7"]]


# graph


graph = of("graph")


def drawn(s, name):
    """The words in a picture."""
    svg = (s.directory / name).read_text(encoding="utf-8")
    return {word for text in texts(svg) for word in text.split()}


@scene("ipcctl.1", "ipcctl graph | dot -Tsvg > graph.svg")
@graph("ipcctl graph | dot -Tsvg > graph.svg")
def whole_system(s):
    pipe_between(s, "producer", "consumer")
    s.run()
    assert {"producer", "consumer"} <= drawn(s, "graph.svg")


@graph("ipcctl graph --group | dot -Tsvg > graph.svg")
def hundreds(s):
    """Of which many are the workers of one server."""
    with bind("/dev/shm/db.sock", listen=True) as listener, contextlib.ExitStack() as stack:
        accepted = []
        for _ in range(3):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.connect("/dev/shm/db.sock")
            accepted.append(stack.enter_context(listener.accept()[0]))
            s.process("worker", fds={3: one.fileno()})
        s.process("db", fds=dict(enumerate((one.fileno() for one in (listener, *accepted)), 3)))
    s.run()
    svg = (s.directory / "graph.svg").read_text(encoding="utf-8")
    assert sum("worker" in text for text in texts(svg)) == 1, texts(svg)


@graph("ipcctl graph --pid 4711 --depth 2 | dot -Tpng > 4711.png")
def connected(s):
    """Its picture is a picture; who is in it, the program says itself as JSON."""
    (r, w), (r2, w2), (r3, w3) = os.pipe(), os.pipe(), os.pipe()
    pid = s.says["4711"] = s.process("tail", fds={1: w})
    others = s.process("grep", fds={0: r, 1: w2}), s.process("sort", fds={0: r2, 1: w3})
    beyond = s.process("less", fds={0: r3})
    for fd in (r, w, r2, w2, r3, w3):
        os.close(fd)
    command = s.example.steps[0].command.split(" | ")[0].replace("4711", str(pid))
    shown = {node.get("pid") for node in json.loads(s.sh(command + " -J --quiet").text)["nodes"]}
    assert {pid, *others} <= shown and beyond not in shown
    s.run()
    assert (s.directory / f"{pid}.png").read_bytes().startswith(b"\x89PNG")


@graph("ipcctl graph lock sync sysv-sem | dot -Tx11")
def stuck(s):
    """Without the window."""
    s.process("backup", locking(["/dev/shm/a.lock"]))
    s.process("rotate", locking([], "/dev/shm/a.lock"), asleep="lock")
    pipe_between(s, "producer", "consumer")
    s.run(edit=("-Tx11", "-Tsvg > graph.svg"))
    assert {"backup", "rotate"} <= drawn(s, "graph.svg") and "producer" not in drawn(s, "graph.svg")


@graph("{ echo '```mermaid'")
def figure(s):
    s.file("/dev/shm/frames", 64 * MIB)
    s.file("/dev/shm/little", 64 * KIB)
    for name in ("render", "viewer"):
        s.process(name, hold("/dev/shm/frames", "/dev/shm/little"))
    s.run()
    first, *lines, last = (s.directory / "notes.md").read_text(encoding="utf-8").splitlines()
    assert (first, last) == ("```mermaid", "```"), lines
    text = "".join(lines)
    assert all(word in text for word in ("/frames", "render", "viewer")) and "/little" not in text, text


@graph("ipcctl graph pipe -p 4711 -J | jq -r '(.nodes |")
def other_ends(s):
    _, writer, reader = pipe_between(s, "producer", "consumer")
    s.says["4711"] = writer
    assert s.run().text == f"{writer}\tproducer\t{reader}\tconsumer\n"


# help, kinds, json


@of("help")("ipcctl create KIND --help")
def help_of_a_kind(s):
    s.says["KIND"] = "pipe"
    assert "--capacity" in s.run().text


@of("kinds")("ipcctl kinds -o kind,persistence")
def persistence(s):
    assert {row[0]: row[1] for row in (examples.Row(line).cells for line in s.run().lines)}["pipe"] == \
        "until the last descriptor is closed"


@of("kinds")("ipcctl kinds --json-schema | jq -r '.\"$defs\".\"sysv-shm\".properties |")
def every_field(s):
    rows = dict(line.split("\t") for line in s.run().lines)
    assert rows.keys() >= {"id", "key", "size", "nattch", "cpid"} and all(rows.values())


pages_json = of("ipcctl-json.5")


@pages_json('{"schema":1,"time":1795209035,"host":"db1","objects":[')
def document(s):
    s.file("/dev/shm/jobs", 5)
    s.factory("posix-sem", name="/lock")
    s.says["db1"] = examples.read("/proc/sys/kernel/hostname").strip()
    s.varies.add("1795209035")
    printed = s.sh("ipcctl list --json")
    examples.compare(s.example.text.splitlines(), printed.lines, s.says, s.varies)
    assert len(json.loads(printed.text)["objects"]) == 2


@pages_json("# Python")
def decoding(s):
    """Every byte, in names as the program tells them."""
    names = [bytes(range(1, 128)).replace(b"/", b""), bytes(range(128, 256)), "ü\u202e\\n".encode(), b"\\x41\\\\"]
    for name in names:
        with open(b"/dev/shm/" + name, "xb"):
            pass
    space = {}
    exec(s.example.text, space)
    told = [o["name"] for o in json.loads(s.sh("ipcctl list posix-shm -J").text)["objects"]]
    assert {space["raw"](name) for name in told} == {b"/" + name for name in names}
    assert all(space["raw"](name) == unescape(name) for name in told)


@pages_json("ipcctl kinds --json-schema")
def schema(s):
    assert json.loads(s.run().text)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pages_json("ipcctl list posix-shm -J |")
def large(s):
    s.file("/dev/shm/large", (1 << 30) + 1)
    s.file("/dev/shm/not", 1 << 30)
    assert s.run().lines == ["posix-shm:/large"]


@pages_json("ipcctl list -J | jq '.objects | group_by(.owner) |")
def by_owner(s):
    s.file("/dev/shm/sparse", 64 * MIB)
    s.file("/dev/shm/full", MIB, MIB)
    kernel.semget(0, 1, 0o600)
    s.gone(lambda: kernel.shmget(0, 8 * KIB, 0o1600), "ann")
    assert json.loads(s.run().text) == {"ann": 8 * KIB, "root": MIB}


@pages_json("ipcctl list -J | jq -e '.complete' >/dev/null || echo incomplete")
def all_seen(s):
    """The program sees all; one that is not in the first PID namespace does not, and says so."""
    assert s.run().text == ""
    real = s.directory / "real"
    real.mkdir()
    os.symlink(s.original, real / "ipcctl")
    assert s.sh(f"PATH={real}:$PATH\n{s.example.steps[0].command}").lines[-1] == "incomplete"


@pages_json("ipcctl list pipe --jsonl | jq -r '.ref as $ref | .holders[]? |")
def who_holds(s):
    number, writer, reader = pipe_between(s, "producer", "consumer")
    rows = [line.split("\t") for line in s.run().lines]
    assert sorted(row for row in rows if row[0] == f"pipe:{number}") == sorted([
        [f"pipe:{number}", str(writer), "1", "writer", "producer"],
        [f"pipe:{number}", str(reader), "0", "reader", "consumer"]])


@pages_json("ipcctl list sysv-shm -J |")
def given_away(s):
    """Of two that are given to another user one is attached."""
    idents = [kernel.shmget(0, 4096, 0o1600) for _ in range(3)]
    for ident in idents[1:]:
        owner = kernel.ShmDs(kernel.IpcPerm(uid=USERS["ann"], mode=0o600))
        kernel.call("shmctl", ident, kernel.IPC_SET, ctypes.byref(owner))
    s.process("render", lambda: iter([attach(idents[2])]))
    printed = s.run()
    assert [line for line in printed.lines if "sysv-shm" in line] == [f"would remove sysv-shm:{idents[1]}"], printed
    assert all(kernel.exists("sysv-shm", ident) for ident in idents)
