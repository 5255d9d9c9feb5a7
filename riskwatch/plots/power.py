"""What models find of outbreaks of one size, by kind of series: a map of power."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from riskwatch.plots.base import INK, canvas, check, cjk_font, display_width, dress

__all__ = ["power_figure"]

_WORDS = {
    "zh": {"days": " 天", "x": "每期预期数", "note": "（格内：发现比例，中位天数；斜线：无此类序列或不判别）"},
    "en": {"days": " d", "x": "expected in a period", "note": " (cells: share found, median days; hatched: no such series, or not judged)"},
}
_MAP = LinearSegmentedColormap.from_list("power", ["#f3e3e1", "#f2efe6", "#9cc3dd", "#1f4e79"])


def power_figure(table: pd.DataFrame, sizes: tuple[str, ...], *, language: str = "zh", width: float = 6.6) -> Figure:
    """Draw the share found and the median delay, a row for each model and level, a column for each size of series.

    Parameters
    ----------
    table : DataFrame
        ``label`` (of the row), ``size``, ``power`` (NaN: not judged), ``days_median``.
    sizes : tuple of str
        Columns, smallest first.
    language : {"zh", "en"}
    width : float
        Inches; the height follows from the rows.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("power_figure", table, ("label", "size", "power", "days_median"), language)
    labels = list(dict.fromkeys(table["label"].astype(str)))
    figures = zip(table["power"].to_numpy(np.float64), table["days_median"].to_numpy(np.float64), strict=True)
    at = dict(zip(zip(table["label"].astype(str), table["size"].astype(str), strict=True), figures, strict=True))
    height = 0.8 + 0.22 * len(labels)
    figure = canvas(width, height)
    left = min(0.55, 0.03 + 0.0105 * max(display_width(label) for label in labels))
    axes = figure.add_axes((left, 0.5 / height, 0.98 - left, 1 - 0.62 / height))
    dress(axes)
    for row, label in enumerate(labels):
        for column, size in enumerate(sizes):
            power, days = at.get((label, size), (np.nan, np.nan))
            corner = (column - 0.5, row - 0.5)
            if not np.isfinite(power):
                axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor="#9aa3ad", hatch="//////", linewidth=0))
                continue
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=_MAP(power), edgecolor="white", linewidth=1))
            text = f"{power:.0%}" + (f"  {days:.0f}{_WORDS[language]['days']}" if np.isfinite(days) else "")
            colour = "white" if power > 0.65 else INK
            axes.text(column, row, text, ha="center", va="center", fontproperties=cjk_font(6), color=colour)
    axes.set_xlim(-0.5, len(sizes) - 0.5)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xticks(range(len(sizes)), sizes, fontproperties=cjk_font(6.5))
    axes.set_yticks(range(len(labels)), labels, fontproperties=cjk_font(6.5))
    axes.set_xlabel(_WORDS[language]["x"] + _WORDS[language]["note"], fontproperties=cjk_font(6))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure
