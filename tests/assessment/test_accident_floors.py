"""Accident reports as floors, through ``assess``: by size, the newest report, and each death once."""

import datetime as dt

import pandas as pd
import pytest
from assessment_world import ACTIONS, AS_OF, HAZARDS, RULES, TREES, injuries, signal

from riskwatch.assessment import Grade, assess

DAY = dt.date(2024, 6, 10)


def accident(key="A1", *, deaths=0.0, serious=0.0, report_no=1, first_report=None, loss=None, region="220101", product="scooters", day=DAY):
    return {
        "record_key": key,
        "source": "accident-reports",
        "event_date": day,
        "product": product,
        "industry": None,
        "region": region,
        "deaths": deaths,
        "serious": serious,
        "loss": loss,
        "report_no": report_no,
        "first_report": first_report,
    }


def judged(*reports, injury=()):
    records = {"accident": pd.DataFrame(list(reports))}
    if injury:
        records["injury"] = pd.DataFrame(list(injury))
    frame = pd.DataFrame([], columns=list(signal()))
    found = assess(frame, records, pd.DataFrame([]), as_of=AS_OF, rules=RULES, actions=ACTIONS, hazards=HAZARDS, trees=TREES, quality={})
    return {one.subject.code: one for one in found}


@pytest.mark.parametrize(
    ("figures", "grade", "rule"),
    [
        ({"serious": 9.0}, None, ""),
        ({"serious": 10.0}, Grade.III, "floor.event"),
        ({"serious": 50.0}, Grade.II, "floor.event"),
        ({"serious": 100.0}, Grade.I, "floor.event"),
        ({"loss": 10_000_000.0}, Grade.III, "floor.event"),
        ({"deaths": 1.0}, Grade.II, "floor.death"),
        ({"deaths": 30.0}, Grade.I, "floor.event"),
    ],
)
def test_the_size_of_an_accident_is_a_floor(figures, grade, rule):
    found = judged(accident(**figures))
    if grade is None:
        assert found == {}
        return
    assert found["scooters"].grade == grade
    assert found["scooters"].evidence == ()
    assert rule in {step.rule for step in found["scooters"].steps}


def test_the_follow_up_takes_the_place_of_the_first_report():
    first, second = accident(serious=9.0), accident("A1b", serious=12.0, report_no=2, first_report="A1")
    assert judged(first, second)["scooters"].grade == Grade.III
    assert judged(second, first)["scooters"].grade == Grade.III
    less = accident("A1b", serious=3.0, report_no=2, first_report="A1")
    assert judged(accident(serious=12.0), less) == {}


def test_an_accident_too_long_ago_or_of_no_product_is_no_floor():
    old = AS_OF - dt.timedelta(days=RULES.floors.lookback_days + 1)
    assert judged(accident(serious=50.0, day=old)) == {}
    assert judged(accident(serious=50.0, product=None)) == {}


def test_a_death_that_the_hospital_told_already_is_counted_once():
    dead = injuries("scooters", 1, outcome="died", severity="severe", week=1)
    alone = judged(accident(deaths=1.0, day=dead[0]["event_date"]))["scooters"]
    both = judged(accident(deaths=1.0, day=dead[0]["event_date"]), injury=dead)["scooters"]

    def deaths(one):
        (step,) = [step for step in one.steps if step.rule == "floor.death"]
        return step.inputs["count"]

    assert alone.grade == both.grade == Grade.II
    assert deaths(alone) == deaths(both) == 1
    elsewhere = judged(accident(deaths=1.0, day=dead[0]["event_date"], region="220102"), injury=dead)["scooters"]
    assert deaths(elsewhere) == 2
