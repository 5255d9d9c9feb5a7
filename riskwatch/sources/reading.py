"""One door to every kind of source: definition in, batches of raw rows and faults out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from riskwatch.definitions.types import FolderReader, HttpReader, SourceDefinition, SqlReader
from riskwatch.errors import SourceError
from riskwatch.sources.adapters import ROW, adapt
from riskwatch.sources.batches import MAX_BATCH_ROWS, Progress, RawBatch, Segment, SourceFault, SourceState, keep_together, rechunk
from riskwatch.sources.folder import FileRows, read_folder
from riskwatch.sources.tools import HttpTools

__all__ = ["open_source"]


def open_source(
    definition: SourceDefinition,
    *,
    root: Path,
    data: Path,
    state: SourceState | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.time,
    tools: HttpTools | None = None,
) -> Iterator[RawBatch | SourceFault]:
    """Read what is new in a source.

    The definition's adapter, if it has one, has already been applied to the rows. Where it makes several rows of one, rows are
    numbered after it, and the column ``_row`` holds the number in the file.

    Parameters
    ----------
    definition : SourceDefinition
        What to read and how.
    root : Path
        Project root; relative paths start here.
    data : Path
        What ``{data}`` in paths stands for.
    state : SourceState, optional
        Where the last pull ended; default: read all.
    progress : callable, optional
        Called with name, amount done and total (None if unknown).
    clock : callable
        Seconds since the epoch, for files that are still being written.
    tools : HttpTools, optional
        Sleep, clock and randomness of the HTTP reader, for tests.

    Yields
    ------
    RawBatch or SourceFault
        Batches of at most 50,000 rows in a fixed order, and a fault for whatever could not be read.

    Raises
    ------
    SourceError
        If the source as a whole cannot be read (or read on): no such folder, server or database unreachable.
    """
    start = state if state is not None else SourceState()
    reader = definition.reader
    if isinstance(reader, FolderReader):
        recipe = _recipe(definition, reader)
        files = read_folder(
            reader, source=definition.name, root=root, data=data, state=start, recipe=recipe, progress=progress, clock=clock
        )
        for part in files:
            if isinstance(part, SourceFault):
                yield part
            else:
                yield from _batches(part, definition)
        return
    # httpx and SQLAlchemy take longer to import than most drop folders to read: only where they are needed.
    if isinstance(reader, SqlReader):
        from riskwatch.sources.sql import read_sql  # noqa: PLC0415

        chunks: Iterator[RawBatch | SourceFault] = read_sql(reader, source=definition.name, state=start, progress=progress, root=root)
    elif isinstance(reader, HttpReader):
        from riskwatch.sources.http_json import read_http  # noqa: PLC0415

        chunks = read_http(reader, source=definition.name, state=start, progress=progress, tools=tools, root=root)
    for chunk in chunks:
        if isinstance(chunk, SourceFault):
            yield chunk
            continue
        try:
            adapted = list(_adapted(rechunk([Segment(chunk.table, chunk.first_row)]), definition))
        except SourceError as error:
            # The chunk is lost to us for now: the cursor must not pass it, so reading ends here.
            raise SourceError(f'source "{definition.name}": {chunk.name}: {error.message}', hint=error.hint) from error
        for position, segment in enumerate(adapted, start=1):
            final = position == len(adapted)
            yield replace(
                chunk, table=segment.table, first_row=segment.first_row, last=chunk.last and final, cursor=chunk.cursor if final else None
            )


def _recipe(definition: SourceDefinition, reader: FolderReader) -> str:
    """Return what decides how a file becomes rows, '' for the defaults.

    It is part of the content key: whoever mends a wrong header_row or adapter gets the files read again.
    """
    settings = {name: getattr(reader, name) for name in ("encoding", "delimiter", "sheet", "header_row")}
    changed: dict[str, object] = {name: value for name, value in settings.items() if value != FolderReader.model_fields[name].default}
    if definition.adapter is not None:
        changed |= {"adapter": definition.adapter, "options": dict(definition.adapter_options)}
    return json.dumps(changed, sort_keys=True, ensure_ascii=False) if changed else ""


def _batches(file: FileRows, definition: SourceDefinition) -> Iterator[RawBatch | SourceFault]:
    """Yield the marked batches of one file, and before its last one a fault for the rows that were refused.

    Whoever stores the last batch has all of the file; so the refused rows must have come before it.
    """
    held: RawBatch | None = None
    try:
        segments = _adapted(rechunk(file.segments), definition)
        if definition.items:
            segments = keep_together(segments, _key_headers(definition))
        for segment in segments:
            if held is not None:
                yield held
            held = RawBatch(definition.name, file.name, file.content_key, segment.table, segment.first_row, None, last=False)
    except (SourceError, OSError) as error:
        # The last batch is handed on without its mark: the content counts as not read to the end.
        if held is not None:
            yield held
        message, hint = (error.message, error.hint) if isinstance(error, SourceError) else _of_system(error)
        yield SourceFault(definition.name, file.name, message, hint, "unreadable" if held is None else "incomplete")
        return
    hint = "correct these rows and deliver the file again: rows that did not change are not doubled"
    if file.bad.total:
        yield SourceFault(definition.name, file.name, file.bad.summary(), hint, "rows", tuple(file.bad.rows))
    if file.bad.dropped:
        # Without its mark the content counts as not read to the end: the fault comes back until the file is mended.
        message = f"{file.bad.dropped:,} of its refused rows are too many to keep: they are nowhere but in the file"
        yield SourceFault(definition.name, file.name, message, hint, "incomplete")
    if held is not None:
        yield replace(held, last=not file.bad.dropped)


def _of_system(error: OSError) -> tuple[str, str]:
    """Put an error of disk or network into words, without the path of a temporary file."""
    return f"cannot be read: {error.strerror or type(error).__name__}", "check the disk (also the temporary folder, TMPDIR) and permissions"


def _key_headers(definition: SourceDefinition) -> list[tuple[str, ...]]:
    """Return the possible raw headers of each part of the key."""
    named = [definition.columns.get(field, field) for field in definition.key]
    return [(headers,) if isinstance(headers, str) else headers for headers in named]


def _adapted(segments: Iterator[Segment] | Sequence[Segment], definition: SourceDefinition) -> Iterator[Segment]:
    """Apply the definition's adapter; keep every piece within the batch size without tearing one raw row's rows apart."""
    if definition.adapter is None:
        yield from segments
        return
    number = 1
    for segment in segments:
        pieces = [segment]
        while pieces:
            piece = pieces.pop(0)
            table = adapt(piece.table, definition.adapter, definition.adapter_options)
            rows = piece.table.num_rows
            if table.num_rows > MAX_BATCH_ROWS and rows > 1:
                half = rows // 2
                pieces[:0] = [
                    Segment(piece.table.slice(0, half), piece.first_row),
                    Segment(piece.table.slice(half), piece.first_row + half),
                ]
                continue
            if ROW in table.column_names:
                position = table.column_names.index(ROW)
                absolute = pa.array([str(int(value) + piece.first_row) for value in table.column(ROW).to_pylist()], pa.string())
                yield Segment(table.set_column(position, ROW, absolute), number)
                number += table.num_rows
            else:
                yield Segment(table, piece.first_row)
