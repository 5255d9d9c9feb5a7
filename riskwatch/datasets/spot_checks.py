"""Simulated product spot checks: samples, their failing items, and the rechecks that follow failures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.datasets.codelists import load_test_items
from riskwatch.datasets.frames import category, concat_frames, labelled, pick
from riskwatch.datasets.rhythm import DayAxis, random_stream
from riskwatch.datasets.sampling import LABORATORIES, SELECTIONS, Samples, campaign_samples, judge, usual_samples
from riskwatch.datasets.scene import Scene
from riskwatch.datasets.suppliers import Suppliers, build_suppliers, named_suppliers

__all__ = ["ITEM_COLUMNS", "SPOT_CHECK_COLUMNS", "simulate_spot_checks"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
TextArray = npt.NDArray[np.object_]

SPOT_CHECK_COLUMNS = (
    "record_key", "version", "event_date", "received_on", "reported_on", "published_on", "known_on", "check_type", "selection", "channel",
    "task", "product", "product_name", "industry", "specification", "producer", "producer_name", "producer_region", "supplier",
    "sampled_name", "region", "laboratory", "inspected", "failed", "verdict", "counterfeit_claim", "recheck_of", "recheck_result",
    "ordered_on", "rectified_on", "recheck_on", "hazard_id",
)  # fmt: skip
ITEM_COLUMNS = ("record_key", "version", "item_no", "item", "limit", "measured", "unit", "verdict", "safety_item", "code")

CHECK_TYPES = ("provincial", "prefecture", "county", "national", "special", "enforcement", "recheck")
CHANNELS = ("distribution", "production", "online", "catering")
_CATERING = "P09"
_FOLLOW_UP = 0.6
_REVERSED = 0.02
_SECOND_ITEM = 0.2
_SHOPS = 40


@dataclass(frozen=True, eq=False)
class _Judged:
    """Samples with their numbers and verdicts; ``turned`` is the position of the hazard that made a sample fail, or -1."""

    samples: Samples
    keys: TextArray
    failed: BoolArray
    turned: IntArray


def _dates(day: IntArray, axis: DayAxis, rng: np.random.Generator) -> tuple[IntArray, IntArray, IntArray]:
    """Received, reported and published, as day positions: 0–3 days, 10–20 working days, then the next Wednesday but three days on."""
    received = day + rng.integers(0, 4, day.size)
    start = axis.days[0].astype("datetime64[D]") + received.astype("timedelta64[D]")
    reported = np.busday_offset(start, rng.integers(10, 21, day.size), roll="forward")
    at = (reported - axis.days[0]).astype(np.int64)
    ready = at + 3
    weekday = (axis.weekday[0] + ready) % 7
    return received, at, ready + (2 - weekday) % 7


def _items(scene: Scene, judged: _Judged, rng: np.random.Generator) -> pd.DataFrame:
    """Failing items of failing samples: one, sometimes two; that of the hazard where it was the cause."""
    catalogue = load_test_items()
    place = {str(code): number for number, code in enumerate(catalogue.index)}
    lists = [np.array([place[item] for item in text.split(";")], dtype=np.int64) for text in scene.world.products["items"]]
    width = max(len(items) for items in lists)
    choices = np.array([np.resize(items, width) for items in lists])
    weights = np.array([np.concatenate([0.6 ** np.arange(len(items)), np.zeros(width - len(items))]) for items in lists])
    weights /= weights.sum(axis=1, keepdims=True)
    # Draws for every sample, failed or not: the items of ordinary failures do not depend on hazards.
    size = judged.failed.size
    uniform, spread = rng.random((3, size)), np.abs(rng.standard_normal((2, size)))
    rows = np.flatnonzero(judged.failed)
    product, turned = judged.samples.product[rows], judged.turned[rows]
    first = choices[product, pick(weights, product, uniform[0, rows])]
    for position, hazard in enumerate(scene.hazards):
        if hazard.item:
            first = np.where(turned == position, place[hazard.item], first)
    second = choices[product, pick(weights, product, uniform[1, rows])]
    more = (uniform[2, rows] < _SECOND_ITEM) & (second != first) & (turned < 0)
    sample = np.concatenate([rows, rows[more]])
    item = np.concatenate([first, second[more]])
    number = np.concatenate([np.ones(rows.size, dtype=np.int64), np.full(int(more.sum()), 2)])
    kind = catalogue["kind"].to_numpy()[item]
    bound = pd.to_numeric(catalogue["limit"], errors="coerce").to_numpy(dtype=np.float64)[item]
    over = np.exp(0.15 + 0.6 * spread[number - 1, sample])
    value = np.where(kind == "max", np.where(bound > 0, bound, 3.0) * over, bound / np.minimum(over, 4.0))
    text = np.array([f"{number:.3g}" if np.isfinite(number) else "不符合要求" for number in value.tolist()], dtype=object)
    frame = pd.DataFrame(
        {
            "record_key": judged.keys[sample],
            "version": 1,
            "item_no": number,
            "item": category(item, catalogue["name_zh"].tolist()),
            "limit": category(item, catalogue["limit"].tolist()),
            "measured": text,
            "unit": category(item, catalogue["unit"].tolist()),
            "verdict": "fail",
            "safety_item": catalogue["safety"].to_numpy()[item] == "1",
            "code": category(item, catalogue.index.tolist()),
        }
    )
    return frame.sort_values(["record_key", "item_no"], kind="stable", ignore_index=True)


def _frame(scene: Scene, judged: _Judged, rng: np.random.Generator) -> pd.DataFrame:
    """Fill in the rows of judged samples."""
    world, axis, samples, failed = scene.world, scene.axis, judged.samples, judged.failed
    size = samples.day.size
    received, reported, published = _dates(samples.day, axis, rng)
    regular = rng.choice(4, size, p=[0.42, 0.30, 0.22, 0.06])
    check = np.select(
        [samples.selection == 3, samples.selection == 2, samples.selection == 1], [6, 5, np.where(regular == 0, 4, regular)], regular
    )
    channel = rng.choice(4, size, p=[0.58, 0.24, 0.18, 0.0])
    food = world.products["parent"].to_numpy()[samples.product] == _CATERING
    channel = np.where(food & (rng.random(size) < 0.25), 3, channel)
    shop = rng.integers(1, _SHOPS + 1, size)
    month = (axis.days[0] + samples.day.astype("timedelta64[D]")).astype("datetime64[M]")
    months, month_code = np.unique(month, return_inverse=True)
    shops, shop_code = np.unique(samples.county * 1000 + shop, return_inverse=True)
    county_names = world.counties["name_zh"].tolist()
    codes = world.products["code"].to_numpy()
    makers = scene.enterprises.table
    base = axis.days[0]

    def days(position: IntArray) -> npt.NDArray[np.datetime64]:
        return np.asarray(base + position.astype("timedelta64[D]"))

    return pd.DataFrame(
        {
            "record_key": judged.keys,
            "version": 1,
            "event_date": days(samples.day),
            "received_on": days(received),
            "reported_on": days(reported),
            "published_on": days(published),
            "check_type": labelled(check, list(CHECK_TYPES)),
            "selection": labelled(samples.selection, list(SELECTIONS)),
            "channel": labelled(channel, list(CHANNELS)),
            "task": labelled(month_code, [f"模拟任务{text}" for text in months.astype(str)]),
            "product": labelled(samples.product, codes),
            "product_name": category(samples.product, world.products["name_zh"].tolist()),
            "industry": category(samples.product, world.products["industry"].tolist()),
            "specification": labelled(shop % 6, [f"M-{letter}" for letter in "ABCDEF"]),
            "producer": labelled(samples.producer, makers["code"]),
            "producer_name": labelled(samples.producer, makers["name"]),
            "producer_region": category(samples.producer, makers["region"].tolist()),
            "sampled_name": labelled(
                shop_code,
                [f"模拟商店{county_names[number // 1000]}{number // 1000:02d}-{number % 1000:02d}" for number in shops.tolist()],
            ),
            "region": labelled(samples.county, world.counties["code"]),
            "laboratory": labelled(samples.laboratory, list(LABORATORIES)),
            "inspected": 1,
            "failed": failed.astype(np.int64),
            "verdict": labelled(failed.astype(np.int8), ["pass", "fail"]),
            "counterfeit_claim": failed & (rng.random(size) < 0.04),
            "recheck_of": labelled(np.full(size, -1, dtype=np.int8), [""]),
            "recheck_result": labelled(np.full(size, -1, dtype=np.int8), ["pass", "fail"]),
            "ordered_on": np.datetime64("NaT", "s"),
            "rectified_on": np.datetime64("NaT", "s"),
            "recheck_on": np.datetime64("NaT", "s"),
            "hazard_id": category(judged.turned + 1, ["", *(hazard.hazard_id for hazard in scene.hazards)]),
        }
    )


def _sample_numbers(number: IntArray, samples: Samples, axis: DayAxis) -> TextArray:
    """Sample numbers that are unique and do not show the order of drawing (multiplication by an odd number mod 2^40)."""
    mixed = (number * 748_112_383 + 987_654_321) % (1 << 40)
    years = (axis.days[0] + samples.day.astype("timedelta64[D]")).astype("datetime64[Y]").astype(np.int64) + 1970
    return np.array([f"JC{year}{value:013d}" for year, value in zip(years.tolist(), mixed.tolist(), strict=True)], dtype=object)


def _follow_ups(
    scene: Scene, frame: pd.DataFrame, judged: _Judged, group: BoolArray, rng: np.random.Generator
) -> tuple[Samples, BoolArray, BoolArray, pd.DataFrame]:
    """Rechecks of some failed samples of ``group`` 25 to 80 days after publication: who failed by habit fails again.

    Returns the rechecks, which samples they recheck, whether they fail, and the facts of the order to correct.
    """
    axis, samples = scene.axis, judged.samples
    # One draw for each sample, failed or not: hazards do not change which other failures are followed up, nor how that ends.
    chosen = (rng.random(samples.day.size) < _FOLLOW_UP) & group
    published = (frame["published_on"].to_numpy() - axis.days[0]).astype("timedelta64[D]").astype(np.int64)
    ordered = published + 5
    rectified = ordered + 10 + (samples.day % 36)
    again = rectified + 10 + (samples.product + samples.day) % 21
    # A weekend is moved to Monday.
    again = again + np.array([0, 0, 0, 0, 0, 2, 1])[(axis.weekday[0] + again) % 7]
    keep = chosen & (again < axis.size)
    # No sampling around the Spring Festival, rechecks included.
    keep[keep] = axis.working()[again[keep]] > 0
    chance = np.clip(0.08 + 0.1 * scene.enterprises.table["risk"].to_numpy()[samples.producer], 0.08, 0.45)
    fails_again = rng.random(samples.day.size) < chance
    later = Samples(
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
    reversed_ = (rng.random(len(frame)) < _REVERSED) & (frame["verdict"] == "fail").to_numpy()
    delay = 7 * rng.integers(4, 9, len(frame))[reversed_]
    chosen = frame[reversed_].copy()
    chosen["version"] = 2
    chosen["published_on"] = chosen["published_on"].to_numpy() + delay.astype("timedelta64[D]")
    chosen["failed"] = 0
    chosen["verdict"] = labelled(np.zeros(len(chosen), dtype=np.int8), ["pass", "fail"])
    chosen["counterfeit_claim"] = False
    return chosen


def _batch(
    scene: Scene, suppliers: Suppliers, part: str, samples: Samples, serial: int
) -> tuple[list[pd.DataFrame], list[pd.DataFrame], dict[str, float]]:
    """Judge one batch of samples and its rechecks; returns frames, items and the expected additional failures by hazard."""
    axis = scene.axis
    failed, turned, added = judge(scene, samples, part)
    keys = _sample_numbers(serial + np.arange(samples.day.size, dtype=np.int64), samples, axis)
    judged = _Judged(samples, keys, failed, turned)
    frame = _frame(scene, judged, random_stream(scene.seed, "laboratory", part))
    frame["supplier"] = labelled(named_suppliers(scene, suppliers, samples, failed, part), suppliers.codes)
    known = (frame["published_on"].to_numpy() <= axis.days[-1]).astype(np.float64)
    expected = {hazard_id: float(extra @ known) for hazard_id, extra in added.items()}
    if part != "base":
        # The samples of a campaign are additional as a whole, those that fail as usual included.
        expected[part] = float(samples.chance @ known)
        frame["hazard_id"] = labelled(np.zeros(len(frame), dtype=np.int8), [part])
    items = [_items(scene, judged, random_stream(scene.seed, "items", part))]
    frames = [frame, _reversals(frame, random_stream(scene.seed, "reversal", part))]
    # Rechecks of failures that a hazard made come from a stream of their own.
    for name, group in (("usual", failed & (turned < 0)), ("turned", failed & (turned >= 0))):
        rng = random_stream(scene.seed, "follow-up", part, name)
        later, origin, again, facts = _follow_ups(scene, frame, judged, group, rng)
        if not later.day.size:
            continue
        numbers = _sample_numbers(serial + (1 << 33) + np.flatnonzero(origin), later, axis)
        recheck = _Judged(later, numbers, again, np.full(later.day.size, -1, dtype=np.int64))
        rows = _frame(scene, recheck, rng).assign(**{column: facts[column].to_numpy() for column in facts.columns})
        rows["supplier"] = labelled(named_suppliers(scene, suppliers, later, again, part, name), suppliers.codes)
        rows["recheck_result"] = rows["verdict"]
        rows["recheck_of"] = rows["recheck_of"].astype("category")
        frames.append(rows)
        items.append(_items(scene, recheck, rng))
    return frames, items, expected


def simulate_spot_checks(scene: Scene) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
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
    suppliers = build_suppliers(scene.world, scene.enterprises, scene.seed)
    batches = [("base", usual_samples(scene))]
    batches += [(hazard.hazard_id, campaign_samples(scene, hazard)) for hazard in scene.hazards if hazard.kind == "decoy-campaign"]
    frames: list[pd.DataFrame] = []
    items: list[pd.DataFrame] = []
    expected: dict[str, float] = {hazard.hazard_id: 0.0 for hazard in scene.hazards if hazard.in_spot_checks}
    for number, (part, samples) in enumerate(batches):
        more_frames, more_items, more = _batch(scene, suppliers, part, samples, number << 34)
        frames += more_frames
        items += more_items
        for hazard_id, count in more.items():
            expected[hazard_id] += count
    frame = concat_frames(frames)
    frame["known_on"] = frame["published_on"]
    frame = frame[frame["published_on"] <= scene.axis.days[-1]]
    frame = frame.sort_values(["published_on", "record_key", "version"], kind="stable", ignore_index=True)
    item = concat_frames(items)
    item = item[item["record_key"].isin(frame.loc[frame["version"] == 1, "record_key"])].reset_index(drop=True)
    return frame[list(SPOT_CHECK_COLUMNS)], item[list(ITEM_COLUMNS)], expected
