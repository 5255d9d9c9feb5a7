"""What every detector needs around its arithmetic: which periods to judge, and empty signals to fill."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.signals import Signals
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

__all__ = ["empty_signals", "positions_of"]


def positions_of(panel: Panel, periods: pd.PeriodIndex | None, name: str) -> npt.NDArray[np.intp]:
    """Return the positions of the judged periods in the panel; the newest one if none are named.

    Raises
    ------
    DetectorError
        If the panel has no periods, or a period is not in it.
    """
    if not len(panel.periods):
        raise DetectorError(f"{name}: the panel has no periods", hint="build_panel with an earlier start")
    if periods is None:
        return np.array([len(panel.periods) - 1], dtype=np.intp)
    at = panel.periods.get_indexer(periods) if periods.freqstr == panel.periods.freqstr else np.full(len(periods), -1)
    if (at < 0).any():
        raise DetectorError(
            f"{name}: periods must be periods of the panel ({panel.periods[0]} to {panel.periods[-1]}, {panel.periods.freqstr}), "
            f"got {periods[int(np.flatnonzero(at < 0)[0])]} ({periods.freqstr})"
        )
    return at.astype(np.intp)


def empty_signals(panel: Panel, judged: npt.NDArray[np.intp], name: str, fingerprint: str) -> Signals:
    """Return signals with the observed values filled in and everything else still to judge."""
    shape = (len(panel.index), len(judged))
    expected, lower, upper, p_value = (np.full(shape, np.nan) for _ in range(4))
    return Signals(
        index=panel.index,
        periods=panel.periods[judged],
        observed=panel.observed[:, judged],
        expected=expected,
        lower=lower,
        upper=upper,
        p_value=p_value,
        alarm=np.zeros(shape, np.bool_),
        reason=np.zeros(shape, np.uint8),
        exposure=None if panel.exposure is None else panel.exposure[:, judged],
        detector=name,
        detector_hash=fingerprint,
    )
