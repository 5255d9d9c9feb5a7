"""From a dropped file to plain files that can be read: hashing, .gz and .zip, with limits.

Everything compressed is unpacked to a temporary file first and only then read: a truncated archive is found before its
first row is handed on, so no file is ever half ingested.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from riskwatch.errors import SourceError

__all__ = ["Leaf", "check_zip_size", "hash_file", "is_archive", "unpack"]

_CHUNK = 1 << 20
_ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".zst")
# Bit 11 of a zip entry's flags: the name is UTF-8. Without it the name is in whatever code page the packer used.
_UTF8_NAME = 0x800
_MAX_ENTRIES = 10_000
# Tables pack to a tenth, repetitive ones to a fiftieth; only what was made to burst goes beyond, and only that much matters.
_MAX_RATIO = 250
_RATIO_FROM = 50_000_000
_ENCRYPTED = 0x1


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """A plain file to read: where it lies now, what to call it, and the key of the content that it came from."""

    path: Path
    name: str
    content_key: str


def hash_file(path: Path, *, report: Callable[[int], None] | None = None) -> str:
    """Return the sha256 (hex) of a file, read in pieces.

    Raises
    ------
    SourceError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    done = 0
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_CHUNK):
                digest.update(piece)
                done += len(piece)
                if report is not None:
                    report(done)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", hint="check the file's permissions and the disk") from error
    return digest.hexdigest()


def is_archive(name: str) -> bool:
    """Return True if the name ends like an archive or a compressed file."""
    return name.lower().endswith(_ARCHIVES)


def member_key(archive_key: str, member: str) -> str:
    """Return the content key of an archive's member: a sha256 of the archive's own and the member's name.

    The member need not be unpacked to know that it was seen before.
    """
    return hashlib.sha256(f"{archive_key}/{member}".encode()).hexdigest()


def unpack(path: Path, *, name: str, content_key: str, max_bytes: int, seen: frozenset[str]) -> Iterator[Leaf | tuple[str, SourceError]]:
    """Yield the plain files in `path`, one at a time; each lives until the next one is asked for.

    Parameters
    ----------
    path : Path
        The dropped file.
    name : str
        What to call it in messages.
    content_key : str
        Its sha256.
    max_bytes : int
        Largest unpacked size, in bytes, of the file or of all members of an archive together.
    seen : frozenset of str
        Content keys to pass over; members with such a key are not unpacked.

    Yields
    ------
    Leaf or (str, SourceError)
        A file to read, or the name of a member that was refused and why.

    Raises
    ------
    SourceError
        If the file as a whole cannot be used.
    """
    lowered = name.lower()
    size = path.stat().st_size
    if size == 0:
        raise SourceError("the file is empty (0 bytes)", hint="ask the sender to deliver it again")
    if lowered.endswith(".zip"):
        yield from _zip_members(path, name=name, archive_key=content_key, max_bytes=max_bytes, seen=seen)
    elif lowered.endswith(".gz") and not lowered.endswith(".tar.gz"):
        with tempfile.TemporaryDirectory(prefix="riskwatch-") as folder:
            target = Path(folder) / "content"
            try:
                with gzip.open(path, "rb") as stream:
                    _copy(stream, target, max_bytes, "the unpacked file", packed=size)
            except EOFError as error:
                raise SourceError(
                    "the gzip file is truncated: it ends before its end mark; nothing of it was read",
                    hint="deliver the whole file again",
                ) from error
            except (gzip.BadGzipFile, zlib.error) as error:
                raise SourceError(f"is not a sound gzip file: {error}; nothing of it was read", hint="deliver the file again") from error
            yield Leaf(target, name, content_key)
    elif is_archive(name):
        raise SourceError(
            f'archives of kind "{PurePosixPath(lowered).suffix}" are not read; .gz and .zip are', hint="unpack it, or pack it as .zip"
        )
    else:
        if size > max_bytes:
            raise SourceError(
                f"has {size:,} bytes, more than max_bytes = {max_bytes:,}", hint="split the file, or raise max_bytes in the source's reader"
            )
        yield Leaf(path, name, content_key)


def check_zip_size(path: Path, max_bytes: int) -> None:
    """Refuse a zip container (also a spreadsheet) whose members would unpack to more than `max_bytes`."""
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise SourceError(f"is not a sound zip container: {error}", hint="deliver the file again") from error
    if total > max_bytes:
        raise SourceError(
            f"would unpack to {total:,} bytes, more than max_bytes = {max_bytes:,}",
            hint="raise max_bytes in the source's reader if it is genuine",
        )


def _zip_members(
    path: Path, *, name: str, archive_key: str, max_bytes: int, seen: frozenset[str]
) -> Iterator[Leaf | tuple[str, SourceError]]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise SourceError(f"is not a sound zip archive: {error}; nothing of it was read", hint="deliver the file again") from error
    with archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
        if len(entries) > _MAX_ENTRIES:
            raise SourceError(
                f"the archive holds {len(entries):,} entries, more than {_MAX_ENTRIES:,}; nothing of it was read",
                hint="pack fewer files together",
            )
        files = [entry for entry in entries if not entry.is_dir() and not _is_litter(entry.filename)]
        if not files:
            raise SourceError("the zip archive holds no files", hint="ask the sender to deliver it again")
        declared = sum(entry.file_size for entry in files)
        if declared > max_bytes:
            raise SourceError(
                f"would unpack to {declared:,} bytes, more than max_bytes = {max_bytes:,}; nothing of it was read",
                hint="raise max_bytes in the source's reader if it is genuine",
            )
        # The declared sizes may lie: what really comes out counts, over all members together.
        left = max_bytes
        for entry in files:
            member = _member_name(entry)
            label = f"{name}/{member}"
            key = member_key(archive_key, member)
            if key in seen:
                continue
            try:
                _check_member(entry, member)
                with tempfile.TemporaryDirectory(prefix="riskwatch-") as folder:
                    target = Path(folder) / "content"
                    with archive.open(entry) as stream:
                        left -= _copy(stream, target, left, "the unpacked archive", packed=entry.compress_size)
                    yield Leaf(target, label, key)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                yield label, SourceError(f"the archive's member is damaged: {error}; nothing of it was read", hint="deliver the file again")
            except SourceError as error:
                yield label, error


def _check_member(entry: zipfile.ZipInfo, member: str) -> None:
    parts = PurePosixPath(member.replace("\\", "/")).parts
    if member.startswith(("/", "\\")) or ".." in parts or (len(member) > 1 and member[1] == ":"):
        raise SourceError(f'the archive names a member outside itself: "{member}"', hint="such archives are refused: ask who made it")
    kind = entry.external_attr >> 16
    if kind and not (stat.S_ISREG(kind) or stat.S_IFMT(kind) == 0):
        raise SourceError("the archive's member is a link or a device, no file", hint="such archives are refused: ask who made it")
    if is_archive(member):
        raise SourceError("archives inside archives are not read", hint="pack the files directly")
    if entry.flag_bits & _ENCRYPTED:
        raise SourceError("the archive's member is encrypted", hint="deliver it without a password over a protected channel")
    if entry.file_size == 0:
        raise SourceError("the file is empty (0 bytes)", hint="ask the sender to deliver it again")


def _member_name(entry: zipfile.ZipInfo) -> str:
    """Return the member's name; names written by Chinese Windows packers are GB18030 and arrive as code page 437."""
    if entry.flag_bits & _UTF8_NAME or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return entry.filename


def _is_litter(name: str) -> bool:
    """Return True for what desktop systems add to archives and folders on their own."""
    path = PurePosixPath(name)
    return path.name.startswith((".", "~$")) or "__MACOSX" in path.parts or path.name in {"Thumbs.db", "desktop.ini"}


def _copy(stream: _Readable, target: Path, limit: int, what: str, *, packed: int) -> int:
    """Copy to `target`, at most `limit` bytes and not beyond all proportion to the `packed` bytes; return how many."""
    total = 0
    with target.open("wb") as out:
        while piece := stream.read(_CHUNK):
            total += len(piece)
            if total > limit:
                raise SourceError(
                    f"{what} is larger than max_bytes = {limit:,}; nothing of it was read",
                    hint="raise max_bytes in the source's reader if it is genuine",
                )
            if total > _RATIO_FROM and total > _MAX_RATIO * packed:
                raise SourceError(
                    f"{what} is more than {_MAX_RATIO} times as large as it was packed ({packed:,} bytes); nothing of it was read",
                    hint="such files are refused: deliver it unpacked if it is genuine",
                )
            try:
                out.write(piece)
            except OSError as error:
                free = shutil.disk_usage(target.parent).free
                raise SourceError(
                    f"cannot be unpacked: {error.strerror or error} ({free:,} bytes free)",
                    hint="free space in the temporary folder (TMPDIR)",
                ) from error
    return total
