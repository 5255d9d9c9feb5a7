"""How harm comes about: hazard class, units in use, scenarios and the uplift of the risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from riskwatch.assessment.context import Case, Run
from riskwatch.assessment.facts import Facts
from riskwatch.assessment.floors import FloorEvent
from riskwatch.assessment.hazards import UNKNOWN
from riskwatch.assessment.risk import (
    InjuryCluster,
    RiskResult,
    Scenario,
    bound_scenario,
    defect_scenario,
    injury_scenario,
    injury_scenarios,
    severity_mix,
    uplifted,
)
from riskwatch.assessment.types import Grade, Scope, Step, Subject

__all__ = ["hazard_of", "mix_of", "presumed_of", "scenarios_of", "units_of", "uplift_of"]


def hazard_of(
    run: Run, subject: Subject, facts: Facts, events: Sequence[FloorEvent], types: Sequence[str]
) -> tuple[str, dict[str, object]]:
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
        declared = run.paths["product"].attribute(subject.code, "hazards", inherit=True)
        for code in str(declared).replace(";", "|").replace(",", "|").split("|") if declared is not None else ():
            if code.strip() in run.classifier.catalogue.classes:
                return code.strip(), {"product_tree": str(declared)}
    return UNKNOWN, {}


def units_of(run: Run, subject: Subject) -> float | None:
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


def _lifetime(run: Run, subject: Subject) -> float:
    value = run.paths["product"].attribute(subject.code, "lifetime_years", inherit=True) if subject.kind == "product" else None
    return float(value) if value is not None and float(value) > 0 else run.rules.probability.lifetime_years


def scenarios_of(run: Run, case: Case) -> tuple[list[Scenario], list[Step]]:
    """Return how harm may come about, from the source types that speak for the concern."""
    facts, hazard, units = case.facts, case.hazard, case.units
    rules = run.rules
    known = run.classifier.catalogue.classes[hazard]
    found: list[Scenario] = []
    steps: list[Step] = []
    if "injury" in case.types and facts.injury is not None:
        days = _observed_days(run, case)
        injury = facts.injury
        lifetime = _lifetime(run, case.subject)
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
    if "inspection" in case.types and facts.spot_check is not None:
        checks = facts.spot_check
        harm = known.harm_given_defect.value
        inputs = {
            "failed": checks.failed,
            "inspected": checks.inspected,
            "failed_random": checks.random_failed,
            "inspected_random": checks.random_inspected,
            "harm_given_defect": harm,
            "hazard": hazard,
        }
        random = checks.random_inspected > 0
        bad, seen = (checks.random_failed, checks.random_inspected) if random else (checks.failed, checks.inspected)
        found.append(
            defect_scenario(min(bad, seen), seen, harm=harm, level=known.severity, coverage=rules.probability.interval, random=random)
        )
        why = "defect prevalence x assumed P(harm | defect)" if random else "no random samples: prevalence is an upper bound"
        steps.append(Step("risk.defect-probability", inputs, why))
    harm = known.harm_given_defect.value
    if not found:
        found.append(bound_scenario(known.severity, harm))
        steps.append(
            Step(
                "risk.upper-bound", {"harm_given_defect": harm, "severity": known.severity}, "no prevalence known: assumed P(harm | defect)"
            )
        )
    if known.presumed_lethal and all(scenario.severity < 4 for scenario in found):
        found.append(bound_scenario(4, harm, name="presumed-lethal"))
        steps.append(Step("risk.presumed-lethal", {"hazard": hazard}, "severity 4"))
    return found, steps


def mix_of(run: Run, case: Case) -> tuple[tuple[float, Scenario], ...]:
    """Return the levels at which the percentile of severity may lie, each as its probability and its scenario; empty without injuries."""
    injury = case.facts.injury
    if "injury" not in case.types or injury is None:
        return ()
    cluster = InjuryCluster(
        injury.levels, injury.counts, injury.estimate, case.units, _lifetime(run, case.subject), _observed_days(run, case) / 365.25
    )
    mix = severity_mix(injury.levels, injury.counts, run.rules.severity.percentile)
    rules = run.rules.probability
    return tuple((share, injury_scenario(cluster, level, "injury-percentile", rules)) for level, share in mix.items())


def _observed_days(run: Run, case: Case) -> int:
    span = case.windows.get("injury")
    return (span[1] - span[0]).days + 1 if span is not None else run.rules.floors.lookback_days


def presumed_of(run: Run, case: Case, votes: Mapping[str, object]) -> tuple[bool, Step]:
    """Return whether the risk is presumed serious: the evidence itself, not the product tree, must show the hazard."""
    shown = bool(votes) and "product_tree" not in votes
    product = case.subject.code if case.subject.kind == "product" else ""
    names = [
        name
        for name, entry in run.rules.presumed_serious.items()
        if shown
        and case.hazard in entry.hazards
        and entry.since <= run.as_of
        and (not entry.source_types or set(entry.source_types) & set(case.types))
        and (not entry.products or any(product and run.paths["product"].within(product, code) for code in entry.products))
    ]
    return bool(names), Step("risk.presumed-serious", {"hazard": case.hazard, "entries": names}, "S" if names else "does not hold")


def uplift_of(run: Run, scope: Scope, result: RiskResult, units: float | None) -> tuple[RiskResult, bool, Step]:
    """Return the risk and its range after the population uplift, whether it was raised, and the step."""
    applies = scope.value in run.rules.uplift.scopes
    inputs: dict[str, object] = {"scope": scope.value, "units_in_use": units, "risk": result.risk}
    if not applies or units is None:
        why = "not for this scope" if not applies else "units in use unknown"
        return result, False, Step("risk.population-uplift", inputs, why)
    low, risk, high = (uplifted(one, units, run.rules.uplift) for one in (result.low, result.risk, result.high))
    return replace(result, risk=risk, low=low, high=high), risk != result.risk, Step("risk.population-uplift", inputs, risk)
