"""Whether stated confidence can be believed: what was stated of warnings against how people closed them. Pure functions of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riskwatch.assessment.rules import GradingRules
from riskwatch.errors import RiskwatchError
from riskwatch.indicators.values import binomial_interval

__all__ = ["RELIABILITY", "edges_of", "reliability_table"]

RELIABILITY = ("low", "high", "closed", "right", "stated", "share", "share_low", "share_high")
"""One row per class of stated confidence; see :func:`reliability_table`."""


def edges_of(rules: GradingRules) -> tuple[float, ...]:
    """Return the bounds of stated confidence at which a grade changes its mind: 1 - q of the thresholds of confidence, 0 and 1."""
    told = rules.confidence
    inner = {1.0 - q for q in (told.q_review, told.q_weak, told.q_strong, told.q_decisive)}
    return tuple(sorted({0.0, 1.0, *(round(one, 9) for one in inner if 0 < one < 1)}))


def reliability_table(lives: pd.DataFrame, edges: Sequence[float], *, level: float = 0.95) -> pd.DataFrame:
    """Return, for classes of stated confidence, the share of closed warnings that were right.

    Parameters
    ----------
    lives : pandas.DataFrame
        ``stated`` (1 - q of the strongest evidence at the opening; NaN: events alone) and ``closed_as`` ("true", "false", else not judged).
    edges : sequence of float
        Ascending, from 0 to 1; a class holds its lower bound, the last one its upper too.
    level : float
        Of the interval (Wilson 1927).

    Returns
    -------
    pandas.DataFrame
        :data:`RELIABILITY`: bounds; how many of its warnings were ``closed`` as true or as false alarm; of these ``right``; their mean
        ``stated`` confidence; the ``share`` right with its interval. Every class has a row; figures of empty ones are NaN. A class whose
        interval lies below its mean was overconfident.

    Raises
    ------
    RiskwatchError
        If the bounds do not ascend from 0 to 1.
    """
    bounds = np.asarray(edges, np.float64)
    if len(bounds) < 2 or bounds[0] != 0 or bounds[-1] != 1 or (np.diff(bounds) <= 0).any():
        raise RiskwatchError(f"reliability_table: edges must ascend from 0 to 1, got {list(edges)}")
    stated = lives["stated"].to_numpy(np.float64)
    judged = lives["closed_as"].isin(["true", "false"]).to_numpy() & np.isfinite(stated)
    right = (lives["closed_as"] == "true").to_numpy()[judged]
    # Ascending, so that the sum is the same whatever the order of rows.
    order = np.argsort(stated[judged], kind="stable")
    stated, right = stated[judged][order], right[order]
    at = np.minimum(np.searchsorted(bounds, stated, side="right") - 1, len(bounds) - 2)
    closed = np.bincount(at, minlength=len(bounds) - 1).astype(np.float64)
    hits = np.bincount(at, weights=right.astype(np.float64), minlength=len(bounds) - 1).astype(np.float64)
    sums = np.bincount(at, weights=stated, minlength=len(bounds) - 1)
    some = closed > 0
    low, high = binomial_interval(hits, closed, level=level)
    return pd.DataFrame(
        {
            "low": bounds[:-1],
            "high": bounds[1:],
            "closed": closed.astype(np.int64),
            "right": hits.astype(np.int64),
            "stated": np.divide(sums, closed, out=np.full(len(closed), np.nan), where=some),
            "share": np.divide(hits, closed, out=np.full(len(closed), np.nan), where=some),
            "share_low": low,
            "share_high": high,
        }
    )[list(RELIABILITY)]
