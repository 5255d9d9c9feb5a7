"""The regression behind both Farrington methods: fit, down-weight past outbreaks, fit again, keep the trend or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.parts import Counts, Weights
from riskwatch.detectors.quasi_poisson import Fit, fit, pearson

__all__ = ["Prediction", "Rules", "anscombe_weights", "predict"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SLACK = 1.0 - 1e-9  # a bound on the residual is worked out in another order than the residual


@dataclass(frozen=True)
class Rules:
    """What the two methods do differently.

    Parameters
    ----------
    reweight_threshold : float or None
        Standardised Anscombe residual above which a past period is down-weighted; None fits once.
    trend : bool
        Try a trend.
    trend_alpha : float
        Level at which it must differ from 0.
    pearson : bool
        Standard errors from the Pearson dispersion, and not from the prior weights in place of the working weights.
    trend_phi_below_1 : bool
        The trend is tested with the Pearson dispersion as it is, even below 1.
    """

    reweight_threshold: float | None
    trend: bool
    trend_alpha: float
    pearson: bool
    trend_phi_below_1: bool = False


@dataclass(frozen=True, eq=False)
class Prediction:
    """For the judged period, arrays (series,); NaN where no fit was found.

    Attributes
    ----------
    eta, error : array
        Log mean and its standard error.
    phi : array
        Dispersion, at least 1.
    trend : array of bool
        The trend was kept.
    """

    eta: FloatArray
    error: FloatArray
    phi: FloatArray
    trend: BoolArray


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A fit with its dispersion (at least 1), the dispersions of the prediction and of the trend's test, and whether it may be used."""

    fit: Fit
    phi: FloatArray
    variance: FloatArray
    trend_variance: FloatArray
    ok: BoolArray


def predict(counts: Counts, rules: Rules, exposure_now: FloatArray | None, years: npt.NDArray[np.int64]) -> Prediction:
    """Predict the judged period, which lies at time 0 in the last part of the year.

    The trend is kept if it differs from 0, at least three years are in the baseline and the prediction does not exceed the largest
    count there; else all is fitted again without.

    Parameters
    ----------
    counts : Counts
    rules : Rules
    exposure_now : array, shape (series,), or None
    years : array of int, shape (series,)
        Anniversaries with data.

    Returns
    -------
    Prediction
    """
    series = counts.y.shape[1]
    eta, error, phi = (np.full(series, np.nan) for _ in range(3))
    keep = np.zeros(series, np.bool_)
    if rules.trend:
        found = _two_fits(counts, rules, trend=True)
        link = _link(found, counts, exposure_now)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
            statistic = np.abs(found.fit.slope) / np.sqrt(found.trend_variance / found.fit.information)
            highest = np.maximum.reduce(counts.y, axis=0)
            keep = found.ok & (statistic > _critical(found.fit.freedom, rules.trend_alpha)) & (found.fit.information > 0)
            keep &= (years >= 3) & (np.exp(link[0]) <= highest)
        for target, values in zip((eta, error, phi), (*link, found.phi), strict=True):
            target[keep] = values[keep]
    flat = np.flatnonzero(~keep)
    if flat.size:
        chosen = np.concatenate([flat, np.full(-flat.size % 8, flat[0], dtype=flat.dtype)])
        few = chosen.size < 0.7 * series  # copying columns out costs about as much as fitting them
        found = _two_fits(counts.columns(chosen) if few else counts, rules, trend=False)
        now = exposure_now[chosen] if few and exposure_now is not None else exposure_now
        link = _link(found, counts, now)
        for target, values in zip((eta, error, phi), (*link, found.phi), strict=True):
            new = np.where(found.ok, values, np.nan)
            if few:
                target[chosen] = new
            else:
                target[flat] = new[flat]
    return Prediction(eta, error, phi, keep)


def _critical(freedom: FloatArray, alpha: float) -> FloatArray:
    """Return the two-sided critical value of Student's t; few degrees of freedom differ in a block."""
    distinct, which = np.unique(freedom, return_inverse=True)
    return np.asarray(special.stdtrit(np.where(distinct > 0, distinct, np.nan), 1.0 - 0.5 * alpha))[which]


def _two_fits(counts: Counts, rules: Rules, *, trend: bool) -> _Fitted:
    """Fit, down-weight past outbreaks, fit again."""
    fitted = fit(counts, trend=trend)
    raw, _ = pearson(counts, fitted)
    plain, phi = raw, np.fmax(raw, 1.0)
    ok = fitted.converged & (fitted.freedom > 0)
    if rules.reweight_threshold is not None:
        omega = anscombe_weights(counts, fitted, phi, rules.reweight_threshold)
        fitted = fit(counts, omega, trend=trend)
        raw, plain = pearson(counts, fitted, omega)
        phi = np.fmax(raw, 1.0)
        ok &= fitted.converged
    # R takes the reweighting weights, not the working weights, for the trend's test and the prediction's error.
    variance = phi if rules.pearson else plain
    return _Fitted(fitted, phi, variance, raw if rules.trend_phi_below_1 else variance, ok)


def _link(found: _Fitted, counts: Counts, exposure_now: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Return the log mean now and its standard error."""
    fitted = found.fit
    eta = fitted.level[-1]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        variance = 1.0 / fitted.part_weight[-1]
        if fitted.trend:
            away = -counts.layout.centre[-1]
            eta = eta + fitted.slope * away
            variance = variance + np.where(fitted.information > 0, (away - fitted.part_time[-1]) ** 2 / fitted.information, 0.0)
        if exposure_now is not None:
            eta = eta + np.log(exposure_now)
        return eta, np.sqrt(found.variance * variance)


def anscombe_weights(counts: Counts, fitted: Fit, phi: FloatArray, threshold: float) -> Weights:
    """Return weights that take past outbreaks out of the baseline (Farrington et al. 1996).

    The standardised Anscombe residual is s = 1.5 (y^(2/3) mean^(-1/6) - mean^(1/2)) / sqrt(phi (1 - h)) with leverage h; the weight is
    proportional to s^-2 above ``threshold`` and to 1 below, and the weights of a series sum to its number of periods.

    Powers are taken only of the few counts that exceed a bound of their part: what a count must exceed for s to be high grows with
    its mean and falls with its leverage, so the part's least mean and largest leverage bound it.

    Parameters
    ----------
    counts : Counts
    fitted : Fit
        Without prior weights.
    phi : array, shape (series,)
    threshold : float

    Returns
    -------
    Weights
    """
    layout, y, series = counts.layout, counts.y, counts.y.shape[1]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        rise = np.minimum(fitted.slope * layout.low, fitted.slope * layout.high)
        least = np.exp(fitted.level + rise)
        heaviest = np.exp(fitted.weight_level + np.maximum(fitted.weight_slope * layout.low, fitted.weight_slope * layout.high))
        if counts.exposure is not None:
            extremes = [
                (pick.reduce(counts.exposure[low:high], axis=0)) for pick in (np.minimum, np.maximum) for low, high in layout.bounds
            ]
            least *= np.array(extremes[: len(layout.bounds)])
            heaviest *= np.array(extremes[len(layout.bounds) :])
        far = np.maximum((layout.low - fitted.part_time) ** 2, (layout.high - fitted.part_time) ** 2)
        reach = np.where(fitted.information > 0, far / fitted.information, 0.0) + 1.0 / fitted.part_weight
        room = np.where(fitted.first, 0.0, phi * np.maximum(1.0 - heaviest * reach, 0.0))
        bound = (np.cbrt(least) ** 2 + np.sqrt(np.cbrt(least)) * np.sqrt(room) * (threshold / 1.5)) ** 1.5 * _SLACK
        mask = np.empty(y.shape, np.bool_)
        for at, (low, high) in enumerate(layout.bounds):
            np.greater(y[low:high], bound[at], out=mask[low:high])
        row, column = np.divmod(np.flatnonzero(mask), series)
        part = layout.part[row]
        time = layout.column[row, 0]
        count = y[row, column]
        mean = np.exp(fitted.level[part, column] + fitted.slope[column] * time)
        weight = np.exp(fitted.weight_level[part, column] + fitted.weight_slope[column] * time)
        if counts.exposure is not None:
            mean *= counts.exposure[row, column]
            weight *= counts.exposure[row, column]
        weight = np.where(fitted.first[column], count + 0.1, weight)
        information = fitted.information[column]
        leverage = 1.0 / fitted.part_weight[part, column]
        leverage += np.where(information > 0, (time - fitted.part_time[part, column]) ** 2 / information, 0.0)
        leverage *= weight
        root = np.sqrt(mean)
        residual = 1.5 * (np.cbrt(count) ** 2 / np.cbrt(root) - root) / np.sqrt(phi[column] * (1.0 - leverage))
        # A period that alone carries its part has leverage 1 and no residual: full weight.
        high_ = np.flatnonzero((residual > threshold) & (leverage < 1.0))
        row, column, less = row[high_], column[high_], residual[high_] ** -2.0 - 1.0
        present = np.add.reduce(counts.sums.present, axis=0)
        return Weights(present / (present + np.bincount(column, less, minlength=series)), row, column, less)
