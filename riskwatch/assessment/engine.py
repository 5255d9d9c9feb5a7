"""From the judged series of a run and the records behind them to graded assessments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from riskwatch.assessment import actions as handling
from riskwatch.assessment.behind import RecordBase, Window
from riskwatch.assessment.concerns import Concern, evidence_of, merge
from riskwatch.assessment.confidence import Quality, confidence
from riskwatch.assessment.discovery import SERIES, Judged, judge
from riskwatch.assessment.facts import Facts, gather
from riskwatch.assessment.floors import FloorEvent, covers, find_floor_events, subjects_of
from riskwatch.assessment.grading import Floor, Inputs, decide
from riskwatch.assessment.hazards import UNKNOWN, Classifier
from riskwatch.assessment.protocols import TreePaths, WorkCalendar, tree_of
from riskwatch.assessment.risk import (
    RiskResult,
    Scenario,
    defect_scenario,
    injury_scenarios,
    overall_risk,
    uplifted,
    working_scenario,
)
from riskwatch.assessment.rules import RISKS, ActionCatalogue, GradingRules, HazardCatalogue
from riskwatch.assessment.scope import ScopeFigures, decide_scope, scope_figures
from riskwatch.assessment.types import Assessment, Evidence, Grade, Scope, Step, Subject
from riskwatch.assessment.whatif import Position, sentences
from riskwatch.records.streams import STREAMS

__all__ = ["assess"]

STREAM_OF = {"inspection": "spot_check", "injury": "injury", "external": "external_notice"}


@dataclass(frozen=True, eq=False)
class _Run:
    """What all concerns of a run share."""

    as_of: dt.date
    judged: Judged
    base: RecordBase
    paths: Mapping[str, TreePaths]
    rules: GradingRules
    catalogue: ActionCatalogue
    classifier: Classifier
    quality: Quality
    calendar: WorkCalendar | None
    events: Sequence[FloorEvent]


def assess(
    signals: pd.DataFrame,
    records: Mapping[str, pd.DataFrame],
    items: pd.DataFrame,
    *,
    as_of: dt.date,
    rules: GradingRules,
    actions: ActionCatalogue,
    hazards: HazardCatalogue,
    trees: object,
    quality: Mapping[str, object],
    holidays: WorkCalendar | None = None,
) -> list[Assessment]:
    """Assess all concerns of a run.

    Parameters
    ----------
    signals : pandas.DataFrame
        Long frame of all series-periods of the run, judged (``reason`` is "") or not; columns
        :data:`riskwatch.assessment.discovery.SIGNAL_COLUMNS`. The order of rows does not matter.
    records : mapping of str to pandas.DataFrame
        Stream -> record rows known on the as-of day with event dates in the recent window: the stream's fields and ``source``.
    items : pandas.DataFrame
        Their test items (``record_key``, ``item``, ``verdict``, ideally ``source``); may be empty.
    as_of : datetime.date
        The day that is assessed; the clock is never read.
    rules, actions, hazards : GradingRules, ActionCatalogue, HazardCatalogue
        ``config/grading.yaml``, ``config/actions.yaml``, ``config/hazards.yaml``.
    trees : mapping or object
        ``product``, ``industry`` and ``region`` trees (:class:`riskwatch.assessment.protocols.Tree`), as keys or attributes.
    quality : mapping
        ``{"streams": {name: state}, "sources": {name: state}, "flags": [{kind, stream?, product?, industry?, region?}]}``.
    holidays : WorkCalendar, optional
        Working days; without it working-day clocks are counted in natural days and say so.

    Returns
    -------
    list of Assessment
        Gravest first, then by subject. Concerns graded NONE are in it too: lifecycle needs to know that they were looked at.

    Raises
    ------
    DetectorError
        If columns are missing from ``signals`` or p-values are out of range.
    """
    paths = {name: TreePaths(tree_of(trees, name)) for name in ("product", "industry", "region")}
    judged = judge(signals, rules.confidence)
    base = RecordBase(records, items, paths)
    classifier = Classifier(hazards)
    source_types = {name: stream.evidence for name, stream in STREAMS.items()}
    source_types.update(dict(zip(judged.table["stream"], judged.table["source_type"], strict=True)))
    events = find_floor_events(base, rules, classifier, as_of=as_of, source_types=source_types)
    run = _Run(as_of, judged, base, paths, rules, actions, classifier, Quality.of(quality), holidays, events)

    concerns = merge(judged.table, base, paths, rules)
    spoken = {event for event in events if any(covers(concern.subject, event, paths) for concern in concerns)}
    alone = [event for event in events if event not in spoken]
    concerns += [Concern(subject, ()) for subject in subjects_of(alone, paths)]
    found = [_assess_one(run, concern) for concern in concerns]
    return sorted(found, key=lambda one: (-one.grade, one.subject))


def _windows(run: _Run, concern: Concern) -> dict[str, Window | None]:
    """Return the days whose records are read, for each stream: its own evidence, else the whole concern's, else the look-back."""
    table = run.judged.table.loc[list(concern.rows)]
    if table.empty:
        window = (run.as_of - dt.timedelta(days=run.rules.floors.lookback_days), run.as_of)
        return dict.fromkeys(run.base.frames, window)
    spans = {
        str(stream): (group["period_start"].min().date(), group["period_end"].max().date()) for stream, group in table.groupby("stream")
    }
    whole = (table["period_start"].min().date(), table["period_end"].max().date())
    return {stream: spans.get(stream, whole) for stream in run.base.frames}


def _flags(run: _Run, subject: Subject, streams: set[str], kinds: Sequence[str]) -> tuple[str, ...]:
    found = set()
    for flag in run.quality.flags:
        if flag.get("kind") not in kinds:
            continue
        codes = {name: str(flag.get(name) or "") for name in ("product", "industry", "region")}
        stream = str(flag.get("stream") or "")
        if not stream and not any(codes.values()):
            continue  # a flag that names nothing must not match everything
        if stream and stream not in streams:
            continue
        mine = {"product": "", "industry": "", "region": subject.region}
        mine[subject.kind] = subject.code
        if all(not code or (mine[name] and run.paths[name].within(mine[name], code)) for name, code in codes.items()):
            found.add(str(flag["kind"]))
    return tuple(sorted(found))


def _assess_one(run: _Run, concern: Concern) -> Assessment:
    rules, subject = run.rules, concern.subject
    evidence = evidence_of(run.judged.table, concern.rows)
    windows = _windows(run, concern)
    facts = gather(subject, windows, run.base, rules, run.classifier)
    events = [event for event in run.events if covers(subject, event, run.paths)]
    types = sorted({e.source_type for e in evidence} | {e.source_type for e in events})
    streams = {e.stream for e in evidence} | {e.stream for e in events}
    steps: list[Step] = [
        Step(
            "discovery.false-discovery-rate",
            {"tests": run.judged.tests, "alarms": run.judged.alarms, "hits": run.judged.hits, "q_weak": rules.confidence.q_weak},
            f"{len(evidence)} alarmed series-periods about this subject",
        )
    ]

    hazard, hazard_votes = _hazard(run, subject, facts, events, types)
    steps.append(Step("hazard.class", {"votes": hazard_votes}, hazard))

    figures = scope_figures(run.judged.table, concern.rows, subject, facts, run.paths, rules.scope)
    scope, scope_steps = decide_scope(figures, rules.scope)

    units = _units(run, subject)
    scenarios, risk_steps = _scenarios(run, subject, facts, hazard, types, windows, units)
    result = overall_risk(scenarios, rules.matrix, rules.probability.sensitivity_factor)
    steps += risk_steps
    steps.append(
        Step(
            "risk.matrix",
            {"severity": result.driver.severity, "probability": result.driver.probability, "scenario": result.driver.name},
            result.risk,
        )
    )
    steps.append(
        Step(
            "risk.sensitivity",
            {"factor": rules.probability.sensitivity_factor, "low": result.low, "high": result.high},
            "range: expert judgement asked for" if result.uncertain else "unchanged",
        )
    )
    risk, was_uplifted, uplift_step = _uplift(run, scope, result, units)
    steps.append(uplift_step)
    steps += scope_steps

    newest = _newest(run, evidence)
    failing = {stream: run.quality.failing(stream, facts.sources.get(stream, ()), rules.confidence) for stream in sorted(streams)}
    confirmed = _flags(run, subject, streams, rules.confidence.confirming_flags)
    level, confidence_steps = confidence(evidence, newest, failing=failing, confirmed=confirmed, rules=rules.confidence)
    steps += confidence_steps

    inputs = _inputs(run, concern, facts, figures, hazard, evidence, events, types, streams, units, newest)
    inputs = replace(inputs, risk=risk, confidence=level, uplifted=was_uplifted)
    decision = decide(inputs, rules)
    steps += decision.steps
    review = decision.review or result.uncertain or not result.driver.estimated
    position = Position(
        best_q=min((e.q_value for e in evidence), default=None),
        windows=max((e.windows for e, new in zip(evidence, newest, strict=True) if new), default=0),
        source_types=tuple(types),
        risk_low=result.low,
        risk_high=result.high,
        estimated=result.driver.estimated,
        units_known=units is not None,
    )
    measures = handling.choose(
        decision.grade,
        subject,
        scope,
        types,
        as_of=run.as_of,
        catalogue=run.catalogue,
        regions=run.paths["region"],
        calendar=run.calendar,
    )
    return Assessment(
        subject=subject,
        as_of=run.as_of,
        hazard="" if hazard == UNKNOWN else hazard,
        evidence=evidence,
        severity=result.driver.severity,
        probability=result.driver.probability if result.driver.estimated else None,
        probability_range=(result.driver.low, result.driver.high),
        risk=risk,
        risk_range=(result.low, result.high) if result.uncertain else None,
        confidence=level,
        scope=scope,
        scope_figures=asdict(figures),
        grade=decision.grade,
        steps=tuple(steps),
        actions=measures,
        facts=_facts(run, concern, facts, events, windows, scenarios, units, decision.grade, review=review),
        what_would_change=sentences(inputs, position, rules),
    )


def _newest(run: _Run, evidence: Sequence[Evidence]) -> list[bool]:
    table = run.judged.table
    columns = [*SERIES, "period_start"]
    known = {row[:-1]: bool(row[-1]) for row in table.loc[table["alarm"], [*columns, "newest"]].itertuples(index=False, name=None)}
    return [
        known[e.model, e.stream, e.product, e.industry, e.region, e.stratum, e.frequency, pd.Timestamp(e.period_start)] for e in evidence
    ]


def _hazard(run: _Run, subject: Subject, facts: Facts, events: Sequence[FloorEvent], types: Sequence[str]) -> tuple[str, dict[str, object]]:
    """Return the hazard class: of a known lethal item, else of what the evidence counts, else of the product tree."""
    grave = [event.detail for event in events if event.rule == "hazard-item"]
    if grave:
        order = list(run.classifier.catalogue.classes)
        first = min(grave, key=lambda code: (-Grade[run.classifier.catalogue.classes[code].floor or "IV"], order.index(code)))
        return first, {"floor_items": len(grave)}
    parts = {"inspection": facts.spot_check, "injury": facts.injury, "external": facts.notice}
    for kind in [*(one for one in parts if one in types), *(one for one in parts if one not in types)]:
        part = parts[kind]
        if part is not None:
            found = run.classifier.main(part.classes)
            if found != UNKNOWN:
                return found, {kind: dict(part.classes)}
    if subject.kind == "product":
        declared = run.paths["product"].attribute(subject.code, "hazards")
        for code in str(declared).replace(";", "|").replace(",", "|").split("|") if declared is not None else ():
            if code.strip() in run.classifier.catalogue.classes:
                return code.strip(), {"product_tree": str(declared)}
    return UNKNOWN, {}


def _units(run: _Run, subject: Subject) -> float | None:
    """Return the units in use in the anchor region: the tree's figure, by its share of the population where that is known."""
    if subject.kind != "product":
        return None
    value = run.paths["product"].attribute(subject.code, "units_in_use")
    if value is None or float(value) <= 0:
        return None
    units = float(value)
    regions = run.paths["region"]
    line = regions.path(subject.region)
    if line:
        here, whole = regions.attribute(subject.region, "population"), regions.attribute(line[0], "population")
        if here is not None and whole is not None and float(whole) > 0:
            units *= float(here) / float(whole)
    return units


def _lifetime(run: _Run, subject: Subject) -> float:
    value = run.paths["product"].attribute(subject.code, "lifetime_years") if subject.kind == "product" else None
    return float(value) if value is not None and float(value) > 0 else run.rules.probability.lifetime_years


def _scenarios(
    run: _Run, subject: Subject, facts: Facts, hazard: str, types: Sequence[str], windows: Mapping[str, Window | None], units: float | None
) -> tuple[list[Scenario], list[Step]]:
    """Return how harm may come about, from the source types that speak for the concern."""
    rules = run.rules
    known = run.classifier.catalogue.classes[hazard]
    found: list[Scenario] = []
    steps: list[Step] = []
    if "injury" in types and facts.injury is not None:
        span = windows.get("injury")
        days = (span[1] - span[0]).days + 1 if span is not None else rules.floors.lookback_days
        injury = facts.injury
        lifetime = _lifetime(run, subject)
        new = injury_scenarios(
            injury.levels,
            injury.counts,
            injury.estimate,
            units=units,
            lifetime_years=lifetime,
            observed_years=days / 365.25,
            probability=rules.probability,
            severity=rules.severity,
        )
        found += new
        inputs: dict[str, object] = {
            "persons": injury.persons,
            "stand_for": float(injury.estimate.sum()),
            "units_in_use": units,
            "lifetime_years": lifetime,
            "observed_days": days,
            "severity_percentile": injury.percentile,
            "severity_maximum": injury.maximum,
        }
        steps.append(
            Step("risk.injury-probability", inputs, "estimated" if units is not None else "units in use unknown: working assumption")
        )
    if "inspection" in types and facts.spot_check is not None:
        checks = facts.spot_check
        harm = known.harm_given_defect.value
        inputs = {
            "failed_random": checks.random_failed,
            "inspected_random": checks.random_inspected,
            "harm_given_defect": harm,
            "hazard": hazard,
        }
        if checks.random_inspected > 0:
            bad = min(checks.random_failed, checks.random_inspected)
            found.append(defect_scenario(bad, checks.random_inspected, harm, known.severity, rules.probability.interval))
            steps.append(Step("risk.defect-probability", inputs, "defect prevalence x assumed P(harm | defect)"))
        else:
            steps.append(Step("risk.defect-probability", inputs, "no random samples: prevalence unknown"))
    if not found:
        found.append(working_scenario(known.severity, rules.probability))
        steps.append(
            Step("risk.working-assumption", {"working": rules.probability.working, "severity": known.severity}, "nothing to estimate from")
        )
    if known.presumed_lethal and all(scenario.severity < 4 for scenario in found):
        found.append(replace(working_scenario(4, rules.probability), name="presumed-lethal"))
        steps.append(Step("risk.presumed-lethal", {"hazard": hazard}, "severity 4"))
    return found, steps


def _uplift(run: _Run, scope: Scope, result: RiskResult, units: float | None) -> tuple[str, bool, Step]:
    applies = scope.value in run.rules.uplift.scopes
    inputs: dict[str, object] = {"scope": scope.value, "units_in_use": units, "risk": result.risk}
    if not applies or units is None:
        why = "not for this scope" if not applies else "units in use unknown"
        return result.risk, False, Step("risk.population-uplift", inputs, why)
    risk = uplifted(result.risk, units, run.rules.uplift)
    return risk, risk != result.risk, Step("risk.population-uplift", inputs, risk)


def _inputs(
    run: _Run,
    concern: Concern,
    facts: Facts,
    figures: ScopeFigures,
    hazard: str,
    evidence: Sequence[Evidence],
    events: Sequence[FloorEvent],
    types: Sequence[str],
    streams: set[str],
    units: float | None,
    newest: Sequence[bool],
) -> Inputs:
    """Read off what lifts, lowers, caps and floors ask for."""
    rules, subject = run.rules, concern.subject
    known = run.classifier.catalogue.classes[hazard]
    checks, injury = facts.spot_check, facts.injury
    inspection = [e for e in evidence if e.source_type == "inspection"]
    others = [e for e in evidence if e.source_type != "inspection"]
    selections = set(checks.failing_selections) if checks else set()
    targeted = {"targeted", "follow-up", "complaint-led"}
    by_stratum = {e.stratum.removeprefix("selection=") for e in inspection if "selection=" in e.stratum}
    only_targeted = bool(inspection) and not others and bool(by_stratum or selections) and (by_stratum or selections) <= targeted
    label_only = (
        checks is not None
        and bool(checks.classes)
        and all(run.classifier.catalogue.classes[code].label_only for code in checks.classes)
        and not (injury and injury.persons > 0 and "injury" in types)
        and not others
    )
    strong = {kind for kind in types if kind not in rules.confidence.weak_source_types}
    spread = figures.touched if figures.judged and figures.by_chance is not None and figures.by_chance < rules.scope.touched_p else 0
    return Inputs(
        risk=RISKS[0],
        confidence="C0",
        vulnerable=_vulnerable(run, subject, facts),
        prefectures=spread,
        sharing_producers=figures.sharing_producers,
        rising=_rising(run, evidence, newest),
        units_in_use=units,
        hidden=known.hidden,
        recalled_abroad=facts.notice.recalled if facts.notice and subject.kind == "product" else 0.0,
        only_targeted=only_targeted,
        one_firm=bool(inspection) and not others and figures.producers == 1,
        completed=_flags(run, subject, streams, rules.lowers.completed_flags),
        artefacts=_flags(run, subject, streams, rules.lowers.artefact_flags),
        label_only=label_only,
        weak_sources_only=bool(types) and not strong,
        floors=_floors(events),
    )


def _vulnerable(run: _Run, subject: Subject, facts: Facts) -> str:
    """Return which vulnerable users the product tree names, or the share of the injured that shows them; "" for none."""
    if subject.kind == "product":
        named = run.paths["product"].attribute(subject.code, "vulnerable")
        if named is not None and str(named).strip().lower() not in ("", "false", "0", "0.0", "no", "none"):
            return str(named)
    share = facts.injury.vulnerable_share if facts.injury else None
    return "under 15 or over 64" if share is not None and share >= run.rules.lifts.vulnerable_share else ""


def _rising(run: _Run, evidence: Sequence[Evidence], newest: Sequence[bool]) -> bool:
    """Whether the strongest current series has grown over the last windows in alarm (its excess, per unit of exposure)."""
    needed = run.rules.lifts.rising_windows
    lead = next((e for e, new in zip(evidence, newest, strict=True) if new), None)
    if lead is None or lead.windows < needed:
        return False
    table = run.judged.table
    same = table["alarm"].to_numpy()
    for column in SERIES:
        same = same & (table[column] == getattr(lead, column)).to_numpy()
    rows = table.loc[same].sort_values("period_start").tail(needed)
    exposure = rows["exposure"].where(rows["exposure"] > 0, 1.0).fillna(1.0)
    growth = (rows["excess"] / exposure).diff().dropna()
    return bool((growth > 0).all()) and len(growth) == needed - 1


def _floors(events: Sequence[FloorEvent]) -> tuple[Floor, ...]:
    groups: dict[tuple[str, str], list[FloorEvent]] = {}
    for event in events:
        groups.setdefault((event.rule, event.detail), []).append(event)
    found = []
    for (rule, detail), some in sorted(groups.items()):
        firms = len({event.firm for event in some if event.firm >= 0})
        inputs: dict[str, object] = {"count": sum(event.count for event in some), "newest": max(event.day for event in some).isoformat()}
        if detail:
            inputs["hazard"] = detail
        if rule == "recheck-failed":
            inputs["firms"] = firms
        found.append(Floor(rule, max(event.grade for event in some), tuple(inputs.items())))
    return tuple(found)


def _facts(
    run: _Run,
    concern: Concern,
    facts: Facts,
    events: Sequence[FloorEvent],
    windows: Mapping[str, Window | None],
    scenarios: Sequence[Scenario],
    units: float | None,
    grade: Grade,
    *,
    review: bool,
) -> dict[str, object]:
    """Return the figures for the reader, JSON-able, without names or personal data."""
    product = run.paths["product"]
    subject = concern.subject
    spans = {stream: [day.isoformat() for day in window] for stream, window in windows.items() if window is not None}
    reviewers = run.rules.review.reviewers
    wanted = next((number for level, number in reviewers.items() if level == grade.name), 0)
    return {
        **facts.figures(),
        "name": {language: run.paths[subject.kind].name(subject.code, language) for language in ("zh", "en")},
        "place": {language: run.paths["region"].name(subject.region, language) for language in ("zh", "en")},
        "path": list(product.path(subject.code)) if subject.kind == "product" else [],
        "windows": spans,
        "cases_by_region": dict(facts.by_region) if len(facts.by_region) <= 80 else {},
        "duplicates_left_out": dict(run.base.duplicates),
        "sources": {stream: list(names) for stream, names in facts.sources.items()},
        "units_in_use": units,
        "scenarios": [asdict(scenario) for scenario in scenarios],
        "probability_is_assumed": not any(scenario.estimated for scenario in scenarios),
        "floor_events": [{"rule": floor.rule, "grade": floor.grade.name, **dict(floor.inputs)} for floor in _floors(events)],
        "tests": run.judged.tests,
        "alarms": run.judged.alarms,
        "hits": run.judged.hits,
        "alarms_dropped": run.judged.dropped,
        "review": review,
        "reviewers": wanted,
        "calendar": "working-days" if run.calendar is not None else "natural-days-no-calendar",
        "rules_version": run.rules.version,
    }
