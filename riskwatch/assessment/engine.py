"""From the judged series of a run and the records behind them to graded assessments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace

import pandas as pd

from riskwatch.assessment import actions as handling
from riskwatch.assessment.attention import KeyProduct, attention_step, signs_of
from riskwatch.assessment.concerns import Concern, merge
from riskwatch.assessment.confidence import Quality, witnesses_of_hits
from riskwatch.assessment.context import Case, Run, flags_on, windows_of
from riskwatch.assessment.counting import count_together, signals_of
from riskwatch.assessment.discovery import Controlled, judge
from riskwatch.assessment.doubts import Calibrations, doubts_of, split
from riskwatch.assessment.emergency import response_of
from riskwatch.assessment.emergency_rules import EmergencyRules
from riskwatch.assessment.facts import gather
from riskwatch.assessment.floors import covers, floor_events_of_domains, floor_rules, grouped, subjects_of
from riskwatch.assessment.grading import decide
from riskwatch.assessment.harm import hazard_of, mix_of, presumed_of, scenarios_of, units_of, uplift_of
from riskwatch.assessment.hazards import UNKNOWN, Classifier
from riskwatch.assessment.memory import FACT_RULES, FORGETFUL, Memory
from riskwatch.assessment.nearest import nearest_changes
from riskwatch.assessment.outside import OWN, facts_of, hear, outside_step
from riskwatch.assessment.protocols import TreePaths, WorkCalendar, tree_of
from riskwatch.assessment.readings import completed_of, figures_of, inputs_of, targeted_share
from riskwatch.assessment.recalled import Behind, Failures, Items
from riskwatch.assessment.related import Shared, relate
from riskwatch.assessment.risk import overall_risk
from riskwatch.assessment.rules import ActionCatalogue, GradingRules, HazardCatalogue
from riskwatch.assessment.scope import decide_scope, scope_figures, tells_of_harm
from riskwatch.assessment.scope_changes import scope_sentences
from riskwatch.assessment.situation import Situation
from riskwatch.assessment.tracing import supplier_figures
from riskwatch.assessment.types import Assessment, Scope, Step
from riskwatch.assessment.uncertainty import grade_distribution, probability_step
from riskwatch.assessment.whatif import Position, level_name, sentences
from riskwatch.dossiers.rules import BURSTS, BurstRules
from riskwatch.outside.weight import Outside
from riskwatch.records.streams import STREAMS

__all__ = ["assess"]


def assess(
    signals: pd.DataFrame | Controlled,
    records: Mapping[str, pd.DataFrame],
    items: Items,
    *,
    as_of: dt.date,
    rules: GradingRules,
    actions: ActionCatalogue,
    hazards: HazardCatalogue,
    trees: object,
    quality: Mapping[str, object],
    holidays: WorkCalendar | None = None,
    emergency: EmergencyRules | None = None,
    borders: Collection[tuple[str, str]] = (),
    key_products: Sequence[KeyProduct] = (),
    bursts: BurstRules = BURSTS,
    outside: Outside | None = None,
    failures: Failures | None = None,
    memory: Memory = FORGETFUL,
) -> list[Assessment]:
    """Assess all concerns of a run.

    Parameters
    ----------
    signals : pandas.DataFrame or Controlled
        Long frame of all series-periods of the run, judged (``reason`` is "") or not; columns
        :data:`riskwatch.assessment.discovery.SIGNAL_COLUMNS`. The order of rows does not matter. Or their false discoveries controlled
        already (:func:`riskwatch.assessment.discovery.control`) under the same rules.
    records : mapping of str to pandas.DataFrame
        Stream -> record rows known on the as-of day with event dates in the recent window: the stream's fields and ``source``.
        Of ``laboratory`` the whole register: a calibration holds for a year.
        It may read each stream when it is asked for: with a ``memory`` that knows the figures, nothing is read.
    items : pandas.DataFrame or callable
        Their test items (``record_key``, ``item``, ``verdict``, ideally ``source``), or what reads them; may be empty.
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
    emergency : EmergencyRules, optional
        ``config/emergency.yaml``; without it no response is proposed.
    borders : collection of (str, str)
        Pairs of neighbouring regions, for the spatial figures of the scope; without them there are none.
    key_products : sequence of KeyProduct, optional
        Entries of the key-product catalogue in force on the day.
    bursts : BurstRules
        When many complaints are one claimant's.
    outside : Outside, optional
        Notices from elsewhere, matched to goods here, and what they weigh; without it nothing is heard from outside.
    failures : callable, optional
        Reads failed samples of the last years and their items, as in ``records`` and ``items``, for the suppliers that failures usually
        name; without it those among ``records``.
    memory : Memory
        Of this day, its records and all definitions but ``rules``: figures that other thresholds do not change are taken from it.

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
    judged = judge(signals, rules, paths)
    behind = Behind(records, items, paths, failures, memory)
    classifier = Classifier(hazards)
    source_types = {name: stream.evidence for name, stream in STREAMS.items()}
    source_types.update(dict(zip(judged.table["stream"], judged.table["source_type"], strict=True)))
    desk = handling.Desk(actions, paths["region"], holidays, paths["product"], paths["industry"])
    events = memory.recall(
        "floors",
        (floor_rules(rules, as_of), source_types),
        lambda: floor_events_of_domains(
            behind.base, rules, classifier, as_of=as_of, source_types=source_types, domain_of=lambda subject: desk.bodies(subject).goods
        ),
    )
    run = Run(
        as_of,
        judged,
        behind,
        paths,
        rules,
        actions,
        classifier,
        Quality.of(quality),
        holidays,
        events,
        desk,
        Calibrations(behind),
        emergency=emergency,
        borders=borders,
        key_products=key_products,
        festivals=dict(getattr(holidays, "festivals", {})),
        bursts=bursts,
        outside=outside,
        memory=memory,
    )

    concerns = merge(judged.lookups, behind, paths, rules)
    spoken = {event for event in events if any(covers(concern.subject, event, paths) for concern in concerns)}
    alone = [event for event in events if event not in spoken]
    alone, cases = grouped(alone, rules.floors.grouped, paths)
    concerns += [Concern(subject, ()) for subject in subjects_of(alone, paths)]
    told = [concern.subject for concern in concerns]
    for subject, some in cases.items():
        left = tuple(event for event in some if not any(covers(one, event, paths) for one in told))
        concerns += [Concern(subject, (), left)] if left else []
    found = sorted((_assess_one(run, concern) for concern in concerns), key=lambda pair: (-pair[0].grade, pair[0].subject))
    return relate(found, paths=paths, least=rules.linking.related_concerns)


def _read(run: Run, concern: Concern) -> tuple[Case, Step]:
    """Read everything about one concern."""
    subject = concern.subject
    evidence, newest = run.judged.lookups.evidence_of(concern.rows)
    windows = windows_of(run, concern)
    asked = asdict(subject), windows
    facts = run.memory.recall(
        "facts",
        (asked, [getattr(run.rules, name).model_dump(mode="json") for name in FACT_RULES]),
        lambda: gather(subject, windows, run.base, run.rules, run.classifier),
    )
    events = concern.cases or tuple(event for event in run.events if covers(subject, event, run.paths))
    types = tuple(sorted({e.source_type for e in evidence} | {e.source_type for e in events}))
    hazard, votes = hazard_of(run, subject, facts, events, types)
    case = Case(
        subject=subject,
        rows=concern.rows,
        evidence=evidence,
        newest=newest,
        windows=windows,
        facts=facts,
        events=events,
        types=types,
        streams=frozenset({e.stream for e in evidence} | {e.stream for e in events}),
        hazard=hazard,
        units=units_of(run, subject),
        doubts=run.memory.recall(
            "doubts",
            (asked, run.rules.artefacts.model_dump(mode="json")),
            lambda: doubts_of(
                run.base,
                subject,
                windows,
                as_of=run.as_of,
                calibrations=run.calibrations,
                artefacts=run.rules.artefacts,
                bursts=run.bursts,
            ),
        ),
    )
    return case, Step("hazard.class", {"votes": votes}, hazard)


def _assess_one(run: Run, concern: Concern) -> tuple[Assessment, Shared]:
    domain = run.desk.bodies(concern.subject).goods
    rules = run.rules.for_domain(domain, run.as_of)
    run = replace(run, rules=rules)
    of_domain, since = rules.in_force
    rule_step = Step(
        "rules.in-force",
        {"version": rules.version, "domain": domain or "not known", "from": None if since is None else since.isoformat()},
        f"changes for {of_domain} in force" if of_domain else "rules of all goods",
    )
    case, hazard_step = _read(run, concern)
    signs = signs_of(
        case.subject,
        as_of=run.as_of,
        rules=rules.attention,
        products=run.paths["product"],
        catalogue=run.key_products,
        festivals=run.festivals,
    )
    found = Step(
        "discovery.false-discovery-rate",
        {
            **run.judged.tested,
            "alarms": run.judged.alarms,
            "hits": run.judged.hits,
            "q_weak": rules.confidence.q_weak,
        },
        f"{len(case.evidence)} alarmed series-periods about this subject",
    )
    figures = scope_figures(
        run.judged.lookups,
        case.rows,
        case.subject,
        case.facts,
        paths=run.paths,
        rules=rules.scope,
        borders=run.borders,
        witnesses=witnesses_of_hits(case.evidence, rules.confidence),
        harm=witnesses_of_hits(tells_of_harm(case.evidence, case.facts, rules.scope), rules.confidence),
        suppliers=supplier_figures(run, case),
    )
    scope, scope_steps = decide_scope(figures, rules.scope)
    if concern.cases:
        # Whether the goods as such fail is for statistics to say.
        cases_step = Step("scope.cases", {"cases": len(concern.cases)}, "cases of single firms that no alarm speaks for")
        scope, scope_steps = Scope.ISOLATED, [*scope_steps, cases_step]

    scenarios, risk_steps = scenarios_of(run, case)
    factor = rules.probability.sensitivity_factor
    by_matrix = overall_risk(scenarios, rules.matrix, factor)
    driver = by_matrix.driver
    presumed, presumed_step = presumed_of(run, case, hazard_step.inputs["votes"])  # type: ignore[arg-type]  # made by _read
    matrix_step = Step(
        "risk.matrix", {"severity": driver.severity, "probability": driver.probability, "scenario": driver.name}, by_matrix.risk
    )
    if presumed:
        by_matrix = replace(by_matrix, risk="S", low="S", high="S")
    result, was_uplifted, uplift_step = uplift_of(run, scope, by_matrix, case.units)
    sensitivity_step = Step(
        "risk.sensitivity",
        {"factor": factor, "low": result.low, "high": result.high},
        "range: expert judgement asked for" if result.uncertain else "unchanged",
    )

    quality = {stream: run.quality.failing(stream, case.facts.sources.get(stream, ()), rules.confidence) for stream in sorted(case.streams)}
    _, doubted = split(case.doubts, [e.stream for e in case.evidence], rules.lowers.artefact_flags)
    quality = {stream: [*found, doubted[stream]] if stream in doubted else found for stream, found in quality.items()}
    confirmed = flags_on(run, case.subject, case.streams, rules.confidence.confirming_flags)
    silent = {stream: run.quality.silent_share(stream, case.subject.region) for stream in sorted(case.streams)}
    heard = run.memory.recall("heard", (asdict(case.subject), case.hazard, OWN in case.types), lambda: hear(run, case))
    level, confidence_steps, counted = count_together(run, case, quality, confirmed, silent, heard)
    before = count_together(run, case, quality, confirmed, silent)[0] if heard is not None else level

    inputs = inputs_of(run, case, figures, scope=scope, risk=result.risk, confidence=level, uplifted=was_uplifted, signs=signs)
    decision = decide(inputs, rules)
    situation = Situation(
        inputs=inputs,
        signals=signals_of(counted, quality, silent, rules, heard),
        scenarios=tuple(scenarios),
        mix=mix_of(run, case),
        scope=scope,
        figures=figures,
        units=case.units,
        targeted_share=targeted_share(case),
        confirmed=bool(confirmed),
        rules=rules,
        presumed=presumed,
        completed=completed_of(run, case),
    )
    distribution = grade_distribution(situation)
    review = decision.review or result.uncertain or not driver.estimated
    best_q = min((e.q_value for e in case.evidence), default=None)
    nearest = nearest_changes(situation, q=best_q, probability=driver.probability, severity=driver.severity)
    position = Position(
        best_q=best_q,
        windows=max((e.windows for e, new in zip(case.evidence, case.newest, strict=True) if new), default=0),
        source_types=case.types,
        ask_units=driver.name.startswith("injury") and not driver.estimated,
    )
    measures = handling.choose(
        decision.grade,
        case.subject,
        scope,
        case.types,
        as_of=run.as_of,
        desk=run.desk,
        streams=case.streams,
    )
    response, response_steps = response_of(decision.grade, case.events, run.emergency, domain)
    checks = case.facts.spot_check
    assessment = Assessment(
        subject=case.subject,
        as_of=run.as_of,
        hazard="" if case.hazard == UNKNOWN else case.hazard,
        evidence=case.evidence,
        severity=driver.severity,
        probability=driver.probability if driver.estimated else None,
        probability_range=(driver.low, driver.high),
        risk=result.risk,
        risk_range=(result.low, result.high) if result.uncertain else None,
        confidence=level,
        scope=scope,
        scope_figures=asdict(figures),
        grade=decision.grade,
        steps=(
            rule_step,
            found,
            hazard_step,
            *risk_steps,
            matrix_step,
            presumed_step,
            *scope_steps,
            uplift_step,
            sensitivity_step,
            *confidence_steps,
            *outside_step(heard, before, level),
            *decision.steps,
            *response_steps,
            attention_step(signs),
            probability_step(distribution, decision.grade, rules),
        ),
        actions=measures,
        facts={
            **figures_of(run, case, scenarios, decision.grade, review=review),
            "rule_set": {"domain": of_domain, "from": None if since is None else since.isoformat(), "version": rules.version},
            "attention": [sign.facts() for sign in signs],
            "grade_probability": distribution,
            "nearest_changes": [{**asdict(one), "grade": one.grade.name} for one in nearest],
            **facts_of(heard, run.outside, before, level),
            **response,
            **({"cases_only": True} if concern.cases else {}),
        },
        what_would_change=(
            *sentences(inputs, position, rules, nearest),
            *(() if concern.cases else scope_sentences(situation, lambda grade, language: level_name(rules, grade, language))),
        ),
    )
    return assessment, checks.shared if checks else Shared()
