"""Whether an excess lies in a few places or everywhere: all ways of placing it, weighed by their likelihood.

For each set of places the excess is taken to be there alone, at one relative risk per stream (Kulldorff's Poisson log likelihood ratio,
Commun. Stat. Theory 26:1481-1496, 1997); "everywhere" is the set of all places. Half of the prior weight is on everywhere, the other half
is shared equally by the sizes of the smaller sets, and by the sets of one size. So nothing hangs on single places reaching a threshold
of their own, which thin places never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, log

import numpy as np
import numpy.typing as npt

__all__ = ["Reach", "log_likelihood_ratio", "reach"]

FloatArray = npt.NDArray[np.float64]

_MOST_PLACES = 16  # places whose sets are all looked at; of more, those with the largest excess


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an excess reaches, as probabilities.

    Attributes
    ----------
    wide, single : float
        Probability that the excess is everywhere, and that it is in one place.
    places : tuple of int
        The likeliest set of places that is not everywhere.
    streams : int
        How many streams told.
    """

    wide: float
    single: float
    places: tuple[int, ...]
    streams: int

    @property
    def several(self) -> float:
        """Probability that the excess is in two places or more, but not everywhere."""
        return max(0.0, 1.0 - self.wide - self.single)


def log_likelihood_ratio(observed: npt.ArrayLike, expected: npt.ArrayLike) -> FloatArray:
    """Return the Poisson log likelihood ratio of a raised rate, 0 where there is no excess."""
    o, e = np.asarray(observed, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = o * np.log(o / e) - (o - e)
    return np.where((o > e) & (e > 0), value, 0.0)


def reach(observed: npt.ArrayLike, expected: npt.ArrayLike, *, most: int, told_from: float = 0.0) -> Reach | None:
    """Weigh everywhere against every set of at most ``most`` places.

    Parameters
    ----------
    observed, expected : array_like of float, shape (stream, place)
        Counts and what the series' own past leads to expect; 0 expected where a stream was not judged in a place.
    most : int
        Places of the largest set that is not everywhere.
    told_from : float
        Log likelihood ratio of the likeliest placing against no excess, at least. Below it the prior would decide, not the counts.

    Returns
    -------
    Reach or None
        None with fewer than two places, without an excess, or with too little of one.
    """
    o, e = np.atleast_2d(np.asarray(observed, dtype=np.float64)), np.atleast_2d(np.asarray(expected, dtype=np.float64))
    number = o.shape[1]
    most = min(most, number - 1)
    whole = float(log_likelihood_ratio(o.sum(axis=1), e.sum(axis=1)).sum())
    alone = log_likelihood_ratio(o, e).sum(axis=0)
    if number < 2 or most < 1 or alone.max(initial=0.0) <= 0.0:
        return None
    # Ties are broken by the place's number, so that the answer does not hang on rounding.
    looked = sorted(np.lexsort((np.arange(number), -alone))[:_MOST_PLACES].tolist())
    sets: list[tuple[int, ...]] = []
    weights: list[float] = []
    likeliest = whole
    for size in range(1, most + 1):
        chosen = list(combinations(looked, size))
        if not chosen:
            continue
        member = np.zeros((len(chosen), number))
        member[np.repeat(np.arange(len(chosen)), size), np.asarray(chosen).ravel()] = 1.0
        value = log_likelihood_ratio(o @ member.T, e @ member.T).sum(axis=0)
        sets += chosen
        likeliest = max(likeliest, float(value.max()))
        weights += (value - log(comb(number, size)) - log(most)).tolist()
    if likeliest < told_from:
        return None
    return _weighed(whole, sets, np.asarray(weights), streams=int((e.sum(axis=1) > 0).sum()))


def _weighed(whole: float, sets: Sequence[tuple[int, ...]], weights: FloatArray, *, streams: int) -> Reach:
    top = max(whole, float(weights.max()))
    mass, everywhere = np.exp(weights - top), float(np.exp(whole - top))
    total = everywhere + float(mass.sum())
    one = np.fromiter((len(chosen) == 1 for chosen in sets), dtype=np.bool_)
    return Reach(everywhere / total, float(mass[one].sum()) / total, sets[int(weights.argmax())], streams)
