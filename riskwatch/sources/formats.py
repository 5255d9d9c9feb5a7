"""Spreadsheets and Parquet as streams of tables of text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine

from riskwatch.errors import SourceError
from riskwatch.sources.batches import MAX_BATCH_ROWS, Segment
from riskwatch.sources.delimited import check_headers
from riskwatch.sources.text import canonical_table, table_of_rows
from riskwatch.sources.unpack import check_zip_size
from riskwatch.sources.workbook_size import check_workbook

__all__ = ["read_parquet", "read_spreadsheet"]


def read_parquet(path: Path, *, max_bytes: int) -> Iterator[Segment]:
    """Read a Parquet file in batches; dates, numbers and truth values become canonical text.

    Raises
    ------
    SourceError
        If the file is not sound Parquet, repeats a column name, or would unpack to more than `max_bytes`.
    """
    try:
        with pq.ParquetFile(path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            unpacked = sum(group.total_byte_size for group in groups)
            if unpacked > max_bytes:
                raise SourceError(
                    f"would unpack to {unpacked:,} bytes, more than max_bytes = {max_bytes:,}",
                    hint="raise max_bytes in the source's reader if it is genuine",
                )
            names = check_headers(file.schema_arrow.names)
            start = 1
            for batch in file.iter_batches(batch_size=MAX_BATCH_ROWS):
                table = canonical_table(pa.Table.from_batches([batch]).rename_columns(names))
                table.validate(full=True)  # a damaged page may hold bytes that are no text
                yield Segment(table, start)
                start += table.num_rows
            if start == 1:
                yield Segment(pa.table([pa.array([], pa.string()) for _ in names], names=names), 1)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"is not sound Parquet: {str(error).splitlines()[0]}", hint="deliver the file again") from error


def read_spreadsheet(path: Path, *, sheet: str | None, header_row: int, max_bytes: int) -> Iterator[Segment]:
    """Read one sheet of a workbook (.xlsx, .xlsm, .xlsb, .xls, .ods).

    A formula gives the value that the spreadsheet program last saved (an empty cell if it never calculated it). The cells of
    a merged range below the header all get its value, as the reader of the sheet sees it. Blank rows are left out.

    Parameters
    ----------
    path : Path
        A plain file.
    sheet : str or None
        Its name; None for the first sheet.
    header_row : int
        1-based number of the sheet's row with the headers.
    max_bytes : int
        Largest unpacked size, in bytes.

    Raises
    ------
    SourceError
        If the workbook is damaged, protected or too large, the sheet is missing, or its header is missing or doubtful.
    """
    if zipfile.is_zipfile(path):
        check_zip_size(path, max_bytes)
        check_workbook(path, max_bytes)
    with _workbook_errors(), path.open("rb") as stream:
        # By content, not by name: an .xls is often an .xlsx, and an unpacked file has no name.
        workbook = python_calamine.CalamineWorkbook.from_filelike(stream)
        names = workbook.sheet_names
        if sheet is not None and sheet not in names:
            listed = ", ".join(f"{name!r}" for name in names)
            raise SourceError(f'has no sheet "{sheet}"; it has {listed}', hint="see sheet in the reader")
        if not names:
            raise SourceError("the workbook has no sheets", hint="deliver the file again")
        page = workbook.get_sheet_by_name(sheet if sheet is not None else names[0])
        cells = page.to_python(skip_empty_area=False)
        merged = page.merged_cell_ranges or []
    rows = _seen_rows(cells, merged, header_row)
    try:
        header = next(rows)
    except StopIteration:
        raise SourceError(
            f'has no header in row {header_row}: sheet "{page.name}" has {len(cells)} rows',
            hint="see header_row in the reader",
        ) from None
    width = max((position for position, cell in enumerate(header, start=1) if cell != ""), default=0)
    if width == 0:
        raise SourceError(
            f'has no header in row {header_row} of sheet "{page.name}": the row is blank', hint="see header_row in the reader"
        )
    wider = width
    held: list[Sequence[Any]] = []
    columns = list(header)
    start = 1
    for row in rows:
        # A value beyond the last header is kept under a made-up name: nothing that was typed in is dropped.
        wider = max(wider, max((position for position, cell in enumerate(row, start=1) if cell != ""), default=0))
        held.append(row)
        if len(held) == MAX_BATCH_ROWS:
            yield _segment(columns, width, wider, held, start)
            start += len(held)
            held = []
    if held or start == 1:
        yield _segment(columns, width, wider, held, start)


def _segment(header: Sequence[Any], width: int, wider: int, rows: Sequence[Sequence[Any]], start: int) -> Segment:
    names = check_headers([*header[:width], *[None] * (wider - width)], " in the sheet")
    return Segment(table_of_rows(names, [row[:wider] for row in rows]), start)


@contextmanager
def _workbook_errors() -> Iterator[None]:
    """Turn the reader's errors into ours; they may come when the workbook is opened or when a sheet is loaded."""
    try:
        yield
    except python_calamine.PasswordError as error:
        raise SourceError("the workbook is protected by a password", hint="deliver it without one over a protected channel") from error
    except (python_calamine.CalamineError, python_calamine.ZipError, python_calamine.XmlError, OSError, ValueError) as error:
        raise SourceError(f"is not a sound workbook: {error}", hint="open it in a spreadsheet program and save it again") from error


def _seen_rows(cells: Sequence[Sequence[Any]], merged: Sequence[Any], header_row: int) -> Iterator[list[Any]]:
    """Yield the header and the non-blank rows below it, merged ranges filled."""
    starts: dict[int, list[tuple[int, int, int]]] = {}
    for (top, left), (bottom, right) in merged:
        if top >= header_row:
            starts.setdefault(top, []).append((bottom, left, right))
    active: list[tuple[int, int, int, Any]] = []
    for number, line in enumerate(cells):
        if number < header_row - 1:
            continue
        row = list(line)
        active = [merge for merge in active if merge[0] >= number]
        active += [(bottom, left, right, row[left]) for bottom, left, right in starts.get(number, ()) if left < len(row)]
        for _, left, right, value in active:
            stop = min(right + 1, len(row))
            row[left:stop] = [value] * (stop - left)
        if number == header_row - 1 or any(cell != "" for cell in row):
            yield row
