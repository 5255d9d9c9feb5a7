"""``riskwatch report --explain R4.2-07``: the story of one number, as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from riskwatch.errors import ProjectError
from riskwatch.reports.model import Report, Table, Text, Trace

__all__ = ["explain_trace", "find_trace"]


def find_trace(report: Report, identity: str) -> Trace:
    """Return the trace of an id, which may name a row of a column (``R4.2-07/220100``).

    Raises
    ------
    ProjectError
        If the report has no such id; the hint names the nearest.
    """
    wanted = identity.partition("/")[0]
    for trace in report.traces:
        if trace.id == wanted:
            return trace
    known = [trace.id for trace in report.traces]
    near = get_close_matches(wanted, known, n=3, cutoff=0.5)
    raise ProjectError(
        f"report --explain: no number {identity!r} in the report of {report.header.period}",
        hint=f"did you mean {', '.join(near)}?"
        if near
        else f"ids run from {known[0]} to {known[-1]}"
        if known
        else "the report has no numbers",
    )


def explain_trace(report: Report, identity: str, *, language: str = "en") -> str:
    """Return where a number comes from: what it is, its value, method, records, parameters, and the function that computed it.

    Raises
    ------
    ProjectError
        If the report has no such id, or its column no such row.
    """
    trace = find_trace(report, identity)
    _, _, row = identity.partition("/")
    if row and not any(key == row or key.rpartition(".")[0] == row for key in trace.values):
        known = ", ".join(list(trace.values)[:5])
        raise ProjectError(
            f"report --explain: {trace.id} has no row {row!r}", hint=f"rows are {known}, …" if known else "this number stands in a sentence"
        )
    return "\n".join(_lines(report, trace, row, language)) + "\n"


def _lines(report: Report, trace: Trace, row: str, language: str) -> Iterator[str]:
    def say(zh: str, en: str) -> str:
        return Text(zh=zh, en=en).of(language)

    yield f"{trace.id}  {trace.what.of(language)}"
    is_interval = set(trace.values) == {"lower", "upper"}
    if is_interval:
        yield f"  {say('印出', 'printed')}      {trace.text}"
    if not trace.values:
        exact = say("已隐去或缺失", "suppressed or missing") if trace.value is None else repr(trace.value)
        yield f"  {say('印出', 'printed')}      {trace.text}   ({say('未取整', 'before rounding')}: {exact})"
    else:
        shown = {key: value for key, value in trace.values.items() if not row or key == row or key.rpartition(".")[0] == row}
        cells = _printed_cells(report, trace.id, language)
        for key, value in shown.items():
            name = cells.get(key.rpartition(".")[0] if key.endswith((".lower", ".upper")) else key)
            text = f"   [{name[0]}: {name[1]}]" if name else ""
            yield f"  {key:<14} {'–' if value is None else repr(value)}{text}"
    yield f"  {say('单位', 'unit')}         {trace.unit or '–'}"
    yield f"  {say('方法', 'method')}       {trace.method.of(language)}"
    yield f"  {say('计算者', 'computed by')}  {trace.room}"
    filters = ", ".join(f"{key}={value}" for key, value in trace.filters.items())
    span = f"{trace.first or '…'} {say('至', 'to')} {trace.last or '…'}"
    yield f"  {say('记录', 'records')}      {trace.records:,} {trace.stream or ''} ({span}{'; ' + filters if filters else ''})"
    yield f"  {say('截至', 'as of')}        {trace.as_of}"
    for parameter in trace.parameters:
        yield f"  {say('参数', 'parameter')}    {parameter.path} = {parameter.value}"


def _printed_cells(report: Report, identity: str, language: str) -> dict[str, tuple[str, str]]:
    """Return, by row key, the first word of the row and the cell as printed."""
    for section in report.sections:
        for block in section.blocks:
            if not isinstance(block, Table):
                continue
            for place, column in enumerate(block.columns):
                if column.trace == identity:
                    return {
                        key: (row[0].text.of(language), row[place].text.of(language))
                        for key, row in zip(block.keys, block.rows, strict=True)
                    }
    return {}
