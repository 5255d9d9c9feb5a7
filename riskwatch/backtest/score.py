"""What the warnings of a replay were worth: how many, for whom, how early, how right, at what cost. Pure functions of frames."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from riskwatch.assessment.protocols import TreePaths
from riskwatch.backtest.hazards import KnownHazard
from riskwatch.backtest.rules import BacktestRules
from riskwatch.indicators.values import binomial_interval

__all__ = ["BY", "FIGURES", "HAZARDS", "LIVES", "Ground", "hazard_table", "lives_table", "score_table", "weeks_table"]

GRADES = ("IV", "III", "II", "I")
LIVES = (
    "warning_id", "kind", "code", "name_zh", "name_en", "region", "place_zh", "place_en", "first_day", "last_day", "days", "grade_first",
    "grade", "scope", "hazard", "models", "source_types", "worsened", "from_start", "alone", "delay_days", "closed_as", "minutes",
    "stated", "centres",
)  # fmt: skip
"""One row per warning: see :func:`lives_table`."""
BY = ("all", "centre", "model", "grade", "product")
FIGURES = ("by", "value", "opened", "per_week", "judged_alone", "alone", "alone_share", "delay_median", "closed", "right", "precision",
           "precision_low", "precision_high", "minutes_per_week")  # fmt: skip
HAZARDS = ("hazard", "products", "regions", "start", "end", "official", "warned", "after_start_days", "lead_days", "grade", "warning_id")


@dataclass(frozen=True)
class Ground:
    """What a score rests on beside the replay.

    Attributes
    ----------
    paths : mapping of str to TreePaths
        ``product``, ``region``.
    centres : mapping of str to str
        Centre -> region.
    acted : collection of str
        Warnings that a person acted on.
    closures : mapping of str to str
        Warning -> how its reason counts: "true", "false" or "none".
    rules : BacktestRules
    """

    paths: Mapping[str, TreePaths]
    centres: Mapping[str, str]
    acted: Collection[str]
    closures: Mapping[str, str]
    rules: BacktestRules


def lives_table(standing: pd.DataFrame, events: pd.DataFrame, days: Sequence[dt.date], ground: Ground) -> pd.DataFrame:
    """Return one row per warning that ever stood by itself at a warning level.

    Parameters
    ----------
    standing : pandas.DataFrame
        :data:`riskwatch.backtest.lives.STANDING`.
    events : pandas.DataFrame
        ``warning_id, day, kind``: changes.
    days : sequence of date
        Days replayed.
    ground : Ground

    Returns
    -------
    pandas.DataFrame
        :data:`LIVES`. ``first_day``, ``last_day``: first and last run day on which it stood; ``days`` how many. ``grade``: the highest
        it reached. ``from_start``: it stood on the first day already, and is no opening of the replay. ``alone``: never a second type of
        source spoke for it, and nobody acted on it; None where it was opened less than ``settle_days`` before the end.
        ``delay_days``: from the first of the run days in a row on which one of its series was in alarm to its opening; NaN where it
        rests on events alone. ``closed_as``: how its closure counts, "" without. ``minutes``: officer-minutes. ``stated``: the confidence
        stated at its opening, 1 - q of its strongest evidence; NaN without.
    """
    rows = []
    last = days[-1] if days else None
    worse = events.loc[events["kind"] == "worsened"].groupby("warning_id")["day"].apply(list).to_dict() if len(events) else {}
    for name, group in standing.groupby("warning_id", sort=True):
        first_row, last_row = group.iloc[0], group.iloc[-1]
        types = sorted({one for listed in group["source_types"] for one in listed})
        opened = first_row["day"]
        from_start = opened == days[0]
        settled = last is not None and (last - opened).days >= ground.rules.settle_days
        level = group.set_index("day")["grade"]
        risen = [day for day in worse.get(name, ()) if day > opened and day in level.index]
        cost = ground.rules.minutes
        minutes = 0.0 if from_start or first_row["grade"] not in cost else cost[first_row["grade"]].opened
        minutes += math.fsum(cost[level[day]].worsened for day in risen if level[day] in cost)
        rows.append(
            {
                "warning_id": name,
                **{
                    key: last_row[key]
                    for key in ("kind", "code", "name_zh", "name_en", "region", "place_zh", "place_en", "scope", "hazard")
                },
                "first_day": opened,
                "last_day": last_row["day"],
                "days": len(group),
                "grade_first": first_row["grade"],
                "grade": max(group["grade"], key=GRADES.index),
                "models": tuple(sorted({one for listed in group["models"] for one in listed})) or ("events",),
                "source_types": tuple(types),
                "worsened": len(risen),
                "from_start": from_start,
                "alone": (len(types) <= 1 and name not in ground.acted) if settled else None,
                "delay_days": math.nan if first_row["alarm_since"] is None else float((opened - first_row["alarm_since"]).days),
                "closed_as": ground.closures.get(str(name), ""),
                "minutes": minutes,
                "stated": math.nan if first_row["q_value"] is None else 1.0 - float(first_row["q_value"]),
                "centres": _centres(first_row, ground),
            }
        )
    return pd.DataFrame(rows, columns=list(LIVES))


def _centres(row: pd.Series, ground: Ground) -> tuple[str, ...]:
    """Return the centres in whose jurisdiction a warning's place lies, or whose jurisdiction lies in it."""
    regions = ground.paths["region"]
    place = str(row["region"])
    return tuple(
        name
        for name, region in ground.centres.items()
        if not place or not region or regions.within(place, region) or regions.within(region, place)
    )


def score_table(lives: pd.DataFrame, days: Sequence[dt.date], ground: Ground, by: Sequence[str] = BY) -> pd.DataFrame:
    """Return the figures of the replay, in all and by centre, model, grade and product.

    A warning of several centres or models counts for each of them. Openings on the first day are not counted: everything that had been
    going on is new on it.

    Returns
    -------
    pandas.DataFrame
        :data:`FIGURES`; ``per_week`` and ``minutes_per_week`` over the weeks from the first to the last day.
    """
    weeks = max((days[-1] - days[0]).days / 7.0, 1.0) if len(days) > 1 else math.nan
    found = []
    for name in by:
        groups = _groups(lives, name)
        found += [{"by": name, "value": value, **_figures(part, weeks, ground.rules)} for value, part in groups]
    return pd.DataFrame(found, columns=list(FIGURES))


def _groups(lives: pd.DataFrame, by: str) -> list[tuple[str, pd.DataFrame]]:
    if by == "all":
        return [("all", lives)]
    column = {"centre": "centres", "model": "models", "grade": "grade", "product": "code"}[by]
    part = lives if by != "product" else lives[lives["kind"] == "product"]
    longer = part.explode(column) if by in {"centre", "model"} else part
    return [(str(value), group) for value, group in longer.groupby(column, sort=True)]


def _figures(part: pd.DataFrame, weeks: float, rules: BacktestRules) -> dict[str, object]:
    opened = part[~part["from_start"].astype(bool)]
    told = opened[opened["alone"].notna()]
    alone = int(told["alone"].astype(bool).sum())
    counted = part[part["closed_as"].isin(["true", "false"])]
    right = int((counted["closed_as"] == "true").sum())
    low, high = binomial_interval(np.array([right], float), np.array([len(counted)], float), level=rules.interval)
    delays = opened["delay_days"].dropna()
    judged = bool(len(counted))
    return {
        "opened": len(opened),
        "per_week": len(opened) / weeks,
        "judged_alone": len(told),
        "alone": alone,
        "alone_share": alone / len(told) if len(told) else math.nan,
        "delay_median": float(delays.median()) if len(delays) else math.nan,
        "closed": int((part["closed_as"] != "").sum()),
        "right": right,
        "precision": right / len(counted) if judged else math.nan,
        "precision_low": float(low[0]) if judged else math.nan,
        "precision_high": float(high[0]) if judged else math.nan,
        "minutes_per_week": math.fsum(part["minutes"]) / weeks,
    }


def weeks_table(lives: pd.DataFrame, days: Sequence[dt.date]) -> pd.DataFrame:
    """Return openings by week (its Monday) and highest grade: ``week, grade, opened``; every week from the first to the last day."""
    if not days:
        return pd.DataFrame(columns=["week", "grade", "opened"])
    first, last = (day - dt.timedelta(days=day.weekday()) for day in (days[0], days[-1]))
    every = [first + dt.timedelta(days=7 * number) for number in range((last - first).days // 7 + 1)]
    opened = lives[~lives["from_start"].astype(bool)]
    counts: dict[tuple[dt.date, str], int] = {}
    for day, grade in zip(opened["first_day"], opened["grade"], strict=True):
        key = (day - dt.timedelta(days=day.weekday()), grade)
        counts[key] = counts.get(key, 0) + 1
    rows = [(week, grade, counts.get((week, grade), 0)) for week in every for grade in GRADES]
    return pd.DataFrame(rows, columns=["week", "grade", "opened"])


def hazard_table(standing: pd.DataFrame, hazards: Sequence[KnownHazard], days: Sequence[dt.date], ground: Ground) -> pd.DataFrame:
    """Return when each known hazard was first warned of.

    A warning is about a hazard if it names one of its products, their category or a product of theirs, in a place that lies in a region
    of the hazard or holds one; it must have been opened, or have got worse, on or after the hazard's start. Warnings that only list the
    cases of single firms are no news of a hazard.

    Returns
    -------
    pandas.DataFrame
        :data:`HAZARDS`, of hazards with a run day on or after their start and before they were over. ``after_start_days``: from the start
        to the first such warning; ``lead_days``: from it to the official action, negative where it came later; NaN without.
    """
    rows = []
    for hazard in hazards:
        over = days[-1] if hazard.end is None else hazard.end + dt.timedelta(days=ground.rules.recent_days)
        if not any(hazard.start <= day <= over for day in days):
            continue
        found = _first(standing, hazard, over, ground)
        warned = None if found is None else found["day"]
        rows.append(
            {
                "hazard": hazard.name,
                "products": ";".join(hazard.products),
                "regions": ";".join(hazard.regions),
                "start": hazard.start,
                "end": hazard.end,
                "official": hazard.official,
                "warned": warned,
                "after_start_days": math.nan if warned is None else float((warned - hazard.start).days),
                "lead_days": math.nan if warned is None or hazard.official is None else float((hazard.official - warned).days),
                "grade": "" if found is None else found["grade"],
                "warning_id": "" if found is None else found["warning_id"],
            }
        )
    return pd.DataFrame(rows, columns=list(HAZARDS))


def _first(standing: pd.DataFrame, hazard: KnownHazard, over: dt.date, ground: Ground) -> dict[str, Any] | None:
    products, regions = ground.paths["product"], ground.paths["region"]

    def related(paths: TreePaths, one: str, other: str) -> bool:
        return bool(one) and bool(other) and (paths.within(one, other) or paths.within(other, one))

    part = standing[(standing["kind"] == "product") & ~standing["cases_only"].astype(bool)]
    pairs = set(zip(part["code"], part["region"], strict=True))
    mine = {
        (code, region)
        for code, region in pairs
        if any(related(products, code, one) for one in hazard.products)
        and (not hazard.regions or not region or any(related(regions, region, one) for one in hazard.regions))
    }
    news: set[str] = set()
    for row in part.to_dict("records"):
        if (row["code"], row["region"]) not in mine or not hazard.start <= row["day"] <= over:
            continue
        if row["opened"] >= hazard.start or row["state"] == "worsened":
            news.add(row["warning_id"])
        if row["warning_id"] in news:
            return {str(key): value for key, value in row.items()}
    return None
