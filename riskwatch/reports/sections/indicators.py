"""10 宏观指标与目标差距: each indicator with its interval, its change, the country, and the way to its target."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from riskwatch import plots
from riskwatch.reports.model import Text
from riskwatch.reports.sections.helpers import floats, say_list, shorten
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["write"]


def write(writer: Writer) -> None:
    """Write the indicators of the jurisdiction, their targets, and where the chance to reach them is low."""
    source = writer.need(writer.inputs.indicators, "宏观质量指标", "macro quality indicators")
    if source is None:
        return
    inputs = writer.inputs
    frame = source.frame.assign(indicator=source.frame["indicator"].astype(str), region=source.frame["region"].astype(str))
    own = frame[frame["region"] == inputs.region] if (frame["region"] == inputs.region).any() else frame
    own = own.sort_values(["indicator", "period"]).drop_duplicates(["indicator", "region"], keep="last").reset_index(drop=True)
    names = [_name(writer, code) for code in own["indicator"]]
    units = [inputs.indicator_units.get(code, "") for code in own["indicator"]]
    target, attained = floats(own, "target"), own["attained"]
    short = own[np.isfinite(target) & ~attained.fillna(value=True).astype(bool)]
    if short.empty:
        writer.say(
            "有目标值的 {n} 项指标均已达到目标。",
            "All {n} indicators with a target have reached it.",
            n=writer.count_of(int(np.isfinite(target).sum()), both("有目标值的指标数", "indicators with a target"), source),
        )
    else:
        entries = []
        for row in short.head(5).to_dict("records"):
            name, unit = _dated(writer, row), inputs.indicator_units.get(row["indicator"], "")
            entries.append(
                (
                    name,
                    (
                        writer.figure(row["value"], "plain", both(f"{name.zh}数值", f"value of {name.en}"), source, unit=unit),
                        writer.figure(row["target"], "plain", both(f"{name.zh}目标", f"target of {name.en}"), source, unit=unit),
                        writer.figure(row["gap"], "plain", both(f"{name.zh}差距", f"gap of {name.en}"), source, unit=unit),
                        writer.figure(
                            row["probability"],
                            "probability",
                            both(f"{name.zh}按期达标概率", f"probability that {name.en} reaches the target in time"),
                            source,
                        ),
                    ),
                )
            )
        say_list(
            writer,
            "未达目标的 {n} 项：{list}。",
            "{n} fall short of their targets: {list}.",
            entries,
            "{name} {0}，目标 {1}，差距 {2}，按期达标概率 {3}",
            "{name} {0}, target {1}, gap {2}, probability to reach it in time {3}",
            n=writer.count_of(len(short), both("未达目标的指标数", "indicators short of the target"), source),
        )
    writer.say(
        "目标沿用现行规划文本；有的目标年份已过，仅作参照。宏观指标来自专项统计，不同于监督抽查不合格率。",
        "Targets are those of the plan in force; where their year has passed they are for reference. Macro indicators come from"
        " surveys of their own and are"
        " not the failure rate of spot checks.",
    )

    # An indicator without a target has nothing to be drawn against; where none has one, all are drawn.
    drawn = own[np.isfinite(target)] if np.isfinite(target).any() else own

    def draw(language: str) -> plots.Figure:
        data = pd.DataFrame(
            {
                "label": [shorten(_name(writer, code).of(language), 30) for code in drawn["indicator"]],
                **{name: floats(drawn, name) for name in ("value", "lower", "upper", "target")},
                "unit": [inputs.indicator_units.get(code, "") for code in drawn["indicator"]],
                "lower_is_better": [code in inputs.indicator_lower_is_better for code in drawn["indicator"]],
            }
        )
        return plots.bullet_figure(data, language=language)

    writer.picture(
        draw,
        both("各项宏观指标与目标", "macro indicators and their targets"),
        writer.line(
            "图：指标（横条或点）、区间（细线）与目标（竖线），各用自己的尺度。",
            "Figure: indicator (bar or point), interval (thin line) and target (mark), each on its own scale.",
        ),
    )
    columns: list[Words | Numbers] = [
        Words(both("指标", "indicator"), names, 3.0),
        Words(both("时期", "period"), [both(str(value), str(value)) for value in own["period"]], 1.2),
        Numbers(both("数值", "value"), floats(own, "value").tolist(), "plain", units=units),
        Numbers(both("区间", "interval"), floats(own, "lower").tolist(), "plain", upper=floats(own, "upper").tolist(), width=1.5),
        Numbers(both("同比", "year on year"), floats(own, "yoy").tolist(), "plain"),
        Numbers(
            both("同比区间", "interval"), floats(own, "yoy_lower").tolist(), "plain", upper=floats(own, "yoy_upper").tolist(), width=1.5
        ),
        Numbers(both("环比", "on the period before"), floats(own, "mom").tolist(), "plain"),
        Numbers(both("与全国差", "less the country"), floats(own, "national_difference").tolist(), "plain"),
        Numbers(both("目标", "target"), target.tolist(), "plain", units=units),
        Numbers(both("差距", "gap"), floats(own, "gap").tolist(), "plain"),
        *_years(own),
        Numbers(both("达标概率", "probability"), floats(own, "probability").tolist(), "probability"),
    ]
    kept = [column for column in columns if isinstance(column, Words) or np.isfinite(np.asarray(column.values, dtype=np.float64)).any()]
    writer.table(
        both("宏观质量指标", "Macro quality indicators"), kept, [f"{row.indicator}|{row.region}" for row in own.itertuples()], source
    )


def _name(writer: Writer, code: object) -> Text:
    return writer.inputs.indicator_names.get(str(code), both(str(code), str(code)))


def _years(frame: pd.DataFrame) -> list[Words]:
    """Return the column of target years, where they are known."""
    if "target_year" not in frame.columns:
        return []
    years = ["–" if np.isnan(year) else f"{year:.0f}" for year in floats(frame, "target_year").tolist()]
    return [Words(both("目标年", "target year"), [both(year, year) for year in years], 1.0)]


def _dated(writer: Writer, row: Mapping[Hashable, object]) -> Text:
    """Return an indicator's name with the year of its target."""
    name, year = _name(writer, row["indicator"]), float(str(row.get("target_year", "nan")))
    return both(f"{name.zh}（目标年 {year:.0f}）", f"{name.en} (target year {year:.0f})") if np.isfinite(year) else name
