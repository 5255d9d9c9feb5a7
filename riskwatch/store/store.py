"""The store: one object that the runner, the console and notebooks hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskwatch.store import casework, chain, landing, outbox, quarantine, read, results, sourcestate
from riskwatch.store import ingest as ingesting
from riskwatch.store.casework import CaseRow, SilenceRow
from riskwatch.store.database import Database
from riskwatch.store.ingest import IngestCounts, Judged
from riskwatch.store.landing import Landed, Raw
from riskwatch.store.lease import Clock, Lease, acquire
from riskwatch.store.migrate import head_version, migrate, schema_version
from riskwatch.store.outbox import MessageRow, StoredMessage
from riskwatch.store.results import AssessmentRow, DetectionResult, DigestRow, EventRow, WarningRow
from riskwatch.store.sourcestate import SourceStatus

__all__ = ["ContentHash", "Store"]

ContentHash = Callable[[pd.DataFrame, pd.DataFrame], npt.NDArray[np.int64]]


def _default_hash(records: pd.DataFrame, items: pd.DataFrame) -> npt.NDArray[np.int64]:
    from riskwatch.records.hashing import content_hash  # noqa: PLC0415 - loaded with the first batch

    return np.asarray(content_hash(records, items), np.int64)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Store:
    """Records, raw rows, quarantine, runs and results in one SQLite file or PostgreSQL database.

    Use :meth:`open`. Every method that writes does so in one transaction; on a :class:`~riskwatch.errors.StoreError` nothing of
    that call is stored and everything before it is kept. Methods may be called from several threads.

    Parameters
    ----------
    database : Database
        An opened and migrated database.
    zone : str
        The project's zone: it decides on which day an instant of arrival falls.
    content_hash : callable, optional
        ``(records, items) -> int64 array``; by default ``riskwatch.records.hashing.content_hash``.
    """

    def __init__(self, database: Database, *, zone: str = "Asia/Shanghai", content_hash: ContentHash | None = None) -> None:
        self.database = database
        self.zone = ZoneInfo(zone)
        self.content_hash: ContentHash = content_hash or _default_hash
        self.without: frozenset[int] = frozenset()
        """Batches that reading takes as if they had never landed: what a run saw before they came."""

    @classmethod
    def open(cls, url: str, *, zone: str = "Asia/Shanghai", busy_seconds: float = 30.0, content_hash: ContentHash | None = None) -> Self:
        """Open a database, creating or upgrading its tables.

        Raises
        ------
        StoreError
            If it cannot be reached or was written by a newer riskwatch.
        """
        database = Database(url, busy_seconds=busy_seconds)
        try:
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(database, zone=zone, content_hash=content_hash)

    @classmethod
    def existing(cls, url: str) -> Self | None:
        """Open a database that is there with the tables of this code; None, and nothing made or changed, if it is not.

        Raises
        ------
        StoreError
            If it cannot be reached.
        """
        database = Database(url)
        try:
            ready = schema_version(database) == head_version()
        except BaseException:
            database.close()
            raise
        if ready:
            return cls(database)
        database.close()
        return None

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- raw rows and records ---------------------------------------------------------------------------------------

    def land(self, raw: Raw, stream: str, *, landed_at: dt.datetime, payload: bytes | None = None) -> Landed:
        """Store raw rows before they are judged; see :func:`riskwatch.store.landing.land`."""
        return landing.land(self.database, raw, stream, landed_at, payload)

    def ingest(
        self, landed: Landed, judged: Judged, *, raw: pa.Table, arrived_at: dt.datetime, hashes: npt.NDArray[np.int64] | None = None
    ) -> IngestCounts:
        """Store the judged rows of a landed batch; see :func:`riskwatch.store.ingest.ingest`.

        ``hashes`` are the content hashes, where another thread computed them already.
        """
        if hashes is None:
            hashes = self.content_hash(judged.records, judged.items)
        return ingesting.ingest(self.database, landed, judged, hashes, raw=raw, arrived_on=self.day(arrived_at), now=arrived_at)

    def day(self, moment: dt.datetime) -> dt.date:
        """Return the day of an instant in the project's zone."""
        return moment.astimezone(self.zone).date()

    def pending(self, source: str | None = None) -> Iterator[tuple[Landed, pa.Table]]:
        """Yield batches that landed and were never judged, with their raw rows."""
        return landing.pending(self.database, source)

    def seen_keys(self, source: str) -> frozenset[str]:
        """Return the content keys of a source that were read and judged to their end."""
        return landing.seen_keys(self.database, source)

    def read_raw(self, batch_id: int) -> pa.Table:
        """Return the raw rows of a batch exactly as they landed."""
        return landing.read_raw(self.database, batch_id)

    def read_records(
        self,
        stream: str,
        columns: Sequence[str] | None = None,
        as_of: dt.date | None = None,
        *,
        where: Mapping[str, Iterable[object]] | None = None,
        between: Mapping[str, tuple[float, float]] | None = None,
        sources: Iterable[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
    ) -> pd.DataFrame:
        """Read one version per record, the one in force on a day; see :func:`riskwatch.store.read.read_records`."""
        return read.read_records(
            self.database,
            stream,
            columns,
            as_of,
            where=where,
            between=between,
            sources=sources,
            since=since,
            until=until,
            without=self.without,
        )

    def first_known(self, stream: str, sources: Iterable[str] | None = None, as_of: dt.date | None = None) -> pd.DataFrame:
        """Say when corrected records were first known; see :func:`riskwatch.store.read.first_known`."""
        return read.first_known(self.database, stream, sources, as_of, without=self.without)

    def first_events(self, stream: str, as_of: dt.date | None = None) -> dict[str, dt.date]:
        """Return the first day of records by source; see :func:`riskwatch.store.read.first_events`."""
        return read.first_events(self.database, stream, as_of, without=self.without)

    def read_items(self, stream: str, record_ids: Sequence[int] | None = None, as_of: dt.date | None = None) -> pd.DataFrame:
        """Read child rows; see :func:`riskwatch.store.read.read_items`."""
        return read.read_items(self.database, stream, record_ids, as_of, without=self.without)

    def count_records(self, stream: str, as_of: dt.date | None = None) -> int:
        """Return how many records of a stream were known on a day."""
        return read.count_records(self.database, stream, as_of, without=self.without)

    def repeated_rows(self) -> int:
        """Return how many rows, of all that ever landed, only repeated what was known."""
        return landing.repeated_rows(self.database)

    def describe(self) -> str:
        """Say which database this is, without its password."""
        return self.database.shown

    def data_vintage(self, stream: str, sources: Iterable[str] | None = None, as_of: dt.date | None = None) -> str:
        """Fingerprint what is visible on a day; see :func:`riskwatch.store.read.data_vintage`."""
        return read.data_vintage(self.database, stream, sources, as_of)

    def freshness(self, as_of: dt.date) -> pd.DataFrame:
        """Say how fresh each source is; see :func:`riskwatch.store.read.freshness`."""
        return read.freshness(self.database, as_of, without=self.without)

    # --- quarantine -------------------------------------------------------------------------------------------------

    def list_quarantine(self, source: str | None = None, states: Iterable[str] = ("open", "retried")) -> pd.DataFrame:
        """List bad rows; see :func:`riskwatch.store.quarantine.list_quarantine`."""
        return quarantine.list_quarantine(self.database, source, states)

    def export_quarantine(self, path: Path, source: str | None = None, states: Iterable[str] = ("open", "retried")) -> int:
        """Write bad rows to CSV or XLSX, formulas made harmless; return how many."""
        return quarantine.export_quarantine(self.database, path, source, states)

    def retry_quarantine(self, parse: quarantine.Parse, *, arrived_at: dt.datetime, source: str | None = None) -> quarantine.RetryCounts:
        """Judge quarantined rows again with the definitions of today; see :func:`riskwatch.store.quarantine.retry_quarantine`."""
        return quarantine.retry_quarantine(
            self.database, parse, self.content_hash, source=source, arrived_on=self.day(arrived_at), now=arrived_at
        )

    # --- sources ----------------------------------------------------------------------------------------------------

    def source_status(self, source: str) -> SourceStatus:
        """Return cursor and health of a source."""
        return sourcestate.source_status(self.database, source)

    def set_cursor(self, source: str, cursor: str) -> None:
        """Store where the next pull begins."""
        sourcestate.set_cursor(self.database, source, cursor)

    def note_pull(self, source: str, *, at: dt.datetime, error: str | None = None) -> None:
        """Store that a pull ended, well (``error`` None) or not."""
        sourcestate.note_pull(self.database, source, at=at, error=error)

    # --- one run at a time ------------------------------------------------------------------------------------------

    def lease(
        self,
        name: str = "run",
        *,
        seconds: float = 900.0,
        wait_seconds: float = 0.0,
        clock: Clock = _utc_now,
        holder: str | None = None,
    ) -> Lease:
        """Take the lease, or raise LeaseHeldError naming its holder; see :func:`riskwatch.store.lease.acquire`."""
        return acquire(self.database, name, seconds=seconds, wait_seconds=wait_seconds, clock=clock, holder=holder)

    # --- runs and results -------------------------------------------------------------------------------------------

    def start_run(self, run_id: str, *, pipeline: str, as_of: dt.date, now: dt.datetime, definitions: Mapping[str, str]) -> None:
        """Open a run record."""
        results.start_run(self.database, run_id, pipeline=pipeline, as_of=as_of, now=now, definitions=definitions)

    def finish_run(self, run_id: str, *, state: str, counts: Mapping[str, Any], finished_at: dt.datetime) -> None:
        """Close a run that wrote no results."""
        results.finish_run(self.database, run_id, state=state, counts=counts, finished_at=finished_at)

    def read_runs(self, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest runs, newest first."""
        return results.read_runs(self.database, limit)

    def has_detection(self, detection_id: str) -> bool:
        """Say whether these judgements are stored already."""
        return results.has_detection(self.database, detection_id)

    def write_detection(self, result: DetectionResult, *, now: dt.datetime) -> None:
        """Store the judgements of one model."""
        results.write_detection(self.database, result, now=now)

    def write_run_results(
        self,
        run_id: str,
        *,
        now: dt.datetime,
        detections: Iterable[DetectionResult] = (),
        assessments: Iterable[AssessmentRow] = (),
        warnings: Iterable[WarningRow] = (),
        events: Iterable[EventRow] = (),
        case_events: Iterable[CaseRow] = (),
        digests: Iterable[DigestRow] = (),
        messages: Iterable[MessageRow] = (),
        counts: Mapping[str, Any] | None = None,
    ) -> None:
        """Write all that a run found in one transaction; see :func:`riskwatch.store.results.write_run_results`."""
        results.write_run_results(
            self.database,
            run_id,
            now=now,
            detections=detections,
            assessments=assessments,
            warnings=warnings,
            events=events,
            case_events=case_events,
            digests=digests,
            messages=messages,
            counts=counts,
        )

    def read_history(self, detection_id: str) -> Any:
        """Return the last periods of a detection's alarmed series."""
        return results.read_history(self.database, detection_id)

    def newest_run_day(self, pipeline: str) -> dt.date | None:
        """Return the newest as-of day that a finished run of a pipeline has decided."""
        return results.newest_run_day(self.database, pipeline)

    def issue_number(self, centre: str, as_of: dt.date) -> int:
        """Return the number of a centre's digest of a day, counted within the year."""
        return results.issue_number(self.database, centre, as_of)

    def read_signals(self, detection_ids: Sequence[str], *, alarms_only: bool = False) -> pd.DataFrame:
        """Return the judgements of some detections."""
        return results.read_signals(self.database, detection_ids, alarms_only=alarms_only)

    def read_rolled_up(self, detection_ids: Sequence[str]) -> pd.DataFrame:
        """Return which thin series were watched at their parent instead."""
        return results.read_rolled_up(self.database, detection_ids)

    def read_warnings(self, as_of: dt.date | None = None, states: Iterable[str] | None = None) -> list[WarningRow]:
        """Return every warning as it stood at the end of a day."""
        return results.read_warnings(self.database, as_of, states)

    def read_events(self, since: dt.date | None = None, until: dt.date | None = None, warning_id: str | None = None) -> list[EventRow]:
        """Return events of some days, oldest first."""
        return results.read_events(self.database, since, until, warning_id)

    # --- casework ---------------------------------------------------------------------------------------------------

    def write_acts(self, rows: Iterable[CaseRow], *, silences: Iterable[SilenceRow] = ()) -> None:
        """Store what people did, all or nothing; see :func:`riskwatch.store.casework.write_acts`."""
        casework.write_acts(self.database, rows, silences=silences)

    def read_case_events(self, until: dt.date | None = None, case_id: str | None = None) -> list[CaseRow]:
        """Return events of cases and silences up to a day, by case, in their order."""
        return casework.read_case_events(self.database, until, case_id)

    def read_silences(self, as_of: dt.date | None = None) -> list[SilenceRow]:
        """Return silences as they stood on a day."""
        return casework.read_silences(self.database, as_of)

    def dead_letters(self) -> list[StoredMessage]:
        """Return the messages that could not be delivered and wait for a person, newest day first."""
        return outbox.read_messages(self.database, ("dead",))

    def last_act(self) -> str:
        """Return the id of the last thing that a person did."""
        return casework.last_act(self.database)

    def audit(self, noted: str = "") -> chain.Audit:
        """Check the hash chain of all events; see :func:`riskwatch.store.chain.verify`."""
        return chain.verify(self.database, noted)

    def read_looks(self, models: Sequence[str], *, since: dt.date, before: dt.date) -> pd.DataFrame:
        """See :func:`riskwatch.store.results.read_looks`."""
        return results.read_looks(self.database, models, since=since, before=before)

    def read_assessments(self, run_id: str | None = None, as_of: dt.date | None = None) -> list[AssessmentRow]:
        """Return the assessments of a run, or of the newest finished run of a day."""
        return results.read_assessments(self.database, run_id, as_of)

    def read_digest(self, centre: str, as_of: dt.date | None = None, language: str = "zh") -> DigestRow | None:
        """Return the digest of a centre and day."""
        return results.read_digest(self.database, centre, as_of, language)
