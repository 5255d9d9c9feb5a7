"""What is known of schedules beside their definitions: since when they count, whether they are paused, and which schedulers live."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from riskwatch import __version__
from riskwatch.store.database import Database, instant
from riskwatch.store.lease import is_dead
from riskwatch.store.occurrences import moment
from riskwatch.store.tables import schedule, scheduler

__all__ = ["ScheduleState", "SchedulerRow", "beat", "pause", "read_schedule", "read_schedulers", "register", "resume", "sign_off"]


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """Times of a pipeline up to ``counted_from`` are nobody's concern."""

    pipeline: str
    counted_from: dt.datetime
    paused_at: dt.datetime | None = None
    paused_by: str | None = None


@dataclass(frozen=True, slots=True)
class SchedulerRow:
    """A scheduler process that lives, or has died without a word."""

    holder: str
    version: str
    started_at: dt.datetime
    beat_at: dt.datetime
    stopping: bool


def read_schedule(database: Database, pipeline: str) -> ScheduleState | None:
    """Return the state of a pipeline's schedule; None if no scheduler has seen it yet."""
    with database.session(f'read the schedule of pipeline "{pipeline}"') as session:
        row = session.first(sa.select(schedule).where(schedule.c.pipeline == pipeline))
    if row is None:
        return None
    paused = row["paused_at"]
    return ScheduleState(pipeline, moment(row["counted_from_at"]), None if paused is None else moment(paused), row["paused_by"])


def register(database: Database, pipeline: str, now: dt.datetime) -> ScheduleState:
    """Count the times of a pipeline from now on, unless they are counted already; return the state."""
    with database.session(f'register pipeline "{pipeline}"', write=True, lock=schedule) as session:
        if session.scalar(sa.select(schedule.c.pipeline).where(schedule.c.pipeline == pipeline)) is None:
            session.execute(schedule.insert().values(pipeline=pipeline, counted_from_at=instant(now)))
    found = read_schedule(database, pipeline)
    return found or ScheduleState(pipeline, now)


def pause(database: Database, pipeline: str, *, by: str, now: dt.datetime) -> bool:
    """Let a pipeline rest; say whether it was not resting already."""
    state = register(database, pipeline, now)
    if state.paused_at is None:
        _update(database, pipeline, {"paused_at": instant(now), "paused_by": by})
    return state.paused_at is None


def resume(database: Database, pipeline: str, *, now: dt.datetime, skip_missed: bool = False) -> bool:
    """Let a pipeline go on; with ``skip_missed`` the times that it missed are forgotten. Say whether it was paused."""
    state = register(database, pipeline, now)
    values: dict[str, str | None] = {"paused_at": None, "paused_by": None}
    if skip_missed:
        values["counted_from_at"] = instant(now)
    _update(database, pipeline, values)
    return state.paused_at is not None


def _update(database: Database, pipeline: str, values: dict[str, str | None]) -> None:
    with database.session(f'change the schedule of pipeline "{pipeline}"', write=True, lock=schedule) as session:
        session.execute(schedule.update().where(schedule.c.pipeline == pipeline).values(values))


def beat(database: Database, holder: str, *, started_at: dt.datetime, now: dt.datetime, keep: dt.timedelta, stopping: bool = False) -> None:
    """Say that a scheduler lives; rows of others are taken away that were silent for longer than ``keep`` or died here."""
    with database.session("note that the scheduler lives", write=True, lock=scheduler) as session:
        silent = scheduler.c.beat_at < instant(now - keep)
        dead = [row["holder"] for row in session.rows(sa.select(scheduler.c.holder)) if is_dead(row["holder"])]
        session.execute(scheduler.delete().where(sa.or_(scheduler.c.holder.in_([holder, *dead]), silent)))
        values = {
            "holder": holder,
            "version": __version__,
            "started_at": instant(started_at),
            "beat_at": instant(now),
            "stopping": stopping,
        }
        session.execute(scheduler.insert().values(values))


def sign_off(database: Database, holder: str) -> None:
    """Take the row of a scheduler away: it ended as it should."""
    with database.session("note that the scheduler has ended", write=True, lock=scheduler) as session:
        session.execute(scheduler.delete().where(scheduler.c.holder == holder))


def read_schedulers(database: Database) -> list[SchedulerRow]:
    """Return all schedulers that have not signed off, the newest sign of life first."""
    with database.session("list schedulers") as session:
        rows = session.rows(sa.select(scheduler).order_by(scheduler.c.beat_at.desc(), scheduler.c.holder))
    return [SchedulerRow(row["holder"], row["version"], moment(row["started_at"]), moment(row["beat_at"]), row["stopping"]) for row in rows]
