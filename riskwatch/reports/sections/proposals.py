"""12 措施建议: what is proposed to whom by when, from the measures of the open warnings; for firms, products, industries and regions."""

from __future__ import annotations

import pandas as pd

from riskwatch.reports.inputs import Input
from riskwatch.reports.model import Text
from riskwatch.reports.sections.helpers import enumerate_names, grade_word
from riskwatch.reports.sections.systemic import ORDER
from riskwatch.reports.writer import Words, Writer, both

__all__ = ["write"]

OBJECTS = (
    ("enterprise", "（一）对企业", "Enterprises"),
    ("product", "（二）对产品", "Products"),
    ("industry", "（三）对行业", "Industries"),
    ("region", "（四）对地区", "Regions"),
    ("reporting", "（五）报告与审批", "Reporting and approval"),
)


def write(writer: Writer) -> None:
    """Write the measures, one table for each kind of object, grouped so that one measure for many subjects is one row."""
    source = writer.need(writer.inputs.actions, "措施建议", "proposed measures")
    if source is None:
        return
    warnings = writer.inputs.warnings
    if not isinstance(warnings, Input):
        writer.need(warnings, "预警", "warnings")
        return
    known = warnings.frame.set_index("warning_id")
    frame = source.frame[source.frame["warning_id"].isin(known.index)]
    writer.say(
        "以下 {n} 项措施由 {m} 条在控预警按处置规则提出，均为建议，须经负责人批准；时限从建议级别提出或确认之日起算，"
        "“–”表示起算事件尚未发生。",
        "The {n} measures below follow from {m} open warnings by the rules of handling. All are proposals that a responsible"
        " person approves; clocks run from"
        " the day the level was proposed or confirmed, and “–” means that the start has not happened yet.",
        n=writer.count_of(len(frame), both("建议措施数", "proposed measures"), source),
        m=writer.count_of(frame["warning_id"].nunique(), both("提出措施的预警数", "warnings with measures"), source),
    )
    for key, zh, en in OBJECTS:
        rows = frame[frame["object"] == key]
        if rows.empty:
            continue
        writer.part(zh, en)
        _table(writer, source, rows, known, both(f"{zh[3:]}的措施", f"Measures: {en.lower()}"))


def _table(writer: Writer, source: Input, rows: pd.DataFrame, known: pd.DataFrame, title: Text) -> None:
    groups = []
    for (measure, _), part in rows.groupby(["measure_zh", "measure_en"], sort=True):
        ids = part["warning_id"].unique().tolist()
        days = pd.to_datetime(part["due_on"]).dropna()
        grade = min((str(known.loc[one, "grade"]) for one in ids), key=lambda name: ORDER.get(name, 9))
        groups.append((ORDER.get(grade, 9), days.min() if len(days) else pd.Timestamp.max, str(measure), grade, part, ids))
    groups.sort(key=lambda group: group[:3])
    shown = groups[: writer.inputs.rules.rows]
    subjects = []
    owners = []
    for *_, part, ids in shown:
        codes = known.loc[ids, ["kind", "code"]].drop_duplicates()
        subjects.append(enumerate_names([writer.name(row.kind, row.code) for row in codes.itertuples()], 3))
        pairs = part[["owner_zh", "owner_en"]].drop_duplicates()
        owners.append(_offices(pairs))
    writer.table(
        title,
        [
            Words(both("最高级别", "highest level"), [grade_word(writer, group[3]) for group in shown], 1.8),
            Words(
                both("措施", "measure"),
                [both(str(group[4]["measure_zh"].iloc[0]), str(group[4]["measure_en"].iloc[0])) for group in shown],
                3.2,
            ),
            Words(both("对象", "subjects"), subjects, 3.0),
            Words(both("责任单位", "owner"), owners, 2.2),
            Words(both("最早时限", "first due"), [_due(group[1]) for group in shown], 1.3),
            Words(both("依据", "basis"), [_basis(group[4]) for group in shown], 2.6),
        ],
        [f"{place + 1}" for place in range(len(shown))],
        source,
        note=writer.line("“◐”表示条文尚未核对原文。", "“◐” marks provisions whose text has not been checked.")
        if not rows["verified"].fillna(value=True).astype(bool).all()
        else None,
    )


def _offices(pairs: pd.DataFrame) -> Text:
    """Name the office once where many places share a measure: the place in brackets is left out."""
    if len(pairs) == 1:
        return both(str(pairs["owner_zh"].iloc[0]), str(pairs["owner_en"].iloc[0]))
    zh = list(dict.fromkeys(str(text).partition("（")[0] for text in pairs["owner_zh"]))
    en = list(dict.fromkeys(str(text).partition(" (")[0] for text in pairs["owner_en"]))
    return both("、".join(zh[:2]) + f"（{len(pairs)} 地）", ", ".join(en[:2]) + f" ({len(pairs)} places)")


def _due(day: pd.Timestamp) -> Text:
    text = "–" if day == pd.Timestamp.max else day.date().isoformat()
    return both(text, text)


def _basis(part: pd.DataFrame) -> Text:
    row = part.iloc[0]
    if not row["law_zh"]:
        return both("–", "–")
    mark = "" if bool(row["verified"]) else " ◐"
    return both(f"{row['law_zh']}{mark}", f"{row['law_en']}{mark}")
