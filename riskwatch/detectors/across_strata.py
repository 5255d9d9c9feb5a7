"""One judgement of a subject from the judgements of its strata: random and targeted samples speak together without being mixed.

Each stratum is judged against its own baseline, so that more targeted samples are no rise; what the strata found is then combined.

Sources
-------
Stouffer et al. (1949), The American Soldier, vol. 1; weights by the standard deviation of each count: Mosteller & Bush (1954), Handbook of
Social Psychology, vol. 1, 289-334. With mid p-values for counts: Lancaster (1961), J. Amer. Statist. Assoc. 56, 223-234.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.detectors.signals import Signals
from riskwatch.errors import DetectorError
from riskwatch.panel.matrix import key_frame

__all__ = ["across_strata", "weighted_score"]

FloatArray = npt.NDArray[np.float64]

_CLIP = 1e-9  # a count of 0 has p = 1: certain to be no excess, but not infinitely so


def weighted_score(p: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the one-sided p-value of the weighted sum of normal scores along the first axis; NaN where no p-value is known.

    Parameters
    ----------
    p, weight : array, shape (strata, ...)
        NaN where a stratum was not judged; weights are not negative.
    """
    known = np.isfinite(p) & np.isfinite(weight) & (weight > 0)
    weight = np.where(known, weight, 0.0)
    score = -special.ndtri(np.clip(np.where(known, p, 0.5), 1e-300, 1.0 - _CLIP))
    with np.errstate(divide="ignore", invalid="ignore"):
        combined = (weight * score).sum(axis=0) / np.sqrt((weight**2).sum(axis=0))
    return np.where(known.any(axis=0), special.ndtr(-combined), np.nan)


def across_strata(signals: Signals) -> pd.DataFrame:
    """Return one row per subject and judged period, its strata combined.

    A stratum weighs as the binomial standard deviation of its count. Mid p-values give the right level on average; p-values that are at
    most at their level give less.

    Parameters
    ----------
    signals : Signals
        Of a panel with the level "stratum", with exposure.

    Returns
    -------
    DataFrame
        The other levels of the index, period, observed, exposure, expected (sums over judged strata), strata (how many were judged),
        p_value (NaN where none was). Subjects in the order in which they first appear.

    Raises
    ------
    DetectorError
        If the index has no level "stratum", or there is no exposure.
    """
    index = signals.index
    if not isinstance(index, pd.MultiIndex) or "stratum" not in index.names or signals.exposure is None:
        raise DetectorError(
            'across_strata: needs signals of a panel with a level "stratum" and with exposure',
            hint="build_panel(..., stratify=['selection'])",
        )
    others = index.droplevel("stratum")
    subject, found = others.factorize()
    keys: Any = found  # an index, but the stubs know it less exactly
    stratum = index.get_level_values("stratum").factorize(sort=True)[0]
    shape = (int(stratum.max(initial=-1)) + 1, len(keys), len(signals.periods))
    judged = signals.reason == 0

    def placed(values: FloatArray) -> FloatArray:
        out = np.full(shape, np.nan)
        out[stratum, subject] = np.where(judged, values, np.nan)
        return out

    observed, exposure, expected = placed(signals.observed), placed(signals.exposure), placed(signals.expected)
    with np.errstate(invalid="ignore"):
        weight = np.sqrt(expected * np.maximum(1.0 - expected / exposure, 0.0))
    frame = key_frame(keys.set_names(others.names), shape[2])
    frame["period"] = signals.periods[np.tile(np.arange(shape[2]), len(keys))]
    for name, values in (("observed", observed), ("exposure", exposure), ("expected", expected)):
        frame[name] = np.nansum(values, axis=0).ravel()
    frame["strata"] = np.isfinite(expected).sum(axis=0).ravel()
    frame["p_value"] = weighted_score(placed(signals.p_value), weight).ravel()
    return frame
