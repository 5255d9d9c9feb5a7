"""Calibration: how often detectors alarm where there is nothing to find, against the level that they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from riskwatch.plots.base import ALARM, BAR, INK, LIMIT, LINE, canvas, check, column, dress, legend

__all__ = ["calibration_figure"]

_WORDS = {
    "zh": {"nominal": "名义水平", "realised": "实际误报率", "share": "实际占比", "ideal": "名实相符", "few": "少于图示下限"},
    "en": {
        "nominal": "nominal level",
        "realised": "realised rate of false alarms",
        "share": "realised share",
        "ideal": "as promised",
        "few": "below the axis",
    },
}
_LOOKS = ((LINE, "o"), (ALARM, "s"), (LIMIT, "^"), ("#4a7c59", "D"), ("#6b4a8a", "v"), ("#777777", "P"))


def calibration_figure(frame: pd.DataFrame, *, language: str = "zh", width: float = 6.4, height: float = 4.2, quiet: bool = True) -> Figure:
    """Draw nominal against realised rates on logarithmic axes, one line for each label, with the intervals of the realised ones.

    On the diagonal a method keeps its word; above it is too loud; below it holds back, as methods of small counts must.

    Parameters
    ----------
    frame : DataFrame
        ``label``, ``nominal``, ``realised``, ``lower``, ``upper`` (:func:`riskwatch.detectors.realised.realised_rates`), shares.
        A realised rate of zero, or below an eighth of the lowest level, is a dash at the lower edge, with the upper part of its interval.
    language : {"zh", "en"}
    width, height : float
        Inches.
    quiet : bool
        There was nothing to find, so that what was found is false; else the axis speaks of shares.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("calibration_figure", frame, ("label", "nominal", "realised", "lower", "upper"), language)
    words = _WORDS[language]
    figure = canvas(width, height)
    axes = figure.add_axes((0.115, 0.115, 0.865, 0.775))
    labels = list(dict.fromkeys(frame["label"].astype(str)))
    nominal, realised, lower, upper = (column(frame, name) for name in ("nominal", "realised", "lower", "upper"))
    shown = np.concatenate([nominal, realised, upper])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    # Intervals of rare alarms reach down to almost nothing: they would take up all the room.
    least, most = max(float(shown.min()) / 1.5, float(nominal.min()) / 8.0), min(float(shown.max()) * 1.5, 1.0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([least, most], [least, most], color=INK, linewidth=0.8, linestyle=":")
    axes.fill_between([least, most], [least, most], [most, most], color=BAR, alpha=0.18, linewidth=0)
    handles: list[object] = [Line2D([], [], color=INK, linewidth=0.8, linestyle=":", label=words["ideal"])]
    for at, label in enumerate(labels):
        colour, marker = _LOOKS[at % len(_LOOKS)]
        rows = np.flatnonzero((frame["label"].astype(str) == label).to_numpy())
        rows = rows[np.argsort(nominal[rows], kind="stable")]
        # Side by side, so that intervals at one level do not hide each other.
        x = nominal[rows] * 1.05 ** (at - (len(labels) - 1) / 2)
        axes.vlines(x, np.maximum(lower[rows], least), upper[rows], color=colour, linewidth=1.0, alpha=0.7)
        some = realised[rows] >= least
        axes.plot(x[some], realised[rows][some], color=colour, marker=marker, markersize=4, linewidth=1.1)
        axes.plot(x[~some], np.full(int((~some).sum()), least * 1.08), linestyle="none", marker="_", color=colour, markersize=7)
        handles.append(Line2D([], [], color=colour, marker=marker, markersize=4, linewidth=1.1, label=label))
    if (realised < least).any():
        handles.append(Line2D([], [], color=INK, linestyle="none", marker="_", markersize=7, label=words["few"]))
    axes.set_xlim(float(nominal.min()) / 1.5, min(float(nominal.max()) * 1.5, 1.0))
    axes.set_ylim(least, most)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
        axis.set_major_locator(FixedLocator(sorted(set(nominal.tolist()))))
    axes.set_xlabel(words["nominal"])
    axes.set_ylabel(words["realised" if quiet else "share"])
    dress(axes, size=7.5, grid="y")
    legend(axes, handles, columns=5, anchor=(0.0, 1.015))
    return figure
