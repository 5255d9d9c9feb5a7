"""Where each source's last pull ended, and how it has been doing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from riskwatch.store.database import Database, instant
from riskwatch.store.tables import source_state

__all__ = ["SourceStatus", "note_pull", "set_cursor", "source_status"]


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """State of one source; instants as text in UTC, None before the first pull."""

    source: str
    cursor: str | None = None
    last_pull_at: str | None = None
    last_success_at: str | None = None
    last_error: str | None = None
    consecutive_failures: int = 0


def source_status(database: Database, source: str) -> SourceStatus:
    """Return the state of a source; all empty if it was never pulled."""
    with database.read(f'read the state of source "{source}"') as connection:
        row = connection.execute(sa.select(source_state).where(source_state.c.source == source)).one_or_none()
    return SourceStatus(source) if row is None else SourceStatus(**dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's documented way to read a row by name


def set_cursor(database: Database, source: str, cursor: str) -> None:
    """Store where the next pull begins."""
    _store(database, source, {"cursor": cursor})


def note_pull(database: Database, source: str, *, at: dt.datetime, error: str | None = None) -> None:
    """Store that a pull ended, well (``error`` None) or not; failures in a row are counted."""
    values: dict[str, object] = {"last_pull_at": instant(at), "last_error": error}
    if error is None:
        values |= {"last_success_at": instant(at), "consecutive_failures": 0}
    else:
        values["consecutive_failures"] = source_state.c.consecutive_failures + 1
    _store(database, source, values)


def _store(database: Database, source: str, values: dict[str, object]) -> None:
    with database.write(f'store the state of source "{source}"') as connection:
        if database.dialect == "postgresql":
            connection.execute(sa.text("LOCK TABLE source_state IN SHARE ROW EXCLUSIVE MODE"))
        known = connection.execute(sa.select(source_state.c.source).where(source_state.c.source == source)).first()
        if known is None:
            connection.execute(source_state.insert().values(source=source, consecutive_failures=0))
        connection.execute(source_state.update().where(source_state.c.source == source).values(values))
