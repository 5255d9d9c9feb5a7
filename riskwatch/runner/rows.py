"""Assessments, warnings and events as rows of the store."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

from riskwatch.assessment import Assessment
from riskwatch.assessment import to_payload as assessment_payload
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from riskwatch.store import AssessmentRow, EventRow, WarningRow

__all__ = ["assessment_row", "event_rows", "warning_row"]


def assessment_row(entry: Assessment) -> AssessmentRow:
    """Return an assessment as the store keeps it."""
    subject = entry.subject
    key = hashlib.sha256(f"{subject.kind}|{subject.code}|{subject.region}".encode()).hexdigest()[:16]
    return AssessmentRow(key, entry.as_of, subject.kind, subject.code, subject.region, entry.grade.name, assessment_payload(entry))


def warning_row(warning: EarlyWarning, as_of: dt.date) -> WarningRow:
    """Return a warning as the store keeps it for a day."""
    return WarningRow(
        warning_id=warning.warning_id,
        as_of=as_of,
        fingerprint=warning.fingerprint,
        subject_kind=warning.subject.kind,
        subject_code=warning.subject.code,
        region=warning.subject.region,
        state=warning.state,
        grade=warning.grade.name,
        scope=warning.scope.value,
        first_seen=warning.first_seen,
        last_seen=warning.last_seen,
        payload=warning.to_payload(),
    )


def event_rows(events: Sequence[WarningEvent]) -> list[EventRow]:
    """Return the events of a day as the store keeps them, in their order."""
    return [
        EventRow(
            warning_id=event.warning_id,
            as_of=event.as_of,
            seq=number,
            kind=event.kind,
            reason=event.reason,
            grade_before=event.grade_before.name,
            grade_after=event.grade_after.name,
            payload=event.to_payload(),
        )
        for number, event in enumerate(events)
    ]
