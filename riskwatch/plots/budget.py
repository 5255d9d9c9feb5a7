"""Alert budgets: warnings a week at every setting that was replayed, and what of the known hazards each still warned of in time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from riskwatch.plots.base import ALARM, BAR, INK, LIMIT, LINE, canvas, check, cjk_font, column, dress, legend

__all__ = ["budget_figure"]

_WORDS = {
    "zh": {
        "x": "设置（左严右宽）", "y": "每周预警（条）", "hazards": "及时预警的已知危害", "budget": "预算",
        "today": "现行", "chosen": "最接近",
        "events": "仅由记录的事件", "interval": "泊松区间", "none": "无已知危害清单",
    },
    "en": {
        "x": "setting (strict to loose)", "y": "warnings a week", "hazards": "known hazards warned of in time", "budget": "budget",
        "today": "today", "chosen": "nearest", "events": "by recorded events alone", "interval": "Poisson interval",
        "none": "no list of known hazards",
    },
}  # fmt: skip


def budget_figure(trials: pd.DataFrame, budget: float, *, language: str = "zh", width: float = 6.6) -> Figure:
    """Draw, at the left, warnings a week at each setting with their intervals; at the right, hazards warned of in time against them.

    Parameters
    ----------
    trials : DataFrame
        ``label`` (of the setting), ``per_week``, ``per_week_low``, ``per_week_high``, ``events_per_week``, ``hazards``, ``in_time``,
        ``today``, ``chosen`` (one each); strictest first.
    budget : float
        Warnings a week.
    language : {"zh", "en"}
    width : float
        Inches.

    Raises
    ------
    RiskwatchError
        If columns or rows are missing or the language is unknown.
    """
    wanted = ("label", "per_week", "per_week_low", "per_week_high", "events_per_week", "hazards", "in_time", "today", "chosen")
    check("budget_figure", trials, wanted, language)
    words = _WORDS[language]
    figure = canvas(width, 2.9)
    rate, low, high = (column(trials, name) for name in ("per_week", "per_week_low", "per_week_high"))
    at = list(range(len(trials)))
    marks = [(name, int(trials[name].to_numpy(dtype=bool).argmax())) for name in ("today", "chosen") if trials[name].any()]
    looks = {"today": ("s", INK), "chosen": ("o", ALARM)}

    left = figure.add_axes((0.075, 0.24, 0.47, 0.62))
    left.bar(at, column(trials, "events_per_week"), 0.7, color=BAR, linewidth=0)
    left.vlines(at, low, high, color=LINE, linewidth=1.0, alpha=0.6)
    left.plot(at, rate, color=LINE, linewidth=1.0, marker=".", markersize=4)
    left.axhline(budget, color=LIMIT, linewidth=0.9, linestyle="--")
    for name, place in marks:
        marker, colour = looks[name]
        left.plot([place], [rate[place]], marker=marker, markersize=7, markerfacecolor="none", markeredgecolor=colour, linestyle="none")
    left.set_xticks(at, trials["label"].astype(str).tolist())
    left.set_xlim(-0.6, len(trials) - 0.4)
    left.set_ylim(0, 1.06 * max(float(high.max()), budget))
    left.set_xlabel(words["x"])
    left.set_ylabel(words["y"])
    dress(left, grid="y")
    for label in left.get_xticklabels():
        label.set_rotation(40)
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")

    right = figure.add_axes((0.625, 0.24, 0.36, 0.62))
    total = column(trials, "hazards").max()
    if total > 0:
        share = column(trials, "in_time")
        order = rate.argsort(kind="stable")
        right.plot(rate[order], share[order], color=LINE, linewidth=1.0, marker=".", markersize=4)
        right.axvline(budget, color=LIMIT, linewidth=0.9, linestyle="--")
        for name, place in marks:
            marker, colour = looks[name]
            right.plot([rate[place]], [share[place]], marker=marker, markersize=7, markerfacecolor="none", markeredgecolor=colour)
        right.set_ylim(-0.04 * total, total * 1.04)
        right.set_xlim(0, 1.06 * max(float(rate.max()), budget))
        right.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        right.set_ylabel(f"{words['hazards']} (/ {total:.0f})")
    else:
        right.text(0.5, 0.5, words["none"], ha="center", va="center", transform=right.transAxes, fontproperties=cjk_font(7), color=INK)
        right.set_xticks([])
        right.set_yticks([])
    right.set_xlabel(words["y"])
    dress(right, grid="y")
    handles: list[object] = [
        Line2D([], [], color=LIMIT, linestyle="--", linewidth=0.9, label=words["budget"]),
        *(
            Line2D([], [], color=looks[n][1], marker=looks[n][0], markerfacecolor="none", linestyle="", markersize=6, label=words[n])
            for n, _ in marks
        ),
        Line2D([], [], color=LINE, linewidth=1.0, alpha=0.6, label=words["interval"]),
        Patch(color=BAR, label=words["events"]),
    ]
    legend(left, handles, columns=5, anchor=(0.0, 1.04))
    return figure
