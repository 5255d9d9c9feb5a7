"""Change points of a level: where a series stepped up or down, how far, and whether that is more than chance.

1. Counts are put on a scale of constant variance after the season is divided out: 2 (sqrt(y + 3/8) - sqrt(mean + 3/8)), and the arcsine
   form of it for failures of inspections, both over the series' noise. The noise is the median absolute step between neighbours: a change
   moves one step only.
2. Kernel change-point detection with a linear kernel and a penalty of ``penalty`` x log(n) per change proposes at most ``most`` changes.
3. A series' changes are believed where the best step or bump of the whole series (the largest gain of setting one stretch apart from the
   rest) beats those of permutations of its blocks in ``1 - alpha`` of cases; each change, where its own step within its neighbours does.
   Blocks are long enough to keep the runs, by the series' autocorrelation, which also raises the penalty.

A slow slope is no step, and yet it is best described by steps: look at the slope too.

Sources
-------
Celisse, Marot, Pierre-Jean & Rigaill (2018), Comput. Statist. Data Anal. 128, 200-220; the library is Truong, Oudre & Vayatis (2020),
Signal Processing 167, 107299. Anscombe (1948), Biometrika 35, 246-254. Scan and permutation reference: Olshen, Venkatraman, Lucito & Wigler
(2004), Biostatistics 5(4), 557-572. Block permutation of runs: Kirch (2007), J. Statist. Planning Inference 137, 453-474.
Block length: Politis & White (2004), Econometric Reviews 23(1), 53-70.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import ruptures

from riskwatch.errors import TrendError
from riskwatch.trends.autocorrelation import lag_correlation
from riskwatch.trends.design import design_of
from riskwatch.trends.glm import Family, fit

__all__ = ["ChangePoints", "changepoints", "stabilised"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_NORMAL_MAD = 0.6744897501960817  # median of |N(0, 1)|
_BATCH = 64  # permutations scanned at once


@dataclass(frozen=True, eq=False)
class ChangePoints:
    """Changes of all series, one row each, ordered by series and period.

    Attributes
    ----------
    series, period : array of int, shape (change,)
        Row of the series, and the first period of the new level.
    before, after : array, shape (change,)
        Count per exposure (rate, for binomial) in the stretch before and after, up to the neighbouring changes; the season divided out.
    p_value : array, shape (change,)
        Share of permutations with a step at least as large, of the change within its neighbours.
    series_p_value : array, shape (series,)
        The same of the whole series; 1 where nothing was proposed.
    """

    series: IntArray
    period: IntArray
    before: FloatArray
    after: FloatArray
    p_value: FloatArray
    series_p_value: FloatArray


def stabilised(
    y: FloatArray, years: FloatArray, *, family: Family = "poisson", exposure: FloatArray | None = None, harmonics: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Return counts on a scale of constant variance with the season divided out, and the mean that season and exposure give.

    Parameters
    ----------
    y, years, family, exposure, harmonics
        As for :func:`riskwatch.trends.slope.slopes`.

    Returns
    -------
    scaled, mean : array, shape (series, period)
        NaN where missing; the mean of a series without a fit is its rate times exposure.
    """
    size = np.ones_like(y) if exposure is None else exposure
    known = np.isfinite(y) & np.isfinite(size) & (size > 0)
    counts, sizes = np.where(known, y, 0.0), np.where(known, size, 0.0)
    fitted = fit(np.where(known, y, np.nan), design_of(years, harmonics=harmonics, trend=False).columns, family=family, exposure=size)
    rate = counts.sum(axis=1) / np.maximum(sizes.sum(axis=1), 1e-300)
    mean = np.where(fitted.converged[:, None], fitted.mean, sizes * rate[:, None])
    if family == "binomial":
        # Trials of 0 are missing; the arcsine of the share has variance 1 / (4 n).
        trials = np.where(known, sizes, 1.0)
        share = [
            2.0 * np.sqrt(trials) * np.arcsin(np.sqrt((part + 0.375) / (trials + 0.75))) for part in (counts, np.minimum(mean, trials))
        ]
        scaled = share[0] - share[1]
    else:
        scaled = 2.0 * (np.sqrt(counts + 0.375) - np.sqrt(np.where(known, mean, 0.0) + 0.375))
    return np.where(known, scaled, np.nan), np.where(known, mean, np.nan)


def changepoints(
    y: FloatArray,
    years: FloatArray,
    *,
    family: Family = "poisson",
    exposure: FloatArray | None = None,
    harmonics: int = 0,
    penalty: float = 3.0,
    most: int = 3,
    min_length: int = 6,
    alpha: float = 0.05,
    permutations: int = 199,
    seed: int = 1,
) -> ChangePoints:
    """Find the changes of each series.

    Parameters
    ----------
    y, years, family, exposure, harmonics
        As for :func:`riskwatch.trends.slope.slopes`.
    penalty : float
        Per change, in units of the noise's variance times log(n).
    most : int
        Changes a series; the weakest are dropped.
    min_length : int
        Periods between changes and at the ends.
    alpha : float
        Level of both tests.
    permutations : int
    seed : int
        The same permutations for each series of one length: results hang on nothing but the series.

    Returns
    -------
    ChangePoints

    Raises
    ------
    TrendError
        If a parameter is out of range.
    """
    if penalty <= 0 or most < 1 or min_length < 2 or not 0.0 < alpha < 1.0 or permutations < 1 / alpha - 1 - 1e-9:
        raise TrendError(
            "changepoints: needs penalty > 0, most >= 1, min_length >= 2, 0 < alpha < 1 and at least 1 / alpha - 1 permutations, got "
            f"{penalty}, {most}, {min_length}, {alpha}, {permutations}"
        )
    scaled, mean = stabilised(y, years, family=family, exposure=exposure, harmonics=harmonics)
    size = np.ones_like(y) if exposure is None else exposure
    rows: list[tuple[int, int, float, float, float]] = []
    overall = np.ones(len(y))
    for row in range(len(y)):
        at = np.flatnonzero(np.isfinite(scaled[row]))
        values = scaled[row, at]
        cuts = _proposed(values, penalty, most, min_length)
        if not cuts:
            continue
        # Runs look like levels: what they add to the variance of a level's mean is put on the price of a change, and asked again.
        r = _runs(values, cuts)
        cuts = _proposed(values, penalty * (1.0 + r) / (1.0 - r), most, min_length)
        if not cuts:
            continue
        block = _block_length(len(values), r)
        order = _block_orders(len(at), block, permutations, seed)
        overall[row] = _share_above(_scan(values[None], min_length)[0], values, order, min_length)
        if overall[row] > alpha:
            continue
        found = [(cut, _step_p(values, cut, cuts, _Shuffle(block, permutations, seed))) for cut in cuts]
        kept = [cut for cut, p in found if p <= alpha]
        edges = [0, *kept, len(at)]
        for number, cut in enumerate(kept):
            before, after = at[edges[number] : cut], at[cut : edges[number + 2]]
            base = np.where(np.isfinite(size[row, at]), size[row, at], 0.0).sum()
            unit = mean[row, at].sum() / base  # the series' rate: the ratio to the season's mean is put back on it
            levels = [float(y[row, part].sum() / mean[row, part].sum() * unit) for part in (before, after)]
            rows.append((row, int(at[cut]), levels[0], levels[1], dict(found)[cut]))
    table = np.array(rows, np.float64).reshape(-1, 5)
    return ChangePoints(
        series=table[:, 0].astype(np.intp),
        period=table[:, 1].astype(np.intp),
        before=table[:, 2],
        after=table[:, 3],
        p_value=table[:, 4],
        series_p_value=overall,
    )


def _proposed(values: FloatArray, penalty: float, most: int, min_length: int) -> list[int]:
    """Return at most ``most`` cuts: positions of the first value after each."""
    n = len(values)
    if n < 2 * min_length:
        return []
    steps = np.abs(np.diff(values))
    noise = float(np.median(steps)) / _NORMAL_MAD / np.sqrt(2.0)
    noise = max(noise, 0.5 * float(np.sqrt((steps**2).mean() / 2.0)), 1e-9)
    signal = (values / noise)[:, None]
    cost = penalty * float(np.log(n))
    cuts: list[int] = ruptures.KernelCPD(kernel="linear", min_size=min_length).fit(signal).predict(pen=cost)[:-1]
    while len(cuts) > most:
        edges = [0, *cuts, n]
        gains = [_gain(values, edges[k], edges[k + 1], edges[k + 2]) for k in range(len(cuts))]
        cuts.pop(int(np.argmin(gains)))
    return cuts


def _gain(values: FloatArray, start: int, cut: int, end: int) -> float:
    """Return how much less scatter two levels leave than one."""
    first, second = values[start:cut], values[cut:end]
    return float(len(first) * len(second) / (end - start) * (first.mean() - second.mean()) ** 2)


def _runs(values: FloatArray, cuts: list[int]) -> float:
    """Return a lag-1 correlation between that about the proposed levels (too small: levels follow runs) and about one level (too large)."""
    edges = [0, *cuts, len(values)]
    about = np.concatenate([values[a:b] - values[a:b].mean() for a, b in itertools.pairwise(edges)])
    pair = [float(lag_correlation(part[None], k, 1)[0]) for part, k in ((about, len(edges) - 1), (values - values.mean(), 1))]
    return float(np.clip(sum(pair) / 2.0, 0.0, 0.8))


def _block_length(n: int, r: float) -> int:
    """Return the length of blocks that keeps a first-order process's runs."""
    length = (2.0 * r / (1.0 - r**2)) ** (2.0 / 3.0) * n ** (1.0 / 3.0)
    return int(np.clip(np.ceil(length), 1, max(n // 5, 1)))


@cache
def _block_orders(n: int, block: int, permutations: int, seed: int) -> IntArray:
    """Return orders of n values, shape (permutations, n): blocks of a random offset, wrapped round the end, shuffled."""
    random = np.random.default_rng((seed, n, block))
    out = np.empty((permutations, n), np.intp)
    for row in range(permutations):
        turned = np.roll(np.arange(n), int(random.integers(block)))
        parts = [turned[at : at + block] for at in range(0, n, block)]
        out[row] = np.concatenate([parts[at] for at in random.permutation(len(parts))])
    return out


def _scan(values: FloatArray, min_length: int) -> FloatArray:
    """Return the largest gain of one stretch against the rest, per row; stretches and the rest hold at least ``min_length`` values."""
    n = values.shape[1]
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    total = total - np.arange(n + 1) / n * total[:, -1:]
    best = np.zeros(len(values))
    for length in range(min_length, n - min_length + 1):
        away = np.abs(total[:, length:] - total[:, :-length]).max(axis=1)
        best = np.maximum(best, away**2 / (length * (1.0 - length / n)))
    return best


def _share_above(found: float, values: FloatArray, order: IntArray, min_length: int) -> float:
    above = sum(
        int((_scan(values[order[at : at + _BATCH]], min_length) >= found * (1 - 1e-12)).sum()) for at in range(0, len(order), _BATCH)
    )
    return (above + 1.0) / (len(order) + 1.0)


@dataclass(frozen=True)
class _Shuffle:
    """How blocks are permuted."""

    block: int
    permutations: int
    seed: int


def _step_p(values: FloatArray, cut: int, cuts: list[int], how: _Shuffle) -> float:
    """Return the p-value of the best single step between a change's neighbours, blocks permuted there."""
    edges = [0, *cuts, len(values)]
    place = edges.index(cut)
    part = values[edges[place - 1] : edges[place + 1]]
    found = _gain(values, edges[place - 1], cut, edges[place + 1])
    order = _block_orders(len(part), min(how.block, max(len(part) // 4, 1)), how.permutations, how.seed)
    shuffled = part[order]
    n = len(part)
    total = np.cumsum(shuffled - part.mean(), axis=1)[:, :-1]
    size = np.arange(1, n)
    best = (total**2 * (n / (size * (n - size)))).max(axis=1)
    return float((best >= found * (1 - 1e-12)).sum() + 1.0) / (how.permutations + 1.0)
