"""A case: what people have made of one warning, as the fold of its events.

Events carry their effect, so that a change of the rules does not rewrite what was done under the old ones.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from riskwatch.assessment.types import Grade
from riskwatch.errors import StoreError

__all__ = ["AUTOMATIC", "Case", "CaseEvent", "Signing", "fold", "fold_all"]

AUTOMATIC = (
    "reopened", "asked-again", "ack-expired", "escalated", "overdue", "silenced", "shown", "recheck-passed", "recheck-failed", "closed",
)  # fmt: skip
"""Kinds of events that a run writes by itself."""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One thing that a person did with a case, or that followed by itself; events are only ever added.

    Attributes
    ----------
    event_id : str
        Sixteen hexadecimal digits; of an automatic event the same in every run that comes to it.
    case_id : str
        Id of the warning (or of a silence: then ``kind`` is ``silence-add`` or ``silence-end``).
    seq : int
        Place among the events of the case, from 1.
    as_of : datetime.date
        Day in the project's zone, or as-of day of the run.
    kind : str
        A verb, or one of :data:`AUTOMATIC`.
    actor : str
        Id of the desk or post; "" for automatic events.
    happened_at : str
        Instant in UTC at which a person acted; "" for automatic events, which know no clock.
    details : mapping
        JSON-able: ``stage`` (after the event), ``machine`` (level proposed then), ``note``, and what the kind brings.
    """

    event_id: str
    case_id: str
    seq: int
    as_of: dt.date
    kind: str
    actor: str = ""
    happened_at: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def automatic(self) -> bool:
        """Whether no person did it."""
        return not self.actor


@dataclass(frozen=True, slots=True)
class Signing:
    """What some actors have signed and others must still sign.

    Attributes
    ----------
    what : str
        "level", "close" or "merge".
    value : str
        The level, the closure reason, or the id merged into.
    by : tuple of str
        Who signed.
    machine : Grade
        Level proposed by the machine when the first of them signed.
    """

    what: str
    value: str
    by: tuple[str, ...]
    machine: Grade


@dataclass(frozen=True, slots=True)
class Case:
    """Where a case stands.

    Attributes
    ----------
    case_id : str
        Id of its warning.
    stage : str
        Key of ``stages`` in ``config/lifecycle.yaml``.
    opened, since : datetime.date
        Day on which it began; day on which it came to the present stage.
    clock_from : datetime.date
        Day from which the term of the stage counts: since then, or since the last escalation.
    owner : str
        Level that owns it after an escalation; "" before the first.
    assignee, acknowledged_by : str
        Actors; "" for none.
    acknowledged_until : datetime.date or None
    level : Grade or None
        The level of people, where it differs from the machine's by their decision.
    level_machine : Grade or None
        What the machine proposed when people decided on the level (by regrading or confirming).
    confirmed : Grade or None
        Level that enough reviewers have signed.
    signers : tuple of str
        Who signed that level.
    signing : Signing or None
        A decision that lacks signatures.
    closed_as, merged_into : str
    closed_on : datetime.date or None
    recheck : str
        "", "ordered", "passed" or "failed".
    hidden_by : str
        Id of the silence that hides it; "" for none.
    lifted : tuple of str
        Silences that hide it no longer because it became worse.
    escalations, notes : int
        How often it was escalated; how many notes it has.
    events : int
        Number of its events: the next has ``events + 1``.
    last_on : datetime.date or None
        Day of the newest of them.
    known : frozenset of str
        Ids of its automatic events.
    """

    case_id: str
    stage: str
    opened: dt.date
    since: dt.date
    clock_from: dt.date
    owner: str = ""
    assignee: str = ""
    acknowledged_by: str = ""
    acknowledged_until: dt.date | None = None
    level: Grade | None = None
    level_machine: Grade | None = None
    confirmed: Grade | None = None
    signers: tuple[str, ...] = ()
    signing: Signing | None = None
    closed_as: str = ""
    merged_into: str = ""
    closed_on: dt.date | None = None
    recheck: str = ""
    hidden_by: str = ""
    lifted: tuple[str, ...] = ()
    escalations: int = 0
    notes: int = 0
    events: int = 0
    last_on: dt.date | None = None
    known: frozenset[str] = frozenset()

    @classmethod
    def start(cls, case_id: str, opened: dt.date, stage: str) -> Case:
        """Return the case of a warning with which nobody has done anything."""
        return cls(case_id, stage, opened, opened, opened)

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return bool(self.closed_as)

    def standing(self, machine: Grade) -> Grade:
        """Return the level that stands: that of people, else the machine's."""
        return machine if self.level is None else self.level

    def after(self, event: CaseEvent) -> Case:
        """Return the case after one more event.

        An automatic event that no longer fits (a person closed the case while a run was under way) counts and changes nothing else.
        """
        counted = replace(self, events=max(self.events + 1, event.seq), last_on=event.as_of)
        if event.automatic:
            counted = replace(counted, known=self.known | {event.event_id})
            if self.closed != (event.kind == "reopened"):
                return counted
        stage = str(event.details.get("stage", ""))
        # An automatic event that moves nothing may have been written behind an act that did.
        stays = not stage or (event.automatic and stage == event.details.get("stage_before"))
        moved = counted if stays else _moved(counted, stage, event.as_of)
        if event.details.get("note"):
            moved = replace(moved, notes=moved.notes + 1)
        change = _CHANGES.get(event.kind)
        return moved if change is None else change(moved, event)


def _moved(case: Case, stage: str, day: dt.date) -> Case:
    # A run of a missed day may come after what a person did later: no term then begins before the one that runs.
    since = max(day, case.since)
    return case if stage == case.stage else replace(case, stage=stage, since=since, clock_from=max(since, case.clock_from))


def _day(event: CaseEvent, name: str) -> dt.date | None:
    text = event.details.get(name)
    return dt.date.fromisoformat(str(text)) if text else None


def _grade(event: CaseEvent, name: str) -> Grade:
    return Grade[str(event.details[name])]


def _acknowledged(case: Case, event: CaseEvent) -> Case:
    return replace(case, acknowledged_by=event.actor, acknowledged_until=_day(event, "until"))


def _assigned(case: Case, event: CaseEvent) -> Case:
    return replace(case, assignee=str(event.details["to"]))


def _signed(case: Case, event: CaseEvent, what: str, value: str) -> tuple[Case, bool]:
    """Return the case with the signature, and whether enough have signed."""
    by = tuple(str(one) for one in event.details["signed"])
    if event.details["effective"]:
        return replace(case, signing=None), True
    first = case.signing
    machine = (
        first.machine if first is not None and (first.what, first.value) == (what, value) and len(by) > 1 else _grade(event, "machine")
    )
    return replace(case, signing=Signing(what, value, by, machine)), False


def _levelled(case: Case, event: CaseEvent) -> Case:
    if "signed" not in event.details:  # the facts stand, or the head approves: no signature of a level
        return case
    level = _grade(event, "level")
    done, enough = _signed(case, event, "level", level.name)
    if not enough:
        return done
    machine = _grade(event, "machine")
    # Confirming what the machine proposes makes it no level of people's own: it may still ease.
    own = level if event.kind == "regrade" or level != machine else None
    return replace(done, level=own, level_machine=machine, confirmed=level, signers=tuple(map(str, event.details["signed"])))


def _rechecked(case: Case, event: CaseEvent) -> Case:
    return replace(case, recheck=str(event.details.get("result") or "ordered"))


def _ended(case: Case, event: CaseEvent) -> Case:
    into = str(event.details.get("into", ""))
    done, enough = _signed(case, event, "merge" if into else "close", into or str(event.details["reason"]))
    return _close(done, event) if enough else done


def _close(case: Case, event: CaseEvent) -> Case:
    return replace(
        case,
        closed_as=str(event.details["reason"]),
        closed_on=event.as_of,
        merged_into=str(event.details.get("into", "")),
        signing=None,
        acknowledged_by="",
        acknowledged_until=None,
        hidden_by="",
    )


def _reopened(case: Case, event: CaseEvent) -> Case:
    opened = replace(case, closed_as="", closed_on=None, merged_into="", signing=None, recheck="", escalations=0, owner="")
    return _undecided(opened) if event.details.get("level_dropped") else opened


def _undecided(case: Case) -> Case:
    return replace(case, level=None, level_machine=None, confirmed=None, signers=(), signing=None)


def _asked_again(case: Case, _event: CaseEvent) -> Case:
    return _undecided(case)


def _expired(case: Case, _event: CaseEvent) -> Case:
    return replace(case, acknowledged_by="", acknowledged_until=None)


def _escalated(case: Case, event: CaseEvent) -> Case:
    return replace(case, owner=str(event.details["owner"]), escalations=case.escalations + 1, clock_from=max(event.as_of, case.clock_from))


def _silenced(case: Case, event: CaseEvent) -> Case:
    return replace(case, hidden_by=str(event.details["silence"]))


def _shown(case: Case, event: CaseEvent) -> Case:
    lifted = (*case.lifted, str(event.details["silence"])) if event.details["cause"] == "worsened" else case.lifted
    return replace(case, hidden_by="", lifted=lifted)


def _passed(case: Case, _event: CaseEvent) -> Case:
    return replace(case, recheck="passed")


def _failed(case: Case, event: CaseEvent) -> Case:
    owner = str(event.details.get("owner", ""))
    return replace(case, recheck="failed", owner=owner or case.owner, escalations=case.escalations + bool(owner))


_CHANGES = {
    "ack": _acknowledged,
    "assign": _assigned,
    "confirm": _levelled,
    "regrade": _levelled,
    "recheck": _rechecked,
    "close": _ended,
    "merge": _ended,
    "reopen": _reopened,
    "reopened": _reopened,
    "asked-again": _asked_again,
    "ack-expired": _expired,
    "escalated": _escalated,
    "silenced": _silenced,
    "shown": _shown,
    "recheck-passed": _passed,
    "recheck-failed": _failed,
    "closed": _close,
}


def fold(case: Case, events: Iterable[CaseEvent]) -> Case:
    """Return the case after its events, whatever order they are given in.

    Raises
    ------
    StoreError
        If an event is another case's, or two have the same place.
    """
    ordered = sorted(events, key=lambda event: event.seq)
    for event, later in itertools.pairwise(ordered):
        if event.seq == later.seq:
            raise StoreError(f"fold: case {case.case_id} has two events number {event.seq}", hint="riskwatch audit verify")
    for event in ordered:
        if event.case_id != case.case_id:
            raise StoreError(f"fold: event {event.event_id} is of case {event.case_id}, not of {case.case_id}")
        try:
            case = case.after(event)
        except (KeyError, ValueError, TypeError) as error:
            raise StoreError(
                f"fold: event {event.event_id} ({event.kind}) of case {case.case_id} is not as written: {type(error).__name__}: {error}",
                hint="riskwatch audit verify",
            ) from error
    return case


def fold_all(opened: Mapping[str, dt.date], events: Iterable[CaseEvent], first: str) -> dict[str, Case]:
    """Return the case of every warning.

    Parameters
    ----------
    opened : mapping of str to date
        Warning id -> day on which it was opened.
    events : iterable of CaseEvent
        Of all cases, in any order; those of other cases (of silences) are left out.
    first : str
        Stage of a case without events.
    """
    mine: dict[str, list[CaseEvent]] = {}
    for event in events:
        mine.setdefault(event.case_id, []).append(event)
    return {case_id: fold(Case.start(case_id, day, first), mine.get(case_id, ())) for case_id, day in sorted(opened.items())}
