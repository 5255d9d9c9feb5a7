"""Put one centre's day together: which warnings it sees, in what order, and what stands beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from riskwatch.assessment.types import Action, Assessment, Subject
from riskwatch.casework.view import Handling
from riskwatch.coverage import CoverageSummary
from riskwatch.digest.board import calibration, cases, data_quality, incidents, systemic, within
from riskwatch.digest.card_notes import lead_of
from riskwatch.digest.cards import SeriesKey, bilingual, card, compact, grade_name
from riskwatch.digest.case_warnings import case_warnings, concerns_centre, taken_line
from riskwatch.digest.catalogue import catalogue_coverage
from riskwatch.digest.clusters import ClusterFigures
from riskwatch.digest.dossier import DossierFrames, dossier
from riskwatch.digest.focus import check_signals, coverage, in_jurisdiction, movers
from riskwatch.digest.handling import handling_line, set_aside
from riskwatch.digest.indicators import IndicatorInputs, indicator_section
from riskwatch.digest.inputs import CentreLike, EventLike, Labels, QualityReport, Recent, Trees, WarningLike
from riskwatch.digest.model import (
    GRADES,
    BottomLine,
    Change,
    CompactRow,
    Digest,
    Focus,
    GradeCount,
    GradeName,
    Header,
    Place,
    SignOff,
)
from riskwatch.digest.names import Namer
from riskwatch.digest.seen import Day, Seen, see
from riskwatch.digest.words import new_words
from riskwatch.errors import RiskwatchError

__all__ = ["build_digest", "forms"]

FULL_CARDS = 3
BRIEFS = 5  # brief cards take the room of a full one
ROWS_SHOWN, ROWS_SHOWN_FULL_DAY = 6, 3
ROWS_FOR_CARD = 3  # at the least: a full card takes the room of more


def build_digest(
    *,
    centre: CentreLike,
    as_of: dt.date,
    issue_no: int,
    assessments: Sequence[Assessment],
    warnings: Sequence[WarningLike],
    events: Sequence[EventLike],
    signals: pd.DataFrame,
    series_history: Mapping[SeriesKey, pd.DataFrame] | None = None,
    quality: QualityReport | None = None,
    recent: Recent | None = None,
    labels: Labels | None = None,
    trees: Trees | None = None,
    data_cutoff: dt.date | None = None,
    open_actions: Mapping[str, Sequence[Action]] | None = None,
    fdr: float | None = None,
    catalogue: CoverageSummary | None = None,
    status: Literal["proposed", "reviewed"] = "proposed",
    simulated: bool = False,
    full_cards: int = FULL_CARDS,
    indicators: IndicatorInputs | None = None,
    dossiers: DossierFrames | None = None,
    clusters: Mapping[SeriesKey, ClusterFigures] | None = None,
    handled: Mapping[str, Handling] | None = None,
) -> Digest:
    """Build the digest of one centre and day; it holds both languages.

    Parameters
    ----------
    centre : CentreLike
        Reader; only what lies in its ``region``, or contains it, is shown.
    as_of : date
        The day. Nothing here reads a clock.
    issue_no : int
        Number of the issue, from 1.
    assessments : sequence of Assessment
        Judgements of the day, matched to warnings by subject.
    warnings : sequence of EarlyWarning
        All warnings that are open, or recovered on this day; older recovered ones count for the calibration only.
    events : sequence of WarningEvent
        Changes, at least those of the day; earlier ones count for the calibration.
    signals : DataFrame
        Judged long frame of the run, columns ``focus.SIGNAL_COLUMNS`` (and ``exposure``); figures of rates are counts.
    series_history : mapping of (model, product, industry, region, stratum) to DataFrame
        ``period_start, observed`` and perhaps ``expected, upper, exposure``, for charts. Missing keys: no chart.
    quality : QualityReport
        Freshness of sources and backlog.
    recent : Recent
        Counts from the newest records (:func:`riskwatch.digest.recent.summarise_recent`).
    labels, trees
        Names.
    data_cutoff : date, optional
        Last day whose records are in; ``as_of`` if left out.
    open_actions : mapping of warning id to actions, optional
        Measures as they were proposed when the warning was raised: their due dates stand. Without an entry, the measures of today's
        assessment are used for new and raised warnings, and none for the others (today's due dates would slide from day to day).
    fdr : float, optional
        False-discovery level of the run, for the number of false alarms to expect.
    catalogue : CoverageSummary, optional
        Coverage of the key-product catalogue within the jurisdiction; left out, the section says nothing of it.
    status : {"proposed", "reviewed"}
        建议 until a person has confirmed it.
    simulated : bool
        Data are simulated: every page says so.
    full_cards : int
        Room for new or raised warnings, in full cards. I and II come first: all in full where there is room, else the first in full and
        the others in brief (:func:`forms`). III get a full card while there is room. The others, and IV, become rows; none is dropped.
    indicators : IndicatorInputs, optional
        Quality indicators as they stand on the day; the section is left out without them.
    dossiers : DossierFrames, optional
        Accident reports, recalls, registers, notices and cases as they stand on the day, of all places.
    clusters : mapping of (model, product, industry, region, stratum) to ClusterFigures, optional
        Clusters of neighbouring counties, by the series on which their p-values stand: cards in full that rest on one show its map.
    handled : mapping of warning id to Handling, optional
        Where the case of each warning stands. Closed and silenced ones are counted and not listed.

    Returns
    -------
    Digest

    Raises
    ------
    RiskwatchError
        If signals lack columns, the issue number is below 1, or two warnings share an identifier.
    """
    if issue_no < 1:
        raise RiskwatchError(f"build_digest: issue_no must be >= 1, got {issue_no}")
    labels, trees, quality, recent = labels or Labels(), trees or Trees(), quality or QualityReport(), recent or Recent()
    namer = Namer(trees)
    jurisdiction = centre.region
    quality = within(quality, namer, jurisdiction)
    day = Day(as_of, warnings, assessments, events, open_actions or {})
    handled = handled or {}
    everything, aside = set_aside([item for item in see(day, namer, jurisdiction) if concerns_centre(item, namer, jurisdiction)], handled)
    # What another warning speaks for keeps its terms on the board, and has no line of its own.
    seen = [item for item in everything if not item.absorbed]
    by_id = {warning.warning_id: warning for warning in warnings}
    live = [item for item in seen if item.live and not item.cases_only]
    full, brief = forms([(item.warning.warning_id, grade_name(item.warning.grade)) for item in live], full_cards)
    overflow = [item.warning.warning_id for item in live if item.warning.warning_id not in full | brief]
    tellers = _tellers([item for item in live if item.warning.warning_id in full | brief])
    charts = not brief or len(full) > 1  # a very full day has no room for pictures
    # A quiet day has room for more rows than one that prints cards.
    rows = ROWS_SHOWN_FULL_DAY if brief else ROWS_SHOWN + ROWS_FOR_CARD * max(0, full_cards - len(full))
    cards = tuple(
        card(
            item.warning,
            item.assessment,
            change=item.change,
            before=item.before,
            reason=item.reason,
            place=item.place,
            namer=namer,
            labels=labels,
            jurisdiction=jurisdiction,
            in_full=item.warning.warning_id in full,
            brief=item.warning.warning_id in brief,
            row_shown=item.warning.warning_id in overflow[:rows],
            history=series_history or {} if charts else {},
            teller=tellers.get(lead_of(item.assessment)),
            taken=taken_line(item.warning, by_id, as_of=as_of, namer=namer, jurisdiction=jurisdiction),
            clusters=clusters if charts else None,
        ).model_copy(update={"handling": handling_line(handled.get(item.warning.warning_id))})
        for item in live
        if item.assessment is not None
    )
    judged = check_signals(signals)
    visible = in_jurisdiction(judged, namer, jurisdiction, wider=True)
    inside = in_jurisdiction(judged, namer, jurisdiction, wider=False)
    others = _rows(
        [item for item in seen if not item.live and not item.cases_only],
        namer,
        labels,
        jurisdiction,
        as_of=as_of,
        most=max(0, rows - len(overflow)),
        known=by_id,
        handled=handled,
    )
    heard = sum(source.state == "on-time" for source in quality.sources)
    expected = sum(source.state != "closed" for source in quality.sources)
    windowed = sum(source.records for source in quality.sources)
    return Digest(
        header=Header(
            centre=centre.name,
            centre_name=bilingual({"zh": centre.label.zh, "en": centre.label.en}),
            region=namer.place(jurisdiction, jurisdiction) or Place(code=jurisdiction, name=namer.region(jurisdiction), relation="inside"),
            date=as_of,
            issue_no=issue_no,
            data_cutoff=data_cutoff or as_of,
            status=status,
            simulated=simulated,
            grades=labels.grades,
            starts=tuple(sorted(labels.starts.items())),
            domain_grades=tuple(sorted(labels.domains.items())),
        ),
        bottom_line=BottomLine(counts=_counts(seen), leading=tuple(item.warning_id for item in cards if item.grade in {"I", "II"})),
        warnings=cards,
        others=others,
        incidents=incidents(recent, everything, namer, as_of),
        focus=Focus(
            products=movers(visible, "product", namer, labels, jurisdiction, within=inside),
            industries=movers(visible, "industry", namer, labels, jurisdiction, most=2, within=inside),
            regions=movers(visible, "region", namer, labels, jurisdiction, most=2),
            firms=recent.firms,
        ),
        systemic=systemic(seen, namer, labels),
        cases=cases(everything, recent, namer, as_of),
        external=recent.external,
        words=new_words(visible, namer, fdr=fdr if fdr is not None else 0.05),
        quality=data_quality(quality, visible, labels, namer, jurisdiction, centre=centre.name),
        coverage=coverage(visible, records=recent.records or windowed, heard=heard, expected_sources=expected, fdr=fdr),
        catalogue=catalogue_coverage(catalogue, namer, jurisdiction),
        calibration=calibration(day, namer, jurisdiction, handled),
        sign_off=SignOff(
            contact=None if centre.contact is None else bilingual({"zh": centre.contact.zh, "en": centre.contact.en}),
            reviewers=max((labels.reviewers.get(item.grade, 1) for item in cards), default=1),
        ),
        indicators=None if indicators is None else indicator_section(indicators, as_of=as_of, namer=namer, jurisdiction=jurisdiction),
        case_warnings=case_warnings(seen, namer, jurisdiction, lambda item: _next_due(item, as_of)),
        set_aside=aside,
        dossier=dossier(dossiers or DossierFrames(), as_of=as_of, namer=namer, jurisdiction=jurisdiction),
    )


def forms(live: Sequence[tuple[str, GradeName | None]], full_cards: int) -> tuple[set[str], set[str]]:
    """Return which warnings are printed in full, and which in brief; those in neither become rows.

    :data:`BRIEFS` brief cards take the room of a full one, and there is room for ``full_cards``. So of n warnings of level I and II the
    first (BRIEFS * full_cards - n) / (BRIEFS - 1) are in full, and one at least; every other is in brief.

    Parameters
    ----------
    live : sequence of (warning id, grade)
        New and raised warnings in reading order.
    full_cards : int
    """
    urgent = [name for name, grade in live if grade in {"I", "II"}]
    yellow = [name for name, grade in live if grade == "III"]
    if len(urgent) <= full_cards:
        return {*urgent, *yellow[: full_cards - len(urgent)]}, set()
    most = max(1, (BRIEFS * full_cards - len(urgent)) // (BRIEFS - 1))
    return set(urgent[:most]), set(urgent[most:])


def _tellers(items: Sequence[Seen]) -> dict[tuple[str, str] | None, Subject]:
    """Return, for each cause that several concerns share, the card that tells it: the leading concern's, else the first that is printed."""
    found: dict[tuple[str, str] | None, Subject] = {}
    for item in items:
        lead = lead_of(item.assessment)
        if item.assessment is None or lead is None:
            continue
        subject = item.assessment.subject
        if (subject.code, subject.region) == lead:
            found[lead] = subject
        else:
            found.setdefault(lead, subject)
    return found


def _counts(seen: Sequence[Seen]) -> tuple[GradeCount, ...]:
    def number(grade: GradeName, change: Change) -> int:
        return sum(grade_name(item.warning.grade) == grade and item.change == change for item in seen)

    return tuple(
        GradeCount(
            grade=grade,
            new=number(grade, "new"),
            raised=number(grade, "worsened"),
            eased=number(grade, "eased"),
            recovered=number(grade, "recovered"),
            unchanged=number(grade, "unchanged"),
        )
        for grade in GRADES
    )


def _rows(
    items: Sequence[Seen],
    namer: Namer,
    labels: Labels,
    jurisdiction: str,
    *,
    as_of: dt.date,
    most: int,
    known: Mapping[str, WarningLike],
    handled: Mapping[str, Handling],
) -> tuple[CompactRow, ...]:
    """Compact rows: what changed first, then the unchanged, each by grade; only the first ``most`` are printed."""
    rank = {"worsened": 0, "new": 0, "eased": 1, "recovered": 2, "unchanged": 3}
    ordered = sorted(items, key=lambda item: (rank[item.change], item.order))
    rows = []
    for number, item in enumerate(ordered):
        subject = namer.subject(item.warning.subject.kind, item.warning.subject.code)
        rows.append(
            compact(
                item.warning,
                item.assessment,
                change=item.change,
                before=item.before,
                reason=item.reason,
                subject=subject,
                place=item.place,
                namer=namer,
                labels=labels,
                jurisdiction=jurisdiction,
                due_on=_next_due(item, as_of),
                shown=number < most,
                taken=taken_line(item.warning, known, as_of=as_of, namer=namer, jurisdiction=jurisdiction),
            ).model_copy(update={"handling": handling_line(handled.get(item.warning.warning_id))})
        )
    return tuple(rows)


def _next_due(item: Seen, as_of: dt.date) -> dt.date | None:
    """Return the earliest day still to come, else the newest that has passed."""
    days = sorted(action.due_on for action in item.actions if action.due_on is not None)
    ahead = [day for day in days if day >= as_of]
    return ahead[0] if ahead else (days[-1] if days else None)
