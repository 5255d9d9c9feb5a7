"""What the siblings lead to expect of each series: one common rate, or one for each product and place by effects that add up.

Sources
-------
Empirical Bayes with crossed effects on the logit scale: :mod:`riskwatch.rates.hierarchy` and the papers there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.rates.hierarchy import Belief, Layout, fit_hierarchy

__all__ = ["named_levels", "prior_by_labels"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_NODES = np.sqrt(3.0) * np.array([-1.0, 0.0, 1.0])  # Gauss-Hermite
_WEIGHTS = np.array([1.0, 4.0, 1.0]) / 6.0


def named_levels(index: pd.Index[Any]) -> tuple[IntArray, ...]:
    """Return, for the keys of siblings, the number of each one's label in every dimension in which they differ; in the order of labels."""
    if not isinstance(index, pd.MultiIndex):
        return ()
    found = [index.get_level_values(at).factorize(sort=True) for at, name in enumerate(index.names) if name != "stratum"]
    return tuple(np.asarray(codes, dtype=np.int64) for codes, labels in found if len(labels) > 1)


def prior_by_labels(
    failed: FloatArray, total: FloatArray, levels: tuple[IntArray, ...], *, rate: float, strength: float
) -> tuple[FloatArray, FloatArray]:
    """Return mean and strength of each series' prior: its logit is the sum of a common level and of an effect for each of its labels.

    Effects are normal around 0, their spreads and the strength with which series scatter around the sum are fitted. What is not known of
    the sum widens the prior, so that a label seen in few series counts for less.

    Parameters
    ----------
    failed, total : array, shape (series,)
        Effective failures and inspections.
    levels : tuple of array of int, shape (series,)
        Number of each series' label in each dimension.
    rate, strength : float
        What to believe without siblings.

    Returns
    -------
    mean, size : array, shape (series,)
        The prior is Beta(mean size, (1 - mean) size).
    """
    layout = Layout(np.array([-1]), np.array([0]), np.zeros(len(failed), dtype=np.int64), levels)
    found = fit_hierarchy(failed, total, layout, Belief(rate=rate, strength=strength))
    centre, variance = np.full(len(failed), found.eta[0]), np.full(len(failed), found.eta_variance[0])
    for effect, at in zip(found.effects, levels, strict=True):
        # Of a label that no series with inspections has nothing is known but how far labels lie apart: so its variance says.
        centre, variance = centre + effect.value[at], variance + effect.variance[at]
    at_nodes = special.expit(centre + np.sqrt(variance) * _NODES[:, None])
    mean = _WEIGHTS @ at_nodes
    size = np.exp(found.psi[0])
    spread = mean * (1.0 - mean)
    error = np.maximum(_WEIGHTS @ (at_nodes - mean) ** 2, 0.0)
    within = (_WEIGHTS @ (at_nodes * (1.0 - at_nodes))) / (size + 1.0)
    return mean, np.maximum(spread / (within + error) - 1.0, 0.1)
