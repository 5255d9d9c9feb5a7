"""Complaints make a hazard systemic only where they tell of people hurt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from assessment_world import RULES, WEEKS

from riskwatch.assessment.facts import Facts, OtherFacts
from riskwatch.assessment.scope import ScopeFigures, decide_scope, tells_of_harm
from riskwatch.assessment.types import Evidence, Scope

SCOPE = RULES.scope
FIGURES = ScopeFigures(40.0, 4, 4, 0.001, "220100", 0.3, 6, 0.3, 6, 3, witnesses=("measurement", "persons"), wide=0.9, one_place=0.01)


def evidence(stream):
    return Evidence(f"{stream}-weekly", stream, stream, "dolls", "", "", "", *WEEKS[1], "week", 12.0, None, 3.0, 0.0, 9.0, 1e-6, 1e-4, 2)


@pytest.mark.parametrize(
    ("injured", "heard"), [(0, ["injury"]), (2, ["injury"]), (3, ["complaint", "injury"]), (None, ["complaint", "injury"])]
)
def test_complaints_count_from_three_that_state_an_injury(injured, heard):
    counts = {"complaints": 12.0} | ({} if injured is None else {"with_injury": injured})
    facts = Facts(others={"complaint": OtherFacts(12.0, {}, counts)})
    found = tells_of_harm([evidence("complaint"), evidence("injury")], facts, SCOPE)
    assert [one.stream for one in found] == heard


def test_nothing_is_left_out_without_records_of_complaints():
    assert len(tells_of_harm([evidence("complaint")], Facts(), SCOPE)) == 1


@pytest.mark.parametrize(
    ("harm", "scope"),
    [(("persons",), Scope.SYSTEMIC), ((), Scope.INDUSTRY_WIDE), (("measurement",), Scope.INDUSTRY_WIDE), (None, Scope.SYSTEMIC)],
)
def test_failures_everywhere_are_systemic_where_somebody_says_that_people_are_hurt(harm, scope):
    found, steps = decide_scope(replace(FIGURES, harm=harm), SCOPE)
    assert found is scope
    looked = next(step for step in steps if step.rule == "scope.systemic")
    assert looked.inputs["witnesses_of_harm"] == list(FIGURES.witnesses if harm is None else harm)
