"""Pull: sources -> raw landing -> parsed rows -> versioned records and quarantine.

One thread reads and parses, the other writes: on two cores the two overlap. Every batch is its own pair of transactions (landed,
then judged), so that a killed pull starts again where it stopped and ends in the same state.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from riskwatch.definitions.types import SourceDefinition
from riskwatch.errors import RecordError, SourceError
from riskwatch.records import Parsed, parse
from riskwatch.runner.context import RunContext
from riskwatch.sources import RawBatch, SourceFault, open_source

__all__ = ["PullReport", "pull", "pull_source"]

_QUEUE = 2  # batches parsed ahead: enough to overlap, little enough to bound memory


@dataclass(slots=True)
class PullReport:
    """What one pull of one source did, in rows."""

    source: str
    files: int = 0
    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    stale: int = 0
    duplicates: int = 0
    rejected: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Judged:
    batch: RawBatch
    parsed: Parsed | None
    fault: str


def _parsed_ahead(batches: Iterator[RawBatch | SourceFault], source: SourceDefinition, ctx: RunContext) -> Iterator[_Judged | SourceFault]:
    """Yield parsed batches, read and parsed by a second thread."""
    pipe: queue.Queue[_Judged | SourceFault | BaseException | None] = queue.Queue(maxsize=_QUEUE)
    stop = threading.Event()
    latest = max(ctx.today, ctx.as_of)

    def put(entry: _Judged | SourceFault | BaseException | None) -> None:
        while not stop.is_set():
            try:
                pipe.put(entry, timeout=0.5)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for batch in batches:
                if stop.is_set():
                    return
                if isinstance(batch, SourceFault):
                    put(batch)
                    continue
                try:
                    put(_Judged(batch, parse(batch.table, source, ctx.trees, today=latest, first_row=batch.first_row), ""))
                except RecordError as error:
                    put(_Judged(batch, None, str(error)))
            put(None)
        except BaseException as error:  # noqa: BLE001 - handed over and raised again in the consuming thread
            put(error)

    thread = threading.Thread(target=work, name=f"parse-{source.name}", daemon=True)
    thread.start()
    try:
        while (entry := pipe.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry
    finally:
        stop.set()
        thread.join()


def pull_source(ctx: RunContext, source: SourceDefinition) -> PullReport:
    """Pull one source to its end; a fault is reported, not raised, so that the other sources go on."""
    report = PullReport(source.name)
    files: set[str] = set()
    cursor = None
    try:
        batches = open_source(source, root=ctx.root, data=ctx.definitions.data, state=ctx.store.source_state(source.name))
        with ctx.reporter.task(f"pull {source.name}") as task:
            for entry in _parsed_ahead(batches, source, ctx):
                if isinstance(entry, SourceFault):
                    report.faults.append(f"{entry.name}: {entry.message}")
                    continue
                files.add(entry.batch.name)
                report.rows += entry.batch.table.num_rows
                task.advance(entry.batch.table.num_rows)
                if ctx.dry_run:
                    if entry.parsed is not None:
                        report.new += len(entry.parsed.records)
                        report.rejected += entry.parsed.rejected["row_no"].nunique()
                    report.faults.extend([entry.fault] if entry.fault else [])
                    continue
                batch_id = ctx.store.land(entry.batch, landed_at=ctx.now)
                if entry.parsed is None:
                    report.faults.append(f"{entry.batch.name}: {entry.fault}")
                    continue
                counts = ctx.store.ingest(batch_id, source.name, source.stream, entry.parsed, arrived_at=ctx.now)
                report.new += counts.new
                report.changed += counts.changed
                report.same += counts.same
                report.stale += counts.stale
                report.duplicates += entry.parsed.duplicates
                report.rejected += counts.rejected
                report.notes.extend(note for note in entry.parsed.notes if note not in report.notes)
                cursor = entry.batch.cursor or cursor
    except SourceError as error:
        report.faults.append(str(error))
    report.files = len(files)
    if not ctx.dry_run:
        ctx.store.source_pulled(source.name, at=ctx.now, cursor=cursor, error="; ".join(report.faults)[:2000])
    return report


def pull(ctx: RunContext, names: Sequence[str] = ()) -> list[PullReport]:
    """Pull the named sources, or all in force, one after the other."""
    chosen = [source for name, source in ctx.definitions.sources.items() if not names or name in names]
    reports = []
    for source in chosen:
        report = pull_source(ctx, source)
        reports.append(report)
        ctx.reporter.say(
            f"pull {report.source}: {report.files} files, {report.rows} rows: {report.new} new, {report.changed} changed, "
            f"{report.same} unchanged, {report.duplicates} duplicate, {report.rejected} in quarantine"
            + "".join(f"\n  fault: {fault}" for fault in report.faults)
        )
    return reports


