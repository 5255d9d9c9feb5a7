"""What lifts, lowers, caps and floors read of a concern, and the figures that a reader sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from riskwatch.assessment.attention import Sign
from riskwatch.assessment.context import Case, Run, flags_on
from riskwatch.assessment.discovery import SERIES
from riskwatch.assessment.doubts import split
from riskwatch.assessment.floors import FloorEvent
from riskwatch.assessment.grading import Floor, Inputs
from riskwatch.assessment.outside import OWN
from riskwatch.assessment.risk import Scenario
from riskwatch.assessment.scope import ScopeFigures
from riskwatch.assessment.types import Grade, Scope

__all__ = ["completed_of", "figures_of", "inputs_of", "targeted_share"]

NOT_RANDOM = frozenset({"targeted", "follow-up", "complaint-led"})


def inputs_of(
    run: Run, case: Case, figures: ScopeFigures, *, scope: Scope, risk: str, confidence: str, uplifted: bool, signs: Sequence[Sign] = ()
) -> Inputs:
    """Return what the grade depends on."""
    rules, subject, facts, evidence = run.rules, case.subject, case.facts, case.evidence
    known = run.classifier.catalogue.classes[case.hazard]
    checks, injury = facts.spot_check, facts.injury
    inspection = [e for e in evidence if e.source_type == "inspection"]
    others = [e for e in evidence if e.source_type != "inspection"]
    by_stratum = {e.stratum.removeprefix("selection=") for e in inspection if "selection=" in e.stratum}
    share = targeted_share(case)
    # Strata of the evidence say it before the records do: a series of random samples in alarm is no targeted evidence.
    targeted = by_stratum <= NOT_RANDOM if by_stratum else share is not None and share >= rules.lowers.targeted_share
    only_targeted = bool(inspection) and not others and targeted
    label_only = (
        checks is not None
        and bool(checks.classes)
        and all(run.classifier.catalogue.classes[code].label_only for code in checks.classes)
        and not (injury and injury.persons > 0 and "injury" in case.types)
        and not others
    )
    strong = {kind for kind in case.types if kind not in rules.confidence.weak_source_types}
    spread = figures.touched if figures.judged and figures.by_chance is not None and figures.by_chance < rules.scope.touched_p else 0
    doubtful, _ = split(case.doubts, [e.stream for e in evidence], rules.lowers.artefact_flags)
    return Inputs(
        risk=risk,
        confidence=confidence,
        uplifted=uplifted,
        vulnerable=_vulnerable(run, case),
        prefectures=spread,
        sharing_producers=figures.sharing_producers,
        rising=_rising(run, case),
        units_in_use=case.units,
        hidden=known.hidden,
        recalled_abroad=facts.notice.recalled if facts.notice and subject.kind == "product" else 0.0,
        attention=tuple(sign.rule for sign in signs if sign.lift),
        only_targeted=only_targeted,
        one_firm=bool(inspection) and not others and figures.producers == 1,
        completed=completed_of(run, case) if scope.value in rules.lowers.completed_scopes else (),
        artefacts=tuple(sorted({*flags_on(run, subject, case.streams, rules.lowers.artefact_flags), *doubtful})),
        label_only=label_only,
        weak_sources_only=bool(case.types) and not strong,
        outside_only=strong == {OWN},
        floors=_floors(case.events),
    )


def completed_of(run: Run, case: Case) -> tuple[str, ...]:
    """Return the kinds of flag by which a recall or removal about the concern is complete, whatever its scope."""
    return flags_on(run, case.subject, case.streams, run.rules.lowers.completed_flags)


def targeted_share(case: Case) -> float | None:
    """Return the share of the failures that come from samples not drawn at random; None where strata or nothing tell."""
    checks = case.facts.spot_check
    if checks is None or any("selection=" in e.stratum for e in case.evidence if e.source_type == "inspection"):
        return None
    by_selection = checks.figures["by_selection"]
    failed = {name: float(one["failed"]) for name, one in by_selection.items()} if isinstance(by_selection, dict) else {}
    total = sum(failed.values())
    return sum(count for name, count in failed.items() if name in NOT_RANDOM) / total if total > 0 else None


def _vulnerable(run: Run, case: Case) -> str:
    """Return which vulnerable users the product tree names, or the share of the injured that shows them; "" for none."""
    subject, facts = case.subject, case.facts
    if subject.kind == "product":
        named = run.paths["product"].attribute(subject.code, "vulnerable", inherit=True)
        if named is not None and str(named).strip().lower() not in ("", "false", "0", "0.0", "no", "none"):
            return str(named)
    share = facts.injury.vulnerable_share if facts.injury else None
    return "under 15 or over 64" if share is not None and share >= run.rules.lifts.vulnerable_share else ""


def _rising(run: Run, case: Case) -> bool:
    """Whether the strongest current series has grown over the last windows in alarm (its excess, per unit of exposure)."""
    needed = run.rules.lifts.rising_windows
    lead = next((e for e, new in zip(case.evidence, case.newest, strict=True) if new), None)
    if lead is None or lead.windows < needed:
        return False
    alarms = run.judged.lookups.alarms
    same = np.ones(len(alarms), dtype=np.bool_)
    for column in SERIES:
        same &= (alarms[column] == getattr(lead, column)).to_numpy(bool)
    rows = alarms.loc[same].sort_values("period_start").tail(needed)
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


def _speaks_for(events: Sequence[FloorEvent]) -> list[dict[str, object]]:
    """Return the recorded events one by one: rule, codes of goods and place, day and count; no firms."""
    return [
        {
            "rule": event.rule,
            "kind": event.subject.kind,
            "code": event.subject.code,
            "region": event.subject.region,
            "day": event.day.isoformat(),
            "count": event.count,
        }
        for event in events
    ]


def figures_of(run: Run, case: Case, scenarios: Sequence[Scenario], grade: Grade, *, review: bool) -> dict[str, object]:
    """Return the figures for the reader, JSON-able, without names or personal data."""
    product = run.paths["product"]
    subject, facts = case.subject, case.facts
    spans = {stream: [day.isoformat() for day in window] for stream, window in case.windows.items() if window is not None}
    reviewers = run.rules.review.reviewers
    wanted = next((number for level, number in reviewers.items() if level == grade.name), 0)
    return {
        **facts.figures(),
        "name": {language: run.paths[subject.kind].name(subject.code, language) for language in ("zh", "en")},
        "place": {language: run.paths["region"].name(subject.region, language) for language in ("zh", "en")},
        "path": list(product.path(subject.code)) if subject.kind == "product" else [],
        "windows": spans,
        "rests_on": {"source_types": list(case.types), "streams": sorted(case.streams)},
        "cases_by_region": dict(facts.by_region) if len(facts.by_region) <= 80 else {},
        "duplicates_left_out": dict(run.behind.duplicates),
        "sources": {stream: list(names) for stream, names in facts.sources.items()},
        "units_in_use": case.units,
        "scenarios": [asdict(scenario) for scenario in scenarios],
        "probability_is_assumed": not any(scenario.estimated for scenario in scenarios),
        "speaks_for": _speaks_for(case.events),
        "floor_events": [{"rule": floor.rule, "grade": floor.grade.name, **dict(floor.inputs)} for floor in _floors(case.events)],
        **({"doubts": [doubt.figures() for doubt in case.doubts]} if case.doubts else {}),
        "tests": run.judged.tests,
        "alarms": run.judged.alarms,
        "hits": run.judged.hits,
        "alarms_dropped": run.judged.dropped,
        "review": review,
        "reviewers": wanted,
        "calendar": "working-days" if run.calendar is not None else "natural-days-no-calendar",
        "rules_version": run.rules.version,
    }
