"""The few words that the renderers add to what the report says."""

from __future__ import annotations

from riskwatch.errors import RiskwatchError
from riskwatch.reports.model import Report, Run, Text, Trace

__all__ = ["TONES", "check_language", "meta", "refs", "section_title", "trace_rows", "word"]

_WORDS = {
    "internal": Text(zh="内部资料　注意保管", en="Internal: keep safe"),
    "simulated": Text(
        zh="模拟数据：本报告由模拟数据生成，仅供演示，不得作为执法或处置依据",
        en="SIMULATED DATA: made from simulated records for demonstration; no basis for enforcement or action",
    ),
    "period": Text(zh="统计期", en="period"),
    "as_of": Text(zh="数据截至", en="data as of"),
    "region": Text(zh="辖区", en="jurisdiction"),
    "issued": Text(zh="编制日期", en="issued"),
    "to": Text(zh="至", en="to"),
    "traces": Text(zh="数字来源清单", en="Where each number comes from"),
    "traces_note": Text(
        zh="编号如 R4.2-07 指第 4 节第（二）部分第 7 个数字；表列编号列于表头，单元格以“编号/行键”引用。riskwatch report"
        " --explain 编号 给出完整来源。",
        en="An id such as R4.2-07 is the seventh number of part 2 of section 4; ids of table columns stand in the heads, a cell"
        " is cited as id/row key."
        " riskwatch report --explain ID gives the whole story.",
    ),
    "id": Text(zh="编号", en="id"),
    "what": Text(zh="数字", en="number"),
    "printed": Text(zh="印出", en="printed"),
    "column": Text(zh="列", en="column of"),
    "method": Text(zh="方法", en="method"),
    "records": Text(zh="记录", en="records"),
    "missing": Text(zh="缺失", en="Missing"),
    "caution": Text(zh="注意", en="Caution"),
    "info": Text(zh="说明", en="Note"),
    "contents": Text(zh="目录", en="Contents"),
    "status": Text(zh="状态：建议稿，待审核", en="status: proposed, to be reviewed"),
}
TONES = ("missing", "caution", "info")
_NUMERALS = "一二三四五六七八九十"


def check_language(language: str) -> None:
    """Refuse an unknown language.

    Raises
    ------
    RiskwatchError
        If it is neither "zh" nor "en".
    """
    if language not in {"zh", "en"}:
        raise RiskwatchError(f"report: language must be one of zh, en, got {language!r}")


def word(key: str, language: str) -> str:
    """Return a word of the frame of the report."""
    return _WORDS[key].of(language)


def section_title(number: str, title: Text, language: str) -> str:
    """Return "四、重点产品" or "4. Key products"; the appendix has no number in Chinese."""
    if language == "en":
        return f"{number}. {title.en}"
    value = int(number)
    if title.zh.startswith("附录"):
        return title.zh
    numeral = _NUMERALS[value - 1] if value <= 10 else f"十{_NUMERALS[value - 11]}" if value < 20 else str(value)
    return f"{numeral}、{title.zh}"


def refs(runs: tuple[Run, ...]) -> str:
    """Return the ids of a line's numbers in short: "R3.1-01…05"; "" without numbers."""
    ids = [run.trace for run in runs if run.trace]
    if not ids:
        return ""
    ordered = sorted(set(ids))
    if len(ordered) == 1:
        return ordered[0]
    head = ordered[0].rpartition("-")[0]
    return f"{ordered[0]}…{ordered[-1].rpartition('-')[2]}" if ordered[-1].startswith(f"{head}-") else f"{ordered[0]}…{ordered[-1]}"


def meta(report: Report, language: str) -> list[tuple[str, str]]:
    """Return what stands under the title, as (word, value)."""
    header = report.header
    return [
        (word("region", language), header.region_name.of(language)),
        (word("period", language), f"{header.period_name.of(language)} ({header.first} {word('to', language)} {header.last})"),
        (word("as_of", language), header.as_of.isoformat()),
        (word("issued", language), header.issued.isoformat()),
    ]


def trace_rows(traces: tuple[Trace, ...], language: str) -> list[tuple[str, str, str, str, str]]:
    """Return the list of traces: id, what, as printed, method, records and function."""
    rows = []
    for trace in traces:
        printed = (
            f"{word('column', language)} {trace.text}" if trace.values and trace.value is None and not _is_interval(trace) else trace.text
        )
        records = f"{trace.records:,} {trace.stream}".strip() + f"; {trace.room}"
        rows.append((trace.id, trace.what.of(language), printed, trace.method.of(language), records))
    return rows


def _is_interval(trace: Trace) -> bool:
    return set(trace.values) == {"lower", "upper"}
