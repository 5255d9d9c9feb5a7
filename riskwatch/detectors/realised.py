"""How often p-values fall at or below a level where there is nothing to find: realised against nominal rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.errors import DetectorError

__all__ = ["LEVELS", "REALISED_COLUMNS", "realised_rates"]

LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
REALISED_COLUMNS = ("nominal", "realised", "lower", "upper", "alarms", "cells")


def realised_rates(p_value: npt.ArrayLike, *, levels: Sequence[float] = LEVELS, confidence: float = 0.95) -> pd.DataFrame:
    """Return the share of cells whose p-value lies at or below each level, with its Clopper-Pearson interval.

    Parameters
    ----------
    p_value : array-like
        p-values of quiet cells, of any shape; NaN (a cell that was refused) counts as quiet, as it does in a run.
    levels : sequence of float
        Nominal levels, strictly between 0 and 1.
    confidence : float
        Of the interval, which takes cells as independent: neighbouring periods of a method that weighs several together are not.

    Returns
    -------
    DataFrame
        :data:`REALISED_COLUMNS`, one row per level, lowest first. A method is too loud where ``lower`` lies above ``nominal``.

    Raises
    ------
    DetectorError
        If there is no cell, or a level lies outside (0, 1).

    Sources
    -------
    Clopper, Pearson (1934), Biometrika 26(4), 404-413.
    """
    values = np.asarray(p_value, dtype=np.float64).ravel()
    if not values.size:
        raise DetectorError("realised_rates: there must be at least one cell, got none")
    nominal = np.sort(np.asarray(levels, dtype=np.float64))
    wrong = nominal[~((nominal > 0) & (nominal < 1))]
    if wrong.size:
        raise DetectorError(f"realised_rates: levels must lie strictly between 0 and 1, got {wrong[0]:g}")
    alarms, cells = np.array([(values <= level).sum() for level in nominal], dtype=np.float64), float(values.size)
    half = (1.0 - confidence) / 2.0
    lower = np.where(alarms > 0, special.betaincinv(np.maximum(alarms, 1.0), cells - alarms + 1.0, half), 0.0)
    upper = np.where(alarms < cells, special.betaincinv(alarms + 1.0, np.maximum(cells - alarms, 1.0), 1.0 - half), 1.0)
    return pd.DataFrame(
        {
            "nominal": nominal,
            "realised": alarms / cells,
            "lower": lower,
            "upper": upper,
            "alarms": alarms.astype(np.int64),
            "cells": values.size,
        }
    )
