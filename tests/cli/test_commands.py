# SPDX-License-Identifier: MIT
"""summary, kinds, help, version and __complete."""

import re

import pytest

PERSISTENT = ["sysv-shm", "sysv-sem", "sysv-msg", "posix-shm", "posix-sem", "posix-mq"]
# Every kind that there will be.
KINDS = PERSISTENT + ["pipe", "fifo", "unix-socket", "inet-socket", "memfd", "eventfd", "pty", "file-mapping",
                      "anon-mapping", "flock", "record-lock", "lease", "futex", "signal"]
COMMANDS = {"list": ["ls"], "describe": ["show"], "create": ["mk"], "remove": ["rm"], "clean": [], "limits": [],
            "waits": [], "metrics": [], "check": [], "graph": [], "watch": [], "summary": [], "kinds": [],
            "help": [], "version": []}


def test_summary(ipcctl, factory):
    factory("sysv-shm", hold=True, attach=1, size=5000)
    factory("sysv-shm", size=1000)
    factory("sysv-msg", messages="1:10,1:20")
    factory("file", name="/dev/shm/x", content=b"x" * 10000)
    factory("posix-sem", name="/s")
    rows = {row["kind"]: row for row in ipcctl.json("summary")["kinds"]}
    assert set(PERSISTENT) <= set(rows)
    assert {k: rows[k]["count"] for k in PERSISTENT} == {
        "sysv-shm": 2, "sysv-sem": 0, "sysv-msg": 1, "posix-shm": 1, "posix-sem": 1, "posix-mq": 0}
    assert rows["sysv-shm"]["bytes"] == 6000
    assert rows["sysv-msg"]["bytes"] == 30
    assert rows["posix-shm"]["bytes"] == 12288
    assert rows["sysv-shm"]["in_use"] == 1
    states = ("in_use", "idle", "orphaned", "stale", "unknown")
    for kind in PERSISTENT:
        assert sum(rows[kind][s] for s in states) == rows[kind]["count"]


def test_summary_counts_states_as_list_shows_them(ipcctl, factory):
    factory("sysv-shm", hold=True, attach=1)
    factory("sysv-shm")
    rows = {row["kind"]: row for row in ipcctl.json("summary")["kinds"]}
    listed = [o["state"] for o in ipcctl.json("list", "sysv-shm")["objects"]]
    for state in ("in-use", "idle", "orphaned", "stale", "unknown"):
        assert rows["sysv-shm"][state.replace("-", "_")] == listed.count(state)


def test_bare_ipcctl_is_summary(ipcctl, factory):
    """Of what lives with processes there may be more from one look to the next."""
    factory("sysv-shm")
    bare, named = ([line for line in ipcctl(*words).lines if line.split()[0] in ["KIND", *PERSISTENT]]
                   for words in ([], ["summary"]))
    assert bare == named and len(bare) == 1 + len(PERSISTENT)
    bare, named = (ipcctl(*words, "--json").json()["kinds"] for words in ([], ["summary"]))
    assert [row["kind"] for row in bare] == [row["kind"] for row in named]
    assert [row for row in bare if row["kind"] in PERSISTENT] == [row for row in named if row["kind"] in PERSISTENT]


def test_summary_fits_one_screen(ipcctl):
    assert len(ipcctl("summary").lines) <= 24


def test_nearest_limit(ipcctl, factory):
    for _ in range(3):
        factory("posix-mq", name=f"/q{_}", maxmsg=1, msgsize=1)
    row = next(row for row in ipcctl.json("summary")["kinds"] if row["kind"] == "posix-mq")
    nearest = max((r for r in ipcctl.json("limits", "posix-mq")["limits"] if r["fills"] and "percent" in r),
                  key=lambda r: r["percent"])
    assert row["full"] == nearest["percent"]


def test_kinds(ipcctl):
    rows = {row["kind"]: row for row in ipcctl.json("kinds")["kinds"]}
    assert set(rows) == set(KINDS)
    for name, row in rows.items():
        for field in ("title", "identifier", "handle", "persistence", "access", "source", "create", "remove",
                      "reference"):
            assert row[field].strip(), (name, field)
        assert row["built"] is True
    text = ipcctl("kinds").text
    for name in KINDS:
        assert name in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help(ipcctl, command):
    by_option = ipcctl(command, "--help")
    assert by_option.out == ipcctl("help", command).out == ipcctl(command, "-h").out
    assert by_option.err == b""
    assert by_option.lines[0].startswith(f"Usage: ipcctl {command}")
    for alias in COMMANDS[command]:
        assert ipcctl(alias, "--help").out == by_option.out
        assert alias in by_option.text
    # Lines that a terminal can show.
    for line in by_option.lines:
        assert len(line) <= 110, line


def test_help_of_all(ipcctl):
    text = ipcctl("help").text
    assert ipcctl("--help").text == ipcctl("-h").text == text
    for command in COMMANDS:
        assert re.search(rf"^ +{command}\b", text, re.M), command
    assert "__complete" not in text


def test_help_of_create_names_each_kinds_options(ipcctl):
    for kind, option in (("sysv-shm", "--size"), ("sysv-sem", "--values"), ("posix-mq", "--msgsize"),
                         ("sysv-msg", "--qbytes"), ("posix-sem", "--value"), ("posix-shm", "--size")):
        assert option in ipcctl("create", kind, "--help").text
        assert option in complete(ipcctl, "create", kind, "--")


def test_aliases_do_the_same(ipcctl, factory):
    factory("posix-shm", name="/x")
    assert ipcctl("ls", "posix-shm", "-r", "-o", "name").out == ipcctl("list", "posix-shm", "-r", "-o", "name").out
    assert ipcctl("show", "posix-shm:/x", "--json").json()["objects"][0]["ref"] == "posix-shm:/x"
    assert ipcctl("mk", "posix-shm", "/y").lines == ["posix-shm:/y"]
    ipcctl("rm", "posix-shm:/x", "posix-shm:/y")


def test_version(ipcctl):
    line = ipcctl("version").lines
    assert len(line) == 1 and re.fullmatch(r"ipcctl \d+\.\d+\.\d+\S*", line[0]), line
    assert ipcctl("--version").lines == ipcctl("-V").lines == line


def complete(ipcctl, *words):
    return [line.split("\t")[0] for line in ipcctl("__complete", "--", *words).lines]


def test_completion_of_commands(ipcctl):
    offered = complete(ipcctl, "")
    assert set(COMMANDS) <= set(offered)
    assert "__complete" not in offered


def test_completion_of_kinds_options_and_fields(ipcctl):
    assert set(PERSISTENT) <= set(complete(ipcctl, "list", ""))
    assert {"sysv", "posix", "persistent"} <= set(complete(ipcctl, "list", ""))
    assert {"--json", "--filter", "--sort"} <= set(complete(ipcctl, "list", "--"))
    assert "--size" in complete(ipcctl, "create", "sysv-shm", "--")
    assert "--nsems" not in complete(ipcctl, "create", "sysv-shm", "--")
    assert {"size", "owner", "nattch"} <= set(complete(ipcctl, "list", "-o", ""))
    assert {"auto", "always", "never"} <= set(complete(ipcctl, "list", "--color", ""))
    assert "root" in complete(ipcctl, "list", "-u", "")
    assert set(COMMANDS) <= set(complete(ipcctl, "help", ""))


def test_completion_of_every_option_is_what_help_says(ipcctl):
    def helped(*words):
        return set(re.findall(r"^ {2,6}(?:-., )?(--[a-z-]+)", ipcctl(*words, "--help").text, re.M))

    def offered(*words):
        return {word for word in complete(ipcctl, *words, "--") if word.startswith("--")}
    for command in COMMANDS:
        assert offered(command) == helped(command), command
    # Behind a kind also those of the kind, which its help tells alone.
    for kind in PERSISTENT:
        assert offered("create", kind) == helped("create") | helped("create", kind), kind


def test_completion_of_objects(ipcctl, factory):
    factory("posix-shm", name="/jobs")
    truth = factory("sysv-shm")
    assert "posix-shm:/jobs" in complete(ipcctl, "describe", "posix-shm:/j")
    assert f"sysv-shm:{truth['id']}" in complete(ipcctl, "remove", "sysv-shm:")
    assert "sysv-shm:" in complete(ipcctl, "describe", "sysv")


def test_completion_never_offers_what_a_shell_would_mangle(ipcctl, factory):
    factory("file", name=b"/dev/shm/evil\n--yes")
    factory("file", name=b"/dev/shm/\x1b[31m")
    offered = complete(ipcctl, "remove", "posix-shm:/")
    assert all("evil" not in word and word != "--yes" for word in offered)


def test_completion_never_fails(ipcctl):
    for words in ([], ["nonsense", ""], ["list", "--nonsense", ""], ["describe", "nonsense:"], ["create", ""],
                  ["create", "nonsense", "--"], ["list", "-o"], ["-"], ["--"], ["list", "--", ""], [""] * 50,
                  ["remove", "-m", ""], ["list", b"\xff\n\x1b"]):
        assert ipcctl("__complete", "--", *words).err == b"", words
