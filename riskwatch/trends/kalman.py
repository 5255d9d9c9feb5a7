"""Kalman filter and smoother of many series that share a system: one observation a period, missing ones allowed.

Everything runs over (state, state, series) arrays, one period after the other, in blocks of one width (the last is filled up), so that
a series' bits depend on no neighbour.

Sources
-------
Durbin & Koopman (2012), Time Series Analysis by State Space Methods, 2nd ed., ch. 4. Trigonometric seasons: Harvey (1989), Forecasting,
Structural Time Series Models and the Kalman Filter, section 2.3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Filtered", "System", "kalman", "level_season"]

FloatArray = npt.NDArray[np.float64]

_WIDTH = 2048


@dataclass(frozen=True, eq=False)
class System:
    """What all series share: y(t) = observe . state(t) + noise, state(t + 1) = transition state(t) + disturbance.

    Attributes
    ----------
    transition : array, shape (m, m)
    observe : array, shape (m,)
    """

    transition: FloatArray
    observe: FloatArray


@dataclass(frozen=True, eq=False)
class Filtered:
    """Result per series.

    Attributes
    ----------
    loglike : array, shape (series,)
        Log density of the known observations.
    state : array, shape (series, m)
        Mean of the state at the last period given all observations.
    covariance : array, shape (series, m, m)
    signal : array, shape (series, period)
        Smoothed ``observe . state(t)``; empty unless asked for.
    """

    loglike: FloatArray
    state: FloatArray
    covariance: FloatArray
    signal: FloatArray


def level_season(*, step: float, harmonics: int, slope_memory: float | None = None) -> System:
    """Return the system: level; slope per year if ``slope_memory`` is given; cosine and sine state of each harmonic of the year.

    Parameters
    ----------
    step : float
        Length of a period in years.
    harmonics : int
    slope_memory : float, optional
        What is left of a slope after a year: 1 is a straight line, 0.8 one that bends to level.
    """
    first = 1 if slope_memory is None else 2
    size = first + 2 * harmonics
    transition, observe = np.zeros((size, size)), np.zeros(size)
    transition[0, 0] = observe[0] = 1.0
    if slope_memory is not None:
        transition[0, 1], transition[1, 1] = step, slope_memory**step
    for wave in range(1, harmonics + 1):
        at = first + 2 * (wave - 1)
        turn = 2.0 * np.pi * wave * step
        transition[at : at + 2, at : at + 2] = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        observe[at] = 1.0
    return System(transition, observe)


def kalman(
    y: FloatArray,
    noise: FloatArray,
    system: System,
    *,
    disturbance: FloatArray,
    start_mean: FloatArray,
    start_variance: FloatArray,
    smooth: bool = False,
) -> Filtered:
    """Filter, and smooth if asked.

    Parameters
    ----------
    y : array, shape (series, period)
        NaN is missing.
    noise : array, shape (series, period)
        Variance of the observations; positive where there is one.
    system : System
    disturbance : array, shape (series, m)
        Variances of the state's disturbances, which are independent.
    start_mean, start_variance : array, shape (series, m)
        Of the independent states at the first period, before it is seen.
    smooth : bool

    Returns
    -------
    Filtered
    """
    series, periods = y.shape
    size = len(system.observe)
    out = Filtered(np.empty(series), np.empty((series, size)), np.empty((series, size, size)), np.empty((series, periods if smooth else 0)))
    for start in range(0, series, _WIDTH):
        rows = slice(start, min(start + _WIDTH, series))
        known = np.isfinite(y[rows])
        block = _Block(
            _filled(np.where(known, y[rows], 0.0)),
            _filled(np.where(known, noise[rows], 1.0), 1.0),
            _filled(known.astype(np.float64)),
            _filled(disturbance[rows]),
            _filled(start_mean[rows]),
            _filled(start_variance[rows]),
        )
        found = _run(block, system, smooth=smooth)
        count = rows.stop - start
        out.loglike[rows], out.state[rows] = found[0][:count], found[1].T[:count]
        out.covariance[rows] = found[2].transpose(2, 0, 1)[:count]
        if smooth:
            out.signal[rows] = found[3].T[:count]
    return out


def _filled(values: FloatArray, rest: float = 0.0) -> FloatArray:
    """Return values with series last and in a full block's width."""
    out = np.full((values.shape[1], _WIDTH), rest)
    out[:, : len(values)] = values.T
    return out


@dataclass(frozen=True, eq=False)
class _Block:
    """Inputs of a full block, series last."""

    y: FloatArray
    noise: FloatArray
    known: FloatArray
    disturbance: FloatArray
    mean: FloatArray
    variance: FloatArray


def _run(block: _Block, system: System, *, smooth: bool) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return log likelihood, last mean, last covariance and smoothed signal, series last."""
    y, noise, known, mean = block.y, block.noise, block.known, block.mean
    periods, size = len(y), len(mean)
    at = np.arange(size)
    looked = np.flatnonzero(system.observe).tolist()  # the observation sums these states, each with weight 1
    covariance = np.zeros((size, size, _WIDTH))
    covariance[at, at] = block.variance
    loglike = np.zeros(_WIDTH)
    kept: list[tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]] = []
    for period in range(periods):
        reach = covariance[:, looked].sum(axis=1)
        total = reach[looked].sum(axis=0) + noise[period]
        surprise = known[period] * (y[period] - mean[looked].sum(axis=0))
        gain = reach * (known[period] / total)
        loglike -= 0.5 * (known[period] * np.log(2.0 * np.pi * total) + surprise**2 / total)
        if smooth:
            kept.append((mean, covariance, gain, surprise, total))
        mean = mean + gain * surprise
        covariance = covariance - gain[:, None] * reach[None]
        if period < periods - 1:
            mean, covariance = _ahead(mean, covariance, system.transition)
            covariance[at, at] += block.disturbance
    signal = np.empty((periods, _WIDTH)) if smooth else np.empty((0, _WIDTH))
    if smooth:
        weight = np.zeros((size, _WIDTH))
        for period in range(periods - 1, -1, -1):
            before, spread, gain, surprise, total = kept[period]
            carried = weight if period == periods - 1 else system.transition.T @ weight
            pulled = (known[period] * surprise) / total - (gain * carried).sum(axis=0) * known[period]
            weight = carried.copy()
            weight[looked] += pulled
            signal[period] = before[looked].sum(axis=0) + (spread[looked].sum(axis=0) * weight).sum(axis=0)
    return loglike, mean, covariance, signal


def _ahead(mean: FloatArray, covariance: FloatArray, transition: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance a period later, without disturbance."""
    size = len(mean)
    half = (transition @ covariance.reshape(size, -1)).reshape(covariance.shape)
    turned = np.ascontiguousarray(half.transpose(1, 0, 2)).reshape(size, -1)
    return transition @ mean, (transition @ turned).reshape(covariance.shape)
