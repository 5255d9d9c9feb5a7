"""3 总体形势: pass rates by stratum, change with its uncertainty, injuries and notices. Strata of different selection are never pooled."""

from __future__ import annotations

import pandas as pd

from riskwatch import plots
from riskwatch.reports.counting import strata_frame
from riskwatch.reports.inputs import Input
from riskwatch.reports.model import Text
from riskwatch.reports.numbers import is_missing
from riskwatch.reports.sections.helpers import floats, say_list
from riskwatch.reports.writer import Numbers, Words, Writer, both

__all__ = ["strata_table", "write"]

CHECKS = {
    "national": ("国抽", "national"),
    "provincial": ("省抽", "provincial"),
    "prefecture": ("市抽", "prefecture"),
    "county": ("县抽", "county"),
    "special": ("专项", "special"),
    "follow-up": ("跟踪抽查", "follow-up"),
    "risk-monitoring": ("风险监测", "risk monitoring"),
    "recheck": ("复查", "recheck"),
    "enforcement": ("执法", "enforcement"),
}
SELECTIONS = {
    "random": ("随机", "random"),
    "targeted": ("定向", "targeted"),
    "follow-up": ("跟踪", "follow-up"),
    "complaint-led": ("投诉举报", "complaint-led"),
}
CHANNELS = {
    "production": ("生产", "production"),
    "distribution": ("流通", "distribution"),
    "online": ("网络", "online"),
    "catering": ("餐饮", "catering"),
    "import-export": ("进出口", "import-export"),
}
PERIODS = {"now": ("本期", "this period"), "before": ("上期", "last period"), "last-year": ("上年同期", "same period last year")}


def write(writer: Writer) -> None:
    """Write spot checks, injuries and notices."""
    writer.part("（一）监督抽查", "Spot checks")
    _overall(writer)
    _strata(writer)
    _series(writer)
    writer.part("（二）产品伤害", "Product injuries")
    _injuries(writer)
    writer.part("（三）外部通报", "External notices")
    _notices(writer)


def word(words: dict[str, tuple[str, str]], code: object) -> Text:
    """Return the words for a code; the code itself where there are none, a dash where there is no code."""
    text = "–" if is_missing(code) or not str(code) else str(code)
    return both(*words.get(text, (text, text)))


def _overall(writer: Writer) -> None:
    source = writer.need(writer.inputs.overall, "总体不合格率", "overall failure rate")
    if source is None:
        return
    frame = source.frame
    now = frame.iloc[0]
    writer.say(
        "只有随机抽样的结果可用于比较水平。{period}随机抽查 {n} 批次，涉及生产企业 {firms} 家，不合格率 {rate}（区间 {span}）。",
        "Only random samples say something about the level. In {period} {n} random samples from {firms} producers gave a failure"
        " rate of {rate}"
        " (interval {span}).",
        period=writer.inputs.period.name,
        n=writer.figure(now["inspected"], "count", both("本期随机抽查批次", "random samples of the period"), source),
        firms=writer.figure(now["producers"], "count", both("涉及生产企业数", "producers concerned"), source),
        rate=writer.figure(now["rate"], "share", both("不合格率", "failure rate"), source),
        span=writer.figure(
            now["lower"], "share", both("不合格率区间", "interval of the failure rate"), source, upper=now["upper"], is_interval=True
        ),
    )
    kinds = [("last-year", "同比", "Year on year"), ("before", "环比", "Against the period before")]
    for key, zh, en in kinds[: 1 if writer.inputs.period.kind == "year" else 2]:
        rows = frame[frame["period"].astype(str) == key]
        if rows.empty or pd.isna(rows["change"].iloc[0]):
            writer.note(f"{zh}：没有可比时期的记录。", f"{en}: no records of the period to compare with.", tone="missing")
            continue
        _change(writer, source, rows.iloc[0], zh, en)
    shown = frame.assign(period=frame["period"].astype(str))
    columns: list[Words | Numbers] = [
        Words(both("时期", "period"), [word(PERIODS, code) for code in shown["period"]], 1.8),
        Numbers(both("抽查批次", "samples"), floats(shown, "inspected").tolist(), "count"),
        Numbers(both("不合格", "failed"), floats(shown, "failed").tolist(), "count"),
        Numbers(both("生产企业", "producers"), floats(shown, "producers").tolist(), "count"),
        Numbers(both("不合格率", "failure rate"), floats(shown, "rate").tolist(), "share"),
        Numbers(both("区间", "interval"), floats(shown, "lower").tolist(), "share", upper=floats(shown, "upper").tolist(), width=1.4),
        Numbers(both("标准化率", "standardised"), floats(shown, "standardised").tolist(), "share"),
        Numbers(both("本期比之（百分点）", "this period against it (points)"), floats(shown, "change").tolist(), "points", width=1.5),
        Numbers(both("其中抽样结构", "of it mix"), floats(shown, "mix").tolist(), "points"),
        Numbers(both("同口径", "like for like"), floats(shown, "within").tolist(), "points"),
        Numbers(
            both("同口径区间", "its interval"),
            floats(shown, "within_lower").tolist(),
            "points",
            upper=floats(shown, "within_upper").tolist(),
            width=1.6,
        ),
    ]
    kept = [column for column in columns if isinstance(column, Words) or not all(is_missing(value) for value in column.values)]
    writer.table(both("随机抽查总体", "Random samples, all"), kept, shown["period"].tolist(), source)


def _change(writer: Writer, source: Input, row: pd.Series[float], zh: str, en: str) -> None:
    mixed = pd.notna(row["within"])
    like = "within" if mixed else "change"
    clear = row[f"{like}_lower"] > 0 or row[f"{like}_upper"] < 0
    risen = row[like] > 0
    season_zh, season_en = ("环比含季节变动，不等于趋势。", " It holds the season and is no trend.") if zh == "环比" else ("", "")
    verdict = (
        both(
            f"{'同口径' if mixed else ''}{'上升' if risen else '下降'}明显，不是抽样波动所能解释",
            f"{'like for like ' if mixed else ''}a {'rise' if risen else 'fall'} beyond chance",
        )
        if clear
        else both("区间含零，不能判断为升或降", "the interval contains zero: neither a rise nor a fall is shown")
    )
    writer.say(
        f"{zh}变化 {{change}} 个百分点（区间 {{span}}；对照期 {{rate}}，n={{n}}）。"
        + (
            "其中抽样结构占 {mix} 个百分点，同口径变化 {within} 个百分点（区间 {own}）：{verdict}。"
            if mixed
            else "{verdict}。抽样结构的影响尚未分离，变化可能部分来自抽查对象的不同。"
        )
        + season_zh,
        f"{en}: {{change}} percentage points (interval {{span}}; {{rate}} then, n={{n}})."
        + (
            " Of it {mix} points come from what was sampled, {within} points are like for like (interval {own}): {verdict}."
            if mixed
            else " That is {verdict}. The part of the mix has not been separated: some of the change may come from what was sampled."
        )
        + season_en,
        change=writer.figure(row["change"], "points", both(f"不合格率{zh}变化", f"change of the failure rate, {en.lower()}"), source),
        span=writer.figure(
            row["change_lower"],
            "points",
            both(f"{zh}变化区间", f"interval of the change, {en.lower()}"),
            source,
            upper=row["change_upper"],
            is_interval=True,
        ),
        rate=writer.figure(row["rate"], "share", both(f"{zh}对照期不合格率", f"failure rate then, {en.lower()}"), source),
        n=writer.figure(row["inspected"], "count", both(f"{zh}对照期批次", f"samples then, {en.lower()}"), source),
        mix=writer.figure(row["mix"], "points", both(f"{zh}变化中抽样结构部分", f"part of the change from the mix, {en.lower()}"), source)
        if mixed
        else "",
        within=writer.figure(row["within"], "points", both(f"{zh}同口径变化", f"like-for-like change, {en.lower()}"), source)
        if mixed
        else "",
        own=writer.figure(
            row["within_lower"],
            "points",
            both(f"{zh}同口径变化区间", f"interval of the like-for-like change, {en.lower()}"),
            source,
            upper=row["within_upper"],
            is_interval=True,
        )
        if mixed
        else "",
        verdict=verdict,
    )


def _strata(writer: Writer) -> None:
    source = writer.need(writer.inputs.strata, "分层合格率", "pass rates by stratum")
    if source is None:
        return
    frame = source.frame.sort_values(["selection", "check_type", "channel"], ignore_index=True)
    by_selection = frame.assign(selection=frame["selection"].astype(str)).groupby("selection", sort=True)[["inspected", "failed"]].sum()
    entries = []
    for code, row in by_selection.iterrows():
        name = word(SELECTIONS, code)
        if row["inspected"] > 0:
            entries.append(
                (
                    name,
                    (
                        writer.figure(
                            row["failed"] / row["inspected"],
                            "share",
                            both(f"{name.zh}抽样不合格率", f"failure rate, {name.en}"),
                            source,
                            method=both("该抽样方式不合格批次 ÷ 抽查批次", "failed over inspected samples of this selection"),
                        ),
                        writer.figure(row["inspected"], "count", both(f"{name.zh}抽样批次", f"samples, {name.en}"), source),
                    ),
                )
            )
    say_list(
        writer,
        "各抽样方式的不合格率（不可合并）：{list}。定向、跟踪和投诉举报抽样本来就选可疑对象，其率高不说明总体变差。",
        "Failure rates by selection (never to be pooled): {list}. Targeted, follow-up and complaint-led samples look for the"
        " suspect: a high rate among"
        " them does not say that quality is worse.",
        entries,
        "{name} {0}（n={1}）",
        "{name} {0} (n={1})",
    )
    narrow = frame[["check_type", "selection", "inspected", "failed"]].assign(channel="")
    strata_table(writer, source, strata_frame(narrow, level=writer.inputs.rules.interval), both("分层不合格率", "Failure rates by stratum"))


def strata_table(writer: Writer, source: Input, strata: pd.DataFrame, title: Text) -> None:
    """Write a table of strata; the channel has a column where there is more than one."""
    frame = strata.sort_values(["selection", "check_type", "channel"], ignore_index=True)
    channels = (
        [Words(both("领域", "channel"), [word(CHANNELS, code) for code in frame["channel"]], 1.3)] if len(set(frame["channel"])) > 1 else []
    )
    writer.table(
        title,
        [
            Words(both("抽样方式", "selection"), [word(SELECTIONS, code) for code in frame["selection"]], 1.3),
            Words(both("抽查类型", "check"), [word(CHECKS, code) for code in frame["check_type"]], 1.3),
            *channels,
            Numbers(both("抽查批次", "samples"), floats(frame, "inspected").tolist(), "count"),
            Numbers(both("不合格", "failed"), floats(frame, "failed").tolist(), "count"),
            Numbers(both("不合格率", "failure rate"), floats(frame, "rate").tolist(), "share"),
            Numbers(both("区间", "interval"), floats(frame, "lower").tolist(), "share", upper=floats(frame, "upper").tolist(), width=1.5),
        ],
        [f"{row.selection}|{row.check_type}|{row.channel}" for row in frame.itertuples()],
        source,
    )


def _series(writer: Writer) -> None:
    source = writer.inputs.trend_series
    if not isinstance(source, Input) or len(source.frame) < 3:
        return
    frame = source.frame.sort_values("period_start", ignore_index=True)
    scaled = frame.assign(**{name: 100 * floats(frame, name) for name in ("observed", "fitted", "forecast", "lower", "upper")})

    def draw(language: str) -> plots.Figure:
        return plots.forecast_figure(scaled, language=language, axis=both("不合格率 (%)", "failure rate (%)").of(language))

    writer.picture(
        draw,
        both("随机抽查不合格率的历史、趋势与预测", "failure rate of random samples: history, trend and forecast"),
        writer.line("图：随机抽查不合格率的走势。", "Figure: failure rate of random samples over time."),
    )


def _injuries(writer: Writer) -> None:
    source = writer.need(writer.inputs.injuries, "产品伤害", "product injuries")
    if source is None:
        return
    rules = writer.inputs.rules.small
    frame = source.frame.assign(code=source.frame["code"].astype(str)).sort_values(
        ["count", "code"], ascending=[False, True], ignore_index=True
    )
    count, past = floats(frame, "count"), floats(frame, "last_year")
    total, before = float(count.sum()), float(past.sum())
    rising = frame[floats(frame, "lower") > 1].sort_values(["lower", "code"], ascending=[False, True])
    total_f = writer.figure(total, "persons", both("本期产品伤害人数", "persons injured in the period"), source)
    before_f = writer.figure(before, "persons", both("上年同期伤害人数", "persons injured in the same period of last year"), source)
    if rising.empty:
        writer.say(
            "监测到产品伤害 {n} 人（上年同期 {m} 人），各类均无明确增加。监测医院数量未作校正，不能直接当作发生率。",
            "{n} persons injured (last year {m}); no category shows a clear increase. The number of reporting hospitals is not"
            " allowed for: this is no"
            " incidence.",
            n=total_f,
            m=before_f,
        )
    else:
        entries = []
        for row in rising.head(4).to_dict("records"):
            name = writer.name("product", row["code"])
            entries.append(
                (
                    name,
                    (
                        writer.figure(row["count"], "persons", both(f"{name.zh}伤害人数", f"persons injured by {name.en}"), source),
                        writer.figure(row["ratio"], "ratio", both(f"{name.zh}与上年同期之比", f"{name.en}: ratio to last year"), source),
                        writer.figure(
                            row["lower"],
                            "ratio",
                            both(f"{name.zh}之比区间", f"interval of the ratio, {name.en}"),
                            source,
                            upper=row["upper"],
                            is_interval=True,
                        ),
                    ),
                )
            )
        say_list(
            writer,
            "监测到产品伤害 {n} 人（上年同期 {m} 人）。明确增加的：{list}。监测医院数量未作校正，不能直接当作发生率。",
            "{n} persons injured (last year {m}). Clearly above last year: {list}. The number of reporting hospitals is not"
            " allowed for: this is no"
            " incidence.",
            entries,
            "{name} {0} 人，为上年的 {1} 倍（区间 {2}）",
            "{name} {0} persons, {1} times last year (interval {2})",
            n=total_f,
            m=before_f,
        )
    writer.table(
        both("产品伤害（按产品大类）", "Injuries by product category"),
        [
            Words(both("产品大类", "category"), [writer.name("product", code) for code in frame["code"]], 2.4),
            Numbers(both("本期人数", "persons"), count.tolist(), "persons"),
            Numbers(both("上年同期", "last year"), past.tolist(), "persons"),
            Numbers(both("之比", "ratio"), floats(frame, "ratio").tolist(), "ratio"),
            Numbers(both("区间", "interval"), floats(frame, "lower").tolist(), "ratio", upper=floats(frame, "upper").tolist(), width=1.5),
        ],
        frame["code"].tolist(),
        source,
        note=writer.line(
            "少于 {few} 人的格不印出数字，只有一格时另取一格写作“≥{few}”；两期合计少于 {cases} 人，或变异系数超过 {cv}，不计算比值。",
            "Counts below {few} are not printed; where only one is hidden, a second is given as ≥{few}."
            " No ratio on fewer than {cases} persons in both periods together, or with a"
            " coefficient of variation above {cv}.",
            few=str(rules.persons),
            cases=str(rules.estimate_min_cases),
            cv=f"{100 * rules.max_cv:.0f}%",
        ),
    )


def _notices(writer: Writer) -> None:
    source = writer.need(writer.inputs.notices, "外部通报", "external notices")
    if source is None:
        return
    frame = source.frame.sort_values(["notices", "system"], ascending=[False, True], ignore_index=True)
    writer.say(
        "本期收到外部通报 {n} 件，上年同期 {m} 件。",
        "{n} external notices in the period, {m} in the same period of last year.",
        n=writer.figure(float(floats(frame, "notices").sum()), "count", both("本期外部通报数", "notices in the period"), source),
        m=writer.figure(float(floats(frame, "last_year").sum()), "count", both("上年同期通报数", "notices last year"), source),
    )
    writer.table(
        both("外部通报（按系统）", "Notices by system"),
        [
            Words(both("系统", "system"), [both(str(name), str(name)) for name in frame["system"]], 2.0),
            Numbers(both("本期", "this period"), floats(frame, "notices").tolist(), "count"),
            Numbers(both("上年同期", "last year"), floats(frame, "last_year").tolist(), "count"),
        ],
        frame["system"].astype(str).tolist(),
        source,
    )
