"""One warning with its assessment -> a card, a compact row, a chart."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Hashable, Mapping, Sequence

import pandas as pd

from riskwatch.assessment.types import Action, Assessment, Evidence, Grade, Step, Subject
from riskwatch.digest.card_notes import emergency_line, held_text, related_line, spread
from riskwatch.digest.clusters import ClusterFigures, cluster_map
from riskwatch.digest.dossier_model import TakenLine
from riskwatch.digest.focus import measure_of
from riskwatch.digest.inputs import Labels, WarningLike
from riskwatch.digest.model import ActionLine, Change, Chart, ChartPoint, CompactRow, GradeName, LawLine, Measure, Place, Text, WarningCard
from riskwatch.digest.names import Namer
from riskwatch.digest.numbers import significant
from riskwatch.digest.privacy import known_figures, scrub
from riskwatch.digest.text_en import TEXT
from riskwatch.lifecycle.reading import domain

__all__ = ["action_line", "bilingual", "card", "chart", "compact", "domain_of", "grade_name", "leading_measures", "series_key"]

# Rules of ``config/grading.yaml`` that the catalogue of words knows; other steps are bookkeeping.
_RULES = frozenset(key.removeprefix("rule.") for key in TEXT if key.startswith("rule."))
_CODE = re.compile(r"[a-z0-9-]{0,60}")
SeriesKey = tuple[str, str, str, str, str]
CHART_POINTS = 60
MEASURES_KEPT = 12
_NAMES: dict[int, GradeName] = {5: "I", 4: "II", 3: "III", 2: "IV", 1: "WATCH", 0: "NONE"}


def grade_name(grade: Grade | None) -> GradeName | None:
    """Return the name of a grade as it stands in the JSON."""
    return None if grade is None else _NAMES[int(grade)]


def bilingual(value: object) -> Text:
    """Return ``value`` ({zh, en}, or one text for both) as scrubbed :class:`Text`."""
    if isinstance(value, Mapping):
        zh, en = (str(value[key]) if value.get(key) else "" for key in ("zh", "en"))
        return Text(zh=scrub(zh or en), en=scrub(en or zh))
    return Text(zh=scrub(str(value)), en=scrub(str(value)))


def domain_of(assessment: Assessment | None, warning: WarningLike) -> str:
    """Return the domain whose rules graded a warning: of the day's assessment, else of the one that the warning keeps."""
    if assessment is not None:
        return domain(assessment)
    kept = getattr(warning, "evidence", None)
    return str(kept.get("domain") or "") if isinstance(kept, Mapping) else ""


def series_key(model: str, product: str, industry: str, region: str, stratum: str) -> SeriesKey:
    """Return the key under which ``series_history`` holds one series."""
    return (model, product, industry, region, stratum)


def action_line(action: Action) -> ActionLine:
    """Return a measure as it is shown; a legal basis that does not say it was verified was not."""
    return ActionLine(
        object=action.object,
        stage=action.stage,
        measure=bilingual(action.measure),
        owner=bilingual(action.owner),
        deadline=action.deadline,
        unit=action.unit,
        starts=action.starts,
        due_on=action.due_on,
        legal_basis=tuple(
            LawLine(
                law=bilingual(basis.get("law", "")),
                article=scrub(str(basis.get("article") or ""), limit=40),
                text=bilingual(basis.get("text") or ""),
                verified=basis.get("verified") is True,
            )
            for basis in action.legal_basis
        ),
    )


def leading_measures(
    evidence: Sequence[Evidence], subject: Subject, namer: Namer, labels: Labels, jurisdiction: str
) -> tuple[tuple[Evidence, Measure], ...]:
    """Return the newest alarmed period of each series as a measure, in the order in which they are read.

    First what lies inside the jurisdiction, then what contains it; among those series of the subject itself before those of its category,
    its parts or its city; then the widest place first, then the largest excess: the reader wants the area as a whole, then where it is
    worst. Evidence from elsewhere stays out: it belongs to another centre.
    Earlier periods of a series are in the ``windows`` of its newest.
    """
    newest: dict[SeriesKey, Evidence] = {}
    for item in sorted(evidence, key=lambda item: item.period_start):
        newest[series_key(item.model, item.product, item.industry, item.region, item.stratum)] = item
    order = {"inside": 0, "wider": 1}
    kept = [(order[relation], item) for item in newest.values() if (relation := namer.relation(item.region, jurisdiction)) in order]

    def reading_order(pair: tuple[int, Evidence]) -> tuple[object, ...]:
        relation, item = pair
        code = getattr(item, subject.kind)
        about = 0 if code == subject.code else 1 if code else 2
        return relation, about, namer.depth(item.region), -_finite(item.excess), item.model, item.product, item.stratum

    kept.sort(key=reading_order)
    return tuple((item, measure_of(_row(item), namer, labels, jurisdiction)) for _, item in kept)


def _row(item: Evidence) -> dict[str, object]:
    names = ("model", "stream", "product", "industry", "region", "stratum", "frequency", "period_start", "period_end")
    figures = ("observed", "exposure", "expected", "lower", "upper", "p_value", "q_value", "windows")
    return {name: getattr(item, name) for name in (*names, *figures)}


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def chart(history: pd.DataFrame | None, frequency: str, alarms: Sequence[dt.date]) -> Chart | None:
    """Return the last :data:`CHART_POINTS` periods of a series as chart data, None without history.

    ``history`` has ``period_start, observed`` and perhaps ``expected, upper, exposure, alarm``; without ``alarm``, a period is marked
    where it exceeds its limit or starts on one of ``alarms``.
    """
    if history is None or history.empty:
        return None
    frame = history.sort_values("period_start").tail(CHART_POINTS)
    exposed = "exposure" in frame and bool(frame["exposure"].notna().any())
    marked = set(alarms)
    points = []
    for row in frame.to_dict("records"):
        start = pd.Timestamp(row["period_start"]).date()
        figure = {name: significant(_number(row.get(name))) for name in ("observed", "expected", "upper")}
        exposure = significant(_number(row.get("exposure"))) if exposed else None
        points.append(ChartPoint(period_start=start, exposure=exposure, alarm=_alarmed(row, start in marked), **figure))
    return Chart(frequency=frequency, rate=exposed, points=tuple(points))


def _alarmed(row: Mapping[Hashable, object], marked: bool) -> bool:
    if "alarm" in row:
        return marked or row["alarm"] == 1
    observed, upper = _number(row.get("observed")), _number(row.get("upper"))
    return marked or observed > upper


def _rules(steps: Sequence[Step]) -> tuple[str, ...]:
    """Codes of the rules that applied: lifts and lowers that held where they moved the grade, caps that capped, floors that held."""
    moved = {step.rule for step in steps if step.rule in {"lift", "lower"} and step.outcome.startswith(("raised", "lowered"))}
    found = []
    for step in steps:
        kind = step.rule.partition(".")[0]
        if step.rule not in _RULES:
            continue
        applied = {"lift": step.outcome == "holds", "lower": step.outcome == "holds", "cap": step.outcome == "capped", "floor": True}[kind]
        if applied and (kind in {"cap", "floor"} or kind in moved):
            found.append(step.rule)
    return tuple(dict.fromkeys(found))


def _probabilities(assessment: Assessment) -> tuple[tuple[GradeName, float], ...]:
    shares = assessment.facts.get("grade_probability")
    known = shares if isinstance(shares, Mapping) else {}
    return tuple((name, float(known[name])) for _, name in sorted(_NAMES.items(), reverse=True) if name in known)


def _attention(assessment: Assessment) -> tuple[Text, ...]:
    signs = assessment.facts.get("attention")
    return tuple(bilingual(sign["reason"]) for sign in signs) if isinstance(signs, (list, tuple)) else ()


def _outside(assessment: Assessment) -> Text | None:
    known = assessment.facts.get("outside")
    return bilingual(known["text"]) if isinstance(known, Mapping) and "text" in known else None


def _number(value: object) -> float:
    return math.nan if value is None or value is pd.NA else float(value)  # type: ignore[arg-type]  # numpy and Python numbers alike


def card(
    warning: WarningLike,
    assessment: Assessment,
    *,
    change: Change,
    before: GradeName | None,
    reason: Text | None,
    place: Place,
    namer: Namer,
    labels: Labels,
    jurisdiction: str,
    in_full: bool,
    brief: bool,
    row_shown: bool,
    history: Mapping[SeriesKey, pd.DataFrame],
    teller: Subject | None = None,
    taken: TakenLine | None = None,
    clusters: Mapping[SeriesKey, ClusterFigures] | None = None,
) -> WarningCard:
    """Return the full card of a warning. Facts pass by whitelist only (see :mod:`riskwatch.digest.privacy`)."""
    pairs = leading_measures(assessment.evidence, assessment.subject, namer, labels, jurisdiction)
    figures = known_figures(assessment)
    drawn = None
    if in_full and pairs:
        lead = pairs[0][0]
        key = series_key(lead.model, lead.product, lead.industry, lead.region, lead.stratum)
        alarms = [
            item.period_start
            for item in assessment.evidence
            if series_key(item.model, item.product, item.industry, item.region, item.stratum) == key
        ]
        drawn = chart(history.get(key), lead.frequency, alarms)
    probabilities = assessment.probability_range
    return WarningCard(
        warning_id=warning.warning_id,
        change=change,
        grade=_NAMES[int(warning.grade)],
        grade_before=before,
        domain=domain_of(assessment, warning),
        subject_kind=assessment.subject.kind,
        subject_code=assessment.subject.code,
        subject=namer.subject(assessment.subject.kind, assessment.subject.code),
        place=place,
        hazard=assessment.hazard if _CODE.fullmatch(assessment.hazard) else "",
        hazard_name=labels.hazards.get(assessment.hazard),
        scope=str(assessment.scope),
        prefectures=figures.prefectures,
        counties=figures.counties,
        producers=figures.producers,
        severity=assessment.severity,
        probability=significant(assessment.probability),
        probability_range=None if probabilities is None else (float(f"{probabilities[0]:.6g}"), float(f"{probabilities[1]:.6g}")),
        probability_assumed=assessment.facts.get("probability_is_assumed") is True,
        review=assessment.facts.get("review") is True,
        risk=assessment.risk,
        risk_range=assessment.risk_range,
        confidence=assessment.confidence,
        source_types=tuple(sorted({item.source_type for item, _ in pairs})),
        rules=_rules(assessment.steps),
        reason=reason,
        measures=tuple(measure for _, measure in pairs[:MEASURES_KEPT]),
        measures_total=len(pairs),
        died=figures.died,
        admitted=figures.admitted,
        age_bands=figures.age_bands,
        failed_items=tuple((bilingual(name), count) for name, count in figures.failed_items),
        units_in_use=figures.units_in_use,
        would_change=tuple(bilingual(sentence) for sentence in assessment.what_would_change),
        grade_probability=_probabilities(assessment),
        attention=_attention(assessment),
        outside=_outside(assessment),
        spread=spread(assessment),
        related=related_line(assessment, teller, namer=namer, labels=labels, jurisdiction=jurisdiction),
        held=held_text(warning),
        emergency=emergency_line(assessment),
        taken=taken,
        actions=tuple(action_line(action) for action in assessment.actions),
        first_seen=warning.first_seen,
        in_full=in_full,
        brief=brief,
        row_shown=row_shown,
        chart=drawn,
        cluster=cluster_map(assessment.evidence, clusters or {}, namer, jurisdiction) if in_full else None,
    )


def compact(
    warning: WarningLike,
    assessment: Assessment | None,
    *,
    change: Change,
    before: GradeName | None,
    reason: Text | None,
    subject: Text,
    place: Place,
    namer: Namer,
    labels: Labels,
    jurisdiction: str,
    due_on: dt.date | None,
    shown: bool,
    taken: TakenLine | None = None,
) -> CompactRow:
    """Return a warning in one line; figures are those of its leading evidence of the day, if it was judged."""
    pairs = leading_measures(assessment.evidence, assessment.subject, namer, labels, jurisdiction) if assessment else ()
    lead = pairs[0][1] if pairs else None
    return CompactRow(
        warning_id=warning.warning_id,
        change=change,
        grade=_NAMES[int(warning.grade)],
        grade_before=before,
        domain=domain_of(assessment, warning),
        subject=subject,
        place=place,
        scope=str(warning.scope),
        first_seen=warning.first_seen,
        last_changed=warning.last_changed,
        observed=lead.observed if lead else None,
        exposure=lead.exposure if lead else None,
        expected=lead.expected if lead else None,
        due_on=due_on,
        reason=reason,
        taken=taken,
        held=held_text(warning),
        shown=shown,
    )
