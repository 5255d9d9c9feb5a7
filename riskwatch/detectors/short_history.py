"""A count judged by the few periods before it: moving sums, dispersion from very little data, and the predictive distribution.

Model: within one window of a few periods the mean is constant, counts have variance phi times their mean. The dispersion is learnt
from scatter within windows only, so that slow changes of the mean between windows do not enter it.

Sources
-------
Predictive distribution of a count after a sum of counts: Nelson (1970), Technometrics 12(2), 401-414; with a gamma prior of shape 1/2
(Jeffreys) it is negative binomial.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.thresholds import negative_binomial_tail, thinned
from riskwatch.detectors.uncertain_dispersion import WEIGHTS, Dispersion, largest_not_significant

__all__ = ["Predictive", "Window", "dispersion", "moving_window", "predict", "quantile", "tail"]

FloatArray = npt.NDArray[np.float64]

_PRIOR_CASES = 0.5  # shape of the gamma prior of the mean


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
    return Predictive(*thinned(mean, known.nodes() * (1.0 + exposure / weight), share, error))


def tail(y: FloatArray, given: Predictive) -> tuple[FloatArray, FloatArray]:
    """Return P(Y >= y) and P(Y > y)."""
    at, above = np.zeros(given.mean.shape), np.zeros(given.mean.shape)
    for weight, phi in zip(WEIGHTS, given.phi, strict=True):
        at += weight * negative_binomial_tail(y, given.mean, phi)
        above += weight * negative_binomial_tail(y + 1.0, given.mean, phi)
    return np.minimum(at, 1.0), np.minimum(above, 1.0)


def quantile(level: FloatArray, given: Predictive, *, mid_p: bool = False) -> FloatArray:
    """Return the largest count whose tail probability exceeds ``level``; -1 where not even 0 does.

    Parameters
    ----------
    level : array, shape of ``given.mean``
        NaN stands for 1/2.
    given : Predictive
    mid_p : bool
        Take the mean of P(Y >= y) and P(Y > y) for the tail.
    """
    level = np.where(np.isfinite(level), level, 0.5)

    def significant(y: FloatArray, cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        at, above = tail(y, Predictive(given.mean[cells], given.phi[:, cells]))
        return np.asarray((0.5 * (at + above) if mid_p else at) <= level[cells])

    # A gamma distribution of the same mean and variance, cube roots taken as normal, is close.
    phi = (WEIGHTS.reshape(-1, *([1] * given.mean.ndim)) * given.phi).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = phi / (9.0 * given.mean)
        guess = given.mean * np.maximum(1.0 - spread - special.ndtri(level) * np.sqrt(spread), 0.0) ** 3
    return largest_not_significant(significant, np.minimum(guess, 1e15))
