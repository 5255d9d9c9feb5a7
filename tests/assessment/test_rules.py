import copy
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from assessment_world import ACTIONS, HAZARDS, RULES, load
from pydantic import ValidationError

from riskwatch.assessment import ActionCatalogue, Grade, GradingRules, HazardCatalogue, Scope, Subject
from riskwatch.assessment.actions import Desk, choose
from riskwatch.assessment.duedates import due_day
from riskwatch.assessment.facts import age_bands
from riskwatch.assessment.protocols import TreePaths
from riskwatch.errors import RiskwatchError


def changed(name, path, value):
    data = copy.deepcopy(load(name))
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("matrix", "cells", 0, 0), "L", "a smaller probability must not give a higher risk"),
        (("matrix", "cells", 3), ["S", "H", "S", "S"], "must not give a"),
        (("matrix", "bounds"), [0.5, 0.1], "matrix.cells must have one row more than bounds: 3, got 8"),
        (("matrix", "bounds"), [0.1, 0.5, 0.01, 0.001, 0.0001, 0.00001, 0.000001], "must fall strictly"),
        (("uplift", "rows", 0, "to", "S"), "L", "an uplift must not lower a risk"),
        (("table", "cells", "S", "C3"), "IV", "more confidence must not lower the grade"),
        (("table", "cells", "L", "C3"), "I", "L x C3 must not be graded above M x C3"),
        (("confidence", "q_strong"), 0.06, "q_decisive <= q_strong <= q_weak <= q_review, got 0.001, 0.06, 0.05, 0.2"),
        (("probability", "coverage"), {"other": 0.5}, "needs an entry 'default'"),
        (("severity", "outcomes", "died"), 5, "severity must lie between 1 and 4"),
        (("surprise",), 1, "Extra inputs are not permitted"),
        (("floors", "deaths"), 1, "Extra inputs are not permitted"),
    ],
)
def test_contradictory_grading_rules_are_refused(path, value, message):
    with pytest.raises(ValidationError, match=message):
        GradingRules.model_validate(changed("grading.yaml", path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("actions", 0, "legal"), ["no-such-law"], "legal basis 'no-such-law' is not defined"),
        (("actions", 0, "owner"), "nobody", "owner 'nobody' is not defined"),
        (("actions", 0, "deadline"), {"amount": 3, "unit": "working-day", "starts": "someday"}, "start event 'someday' is not defined"),
        (("actions", 0, "deadline"), {"amount": 3}, "an amount needs a unit and a start event"),
        (("actions", 1, "id"), "iv-enterprise-monitor", "'iv-enterprise-monitor' is there twice"),
        (
            ("actions",),
            [one for one in load("actions.yaml")["actions"] if one["object"] != "industry"],
            "grade IV has no action for 'industry'",
        ),
        (("actions", 0, "force"), 5, "enterprise x monitor \\(construction\\): grade IV goes further \\(5\\) than III \\(1\\)"),
        (("legal_basis", "spot-45", "verified"), True, "got True with status secondary"),
        (("legal_basis", "pql-15", "article"), "", "a provision that was read has an article"),
        (("clocks", 1, "deadline", "verified"), True, "its clock cannot be verified where 'spot-45' is not"),
        (("clocks", 0, "deadline", "legal"), "", "a verified clock names the provision that sets it"),
        (("domains", "food", "streams"), ["injury"], "goods do not change their law with the record"),
    ],
)
def test_broken_action_catalogues_are_refused(path, value, message):
    with pytest.raises(ValidationError, match=message):
        ActionCatalogue.model_validate(changed("actions.yaml", path, value))


def test_broken_hazard_catalogues_are_refused():
    with pytest.raises(ValidationError, match="is not a regular expression"):
        HazardCatalogue.model_validate(changed("hazards.yaml", ("classes", "choking", "items"), ["(open"]))
    with pytest.raises(ValidationError, match="needs a floor"):
        HazardCatalogue.model_validate(changed("hazards.yaml", ("classes", "choking", "presumed_lethal"), True))
    data = load("hazards.yaml")
    del data["classes"]["unknown"]
    with pytest.raises(ValidationError, match="needs an entry 'unknown'"):
        HazardCatalogue.model_validate(data)


def test_rules_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        RULES.confidence.q_weak = 0.5


def test_what_was_not_read_is_not_called_verified():
    """Only provisions whose text was read may say so; assumptions and secondary sources never."""
    read = {key for key, basis in ACTIONS.legal_basis.items() if basis.verified}
    doubtful = ("spot-", "recall-p", "recall-report", "recall-final", "recall-order", "dishonesty", "risk-monitoring", "transfer")
    assert not {key for key in read if key.startswith(doubtful)}
    assert {"pql-17", "consumer-33", "emergency-63", "food-118"} <= read
    assert not any(known.harm_given_defect.basis.verified for known in HAZARDS.classes.values())
    clocks = [one.deadline for one in (*ACTIONS.actions, *ACTIONS.clocks) if one.deadline.verified]
    assert clocks
    assert {clock.legal for clock in clocks} <= read
    assert RULES.matrix.basis.verified
    assert not RULES.table.basis.verified


def test_every_legal_basis_is_used():
    used = {key for one in (*ACTIONS.actions, *ACTIONS.clocks) for key in one.legal}
    assert set(ACTIONS.legal_basis) - used == {"pql-56"}, "only the ladder of spot checks needs the article on refusals"


# --- actions ---------------------------------------------------------------------------------------------------------


class Calendar:
    """Weekends off; knows 2024 only, as real calendars do."""

    def add_working_days(self, start, n):
        if (start + dt.timedelta(days=2 * n + 2)).year != 2024:
            raise RiskwatchError("working days of 2025: no data")
        return np.busday_offset(start, n, roll="backward").astype(object)


def levels(code, level):
    class Tree:
        attributes = None

        def path(self, _):
            return ("220000", code) if code != "220000" else (code,)

        def level_of(self, one):
            return {"220000": "province", code: level}[one]

        def name(self, one, language):
            return f"{one}-{language}"

    return TreePaths(Tree())


@pytest.mark.parametrize(
    ("amount", "unit", "calendar", "day", "how"),
    [
        (3, "working-day", Calendar(), "2024-06-19", "working-days"),
        (3, "working-day", None, "2024-06-17", "natural-days-no-calendar"),
        (60, "natural-day", Calendar(), "2024-08-13", "natural-days"),
        (2, "hour", None, "2024-06-14", "hours"),
        (24, "hour", None, "2024-06-15", "hours"),
    ],
)
def test_due_days(amount, unit, calendar, day, how):
    """From Friday 14 June 2024."""
    assert due_day(dt.date(2024, 6, 14), amount, unit, calendar) == (dt.date.fromisoformat(day), how)


def test_a_calendar_that_ends_falls_back_and_says_so():
    assert due_day(dt.date(2024, 12, 30), 5, "working-day", Calendar()) == (dt.date(2025, 1, 4), "natural-days-no-calendar")


def chosen(grade, region="220101", level="county", types=("inspection",), calendar=None):
    desk = Desk(ACTIONS, levels(region, level), calendar)
    return choose(grade, Subject("product", "dolls", region), Scope.REGIONAL, types, as_of=dt.date(2024, 6, 14), desk=desk)


@pytest.mark.parametrize("grade", [Grade.I, Grade.II, Grade.III, Grade.IV])
def test_every_grade_has_measures_for_every_object(grade):
    assert [action.object for action in chosen(grade)] == sorted(
        [action.object for action in chosen(grade)], key=["enterprise", "product", "industry", "region", "reporting"].index
    )
    assert {action.object for action in chosen(grade)} == {"enterprise", "product", "industry", "region", "reporting"}


def test_below_level_iv_nothing_is_proposed():
    assert chosen(Grade.WATCH) == ()


def test_owner_follows_the_level_of_the_region():
    def resampler(**place):
        return next(action for action in chosen(Grade.IV, **place) if action.stage == "verify").owner

    assert resampler() == {"zh": "县（市、区）市场监督管理局（220101-zh）", "en": "county market supervision bureau (220101-en)"}
    assert resampler(region="220100", level="prefecture")["en"] == "prefecture market supervision bureau (220100-en)"
    assert resampler(region="220000", level="province")["en"] == "provincial market supervision administration (220000-en)"


def test_clocks_of_the_order_have_no_day_before_the_order():
    order = next(action for action in chosen(Grade.III) if "60" in action.measure["en"])
    assert (order.deadline, order.unit, order.starts, order.due_on) == (60, "natural-day", "order-issued", None)
    report = next(action for action in chosen(Grade.IV, calendar=Calendar()) if action.object == "reporting" and action.due_on)
    assert report.due_on == dt.date(2024, 6, 19)


def test_inspection_clocks_need_inspection_evidence():
    assert not any("60" in action.measure["en"] for action in chosen(Grade.III, types=("injury",)))


def test_age_bands_hide_small_cells_and_what_would_give_them_away():
    ages = np.array([2.0] * 6 + [12.0] * 3 + [30.0] * 9 + [70.0] * 20)
    bands = age_bands(ages, np.ones(len(ages)), RULES.privacy)
    assert bands == {"0-4": None, "5-9": 0, "10-14": None, "15-24": 0, "25-44": 9, "45-64": 0, "65+": 20}
    several = age_bands(np.array([2.0, 12.0] + [30.0] * 9), np.ones(11), RULES.privacy)
    assert several["0-4"] is several["10-14"] is None
    assert several["25-44"] == 9


class Goods:
    """A flat tree of codes with an industry each."""

    def __init__(self, industries):
        self.attributes = pd.DataFrame({"industry": industries.values()}, index=list(industries))

    def path(self, code):
        return (code,)


def test_food_law_is_proposed_for_food_only():
    def laws(industry):
        goods = TreePaths(Goods({"dolls": industry}))
        desk = Desk(ACTIONS, levels("220000", "province"), None, goods, TreePaths(Goods(dict.fromkeys(("C13", "C36", "C24"), ""))))
        actions = choose(
            Grade.I, Subject("product", "dolls", "220000"), Scope.SYSTEMIC, ("inspection",), as_of=dt.date(2024, 6, 14), desk=desk
        )
        return {str(basis["key"]) for action in actions for basis in action.legal_basis}

    assert {"food-63"} <= laws("C13")
    assert not {key for key in laws("C13") if key.startswith(("spot-", "recall-"))}
    assert {"recall-order", "spot-47"} <= laws("C24")
    assert not {key for key in laws("C24") if key.startswith("food-")}
    assert "recall-order" not in laws("C36")
    assert "recall-vehicle" in laws("C36")
    assert laws("") >= laws("C13") | laws("C24"), "what cannot be told is left to the reader"
