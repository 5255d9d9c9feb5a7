"""A map of power as a table and one self-contained HTML page, in Chinese or English."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from riskwatch.backtest.page import environment, image
from riskwatch.backtest.power import SIZES, PowerMap
from riskwatch.digest.render import css_string
from riskwatch.plots import power_figure, to_png
from riskwatch.runner.context import RunContext

__all__ = ["render_power", "write_power"]

WORDS = {
    "zh": {
        "title": "检出能力", "internal": "内部资料", "basis": "在真实历史中注入给定规模的异常；不改变任何预警", "nothing": "无",
        "simulated": "模拟数据：不得用于任何实际决定", "outbreak": "注入异常", "as_of": "数据截至", "map": "各类序列的检出比例",
        "said": "为平常的 {effect:g} 倍，持续 {days} 天", "table": "明细", "left": "未检验的模型：{names}",
        "note": "发现：出现了若无注入便不会有的报警；原本已报警的不计。天数：自异常首日至报警所在时期结束，加上模型的等待天数。"
        "只看模型本身，未计入当日全部检验的误发现控制。",
    },
    "en": {
        "title": "What models find", "internal": "Internal", "basis": "outbreaks put into real history; no warning is changed",
        "nothing": "None.", "simulated": "SIMULATED DATA: for no real decision", "outbreak": "Outbreak", "as_of": "Data as of",
        "map": "Share found, by kind of series", "said": "{effect:g} times the usual, for {days} days", "table": "Figures",
        "left": "Models not tested: {names}",
        "note": "Found: an alarm that would not have come without it; series that alarmed anyway are not counted. Days: from its first day "
        "to the end of the period that alarmed, plus the model's waiting. Of the model alone: the control of false discoveries over "
        "all tests of a day comes on top.",
    },
}  # fmt: skip
HEADS = {
    "label": ("模型与层级", "model and level"), "size": ("每期预期", "expected in a period"), "series": ("序列", "series"),
    "trials": ("次数", "trials"), "judged_share": ("可判别", "judged"), "power": ("发现", "found"),
    "interval": ("95% 区间", "95 % interval"),
    "days_median": ("中位天数", "median days"), "anyway_share": ("原本报警", "alarmed anyway"),
}  # fmt: skip
_LEVELS = {
    "product": ("产品", "product"), "category": ("类别", "category"), "prefecture": ("市州", "prefecture"), "county": ("县", "county"),
    "province": ("省", "province"), "division": ("行业大类", "division"), "industry": ("行业", "industry"), "region": ("地区", "region"),
    "all": ("合计", "all"),
}  # fmt: skip


def write_power(ctx: RunContext, found: PowerMap, folder: Path, language: str) -> list[Path]:
    """Write ``power.csv`` and ``power.<language>.html``; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page, table = folder / f"power.{language}.html", folder / "power.csv"
    names = {name: getattr(model.label, language) for name, model in ctx.definitions.models.items()}
    page.write_text(render_power(found, names, language, simulated=ctx.definitions.settings.simulated), encoding="utf-8")
    found.table.to_csv(table, index=False)
    return [page, table]


def render_power(found: PowerMap, names: dict[str, str], language: str, *, simulated: bool) -> str:
    """Return the page; ``names``: what readers call the models."""
    words, which = WORDS[language], 0 if language == "zh" else 1
    labels = [f"{names[str(model)]} · {_level(str(level), which)}" for model, level in found.table[["model", "level"]].to_numpy()]
    table = found.table.assign(label=labels)
    drawn = power_figure(table, tuple(label for _, label in SIZES), language=language)
    env = environment()
    css = Markup(env.get_template("report.css.j2").render(running=css_string(words["title"])))  # noqa: S704 - escaped right there
    left = "; ".join(f"{name} ({why})" for name, why in found.left_out.items())
    sections = [
        {"title": words["map"], "png": image(to_png(drawn)), "text": words["note"], "heads": [], "rows": []},
        {"title": words["table"], "png": "", "text": "", "heads": [pair[which] for pair in HEADS.values()], "rows": _rows(table)},
    ]
    return env.get_template("replay.html.j2").render(
        language=language,
        css=css,
        word=lambda key: words[key],
        first=found.as_of,
        last=words["said"].format(effect=found.outbreak.effect, days=found.outbreak.days),
        simulated=simulated,
        meta=[
            (words["outbreak"], words["said"].format(effect=found.outbreak.effect, days=found.outbreak.days)),
            (words["as_of"], str(found.as_of)),
        ],
        notes=[words["left"].format(names=left)] if left else [],
        sections=sections,
    )


def _level(level: str, which: int) -> str:
    parts = [part.split(" ")[-1] for part in level.split(", ")]
    return ("×" if which == 0 else " × ").join(_LEVELS.get(part, (part, part))[which] for part in parts)


def _rows(table: pd.DataFrame) -> list[list[dict[str, object]]]:
    def share(value: float) -> str:
        return "" if math.isnan(value) else f"{value:.0%}"

    rows: list[list[dict[str, object]]] = []
    for row in table.to_dict("records"):
        interval = "" if math.isnan(row["power"]) else f"{row['power_low']:.0%}–{row['power_high']:.0%}"
        days = "" if math.isnan(row["days_median"]) else f"{row['days_median']:.0f}"
        figures = [f"{row['series']:,}", f"{row['trials']:,}", share(row["judged_share"]), share(row["power"]), interval, days]
        texts = [{"text": str(row[name]), "number": False} for name in ("label", "size")]
        rows.append([*texts, *({"text": text, "number": True} for text in (*figures, share(row["anyway_share"])))])
    return rows
