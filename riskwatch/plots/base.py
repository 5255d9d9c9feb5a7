"""What the charts share: a font with Chinese glyphs, colours, an empty figure, axes without clutter, and PNG bytes without metadata."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pylopdf_fonts_zh_cn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from riskwatch.errors import RiskwatchError

__all__ = [
    "ALARM",
    "BAR",
    "DPI",
    "GRID",
    "INK",
    "LIMIT",
    "LINE",
    "PALE",
    "Chart",
    "FloatArray",
    "bare",
    "canvas",
    "check",
    "cjk_font",
    "column",
    "display_width",
    "dress",
    "legend",
    "spread",
    "to_png",
]

FloatArray = npt.NDArray[np.float64]

BAR, ALARM, LINE, LIMIT, INK = "#b8c4d0", "#b3261e", "#1f4e79", "#8a6d00", "#333333"
GRID, PALE = "#dfe3e8", "#f3f5f7"
DPI = 200


@lru_cache(maxsize=8)
def cjk_font(size: float = 6.5) -> FontProperties:
    """Return Noto Sans SC at ``size`` points, by path: neither the system's fonts nor matplotlib's global list are touched."""
    return FontProperties(fname=str(pylopdf_fonts_zh_cn.sans_path()), size=size)


def check(name: str, frame: pd.DataFrame, columns: Iterable[str], language: str) -> None:
    """Refuse a frame without rows or columns, or an unknown language.

    Raises
    ------
    RiskwatchError
        Naming the figure, the rule and what was found.
    """
    needed = list(columns)
    missing = [entry for entry in needed if entry not in frame]
    if missing:
        raise RiskwatchError(f"{name}: the frame must have {', '.join(needed)}; missing: {', '.join(missing)}")
    if frame.empty:
        raise RiskwatchError(f"{name}: the frame must have at least one row, got none")
    if language not in {"zh", "en"}:
        raise RiskwatchError(f"{name}: language must be one of zh, en, got {language!r}")


def column(frame: pd.DataFrame, name: str) -> FloatArray:
    """Return a column as floats; NaN where it is missing, or absent as a whole."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def display_width(text: str) -> int:
    """Return about how many half-width columns a text takes: two for a Chinese character."""
    return sum(2 if ord(char) > 0x2E7F else 1 for char in text)


class Chart(Figure):
    """A figure that a notebook shows by itself, without pyplot and whatever its backend: with the bytes that a digest would hold."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return PNG bytes and the size on the screen, in pixels: 110 to an inch, so that DPI serves sharp screens."""
        width, height = self.get_size_inches()
        return to_png(self), {"width": round(110 * width), "height": round(110 * height)}


def canvas(width: float, height: float) -> Figure:
    """Return an empty white figure of a size in inches, not registered with pyplot."""
    figure = Chart(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def dress(axes: Axes, *, size: float = 6.5, grid: str = "") -> None:
    """Set the font of everything written on ``axes``, drop the frame above and to the right, and draw a pale grid along "x" or "y"."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.5)
        axes.spines[side].set_color(INK)
    axes.tick_params(length=2, width=0.5, pad=2, colors=INK)
    texts: Sequence[Text] = (*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label)
    for text in texts:
        text.set_fontproperties(cjk_font(size))
        text.set_color(INK)
    if grid in {"x", "y"}:
        (axes.xaxis if grid == "x" else axes.yaxis).grid(visible=True, color=GRID, linewidth=0.5)
        axes.set_axisbelow(True)


def bare(axes: Axes) -> None:
    """Leave nothing of the frame."""
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])


def legend(axes: Axes, handles: Sequence[object], *, columns: int = 4, anchor: tuple[float, float] = (0.0, 1.01)) -> None:
    """Put a frameless legend above ``axes``."""
    axes.legend(
        handles=list(handles),
        prop=cjk_font(6.5),
        loc="lower left",
        bbox_to_anchor=anchor,
        ncols=columns,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.8,
        columnspacing=1.2,
        handletextpad=0.5,
    )


def spread(places: FloatArray, gap: float) -> FloatArray:
    """Move places apart until neighbours lie at least ``gap`` from each other, keeping their order and, nearly, their middle.

    The usual pool-adjacent-violators pass on ``places - rank * gap``: the least-squares answer, the same every time.
    """
    order = np.argsort(places, kind="stable")
    wanted = places[order] - gap * np.arange(len(places))
    blocks: list[tuple[float, int]] = []
    for value in wanted.tolist():
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before, size = blocks.pop()
            total, count = total + before, count + size
        blocks.append((total, count))
    level = np.concatenate([np.full(count, total / count) for total, count in blocks]) if blocks else np.empty(0)
    moved = np.empty(len(places))
    moved[order] = level + gap * np.arange(len(places))
    return moved


def to_png(figure: Figure) -> bytes:
    """Return ``figure`` as PNG bytes without metadata: the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context({"savefig.bbox": None, "hatch.linewidth": 0.6}):
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
