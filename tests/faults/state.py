"""The end state of a project: every table and every rendered file, without what may differ between two runs that decide the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from riskwatch.store.tables import metadata

__all__ = ["State", "differences", "state_of"]

# The clock of a run goes into columns named ``*_at``, and into nothing else that is compared. These are named so and are data.
DATA_NAMED_AT = frozenset({"known_at", "superseded_at", "occurred_at", "learned_at"})
RECORD_DATA_NAMED_AT = frozenset({"reported_at"})  # of accidents
# (table, column) -> why it differs between two runs that decide the same.
VOLATILE: Mapping[tuple[str, str], str] = {
    ("run", "now"): "the clock, read once when the run began",
    ("run", "definitions"): "names every definition with its hash: the same unless settings.var differs, which names the folder",
}
# Whole tables that are not compared, with the reason; a name that is not there yet is no error.
UNCOMPARED: Mapping[str, str] = {
    "delivery_attempt": "an attempt that a kill cut off is made again: the messages are compared, each sent once",
}
# Tables that must be empty once a run has ended, however it was killed before.
EMPTY: Mapping[str, str] = {"lease": "a finished run holds nothing"}

State = dict[str, dict[str, Any]]


def _compared(table: sa.Table) -> list[sa.Column[Any]]:
    data = DATA_NAMED_AT | (RECORD_DATA_NAMED_AT if table.name.startswith("record_") else frozenset())
    return [
        column
        for column in table.columns
        if (column.name in data or not column.name.endswith("_at")) and (table.name, column.name) not in VOLATILE
    ]


def _key(table: sa.Table, row: Mapping[str, Any]) -> str:
    return "|".join(str(row[column.name]) for column in table.primary_key.columns)


def state_of(url: str, folder: Path, without: Sequence[str] = ()) -> State:
    """Return the rows of every table by primary key, and the sha256 of every file under ``folder`` by its path.

    The store must be closed. A SQLite file is also checked for damage. Files whose name begins with one of ``without`` are left out.
    """
    engine = sa.create_engine(sa.make_url(url).set(drivername=_driver(url)), poolclass=NullPool)
    found: State = {}
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            found["integrity"] = {"check": connection.exec_driver_sql("PRAGMA integrity_check").scalar()}
        found["schema"] = {"version": connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()}
        for table in metadata.sorted_tables:
            if table.name in UNCOMPARED:
                continue
            columns = _compared(table)
            rows = connection.execute(sa.select(*columns)).mappings()
            found[table.name] = {_key(table, row): dict(row) for row in rows}
            assert table.name not in EMPTY or not found[table.name], EMPTY[table.name]
    engine.dispose()
    found["files"] = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(tuple(without))
    }
    return found


def _driver(url: str) -> str:
    return "sqlite" if url.startswith("sqlite") else "postgresql+psycopg"


def differences(expected: State, found: State, limit: int = 20) -> list[str]:
    """Say in lines where two states differ: rows that are missing, that are too many, and cells that are not the same."""
    lines = []
    for name in sorted({*expected, *found}):
        one, other = expected.get(name, {}), found.get(name, {})
        lines += [f"{name}: {key} is missing" for key in one if key not in other]
        lines += [f"{name}: {key} is one too many" for key in other if key not in one]
        for key in one:
            if key in other and one[key] != other[key]:
                lines.append(f"{name}: {key}: {_cells(one[key], other[key])}")
    return lines if len(lines) <= limit else [*lines[:limit], f"and {len(lines) - limit} more"]


def _cells(one: Any, other: Any) -> str:
    if not isinstance(one, dict):
        return f"expected {one}, found {other}"
    return "; ".join(f"{name}: expected {one[name]!r:.300}, found {other[name]!r:.300}" for name in one if one[name] != other[name])
