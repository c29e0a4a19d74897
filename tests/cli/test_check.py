# SPDX-License-Identifier: MIT
"""check: status, text and performance data against what was made here and the kernel's own numbers."""

import os
import subprocess

import kernel
import pytest
from monitoring import CRITICAL, OK, WARNING, Verdict, asleep_in, check, judged, quiet_run
from program import ENVIRONMENT, Result

INCOMPLETE = "the view is incomplete"
# What says nothing of a view that is never complete here.
ANYHOW = "--incomplete=ok"

# Each form of a range, with the value inside, at and outside of each boundary: v, a little less, and more.
FORMS = ["{v}", "{less}", "{v}:", "{less}:", ":{v}", ":{less}", "{v}:{more}", "{less}:{v}", "{least}:{less}",
         "{v},", "{less},", "{more},", ",{less}", "{less},{v}", "{less},{less}",
         "{v}:,", "{less}:,", "{more}:,", ",{more}:", "{more}:,{v}:",
         "~:{v},", "~:{less},", "~:{more},~:{less}",
         "{v}:{more},", "{less}:{v},", "{more}:{most},", "{least}:{less},", "{least}:{less},{more}:{most}",
         "@{v}:{more},", "@{less}:{v},", "@{more}:{most},", "@{least}:{less},", "@{least}:{most},@{v}:{v}",
         "@{v},", "@{less},", "@~:{less},@{more}:"]


def orphans(factory):
    """Segments of creators that are dead, and one of one that lives."""
    for size in (1, 4096, 5000, 1 << 20):
        factory("sysv-shm", size=size)
    factory("sysv-shm", size=1 << 22, hold=True)
    rows = [row for row in kernel.sysvipc("shm") if not os.path.exists(f"/proc/{row['cpid']}")]
    assert len(rows) == 4 and not any(row["nattch"] for row in rows)
    return rows


def make_orphans(factory, _):
    return len(orphans(factory)), "orphans", ""


def make_orphan_bytes(factory, _):
    return sum(row["size"] for row in orphans(factory)), "orphan_bytes", "B"


def make_queue(factory, _):
    """The fullest of three counts."""
    factory("sysv-msg", qbytes=1000, messages="1:100")
    factory("posix-mq", name="/q", maxmsg=10, messages="0:1,0:1")
    queue = kernel.msg(factory("sysv-msg", qbytes=1000, messages="1:200,1:50")["id"])
    assert queue["bytes"] * 100 == queue["qbytes"] * 25
    return 25, "queue_fill", "%"


def make_blocked(factory, _):
    """Three at a semaphore; and the factory, which waits for a pipe."""
    truth = factory("sysv-sem", hold=True, nsems=2, values="1,0", block="1:-1,1:-1,1:-1")
    assert kernel.sem_each(truth["id"])[1]["ncount"] == 3
    asleep_in(truth["pid"], "pipe_read")
    return 4, "blocked", ""


def set_semmni(value):
    words = kernel.sysctl("kernel/sem")
    try:
        with open("/proc/sys/kernel/sem", "w", encoding="ascii") as f:
            f.write(" ".join(map(str, [*words[:3], value])))
    except OSError as error:
        pytest.skip(f"kernel.sem of this namespace cannot be set: {error.strerror}")
    assert kernel.sysctl("kernel/sem")[3] == value


def fill_semmni(limit, used):
    set_semmni(limit)
    for _ in range(used):
        kernel.semget(0, 1, 0o600)
    assert len(kernel.sysvipc("sem")) == used


def make_limit(*_):
    fill_semmni(100, 91)
    return 91, "sysv-sem/semmni", "%"


OPTIONS = {"--orphans": make_orphans, "--orphan-bytes": make_orphan_bytes, "--queue-fill": make_queue,
           "--blocked": make_blocked, "--limits": make_limit}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("option", OPTIONS)
def test_every_range(ipcctl, factory, tmp_path, option, form):
    value, label, unit = OPTIONS[option](factory, tmp_path)
    text = form.format(v=value, least=value - 2, less=value - 1, more=value + 1, most=value + 2)
    verdict = Verdict(quiet_run(ipcctl, tmp_path, "check", option, text, ANYHOW))
    # Of limits there are others, all of them next to empty.
    expected = max(judged(text, value), judged(text, 0)) if option == "--limits" else judged(text, value)
    assert verdict.status == expected
    got, got_unit, warning, critical, low, high = verdict.data[label]
    assert (got, got_unit, low) == (value, unit, "0") and high == ("100" if unit == "%" else None)
    # What stands there judges as what was asked for.
    for other in (value, 0, value - 1, value + 1):
        assert judged(f"{warning or ''},{critical or ''}", other) == judged(text, other)


@pytest.mark.parametrize("option", OPTIONS)
def test_only_what_is_asked_for(ipcctl, factory, tmp_path, option):
    _, label, _ = OPTIONS[option](factory, tmp_path)
    labels = set(check(ipcctl, option, "1:2", ANYHOW).data)
    if option == "--limits":
        assert label in labels and all("/" in name for name in labels)
    else:
        assert labels == {label}


def test_suffixes(ipcctl, factory):
    factory("sysv-msg", qbytes=1000, messages="1:250")
    factory("sysv-shm", size=1536)
    for option, text, status in (
            ("--queue-fill", "24%:26%", WARNING), ("--queue-fill", "24.99:25.01", WARNING),
            ("--queue-fill", "25.0:26", OK), ("--queue-fill", "24%,24.99%", CRITICAL),
            ("--orphan-bytes", "1K:1M", WARNING), ("--orphan-bytes", "1.5K", OK), ("--orphan-bytes", "1KiB", WARNING),
            ("--orphan-bytes", "1G:1T", OK), ("--orphan-bytes", "2K:,~:1G", WARNING)):
        assert check(ipcctl, option, text, ANYHOW).status == status, (option, text)


# What is said


def test_the_line_of_a_bad_day(ipcctl, factory):
    """The example of the manual page, and of the issue, with other numbers."""
    fill_semmni(1000, 910)
    for _ in range(12):
        factory("sysv-shm", size=107374183, noreserve=1)
    assert sum(row["size"] for row in kernel.sysvipc("shm")) // (1 << 20) == 1228  # 1.2 GiB
    verdict = check(ipcctl, "--limits", "80:95", "--orphans", "10:100")
    assert verdict.text.startswith("semmni 91% (910 of 1000), 12 orphaned (1.2 GiB)") and verdict.status == WARNING
    assert verdict.data["sysv-sem/semmni"] == (91, "%", "80", "95", "0", "100")
    assert verdict.data["orphans"] == (12, "", "10", "100", "0", None)
    assert "semmni of sysv-sem: 910 of 1000 used; when it is reached, semget: ENOSPC" in verdict.more
    assert "sysv-shm: 12 orphaned; ipcctl clean shows them" in verdict.more


def test_sizes(ipcctl, factory):
    """For people in the text, exact in the data."""
    for size, text in ((1, "1 B"), (1022, "1023 B"), (1, "1 KiB"), (512, "1.5 KiB"), (1 << 20, "1 MiB")):
        factory("sysv-shm", size=size)
        total = sum(row["size"] for row in kernel.sysvipc("shm"))
        verdict = check(ipcctl, "--orphan-bytes", "0", ANYHOW)
        count = len(kernel.sysvipc("shm"))
        assert f"{count} orphaned ({text})" in verdict.text and verdict.status == WARNING, (total, verdict.text)
        assert verdict.data["orphan_bytes"] == (total, "B", "0", None, "0", None)


def test_worst_first(ipcctl, factory):
    """Each says what it is; the worst is the status."""
    factory("sysv-shm", size=5000)
    factory("sysv-msg", qbytes=1000, messages="1:950")
    ref = f"sysv-msg:{kernel.sysvipc('msg')[0]['msqid']}"
    verdict = check(ipcctl, "--orphans", "0:10", "--queue-fill", "50:90", ANYHOW)
    assert verdict.status == CRITICAL
    assert verdict.text.startswith(f"{ref} 95% full, 1 orphaned (4.9 KiB)")
    verdict = check(ipcctl, "--orphans", ":0", "--queue-fill", "90", ANYHOW)
    assert verdict.status == CRITICAL and verdict.text.startswith(f"1 orphaned (4.9 KiB), {ref} 95% full")
    assert f"the fullest sysv-msg is {ref}: 95%" in verdict.more


def test_all_is_well(ipcctl):
    verdict = check(ipcctl, "--limits", "80:95", "--orphans", "0:0", "--queue-fill", "90:99", "--deadlocks", ANYHOW)
    assert verdict.status == OK
    assert verdict.text.startswith("fullest limit ") and "0 orphaned (0 B)" in verdict.text


def test_limits_alone_and_well(ipcctl):
    """The nearest limit is told."""
    fill_semmni(100, 40)
    verdict = check(ipcctl, "--limits", "80:95", status=0)
    assert verdict.first.startswith("IPC OK - fullest limit semmni 40% | ") and not verdict.more


# A queue of each kind, how full it is, and its reference: one half


QUEUES = {
    "sysv-msg": lambda f, _: f"sysv-msg:{f('sysv-msg', qbytes=1000, messages='1:300,2:200')['id']}",
    "posix-mq": lambda f, _: f("posix-mq", name="/q", maxmsg=4, messages="0:1,0:1") and "posix-mq:/q",
    "pipe": lambda f, _: f"pipe:{f('pipe', hold=True, capacity=8192, fill=4096, holders='r,w')['ino']}",
    "fifo": lambda f, path: f("fifo", hold=True, path=f"{path}/f", capacity=8192, fill=4096, holders="r,w") and
    f"fifo:{path}/f",
    "unix-socket": lambda f, _: "unix-socket:" + str(
        f("unix-listener", hold=True, name=b"\0q", backlog=4, pending=2, holders="a")["listener_ino"]),
    "inet-socket": lambda f, _: "inet-socket:" + str(
        f("inet-listener", hold=True, backlog=4, pending=2, holders="a")["a_ino"]),
}


@pytest.fixture
def network():
    """A network namespace of the test's own: its sockets are all there are."""
    kernel.unshare(kernel.CLONE_NEWNET)
    kernel.loopback_up()


@pytest.mark.parametrize("kind", QUEUES)
def test_every_queue(ipcctl, factory, network, lookups, tmp_path, kind):
    ref = QUEUES[kind](factory, tmp_path)
    assert check(ipcctl, "--queue-fill", "50:99", ANYHOW).status == OK
    verdict = check(ipcctl, "--queue-fill", "49:99", ANYHOW)
    assert verdict.status == WARNING and verdict.text == f"{ref} 50% full, {INCOMPLETE}"
    assert verdict.data == {"queue_fill": (50, "%", "49", "99", "0", "100")}


def test_neither_empty_nor_full(ipcctl, factory):
    """The example of the manual page: of all queues the fullest counts, others may be empty."""
    words = ("--queue-fill", "1:80,~:95", ANYHOW)
    verdict = check(ipcctl, *words)
    assert verdict.status == WARNING and verdict.value("queue_fill") == 0
    factory("sysv-msg", qbytes=1000, messages="1:500")
    factory("posix-mq", name="/empty")
    verdict = check(ipcctl, *words)
    assert verdict.status == OK and verdict.value("queue_fill") == 50
    factory("sysv-msg", qbytes=1000, messages="1:810")
    assert check(ipcctl, *words).status == WARNING
    factory("sysv-msg", qbytes=1000, messages="1:960")
    assert check(ipcctl, *words).status == CRITICAL


def test_no_queue(ipcctl, network, tmp_path):
    """In sight of a process that is alone, and has none: nothing is in any."""
    with open(tmp_path / "out", "wb") as out:
        status = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc",
                                 *ipcctl.command("check", "--queue-fill", "1:80,~:95", ANYHOW)],
                                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=ENVIRONMENT).returncode
    verdict = Verdict(Result("check", status, (tmp_path / "out").read_bytes(), b""))
    assert verdict.status == WARNING and verdict.text.startswith("no queue is in sight")
    assert verdict.value("queue_fill") == 0


# Limits


def percent(used, limit):
    return used * 10000 // limit / 100


def test_limits_by_the_kernel(ipcctl, factory):
    factory("sysv-shm", size=50000)
    factory("sysv-sem", nsems=5)
    factory("sysv-msg", messages="1:100")
    factory("posix-mq", name="/q")
    with open("/dev/shm/x", "wb") as f:
        f.write(b"x" * 3_000_000)
    shm = os.statvfs("/dev/shm")
    sem, info = kernel.sysctl("kernel/sem"), kernel.sem_info()
    assert info["semusz"] == 1 and info["semaem"] == 5  # sets, and semaphores
    expected = {
        "sysv-shm/shmmni": percent(kernel.shm_info()["used_ids"], kernel.sysctl("kernel/shmmni")[0]),
        "sysv-shm/shmall": percent(kernel.shm_info()["shm_tot"], kernel.sysctl("kernel/shmall")[0]),
        "sysv-sem/semmni": percent(1, sem[3]), "sysv-sem/semmns": percent(5, sem[1]),
        "sysv-msg/msgmni": percent(1, kernel.sysctl("kernel/msgmni")[0]),
        "posix-mq/queues_max": percent(1, kernel.sysctl("fs/mqueue/queues_max")[0]),
        "posix-shm/shm-size": percent(shm.f_blocks - shm.f_bfree, shm.f_blocks),
        "posix-shm/shm-inodes": percent(shm.f_files - shm.f_ffree, shm.f_files),
    }
    verdict = check(ipcctl, "--limits", "80:95", status=0)
    assert {name: float(verdict.value(name)) for name in expected} == expected
    assert expected["posix-shm/shm-size"] > 4


def test_no_option_at_all(ipcctl):
    """All but --blocked, with the thresholds of the manual page."""
    data = check(ipcctl, ANYHOW).data
    fills = {f"{row['kind']}/{row['name']}" for row in ipcctl.json("limits")["limits"]
             if row["fills"] and "percent" in row}
    usual = {**{name: ("%", "80", "95", "0", "100") for name in fills}, "queue_fill": ("%", "90", "99", "0", "100"),
             "orphans": ("", "100", "1000", "0", None),
             "orphan_bytes": ("B", str(1 << 30), str(10 << 30), "0", None),
             **{name: ("", None, None, "0", None) for name in ("deadlocks", "likely_deadlocks", "dead_owner_waits")}}
    assert {name: datum[1:] for name, datum in data.items()} == usual and len(fills) >= 10


def test_usual_thresholds(ipcctl, factory):
    """By themselves they find what is wrong."""
    verdict = check(ipcctl, ANYHOW)
    assert verdict.status == OK and INCOMPLETE in verdict.text
    factory("sysv-msg", qbytes=1000, messages="1:950")
    assert check(ipcctl, ANYHOW).status == WARNING
    factory("sysv-msg", qbytes=1000, messages="1:1000")
    assert check(ipcctl, ANYHOW).status == CRITICAL
