"""Where a series stands now: a local level with a slope that comes and goes and a season, for counts and for failures of inspections.

On the scale of the link (log, or logit), level(t + 1) = level(t) + slope(t) x step + a random step; slopes are drawn towards 0 with a
memory of ``slope_memory`` a year; harmonics of the year are added. Counts enter through their working response at the smoothed mean,
eta + (y - mean) / (d mean / d eta), with variance dispersion / information (Durbin & Koopman's approximating model): zeros and exposures
need no special care. How far the level wanders in a year is not estimated as one number: with three to ten years of data the likeliest is
often exactly 0, and forecasts from it are far too sure. All values of a grid are filtered and weighted by their likelihood.

Sources
-------
Durbin & Koopman (2012), Time Series Analysis by State Space Methods, 2nd ed., ch. 10. Pile-up at 0: Stock & Watson (1998), J. Amer.
Statist. Assoc. 93(441), 349-358. Averaging over models: Hoeting, Madigan, Raftery & Volinsky (1999), Statistical Science 14(4), 382-401.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from riskwatch.errors import TrendError
from riskwatch.trends.design import design_of
from riskwatch.trends.glm import Family, fit
from riskwatch.trends.kalman import System, kalman, level_season

__all__ = ["LevelSettings", "Levels", "levels"]

FloatArray = npt.NDArray[np.float64]

_PASSES = 2  # smoothing passes to find the point of linearisation
_START_SD = 2.0  # of the first level about the series' mean rate, on the link's scale
_ETA = 20.0


@dataclass(frozen=True, slots=True)
class LevelSettings:
    """What is believed before a series is seen; standard deviations on the link's scale (0.1 is about 10 %).

    Parameters
    ----------
    wander : tuple of float
        Grid of the level's random steps over a year.
    slope_sd : float
        Slopes per year.
    slope_memory : float
        What is left of a slope after a year.
    season_sd : float
        Coefficients of the harmonics at the start.
    season_drift : float
        Their random steps over a year.
    """

    wander: tuple[float, ...] = (0.0, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
    slope_sd: float = 0.15
    slope_memory: float = 0.8
    season_sd: float = 0.5
    season_drift: float = 0.02


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels per series, g values of the grid; without season, per exposure (rates for binomial); NaN without a known period.

    Attributes
    ----------
    value, lower, upper : array, shape (series,)
        Level at the last period: its median and an interval.
    slope : array, shape (series,)
        Slope at the last period per year on the link's scale.
    dispersion : array, shape (series,)
        Variance of a count over that of its family, at least 1, from both Pearson's statistic and successive differences: a wandering
        level raises the first only.
    weight : array, shape (series, g)
        Probability of each value of the grid.
    state, covariance : array, shape (series, g, m), (series, g, m, m)
    disturbance : array, shape (g, m)
    system : System
    family : str
    typical_size : array, shape (series,)
        Mean exposure of the known periods.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    slope: FloatArray
    dispersion: FloatArray
    weight: FloatArray
    state: FloatArray
    covariance: FloatArray
    disturbance: FloatArray
    system: System
    family: Family
    typical_size: FloatArray


def levels(
    y: FloatArray,
    years: FloatArray,
    *,
    family: Family = "poisson",
    exposure: FloatArray | None = None,
    harmonics: int = 0,
    level: float = 0.95,
    settings: LevelSettings | None = None,
) -> Levels:
    """Find level, slope and season at the last period.

    Parameters
    ----------
    y : array, shape (series, period)
        Counts; NaN is missing.
    years : array, shape (period,)
        Evenly spaced (months count as equal).
    family : {"poisson", "binomial"}
        Over-dispersion is allowed for in both.
    exposure : array, shape (series, period), optional
        Needed for "binomial".
    harmonics : int
    level : float
        Coverage of the interval.
    settings : LevelSettings, optional

    Returns
    -------
    Levels

    Raises
    ------
    TrendError
        If the family is not one of these or lacks its exposure, or there are fewer than two periods.
    """
    settings = settings or LevelSettings()
    if family not in {"poisson", "binomial"} or (family == "binomial" and exposure is None):
        raise TrendError(f"levels: family must be poisson, or binomial with exposure, got {family!r}")
    if y.shape[1] < 2:
        raise TrendError(f"levels: needs at least 2 periods, got {y.shape[1]}")
    series, periods = y.shape
    size = np.ones_like(y) if exposure is None else exposure
    known = np.isfinite(y) & np.isfinite(size) & (size > 0)
    y, size = np.where(known, y, 0.0), np.where(known, size, 1.0)
    step = float((years[-1] - years[0]) / (periods - 1))
    system = level_season(step=step, harmonics=harmonics, slope_memory=settings.slope_memory)
    width, grid = len(system.observe), len(settings.wander)
    count = known.sum(axis=1)
    data = _Data(y, size, known, family)
    dispersion, eta = _start(data, years, harmonics)
    prior = np.zeros((series, width))
    prior[:, 0] = data.flat
    spread = np.broadcast_to(_start_variance(width, settings), (series, width))
    disturbance = np.stack([_disturbance(width, step, wander, settings) for wander in settings.wander])
    for _ in range(_PASSES):
        response, noise = _working(data, eta, dispersion)
        middle = np.broadcast_to(disturbance[grid // 2], (series, width))
        found = kalman(response, noise, system, disturbance=middle, start_mean=prior, start_variance=spread, smooth=True)
        eta = np.clip(found.signal, -_ETA, _ETA)
    response, noise = _working(data, eta, dispersion)
    loglike = np.empty((series, grid))
    state, covariance = np.empty((series, grid, width)), np.empty((series, grid, width, width))
    for at in range(grid):
        steps = np.broadcast_to(disturbance[at], (series, width))
        found = kalman(response, noise, system, disturbance=steps, start_mean=prior, start_variance=spread)
        loglike[:, at], state[:, at], covariance[:, at] = found.loglike, found.state, found.covariance
    weight = np.exp(loglike - loglike.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    mean = (weight * state[:, :, 0]).sum(axis=1)
    variance = (weight * (covariance[:, :, 0, 0] + (state[:, :, 0] - mean[:, None]) ** 2)).sum(axis=1)
    reach = stats.norm.ppf(0.5 + level / 2.0) * np.sqrt(variance)
    back = special.expit if family == "binomial" else np.exp
    blank = np.where(count > 0, 0.0, np.nan)
    return Levels(
        value=back(mean) + blank,
        lower=back(mean - reach) + blank,
        upper=back(mean + reach) + blank,
        slope=(weight * state[:, :, 1]).sum(axis=1) + blank,
        dispersion=dispersion,
        weight=weight,
        state=state,
        covariance=covariance,
        disturbance=disturbance,
        system=system,
        family=family,
        typical_size=np.where(known, size, 0.0).sum(axis=1) / np.maximum(count, 1),
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """Counts and sizes, (series, period); 0 and 1 where not known."""

    y: FloatArray
    size: FloatArray
    known: npt.NDArray[np.bool_]
    family: Family

    @property
    def rate(self) -> FloatArray:
        """Cases per exposure, half a case and a whole exposure added, shape (series,)."""
        return np.asarray((self.y.sum(axis=1) + 0.5) / (np.where(self.known, self.size, 0.0).sum(axis=1) + 1.0))

    @property
    def flat(self) -> FloatArray:
        """The rate on the link's scale, shape (series,)."""
        return np.asarray(special.logit(np.minimum(self.rate, 1 - 1e-6)) if self.family == "binomial" else np.log(self.rate))


def _start(data: _Data, years: FloatArray, harmonics: int) -> tuple[FloatArray, FloatArray]:
    """Return dispersion and a first linear predictor, from a straight line with season; the mean rate where that has no fit."""
    design = design_of(years, harmonics=harmonics)
    fitted = fit(np.where(data.known, data.y, np.nan), design.columns, family=data.family, exposure=data.size)
    line = np.zeros_like(data.y)
    for at in range(design.columns.shape[1]):  # in one order, be it one series or many
        line += fitted.coefficients[:, at : at + 1] * design.columns[:, at]
    eta = np.where(fitted.converged[:, None], np.clip(line, -_ETA, _ETA), data.flat[:, None])
    with np.errstate(all="ignore"):
        steps = np.diff(fitted.pearson, axis=1)
        paired = np.isfinite(steps)
        rough = np.where(paired, steps**2, 0.0).sum(axis=1) / np.maximum(2 * paired.sum(axis=1), 1)
        rough = np.where(paired.sum(axis=1) >= 4, rough, np.inf)
        dispersion = np.minimum(rough, fitted.dispersion)
    return np.where(fitted.converged & np.isfinite(dispersion), np.maximum(dispersion, 1.0), 1.0), eta


def _working(data: _Data, eta: FloatArray, dispersion: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return working responses (NaN where missing) and their variances."""
    if data.family == "binomial":
        mean = data.size * special.expit(eta)
        steep = np.maximum(mean * special.expit(-eta), 1e-6)
    else:
        mean = data.size * np.exp(eta)
        steep = np.maximum(mean, 1e-6)
    return np.where(data.known, eta + (data.y - mean) / steep, np.nan), dispersion[:, None] / steep


def _start_variance(width: int, settings: LevelSettings) -> FloatArray:
    out = np.full(width, settings.season_sd**2)
    out[0], out[1] = _START_SD**2, settings.slope_sd**2
    return out


def _disturbance(width: int, step: float, wander: float, settings: LevelSettings) -> FloatArray:
    """Return the variances of one period's random steps; the slope's keep its variance at ``slope_sd`` squared."""
    out = np.full(width, settings.season_drift**2 * step)
    out[0] = wander**2 * step
    out[1] = settings.slope_sd**2 * (1.0 - settings.slope_memory ** (2.0 * step))
    return out
