# SPDX-License-Identifier: MIT
"""What the bench times: the loads, and the jobs within each."""

from typing import NamedTuple

SIZES = {"medium": 25, "large": 200}  # groups of ten processes, see group.c


class Load(NamedTuple):
    options: str  # of the program `load`; none: no load, the machine as it is
    size: str = "medium"  # "large": only when that is asked for
    again: int = 0  # files that nobody has open, made anew before each run, which is to remove them


class Job(NamedTuple):
    """One row. In the command lines, `ipcctl` and `floor` are the programs just built.

    Exactly one of the targets is set: ours takes `at_most` times as long as the peer,
    ours is `quicker` times as quick as the peer, ours takes at most `growth` times as long as it takes
    under the load `base`, at most `extra_ms_each` longer than the peer for each place of the load, its memory
    stays under `mebibytes` or `bytes_each` descriptor of the load, or it takes less than `percent` of one
    processor, and no more memory as time goes by, while objects come and go.
    """

    load: str
    ours: str
    peer: str = ""
    at_most: float = 0
    quicker: float = 0
    growth: float = 0
    extra_ms_each: float = 0
    base: str = ""
    mebibytes: int = 0
    bytes_each: int = 0
    percent: int = 0
    one_cpu: bool = False  # both sides kept to one processor
    any_status: bool = False  # both may say that something could not be read
    rounds: int = 0  # fewer than usual: for peers that take many seconds

    def name(self) -> str:
        sides = f" : {self.peer or self.base}" if self.peer or self.base else ""
        return self.ours + sides + (" [one CPU]" if self.one_cpu else "")

    def target(self) -> str:
        if self.extra_ms_each:
            return f"<= {self.extra_ms_each:g} ms more each"
        if self.mebibytes:
            return f"< {self.mebibytes} MiB"
        if self.bytes_each:
            return f"< {self.bytes_each} B/descriptor"
        if self.percent:
            return f"< {self.percent}%"
        if self.quicker:
            return f"> {self.peer.split()[0]}" if self.quicker == 1 else f">= {self.quicker:g}x quicker"
        return f"<= {self.at_most or self.growth:g}x"


LOADS = {
    "sysv": Load("--queues 32000 --sets 32000 --segments 4096"),
    "shm": Load("--shm-files 50000"),
    "machine": Load(""),
    "leaks": Load("--leaked-files 100000"),
    "leaks-double": Load("--leaked-files 200000"),
    "removal": Load("--leaked-files 0", again=100000),
    "removal-double": Load("--leaked-files 0", again=200000),
    "locks": Load("--lockers 200"),
    "locks-double": Load("--lockers 400"),
    "places": Load("--places 500"),
    "waits": Load("--blockers 50"),
    "waits-double": Load("--blockers 100"),
}

SYSV_RAW = "ipcctl list sysv --no-holders --raw"
SYSV_JSON = "ipcctl list sysv --no-holders --json"
SHM_RAW = "ipcctl list posix-shm --no-holders --raw"
CLEAN_PLAN = "ipcctl clean --older-than 0 --idle --raw"
CLEAN_REMOVE = "ipcctl clean --remove --yes --older-than 0 --idle"
PERSISTENT_RAW = "ipcctl list persistent --no-holders --raw"
LOCKS_RAW = "ipcctl list flock record-lock --raw"

JOBS = [
    Job("sysv", SYSV_RAW, "floor sysv", at_most=1.5),
    Job("sysv", SYSV_RAW, "ipcs -a", quicker=4),
    Job("sysv", SYSV_RAW, "lsipc -m; lsipc -q; lsipc -s", quicker=4),
    Job("sysv", SYSV_JSON, "lsipc -m -J; lsipc -q -J; lsipc -s -J", quicker=4),
    Job("sysv", SYSV_JSON, SYSV_RAW, at_most=3),
    Job("sysv", SYSV_RAW, mebibytes=32),
    Job("sysv", SYSV_JSON, mebibytes=32),
    Job("shm", SHM_RAW, "floor shm", at_most=1.5),
    Job("leaks", CLEAN_PLAN, "ipcctl list posix-shm --raw", at_most=3),
    Job("leaks-double", CLEAN_PLAN, growth=2.2, base="leaks"),
    Job("removal", CLEAN_REMOVE, "rm -r /dev/shm/peer", at_most=3),
    Job("removal-double", CLEAN_REMOVE, growth=2.2, base="removal"),
    Job("locks", LOCKS_RAW, "floor fdinfo", at_most=2),
    Job("locks", LOCKS_RAW, "lslocks", quicker=20, rounds=3),
    Job("locks-double", LOCKS_RAW, growth=2.2, base="locks"),
    # Ours lists all that the peer lists, and as many objects more, 20 in each of the places.
    Job("places", f"{PERSISTENT_RAW} -N all", PERSISTENT_RAW, extra_ms_each=1),
    Job("waits", "ipcctl waits --raw", "floor tasks", at_most=2),
    Job("waits", "ipcctl waits", "floor tasks", at_most=2),
    Job("waits-double", "ipcctl waits --raw", growth=2.2, base="waits"),
    # Whatever runs here, and no more. The pattern has /proc/self and /proc/thread-self too: two of all.
    Job("machine", "ipcctl list all", "sh -c 'ls -l /proc/*/fd'", at_most=2, any_status=True),
]

ALL_RAW = "ipcctl list all --raw"
ONE_THREAD = "ipcctl list all --raw --threads 1"
TWO_THREADS = "ipcctl list all --raw --threads 2"
ALL_JSONL = "ipcctl list all --jsonl --threads 2"
SOCKETS = "ipcctl list unix-socket --raw"
# The columns of `ss -xp`, its users among them.
SOCKETS_AS_SS = "ipcctl list unix-socket --raw -o ref,type,socket_state,receive_queue,send_queue,name,peer,holders"


def process_jobs(load: str, held: str, slow: int) -> list[Job]:
    """Of a load of processes, some of which have the file `held` mapped; `slow`: rounds for the peers that are."""
    return [
        Job(load, ONE_THREAD, "floor scan", at_most=1.7, one_cpu=True),
        Job(load, TWO_THREADS, "floor scan", at_most=1.0),
        Job(load, ALL_JSONL, "floor scan", at_most=3),
        Job(load, ALL_RAW, "lsfd", quicker=8, rounds=slow),
        Job(load, ALL_RAW, "lsof -nP", quicker=8, rounds=slow),
        Job(load, SOCKETS, "ss -xp", quicker=2, rounds=slow),
        Job(load, SOCKETS_AS_SS, "ss -xp", quicker=2, rounds=slow),
        Job(load, f"ipcctl describe posix-shm:/{held}", f"fuser /dev/shm/{held}", quicker=1, rounds=slow),
        Job(load, ALL_RAW, bytes_each=150),
        Job(load, ALL_JSONL, bytes_each=150),
    ]


# Minutes long: 200 objects come, and 200 go, each second.
JOBS.append(Job("typical-medium", "ipcctl watch --no-holders --jsonl", percent=2))

for _size, _groups in SIZES.items():
    for _composition in ("typical", "even"):
        _load = f"{_composition}-{_size}"
        LOADS[_load] = Load(f"--{_composition}-groups {_groups}", _size)
        JOBS += process_jobs(_load, f"{_composition}-0-0", 3 if _size == "large" else 0)
        if _size == "large":
            # Eight times the descriptors.
            JOBS += [
                Job(_load, TWO_THREADS, growth=9, base=f"{_composition}-medium"),
                Job(_load, ALL_JSONL, growth=9, base=f"{_composition}-medium"),
            ]


def selected(only: str, size: str) -> list[Job]:
    """Those with the text in their load or commands, and of the size asked for or smaller."""
    wanted = [job for job in JOBS if size == "large" or LOADS[job.load].size != "large"]
    return [job for job in wanted if only in f"{job.load} {job.ours} : {job.peer or job.base}"]
