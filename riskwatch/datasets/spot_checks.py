"""Simulated product spot checks: samples, their failing items, and the rechecks that follow failures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.datasets.codelists import World, load_test_items
from riskwatch.datasets.enterprises import Enterprises
from riskwatch.datasets.frames import category, concat_frames, pick
from riskwatch.datasets.hazards import Hazard
from riskwatch.datasets.rhythm import DayAxis, random_stream

__all__ = ["ITEM_COLUMNS", "SPOT_CHECK_COLUMNS", "simulate_spot_checks"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SPOT_CHECK_COLUMNS = (
    "record_key", "version", "event_date", "received_on", "reported_on", "published_on", "known_on", "check_type", "selection", "channel",
    "task", "product", "product_name", "industry", "specification", "producer", "producer_name", "producer_region", "sampled_name", "region",
    "laboratory", "inspected", "failed", "verdict", "counterfeit_claim", "recheck_of", "recheck_result", "ordered_on", "rectified_on",
    "recheck_on", "hazard_id",
)  # fmt: skip
ITEM_COLUMNS = ("record_key", "version", "item_no", "item", "limit", "measured", "unit", "verdict", "safety_item")

SELECTIONS = ("random", "targeted", "complaint-led", "follow-up")
CHECK_TYPES = ("provincial", "prefecture", "county", "national", "special", "enforcement", "recheck")
CHANNELS = ("distribution", "production", "online", "catering")
_LABORATORIES = tuple(f"模拟检验院{number}" for number in range(1, 9))
# One laboratory finds more than the others: a lab effect that is no hazard.
_LAB_EFFECT = np.array([1.0, 1.0, 0.95, 1.3, 0.9, 1.0, 1.05, 0.9])
# Targeted and complaint-led samples come from a worse frame than random ones; never pool them.
_ODDS = np.array([1.0, 2.3, 3.2, 1.0])
_SELECTION_SHARE = np.array([0.66, 0.285, 0.055, 0.0])
_CAMPAIGN_MONTHS = {3: 1.7, 9: 1.5, 11: 1.6}
_CELL_SHAPE = 5.0
_HIGHEST = 0.85
_FOLLOW_UP = 0.6
_SHOPS = 40


@dataclass(frozen=True, eq=False)
class _Samples:
    """Samples before the laboratory; arrays of shape (sample,). ``chance`` is the failure probability without hazards."""

    product: IntArray
    county: IntArray
    day: IntArray
    selection: IntArray
    producer: IntArray
    laboratory: IntArray
    chance: FloatArray

    def take(self, keep: BoolArray) -> _Samples:
        return _Samples(*(getattr(self, name)[keep] for name in _SAMPLE_FIELDS))


_SAMPLE_FIELDS = tuple(field.name for field in dataclasses.fields(_Samples))


def _months(axis: DayAxis) -> IntArray:
    return axis.days.astype("datetime64[M]").astype(np.int64) % 12 + 1


def _selection_table(axis: DayAxis) -> FloatArray:
    """Probabilities of selection in each month of the year, rows 0 to 12; campaigns raise the targeted share."""
    table = np.tile(_SELECTION_SHARE, (13, 1))
    for month, factor in _CAMPAIGN_MONTHS.items():
        table[month, 1] *= factor
    return table / table.sum(axis=1, keepdims=True)


def _plan(
    world: World, enterprises: Enterprises, axis: DayAxis, position: int, rng: np.random.Generator, yearly: float, window: slice, counties: IntArray,
    selection: int | None, factor: FloatArray,
) -> _Samples:  # fmt: skip
    """Draw the samples of one product over ``window`` in ``counties``; ``selection`` None mixes them as usual."""
    row = world.products.iloc[position]
    share = world.shares(float(row["rural"]) * 0.5)[counties]
    weight = axis.working()[window] / 245.0
    months = axis.month[window] - axis.month[window][0]
    starts = np.flatnonzero(np.diff(months, prepend=-1))
    monthly = np.add.reduceat(weight, starts)
    noise = rng.gamma(_CELL_SHAPE, 1.0 / _CELL_SHAPE, (counties.size, starts.size))
    count = rng.poisson(yearly * share[:, None] * monthly[None, :] * noise)
    county, month = np.divmod(np.repeat(np.arange(count.size), count.ravel()), starts.size)
    cumulative = np.concatenate([[0.0], np.cumsum(weight)])
    target = cumulative[starts[month]] + rng.random(month.size) * monthly[month]
    day = window.start + np.clip(np.searchsorted(cumulative, target, side="right") - 1, 0, weight.size - 1)
    size = day.size
    if selection is None:
        chosen = pick(_selection_table(axis), _months(axis)[day], rng.random(size))
    else:
        chosen = np.full(size, selection, dtype=np.int64)
    first, last = enterprises.first[position], enterprises.first[position + 1]
    share_of_market = enterprises.table["share"].to_numpy()[first:last]
    producer = first + pick(share_of_market[None, :], np.zeros(size, dtype=np.int64), rng.random(size))
    laboratory = (counties[county] * 7 + position + rng.integers(0, 3, size)) % len(_LABORATORIES)
    base = float(row["fail_percent"]) / 100.0 * factor[day]
    chance = base * enterprises.table["risk"].to_numpy()[producer] * _LAB_EFFECT[laboratory] * _ODDS[chosen]
    return _Samples(np.full(size, position), counties[county], day, chosen, producer, laboratory, np.minimum(chance, 0.6))


def _join(parts: list[_Samples]) -> _Samples:
    return _Samples(*(np.concatenate([getattr(part, name) for part in parts]) for name in _SAMPLE_FIELDS))


def _dates(day: IntArray, axis: DayAxis, rng: np.random.Generator) -> tuple[IntArray, IntArray, IntArray]:
    """Received, reported and published, as day positions: 0–3 days, 10–20 working days, then the next Wednesday but three days on."""
    received = day + rng.integers(0, 4, day.size)
    start = axis.days[0].astype("datetime64[D]") + received.astype("timedelta64[D]")
    reported = np.busday_offset(start, rng.integers(10, 21, day.size), roll="forward")
    at = (reported - axis.days[0]).astype(np.int64)
    ready = at + 3
    weekday = (axis.weekday[0] + ready) % 7
    return received, at, ready + (2 - weekday) % 7


def _affected(hazard: Hazard, world: World, enterprises: Enterprises, axis: DayAxis, samples: _Samples) -> BoolArray:
    last = axis.size - 1 if hazard.end is None else axis.position(hazard.end)
    hit = world.product_mask(hazard.products)[samples.product] & world.county_mask(hazard.regions)[samples.county]
    hit &= (samples.day >= axis.position(hazard.samples_from)) & (samples.day <= last)
    if hazard.producers:
        hit &= samples.producer - enterprises.first[samples.product] < hazard.producers
    return hit


def _failing(
    samples: _Samples, hazards: tuple[Hazard, ...], world: World, enterprises: Enterprises, axis: DayAxis, seed: int, part: str
) -> tuple[BoolArray, IntArray, dict[str, FloatArray]]:
    """Decide which samples fail: first without hazards, then each hazard turns some passes into failures.

    Returns the verdicts, the position of the hazard that turned each sample (-1 for none), and the added probability by hazard.
    """
    failed = random_stream(seed, "verdicts", part).random(samples.day.size) < samples.chance
    turned = np.full(samples.day.size, -1, dtype=np.int64)
    added: dict[str, FloatArray] = {}
    for position, hazard in enumerate(hazards):
        if not hazard.in_spot_checks or hazard.kind == "decoy-campaign":
            continue
        hit = _affected(hazard, world, enterprises, axis, samples)
        chance = samples.chance
        extra = np.where(hit, np.maximum(np.minimum(chance * hazard.failure_risk, _HIGHEST) - chance, 0.0), 0.0)
        uniform = random_stream(seed, "hazard", hazard.hazard_id, part).random(samples.day.size)
        flip = ~failed & (uniform < extra / (1.0 - chance))
        failed |= flip
        turned[flip] = position
        added[hazard.hazard_id] = extra
    return failed, turned, added


def _items(
    samples: _Samples,
    failed: BoolArray,
    turned: IntArray,
    hazards: tuple[Hazard, ...],
    world: World,
    keys: npt.NDArray[np.object_],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Failing items of failing samples: one, sometimes two; that of the hazard where it was the cause."""
    catalogue = load_test_items()
    names = catalogue.index.to_numpy()
    lists = [np.array([catalogue.index.get_loc(item) for item in text.split(";")], dtype=np.int64) for text in world.products["items"]]
    width = max(len(items) for items in lists)
    choices = np.array([np.resize(items, width) for items in lists])
    weights = np.array([np.concatenate([0.6 ** np.arange(len(items)), np.zeros(width - len(items))]) for items in lists])
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.flatnonzero(failed)
    product = samples.product[rows]
    first = choices[product, pick(weights, product, rng.random(rows.size))]
    for position, hazard in enumerate(hazards):
        if hazard.item:
            first = np.where(turned[rows] == position, catalogue.index.get_loc(hazard.item), first)
    second = choices[product, pick(weights, product, rng.random(rows.size))]
    more = (rng.random(rows.size) < 0.2) & (second != first) & (turned[rows] < 0)
    sample = np.concatenate([rows, rows[more]])
    item = np.concatenate([first, second[more]])
    number = np.concatenate([np.ones(rows.size, dtype=np.int64), np.full(int(more.sum()), 2)])
    kind = catalogue["kind"].to_numpy()[item]
    bound = pd.to_numeric(catalogue["limit"], errors="coerce").to_numpy(dtype=np.float64)[item]
    over = np.exp(0.15 + 0.6 * np.abs(rng.standard_normal(item.size)))
    value = np.where(kind == "max", np.where(bound > 0, bound, 3.0) * over, bound / np.minimum(over, 4.0))
    text = np.array([f"{number:.3g}" if np.isfinite(number) else "不符合要求" for number in value.tolist()], dtype=object)
    return pd.DataFrame(
        {
            "record_key": keys[sample],
            "version": 1,
            "item_no": number,
            "item": category(item, catalogue["name_zh"].tolist()),
            "code": names[item],
            "limit": category(item, catalogue["limit"].tolist()),
            "measured": text,
            "unit": category(item, catalogue["unit"].tolist()),
            "verdict": "fail",
            "safety_item": catalogue["safety"].to_numpy()[item] == "1",
        }
    ).sort_values(["record_key", "item_no"], kind="stable", ignore_index=True)


def _frame(
    samples: _Samples, failed: BoolArray, turned: IntArray, hazards: tuple[Hazard, ...], world: World, enterprises: Enterprises, axis: DayAxis,
    keys: npt.NDArray[np.object_], rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    size = samples.day.size
    received, reported, published = _dates(samples.day, axis, rng)
    regular = rng.choice(4, size, p=[0.42, 0.30, 0.22, 0.06])
    check = np.select(
        [samples.selection == 3, samples.selection == 2, samples.selection == 1], [6, 5, np.where(regular == 0, 4, regular)], regular
    )
    channel = rng.choice(4, size, p=[0.58, 0.24, 0.18, 0.0])
    food = world.products["parent"].to_numpy()[samples.product] == "P09"
    channel = np.where(food & (rng.random(size) < 0.25), 3, channel)
    shop = rng.integers(1, _SHOPS + 1, size)
    month = (axis.days[0] + samples.day.astype("timedelta64[D]")).astype("datetime64[M]")
    months, month_code = np.unique(month, return_inverse=True)
    shops, shop_code = np.unique(samples.county * 1000 + shop, return_inverse=True)
    county_names = world.counties["name_zh"].tolist()
    codes = world.products["code"].to_numpy()
    makers = enterprises.table
    base = axis.days[0]

    def days(position: IntArray) -> npt.NDArray[np.datetime64]:
        return np.asarray(base + position.astype("timedelta64[D]"))

    return pd.DataFrame(
        {
            "record_key": keys,
            "version": 1,
            "event_date": days(samples.day),
            "received_on": days(received),
            "reported_on": days(reported),
            "published_on": days(published),
            "check_type": pd.Categorical.from_codes(check, categories=list(CHECK_TYPES)),
            "selection": pd.Categorical.from_codes(samples.selection, categories=list(SELECTIONS)),
            "channel": pd.Categorical.from_codes(channel, categories=list(CHANNELS)),
            "task": pd.Categorical.from_codes(month_code, categories=[f"模拟任务{text}" for text in months.astype(str)]),
            "product": pd.Categorical.from_codes(samples.product, categories=codes),
            "product_name": category(samples.product, world.products["name_zh"].tolist()),
            "industry": category(samples.product, world.products["industry"].tolist()),
            "specification": pd.Categorical.from_codes(shop % 6, categories=[f"M-{letter}" for letter in "ABCDEF"]),
            "producer": pd.Categorical.from_codes(samples.producer, categories=makers["code"]),
            "producer_name": pd.Categorical.from_codes(samples.producer, categories=makers["name"]),
            "producer_region": category(samples.producer, makers["region"].tolist()),
            "sampled_name": pd.Categorical.from_codes(
                shop_code,
                categories=[f"模拟商店{county_names[number // 1000]}{number // 1000:02d}-{number % 1000:02d}" for number in shops.tolist()],
            ),
            "region": pd.Categorical.from_codes(samples.county, categories=world.counties["code"]),
            "laboratory": pd.Categorical.from_codes(samples.laboratory, categories=list(_LABORATORIES)),
            "inspected": 1,
            "failed": failed.astype(np.int64),
            "verdict": pd.Categorical.from_codes(failed.astype(np.int8), categories=["pass", "fail"]),
            "counterfeit_claim": failed & (rng.random(size) < 0.04),
            "recheck_of": pd.Categorical.from_codes(np.full(size, -1, dtype=np.int8), categories=[""]),
            "recheck_result": pd.Categorical.from_codes(np.full(size, -1, dtype=np.int8), categories=["pass", "fail"]),
            "ordered_on": np.datetime64("NaT", "s"),
            "rectified_on": np.datetime64("NaT", "s"),
            "recheck_on": np.datetime64("NaT", "s"),
            "hazard_id": category(turned + 1, ["", *(hazard.hazard_id for hazard in hazards)]),
        }
    )


def _sample_numbers(number: IntArray, samples: _Samples, axis: DayAxis) -> npt.NDArray[np.object_]:
    """Sample numbers that are unique and do not show the order of drawing (multiplication by an odd number mod 2^40)."""
    mixed = (number * 748_112_383 + 987_654_321) % (1 << 40)
    years = (axis.days[0] + samples.day.astype("timedelta64[D]")).astype("datetime64[Y]").astype(np.int64) + 1970
    return np.array([f"JC{year}{value:013d}" for year, value in zip(years.tolist(), mixed.tolist(), strict=True)], dtype=object)


def _follow_ups(
    frame: pd.DataFrame, samples: _Samples, axis: DayAxis, enterprises: Enterprises, failed: BoolArray, rng: np.random.Generator
) -> tuple[_Samples, BoolArray, BoolArray, pd.DataFrame]:
    """Rechecks of some ``failed`` samples 25 to 80 days after publication: who failed by habit fails again.

    Returns the rechecks, which samples they recheck, whether they fail, and the facts of the order to correct.
    """
    # One draw for each sample, failed or not: hazards do not change which other failures are followed up, nor how that ends.
    chosen = (rng.random(samples.day.size) < _FOLLOW_UP) & failed
    published = (frame["published_on"].to_numpy() - axis.days[0]).astype("timedelta64[D]").astype(np.int64)
    ordered = published + 5
    rectified = ordered + 10 + (samples.day % 36)
    again = rectified + 10 + (samples.product + samples.day) % 21
    # A weekend is moved to Monday.
    again = again + np.array([0, 0, 0, 0, 0, 2, 1])[(axis.weekday[0] + again) % 7]
    keep = chosen & (again < axis.size)
    # No sampling around the Spring Festival, rechecks included.
    keep[keep] = axis.working()[again[keep]] > 0
    chance = np.clip(0.08 + 0.1 * enterprises.table["risk"].to_numpy()[samples.producer], 0.08, 0.45)
    fails_again = rng.random(samples.day.size) < chance
    later = _Samples(
        samples.product,
        samples.county,
        again,
        np.full(again.size, SELECTIONS.index("follow-up")),
        samples.producer,
        samples.laboratory,
        chance,
    )
    base = axis.days[0]
    facts = pd.DataFrame(
        {
            "recheck_of": frame["record_key"].to_numpy()[keep],
            "ordered_on": base + ordered[keep].astype("timedelta64[D]"),
            "rectified_on": base + rectified[keep].astype("timedelta64[D]"),
            "recheck_on": base + again[keep].astype("timedelta64[D]"),
        }
    )
    return later.take(keep), keep, fails_again[keep], facts


def _reversals(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Second versions: the verdict is reversed on re-inspection and published again four to eight weeks later."""
    failed = frame[frame["verdict"] == "fail"]
    chosen = failed[rng.random(len(failed)) < 0.02].copy()
    chosen["version"] = 2
    chosen["published_on"] = chosen["published_on"].to_numpy() + (7 * rng.integers(4, 9, len(chosen))).astype("timedelta64[D]")
    chosen["failed"] = 0
    chosen["verdict"] = pd.Categorical.from_codes(np.zeros(len(chosen), dtype=np.int8), categories=["pass", "fail"])
    chosen["counterfeit_claim"] = False
    return chosen


def simulate_spot_checks(
    world: World, enterprises: Enterprises, axis: DayAxis, seed: int, scale: float, hazards: tuple[Hazard, ...]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Draw the samples published up to the last day.

    Returns
    -------
    samples : DataFrame
        Columns :data:`SPOT_CHECK_COLUMNS`, sorted by publication and key; ``version`` 2 reverses a verdict.
    items : DataFrame
        Columns :data:`ITEM_COLUMNS`: the failing items.
    expected : dict
        Hazard id to the expected number of additional failures among the samples published by the last day.
    """
    everywhere = np.arange(len(world.counties))
    factors = [np.exp(0.12 * np.sin(axis.years * 1.3 + position)) for position in range(len(world.products))]
    batches: list[tuple[str, _Samples]] = []
    whole = slice(0, axis.size)
    volume = world.products["samples_per_year"].to_numpy(dtype=np.float64) * scale * world.population_factor
    parts = [
        _plan(
            world,
            enterprises,
            axis,
            position,
            random_stream(seed, "samples", code),
            volume[position],
            whole,
            everywhere,
            None,
            factors[position],
        )
        for position, code in enumerate(world.products["code"])
    ]
    batches.append(("base", _join(parts)))
    for hazard in hazards:
        if hazard.kind != "decoy-campaign":
            continue
        first = max(0, axis.position(hazard.start))
        last = axis.size if hazard.end is None else min(axis.size, axis.position(hazard.end) + 1)
        counties = np.flatnonzero(world.county_mask(hazard.regions))
        extra = [
            _plan(
                world, enterprises, axis, int(position), random_stream(seed, "campaign", hazard.hazard_id, str(position)),
                volume[position] * _SELECTION_SHARE[1] * (hazard.relative_risk - 1.0), slice(first, last), counties, 1, factors[position],
            )
            for position in np.flatnonzero(world.product_mask(hazard.products))
        ]  # fmt: skip
        batches.append((hazard.hazard_id, _join(extra)))
    frames: list[pd.DataFrame] = []
    items: list[pd.DataFrame] = []
    expected: dict[str, float] = {hazard.hazard_id: 0.0 for hazard in hazards if hazard.in_spot_checks}
    for number, (part, samples) in enumerate(batches):
        produced = _batch(world, enterprises, axis, seed, hazards, part, samples, number << 34, expected)
        frames += produced[0]
        items += produced[1]
    frame = concat_frames(frames)
    frame["known_on"] = frame["published_on"]
    frame = frame[frame["published_on"] <= axis.days[-1]]
    frame = frame.sort_values(["published_on", "record_key", "version"], kind="stable", ignore_index=True)
    item = concat_frames(items)
    item = item[item["record_key"].isin(frame.loc[frame["version"] == 1, "record_key"])].reset_index(drop=True)
    return frame[list(SPOT_CHECK_COLUMNS)], item[[*ITEM_COLUMNS, "code"]], expected


def _batch(
    world: World, enterprises: Enterprises, axis: DayAxis, seed: int, hazards: tuple[Hazard, ...], part: str, samples: _Samples, serial: int,
    expected: dict[str, float],
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:  # fmt: skip
    """Judge one batch of samples and its rechecks; adds to ``expected``."""
    failed, turned, added = _failing(samples, hazards, world, enterprises, axis, seed, part)
    keys = _sample_numbers(serial + np.arange(samples.day.size, dtype=np.int64), samples, axis)
    frame = _frame(samples, failed, turned, hazards, world, enterprises, axis, keys, random_stream(seed, "laboratory", part))
    known = (frame["published_on"].to_numpy() <= axis.days[-1]).astype(np.float64)
    for hazard_id, extra in added.items():
        expected[hazard_id] += float(extra @ known)
    items = [_items(samples, failed, turned, hazards, world, keys, random_stream(seed, "items", part))]
    if part != "base":
        for hazard in hazards:
            if hazard.hazard_id == part:
                expected[part] += float(samples.chance @ known)
        frame["hazard_id"] = pd.Categorical.from_codes(np.zeros(len(frame), dtype=np.int8), categories=[part])
    frames = [frame, _reversals(frame, random_stream(seed, "reversal", part))]
    # Rechecks of failures that a hazard made come from a stream of their own.
    for name, group in (("usual", failed & (turned < 0)), ("turned", failed & (turned >= 0))):
        rng = random_stream(seed, "follow-up", part, name)
        later, origin, again, facts = _follow_ups(frame, samples, axis, enterprises, group, rng)
        if not later.day.size:
            continue
        none = np.full(later.day.size, -1, dtype=np.int64)
        late_keys = _sample_numbers(serial + (1 << 33) + np.flatnonzero(origin), later, axis)
        recheck = _frame(later, again, none, hazards, world, enterprises, axis, late_keys, rng)
        recheck["recheck_result"] = pd.Categorical(recheck["verdict"], categories=["pass", "fail"])
        for column in facts.columns:
            recheck[column] = facts[column].to_numpy()
        recheck["recheck_of"] = pd.Categorical(recheck["recheck_of"])
        items.append(_items(later, again, none, hazards, world, late_keys, rng))
        frames.append(recheck)
    return frames, items
