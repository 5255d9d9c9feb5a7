"""The file of a backup: a tar of a manifest and one payload, written whole or not at all, read without trusting it."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from riskwatch.errors import StoreError

__all__ = ["MANIFEST", "PAYLOADS", "Manifest", "compress", "decompress", "pack", "read_manifest", "sha256_of", "unpack"]

MANIFEST = "manifest.json"
# A SQLite file compressed with zstd, or the custom format of pg_dump, which is compressed already.
PAYLOADS = {"sqlite": "store.db.zst", "postgresql": "store.dump"}
_LARGEST_MANIFEST = 1_000_000  # bytes
_PIECE = 1 << 20
T = TypeVar("T")


class Manifest(BaseModel):
    """What a backup holds, so that it can be checked without the database it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(ge=1, le=1, description="version of this format")
    riskwatch: str = Field(description="version that made the backup")
    made_at: str = Field(description="instant, UTC")
    dialect: str = Field(pattern="^(sqlite|postgresql)$", description="which database it was made of, and can be restored to")
    schema_version: str = Field(min_length=1, description="schema of the tables")
    payload: str = Field(description="name of the file that holds the database")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of that file")
    size: int = Field(ge=1, description="bytes of that file")
    rows: dict[str, int] = Field(description="rows of every table")
    heads: dict[str, str] = Field(description="sha256 of the newest row of the tables that only grow: what a chain of events ends with")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(target: Path, payload: Path, manifest: Manifest) -> None:
    """Write manifest and payload to ``target``: beside it first, then in its place; readable by its owner only.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    part = target.with_name(target.name + ".part")
    text = json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1, sort_keys=True).encode()
    try:
        # A backup holds personal data, whatever the umask says.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                note = part.with_name(part.name + ".manifest")
                note.write_bytes(text)
                tar.add(note, arcname=MANIFEST, filter=_anonymous)
                note.unlink()
                tar.add(payload, arcname=manifest.payload, filter=_anonymous)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _broken(path: Path, why: str) -> StoreError:
    return StoreError(
        f"Cannot use the backup {path}: {why}.", hint="take an older backup; this one is not whole, or was not made by riskwatch backup"
    )


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a backup.

    Raises
    ------
    StoreError
        If there is no such file, or it is no backup of riskwatch.
    """

    def read(tar: tarfile.TarFile) -> Manifest:
        first = tar.next()
        if first is None or first.name != MANIFEST or not first.isreg() or first.size > _LARGEST_MANIFEST:
            raise _broken(path, f"it does not begin with {MANIFEST}")
        content = tar.extractfile(first)
        if content is None:
            raise _broken(path, f"{MANIFEST} cannot be read")
        try:
            return Manifest.model_validate_json(content.read())
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise _broken(path, f"{MANIFEST}: {where or 'content'}: {problem['msg']}") from None

    return _with_tar(path, read)


def unpack(path: Path, manifest: Manifest, target: Path) -> None:
    """Write the payload of a backup to ``target`` and hold it against the manifest.

    Raises
    ------
    StoreError
        If the payload is missing, cut off, or is not what the manifest says.
    """

    def write(tar: tarfile.TarFile) -> None:
        member = next((entry for entry in tar if entry.name == manifest.payload and entry.isreg()), None)
        content = None if member is None else tar.extractfile(member)
        if member is None or content is None or manifest.payload != PAYLOADS[manifest.dialect]:
            raise _broken(path, f"it has no {PAYLOADS[manifest.dialect]}")
        if member.size != manifest.size:
            raise _broken(path, f"{member.name} has {member.size} bytes, the manifest says {manifest.size}")
        found = _copy(content, target)
        if found != manifest.sha256:
            raise _broken(path, f"the sha256 of {member.name} is {found}, the manifest says {manifest.sha256}")

    _with_tar(path, write)


def _with_tar(path: Path, work: Callable[[tarfile.TarFile], T]) -> T:
    """Open a backup and work on it; anything wrong with the tar is told as such."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            return work(tar)
    except FileNotFoundError:
        raise StoreError(
            f"Cannot use the backup {path}: there is no such file.", hint="give the file that riskwatch backup wrote"
        ) from None
    except (tarfile.TarError, EOFError) as error:
        raise _broken(path, f"it is no tar or is cut off ({error})") from error


def _copy(source: IO[bytes], target: Path) -> str:
    """Copy, and return the sha256 of what was copied."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        while piece := source.read(_PIECE):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def compress(source: Path, target: Path) -> None:
    """Compress a file with zstd."""
    with source.open("rb") as file, pa.output_stream(str(target), compression="zstd") as out:
        while piece := file.read(_PIECE):
            out.write(piece)


def decompress(source: Path, target: Path) -> None:
    """Undo :func:`compress`; the target is readable by its owner only."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        with pa.input_stream(str(source), compression="zstd") as content:
            while piece := content.read(_PIECE):
                file.write(piece)
        file.flush()
        os.fsync(file.fileno())
