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

from riskwatch.detectors.binomial_prior import Prior, effective, estimate_prior, predictive
from riskwatch.rates import beta_binomial

__all__ = ["HIGHEST", "Moments", "draw_together", "estimate_correlation", "group_correlations", "moments", "square_variance"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

HIGHEST = 0.99
_TURNS = 2  # of leaving out and estimating again
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
    error : float
        Variance of ``above`` under the correlation that was asked about.
    """

    above: float
    below: float
    error: float


def square_variance(n: FloatArray, p: FloatArray, rho: float) -> FloatArray:
    """Return the variance of (x - n p)^2 / n for beta-binomial x with mean n p and correlation ``rho``; 0 where n is 0.

    From the factorial moments E[x (x - 1) ... (x - k + 1)] = n ... (n - k + 1) prod_j (p (1 - rho) + j rho) / (1 - rho + j rho). Without
    correlation it is 2 v^2 + v (1 - 6 v) / n with v = p (1 - p).

    Parameters
    ----------
    n, p : array
        Of shapes that go together.
    rho : float
        In [0, 1).
    """
    n, p = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(n, p))
    factorial = [np.ones(n.shape)]
    for j in range(4):
        factorial.append(factorial[-1] * np.maximum(n - j, 0.0) * (p * (1.0 - rho) + j * rho) / (1.0 - rho + j * rho))
    _, m1, m2, m3, m4 = factorial
    second = m2 + m1
    fourth = m4 + 6.0 * m3 + 7.0 * m2 + m1 - 4.0 * m1 * (m3 + 3.0 * m2 + m1) + 6.0 * m1**2 * second - 3.0 * m1**4
    return np.divide(np.maximum(fourth - (second - m1**2) ** 2, 0.0), n**2, out=np.zeros(n.shape), where=n > 0)


def moments(x: FloatArray, n: FloatArray, rho: float | None = None) -> Moments:
    """Return how much more than chance the failures of a group scatter between periods, each series about its own rate.

    The sum over series and periods of (x - n p)^2 / n, p the series' own rate, has its expectation under
    Var(x) = n v (1 + (n - 1) rho) in ``above`` = rho ``below``.

    Parameters
    ----------
    x, n : array, shape (series, period)
        Failures and inspections; n = 0 where there were none.
    rho : float, optional
        Correlation under which ``error`` is wanted; NaN without.
    """
    total, failed = n.sum(axis=1), x.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = failed / total
        spread = np.where(n > 0, (x - n * rate[:, None]) ** 2 / np.where(n > 0, n, 1.0), 0.0).sum(axis=1)
        variance = rate * (1.0 - rate) * total / (total - 1.0)
        periods = (n > 0).sum(axis=1)
        pairs = (n * np.maximum(n - 1.0, 0.0)).sum(axis=1)
        slope = np.maximum(n - 1.0, 0.0).sum(axis=1) - pairs / total
    use = (periods >= 2) & (total > periods) & np.isfinite(variance)
    # Exactly rounded sums: the order of the series does not matter.
    above = math.fsum((spread - variance * (periods - 1.0))[use].tolist())
    below = math.fsum((variance * slope)[use].tolist())
    error = math.nan
    if rho is not None:
        some = use & (failed > 0)
        error = math.fsum(square_variance(n[some], rate[some, None], rho).sum(axis=1).tolist())
    return Moments(above, below, error)


def estimate_correlation(x: FloatArray, n: FloatArray) -> float:
    """Return the pooled correlation between inspections of one series in one period (over-dispersion between periods).

    One rho for all series, by :func:`moments`; not below 0.

    Parameters
    ----------
    x, n : array, shape (series, period)
        Failures and inspections; n = 0 where there were none.
    """
    found = moments(x, n)
    return float(min(max(found.above / found.below, 0.0), HIGHEST)) if found.below > 0.0 else 0.0


def draw_together(estimate: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
    """Return what to believe of each group (mean and variance), and mean and variance between groups.

    Parameters
    ----------
    estimate, error : array, shape (group,)
        A group's own estimate, unbiased and so at times below 0, and its sampling variance; infinite where it says nothing.
    """
    known = np.isfinite(estimate) & np.isfinite(error)
    r, s = estimate[known], error[known]

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
    unsure = 1.0 / math.fsum((1.0 / (s + between)).tolist())
    own = np.zeros(len(estimate))
    own[known] = between / (s + between)
    mean = np.full(len(estimate), middle)
    mean[known] += own[known] * (r - middle)
    return mean, (1.0 - own) * between + (1.0 - own) ** 2 * unsure, middle, between


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
        Rate and strength to believe in before any sibling is seen (:func:`estimate_prior`).

    Notes
    -----
    The value returned is the root mean square of what is believed of a group, not its mean: where failures are rare, the chance of three
    of them in one period grows with the square of the correlation.
    """
    family = np.asarray(families)
    rho = _drawn([(x[rows], n[rows]) for rows in groups], family)
    if outlier_tail <= 0.0:
        return rho
    priors = [estimate_prior(*effective(x[rows], n[rows], one), one, *typical) for rows, one in zip(groups, rho.tolist(), strict=True)]
    for _ in range(_TURNS):
        kept = []
        for rows, one, prior in zip(groups, rho.tolist(), priors, strict=True):
            out = outlying(x[rows], n[rows], Prior(prior.rate, prior.strength, one), outlier_tail)
            kept.append((np.where(out, 0.0, x[rows]), np.where(out, 0.0, n[rows])))
        rho = _drawn(kept, family)
    return rho


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
        weight = 1.0 / (1.0 + np.maximum(n[row, column] - 1.0, 0.0) * prior.correlation)
        a, b = predictive(failed[row] - weight * x[row, column], np.maximum(total[row] - weight * n[row, column], 0.0), prior)
        out[row, column] = beta_binomial.tail(x[row, column], np.ceil(n[row, column]), a, b) < level
    return out


def _drawn(counts: Sequence[tuple[FloatArray, FloatArray]], family: IntArray) -> FloatArray:
    """Return the root mean square of what is believed of each group's correlation, each family by itself."""
    rho = np.zeros(len(counts))
    plain = [moments(x, n) for x, n in counts]
    for one in np.unique(family):
        at = np.flatnonzero(family == one).tolist()
        below = math.fsum(plain[k].below for k in at)
        if below <= 0.0:
            continue
        common = min(max(math.fsum(plain[k].above for k in at) / below, 0.0), HIGHEST)
        # Errors under the common correlation: those under a group's own would give the lucky ones the greatest weight.
        found = [moments(*counts[k], common) for k in at]
        r = np.array([m.above / m.below if m.below > 0.0 else math.nan for m in found])
        s = np.array([m.error / m.below**2 if m.below > 0.0 else math.nan for m in found])
        mean, variance, *_ = draw_together(r, s)
        rho[at] = np.sqrt(np.clip(mean, 0.0, HIGHEST) ** 2 + variance)
    return np.minimum(rho, HIGHEST)
