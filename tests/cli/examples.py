# SPDX-License-Identifier: MIT
"""The examples of README.md and of the manual pages: finding each, and holding what a command prints against
what the text says that it prints.

Nothing here knows ipcctl: an example is a command of a shell with what comes out below it.
"""

import os
import re
import subprocess

PROMPT = re.compile(r"\$ |# (?=[a-z])")  # other than a comment such as `# Python`
# In the text of README.md, outside of its blocks: `ipcctl list`, but not `ipcctl(1)`.
INLINE = re.compile(r"`((?:ipcctl|tests/\w+\.py|man) [^`]+)`")


class Step:
    """A command, and the lines that the text prints below it."""

    def __init__(self, command):
        self.command, self.output = command, []


class Example:
    """What stands in one display of a text: commands with their output, or something else that is to be used as it
    stands, such as a file. Named by the page and its first line, without the prompt; a script without prompts, which
    begins as others do, by its last."""

    def __init__(self, page, line, text, commands=False, displayed=True):
        """commands: all of it is to be typed in, though no prompt says so; displayed: not within a sentence."""
        self.page, self.line, self.text, self.displayed = page, line, text, displayed
        self.steps = [Step(text.removesuffix("\n"))] if commands else list(split(text))
        self.name = (self.steps[0].command if self.steps else text).split("\n")[-1 if commands else 0]

    @property
    def exact(self):
        """In README.md all that comes out is printed; in a manual page only what there is to say."""
        return self.page == "README.md"

    def __repr__(self):
        return f"{self.page}:{self.line}: {self.name}"


def incomplete(command):
    """Whether a shell would go on to read."""
    return command.endswith("\\") or subprocess.run(["sh", "-n", "-c", command], capture_output=True).returncode != 0


def split(text):
    """The commands behind prompts, which go on until they are complete, each with the lines below it."""
    step = None
    for line in text.splitlines():
        if step and not step.output and incomplete(step.command):
            step.command += "\n" + line
            continue
        if PROMPT.match(line):
            if step:
                yield step
            step = Step(line[2:])
        elif step:
            step.output.append(line)
    if step:
        assert not incomplete(step.command), step.command
        yield step


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def of_readme(text):
    """Each fenced block and each command within the text. One of `text` is no example."""
    inside = None
    for number, line in enumerate(text.splitlines(), 1):
        if inside is not None:
            if line == "```":
                language, start, block = inside
                assert language in ("console", "sh", "text"), f"README.md:{start}: a block of which language?"
                if language != "text":
                    yield Example("README.md", start, "".join(block), commands=language == "sh")
                inside = None
            else:
                inside[2].append(line + "\n")
        elif line.startswith("```"):
            inside = line[3:], number, []
        else:
            for command in INLINE.findall(line):
                yield Example("README.md", number, command + "\n", commands=True, displayed=False)
    assert inside is None, "README.md ends within a block"


def plain(roff):
    """A line as man(1) shows it."""
    return re.sub(r"\\(.)", lambda m: {"e": "\\", "&": "", "-": "-"}[m[1]], roff)


def of_page(name, text):
    """Each display of a page, and each quoted command."""
    inside = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == ".Ed":
            yield Example(name, inside[0], "".join(inside[1]))
            inside = None
        elif inside:
            inside[1].append(plain(line) + "\n")
        elif line.startswith(".Bd "):
            assert line.startswith(".Bd -literal"), f"{name}:{number}: a display that is not literal"
            inside = number, []
        elif line.startswith((".Dl ", ".D1 ")):
            yield Example(name, number, plain(line[4:]) + "\n")
        elif line.startswith(".Ql ipcctl "):
            command = re.sub(r" [.,;:]$", "", plain(line[4:]))
            yield Example(name, number, command + "\n", commands=True, displayed=False)
    assert inside is None, f"{name} ends within a display"


def of_tree(top):
    """All of them."""
    found = list(of_readme(read(top, "README.md")))
    for name in sorted(os.listdir(os.path.join(top, "man"))):
        if re.fullmatch(r".*\.[1-9]", name):
            found += of_page(name, read(top, "man", name))
    return found


# Comparing


# What no two runs have the same: the text says of what form it is.
SHAPES = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    r"\b\d\d:\d\d:\d\d\.\d{3}\b": r"\d\d:\d\d:\d\d\.\d{3}",
    r"\b7f[0-9a-f]{10}-7f[0-9a-f]{10}\b": r"[0-9a-f]{6,16}-[0-9a-f]{6,16}",
    r"\b7f[0-9a-f]{10}\b": r"[0-9a-f]{6,16}",
    r"\.\.\.": ".*",  # what the text leaves out
}
GAP = re.compile(r" {2,}")
HEADING = re.compile(r"[A-Z][A-Z_0-9]*")


def told(text, says):
    """The text with what the scene has in the place of what stands there: {word: word}."""
    if not says:
        return text
    words = "|".join(re.escape(word) for word in sorted(says, key=len, reverse=True))
    return re.sub(rf"(?<![\w.])(?:{words})(?!\w|\.\d)", lambda m: str(says[m[0]]), text)


def pattern(text, says, varies):
    """What such a text may be: as told() has it, but for times and addresses, and for the words in varies, the digits
    of which are any digits, and the unit of a time any unit."""
    pieces = [*SHAPES, *(rf"(?<![\w.]){re.escape(word)}(?!\w|\.\d)" for word in sorted(varies, key=len, reverse=True))]
    out, at = "", 0
    for found in re.finditer("|".join(f"(?:{piece})" for piece in pieces), text):
        out += re.escape(told(text[at:found.start()], says))
        shape = next((shape for piece, shape in SHAPES.items() if re.fullmatch(piece, found[0])), None)
        out += shape or re.sub(r"\\d\+[smhd]$", r"\\d+[smhd]", re.sub(r"\d+", r"\\d+", re.escape(found[0])))
        at = found.end()
    return out + re.escape(told(text[at:], says))


class Row:
    """A line as its cells, which two spaces or more separate, and where each begins and ends."""

    def __init__(self, line):
        self.line, self.cells, self.spans = line, [], []
        for part in re.finditer(r"\S+(?: \S+)*", line):
            self.cells.append(part[0])
            self.spans.append(part.span())

    @property
    def heading(self):
        return len(self.cells) > 1 and all(HEADING.fullmatch(cell) for cell in self.cells)


def layout(rows):
    """Of a table: where it begins, and how each column may be aligned. Columns are two spaces apart."""
    columns = list(zip(*(row.spans for row in rows)))
    for left, right in zip(columns, columns[1:]):
        gap = min(start for start, _ in right) - max(end for _, end in left)
        assert gap == 2, f"{gap} spaces between columns: " + "\n".join(row.line for row in rows)
    alignments = []
    for column in columns:
        starts, ends = {start for start, _ in column}, {end for _, end in column}
        alignments.append({"left"} & {len(starts) == 1 and "left"} | {"right"} & {len(ends) == 1 and "right"})
        assert alignments[-1], "neither flush left nor right: " + "\n".join(row.line for row in rows)
    return min(start for start, _ in columns[0]), alignments


def tables(rows):
    """(first, last + 1) of each heading and what stands in its columns; the lines of no table are one each."""
    at = 0
    while at < len(rows):
        end = at + 1
        while rows[at].heading and end < len(rows) and len(rows[end].cells) == len(rows[at].cells):
            end += 1
        yield at, end
        at = end


def compare(wanted, got, says=(), varies=()):
    """Demands that lines are those of the text: the same cells in the same columns. `...` stands for what the text
    leaves out; a line of that is any number of lines."""
    whole = "\n".join(["", *wanted, "--- is ---", *got])
    at = 0
    for piece, last in pieces(wanted):
        starts = [at] if at == 0 and wanted[0] != "..." else range(at, len(got) - len(piece) + 1)
        if last and wanted[-1] != "...":
            starts = [start for start in starts if start == len(got) - len(piece)]
        for start in starts:
            try:
                compare_lines(piece, got[start:start + len(piece)], dict(says), varies)
                break
            except AssertionError as error:
                why = f"{error}"
        else:
            raise AssertionError((why if len(starts) == 1 else "not to be found") + whole)
        at = start + len(piece)
    assert wanted or not got, whole


def pieces(wanted):
    """(lines, whether they are the last) between lines that are left out."""
    found = [[]]
    for line in wanted:
        if line == "...":
            found.append([])
        else:
            found[-1].append(line)
    found = [piece for piece in found if piece]
    return [(piece, piece is found[-1]) for piece in found]


def compare_lines(wanted, got, says, varies):
    assert len(wanted) == len(got), "not as many lines"
    wanted, got = [Row(line) for line in wanted], [Row(line) for line in got]
    for want, have in zip(wanted, got):
        assert len(want.cells) == len(have.cells), f"{want.line!r} is not {have.line!r}"
        for a, b in zip(want.cells, have.cells):
            assert re.fullmatch(pattern(a, says, varies), b), f"{a!r} is not {b!r}"
    for at, end in tables(wanted):
        if end - at > 1:
            (indent, aligned), (really, real) = layout(wanted[at:end]), layout(got[at:end])
            assert indent == really and all(a & b for a, b in zip(aligned, real)), "columns that are not aligned alike"
        else:
            assert gaps(wanted[at].line) == gaps(got[at].line), f"{wanted[at].line!r} is not {got[at].line!r}"


def ordered(wanted, got, says):
    """The lines in the order of the text, by their first cells: for what the kernel tells in any order."""
    def first(line):
        return Row(line).cells[0]

    places = {told(first(line), says): i for i, line in enumerate(wanted)}
    return sorted(got, key=lambda line: places.get(first(line), len(wanted)))


def gaps(line):
    """The spaces between the cells of a line, and before them."""
    return re.match(r" *", line)[0], GAP.findall(line.strip())
