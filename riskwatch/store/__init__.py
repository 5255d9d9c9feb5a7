"""The store: raw landing, versioned records, quarantine, runs and results in SQLite or PostgreSQL."""

from __future__ import annotations

from riskwatch.store.ingest import IngestCounts, Judged
from riskwatch.store.landing import Landed, Raw
from riskwatch.store.outbox import MessageRow, StoredMessage
from riskwatch.store.results import AssessmentRow, DetectionResult, DigestRow, EventRow, WarningRow
from riskwatch.store.store import Store

__all__ = [
    "AssessmentRow",
    "DetectionResult",
    "DigestRow",
    "EventRow",
    "IngestCounts",
    "Judged",
    "Landed",
    "MessageRow",
    "Raw",
    "Store",
    "StoredMessage",
    "WarningRow",
]
