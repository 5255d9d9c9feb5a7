"""A cluster on the map: the ratio of observed to expected in each county, the cluster's counties outlined, and their figures beside it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from riskwatch.plots.base import ALARM, BAR, INK, LINE, FloatArray, bare, canvas, check, cjk_font, column, display_width
from riskwatch.plots.maps import middle_of, outline_rings

__all__ = ["cluster_figure"]

_COLUMNS = ("place", "name", "inside", "observed", "expected", "longitude", "latitude")
# Bounds of observed over expected: below what was expected, then up to 1.5, 2, 3, and above.
_BOUNDS = (1.0, 1.5, 2.0, 3.0)
_COLOURS = ("#f3f5f7", "#fde9d0", "#fbbf85", "#f08c47", "#b3401a")
_EMPTY = "#ffffff"
_WORDS = {
    "zh": {
        "ratio": "实际/预期",
        "below": "不足 1 倍",
        "between": "{low:g}–{high:g} 倍",
        "above": "{low:g} 倍以上",
        "none": "无病例",
        "edge": "聚集区",
        "bar": "聚集区各县：实际（条）与预期（线）",
        "more": "另有 {n} 个县，实际 {observed:g}，预期 {expected:.1f}",
    },
    "en": {
        "ratio": "observed / expected",
        "below": "below 1",
        "between": "{low:g} to {high:g}",
        "above": "3 and more",
        "none": "no case",
        "edge": "cluster",
        "bar": "counties of the cluster: observed (bar), expected (line)",
        "more": "{n} more: observed {observed:g}, expected {expected:.1f}",
    },
}
_LISTED = 7


def cluster_figure(
    frame: pd.DataFrame,
    features: Iterable[Mapping[str, object]] = (),
    *,
    code_property: str = "adcode",
    title: str = "",
    language: str = "zh",
    width: float = 7.0,
    height: float = 1.9,
) -> Figure:
    """Draw the counties by observed over expected, with the cluster outlined, and the cluster's counties as bars.

    Parameters
    ----------
    frame : DataFrame
        One row per county: ``place`` (code), ``name``, ``inside`` (bool: of the cluster), ``observed``, ``expected`` (cases over the
        cluster's window), ``longitude``, ``latitude`` (degrees).
    features : iterable of GeoJSON features
        Outlines of the counties. A county without one is drawn as a dot at its coordinates, and left out where it has none of these either.
    code_property : str
        Property of a feature that holds the code.
    title : str
        Set above the whole, on one line.
    language : {"zh", "en"}
    width, height : float
        Inches.

    Raises
    ------
    RiskwatchError
        If columns are missing, no row is there, or the language is unknown.
    """
    check("cluster_figure", frame, _COLUMNS, language)
    words = _WORDS[language]
    table = frame.sort_values("place", kind="stable").reset_index(drop=True)
    figure = canvas(width, height)
    top = 0.2 / height if title else 0.0
    if title:
        figure.text(0.006, 1 - 0.03 / height, title, fontproperties=cjk_font(7.5), color=INK, va="top")
    axes = figure.add_axes((0.0, 0.01, 0.36, 0.98 - top))
    _map(axes, table, outline_rings(features, code_property))
    bare(axes)
    _bars(figure, table[table["inside"].astype(bool)], words, top=top, height=height)
    _explain(figure, words, top=top)
    return figure


def _ratio(table: pd.DataFrame) -> FloatArray:
    observed, expected = column(table, "observed"), column(table, "expected")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(observed > 0, observed / expected, np.where(np.isfinite(observed), 0.0, np.nan))


def _colour(ratio: float) -> str:
    if not ratio > 0:
        return _EMPTY
    return _COLOURS[int(np.searchsorted(_BOUNDS, ratio, side="right"))]


def _map(axes: Axes, table: pd.DataFrame, rings: Mapping[str, list[FloatArray]]) -> None:
    longitude, latitude, ratio = column(table, "longitude"), column(table, "latitude"), _ratio(table)
    placed = np.isfinite(longitude) & np.isfinite(latitude)
    drawn = [ring for code in table["place"] for ring in rings.get(str(code), ())]
    points = np.concatenate([np.column_stack([longitude, latitude])[placed], *drawn]) if placed.any() or drawn else np.zeros((1, 2))
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    pad_x, pad_y = 0.02 * (east - west) + 0.01, 0.02 * (north - south) + 0.01
    axes.set_xlim(west - pad_x, east + pad_x)
    axes.set_ylim(south - pad_y, north + pad_y)
    stretch = 1 / float(np.cos(np.deg2rad((south + north) / 2)))
    axes.set_aspect(stretch, anchor="W")
    inside = table["inside"].to_numpy(bool)
    for row, code in enumerate(table["place"].astype(str)):
        edge: dict[str, Any] = (
            {"edgecolor": ALARM, "linewidth": 1.1, "zorder": 3} if inside[row] else {"edgecolor": "#9aa3ad", "linewidth": 0.3, "zorder": 1}
        )
        if code in rings:
            # One compound path: a hole stays a hole.
            path = Path.make_compound_path(*(Path(ring, closed=True) for ring in rings[code]))
            axes.add_patch(PathPatch(path, facecolor=_colour(ratio[row]), joinstyle="round", **edge))
        elif placed[row]:
            axes.plot(
                longitude[row],
                latitude[row],
                "o",
                markersize=5.0 if inside[row] else 3.5,
                markerfacecolor=_colour(ratio[row]),
                markeredgecolor=edge["edgecolor"],
                markeredgewidth=edge["linewidth"],
                zorder=edge["zorder"],
            )
    # Numbers as in the list: names would not fit.
    listed = _listed(table[inside])
    for number, (row, code) in enumerate(zip(listed.index.tolist(), listed["place"].astype(str), strict=True), start=1):
        x, y = middle_of(rings[code]) if code in rings else (longitude[row], latitude[row])
        if np.isfinite([x, y]).all():
            ink = "white" if _colour(ratio[row]) == _COLOURS[-1] else INK
            axes.text(x, y, str(number), ha="center", va="center", zorder=4, fontproperties=cjk_font(5.5), color=ink)


def _listed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the counties of the cluster that are listed, largest excess first."""
    excess = column(table, "expected") - column(table, "observed")
    return table.iloc[np.lexsort((table["place"].astype(str), excess))].head(_LISTED)


def _bars(figure: Figure, table: pd.DataFrame, words: Mapping[str, str], *, top: float, height: float) -> None:
    listed = _listed(table)
    line = 0.17 / height
    ceiling = 1 - top - 0.2 / height
    axes = figure.add_axes((0.50, ceiling - line * len(listed), 0.24, line * len(listed)))
    at = np.arange(len(listed), dtype=np.float64)
    observed, expected = column(listed, "observed"), column(listed, "expected")
    axes.barh(at, observed, height=0.62, color=BAR)
    axes.vlines(expected, at - 0.4, at + 0.4, color=LINE, linewidth=1.0)
    most = float(np.nanmax(np.concatenate([observed, expected, [1.0]])))
    axes.set_xlim(0, most * 1.02)
    axes.set_ylim(len(listed) - 0.5, -0.5)
    bare(axes)
    for number, (y, name, seen, mean) in enumerate(zip(at, listed["name"], observed, expected, strict=True), start=1):
        axes.text(-0.03 * most, y, f"{number} {_short(str(name))}", ha="right", va="center", fontproperties=cjk_font(6.5), color=INK)
        axes.text(1.05 * most, y, f"{seen:g} / {mean:.1f}", ha="left", va="center", fontproperties=cjk_font(6.5), color=INK)
    figure.text(0.50, ceiling + 0.035 / height, words["bar"], fontproperties=cjk_font(6.5), color=INK, va="bottom", ha="center")
    rest = table[~table["place"].isin(listed["place"])]
    if len(rest):
        text = words["more"].format(n=len(rest), observed=column(rest, "observed").sum(), expected=column(rest, "expected").sum())
        figure.text(0.50, ceiling - line * len(listed) - 0.02 / height, text, fontproperties=cjk_font(6.0), color="#555555", va="top")


def _short(name: str, most: int = 22) -> str:
    """Return a name that leaves room for the bars."""
    while display_width(name) > most:
        name = name[:-2].rstrip() + "…"
    return name


def _explain(figure: Figure, words: Mapping[str, str], *, top: float) -> None:
    texts = [words["below"]]
    texts += [words["between"].format(low=low, high=high) for low, high in itertools.pairwise(_BOUNDS)]
    texts.append(words["above"].format(low=_BOUNDS[-1]))
    handles = [
        Patch(facecolor=colour, edgecolor="#9aa3ad", linewidth=0.3, label=text) for colour, text in zip(_COLOURS, texts, strict=True)
    ]
    handles = [*handles[::-1], Patch(facecolor=_EMPTY, edgecolor="#9aa3ad", linewidth=0.3, label=words["none"])]
    handles.append(Patch(facecolor="white", edgecolor=ALARM, linewidth=1.1, label=words["edge"]))
    legend = figure.legend(
        handles=handles,
        prop=cjk_font(6.0),
        loc="upper left",
        bbox_to_anchor=(0.845, 1 - top),
        frameon=False,
        title=words["ratio"],
        alignment="left",
        handlelength=1.5,
        handleheight=0.9,
        labelspacing=0.3,
        borderpad=0,
        borderaxespad=0,
    )
    legend.get_title().set_fontproperties(cjk_font(6.5))
