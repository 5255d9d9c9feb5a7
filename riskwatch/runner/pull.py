"""Pull: sources -> raw landing -> parsed rows -> versioned records and quarantine.

One thread reads and parses, the other writes: on two cores the two overlap. Every batch is its own pair of transactions (landed,
then judged), so that a killed pull starts again where it stopped and ends in the same state.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskwatch.definitions.types import SourceDefinition
from riskwatch.errors import RecordError, SourceError
from riskwatch.records import STREAMS, Parsed, Stream, parse
from riskwatch.redaction import redacted
from riskwatch.runner.context import RunContext
from riskwatch.sources import RawBatch, SourceFault, SourceState, open_source
from riskwatch.store import IngestCounts
from riskwatch.store.landing import compress

__all__ = ["PullReport", "nothing_but", "pull", "pull_source", "refused_rows"]

_QUEUE = 2  # batches parsed ahead: enough to overlap, little enough to bound memory
TEXT_COLUMN = "_text"  # only column of a batch of rows that fit no table
RAGGED = "ragged-row"


@dataclass(slots=True)
class PullReport:
    """What one pull of one source did, in rows.

    ``rows`` is the sum of ``new``, ``changed``, ``same``, ``stale``, ``duplicates``, ``items``, ``rejected`` and ``waiting``: no row
    is lost. A dry run does not compare with the store and counts every good row as new.
    """

    source: str
    files: int = 0
    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    stale: int = 0
    duplicates: int = 0
    items: int = 0  # rows that add a test item to the sample of an earlier row
    rejected: int = 0
    waiting: int = 0  # landed, but not to be judged before the definition is mended
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


def _store(ctx: RunContext, source: SourceDefinition, judged: _Judged, report: PullReport, waiting: Collection[int]) -> None:
    """Land one batch and, if it could be parsed, store its records and its quarantine; ``waiting`` batches were reported before."""
    batch = judged.batch
    known = False
    if ctx.dry_run:
        if judged.parsed is not None:
            counts = IngestCounts(new=len(judged.parsed.records), rejected=judged.parsed.rejected["row_no"].nunique())
            _count(report, counts, judged.parsed, batch.table.num_rows)
    else:
        landed = ctx.store.land(batch, source.stream, landed_at=ctx.now, payload=judged.payload)
        known = landed.batch_id in waiting
        # A batch of a file that an earlier pull did not get to the end of may be judged already: it counts no more.
        if judged.parsed is not None and not landed.judged:
            counts = ctx.store.ingest(landed, judged.parsed, raw=batch.table, arrived_at=ctx.now, hashes=judged.hashes)
            _count(report, counts, judged.parsed, batch.table.num_rows)
        if judged.parsed is not None and batch.cursor is not None:
            ctx.store.set_cursor(source.name, batch.cursor)
    ctx.heartbeat()
    if judged.fault and not known:
        report.rows += batch.table.num_rows
        report.waiting += batch.table.num_rows
        report.faults.append(f"{batch.name}: {judged.fault}")


def _count(report: PullReport, counts: IngestCounts, parsed: Parsed, rows: int) -> None:
    """Add one judged batch of ``rows`` rows to the report."""
    report.rows += rows
    report.new += counts.new
    report.changed += counts.changed
    report.same += counts.same
    report.stale += counts.stale
    report.rejected += counts.rejected
    report.duplicates += parsed.duplicates
    report.items += len(parsed.merged) - parsed.duplicates
    report.notes.extend(note for note in parsed.notes if note not in report.notes)


def _judge_again(ctx: RunContext, source: SourceDefinition, report: PullReport) -> set[int]:
    """Judge what landed and was never judged: a run was killed in between, or the mapping was wrong and has been mended.

    Returns
    -------
    set of int
        Batches that still cannot be judged; they are in the report.
    """
    waiting = set()
    for landed, table in ctx.store.pending(source.name):
        if table.column_names == [TEXT_COLUMN]:
            parsed = refused_rows(landed.stream, table, landed.first_row)
            _count(report, ctx.store.ingest(landed, parsed, raw=table, arrived_at=ctx.now), parsed, len(parsed.rejected))
            continue
        try:
            parsed = parse(table, source, ctx.trees, today=max(ctx.today, ctx.as_of), first_row=landed.first_row)
        except RecordError as error:
            report.rows += table.num_rows
            report.waiting += table.num_rows
            report.faults.append(f"{landed.name}: {error}")
            waiting.add(landed.batch_id)
            continue
        _count(report, ctx.store.ingest(landed, parsed, raw=table, arrived_at=ctx.now), parsed, table.num_rows)
    return waiting


def _keep_bad_rows(ctx: RunContext, source: SourceDefinition, fault: SourceFault, report: PullReport) -> None:
    """Put rows that fit no table (too many cells, say) in quarantine as the text they were, under their numbers in the file."""
    if not fault.rows:
        return
    first = min(row.row_no for row in fault.rows)
    texts: list[str | None] = [None] * (max(row.row_no for row in fault.rows) - first + 1)
    for row in fault.rows:
        texts[row.row_no - first] = row.text
    table = pa.table({TEXT_COLUMN: pa.array(texts, pa.string())})
    parsed = refused_rows(source.stream, table, first, {row.row_no: row.message for row in fault.rows})
    if ctx.dry_run:
        _count(report, IngestCounts(rejected=len(fault.rows)), parsed, len(fault.rows))
        return
    key = hashlib.sha256("\n".join([fault.name, *(f"{row.row_no}:{row.text}" for row in fault.rows)]).encode()).hexdigest()
    batch = RawBatch(source.name, fault.name, key, table, first_row=first, cursor=None, last=True)
    landed = ctx.store.land(batch, source.stream, landed_at=ctx.now)
    if not landed.judged:
        _count(report, ctx.store.ingest(landed, parsed, raw=table, arrived_at=ctx.now), parsed, len(fault.rows))


def refused_rows(stream: str, table: pa.Table, first_row: int, messages: Mapping[int, str] | None = None) -> Parsed:
    """Return the quarantine of rows that fit no table.

    Parameters
    ----------
    stream : str
        Stream of their source.
    table : pyarrow.Table
        The only column :data:`TEXT_COLUMN`: texts of the refused rows; null for those between, which were read.
    first_row : int
        Number in the file of the table's first row.
    messages : mapping of int to str, optional
        What is wrong, by row number.
    """
    texts = table.column(TEXT_COLUMN).to_numpy()
    places = np.flatnonzero(pd.notna(texts))
    rejected = pd.DataFrame(
        {
            "row_no": first_row + places,
            "field": "",
            "rule": RAGGED,
            "value": texts[places],
            "message": [(messages or {}).get(int(first_row + place), "the row fits no table: send it again") for place in places],
        }
    )
    return nothing_but(STREAMS[stream], rejected)


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
        waiting = set() if ctx.dry_run else _judge_again(ctx, source, report)
        state = SourceState(ctx.store.source_status(source.name).cursor, ctx.store.seen_keys(source.name))
        batches = open_source(source, root=ctx.root, data=ctx.definitions.data, state=state)
        with ctx.reporter.task(f"pull {source.name}") as task:
            for entry in _judged_ahead(batches, source, ctx):
                if isinstance(entry, SourceFault):
                    # Rows that fit no table go to quarantine like other bad rows; files that could not be read are faults.
                    (report.notes if entry.kind in {"settling", "rows"} else report.faults).append(str(entry))
                    _keep_bad_rows(ctx, source, entry, report)
                    continue
                files.add(entry.batch.name)
                _store(ctx, source, entry, report, waiting)
                task.advance(entry.batch.table.num_rows)
    except SourceError as error:
        report.failed = True
        report.faults.append(str(error))
    report.files = len(files)
    report.faults = [redacted(fault) for fault in report.faults]
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
            + (f", {report.waiting} waiting to be judged" if report.waiting else "")
            + "".join(f"\n  fault: {fault}" for fault in report.faults)
            + "".join(f"\n  note: {note}" for note in report.notes)
        )
    return reports
