"""Pull: sources -> raw landing -> parsed rows -> versioned records and quarantine.

One thread reads and parses, the other writes: on two cores the two overlap. Every batch is its own pair of transactions (landed,
then judged), so that a killed pull starts again where it stopped and ends in the same state.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskwatch.definitions.types import SourceDefinition
from riskwatch.errors import RecordError, SourceError
from riskwatch.records import STREAMS, Parsed, Stream, parse
from riskwatch.runner.context import RunContext
from riskwatch.sources import RawBatch, SourceFault, SourceState, open_source
from riskwatch.store import IngestCounts
from riskwatch.store.landing import compress

__all__ = ["PullReport", "pull", "pull_source"]

_QUEUE = 2  # batches parsed ahead: enough to overlap, little enough to bound memory
TEXT_COLUMN = "_text"  # only column of a batch of rows that fit no table
RAGGED = "ragged-row"


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
    failed: bool = False  # the source as a whole could not be read (to its end)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A batch with its parsed rows, their content hashes and its raw rows packed for landing; or why they could not be parsed."""

    batch: RawBatch
    payload: bytes
    parsed: Parsed | None
    fault: str
    hashes: npt.NDArray[np.int64] | None = None


def _judge(batch: RawBatch, source: SourceDefinition, ctx: RunContext) -> _Judged:
    payload = b"" if ctx.dry_run else compress(batch.table)
    try:
        parsed = parse(batch.table, source, ctx.trees, today=max(ctx.today, ctx.as_of), first_row=batch.first_row)
    except RecordError as error:
        return _Judged(batch, payload, None, str(error))
    return _Judged(batch, payload, parsed, "", None if ctx.dry_run else ctx.store.content_hash(parsed.records, parsed.items))


def _judged_ahead(batches: Iterator[RawBatch | SourceFault], source: SourceDefinition, ctx: RunContext) -> Iterator[_Judged | SourceFault]:
    """Yield parsed batches, read and parsed by a second thread."""
    pipe: queue.Queue[_Judged | SourceFault | BaseException | None] = queue.Queue(maxsize=_QUEUE)
    stop = threading.Event()

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
                put(batch if isinstance(batch, SourceFault) else _judge(batch, source, ctx))
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


def _faults_first(entries: Iterator[_Judged | SourceFault]) -> Iterator[_Judged | SourceFault]:
    """Yield the faults of a file before its last batch.

    Once its last batch is stored, a file counts as read and is not opened again: refused rows that came after it would be lost if the
    process were killed in between.
    """
    held: _Judged | None = None
    for entry in entries:
        if held is not None and not (isinstance(entry, SourceFault) and entry.name == held.batch.name):
            yield held
            held = None
        if isinstance(entry, _Judged) and entry.batch.last:
            held = entry
        else:
            yield entry
    if held is not None:
        yield held


def _store(ctx: RunContext, source: SourceDefinition, judged: _Judged, report: PullReport) -> None:
    """Land one batch and, if it could be parsed, store its records and its quarantine."""
    batch = judged.batch
    report.rows += batch.table.num_rows
    if judged.parsed is not None:
        report.duplicates += judged.parsed.duplicates
        report.notes.extend(note for note in judged.parsed.notes if note not in report.notes)
    if ctx.dry_run:
        if judged.parsed is not None:
            report.new += len(judged.parsed.records)
            report.rejected += judged.parsed.rejected["row_no"].nunique()
    else:
        landed = ctx.store.land(batch, source.stream, landed_at=ctx.now, payload=judged.payload)
        if judged.parsed is not None:
            _count(report, ctx.store.ingest(landed, judged.parsed, raw=batch.table, arrived_at=ctx.now, hashes=judged.hashes))
        if judged.parsed is not None and batch.cursor is not None:
            ctx.store.set_cursor(source.name, batch.cursor)
    ctx.heartbeat()
    if judged.fault:
        report.faults.append(f"{batch.name}: {judged.fault}")


def _count(report: PullReport, counts: IngestCounts) -> None:
    report.new += counts.new
    report.changed += counts.changed
    report.same += counts.same
    report.stale += counts.stale
    report.rejected += counts.rejected


def _judge_again(ctx: RunContext, source: SourceDefinition, report: PullReport) -> None:
    """Judge what landed and was never judged: a run was killed in between, or the mapping was wrong and has been mended."""
    for landed, table in ctx.store.pending(source.name):
        try:
            parsed = parse(table, source, ctx.trees, today=max(ctx.today, ctx.as_of), first_row=landed.first_row)
        except RecordError as error:
            report.faults.append(f"{landed.name}: {error}")
            continue
        _count(report, ctx.store.ingest(landed, parsed, raw=table, arrived_at=ctx.now))


def _keep_bad_rows(ctx: RunContext, source: SourceDefinition, fault: SourceFault, report: PullReport) -> None:
    """Put rows that fit no table (too many cells, say) in quarantine as the text they were."""
    if ctx.dry_run or not fault.rows:
        return
    text = pa.table({TEXT_COLUMN: pa.array([row.text for row in fault.rows], pa.string())})
    key = hashlib.sha256("\n".join([fault.name, *(f"{row.row_no}:{row.text}" for row in fault.rows)]).encode()).hexdigest()
    batch = RawBatch(source.name, fault.name, key, text, first_row=fault.rows[0].row_no, cursor=None, last=False)
    rejected = pd.DataFrame(
        {
            "row_no": batch.first_row + np.arange(len(fault.rows)),
            "field": "",
            "rule": RAGGED,
            "value": [row.text for row in fault.rows],
            "message": [row.message for row in fault.rows],
        }
    )
    landed = ctx.store.land(batch, source.stream, landed_at=ctx.now)
    _count(report, ctx.store.ingest(landed, nothing_but(STREAMS[source.stream], rejected), raw=text, arrived_at=ctx.now))


def nothing_but(stream: Stream, rejected: pd.DataFrame) -> Parsed:
    """Return a parse result with rejections only."""
    fields = [field.name for field in stream.all_fields]
    items = ["record_key", "item_no", *(field.name for field in stream.items), "row_no"]
    empty = pd.DataFrame(columns=[*fields, "row_no", "known_on"])
    return Parsed(empty, pd.DataFrame(columns=items), rejected, pd.DataFrame(columns=["row_no", "into", "reason"]), ())


def pull_source(ctx: RunContext, source: SourceDefinition) -> PullReport:
    """Pull one source to its end; a fault is reported, not raised, so that the other sources go on."""
    report = PullReport(source.name)
    files: set[str] = set()
    try:
        if not ctx.dry_run:
            _judge_again(ctx, source, report)
        state = SourceState(ctx.store.source_status(source.name).cursor, ctx.store.seen_keys(source.name))
        batches = open_source(source, root=ctx.root, data=ctx.definitions.data, state=state)
        with ctx.reporter.task(f"pull {source.name}") as task:
            for entry in _faults_first(_judged_ahead(batches, source, ctx)):
                if isinstance(entry, SourceFault):
                    # Rows that fit no table go to quarantine like other bad rows; files that could not be read are faults.
                    (report.notes if entry.kind in {"settling", "rows"} else report.faults).append(str(entry))
                    _keep_bad_rows(ctx, source, entry, report)
                    continue
                files.add(entry.batch.name)
                _store(ctx, source, entry, report)
                task.advance(entry.batch.table.num_rows)
    except SourceError as error:
        report.failed = True
        report.faults.append(str(error))
    report.files = len(files)
    if not ctx.dry_run:
        ctx.store.note_pull(source.name, at=ctx.now, error="; ".join(report.faults)[:2000] or None)
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
