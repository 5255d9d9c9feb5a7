"""How large a workbook becomes in memory, told before it is loaded.

The reader lays a sheet out as a rectangle from its first to its last cell: a file of five kilobytes with one cell in the last corner asks
for half a terabyte and brings the process down. So the parts of the container are gone through first, in pieces: their true sizes (the
checksum tells where the stated one is a lie), and the last row and column of each sheet. Nothing is parsed as XML: no entity is expanded.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from riskwatch.errors import SourceError

__all__ = ["MAX_CELLS", "check_workbook"]

MAX_CELLS = 30_000_000
"""Cells of the rectangle that a sheet spans; about 1 GB in memory."""

_CHUNK = 1 << 20
_LONGEST_TAG = 4096
_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\br\s*=\s*["']([A-Za-z]{1,3})(\d{1,7})["']""")
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^>]*?\br\s*=\s*["'](\d{1,7})["']""")
_ODS_ROW = re.compile(rb"</?(?:\w+:)?(table-row|table-cell|covered-table-cell|table)\b([^>]*)>")
_REPEATED = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["'](\d+)["']""")
_VALUE = re.compile(rb"""(?:value-type|formula)\s*=""")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def check_workbook(path: Path, max_bytes: int) -> None:
    """Refuse a workbook in a zip container (.xlsx, .xlsm, .xlsb, .ods) that would become too large.

    Parameters
    ----------
    path : Path
        A zip container.
    max_bytes : int
        Largest size of all parts together, unpacked, in bytes.

    Raises
    ------
    SourceError
        If a part is damaged or larger than it says, all parts are larger than ``max_bytes``, or a sheet spans more than
        :data:`MAX_CELLS` cells.
    """
    left = max_bytes
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as stream:
                    pieces = _counted(stream, left, max_bytes)
                    name = entry.filename.lower()
                    if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                        _check(entry.filename, *_extent_xlsx(pieces))
                    elif name.startswith("xl/worksheets/") and name.endswith(".bin"):
                        _check(entry.filename, *_extent_xlsb(pieces))
                    elif name == "content.xml":
                        _check(entry.filename, *_extent_ods(pieces))
                    for _ in pieces:
                        pass
                left -= entry.file_size
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceError(f"is not a sound workbook: {error}", hint="open it in a spreadsheet program and save it again") from error


def _counted(stream: _Readable, left: int, limit: int) -> Iterator[bytes]:
    while piece := stream.read(_CHUNK):
        left -= len(piece)
        if left < 0:
            raise SourceError(
                f"would unpack to more than max_bytes = {limit:,}", hint="raise max_bytes in the source's reader if it is genuine"
            )
        yield piece


def _check(part: str, rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        raise SourceError(
            f"{part} spans {rows:,} rows x {columns:,} columns, more than {MAX_CELLS:,} cells",
            hint="delete stray cells far below or right of the table, or deliver it as CSV",
        )


def _windows(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces that end at the end of a tag; what is cut waits for the next."""
    rest = b""
    for piece in pieces:
        text = rest + piece
        end = text.rfind(b">") + 1
        # A tag of more than a few kilobytes is none that is looked for.
        rest = text[end:][-_LONGEST_TAG:]
        yield text[:end]
    yield rest


def _extent_xlsx(pieces: Iterator[bytes]) -> tuple[int, int]:
    rows, columns = 0, 0
    for text in _windows(pieces):
        found = _CELL.findall(text)
        rows = max([rows, *(int(row) for _, row in found), *map(int, _ROW.findall(text))])
        columns = max([columns, *map(_column, {letters for letters, _ in found})])
    return rows, columns


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _extent_xlsb(pieces: Iterator[bytes]) -> tuple[int, int]:
    """Return last row and column of a binary sheet: records of type, length and content (MS-XLSB, 2.1.4)."""
    rows, columns = 0, 0
    held = b"".join(pieces)
    place = 0
    while place < len(held):
        kind, place = _number(held, place, 2)
        size, place = _number(held, place, 4)
        if kind == 0:  # BrtRowHdr: the row
            rows = max(rows, int.from_bytes(held[place : place + 4], "little") + 1)
        elif 1 <= kind <= 11:  # BrtCell…: the column
            columns = max(columns, int.from_bytes(held[place : place + 4], "little") + 1)
        place += size
    return rows, columns


def _number(held: bytes, place: int, longest: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and the place behind it."""
    value = 0
    for position in range(longest):
        byte = held[place + position] if place + position < len(held) else 0
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value, place + position + 1
    return value, place + longest


def _extent_ods(pieces: Iterator[bytes]) -> tuple[int, int]:
    """Return rows and columns of the largest table; repeated rows and cells count as often as they are repeated, empty ends do not."""
    most = (0, 0)
    rows = last_row = columns = here = last = repeated = 0
    for text in _windows(pieces):
        for tag in _ODS_ROW.finditer(text):
            name, attributes = tag.groups()
            times = int(found.group(1)) if (found := _REPEATED.search(attributes)) else 1
            if tag.group().startswith(b"</"):
                if name == b"table-row":
                    rows += repeated
                    last_row = rows if last else last_row
                elif name == b"table":
                    most = max(most, (last_row, columns), key=lambda pair: pair[0] * pair[1])
                    rows = last_row = columns = 0
            elif name == b"table-row":
                repeated, here, last = times, 0, 0
                if attributes.endswith(b"/"):
                    rows += times
            elif name != b"table":
                here += times
                if _VALUE.search(attributes):
                    last, columns = here, max(columns, here)
    return max(most, (last_row, columns), key=lambda pair: pair[0] * pair[1])
