"""Parts of the report that are counted from records: sources, strata, the overall rate, injuries, notices, sampled cells."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TypedDict

import pandas as pd

from riskwatch.records.streams import STREAMS
from riskwatch.reports.counting import injury_frame, notice_frame, overall_frame, strata_frame
from riskwatch.reports.inputs import Input, Missing, Origin, ReportPeriod
from riskwatch.reports.model import Text
from riskwatch.runner.quality import source_health
from riskwatch.runner.report_period import before, year_before
from riskwatch.runner.report_scope import Scope

__all__ = ["injuries", "notices", "sources", "spot_checks"]

_CHECK = ("check_type", "selection", "channel", "product", "region", "producer", "inspected", "failed")


def _level(scope: Scope) -> str:
    return f"{100 * scope.rules.interval:g}%"


class _Span(TypedDict):
    first: dt.date
    last: dt.date


def _span(scope: Scope) -> _Span:
    return {"first": scope.period.first, "last": min(scope.period.last, scope.ctx.as_of)}


def _none(stream: str, zh: str, en: str) -> Missing:
    words = STREAMS[stream]
    return Missing(Text(zh=f"{zh}没有{words.zh}记录", en=f"no records of {words.en} {en}"))


def sources(scope: Scope) -> dict[str, Input | Missing]:
    """Return the sources in force with their records and their state."""
    ctx = scope.ctx
    health = {entry.source: entry for entry in source_health(ctx, [])}
    known = ctx.store.freshness(ctx.as_of).set_index("source")
    counts: dict[str, int] = {}
    for stream in sorted({source.stream for source in ctx.definitions.sources.values()}):
        found = scope.records(stream, ["source"], scope.period.first, scope.period.last)
        counts.update({str(name): int(number) for name, number in found["source"].astype(str).value_counts().items()})
    rows = [
        (
            name,
            source.label.zh,
            source.label.en,
            source.stream,
            int(known["records"].get(name, 0)),
            counts.get(name, 0),
            pd.Timestamp(entry.newest_event) if entry.newest_event else pd.NaT,
            pd.Timestamp(entry.newest_known) if entry.newest_known else pd.NaT,
            entry.state,
            entry.quarantine_open,
        )
        for name, source in ctx.definitions.sources.items()
        if (entry := health.get(name)) is not None
    ]
    columns = ["source", "name_zh", "name_en", "stream", "records", "in_period", "newest_event", "newest_known", "state", "quarantine"]
    if not rows:
        return {"sources": Missing(Text(zh="没有在用的数据来源", en="no source is in force"))}
    frame = pd.DataFrame(rows, columns=columns)
    origin = Origin(
        room="riskwatch.runner.report_records.sources",
        method=Text(
            zh="按来源计数；状态按最新发生日与应报周期比较", en="counts by source; state by the newest event against what is expected"
        ),
        stream="all",
        records=int(frame["in_period"].sum()),
        filters={"region": scope.region or "all"},
        **_span(scope),
    )
    return {"sources": Input(frame, origin)}


def spot_checks(scope: Scope) -> dict[str, Input | Missing]:
    """Return strata, the overall rate of random samples, and the cells sampled."""
    found = scope.records("spot_check", _CHECK, scope.period.first, scope.period.last)
    if found.empty:
        gone = _none("spot_check", "本期", "in the period")
        return {"strata": gone, "overall": gone, "coverage_cells": gone}
    level = _level(scope)
    strata = strata_frame(found, level=scope.rules.interval)
    parameters = {"report.interval": f"{scope.rules.interval:g}"}
    made: dict[str, Input | Missing] = {
        "strata": Input(
            strata,
            Origin(
                room="riskwatch.reports.counting.strata_frame",
                method=Text(zh=f"不合格批次 ÷ 抽查批次；{level} Wilson 区间", en=f"failed over inspected samples; {level} Wilson interval"),
                stream="spot_check",
                records=len(found),
                filters={"region": scope.region or "all"},
                parameters=parameters,
                **_span(scope),
            ),
        )
    }
    made |= _overall(scope, found)
    made |= _cells(scope, found)
    return made


def _random(records: pd.DataFrame) -> pd.DataFrame:
    return records[records["selection"].astype(str) == "random"]


def _overall(scope: Scope, found: pd.DataFrame) -> dict[str, Input | Missing]:
    compared: dict[str, ReportPeriod] = {"last-year": year_before(scope.period)}
    if scope.period.kind != "year":  # the year before is the same period of last year
        compared = {"before": before(scope.period), **compared}
    periods = {"now": _random(found)}
    for name, period in compared.items():
        periods[name] = _random(scope.compared("spot_check", _CHECK, period))
    frame = overall_frame(periods, level=scope.rules.interval)
    if frame.empty:
        return {"overall": Missing(Text(zh="本期没有随机抽样记录", en="there are no random samples in the period"))}
    level = _level(scope)
    origin = Origin(
        room="riskwatch.reports.counting.overall_frame",
        method=Text(
            zh=f"随机抽样不合格批次 ÷ 抽查批次，{level} Wilson 区间；变化为两率之差，{level} Newcombe 区间；"
            "对照期按同样的滞后取数；未计入同一企业多批次的相关",
            en=f"failed over inspected random samples, {level} Wilson interval; changes are differences of two rates, {level}"
            " Newcombe interval;"
            " past periods as known when as old; samples of one producer are taken as independent",
        ),
        stream="spot_check",
        records=len(periods["now"]),
        filters={"selection": "random", "region": scope.region or "all"},
        parameters={"report.interval": f"{scope.rules.interval:g}"},
        **_span(scope),
    )
    return {"overall": Input(frame, origin)}


def _cells(scope: Scope, found: pd.DataFrame) -> dict[str, Input | Missing]:
    products = scope.rolled_up("product", found["product"])
    regions = scope.rolled_up("region", found["region"], below=scope.region)
    frame = pd.DataFrame(
        {"product": products.to_numpy(), "region": regions.to_numpy(), "samples": found["inspected"].to_numpy(dtype="float64")}
    )
    frame = frame[(frame["product"] != "") & (frame["region"] != "")]
    cells = frame.groupby(["product", "region"], sort=True)["samples"].sum().reset_index()
    if cells.empty:
        return {
            "coverage_cells": Missing(Text(zh="抽查记录没有可用的产品或地区代码", en="the records have no usable product or region codes"))
        }
    origin = Origin(
        room="riskwatch.runner.report_records.spot_checks",
        method=Text(
            zh="按产品大类与地区合计抽查批次（各种抽样方式）", en="samples summed by product category and region, whatever the selection"
        ),
        stream="spot_check",
        records=len(found),
        filters={"region": scope.region or "all"},
        **_span(scope),
    )
    return {"coverage_cells": Input(cells, origin)}


def injuries(scope: Scope) -> dict[str, Input | Missing]:
    """Return persons injured by product category against the same period of last year."""
    past = year_before(scope.period)
    both = [
        scope.records("injury", ("product", "persons"), scope.period.first, scope.period.last),
        scope.compared("injury", ("product", "persons"), past),
    ]
    if both[0].empty:
        return {"injuries": _none("injury", "本期", "in the period")}
    everything = pd.concat([frame.astype({"product": object}) for frame in both], keys=["now", "past"])
    everything = everything.assign(code=scope.rolled_up("product", everything["product"]).to_numpy())
    period = everything.index.get_level_values(0)
    kept = (everything["code"] != "").to_numpy()
    small = scope.rules.small
    frame = injury_frame(
        everything[kept & (period == "now")],
        everything[kept & (period == "past")],
        level=scope.rules.interval,
        min_cases=small.estimate_min_cases,
        max_cv=small.max_cv,
    )
    level = _level(scope)
    origin = Origin(
        room="riskwatch.reports.counting.injury_frame",
        method=Text(
            zh=f"按涉及产品1的大类合计人数；与上年同期之比，{level} 精确区间（两个泊松计数）；上年同期按同样的滞后取数；未校正监测医院数",
            en=f"persons by category of the first product; ratio to last year's with {level} exact interval of two Poisson"
            " counts; the number of"
            " hospitals is not allowed for; last year as known when as old",
        ),
        stream="injury",
        records=len(both[0]),
        filters={"region": scope.region or "all"},
        parameters={
            "report.interval": f"{scope.rules.interval:g}",
            "report.small.estimate_min_cases": str(small.estimate_min_cases),
            "report.small.max_cv": f"{small.max_cv:g}",
        },
        **_span(scope),
    )
    return {"injuries": Input(frame, origin)}


def notices(scope: Scope) -> dict[str, Input | Missing]:
    """Return external notices by system against last year; they belong to no region."""
    past = year_before(scope.period)
    everywhere = dataclasses.replace(scope, region="")
    both = [
        everywhere.records("external_notice", ("system", "notices"), scope.period.first, scope.period.last),
        everywhere.compared("external_notice", ("system", "notices"), past),
    ]
    if both[0].empty:
        return {"notices": _none("external_notice", "本期", "in the period")}
    origin = Origin(
        room="riskwatch.reports.counting.notice_frame",
        method=Text(zh="按通报系统合计通报数", en="notices summed by system"),
        stream="external_notice",
        records=len(both[0]),
        **_span(scope),
    )
    return {"notices": Input(notice_frame(*both), origin)}
