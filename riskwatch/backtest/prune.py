"""Delete what replays left and no replay has used for some days. All of it can be computed again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from riskwatch.backtest.rules import rules_in
from riskwatch.backtest.use import DAY_SECONDS, alone
from riskwatch.definitions import Definitions
from riskwatch.errors import ProjectError, RiskwatchError

__all__ = ["LEAST_DAYS", "Pruned", "prune", "unused_days"]

LEAST_DAYS = 2
"""A file's last use is marked once a day. A limit below this would, where there are no locks, take files from a replay under way."""
UNFINISHED = "unfinished"
# Folders below the folder of replays that are one thing each: composed definitions, settings that were tried, pages and tables.
_WHOLE = ("definitions", "settings", "replays")


@dataclass(frozen=True)
class Pruned:
    """What went, or with ``dry_run`` would go.

    Attributes
    ----------
    older_than_days : int
    dry_run : bool
    files, bytes : mapping of str to int
        Kind -> files that went, and what they held.
    kept_files, kept_bytes : mapping of str to int
        Kind -> files in use.
    """

    older_than_days: int
    dry_run: bool
    files: Mapping[str, int]
    bytes: Mapping[str, int]
    kept_files: Mapping[str, int]
    kept_bytes: Mapping[str, int]


@dataclass(frozen=True)
class _Thing:
    """A file or a folder that goes or stays as a whole; ``used`` in seconds since 1970."""

    kind: str
    path: Path
    used: float
    files: int
    bytes: int


def unused_days(definitions: Definitions) -> int:
    """Return the limit of ``config/backtest.yaml``.

    Raises
    ------
    ProjectError
        If the project has no such file.
    """
    return rules_in(definitions, hint="give --older-than DAYS, or take the file from `riskwatch init`").unused_days


def prune(folder: Path, older_than_days: int, *, dry_run: bool = False, now: float | None = None) -> Pruned:
    """Delete results, definitions and pages that no replay has read or written for so many days, and what killed ones left unfinished.

    Killed at any point it has deleted some of it, and the next time deletes the rest.

    Parameters
    ----------
    folder : Path
        ``backtest`` below the project's folder of results.
    older_than_days : int
        At least :data:`LEAST_DAYS`. Unfinished files go after one day.
    dry_run : bool
        Count only.
    now : float, optional
        Seconds since 1970, as the file system counts.

    Raises
    ------
    ProjectError
        For a shorter limit.
    RiskwatchError
        If a replay is under way (not with ``dry_run``), or something cannot be deleted; what went before stays deleted.
    """
    if older_than_days < LEAST_DAYS:
        raise ProjectError(
            f"retention replays: --older-than must be {LEAST_DAYS} days or more, got {older_than_days}",
            hint="files are marked as used once a day; to start anew delete the folder while no replay runs",
        )
    moment = time.time() if now is None else now
    counted: dict[str, dict[str, int]] = {"files": {}, "bytes": {}, "kept_files": {}, "kept_bytes": {}}

    def count(one: _Thing, kept: str) -> None:
        for name in ("files", "bytes"):
            counts = counted[kept + name]
            counts[one.kind] = counts.get(one.kind, 0) + getattr(one, name)

    def sweep() -> None:
        for one in _things(folder):
            limit = 1 if one.kind == UNFINISHED else older_than_days
            old = one.used < moment - limit * DAY_SECONDS
            if old and not dry_run:
                _delete(one)
            count(one, "" if old else "kept_")

    if dry_run or not folder.is_dir():
        sweep()
    else:
        with alone(folder):
            sweep()
    return Pruned(older_than_days, dry_run, **counted)


def _things(folder: Path) -> Iterator[_Thing]:
    """Yield what lies in a folder of replays. Nothing else in it is looked at, and no link is followed."""
    cache = folder / "cache"
    for path in _files(cache):
        if path.suffix in {".arrow", ".part"}:
            yield from _file(UNFINISHED if path.suffix == ".part" else path.relative_to(cache).parts[0], path)
    for kind in _WHOLE:
        for path in sorted((folder / kind).glob("*")):
            if path.is_dir() and not path.is_symlink():
                yield from _folder(kind, path)


def _folder(kind: str, path: Path) -> list[_Thing]:
    """Return a folder as one thing, last used when the newest of it was, after the unfinished files in it."""
    files = [one for file in _files(path) for one in _file(UNFINISHED if file.suffix == ".part" else kind, file)]
    used = max([path.stat().st_mtime, *(one.used for one in files)])
    if path.suffix == ".part":
        return [_Thing(UNFINISHED, path, used, len(files), sum(one.bytes for one in files))]
    whole = [one for one in files if one.kind == kind]
    return [
        *(one for one in files if one.kind == UNFINISHED),
        _Thing(kind, path, used, len(whole), sum(one.bytes for one in whole)),
    ]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _file(kind: str, path: Path) -> list[_Thing]:
    try:
        found = path.stat()
    except FileNotFoundError:  # renamed by a replay while it is counted what would go
        return []
    return [_Thing(kind, path, found.st_mtime, 1, found.st_size)]


def _delete(one: _Thing) -> None:
    try:
        if not one.path.is_dir():
            one.path.unlink(missing_ok=True)
            return
        gone = one.path
        if gone.suffix != ".part":
            # Moved first: half of a folder of definitions must not pass for a whole one.
            gone = one.path.with_name(f"{one.path.name}.part")
            shutil.rmtree(gone, ignore_errors=True)
            one.path.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise RiskwatchError(
            f"retention replays: cannot delete {one.path}: {error.strerror or error}",
            hint="mend the folder's rights, then start again: what went before stays deleted, and is computed again where it is asked for",
        ) from error
