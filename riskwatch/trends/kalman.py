"""Kalman filter and smoother of many series that share a system: one observation a period, missing ones allowed.

Everything runs over (state, state, series) arrays, one period after the other, in blocks. There is no matrix product: transitions have one
or two entries a row, which are added one after the other, so that a series' bits depend on no neighbour.

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

_WIDTH = 512  # series: their covariances stay in the cache


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
            np.ascontiguousarray(np.where(known, y[rows], 0.0).T),
            np.ascontiguousarray(np.where(known, noise[rows], 1.0).T),
            np.ascontiguousarray(known.astype(np.float64).T),
            np.ascontiguousarray(disturbance[rows].T),
            np.ascontiguousarray(start_mean[rows].T),
            np.ascontiguousarray(start_variance[rows].T),
        )
        found = _run(block, system, smooth=smooth)
        out.loglike[rows], out.state[rows] = found[0], found[1].T
        out.covariance[rows] = found[2].transpose(2, 0, 1)
        if smooth:
            out.signal[rows] = found[3].T
    return out


@dataclass(frozen=True, eq=False)
class _Block:
    """Inputs of a block, series last."""

    y: FloatArray
    noise: FloatArray
    known: FloatArray
    disturbance: FloatArray
    mean: FloatArray
    variance: FloatArray


def _run(block: _Block, system: System, *, smooth: bool) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return log likelihood, last mean, last covariance and smoothed signal, series last."""
    y, noise, known, mean = block.y, block.noise, block.known, block.mean
    (periods, width), size = y.shape, len(mean)
    entries = _entries(system.transition)
    turned = [(column, row, value) for row, column, value in entries]
    at = np.arange(size)
    looked = np.flatnonzero(system.observe).tolist()  # the observation sums these states, each with weight 1
    covariance = np.zeros((size, size, width))
    covariance[at, at] = block.variance
    loglike = np.zeros(width)
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
            mean = _applied(entries, mean)
            half = np.ascontiguousarray(_applied(entries, covariance).transpose(1, 0, 2))
            covariance = _applied(entries, half)
            covariance[at, at] += block.disturbance
    signal = np.empty((periods if smooth else 0, width))
    if smooth:
        weight = np.zeros((size, width))
        for period in range(periods - 1, -1, -1):
            before, spread, gain, surprise, total = kept[period]
            carried = weight if period == periods - 1 else _applied(turned, weight)
            pulled = (known[period] * surprise) / total - (gain * carried).sum(axis=0) * known[period]
            weight = carried.copy()
            weight[looked] += pulled
            signal[period] = before[looked].sum(axis=0) + (spread[looked].sum(axis=0) * weight).sum(axis=0)
    return loglike, mean, covariance, signal


def _entries(transition: FloatArray) -> list[tuple[int, int, float]]:
    """Return row, column and value of what is not 0."""
    return [(int(row), int(column), float(transition[row, column])) for row, column in np.argwhere(transition)]


def _applied(entries: list[tuple[int, int, float]], values: FloatArray) -> FloatArray:
    """Return the matrix of these entries times ``values`` along their first axis."""
    out = np.zeros_like(values)
    for row, column, value in entries:
        out[row] += values[column] if value == 1.0 else value * values[column]
    return out
