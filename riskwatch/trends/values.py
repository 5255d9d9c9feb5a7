"""Trend of a few values with standard errors: quality indicators by year or quarter, 4 to 12 points a series.

A series is v(t) = g^-1(level + slope t + u(t)) + e(t): g is the identity, the log or the logit (by the bounds given), e the known
sampling error, u a process of variance tau^2 whose values a year apart have the correlation ``process_correlation``. With so few points
the correlation cannot be estimated; assuming none makes intervals too short wherever good and bad years come in runs. tau^2 solves
Q(tau^2) = n - 2 with Q the generalised sum of squares (Paule & Mandel's equation; Q has that mean when the covariance is right), and
intervals are Student's with n - 2 degrees of freedom and a scale that is never below 1 (Knapp & Hartung).

Sources
-------
Paule & Mandel (1982), J. Res. Nat. Bur. Stand. 87(5), 377-385; DerSimonian & Kacker (2007), Contemp. Clin. Trials 28(2), 105-114.
Knapp & Hartung (2003), Statistics in Medicine 22(17), 2693-2710; the rule "never narrower" is Jackson et al. (2017), 36(25), 3923-3934.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from riskwatch.errors import TrendError

__all__ = ["ValuesTrend", "probability_reaching", "values_trend"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_MIN_POINTS = 3
_BISECTIONS = 60
_TINY = 1e-9  # smallest standard deviation of a point, in units of the series' own spread: values on a straight line have tau = 0


@dataclass(frozen=True, eq=False)
class ValuesTrend:
    """Trends of series of values; NaN where there are fewer than three.

    Attributes
    ----------
    slope, slope_lower, slope_upper : array, shape (series,)
        Change per year in the values' own unit; on a log or logit scale that at the middle of the series' times.
    p_value : array, shape (series,)
        Two-sided, of no trend.
    mean : array, shape (series, horizon)
        Forecast in the values' own unit: g^-1 of the expected value on the fitted scale (the median where the scale is a log or logit).
    sd : array, shape (series, horizon)
        Scale of the predictive distribution in the values' own unit (delta method on a log or logit scale): doubt about the line,
        process and a sampling error as large as the median one. Student's with ``degrees``: not a normal standard deviation.
    lower, upper : array, shape (series, horizon)
        Limits of the predictive interval at the level asked for, within the bounds.
    degrees : array, shape (series,)
        Degrees of freedom.
    process_sd : array, shape (series,)
        tau on the fitted scale.
    method : array of str, shape (series,)
        "linear", "log", "logit", or "too-few".
    fitted_mean, fitted_sd : array, shape (series, horizon)
        As ``mean`` and ``sd``, on the fitted scale; probabilities are taken there.
    bounds : pair of float or None
    """

    slope: FloatArray
    slope_lower: FloatArray
    slope_upper: FloatArray
    p_value: FloatArray
    mean: FloatArray
    sd: FloatArray
    lower: FloatArray
    upper: FloatArray
    degrees: FloatArray
    process_sd: FloatArray
    method: npt.NDArray[np.str_]
    fitted_mean: FloatArray
    fitted_sd: FloatArray
    bounds: tuple[float, float] | None


@dataclass(frozen=True)
class _Link:
    """The scale of the fit."""

    name: str
    low: float = 0.0
    span: float = 1.0

    @classmethod
    def of(cls, bounds: tuple[float, float] | None) -> _Link:
        if bounds is None:
            return cls("linear")
        low, high = bounds
        if not (np.isfinite(low) and low < high):
            raise TrendError(f"values_trend: bounds must be a finite low end below the high end, got {bounds}")
        return cls("logit", low, high - low) if np.isfinite(high) else cls("log", low)

    def forward(self, values: FloatArray) -> FloatArray:
        if self.name == "linear":
            return values
        inner = (values - self.low) / self.span
        return np.asarray(np.log(inner) if self.name == "log" else special.logit(inner))

    def back(self, fitted: FloatArray) -> FloatArray:
        if self.name == "linear":
            return fitted
        return np.asarray(self.low + self.span * (np.exp(fitted) if self.name == "log" else special.expit(fitted)))

    def derivative(self, fitted: FloatArray) -> FloatArray:
        """Return the change of the value per change on the fitted scale."""
        if self.name == "linear":
            return np.ones_like(fitted)
        if self.name == "log":
            return np.asarray(np.exp(fitted))
        return np.asarray(self.span * special.expit(fitted) * special.expit(-fitted))


def values_trend(
    values: FloatArray,
    errors: FloatArray | None,
    times: FloatArray,
    at: FloatArray,
    *,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
    process_correlation: float = 0.5,
) -> ValuesTrend:
    """Fit a straight line on the linear, log or logit scale to each series and carry it forward.

    Parameters
    ----------
    values : array, shape (series, period)
        NaN is missing.
    errors : array, shape (series, period), or None
        Standard errors of the values; NaN, or None for all: taken as 0, so that all scatter about the line is process.
    times : array, shape (period,)
        Years, as 2024.5 for the middle of 2024.
    at : array, shape (horizon,)
        Years to forecast.
    bounds : (low, high), optional
        Values lie within: (0, 1) or (0, 100) fits on the logit, (0, inf) on the log scale. A value on a bound is moved inwards by half
        of the series' smallest distance from that bound.
    level : float
        Coverage of the intervals.
    process_correlation : float
        Assumed correlation of the process between values a year apart, in [0, 1).

    Returns
    -------
    ValuesTrend

    Raises
    ------
    TrendError
        If shapes do not fit, a value lies outside the bounds, an error is negative, or a parameter is out of range.
    """
    values, times, at = (np.asarray(part, np.float64) for part in (values, times, at))
    link = _Link.of(bounds)
    known, errors = _checked(values, errors, times, bounds=bounds, level=level, correlation=process_correlation)
    y, error = _on_scale(values, errors, known, link)
    count = known.sum(axis=1)
    enough = count >= _MIN_POINTS
    series, horizon = len(values), len(at)
    centre = np.where(known, times, 0.0).sum(axis=1) / np.maximum(count, 1)
    away = np.where(known, times - centre[:, None], 0.0)
    design = np.stack([known.astype(np.float64), away], axis=2)
    degrees = np.where(enough, count - 2.0, np.nan)
    apart = np.abs(times[:, None] - times)
    correlation = (np.eye(len(times)) if process_correlation == 0.0 else process_correlation**apart) * (known[:, :, None] & known[:, None])
    middle = y.sum(axis=1) / np.maximum(count, 1)
    spread = np.sqrt(np.where(known, (y - middle[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(count - 1, 1))
    floor = _TINY * np.where(spread > _TINY * np.abs(middle), spread, np.where(middle != 0.0, np.abs(middle), 1.0))
    noise = np.where(known, error**2 + floor[:, None] ** 2, 1.0)
    model = _Model(y, design, noise, correlation)
    tau2 = _process_variance(model, np.where(enough, degrees, 1.0), spread)
    coefficients, covariance, quadratic = model.fit(tau2)
    scale2 = np.maximum(quadratic / np.where(enough, degrees, 1.0), 1.0)
    quantile = stats.t.ppf(0.5 + level / 2.0, np.where(enough, degrees, 1.0))
    slope_sd = np.sqrt(scale2 * covariance[:, 1, 1])
    unit = link.derivative(coefficients[:, 0])
    ahead = at[None, :] - centre[:, None]
    line = coefficients[:, :1] + coefficients[:, 1:] * ahead
    doubt = covariance[:, 0, 0, None] + 2.0 * covariance[:, 0, 1, None] * ahead + covariance[:, 1, 1, None] * ahead**2
    typical = np.array([np.median(row[seen]) if seen.any() else 0.0 for row, seen in zip(error, known, strict=True)])
    fitted_sd = np.sqrt(scale2[:, None] * doubt + tau2[:, None] + (typical**2)[:, None])
    reach = quantile[:, None] * fitted_sd
    blank, blanks = np.where(enough, 0.0, np.nan), np.where(enough, 0.0, np.nan)[:, None] * np.ones(horizon)
    return ValuesTrend(
        slope=coefficients[:, 1] * unit + blank,
        slope_lower=(coefficients[:, 1] - quantile * slope_sd) * unit + blank,
        slope_upper=(coefficients[:, 1] + quantile * slope_sd) * unit + blank,
        p_value=2.0 * stats.t.sf(np.abs(coefficients[:, 1]) / slope_sd, np.where(enough, degrees, 1.0)) + blank,
        mean=link.back(line) + blanks,
        sd=fitted_sd * link.derivative(line) + blanks,
        lower=link.back(line - reach) + blanks,
        upper=link.back(line + reach) + blanks,
        degrees=degrees,
        process_sd=np.sqrt(tau2) + blank,
        method=np.where(enough, np.full(series, link.name), "too-few"),
        fitted_mean=line + blanks,
        fitted_sd=fitted_sd + blanks,
        bounds=bounds,
    )


def probability_reaching(trend: ValuesTrend, target: FloatArray, *, higher_is_better: BoolArray) -> FloatArray:
    """Return the probability that the value at each horizon reaches its target.

    Parameters
    ----------
    trend : ValuesTrend
    target : array, shape (series,)
        In the values' own unit; NaN gives NaN. A target on a bound of the values is reached with probability 0 unless the other side of
        it is the goal (then 1).
    higher_is_better : array of bool, shape (series,)
        True: reached is at or above the target; False: at or below.

    Returns
    -------
    array, shape (series, horizon)
    """
    target = np.asarray(target, np.float64)
    link = _Link.of(trend.bounds)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = target if trend.bounds is None else np.clip(target, *trend.bounds)
        aim = link.forward(inside)
        away = (trend.fitted_mean - aim[:, None]) / trend.fitted_sd
    above = np.asarray(stats.t.cdf(away, trend.degrees[:, None]), np.float64)
    return np.where(np.asarray(higher_is_better, np.bool_)[:, None], above, 1.0 - above)


@dataclass(frozen=True, eq=False)
class _Model:
    """Generalised least squares of many short series; ``noise`` is the sampling variance, ``correlation`` that of the process."""

    y: FloatArray
    design: FloatArray
    noise: FloatArray
    correlation: FloatArray

    def fit(self, tau2: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return coefficients (series, 2), their covariance (series, 2, 2) and the generalised sum of squares (series,)."""
        variance = tau2[:, None, None] * self.correlation
        at = np.arange(self.y.shape[1])
        variance[:, at, at] += self.noise
        right = np.concatenate([self.design, self.y[:, :, None]], axis=2)
        solved = np.linalg.solve(variance, right)
        information = np.einsum("spi,spj->sij", self.design, solved[:, :, :2])
        # Series without two points have no line: a unit matrix keeps the batch going, the caller blanks them.
        diagonal = information[:, 0, 0] * information[:, 1, 1]
        lame = ~(diagonal - information[:, 0, 1] ** 2 > 1e-12 * diagonal)
        information[lame] = np.eye(2)
        covariance = np.linalg.inv(information)
        coefficients = np.einsum("sij,spj,sp->si", covariance, self.design, solved[:, :, 2])
        residual = self.y - np.einsum("spi,si->sp", self.design, coefficients)
        weighted = solved[:, :, 2] - np.einsum("spi,si->sp", solved[:, :, :2], coefficients)
        return coefficients, covariance, (residual * weighted).sum(axis=1)


def _process_variance(model: _Model, degrees: FloatArray, spread: FloatArray) -> FloatArray:
    """Solve Q(tau^2) = n - 2 by bisection; 0 where the sampling errors alone scatter at least as much as the values do."""
    none = np.zeros(len(spread))
    high = 100.0 * (spread**2 + model.noise.max(axis=1, initial=0.0)) * np.maximum(degrees, 1.0)
    low = none.copy()
    open_ = model.fit(none)[2] > degrees
    if not open_.any():
        return none
    part = _Model(model.y[open_], model.design[open_], model.noise[open_], model.correlation[open_])
    low, high, aim = low[open_], high[open_], degrees[open_]
    # First the size (tau^2 may be many orders below its bound), then the digits: halving the logarithm does both.
    low = np.maximum(low, high * 1e-24)
    for _ in range(_BISECTIONS):
        middle = np.sqrt(low * high)
        above = part.fit(middle)[2] > aim
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    out = none
    out[open_] = np.sqrt(low * high)
    return out


def _checked(
    values: FloatArray,
    errors: FloatArray | None,
    times: FloatArray,
    *,
    bounds: tuple[float, float] | None,
    level: float,
    correlation: float,
) -> tuple[BoolArray, FloatArray]:
    problems: list[str] = []
    if values.ndim != 2 or times.shape != values.shape[1:]:
        raise TrendError(f"values_trend: values must be (series, period) with a time per period, got {values.shape} and {times.shape}")
    given: Any = np.zeros(values.shape) if errors is None else np.asarray(errors, np.float64)
    if given.shape != values.shape:
        raise TrendError(f"values_trend: errors must have the shape of values {values.shape}, got {given.shape}")
    if not (np.diff(times) > 0).all() or not np.isfinite(times).all():
        problems.append("times must be finite years in rising order")
    if not 0.0 < level < 1.0:
        problems.append(f"level must lie in (0, 1), got {level}")
    if not 0.0 <= correlation < 1.0:
        problems.append(f"process_correlation must lie in [0, 1), got {correlation}")
    if np.isinf(values).any():
        problems.append("values must be finite or NaN")
    if (given < 0).any() or np.isinf(given).any():
        problems.append("errors must be finite and >= 0, or NaN")
    known = np.isfinite(values)
    if bounds is not None and (known & ((values < bounds[0]) | (values > bounds[1]))).any():
        row, column = np.argwhere(known & ((values < bounds[0]) | (values > bounds[1])))[0]
        problems.append(f"values must lie within {bounds}, got {values[row, column]:g} in series {row}, period {column}")
    if problems:
        raise TrendError("values_trend: " + "; ".join(problems))
    return known, np.where(known & np.isfinite(given), given, 0.0)


def _on_scale(values: FloatArray, errors: FloatArray, known: BoolArray, link: _Link) -> tuple[FloatArray, FloatArray]:
    """Return values and errors on the fitted scale, 0 where missing."""
    filled = np.where(known, values, link.low + link.span / 2.0)
    if link.name != "linear":
        filled = link.low + _off_bound(filled - link.low, known, link.span)
        if link.name == "logit":
            filled = link.low + link.span - _off_bound(link.low + link.span - filled, known, link.span)
    y = link.forward(filled)
    return np.where(known, y, 0.0), np.where(known, errors / link.derivative(y), 0.0)


def _off_bound(distance: FloatArray, known: BoolArray, span: float) -> FloatArray:
    """Return distances from a bound with zeros replaced by half of the series' smallest, a thousandth of the span without any."""
    least = np.where(known & (distance > 0), distance, np.inf).min(axis=1, initial=np.inf)
    least = np.where(np.isfinite(least), np.minimum(least / 2.0, span / 2.0), span / 1000.0)
    return np.where(distance > 0, distance, least[:, None])
