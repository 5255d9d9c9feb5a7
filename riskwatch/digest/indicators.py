"""Which quality indicators a digest speaks of: those that changed, those whose target is at risk, those whose figures have stopped.

Names come from configuration and figures are numbers: no text of a record passes.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from riskwatch.digest.model import IndicatorLine, IndicatorSection, Place, Text
from riskwatch.digest.names import Namer
from riskwatch.digest.privacy import scrub
from riskwatch.indicators.comparison import NATION
from riskwatch.indicators.rules import IndicatorCatalogue

__all__ = ["IndicatorInputs", "indicator_section"]

Why = Literal["worse", "better", "changed", "at-risk", "lost"]
Row = Mapping[Hashable, Any]
# What asks for something comes first.
_RANK: dict[Why, int] = {"worse": 0, "at-risk": 1, "lost": 2, "changed": 3, "better": 4}
_NEWS: dict[str, Why] = {"worse": "worse", "better": "better", "rise": "changed", "fall": "changed"}


@dataclass(frozen=True, slots=True, eq=False)
class IndicatorInputs:
    """Indicators as they stand on the day, all regions.

    Attributes
    ----------
    overview : DataFrame
        ``indicators.overview.OVERVIEW_COLUMNS``.
    targets : DataFrame
        ``indicators.attainment.TARGET_COLUMNS``.
    catalogue : IndicatorCatalogue
        Names, units, and how much is said.
    """

    overview: pd.DataFrame
    targets: pd.DataFrame
    catalogue: IndicatorCatalogue


def indicator_section(inputs: IndicatorInputs, *, as_of: dt.date, namer: Namer, jurisdiction: str) -> IndicatorSection | None:
    """Return the section of one centre; None where there is no figure of its region.

    A line is about the centre's own region; a series that has stopped is told of regions within it too. One indicator and region has one
    line, however many reasons there are for it.
    """
    frame, methods = inputs.overview, inputs.catalogue.methods
    own = [row for row in frame.to_dict("records") if row["region"] == jurisdiction or (not jurisdiction and row["region"] != NATION)]
    if not own:
        return None
    targets = [row for row in inputs.targets.to_dict("records") if row["region"] in {str(item["region"]) for item in own}]
    at_risk = {(str(row["indicator"]), str(row["region"])): row for row in targets if row["risk"] == "at-risk"}
    inside = [
        row for row in frame.to_dict("records") if row["region"] != NATION and namer.relation(str(row["region"]), jurisdiction) == "inside"
    ]
    lost = [row for row in inside if row["lost"]]
    since = pd.Timestamp(as_of) - pd.Timedelta(days=methods.recent_days)
    found: list[tuple[Why, Row]] = [
        (_NEWS[str(row["judgement"])], row)
        for row in own
        if not row["derived"] and row["judgement"] in _NEWS and pd.Timestamp(row["known_at"]) > since and not row["lost"]
    ]
    found += [("at-risk", row) for row in own if row["period_type"] == "year" and (str(row["indicator"]), str(row["region"])) in at_risk]
    found += [("lost", row) for row in lost]
    order = {code: place for place, code in enumerate(inputs.catalogue.indicators)}
    found.sort(key=lambda item: (_RANK[item[0]], order[str(item[1]["indicator"])], str(item[1]["region"]), str(item[1]["period_type"])))
    chosen: dict[tuple[str, str], tuple[Why, Row]] = {}
    for why, row in found:
        chosen.setdefault((str(row["indicator"]), str(row["region"])), (why, row))
    wider = _wider(frame, namer, jurisdiction)
    lines = [
        _line(why, row, inputs.catalogue, at_risk.get(key), wider=wider, namer=namer, jurisdiction=jurisdiction)
        for key, (why, row) in chosen.items()
    ]
    scored = [row for row in targets if row["kind"] == "q" and row["state"] != "unknown"]
    return IndicatorSection(
        lines=tuple(lines[: methods.digest_lines]),
        more=max(0, len(lines) - methods.digest_lines),
        recent_days=methods.recent_days,
        indicators=len({str(row["indicator"]) for row in own}),
        targets_scored=len(scored),
        targets_met=sum(row["state"] in {"attained", "reached"} and row["risk"] != "lost" for row in scored),
        targets_at_risk=sum(row["risk"] == "at-risk" for row in targets),
        lost=len({(str(row["indicator"]), str(row["region"])) for row in lost}),
    )


def _wider(frame: pd.DataFrame, namer: Namer, jurisdiction: str) -> dict[tuple[str, str, str], tuple[str, float]]:
    """Return region and value of the nearest wider region, the nation aside, by indicator, length of period and period."""
    around = [
        str(code)
        for code in frame["region"].unique()
        if code not in {NATION, jurisdiction} and namer.relation(str(code), jurisdiction) == "wider"
    ]
    nearest = min(around, key=lambda code: (namer.distance(code, jurisdiction) or 0, code), default=None)
    rows = frame.loc[(frame["region"] == nearest).to_numpy()] if nearest is not None else frame.iloc[:0]
    return {
        (str(row["indicator"]), str(row["period_type"]), str(row["period"])): (str(nearest), float(row["value"]))
        for row in rows.to_dict("records")
    }


def _line(
    why: Why,
    row: Row,
    catalogue: IndicatorCatalogue,
    risk: Row | None,
    *,
    wider: Mapping[tuple[str, str, str], tuple[str, float]],
    namer: Namer,
    jurisdiction: str,
) -> IndicatorLine:
    code, region = str(row["indicator"]), str(row["region"])
    definition = catalogue.indicators[code]
    target = None if risk is None else catalogue.all_targets[str(risk["target"])]
    beside = wider.get((code, str(row["period_type"]), str(row["period"]))) if region == jurisdiction else None
    place = namer.place(region, jurisdiction)
    return IndicatorLine(
        why=why,
        code=code,
        name=_text(definition.label.zh, definition.label.en),
        place=place or Place(code=region, name=namer.region(region), relation="inside"),
        period=str(row["period"]),
        preliminary=row["status"] == "preliminary",
        unit=_text(definition.unit.zh, definition.unit.en),
        decimals=definition.decimals,
        value=float(row["value"]),
        lower=_figure(row["lower"]),
        upper=_figure(row["upper"]),
        year=_figure(row["year"]),
        year_verdict=str(row["year_verdict"]),
        national=_figure(row["national"]),
        national_verdict=str(row["national_verdict"]),
        wider=None if beside is None else _figure(float(row["value"]) - beside[1]),
        wider_name=None if beside is None else namer.region(beside[0]),
        target="" if risk is None else str(risk["target"]),
        op="" if target is None else target.op or "",
        asked=None if target is None else target.value,
        target_year=None if target is None else target.year,
        chance=None if risk is None else _figure(risk["chance"]),
        missing_since=str(row["missing_since"]) if row["lost"] else "",
    )


def _text(zh: str, en: str) -> Text:
    return Text(zh=scrub(zh, limit=80), en=scrub(en, limit=80))


def _figure(value: float) -> float | None:
    return float(f"{value:.9g}") if math.isfinite(value) else None
