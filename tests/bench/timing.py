# SPDX-License-Identifier: MIT
"""The timing of jobs, inside a load, and the proof that ipcctl lists all that the load has."""

import collections
import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import BinaryIO, Iterator, NamedTuple, Optional

from jobs import Job

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import watching  # noqa: E402: that of the tests

TOTALS = ("processes", "descriptors", "mappings", "waits", "places", "elsewhere")  # of a load; the rest are kinds
ELSEWHERE = re.compile(r"4[0-9]{9}/")  # numbers of namespaces
LEAKED, PEER = "/dev/shm", "/dev/shm/peer"  # where files are that a run removes: ours, and the peer's
MIB = 1024  # in KiB, which is what the kernel counts a resident set in


class Cell(NamedTuple):
    """What became of a job in one size."""

    figure: str  # with its spread, if it has one
    memory: str = ""  # of the peer
    met: Optional[bool] = None  # None: there is no target, or nothing was timed
    failed: bool = False
    note: str = ""  # why it was skipped or failed, or what was seen


class Failure(Exception):
    """A command did not do its work: there is nothing to time."""


def told_by_load(variable: str) -> dict[str, int]:
    """Numbers of each kind, as the load counted; nothing if there is no load."""
    pairs = (word.split("=") for word in os.environ.get(variable, "").split())
    return {name: int(number) for name, number in pairs}


def own_objects() -> set[str]:
    """References to what this process holds itself, and the load knows nothing of."""
    refs = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:  # that of the listing
            continue
        if found := re.fullmatch(r"pipe:\[(\d+)\]", target):
            refs.add(f"pipe:{found[1]}")
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            _, access, _, device, inode = line.split(maxsplit=5)[:5]
            if access.endswith("s"):
                major, minor = (int(number, 16) for number in device.split(":"))
                refs.add(f"file-mapping:{major}:{minor}:{inode}")
    return refs


def records_of(output: BinaryIO, words: list[str]) -> Iterator[tuple[str, int]]:
    """Of each record of a listing the reference, and the number of holders (0 if it is not of JSON lines)."""
    try:
        if "--raw" in words:
            next(output)
            yield from ((line.split(b"\t", 1)[0].rstrip(b"\n").decode(), 0) for line in output)
        elif "--jsonl" in words:
            for record in map(json.loads, output):
                yield record["ref"], len({holder["pid"] for holder in record["holders"]})
        else:
            yield from ((record["ref"], 0) for record in json.load(output)["objects"])
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise Failure(f"not a listing: {error!r}") from error


def covers(name: str, kind: str) -> bool:
    """Whether the name of a kind or a group, as a job has it, stands for the kind too."""
    if name == "persistent":
        return kind.startswith(("sysv-", "posix-"))
    return name in ("all", kind) or kind.startswith(f"{name}-")


def compare(what: str, found: collections.Counter, wanted: dict[str, int]) -> None:
    wrong = [
        f"{found[kind]} of {wanted.get(kind, 0)} {what} {kind}"
        for kind in sorted(found.keys() | wanted)
        if found[kind] != wanted.get(kind, 0)
    ]
    if wrong:
        raise Failure("it lists " + ", ".join(wrong))


def make_files(directory: str, number: int) -> None:
    """As `load` makes those of --leaked-files."""
    os.makedirs(directory, exist_ok=True)
    for index in range(number):
        descriptor = os.open(f"{directory}/bench_{index}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(descriptor, index * 512)
        with contextlib.suppress(OSError):  # one user only
            os.fchown(descriptor, 65534, 65534)
        os.close(descriptor)


class Bench:
    """Times jobs within the load that this process is in."""

    def __init__(self, program: str, tools: str, rounds: int, again: int, seconds: int) -> None:
        self.own = {"ipcctl": program, "floor": os.path.join(tools, "floor")}
        self.measure = os.path.join(tools, "measure")
        self.rounds = rounds
        self.again = again
        self.seconds = seconds
        self.made = told_by_load("BENCH_MADE")
        self.held = told_by_load("BENCH_HELD")
        self.checked: set[str] = set()

    def words(self, line: str) -> list[str]:
        """The words of a command line, a ";" among them where one command ends."""
        words: list[str] = []
        for command in line.split(";"):
            name, *arguments = shlex.split(command)
            words += ([";"] if words else []) + [self.own.get(name, name), *arguments]
        return words

    def missing(self, line: str) -> Optional[str]:
        for command in line.split(";"):
            name = shlex.split(command)[0]
            if name not in self.own and not shutil.which(name):
                return name
        return None

    def once(self, job: Job, line: str) -> tuple[int, int]:
        """Nanoseconds, and peak memory in KiB."""
        if self.again:
            make_files(LEAKED if line == job.ours else PEER, self.again)
        options = ["-1"] * job.one_cpu + ["-x"] * job.any_status
        done = subprocess.run([self.measure, *options, *self.words(line)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(done.stderr.strip() or f"measure ended with {done.returncode}")
        if self.again and os.listdir(LEAKED):
            raise Failure(f"{len(os.listdir(LEAKED))} entries are left in {LEAKED}")
        nanoseconds, peak = done.stdout.split()[-2:]
        return int(nanoseconds), int(peak)

    def output(self, words: list[str]) -> BinaryIO:
        """What a command writes, which must end well. It goes to a file: a pipe would be in the listing."""
        output, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, errors.fileno(), 2),
        ]
        try:
            child = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
        except OSError as error:
            raise Failure(str(error)) from error
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            errors.seek(0)
            raise Failure(errors.read().decode(errors="replace").strip() or f"status {status}")
        output.seek(0)
        return output

    def check(self, line: str) -> None:
        """A listing that leaves objects out would be quick, and worthless."""
        words = self.words(line)
        if not self.made or line in self.checked:
            return
        if words[:2] == [self.own["ipcctl"], "list"]:
            self.check_listing(words)
        elif words[:2] == [self.own["ipcctl"], "clean"] and not self.again:
            found = len(self.output(words).readlines()) - 1
            if found != self.made["posix-shm"]:
                raise Failure(f"{found} would go, and the load has {self.made['posix-shm']}")
        elif line == "ipcctl waits --raw":
            tids = collections.Counter(row.split(b"\t")[1] for row in self.output(words).read().splitlines()[1:])
            # The program that makes the load waits for its command, and this one for ours.
            if not self.made["waits"] <= len(tids) <= self.made["waits"] + 8:
                raise Failure(f"{len(tids)} threads wait, and the load has {self.made['waits']}")
        elif line == "floor scan":
            found = int(self.output(words).read().split()[0])
            # This process, the floor itself.
            if not self.made["descriptors"] <= found <= self.made["descriptors"] + 32:
                raise Failure(f"{found} descriptors, and the load has {self.made['descriptors']}")
        elif line == "floor tasks":
            found = int(self.output(words).read().split()[0])
            if not self.made["waits"] <= found <= self.made["waits"] + self.made["processes"] + 8:
                raise Failure(f"{found} threads, and the load has {self.made['waits']} that wait")
        self.checked.add(line)

    def check_listing(self, words: list[str]) -> None:
        names = list(itertools.takewhile(lambda word: not word.startswith("-"), words[2:]))
        objects: collections.Counter[str] = collections.Counter()
        holders: collections.Counter[str] = collections.Counter()
        own = own_objects()
        elsewhere = 0
        for ref, held in records_of(self.output(words), words):
            kind, rest = ref.split(":", 1)
            if ELSEWHERE.match(rest):
                elsewhere += 1
            elif ref not in own:
                objects[kind] += 1
                holders[kind] += held
        compare("objects", objects, self.wanted(self.made, names))
        if elsewhere != (self.made["elsewhere"] if "-N" in words else 0):
            raise Failure(f"it lists {elsewhere} of {self.made['elsewhere']} objects elsewhere")
        if "--jsonl" in words:
            compare("holders", holders, self.wanted(self.held, names))

    def wanted(self, told: dict[str, int], names: list[str]) -> dict[str, int]:
        """The part of the load that a listing of these kinds and groups must have."""
        return {
            kind: number
            for kind, number in told.items()
            if number and kind not in TOTALS and any(covers(name, kind) for name in names)
        }

    def check_holders(self, job: Job) -> None:
        """`ipcctl describe REF` and `fuser FILE` must name the same processes."""
        described = json.load(self.output([*self.words(job.ours), "--json"]))
        ours = {holder["pid"] for record in described["objects"] for holder in record["holders"]}
        theirs = {int(pid) for pid in self.output(self.words(job.peer)).read().split()}
        if ours != theirs or not ours:
            raise Failure(f"{len(ours)} holders, and {job.peer.split()[0]} finds {len(theirs)}")

    def pairs(self, job: Job, rounds: int) -> tuple[list[int], list[int], int]:
        """The times of both sides, round by round, after one round that does not count; the peer's memory in KiB."""
        times: tuple[list[int], list[int]] = [], []
        peak = 0
        for number in range(rounds + 1):
            # Whoever runs second may find caches warmer, so the two change places.
            for side in (1, 0) if number % 2 else (0, 1):
                nanoseconds, memory = self.once(job, job.peer if side else job.ours)
                times[side].append(nanoseconds)
                peak = max(peak, memory) if side else peak
        return times[0][1:], times[1][1:], peak

    def run(self, job: Job, size: str) -> Cell:
        missing = self.missing(job.peer) if job.peer else None
        if missing:
            return Cell("-", note=f"{missing} is not installed")
        try:
            if job.percent:
                return self.watch(job)
            self.check(job.ours)
            if job.peer.startswith(("fuser ", "lsof -t ")):
                self.check_holders(job)
            elif job.peer:
                self.check(job.peer)
            cell = self.memory(job) if job.memory else self.time(job, job.rounds(size, self.rounds))
        except Failure as failure:
            return failed(failure)
        return cell if size in job.judged else cell._replace(met=None)

    def memory(self, job: Job) -> Cell:
        peak = max(self.once(job, job.ours)[1] for _ in range(3))
        if not job.bytes_each:
            return Cell(mebibytes(peak), met=peak < job.mebibytes * MIB if job.mebibytes else None)
        each = peak * 1024 / self.made["descriptors"]
        return Cell(f"{mebibytes(peak)}, {each:.0f} B/fd", met=each < job.bytes_each)

    def watch(self, job: Job) -> Cell:
        """Of what comes and goes each is told once and in time, for a while; it takes little, and the same in the end."""
        interval, warm, rate = 1, 10, 200
        lifetimes = [(0, 0.1), (0, 2 * interval), (2 * interval, 3 * interval)]
        watch = watching.Watch(self.words(job.ours), dict(os.environ))
        try:
            watch.ready()
            lives = watching.come_and_go(warm * rate, rate, lifetimes)
            before, used, start = watch.memory(), watch.processor(), time.monotonic()
            lives += watching.come_and_go(self.seconds * rate, rate, lifetimes, first=len(lives))
            share = (watch.processor() - used) / (time.monotonic() - start)
            after = watch.memory()
            watch.catch_up()
            seen, latest = watching.judge(lives, watch.end(), 1000 * interval, 500)
        except AssertionError as error:
            raise Failure(str(error)[:300]) from error
        finally:
            watch.kill()
        note = (f"{seen} of {len(lives)} objects were seen in {self.seconds} s, at most {latest} ms late; "
                f"memory {before} -> {after} KiB")
        return Cell(f"{share:.2%}", met=100 * share < job.percent and after < before + 256, note=note)

    def time(self, job: Job, rounds: int) -> Cell:
        ours, peer, peak = self.pairs(job, rounds)
        if job.extra_ms_each:
            each = [(mine - theirs) / self.made["places"] / 1e6 for mine, theirs in zip(ours, peer)]
            return Cell(spread_of(each, " ms"), mebibytes(peak), met=statistics.median(each) <= job.extra_ms_each)
        if job.quicker:
            ratios = [theirs / mine for mine, theirs in zip(ours, peer)]
            # "Quicker than" is not "as quick as".
            met = statistics.median(ratios) >= job.quicker if job.quicker > 1 else statistics.median(ratios) > 1
        else:
            ratios = [mine / theirs for mine, theirs in zip(ours, peer)]
            met = statistics.median(ratios) <= job.at_most
        return Cell(spread_of(ratios), mebibytes(peak), met)

    def alone(self, job: Job) -> list[int]:
        """The times of our side, after one that does not count."""
        self.check(job.ours)
        return [self.once(job, job.ours)[0] for _ in range(self.rounds + 1)][1:]


def failed(why: Exception) -> Cell:
    return Cell("FAILED", failed=True, note=str(why))


def growth(job: Job, base: list[int], times: list[int]) -> Cell:
    """The one job whose sides can't run in turn: each has a load of its own."""
    ratio = statistics.median(times) / statistics.median(base)
    spread = spread_of([min(times) / max(base), ratio, max(times) / min(base)])
    return Cell(spread, met=ratio <= job.growth)


def spread_of(figures: list[float], unit: str = "") -> str:
    """Three digits are as many as there is sense in."""

    def short(figure: float) -> str:
        return f"{figure:.2f}" if figure < 9.995 else f"{figure:.1f}" if figure < 99.95 else f"{figure:.0f}"

    return f"{short(statistics.median(figures))}{unit} ({short(min(figures))}..{short(max(figures))})"


def mebibytes(kib: int) -> str:
    return f"{kib / MIB:.1f}M"
