"""Events of cases and silences: appended to the chain, read as of a day."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from riskwatch.errors import CaseworkError
from riskwatch.store.chain import append_chained
from riskwatch.store.columns import arrow_rows
from riskwatch.store.database import Database, Session
from riskwatch.store.payload import dumps
from riskwatch.store.tables import case_event, run, silence

__all__ = [
    "CaseRow",
    "SilenceRow",
    "append_automatic",
    "last_act",
    "read_case_events",
    "read_silences",
    "write_acts",
]


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One event of a case. ``happened_at`` is None where no person acted."""

    event_id: str
    case_id: str
    seq: int
    as_of: dt.date
    kind: str
    actor: str
    happened_at: str | None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """One silence as it stands."""

    silence_id: str
    matcher: Mapping[str, str]
    reason: str
    author: str
    starts_on: dt.date
    ends_on: dt.date
    ended_on: dt.date | None


def _values(row: CaseRow) -> dict[str, Any]:
    names = ("event_id", "case_id", "seq", "as_of", "kind", "actor", "happened_at")
    return {**{name: getattr(row, name) for name in names}, "payload": dumps(row.payload)}


def _last(session: Session, case_ids: Iterable[str]) -> dict[str, int]:
    query = (
        sa.select(case_event.c.case_id, sa.func.max(case_event.c.seq).label("seq"))
        .where(case_event.c.case_id.in_(sorted(set(case_ids))))
        .group_by(case_event.c.case_id)
    )
    return {str(row["case_id"]): int(row["seq"]) for row in session.fetch(query).to_pylist()}


def append_automatic(session: Session, rows: Iterable[CaseRow]) -> None:
    """Append automatic events within a run's transaction: those that are stored stay as they are, the others get the next numbers.

    A person may have acted while the run was under way; the numbers that the run had in mind may be taken.
    """
    listed = list(rows)
    if not listed:
        return
    wanted = [row.event_id for row in listed]
    stored = {str(row["event_id"]) for row in session.rows(sa.select(case_event.c.event_id).where(case_event.c.event_id.in_(wanted)))}
    numbers = _last(session, (row.case_id for row in listed))
    fresh = []
    for row in listed:
        if row.event_id in stored:
            continue
        numbers[row.case_id] = numbers.get(row.case_id, 0) + 1
        fresh.append(_values(replace(row, seq=numbers[row.case_id])))
    append_chained(session, case_event, fresh)


def write_acts(database: Database, rows: Iterable[CaseRow], *, silences: Iterable[SilenceRow] = ()) -> None:
    """Store what people did: all of it or nothing.

    Parameters
    ----------
    database : Database
    rows : iterable of CaseRow
        In their order; those of one case with numbers that follow each other.
    silences : iterable of SilenceRow
        Silences as they stand after it; they take the place of those stored.

    Raises
    ------
    CaseworkError
        If someone else was quicker: an event of the case has been stored that the writer had not seen.
    StoreError
        If the database refuses.
    """
    listed = list(rows)
    with database.session("store what people did", write=True, lock=run) as session:
        numbers = _last(session, (row.case_id for row in listed))
        for row in listed:
            if row.seq != numbers.get(row.case_id, 0) + 1:
                raise CaseworkError(
                    f"{row.kind} {row.case_id}: the case has changed meanwhile ({numbers.get(row.case_id, 0)} events, seen {row.seq - 1})",
                    hint=f"look again (riskwatch warnings show {row.case_id}), then decide",
                )
            numbers[row.case_id] = row.seq
        append_chained(session, case_event, [_values(row) for row in listed])
        for one in silences:
            session.execute(silence.delete().where(silence.c.silence_id == one.silence_id))
            values = {name: getattr(one, name) for name in silence.c.keys() if name != "matcher"}  # noqa: SIM118 - names of columns
            session.append(silence, arrow_rows([{**values, "matcher": dumps(one.matcher)}], silence, session.dialect))


def read_case_events(database: Database, until: dt.date | None = None, case_id: str | None = None) -> list[CaseRow]:
    """Return events of cases and silences up to a day, by case, in their order."""
    columns = [column for column in case_event.columns if column.name not in {"link", "previous_hash", "hash"}]
    query = sa.select(*columns).order_by(case_event.c.case_id, case_event.c.seq)
    if until is not None:
        query = query.where(case_event.c.as_of <= until)
    if case_id is not None:
        query = query.where(case_event.c.case_id == case_id)
    with database.session("read events of cases") as session:
        rows = session.rows(query)
    return [CaseRow(**{**row, "payload": json.loads(row["payload"])}) for row in rows]


def read_silences(database: Database, as_of: dt.date | None = None) -> list[SilenceRow]:
    """Return silences that were added by a day, as they stood on it, in the order of their id."""
    query = sa.select(silence).order_by(silence.c.silence_id)
    if as_of is not None:
        query = query.where(silence.c.starts_on <= as_of)
    with database.session("read silences") as session:
        rows = [SilenceRow(**{**row, "matcher": json.loads(row["matcher"])}) for row in session.rows(query)]
    later = [row.ended_on is not None and as_of is not None and row.ended_on > as_of for row in rows]
    return [replace(row, ended_on=None) if gone else row for row, gone in zip(rows, later, strict=True)]


def last_act(database: Database) -> str:
    """Return the id of the last thing that a person did; "" without any: a run's outcome rests on all before it."""
    query = sa.select(case_event.c.event_id).where(case_event.c.actor != "").order_by(case_event.c.link.desc()).limit(1)
    with database.session("read the last act") as session:
        return str(session.scalar(query) or "")
