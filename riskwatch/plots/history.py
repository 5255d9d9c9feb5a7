"""One series of a panel with what a detector said of it, as the frame that :func:`riskwatch.plots.series_figure` draws."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from riskwatch.calendar import period_bounds
from riskwatch.detectors.signals import Signals
from riskwatch.errors import RiskwatchError
from riskwatch.panel import Panel

__all__ = ["history_of"]


def history_of(panel: Panel, key: Hashable, signals: Signals | None = None, *, last: int | None = None) -> pd.DataFrame:
    """Return one series by period, with expectation, limit and alarm where it was judged.

    Parameters
    ----------
    panel : Panel
    key : hashable
        The series: an entry of ``panel.index``.
    signals : Signals, optional
        Judgements of this panel or of a part of it that holds the series.
    last : int, optional
        Only so many newest periods.

    Returns
    -------
    DataFrame
        ``period_start`` (first day), ``observed``, ``exposure``, ``expected``, ``upper`` (NaN where not judged) and ``alarm``.

    Raises
    ------
    RiskwatchError
        If the panel or the signals have no such series.
    """
    row = _row(panel.index, key, "the panel")
    count = len(panel.periods)
    frame = pd.DataFrame(
        {
            "period_start": pd.DatetimeIndex(period_bounds(panel.periods)[0]),
            "observed": panel.observed[row],
            "exposure": np.full(count, np.nan) if panel.exposure is None else panel.exposure[row],
            "expected": np.nan,
            "upper": np.nan,
            "alarm": False,
        }
    )
    if signals is not None:
        judged = _row(signals.index, key, "the signals")
        place = panel.periods.get_indexer(signals.periods)
        known = place >= 0
        for name in ("expected", "upper", "alarm"):
            frame.loc[place[known], name] = getattr(signals, name)[judged][known]
    return frame if last is None else frame.tail(last).reset_index(drop=True)


def _row(index: pd.Index, key: Hashable, where: str) -> int:
    if key not in index:
        raise RiskwatchError(
            f"history_of: {where} must hold the series {key!r}", hint=f"its index has {len(index)} series: {list(index.names)}"
        )
    return int(index.get_indexer(pd.Index([key]))[0])
