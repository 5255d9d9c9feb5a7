"""In-control mean of a chart: batched log-linear regression on harmonics, a trend and log exposure.

Sources
-------
Dispersion by maximum likelihood, alternating with the regression: Venables & Ripley (2002), Modern Applied Statistics with S, section 7.4.
Shrinkage of coefficients by a normal prior: le Cessie & van Houwelingen (1992), Applied Statistics 41(1), 191-201.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["Regression", "design", "dispersion", "dispersion_allowance", "fit", "fit_negative_binomial"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_PASSES = 100
_OUTER = 120
_ETA_LIMIT = 700.0
_WIDTH = 8  # a lone column would be summed in another order: pad to the width of a vector register


@dataclass(frozen=True, eq=False)
class Regression:
    """Fits per series (last axis); n periods, p columns.

    Attributes
    ----------
    coefficients : array, shape (p, series)
    covariance : array, shape (p, p, series)
        Of the coefficients at dispersion 1.
    mean : array, shape (n, series)
        Fitted means.
    alpha : array, shape (series,)
        Negative binomial dispersion, Var = mean + alpha mean^2; 0 is Poisson.
    ok : array of bool, shape (series,)
        Whether the passes settled.
    """

    coefficients: FloatArray
    covariance: FloatArray
    mean: FloatArray
    alpha: FloatArray
    ok: BoolArray

    def predict(self, rows: FloatArray, offset: FloatArray | float = 0.0) -> tuple[FloatArray, FloatArray]:
        """Return means and standard errors of their logs at dispersion 1 for design ``rows`` (m, p); each of shape (m, series)."""
        eta = np.zeros((len(rows), self.coefficients.shape[1]))
        variance = np.zeros_like(eta)
        for i in range(rows.shape[1]):
            eta += rows[:, i, None] * self.coefficients[i]
            for j in range(rows.shape[1]):
                variance += (rows[:, i] * rows[:, j])[:, None] * self.covariance[i, j]
        with np.errstate(under="ignore"):
            return np.exp(np.clip(eta + offset, -_ETA_LIMIT, _ETA_LIMIT)), np.sqrt(np.maximum(variance, 0.0))


def design(
    positions: npt.ArrayLike, per_year: float, harmonics: int, *, trend: bool, centre: float = 0.0, scale: float = 1.0
) -> FloatArray:
    """Return the design matrix: 1, time if ``trend``, then sine and cosine of each harmonic.

    Parameters
    ----------
    positions : array of float
        Time, in periods.
    per_year : float
        Periods in a year.
    harmonics : int
    trend : bool
    centre, scale : float
        The trend's column is (position - centre) / scale.
    """
    time = np.asarray(positions, dtype=np.float64)
    columns = [np.ones_like(time)]
    if trend:
        columns.append((time - centre) / scale)
    for number in range(1, harmonics + 1):
        angle = 2.0 * np.pi * number * time / per_year
        columns += [np.sin(angle), np.cos(angle)]
    return np.column_stack(columns)


def _normal_equations(x: FloatArray, weight: FloatArray, target: FloatArray, penalty: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return matrix (series, p, p) and right side (series, p); sums run over periods one after the other, whatever the batch."""
    size, series = x.shape[1], weight.shape[1]
    matrix, right = np.empty((series, size, size)), np.empty((series, size))
    for i in range(size):
        weighted = weight * x[:, i, None]
        right[:, i] = np.add.reduce(weighted * target, axis=0)
        for j in range(i, size):
            matrix[:, i, j] = matrix[:, j, i] = np.add.reduce(weighted * x[:, j, None], axis=0)
    matrix += np.diag(penalty)
    return matrix, right


def _inverse(matrix: FloatArray) -> FloatArray:
    """Invert symmetric positive matrices (series, p, p) by Gauss-Jordan elimination, element by element; NaN where singular."""
    size = matrix.shape[1]
    scale = 1.0 / np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
    work = matrix * scale[:, :, None] * scale[:, None, :]
    inverse = np.broadcast_to(np.eye(size), work.shape).copy()
    for at in range(size):
        pivot = work[:, at, at]
        pivot = np.where(pivot > 1e-12, pivot, np.nan)[:, None]
        work[:, at], inverse[:, at] = work[:, at] / pivot, inverse[:, at] / pivot
        for other in range(size):
            if other != at:
                factor = work[:, other, at, None]
                work[:, other], inverse[:, other] = work[:, other] - factor * work[:, at], inverse[:, other] - factor * inverse[:, at]
    return np.asarray(inverse * scale[:, :, None] * scale[:, None, :])


def _padded(values: FloatArray, room: int) -> FloatArray:
    """Return rows that are contiguous, so that sums over periods run row by row, with the last column repeated ``room`` times."""
    return np.ascontiguousarray(np.pad(values, ((0, 0), (0, room)), mode="edge") if room else values)


def fit(
    y: FloatArray,
    prior: FloatArray,
    x: FloatArray,
    *,
    offset: FloatArray | None = None,
    alpha: FloatArray | None = None,
    penalty: FloatArray | None = None,
    start: FloatArray | None = None,
) -> Regression:
    """Fit log mean = x b (+ offset) by iteratively reweighted least squares, all series at once.

    Parameters
    ----------
    y : array, shape (n, series)
        Counts; any finite number where ``prior`` is 0.
    prior : array, shape (n, series)
        Prior weights; 0 for missing periods.
    x : array, shape (n, p)
        Design.
    offset : array, shape (n, series), optional
        Log exposure.
    alpha : array, shape (series,), optional
        Negative binomial dispersion behind the weights; 0 (default) is Poisson.
    penalty : array, shape (p,), optional
        Prior precision of each coefficient around 0; by default none.
    start : array, shape (n, series), optional
        Means to start from.

    Returns
    -------
    Regression
    """
    series = y.shape[1]
    room = -(-max(series, 1) // _WIDTH) * _WIDTH - series
    y, prior = _padded(y, room), _padded(prior, room)
    offset, start = (None if part is None else _padded(part, room) for part in (offset, start))
    if alpha is not None:
        alpha = np.pad(alpha, (0, room), mode="edge")
    a = np.zeros(y.shape[1]) if alpha is None else alpha
    ridge = np.zeros(x.shape[1]) if penalty is None else penalty
    shift = 0.0 if offset is None else offset
    mean = np.maximum(y, 1.0 / 6.0) if start is None else start
    held = np.arange(y.shape[1])
    out_b, out_v = np.zeros((x.shape[1], len(held))), np.full((x.shape[1], x.shape[1], len(held)), np.nan)
    out_mean: FloatArray = mean.copy()
    ok = np.zeros(len(held), np.bool_)
    with np.errstate(all="ignore"):
        eta, earlier = np.log(mean), np.zeros((len(held), x.shape[1]))
        for turn in range(_PASSES):
            weight = prior * mean / (1.0 + a * mean)
            matrix, right = _normal_equations(x, weight, eta - shift + (y - mean) / mean, ridge)
            inverse = _inverse(matrix)
            b = np.zeros_like(right)
            for at in range(x.shape[1]):
                b += inverse[:, :, at] * right[:, at, None]
            if turn:
                # Halve steps that would multiply means by more than e^4: sparse series overshoot otherwise.
                b = earlier + (b - earlier) / np.maximum(1.0, np.abs(b - earlier).max(axis=1, keepdims=True) / 4.0)
            eta = np.zeros_like(mean)
            for at in range(x.shape[1]):
                eta += x[:, at, None] * b[:, at]
            eta = np.clip(eta + shift, -_ETA_LIMIT, _ETA_LIMIT)
            mean = np.exp(eta)
            done = np.asarray((np.abs(b - earlier) <= 1e-11 * (np.abs(b) + 1.0)).all(axis=1))
            earlier = b
            # A series that has settled keeps its numbers, however long its neighbours take.
            fresh = np.flatnonzero(~ok[held])
            where = held[fresh]
            out_b[:, where], out_v[:, :, where], out_mean[:, where] = b.T[:, fresh], inverse.transpose(1, 2, 0)[:, :, fresh], mean[:, fresh]
            ok[where] = done[fresh]
            stay = ~ok[held]
            if not stay.any():
                break
            if stay.sum() <= len(held) // 2 and len(held) > _WIDTH:
                wanted = -(-int(stay.sum()) // _WIDTH) * _WIDTH
                keep = np.concatenate([np.flatnonzero(stay), np.flatnonzero(~stay)[: wanted - int(stay.sum())]])
                held, earlier, a = held[keep], earlier[keep], a[keep]
                y, prior, mean, eta = (np.ascontiguousarray(part[:, keep]) for part in (y, prior, mean, eta))
                shift = shift if isinstance(shift, float) else np.ascontiguousarray(shift[:, keep])
    cut = slice(0, series)
    return Regression(out_b[:, cut], out_v[:, :, cut], out_mean[:, cut], np.zeros(series) if alpha is None else alpha[cut], ok[cut])


def dispersion(y: FloatArray, prior: FloatArray, mean: FloatArray, parameters: int) -> FloatArray:
    """Return the Pearson dispersion sum((y - mean)^2 / mean) / (n - parameters), at least 1; shape (series,)."""
    with np.errstate(all="ignore"):
        total = np.zeros(y.shape[1])
        for at in range(len(y)):  # one period after the other: a lone series is summed in the same order
            total += np.where(prior[at] > 0, prior[at] * (y[at] - mean[at]) ** 2 / mean[at], 0.0)
        return np.asarray(np.maximum(total / np.maximum((prior > 0).sum(axis=0) - parameters, 1), 1.0))


def dispersion_allowance(phi: FloatArray, cases: FloatArray, known: FloatArray) -> FloatArray:
    """Return what to add to an estimated dispersion so that tails at about 1 % are right on average over its sampling error.

    For negative binomial counts with variance phi mean, Var(phi) is about phi (6 phi^2 - 6 phi + 1) / cases + 2 phi^2 / n. A tail
    exp(-c / phi') with c = 5 averages over phi' as if phi' were phi + (c - 2) / 2 Var(phi) / phi.

    Parameters
    ----------
    phi, cases, known : array, shape (series,)
        Dispersion, cases and periods n of the baseline.
    """
    variance = phi * (6.0 * phi**2 - 6.0 * phi + 1.0) / np.maximum(cases, 1.0) + 2.0 * phi**2 / np.maximum(known, 1.0)
    return np.asarray(1.5 * variance / phi)


def fit_negative_binomial(y: FloatArray, prior: FloatArray, x: FloatArray, *, offset: FloatArray | None = None) -> Regression:
    """Fit the regression and the dispersion alpha (Var = mean + alpha mean^2) by maximum likelihood, alternating between the two.

    A series no more variable than a Poisson process has its likelihood's maximum at alpha = 0.

    Parameters
    ----------
    y, prior, x, offset
        As for :func:`fit`; prior weights 0 or 1.
    """
    found = fit(y, prior, x, offset=offset)
    coefficients, covariance, mean, ok = found.coefficients.copy(), found.covariance.copy(), found.mean.copy(), found.ok.copy()
    size = np.maximum(prior.sum(axis=0), 1.0)
    with np.errstate(all="ignore"):
        excess = np.where(prior > 0, ((y - mean) ** 2 - y) / mean**2, 0.0).sum(axis=0) / size
        overdispersed = np.where(prior > 0, (y - mean) ** 2 - y, 0.0).sum(axis=0) > 0  # the slope of the likelihood at alpha = 0
    alpha = np.where(overdispersed & ok, np.maximum(excess, 1e-3), 0.0)
    left = np.flatnonzero(alpha > 0)
    for _ in range(_OUTER):
        if not left.size:
            break
        part = None if offset is None else offset[:, left]
        again = fit(y[:, left], prior[:, left], x, offset=part, alpha=alpha[left], start=mean[:, left])
        new = _dispersion_step(y[:, left], prior[:, left], again.mean, alpha[left])
        moved = np.abs(new - alpha[left]) > 1e-11 * alpha[left]
        coefficients[:, left], covariance[:, :, left], mean[:, left], ok[left] = again.coefficients, again.covariance, again.mean, again.ok
        alpha[left] = np.where(new < 1e-7, 0.0, new)
        left = left[(moved | ~again.ok) & (new >= 1e-7)]
    return Regression(coefficients, covariance, mean, alpha, ok)


def _dispersion_step(y: FloatArray, prior: FloatArray, mean: FloatArray, alpha: FloatArray) -> FloatArray:
    """Maximise the negative binomial likelihood over theta = 1 / alpha at given means by Newton steps on log theta."""
    log_theta = -np.log(alpha)
    with np.errstate(all="ignore"):
        for _ in range(50):
            theta = np.exp(log_theta)
            first = (
                special.digamma(theta + y)
                - special.digamma(theta)
                + np.log(theta)
                + 1.0
                - np.log(theta + mean)
                - (y + theta) / (mean + theta)
            )
            second = special.polygamma(1, theta + y) - special.polygamma(1, theta) + 1.0 / theta - 2.0 / (mean + theta)
            second += (y + theta) / (mean + theta) ** 2
            score = np.where(prior > 0, first, 0.0).sum(axis=0) * theta
            bend = np.where(prior > 0, second, 0.0).sum(axis=0) * theta**2 + score
            step = np.where(bend < 0, -score / bend, np.sign(score))
            log_theta = log_theta + np.clip(step, -1.5, 1.5)
            if (np.abs(step) < 1e-12).all() or (log_theta > 40).all():
                break
    return np.asarray(np.exp(-log_theta))
