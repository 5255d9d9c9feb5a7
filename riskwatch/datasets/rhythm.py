"""When things happen: days, seasons, the Spring Festival, working days, and reproducible random streams."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.errors import RiskwatchError

__all__ = ["SPRING_FESTIVALS", "DayAxis", "as_days", "random_stream", "season_factor"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
DayArray = npt.NDArray[np.datetime64]

# First day of the lunar year, 2015 to 2030 (computed tables of the lunisolar calendar).
SPRING_FESTIVALS = tuple(
    dt.date.fromisoformat(day)
    for day in [
        "2015-02-19",
        "2016-02-08",
        "2017-01-28",
        "2018-02-16",
        "2019-02-05",
        "2020-01-25",
        "2021-02-12",
        "2022-02-01",
        "2023-01-22",
        "2024-02-10",
        "2025-01-29",
        "2026-02-17",
        "2027-02-06",
        "2028-01-26",
        "2029-02-13",
        "2030-02-03",
    ]
)
_FESTIVAL_DAYS = np.array(SPRING_FESTIVALS, dtype="datetime64[D]")


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """Return the generator for one named part of the simulation.

    Parts draw from streams of their own: adding a hazard or a product leaves the numbers of every other part as they were.
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def as_days(value: dt.date) -> np.datetime64:
    """Return a date as a numpy day."""
    return np.datetime64(value, "D")


@dataclass(frozen=True, eq=False)
class DayAxis:
    """The simulated days, ``start`` to ``end`` inclusive, with their calendar facts as arrays of shape (day,)."""

    start: dt.date
    end: dt.date
    days: DayArray
    weekday: IntArray  # Monday is 0
    day_of_year: IntArray
    festival_offset: IntArray  # days since the nearest Spring Festival, negative before it
    years: FloatArray  # years since the start
    month: IntArray  # consecutive months since the start

    @classmethod
    def between(cls, start: dt.date, end: dt.date) -> DayAxis:
        """Build the axis; RiskwatchError where the dates are out of order or beyond the festival table."""
        first, last = SPRING_FESTIVALS[0].year, SPRING_FESTIVALS[-1].year
        if not (start <= end and first <= start.year and end.year <= last):
            raise RiskwatchError(
                f"simulate_province: start and end must be in order and within {first} to {last}, got {start} to {end}",
                hint="the simulator knows the Spring Festivals of those years only",
            )
        days = np.arange(as_days(start), as_days(end) + np.timedelta64(1, "D"))
        number = days.astype(np.int64)
        year_start = days.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
        months = days.astype("datetime64[M]").astype(np.int64)
        offsets = number[:, None] - _FESTIVAL_DAYS.astype(np.int64)[None, :]
        nearest = np.take_along_axis(offsets, np.abs(offsets).argmin(axis=1)[:, None], axis=1)[:, 0]
        return cls(start, end, days, (number + 3) % 7, number - year_start + 1, nearest, (number - number[0]) / 365.25, months - months[0])

    @property
    def size(self) -> int:
        """Number of days."""
        return int(self.days.size)

    def position(self, day: dt.date) -> int:
        """Return the index of a day on the axis; may lie outside it."""
        return (day - self.start).days

    def working(self) -> FloatArray:
        """One on days on which samples are taken, zero on weekends and around the Spring Festival; January is slow."""
        open_day = (self.weekday < 5) & ~((self.festival_offset >= -6) & (self.festival_offset <= 9))
        slow = np.where((self.festival_offset >= -20) & (self.festival_offset < -6), 0.5, 1.0)
        return np.where(open_day, slow, 0.0)


def _bump(day_of_year: IntArray, centre: float, width: float) -> FloatArray:
    distance = np.abs(day_of_year - centre)
    distance = np.minimum(distance, 365.25 - distance)
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2), dtype=np.float64)


def _heating(day_of_year: IntArray) -> FloatArray:
    # The heating season of Jilin runs from late October to early April.
    on = 1.0 / (1.0 + np.exp(-(day_of_year - 296.0) / 6.0))
    off = 1.0 / (1.0 + np.exp((day_of_year - 97.0) / 6.0))
    return np.asarray(0.25 + 1.75 * np.maximum(on, off) + 0.5 * _bump(day_of_year, 15, 25), dtype=np.float64)


def _festival_ramp(offset: IntArray, before: int, after: int) -> FloatArray:
    return np.where((offset >= -before) & (offset <= after), 1.0, 0.0)


# Weekday rhythm of injuries: leisure products peak at weekends, work on weekdays.
_LEISURE = np.array([0.94, 0.92, 0.92, 0.94, 1.0, 1.16, 1.12])
_WORK = np.array([1.08, 1.04, 1.03, 1.03, 1.02, 0.95, 0.85])


def season_factor(kind: str, age: str, axis: DayAxis) -> FloatArray:
    """Return the injury rhythm of a product over the days: season, weekday, Spring Festival; mean about one.

    Parameters
    ----------
    kind : str
        Season of the profile: flat, heating, summer, water, spring-farm, farm-summer, autumn, school, festival, fireworks.
    age : str
        Who uses it; decides the weekday rhythm.

    Raises
    ------
    RiskwatchError
        If the season is unknown.
    """
    doy, offset = axis.day_of_year, axis.festival_offset
    if kind == "fireworks":
        # Lunar New Year's Eve, the fifth day and the Lantern Festival on the fifteenth.
        peaks = sum(height * np.exp(-0.5 * ((offset - day) / 0.9) ** 2) for day, height in ((-0.3, 60.0), (4.0, 22.0), (14.0, 30.0)))
        base: FloatArray = 0.15 + 5.0 * _festival_ramp(offset, 7, 15) + np.asarray(peaks, dtype=np.float64)
        return np.asarray(base / 1.05, dtype=np.float64)
    shapes: dict[str, Callable[[], FloatArray]] = {
        "flat": lambda: np.ones(axis.size),
        "heating": lambda: _heating(doy),
        "summer": lambda: 0.5 + 1.75 * _bump(doy, 196, 42),
        "water": lambda: 0.05 + 4.6 * _bump(doy, 201, 30),
        "spring-farm": lambda: 0.3 + 3.7 * _bump(doy, 118, 26),
        "farm-summer": lambda: 0.25 + 2.5 * _bump(doy, 165, 40),
        "autumn": lambda: 0.4 + 3.2 * _bump(doy, 276, 27),
        "school": lambda: np.where(((doy >= 60) & (doy <= 195)) | ((doy >= 240) | (doy <= 10)), 1.18, 0.55),
        "festival": lambda: 0.94 + 1.1 * _festival_ramp(offset, 10, 15),
    }
    if kind not in shapes:
        raise RiskwatchError(f"season_factor: season must be one of {sorted([*shapes, 'fireworks'])}, got {kind!r}")
    weekly = _WORK if age in {"worker", "elderly"} else _LEISURE
    # Fewer people go to a hospital from New Year's Eve to the end of the holiday week.
    dip = np.where((offset >= -1) & (offset <= 6), 0.55, 1.0) if kind != "festival" else 1.0
    return np.asarray(shapes[kind]() * weekly[axis.weekday] * dip, dtype=np.float64)
