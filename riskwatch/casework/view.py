"""Where a case stands, as readers are told: stage, owner, acknowledgement, next term, the level of people beside the machine's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from riskwatch.assessment.types import Grade
from riskwatch.casework.case import Case
from riskwatch.casework.office import Office
from riskwatch.casework.silences import Silence
from riskwatch.lifecycle import EarlyWarning
from riskwatch.rulebase import Text

__all__ = ["Handling", "handling"]


@dataclass(frozen=True, slots=True)
class Handling:
    """What a reader must know of a case.

    Attributes
    ----------
    stage : str
        Key of the stage; ``stage_label`` its name.
    owner : Text
        Who owns it: a level of administration.
    assignee, acknowledged_by : Text or None
        Desks or posts.
    acknowledged_until, due_on : datetime.date or None
        ``due_on``: end of the term of the stage; ``due_how``: how it was counted.
    overdue : bool
    escalations : int
    machine : Grade
        The level that the machine proposes.
    level : Grade or None
        The level of people, where they decided on one.
    needed, signed : int
        Signatures that the level asks for, and those it has.
    confirmed : bool
        Enough have signed.
    closed : bool
        ``closed_as`` says why, ``verdict`` what that says of the warning: "true", "false" or "none"; "" while open.
    hidden_until : datetime.date or None
        End of the silence that hides it; None where none does.
    """

    stage: str
    stage_label: Text
    owner: Text
    assignee: Text | None
    acknowledged_by: Text | None
    acknowledged_until: dt.date | None
    due_on: dt.date | None
    due_how: str
    overdue: bool
    escalations: int
    machine: Grade
    level: Grade | None
    needed: int
    signed: int
    confirmed: bool
    closed: bool
    closed_as: Text | None
    verdict: str
    hidden_until: dt.date | None


def handling(case: Case, warning: EarlyWarning, silences: Iterable[Silence], office: Office, *, as_of: dt.date) -> Handling:
    """Return where a case stands on a day."""
    rules, counted = office.rules, office.due(case, warning)
    confirmed = office.confirmed(case, warning)
    asked = case.signing.by if case.signing is not None and case.signing.what == "level" else ()
    reason = rules.closures.get(case.closed_as)
    hiding = next((one for one in silences if one.silence_id == case.hidden_by), None)

    def post(name: str) -> Text | None:
        actor = rules.actors.get(name)
        # A desk that was taken out of the register is still named by its id.
        return actor.label if actor is not None else Text(zh=name, en=name) if name else None

    return Handling(
        stage=case.stage,
        stage_label=rules.stages[case.stage].label if case.stage in rules.stages else Text(zh=case.stage, en=case.stage),
        owner=rules.escalation.labels[office.owner(case, warning)],
        assignee=post(case.assignee),
        acknowledged_by=post(case.acknowledged_by),
        acknowledged_until=case.acknowledged_until,
        due_on=None if counted is None else counted.due_on,
        due_how="" if counted is None else counted.how,
        overdue=counted is not None and as_of > counted.due_on,
        escalations=case.escalations,
        machine=warning.grade,
        level=case.level,
        needed=office.signatures(warning.grade, case.level),
        signed=len(case.signers) if confirmed else len(asked),
        confirmed=confirmed,
        closed=case.closed,
        closed_as=reason.label if reason is not None else None,
        verdict=reason.counts if reason is not None else "",
        hidden_until=None if hiding is None else hiding.ends_on,
    )
