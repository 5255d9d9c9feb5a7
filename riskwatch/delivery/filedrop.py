"""File drop: a folder for each message, which appears whole or not at all.

The folder's name follows from the key, and it is put in place by one rename: whoever looks sees all files or none, and a message that was
delivered before riskwatch was killed is found there and not written again. So files are delivered exactly once.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import uuid
from pathlib import Path

from riskwatch.delivery.message import Outcome, Parcel

__all__ = ["FileSender", "folder_name"]


def folder_name(key: str) -> Path:
    """Return where a message goes: a folder of its day, and in it one that says the rest of the key."""
    kind, day, *rest = key.split("/")
    return Path(day, "_".join([kind, *rest]))


class FileSender:
    """Writes parcels to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, parcel: Parcel) -> Outcome:
        """Write all files of a parcel, unless they are there."""
        target = self._folder / folder_name(parcel.key)
        _clear(target)
        if target.is_dir():
            return Outcome("sent", "written", "it was there already")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex}.part")
        try:
            temporary.mkdir(parents=True)
            for attachment in parcel.attachments:
                _write(temporary / attachment.filename, attachment.content)
            _settle(temporary)
            temporary.rename(target)
            _settle(target.parent)
        except OSError as error:
            if target.is_dir():
                # Another sender, whose claim had lapsed, was quicker.
                return Outcome("sent", "written", "it was there already")
            return Outcome("retry", "disk", os.strerror(error.errno) if error.errno else type(error).__name__)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return Outcome("sent", "written")

    def close(self) -> None:
        """Nothing to close."""


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _clear(target: Path) -> None:
    """Remove what processes that were killed had begun to write of the same message."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        try:
            os.kill(int(left.name.split(".")[-3]), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (OSError, ValueError):
            continue  # it lives, as another user's; or it is none of ours


def _settle(folder: Path) -> None:
    """Make the names in a folder last a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
