"""The beta-binomial likelihood and its maximum, for many groups of cells at once.

A cell is ``x`` failures of ``n`` samples; both may be fractions (divided by a design effect). The rates of the cells of one group scatter
as Beta(m S, (1 - m) S). Parameters are eta = logit(m) and psi = log(S); the correlation within a cell is 1 / (S + 1).

Sources
-------
Beta-binomial marginal likelihood: Griffiths (1973), Biometrics 29(4), 637-648. Information of a mean under over-dispersion (used where the
observed one is not positive): Williams (1982), Applied Statistics 31(2), 144-148. Reference numbers: R package VGAM, see
``tests/reference/README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.errors import RateError
from riskwatch.rates.blocks import over_blocks
from riskwatch.rates.polygamma import rise
from riskwatch.rates.sums import sums

__all__ = ["LOG_STRENGTH", "GroupFit", "derivatives", "fit_groups", "log_likelihood", "quasi_information"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LOG_STRENGTH = (-2.3, 11.5)
"""Bounds of log(S): S from 0.1 to 10^5. At the upper one the scatter between cells is less than chance alone would make."""
_LOGIT = 16.0
_BLOCK = 16_384


def log_likelihood(x: FloatArray, n: FloatArray, eta: FloatArray, psi: FloatArray) -> FloatArray:
    """Return the log-likelihood of each cell without the binomial coefficient; all arrays of shape (cell,)."""
    strength = np.exp(psi)
    mean = special.expit(eta)
    a, b = mean * strength, special.expit(-eta) * strength
    return np.asarray(special.betaln(x + a, n - x + b) - special.betaln(a, b), dtype=np.float64)


def derivatives(x: FloatArray, n: FloatArray, eta: FloatArray, psi: FloatArray) -> tuple[FloatArray, ...]:
    """Return what each cell adds to the gradient and to minus the second derivatives.

    Parameters
    ----------
    x, n, eta, psi : array, shape (cell,)

    Returns
    -------
    by_eta, by_psi, eta_eta, psi_psi, eta_psi : array, shape (cell,)
        d l / d eta, d l / d psi, and minus the second derivatives.
    """
    strength = np.exp(psi)
    mean, rest = special.expit(eta), special.expit(-eta)
    a, b = mean * strength, rest * strength
    d_a, t_a = rise(x, a)
    d_b, t_b = rise(n - x, b)
    d_n, t_n = rise(n, strength)
    q = strength * mean * rest
    by_eta = q * (d_a - d_b)
    by_psi = a * d_a + b * d_b - strength * d_n
    eta_eta = -(q * q * (t_a + t_b) + (rest - mean) * by_eta)
    psi_psi = -(by_psi + a * a * t_a + b * b * t_b - strength * strength * t_n)
    eta_psi = -(by_eta + q * (a * t_a - b * t_b))
    return by_eta, by_psi, eta_eta, psi_psi, eta_psi


def quasi_information(n: FloatArray, eta: FloatArray, psi: FloatArray) -> FloatArray:
    """Return each cell's information on eta, n m (1 - m) / (1 + (n - 1) rho): positive everywhere, 0 where n is."""
    rho = 1.0 / (np.exp(psi) + 1.0)
    return np.asarray(n * special.expit(eta) * special.expit(-eta) / (1.0 + (n - 1.0) * rho), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class GroupFit:
    """Maximum-likelihood fits; arrays of shape (group,).

    Attributes
    ----------
    mean, strength : array
        m and S; NaN for a group without samples.
    correlation : array
        1 / (S + 1), between two samples of one cell.
    logit_error, log_strength_error : array
        Standard errors of logit(m) and log(S) from the observed information; NaN where it is not positive definite.
    log_likelihood : array
        Without the binomial coefficient.
    converged, at_bound : array of bool
        Whether the gradient vanished; whether the strength or the mean ran to a bound (no scatter beyond chance, no failure at all).
    """

    mean: FloatArray
    strength: FloatArray
    correlation: FloatArray
    logit_error: FloatArray
    log_strength_error: FloatArray
    log_likelihood: FloatArray
    converged: npt.NDArray[np.bool_]
    at_bound: npt.NDArray[np.bool_]


def fit_groups(x: FloatArray, n: FloatArray, group: IntArray, groups: int, *, passes: int = 100, tolerance: float = 1e-9) -> GroupFit:
    """Fit every group by maximum likelihood: Newton steps for all groups together, halved where the likelihood would fall.

    Parameters
    ----------
    x, n : array, shape (cell,)
        0 <= x <= n, finite.
    group : array of int, shape (cell,)
        Number of the group that each cell is in.
    groups : int
    passes : int
        Largest number of steps.
    tolerance : float
        A group is done when its step is below this in both parameters.

    Raises
    ------
    RateError
        If counts are out of range.
    """
    check_counts(x, n)
    order = np.lexsort((x, n, group))  # the same sums whatever the order of the cells
    order = order[n[order] > 0]
    x, n, group = x[order], n[order], group[order]
    total, failed = sums(group, n, groups), sums(group, x, groups)
    known = total > 0
    # A quarter of a failure and of a pass: a group without either starts inside the bounds.
    eta = special.logit((failed + 0.25) / (total + 0.5))
    psi = np.full(groups, np.log(20.0))
    value = sums(group, log_likelihood(x, n, eta[group], psi[group]), groups)
    open_ = known.copy()
    damping = np.ones(groups)
    step = _step(x, n, group, groups, eta=eta, psi=psi)
    for _ in range(passes):
        if not open_.any():
            break
        new_eta = np.where(open_, np.clip(eta + damping * step[0], -_LOGIT, _LOGIT), eta)
        new_psi = np.where(open_, np.clip(psi + damping * step[1], *LOG_STRENGTH), psi)
        cells = np.flatnonzero(open_[group])
        g = group[cells]
        gain = sums(g, log_likelihood(x[cells], n[cells], new_eta[g], new_psi[g]), groups)
        moved = np.maximum(np.abs(new_eta - eta), np.abs(new_psi - psi))
        # A step near the tolerance changes the likelihood by less than its rounding: the gradient is then the better judge.
        better = open_ & ((gain >= value) | (moved < 1e-5))
        eta, psi = np.where(better, new_eta, eta), np.where(better, new_psi, psi)
        value = np.where(better, gain, value)
        damping = np.where(better | ~open_, 1.0, damping / 2.0)
        open_ = open_ & ~(better & (moved < tolerance)) & (damping > 1e-9)
        cells = np.flatnonzero(open_[group])
        step = _step(x[cells], n[cells], group[cells], groups, eta=eta, psi=psi)
    return _finish(x, n, group, groups, eta=eta, psi=psi, value=value, known=known, done=known & ~open_ & (damping > 1e-9))


def check_counts(x: FloatArray, n: FloatArray) -> None:
    """Raise RateError unless 0 <= x <= n and both are finite, naming the first cell that is not so."""
    wrong = np.flatnonzero(~((x >= 0) & (x <= n) & np.isfinite(n)))
    if wrong.size:
        first = int(wrong[0])
        raise RateError(f"failures must lie between 0 and the number inspected; cell {first} has {x[first]:g} of {n[first]:g}")


def _sums(x: FloatArray, n: FloatArray, group: IntArray, groups: int, *, eta: FloatArray, psi: FloatArray) -> list[FloatArray]:
    out = [np.empty(len(x)) for _ in range(5)]
    over_blocks(lambda at: derivatives(x[at], n[at], eta[group[at]], psi[group[at]]), len(x), out, _BLOCK)
    out.append(quasi_information(n, eta[group], psi[group]))
    return [sums(group, part, groups) for part in out]


def _step(x: FloatArray, n: FloatArray, group: IntArray, groups: int, *, eta: FloatArray, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Newton's step where the information is positive definite, a scaled gradient step elsewhere; at most 2 in each parameter."""
    by_eta, by_psi, eta_eta, psi_psi, eta_psi, quasi = _sums(x, n, group, groups, eta=eta, psi=psi)
    # At a bound that the gradient points out of, the other parameter is fitted alone.
    stuck = ((psi <= LOG_STRENGTH[0]) & (by_psi < 0)) | ((psi >= LOG_STRENGTH[1]) & (by_psi > 0))
    determinant = eta_eta * psi_psi - eta_psi**2
    good = (eta_eta > 0) & (determinant > 1e-12 * np.abs(eta_eta * psi_psi)) & ~stuck
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(good, (psi_psi * by_eta - eta_psi * by_psi) / determinant, by_eta / np.maximum(eta_eta, quasi))
        second = np.where(good, (eta_eta * by_psi - eta_psi * by_eta) / determinant, by_psi / np.maximum(np.abs(psi_psi), 1e-3 * quasi))
    second = np.where(stuck, 0.0, second)
    return np.clip(np.nan_to_num(first), -2.0, 2.0), np.clip(np.nan_to_num(second), -2.0, 2.0)


def _finish(
    x: FloatArray,
    n: FloatArray,
    group: IntArray,
    groups: int,
    *,
    eta: FloatArray,
    psi: FloatArray,
    value: FloatArray,
    known: npt.NDArray[np.bool_],
    done: npt.NDArray[np.bool_],
) -> GroupFit:
    _, _, eta_eta, psi_psi, eta_psi, _ = _sums(x, n, group, groups, eta=eta, psi=psi)
    determinant = eta_eta * psi_psi - eta_psi**2
    fine = known & (eta_eta > 0) & (determinant > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = [np.where(fine, np.sqrt(part / determinant), np.nan) for part in (psi_psi, eta_eta)]
    at_bound = (psi <= LOG_STRENGTH[0]) | (psi >= LOG_STRENGTH[1]) | (np.abs(eta) >= _LOGIT)
    strength = np.where(known, np.exp(psi), np.nan)
    return GroupFit(
        np.where(known, special.expit(eta), np.nan), strength, 1.0 / (strength + 1.0), errors[0], errors[1],
        np.where(known, value, np.nan), done, known & at_bound,
    )  # fmt: skip
