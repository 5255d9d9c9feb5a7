"""6 重点地区: a fair comparison.

Standardised rates with intervals, the funnel, and beside them coverage and closure: a region that samples little must not look good for it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch import plots
from riskwatch.reports.inputs import Geometry, Input
from riskwatch.reports.model import Text
from riskwatch.reports.sections.helpers import enumerate_names, floats, names_of, say_list, shorten
from riskwatch.reports.sections.rates import changes, rates, worsening
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["write"]

REGION = both("地区", "region")
WIDER = 1.2  # limits so much wider than chance: regions differ in earnest


def write(writer: Writer) -> None:
    """Write the regions."""
    inputs = writer.inputs
    parts = (
        (inputs.rates_region, "地区不合格率", "failure rates"),
        (inputs.funnel, "漏斗图", "funnel plot"),
        (inputs.change_region, "同比变化", "changes over a year"),
        (inputs.trends, "趋势", "trends"),
        (inputs.coverage_region, "覆盖率", "coverage"),
        (inputs.closure, "处置闭环", "closure"),
        (inputs.scorecard, "并列比较", "scorecard"),
    )
    if writer.skip(parts):
        return
    writer.part("（一）公平比较", "A fair comparison")
    frame = rates(writer, "region", inputs.rates_region, REGION, both("地区", "regions"))
    if frame is not None:
        writer.note(
            "地区按抽样地统计。率高说明该地在售、在产样品中的问题多，不等于监管差；率低也可能是抽得少、抽得不准，须与覆盖率和闭环率同看。",
            "Regions are places of sampling. A high rate says that much is wrong with what is made and sold there, not that"
            " supervision is poor; a low one"
            " may come from sampling little or in the wrong places: read it beside coverage and closure.",
        )
        _maps(writer, frame)
    writer.part("（二）漏斗图：超出偶然范围的地区", "Funnel: regions beyond chance")
    _funnel(writer)
    writer.part("（三）同比变化与趋势", "Changes and trends")
    changes(writer, "region", inputs.change_region, REGION)
    worsening(writer, "region", REGION)
    writer.part("（四）覆盖与处置闭环", "Coverage and closure")
    _coverage(writer)
    _closure(writer)
    writer.part("（五）并列比较：率、覆盖、闭环", "Side by side: rate, coverage, closure")
    _scorecard(writer)


POSITIONS = {
    "high": ("高出界限", "above the limits"),
    "rather-high": ("偏高", "rather high"),
    "usual": ("正常范围", "usual"),
    "rather-low": ("偏低", "rather low"),
    "low": ("低于界限", "below the limits"),
    "not-comparable": ("不可比", "not comparable"),
    "": ("无率", "no rate"),
}
FLAGS = {
    "too-little-sampled": ("抽查覆盖不足", "too little sampled"),
    "coverage-unknown": ("覆盖未知", "coverage unknown"),
    "few-samples": ("样本少", "few samples"),
    "closure-unknown": ("闭环未知", "closure unknown"),
    "no-rate": ("无率", "no rate"),
}


def _scorecard(writer: Writer) -> None:
    source = writer.need(writer.inputs.scorecard, "并列比较", "scorecard")
    if source is None:
        return
    frame = source.frame.assign(region=source.frame["region"].astype(str)).sort_values("region", ignore_index=True)
    doubtful = frame[~frame["comparable"].astype(bool)]
    writer.say(
        "下表按地区代码排列，不作排名，也不合成总分：率低而抽得少不是业绩。{n} 个地区中 {doubtful}"
        " 个因样本少、覆盖不足或未知而不宜与他地比较。",
        "Regions stand in the order of their codes: no ranking and no total, for a low rate where little is sampled is no achievement. Of"
        " {n} regions {doubtful} are not fit for comparison, for few samples or coverage that is too low or unknown.",
        n=writer.count_of(len(frame), both("地区数", "regions"), source),
        doubtful=writer.count_of(len(doubtful), both("不宜比较的地区数", "regions not fit for comparison"), source),
    )
    flags = [[both(*FLAGS.get(flag, (flag, flag))) for flag in str(text).split(";") if flag] for text in frame["flags"]]
    writer.table(
        both("率、覆盖、闭环并列", "Rate, coverage and closure side by side"),
        [
            Words(REGION, names_of(writer, "region", frame["region"].tolist()), 2.0),
            Numbers(both("抽查批次", "samples"), floats(frame, "inspected").tolist(), "count"),
            Numbers(both("标准化率", "standardised"), floats(frame, "rate").tolist(), "share"),
            Numbers(
                both("区间", "interval"),
                floats(frame, "rate_lower").tolist(),
                "share",
                upper=floats(frame, "rate_upper").tolist(),
                width=1.4,
            ),
            Words(both("位置", "position"), [both(*POSITIONS.get(str(text), (str(text),) * 2)) for text in frame["position"]], 1.2),
            Numbers(both("覆盖率", "coverage"), floats(frame, "coverage").tolist(), "share"),
            Numbers(both("到期改正", "orders due"), floats(frame, "due").tolist(), "count"),
            Numbers(both("按时办结率", "closed in time"), floats(frame, "closure").tolist(), "share"),
            Words(both("提示", "remarks"), [enumerate_names(one) if one else both("–", "–") for one in flags], 1.8),
        ],
        frame["region"].tolist(),
        source,
    )


def _maps(writer: Writer, frame: pd.DataFrame) -> None:
    small = frame.loc[floats(frame, "inspected") < writer.inputs.rules.small.min_inspected, "code"].tolist()
    values = dict(zip(frame["code"].tolist(), floats(frame, "rate").tolist(), strict=True))
    for geometry in writer.inputs.geometries:
        codes = _codes(geometry)
        if not set(codes) & set(values):
            continue
        names = {code: writer.name("region", code) for code in codes}
        here = [code for code in small if code in codes]
        missing = [code for code in codes if code not in values]

        def draw(language: str, geometry: Geometry = geometry, names: dict[str, Text] = names, here: list[str] = here) -> plots.Figure:
            return plots.map_figure(
                geometry.features,
                values,
                code_property=geometry.code_property,
                small=here,
                small_n=writer.inputs.rules.small.min_inspected,
                labels={code: shorten(name.of(language), 12) for code, name in names.items()},
                language=language,
                title=both("不合格率", "failure rate").of(language),
                note="",
            )

        writer.picture(
            draw,
            both(
                f"不合格率地图；{len(missing)} 个地区无数据（斜线），{len(here)} 个样本少（点）",
                f"map of failure rates; {len(missing)} regions without data (hatched), {len(here)} with few samples (dotted)",
            ),
            writer.line(
                "图：各地区标准化不合格率（斜线为无数据，不是低；深浅不等于差异超出偶然，见漏斗图）。{note}。",
                "Figure: standardised failure rates by region (hatched is no data, not low; a darker colour need not be more"
                " than chance: see the"
                " funnel). {note}.",
                note=both(writer.inputs.rules.map_note.zh, writer.inputs.rules.map_note.en),
            ),
        )


def _codes(geometry: Geometry) -> list[str]:
    found = []
    for feature in geometry.features:
        properties = feature.get("properties")
        code = properties.get(geometry.code_property) if isinstance(properties, dict) else None
        if code:
            found.append(str(code))
    return found


def _funnel(writer: Writer) -> None:
    source = writer.need(writer.inputs.funnel, "漏斗图", "funnel plot")
    if source is None:
        return
    frame = source.frame.assign(code=source.frame["code"].astype(str)).sort_values("code", ignore_index=True)
    centre = float(frame["centre"].iloc[0])
    if not 0 < centre < 1:
        writer.note("样品全部合格或全部不合格，漏斗图没有意义。", "All samples passed, or all failed: a funnel says nothing.", tone="info")
        return
    z, adjusted = floats(frame, "z"), floats(frame, "z_adjusted")
    flagged = np.abs(adjusted) > 3.09
    high, low = frame[flagged & (adjusted > 0)], frame[flagged & (adjusted < 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        inflation = np.where(np.abs(adjusted) > 0, np.abs(z) / np.abs(adjusted), np.nan)
    names = names_of(writer, "region", frame["code"].tolist())
    if high.empty and low.empty:
        wider = float(np.nanmedian(inflation)) if np.isfinite(inflation).any() else 1.0
        spread = (
            both(
                "地区之间的差异普遍大于偶然，是常见的离散，不是个别地区异常",
                "regions differ by more than chance all over: that is their usual spread, and none of them stands apart",
            )
            if wider > WIDER
            else both("差异可以由偶然解释", "chance explains the differences")
        )
        writer.say(
            "{n} 个地区均在计入地区间常见差异的 99.8% 界限之内：{spread}；不宜据此单独通报或排名。",
            "All {n} regions lie within the 99.8% limits that allow for their usual differences: {spread}. It is no ground for singling one"
            " out or ranking.",
            n=writer.count_of(len(frame), both("参与比较的地区数", "regions compared"), source),
            spread=spread,
        )
    else:
        entries = []
        for row in high.sort_values("z_adjusted", ascending=False).head(4).to_dict("records"):
            name = writer.name("region", row["code"])
            entries.append(
                (
                    name,
                    (
                        writer.figure(
                            row["rate"],
                            "share",
                            both(f"{name.zh}标准化不合格率", f"standardised failure rate of {name.en}"),
                            source,
                        ),
                        writer.figure(row["inspected"], "count", both(f"{name.zh}抽查批次", f"samples of {name.en}"), source),
                        writer.figure(row["z_adjusted"], "ratio", both(f"{name.zh}调整后 z 值", f"adjusted z of {name.en}"), source),
                    ),
                )
            )
        lows = enumerate_names([writer.name("region", code) for code in low["code"]])
        if entries:
            say_list(
                writer,
                "计入地区间的正常差异后，高出 99.8% 界限的地区 {n} 个：{list}。建议省局先核对抽样方案，再会商原因。",
                "Allowing for the usual differences between regions, {n} lie above the 99.8% limits: {list}. Check their"
                " sampling plans first, then the"
                " causes.",
                entries,
                "{name} {0}（n={1}，z={2}）",
                "{name} {0} (n={1}, z={2})",
                n=writer.count_of(len(high), both("高出界限的地区数", "regions above the limits"), source),
            )
        if len(low):
            writer.say(
                "低于界限的地区：{lows}。先看其覆盖与抽样对象，再谈经验。",
                "Below the limits: {lows}. Look at their coverage and at what they sample before calling it a success.",
                lows=lows,
            )

    def draw(language: str) -> plots.Figure:
        data = pd.DataFrame(
            {
                "label": [shorten(name.of(language)) for name in names],
                "inspected": floats(frame, "inspected"),
                "failed": floats(frame, "rate") * floats(frame, "inspected"),
                "inflation": inflation,
                "flagged": flagged,
            }
        )
        return plots.funnel_figure(data, centre=centre, language=language)

    writer.picture(
        draw,
        both(f"漏斗图：{len(frame)} 个地区的不合格率与抽查批次", f"funnel plot: failure rate against samples, {len(frame)} regions"),
        writer.line(
            "图：漏斗图（标准化不合格率）。菱形为计入地区间正常差异后仍超出 99.8% 界限的地区。",
            "Figure: funnel plot of standardised rates. Diamonds lie beyond the 99.8% limits even allowing for usual differences.",
        ),
    )


def _coverage(writer: Writer) -> None:
    source = writer.need(writer.inputs.coverage_region, "各地区覆盖率", "coverage by region")
    if source is None:
        return
    frame = source.frame.assign(code=source.frame["code"].astype(str)).sort_values(["share", "code"], ignore_index=True)
    entries = []
    for row in frame.head(3).to_dict("records"):
        name = writer.name("region", row["code"])
        entries.append(
            (
                name,
                (
                    writer.figure(row["share"], "share", both(f"{name.zh}覆盖率", f"coverage of {name.en}"), source),
                    writer.figure(row["covered"], "count", both(f"{name.zh}已抽查格", f"cells sampled in {name.en}"), source),
                    writer.figure(row["cells"], "count", both(f"{name.zh}应抽查格", f"cells of {name.en}"), source),
                ),
            )
        )
    say_list(
        writer,
        "覆盖最低的地区：{list}。这些地区的低不合格率不可作为业绩。",
        "Coverage is lowest in {list}: a low failure rate there is no achievement.",
        entries,
        "{name} {0}（{1}/{2}）",
        "{name} {0} ({1} of {2})",
    )
    shown = frame.head(writer.inputs.rules.rows)
    writer.table(
        both("抽查覆盖（从低到高）", "Coverage, lowest first"),
        [
            Words(REGION, names_of(writer, "region", shown["code"].tolist()), 2.4),
            Numbers(both("应抽查格", "cells"), floats(shown, "cells").tolist(), "count"),
            Numbers(both("已抽查格", "sampled"), floats(shown, "covered").tolist(), "count"),
            Numbers(both("覆盖率", "coverage"), floats(shown, "share").tolist(), "share"),
        ],
        shown["code"].tolist(),
        source,
    )


def _closure(writer: Writer) -> None:
    source: Input | None = writer.need(writer.inputs.closure, "处置闭环", "closure")
    if source is None:
        return
    frame = source.frame.assign(region=source.frame["region"].astype(str)).sort_values(["share", "region"], ignore_index=True)
    shown = frame.head(writer.inputs.rules.rows)
    writer.table(
        both("处置闭环（从低到高）", "Closure, lowest first"),
        [
            Words(REGION, names_of(writer, "region", shown["region"].tolist()), 2.4),
            Numbers(both("责令改正", "orders"), floats(shown, "orders").tolist(), "count"),
            Numbers(both("已到期", "due"), floats(shown, "due").tolist(), "count"),
            Numbers(both("按时办结", "closed in time"), floats(shown, "closed_in_time").tolist(), "count"),
            Numbers(both("按时办结率", "share"), floats(shown, "share").tolist(), "share"),
            Numbers(both("区间", "interval"), floats(shown, "lower").tolist(), "share", upper=floats(shown, "upper").tolist(), width=1.5),
        ],
        shown["region"].tolist(),
        source,
    )
