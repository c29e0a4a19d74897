# SPDX-License-Identifier: MIT
"""What `describe` lists for and against the use of an object, against what was made here."""

import ctypes
import os
import socket
import subprocess

import kernel
from test_verdicts import made  # noqa: F401: a fixture


SETVAL = 16  # sys/sem.h


def evidence(ipcctl, ref, *words):
    """source -> (found, shows); those of one source in their order."""
    found = {}
    for row in ipcctl.json("describe", ref, *words)["objects"][0]["evidence"]:
        found.setdefault(row["source"], []).append((row["found"], row["shows"]))
    return found


def shown(ipcctl, ref, *words):
    return {source: [shows for _, shows in rows] for source, rows in evidence(ipcctl, ref, *words).items()}


def run_and_die(code):
    return subprocess.run(["/usr/bin/python3", "-c", code], check=True, capture_output=True, text=True).stdout


def test_file_without_proof(ipcctl, made):  # noqa: F811
    assert shown(ipcctl, made[0]) == {"holders": ["nothing"], "write lease": ["nothing"]}


def test_file_with_proof(ipcctl, made):  # noqa: F811
    """Nobody has it open; this very process is older than it."""
    ref, _ = made
    found = shown(ipcctl, ref, "--prove")
    messages = found.pop("messages", None)
    assert messages == (["nothing"] if ref.startswith("posix-mq") else None)
    assert found == {"holders": ["nothing"], "write lease": ["disuse"], "mounts elsewhere": ["disuse"],
                     "older process of owner": ["return"]}


def test_file_in_use(ipcctl, made):  # noqa: F811
    """By who is in sight: then the kernel need not be asked."""
    ref, opened = made
    fd = opened()
    assert evidence(ipcctl, ref, "--prove")["holders"] == [("1 process", "use")]
    assert shown(ipcctl, ref, "--prove")["write lease"] == ["nothing"]
    os.close(fd)


def test_file_under_way(ipcctl, made):  # noqa: F811
    """By a descriptor that no process has: only the kernel knows."""
    ref, opened = made
    a, b = socket.socketpair()
    with a, b:
        fd = opened()
        socket.send_fds(a, [b"x"], [fd])
        os.close(fd)
        found = evidence(ipcctl, ref, "--prove")
        assert found["write lease"] == [("refused", "use")] and found["holders"][0][1] == "nothing"


def test_segment(ipcctl, factory):
    """Attached by its creator, who lives."""
    truth = factory("sysv-shm", hold=True, attach=2)
    found = evidence(ipcctl, f"sysv-shm:{truth['id']}")
    assert found["attachments"] == [("2", "use")]
    for who in ("creator", "last user"):
        (text, shows), = found[who]
        assert shows == "return" and text.endswith("is alive") and text.startswith(f"{truth['pid']} (")


def test_segment_of_the_dead(ipcctl):
    code = "import ctypes, os; print(ctypes.CDLL(None).shmget(0, 4096, 0o600), os.getpid())"
    ident, pid = run_and_die(code).split()
    assert evidence(ipcctl, f"sysv-shm:{ident}") == {"attachments": [("0", "disuse")],
                                                     "creator": [(f"{pid} is gone", "disuse")]}


def test_set(ipcctl, factory):
    truth = factory("sysv-sem", hold=True, nsems=2, values="1,0", block="1:-1")
    assert evidence(ipcctl, f"sysv-sem:{truth['id']}")["waiters"] == [("1", "use")]


def test_set_of_several(ipcctl):
    """Two semaphores that two processes changed: one is gone, one is this."""
    ident = kernel.semget(0, 3, 0o600)
    code = f"import ctypes, os; ctypes.CDLL(None).semctl({ident}, 0, {SETVAL}, 1); print(os.getpid())"
    dead = int(run_and_die(code))
    assert ctypes.CDLL(None).semctl(ident, 1, SETVAL, 1) == 0
    found = evidence(ipcctl, f"sysv-sem:{ident}")
    assert found["waiters"] == [("0", "nothing")]
    assert found["last changer"][0] == (f"{dead} is gone", "disuse")
    text, shows = found["last changer"][1]
    assert shows == "return" and text.startswith(f"{os.getpid()} (")


def test_queue(ipcctl):
    ident = kernel.msgget(0, 0o600)
    kernel.msg_send(ident, 1, b"x")
    found = evidence(ipcctl, f"sysv-msg:{ident}")
    assert found["messages"] == [("1", "nothing")] and found["last sender"][0][1] == "return"
    assert "last receiver" not in found


def test_queue_with_a_receiver(ipcctl, factory):
    truth = factory("sysv-msg", hold=True, receivers="5")
    (text, shows), = evidence(ipcctl, f"sysv-msg:{truth['id']}")["waiters"]
    assert shows == "use" and text.endswith(" in msgrcv")


def test_fifo(ipcctl, tmp_path):
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    assert shown(ipcctl, f"fifo:{path}") == {"holders": ["nothing"], "tasks in open(2)": ["nothing"]}
    fd = os.open(path, os.O_RDWR)
    assert shown(ipcctl, f"fifo:{path}")["holders"] == ["use"]
    os.close(fd)


def test_socket_file(ipcctl):
    """Bound by a socket that lives no more."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("/dev/shm/socket")
    assert shown(ipcctl, "unix-socket:/dev/shm/socket")["connection"] == ["disuse"]


def test_socket_file_of_another_network(ipcctl, background):
    code = """import socket, time
s = socket.socket(socket.AF_UNIX)
s.bind('/dev/shm/socket')
s.listen()
print(flush=True)
time.sleep(99)"""
    process = background("unshare", "--net", "/usr/bin/python3", "-c", code, stdout=subprocess.PIPE)
    assert process.stdout.read(1) == b"\n"
    assert shown(ipcctl, "unix-socket:/dev/shm/socket")["connection"] == ["use"]


def test_without_processes(ipcctl, factory):
    """Nothing that was not looked at is put down as a finding."""
    factory("posix-shm", name="/x", size=1)
    ident = run_and_die("import ctypes; print(ctypes.CDLL(None).shmget(0, 4096, 0o600))").strip()
    assert evidence(ipcctl, "posix-shm:/x", "--no-holders")["holders"] == [("not looked for", "nothing")]
    assert evidence(ipcctl, f"sysv-shm:{ident}", "--no-holders") == {"attachments": [("0", "disuse")]}
