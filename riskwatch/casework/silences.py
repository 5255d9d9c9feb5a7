"""Silences: warnings that are known and need not be read again until a day; what each of them hides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from riskwatch.assessment.types import Grade
from riskwatch.casework.case import CaseEvent
from riskwatch.casework.office import Office, models_of
from riskwatch.casework.rules import Actor
from riskwatch.errors import CaseworkError
from riskwatch.lifecycle import EarlyWarning
from riskwatch.lifecycle.types import short_sha

__all__ = ["Hidden", "Matcher", "Silence", "add_silence", "end_silence", "hidden_by", "silence_of"]


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which warnings: all that is given must hold; what is "" is not asked for, and at least one thing is.

    A warning that lacks what is asked for (has no hazard, say) does not match.

    Attributes
    ----------
    product, region : str
        Code; those below it match as well. Only warnings about products have a product.
    hazard, model : str
        Hazard class; a model whose alarms the warning rests on.
    grade : str
        The level that stands.
    """

    product: str = ""
    region: str = ""
    hazard: str = ""
    model: str = ""
    grade: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not any(asdict(self).values())

    def matches(self, warning: EarlyWarning, standing: Grade, office: Office) -> bool:
        """Whether a warning, at the level that stands, is meant."""
        subject = warning.subject
        asked = (
            (self.product, subject.kind == "product" and office.products.within(subject.code, self.product)),
            (self.region, bool(subject.region) and office.regions.within(subject.region, self.region)),
            (self.hazard, warning.hazard == self.hazard),
            (self.model, self.model in models_of(warning)),
            (self.grade, standing.name == self.grade),
        )
        return not self.empty and all(holds for value, holds in asked if value)

    def told(self) -> str:
        """Return the matcher in one line."""
        return ", ".join(f"{name}={value}" for name, value in asdict(self).items() if value)


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence.

    Attributes
    ----------
    silence_id : str
    matcher : Matcher
    reason : str
        In words, without personal data.
    author : str
        Actor.
    starts_on, ends_on : datetime.date
        First and last day on which it hides.
    ended_on : datetime.date or None
        Day on which someone ended it: it hides from that day on no more.
    """

    silence_id: str
    matcher: Matcher
    reason: str
    author: str
    starts_on: dt.date
    ends_on: dt.date
    ended_on: dt.date | None = None

    def in_force(self, day: dt.date) -> bool:
        """Whether it hides on a day."""
        return self.starts_on <= day <= self.ends_on and (self.ended_on is None or day < self.ended_on)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A warning that a silence hid, and over which days (``shown_on`` None: still)."""

    case_id: str
    since: dt.date
    shown_on: dt.date | None = None
    cause: str = ""


def _may(name: str, region: str, office: Office) -> Actor:
    actor, rules = office.actor(name), office.rules.silences
    if not set(actor.roles) & set(rules.roles):
        raise CaseworkError(f'silences: actor "{name}" is {", ".join(actor.roles)}, silences need {" or ".join(rules.roles)}')
    if actor.region and (not region or not office.regions.within(region, actor.region)):
        raise CaseworkError(
            f'silences: actor "{name}" (region {actor.region}) cannot silence {region or "all regions"}', hint="--region within your own"
        )
    return actor


def add_silence(
    matcher: Matcher, *, until: dt.date, reason: str, actor: str, as_of: dt.date, happened_at: str, office: Office
) -> tuple[Silence, CaseEvent]:
    """Return a new silence, and the event that records it.

    Parameters
    ----------
    matcher : Matcher
    until : datetime.date
        Last day; no further than ``silences.maximum_days`` from ``as_of``.
    reason : str
        In words, cleaned (:func:`riskwatch.casework.notes.clean_note`).
    actor : str
    as_of : datetime.date
    happened_at : str
    office : Office

    Raises
    ------
    CaseworkError
        For an empty matcher, no reason, an end that is too far or past, a level that may not be hidden, or an actor who may not.
    """
    rules = office.rules.silences
    if matcher.empty:
        raise CaseworkError(
            "silences add: a matcher that asks for nothing would hide everything", hint="--product, --region, --hazard, ..."
        )
    if matcher.grade and matcher.grade not in rules.levels:
        raise CaseworkError(f"silences add: level {matcher.grade} is never hidden; may be hidden: {', '.join(rules.levels)}")
    if not reason:
        raise CaseworkError("silences add: a reason in words is needed", hint='--reason "..."')
    last = as_of + dt.timedelta(days=rules.maximum_days)
    if not as_of <= until <= last:
        raise CaseworkError(
            f"silences add: the end must lie between {as_of} and {last} ({rules.maximum_days} days), got {until}",
            hint="add it again when it ends, if it is still needed",
        )
    _may(actor, matcher.region, office)
    number = short_sha("silence", actor, happened_at, matcher.told(), until.isoformat())
    silence = Silence(number, matcher, reason, actor, as_of, until)
    event = CaseEvent(
        event_id=short_sha(number, "silence-add"),
        case_id=number,
        seq=1,
        as_of=as_of,
        kind="silence-add",
        actor=actor,
        happened_at=happened_at,
        details={"matcher": asdict(matcher), "note": reason, "until": until.isoformat()},
    )
    return silence, event


def end_silence(silence: Silence, *, actor: str, as_of: dt.date, happened_at: str, note: str, office: Office) -> tuple[Silence, CaseEvent]:
    """Return a silence as ended on a day, and the event that records it.

    Raises
    ------
    CaseworkError
        If it is over already, or the actor may not.
    """
    if silence.ended_on is not None or as_of > silence.ends_on:
        raise CaseworkError(f"silences end: {silence.silence_id} is over since {silence.ended_on or silence.ends_on}")
    _may(actor, silence.matcher.region, office)
    ended = Silence(silence.silence_id, silence.matcher, silence.reason, silence.author, silence.starts_on, silence.ends_on, as_of)
    event = CaseEvent(
        event_id=short_sha(silence.silence_id, "silence-end"),
        case_id=silence.silence_id,
        seq=2,
        as_of=as_of,
        kind="silence-end",
        actor=actor,
        happened_at=happened_at,
        details={"note": note} if note else {},
    )
    return ended, event


def silence_of(
    warning: EarlyWarning, standing: Grade, silences: Iterable[Silence], office: Office, *, day: dt.date, lifted: Iterable[str] = ()
) -> Silence | None:
    """Return the silence that hides a warning on a day: of several the one that ends last; None for none.

    Levels that may not be hidden are not, whatever a matcher says.
    """
    if standing.name not in office.rules.silences.levels:
        return None
    gone = set(lifted)
    found = [one for one in silences if one.in_force(day) and one.silence_id not in gone and one.matcher.matches(warning, standing, office)]
    return max(found, key=lambda one: (one.ends_on, one.silence_id), default=None)


def hidden_by(events: Iterable[CaseEvent]) -> Mapping[str, tuple[Hidden, ...]]:
    """Return what each silence hid, by its id, from the events of all cases."""
    spans: dict[str, list[Hidden]] = {}
    for event in sorted(events, key=lambda one: (one.case_id, one.seq)):
        if event.kind not in {"silenced", "shown"}:
            continue
        listed = spans.setdefault(str(event.details["silence"]), [])
        if event.kind == "silenced":
            listed.append(Hidden(event.case_id, event.as_of))
        elif listed and listed[-1].case_id == event.case_id and listed[-1].shown_on is None:
            listed[-1] = Hidden(event.case_id, listed[-1].since, event.as_of, str(event.details["cause"]))
    return {name: tuple(listed) for name, listed in spans.items()}
