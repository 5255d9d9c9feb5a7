"""Simulated quality indicators (模拟数据): yearly and quarterly figures of a province, its prefectures and the nation.

Each figure comes twice, preliminary and then final, so that a day in between sees the first. Three stories are put in on purpose:
satisfaction with services to producers stays far below its target, household waste is treated well above its own, and the satisfaction
survey of the last prefecture ends after 2023.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskwatch.datasets.codelists import World
from riskwatch.datasets.rhythm import random_stream

__all__ = ["INDICATOR_COLUMNS", "simulate_indicators"]

INDICATOR_COLUMNS = (
    "record_key", "indicator", "period_type", "event_date", "region", "value", "numerator", "n", "standard_error", "status", "note",
    "known_on", "version",
)  # fmt: skip
NOTE = "模拟数据"
FIRST_YEAR_LEVELS = 2019  # the year that the levels below are for
_YEARS_BEFORE = 2  # figures begin so many years before the records
# Days after the end of the period on which a figure is published: preliminary, final.
_DELAYS = {"year": (75, 160), "quarter": (28, 75)}
_LOST = ("customer-satisfaction", 2023)  # the last prefecture's survey ends with the second quarter of this year


@dataclass(frozen=True, slots=True)
class _Profile:
    """How one indicator behaves.

    ``level`` and ``slope`` (a year) are the province's and, where it has one, the nation's; prefectures lie about the province with
    ``spread``; ``wobble`` is the standard deviation of good and bad years. ``sample`` is n of the province in a year, or None with
    ``error`` the standard error of its yearly figure; both None: a figure without stated uncertainty.
    """

    code: str
    level: float
    slope: float
    nation: tuple[float, float] | None = None
    spread: float = 0.0
    wobble: float = 0.2
    sample: int | None = None
    error: float | None = None
    quarterly: bool = False
    local: bool = True
    low: float = 0.0
    high: float = 100.0
    decimals: int = 1


_PROFILES = (
    _Profile("manufacturing-pass-rate", 92.6, 0.16, (93.3, 0.12), spread=0.9, wobble=0.15, sample=2_600, decimals=2),
    _Profile("manufacturing-competitiveness", 82.1, 0.28, (84.2, 0.28), spread=1.6, error=0.45, low=60.0, decimals=2),
    _Profile("quality-loss-rate", 1.92, -0.085, spread=0.15, wobble=0.03, error=0.03, quarterly=True, decimals=2),
    _Profile("export-pass-rate", 99.1, 0.04, (99.4, 0.03), spread=0.2, wobble=0.05, sample=6_400, quarterly=True, decimals=2),
    _Profile("customer-satisfaction", 76.8, 0.42, (78.1, 0.30), spread=1.2, error=0.5, quarterly=True),
    _Profile("mandatory-standard-conformity", 98.9, 0.05, spread=0.3, wobble=0.05, sample=9_000, decimals=2),
    _Profile("advanced-standard-adoption", 82.6, 1.1, wobble=0.4, local=False),
    _Profile("system-certification", 90.8, 0.6, spread=1.0, wobble=0.3),
    _Profile("excellence-methods", 68.0, 1.6, spread=2.0, wobble=0.6),
    _Profile("testing-network-coverage", 99.99, 0.0, wobble=0.0),
    _Profile("first-acceptance-large", 99.6, 0.02, spread=0.1, wobble=0.05, sample=420),
    _Profile("first-acceptance-other", 98.5, 0.05, spread=0.3, wobble=0.1, sample=5_200),
    _Profile("engineering-satisfaction", 78.0, 0.35, spread=0.8, error=0.6),
    _Profile("producer-service-satisfaction", 77.6, 0.05, spread=0.9, error=0.6),
    _Profile("consumer-service-satisfaction", 80.9, 0.25, spread=0.9, error=0.5),
    _Profile("characteristic-service-satisfaction", 79.2, 0.30, spread=1.2, error=0.8),
    _Profile("emission-compliance", 92.8, 0.35, spread=0.8, sample=1_900),
    _Profile("waste-treatment", 95.6, 0.55, spread=0.8, wobble=0.3),
    _Profile("sewage-treatment", 93.0, 0.6, spread=1.4, wobble=0.4),
    _Profile("good-air-days", 318.0, 2.2, spread=9.0, wobble=6.0, high=365.0, decimals=0),
    _Profile("drinking-source-compliance", 99.7, 0.02, spread=0.2, wobble=0.05, sample=560),
    _Profile("environmental-noise", 54.6, -0.08, spread=0.9, wobble=0.25, low=20.0, high=120.0),
)  # fmt: skip


def simulate_indicators(world: World, seed: int, start: dt.date, end: dt.date, *, nation: str = "CN") -> pd.DataFrame:
    """Simulate the figures of all indicators of the demonstration.

    Parameters
    ----------
    world : World
        Its provinces and prefectures are the regions.
    seed : int
        Same seed, same figures; every indicator and region draws from a stream of its own.
    start, end : date
        Figures begin two years before ``start``; those not yet published on ``end`` are left out.
    nation : str
        Region code of the nation; "" for none.

    Returns
    -------
    DataFrame
        :data:`INDICATOR_COLUMNS`; version 2 is the final figure of the record whose preliminary one is version 1.
    """
    provinces = list(dict.fromkeys(world.counties["province"]))
    people = world.counties.groupby("prefecture")["population"].sum()
    years = range(start.year - _YEARS_BEFORE, end.year + 1)
    rows: list[dict[str, object]] = []
    for profile in _PROFILES:
        for region in ([nation] if nation and profile.nation else []) + provinces + (sorted(people.index) if profile.local else []):
            size = 1.0 if region in provinces else 12.0 if region == nation else float(people[region] / people.sum())
            rng = random_stream(seed, "indicators", profile.code, str(region))
            offset = float(rng.normal(0.0, profile.spread)) if region in people.index else 0.0
            stops = _LOST[1] if (profile.code, region) == (_LOST[0], max(people.index)) else None
            rows += _series(profile, _Place(str(region), size, offset, region == nation, stops), years, rng)
    frame = pd.DataFrame(rows, columns=list(INDICATOR_COLUMNS))
    for name in ("event_date", "known_on"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
    frame = frame.loc[(frame["known_on"] <= pd.Timestamp(end)).to_numpy()]
    return frame.sort_values(["known_on", "record_key"], kind="stable", ignore_index=True)


@dataclass(frozen=True, slots=True)
class _Place:
    """A region: its size against the province, how far it lies from it, and the year in which its survey stops."""

    region: str
    size: float
    offset: float
    national: bool
    stops: int | None


def _series(profile: _Profile, place: _Place, years: range, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Yield the rows of one indicator and region, quarters before the year that they make up."""
    stops = place.stops
    level, slope = profile.nation if place.national and profile.nation else (profile.level, profile.slope)
    wobble = 0.0
    for year in years:
        # Good and bad years come in runs.
        wobble = 0.4 * wobble + float(rng.normal(0.0, profile.wobble))
        truth = float(np.clip(level + slope * (year - FIRST_YEAR_LEVELS) + place.offset + wobble, profile.low, profile.high))
        draws = [_draw(profile, truth, place.size, rng, parts=4) for _ in range(4)] if profile.quarterly else []
        if stops is not None and year >= stops:
            draws = draws[:2] if year == stops else []
        for number, draw in enumerate(draws):
            end = dt.date(year + (number == 3), (3 * number + 4 - 1) % 12 + 1, 1) - dt.timedelta(days=1)
            yield from _versions(profile, place.region, f"{year}Q{number + 1}", end, draw)
        if stops is not None and year >= stops:
            continue
        whole = _whole(draws) if draws else _draw(profile, truth, place.size, rng, parts=1)
        yield from _versions(profile, place.region, f"{year}", dt.date(year, 12, 31), whole)


@dataclass(frozen=True, slots=True)
class _Figure:
    """A final figure with what a preliminary one showed before it."""

    value: float
    early: float
    numerator: int | None = None
    n: int | None = None
    early_numerator: int | None = None
    early_n: int | None = None
    error: float | None = None


def _draw(profile: _Profile, truth: float, size: float, rng: np.random.Generator, *, parts: int) -> _Figure:
    """Measure the truth once; a quarter has a fourth of the year's sample."""
    if profile.sample is not None:
        n = max(round(profile.sample * size / parts), 12)
        early_n = round(0.7 * n)
        early = int(rng.binomial(early_n, truth / 100.0))
        whole = early + int(rng.binomial(n - early_n, truth / 100.0))
        return _Figure(100.0 * whole / n, 100.0 * early / early_n, whole, n, early, early_n)
    if profile.error is not None:
        # Small places survey fewer people: the standard error grows with the root, up to three times.
        error = profile.error * float(np.clip(size**-0.25, 0.5, 3.0)) * parts**0.5
        value = truth + float(rng.normal(0.0, error))
        return _Figure(value, value + float(rng.normal(0.0, 0.3 * error)), error=error)
    return _Figure(truth, truth - abs(float(rng.normal(0.0, 0.3 * profile.wobble))))


def _whole(draws: list[_Figure]) -> _Figure:
    """Put four quarters together."""
    if draws[0].n is not None:
        numerator, n = sum(item.numerator or 0 for item in draws), sum(item.n or 0 for item in draws)
        early, early_n = sum(item.early_numerator or 0 for item in draws), sum(item.early_n or 0 for item in draws)
        return _Figure(100.0 * numerator / n, 100.0 * early / early_n, numerator, n, early, early_n)
    error = (sum((item.error or 0.0) ** 2 for item in draws) ** 0.5 / 4.0) if draws[0].error is not None else None
    return _Figure(sum(item.value for item in draws) / 4.0, sum(item.early for item in draws) / 4.0, error=error)


def _versions(profile: _Profile, region: str, period: str, end: dt.date, figure: _Figure) -> Iterator[dict[str, object]]:
    kind = "quarter" if "Q" in period else "year"
    for version, (status, delay) in enumerate(zip(("preliminary", "final"), _DELAYS[kind], strict=True), start=1):
        first = version == 1
        value = figure.early if first else figure.value
        yield {
            "record_key": f"ZB-{profile.code}-{region}-{period}",
            "indicator": profile.code,
            "period_type": kind,
            "event_date": end,
            "region": region,
            "value": f"{float(np.clip(value, profile.low, profile.high)):.{profile.decimals}f}",
            "numerator": _text(figure.early_numerator if first else figure.numerator),
            "n": _text(figure.early_n if first else figure.n),
            "standard_error": "" if figure.error is None else f"{figure.error:.3f}",
            "status": status,
            "note": NOTE,
            "known_on": end + dt.timedelta(days=delay),
            "version": version,
        }


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
