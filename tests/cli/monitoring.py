# SPDX-License-Identifier: MIT
"""What monitoring reads, by strict grammars of the test's own: the line and the performance data of a plugin
(Monitoring Plugins Development Guidelines), and the text of OpenMetrics 1.0. Nothing here knows ipcctl's numbers."""

import decimal
import math
import os
import re
import shutil
import subprocess
import time

import kernel
import pytest
from program import ENVIRONMENT, Result

STATUSES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
OK, WARNING, CRITICAL, UNKNOWN = range(4)

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
RANGE = rf"@?(?:(?:~|{NUMBER}):)?(?:{NUMBER})|@?(?:~|{NUMBER}):"
# 'label'=value[UOM];[warn];[crit];[min];[max]
DATUM = re.compile(rf"'([^'=|]+)'=({NUMBER})(s|us|ms|%|B|KB|MB|TB|c)?;({RANGE})?;({RANGE})?;({NUMBER})?;({NUMBER})?")


class Verdict:
    """What a plugin printed."""

    def __init__(self, result):
        assert result.out.endswith(b"\n"), result
        first, *self.more = result.text.removesuffix("\n").split("\n")
        parts = re.fullmatch(r"IPC (\w+) - ([^|]+?)(?: \| ([^|]+))?", first)
        assert parts, first
        assert STATUSES.index(parts[1]) == result.status, result
        # A bar in a later line would begin performance data once more.
        assert not any("|" in line or not line for line in self.more), self.more
        self.status, self.text, self.first, self.data = result.status, parts[2], first, {}
        for datum in parts[3].split(" ") if parts[3] else []:
            label, value, unit, *rest = DATUM.fullmatch(datum).groups()
            assert label not in self.data, label
            self.data[label] = (decimal.Decimal(value), unit or "", *rest)

    def value(self, label):
        return self.data[label][0]


def check(ipcctl, *words, status=None, **options):
    """The verdict of `check`; the status that is demanded, if any, must be it."""
    result = ipcctl("check", *words, status=status, **options)
    assert not result.err, result
    return Verdict(result)


def alerts(text, value):
    """Whether a value raises an alert by a range: the table of the guidelines."""
    if not text:
        return False
    inverted, low, high = re.fullmatch(rf"(@?)(?:(~|{NUMBER}):)?({NUMBER})?", text).groups()
    low = -math.inf if low == "~" else float(low or 0)
    return (low <= value <= float(high or math.inf)) == bool(inverted)


def judged(text, value):
    """The status of a value by W:C or RANGE,RANGE."""
    warning, _, critical = text.partition("," if "," in text else ":")
    return CRITICAL if alerts(critical, value) else WARNING if alerts(warning, value) else OK


def quiet_run(ipcctl, directory, *words):
    """Runs it while no thread of the test waits for anything that is an object: its output goes to a file."""
    with open(directory / "out", "wb") as out, open(directory / "err", "wb") as err:
        status = subprocess.Popen(ipcctl.command(*words), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                  env=ENVIRONMENT).wait()
    result = Result(words, status, (directory / "out").read_bytes(), (directory / "err").read_bytes())
    ipcctl.judge(result)
    return result


def asleep_in(pid, function):
    """Waits until a process sleeps in a function of the kernel whose name has this in it."""
    deadline = time.monotonic() + 20
    while True:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as f:
            if function in f.read() and kernel.process_state(pid) == "S":
                return
        assert time.monotonic() < deadline, pid
        os.sched_yield()


def traced(ipcctl, injection, *words, **options):
    """Runs it with a system call that strace(1) delays or lets fail."""
    call = injection.partition(":")[0]
    strace = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={injection}"]
    if not shutil.which("strace"):
        pytest.skip("there is no strace here")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")
    # Who is traced cannot look for leaks; and who gives up leaves its threads to their end.
    environment = {**ENVIRONMENT, "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"] + ":detect_leaks=0",
                   "TSAN_OPTIONS": ENVIRONMENT["TSAN_OPTIONS"] + ":report_thread_leaks=0"}
    process = subprocess.run([*strace, ipcctl.path, *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             env=environment, timeout=120, **{"stdout": subprocess.PIPE, **options})
    result = Result(words, process.returncode, process.stdout or b"", process.stderr)
    ipcctl.judge(result)
    return result


# OpenMetrics

NAME = r"[A-Za-z_:][A-Za-z0-9_:]*"
TEXT = r'(?:[^\n"\\]|\\n|\\"|\\\\)*'
DESCRIPTOR = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) ({TEXT})")
LABEL = rf'([A-Za-z_][A-Za-z0-9_]*)="({TEXT})"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ({NUMBER})")
UNIT_OF = {"bytes": "bytes", "seconds": "seconds", "ratio": "ratio"}


def plain(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


class Family:
    def __init__(self):
        self.about, self.samples = {}, {}

    def add(self, labels, value):
        key = frozenset(item for item in labels if item[1])  # an empty label is none
        assert len({name for name, _ in labels}) == len(labels), labels
        assert key not in self.samples, f"twice: {labels}"
        self.samples[key] = decimal.Decimal(value)


class Exposition:
    """A text of OpenMetrics whose families are all gauges."""

    def __init__(self, data):
        text = data.decode("utf-8")
        assert text.endswith("\n# EOF\n") and "\r" not in text, text[-100:]
        self.families, self.lines = {}, text.removesuffix("\n# EOF\n").split("\n")
        name = None
        for line in self.lines:
            name = self.descriptor(line, name) if line.startswith("#") else self.sample(line, name)
        for name, family in self.families.items():
            self.judge(name, family.about)

    def descriptor(self, line, before):
        parts = DESCRIPTOR.fullmatch(line)
        assert parts, line
        word, name, text = parts.groups()
        if name != before:
            assert name not in self.families, f"{name} is in two places"
            self.families[name] = Family()
        family = self.families[name]
        assert word not in family.about and not family.samples, line
        family.about[word] = plain(text)
        return name

    def sample(self, line, family):
        parts = SAMPLE.fullmatch(line)
        assert parts, line
        assert parts[1] == family, f"{line} is in {family}"
        self.families[family].add([(name, plain(value)) for name, value in re.findall(LABEL, parts[2] or "")],
                                  line.rpartition(" ")[2])
        return family

    @staticmethod
    def judge(name, about):
        assert about["TYPE"] == "gauge" and about["HELP"].strip(), name
        last = name.rpartition("_")[2]
        assert about.get("UNIT") == UNIT_OF.get(last), f"the unit of {name}"
        assert last not in ("total", "created", "count", "sum", "bucket"), f"{name} is a name of other types"

    def value(self, name, **labels):
        """Of the sample with exactly these labels, or None."""
        return self.families["ipcctl_" + name].samples.get(frozenset(labels.items()))

    def having(self, name, **labels):
        """Samples that have these labels among others: [(labels, value)]."""
        family = self.families.get("ipcctl_" + name, Family())
        return [(dict(key), value) for key, value in family.samples.items() if labels.items() <= dict(key).items()]

    def total(self, name, **labels):
        return sum(value for _, value in self.having(name, **labels))


def metrics(ipcctl, *words, **options):
    """That a text of metrics has nothing to say on standard error is not demanded: the view may be incomplete."""
    return Exposition(ipcctl("metrics", *words, **options).out)


# What the manual page says to write


@pytest.fixture(scope="session")
def examples(top):
    """The literal texts of ipcctl-metrics(1), as man(1) shows them."""
    with open(os.path.join(top, "man", "ipcctl-metrics.1"), encoding="utf-8") as f:
        found = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", f.read(), re.S | re.M)
    return [re.sub(r"\\(.)", lambda m: {"e": "\\", "&": "", "-": "-"}[m[1]], text) for text in found]


def example(texts, word):
    """The only one with that word."""
    text, = [text for text in texts if word in text]
    return text
