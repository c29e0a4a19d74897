# SPDX-License-Identifier: MIT
"""Capabilities (capabilities(7)) of processes: to start one with exactly these, and what the kernel says it has."""

import ctypes
import os
import re
import struct
import time

import kernel
from program import PR_CAPBSET_DROP

# linux/capability.h
NUMBERS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3, "CAP_FSETID": 4,
           "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_LINUX_IMMUTABLE": 9,
           "CAP_NET_BIND_SERVICE": 10, "CAP_NET_BROADCAST": 11, "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13,
           "CAP_IPC_LOCK": 14, "CAP_IPC_OWNER": 15, "CAP_SYS_MODULE": 16, "CAP_SYS_RAWIO": 17, "CAP_SYS_CHROOT": 18,
           "CAP_SYS_PTRACE": 19, "CAP_SYS_PACCT": 20, "CAP_SYS_ADMIN": 21, "CAP_SYS_BOOT": 22, "CAP_SYS_NICE": 23,
           "CAP_SYS_RESOURCE": 24, "CAP_SYS_TIME": 25, "CAP_SYS_TTY_CONFIG": 26, "CAP_MKNOD": 27, "CAP_LEASE": 28,
           "CAP_AUDIT_WRITE": 29, "CAP_AUDIT_CONTROL": 30, "CAP_SETFCAP": 31, "CAP_MAC_OVERRIDE": 32,
           "CAP_MAC_ADMIN": 33, "CAP_SYSLOG": 34, "CAP_WAKE_ALARM": 35, "CAP_BLOCK_SUSPEND": 36, "CAP_AUDIT_READ": 37,
           "CAP_PERFMON": 38, "CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40}
NAMES = {number: name for name, number in NUMBERS.items()}
PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 22, 47, 2
VERSION_3 = 0x20080522
PATIENCE = 60  # seconds


def bits(names):
    return sum(1 << NUMBERS[name] for name in names)


def sets(pid="self"):
    """What /proc says: {"CapEff": {"CAP_...", ...}, ...}, and "NoNewPrivs"."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return parse(f.read())


def parse(status):
    found = {name: {NAMES[i] for i in range(64) if int(word, 16) >> i & 1}
             for name, word in re.findall(r"^(Cap\w+):\s*([0-9a-f]+)$", status, re.M)}
    assert found.keys() == {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
    return {**found, "NoNewPrivs": int(re.search(r"^NoNewPrivs:\s*([01])$", status, re.M)[1])}


def limited_to(names):
    """Root with these at most."""
    def limit():
        with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as f:
            last = int(f.read())
        for number in set(range(last + 1)) - {NUMBERS[name] for name in names}:
            kernel.call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)
    return limit


def without(*names):
    return limited_to(sets()["CapBnd"] - set(names))


def user_with(uid, *names):
    """An ordinary user who was given these, for all that he executes."""
    def become():
        kernel.call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        low, high = bits(names) & 0xffffffff, bits(names) >> 32
        header = ctypes.create_string_buffer(struct.pack("Ii", VERSION_3, 0))
        data = ctypes.create_string_buffer(struct.pack("6I", *[low] * 3, *[high] * 3))
        kernel.call("capset", header, data)
        for name in names:
            kernel.call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NUMBERS[name], 0, 0)
    return become


def forbidding(number, code):
    """This system call fails with that error: a filter of seccomp(2), before exec."""
    def forbid():
        filters = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 0x06, 0, 0, 0x00050000 | code,
                              0x06, 0, 0, 0x7fff0000)
        code_at = ctypes.create_string_buffer(filters)
        program = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(code_at)))
        kernel.call("prctl", PR_SET_SECCOMP, 2, program, 0, 0)
    return forbid


def one_after_the_other(*steps):
    def take():
        for step in steps:
            step()
    return take


def settled(process):
    """What a program has once it takes no new privileges any more, which it says last."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, process.stderr.read()
        found = sets(process.pid)
        if found["NoNewPrivs"]:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.002)
