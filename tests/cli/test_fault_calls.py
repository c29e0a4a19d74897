# SPDX-License-Identifier: MIT
"""Commands, when the kernel refuses one of their system calls: unknown is not none, no verdict is wrong, and what is
said to be made or removed is.

Of calls that are about the like one is refused; with IPCCTL_FAULTS=all in the environment, each, in several ways."""

import errno
import os
import shutil
import subprocess

import pytest
from faulting import ERRORS, LOOKS, WORSE, Truth, calls_in, some, words_of
from program import ENVIRONMENT, Result
from test_faults import MAKES, one_processor, scene  # noqa: F401: fixtures

pytestmark = pytest.mark.real_root
# Who looks for leaks makes calls of its own, and does not bear that they fail.
CALM = {**ENVIRONMENT, "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"] + ":detect_leaks=0"}
FEW = 4 if os.environ.get("IPCCTL_SAMPLE") else 1  # of the calls every so many
MOST = 6  # of the like calls of what makes or removes one thing: they look at it, and then act
ALL = os.environ.get("IPCCTL_FAULTS") == "all"
# What asks the kernel, and in every way; formats have nothing to do with it.
NAMES = ["list", "list-fields", "list-prove", "list-no-holders", "describe", "summary", "limits-json",
         "waits-json", "graph-json", "check", "metrics", "watch"]


class Refused:
    """The program with one system call that fails."""

    def __init__(self, program, helper):
        self.program, self.helper = program, helper

    def run(self, words, *refusal):
        prefix = [self.helper, *map(str, refusal)] if refusal else []
        run = subprocess.run([*prefix, *self.program.command(*words)], capture_output=True, env=CALM)
        result = Result([*words, *refusal], run.returncode, run.stdout, run.stderr)
        self.program.judge(result)
        return result

    def calls(self, words, path):
        subprocess.run(["strace", "-f", "-qq", "-y", "-o", path, *self.program.command(*words)], capture_output=True,
                       env=CALM)
        return calls_in(path, self.program)[0]


@pytest.fixture
def refused(first, top, one_processor):  # noqa: F811
    helper = os.path.join(top, os.path.dirname(os.environ.get("FACTORY", "build/tests/factory")), "faults/calls")
    if first.wrapper or not shutil.which("strace") or not os.path.exists(helper):
        pytest.skip("a wrapper is the one that would be refused, or there is no strace(1)")
    probe = subprocess.run([helper, "write", "1", str(errno.ENOSPC), "echo", "x"], capture_output=True)
    if probe.returncode != 1:
        pytest.skip(f"no calls can be refused here: {probe.stderr.decode(errors='replace').strip()}")
    return Refused(first, helper)


def chosen(found, most=1):
    """Which calls to refuse, and how: of those about the like so many, in one way or the other."""
    for i, ((call, _), numbers) in enumerate(list(found.items())[::FEW]):
        errors = [ERRORS[call], WORSE.get(call, ERRORS[call])]
        for number in numbers if ALL else some(numbers, most):
            for error in set(errors) if ALL else {errors[i % 2]}:
                yield call, number, error, error in ("EMFILE", "ENOMEM")


@pytest.mark.parametrize("name", NAMES)
def test_looking(refused, scene, tmp_path, name):  # noqa: F811
    words = words_of(name, scene)
    before, found, answers = refused.run(words), refused.calls(words, tmp_path / "trace"), []
    assert len(found) > 20
    for call, number, error, hard in chosen(found):
        answers.append((refused.run(words, call, number, getattr(errno, error)), hard))
    truth = Truth(scene, before, refused.run(words))
    for answer, hard in answers:
        truth.is_honest(answer, hard)
    assert scene.there() == scene.made
    assert len({answer.status for answer, _ in answers}) > 1 or FEW > 1


def test_each_question_about_a_set(refused, scene, tmp_path):  # noqa: F811
    """Whichever semaphore it is that does not answer, and whatever it was asked."""
    words = ["list", "sysv-sem", "-o", "+semaphores,waiters", "--json"]
    before, found = refused.run(words), refused.calls(words, tmp_path / "trace")
    numbers = [number for (call, _), numbers in found.items() if call == "semctl" for number in numbers]
    assert len(numbers) > 10
    answers = [refused.run(words, "semctl", number, errno.EACCES) for number in numbers]
    truth = Truth(scene, before, refused.run(words))
    for answer in answers:
        truth.is_honest(answer, False)


@pytest.mark.parametrize("kind", ["posix-shm", "posix-sem", "posix-mq", "sysv-msg"])
def test_removing(refused, scene, tmp_path, kind):  # noqa: F811
    """It is gone and that is said, or it is there and the reason is said; nothing else goes."""
    def words():
        scene.leave()
        return ["remove", next(ref for ref in scene.left if ref.startswith(kind))]

    found, statuses = refused.calls(words(), tmp_path / "trace"), set()
    assert len(found) > 5
    for call, number, error, _ in chosen(found, MOST):
        command, refusal = words(), (call, number, getattr(errno, error))
        name = scene.left[command[1]]
        result = refused.run(command, *refusal)
        gone = name not in scene.there()
        assert scene.made - scene.there() == ({name} if gone else set()), result
        assert gone if result.status == 0 else result.status == 1 and result.errors, result
        assert result.text.startswith(f"removed {command[1]}") is gone, result
        statuses.add(result.status)
    assert statuses == {0, 1} or FEW > 1


@pytest.mark.parametrize("kind", MAKES)
def test_creating(refused, scene, tmp_path, kind):  # noqa: F811
    """It is there and its reference is said, or nothing is left of it."""
    words = ["create", kind, *MAKES[kind]]
    found, statuses = refused.calls(words, tmp_path / "trace"), set()
    assert len(found) > 5
    for call, number, error, _ in chosen(found, MOST):
        scene.undo()
        result = refused.run(words, call, number, getattr(errno, error))
        made = scene.there() - scene.made
        assert len(made) == (result.status == 0), result
        assert result.text.strip() if result.status == 0 else result.status == 1 and result.errors, result
        statuses.add(result.status)
    assert statuses == {0, 1} or FEW > 1
