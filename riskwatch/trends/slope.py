"""Slope of many series with an interval that allows for over-dispersion and for good and bad periods that come in runs.

The mean is a generalised linear model (:mod:`riskwatch.trends.glm`): level, straight line in years, harmonics of the year, and the
exposure. Four standard errors of the slope can be asked for:

* ``model``: the family's own;
* ``quasi``: times the square root of Pearson's dispersion;
* ``newey-west``: the sandwich with Bartlett weights up to ``lags``, no small-sample factor, as statistical packages print it;
* ``robust`` (default): quasi times the square root of the inflation that runs of periods cause
  (:mod:`riskwatch.trends.autocorrelation`). The interval is Student's with the degrees of freedom that are left, (n - k) over the
  inflation. In series of 24 to 104 periods this keeps its level where Newey-West is two to four times above it (docs/trends.md).

Sources
-------
McCullagh & Nelder (1989), Generalized Linear Models, ch. 4, 6 and 9. Newey & West (1987), Econometrica 55(3), 703-708.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from riskwatch.errors import TrendError
from riskwatch.trends.autocorrelation import inflation, lag_correlation
from riskwatch.trends.design import Design, design_of
from riskwatch.trends.glm import Family, GlmFit, fit, moment_alpha

__all__ = ["Errors", "Slopes", "newey_west", "slopes"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Errors = Literal["model", "quasi", "newey-west", "robust"]


@dataclass(frozen=True, eq=False)
class Slopes:
    """Slopes on the link's scale (log, or logit for binomial) per year; NaN where the model did not converge.

    Attributes
    ----------
    slope, error, lower, upper : array, shape (series,)
    p_value : array, shape (series,)
        Two-sided.
    percent, percent_lower, percent_upper : array, shape (series,)
        Change of the fitted level over the last year, in per cent: 100 (exp(slope) - 1), for binomial that of the rate.
    dispersion, autocorrelation, degrees : array, shape (series,)
    level : array, shape (series,)
        Fitted level at the last period without season: expected count per exposure, or rate.
    design : Design
    fit : GlmFit
    """

    slope: FloatArray
    error: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    percent: FloatArray
    percent_lower: FloatArray
    percent_upper: FloatArray
    dispersion: FloatArray
    autocorrelation: FloatArray
    degrees: FloatArray
    level: FloatArray
    design: Design
    fit: GlmFit


def slopes(
    y: FloatArray,
    years: FloatArray,
    *,
    family: Family = "poisson",
    exposure: FloatArray | None = None,
    harmonics: int = 0,
    level: float = 0.95,
    errors: Errors = "robust",
    lags: int | None = None,
) -> Slopes:
    """Fit the slope of each series.

    Parameters
    ----------
    y : array, shape (series, period)
        Counts (failures, for binomial); NaN is missing.
    years : array, shape (period,)
        See :func:`riskwatch.trends.design.years_of`; evenly spaced, for lags are counted in periods.
    family : {"poisson", "negative-binomial", "binomial"}
        For "negative-binomial" alpha comes from Pearson's statistic of the Poisson fit, and once more from its own.
    exposure : array, shape (series, period), optional
    harmonics : int
        Waves a year; 0 without season.
    level : float
        Coverage of the interval.
    errors : {"robust", "model", "quasi", "newey-west"}
    lags : int, optional
        Of Newey-West. Default: floor(4 (n / 100)^(2/9)), n the number of periods.

    Returns
    -------
    Slopes

    Raises
    ------
    TrendError
        If a parameter is out of range or shapes do not fit.
    """
    if not 0.0 < level < 1.0:
        raise TrendError(f"slopes: level must lie in (0, 1), got {level}")
    if errors not in get_args(Errors):
        raise TrendError(f"slopes: errors must be one of {', '.join(get_args(Errors))}, got {errors!r}")
    design = design_of(years, harmonics=harmonics)
    if family == "negative-binomial":
        alpha = moment_alpha(fit(y, design.columns, family="poisson", exposure=exposure))
        alpha = moment_alpha(fit(y, design.columns, family=family, exposure=exposure, alpha=alpha))
        fitted = fit(y, design.columns, family=family, exposure=exposure, alpha=alpha)
    else:
        fitted = fit(y, design.columns, family=family, exposure=exposure)
    with np.errstate(all="ignore"):
        variance, degrees, r = _variance(fitted, design, errors, lags)
        bad = ~fitted.converged
        slope, error = np.where(bad, np.nan, fitted.coefficients[:, 1]), np.where(bad, np.nan, np.sqrt(variance))
        quantile = special.stdtrit(degrees, 0.5 + level / 2.0)
        lower, upper = slope - quantile * error, slope + quantile * error
        p_value = 2.0 * stats.t.sf(np.abs(slope) / error, degrees)
        now = fitted.coefficients[:, 0] + fitted.coefficients[:, 1] * (years[-1] - design.centre)
        percents = [_percent(part, now, family) for part in (slope, lower, upper)]
        value = special.expit(now) if family == "binomial" else np.exp(now)
    return Slopes(
        slope, error, lower, upper, np.asarray(p_value), percents[0], percents[1], percents[2], fitted.dispersion, r, degrees,
        np.where(bad, np.nan, value), design, fitted,
    )  # fmt: skip


def _percent(slope: FloatArray, now: FloatArray, family: Family) -> FloatArray:
    if family != "binomial":
        return np.asarray(100.0 * np.expm1(slope))
    return np.asarray(100.0 * (special.expit(now) / special.expit(now - slope) - 1.0))


def _variance(fitted: GlmFit, design: Design, errors: Errors, lags: int | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return variance of the slope, degrees of freedom and autocorrelation."""
    r = lag_correlation(fitted.pearson, design.columns.shape[1], 1)
    own = fitted.covariance[:, 1, 1]
    if errors == "model":
        return own, np.full(len(own), np.inf), r
    quasi = own * fitted.dispersion
    if errors == "quasi":
        return quasi, fitted.freedom, r
    if errors == "newey-west":
        return newey_west(fitted, design, lags), np.full(len(own), np.inf), r
    longer = inflation(fitted.pearson, design.columns.shape[1])
    # Over-dispersion below 1 is chance: counts do not scatter less than their family.
    return own * np.maximum(fitted.dispersion, 1.0) * longer, np.maximum(fitted.freedom / longer, 1.0), r


def newey_west(fitted: GlmFit, design: Design, lags: int | None = None) -> FloatArray:
    """Return the sandwich variance of the slope with Bartlett weights, shape (series,); missing periods have a score of 0."""
    periods = fitted.mean.shape[1]
    reach = int(4.0 * (periods / 100.0) ** (2.0 / 9.0)) if lags is None else lags
    residual = np.where(np.isfinite(fitted.pearson), fitted.pearson * np.sqrt(fitted.variance), 0.0)
    influence = (fitted.covariance[:, 1, :] @ design.columns.T) * residual * fitted.ratio
    total = (influence**2).sum(axis=1)
    for lag in range(1, min(reach, periods - 1) + 1):
        total = total + 2.0 * (1.0 - lag / (reach + 1.0)) * (influence[:, lag:] * influence[:, :-lag]).sum(axis=1)
    return np.asarray(np.maximum(total, 0.0))
