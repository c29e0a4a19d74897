# SPDX-License-Identifier: MIT
"""Every example of README.md and of the manual pages is run in a system that its story fits, and prints what the
text says that it prints. A new example needs a scene: scenes_readme.py, scenes_manual.py, scenes_pages.py."""

import collections
import os
import re

import examples
import pytest
import scenes_pages  # noqa: F401: it adds its own, and so does scenes_manual, which it imports
from conftest import TOP
from scenes_readme import SCENES
from stage import Stage

ALL = examples.of_tree(TOP)


@pytest.fixture
def stage(first, ipcctl, factory, place, tmp_path):
    one = Stage(first, ipcctl.path, TOP, factory, place, tmp_path)
    with one.stack:
        yield one


@pytest.mark.real_root
@pytest.mark.parametrize("example", ALL, ids=repr)
def test_example(stage, example):
    stage.example = example
    SCENES[example.page, example.name](stage)
    assert stage.played == len(example.steps), "not all of its commands were run"


def test_each_has_a_scene():
    """And each scene an example, so that none is left of a text that is gone."""
    found = collections.Counter((example.page, example.name) for example in ALL)
    assert not found - collections.Counter(SCENES.keys()), "examples without a scene, or two of one name"
    assert not SCENES.keys() - found.keys(), "scenes without an example"


def test_none_is_overlooked():
    """All that looks like a command behind a prompt is a step of some example, and so is each fenced block but text."""
    steps = {(example.page, step.command.split("\n")[0]) for example in ALL for step in example.steps}
    for path in ("README.md", *(f"man/{name}" for name in os.listdir(os.path.join(TOP, "man")))):
        if path.endswith(".svg"):
            continue
        text, page = examples.read(TOP, path), os.path.basename(path)
        if page == "README.md":
            lines = re.findall(r"^\$ (.*)$", text, re.M)
        else:
            lines = map(examples.plain, re.findall(r"^(?:\.Dl )?(?:\$|#(?= [a-z])) (.*)$", text, re.M))
        for line in lines:
            assert (page, line) in steps
        displays = len(re.findall(r"^```(?!text$)\w|^\.(?:Bd|Dl|D1)\b", text, re.M))
        assert displays == len([e for e in ALL if e.page == page and e.displayed]), page


# The comparison itself


TEXT = """REF           OWNER  SIZE  PID  AGE
posix-shm:/a  root    17M  812   2h
posix-shm:/b  ann      8K   14   2h
removed posix-shm:/a
12:44:14.177  created  sysv-shm:0
    PID  START_TIME           ADDRESS
     54  2026-11-21 07:51:16  7f31cecd9000-7f31db4d9000""".splitlines()
HERE = """REF           OWNER  SIZE   PID  AGE
posix-shm:/a  root    17M  1812   2h
posix-shm:/b  ann      8K     9   2h
removed posix-shm:/a
09:00:00.000  created  sysv-shm:0
    PID  START_TIME           ADDRESS
      7  2030-01-01 00:00:00  55d0cecd9000-55d0cecda000""".splitlines()
SAYS = {"812": 1812, "14": 9, "54": 7}


def test_comparison_bears_what_varies():
    examples.compare(TEXT, HERE, SAYS)
    examples.compare(["...", *TEXT[3:]], HERE, SAYS)
    examples.compare([*TEXT[:2], "...", TEXT[4], "..."], HERE, SAYS)
    examples.compare(["for 3s, 17.5 ms"], ["for 12m, 4.0 ms"], varies={"3s", "17.5"})


@pytest.mark.parametrize("line, old, new", [
    (0, "SIZE ", "SIZES"), (1, "17M", "18M"), (1, "1812", "1813"), (1, "root ", "root  "), (2, "  2h", "   2h"),
    (2, " ann ", " bob "), (2, "  ann      8K", "  ann  8K    "), (3, "removed", "would remove"), (4, "00.0", "0.0"),
    (4, "  created", " created"), (5, "    PID", "   PID"), (6, "2030-01-01 00", "2030-01-01"), (6, "55d0", "none-"),
])
def test_comparison_tells_what_differs(line, old, new):
    got = list(HERE)
    assert got[line].count(old) >= 1
    got[line] = got[line].replace(old, new, 1)
    with pytest.raises(AssertionError):
        examples.compare(TEXT, got, SAYS)


@pytest.mark.parametrize("wanted, got", [
    (TEXT, HERE[:-1]), (TEXT[:-1], HERE), ([], ["more"]), (["one"], []),
    (TEXT, [HERE[0], HERE[2], HERE[1], *HERE[3:]]), (["...", *TEXT[:3]], HERE), (["for 3s"], ["for 4s"]),
])
def test_comparison_counts_lines(wanted, got):
    with pytest.raises(AssertionError):
        examples.compare(wanted, got, SAYS)
