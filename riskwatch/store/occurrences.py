"""Times at which pipelines were to run: claimed, settled, and never done twice.

All of it is written under the run lease (:mod:`riskwatch.store.lease`), whose fence makes each of these transactions check that the
lease is still held. So a row that says ``running`` while this process holds the lease was left behind by one that lost it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from riskwatch.store.database import Database, Session, instant
from riskwatch.store.tables import occurrence

__all__ = ["OPEN", "Occurrence", "State", "claim", "moment", "put_back", "read_occurrences", "recent_occurrences", "settle"]

State = Literal["due", "running", "done", "failed", "caught-up", "skipped"]
OPEN = ("due", "running")
"""States of a time that is not settled."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time at which a pipeline was to run; ``covers`` counts the times of its day, or skipped ones, that it stands for."""

    pipeline: str
    scheduled_for: dt.datetime
    as_of: dt.date
    state: State
    covers: int = 1
    quiet: bool = False
    catch_up_from: dt.date | None = None
    run_id: str | None = None
    holder: str | None = None
    attempts: int = 0
    failures: int = 0
    message: str = ""
    retry_at: dt.datetime | None = None
    claimed_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None


def moment(text: str) -> dt.datetime:
    """Read an instant as the tables keep it."""
    return dt.datetime.fromisoformat(text)


_INSTANTS = ("scheduled_for", "retry_at", "claimed_at", "finished_at")


def _typed(row: dict[str, Any]) -> Occurrence:
    values: dict[str, Any] = {name: moment(value) if name in _INSTANTS and value is not None else value for name, value in row.items()}
    return Occurrence(**values)


def _mine(pipeline: str, scheduled_for: dt.datetime) -> sa.ColumnElement[bool]:
    return sa.and_(occurrence.c.pipeline == pipeline, occurrence.c.scheduled_for == instant(scheduled_for))


def read_occurrences(database: Database, pipeline: str) -> list[Occurrence]:
    """Return what a plan for a pipeline rests on, oldest first: its last time that was done, and all rows after it or still open."""
    done = sa.select(sa.func.max(occurrence.c.scheduled_for)).where(occurrence.c.pipeline == pipeline, occurrence.c.state == "done")
    wanted = sa.or_(occurrence.c.scheduled_for >= sa.func.coalesce(done.scalar_subquery(), ""), occurrence.c.state.in_(OPEN))
    query = sa.select(occurrence).where(occurrence.c.pipeline == pipeline, wanted).order_by(occurrence.c.scheduled_for)
    with database.session(f'read the times of pipeline "{pipeline}"') as session:
        return [_typed(row) for row in session.rows(query)]


def recent_occurrences(database: Database, *, limit: int = 50, states: Iterable[str] | None = None) -> list[Occurrence]:
    """Return the newest times of all pipelines, newest first."""
    query = sa.select(occurrence).order_by(occurrence.c.scheduled_for.desc(), occurrence.c.pipeline).limit(limit)
    if states is not None:
        query = query.where(occurrence.c.state.in_(list(states)))
    with database.session("list the times of pipelines") as session:
        return [_typed(row) for row in session.rows(query)]


def claim(
    database: Database, wanted: Occurrence, *, holder: str, now: dt.datetime, covered: Sequence[dt.datetime] = ()
) -> Occurrence | None:
    """Take a time for this process; the caller holds the run lease.

    Parameters
    ----------
    wanted : Occurrence
        Pipeline, time, as-of day and how it is to run.
    holder : str
        This process, for people.
    now : datetime
    covered : sequence of datetime
        Open times of the same pipeline that this one stands for: they are settled with it.

    Returns
    -------
    Occurrence or None
        As claimed, with its counts; None if it was settled meanwhile.

    Raises
    ------
    LeaseHeldError
        If the run lease was lost; nothing is written.
    """
    with database.session(f'claim pipeline "{wanted.pipeline}" of {instant(wanted.scheduled_for)}', write=True, lock=occurrence) as session:
        row = session.first(sa.select(occurrence).where(_mine(wanted.pipeline, wanted.scheduled_for)))
        if row is not None and row["state"] not in OPEN:
            return None
        values = {
            "state": "running",
            "covers": wanted.covers,
            "quiet": wanted.quiet,
            "catch_up_from": wanted.catch_up_from,
            "holder": holder,
            "attempts": 1 if row is None else row["attempts"] + 1,
            "retry_at": None,
            "claimed_at": instant(now),
            "finished_at": None,
        }
        _put(session, wanted, values, new=row is None)
        for each in covered:
            text = f"covered by the time {instant(wanted.scheduled_for)} of the same day"
            closed = {"state": "caught-up", "message": text, "retry_at": None, "finished_at": instant(now)}
            session.execute(occurrence.update().where(_mine(wanted.pipeline, each)).values(closed))
        return _typed(session.rows(sa.select(occurrence).where(_mine(wanted.pipeline, wanted.scheduled_for)))[0])


def settle(
    database: Database,
    wanted: Occurrence,
    *,
    state: State,
    now: dt.datetime,
    message: str = "",
    run_id: str | None = None,
    failed: bool = False,
    retry_at: dt.datetime | None = None,
    keep: dt.timedelta | None = None,
) -> None:
    """Write how a time ended; one that is unknown is added. ``due`` with ``retry_at`` is one that is to be tried again.

    With ``keep``, times of the pipeline that are older, and older than this one, are taken away: they play no part in any plan.

    Raises
    ------
    LeaseHeldError
        If the run lease was lost; nothing is written.
    """
    with database.session(
        f'settle pipeline "{wanted.pipeline}" of {instant(wanted.scheduled_for)}', write=True, lock=occurrence
    ) as session:
        row = session.first(sa.select(occurrence).where(_mine(wanted.pipeline, wanted.scheduled_for)))
        values = {
            "state": state,
            "message": message[:2000],
            "run_id": run_id,
            "failures": (0 if row is None else row["failures"]) + failed,
            "retry_at": None if retry_at is None else instant(retry_at),
            "finished_at": instant(now),
        }
        _put(session, wanted, values, new=row is None)
        if keep is not None:
            old = sa.and_(occurrence.c.pipeline == wanted.pipeline, occurrence.c.scheduled_for < instant(now - keep))
            session.execute(occurrence.delete().where(old, occurrence.c.scheduled_for < instant(wanted.scheduled_for)))


def put_back(database: Database, claimed: Occurrence) -> None:
    """Give a claimed time back as if it had not been taken: this process stops before it is done."""
    with database.session(
        f'give back pipeline "{claimed.pipeline}" of {instant(claimed.scheduled_for)}', write=True, lock=occurrence
    ) as session:
        values = {"state": "due", "holder": None, "attempts": claimed.attempts - 1, "claimed_at": None}
        session.execute(occurrence.update().where(_mine(claimed.pipeline, claimed.scheduled_for)).values(values))


def _put(session: Session, wanted: Occurrence, values: dict[str, Any], *, new: bool) -> None:
    if new:
        blank = {
            "pipeline": wanted.pipeline,
            "scheduled_for": instant(wanted.scheduled_for),
            "as_of": wanted.as_of,
            "covers": wanted.covers,
            "quiet": wanted.quiet,
            "catch_up_from": wanted.catch_up_from,
            "attempts": 0,
            "failures": 0,
            "message": "",
        }
        session.execute(occurrence.insert().values({**blank, **values}))
    else:
        session.execute(occurrence.update().where(_mine(wanted.pipeline, wanted.scheduled_for)).values(values))
