"""Simulated hospital injury cards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.datasets.codelists import World
from riskwatch.datasets.frames import category, concat_frames, labelled, pick
from riskwatch.datasets.hazards import Hazard, relative_risk
from riskwatch.datasets.hospitals import report_days
from riskwatch.datasets.injury_words import AGE_GROUPS, MECHANISMS, OUTCOMES, SEVERITIES
from riskwatch.datasets.rhythm import random_stream, season_factor
from riskwatch.datasets.scene import Scene

__all__ = ["INJURY_COLUMNS", "simulate_injuries"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

INJURY_COLUMNS = (
    "record_key", "version", "event_date", "visited_on", "reported_on", "known_on", "hospital", "sex", "age", "cause", "place", "activity",
    "body_part", "diagnosis", "severity", "outcome", "product", "product_2", "industry", "region", "persons", "narrative", "hazard_id",
)  # fmt: skip

# Negative binomial noise of a product in a county and month, and the common shock of a product in a month.
_CELL_SHAPE = 8.0
_SHOCK = 0.05
_OUTCOME_BY_SEVERITY = np.array(
    [  # released, observed, transferred, admitted, died, left, other
        [0.955, 0.010, 0.000, 0.000, 0.0, 0.020, 0.015],
        [0.300, 0.460, 0.060, 0.160, 0.0, 0.010, 0.010],
        [0.000, 0.040, 0.180, 0.780, 0.0, 0.000, 0.000],
    ]
)
_POSITION = {mechanism.name: number for number, mechanism in enumerate(MECHANISMS)}


@dataclass(frozen=True, eq=False)
class _Events:
    """Bare events before the card is filled in; arrays of shape (event,)."""

    product: IntArray
    county: IntArray
    day: IntArray


def _weights_by_half(size: int) -> FloatArray:
    weights = 0.5 ** np.arange(size)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _mechanism_table(world: World) -> FloatArray:
    table = np.zeros((len(world.products), len(MECHANISMS)))
    for row, text in enumerate(world.products["mechanisms"]):
        for part in text.split(";"):
            name, _, weight = part.partition(":")
            table[row, _POSITION[name]] = float(weight)
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float64)


def daily_rate(scene: Scene, product: int) -> FloatArray:
    """Return the expected injuries of a product in the whole province on each day, noise and hazards apart; shape (day,)."""
    world, axis = scene.world, scene.axis
    row = world.products.iloc[product]
    trend = (1.0 + float(row["trend_percent"]) / 100.0) ** axis.years
    rate = float(row["injuries_per_week"]) / 7.0 * scene.scale * world.population_factor
    return rate * trend * season_factor(str(row["season"]), str(row["age"]), axis)


def county_weeks(scene: Scene, position: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draw the mean injuries of a product without hazards.

    With ``random_stream(seed, "injury", code)`` these are the very means that the records were drawn from. All hospitals count as open.

    Returns
    -------
    mean : array, shape (county, week)
        What hospitals see in each county and week.
    weekly, daily : array, shapes (week,) and (day,)
        Expectation of the whole province, without the leanings and the noise of places.
    """
    world, axis = scene.world, scene.axis
    weeks = np.arange(0, axis.size, 7)
    rate = daily_rate(scene, position)
    share = world.shares(float(world.products["rural"].iloc[position]), scene.hospitals.coverage)
    # How a product leans to some counties is a fact of the place, not of the week.
    share = share * rng.gamma(20.0, 1 / 20.0, share.size)
    months = int(axis.month[-1]) + 1
    noise = rng.gamma(_CELL_SHAPE, 1.0 / _CELL_SHAPE, (share.size, months)) * np.exp(_SHOCK * rng.standard_normal(months))
    weekly = np.add.reduceat(rate, weeks)
    return share[:, None] * noise[:, axis.month[weeks]] * weekly[None, :], weekly, rate


def _baseline(scene: Scene) -> _Events:
    axis = scene.axis
    weeks = np.arange(0, axis.size, 7)
    products, counties, days = [], [], []
    for position, code in enumerate(scene.world.products["code"]):
        rng = random_stream(scene.seed, "injury", code)
        mean, weekly, rate = county_weeks(scene, position, rng)
        count = rng.poisson(mean)
        county, week = np.divmod(np.repeat(np.arange(count.size), count.ravel()), weeks.size)
        cumulative = np.concatenate([[0.0], np.cumsum(rate)])
        target = cumulative[weeks[week]] + rng.random(week.size) * weekly[week]
        day = np.clip(np.searchsorted(cumulative, target, side="right") - 1, weeks[week], np.minimum(weeks[week] + 6, axis.size - 1))
        products.append(np.full(day.size, position))
        counties.append(county)
        days.append(day)
    return _Events(np.concatenate(products), np.concatenate(counties), np.concatenate(days))


def _excess(scene: Scene, hazard: Hazard) -> tuple[_Events, float]:
    """Draw the additional events of one hazard, and return how many were to be expected where hospitals were open."""
    world, hospitals, axis, seed = scene.world, scene.hospitals, scene.axis, scene.seed
    window = np.flatnonzero(relative_risk(hazard, axis) > 1.0)
    risk = relative_risk(hazard, axis)[window]
    counties = np.flatnonzero(world.county_mask(hazard.regions))
    seen = hospitals.share[counties] @ hospitals.opened[:, window]
    if hazard.kind == "decoy-new-hospital":
        seen = np.ones_like(seen)
    products, places, days = [], [], []
    expected = 0.0
    for position in np.flatnonzero(world.product_mask(hazard.products)):
        rng = random_stream(seed, "excess", hazard.hazard_id, str(world.products["code"].iloc[position]))
        share = world.shares(float(world.products["rural"].iloc[position]), hospitals.coverage)[counties]
        mean = share[:, None] * (daily_rate(scene, int(position))[window] * (risk - 1.0))[None, :]
        expected += float((mean * seen).sum())
        count = rng.poisson(mean)
        county, day = np.divmod(np.repeat(np.arange(count.size), count.ravel()), window.size)
        products.append(np.full(day.size, position, dtype=np.int64))
        places.append(counties[county])
        days.append(window[day])
    return _Events(np.concatenate(products), np.concatenate(places), np.concatenate(days)), expected


def _cards(scene: Scene, events: _Events, hazard: Hazard | None, serial: int) -> pd.DataFrame:
    """Fill in the cards of events that reach an open hospital."""
    world, hospitals, axis = scene.world, scene.hospitals, scene.axis
    rng = random_stream(scene.seed, "cards", "" if hazard is None else hazard.hazard_id)
    size = events.day.size
    if hazard is not None and hazard.kind == "decoy-new-hospital":
        hospital = np.full(size, len(hospitals.table) - 1, dtype=np.int64)
    else:
        hospital = pick(hospitals.share, events.county, rng.random(size))
    visited = events.day + pick(np.array([[0.82, 0.12, 0.04, 0.02]]), np.zeros(size, dtype=np.int64), rng.random(size))
    age = _draw_ages(world, events.product, rng)
    if hazard is not None and hazard.mechanism:
        mechanism = np.full(size, _POSITION[hazard.mechanism], dtype=np.int64)
    else:
        mechanism = pick(_mechanism_table(world), events.product, rng.random(size))
    severity = pick(np.array([item.severity for item in MECHANISMS]), mechanism, rng.random(size))
    outcome = pick(_OUTCOME_BY_SEVERITY, severity, rng.random(size))
    fate = rng.random(size)
    if hazard is not None and hazard.kind == "hazard":
        worse, died = fate < hazard.admitted + hazard.died, fate < hazard.died
        outcome = np.where(died, OUTCOMES.index("died"), np.where(worse, OUTCOMES.index("admitted"), outcome))
        severity = np.where(worse, 2, severity)
    else:
        died = fate < np.array([item.deaths for item in MECHANISMS])[mechanism] * 1e-4
        outcome = np.where(died, OUTCOMES.index("died"), outcome)
        severity = np.where(died, 2, severity)
    words = {name: _words(name, mechanism, rng) for name in ("natures", "bodies", "places", "activities")}
    second = np.where(rng.random(size) < 0.03, rng.integers(0, len(world.products), size), -1)
    second = np.where(second == events.product, -1, second)
    male = rng.random(size) < 0.57
    number = serial + np.arange(size, dtype=np.int64)
    keep = (visited < axis.size) & hospitals.opened[hospital, np.minimum(visited, axis.size - 1)]
    reported = report_days(hospitals, hospital, visited, axis, rng)
    codes = world.products["code"].to_numpy()
    frame = pd.DataFrame(
        {
            "record_key": _card_numbers(hospital, number),
            "version": 1,
            "event_date": axis.days[0] + events.day.astype("timedelta64[D]"),
            "visited_on": axis.days[0] + visited.astype("timedelta64[D]"),
            "reported_on": axis.days[0] + reported.astype("timedelta64[D]"),
            "hospital": labelled(hospital, hospitals.table["name"]),
            "sex": labelled(np.where(male, 0, 1), ["male", "female"]),
            "age": age,
            "cause": category(mechanism, [item.cause for item in MECHANISMS]),
            "place": words["places"],
            "activity": words["activities"],
            "body_part": words["bodies"],
            "diagnosis": words["natures"],
            "severity": labelled(severity, list(SEVERITIES)),
            "outcome": labelled(outcome, list(OUTCOMES)),
            "product": labelled(events.product, codes),
            "product_2": labelled(second, codes),
            "industry": category(events.product, world.products["industry"].tolist()),
            "region": labelled(events.county, world.counties["code"]),
            "persons": 1,
            "narrative": _narratives(world, events.product, mechanism, words["bodies"], words["natures"]),
            "hazard_id": labelled(np.zeros(size, dtype=np.int8), ["" if hazard is None else hazard.hazard_id]),
        }
    )
    return pd.DataFrame(frame.loc[keep])


def _draw_ages(world: World, product: IntArray, rng: np.random.Generator) -> FloatArray:
    """Triangular ages within the product's group of users, one in eight anybody; years, months of infants as tenths."""
    bounds = np.array([AGE_GROUPS[group] for group in world.products["age"]])[product]
    bounds = np.where((rng.random(product.size) < 0.125)[:, None], np.array(AGE_GROUPS["mixed"]), bounds)
    low, mode, high = bounds.T
    age = rng.triangular(low, mode, high) if product.size else np.zeros(0)
    return np.where(age < 1.0, np.maximum(0.1, np.round(age, 1)), np.floor(age))


def _words(name: str, mechanism: IntArray, rng: np.random.Generator) -> pd.Categorical:
    lists: list[tuple[str, ...]] = [getattr(item, name) for item in MECHANISMS]
    unique = sorted({word for words in lists for word in words})
    table = np.zeros((len(lists), len(unique)))
    for row, words in enumerate(lists):
        table[row, [unique.index(word) for word in words]] = _weights_by_half(len(words))
    return labelled(pick(table, mechanism, rng.random(mechanism.size)), unique)


def _card_numbers(hospital: IntArray, number: IntArray) -> npt.NDArray[np.object_]:
    """Card numbers that are unique and do not show the order in which records were drawn (multiplication by an odd number mod 2^40)."""
    mixed = (number * 618_970_019 + 12_345_677) % (1 << 40)
    return np.array([f"K{place + 1:02d}{value:013d}" for place, value in zip(hospital.tolist(), mixed.tolist(), strict=True)], dtype=object)


def _narratives(world: World, product: IntArray, mechanism: IntArray, bodies: pd.Categorical, natures: pd.Categorical) -> pd.Categorical:
    """Say what happened from the product, mechanism, body part and nature alone: nothing about the person."""
    body = np.asarray(bodies.codes, dtype=np.int64)
    nature = np.asarray(natures.codes, dtype=np.int64)
    sizes = (len(world.products), len(MECHANISMS), len(bodies.categories), len(natures.categories))
    combined = np.ravel_multi_index((product, mechanism, body, nature), sizes)
    unique, codes = np.unique(combined, return_inverse=True)
    parts = np.unravel_index(unique, sizes)
    names = world.products["name_zh"].tolist()
    texts = [
        f"使用{names[p]}时{MECHANISMS[m].phrase}，{bodies.categories[b]}{natures.categories[n]}"
        for p, m, b, n in zip(*(part.tolist() for part in parts), strict=True)
    ]
    return labelled(codes, texts)


def _corrections(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Second versions of some cards: the outcome is known better one to five weeks later."""
    observed = frame[frame["outcome"].isin(["observed", "transferred"])]
    chosen = observed[rng.random(len(observed)) < 0.05].copy()
    delay = rng.integers(7, 36, len(chosen))
    chosen["version"] = 2
    chosen["reported_on"] = chosen["reported_on"].to_numpy() + delay.astype("timedelta64[D]")
    chosen["outcome"] = labelled(np.full(len(chosen), OUTCOMES.index("admitted")), list(OUTCOMES))
    return chosen


def simulate_injuries(scene: Scene) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw the cards reported up to the last day.

    Returns
    -------
    frame : DataFrame
        Columns :data:`INJURY_COLUMNS`; ``version`` 2 is a corrected re-submission of the same key; sorted by report date and key.
    expected : dict
        Hazard id to the expected number of excess events by the last day, reported or not.
    """
    parts = [_cards(scene, _baseline(scene), None, 0)]
    expected: dict[str, float] = {}
    for number, hazard in enumerate(scene.hazards, start=1):
        if not hazard.in_injuries or hazard.kind == "decoy-backlog":
            continue
        events, mean = _excess(scene, hazard)
        expected[hazard.hazard_id] = mean
        # Numbers of their own, far from those of the baseline, which therefore never change.
        parts.append(_cards(scene, events, hazard, number << 32))
    corrected = [_corrections(part, random_stream(scene.seed, "corrections", str(number))) for number, part in enumerate(parts)]
    frame = concat_frames([*parts, *corrected])
    frame["known_on"] = frame["reported_on"]
    frame = frame[frame["reported_on"] <= scene.axis.days[-1]]
    frame = frame.sort_values(["reported_on", "record_key", "version"], kind="stable", ignore_index=True)
    return frame[list(INJURY_COLUMNS)], expected
