"""The largest log-likelihood ratio over all zones and windows: of the data, with where it lies, and of many replicates at once.

A family's zones are running sums over its places. In replicates these sums are compared with the least whole counts that would reach a
level; only what reaches it gets a logarithm. Along a family counts and these least counts both rise, so that one comparison at the end of
a stretch of zones clears the whole stretch: its largest count against its smallest bar. The maxima are exact, whatever the level.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from riskwatch.detectors.scan_statistics import Likelihood, least_counts
from riskwatch.detectors.scan_zones import Zones

__all__ = ["Search", "observed_ratios", "replicate_maxima"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_TABLE = 200_000  # more cases: every ratio is taken, no bars
_ROW = 32_768  # counts per running sum: they stay in the processor's cache
_BLOCK = 2**20  # counts of a family's matrix at most
_FEW = 32  # with fewer replicates in such a matrix, sums run place by place
_STRETCH = 0.25  # a stretch of zones: so much growth of the square root of what is expected
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
    dtype = np.int16 if search.likelihood.cases < np.iinfo(np.int16).max else np.int32
    longest = int(np.diff(search.zones.starts).max())
    whole = _BLOCK // (longest * sums.shape[1])  # replicates of which a family's sums fit into one matrix
    width = whole if whole >= _FEW else max(_ROW // sums.shape[1], 1)
    batches: list[npt.NDArray[Any]] = [
        np.ascontiguousarray(sums[:, :, at : at + width], dtype=dtype).reshape(sums.shape[0], -1) for at in range(0, sums.shape[2], width)
    ]
    bars = {weight: least_counts(search.likelihood, level / weight) for weight in np.unique(search.zones.weight).tolist()}

    def part(families: IntArray) -> FloatArray:
        best = np.zeros(sums.shape[2])
        for family in families.tolist():
            one = _Family(search, family, bars[float(search.zones.weight[family])], dtype)
            (one.raise_at_once if whole >= _FEW else one.raise_to)(best, batches, width)
        return best

    return _over_families(search, part, sums.shape[2], threads)


class _Family:
    """One family's running bases and bars, and its stretches."""

    def __init__(self, search: Search, family: int, bars: FloatArray, dtype: type[np.signedinteger]) -> None:
        zones = search.zones
        span = slice(int(zones.starts[family]), int(zones.starts[family + 1]))
        self.places, self.ends = zones.members[span], zones.ends[span]
        self.search, self.weight = search, float(zones.weight[family])
        self.base = np.cumsum(search.base[self.places], axis=0)
        never = np.iinfo(dtype).max
        bar = np.minimum(np.searchsorted(bars, self.base), never)
        # Rounding may let a bar fall by a hair where a base stays: stretches rely on bars that rise.
        self.bar = np.maximum(np.maximum.accumulate(bar, axis=0), search.min_cases).astype(dtype)
        expected = search.likelihood.expected(self.base[:, -1])
        step = np.floor(np.sqrt(expected) / _STRETCH)
        cuts = np.flatnonzero(np.diff(step) > 0) + 1
        self.stretches = list(zip([0, *cuts.tolist()], [*cuts.tolist(), len(self.places)], strict=True))

    def raise_at_once(self, best: FloatArray, batches: list[npt.NDArray[Any]], width: int) -> None:
        """Raise the maxima of the replicates as :meth:`raise_to` does, all zones of the family in one matrix: for small families."""
        windows = self.base.shape[1]
        zones = np.flatnonzero(self.ends)
        for number, batch in enumerate(batches):
            many = batch.shape[1] // windows
            count = batch[self.places]
            for row in range(1, len(count)):
                np.add(count[row], count[row - 1], out=count[row])
            count = count[zones].reshape(len(zones), windows, many)
            hit = np.flatnonzero(count >= self.bar[zones, :, None])
            if hit.size:
                replicate, cell = hit % many, hit // many
                base = self.base[zones].ravel()[cell]
                ratio = self.search.likelihood.ratio(count.ravel()[hit].astype(np.float64), base) * self.weight
                np.maximum.at(best, number * width + replicate, ratio)

    def raise_to(self, best: FloatArray, batches: list[npt.NDArray[Any]], width: int) -> None:
        """Raise the maxima of the replicates, in batches of shape (place, window x replicate)."""
        windows = self.base.shape[1]
        order = self.places.tolist()
        for number, batch in enumerate(batches):
            many = batch.shape[1] // windows
            count = np.zeros(batch.shape[1], batch.dtype)
            table = count.reshape(windows, many)
            over = np.empty((windows, many), np.bool_)
            found = []
            for start, stop in self.stretches:
                for place in order[start:stop]:
                    np.add(count, batch[place], out=count)
                if np.greater_equal(table, self.bar[start][:, None], out=over).any():
                    found.append(self._within(batch, count, np.flatnonzero(over), (start, stop), many))
            if found:
                entry, column, counts = (np.concatenate(part) for part in zip(*found, strict=True))
                ratio = self.search.likelihood.ratio(counts, self.base[entry, column // many]) * self.weight
                np.maximum.at(best, number * width + column % many, ratio)

    def _within(
        self,
        batch: npt.NDArray[Any],
        count: npt.NDArray[Any],
        columns: IntArray,
        stretch: tuple[int, int],
        many: int,
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Return the entries, columns and counts of a stretch that reach their bars, among the columns that may."""
        start, stop = stretch
        added = np.cumsum(batch[self.places[start:stop, None], columns], axis=0, dtype=np.int64)
        counts = added + (count[columns].astype(np.int64) - added[-1])
        entry, column = np.nonzero((counts >= self.bar[start:stop, columns // many]) & self.ends[start:stop, None])
        return entry + start, columns[column], counts[entry, column].astype(np.float64)
