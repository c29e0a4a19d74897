# SPDX-License-Identifier: MIT
"""A file system in user space that answers until it is told to fall silent: then whoever asks it waits for ever."""

import os
import struct
import threading

import kernel

LOOKUP, FORGET, GETATTR, OPEN, READ, FLUSH, RELEASE, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 25, 18, 26, 36, 42
FILES = {"file": 0o100666, "fifo": 0o010666, "socket": 0o140666}
ROOT, ENOENT, ENOSYS = 1, 2, 38
SIZE = 4096


def attributes(node):
    """struct fuse_attr of include/uapi/linux/fuse.h."""
    mode = 0o40755 if node == ROOT else list(FILES.values())[node - 2]
    return struct.pack("<6Q10I", node, SIZE, 8, 1, 1, 1, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class SilentFs:
    """Mounted at a path, and served by a thread of this process. It falls silent when it is asked for the file
    `silence`. It has files, of which nothing may be remembered; whoever has one open had better not be this
    process, which when it ends would wait for its own answer."""

    def __init__(self, path, silent=False):
        """silent: from the start, but for the greeting."""
        self.fd, self.silent = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC), silent
        kernel.mount("silent", path, "fuse", 0, f"fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other")
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                request = os.read(self.fd, 1 << 18)
            except OSError:
                return
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if self.silent and opcode != INIT or opcode in (FORGET, INTERRUPT, BATCH_FORGET):
                continue
            error, body = self.answer(opcode, node, request[40:])
            os.write(self.fd, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)

    def answer(self, opcode, node, rest):
        if opcode == INIT:
            return 0, struct.pack("<IIIIHHII", 7, 31, 0, 0, 0, 0, SIZE, 0).ljust(64, b"\0")
        if opcode == LOOKUP:
            name = rest.rstrip(b"\0").decode()
            self.silent = name == "silence"
            if name not in FILES:
                return ENOENT, b""
            node = list(FILES).index(name) + 2
            return 0, struct.pack("<4Q2I", node, 0, 0, 0, 0, 0) + attributes(node)
        if opcode == GETATTR:
            return 0, struct.pack("<QII", 0, 0, 0) + attributes(node)
        if opcode == OPEN:
            return 0, struct.pack("<QIi", 0, 0, 0)
        if opcode == READ:
            return 0, bytes(min(SIZE, struct.unpack_from("<QQI", rest)[2]))
        return (0, b"") if opcode in (FLUSH, RELEASE) else (ENOSYS, b"")
