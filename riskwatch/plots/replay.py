"""Charts of a replay: warnings by week, and how long after a hazard's start each was warned of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from riskwatch.plots.base import ALARM, BAR, GRID, INK, LINE, canvas, check, cjk_font, dress, legend

__all__ = ["LEVELS", "calendar_figure", "lead_figure"]

LEVELS = {"I": "#b3261e", "II": "#e07b00", "III": "#d9b400", "IV": "#1f4e79"}
"""Colours of the four levels: red, orange, yellow, blue."""
_WORDS = {
    "zh": {
        "opened": "每周新预警（条）", "before": "另一配置", "after": "本配置", "days": "自危害开始至首次预警（天）", "never": "未预警",
    },
    "en": {
        "opened": "new warnings a week", "before": "other definitions", "after": "these definitions",
        "days": "days from the hazard's start to the first warning", "never": "never warned of",
    },
}  # fmt: skip


def calendar_figure(
    weeks: pd.DataFrame,
    before: pd.DataFrame | None = None,
    *,
    language: str = "zh",
    width: float = 6.6,
    names: tuple[str, str] | None = None,
) -> Figure:
    """Draw new warnings by week, stacked by level; with ``before``, those of other definitions hang below the line.

    Parameters
    ----------
    weeks : DataFrame
        ``week`` (day), ``grade``, ``opened``.
    before : DataFrame, optional
        The same of the other definitions.
    language : {"zh", "en"}
    width : float
        Inches.
    names : (str, str), optional
        What ``before`` and ``weeks`` are called.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("calendar_figure", weeks, ("week", "grade", "opened"), language)
    words = _WORDS[language]
    figure = canvas(width, 2.3 if before is None else 2.9)
    axes = figure.add_axes((0.08, 0.12, 0.9, 0.74))
    for frame, sign in ((weeks, 1), (before, -1)):
        if frame is None:
            continue
        table = frame.pivot_table(index="week", columns="grade", values="opened", aggfunc="sum", fill_value=0)
        at = pd.to_datetime(table.index).to_numpy().astype("datetime64[D]").astype(np.float64)  # days since 1970, matplotlib's own
        floor = np.zeros(len(table))
        for grade, colour in LEVELS.items():
            if grade in table:
                tall = table[grade].to_numpy(dtype=np.float64)
                axes.bar(at, sign * tall, 6.0, bottom=sign * floor, color=colour, align="edge", linewidth=0)
                floor += tall
    axes.axhline(0, color=INK, linewidth=0.6)
    weeks_at = pd.DatetimeIndex(sorted(set(pd.to_datetime(weeks["week"]))))
    months = weeks_at[~weeks_at.to_period("M").duplicated()]
    shown = months[:: max(1, -(-len(months) // 9))]
    axes.set_xticks(shown.to_numpy().astype("datetime64[D]").astype(np.float64), [f"{day:%Y-%m}" for day in shown])
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    sides = names or (words["before"], words["after"])
    axes.set_ylabel(words["opened"] if before is None else "  |  ".join(sides))
    dress(axes, grid="y")
    legend(axes, [Patch(color=colour, label=grade) for grade, colour in LEVELS.items()])
    return figure


def lead_figure(hazards: pd.DataFrame, before: pd.DataFrame | None = None, *, language: str = "zh", width: float = 6.6) -> Figure:
    """Draw, for each hazard, the days from its start to the first warning; a cross at the right where it was never warned of.

    Parameters
    ----------
    hazards : DataFrame
        ``hazard``, ``after_start_days`` (NaN: never), ``grade``.
    before : DataFrame, optional
        The same of the other definitions, drawn as rings.
    language : {"zh", "en"}
    width : float
        Inches; the height follows from the rows.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    check("lead_figure", hazards, ("hazard", "after_start_days", "grade"), language)
    words = _WORDS[language]
    days = hazards["after_start_days"].to_numpy(dtype=np.float64)
    other = None if before is None else before.set_index("hazard")["after_start_days"].reindex(hazards["hazard"]).to_numpy(dtype=np.float64)
    every = days if other is None else np.concatenate([days, other])
    edge = 1.08 * max(float(np.nanmax(every)) if np.isfinite(every).any() else 1.0, 1.0)
    height = 0.7 + 0.17 * len(hazards)
    figure = canvas(width, height)
    axes = figure.add_axes((0.16, 0.42 / height, 0.8, 1 - 0.72 / height))
    rows = np.arange(len(hazards))[::-1]
    axes.hlines(rows, 0, np.where(np.isfinite(days), days, edge), color=GRID, linewidth=1.0)
    if other is not None:
        axes.plot(np.where(np.isfinite(other), other, edge), rows, "o", markersize=5, markerfacecolor="none", markeredgecolor=BAR)
    colours = [LEVELS.get(str(grade), LINE) for grade in hazards["grade"]]
    for row, day, colour in zip(rows, days, colours, strict=True):
        never = not np.isfinite(day)
        axes.plot([edge if never else day], [row], "x" if never else "o", color=ALARM if never else colour, markersize=4)
    axes.set_yticks(rows, [str(name) for name in hazards["hazard"]])
    axes.set_ylim(-0.7, len(hazards) - 0.3)
    axes.set_xlim(min(0.0, float(np.nanmin(every)) if np.isfinite(every).any() else 0.0), edge * 1.03)
    axes.set_xlabel(words["days"])
    dress(axes, grid="x")
    marks = [Line2D([], [], marker="x", linestyle="", color=ALARM, markersize=4, label=words["never"])]
    if other is not None:
        marks.append(
            Line2D([], [], marker="o", linestyle="", markerfacecolor="none", markeredgecolor=BAR, markersize=5, label=words["before"])
        )
    legend(axes, marks)
    for label in axes.get_yticklabels():
        label.set_fontproperties(cjk_font(6.5))
    return figure
