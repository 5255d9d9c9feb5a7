"""The upper CUSUM of failures among inspections on a lattice, and its in-control distribution and run length by a Markov chain.

Sources
-------
Steiner et al. (2000), Biostatistics 1(4), 441-452: risk-adjusted CUSUM of log likelihood ratios; a batch of one is the Bernoulli CUSUM.
Reynolds & Stoumbos (1999), J. Quality Technology 31(1), 87-108: CUSUM of a Bernoulli share.
Brook & Evans (1972), Biometrika 59(3), 539-549: the statistic as a Markov chain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.cusum_statistics import GRID, binomial_ratio
from riskwatch.errors import DetectorError

__all__ = ["Lattice", "binomial_arl", "binomial_limit_for", "binomial_survival", "chain_tail", "lattice", "step_of"]

FloatArray = npt.NDArray[np.float64]

COARSE, MIDDLE, FINE = 0.2, 0.1, 0.05  # largest step of the lattice, in nats: of p-values, of limits, of run lengths
_HIGHEST, _HIGHEST_LIMIT = 16.0, 10.0
_TABLE = 1000  # failures up to this one by the mass function
_SUMMED = 1e8
_LARGEST = 1e12  # a + b of a beta distribution that is all but a point
_LENGTH = 256  # of the transforms: no wrap-around into the states used
_NODES = np.array([-2.3344142183389773, -0.7419637843027258, 0.7419637843027258, 2.3344142183389773])
_WEIGHTS = np.array([0.045875854768068526, 0.4541241452319315, 0.4541241452319315, 0.045875854768068526])


@dataclass(frozen=True, eq=False)
class Lattice:
    """The chart's increments in whole steps: round(slope x) - cost.

    Attributes
    ----------
    slope : array, shape (cells, period)
        Steps per failure.
    cost : array, shape (cells, period)
        Whole steps. Rounded so that over any run of periods they add up to the exact sum, within one step: a few inspections cost less
        than half a step, and a chart that rounded them one by one would never come down.
    unit : float
        Of a step, in nats.
    """

    slope: FloatArray
    cost: FloatArray
    unit: float

    def increments(self, failed: FloatArray) -> FloatArray:
        """Return the increments of these failures, shape (cells, period)."""
        return np.asarray(np.floor(self.slope * failed + 0.5) - self.cost)

    def edge(self, period: int, reach: int = GRID) -> FloatArray:
        """Return the smallest number of failures whose increment is at least -reach ... reach, shape (cells, 2 reach + 1)."""
        needed = np.arange(-reach, reach + 1) + self.cost[:, period, None]
        slope = self.slope[:, period, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(slope > 0, np.ceil((needed - 0.5) / slope), np.where(needed <= 0, 0.0, np.inf))


def step_of(odds_ratio: float, finest: float = COARSE) -> float:
    """Return the largest step, in nats, that divides what one failure adds and is at most ``finest``."""
    return float(np.log(odds_ratio) / np.ceil(np.log(odds_ratio) / finest))


def _ratio(
    inspected: FloatArray, rate: FloatArray, correlation: FloatArray, odds_ratio: float, unit: float
) -> tuple[FloatArray, FloatArray]:
    """Return steps per failure and steps per batch of the log likelihood ratio, divided by the batch's design effect."""
    design = 1.0 + np.maximum(inspected - 1.0, 0.0) * correlation
    cost = -binomial_ratio(np.zeros(rate.shape), inspected, rate, odds_ratio) / design / unit
    return np.where(inspected > 0, np.log(odds_ratio) / design / unit, 0.0), np.asarray(cost)


def lattice(inspected: FloatArray, rate: FloatArray, correlation: FloatArray, odds_ratio: float) -> Lattice:
    """Return the chart of log likelihood ratios, each divided by the design effect 1 + (n - 1) rho of its period.

    Parameters
    ----------
    inspected, rate : array, shape (cells, period)
        Inspections (0: the chart stays) and in-control shares.
    correlation : array, shape (cells,)
        Between two inspections of one period.
    odds_ratio : float
        To be detected.
    """
    unit = step_of(odds_ratio)
    slope, cost = _ratio(inspected, rate, correlation[:, None], odds_ratio, unit)
    total = np.floor(np.cumsum(cost, axis=1) + 0.5)
    return Lattice(slope, np.diff(total, axis=1, prepend=np.zeros((len(total), 1))), unit)


def binomial_survival(edge: FloatArray, inspected: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return P(X >= edge), X ~ BetaBinomial(n, a, b): by the mass function where that is short, else by a beta distribution like it.

    The latter has the share's mean and variance; it is taken where n is above 1,000 and more than 100 failures are expected.

    Parameters
    ----------
    edge : array, shape (cells, m)
        Whole numbers; negative and infinite ones are welcome.
    inspected, a, b : array, shape (cells,)
    """
    out = np.where(edge <= 0, 1.0, 0.0)
    mean = inspected * a / (a + b)
    short = (inspected <= _TABLE) | (mean < _TABLE / 10.0)
    rows = np.flatnonzero(short & (inspected > 0))
    if rows.size:
        # Beyond 10^8 the logarithms of beta functions lose their digits, and the distribution is binomial to as many.
        scale = np.minimum(1.0, _SUMMED / (a[rows] + b[rows]))
        n, p, q = inspected[rows, None], (a[rows] * scale)[:, None], (b[rows] * scale)[:, None]
        reach = int(min(inspected[rows].max(), _TABLE))
        k = np.arange(reach)
        with np.errstate(divide="ignore"):
            ratio = np.log(np.maximum(n - k, 0.0) * (p + k)) - np.log((k + 1.0) * np.maximum(q + n - k - 1.0, 1e-300))
        first = special.betaln(p, n + q) - special.betaln(p, q)
        mass = np.exp(np.concatenate([first, first + np.cumsum(ratio, axis=1)], axis=1))
        tail = np.minimum(np.cumsum(mass[:, ::-1], axis=1)[:, ::-1], 1.0)
        tail = np.concatenate([tail, np.zeros((rows.size, 1))], axis=1)
        at = np.clip(edge[rows], 0, reach + 1).astype(np.intp)
        out[rows] = np.where(edge[rows] <= 0, 1.0, np.take_along_axis(tail, at, axis=1))
    rows = np.flatnonzero(~short)
    if rows.size:
        n, p, q = (part[rows] for part in (inspected, a, b))
        share, total = p / (p + q), 1.0 / (p + q + 1.0)
        strength = 1.0 / (total + (1.0 - total) / n) - 1.0
        value = np.clip((edge[rows] - 0.5) / n[:, None], 0.0, 1.0)
        out[rows] = special.betaincc((share * strength)[:, None], ((1.0 - share) * strength)[:, None], value)
    return out


def _shape(rate: FloatArray, correlation: FloatArray) -> tuple[FloatArray, FloatArray]:
    strength = np.minimum(1.0 / np.maximum(correlation, 1.0 / _LARGEST) - 1.0, _LARGEST)
    return rate * strength, (1.0 - rate) * strength


def chain_tail(chart: Lattice, inspected: FloatArray, rate: FloatArray, correlation: FloatArray, error: FloatArray) -> FloatArray:
    """Return P(S >= j) for the states j = 0 ... GRID of the chart after its periods, from 0.

    Failures are beta-binomial around the in-control shares; the error of their logit is common to all periods and integrated out by a
    four-point Gauss-Hermite rule, the shares' mean held.

    Parameters
    ----------
    chart : Lattice
    inspected, rate : array, shape (cells, period)
    correlation, error : array, shape (cells,)
        ``error`` is the standard error of the logit.

    Returns
    -------
    array, shape (cells, GRID + 1)
    """
    out = np.zeros((len(rate), GRID + 1))
    logit = special.logit(rate)
    # A share's mean over the nodes stays what it was.
    shift = 0.5 * error**2 * (1.0 - 2.0 * rate.mean(axis=1))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        actual = special.expit(logit + (error * node - shift)[:, None])
        state = np.zeros((len(rate), GRID + 1))
        state[:, 0] = 1.0
        for period in range(rate.shape[1]):
            mass = _mass(chart, period, inspected[:, period], actual[:, period], correlation)
            moved = np.fft.irfft(np.fft.rfft(state, _LENGTH, axis=1) * np.fft.rfft(mass, _LENGTH, axis=1), _LENGTH, axis=1)
            state = np.maximum(moved[:, GRID : 2 * GRID + 1], 0.0)
            state[:, 0] += np.maximum(moved[:, :GRID], 0.0).sum(axis=1)
            state[:, GRID] += np.maximum(moved[:, 2 * GRID + 1 : 3 * GRID + 1], 0.0).sum(axis=1)
        out += weight * np.cumsum(state[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(out, 1.0)


def _mass(
    chart: Lattice, period: int, inspected: FloatArray, rate: FloatArray, correlation: FloatArray, *, reach: int = GRID
) -> FloatArray:
    """Return the probabilities of the increments -reach (or less) ... reach (or more), shape (cells, 2 reach + 1)."""
    over = binomial_survival(chart.edge(period, reach), inspected, *_shape(rate, correlation))
    mass = np.empty_like(over)
    mass[:, :-1] = over[:, :-1] - over[:, 1:]
    mass[:, -1] = over[:, -1]
    mass[:, 0] += 1.0 - over[:, 0]
    return mass


def _moves(
    inspected: FloatArray, rate: FloatArray, truth: FloatArray, correlation: FloatArray, odds_ratio: float, *, finest: float, highest: float
) -> tuple[FloatArray, float]:
    """Return the moves between the states below ``highest`` nats of charts with one batch every period, and the step.

    Where a batch costs a fraction of a step, it costs the whole step below or above at random, right on average.
    """
    unit = step_of(odds_ratio, finest)
    states = int(np.ceil(highest / unit))
    slope, cost = _ratio(inspected, rate, correlation, odds_ratio, unit)
    low = np.floor(cost)
    mass = np.zeros((len(rate), 2 * states + 1))
    for more, share in ((0.0, low + 1.0 - cost), (1.0, cost - low)):
        mass += share[:, None] * _mass(Lattice(slope[:, None], (low + more)[:, None], unit), 0, inspected, truth, correlation, reach=states)
    at = np.arange(states)
    matrix = mass[:, at[None, :] - at[:, None] + states]
    matrix[:, :, 0] = np.cumsum(mass, axis=1)[:, states - at]
    return matrix, unit


def _arl(matrix: FloatArray, limit: npt.NDArray[np.intp]) -> FloatArray:
    """Return the run lengths from 0 of charts that alarm in the states from ``limit`` on, shape (cells,)."""
    inside = np.arange(matrix.shape[1]) < limit[:, None]
    kept = matrix * inside[:, :, None] * inside[:, None, :]
    return np.asarray(np.linalg.solve(np.eye(matrix.shape[1]) - kept, np.ones((*matrix.shape[:2], 1)))[:, 0, 0])


def binomial_arl(
    inspected: npt.ArrayLike,
    rate: npt.ArrayLike,
    odds_ratio: float,
    limit: float,
    *,
    correlation: npt.ArrayLike = 0.0,
    actual: npt.ArrayLike | None = None,
) -> FloatArray:
    """Return the average run length, in periods, of the chart of log likelihood ratios that starts at 0 and alarms where S >= ``limit``.

    Parameters
    ----------
    inspected, rate : array_like, shape (cells,)
        Batch of every period (1: the Bernoulli CUSUM) and in-control share.
    odds_ratio : float
        To be detected.
    limit : float
        In nats, rounded up to the lattice of at most 0.05; up to 16.
    correlation : array_like
        Between two inspections of a period; the ratios are divided by the design effect.
    actual : array_like, optional
        True share. Default: in control.

    Raises
    ------
    DetectorError
        If the limit is not above 0 and at most 16 nats.
    """
    if not 0.0 < limit <= _HIGHEST:
        raise DetectorError(f"binomial_arl: limit must be > 0 and <= {_HIGHEST:g} nats, got {limit!r}", hint="3 to 6 nats are usual")
    n, p, rho, truth = _arrays(inspected, rate, correlation, rate if actual is None else actual)
    matrix, unit = _moves(n, p, truth, rho, odds_ratio, finest=FINE, highest=limit)
    return _arl(matrix, np.full(len(n), int(np.ceil(limit / unit - 1e-9))))


def binomial_limit_for(
    arl0: float, inspected: npt.ArrayLike, rate: npt.ArrayLike, odds_ratio: float, *, correlation: npt.ArrayLike = 0.0
) -> FloatArray:
    """Return the smallest limits, in nats, with an in-control average run length of at least ``arl0``; infinite where 10 nats are too few.

    Parameters
    ----------
    arl0 : float
        In periods, above 1.
    inspected, rate, odds_ratio, correlation
        As for :func:`binomial_arl`; on a lattice of 0.1 nats.

    Raises
    ------
    DetectorError
        If ``arl0`` is not above 1.
    """
    if not arl0 > 1.0:
        raise DetectorError(
            f"binomial_limit_for: arl0 must be > 1, got {arl0!r}", hint="the average number of periods between false alarms"
        )
    n, p, rho = _arrays(inspected, rate, correlation)
    matrix, unit = _moves(n, p, p, rho, odds_ratio, finest=MIDDLE, highest=_HIGHEST_LIMIT)
    low, high = np.zeros(len(n), np.intp), np.full(len(n), matrix.shape[1], np.intp)  # invariant: low is too low
    enough = _arl(matrix, high) >= arl0
    while (high - low > 1).any():
        middle = (low + high) // 2
        long = _arl(matrix, middle) >= arl0
        low, high = np.where(long, low, middle), np.where(long, middle, high)
    return np.where(enough, high * unit, np.inf)


def _arrays(*parts: npt.ArrayLike) -> list[FloatArray]:
    return [np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in np.broadcast_arrays(*(np.atleast_1d(part) for part in parts))]
