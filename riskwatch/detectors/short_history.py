"""A count judged by the few periods before it: moving sums, dispersion from very little data, and the predictive distribution.

Model: within one window of a few periods the mean is constant, counts have variance phi times their mean. The dispersion is learnt
from scatter within windows only, so that slow changes of the mean between windows do not enter it.

Sources
-------
Predictive distribution of a count after a sum of counts: Nelson (1970), Technometrics 12(2), 401-414; with a gamma prior of shape 1/2
(Jeffreys) it is negative binomial. Scaled inverse chi-squared law of an estimated dispersion: Smyth (2004), Stat. Appl. Genet. Mol.
Biol. 3(1), article 3. Cube-root transformation of chi-squared: Wilson & Hilferty (1931), PNAS 17(12), 684-688.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.detectors.thresholds import negative_binomial_tail, thinned

__all__ = ["Dispersion", "Predictive", "Window", "dispersion", "moving_window", "predict", "quantile", "tail"]

FloatArray = npt.NDArray[np.float64]

# Nodes and weights for the mean over a standard normal variable.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_PRIOR_CASES = 0.5  # shape of the gamma prior of the mean
_SMALLEST_CUBE_ROOT = 0.05  # the transformation goes below zero far out at few degrees of freedom


@dataclass(frozen=True, eq=False)
class Window:
    """Moving sums over the periods of a window, arrays of shape (window, series).

    Attributes
    ----------
    periods : array
        Periods with data.
    cases : array
        Sum of the counts.
    weight : array
        Sum of the exposures; the number of periods without exposure.
    pearson : array
        Sum of (count - mean)^2 / mean, each mean being exposure times cases / weight.
    """

    periods: FloatArray
    cases: FloatArray
    weight: FloatArray
    pearson: FloatArray


def moving_window(y: FloatArray, weight: FloatArray, ends: npt.NDArray[np.intp], length: int) -> Window:
    """Return the sums over the ``length`` periods up to and including each of ``ends``.

    Parameters
    ----------
    y : array, shape (period, series)
        Counts; anything finite where the weight is 0.
    weight : array, shape (period, series)
        Exposure; 0 where a period is not to be used.
    ends : array of int
        Positions; what lies before the first period counts as not usable.
    length : int
    """
    shape = (len(ends), y.shape[1])
    periods, cases, total, pearson = (np.zeros(shape) for _ in range(4))
    # Explicit sums, oldest first: a series has the same bits whatever its neighbours.
    steps = [ends - back for back in range(length - 1, -1, -1)]
    for at in steps:
        inside, position = (at >= 0)[:, None], np.maximum(at, 0)
        w = np.where(inside, weight[position], 0.0)
        periods += w > 0
        total += w
        cases += np.where(w > 0, y[position], 0.0)
    rate = cases / np.where(total > 0, total, 1.0)
    for at in steps:
        inside, position = (at >= 0)[:, None], np.maximum(at, 0)
        mean = np.where(inside, weight[position], 0.0) * rate
        pearson += np.where(mean > 0, (y[position] - mean) ** 2 / np.where(mean > 0, mean, 1.0), 0.0)
    return Window(periods, cases, total, pearson)


@dataclass(frozen=True, eq=False)
class Dispersion:
    """What is known of phi: ``freedom * scale / phi`` has a chi-squared distribution with ``freedom`` degrees of freedom."""

    scale: FloatArray
    freedom: FloatArray


def dispersion(windows: Iterable[Window], typical: float, strength: float) -> Dispersion:
    """Return the dispersion learnt from the scatter within windows, drawn to a typical value.

    Given its sum S, the Pearson statistic X2 of a window of k periods has mean (k - 1) E with E = phi S / (S + phi - 1) when the
    counts are negative binomial, and variance near 2 (k - 1) E^2. A window with one case says nothing of phi, one with few cases says
    little: E hardly moves. The estimate is one scoring step from the typical value, with its information as degrees of freedom.

    Parameters
    ----------
    windows : iterable of Window
        That do not overlap.
    typical : float
        Dispersion to believe in without data.
    strength : float
        Degrees of freedom that the typical value counts as.
    """
    score = information = np.zeros(())
    for window in windows:
        freedom = np.maximum(window.periods - 1.0, 0.0)
        cases = np.maximum(window.cases, 1.0)  # below two cases the slope is zero
        mean = typical * cases / (cases + typical - 1.0)
        slope = cases * (cases - 1.0) / (cases + typical - 1.0) ** 2 / mean
        score = score + slope * (window.pearson - freedom * mean) / mean
        information = information + freedom * slope**2
    freedom = information * typical**2
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = typical + np.where(information > 0, score / np.where(information > 0, information, 1.0), 0.0)
    estimate = np.maximum(estimate, 0.0)
    return Dispersion((strength * typical + freedom * estimate) / (strength + freedom), strength + freedom)


@dataclass(frozen=True, eq=False)
class Predictive:
    """Distribution of a count: negative binomial of this mean, mixed over its dispersion at the nodes.

    Attributes
    ----------
    mean : array, shape (...)
    phi : array, shape (node, ...)
        Variance over mean at each node.
    """

    mean: FloatArray
    phi: FloatArray


def predict(window: Window, known: Dispersion, exposure: FloatArray, share: FloatArray, error: FloatArray) -> Predictive:
    """Return the predictive distribution of what has been reported of a count after a window.

    Parameters
    ----------
    window : Window
    known : Dispersion
    exposure : array
        Of the judged period, in the unit of the window's weight; 1 without exposure.
    share, error : array
        Share of the judged period's records reported by now and its standard error; 1 and 0 for a ripe period.
    """
    weight = np.where(window.weight > 0, window.weight, np.nan)
    mean = exposure * ((window.cases + _PRIOR_CASES) / weight)
    spread = 2.0 / (9.0 * known.freedom)
    nodes = _NODES.reshape(-1, *([1] * mean.ndim))
    cube_root = np.maximum(1.0 - spread + nodes * np.sqrt(spread), _SMALLEST_CUBE_ROOT)
    phi = np.maximum(known.scale / (cube_root * cube_root * cube_root), 1.0)
    return Predictive(*thinned(mean, phi * (1.0 + exposure / weight), share, error))


def tail(y: FloatArray, given: Predictive) -> tuple[FloatArray, FloatArray]:
    """Return P(Y >= y) and P(Y > y)."""
    at, above = np.zeros(given.mean.shape), np.zeros(given.mean.shape)
    for weight, phi in zip(_WEIGHTS, given.phi, strict=True):
        at += weight * negative_binomial_tail(y, given.mean, phi)
        above += weight * negative_binomial_tail(y + 1.0, given.mean, phi)
    return np.minimum(at, 1.0), np.minimum(above, 1.0)


def quantile(level: FloatArray, given: Predictive, *, mid_p: bool = False) -> FloatArray:
    """Return the largest count whose tail probability exceeds ``level``; -1 where not even 0 does.

    Parameters
    ----------
    level : array, shape of ``given.mean``
    given : Predictive
    mid_p : bool
        Take the mean of P(Y >= y) and P(Y > y) for the tail.
    """
    known = np.isfinite(given.mean + given.phi.sum(axis=0)) & np.isfinite(level)
    out = np.full(given.mean.shape, np.nan)
    mean, phi, level = given.mean[known], given.phi[:, known], np.broadcast_to(level, out.shape)[known]

    def significant(y: FloatArray, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        at, above = tail(y, Predictive(mean[rows], phi[:, rows]))
        return np.asarray((0.5 * (at + above) if mid_p else at) <= level[rows])

    low, every = np.full(mean.shape, -1.0), np.ones(mean.shape, np.bool_)  # invariant: low is not significant, high is
    middle = phi[len(phi) // 2]
    high = np.ceil(mean + 4.0 * np.sqrt(mean * middle) + 4.0 * middle) + 4.0
    short = ~significant(high, every)
    while short.any():
        low[short] = high[short]
        high[short] = 2.0 * high[short]
        short[short] = ~significant(high[short], short)
    while (open_ := high - low > 1.0).any():
        between = np.floor((low[open_] + high[open_]) / 2.0)
        hit = significant(between, open_)
        high[open_] = np.where(hit, between, high[open_])
        low[open_] = np.where(hit, low[open_], between)
    out[known] = low
    return out
