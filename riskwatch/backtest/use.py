"""Who uses the files of replays, and since when: the mark of a file's last use, and a lock that replays share and pruning has alone."""

from __future__ import annotations

import contextlib
import importlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from riskwatch.errors import RiskwatchError

_fcntl: Any = None
with contextlib.suppress(ImportError):  # a system without such locks: the age limit alone protects
    _fcntl = importlib.import_module("fcntl")

__all__ = ["DAY_SECONDS", "alone", "in_use", "mark_used"]

DAY_SECONDS = 86_400
_LOCK = "in-use.lock"


def mark_used(path: Path) -> bool:
    """Say whether a file or folder is there; if its last change is more than a day old, set it to now."""
    try:
        found = path.stat()
    except OSError:
        return False
    if found.st_mtime < time.time() - DAY_SECONDS:
        # Whoever may only read the folder cannot mark: what it reads may be deleted, and is computed again.
        with contextlib.suppress(OSError):
            os.utime(path)
    return stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)


@contextlib.contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Hold the files of replays: pruning waits for another time. The system takes the lock back however the process ends.

    While they are being pruned this waits, some seconds. Where no lock can be had (a file system without locks, a folder that may only
    be read) it goes on without: what is used is marked, and the age limit protects it.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            _lock(stack, folder, exclusive=False)
        yield


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the files of replays alone.

    Raises
    ------
    RiskwatchError
        If a replay of the project is under way.
    """
    with contextlib.ExitStack() as stack:
        try:
            _lock(stack, folder, exclusive=True)
        except BlockingIOError as error:
            raise RiskwatchError(
                f"retention replays: a replay of this project is under way and holds {folder / _LOCK}",
                hint="nothing was deleted; try again when it has ended, or look with --dry-run",
            ) from error
        except OSError:  # no locks here: the age limit protects
            pass
        yield


def _lock(stack: contextlib.ExitStack, folder: Path, *, exclusive: bool) -> None:
    if _fcntl is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = stack.enter_context((folder / _LOCK).open("ab"))
    _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB if exclusive else _fcntl.LOCK_SH)
