"""A digest, or one warning of it, as a letter: the page that is sent, what is said in one line each, and what the reader is told in all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

from riskwatch.digest.blocks import Block, Bullets, Page, Para, Section
from riskwatch.digest.model import CompactRow, Digest, WarningCard
from riskwatch.digest.numbers import date
from riskwatch.digest.page import card_block, headline, lay_out
from riskwatch.digest.render import Features, card_pictures, pictures
from riskwatch.digest.sentences import Speaker

__all__ = ["alert_letter", "digest_letter", "find_warning", "headlines", "told"]

# Sources and backlog change without the day's news doing so; the lines to sign say nothing.
_NOT_NEWS = frozenset({"quality", "sign_off"})


def told(digest: Digest, language: str) -> str:
    """Return a hash of what the reader is told: all sections but data quality and the lines to sign."""
    page = lay_out(digest, language)
    news = [dataclasses.asdict(section) for section in page.sections if section.key not in _NOT_NEWS]
    return hashlib.sha256(json.dumps(news, ensure_ascii=False).encode()).hexdigest()[:16]


def headlines(digest: Digest, language: str, warning_id: str = "", change: str = "") -> tuple[str, ...]:
    """Return one sentence for each new or worsened warning, the most urgent first; or for one warning only, and how it changed."""
    say = Speaker(digest, language)
    if warning_id:
        found = find_warning(digest, warning_id)
        return () if found is None else (_headline(found, digest, say, change),)
    return tuple(headline(card, digest, say) for card in digest.warnings)


def find_warning(digest: Digest, warning_id: str) -> WarningCard | CompactRow | None:
    """Return the card, or the row, of a warning."""
    items: tuple[WarningCard | CompactRow, ...] = (*digest.warnings, *digest.others)
    return next((item for item in items if item.warning_id == warning_id), None)


def _headline(item: WarningCard | CompactRow, digest: Digest, say: Speaker, change: str) -> str:
    if isinstance(item, WarningCard):
        return headline(item, digest, say)
    return say.t(
        "alert.row",
        grade=say.grade(item.grade, item.domain),
        change=say.change(change or item.change),
        subject=say.of(item.subject),
        place=say.place(item.place),
        figures=say.row_figures(item),
    )


def digest_letter(
    digest: Digest, language: str, *, correction: bool = False, missed: Sequence[Digest] = (), outlines: Features = ()
) -> tuple[Page, list[bytes]]:
    """Return the page of a digest as it is sent, and its pictures.

    Parameters
    ----------
    correction : bool
        It takes the place of one that was sent: the page says so first.
    missed : sequence of Digest
        Of earlier days that were not told, oldest first: the page first says what changed on each.
    """
    page, say = lay_out(digest, language), Speaker(digest, language)
    t, drawn = say.t, pictures(digest, language, outlines)
    prefaces: list[Section] = []
    subject = page.subject
    if correction:
        subject = t("mail.correction", subject=subject)
        prefaces.append(Section("preface", t("preface.correction"), (Para(t("preface.correction_text"), "strong"),)))
    if missed:
        first, before, last = (date(one.header.date) for one in (missed[0], missed[-1], digest))
        subject = t("mail.catch_up", first=first, last=last, subject=subject)
        days = tuple(Para(_day(one, Speaker(one, language))) for one in missed)
        opening = Para(t("preface.catch_up_text", first=first, before=before, last=last), "strong")
        prefaces.append(Section("preface", t("preface.catch_up"), (opening, Bullets(days))))
    return dataclasses.replace(page, subject=subject, sections=(*prefaces, *page.sections)), drawn


def _day(digest: Digest, say: Speaker) -> str:
    """Return what changed on one day, by level; level I and II warnings by name."""
    t = say.t
    counts = [
        t("preface.day_count", grade=say.grade(one.grade), new=one.new, raised=one.raised, recovered=one.recovered)
        for one in digest.bottom_line.counts
        if one.new or one.raised or one.recovered
    ]
    day = date(digest.header.date)
    if not counts:
        return t("preface.day_quiet", date=day)
    named = [f"{say.title(card, 'related.one')}" for card in digest.warnings if card.grade in {"I", "II"}]
    return t("preface.day", date=day, counts=t("preface.sep").join([*counts, *named]))


def alert_letter(
    digest: Digest, language: str, warning_id: str, *, change: str = "", outlines: Features = ()
) -> tuple[Page, list[bytes]] | None:
    """Return the page that tells of one warning at once, and its pictures; None if the digest does not hold it (any more).

    ``change`` is what happened, for a warning that rose on a day before: the digest of the day has it among the unchanged.
    """
    found = find_warning(digest, warning_id)
    if found is None:
        return None
    page, say = lay_out(digest, language), Speaker(digest, language)
    t, line = say.t, _headline(found, digest, say, change)
    blocks: list[Block] = [Para(line, "strong")]
    drawn: list[bytes] = []
    if isinstance(found, WarningCard):
        drawn = card_pictures([found], digest, language, outlines)
        chart = 0 if found.chart is not None else -1
        blocks.append(card_block(found, say, chart, chart + 1 if found.cluster is not None else -1, digest.header.date))
    blocks.append(Para(t("alert.more"), "muted"))
    simulated = t("mail.simulated") if digest.header.simulated else ""
    return (
        dataclasses.replace(
            page,
            title=t("alert.title"),
            subject=t("mail.alert", headline=line, simulated=simulated),
            sections=(Section("alert", t("alert.section"), tuple(blocks)),),
        ),
        drawn,
    )
