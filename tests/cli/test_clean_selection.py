# SPDX-License-Identifier: MIT
"""Which of what was left behind `clean` takes: by age, owner, name, number; and what it may."""

import resource
import socket
import time

import kernel
import pytest
from cleaning import MAKERS, NOBODY_ELSE, NOW, attach, dies, left_behind, lives, next_second, plan, segment, there
from program import NOBODY, become, drop_capabilities, unescape


def segments(n, uid=None):
    """References of so many orphans."""
    return [left_behind("sysv-shm", uid) for _ in range(n)]


def take(ipcctl, refs, *words, **options):
    """Carries it out; which of them are gone by the kernel's word. The plan must have said the same."""
    planned = {ref for ref, row in plan(ipcctl, *words, **options).items() if row["action"] == "remove"}
    result = ipcctl("clean", "--remove", "--yes", *NOW, *words, **options)
    gone = {ref for ref in refs if not there(ref)}
    assert planned == gone == {line.removeprefix("removed ") for line in result.lines}, result
    return gone


# Age


def test_a_minute_if_nothing_is_said(ipcctl):
    """What was made a moment ago may not be in use yet."""
    ref, = segments(1)
    for words in [], ["--older-than", "1m"], ["--older-than", "1h"], ["--idle", "--stale"]:
        row = ipcctl.json("clean", "-v", *words)["candidates"][0]
        assert (row["state"], row["action"]) == ("orphaned", "spare") and "--older-than" in row["why"], row
        result = ipcctl("clean", "--remove", "--yes", *words)
        assert there(ref) and result.errors[-1] == "ipcctl: nothing removed"
    assert take(ipcctl, [ref]) == {ref}


def newest(ref):
    ds = kernel.shm(int(ref.split(":")[1]))
    return max(ds["ctime"], ds["atime"], ds["dtime"])


def test_older(ipcctl):
    """By the newest of the time stamps: a detachment counts as the making does."""
    old, used = segments(2)
    next_second(time.time())
    dies(lambda: attach(int(used.split(":")[1])))
    new, = segments(1)
    stamps = {ref: newest(ref) for ref in (old, used, new)}
    assert stamps[old] + 1 <= stamps[used] <= stamps[new]
    before = int(time.time())
    rows = plan(ipcctl, age="1s")
    after = int(time.time())
    for ref, stamp in stamps.items():
        assert before - stamp <= rows[ref]["age"] <= after - stamp
        assert (rows[ref]["action"] == "remove") is (rows[ref]["age"] >= 1)
    ipcctl("clean", "--remove", "--yes", "--older-than", "1")
    assert not there(old)
    # On a slow machine the others have become old enough, too.
    assert all(there(ref) or time.time() - stamps[ref] >= 1 for ref in (used, new))


# What it is


@pytest.mark.real_root
def test_user(ipcctl):
    mine, others = segments(2), segments(2, NOBODY_ELSE)
    refs = [*mine, *others]
    assert take(ipcctl, refs, "--user", "0", "--max", "1") == {mine[0]}
    assert take(ipcctl, refs[1:], "-u", str(NOBODY_ELSE)) == set(others)
    assert there(mine[1])
    assert take(ipcctl, mine[1:], "--user", "root") == {mine[1]}


def files(*names):
    for name in names:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f"/dev/shm/{name}")
    return [f"unix-socket:/dev/shm/{name}" for name in names]


PATH = ["unix-socket", "--path", "/dev/shm"]


@pytest.mark.parametrize("glob, expected", [
    ("/dev/shm/a*", {"a1", "a2"}), ("dev/shm/a*", {"a1", "a2"}), ("*/b", {"b"}), ("b", set()), ("a1", set()),
    ("*[12]", {"a1", "a2"}), ("*", {"a1", "a2", "b", "[x]"}), ("*/\\[x\\]", {"[x]"}), ("*/[x]", set()), ("", set())])
def test_name(ipcctl, lookups, glob, expected):
    refs = files("a1", "a2", "b", "[x]")
    assert take(ipcctl, refs, *PATH, "--name", glob) == {f"unix-socket:/dev/shm/{name}" for name in expected}


def test_name_of_those_without(ipcctl):
    """What stands behind the kind: not the kind itself."""
    first, second = segments(2)
    assert take(ipcctl, [first, second], "--name", "sysv-shm*") == set()
    assert take(ipcctl, [first, second], "--name", second.split(":")[1]) == {second}


@pytest.mark.parametrize("words, chosen", [
    (["-f", "size>=8192"], [1, 2]), (["-f", "size=8192"], [1]), (["-f", "size>4K", "-f", "size<3M"], [1]),
    (["-f", "state=idle"], []), (["-f", "nattch=0", "-f", "cpid!=1"], [0, 1, 2]),
    (["-f", "state=orphaned"], [0, 1, 2])], ids=lambda v: "_".join(v) if v and isinstance(v[0], str) else None)
def test_filter(ipcctl, words, chosen):
    """Fields of the objects themselves."""
    refs = [f"sysv-shm:{dies(lambda size=size: segment(size))[1]}" for size in (4096, 8192, 4 << 20)]
    with lives(segment):
        assert take(ipcctl, refs, "sysv-shm", *words) == {refs[i] for i in chosen}


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_max(ipcctl, most):
    """The spared do not count."""
    refs = segments(3)
    with lives(segment):
        assert take(ipcctl, refs, "--max", str(most)) == set(refs[:most])
        rows = plan(ipcctl, "--max", "1")
        left = [rows[ref] for ref in refs[most:]]
        assert [row["action"] for row in left] == ["remove", "spare", "spare"][:len(left)]
        assert all("--max" in row["why"] for row in left[1:])


def test_kinds(ipcctl, factory):
    """Only those that are named, by their names or letters; all persistent ones else."""
    held = [factory(kind, hold=True) for kind in MAKERS]
    names = [f"{kind}:{truth['id']}" for kind, truth in zip(MAKERS, held)]
    for words, kinds in ([], set(MAKERS)), (["-m"], {"sysv-shm"}), (["sysv-sem"], {"sysv-sem"}), \
            (["-s", "-q"], {"sysv-sem", "sysv-msg"}), (["-m", "sysv-msg"], {"sysv-shm", "sysv-msg"}):
        assert plan(ipcctl, *words).keys() == {name for name in names if name.split(":")[0] in kinds}


def test_files_take_a_path(ipcctl, lookups):
    """Without --path no directory is looked through; with it and no kind everything is."""
    ref, = files("s")
    segment_ref, = segments(1)
    assert take(ipcctl, [ref, segment_ref], "unix-socket") == set()
    assert take(ipcctl, [ref], "fifo", "--path", "/dev/shm") == set()
    assert take(ipcctl, [ref, segment_ref], "--path", "/dev/shm") == {ref, segment_ref}


def test_names_that_are_made_to_deceive(ipcctl, lookups):
    """Nothing that would move the cursor comes out; the file goes."""
    name = "a\n\x1b[2J\u202eb"
    ref, = files(name)
    result = ipcctl("clean", "-v", *NOW, *PATH)
    assert any("\\n" in line for line in result.lines)
    result = ipcctl("clean", "--remove", "--yes", *NOW, *PATH)
    assert not there(ref) and unescape(result.lines[0]) == f"removed {ref}".encode()


# Who may


@pytest.mark.real_root
def test_only_what_the_user_may_remove(ipcctl):
    """And what would help to do more is said."""
    own, others = segments(1, NOBODY), segments(2)
    assert take(ipcctl, own + others, drop=become(NOBODY)) == set(own)
    result = ipcctl("clean", "--remove", "--yes", *NOW, drop=become(NOBODY))
    assert all(there(ref) for ref in others)
    assert result.errors[-1] == ("ipcctl: nothing removed; 2 spared for want of proof or rights; more rights could "
                                 "tell: CAP_LEASE, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN")
    rows = plan(ipcctl, drop=become(NOBODY))
    assert {(rows[ref]["action"], rows[ref]["why"]) for ref in others} == {("spare", "only its owner may remove it")}


@pytest.mark.real_root
def test_made_or_owned(ipcctl, factory):
    """Both may remove it (svipc(7)), who has neither may not."""
    given = f"sysv-shm:{factory('sysv-shm', uid=NOBODY)['id']}"
    assert take(ipcctl, [given], drop=become(NOBODY_ELSE)) == set()
    assert take(ipcctl, [given], drop=become(NOBODY)) == {given}
    kept = f"sysv-shm:{factory('sysv-shm', uid=NOBODY)['id']}"
    assert take(ipcctl, [kept], drop=drop_capabilities) == {kept}


# When something is missing


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["text", "json"])
def test_what_is_not_there_is_said(ipcctl, lookups, words):
    """The rest is done."""
    ref, = files("s")
    result = ipcctl("clean", "--remove", "--yes", *words, *NOW, *PATH, "--path", "/dev/shm/none", status=1)
    assert not there(ref) and any("/dev/shm/none" in line for line in result.errors), result


def test_strict(ipcctl):
    """Who may be out of sight is reason enough to fail, not to leave what is proved."""
    if not kernel.processes_may_hide():
        pytest.skip("this is the first PID namespace")
    ref, = segments(1)
    ipcctl("clean", "--strict", *NOW, status=1)
    ipcctl("clean", "--remove", "--yes", "--strict", *NOW, status=1)
    assert not there(ref)


@pytest.mark.parametrize("files_open", range(4, 13))
def test_too_few_descriptors(ipcctl, factory, files_open):
    """What cannot be read is no proof: only what is proved goes, or nothing."""
    if ipcctl.slow:
        pytest.skip("the wrapper needs some itself")
    idle = factory("sysv-shm", hold=True)
    used = factory("sysv-shm", hold=True, attach=1)
    waits = factory("sysv-sem", hold=True, nsems=1, block="0:-1")
    orphan, = segments(1)

    def starve():
        resource.setrlimit(resource.RLIMIT_NOFILE, (files_open, files_open))

    shown = ipcctl("clean", "-v", *NOW, "--json", status=None, drop=starve)
    assert shown.out or (shown.status == 1 and shown.err), shown
    states = {row["ref"]: row["state"] for row in shown.json()["candidates"]} if shown.out else {}
    assert states.get(f"sysv-shm:{idle['id']}", "unknown") in ("idle", "unknown")
    result = ipcctl("clean", "--remove", "--yes", "--stale", *NOW, status=None, drop=starve)
    assert kernel.exists("sysv-shm", idle["id"]) and kernel.exists("sysv-sem", waits["id"])
    assert kernel.shm(used["id"])["nattch"] == 1 and not kernel.shm(used["id"])["flags"] & kernel.SHM_DEST
    assert result.status in (0, 1, 2) and (f"removed {orphan}" in result.lines) is not there(orphan)
    # Where something could not be read, that is said.
    assert result.status == 1 or not there(orphan), result


@pytest.mark.parametrize("amount", [3, 4, 6, 8, 12, 16, 24])
def test_too_little_memory(ipcctl, factory, amount):
    if ipcctl.slow or "asan" in ipcctl.path or "tsan" in ipcctl.path:
        pytest.skip("the wrapper needs some itself")
    idle = factory("sysv-shm", hold=True)
    used = factory("sysv-shm", hold=True, attach=1)
    segments(1)

    def starve():
        resource.setrlimit(resource.RLIMIT_AS, (amount << 20, amount << 20))

    result = ipcctl("clean", "--remove", "--yes", "--stale", *NOW, status=None, drop=starve)
    assert result.status in (0, 1, 2, 127), result
    assert kernel.exists("sysv-shm", idle["id"])
    assert kernel.shm(used["id"])["nattch"] == 1 and not kernel.shm(used["id"])["flags"] & kernel.SHM_DEST
