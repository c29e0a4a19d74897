# SPDX-License-Identifier: MIT
"""The timer, the service and the cron table of ipcctl-metrics(1): systemd has nothing to say against them, and what
they run finds everything with the capabilities that they leave."""

import os
import shlex
import shutil
import subprocess

import kernel
import pytest
from monitoring import Exposition, example, examples  # noqa: F401: a fixture
from program import ENVIRONMENT, NOBODY, PR_CAPBSET_DROP, become

CAPABILITIES = {"CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_IPC_OWNER": 15, "CAP_SYS_PTRACE": 19,
                "CAP_SYS_ADMIN": 21, "CAP_LEASE": 28}  # linux/capability.h
PR_SET_NO_NEW_PRIVS = 38
WHERE = "/var/lib/prometheus/node-exporter/ipcctl.prom"


def verify(directory, *names):
    """What systemd-analyze says of these units, and of nothing else."""
    tool = shutil.which("systemd-analyze")
    if not tool:
        pytest.skip("there is no systemd-analyze here")
    process = subprocess.run([tool, "verify", "--man=no", *[str(directory / name) for name in names]],
                             capture_output=True, text=True, env=ENVIRONMENT)
    return process.returncode, [line for line in process.stderr.splitlines() if "ipcctl" in line]


@pytest.fixture
def installed(ipcctl, isolated):
    """The program where systemd looks for it, in this mount namespace."""
    kernel.mount("tmpfs", "/usr/local/bin", "tmpfs", 0, "mode=755")
    shutil.copy(ipcctl.path, "/usr/local/bin/ipcctl")
    yield
    kernel.unmount("/usr/local/bin")


@pytest.fixture
def units(examples, tmp_path):  # noqa: F811
    for name, word in (("service", "[Service]"), ("timer", "[Timer]")):
        (tmp_path / f"ipcctl-metrics.{name}").write_text(example(examples, word), encoding="utf-8")
    return tmp_path


def test_verify(installed, units):
    assert verify(units, "ipcctl-metrics.service", "ipcctl-metrics.timer") == (0, [])


@pytest.mark.parametrize("old, new", [("Type=oneshot", "Type=onshot"), ("ExecStart=ipcctl", "ExecStart=ipcctll")])
def test_verify_would_complain(installed, units, old, new):
    """A test that cannot fail is none."""
    path = units / "ipcctl-metrics.service"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert verify(units, "ipcctl-metrics.service")[1] != []


def setting(text, name):
    line, = [line for line in text.splitlines() if line.startswith(name + "=")]
    return line.partition("=")[2]


def written_by(ipcctl, words, path, drop=None):
    """What the words of an example write, and what the same without --quiet has to say."""
    assert words[0] == "ipcctl" and words[-2:] == ["--textfile", WHERE] and "--quiet" in words
    words = [word for word in words[1:-1] if word != "--quiet"] + [str(path)]
    result = ipcctl(*words, drop=drop)
    return Exposition(path.read_bytes()), result.errors


def test_the_same_command(examples):  # noqa: F811
    """In the cron table as in the service."""
    *times, user, command = example(examples, "* * * * *").strip().split(" ", 6)
    assert times == ["*"] * 5 and user == "root"
    assert command == setting(example(examples, "[Service]"), "ExecStart")


@pytest.fixture
def everybody(factory):
    """Things of root and of somebody else, held and not."""
    for name, drop in (("mine", None), ("other", become(NOBODY))):
        factory("held-file", hold=True, drop=drop, name=f"/dev/shm/held-{name}", mode="600", holders="r,map-r")
        factory("posix-shm", drop=drop, name=f"/{name}", size=5000, mode="600")
        factory("posix-mq", drop=drop, name=f"/{name}", mode="600", messages="0:1")
        factory("sysv-sem", hold=True, drop=drop, nsems=1, values="0", block="0:-1", mode="600")
        factory("sysv-msg", drop=drop, mode="600", messages="1:10")
        factory("eventfd", hold=True, drop=drop, holders="rw")
        factory("pipe", hold=True, drop=drop, fill=100, holders="r,w")


def confined_to(names):
    """As the service is: these capabilities, and no new privileges."""
    def confine():
        with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as f:
            for capability in set(range(int(f.read()) + 1)) - {CAPABILITIES[name] for name in names}:
                kernel.call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
        kernel.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return confine


@pytest.mark.real_root
def test_capabilities_are_enough(ipcctl, everybody, examples, tmp_path):  # noqa: F811
    """All that root sees with all of them; with none it would be less."""
    service = example(examples, "[Service]")
    words, names = shlex.split(setting(service, "ExecStart")), setting(service, "CapabilityBoundingSet").split()

    def run(name, drop=None):
        text, errors = written_by(ipcctl, words, tmp_path / name, drop)
        # Terminals, OFD locks and a user's signals are those of the whole system, where others come and go meanwhile.
        return {(family, labels): value for family, found in text.families.items()
                if family != "ipcctl_scan_seconds" for labels, value in found.samples.items()
                if not labels & {("limit", "pty-max"), ("limit", "rlimit-sigpending"), ("kind", "record-lock")}}, errors

    # Pipes of the tests' runner come and go with what it starts; what a capability hides is hidden each time.
    for _ in range(5):
        everything, confined = run("free"), run("confined", confined_to(names))
        different = {key: (everything[0].get(key), confined[0].get(key))
                     for key in everything[0].keys() | confined[0].keys()
                     if everything[0].get(key) != confined[0].get(key)}
        if not different:
            break
    assert everything[0]["ipcctl_unreadable_processes", frozenset()] == 0
    assert not different and confined[1] == everything[1]
    assert run("bare", confined_to([])) != everything
