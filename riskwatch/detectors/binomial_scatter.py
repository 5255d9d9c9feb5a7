"""How far failures scatter between periods beyond chance: the correlation between two inspections of one series in one period.

One group of siblings with few failures says little of it, and one outbreak within the baseline says too much. So periods that stand out
of their own series are left out, and each group's estimate is drawn to that of all groups by what it rests on.

Sources
-------
Moment estimator of the correlation: Kleinman (1973), J. Amer. Statist. Assoc. 68(341), 46-54.
Linear (credibility) estimate of a group by the variances within and between groups: Buehlmann & Straub (1970), Bulletin of the Swiss
Association of Actuaries 70, 111-133.
Variance between groups with unequal errors: Paule & Mandel (1982), J. Res. Natl. Bur. Stand. 87(5), 377-385; DerSimonian & Kacker (2007),
Contemp. Clin. Trials 28(2), 105-114.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.detectors.binomial_prior import Prior, effective, estimate_priors, predictive
from riskwatch.rates import beta_binomial

__all__ = [
    "HIGHEST",
    "Moments",
    "central_moments",
    "draw_together",
    "estimate_correlation",
    "group_correlations",
    "moments",
    "outlying",
    "sampling_error",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

HIGHEST = 0.99
_TURNS = 2  # of leaving out and estimating again
_EPISODE = 3  # periods
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Moments:
    """What one group of siblings says of the correlation.

    Attributes
    ----------
    above : float
        Sum over series and periods of (x - n p)^2 / n beyond what no correlation leads to expect.
    below : float
        What a correlation of 1 would add to it; 0 where the group says nothing.
    """

    above: float
    below: float

    @property
    def ratio(self) -> float:
        """The group's own estimate, unbiased and so at times below 0; NaN where it says nothing."""
        return self.above / self.below if self.below > 0.0 else math.nan


def moments(x: FloatArray, n: FloatArray) -> Moments:
    """Return how much more than chance the failures of a group scatter between periods, each series about its own rate.

    The sum over series and periods of (x - n p)^2 / n, p the series' own rate, has its expectation under
    Var(x) = n v (1 + (n - 1) rho) in ``above`` = rho ``below``.

    Parameters
    ----------
    x, n : array, shape (series, period)
        Failures and inspections; n = 0 where there were none.
    """
    total, failed, periods, slope, use = _shape(x, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = failed / total
        spread = np.where(n > 0, (x - n * rate[:, None]) ** 2 / np.where(n > 0, n, 1.0), 0.0).sum(axis=1)
        variance = rate * (1.0 - rate) * total / (total - 1.0)
    use &= np.isfinite(variance)
    # Exactly rounded sums: the order of the series does not matter.
    above = math.fsum((spread - variance * (periods - 1.0))[use].tolist())
    below = math.fsum((variance * slope)[use].tolist())
    return Moments(above, below)


def _shape(x: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return inspections, failures and periods of each series, what a correlation of 1 adds, and whether it tells."""
    total, failed = n.sum(axis=1), x.sum(axis=1)
    periods = (n > 0).sum(axis=1).astype(np.float64)
    pairs = (n * np.maximum(n - 1.0, 0.0)).sum(axis=1)
    slope = np.maximum(n - 1.0, 0.0).sum(axis=1) - np.divide(pairs, total, out=np.zeros(len(total)), where=total > 0)
    return total, failed, periods, slope, (periods >= 2) & (total > periods)


def sampling_error(x: FloatArray, n: FloatArray, rate: FloatArray, rho: float) -> float:
    """Return the variance of ``above`` - ``rho`` ``below`` of :func:`moments` under correlation ``rho``.

    What a lone failure adds to the squares its part in the estimated rate takes away again, so the variance is that of the squares less
    their regression on x: Var(s) - 2 k Cov(s, x) + k^2 Var(x) in each cell, s = (x - n p)^2 / n, k what one failure more adds to the
    expectation of the sum. For rare failures little but the chance of two in one cell is left.

    Parameters
    ----------
    x, n : array, shape (series, period)
    rate : array, shape (series,)
        What the series' rates are taken to be: a series' own would be far off where it failed once or never.
    rho : float
    """
    total, _, periods, slope, use = _shape(x, n)
    if not use.any():
        return 0.0
    p, cells = rate[use], n[use]
    step = (1.0 - 2.0 * p) * (periods[use] - 1.0 + rho * slope[use]) / total[use]
    second, third, fourth = central_moments(cells, p[:, None], rho)
    per = np.where(cells > 0, cells, 1.0)
    each = (fourth - second**2) / per**2 - 2.0 * step[:, None] * third / per + step[:, None] ** 2 * second
    return math.fsum(np.maximum(np.where(cells > 0, each, 0.0), 0.0).sum(axis=1).tolist())


def central_moments(n: FloatArray, p: FloatArray, rho: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the second to fourth central moment of beta-binomial counts with mean n p and correlation ``rho``.

    From the factorial moments E[x (x - 1) ... (x - k + 1)] = n ... (n - k + 1) prod_j (p (1 - rho) + j rho) / (1 - rho + j rho).

    Parameters
    ----------
    n, p : array
        Of shapes that go together.
    rho : float
        In [0, 1).
    """
    factorial = [np.ones(np.broadcast_shapes(np.shape(n), np.shape(p)))]
    for j in range(4):
        factorial.append(factorial[-1] * np.maximum(n - j, 0.0) * (p * (1.0 - rho) + j * rho) / (1.0 - rho + j * rho))
    _, m1, m2, m3, m4 = factorial
    square, cube, power = m2 + m1, m3 + 3.0 * m2 + m1, m4 + 6.0 * m3 + 7.0 * m2 + m1
    third = cube - 3.0 * m1 * square + 2.0 * m1**3
    return square - m1**2, third, power - 4.0 * m1 * cube + 6.0 * m1**2 * square - 3.0 * m1**4


def estimate_correlation(x: FloatArray, n: FloatArray) -> float:
    """Return the pooled correlation between inspections of one series in one period (over-dispersion between periods).

    One rho for all series, by :func:`moments`; not below 0.

    Parameters
    ----------
    x, n : array, shape (series, period)
        Failures and inspections; n = 0 where there were none.
    """
    found = moments(x, n).ratio
    return min(max(found, 0.0), HIGHEST) if math.isfinite(found) else 0.0


def draw_together(estimate: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
    """Return what to believe of each group (mean and variance), and mean and variance between groups.

    Parameters
    ----------
    estimate, error : array, shape (group,)
        A group's own estimate, unbiased and so at times below 0, and its sampling variance; infinite where it says nothing.
    """
    known = np.isfinite(estimate) & (error > 0.0)
    r, s = estimate[known], error[known]
    if not len(r):
        return np.zeros(len(estimate)), np.zeros(len(estimate)), 0.0, 0.0

    def centre(between: float) -> tuple[float, float]:
        weight = 1.0 / (s + between)
        some = math.fsum(weight.tolist())
        middle = math.fsum((weight * r).tolist()) / some
        return middle, math.fsum((weight * (r - middle) ** 2).tolist())

    low, high = 0.0, 1.0
    if len(r) > 1 and centre(0.0)[1] > len(r) - 1:
        for _ in range(_HALVINGS):
            half = (low + high) / 2.0
            low, high = (half, high) if centre(half)[1] > len(r) - 1 else (low, half)
        between = high
    else:
        between = 0.0
    middle = max(centre(between)[0], 0.0)
    own = np.zeros(len(estimate))
    own[known] = between / (s + between)
    mean = np.full(len(estimate), middle)
    mean[known] += own[known] * (r - middle)
    return mean, (1.0 - own) * between, middle, between


def group_correlations(
    x: FloatArray,
    n: FloatArray,
    groups: Sequence[IntArray],
    families: Sequence[int],
    *,
    outlier_tail: float,
    typical: tuple[float, float],
) -> FloatArray:
    """Return the correlation to reckon with in each group, shape (group,).

    Parameters
    ----------
    x, n : array, shape (series, period)
        Failures and inspections of the baseline; n = 0 where there were none. Inspections may be fractions.
    groups : sequence of array of int
        Rows of each group of siblings.
    families : sequence of int
        Groups of one number are drawn towards each other.
    outlier_tail : float
        Periods whose count has a smaller tail are left out.
    typical : tuple of float
        Rate and strength to believe in before any sibling is seen (:func:`estimate_priors`).

    Notes
    -----
    The value returned is the root mean square of what is believed of a group, not its mean: where failures are rare, the chance of three
    of them in one period grows with the square of the correlation.
    """
    family = np.asarray(families)
    start = _common([moments(x[rows], n[rows]) for rows in groups], family)
    correlation = _of_series(groups, start, len(x))
    failed, total = effective(x, n, correlation)
    priors = estimate_priors(failed, total, groups, start.tolist(), rate=typical[0], strength=typical[1])
    rate = _of_series(groups, np.array([one.rate for one in priors]), len(x))
    strength = _of_series(groups, np.array([one.strength for one in priors]), len(x))
    believed = _rates(failed, total, Prior(rate, strength, correlation))
    rates = [believed[rows] for rows in groups]
    counts = [(x[rows], n[rows]) for rows in groups]
    if outlier_tail <= 0.0:
        return _drawn(counts, [moments(*pair) for pair in counts], rates, family)
    # One episode must not hide itself; scatter that is there in other periods too remains.
    rho = _drawn(counts, [without_episode(*pair) for pair in counts], rates, family)
    for _ in range(_TURNS):
        out = outlying(x, n, Prior(rate, strength, _of_series(groups, rho, len(x))), outlier_tail)
        kept = [(np.where(out[rows], 0.0, x[rows]), np.where(out[rows], 0.0, n[rows])) for rows in groups]
        rho = _drawn(kept, [moments(*pair) for pair in kept], rates, family)
    return rho


def _of_series(groups: Sequence[IntArray], values: FloatArray, series: int) -> FloatArray:
    """Return for each series what ``values`` say of its group."""
    out = np.zeros(series)
    for rows, value in zip(groups, values.tolist(), strict=True):
        out[rows] = value
    return out


def outlying(x: FloatArray, n: FloatArray, prior: Prior, level: float) -> npt.NDArray[np.bool_]:
    """Return which periods have more failures than all others of their series, drawn to the siblings', lead to expect.

    Parameters
    ----------
    x, n : array, shape (series, period)
    prior : Prior
    level : float
        A tail probability below it stands out.
    """
    # A lone failure adds nothing to the scatter.
    row, column = np.nonzero(x >= 2)
    out = np.zeros(x.shape, dtype=bool)
    if row.size:
        failed, total = effective(x, n, prior.correlation)
        rate, strength, rho = (np.broadcast_to(part, len(x))[row] for part in (prior.rate, prior.strength, prior.correlation))
        weight = 1.0 / (1.0 + np.maximum(n[row, column] - 1.0, 0.0) * rho)
        others = failed[row] - weight * x[row, column], np.maximum(total[row] - weight * n[row, column], 0.0)
        a, b = predictive(*others, Prior(rate, strength, rho))
        out[row, column] = beta_binomial.tail(x[row, column], np.ceil(n[row, column]), a, b) < level
    return out


def without_episode(x: FloatArray, n: FloatArray) -> Moments:
    """Return the moments of a group without those neighbouring periods, three at most, that raise its correlation most.

    Each series keeps the rate that it has with them: good enough to begin with.

    Parameters
    ----------
    x, n : array, shape (series, period)
    """
    whole = moments(x, n)
    total, failed, periods, _, use = _shape(x, n)
    use &= (total > 1.0) & (failed > 0)
    if not use.any():
        return whole
    x, n, total, periods = x[use], n[use], total[use, None], periods[use, None]
    rate = failed[use, None] / total
    variance = rate * (1.0 - rate) * total / (total - 1.0)
    looked = n > 0
    spread = np.where(looked, (x - n * rate) ** 2 / np.where(looked, n, 1.0) - variance * (1.0 - 1.0 / periods), 0.0)
    more = np.maximum(n - 1.0, 0.0)
    above = [math.fsum(part) for part in spread.T.tolist()]
    below = [math.fsum(part) for part in (variance * (more - n * more / total)).T.tolist()]
    best = whole
    for first in range(len(above)):
        for last in range(first + 1, min(first + _EPISODE, len(above)) + 1):
            rest = whole.below - math.fsum(below[first:last])
            if rest > 0.0:
                left = whole.above - math.fsum(above[first:last])
                if left / rest < best.ratio:
                    best = Moments(left, rest)
    return best


def _rates(failed: FloatArray, total: FloatArray, prior: Prior) -> FloatArray:
    """Return the root mean square of what is believed of each series' rate."""
    size = prior.strength + total
    mean = (prior.rate * prior.strength + failed) / size
    return np.asarray(np.sqrt(mean**2 + mean * (1.0 - mean) / (size + 1.0)))


def _common(found: Sequence[Moments], family: IntArray) -> FloatArray:
    """Return for each group the correlation of all groups of its family together."""
    rho = np.zeros(len(found))
    for one in np.unique(family):
        at = np.flatnonzero(family == one)
        below = math.fsum(found[k].below for k in at.tolist())
        if below > 0.0:
            rho[at] = min(max(math.fsum(found[k].above for k in at.tolist()) / below, 0.0), HIGHEST)
    return rho


def _drawn(
    counts: Sequence[tuple[FloatArray, FloatArray]], found: Sequence[Moments], rates: Sequence[FloatArray], family: IntArray
) -> FloatArray:
    """Return the root mean square of what is believed of each group's correlation, each family by itself."""
    # Errors under the common correlation: those under a group's own would give the lucky ones the greatest weight.
    common = _common(found, family).tolist()
    error = [
        sampling_error(x, n, rate, rho) / one.below**2 if one.below > 0.0 else math.nan
        for (x, n), rate, rho, one in zip(counts, rates, common, found, strict=True)
    ]
    rho = np.zeros(len(counts))
    for one in np.unique(family):
        at = np.flatnonzero(family == one)
        mean, variance, *_ = draw_together(np.array([found[k].ratio for k in at.tolist()]), np.array([error[k] for k in at.tolist()]))
        rho[at] = np.sqrt(np.clip(mean, 0.0, HIGHEST) ** 2 + variance)
    return np.minimum(rho, HIGHEST)
