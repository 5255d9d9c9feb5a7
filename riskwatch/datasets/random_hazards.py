"""Hazards drawn at random, for measuring how well warnings find them: many, of all kinds, and not chosen by hand.

The demonstration's own list (:mod:`riskwatch.datasets.hazard_list`) tells stories; a measurement needs hazards that nobody looked at
while setting a threshold. Products, places, times and sizes are drawn; the level to expect follows from what was drawn, by
:func:`expected_grade`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskwatch.datasets.codelists import World, build_world, load_test_items
from riskwatch.datasets.hazards import Hazard
from riskwatch.datasets.rhythm import DayAxis, random_stream, season_factor
from riskwatch.errors import RiskwatchError

__all__ = ["LETHAL_ITEMS", "MIX", "HazardKind", "expected_grade", "random_hazards"]

FloatArray = npt.NDArray[np.float64]

LETHAL_ITEMS = ("co-flue", "magnet", "illegal-drug")
"""Test items whose failure can kill by itself: carbon monoxide, strong magnets, undeclared drugs."""

_GRAVE_MECHANISMS = ("burn", "smoke", "co", "blast", "choke", "drown", "poison", "shock")
_FATAL = 0.02
_SEVERE = 0.25
# The excess to aim at over the whole length, by scope: from hardly more than a perfect observer needs to unmistakable.
_INJURIES = {"isolated": (20.0, 60.0), "regional": (35.0, 120.0), "industry-wide": (60.0, 200.0), "systemic": (80.0, 300.0)}
_FAILURES = {"isolated": (8.0, 25.0), "regional": (10.0, 40.0), "industry-wide": (20.0, 60.0), "systemic": (15.0, 50.0)}
_RISK = (2.0, 12.0)
_LEAST = 8.0
_TRIES = 400


@dataclass(frozen=True, slots=True)
class HazardKind:
    """One kind of hazard: how far it reaches, where it shows, how grave it is, and how many of a hundred are of it."""

    scope: Literal["isolated", "regional", "industry-wide", "systemic"]
    stream: Literal["injury", "spot_check", "both"]
    gravity: Literal["light", "severe", "fatal"]
    weight: float


MIX = (
    HazardKind("systemic", "both", "light", 8),
    HazardKind("systemic", "both", "severe", 6),
    HazardKind("industry-wide", "both", "light", 8),
    HazardKind("regional", "both", "light", 9),
    HazardKind("regional", "both", "severe", 7),
    HazardKind("regional", "both", "fatal", 5),
    HazardKind("regional", "injury", "fatal", 11),
    HazardKind("isolated", "injury", "fatal", 11),
    HazardKind("regional", "spot_check", "fatal", 4),
    HazardKind("isolated", "spot_check", "fatal", 3),
    HazardKind("isolated", "injury", "light", 5),
    HazardKind("isolated", "injury", "severe", 5),
    HazardKind("regional", "injury", "severe", 5),
    HazardKind("regional", "spot_check", "light", 4),
    HazardKind("industry-wide", "spot_check", "light", 6),
    HazardKind("isolated", "spot_check", "light", 3),
)
"""Kinds and their weights; seven in ten are of grade II or higher."""


def expected_grade(scope: str, stream: str, *, admitted: float = 0.0, died: float = 0.0, item: str = "") -> Literal["I", "II", "III", "IV"]:
    """Return the level that a well-tuned engine should propose at the height of a hazard, from what was injected alone.

    Points: 3 where it kills (``died`` at least 2 %, or an item of :data:`LETHAL_ITEMS`), else 1 where a quarter or more are admitted; 1
    where it reaches further than one place; 2 more where it does so in two kinds of sources. None is IV, one or two III, three to five
    II, six I. The rule gives the level of all but three hazards of the demonstration's list, and is one off for those. It does not look
    at the engine's own rules.
    """
    grave = died >= _FATAL or item in LETHAL_ITEMS
    wide = scope != "isolated"
    points = (3 if grave else 1 if admitted >= _SEVERE else 0) + (1 if wide else 0) + (2 if wide and stream == "both" else 0)
    return "IV" if points == 0 else "III" if points <= 2 else "II" if points <= 5 else "I"


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where and when hazards are drawn."""

    world: World
    axis: DayAxis
    scale: float
    first: dt.date
    last: dt.date


def _counties_by_prefecture(world: World) -> dict[str, npt.NDArray[np.int64]]:
    names = world.counties["prefecture"].astype(str)
    return {str(code): np.flatnonzero((names == code).to_numpy()) for code in sorted(set(names))}


def _places(world: World, scope: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Regions of a hazard: one prefecture (or, one time in four, a county); two or three prefectures; everywhere."""
    if scope in ("systemic", "industry-wide"):
        return ()
    groups = _counties_by_prefecture(world)
    codes = list(groups)
    people = np.array([world.counties["population"].to_numpy(dtype=np.float64)[groups[code]].sum() for code in codes])
    chance = people / people.sum()
    if scope == "regional":
        number = min(len(codes), int(rng.integers(2, 4)))
        return tuple(sorted(str(code) for code in rng.choice(codes, number, replace=False, p=chance)))
    home = str(rng.choice(codes, p=chance))
    if rng.random() < 0.25:
        counties = groups[home]
        return (str(world.counties["code"].iloc[int(counties[int(rng.integers(counties.size))])]),)
    return (home,)


def _products(world: World, scope: str, taken: Collection[str], rng: np.random.Generator) -> tuple[int, ...]:
    """Positions of the products of a hazard: one, or two or three of one category that share what fails."""
    table = world.products
    free = np.flatnonzero(~table["code"].isin(set(taken)).to_numpy())
    if not free.size:
        return ()
    first = int(rng.choice(free))
    if scope not in ("systemic", "industry-wide"):
        return (first,)
    parent = table["parent"].iloc[first]
    others = np.array([int(one) for one in free if one != first and table["parent"].iloc[int(one)] == parent], dtype=np.int64)
    number = min(others.size, int(rng.integers(1, 3)))
    return tuple(sorted([first, *(int(one) for one in rng.choice(others, number, replace=False))]))


def _usual(frame: _Frame, products: Sequence[int], regions: Sequence[str], days: slice) -> tuple[float, float]:
    """Return the usual injuries and failures of products and places over some days, as the profiles say (all hospitals open)."""
    world, axis = frame.world, frame.axis
    injuries = failures = 0.0
    counties = world.county_mask(regions)
    working = axis.working()[days].sum() / 245.0
    for position in products:
        row = world.products.iloc[position]
        rhythm = season_factor(str(row["season"]), str(row["age"]), axis)[days].sum() / 7.0
        volume = frame.scale * world.population_factor
        injuries += float(row["injuries_per_week"]) * rhythm * volume * float(world.shares(float(row["rural"]))[counties].sum())
        sampled = float(row["samples_per_year"]) * working * volume * float(world.shares(float(row["rural"]) * 0.5)[counties].sum())
        failures += sampled * float(row["fail_percent"]) / 100.0 * 1.5
    return injuries, failures


def _risk(aim: tuple[float, float], usual: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return a relative risk whose excess over ``usual`` is near a size drawn from ``aim``, and that excess."""
    low, high = np.log(aim[0]), np.log(aim[1])
    excess = float(np.exp(rng.uniform(low, high)))
    risk = float(np.clip(1.0 + excess / max(usual, 1e-9), *_RISK))
    return round(risk, 1), (round(risk, 1) - 1.0) * usual


def _item(world: World, products: Sequence[int], gravity: str, rng: np.random.Generator) -> str:
    """Test item that fails: one of the products' safety items, shared where they share one; a lethal one where it must be fatal."""
    lists = [str(world.products["items"].iloc[position]).split(";") for position in products]
    safety = load_test_items()["safety"]
    known = [item for item in lists[0] if safety.get(item, "0") == "1"]
    shared = [item for item in known if all(item in other for other in lists)] or known
    fitting = [item for item in shared if (item in LETHAL_ITEMS) == (gravity == "fatal")]
    return str(rng.choice(fitting)) if fitting else ""


def _mechanism(world: World, products: Sequence[int], gravity: str, rng: np.random.Generator) -> str:
    """How people are hurt: a mechanism of the first product, by its weight; one that can kill where it must."""
    parts = [part.partition(":") for part in str(world.products["mechanisms"].iloc[products[0]]).split(";")]
    fitting = [(name, float(weight)) for name, _, weight in parts if gravity != "fatal" or name in _GRAVE_MECHANISMS]
    if not fitting:
        return ""
    weights = np.array([weight for _, weight in fitting])
    return str(rng.choice([name for name, _ in fitting], p=weights / weights.sum()))


def _draw(frame: _Frame, kind: HazardKind, hazard_id: str, taken: Collection[str], rng: np.random.Generator) -> Hazard | None:
    """Draw one hazard of a kind; None where what was drawn cannot be such a hazard."""
    world = frame.world
    products = _products(world, kind.scope, taken, rng)
    regions = _places(world, kind.scope, rng)
    weeks = int(rng.integers(12, 21)) if kind.stream == "spot_check" else int(rng.integers(6, 13))
    lead = int(rng.integers(8, 17)) if kind.stream == "both" else 0
    room = (frame.last - frame.first).days - 7 * (weeks + lead)
    if not products or room < 0 or (kind.scope in ("systemic", "industry-wide") and len(products) < 2):
        return None
    start = frame.first + dt.timedelta(days=7 * lead + int(rng.integers(room + 1)))
    end = start + dt.timedelta(weeks=weeks)
    defect_from = start - dt.timedelta(weeks=lead) if lead else None
    in_cards = slice(frame.axis.position(start), frame.axis.position(end) + 1)
    in_samples = slice(max(0, frame.axis.position(defect_from or start)), frame.axis.position(end) + 1)
    usual, _ = _usual(frame, products, regions, in_cards)
    _, failing = _usual(frame, products, regions, in_samples)
    risk, injuries = _risk(_INJURIES[kind.scope], usual, rng)
    fail_risk, failures = _risk(_FAILURES[kind.scope], failing, rng)
    if kind.stream == "spot_check":
        risk = fail_risk
    enough_cards = kind.stream == "spot_check" or injuries >= _LEAST
    enough_samples = kind.stream == "injury" or failures >= _LEAST / 2
    # A kind that kills does so by its injuries or, where only samples show it, by the item.
    item = "" if kind.stream == "injury" else _item(world, products, kind.gravity if kind.stream == "spot_check" else "light", rng)
    mechanism = "" if kind.stream == "spot_check" else _mechanism(world, products, kind.gravity, rng)
    if not (enough_cards and enough_samples) or (kind.stream != "injury" and not item) or (kind.stream != "spot_check" and not mechanism):
        return None
    admitted = 0.0
    died = 0.0
    if kind.stream != "spot_check":
        admitted = round(float(rng.uniform(0.03, 0.2) if kind.gravity == "light" else rng.uniform(0.25, 0.4)), 2)
        died = round(float(rng.uniform(_FATAL, 0.06)), 3) if kind.gravity == "fatal" else 0.0
    return Hazard(
        hazard_id,
        "hazard",
        kind.scope,
        tuple(str(world.products["code"].iloc[position]) for position in products),
        regions,
        start,
        end,
        kind.stream,
        risk,
        fail_relative_risk=None if kind.stream == "injury" else fail_risk,
        defect_from=defect_from,
        ramp_days=int(rng.choice([0, 14, 28])) if kind.stream != "spot_check" else 0,
        item=item,
        mechanism=mechanism,
        admitted=admitted,
        died=died,
        producers=10 if kind.scope == "systemic" else 0,
        grade_expected=expected_grade(kind.scope, kind.stream, admitted=admitted, died=died, item=item),
        note_zh="随机危害",
        note_en="Drawn at random",
    )


def random_hazards(
    seed: int,
    count: int = 24,
    *,
    first: dt.date,
    last: dt.date,
    scale: float = 1.0,
    mix: Sequence[HazardKind] = MIX,
    avoid: Collection[str] = (),
    world: World | None = None,
) -> tuple[Hazard, ...]:
    """Draw hazards for :func:`riskwatch.datasets.simulate_province`.

    Kind, products, places, start, length, size, gravity, test item and mechanism are drawn. The relative risk (2 to 12) is set so that the
    expected excess over the usual course is near a size drawn on a log scale; what cannot
    reach eight cards or four failures is drawn again.
    No product is in two hazards.

    Parameters
    ----------
    seed : int
        Same seed and parameters, same hazards.
    count : int
        Number of hazards.
    first, last : date
        Between which injuries or failures are raised. Where both streams show a hazard, samples fail 8 to 16 weeks before anybody is hurt.
    scale : float
        That of the province.
    mix : sequence of HazardKind
        Kinds and their weights; of ``count`` hazards each kind has its share, give or take one.
    avoid : collection of str
        Product codes that are not used, such as those of other hazards at the time.
    world : World, optional
        Products and places; None takes those of the demonstration.

    Returns
    -------
    tuple of Hazard
        Sorted by start; ids R01, R02, ... in that order.

    Raises
    ------
    RiskwatchError
        If ``count`` is negative or too large for the products that are left, or the time between ``first`` and ``last`` is too short.

    Examples
    --------
    >>> import datetime as dt
    >>> drawn = random_hazards(1, 3, first=dt.date(2025, 1, 1), last=dt.date(2025, 9, 30))
    >>> [hazard.hazard_id for hazard in drawn]
    ['R01', 'R02', 'R03']
    """
    if count < 0:
        raise RiskwatchError(f"random_hazards: count must be >= 0, got {count}")
    world = build_world() if world is None else world
    frame = _Frame(world, DayAxis.between(dt.date(first.year - 1, 1, 1), last), scale, first, last)
    rng = random_stream(seed, "random-hazards")
    weights = np.array([kind.weight for kind in mix])
    # Systematic sampling: every kind comes as often as its weight says, give or take one.
    at = (np.arange(count) + rng.random()) / max(count, 1)
    kinds = np.searchsorted(np.cumsum(weights) / weights.sum(), at, side="right")
    taken = {str(code) for code in avoid}
    drawn: list[Hazard] = []
    for number in kinds.tolist():
        kind = mix[min(number, len(mix) - 1)]
        found = next(filter(None, (_draw(frame, kind, f"R{len(drawn):02d}", taken, rng) for _ in range(_TRIES))), None)
        if found is None:
            raise RiskwatchError(
                f"random_hazards: no {kind.scope} hazard in {kind.stream} fits from {first} to {last}, number {len(drawn) + 1} of {count}",
                hint="fewer hazards, a longer time, or fewer products to avoid",
            )
        taken.update(found.products)
        drawn.append(found)
    ordered = sorted(drawn, key=lambda hazard: (hazard.start, hazard.hazard_id))
    return tuple(replace(hazard, hazard_id=f"R{number:02d}") for number, hazard in enumerate(ordered, start=1))
