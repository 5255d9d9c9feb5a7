"""Reliability: the share of closed warnings that were right, against the confidence that was stated of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from riskwatch.plots.base import BAR, INK, LINE, canvas, check, cjk_font, column, dress, legend

__all__ = ["reliability_figure"]

_WORDS = {
    "zh": {
        "x": "给出的置信度（1 − q）", "y": "结案属实的占比", "ideal": "名实相符", "share": "实际占比与区间（括号内：结案数）",
        "none": "没有可判断的结案",
    },
    "en": {
        "x": "stated confidence (1 - q)", "y": "share of closed warnings that were right", "ideal": "as stated",
        "share": "share and interval (in brackets: closed)", "none": "no closed warning to judge by",
    },
}  # fmt: skip


def reliability_figure(table: pd.DataFrame, *, language: str = "zh", width: float = 6.6) -> Figure:
    """Draw the share right for each class of stated confidence; classes side by side, as most lie close to 1.

    Parameters
    ----------
    table : DataFrame
        ``low``, ``high``, ``closed``, ``stated``, ``share``, ``share_low``, ``share_high``
        (:func:`riskwatch.backtest.reliability.reliability_table`); empty classes are left blank.
    language : {"zh", "en"}
    width : float
        Inches.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("reliability_figure", table, ("low", "high", "closed", "stated", "share", "share_low", "share_high"), language)
    words = _WORDS[language]
    figure = canvas(width, 2.5)
    axes = figure.add_axes((0.09, 0.17, 0.89, 0.69))
    stated, share, low, high, closed = (column(table, name) for name in ("stated", "share", "share_low", "share_high", "closed"))
    at = np.arange(len(table), dtype=np.float64)
    some = closed > 0
    # What the class may state, from bound to bound, and what it stated on the mean.
    bottom = column(table, "low")
    axes.bar(at, column(table, "high") - bottom, 0.62, bottom=bottom, color=BAR, alpha=0.3, linewidth=0)
    axes.hlines(stated[some], at[some] - 0.31, at[some] + 0.31, color=INK, linewidth=0.9, linestyle=":")
    axes.vlines(at[some], low[some], high[some], color=LINE, linewidth=1.2)
    axes.plot(at[some], share[some], "o", color=LINE, markersize=5)
    for place, count in zip(at[some], closed[some], strict=True):
        axes.text(place, 0.02, f"({count:.0f})", ha="center", va="bottom", fontproperties=cjk_font(6), color=INK)
    if not some.any():
        axes.text(0.5, 0.5, words["none"], ha="center", va="center", transform=axes.transAxes, fontproperties=cjk_font(8), color=INK)
    bounds = [f"{lower:.4g}–{upper:.4g}" for lower, upper in table[["low", "high"]].to_numpy()]
    axes.set_xticks(at, bounds)
    axes.set_xlim(-0.6, len(table) - 0.4)
    axes.set_ylim(0, 1.12)
    axes.set_yticks(np.linspace(0, 1, 6), [f"{tick:.0%}" for tick in np.linspace(0, 1, 6)])
    axes.set_xlabel(words["x"])
    axes.set_ylabel(words["y"])
    dress(axes, grid="y")
    handles = [
        Line2D([], [], color=INK, linewidth=0.9, linestyle=":", label=words["ideal"]),
        Line2D([], [], color=LINE, marker="o", markersize=5, linewidth=1.2, label=words["share"]),
    ]
    legend(axes, handles)
    return figure
