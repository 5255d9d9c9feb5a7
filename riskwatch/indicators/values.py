"""Values of indicators as they stand on a day, each with the interval that its kind of figure allows.

Sources
-------
Score interval: Wilson (1927), J. Amer. Statist. Assoc. 22(158), 209-212.
Exact interval: Clopper & Pearson (1934), Biometrika 26(4), 404-413.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.errors import RiskwatchError
from riskwatch.indicators.periods import labels, numbers
from riskwatch.indicators.rules import Indicator, Methods

__all__ = ["RECORD_COLUMNS", "VALUE_COLUMNS", "binomial_interval", "newest", "prepare"]

FloatArray = npt.NDArray[np.float64]

RECORD_COLUMNS = ["indicator", "region", "period_type", "event_date", "value", "numerator", "n", "standard_error", "status"]
VALUE_COLUMNS = [
    "indicator", "region", "period_type", "number", "period", "event_date", "value", "lower", "upper", "error", "n", "method", "status",
    "flag", "source", "known_at",
]  # fmt: skip
KEY = ["indicator", "region", "period_type", "number"]
_STATUS = {"": 0, "preliminary": 1, "final": 2, "revised": 3}


def newest(values: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each indicator, region and period: the one known last.

    Parameters
    ----------
    values : DataFrame
        :data:`RECORD_COLUMNS`, perhaps ``source`` and ``known_at``: records as known on a day. A revision of a record has replaced it
        already (the store does that); here several records, or sources, speak of one period.

    Returns
    -------
    DataFrame
        The same columns, ``number`` (of the period) besides. Of figures known on one day revised goes before final before preliminary;
        then the source and the value decide, so that the order of rows does not matter.

    Raises
    ------
    RiskwatchError
        If columns are missing.
    """
    missing = [name for name in RECORD_COLUMNS if name not in values.columns]
    if missing:
        raise RiskwatchError(f"indicators.newest: values need the columns {', '.join(RECORD_COLUMNS)}, missing {', '.join(missing)}")
    frame = pd.DataFrame(index=range(len(values)))
    for name in ("indicator", "region", "period_type", "status", "source"):
        given = values[name].astype("object") if name in values.columns else pd.Series("", index=values.index, dtype="object")
        frame[name] = given.where(given.notna(), "").astype(str).astype("object").to_numpy()
    for name in ("value", "numerator", "n", "standard_error"):
        frame[name] = values[name].astype(np.float64).to_numpy()
    frame["event_date"] = pd.to_datetime(values["event_date"]).to_numpy().astype("datetime64[s]")
    known = values["known_at"] if "known_at" in values.columns else values["event_date"]
    frame["known_at"] = pd.to_datetime(known).to_numpy().astype("datetime64[s]")
    frame["number"] = numbers(frame["event_date"], frame["period_type"])
    frame["rank"] = frame["status"].map(_STATUS).fillna(0).to_numpy()
    frame = frame.sort_values([*KEY, "known_at", "rank", "source", "value", "n"], kind="stable", na_position="first")
    return frame.drop_duplicates(KEY, keep="last").drop(columns="rank").reset_index(drop=True)


def binomial_interval(
    x: FloatArray, n: FloatArray, *, level: float = 0.95, method: Literal["wilson", "clopper-pearson"] = "wilson"
) -> tuple[FloatArray, FloatArray]:
    """Return the interval of a share ``x / n``; NaN where n is not positive or x is not within 0 and n.

    Parameters
    ----------
    x, n : array
        Successes and trials; whole numbers need not be (an effective sample size is none).
    level : float
        Coverage.
    method : {"wilson", "clopper-pearson"}
        Wilson's score interval, or the exact one, which never covers less than ``level``.
    """
    x, n = np.asarray(x, np.float64), np.asarray(n, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        good = (n > 0) & (x >= 0) & (x <= n)
        share = np.where(good, x / n, np.nan)
        if method == "wilson":
            z2 = float(special.ndtri(0.5 + level / 2.0)) ** 2
            centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n)
            reach = np.sqrt(z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n))) / (1.0 + z2 / n)
            # Rounding must not move the ends off 0 and 1, where they belong for none and all.
            return np.where(x == 0, 0.0, centre - reach) + 0.0 * share, np.where(x == n, 1.0, centre + reach) + 0.0 * share
        alpha = (1.0 - level) / 2.0
        lower = np.where(x == 0, 0.0, special.betaincinv(np.maximum(x, 1e-300), n - x + 1.0, alpha))
        upper = np.where(x == n, 1.0, special.betaincinv(x + 1.0, np.maximum(n - x, 1e-300), 1.0 - alpha))
    return lower + 0.0 * share, upper + 0.0 * share


def prepare(values: pd.DataFrame, indicators: Mapping[str, Indicator], methods: Methods) -> pd.DataFrame:
    """Return the newest values with intervals.

    Parameters
    ----------
    values : DataFrame
        As for :func:`newest`. Rows of indicators that are not defined are left out.
    indicators : mapping of code to Indicator
        ``config/indicators.yaml``.
    methods : Methods
        Level and kind of interval.

    Returns
    -------
    DataFrame
        :data:`VALUE_COLUMNS`, sorted by indicator, region, length and number of the period. ``lower`` and ``upper`` in the unit of the
        indicator, NaN where nothing is known about the uncertainty; ``error`` is half the interval over its normal quantile; ``method``
        is the kind of interval, or "none". ``flag`` is "out-of-bounds" (no interval is given, and no trend drawn from it), "mismatch"
        (value and numerator over n disagree by more than rounding) or "".
    """
    found = newest(values)
    found = found.loc[found["indicator"].isin(set(indicators))].reset_index(drop=True)
    quantile = float(special.ndtri(0.5 + methods.level / 2.0))
    parts = [_with_interval(group, indicators[str(code)], methods, quantile) for code, group in found.groupby("indicator", sort=True)]
    if not parts:
        return pd.DataFrame(columns=VALUE_COLUMNS)
    frame = pd.concat(parts, ignore_index=True)
    frame["period"] = labels(frame["number"].to_numpy(), frame["period_type"])
    return frame.sort_values(KEY, kind="stable", ignore_index=True)[VALUE_COLUMNS]


def _with_interval(group: pd.DataFrame, indicator: Indicator, methods: Methods, quantile: float) -> pd.DataFrame:
    value, n, stated = (group[name].to_numpy(dtype=np.float64) for name in ("value", "n", "standard_error"))
    lower, upper = np.full(len(group), np.nan), np.full(len(group), np.nan)
    method = np.full(len(group), "none", dtype=object)
    bounds = [
        -np.inf if indicator.bounds[0] is None else indicator.bounds[0],
        np.inf if indicator.bounds[1] is None else indicator.bounds[1],
    ]
    outside = (value < bounds[0]) | (value > bounds[1])
    given = group["numerator"].to_numpy(dtype=np.float64)
    counted = np.zeros(len(group), dtype=np.bool_)
    mismatch = np.zeros(len(group), dtype=np.bool_)
    if indicator.uncertainty == "binomial":
        share = value / indicator.scale
        with np.errstate(invalid="ignore", divide="ignore"):
            exact = np.where(np.isfinite(given) & (n > 0), given / n, share)
            mismatch = np.abs(exact - share) * indicator.scale > 10.0**-indicator.decimals
            effective = n / indicator.design_effect
        low, high = binomial_interval(np.where(mismatch, share, exact) * effective, effective, level=methods.level, method=methods.binomial)
        counted = np.isfinite(low) & ~outside
        lower, upper = np.where(counted, low * indicator.scale, lower), np.where(counted, high * indicator.scale, upper)
        method[counted] = methods.binomial
    known = ~counted & np.isfinite(stated) & ~outside
    lower = np.where(known, np.maximum(value - quantile * stated, bounds[0]), lower)
    upper = np.where(known, np.minimum(value + quantile * stated, bounds[1]), upper)
    method[known] = "normal"
    error = np.where(known, stated, (upper - lower) / (2.0 * quantile))
    flag = np.where(outside, "out-of-bounds", np.where(mismatch, "mismatch", ""))
    return group.assign(lower=lower, upper=upper, error=error, method=method, flag=flag.astype(object))
