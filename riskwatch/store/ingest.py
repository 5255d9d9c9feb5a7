"""Judged rows into versioned records: one transaction per batch."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from riskwatch.errors import StoreError
from riskwatch.records.streams import STREAMS, Stream
from riskwatch.store.columns import arrow_column, arrow_rows, days
from riskwatch.store.database import Database, Session, instant
from riskwatch.store.keys import key_hashes
from riskwatch.store.landing import Landed
from riskwatch.store.tables import ITEM_TABLES, RECORD_TABLES, batch, quarantine
from riskwatch.store.versions import CHANGED, NEW, SAME, STALE, Incoming, Plan, Stored, plan_versions

__all__ = ["IngestCounts", "Judged", "ingest", "store_records", "store_rejected"]

Ints = npt.NDArray[np.int64]
_VALUE_CHARACTERS = 400


class Judged(Protocol):
    """What ingest needs of ``records.parse``'s result.

    ``records`` has a column per ``Stream.all_fields`` plus ``row_no`` and ``known_on`` (NaT: on arrival); ``items`` has ``record_key``,
    ``item_no``, the stream's item fields and ``row_no`` of the owning record; ``rejected`` has ``row_no, field, rule, value, message``;
    ``merged`` has ``row_no, into, reason``: rows that became part of the record of row ``into``. Row numbers are those of the file: the
    first row of the batch has the number ``Landed.first_row``.
    """

    @property
    def records(self) -> pd.DataFrame:
        """Good records."""

    @property
    def items(self) -> pd.DataFrame:
        """Their child rows."""

    @property
    def rejected(self) -> pd.DataFrame:
        """One line per broken rule."""

    @property
    def merged(self) -> pd.DataFrame:
        """Rows that are part of another row's record."""


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """Rows of one or more batches by what became of them; ``stale`` are older versions that arrived late."""

    new: int = 0
    changed: int = 0
    same: int = 0
    stale: int = 0
    rejected: int = 0

    def __add__(self, other: IngestCounts) -> IngestCounts:
        return IngestCounts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def rows(self) -> int:
        """All rows that were judged."""
        return self.new + self.changed + self.same + self.stale + self.rejected


def ingest(
    database: Database,
    landed: Landed,
    judged: Judged,
    content_hash: Ints,
    *,
    raw: pa.Table,
    arrived_on: dt.date,
    now: dt.datetime,
) -> IngestCounts:
    """Store the records of one batch as versions, its bad rows in quarantine, and mark it as judged, all in one transaction.

    Parameters
    ----------
    database : Database
        Where to store.
    landed : Landed
        The batch, landed before. One that is judged already changes nothing and counts nothing.
    judged : Judged
        Result of ``records.parse``.
    content_hash : array of int64, shape (record,)
        Hash of each record's content, items included.
    raw : pyarrow.Table
        The raw rows; those that were rejected go into the quarantine as JSON.
    arrived_on : date
        Day of arrival in the project's zone.
    now : datetime
        Instant for ``created_at``.

    Raises
    ------
    StoreError
        If the database refuses; then nothing of the batch is stored, and it is still waiting as ``landed``.
    """
    if landed.judged:
        return IngestCounts()
    doing = f'store batch {landed.batch_id} ({landed.name}) of source "{landed.source}"'
    with database.session(doing, write=True, lock=RECORD_TABLES[landed.stream]) as session:
        state = session.scalar(sa.select(batch.c.state).where(batch.c.batch_id == landed.batch_id))
        if state != "landed":
            return IngestCounts()
        counts = store_records(session, landed, judged.records, judged.items, content_hash=content_hash, arrived_on=arrived_on)
        rejected = store_rejected(session, landed, judged.rejected, raw, now)
        counts += IngestCounts(rejected=rejected)
        repeated = int((judged.merged["reason"] == "duplicate").sum())
        session.execute(
            batch.update()
            .where(batch.c.batch_id == landed.batch_id)
            .values(state="judged", n_rejected=rejected, n_same=batch.c.n_same + repeated)
        )
    return counts


def store_records(
    session: Session, landed: Landed, records: pd.DataFrame, items: pd.DataFrame, *, content_hash: Ints, arrived_on: dt.date
) -> IngestCounts:
    """Write the versions that are new or changed; part of a transaction that holds the lock of the record table."""
    stream, table = STREAMS[landed.stream], RECORD_TABLES[landed.stream]
    if not len(records):
        return IngestCounts()
    columns = {field.name: arrow_column(records[field.name], table.c[field.name], session.dialect) for field in stream.all_fields}
    keys = columns["record_key"]
    hashes = key_hashes(landed.source, keys)
    ordered = np.sort(hashes)
    codes = _codes(hashes, ordered, keys)
    last_id = int(session.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.record_id), 0))))
    stored, top_version = _stored(session, table, landed.source, ordered=ordered, codes=codes, keys=keys, empty=last_id == 0)
    declared = pd.to_datetime(records["known_on"]).to_numpy().astype("datetime64[D]")
    incoming = Incoming(codes, np.asarray(content_hash, np.int64), declared)
    plan = plan_versions(incoming, stored, np.datetime64(arrived_on, "D"))
    _close(session, table, plan)
    if plan.rows.size:
        record_id = np.arange(last_id + 1, last_id + 1 + plan.rows.size, dtype=np.int64)
        version = _version_numbers(hashes[plan.rows], top_version)
        _append_records(
            session,
            table,
            landed,
            columns,
            plan=plan,
            record_id=record_id,
            version=version,
            hashes=hashes,
            content_hash=incoming.content_hash,
            row_no=records["row_no"].to_numpy(),
        )
        if stream.items and len(items):
            _append_items(session, stream, records["row_no"].to_numpy()[plan.rows], record_id, items)
    found = np.bincount(plan.status, minlength=4)
    _account(session, landed, plan, found)
    return IngestCounts(new=int(found[NEW]), changed=int(found[CHANGED]), same=int(found[SAME]), stale=int(found[STALE]))


def _codes(hashes: Ints, ordered: Ints, keys: pa.Array | pa.ChunkedArray) -> Ints:
    """Give each key of a batch a number; the texts are only looked at where two rows share a hash."""
    if not (ordered[1:] == ordered[:-1]).any():
        return np.arange(hashes.size, dtype=np.int64)
    return np.asarray(pd.factorize(keys.to_numpy(zero_copy_only=False) if isinstance(keys, pa.Array) else keys.to_numpy())[0], np.int64)


def _stored(
    session: Session, table: sa.Table, source: str, *, ordered: Ints, codes: Ints, keys: pa.Array | pa.ChunkedArray, empty: bool
) -> tuple[Stored, dict[int, int]]:
    """Read all versions of the keys of a batch, and the highest version number of each hash that has any."""
    if empty:
        return Stored.empty(), {}
    wanted = session.stage("incoming_key", pa.table({"key_hash": pa.array(ordered[np.append(True, ordered[1:] != ordered[:-1])])}))
    names = ("record_id", "key_hash", "version", "content_hash", "known_at", "declared_on", "superseded_at", "source", "record_key")
    # The join starts at the staged keys, a few thousand, and looks each up in the index.
    found = session.fetch(
        sa.select(*(table.c[name] for name in names)).select_from(wanted.join(table, wanted.c.key_hash == table.c.key_hash))
    )
    if not found.num_rows:
        return Stored.empty(), {}
    found_hash = found.column("key_hash").to_numpy()
    version = found.column("version").to_numpy()
    top = pd.Series(version).groupby(found_hash).max()
    first = pd.Index(keys.to_numpy(zero_copy_only=False) if isinstance(keys, pa.Array) else keys.to_numpy())
    lookup = pd.Series(codes, index=first)
    lookup = lookup[~lookup.index.duplicated()]
    code = lookup.reindex(found.column("record_key").to_numpy()).fillna(-1).to_numpy().astype(np.int64)
    mine = (code >= 0) & (found.column("source").to_numpy() == source)
    return (
        Stored(
            key=code[mine],
            record_id=found.column("record_id").to_numpy()[mine],
            version=version[mine],
            content_hash=found.column("content_hash").to_numpy()[mine],
            known=days(found.column("known_at"))[mine],
            declared=days(found.column("declared_on"))[mine],
            superseded=days(found.column("superseded_at"))[mine],
        ),
        {int(key): int(value) for key, value in zip(top.index.to_numpy(), top.to_numpy(), strict=True)},
    )


def _version_numbers(hashes: Ints, top: dict[int, int]) -> Ints:
    """Continue the numbering of versions from the highest stored one of the same hash, in file order."""
    ordered = np.sort(hashes)
    twice = (ordered[1:] == ordered[:-1]).any()
    within = pd.Series(hashes).groupby(hashes).cumcount().to_numpy() if twice else np.zeros(hashes.size, np.int64)
    base = pd.Series(hashes).map(top).fillna(0).to_numpy().astype(np.int64) if top else 0
    return np.asarray(base + within + 1, np.int64)


def _close(session: Session, table: sa.Table, plan: Plan) -> None:
    if not plan.closed.size:
        return
    closed_at = arrow_column(pa.array(plan.closed_at), table.c.superseded_at, session.dialect)
    staged = session.stage("closed_version", pa.table({"record_id": pa.array(plan.closed), "superseded_at": closed_at}))
    session.execute(table.update().values(superseded_at=staged.c.superseded_at).where(table.c.record_id == staged.c.record_id))


def _account(session: Session, landed: Landed, plan: Plan, found: Ints) -> None:
    """Add to the batch's row what was done, and the days on which it changed what is visible."""
    values: dict[str, Any] = {
        f"n_{name}": batch.c[f"n_{name}"] + int(found[status])
        for name, status in (("new", NEW), ("changed", CHANGED), ("same", SAME), ("stale", STALE))
    }
    touched = np.concatenate([plan.known, plan.superseded, plan.closed_at])
    touched = touched[~np.isnat(touched)]
    if touched.size:
        low, high = touched.min().item(), touched.max().item()
        values["known_from"] = sa.case((batch.c.known_from < low, batch.c.known_from), else_=low)
        values["known_to"] = sa.case((batch.c.known_to > high, batch.c.known_to), else_=high)
    session.execute(batch.update().where(batch.c.batch_id == landed.batch_id).values(values))


def _append_records(
    session: Session,
    table: sa.Table,
    landed: Landed,
    columns: dict[str, Any],
    *,
    plan: Plan,
    record_id: Ints,
    version: Ints,
    hashes: Ints,
    content_hash: Ints,
    row_no: Ints,
) -> None:
    rows, size = plan.rows, plan.rows.size
    every = size == hashes.size
    own: dict[str, Any] = {
        "record_id": record_id,
        "key_hash": hashes[rows],
        "version": version,
        "content_hash": content_hash[rows],
        "batch_id": np.full(size, landed.batch_id, np.int64),
        "row_no": row_no[rows].astype(np.int64),
    }
    out: dict[str, Any] = {name: pa.array(values) for name, values in own.items()}
    for name, values in (("known_at", plan.known), ("superseded_at", plan.superseded), ("declared_on", plan.declared)):
        out[name] = arrow_column(pa.array(values), table.c[name], session.dialect)
    out["source"] = pa.repeat(landed.source, size)
    taken = pa.array(rows)
    out |= {name: column if every else column.take(taken) for name, column in columns.items()}
    session.append(table, pa.table({column.name: out[column.name] for column in table.columns}))


def _append_items(session: Session, stream: Stream, rows: Ints, record_id: Ints, items: pd.DataFrame) -> None:
    """Write the child rows of the versions that were written from these rows of the file."""
    table = ITEM_TABLES[stream.name]
    place = pd.Index(rows).get_indexer(pd.Index(items["row_no"].to_numpy().astype(np.int64)))
    joined = items[place >= 0].assign(record_id=record_id[place[place >= 0]])
    columns = {column.name: arrow_column(joined[column.name], column, session.dialect) for column in table.columns}
    session.append(table, pa.table(columns))


def store_rejected(session: Session, landed: Landed, rejected: pd.DataFrame, raw: pa.Table, now: dt.datetime) -> int:
    """Put rejected rows in quarantine, each raw row, field and rule once; return the number of rejected rows."""
    if not len(rejected):
        return 0
    if session.dialect == "postgresql":
        session.execute(sa.text('LOCK TABLE "quarantine" IN SHARE ROW EXCLUSIVE MODE'))
    numbers = rejected["row_no"].to_numpy().astype(np.int64)
    distinct = np.unique(numbers)
    last = landed.first_row + raw.num_rows - 1
    outside = (distinct < landed.first_row) | (distinct > last)
    if outside.any():
        raise StoreError(
            f"Cannot quarantine row {int(distinct[outside][0])} of batch {landed.batch_id}: it has rows {landed.first_row} to {last}.",
            hint="row_no counts the rows of the file: give parse the batch's first_row",
        )
    texts = {
        int(number): json.dumps(row, ensure_ascii=False, sort_keys=True)
        for number, row in zip(distinct, raw.take(pa.array(distinct - landed.first_row)).to_pylist(), strict=True)
    }
    entries: dict[str, dict[str, Any]] = {}
    for number, field, rule, value, message in zip(
        numbers, rejected["field"], rejected["rule"], rejected["value"], rejected["message"], strict=True
    ):
        text = texts[int(number)]
        fingerprint = hashlib.sha256("\x1f".join((text, str(field), str(rule))).encode()).hexdigest()
        entries.setdefault(
            fingerprint,
            {
                "source": landed.source,
                "batch_id": landed.batch_id,
                "row_no": int(number),
                "field": str(field),
                "rule": str(rule),
                "value": "" if pd.isna(value) else str(value)[:_VALUE_CHARACTERS],
                "message": str(message),
                "raw": text,
                "fingerprint": fingerprint,
                "state": "open",
                "created_at": instant(now),
                "resolved_at": None,
            },
        )
    staged = session.stage("incoming_rejected", pa.table({"fingerprint": pa.array(list(entries), pa.string())}))
    here = quarantine.c.source == landed.source
    known = session.fetch(
        sa.select(quarantine.c.fingerprint, quarantine.c.state)
        .select_from(staged.join(quarantine, staged.c.fingerprint == quarantine.c.fingerprint))
        .where(here)
    ).to_pylist()
    again = [row["fingerprint"] for row in known if row["state"] == "resolved"]
    if again:
        reopened = session.stage("reopened", pa.table({"fingerprint": pa.array(again, pa.string())}))
        session.execute(
            quarantine.update()
            .where(here, quarantine.c.fingerprint.in_(sa.select(reopened.c.fingerprint)))
            .values(state="open", resolved_at=None)
        )
    for row in known:
        del entries[row["fingerprint"]]
    first = int(session.scalar(sa.select(sa.func.coalesce(sa.func.max(quarantine.c.id), 0)))) + 1
    session.append(
        quarantine, arrow_rows([{"id": first + i, **entry} for i, entry in enumerate(entries.values())], quarantine, session.dialect)
    )
    return int(distinct.size)
