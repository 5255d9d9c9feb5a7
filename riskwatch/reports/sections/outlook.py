"""11 下期预测与重点: what the trends foretell, what the calendar and new standards bring, and what to watch."""

from __future__ import annotations

import pandas as pd

from riskwatch.reports.inputs import Input
from riskwatch.reports.sections.helpers import enumerate_names, floats
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["write"]

KINDS = {
    "product": ("产品", "product"),
    "industry": ("行业", "industry"),
    "region": ("地区", "region"),
}
EVENTS = {
    "holiday": ("节假日", "holiday"),
    "campaign": ("专项活动", "campaign"),
    "season": ("季节", "season"),
    "standard": ("标准实施", "standard in force"),
}


def write(writer: Writer) -> None:
    """Write forecasts, the calendar and the list of what to watch."""
    writer.part("（一）预测", "Forecasts")
    _forecasts(writer)
    writer.part("（二）下期的节点", "Dates of the next period")
    _calendar(writer)
    writer.part("（三）下期重点", "What to watch")
    _watch(writer)


def _forecasts(writer: Writer) -> None:
    source = writer.need(writer.inputs.trends, "趋势预测", "forecasts")
    if source is None:
        return
    frame = source.frame.assign(code=source.frame["code"].astype(str), kind=source.frame["kind"].astype(str))
    likely = frame[floats(frame, "probability") >= 0.8].sort_values(["probability", "code"], ascending=[False, True])
    writer.say(
        "按现有趋势，下期不合格率很可能（概率不低于 80%）高于现水平的有 {n} 项。预测只延伸过去，不计入未知的变化。",
        "By the present trends {n} are likely (a probability of 80% or more) to be worse in the next period than now. A forecast"
        " only extends the past.",
        n=writer.count_of(len(likely), both("很可能变差的项数", "series likely to be worse"), source),
    )
    shown = (likely if len(likely) else frame.sort_values(["probability", "code"], ascending=[False, True])).head(writer.inputs.rules.rows)
    writer.table(
        both("下期预测", "Forecasts of the next period"),
        [
            Words(both("类别", "kind"), [both(*KINDS.get(kind, (kind, kind))) for kind in shown["kind"]], 1.0),
            Words(both("对象", "subject"), [writer.name(row.kind, row.code) for row in shown.itertuples()], 2.8),
            Numbers(both("现水平", "now"), floats(shown, "level_now").tolist(), "share"),
            Numbers(both("下期预测", "forecast"), floats(shown, "forecast").tolist(), "share"),
            Numbers(both("年变化", "a year"), floats(shown, "slope_percent_per_year").tolist(), "yearly"),
            Numbers(both("变差概率", "probability worse"), floats(shown, "probability").tolist(), "probability"),
        ],
        [f"{row.kind}:{row.code}" for row in shown.itertuples()],
        source,
    )


def _calendar(writer: Writer) -> None:
    source = writer.need(writer.inputs.outlook, "下期节点", "dates of the next period")
    if source is None:
        return
    frame = source.frame.sort_values(["date", "name_en"], ignore_index=True)
    for row in frame.itertuples():
        writer.say(
            "{date}　{kind}：{name}",
            "{date}  {kind}: {name}",
            style="bullet",
            date=str(pd.Timestamp(str(row.date)).date()),
            kind=both(*EVENTS.get(str(row.kind), (str(row.kind),) * 2)),
            name=both(str(row.name_zh), str(row.name_en)),
        )


def _watch(writer: Writer) -> None:
    inputs = writer.inputs
    reasons: dict[tuple[str, str], list[tuple[str, str]]] = {}
    if isinstance(inputs.warnings, Input):
        for row in inputs.warnings.frame.itertuples():
            if row.grade in {"I", "II"}:
                reasons.setdefault((str(row.kind), str(row.code)), []).append(("在控一、二级预警", "open warning of level I or II"))
    if isinstance(inputs.trends, Input):
        frame = inputs.trends.frame
        rising = frame[(floats(frame, "slope_percent_per_year") > 0) & (floats(frame, "q_value") < inputs.rules.q_value)]
        for row in rising.itertuples():
            reasons.setdefault((str(row.kind), str(row.code)), []).append(("持续变差", "steadily worse"))
    if isinstance(inputs.injuries, Input):
        frame = inputs.injuries.frame
        for row in frame[floats(frame, "lower") > 1].itertuples():
            reasons.setdefault(("product", str(row.code)), []).append(("伤害多于上年同期", "more injuries than last year"))
    if not reasons:
        writer.note("没有依据列出下期重点对象。", "There is no ground to name what to watch.", tone="info")
        return
    ordered = sorted(reasons.items(), key=lambda entry: (-len(set(entry[1])), entry[0]))[: writer.inputs.rules.rows]
    for (kind, code), why in ordered:
        unique = list(dict.fromkeys(why))
        writer.say(
            "{name}（{why}）",
            "{name} ({why})",
            style="bullet",
            name=writer.name(kind, code),
            why=enumerate_names([both(*one) for one in unique]),
        )
