"""Which past periods a judged period is compared with, and to which part of the year each belongs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import DetectorError

__all__ = ["PERIODS_PER_YEAR", "BaselineDesign", "frequency_of", "reference_positions", "seasonal_baseline", "time_axis"]

PERIODS_PER_YEAR = {"day": 365, "week": 52, "4-week": 13, "month": 12}
_PERIOD_DAYS = {"day": 1, "week": 7, "4-week": 28}


def frequency_of(periods: pd.PeriodIndex) -> str:
    """Return "day", "week", "4-week" or "month".

    Raises
    ------
    DetectorError
        If the periods are anything else.
    """
    freq: Any = periods.freq
    name = type(freq).__name__
    for frequency, kind, multiple in (("day", "Day", 1), ("week", "Week", 1), ("4-week", "Week", 4), ("month", "MonthEnd", 1)):
        if name == kind and freq.n == multiple:
            return frequency
    raise DetectorError(
        f"periods must be days (D), weeks (W), blocks of four weeks (4W) or months (M), got {periods.freqstr}", hint="Panel.periods sets it"
    )


@dataclass(frozen=True, eq=False)
class BaselineDesign:
    """Baseline of one judged period, the same for all series; rows are sorted by part of the year.

    Attributes
    ----------
    now : int
        Position of the judged period.
    rows : array of int, shape (n,)
        Positions of the baseline periods.
    starts : array of int, shape (levels,)
        Where each part of the year begins in ``rows``; the last part is that of the judged period. Parts without rows are left out.
    windows : tuple of slice
        For each past year, the positions around the judged period's anniversary.
    """

    now: int
    rows: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    windows: tuple[slice, ...]


def _years_before(day: dt.date, years: int) -> dt.date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February: the day after the 28th
        return dt.date(day.year - years, 3, 1)


def reference_positions(periods: pd.PeriodIndex, now: int, years: int, match: str) -> list[int]:
    """Return the positions of the anniversaries of period ``now``, nearest year first; negative before the panel begins.

    With ``match="calendar"`` an anniversary is the period that starts nearest to the same date in an earlier year (so that 53-week
    years do not shift the season); with ``"fixed"`` it lies a fixed number of periods back (52, 13, 12, 365).
    """
    frequency = frequency_of(periods)
    if match == "fixed" or frequency == "month":
        return [now - year * PERIODS_PER_YEAR[frequency] for year in range(1, years + 1)]
    day = periods[now].start_time.date()
    length = _PERIOD_DAYS[frequency]
    # Half a length up and floor: an odd length (weeks) has no ties; a tie of 28-day blocks goes to the later block.
    return [now - (((day - _years_before(day, year)).days + (length - 1) // 2) // length) for year in range(1, years + 1)]


def time_axis(periods: pd.PeriodIndex, match: str) -> npt.NDArray[np.float64]:
    """Return the trend's time covariate, in periods; months count by their days unless ``match`` is "fixed"."""
    if match != "fixed" and frequency_of(periods) == "month":
        days = np.asarray(periods.start_time.to_numpy()).astype("datetime64[D]").astype(np.int64)
        return np.asarray((days - days[0]) / 30.4375, dtype=np.float64)
    return np.arange(len(periods), dtype=np.float64)


def seasonal_baseline(now: int, references: list[int], *, half_window: int, guard: int, levels: int) -> BaselineDesign:
    """Choose the baseline of period ``now``.

    Periods within ``half_window`` of an anniversary form one part of the year; each gap between two such windows is cut into
    ``levels`` - 1 runs, the first ones a period longer where it does not divide evenly, and the k-th runs of all gaps form a part.
    The last ``guard`` periods before ``now`` and ``now`` itself are left out, so that a rise under way does not hide itself.

    Parameters
    ----------
    now : int
        Position of the judged period.
    references : list of int
        Positions of its anniversaries, nearest first.
    half_window, guard : int
        In periods.
    levels : int
        Parts of the year; with 1 only the windows are used.
    """
    part = np.full(now + 1, -1, dtype=np.intp)
    anchors = [*sorted(references), now]
    last = levels - 1
    for at in range(len(anchors) - 1):
        low, high = anchors[at] + half_window + 1, anchors[at + 1] - half_window
        if last and high > low:
            for number, run in enumerate(np.array_split(np.arange(low, high), last)):
                part[run[run >= 0]] = number
    windows = []
    for anchor in sorted(references):
        window = slice(max(anchor - half_window, 0), max(anchor + half_window + 1, 0))
        part[window] = last
        if anchor >= 0:
            windows.append(window)
    if last:
        part[max(now - half_window, 0) :] = last
    part[max(now - guard, 0) :] = -1
    rows = np.flatnonzero(part >= 0)
    rows = rows[np.argsort(part[rows], kind="stable")]
    counts = np.bincount(part[rows], minlength=levels)
    starts = (np.cumsum(counts) - counts)[counts > 0]
    if not counts[last]:
        rows, starts = rows[:0], starts[:0]
    return BaselineDesign(now, rows, starts.astype(np.intp), tuple(windows))
