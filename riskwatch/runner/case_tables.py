"""Cases as tables and stories: for the command line, the API and notebooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from riskwatch.assessment.duedates import HOW
from riskwatch.casework.office import models_of
from riskwatch.casework.precision import precision
from riskwatch.casework.silences import hidden_by
from riskwatch.lifecycle import EarlyWarning
from riskwatch.runner.casework import Selection, chosen, office_of, read_register
from riskwatch.runner.context import RunContext

__all__ = ["CASE_COLUMNS", "case_frame", "case_lines", "case_story", "event_frame", "precision_frame", "silence_frame"]

_TOLD = ("until", "to", "level", "result", "reason", "into", "owner", "due_on", "silence", "cause")
CASE_COLUMNS = [
    "warning_id", "stage", "grade", "level", "standing", "confirmed", "signed", "needed", "owner", "assignee", "acknowledged_by",
    "acknowledged_until", "due_on", "overdue", "escalations", "closed_as", "closed_on", "merged_into", "hidden_by", "notes", "events",
]  # fmt: skip


def case_frame(ctx: RunContext) -> pd.DataFrame:
    """Return one row per warning with where its case stands; columns :data:`CASE_COLUMNS`, by id."""
    register = read_register(ctx)
    rows = []
    for name, case in register.cases.items():
        warning, told = register.warnings[name], register.handling(name, ctx.as_of)
        rows.append(
            {
                "warning_id": name,
                "stage": case.stage,
                "grade": warning.grade.name,
                "level": "" if case.level is None else case.level.name,
                "standing": case.standing(warning.grade).name,
                "confirmed": told.confirmed,
                "signed": told.signed,
                "needed": told.needed,
                "owner": register.office.owner(case, warning),
                "assignee": case.assignee,
                "acknowledged_by": case.acknowledged_by,
                "acknowledged_until": case.acknowledged_until,
                "due_on": told.due_on,
                "overdue": told.overdue,
                "escalations": case.escalations,
                "closed_as": case.closed_as,
                "closed_on": case.closed_on,
                "merged_into": case.merged_into,
                "hidden_by": case.hidden_by,
                "notes": case.notes,
                "events": case.events,
            }
        )
    return pd.DataFrame(rows, columns=CASE_COLUMNS)


def event_frame(ctx: RunContext, case_id: str) -> pd.DataFrame:
    """Return the events of one case: ``seq, as_of, kind, actor, happened_at, stage, note, details``; in their order.

    Raises
    ------
    CaseworkError
        If no warning, or more than one, starts with ``case_id``.
    """
    register = read_register(ctx)
    name = chosen(register, Selection(ids=(case_id,)), "case events")[0]
    rows = [
        (
            one.seq,
            one.as_of,
            one.kind,
            one.actor,
            one.happened_at,
            one.details.get("stage", ""),
            one.details.get("note", ""),
            dict(one.details),
        )
        for one in register.events
        if one.case_id == name
    ]
    return pd.DataFrame(rows, columns=["seq", "as_of", "kind", "actor", "happened_at", "stage", "note", "details"])


def case_story(ctx: RunContext, warning: EarlyWarning) -> dict[str, Any] | None:
    """Return where the case of a warning stands, with its events, as JSON-able data; None without ``config/lifecycle.yaml``."""
    if office_of(ctx) is None:
        return None
    register = read_register(ctx, warnings=[warning])
    case, told = register.cases[warning.warning_id], register.handling(warning.warning_id, ctx.as_of)
    return {
        **{name: _plain(getattr(told, name)) for name in told.__dataclass_fields__},
        "verbs": list(register.office.rules.allowed(case.stage)),
        "models": list(models_of(warning)),
        "merged_into": case.merged_into,
        "events": [
            {
                "seq": one.seq,
                "as_of": one.as_of.isoformat(),
                "kind": one.kind,
                "actor": one.actor,
                "happened_at": one.happened_at,
                "details": dict(one.details),
            }
            for one in sorted(register.events, key=lambda event: event.seq)
            if one.case_id == warning.warning_id
        ],
    }


def case_lines(story: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of :func:`case_story` for people, in English."""
    yield "case"
    level = f"{story['level']} by people, {story['machine']} by the machine" if story["level"] else f"{story['machine']} as proposed"
    signed = "confirmed" if story["confirmed"] else f"not confirmed ({story['signed']} of {story['needed']} signatures)"
    yield f"  stage {story['stage']} ({story['stage_label']['zh']}), owned by the {story['owner']['en']}; level {level}, {signed}"
    for name, words in (("assignee", "assigned to"), ("acknowledged_by", "acknowledged by"), ("closed_as", "closed as")):
        if story[name]:
            until = f" until {story['acknowledged_until']}" if name == "acknowledged_by" else ""
            yield f"  {words} {story[name]['en']}{until}"
    if story["merged_into"]:
        yield f"  merged into {story['merged_into']}"
    if story["hidden_until"]:
        yield f"  silenced until {story['hidden_until']}"
    if story["due_on"]:
        yield f"  stage due {story['due_on']} ({HOW[story['due_how']]['en']})" + (", overdue" if story["overdue"] else "")
    yield f"  possible now: {', '.join(story['verbs'])}"
    for event in story["events"]:
        details = event["details"]
        moved = f" {details['stage_before']} -> {details['stage']}" if details.get("stage_before") != details.get("stage") else ""
        more = ", ".join(f"{name} {details[name]}" for name in _TOLD if details.get(name))
        note = f": {details['note']}" if details.get("note") else ""
        yield f"  {event['as_of']} {event['kind']}{moved} by {event['actor'] or 'itself'}" + (f" ({more})" if more else "") + note


def _plain(value: object) -> object:
    if isinstance(value, dt.date):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return getattr(value, "name", value)


def silence_frame(ctx: RunContext, *, every: bool = False) -> pd.DataFrame:
    """Return silences with what each hid.

    Parameters
    ----------
    ctx : RunContext
    every : bool
        Those that are over, too.

    Returns
    -------
    DataFrame
        ``silence_id, matcher, reason, author, starts_on, ends_on, ended_on, in_force, hid``; ``hid``: tuple of
        :class:`riskwatch.casework.silences.Hidden`.
    """
    register = read_register(ctx)
    hid = hidden_by(register.events)
    rows = []
    for one in sorted(register.silences, key=lambda one: (one.starts_on, one.silence_id)):
        force = one.in_force(ctx.as_of)
        if force or every:
            days = (one.starts_on, one.ends_on, one.ended_on)
            rows.append((one.silence_id, one.matcher.told(), one.reason, one.author, *days, force, hid.get(one.silence_id, ())))
    columns = ["silence_id", "matcher", "reason", "author", "starts_on", "ends_on", "ended_on", "in_force", "hid"]
    return pd.DataFrame(rows, columns=columns)


def precision_frame(ctx: RunContext) -> pd.DataFrame:
    """Return :func:`riskwatch.casework.precision.precision` of all cases closed by the day."""
    register = read_register(ctx)
    return precision(register.events, register.office.rules)
