"""What follows by itself on a day: worse re-opens and shows, acknowledgements run out, missed terms escalate, rechecks on record count.

A pure function of the day's warnings and the cases so far, without a clock. Every automatic event has an id made of what it is about, so a
run that comes to it again, or is killed and started again, adds none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from riskwatch.casework.case import Case, CaseEvent
from riskwatch.casework.office import Office, models_of
from riskwatch.casework.silences import Silence, silence_of
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from riskwatch.lifecycle.types import short_sha

__all__ = ["Reactions", "react"]


@dataclass(frozen=True, slots=True)
class Reactions:
    """What a day brought.

    Attributes
    ----------
    cases : mapping of str to Case
        Every warning's case after the events.
    events : tuple of CaseEvent
        The new automatic events, by case, in their order.
    """

    cases: Mapping[str, Case]
    events: tuple[CaseEvent, ...]


def react(
    warnings: Iterable[EarlyWarning],
    happened: Iterable[WarningEvent],
    cases: Mapping[str, Case],
    silences: Sequence[Silence],
    office: Office,
    *,
    as_of: dt.date,
    verdicts: Mapping[str, str] | None = None,
) -> Reactions:
    """Return the automatic events of a day.

    Parameters
    ----------
    warnings : iterable of EarlyWarning
        As they stand after the run, recovered and absorbed ones included.
    happened : iterable of WarningEvent
        Events of the run; those of other days are left out.
    cases : mapping of str to Case
        By warning id, with all events so far; a warning without one gets a new case.
    silences : sequence of Silence
    office : Office
    as_of : datetime.date
    verdicts : mapping of str to str, optional
        Warning id -> what the orders on record mean for it: "closes", "escalates" or "open"
        (:func:`riskwatch.assessment.ladders.verdict`).

    Returns
    -------
    Reactions
    """
    worse = {event.warning_id for event in happened if event.as_of == as_of and event.kind == "worsened"}
    after: dict[str, Case] = dict(cases)
    events: list[CaseEvent] = []
    for warning in sorted(warnings, key=lambda one: one.warning_id):
        case = cases.get(warning.warning_id) or Case.start(warning.warning_id, warning.opened or warning.first_seen, office.rules.first)
        desk = _Desk(case, warning, office, as_of, worse=warning.warning_id in worse)
        desk.worsened()
        desk.recovered()
        desk.rechecked((verdicts or {}).get(warning.warning_id, ""))
        desk.expired()
        desk.silenced(silences)
        desk.overdue()
        after[warning.warning_id] = desk.case
        events += desk.events
    return Reactions(after, tuple(events))


class _Desk:
    """One case on one day; each step may add an event and goes on from the case after it."""

    def __init__(self, case: Case, warning: EarlyWarning, office: Office, as_of: dt.date, *, worse: bool) -> None:
        self.case, self.warning, self.office, self.as_of, self.worse = case, warning, office, as_of, worse
        self.rules = office.rules
        self.events: list[CaseEvent] = []

    def say(self, kind: str, about: str, **details: object) -> None:
        """Add an event unless it is there; ``about`` tells apart the events of one kind that a case may have."""
        event_id = short_sha(self.case.case_id, kind, about)
        if event_id in self.case.known:
            return
        event = CaseEvent(
            event_id=event_id,
            case_id=self.case.case_id,
            seq=self.case.events + 1,
            as_of=self.as_of,
            kind=kind,
            details={"stage_before": self.case.stage, "stage": self.case.stage, "machine": self.warning.grade.name, **details},
        )
        self.events.append(event)
        self.case = self.case.after(event)

    def worsened(self) -> None:
        """Re-open what was closed, or ask again about a level that the machine's proposal has outgrown."""
        case, machine = self.case, self.warning.grade
        outgrown = case.level_machine is not None and machine > case.level_machine
        if case.closed:
            if self.worse and not case.merged_into:
                self.say("reopened", self.as_of.isoformat(), stage=self.rules.automatic.reopened, level_dropped=outgrown)
            return
        asked = case.signing is not None and case.signing.what == "level" and machine > case.signing.machine
        if outgrown or asked:
            stages = list(self.rules.stages)
            back = min(case.stage, self.rules.automatic.asked_again, key=stages.index)
            self.say("asked-again", f"{machine.name}|{self.as_of}", stage=back)

    def recovered(self) -> None:
        """Close what recovered before anyone took it up, at the levels where that is allowed."""
        automatic = self.rules.automatic
        untouched = self.case.stage == self.rules.first and not self.case.closed
        if self.warning.state == "recovered" and untouched and self.warning.grade.name in automatic.recovered_closes:
            self.say("closed", self.as_of.isoformat(), stage=self.rules.closed, reason=automatic.recovered_closes_as, cause="recovered")

    def rechecked(self, verdict: str) -> None:
        """Follow the orders on record while a recheck is awaited: all passed closes, a failed one goes back and up."""
        case, automatic = self.case, self.rules.automatic
        if case.stage != automatic.recheck_stage or case.closed:
            return
        if verdict == "escalates":
            self.say("recheck-failed", case.since.isoformat(), stage=automatic.recheck_failed, owner=self.above())
        elif verdict == "closes" and self.standing in automatic.recheck_closes:
            more = {"reason": automatic.recheck_closes_as, "cause": "recheck", "models": list(models_of(self.warning))}
            self.say("closed", self.as_of.isoformat(), stage=self.rules.closed, **more)
        elif verdict == "closes":
            self.say("recheck-passed", case.since.isoformat())

    def expired(self) -> None:
        """Let an acknowledgement run out."""
        until = self.case.acknowledged_until
        if until is not None and until < self.as_of and not self.case.closed:
            self.say(
                "ack-expired", f"{self.case.acknowledged_by}|{until}|{self.as_of}", by=self.case.acknowledged_by, until=until.isoformat()
            )

    def silenced(self, silences: Sequence[Silence]) -> None:
        """Hide what a silence matches; show again what became worse, or what no silence matches any more."""
        case = self.case
        if case.closed or not self.warning.live:
            return
        grade = case.standing(self.warning.grade)
        found = silence_of(self.warning, grade, silences, self.office, day=self.as_of, lifted=case.lifted)
        if case.hidden_by and self.worse:
            self.say("shown", f"{case.hidden_by}|worsened|{self.as_of}", silence=case.hidden_by, cause="worsened")
        elif case.hidden_by and (found is None or found.silence_id != case.hidden_by):
            hiding = next((one for one in silences if one.silence_id == case.hidden_by), None)
            cause = "unmatched" if hiding is not None and hiding.in_force(self.as_of) else "ended"
            self.say("shown", f"{case.hidden_by}|{cause}|{self.as_of}", silence=case.hidden_by, cause=cause)
        # What becomes worse on the day on which it would first be hidden is read that day.
        if found is not None and not self.case.hidden_by and not self.worse and found.silence_id not in self.case.lifted:
            self.say("silenced", f"{found.silence_id}|{self.as_of}", silence=found.silence_id, until=found.ends_on.isoformat())

    def overdue(self) -> None:
        """Escalate a case whose stage has run out of time; at the highest owner say so once."""
        counted = self.office.due(self.case, self.warning)
        if counted is None or self.as_of <= counted.due_on:
            return
        above = self.above()
        told = {"due_on": counted.due_on.isoformat(), "how": counted.how}
        if above:
            self.say("escalated", self.as_of.isoformat(), owner=above, **told)
        else:
            self.say("overdue", self.case.clock_from.isoformat(), **told)

    @property
    def standing(self) -> str:
        return self.case.standing(self.warning.grade).name

    def above(self) -> str:
        """Return the level above the owner; "" at the top."""
        levels = self.rules.escalation.levels
        place = levels.index(self.office.owner(self.case, self.warning)) + 1
        return levels[place] if place < len(levels) else ""
