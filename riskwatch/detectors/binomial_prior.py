"""Long-run rates of sibling series by empirical Bayes, and the share that fails in one new period.

Sources
-------
Empirical Bayes by marginal likelihood: Griffiths (1973), Biometrics 29(4), 637-648.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

__all__ = ["Prior", "effective", "estimate_prior", "predictive"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prior:
    """Distribution of the long-run rates of sibling series, Beta(rate * strength, (1 - rate) * strength).

    Rate and strength are one for all siblings, or arrays of shape (series,). ``strength`` counts as that many inspections;
    ``correlation`` is between two inspections of one series in one period.
    """

    rate: float | FloatArray
    strength: float | FloatArray
    correlation: float


def estimate_prior(failed: FloatArray, total: FloatArray, correlation: float, rate: float, strength: float) -> Prior:
    """Return the prior that makes the siblings' totals likeliest.

    Parameters
    ----------
    failed, total : array, shape (series,)
        Effective failures and inspections (see :func:`effective`), may be fractions.
    correlation : float
    rate, strength : float
        What to believe without siblings: the two estimates are pulled towards these with the weight of a normal distribution of
        standard deviation 2 on the logit of the rate and on the log of the strength, which a dozen siblings outweigh.
    """
    use = total > 0
    order = np.lexsort((failed[use], total[use]))  # the same sums whatever the order of the series
    x, n = failed[use][order], total[use][order]
    centre = np.array([special.logit(rate), math.log(strength)])

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        mean, size = float(special.expit(point[0])), math.exp(point[1])
        a, b = mean * size, (1.0 - mean) * size
        value = float((special.betaln(x + a, n - x + b) - special.betaln(a, b)).sum())
        common = special.digamma(size) - special.digamma(n + size)
        by_a = float((special.digamma(x + a) - special.digamma(a) + common).sum())
        by_b = float((special.digamma(n - x + b) - special.digamma(b) + common).sum())
        gradient = np.array([(by_a - by_b) * mean * (1.0 - mean) * size, by_a * a + by_b * b])
        away = (point - centre) / 2.0
        return float(away @ away) / 2.0 - value, away / 2.0 - gradient

    found = optimize.minimize(
        loss, centre, jac=True, method="L-BFGS-B", bounds=[(-13.8, 13.8), (math.log(0.1), math.log(1e6))], options={"maxiter": 200}
    )
    return Prior(float(special.expit(found.x[0])), float(math.exp(found.x[1])), correlation)


def effective(x: FloatArray, n: FloatArray, correlation: float) -> tuple[FloatArray, FloatArray]:
    """Return failures and inspections per series with each period divided by its design effect 1 + (n - 1) rho."""
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
