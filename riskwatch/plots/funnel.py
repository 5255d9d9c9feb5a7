"""The funnel plot: failure rate against number of samples, with the limits that chance alone would keep to.

Spiegelhalter, D. J. (2005), "Funnel plots for comparing institutional performance", Statistics in Medicine 24, 1185-1202.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import binom

from riskwatch.errors import RiskwatchError
from riskwatch.plots.base import ALARM, INK, LIMIT, LINE, FloatArray, canvas, check, cjk_font, column, dress, legend, spread

__all__ = ["binomial_limits", "funnel_figure"]

_WORDS = {
    "zh": {
        "x": "抽查批次",
        "y": "不合格率",
        "mean": "总体",
        "two": "95% 界限",
        "three": "99.8% 界限",
        "wide": "计入过度离散的 99.8% 界限",
        "out": "超出界限",
    },
    "en": {
        "x": "samples inspected",
        "y": "failure rate",
        "mean": "overall",
        "two": "95% limits",
        "three": "99.8% limits",
        "wide": "99.8% limits allowing for overdispersion",
        "out": "beyond the limits",
    },
}


def binomial_limits(size: FloatArray, centre: float, probability: float) -> FloatArray:
    """Return the value of r/n below which a share ``probability`` of chance results lies, interpolated as Spiegelhalter (2005, A.1.1).

    Parameters
    ----------
    size : array of float, shape (n,)
        Numbers of samples, at least 1.
    centre : float
        The rate under the null, strictly between 0 and 1.
    probability : float
        For example 0.975 for the upper limit at 95 %.

    Returns
    -------
    array of float, shape (n,)
        Kept within 0 and 1.

    Raises
    ------
    RiskwatchError
        If a size is below 1, or the centre or the probability does not lie strictly between 0 and 1.
    """
    if not 0 < centre < 1 or not 0 < probability < 1:
        raise RiskwatchError(f"binomial_limits: centre and probability must lie strictly between 0 and 1, got {centre} and {probability}")
    number = np.floor(np.asarray(size, dtype=np.float64))
    if (number < 1).any():
        raise RiskwatchError(f"binomial_limits: sizes must be at least 1, got {number.min():g}")
    at = binom.ppf(probability, number, centre)
    above, mass = binom.cdf(at, number, centre), binom.pmf(at, number, centre)
    share = np.divide(above - probability, mass, out=np.zeros_like(mass), where=mass > 0)
    return np.asarray(np.clip((at - share) / number, 0.0, 1.0), dtype=np.float64)


def funnel_figure(frame: pd.DataFrame, *, centre: float, language: str = "zh", width: float = 6.4, height: float = 3.1) -> Figure:
    """Draw each region's rate against its samples, with 95 % and 99.8 % limits, and dashed ones that allow for overdispersion.

    Parameters
    ----------
    frame : DataFrame
        ``label``, ``inspected``, ``failed``; perhaps ``inflation``: how much wider than chance the limits are at that size (the ratio of
        the raw z to the adjusted z), and ``flagged``: beyond the limits after adjustment.
    centre : float
        The overall rate, strictly between 0 and 1.
    language : {"zh", "en"}
    width, height : float
        Inches.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing, the language is unknown, or the centre is no rate.
    """
    check("funnel_figure", frame, ("label", "inspected", "failed"), language)
    words = _WORDS[language]
    size, failed = column(frame, "inspected"), column(frame, "failed")
    kept = size > 0
    frame, size, failed = frame[kept], size[kept], failed[kept]
    rate = 100 * failed / size
    flagged = frame["flagged"].to_numpy(dtype=bool) if "flagged" in frame else np.zeros(len(frame), dtype=bool)
    figure = canvas(width, height)
    axes = figure.add_axes((0.42 / width, 0.42 / height, 1 - 0.6 / width, 1 - 0.75 / height))
    top_size = float(size.max(initial=2.0)) * 1.12
    grid = np.unique(np.floor(np.geomspace(max(2.0, float(size.min(initial=2.0)) * 0.6), top_size, 240)))
    for probability, style in ((0.025, "-"), (0.975, "-"), (0.001, "-"), (0.999, "-")):
        colour, thick = (LIMIT, 0.8) if probability in {0.025, 0.975} else (ALARM, 0.8)
        axes.plot(grid, 100 * binomial_limits(grid, centre, probability), style, color=colour, linewidth=thick)
    wide = _widened(frame, size, grid)
    if wide is not None:
        for probability in (0.001, 0.999):
            limit = 100 * centre + wide * (100 * binomial_limits(grid, centre, probability) - 100 * centre)
            axes.plot(grid, np.maximum(limit, 0), "--", color=ALARM, linewidth=0.8)
    axes.axhline(100 * centre, color=INK, linewidth=0.7)
    axes.plot(size[~flagged], rate[~flagged], "o", markersize=3.6, color=LINE, markeredgecolor="white", markeredgewidth=0.4)
    axes.plot(size[flagged], rate[flagged], "D", markersize=4.6, color=ALARM, markeredgecolor="white", markeredgewidth=0.4)
    top = max(float(rate.max(initial=0.0)) * 1.15, 100 * centre * 2.2)
    axes.set_ylim(0, top)
    axes.set_xlim(float(grid[0]), top_size * 1.1)
    axes.set_xlabel(words["x"])
    axes.set_ylabel(f"{words['y']} (%)")
    some = np.flatnonzero(flagged)
    if some.size:
        heights = spread(rate[some], top * 0.055)
        for place, up in zip(some.tolist(), heights.tolist(), strict=True):
            axes.annotate(
                str(frame["label"].iloc[place]),
                (float(size[place]), float(rate[place])),
                xytext=(float(size[place]) + top_size * 0.012, up),
                fontproperties=cjk_font(6.5),
                color=ALARM,
                va="center",
            )
    handles = [
        Line2D([], [], color=INK, linewidth=0.7, label=f"{words['mean']} {100 * centre:.1f}%"),
        Line2D([], [], color=LIMIT, linewidth=0.8, label=words["two"]),
        Line2D([], [], color=ALARM, linewidth=0.8, label=words["three"]),
    ]
    if wide is not None:
        handles.append(Line2D([], [], color=ALARM, linewidth=0.8, linestyle="--", label=words["wide"]))
    if some.size:
        handles.append(Line2D([], [], color=ALARM, marker="D", markersize=4, linestyle="none", label=words["out"]))
    dress(axes, grid="y")
    legend(axes, handles, columns=5)
    return figure


def _widened(frame: pd.DataFrame, size: FloatArray, grid: FloatArray) -> FloatArray | None:
    """Return how much wider the limits are along the grid: between the regions' own figures, straight lines over the size."""
    inflation = column(frame, "inflation")
    known = np.isfinite(inflation) & (inflation >= 1)
    if not known.any():
        return None
    means = pd.Series(inflation[known]).groupby(size[known]).median()
    return np.asarray(np.interp(grid, means.index.to_numpy(dtype=np.float64), means.to_numpy(dtype=np.float64)), dtype=np.float64)
