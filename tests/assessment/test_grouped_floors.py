"""Failed rechecks that no alarm speaks for are cases of one warning per category and province."""

import datetime as dt

from assessment_world import RULES, TREES, judge_run, samples

from riskwatch.assessment.floors import FloorEvent, grouped
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import GroupedFloors
from riskwatch.assessment.types import Grade, Scope, Subject

PATHS = {name: TreePaths(TREES[name]) for name in ("product", "industry", "region")}


def event(rule, product, region, day=1):
    return FloorEvent(rule, Grade.III, "spot_check", "inspection", (product,) if product else (), "", region, dt.date(2024, 6, day), 1.0)


def recheck(product, region="220101", failed=1):
    return samples(product, 2, failed, region, check_type="recheck", selection="follow-up")


def only(found):
    assert len(found) == 1
    return found[0]


def test_events_are_grouped_by_category_and_province_and_others_stand_alone():
    again = [
        event("recheck-failed", "dolls", "220101"),
        event("recheck-failed", "kites", "220201"),
        event("recheck-failed", "heaters", "220101"),
    ]
    others = [event("death", "dolls", "220101"), event("recheck-failed", "", "220101")]
    alone, groups = grouped([*again, *others], RULES.floors.grouped, PATHS)
    assert alone == others
    assert groups == {Subject("product", "heating", "220000"): (again[2],), Subject("product", "toys", "220000"): (again[0], again[1])}
    assert grouped(list(reversed(again)), RULES.floors.grouped, PATHS)[1].keys() == groups.keys()
    city = GroupedFloors(rules=("recheck-failed",), region_level="prefecture")
    assert [one.region for one in grouped(again, city, PATHS)[1]] == ["220100", "220100", "220200"]
    assert grouped(again, GroupedFloors(), PATHS) == (again, {})


def test_cases_are_one_concern_that_names_each_and_says_nothing_of_spread():
    found = only(judge_run(checks=[recheck("dolls"), recheck("kites", "220201"), recheck("scooters", "220301")]))
    assert found.subject == Subject("product", "toys", "220000")
    assert (found.grade, found.scope) == (Grade.III, Scope.ISOLATED)
    assert found.facts["cases_only"] is True
    assert [(one["code"], one["region"]) for one in found.facts["speaks_for"]] == [
        ("dolls", "220101"),
        ("kites", "220201"),
        ("scooters", "220301"),
    ]
    assert not [one for one in found.facts["speaks_for"] if "firm" in one]
    assert next(step for step in found.steps if step.rule == "scope.cases").inputs == {"cases": 3}


def test_a_grave_event_of_the_same_goods_speaks_for_the_recheck_and_has_a_warning_of_its_own():
    found = judge_run(checks=[recheck("dolls"), recheck("kites"), samples("dolls", 5, 1, item="三聚氰胺")])
    by_code = {one.subject.code: one for one in found}
    assert set(by_code) == {"dolls", "toys"}
    assert {one["rule"] for one in by_code["dolls"].facts["speaks_for"]} == {"hazard-item", "recheck-failed"}
    assert "cases_only" not in by_code["dolls"].facts
    assert [one["code"] for one in by_code["toys"].facts["speaks_for"]] == ["kites"]
