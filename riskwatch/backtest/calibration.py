"""Whether models keep their word on a centre's own history: how often p-values fell below a level on replayed days, against that level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskwatch.indicators.values import binomial_interval

__all__ = ["CALIBRATION", "LEVELS", "by_detector", "calibration_table", "counted"]

LEVELS = (0.05, 0.01, 0.001, 0.0001)
CALIBRATION = ("model", "detector", "nominal", "cells", "below", "realised", "lower", "upper")
"""One row per model and level; see :func:`calibration_table`."""


def counted(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each model how many of the newest judged periods of its series have a p-value at or below each of :data:`LEVELS`.

    Parameters
    ----------
    table : pandas.DataFrame
        Judged series-periods of one day: ``model, detector, newest, p_value``.

    Returns
    -------
    list of dict
        ``model, detector, cells, below`` (one count for each level), JSON-able.
    """
    rows = np.flatnonzero(table["newest"].to_numpy(bool))
    p = table["p_value"].to_numpy(np.float64)[rows]
    at, models = pd.factorize(table["model"].to_numpy(object)[rows], sort=True)
    first = rows[np.unique(at, return_index=True)[1]]  # all rows of a model have its detector
    detectors = table["detector"].to_numpy(object)[first]
    cells = np.bincount(at, minlength=len(models))
    below = np.stack([np.bincount(at[p <= level], minlength=len(models)) for level in LEVELS], axis=1)
    return [
        {"model": str(model), "detector": str(detector), "cells": int(count), "below": some.tolist()}
        for model, detector, count, some in zip(models, detectors, cells, below, strict=True)
    ]


def calibration_table(days: Iterable[Sequence[Mapping[str, Any]]], *, level: float = 0.95) -> pd.DataFrame:
    """Return how often the p-values of each model fell at or below each level over many days.

    Parameters
    ----------
    days : iterable of sequence of mapping
        What :func:`counted` returned for each day.
    level : float
        Of the interval (Wilson 1927), cells taken as independent. A period that is judged on several days counts on each of them, and
        neighbours share cases: the interval is rather too narrow.

    Returns
    -------
    pandas.DataFrame
        :data:`CALIBRATION`: ``nominal`` (the level), ``cells`` judged, how many ``below``, the ``realised`` share with its interval.
        Real hazards are among the cells: small levels may well be reached more often than nominal.
    """
    rows = [
        (one["model"], one["detector"], nominal, one["cells"], below)
        for day in days
        for one in day
        for nominal, below in zip(LEVELS, one["below"], strict=True)
    ]
    frame = pd.DataFrame(rows, columns=list(CALIBRATION[:5])).astype({"nominal": "float64", "cells": "int64", "below": "int64"})
    return _shares(frame.groupby(["model", "detector", "nominal"], as_index=False, sort=True)[["cells", "below"]].sum(), level)


def by_detector(table: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return the same for the models of each detector together; ``label`` is the detector's name."""
    together = table.groupby(["detector", "nominal"], as_index=False, sort=True)[["cells", "below"]].sum()
    return _shares(together.assign(label=together["detector"]), level)


def _shares(table: pd.DataFrame, level: float) -> pd.DataFrame:
    cells, below = (table[name].to_numpy(np.float64) for name in ("cells", "below"))
    low, high = binomial_interval(below, cells, level=level)
    return table.assign(realised=below / cells, lower=low, upper=high)
