"""Failure rates of products, industries or regions: who stands out, what changed like for like, what is getting worse."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch import plots
from riskwatch.reports.inputs import Input, Missing
from riskwatch.reports.model import Text
from riskwatch.reports.sections.helpers import floats, names_of, say_list, shorten
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["UNCODED", "changes", "overall_rate", "rates", "worsening"]

CHART_ROWS = 24
UNCODED = "samples without a code at this level"


def overall_rate(frame: pd.DataFrame) -> float | None:
    """Return all failures over all samples of a frame of rates; None without samples."""
    inspected = float(np.nansum(floats(frame, "inspected")))
    return float(np.nansum(floats(frame, "failed"))) / inspected if inspected > 0 else None


def rates(writer: Writer, kind: str, source: Input | Missing, what: Text, unit_words: Text) -> pd.DataFrame | None:
    """Write who lies above the overall rate, the interval plot and the table; return the frame, most certain concern first."""
    found = writer.need(source, f"{what.zh}不合格率", f"failure rates by {what.en}")
    if found is None:
        return None
    rules = writer.inputs.rules
    frame = found.frame.assign(code=found.frame["code"].astype(str))
    frame = frame.sort_values(["lower", "rate", "code"], ascending=[False, False, True], ignore_index=True)
    small = floats(frame, "inspected") < rules.small.min_inspected
    overall = overall_rate(frame)
    reference = writer.figure(
        overall,
        "share",
        both("该口径总体不合格率", "overall failure rate of these samples"),
        found,
        method=both("不合格批次合计 ÷ 抽查批次合计", "failed samples over samples inspected, all units together"),
    )
    total = writer.figure(float(floats(frame, "inspected").sum()), "count", both("抽查批次", "samples inspected"), found)
    above = frame[(floats(frame, "lower") > (overall or 0.0)) & ~small]
    number = writer.count_of(
        len(above), both(f"区间整体高于总体的{what.zh}数", f"{what.en}s whose interval lies wholly above the overall rate"), found
    )
    units = writer.count_of(len(frame), both(f"{what.zh}数", f"number of {what.en}s"), found)
    if len(above):
        entries = []
        for row in above.head(5).itertuples():
            name = writer.name(kind, row.code)
            entries.append(
                (
                    name,
                    (
                        writer.figure(
                            row.rate, "share", both(f"{name.zh}标准化不合格率", f"standardised failure rate of {name.en}"), found
                        ),
                        writer.figure(
                            row.lower, "share", both(f"{name.zh}区间", f"interval of {name.en}"), found, upper=row.upper, is_interval=True
                        ),
                        writer.figure(row.inspected, "count", both(f"{name.zh}抽查批次", f"samples of {name.en}"), found),
                    ),
                )
            )
        say_list(
            writer,
            "本期按同一口径抽查 {total} 批次，总体不合格率 {overall}。{units} 个{what}中，{number} 个的区间整体高于总体，"
            "按把握从大到小为：{list}。",
            "{total} samples on the same basis gave an overall failure rate of {overall}. Of {units} {units_word}, {number} lie"
            " wholly above it,"
            " the most certain first: {list}.",
            entries,
            "{name} {0}（区间 {1}，n={2}）",
            "{name} {0} (interval {1}, n={2})",
            total=total,
            overall=reference,
            units=units,
            number=number,
            what=what,
            units_word=unit_words,
        )
    else:
        writer.say(
            "本期按同一口径抽查 {total} 批次，总体不合格率 {overall}。{units} 个{what}中没有一个的区间整体高于总体："
            "现有样本不足以说明哪一个更差，不应据此排名。",
            "{total} samples on the same basis gave an overall failure rate of {overall}. None of the {units} {units_word} lies"
            " wholly above it: the"
            " samples do not show that any is worse than the rest, and they should not be ranked.",
            total=total,
            overall=reference,
            units=units,
            what=what,
            units_word=unit_words,
        )
    lost = int(found.origin.filters.get(UNCODED, "0"))
    if lost:
        writer.say(
            "另有 {lost} 批次没有该级代码，未计入比较。",
            "{lost} samples more have no code at this level and are left out.",
            lost=writer.count_of(lost, both("没有该级代码的批次", "samples without a code at this level"), found),
        )
    if small.any():
        writer.say(
            "{few} 个{what}抽查不足 {least} 批次，其率仅供参考，不参与排序；0 个不合格不等于不合格率为零。",
            "{few} {units_word} have fewer than {least} samples: their rates are for information and not ranked; no failure"
            " found is not a rate of"
            " zero.",
            few=writer.count_of(int(small.sum()), both(f"样本不足的{what.zh}数", f"{what.en}s with few samples"), found),
            least=str(rules.small.min_inspected),
            what=what,
            units_word=unit_words,
        )
    _chart(writer, kind, frame, small=small, overall=overall, what=what)
    _table(writer, kind, frame.head(rules.rows), found, what)
    return frame


def _chart(
    writer: Writer,
    kind: str,
    frame: pd.DataFrame,
    *,
    small: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    overall: float | None,
    what: Text,
) -> None:
    shown = frame.head(CHART_ROWS)
    names = names_of(writer, kind, shown["code"].tolist())

    def draw(language: str) -> plots.Figure:
        data = pd.DataFrame(
            {
                "label": [shorten(name.of(language)) for name in names],
                **{name: floats(shown, name) for name in ("rate", "lower", "upper", "raw")},
                "n": floats(shown, "inspected"),
                "small": small[: len(shown)],
            }
        )
        axis = both("不合格率", "failure rate").of(language)
        return plots.interval_figure(data, reference=overall, language=language, axis=axis)

    writer.picture(
        draw,
        both(
            f"{what.zh}不合格率区间图，{len(shown)} 行，按区间下限从高到低",
            f"interval plot of failure rates, {len(shown)} {what.en} rows, by the lower end of the interval",
        ),
        writer.line(
            "图：各{what}标准化不合格率与区间（按区间下限排序）；空心点为原始率，受抽样结构影响，不可比较。",
            "Figure: standardised failure rates with intervals, one row per {what}, by the lower end of the interval; hollow points are raw"
            " rates, which depend on what was sampled and are not to be compared.",
            what=what,
        ),
    )


def _table(writer: Writer, kind: str, frame: pd.DataFrame, source: Input, what: Text) -> None:
    columns: list[Words | Numbers] = [
        Words(what, names_of(writer, kind, frame["code"].tolist()), 2.4),
        Numbers(both("抽查批次", "samples"), floats(frame, "inspected").tolist(), "count"),
        Numbers(both("不合格", "failed"), floats(frame, "failed").tolist(), "count"),
        Numbers(both("生产企业", "producers"), floats(frame, "producers").tolist(), "count"),
        Numbers(both("原始率", "raw rate"), floats(frame, "raw").tolist(), "share"),
        Numbers(both("标准化率", "standardised"), floats(frame, "rate").tolist(), "share"),
        Numbers(both("区间", "interval"), floats(frame, "lower").tolist(), "share", upper=floats(frame, "upper").tolist(), width=1.5),
    ]
    if np.isfinite(floats(frame, "borrowed")).any():
        columns.append(Numbers(both("借力", "borrowed"), floats(frame, "borrowed").tolist(), "share"))
    writer.table(
        both(f"{what.zh}不合格率", f"Failure rates by {what.en}"),
        columns,
        frame["code"].tolist(),
        source,
        note=writer.line(
            "标准化率为按统一抽样结构、经收缩的率；“借力”为该结构中本单位没有样品的部分，其率由模型推得。",
            "Standardised: at one common mix, shrunken. “borrowed” is the part of that mix of which the unit has no sample: its rate there"
            " comes from the model.",
        ),
    )


def changes(writer: Writer, kind: str, source: Input | Missing, what: Text) -> None:
    """Write what changed against last year, and how much of it is a change of what was sampled."""
    found = writer.need(source, f"{what.zh}不合格率的变化（同口径与抽样结构分解）", f"changes by {what.en}, like for like and mix")
    if found is None:
        return
    frame = found.frame.assign(code=found.frame["code"].astype(str))
    clear = frame[floats(frame, "q_value") < writer.inputs.rules.q_value].copy()
    clear = clear.iloc[np.argsort(-np.abs(floats(clear, "change")), kind="stable")]
    if clear.empty:
        writer.say(
            "与上年同期相比，{units} 个样本足够的{what}中，没有一个的同口径变化超出偶然（错误发现率低于 {q}）。",
            "Against the same period of last year, of {units} with enough samples no {what} changed beyond chance, like for like"
            " (false-discovery rate below {q}).",
            what=what,
            q=f"{writer.inputs.rules.q_value:g}",
            units=writer.count_of(len(frame), both(f"两期样本都足够的{what.zh}数", f"{what.en} rows with enough samples"), found),
        )
    else:
        entries = []
        for row in clear.head(4).itertuples():
            name = writer.name(kind, row.code)
            entries.append(
                (
                    name,
                    (
                        writer.figure(row.change, "points", both(f"{name.zh}同口径变化", f"like-for-like change of {name.en}"), found),
                        writer.figure(
                            row.change_lower,
                            "points",
                            both(f"{name.zh}变化区间", f"interval of that change, {name.en}"),
                            found,
                            upper=row.change_upper,
                            is_interval=True,
                        ),
                        writer.figure(row.raw_change, "points", both(f"{name.zh}原始变化", f"raw change of {name.en}"), found),
                    ),
                )
            )
        say_list(
            writer,
            "与上年同期相比，{units} 个样本足够的{what}中，同口径变化超出偶然的有 {number} 个（百分点，错误发现率低于 {q}）：{list}。"
            "原始变化与同口径变化之差来自抽样结构，不是质量的变化；上年同期异常偏高（低）的单位自然回落（回升），须看其多期走势。",
            "Against the same period of last year, of {units} with enough samples {number} changed beyond chance, like for like"
            " (percentage points, false-discovery rate below {q}): {list}. What the raw change has beyond that comes from what was sampled,"
            " and is no change of quality. A unit that was unusually high or low a year ago tends to come back by itself:"
            " look at its series.",
            entries,
            "{name} {0}（区间 {1}；原始 {2}）",
            "{name} {0} (interval {1}; raw {2})",
            what=what,
            q=f"{writer.inputs.rules.q_value:g}",
            units=writer.count_of(len(frame), both(f"两期样本都足够的{what.zh}数", f"{what.en} rows with enough samples"), found),
            number=writer.count_of(len(clear), both(f"同口径变化明显的{what.zh}数", f"{what.en}s with a clear change"), found),
        )
    shown = frame.iloc[np.argsort(-np.abs(np.nan_to_num(floats(frame, "raw_change"))), kind="stable")].head(12)
    names = names_of(writer, kind, shown["code"].tolist())

    def draw(language: str) -> plots.Figure:
        data = shown.assign(label=[shorten(name.of(language)) for name in names])
        return plots.mix_figure(data, language=language)

    writer.picture(
        draw,
        both(f"{what.zh}不合格率变化分解图", f"changes of failure rates by {what.en}, like-for-like part and mix part"),
        writer.line(
            "图：不合格率同比变化的分解（原始变化最大的 {n} 个{what}）。",
            "Figure: change of the failure rate over a year, like for like and by mix (the {n} largest raw changes).",
            n=str(len(shown)),
            what=what,
        ),
    )


def worsening(writer: Writer, kind: str, what: Text) -> None:
    """Write which trends rise, and the slope chart of all."""
    found = writer.need(writer.inputs.trends, f"{what.zh}趋势", f"trends by {what.en}")
    if found is None:
        return
    frame = found.frame[found.frame["kind"].astype(str) == kind]
    if frame.empty:
        writer.note("没有足够长的{what}序列可供估计趋势。", "No series by {what} is long enough for a trend.", tone="missing", what=what)
        return
    frame = frame.assign(code=frame["code"].astype(str)).sort_values(
        ["slope_percent_per_year", "code"], ascending=[False, True], ignore_index=True
    )
    slope, certain = floats(frame, "slope_percent_per_year"), floats(frame, "q_value") < writer.inputs.rules.q_value
    worse = frame[(slope > 0) & certain]
    if worse.empty:
        writer.say(
            "未发现不合格率持续上升的{what}（错误发现率低于 {q}）。",
            "No {what} shows a steady rise (false-discovery rate below {q}).",
            what=what,
            q=f"{writer.inputs.rules.q_value:g}",
        )
    else:
        entries = []
        for row in worse.head(4).itertuples():
            name = writer.name(kind, row.code)
            entries.append(
                (
                    name,
                    (
                        writer.figure(row.slope_percent_per_year, "yearly", both(f"{name.zh}年变化率", f"slope of {name.en}"), found),
                        writer.figure(
                            row.lower,
                            "yearly",
                            both(f"{name.zh}斜率区间", f"interval of the slope, {name.en}"),
                            found,
                            upper=row.upper,
                            is_interval=True,
                        ),
                        writer.figure(row.level_now, "share", both(f"{name.zh}当前水平", f"level of {name.en} now"), found),
                    ),
                )
            )
        say_list(
            writer,
            "持续变差的{what}有 {number} 个，建议列入下期重点：{list}。",
            "{number} are getting steadily worse and should be on the next period's list: {list}.",
            entries,
            "{name} 每年 {0}（区间 {1}），现为 {2}",
            "{name} {0} a year (interval {1}), now {2}",
            what=what,
            number=writer.count_of(len(worse), both(f"持续变差的{what.zh}数", f"{what.en}s getting steadily worse"), found),
        )
    shown = pd.concat([frame.head(9), frame.tail(5)]).drop_duplicates("code")
    now = floats(shown, "level_now")
    yearly = floats(shown, "slope_percent_per_year")
    before = now / (1 + yearly / 100)
    usable = np.isfinite(before) & np.isfinite(now)
    if usable.sum() < 2:
        return
    names = names_of(writer, kind, shown["code"].tolist())
    flags = np.isin(shown["code"].to_numpy(), worse["code"].to_numpy())

    def draw(language: str) -> plots.Figure:
        data = pd.DataFrame({"label": [shorten(name.of(language), 30) for name in names], "before": before, "now": now, "worse": flags})
        return plots.slope_figure(data[usable], language=language)

    writer.picture(
        draw,
        both(f"{what.zh}一年前与现在的不合格率", f"failure rates by {what.en}, a year ago and now"),
        writer.line(
            "图：按估计的趋势，一年前与现在的水平（升、降最大的若干{what}）。",
            "Figure: level a year ago and now by the estimated trend (the largest rises and falls).",
            what=what,
        ),
    )
