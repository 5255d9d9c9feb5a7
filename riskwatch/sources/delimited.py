"""Delimited text (CSV): strict encodings, quoted newlines, every column text, and no row lost.

The encoding is decided before the first row is read, over the whole file: UTF-8 (with or without a byte-order mark), else
GB18030, the Chinese national standard (GB 18030-2022) that GBK and GB2312 are parts of.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from riskwatch.errors import SourceError
from riskwatch.sources.batches import BadRow, Segment

__all__ = ["BadRows", "check_headers", "decide_encoding", "read_delimited"]

_PIECE = 1 << 20
# A row must fit into one block: a cell of a million characters takes up to 4 MB.
_BLOCK = 4 << 20
# So many characters beyond ASCII do not happen to be valid UTF-8 in a GB18030 text.
_SURELY_UTF8 = 20
# Refused rows are held in memory until the file is read: so many characters of them at most.
_KEPT_TEXT = 50_000_000


@dataclass(slots=True)
class BadRows:
    """Rows that were refused while reading with their whole text, up to 50 million characters, and how many there were."""

    rows: list[BadRow] = field(default_factory=list)
    total: int = 0
    characters: int = 0

    def add(self, row_no: int, text: str, message: str) -> None:
        """Remember one refused row."""
        self.total += 1
        self.characters += len(text)
        if self.characters <= _KEPT_TEXT:
            self.rows.append(BadRow(row_no, text, message))

    @property
    def dropped(self) -> int:
        """Number of refused rows that were too many to be kept."""
        return self.total - len(self.rows)

    def summary(self) -> str:
        """Name the rows, the first ten of them by what was wrong."""
        named = "; ".join(f"row {row.row_no}: {row.message}" for row in self.rows[:10])
        rest = f"; and {self.total - 10:,} more" if self.total > 10 else ""
        return f"{self.total:,} row{'s' if self.total > 1 else ''} refused, the others were read: {named}{rest}"


def _invalid_at(path: Path, encoding: str, copy_to: Path | None = None) -> int | None:
    """Return the offset of the first byte that is not `encoding`, or None; optionally write the text as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    out = copy_to.open("wb") if copy_to is not None else None
    try:
        with path.open("rb") as stream:
            while True:
                piece = stream.read(_PIECE)
                held = len(decoder.getstate()[0])
                try:
                    text = decoder.decode(piece, final=not piece)
                except UnicodeDecodeError as error:
                    return position - held + error.start
                if out is not None:
                    out.write(text.encode("utf-8"))
                if not piece:
                    return None
                position += len(piece)
    finally:
        if out is not None:
            out.close()


def _nul_at(path: Path) -> int | None:
    """Return the offset of the first NUL byte, or None."""
    position = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            if (found := piece.find(b"\0")) >= 0:
                return position + found
            position += len(piece)
    return None


def _is_utf8(path: Path) -> bool:
    """Tell whether a file is UTF-8 throughout; Arrow's check is several times as fast as decoding."""
    rest = b""
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            text = rest + piece
            # A character may go on in the next piece: keep back from its first byte, which is one of the last three.
            starts = (place for place in range(len(text) - 1, max(len(text) - 4, -1), -1) if text[place] >= 0xC0)
            cut = next(starts, len(text))
            text, rest = text[:cut], text[cut:]
            try:
                pc.cast(pa.array([text], pa.binary()), pa.string())
            except pa.ArrowInvalid:
                return False
    try:
        rest.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_broken_utf8(path: Path, offset: int) -> None:
    """Raise where the text is plainly UTF-8 that was damaged: as GB18030 all of it would turn into other characters."""
    with path.open("rb") as stream:
        stream.seek(offset)
        rest = stream.read(4)
        stream.seek(0)
        before = stream.read(min(offset, _PIECE)).decode("utf-8", "ignore")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(rest)
    except UnicodeDecodeError:
        if sum(not character.isascii() for character in before) >= _SURELY_UTF8:
            raise SourceError(
                f"is UTF-8 with a {_byte(path, offset)}".replace(" does not fit", " that does not fit"), hint="deliver the file again"
            ) from None
        return
    raise SourceError(
        f"is UTF-8 that ends within a character at offset {offset:,}: the file was cut off", hint="deliver the whole file again"
    )


def decide_encoding(path: Path, wanted: Literal["auto", "utf-8", "gb18030"], workdir: Path) -> Path:
    """Return a path to the file's text in UTF-8: the file itself, or a copy in `workdir`.

    Raises
    ------
    SourceError
        If the file is empty, holds NUL bytes or a UTF-16 mark, or does not fit the encoding; names the byte offset.
    """
    with path.open("rb") as stream:
        head = stream.read(4)
    if not head:
        raise SourceError("the file is empty (0 bytes)", hint="ask the sender to deliver it again")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError("is UTF-16, which is not read", hint='save it as "CSV UTF-8"')
    nul = _nul_at(path)
    if nul is not None:
        raise SourceError(f"holds a NUL byte at offset {nul:,}: not a text file", hint="deliver it as CSV in UTF-8 or GB18030, or as .xlsx")
    if wanted != "gb18030" and _is_utf8(path):
        return path
    utf8 = _invalid_at(path, "utf-8") if wanted != "gb18030" else None
    if wanted == "utf-8":
        raise SourceError(f"is not UTF-8: {_byte(path, utf8)}", hint="set the reader's encoding to auto, or save the file as UTF-8")
    if utf8 is not None:
        _refuse_broken_utf8(path, utf8)
    copy = workdir / "utf8"
    gb18030 = _invalid_at(path, "gb18030", copy)
    if gb18030 is None:
        return copy
    if wanted == "gb18030":
        raise SourceError(f"is not GB18030: {_byte(path, gb18030)}", hint="set the reader's encoding to auto, or save the file as UTF-8")
    raise SourceError(f"is neither UTF-8 ({_byte(path, utf8)}) nor GB18030 ({_byte(path, gb18030)})", hint='save it as "CSV UTF-8"')


def _byte(path: Path, offset: int | None) -> str:
    place = offset or 0
    with path.open("rb") as stream:
        stream.seek(place)
        value = stream.read(1)
    return f"byte 0x{value[0]:02x} at offset {place:,} does not fit"


def check_headers(headers: Sequence[object], where: str = "") -> list[str]:
    """Return clean header names, or say which one stands twice.

    Names are stripped of spaces; an empty one becomes ``column_N`` so that its cells are kept.

    Raises
    ------
    SourceError
        If a name stands twice: which of the two columns is meant cannot be known.
    """
    names = [str(header).strip().lstrip("\ufeff") if header is not None else "" for header in headers]
    names = [name or f"column_{position}" for position, name in enumerate(names, start=1)]
    first: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if name in first:
            raise SourceError(
                f'header "{name}" stands twice{where}: in columns {first[name]} and {position}',
                hint="rename or remove one of the two columns",
            )
        first[name] = position
    return names


def _read_header(path: Path, delimiter: str, header_row: int) -> tuple[list[str], int]:
    """Return the header names and the byte offset where the data begin."""
    consumed = 0

    def lines() -> Iterator[str]:
        nonlocal consumed
        with path.open("rb") as stream:
            for line in stream:
                if len(line) > _BLOCK:
                    raise SourceError(
                        f"its line at offset {consumed:,} is longer than {_BLOCK:,} bytes", hint="is this a CSV file with line ends?"
                    )
                consumed += len(line)
                yield line.decode("utf-8-sig" if consumed == len(line) else "utf-8")

    reader = csv.reader(lines(), delimiter=delimiter)
    record: list[str] = []
    found = 0
    try:
        # Blank lines do not count: neither do they as data rows.
        while found < header_row:
            record = next(reader)
            found += bool(record)
    except StopIteration:
        raise SourceError(
            f"has no header in row {header_row}: the file ends after row {found}", hint="see header_row in the reader"
        ) from None
    except csv.Error as error:
        raise SourceError(f"its header cannot be read: {error}", hint="check the delimiter, the quotes and the line ends") from error
    return check_headers(record, f" in row {header_row}"), consumed


def _check_quotes(path: Path, delimiter: str, header_row: int) -> None:
    """Refuse a file that ends inside a quoted cell: that cell would have swallowed all rows after its quotation mark.

    An even number of quotation marks cannot end so unless cells hold stray ones besides; only odd ones are looked into.
    """
    with path.open("rb") as counted:
        if sum(piece.count(b'"') for piece in iter(lambda: counted.read(_PIECE), b"")) % 2 == 0:
            return
    end = "\x1d end of file"
    records = 0
    last: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(chain(stream, [end]), delimiter=delimiter)
        try:
            for record in reader:
                records += bool(record)
                last = record
        except csv.Error as error:
            raise SourceError(
                f"cannot be cut into rows after row {records - header_row:,}: {error}",
                hint="look for a quotation mark that is never closed",
            ) from error
    if last != [end]:
        raise SourceError(
            f"a quotation mark in row {records - header_row:,} is never closed: all that follows it would be one cell",
            hint="close it, or double it if it is part of the text",
        )


def read_delimited(
    path: Path,
    *,
    encoding: Literal["auto", "utf-8", "gb18030"],
    delimiter: str,
    header_row: int,
    bad: BadRows,
    workdir: Path,
    report: Callable[[int], None] | None = None,
) -> Iterator[Segment]:
    """Read a delimited text file as a stream of tables of text.

    Parameters
    ----------
    path : Path
        A plain file.
    encoding : {"auto", "utf-8", "gb18030"}
        ``auto`` tries UTF-8, then GB18030, strictly.
    delimiter : str
        One ASCII character.
    header_row : int
        1-based; blank lines do not count.
    bad : BadRows
        Receives the rows whose number of cells is not that of the header.
    workdir : Path
        A folder for a transcoded copy.
    report : callable, optional
        Called with the number of bytes done.

    Yields
    ------
    Segment
        Rows are numbered from 1 after the header, blank lines left out, refused rows counted. A file with a header and
        nothing else gives one segment without rows.

    Raises
    ------
    SourceError
        If the file is empty, is in another encoding, has no or a doubtful header, or cannot be cut into rows.
    """
    if len(delimiter) != 1 or not delimiter.isascii():
        raise SourceError(f"delimiter must be one ASCII character, got {delimiter!r}", hint="see delimiter in the reader")
    text = decide_encoding(path, encoding, workdir)
    names, offset = _read_header(text, delimiter, header_row)
    _check_quotes(text, delimiter, header_row)
    skipped: deque[int] = deque()

    def refuse(row: pacsv.InvalidRow) -> str:
        # Single-threaded reading numbers the rows; that is why use_threads is False below.
        skipped.append(row.number)
        bad.add(row.number, row.text, f"{row.actual_columns} cells, the header has {row.expected_columns}")
        return "skip"

    empty = pa.table([pa.array([], pa.string()) for _ in names], names=names)
    if offset == text.stat().st_size:
        yield Segment(empty, 1)
        return
    next_row = 1
    with pa.OSFile(str(text)) as stream:
        stream.seek(offset)
        try:
            reader = pacsv.open_csv(
                stream,
                read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=_BLOCK),
                parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse),
                convert_options=pacsv.ConvertOptions(
                    column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""], check_utf8=False
                ),
            )
            for batch in reader:
                table = pa.Table.from_batches([batch])
                while table.num_rows:
                    if skipped and skipped[0] == next_row:
                        skipped.popleft()
                        next_row += 1
                        continue
                    run = min(table.num_rows, skipped[0] - next_row) if skipped else table.num_rows
                    yield Segment(table.slice(0, run), next_row)
                    next_row += run
                    table = table.slice(run)
                if report is not None:
                    report(stream.tell())
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                yield Segment(empty, 1)
                return
            raise SourceError(
                f"cannot be cut into rows after row {next_row - 1:,}: {str(error).splitlines()[0]}",
                hint="look for a quotation mark that is never closed, or a row of more than 4 MB",
            ) from error
    if next_row == 1:
        yield Segment(empty, 1)
