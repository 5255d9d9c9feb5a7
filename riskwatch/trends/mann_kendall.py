"""Mann-Kendall tests and Sen's slopes of many series at once: for short series and ugly ones, whose distribution nobody knows.

S is the sum over pairs of periods of the sign of the later minus the earlier value; ties take their share off its variance. Treatments of
what a year or a run of periods does to it:

* ``none``: periods are exchangeable under the null;
* ``effective-size``: the variance times the inflation of :mod:`riskwatch.trends.autocorrelation`, from the ranks of the detrended
  values, and Student's t with (n - 2) / inflation degrees of freedom for the normal. Of the treatments for runs this one keeps its
  level in short series: at a correlation of 0.4 and 60 periods the two below reject a true null three to five times too often;
* ``hamed-rao``: the variance times Hamed & Rao's factor, from the significant correlations of the ranks of the detrended values;
* ``prewhitened``: the first-order correlation of the detrended values is taken out before S is counted and the trend put back (trend-free
  prewhitening);
* ``seasonal``: S is summed over the places in the year, so that only the same months are compared (Hirsch & Slack, seasons independent).

The slope is the median of all slopes of pairs (``seasonal``: of pairs of the same place, per year), its interval Gilbert's: order
statistics (N -+ z sqrt(Var S)) / 2 of the N slopes, with the treated variance. Without ties, and untreated, series of at most
``exact_up_to`` periods have the exact distribution of S.

Sources
-------
Mann (1945), Econometrica 13, 245-259; Kendall (1975), Rank Correlation Methods; Sen (1968), J. Amer. Statist. Assoc. 63, 1379-1389.
Hamed & Rao (1998), J. Hydrology 204, 182-196; Yue, Pilon, Phinney & Cavadias (2002), Hydrological Processes 16, 1807-1829.
Hirsch, Slack & Smith (1982), Water Resources Research 18(1), 107-121; Gilbert (1987), Statistical Methods for Environmental Pollution
Monitoring, ch. 16-17.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from riskwatch.errors import TrendError
from riskwatch.trends.autocorrelation import inflation

__all__ = ["MannKendall", "Treatment", "mann_kendall"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Treatment = Literal["none", "effective-size", "hamed-rao", "prewhitened", "seasonal"]

_BLOCK = 512  # series whose pairs are held at once
_MIN_POINTS = 4
_SIGNIFICANT = 0.05  # two-sided level at which a correlation of ranks counts, as Hamed & Rao have it


@dataclass(frozen=True, eq=False)
class MannKendall:
    """Result per series; NaN with fewer than 4 known periods.

    Attributes
    ----------
    score, variance, z, p_value : array, shape (series,)
        S, its treated variance, the normal deviate with continuity correction, and the two-sided p-value.
    tau : array, shape (series,)
        S over the number of pairs.
    slope, lower, upper : array, shape (series,)
        Sen's slope per period (per year for "seasonal") with its interval.
    level : array, shape (series,)
        Median line at the last period.
    count : array, shape (series,)
        Known periods.
    exact : array of bool, shape (series,)
        The p-value is from the exact distribution.
    """

    score: FloatArray
    variance: FloatArray
    z: FloatArray
    p_value: FloatArray
    tau: FloatArray
    slope: FloatArray
    lower: FloatArray
    upper: FloatArray
    level: FloatArray
    count: FloatArray
    exact: BoolArray


def mann_kendall(
    values: FloatArray, *, treatment: Treatment = "none", season: int = 12, level: float = 0.95, exact_up_to: int = 10
) -> MannKendall:
    """Test each series for a monotone trend.

    Parameters
    ----------
    values : array, shape (series, period)
        Evenly spaced; NaN is missing and is skipped.
    treatment : {"none", "effective-size", "hamed-rao", "prewhitened", "seasonal"}
    season : int
        Periods a year, for "seasonal".
    level : float
        Coverage of the slope's interval.
    exact_up_to : int
        Longest series for the exact distribution of S; 0 for never.

    Returns
    -------
    MannKendall

    Raises
    ------
    TrendError
        If a parameter is out of range.
    """
    values = np.asarray(values, np.float64)
    if treatment not in get_args(Treatment):
        raise TrendError(f"mann_kendall: treatment must be one of {', '.join(get_args(Treatment))}, got {treatment!r}")
    if values.ndim != 2:
        raise TrendError(f"mann_kendall: values must be (series, period), got shape {values.shape}")
    if not 0.0 < level < 1.0 or season < 2:
        raise TrendError(f"mann_kendall: level must lie in (0, 1) and season be >= 2, got {level} and {season}")
    blocks = [
        _block(values[start : start + _BLOCK], treatment=treatment, season=season, level=level, exact_up_to=exact_up_to)
        for start in range(0, max(len(values), 1), _BLOCK)
    ]
    names = MannKendall.__dataclass_fields__
    return MannKendall(**{name: np.concatenate([getattr(part, name) for part in blocks]) for name in names})


def _block(x: FloatArray, *, treatment: Treatment, season: int, level: float, exact_up_to: int) -> MannKendall:
    periods = x.shape[1]
    known = np.isfinite(x)
    count = known.sum(axis=1)
    seasonal = treatment == "seasonal"
    groups = [slice(at, None, season) for at in range(min(season, periods))] if seasonal else [slice(None)]
    pairs = np.sort(np.concatenate([_pair_slopes(x[:, group]) for group in groups], axis=1), axis=1)  # NaN last
    number = np.isfinite(pairs).sum(axis=1)
    slope = _middle(pairs, number)
    with np.errstate(all="ignore"):
        if treatment == "prewhitened":
            scored = _prewhitened(x, known, count, slope)
            score = _score(_pair_slopes(scored))
            variance, tied, total = _variance(scored)
        else:
            score = _score(pairs)
            parts = [_variance(x[:, group]) for group in groups]
            variance, total = (np.sum([part[at] for part in parts], axis=0) for at in (0, 2))
            tied = np.sum([part[1] for part in parts], axis=0) > 0
            if treatment == "hamed-rao":
                variance = variance * _hamed_rao(x, known, count, slope)
        longer = np.ones(len(x))
        if treatment == "effective-size":
            ranks, there = _ranks(x, known, slope)
            longer = inflation(np.where(there, ranks - ((count + 1.0) / 2.0)[:, None], np.nan), 2)
            variance = variance * longer
        z = np.where(score == 0, 0.0, (score - np.sign(score)) / np.sqrt(variance))
        degrees = np.maximum((count - 2.0) / longer, 1.0) if treatment == "effective-size" else np.full(len(x), np.inf)
        p_value = 2.0 * stats.t.sf(np.abs(z), degrees)
        exact = np.asarray((count <= exact_up_to) & (count >= _MIN_POINTS) & ~tied & (treatment == "none"), np.bool_)
        for n in np.unique(count[exact]).tolist():
            rows = np.flatnonzero(exact & (count == n))
            p_value[rows] = np.minimum(2.0 * _exact_tail(n)[np.abs(score[rows]).astype(np.intp)], 1.0)
        half = special.stdtrit(degrees, 0.5 + level / 2.0) * np.sqrt(variance)
        lower, upper = (_order(pairs, (number + sign * half) / 2.0 + one, number) for sign, one in ((-1.0, 0.0), (1.0, 1.0)))
        middle = np.nanmedian(np.where((count > 0)[:, None], x, 0.0), axis=1) if periods else np.zeros(len(x))
        when = _middle(np.sort(np.where(known, np.arange(periods), np.nan), axis=1), count) / (season if seasonal else 1)
        line = middle + slope * ((periods - 1) / (season if seasonal else 1) - when)
    blank = np.where((count >= _MIN_POINTS) & (number > 0), 0.0, np.nan)
    return MannKendall(
        score=score + blank,
        variance=variance + blank,
        z=z + blank,
        p_value=p_value + blank,
        tau=score / np.maximum(total, 1.0) + blank,
        slope=slope + blank,
        lower=lower + blank,
        upper=upper + blank,
        level=line + blank,
        count=count.astype(np.float64),
        exact=exact,
    )


def _pair_slopes(x: FloatArray) -> FloatArray:
    """Return (later - earlier) / lag of all pairs, shape (series, pair); NaN where either is missing."""
    periods = x.shape[1]
    out = np.empty((len(x), periods * (periods - 1) // 2))
    at = 0
    for lag in range(1, periods):
        np.subtract(x[:, lag:], x[:, :-lag], out=out[:, at : at + periods - lag])
        out[:, at : at + periods - lag] /= lag
        at += periods - lag
    return out


def _score(pairs: FloatArray) -> FloatArray:
    """Return S: rises less falls among the pairs' slopes, shape (series,)."""
    return np.asarray((pairs > 0).sum(axis=1) - (pairs < 0).sum(axis=1), np.float64)


def _variance(x: FloatArray) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Return the variance of S with ties, whether there are ties, and the number of pairs; each of shape (series,)."""
    periods = x.shape[1]
    n = np.isfinite(x).sum(axis=1).astype(np.float64)
    variance = n * (n - 1) * (2 * n + 5)
    ordered = np.sort(x, axis=1)
    equal = ordered[:, 1:] == ordered[:, :-1]
    tied = equal.any(axis=1)
    # The length of the run of equal values that ends here: t (t - 1) (2t + 5) is summed where a run ends.
    run = np.ones(len(x))
    for at in range(1, periods + 1):
        goes_on = equal[:, at - 1] if at < periods else np.zeros(len(x), np.bool_)
        variance -= np.where(goes_on, 0.0, run * (run - 1) * (2 * run + 5))
        run = np.where(goes_on, run + 1.0, 1.0)
    return variance / 18.0, tied, n * (n - 1) / 2.0


def _middle(ordered: FloatArray, number: npt.NDArray[np.intp]) -> FloatArray:
    """Return the median of the first ``number`` of sorted values, shape (series,)."""
    if ordered.shape[1] == 0:
        return np.full(len(ordered), np.nan)
    low, high = np.maximum(number - 1, 0) // 2, number // 2
    rows = np.arange(len(ordered))
    return np.asarray((ordered[rows, low] + ordered[rows, np.minimum(high, ordered.shape[1] - 1)]) / 2.0)


def _order(ordered: FloatArray, place: FloatArray, number: npt.NDArray[np.intp]) -> FloatArray:
    """Return the order statistic at a place counted from 1, between its neighbours; infinite beyond the ends."""
    if ordered.shape[1] == 0:
        return np.full(len(ordered), np.nan)
    inside = np.clip(np.where(np.isfinite(place), place, 1.0), 1.0, np.maximum(number, 1))
    low = np.floor(inside).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(number, 1))
    rows, share = np.arange(len(ordered)), inside - low
    value = ordered[rows, low - 1] + np.where(share > 0, share * (ordered[rows, high - 1] - ordered[rows, low - 1]), 0.0)
    return np.asarray(np.where(place < 1.0, -np.inf, np.where(place > number, np.inf, value)))


def _packed(x: FloatArray, known: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return the known values moved to the left, 0 behind them, and where there is one: missing periods are skipped."""
    order = np.argsort(~known, axis=1, kind="stable")
    there = np.take_along_axis(known, order, axis=1)
    return np.where(there, np.take_along_axis(x, order, axis=1), 0.0), there


def _detrended(x: FloatArray, known: BoolArray, slope: FloatArray) -> tuple[FloatArray, BoolArray]:
    packed, there = _packed(x, known)
    return np.where(there, packed - np.arange(1, x.shape[1] + 1) * slope[:, None], 0.0), there


def _prewhitened(x: FloatArray, known: BoolArray, count: npt.NDArray[np.intp], slope: FloatArray) -> FloatArray:
    flat, there = _detrended(x, known, slope)
    away = np.where(there, flat - (flat.sum(axis=1) / count)[:, None], 0.0)
    r = (away[:, 1:] * away[:, :-1]).sum(axis=1) / (away**2).sum(axis=1)
    steps = np.arange(1, x.shape[1])
    return np.where(there[:, 1:], flat[:, 1:] - flat[:, :-1] * r[:, None] + steps * slope[:, None], np.nan)


def _ranks(x: FloatArray, known: BoolArray, slope: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return ranks of the detrended known values, and where there is one."""
    flat, there = _detrended(x, known, slope)
    return np.asarray(stats.rankdata(np.where(there, flat, np.inf), axis=1)), there


def _hamed_rao(x: FloatArray, known: BoolArray, count: npt.NDArray[np.intp], slope: FloatArray) -> FloatArray:
    """Return the factor of Var S; a factor that is not positive (negative correlations of ranks at long lags) is NaN z."""
    rank, there = _ranks(x, known, slope)
    away = np.where(there, rank - (np.where(there, rank, 0.0).sum(axis=1) / count)[:, None], 0.0)
    n = count.astype(np.float64)
    total = (away**2).sum(axis=1)
    bound = stats.norm.ppf(1.0 - _SIGNIFICANT / 2.0) / np.sqrt(n)
    added = np.zeros(len(x))
    for lag in range(1, x.shape[1]):
        r = (away[:, lag:] * away[:, :-lag]).sum(axis=1) / total
        added += np.where((np.abs(r) > bound) & (lag < n), (n - lag) * (n - lag - 1) * (n - lag - 2) * r, 0.0)
    return np.asarray(1.0 + 2.0 / (n * (n - 1) * (n - 2)) * added)


@cache
def _exact_tail(n: int) -> FloatArray:
    """Return P(S >= s) under the null for s = 0, 1, ..., n (n - 1) / 2: counts of permutations by inversions (Kendall's recursion)."""
    ways = np.ones(1)
    for size in range(2, n + 1):
        ways = np.convolve(ways, np.ones(size)) / size
    top = len(ways) - 1
    score = top - 2 * np.arange(top + 1)
    return np.array([ways[score >= s].sum() for s in range(top + 1)])
