# SPDX-License-Identifier: MIT
"""Formats: table, raw, null, JSON and JSON Lines say the same; widths, colour, failure to write."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata

import pytest
from program import COLOUR, ENVIRONMENT, strict_json, unescape

WIDE = "漢字テスト" * 8  # two columns each
LONG = "n" * 200


@pytest.fixture
def zoo(factory):
    factory("sysv-shm", size=3 << 20, key=0xC0FFEE01)
    factory("sysv-sem", nsems=3)
    factory("sysv-msg", messages="1:10")
    factory("posix-shm", name="/plain", size=1536)
    factory("file", name="/dev/shm/" + LONG, size=1 << 40)
    factory("file", name="/dev/shm/" + WIDE)
    factory("file", name=b"/dev/shm/a\tb\nc\x1b[31m\xff")
    factory("posix-sem", name="/s", value=2)
    factory("posix-mq", name="/q", messages="3:4")


KINDS = ["sysv-shm", "sysv-sem", "sysv-msg", "posix-shm", "posix-sem", "posix-mq"]


def as_text(value):
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):  # of rows that have all their columns
        cells = [[as_text(cell).replace(" ", r"\x20").replace(":", r"\x3a") for cell in row.values()] for row in value]
        return " ".join(":".join(row) for row in cells)
    return str(value)


@pytest.mark.parametrize("kind", KINDS)
def test_raw_equals_json(ipcctl, zoo, kind):
    """One truth: every field of the JSON is the same word in --raw, and none is missing."""
    fields = sorted(set(name for o in ipcctl.objects(kind).values() for name in o) - {"age", "reason", "holders"})
    rows = ipcctl("list", kind, "--raw", "-o", ",".join(fields)).table()
    objects = ipcctl.json("list", kind, "-o", ",".join(fields))["objects"]
    assert len(rows) == len(objects) > 0
    for row, o in zip(rows, objects):
        for name in fields:
            assert row[name] == (as_text(o[name]) if name in o else "-"), name


@pytest.mark.parametrize("kind", KINDS + ["persistent"])
def test_jsonl_equals_json(ipcctl, zoo, kind):
    def steady(objects):
        return [{k: v for k, v in o.items() if k != "age"} for o in objects]
    assert steady(ipcctl("list", kind, "--jsonl").jsonl()) == steady(ipcctl.json("list", kind)["objects"])


def test_null_is_the_raw_bytes(ipcctl, zoo):
    names = ipcctl("list", "posix-shm", "-0", "-o", "name", clean=False).out.split(b"\0")
    assert names.pop() == b""
    assert set(names) == {b"/" + n for n in os.listdir(b"/dev/shm") if n != b"sem.s"}
    # By itself it prints references.
    refs = ipcctl("list", "-0", clean=False).out.split(b"\0")[:-1]
    assert refs == [unescape(o["ref"]) for o in ipcctl.json("list")["objects"]]


def test_headings(ipcctl, zoo):
    head = ipcctl("list", "posix-shm", "-r", "-o", "name,size").lines[0]
    assert head == "name\tsize"
    without = ipcctl("list", "posix-shm", "-r", "-H", "-o", "name,size").lines
    assert ipcctl("list", "posix-shm", "-r", "-o", "name,size").lines[1:] == without
    assert ipcctl("list", "posix-shm", "-o", "name,size").lines[0].split() == ["NAME", "SIZE"]
    assert "NAME" not in ipcctl("list", "posix-shm", "--noheadings", "-o", "name,size").lines[0]
    assert ipcctl("list", "sysv-shm", "-u", "4711", "-r", "-H").out == b""


def test_output_chooses_and_orders(ipcctl, zoo):
    o = ipcctl.json("list", "posix-shm", "-o", "size,name")["objects"][0]
    assert list(o) == ["size", "name"]
    default = ipcctl("list", "posix-shm", "-r").lines[0].split("\t")
    assert ipcctl("list", "posix-shm", "-r", "-o", "+inode").lines[0].split("\t") == default + ["inode"]
    everything = ipcctl("list", "posix-shm", "-r", "-o", "all").lines[0].split("\t")
    assert set(default) < set(everything) and "inode" in everything


def test_output_brings_what_listing_leaves_out(ipcctl, zoo):
    assert "semaphores" not in ipcctl.json("list", "sysv-sem")["objects"][0]
    o = ipcctl.json("list", "sysv-sem", "-o", "semaphores,waiters")["objects"][0]
    assert len(o["semaphores"]) == 3 and o["waiters"] == 0


def test_human_sizes_and_bytes(ipcctl, zoo):
    def sizes(*words):
        return {line.split()[0]: line.split()[1] for line in ipcctl("list", "posix-shm", "-o", "name,size", *words).lines}
    assert sizes()["/plain"] == "1.5K" and sizes()["/" + LONG] == "1T"
    assert sizes("-b")["/plain"] == "1536" and sizes("--bytes")["/" + LONG] == str(1 << 40)


def test_presentation_never_changes_json(ipcctl, zoo):
    plain = ipcctl.json("list", "-o", "ref,size,mode,state")["objects"]
    for words in (["--bytes"], ["--no-truncate"], ["--color=always"], ["-H"]):
        assert ipcctl.json("list", "-o", "ref,size,mode,state", *words)["objects"] == plain


# Sorting and filtering


def names(ipcctl, *words):
    return [unescape(row["name"]).decode() for row in ipcctl("list", "posix-shm", "-r", *words).table()]


@pytest.fixture
def sizes(factory):
    for name, size in ("a", 300), ("b", 5), ("c", 1 << 21), ("d", 5):
        factory("file", name="/dev/shm/" + name, size=size)


def test_sort(ipcctl, sizes):
    assert names(ipcctl, "-o", "name", "--sort", "name") == ["/a", "/b", "/c", "/d"]
    assert names(ipcctl, "-o", "name", "--sort=-name") == ["/d", "/c", "/b", "/a"]
    # By number, not by letter; by a field that is not shown; and by two.
    assert names(ipcctl, "-o", "name", "--sort", "size,-name") == ["/d", "/b", "/a", "/c"]
    assert names(ipcctl, "-o", "name", "--sort", "-size,name") == ["/c", "/a", "/b", "/d"]


@pytest.mark.parametrize("filters, expected", [
    (["size=5"], "bd"), (["size!=5"], "ac"), (["size>=300"], "ac"), (["size>300"], "c"), (["size<300"], "bd"),
    (["size<=300"], "abd"), (["size=5,300"], "abd"), (["size>=1M"], "c"), (["size>=2M", "size<=2M"], "c"),
    (["name=/a,/c"], "ac"), (["name~^/[ab]$"], "ab"), (["name!~^/[ab]$"], "cd"), (["type=regular"], "abcd"),
    (["type=fifo"], ""), (["mode=0600"], "abcd"), (["age<1h"], "abcd"), (["age>1h"], ""), (["links=1"], "abcd"),
    (["size=-"], ""), (["size!=-"], "abcd"), (["ref=posix-shm:/b"], "b"), (["mtime>2020-01-01"], "abcd")])
def test_filters(ipcctl, sizes, filters, expected):
    words = [word for f in filters for word in ("-f", f)]
    assert sorted(names(ipcctl, "-o", "name", *words)) == ["/" + c for c in expected]
    assert len(ipcctl.json("list", "posix-shm", *words)["objects"]) == len(expected)


def test_filter_by_a_field_on_demand(ipcctl, factory):
    busy = factory("sysv-sem", hold=True, block="0:-1")
    factory("sysv-sem")
    assert list(ipcctl.objects("sysv-sem", "-f", "waiters>0")) == [f"sysv-sem:{busy['id']}"]


def test_filter_over_several_kinds(ipcctl, zoo):
    """A field that only some kinds have matches only those."""
    got = ipcctl.json("list", "-f", "nattch>=0")["objects"]
    assert {o["kind"] for o in got} == {"sysv-shm"}
    got = ipcctl.json("list", "-f", "size>=1M", "--sort=-size")["objects"]
    assert [o["size"] for o in got] == [1 << 40, 3 << 20]


# Terminals


def on_terminal(ipcctl, columns, *words, env=None, stdout_only=True):
    """Output on a terminal of so many columns, and what went to standard error."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    # No newline translation: the bytes are the program's own.
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    process = subprocess.Popen(ipcctl.command(*words), stdin=subprocess.DEVNULL, stdout=slave,
                               stderr=subprocess.PIPE, env={**ENVIRONMENT, **(env or {})})
    os.close(slave)
    out = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    os.close(master)
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0, err
    return out.decode("utf-8"), err.decode("utf-8")


def width(text):
    """Columns by Unicode's own tables."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in COLOUR.sub("", text))


@pytest.mark.parametrize("columns", [60, 80, 100, 132, 200])
def test_a_table_fits_the_terminal(ipcctl, zoo, columns):
    out, _ = on_terminal(ipcctl, columns, "list", "posix-shm", "-o", "name,size,mode")
    lines = out.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert width(line) <= columns, (width(line), line)
    # What was cut says so; numbers are never cut.
    long_line = next(line for line in lines if "nnnn" in line)
    assert "…" in long_line and long_line.split()[-2:] == ["1T", "0600"]
    wide_line = next(line for line in lines if "漢" in line)
    assert wide_line.split()[-1] == "0600"
    # The columns stand where the headings stand, also behind wide characters.
    ends = {width(line.rstrip()) for line in lines}
    assert len(ends) == 1, lines


def test_no_truncate(ipcctl, zoo):
    out, _ = on_terminal(ipcctl, 60, "list", "posix-shm", "--no-truncate")
    assert LONG in out and WIDE in out and "…" not in out


def test_a_pipe_is_never_cut(ipcctl, zoo):
    text = ipcctl("list", "posix-shm", env={"COLUMNS": "40"}).text
    assert LONG in text and WIDE in text and "…" not in text


@pytest.mark.parametrize("columns", [1, 2, 7, 20, 40])
def test_narrow_terminals(ipcctl, zoo, columns):
    out, _ = on_terminal(ipcctl, columns, "list")
    assert len(out.splitlines()) == 10
    on_terminal(ipcctl, columns, "describe", "posix-shm:/plain")
    on_terminal(ipcctl, columns, "summary")
    on_terminal(ipcctl, columns, "kinds")
    on_terminal(ipcctl, columns, "limits")


def test_a_terminal_of_unknown_width(ipcctl, zoo):
    out, _ = on_terminal(ipcctl, 0, "list", "posix-shm")
    assert len(out.splitlines()) >= 5


def test_colour(ipcctl, zoo):
    words = ["list", "-o", "ref,state"]
    coloured, _ = on_terminal(ipcctl, 120, *words)
    assert COLOUR.search(coloured)
    for more, env in ([], {"NO_COLOR": "1"}), (["--color=never"], {}), ([], {"TERM": "dumb"}):
        plain, _ = on_terminal(ipcctl, 120, *words, *more, env=env)
        assert "\x1b" not in plain
        assert COLOUR.sub("", coloured) == plain
    # An empty NO_COLOR means nothing (no-color.org), and --color beats it.
    assert COLOUR.search(on_terminal(ipcctl, 120, *words, env={"NO_COLOR": ""})[0])
    assert COLOUR.search(on_terminal(ipcctl, 120, *words, "--color=always", env={"NO_COLOR": "1"})[0])
    assert "\x1b" not in ipcctl(*words).text
    assert COLOUR.search(ipcctl(*words, "--color=always").text)
    for form in "--json", "--raw", "--jsonl":
        assert "\x1b" not in ipcctl(*words, form, "--color=always").text


def test_colour_is_not_counted_as_width(ipcctl, zoo):
    coloured = ipcctl("list", "-o", "ref,state,mode", "--color=always").lines
    plain = ipcctl("list", "-o", "ref,state,mode").lines
    assert [COLOUR.sub("", line) for line in coloured] == plain


def test_a_terminal_is_told_about_the_rest(ipcctl, zoo):
    """At most one closing line on standard error, which --quiet and named kinds leave out."""
    _, err = on_terminal(ipcctl, 100, "list", "--no-holders")
    assert err == "" or len(err.splitlines()) == 1 and "all" in err, err
    for words in (["--quiet"], ["sysv-shm"], ["--json"]):
        assert on_terminal(ipcctl, 100, "list", "--no-holders", *words)[1] == ""
    assert ipcctl("list", "--no-holders").err == b""


# Failure to write

COMMANDS = [["list"], ["list", "--json"], ["list", "--raw"], ["list", "--jsonl"], ["list", "-0"], ["summary"],
            ["kinds"], ["kinds", "--json-schema"], ["limits"], ["limits", "--json"], ["help"], ["version"],
            ["waits"], ["waits", "--json"], ["clean"], ["clean", "--json"], ["metrics"], ["check", "--limits=80:95"],
            ["graph"], ["graph", "--json"], ["graph", "--format", "mermaid"],
            ["watch", "--initial", "--count", "1"], ["watch", "--raw"],
            ["describe", "posix-shm:/plain"], ["describe", "--json", "posix-shm:/plain"], ["list", "--help"],
            ["create", "sysv-msg"], ["__complete", "--", ""]]
FAILED = {"check": 3}  # 1 would be a warning


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_full_device(ipcctl, zoo, words):
    with open("/dev/full", "wb") as full:
        result = ipcctl(*words, stdout=full, status=FAILED.get(words[0], 1))
    assert "No space left on device" in result.errors[-1], result


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_closed_pipe(ipcctl, zoo, words):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(ipcctl.command(*words), stdin=subprocess.DEVNULL, stdout=writer,
                             stderr=subprocess.PIPE, env=ENVIRONMENT)
    os.close(writer)
    # By an exit status, or by SIGPIPE as any other program: never 0.
    assert process.returncode in (FAILED.get(words[0], 1), -13, 141), process


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_closed_descriptors(ipcctl, zoo, closed):
    """Nothing that is opened later may become standard output by accident."""
    def close():
        for fd in closed:
            os.close(fd)
    read, write = os.pipe()
    process = subprocess.Popen(ipcctl.command("list", "--no-holders", "--json"), stdin=subprocess.DEVNULL,
                               stdout=write, stderr=subprocess.DEVNULL, env=ENVIRONMENT, preexec_fn=close)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        out = pipe.read()
    status = process.wait(timeout=60)
    if 1 in closed:
        assert out == b"" and status in (0, 1)
    else:
        assert status == 0 and strict_json(out)["complete"] is True


def test_a_half_document_is_never_a_success(ipcctl, factory):
    """The reader goes away in the middle of a large document."""
    for i in range(3000):
        open(f"/dev/shm/{i:04}", "wb").close()
    process = subprocess.Popen(ipcctl.command("list", "--json"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout.read(10)
    process.stdout.close()
    process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) in (1, -13, 141)


def test_a_slow_reader_that_does_not_block(ipcctl, factory):
    """A non-blocking pipe that is full is waited for, not given up."""
    for i in range(3000):
        open(f"/dev/shm/{i:04}", "wb").close()
    read, write = os.pipe()
    os.set_blocking(write, False)
    process = subprocess.Popen(ipcctl.command("list", "--json"), stdin=subprocess.DEVNULL, stdout=write,
                               env=ENVIRONMENT)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        document = strict_json(pipe.read())
    assert process.wait(timeout=60) == 0
    assert len(document["objects"]) == 3000


def test_nothing_but_numbers_where_numbers_are(ipcctl, zoo):
    for line in ipcctl("list", "sysv-shm", "-rH", "-o", "id,size,nattch,ctime").lines:
        assert re.fullmatch(r"\d+\t\d+\t\d+\t\d+", line)


def test_closing_line_of_text_is_whole(ipcctl, zoo):
    for words in (["list"], ["list", "-r"], ["list", "--json"], ["list", "--jsonl"], ["summary"], ["limits"],
                  ["kinds"], ["help"], ["version"], ["describe", "posix-shm:/plain"]):
        assert ipcctl(*words).out.endswith(b"\n")
