"""A replay as one self-contained HTML page, in Chinese or English."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from riskwatch.backtest.calibration import by_detector
from riskwatch.backtest.summary import Scored
from riskwatch.digest.privacy import guarded
from riskwatch.digest.render import css_string
from riskwatch.plots import calendar_figure, calibration_figure, lead_figure, reliability_figure, to_png

__all__ = ["HEADS", "WORDS", "calibration_section", "environment", "image", "reliability_section", "render_page", "table_section"]

WORDS = {
    "zh": {
        "title": "历史回放报告", "internal": "内部资料", "basis": "按各日当时已知数据回放；不改变任何预警",
        "simulated": "模拟数据：不得用于任何实际决定", "period": "回放区间", "days": "运行日", "pipeline": "流程", "made": "配置",
        "against": "对照配置", "counts": "计算量", "figures": "各项指标", "calendar": "每周新预警",
        "hazards": "已知危害的预警时间", "differences": "与对照配置逐条比较", "nothing": "无",
        "failed": "部分模型在某些日未能运行", "minutes": "工时系数未经核实（{source}，{dated}）",
        "new": "{new} 项检测为本次计算，共 {all} 项",
        "note": "首日已存在的预警不计为新预警。“始终单一”：从未得到第二类来源佐证，且无人处置；打开不足 {days} 天的不判断。",
        "change": "共 {gained} 条新增、{lost} 条消失、{earlier} 条提前、{later} 条推后、{grades} 条仅等级不同",
        "reliability": "置信度是否可信",
        "stated": "给出的置信度为打开时最强证据的 1 − q；实际为按结案原因判为属实的占比。区间低于虚线：说得过满。",
        "too_few": "可判断的结案仅 {closed} 条，少于 {enough} 条：尚不足以说明置信度是否可信。",
        "calibration": "模型是否名实相符", "level_of": "模型",
        "calibrated": "各回放日每个序列最新一期的 p 值不大于各名义水平的占比。高于虚线：报得过多，或其中有真实危害；"
        "低于虚线：偏保守，小计数的方法必然如此。同一期在多日被判断则多次计入，区间偏窄。",
    },
    "en": {
        "title": "Replay of past days", "internal": "Internal", "basis": "each day as it was known then; no warning is changed",
        "simulated": "SIMULATED DATA: for no real decision", "period": "Replayed", "days": "run days", "pipeline": "Pipeline",
        "made": "Definitions", "against": "against", "counts": "Computed", "figures": "Figures", "calendar": "New warnings by week",
        "hazards": "Known hazards: when they were warned of", "differences": "Against the other definitions, warning by warning",
        "nothing": "None.", "failed": "Some models failed on some days", "minutes": "Officer-minutes are not verified ({source}, {dated})",
        "new": "{new} of {all} detections now",
        "note": "Warnings that stood on the first day are not counted as new. Alone: never a second type of source, and nobody acted on "
        "it; those opened less than {days} days before the end are not judged.",
        "change": "{gained} gained, {lost} lost, {earlier} earlier, {later} later, {grades} of another level only",
        "reliability": "Can stated confidence be believed?",
        "stated": "Stated: 1 - q of the strongest evidence at the opening. Found: the share that people closed as true. "
        "An interval below the dotted line: too sure.",
        "calibration": "Do models keep their word?", "level_of": "model",
        "calibrated": "Share of the newest periods, on all replayed days, whose p-value is at or below a nominal level. Above the "
        "dotted line: too loud, or real hazards are among them; below: holding back, as methods of small counts must. A period judged on "
        "several days counts on each, so intervals are rather too narrow.",
        "too_few": "Only {closed} coded closures to judge by, fewer than {enough}: "
        "too few to say whether stated confidence can be believed.",
    },
}  # fmt: skip
HEADS = {
    "by": ("维度", "by"), "value": ("取值", "value"), "opened": ("新预警", "opened"), "per_week": ("每周", "per week"),
    "judged_alone": ("可判断", "judged"), "alone": ("始终单一", "alone"), "alone_share": ("单一占比", "share alone"),
    "delay_median": ("首次超出至预警中位天数", "median days from first excess"), "closed": ("已结案", "closed"), "right": ("属实", "right"),
    "precision": ("准确率", "precision"), "precision_low": ("下限", "low"), "precision_high": ("上限", "high"),
    "minutes_per_week": ("每周工时（分钟）", "officer-minutes a week"), "hazard": ("危害", "hazard"), "products": ("产品", "products"),
    "regions": ("地区", "regions"), "start": ("开始", "start"), "end": ("结束", "end"), "official": ("官方行动", "official action"),
    "warned": ("首次预警", "first warning"), "after_start_days": ("开始后天数", "days after start"), "lead_days": ("提前天数", "lead days"),
    "grade": ("等级", "level"), "warning_id": ("预警编号", "warning"), "change": ("变化", "change"), "name": ("名称", "name"),
    "place": ("地区", "place"), "grade_before": ("原等级", "level before"), "grade_after": ("现等级", "level after"),
    "first_day_before": ("原首日", "first day before"), "first_day_after": ("现首日", "first day after"),
    "days_earlier": ("提前天数", "days earlier"), "code": ("代码", "code"), "low": ("下界", "from"), "high": ("上界", "to"),
    "stated": ("平均给出", "stated, mean"), "share": ("属实占比", "share right"), "share_low": ("区间下限", "low"),
    "share_high": ("区间上限", "high"),
}  # fmt: skip
VALUES = {
    "zh": {
        "all": "全部", "centre": "中心", "model": "模型", "product": "产品", "grade": "等级", "events": "仅事件", "gained": "新增",
        "lost": "消失", "earlier": "提前", "later": "推后", "raised": "升级", "lowered": "降级",
    },
    "en": {"grade": "level", "events": "events alone"},
}  # fmt: skip


def render_page(
    scored: Scored,
    language: str,
    *,
    names: Callable[[str, str], str],
    against: tuple[Scored, pd.DataFrame] | None = None,
    simulated: bool = False,
    basis: tuple[str, str] | None = None,
    settle_days: int = 0,
    reliability: tuple[pd.DataFrame, int] | None = None,
    calibration: pd.DataFrame | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    scored : Scored
    language : {"zh", "en"}
    names : callable
        (dimension of the table, value) -> name for the reader.
    against : (Scored, DataFrame), optional
        The other replay and the differences.
    simulated : bool
        The data are made up.
    basis : (str, str), optional
        Source and day of the officer-minutes, where they were not verified.
    settle_days : int
    reliability : (DataFrame, int), optional
        :func:`riskwatch.backtest.reliability.reliability_table`, and the closures from which on it says something.
    calibration : DataFrame, optional
        :func:`riskwatch.backtest.calibration.calibration_table`.
    """
    words = WORDS[language]
    days = scored.replay.days
    other = against[0] if against is not None else None
    sections = [
        {
            "title": words["calendar"],
            "png": image(to_png(calendar_figure(scored.weeks, None if other is None else other.weeks, language=language))),
            "text": "",
            "heads": [],
            "rows": [],
        },
        table_section(words["figures"], _named(scored.table, names), language, text=words["note"].format(days=settle_days)),
        _hazards(scored, other, language),
    ]
    if against is not None:
        change = against[1]["change"].value_counts()
        counted = {name: int(change.get(name, 0)) for name in ("gained", "lost", "earlier", "later")}
        said = words["change"].format(**counted, grades=int(change.get("raised", 0) + change.get("lowered", 0)))
        sections.append(table_section(words["differences"], _differences(against[1], language), language, text=said))
    if reliability is not None:
        sections.append(reliability_section(reliability[0], language, enough=reliability[1]))
    if calibration is not None and len(calibration):
        sections.append(calibration_section(calibration, language, name=lambda model: names("model", model)))
    notes = [words["minutes"].format(source=basis[0], dated=basis[1])] if basis is not None else []
    if scored.replay.failed:
        models = sorted({model for failed in scored.replay.failed.values() for model in failed})
        notes.append(f"{words['failed']}: {', '.join(models)}")
    counts = scored.replay.counts
    templates = environment()
    css = Markup(templates.get_template("report.css.j2").render(running=css_string(words["title"])))  # noqa: S704 - escaped right there
    return templates.get_template("replay.html.j2").render(
        language=language,
        css=css,
        word=lambda key: words[key],
        first=days[0],
        last=days[-1],
        simulated=simulated,
        meta=[
            (words["period"], f"{days[0]} – {days[-1]} ({len(days)} {words['days']})"),
            (words["pipeline"], scored.replay.pipeline),
            (words["made"], scored.replay.name + (f" ({words['against']} {other.replay.name})" if other is not None else "")),
            (words["counts"], words["new"].format(new=sum(counts.new_detections.values()), all=counts.detections)),
        ],
        notes=notes,
        sections=sections,
    )


def _hazards(scored: Scored, other: Scored | None, language: str) -> dict[str, Any]:
    columns = ["hazard", "products", "regions", "start", "official", "warned", "after_start_days", "lead_days", "grade"]
    section = table_section(WORDS[language]["hazards"], scored.hazards[columns], language)
    if len(scored.hazards):
        drawn = lead_figure(scored.hazards, None if other is None else other.hazards, language=language)
        section["png"] = image(to_png(drawn))
    return section


def _named(table: pd.DataFrame, names: Callable[[str, str], str]) -> pd.DataFrame:
    columns = [name for name in table.columns if name not in {"judged_alone", "precision_low", "precision_high"}]
    return table[columns].assign(value=[names(by, value) for by, value in zip(table["by"], table["value"], strict=True)])


def _differences(frame: pd.DataFrame, language: str) -> pd.DataFrame:
    columns = ["change", "name", "code", "place", "grade_before", "grade_after", "first_day_before", "first_day_after", "days_earlier"]
    return frame.assign(name=frame[f"name_{language}"], place=frame[f"place_{language}"])[columns]


def reliability_section(table: pd.DataFrame, language: str, *, enough: int) -> dict[str, Any]:
    """Return the part of a page on stated confidence; it says plainly where there are too few closures to tell."""
    words = WORDS[language]
    closed = int(table["closed"].sum())
    said = [words["too_few"].format(closed=closed, enough=enough)] if closed < enough else []
    shown = table.assign(
        **{name: [f"{value:.4g}" for value in table[name]] for name in ("low", "high")},
        **{
            name: ["" if math.isnan(value) else f"{value:.1%}" for value in table[name]]
            for name in ("stated", "share", "share_low", "share_high")
        },
    )
    section = table_section(words["reliability"], shown, language, text=" ".join([*said, words["stated"]]))
    if closed:
        section["png"] = image(to_png(reliability_figure(table, language=language)))
    return section


def calibration_section(table: pd.DataFrame, language: str, *, name: Callable[[str], str]) -> dict[str, Any]:
    """Return the part of a page on p-values: a line for each detector in the picture, for each model in the table."""
    words = WORDS[language]
    wide = table.pivot_table(index=["model", "cells"], columns="nominal", values="realised", aggfunc="first").iloc[:, ::-1]
    rows = [
        [
            _cell(name(str(model)), language),
            _cell(int(cells), language),
            *({"text": f"{100 * share:.3g}%", "number": True} for share in shares),
        ]
        for (model, cells), shares in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return {
        "title": words["calibration"],
        "png": image(to_png(calibration_figure(by_detector(table), language=language, quiet=False))),
        "text": words["calibrated"],
        "heads": [
            words["level_of"],
            HEADS["judged_alone"][0 if language == "zh" else 1],
            *(f"≤ {100 * level:g}%" for level in wide.columns),
        ],
        "rows": rows,
    }


def table_section(title: str, frame: pd.DataFrame, language: str, text: str = "") -> dict[str, Any]:
    """Return a part of a page that is a table with a text above it."""
    heads = [HEADS[str(name)][0 if language == "zh" else 1] for name in frame.columns]
    rows = [[_cell(value, language) for value in row] for row in frame.itertuples(index=False, name=None)]
    return {"title": title, "png": "", "text": text, "heads": heads, "rows": rows}


def _cell(value: object, language: str) -> dict[str, object]:
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT:
        return {"text": "", "number": True}
    if isinstance(value, dt.date):
        return {"text": value.isoformat()[:10], "number": False}
    if isinstance(value, (int, float)):
        return {"text": f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}", "number": True}
    text = str(value)
    return {"text": guarded(VALUES[language].get(text, text)), "number": False}


def image(content: bytes) -> str:
    """Return a picture as it stands in a page."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates of replays, with the style of reports."""
    loaders: Sequence[PackageLoader] = (PackageLoader("riskwatch.backtest", "templates"), PackageLoader("riskwatch.reports", "templates"))
    return Environment(loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
