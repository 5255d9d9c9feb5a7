"""Early warnings, their events, and what one run made of them.

A warning is opened once, changes only with a reason, is not repeated while nothing changes, and recovers only after its series were
judged again without an alarm: a silent source is never taken for 'all clear'. Everything here is a pure function of the open
warnings, the assessments and the judged series of a run, so running a day again gives no new events.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from riskwatch.assessment.payload import plain
from riskwatch.assessment.types import Assessment, Grade, Scope, Subject
from riskwatch.errors import StoreError

__all__ = ["STATES", "EarlyWarning", "Outcome", "Series", "WarningEvent", "fingerprint", "short_sha"]

STATES = ("new", "worsened", "unchanged", "eased", "recovered")

Series = tuple[str, str, str, str, str]  # model, stratum, product, industry, region


def short_sha(*parts: str) -> str:
    """Return sixteen hexadecimal digits that stand for ``parts``."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def fingerprint(subject: Subject) -> str:
    """Return what makes a concern the same one: kind, code and anchor region."""
    return short_sha(subject.kind, subject.code, subject.region)


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """One open (or recovered) concern.

    Attributes
    ----------
    warning_id : str
        From ``fingerprint`` and ``first_seen``: the same run always gives the same id.
    fingerprint : str
        As at the opening; it stays when the concern spreads.
    subject : Subject
        Anchored at the widest place so far, so that an anchor that jitters gives no events.
    state : str
        One of :data:`STATES`.
    last_changed : datetime.date
        Day of the last event.
    absent_windows : int
        Judged windows since the concern was last there.
    judged_through : datetime.date or None
        End of the newest judged period that was taken into account.
    series : tuple
        (model, stratum, product, industry, region) of its evidence; empty where it rests on a floor alone.
    excess_at_change, grave_at_change : float
        Largest excess, and number of grave events, when it last changed: what 'worse' is measured against.
    lower_windows : int
        Judged windows in a row that proposed a lower level, which the warning does not follow yet.
    lower_through : datetime.date or None
        End of the newest judged period among them.
    held : dict
        Why the warning does not follow the day's assessment, or does not recover ({zh, en}); empty where it does.
    covered_by : str
        Id of the warning that reports this concern now (a category, a wider place); "" for none.
    previous : str
        Id of the recovered warning that this one follows; "" for none.
    summary : dict
        JSON-able figures of the last assessment.
    """

    warning_id: str
    fingerprint: str
    subject: Subject
    state: str
    grade: Grade
    scope: Scope
    hazard: str
    first_seen: dt.date
    last_seen: dt.date
    last_changed: dt.date
    last_run: dt.date
    times_seen: int = 1
    absent_windows: int = 0
    judged_through: dt.date | None = None
    series: tuple[Series, ...] = ()
    excess_at_change: float = 0.0
    grave_at_change: float = 0.0
    lower_windows: int = 0
    lower_through: dt.date | None = None
    held: dict[str, str] = field(default_factory=dict)
    covered_by: str = ""
    previous: str = ""
    summary: dict[str, Any] = field(default_factory=dict)

    def to_payload(self) -> dict[str, Any]:
        """Return this warning as JSON-able data."""
        payload: dict[str, Any] = plain(self)
        return payload

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> EarlyWarning:
        """Return the warning written by :meth:`to_payload`; StoreError if it is none."""
        try:
            days = {name: dt.date.fromisoformat(payload[name]) for name in ("first_seen", "last_seen", "last_changed", "last_run")}
            through = payload["judged_through"]
            # Warnings stored by an earlier version have no memory of lower levels.
            lower_through = payload.get("lower_through")
            return cls(
                **{
                    **payload,
                    **days,
                    "subject": Subject(**payload["subject"]),
                    "grade": Grade[payload["grade"]],
                    "scope": Scope(payload["scope"]),
                    "judged_through": None if through is None else dt.date.fromisoformat(through),
                    "lower_through": None if lower_through is None else dt.date.fromisoformat(lower_through),
                    "held": dict(payload.get("held", {})),
                    "series": tuple((one[0], one[1], one[2], one[3], one[4]) for one in payload["series"]),
                    "summary": dict(payload["summary"]),
                }
            )
        except (KeyError, ValueError, TypeError) as error:
            raise StoreError(f"EarlyWarning.from_payload: not as written by to_payload: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class WarningEvent:
    """One change of one warning; events are only ever added."""

    event_id: str
    warning_id: str
    as_of: dt.date
    kind: str  # new | worsened | eased | recovered
    cause: str  # opened, returned, raised, spread, larger-excess, grave-event, lowered, below, absent, judged-clear, expired
    reason: dict[str, str]
    grade_before: Grade
    grade_after: Grade
    figures: dict[str, Any] = field(default_factory=dict)

    def to_payload(self) -> dict[str, Any]:
        """Return this event as JSON-able data."""
        payload: dict[str, Any] = plain(self)
        return payload

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> WarningEvent:
        """Return the event written by :meth:`to_payload`; StoreError if it is none."""
        try:
            return cls(
                **{
                    **payload,
                    "as_of": dt.date.fromisoformat(payload["as_of"]),
                    "grade_before": Grade[payload["grade_before"]],
                    "grade_after": Grade[payload["grade_after"]],
                    "reason": dict(payload["reason"]),
                    "figures": dict(payload["figures"]),
                }
            )
        except (KeyError, ValueError, TypeError) as error:
            raise StoreError(f"WarningEvent.from_payload: not as written by to_payload: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run made of the warnings.

    Attributes
    ----------
    warnings : tuple of EarlyWarning
        All that were open, with the new ones, and those that recovered in this run.
    events : tuple of WarningEvent
        What changed in this run.
    watch : tuple of Assessment
        Graded WATCH and part of no open warning.
    """

    warnings: tuple[EarlyWarning, ...]
    events: tuple[WarningEvent, ...]
    watch: tuple[Assessment, ...] = ()
