"""Run length of upper CUSUM charts: periods until the first alarm, exactly by a Markov chain, or by simulation.

Sources
-------
Page (1954), Biometrika 41, 100-115. Brook & Evans (1972), Biometrika 59(3), 539-549: the chart as a Markov chain.
Lucas (1985), Technometrics 27(2), 129-144: counted data CUSUMs with rational reference values.
Hawkins & Olwell (1998), Cumulative Sum Charts and Charting for Quality Improvement, chapters 3 and 5.
Crosier (1986), Biometrika 73(3), 743-749; Champ & Rigdon (1991), Commun. Statist. Simul. Comput. 20(1), 191-204: the integral equation by
Gauss-Legendre quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors import thresholds
from riskwatch.errors import DetectorError

__all__ = ["count_arl", "limit_for", "normal_arl", "run_length_probabilities", "simulated_arl"]

FloatArray = npt.NDArray[np.float64]

_LARGEST_CHAIN = 6000


def _lattice(reference: float, limit: float) -> tuple[int, int, int]:
    """Return the common denominator, and reference and limit in its units."""
    parts = [Fraction(value).limit_denominator(1000) for value in (reference, limit)]
    if any(not math.isclose(float(part), value, rel_tol=1e-9, abs_tol=1e-9) for part, value in zip(parts, (reference, limit), strict=True)):
        raise DetectorError(
            f"count_arl: reference and limit must be multiples of 1/d with d <= 1000, got {reference!r} and {limit!r}",
            hint="round them to three decimals; the chart moves in steps of the reference value",
        )
    unit = math.lcm(parts[0].denominator, parts[1].denominator)
    k, h = (int(part * unit) for part in parts)
    if not (k >= 0 and 0 < h <= _LARGEST_CHAIN):
        raise DetectorError(
            f"count_arl: reference must be >= 0 and limit > 0 with at most {_LARGEST_CHAIN} states, got {reference!r} and {limit!r} ({h} states)",
            hint="take a coarser reference value",
        )
    return unit, k, h


def _transition(mean: float, phi: float, reference: float, limit: float) -> FloatArray:
    """Return the matrix between the states 0, 1/d, ... below ``limit``; what is missing from a row alarms."""
    unit, k, h = _lattice(reference, limit)
    counts = np.arange((h + k) // unit + 2, dtype=np.float64)
    tail = thresholds.negative_binomial_tail(counts, np.full(counts.shape, mean), np.full(counts.shape, phi))
    mass = tail[:-1] - tail[1:]
    matrix = np.zeros((h, h))
    for count, probability in enumerate(mass):
        to = np.maximum(np.arange(h) + count * unit - k, 0)
        inside = to < h
        np.add.at(matrix, (np.flatnonzero(inside), to[inside]), probability)
    return matrix


def count_arl(mean: float, reference: float, limit: float, *, phi: float = 1.0, head_start: float = 0.0) -> float:
    """Return the average run length of S = max(0, S + Y - k), alarm where S >= h, for Poisson or negative binomial counts: exact.

    Parameters
    ----------
    mean : float
        Of the counts; the in-control mean for ARL0, a raised one for ARL1.
    reference, limit : float
        k and h, in cases; rational with a denominator up to 1000.
    phi : float
        Variance over mean; 1 is Poisson.
    head_start : float
        First value of S, below ``limit`` (fast initial response).

    Raises
    ------
    DetectorError
        If k or h is not rational enough, or the chain has more than 6,000 states.
    """
    matrix = _transition(mean, phi, reference, limit)
    lengths = np.linalg.solve(np.eye(len(matrix)) - matrix, np.ones(len(matrix)))
    unit = _lattice(reference, limit)[0]
    at = round(head_start * unit)
    if not 0 <= at < len(matrix):
        raise DetectorError(f"count_arl: head_start must be >= 0 and < limit ({limit}), got {head_start}", hint="half of the limit is usual")
    return float(lengths[at])


def run_length_probabilities(mean: float, reference: float, limit: float, periods: int, *, phi: float = 1.0) -> FloatArray:
    """Return P(run length <= t) for t = 1 ... ``periods`` of the chart of :func:`count_arl`, shape (periods,)."""
    matrix = _transition(mean, phi, reference, limit)
    state = np.zeros(len(matrix))
    state[0] = 1.0
    out = np.empty(periods)
    for at in range(periods):
        state = state @ matrix
        out[at] = 1.0 - state.sum()
    return out


def normal_arl(reference: float, limit: float, *, shift: float = 0.0, head_start: float = 0.0, nodes: int = 80) -> float:
    """Return the average run length of S = max(0, S + Z - k), alarm where S >= h, for Z normal with mean ``shift`` and variance 1.

    Page's integral equation L(s) = 1 + L(0) P(Z <= k - s) + integral of L(u) f(u - s + k) over (0, h), by Gauss-Legendre quadrature.

    Parameters
    ----------
    reference, limit, shift, head_start : float
        In standard deviations.
    nodes : int
        Of the quadrature; 80 give nine digits up to h = 10.
    """
    x, w = np.polynomial.legendre.leggauss(nodes)
    u, weight = limit * (x + 1.0) / 2.0, w * limit / 2.0
    state = np.concatenate([[0.0], u])
    centre = state[:, None] - reference + shift
    matrix = np.concatenate([special.ndtr(-centre), weight * np.exp(-0.5 * (u - centre) ** 2) / math.sqrt(2.0 * math.pi)], axis=1)
    lengths = np.linalg.solve(np.eye(nodes + 1) - matrix, np.ones(nodes + 1))
    if head_start == 0.0:
        return float(lengths[0])
    centre = head_start - reference + shift
    row = np.concatenate([[special.ndtr(-centre)], weight * np.exp(-0.5 * (u - centre) ** 2) / math.sqrt(2.0 * math.pi)])
    return float(1.0 + row @ lengths)


def simulated_arl(
    increments: Callable[[np.random.Generator, int], FloatArray], limit: float, rng: np.random.Generator, *, runs: int = 10_000, longest: int = 100_000
) -> tuple[float, float]:
    """Return the average run length of any upper CUSUM and its standard error, from simulated runs.

    Parameters
    ----------
    increments : callable
        (rng, n) -> array of n independent increments of one period, for instance ``lambda rng, n: rng.poisson(4, n) - 5.0``.
    limit : float
        Alarm where S reaches it.
    rng : numpy.random.Generator
    runs : int
        Charts simulated side by side.
    longest : int
        Runs are cut off here.

    Raises
    ------
    DetectorError
        If a run was cut off: the average would be too small.
    """
    state, length = np.zeros(runs), np.zeros(runs)
    open_ = np.arange(runs)
    for at in range(1, longest + 1):
        current = np.maximum(state[open_] + increments(rng, len(open_)), 0.0)
        state[open_] = current
        length[open_] = at
        open_ = open_[current < limit]
        if not open_.size:
            return float(length.mean()), float(length.std(ddof=1) / math.sqrt(runs))
    raise DetectorError(f"simulated_arl: {open_.size} of {runs} runs had not alarmed after {longest} periods", hint="raise longest, or lower the limit")


def limit_for(arl0: float, mean: float, reference: float, *, phi: float = 1.0) -> float:
    """Return the smallest limit h, in steps of the lattice of ``reference``, with an in-control average run length of at least ``arl0``.

    Parameters
    ----------
    arl0 : float
        In periods, above 1.
    mean, reference, phi
        As for :func:`count_arl`.

    Raises
    ------
    DetectorError
        If ``arl0`` is not above 1, or no limit with up to 6,000 states reaches it.
    """
    if not arl0 > 1.0:
        raise DetectorError(f"limit_for: arl0 must be > 1, got {arl0!r}", hint="the average number of periods between false alarms")
    unit = Fraction(reference).limit_denominator(1000).denominator
    low, high = 0, 1
    while count_arl(mean, reference, high / unit, phi=phi) < arl0:
        low, high = high, high * 2
        if high > _LARGEST_CHAIN:
            raise DetectorError(
                f"limit_for: no limit up to {low / unit:g} cases gives an average run length of {arl0:g} at mean {mean:g} and reference {reference:g}",
                hint="raise the reference value: it lies between the in-control mean and the mean to be detected",
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count_arl(mean, reference, middle / unit, phi=phi) >= arl0 else (middle, high)
    return high / unit
