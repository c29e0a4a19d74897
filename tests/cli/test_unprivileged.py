# SPDX-License-Identifier: MIT
"""What permission hides is unknown: `?`, null, a warning, "complete": false; exit 0, and 1 with --strict."""

import os
import resource

import kernel
import pytest
from program import become, drop_capabilities

# Without capabilities an object of mode 0 cannot even be read by its owner.
POWERLESS = dict(drop=drop_capabilities)


def hidden(ipcctl, *words, fields, **options):
    """The document of something partly unreadable, in every format."""
    document = ipcctl.json(*words, "--no-holders", **options)
    assert document["complete"] is False
    assert document["warnings"]
    o = document["objects"][0]
    for field in fields:
        assert o[field] is None, (field, o)
    strict = ipcctl(*words, "--no-holders", "--strict", "--json", status=1, **options)
    assert strict.json()["objects"][0].keys() == o.keys()
    return o


def test_semaphores(ipcctl, factory):
    truth = factory("sysv-sem", nsems=2, values="1,2", mode="0")
    ref = f"sysv-sem:{truth['id']}"
    o = hidden(ipcctl, "describe", ref, fields=["semaphores", "waiters"], **POWERLESS)
    assert o["nsems"] == 2 and o["mode"] == "0000"
    assert "?" in ipcctl("describe", ref, **POWERLESS).text
    row = ipcctl("list", "sysv-sem", "-r", "-o", "id,waiters", **POWERLESS).table()[0]
    assert row == {"id": str(truth["id"]), "waiters": "?"}


def test_messages(ipcctl, factory):
    truth = factory("sysv-msg", messages="1:5", mode="0")
    o = hidden(ipcctl, "describe", f"sysv-msg:{truth['id']}", "--content", fields=["content"], **POWERLESS)
    assert (o["messages"], o["bytes"], o["qbytes"]) == (1, 5, kernel.sysctl("kernel/msgmnb")[0])


def test_segment_tables_hide_nothing(ipcctl, factory):
    truth = factory("sysv-shm", mode="0", size=777)
    document = ipcctl.json("list", "sysv-shm", "--no-holders", **POWERLESS)
    assert document["complete"] is True
    assert document["objects"][0]["size"] == 777 and document["objects"][0]["id"] == truth["id"]


def test_semaphore_file(ipcctl, factory):
    factory("posix-sem", name="/s", value=3, mode="0")
    hidden(ipcctl, "list", "posix-sem", fields=["value", "waiters", "layout"], **POWERLESS)


def test_segment_content(ipcctl, factory):
    factory("posix-shm", name="/x", size=10, mode="0")
    hidden(ipcctl, "describe", "posix-shm:/x", "--content", fields=["content"], **POWERLESS)


def test_directory(ipcctl, factory):
    factory("file", name="/dev/shm/d", type="directory", mode="0755")
    factory("file", name="/dev/shm/d/inner")
    os.chmod("/dev/shm/d", 0)
    document = ipcctl.json("list", "posix-shm", "--no-holders", **POWERLESS)
    assert [o["ref"] for o in document["objects"]] == ["posix-shm:/d"]
    assert document["complete"] is False and "/d" in str(document["warnings"])
    ipcctl("list", "posix-shm", "--no-holders", "--strict", status=1, **POWERLESS)
    os.chmod("/dev/shm/d", 0o755)


@pytest.mark.parametrize("kind", ["fifo", "unix-socket", "file-mapping", "flock", "record-lock", "futex:file-mapping"])
def test_a_path_that_cannot_be_followed(ipcctl, tmp_path, kind):
    """What is behind it is not known: it is not said to be missing, nor taken to be gone already."""
    shut = tmp_path / "shut"
    shut.mkdir()
    (shut / "x").touch()
    shut.chmod(0)
    ref = f"{kind}:{shut}/x" + ("+0" if kind.startswith("futex") else "")
    result = ipcctl("describe", ref, "--json", status=1, **POWERLESS)
    assert result.errors[0] == f"ipcctl: describe {ref}: Permission denied", result
    assert not result.out or result.json()["complete"] is False
    result = ipcctl("remove", "--missing-ok", ref, status=1, **POWERLESS)
    assert f"ipcctl: remove {ref}: Permission denied" in result.errors, result
    gone = ref.replace("/x", "/x/y").replace("/shut/", "/none/")
    result = ipcctl("describe", gone, status=1, **POWERLESS)
    assert any(line.startswith(f"ipcctl: describe {gone}: not found") for line in result.errors), result


def test_queues_without_a_mount(ipcctl, factory, mqueue_unmounted):
    """No mount and no right to make one: whether there are queues is not known."""
    factory("posix-mq", name="/q")
    document = ipcctl.json("list", "posix-mq", "--no-holders", **POWERLESS)
    assert document["objects"] == [] and document["complete"] is False
    assert "posix-mq" in str(document["warnings"]) or "mqueue" in str(document["warnings"])
    assert ipcctl("list", "posix-mq", "--no-holders", "--strict", status=1, **POWERLESS).errors
    # What was asked for by name and cannot be looked for is not "not there".
    result = ipcctl("describe", "posix-mq:/q", status=1, **POWERLESS)
    assert "No such file" not in result.errors[0], result


def test_queues_with_a_mount(ipcctl, factory, mqueue_mounted):
    factory("posix-mq", name="/open", maxmsg=3)
    factory("posix-mq", name="/shut", mode="0")
    document = ipcctl.json("list", "posix-mq", "--no-holders", **POWERLESS)
    got = {o["name"]: o for o in document["objects"]}
    assert got["/open"]["maxmsg"] == 3
    assert got["/shut"]["maxmsg"] is None and got["/shut"]["curmsgs"] is None
    assert got["/shut"]["mode"] == "0000"
    assert document["complete"] is False and document["warnings"]


def test_a_source_that_is_not_there(ipcctl, tmp_path):
    """A proc file system without the tables, as with subset=pid: said, not taken for empty."""
    (tmp_path / "self").mkdir()
    (tmp_path / "sysvipc").mkdir()
    result = ipcctl("list", "sysv", "--no-holders", "--json", f"--procfs={tmp_path}")
    assert result.json()["complete"] is False and result.json()["warnings"]
    ipcctl("list", "sysv", "--no-holders", "--strict", f"--procfs={tmp_path}", status=1)


def test_warnings_are_remarks_on_standard_error(ipcctl, factory):
    """In text formats the reasons stand on standard error; --quiet leaves them out."""
    factory("posix-sem", name="/s", mode="0")
    for words in ([], ["--raw"]):
        result = ipcctl("list", "posix-sem", *words, **POWERLESS)
        assert "?" in result.text and len(result.errors) >= 1
        assert ipcctl("list", "posix-sem", *words, "--quiet", **POWERLESS).err == b""
    # In JSON they are in the document alone.
    assert ipcctl("list", "posix-sem", "--json", **POWERLESS).err == b""


def test_thousand_causes_are_one_warning(ipcctl, factory):
    for i in range(1000):
        fd = os.open(f"/dev/shm/sem.{i}", os.O_CREAT | os.O_WRONLY, 0)
        os.write(fd, b"\1" + b"\0" * 31)
        os.close(fd)
    document = ipcctl.json("list", "posix-sem", "--no-holders", **POWERLESS)
    assert len(document["objects"]) == 1000
    assert len(document["warnings"]) <= 5
    assert "1000" in str(document["warnings"])


@pytest.mark.real_root
def test_another_users_objects(ipcctl, factory):
    """As uid 65534 beside root's objects: all rows, exact numbers, unknown where the kernel says no."""
    shm = factory("sysv-shm", hold=True, attach=1, size=999, mode="600")
    sem = factory("sysv-sem", nsems=1, mode="600")
    msg = factory("sysv-msg", messages="1:9", mode="600")
    factory("posix-shm", name="/x", size=55, mode="600")
    nobody = dict(drop=become(65534))
    document = ipcctl.json("list", "sysv", "posix-shm", **nobody)
    got = {o["ref"]: o for o in document["objects"]}
    assert got[f"sysv-shm:{shm['id']}"]["nattch"] == 1
    assert got[f"sysv-shm:{shm['id']}"]["state"] == "in-use"
    assert got[f"sysv-sem:{sem['id']}"]["nsems"] == 1
    assert got[f"sysv-msg:{msg['id']}"]["messages"] == 1
    assert got["posix-shm:/x"]["size"] == 55
    o = hidden(ipcctl, "describe", f"sysv-sem:{sem['id']}", fields=["semaphores", "waiters"], **nobody)
    assert o["uid"] == 0
    hidden(ipcctl, "describe", "posix-shm:/x", "--content", fields=["content"], **nobody)
    hidden(ipcctl, "describe", f"sysv-shm:{shm['id']}", "--content", fields=["content"], **nobody)


def test_no_descriptors_left_is_an_error(ipcctl, factory):
    """Not permission but lack of descriptors: exit 1, and never a list that looks whole."""
    if ipcctl.slow:
        pytest.skip("valgrind itself needs more descriptors")
    factory("posix-sem", name="/s")

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
    result = ipcctl("list", "--json", status=None, drop=few)
    assert result.status == 1, result
    if result.out:
        assert result.json()["complete"] is False
