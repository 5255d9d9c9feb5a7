"""What a source hands over: batches of raw rows, faults, and the state that reading starts from.

A batch is a table of text as it was found; nothing has been judged yet. A fault is something that could not be read: it
travels in the same stream, so that one broken file never hides the good ones and is never lost itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "MAX_BATCH_ROWS",
    "BadRow",
    "Progress",
    "RawBatch",
    "Segment",
    "SourceFault",
    "SourceState",
    "keep_together",
    "rechunk",
]

MAX_BATCH_ROWS = 50_000

# Called with the name of what is being read, how much of it is done, and its total where that is known (bytes for files,
# rows for queries, pages for HTTP).
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class SourceState:
    """Where the last pull of a source ended.

    Attributes
    ----------
    cursor : str or None
        Cursor of the newest batch that was stored whole; opaque outside this package.
    seen_keys : frozenset of str
        Content keys (sha256) that were read to their end before; such content is skipped.
    """

    cursor: str | None = None
    seen_keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RawBatch:
    """At most 50,000 raw rows of one source.

    Attributes
    ----------
    source : str
        Name of the source definition.
    name : str
        File (with the member, for archives), chunk or page.
    content_key : str
        sha256 in hex of the content that the rows come from (and of how it is read, where that is not the default); all batches
        of a file share it.
    table : pyarrow.Table
        All columns are strings; null where a cell was empty. Headers as found.
    first_row : int
        1-based number of the first row of this batch among the rows of its content.
    cursor : str or None
        Cursor to store once this batch is stored; None: leave the stored one as it is.
    last : bool
        True on the last batch of its content. Content whose last batch never came was not read to the end
        and must not be remembered as seen.
    """

    source: str
    name: str
    content_key: str
    table: pa.Table
    first_row: int
    cursor: str | None
    last: bool


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that has no place in a table (too many cells, say), kept as text so that it is not lost."""

    row_no: int
    text: str
    message: str


@dataclass(frozen=True, slots=True)
class SourceFault:
    """Something in a source that could not be read; reading went on with the rest.

    Attributes
    ----------
    source, name : str
        Source, and the file, member or page.
    message : str
        What was asked, the rule and the value found.
    hint : str
        What to do about it.
    kind : {"unreadable", "rows", "settling", "incomplete"}
        The whole content was refused; single rows were refused (they are in `rows`); a file is still being written and
        is left for the next pull; or reading stopped before the end.
    rows : tuple of BadRow
        The refused rows with their whole text; what is too much to keep is told by a fault of its own.
    """

    source: str
    name: str
    message: str
    hint: str = ""
    kind: Literal["unreadable", "rows", "settling", "incomplete"] = "unreadable"
    rows: tuple[BadRow, ...] = ()

    def __str__(self) -> str:
        text = f'source "{self.source}": {self.name}: {self.message}'
        return f"{text}\nHint: {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive rows of one file: a table of text and the 1-based number of its first row."""

    table: pa.Table
    first_row: int


def rechunk(segments: Iterable[Segment], rows: int = MAX_BATCH_ROWS) -> Iterator[Segment]:
    """Cut and join consecutive segments so that each has at most `rows` rows and small ones are not handed on singly.

    Where no segment has rows, the first one (the header of a file without data) is handed on as it is.
    """
    held: list[pa.Table] = []
    held_rows = 0
    start = 1
    header: Segment | None = None
    any_rows = False
    for segment in segments:
        if segment.table.num_rows == 0:
            header = header or segment
            continue
        any_rows = True
        follows = held and segment.first_row == start + held_rows and segment.table.column_names == held[0].column_names
        if held and not follows:
            yield Segment(pa.concat_tables(held), start)
            held, held_rows = [], 0
        if not held:
            start = segment.first_row
        table = segment.table
        while held_rows + table.num_rows >= rows:
            take = rows - held_rows
            yield Segment(pa.concat_tables([*held, table.slice(0, take)]), start)
            start += rows
            table = table.slice(take)
            held, held_rows = [], 0
        if table.num_rows:
            held.append(table)
            held_rows += table.num_rows
    if held:
        yield Segment(pa.concat_tables(held), start)
    elif header is not None and not any_rows:
        yield header


def keep_together(segments: Iterable[Segment], headers: Sequence[Sequence[str]]) -> Iterator[Segment]:
    """Move the tail of a segment to the next where both belong to one key.

    A sample whose test items stand on several neighbouring rows must not be torn in two by a batch boundary.

    Parameters
    ----------
    segments : iterable of Segment
        At most ``MAX_BATCH_ROWS`` rows each.
    headers : sequence of sequences of str
        For each part of the key its possible headers. Segments that lack a part pass unchanged.
    """
    held: Segment | None = None
    for segment in segments:
        if held is None:
            held = segment
            continue
        follows = held.first_row + held.table.num_rows == segment.first_row and held.table.column_names == segment.table.column_names
        tail = _tail_rows(held.table, headers) if follows else 0
        split = held.table.num_rows - tail
        # A key that fills a whole batch is handed on as it is: holding it back would never end.
        if tail == 0 or split == 0:
            yield held
            held = segment
            continue
        yield Segment(held.table.slice(0, split), held.first_row)
        moved = Segment(pa.concat_tables([held.table.slice(split), segment.table]), held.first_row + split)
        *full, held = _cut(moved)
        yield from full
    if held is not None:
        yield held


def _cut(segment: Segment) -> list[Segment]:
    """Cut a segment into pieces of at most ``MAX_BATCH_ROWS`` rows."""
    starts = range(0, segment.table.num_rows, MAX_BATCH_ROWS)
    return [Segment(segment.table.slice(start, MAX_BATCH_ROWS), segment.first_row + start) for start in starts]


def _tail_rows(table: pa.Table, headers: Sequence[Sequence[str]]) -> int:
    """Count the rows at the end of `table` that share one key."""
    present = [next((name for name in names if name in table.column_names), None) for names in headers]
    if table.num_rows == 0 or not present or None in present:
        return 0
    same: Any = None
    for header in present:
        column = table.column(header)
        last = column[table.num_rows - 1]
        equal = pc.equal(column, last) if last.is_valid else pc.is_null(column)
        equal = pc.fill_null(equal, False)
        same = equal if same is None else pc.and_(same, equal)
    flags = same.combine_chunks() if isinstance(same, pa.ChunkedArray) else same
    values = flags.to_numpy(zero_copy_only=False)
    breaks = (~values).nonzero()[0]
    return int(table.num_rows if breaks.size == 0 else table.num_rows - 1 - breaks[-1])
