"""What is to run now: a pure function of the schedule, of what is stored, and of the clock.

Of each missed day one run is made, as of that day, in order, and quietly; the last one speaks for all of them. The plan is made anew
after every step from what is stored, so that a scheduler that is killed between two days goes on as if it had not been.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from riskwatch.scheduling.cron import delay, occurrences
from riskwatch.scheduling.rules import RetryRules, ScheduleRules
from riskwatch.store.occurrences import OPEN, Occurrence

__all__ = ["Plan", "Task", "Timetable", "backoff", "make_plan"]


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a pipeline runs. ``pinned`` is the day as which a demonstration always runs."""

    pipeline: str
    cron: str
    zone: ZoneInfo
    jitter_seconds: int = 0
    pinned: dt.date | None = None

    def day(self, scheduled_for: dt.datetime) -> dt.date:
        """Return the as-of day of a time."""
        return self.pinned or scheduled_for.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Task:
    """A run to be made now. ``final``: if it fails it is not tried again, for later times wait. ``covered``: open times it stands for."""

    occurrence: Occurrence
    final: bool = False
    covered: tuple[dt.datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for one pipeline, in this order: record what is skipped, then make the runs."""

    skipped: tuple[Occurrence, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class _Day:
    """The times of one day, of which the last is run."""

    scheduled_for: dt.datetime
    as_of: dt.date
    first: dt.datetime
    covers: int
    row: Occurrence | None
    covered: tuple[dt.datetime, ...]


def backoff(rules: RetryRules, failures: int) -> dt.timedelta:
    """Return the wait after so many failures of one time: doubled each time, up to the longest."""
    return dt.timedelta(minutes=min(rules.wait_minutes * 2.0 ** (failures - 1), rules.longest_wait_minutes))


def make_plan(
    timetable: Timetable,
    stored: Sequence[Occurrence],
    *,
    counted_from: dt.datetime,
    now: dt.datetime,
    rules: ScheduleRules,
    force: bool = False,
) -> Plan:
    """Return what is to run now.

    Parameters
    ----------
    timetable : Timetable
    stored : sequence of Occurrence
        The last time that was done, and all later or open ones (``read_occurrences``).
    counted_from : datetime
        Times up to here do not count: nobody watched this pipeline yet.
    now : datetime
        With a zone.
    rules : ScheduleRules
    force : bool
        Also what waits to be tried again, or for its jitter.

    Returns
    -------
    Plan
        Empty if nothing is due. The clock set back makes nothing due again: times up to the newest stored one are settled or open.
    """
    days = _days(timetable, stored, counted_from, now, force=force)
    if not days:
        return Plan()
    last = days[-1]
    oldest = last.as_of - dt.timedelta(days=rules.catch_up_days)
    old = [day for day in days[:-1] if day.as_of < oldest]
    kept = days[len(old) :]
    missed = _first_missed(stored, counted_from, kept)
    tasks = []
    for day in kept:
        speaks = day is last
        waits = day.row is not None and day.row.retry_at is not None and day.row.retry_at > now
        if speaks and waits and not force:
            break
        since = missed if speaks and missed is not None and missed < day.as_of else None
        wanted = Occurrence(timetable.pipeline, day.scheduled_for, day.as_of, "due", day.covers, not speaks, since)
        if day.row is not None:
            wanted = dataclasses.replace(day.row, covers=day.covers, quiet=not speaks, catch_up_from=since)
        tasks.append(Task(wanted, final=not speaks, covered=day.covered))
    return Plan(_skipped(timetable, old, rules), tuple(tasks))


def _days(timetable: Timetable, stored: Sequence[Occurrence], counted_from: dt.datetime, now: dt.datetime, *, force: bool) -> list[_Day]:
    """Return the days that wait, oldest first: open times of the store and new ones, gathered by as-of day."""
    frontier = max([counted_from, *(row.scheduled_for for row in stored)])
    waiting: list[tuple[dt.datetime, Occurrence | None]] = [(row.scheduled_for, row) for row in stored if row.state in OPEN]
    new = occurrences(timetable.cron, timetable.zone, frontier, now) if timetable.cron else []
    # A time that its jitter puts off is not due; a later one that is takes it along.
    due = [k for k, slot in enumerate(new) if force or slot + delay(timetable.pipeline, slot, timetable.jitter_seconds) <= now]
    waiting += [(slot, None) for slot in new[: due[-1] + 1 if due else 0]]
    gathered: dict[dt.date, list[tuple[dt.datetime, Occurrence | None]]] = {}
    for slot, row in sorted(waiting, key=lambda entry: entry[0]):
        gathered.setdefault(timetable.day(slot) if row is None else row.as_of, []).append((slot, row))
    days = []
    for as_of, entries in sorted(gathered.items()):
        slot, row = entries[-1]
        covers = sum(1 if each is None else each.covers for _, each in entries)
        covered = tuple(time for time, each in entries[:-1] if each is not None)
        days.append(_Day(slot, as_of, entries[0][0], covers, row, covered))
    return days


def _first_missed(stored: Sequence[Occurrence], counted_from: dt.datetime, days: Sequence[_Day]) -> dt.date | None:
    """Return the first day since the last run that spoke: caught up quietly, given up, or waiting."""
    done = max([counted_from, *(row.scheduled_for for row in stored if row.state == "done")])
    past = [row.as_of for row in stored if row.scheduled_for > done and row.state in {"caught-up", "failed"}]
    return min([*past, *(day.as_of for day in days)], default=None)


def _skipped(timetable: Timetable, old: Sequence[_Day], rules: ScheduleRules) -> tuple[Occurrence, ...]:
    """Return the rows that say what is not made good: one for each open time, and one for all the others."""
    rows = [dataclasses.replace(day.row, message=_why(day.as_of, day.as_of, rules)) for day in old if day.row is not None]
    bare = [day for day in old if day.row is None]
    if bare:
        newest = bare[-1]
        text = _why(bare[0].as_of, newest.as_of, rules)
        rows.append(
            Occurrence(timetable.pipeline, newest.scheduled_for, newest.as_of, "due", sum(day.covers for day in bare), message=text)
        )
    return tuple(rows)


def _why(first: dt.date, last: dt.date, rules: ScheduleRules) -> str:
    days = str(first) if first == last else f"{first} to {last}"
    return f"not computed: {days} lies more than {rules.catch_up_days} days back (catch_up_days in config/schedule.yaml)"
