"""Laboratories as a random effect: who finds more among like samples, by empirical Bayes.

logit p = base + a_s + u_l for series s and laboratory l, u_l normal with mean 0 and standard deviation tau. The effects and the levels a_s
are at their joint mode; tau maximises Laplace's approximation to the likelihood with both integrated out (restricted), or with the
effects alone (maximum likelihood, as R lme4 has it). Levels by the hundred cost one division each: the Hessian is an arrow.

Sources
-------
Breslow & Clayton (1993), J. Amer. Statist. Assoc. 88(421), 9-25: generalised linear mixed models by Laplace's approximation.
Bates et al. (2015), J. Statistical Software 67(1): lme4, the reference of the numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

__all__ = ["LabEffects", "estimate_effects"]

FloatArray = npt.NDArray[np.float64]

_NONE = 2e-3  # a standard deviation of the logit below this is none
_LARGEST = 3.0
_STEPS, _TOLERANCE = 60, 1e-9
_STEP = 2.0  # largest change of a logit in one step


@dataclass(frozen=True, eq=False)
class LabEffects:
    """What the laboratories add to the logit.

    Attributes
    ----------
    effect : array, shape (label,)
    covariance : array, shape (label, label)
        Of the effects, the levels of the series being uncertain too; tau held fixed.
    tau : float
    """

    effect: FloatArray
    covariance: FloatArray
    tau: float

    @classmethod
    def none(cls, labels: int) -> LabEffects:
        """Return effects that are 0 for certain."""
        return cls(np.zeros(labels), np.zeros((labels, labels)), 0.0)


@dataclass(frozen=True, eq=False)
class _Mode:
    effect: FloatArray
    level: FloatArray
    weight: FloatArray  # n p (1 - p), shape (label, series)
    schur: FloatArray  # information about the effects with the levels unknown, shape (label, label)
    loss: float


def estimate_effects(
    failed: FloatArray,
    inspected: FloatArray,
    base: FloatArray,
    *,
    precision: float = 1.0,
    restricted: bool = True,
    tau: float | None = None,
) -> LabEffects:
    """Estimate the effects and their spread.

    Parameters
    ----------
    failed, inspected : array, shape (label, series)
        May be fractions: counts divided by their design effect.
    base : array, shape (label, series)
        Known part of the logit.
    precision : float
        Of the normal prior of the levels around 0; with 0, series without a failure, or without a pass, are left out.
    restricted : bool
        Estimate tau with the levels integrated out too. False: at their mode.
    tau : float, optional
        Given: not estimated.
    """
    labels = len(failed)
    use = inspected.sum(axis=0) > 0
    if precision == 0.0:
        total = failed.sum(axis=0)
        use &= (total > 0) & (total < inspected.sum(axis=0))
    x, n, known = (np.ascontiguousarray(part[:, use]) for part in (failed, inspected, base))
    if labels < 2 or not x.size:
        return LabEffects.none(labels)
    last = [(np.zeros(labels), np.zeros(x.shape[1]))]  # the mode of one tau is near that of the next

    def found(log_tau: float) -> tuple[float, _Mode]:
        mode = _mode(x, n, known, last[-1], tau=math.exp(log_tau), precision=precision)
        last[-1] = (mode.effect, mode.level)
        about = mode.schur if restricted else np.diag(mode.weight.sum(axis=1))
        sign, log_determinant = np.linalg.slogdet(np.eye(labels) + math.exp(2.0 * log_tau) * about)
        return mode.loss + 0.5 * float(log_determinant if sign > 0 else np.inf), mode

    if tau is None:
        bounds = (math.log(_NONE / 2.0), math.log(_LARGEST))
        best = optimize.minimize_scalar(lambda at: found(at)[0], bounds=bounds, method="bounded", options={"xatol": 1e-6})
        tau = math.exp(float(best.x))
    if tau < _NONE:
        return LabEffects.none(labels)
    mode = found(math.log(tau))[1]
    return LabEffects(mode.effect, np.asarray(np.linalg.inv(mode.schur + np.eye(labels) / tau**2), dtype=np.float64), tau)


def _mode(x: FloatArray, n: FloatArray, base: FloatArray, start: tuple[FloatArray, FloatArray], *, tau: float, precision: float) -> _Mode:
    """Return effects and levels at the joint mode for this tau, by Newton's method with steps halved where the loss would rise."""
    u, a = start

    def loss_at(effect: FloatArray, level: FloatArray) -> float:
        eta = base + level + effect[:, None]
        likelihood = (x * eta - n * np.logaddexp(0.0, eta)).sum()
        return float(0.5 * (effect @ effect) / tau**2 + 0.5 * precision * (level @ level) - likelihood)

    loss = loss_at(u, a)
    for _ in range(_STEPS):
        rate = special.expit(base + a + u[:, None])
        weight = n * rate * (1.0 - rate)
        residual = x - n * rate
        by_level, by_effect = residual.sum(axis=0) - precision * a, residual.sum(axis=1) - u / tau**2
        about_level = np.maximum(weight.sum(axis=0) + precision, 1e-12)
        matrix = np.diag(weight.sum(axis=1)) - (weight / about_level) @ weight.T
        step_u = np.linalg.solve(matrix + np.eye(len(u)) / tau**2, by_effect - (weight / about_level) @ by_level)
        step_a = (by_level - weight.T @ step_u) / about_level
        largest = max(float(np.abs(step_u).max()), float(np.abs(step_a).max()))
        scale = min(1.0, _STEP / max(largest, _STEP))
        new = loss_at(u + scale * step_u, a + scale * step_a)
        while new > loss + 1e-9 * abs(loss) and scale > 1e-6:
            scale /= 2.0
            new = loss_at(u + scale * step_u, a + scale * step_a)
        u, a, loss = u + scale * step_u, a + scale * step_a, new
        if largest < _TOLERANCE:
            break
    rate = special.expit(base + a + u[:, None])
    weight = n * rate * (1.0 - rate)
    schur = np.diag(weight.sum(axis=1)) - (weight / np.maximum(weight.sum(axis=0) + precision, 1e-12)) @ weight.T
    return _Mode(u, a, weight, schur, loss)
