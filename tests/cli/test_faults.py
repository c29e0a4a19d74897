# SPDX-License-Identifier: MIT
"""Memory that runs out at each place where it is asked for: the answer is the whole one, or a failure that says so;
what is told to be done is done, and what is not is left as it was.

Of a command's allocations some fail in turn; with IPCCTL_FAULTS=all in the environment, all of them."""

import os

import pytest
from faulting import LOOKS, Truth, some, words_of
from leftovers import ALL, NOW
from scenes import Small

MOST = 1 << 20 if os.environ.get("IPCCTL_FAULTS") == "all" else 40
MAKES = {"posix-shm": ["/x", "--size=4096"], "posix-sem": ["/x"], "posix-mq": ["/x"], "sysv-shm": ["--size=4096"],
         "sysv-sem": [], "sysv-msg": []}


@pytest.fixture
def library(first, top):
    path = os.path.join(top, os.path.dirname(os.environ.get("FACTORY", "build/tests/factory")), "faults/memory.so")
    with open(first.path, "rb") as f:
        program = f.read()
    if first.wrapper or b"__asan_init" in program or b"__tsan_init" in program:
        pytest.skip("valgrind and the sanitizers have allocators of their own")
    if b"__gcov_init" in program:
        pytest.skip("what counts lines does not bear it when memory runs out")
    if not os.path.exists(path):
        pytest.skip("no library that lets allocations fail")
    return path


@pytest.fixture
def scene(factory, tmp_path):
    made = Small(factory, str(tmp_path / "files"))
    yield made
    made.close()


@pytest.fixture
def one_processor():
    """One thread asks for memory in the same order every time."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(usual)})
    yield
    os.sched_setaffinity(0, usual)


class Starving:
    """The program, with less memory than it asks for."""

    def __init__(self, program, library, directory):
        self.program, self.counted = program, directory / "count"
        self.environment = {"LD_PRELOAD": library, "FAULT_COUNT": str(self.counted)}

    def run(self, words, at=0, on=False):
        """Allocation number `at` fails, and with on all that follow."""
        environment = {**self.environment, "FAULT_AT": str(at), **({"FAULT_ON": "1"} if on else {})}
        return self.program(*words, env=environment, status=None, clean="-0" not in words)

    def faults(self):
        """What to let fail of a command that was run just now."""
        return [(at, on) for at in some(range(1, int(self.counted.read_text()) + 1), MOST) for on in (False, True)]


@pytest.fixture
def starving(first, library, tmp_path, one_processor):
    return Starving(first, library, tmp_path)


@pytest.mark.parametrize("name", LOOKS)
def test_looking(starving, scene, name):
    words = words_of(name, scene)
    before = starving.run(words)
    answers = [starving.run(words, *fault) for fault in starving.faults()]
    truth = Truth(scene, before, starving.run(words))
    for answer in answers:
        if answer.status == 0:
            truth.is_whole(answer)
        else:
            truth.failed(answer)
    assert scene.there() == scene.made
    assert {answer.status for answer in answers} != {0}


def test_cleaning(starving, scene):
    words = ["clean", "--remove", "--yes", *NOW, *ALL]
    usual = starving.run(words)
    going = scene.made - scene.there()
    assert usual.status == 0 and going == {scene.left[ref] for ref in scene.left if not ref.startswith("sysv")}
    for fault in starving.faults():
        scene.leave()
        result = starving.run(words, *fault)
        gone = {ref for ref, name in scene.left.items() if name not in scene.there()}
        assert scene.made - scene.there() <= going, (fault, result)
        assert {line.split()[1] for line in result.lines if line.startswith("removed ")} == gone, (fault, result)
        assert result.status == 1 and result.errors or len(gone) == len(going), (fault, result)


@pytest.mark.parametrize("kind", ["posix-shm", "posix-sem", "posix-mq", "sysv-msg"])
def test_removing(starving, scene, kind):
    words = ["remove", next(ref for ref in scene.left if ref.startswith(kind))]
    assert starving.run(words).status == 0
    for fault in starving.faults():
        scene.leave()
        ref = next(ref for ref in scene.left if ref.startswith(kind))
        result = starving.run(["remove", ref], *fault)
        gone = scene.left[ref] not in scene.there()
        assert scene.made - scene.there() == ({scene.left[ref]} if gone else set())
        assert result.status == 0 and gone or result.status == 1 and result.errors, (fault, result)
        assert (f"removed {ref}" in result.lines) is gone, (fault, result)


@pytest.mark.parametrize("kind", MAKES)
def test_creating(starving, scene, kind):
    words = ["create", kind, *MAKES[kind]]
    ref = starving.run(words).text.strip()
    faults = starving.faults()
    for fault in faults:
        assert starving.program("remove", ref, "--quiet").status == 0 and scene.there() == scene.made
        result = starving.run(words, *fault)
        made = scene.there() - scene.made
        if result.status != 0:
            assert result.status == 1 and result.errors and not made, (fault, result)
            result = starving.run(words)
        ref = result.text.strip()
        assert result.status == 0 and len(scene.there() - scene.made) == 1, (fault, result)
