"""Messages of the outbox rendered for their channels: pages, attachments, lines for robots, data for webhooks."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from riskwatch.delivery.message import Attachment, Parcel, Picture
from riskwatch.delivery.rules import CENTRE, DeliveryRules, FileChannel, MailChannel, RobotChannel, WebhookChannel
from riskwatch.delivery.senders import forms_of
from riskwatch.digest import Digest, render_json
from riskwatch.digest.blocks import Page
from riskwatch.digest.letter import alert_letter, digest_letter, find_warning, headlines
from riskwatch.digest.model import CompactRow, WarningCard
from riskwatch.digest.render import set_email, set_html, set_markdown
from riskwatch.digest.text import Wording
from riskwatch.runner.clusters import county_outlines
from riskwatch.runner.context import RunContext
from riskwatch.runner.digests import DIGEST_LANGUAGE
from riskwatch.store import StoredMessage

__all__ = ["Packer"]

_KEPT = 24  # pages, forms and digests kept in memory: one centre's go to several channels one after the other
T = TypeVar("T")
AnyChannel = MailChannel | WebhookChannel | RobotChannel | FileChannel


@dataclass(frozen=True)
class _Set:
    """One letter laid out."""

    digest: Digest
    page: Page
    pictures: tuple[bytes, ...]


class Packer:
    """Renders messages; may be called from several threads, which take turns at drawing (it is not safe in threads).

    Parameters
    ----------
    ctx : RunContext
    rules : DeliveryRules
    addresses : callable
        Reads the addresses of a reference.
    """

    def __init__(self, ctx: RunContext, rules: DeliveryRules, addresses: Callable[[str], tuple[str, ...]]) -> None:
        self._ctx, self._rules, self._addresses = ctx, rules, addresses
        self._drawing, self._keeping = threading.Lock(), threading.Lock()
        self._kept: OrderedDict[Hashable, object] = OrderedDict()

    def pack(self, message: StoredMessage, channel: AnyChannel) -> Parcel | None:
        """Return the parcel of a message, or None if what it tells of is not in the digest any more (a corrected run withdrew it).

        Raises
        ------
        DeliveryError
            If the addresses of a group cannot be read.
        """
        made = self._set(message)
        if made is None:
            return None
        language, digest = message.language, made.digest
        parcel = Parcel(
            key=message.message_key,
            centre=message.centre,
            day=message.as_of,
            kind=message.kind,
            language=language,
            grade=message.grade,
            created=dt.datetime.fromisoformat(message.created_at),
            subject=made.page.subject,
        )
        if isinstance(channel, MailChannel):
            mail = self._once(("mail", *_place(message)), lambda: set_email(made.page, made.pictures))
            pictures = tuple(Picture(image.cid, image.filename, image.content, image.subtype) for image in mail.images)
            return replace(
                parcel,
                text=mail.text,
                html=mail.html,
                pictures=pictures,
                # An alert is read at once, on whatever is at hand: its page says all.
                attachments=() if message.kind == "alert" else self._attachments(message, channel, made),
                recipients=self._recipients(message),
            )
        if isinstance(channel, FileChannel):
            return replace(parcel, attachments=self._attachments(message, channel, made))
        lines = headlines(digest, language, message.warning_id, message.change) or (Wording(language)("warnings.none"),)
        if isinstance(channel, RobotChannel):
            return replace(parcel, lines=lines, more=Wording(language)("alert.gone", n=0).replace("0", "{n}", 1))
        items = [find_warning(digest, message.warning_id)] if message.warning_id else list(digest.warnings)
        told = [_told(item, language) for item in items if item is not None]
        since = None if message.first_day is None else message.first_day.isoformat()
        text = self._once(("mail", *_place(message)), lambda: set_email(made.page, made.pictures)).text
        return replace(parcel, text=text, data={"headlines": list(lines), "warnings": told, "catch_up_from": since})

    def _recipients(self, message: StoredMessage) -> tuple[str, ...]:
        if message.recipients == CENTRE:
            centre = self._ctx.definitions.centres.get(message.centre)
            return () if centre is None else centre.recipients
        group = next((one for one in self._rules.groups if one.name == message.recipients), None)
        return () if group is None else self._addresses(group.addresses)

    def _attachments(self, message: StoredMessage, channel: AnyChannel, made: _Set) -> tuple[Attachment, ...]:
        stem = f"{message.centre}-{message.as_of}-{message.kind}-{message.language}"
        if isinstance(channel, MailChannel):
            stem = f"{made.page.title}-{made.page.centre}-{message.as_of}".replace("/", "-").replace(" ", "_")
        return tuple(
            Attachment(form, f"{stem}.{form}", self._once((form, *_place(message)), lambda form=form: _form(form, message, made)))  # type: ignore[misc]
            for form in forms_of(channel)
        )

    def _set(self, message: StoredMessage) -> _Set | None:
        with self._drawing:
            return self._once(("page", *_place(message)), lambda: self._laid_out(message))

    def _laid_out(self, message: StoredMessage) -> _Set | None:
        digest = self._digest(message.centre, message.as_of)
        if digest is None:
            return None
        outlines = county_outlines(self._ctx) if any(card.cluster is not None for card in digest.warnings) else ()
        if message.kind == "alert":
            letter = alert_letter(digest, message.language, message.warning_id, change=message.change, outlines=outlines)
            if letter is None:
                return None
        else:
            letter = digest_letter(
                digest, message.language, correction=message.kind == "correction", missed=self._missed(message), outlines=outlines
            )
        return _Set(digest, letter[0], tuple(letter[1]))

    def _missed(self, message: StoredMessage) -> list[Digest]:
        """Return the digests of the days that a catch-up speaks for, but its own."""
        if message.first_day is None:
            return []
        days = [message.first_day + dt.timedelta(days=n) for n in range((message.as_of - message.first_day).days)]
        return [found for day in days if (found := self._digest(message.centre, day)) is not None]

    def _digest(self, centre: str, day: dt.date) -> Digest | None:
        row = self._ctx.store.read_digest(centre, day, language=DIGEST_LANGUAGE)
        return None if row is None else Digest.model_validate(row.payload)

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made for ``key``, or make it; only the newest are kept. Two threads may make the same: it is the same."""
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast("T", self._kept[key])
        made = make()
        with self._keeping:
            self._kept[key] = made
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made


def _place(message: StoredMessage) -> tuple[str, ...]:
    """Return what two messages with the same content have in common."""
    return (
        message.centre,
        message.as_of.isoformat(),
        message.kind,
        message.warning_id,
        message.language,
        str(message.first_day),
        message.told,
    )


def _form(form: str, message: StoredMessage, made: _Set) -> bytes:
    """Return one form of a letter; the typesetting libraries load with the first file of their kind."""
    page, pictures = made.page, made.pictures
    if form == "html":
        return set_html(page, pictures).encode()
    if form == "md":
        return set_markdown(page).encode()
    if form == "json":
        found = find_warning(made.digest, message.warning_id) if message.warning_id else None
        return (render_json(made.digest) if found is None else found.model_dump_json(indent=2) + "\n").encode()
    if form == "pdf":
        from riskwatch.reports.digest_pdf import digest_pdf  # noqa: PLC0415

        return digest_pdf(page, pictures, made.digest.header.date)
    if form == "docx":
        from riskwatch.reports.digest_docx import digest_docx  # noqa: PLC0415

        return digest_docx(page, pictures, made.digest.header.date)
    from riskwatch.reports.digest_xlsx import digest_xlsx  # noqa: PLC0415

    return digest_xlsx(made.digest, message.language, message.warning_id)


def _told(item: WarningCard | CompactRow, language: str) -> dict[str, object]:
    """Return a warning as a webhook is told of it."""
    return {
        "warning_id": item.warning_id,
        "change": item.change,
        "grade": item.grade,
        "grade_before": item.grade_before,
        "subject": item.subject.of(language),
        "region": item.place.code,
        "place": item.place.name.of(language),
        "scope": item.scope,
        "first_seen": item.first_seen.isoformat(),
    }
