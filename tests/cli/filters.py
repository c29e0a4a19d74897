# SPDX-License-Identifier: MIT
"""Filters of system calls (seccomp(2)), as old kernels, and old container runtimes, are."""

import ctypes
import errno
import struct

import kernel
from calls import number

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7fff0000, 0x00050000

STATX = number("statx")
# Since Linux 5.1 new calls have one number everywhere.
CALLS = {
    "pidfd_send_signal": 424, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "pidfd_open": 434, "clone3": 435, "close_range": 436, "openat2": 437, "pidfd_getfd": 438,
    "faccessat2": 439, "process_madvise": 440, "epoll_pwait2": 441, "mount_setattr": 442, "futex_waitv": 449,
    "fchmodat2": 452, "futex_wake": 454, "futex_wait": 455, "statmount": 457, "listmount": 458, "mseal": 462,
}
if STATX:
    CALLS["statx"] = STATX


def program(calls, error):
    """A classic BPF program that answers these calls with the error."""
    code = [(LOAD, 0, 0, 0)]  # the number of the call
    for i, call in enumerate(calls):
        code.append((JUMP_IF_EQUAL, len(calls) - i, 0, CALLS[call]))
    code += [(RETURN, 0, 0, SECCOMP_RET_ALLOW), (RETURN, 0, 0, SECCOMP_RET_ERRNO | error)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def refusing(*calls, error=errno.ENOSYS):
    """To be run in a child before exec: from there on the kernel does not have these calls."""
    code = program(calls, error)
    instructions = ctypes.create_string_buffer(code, len(code))
    filter_ = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)))

    def preexec():
        kernel.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        kernel.call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0)
    preexec.keeps = instructions
    return preexec
