"""The times of a cron line in a time zone, as instants: none twice, none lost, whatever clocks do in between.

A time of the wall clock that does not exist (clocks are set forward over it) counts as long after the change as it lies after its
beginning: 02:30 becomes 03:30. One that exists twice (clocks are set back) counts at its first; only lines with ``*`` for the hour go
on through the repeated hour, for they mean an interval and not a time of day. Day of month and day of week must both fit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from riskwatch.definitions.cron import cron_complaints
from riskwatch.errors import CalendarError

__all__ = ["Cron", "delay", "occurrences", "parse_cron", "upcoming"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12))
# A zone may leave out a whole day (Apia, 30 December 2011); a local day lies within two days of the instant sought.
_MARGIN = dt.timedelta(days=2)
_FOREVER = dt.timedelta(days=9 * 366)  # 29 February comes within eight years, also over 2100


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line taken apart; weekdays count from Monday, 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    every_hour: bool

    def fits(self, day: dt.date) -> bool:
        """Say whether the line has times on a day."""
        return day.month in self.months and day.day in self.days and day.weekday() in self.weekdays


@lru_cache(maxsize=64)
def parse_cron(line: str) -> Cron:
    """Take a cron line apart.

    Parameters
    ----------
    line : str
        ``minute hour day-of-month month day-of-week``, days of the week by name.

    Raises
    ------
    CalendarError
        If it is no such line.
    """
    complaints = cron_complaints(line)
    if complaints:
        raise CalendarError(f'cron line "{line}": ' + "; ".join(complaints), hint='for example "0 6 * * mon-fri"')
    *fields, weekdays = line.split()
    minutes, hours, days, months = (
        tuple(sorted({value for part in text.split(",") for value in _values(part, low, high)}))
        for text, (low, high) in zip(fields, _RANGES, strict=True)
    )
    named = {place for part in weekdays.lower().split(",") for place in _weekdays(part)}
    return Cron(minutes, hours, frozenset(days), frozenset(months), frozenset(named), len(hours) == 24)


def _values(part: str, low: int, high: int) -> range:
    text, _, step = part.partition("/")
    if text == "*":
        first, last = low, high
    else:
        ends = [int(end) for end in re.split("-", text)]
        # "5/15" means from 5 on, "5" means 5.
        first, last = ends[0], ends[-1] if len(ends) > 1 or not step else high
    return range(first, last + 1, int(step or 1))


def _weekdays(part: str) -> range:
    if part == "*":
        return range(7)
    ends = [_DAYS.index(end) for end in part.split("-")]
    return range(ends[0], ends[-1] + 1)


def occurrences(line: str, zone: ZoneInfo, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """Return the times of a cron line.

    Parameters
    ----------
    line : str
        See :func:`parse_cron`.
    zone : ZoneInfo
        Zone of the wall clock that the line means.
    after, until : datetime
        With a zone; times in ``(after, until]`` are returned. Neighbouring spans share no time and miss none.

    Returns
    -------
    list of datetime
        In UTC, rising, each once; empty if ``until`` is not after ``after``.

    Raises
    ------
    CalendarError
        If the line is wrong.
    """
    cron = parse_cron(line)
    if until <= after:
        return []
    day, last = after.astimezone(zone).date() - _MARGIN, until.astimezone(zone).date() + _MARGIN
    found: set[dt.datetime] = set()
    while day <= last:
        if cron.fits(day):
            found.update(_on(cron, zone, day))
        day += dt.timedelta(days=1)
    return sorted(instant for instant in found if after < instant <= until)


def _on(cron: Cron, zone: ZoneInfo, day: dt.date) -> Iterator[dt.datetime]:
    for hour, minute in itertools.product(cron.hours, cron.minutes):
        local = dt.datetime.combine(day, dt.time(hour, minute), zone)
        first = local.astimezone(dt.UTC)
        yield first
        if cron.every_hour and (second := local.replace(fold=1).astimezone(dt.UTC)) > first:
            yield second


def upcoming(line: str, zone: ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the times of a cron line after an instant, in UTC, rising; it ends where a line (30 February) never comes again."""
    start, span = after, dt.timedelta(days=2)
    while start - after < _FOREVER:
        end = start + span
        found = occurrences(line, zone, start, end)
        yield from found
        start, span = end, dt.timedelta(days=2) if found else min(span * 4, dt.timedelta(days=366))


def delay(pipeline: str, scheduled_for: dt.datetime, jitter_seconds: int) -> dt.timedelta:
    """Return by how much a run is put off, so that many projects do not ask one server in the same second.

    It follows from the pipeline and the time alone: every scheduler, and a restarted one, comes to the same.
    """
    if jitter_seconds <= 0:
        return dt.timedelta(0)
    text = f"{pipeline} {scheduled_for.astimezone(dt.UTC).isoformat()}"
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return dt.timedelta(seconds=drawn % (jitter_seconds + 1))
