"""Levels of events, readiness for grave warnings, and who is called by when."""

import copy
import datetime as dt
import itertools

import pytest
from assessment_world import ACTIONS, injuries, judge_run, load, twice
from pydantic import ValidationError

from riskwatch.assessment import Grade, from_payload, to_payload
from riskwatch.assessment.emergency import Event, event_levels, plan, propose_response
from riskwatch.assessment.emergency_rules import RANKS, EmergencyRules
from riskwatch.assessment.floors import FloorEvent

RULES = EmergencyRules.model_validate(load("emergency.yaml"))


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (Event(deaths=30), "I"),
        (Event(deaths=29), "II"),
        (Event(deaths=10), "II"),
        (Event(deaths=9), "III"),
        (Event(deaths=3), "III"),
        (Event(deaths=2), "IV"),
        (Event(serious=100), "I"),
        (Event(serious=50), "II"),
        (Event(serious=10), "III"),
        (Event(serious=9), "IV"),
        (Event(loss_yuan=100e6), "I"),
        (Event(loss_yuan=50e6), "II"),
        (Event(loss_yuan=10e6), "III"),
        (Event(), None),
    ],
)
def test_the_thresholds_of_the_regulation_of_2007(event, level):
    found = [one.level for one in event_levels(event, RULES, "water") if one.scheme == "work-accident"]
    assert found == ([] if level is None else [level])


def test_the_gravest_scheme_comes_first_and_goods_decide_which_are_used():
    found = event_levels(Event(deaths=10), RULES, "general")
    assert [(one.scheme, one.level) for one in found[:2]] == [("product-plan", "I"), ("work-accident", "II")]
    assert event_levels(Event(deaths=10), RULES, "water")[0].level == "II"
    assert event_levels(Event(deaths=1, hurt=100), RULES, "food")[0].figure == "hurt_with_death"
    assert event_levels(Event(hurt=100), RULES, "food") == ()


def floor(rule, grade, count, day=1, region="220101"):
    return FloorEvent(rule, grade, "injury", "injury", ("dolls",), "", region, dt.date(2024, 6, day), count)


def test_deaths_of_one_place_and_day_are_one_event():
    together = [floor("death", Grade.II, 1.0), floor("death", Grade.II, 2.0)]
    apart = [floor("death", Grade.II, 1.0), floor("death", Grade.II, 2.0, day=2)]
    assert propose_response(Grade.II, together, RULES).level == "III"
    assert propose_response(Grade.II, apart, RULES).level == "IV"
    assert propose_response(Grade.II, together[::-1], RULES) == propose_response(Grade.II, together, RULES)
    assert propose_response(Grade.I, [floor("event", Grade.I, 120.0)], RULES).level == "I"


def test_a_grave_warning_without_an_event_calls_for_readiness_only():
    assert (propose_response(Grade.I, [], RULES).kind, propose_response(Grade.I, [], RULES).level) == ("readiness", "II")
    assert propose_response(Grade.II, [], RULES).level == "III"
    assert propose_response(Grade.III, [], RULES) is None
    assert propose_response(Grade.III, [floor("recheck-failed", Grade.III, 1.0)], RULES) is None


def test_a_graver_level_calls_everybody_that_a_lesser_one_does():
    called = [{one["role"] for one in plan(level, RULES)["calls"]} for level in RANKS]
    assert all(low < high for low, high in itertools.pairwise(called))
    assert {"duty-officer", "county-bureau"} <= called[0]
    assert called[-1] == set(RULES.roles)
    hours = [one["within_hours"] for one in plan("I", RULES)["calls"]]
    assert hours == sorted(hours)
    assert max(hours) <= 2


def test_laws_exist_and_contacts_are_empty_as_shipped():
    used = {one.legal for one in RULES.calls} | {key for one in RULES.measures for key in one.legal}
    assert used <= set(ACTIONS.legal_basis)
    assert {name for scheme in RULES.schemes.values() for name in scheme.domains} <= ACTIONS.known_domains
    assert all(not any(role.contact.model_dump().values()) for role in RULES.roles.values())


def test_an_assessment_keeps_what_was_proposed():
    signals = [*twice("dolls", "220101", observed=40.0)]
    deaths = injuries("dolls", 3, outcome="died", severity="severe")
    (found, *_) = judge_run(signals, injury=[*injuries("dolls", 30), *deaths], emergency=RULES)
    assert found.grade >= Grade.II
    kept = found.facts["emergency"]
    assert (kept["kind"], kept["level"], kept["status"]) == ("event", "IV", "proposed"), "one death a day, on three days"
    assert [step.outcome for step in found.steps if step.rule == "emergency.level"] == ["IV"]
    assert from_payload(to_payload(found)).facts["emergency"] == kept
    (without, *_) = judge_run(signals, injury=[*injuries("dolls", 30), *deaths])
    assert "emergency" not in without.facts
    assert without.actions == found.actions


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("calls", 0, "role"), "nobody", "role 'nobody' is not defined"),
        (("calls", 1, "role"), "duty-officer", "role 'duty-officer' is called twice"),
        (("schemes", "work-accident", "thresholds", 0, "deaths"), 5, "deaths must fall with the level"),
        (("schemes", "product-plan", "thresholds"), [{"level": "I"}], "a threshold needs one of"),
        (("roles", "police", "contact", "name"), "张三", "Extra inputs are not permitted"),
    ],
)
def test_broken_rules_are_refused(path, value, message):
    data = copy.deepcopy(load("emergency.yaml"))
    node = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(ValidationError, match=message):
        EmergencyRules.model_validate(data)
