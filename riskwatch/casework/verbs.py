"""What people may do with a case: each verb checked for who, from where and with how many signatures; an event, or a clear refusal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from riskwatch.assessment.types import Grade
from riskwatch.casework.case import Case, CaseEvent, Signing
from riskwatch.casework.notes import clean_note
from riskwatch.casework.office import Office, models_of
from riskwatch.casework.rules import VERBS, Transition
from riskwatch.errors import CaseworkError
from riskwatch.lifecycle import EarlyWarning
from riskwatch.lifecycle.types import short_sha

__all__ = ["Request", "perform"]

_LEVELS = ("I", "II", "III", "IV")


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for.

    Attributes
    ----------
    verb : str
        One of :data:`riskwatch.casework.rules.VERBS`.
    actor : str
        Id of the desk or post.
    as_of : datetime.date
        Day in the project's zone.
    happened_at : str
        Instant in UTC.
    note : str
        Reason or comment, in words; personal data are taken out.
    until : datetime.date or None
        ack: until when; default: as long as the level allows.
    to : str
        assign: an actor. regrade: a level. merge: the id of the other warning.
    result : str
        recheck: "passed", "failed", or "" when one is ordered.
    reason : str
        close: a coded reason.
    """

    verb: str
    actor: str
    as_of: dt.date
    happened_at: str
    note: str = ""
    until: dt.date | None = None
    to: str = ""
    result: str = ""
    reason: str = ""


def perform(
    request: Request,
    case: Case,
    warning: EarlyWarning,
    office: Office,
    *,
    others: Mapping[str, Case] | None = None,
    given_names: frozenset[str] = frozenset(),
) -> CaseEvent:
    """Return the event of what a person asks for.

    Parameters
    ----------
    request : Request
    case : Case
        As it stands.
    warning : EarlyWarning
        Its warning as it stands.
    office : Office
    others : mapping of str to Case, optional
        The cases into which one may be merged, by id.
    given_names : frozenset of str
        English given names that are taken out of notes (``config/texts.yaml``).

    Raises
    ------
    CaseworkError
        Naming the rule: unknown verb or actor, role, reach, stage, missing reason, a signature given twice, a wrong day or code.
    """
    verb = request.verb
    if verb not in VERBS:
        raise CaseworkError(f'no verb "{verb}"', hint=f"verbs: {', '.join(VERBS)}")
    # An actor is checked before the case: a stranger is not told where it stands.
    office.actor(request.actor)
    step = _transition(request, case, office)
    _check_actor(request, step, case, warning, office)
    rule = office.rules.verbs[step.verb]
    note = clean_note(request.note, given_names=given_names)
    if rule.note_required and not note:
        raise CaseworkError(f"{verb} {case.case_id}: a reason in words is needed", hint='--note "..."')
    if request.as_of < (case.last_on or case.opened):
        raise CaseworkError(f"{verb} {case.case_id}: {request.as_of} lies before {case.last_on or case.opened}, the day of its last event")
    more = _MORE[verb](request, case, warning, office, others or {})
    signed = _signatures(request, case, warning, office, more) if step.reviewed else {}
    effective = bool(signed.get("effective", True))
    stage = (step.to if effective else step.partly) or case.stage
    seq = case.events + 1
    return CaseEvent(
        event_id=short_sha(case.case_id, str(seq), verb, request.actor, request.happened_at),
        case_id=case.case_id,
        seq=seq,
        as_of=request.as_of,
        kind=verb,
        actor=request.actor,
        happened_at=request.happened_at,
        details={
            "stage_before": case.stage,
            "stage": stage,
            "machine": warning.grade.name,
            **({"note": note} if note else {}),
            **more,
            **signed,
        },
    )


def _transition(request: Request, case: Case, office: Office) -> Transition:
    found = office.rules.transition(case.stage, request.verb, request.result)
    if found is None:
        label = office.rules.stages[case.stage].label.en
        raise CaseworkError(
            f'{request.verb} {case.case_id}: not possible in stage "{case.stage}" ({label})',
            hint=f"possible there: {', '.join(office.rules.allowed(case.stage))}",
        )
    return found


def _check_actor(request: Request, step: Transition, case: Case, warning: EarlyWarning, office: Office) -> None:
    actor = office.actor(request.actor)
    rule = office.rules.verbs[step.verb]
    roles = set(step.roles or rule.roles) & set(rule.roles)
    if not roles & set(actor.roles):
        raise CaseworkError(
            f'{request.verb} {case.case_id}: actor "{request.actor}" is {", ".join(actor.roles)}, '
            f'stage "{case.stage}" needs {" or ".join(sorted(roles))}'
        )
    if not office.reaches(actor, case, warning, rule.reach):
        owner = office.owner(case, warning)
        raise CaseworkError(
            f'{request.verb} {case.case_id}: actor "{request.actor}" (region {actor.region or "everywhere"}) cannot decide on region '
            f"{warning.subject.region or 'everywhere'}, owned by the {owner}",
            hint=f"{request.verb} needs reach {rule.reach!r} (config/lifecycle.yaml, verbs)",
        )


# --- what each verb brings -------------------------------------------------------------------------------------------

Others = Mapping[str, Case]
_More = Callable[[Request, Case, EarlyWarning, Office, Others], dict[str, Any]]


def _nothing(_request: Request, _case: Case, _warning: EarlyWarning, _office: Office, _others: Others) -> dict[str, Any]:
    return {}


def _ack(request: Request, case: Case, warning: EarlyWarning, office: Office, _others: Others) -> dict[str, Any]:
    longest = office.longest_acknowledgement(warning, case, request.as_of)
    until = request.until or longest
    if not request.as_of <= until <= longest:
        raise CaseworkError(
            f"ack {case.case_id}: level {case.standing(warning.grade).name} holds from {request.as_of} until {longest} at the longest, "
            f"asked for {until}",
            hint="acknowledge again when it expires, or move the case on",
        )
    return {"until": until.isoformat()}


def _assign(request: Request, case: Case, warning: EarlyWarning, office: Office, _others: Others) -> dict[str, Any]:
    if not request.to:
        raise CaseworkError(f"assign {case.case_id}: to whom?", hint="--to ACTOR")
    if not office.reaches(office.actor(request.to), case, warning, "related"):
        raise CaseworkError(f'assign {case.case_id}: "{request.to}" has nothing to do with region {warning.subject.region}')
    return {"to": request.to}


def _confirm(_request: Request, case: Case, warning: EarlyWarning, office: Office, _others: Others) -> dict[str, Any]:
    step = office.rules.transition(case.stage, "confirm")
    if step is None or not step.reviewed:
        return {}
    asked = case.signing
    level = asked.value if asked is not None and asked.what == "level" else case.standing(warning.grade).name
    return {"level": level}


def _regrade(request: Request, case: Case, _warning: EarlyWarning, _office: Office, _others: Others) -> dict[str, Any]:
    if request.to not in _LEVELS:
        raise CaseworkError(f'regrade {case.case_id}: no level "{request.to}"', hint=f"--to {'|'.join(_LEVELS)}")
    return {"level": request.to}


def _recheck(request: Request, _case: Case, _warning: EarlyWarning, _office: Office, _others: Others) -> dict[str, Any]:
    return {"result": request.result}


def _close(request: Request, case: Case, warning: EarlyWarning, office: Office, _others: Others) -> dict[str, Any]:
    known = office.rules.closures
    if request.reason not in known:
        raise CaseworkError(f'close {case.case_id}: no closure reason "{request.reason}"', hint=f"--reason {'|'.join(known)}")
    return {"reason": request.reason, "models": list(models_of(warning))}


def _merge(request: Request, case: Case, warning: EarlyWarning, office: Office, others: Others) -> dict[str, Any]:
    other = others.get(request.to)
    if request.to == case.case_id or other is None or other.closed:
        what = "itself" if request.to == case.case_id else "no case" if other is None else "closed"
        raise CaseworkError(f'merge {case.case_id}: cannot go into "{request.to}": {what}', hint="--into ID of another open warning")
    return {"reason": office.rules.merged_as, "into": request.to, "models": list(models_of(warning))}


_MORE: dict[str, _More] = {
    "ack": _ack,
    "assign": _assign,
    "comment": _nothing,
    "confirm": _confirm,
    "regrade": _regrade,
    "act": _nothing,
    "recheck": _recheck,
    "close": _close,
    "reopen": _nothing,
    "merge": _merge,
}


def _signatures(request: Request, case: Case, warning: EarlyWarning, office: Office, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return who has signed now, how many it takes, and whether that is enough."""
    levels = [warning.grade, case.level, case.confirmed]
    if "level" in more:
        what, value = "level", str(more["level"])
        levels.append(Grade[value])
    else:
        what, value = ("merge", str(more["into"])) if "into" in more else ("close", str(more["reason"]))
    before = _same(case.signing, what, value)
    needed = office.signatures(*levels)
    if request.actor in before:
        raise CaseworkError(f'{request.verb} {case.case_id}: "{request.actor}" has signed this already; it takes {needed} different actors')
    by = (*before, request.actor)
    return {"signed": list(by), "needed": needed, "effective": len(by) >= needed}


def _same(signing: Signing | None, what: str, value: str) -> tuple[str, ...]:
    return signing.by if signing is not None and (signing.what, signing.value) == (what, value) else ()
