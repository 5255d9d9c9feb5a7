"""1 摘要: what a reader must know who reads nothing else."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.reports.inputs import Input, Missing
from riskwatch.reports.sections.helpers import enumerate_names, floats, grade_word
from riskwatch.reports.sections.rates import overall_rate
from riskwatch.reports.writer import Writer, both

__all__ = ["write"]

GRADES = ("I", "II", "III", "IV")


def write(writer: Writer) -> None:
    """Write the summary: level, change, what stands out, warnings, what is due, and what this report cannot say."""
    _level(writer)
    _standing_out(writer)
    _injuries(writer)
    _warnings(writer)
    _due(writer)
    _limits(writer)


def _level(writer: Writer) -> None:
    source = writer.inputs.overall
    if not isinstance(source, Input) or source.frame.empty:
        return
    now = source.frame.iloc[0]
    writer.say(
        "总体：{period}{place}随机抽查 {n} 批次，不合格 {failed} 批次，不合格率 {rate}（区间 {span}）。",
        "Overall: in {period} {n} random samples in {place} gave {failed} failures, a failure rate of {rate} (interval {span}).",
        style="bullet",
        period=writer.inputs.period.name,
        place=writer.place,
        n=writer.figure(now["inspected"], "count", both("本期随机抽查批次", "random samples of the period"), source),
        failed=writer.figure(now["failed"], "count", both("本期不合格批次", "failed samples of the period"), source),
        rate=writer.figure(now["rate"], "share", both("本期随机抽查不合格率", "failure rate of random samples"), source),
        span=writer.figure(
            now["lower"], "share", both("本期不合格率区间", "interval of that rate"), source, upper=now["upper"], is_interval=True
        ),
    )
    past = source.frame[source.frame["period"].astype(str) == "last-year"]
    if len(past) and pd.notna(past["change"].iloc[0]):
        row = past.iloc[0]
        like = "within" if pd.notna(row["within"]) else "change"
        clear = row[f"{like}_lower"] > 0 or row[f"{like}_upper"] < 0
        zh = "上升" if row[like] > 0 else "下降"
        en = "rose" if row[like] > 0 else "fell"
        verdict_zh = f"明显{zh}" if clear else "变化不明显（区间含零）"
        verdict_en = f"{en} clearly" if clear else "did not change clearly (the interval contains zero)"
        basis_zh, basis_en = ("同口径", ", like for like,") if like == "within" else ("", "")
        writer.say(
            f"同比：{basis_zh}不合格率{verdict_zh}，变化 {{change}} 个百分点（区间 {{span}}）"
            + ("；另有 {mix} 个百分点来自抽样结构。" if like == "within" else "，未分离抽样结构的影响。"),
            f"Year on year the failure rate{basis_en} {verdict_en}: {{change}} percentage points (interval {{span}})"
            + ("; {mix} points more come from what was sampled." if like == "within" else "; the mix is not separated."),
            style="bullet",
            change=writer.figure(row[like], "points", both("不合格率同比变化", "change of the failure rate over a year"), source),
            span=writer.figure(
                row[f"{like}_lower"],
                "points",
                both("同比变化区间", "interval of the change"),
                source,
                upper=row[f"{like}_upper"],
                is_interval=True,
            ),
            mix=writer.figure(row["mix"], "points", both("同比变化中抽样结构部分", "part of the change from the mix"), source)
            if like == "within"
            else "",
        )


def _standing_out(writer: Writer) -> None:
    for kind, zh, en, source in (
        ("product", "产品", "Products", writer.inputs.rates_product),
        ("industry", "行业", "Industries", writer.inputs.rates_industry),
        ("region", "地区", "Regions", writer.inputs.rates_region),
    ):
        if not isinstance(source, Input) or source.frame.empty:
            continue
        frame = source.frame
        overall = overall_rate(frame) or 0.0
        enough = floats(frame, "inspected") >= writer.inputs.rules.small.min_inspected
        above = frame[(floats(frame, "lower") > overall) & enough].sort_values(["lower", "code"], ascending=[False, True])
        if above.empty:
            continue
        first = above.iloc[0]
        name = writer.name(kind, first["code"])
        others = enumerate_names([writer.name(kind, code) for code in above["code"].iloc[1:4]])
        more = len(above) > 1
        writer.say(
            f"{zh}：{{name}}最为突出，不合格率 {{rate}}（区间 {{span}}，n={{n}}），总体为 {{overall}}"
            + ("；其次为{others}。" if more else "。"),
            f"{en}: {{name}} stands out most, {{rate}} (interval {{span}}, n={{n}}) against {{overall}} overall"
            + ("; then {others}." if more else "."),
            style="bullet",
            name=name,
            others=others,
            rate=writer.figure(first["rate"], "share", both(f"{name.zh}不合格率", f"failure rate of {name.en}"), source),
            span=writer.figure(
                first["lower"], "share", both(f"{name.zh}区间", f"interval of {name.en}"), source, upper=first["upper"], is_interval=True
            ),
            n=writer.figure(first["inspected"], "count", both(f"{name.zh}抽查批次", f"samples of {name.en}"), source),
            overall=writer.figure(overall, "share", both("总体不合格率", "overall failure rate"), source),
        )


def _injuries(writer: Writer) -> None:
    source = writer.inputs.injuries
    if not isinstance(source, Input) or source.frame.empty:
        return
    frame = source.frame
    total = writer.figure(float(floats(frame, "count").sum()), "persons", both("本期产品伤害人数", "persons injured in the period"), source)
    rising = frame[floats(frame, "lower") > 1].sort_values(["lower", "code"], ascending=[False, True])
    if rising.empty:
        writer.say(
            "伤害：监测到产品伤害 {n} 人次，没有一类明显多于上年同期。",
            "Injuries: {n} persons; no category clearly above the same period of last year.",
            style="bullet",
            n=total,
        )
        return
    first = rising.iloc[0]
    name = writer.name("product", first["code"])
    writer.say(
        "伤害：监测到产品伤害 {n} 人次；{name}为上年同期的 {ratio} 倍（区间 {span}），增加最为确定。",
        "Injuries: {n} persons; {name} at {ratio} times last year's (interval {span}) is the most certain increase.",
        style="bullet",
        n=total,
        name=name,
        ratio=writer.figure(first["ratio"], "ratio", both(f"{name.zh}同比之比", f"{name.en}: ratio to last year"), source),
        span=writer.figure(
            first["lower"],
            "ratio",
            both(f"{name.zh}之比的区间", f"interval of that ratio, {name.en}"),
            source,
            upper=first["upper"],
            is_interval=True,
        ),
    )


def _warnings(writer: Writer) -> None:
    source = writer.inputs.warnings
    if not isinstance(source, Input):
        return
    frame = source.frame
    if frame.empty:
        writer.say("预警：期末没有在控预警。", "Warnings: none is open at the end of the period.", style="bullet")
        return
    total = writer.count_of(len(frame), both("期末在控预警数", "open warnings at the end of the period"), source)
    parts_zh, parts_en, fields = [], [], {}
    for grade in GRADES:
        count = int((frame["grade"] == grade).sum())
        if count:
            word = grade_word(writer, grade)
            fields[f"n_{grade}"] = writer.count_of(count, both(f"{word.zh}在控预警数", f"open warnings, {word.en}"), source)
            parts_zh.append(f"{word.zh} {{n_{grade}}} 条")
            parts_en.append(f"{{n_{grade}}} {word.en}")
    worst = next(grade for grade in GRADES if (frame["grade"] == grade).any())
    subjects = enumerate_names(
        [writer.name(row.kind, row.code) for row in frame[frame["grade"] == worst].drop_duplicates("code").itertuples()], 4
    )
    writer.say(
        "预警：期末在控预警 {total} 条，其中" + "、".join(parts_zh) + "；最高级别涉及：{subjects}。级别均为建议，发布须经人工审批。",
        "Warnings: {total} are open at the end of the period, " + ", ".join(parts_en) + "; the highest level concerns {subjects}."
        " All levels are proposals; release is decided by persons.",
        style="bullet",
        total=total,
        subjects=subjects,
        **fields,
    )


def _due(writer: Writer) -> None:
    source = writer.inputs.actions
    if not isinstance(source, Input) or source.frame.empty:
        return
    frame = source.frame
    due = pd.to_datetime(frame["due_on"])
    day = pd.Timestamp(writer.inputs.period.last)
    soon = frame[due <= day + dt.timedelta(days=30)]
    late = writer.count_of(
        int((due < day).sum()), both("期末前已到期的建议措施数", "proposed measures due before the end of the period"), source
    )
    writer.say(
        "办理：建议措施中，{late} 项的建议时限已在期末前届满，{soon} 项须在期末后 30 日内办结，清单见“措施建议”。",
        "To do: {late} proposed measures were due before the end of the period and {soon} fall due within the 30 days after it;"
        " the list is under"
        " “Proposed measures”.",
        style="bullet",
        late=late,
        soon=writer.count_of(
            len(soon) - int((due < day).sum()), both("期末后 30 日内到期的措施数", "measures due within 30 days after the period"), source
        ),
    )


def _limits(writer: Writer) -> None:
    inputs = writer.inputs
    names = {
        "rates_region": ("地区比较", "comparison of regions"),
        "rates_product": ("产品比较", "comparison of products"),
        "rates_industry": ("行业比较", "comparison of industries"),
        "change_region": ("同口径变化", "like-for-like change"),
        "coverage_region": ("抽查覆盖", "coverage"),
        "trends": ("趋势与预测", "trends and forecasts"),
        "anomalies": ("异常识别", "anomalies"),
        "indicators": ("宏观指标", "macro indicators"),
        "closure": ("处置闭环", "closure"),
    }
    lacking = [both(*words) for name, words in names.items() if isinstance(getattr(inputs, name), Missing)]
    if lacking:
        writer.note(
            "本期报告未能包括：{list}；原因见各节。",
            "Not part of this report: {list}; each section says why.",
            tone="caution",
            list=enumerate_names(lacking, 12),
        )
    silent = inputs.sources.frame if isinstance(inputs.sources, Input) else None
    if silent is not None and _gone(silent).any():
        rows = silent[_gone(silent)]
        writer.note(
            "以下来源无数据或未能读取，相关结论不能视为平安：{list}。",
            "These sources were silent or could not be read; nothing said about them is an all clear: {list}.",
            tone="caution",
            list=enumerate_names([both(str(row.name_zh), str(row.name_en)) for row in rows.itertuples()]),
        )
    if not writer.blocks:
        writer.note("本期没有可供汇总的数据。", "There are no data to summarise for this period.", tone="missing")


def _gone(frame: pd.DataFrame) -> pd.Series[bool]:
    """Tell which sources fell silent or could not be read; one that never had a record has not begun."""
    return (frame["state"] == "failed") | ((frame["state"] == "silent") & (floats(frame, "records") > 0))
