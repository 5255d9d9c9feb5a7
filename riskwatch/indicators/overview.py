"""One line for each indicator, region and length of period: the newest value, what it is compared with, and whether the series was lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from riskwatch.indicators.comparison import compare
from riskwatch.indicators.periods import labels, last_day
from riskwatch.indicators.rules import Band, BandScheme, IndicatorCatalogue

__all__ = ["OVERVIEW_COLUMNS", "band_of", "overview"]

_COMPARED = [
    f"{name}{suffix}" for name in ("year", "previous", "national") for suffix in ("_base", "", "_lower", "_upper", "_verdict")
]  # fmt: skip
OVERVIEW_COLUMNS = [
    "indicator", "domain", "region", "period_type", "period", "event_date", "value", "lower", "upper", "error", "n", "method", "status",
    "flag", "source", "known_at", "derived", *_COMPARED, "national_source", "judgement", "lost", "missing_since",
]  # fmt: skip


def band_of(value: float, scheme: BandScheme) -> Band | None:
    """Return the band that a value lies in; None below the lowest."""
    found = [band for band in scheme.bands if value >= band.low]
    return found[-1] if found else None


def overview(values: pd.DataFrame, catalogue: IndicatorCatalogue, *, as_of: dt.date) -> pd.DataFrame:
    """Return the newest value of each series with its comparisons.

    Parameters
    ----------
    values : DataFrame
        From :func:`riskwatch.indicators.values.prepare`: all periods known on the day.
    catalogue : IndicatorCatalogue
        ``config/indicators.yaml``.
    as_of : date

    Returns
    -------
    DataFrame
        :data:`OVERVIEW_COLUMNS`, in the order of the definitions, then by region and length of period. ``derived``: worked out from this
        system's records. ``judgement``: "better", "worse", "unchanged", "no-interval" or "", of the change on last year, by the
        direction of the indicator ("rise" and "fall" where neither way is better). ``lost``: the figure due next has been missing for
        longer than ``methods.lost_after``; ``missing_since`` names its period.
    """
    compared = compare(values, catalogue.indicators)
    if compared.empty:
        return pd.DataFrame(columns=OVERVIEW_COLUMNS)
    newest = compared.drop_duplicates(["indicator", "region", "period_type"], keep="last").reset_index(drop=True)
    order = {code: place for place, code in enumerate(catalogue.indicators)}
    lengths = {name: place for place, name in enumerate(("year", "half", "quarter", "month"))}
    newest["domain"] = [catalogue.indicators[str(code)].domain for code in newest["indicator"]]
    newest["derived"] = [catalogue.indicators[str(code)].form.kind == "derived" for code in newest["indicator"]]
    direction = {code: indicator.direction for code, indicator in catalogue.indicators.items()}
    newest["judgement"] = _judgement(newest["year_verdict"], newest["indicator"].map(direction))
    newest["lost"], newest["missing_since"] = _lost(newest, catalogue, as_of)
    ranked = newest.assign(_order=newest["indicator"].map(order), _length=newest["period_type"].map(lengths))
    return ranked.sort_values(["_order", "region", "_length"], kind="stable", ignore_index=True)[OVERVIEW_COLUMNS]


def _judgement(verdict: pd.Series, direction: pd.Series) -> list[str]:
    words: Mapping[tuple[str, str], str] = {
        ("rise", "higher"): "better",
        ("fall", "higher"): "worse",
        ("rise", "lower"): "worse",
        ("fall", "lower"): "better",
    }
    return [words.get((str(word), str(way)), str(word)) for word, way in zip(verdict, direction, strict=True)]


def _lost(newest: pd.DataFrame, catalogue: IndicatorCatalogue, as_of: dt.date) -> tuple[list[bool], list[str]]:
    due = newest["number"].to_numpy(dtype=np.int64) + 1
    lost = [
        not derived and (as_of - last_day(number, kind)).days > catalogue.methods.lost_after[kind]
        for number, kind, derived in zip(due.tolist(), newest["period_type"], newest["derived"], strict=True)
    ]
    return lost, [name if gone else "" for name, gone in zip(labels(due, newest["period_type"]), lost, strict=True)]
