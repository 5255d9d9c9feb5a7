"""Indicators against their targets: one bar each, on its own scale, with the target as a mark."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from riskwatch.plots.base import ALARM, BAR, INK, LINE, PALE, bare, canvas, check, cjk_font, column, display_width, legend

__all__ = ["bullet_figure"]

_WORDS = {
    "zh": {"value": "达到目标", "short": "未达目标", "target": "目标", "interval": "区间", "none": "无目标值"},
    "en": {"value": "target met", "short": "short of the target", "target": "target", "interval": "interval", "none": "no target"},
}


def bullet_figure(frame: pd.DataFrame, *, language: str = "zh", width: float = 6.4) -> Figure:
    """Draw each indicator on its own scale with its interval and its target: a bar where the scale starts at zero, else a point.

    Parameters
    ----------
    frame : DataFrame
        ``label``, ``value``; perhaps ``lower``, ``upper``, ``target``, ``unit`` and ``lower_is_better`` (bool).
    language : {"zh", "en"}
    width : float
        Inches; the height follows from the rows.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("bullet_figure", frame, ("label", "value"), language)
    words = _WORDS[language]
    count = len(frame)
    height = 0.38 + 0.30 * count
    figure = canvas(width, height)
    left = min(0.36, 0.02 + 0.0125 * max(display_width(str(label)) for label in frame["label"]))
    value, lower, upper, target = (column(frame, name) for name in ("value", "lower", "upper", "target"))
    down = frame["lower_is_better"].to_numpy(dtype=bool) if "lower_is_better" in frame else np.zeros(count, dtype=bool)
    units = frame["unit"].astype(str).tolist() if "unit" in frame else [""] * count
    for place in range(count):
        axes = figure.add_axes((left, 1 - (0.30 + 0.30 * (place + 1)) / height, 0.80 - left, 0.24 / height))
        ends = np.array([one for one in (value[place], lower[place], upper[place], target[place]) if np.isfinite(one)])
        low, high = (float(ends.min()), float(ends.max())) if ends.size else (0.0, 1.0)
        # A scale of its own: from zero, or close below the lowest figure where all lie far from zero (an index of 60 to 100, say).
        start = 0.0 if low < 0.5 * high or low <= 0 else low - 1.5 * max(high - low, 0.02 * abs(high))
        stop = high + 0.15 * max(high - start, 1e-9)
        met = not np.isfinite(target[place]) or (value[place] <= target[place] if down[place] else value[place] >= target[place])
        axes.barh([0], [stop - start], left=start, height=0.9, color=PALE, linewidth=0)
        colour = LINE if met else ALARM
        if start == 0:
            axes.barh([0], [value[place]], height=0.44, color=colour, alpha=0.8, linewidth=0)
        if np.isfinite(lower[place]) and np.isfinite(upper[place]):
            axes.plot([lower[place], upper[place]], [0, 0], color=INK, linewidth=1.0)
        if start != 0:
            # The length of a bar that does not start at zero says nothing: a point does not pretend.
            axes.plot([value[place]], [0], "o", color=colour, markersize=5)
        if np.isfinite(target[place]):
            axes.plot([target[place], target[place]], [-0.42, 0.42], color="black", linewidth=1.8, solid_capstyle="butt")
        axes.set_xlim(start, stop)
        axes.set_ylim(-0.5, 0.5)
        bare(axes)
        axes.text(
            -0.015,
            0.5,
            str(frame["label"].iloc[place]),
            transform=axes.transAxes,
            ha="right",
            va="center",
            fontproperties=cjk_font(6.5),
            color=INK,
        )
        told = f"{value[place]:.4g}{units[place]}"
        told += f" / {target[place]:g}{units[place]}" if np.isfinite(target[place]) else f" ({words['none']})"
        axes.text(1.01, 0.5, told, transform=axes.transAxes, ha="left", va="center", fontproperties=cjk_font(6.5), color=INK)
    head = figure.add_axes((left, 1 - 0.30 / height, 0.80 - left, 0.05 / height))
    bare(head)
    legend(
        head,
        [
            Patch(facecolor=LINE, alpha=0.8, label=words["value"]),
            Patch(facecolor=ALARM, alpha=0.8, label=words["short"]),
            Line2D([], [], color="black", linewidth=1.8, label=words["target"]),
            Line2D([], [], color=BAR if not np.isfinite(lower).any() else INK, linewidth=1.0, label=words["interval"]),
        ],
        columns=4,
    )
    return figure
