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
from riskwatch.assessment import Action, Assessment, Grade, discoveries, from_payload
from riskwatch.assessment.discovery import counts_of
from riskwatch.assessment.memory import FORGETFUL, Memory
from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.assessment.supporting import RULE as ANOMALY_STEP
from riskwatch.assessment.supporting import supporting, supportive
from riskwatch.casework.case import CaseEvent
from riskwatch.casework.view import Handling
from riskwatch.definitions.types import PipelineDefinition
from riskwatch.digest import Digest, QualityReport
from riskwatch.errors import AsOfError, RiskwatchError, StoreError
from riskwatch.lifecycle import EarlyWarning, WarningEvent, advance
from riskwatch.records.streams import STREAMS
from riskwatch.runner.anomalies import anomaly_frame
from riskwatch.runner.assess import assess_day, first_alarm, since_alarm
from riskwatch.runner.borders import borders_hash, borders_of
from riskwatch.runner.casework import case_rows, day_reactions, handlings
from riskwatch.runner.context import RunContext
from riskwatch.runner.detect import Detection, detect
from riskwatch.runner.digests import DIGEST_LANGUAGE, DigestInputs, build_digests, render_all, render_files, write_files
from riskwatch.runner.looks import with_looks
from riskwatch.runner.messages import messages_of
from riskwatch.runner.pull import PullReport, pull
from riskwatch.runner.quality import ReporterState, quality_report, reporter_state
from riskwatch.runner.recorded import Forms, fill_in, run_counts
from riskwatch.runner.rows import assessment_row, event_rows, warning_row
from riskwatch.store import DigestRow

__all__ = [
    "Decided",
    "RunReport",
    "all_events",
    "decide",
    "digest_inputs",
    "next_run_id",
    "read_lifecycle",
    "run_pipeline",
    "supported_by_profiles",
    "with_q",
]


@dataclass
class RunReport:
    """What a run did, in figures a script can read."""

    run_id: str
    pipeline: str
    as_of: dt.date
    dry_run: bool = False
    unchanged: bool = False
    pulls: list[PullReport] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    series: int = 0
    tests: int = 0
    discovery: dict[str, int] = field(default_factory=dict)
    signals: int = 0
    reused_models: list[str] = field(default_factory=list)
    failed_models: dict[str, str] = field(default_factory=dict)
    anomalies: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    digests: list[Path] = field(default_factory=list)
    reports: list[Path] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 if everything went well, 1 if a source, a model or a delivery failed and the rest went on."""
        return 1 if self.faults or self.failed_models else 0


@dataclass
class Decided:
    """What the steps of a run have come to so far."""

    detection: Detection = field(default_factory=Detection)
    signals: pd.DataFrame = field(default_factory=pd.DataFrame)
    quality: QualityReport = field(default_factory=QualityReport)
    absence: ReporterState = field(default_factory=lambda: ReporterState({}, {}, []))
    assessments: Sequence[Assessment] = ()
    warnings: Sequence[EarlyWarning] = ()
    events: Sequence[WarningEvent] = ()
    past_events: Sequence[WarningEvent] = ()
    case_events: Sequence[CaseEvent] = ()
    handled: Mapping[str, Handling] | None = None
    digests: Sequence[Digest] = ()


def _refuse_the_past(ctx: RunContext, pipeline: str) -> None:
    """Refuse to go behind the newest day that the warnings already rest on: history would have two endings."""
    newest = ctx.store.newest_run_day(pipeline)
    if newest is not None and ctx.as_of < newest and not ctx.dry_run:
        raise AsOfError(
            f"run {pipeline}: as-of day {ctx.as_of} lies before {newest}, the newest day this store has already decided",
            hint="use --dry-run to see that day without writing, or another folder (--set settings.var=DIR) to replay from the start",
        )


def _basis(ctx: RunContext, pipeline: PipelineDefinition, pulls: Sequence[PullReport]) -> str:
    """Return the hash of all that a run's outcome rests on; the same basis on the same day needs no second run."""
    definitions = ctx.definitions
    basis = {
        "version": __version__,
        "as_of": ctx.as_of.isoformat(),
        "pipeline": definitions.hashes.get(f"pipelines.{pipeline.name}", ""),
        "definitions": dict(sorted(definitions.hashes.items())),
        "trees": {name: tree.fingerprint for name, tree in sorted(ctx.trees.items())},
        "vintages": {stream: ctx.store.data_vintage(stream, as_of=ctx.as_of) for stream in STREAMS},
        "borders": borders_hash(borders_of(ctx.root)),
        "quarantine": len(ctx.store.list_quarantine()),
        # What people did since, and the terms that it set running.
        "acts": ctx.store.last_act(),
        # The digest says which sources could not be read whole.
        "faults": sorted(entry.source for entry in pulls if entry.faults),
    }
    if any(step.step == "report" for step in pipeline.steps):
        from riskwatch.runner.periodic import report_basis  # noqa: PLC0415 - drawing and typesetting libraries load with it

        basis["reports"] = report_basis(ctx, pipeline.name)
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def next_run_id(ctx: RunContext, pipeline: str) -> str:
    """Return the id of the next run of a day: the same after a kill, another one once a run of that day is done."""
    done = sum(run["state"] == "done" for run in _runs_of(ctx, pipeline))
    return f"{pipeline}-{ctx.as_of.isoformat()}-{done + 1}"


def _runs_of(ctx: RunContext, pipeline: str) -> list[dict[str, object]]:
    """Return the runs of a pipeline and day, last first: by their number, for the clock may have been set back between them."""
    mine = [run for run in ctx.store.read_runs(limit=1000) if run["pipeline"] == pipeline and run["as_of"] == ctx.as_of]
    return sorted(mine, key=lambda run: int(str(run["run_id"]).rpartition("-")[2]), reverse=True)


def read_lifecycle(ctx: RunContext) -> tuple[list[EarlyWarning], list[WarningEvent]]:
    """Return the stored warnings as they stand on the as-of day, and all events up to it."""
    warnings = [EarlyWarning.from_payload(row.payload) for row in ctx.store.read_warnings(as_of=ctx.as_of)]
    events = [WarningEvent.from_payload(row.payload) for row in ctx.store.read_events(until=ctx.as_of)]
    return warnings, events


def with_q(ctx: RunContext, signals: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Add the false-discovery rate over all judged cells of the run, as the assessment has it; also return the counts of the tests."""
    paths = {name: TreePaths(tree_of(ctx.trees, name)) for name in ("product", "industry", "region")}
    tests = discoveries(signals, ctx.grading, paths)
    return signals.assign(q_value=tests.loc[tests["judged"], "q_value"]), counts_of(tests, ctx.grading)


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
    report = RunReport(next_run_id(ctx, pipeline.name), pipeline.name, ctx.as_of, ctx.dry_run)
    steps = {step.step: step for step in pipeline.steps}
    report.steps = list(steps)
    if "pull" in steps:
        report.pulls = pull(ctx, steps["pull"].sources)
        report.faults.extend(f"{entry.source}: {fault}" for entry in report.pulls for fault in entry.faults)
    basis = _basis(ctx, pipeline, report.pulls)
    if _stands(ctx, pipeline, basis, report):
        _deliver(ctx, report)
        _retain(ctx, report)
        return report
    if not ctx.dry_run:
        ctx.store.start_run(report.run_id, pipeline=pipeline.name, as_of=ctx.as_of, now=ctx.now, definitions=ctx.definitions.hashes)
    decided = decide(ctx, pipeline, report)
    report.records = {stream: ctx.store.count_records(stream, ctx.as_of) for stream in STREAMS}
    _tell(report, decided)
    if "report" in steps:
        from riskwatch.runner.periodic import write_reports  # noqa: PLC0415 - drawing and typesetting libraries load with it

        # Before the run is marked as done: after a kill between the two they are made again, the same.
        report.reports = write_reports(ctx)
    # Rendered before anything is written: the run records what it publishes.
    forms = render_all(ctx, decided.digests) if decided.digests else {}
    if not ctx.dry_run:
        _write(ctx, report, decided, basis, forms)
    if "digest" in steps:
        report.digests = write_files(ctx, forms)
    _deliver(ctx, report)
    _retain(ctx, report)
    return report


def _deliver(ctx: RunContext, report: RunReport) -> None:
    """Empty the outbox. What cannot be delivered is a fault, and takes nothing back: the day is decided."""
    if "deliver" not in report.steps or ctx.dry_run:
        return
    from riskwatch.runner.deliver import deliver  # noqa: PLC0415 - mail and HTTP libraries load with it

    try:
        outcome = deliver(ctx, bounded=True)
    except RiskwatchError as error:
        report.faults.append(f"deliver: {error.message}")
        return
    report.messages = {name: count for name in ("sent", "retry", "dead", "withdrawn", "waiting") if (count := getattr(outcome, name))}
    report.faults.extend(outcome.faults)


def _retain(ctx: RunContext, report: RunReport) -> None:
    """Take the step ``retain``, the last of all: what it deletes, no step before it of this day or a later one reads."""
    if "retain" in report.steps and not ctx.dry_run:
        from riskwatch.runner.retention import retain  # noqa: PLC0415 - most pipelines have no such step

        ctx.heartbeat()
        report.deleted = retain(ctx).rows


def decide(ctx: RunContext, pipeline: PipelineDefinition, report: RunReport) -> Decided:
    """Take the steps after the pull, in order; nothing of it is written but the detections."""
    decided = Decided()
    for step in pipeline.steps:
        ctx.heartbeat()
        if step.step == "detect":
            decided.detection = detect(ctx, step.models)
            decided.signals, report.discovery = with_q(ctx, with_looks(ctx, decided.detection.signals))
        elif step.step == "assess":
            decided.absence = reporter_state(ctx)
            decided.quality = quality_report(ctx, decided.detection, report.pulls, decided.absence)
            since = since_alarm(ctx, first_alarm(decided.signals))
            decided.assessments = assess_day(ctx, decided.signals, decided.quality, decided.absence, since=since)
        elif step.step == "profile":
            decided.assessments = supported_by_profiles(ctx, decided.assessments, report)
        elif step.step == "warn":
            before, decided.past_events = read_lifecycle(ctx)
            outcome = advance(
                before,
                decided.assessments,
                as_of=ctx.as_of,
                rules=ctx.grading,
                judged=decided.signals,
                trees=ctx.trees,
                silent=decided.absence.shares,
            )
            decided.warnings, decided.events = outcome.warnings, outcome.events
            worked = day_reactions(ctx, decided.warnings, all_events(decided))
            if worked is not None:
                register, reactions = worked
                decided.case_events, decided.handled = reactions.events, handlings(register, ctx.as_of)
        elif step.step == "digest":
            decided.digests = build_digests(ctx, digest_inputs(ctx, decided))
    return decided


def supported_by_profiles(
    ctx: RunContext, assessments: Sequence[Assessment], report: RunReport, memory: Memory = FORGETFUL
) -> Sequence[Assessment]:
    """Put anomalies beside the concerns that they support; without them the run goes on, for they grade nothing."""
    try:
        # They rest on records and config/anomalies.yaml alone.
        found = memory.recall("anomalies", None, lambda: supportive(anomaly_frame(ctx, "product-region")))
        support = supporting(found, assessments, trees=ctx.trees)
    except StoreError:
        raise
    except RiskwatchError as error:
        report.faults.append(f"profile: {error}")
        return assessments
    backed = sum(entry.steps[-1].rule == ANOMALY_STEP for entry in support.assessments)
    report.anomalies = {"supporting": backed, "watch": len(support.watch)}
    return support.assessments


def digest_inputs(ctx: RunContext, decided: Decided) -> DigestInputs:
    """Return what the digests of all centres share, from what the steps of a run have come to."""
    events = all_events(decided)
    changed_today = {event.warning_id for event in events if event.as_of == ctx.as_of}
    warnings = [warning for warning in decided.warnings if warning.state != "recovered" or warning.warning_id in changed_today]
    return DigestInputs(
        assessments=decided.assessments,
        warnings=[_as_people_have_it(warning, decided.handled) for warning in warnings],
        events=events,
        detection=decided.detection,
        signals=decided.signals,
        quality=decided.quality,
        open_actions=_open_actions(ctx, warnings),
        handled=decided.handled,
    )


def _as_people_have_it(warning: EarlyWarning, handled: Mapping[str, Handling] | None) -> EarlyWarning:
    """Return a warning at the level that people decided on, where they did: it stands over what the machine proposes."""
    known = (handled or {}).get(warning.warning_id)
    return warning if known is None or known.level is None else dataclasses.replace(warning, grade=known.level)


def all_events(decided: Decided) -> list[WarningEvent]:
    """Return stored and new events, each once."""
    known = {event.event_id for event in decided.past_events}
    return [*decided.past_events, *(event for event in decided.events if event.event_id not in known)]


def _open_actions(ctx: RunContext, warnings: Sequence[EarlyWarning]) -> dict[str, Sequence[Action]]:
    """Return the measures proposed when each open warning last changed: their due dates stand and do not slide from day to day."""
    since = {warning.warning_id: warning.proposed_on or warning.last_changed for warning in warnings}
    days = sorted({day for day in since.values() if day < ctx.as_of})
    actions: dict[str, Sequence[Action]] = {}
    for day in days:
        stored: dict[tuple[str, ...], Sequence[Action]] = {}
        for row in ctx.store.read_assessments(as_of=day):
            found = from_payload(row.payload)
            stored[found.subject.kind, found.subject.code, found.subject.region] = found.actions
            # The place of a warning may have widened since: then any assessment of its subject on that day will do.
            stored.setdefault((found.subject.kind, found.subject.code), found.actions)
        for warning in warnings:
            subject = warning.subject
            if since[warning.warning_id] == day and (subject.kind, subject.code) in stored:
                exact = (subject.kind, subject.code, subject.region)
                actions[warning.warning_id] = stored.get(exact, stored[exact[:2]])
    return actions


def _tell(report: RunReport, decided: Decided) -> None:
    signals = decided.signals
    judged = signals[signals["reason"] == ""] if len(signals) else signals
    report.series = 0 if judged.empty else int(judged[["model", "product", "industry", "region", "stratum"]].drop_duplicates().shape[0])
    report.tests = len(judged)
    report.signals = int(judged["alarm"].sum()) if len(judged) else 0
    report.reused_models = decided.detection.reused
    report.failed_models = dict(decided.detection.failed)
    live = [warning for warning in decided.warnings if warning.live and warning.grade >= Grade.IV]
    report.warnings = {grade.name: count for grade in sorted(Grade, reverse=True) if (count := sum(w.grade is grade for w in live))}
    today = [event for event in all_events(decided) if event.as_of == report.as_of]
    report.events = {kind: sum(event.kind == kind for event in today) for kind in sorted({event.kind for event in today})}


def _write(ctx: RunContext, report: RunReport, decided: Decided, basis: str, forms: Forms) -> None:
    """Write all decisions of the day in one transaction."""
    ctx.store.write_run_results(
        report.run_id,
        now=ctx.now,
        detections=[run.result(ctx.as_of) for run in decided.detection.runs if not run.reused],
        assessments=[assessment_row(entry) for entry in decided.assessments],
        warnings=[warning_row(warning, ctx.as_of) for warning in decided.warnings if warning.last_run == ctx.as_of],
        events=event_rows(decided.events),
        case_events=case_rows(decided.case_events),
        digests=[
            DigestRow(digest.header.centre, ctx.as_of, DIGEST_LANGUAGE, digest.header.issue_no, digest.model_dump(mode="json"))
            for digest in decided.digests
        ],
        messages=messages_of(ctx, decided.digests, decided.warnings, all_events(decided)),
        counts=run_counts(ctx, report, decided, basis, forms),
    )


def _stands(ctx: RunContext, pipeline: PipelineDefinition, basis: str, report: RunReport) -> bool:
    """Fill in the report from the last run of the day if it rests on the same basis; render its digests again."""
    if ctx.dry_run:
        return False
    done = [run for run in _runs_of(ctx, pipeline.name) if run["state"] == "done"]
    counts = done[0]["counts"] if done else {}
    if not isinstance(counts, Mapping) or counts.get("basis") != basis:
        return False
    reports = [ctx.definitions.var / str(name) for name in counts.get("reports", ())]
    if not all(path.is_file() for path in reports):
        return False
    report.reports = reports
    report.run_id = str(done[0]["run_id"])
    report.unchanged = True
    fill_in(report, counts)
    if "digest" not in report.steps:
        return True
    rows = [ctx.store.read_digest(centre, ctx.as_of, language=DIGEST_LANGUAGE) for centre in ctx.definitions.centres]
    report.digests = render_files(ctx, [Digest.model_validate(row.payload) for row in rows if row is not None])
    return True
