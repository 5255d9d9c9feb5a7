"""Choropleth maps: a colour for each class of value, hatching where there is no data, dots where the samples are few.

Missing is never drawn in the colour of low values. Line features of an outline file (boundary lines of the sea, say) are always drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from riskwatch.errors import RiskwatchError
from riskwatch.plots.base import INK, FloatArray, bare, canvas, cjk_font, display_width

__all__ = ["class_bounds", "map_figure", "middle_of", "outline_rings"]

_ORANGES = ("#fde9d0", "#fbbf85", "#f08c47", "#cc5216", "#7f2704")
_WORDS = {
    "zh": {"none": "无数据", "small": "样本少于 {n}，仅供参考"},
    "en": {"none": "no data", "small": "fewer than {n} samples\n(for information)"},
}


def class_bounds(values: FloatArray, classes: int = 5) -> FloatArray:
    """Return rising bounds of classes of about equal size, rounded so that a legend can be read: one more than there are classes.

    Parameters
    ----------
    values : array of float
        NaN is left out; at least one finite value.
    classes : int
        At most so many; fewer where values repeat.
    """
    finite = np.sort(values[np.isfinite(values)])
    if not finite.size:
        raise RiskwatchError("class_bounds: at least one value must be finite, got none")
    low, high = float(finite[0]), float(finite[-1])
    width = high - low
    if width <= 0:
        return np.array([low, low + max(abs(low) * 0.01, 1e-9)])
    step = 10.0 ** np.floor(np.log10(width / classes))
    inner = np.round(np.quantile(finite, np.linspace(0, 1, classes + 1))[1:-1] / step) * step
    bounds = [np.floor(low / step) * step, *inner.tolist(), np.ceil(high / step + 1e-9) * step]
    return np.unique(np.round(np.asarray(bounds, dtype=np.float64), 12))


def map_figure(
    features: Iterable[Mapping[str, object]],
    values: Mapping[str, float],
    *,
    code_property: str = "adcode",
    labels: Mapping[str, str] | None = None,
    small: Collection[str] = (),
    small_n: int = 0,
    language: str = "zh",
    title: str = "",
    note: str = "",
    unit: str = "%",
    scale: float = 100.0,
    width: float = 6.4,
) -> Figure:
    """Draw a choropleth map.

    Parameters
    ----------
    features : iterable of GeoJSON features
        Polygons, multi-polygons and lines, in degrees.
    values : mapping of code to float
        A code without a value, or with NaN, is hatched as "no data".
    code_property : str
        Property that holds the code.
    labels : mapping of code to str, optional
        Written in the middle of each polygon.
    small : collection of codes
        Dotted: their values rest on fewer than ``small_n`` samples.
    language : {"zh", "en"}
    title, note : str
        Title of the legend, and what stands under the map.
    unit, scale : str, float
        Values are multiplied by ``scale`` and labelled with ``unit``.
    width : float
        Inches; the height follows from the outlines.

    Raises
    ------
    RiskwatchError
        If there is no polygon, or the language is unknown.
    """
    if language not in _WORDS:
        raise RiskwatchError(f"map_figure: language must be one of {', '.join(_WORDS)}, got {language!r}")
    words = _WORDS[language]
    shapes, lines = _read(features, code_property)
    if not shapes:
        raise RiskwatchError("map_figure: the outlines must have at least one polygon, got none")
    everything = np.concatenate([ring for _, rings in shapes for ring in rings] + lines)
    (west, south), (east, north) = everything.min(axis=0), everything.max(axis=0)
    stretch = 1 / float(np.cos(np.deg2rad((south + north) / 2)))
    map_width = width * 0.74
    height = float(np.clip(map_width * (north - south) * stretch / (east - west), 2.2, 5.6)) + 0.3
    figure = canvas(width, height)
    axes = figure.add_axes((0.0, 0.22 / height, 0.74, 1 - 0.27 / height))
    shown = {code: scale * value for code, value in values.items() if np.isfinite(value)}
    drawn = np.array([shown[code] for code, _ in shapes if code in shown], dtype=np.float64)
    bounds = class_bounds(drawn) if drawn.size else np.array([0.0, 1.0])
    colours = (
        [_ORANGES[place] for place in np.linspace(0, len(_ORANGES) - 1, len(bounds) - 1).round().astype(int)]
        if len(bounds) > 2
        else [_ORANGES[1]]
    )
    for code, rings in shapes:
        _fill(axes, rings, shown.get(code), bounds, colours, few=code in small)
    for line in lines:
        axes.plot(line[:, 0], line[:, 1], color=INK, linewidth=0.9, solid_capstyle="round")
    # A name is written where it has room; the tables name the rest.
    inch = map_width / (1.04 * (east - west))
    for code, rings in shapes if labels else ():
        name = (labels or {}).get(code, "")
        if name:
            dark = code in shown and colours[_class(shown[code], bounds, colours)] in _ORANGES[3:]
            _write(axes, name, rings, room=inch, dark=dark)
    axes.set_aspect(stretch)
    axes.set_xlim(west - 0.02 * (east - west), east + 0.02 * (east - west))
    axes.set_ylim(south - 0.02 * (north - south), north + 0.02 * (north - south))
    bare(axes)
    _explain(
        figure,
        bounds,
        colours,
        words,
        title=title,
        unit=unit,
        few=small_n if small else 0,
        gaps=any(code not in shown for code, _ in shapes),
    )
    if note:
        figure.text(0.01, 0.06 / height, note, fontproperties=cjk_font(5.5), color="#555555", va="bottom")
    return figure


def outline_rings(features: Iterable[Mapping[str, object]], code_property: str = "adcode") -> dict[str, list[FloatArray]]:
    """Return the rings of each polygon of a code, arrays of shape (point, 2) in degrees."""
    rings: dict[str, list[FloatArray]] = {}
    for code, parts in _read(features, code_property)[0]:
        rings.setdefault(code, []).extend(parts)
    return rings


def _read(features: Iterable[Mapping[str, object]], code_property: str) -> tuple[list[tuple[str, list[FloatArray]]], list[FloatArray]]:
    """Return (code, rings) of each polygon feature and the points of each line."""
    shapes: list[tuple[str, list[FloatArray]]] = []
    lines: list[FloatArray] = []
    for feature in features:
        geometry = cast("Mapping[str, Any]", feature.get("geometry") or {})
        properties = cast("Mapping[str, Any]", feature.get("properties") or {})
        kind, places = geometry.get("type"), geometry.get("coordinates") or ()
        if kind in {"LineString", "MultiLineString"}:
            lines += [_points(line) for line in ([places] if kind == "LineString" else places)]
        elif kind in {"Polygon", "MultiPolygon"}:
            parts = [places] if kind == "Polygon" else places
            shapes.append((str(properties.get(code_property, "")), [_points(ring) for part in parts for ring in part]))
    return shapes, lines


def _points(ring: Sequence[Sequence[float]]) -> FloatArray:
    return np.asarray([point[:2] for point in ring], dtype=np.float64)


def _fill(axes: Axes, rings: list[FloatArray], value: float | None, bounds: FloatArray, colours: list[str], *, few: bool) -> None:
    # One compound path: a hole stays a hole.
    path = Path.make_compound_path(*(Path(ring, closed=True) for ring in rings))
    if value is None:
        axes.add_patch(PathPatch(path, facecolor="white", edgecolor="#9aa3ad", hatch="//////", linewidth=0))
    else:
        place = _class(value, bounds, colours)
        axes.add_patch(PathPatch(path, facecolor=colours[place], edgecolor="#555555", hatch="...." if few else None, linewidth=0))
    axes.add_patch(PathPatch(path, facecolor="none", edgecolor="#777777", linewidth=0.4))


def _class(value: float, bounds: FloatArray, colours: list[str]) -> int:
    return int(np.clip(np.searchsorted(bounds, value, side="right") - 1, 0, len(colours) - 1))


def _write(axes: Axes, name: str, rings: list[FloatArray], *, room: float, dark: bool) -> None:
    x, y, wide = _middle(max(rings, key=_area))
    if wide * room < display_width(name) * 5.5 / 72 / 2 * 1.05:
        return
    text = axes.text(x, y, name, ha="center", va="center", fontproperties=cjk_font(5.5), color="white" if dark else INK)
    if not dark:
        text.set_path_effects([withStroke(linewidth=1.4, foreground="white", alpha=0.8)])


def middle_of(rings: Sequence[FloatArray]) -> tuple[float, float]:
    """Return a point within the largest of the rings, near its centroid."""
    x, y, _ = _middle(max(rings, key=_area))
    return x, y


def _area(ring: FloatArray) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))) / 2


def _middle(ring: FloatArray) -> tuple[float, float, float]:
    """Return the middle of the longest stretch inside the ring at the height of its centroid, always within it, and its length."""
    x, y = ring[:, 0], ring[:, 1]
    after_x, after_y = np.roll(x, -1), np.roll(y, -1)
    cross = x * after_y - after_x * y
    total = float(cross.sum())
    height = float(((y + after_y) * cross).sum() / (3 * total)) if total else float(y.mean())
    crossing = (y <= height) != (after_y <= height)
    if not crossing.any():
        return float(x.mean()), height, 0.0
    run = (height - y[crossing]) / (after_y[crossing] - y[crossing])
    cuts = np.sort(x[crossing] + run * (after_x[crossing] - x[crossing]))
    widths = cuts[1::2] - cuts[: len(cuts) // 2 * 2 : 2]
    best = int(np.argmax(widths))
    return float(cuts[2 * best] + widths[best] / 2), height, float(widths[best])


def _explain(
    figure: Figure, bounds: FloatArray, colours: list[str], words: Mapping[str, str], *, title: str, unit: str, few: int, gaps: bool
) -> None:
    digits = 0 if float(np.min(np.diff(bounds))) >= 1 else 1 if float(np.min(np.diff(bounds))) >= 0.1 else 2
    handles = [
        Patch(facecolor=colour, edgecolor="#777777", linewidth=0.4, label=f"{low:.{digits}f}–{high:.{digits}f}{unit}")
        for low, high, colour in zip(bounds[:-1], bounds[1:], colours, strict=True)
    ][::-1]
    if few:
        handles.append(Patch(facecolor=colours[0], edgecolor="#555555", hatch="....", linewidth=0, label=words["small"].format(n=few)))
    if gaps:
        handles.append(Patch(facecolor="white", edgecolor="#9aa3ad", hatch="//////", linewidth=0, label=words["none"]))
    legend = figure.legend(
        handles=handles,
        prop=cjk_font(6.5),
        loc="lower left",
        bbox_to_anchor=(0.735, 0.08),
        frameon=False,
        title=title or None,
        alignment="left",
        handlelength=1.6,
        handleheight=1.1,
        labelspacing=0.45,
    )
    legend.get_title().set_fontproperties(cjk_font(7.0))
