"""The project's store as a past run found it: what landed, what people did and what was decided later is not seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd
import sqlalchemy as sa

from riskwatch.backtest.view import WRITES, refuse
from riskwatch.store import AssessmentRow, CaseRow, EventRow, SilenceRow, Store, StoredMessage, WarningRow, outbox
from riskwatch.store.database import Database
from riskwatch.store.tables import batch, quarantine

__all__ = ["MorningStore"]


class MorningStore(Store):
    """The store as a run found it: nothing that landed after its clock was read, nothing that was decided on its day or later."""

    def __init__(self, database: Database, *, zone: str, day: dt.date, now: str, late: Iterable[int]) -> None:
        super().__init__(database, zone=zone)
        self._before, self._now = day - dt.timedelta(days=1), now
        self.without = frozenset(late)
        for name in WRITES:
            setattr(self, name, refuse)

    def has_detection(self, detection_id: str) -> bool:  # noqa: ARG002 - part of the interface
        """Say no: what is to be made again is not read back."""
        return False

    def freshness(self, as_of: dt.date) -> pd.DataFrame:
        """Say how fresh each source was, with what waited in quarantine then."""
        frame = super().freshness(as_of)
        waits = sa.select(quarantine.c.source, sa.func.count().label("n")).where(
            quarantine.c.created_at <= self._now, sa.or_(quarantine.c.resolved_at.is_(None), quarantine.c.resolved_at > self._now)
        )
        heard = sa.select(batch.c.source).where(batch.c.landed_at <= self._now).distinct()
        with self.database.session("see what waited in quarantine") as session:
            counts = {row["source"]: row["n"] for row in session.rows(waits.group_by(quarantine.c.source))}
            known = {row["source"] for row in session.rows(heard)}
        frame = frame[frame["source"].isin(known)].reset_index(drop=True)
        return frame.assign(open_quarantine=frame["source"].map(counts).fillna(0).astype("int64"))

    def repeated_rows(self) -> int:
        """Return how many rows had only repeated what was known."""
        query = sa.select(sa.func.coalesce(sa.func.sum(batch.c.n_same), 0)).where(batch.c.landed_at <= self._now)
        with self.database.session("count repeated rows") as session:
            return int(session.scalar(query))

    def read_warnings(self, as_of: dt.date | None = None, states: Iterable[str] | None = None) -> list[WarningRow]:
        """Return the warnings as the days before left them."""
        return super().read_warnings(self._capped(as_of), states)

    def read_events(self, since: dt.date | None = None, until: dt.date | None = None, warning_id: str | None = None) -> list[EventRow]:
        """Return the events of the days before."""
        return super().read_events(since, self._capped(until), warning_id)

    def read_assessments(self, run_id: str | None = None, as_of: dt.date | None = None) -> list[AssessmentRow]:
        """Return assessments of the days before."""
        return [] if as_of is None or as_of > self._before else super().read_assessments(run_id, as_of)

    def read_case_events(self, until: dt.date | None = None, case_id: str | None = None) -> list[CaseRow]:
        """Return what people had done when the run began, and what had followed by itself on the days before."""
        rows = super().read_case_events(until, case_id)
        return [row for row in rows if (row.happened_at <= self._now if row.happened_at else row.as_of <= self._before)]

    def read_silences(self, as_of: dt.date | None = None) -> list[SilenceRow]:
        """Return the silences that had been added when the run began; one that was ended later was still in force."""
        acts = {(row.case_id, row.kind): row.happened_at or "" for row in super().read_case_events()}
        known = [row for row in super().read_silences(as_of) if acts.get((row.silence_id, "silence-add"), "") <= self._now]
        return [replace(row, ended_on=None) if acts.get((row.silence_id, "silence-end"), "") > self._now else row for row in known]

    def dead_letters(self) -> list[StoredMessage]:
        """Return the messages that could not be delivered and waited for a person when the run began."""
        return outbox.dead_at(self.database, self._now)

    def _capped(self, day: dt.date | None) -> dt.date:
        return self._before if day is None else min(day, self._before)
