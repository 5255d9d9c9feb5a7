"""The gamma-Poisson shrinker: ratios of observed to expected counts, drawn to what the ratios of all cells are like.

A count N with expected count E is Poisson with mean lambda E. The ratio lambda has the prior P Gamma(a1, b1) + (1 - P) Gamma(a2, b2);
b are rates.

Sources
-------
DuMouchel (1999), Amer. Statist. 53(3), 177-190. Squashing, counts below a floor left out: DuMouchel & Pregibon (2001), Proc.
KDD 2001, 67-76.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from riskwatch.detectors.beta_negative_binomial import log_beta
from riskwatch.errors import DetectorError

__all__ = ["STARTS", "Posterior", "TwoGammas", "fit_prior", "log_marginal_of", "posterior", "squash"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TwoGammas:
    """Prior of the ratios: a mixture of two gamma distributions with shapes ``a``, rates ``b`` and the share of the first.

    The first is the one with the larger mean (the unusual pairs).
    """

    a1: float
    b1: float
    a2: float
    b2: float
    share: float

    @property
    def array(self) -> FloatArray:
        """The five numbers in the order of the literature: a1, b1, a2, b2, share."""
        return np.array([self.a1, self.b1, self.a2, self.b2, self.share])

    @property
    def mean(self) -> float:
        """Mean ratio."""
        return self.share * self.a1 / self.b1 + (1.0 - self.share) * self.a2 / self.b2


# Where the search begins: few very unusual pairs, as DuMouchel (1999); many moderately unusual; hardly any spread; heavy tail.
STARTS = (
    TwoGammas(0.2, 0.1, 2.0, 4.0, 1.0 / 3.0),
    TwoGammas(3.0, 0.5, 2.0, 2.0, 0.1),
    TwoGammas(20.0, 10.0, 20.0, 20.0, 0.1),
    TwoGammas(0.5, 0.02, 1.0, 1.0, 0.05),
)
_LOWEST, _HIGHEST = 1e-4, 1e9
_TYPICAL = np.array([np.log(2.0), np.log(1.0), np.log(2.0), np.log(2.0), -2.0])


def _log_mass(n: FloatArray, e: FloatArray, a: float, b: float) -> FloatArray:
    """Return the log of the negative-binomial mass of one component; one look-up per distinct count."""
    whole, at = np.unique(n, return_inverse=True)
    rising = special.gammaln(a + whole) - special.gammaln(a) - special.gammaln(whole + 1.0)
    if a > 1e5:
        rising = special.xlogy(whole, a) - special.gammaln(whole + 1.0) + _log_poch_ratio(a, whole)
    with np.errstate(divide="ignore"):
        return np.asarray(rising[at] - a * np.log1p(e / b) + special.xlogy(n, e / (b + e)))


def _log_poch_ratio(a: float, n: FloatArray) -> FloatArray:
    """Return log(gamma(a + n) / gamma(a)) - n log a by Stirling's series, for large a."""
    return np.asarray((a + n - 0.5) * np.log1p(n / a) - n + (1.0 / (a + n) - 1.0 / a) / 12.0)


def _mixture(point: FloatArray, n: FloatArray, e: FloatArray, floor: int) -> tuple[FloatArray, FloatArray]:
    """Return the log likelihood of each cell and its gradient by the transformed parameters, shape (5, cell)."""
    share = special.expit(point[4])
    logs, slopes = [], []
    for a, b in (np.exp(point[:2]), np.exp(point[2:4])):
        value, slope = _log_mass(n, e, a, b), _log_mass_slope(n, e, a, b)
        if floor:
            above, slope_above = _log_above(e, a, b, floor)
            value, slope = value - above, slope - slope_above
        logs.append(value)
        slopes.append(slope)
    first, second = special.log_expit(point[4]) + logs[0], special.log_expit(-point[4]) + logs[1]
    both = np.logaddexp(first, second)
    weight = np.exp(first - both)
    return both, np.concatenate([weight * slopes[0], (1.0 - weight) * slopes[1], (weight - share)[None]])


def _log_mass_slope(n: FloatArray, e: FloatArray, a: float, b: float) -> FloatArray:
    """Return the derivatives of the log mass by log a and log b, shape (2, cell)."""
    whole, at = np.unique(n, return_inverse=True)
    rising = special.digamma(a + whole) - special.digamma(a)
    return np.stack([(rising[at] - np.log1p(e / b)) * a, (a * e - n * b) / (b + e)])


def _log_above(e: FloatArray, a: float, b: float, floor: int) -> tuple[FloatArray, FloatArray]:
    """Return log P(N >= floor) of one component and its derivatives, without the cancellation of 1 - P(N = 0) where that is nearly 1."""
    above, slope = -np.expm1(-a * np.log1p(e / b)), np.zeros((2, len(e)))
    for count in range(floor):
        at = np.full(len(e), float(count))
        mass = np.exp(_log_mass(at, e, a, b))
        slope -= mass * _log_mass_slope(at, e, a, b)
        if count:
            above = above - mass
    above = np.maximum(above, 1e-300)
    return np.log(above), slope / above


def squash(
    n: FloatArray, e: FloatArray, *, bins: dict[int, tuple[int, int]] | None = None, ratio: float | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Put cells with the same count and near expected counts together: fewer cells, nearly the same likelihood.

    Parameters
    ----------
    n, e : array, shape (cell,)
        Counts and expected counts.
    bins : dict of int to (size, kept), optional
        For each count, how many cells, neighbours by expected count, become one, and how many with the largest expected counts stay.
    ratio : float, optional
        Instead: cells of one count whose expected counts lie within this ratio (1.05: 5 %) become one.

    Returns
    -------
    n, e, weight : array
        Distinct cells in order, ``e`` the mean of those put together, and how many each stands for. Without ``bins`` and ``ratio`` only
        equal cells are put together, which changes nothing.
    """
    order = np.lexsort((e, n))
    n, e = n[order], e[order]
    group = np.zeros(len(n), np.int64)
    if ratio is not None:
        group = np.floor(np.log(np.maximum(e, 1e-300)) / np.log(ratio)).astype(np.int64)
        new = (np.diff(n) != 0) | (np.diff(group) != 0)
    else:
        for count, (size, kept) in (bins or {}).items():
            first, last = int(np.searchsorted(n, count, "left")), int(np.searchsorted(n, count, "right"))
            full = max(last - first - kept, 0) // size * size
            group[first : first + full] = 1 + np.arange(full) // size
        inside = (group[1:] > 0) & (group[1:] == group[:-1])
        new = (np.diff(n) != 0) | (~inside & ((np.diff(e) != 0) | (group[1:] != group[:-1])))
    start = np.flatnonzero(np.concatenate([[True], new])) if len(n) else np.empty(0, np.int64)
    weight = np.diff(np.append(start, len(n))).astype(np.float64)
    return n[start], np.add.reduceat(e, start) / weight if len(start) else np.empty(0), weight


def fit_prior(
    n: FloatArray,
    e: FloatArray,
    weight: FloatArray | None = None,
    *,
    floor: int = 1,
    starts: Sequence[TwoGammas] = STARTS,
    pull: float = 0.0,
) -> TwoGammas:
    """Return the prior that makes the counts likeliest.

    Parameters
    ----------
    n, e : array, shape (cell,)
        Counts and positive expected counts.
    weight : array, shape (cell,), optional
        How many cells each stands for (see :func:`squash`).
    floor : int
        Smallest count that is in the table. 0: all cells, those without a case too; 1: only pairs that occur, so that pairs which cannot
        occur do not matter. Each component's mass is then divided by its own P(N >= floor), as published: ``share`` is that among
        the pairs in the table.
    starts : sequence of TwoGammas
        The likelihood has several hills: the best of the searches is returned.
    pull : float
        The logs of the parameters are pulled to typical values with the weight of a normal distribution of standard deviation
        1 / sqrt(pull). 0: none, the maximum of the likelihood; with few cells that may lie at infinity.

    Raises
    ------
    DetectorError
        If there is no cell, an expected count is not positive, a count is below the floor, or no search ends well.
    """
    w = np.ones(len(n)) if weight is None else weight
    wrong = ~(e > 0) | ~(n >= floor) | ~np.isfinite(e)
    if wrong.any() or not len(n):
        raise DetectorError(
            f"fit_prior: needs cells with expected > 0 and counts >= floor ({floor}); "
            + (f"cell {int(np.flatnonzero(wrong)[0])} is {n[wrong][0]:g} of {e[wrong][0]:g}" if len(n) else "there are none"),
        )
    # Per unit of weight, so that the tolerances of the search mean the same for ten cells and for a million.
    scale = max(float(w.sum()), 1.0)

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = _mixture(point, n, e, floor)
        away = point - _TYPICAL
        return (pull * float(away @ away) / 2.0 - float(w @ value)) / scale, (pull * away - gradient @ w) / scale

    bounds = [(np.log(_LOWEST), np.log(_HIGHEST))] * 4 + [(-15.0, 15.0)]
    best = None
    for start in starts:
        point = np.append(np.log(start.array[:4]), special.logit(min(max(start.share, 1e-6), 1.0 - 1e-6)))
        found = optimize.minimize(
            loss, point, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 1000, "maxcor": 20, "ftol": 1e-14, "gtol": 1e-9}
        )
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    if best is None:
        raise DetectorError("fit_prior: no search for the prior ended well", hint="expected counts may be many orders of magnitude apart")
    a1, b1, a2, b2 = np.exp(best.x[:4]).tolist()
    share = float(special.expit(best.x[4]))
    return TwoGammas(a1, b1, a2, b2, share) if a1 / b1 >= a2 / b2 else TwoGammas(a2, b2, a1, b1, 1.0 - share)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of each ratio once its count is seen: again two gamma distributions; arrays of shape (cell,)."""

    weight: FloatArray
    a1: FloatArray
    b1: FloatArray
    a2: FloatArray
    b2: FloatArray

    def take(self, rows: npt.NDArray[np.intp]) -> Posterior:
        """Return some of the cells."""
        return Posterior(self.weight[rows], self.a1[rows], self.b1[rows], self.a2[rows], self.b2[rows])

    @property
    def mean(self) -> FloatArray:
        """Posterior mean of the ratio."""
        return self.weight * self.a1 / self.b1 + (1.0 - self.weight) * self.a2 / self.b2

    @property
    def ebgm(self) -> FloatArray:
        """Empirical Bayes geometric mean: exp of the posterior mean of log(ratio)."""
        first, second = special.digamma(self.a1) - np.log(self.b1), special.digamma(self.a2) - np.log(self.b2)
        return np.asarray(np.exp(self.weight * first + (1.0 - self.weight) * second))

    def at_most(self, ratio: FloatArray | float) -> FloatArray:
        """Return the posterior probability that the ratio is at most ``ratio``."""
        return np.asarray(
            self.weight * special.gammainc(self.a1, self.b1 * ratio) + (1.0 - self.weight) * special.gammainc(self.a2, self.b2 * ratio)
        )

    def quantile(self, level: float) -> FloatArray:
        """Return the ratio that the true one is at most with probability ``level``: 0.05 is EB05, 0.95 is EB95.

        By Newton steps on the log of the ratio that are kept within brackets: the quantiles of the two components.
        """
        one = special.gammaincinv(self.a1, level) / self.b1
        two = special.gammaincinv(self.a2, level) / self.b2
        out = np.where(self.weight >= 0.5, one, two)
        low, high = np.minimum(one, two), np.maximum(one, two)
        todo = np.flatnonzero((high > low * (1.0 + 1e-13)) & (self.weight > 0.0) & (self.weight < 1.0))
        w, a1, b1, a2, b2 = (part[todo] for part in (self.weight, self.a1, self.b1, self.a2, self.b2))
        low, high = np.maximum(low[todo], 1e-300), high[todo]
        x = low ** (1.0 - w) * high**w if len(todo) else low
        x = np.clip(np.where(one[todo] <= two[todo], low**w * high ** (1.0 - w), x), low, high)
        norm1, norm2 = special.gammaln(a1), special.gammaln(a2)
        for _ in range(200):
            miss = w * special.gammainc(a1, b1 * x) + (1.0 - w) * special.gammainc(a2, b2 * x) - level
            low, high = np.where(miss <= 0, x, low), np.where(miss >= 0, x, high)
            slope = w * np.exp(a1 * np.log(b1 * x) - b1 * x - norm1) + (1.0 - w) * np.exp(a2 * np.log(b2 * x) - b2 * x - norm2)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = x * np.exp(-miss / slope)
            inside = (step > low) & (step < high)
            new = np.where(inside, step, np.sqrt(low) * np.sqrt(high))
            done = (np.abs(new - x) <= 1e-12 * x) | (high <= low * (1.0 + 1e-12))
            out[todo] = new
            if done.all():
                break
            keep = ~done
            todo, x, low, high = todo[keep], new[keep], low[keep], high[keep]
            w, a1, b1, a2, b2, norm1, norm2 = (part[keep] for part in (w, a1, b1, a2, b2, norm1, norm2))
        return np.asarray(out)


def posterior(prior: TwoGammas, n: FloatArray, e: FloatArray) -> Posterior:
    """Return the posterior of each ratio given its count ``n`` and expected count ``e`` (0 where nothing was seen: the prior)."""
    first, second = _log_mass(n, e, prior.a1, prior.b1), _log_mass(n, e, prior.a2, prior.b2)
    with np.errstate(divide="ignore"):
        weight = special.expit(special.logit(prior.share) + first - second)
    return Posterior(weight, prior.a1 + n, prior.b1 + e, prior.a2 + n, prior.b2 + e)


def log_marginal_of(known: Posterior, n: FloatArray, e: FloatArray) -> FloatArray:
    """Return the log of the probability of new counts, each cell's ratio drawn from what is known of it."""
    parts = []
    for a, b in ((known.a1, known.b1), (known.a2, known.b2)):
        # choose(n + a - 1, n) through the beta function: differences of log gammas lose digits where a is large.
        choose = -np.log(n + a) - log_beta(n + 1.0, a)
        parts.append(choose - a * np.log1p(e / b) + special.xlogy(n, e / (b + e)))
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp(np.log(known.weight) + parts[0], np.log1p(-known.weight) + parts[1]))
