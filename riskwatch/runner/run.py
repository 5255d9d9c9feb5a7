"""One pipeline run: freeze the inputs, take the steps, write the outcome in one transaction, render the digests."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from riskwatch import __version__
from riskwatch.assessment import Assessment, Grade, assess
from riskwatch.assessment import to_payload as assessment_payload
from riskwatch.definitions.types import PipelineDefinition
from riskwatch.errors import AsOfError, DefinitionError, Problem
from riskwatch.lifecycle import EarlyWarning, WarningEvent, advance
from riskwatch.records.streams import STREAMS
from riskwatch.runner.context import RunContext
from riskwatch.runner.detect import Detection, detect
from riskwatch.runner.digests import write_digests
from riskwatch.runner.pull import PullReport, pull
from riskwatch.runner.quality import quality_report

__all__ = ["RunReport", "run_pipeline"]


@dataclass
class RunReport:
    """What a run did, in figures a script can read."""

    run_id: str
    pipeline: str
    as_of: dt.date
    dry_run: bool = False
    pulls: list[PullReport] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    series: int = 0
    tests: int = 0
    signals: int = 0
    reused_models: list[str] = field(default_factory=list)
    failed_models: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    digests: list[Path] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if everything went well, 1 if a source or model failed and the rest went on."""
        return 1 if self.faults or self.failed_models else 0


def _run_id(pipeline: str, as_of: dt.date) -> str:
    return hashlib.sha256(f"{pipeline}|{as_of.isoformat()}".encode()).hexdigest()[:16]


def _refuse_the_past(ctx: RunContext, pipeline: str) -> None:
    """A run may not go behind the newest day that the warnings already rest on: history would have two endings."""
    newest = ctx.store.newest_run_day(pipeline)
    if newest is not None and ctx.as_of < newest and not ctx.dry_run:
        raise AsOfError(
            f'run {pipeline}: as-of day {ctx.as_of} lies before {newest}, the newest day this store has already decided',
            hint="use --dry-run to see that day without writing, or another database (--set settings.var=DIR) to replay from the start",
        )


def _assess(ctx: RunContext, detection: Detection, quality: Mapping[str, object]) -> list[Assessment]:
    definitions = ctx.definitions
    since = ctx.as_of - dt.timedelta(days=definitions.grading.recent_days)
    signals = detection.signals
    records: dict[str, pd.DataFrame] = {}
    for stream in STREAMS:
        records[stream] = ctx.store.read_records(stream, as_of=ctx.as_of, since=since, until=ctx.as_of)
    items = ctx.store.read_items("spot_check", as_of=ctx.as_of, since=since, until=ctx.as_of)
    return assess(
        signals,
        records,
        items,
        as_of=ctx.as_of,
        rules=definitions.grading,
        actions=definitions.actions,
        hazards=definitions.hazards,
        trees=ctx.trees,
        quality=quality,
        holidays=ctx.holidays,
    )


def run_pipeline(ctx: RunContext, pipeline: PipelineDefinition) -> RunReport:
    """Run ``pipeline`` as of ``ctx.as_of`` and return what it did.

    The caller holds the lease. Killing the process at any point and running again gives the same end state: landed batches are
    judged again, detections are addressed by content, and all decisions of the day are written in one transaction.

    Raises
    ------
    AsOfError
        If the day lies before one that the store has already decided (not for dry runs).
    """
    _refuse_the_past(ctx, pipeline.name)
    report = RunReport(_run_id(pipeline.name, ctx.as_of), pipeline.name, ctx.as_of, ctx.dry_run)
    detection = Detection()
    assessments: list[Assessment] = []
    warnings: Sequence[EarlyWarning] = ()
    events: Sequence[WarningEvent] = ()
    quality: Mapping[str, object] = {}
    for step in pipeline.steps:
        if step.step == "pull":
            report.pulls = pull(ctx, step.sources)
            report.faults.extend(f"{entry.source}: {fault}" for entry in report.pulls for fault in entry.faults)
        elif step.step == "detect":
            detection = detect(ctx, step.models)
        elif step.step == "assess":
            quality = quality_report(ctx, detection, report.pulls)
            assessments = _assess(ctx, detection, quality)
        elif step.step == "warn":
            outcome = advance(ctx.store.read_warnings(), assessments, as_of=ctx.as_of, rules=ctx.definitions.grading)
            warnings, events = outcome.warnings, outcome.events
            if not ctx.dry_run:
                ctx.store.write_run(...)
        else:
            report.digests = write_digests(ctx, ...)
    return report
