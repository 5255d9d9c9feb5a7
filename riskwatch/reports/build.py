"""Build a report: header, one writer per section, the traces."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from riskwatch.digest.names import Namer
from riskwatch.reports.inputs import ReportInputs
from riskwatch.reports.model import Header, Report, Section, Text, Trace
from riskwatch.reports.rules import SECTIONS
from riskwatch.reports.sections import (
    appendix,
    cases,
    handling,
    indicators,
    industries,
    outlook,
    overall,
    products,
    proposals,
    regions,
    sources,
    summary,
    systemic,
)
from riskwatch.reports.writer import Writer, both

__all__ = ["build_report"]

_WRITERS: dict[str, tuple[Text, Callable[[Writer], None]]] = {
    "summary": (both("摘要", "Summary"), summary.write),
    "sources": (both("数据来源与覆盖", "Data sources and coverage"), sources.write),
    "overall": (both("总体形势", "Overall situation"), overall.write),
    "products": (both("重点产品", "Key products"), products.write),
    "industries": (both("重点行业", "Key industries"), industries.write),
    "regions": (both("重点地区", "Key regions"), regions.write),
    "systemic": (both("系统性风险研判", "Systemic risk"), systemic.write),
    "cases": (both("典型案例", "Typical cases"), cases.write),
    "handling": (both("预警与处置效果", "Warnings and how they were handled"), handling.write),
    "indicators": (both("宏观指标与目标差距", "Macro indicators and targets"), indicators.write),
    "outlook": (both("下期预测与重点", "Outlook"), outlook.write),
    "proposals": (both("措施建议", "Proposed measures"), proposals.write),
    "appendix": (both("附录：方法、参数与版本", "Appendix: methods, parameters, versions"), appendix.write),
}


def build_report(inputs: ReportInputs, *, languages: Sequence[str] = ("zh", "en"), issued: dt.date | None = None) -> Report:
    """Return the report of a period.

    Parameters
    ----------
    inputs : ReportInputs
        Frames, names and rules.
    languages : sequence of str
        Pictures are drawn for these; texts always hold both.
    issued : date, optional
        Day of issue; default: the as-of day. The clock is never read.

    Notes
    -----
    Section numbers, and with them the ids of traces, are those of the full list of sections: a report without some sections keeps the
    ids of the others.
    """
    rules = inputs.rules.periods[inputs.period.kind]  # type: ignore[index] # ReportPeriod.kind is one of the three, and rules hold all three
    traces: list[Trace] = []
    sections: list[Section] = []
    for key in rules.sections:
        title, write = _WRITERS[key]
        writer = Writer(inputs, tuple(languages), key, SECTIONS.index(key) + 1, title, traces)
        write(writer)
        sections.append(writer.section())
    region = Namer(inputs.trees).region(inputs.region) if inputs.region else None
    return Report(
        header=Header(
            title=both(rules.title.zh, rules.title.en),
            project=inputs.project,
            region=inputs.region,
            region_name=both(region.zh, region.en) if region else both("全部地区", "all regions"),
            period=inputs.period.key,
            period_name=inputs.period.name,
            first=inputs.period.first,
            last=inputs.period.last,
            as_of=inputs.as_of,
            issued=issued or inputs.as_of,
            simulated=inputs.simulated,
            version=inputs.version,
            definitions=inputs.definitions,
            languages=tuple(languages),
        ),
        sections=tuple(sections),
        traces=tuple(traces),
    )
