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

STATES = ("new", "worsened", "unchanged", "eased", "absorbed", "recovered")

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
    first_seen : datetime.date
        Since when the concern is known; a warning that took over from others has the earliest of their days.
    last_changed : datetime.date
        Day of the last event that readers are told as a change; a handover is none.
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
        Id of the live warning that speaks for an absorbed one (a category, a wider place, the one product that is left); "" for none.
    previous : str
        Id of the recovered warning that this one follows; "" for none.
    opened : datetime.date or None
        Day on which this warning itself was opened; None in those stored before it was kept.
    proposed_on : datetime.date or None
        Day of the assessment whose measures stand; None in those stored before it was kept (then ``last_changed``).
    handed_on : datetime.date or None
        Day on which it last took over from others: on that day its level does not fall.
    takes_over : tuple of str
        Ids of the absorbed warnings that it speaks for.
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
    opened: dt.date | None = None
    proposed_on: dt.date | None = None
    handed_on: dt.date | None = None
    takes_over: tuple[str, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether it speaks for itself: neither recovered nor absorbed."""
        return self.state not in {"recovered", "absorbed"}

    def to_payload(self) -> dict[str, Any]:
        """Return this warning as JSON-able data."""
        payload: dict[str, Any] = plain(self)
        return payload

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> EarlyWarning:
        """Return the warning written by :meth:`to_payload`; StoreError if it is none."""
        try:
            days = {name: dt.date.fromisoformat(payload[name]) for name in ("first_seen", "last_seen", "last_changed", "last_run")}
            # Warnings stored by an earlier version have no memory of lower levels and handovers.
            later = {
                name: None if (day := payload.get(name)) is None else dt.date.fromisoformat(day)
                for name in ("lower_through", "opened", "proposed_on", "handed_on")
            }
            through = payload["judged_through"]
            return cls(
                **{
                    **payload,
                    **days,
                    **later,
                    "subject": Subject(**payload["subject"]),
                    "grade": Grade[payload["grade"]],
                    "scope": Scope(payload["scope"]),
                    "judged_through": None if through is None else dt.date.fromisoformat(through),
                    "held": dict(payload.get("held", {})),
                    "series": tuple((one[0], one[1], one[2], one[3], one[4]) for one in payload["series"]),
                    "takes_over": tuple(payload.get("takes_over", ())),
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
    kind: str  # new | worsened | eased | recovered | absorbed | resumed
    # opened, returned; raised, took-over, spread, alarm, larger-excess, grave-event; lowered, below, absent; judged-clear, expired;
    # handed-over, handed-down; own-again, speaker-gone
    cause: str
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
