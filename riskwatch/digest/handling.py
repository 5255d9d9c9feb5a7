"""Casework in a digest: the line on a card, the mark of a level that is not confirmed yet, the count of what is set aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from riskwatch.casework.view import Handling
from riskwatch.digest.blocks import Para
from riskwatch.digest.card_model import CompactRow, WarningCard
from riskwatch.digest.cards import bilingual, grade_name
from riskwatch.digest.handling_model import HandlingLine, SetAside
from riskwatch.digest.numbers import date
from riskwatch.digest.seen import Seen
from riskwatch.digest.sentences import Speaker
from riskwatch.rulebase import Text as RuleText

__all__ = ["aside_line", "change_text", "due_and_stage", "handling_line", "handling_sentence", "set_aside"]

_URGENT = frozenset({"I", "II"})
NEAR_DAYS = 180


def _text(text: RuleText | None) -> dict[str, str] | None:
    return None if text is None else {"zh": text.zh, "en": text.en}


def handling_line(known: Handling | None) -> HandlingLine | None:
    """Return where a case stands as part of a digest; None without casework."""
    if known is None:
        return None
    assignee, desk = _text(known.assignee), _text(known.acknowledged_by)
    return HandlingLine(
        stage=bilingual({"zh": known.stage_label.zh, "en": known.stage_label.en}),
        owner=bilingual({"zh": known.owner.zh, "en": known.owner.en}),
        assignee=None if assignee is None else bilingual(assignee),
        acknowledged_by=None if desk is None else bilingual(desk),
        acknowledged_until=known.acknowledged_until,
        due_on=known.due_on,
        overdue=known.overdue,
        escalations=known.escalations,
        proposed=grade_name(known.machine) or "NONE",
        by_people=known.level is not None,
        needed=known.needed,
        signed=known.signed,
        confirmed=known.confirmed,
    )


def set_aside(items: Sequence[Seen], handled: Mapping[str, Handling]) -> tuple[list[Seen], SetAside | None]:
    """Return what a digest lists, and the count of what people have closed or silenced; None without casework."""
    if not handled:
        return list(items), None
    listed, closed, until = [], 0, []
    for item in items:
        known = handled.get(item.warning.warning_id)
        if known is not None and known.closed:
            closed += not item.absorbed
        elif known is not None and known.hidden_until is not None:
            until += [known.hidden_until] if not item.absorbed else []
        else:
            listed.append(item)
    return listed, SetAside(closed=closed, silenced=len(until), silenced_until=max(until, default=None))


def _short(day: dt.date, today: dt.date) -> str:
    """Return month and day, with the year where the month alone could be misread: a line on every card must stay one line."""
    return f"{day:%m-%d}" if abs((day - today).days) <= NEAR_DAYS else date(day)


def handling_sentence(card: WarningCard, say: Speaker, today: dt.date, *, brief: bool = False) -> str:
    """Return the line of a card; in brief without the number of signatures and escalations. Empty without casework."""
    line, t = card.handling, say.t
    if line is None:
        return ""
    parts = [t("handling.stage", stage=say.of(line.stage), owner=say.of(line.owner))]
    if line.assignee is not None:
        parts.append(t("handling.assignee", who=say.of(line.assignee)))
    if line.acknowledged_until is not None:
        parts.append(t("handling.until", date=_short(line.acknowledged_until, today)))
    if line.due_on is not None:
        parts.append(t("handling.overdue" if line.overdue else "handling.due", date=_short(line.due_on, today)))
    if line.escalations and not brief:
        parts.append(t("handling.escalated", n=line.escalations))
    if line.by_people and line.proposed != card.grade:
        parts.append(t("handling.people", people=say.grade(card.grade, card.domain), machine=say.grade(line.proposed, card.domain)))
    if not line.confirmed and card.grade in _URGENT and not brief:
        parts.append(t("handling.signatures", signed=str(line.signed), needed=str(line.needed)))
    return say.opening(t("handling.sep").join(parts) + t("stop"))


def due_and_stage(item: WarningCard | CompactRow, due: dt.date | None, say: Speaker, today: dt.date) -> str:
    """Return the cell of a row: the next deadline, and at which stage the case stands, marked where that is overdue."""
    line = item.handling
    if line is None:
        return date(due)
    stage = say.t("others.stage_overdue" if line.overdue else "others.stage", stage=say.of(line.stage))
    return say.t("handling.sep").join([_short(due, today), stage]) if due is not None else stage


def change_text(item: WarningCard | CompactRow, say: Speaker) -> str:
    """Return what happened; a level I or II that not enough reviewers have confirmed is marked as proposed."""
    told = say.change(item.change, item.grade_before, item.grade, item.domain)
    line = item.handling
    if line is None or item.grade not in _URGENT:
        return told
    return say.t("handling.confirmed" if line.confirmed else "handling.proposed", change=told)


def aside_line(aside: SetAside | None, say: Speaker) -> list[Para]:
    """Return the one line on what is not listed; none where nothing is set aside."""
    if aside is None or not (aside.closed or aside.silenced):
        return []
    t = say.t
    parts = [t("aside.closed", n=aside.closed)] if aside.closed else []
    if aside.silenced:
        parts.append(t("aside.silenced", n=aside.silenced, date=date(aside.silenced_until)))
    return [Para(t("aside", parts=t("sep").join(parts)), "muted")]
