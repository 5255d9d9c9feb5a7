"""Lay a digest out in one language: the same page is then set as HTML or Markdown, so both show the same figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from riskwatch.digest.blocks import Block, Bullets, CardBlock, Cell, Notice, Page, Para, Section, Table
from riskwatch.digest.model import GRADES, Case, Digest, Mover, SourceLine, Text, WarningCard
from riskwatch.digest.numbers import amount, date, pair, percent, probability, ratio
from riskwatch.digest.sentences import Speaker

__all__ = ["lay_out"]

MEASURES, MEASURES_URGENT, ACTIONS, ACTIONS_URGENT, WOULD_CHANGE = 1, 2, 2, 4, 2
REPORT_CLOCKS, CASES_OVERDUE, CASES_SOON, SYSTEMIC, EXTERNAL, SOURCES = 3, 5, 4, 4, 4, 3
_URGENT = frozenset({"I", "II"})
_Sectioner = Callable[[Digest, Speaker], "list[Block]"]


def lay_out(digest: Digest, language: str) -> Page:
    """Return the page of ``digest`` in ``language`` ("zh" or "en")."""
    say = Speaker(digest, language)
    t, header = say.t, digest.header
    issue = t("issue", issue=str(header.issue_no))
    urgent = {grade: sum(card.grade == grade for card in digest.warnings) for grade in _URGENT}
    sections: tuple[tuple[str, _Sectioner], ...] = (
        ("bottom_line", _bottom_line),
        ("warnings", _warnings),
        ("incidents", _incidents),
        ("focus", _focus),
        ("systemic", _systemic),
        ("cases", _cases),
        ("external", _external),
        ("quality", _quality),
        ("calibration", _calibration),
        ("sign_off", _sign_off),
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
        sections=tuple(Section(key, t(f"section.{key}"), tuple(make(digest, say))) for key, make in sections),
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
    blocks: list[Block] = [_card(card, say, charts.index(card.warning_id) if card.chart else -1) for card in full]
    if not full:
        blocks.append(Para(say.t("warnings.rows_only" if digest.warnings else "warnings.none")))
    blocks += _others(digest, say)
    return blocks


def _card(card: WarningCard, say: Speaker, chart: int) -> CardBlock:
    t = say.t
    shown = card.measures[: MEASURES_URGENT if card.grade in _URGENT else MEASURES]
    what = [say.measure(measure) + t("stop") for measure in shown]
    if card.measures_total > len(shown):
        what.append(t("measure.others", n=card.measures_total - len(shown)))
    most = ACTIONS_URGENT if card.grade in _URGENT else ACTIONS
    # What is due first is read first; the JSON keeps the order of the catalogue.
    urgent = sorted(card.actions, key=lambda action: action.due_on or dt.date.max)[:most]
    actions, laws = say.actions(urgent)
    if len(card.actions) > most:
        actions += (t("action.others", n=len(card.actions) - most),)
    gap = "" if say.language == "zh" else " "
    lines = (
        (t("card.reason"), ((say.of(card.reason) + gap if card.reason is not None else "") + say.opening(say.reason(card)),)),
        (t("card.what"), tuple(what) or (t("figures.floor") + t("stop"),)),
        (t("card.exposed"), (say.exposed(card),)),
        (t("card.sources"), (say.sources(card),)),
        (t("card.would_change"), tuple(say.of(text) for text in card.would_change[:WOULD_CHANGE]) or (t("would_change.unknown"),)),
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
    )


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
            Cell(say.change(row.change, row.grade_before, row.grade)),
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


def _incidents(digest: Digest, say: Speaker) -> list[Block]:
    t, item = say.t, digest.incidents
    blocks: list[Block] = []
    if item.newest_day is None:
        blocks.append(Para(t("incidents.none", days=item.window_days)))
    else:
        newest = t(
            "incidents.day",
            date=date(item.newest_day),
            persons=amount(item.day_persons),
            admitted=amount(item.day_admitted),
            died=amount(item.day_died),
        )
        window = t(
            "incidents.window",
            days=item.window_days,
            persons=amount(item.persons),
            admitted=amount(item.admitted),
            died=amount(item.died),
        )
        blocks.append(Para(f"{newest}{'' if say.language == 'zh' else ' '}{window}"))
    clocks = [
        Para(
            t(
                "incidents.clock" if case.days_left else "incidents.clock_today",
                subject=say.of(case.subject),
                grade=say.grade(case.grade or ""),
                owner=say.of(case.owner),
                date=date(case.due_on),
                days=case.days_left,
            )
        )
        for case in item.clocks[:REPORT_CLOCKS]
    ]
    if clocks:
        blocks.append(Bullets(tuple(clocks)))
    if len(item.clocks) > REPORT_CLOCKS:
        blocks.append(Para(t("incidents.more", n=len(item.clocks) - REPORT_CLOCKS), "muted"))
    return blocks


def _focus(digest: Digest, say: Speaker) -> list[Block]:
    t, focus = say.t, digest.focus
    rows: list[tuple[Cell, ...]] = []
    groups: tuple[tuple[str, Sequence[Mover]], ...] = (
        ("product", focus.products),
        ("industry", focus.industries),
        ("region", focus.regions),
    )
    for kind, group in groups:
        for number, mover in enumerate(group):
            rows.append(
                (
                    Cell(t(f"focus.{kind}") if number == 0 else ""),
                    Cell(say.of(mover.name)),
                    Cell(f"{t.code('stream', mover.measure.stream)}{t('colon')}{say.figures(mover.measure, with_ratio=False)}"),
                    Cell(ratio(mover.measure.ratio) if mover.measure.ratio is not None else t("measure.new")),
                    Cell(probability(mover.measure.q_value).removeprefix("=")),
                    Cell(f"{amount(mover.alarmed)}/{amount(mover.judged)}"),
                )
            )
    blocks: list[Block] = []
    if rows:
        names = ("kind", "name", "figures", "ratio", "q", "judged")
        blocks.append(Table(tuple(t(f"focus.{name}") for name in names), tuple(rows), "lllrrr", (9, 20, 45, 7, 7, 12)))
    else:
        blocks.append(Para(t("focus.none")))
    firms = focus.firms
    if firms is None:
        blocks.append(Para(t("focus.firms_none")))
    else:
        counts = {
            "days": firms.window_days,
            "checked": amount(firms.checked),
            "failed": amount(firms.failed),
            "repeated": amount(firms.failed_repeatedly),
            "rechecked": amount(firms.rechecked),
            "failed_recheck": amount(firms.failed_recheck),
        }
        blocks.append(Para(t("focus.firms", **counts)))
    return blocks


def _systemic(digest: Digest, say: Speaker) -> list[Block]:
    if not digest.systemic:
        return [Para(say.t("systemic.none"))]
    hazard = "；" if say.language == "zh" else "; "
    items = [
        Para(
            say.t(
                "systemic.line",
                grade="",
                subject=say.of(item.subject),
                place=say.place(item.place),
                scope=say.scope(item),
                hazard=hazard + say.t("exposed.hazard", hazard=say.of(item.hazard_name)) if item.hazard_name else "",
            ).strip(),
            badge=say.badge(item.grade),
        )
        for item in digest.systemic[:SYSTEMIC]
    ]
    blocks: list[Block] = [Bullets(tuple(items))]
    if len(digest.systemic) > SYSTEMIC:
        blocks.append(Para(say.t("systemic.more", n=len(digest.systemic) - SYSTEMIC), "muted"))
    return blocks


def _cases(digest: Digest, say: Speaker) -> list[Block]:
    t, board = say.t, digest.cases
    blocks: list[Block] = []
    overdue, soon = board.overdue[:CASES_OVERDUE], board.this_week[:CASES_SOON]
    if overdue or soon:
        blocks.append(
            Table(
                head=tuple(t(f"cases.{name}") for name in ("left", "due", "kind", "what", "owner")),
                rows=tuple(_case(case, say) for case in (*overdue, *soon)),
                align="lllll",
                widths=(11, 11, 22, 32, 24),
            )
        )
    else:
        blocks.append(Para(t("cases.none")))
    more = (len(board.overdue) - len(overdue), len(board.this_week) - len(soon))
    if any(more):
        blocks.append(Para(t("cases.more", overdue=more[0], soon=more[1]), "muted"))
    if board.later:
        blocks.append(Para(t("cases.later", n=board.later), "muted"))
    return blocks


def _case(case: Case, say: Speaker) -> tuple[Cell, ...]:
    t = say.t
    if case.kind in {"action", "report"}:
        what = t("cases.measures", subject=say.of(case.subject), grade=say.grade(case.grade or ""), n=case.count)
    elif case.days_left < 0:
        what = t("cases.firms_oldest", n=case.count, date=date(case.due_on))
    else:
        what = t("cases.firms", n=case.count)
    owner = say.of(case.owner) if case.owner is not None else t("cases.unit")
    return (Cell(say.left(case.days_left)), Cell(date(case.due_on)), Cell(t(f"cases.{case.kind}")), Cell(what), Cell(owner))


def _external(digest: Digest, say: Speaker) -> list[Block]:
    t = say.t
    if not digest.external:
        return [Para(t("external.none", days=digest.incidents.window_days))]
    blocks: list[Block] = [
        Table(
            head=tuple(t(f"external.{name}") for name in ("system", "product", "hazard", "origin", "notices", "newest")),
            rows=tuple(
                (
                    Cell(item.system),
                    Cell(say.of(item.product)),
                    Cell(item.hazard or t("unknown")),
                    Cell(say.of(item.origin)),
                    Cell(amount(item.notices)),
                    Cell(date(item.newest)),
                )
                for item in digest.external[:EXTERNAL]
            ),
            align="llllrl",
            widths=(14, 24, 26, 14, 10, 12),
        )
    ]
    if len(digest.external) > EXTERNAL:
        blocks.append(Para(t("external.more", n=len(digest.external) - EXTERNAL), "muted"))
    return blocks


def _quality(digest: Digest, say: Speaker) -> list[Block]:
    t, quality, proof = say.t, digest.quality, digest.coverage
    gap = "" if say.language == "zh" else " "
    false = "" if proof.fdr is None else t("coverage.false", fdr=proof.fdr, kept=amount(proof.kept), n=amount(proof.expected_false))
    blocks: list[Block] = [
        Para(
            t(
                "coverage",
                days=quality.window_days,
                records=amount(proof.records),
                heard=proof.sources_heard,
                expected_sources=proof.sources_expected,
                models=proof.models,
                series=amount(proof.series),
                tests=amount(proof.tests),
                alarms=amount(proof.alarms),
                false=false,
            )
            + gap
            + t(
                "coverage.chance", below=amount(proof.below_chance_level), level=proof.chance_level, chance=amount(proof.expected_by_chance)
            )
        )
    ]
    troubled = [source for source in quality.sources if source.state in {"failed", "silent", "late"}]
    if troubled:
        words = [
            t("quality.alert_item", label=say.of(item.label), state=t(f"state.{item.state}"), date=date(item.newest_known))
            for item in troubled
        ]
        blocks.append(Para(t("quality.alert", sources=t("sep").join(words)), "alert"))
    if quality.sources:
        shown = quality.sources[: max(SOURCES, len(troubled))]
        names = ("source", "state", "newest_event", "newest_known", "records", "quarantine")
        messages = any(item.message for item in shown)
        head = tuple(t(f"quality.{name}", days=quality.window_days) for name in (*names, *(("message",) if messages else ())))
        rows = tuple(_source(item, say, messages=messages) for item in shown)
        widths = (26, 9, 12, 12, 10, 10, 21) if messages else (32, 12, 14, 14, 14, 14)
        blocks.append(Table(head, rows, "llllrrl" if messages else "llllrr", widths))
        if len(quality.sources) > len(shown):
            blocks.append(Para(t("quality.on_time_more", n=len(quality.sources) - len(shown)), "muted"))
    else:
        blocks.append(Para(t("quality.no_sources"), "alert"))
    refused = [t("quality.refused_item", reason=t.code("refused", reason), n=count) for reason, count in quality.refused]
    blocks.append(
        Para(
            t(
                "quality.backlog",
                quarantine=amount(quality.quarantine_open),
                duplicates=amount(quality.duplicates),
                rolled_up=amount(quality.rolled_up),
                refused=t.join(refused) if refused else t("quality.refused_none"),
            )
        )
    )
    if quality.failed_models:
        blocks.append(Para(t("quality.failed_models", models=t.join([say.of(name) for name in quality.failed_models])), "alert"))
    return blocks


def _source(item: SourceLine, say: Speaker, *, messages: bool) -> tuple[Cell, ...]:
    cells = (
        Cell(say.of(item.label)),
        Cell(say.t(f"state.{item.state}")),
        Cell(date(item.newest_event)),
        Cell(date(item.newest_known)),
        Cell(amount(item.records)),
        Cell(amount(item.quarantine_open)),
    )
    return (*cells, Cell(say.of(item.message) if item.message else "")) if messages else cells


def _calibration(digest: Digest, say: Speaker) -> list[Block]:
    t, item = say.t, digest.calibration
    if not item.issued:
        return [Para(t("calibration.empty"))]
    closed = item.confirmed + item.refuted
    parts = [
        t(
            "calibration.closed" if closed else "calibration.none",
            issued=item.issued,
            confirmed=amount(item.confirmed),
            refuted=amount(item.refuted),
            share=percent(item.confirmed, closed),
            n=closed,
        ),
        t("calibration.states", open=amount(item.open), recovered=amount(item.recovered)),
    ]
    if item.days_to_warning is not None:
        parts.append(t("calibration.delay", days=amount(item.days_to_warning), n=item.days_to_warning_n))
    return [Para(("" if say.language == "zh" else " ").join(parts))]


def _sign_off(digest: Digest, say: Speaker) -> list[Block]:
    t, sign = say.t, digest.sign_off
    contact: Text | None = sign.contact
    reviewers = [t("sign.reviewer")] if sign.reviewers == 1 else [t("sign.reviewer_n", n=number + 1) for number in range(sign.reviewers)]
    blocks: list[Block] = [
        Para(t("sign.contact", contact=say.of(contact)) if contact else t("sign.contact_none")),
        Notice((t("sign.duty"), *reviewers, t("sign.approver"))),
    ]
    if sign.reviewers > 1:
        blocks.insert(1, Para(t("sign.two"), "muted"))
    return blocks
