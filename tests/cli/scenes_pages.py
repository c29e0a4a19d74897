# SPDX-License-Identifier: MIT
"""The scenes of the other manual pages (as scenes_manual.py): those of limits to watch, and of ipcctl(1)."""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import time

import examples
import kernel
import leftovers
import pytest
from scenes_manual import bind, of, pipe_between, refs, semop
from scenes_readme import HOUR, MIB, SharedLocks, attach, blocking, hold, locking, scene, shm_names, torches
from stage import watch_has_looked

# limits


@scene("ipcctl.1", "ipcctl limits -f fills=yes -f 'percent>=80'")
@of("limits")("ipcctl limits -f fills=yes -f 'percent>=80'")
def nearly_reached(s):
    s.sysctl("kernel/sem", "32000 1024000000 500 10")
    for _ in range(8):
        kernel.semget(0, 1, 0o600)
    printed = s.run()
    assert re.search(r"\bsemmni +10 +8 +80% ", printed.text) and len(printed.lines) == 2, printed


@of("limits")("ipcctl limits -s -f name=semmni -o name,value,source")
def where_set(s):
    s.run()
    assert kernel.sysctl("kernel/sem")[3] == 32000


@of("limits")("ipcctl limits -J | jq -r '.limits[] | select(.percent != null) |")
def for_a_monitor(s):
    for _ in range(3):
        kernel.semget(0, 5, 0o600)
    rows = [tuple(line.split("\t")) for line in s.run().lines]
    info = kernel.sem_info()
    assert ("sysv-sem", "semmni", "3", str(info["semmni"])) in rows and info["semusz"] == 3
    assert ("sysv-sem", "semmns", "15", str(info["semmns"])) in rows


# list


listing = of("list")


@listing("ipcctl list --pid 4711")
def of_one_process(s):
    for name in ("held", "other"):
        s.file(f"/dev/shm/{name}")
    s.says["4711"] = s.process("renderer", hold("/dev/shm/held"))
    s.process("other", hold("/dev/shm/other"))
    printed = s.run()
    assert "posix-shm:/held" in refs(printed) and "/other" not in printed.text, printed


@listing("ipcctl list pipe -f 'queued>0' -o +queued,holders")
def something_waits(s):
    full, writer, reader = pipe_between(s, "producer", "consumer", fill=100)
    empty, *_ = pipe_between(s, "idler", "consumer")
    printed = s.run()
    row, = [line for line in printed.lines if line.startswith(f"pipe:{full} ")]
    assert f"{writer}" in row and f"{reader}" in row and " 100 " in row, row
    assert f"pipe:{empty} " not in printed.text


@listing("ipcctl list pipe -f ends=no-reader")
def no_reader(s):
    r, w = os.pipe()
    s.process("producer", fds={1: w})
    number = os.fstat(w).st_ino
    os.close(r)
    os.close(w)
    both, *_ = pipe_between(s, "producer", "consumer")
    found = refs(s.run())
    assert f"pipe:{number}" in found and f"pipe:{both}" not in found


@listing("ipcctl list signal -u ann -o +blocked")
def not_taken(s):
    pids = [s.process("worker", blocking(signal.SIGUSR1), user=user) for user in ("ann", "alice")]
    for pid in pids:
        os.kill(pid, signal.SIGUSR1)
    printed = s.run()
    assert refs(printed) == [f"signal:{pids[0]}"] and printed.lines[1].endswith("SIGUSR1"), printed


@listing("ipcctl list socket -u postgres -f socket_state=listen")
def listeners(s):
    kernel.loopback_up()

    def listens(port):
        def act():
            with socket.create_server(("127.0.0.1", port)) as one:
                with socket.create_connection(one.getsockname()):
                    s.file(f"/dev/shm/{port}", os.fstat(one.fileno()).st_ino)
                    yield
                    signal.pause()
        return act
    for port, user in ((5432, "postgres"), (8080, "ann")):
        s.process("server", listens(port), user=user)
    assert refs(s.run()) == [f"inet-socket:{os.stat('/dev/shm/5432').st_size}"]


@listing("ipcctl list unix-socket --path /run -f state=orphaned")
def nobody_listens(s):
    s.mount("/run")
    bind("/run/left.sock").close()
    with bind("/run/db.sock", listen=True):
        assert refs(s.run()) == ["unix-socket:/run/left.sock"]


@listing("ipcctl list memfd anon-mapping --sort -allocated -o ref,allocated")
def no_file_system(s):
    numbers = []
    for name, size in ("little", 1), ("large", 3), ("middle", 2):
        fd = os.memfd_create(name)
        os.write(fd, bytes(size * MIB))
        s.process("render", fds={3: fd})
        numbers.append((size, os.fstat(fd).st_ino))
        os.close(fd)
    mine = [f"memfd:{number}" for _, number in sorted(numbers, reverse=True)]
    rows = [examples.Row(line).cells for line in s.run().lines[1:]]
    assert [row for row in rows if row[0] in mine] == [[mine[0], "3M"], [mine[1], "2M"], [mine[2], "1M"]]


@listing("ipcctl list sysv-shm posix-shm -f 'size>=100M' --sort -size")
def large_segments(s):
    s.file("/dev/shm/little", 100 * MIB - 1)
    s.file("/dev/shm/large", 100 * MIB)
    kernel.shmget(0, 99 * MIB, 0o1600)
    ident = kernel.shmget(0, 101 * MIB, 0o1600)
    assert refs(s.run()) == [f"sysv-shm:{ident}", "posix-shm:/large"]


@listing("ipcctl list posix-shm -r -H -o allocated,name --sort -allocated")
def takes_memory(s):
    s.file("/dev/shm/a", MIB, MIB)
    s.file("/dev/shm/b", 3 * MIB, 3 * MIB)
    s.file("/dev/shm/c", 9 * MIB)
    assert s.run().lines == [f"{3 * MIB}\t/b", f"{MIB}\t/a", "0\t/c"]


@listing("ipcctl list -q -f 'messages>0' -f 'rtime<-1h'")
def not_read(s):
    """Of four queues one holds a message and was read, which the story makes two hours old."""
    idents = [kernel.msgget(0, 0o1600) for _ in range(3)]
    for ident, count in zip(idents, (2, 1, 1)):
        for _ in range(count):
            kernel.msg_send(ident, 1, b"x")
    for ident in idents[:2]:
        kernel.call("msgrcv", ident, ctypes.create_string_buffer(99), ctypes.c_size_t(9), ctypes.c_long(0), 0)
    command = s.example.steps[0].command
    assert refs(s.sh(command)) == []
    s.later = 2 * HOUR
    assert refs(s.run()) == [f"sysv-msg:{idents[0]}"]


@listing("ipcctl list -f 'mode~[2367]$'")
def anybody_writes(s):
    for mode in range(8):
        s.file(f"/dev/shm/{mode}", mode=0o640 | mode)
    kernel.semget(0, 1, 0o662)
    kernel.semget(0, 1, 0o664)
    assert sorted(refs(s.run())) == [*(f"posix-shm:/{mode}" for mode in (2, 3, 6, 7)), "sysv-sem:0"]


@listing("ipcctl list -Q -0 -o name | xargs -0 -n1 my-monitor")
def whatever_bytes(s):
    names = [b"/a b", b"/c\nd", b"/\xff"]
    for name in names:
        s.factory("posix-mq", name=name)
    s.script("my-monitor", 'printf "%s\\0" "$#" "$1" >>monitored\n')
    s.run()
    assert sorted((s.directory / "monitored").read_bytes().split(b"\0")[1::2]) == sorted(names)


# metrics: test_units.py and test_prometheus.py have systemd and Prometheus read the same displays


metrics = of("metrics")


@metrics("ipcctl metrics | grep -v '^#'")
def what_is_there(s):
    kernel.semget(0, 1, 0o600)
    printed = s.run()
    assert "#" not in printed.text
    assert re.search(r'^ipcctl_limit_used\{kind="sysv-sem",limit="semmni"\} 1$', printed.text, re.M)


@metrics("ipcctl metrics sysv-msg posix-mq --per-object sysv-msg --per-object posix-mq")
def of_each_queue(s):
    ident = kernel.msgget(0x71, 0o1600)
    kernel.msg_send(ident, 1, bytes(10))
    s.factory("posix-mq", name="/jobs", maxmsg=4, messages="0:1")
    printed = s.run()
    for name in (f'ref="sysv-msg:{ident}"', 'ref="posix-mq:/jobs"'):
        assert name in printed.text, printed


def used_by(module, word):
    """It is cut out by that word, and used, by another test."""
    def body(s):
        assert word in s.example.text and f'"{word}"' in examples.read(s.top, "tests", "cli", module)
    return body


metrics("* * * * * root ipcctl metrics --prove --quiet --textfile /var/lib/prometheus/node-exporter/ipcctl.prom")(
    used_by("test_units.py", "* * * * *"))
metrics("[Unit]")(used_by("test_units.py", "[Service]"))
metrics("[Timer]")(used_by("test_units.py", "[Timer]"))
metrics("groups:")(used_by("test_prometheus.py", "alert:"))


@metrics("systemctl enable --now ipcctl-metrics.timer")
def enabled(s):
    """Below a root of its own, where nothing can be started."""
    if not shutil.which("systemctl"):
        pytest.skip("there is no systemctl here")
    units = s.directory / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    pages = {example.name: example.text for example in examples.of_tree(s.top) if example.page == "ipcctl-metrics.1"}
    (units / "ipcctl-metrics.timer").write_text(pages["[Timer]"], encoding="utf-8")
    (units / "ipcctl-metrics.service").write_text(pages["[Unit]"], encoding="utf-8")
    s.run(edit=("enable --now", f"--root={s.directory} enable"))
    assert os.path.islink(units / "timers.target.wants" / "ipcctl-metrics.timer")


# remove


remove = of("remove")


@remove("ipcctl remove sysv-shm:32768 posix-mq:/mail")
def two_at_once(s):
    ident = kernel.shmget(0, 4096, 0o1600)
    s.process("render", lambda: iter([[attach(ident), attach(ident)]]))
    s.factory("posix-mq", name="/mail", maxmsg=5, messages="0:1,0:1,0:1")
    s.says["32768"] = ident
    s.run()
    assert kernel.shm(ident)["flags"] & kernel.SHM_DEST and not kernel.mq_exists("/mail")


@remove("ipcctl list posix-shm -u alice -f 'name~^/torch_' -f 'age>2h' -0 |")
def looked_at(s):
    for user, name in ("alice", "torch_1"), ("alice", "cache"), ("ann", "torch_2"):
        s.gone(lambda name=name: s.file(f"/dev/shm/{name}"), user)
    assert s.sh(s.example.steps[0].command).text == ""
    s.later = 2 * HOUR + 5
    assert s.run().lines == ["would remove posix-shm:/torch_1"]
    assert shm_names() == {"torch_1", "torch_2", "cache"}


@remove("ipcctl remove --all sysv -y")
def clean_slate(s):
    kernel.shmget(0, 1, 0o1600)
    kernel.semget(0, 1, 0o600)
    kernel.msgget(0, 0o600)
    s.file("/dev/shm/left")
    s.run()
    assert not any(kernel.sysvipc(table) for table in ("shm", "sem", "msg")) and shm_names() == {"left"}


@remove("ipcctl remove --kill pipe:10466")
def end_holders(s):
    number, writer, reader = pipe_between(s, "sleep", "cat")
    s.says |= {"10466": number, "812": reader, "814": writer}
    s.typed(b"y")
    for pid in (writer, reader):
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGTERM


@remove("ipcctl remove inet-socket:41873")
def cut(s):
    kernel.loopback_up()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            s.says["41873"] = os.fstat(client.fileno()).st_ino
            printed = s.run(status=None)
            if printed.status == 1 and "not supported" in printed.text:
                pytest.skip("this kernel has no SOCK_DESTROY")
            assert printed.status == 0, printed
            with pytest.raises(ConnectionError):
                client.recv(1)


@of("summary")("ipcctl summary -f 'count>0' -o kind,count")
def anything(s):
    for _ in range(3):
        kernel.semget(0, 1, 0o600)
    s.file("/dev/shm/x")
    rows = dict(examples.Row(line).cells for line in s.run().lines)
    assert (rows["sysv-sem"], rows["posix-shm"]) == ("3", "1") and "sysv-shm" not in rows


# waits


waits = of("waits")


@waits("ipcctl waits --deadlocks")
def different_order(s):
    ident = kernel.semget(0, 2, 0o600)
    semop(ident, (0, 1), (1, 1))

    def takes(first, second):
        def act():
            semop(ident, (first, -1))
            yield
            while not os.path.exists("/dev/shm/go"):
                time.sleep(0.005)
            semop(ident, (second, -1))
        return act
    s.says |= {"4711": s.process("import", takes(0, 1)), "4720": s.process("export", takes(1, 0)), "32768": ident}
    s.file("/dev/shm/go")
    leftovers.wait_for(lambda: all(kernel.sem_each(ident)[i]["ncount"] == 1 for i in range(2)))
    s.varies.add("5m")
    s.run(status=1)


@waits("ipcctl waits futex")
def keeps_waiting(s):
    locks = SharedLocks()
    owner = s.process("dispatcher", locks.lock)
    first, second = (s.process("worker", locks.wait, asleep="futex") for _ in range(2))
    s.says |= {"304": owner, "311": first, "312": second}
    s.run()


@waits("ipcctl waits -f pid=4711 -o call,operation,object,blocked_by")
def for_whom(s):
    owner = s.process("backup", locking(["/dev/shm/a.lock"]))
    s.says["4711"] = s.process("rotate", locking([], "/dev/shm/a.lock"), asleep="lock")
    s.process("cron", locking([], "/dev/shm/a.lock"), asleep="lock")
    printed = s.run()
    call, _, ref, blocked_by = examples.Row(printed.lines[1]).cells
    assert (call, ref, len(printed.lines)) == ("flock", "flock:/dev/shm/a.lock", 2), printed
    assert str(owner) in blocked_by, printed


@waits("ipcctl waits flock record-lock --sort since -o +since")
def how_long(s):
    s.process("backup", locking(["/dev/shm/a.lock"]))
    first = s.process("rotate", locking([], "/dev/shm/a.lock"), asleep="lock")
    time.sleep(1.1)
    second = s.process("cron", locking([], "/dev/shm/a.lock"), asleep="lock")
    printed = s.run()
    assert "SINCE" in printed.lines[0]
    assert printed.text.index(f"{first}") < printed.text.index(f"{second}"), printed


def deadlock(s):
    paths = "/dev/shm/orders", "/dev/shm/stock"
    pids = [s.process(name, locking([mine], other, go="/dev/shm/go"))
            for name, mine, other in (("backup", *paths), ("rotate", *paths[::-1]))]
    s.file("/dev/shm/go")
    for pid in pids:
        leftovers.wait_for(lambda pid=pid: "lock" in examples.read(f"/proc/{pid}/wchan"))
    return pids


@waits("ipcctl waits --deadlocks --quiet || logger -t ipcctl 'deadlock'")
def every_minute(s):
    s.script("logger", 'echo "$@" >>logged\n')
    assert s.sh(s.example.steps[0].command).status == 0 and not (s.directory / "logged").exists()
    deadlock(s)
    s.run()
    assert (s.directory / "logged").read_text() == "-t ipcctl deadlock\n"


@waits("ipcctl waits --deadlocks -J | jq -r '.waits | group_by(.cycle)[] |")
def of_each_deadlock(s):
    pids = deadlock(s)
    assert s.run().lines == ["\t".join(map(str, sorted(pids)))]


# watch


watch = of("watch")


@watch("14:03:21.447  created  sysv-shm:32770")
def events(s):
    """What is told when a segment comes, is attached, and goes with its last user."""
    lines = s.example.text.splitlines()

    def attaches():
        yield attach(0)
    with s.told_by("ipcctl watch sysv-shm --interval 500ms") as until:
        watch_has_looked()
        s.gone(lambda: kernel.shmget(0, 4096, 0o1600))
        s.says["32770"] = kernel.sysvipc("shm")[0]["shmid"]
        until(lambda told: len(told) == 1)
        watch_has_looked()
        s.says["2744"] = s.process("render", attaches)
        until(lambda told: len(told) == len(lines) - 1)
        watch_has_looked()
        kernel.REMOVERS["sysv-shm"](0)
        s.end(s.says["2744"])
        until(lambda told: told[-1].endswith("removed  sysv-shm:0"))
        until.compare(lines)


def created(until, ref):
    until(lambda told: any(re.search(rf"created +{re.escape(ref)}", line) for line in told))


@watch("ipcctl watch sysv-shm posix-shm -o state")
def leaves_behind(s):
    with s.running(ended=signal.SIGINT) as until:
        watch_has_looked()
        s.gone(lambda: kernel.shmget(0, 4096, 0o1600))
        s.file("/dev/shm/x")
        created(until, "sysv-shm:0")
        created(until, "posix-shm:/x")


@watch("ipcctl watch posix-mq -u mail -o curmsgs --interval 200ms")
def queues_fill(s):
    for user in ("mail", "ann"):
        s.gone(lambda user=user: kernel.call("mq_open", f"/{user}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None), user)
    with s.running(ended=signal.SIGINT) as until:
        watch_has_looked()
        for name in ("/ann", "/mail"):
            queue = kernel.mq_open(name, os.O_WRONLY)
            kernel.call("mq_send", queue, b"x", ctypes.c_size_t(1), 0)
            os.close(queue)
        until(lambda told: any(line.endswith("changed  posix-mq:/mail  curmsgs: 0 -> 1") for line in told))
    assert "/ann" not in s.last.text


@watch("ipcctl watch --jsonl --for 10m | my-monitor")
def ten_minutes(s):
    s.script("my-monitor", "cat >monitored\n")
    process, _ = s.begin(s.next_step()[0].replace("10m", "2500ms"))
    watch_has_looked()
    s.file("/dev/shm/x")
    assert process.wait(timeout=60) == 0
    told = [json.loads(line) for line in (s.directory / "monitored").read_text().splitlines()]
    assert ("created", "posix-shm:/x") in [(event["event"], event.get("ref")) for event in told], told


@watch("ipcctl watch --jsonl --for 1h --no-holders |")
def how_many(s):
    process, path = s.begin(s.next_step()[0].replace("1h", "2500ms"))
    watch_has_looked()
    for name in "abc":
        s.file(f"/dev/shm/{name}")
    kernel.semget(0, 1, 0o600)
    assert process.wait(timeout=60) == 0
    assert [line.split() for line in path.read_text().splitlines()] == [["3", "posix-shm"], ["1", "sysv-sem"]]


@watch("ipcctl watch --initial --count 1 -f name=/jobs posix-shm")
def certain_segment(s):
    with s.running() as until:
        watch_has_looked()
        s.file("/dev/shm/other")
        s.file("/dev/shm/jobs")
        created(until, "posix-shm:/jobs")
    assert s.last.status == 0 and "other" not in s.last.text
    printed = s.sh(s.example.steps[0].command)
    assert printed.status == 0 and re.search(r"present +posix-shm:/jobs", printed.text), printed


@watch("ipcctl watch --table sysv-shm --sort -size")
def redrawn(s):
    kernel.shmget(0, MIB, 0o1600)
    kernel.shmget(0, 2 * MIB, 0o1600)
    with s.terminal(s.next_step()[0]) as (process, master):
        said = leftovers.read_until(master, b"sysv-shm:0")
        assert b"sysv-shm:1" in said[:said.index(b"sysv-shm:0")], said
        kernel.shmget(0, 3 * MIB, 0o1600)
        leftovers.read_until(master, b"sysv-shm:2")
        os.killpg(process.pid, signal.SIGINT)
        process.wait()


# ipcctl


main = of("ipcctl.1")


@main("ipcctl list -u postgres --sort -age -o +state,reason")
def oldest_first(s):
    s.gone(lambda: kernel.shmget(0, 4096, 0o1600), "postgres")
    time.sleep(1.1)
    s.gone(lambda: s.file("/dev/shm/pgsql.41"), "postgres")
    s.gone(lambda: s.file("/dev/shm/other"), "ann")
    printed = s.run()
    assert refs(printed) == ["sysv-shm:0", "posix-shm:/pgsql.41"]
    assert re.search(r"^sysv-shm:0 .* orphaned  nothing attached", printed.text, re.M), printed


@main("ipcctl describe sysv-shm:key=0x0052e2c1")
def by_key(s):
    def makes():
        yield kernel.shmget(0x52E2C1, 4096, 0o1600)

    def uses():
        yield attach(0)
    maker, user = s.process("postgres", makes), s.process("psql", uses)
    printed = s.run()
    assert re.search(rf" cpid: {maker}\n +cpid_command: postgres\n", printed.text), printed
    assert re.search(rf" lpid: {user}\n +lpid_command: psql\n", printed.text), printed


@main("ipcctl describe pipe:10466 -o holders")
def both_other_ends(s):
    s.mount("/run")
    os.mkdir("/run/dbus")
    number, writer, reader = pipe_between(s, "producer", "consumer")
    with bind("/run/dbus/system_bus_socket", listen=True) as bus:
        server = s.process("dbus-daemon", fds={3: bus.fileno()})
        s.says["10466"] = number
        printed = s.step()
        assert re.search(rf" {writer} .* writer$", printed.text, re.M), printed
        assert re.search(rf" {reader} .* reader$", printed.text, re.M), printed
        assert re.search(rf" {server} .* dbus-daemon ", s.step().text)


@main("ipcctl waits --deadlocks")
def nothing_goes_on(s):
    first, second = deadlock(s)
    printed = s.run(status=1)
    assert f"{first} backup waits in flock" in printed.text and f"{second} rotate waits in flock" in printed.text


@main("ipcctl clean")
def crashed(s):
    torches(s, 2, MIB)
    s.process("renderer", lambda: iter([s.file("/dev/shm/held"), *hold("/dev/shm/held")()]))
    s.later = HOUR
    assert "ipcctl: 2 objects, 2M would be removed" in s.step().lines and len(shm_names()) == 3
    s.typed(b"y")
    assert shm_names() == {"held"}
