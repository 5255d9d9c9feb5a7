"""What level of response an event or a grave warning calls for, who is called by when, what is done first. Proposed only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from riskwatch.assessment.emergency_rules import FIGURES, RANKS, EmergencyRules, Threshold
from riskwatch.assessment.floors import FloorEvent
from riskwatch.assessment.rulebase import WarningLevel
from riskwatch.assessment.types import Grade, Step

__all__ = ["Event", "Met", "Response", "event_levels", "plan", "propose_response", "response_of", "response_payload"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: persons and loss at one place and time. ``hurt`` counts injured of any severity."""

    deaths: int = 0
    serious: int = 0
    hurt: int = 0
    loss_yuan: float = 0.0
    provinces: int = 1

    def figure(self, name: str) -> float:
        """Return a figure as thresholds name it."""
        hurt = max(self.hurt, self.serious)
        if name == "hurt_with_death":
            return float(hurt) if self.deaths else 0.0
        return float(hurt if name == "hurt" else getattr(self, name))


@dataclass(frozen=True, slots=True)
class Met:
    """A scheme that grades the event, by which figure."""

    scheme: str
    level: WarningLevel
    figure: str
    value: float
    bound: float


@dataclass(frozen=True, slots=True)
class Response:
    """What is proposed: ``kind`` is ``event`` (an event reached a threshold) or ``readiness`` (a grave warning without one)."""

    kind: str
    level: WarningLevel
    met: tuple[Met, ...]


def _reached(threshold: Threshold, event: Event) -> tuple[str, float, float] | None:
    for name in FIGURES:
        bound = getattr(threshold, name)
        if bound is not None and event.figure(name) >= bound:
            return name, event.figure(name), float(bound)
    return None


def event_levels(event: Event, rules: EmergencyRules, domain: str | None = None) -> tuple[Met, ...]:
    """Return the level that each scheme for goods of ``domain`` gives the event, gravest first; those that give none are left out.

    A scheme of some goods is used where it cannot be told what they are.
    """
    found = []
    for name, scheme in rules.schemes.items():
        if scheme.domains and domain is not None and domain not in scheme.domains:
            continue
        for threshold in scheme.thresholds:
            reached = _reached(threshold, event)
            if reached is not None:
                found.append(Met(name, threshold.level, *reached))
                break
    return tuple(sorted(found, key=lambda one: (-RANKS.index(one.level), one.scheme)))


def _of_floors(events: Iterable[FloorEvent]) -> list[tuple[Event, WarningLevel | None]]:
    """Return the deaths of each place and day, and the events that grading already found, with their level."""
    deaths: dict[tuple[object, ...], float] = defaultdict(float)
    found: list[tuple[Event, WarningLevel | None]] = []
    for one in events:
        if one.rule == "death":
            deaths[one.products[:1], one.industry, one.region, one.day] += one.count
        elif one.rule == "event":
            level = next((rank for rank in RANKS if Grade[rank] == one.grade), None)
            found.append((Event(hurt=round(one.count)), level))
    return [(Event(deaths=round(count)), None) for count in deaths.values()] + found


def propose_response(grade: Grade, events: Iterable[FloorEvent], rules: EmergencyRules, domain: str | None = None) -> Response | None:
    """Return the response that a concern calls for; None where neither an event nor its grade does.

    Parameters
    ----------
    grade : Grade
        Proposed level of the warning.
    events : iterable of FloorEvent
        What it rests on. Deaths are summed by product, place and day and held against the schemes; an ``event`` carries the level of the
        thresholds of ``config/grading.yaml``, since its deaths and injuries are no longer apart.
    rules : EmergencyRules
    domain : str, optional
        Body of law of the goods; None where it cannot be told.
    """
    met: list[Met] = []
    for event, level in _of_floors(events):
        if level is not None:
            met.append(Met("grading.floors.events", level, "persons", event.figure("hurt"), 0.0))
        else:
            met += event_levels(event, rules, domain)
    if met:
        met = sorted(set(met), key=lambda one: (-RANKS.index(one.level), one.scheme, one.figure, -one.value))
        return Response("event", met[0].level, tuple(met))
    for name, ready in rules.readiness.items():
        if grade.name == name:
            return Response("readiness", ready, ())
    return None


def plan(level: WarningLevel, rules: EmergencyRules) -> dict[str, Any]:
    """Return who is called by when and what is done first at a level, JSON-able; soonest first, then in the order of the file."""
    rank = RANKS.index(level)
    calls = sorted((one for one in rules.calls if RANKS.index(one.since) <= rank), key=lambda one: one.within_hours)
    return {
        "declared_by": rules.levels[level].declared_by.model_dump(),
        "calls": [
            {"role": one.role, "label": rules.roles[one.role].label.model_dump(), "within_hours": one.within_hours, "legal": one.legal}
            for one in calls
        ],
        "measures": [
            {"id": one.id, "text": one.text.model_dump(), "legal": list(one.legal)}
            for one in rules.measures
            if RANKS.index(one.since) <= rank
        ],
    }


def response_payload(response: Response, rules: EmergencyRules) -> dict[str, Any]:
    """Return a response with its plan as JSON-able data: what an assessment keeps, so that what was proposed is on record.

    Contacts are left out: numbers change, and they stay in the centre's own file.
    """
    bases: Mapping[str, Any] = rules.schemes
    return {
        "kind": response.kind,
        "level": response.level,
        "label": rules.levels[response.level].label.model_dump(),
        "starts": "event-known" if response.kind == "event" else "warning-proposed",
        "met": [
            {
                "scheme": one.scheme,
                "level": one.level,
                "figure": one.figure,
                "value": one.value,
                "bound": one.bound,
                "verified": bool(one.scheme in bases and bases[one.scheme].basis.verified),
            }
            for one in response.met
        ],
        "version": rules.version,
        "status": "proposed",
        **plan(response.level, rules),
    }


def response_of(
    grade: Grade, events: Iterable[FloorEvent], rules: EmergencyRules | None, domain: str | None = None
) -> tuple[dict[str, object], tuple[Step, ...]]:
    """Return the emergency response that is proposed, as facts and as a step; nothing where none is."""
    found = None if rules is None else propose_response(grade, events, rules, domain)
    if rules is None or found is None:
        return {}, ()
    payload = response_payload(found, rules)
    inputs: dict[str, object] = {"kind": found.kind, "met": payload["met"], "calls": len(payload["calls"])}
    return {"emergency": payload}, (Step("emergency.level", inputs, found.level),)
