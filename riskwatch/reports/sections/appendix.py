"""附录: methods, parameters, versions and the rules of this report. The list of traces follows it, set by the renderers."""

from __future__ import annotations

import dataclasses

import pandas as pd

from riskwatch.reports.inputs import Input, Origin
from riskwatch.reports.sections.overall import strata_table
from riskwatch.reports.sections.rates import CHART_ROWS
from riskwatch.reports.writer import Words, Writer, both

__all__ = ["write"]

# The table of parameters has no numbers to trace; a report without a single input still states its own rules.
_RULES = Input(pd.DataFrame(), Origin(room="riskwatch.reports.rules", method=both("配置", "configuration")))
NAMES = {
    "sources": ("数据来源", "sources"),
    "strata": ("分层不合格率", "strata"),
    "overall": ("总体", "overall"),
    "rates_region": ("地区不合格率", "rates by region"),
    "rates_product": ("产品不合格率", "rates by product"),
    "rates_industry": ("行业不合格率", "rates by industry"),
    "change_region": ("地区变化", "changes by region"),
    "change_product": ("产品变化", "changes by product"),
    "change_industry": ("行业变化", "changes by industry"),
    "funnel": ("漏斗图", "funnel"),
    "scorecard": ("并列比较", "scorecard"),
    "sampling": ("抽样建议", "advice on sampling"),
    "items": ("不合格项目", "items"),
    "standard_effect": ("标准变化", "standards"),
    "enterprises": ("企业", "enterprises"),
    "closure": ("闭环", "closure"),
    "coverage_region": ("地区覆盖", "coverage by region"),
    "coverage_product": ("产品覆盖", "coverage by product"),
    "coverage_cells": ("覆盖格", "coverage cells"),
    "gaps": ("空白", "gaps"),
    "trends": ("趋势", "trends"),
    "trend_series": ("走势", "series"),
    "anomalies": ("异常", "anomalies"),
    "indicators": ("宏观指标", "indicators"),
    "laboratories": ("检验机构", "laboratories"),
    "injuries": ("伤害", "injuries"),
    "notices": ("通报", "notices"),
    "warnings": ("预警", "warnings"),
    "events": ("预警变动", "changes of warnings"),
    "actions": ("措施", "measures"),
    "outlook": ("下期节点", "dates ahead"),
}


def write(writer: Writer) -> None:
    """Write methods, parameters and versions."""
    inputs = writer.inputs
    present = [
        (entry.name, getattr(inputs, entry.name)) for entry in dataclasses.fields(inputs) if isinstance(getattr(inputs, entry.name), Input)
    ]
    writer.part("（一）方法", "Methods")
    if present:
        origins = [source.origin for _, source in present]
        writer.table(
            both("各部分的方法与记录", "Methods and records of each part"),
            [
                Words(both("部分", "part"), [both(*NAMES[name]) for name, _ in present], 1.3),
                Words(both("方法", "method"), [origin.method for origin in origins], 4.4),
                Words(
                    both("记录", "records"),
                    [
                        both(f"{origin.records:,} {origin.stream}".strip(), f"{origin.records:,} {origin.stream}".strip())
                        for origin in origins
                    ],
                    1.5,
                ),
                Words(both("计算者", "computed by"), [both(origin.room, origin.room) for origin in origins], 2.6),
            ],
            [name for name, _ in present],
            present[0][1],
        )
    parameters = sorted({(path, value) for _, source in present for path, value in source.origin.parameters.items()})
    rules = inputs.rules
    parameters += [
        ("report.interval", f"{rules.interval:g}"),
        ("report.q_value", f"{rules.q_value:g}"),
        ("report.small.persons", str(rules.small.persons)),
        ("report.small.min_inspected", str(rules.small.min_inspected)),
        ("report.small.estimate_min_cases", str(rules.small.estimate_min_cases)),
        ("report.small.max_cv", f"{rules.small.max_cv:g}"),
    ]
    parameters = sorted(set(parameters))
    writer.part("（二）参数", "Parameters")
    writer.table(
        both("参数与配置路径", "Parameters and where they are set"),
        [
            Words(both("路径", "path"), [both(path, path) for path, _ in parameters], 3.0),
            Words(both("取值", "value"), [both(value, value) for _, value in parameters], 2.0),
        ],
        [f"{place + 1}" for place in range(len(parameters))],
        present[0][1] if present else _RULES,
    )
    if isinstance(inputs.strata, Input) and len(inputs.strata.frame):
        writer.part("（三）附表", "Longer tables")
        strata_table(writer, inputs.strata, inputs.strata.frame, both("分层不合格率（含领域）", "Failure rates by stratum and channel"))
    writer.part(
        "（四）版本与口径" if isinstance(inputs.strata, Input) and len(inputs.strata.frame) else "（三）版本与口径",
        "Versions and conventions",
    )
    writer.say(
        "程序版本 {version}；定义与代码表指纹 {definitions}；报告规则 {rules}；数据截至 {as_of}。",
        "Program {version}; fingerprint of definitions and code lists {definitions}; report rules {rules}; data as of {as_of}.",
        version=inputs.version or "–",
        definitions=inputs.definitions or "–",
        rules=rules.version,
        as_of=inputs.as_of.isoformat(),
    )
    writer.say(
        "率的区间置信水平见各方法；区间整体高于（或低于）参照才称为“明显”。每个数字旁的编号可用 riskwatch report --explain 编号 查到来源；"
        "表中数字以“列编号/行键”引用。图中区间图至多列 {rows} 行。",
        "The coverage of intervals is stated with each method; “clear” means that the whole interval lies on one side. The id"
        " beside a number is looked up with"
        " riskwatch report --explain ID; a number in a table is cited as column id/row key. Interval plots show at most {rows} rows.",
        rows=str(CHART_ROWS),
    )
