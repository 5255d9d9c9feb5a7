"""Which letter goes where, and when at the earliest. The same letters and routes give the same messages, in whatever order they come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from riskwatch.delivery.message import URGENT, Letter, Message, message_key
from riskwatch.delivery.rules import QuietHours, Route

__all__ = ["after_quiet", "due_time", "matches", "route"]


def route(letters: Iterable[Letter], routes: Sequence[Route], *, now: dt.datetime, zone: ZoneInfo) -> tuple[Message, ...]:
    """Address letters.

    Two routes that lead to the same channel, recipients and language make one message, due when the earlier of them says.

    Parameters
    ----------
    letters : iterable of Letter
    routes : sequence of Route
        Those in force.
    now : datetime
        With a zone.
    zone : ZoneInfo
        Of quiet hours that name none.

    Returns
    -------
    tuple of Message
        By key.
    """
    found: dict[str, Message] = {}
    for letter in letters:
        for one in routes:
            if not matches(letter, one):
                continue
            for language in letter.languages:
                if one.languages is not None and language not in one.languages:
                    continue
                message = _message(letter, one, language, due_time(now, letter.grade, one.quiet_hours, zone))
                known = found.get(message.key)
                found[message.key] = message if known is None else replace(known, due=min(known.due, message.due))
    return tuple(found[key] for key in sorted(found))


def matches(letter: Letter, one: Route) -> bool:
    """Say whether a route takes a letter: of its kind, its centres, and with a concern that has one of its grades and one of its products.

    A restriction never takes what it cannot see: a concern about an industry fits no list of products.
    """
    if ("alert" if letter.kind == "alert" else "digest") not in one.kinds:
        return False
    if one.centres is not None and letter.centre not in one.centres:
        return False
    if one.grades is None and one.products is None:
        return True
    return any(
        (one.grades is None or concern.grade in one.grades) and (one.products is None or not set(one.products).isdisjoint(concern.products))
        for concern in letter.concerns
    )


def _message(letter: Letter, one: Route, language: str, due: dt.datetime) -> Message:
    concern = letter.concerns[0] if letter.kind == "alert" else None
    return Message(
        key=message_key(
            day=letter.day,
            kind=letter.kind,
            centre=letter.centre,
            channel=one.channel,
            recipients=one.recipients,
            language=language,
            event=() if concern is None else (concern.warning_id, concern.change),
        ),
        centre=letter.centre,
        day=letter.day,
        kind=letter.kind,
        channel=one.channel,
        recipients=one.recipients,
        language=language,
        warning_id="" if concern is None else concern.warning_id,
        change="" if concern is None else concern.change,
        grade=letter.grade,
        first_day=letter.first_day,
        told=letter.told.get(language, ""),
        due=due,
    )


def due_time(moment: dt.datetime, grade: str, quiet: QuietHours | None, zone: ZoneInfo) -> dt.datetime:
    """Return when a message may be sent: at once, or at the end of quiet hours; levels I and II are never held back."""
    return moment if quiet is None or grade in URGENT else after_quiet(moment, quiet, zone)


def after_quiet(moment: dt.datetime, quiet: QuietHours, zone: ZoneInfo) -> dt.datetime:
    """Return ``moment``, or the end of the quiet hours that it lies in, in UTC. The last minute itself is quiet no more."""
    place = ZoneInfo(quiet.timezone) if quiet.timezone else zone
    local = moment.astimezone(place)
    start, end = quiet.hours
    clock = local.time()
    over_night = start > end
    inside = clock >= start or clock < end if over_night else start <= clock < end
    if not inside:
        return moment
    day = local.date() + dt.timedelta(days=1) if over_night and clock >= start else local.date()
    return dt.datetime.combine(day, end, place).astimezone(dt.UTC)
