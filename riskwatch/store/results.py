"""What a run leaves behind: written in one transaction, read as of a day."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from riskwatch.errors import StoreError
from riskwatch.store.casework import CaseRow, append_automatic
from riskwatch.store.chain import append_chained
from riskwatch.store.columns import arrow_column, arrow_rows
from riskwatch.store.database import Database, Session, instant
from riskwatch.store.outbox import MessageRow, put_messages
from riskwatch.store.payload import dumps
from riskwatch.store.tables import assessment, detection, digest, rolled_up, run, signal, warning, warning_event

__all__ = [
    "AssessmentRow",
    "DetectionResult",
    "DigestRow",
    "EventRow",
    "WarningRow",
    "finish_run",
    "has_detection",
    "issue_number",
    "newest_run_day",
    "read_assessments",
    "read_digest",
    "read_events",
    "read_history",
    "read_looks",
    "read_rolled_up",
    "read_runs",
    "read_signals",
    "read_warnings",
    "start_run",
    "write_detection",
    "write_run_results",
]

Payload = Any  # anything that payload.dumps takes; comes back as plain dicts and lists


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """Judgements of one model on one state of the data.

    ``detection_id`` is the sha256 of the model's hash, the data vintage and the judged periods: the same id is never computed or stored
    twice. ``signals`` has the columns of the ``signal`` table (``product`` to ``reason``; a missing dimension or q_value may be left out);
    ``rolled_up`` has ``series, parent, total``; ``history`` holds the last periods of the alarmed series, for charts.
    """

    detection_id: str
    model: str
    as_of: dt.date
    signals: pd.DataFrame
    rolled_up: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["series", "parent", "total"]))
    history: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    """One assessment of a run."""

    assessment_id: str
    as_of: dt.date
    subject_kind: str
    subject_code: str
    region: str
    grade: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class WarningRow:
    """One early warning as it stands on a day."""

    warning_id: str
    as_of: dt.date
    fingerprint: str
    subject_kind: str
    subject_code: str
    region: str
    state: str
    grade: str
    scope: str
    first_seen: dt.date
    last_seen: dt.date
    payload: Payload


@dataclass(frozen=True, slots=True)
class EventRow:
    """One change of a warning. ``reason`` is ``{"zh": ..., "en": ...}``."""

    warning_id: str
    as_of: dt.date
    seq: int
    kind: str
    reason: Mapping[str, str]
    grade_before: str | None
    grade_after: str | None
    payload: Payload


@dataclass(frozen=True, slots=True)
class DigestRow:
    """What one centre reads on one day in one language."""

    centre: str
    as_of: dt.date
    language: str
    issue_no: int
    payload: Payload


# --- runs ------------------------------------------------------------------------------------------------------------


def start_run(database: Database, run_id: str, *, pipeline: str, as_of: dt.date, now: dt.datetime, definitions: Mapping[str, str]) -> None:
    """Open a run record; an unfinished run of the same id (it was killed) starts again.

    Raises
    ------
    StoreError
        If a run of this id is done already, or the database refuses.
    """
    with database.session(f"start run {run_id}", write=True, lock=run) as connection:
        state = connection.scalar(sa.select(run.c.state).where(run.c.run_id == run_id))
        if state == "done":
            raise StoreError(f'Cannot start run "{run_id}": it is done already.', hint="give every run an id of its own")
        connection.execute(assessment.delete().where(assessment.c.run_id == run_id))
        connection.execute(run.delete().where(run.c.run_id == run_id))
        connection.execute(
            run.insert().values(
                run_id=run_id,
                pipeline=pipeline,
                as_of=as_of,
                now=instant(now),
                state="running",
                definitions=dumps(definitions),
                counts="{}",
                started_at=instant(now),
            )
        )


def finish_run(database: Database, run_id: str, *, state: str, counts: Mapping[str, Any], finished_at: dt.datetime) -> None:
    """Close a run that wrote no results (``"failed"``, or a dry one); runs with results are closed by :func:`write_run_results`."""
    with database.session(f"finish run {run_id}", write=True, lock=run) as session:
        _finish(session, run_id, state, counts, finished_at)


def _finish(session: Session, run_id: str, state: str, counts: Mapping[str, Any], finished_at: dt.datetime) -> None:
    if state not in {"done", "failed"}:
        raise ValueError(f'finish_run: state must be "done" or "failed", got "{state}"')
    session.execute(run.update().where(run.c.run_id == run_id).values(state=state, counts=dumps(counts), finished_at=instant(finished_at)))


def read_runs(database: Database, limit: int = 50) -> list[dict[str, Any]]:
    """Return the newest runs, newest first."""
    with database.session("list runs") as session:
        rows = session.rows(sa.select(run).order_by(run.c.started_at.desc(), run.c.run_id).limit(limit))
    return [_decoded(row, "definitions", "counts") for row in rows]


# --- detections ------------------------------------------------------------------------------------------------------


def has_detection(database: Database, detection_id: str) -> bool:
    """Say whether these judgements are stored: then nothing needs to be fitted."""
    with database.session("look for a detection") as session:
        return session.first(sa.select(detection.c.model).where(detection.c.detection_id == detection_id)) is not None


def write_detection(database: Database, result: DetectionResult, *, now: dt.datetime) -> None:
    """Store the judgements of one model at once, so that a run that is killed later need not fit it again."""
    with database.session(f'store the signals of model "{result.model}"', write=True, lock=detection) as session:
        _write_detection(session, result, now)


def _write_detection(session: Session, result: DetectionResult, now: dt.datetime) -> None:
    known = session.scalar(sa.select(detection.c.model).where(detection.c.detection_id == result.detection_id))
    if known is not None:
        return
    row = {
        "detection_id": result.detection_id,
        "model": result.model,
        "as_of": result.as_of,
        "history": dumps(result.history),
        "created_at": instant(now),
    }
    session.append(detection, arrow_rows([row], detection, session.dialect))
    _append_frame(
        session, signal, result.detection_id, result.signals, {"product": "", "industry": "", "region": "", "stratum": "", "reason": ""}
    )
    _append_frame(session, rolled_up, result.detection_id, result.rolled_up, {})


def _append_frame(session: Session, table: sa.Table, detection_id: str, frame: pd.DataFrame, defaults: Mapping[str, str]) -> None:
    size = len(frame)
    columns: dict[str, Any] = {}
    for column in table.columns:
        if column.name == "detection_id":
            columns[column.name] = pa.repeat(detection_id, size)
        elif column.name == "row_no":
            columns[column.name] = pa.array(np.arange(size, dtype=np.int64))
        elif column.name in frame:
            columns[column.name] = arrow_column(frame[column.name], column, session.dialect)
        elif column.name in defaults:
            columns[column.name] = pa.repeat(defaults[column.name], size)
        elif column.nullable:
            columns[column.name] = arrow_column(pa.nulls(size), column, session.dialect)
        else:
            raise StoreError(
                f'Cannot store {table.name} rows: column "{column.name}" is missing.', hint=f"columns are {', '.join(table.c.keys())}"
            )
    session.append(table, pa.table(columns))


def read_history(database: Database, detection_id: str) -> Payload:
    """Return the last periods of a detection's alarmed series; empty if there is no such detection."""
    with database.session("read the history of a detection") as session:
        row = session.first(sa.select(detection.c.history).where(detection.c.detection_id == detection_id))
    return json.loads(row["history"]) if row else {}


def newest_run_day(database: Database, pipeline: str) -> dt.date | None:
    """Return the newest as-of day that a finished run of a pipeline has decided; None before the first."""
    # Order and limit rather than max(): the column keeps its type through every driver.
    query = sa.select(run.c.as_of).where(run.c.pipeline == pipeline, run.c.state == "done").order_by(run.c.as_of.desc()).limit(1)
    with database.session("find the newest decided day") as session:
        row = session.first(query)
    return row["as_of"] if row else None


def issue_number(database: Database, centre: str, as_of: dt.date) -> int:
    """Return the number of a centre's digest of a day: one more than those of earlier days of that year."""
    days = sa.select(sa.func.count(sa.distinct(digest.c.as_of))).where(
        digest.c.centre == centre, digest.c.as_of < as_of, digest.c.as_of >= dt.date(as_of.year, 1, 1)
    )
    with database.session("number a digest") as session:
        return int(session.scalar(days)) + 1


def read_signals(database: Database, detection_ids: Sequence[str], *, alarms_only: bool = False) -> pd.DataFrame:
    """Return the judgements of some detections, in the order in which they were stored, with the model's name.

    Returns
    -------
    DataFrame
        Columns of the ``signal`` table without ``row_no``, and ``model``; days as ``datetime64[s]``, NaN where nothing was judged.
    """
    columns = [column for column in signal.columns if column.name != "row_no"]
    query = (
        sa.select(detection.c.model, *columns)
        .join(detection, detection.c.detection_id == signal.c.detection_id)
        .where(signal.c.detection_id.in_(list(detection_ids)))
        .order_by(signal.c.detection_id, signal.c.row_no)
    )
    if alarms_only:
        query = query.where(signal.c.alarm.is_(True))
    with database.session("read signals") as session:
        frame: pd.DataFrame = session.fetch(query).to_pandas()
    floats = ["observed", "exposure", "expected", "lower", "upper", "p_value", "q_value"]
    for name in ("period_start", "period_end", "evidence_start"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
    frame["evidence_start"] = frame["evidence_start"].fillna(frame["period_start"])
    return frame.astype(dict.fromkeys(floats, "float64") | {"alarm": "bool"})


def read_looks(database: Database, models: Sequence[str], *, since: dt.date, before: dt.date) -> pd.DataFrame:
    """Return what was judged of each series and period from ``since`` on, on days before ``before``: every number of cases above 0 once.

    Returns
    -------
    DataFrame
        ``model, product, industry, region, stratum, period_start, observed``; sorted, days as ``datetime64[s]``.
    """
    columns = [
        detection.c.model,
        *(signal.c[name] for name in ("product", "industry", "region", "stratum", "period_start", "observed")),
    ]
    query = (
        sa.select(*columns)
        .join(detection, detection.c.detection_id == signal.c.detection_id)
        .where(detection.c.model.in_(list(models)), detection.c.as_of < before)
        .where(signal.c.period_start >= since, signal.c.p_value.is_not(None), signal.c.observed > 0)
        .distinct()
        .order_by(*columns)
    )
    with database.session("read earlier looks") as session:
        frame: pd.DataFrame = session.fetch(query).to_pandas()
    frame["period_start"] = pd.to_datetime(frame["period_start"]).astype("datetime64[s]")
    return frame.astype({"observed": "float64"})


def read_rolled_up(database: Database, detection_ids: Sequence[str]) -> pd.DataFrame:
    """Return which thin series were watched at their parent instead: ``model, series, parent, total``."""
    query = (
        sa.select(detection.c.model, rolled_up.c.series, rolled_up.c.parent, rolled_up.c.total)
        .join(detection, detection.c.detection_id == rolled_up.c.detection_id)
        .where(rolled_up.c.detection_id.in_(list(detection_ids)))
        .order_by(rolled_up.c.detection_id, rolled_up.c.row_no)
    )
    with database.session("read rolled-up series") as session:
        frame: pd.DataFrame = session.fetch(query).to_pandas()
    return frame


# --- assessments, warnings, events, digests --------------------------------------------------------------------------


def write_run_results(
    database: Database,
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
    """Write all that a run found and mark it as done: everything or nothing.

    Writing the same again leaves the same: warnings and digests of the same day take the place of those stored, events and messages are
    append-only (an event that is stored for its warning, day and kind, an automatic event of a case by its id, and a message whose key is
    stored, stay as they are). All events go to the end of the hash chain.

    Raises
    ------
    StoreError
        If the run was never started, or the database refuses; then none of it is stored.
    """
    with database.session(f"store the results of run {run_id}", write=True, lock=run) as session:
        if session.scalar(sa.select(run.c.state).where(run.c.run_id == run_id)) is None:
            raise StoreError(f'Cannot store results: no run "{run_id}".', hint="call start_run first")
        for result in detections:
            _write_detection(session, result, now)
        session.execute(assessment.delete().where(assessment.c.run_id == run_id))
        _append_rows(session, assessment, assessments, run_id=run_id)
        warned = list(warnings)
        _forget(session, warning, [{"warning_id": row.warning_id, "as_of": row.as_of} for row in warned])
        _append_rows(session, warning, warned)
        _append_events(session, list(events))
        append_automatic(session, case_events)
        read = list(digests)
        _forget(session, digest, [{"centre": row.centre, "as_of": row.as_of, "language": row.language} for row in read])
        _append_rows(session, digest, read)
        put_messages(session, messages, now)
        _finish(session, run_id, "done", counts or {}, now)


def _row(value: Any, table: sa.Table, more: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(more)
    for column in table.columns:
        if column.name not in out:
            entry = getattr(value, column.name)
            out[column.name] = dumps(entry) if column.name in {"payload", "reason"} else entry
    return out


def _append_rows(session: Session, table: sa.Table, rows: Iterable[Any], **more: Any) -> None:
    session.append(table, arrow_rows([_row(row, table, more) for row in rows], table, session.dialect))


def _forget(session: Session, table: sa.Table, keys: list[dict[str, Any]]) -> None:
    """Delete the rows with these keys."""
    for key in keys:
        session.execute(table.delete().where(*(table.c[name] == value for name, value in key.items())))


def _append_events(session: Session, events: list[EventRow]) -> None:
    if not events:
        return
    days = sorted({event.as_of for event in events})
    stored = session.fetch(
        sa.select(warning_event.c.warning_id, sa.cast(warning_event.c.as_of, sa.Text).label("as_of"), warning_event.c.kind).where(
            warning_event.c.as_of.in_(days)
        )
    ).to_pylist()
    known = {(row["warning_id"], row["as_of"], row["kind"]) for row in stored}
    first = int(session.scalar(sa.select(sa.func.coalesce(sa.func.max(warning_event.c.event_id), 0)))) + 1
    fresh: dict[tuple[str, str, str], EventRow] = {}
    for event in events:
        key = (event.warning_id, event.as_of.isoformat(), event.kind)
        if key not in known:
            fresh.setdefault(key, event)
    chain = {"link": 0, "previous_hash": "", "hash": ""}  # set where they are appended
    rows = [_row(event, warning_event, {"event_id": first + i, **chain}) for i, event in enumerate(fresh.values())]
    append_chained(session, warning_event, rows)


def _decoded(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: json.loads(value) if name in names else value for name, value in row.items()}


def read_warnings(database: Database, as_of: dt.date | None = None, states: Iterable[str] | None = None) -> list[WarningRow]:
    """Return every warning as it stood at the end of a day (None: as it stands), in the order of its id."""
    newest = sa.select(warning.c.warning_id, sa.func.max(warning.c.as_of).label("day"))
    if as_of is not None:
        newest = newest.where(warning.c.as_of <= as_of)
    last = newest.group_by(warning.c.warning_id).subquery()
    query = sa.select(warning).join(last, sa.and_(last.c.warning_id == warning.c.warning_id, last.c.day == warning.c.as_of))
    if states is not None:
        query = query.where(warning.c.state.in_(list(states)))
    with database.session("read warnings") as session:
        rows = session.rows(query.order_by(warning.c.warning_id))
    return [WarningRow(**_decoded(row, "payload")) for row in rows]


def read_events(
    database: Database, since: dt.date | None = None, until: dt.date | None = None, warning_id: str | None = None
) -> list[EventRow]:
    """Return events of the days ``since`` to ``until`` (inclusive), oldest first."""
    columns = [column for column in warning_event.columns if column.name not in {"event_id", "link", "previous_hash", "hash"}]
    query = sa.select(*columns).order_by(warning_event.c.as_of, warning_event.c.event_id)
    if since is not None:
        query = query.where(warning_event.c.as_of >= since)
    if until is not None:
        query = query.where(warning_event.c.as_of <= until)
    if warning_id is not None:
        query = query.where(warning_event.c.warning_id == warning_id)
    with database.session("read events") as session:
        rows = session.rows(query)
    return [EventRow(**_decoded(row, "payload", "reason")) for row in rows]


def read_assessments(database: Database, run_id: str | None = None, as_of: dt.date | None = None) -> list[AssessmentRow]:
    """Return the assessments of a run, or of the newest finished run of a day (None: of the newest finished run).

    Only runs of pipelines that assess count: a run that writes reports makes no assessments and hides none.
    """
    with database.session("read assessments") as session:
        if run_id is None:
            assessing = sa.select(run.c.pipeline).where(run.c.run_id.in_(sa.select(assessment.c.run_id)))
            done = sa.select(run.c.run_id, run.c.pipeline, run.c.as_of).where(run.c.state == "done", run.c.pipeline.in_(assessing))
            if as_of is not None:
                done = done.where(run.c.as_of == as_of)
            newest = session.first(done.order_by(run.c.as_of.desc(), run.c.finished_at.desc()).limit(1))
            if newest is not None:
                # Of the runs of one pipeline and day the last is the one with the highest number: the clock may have been set back.
                same = done.where(run.c.as_of == newest["as_of"], run.c.pipeline == newest["pipeline"])
                last = session.first(same.order_by(sa.func.length(run.c.run_id).desc(), run.c.run_id.desc()).limit(1))
                run_id = None if last is None else last["run_id"]
        columns = [column for column in assessment.columns if column.name != "run_id"]
        rows = session.rows(sa.select(*columns).where(assessment.c.run_id == run_id).order_by(assessment.c.assessment_id))
    return [AssessmentRow(**_decoded(row, "payload")) for row in rows]


def read_digest(database: Database, centre: str, as_of: dt.date | None = None, language: str = "zh") -> DigestRow | None:
    """Return the digest of a centre and day (None: its newest), or None if there is none."""
    query = sa.select(digest).where(digest.c.centre == centre, digest.c.language == language).order_by(digest.c.as_of.desc()).limit(1)
    if as_of is not None:
        query = query.where(digest.c.as_of == as_of)
    with database.session("read a digest") as session:
        row = session.first(query)
    return None if row is None else DigestRow(**_decoded(row, "payload"))
