"""5 重点行业: the same questions by industry."""

from __future__ import annotations

from riskwatch.reports.sections.rates import changes, rates, worsening
from riskwatch.reports.writer import Writer, both

__all__ = ["write"]

INDUSTRY = both("行业", "industry")


def write(writer: Writer) -> None:
    """Write the industries."""
    inputs = writer.inputs
    parts = (
        (inputs.rates_industry, "行业不合格率", "failure rates"),
        (inputs.change_industry, "同比变化", "changes over a year"),
        (inputs.trends, "趋势", "trends"),
    )
    if writer.skip(parts):
        return
    writer.part("（一）不合格率较高的行业", "Industries with high failure rates")
    rates(writer, "industry", inputs.rates_industry, INDUSTRY, both("行业", "industries"))
    writer.part("（二）同比变化", "Changes over a year")
    changes(writer, "industry", inputs.change_industry, INDUSTRY)
    writer.part("（三）持续变差的行业", "Industries getting worse")
    worsening(writer, "industry", INDUSTRY)
