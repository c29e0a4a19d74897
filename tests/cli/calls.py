# SPDX-License-Identifier: MIT
"""Numbers of those system calls that each machine numbers in its own way (syscalls(2))."""

import ctypes
import platform

NARROW = ctypes.sizeof(ctypes.c_long) == 4
GENERIC = {"exit": 93, "capset": 91, "rt_sigprocmask": 135, "rt_sigqueueinfo": 138, "statx": 291}
NUMBERS = {
    "x86_64": {"exit": 60, "capset": 126, "rt_sigprocmask": 14, "rt_sigqueueinfo": 129, "statx": 332},
    "i386": {"exit": 1, "capset": 185, "rt_sigprocmask": 175, "rt_sigqueueinfo": 178, "statx": 383},
    "arm": {"exit": 1, "capset": 185, "rt_sigprocmask": 175, "rt_sigqueueinfo": 178, "statx": 397},
    "ppc64le": {"exit": 1, "capset": 184, "rt_sigprocmask": 174, "rt_sigqueueinfo": 177, "statx": 383},
    "s390x": {"exit": 1, "capset": 185, "rt_sigprocmask": 175, "rt_sigqueueinfo": 178, "statx": 379},
    "aarch64": GENERIC, "riscv64": GENERIC, "loongarch64": GENERIC,
}
# What uname(2) says is the kernel; a program with narrow words under a wide one has the calls of another machine.
NARROWED = {"x86_64": "i386", "i486": "i386", "i586": "i386", "i686": "i386", "aarch64": "arm", "armv7l": "arm",
            "armv8l": "arm"}


def number(name):
    """None: not known for this machine."""
    machine = platform.machine()
    return NUMBERS.get(NARROWED.get(machine) if NARROW else machine, {}).get(name)
