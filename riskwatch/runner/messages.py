"""Which messages a run writes to the outbox: digests, corrections of digests, catch-ups, alerts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.definitions import Definitions
from riskwatch.delivery.message import Concern, Letter, Message, message_key
from riskwatch.delivery.routing import route
from riskwatch.delivery.rules import CENTRE, DeliveryRules, MailChannel, Route
from riskwatch.digest import Digest
from riskwatch.digest.letter import told
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from riskwatch.runner.context import RunContext
from riskwatch.store import MessageRow, StoredMessage, outbox

__all__ = ["corrected", "delivery_rules", "messages_of", "without_recipients"]

_RISES = frozenset({"new", "worsened"})


def delivery_rules(definitions: Definitions) -> DeliveryRules | None:
    """Return ``config/delivery.yaml``; None where the project has none."""
    content = definitions.catalogue("delivery")
    return DeliveryRules.model_validate(content) if content else None


def messages_of(
    ctx: RunContext, digests: Sequence[Digest], warnings: Sequence[EarlyWarning], events: Iterable[WarningEvent]
) -> list[MessageRow]:
    """Return the messages that tell of a day; none if the run is quiet, or nothing routes them.

    Parameters
    ----------
    ctx : RunContext
    digests : sequence of Digest
        Of the day.
    warnings : sequence of EarlyWarning
        For the products that they are about.
    events : iterable of WarningEvent
        Old and new: a catch-up alerts to what rose on the days that nobody was told of.
    """
    rules = delivery_rules(ctx.definitions)
    routes = () if rules is None else rules.routes_in(ctx.definitions.profile)
    if rules is None or ctx.quiet or not routes:
        return []
    products = TreePaths(tree_of(ctx.trees, "product"))
    subjects = {warning.warning_id: warning.subject for warning in warnings}
    paths = {name: tuple(products.path(subject.code)) if subject.kind == "product" else () for name, subject in subjects.items()}
    risen = _risen(ctx, events)
    letters: list[Letter] = []
    for digest in digests:
        letters += _letters(ctx, digest, rules, routes=routes, paths=paths, risen=risen)
    deaf = without_recipients(ctx.definitions, rules)
    before = outbox.tellings(ctx.store.database, ctx.as_of)
    addressed = [
        *route(letters, routes, now=ctx.now, zone=ctx.zone),
        *route(letters, _told_before(before, routes), now=ctx.now, zone=ctx.zone),
    ]
    messages = [one for one in _once(addressed) if (one.channel, one.recipients, one.centre) not in deaf]
    return [_row(message) for message in corrected(messages, before)]


def _told_before(before: Iterable[StoredMessage], routes: Sequence[Route]) -> list[Route]:
    """Return a route to each reader who was told of the day: when what a route asks for is withdrawn, its readers must hear of it."""
    live = {(one.channel, one.recipients) for one in routes if "digest" in one.kinds}
    return [
        Route.model_validate(
            {
                "name": "again",
                "channel": stored.channel,
                "recipients": stored.recipients,
                "centres": (stored.centre,),
                "languages": (stored.language,),
            }
        )
        for stored in before
        if (stored.channel, stored.recipients) in live
    ]


def _once(messages: Iterable[Message]) -> list[Message]:
    """Return messages by key, the first of each: it has the quiet hours of the configured route."""
    found: dict[str, Message] = {}
    for message in messages:
        found.setdefault(message.key, message)
    return [found[key] for key in sorted(found)]


def without_recipients(definitions: Definitions, rules: DeliveryRules) -> dict[tuple[str, str, str], str]:
    """Return the centres that a route of mail names and that have no recipients: (channel, group, centre) -> route."""
    found = {}
    for one in rules.routes_in(definitions.profile):
        if one.recipients != CENTRE or not isinstance(rules.channel(one.channel), MailChannel):
            continue
        for name, centre in definitions.centres.items():
            if not centre.recipients and (one.centres is None or name in one.centres):
                found[one.channel, one.recipients, name] = one.name
    return found


def _risen(ctx: RunContext, events: Iterable[WarningEvent]) -> dict[str, str]:
    """Return the warnings that rose on days that a catch-up speaks for, and how, by their newest change."""
    if ctx.catch_up_from is None:
        return {}
    newest: dict[str, str] = {}
    for event in sorted(events, key=lambda event: event.as_of):
        if ctx.catch_up_from <= event.as_of < ctx.as_of:
            newest[event.warning_id] = event.kind
    return {name: kind for name, kind in newest.items() if kind in _RISES}


def _letters(
    ctx: RunContext,
    digest: Digest,
    rules: DeliveryRules,
    *,
    routes: Sequence[Route],
    paths: Mapping[str, tuple[str, ...]],
    risen: Mapping[str, str],
) -> list[Letter]:
    centre = digest.header.centre
    languages: tuple[str, ...] = ctx.definitions.centres[centre].languages
    mine = [one for one in routes if one.centres is None or centre in one.centres]
    # Cards are what is new or worsened today; what rose on a missed day stands among the rows.
    concerns = [Concern(card.warning_id, card.change, card.grade, paths.get(card.warning_id, ())) for card in digest.warnings]
    concerns += [
        Concern(row.warning_id, risen[row.warning_id], row.grade, paths.get(row.warning_id, ()))
        for row in digest.others
        if row.warning_id in risen and row.change == "unchanged"
    ]
    letters = []
    if any("digest" in one.kinds for one in mine):
        since = ctx.catch_up_from if ctx.catch_up_from is not None and ctx.catch_up_from < ctx.as_of else None
        letters.append(
            Letter(
                centre,
                ctx.as_of,
                "digest" if since is None else "catch-up",
                languages,
                tuple(concerns),
                {language: told(digest, language) for language in languages},
                since,
            )
        )
    if any("alert" in one.kinds for one in mine):
        letters += [
            Letter(centre, ctx.as_of, "alert", languages, (concern,)) for concern in concerns if concern.grade in rules.alert_grades
        ]
    return letters


def corrected(messages: Iterable[Message], before: Iterable[StoredMessage]) -> list[Message]:
    """Return what is still to be written, given what was told of the same day before.

    The first telling stays as it is; a later one that says the same is left out, and one that says something else becomes a correction.
    """
    last: dict[tuple[str, ...], StoredMessage] = {}
    for stored in sorted(before, key=lambda stored: stored.edition):
        last[stored.centre, stored.as_of.isoformat(), stored.channel, stored.recipients, stored.language] = stored
    found = []
    for message in messages:
        known = None if message.kind == "alert" else last.get(message.slot)
        if known is None:
            found.append(message)
        elif known.told != message.told:
            edition = known.edition + 1
            key = message_key(
                day=message.day,
                kind="correction",
                centre=message.centre,
                channel=message.channel,
                recipients=message.recipients,
                language=message.language,
                edition=edition,
            )
            found.append(replace(message, key=key, kind="correction", edition=edition, replaces=known.message_key))
    return found


def _row(message: Message) -> MessageRow:
    return MessageRow(
        message_key=message.key,
        centre=message.centre,
        as_of=message.day,
        kind=message.kind,
        channel=message.channel,
        recipients=message.recipients,
        language=message.language,
        warning_id=message.warning_id,
        change=message.change,
        grade=message.grade,
        first_day=message.first_day,
        edition=message.edition,
        told=message.told,
        due=message.due.astimezone(dt.UTC),
        replaces=message.replaces,
    )
