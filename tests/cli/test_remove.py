# SPDX-License-Identifier: MIT
"""remove: exactly what was named, and nothing that was not."""

import os
import pty
import subprocess

import kernel
import pytest
from program import ENVIRONMENT, MISSING, become


def things(factory):
    """One of each kind; reference -> whether it is still there."""
    out = {}
    for kind in ("sysv-shm", "sysv-sem", "sysv-msg"):
        truth = factory(kind)
        out[f"{kind}:{truth['id']}"] = lambda k=kind, i=truth["id"]: kernel.exists(k, i)
    factory("posix-shm", name="/a")
    out["posix-shm:/a"] = lambda: os.path.lexists("/dev/shm/a")
    factory("posix-sem", name="/a")
    out["posix-sem:/a"] = lambda: os.path.lexists("/dev/shm/sem.a")
    factory("posix-sem-file", path="/dev/shm/m", layout="musl-64", value=1)
    out["posix-sem:musl:/m"] = lambda: os.path.lexists("/dev/shm/m")
    factory("posix-mq", name="/a")
    out["posix-mq:/a"] = lambda: kernel.mq_exists("/a")
    return out


def test_each_alone(ipcctl, factory):
    there = things(factory)
    for ref in list(there):
        ipcctl("remove", ref)
        assert not there.pop(ref)()
        assert all(exists() for exists in there.values())
        result = ipcctl("remove", ref, status=1)
        assert len(result.errors) == 1 and ref in result.errors[0], result


def test_several_and_the_rest_is_done(ipcctl, factory):
    there = things(factory)
    refs = list(there)
    result = ipcctl("remove", refs[0], "posix-shm:/nope", refs[1], "sysv-sem:4711", *refs[2:], status=1)
    assert len(result.errors) == 2
    assert MISSING.fullmatch(result.errors[0]).group(1) == "remove posix-shm:/nope"
    assert MISSING.fullmatch(result.errors[1]).group(1) == "remove sysv-sem:4711"
    assert not any(exists() for exists in there.values())


def test_a_word_that_is_no_reference_stops_everything(ipcctl, factory):
    """Wrong usage: nothing is done by halves."""
    there = things(factory)
    for wrong in ("nonsense", "sysv-shm:x", "sysv-shm:", "sysv-shmm:1", "posix-shm:/", "posix-mq:/a/b",
                  "sysv-shm:-1", "sysv-shm:99999999999", "sysv-shm:key=0x", "sysv-shm:key=x", ":", "posix-shm"):
        ipcctl.refuses("remove", *there, wrong)
        ipcctl.refuses("remove", wrong, *there)
        assert all(exists() for exists in there.values()), wrong


def test_missing_ok(ipcctl, factory):
    there = things(factory)
    ipcctl("remove", "--missing-ok", "posix-shm:/nope", "sysv-shm:4711", "posix-mq:/nope", "sysv-sem:key=0x5",
           *there)
    assert not any(exists() for exists in there.values())


def test_dry_run(ipcctl, factory):
    there = things(factory)
    result = ipcctl("remove", "--dry-run", *there)
    assert all(exists() for exists in there.values())
    said = result.text + result.err.decode()
    for ref in there:
        assert ref in said
    ipcctl("remove", "-n", "posix-shm:/nope", status=1)


def test_ipcrm_habits(ipcctl, factory):
    made = {}
    for letter, kind in ("m", "sysv-shm"), ("q", "sysv-msg"), ("s", "sysv-sem"):
        made[letter] = [factory(kind)["id"], factory(kind, key=0x1234)["id"], factory(kind, key=0xC0FFEE01)["id"]]
    ipcctl("remove", "-m", str(made["m"][0]), "-q", str(made["q"][0]), f"-s{made['s'][0]}")
    ipcctl("remove", "-M", "0x1234", "-Q", "4660", "-S0x1234")
    kinds = {"m": "sysv-shm", "q": "sysv-msg", "s": "sysv-sem"}
    for letter, (a, b, c) in made.items():
        assert [kernel.exists(kinds[letter], i) for i in (a, b, c)] == [False, False, True]
    ipcctl("remove", "-M", "0xc0ffee01")
    assert not kernel.exists("sysv-shm", made["m"][2])
    for wrong in (["-m"], ["-m", "x"], ["-M", "0x"], ["-m", "-1"], ["-M", "4294967296"]):
        ipcctl.refuses("remove", *wrong)


def test_key_zero_is_not_a_key(ipcctl, factory):
    """Private objects all have key 0: it means none of them."""
    truth = factory("sysv-shm"), factory("sysv-shm")
    for words in (["sysv-shm:key=0"], ["-M", "0"]):
        result = ipcctl("remove", *words, status=None)
        assert result.status in (1, 2) and result.errors
    assert all(kernel.exists("sysv-shm", t["id"]) for t in truth)


def test_nothing_named(ipcctl):
    ipcctl.refuses("remove")


def test_attached_segment(ipcctl, factory):
    truth = factory("sysv-shm", hold=True, attach=2, key=0x55)
    result = ipcctl("remove", f"sysv-shm:{truth['id']}")
    said = result.text + result.err.decode()
    assert "marked for destruction" in said and "2 attached" in said
    assert kernel.shm(truth["id"])["flags"] & kernel.SHM_DEST
    truth["let_go"]()
    assert not kernel.exists("sysv-shm", truth["id"])


def test_waiters_wake(ipcctl, factory):
    truth = factory("sysv-sem", hold=True, nsems=2, block="0:-1,0:-2,1:-1")
    result = ipcctl("remove", f"sysv-sem:{truth['id']}")
    assert "3" in result.text + result.err.decode()
    assert not kernel.exists("sysv-sem", truth["id"])


def test_lost_messages_are_said(ipcctl, factory):
    truth = factory("sysv-msg", messages="1:1,1:1,1:1,1:1")
    factory("posix-mq", name="/q", messages="1:1,1:1")
    said = ipcctl("remove", f"sysv-msg:{truth['id']}", "posix-mq:/q")
    text = (said.text + said.err.decode()).splitlines()
    assert any("4 messages" in line for line in text) and any("2 messages" in line for line in text), said


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory", "character-device", "socket"])
def test_planted_things_are_not_removed(ipcctl, factory, kind, tmp_path):
    target = tmp_path / "precious"
    target.write_text("x")
    extra = {"target": str(target)} if kind == "symlink" else {}
    factory("file", name="/dev/shm/x", type=kind, **extra)
    ipcctl("remove", "posix-shm:/x", status=1, timeout=20)
    assert os.path.lexists("/dev/shm/x") and target.exists()
    factory("file", name="/dev/shm/sem.x", type=kind, **extra)
    ipcctl("remove", "posix-sem:/x", status=1, timeout=20)
    assert os.path.lexists("/dev/shm/sem.x") and target.exists()


def test_no_way_out_of_dev_shm(ipcctl, factory, tmp_path):
    """No name and no link leads to a file elsewhere."""
    precious = tmp_path / "precious"
    precious.write_text("x")
    factory("file", name="/dev/shm/out", type="symlink", target=str(tmp_path))
    for name in ("/../.." + str(precious), "/out/precious", "//../x", "/./out/precious", "/out/../out/precious",
                 str(precious)):
        for kind in "posix-shm", "posix-sem", "posix-mq":
            for command in "remove", "describe":
                result = ipcctl(command, f"{kind}:{name}", status=None)
                assert result.status in (1, 2), result
                assert result.out == b""
    assert precious.exists()


def test_nested(ipcctl, factory):
    factory("file", name="/dev/shm/d", type="directory", mode="0755")
    factory("file", name="/dev/shm/d/x", size=1)
    ipcctl("remove", "posix-shm:/d/x")
    assert os.listdir("/dev/shm/d") == []


def test_holders_keep_what_they_have(ipcctl, factory):
    factory("posix-shm", name="/x", map=1, hold=True)
    factory("posix-mq", name="/q", hold=True)
    ipcctl("remove", "posix-shm:/x", "posix-mq:/q")
    assert not os.path.lexists("/dev/shm/x") and not kernel.mq_exists("/q")


def test_all_asks(ipcctl, factory):
    """Without a terminal and without --yes nothing goes."""
    there = things(factory)
    ipcctl.refuses("remove", "--all", "persistent", words=["--yes"], status=None)
    assert all(exists() for exists in there.values())
    ipcctl("remove", "--all", "sysv", "--yes")
    assert [exists() for exists in there.values()] == [False] * 3 + [True] * 4
    # What only looks like a musl semaphore may be a segment: it takes its own name.
    result = ipcctl("remove", "--all", "-y", "posix-sem", "posix-mq")
    assert [ref for ref, exists in there.items() if exists()] == ["posix-shm:/a", "posix-sem:musl:/m"]
    assert any("posix-sem:musl:/m" in line for line in result.errors), result
    ipcctl("remove", "--all", "--yes", "posix-sem")
    ipcctl.refuses("remove", "--all", "--yes")


@pytest.mark.parametrize("answer, gone", [(b"y\n", True), (b"yes\n", True), (b"n\n", False), (b"\n", False),
                                          (b"\x04", False), (b"no\n", False)])
def test_all_on_a_terminal(ipcctl, factory, answer, gone):
    factory("posix-shm", name="/a")
    factory("posix-shm", name="/b")
    master, slave = pty.openpty()
    process = subprocess.Popen(ipcctl.command("remove", "--all", "posix-shm"), stdin=slave, stdout=slave,
                               stderr=slave, env=ENVIRONMENT, start_new_session=True)
    os.close(slave)
    os.write(master, answer)
    said = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        said += data
    status = process.wait(timeout=60)
    os.close(master)
    assert status == 0 if gone else status in (0, 1), said
    assert (kernel.files() == {}) is gone
    assert b"2" in said


@pytest.mark.real_root
def test_not_permitted(ipcctl, factory, mqueue_mounted):
    """Others' objects in a sticky directory and others' System V objects: refused, said, left."""
    there = things(factory)
    result = ipcctl("remove", *there, status=1, drop=become(65534))
    assert all(exists() for exists in there.values())
    assert len([line for line in result.errors if line.startswith("ipcctl: remove ")]) == len(there)
    for ref in there:
        line = next(line for line in result.errors if line.startswith(f"ipcctl: remove {ref}: "))
        assert "Operation not permitted" in line or "Permission denied" in line
    line = next(line for line in result.errors if "posix-shm:/a" in line)
    assert line == "ipcctl: remove posix-shm:/a: Operation not permitted (owner root, sticky directory)"


def test_verbose_and_quiet(ipcctl, factory):
    for words, expected in ([], None), (["--quiet"], b""):
        factory("posix-shm", name="/a")
        result = ipcctl("remove", "posix-shm:/a", *words)
        if expected is not None:
            assert result.out + result.err == expected


def test_twice_in_one_request(ipcctl, factory):
    """The second time it is gone: that is said, once."""
    factory("posix-shm", name="/a")
    result = ipcctl("remove", "posix-shm:/a", "posix-shm:/a", status=None)
    assert not os.path.lexists("/dev/shm/a")
    assert result.status in (0, 1) and len(result.errors) <= 1 + (result.status == 0)
