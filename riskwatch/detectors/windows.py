"""Evidence summed over windows of one to three periods, and the joint level of the smallest of their tail probabilities.

Counts of the newest periods are independent negative binomials with a common dispersion phi = variance / mean, so that the sum over a
window is again negative binomial with this dispersion. The score of a series is the smallest of the windows' tail probabilities, each
multiplied by the window's cost; its p-value is the probability, without any outbreak, of a score this small in a period whose own count
reaches its expectation. The mid p-value takes half of the judged count's own step off: it is the mean of the p-values of this count and of
the next larger one.

The windows end with the judged period and grow backwards, so their sums form a Markov chain: given the middle sum, the shortest and the
longest are independent. For small counts all cases are enumerated; for larger ones the chain is taken as that of normal scores with the
same correlations, which leaves one integral.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.thresholds import negative_binomial_tail

__all__ = ["Windows", "chain_probability", "enumerated_probability"]

FloatArray = npt.NDArray[np.float64]

_TINY = 1e-300
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(14)
_TABLES = (12, 24, 40)  # sizes of the enumerated tables; larger counts go to the normal chain


def chain_probability(tails: FloatArray, reach: FloatArray, rho: FloatArray) -> FloatArray:
    """Return P(Z1 >= r and (Z1 >= a1 or Z2 >= a2 or Z3 >= a3)) for a Markov chain of standard normal variables.

    Parameters
    ----------
    tails : array, shape (3, cells)
        Upper tail probabilities of a1, a2, a3; a1 >= r.
    reach : array, shape (cells,)
        Upper tail probability of r.
    rho : array, shape (2, cells)
        Correlations of Z1 with Z2 and of Z2 with Z3.
    """
    a1, a2, a3 = (-special.ndtri(np.clip(part, _TINY, 1.0 - 1e-15)) for part in tails)
    r = np.minimum(-special.ndtri(np.clip(reach, _TINY, 1.0 - 1e-15)), a1)
    rho12, rho23 = np.minimum(rho, 1.0 - 1e-9)
    left12, left23 = np.sqrt(1.0 - rho12**2), np.sqrt(1.0 - rho23**2)

    def integral(low: FloatArray, high: FloatArray, *, third: bool) -> FloatArray:
        half, total = (high - low) / 2.0, np.zeros_like(a2)
        for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
            z = low + half * (1.0 + node)
            value = special.ndtr((a1 - rho12 * z) / left12) - special.ndtr((r - rho12 * z) / left12)  # P(r <= Z1 < a1 | Z2 = z)
            if third:
                value *= special.ndtr((rho23 * z - a3) / left23)
            total += weight * np.exp(-(z**2) / 2.0) * value
        return np.asarray(half * total / math.sqrt(2.0 * math.pi))

    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        second = integral(a2, np.maximum(a2, 0.0) + 5.0, third=False)
        # Below a2 the third sum must reach a3: less than 7 of its conditional deviations away.
        low = np.minimum(np.maximum(a3 - 7.0 * left23 - 1.0, -7.0), a2 - 1e-9)
        third = integral(low, a2, third=True)
    return np.asarray(np.clip(special.ndtr(-a1) + second + third, 0.0, 1.0))


def _mass(mean: FloatArray, phi: FloatArray, size: int) -> FloatArray:
    """Return P(Y = 0 .. size - 1), shape (size, cells), by the recurrence; a mean of 0 is the count 0."""
    out = np.empty((size, mean.size))
    above = phi - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        out[0] = np.exp(-mean * np.where(above > 1e-9, np.log(phi) / np.where(above > 1e-9, above, 1.0), 1.0))
    for y in range(1, size):
        out[y] = out[y - 1] * (mean + above * (y - 1)) / (y * phi)
    return out


def enumerated_probability(limits: npt.NDArray[np.int64], reach: npt.NDArray[np.int64], means: FloatArray, phi: FloatArray) -> FloatArray:
    """Return P(Y1 >= r and (Y1 >= c1 or Y1 + Y2 >= c2 or Y1 + Y2 + Y3 >= c3)) by going through all cases.

    Parameters
    ----------
    limits : array of int, shape (3, cells)
        c1, c2, c3; small whole numbers.
    reach : array of int, shape (cells,)
        r.
    means : array, shape (3, cells)
        Of Y1 (the newest), Y2, Y3.
    phi : array, shape (cells,)
    """
    c1, c2, c3 = limits
    first = np.maximum(np.minimum(c1, c2), reach)  # from here on every count alarms: with c2 at the latest
    size = int(max(limits.max(initial=1), reach.max(initial=1))) + 1
    mass1, mass2, mass3 = (_mass(mean, phi, size) for mean in means)
    below3 = np.zeros((size + 1, phi.size))  # P(Y3 < j)
    np.cumsum(mass3, axis=0, out=below3[1:])
    flat = below3.ravel()
    total = negative_binomial_tail(first.astype(np.float64), means[0], phi)
    for y in range(int(reach.min(initial=0)), int(first.max(initial=0))):
        left = np.where((y >= reach) & (y < first), c2 - y, 0)  # quiet while Y2 is below
        quiet = np.zeros(phi.size)
        place = (c3 - y) * phi.size + np.arange(phi.size)
        for x in range(min(int(left.max(initial=0)), size)):
            quiet += np.where(x < left, mass2[x] * flat.take(place, mode="clip"), 0.0)
            place -= phi.size
        total += np.where(left > 0, mass1[y] * (1.0 - quiet), 0.0)
    return np.asarray(np.clip(total, 0.0, 1.0))


def _reach(means: FloatArray) -> FloatArray:
    """Return the smallest count of the judged period that can be evidence: its expectation, and at least one case."""
    return np.asarray(np.maximum(np.ceil(means[0]), 1.0))


def _next(y: FloatArray) -> FloatArray:
    return np.vstack([y[:1] + 1.0, y[1:]])


@dataclass(frozen=True)
class Windows:
    """The windows of one, two and three periods, and what a longer one costs.

    Attributes
    ----------
    costs : tuple of float
        Natural logarithm by which each window's tail probability is raised; 0 for the first, above 0 for the others.
    mid_p : bool
        Half of a count's own step counts: levels are right on average instead of at most.
    """

    costs: tuple[float, float, float]
    mid_p: bool = False

    def p_value(self, y: FloatArray, means: FloatArray, phi: FloatArray) -> FloatArray:
        """Return the p-values of the judged counts.

        A count below its expectation is no evidence, whatever came before: its p-value is P(Y1 >= y), and at least one half. With
        ``mid_p`` it is P(Y1 > y) + P(Y1 = y) / 2, and at least one half.

        Parameters
        ----------
        y, means : array, shape (3, cells)
            Counts and expected counts of the judged period and of the two before it, newest first; both 0 where a period
            is missing or not to be used.
        phi : array, shape (cells,)
            Common dispersion, variance / mean.
        """
        out = self._strict(y, means, phi)
        if self.mid_p:
            low = y[0] < _reach(means)
            at = np.flatnonzero(~low)
            out[at] = (out[at] + self._strict(_next(y[:, at]), means[:, at], phi[at])) / 2.0
            at = np.flatnonzero(low)
            own, above = (negative_binomial_tail(y[0, at] + more, means[0, at], phi[at]) for more in (0.0, 1.0))
            out[at] = np.maximum((own + above) / 2.0, 0.5)
        return out

    def span(self, y: FloatArray, means: FloatArray, phi: FloatArray) -> npt.NDArray[np.int64]:
        """Return the periods of the window that speaks loudest, its cost reckoned in; arguments as for :meth:`p_value`."""
        return np.asarray(1 + self._raised(y, np.cumsum(means, axis=0), phi)[1].argmin(axis=0), dtype=np.int64)

    def _raised(self, y: FloatArray, expected: FloatArray, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the tail probability of each window's sum, as it is and raised by the window's cost."""
        tails = np.stack([negative_binomial_tail(total, mean, phi) for total, mean in zip(np.cumsum(y, axis=0), expected, strict=True)])
        return tails, tails * np.exp(np.asarray(self.costs))[:, None]

    def _strict(self, y: FloatArray, means: FloatArray, phi: FloatArray) -> FloatArray:
        """Return the probability of a score at least as extreme."""
        expected = np.cumsum(means, axis=0)
        tails, raised = self._raised(y, expected, phi)
        score, best = np.maximum(raised.min(axis=0), _TINY), raised.argmin(axis=0)
        reach = _reach(means)
        out = np.maximum(tails[0], 0.5)
        # About the count at which the widest window reaches the score: it decides the size of the tables.
        depth = np.maximum(-np.log(score), 1.0)
        bound = expected[2] + np.sqrt(2.0 * depth * phi * expected[2]) + 1.2 * phi * depth + 1.0
        left = y[0] >= reach
        for size in _TABLES:
            at = np.flatnonzero(left & (bound < size))
            left[at] = False
            if at.size:
                limits = self._limits(score[at], expected[:, at], phi[at], size)
                out[at] = enumerated_probability(limits, reach[at].astype(np.int64), means[:, at], phi[at])
        at = np.flatnonzero(left)
        if at.size:
            levels = self._levels(score[at], best[at], tails[:, at], expected[:, at], phi[at])
            with np.errstate(divide="ignore", invalid="ignore"):
                rho = np.sqrt(expected[:2, at] / expected[1:, at])
            out[at] = chain_probability(levels, negative_binomial_tail(reach[at], means[0, at], phi[at]), rho)
        return np.asarray(out)

    def _limits(self, score: FloatArray, expected: FloatArray, phi: FloatArray, size: int) -> npt.NDArray[np.int64]:
        """Return for each window the smallest count whose raised tail probability is at most ``score``, at most ``size``."""
        limits = np.empty(expected.shape, np.int64)
        for window, cost in enumerate(self.costs):
            above = 1.0 - np.cumsum(_mass(expected[window], phi, size), axis=0)  # P(W > 0), P(W > 1), ...
            # The tolerance absorbs rounding: the observed sum must reach its own score.
            limits[window] = 1 + np.add.reduce(above > score * math.exp(-cost) * (1.0 + 1e-9) + 1e-14, axis=0)
        return limits

    def _levels(
        self, score: FloatArray, best: npt.NDArray[np.intp], tails: FloatArray, expected: FloatArray, phi: FloatArray
    ) -> FloatArray:
        """Return for each window the tail probability of the smallest count whose raised tail probability is at most ``score``.

        For the window that set the score it is known. For the others it is below score / cost by as much as whole numbers are apart: on
        average over the place of the limit by the factor (1 - exp(-d)) / d, d the relative fall of the tail from one count to the next.
        """
        levels = np.empty_like(tails)
        for window, cost in enumerate(self.costs):
            level = np.maximum(score * math.exp(-cost), _TINY)
            z = -special.ndtri(np.minimum(level, 0.5))
            fall = np.exp(-(z**2) / 2.0) / (math.sqrt(2.0 * math.pi) * special.ndtr(-z) * np.sqrt(phi * expected[window]))
            levels[window] = np.where(best == window, tails[window], level * -np.expm1(-fall) / fall)
        return levels

    def _alarms(self, alpha: float, y: FloatArray, means: FloatArray, phi: FloatArray) -> npt.NDArray[np.bool_]:
        """Return whether the p-value of counts that reach their expectation is at most ``alpha``."""
        p = self._strict(y, means, phi)
        if self.mid_p:
            # The next count's p-value lies between 0 and this one's: mostly that is enough to know the mean of the two.
            at = np.flatnonzero((p > alpha) & (p <= 2.0 * alpha))
            p[at] = (p[at] + self._strict(_next(y[:, at]), means[:, at], phi[at])) / 2.0
        return np.asarray(p <= alpha)

    def largest_quiet(self, alpha: float, before: FloatArray, means: FloatArray, phi: FloatArray) -> FloatArray:
        """Return the largest count of the judged period whose p-value exceeds ``alpha``.

        Counts below the expectation never alarm: the answer is at least the expectation rounded up, less 1.

        Parameters
        ----------
        alpha : float
        before : array, shape (2, cells)
            Counts of the two periods before the judged one.
        means : array, shape (3, cells)
        phi : array, shape (cells,)
        """
        low = _reach(means) - 1.0  # quiet
        z = -float(special.ndtri(alpha))
        # A first guess from the moments: where the shortest window alone would alarm, less what the longer ones hold already.
        guess = np.floor(means[0] + z * np.sqrt(phi * means[0]) + (z**2 - 1.0) / 6.0 * (2.0 * phi - 1.0))
        guess = np.maximum(guess, low + 1.0)
        high = np.full(low.shape, np.inf)  # an alarm
        step = np.maximum(np.floor(np.sqrt(phi * means[0]) / 3.0), 1.0)
        open_ = np.arange(low.size)
        while open_.size:
            alarm = self._alarms(alpha, np.vstack([guess[None, open_], before[:, open_]]), means[:, open_], phi[open_])
            high[open_] = np.where(alarm, guess[open_], high[open_])
            low[open_] = np.where(alarm, low[open_], guess[open_])
            open_ = open_[high[open_] - low[open_] > 1.0]
            middle = np.floor((low[open_] + high[open_]) / 2.0)
            far = np.where(np.isinf(high[open_]), low[open_] + step[open_], high[open_] - step[open_])
            guess[open_] = np.where(np.isinf(high[open_]), far, np.maximum(middle, far))
            step[open_] *= 2.0
        return np.asarray(low)
