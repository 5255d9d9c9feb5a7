"""Lay a digest out in one language: the same page is then set as HTML or Markdown, so both show the same figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from riskwatch.digest import sections
from riskwatch.digest.blocks import Block, Bullets, CardBlock, Cell, Page, Para, Section, Table
from riskwatch.digest.brief import brief_card
from riskwatch.digest.card_notes import emergency_sentence, related_sentence, spread_sentence
from riskwatch.digest.case_warnings import case_table, taken_sentence
from riskwatch.digest.clusters import cluster_text
from riskwatch.digest.handling import aside_line, change_text, due_and_stage, handling_sentence
from riskwatch.digest.indicator_page import indicators
from riskwatch.digest.model import GRADES, CompactRow, Digest, WarningCard
from riskwatch.digest.numbers import amount, date, pair
from riskwatch.digest.sentences import Speaker
from riskwatch.digest.urgency import first_first

__all__ = ["card_block", "headline", "lay_out"]

MEASURES, MEASURES_URGENT, ACTIONS, ACTIONS_URGENT, WOULD_CHANGE = 1, 2, 2, 4, 2
_URGENT = frozenset({"I", "II"})
_BELOW = frozenset({"WATCH", "NONE"})
LEAST = 0.05  # levels less probable than this are not printed
_Sectioner = Callable[[Digest, Speaker], "list[Block]"]


def lay_out(digest: Digest, language: str) -> Page:
    """Return the page of ``digest`` in ``language`` ("zh" or "en")."""
    say = Speaker(digest, language)
    t, header = say.t, digest.header
    issue = t("issue", issue=str(header.issue_no))
    urgent = {grade: sum(card.grade == grade for card in digest.warnings) for grade in _URGENT}
    parts: tuple[tuple[str, _Sectioner], ...] = (
        ("bottom_line", _bottom_line),
        ("warnings", _warnings),
        ("incidents", sections.incidents),
        ("focus", sections.focus),
        ("systemic", sections.systemic),
        ("cases", sections.cases),
        ("external", sections.external),
        ("quality", sections.quality),
        ("calibration", sections.calibration),
        *((("indicators", indicators),) if digest.indicators is not None else ()),
        ("sign_off", sections.sign_off),
    )
    return Page(
        language=language,
        centre=say.of(header.centre_name),
        title=t("title"),
        internal=t("internal"),
        simulated=t("simulated") if header.simulated else "",
        meta=t(
            "meta",
            date=t.long_date(header.date),
            issue=issue,
            region=say.place(header.region),
            cutoff=date(header.data_cutoff),
            status=t.code("status", header.status),
        ),
        sections=tuple(Section(key, t(f"section.{key}"), tuple(make(digest, say))) for key, make in parts),
        footer=t("footer"),
        running=t(
            "running", centre=say.of(header.centre_name), date=date(header.date), simulated=t("mail.simulated") if header.simulated else ""
        ),
        subject=t(
            "mail.subject",
            centre=say.of(header.centre_name),
            date=date(header.date),
            issue=issue,
            urgent=t("mail.urgent", one=urgent["I"], two=urgent["II"]) if any(urgent.values()) else "",
            simulated=t("mail.simulated") if header.simulated else "",
        ),
    )


def _bottom_line(digest: Digest, say: Speaker) -> list[Block]:
    t = say.t
    blocks: list[Block] = []
    leading = [card for card in digest.warnings if card.warning_id in digest.bottom_line.leading]
    if leading:
        told = tuple(Para(headline(card, digest, say), "strong") for card in leading if not card.brief)
        blocks.append(Bullets((*told, *_lead_briefs([card for card in leading if card.brief], digest, say))))
    elif digest.warnings:
        blocks.append(Para(t("no_leading")))
    else:
        blocks.append(_quiet(digest, say))
    counts = digest.bottom_line.counts
    columns = ("new", "raised", "eased", "recovered", "open")
    figures = [t("counts", **{name: getattr(count, name) for name in columns}) for count in counts]
    blocks.append(
        Table(
            head=tuple(say.grade(count.grade) for count in counts),
            rows=(tuple(Cell(text) for text in figures),),
            align="l" * len(counts),
            widths=(25,) * len(counts),
            badges=tuple(say.badge(count.grade) for count in counts),
        )
    )
    return blocks


def headline(card: WarningCard, digest: Digest, say: Speaker) -> str:
    """Return one warning in one sentence."""
    lead = card.measures[0] if card.measures else None
    where = say.where(lead, with_subject=False) if lead and lead.place and lead.place.code != card.place.code else ""
    return say.t(
        "leading",
        grade=say.grade(card.grade, card.domain),
        change=say.change(card.change, card.grade_before, card.grade, card.domain),
        subject=say.of(card.subject),
        place=say.place(card.place),
        figures=say.figures(lead, where=where),
        scope=say.scope(card),
        due=_next_due(card, digest, say),
    )


def _next_due(card: WarningCard, digest: Digest, say: Speaker) -> str:
    due = say.next_due(card, digest.header.date)
    return say.t("leading.due", date=date(due[0]), owner=due[1]) if due else ""


def _lead_briefs(cards: list[WarningCard], digest: Digest, say: Speaker) -> list[Para]:
    """Name those in brief, whose card is a sentence itself: level I one by one, level II together where change and next deadline agree."""
    groups: dict[tuple[str, str, str, str, str], list[str]] = {}
    for card in cards:
        key = (card.grade, card.domain, say.change(card.change, card.grade_before, card.grade, card.domain), _next_due(card, digest, say))
        alone = card.warning_id if card.grade == "I" else ""
        groups.setdefault((*key, alone), []).append(say.title(card, "related.one"))
    return [
        Para(say.t("leading.brief", change=change, named=say.t("sep").join(named), due=due), "strong", say.badge(grade, domain))
        for (grade, domain, change, due, _), named in groups.items()
    ]


def _quiet(digest: Digest, say: Speaker) -> Para:
    proof = digest.coverage
    if not proof.tests:
        return Para(say.t("quiet.none"), "alert")
    return Para(
        say.t("quiet", series=amount(proof.series), tests=amount(proof.tests), sources=proof.sources_expected, heard=proof.sources_heard),
        "strong",
    )


def _warnings(digest: Digest, say: Speaker) -> list[Block]:
    full = [card for card in digest.warnings if card.in_full]
    charts = [card.warning_id for card in full if card.chart is not None]
    # Pictures are numbered in the order in which they are drawn: all charts, then all maps.
    maps = [card.warning_id for card in full if card.cluster is not None]
    blocks: list[Block] = [
        card_block(
            card,
            say,
            charts.index(card.warning_id) if card.chart is not None else -1,
            len(charts) + maps.index(card.warning_id) if card.cluster is not None else -1,
            digest.header.date,
        )
        for card in full
    ]
    blocks += [brief_card(card, say, digest.header.date) for card in digest.warnings if card.brief]
    if any(card.brief for card in digest.warnings):
        blocks.append(Para(say.t("brief.more"), "muted"))
    if not full:
        blocks.append(Para(say.t("warnings.rows_only" if digest.warnings else "warnings.none")))
    blocks += _others(digest, say)
    blocks += case_table(digest.case_warnings, say)
    blocks += aside_line(digest.set_aside, say)
    return blocks


def card_block(card: WarningCard, say: Speaker, chart: int, map_: int, today: dt.date) -> CardBlock:
    """Return a warning in full as read on ``today``; ``chart`` and ``map_`` are the numbers of its pictures on the page, -1 for none."""
    t = say.t
    shown = card.measures[: MEASURES_URGENT if card.grade in _URGENT else MEASURES]
    what = [say.measure(measure) + t("stop") for measure in shown]
    if card.measures_total > len(shown):
        what.append(t("measure.others", n=card.measures_total - len(shown)))
    most = ACTIONS_URGENT if card.grade in _URGENT else ACTIONS
    # What is due first is read first; the JSON keeps the order of the catalogue.
    actions, laws = say.actions(first_first(card.actions)[:most])
    response = emergency_sentence(card, say)
    if response:
        actions = (response, *actions)
    if len(card.actions) > most:
        actions += (t("action.others", n=len(card.actions) - most),)
    gap = "" if say.language == "zh" else " "
    lines = (
        (
            t("card.reason"),
            (
                (say.of(card.reason) + gap if card.reason is not None else "") + say.opening(say.reason(card)),
                *_held(card, say),
                *taken_sentence(card.taken, say),
                *_attention(card, say),
            ),
        ),
        (t("card.what"), (*(what or [t("figures.floor") + t("stop")]), *_company(card, say))),
        (t("card.exposed"), (say.exposed(card),)),
        (t("card.sources"), (say.sources(card), *((say.of(card.outside),) if card.outside is not None else ()))),
        (
            t("card.would_change"),
            (*_sure(card, say), *(tuple(say.of(text) for text in card.would_change[:WOULD_CHANGE]) or (t("would_change.unknown"),))),
        ),
        (t("card.actions"), (*actions, _legal(laws, say)) if actions else (t("action.none"),)),
        *(((t("handling"), (handled,)),) if (handled := handling_sentence(card, say, today)) else ()),
    )
    return CardBlock(
        badge=say.badge(card.grade, card.domain),
        change=change_text(card, say),
        title=say.title(card),
        code=card.warning_id,
        lines=tuple((label, tuple(say.opening(text) for text in texts)) for label, texts in lines),
        chart=chart,
        chart_caption=say.chart(card.chart) if card.chart is not None else "",
        map=map_,
        map_caption=cluster_text(card.cluster, say)[1] if card.cluster is not None else "",
    )


def _sure(card: WarningCard, say: Speaker) -> tuple[str, ...]:
    """Return one line with the probable levels; those below one in twenty are left to the JSON."""

    def percent(share: float) -> str:
        # What is enumerated are stated spreads, not everything that can be wrong: nothing is certain.
        return ">99%" if share > 0.99 else f"{share:.0%}"

    shares = [
        f"{say.t(f'grade.{name}') if name in _BELOW else name} {percent(share)}" for name, share in card.grade_probability if share >= LEAST
    ]
    return (say.t("card.probability", shares=say.t.join(shares)),) if shares else ()


def _held(card: WarningCard, say: Speaker) -> tuple[str, ...]:
    return (say.t("card.held", text=say.of(card.held)),) if card.held is not None else ()


def _marks(row: CompactRow, say: Speaker) -> str:
    taken = say.t("others.taken", n=len(row.taken.subjects)) if row.taken is not None else ""
    return (say.t("others.held") if row.held is not None else "") + taken


def _company(card: WarningCard, say: Speaker) -> list[str]:
    """Return how it spreads, and the other concerns of the same cause."""
    return [text for text in (spread_sentence(card.spread, say), related_sentence(card.related, say)) if text]


def _attention(card: WarningCard, say: Speaker) -> tuple[str, ...]:
    return (say.t("card.attention", signs=say.t("sep").join(say.of(sign) for sign in card.attention)),) if card.attention else ()


def _legal(laws: tuple[str, ...], say: Speaker) -> str:
    t = say.t
    return t("card.legal") + t("colon") + t("sep").join(laws) + t("stop") if laws else t("legal.none")


def _others(digest: Digest, say: Speaker) -> list[Block]:
    t, today = say.t, digest.header.date
    rows = [
        (
            Cell("", say.badge(card.grade, card.domain)),
            Cell(change_text(card, say)),
            Cell(say.of(card.subject)),
            Cell(say.place(card.place)),
            Cell(_card_figures(card)),
            Cell(date(card.first_seen)),
            Cell(due_and_stage(card, due[0] if (due := say.next_due(card, today)) else None, say, today)),
        )
        for card in digest.warnings
        if card.row_shown
    ]
    rows += [
        (
            Cell("", say.badge(row.grade, row.domain)),
            Cell(change_text(row, say) + _marks(row, say)),
            Cell(say.of(row.subject)),
            Cell(say.place(row.place)),
            Cell(say.row_figures(row)),
            Cell(date(row.first_seen)),
            Cell(due_and_stage(row, row.due_on, say, today)),
        )
        for row in digest.others
        if row.shown
    ]
    blocks: list[Block] = []
    if rows:
        cased = any(card.handling is not None for card in digest.warnings) or any(row.handling is not None for row in digest.others)
        names = ("grade", "change", "subject", "place", "figures", "since", "due_stage" if cased else "due")
        blocks.append(
            Table(
                head=tuple(t(f"others.{name}") for name in names),
                rows=tuple(rows),
                align="lllllll",
                widths=(13, 13, 18, 16, 18, 11, 11),
                caption=t("others.heading"),
            )
        )
    hidden = [item.grade for item in digest.others if not item.shown] + [
        item.grade for item in digest.warnings if not (item.in_full or item.brief or item.row_shown)
    ]
    if hidden:
        counts = [t("others.more_count", grade=say.grade(grade), n=hidden.count(grade)) for grade in GRADES if grade in hidden]
        blocks.append(Para(t("others.more", rows=len(hidden), counts=t.join(counts)), "muted"))
    return blocks


def _card_figures(card: WarningCard) -> str:
    if not card.measures:
        return "–"
    lead = card.measures[0]
    return pair(lead.observed, lead.expected, lead.exposure)
