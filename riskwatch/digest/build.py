"""Put one centre's day together: which warnings it sees, in what order, and what stands beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from riskwatch.assessment.types import Action, Assessment, Subject
from riskwatch.coverage import CoverageSummary
from riskwatch.digest.board import calibration, cases, data_quality, incidents, systemic
from riskwatch.digest.card_notes import lead_of
from riskwatch.digest.cards import SeriesKey, bilingual, card, compact, grade_name
from riskwatch.digest.catalogue import catalogue_coverage
from riskwatch.digest.clusters import ClusterFigures
from riskwatch.digest.dossier import DossierFrames, dossier
from riskwatch.digest.focus import check_signals, coverage, in_jurisdiction, movers
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

__all__ = ["build_digest"]

FULL_CARDS = 3
ROWS_SHOWN = 6


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
        New or raised III warnings get a full card as long as there are fewer than this; I and II always do. The others, and IV,
        become rows; none is dropped.
    indicators : IndicatorInputs, optional
        Quality indicators as they stand on the day; the section is left out without them.
    dossiers : DossierFrames, optional
        Accident reports, recalls, registers, notices and cases as they stand on the day, of all places.
    clusters : mapping of (model, product, industry, region, stratum) to ClusterFigures, optional
        Clusters of neighbouring counties, by the series on which their p-values stand: cards in full that rest on one show its map.

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
    day = Day(as_of, warnings, assessments, events, open_actions or {})
    seen = see(day, namer, jurisdiction)
    live = [item for item in seen if item.live]
    full = _in_full(live, full_cards)
    overflow = [item.warning.warning_id for item in live if item.warning.warning_id not in full]
    tellers = _tellers([item for item in live if item.warning.warning_id in full])
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
            row_shown=item.warning.warning_id in overflow[:ROWS_SHOWN],
            history=series_history or {},
            teller=tellers.get(lead_of(item.assessment)),
            clusters=clusters,
        )
        for item in live
        if item.assessment is not None
    )
    judged = check_signals(signals)
    visible = in_jurisdiction(judged, namer, jurisdiction, wider=True)
    inside = in_jurisdiction(judged, namer, jurisdiction, wider=False)
    others = _rows(
        [item for item in seen if not item.live], namer, labels, jurisdiction, as_of=as_of, most=max(0, ROWS_SHOWN - len(overflow))
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
        ),
        bottom_line=BottomLine(counts=_counts(seen), leading=tuple(item.warning_id for item in cards if item.grade in {"I", "II"})),
        warnings=cards,
        others=others,
        incidents=incidents(recent, seen, namer, as_of),
        focus=Focus(
            products=movers(visible, "product", namer, labels, jurisdiction, within=inside),
            industries=movers(visible, "industry", namer, labels, jurisdiction, most=2, within=inside),
            regions=movers(visible, "region", namer, labels, jurisdiction, most=2),
            firms=recent.firms,
        ),
        systemic=systemic(seen, namer, labels),
        cases=cases(seen, recent, namer, as_of),
        external=recent.external,
        words=new_words(visible, namer, fdr=fdr if fdr is not None else 0.05),
        quality=data_quality(quality, visible, labels, namer, jurisdiction),
        coverage=coverage(visible, records=recent.records or windowed, heard=heard, expected_sources=expected, fdr=fdr),
        catalogue=catalogue_coverage(catalogue, namer, jurisdiction),
        calibration=calibration(day, namer, jurisdiction),
        sign_off=SignOff(
            contact=None if centre.contact is None else bilingual({"zh": centre.contact.zh, "en": centre.contact.en}),
            reviewers=max((labels.reviewers.get(item.grade, 1) for item in cards), default=1),
        ),
        indicators=None if indicators is None else indicator_section(indicators, as_of=as_of, namer=namer, jurisdiction=jurisdiction),
        dossier=dossier(dossiers or DossierFrames(), as_of=as_of, namer=namer, jurisdiction=jurisdiction),
    )


def _in_full(live: Sequence[Seen], full_cards: int) -> set[str]:
    urgent = [item.warning.warning_id for item in live if grade_name(item.warning.grade) in {"I", "II"}]
    yellow = [item.warning.warning_id for item in live if grade_name(item.warning.grade) == "III"]
    return {*urgent, *yellow[: max(0, full_cards - len(urgent))]}


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


def _rows(items: Sequence[Seen], namer: Namer, labels: Labels, jurisdiction: str, *, as_of: dt.date, most: int) -> tuple[CompactRow, ...]:
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
            )
        )
    return tuple(rows)


def _next_due(item: Seen, as_of: dt.date) -> dt.date | None:
    """Return the earliest day still to come, else the newest that has passed."""
    days = sorted(action.due_on for action in item.actions if action.due_on is not None)
    ahead = [day for day in days if day >= as_of]
    return ahead[0] if ahead else (days[-1] if days else None)
