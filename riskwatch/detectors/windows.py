"""Evidence summed over windows of one to three periods, and the joint level of the smallest of their tail probabilities.

Counts of the newest periods are independent negative binomials with a common dispersion phi = variance / mean, so that the sum over a
window is again negative binomial with this dispersion. The score of a series is the smallest of the windows' tail probabilities, each
multiplied by the window's cost; its p-value is the probability, without any outbreak, of a score this small in a period whose own count
reaches its expectation.

The windows end with the judged period and grow backwards, so their sums form a Markov chain: given the middle sum, the shortest and the
longest are independent. For small counts all cases are enumerated; for larger ones the chain is taken as that of normal scores with the
same correlations, which leaves one integral.
"""

from __future__ import annotations

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

    def between(z: FloatArray) -> FloatArray:  # P(r <= Z1 < a1 | Z2 = z)
        return np.asarray(special.ndtr((a1 - rho12 * z) / left12) - special.ndtr((r - rho12 * z) / left12))

    def integral(low: FloatArray, high: FloatArray, value: object) -> FloatArray:
        half, total = (high - low) / 2.0, np.zeros_like(a2)
        for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
            z = low + half * (1.0 + node)
            total += weight * np.exp(-(z**2) / 2.0) * value(z)  # type: ignore[operator]
        return np.asarray(half * total / np.sqrt(2.0 * np.pi))

    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        second = integral(a2, np.maximum(a2, 0.0) + 5.0, between)
        # Below a2 the third sum must reach a3: less than 7 of its conditional deviations away.
        low = np.minimum(np.maximum(a3 - 7.0 * left23 - 1.0, -7.0), a2 - 1e-9)
        third = integral(low, a2, lambda z: between(z) * special.ndtr((rho23 * z - a3) / left23))
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
    cells = np.arange(phi.size)
    total = negative_binomial_tail(first.astype(np.float64), means[0], phi)
    steps = int((c2 - reach).max(initial=0))
    for y in range(int(reach.min(initial=0)), int(first.max(initial=0))):
        quiet = np.zeros(phi.size)
        for x in range(min(steps, size - 1 - y)):
            quiet += np.where(y + x < c2, mass2[x] * below3[np.clip(c3 - y - x, 0, size), cells], 0.0)
        total = total + np.where((y >= reach) & (y < first), mass1[y] * (1.0 - quiet), 0.0)
    return np.asarray(np.clip(total, 0.0, 1.0))


@dataclass(frozen=True)
class Windows:
    """A family of windows and what a longer one costs.

    Attributes
    ----------
    costs : tuple of float
        Natural logarithm by which each window's tail probability is raised; the first is 0, infinity leaves a window out.
    """

    costs: tuple[float, float, float]

    def p_value(self, y: FloatArray, before: FloatArray, means: FloatArray, phi: FloatArray) -> FloatArray:
        """Return the p-value of the judged counts.

        A count below its expectation is no evidence, whatever came before: its p-value is P(Y1 >= y), at least one half.

        Parameters
        ----------
        y : array, shape (cells,)
            Counts of the judged period.
        before : array, shape (2, cells)
            Counts of the two periods before, the nearer first; 0 with a mean of 0 where missing.
        means : array, shape (3, cells)
            Expected counts of the judged period and of those two.
        phi : array, shape (cells,)
            Common dispersion.
        """
        sums = np.cumsum(np.vstack([y[None], before]), axis=0)
        expected = np.cumsum(means, axis=0)
        tails = np.stack([negative_binomial_tail(total, mean, phi) for total, mean in zip(sums, expected, strict=True)])
        with np.errstate(over="ignore"):
            raised = np.exp(np.asarray(self.costs))[:, None]
        score = np.maximum((tails * np.minimum(raised, 1e100)).min(axis=0), _TINY)
        best = (tails * np.minimum(raised, 1e100)).argmin(axis=0)
        reach = np.maximum(np.ceil(means[0]), 1.0)
        out = np.maximum(tails[0], 0.5)
        for chosen, method in self._methods(y >= reach, expected, phi, score):
            at = np.flatnonzero(chosen)
            if at.size:
                out[at] = method(score[at], best[at], tails[:, at], reach[at], means[:, at], phi[at])
        return out

    def _methods(self, above: npt.NDArray[np.bool_], expected: FloatArray, phi: FloatArray, score: FloatArray) -> list[tuple]:  # type: ignore[type-arg]
        # A rough upper bound of the count at which the widest window reaches the score.
        deviation = np.sqrt(phi * expected[2])
        depth = np.maximum(-np.log(score), 1.0)
        bound = expected[2] + deviation * np.sqrt(2.0 * depth) + 1.2 * phi * depth + 1.0
        left = above & np.isfinite(bound)
        out = []
        for size in _TABLES:
            chosen = left & (bound < size)
            out.append((chosen, lambda *given, size=size: self._enumerated(*given, size=size)))
            left = left & ~chosen
        out.append((left, self._chained))
        return out

    def _enumerated(
        self,
        score: FloatArray,
        best: npt.NDArray[np.intp],
        tails: FloatArray,
        reach: FloatArray,
        means: FloatArray,
        phi: FloatArray,
        *,
        size: int,
    ) -> FloatArray:
        expected = np.cumsum(means, axis=0)
        limits = np.empty((3, score.size), np.int64)
        for at, cost in enumerate(self.costs):
            below = np.cumsum(_mass(expected[at], phi, size), axis=0)
            # Smallest c with P(W >= c) <= score / cost; 1 - below[c - 1] is P(W >= c). The tolerance absorbs rounding at the observed sum.
            limits[at] = 1 + (1.0 - below > score * np.exp(-cost) * (1.0 + 1e-9) + 1e-14).sum(axis=0) if np.isfinite(cost) else size
        return enumerated_probability(limits, reach.astype(np.int64), means, phi)

    def _chained(
        self, score: FloatArray, best: npt.NDArray[np.intp], tails: FloatArray, reach: FloatArray, means: FloatArray, phi: FloatArray
    ) -> FloatArray:
        expected = np.cumsum(means, axis=0)
        levels = np.empty_like(tails)
        for at, cost in enumerate(self.costs):
            level = np.maximum(score * np.exp(-cost), _TINY)
            # A window's limit is a whole number: on average over its place, the attained level is (1 - exp(-d)) / d of the asked one,
            # with d the relative fall of the tail from one count to the next.
            z = -special.ndtri(np.minimum(level, 0.5))
            hazard = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi) / special.ndtr(-z) / np.sqrt(phi * np.maximum(expected[at], _TINY))
            levels[at] = np.where(best == at, tails[at], level * -np.expm1(-hazard) / np.maximum(hazard, 1e-12))
        with np.errstate(divide="ignore", invalid="ignore"):
            rho = np.sqrt(expected[:2] / np.maximum(expected[1:], _TINY))
        return chain_probability(levels, negative_binomial_tail(reach, means[0], phi), rho)

    def largest_quiet(self, alpha: float, before: FloatArray, means: FloatArray, phi: FloatArray) -> FloatArray:
        """Return the largest count of the judged period whose p-value exceeds ``alpha``, at least its expectation rounded up, less 1."""
        low = np.maximum(np.ceil(means[0]), 1.0) - 1.0  # quiet
        z = -special.ndtri(alpha)
        high = low + np.ceil(z * np.sqrt(phi * means[0]) + (z**2 + 3.0) * phi)  # perhaps not yet an alarm
        guess = low + np.ceil(0.5 * (high - low))
        open_ = np.arange(low.size)
        sure = np.zeros(low.size, np.bool_)
        while open_.size:
            p = self.p_value(guess[open_], before[:, open_], means[:, open_], phi[open_])
            alarm = p <= alpha
            high[open_] = np.where(alarm, guess[open_], high[open_])
            low[open_] = np.where(alarm, low[open_], guess[open_])
            sure[open_] |= alarm
            with np.errstate(over="ignore"):
                wider = low[open_] + 2.0 * (high[open_] - low[open_] + 1.0)
            high[open_] = np.where(~sure[open_] & (low[open_] >= high[open_] - 1.0), wider, high[open_])
            open_ = open_[high[open_] - low[open_] > 1.0]
            guess[open_] = np.floor((low[open_] + high[open_]) / 2.0)
        return low
