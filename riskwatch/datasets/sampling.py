"""Which samples are taken where, when and how, and which of them fail."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.datasets.frames import pick
from riskwatch.datasets.hazards import Hazard
from riskwatch.datasets.rhythm import random_stream
from riskwatch.datasets.scene import Scene

__all__ = ["LABORATORIES", "SELECTIONS", "Samples", "affected", "campaign_samples", "judge", "usual_samples"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SELECTIONS = ("random", "targeted", "complaint-led", "follow-up")
LABORATORIES = tuple(f"模拟检验院{number}" for number in range(1, 9))
# One laboratory finds more than the others: a lab effect that is no hazard.
_LAB_EFFECT = np.array([1.0, 1.0, 0.95, 1.3, 0.9, 1.0, 1.05, 0.9])
# Targeted and complaint-led samples come from a worse frame than random ones; never pool them.
_ODDS = np.array([1.0, 2.3, 3.2, 1.0])
_SELECTION_SHARE = np.array([0.66, 0.285, 0.055, 0.0])
# Consumer day, quality month and the online sales of November: more targeted samples.
_CAMPAIGN_MONTHS = {3: 1.7, 9: 1.5, 11: 1.6}
_CELL_SHAPE = 5.0
_WORKING_DAYS = 245.0
_HIGHEST_BASE = 0.6
_HIGHEST = 0.85


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples before the laboratory; arrays of shape (sample,). ``chance`` is the failure probability without hazards."""

    product: IntArray
    county: IntArray
    day: IntArray
    selection: IntArray
    producer: IntArray
    laboratory: IntArray
    chance: FloatArray

    def take(self, keep: BoolArray) -> Samples:
        """Return the samples of a mask."""
        return Samples(*(getattr(self, name)[keep] for name in _SAMPLE_FIELDS))


_SAMPLE_FIELDS = tuple(field.name for field in dataclasses.fields(Samples))


def _selection_table() -> FloatArray:
    """Probabilities of selection in each month of the year, rows 0 to 12; campaigns raise the targeted share."""
    table = np.tile(_SELECTION_SHARE, (13, 1))
    for month, factor in _CAMPAIGN_MONTHS.items():
        table[month, 1] *= factor
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How many samples a year, on which days, where; ``selection`` None mixes them as usual."""

    yearly: float
    window: slice
    counties: IntArray
    selection: int | None = None


def _draw(scene: Scene, position: int, plan: _Plan, rng: np.random.Generator) -> Samples:
    """Draw the samples of one product."""
    axis, enterprises = scene.axis, scene.enterprises
    row = scene.world.products.iloc[position]
    share = scene.world.shares(float(row["rural"]) * 0.5)[plan.counties]
    weight = axis.working()[plan.window] / _WORKING_DAYS
    months = axis.month[plan.window] - axis.month[plan.window][0]
    starts = np.flatnonzero(np.diff(months, prepend=-1))
    monthly = np.add.reduceat(weight, starts)
    noise = rng.gamma(_CELL_SHAPE, 1.0 / _CELL_SHAPE, (plan.counties.size, starts.size))
    count = rng.poisson(plan.yearly * share[:, None] * monthly[None, :] * noise)
    county, month = np.divmod(np.repeat(np.arange(count.size), count.ravel()), starts.size)
    cumulative = np.concatenate([[0.0], np.cumsum(weight)])
    target = cumulative[starts[month]] + rng.random(month.size) * monthly[month]
    day = plan.window.start + np.clip(np.searchsorted(cumulative, target, side="right") - 1, 0, weight.size - 1)
    size = day.size
    if plan.selection is None:
        of_year = axis.days.astype("datetime64[M]").astype(np.int64) % 12 + 1
        chosen = pick(_selection_table(), of_year[day], rng.random(size))
    else:
        chosen = np.full(size, plan.selection, dtype=np.int64)
    first, last = enterprises.first[position], enterprises.first[position + 1]
    share_of_market = enterprises.table["share"].to_numpy()[first:last]
    producer = first + pick(share_of_market[None, :], np.zeros(size, dtype=np.int64), rng.random(size))
    laboratory = (plan.counties[county] * 7 + position + rng.integers(0, 3, size)) % len(LABORATORIES)
    # The failure rate of a product drifts slowly over the years.
    base = float(row["fail_percent"]) / 100.0 * np.exp(0.12 * np.sin(axis.years * 1.3 + position))[day]
    chance = base * enterprises.table["risk"].to_numpy()[producer] * _LAB_EFFECT[laboratory] * _ODDS[chosen]
    return Samples(np.full(size, position), plan.counties[county], day, chosen, producer, laboratory, np.minimum(chance, _HIGHEST_BASE))


def _join(parts: list[Samples]) -> Samples:
    return Samples(*(np.concatenate([getattr(part, name) for part in parts]) for name in _SAMPLE_FIELDS))


def _volume(scene: Scene) -> FloatArray:
    """Return the samples a year of every product."""
    return scene.world.products["samples_per_year"].to_numpy(dtype=np.float64) * scene.scale * scene.world.population_factor


def usual_samples(scene: Scene) -> Samples:
    """Draw the samples of all products over the whole time."""
    volume, everywhere = _volume(scene), np.arange(len(scene.world.counties))
    whole = slice(0, scene.axis.size)
    return _join(
        [
            _draw(scene, position, _Plan(volume[position], whole, everywhere), random_stream(scene.seed, "samples", code))
            for position, code in enumerate(scene.world.products["code"])
        ]
    )


def campaign_samples(scene: Scene, hazard: Hazard) -> Samples:
    """Draw the additional targeted samples of a campaign decoy; its products are no worse than usual."""
    axis, volume = scene.axis, _volume(scene)
    first = max(0, axis.position(hazard.start))
    last = axis.size if hazard.end is None else min(axis.size, axis.position(hazard.end) + 1)
    counties = np.flatnonzero(scene.world.county_mask(hazard.regions))
    more = _SELECTION_SHARE[SELECTIONS.index("targeted")] * (hazard.relative_risk - 1.0)
    parts = []
    for position in np.flatnonzero(scene.world.product_mask(hazard.products)):
        plan = _Plan(float(volume[position] * more), slice(first, last), counties, SELECTIONS.index("targeted"))
        parts.append(_draw(scene, int(position), plan, random_stream(scene.seed, "campaign", hazard.hazard_id, str(position))))
    return _join(parts)


def affected(scene: Scene, hazard: Hazard, samples: Samples) -> BoolArray:
    """Whether each sample is of the products, places, days and producers of the hazard."""
    world, enterprises, axis = scene.world, scene.enterprises, scene.axis
    last = axis.size - 1 if hazard.end is None else axis.position(hazard.end)
    hit = world.product_mask(hazard.products)[samples.product] & world.county_mask(hazard.regions)[samples.county]
    hit &= (samples.day >= axis.position(hazard.samples_from)) & (samples.day <= last)
    if hazard.producers:
        hit &= samples.producer - enterprises.first[samples.product] < hazard.producers
    return hit


def judge(scene: Scene, samples: Samples, part: str) -> tuple[BoolArray, IntArray, dict[str, FloatArray]]:
    """Decide which samples fail: first without hazards, then each hazard turns some passes into failures.

    Returns the verdicts, the position of the hazard that turned each sample (-1 for none), and the added probability by hazard.
    """
    failed = random_stream(scene.seed, "verdicts", part).random(samples.day.size) < samples.chance
    turned = np.full(samples.day.size, -1, dtype=np.int64)
    added: dict[str, FloatArray] = {}
    for position, hazard in enumerate(scene.hazards):
        if not hazard.in_spot_checks or hazard.kind == "decoy-campaign":
            continue
        hit = affected(scene, hazard, samples)
        chance = samples.chance
        extra = np.where(hit, np.maximum(np.minimum(chance * hazard.failure_risk, _HIGHEST) - chance, 0.0), 0.0)
        uniform = random_stream(scene.seed, "hazard", hazard.hazard_id, part).random(samples.day.size)
        flip = ~failed & (uniform < extra / (1.0 - chance))
        failed |= flip
        turned[flip] = position
        added[hazard.hazard_id] = extra
    return failed, turned, added
