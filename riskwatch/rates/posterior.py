"""What a fitted hierarchy says about each cell: its rate, an interval, and how much of it is its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.rates import mixture
from riskwatch.rates.blocks import over_blocks
from riskwatch.rates.hierarchy import Hierarchy, Layout

__all__ = ["Posterior", "posterior"]

FloatArray = npt.NDArray[np.float64]

_BLOCK = 16_384
# Gauss-Hermite, three nodes: exact for the first five moments of a normal distribution.
_NODES = np.sqrt(3.0) * np.array([-1.0, 0.0, 1.0])
_WEIGHTS = np.array([1.0, 4.0, 1.0]) / 6.0
_WIDEST = 1.5


@dataclass(frozen=True, eq=False)
class Posterior:
    """Cells; arrays of shape (cell,) unless said otherwise.

    Attributes
    ----------
    rate, variance : array
        Posterior mean and variance.
    prior_rate : array
        What the cell would be said to have without its own samples.
    strength : array
        Samples that the prior counts for.
    weight : array
        Share of the cell's own samples in its rate, n / (n + strength) on average.
    pull : array
        d rate / d (logit of the prior): how errors shared with other cells come through.
    own_variance : array
        Variance of the rate that is not shared with other cells.
    a, b : array, shape (component, cell)
        Beta distributions, one for each strength looked at.
    weights : array, shape (component,)
    """

    rate: FloatArray
    variance: FloatArray
    prior_rate: FloatArray
    strength: FloatArray
    weight: FloatArray
    pull: FloatArray
    own_variance: FloatArray
    a: FloatArray
    b: FloatArray
    weights: FloatArray

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper end of the equal-tailed interval that holds ``level``."""
        return mixture.interval(self.a, self.b, self.weights, level)

    def tail(self, x: FloatArray, n: FloatArray, *, mid_p: bool = False) -> FloatArray:
        """Return P(X >= x) for a new count out of n at each cell's rate."""
        return mixture.tail(x, n, self.a, self.b, self.weights, mid_p=mid_p)


def posterior(x: FloatArray, n: FloatArray, layout: Layout, fit: Hierarchy) -> Posterior:
    """Integrate each cell's beta posterior over what is not known about its prior.

    Plain empirical Bayes takes the prior as known, and its intervals are too short where samples are few. The logit of the prior mean is
    integrated out by moments; the strength stays as three components, because a wide range of strengths gives a tail that no single
    beta distribution has.

    Parameters
    ----------
    x, n : array, shape (cell,)
        As in the fit; cells with n = 0 get the prior.
    layout : Layout
    fit : Hierarchy
    """
    size = len(x)
    first, prior, weight, pull, own = (np.empty(size) for _ in range(5))
    a, b = np.empty((size, len(_NODES))), np.empty((size, len(_NODES)))

    def work(at: slice) -> tuple[FloatArray, ...]:
        node = layout.node[at]
        centre, spread = fit.eta[node], fit.eta_variance[node]
        for effect, levels in zip(fit.effects, layout.crossed, strict=True):
            centre = centre + np.append(effect.value, 0.0)[levels[at]]
            spread = spread + np.append(effect.variance, effect.spread**2)[levels[at]]
        return _integrate(
            x[at], n[at], centre, np.sqrt(spread), psi=fit.psi[node], psi_sd=np.minimum(np.sqrt(fit.psi_variance[node]), _WIDEST)
        )

    over_blocks(work, size, (first, prior, weight, pull, own, a, b), _BLOCK)
    alphas, betas = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    _, variance = mixture.moments(alphas, betas, _WEIGHTS)
    return Posterior(first, variance, prior, np.exp(fit.psi[layout.node]), weight, pull, own, alphas, betas, _WEIGHTS)


def _integrate(
    x: FloatArray, n: FloatArray, centre: FloatArray, sd: FloatArray, *, psi: FloatArray, psi_sd: FloatArray
) -> tuple[FloatArray, ...]:
    size = len(x)
    means = [special.expit(centre + step * sd) for step in _NODES.tolist()]
    first, weight, pull, conditional, second = (np.zeros(size) for _ in range(5))
    along = [np.zeros(size) for _ in means]
    a, b = np.empty((size, len(_NODES))), np.empty((size, len(_NODES)))
    for number, (step, w_psi) in enumerate(zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True)):
        strength = np.exp(psi + step * psi_sd)
        total = strength + n
        here, square = np.zeros(size), np.zeros(size)
        for place, (mean, w_eta) in enumerate(zip(means, _WEIGHTS.tolist(), strict=True)):
            rate = (mean * strength + x) / total
            spread = rate * (1.0 - rate) / (total + 1.0)
            here += w_eta * rate
            square += w_eta * (rate * rate + spread)
            conditional += w_psi * w_eta * spread
            pull += w_psi * w_eta * mean * (1.0 - mean) * strength / total
            along[place] += w_psi * rate
        a[:, number], b[:, number] = mixture.beta_from_moments(here, square - here * here)
        first += w_psi * here
        second += w_psi * square
        weight += w_psi * n / total
    shared = sum(w * rate * rate for w, rate in zip(_WEIGHTS.tolist(), along, strict=True)) - first * first
    own = np.maximum(second - first * first - np.maximum(shared, 0.0), 1e-9 * conditional)
    prior = sum(w * mean for w, mean in zip(_WEIGHTS.tolist(), means, strict=True))
    return first, np.asarray(prior), weight, pull, own, a, b
