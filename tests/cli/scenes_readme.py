# SPDX-License-Identifier: MIT
"""What each example of README.md takes place in, and what then has become of it."""

import ctypes
import fcntl
import json
import mmap
import os
import re
import signal
import socket
import sys
import threading
import time

import examples
import kernel
import leftovers
from monitoring import asleep_in
from stage import pids, watch_has_looked

SCENES = {}
KIB, MIB = 1 << 10, 1 << 20
HOUR = 3600
ROOM = 64  # no lock of a C library takes more


def scene(page, name):
    """Marks the scene of an example: of that page, with that first line. One may serve several."""
    def take(body):
        assert (page, name) not in SCENES, f"two scenes of {page}: {name}"
        SCENES[page, name] = body
        return body
    return take


def of_readme(name):
    return scene("README.md", name)


def shm_names():
    return set(os.listdir("/dev/shm"))


def attach(ident):
    kernel.libc.shmat.restype = ctypes.c_void_p
    address = kernel.libc.shmat(ident, None, 0)
    assert address != ctypes.c_void_p(-1).value
    return address


def map_whole(fd):
    """The address of a shared mapping; unlike mmap.mmap() it has no descriptor of its own."""
    kernel.libc.mmap.restype = ctypes.c_void_p
    size = ctypes.c_size_t(os.fstat(fd).st_size)
    address = kernel.libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, ctypes.c_long(0))
    assert address != ctypes.c_void_p(-1).value
    return address


def hold(*paths, number=3):
    """What a process does that has these files open, and nothing else."""
    def act():
        for i, path in enumerate(paths):
            fd = os.open(path, os.O_RDWR)
            os.dup2(fd, number + i)
            if fd != number + i:
                os.close(fd)
        yield
    return act


@of_readme("make deps all && ./ipcctl create posix-shm /hello --size 1M && ./ipcctl list && "
           "./ipcctl remove posix-shm:/hello")
def two_commands(s):
    """What needs no network; all of it is run by tests/bare."""
    step, = s.example.steps
    _, _, build, *words = step.command.replace("\n", " ").split(" && ")
    assert build == "make deps all"
    printed = s.sh(" && ".join(words))
    made, heading, row, gone = printed.lines
    assert (made, gone, printed.status) == ("posix-shm:/hello", "removed posix-shm:/hello", 0), printed
    assert heading.startswith("REF ") and re.match(r"posix-shm:/hello  root .* 1M ", row), printed
    s.played = 1


@of_readme("make deps deps-test check")
def the_tests(s):
    """It is what runs this; tests/bare and CI take it from README.md, too."""
    for path in ("tests/bare", ".ci/run"):
        assert "README.md" in examples.read(s.top, path)
    s.played = 1


@of_readme("ipcctl limits -f fills=yes -f 'percent>=80' -o name,value,used,source,reached")
def sets_run_out(s):
    s.sysctl("kernel/sem", "32000 1024000000 500 128")
    s.gone(lambda: [kernel.semget(0, 1, 0o600) for _ in range(127)], "nobody")
    kernel.semget(0, 1, 0o600)
    s.run()


@of_readme("ipcctl limits posix-shm -o name,value,used,percent,reached")
def shm_full(s):
    for rank in range(3):
        s.file(f"/dev/shm/torch_4911_rank{rank}", 17 * MIB, 17 * MIB)
    s.file("/dev/shm/cache", 12 * MIB, 12 * MIB)
    s.file("/dev/shm/frames", 64 * MIB)
    s.varies.add("3085510")
    s.run()
    assert shm_names() == {"cache", "frames"}


@of_readme("ipcctl list sysv-shm -o ref,key,size,nattch,cpid,lpid,state,reason")
def segment_left(s):
    def attaches():
        ident = kernel.shmget(0x88, 8 * KIB, 0o1600)
        yield [attach(ident), attach(ident)]
    s.says["16"] = s.process("render", attaches)
    s.says["58"] = s.gone(lambda: kernel.shmget(0x52E2C1, 141 * MIB, 0o1600))
    s.run()
    assert not kernel.exists("sysv-shm", 1)
    assert kernel.shm(0)["flags"] & kernel.SHM_DEST and kernel.shm(0)["nattch"] == 2


@of_readme("ipcctl list posix-shm --prove -o ref,owner,state,reason")
def proof(s):
    s.call_first("init")
    for name in ("held", "idle", "nobodys"):
        s.file(f"/dev/shm/{name}")
    os.chown("/dev/shm/nobodys", 65534, 65534)
    s.process("renderer", hold("/dev/shm/held"))
    s.run()


def torches(s, count, bytes):
    for i in range(1, count + 1):
        s.gone(lambda i=i: s.file(f"/dev/shm/torch_{i}", bytes, bytes), "ann")


@of_readme("ipcctl clean")
def crash(s):
    s.mount("/dev/shm", data="mode=1777,size=512m")
    s.gone(lambda: kernel.shmget(0, 64 * MIB, 0o1600), "ann")
    torches(s, 2, 96 * MIB)
    s.file("/dev/shm/cache", MIB, MIB)
    time.sleep(1.2)  # the program of the next is younger, in whole seconds

    def trains():
        s.file("/dev/shm/torch_3", MIB)
        yield from hold("/dev/shm/torch_3")()
    s.process("train", trains, user="ann")
    s.varies.add("6.6")
    s.later = 2 * HOUR
    s.run()
    assert shm_names() == {"torch_3", "cache"} and kernel.exists("sysv-shm", 0)


@of_readme("ipcctl clean --remove --yes --idle --older-than 10m")
def container_cleans(s):
    """All is root's there, so that it is idle; what is younger stays."""
    s.file("/dev/shm/left")
    s.process("worker", hold("/dev/shm/left"))
    s.file("/dev/shm/old")
    s.later = 300
    assert s.sh(s.example.steps[0].command).status == 0 and shm_names() == {"left", "old"}
    s.later = 605
    printed = s.run(shown=False)
    assert printed.lines[0] == "removed posix-shm:/old" and shm_names() == {"left"}, printed


DOCKER = "4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796"


@of_readme("ipcctl list -N all")
def container(s):
    s.mount("/var/lib")
    os.makedirs(f"/var/lib/docker/containers/{DOCKER}")
    with open(f"/var/lib/docker/containers/{DOCKER}/config.v2.json", "x", encoding="ascii") as f:
        json.dump({"ID": DOCKER, "Name": "/shop-db"}, f)
    group = s.directory / "cgroup"
    group.write_text(f"0::/system.slice/docker-{DOCKER}.scope\n")

    def setup():
        kernel.unmount("/dev/shm")
        kernel.mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777,size=64m")
    p = s.place(setup=setup)

    def fill():
        p.enter()
        s.gone(lambda: kernel.msgget(0, 0o1644))
        s.gone(lambda: kernel.shmget(0, 141 * MIB, 0o1644))
        s.file("/dev/shm/pgsql.41", 8 * MIB, 8 * MIB)
        yield from hold("/dev/shm/pgsql.41")()
    holder = s.process("postgres", fill)
    for pid in (p.pid, holder):
        s.mount(f"/proc/{pid}/cgroup", str(group), "none", kernel.MS_BIND)
    s.says |= {"4026532181": p.numbers["ipc"], "4026532180": p.numbers["mnt"]}
    s.varies |= {"25276059648", "3085456"}
    s.later = 2 * HOUR
    s.run()
    assert not p.exists("sysv-shm", 0) and p.ask(lambda: len(kernel.sysvipc("msg")), "ipc") == 1


@of_readme("ipcctl describe posix-shm:/cache -o name,allocated,holders,state,reason")
def holders(s):
    s.file("/dev/shm/cache", 64 * MIB, MIB)

    def act():
        fd = os.open("/dev/shm/cache", os.O_RDWR)
        os.dup2(fd, 4)
        os.close(fd)
        yield map_whole(4)
    s.says["8638"] = s.process("python3", act)
    s.run()


# Pipes


@of_readme("(sleep 600 & echo done) | cat")
def cat_never_ends(s):
    with s.running() as until:
        until(lambda lines: lines == ["done"])
        leftovers.wait_for(lambda: pids("sleep") and pids("cat"))  # they bear the shell's name for a moment
        (cat,), (sleep,) = pids("cat"), pids("sleep")
        asleep_in(cat, "pipe_read")
        os.kill(sleep, signal.SIGTERM)  # else it lasts ten minutes
    assert s.last.status == 0


@of_readme("readlink /proc/$(pgrep -x cat)/fd/0")
def other_end(s):
    s.begin("(sleep 600 & echo done) | cat")
    leftovers.wait_for(lambda: pids("sleep") and pids("cat"))
    (cat,), (sleep,) = pids("cat"), pids("sleep")
    asleep_in(cat, "pipe_read")
    # Its shell is gone.
    leftovers.wait_for(lambda: len(holding(pipe_of(cat))) == 2)
    s.says |= {"812": cat, "814": sleep, "17403": pipe_of(cat)}
    s.run()


def pipe_of(pid, fd=0):
    return int(re.fullmatch(r"pipe:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))[1])


def holding(pipe):
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}") == f"pipe:[{pipe}]":
                    found.add(pid)
            except FileNotFoundError:
                pass
    return found


# Sockets


def inode(fd):
    return os.fstat(fd).st_ino


@of_readme("ipcctl list unix-socket -o ref,socket_state,name,peer,receive_queue,nholders")
def server(s):
    s.mount("/run")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("/run/db.sock")
    listener.listen(1)
    web, report = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    web.connect("/run/db.sock")
    web.send(bytes(120))
    accepted, _ = listener.accept()
    report.connect("/run/db.sock")
    s.says |= {"54": s.process("dbserver", fds={3: listener.fileno(), 4: accepted.fileno()}),
               "96": s.process("web", fds={3: web.fileno()}), "97": s.process("report", fds={3: report.fileno()}),
               "7627847": inode(listener.fileno()), "7627848": inode(web.fileno()), "7627849": inode(report.fileno()),
               "7627850": inode(accepted.fileno())}
    for one in (listener, web, report, accepted):
        one.close()
    s.any_order = True
    s.step()
    s.any_order = False
    s.run()


# Locks


def pthread(name, *arguments):
    error = getattr(kernel.libc, name)(*arguments)
    assert error == 0, f"{name}: {os.strerror(error)}"


class SharedLocks:
    """A mutex and a semaphore in /dev/shm, 64 bytes apart."""

    def __init__(self, path="/dev/shm/jobs"):
        self.path = path
        with open(path, "xb") as f:
            f.truncate(4096)
        mutex, semaphore = self.map()
        attributes = ctypes.create_string_buffer(ROOM)
        pthread("pthread_mutexattr_init", attributes)
        pthread("pthread_mutexattr_setpshared", attributes, 1)
        pthread("pthread_mutex_init", mutex, attributes)
        kernel.call("sem_init", semaphore, 1, 0)
        kernel.call("munmap", mutex, ctypes.c_size_t(4096))

    def map(self):
        fd = os.open(self.path, os.O_RDWR)
        address = map_whole(fd)
        os.close(fd)
        return ctypes.c_void_p(address), ctypes.c_void_p(address + ROOM)

    def lock(self):
        pthread("pthread_mutex_lock", self.map()[0])
        yield

    def wait(self):
        mutex, _ = self.map()
        yield
        pthread("pthread_mutex_lock", mutex)

    def wait_in_thread(self):
        mutex, _ = self.map()
        threading.Thread(target=lambda: pthread("pthread_mutex_lock", mutex), daemon=True).start()
        yield

    def wait_for_semaphore(self):
        _, semaphore = self.map()
        yield
        kernel.call("sem_wait", semaphore)


def threads(pid):
    return sorted(map(int, os.listdir(f"/proc/{pid}/task")))


def workers(s, locks):
    """One has locked it, two wait for it, and one for the semaphore: their numbers."""
    owner = s.process("dispatcher", locks.lock)
    return owner, s.process("worker", locks.wait, asleep="futex"), s.process("worker", locks.wait_in_thread)


@of_readme("ipcctl list futex -o ref,type,owner_pid,waiters,reason")
def mutex(s):
    locks = SharedLocks()
    owner, first, second = workers(s, locks)
    s.process("printer", locks.wait_for_semaphore, asleep="futex")
    thread = threads(second)[-1]
    leftovers.wait_for(lambda: "futex" in examples.read(f"/proc/{second}/task/{thread}/wchan"))
    s.says |= {"304": owner, "306": first, "307": second, "309": thread}
    s.run()


def lock_file(path):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)


def locking(mine, *awaited, go=None):
    """Takes locks of files, then waits for one."""
    def act():
        for path in mine:
            lock_file(path)
        yield
        if go:
            while not os.path.exists(go):
                time.sleep(0.005)
        for path in awaited:
            lock_file(path)
    return act


@of_readme("ipcctl waits flock")
def nothing_goes_on(s):
    s.mount("/run")
    os.mkdir("/run/shop")
    orders, stock, deploy, hook = (f"/run/shop/{name}.lock" for name in ("orders", "stock", "deploy", "hook"))
    backup = s.process("backup", locking([orders], stock, go="/run/go"))
    rotate = s.process("rotate", locking([stock], orders, go="/run/go"))
    s.says |= {"44": backup, "45": rotate, "46": s.process("deploy", locking([deploy])),
               "47": s.process("hook", locking([hook], deploy), asleep="lock"),
               "48": s.process("cron", locking([], hook), asleep="lock")}
    s.file("/run/go")
    for pid in (backup, rotate):
        asleep_in(pid, "lock")
    s.varies.add("3s")
    s.step()
    s.step(status=1)


# Pictures


def texts(svg):
    """What is written in a picture, without numbers."""
    return sorted(re.sub(r"\d+", "0", text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", svg))


@of_readme("ipcctl graph --quiet | dot -Tsvg > man/graph.svg")
def picture(s):
    os.mkdir(s.directory / "man")
    first, second = os.pipe()
    s.process("tail", fds={3: second})
    s.process("grep", fds={3: first})
    os.close(first)
    os.close(second)
    s.run()
    svg = (s.directory / "man" / "graph.svg").read_text(encoding="utf-8")
    assert {"tail", "grep"} <= {word for text in texts(svg) for word in text.split()}, svg


@of_readme("tests/scene.py sh -c './ipcctl graph --quiet | dot -Tsvg > man/graph.svg'")
def system_of_the_picture(s):
    """It is still as the picture in the tree shows it."""
    os.mkdir(s.directory / "man")
    os.symlink(os.path.join(s.top, "tests"), s.directory / "tests")
    s.run(edit=("tests/scene.py", f"{sys.executable} tests/scene.py"))
    made, kept = (examples.read(path, "man", "graph.svg") for path in (s.directory, s.top))
    assert texts(made) == texts(kept)


@of_readme("ipcctl watch sysv-shm -o nattch,state")
def watched(s):
    with s.running(ended=signal.SIGTERM) as until:
        watch_has_looked()
        s.gone(lambda: kernel.shmget(0x99, 4096, 0o1600))
        until(lambda lines: len(lines) == 1)
        watch_has_looked()

        def attaches():
            yield attach(kernel.shmget(0x99, 0, 0))
        pid = s.process("render", attaches)
        until(lambda lines: len(lines) == 3)
        watch_has_looked()
        s.end(pid)
        until(lambda lines: len(lines) == 5)


@of_readme("ipcctl describe file-mapping:/srv/index -o mapped,rss,pss,memory")
def shared_memory(s):
    s.mount("/srv")
    s.file("/srv/index", 64 * MIB)

    def touching(bytes):
        def act():
            fd = os.open("/srv/index", os.O_RDWR)
            address = map_whole(fd)
            os.close(fd)
            ctypes.memset(address, 1, bytes)
            yield
        return act
    for number, size in ("5", 24), ("47", 16), ("48", 16):
        s.says[number] = s.process("search", touching(size * MIB))
    s.varies |= {"25164800"}
    s.run()


@of_readme("ipcctl describe fifo:/run/log.pipe -o readers,openers,state,reason")
def nobody_reads(s):
    s.mount("/run")
    os.mkfifo("/run/log.pipe")
    process, _ = s.begin("exec bash -c 'echo started >/run/log.pipe'")
    asleep_in(process.pid, "wait_for_partner")
    s.says["821"] = process.pid
    s.run()


# Signals and messages


def blocking(*numbers):
    """Blocks them, and starts a thread that does, too."""
    def act():
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        threading.Thread(target=signal.pause, daemon=True).start()
        yield
    return act


def queue_signal(pid, number, value):
    kernel.call("sigqueue", pid, number, ctypes.c_void_p(value))


@of_readme("ipcctl list signal")
def signals(s):
    queued = signal.SIGRTMIN + 1
    server = s.process("dbserver", blocking(signal.SIGHUP, signal.SIGTERM, queued), user="postgres")
    thread = threads(server)[-1]

    def send():
        os.kill(server, signal.SIGHUP)
        kernel.call("tgkill", server, thread, signal.SIGTERM)

    def schedule():
        queue_signal(server, queued, 17)
        yield
    s.says |= {"912": server, "914": thread, "880": s.gone(send), "901": s.process("scheduler", schedule)}
    s.run()


def send(ident, *messages):
    def act():
        for kind, body in messages:
            kernel.msg_send(ident, kind, body)
        yield
    return act


@of_readme("ipcctl describe sysv-msg:0 --content=32 -o messages,lspid,lspid_command,lrpid,content")
def stuck(s):
    ident = kernel.msgget(0, 0o1600)
    s.says["16"] = s.process("python3", send(ident, (1, b"render frame 1041"), (1, b"render frame 1042"),
                                             (9, b"\2quit\0\xff")))
    s.run()
    assert len(kernel.msg_drain(ident)) == 3


# Programs that read it


@of_readme("ipcctl metrics --prove --textfile /var/lib/prometheus/node-exporter/ipcctl.prom")
def monitoring(s):
    s.mount("/var/lib")
    os.makedirs("/var/lib/prometheus/node-exporter")
    s.sysctl("kernel/sem", "32000 1024000000 500 128")
    for _ in range(117):
        kernel.semget(0, 1, 0o600)
    for _ in range(12):
        s.gone(lambda: kernel.shmget(0, 100 * MIB, 0o1600))
    s.step()
    assert 'ipcctl_limit_used{kind="sysv-sem",limit="semmni"} 117' in examples.read(
        "/var/lib/prometheus/node-exporter/ipcctl.prom")
    s.step()
    s.step()


@of_readme("ipcctl list -J | jq -c '.objects[] | {ref, state, reason}'")
def script(s):
    ident = kernel.shmget(0, 4096, 0o1600)

    def attaches():
        yield [attach(ident), attach(ident)]
    s.process("render", attaches)
    kernel.REMOVERS["sysv-shm"](ident)
    s.gone(lambda: [kernel.msg_send(kernel.msgget(0x71, 0o1600), 1, b"x") for _ in range(3)])
    s.file("/dev/shm/unnamed", 4096)
    s.says["inode=3"] = f"inode={os.stat('/dev/shm/unnamed').st_ino}"
    s.file("/dev/shm/cache", 4096)
    s.process("renderer", hold("/dev/shm/cache", "/dev/shm/unnamed"))
    os.unlink("/dev/shm/unnamed")
    s.run()


@of_readme("ipcctl create sysv-sem --values 1,0,3 --key 0x162e")
def fixture(s):
    s.step()
    assert [each["value"] for each in kernel.sem_each(0)] == [1, 0, 3] and kernel.sem(0)["key"] == 0x162E
    s.step()
    assert not kernel.exists("sysv-sem", 0)
    s.step()


@of_readme("man man/ipcctl.1")
def page(s):
    """By man(1), or by mandoc(1), which it may be."""
    os.symlink(os.path.join(s.top, "man"), s.directory / "man")
    s.script("man", 'exec mandoc -T utf8 "$@"\n')
    printed = s.run(shown=False)
    assert "NAME" in re.sub(".\b", "", printed.text)


@of_readme("ipcctl list -m -q -s")
def letters(s):
    kernel.shmget(0, 1, 0o1600)
    kernel.semget(0, 1, 0o600)
    kernel.msgget(0, 0o600)
    s.file("/dev/shm/x")
    printed = s.run(shown=False)
    assert sorted(line.split(" ")[0] for line in printed.lines[1:]) == ["sysv-msg:0", "sysv-sem:0", "sysv-shm:0"]


@of_readme("ipcctl remove -m ID -M KEY")
def letters_remove(s):
    idents = [kernel.shmget(0x71 + i, 4096, 0o1600) for i in range(3)]
    s.says |= {"ID": idents[0], "KEY": "0x72"}
    s.run(shown=False)
    assert [kernel.exists("sysv-shm", ident) for ident in idents] == [False, False, True]
