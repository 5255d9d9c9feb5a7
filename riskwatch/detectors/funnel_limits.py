"""Funnel plots of shares: limits by number inspected, and scores that allow for siblings who differ by more than chance.

Sources
-------
Spiegelhalter (2005), Statistics in Medicine 24(8), 1185-1202: funnel limits, winsorised over-dispersion, multiplicative and additive.
DerSimonian & Laird (1986), Controlled Clinical Trials 7(3), 177-188: the moment estimator of the variance between siblings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.detectors.proportions import interpolated_limits, widened_quantile, widened_tail
from riskwatch.errors import DetectorError
from riskwatch.rates import beta_binomial

__all__ = ["Adjustment", "Limits", "Spread", "count_limits", "funnel_limits", "funnel_table", "p_values", "scores", "spread_of"]

FloatArray = npt.NDArray[np.float64]
Adjustment = Literal["multiplicative", "additive", "none"]
Limits = Literal["exact", "normal"]


@dataclass(frozen=True, slots=True)
class Spread:
    """How much more than by chance siblings differ: variance of the score times ``phi``, or of the rate plus ``tau2``."""

    phi: float = 1.0
    tau2: float = 0.0


def scores(failed: FloatArray, inspected: FloatArray, rate: FloatArray | float) -> FloatArray:
    """Return z = (failed / inspected - rate) / sqrt(rate (1 - rate) / inspected); 0 where it has no variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (failed - inspected * rate) / np.sqrt(inspected * rate * (1.0 - np.asarray(rate)))
    return np.where(np.isfinite(z), z, 0.0)


def spread_of(
    z: FloatArray, inspected: FloatArray, rate: FloatArray | float, *, winsorise: float = 0.1, consistent: bool = False
) -> Spread:
    """Return both measures of over-dispersion of siblings' scores.

    The lowest and highest ``winsorise`` of the scores are set to the quantiles at which they begin, so that the outliers that one looks
    for do not hide themselves; phi is the mean of their squares, not below 1. tau2 = (I phi - (I - 1)) / (sum w - sum w^2 / sum w) with
    w = inspected / (rate (1 - rate)), not below 0, from phi before it is held at 1.

    Parameters
    ----------
    z, inspected : array, shape (sibling,)
        Several periods may follow each other: each is a further set of siblings at its own ``rate``.
    rate : float or array, shape (sibling,)
    winsorise : float
        Share at each end, below 0.5.
    consistent : bool
        Divide phi by what it is for winsorised standard normal scores (0.68 at a tenth), so that it estimates the whole variance. The paper
        does not: its phi is too small where all siblings differ by more than chance.
    """
    if len(z) < 2:
        return Spread()
    low, high = np.quantile(z, [winsorise, 1.0 - winsorise])
    phi = math.fsum((np.clip(z, low, high) ** 2).tolist()) / len(z)
    phi /= _winsorised_square(winsorise) if consistent else 1.0
    variance = np.broadcast_to(np.asarray(rate, dtype=np.float64) * (1.0 - np.asarray(rate)), z.shape)
    use = variance > 0
    weights = (inspected[use] / variance[use]).tolist()
    total = math.fsum(weights)
    slack = total - math.fsum(weight * weight for weight in weights) / total if total > 0 else 0.0
    tau2 = (len(z) * phi - (len(z) - 1)) / slack if slack > 0 else 0.0
    return Spread(max(phi, 1.0), max(tau2, 0.0))


def _winsorised_square(share: float) -> float:
    """Return the mean square of a standard normal variable whose ``share`` lowest and highest values are set to their quantiles."""
    if share == 0.0:
        return 1.0
    edge = float(special.ndtri(1.0 - share))
    return 2.0 * share * edge**2 + 1.0 - 2.0 * share - 2.0 * edge * math.exp(-(edge**2) / 2.0) / math.sqrt(2.0 * math.pi)


def _beta(rate: FloatArray, tau2: float) -> tuple[FloatArray, FloatArray]:
    """Return a, b of the beta distribution of the siblings' rates with this mean and variance."""
    size = np.maximum(rate * (1.0 - rate) / tau2 - 1.0, 1e-2)
    return rate * size, (1.0 - rate) * size


def _deviation(inspected: FloatArray, rate: FloatArray, spread: Spread) -> FloatArray:
    """Return the standard deviation of the number failed."""
    return np.sqrt(inspected * rate * (1.0 - rate) * spread.phi + inspected**2 * spread.tau2)


def p_values(failed: FloatArray, inspected: FloatArray, rate: FloatArray, spread: Spread, limits: Limits) -> FloatArray:
    """Return the one-sided probability of at least this many failures.

    ``exact``: the binomial tail, its normal score divided by sqrt(phi); with tau2 the tail of the beta-binomial that has this variance
    between siblings. ``normal``: of the adjusted z.

    Parameters
    ----------
    failed, inspected, rate : array
        ``rate`` is what the siblings have in common.
    spread : Spread
        Either phi or tau2 away from its neutral value, not both.
    limits : {"exact", "normal"}
    """
    failed, inspected, rate = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(failed, inspected, rate))
    varies = (rate > 0) & (rate < 1)
    if limits == "normal":
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (failed - inspected * rate) / _deviation(inspected, rate, spread)
        return np.asarray(special.ndtr(-np.where(varies, z, 0.0)))
    p = widened_tail(failed, inspected, rate, math.sqrt(spread.phi))
    if spread.tau2 > 0:
        p[varies] = beta_binomial.tail(failed[varies], inspected[varies], *_beta(rate[varies], spread.tau2))
    return p


def count_limits(alpha: float, inspected: FloatArray, rate: FloatArray, spread: Spread, limits: Limits) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper limit in counts; a greater count than the upper one is significant at ``alpha``."""
    inspected, rate = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(inspected, rate))
    if limits == "normal":
        reach = -float(special.ndtri(alpha)) * _deviation(inspected, rate, spread)
        return np.maximum(inspected * rate - reach, 0.0), np.minimum(inspected * rate + reach, inspected)
    sigma = math.sqrt(spread.phi)
    lower, upper = inspected - widened_quantile(alpha, inspected, 1.0 - rate, sigma), widened_quantile(alpha, inspected, rate, sigma)
    varies = (rate > 0) & (rate < 1)
    if spread.tau2 > 0 and varies.any():
        a, b = _beta(rate[varies], spread.tau2)
        lower[varies] = inspected[varies] - beta_binomial.quantile(alpha, inspected[varies], b, a)
        upper[varies] = beta_binomial.quantile(alpha, inspected[varies], a, b)
    return lower, upper


def funnel_limits(
    rate: float,
    inspected: npt.ArrayLike,
    levels: Sequence[float] = (0.025, 0.001),
    *,
    phi: float = 1.0,
    tau2: float = 0.0,
    limits: Literal["interpolated", "exact", "normal"] = "interpolated",
) -> pd.DataFrame:
    """Return the curves of a funnel plot.

    Parameters
    ----------
    rate : float
        Share that the siblings have in common, the centre line.
    inspected : array-like, shape (points,)
        Numbers inspected along the horizontal axis, above 0; whole for the limits that are not normal.
    levels : sequence of float
        Probabilities beyond each of the two limits, in (0, 0.5). 0.025 and 0.001: the usual 95 % and 99.8 %.
    phi, tau2 : float
        Over-dispersion (see :func:`spread_of`), one of them. Either widens interpolated limits as it widens normal ones: by sqrt(phi), or
        by the ratio of standard deviations.
    limits : {"interpolated", "exact", "normal"}
        Smooth lines through binomial limits; limits that are whole counts; normal ones.

    Returns
    -------
    DataFrame
        Columns inspected, level, lower, upper (shares); one row per level and point.

    Raises
    ------
    DetectorError
        If a value is out of range.
    """
    n = np.asarray(inspected, dtype=np.float64)
    _check_range("rate must be in [0, 1]", 0.0 <= rate <= 1.0, rate)
    _check_range("inspected must be above 0", bool((n > 0).all()), inspected)
    _check_range("phi must be >= 1 and tau2 >= 0, and one of them neutral", phi >= 1 and tau2 >= 0 and (phi == 1 or tau2 == 0), (phi, tau2))
    parts = []
    for level in levels:
        _check_range("levels must be in (0, 0.5)", 0.0 < level < 0.5, level)
        spread, rates = Spread(phi, tau2), np.full(n.shape, float(rate))
        if limits == "interpolated":
            plain = _deviation(n, rates, Spread())
            with np.errstate(divide="ignore", invalid="ignore"):
                wider = np.where(plain > 0, _deviation(n, rates, spread) / plain, 1.0)
            low, high = interpolated_limits(level, n, rates)
            centre = n * rates
            lower, upper = np.maximum(centre - (centre - low) * wider, 0.0), np.minimum(centre + (high - centre) * wider, n)
        else:
            lower, upper = count_limits(level, n, rates, spread, limits)
        parts.append(pd.DataFrame({"inspected": n, "level": level, "lower": lower / n, "upper": upper / n}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["inspected", "level", "lower", "upper"])


def funnel_table(
    failed: npt.ArrayLike,
    inspected: npt.ArrayLike,
    *,
    rate: float | None = None,
    alpha: float = 0.001,
    adjustment: Adjustment = "multiplicative",
    limits: Limits = "exact",
    winsorise: float = 0.1,
    index: pd.Index[Any] | None = None,
) -> pd.DataFrame:
    """Compare siblings (regions, or enterprises) of one stratum with their total.

    Parameters
    ----------
    failed, inspected : array-like, shape (sibling,)
        Whole numbers; a sibling without inspections has no score.
    rate : float, optional
        Share to compare with. None: that of all siblings together.
    alpha : float
        One-sided level of each limit.
    adjustment : {"multiplicative", "additive", "none"}
        How to allow for over-dispersion.
    limits : {"exact", "normal"}
    winsorise : float
        See :func:`spread_of`.
    index : Index, optional
        Labels of the rows; by default their numbers, so that no name need be handed over.

    Returns
    -------
    DataFrame
        One row per sibling in the given order: failed, inspected, rate, expected, z, phi, tau2 (as used: 1 and 0 where not), z_adjusted,
        p_value (one-sided, of at least this many), lower, upper (limits of the share at this number inspected), alarm (above the upper
        limit). NaN without inspections.

    Raises
    ------
    DetectorError
        If shapes differ, a count is not whole, or failures exceed inspections.
    """
    x, n = np.asarray(failed, dtype=np.float64), np.asarray(inspected, dtype=np.float64)
    _check_range("failed and inspected must have the same length", x.shape == n.shape and x.ndim == 1, (x.shape, n.shape))
    _check_range(
        "counts must be whole and 0 <= failed <= inspected",
        bool(((x >= 0) & (x <= n) & (x == np.floor(x)) & (n == np.floor(n))).all()),
        "others",
    )
    _check_range("alpha must be in (0, 0.5)", 0.0 < alpha < 0.5, alpha)
    _check_range("winsorise must be in [0, 0.5)", 0.0 <= winsorise < 0.5, winsorise)
    _check_range("rate must be in [0, 1]", rate is None or 0.0 <= rate <= 1.0, rate)
    looked = n > 0
    common = (x.sum() / n.sum() if looked.any() else np.nan) if rate is None else rate
    x_seen, n_seen = x[looked], n[looked]
    z, rates = scores(x_seen, n_seen, common), np.full(x_seen.shape, common)
    both = spread_of(z, n_seen, common, winsorise=winsorise)
    spread = Spread(
        both.phi if adjustment == "multiplicative" else 1.0,
        both.tau2 if adjustment == "additive" else 0.0,
    )
    deviation = _deviation(n_seen, rates, spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        adjusted = np.where(deviation > 0, (x_seen - n_seen * rates) / deviation, 0.0)
    lower, upper = count_limits(alpha, n_seen, rates, spread, limits)
    frame = pd.DataFrame(
        np.nan,
        index=pd.RangeIndex(len(x)) if index is None else index,
        columns=["failed", "inspected", "rate", "expected", "z", "phi", "tau2", "z_adjusted", "p_value", "lower", "upper"],
    )
    frame["failed"], frame["inspected"], frame["phi"], frame["tau2"] = x, n, spread.phi, spread.tau2
    p = p_values(x_seen, n_seen, rates, spread, limits)
    values = {"rate": x_seen / n_seen, "expected": n_seen * rates, "z": z, "z_adjusted": adjusted, "p_value": p}
    for name, column in {**values, "lower": lower / n_seen, "upper": upper / n_seen}.items():
        frame.loc[looked, name] = column
    frame["alarm"] = frame["p_value"] <= alpha
    return frame


def _check_range(rule: str, holds: bool, found: object) -> None:
    if not holds:
        raise DetectorError(f"funnel: {rule}, got {found}")
