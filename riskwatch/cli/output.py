"""What the command line prints: tables and plain lines for people, JSON for scripts, progress on a terminal."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from unicodedata import category

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from riskwatch.digest.privacy import guarded, guarded_parts
from riskwatch.redaction import redacted, without_secrets
from riskwatch.runner.progress import Reporter

__all__ = ["cell_text", "console", "errors", "plain_rows", "print_json", "print_table", "print_text", "reporter"]

# Control, format (bidirectional overrides among them), surrogate, line and paragraph separators.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (dt.date, dt.datetime, Path)):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"cannot print {type(value).__name__} as JSON")


def print_json(value: object, *, internal: bool = False) -> None:
    """Print ``value`` as JSON on standard output, Chinese unescaped.

    Texts are guarded as those of a digest are, unless ``internal``: what a command shows of enterprises, raw rows or the installation
    itself is for those who work there, and not to be passed on (docs/security.md lists the commands).
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    if not internal:
        text = json.dumps(guarded_parts(json.loads(text)), ensure_ascii=False, indent=2)
    sys.stdout.write(without_secrets(text) + "\n")


def print_text(text: str) -> None:
    """Print lines for readers, guarded as those of a digest are."""
    sys.stdout.write("".join(cell_text(guarded(line)) + "\n" for line in text.removesuffix("\n").split("\n")))


def plain_rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a frame for JSON: days as text, missing values as null."""
    plain = frame.copy()
    for name in plain.select_dtypes("datetime").columns:
        plain[name] = plain[name].dt.strftime("%Y-%m-%d")
    rows = plain.astype(object).where(plain.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def cell_text(cell: object) -> str:
    """Return a cell on one line, without secrets and without characters that steer a terminal or reverse the order of letters.

    Names and narratives come from files that others wrote: a colour code in one must not repaint the screen, nor a tab make a column.
    """
    text = "" if cell is None else without_secrets(str(cell))
    return "".join(" " if category(char) in _STEERING else char for char in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "", internal: bool = False) -> None:
    """Print rows as a table on a terminal, tab-separated otherwise; guarded as :func:`print_json` says, unless ``internal``."""
    if not internal:
        rows = [[guarded_parts(cell, column) for column, cell in zip(columns, row, strict=True)] for row in rows]
    if not console.is_terminal:
        if title:
            sys.stdout.write(f"# {title}\n")
        for row in (columns, *rows):
            sys.stdout.write("\t".join(map(cell_text, row)) + "\n")
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell_text(cell)) for cell in row))
    console.print(table)


class _Terminal(Reporter):
    """Progress bars on standard error."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextlib.contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[_TerminalTask]:
        number = self._progress.add_task(label, total=total)
        try:
            yield _TerminalTask(self._progress, number)
        finally:
            task = self._progress.tasks[self._progress.task_ids.index(number)]
            self._progress.update(number, total=task.completed or 1, completed=task.completed or 1)

    def say(self, message: str) -> None:
        # As a text: a message may hold brackets, which rich would read as markup.
        self._progress.console.print(Text(_lines(message)), highlight=False)


def _lines(message: str) -> str:
    return "\n".join(map(cell_text, redacted(message).split("\n")))


class _TerminalTask:
    def __init__(self, progress: Progress, number: object) -> None:
        self._progress = progress
        self._number = number

    def advance(self, by: int = 1) -> None:
        self._progress.advance(self._number, by)  # type: ignore[arg-type] # rich's TaskID is an int under a NewType


class _Lines(Reporter):
    """One plain line for each finished task: for logs and cron mail."""

    def say(self, message: str) -> None:
        sys.stderr.write(_lines(message) + "\n")


@contextlib.contextmanager
def reporter(*, quiet: bool = False) -> Iterator[Reporter]:
    """Progress bars on a terminal, plain lines otherwise, nothing if ``quiet``."""
    if quiet:
        yield Reporter()
    elif errors.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=errors, transient=False) as progress:
            yield _Terminal(progress)
    else:
        yield _Lines()
