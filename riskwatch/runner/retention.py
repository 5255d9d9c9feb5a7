"""Apply ``config/retention.yaml``: work out what must stay whatever the rules say, then delete the rest.

What stays: events of warnings and cases (a chain), runs and batches (few bytes each, and what was read before is told by them); what an
open warning, or the open case of one that has recovered, rests on; what the next run reads back; records as far back as the longest history
that a model of their stream learns from.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from riskwatch.definitions.types import ModelDefinition
from riskwatch.delivery.rules import FileChannel
from riskwatch.errors import ProjectError, RiskwatchError
from riskwatch.lifecycle import EarlyWarning
from riskwatch.runner.casework import office_of, read_register
from riskwatch.runner.context import RunContext
from riskwatch.runner.messages import delivery_rules
from riskwatch.runner.report_period import parse_period
from riskwatch.store.retention import Cutoffs, free_space, sweep
from riskwatch.store.retention_rules import RetentionRules

__all__ = ["RetentionReport", "least_record_days", "retain", "retention_rules"]

_LONGEST = {"day": 1, "week": 7, "4-week": 28, "month": 31}  # days of a period


@dataclass(frozen=True)
class RetentionReport:
    """What went, or would go: rows by table, files by folder, and bytes that the database file shrank by (None: not measured)."""

    as_of: dt.date
    dry_run: bool
    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    freed: int | None = None


def retention_rules(ctx: RunContext) -> RetentionRules | None:
    """Return the project's rules; None where it has none and so keeps everything."""
    content = ctx.definitions.catalogue("retention")
    return RetentionRules.model_validate(content) if content else None


def least_record_days(ctx: RunContext) -> dict[str, int]:
    """Return for each stream with a model how many days of records its models need, at the least."""
    needed: dict[str, int] = {}
    for model in ctx.definitions.models.values():
        needed[model.stream] = max(needed.get(model.stream, 0), _history_days(model))
    return needed


def _history_days(model: ModelDefinition) -> int:
    """Return how far a model looks back from a day: its history, what it judges, what it waits for, and a period that is not complete."""
    waits = model.ripe_after_days + (model.delay.history_days + model.delay.max_delay_days if model.delay is not None else 0)
    return _LONGEST[model.frequency] * (model.history_periods + model.judge + 2) + waits


def retain(ctx: RunContext, *, dry_run: bool = False) -> RetentionReport:
    """Delete what the rules no longer keep as of the run's day; without rules nothing.

    Applying twice, or after a kill, comes to the same as once.

    Raises
    ------
    ProjectError
        If records are to be kept for less than a model needs.
    StoreError
        If the database refuses; then no row is deleted.
    """
    rules = retention_rules(ctx)
    if rules is None:
        return RetentionReport(ctx.as_of, dry_run)
    cutoffs = _cutoffs(ctx, rules)
    rows = sweep(ctx.store.database, cutoffs, dry_run=dry_run)
    files: dict[str, int] = {}
    for name, old in _old_folders(ctx, rules):
        files[name] = files.get(name, 0) + sum(path.is_file() for path in old.rglob("*"))
        if not dry_run:
            _remove(old)
    freed = free_space(ctx.store.database) if rows and not dry_run else None
    return RetentionReport(ctx.as_of, dry_run, rows, files, freed)


def _cutoffs(ctx: RunContext, rules: RetentionRules) -> Cutoffs:
    open_warnings = _open_warnings(ctx)
    return Cutoffs(
        raw=_first(ctx, rules.raw_days),
        quarantine=_first(ctx, rules.quarantine_days),
        detections=_first(ctx, rules.detection_days),
        assessments=_first(ctx, rules.assessment_days),
        warnings=_first(ctx, rules.warning_days),
        # The number of a digest counts those of its year.
        messages=_first(ctx, rules.message_days),
        digests=None if (first := _first(ctx, rules.digest_days)) is None else min(first, ctx.as_of.replace(month=1, day=1)),
        records=_first_records(ctx, rules, open_warnings),
        protected_days=frozenset(_days_of(ctx, open_warnings)),
    )


def _open_warnings(ctx: RunContext) -> list[EarlyWarning]:
    """Return the warnings that live or whose case people have not closed."""
    known = [EarlyWarning.from_payload(row.payload) for row in ctx.store.read_warnings()]
    cases = {} if office_of(ctx) is None else read_register(ctx, warnings=known).cases
    return [one for one in known if one.live or (one.state == "recovered" and one.warning_id in cases and not cases[one.warning_id].closed)]


def _first(ctx: RunContext, days: int | None) -> dt.date | None:
    return None if days is None else ctx.as_of - dt.timedelta(days=days)


def _days_of(ctx: RunContext, warnings: list[EarlyWarning]) -> Iterator[dt.date]:
    """Yield the days on which open warnings rest: when they began, when they changed, and whose measures stand."""
    ids = {warning.warning_id for warning in warnings}
    for warning in warnings:
        yield from (warning.first_seen, warning.last_changed, warning.proposed_on or warning.last_changed)
    yield from (event.as_of for event in ctx.store.read_events() if event.warning_id in ids)


def _first_records(ctx: RunContext, rules: RetentionRules, open_warnings: list[EarlyWarning]) -> dict[str, dt.date]:
    least = least_record_days(ctx)
    # What speaks for a warning lies within the window that floors look at, before its first day.
    window = dt.timedelta(days=ctx.grading.floors.lookback_days)
    oldest = min((warning.first_seen - window for warning in open_warnings), default=ctx.as_of)
    first = {}
    for stream, days in rules.record_days.items():
        if days < least.get(stream, 0):
            raise ProjectError(
                f"retention: record_days: {stream}: models learn from {least[stream]} days of it, got {days}",
                hint="keep the records for at least so long, or shorten history_periods of the models",
            )
        first[stream] = min(ctx.as_of - dt.timedelta(days=days), oldest)
    return first


def _old_folders(ctx: RunContext, rules: RetentionRules) -> Iterator[tuple[str, Path]]:
    """Yield folders of rendered files that are older than they are kept; folders that are named otherwise are none of ours."""
    digests = _first(ctx, rules.digest_file_days)
    for name, folder in _children(ctx.definitions.var / "digests") if digests is not None else ():
        day = _day(name)
        if day is not None and digests is not None and day < digests:
            yield "digests", folder
    drops = _first(ctx, rules.drop_file_days)
    for place in _drop_folders(ctx) if drops is not None else ():
        for name, folder in _children(place):
            day = _day(name)
            if day is not None and drops is not None and day < drops:
                yield "drops", folder
    reports = _first(ctx, rules.report_days)
    for name, folder in _children(ctx.definitions.var / "reports") if reports is not None else ():
        try:
            last = parse_period(name).last
        except RiskwatchError:
            continue
        if reports is not None and last < reports:
            yield "reports", folder


def _drop_folders(ctx: RunContext) -> list[Path]:
    """Return where channels of the kind file write; it holds a folder for each day."""
    known = delivery_rules(ctx.definitions)
    channels = () if known is None else known.channels
    return sorted({one.place(ctx.root, ctx.definitions.var) for one in channels if isinstance(one, FileChannel)})


def _children(folder: Path) -> Iterator[tuple[str, Path]]:
    if folder.is_dir():
        yield from ((path.name, path) for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink())


def _day(name: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(name) if len(name) == 10 else None
    except ValueError:
        return None


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise RiskwatchError(f"Cannot delete {folder}: {error.strerror or error}.", hint="look at the rights of the folder") from error
