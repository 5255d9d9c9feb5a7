"""Delete what is older than a project keeps, or count it: in one transaction, with the rules of what must stay handed in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import pyarrow as pa
import sqlalchemy as sa

from riskwatch.store.database import Database, Session
from riskwatch.store.faults import translated
from riskwatch.store.tables import (
    ITEM_TABLES,
    RECORD_TABLES,
    assessment,
    batch,
    delivery_attempt,
    detection,
    digest,
    message,
    quarantine,
    raw_chunk,
    rolled_up,
    signal,
    warning,
)

__all__ = ["Cutoffs", "free_space", "sweep"]


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """First day that is kept of each kind; None keeps all.

    ``protected_days`` are days on which open warnings rest: their assessments and the judgements in force on them stay. Digests are kept
    from ``digests`` on, messages that are done with from ``messages`` on; ``records`` has a first day for every stream that is not kept
    for good.
    """

    raw: dt.date | None = None
    quarantine: dt.date | None = None
    detections: dt.date | None = None
    assessments: dt.date | None = None
    warnings: dt.date | None = None
    digests: dt.date | None = None
    messages: dt.date | None = None
    records: Mapping[str, dt.date] = field(default_factory=dict)
    protected_days: frozenset[dt.date] = frozenset()


def sweep(database: Database, cutoffs: Cutoffs, *, dry_run: bool) -> dict[str, int]:
    """Delete rows that lie before the cutoffs and return how many went of each table; a dry run only counts them.

    Raises
    ------
    StoreError
        If the database refuses; then nothing is deleted.
    """
    deleted: dict[str, int] = {}
    with database.session("apply the retention", write=True, lock=None) as session:
        for table, condition in _conditions(session, cutoffs):
            count = int(session.scalar(sa.select(sa.func.count()).select_from(table).where(condition)))
            if count:
                deleted[table.name] = deleted.get(table.name, 0) + count
                if not dry_run:
                    session.execute(table.delete().where(condition))
    return deleted


def _conditions(session: Session, cutoffs: Cutoffs) -> Iterable[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """Yield tables with the rows that may go; rows that refer to others come before those."""
    if cutoffs.raw is not None:
        waiting = sa.select(quarantine.c.batch_id).where(quarantine.c.state != "resolved")
        # An instant is text that sorts as time does: a day is smaller than any instant within it.
        old = sa.select(batch.c.batch_id).where(batch.c.state == "judged", batch.c.landed_at < cutoffs.raw.isoformat())
        yield raw_chunk, sa.and_(raw_chunk.c.batch_id.in_(old), raw_chunk.c.batch_id.not_in(waiting))
    if cutoffs.quarantine is not None:
        yield quarantine, sa.and_(quarantine.c.state == "resolved", quarantine.c.resolved_at < cutoffs.quarantine.isoformat())
    if cutoffs.detections is not None:
        gone = session.stage("gone_detection", pa.table({"detection_id": pa.array(_old_detections(session, cutoffs), pa.string())}))
        for table in (signal, rolled_up, detection):
            yield table, table.c.detection_id.in_(sa.select(gone.c.detection_id))
    if cutoffs.assessments is not None:
        yield assessment, sa.and_(assessment.c.as_of < cutoffs.assessments, assessment.c.as_of.not_in(sorted(cutoffs.protected_days)))
    if cutoffs.warnings is not None:
        later = warning.alias("later")
        newer = sa.select(later.c.warning_id).where(
            later.c.warning_id == warning.c.warning_id, later.c.as_of > warning.c.as_of, later.c.as_of <= cutoffs.warnings
        )
        # How each warning stood on the first day that is kept stays readable, and so on every day after it.
        yield warning, sa.exists(newer)
    if cutoffs.digests is not None:
        yield digest, digest.c.as_of < cutoffs.digests
    if cutoffs.messages is not None:
        # A dead letter waits for a person, however long.
        done = sa.and_(message.c.as_of < cutoffs.messages, message.c.state.in_(("sent", "dropped")))
        yield delivery_attempt, delivery_attempt.c.message_key.in_(sa.select(message.c.message_key).where(done))
        yield message, done
    for stream, first in cutoffs.records.items():
        table = RECORD_TABLES[stream]
        old_version = sa.and_(table.c.event_date < first, table.c.known_at < first)
        if stream in ITEM_TABLES:
            items = ITEM_TABLES[stream]
            yield items, items.c.record_id.in_(sa.select(table.c.record_id).where(old_version))
        yield table, old_version


def _old_detections(session: Session, cutoffs: Cutoffs) -> list[str]:
    """Return the detections that no one reads any more.

    Kept are those from the cutoff on; the newest of each model, which the next run may read back; those that judged a period which the
    newest judges too, for how often a period was looked at decides how strictly it is judged; and those in force on a protected day.
    """
    if cutoffs.detections is None:
        return []
    known = session.rows(sa.select(detection.c.detection_id, detection.c.model, detection.c.as_of))
    spans = {
        row["detection_id"]: (row["first"], row["last"])
        for row in session.rows(
            sa.select(
                signal.c.detection_id, sa.func.min(signal.c.period_start).label("first"), sa.func.max(signal.c.period_start).label("last")
            ).group_by(signal.c.detection_id)
        )
    }
    gone: list[str] = []
    for model in sorted({row["model"] for row in known}):
        mine = sorted((row["as_of"], row["detection_id"]) for row in known if row["model"] == model)
        kept = {name for day, name in mine if day >= cutoffs.detections or day == mine[-1][0]}
        for protected in cutoffs.protected_days:
            before = [day for day, _ in mine if day <= protected]
            kept |= {name for day, name in mine if before and day == before[-1]}
        looked = [spans[name][0] for day, name in mine if day == mine[-1][0] and name in spans]
        if looked:
            kept |= {name for _, name in mine if name in spans and spans[name][1] >= min(looked)}
        gone += [name for _, name in mine if name not in kept]
    return gone


def free_space(database: Database) -> int | None:
    """Give pages that hold nothing back to the disk; return how many bytes the file shrank by, None where the server does it by itself.

    A SQLite file that was made before pages could be given back keeps them for what is written next, until ``VACUUM`` is run on it.

    Raises
    ------
    StoreError
        If the file is in use.
    """
    if database.path is None:
        return None
    import sqlite3  # noqa: PLC0415 - Python's driver, which must not have the file open beside ours: see riskwatch.store.database

    database.close()
    before = database.path.stat().st_size
    with translated(database.shown, "free space"), closing(sqlite3.connect(database.path, timeout=database.busy_seconds)) as connection:
        # Each step of the statement frees one page; only a script is stepped to its end.
        connection.executescript("PRAGMA incremental_vacuum")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return before - database.path.stat().st_size
