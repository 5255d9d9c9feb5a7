"""Results by what they rest on: one file each, whole or absent, so that a replay that is killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from riskwatch.backtest.use import mark_used
from riskwatch.errors import RiskwatchError

__all__ = ["Cache", "key_of"]

FORMAT = 1
"""Raise it when what the files hold changes: older ones are then not found."""
_NOTE = b"riskwatch"


def key_of(**basis: object) -> str:
    """Return the sha256 of all that a result rests on (JSON-able); the format of the files is part of it."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **basis}, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Cache:
    """Files under one folder, by kind and key.

    A file is written under another name and renamed: readers and later starts see all of it or nothing. Two workers that write the same
    result write the same bytes, so the last one wins and nothing is lost. A file's time of change says when it was last written, asked for
    or read, to the day: :func:`riskwatch.backtest.prune.prune` goes by it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, key: str) -> Path:
        """Return where a result lies, there or not."""
        return self.folder / kind / key[:2] / f"{key}.arrow"

    def has(self, kind: str, key: str) -> bool:
        """Say whether a result is there; to ask is to use it."""
        return mark_used(self.path(kind, key))

    def write(self, kind: str, key: str, tables: Mapping[str, pa.Table], note: object = None) -> None:
        """Store tables by name with a note (JSON-able).

        Raises
        ------
        RiskwatchError
            If the file cannot be written.
        """
        sink = pa.BufferOutputStream()
        for name, table in {"": pa.table({}), **tables}.items():
            meta = {**(table.schema.metadata or {}), b"table": name.encode()}
            if not name:
                meta[_NOTE] = json.dumps(note, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
            named = table.replace_schema_metadata(meta)
            options = pa.ipc.IpcWriteOptions(compression="zstd")
            with pa.ipc.new_stream(sink, named.schema, options=options) as writer:
                writer.write_table(named)
        path = self.path(kind, key)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(sink.getvalue())
            part.replace(path)
        except OSError as error:
            raise RiskwatchError(
                f"backtest: cannot write {path.name} under {self.folder}: {error.strerror or error}",
                hint="free space or mend the folder's rights, then start again: what was computed is kept",
            ) from error

    def read(self, kind: str, key: str) -> tuple[dict[str, pa.Table], Any]:
        """Return the tables by name, and the note.

        Raises
        ------
        RiskwatchError
            If the file is not there or was damaged.
        """
        path = self.path(kind, key)
        mark_used(path)
        found: dict[str, pa.Table] = {}
        note: Any = None
        try:
            with pa.memory_map(str(path)) as source:
                while source.tell() < source.size():
                    table = pa.ipc.open_stream(source).read_all()
                    meta = dict(table.schema.metadata or {})
                    name = meta.pop(b"table").decode()
                    if name:
                        found[name] = table.replace_schema_metadata(meta)
                    else:
                        note = json.loads(meta[_NOTE])
        except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
            raise RiskwatchError(
                f"backtest: cannot read {path.name} under {self.folder}: {error}", hint="delete that file and start again"
            ) from error
        return found, note
