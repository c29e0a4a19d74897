# SPDX-License-Identifier: MIT
"""Bad input gets one clear line that names the word, exit 2, and nothing done."""

import kernel
import pytest


@pytest.mark.parametrize("words, named", [
    (["lsit"], ["lsit", "list"]),
    (["li"], ["li"]),  # no prefix matching
    (["descirbe", "sysv-shm:0"], ["descirbe", "describe"]),
    (["xyzzy"], ["xyzzy"]),
    ([""], []),
    (["list", "sysv-shmm"], ["sysv-shmm", "sysv-shm"]),
    (["list", "sysv_shm"], ["sysv_shm", "sysv-shm"]),
    (["list", "sysv-"], ["sysv-"]),
    (["list", ""], []),
    (["list", "--jsno"], ["--jsno", "--json"]),
    (["list", "--jso"], ["--jso", "--json"]),
    (["list", "-Z"], ["-Z"]),
    (["--jsno"], ["--jsno"]),
    (["list", "sysv-shm", "-o", "sise"], ["sise", "size"]),
    (["list", "sysv-shm", "-o", "size,,id"], []),
    (["list", "sysv-shm", "-o", ""], []),
    (["list", "sysv-shm", "-o", "size,"], []),
    (["list", "sysv-shm", "-o"], ["-o"]),
    (["list", "posix-shm", "-o", "nattch"], ["nattch"]),
    (["list", "sysv-shm", "--sort", "sise"], ["sise", "size"]),
    (["list", "sysv-shm", "--sort", ""], []),
    (["list", "sysv-shm", "-f", "sise>1"], ["sise", "size"]),
    (["list", "sysv-shm", "-f", "size"], ["size"]),
    (["list", "sysv-shm", "-f", "size>"], []),
    (["list", "sysv-shm", "-f", "size>1Q"], ["1Q"]),
    (["list", "sysv-shm", "-f", "size>99999999999999999999"], ["99999999999999999999"]),
    (["list", "sysv-shm", "-f", "size>-1"], ["-1"]),
    (["list", "sysv-shm", "-f", "owner~["], ["["]),
    (["list", "sysv-shm", "-f", "state=orphanned"], ["orphanned", "orphaned"]),
    (["list", "--color=purple"], ["purple"]),
    (["list", "--user=no-such-user-here"], ["no-such-user-here"]),
    (["list", "--user="], []),
    (["list", "--json=1"], ["--json"]),
    (["describe"], []),
    (["describe", "sysv-shm"], ["sysv-shm"]),
    (["describe", "0"], ["0"]),
    (["describe", "sysv-shm:"], []),
    (["describe", "sysv-shm:x"], ["x"]),
    (["describe", "sysv-shm:-1"], ["-1"]),
    (["describe", "sysv-shm:1x"], ["1x"]),
    (["describe", "sysv-shm: 1"], [" 1"]),
    (["describe", "sysv-shm:0x"], ["0x"]),
    (["describe", "sysv-shm:4294967296"], ["4294967296"]),
    (["describe", "sysv-shm:key=0x"], ["0x"]),
    (["describe", "sysv-shm:key=4294967296"], ["4294967296"]),
    (["describe", "sysv-shmm:1"], ["sysv-shmm", "sysv-shm"]),
    (["describe", "posix-shm:/"], []),
    (["describe", "posix-mq:"], []),
    (["describe", "posix-mq:/a/b"], ["/a/b"]),
    (["describe", "--content=x", "posix-shm:/a"], ["x"]),
    (["list", "--path"], ["--path"]),
    (["list", "pipe", "--path=/tmp"], ["--path"]),
    (["list", "pipe", "-f", "ends=open-"], ["open-", "open"]),
    (["list", "unix-socket", "-f", "type=streem"], ["streem"]),
    (["list", "pipe", "-o", "reader"], ["reader", "readers"]),
    (["create", "pipe", "--"], []),
    (["create", "pipe", "name"], ["name"]),
    (["create", "pipe", "--capacity=x"], ["x"]),
    (["create", "pipe", "--size=1"], ["--size"]),
    (["create", "eventfd", "--value=-1"], ["-1"]),
    (["create", "eventfd", "--semaphor"], ["--semaphor", "--semaphore"]),
    (["create", "memfd", "--seals=shrinkk"], ["shrinkk"]),
    (["create", "memfd", "--size=x"], ["x"]),
    (["create", "memfd", "a\\b", "c"], ["c"]),
    (["create", "unix-socket", "relative"], ["relative"]),
    (["create", "unix-socket", "--type=streem"], ["streem"]),
    (["create", "unix-socket", "/x", "--backlog=x"], ["x"]),
    (["create", "inet-socket"], []),
    (["create", "inet-socket", "tcp:127.0.0.1"], []),
    (["create", "inet-socket", "tcp:127.0.0.1:65536"], ["65536"]),
    (["create", "inet-socket", "abc:127.0.0.1:1"], ["abc"]),
    (["create", "inet-socket", "tcp:host.example:1"], ["host.example"]),
    (["create", "fifo"], []),
    (["create", "fifo", "/dev/shm/f", "--mode=9"], ["9"]),
    (["create", "fifo", "/dev/shm/f", "--", "true"], []),
    (["create", "anon-mapping"], ["--size"]),
    (["create", "anon-mapping", "--size=0"], ["--size"]),
    (["create", "file-mapping"], []),
    (["create", "pipe", "--timeout=-1s"], ["-1s"]),
    (["create", "pipe", "--timeout=1s", "--", "true"], ["--timeout"]),
    (["create", "posix-shm", "/a", "--size=1", "--timeout=1s"], ["--timeout"]),
    (["remove", "--kill=XYZZY", "pipe:1"], ["XYZZY"]),
    (["remove", "--kill", "--all", "pipe"], ["--kill"]),
    (["describe", "pipe:x"], ["x"]),
    (["describe", "inet-socket:tcp:1:2:3"], ["1:2:3"]),
    (["create"], []),
    (["create", "sysv-shmm"], ["sysv-shmm", "sysv-shm"]),
    (["create", "sysv-shm", "--size"], ["--size"]),
    (["create", "sysv-shm", "--size=0"], ["--size"]),
    (["create", "sysv-shm", "--size="], ["--size"]),
    (["create", "sysv-shm", "--size=-1"], ["-1"]),
    (["create", "sysv-shm", "--size=0x"], ["0x"]),
    (["create", "sysv-shm", "--size=1x"], ["1x"]),
    (["create", "sysv-shm", "--size=18446744073709551616"], ["18446744073709551616"]),
    (["create", "sysv-shm", "--size=1", "--mode=999"], ["999"]),
    (["create", "sysv-shm", "--size=1", "--mode=1777"], ["1777"]),
    (["create", "sysv-shm", "--size=1", "--key=0x"], ["0x"]),
    (["create", "sysv-shm", "--size=1", "--key=0"], ["0"]),
    (["create", "sysv-shm", "--size=1", "--key=-1"], ["-1"]),
    (["create", "sysv-shm", "--size=1", "--key=4294967296"], ["4294967296"]),
    (["create", "sysv-shm", "--size=1", "--key=5", "--path=/"], ["--key", "--path"]),
    (["create", "sysv-shm", "--size=1", "--project=5"], ["--project"]),
    (["create", "sysv-shm", "--size=1", "--path=/", "--project=256"], ["--project"]),
    (["create", "sysv-shm", "--size=1", "--path=/", "--project=0"], ["--project"]),
    (["create", "sysv-shm", "--size=1", "--exist-ok"], ["--exist-ok"]),
    (["create", "sysv-shm", "--size=1", "--huge-page-size=3M"], ["--huge-page-size"]),
    (["create", "sysv-shm", "--size=1", "--nsems=1"], ["--nsems"]),
    (["create", "sysv-sem", "--nsems=0"], ["--nsems"]),
    (["create", "sysv-sem", "--nsems=99999999999"], ["99999999999"]),
    (["create", "sysv-sem", "--values=32768"], ["32768"]),
    (["create", "sysv-msg", "--qbytes=x"], ["x"]),
    (["create", "posix-sem", "/a", "--value=2147483648"], ["2147483647"]),
    (["create", "posix-sem", "/a", "--value=-1"], ["-1"]),
    (["create", "posix-mq", "/a", "--maxmsg=0"], ["--maxmsg"]),
    (["create", "posix-mq", "/a", "--msgsize=x"], ["x"]),
    (["remove", "-m"], ["-m"]),
    (["remove", "--all"], []),
    (["remove", "--all", "sysv-shmm", "--yes"], ["sysv-shmm", "sysv-shm"]),
    (["limits", "nonsense"], ["nonsense"]),
    (["kinds", "nonsense"], ["nonsense"]),
    (["summary", "nonsense"], ["nonsense"]),
    (["help", "lsit"], ["lsit", "list"]),
    (["version", "x"], ["x"]),
    (["list", "--procfs=/nonexistent"], ["/nonexistent"]),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_refused(ipcctl, words, named):

    status = None if "--procfs=/nonexistent" in words else 2
    result = ipcctl(*words, status=status)
    assert result.status in (1, 2)
    assert result.out == b""
    assert len(result.errors) == 1, result
    assert result.errors[0].startswith("ipcctl: "), result
    for word in named:
        assert word in result.errors[0], result
    # It says what would be right: more than the word it did not like.
    assert len(result.errors[0]) > len("ipcctl: ") + sum(map(len, named)) + 4
    assert kernel.files() == {} and not any(kernel.sysvipc(which) for which in ("shm", "sem", "msg"))


@pytest.mark.parametrize("word", [b"\x1b[31mred", b"a\nb", b"\xff\xfe", b"\xe2\x80\xae", b"x" * 3000])
def test_hostile_words_are_shown_escaped(ipcctl, word):
    """ipcctl.judge() holds the message to the rules; it must be one line of them."""
    for words in ([word], ["list", word], ["list", b"--" + word], ["list", b"-" + word], ["list", "-o", word],
                  ["list", "-f", word], ["list", "-f", b"size=" + word, "sysv-shm"], ["list", "--sort", word],
                  ["list", "-u", word], ["list", b"--color=" + word], ["describe", word],
                  ["describe", b"sysv-shm:" + word], ["create", word], ["create", "sysv-msg", b"--key=" + word],
                  ["remove", word], ["remove", "-m", word], ["help", word], ["limits", word],
                  ["create", "sysv-shm", "--size=1", b"--owner=" + word]):
        result = ipcctl(*words, status=2)
        assert result.out == b"" and len(result.errors) == 1, result


def test_names_that_are_too_long_for_any_object(ipcctl):
    for ref in ("posix-mq:/" + "x" * 256, "posix-sem:/" + "x" * 252, "posix-shm:/" + "x" * 300,
                "posix-shm:/" + "x/" * 3000 + "x"):
        result = ipcctl("describe", ref, status=None)
        assert result.status in (1, 2) and len(result.errors) == 1 and result.out == b""


@pytest.mark.parametrize("words, limit", [(["memfd", "x" * 250], "249"), (["unix-socket", "/" + "x" * 108], "107"),
                                          (["unix-socket", "@" + "x" * 108], "107")])
def test_names_that_are_too_long_for_what_is_held(ipcctl, words, limit):
    result = ipcctl("create", *words, "--timeout=0s", status=None)
    assert result.status in (1, 2) and len(result.errors) == 1 and result.out == b""
    assert limit in result.errors[0], result


def test_two_formats_exclude_each_other(ipcctl):
    for a, b in (("--json", "--raw"), ("--json", "--jsonl"), ("--raw", "--null"), ("-J", "-0")):
        ipcctl.refuses("list", a, b, words=[b] if len(b) > 2 else [])


def test_double_dash(ipcctl, factory):
    """Behind -- nothing is an option."""
    ipcctl.refuses("list", "--", "--json")


def test_options_may_stand_anywhere(ipcctl, factory):
    factory("posix-shm", name="/x")
    expected = ipcctl("list", "posix-shm", "-r", "-o", "name").out
    assert ipcctl("list", "-r", "posix-shm", "-oname").out == expected
    assert ipcctl("list", "-ro", "name", "posix-shm").out == expected
    assert ipcctl("list", "--raw", "--output=name", "posix-shm").out == expected


def test_a_procfs_that_is_none(ipcctl, tmp_path):
    result = ipcctl("list", f"--procfs={tmp_path}", status=None)
    assert result.status in (1, 2) and result.errors
