"""Bad rows: list them, judge them again after a fix, take them out as a table."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from riskwatch.store.database import Database, Session, instant
from riskwatch.store.export import write_table
from riskwatch.store.ingest import IngestCounts, Judged, store_records, store_rejected
from riskwatch.store.landing import Landed, read_raw
from riskwatch.store.tables import RECORD_TABLES, batch, quarantine

__all__ = ["RetryCounts", "export_quarantine", "list_quarantine", "retry_quarantine"]

Parse = Callable[[Landed, pa.Table], Judged]
_STATES = ("open", "retried", "resolved")


@dataclass(frozen=True, slots=True)
class RetryCounts:
    """What a retry did: entries resolved, entries that are still wrong, and the records that came of it."""

    resolved: int = 0
    remaining: int = 0
    records: IngestCounts = field(default_factory=IngestCounts)


def list_quarantine(database: Database, source: str | None = None, states: Iterable[str] = ("open", "retried")) -> pd.DataFrame:
    """Return the entries of the quarantine, oldest first.

    Returns
    -------
    DataFrame
        ``id, source, file, row_no, field, rule, value, message, raw, state, created_at, resolved_at``. ``value`` and ``raw`` are as they
        came and may hold personal data: show them to the operator only.
    """
    columns = [column for column in quarantine.columns if column.name not in {"fingerprint", "batch_id"}]
    query = (
        sa.select(*columns, batch.c.name.label("file"))
        .join(batch, batch.c.batch_id == quarantine.c.batch_id)
        .where(quarantine.c.state.in_(list(states)))
        .order_by(quarantine.c.id)
    )
    if source is not None:
        query = query.where(quarantine.c.source == source)
    with database.session("list the quarantine") as session:
        rows = session.rows(query)
    order = ["id", "source", "file", "row_no", "field", "rule", "value", "message", "raw", "state", "created_at", "resolved_at"]
    return pd.DataFrame(rows, columns=order)


def export_quarantine(database: Database, path: Path, source: str | None = None, states: Iterable[str] = ("open", "retried")) -> int:
    """Write the quarantine to a CSV or XLSX file with one column per raw header; return the number of entries.

    No cell can act as a formula (:func:`~riskwatch.store.export.safe_cell`).

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    frame = list_quarantine(database, source, states)
    raw = pd.DataFrame([json.loads(text) for text in frame["raw"]], index=frame.index)
    raw.columns = [f"raw: {name}" for name in raw.columns]
    write_table(pd.concat([frame.drop(columns="raw"), raw], axis=1), path)
    return len(frame)


def retry_quarantine(
    database: Database,
    parse: Parse,
    content_hash: Callable[[pd.DataFrame, pd.DataFrame], npt.NDArray[np.int64]],
    *,
    source: str | None,
    arrived_on: dt.date,
    now: dt.datetime,
) -> RetryCounts:
    """Judge the batches of quarantined rows again, and store what has become good.

    The whole batch is parsed, for a record may be made of several rows; only records that bad rows belong to are stored, so
    that a later correction of a good row is not undone. One transaction per batch.

    Parameters
    ----------
    database : Database
        The store.
    parse : callable
        ``(batch, raw rows) -> parsed``, with the definitions as they are now; ``batch.source`` and ``batch.first_row`` say what it is.
    content_hash : callable
        ``(records, items) -> int64 array``.
    source : str or None
        Only this source; None: all.
    arrived_on : date
        Day on which records without a day of their own count as known.
    now : datetime
        Instant for ``resolved_at``.

    Returns
    -------
    RetryCounts
    """
    query = (
        sa.select(batch)
        .where(batch.c.batch_id.in_(sa.select(quarantine.c.batch_id).where(quarantine.c.state != "resolved")))
        .order_by(batch.c.batch_id)
    )
    if source is not None:
        query = query.where(batch.c.source == source)
    with database.session("list batches with quarantined rows") as session:
        found = [
            Landed(row["batch_id"], row["source"], row["stream"], row["name"], row["first_row"], row["n_rows"], judged=True)
            for row in session.rows(query)
        ]
    total = RetryCounts()
    for landed in found:
        raw = read_raw(database, landed.batch_id)
        judged = parse(landed, raw)
        with database.session(
            f"retry batch {landed.batch_id} of source {landed.source}", write=True, lock=RECORD_TABLES[landed.stream]
        ) as session:
            one = _retry_batch(session, landed, judged, content_hash=content_hash, raw=raw, arrived_on=arrived_on, now=now)
        total = RetryCounts(total.resolved + one.resolved, total.remaining + one.remaining, total.records + one.records)
    return total


def _retry_batch(
    session: Session,
    landed: Landed,
    judged: Judged,
    *,
    content_hash: Callable[[pd.DataFrame, pd.DataFrame], npt.NDArray[np.int64]],
    raw: pa.Table,
    arrived_on: dt.date,
    now: dt.datetime,
) -> RetryCounts:
    mine = sa.and_(quarantine.c.batch_id == landed.batch_id, quarantine.c.state != "resolved")
    entries = session.fetch(sa.select(quarantine.c.id, quarantine.c.row_no, quarantine.c.field, quarantine.c.rule).where(mine)).to_pylist()
    still = {
        (int(row), str(field), str(rule))
        for row, field, rule in zip(*(judged.rejected[name] for name in ("row_no", "field", "rule")), strict=True)
    }
    bad_rows = {row for row, _, _ in still}
    before = {int(entry["row_no"]) for entry in entries}
    # A row that is good now may have become part of the record of another row, a sample with several test items say.
    into = dict(zip(judged.merged["row_no"].tolist(), judged.merged["into"].tolist(), strict=True))
    owners = {into.get(row, row) for row in before - bad_rows}
    records = judged.records[judged.records["row_no"].isin(owners)]
    items = judged.items[judged.items["row_no"].isin(owners)]
    hashes = np.asarray(content_hash(records, items), np.int64)
    counts = store_records(session, landed, records, items, content_hash=hashes, arrived_on=arrived_on)
    resolved = [e["id"] for e in entries if (int(e["row_no"]), e["field"], e["rule"]) not in still]
    remaining = [e["id"] for e in entries if e["id"] not in set(resolved)]
    _mark(session, resolved, {"state": "resolved", "resolved_at": instant(now)})
    _mark(session, remaining, {"state": "retried"})
    # A row whose first fault is mended may show another.
    others = judged.rejected[judged.rejected["row_no"].isin(sorted(before))]
    rejected = store_rejected(session, landed, others, raw, now)
    session.execute(batch.update().where(batch.c.batch_id == landed.batch_id).values(n_rejected=rejected))
    return RetryCounts(len(resolved), len(remaining), counts)


def _mark(session: Session, ids: list[int], values: dict[str, Any]) -> None:
    if ids:
        staged = session.stage("marked_entry", pa.table({"id": pa.array(ids, pa.int64())}))
        session.execute(quarantine.update().where(quarantine.c.id.in_(sa.select(staged.c.id))).values(values))
