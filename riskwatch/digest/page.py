"""Lay a digest out in one language: the same page is then set as HTML or Markdown, so both show the same figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from riskwatch.digest import sections
from riskwatch.digest.blocks import Block, Bullets, CardBlock, Cell, Page, Para, Section, Table
from riskwatch.digest.card_notes import emergency_sentence, related_sentence, spread_sentence
from riskwatch.digest.clusters import cluster_text
from riskwatch.digest.indicator_page import indicators
from riskwatch.digest.model import GRADES, Digest, WarningCard
from riskwatch.digest.numbers import amount, date, pair
from riskwatch.digest.sentences import Speaker

__all__ = ["lay_out"]

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
        blocks.append(Bullets(tuple(_lead(card, digest, say) for card in leading)))
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


def _lead(card: WarningCard, digest: Digest, say: Speaker) -> Para:
    due = say.next_due(card, digest.header.date)
    lead = card.measures[0] if card.measures else None
    where = say.where(lead, with_subject=False) if lead and lead.place and lead.place.code != card.place.code else ""
    text = say.t(
        "leading",
        grade=say.grade(card.grade),
        change=say.change(card.change, card.grade_before, card.grade),
        subject=say.of(card.subject),
        place=say.place(card.place),
        figures=say.figures(lead, where=where),
        scope=say.scope(card),
        due=say.t("leading.due", date=date(due[0]), owner=due[1]) if due else "",
    )
    return Para(text, "strong")


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
        _card(
            card,
            say,
            charts.index(card.warning_id) if card.chart is not None else -1,
            len(charts) + maps.index(card.warning_id) if card.cluster is not None else -1,
        )
        for card in full
    ]
    if not full:
        blocks.append(Para(say.t("warnings.rows_only" if digest.warnings else "warnings.none")))
    blocks += _others(digest, say)
    return blocks


def _card(card: WarningCard, say: Speaker, chart: int, map_: int) -> CardBlock:
    t = say.t
    shown = card.measures[: MEASURES_URGENT if card.grade in _URGENT else MEASURES]
    what = [say.measure(measure) + t("stop") for measure in shown]
    if card.measures_total > len(shown):
        what.append(t("measure.others", n=card.measures_total - len(shown)))
    most = ACTIONS_URGENT if card.grade in _URGENT else ACTIONS
    # What is due first is read first; the JSON keeps the order of the catalogue.
    urgent = sorted(card.actions, key=lambda action: action.due_on or dt.date.max)[:most]
    actions, laws = say.actions(urgent)
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
                *_attention(card, say),
            ),
        ),
        (t("card.what"), (*(what or [t("figures.floor") + t("stop")]), *_company(card, say))),
        (t("card.exposed"), (say.exposed(card),)),
        (t("card.sources"), (say.sources(card),)),
        (
            t("card.would_change"),
            (*_sure(card, say), *(tuple(say.of(text) for text in card.would_change[:WOULD_CHANGE]) or (t("would_change.unknown"),))),
        ),
        (t("card.actions"), (*actions, _legal(laws, say)) if actions else (t("action.none"),)),
    )
    return CardBlock(
        badge=say.badge(card.grade),
        change=say.change(card.change, card.grade_before, card.grade),
        title=t("card.title", subject=say.of(card.subject), place=say.place(card.place)),
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


def _company(card: WarningCard, say: Speaker) -> list[str]:
    """Return how it spreads, and the other concerns of the same cause."""
    return [text for text in (spread_sentence(card.spread, say), related_sentence(card.related, say)) if text]


def _attention(card: WarningCard, say: Speaker) -> tuple[str, ...]:
    return (say.t("card.attention", signs=say.t("sep").join(say.of(sign) for sign in card.attention)),) if card.attention else ()


def _legal(laws: tuple[str, ...], say: Speaker) -> str:
    t = say.t
    return t("card.legal") + t("colon") + t("sep").join(laws) + t("stop") if laws else t("legal.none")


def _others(digest: Digest, say: Speaker) -> list[Block]:
    t = say.t
    rows = [
        (
            Cell("", say.badge(card.grade)),
            Cell(say.change(card.change, card.grade_before, card.grade)),
            Cell(say.of(card.subject)),
            Cell(say.place(card.place)),
            Cell(_card_figures(card)),
            Cell(date(card.first_seen)),
            Cell(date(due[0]) if (due := say.next_due(card, digest.header.date)) else "–"),
        )
        for card in digest.warnings
        if not card.in_full and card.row_shown
    ]
    rows += [
        (
            Cell("", say.badge(row.grade)),
            Cell(say.change(row.change, row.grade_before, row.grade) + (t("others.held") if row.held is not None else "")),
            Cell(say.of(row.subject)),
            Cell(say.place(row.place)),
            Cell(say.row_figures(row)),
            Cell(date(row.first_seen)),
            Cell(date(row.due_on)),
        )
        for row in digest.others
        if row.shown
    ]
    blocks: list[Block] = []
    if rows:
        names = ("grade", "change", "subject", "place", "figures", "since", "due")
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
        item.grade for item in digest.warnings if not item.in_full and not item.row_shown
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
