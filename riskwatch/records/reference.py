"""Write ``docs/records.md`` from the declarations: ``python -m riskwatch.records.reference > docs/records.md``."""

from __future__ import annotations

import sys

from riskwatch.records.rules import RULES, row_rules
from riskwatch.records.streams import COMMON, STREAMS, Field

__all__ = ["reference_markdown"]

_INTRODUCTION = """# Records

Generated from `riskwatch/records/streams.py`, `policy_streams.py` and `rules.py`; a test compares. Do not edit.

A source (`config/sources/*.yaml`) maps the columns of its files to the fields of one stream. Every raw row becomes a record, is merged
into one (a repeated row, or a further test item of the same sample), or goes to quarantine with field, rule and value.

*Kind*: `code` is text whose leading zeros count; `date` is a day; `moment` is a day with its time of day, where that
is known. *Required*: a row without it goes to quarantine. *Personal*: may identify a person or an enterprise; never leaves the store for a
digest, a message or a log.
"""


def _bounds(field: Field) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    if field.tree:
        return f"in the {field.tree} tree"
    if field.kind in {"int", "float"}:
        most = "" if field.maximum is None else f" to {field.maximum:,.0f}"
        return "" if field.minimum is None else f"{field.minimum:,.0f}{most}"
    return f"at most {field.max_length:,} characters" if field.kind in {"text", "code"} else ""


def _table(fields: tuple[Field, ...]) -> list[str]:
    lines = ["| field | 中文 | English | kind | values | required | personal |", "|---|---|---|---|---|---|---|"]
    for field in fields:
        marks = " | ".join("yes" if mark else "" for mark in (field.required, field.personal))
        lines.append(f"| `{field.name}` | {field.zh} | {field.en} | {field.kind} | {_bounds(field)} | {marks} |")
    return [*lines, ""]


def reference_markdown() -> str:
    """Return the reference of all streams, fields and rules as Markdown."""
    lines = [_INTRODUCTION, "## Fields of every stream", "", *_table(COMMON)]
    for stream in STREAMS.values():
        lines += [f"## `{stream.name}`: {stream.zh}, {stream.en}", ""]
        lines += [f"Evidence of type `{stream.evidence}`.", "", *_table(stream.fields)]
        if stream.items:
            lines += [f"### Items of `{stream.name}`", "", "One row per test item of a record.", "", *_table(stream.items)]
        rules = row_rules(frozenset(field.name for field in stream.all_fields))
        if rules:
            lines += ["Rules between fields: " + "; ".join(f"`{rule.name}` (`{rule.field}`, `{rule.other}`)" for rule in rules) + ".", ""]
    lines += ["## Rules", "", "| rule | a row breaks it when |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in RULES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference_markdown())
