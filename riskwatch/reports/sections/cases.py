"""8 典型案例: some open warnings told without names: what, where, how much against what was expected, and what is proposed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from riskwatch.reports.inputs import Input
from riskwatch.reports.model import Text
from riskwatch.reports.numbers import is_missing
from riskwatch.reports.sections.helpers import grade_word
from riskwatch.reports.sections.overall import SELECTIONS
from riskwatch.reports.sections.systemic import ORDER, SCOPES
from riskwatch.reports.writer import Field, Writer, both

__all__ = ["write"]


def write(writer: Writer) -> None:
    """Write the cases: the most urgent warnings, one for each subject, those with figures first."""
    source = writer.need(writer.inputs.warnings, "典型案例", "typical cases")
    if source is None:
        return
    frame = source.frame
    ranked = frame.assign(rank=frame["grade"].map(ORDER), bare=frame["observed"].isna()).sort_values(
        ["rank", "bare", "code", "warning_id"], ignore_index=True
    )
    chosen = ranked[~ranked["bare"]].drop_duplicates(["kind", "code"]).head(writer.inputs.rules.cases)
    if chosen.empty:
        writer.note(
            "在控预警均由单起事件触发，没有可讲述的统计案例。",
            "All open warnings rest on single events: there is no statistical case to tell.",
            tone="info",
        )
        return
    writer.note(
        "案例不含企业与个人名称；企业结果依法公布之前仅供内部使用。",
        "Cases name neither firms nor persons; results of firms are internal until they are lawfully published.",
    )
    for number, row in enumerate(chosen.to_dict("records"), start=1):
        _case(writer, source, number, row)


def _case(writer: Writer, source: Input, number: int, row: Mapping[Hashable, object]) -> None:
    name, place = writer.name(str(row["kind"]), row["code"]), writer.name("region", row["region"])
    writer.part("案例{number}　{name}（{place}）", "Case {number}: {name} ({place})", number=str(number), name=name, place=place)
    rate = not is_missing(row["exposure"])
    kind = "count" if rate else "persons"
    fields: dict[str, Field] = {
        "grade": grade_word(writer, str(row["grade"])),
        "scope": both(*SCOPES[str(row["scope"])]),
        "first": str(row["first_seen"])[:10],
        "start": str(row["period_start"])[:10],
        "end": str(row["period_end"])[:10],
    }
    fields["observed"] = writer.figure(row["observed"], "persons" if kind == "persons" else "count", both("观测数", "observed"), source)
    fields["expected"] = writer.figure(
        row["expected"], "count", both("预期数", "expected"), source, method=both("模型给出的预期", "expected by the model")
    )
    if rate:
        fields["stratum"] = _stratum(row["stratum"])
        fields["n"] = writer.figure(row["exposure"], "count", both("抽查批次", "samples"), source)
        writer.say_with(
            "{start} 至 {end}，{stratum}抽查 {n} 批次，不合格 {observed} 批次，按以往水平预期 {expected} 批次；建议级别 {grade}，范围"
            " {scope}，首次发现于 {first}。",
            "From {start} to {end} {observed} of {n} {stratum}samples failed where {expected} were expected from the past; proposed level"
            " {grade}, scope {scope},"
            " first seen on {first}.",
            fields,
        )
    else:
        writer.say_with(
            "{start} 至 {end}，监测到 {observed} 例，按以往水平预期 {expected} 例；建议级别 {grade}，范围 {scope}，首次发现于 {first}。",
            "From {start} to {end} {observed} cases were seen where {expected} were expected from the past; proposed level"
            " {grade}, scope {scope}, first seen"
            " on {first}.",
            fields,
        )
    actions = writer.inputs.actions
    if isinstance(actions, Input) and len(actions.frame):
        own = actions.frame[actions.frame["warning_id"] == row["warning_id"]].drop_duplicates("measure_zh").head(3)
        if len(own):
            told = both(
                "；".join(f"{one.owner_zh}——{one.measure_zh}" for one in own.itertuples()),
                "; ".join(f"{one.owner_en}: {one.measure_en}" for one in own.itertuples()),
            )
            writer.say("建议：{list}。", "Proposed: {list}.", list=told)


def _stratum(text: object) -> Text:
    """Return how the samples were chosen, as a word before "samples": rates of targeted samples are high by design."""
    parts = dict(part.strip().partition("=")[::2] for part in str(text or "").split(",") if "=" in part)
    found = SELECTIONS.get(parts.get("selection", ""))
    return both(found[0], f"{found[1]} ") if found else both("", "")
