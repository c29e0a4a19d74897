# SPDX-License-Identifier: MIT
"""clean --remove, and what happens to an object while it asks whether to go on."""

import ctypes
import os
import time

import kernel
from leftovers import Named, asked, wait_for


def test_opened_meanwhile(ipcctl, factory, thing):
    thing.make(factory)
    before = thing.inode()
    with asked(ipcctl, "--idle") as answer:
        fd = thing.open()
    assert answer.status == 1 and f"{thing.ref}: spared, somebody has it open" in answer.said, answer.said
    assert "nothing removed; 1 spared, for they changed" in answer.said
    assert thing.inode() == before
    os.close(fd)


def test_replaced_meanwhile(ipcctl, factory, thing):
    """The same name, another object. The old one is kept, so that its number is not given again."""
    thing.make(factory)
    with asked(ipcctl, "--idle") as answer:
        keep = thing.open()
        thing.unlink()
        thing.make(factory)
        new = thing.inode()
        assert os.fstat(keep).st_ino != new
    assert answer.status == 1 and f"{thing.ref}: spared, another object" in answer.said, answer.said
    assert thing.inode() == new
    os.close(keep)


def test_changed_meanwhile(ipcctl, factory, thing):
    """Somebody has been there, though nobody is now: its times tell, by the second."""
    thing.make(factory)
    before, made = thing.inode(), time.time()
    with asked(ipcctl, "--idle") as answer:
        wait_for(lambda: time.time() > made + 1.1)
        fd = thing.open()
        os.fchmod(fd, 0o640)
        os.close(fd)
    assert answer.status == 1 and f"{thing.ref}: spared, it was changed meanwhile" in answer.said, answer.said
    assert thing.inode() == before


def test_gone_meanwhile(ipcctl, factory, thing):
    thing.make(factory)
    with asked(ipcctl, "--idle") as answer:
        thing.unlink()
    assert answer.status == 0 and "nothing removed" in answer.said and "spared" not in answer.said, answer.said


def test_messages_meanwhile(ipcctl, factory):
    thing = Named("posix-mq").make(factory)
    before = thing.inode()
    with asked(ipcctl, "--idle") as answer:
        fd = thing.open()
        kernel.call("mq_send", fd, b"x", ctypes.c_size_t(1), 0)
        os.close(fd)
    assert answer.status == 1 and "spared, " in answer.said and thing.inode() == before, answer.said


def test_agreed(ipcctl, factory, thing):
    """Nothing happens meanwhile: it goes, whatever else is asked about."""
    thing.make(factory)
    with asked(ipcctl, "--idle") as answer:
        pass
    assert answer.status == 0 and f"removed {thing.ref}" in answer.said and thing.inode() is None
