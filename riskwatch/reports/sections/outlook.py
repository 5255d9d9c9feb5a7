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
    writer.part("（四）下期抽样建议", "Where the next samples tell most")
    _sampling(writer)


def _forecasts(writer: Writer) -> None:
    source = writer.need(writer.inputs.trends, "趋势预测", "forecasts")
    if source is None:
        return
    frame = source.frame.assign(code=source.frame["code"].astype(str), kind=source.frame["kind"].astype(str))
    likely = frame[floats(frame, "probability") >= 0.8].sort_values(["probability", "code"], ascending=[False, True])
    writer.say(
        "按现有趋势，不合格率水平很可能（概率不低于 80%）越过警戒水平的有 {n} 项；警戒水平由配置给定（见附录参数"
        " trends.thresholds），通常为一年前水平的若干倍。预测只延伸过去，不计入未知的变化。",
        "By the present trends the level of {n} is likely (a probability of 80% or more) to pass its threshold, which the configuration"
        " states (trends.thresholds in the appendix), commonly a multiple of the level of a year before. A forecast only extends the past.",
        n=writer.count_of(len(likely), both("很可能越过警戒水平的项数", "series likely to pass the threshold"), source),
    )
    shown = (likely if len(likely) else frame.sort_values(["probability", "code"], ascending=[False, True])).head(writer.inputs.rules.rows)
    writer.table(
        both("下期预测", "Forecasts of the next period"),
        [
            Words(both("类别", "kind"), [both(*KINDS.get(kind, (kind, kind))) for kind in shown["kind"]], 1.0),
            Words(both("对象", "subject"), [writer.name(row.kind, row.code) for row in shown.itertuples()], 2.8),
            Numbers(both("现水平", "now"), floats(shown, "level_now").tolist(), "share"),
            Numbers(both("下期单期预测", "forecast of one period"), floats(shown, "forecast").tolist(), "share"),
            Numbers(
                both("预测区间", "interval"),
                floats(shown, "forecast_lower").tolist(),
                "share",
                upper=floats(shown, "forecast_upper").tolist(),
                width=1.5,
            ),
            Numbers(both("警戒水平", "threshold"), floats(shown, "threshold").tolist(), "share"),
            Numbers(both("越过概率", "probability"), floats(shown, "probability").tolist(), "probability"),
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


def _sampling(writer: Writer) -> None:
    source = writer.need(writer.inputs.sampling, "抽样建议", "advice on sampling")
    if source is None:
        return
    frame = source.frame.head(writer.inputs.rules.rows)
    writer.say(
        "按已知的不合格率及其不确定性、产品重要程度和未抽查情况，下期样品在下列产品与地区最有价值。这是建议，不替代抽查计划；"
        "期望不合格数按后验均值计，区间宽的正是所知甚少之处。",
        "By what is known of failure rates and how surely, the weight of products and where nothing was sampled, the next samples tell most"
        " in these products and places. It is advice and no plan; expected failures are by the posterior mean, and a wide interval marks"
        " a cell of which little is known.",
    )
    writer.table(
        both("下期样品最有价值之处", "Where the next samples tell most"),
        [
            Words(both("产品", "product"), [writer.name("product", code) for code in frame["product"]], 2.2),
            Words(both("地区", "region"), [writer.name("region", code) for code in frame["region"]], 1.6),
            Numbers(both("建议批次", "samples"), floats(frame, "n").tolist(), "count"),
            Numbers(both("期望不合格", "failures expected"), floats(frame, "expected_failures").tolist(), "plain"),
            Numbers(both("估计率", "rate"), floats(frame, "rate").tolist(), "share"),
            Numbers(both("区间", "interval"), floats(frame, "lower").tolist(), "share", upper=floats(frame, "upper").tolist(), width=1.4),
            Numbers(both("已有可比样品", "known samples"), floats(frame, "inspected").tolist(), "count"),
        ],
        [f"{row.product}|{row.region}" for row in frame.itertuples()],
        source,
    )
