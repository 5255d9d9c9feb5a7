"""What a report is made from: one frame for each part, with where it comes from, or the reason why it is missing."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from riskwatch.digest.inputs import Trees
from riskwatch.errors import RiskwatchError
from riskwatch.reports.model import Text
from riskwatch.reports.rules import ReportRules

__all__ = ["COLUMNS", "Geometry", "Input", "Missing", "Origin", "ReportInputs", "ReportPeriod"]

_RATES = ("code", "inspected", "failed", "producers", "raw", "rate", "lower", "upper", "borrowed")
_CHANGE = ("code", "raw_change", "change", "change_lower", "change_upper", "mix", "q_value")

COLUMNS: dict[str, tuple[str, ...]] = {
    "sources": ("source", "name_zh", "name_en", "stream", "records", "in_period", "newest_event", "newest_known", "state", "quarantine"),
    "strata": ("check_type", "selection", "channel", "inspected", "failed", "rate", "lower", "upper"),
    "overall": (
        "period",
        "inspected",
        "failed",
        "producers",
        "rate",
        "lower",
        "upper",
        "standardised",
        "change",
        "change_lower",
        "change_upper",
        "mix",
        "within",
        "within_lower",
        "within_upper",
    ),
    "rates_region": _RATES,
    "rates_product": _RATES,
    "rates_industry": _RATES,
    "change_region": _CHANGE,
    "change_product": _CHANGE,
    "change_industry": _CHANGE,
    "funnel": ("code", "inspected", "failed", "rate", "centre", "z", "z_adjusted", "p_value"),
    "scorecard": (
        "region",
        "inspected",
        "rate",
        "rate_lower",
        "rate_upper",
        "position",
        "coverage",
        "orders",
        "due",
        "closure",
        "closure_lower",
        "closure_upper",
        "comparable",
        "flags",
    ),
    "items": ("item", "hazard", "failing", "share", "lower", "upper", "products", "new"),
    "standard_effect": ("product", "item", "standard", "effective_from", "failed_new", "would_pass_old"),
    "enterprises": ("group", "enterprises"),
    "closure": ("region", "orders", "due", "closed_in_time", "share", "lower", "upper"),
    "coverage_region": ("code", "cells", "covered", "share"),
    "coverage_product": ("code", "cells", "covered", "share"),
    "coverage_cells": ("product", "region", "samples"),
    "gaps": ("product", "region", "weight", "last_sampled"),
    "sampling": ("product", "region", "n", "minimum", "expected_failures", "rate", "lower", "upper", "inspected", "reason_zh", "reason_en"),
    "trends": (
        "kind",
        "code",
        "slope_percent_per_year",
        "lower",
        "upper",
        "q_value",
        "level_now",
        "forecast",
        "forecast_lower",
        "forecast_upper",
        "threshold",
        "probability",
    ),
    "trend_series": ("period_start", "observed", "fitted", "forecast", "lower", "upper"),
    "anomalies": ("kind", "product", "region", "score", "q_value", "drivers_zh", "drivers_en"),
    "indicators": (
        "indicator",
        "region",
        "period",
        "value",
        "lower",
        "upper",
        "yoy",
        "yoy_lower",
        "yoy_upper",
        "mom",
        "national_difference",
        "target",
        "gap",
        "attained",
        "probability",
    ),
    "laboratories": ("laboratory", "odds_ratio", "lower", "upper", "n"),
    "injuries": ("code", "count", "last_year", "ratio", "lower", "upper"),
    "notices": ("system", "notices", "last_year"),
    "warnings": (
        "warning_id",
        "grade",
        "state",
        "scope",
        "kind",
        "code",
        "region",
        "hazard",
        "first_seen",
        "last_changed",
        "observed",
        "exposure",
        "expected",
        "lower",
        "upper",
        "model",
        "stratum",
        "period_start",
        "period_end",
        "persons",
    ),
    "events": ("warning_id", "as_of", "kind", "grade_before", "grade_after"),
    "actions": (
        "warning_id",
        "object",
        "stage",
        "measure_zh",
        "measure_en",
        "owner_zh",
        "owner_en",
        "due_on",
        "law_zh",
        "law_en",
        "verified",
    ),
    "outlook": ("date", "kind", "name_zh", "name_en"),
}
"""Input -> columns that its frame must have."""


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a frame come from.

    Attributes
    ----------
    room : str
        The function that computed them, dotted: ``riskwatch.rates.standardise``.
    method : Text
        Formula or method in words.
    stream : str
        Stream of the records.
    records : int
        How many records they rest on.
    filters : mapping of str to str
        How the records were chosen: ``{"selection": "random"}``.
    first, last : date or None
        First and last day of the records.
    parameters : mapping of str to str
        Configuration path -> value.
    """

    room: str
    method: Text
    stream: str = ""
    records: int = 0
    filters: Mapping[str, str] = field(default_factory=dict)
    first: dt.date | None = None
    last: dt.date | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Input:
    """A frame and its origin."""

    frame: pd.DataFrame
    origin: Origin


@dataclass(frozen=True)
class Missing:
    """A part that is not there, and why; the report prints the reason instead of an empty heading."""

    reason: Text


NOT_COMPUTED = Missing(Text(zh="本期未计算该项", en="it was not computed for this period"))


@dataclass(frozen=True)
class ReportPeriod:
    """The period reported on.

    Attributes
    ----------
    key : str
        ``2025-11``, ``2025Q4`` or ``2025``.
    kind : str
        ``month``, ``quarter`` or ``year``.
    first, last : date
        Inclusive.
    name : Text
    """

    key: str
    kind: str
    first: dt.date
    last: dt.date
    name: Text


@dataclass(frozen=True, eq=False)
class Geometry:
    """Outlines of one level of regions: a parsed GeoJSON feature collection and the property that holds the code."""

    level: str
    features: tuple[Mapping[str, object], ...]
    code_property: str


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Everything a report is built from. Every frame may be missing; see :data:`COLUMNS` for the columns of each.

    Attributes
    ----------
    period : ReportPeriod
    region : str
        Jurisdiction; "" for everything.
    as_of : date
        The day as which the records were read.
    trees : Trees
    rules : ReportRules
        ``config/report.yaml``.
    project : Text
        Name of the project.
    version, definitions : str
        Version of the program, and a hash of the definitions in force.
    simulated : bool
        Stands on every page if true.
    grades : mapping of str to Text
        Words for the levels.
    hazards : mapping of str to Text
        Words for the hazard classes.
    indicator_names, indicator_units : mapping
        Indicator code -> words and unit.
    geometries : tuple of Geometry
        Outlines by level; a level without outlines gets the interval plot alone.
    """

    period: ReportPeriod
    region: str
    as_of: dt.date
    trees: Trees
    rules: ReportRules
    project: Text
    version: str = ""
    definitions: str = ""
    simulated: bool = False
    grades: Mapping[str, Text] = field(default_factory=dict)
    hazards: Mapping[str, Text] = field(default_factory=dict)
    indicator_names: Mapping[str, Text] = field(default_factory=dict)
    indicator_units: Mapping[str, str] = field(default_factory=dict)
    indicator_lower_is_better: frozenset[str] = frozenset()
    geometries: tuple[Geometry, ...] = ()
    sources: Input | Missing = NOT_COMPUTED
    strata: Input | Missing = NOT_COMPUTED
    overall: Input | Missing = NOT_COMPUTED
    rates_region: Input | Missing = NOT_COMPUTED
    rates_product: Input | Missing = NOT_COMPUTED
    rates_industry: Input | Missing = NOT_COMPUTED
    change_region: Input | Missing = NOT_COMPUTED
    change_product: Input | Missing = NOT_COMPUTED
    change_industry: Input | Missing = NOT_COMPUTED
    funnel: Input | Missing = NOT_COMPUTED
    scorecard: Input | Missing = NOT_COMPUTED
    items: Input | Missing = NOT_COMPUTED
    standard_effect: Input | Missing = NOT_COMPUTED
    enterprises: Input | Missing = NOT_COMPUTED
    closure: Input | Missing = NOT_COMPUTED
    coverage_region: Input | Missing = NOT_COMPUTED
    coverage_product: Input | Missing = NOT_COMPUTED
    coverage_cells: Input | Missing = NOT_COMPUTED
    gaps: Input | Missing = NOT_COMPUTED
    sampling: Input | Missing = NOT_COMPUTED
    trends: Input | Missing = NOT_COMPUTED
    trend_series: Input | Missing = NOT_COMPUTED
    anomalies: Input | Missing = NOT_COMPUTED
    indicators: Input | Missing = NOT_COMPUTED
    laboratories: Input | Missing = NOT_COMPUTED
    injuries: Input | Missing = NOT_COMPUTED
    notices: Input | Missing = NOT_COMPUTED
    warnings: Input | Missing = NOT_COMPUTED
    events: Input | Missing = NOT_COMPUTED
    actions: Input | Missing = NOT_COMPUTED
    outlook: Input | Missing = NOT_COMPUTED

    def __post_init__(self) -> None:
        """Refuse a frame that lacks columns: a section would fall silent otherwise.

        Raises
        ------
        RiskwatchError
            Naming the input and all columns missing.
        """
        for entry in dataclasses.fields(self):
            found = getattr(self, entry.name)
            if isinstance(found, Input):
                lacking = [name for name in COLUMNS[entry.name] if name not in found.frame.columns]
                if lacking:
                    raise RiskwatchError(
                        f"report input {entry.name}: columns must include {', '.join(COLUMNS[entry.name])}; missing: {', '.join(lacking)}"
                    )
