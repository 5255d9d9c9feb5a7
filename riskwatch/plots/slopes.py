"""The slope chart: where each unit stood a year ago and where it stands now; what is getting worse stands out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from riskwatch.plots.base import ALARM, BAR, INK, canvas, check, cjk_font, column, legend, spread

__all__ = ["slope_figure"]

_WORDS = {
    "zh": {"before": "一年前", "now": "现在", "worse": "显著变差", "other": "其他"},
    "en": {"before": "a year ago", "now": "now", "worse": "getting worse, significantly", "other": "others"},
}


def slope_figure(frame: pd.DataFrame, *, language: str = "zh", unit: str = "%", scale: float = 100.0, width: float = 6.4) -> Figure:
    """Draw one line per unit from ``before`` to ``now``.

    Parameters
    ----------
    frame : DataFrame
        ``label``, ``before``, ``now``, and ``worse`` (bool).
    language : {"zh", "en"}
    unit, scale : str, float
        Values are multiplied by ``scale`` and labelled with ``unit``.
    width : float
        Inches; the height follows from the rows.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("slope_figure", frame, ("label", "before", "now", "worse"), language)
    words = _WORDS[language]
    before, now = scale * column(frame, "before"), scale * column(frame, "now")
    worse = frame["worse"].to_numpy(dtype=bool)
    height = 0.8 + 0.155 * max(len(frame), 6)
    figure = canvas(width, height)
    axes = figure.add_axes((0.18, 0.08 / height, 0.38, 1 - 0.5 / height))
    for place in np.argsort(worse, kind="stable").tolist():
        colour = ALARM if worse[place] else BAR
        axes.plot([0, 1], [before[place], now[place]], "-o", color=colour, linewidth=1.4 if worse[place] else 0.9, markersize=3)
    low, high = float(np.nanmin([before, now])), float(np.nanmax([before, now]))
    tall = max(high - low, 1e-9)
    gap = tall * 0.155 / (height - 0.5) * 1.12
    axes.set_ylim(
        min(low - 0.06 * tall, float(np.nanmean([before, now])) - gap * len(frame) / 2),
        max(high + 0.06 * tall, float(np.nanmean([before, now])) + gap * len(frame) / 2),
    )
    axes.set_xlim(0, 1)
    for side, values, align, sign in ((0, before, "right", -1), (1, now, "left", 1)):
        for place, up in enumerate(spread(values, gap).tolist()):
            text = f"{values[place]:.1f}{unit}" if side == 0 else f"{values[place]:.1f}{unit}  {frame['label'].iloc[place]}"
            axes.annotate(
                text,
                (side, float(values[place])),
                xytext=(side + sign * 0.09, up),
                fontproperties=cjk_font(6.5),
                va="center",
                ha="right" if align == "right" else "left",
                color=ALARM if worse[place] else INK,
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": BAR, "shrinkA": 1, "shrinkB": 1},
            )
    axes.set_yticks([])
    axes.set_xticks([0, 1], [words["before"], words["now"]])
    axes.xaxis.tick_top()
    for label in axes.get_xticklabels():
        label.set_fontproperties(cjk_font(7.0))
    axes.tick_params(length=0, pad=2)
    for side_name in ("top", "bottom"):
        axes.spines[side_name].set_visible(False)
    for side_name in ("left", "right"):
        axes.spines[side_name].set_linewidth(0.5)
    legend(
        axes,
        [
            Line2D([], [], color=ALARM, marker="o", markersize=3, label=words["worse"]),
            Line2D([], [], color=BAR, marker="o", markersize=3, label=words["other"]),
        ],
        columns=2,
        anchor=(-0.4, 1 + 0.22 / (height - 0.5)),
    )
    return figure
