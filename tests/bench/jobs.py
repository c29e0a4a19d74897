# SPDX-License-Identifier: MIT
"""What the bench times: the loads, each in three sizes, and the jobs within each."""

from typing import Iterator, NamedTuple

SIZES = ("small", "medium", "large")


class Load(NamedTuple):
    options: str  # of the program `load`; none: no load, the machine as it is
    again: int = 0  # files that nobody has open, made anew before each run, which is to remove them


class Job(NamedTuple):
    """One row: a cell for each size. In the command lines, `ipcctl` and `floor` are the programs just built.

    The figure is how many times as long as the peer ours takes, or how many times as quick it is (`quicker`); how
    many times as long as under the load `base` it takes (`growth`); how much longer than the peer for each place of
    the load (`extra_ms_each`); what memory it takes (`memory`); or what share of one processor, and no more memory as
    time goes by, while objects come and go (`percent`). The targets: `at_most` times as long, at least `quicker`
    times as quick, at most `growth` and `extra_ms_each`, less than `mebibytes`, than `bytes_each` descriptor of the
    load and than `percent`. They are held in the sizes `judged`: of what is small, the start of a process is most.
    """

    load: str
    ours: str
    peer: str = ""
    at_most: float = 0
    quicker: float = 0
    growth: float = 0
    extra_ms_each: float = 0
    base: str = ""
    memory: bool = False
    mebibytes: int = 0
    bytes_each: int = 0
    percent: int = 0
    one_cpu: bool = False  # both sides kept to one processor
    any_status: bool = False  # both may say that something could not be read
    slow: bool = False  # the peer takes many seconds if the load is large: fewer rounds then
    sizes: tuple[str, ...] = SIZES
    judged: tuple[str, ...] = ("large",)

    def load_of(self, size: str) -> str:
        return f"{self.load}-{size}"

    def group(self) -> str:
        """The heading of its rows: those of one command under one load."""
        return f"{self.load}: {self.ours}" + (" [one CPU]" if self.one_cpu else "")

    def name(self) -> str:
        if self.growth:
            return f"over the load {self.base}"
        if self.quicker:
            return f"quicker than {self.peer}"
        if self.peer:
            return f"{'more than' if self.extra_ms_each else 'over'} {self.peer}"
        return "of one processor" if self.percent else "memory"

    def rounds(self, size: str, usual: int) -> int:
        return 3 if self.slow and size == "large" else usual

    def target(self) -> str:
        if self.extra_ms_each:
            return f"<= {self.extra_ms_each:g} ms each"
        if self.mebibytes:
            return f"< {self.mebibytes}M"
        if self.bytes_each:
            return f"< {self.bytes_each} B/fd"
        if self.percent:
            return f"< {self.percent}%"
        if self.quicker:
            return "> 1" if self.quicker == 1 else f">= {self.quicker:g}"
        return f"<= {self.at_most or self.growth:g}" if self.at_most or self.growth else ""


def three(name: str, options: str, *numbers: tuple) -> dict[str, Load]:
    return {f"{name}-{size}": Load(options.format(*each)) for size, each in zip(SIZES, numbers)}


LOADS = {
    **three("sysv", "--queues {0} --sets {0} --segments {1}", (100, 100), (3200, 410), (32000, 4096)),
    **three("shm", "--shm-files {}", (100,), (5000,), (50000,)),
    "machine-small": Load(""),
    **three("leaks", "--leaked-files {}", (1000,), (10000,), (100000,)),
    "leaks-double": Load("--leaked-files 200000"),
    "removal-small": Load("--leaked-files 0", again=1000),
    "removal-medium": Load("--leaked-files 0", again=10000),
    "removal-large": Load("--leaked-files 0", again=100000),
    "removal-double": Load("--leaked-files 0", again=200000),
    **three("locks", "--lockers {}", (5,), (50,), (200,)),
    "locks-double": Load("--lockers 400"),
    **three("places", "--places {}", (5,), (50,), (500,)),
    **three("waits", "--blockers {}", (2,), (10,), (50,)),
    "waits-double": Load("--blockers 100"),
    # Groups of ten processes, see group.c.
    **three("typical", "--typical-groups {}", (2,), (25,), (200,)),
    **three("even", "--even-groups {}", (2,), (25,), (200,)),
}

SYSV_RAW = "ipcctl list sysv --no-holders --raw"
SYSV_JSON = "ipcctl list sysv --no-holders --json"
SHM_RAW = "ipcctl list posix-shm --no-holders --raw"
CLEAN_PLAN = "ipcctl clean --older-than 0 --idle --raw"
CLEAN_REMOVE = "ipcctl clean --remove --yes --older-than 0 --idle"
PERSISTENT_RAW = "ipcctl list persistent --no-holders --raw"
LOCKS_RAW = "ipcctl list flock record-lock --raw"
DOUBLE = ("double",)

JOBS = [
    Job("sysv", SYSV_RAW, "floor sysv", at_most=1.5),
    Job("sysv", SYSV_RAW, "ipcs -a", quicker=4),
    Job("sysv", SYSV_RAW, "lsipc -m; lsipc -q; lsipc -s", quicker=4),
    Job("sysv", SYSV_RAW, memory=True, mebibytes=32),
    Job("sysv", SYSV_JSON, "lsipc -m -J; lsipc -q -J; lsipc -s -J", quicker=4),
    Job("sysv", SYSV_JSON, SYSV_RAW, at_most=3),
    Job("sysv", SYSV_JSON, memory=True, mebibytes=32),
    Job("shm", SHM_RAW, "floor shm", at_most=1.5),
    Job("shm", SHM_RAW, memory=True),
    Job("leaks", CLEAN_PLAN, "ipcctl list posix-shm --raw", at_most=3),
    Job("leaks", CLEAN_PLAN, growth=2.2, base="leaks-large", sizes=DOUBLE, judged=DOUBLE),
    Job("leaks", CLEAN_PLAN, memory=True),
    Job("removal", CLEAN_REMOVE, "rm -r /dev/shm/peer", at_most=3),
    Job("removal", CLEAN_REMOVE, growth=2.2, base="removal-large", sizes=DOUBLE, judged=DOUBLE),
    Job("locks", LOCKS_RAW, "floor fdinfo", at_most=2),
    Job("locks", LOCKS_RAW, "lslocks", quicker=20, slow=True),
    Job("locks", LOCKS_RAW, growth=2.2, base="locks-large", sizes=DOUBLE, judged=DOUBLE),
    Job("locks", LOCKS_RAW, memory=True),
    # Ours lists all that the peer lists, and as many objects more, 20 in each of the places.
    Job("places", f"{PERSISTENT_RAW} -N all", PERSISTENT_RAW, extra_ms_each=1),
    Job("places", f"{PERSISTENT_RAW} -N all", memory=True),
    Job("waits", "ipcctl waits --raw", "floor tasks", at_most=2),
    Job("waits", "ipcctl waits --raw", growth=2.2, base="waits-large", sizes=DOUBLE, judged=DOUBLE),
    Job("waits", "ipcctl waits --raw", memory=True),
    Job("waits", "ipcctl waits", "floor tasks", at_most=2),
    # Whatever runs here, and no more. The pattern has /proc/self and /proc/thread-self too: two of all.
    Job("machine", "ipcctl list all", "sh -c 'ls -l /proc/*/fd'", at_most=2, any_status=True, sizes=("small",),
        judged=("small",)),
    # Minutes long: 200 objects come, and 200 go, each second.
    Job("typical", "ipcctl watch --no-holders --jsonl", percent=2, sizes=("medium",), judged=("medium",)),
]

ALL_RAW = "ipcctl list all --raw"
ONE_THREAD = "ipcctl list all --raw --threads 1"
TWO_THREADS = "ipcctl list all --raw --threads 2"
ALL_JSONL = "ipcctl list all --jsonl --threads 2"
SOCKETS = "ipcctl list unix-socket --raw"
# The columns of `ss -xp`, its users among them.
SOCKETS_AS_SS = "ipcctl list unix-socket --raw -o ref,type,socket_state,receive_queue,send_queue,name,peer,holders"
BIG = ("medium", "large")

for _load in ("typical", "even"):
    _file = f"{_load}-0-0"  # that some processes of the load have mapped
    JOBS += [
        Job(_load, ONE_THREAD, "floor scan", at_most=1.7, one_cpu=True, judged=BIG),
        Job(_load, TWO_THREADS, "floor scan", at_most=1.0, judged=BIG),
        # Eight times the descriptors.
        Job(_load, TWO_THREADS, growth=9, base=f"{_load}-medium", sizes=("large",)),
        Job(_load, ALL_RAW, "lsfd", quicker=8, slow=True, judged=BIG),
        Job(_load, ALL_RAW, "lsof -nP", quicker=8, slow=True, judged=BIG),
        Job(_load, ALL_RAW, memory=True, bytes_each=150),
        Job(_load, ALL_JSONL, "floor scan", at_most=3, judged=BIG),
        Job(_load, ALL_JSONL, growth=9, base=f"{_load}-medium", sizes=("large",)),
        Job(_load, ALL_JSONL, memory=True, bytes_each=150),
        Job(_load, SOCKETS, "ss -xp", quicker=2, slow=True, judged=BIG),
        Job(_load, SOCKETS_AS_SS, "ss -xp", quicker=2, slow=True, judged=BIG),
        Job(_load, f"ipcctl describe posix-shm:/{_file}", f"fuser /dev/shm/{_file}", quicker=1, slow=True, judged=BIG),
        Job(_load, f"ipcctl describe posix-shm:/{_file}", f"lsof -t /dev/shm/{_file}", quicker=1, slow=True,
            judged=BIG),
    ]


def selected(only: str, size: str) -> Iterator[tuple[int, Job, str]]:
    """The cells, by the number of their job: with the text in their load or commands, of that size or smaller.

    What is double is twice what is large."""
    sizes = SIZES[: SIZES.index(size) + 1] + (DOUBLE if size == "large" else ())
    for number, job in enumerate(JOBS):
        for each in job.sizes:
            if each in sizes and only in f"{job.load_of(each)} {job.ours} : {job.peer or job.base}":
                yield number, job, each
