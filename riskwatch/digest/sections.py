"""Sections 3 to 10 of the page: accidents, focuses, systemic watch, cases, external signals, data quality, calibration, sign-off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from riskwatch.digest.blocks import Block, Bullets, Cell, Notice, Para, Table
from riskwatch.digest.catalogue import catalogue_line
from riskwatch.digest.dossier_page import abroad, accidents, certificates, defects, steps
from riskwatch.digest.model import Case, Digest, Mover, SourceLine, Text
from riskwatch.digest.numbers import amount, date, percent, probability, ratio
from riskwatch.digest.privacy import MIN_CELL
from riskwatch.digest.sentences import Speaker

__all__ = ["calibration", "cases", "external", "focus", "incidents", "quality", "sign_off", "systemic"]


@dataclass(frozen=True, slots=True)
class Most:
    """How many lines of a kind are printed; the line below says how many more there are."""

    clocks: int = 3
    overdue: int = 5
    soon: int = 4
    movers: int = 3
    systemic: int = 4
    external: int = 4
    sources: int = 3


_FULL_DAY = Most(clocks=2, overdue=3, soon=2, movers=1, systemic=2, external=2, sources=0)


def most(digest: Digest) -> Most:
    """Return the lengths of the lists; a day with many urgent warnings leaves less room beside them."""
    return _FULL_DAY if digest.full_day else Most()


def incidents(digest: Digest, say: Speaker) -> list[Block]:
    """Return injuries and the terms to report."""
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
                grade=say.grade(case.grade or "", case.domain),
                owner=say.of(case.owner),
                date=date(case.due_on),
                days=case.days_left,
            )
        )
        for case in item.clocks[: most(digest).clocks]
    ]
    if clocks:
        blocks.append(Bullets(tuple(clocks)))
    if len(item.clocks) > len(clocks):
        blocks.append(Para(t("incidents.more", n=len(item.clocks) - len(clocks)), "muted"))
    return blocks + accidents(digest, say)


def focus(digest: Digest, say: Speaker) -> list[Block]:
    """Return top movers and firms."""
    t, focus = say.t, digest.focus
    rows: list[tuple[Cell, ...]] = []
    groups: tuple[tuple[str, Sequence[Mover]], ...] = (
        ("product", focus.products),
        ("industry", focus.industries),
        ("region", focus.regions),
    )
    for kind, group in groups:
        for number, mover in enumerate(group[: most(digest).movers]):
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
        blocks.append(Para(t("focus.firms_none") + certificates(digest, say)))
    else:
        counts = {
            "days": firms.window_days,
            "checked": amount(firms.checked),
            "failed": amount(firms.failed),
            "repeated": amount(firms.failed_repeatedly),
            "rechecked": amount(firms.rechecked),
            "failed_recheck": amount(firms.failed_recheck),
        }
        blocks.append(Para(t("focus.firms", **counts) + certificates(digest, say)))
    return blocks


def systemic(digest: Digest, say: Speaker) -> list[Block]:
    """Return what is industry-wide or systemic."""
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
            badge=say.badge(item.grade, item.domain),
        )
        for item in digest.systemic[: most(digest).systemic]
    ]
    blocks: list[Block] = [Bullets(tuple(items))]
    if len(digest.systemic) > len(items):
        blocks.append(Para(say.t("systemic.more", n=len(digest.systemic) - len(items)), "muted"))
    return blocks


def cases(digest: Digest, say: Speaker) -> list[Block]:
    """Return terms over and near."""
    t, board = say.t, digest.cases
    blocks: list[Block] = []
    overdue, soon = board.overdue[: most(digest).overdue], board.this_week[: most(digest).soon]
    if overdue or soon:
        blocks.append(
            Table(
                head=tuple(t(f"cases.{name}") for name in ("left", "due", "kind", "what", "owner")),
                rows=tuple(_case(case, say) for case in (*overdue, *soon)),
                align="lllll",
                widths=(9, 10, 21, 27, 33),
            )
        )
    else:
        blocks.append(Para(t("cases.none")))
    more = (len(board.overdue) - len(overdue), len(board.this_week) - len(soon))
    if any(more):
        blocks.append(Para(t("cases.more", overdue=more[0], soon=more[1]), "muted"))
    escalating = steps(digest, say)
    later = t("cases.later", n=board.later) if board.later else ""
    if escalating or later:
        gap = " " if escalating and later and say.language != "zh" else ""
        blocks.append(Para(escalating + gap + later, "" if escalating else "muted"))
    return blocks


def _case(case: Case, say: Speaker) -> tuple[Cell, ...]:
    t = say.t
    if case.kind in {"action", "report"}:
        what = t("cases.measures", subject=say.of(case.subject), grade=say.grade(case.grade or "", case.domain), n=case.count)
    elif case.days_left < 0:
        what = t("cases.firms_oldest", n=case.count, date=date(case.due_on))
    else:
        what = t("cases.firms", n=case.count)
    owner = say.of(case.owner) if case.owner is not None else t("cases.unit")
    return (Cell(say.left(case.days_left)), Cell(date(case.due_on)), Cell(t(f"cases.{case.kind}")), Cell(what), Cell(owner))


def external(digest: Digest, say: Speaker) -> list[Block]:
    """Return notices of other systems, and words that emerge in narratives."""
    t = say.t
    words = _words(digest, say)
    if not digest.external:
        return [*words, Para(t("external.none", days=digest.incidents.window_days)), *abroad(digest, say)]
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
                for item in digest.external[: most(digest).external]
            ),
            align="llllrl",
            widths=(14, 24, 26, 14, 10, 12),
        )
    ]
    more = len(digest.external) - most(digest).external
    if more > 0:
        blocks.append(Para(t("external.more", n=more), "muted"))
    return [*words, *blocks, *abroad(digest, say)]


def _words(digest: Digest, say: Speaker) -> list[Block]:
    t = say.t
    named = [
        t(
            "words.item" if item.product is not None else "words.item_alone",
            term=item.term,
            product=say.of(item.product) if item.product is not None else "",
            observed=f"<{MIN_CELL}" if item.observed is None else amount(item.observed),
            expected=amount(item.expected),
        )
        for item in digest.words
    ]
    return [Para(t("words", words=t("sep").join(named)))] if named else []


def quality(digest: Digest, say: Speaker) -> list[Block]:
    """Return coverage, sources and defects."""
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
        ),
        *catalogue_line(digest, say),
    ]
    troubled = [source for source in quality.sources if source.state in {"failed", "silent", "late"}]
    if troubled:
        words = [
            t("quality.alert_item", label=say.of(item.label), state=t(f"state.{item.state}"), date=date(item.newest_known))
            for item in troubled
        ]
        blocks.append(Para(t("quality.alert", sources=t("sep").join(words)), "alert"))
    if quality.silent_reporters:
        counts = [t("quality.silent_item", stream=t.code("stream", stream), n=n, of=of) for stream, n, of in quality.silent_reporters]
        blocks.append(Para(t("quality.silent_reporters", streams=t("sep").join(counts)), "alert"))
    if quality.sources:
        shown = quality.sources[: max(most(digest).sources, len(troubled))]
        names = ("source", "state", "newest_event", "newest_known", "records", "quarantine")
        messages = any(item.message for item in shown)
        head = tuple(t(f"quality.{name}", days=quality.window_days) for name in (*names, *(("message",) if messages else ())))
        rows = tuple(_source(item, say, messages=messages) for item in shown)
        widths = (26, 9, 12, 12, 10, 10, 21) if messages else (32, 12, 14, 14, 14, 14)
        if rows:
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
            + defects(digest, say)
        )
    )
    if quality.failed_models:
        blocks.append(Para(t("quality.failed_models", models=t.join([say.of(name) for name in quality.failed_models])), "alert"))
    if quality.undelivered:
        told = [t("quality.undelivered_item", kind=t.code("message", kind), n=count) for kind, count in quality.undelivered]
        blocks.append(Para(t("quality.undelivered", messages=t.join(told), date=date(quality.undelivered_since)), "alert"))
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


def calibration(digest: Digest, say: Speaker) -> list[Block]:
    """Return what became of past warnings."""
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


def sign_off(digest: Digest, say: Speaker) -> list[Block]:
    """Return the duty desk and the lines to sign."""
    t, sign = say.t, digest.sign_off
    contact: Text | None = sign.contact
    reviewers = [t("sign.reviewer")] if sign.reviewers == 1 else [t("sign.reviewer_n", n=number + 1) for number in range(sign.reviewers)]
    desk = t("sign.contact", contact=say.of(contact)) if contact else t("sign.contact_none")
    if sign.reviewers > 1:  # on one line: a full day fills its two pages
        desk = f"{desk}{t('sign.apart')}{t('sign.two')}"
    return [Para(desk), Notice((t("sign.duty"), *reviewers, t("sign.approver")))]
