"""One scan from counts to clusters: Poisson, Bernoulli or space-time permutation; looking back, or at what is going on now.

Sources
-------
Kulldorff (1997), Communications in Statistics: Theory and Methods 26(6), 1481-1496; prospective: Kulldorff (2001), J. R. Statist. Soc. A
164(1), 61-72; permutation: Kulldorff et al. (2005), PLoS Medicine 2(3), e59.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.scan_clusters import CLUSTER_COLUMNS, Cluster, around_frame, cluster_frame, leading_clusters, place_frame
from riskwatch.detectors.scan_replicates import Draw, bernoulli_draw, permutation_draw, poisson_draw, tables
from riskwatch.detectors.scan_search import Search, observed_ratios, replicate_maxima
from riskwatch.detectors.scan_significance import gumbel_p, monte_carlo_p, p_values, recurrence_interval
from riskwatch.detectors.scan_statistics import Likelihood, permutation_expected
from riskwatch.detectors.scan_windows import Windows, window_sums
from riskwatch.detectors.scan_zones import Zones
from riskwatch.errors import DetectorError

__all__ = ["Model", "Scan", "scan"]

FloatArray = npt.NDArray[np.float64]
Model = Literal["poisson", "bernoulli", "permutation"]

_HELD = 2**26  # counts of replicates held at once


@dataclass(frozen=True, eq=False)
class Scan:
    """What a scan found.

    Attributes
    ----------
    clusters : DataFrame
        One row per cluster, most likely first; columns :data:`riskwatch.detectors.scan_clusters.CLUSTER_COLUMNS`: cluster, centre (place),
        n_places, radius (km), shape, angle, first, last (periods), observed, expected, relative_risk, llr, statistic, p_value,
        p_monte_carlo, p_gumbel, recurrence (periods between false alarms of this size, if looked once a period). P-values of clusters
        after the first are against the largest ratio of each replicate, and so err on the high side.
    places : DataFrame
        The places of each cluster: cluster, place, observed, expected, ratio, llr; largest excess first.
    around : DataFrame
        All places in each cluster's window: cluster, place, inside, observed, expected.
    found : list of Cluster
    maxima : array, shape (replicate,)
        Largest ratio of each replicate.
    """

    clusters: pd.DataFrame
    places: pd.DataFrame
    around: pd.DataFrame
    found: list[Cluster]
    maxima: FloatArray


def scan(
    counts: npt.ArrayLike,
    zones: Zones,
    windows: Windows,
    *,
    model: Model = "permutation",
    base: npt.ArrayLike | None = None,
    replicates: int = 999,
    seed: Sequence[int] = (1,),
    min_cases: int = 2,
    limit: int = 10,
    tail: Literal["gumbel", "monte-carlo"] = "gumbel",
    threads: int | None = None,
) -> Scan:
    """Find the zones and windows with too many cases.

    Parameters
    ----------
    counts : array, shape (place, period)
        Cases. Of a purely spatial scan, one period.
    zones : Zones
    windows : Windows
        Retrospective or prospective.
    model : {"permutation", "poisson", "bernoulli"}
        Permutation: the margins are given, only cases are needed. Poisson: cases are expected in proportion to ``base``. Bernoulli:
        ``base`` are all trials, cases and controls.
    base : array, shape (place, period), optional
    replicates : int
        0: no significance (p-values are NaN).
    seed : sequence of int
        The same seed gives the same replicates, however the work is split.
    min_cases : int
        Fewer are no cluster.
    limit : int
        Clusters reported at most.
    tail : {"gumbel", "monte-carlo"}
        See :func:`riskwatch.detectors.scan_significance.p_values`.
    threads : int, optional
        For the replicates; results do not depend on it.

    Raises
    ------
    DetectorError
        If shapes or values do not fit the model.
    """
    cases, given = _checked(counts, base, model)
    total = float(cases.sum())
    if model == "permutation":
        given = permutation_expected(cases)
    elif model == "poisson" and given.sum() > 0:
        given = given * (total / given.sum())
    trials = float(given.sum()) if model == "bernoulli" else None
    likelihood = Likelihood(total, trials)
    sums = (window_sums(cases, windows), window_sums(given, windows))
    best, window = observed_ratios(Search(zones, sums[1], likelihood, min_cases), sums[0])
    found = leading_clusters(zones, best, window, limit=limit)
    frame = cluster_frame(found, zones, windows, sums, likelihood)
    maxima = _maxima(cases, given, zones, windows, model, replicates=replicates, seed=seed, min_cases=min_cases, threads=threads)
    statistic = frame["statistic"].to_numpy(np.float64)
    if replicates:
        frame["p_value"] = p_values(statistic, maxima, tail=tail)
        frame["p_monte_carlo"], frame["p_gumbel"] = monte_carlo_p(statistic, maxima), gumbel_p(statistic, maxima)
        frame["recurrence"] = recurrence_interval(frame["p_value"].to_numpy(np.float64))
    details = place_frame(found, sums, likelihood), around_frame(found, sums, likelihood)
    return Scan(frame.reindex(columns=CLUSTER_COLUMNS), *details, found, maxima)


def _checked(counts: npt.ArrayLike, base: npt.ArrayLike | None, model: str) -> tuple[FloatArray, FloatArray]:
    cases = np.asarray(counts, dtype=np.float64)
    given = np.zeros(cases.shape) if base is None else np.asarray(base, dtype=np.float64)
    problems = []
    if cases.ndim != 2:
        problems.append(f"counts must have shape (place, period), got {cases.shape}")
    elif not (np.isfinite(cases) & (cases >= 0)).all():
        problems.append("counts must be finite and >= 0")
    if model != "permutation" and base is None:
        problems.append(f"model {model!r} needs base, got none")
    elif given.shape != cases.shape:
        problems.append(f"base must have the shape of counts {cases.shape}, got {given.shape}")
    elif not (np.isfinite(given) & (given >= 0)).all():
        problems.append("base must be finite and >= 0")
    if model in {"permutation", "bernoulli"} and not problems:
        if (cases != np.floor(cases)).any() or (given != np.floor(given)).any():
            problems.append(f"model {model!r} needs whole numbers")
        if model == "bernoulli" and (cases > given).any():
            problems.append("counts must be <= base (all trials)")
    if problems:
        raise DetectorError("scan: " + "; ".join(problems))
    return cases, given


def _maxima(
    cases: FloatArray,
    given: FloatArray,
    zones: Zones,
    windows: Windows,
    model: Model,
    *,
    replicates: int,
    seed: Sequence[int],
    min_cases: int,
    threads: int | None,
) -> FloatArray:
    """Return the largest ratio of each replicate; their tables are drawn and searched some at a time, to bound memory."""
    total, span = round(float(cases.sum())), windows.span
    if not (total and replicates):
        return np.zeros(replicates)
    draw: Draw
    if model == "permutation":
        draw, likelihood = permutation_draw(cases.astype(np.int64), span), Likelihood(float(total))
    elif model == "poisson":
        # Weighted cases may not add up to a whole number; replicates have the nearest one.
        given = given * (total / given.sum())
        draw, likelihood = poisson_draw(given, total, span), Likelihood(float(total))
    else:
        draw, likelihood = bernoulli_draw(given.astype(np.int64), total, span), Likelihood(float(total), float(given.sum()))
    search = Search(zones, window_sums(given, windows), likelihood, min_cases)
    at_once = max(_HELD // max(len(cases) * len(windows.first), 1), 64)
    parts = []
    for start in range(0, replicates, at_once):
        drawn = tables(draw, seed, range(start, min(start + at_once, replicates)), largest=2 * total)
        sums = np.moveaxis(window_sums(np.moveaxis(drawn, 0, 1), windows, span.start), 2, 1)
        parts.append(replicate_maxima(search, sums, threads))
    return np.concatenate(parts)
