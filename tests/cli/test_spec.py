# SPDX-License-Identifier: MIT
"""The tree keeps its own rules: documents and program agree both ways, includes run
one way, files and functions stay small."""

import os
import re

import pytest

COMMANDS = ["list", "describe", "create", "remove", "clean", "limits", "waits", "metrics", "check", "graph", "watch",
            "summary", "kinds", "help", "version"]


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


# Manual pages (mdoc)


def page(top, name):
    path = os.path.join(top, "man", name)
    assert os.path.exists(path), f"man/{name} is missing"
    return read(path)


def mdoc_text(text):
    """The page without comments."""
    return "\n".join(line for line in text.splitlines() if not line.startswith('.\\"'))


def mdoc_options(text):
    """Long options that a page documents: `Fl -name` (mdoc writes --name so)."""
    # roff spells a dash inside a word \- in some pages.
    return {"--" + name.replace("\\-", "-") for name in
            re.findall(r"\bFl (?:[A-Za-z0-9] , Fl |Fl )?-((?:\w|\\?-)+)", mdoc_text(text))}


def help_options(ipcctl, *words):
    """Long options that --help tells; for create those of every kind."""
    options = set(re.findall(r"^ {2,6}(?:-., )?(--[a-z-]+)", ipcctl(*words, "--help").text, re.M))
    if words == ("create",):
        for kind in ipcctl.json("kinds")["kinds"]:
            if kind["built"]:
                options |= help_options(ipcctl, "create", kind["kind"])
    return options


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_in_the_manual(ipcctl, top, command):
    documented = mdoc_options(page(top, f"ipcctl-{command}.1")) | mdoc_options(page(top, "ipcctl.1"))
    missing = help_options(ipcctl, command) - documented
    assert not missing, f"not in ipcctl-{command}.1 or ipcctl.1: {missing}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_manual_exists(ipcctl, top, command):
    documented = mdoc_options(page(top, f"ipcctl-{command}.1"))
    surplus = documented - help_options(ipcctl, command)
    assert not surplus, f"ipcctl {command} has no such option: {surplus}"


def test_every_option_of_the_main_page_exists(ipcctl, top):
    anywhere = set().union(*(help_options(ipcctl, command) for command in COMMANDS)) | help_options(ipcctl)
    # The page speaks of options as such: --option=argument.
    surplus = mdoc_options(page(top, "ipcctl.1")) - anywhere - {"--option"}
    assert not surplus, surplus


def test_letters_of_the_manual_are_the_programs(ipcctl, top):
    """-J is --json in both."""
    for command in COMMANDS:
        helped = set(re.findall(r"^  -(.), --([a-z-]+)", ipcctl(command, "--help").text, re.M))
        text = mdoc_text(page(top, f"ipcctl-{command}.1") + page(top, "ipcctl.1"))
        documented = set(re.findall(r"\bFl ([A-Za-z0-9]) , Fl -([a-z-]+)", text))
        names = {name: letter for letter, name in helped}
        for letter, name in documented:
            if name in names:
                assert names[name] == letter, (command, letter, name)


def test_every_command_is_in_the_manual(ipcctl, top):
    main = mdoc_text(page(top, "ipcctl.1"))
    offered = [line.split("\t")[0] for line in ipcctl("__complete", "--", "").lines]
    commands = [word for word in offered if not word.startswith("-")]
    assert set(commands) == set(COMMANDS)
    for command in commands:
        assert re.search(rf"\bipcctl-{command} 1|Cm {command}\b", main), command
    pages = {name for name in os.listdir(os.path.join(top, "man"))}
    assert {name for name in pages if re.fullmatch(r"ipcctl-[a-z]+\.1", name)} == {
        f"ipcctl-{command}.1" for command in commands}
    assert {"ipcctl.1", "ipcctl-kinds.7", "ipcctl-json.5"} <= pages


def schema_fields(ipcctl):
    """kind -> its fields, with the fields of lists as list.field; without RFC 3339 twins."""
    out = {}
    for kind, definition in ipcctl("kinds", "--json-schema").json()["$defs"].items():
        fields = set()
        for name, property in definition["properties"].items():
            if name.endswith("_rfc3339"):
                continue
            fields.add(name)
            if "items" in property:
                fields.update(inner for inner in property["items"]["properties"] if not inner.endswith("_rfc3339"))
        out[kind] = fields
    return out


def manual_fields(text):
    """Fields that a page documents: list items tagged with Va, as `.It Va size`."""
    return set(re.findall(r"^\.It Va (\S+)", mdoc_text(text), re.M))


def sections(text):
    """Sections and subsections of a page by title, lower case."""
    out, title = {}, ""
    for line in mdoc_text(text).splitlines():
        if line.startswith((".Sh ", ".Ss ")):
            title = line[4:].strip().strip('"').lower()
        out[title] = out.get(title, "") + line + "\n"
    return out


def test_every_field_is_in_the_manual(ipcctl, top):
    documented = manual_fields(page(top, "ipcctl-kinds.7"))
    for kind, fields in schema_fields(ipcctl).items():
        assert not fields - documented, (kind, fields - documented)


def test_every_field_of_the_manual_exists(ipcctl, top):
    known = set().union(*schema_fields(ipcctl).values())
    surplus = manual_fields(page(top, "ipcctl-kinds.7")) - known
    assert not surplus, surplus


def test_every_kind_is_in_the_manual(ipcctl, top):
    text = mdoc_text(page(top, "ipcctl-kinds.7"))
    for row in ipcctl.json("kinds")["kinds"]:
        assert row["kind"] in text, row["kind"]


def test_the_json_page_has_every_key_of_the_document(ipcctl, top):
    text = page(top, "ipcctl-json.5")
    schema = ipcctl("kinds", "--json-schema").json()
    for key in schema["properties"]:
        assert re.search(rf"\b{key}\b", text), key


def test_installed_names_agree(top):
    """make install copies what is there: three shims and all pages."""
    assert set(os.listdir(os.path.join(top, "completions"))) == {"ipcctl.bash", "_ipcctl", "ipcctl.fish"}
    for name in os.listdir(os.path.join(top, "completions")):
        text = read(top, "completions", name)
        assert "__complete" in text and len(text.splitlines()) < 40, name


# The tree

ALLOWED = {"Makefile", "src", "man", "completions", "tests", "README.md", ".ci", ".debian", ".gitignore",
           ".editorconfig", ".clang-format", ".clang-tidy"}
SCRIPTS = {"run", "lint", "coverage", "seeds", "bare", "packaging"}
MADE = {"build", "dist", "ipcctl", ".git", "compile_commands.json"}


def test_top_level(top):
    there = set(os.listdir(top)) - MADE
    assert there <= ALLOWED, there - ALLOWED
    assert ALLOWED <= there, ALLOWED - there


# A directory may include itself and those named.
INCLUDES = {
    "lib": set(),
    "model": {"lib"},
    "scan": {"lib", "model"},
    "kind": {"lib", "model", "scan"},
    "render": {"lib", "model"},
    "cmd": {"lib", "model", "scan", "kind", "render"},
    "": {"lib", "model", "scan", "kind", "render", "cmd"},  # main.c
}


def include_violations(sources):
    """sources: path below src -> text. Includes that run the wrong way, or by no full path."""
    out = []
    for path, text in sources.items():
        directory = os.path.dirname(path)
        for included in re.findall(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', text, re.M):
            target = os.path.dirname(included)
            if target != directory and target not in INCLUDES[directory] or not target:
                out.append(f"{path} includes {included}")
    return out


def include_cycles(sources):
    """sources: path below src -> text. Each way round through directories that includes go, and through files."""
    edges = {}
    for path, text in sources.items():
        for included in re.findall(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', text, re.M):
            edges.setdefault(path, set()).add(included)
            if os.path.dirname(path) != os.path.dirname(included):
                # No file's path ends with a slash.
                edges.setdefault(os.path.dirname(path) + "/", set()).add(os.path.dirname(included) + "/")
    cycles, done = [], set()

    def visit(node, way):
        if node in way:
            cycles.append([*way[way.index(node):], node])
        elif node not in done:
            for target in sorted(edges.get(node, ())):
                visit(target, [*way, node])
            done.add(node)

    for node in sorted(edges):
        visit(node, [])
    return cycles


def sources(top):
    out = {}
    for root, _, names in os.walk(os.path.join(top, "src")):
        for name in names:
            if name.endswith((".c", ".h")):
                path = os.path.join(root, name)
                out[os.path.relpath(path, os.path.join(top, "src"))] = read(path)
    assert len(out) > 20
    return out


def test_directories(top):
    found = {os.path.dirname(path) for path in sources(top)}
    assert found == set(INCLUDES), found ^ set(INCLUDES)


def test_include_directions(top):
    assert include_violations(sources(top)) == []


def test_no_include_cycles(top):
    assert include_cycles(sources(top)) == []


def test_allowed_includes_have_no_cycle():
    """Whatever INCLUDES comes to allow: no directory is reached from itself."""
    allowed = {f"{directory}/x.h".lstrip("/"): "".join(f'#include "{target}/x.h"\n' for target in targets)
               for directory, targets in INCLUDES.items()}
    assert include_cycles(allowed) == []
    allowed["lib/x.h"] = '#include "kind/x.h"\n'
    assert include_cycles(allowed)


def test_cycle_test_finds_cycles():
    """Through two directories, through three, by different files, and within one directory."""
    def cycle(**files):
        return include_cycles({name.replace("_", "/") + ".h": "".join(
            f'#include "{target.replace("_", "/")}.h"\n' for target in targets) for name, targets in files.items()})

    assert not cycle(scan_a=["lib_x", "model_m"], model_m=["lib_x"], lib_x=[])
    assert cycle(scan_a=["lib_x"], lib_y=["scan_b"]) == [["lib/", "scan/", "lib/"]]
    assert cycle(kind_a=["scan_b"], scan_c=["model_d"], model_e=["kind_f"])
    assert cycle(scan_a=["scan_b"], scan_b=["scan_a"]) == [["scan/a.h", "scan/b.h", "scan/a.h"]]
    assert cycle(scan_a=["scan_a"])


def test_include_test_finds_violations():
    """The check itself: each wrong direction is seen, each right one is not."""
    for directory in INCLUDES:
        for target in INCLUDES:
            if not target:
                continue
            name = f"{directory}/x.c".lstrip("/")
            wrong = bool(include_violations({name: f'#include "{target}/y.h"\n'}))
            assert wrong is (target != directory and target not in INCLUDES[directory]), (directory, target)
    assert include_violations({"lib/x.c": '\t# include "y.h"'})
    assert include_violations({"lib/x.c": '#include "../kind/kind.h"'})


def function_lengths(text):
    """(name, lines) of each function, by the layout that .clang-format gives: a brace
    in the first column opens it and another closes it."""
    lines, start = text.splitlines(), None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            head = start
            while head > 0 and lines[head - 1].strip() and not lines[head - 1].startswith(("}", "#", "/", " *")):
                head -= 1
            yield lines[head], number - head + 1
            start = None


def test_files_and_functions_stay_small(top):
    for path, text in sources(top).items():
        assert len(text.splitlines()) <= 400, f"src/{path}: {len(text.splitlines())} lines"
        for head, length in function_lengths(text):
            assert length <= 60, f"src/{path}: {length} lines: {head}"


def test_function_lengths_are_measured():
    text = "static int f(int a,\n\t     int b)\n{\n\treturn a;\n}\n\nint g(void)\n{\n" + "\tx();\n" * 90 + "}\n"
    assert [(head.split("(")[0], n) for head, n in function_lengths(text)] == [("static int f", 5), ("int g", 93)]


def test_every_file_says_its_license(top):
    for root, directories, names in os.walk(top):
        directories[:] = [d for d in directories if d not in MADE | {"__pycache__"}]
        for name in names:
            if name.endswith((".c", ".h", ".py", ".sh", ".mk", ".bash", ".fish")) or name in SCRIPTS:
                path = os.path.join(root, name)
                assert "SPDX-License-Identifier: MIT" in read(path)[:200], path


def test_commands_name_no_kinds(top):
    """Commands and renderers know records and fields; a kind's name in them is a special case."""
    names = r"sysv[-_](shm|sem|msg)|posix[-_](shm|sem|mq)"
    for path, text in sources(top).items():
        if path.startswith(("cmd/", "render/", "model/", "lib/")):
            code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
            # Words that are only shown to people may give examples.
            code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', code)
            assert not re.search(names, code), path


def test_no_mutable_globals(top):
    """Variables at file level are const (or functions, or tables of const)."""
    for path, text in sources(top).items():
        if not path.endswith(".c"):
            continue
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for line in re.findall(r"^(?:static )?(?!.*\bconst\b)(?:unsigned |struct \w+ |int |char |bool |size_t |uint\w+_t )"
                               r"[^()=;{]*(?:=|;)", text, re.M):
            pytest.fail(f"src/{path}: {line}")


# README


def test_readme_has_two_commands(top):
    text = read(top, "README.md")
    assert "make deps deps-test check" in text
    assert re.search(r"^\s*(\$ |# )?make deps\b.*ipcctl", text, re.M)


def test_ci_runs_the_readmes_command(top):
    script = read(top, ".ci", "run")
    assert "README.md" in script and re.search(r'^variant "[^"]+" readme_test$', script, re.M)
    assert re.search(r"^\tCOVERAGE=1 bash -c ", script, re.M), "no run counts lines"
    assert "make deps deps-test check" in read(top, "README.md")
    assert os.access(os.path.join(top, ".ci", "run"), os.X_OK)


def test_make_help_lists_targets(top):
    makefile = read(top, "Makefile") + read(top, "tests", "tests.mk")
    for target in ("all", "check", "install", "uninstall", "sanitize", "coverage", "lint", "clean", "help", "deps",
                   "deps-test"):
        assert re.search(rf"^{target}:.*## \S", makefile, re.M), target
