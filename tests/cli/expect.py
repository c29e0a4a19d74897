# SPDX-License-Identifier: MIT
"""What a JSON object must be, made from the kernel's answers alone."""

import grp
import os
import pwd
import stat

import kernel

FILE_TYPES = {
    stat.S_IFREG: "regular", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket", stat.S_IFCHR: "character-device", stat.S_IFBLK: "block-device",
}


def user(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group(gid):
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _owner(uid, gid, mode):
    return {"uid": uid, "gid": gid, "owner": user(uid), "group": group(gid), "mode": f"0{mode:03o}"}


def _pid(out, field, pid):
    """A process number and its command; 0 is nobody."""
    if pid == 0:
        return
    out[field] = pid
    try:
        out[field + "_command"] = kernel.command(pid).decode()
    except FileNotFoundError:
        pass


def _times(out, answer, *names):
    """Times; 0 means never and is left out."""
    out.update({name: answer[name] for name in names if answer[name] != 0})


def _sysv(kind, answer):
    return {"kind": kind, "ref": f"{kind}:{answer['id']}", "id": answer["id"], "key": f"0x{answer['key']:08x}",
            **_owner(answer["uid"], answer["gid"], answer["mode"]),
            "cuid": answer["cuid"], "cgid": answer["cgid"],
            "creator": user(answer["cuid"]), "creator_group": group(answer["cgid"])}


def sysv_shm(shmid):
    answer = kernel.shm(shmid)
    row = next(r for r in kernel.sysvipc("shm") if r["shmid"] == shmid)
    out = _sysv("sysv-shm", answer)
    out.update(size=answer["size"], nattch=answer["nattch"], rss=row["rss"], swap=row["swap"],
               dest=bool(answer["flags"] & kernel.SHM_DEST), locked=bool(answer["flags"] & kernel.SHM_LOCKED))
    _pid(out, "cpid", answer["cpid"])
    _pid(out, "lpid", answer["lpid"])
    _times(out, answer, "atime", "dtime", "ctime")
    return out


def sysv_sem(semid):
    answer = kernel.sem(semid)
    out = _sysv("sysv-sem", answer)
    out["nsems"] = answer["nsems"]
    _times(out, answer, "otime", "ctime")
    return out


def semaphores(semid):
    rows = []
    for row in kernel.sem_each(semid):
        pid = row.pop("pid")
        _pid(row, "pid", pid)
        rows.append(row)
    return rows


def sysv_msg(msqid):
    answer = kernel.msg(msqid)
    out = _sysv("sysv-msg", answer)
    out.update(bytes=answer["bytes"], messages=answer["messages"], qbytes=answer["qbytes"])
    _pid(out, "lspid", answer["lspid"])
    _pid(out, "lrpid", answer["lrpid"])
    _times(out, answer, "stime", "rtime", "ctime")
    return out


def _file(st):
    return {**_owner(st.st_uid, st.st_gid, st.st_mode & 0o7777), "type": FILE_TYPES[stat.S_IFMT(st.st_mode)],
            "size": st.st_size, "allocated": st.st_blocks * 512, "links": st.st_nlink, "inode": st.st_ino,
            "atime": int(st.st_atime), "mtime": int(st.st_mtime), "ctime": int(st.st_ctime)}


def posix_shm(name):
    """name: path below /dev/shm, plain ASCII."""
    return {"kind": "posix-shm", "ref": f"posix-shm:/{name}", "name": f"/{name}",
            **_file(os.lstat(f"/dev/shm/{name}"))}


def posix_sem(name, file=None):
    """name as in the reference, file as in /dev/shm."""
    return {"kind": "posix-sem", "ref": f"posix-sem:{name}", "name": name.removeprefix("musl:"),
            **_file(os.lstat(f"/dev/shm/{file or 'sem.' + name[1:]}"))}


def posix_mq(name):
    answer = kernel.mq(name)
    return {"kind": "posix-mq", "ref": f"posix-mq:{name}", "name": name,
            **_owner(answer["uid"], answer["gid"], answer["mode"]),
            **{f: answer[f] for f in ("maxmsg", "msgsize", "curmsgs", "inode", "atime", "mtime", "ctime")}}


def matches(got, expected, *absent):
    """Every expected field has its value, of the same type, and none of absent is there."""
    wrong = {name: (got.get(name, "(absent)"), value) for name, value in expected.items()
             if name not in got or got[name] != value or type(got[name]) is not type(value)}
    assert not wrong, f"(got, expected): {wrong}"
    surplus = [name for name in absent if name in got]
    assert not surplus, f"{surplus} in {got}"
