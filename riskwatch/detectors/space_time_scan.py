"""Clusters of neighbouring places with too many cases lately, whatever borders they cross: Kulldorff's prospective scan as a detector.

Sources
-------
Kulldorff et al. (2005), PLoS Medicine 2(3), e59; Kulldorff (2001), J. R. Statist. Soc. A 164(1), 61-72.
See :mod:`riskwatch.detectors.scan`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.history_window import given_or_usual
from riskwatch.detectors.parameters import Parameters, parameter
from riskwatch.detectors.scan import Scan, scan
from riskwatch.detectors.scan_statistics import permutation_expected
from riskwatch.detectors.scan_windows import prospective_windows
from riskwatch.detectors.scan_zones import Zones, circular_zones, connected_zones, distances, elliptic_zones, kilometres
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.errors import DetectorError
from riskwatch.panel import Geography, Panel

__all__ = ["SpaceTimeScan"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_REASON = {text: number for number, text in enumerate(REASONS)}
# History, shortest history and longest window by frequency: a year, a quarter, about two months.
_BY_FREQUENCY = {"day": (365, 91, 28), "week": (52, 13, 8), "4-week": (13, 4, 2), "month": (12, 4, 2)}


@dataclass(frozen=True, eq=False)
class _Group:
    """Series that are scanned together, and the judged period.

    Attributes
    ----------
    rows : array of int
        Of the panel, in the order of their places.
    counts, base : array, shape (place, period)
        History up to the judged period; gaps are filled. ``base``: trials or population; of permutations nothing.
    expected : array, shape (place,)
        Of the judged period.
    """

    rows: IntArray
    counts: FloatArray
    base: FloatArray | None
    expected: FloatArray


@dataclass(frozen=True)
class SpaceTimeScan(Parameters):
    """Find zones of neighbouring places that have too many cases in the newest periods, the judged one included.

    Series that differ in nothing but their region are scanned together, in each judged period: one test. Its p-value stands on one series,
    the place of the cluster with the largest excess in the judged period; the other series of the group have p = 1. Clusters beside the
    most likely one stand on a place of theirs in the same way.

    Parameters
    ----------
    model : {"permutation", "poisson", "bernoulli"}
        What is expected: from the margins (a place's share of all cases by a period's share; no denominator is needed, and lasting
        differences of places and common seasons are allowed for), in proportion to the exposure, or as failures among inspections.
    zones : {"circular", "elliptic", "connected"}
        Connected zones need borders in the geography.
    max_share : float
        Largest share of the cases of the history (of the exposure, if the model uses it) within a zone.
    longest_window : int or None
        Periods of the longest window. None: 8 weeks, 2 months, 2 blocks, 28 days.
    history_periods : int or None
        Newest periods looked at, the judged one included. None: a year.
    min_history_periods : int or None
        Fewer in the panel are too short. None: about a quarter.
    min_cases : int
        A cluster has at least so many.
    min_total : int
        Groups with fewer cases in the history are not judged (reason "too-few-cases").
    max_clusters : int
        Clusters of a group and period that are reported, at most.
    replicates : int
        Tables drawn without any cluster.
    tail : {"gumbel", "monte-carlo"}
        Small p-values from a Gumbel distribution, or never below 1 / (replicates + 1).
    seed : int
        Of the replicates; with it, the group's key and the period they are always the same.
    alpha : float
        One-sided level of one group in one period.
    """

    name: ClassVar[str] = "space-time-scan"
    uses_geography: ClassVar[bool] = True

    model: Literal["permutation", "poisson", "bernoulli"] = parameter("permutation", choices=("permutation", "poisson", "bernoulli"))
    zones: Literal["circular", "elliptic", "connected"] = parameter("circular", choices=("circular", "elliptic", "connected"))
    max_share: float = parameter(0.25, above=0.0, maximum=0.5, unit="share")
    longest_window: int | None = parameter(None, minimum=1, kind=int, optional=True, unit="periods")
    history_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    min_history_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    min_cases: int = parameter(2, minimum=1, unit="cases")
    min_total: int = parameter(10, minimum=1, unit="cases")
    max_clusters: int = parameter(3, minimum=1, maximum=50)
    replicates: int = parameter(999, minimum=99, maximum=99_999)
    tail: Literal["gumbel", "monte-carlo"] = parameter("gumbel", choices=("gumbel", "monte-carlo"))
    seed: int = parameter(1, minimum=0)
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return history, shortest history and longest window in periods."""
        given = (self.history_periods, self.min_history_periods, self.longest_window)
        history, shortest, longest = given_or_usual(given, _BY_FREQUENCY[frequency])
        return history, min(shortest, history), min(longest, history - 1)

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        return self._shape(frequency)[1]

    def memory(self, frequency: str) -> int:
        """Return how many newest periods are weighed together for one judgement: those of the longest window."""
        return self._shape(frequency)[2]

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Scan each group of series in each of ``periods`` (default: the newest).

        Parameters
        ----------
        panel : Panel
            With a geography; series without a place are refused (reason "no-geography"). Counts are whole numbers.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            ``expected`` is that of the series in the judged period; limits are Poisson quantiles of it, drawn together with the alarm.

        Raises
        ------
        DetectorError
            If a count is not a whole number, or the model needs an exposure or the zones need borders that the panel has not.
        """
        frequency = frequency_of(panel.periods)
        self._check_panel(panel)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        zones: dict[bytes, Zones] = {}
        for column, now in enumerate(judged.tolist()):
            reason = out.reason[:, column]
            reason[_places(panel) < 0] = _REASON["no-geography"]
            for group, found in self._scans(panel, now, reason, zones):
                p = np.ones(len(group.rows))
                excess = np.where(np.isnan(panel.observed[group.rows, now]), -np.inf, group.counts[:, -1] - group.expected)
                for cluster, p_cluster in zip(found.found, found.clusters["p_value"].tolist(), strict=True):
                    anchor = cluster.places[np.argmax(excess[cluster.places])]
                    if excess[anchor] > 0:
                        p[anchor] = p_cluster
                out.expected[group.rows, column], out.p_value[group.rows, column] = group.expected, p
            reason[now + 1 < self.min_periods(frequency)] = _REASON["too-short"]
            missing = np.isnan(panel.observed[:, now])
            if self.model != "permutation" and panel.exposure is not None:
                missing |= np.isnan(panel.exposure[:, now])
                reason[panel.exposure[:, now] == 0] = _REASON["no-exposure"]
            reason[missing] = _REASON["missing"]
            self._limits(out, column)
        return out

    def clusters(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the clusters behind the signals, and the places of each.

        Returns
        -------
        clusters : DataFrame
            The group's key (levels of the index but the region), ``period`` (judged), and the columns of
            :data:`riskwatch.detectors.scan_clusters.CLUSTER_COLUMNS`; ``centre`` is a place's code, ``first`` and ``last`` are periods.
        places : DataFrame
            Key, ``period``, ``cluster``, ``place`` (code), ``observed``, ``expected``, ``ratio``, ``llr`` over the cluster's window.

        Raises
        ------
        DetectorError
            As :meth:`detect`.
        """
        clusters, places, _ = self._tables(panel, periods)
        return clusters, places

    def around(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the clusters as :meth:`clusters` does, and for each of them all places that were scanned, for a map.

        Returns
        -------
        clusters : DataFrame
        around : DataFrame
            Key, ``period``, ``cluster``, ``place`` (code), ``inside`` (the cluster), ``observed``, ``expected`` over the cluster's window.

        Raises
        ------
        DetectorError
            As :meth:`detect`.
        """
        clusters, _, around = self._tables(panel, periods)
        return clusters, around

    def _tables(self, panel: Panel, periods: pd.PeriodIndex | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        self._check_panel(panel)
        zones: dict[bytes, Zones] = {}
        made: tuple[list[pd.DataFrame], ...] = ([], [], [])
        for now in positions_of(panel, periods, self.name).tolist():
            for group, found in self._scans(panel, now, np.zeros(len(panel.index), np.uint8), zones):
                first = now + 1 - group.counts.shape[1]
                where = panel.geography
                codes = np.asarray([] if where is None else where.places, dtype=object)[_places(panel)[group.rows]]
                table, detail, around = found.clusters.copy(), found.places.copy(), found.around.copy()
                table["centre"] = codes[table["centre"].to_numpy(np.int64)]
                for frame in (detail, around):
                    frame["place"] = codes[frame["place"].to_numpy(np.int64)]
                for name in ("first", "last"):
                    table[name] = panel.periods[first + table[name].to_numpy(np.int64)]
                key = {**_key(panel.index, int(group.rows[0])), "period": panel.periods[now]}
                for frame, kept in zip((table, detail, around), made, strict=True):
                    for at, (name, value) in enumerate(key.items()):
                        frame.insert(at, name, [value] * len(frame))
                    kept.append(frame)
        clusters, places, around = (pd.concat(kept, ignore_index=True) if kept else pd.DataFrame() for kept in made)
        return clusters, places, around

    def _check_panel(self, panel: Panel) -> None:
        where, lines = panel.geography, []
        values = {"counts": panel.observed}
        if self.model != "permutation":
            if panel.exposure is None:
                lines.append(f"{self.name}: model {self.model!r} needs exposure, got none")
            elif self.model == "bernoulli":
                values["inspections"] = panel.exposure
        for what, array in values.items():
            wrong = np.isfinite(array) & (array != np.floor(array))
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                lines.append(
                    f"{self.name}: {what} must be whole numbers; {int(wrong.sum())} cells are not, first {array[row, column]:g} "
                    f"for series {panel.index[row]!r} in {panel.periods[column]}"
                )
        if self.zones == "connected" and where is not None and where.borders is None:
            lines.append(f"{self.name}: connected zones need borders in the panel's geography, got none")
        if lines:
            raise DetectorError("\n".join(lines))

    def _scans(self, panel: Panel, now: int, reason: npt.NDArray[np.uint8], zones: dict[bytes, Zones]) -> Iterator[tuple[_Group, Scan]]:
        """Yield the groups that can be scanned in a period, and what was found; the others get their reason."""
        history, shortest, longest = self._shape(frequency_of(panel.periods))
        where = panel.geography
        if now + 1 < shortest or where is None:
            return
        for rows in _groups(panel.index, where):
            group = self._group(panel, rows, now, max(now + 1 - history, 0))
            if len(rows) < 2:
                reason[rows] = _REASON["no-variation"]
            elif group.counts.sum() < self.min_total:
                reason[rows] = _REASON["too-few-cases"]
            else:
                size = group.counts.sum(axis=1) if group.base is None else group.base.sum(axis=1)
                yield (
                    group,
                    scan(
                        group.counts,
                        self._zones(where, where.place[rows], size, zones),
                        prospective_windows(group.counts.shape[1], longest),
                        model=self.model,
                        base=group.base,
                        replicates=self.replicates,
                        seed=self._seed(panel, rows, now),
                        min_cases=self.min_cases,
                        limit=self.max_clusters,
                        tail=self.tail,
                    ),
                )

    def _group(self, panel: Panel, rows: IntArray, now: int, first: int) -> _Group:
        """Return the group's history. A missing count is taken for what the place and the period have elsewhere: it is no evidence."""
        counts = panel.observed[rows, first : now + 1]
        if self.model != "permutation" and panel.exposure is not None:
            base = panel.exposure[rows, first : now + 1]
            known = np.isfinite(counts) & np.isfinite(base)
            counts, base = np.where(known, counts, 0.0), np.where(known, base, 0.0)
            rate = counts.sum() / base.sum() if base.sum() else 0.0
            return _Group(rows, counts, base, base[:, -1] * rate)
        known = np.isfinite(counts)
        counts = np.where(known, counts, 0.0)
        for _ in range(20 if not known.all() else 0):
            counts = np.where(known, counts, permutation_expected(counts))
        counts = np.rint(counts)
        return _Group(rows, counts, None, permutation_expected(counts)[:, -1])

    def _zones(self, where: Geography, place: npt.NDArray[np.int64], size: FloatArray, known: dict[bytes, Zones]) -> Zones:
        key = place.tobytes() + size.tobytes()
        if key not in known:
            coordinates = where.coordinates[place]
            if self.zones == "elliptic":
                plane = kilometres(coordinates) if where.kind == "degrees" else coordinates
                known[key] = elliptic_zones(plane, size, max_share=self.max_share)
            else:
                apart = distances(coordinates, kind=where.kind)
                if self.zones == "circular":
                    known[key] = circular_zones(apart, size, max_share=self.max_share)
                else:
                    at = np.full(len(where.places), -1)
                    at[place] = np.arange(len(place))
                    pairs = at[where.borders] if where.borders is not None else np.empty((0, 2), np.int64)
                    known[key] = connected_zones(pairs[(pairs >= 0).all(axis=1)], apart, size, max_share=self.max_share)
        return known[key]

    def _seed(self, panel: Panel, rows: IntArray, now: int) -> tuple[int, ...]:
        """Return a seed of the group and the period: neither other groups nor the way they are split change it."""
        text = repr((sorted(_key(panel.index, int(rows[0])).items()), str(panel.periods[now])))
        return (self.seed, int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))

    def _limits(self, out: Signals, column: int) -> None:
        """Draw the limits together with the p-values, and empty what was refused."""
        p, expected, seen = out.p_value[:, column], out.expected[:, column], out.observed[:, column]
        # Whatever was not scanned has no p-value: its reason says why.
        out.reason[np.isnan(p) & (out.reason[:, column] == 0), column] = _REASON["no-geography"]
        use = out.reason[:, column] == 0
        p[~use], expected[~use] = np.nan, np.nan
        alarm = np.zeros(len(p), np.bool_)
        alarm[use] = p[use] <= self.alpha
        upper = stats.poisson.isf(self.alpha, expected[use])
        raised = np.where(alarm[use], np.minimum(upper, seen[use] - 1.0), np.maximum(upper, seen[use]))
        out.upper[use, column] = raised
        out.lower[use, column] = np.minimum(stats.poisson.ppf(self.alpha, expected[use]), expected[use])
        out.alarm[:, column] = alarm


def _places(panel: Panel) -> npt.NDArray[np.int64]:
    return np.full(len(panel.index), -1) if panel.geography is None else panel.geography.place


def _key(index: pd.Index[Any], row: int) -> dict[str, Any]:
    """Return what the series of a group share: the levels of the index but the region; only the stratum if there is no region."""
    if not isinstance(index, pd.MultiIndex):
        return {}
    names = [str(name) for name in index.names]
    shared = [name for name in names if name != "region"] if "region" in names else [name for name in names if name == "stratum"]
    return {name: index[row][names.index(name)] for name in shared}


def _groups(index: pd.Index[Any], where: Geography) -> list[IntArray]:
    """Return the rows of each group: located series of one tier that share their key, in the order of their places, then of their keys."""
    rank = np.argsort(index.argsort())
    tier = np.zeros(len(where.places), np.int64) if where.tier is None else where.tier
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row in np.flatnonzero(where.place >= 0).tolist():
        groups.setdefault((int(tier[where.place[row]]), *_key(index, row).values()), []).append(row)
    names = np.asarray(where.places, dtype=np.str_)
    found = (np.asarray(rows, dtype=np.intp) for rows in groups.values())
    return [rows[np.lexsort((rank[rows], names[where.place[rows]]))] for rows in found]
