from dataclasses import replace

import pytest
from assessment_world import RULES
from hypothesis import given
from hypothesis import strategies as st

from riskwatch.assessment.grading import Floor, Inputs, decide
from riskwatch.assessment.rules import CONFIDENCES, RISKS
from riskwatch.assessment.types import Grade
from riskwatch.errors import RiskwatchError

TABLE = {
    "S": ["IV", "III", "II", "I"],
    "H": ["WATCH", "IV", "III", "II"],
    "M": ["NONE", "WATCH", "IV", "III"],
    "L": ["NONE", "NONE", "WATCH", "IV"],
}
FLOORS = st.lists(st.sampled_from([Floor("death", Grade.II), Floor("recheck-failed", Grade.III), Floor("event", Grade.I)]), max_size=3)
INPUTS = st.builds(
    Inputs,
    risk=st.sampled_from(RISKS),
    confidence=st.sampled_from(CONFIDENCES),
    vulnerable=st.sampled_from(["", "children"]),
    prefectures=st.integers(0, 4),
    sharing_producers=st.integers(0, 5),
    rising=st.booleans(),
    units_in_use=st.sampled_from([None, 1000.0, 900_000.0]),
    uplifted=st.booleans(),
    hidden=st.booleans(),
    recalled_abroad=st.sampled_from([0.0, 2.0]),
    attention=st.sampled_from([(), ("attention.heating",)]),
    only_targeted=st.booleans(),
    one_firm=st.booleans(),
    completed=st.sampled_from([(), ("recall-completed",)]),
    artefacts=st.sampled_from([(), ("backlog",)]),
    label_only=st.booleans(),
    weak_sources_only=st.booleans(),
    floors=FLOORS.map(tuple),
)


@pytest.mark.parametrize("risk", TABLE)
@pytest.mark.parametrize("number", range(4))
def test_table_cell_by_cell(risk, number):
    decision = decide(Inputs(risk=risk, confidence=f"C{number}"), RULES)
    assert decision.grade == Grade[TABLE[risk][number]]
    assert decision.review == (risk == "S" and number == 0)


@given(INPUTS)
def test_no_floor_is_ever_crossed(inputs):
    assert decide(inputs, RULES).grade >= max((floor.grade for floor in inputs.floors), default=Grade.NONE)


@given(INPUTS)
def test_lift_and_lower_move_by_one_in_total(inputs):
    plain = replace(inputs, floors=(), label_only=False, weak_sources_only=False)
    table = decide(Inputs(risk=inputs.risk, confidence=inputs.confidence), RULES).grade
    assert abs(decide(plain, RULES).grade - table) <= 1


@given(INPUTS)
def test_more_confidence_or_risk_never_lowers_the_grade(inputs):
    grade = decide(inputs, RULES).grade
    if inputs.confidence != "C3":
        assert decide(replace(inputs, confidence=CONFIDENCES[CONFIDENCES.index(inputs.confidence) + 1]), RULES).grade >= grade
    if inputs.risk != "S":
        assert decide(replace(inputs, risk=RISKS[RISKS.index(inputs.risk) + 1]), RULES).grade >= grade


@given(INPUTS)
def test_caps_hold_where_there_is_no_floor(inputs):
    for cap in ("label_only", "weak_sources_only"):
        assert decide(replace(inputs, floors=(), **{cap: True}), RULES).grade <= Grade.IV


def test_five_reasons_lift_once_and_are_all_named():
    inputs = Inputs(risk="M", confidence="C2", vulnerable="children", prefectures=3, rising=True, hidden=True, recalled_abroad=1)
    decision = decide(inputs, RULES)
    assert decision.grade == Grade.III
    lift = next(step for step in decision.steps if step.rule == "lift")
    assert lift.inputs["because"] == [
        "lift.vulnerable-users",
        "lift.spread",
        "lift.rising",
        "lift.hidden-hazard",
        "lift.recalled-abroad",
    ]


def test_what_is_not_significant_is_not_lifted():
    assert decide(Inputs(risk="S", confidence="C0", vulnerable="children"), RULES).grade == Grade.IV


def test_units_do_not_count_twice():
    base = Inputs(risk="H", confidence="C2", units_in_use=600_000)
    assert decide(base, RULES).grade == Grade.II
    assert decide(replace(base, uplifted=True), RULES).grade == Grade.III
    assert decide(replace(base, units_in_use=500_000), RULES).grade == Grade.III


def test_every_rule_looked_at_is_a_step():
    rules = [step.rule for step in decide(Inputs(risk="L", confidence="C0"), RULES).steps]
    for prefix, number in (("lift.", 7), ("lower.", 4), ("cap.", 3)):
        assert sum(rule.startswith(prefix) for rule in rules) == number
    assert {"grade.table", "lift", "lower", "floor"} <= set(rules)


def test_unknown_risk_and_confidence_are_refused():
    with pytest.raises(RiskwatchError, match="risk must be one of L, M, H, S, got 'X'"):
        decide(Inputs(risk="X", confidence="C1"), RULES)
    with pytest.raises(RiskwatchError, match="confidence must be one of C0, C1, C2, C3, got 'C9'"):
        decide(Inputs(risk="S", confidence="C9"), RULES)
