"""9 预警与处置效果: warnings raised and lifted, how long they stay open, whether orders are closed in time, and firms that fail again."""

from __future__ import annotations

import pandas as pd

from riskwatch.reports.sections.helpers import floats, grade_word
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["write"]

GRADES = ("I", "II", "III", "IV")
EVENTS = {"new": ("新增", "new"), "worsened": ("加重", "worsened"), "eased": ("降级", "eased"), "recovered": ("解除", "recovered")}
GROUPS = {
    "inspected": ("本期被抽查的生产企业", "producers inspected in the period"),
    "failed": ("本期有不合格的企业", "with a failure in the period"),
    "repeat": ("近一年两批次以上不合格的企业", "with two failures or more within a year"),
    "recheck-failed": ("近一年复查仍不合格的企业", "failed again at a recheck within a year"),
    "overdue": ("改正或复查逾期的企业", "with a correction or recheck overdue"),
    "worse-class": ("建议信用等级下调的企业", "proposed for a lower credit class"),
    "candidate": ("符合严重违法失信名单条件、待审核的企业", "candidates for the list of serious violators, to be examined"),
}


def write(writer: Writer) -> None:
    """Write warnings, closure and enterprises."""
    writer.part("（一）预警", "Warnings")
    _events(writer)
    writer.part("（二）处置时效与闭环", "Timeliness and closure")
    _closure(writer)
    writer.part("（三）企业（仅计数）", "Enterprises (counts only)")
    _enterprises(writer)


def _events(writer: Writer) -> None:
    inputs = writer.inputs
    source, events = writer.need(inputs.warnings, "在控预警", "open warnings"), inputs.events
    if source is None:
        return
    frame = source.frame
    days = (pd.Timestamp(inputs.period.last) - pd.to_datetime(frame["first_seen"])).dt.days
    found = writer.need(events, "预警变动", "changes of warnings")
    if found is not None:
        kinds = found.frame["kind"].astype(str).value_counts()
        figures = {
            name: writer.count_of(int(kinds.get(name, 0)), both(f"本期{zh}次数", f"{en} in the period"), found)
            for name, (zh, en) in EVENTS.items()
        }
        writer.say(
            "本期新增预警 {new} 条、加重 {worsened} 次、降级 {eased} 次、解除 {recovered} 条。",
            "In the period {new} warnings were opened, {worsened} times one worsened, {eased} times one eased, and {recovered} recovered.",
            new=figures["new"],
            worsened=figures["worsened"],
            eased=figures["eased"],
            recovered=figures["recovered"],
        )
    long = days > 60
    writer.say(
        "期末在控 {n} 条，中位数已持续 {median} 天；{long} 条已超过 60 天，应逐条核对整改与复查进度。",
        "{n} are open at the end of the period, for a median of {median} days; {long} for more than 60 days: go through"
        " correction and recheck one by one.",
        n=writer.count_of(len(frame), both("期末在控预警数", "open warnings"), source),
        median=writer.figure(
            float(days.median()),
            "days",
            both("在控天数中位数", "median days open"),
            source,
            method=both("期末日减首次发现日的中位数", "median of last day minus first seen"),
        ),
        long=writer.count_of(int(long.sum()), both("在控超过 60 天的预警数", "warnings open for more than 60 days"), source),
    )
    counts = [frame[frame["grade"] == grade] for grade in GRADES]
    writer.table(
        both("期末在控预警", "Open warnings at the end of the period"),
        [
            Words(both("建议级别", "proposed level"), [grade_word(writer, grade) for grade in GRADES], 1.8),
            Numbers(both("在控", "open"), [float(len(rows)) for rows in counts], "count"),
            Numbers(
                both("其中本期新增", "of them new in the period"),
                [float((pd.to_datetime(rows["first_seen"]) >= pd.Timestamp(inputs.period.first)).sum()) for rows in counts],
                "count",
            ),
            Numbers(both("系统性", "systemic"), [float((rows["scope"] == "systemic").sum()) for rows in counts], "count"),
        ],
        list(GRADES),
        source,
    )


def _closure(writer: Writer) -> None:
    source = writer.need(writer.inputs.closure, "处置闭环", "closure of orders")
    if source is None:
        return
    frame = source.frame
    due, closed = float(floats(frame, "due").sum()), float(floats(frame, "closed_in_time").sum())
    writer.say(
        "截至期末近一年责令改正 {orders} 起，复查期限已到期 {due} 起，其中期限内复查合格 {closed} 起，占 {share}。"
        "其余 {open} 起应由所在地局逐件说明。",
        "Of {orders} orders to correct of the year up to the period's end the term for the recheck has ended in {due}; {closed} of them"
        " passed a recheck in time, {share}. For each of the {open} others the local bureau should account.",
        orders=writer.figure(float(floats(frame, "orders").sum()), "count", both("责令改正数", "orders to correct"), source),
        due=writer.figure(due, "count", both("已到期数", "orders due"), source),
        closed=writer.figure(closed, "count", both("按时办结数", "closed in time"), source),
        share=writer.figure(
            closed / due if due else None,
            "share",
            both("按时办结率", "share closed in time"),
            source,
            method=both("按时办结 ÷ 已到期", "closed in time over due"),
        ),
        open=writer.figure(
            due - closed,
            "count",
            both("到期未按时办结数", "due and not closed in time"),
            source,
            method=both("已到期 − 按时办结", "due minus closed in time"),
        ),
    )


def _enterprises(writer: Writer) -> None:
    source = writer.need(writer.inputs.enterprises, "企业统计", "counts of enterprises")
    if source is None:
        return
    frame = source.frame
    groups = [both(*GROUPS.get(str(group), (str(group),) * 2)) for group in frame["group"]]
    counts = dict(zip(frame["group"].astype(str), floats(frame, "enterprises").tolist(), strict=True))
    if "recheck-failed" in counts and "failed" in counts:
        writer.say(
            "本期有不合格的生产企业 {failed} 家；近一年复查仍不合格的 {again} 家，应依法公告并逐级加严。企业名单仅在系统内查看。",
            "{failed} producers had a failure in the period; {again} failed again at a recheck within the last year and should be"
            " announced and escalated as the law provides. The list of names stays within the system.",
            failed=writer.figure(counts["failed"], "count", both("本期有不合格的企业数", "producers with a failure"), source),
            again=writer.figure(
                counts["recheck-failed"], "count", both("近一年复查仍不合格的企业数", "producers failing a recheck"), source
            ),
        )
    writer.table(
        both("企业", "Enterprises"),
        [Words(both("类别", "group"), groups, 3.0), Numbers(both("企业数", "enterprises"), floats(frame, "enterprises").tolist(), "count")],
        frame["group"].astype(str).tolist(),
        source,
    )
