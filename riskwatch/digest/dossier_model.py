"""What stands beside the warnings in a digest: accident reports, bursts of complaints, recalls, registers, notices; notes on a card.

All is counts and places. No record key, no enterprise, no laboratory by name, no free text. A count of persons from 1 to 4 is null.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from riskwatch.digest.parts import GradeName, Part, Place, Text

__all__ = [
    "AccidentLine",
    "BurstLine",
    "CertificateCount",
    "Dossier",
    "EmergencyLine",
    "LaboratoryCounts",
    "MediaLine",
    "NoticeLine",
    "RecallLine",
    "RelatedLine",
    "RelatedSubject",
    "Spread",
    "StepCount",
    "SupplierLine",
]


class AccidentLine(Part):
    """One accident: where, with what, how grave, and whether it was reported in time."""

    product: Text | None
    place: Place
    event_date: dt.date
    # Null: 1 to 4. Zero: none reported.
    deaths: int | None
    serious: int | None
    hours: float | None
    allowed: float
    state: Literal["in-time", "late", "unknown"]


class BurstLine(Part):
    """Complaints that one claimant made. ``complaints`` is null where those of all others are fewer than five."""

    product: Text | None
    place: Place
    by_one: int
    complaints: int | None


class RecallLine(Part):
    """A recall that runs, or that ended before enough was done."""

    product: Text | None
    begun: dt.date
    ends_on: dt.date | None
    completion: float | None
    state: Literal["running", "overdue"]


class NoticeLine(Part):
    """A trade-measure notice on which comments are due."""

    system: str
    member: Text
    member_code: str
    product: Text | None
    hs_code: str
    comment_until: dt.date
    days_left: int


class MediaLine(Part):
    """Media reports about one product over the window."""

    product: Text | None
    reports: int


class CertificateCount(Part):
    """Licences or certificates of one scheme that were suspended, revoked or ran out."""

    scheme: str
    status: Literal["suspended", "revoked", "expired"]
    firms: int


class LaboratoryCounts(Part):
    """Laboratories of which some results should not be relied on; ``items`` names test items, never a laboratory."""

    laboratories: int
    unfit: int
    items: tuple[Text, ...]


class StepCount(Part):
    """Cases after failed checks that stand on one step which calls for escalation."""

    ladder: str
    step: str
    label: Text
    cases: int


class Dossier(Part):
    """Everything beside the warnings; empty parts are not printed."""

    accident_days: int = 7
    accidents: tuple[AccidentLine, ...] = ()
    steps: tuple[StepCount, ...] = ()
    certificate_days: int = 30
    certificates: tuple[CertificateCount, ...] = ()
    recalls: tuple[RecallLine, ...] = ()
    notices: tuple[NoticeLine, ...] = ()
    comment_days: int = 30
    media_days: int = 28
    media: tuple[MediaLine, ...] = ()
    burst_days: int = 60
    bursts: tuple[BurstLine, ...] = ()
    laboratories: LaboratoryCounts | None = None


class SupplierLine(Part):
    """What the suppliers of failed samples say about a shared cause; counts only.

    ``verdict``: shared, none, unknown; or no-failures where no unusual failures speak for the concern.
    """

    verdict: Literal["shared", "none", "unknown", "no-failures"]
    failed: int = 0
    known: int = 0
    same: int = 0
    producers: int = 0


class Spread(Part):
    """Scope figures that say more than a number of places; null where they say nothing.

    Shares of the largest batch and platform from one half; p-values below 0.05 of neighbouring high areas (``joins`` borders between them)
    and of the excess of all other areas together. ``suppliers`` where they decide between an industry-wide and a systemic scope.
    """

    batch_share: float | None = None
    platform_share: float | None = None
    joins: int = 0
    joins_p: float | None = None
    rest_p: float | None = None
    suppliers: SupplierLine | None = None


class RelatedSubject(Part):
    """Another concern of the same cause."""

    subject: Text
    place: Place


class RelatedLine(Part):
    """Concerns with one cause. ``tells`` on the one card that tells it; the others name that card's subject alone."""

    tells: bool
    hazard_name: Text | None
    producers: int
    subjects: tuple[RelatedSubject, ...]


class TakenLine(Part):
    """The warnings whose place another has taken, and the day since when the concern is known."""

    subjects: tuple[RelatedSubject, ...]
    since: dt.date


class CaseLine(Part):
    """One recorded event that is a single firm's case; no firm is named."""

    rule: str
    subject: Text
    place: Place
    day: dt.date


class CaseWarning(Part):
    """A warning that is a list of such cases; ``elsewhere``: those outside the jurisdiction."""

    warning_id: str
    change: Literal["new", "worsened", "unchanged", "eased", "recovered"]
    grade: GradeName
    grade_before: GradeName | None
    subject: Text
    first_seen: dt.date
    due_on: dt.date | None
    cases: tuple[CaseLine, ...]
    elsewhere: int = 0


class EmergencyLine(Part):
    """Emergency response or readiness that is proposed."""

    kind: Literal["event", "readiness"]
    level: Literal["I", "II"]
    label: Text
    declared_by: Text
    # Hours within which the first bodies are told; null where the plan says nothing.
    within_hours: float | None
