"""What part of a change of the failure rate is a change of what was sampled, and what part is like for like."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from riskwatch.plots.base import ALARM, BAR, INK, canvas, check, column, display_width, dress, legend

__all__ = ["mix_figure"]

_WORDS = {
    "zh": {"change": "同口径变化", "mix": "抽样结构变化", "raw": "原始变化", "interval": "同口径变化的区间", "axis": "百分点"},
    "en": {
        "change": "like-for-like change",
        "mix": "change of what was sampled",
        "raw": "raw change",
        "interval": "interval of the like-for-like change",
        "axis": "percentage points",
    },
}


def mix_figure(frame: pd.DataFrame, *, language: str = "zh", width: float = 6.4) -> Figure:
    """Draw for each unit two bars side by side, the like-for-like change (with its interval) and the mix effect, and their sum.

    Parameters
    ----------
    frame : DataFrame
        ``label``, ``raw_change``, ``change``, ``mix`` (shares: 0.01 is one percentage point); perhaps ``change_lower``, ``change_upper``.
    language : {"zh", "en"}
    width : float
        Inches; the height follows from the rows.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("mix_figure", frame, ("label", "raw_change", "change", "mix"), language)
    words = _WORDS[language]
    count = len(frame)
    height = 0.62 + 0.25 * count
    figure = canvas(width, height)
    left = min(0.30, 0.02 + 0.0125 * max(display_width(str(label)) for label in frame["label"]))
    axes = figure.add_axes((left, 0.36 / height, 0.97 - left, 1 - 0.60 / height))
    raw, change, mix, low, high = (100 * column(frame, name) for name in ("raw_change", "change", "mix", "change_lower", "change_upper"))
    y = np.arange(count)[::-1].astype(np.float64)
    axes.barh(y + 0.19, np.nan_to_num(change), height=0.34, color=ALARM, alpha=0.75, linewidth=0)
    axes.barh(y - 0.19, np.nan_to_num(mix), height=0.34, color=BAR, hatch="////", edgecolor="white", linewidth=0)
    known = np.isfinite(low) & np.isfinite(high)
    axes.hlines(y[known] + 0.19, low[known], high[known], color=INK, linewidth=0.9)
    axes.plot(raw, y, "|", color=INK, markersize=9, markeredgewidth=1.4)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_yticks(y, [str(label) for label in frame["label"]])
    axes.set_ylim(-0.6, count - 0.4)
    axes.set_xlabel(words["axis"])
    dress(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    handles: list[object] = [
        Patch(facecolor=ALARM, alpha=0.75, label=words["change"]),
        Patch(facecolor=BAR, hatch="////", edgecolor="white", label=words["mix"]),
        Line2D([], [], color=INK, marker="|", markersize=7, markeredgewidth=1.4, linestyle="none", label=words["raw"]),
    ]
    if known.any():
        handles.append(Line2D([], [], color=INK, linewidth=0.9, label=words["interval"]))
    legend(axes, handles, columns=4, anchor=((0.02 - left) / (0.97 - left), 1.01))
    return figure
