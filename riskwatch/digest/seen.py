"""Which warnings one centre sees on one day, what happened to them, and in which order they stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from riskwatch.assessment.types import Action, Assessment
from riskwatch.digest.cards import bilingual, grade_name
from riskwatch.digest.inputs import EventLike, WarningLike
from riskwatch.digest.model import GRADES, Change, GradeName, Place, Text
from riskwatch.digest.names import Namer
from riskwatch.errors import RiskwatchError

__all__ = ["Day", "Seen", "assign", "see"]

# When several events fall on one day, the one that a reader must know wins.
_PRIORITY: tuple[Change, ...] = ("recovered", "new", "worsened", "eased", "unchanged")
_LIVE = frozenset({"new", "worsened"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A warning as one centre sees it on one day."""

    warning: WarningLike
    assessment: Assessment | None
    place: Place
    change: Change
    before: GradeName | None
    reason: Text | None
    excess: float
    actions: tuple[Action, ...]

    @property
    def live(self) -> bool:
        """New or raised today, and judged."""
        return self.change in _LIVE and self.assessment is not None

    @property
    def absorbed(self) -> bool:
        """Another warning speaks for it; only its terms are still shown."""
        return str(self.warning.state) == "absorbed"

    @property
    def cases_only(self) -> bool:
        """A list of single firms' cases."""
        return self.assessment is not None and self.assessment.facts.get("cases_only") is True

    @property
    def order(self) -> tuple[int, int, float, str]:
        """By grade, attention, then excess; the identifier breaks ties, so that the order never depends on that of the input."""
        signs = self.assessment.facts.get("attention") if self.assessment is not None else None
        points = sum(int(sign["points"]) for sign in signs) if isinstance(signs, (list, tuple)) else 0
        return (-int(self.warning.grade), -points, -self.excess, self.warning.warning_id)


@dataclass(frozen=True, slots=True)
class Day:
    """What a run left behind, as :func:`see` needs it."""

    as_of: dt.date
    warnings: Sequence[WarningLike]
    assessments: Sequence[Assessment]
    events: Sequence[EventLike]
    open_actions: Mapping[str, Sequence[Action]]


def see(day: Day, namer: Namer, jurisdiction: str) -> list[Seen]:
    """Return the warnings that concern a jurisdiction and are open or ended today, by grade, then excess.

    Raises
    ------
    RiskwatchError
        If two warnings share an identifier.
    """
    _check_unique(day.warnings)
    assigned = assign(day, namer)
    today: dict[str, list[EventLike]] = {}
    for happened in day.events:
        if happened.as_of == day.as_of:
            today.setdefault(happened.warning_id, []).append(happened)
    found = []
    for warning in day.warnings:
        place = namer.place(warning.subject.region, jurisdiction)
        change, event = _change(warning, today.get(warning.warning_id, ()), day.as_of)
        ended_before = str(warning.state) == "recovered" and change != "recovered"
        if place is None or ended_before or grade_name(warning.grade) not in GRADES:
            continue
        assessment = assigned.get(warning.warning_id)
        actions = tuple(day.open_actions.get(warning.warning_id, ()))
        if not actions and change in _LIVE and assessment is not None:
            actions = assessment.actions
        found.append(
            Seen(
                warning=warning,
                assessment=assessment,
                place=place,
                change=change,
                before=grade_name(event.grade_before) if event is not None else None,
                reason=bilingual(event.reason) if event is not None and event.reason else None,
                excess=max((item.excess for item in assessment.evidence), default=0.0) if assessment else 0.0,
                actions=actions,
            )
        )
    return sorted(found, key=lambda item: item.order)


def assign(day: Day, namer: Namer) -> dict[str, Assessment]:
    """Return the assessment of each warning, by warning id: same kind and code, related places, the nearest pair first.

    The anchor of a concern may have moved since its warning was opened; each assessment goes to one warning only, to an open one
    before one that has recovered or for which another speaks.
    """
    pairs = []
    for warning in day.warnings:
        for number, assessment in enumerate(day.assessments):
            mine, theirs = warning.subject, assessment.subject
            if (mine.kind, mine.code) != (theirs.kind, theirs.code):
                continue
            distance = namer.distance(mine.region, theirs.region)
            if distance is not None:
                pairs.append(
                    (str(warning.state) in {"recovered", "absorbed"}, distance, -int(assessment.grade), warning.warning_id, number)
                )
    taken: dict[str, Assessment] = {}
    used: set[int] = set()
    for _, _, _, warning_id, number in sorted(pairs):
        if warning_id not in taken and number not in used:
            taken[warning_id] = day.assessments[number]
            used.add(number)
    return taken


def _change(warning: WarningLike, events: Sequence[EventLike], as_of: dt.date) -> tuple[Change, EventLike | None]:
    """Return what happened to a warning today, from its events, else from its state if that was set today."""
    for kind in _PRIORITY:
        for event in events:
            if str(event.kind) == kind:
                return kind, event
    for kind in _PRIORITY:
        if str(warning.state) == kind and warning.last_changed == as_of:
            return kind, None
    return "unchanged", None


def _check_unique(warnings: Sequence[WarningLike]) -> None:
    seen: set[str] = set()
    for warning in warnings:
        if warning.warning_id in seen:
            raise RiskwatchError(f"build_digest: warning ids must be unique, got {warning.warning_id!r} twice")
        seen.add(warning.warning_id)
