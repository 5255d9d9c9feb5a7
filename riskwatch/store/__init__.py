"""The store: raw landing, versioned records, quarantine, runs and results in SQLite or PostgreSQL."""

from __future__ import annotations

from riskwatch.store.casework import CaseRow, SilenceRow
from riskwatch.store.chain import Audit, Finding
from riskwatch.store.ingest import IngestCounts, Judged
from riskwatch.store.landing import Landed, Raw
from riskwatch.store.outbox import MessageRow, StoredMessage
from riskwatch.store.results import AssessmentRow, DetectionResult, DigestRow, EventRow, WarningRow
from riskwatch.store.store import Store

__all__ = [
    "AssessmentRow",
    "Audit",
    "CaseRow",
    "DetectionResult",
    "DigestRow",
    "EventRow",
    "Finding",
    "IngestCounts",
    "Judged",
    "Landed",
    "MessageRow",
    "Raw",
    "SilenceRow",
    "Store",
    "StoredMessage",
    "WarningRow",
]
