"""Where was sampled and where not: product by region, gaps hatched."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from riskwatch.plots.base import INK, canvas, check, cjk_font, display_width, legend

__all__ = ["coverage_figure"]

_BLUES = ("#dbe7f3", "#a9c7e4", "#6fa0cf", "#3a78b2", "#1f4e79")
_BOUNDS = (1, 5, 10, 30, 100)
_WORDS = {"zh": {"gap": "未抽样（空白）", "unit": "批次"}, "en": {"gap": "not sampled (gap)", "unit": "samples"}}


def coverage_figure(cells: pd.DataFrame, *, language: str = "zh", width: float = 6.4) -> Figure:
    """Draw the number of samples of each product in each region; a cell without samples is hatched, never merely white.

    Parameters
    ----------
    cells : DataFrame, shape (products, regions)
        Samples; index and columns are the labels; NaN and 0 are gaps.
    language : {"zh", "en"}
    width : float
        Inches; the height follows from the rows.

    Raises
    ------
    RiskwatchError
        If there is no row or column, or the language is unknown.
    """
    check("coverage_figure", cells if cells.shape[1] else cells.iloc[:0], (), language)
    words = _WORDS[language]
    values = cells.to_numpy(dtype=np.float64)
    gap = ~(values > 0)
    rows, columns = values.shape
    height = 1.05 + 0.2 * rows
    figure = canvas(width, height)
    left = min(0.34, 0.02 + 0.0125 * max(display_width(str(label)) for label in cells.index))
    axes = figure.add_axes((left, 0.62 / height, 0.98 - left, 1 - 0.90 / height))
    classes = np.digitize(np.where(gap, 0, values), _BOUNDS) - 1
    shown = np.ma.masked_where(gap, classes)
    axes.imshow(shown, aspect="auto", cmap=ListedColormap(_BLUES), vmin=-0.5, vmax=len(_BLUES) - 0.5, interpolation="nearest")
    for row, place in zip(*np.nonzero(gap), strict=True):
        axes.add_patch(Rectangle((place - 0.5, row - 0.5), 1, 1, facecolor="white", edgecolor="#9aa3ad", hatch="//////", linewidth=0))
    for row, place in zip(*np.nonzero(~gap), strict=True):
        colour = "white" if classes[row, place] >= 3 else INK
        axes.text(place, row, f"{values[row, place]:,.0f}", ha="center", va="center", fontproperties=cjk_font(5.5), color=colour)
    axes.set_xticks(
        np.arange(columns),
        [str(label) for label in cells.columns],
        rotation=30 if columns > 6 else 0,
        ha="right" if columns > 6 else "center",
    )
    axes.set_yticks(np.arange(rows), [str(label) for label in cells.index])
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontproperties(cjk_font(6.5))
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    ends = (*(bound - 1 for bound in _BOUNDS[1:]), None)
    handles: list[object] = [Patch(facecolor="white", edgecolor="#9aa3ad", hatch="//////", linewidth=0, label=words["gap"])]
    for first, last, colour in zip(_BOUNDS, ends, _BLUES, strict=True):
        handles.append(Patch(facecolor=colour, label=f"{first}–{last}" if last else f"≥{first} {words['unit']}"))
    legend(axes, handles, columns=6, anchor=(0.0 if left < 0.15 else -0.15, 1.02))
    return figure
