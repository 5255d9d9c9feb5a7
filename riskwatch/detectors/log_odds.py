"""Are more records of now than of before about something? Weighted log-odds, and an exact tail that knows how unevenly words come.

Sources
-------
Log-odds with an informative Dirichlet prior: Monroe, Colaresi and Quinn (2008), Political Analysis 16(4), 372-403, equations 15, 16 and 22.
Conditional test of two Poisson rates: Przyborowski and Wilenski (1940), Biometrika 31(3/4), 313-323.
Dirichlet-multinomial counts: Mosimann (1962), Biometrika 49(1/2), 65-82.
Variance of Pearson's statistic: Haldane (1937), Biometrika 29, 133-143.
Variance between studies, used for that between words: DerSimonian and Laird (1986), Controlled Clin. Trials 7, 177-188.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.rates import beta_binomial

__all__ = ["conditional_tail", "dispersion", "limits", "log_odds", "posterior_share"]

FloatArray = npt.NDArray[np.float64]

_NEARLY_BINOMIAL = 1e-3  # (t - 1) rho below which over-dispersion changes no printed digit
_MOST = 0.99


def posterior_share(x: FloatArray, n: FloatArray, background: FloatArray, prior: float) -> FloatArray:
    """Return the share of records, drawn to ``background`` with the weight of ``prior`` records; arrays of shape (series,)."""
    return np.asarray((x + prior * background) / (n + prior))


def log_odds(
    now: FloatArray, before: FloatArray, *, n_now: FloatArray, n_before: FloatArray, prior: float
) -> tuple[FloatArray, FloatArray]:
    """Return the weighted log-odds ratio of now against before and its z-score, each of shape (series,).

    Parameters
    ----------
    now, before : array, shape (series,)
        Records that hold the term.
    n_now, n_before : array, shape (series,)
        All records.
    prior : float
        Weight of the informative prior, in records; its mean is the term's share of all records, now and before. Above 0.

    Notes
    -----
    With a = prior * share and y, n of a time, omega = (y + a) / (n + prior - y - a); delta = log(omega now / omega before);
    var(delta) = 1 / (y now + a) + 1 / (y before + a); z = delta / sqrt(var). NaN for a term that no record holds.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        a = prior * (now + before) / (n_now + n_before)
        odds = [(y + a) / (n + prior - y - a) for y, n in ((now, n_now), (before, n_before))]
        delta = np.log(odds[0]) - np.log(odds[1])
        return delta, delta / np.sqrt(1.0 / (now + a) + 1.0 / (before + a))


def dispersion(counts: FloatArray, exposure: FloatArray) -> FloatArray:
    """Return how unevenly each series' cases fall on blocks of time: the correlation rho of a Dirichlet-multinomial, shape (series,).

    A term's cases in blocks j are Dirichlet-multinomial with means t s_j, s_j the block's share of the exposure. Pearson's statistic then
    has mean (J - 1) ((1 - p) + (t - 1) rho), p the term's share of all records. Each term's own estimate is drawn to that of all
    terms by how much better it is known than terms differ (a season word keeps a large one, a rare word takes the common one).

    Parameters
    ----------
    counts, exposure : array, shape (series, block)
        Cases and records; exposure 0 where a block is unknown.
    """
    total, size = counts.sum(axis=1), exposure.sum(axis=1)
    blocks = (exposure > 0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = exposure / size[:, None]
        expected = total[:, None] * share
        pearson = np.where(expected > 0, (counts - expected) ** 2 / np.where(expected > 0, expected, 1.0), 0.0).sum(axis=1)
        excess = pearson / (blocks - 1.0) - (1.0 - total / size)
        inverse = np.where(share > 0, 1.0 / np.where(share > 0, share, 1.0), 0.0).sum(axis=1)
        spread = (2.0 * (blocks - 1.0) + (inverse - blocks**2 - 2.0 * blocks + 2.0) / total) / (blocks - 1.0) ** 2
    use = (blocks >= 2) & (total >= 2)
    if not use.any():
        return np.zeros(len(counts))
    # Exactly rounded sums: the order of the series does not matter.
    common = max(math.fsum(excess[use].tolist()) / math.fsum((total[use] - 1.0).tolist()), 0.0)
    own = np.full(len(counts), common)
    error = np.full(len(counts), np.inf)
    own[use] = excess[use] / (total[use] - 1.0)
    error[use] = np.maximum(spread[use], 1e-12) * (1.0 + (total[use] - 1.0) * common) ** 2 / (total[use] - 1.0) ** 2
    surplus = math.fsum(((own[use] - common) ** 2 / error[use] - 1.0).tolist())
    between = max(surplus / math.fsum((1.0 / error[use]).tolist()), 0.0)
    trust = between / (between + error)
    return np.asarray(np.clip(trust * own + (1.0 - trust) * common, 0.0, _MOST))


def conditional_tail(now: FloatArray, before: FloatArray, *, n_now: FloatArray, n_before: FloatArray, rho: FloatArray) -> FloatArray:
    """Return P(K >= now | K + before = t): of a term's t records, how many fall into the newest window by chance; shape (series,).

    K is binomial with the window's share s of all records, or, where records of a term come in clusters (rho > 0), beta-binomial with
    a + b = (1 / rho - 1) (n_now + n_before) / n_before, the Dirichlet-multinomial of the blocks before and of the window together.
    It is exact given t, so a term with nothing before and five records now is judged as it should be, and terms left out for a small
    t bias nothing. Given that a term's share of all records is small; with a large share the tail is too large, never too small.
    """
    now, before, n_now, n_before, rho = (
        np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(now, before, n_now, n_before, rho)
    )
    total = now + before
    with np.errstate(divide="ignore", invalid="ignore"):
        share = n_now / (n_now + n_before)
        plain = np.where(now > 0, special.betainc(np.maximum(now, 1.0), before + 1.0, share), 1.0)
        clustered = np.maximum(total - 1.0, 0.0) * rho >= _NEARLY_BINOMIAL
        out = np.asarray(np.where(np.isfinite(share), plain, np.nan))
        if clustered.any():
            at = np.flatnonzero(clustered)
            weight = (1.0 / rho[at] - 1.0) * (n_now[at] + n_before[at]) / n_before[at]
            out[at] = beta_binomial.tail(now[at], total[at], share[at] * weight, (1.0 - share[at]) * weight)
    return np.asarray(np.minimum(out, 1.0))


def limits(alpha: float, before: FloatArray, *, n_now: FloatArray, n_before: FloatArray, rho: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the counts of the window between which nothing is remarkable at ``alpha``: lower and upper, each of shape (series,).

    ``upper`` is the largest count whose :func:`conditional_tail` exceeds alpha, ``lower`` the smallest whose lower tail does.
    """

    def bisect(quiet_above: bool) -> FloatArray:
        low, high = np.full(len(before), -1.0), np.asarray(n_now, dtype=np.float64).copy()
        open_ = np.flatnonzero(low + 1.0 < high + 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            near = np.nan_to_num(np.ceil(4.0 * np.asarray(before) * n_now / n_before)) + 4.0
        while open_.size:
            # From near what is usual outwards: most answers lie there, and tails of few records are quick.
            middle = np.minimum(np.ceil((low[open_] + high[open_]) / 2.0), np.maximum(4.0 * low[open_], near[open_]))
            given = {"n_now": n_now[open_], "n_before": n_before[open_], "rho": rho[open_]}
            if quiet_above:  # largest count that is not yet remarkably low
                good = 1.0 - conditional_tail(middle + 1.0, before[open_], **given) <= alpha
            else:
                good = conditional_tail(middle, before[open_], **given) > alpha
            low[open_] = np.where(good, middle, low[open_])
            high[open_] = np.where(good, high[open_], middle - 1.0)
            open_ = open_[low[open_] < high[open_]]
        return low

    return np.maximum(bisect(quiet_above=True) + 1.0, 0.0), np.maximum(bisect(quiet_above=False), 0.0)
