"""Counts as chance would have made them: one table of places and periods per replicate, the totals held fixed.

Every replicate has its own stream of random numbers, (seed, number): it does not depend on how many are drawn together, or by whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["Draw", "bernoulli_draw", "permutation_draw", "poisson_draw", "tables"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Draw = Callable[[np.random.Generator], IntArray]

# Above so many cases a permutation is drawn from its normal limit: shuffling them all would take minutes and change nothing.
_SHUFFLED = 2_000_000
_COUNTABLE = 1_000_000_000  # numpy draws no hypergeometric numbers from so many trials: the normal limit again


def poisson_draw(expected: FloatArray, cases: int, keep: slice = slice(None)) -> Draw:
    """Return a drawer of multinomial tables: ``cases`` fall on cells in proportion to what is expected there.

    Parameters
    ----------
    expected : array, shape (place, period)
        >= 0, not all 0.
    cases : int
    keep : slice
        Periods that are returned; the others are drawn as one.
    """
    kept = expected[:, keep]
    shares = np.append(kept.ravel(), max(expected.sum() - kept.sum(), 0.0))
    shares /= shares.sum()

    def draw(rng: np.random.Generator) -> IntArray:
        return np.asarray(rng.multinomial(cases, shares)[:-1].reshape(kept.shape), dtype=np.int64)

    return draw


def bernoulli_draw(trials: IntArray, cases: int, keep: slice = slice(None)) -> Draw:
    """Return a drawer of hypergeometric tables: which of all trials, shape (place, period), are the ``cases``."""
    kept = trials[:, keep]
    cells = np.append(kept.ravel(), trials.sum() - kept.sum())
    total = int(cells.sum())
    if total >= _COUNTABLE:
        share = cells / total
        root, spread = np.sqrt(share), np.sqrt(cases * (1 - cases / total))

        def normal(rng: np.random.Generator) -> IntArray:
            noise = rng.standard_normal(len(share))
            drawn = cases * share + spread * root * (noise - root * (root @ noise))
            return np.asarray(np.rint(np.clip(drawn, 0.0, cells))[:-1].reshape(kept.shape), dtype=np.int64)

        return normal

    def draw(rng: np.random.Generator) -> IntArray:
        return np.asarray(rng.multivariate_hypergeometric(cells, cases, method="marginals")[:-1].reshape(kept.shape), dtype=np.int64)

    return draw


def permutation_draw(counts: IntArray, keep: slice = slice(None)) -> Draw:
    """Return a drawer of tables with the same margins as ``counts``, shape (place, period): the cases' periods are shuffled."""
    places, periods = counts.shape
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    total = int(counts.sum())
    wanted = np.arange(periods)[keep]
    if total > _SHUFFLED:
        return _normal_draw(rows / total, columns / total, float(total), wanted)
    width = len(wanted)
    place = np.repeat(np.arange(places) * width, rows)
    period = np.repeat(np.arange(width), columns[wanted])

    def draw(rng: np.random.Generator) -> IntArray:
        # Only the cases that fall into the wanted periods are drawn, in random order: the others need no order.
        chosen = rng.choice(total, len(period), replace=False)
        return np.asarray(np.bincount(place[chosen] + period, minlength=places * width).reshape(places, width), dtype=np.int64)

    return draw


def _normal_draw(rows: FloatArray, columns: FloatArray, total: float, wanted: npt.NDArray[np.intp]) -> Draw:
    """Return a drawer of tables with fixed margins in their normal limit: residuals with the part of the margins taken out."""
    root_rows, root_columns = np.sqrt(rows), np.sqrt(columns)
    expected = total * rows[:, None] * columns

    def draw(rng: np.random.Generator) -> IntArray:
        noise = rng.standard_normal(expected.shape)
        noise -= root_rows[:, None] * (root_rows @ noise)
        noise -= (noise @ root_columns)[:, None] * root_columns
        drawn = np.rint(np.maximum(expected + np.sqrt(expected) * noise, 0.0))
        return np.asarray(drawn[:, wanted], dtype=np.int64)

    return draw


def tables(draw: Draw, seed: Iterable[int], numbers: range, *, largest: int) -> npt.NDArray[np.signedinteger]:
    """Return the tables of some replicates, shape (replicate, place, period).

    Parameters
    ----------
    draw : callable
        Of one table.
    seed : iterable of int
    numbers : range
        Which replicates.
    largest : int
        No sum of cells exceeds it: whole numbers are held in as few bytes as that allows.
    """
    base = [int(part) for part in seed]
    kind = next(kind for kind in (np.int16, np.int32, np.int64) if largest < np.iinfo(kind).max)
    return np.stack([draw(np.random.default_rng([*base, number])).astype(kind) for number in numbers])
