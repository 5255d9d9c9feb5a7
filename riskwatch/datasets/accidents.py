"""Simulated accident reports, recalls, insurance claims and media reports: what follows when a hazard is grave."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskwatch.datasets.hazards import Hazard, relative_risk
from riskwatch.datasets.injuries import daily_rate
from riskwatch.datasets.rhythm import random_stream
from riskwatch.datasets.scene import Scene

__all__ = ["simulate_accidents", "simulate_claims", "simulate_media", "simulate_recalls"]

_A_YEAR = 9.0  # accidents without a hazard, in a year
_REPORTED = 0.7  # share of deaths by a hazard that the firm reports as an accident
_LATE = 0.12
_CAUSES = ("电气故障", "结构断裂", "燃气泄漏", "操作不当", "防护缺失")
_INSURED = ("P01", "P02", "P03", "P04", "P10")
_CLAIMS_PER_INJURY = 0.2
_GRAVE = frozenset({"I", "II"})


def _moment(day: np.datetime64, minutes: int) -> str:
    return str(day.astype("datetime64[D]").astype("datetime64[m]") + np.timedelta64(minutes, "m")).replace("T", " ")


def _maker(scene: Scene, product: int, rng: np.random.Generator) -> str:
    first, last = scene.enterprises.first[product], scene.enterprises.first[product + 1]
    return str(scene.enterprises.table["code"].iloc[int(first + rng.integers(0, min(6, last - first)))])


def _accident(
    scene: Scene, rng: np.random.Generator, number: int, *, product: int, region: str, day: np.datetime64, **harm: float
) -> dict[str, object]:
    """Fill in one report: it happened, somebody learned of it within the day, and reported within the hour or late."""
    happened = int(rng.integers(6 * 60, 21 * 60))
    learned = happened + int(rng.integers(5, 120))
    late = rng.random() < _LATE
    reported = learned + int(rng.integers(90, 900) if late else rng.integers(10, 58))
    return {
        "record_key": f"SG{number:06d}",
        "version": 1,
        "event_date": day,
        "known_on": day + np.timedelta64(1 + reported // 1440, "D"),
        "occurred_at": _moment(day, happened),
        "learned_at": _moment(day, learned),
        "reported_at": _moment(day, reported),
        "reporter": "enterprise",
        "product": scene.world.products["code"].iloc[product],
        "region": region,
        "producer": _maker(scene, product, rng),
        "batch_no": f"B{int(rng.integers(1000, 9999))}",
        "deaths": int(harm.get("deaths", 0)),
        "serious": int(harm.get("serious", 0)),
        "light": int(harm.get("light", 0)),
        "loss": float(harm.get("loss", 0.0)),
        "cause_preliminary": _CAUSES[int(rng.integers(0, len(_CAUSES)))],
        "cause_final": "",
        "measures": "停用、封存同批次产品",
        "exposed": int(rng.integers(0, 40)),
        "sold": float(rng.integers(50, 5000)),
        "report_no": 1,
        "first_report": "",
        "hazard_id": "",
    }


def simulate_accidents(scene: Scene, cards: pd.DataFrame) -> pd.DataFrame:
    """Draw accident reports: a few a year without a hazard, one for most deaths by a hazard, and one large accident of a single firm.

    Parameters
    ----------
    cards : DataFrame
        Simulated injury cards: deaths of hazards are told once more by the firm, a day off at most, as they would be.
    """
    world, axis = scene.world, scene.axis
    rng = random_stream(scene.seed, "accidents")
    rows: list[dict[str, object]] = []
    for at in np.flatnonzero(rng.random(axis.size) < _A_YEAR / 365.25 * min(scene.scale, 1.0)):
        harm = {"serious": rng.integers(0, 3), "light": rng.integers(0, 4), "loss": np.round(rng.lognormal(10.5, 1.2), -2)}
        county = str(world.counties["code"].iloc[int(rng.integers(0, len(world.counties)))])
        rows.append(
            _accident(
                scene, rng, len(rows) + 1, product=int(rng.integers(0, len(world.products))), region=county, day=axis.days[at], **harm
            )
        )
    place = {str(code): number for number, code in enumerate(world.products["code"])}
    dead = cards[(cards["version"] == 1) & (cards["outcome"] == "died") & (cards["hazard_id"] != "")]
    for card in dead.sort_values(["event_date", "record_key"], kind="stable").to_dict("records"):
        own = random_stream(scene.seed, "accidents", str(card["record_key"]))
        if own.random() < _REPORTED:
            day = np.datetime64(pd.Timestamp(card["event_date"]).date(), "D")
            harm = {"deaths": 1, "serious": own.integers(0, 3), "light": own.integers(0, 2), "loss": np.round(own.lognormal(12.0, 0.8), -2)}
            row = _accident(scene, own, len(rows) + 1, product=place[str(card["product"])], region=str(card["region"]), day=day, **harm)
            rows.append(row | {"hazard_id": str(card["hazard_id"])})
    if scene.hazards and axis.size > 60 and "P0306" in place:
        # A boiler of one firm: large by the seriously injured and the loss, alone of its kind.
        own = random_stream(scene.seed, "accidents", "single firm")
        region = str(world.counties["code"].iloc[len(world.counties) // 2])
        harm = {"deaths": 0, "serious": 11, "light": 6, "loss": 2_400_000.0}
        rows.append(_accident(scene, own, len(rows) + 1, product=place["P0306"], region=region, day=axis.days[-13], **harm))
    frame = pd.DataFrame(rows, columns=list(_accident(scene, rng, 0, product=0, region="", day=axis.days[0])))
    return _known(frame, scene)


def _known(frame: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    for name in ("event_date", "known_on"):
        frame[name] = frame[name].astype("datetime64[s]")
    frame = frame[frame["known_on"] <= scene.axis.days[-1]]
    return frame.sort_values(["known_on", "record_key"], kind="stable", ignore_index=True)


def _after(hazard: Hazard, days: int) -> np.datetime64:
    return np.datetime64(hazard.start + dt.timedelta(days=days), "D")


RECALL_COLUMNS = (
    "record_key", "version", "event_date", "known_on", "product", "region", "producer", "models", "affected", "defect", "hazard", "remedy",
    "ends_on", "completion", "hazard_id",
)  # fmt: skip


def simulate_recalls(scene: Scene) -> pd.DataFrame:
    """Draw recalls: of grave hazards and of some ordinary defects; progress reports are new versions, the last says that it is complete."""
    world, axis = scene.world, scene.axis
    rng = random_stream(scene.seed, "recalls")
    leaves = world.products["code"].to_numpy(dtype=object)
    days = axis.days[np.flatnonzero(rng.random(axis.size) < 7.0 / 365.25)]
    lasting = rng.integers(120, 260, days.size).astype("timedelta64[D]")
    begun: list[tuple[str, int, np.datetime64, np.datetime64 | None]] = [
        ("", int(leaf), day, day + span) for leaf, day, span in zip(rng.integers(0, leaves.size, days.size), days, lasting, strict=True)
    ]
    for hazard in scene.hazards:
        if hazard.kind == "hazard" and hazard.grade_expected in {"I", "II", "III"} and hazard.in_injuries:
            done = None if hazard.end is None else np.datetime64(hazard.end + dt.timedelta(days=75), "D")
            begun += [
                (hazard.hazard_id, int(leaf), _after(hazard, 28), done) for leaf in np.flatnonzero(world.product_mask(hazard.products))
            ]
    rows: list[dict[str, object]] = []
    for number, (cause, leaf, first, last) in enumerate(begun, start=1):
        own = random_stream(scene.seed, "recalls", str(number), cause)
        affected = float(np.round(own.lognormal(8.0, 1.0), 0))
        end = first + np.timedelta64(200, "D") if last is None else max(last, first + np.timedelta64(60, "D"))
        steps = np.arange(first, end, np.timedelta64(90, "D"))
        reports = [
            (day, float(np.round(0.9 * ((day - first) / np.timedelta64(1, "D")) / ((end - first) / np.timedelta64(1, "D")), 2)))
            for day in steps
        ] + [(end, 1.0 if last is not None else 0.9)]
        for version, (day, completion) in enumerate(reports, start=1):
            rows.append(
                {
                    "record_key": f"ZH{number:05d}",
                    "version": version,
                    "event_date": first,
                    "known_on": day + np.timedelta64(1, "D"),
                    "product": leaves[leaf],
                    "region": str(world.counties["province"].iloc[0]),
                    "producer": _maker(scene, leaf, random_stream(scene.seed, "recalls", "maker", str(number))),
                    "models": f"M-{number:03d}",
                    "affected": affected,
                    "defect": "模拟缺陷",
                    "hazard": "",
                    "remedy": "免费更换或退货",
                    "ends_on": end.astype("datetime64[s]"),
                    "completion": completion,
                    "hazard_id": cause,
                }
            )
    return _known(pd.DataFrame(rows, columns=list(RECALL_COLUMNS)), scene)  # a short quiet time may have none


def simulate_claims(scene: Scene) -> pd.DataFrame:
    """Draw what an insurer tells each month: claims and policy-years by product; a hazard that hurts people brings claims."""
    world, axis = scene.world, scene.axis
    rows = []
    months = axis.month
    ends = np.flatnonzero(np.append(np.diff(months) > 0, True))
    for position in np.flatnonzero(world.products["parent"].isin(_INSURED).to_numpy()):
        rng = random_stream(scene.seed, "claims", str(world.products["code"].iloc[position]))
        policy = np.round(rng.lognormal(9.0, 0.5) * scene.scale * np.exp(0.04 * axis.years[ends]) / 12.0 + 1.0)
        usual = policy * rng.gamma(6.0, 1 / 6.0) * 0.004
        added = np.zeros(axis.size)
        for hazard in scene.hazards:
            if hazard.kind == "hazard" and hazard.in_injuries and world.product_mask(hazard.products)[position]:
                share = world.shares(0.0)[world.county_mask(hazard.regions)].sum()
                added += daily_rate(scene, int(position)) * (relative_risk(hazard, axis) - 1.0) * share * _CLAIMS_PER_INJURY
        monthly = np.add.reduceat(added, np.concatenate([[0], ends[:-1] + 1]))
        claims = np.minimum(rng.poisson(usual + monthly), policy).astype(np.int64)
        for number, end in enumerate(ends.tolist()):
            rows.append(
                {
                    "record_key": f"BX{world.products['code'].iloc[position]}-{axis.days[end].astype('datetime64[M]')}",
                    "version": 1,
                    "event_date": axis.days[end],
                    "known_on": axis.days[end] + np.timedelta64(12, "D"),
                    "product": world.products["code"].iloc[position],
                    "region": str(world.counties["province"].iloc[0]),
                    "claims": int(claims[number]),
                    "paid": float(np.round(claims[number] * rng.lognormal(7.5, 0.5), 0)),
                    "policy_years": float(policy[number]),
                    "cause": "",
                    "hazard_id": "",
                }
            )
    return _known(pd.DataFrame(rows), scene)


def simulate_media(scene: Scene) -> pd.DataFrame:
    """Draw media reports: a thin stream about anything, and an echo of grave hazards that comes late and loud."""
    world, axis = scene.world, scene.axis
    rng = random_stream(scene.seed, "media")
    outlets = ("press", "television", "online", "social", "self-media")
    days = np.repeat(np.arange(axis.size), rng.poisson(2.0 / 7.0, axis.size))
    events = [
        ("", int(day), int(leaf), int(size))
        for day, leaf, size in zip(days, rng.integers(0, len(world.products), days.size), 1 + rng.poisson(0.6, days.size), strict=True)
    ]
    for hazard in scene.hazards:
        if hazard.kind == "hazard" and hazard.grade_expected in _GRAVE:
            own = random_stream(scene.seed, "media", hazard.hazard_id)
            leaves = np.flatnonzero(world.product_mask(hazard.products))
            echo = axis.position(hazard.start) + 14 + own.integers(0, 35, own.poisson(9))
            events += [(hazard.hazard_id, int(day), int(leaves[own.integers(0, leaves.size)]), int(2 + own.poisson(3))) for day in echo]
    rows = []
    for number, (cause, day, leaf, size) in enumerate(events, start=1):
        if 0 <= day < axis.size:
            rows.append(
                {
                    "record_key": f"YQ{number:06d}",
                    "version": 1,
                    "event_date": axis.days[day],
                    "known_on": axis.days[day],
                    "product": world.products["code"].iloc[leaf],
                    "region": str(world.counties["province"].iloc[0]),
                    "outlet": outlets[number % len(outlets)],
                    "topic": "产品伤害" if cause else "质量话题",
                    "reports": size,
                    "hazard_id": cause,
                }
            )
    return _known(pd.DataFrame(rows), scene)
