"""From the ratios of all zones to a short table: the most likely cluster, those beside it, and the places of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.scan_statistics import Likelihood
from riskwatch.detectors.scan_windows import Windows
from riskwatch.detectors.scan_zones import Zones

__all__ = [
    "AROUND_COLUMNS",
    "CLUSTER_COLUMNS",
    "PLACE_COLUMNS",
    "Cluster",
    "around_frame",
    "cluster_frame",
    "leading_clusters",
    "place_frame",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CLUSTER_COLUMNS = [
    "cluster",
    "centre",
    "n_places",
    "radius",
    "shape",
    "angle",
    "first",
    "last",
    "observed",
    "expected",
    "relative_risk",
    "llr",
    "statistic",
    "p_value",
    "p_monte_carlo",
    "p_gumbel",
    "recurrence",
]
PLACE_COLUMNS = ["cluster", "place", "observed", "expected", "ratio", "llr"]
AROUND_COLUMNS = ["cluster", "place", "inside", "observed", "expected"]


@dataclass(frozen=True, eq=False)
class Cluster:
    """A zone and a window.

    Attributes
    ----------
    places : array of int
        In increasing order.
    window : int
        Which of the windows.
    entry, family : int
        Where the zone is in :class:`Zones`.
    statistic : float
        Weighted log-likelihood ratio.
    """

    places: IntArray
    window: int
    entry: int
    family: int
    statistic: float


def leading_clusters(zones: Zones, best: FloatArray, window: IntArray, *, limit: int) -> list[Cluster]:
    """Return the clusters with the largest ratios that share no place, largest first.

    Of zones with the same ratio to ten digits, the one with the fewest places, then the first in the order of the families.

    Parameters
    ----------
    best, window : array, shape (entry,)
        As :func:`riskwatch.detectors.scan_search.observed_ratios` returns them.
    limit : int
        At most so many.
    """
    rank = np.arange(len(zones.members)) - np.repeat(zones.starts[:-1], np.diff(zones.starts))
    left = best.copy()
    found: list[Cluster] = []
    while len(found) < limit:
        top = float(left.max(initial=0.0))
        if not top > 0:
            break
        tied = np.flatnonzero(left >= top * (1 - 1e-10))
        entry = int(tied[np.lexsort((tied, rank[tied]))[0]])
        family = int(np.searchsorted(zones.starts, entry, side="right") - 1)
        places = zones.of(entry)
        found.append(Cluster(places, int(window[entry]), entry, family, top))
        taken = np.zeros(int(zones.members.max(initial=-1)) + 1, np.bool_)
        taken[places] = True
        # From the first taken place on, every set of a family holds it.
        first_taken = np.where(taken[zones.members], rank, len(rank))
        reach = np.minimum.reduceat(first_taken, zones.starts[:-1])
        left[rank >= np.repeat(reach, np.diff(zones.starts))] = 0.0
    return found


def cluster_frame(
    clusters: list[Cluster], zones: Zones, windows: Windows, sums: tuple[FloatArray, FloatArray], likelihood: Likelihood
) -> pd.DataFrame:
    """Return one row per cluster with the columns of :data:`CLUSTER_COLUMNS` but those of significance.

    Parameters
    ----------
    sums : tuple of array, shape (place, window)
        Counts, and bases as the likelihood takes them.

    Returns
    -------
    DataFrame
        ``cluster`` (1, 2, ...), ``centre`` (place), ``n_places``, ``radius`` (see :class:`Zones`), ``shape``, ``angle``, ``first`` and
        ``last`` period, ``observed``, ``expected``, ``relative_risk`` (inside against outside), ``llr``, ``statistic`` (llr by the weight).
    """
    rows = []
    for number, one in enumerate(clusters, start=1):
        # Places in increasing order: the sum does not depend on the centre it was found from.
        count, base = float(sums[0][one.places, one.window].sum()), float(sums[1][one.places, one.window].sum())
        expected = float(likelihood.expected(np.array(base)))
        outside = (likelihood.cases - count) / (likelihood.cases - expected) if likelihood.cases > expected else np.nan
        inside = count / expected if expected > 0 else np.inf
        ratio = float(likelihood.ratio(np.array(count), np.array(base)))
        rows.append(
            {
                "cluster": number,
                "centre": int(zones.centre[one.family]),
                "n_places": len(one.places),
                "radius": float(zones.radius[one.entry]),
                "shape": float(zones.shape[one.family]),
                "angle": float(zones.angle[one.family]),
                "first": int(windows.first[one.window]),
                "last": int(windows.last[one.window]),
                "observed": count,
                "expected": expected,
                "relative_risk": inside / outside if outside > 0 else np.inf,
                "llr": ratio,
                "statistic": ratio * float(zones.weight[one.family]),
            }
        )
    return pd.DataFrame(rows, columns=[name for name in CLUSTER_COLUMNS if name not in _SIGNIFICANCE])


_SIGNIFICANCE = {"p_value", "p_monte_carlo", "p_gumbel", "recurrence"}


def place_frame(clusters: list[Cluster], sums: tuple[FloatArray, FloatArray], likelihood: Likelihood) -> pd.DataFrame:
    """Return the places of each cluster by themselves, largest excess first, with the columns of :data:`PLACE_COLUMNS`.

    ``ratio`` is observed over expected, ``llr`` the log-likelihood ratio of the place alone in the cluster's window.
    """
    parts = [pd.DataFrame(columns=PLACE_COLUMNS).astype({"cluster": np.int64, "place": np.int64})]
    for number, one in enumerate(clusters, start=1):
        count, base = sums[0][one.places, one.window].astype(np.float64), sums[1][one.places, one.window]
        expected = likelihood.expected(base)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = count / expected
        frame = pd.DataFrame(
            {
                "cluster": number,
                "place": one.places,
                "observed": count,
                "expected": expected,
                "ratio": ratio,
                "llr": likelihood.ratio(count, base),
            }
        )
        parts.append(frame.iloc[np.lexsort((one.places, -(count - expected)))])
    return pd.concat(parts[1:] or parts, ignore_index=True)


def around_frame(clusters: list[Cluster], sums: tuple[FloatArray, FloatArray], likelihood: Likelihood) -> pd.DataFrame:
    """Return all places in the window of each cluster, for a map: columns :data:`AROUND_COLUMNS`; ``inside``: of the cluster."""
    places = np.arange(len(sums[0]))
    parts = [
        pd.DataFrame(
            {
                "cluster": number,
                "place": places,
                "inside": np.isin(places, one.places),
                "observed": sums[0][:, one.window].astype(np.float64),
                "expected": likelihood.expected(sums[1][:, one.window]),
            }
        )
        for number, one in enumerate(clusters, start=1)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=AROUND_COLUMNS)
