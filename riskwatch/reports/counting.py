"""What the report counts itself: pass rates by stratum, differences of two rates, ratios of two counts.

Sources: Wilson (1927) for one proportion; Newcombe (1998), Statistics in Medicine 17, 873-890, method 10 for a difference of two;
Clopper and Pearson (1934) applied to x out of x + y for the ratio of two Poisson counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta, norm

from riskwatch.errors import RiskwatchError

__all__ = ["count_ratio", "difference", "injury_frame", "notice_frame", "overall_frame", "strata_frame", "wilson"]

FloatArray = npt.NDArray[np.float64]


def wilson(failed: FloatArray, inspected: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    failed, inspected : array of float, shape (n,)
        0 <= failed <= inspected; NaN comes back where nothing was inspected.
    level : float
        Coverage.

    Returns
    -------
    lower, upper : array of float, shape (n,)

    Raises
    ------
    RiskwatchError
        If more failed than were inspected, or a number is negative.
    """
    x, n = np.asarray(failed, dtype=np.float64), np.asarray(inspected, dtype=np.float64)
    if (x < 0).any() or (x > n).any():
        raise RiskwatchError("wilson: failed must lie between 0 and inspected")
    z = float(norm.ppf(0.5 + level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(n > 0, x / n, np.nan)
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 and n the ends are exactly 0 and 1; rounding would leave 1e-17.
    return np.where(x == 0, 0.0 * p, middle - half), np.where(x == n, 1.0 + 0.0 * p, middle + half)


def difference(x1: float, n1: float, x2: float, n2: float, level: float = 0.95) -> tuple[float, float, float]:
    """Return ``x1/n1 - x2/n2`` with Newcombe's hybrid score interval; NaN where either denominator is 0.

    Parameters
    ----------
    x1, n1, x2, n2 : float
        Failed and inspected of the two periods.
    level : float
        Coverage.

    Returns
    -------
    difference, lower, upper : float
    """
    if n1 <= 0 or n2 <= 0:
        return float("nan"), float("nan"), float("nan")
    low, high = wilson(np.array([x1, x2]), np.array([n1, n2]), level)
    p1, p2 = x1 / n1, x2 / n2
    gap = p1 - p2
    below = gap - float(np.hypot(p1 - low[0], high[1] - p2))
    above = gap + float(np.hypot(high[0] - p1, p2 - low[1]))
    return gap, below, above


def count_ratio(x: FloatArray, y: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the ratio of two Poisson counts over equal times with its exact interval.

    Parameters
    ----------
    x, y : array of float, shape (n,)
        Counts now and then.
    level : float
        Coverage.

    Returns
    -------
    ratio, lower, upper : array of float, shape (n,)
        NaN where both are 0; infinite where ``y`` is 0.
    """
    now, then = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(now > 0, beta.ppf(tail, now, then + 1), 0.0)
        high = np.where(then > 0, beta.ppf(1 - tail, now + 1, then), 1.0)
        ratio, lower, upper = now / then, low / (1 - low), high / (1 - high)
    nothing = now + then <= 0
    return np.where(nothing, np.nan, ratio), np.where(nothing, np.nan, lower), np.where(nothing, np.nan, upper)


def strata_frame(records: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return pass rates by check type, selection and channel; a stratum without a name is the stratum "".

    Parameters
    ----------
    records : DataFrame
        ``check_type``, ``selection``, ``channel``, ``inspected``, ``failed``.
    level : float
        Coverage of the intervals.
    """
    keys = ["check_type", "selection", "channel"]
    plain = records[[*keys, "inspected", "failed"]].copy()
    for key in keys:
        plain[key] = plain[key].astype(object).where(plain[key].notna(), "").astype(str)
    grouped = plain.groupby(keys, sort=True, as_index=False)[["inspected", "failed"]].sum()
    x, n = grouped["failed"].to_numpy(dtype=np.float64), grouped["inspected"].to_numpy(dtype=np.float64)
    lower, upper = wilson(x, n, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        return grouped.assign(rate=np.where(n > 0, x / n, np.nan), lower=lower, upper=upper)


def overall_frame(periods: dict[str, pd.DataFrame], *, level: float = 0.95) -> pd.DataFrame:
    """Return the overall rate of each period and the change of the first against each other.

    Parameters
    ----------
    periods : dict of str to DataFrame
        ``now`` first, then ``before`` and ``last-year``: ``inspected``, ``failed``, ``producer`` of random samples. A period without
        samples is left out.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        ``period, inspected, failed, producers, rate, lower, upper, standardised, change, change_lower, change_upper, mix,
        within, within_lower, within_upper``; change is "now less this period"; ``standardised`` and the parts of the change are NaN:
        they are the work of another room.
    """
    rows = []
    first: tuple[float, float] | None = None
    for name, records in periods.items():
        n, x = float(records["inspected"].sum()), float(records["failed"].sum())
        if n <= 0:
            if name == "now":
                break
            continue
        low, high = wilson(np.array([x]), np.array([n]), level)
        gap = (np.nan,) * 3 if first is None else difference(*first, x, n, level)
        first = (x, n) if first is None else first
        producers = records["producer"].dropna().nunique()
        rows.append((name, n, x, float(producers), x / n, float(low[0]), float(high[0]), np.nan, *gap, *(np.nan,) * 4))
    columns = [
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
    ]
    return pd.DataFrame(rows, columns=columns)


def injury_frame(now: pd.DataFrame, past: pd.DataFrame, *, level: float, min_cases: int, max_cv: float) -> pd.DataFrame:
    """Return persons injured by code in two periods of equal length, and their ratio where it is fit to be printed.

    Parameters
    ----------
    now, past : DataFrame
        ``code``, ``persons``.
    level : float
        Coverage of the interval.
    min_cases, max_cv : int, float
        No ratio on fewer persons than ``min_cases`` in both periods together, or with a coefficient of variation above ``max_cv``
        (``sqrt(1/x + 1/y)``, by the delta method on the log scale).

    Returns
    -------
    DataFrame
        ``code, count, last_year, ratio, lower, upper``.
    """
    counts = [frame.assign(code=frame["code"].astype(str)).groupby("code", sort=True)["persons"].sum() for frame in (now, past)]
    table = pd.concat(counts, axis=1, keys=["count", "last_year"]).fillna(0.0).sort_index()
    x, y = table["count"].to_numpy(dtype=np.float64), table["last_year"].to_numpy(dtype=np.float64)
    ratio, lower, upper = count_ratio(x, y, level)
    with np.errstate(divide="ignore"):
        fit = (x + y >= min_cases) & (np.sqrt(1 / x + 1 / y) <= max_cv)
    frame = table.rename_axis("code").reset_index()
    return frame.assign(ratio=np.where(fit, ratio, np.nan), lower=np.where(fit, lower, np.nan), upper=np.where(fit, upper, np.nan))


def notice_frame(now: pd.DataFrame, past: pd.DataFrame) -> pd.DataFrame:
    """Return notices by system in two periods: ``system, notices, last_year``."""
    counts = [frame.assign(system=frame["system"].astype(str)).groupby("system", sort=True)["notices"].sum() for frame in (now, past)]
    table = pd.concat(counts, axis=1, keys=["notices", "last_year"]).fillna(0.0).sort_index()
    return table.rename_axis("system").reset_index()
