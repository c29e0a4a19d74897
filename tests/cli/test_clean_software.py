# SPDX-License-Identifier: MIT
"""clean and what real programs make: while they run nothing of theirs goes, and what they leave when
they are killed goes whole."""

import glob
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time

import kernel
import pytest
from program import become

RUN = "/run"  # a directory that every user reaches, and every system has
CLEAN = ["clean", "--remove", "--yes", "--older-than", "0", "--idle", "--json", "--path", RUN]


def until(answer, what, seconds=60):
    """What answer() gives, once that is something."""
    deadline = time.monotonic() + seconds
    while True:
        found = answer()
        if found:
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def parents():
    """Number of each process that has not ended -> that of its parent."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as f:
                state, parent = f.read().rsplit(b")", 1)[1].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in (b"Z", b"X"):
            found[int(pid)] = int(parent)
    return found


def family(pid):
    """The process and all that descend from it, stopped: none starts others, or notices that one is killed."""
    found = {pid}
    while True:
        for member in found:
            os.kill(member, signal.SIGSTOP)
        more = {child for child, parent in parents().items() if parent in found} - found
        if not more:
            return found
        found |= more


def kill(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not pids & parents().keys(), "processes that were killed do not end")


def leaks():
    """What could outlive its users, by the kernel's word; segments with the mark that they are to go."""
    sockets = [name for name, st in kernel.files(os.fsencode(RUN)).items() if stat.S_ISSOCK(st.st_mode)]
    return sorted([os.fsdecode(name) for name in [*kernel.files(), *sockets]] +
                  [f"shm:{row['shmid']}:{row['perms']:o}" for row in kernel.sysvipc("shm")] +
                  [f"sem:{row['semid']}" for row in kernel.sysvipc("sem")])


@pytest.fixture
def run(isolated):
    kernel.mount("tmpfs", RUN, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777,size=300m")
    yield RUN
    kernel.unmount(RUN)


# PostgreSQL


def postgres_program(name):
    """Where it is: some systems have it outside of PATH, one directory for each version."""
    places = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/libexec/postgresql*")
    found = shutil.which(name, path=os.pathsep.join(sorted(places, reverse=True))) or shutil.which(name)
    if not found:
        pytest.skip(f"needs PostgreSQL: no {name} here")
    return found


class Postgres:
    """A server of the test's own, by a user of no power."""

    SETTINGS = {"listen_addresses": "", "unix_socket_directories": RUN, "fsync": "off", "shared_buffers": "8MB",
                "max_connections": "20", "max_wal_size": "64MB", "logging_collector": "off"}

    def __init__(self, background, settings):
        try:
            uid = pwd.getpwnam("postgres").pw_uid
        except KeyError:
            uid = 65534
        self.background, self.become, self.process = background, become(uid), None
        self.settings = [word for name, value in {**self.SETTINGS, **settings}.items()
                         for word in ("-c", f"{name}={value}")]
        subprocess.run([postgres_program("initdb"), "-D", f"{RUN}/data", "-U", "test", "-A", "trust", "-N",
                        "--locale=C", "-E", "UTF8", "--wal-segsize=1"], preexec_fn=self.become, cwd="/",
                       check=True, capture_output=True)

    def start(self):
        with open(f"{RUN}/log", "ab") as log:
            self.process = self.background(postgres_program("postgres"), "-D", f"{RUN}/data", *self.settings,
                                           preexec_fn=self.become, stdout=log, stderr=log, cwd="/")
        until(lambda: self.ask("select 1") == "1", "PostgreSQL does not answer")

    def client(self, *sql):
        words = [postgres_program("psql"), "-X", "-q", "-A", "-t", "-h", RUN, "-U", "test", "-d", "postgres"]
        return words + [word for command in sql for word in ("-c", command)]

    def ask(self, *sql):
        done = subprocess.run(self.client(*sql), capture_output=True, text=True, cwd="/")
        return done.stdout.strip() if done.returncode == 0 else None

    def wait_in_workers(self):
        """Whether both of a query's workers are at it, and wait for the file."""
        return self.ask("select count(*) from pg_stat_activity where backend_type = 'parallel worker' and "
                        "wait_event = 'PgSleep'") == "2"

    def end(self):
        """As it wants to be ended, at once."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


# What it adds up waits for a file that the test makes.
GO = RUN + "/go"
FUNCTION = f"""create function awaited(x int) returns int language plpgsql parallel safe as
    $$ begin while (pg_stat_file('{GO}', true)).size is null loop perform pg_sleep(0.01); end loop; return x; end $$"""
PARALLEL = ["set parallel_setup_cost = 0", "set parallel_tuple_cost = 0", "set min_parallel_table_scan_size = 0",
            "set parallel_leader_participation = off", "select sum(awaited(x)) from t"]
SUM = "500500"


@pytest.mark.real_root
@pytest.mark.parametrize("dynamic", ["posix", "sysv"])
@pytest.mark.parametrize("memory", ["mmap", "sysv"])
def test_postgresql(ipcctl, run, background, memory, dynamic):
    """It keeps a System V segment to know of other servers, and more memory for parallel queries."""
    server = Postgres(background, {"shared_memory_type": memory, "dynamic_shared_memory_type": dynamic})
    server.start()
    assert server.ask("create table t as select generate_series(1, 1000) as x", FUNCTION,
                      "alter table t set (parallel_workers = 2)") is not None
    resting = leaks()
    query = background(*server.client(*PARALLEL), stdout=subprocess.PIPE, text=True, cwd="/")
    until(server.wait_in_workers, "the query does not run in parallel")
    before = leaks()
    assert len(before) > len(resting) > 1, "the query has no memory of its own"
    for _ in range(1 if ipcctl.slow else 20):
        result = ipcctl(*CLEAN, "--stale")
        assert [o for o in result.json()["candidates"] if o["action"] == "remove"] == []
        assert set(leaks()) >= set(before)  # statistics may get more
    with open(GO, "wb"):
        assert query.communicate()[0].strip() == SUM
    os.unlink(GO)

    # Killed, all of it at once, in the middle of a query.
    query = background(*server.client(*PARALLEL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    until(server.wait_in_workers, "the query does not run in parallel")
    before = leaks()
    kill(family(server.process.pid))
    server.process.wait()
    assert set(leaks()) >= set(before)
    result = ipcctl(*CLEAN)
    assert leaks() == [], result
    server.start()
    with open(GO, "wb"):
        assert server.ask(*PARALLEL) == SUM
    server.end()


# Python

PROGRAM = '''
import json, multiprocessing, multiprocessing.shared_memory, sys

def work(name, queue, items, done):
    memory = multiprocessing.shared_memory.SharedMemory(name)
    while True:
        memory.buf[0] += queue.get() + items.get()
        done.release()

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    done, items, manager = context.Semaphore(0), context.Queue(), context.Manager()
    queue = manager.Queue()
    worker = context.Process(target=work, args=(memory.name, queue, items, done), daemon=True)
    worker.start()
    for line in sys.stdin:
        queue.put(int(line))
        items.put(int(line))
        done.acquire()
        print(json.dumps(memory.buf[0]), flush=True)
'''


@pytest.mark.parametrize("tracked", [False, True], ids=["all-killed", "tracker-lives"])
def test_python(ipcctl, run, tmp_path, tracked):
    """multiprocessing: shared memory, semaphores, and the sockets of a manager. A process of its own, the
    resource tracker, removes what is left, unless it is killed as well."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "TMPDIR": RUN}) as process:

        def added(number):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        assert added(1) == 2
        before = leaks()
        assert {name[:4] for name in before} >= {"psm_", "sem.", "pymp"}, before
        for number in range(2, 5):
            result = ipcctl(*CLEAN, "--stale")
            assert [o for o in result.json()["candidates"] if o["action"] == "remove"] == []
            assert leaks() == before
            assert added(number) == number * (number + 1)
        members = family(process.pid)
        trackers = {pid for pid in members if "resource_tracker" in open(f"/proc/{pid}/cmdline").read()}
        assert len(trackers) == 1
        kill(members - trackers if tracked else members)
        if tracked:
            os.kill(min(trackers), signal.SIGCONT)
            until(lambda: not trackers & parents().keys(), "the resource tracker does not end")
            assert {name[:4] for name in leaks()} == {"pymp"}
        else:
            assert leaks() == before
    result = ipcctl(*CLEAN)
    assert leaks() == [], result
