"""7 系统性风险研判: concerns that reach beyond one firm, items shared by many products, and cells that look unlike the rest."""

from __future__ import annotations

from riskwatch.reports.model import Text
from riskwatch.reports.numbers import is_missing
from riskwatch.reports.sections.helpers import enumerate_names, floats, grade_word
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["SCOPES", "write"]

SCOPES = {
    "isolated": ("个案", "isolated"),
    "regional": ("区域性", "regional"),
    "industry-wide": ("行业性", "industry-wide"),
    "systemic": ("系统性", "systemic"),
}
ORDER = {"I": 0, "II": 1, "III": 2, "IV": 3}
MANY_PRODUCTS = 3


def write(writer: Writer) -> None:
    """Write scope, shared items and anomalies."""
    writer.part("（一）区域性、行业性和系统性问题", "Regional, industry-wide and systemic concerns")
    _scopes(writer)
    writer.part("（二）跨产品的共同不合格项目", "Items that fail in many products")
    _shared(writer)
    writer.part("（三）异常识别", "Anomalies")
    _anomalies(writer)


def _scopes(writer: Writer) -> None:
    source = writer.need(writer.inputs.warnings, "预警的影响范围", "scope of the warnings")
    if source is None:
        return
    frame = source.frame
    wide = frame[frame["scope"].isin(["systemic", "industry-wide", "regional"])]
    systemic = wide[wide["scope"] == "systemic"]
    writer.say(
        "{total} 条在控预警中，系统性 {systemic} 条、行业性 {industry} 条、区域性 {regional} 条。",
        "Of {total} open warnings {systemic} are systemic, {industry} industry-wide and {regional} regional.",
        total=writer.count_of(len(frame), both("在控预警数", "open warnings"), source),
        systemic=writer.count_of(len(systemic), both("系统性预警数", "systemic warnings"), source),
        industry=writer.count_of(int((frame["scope"] == "industry-wide").sum()), both("行业性预警数", "industry-wide warnings"), source),
        regional=writer.count_of(int((frame["scope"] == "regional").sum()), both("区域性预警数", "regional warnings"), source),
    )
    for hazard, rows in systemic.groupby(systemic["hazard"].astype(str), sort=True):
        if len(rows) < 2:
            continue
        words = writer.inputs.hazards.get(str(hazard), both(str(hazard) or "未知", str(hazard) or "unknown"))
        writer.say(
            "同一危害“{hazard}”同时出现在 {n} 个对象：{list}。可能有共同的原料、部件或工艺，建议召开质量分析会，由省局牵头追溯上游。",
            "One hazard, {hazard}, shows in {n} subjects at once: {list}. A shared material, part or process is possible: call a"
            " quality analysis meeting,"
            " and let the provincial bureau trace the supply upstream.",
            style="bullet",
            hazard=words,
            n=writer.count_of(len(rows), both(f"危害“{words.zh}”的系统性预警数", f"systemic warnings with hazard {words.en}"), source),
            list=enumerate_names([writer.name(row.kind, row.code) for row in rows.itertuples()], 8),
        )
    if wide.empty:
        return
    shown = wide.assign(rank=wide["grade"].map(ORDER), far=wide["scope"].map({"systemic": 0, "industry-wide": 1, "regional": 2}))
    shown = shown.sort_values(["rank", "far", "code", "warning_id"], ignore_index=True).head(writer.inputs.rules.rows)
    writer.table(
        both("影响范围超出个案的预警", "Warnings that reach beyond one case"),
        [
            Words(both("建议级别", "proposed level"), [grade_word(writer, str(grade)) for grade in shown["grade"]], 1.5),
            Words(both("范围", "scope"), [both(*SCOPES[str(scope)]) for scope in shown["scope"]], 1.2),
            Words(both("对象", "subject"), [writer.name(row.kind, row.code) for row in shown.itertuples()], 2.8),
            Words(both("地区", "place"), [writer.name("region", code) for code in shown["region"]], 1.6),
            Numbers(both("观测", "observed"), floats(shown, "observed").tolist(), "count"),
            Numbers(both("预期", "expected"), floats(shown, "expected").tolist(), "count"),
            Numbers(both("基数", "of"), floats(shown, "exposure").tolist(), "count"),
        ],
        shown["warning_id"].astype(str).tolist(),
        source,
    )


def _shared(writer: Writer) -> None:
    source = writer.need(writer.inputs.items, "共同不合格项目", "shared failing items")
    if source is None:
        return
    frame = source.frame
    shared = frame[floats(frame, "products") >= MANY_PRODUCTS].sort_values(["products", "item"], ascending=[False, True])
    if shared.empty:
        writer.say("没有一个项目同时在三个以上产品中不合格。", "No item fails in three products or more.")
        return
    top = shared.iloc[0]
    writer.say(
        "{n} 个项目在三个以上产品中不合格，“{item}”涉及 {products} 个产品、{failing} 批次：宜从共同的原料、供应商和标准理解入手。",
        "{n} items fail in three products or more; {item} concerns {products} products and {failing} samples: look at shared"
        " materials, suppliers and the"
        " reading of the standard.",
        n=writer.count_of(len(shared), both("三个以上产品共同不合格的项目数", "items failing in three products or more"), source),
        item=str(top["item"]),
        products=writer.figure(top["products"], "count", both("该项目涉及产品数", "products concerned"), source),
        failing=writer.figure(top["failing"], "count", both("该项目不合格批次", "samples failing the item"), source),
    )


def _anomalies(writer: Writer) -> None:
    source = writer.need(writer.inputs.anomalies, "异常识别", "anomalies")
    if source is None:
        return
    frame = source.frame.sort_values(["q_value", "score"], ascending=[True, False], ignore_index=True)
    sure = frame[floats(frame, "q_value") < writer.inputs.rules.q_value]
    writer.say(
        "错误发现率低于 {q} 的异常 {n} 项。异常只说明与其他不同，原因须人工核实。",
        "{n} anomalies lie below a false-discovery rate of {q}. An anomaly says that something is unlike the rest; the cause is"
        " for persons to find.",
        q=f"{writer.inputs.rules.q_value:g}",
        n=writer.count_of(len(sure), both("异常项数", "anomalies"), source),
    )
    shown = (sure if len(sure) else frame).head(writer.inputs.rules.rows)
    writer.table(
        both("异常（把握从大到小）", "Anomalies, most certain first"),
        [
            Words(both("产品", "product"), [_or_dash(writer, "product", code) for code in shown["product"]], 2.0),
            Words(both("地区", "region"), [_or_dash(writer, "region", code) for code in shown["region"]], 1.8),
            Words(both("主要因素", "drivers"), [both(str(row.drivers_zh), str(row.drivers_en)) for row in shown.itertuples()], 3.6),
            Numbers(both("得分", "score"), floats(shown, "score").tolist(), "plain"),
            Numbers(both("错误发现率", "q"), floats(shown, "q_value").tolist(), "q"),
        ],
        [f"{place + 1}" for place in range(len(shown))],
        source,
    )


def _or_dash(writer: Writer, kind: str, code: object) -> Text:
    return both("–", "–") if is_missing(code) or not str(code) else writer.name(kind, code)
