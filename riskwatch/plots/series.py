"""The small chart of one series that goes into digests."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from riskwatch.errors import RiskwatchError
from riskwatch.plots.base import ALARM, BAR, INK, LIMIT, LINE, FloatArray, canvas, cjk_font
from riskwatch.plots.base import column as _column

__all__ = ["series_figure"]

_LEGEND = {
    "zh": {"observed": "观测", "expected": "预期", "upper": "上限", "alarm": "超限"},
    "en": {"observed": "observed", "expected": "expected", "upper": "limit", "alarm": "above limit"},
}


def series_figure(
    history: pd.DataFrame, *, language: str = "zh", rate: bool | None = None, width: float = 3.4, height: float = 1.0
) -> Figure:
    """Draw one series: bars observed, a line expected, a stepped upper limit, alarmed periods dark and marked.

    Parameters
    ----------
    history : DataFrame
        ``period_start`` (dates, ascending), ``observed``, and perhaps ``expected``, ``upper``, ``exposure`` and ``alarm``.
        Missing values leave gaps: missing is not zero.
    language : {"zh", "en"}
        Language of the labels.
    rate : bool, optional
        Draw counts over exposure, in percent. Default: if ``exposure`` holds any value.
    width, height : float
        Size in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot.

    Raises
    ------
    RiskwatchError
        If columns are missing, there is no period, or the language is unknown.
    """
    missing = [name for name in ("period_start", "observed") if name not in history]
    if missing:
        raise RiskwatchError(f"series_figure: history must have period_start and observed; missing: {', '.join(missing)}")
    if history.empty:
        raise RiskwatchError("series_figure: history must have at least one period, got none")
    if language not in _LEGEND:
        raise RiskwatchError(f"series_figure: language must be one of {', '.join(_LEGEND)}, got {language!r}")
    exposure = _column(history, "exposure")
    if rate is None:
        rate = bool(np.isfinite(exposure).any())
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(exposure > 0, 100.0 / exposure, np.nan) if rate else np.ones(len(history))
    observed, expected, upper = (_column(history, name) * scale for name in ("observed", "expected", "upper"))
    alarm = history["alarm"].fillna(value=False).to_numpy(dtype=bool) if "alarm" in history else observed > upper
    figure = canvas(width, height)
    # A fixed frame rather than a fitted one: charts stand below each other and must line up.
    left, below, above = 0.36 / width, 0.16 / height, 0.15 / height
    axes = figure.add_axes((left, below, 1 - left - 0.08 / width, 1 - below - above))
    _draw(axes, (observed, expected, upper), alarm, _LEGEND[language])
    _label(axes, pd.DatetimeIndex(history["period_start"]), percent=rate)
    return figure


def _draw(axes: Axes, lines: tuple[FloatArray, FloatArray, FloatArray], alarm: npt.NDArray[np.bool_], words: dict[str, str]) -> None:
    observed, expected, upper = lines
    x = np.arange(len(observed))
    handles: list[Artist | BarContainer] = [_bars(axes, x[~alarm], np.nan_to_num(observed[~alarm]), words["observed"])]
    if alarm.any():
        handles.append(
            axes.bar(
                x[alarm],
                np.nan_to_num(observed[alarm]),
                width=0.8,
                color=ALARM,
                hatch="////",
                edgecolor="white",
                label=words["alarm"],
                linewidth=0,
            )
        )
        axes.plot(x[alarm], np.nan_to_num(observed[alarm]), linestyle="none", marker="v", markersize=3, color=ALARM, clip_on=False)
    for values, colour, style, word in ((expected, LINE, "-", words["expected"]), (upper, LIMIT, "--", words["upper"])):
        if np.isfinite(values).any():
            # A single judged period has no line: a marker keeps it visible.
            marker = "_" if np.isfinite(values).sum() < 3 else ""
            handles += axes.plot(x, values, linestyle=style, color=colour, linewidth=0.9, marker=marker, markersize=4, label=word)
    finite = np.concatenate([values[np.isfinite(values)] for values in (observed, expected, upper)])
    top = float(finite.max()) if finite.size else 1.0
    axes.set_ylim(0, max(top, 1e-9) * 1.12)
    axes.set_xlim(-0.7, len(observed) - 0.3)
    axes.legend(
        handles=handles, prop=cjk_font(6.0), loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=4, frameon=False,
        borderpad=0, borderaxespad=0, handlelength=1.3, columnspacing=1.0, handletextpad=0.4,
    )  # fmt: skip


def _bars(axes: Axes, x: npt.NDArray[np.int_], height: FloatArray, word: str) -> PolyCollection:
    """Draw bars as one collection: a patch for each of some hundred periods takes longer than all the rest of a chart."""
    zero = np.zeros(len(x))
    corners = [(x - 0.4, zero), (x - 0.4, height), (x + 0.4, height), (x + 0.4, zero)]
    bars = PolyCollection(list(np.stack([np.column_stack(corner) for corner in corners], axis=1)), facecolors=BAR, linewidths=0, label=word)
    axes.add_collection(bars, autolim=False)
    return bars


def _label(axes: Axes, starts: pd.DatetimeIndex, *, percent: bool) -> None:
    places = sorted({0, len(starts) // 2, len(starts) - 1})
    axes.set_xticks(places, [starts[place].strftime("%Y-%m-%d") for place in places])
    ends: tuple[tuple[int, Literal["left", "right"]], ...] = ((0, "left"), (-1, "right"))
    for place, align in ends if len(places) > 1 else ():
        axes.get_xticklabels()[place].set_horizontalalignment(align)
    top = axes.get_ylim()[1] / 1.12
    axes.set_yticks([0, top], ["0", f"{top:.3g}%" if percent else f"{top:,.0f}" if top >= 10 else f"{top:.2g}"])
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontproperties(cjk_font(6.0))
        label.set_color(INK)
    axes.tick_params(length=2, width=0.5, pad=1.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.5)
