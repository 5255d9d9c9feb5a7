"""Sentinel hospitals: where they stand, whom they see, when they are silent and when they report."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.datasets.codelists import World
from riskwatch.datasets.hazards import Hazard
from riskwatch.datasets.rhythm import DayAxis

__all__ = ["Hospitals", "build_hospitals", "report_days"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Part of a county's cases that the sentinel system sees where there is no sentinel hospital in the county.
_COVERAGE_ELSEWHERE = 0.45
_OWN_SHARE = 0.88
# (hospital position, weeks before the end, weeks of silence): the second goes on until the end.
_SILENCES = ((3, 120, 7), (7, 5, 6), (11, 190, 10), (5, 61, 4), (2, 165, 5))


@dataclass(frozen=True, eq=False)
class Hospitals:
    """Sentinel hospitals.

    Attributes
    ----------
    table : DataFrame
        ``name, county (position), batch ("weekly" or "monthly")``.
    share : array, shape (county, hospital)
        Which hospital the seen cases of a county go to; rows sum to one.
    coverage : array, shape (county,)
        Part of the cases seen, relative to a county with a sentinel hospital.
    opened : bool array, shape (hospital, day)
        False while the hospital is silent or has not joined yet.
    gaps : DataFrame
        ``hospital, start, end, reason`` of every silence.
    release : list of (hospital, first, last day position)
        Backlogs: cards of visits in between are all reported just after the last day.
    """

    table: pd.DataFrame
    share: FloatArray
    coverage: FloatArray
    opened: npt.NDArray[np.bool_]
    gaps: pd.DataFrame
    release: list[tuple[int, int, int]]


def _sites(world: World, count: int) -> list[int]:
    counties = world.counties
    ranked = counties.sort_values(["population", "code"], ascending=[False, True], kind="stable")
    turn = ranked.groupby("prefecture").cumcount()
    # First the largest county of every prefecture in code order, then the second largest by size, and so on.
    seats = sorted(ranked.index[turn == 0])
    others = sorted(
        ranked.index[turn > 0], key=lambda position: (int(turn[position]), -float(counties["population"].iloc[position]), position)
    )
    return [int(position) for position in (*seats, *others)[:count]]


def build_hospitals(world: World, axis: DayAxis, hazards: tuple[Hazard, ...], count: int = 15) -> Hospitals:
    """Place hospitals; a ``decoy-new-hospital`` adds one more, a ``decoy-backlog`` holds cards back."""
    sites = _sites(world, min(count, len(world.counties)))
    joins: list[tuple[int, dt.date]] = []
    for hazard in hazards:
        if hazard.kind == "decoy-new-hospital":
            free = [int(position) for position in np.flatnonzero(world.county_mask(hazard.regions)) if position not in sites]
            home = max(free, key=lambda position: float(world.counties["population"].iloc[position])) if free else sites[0]
            joins.append((len(sites), hazard.start))
            sites.append(home)
    regular = len(sites) - len(joins)
    prefectures = world.counties["prefecture"].to_numpy()
    share = np.zeros((len(world.counties), len(sites)))
    at = np.array(sites[:regular])
    for county in range(len(world.counties)):
        own = np.flatnonzero(at == county)
        near = np.flatnonzero(prefectures[at] == prefectures[county])
        wide = np.setdiff1d(near, own) if np.setdiff1d(near, own).size else np.arange(min(1, regular))
        share[county, own] += _OWN_SHARE / max(1, own.size)
        share[county, wide] += (1.0 - share[county].sum()) / wide.size
    coverage = np.where(np.isin(np.arange(len(world.counties)), at), 1.0, _COVERAGE_ELSEWHERE)
    opened = np.ones((len(sites), axis.size), dtype=np.bool_)
    names = [f"模拟医院{number:02d}" for number in range(1, len(sites) + 1)]
    gaps = []
    for hospital, weeks_before, weeks in _SILENCES:
        first = max(0, axis.size - 7 * weeks_before)
        last = min(axis.size, first + 7 * weeks)
        if hospital < regular and axis.size - 7 * weeks_before >= 0:
            opened[hospital, first:last] = False
            gaps.append((names[hospital], axis.days[first], axis.days[last - 1], "silent"))
    for hospital, joined in joins:
        first = min(axis.size, max(0, axis.position(joined)))
        opened[hospital, :first] = False
        if first:
            gaps.append((names[hospital], axis.days[0], axis.days[first - 1], "not yet joined"))
    release = []
    for hazard in hazards:
        if hazard.kind == "decoy-backlog":
            inside = np.flatnonzero(world.county_mask(hazard.regions)[at])
            held = axis.size - 1 if hazard.end is None else axis.position(hazard.end)
            release += [(int(hospital), axis.position(hazard.start), held) for hospital in inside[:1]]
    table = pd.DataFrame({"name": names, "county": sites, "batch": np.where(np.arange(len(sites)) % 5 == 4, "monthly", "weekly")})
    return Hospitals(table, share, coverage, opened, pd.DataFrame(gaps, columns=["hospital", "start", "end", "reason"]), release)


def report_days(hospitals: Hospitals, hospital: IntArray, visited: IntArray, axis: DayAxis, rng: np.random.Generator) -> IntArray:
    """Day position on which each card is reported; shape (card,), 3 to 40 days after the visit save for backlogs.

    Weekly hospitals close their batch on Friday, monthly ones on the 25th; the batch is reported three days later.
    One card in twenty misses its batch.
    """
    weekday = (axis.weekday[0] + visited) % 7
    weekly = visited + (4 - weekday) % 7 + 3
    day = axis.days[0] + visited.astype("timedelta64[D]")
    month = day.astype("datetime64[M]")
    this = month.astype("datetime64[D]") + np.timedelta64(24, "D")
    following = (month + np.timedelta64(1, "M")).astype("datetime64[D]") + np.timedelta64(24, "D")
    closing = np.where(day <= this, this, following)
    monthly = (closing - axis.days[0]).astype(np.int64) + 3
    late = np.where(rng.random(visited.size) < 0.05, 7, 0)
    batch = hospitals.table["batch"].to_numpy() == "monthly"
    # A weekly straggler may miss several batches; a monthly one is fetched a week later.
    late = late * np.where(batch[hospital], 1, rng.integers(1, 5, visited.size))
    reported = np.where(batch[hospital], monthly, weekly) + late
    for held, first, last in hospitals.release:
        inside = (hospital == held) & (visited >= first) & (visited <= last)
        reported = np.where(inside, np.maximum(reported, last + 3), reported)
    return np.asarray(reported, dtype=np.int64)
