"""The project's store as it stood on a past day: records from the store, results from the replay, and nothing can be written."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from riskwatch.backtest.shelf import Shelf
from riskwatch.errors import StoreError
from riskwatch.records.streams import STREAMS
from riskwatch.store import AssessmentRow, CaseRow, DigestRow, EventRow, Store, WarningRow
from riskwatch.store.database import Database
from riskwatch.store.read import all_columns
from riskwatch.store.tables import RECORD_TABLES, batch, quarantine

__all__ = ["WRITES", "Arrivals", "History", "PastStore", "refuse"]

Days = npt.NDArray[np.datetime64]
RECENT_DAYS = 28
WRITES = (
    "land", "ingest", "retry_quarantine", "set_cursor", "note_pull", "lease", "start_run", "finish_run", "write_detection",
    "write_run_results", "write_acts",
)  # fmt: skip


@dataclass(frozen=True)
class _Versions:
    """Of every version of a stream's records: its source, and its days."""

    names: list[str]
    source: npt.NDArray[np.intp]
    event: Days
    known: Days
    superseded: Days


@dataclass
class Arrivals:
    """When records and rows became known, read once: what freshness and vintages of many days are made of.

    Attributes
    ----------
    streams : mapping of str to _Versions
    batches : list of dict
        Rows of the table of batches that changed what is visible, by number.
    landed : list of (date, int)
        Day of arrival of each batch, and how many of its rows repeated what was known.
    waiting : pandas.DataFrame
        Quarantined rows: ``source, since, until`` (days; NaT: still waiting).
    heard : mapping of str to str
        Source -> stream, of all sources that ever sent anything.
    """

    streams: dict[str, _Versions]
    batches: list[dict[str, Any]]
    landed: list[tuple[dt.date, int]]
    waiting: pd.DataFrame
    heard: dict[str, str]
    _changes: dict[tuple[str, frozenset[str]], Days] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def read(cls, store: Store) -> Arrivals:
        """Read them from a store."""
        streams = {}
        with store.database.session("see when records became known") as session:
            for stream, table in RECORD_TABLES.items():
                query = sa.select(table.c.source, table.c.event_date, table.c.known_at, table.c.superseded_at).order_by(table.c.record_id)
                frame = session.fetch(query).to_pandas()
                codes, names = pd.factorize(frame["source"].astype(object), sort=True)
                days = [pd.to_datetime(frame[name]).to_numpy("datetime64[D]") for name in ("event_date", "known_at", "superseded_at")]
                streams[stream] = _Versions([str(name) for name in names], codes, *days)
            every = session.rows(sa.select(batch).order_by(batch.c.batch_id))
            waits = session.rows(sa.select(quarantine.c.source, quarantine.c.state, quarantine.c.created_at, quarantine.c.resolved_at))
        landed = [(store.day(_moment(row["landed_at"])), int(row["n_same"])) for row in every]
        rows = [(row["source"], store.day(_moment(row["created_at"])), _day_of(store, row["resolved_at"])) for row in waits]
        waiting = pd.DataFrame(rows, columns=["source", "since", "until"])
        heard: dict[str, str] = {}
        for row in every:
            heard[row["source"]] = max(heard.get(row["source"], ""), row["stream"])
        return cls(streams, [row for row in every if row["known_from"] is not None], landed, waiting, heard)

    def still(self, store: Store, as_of: dt.date) -> bool:
        """Say whether nothing has landed since that is known on a day or before."""
        query = sa.select(sa.func.count()).select_from(batch).where(batch.c.known_from <= as_of)
        with store.database.session("see whether records arrived") as session:
            now = int(session.scalar(query))
        return now == len([row for row in self.batches if row["known_from"] <= as_of])

    def freshness(self, as_of: dt.date) -> pd.DataFrame:
        """Return what :meth:`riskwatch.store.Store.freshness` would have said at the end of a day, with what waited in quarantine then."""
        day = np.datetime64(as_of)
        rows: list[dict[str, Any]] = []
        for stream, these in self.streams.items():
            seen = (these.known <= day) & (np.isnat(these.superseded) | (these.superseded > day))
            source, event, known = these.source[seen], these.event[seen], these.known[seen]
            recent = (event > day - np.timedelta64(RECENT_DAYS, "D")) & (event <= day)
            for code, name in enumerate(these.names):
                mine = source == code
                if mine.any():
                    # A record without a day says nothing of the newest one.
                    dated = event[mine][~np.isnat(event[mine])]
                    rows.append(
                        {
                            "source": name,
                            "stream": stream,
                            "newest_event": dated.max() if dated.size else np.datetime64("NaT"),
                            "newest_known": known[mine].max(),
                            "records": int(mine.sum()),
                            "recent": int(recent[mine].sum()),
                        }
                    )
        told = {row["source"] for row in rows}
        rows += [
            {"source": name, "stream": stream, "newest_event": None, "newest_known": None, "records": 0, "recent": 0}
            for name, stream in self.heard.items()
            if name not in told
        ]
        rows.sort(key=lambda row: (row["source"], row["stream"]))
        waits = Counter(
            source
            for source, since, until in zip(*(self.waiting[name] for name in ("source", "since", "until")), strict=True)
            if since <= as_of and (until is None or until > as_of)
        )
        texts = {name: [row[name] for row in rows] for name in ("source", "stream")}
        days = {name: np.array([row[name] for row in rows], dtype="datetime64[s]") for name in ("newest_event", "newest_known")}
        counts = {name: np.array([row[name] for row in rows], dtype=np.int64) for name in ("records", "recent")}
        waiting = np.array([waits[name] for name in texts["source"]], dtype=np.int64)
        return pd.DataFrame({**texts, **days, **counts, "open_quarantine": waiting})

    def repeated(self, as_of: dt.date) -> int:
        """Return how many rows, of those that had landed by a day, only repeated what was known."""
        return sum(same for day, same in self.landed if day <= as_of)

    def vintage(self, stream: str, sources: Iterable[str] | None, as_of: dt.date | None) -> str:
        """Fingerprint what is visible on a day, as :func:`riskwatch.store.read.data_vintage` does, and by the contents of the files.

        A cache outlives the store: two stores may number and count their batches alike. Of batches that are only partly visible, the last
        day counts on which a record came or went: up to the next such day the same records are seen.
        """
        wanted = set(sources or ())
        digest = hashlib.sha256(stream.encode())
        partly = False
        for row in self.batches:
            if row["stream"] != stream or (wanted and row["source"] not in wanted) or (as_of is not None and row["known_from"] > as_of):
                continue
            partly = partly or (as_of is not None and row["known_to"] > as_of)
            names = ("batch_id", "source", "content_key", "first_row", "n_new", "n_changed", "n_stale", "known_from", "known_to")
            digest.update(" ".join(str(row[name]) for name in names).encode() + b"\n")
        if partly and as_of is not None:
            digest.update(f"as of {self.last_change(stream, wanted, as_of)}".encode())
        return digest.hexdigest()

    def last_change(self, stream: str, sources: Collection[str], as_of: dt.date) -> dt.date | None:
        """Return the last day, up to ``as_of``, on which a record of a stream became known or was superseded; None before the first.

        From that day to ``as_of`` the same versions are in force. ``sources``: only of these; empty: of all.
        """
        key = (stream, frozenset(sources))
        if key not in self._changes:
            these = self.streams[stream]
            mine = np.isin(these.source, [code for code, name in enumerate(these.names) if not sources or name in sources])
            days = np.concatenate([these.known[mine], these.superseded[mine]])
            self._changes[key] = np.unique(days[~np.isnat(days)])
        changes = self._changes[key]
        at = int(np.searchsorted(changes, np.datetime64(as_of), side="right"))
        return changes[at - 1].item() if at else None


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _day_of(store: Store, text: str | None) -> dt.date | None:
    return None if text is None else store.day(_moment(text))


@dataclass
class History:
    """What a replay has decided up to the day before: what a store would hold.

    Attributes
    ----------
    warnings : mapping of str to WarningRow
        By id, as they stand.
    events : list of EventRow
    case_events : list of CaseRow
        What followed by itself.
    assessments : callable
        Day -> its assessments.
    days : list of date
        Days decided, in order.
    """

    warnings: dict[str, WarningRow] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    case_events: list[CaseRow] = field(default_factory=list)
    assessments: Callable[[dt.date], list[AssessmentRow]] = lambda _: []
    days: list[dt.date] = field(default_factory=list)


class PastStore(Store):
    """A store that knows no later day: records as known, results as replayed.

    Parameters
    ----------
    database : Database
        The project's; it is read only.
    zone : str
    day : date
        The day that is replayed.
    arrivals : Arrivals
    history : History
        What the replay decided before that day.
    shelf : Shelf, optional
        Records in memory; without it every reading asks the database.
    """

    def __init__(
        self,
        database: Database,
        *,
        zone: str,
        day: dt.date,
        arrivals: Arrivals,
        history: History | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        super().__init__(database, zone=zone)
        self.today, self.arrivals, self.history, self.shelf = day, arrivals, history or History(), shelf
        for name in WRITES:
            setattr(self, name, refuse)

    # --- records ----------------------------------------------------------------------------------------------------

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
        """Read one version per record, the one in force on a day, from memory where it is there."""
        limits: dict[str, Any] = {"where": where, "between": between, "sources": sources, "since": since, "until": until}
        if self.shelf is not None and as_of is not None and stream in STREAMS:
            names = all_columns(stream) if columns is None else list(columns)
            found = self.shelf.records(stream, names, as_of, **limits)
            if found is not None:
                return found
        return super().read_records(stream, columns, as_of, **limits)

    def read_items(self, stream: str, record_ids: Sequence[int] | None = None, as_of: dt.date | None = None) -> pd.DataFrame:
        """Read child rows, from memory where they are there."""
        found = None if self.shelf is None else self.shelf.items(stream, record_ids, as_of)
        return super().read_items(stream, record_ids, as_of) if found is None else found

    def first_known(self, stream: str, sources: Iterable[str] | None = None, as_of: dt.date | None = None) -> pd.DataFrame:
        """Say when corrected records were first known."""
        found = None if self.shelf is None or as_of is None else self.shelf.first_known(stream, sources, as_of)
        return super().first_known(stream, sources, as_of) if found is None else found

    def data_vintage(self, stream: str, sources: Iterable[str] | None = None, as_of: dt.date | None = None) -> str:
        """Fingerprint what is visible on a day."""
        return self.arrivals.vintage(stream, sources, as_of)

    def freshness(self, as_of: dt.date) -> pd.DataFrame:
        """Say how fresh each source was on a day."""
        return self.arrivals.freshness(as_of)

    def repeated_rows(self) -> int:
        """Return how many rows had only repeated what was known by the replayed day."""
        return self.arrivals.repeated(self.today)

    # --- results ----------------------------------------------------------------------------------------------------

    def has_detection(self, detection_id: str) -> bool:  # noqa: ARG002 - part of the interface
        """Say no: detections of a replay lie in its own cache."""
        return False

    def read_warnings(self, as_of: dt.date | None = None, states: Iterable[str] | None = None) -> list[WarningRow]:
        """Return the warnings as the day before left them."""
        wanted = None if states is None else set(states)
        found = [
            row
            for row in self.history.warnings.values()
            if (as_of is None or row.as_of <= as_of) and (wanted is None or row.state in wanted)
        ]
        return sorted(found, key=lambda row: row.warning_id)

    def read_events(self, since: dt.date | None = None, until: dt.date | None = None, warning_id: str | None = None) -> list[EventRow]:
        """Return events of the replay."""
        return [
            row
            for row in self.history.events
            if (since is None or row.as_of >= since) and (until is None or row.as_of <= until) and warning_id in (None, row.warning_id)
        ]

    def read_assessments(self, run_id: str | None = None, as_of: dt.date | None = None) -> list[AssessmentRow]:  # noqa: ARG002
        """Return the assessments of a replayed day."""
        return [] if as_of is None else self.history.assessments(as_of)

    def issue_number(self, centre: str, as_of: dt.date) -> int:  # noqa: ARG002 - every centre has a digest every day
        """Return the number of the day's digests within the year."""
        return 1 + sum(day.year == as_of.year and day < as_of for day in self.history.days)

    def read_case_events(self, until: dt.date | None = None, case_id: str | None = None) -> list[CaseRow]:
        """Return what people did with the warnings that the replay has, and what followed by itself; by case, in the order of days."""
        every = super().read_case_events(until, case_id)
        acts = [row for row in every if row.actor and row.as_of < self.today and row.case_id in self.history.warnings]
        own = [row for row in self.history.case_events if (until is None or row.as_of <= until) and case_id in (None, row.case_id)]
        # The run comes in the morning, people act after it: the day's own acts are not seen.
        ordered = sorted([*own, *acts], key=lambda row: (row.case_id, row.as_of, bool(row.actor), row.seq))
        numbers: dict[str, int] = {}
        found = []
        for row in ordered:
            numbers[row.case_id] = numbers.get(row.case_id, 0) + 1
            found.append(replace(row, seq=numbers[row.case_id]))
        return found

    def read_digest(self, centre: str, as_of: dt.date | None = None, language: str = "zh") -> DigestRow | None:  # noqa: ARG002
        """Return none: a replay keeps no digests in a store."""
        return None

    def read_looks(self, models: Sequence[str], *, since: dt.date, before: dt.date) -> NoReturn:  # noqa: ARG002
        """Refuse: looks of a replay are counted beside its detections."""
        refuse()


def refuse(*_: object, **__: object) -> NoReturn:
    """Stand in for every method that writes."""
    raise StoreError("backtest: a replay writes nothing to the project's store, and reads no results from it")
