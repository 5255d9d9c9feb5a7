"""How fresh each source is on a day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from riskwatch.store import Store

__all__ = ["ABSENT", "Freshness", "freshness_by_source"]


@dataclass(frozen=True)
class Freshness:
    """What the store knew of one source on a day; rows are those of the last 28 days."""

    newest_event: dt.date | None = None
    newest_known: dt.date | None = None
    recent: int = 0
    open_quarantine: int = 0


ABSENT = Freshness()


def freshness_by_source(store: Store, as_of: dt.date) -> dict[str, Freshness]:
    """Return how fresh each source is that ever sent anything."""
    frame = store.freshness(as_of)
    days = {name: [None if pd.isna(day) else day.date() for day in frame[name]] for name in ("newest_event", "newest_known")}
    counts = zip(frame["recent"].astype(int).tolist(), frame["open_quarantine"].astype(int).tolist(), strict=True)
    rows = zip(frame["source"], days["newest_event"], days["newest_known"], counts, strict=True)
    return {str(name): Freshness(event, known, *figures) for name, event, known, figures in rows}
