"""Simulated complaints: consumers by product and place, more of them where a hazard hurts people, and campaigns of single claimants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.datasets.hazards import Hazard, relative_risk
from riskwatch.datasets.injuries import daily_rate
from riskwatch.datasets.rhythm import DayAxis, random_stream
from riskwatch.datasets.scene import Scene

__all__ = ["CAMPAIGNS", "COMPLAINT_COLUMNS", "Campaign", "simulate_complaints"]

IntArray = npt.NDArray[np.int64]

COMPLAINT_COLUMNS = (
    "record_key", "version", "event_date", "known_on", "kind", "channel", "complainant", "respondent", "platform", "product", "region",
    "problem", "injury", "loss", "complaints", "accepted_on", "closed_on", "result", "narrative", "hazard_id",
)  # fmt: skip
_WEEKLY = 72.0  # complaints of the province in a week, hazards apart
_SHAPE = 25.0  # of a product's gamma noise in a month
_PER_INJURY = 0.3  # complaints for each injury that a hazard adds
_PER_FAILURE_WEEK = 1.0  # complaints a week about a hazard that only samples show
_CLAIMANTS = 40  # professional claimants, who complain again and again
_PROFESSIONAL = 0.08
_KINDS = ("complaint", "report", "rewarded-report", "consultation")
_KIND_SHARE = (0.66, 0.20, 0.04, 0.10)
_PROBLEMS = ("quality", "safety", "counterfeit", "after-sales", "advertising", "price", "contract", "other")
_PROBLEM_SHARE = (0.40, 0.07, 0.10, 0.18, 0.10, 0.06, 0.05, 0.04)
_CHANNELS = ("电话", "小程序", "网站", "窗口")
_PLATFORMS = ("", "模拟平台甲", "模拟平台乙", "模拟平台丙")
_RESULTS = ("upheld", "settled", "rejected", "withdrawn", "transferred")


@dataclass(frozen=True, slots=True)
class Campaign:
    """One claimant who complains of one product many times: many complaints, one person, no hazard."""

    campaign_id: str
    product: str
    region: str
    weeks_ago: int
    days: int
    complaints: int
    note_zh: str
    note_en: str

    def first_day(self, axis: DayAxis) -> int:
        """Return the position of its first day; negative where it lies before the simulation."""
        return axis.size - 7 * self.weeks_ago


CAMPAIGNS = (
    Campaign(
        "D06",
        "P0505",
        "220104",
        6,
        35,
        90,
        "一名投诉人五周内九十次投诉同一产品",
        "One claimant complains of one product ninety times in five weeks",
    ),
    Campaign(
        "D07",
        "P0908",
        "220202",
        70,
        21,
        60,
        "一名投诉人三周内六十次投诉同一产品",
        "One claimant complains of one product sixty times in three weeks",
    ),
)
"""Decoys: an engine that warns of them counts complaints and not persons."""


def _usual(scene: Scene) -> tuple[IntArray, IntArray, IntArray]:
    """Draw product, county and day of the usual complaints."""
    world, axis = scene.world, scene.axis
    weight = 3.0 + world.products["injuries_per_week"].to_numpy(dtype=np.float64)
    share = weight / weight.sum()
    weekday = np.array([1.15, 1.1, 1.05, 1.05, 1.05, 0.8, 0.8])[axis.weekday]
    quiet = np.where((axis.festival_offset >= -1) & (axis.festival_offset <= 6), 0.5, 1.0)
    consumer_day = np.where((axis.day_of_year >= 72) & (axis.day_of_year <= 80), 1.35, 1.0)
    rate = _WEEKLY / 7.0 * scene.scale * world.population_factor * weekday * quiet * consumer_day
    months = int(axis.month[-1]) + 1
    products, days = [], []
    for position, code in enumerate(world.products["code"]):
        rng = random_stream(scene.seed, "complaints", str(code))
        noise = rng.gamma(_SHAPE, 1.0 / _SHAPE, months)[axis.month]
        count = rng.poisson(rate * share[position] * noise)
        days.append(np.repeat(np.arange(axis.size), count))
        products.append(np.full(days[-1].size, position, dtype=np.int64))
    day = np.concatenate(days)
    county = random_stream(scene.seed, "complaints", "place").choice(len(world.counties), day.size, p=world.shares(-0.2))
    return np.concatenate(products), county, day


def _excess(scene: Scene, hazard: Hazard) -> tuple[IntArray, IntArray, IntArray]:
    """Draw the complaints that a hazard adds."""
    world, axis = scene.world, scene.axis
    risk = relative_risk(hazard, axis)
    counties = np.flatnonzero(world.county_mask(hazard.regions))
    leaves = np.flatnonzero(world.product_mask(hazard.products))
    products, places, days = [], [], []
    for position in leaves:
        rng = random_stream(scene.seed, "complaints", hazard.hazard_id, str(world.products["code"].iloc[position]))
        share = world.shares(float(world.products["rural"].iloc[position]))[counties]
        if hazard.in_injuries:
            mean = daily_rate(scene, int(position)) * (risk - 1.0) * share.sum() * _PER_INJURY
        else:
            mean = (risk > 1.0) * _PER_FAILURE_WEEK / 7.0 / leaves.size * scene.scale
        day = np.repeat(np.arange(axis.size), rng.poisson(mean))
        days.append(day)
        places.append(counties[rng.choice(share.size, day.size, p=share / share.sum())])
        products.append(np.full(day.size, position, dtype=np.int64))
    return np.concatenate(products), np.concatenate(places), np.concatenate(days)


def _filled(scene: Scene, events: tuple[IntArray, IntArray, IntArray], cause: str, serial: int, campaign: Campaign | None) -> pd.DataFrame:
    """Fill in the rows: who complains of what, and what came of it."""
    product, county, day = events
    world, axis, size = scene.world, scene.axis, day.size
    rng = random_stream(scene.seed, "complaints", "rows", cause)
    numbers = np.arange(serial, serial + size)
    persons = np.array([f"C{(number * 2_654_435_761) % (1 << 32):010d}" for number in numbers.tolist()], dtype=object)
    kind = np.array(_KINDS, dtype=object)[rng.choice(4, size, p=_KIND_SHARE)]
    problem = np.array(_PROBLEMS, dtype=object)[rng.choice(8, size, p=_PROBLEM_SHARE)]
    injury = (rng.random(size) < 0.02) & (problem == "safety")
    if campaign is not None:
        persons[:] = f"Z{campaign.campaign_id}"
        kind[:], problem[:], injury[:] = "report", "quality", False
    elif cause:
        kind = np.where(kind == "consultation", "complaint", kind)
        problem = np.where(rng.random(size) < 0.6, "safety", "quality").astype(object)
        injury = rng.random(size) < 0.35
    else:
        professional = rng.random(size) < _PROFESSIONAL
        persons[professional] = [f"Z{number:04d}" for number in rng.integers(0, _CLAIMANTS, int(professional.sum())).tolist()]
        problem[professional] = np.array(["advertising", "counterfeit", "quality"], dtype=object)[
            rng.integers(0, 3, int(professional.sum()))
        ]
    accepted, closed = day + rng.integers(0, 8, size), day + rng.integers(9, 60, size)
    first, maker_count = scene.enterprises.first[product], np.diff(scene.enterprises.first)[product]
    maker = first + np.minimum((rng.random(size) ** 2 * maker_count).astype(np.int64), maker_count - 1)

    def days(position: IntArray) -> npt.NDArray[np.datetime64]:
        return np.asarray(axis.days[0] + position.astype("timedelta64[D]")).astype("datetime64[s]")

    missing = np.datetime64("NaT", "s")
    over = closed < axis.size
    return pd.DataFrame(
        {
            "record_key": [f"TS{(number * 48_271 + 7) % (1 << 31):010d}" for number in numbers.tolist()],
            "version": 1,
            "event_date": days(day),
            "known_on": days(day + 1),
            "kind": kind,
            "channel": np.array(_CHANNELS, dtype=object)[rng.choice(4, size, p=[0.5, 0.28, 0.14, 0.08])],
            "complainant": persons,
            "respondent": scene.enterprises.table["code"].to_numpy(dtype=object)[maker],
            "platform": np.array(_PLATFORMS, dtype=object)[rng.choice(4, size, p=[0.62, 0.18, 0.12, 0.08])],
            "product": world.products["code"].to_numpy(dtype=object)[product],
            "region": world.counties["code"].to_numpy(dtype=object)[county],
            "problem": problem,
            "injury": injury,
            "loss": np.round(rng.lognormal(4.5, 1.1, size), 0),
            "complaints": 1,
            "accepted_on": np.where(accepted < axis.size, days(accepted), missing),
            "closed_on": np.where(over, days(closed), missing),
            "result": np.where(over, np.array(_RESULTS, dtype=object)[rng.choice(5, size, p=[0.3, 0.35, 0.2, 0.1, 0.05])], "pending"),
            "narrative": "模拟诉求",
            "hazard_id": cause,
        }
    )


def simulate_complaints(scene: Scene) -> pd.DataFrame:
    """Draw complaints; those known by the last day, in the order of their days.

    A hazard that hurts people brings complaints of distinct persons; :data:`CAMPAIGNS` bring many of one. Draws come from random streams
    of their own, so the other records stay as they are.

    Returns
    -------
    DataFrame
        Columns :data:`COMPLAINT_COLUMNS`.
    """
    world, axis = scene.world, scene.axis
    parts = [_filled(scene, _usual(scene), "", 1, None)]
    serial = 1 + len(parts[0])
    for hazard in scene.hazards:
        if hazard.kind == "hazard":
            parts.append(_filled(scene, _excess(scene, hazard), hazard.hazard_id, serial, None))
            serial += len(parts[-1])
    for campaign in CAMPAIGNS if scene.hazards else ():
        product = np.flatnonzero((world.products["code"] == campaign.product).to_numpy())
        county = np.flatnonzero((world.counties["code"] == campaign.region).to_numpy())
        begin = campaign.first_day(axis)
        if not product.size or not county.size or begin < 0:
            continue
        rng = random_stream(scene.seed, "complaints", campaign.campaign_id)
        day = np.sort(begin + rng.integers(0, campaign.days, round(campaign.complaints * min(scene.scale, 1.0))))
        events = (np.full(day.size, product[0]), np.full(day.size, county[0]), day)
        parts.append(_filled(scene, events, campaign.campaign_id, serial, campaign))
        serial += len(parts[-1])
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.loc[(frame["known_on"] <= axis.days[-1]).to_numpy()]
    ordered: pd.DataFrame = frame.sort_values(["event_date", "record_key"], kind="stable", ignore_index=True)[list(COMPLAINT_COLUMNS)]
    return ordered
