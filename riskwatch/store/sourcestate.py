"""Where each source's last pull ended, and how it has been doing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from riskwatch.redaction import redacted
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
    with database.session(f'read the state of source "{source}"') as session:
        row = session.first(sa.select(source_state).where(source_state.c.source == source))
    return SourceStatus(source) if row is None else SourceStatus(**row)


def set_cursor(database: Database, source: str, cursor: str) -> None:
    """Store where the next pull begins."""
    _store(database, source, {"cursor": cursor})


def note_pull(database: Database, source: str, *, at: dt.datetime, error: str | None = None) -> None:
    """Store that a pull ended, well (``error`` None) or not; failures in a row are counted."""
    values: dict[str, object] = {"last_pull_at": instant(at), "last_error": redacted(error) if error else error}
    if error is None:
        values |= {"last_success_at": instant(at), "consecutive_failures": 0}
    else:
        values["consecutive_failures"] = source_state.c.consecutive_failures + 1
    _store(database, source, values)


def _store(database: Database, source: str, values: dict[str, object]) -> None:
    with database.session(f'store the state of source "{source}"', write=True, lock=source_state) as session:
        if session.scalar(sa.select(source_state.c.source).where(source_state.c.source == source)) is None:
            session.execute(source_state.insert().values(source=source, consecutive_failures=0))
        session.execute(source_state.update().where(source_state.c.source == source).values(values))
