"""Reporting delay: what share of a period's records has arrived by a day, and what the period will come to.

A delay is counted in days from the last day of the period to the day on which the record became known; what is known before the
period is over has delay 0. So the weekday rhythm of batches is part of the distribution: a week always ends on a Sunday. Delays
above a largest one are left out: they are corrections and archives, not reporting.

What is not seen yet cannot be counted (right truncation). Seen backwards it can: of the records with delay at most d in periods that
ended at least d days ago, the share with delay exactly d, the reverse hazard g(d), needs nothing that is still to come, and
F(d) = prod over k > d of (1 - g(k)) (Lawless 1994). The reverse hazards of a Dirichlet distribution are independent beta variables,
so the shrinkage of one series' delays towards those of all stays exact with truncated data.

Sources
-------
Lawless (1994), Canadian Journal of Statistics 22(1), 15-31.
Connor, Mosimann (1969), J. Am. Statist. Assoc. 64(325), 194-206 (neutrality of the Dirichlet distribution).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from riskwatch.errors import CalendarError

__all__ = [
    "ReportingTriangle",
    "completeness",
    "concentration",
    "delay_distribution",
    "nowcast",
    "period_scatter",
    "reporting_triangle",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_LARGEST = 1e6  # concentration above which series cannot be told apart
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_NEAR = 1e-3  # of the logarithm of the concentration


@dataclass(frozen=True, eq=False)
class ReportingTriangle:
    """What a reporting triangle holds of delays, per series.

    Attributes
    ----------
    reported : array of float, shape (series, max_delay + 1)
        Records with delay exactly d.
    at_risk : array of float, shape (series, max_delay + 1)
        Records with delay at most d in periods that ended at least d days ago: those of which it is known whether the delay was d.
    """

    reported: FloatArray
    at_risk: FloatArray

    @property
    def total(self) -> ReportingTriangle:
        """The triangle of all series together, one row."""
        return ReportingTriangle(self.reported.sum(axis=0, keepdims=True), self.at_risk.sum(axis=0, keepdims=True))


def reporting_triangle(
    period_end: IntArray, known: IntArray, series: IntArray, *, n_series: int, now: int, max_delay: int
) -> ReportingTriangle:
    """Count records by delay, with those of which the delay could have been seen.

    Parameters
    ----------
    period_end : array of int, shape (n,)
        Last day of the period of each record, as an ordinal.
    known : array of int, shape (n,)
        Day on which each record became known.
    series : array of int, shape (n,)
        Series of each record, 0 to ``n_series - 1``; a record of several series is given several times.
    n_series : int
    now : int
        The as-of day; what became known later, and periods that end later, are left out.
    max_delay : int
        Largest delay that is modelled, in days; records with a larger one are left out.

    Raises
    ------
    CalendarError
        If ``max_delay`` is below 0 or the arrays have different lengths.
    """
    _check(period_end, known, series, max_delay)
    delay = np.maximum(known - period_end, 0)
    kept = (known <= now) & (period_end <= now) & (delay <= max_delay)
    cell, delay = series[kept] * (max_delay + 2), delay[kept]
    last = np.minimum(now - period_end[kept], max_delay)
    size = n_series * (max_delay + 2)
    shape = (n_series, max_delay + 2)
    reported = np.bincount(cell + delay, minlength=size).reshape(shape).astype(np.float64)
    left = np.bincount(cell + last + 1, minlength=size).reshape(shape)
    at_risk = np.cumsum(reported - left, axis=1)
    return ReportingTriangle(reported[:, :-1], at_risk[:, :-1])


def _check(period_end: IntArray, known: IntArray, series: IntArray, max_delay: int) -> None:
    if max_delay < 0:
        raise CalendarError(f"reporting delay: max_delay must be >= 0 days, got {max_delay}")
    if not len(period_end) == len(known) == len(series):
        raise CalendarError(
            f"reporting delay: period_end, known and series must be of one length, got {len(period_end)}, {len(known)} and {len(series)}"
        )


def delay_distribution(triangle: ReportingTriangle) -> FloatArray:
    """Return the estimated share of records reported within d days of all series together, shape (max_delay + 1,).

    NaN below the largest delay that no period is old enough to have shown: what is unknown is not taken for 1.
    """
    total = triangle.total
    n, risk = total.reported[0], total.at_risk[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        stay = np.where(risk > 0, (risk - n) / risk, np.nan)
    return _from_hazards(stay)


def _from_hazards(stay: FloatArray) -> FloatArray:
    """Return F(d), the product of 1 - g(k) over k > d, along the last axis."""
    later = np.concatenate([stay[..., 1:], np.ones((*stay.shape[:-1], 1))], axis=-1)
    return np.asarray(np.flip(np.cumprod(np.flip(later, axis=-1), axis=-1), axis=-1))


def _prior(cdf: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mass at each delay and that below it."""
    below = np.concatenate([[0.0], cdf[:-1]])
    return np.maximum(cdf - below, 0.0), below


def concentration(triangle: ReportingTriangle, cdf: FloatArray) -> float:
    """Estimate how alike the series' delays are: the Dirichlet concentration alpha0 with the largest marginal likelihood.

    Parameters
    ----------
    triangle : ReportingTriangle
    cdf : array, shape (max_delay + 1,)
        Delay distribution that the series are drawn towards.

    Returns
    -------
    float
        In records: a series with alpha0 records of its own is drawn half way. At most the number of records behind ``cdf``, for a
        prior cannot be surer than its own data. Sums are exactly rounded: the order of the series does not matter.
    """
    mass, below = _prior(cdf)
    use = (mass > 0) & (below > 0)
    n, stay = triangle.reported[:, use], (triangle.at_risk - triangle.reported)[:, use]
    busy = n + stay > 0
    largest = min(_LARGEST, max(float(triangle.total.reported.sum()), 1.0))
    if not busy.any():
        return largest
    n, stay = n[busy], stay[busy]
    mass, below = (np.broadcast_to(part[use], busy.shape)[busy] for part in (mass, below))
    # Most cells look like another one: what they come to is worked out once.
    place = np.broadcast_to(np.arange(int(use.sum())), busy.shape)[busy]
    _, first, times = np.unique((place * (n.max() + 1.0) + n) * (stay.max() + 1.0) + stay, return_index=True, return_counts=True)
    n, stay, mass, below = n[first], stay[first], mass[first], below[first]

    def likelihood(log_alpha: float) -> float:
        a, b = math.exp(log_alpha) * mass, math.exp(log_alpha) * below
        return math.fsum(times * (special.betaln(a + n, b + stay) - special.betaln(a, b)))

    # Golden section: of the two points inside, one is kept from step to step.
    low, high = math.log(0.1), math.log(max(largest, 0.2))
    one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_one, at_two = likelihood(one), likelihood(two)
    while high - low >= _NEAR:
        if at_one > at_two:
            high, two, at_two = two, one, at_one
            one = high - _GOLDEN * (high - low)
            at_one = likelihood(one)
        else:
            low, one, at_one = one, two, at_two
            two = low + _GOLDEN * (high - low)
            at_two = likelihood(two)
    return math.exp((low + high) / 2.0)


def completeness(triangle: ReportingTriangle, ages: IntArray, cdf: FloatArray, alpha0: float) -> tuple[FloatArray, FloatArray]:
    """Return the share of each series' records that have arrived ``ages`` days after the end of a period, and its standard error.

    The posterior of F(d) given a Dirichlet prior with mean ``cdf`` and concentration ``alpha0``. Where nothing is truncated its mean is
    (alpha0 F0(d) + n(d)) / (alpha0 + n), with n(d) the records reported within d days.

    Parameters
    ----------
    triangle : ReportingTriangle
    ages : array of int, shape (age,)
        Days since the end of the period; from ``max_delay`` on everything has arrived.
    cdf : array, shape (max_delay + 1,)
    alpha0 : float

    Returns
    -------
    share, error : array, shape (series, age)
        In [0, 1]. Share 1 and error 0, exactly, where no delay beyond the age was ever seen. Share 0 for ages of which ``cdf`` is not
        known, so that nothing is judged on them.
    """
    mass, below = _prior(np.where(np.isnan(cdf), 0.0, cdf))
    a = alpha0 * mass + triangle.reported
    b = alpha0 * below + triangle.at_risk - triangle.reported
    with np.errstate(invalid="ignore", divide="ignore"):
        first = np.where(a > 0, b / (a + b), 1.0)
        second = np.where(a > 0, first * (b + 1.0) / (a + b + 1.0), 1.0)
    mean, square = _from_hazards(first), _from_hazards(second)
    unknown = np.isnan(cdf)
    mean[:, unknown], square[:, unknown] = 0.0, 0.0
    at = np.clip(ages, 0, len(cdf) - 1)
    error = np.sqrt(np.maximum(square - mean**2, 0.0))
    return mean[:, at], error[:, at]


def period_scatter(
    period_end: IntArray, known: IntArray, series: IntArray, *, now: int, max_delay: int, ages: IntArray, share: FloatArray
) -> FloatArray:
    """Estimate how much the share reported varies from period to period beyond chance: the intra-period correlation, per age.

    Records of one period arrive in batches (a hospital reports or forgets its whole week), so that the share scatters more than
    that of independent records. With correlation rho the share of a large period has variance rho F (1 - F). Method of moments on the
    periods that can no longer change: mean over cells of (y - nF)^2 / (nF(1 - F)) = 1 + (n - 1) rho.

    Parameters
    ----------
    period_end, known, series, now, max_delay
        As for :func:`reporting_triangle`.
    ages : array of int, shape (age,)
    share : array, shape (series, age)
        From :func:`completeness`.

    Returns
    -------
    array, shape (age,)
        In [0, 1]; 0 where no period is old enough to tell.
    """
    _check(period_end, known, series, max_delay)
    delay = np.maximum(known - period_end, 0)
    kept = (known <= now) & (period_end <= now - max_delay) & (delay <= max_delay)
    rho = np.zeros(len(ages))
    if not kept.any():
        return rho
    series, period_end, delay = series[kept], period_end[kept], delay[kept]
    span = int(period_end.max() - period_end.min()) + 1
    cells, place = np.unique(series * span + (period_end - period_end.min()), return_inverse=True)
    size = np.bincount(place).astype(np.float64)
    owner = cells // span
    for k, age in enumerate(ages.tolist()):
        expected = share[owner, k]
        uncertain = (expected > 0) & (expected < 1)
        n, f = size[uncertain], expected[uncertain]
        come = np.bincount(place, weights=delay <= age)[uncertain]
        pairs = math.fsum(n - 1.0)
        if pairs > 0:
            rho[k] = min(max(math.fsum((come - n * f) ** 2 / (n * f * (1.0 - f)) - 1.0) / pairs, 0.0), 1.0)
    return rho


def nowcast(
    reported: FloatArray, share: FloatArray, error: FloatArray, *, level: float = 0.95
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Complete counts for what is still to be reported.

    Parameters
    ----------
    reported : array
        Counts known so far.
    share, error : array
        Expected share reported and its standard error.
    level : float
        Coverage of the interval.

    Returns
    -------
    point, lower, upper : array
        ``reported / share``, and a prediction interval: what is missing follows a negative binomial distribution with mean
        r (1 - F) / F and variance r (1 - F) / F^2 + (r error / F^2)^2. NaN where the share is 0. With nothing reported yet the
        variance is that of one record, for 0 of an unknown number is no proof of 0.

    Raises
    ------
    CalendarError
        If ``level`` does not lie between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise CalendarError(f"nowcast: level must lie between 0 and 1, got {level}")
    reported, share, error = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (reported, share, error)))
    with np.errstate(invalid="ignore", divide="ignore"):
        point = np.where(share > 0, reported / share, np.nan)
        base = np.maximum(reported, 1.0)
        mean = base * (1.0 - share) / share
        variance = mean / share + (base * error / share**2) ** 2
        open_ = (share > 0) & (mean > 0)
        p = np.where(open_, mean / variance, 0.5)
        size = np.where(open_, mean * p / (1.0 - p), 1.0)
    ends = []
    for tail in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
        missing = np.where(open_, stats.nbinom.ppf(tail, size, p), 0.0)
        ends.append(np.where(share > 0, reported + missing, np.nan))
    return point, np.where(reported > 0, ends[0], np.where(share > 0, 0.0, np.nan)), ends[1]
