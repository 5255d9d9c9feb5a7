"""Scores of the upper CUSUM of counts, their recursion, and the in-control distribution of the statistic.

Sources
-------
Page (1954), Biometrika 41, 100-115. Lucas (1985), Technometrics 27(2), 129-144: Poisson counts.
Rossi, Lampugnani, Marchi (1999), Statistics in Medicine 18, 2111-2122: standardised counts.
Hoehle & Paul (2008), Comput. Statist. Data Anal. 52(9), 4357-4368: negative binomial likelihood ratio.
Brook & Evans (1972), Biometrika 59(3), 539-549: the statistic as a Markov chain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskwatch.detectors import thresholds

__all__ = ["GRID", "STATISTICS", "UNIT", "in_control_tail", "inverse_score", "likelihood_ratio", "recursion", "score"]

FloatArray = npt.NDArray[np.float64]

STATISTICS = ("standard", "rossi", "anscombe", "pearson-nb")
UNIT = 0.2  # of the lattice, in nats
GRID = 80  # states: up to 16 nats
# Gauss-Hermite rule with four nodes for the error of the log mean.
_NODES = np.array([-2.3344142183389773, -0.7419637843027258, 0.7419637843027258, 2.3344142183389773])
_WEIGHTS = np.array([0.045875854768068526, 0.4541241452319315, 0.4541241452319315, 0.045875854768068526])
_RECURSION = 384  # counts up to this one by the recursion of the mass function
_LENGTH = 256  # of the transforms: no wrap-around into the states used


def score(statistic: str, y: FloatArray, mean: FloatArray, alpha: FloatArray | float = 0.0) -> FloatArray:
    """Return the standardised count.

    Parameters
    ----------
    statistic : {"standard", "rossi", "anscombe", "pearson-nb"}
        (y - m) / sqrt(m); (y - 3m + 2 sqrt(m y)) / (2 sqrt(m)); 1.5 (y^(2/3) - m^(2/3)) / m^(1/6); (y - m) / sqrt(m + alpha m^2).
    y, mean : array
        Counts and in-control means m.
    alpha : float or array
        Dispersion for "pearson-nb".
    """
    if statistic == "rossi":
        return np.asarray((y - 3.0 * mean + 2.0 * np.sqrt(mean * y)) / (2.0 * np.sqrt(mean)))
    if statistic == "anscombe":
        return np.asarray(1.5 * (np.cbrt(y) ** 2 - np.cbrt(mean) ** 2) / mean ** (1.0 / 6.0))
    return np.asarray((y - mean) / np.sqrt(mean + (alpha if statistic == "pearson-nb" else 0.0) * mean**2))


def inverse_score(statistic: str, value: FloatArray, mean: FloatArray, alpha: FloatArray | float = 0.0) -> FloatArray:
    """Return the (fractional) count whose score is ``value``; 0 where even no case scores more."""
    if statistic == "rossi":
        root = np.sqrt(np.maximum(4.0 * mean + 2.0 * np.sqrt(mean) * value, 0.0)) - np.sqrt(mean)
        return np.asarray(np.maximum(root, 0.0) ** 2)
    if statistic == "anscombe":
        return np.asarray(np.maximum(np.cbrt(mean) ** 2 + value * mean ** (1.0 / 6.0) / 1.5, 0.0) ** 1.5)
    spread = np.sqrt(mean + (alpha if statistic == "pearson-nb" else 0.0) * mean**2)
    return np.asarray(np.maximum(mean + spread * value, 0.0))


def likelihood_ratio(mean: FloatArray, phi: FloatArray, risk: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return slope w and reference count k of the log likelihood ratio w (y - k) of a mean ``risk`` times as high.

    The distribution is negative binomial with alpha = (phi - 1) / mean held fixed: w = log(risk phi / (1 + risk (phi - 1))) and
    w k = mean log((1 + risk (phi - 1)) / phi) / (phi - 1); at phi = 1 Poisson, w = log(risk) and w k = mean (risk - 1).
    """
    over = phi - 1.0
    slope = np.log(risk) - np.log1p(over * (risk - 1.0) / phi)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(over > 1e-9, np.log1p(over * (risk - 1.0) / phi) / np.where(over > 1e-9, over, 1.0), (risk - 1.0) / phi)
    return slope, mean * cost / slope


def recursion(increments: FloatArray) -> FloatArray:
    """Return the CUSUM S_t = max(0, S_(t-1) + increment), from S = 0, along the last axis; a missing increment carries S on."""
    out = np.empty_like(increments)
    current = np.zeros(increments.shape[:-1])
    for at in range(increments.shape[-1]):
        step = increments[..., at]
        current = np.where(np.isnan(step), current, np.maximum(current + step, 0.0))
        out[..., at] = current
    return out


def in_control_tail(edge: FloatArray, mean: FloatArray, phi: FloatArray, error: FloatArray, steps: int) -> FloatArray:
    """Return P(S >= j) for the states j = 0 ... GRID of a CUSUM of whole increments after ``steps`` periods from 0.

    The count of a period is negative binomial with variance ``phi`` times its mean; the mean itself is ``mean`` times a lognormal factor
    with mean 1 and standard deviation of its log ``error``, the same in all periods, integrated out by a four-point Gauss-Hermite rule.

    Parameters
    ----------
    edge : array, shape (cells, 2 GRID + 1)
        Smallest count whose increment is at least -GRID ... GRID.
    mean, phi, error : array, shape (cells,)
    steps : int

    Returns
    -------
    array, shape (cells, GRID + 1)
    """
    out = np.zeros((len(mean), GRID + 1))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        actual = mean * np.exp(error * node - 0.5 * error**2)
        out += weight * _tail_of_chain(_survival(edge, actual, phi), steps)
    return np.minimum(out, 1.0)


def _survival(edge: FloatArray, mean: FloatArray, phi: FloatArray) -> FloatArray:
    """Return P(Y >= edge) for whole ``edge`` of shape (cells, n): sums of the mass function where all edges are small."""
    out = np.empty(edge.shape)
    small = (mean < _RECURSION / 8.0) & (edge[:, -1] < _RECURSION)
    rows = np.flatnonzero(~small)
    out[rows] = thresholds.negative_binomial_tail(edge[rows], mean[rows, None], phi[rows, None])
    rows = np.flatnonzero(small)
    if rows.size:
        m, over = mean[rows], phi[rows] - 1.0
        tail = np.empty((_RECURSION + 1, rows.size))
        with np.errstate(divide="ignore", under="ignore"):
            mass = np.exp(np.where(over > 1e-9, -m * np.log1p(over) / np.where(over > 1e-9, over, 1.0), -m))
            for count in range(_RECURSION):
                tail[count] = mass
                mass = mass * ((m + count * over) / ((count + 1.0) * phi[rows]))
        tail[_RECURSION] = thresholds.negative_binomial_tail(np.full(rows.size, float(_RECURSION)), m, phi[rows])
        tail = np.minimum(np.cumsum(tail[::-1], axis=0)[::-1], 1.0).T
        at = np.clip(edge[rows], 0, _RECURSION).astype(np.intp)
        out[rows] = np.where(edge[rows] <= 0, 1.0, np.take_along_axis(tail, at, axis=1))
    return out


def _tail_of_chain(over: FloatArray, steps: int) -> FloatArray:
    """Return P(S_steps >= j); ``over`` holds P(V >= v) of the increments V for v = -GRID ... GRID."""
    cells = len(over)
    mass = np.empty_like(over)
    mass[:, :-1] = over[:, :-1] - over[:, 1:]
    mass[:, -1] = over[:, -1]
    mass[:, 0] += 1.0 - over[:, 0]
    transform = np.fft.rfft(mass, _LENGTH, axis=1)
    state = np.zeros((cells, GRID + 1))
    state[:, 0] = 1.0
    for _ in range(steps):
        moved = np.fft.irfft(np.fft.rfft(state, _LENGTH, axis=1) * transform, _LENGTH, axis=1)  # index i is state i - GRID
        state = np.maximum(moved[:, GRID : 2 * GRID + 1], 0.0)
        state[:, 0] += np.maximum(moved[:, :GRID], 0.0).sum(axis=1)
        state[:, GRID] += np.maximum(moved[:, 2 * GRID + 1 : 3 * GRID + 1], 0.0).sum(axis=1)
    return np.asarray(np.cumsum(state[:, ::-1], axis=1)[:, ::-1])
