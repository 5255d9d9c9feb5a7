"""A trend with what is expected next: observed, fitted, a fan of the forecast, and the target."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from riskwatch.plots.base import ALARM, INK, LINE, canvas, check, column, dress, legend

__all__ = ["forecast_figure"]

_WORDS = {
    "zh": {"observed": "观测", "fitted": "趋势", "forecast": "预测", "fan": "预测区间", "target": "目标"},
    "en": {"observed": "observed", "fitted": "trend", "forecast": "forecast", "fan": "forecast interval", "target": "target"},
}


def forecast_figure(
    frame: pd.DataFrame, *, target: float | None = None, language: str = "zh", axis: str = "", width: float = 6.4, height: float = 2.4
) -> Figure:
    """Draw one series over time.

    Parameters
    ----------
    frame : DataFrame
        ``period_start`` (ascending), ``observed``; perhaps ``fitted``, ``forecast``, ``lower``, ``upper`` (of the forecast), and
        ``lower_50``, ``upper_50`` for an inner fan. Missing values leave gaps.
    target : float, optional
        A dashed line, in the unit of the series.
    language : {"zh", "en"}
    axis : str
        Label of the axis, with its unit.
    width, height : float
        Inches.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("forecast_figure", frame, ("period_start", "observed"), language)
    words = _WORDS[language]
    figure = canvas(width, height)
    axes = figure.add_axes((0.5 / width, 0.26 / height, 1 - 0.62 / width, 1 - 0.55 / height))
    x = pd.DatetimeIndex(frame["period_start"]).to_numpy()
    handles: list[object] = []
    for low, high, strength in (("lower", "upper", 0.18), ("lower_50", "upper_50", 0.3)):
        below, above = column(frame, low), column(frame, high)
        if np.isfinite(below).any():
            band = axes.fill_between(x, below, above, color=LINE, alpha=strength, linewidth=0, label=words["fan"])
            handles = handles or [band]
    observed = axes.plot(x, column(frame, "observed"), "o-", color=INK, markersize=2.6, linewidth=0.7, label=words["observed"])
    lines = [*observed]
    for name, style in (("fitted", "-"), ("forecast", "--")):
        values = column(frame, name)
        if np.isfinite(values).any():
            lines += axes.plot(x, values, style, color=LINE, linewidth=1.3, label=words[name])
    if target is not None:
        lines.append(axes.axhline(target, color=ALARM, linestyle=(0, (5, 2)), linewidth=1.0, label=f"{words['target']} {target:g}"))
    axes.set_ylabel(axis)
    places = np.unique(np.linspace(0, len(x) - 1, min(6, len(x))).round().astype(int))
    axes.set_xticks(x[places], [pd.Timestamp(x[place]).strftime("%Y-%m") for place in places])
    bottom, top = axes.get_ylim()
    axes.set_ylim(0 if 0 <= bottom < 0.4 * top else bottom, top)
    dress(axes, grid="y")
    legend(axes, [*lines, *handles], columns=5)
    return figure
