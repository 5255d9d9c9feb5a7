"""The grade: table of risk and confidence, one lift, one lower, caps, floors. A pure function, so that 'what if' can ask it again."""

from __future__ import annotations

from dataclasses import dataclass

from riskwatch.assessment.rules import CONFIDENCES, RISKS, Confidence, GradingRules, Risk, cell_grade
from riskwatch.assessment.types import Grade, Step
from riskwatch.errors import RiskwatchError

__all__ = ["Decision", "Floor", "Inputs", "decide"]


@dataclass(frozen=True, slots=True)
class Floor:
    """A grade that nothing lowers, and why."""

    rule: str
    grade: Grade
    inputs: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the grade depends on."""

    risk: str
    confidence: str
    vulnerable: str = ""  # which users, or the share that shows it; "" for none
    prefectures: int = 0
    sharing_producers: int = 0
    rising: bool = False
    units_in_use: float | None = None
    uplifted: bool = False
    hidden: bool = False
    recalled_abroad: float = 0.0
    attention: tuple[str, ...] = ()  # signs of attention that are configured to lift
    only_targeted: bool = False
    one_firm: bool = False
    completed: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    label_only: bool = False
    weak_sources_only: bool = False
    outside_only: bool = False
    floors: tuple[Floor, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Grade, whether the table asks for expert judgement, and each rule that was looked at."""

    grade: Grade
    review: bool
    steps: tuple[Step, ...]


def decide(inputs: Inputs, rules: GradingRules) -> Decision:
    """Return the proposed grade.

    Order: table, one lift, one lower, caps, floors. Floors come last, so neither a lowering nor a cap crosses them.
    """
    steps: list[Step] = []
    cell = rules.table.cells[_risk(inputs.risk)][_confidence(inputs.confidence)]
    grade = cell_grade(cell)
    review = cell.endswith("-review")
    steps.append(Step("grade.table", {"risk": inputs.risk, "confidence": inputs.confidence, "cell": cell}, cell, grade))

    lifts = _lifts(inputs, rules)
    steps += lifts
    ceiling = Grade[rules.lifts.ceiling]
    hit = [step.rule for step in lifts if step.outcome == "holds"]
    strong = CONFIDENCES.index(_confidence(inputs.confidence)) >= CONFIDENCES.index(rules.lifts.min_confidence)
    # The highest level is not reached by a lift alone: it needs C3, or a floor (a death, a large event) under the concern.
    sure = inputs.confidence == "C3" or any(floor.grade >= ceiling for floor in inputs.floors)
    below = grade < (Grade.I if sure else ceiling)
    if hit and strong and below:
        grade = Grade(grade + 1)
        steps.append(Step("lift", {"because": hit}, "raised by one in total", grade))
    elif hit and strong and grade < Grade.I:
        steps.append(Step("lift", {"because": hit, "ceiling": ceiling.name}, "not lifted beyond the ceiling without C3 or a floor", grade))
    elif hit:
        why = "confidence too low to lift" if not strong else "already the highest level"
        steps.append(Step("lift", {"because": hit, "min_confidence": rules.lifts.min_confidence}, why, grade))
    else:
        steps.append(Step("lift", {}, "none", grade))

    lowers = _lowers(inputs, rules)
    steps += lowers
    hit = [step.rule for step in lowers if step.outcome == "holds"]
    if hit and grade > Grade.NONE:
        grade = Grade(grade - 1)
        steps.append(Step("lower", {"because": hit}, "lowered by one in total", grade))
    else:
        steps.append(Step("lower", {"because": hit}, "none", grade))

    for rule, holds, cap in (
        ("cap.label-only", inputs.label_only, rules.caps.label_only),
        ("cap.weak-sources-only", inputs.weak_sources_only, rules.caps.weak_sources_only),
        ("cap.outside-only", inputs.outside_only, rules.caps.outside_only),
    ):
        limit = Grade[cap]
        if holds and grade > limit:
            grade = limit
            steps.append(Step(rule, {"cap": cap}, "capped", grade))
        else:
            steps.append(Step(rule, {"cap": cap}, "holds, no effect" if holds else "does not hold", grade))

    for floor in sorted(inputs.floors, key=lambda one: (one.grade, one.rule)):
        raised = grade < floor.grade
        grade = max(grade, floor.grade)
        steps.append(
            Step(
                f"floor.{floor.rule}",
                {**dict(floor.inputs), "floor": floor.grade.name},
                "raised to the floor" if raised else "holds, no effect",
                grade,
            )
        )
    if not inputs.floors:
        steps.append(Step("floor", {}, "none", grade))
    return Decision(grade, review and grade == Grade.IV, tuple(steps))


def _lifts(inputs: Inputs, rules: GradingRules) -> list[Step]:
    lifts = rules.lifts
    units = inputs.units_in_use
    return [
        _look("lift.vulnerable-users", bool(inputs.vulnerable), {"users": inputs.vulnerable}),
        _look(
            "lift.spread",
            inputs.prefectures >= lifts.prefectures or inputs.sharing_producers >= lifts.producers,
            {
                "prefectures": inputs.prefectures,
                "prefectures_needed": lifts.prefectures,
                "producers_sharing_an_item": inputs.sharing_producers,
                "producers_needed": lifts.producers,
            },
        ),
        _look("lift.rising", inputs.rising, {"windows": lifts.rising_windows}),
        _look(
            "lift.units-in-use",
            units is not None and units > lifts.units_in_use and not inputs.uplifted,
            {"units_in_use": units, "more_than": lifts.units_in_use, "uplift_applied": inputs.uplifted},
        ),
        _look("lift.hidden-hazard", inputs.hidden and lifts.hidden_hazard, {"hidden": inputs.hidden}),
        _look("lift.recalled-abroad", inputs.recalled_abroad > 0, {"notices": inputs.recalled_abroad}),
        _look("lift.attention", bool(inputs.attention), {"signs": list(inputs.attention)}),
    ]


def _lowers(inputs: Inputs, rules: GradingRules) -> list[Step]:
    return [
        _look("lower.only-targeted-samples", inputs.only_targeted and rules.lowers.only_targeted, {"only_targeted": inputs.only_targeted}),
        _look("lower.one-firm-only", inputs.one_firm and rules.lowers.one_firm, {"one_firm": inputs.one_firm}),
        _look("lower.recall-or-removal-complete", bool(inputs.completed), {"flags": list(inputs.completed)}),
        _look("lower.artefact", bool(inputs.artefacts), {"flags": list(inputs.artefacts)}),
    ]


def _look(rule: str, holds: bool, inputs: dict[str, object]) -> Step:
    return Step(rule, inputs, "holds" if holds else "does not hold")


def _risk(value: str) -> Risk:
    for known in RISKS:
        if value == known:
            return known
    raise RiskwatchError(f"decide: risk must be one of {', '.join(RISKS)}, got {value!r}")


def _confidence(value: str) -> Confidence:
    for known in CONFIDENCES:
        if value == known:
            return known
    raise RiskwatchError(f"decide: confidence must be one of {', '.join(CONFIDENCES)}, got {value!r}")
