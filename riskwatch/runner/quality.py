"""How fresh and whole the data are that a run stands on: for the digest's data-quality part and for the confidence of an assessment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from riskwatch.assessment.absence import artefact_flags, recall_flags, reporter_homes, reporters, silent_shares, standard_flags
from riskwatch.assessment.code_changes import code_flags, transfer_flags
from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.definitions.types import SourceDefinition
from riskwatch.digest.inputs import QualityReport, SourceHealth
from riskwatch.dossiers.registers import recalls_in_force
from riskwatch.runner.context import RunContext
from riskwatch.runner.detect import SERIES, Detection
from riskwatch.runner.dossier_rules import dossier_rules
from riskwatch.runner.freshness import ABSENT, freshness_by_source
from riskwatch.runner.messages import delivery_rules
from riskwatch.runner.pull import PullReport
from riskwatch.runner.standards import standard_catalogue

EVER = 36_500  # natural days

__all__ = ["ReporterState", "assessment_quality", "quality_report", "reporter_state", "source_health", "source_state"]

State = Literal["on-time", "late", "silent", "closed", "failed"]


def source_state(source: SourceDefinition, newest_event: dt.date | None, as_of: dt.date, *, fault: bool = False) -> State:
    """Return how a source stands on a day: by the age of its newest event against what is expected of it.

    A closed source (``expected.until`` passed and everything up to then seen or given up) is not expected to say anything.
    """
    expected = source.expected
    if expected.until is not None and as_of > expected.until + dt.timedelta(days=expected.silent_after_days):
        return "closed"
    if fault:
        return "failed"
    if newest_event is None:
        return "silent"
    age = (as_of - newest_event).days
    if age > expected.silent_after_days:
        return "silent"
    return "late" if age > expected.late_after_days else "on-time"


_MESSAGES: dict[State, tuple[str, str]] = {
    "on-time": ("", ""),
    "late": ("最新数据已逾 {late} 天，近期结论请谨慎使用", "newest data older than {late} days: read recent figures with care"),
    "silent": ("超过 {silent} 天无数据：不等于没有风险", "no data for more than {silent} days: this is not an all clear"),
    "closed": ("该来源已于 {until} 停止", "this source ended on {until}"),
    "failed": ("本次未能读取，详见运行日志", "could not be read this time; the run's log says why"),
}
_PARTLY = ("部分文件未能读取，详见运行日志", "some files could not be read; the run's log says which")


_WORST = ("on-time", "late", "fail", "silent")


def source_health(ctx: RunContext, pulls: list[PullReport]) -> tuple[SourceHealth, ...]:
    """Return the state of every source in force as of the run's day."""
    fresh = freshness_by_source(ctx.store, ctx.as_of)
    failed = {report.source for report in pulls if report.failed}
    partly = {report.source for report in pulls if report.faults}
    found = []
    for name, source in ctx.definitions.sources.items():
        row = fresh.get(name, ABSENT)
        state = source_state(source, row.newest_event, ctx.as_of, fault=name in failed)
        words = {
            "late": source.expected.late_after_days,
            "silent": source.expected.silent_after_days,
            "until": source.expected.until,
        }
        # A fault may quote a cell or a path: the digest says that it happened, the log says what.
        zh, en = _PARTLY if name in partly and state in {"on-time", "late"} else _MESSAGES[state]
        found.append(
            SourceHealth(
                source=name,
                region=source.region or source.constants.get("region", ""),
                zh=source.label.zh,
                en=source.label.en,
                newest_event=row.newest_event,
                newest_known=row.newest_known,
                records=row.recent,
                state=state,
                quarantine_open=row.open_quarantine,
                message_zh=zh.format(**words),
                message_en=en.format(**words),
            )
        )
    return tuple(found)


def assessment_quality(ctx: RunContext, quality: QualityReport, absence: ReporterState) -> dict[str, object]:
    """Return the states of sources and streams as the assessment reads them; closed sources say nothing."""
    states = {entry.source: "fail" if entry.state == "failed" else entry.state for entry in quality.sources if entry.state != "closed"}
    streams: dict[str, str] = {}
    for name, source in ctx.definitions.sources.items():
        # A stream is as good as its best source.
        if name in states:
            streams[source.stream] = min(streams.get(source.stream, "silent"), states[name], key=_WORST.index)
    return {"sources": states, "streams": streams, "flags": absence.flags, "silent": absence.shares}


@dataclass(frozen=True)
class ReporterState:
    """Silent reporters and artefacts as of a day.

    Attributes
    ----------
    homes : mapping
        Stream -> region -> reporters at home there that are silent, and that are expected to report.
    shares : mapping
        Stream -> region -> share of the region's usual records that silent reporters bring.
    flags : list of mapping
        Artefacts and completed recalls, as grading reads them.
    """

    homes: Mapping[str, Mapping[str, tuple[int, int]]]
    shares: Mapping[str, Mapping[str, float]]
    flags: list[dict[str, object]]


def reporter_state(ctx: RunContext) -> ReporterState:
    """Read who reported when, and judge silence and artefacts by it."""
    rules, artefacts = ctx.grading.absence, ctx.grading.artefacts
    paths, products = (TreePaths(tree_of(ctx.trees, name)) for name in ("region", "product"))
    since = ctx.as_of - dt.timedelta(days=rules.history_days + rules.forget_days)
    homes: dict[str, dict[str, tuple[int, int]]] = {}
    shares: dict[str, dict[str, float]] = {}
    flags: list[dict[str, object]] = []
    for stream, column in rules.reporters.items():
        columns = ["record_id", "event_date", "known_at", "region", "product", column]
        records = ctx.store.read_records(stream, columns=columns, as_of=ctx.as_of, since=since, until=ctx.as_of)
        records = records.rename(columns={column: "reporter"})
        found = reporters(records, as_of=ctx.as_of, rules=rules)
        homes[stream] = reporter_homes(records, found, paths)
        shares[stream] = silent_shares(records, found, paths)
        if stream == "injury":
            flags += artefact_flags(stream, records, as_of=ctx.as_of, rules=artefacts, paths=paths)
            flags += transfer_flags(stream, records, as_of=ctx.as_of, rules=artefacts, products=products)
    if (tree := ctx.trees.get("product")) is not None:
        flags += code_flags(tree.changes(), as_of=ctx.as_of, rules=artefacts)
    changes = standard_catalogue(ctx.definitions).changes(ctx.definitions.profile)
    dated = [(change.effective_from, change.products) for change in changes if change.level_shift]
    flags += standard_flags(dated, as_of=ctx.as_of, rules=artefacts)
    recalls = ctx.store.read_records("recall", as_of=ctx.as_of)
    complete = dossier_rules(ctx.definitions).recalls.complete
    # All that ever ended: a recall overdue for years still says that the product is not dealt with.
    standing = recalls_in_force(recalls, as_of=ctx.as_of, ended_days=EVER, complete=complete)
    flags += recall_flags(standing, as_of=ctx.as_of, rules=artefacts)
    return ReporterState(homes, shares, flags)


def quality_report(ctx: RunContext, detection: Detection, pulls: list[PullReport], absence: ReporterState | None = None) -> QualityReport:
    """Gather what the digest says about the data: sources, thin series, cells not judged, models that failed."""
    thin: list[tuple[str, str, str, str, str]] = []
    for run in detection.runs:
        # Most items of most goods never fail: that is no defect of the data.
        if (model := ctx.definitions.models.get(run.model)) is not None and model.by_item:
            continue
        for key in run.rolled_up["series"].astype(str):
            product, industry, region, stratum = key.split("|", len(SERIES) - 1)
            thin.append((run.model, product, industry, region, stratum))
    signals = detection.signals
    refused = signals.loc[signals["reason"] != "", "reason"].value_counts()
    return QualityReport(
        sources=source_health(ctx, pulls),
        duplicates=ctx.store.repeated_rows(),
        rolled_up=tuple(thin),
        refused={str(reason): int(count) for reason, count in refused.items()},
        failed_models=tuple(sorted(detection.failed)),
        silent_reporters={} if absence is None else absence.homes,
        undelivered=_undelivered(ctx),
    )


def _undelivered(ctx: RunContext) -> dict[str, tuple[tuple[str, dt.date], ...]]:
    """Return the dead letters of the days before, by centre; those of long ago are no news."""
    rules = delivery_rules(ctx.definitions)
    if rules is None:
        return {}
    since = ctx.as_of - dt.timedelta(days=rules.mention_days)
    found: dict[str, tuple[tuple[str, dt.date], ...]] = {}
    for one in ctx.store.dead_letters():
        if since <= one.as_of < ctx.as_of:
            found[one.centre] = (*found.get(one.centre, ()), (one.kind, one.as_of))
    return found
