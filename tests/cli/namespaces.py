# SPDX-License-Identifier: MIT
"""The private namespaces that tests run in, and how to get into them."""

import os
import subprocess

import kernel

# Names the IPC namespace outside, so that the inside can be told from it.
MARK = "IPCCTL_TEST_OUTSIDE"

_WANTED = [
    ["--ipc", "--mount", "--net", "--pid", "--mount-proc"],
    # Where the kernel refuses another /proc (some containers): all but the processes.
    ["--ipc", "--mount", "--net"],
]


def entering():
    """The command prefix that enters new namespaces, or None where none may be made."""
    users = [[]] if os.geteuid() == 0 else []
    users.append(["--user", "--map-root-user"])
    for user in users:
        for wanted in _WANTED:
            prefix = ["unshare", *user, *wanted, "--fork", "--kill-child"]
            # Ubuntu lets everybody make a user namespace and then forbids its use.
            probe = prefix + ["mount", "-t", "tmpfs", "none", "/dev/shm"]
            try:
                if subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
                    return prefix
            except FileNotFoundError:
                return None
    return None


def current():
    return os.readlink("/proc/self/ns/ipc")


def inside():
    return os.environ.get(MARK, current()) != current()


def as_the_first():
    """Makes the program that this process becomes take its PID namespace for the first one, where
    nobody is out of sight: to be run before exec. Nobody else sees these mounts."""
    directory = f"/proc/{os.getpid()}/ns"
    links = {name: os.readlink(f"{directory}/{name}") for name in os.listdir(directory)}
    links["pid"] = "pid:[4026531836]"
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", directory, "tmpfs")
    for name, target in links.items():
        os.symlink(target, f"{directory}/{name}")
    # The kernel counts all its threads there (proc(5)).
    with open(f"{directory}/loadavg", "w", encoding="ascii") as f:
        f.write("0.00 0.00 0.00 1/1 1\n")
    kernel.mount(f"{directory}/loadavg", "/proc/loadavg", "none", kernel.MS_BIND)
