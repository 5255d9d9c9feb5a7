"""Long-run rates of sibling series by empirical Bayes, and the share that fails in one new period.

Sources
-------
Empirical Bayes by marginal likelihood: Griffiths (1973), Biometrics 29(4), 637-648.
Recurrences and asymptotic series of gamma functions: NIST Digital Library of Mathematical Functions, 5.5, 5.11 and 5.15.
Step lengths: Armijo (1966), Pacific J. Math. 16(1), 1-3; along bounds: Bertsekas (1982), SIAM J. Control Optim. 20(2), 221-246.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["Prior", "effective", "estimate_prior", "estimate_priors", "predictive"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

# Logit of the rate and log of the strength.
_LOW, _HIGH = np.array([[-13.8], [math.log(0.1)]]), np.array([[13.8], [math.log(1e6)]])
_TOLERANCE, _TURNS = 1e-8, 200
_LONGEST = 2.0  # step
_ENOUGH = 1e-4  # of the fall that the slope promises (Armijo)
_FLATTEST = 1e-9  # least curvature to reckon with, as a share of the greatest
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
_SHIFT = 10
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
# Of the series of log gamma, digamma and trigamma, the highest power first.
_STIRLING = [np.array([[b / (2 * k * (2 * k - 1))], [-b / (2 * k)], [b]]) for k, b in reversed(list(enumerate(_BERNOULLI, 1)))]


@dataclass(frozen=True, slots=True)
class Prior:
    """Distribution of the long-run rates of sibling series, Beta(rate * strength, (1 - rate) * strength).

    Each is one for all siblings, or an array of shape (series,). ``strength`` counts as that many inspections; ``correlation`` is
    between two inspections of one series in one period.
    """

    rate: float | FloatArray
    strength: float | FloatArray
    correlation: float | FloatArray


def estimate_prior(failed: FloatArray, total: FloatArray, correlation: float, rate: float, strength: float) -> Prior:
    """Return the prior of one group of siblings: :func:`estimate_priors` with all series in it."""
    return estimate_priors(failed, total, [np.arange(len(failed))], [correlation], rate=rate, strength=strength)[0]


def estimate_priors(
    failed: FloatArray, total: FloatArray, groups: Sequence[IntArray], correlations: Sequence[float], *, rate: float, strength: float
) -> list[Prior]:
    """Return for each group of siblings the prior that makes its totals likeliest.

    Parameters
    ----------
    failed, total : array, shape (series,)
        Effective failures and inspections (see :func:`effective`), may be fractions.
    groups : sequence of array of int
        Rows of each group. Its prior is the same to the last bit whatever the other groups and the order of its rows.
    correlations : sequence of float
        Of each group; handed on.
    rate, strength : float
        What to believe without siblings: the two estimates are pulled towards these with the weight of a normal distribution of
        standard deviation 2 on the logit of the rate and on the log of the strength, which a dozen siblings outweigh.

    Notes
    -----
    Newton's method from that belief, all groups at once. Where the loss bends downwards it is taken to bend upwards as much; a step that
    does not lower the loss is cut to a quarter. A group is done after a step below 1e-8: its error is of the order of the square.
    """
    if not groups:
        return []
    centre = np.array([[special.logit(rate)], [math.log(strength)]])
    counts, todo = _Counts.of(failed, total, groups), np.arange(len(groups))
    point = np.repeat(np.clip(centre, _LOW, _HIGH), len(groups), axis=1)
    best, part = point.copy(), np.ones(len(groups))
    loss, slope, curvature, _ = _loss(point, centre, counts)
    step = _newton_step(point, slope, curvature)
    for _ in range(_TURNS):
        trial = np.clip(point + part * step, _LOW, _HIGH)
        move = trial - point
        value, gradient, curvature, rounding = _loss(trial, centre, counts)
        lower = value <= loss + np.minimum(_ENOUGH * (slope * move).sum(axis=0), 0.0) + rounding
        point, slope, loss = np.where(lower, trial, point), np.where(lower, gradient, slope), np.where(lower, value, loss)
        step, part = np.where(lower, _newton_step(trial, gradient, curvature), step), np.where(lower, 1.0, part / 4.0)
        best[:, todo] = point
        on = np.abs(move).max(axis=0) > _TOLERANCE
        if not on.any():
            break
        if not on.all():
            counts, todo, loss, part = counts.of_groups(on), todo[on], loss[on], part[on]
            point, slope, step = (np.ascontiguousarray(values[:, on]) for values in (point, slope, step))
    rates, strengths = special.expit(best[0]).tolist(), np.exp(best[1]).tolist()
    return [Prior(*found) for found in zip(rates, strengths, correlations, strict=True)]


@dataclass(frozen=True, slots=True)
class _Counts:
    """The distinct counts of each group in ascending order: the loss adds up a term of each failed, each passed and each inspected count.

    Attributes
    ----------
    value, often : array, shape (count,)
        A count, and how many series have it.
    segment : array of int, shape (count,)
        The groups' numbers for failed, then once more for passed, then for inspected counts; ascending.
    start : array of int, shape (3 groups,)
        Where each segment begins.
    """

    value: FloatArray
    often: FloatArray
    segment: IntArray
    start: IntArray

    @classmethod
    def of(cls, failed: FloatArray, total: FloatArray, groups: Sequence[IntArray]) -> _Counts:
        rows = np.concatenate(groups)
        group = np.repeat(np.arange(len(groups)), [len(one) for one in groups])
        x, n, every = failed[rows], total[rows], 3 * len(groups)
        # A count of 0 adds nothing; with one in each segment none is empty.
        value = np.concatenate([x, n - x, n, np.zeros(every)])
        segment = np.concatenate([group, group + len(groups), group + 2 * len(groups), np.arange(every)])
        order = np.lexsort((value, segment))
        value, segment = value[order], segment[order]
        first = np.flatnonzero(np.append(True, (np.diff(value) > 0.0) | (np.diff(segment) > 0)))
        often = np.diff(np.append(first, len(value))).astype(np.float64)
        return cls(value[first], often, segment[first], np.searchsorted(segment[first], np.arange(every)))

    def of_groups(self, chosen: npt.NDArray[np.bool_]) -> _Counts:
        """Return the counts of some groups, numbered anew."""
        segments = np.tile(chosen, 3)
        kept = segments[self.segment]
        segment = (np.cumsum(segments) - 1)[self.segment[kept]]
        return _Counts(self.value[kept], self.often[kept], segment, np.searchsorted(segment, np.arange(int(segments.sum()))))


def _loss(point: FloatArray, centre: FloatArray, counts: _Counts) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return what is minimised in each group, its gradient (2, group) and curvature (3, group), and how far rounding may have moved it.

    The penalty less the log likelihood: lgamma(x + a) - lgamma(a) and the same of n - x and b, less that of n and a + b, over all series.
    """
    mean, other, size = special.expit(point[0]), special.expit(-point[0]), np.exp(point[1])
    a, b = mean * size, other * size
    rises = _rises(np.concatenate([a, b, size]), counts) * counts.often
    # Sums over segments: each rests on its own counts alone, whatever lies beside it.
    (a0, b0, s0), (a1, b1, s1), (a2, b2, s2) = np.add.reduceat(rises, counts.start, axis=1).reshape(3, 3, -1)
    away = (point - centre) / 2.0
    by_rate, by_size = mean * other * size * (a1 - b1), a * a1 + b * b1 - size * s1
    value = (away**2).sum(axis=0) / 2.0 - (a0 + b0 - s0)
    gradient = away / 2.0 - np.stack([by_rate, by_size])
    spread = mean * other * size
    twice = by_rate * (other - mean) + spread**2 * (a2 + b2)
    mixed = by_rate + spread * (a * a2 - b * b2)
    rest = by_size + a**2 * a2 + b**2 * b2 - size**2 * s2
    curvature = np.stack([0.25 - twice, -mixed, 0.25 - rest])
    series = np.add.reduceat(counts.often, counts.start).reshape(3, -1).sum(axis=0)
    return value, gradient, curvature, _ROUNDING * (np.abs(a0) + np.abs(b0) + np.abs(s0) + series)


def _newton_step(point: FloatArray, gradient: FloatArray, curvature: FloatArray) -> FloatArray:
    """Return the step to the bottom of the parabola at ``point``, of bounded length, along bounds where it would lead beyond them."""
    (g, h), (uu, uv, vv) = gradient, curvature
    middle, root = (uu + vv) / 2.0, np.sqrt(((uu - vv) / 2.0) ** 2 + uv**2)
    least = middle - root
    lift = np.maximum(np.abs(least), _FLATTEST * (np.abs(middle) + root)) - least
    uu, vv = uu + lift, vv + lift
    det = uu * vv - uv**2
    step = np.stack([uv * h - vv * g, uv * g - uu * h]) / det
    stopped = ((point <= _LOW) & (step < 0.0)) | ((point >= _HIGH) & (step > 0.0))
    alone = np.where(stopped, 0.0, -gradient / np.stack([uu, vv]))
    step = np.where(stopped.any(axis=0), alone, step)
    return np.asarray(step * np.minimum(1.0, _LONGEST / np.maximum(np.abs(step).max(axis=0), _LONGEST)))


def _rises(start: FloatArray, counts: _Counts) -> FloatArray:
    """Return by how much log gamma, digamma and trigamma of start + count are more than those of start, shape (3, count).

    Parameters
    ----------
    start : array, shape (segment,)
    counts : _Counts

    Notes
    -----
    Differences of the functions themselves lose all digits where the start is a million and the count 1. The recurrences lead to
    arguments of 10 at least, where Stirling's series have no more rounding than the count itself.
    """
    at, x, many = counts.segment, counts.value, len(start)
    both = np.concatenate([start, start[at] + x])
    product, *steps = _steps(both)
    both += _SHIFT
    rest, *series = _stirling(both)
    more = np.log1p(x / both[:many][at])
    whole = (both[:many] - 0.5)[at] * more + x * (np.log(both[many:]) - 1.0) - np.log(product[many:] / product[:many][at])
    first, second = (ahead - behind for ahead, behind in zip(series, steps, strict=True))
    return np.stack([whole, more, np.zeros(len(x))]) + np.stack([part[many:] - part[:many][at] for part in (rest, first, second)])


def _steps(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the product of z, z + 1, ..., z + 9, the sum of their reciprocals and less that of the squares of these."""
    product, first, second = np.ones(z.shape), np.zeros(z.shape), np.zeros(z.shape)
    for k in range(_SHIFT):
        factor = z + k
        share = 1.0 / factor
        product *= factor
        first += share
        second -= share * share
    return product, first, second


def _stirling(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lgamma(z) - (z - 1/2) log z + z - log(2 pi) / 2, digamma(z) - log z and trigamma(z), for z of 10 at least."""
    share = 1.0 / z
    square = share * share
    parts = np.zeros((3, len(z)))
    for factors in _STIRLING:
        parts *= square
        parts += factors
    return parts[0] * share, parts[1] * square - share / 2.0, parts[2] * square * share + square / 2.0 + share


def effective(x: FloatArray, n: FloatArray, correlation: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return failures and inspections per series with each period divided by its design effect 1 + (n - 1) rho.

    Parameters
    ----------
    x, n : array, shape (series, period)
    correlation : float or array, shape (series,)
    """
    if isinstance(correlation, np.ndarray):
        correlation = correlation[:, None]
    weight = np.where(n > 0, 1.0 / (1.0 + np.maximum(n - 1.0, 0.0) * correlation), 0.0)
    return (x * weight).sum(axis=1), (n * weight).sum(axis=1)


def predictive(failed: FloatArray, total: FloatArray, prior: Prior) -> tuple[FloatArray, FloatArray]:
    """Return a, b of the rate of one new period, as the beta distribution with its exact mean and variance.

    The long-run rate has the posterior Beta(rate * strength + failed, ...); a period's rate scatters around it with ``correlation``.
    Both variances add up: 1 / (a + b + 1) = r + rho (1 - r), with r the posterior's own 1 / (total + strength + 1). Without correlation
    this is exact; with it, tails down to 0.0001 are between 2 % too small and 30 % too large against integration over the mixture.
    """
    size = prior.strength + total
    mean = (prior.rate * prior.strength + failed) / size
    r = 1.0 / (size + 1.0)
    joint = r + prior.correlation * (1.0 - r)
    strength = 1.0 / joint - 1.0
    return mean * strength, (1.0 - mean) * strength
