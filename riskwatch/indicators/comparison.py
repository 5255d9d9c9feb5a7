"""Change on last year (同比) and on the period before (环比), and difference to the nation, each with its uncertainty.

The interval of a difference is put together from the two intervals (MOVER): for normal intervals that is the usual root of the sum of
squares, for Wilson's it is Newcombe's hybrid score interval. A change whose interval holds zero is called unchanged.

Sources
-------
Newcombe (1998), Statistics in Medicine 17(8), 873-890 (method 10); Zou & Donner (2008), Statistics in Medicine 27(10), 1693-1702.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.indicators.periods import PER_YEAR
from riskwatch.indicators.rules import Indicator

__all__ = ["NATION", "Estimate", "compare", "difference", "verdicts"]

FloatArray = npt.NDArray[np.float64]

NATION = "CN"
_SERIES = ["indicator", "region", "period_type"]


class Estimate(NamedTuple):
    """Values with their intervals; arrays of one shape."""

    value: FloatArray
    lower: FloatArray
    upper: FloatArray


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Return ``a - b`` with its interval from the intervals of two independent estimates; NaN where one has none."""
    gap = a.value - b.value
    lower = gap - np.hypot(a.value - a.lower, b.upper - b.value)
    return Estimate(gap, lower, gap + np.hypot(a.upper - a.value, b.value - b.lower))


def verdicts(change: FloatArray, lower: FloatArray, upper: FloatArray) -> npt.NDArray[np.object_]:
    """Say what a change is: "rise", "fall", "unchanged" (zero lies within its interval), "no-interval", or "" (nothing to compare)."""
    found = np.full(change.shape, "", dtype=object)
    known = np.isfinite(change)
    sure = known & np.isfinite(lower) & np.isfinite(upper)
    found[known & ~sure] = "no-interval"
    found[sure] = "unchanged"
    found[sure & (lower > 0)] = "rise"
    found[sure & (upper < 0)] = "fall"
    return found


def _against(values: pd.DataFrame, other: pd.DataFrame, keys: list[str], prefix: str) -> pd.DataFrame:
    """Return difference, limits and verdict of each row of ``values`` against the matching row of ``other``."""
    match = values[keys].merge(other[[*keys, "value", "lower", "upper", "period"]], on=keys, how="left")
    columns_of = ("value", "lower", "upper")
    a, b = (Estimate(*(frame[name].to_numpy(dtype=np.float64) for name in columns_of)) for frame in (values, match))
    change, low, high = difference(a, b)
    columns = {prefix: change, f"{prefix}_lower": low, f"{prefix}_upper": high, f"{prefix}_verdict": verdicts(change, low, high)}
    return pd.DataFrame({f"{prefix}_base": match["value"].to_numpy(dtype=np.float64), **columns}, index=values.index)


def compare(values: pd.DataFrame, indicators: Mapping[str, Indicator]) -> pd.DataFrame:
    """Return ``values`` with changes and differences beside them.

    Parameters
    ----------
    values : DataFrame
        From :func:`riskwatch.indicators.values.prepare`.
    indicators : mapping of code to Indicator
        Reference figures of the nation stand in where the records have none; they are taken as exact.

    Returns
    -------
    DataFrame
        ``values`` with, for each of ``year`` (against the same period of last year), ``previous`` (against the period before; nothing
        for yearly figures) and ``national``: ``<name>_base``, ``<name>`` (the difference, in the unit of the indicator), its
        ``_lower`` and ``_upper``, and ``<name>_verdict``; and ``national_source``: "records", "reference" or "".
    """
    frame = values.reset_index(drop=True)
    per_year = frame["period_type"].map(PER_YEAR).fillna(1).astype(np.int64)
    keys = [*_SERIES, "number"]
    before = frame.assign(number=frame["number"] - per_year)
    last = frame.assign(number=frame["number"] - 1)
    last.loc[(per_year == 1).to_numpy(), "number"] = -1
    parts = [frame, _against(before, frame, keys, "year"), _against(last, frame, keys, "previous")]
    national, source = _national(frame, indicators)
    beside = _against(frame, national, ["indicator", "period_type", "number"], "national")
    # The nation is not compared with itself.
    nation = (frame["region"] == NATION).to_numpy()
    beside.loc[nation, ["national_base", "national", "national_lower", "national_upper"]] = np.nan
    beside.loc[nation, "national_verdict"] = ""
    place = frame[["indicator", "period_type", "number"]].merge(source, on=["indicator", "period_type", "number"], how="left")[
        "national_source"
    ]
    beside["national_source"] = np.where(np.isfinite(beside["national_base"].to_numpy(dtype=np.float64)), place.fillna("").to_numpy(), "")
    return pd.concat([*parts, beside], axis=1)


def _national(frame: pd.DataFrame, indicators: Mapping[str, Indicator]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return national values, one for each indicator and period, and where each comes from."""
    keys = ["indicator", "period_type", "number"]
    columns = [*keys, "value", "lower", "upper", "period"]
    known = frame.loc[frame["region"] == NATION, columns].assign(national_source="records")
    rows = [
        (code, "year", item.year, item.value, item.value, item.value, str(item.year), "reference")
        for code, indicator in sorted(indicators.items())
        for item in indicator.reference
        if item.region == NATION
    ]
    held = pd.DataFrame(rows, columns=[*columns, "national_source"])
    both = pd.concat([part for part in (known, held) if len(part)] or [held], ignore_index=True).drop_duplicates(keys, keep="first")
    return both[columns], both[[*keys, "national_source"]]
