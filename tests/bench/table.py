# SPDX-License-Identifier: MIT
"""The one table of the bench: a row for each job and a column for each size, jobs of one command together."""

import itertools
from typing import Iterator

from jobs import JOBS, SIZES, Job
from timing import Cell

Cells = dict[tuple[int, str], Cell]  # by the number of the job, and the size
KEY = """\
over X: how many times as long as X it takes; quicker than X: how many times as quick as X it is;
the median of the rounds (least..most), then the memory that X took. A floor does the bare system calls of that job."""


def verdict(cells: list[Cell]) -> str:
    judged = [cell.met for cell in cells if cell.met is not None]
    if any(cell.failed for cell in cells):
        return "FAILED"
    return "" if not judged else "met" if all(judged) else "MISSED"


def row_of(job: Job, cells: dict[str, Cell]) -> tuple[str, ...]:
    def text(size: str) -> str:
        cell = cells.get(size)
        return f"{cell.figure} {cell.memory}".strip() if cell else ""

    columns = [text(size) for size in SIZES]
    columns[-1] = columns[-1] or text("double")
    return (f"  {job.name()}", *columns, job.target(), verdict(list(cells.values())))


def rows_of(cells: Cells) -> Iterator[tuple[str, ...]]:
    """A heading is a row of one column."""
    numbers = sorted({number for number, _ in cells})
    for group, members in itertools.groupby(numbers, key=lambda number: JOBS[number].group()):
        yield (group,)
        for number in members:
            yield row_of(JOBS[number], {size: cell for (other, size), cell in cells.items() if other == number})


def show(cells: Cells) -> None:
    rows = [("", *SIZES, "target", ""), *rows_of(cells)]
    widths = [max(len(row[column]) for row in rows if len(row) > 1) for column in range(len(rows[0]))]
    print(KEY + "\n")
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() if len(row) > 1 else row[0])
    print()
    for (number, size), cell in sorted(cells.items()):
        if cell.note:
            print(f"{JOBS[number].load_of(size)}: {JOBS[number].ours}: {JOBS[number].name()}: {cell.note}")
    counted = [cell for cell in cells.values() if cell.met is not None]
    print(f"targets: {sum(cell.met is True for cell in counted)} met, {sum(cell.met is False for cell in counted)} "
          f"missed; {sum(cell.failed for cell in cells.values())} failed, "
          f"{sum(cell.figure == '-' for cell in cells.values())} skipped")
