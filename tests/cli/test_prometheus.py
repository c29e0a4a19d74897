# SPDX-License-Identifier: MIT
"""Prometheus' own programs and systemd read what metrics writes, and what its manual page says to write."""

import http.client
import json
import os
import re
import shutil
import subprocess
import time

import pytest
from monitoring import Exposition, example, examples, metrics, plain  # noqa: F401: a fixture
from program import ENVIRONMENT
from test_check import network  # noqa: F401: a fixture
from test_metrics import kinds_of, zoo  # noqa: F401: a fixture

PORT = 9100


def needs(*names):
    """The first of these programs that is here."""
    for name in names:
        if shutil.which(name):
            return shutil.which(name)
    return pytest.skip(f"there is no {names[0]} here")


def test_examples_as_man_shows_them(examples, top):
    """What the tests cut out is what a reader copies."""
    shown = subprocess.run([needs("mandoc"), "-T", "utf8", "-O", "width=200",
                            os.path.join(top, "man", "ipcctl-metrics.1")], capture_output=True, check=True).stdout
    shown = [line.strip() for line in re.sub(r".\x08", "", shown.decode()).splitlines()]
    for text in examples:
        lines = [line.strip() for line in text.splitlines()]
        assert any(shown[i:i + len(lines)] == lines for i in range(len(shown))), text


# promtool


def promtool(*words, data=b"", directory=None):
    process = subprocess.run([needs("promtool"), *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             cwd=directory, env=ENVIRONMENT)
    return process.returncode, process.stdout.decode()


HOSTILE = [b'/a"b\\c\nd', b"/\xff\x1b", "/\u202eü".encode()]


@pytest.mark.parametrize("all_objects", [False, True], ids=["sums", "per-object"])
def test_check_metrics(ipcctl, factory, zoo, all_objects):  # noqa: F811
    """It has nothing to say, not even of style; of a text that it must refuse it has."""
    for name in HOSTILE:
        factory("posix-mq", name=name, messages="0:1")
    words = [f"--per-object={kind}" for kind in kinds_of(ipcctl) if all_objects]
    text = ipcctl("metrics", *words).out
    assert promtool("check", "metrics", data=text) == (0, "")
    for broken in (text.replace(b"# EOF\n", b"ipcctl_objects 1 1 1\n"), text + text.partition(b"\n# TYPE ")[0] + b"\n",
                   text.replace(b'kind="', b'kind=')):
        assert promtool("check", "metrics", data=broken)[0] != 0


@pytest.fixture
def rules(examples, tmp_path):
    """The directory in which the rules are a file."""
    (tmp_path / "rules.yml").write_text(example(examples, "alert:"), encoding="utf-8")
    return tmp_path


def test_check_rules(rules):
    status, text = promtool("check", "rules", "rules.yml", directory=rules)
    assert status == 0 and "SUCCESS: 5 rules found" in text, text


def test_rules_are_of_what_is_there(ipcctl, rules):
    """A rule of a number that nobody writes is silent for ever."""
    named = set(re.findall(r"\bipcctl_\w+", (rules / "rules.yml").read_text(encoding="utf-8")))
    assert len(named) == 6 and named <= set(metrics(ipcctl).families)


HERE = 'instance="a"'
LIMIT = f'ipcctl_limit_used_ratio{{kind="sysv-sem",limit="semmni",{HERE}}}'
ORPHANED = 'ipcctl_memory_bytes{{kind="{}",state="orphaned",instance="a"}}'
# The rule, its input, minute by minute, a minute at which it says nothing, one at which it does, and what.
ALERTS = [
    ("IPCLimitNear", {LIMIT: "0.81x60"}, 4, 6, {"kind": "sysv-sem", "limit": "semmni"},
     "semmni of sysv-sem is 81% used"),
    ("IPCLimitNear", {LIMIT: "0.8x60"}, 50, None, {}, ""),
    ("IPCOrphansGrow", {ORPHANED.format("sysv-shm"): "536870912+1048576x600",
                        ORPHANED.format("posix-shm"): "536870912x600"}, 0, 512, {},
     "orphaned IPC objects take 1.5GiB, and ever more"),
    ("IPCOrphansGrow", {ORPHANED.format("sysv-shm"): "2000000000x600"}, 500, None, {}, ""),
    ("IPCOrphansGrow", {ORPHANED.format("sysv-shm"): "0+1000000x600"}, 600, None, {}, ""),
    ("IPCQueueFills", {f'ipcctl_fullest_ratio{{kind="pipe",{HERE}}}': "0.95x60"}, 9, 11, {"kind": "pipe"},
     "a pipe is 95% full"),
    ("IPCQueueFills", {f'ipcctl_fullest_ratio{{kind="pipe",{HERE}}}': "0.9x60"}, 50, None, {}, ""),
    ("IPCDeadlock", {f"ipcctl_deadlocks{{{HERE}}}": "1x60", f"ipcctl_dead_owner_waits{{{HERE}}}": "2x60"}, 1, 3, {},
     "3 waits never end: ipcctl waits --deadlocks"),
    ("IPCDeadlock", {f"ipcctl_deadlocks{{{HERE}}}": "0x60", f"ipcctl_dead_owner_waits{{{HERE}}}": "0x60"}, 50, None,
     {}, ""),
    ("IPCViewIncomplete", {f"ipcctl_view_complete{{{HERE}}}": "0x60"}, 29, 31, {},
     "IPC objects are not all in sight, or not looked at any more"),
    ("IPCViewIncomplete", {f"ipcctl_view_complete{{{HERE}}}": "1x60"}, 60, None, {}, ""),
    ("IPCViewIncomplete", {f'node_textfile_mtime_seconds{{file="/x/ipcctl.prom",{HERE}}}': "0x60"}, 40, 42,
     {"file": "/x/ipcctl.prom"}, "IPC objects are not all in sight, or not looked at any more"),
    ("IPCViewIncomplete", {f'node_textfile_mtime_seconds{{file="/x/ipcctl.prom",{HERE}}}': "0+60x60"}, 60, None,
     {}, ""),
]


@pytest.mark.parametrize("alert, series, silent, loud, labels, summary", ALERTS,
                         ids=[f"{a[0]}-{'silent' if a[3] is None else 'loud'}-{i}" for i, a in enumerate(ALERTS)])
def test_rules(rules, alert, series, silent, loud, labels, summary):
    says = [{"exp_labels": {"instance": "a", **labels}, "exp_annotations": {"summary": summary}}]
    asked = [{"eval_time": f"{silent}m", "alertname": alert, "exp_alerts": []}]
    if loud is not None:
        asked.append({"eval_time": f"{loud}m", "alertname": alert, "exp_alerts": says})
    # JSON is YAML.
    (rules / "test.yml").write_text(json.dumps({"rule_files": ["rules.yml"], "tests": [{
        "interval": "1m", "alert_rule_test": asked,
        "input_series": [{"series": name, "values": values} for name, values in series.items()]}]}), encoding="utf-8")
    status, text = promtool("test", "rules", "test.yml", directory=rules)
    assert status == 0, text


# The node exporter


def fetch():
    """The page of the exporter, as soon as it listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            assert response.status == 200
            return response.read().decode("utf-8")
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "it never listened"
            time.sleep(0.02)
        finally:
            connection.close()


def served(page):
    """name -> {labels: value}, and name -> help, of a page in the format of Prometheus."""
    samples, helps = {}, {}
    for line in page.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            helps[name] = plain(text)
        elif not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            key = frozenset((n, plain(v)) for n, v in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "") if v)
            assert key not in samples.setdefault(name, {}), line
            samples[name][key] = float(value)
    return samples, helps


def test_node_exporter(ipcctl, factory, network, background, tmp_path):  # noqa: F811
    """All that was written is served, to the byte of the labels, and next time what is written then."""
    exporter = needs("prometheus-node-exporter", "node_exporter")
    path = tmp_path / "ipcctl.prom"
    for name in HOSTILE:
        factory("posix-mq", name=name, messages="0:1")
    background(exporter, "--collector.disable-defaults", "--collector.textfile", "--web.disable-exporter-metrics",
               f"--collector.textfile.directory={tmp_path}", f"--web.listen-address=127.0.0.1:{PORT}",
               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for count in (3, 4):
        if count == 4:
            factory("posix-mq", name="/another")
        ipcctl("metrics", "--quiet", "--per-object=posix-mq", "--textfile", str(path))
        text = Exposition(path.read_bytes())
        samples, helps = served(fetch())
        assert samples["node_textfile_scrape_error"] == {frozenset(): 0}
        (key, mtime), = samples["node_textfile_mtime_seconds"].items()
        assert key == {("file", str(path))} and int(mtime) == int(path.stat().st_mtime)
        written = {name: family for name, family in text.families.items() if family.samples}
        assert {name: got for name, got in samples.items() if name.startswith("ipcctl_")} == {
            name: {labels: float(value) for labels, value in family.samples.items()}
            for name, family in written.items()}
        assert {name: got for name, got in helps.items() if name.startswith("ipcctl_")} == {
            name: family.about["HELP"] for name, family in written.items()}
        assert len(samples["ipcctl_object_curmsgs"]) == count
