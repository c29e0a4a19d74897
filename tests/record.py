#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs commands on a terminal of 100 columns and keeps what it then shows, as a picture:

    tests/scene.py tests/record.py man/terminal.svg 'ipcctl list --quiet' 'ipcctl waits --deadlocks --quiet' 'ipcctl clean --quiet'

Needs Rich (Debian: python3-rich)."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import rich.console
import rich.terminal_theme
import rich.text

COLUMNS = 100


def shown(command):
    """What the command writes to a terminal, with its colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "PATH": os.getcwd() + ":" + os.environ["PATH"]}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=environment):
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            text += piece
    os.close(master)
    return text.decode("utf-8").replace("\r\n", "\n")


def main(path, *commands):
    console = rich.console.Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in commands:
        console.print(rich.text.Text(f"$ {command}", style="bold"))
        console.print(rich.text.Text.from_ansi(shown(command).rstrip("\n") + "\n"))
    picture = console.export_svg(title="ipcctl", theme=rich.terminal_theme.SVG_EXPORT_THEME)
    # Its font is to be that of whoever looks at it, and from nowhere else; most are narrower.
    picture = re.sub(r"@font-face \{.*?\}\n", "", picture, flags=re.S).replace("Fira Code, ", "")
    picture = picture.replace("Fira Code", "monospace").replace("font-size: 20px", "font-size: 20.3px")
    picture = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r"[ \t]+\n", "\n", re.sub(r"\n\s*\n+", "\n", picture)))


if __name__ == "__main__":
    main(*sys.argv[1:])
