# SPDX-License-Identifier: MIT
"""The kernel's own answer, by system calls and by an independent reading of /proc.

Nothing here knows ipcctl. Names of values are those of the manual pages,
shortened as ipcctl's field names are, so that tests can compare by name.
"""

import ctypes
import ctypes.util
import errno
import fcntl
import os
import platform
import socket
import stat
import struct

from calls import NARROW

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MNT_DETACH = 2
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000

IPC_CREAT, IPC_EXCL, IPC_NOWAIT = 0o1000, 0o2000, 0o4000
IPC_PRIVATE, IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO = 0, 0, 1, 2, 3
SHM_INFO, SEM_INFO, MSG_INFO = 14, 19, 12
SHM_STAT_ANY, SEM_STAT_ANY, MSG_STAT_ANY = 15, 20, 13
GETPID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL = 11, 12, 13, 14, 15, 16, 17
SHM_DEST, SHM_LOCKED = 0o1000, 0o2000
MSG_COPY, MSG_NOERROR = 0o40000, 0o10000

libc = ctypes.CDLL(None, use_errno=True)
LONG_MAX = 2 ** (8 * ctypes.sizeof(ctypes.c_long) - 1) - 1
# A time stamp of the future, as far as Python's time_t goes.
AHEAD = 2**31 - 1 if NARROW else 2**32
SIZE_MAX = 2 ** (8 * ctypes.sizeof(ctypes.c_size_t)) - 1


def map_files_open():
    """Whether this process may look behind links of map_files: it takes CAP_SYS_ADMIN or
    CAP_CHECKPOINT_RESTORE in the first user namespace."""
    name = next(os.scandir("/proc/self/map_files")).name
    try:
        os.stat(f"/proc/self/map_files/{name}")
    except PermissionError:
        return False
    return True


def call(name, *args):
    """Calls a function of libc that returns -1 and sets errno."""
    result = getattr(libc, name)(*args)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


# Namespaces and mounts


def unshare(flags):
    call("unshare", ctypes.c_int(flags))


def mount(source, target, fstype, flags=0, data=None):
    call("mount", os.fsencode(source), os.fsencode(target), fstype.encode(), ctypes.c_ulong(flags),
         data.encode() if data else None)


def unmount(target):
    call("umount2", os.fsencode(target), ctypes.c_int(MNT_DETACH))


def loopback_up():
    """A new network namespace has the device, but down (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING


# Structures of include/uapi/asm-generic/{ipcbuf,shmbuf,msgbuf,sembuf}.h. Where words are narrow, each time has
# a second one for what lies beyond 2106; x86 always has that in sem (arch/x86/include/uapi/asm/sembuf.h).


def _times(*names, pairs=NARROW):
    for name in names:
        yield from [(name, ctypes.c_ulong), (name + "_high", ctypes.c_ulong)] if pairs else [(name, ctypes.c_ulong)]


class IpcPerm(ctypes.Structure):
    _fields_ = [("key", ctypes.c_uint32), ("uid", ctypes.c_uint32), ("gid", ctypes.c_uint32),
                ("cuid", ctypes.c_uint32), ("cgid", ctypes.c_uint32), ("mode", ctypes.c_uint32),
                ("seq", ctypes.c_uint16), ("pad", ctypes.c_uint16),
                ("unused1", ctypes.c_ulong), ("unused2", ctypes.c_ulong)]


class ShmDs(ctypes.Structure):
    _fields_ = [("perm", IpcPerm), ("size", ctypes.c_size_t), *_times("atime", "dtime", "ctime"),
                ("cpid", ctypes.c_int), ("lpid", ctypes.c_int), ("nattch", ctypes.c_ulong),
                ("unused", ctypes.c_ulong * 2)]


class SemDs(ctypes.Structure):
    _fields_ = [("perm", IpcPerm),
                *_times("otime", "ctime", pairs=NARROW or platform.machine() in ("x86_64", "AMD64")),
                ("nsems", ctypes.c_ulong), ("unused", ctypes.c_ulong * 2)]


class MsgDs(ctypes.Structure):
    _fields_ = [("perm", IpcPerm), *_times("stime", "rtime", "ctime"),
                ("bytes", ctypes.c_ulong), ("messages", ctypes.c_ulong),
                ("qbytes", ctypes.c_ulong), ("lspid", ctypes.c_int), ("lrpid", ctypes.c_int),
                ("unused", ctypes.c_ulong * 2)]


class ShmInfo(ctypes.Structure):
    _fields_ = [("used_ids", ctypes.c_int), ("shm_tot", ctypes.c_ulong), ("shm_rss", ctypes.c_ulong),
                ("shm_swp", ctypes.c_ulong), ("swap_attempts", ctypes.c_ulong),
                ("swap_successes", ctypes.c_ulong)]


class SemInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in
                ("semmap", "semmni", "semmns", "semmnu", "semmsl", "semopm", "semume", "semusz",
                 "semvmx", "semaem")]


class MsgInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in
                ("msgpool", "msgmap", "msgmax", "msgmnb", "msgmni", "msgssz", "msgtql")] + [
                    ("msgseg", ctypes.c_ushort)]


class MqAttr(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_long), ("maxmsg", ctypes.c_long), ("msgsize", ctypes.c_long),
                ("curmsgs", ctypes.c_long), ("reserved", ctypes.c_long * 4)]


class MsgBuf(ctypes.Structure):
    _fields_ = [("type", ctypes.c_long), ("body", ctypes.c_char * 65536)]


def _perm(ds):
    p = ds.perm
    return {"key": p.key, "uid": p.uid, "gid": p.gid, "cuid": p.cuid, "cgid": p.cgid,
            "mode": p.mode & 0o777, "flags": p.mode & ~0o777}


def shm(shmid):
    ds = ShmDs()
    call("shmctl", shmid, IPC_STAT, ctypes.byref(ds))
    return {"id": shmid, **_perm(ds), "size": ds.size, "nattch": ds.nattch, "cpid": ds.cpid,
            "lpid": ds.lpid, "atime": ds.atime, "dtime": ds.dtime, "ctime": ds.ctime}


def sem(semid):
    ds = SemDs()
    call("semctl", semid, 0, IPC_STAT, ctypes.byref(ds))
    return {"id": semid, **_perm(ds), "nsems": ds.nsems, "otime": ds.otime, "ctime": ds.ctime}


def sem_each(semid):
    """What semctl says of each semaphore of a set."""
    n = sem(semid)["nsems"]
    values = (ctypes.c_ushort * n)()
    call("semctl", semid, 0, GETALL, values)
    return [{"index": i, "value": values[i], "pid": call("semctl", semid, i, GETPID),
             "ncount": call("semctl", semid, i, GETNCNT), "zcount": call("semctl", semid, i, GETZCNT)}
            for i in range(n)]


def msg(msqid):
    ds = MsgDs()
    call("msgctl", msqid, IPC_STAT, ctypes.byref(ds))
    return {"id": msqid, **_perm(ds), "bytes": ds.bytes, "messages": ds.messages, "qbytes": ds.qbytes,
            "lspid": ds.lspid, "lrpid": ds.lrpid, "stime": ds.stime, "rtime": ds.rtime,
            "ctime": ds.ctime}


def msg_drain(msqid):
    """Receives every message: [(type, body)]."""
    out, buffer = [], MsgBuf()
    while True:
        try:
            n = call("msgrcv", msqid, ctypes.byref(buffer), ctypes.c_size_t(65536), ctypes.c_long(0),
                     IPC_NOWAIT)
        except OSError as error:
            if error.errno == errno.ENOMSG:
                return out
            raise
        out.append((buffer.type, ctypes.string_at(ctypes.addressof(buffer) + MsgBuf.body.offset, n)))


def msg_send(msqid, mtype, body):
    buffer = MsgBuf(mtype)
    ctypes.memmove(ctypes.addressof(buffer) + MsgBuf.body.offset, body, len(body))
    call("msgsnd", msqid, ctypes.byref(buffer), ctypes.c_size_t(len(body)), IPC_NOWAIT)


def shm_info():
    info = ShmInfo()
    call("shmctl", 0, SHM_INFO, ctypes.byref(info))
    return {name: getattr(info, name) for name, _ in ShmInfo._fields_}


def sem_info():
    info = SemInfo()
    call("semctl", 0, 0, SEM_INFO, ctypes.byref(info))
    return {name: getattr(info, name) for name, _ in SemInfo._fields_}


def msg_info():
    info = MsgInfo()
    call("msgctl", 0, MSG_INFO, ctypes.byref(info))
    return {name: getattr(info, name) for name, _ in MsgInfo._fields_}


def shmget(key, size, flags):
    return call("shmget", ctypes.c_int(key), ctypes.c_size_t(size), ctypes.c_int(flags))


def semget(key, nsems, flags):
    return call("semget", ctypes.c_int(key), nsems, flags)


def msgget(key, flags):
    return call("msgget", ctypes.c_int(key), flags)


REMOVERS = {
    "sysv-shm": lambda i: call("shmctl", i, IPC_RMID, None),
    "sysv-sem": lambda i: call("semctl", i, 0, IPC_RMID),
    "sysv-msg": lambda i: call("msgctl", i, IPC_RMID, None),
}


def exists(kind, ident):
    try:
        {"sysv-shm": shm, "sysv-sem": sem, "sysv-msg": msg}[kind](ident)
        return True
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EIDRM):
            return False
        if error.errno == errno.EACCES:
            return True
        raise


def ftok(path, project):
    """As ftok(3) documents it for glibc and musl."""
    st = os.stat(path)
    return (project & 0xFF) << 24 | (st.st_dev & 0xFF) << 16 | st.st_ino & 0xFFFF


# POSIX message queues (on Linux a queue descriptor is a file descriptor)


def mq_open(name, flags=os.O_RDONLY):
    return call("mq_open", os.fsencode(name), flags)


def mq_exists(name):
    try:
        os.close(mq_open(name))
        return True
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise


def mq(name):
    """Attributes and inode of a queue; opening it disturbs nothing but a notification of ours."""
    fd = mq_open(name)
    try:
        attr = MqAttr()
        call("mq_getattr", fd, ctypes.byref(attr))
        st = os.fstat(fd)
        return {"maxmsg": attr.maxmsg, "msgsize": attr.msgsize, "curmsgs": attr.curmsgs,
                "inode": st.st_ino, "uid": st.st_uid, "gid": st.st_gid, "mode": st.st_mode & 0o7777,
                "atime": int(st.st_atime), "mtime": int(st.st_mtime), "ctime": int(st.st_ctime),
                "times_ns": (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns)}
    finally:
        os.close(fd)


def mq_receive_all(name):
    """Takes every message, first of the highest priority: [(priority, body)]."""
    fd = mq_open(name, os.O_RDWR | os.O_NONBLOCK)
    out = []
    try:
        attr = MqAttr()
        call("mq_getattr", fd, ctypes.byref(attr))
        body, priority = ctypes.create_string_buffer(attr.msgsize), ctypes.c_uint()
        while True:
            try:
                n = call("mq_receive", fd, body, ctypes.c_size_t(attr.msgsize), ctypes.byref(priority))
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return out
                raise
            out.append((priority.value, body.raw[:n]))
    finally:
        os.close(fd)


# Files


def files(directory=b"/dev/shm", prefix=b""):
    """Every entry below a directory: bytes path relative to it -> lstat. Moves no
    access time where the caller owns the directories."""
    out = {}
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
    try:
        names = [os.fsencode(name) for name in os.listdir(fd)]
    finally:
        os.close(fd)
    for name in names:
        path = directory + b"/" + name
        out[prefix + name] = st = os.lstat(path)
        if stat.S_ISDIR(st.st_mode):
            out.update(files(path, prefix + name + b"/"))
    return out


def mount_device(path):
    """MAJ:MIN of the file system that a file lies on, as mountinfo and maps show it: on some
    (btrfs, overlay) st_dev is another."""
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as f:
            ident = next(line.split()[1] for line in f if line.startswith("mnt_id:"))
    finally:
        os.close(fd)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as f:
        return next(line.split()[2] for line in f if line.split()[0] == ident)


# /proc


def sysvipc(which):
    """Rows of /proc/sysvipc/WHICH as {column: number}; perms is octal."""
    with open(f"/proc/sysvipc/{which}", encoding="ascii") as f:
        head, *rows = f.read().splitlines()
    names = head.split()
    out = []
    for row in rows:
        values = dict(zip(names, row.split()))
        out.append({name: int(v, 8) if name == "perms" else int(v) for name, v in values.items()})
    return out


def sysctl(name):
    with open("/proc/sys/" + name, encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


def command(pid):
    with open(f"/proc/{pid}/comm", "rb") as f:
        return f.read().removesuffix(b"\n")


def blocked_in_open(pids):
    """Those of the processes that sleep in open(2) or openat(2), by /proc/PID/wchan and stat."""
    out = []
    for pid in pids:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as f:
            if f.read() == "wait_for_partner" and process_state(pid) == "S":
                out.append(pid)
    return out


def process_state(pid):
    """The letter of proc(5): R, S, D, Z, T ..."""
    with open(f"/proc/{pid}/stat", "rb") as f:
        return f.read().rsplit(b")", 1)[1].split()[0].decode()


def pending_signals(pid):
    """Signals that wait for the process, as bits (proc(5): ShdPnd)."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
        return next(int(line.split()[1], 16) for line in f if line.startswith("ShdPnd:"))


def processes_may_hide():
    """Whether this is not the first PID namespace: outside of it anybody may hold anything."""
    return os.readlink("/proc/self/ns/pid") != "pid:[4026531836]"
