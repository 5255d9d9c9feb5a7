"""Files dropped in a folder: found in a fixed order, hashed, unpacked, and read by their kind."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from riskwatch.definitions.types import FolderReader
from riskwatch.errors import SourceError
from riskwatch.sources.batches import Progress, Segment, SourceFault, SourceState
from riskwatch.sources.delimited import BadRows, read_delimited
from riskwatch.sources.formats import read_parquet, read_spreadsheet
from riskwatch.sources.json_rows import read_json
from riskwatch.sources.unpack import Leaf, hash_file, unpack

__all__ = ["FileRows", "find_files", "read_folder", "resolve_path"]

_DELIMITED = (".csv", ".tsv", ".txt")
_SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_JSON = (".jsonl", ".ndjson", ".json")
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")


@dataclass(frozen=True, slots=True)
class FileRows:
    """One file that is being read: what to call it, its content key, and its rows.

    Iterating over `segments` raises SourceError where the file turns out to be unreadable.
    """

    name: str
    content_key: str
    segments: Iterator[Segment]
    bad: BadRows


def resolve_path(path: str, *, root: Path, data: Path) -> Path:
    """Return the folder that a definition means: ``{data}`` stands for the data folder, relative paths start at the root."""
    folder = Path(path.replace("{data}", str(data)))
    return folder if folder.is_absolute() else root / folder


def find_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a drop folder in a fixed order (by path, as text), without hidden and half-delivered ones.

    Raises
    ------
    SourceError
        If the folder is not there, or the pattern would leave it.
    """
    if ".." in PurePath(pattern).parts or PurePath(pattern).is_absolute():
        raise SourceError(f'pattern "{pattern}" leaves its folder', hint='patterns are relative, as in "*.csv" or "**/*.parquet"')
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise SourceError(f'folder "{folder}" does not exist', hint="create it, or correct path in the source's reader or the data folder")
    found = (path for path in folder.glob(pattern) if path.is_file())
    return sorted(
        (path for path in found if not _is_passed_over(path.relative_to(folder))), key=lambda path: path.relative_to(folder).as_posix()
    )


def _is_passed_over(path: PurePath) -> bool:
    return any(part.startswith((".", "~$")) for part in path.parts) or path.suffix.lower() in _UNFINISHED


def read_folder(
    reader: FolderReader,
    *,
    source: str,
    root: Path,
    data: Path,
    state: SourceState,
    recipe: str = "",
    progress: Progress | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[FileRows | SourceFault]:
    """Yield the files of a drop folder, and a fault for each that cannot be read.

    A file whose content key is in ``state.seen_keys`` is passed over without being parsed.

    Parameters
    ----------
    reader : FolderReader
        Where and how to read.
    source : str
        Name of the source, for messages.
    root, data : Path
        Project root and data folder.
    state : SourceState
        What was seen before.
    recipe : str
        What decides how files become rows, where it is not the default; part of the content key.
    progress : callable, optional
        Called with name, bytes done and bytes in all.
    clock : callable
        Seconds since the epoch, for ``settle_seconds``.

    Raises
    ------
    SourceError
        If the folder is not there.
    """
    try:
        folder = resolve_path(reader.path, root=root, data=data)
        files = find_files(folder, reader.pattern)
    except SourceError as error:
        raise SourceError(f'source "{source}": {error.message}', hint=error.hint) from error
    for path in files:
        name = path.name if path == folder else path.relative_to(folder).as_posix()
        try:
            if path != folder and not path.resolve().is_relative_to(folder.resolve()):
                yield SourceFault(source, name, "is a link that leads out of the folder", "put the file itself there")
                continue
            before = path.stat()
            age = clock() - before.st_mtime
            if age < reader.settle_seconds:
                message = f"was written {max(age, 0.0):.0f} s ago and may not be complete (settle_seconds = {reader.settle_seconds:g})"
                yield SourceFault(source, name, message, "it is read on the next pull", "settling")
                continue
            key = hash_file(path)
            if recipe:
                key = hashlib.sha256(f"{key} {recipe}".encode()).hexdigest()
            if key in state.seen_keys:
                continue
            for part in unpack(path, name=name, content_key=key, max_bytes=reader.max_bytes, seen=state.seen_keys):
                if isinstance(part, tuple):
                    yield SourceFault(source, part[0], part[1].message, part[1].hint)
                    continue
                with tempfile.TemporaryDirectory(prefix="riskwatch-") as workdir:
                    bad = BadRows()
                    yield FileRows(part.name, part.content_key, _rows(part, reader, bad, Path(workdir), progress), bad)
            after = path.stat()
            if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size):
                message = "changed while it was being read"
                yield SourceFault(
                    source, name, message, "it is read again on the next pull; set settle_seconds in the reader", "incomplete"
                )
        except SourceError as error:
            yield SourceFault(source, name, error.message, error.hint)
        except OSError as error:
            yield SourceFault(source, name, f"cannot be read: {error.strerror or error}", "check the file's permissions and the disk")


def _rows(leaf: Leaf, reader: FolderReader, bad: BadRows, workdir: Path, progress: Progress | None) -> Iterator[Segment]:
    plain = leaf.name.lower().removesuffix(".gz")
    suffix = PurePath(plain).suffix
    total = leaf.path.stat().st_size

    def report(done: int) -> None:
        if progress is not None:
            progress(leaf.name, done, total)

    report(0)
    if suffix in _DELIMITED:
        delimiter = "\t" if suffix == ".tsv" and reader.delimiter == "," else reader.delimiter
        yield from read_delimited(
            leaf.path,
            encoding=reader.encoding,
            delimiter=delimiter,
            header_row=reader.header_row,
            bad=bad,
            workdir=workdir,
            report=report,
        )
    elif suffix in _SPREADSHEETS:
        yield from read_spreadsheet(leaf.path, sheet=reader.sheet, header_row=reader.header_row, max_bytes=reader.max_bytes)
    elif suffix in {".parquet", ".pq"}:
        yield from read_parquet(leaf.path, max_bytes=reader.max_bytes)
    elif suffix in _JSON:
        yield from read_json(leaf.path, bad=bad, workdir=workdir)
    else:
        raise SourceError(
            f'files of kind "{suffix}" are not read; .csv, .tsv, .txt, .xlsx, .xls, .ods, .parquet and .jsonl are, also in .gz or .zip',
            hint="narrow the pattern in the source's reader, or move the file away",
        )
    report(total)
