"""The interval plot ("caterpillar"): each unit's shrunken rate with its interval, and the raw rate beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from riskwatch.plots.base import ALARM, BAR, INK, LINE, canvas, check, cjk_font, column, display_width, dress, legend

__all__ = ["interval_figure"]

_WORDS = {
    "zh": {"rate": "收缩后的率与区间", "raw": "原始率", "worse": "区间整体高于参照", "reference": "参照", "small": "样本少，仅供参考"},
    "en": {
        "rate": "shrunken rate and interval",
        "raw": "raw rate",
        "worse": "interval wholly above the reference",
        "reference": "reference",
        "small": "few samples",
    },
}


def interval_figure(
    frame: pd.DataFrame,
    *,
    reference: float | None = None,
    language: str = "zh",
    unit: str = "%",
    scale: float = 100.0,
    axis: str = "",
    width: float = 6.4,
) -> Figure:
    """Draw one row per unit in the order of the frame, first on top.

    Parameters
    ----------
    frame : DataFrame
        ``label``, ``rate``, ``lower``, ``upper``; perhaps ``raw``, ``n`` (printed at the right) and ``small`` (drawn pale).
    reference : float, optional
        A vertical line, in the unit of the rates.
    language : {"zh", "en"}
    unit, scale : str, float
        Values are multiplied by ``scale`` and labelled with ``unit``.
    axis : str
        Label of the axis.
    width : float
        Inches; the height follows from the rows.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("interval_figure", frame, ("label", "rate", "lower", "upper"), language)
    words = _WORDS[language]
    count = len(frame)
    height = 0.62 + 0.165 * count
    figure = canvas(width, height)
    left = min(0.30, 0.02 + 0.0125 * max(display_width(str(label)) for label in frame["label"]))
    axes = figure.add_axes((left, 0.36 / height, 0.93 - left, 1 - 0.60 / height))
    rate, lower, upper, raw = (scale * column(frame, name) for name in ("rate", "lower", "upper", "raw"))
    small = frame["small"].to_numpy(dtype=bool) if "small" in frame else np.zeros(count, dtype=bool)
    line = None if reference is None else scale * reference
    worse = (lower > line) if line is not None else np.zeros(count, dtype=bool)
    y = np.arange(count)[::-1]
    for place in range(count):
        colour = ALARM if worse[place] and not small[place] else BAR if small[place] else LINE
        axes.plot([lower[place], upper[place]], [y[place], y[place]], color=colour, linewidth=1.4, solid_capstyle="butt")
        axes.plot([rate[place]], [y[place]], "D" if worse[place] and not small[place] else "o", color=colour, markersize=3.6)
    if np.isfinite(raw).any():
        axes.plot(raw, y, "o", markersize=3.6, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.6)
    if line is not None:
        axes.axvline(line, color=INK, linewidth=0.7, linestyle=":")
    ends = np.concatenate([values[np.isfinite(values)] for values in (rate, lower, upper, raw)] + [np.array([line or 0.0])])
    low, high = float(ends.min()), float(ends.max())
    room = max(high - low, 1e-9) * 0.04
    axes.set_xlim(min(low, 0.0) if low >= 0 else low - room, high + room)
    axes.set_ylim(-0.7, count - 0.3)
    axes.set_yticks(y, [str(label) for label in frame["label"]])
    axes.set_xlabel(f"{axis} ({unit})" if axis and unit else axis or unit)
    dress(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    if "n" in frame:
        for place, number in zip(y.tolist(), column(frame, "n").tolist(), strict=True):
            axes.text(
                1.005, place, f"n={number:,.0f}", transform=axes.get_yaxis_transform(), fontproperties=cjk_font(6.0), color=INK, va="center"
            )
    handles = [Line2D([], [], color=LINE, marker="o", markersize=3.6, linewidth=1.4, label=words["rate"])]
    if np.isfinite(raw).any():
        handles.append(
            Line2D([], [], linestyle="none", marker="o", markersize=3.6, markerfacecolor="none", markeredgecolor=INK, label=words["raw"])
        )
    if (worse & ~small).any():
        handles.append(Line2D([], [], color=ALARM, marker="D", markersize=3.6, linewidth=1.4, label=words["worse"]))
    if small.any():
        handles.append(Line2D([], [], color=BAR, marker="o", markersize=3.6, linewidth=1.4, label=words["small"]))
    if line is not None:
        handles.append(Line2D([], [], color=INK, linestyle=":", linewidth=0.7, label=f"{words['reference']} {line:.1f}{unit}"))
    legend(axes, handles, columns=5, anchor=((0.02 - left) / (0.93 - left), 1.01))
    return figure
