"""The largest log-likelihood ratio over all zones and windows: of the data, with where it lies, and of many replicates at once.

A family's zones are running sums over its places. In replicates these sums are compared with the least whole counts that would reach a
level; only what reaches it gets a logarithm. Along a family counts and these least counts both rise, so that one comparison at the end of
a stretch of zones clears the whole stretch: its largest count against its smallest bar. So a stretch is summed at once (a sparse product),
and looked into only where it is not cleared. The maxima are exact, whatever the level.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from riskwatch.detectors.scan_statistics import Likelihood, least_counts
from riskwatch.detectors.scan_zones import Zones

__all__ = ["Search", "observed_ratios", "replicate_maxima"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_TABLE = 200_000  # more cases: every ratio is taken, no bars
_BLOCK = 2**22  # sums of a family's stretches at once
_STRETCH = 0.7  # a stretch of zones: so much growth of the square root of what is expected
_PILOT = 32  # replicates that show how high the bar may lie
_THREADED = 2**27  # work (sums) above which threads pay


@dataclass(frozen=True, eq=False)
class Search:
    """What is searched: zones, the base of each place and window, and the statistic.

    Attributes
    ----------
    zones : Zones
    base : array, shape (place, window)
        Expected counts, or trials; see :class:`Likelihood`.
    likelihood : Likelihood
    min_cases : int
        Zones and windows with fewer are no clusters.
    """

    zones: Zones
    base: FloatArray
    likelihood: Likelihood
    min_cases: int = 2


def observed_ratios(search: Search, sums: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return for each entry of the zones its largest weighted ratio over the windows (0: no zone, or no excess), and which window.

    Parameters
    ----------
    sums : array, shape (place, window)
        Counts.
    """
    zones = search.zones
    best, window = np.zeros(len(zones.members)), np.zeros(len(zones.members), np.int64)
    for family in range(zones.families):
        span = slice(int(zones.starts[family]), int(zones.starts[family + 1]))
        places = zones.members[span]
        count, base = np.cumsum(sums[places], axis=0), np.cumsum(search.base[places], axis=0)
        ratio = search.likelihood.ratio(count, base) * zones.weight[family]
        ratio[(count < search.min_cases - 1e-9) | ~zones.ends[span, None]] = 0.0
        window[span] = np.argmax(ratio, axis=1)
        best[span] = ratio[np.arange(len(places)), window[span]]
    return best, window


def replicate_maxima(search: Search, sums: npt.NDArray[Any], threads: int | None = None) -> FloatArray:
    """Return the largest weighted ratio of each replicate, shape (replicate,).

    Parameters
    ----------
    sums : array of int, shape (place, window, replicate)
        Counts of each place in each window.
    threads : int, optional
        By default as many as there are processors; the result does not depend on it.
    """
    replicates = sums.shape[2]
    best = np.zeros(replicates)
    if not (replicates and search.zones.families and search.likelihood.cases):
        return best
    work = len(search.zones.members) * sums.shape[1] * replicates
    threads = (os.cpu_count() or 1) if threads is None else threads
    threads = threads if work > _THREADED else 1
    if search.likelihood.cases > _TABLE:
        return _over_families(search, lambda part: _plain(search, sums, part), replicates, threads)
    pilot = np.arange(min(_PILOT, replicates))
    few = np.unique(np.linspace(0, search.zones.families - 1, 8).astype(np.int64))
    low = max(float(np.quantile(_plain(search, sums[:, :, pilot[:16]], few), 0.1)), 1e-3)
    best[pilot] = _above(search, sums[:, :, pilot], low, threads)
    rest = np.arange(len(pilot), replicates)
    for level in (max(float(np.quantile(best[pilot], 0.05)), low), low, 1e-9):
        rest = np.concatenate([rest, pilot[best[pilot] == 0]]) if level == 1e-9 else rest
        if rest.size:
            best[rest] = _above(search, sums[:, :, rest], level, threads)
            rest = rest[best[rest] == 0]
    return best


def _over_families(search: Search, one: Callable[[IntArray], FloatArray], replicates: int, threads: int) -> FloatArray:
    """Return the maxima over parts of the families, each part done by one thread."""
    parts = [np.arange(at, search.zones.families, threads) for at in range(threads)]
    best = np.zeros(replicates)
    if threads == 1:
        return one(parts[0])
    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(one, parts):
            np.maximum(best, found, out=best)
    return best


def _plain(search: Search, sums: npt.NDArray[Any], families: IntArray) -> FloatArray:
    """Return the maxima over some families, a logarithm for every zone, window and replicate."""
    zones, best = search.zones, np.zeros(sums.shape[2])
    for family in families.tolist():
        span = slice(int(zones.starts[family]), int(zones.starts[family + 1]))
        count, base = np.zeros(sums.shape[1:]), np.zeros(sums.shape[1])
        for place, end in zip(zones.members[span].tolist(), zones.ends[span].tolist(), strict=True):
            count += sums[place]
            base += search.base[place]
            if end:
                ratio = search.likelihood.ratio(count, base[:, None]) * zones.weight[family]
                ratio[count < search.min_cases] = 0.0
                np.maximum(best, ratio.max(axis=0), out=best)
    return best


def _above(search: Search, sums: npt.NDArray[Any], level: float, threads: int) -> FloatArray:
    """Return the maxima that reach ``level``, 0 for replicates without one."""
    places, windows, replicates = sums.shape
    dtype = np.int16 if search.likelihood.cases < np.iinfo(np.int16).max else np.int32
    bars = {weight: least_counts(search.likelihood, level / weight) for weight in np.unique(search.zones.weight).tolist()}
    longest = max(len(_Family(search, int(np.argmax(np.diff(search.zones.starts)))).starts), 1)
    width = min(max(_BLOCK // (longest * windows), 1), replicates)
    cuts = range(0, replicates, width)
    batches = [np.ascontiguousarray(sums[:, :, at : at + width], dtype=dtype).reshape(places, -1) for at in cuts]

    def part(families: IntArray) -> FloatArray:
        best = np.zeros(replicates)
        for number in families.tolist():
            family = _Family(search, number)
            table = bars[family.weight]
            bar = np.maximum(np.searchsorted(table, family.base[family.starts]), search.min_cases)
            bar = np.minimum(bar, np.iinfo(dtype).max).astype(dtype)
            for at, batch in zip(cuts, batches, strict=True):
                family.raise_to(best[at : at + width], batch, bar, level)
        return best

    return _over_families(search, part, replicates, threads)


class _Family:
    """One family's places in their order, running bases, and stretches."""

    def __init__(self, search: Search, family: int) -> None:
        zones = search.zones
        span = slice(int(zones.starts[family]), int(zones.starts[family + 1]))
        self.places, self.ends = zones.members[span], zones.ends[span]
        self.search, self.weight = search, float(zones.weight[family])
        self.base = np.cumsum(search.base[self.places], axis=0)
        step = np.floor(np.sqrt(search.likelihood.expected(self.base[:, -1])) / _STRETCH)
        self.starts = np.concatenate([[0], np.flatnonzero(np.diff(step) > 0) + 1])
        self.stops = np.append(self.starts[1:], len(self.places))

    def raise_to(self, best: FloatArray, batch: npt.NDArray[Any], bar: npt.NDArray[Any], level: float) -> None:
        """Raise the maxima of some replicates to the ratios that reach ``level``.

        Parameters
        ----------
        best : array, shape (replicate,)
        batch : array of int, shape (place, window x replicate)
        bar : array of int, shape (stretch, window)
            Least counts that reach the level in the first zone of a stretch.
        """
        windows, replicates = self.base.shape[1], len(best)
        ones = np.ones(len(self.places), batch.dtype)
        members = sparse.csr_array((ones, self.places, np.append(0, self.stops)), shape=(len(self.starts), len(batch)))
        count = members @ batch
        for row in range(1, len(count)):
            np.add(count[row], count[row - 1], out=count[row])
        over = np.flatnonzero(count.reshape(len(count), windows, replicates) >= bar[:, :, None])
        if over.size:
            self._within(best, batch, count, over, level)

    def _within(self, best: FloatArray, batch: npt.NDArray[Any], count: npt.NDArray[Any], over: npt.NDArray[np.intp], level: float) -> None:
        """Look into the stretches that were not cleared, zone by zone: ``over`` are flat positions in ``count``."""
        stretch, column = np.divmod(over, count.shape[1])
        lengths = self.stops[stretch] - self.starts[stretch]
        first = np.cumsum(lengths) - lengths
        entry = np.arange(int(lengths.sum())) - np.repeat(first - self.starts[stretch], lengths)
        place_column = np.repeat(column, lengths)
        running = np.cumsum(batch[self.places[entry], place_column], dtype=np.int64)
        # Sums start anew with each stretch, from what the stretches before it hold.
        before = count[stretch, column].astype(np.int64) - running[first + lengths - 1]
        counts = (running + np.repeat(before, lengths)).astype(np.float64)
        window, replicate = np.divmod(place_column, len(best))
        ratio = self.search.likelihood.ratio(counts, self.base[entry, window]) * self.weight
        use = self.ends[entry] & (counts >= self.search.min_cases) & (ratio >= level)
        np.maximum.at(best, replicate[use], ratio[use])
