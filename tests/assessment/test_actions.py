"""The catalogue against DOMAIN section 4, due dates over holidays, and who gets what."""

import csv
import dataclasses
import datetime as dt
import itertools
from pathlib import Path

import pandas as pd
import pytest
from assessment_world import ACTIONS, TREES, load

from riskwatch.assessment import Grade, Scope, Subject
from riskwatch.assessment.actions import Desk, Wanted, choose, clocks_for, measures_for
from riskwatch.assessment.duedates import count
from riskwatch.assessment.measures import GENERAL
from riskwatch.assessment.protocols import TreePaths
from riskwatch.calendar import HolidayCalendar

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
CALENDAR = HolidayCalendar.from_config(load("holidays.yaml"))
DAY = dt.date(2024, 6, 14)


def rows(name):
    lines = [line for line in (REFERENCE / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


class Goods:
    """One code with one industry."""

    def __init__(self, industry):
        import pandas as pd

        self.attributes = pd.DataFrame({"industry": [industry]}, index=["goods"])

    def path(self, code):
        return (code,)


def desk(industry="", calendar=CALENDAR):
    class Industries:
        attributes = None

        def path(self, code):
            return tuple(code[:length] for length in (1, 3, 4, 5) if len(code) >= length)

    return Desk(ACTIONS, TreePaths(TREES["region"]), calendar, TreePaths(Goods(industry)), TreePaths(Industries()))


def wanted(grade, types=("inspection",), kind="product", streams=()):
    return Wanted(grade, Subject(kind, "goods", "220101"), Scope.REGIONAL, frozenset(types), frozenset(streams))


def test_every_cell_of_the_tables_has_a_measure():
    have = {(one.grade, one.object, one.stage) for one in ACTIONS.actions}
    need = {(row["grade"], row["object"], stage) for row in rows("action_cells.csv") for stage in row["stages"].split()}
    assert len(need) == 122
    assert need - have == set()


@pytest.mark.parametrize("industry", ["C24", "C13", "C36", "C3435", "E47", "G54", "N76", "N77", ""])
@pytest.mark.parametrize("grade", [Grade.I, Grade.II, Grade.III, Grade.IV])
def test_no_kind_of_goods_is_left_without_handling(grade, industry):
    found = measures_for(wanted(grade), desk(industry), brief=False)
    cells = {(one.object, one.stage) for one in found}
    assert {kind for kind, stage in cells if stage == "handle"} == {"enterprise", "product", "industry", "region"}
    assert {kind for kind, stage in cells if stage == "recheck"} == {"enterprise", "product", "industry", "region"}


def test_every_provision_of_the_table_is_there_and_says_whether_it_was_read():
    for row in rows("action_provisions.csv"):
        found = [one for one in ACTIONS.legal_basis.values() if row["law"] in one.law.zh and one.article == row["article"]]
        assert found, row
        assert {one.verified for one in found} == {row["read"] == "yes"}, row
    assert all(one.dated for one in ACTIONS.legal_basis.values())
    told = {(one.law.zh, one.article) for one in ACTIONS.legal_basis.values() if one.verified}
    known = {
        (law, row["article"]) for law, _ in told for row in rows("action_provisions.csv") if row["law"] in law and row["read"] == "yes"
    }
    assert told == known, "nothing is called read that the table does not call read"


def test_every_clock_of_the_table_is_there():
    clocks = {one.id: one.deadline for one in ACTIONS.clocks}
    for row in rows("action_clocks.csv"):
        clock = clocks[row["id"]]
        assert (str(clock.amount), clock.unit, clock.starts) == (row["amount"], row["unit"], row["starts"]), row["id"]
    second = next(one for one in ACTIONS.clocks if one.id == "spot-second-recheck")
    assert second.opens == 60


def test_the_clocks_of_spot_checks_agree_with_those_of_enterprises():
    own = {one.id: (one.deadline.amount, one.opens) for one in ACTIONS.clocks}
    theirs = load("enterprises.yaml")["clocks"]
    for mine, name in (("spot-correct", "correct"), ("spot-recheck", "recheck"), ("spot-second-recheck", "second_recheck")):
        assert own[mine] == (theirs[name]["amount"], theirs[name].get("opens", 0))


def test_every_measure_names_an_owner_and_a_provision():
    assert all(one.legal for one in ACTIONS.actions)
    assert all(one.owner == "anchor" or one.owner in ACTIONS.owners for one in ACTIONS.actions)


@pytest.mark.parametrize("industry", ["C24", "C13", "C36", "C3435", "C3831", "E47", ""])
@pytest.mark.parametrize("types", [("inspection",), ("injury",), ("complaint", "accident"), ("inspection-border",)])
def test_a_lower_grade_never_gets_a_heavier_measure(industry, types):
    force = {}
    for grade in (Grade.IV, Grade.III, Grade.II, Grade.I):
        for one in measures_for(wanted(grade, types), desk(industry), brief=False):
            key = (one.object, one.stage, grade)
            force[key] = max(force.get(key, 0), one.force)
    for kind, stage in {key[:2] for key in force}:
        levels = [force[kind, stage, grade] for grade in (Grade.IV, Grade.III, Grade.II, Grade.I) if (kind, stage, grade) in force]
        assert all(low <= high for low, high in itertools.pairwise(levels)), (kind, stage, levels)


def test_the_same_inputs_give_the_same_measures_whatever_their_order():
    subject, types = Subject("product", "goods", "220101"), ["inspection", "injury", "complaint"]
    first = choose(Grade.II, subject, Scope.REGIONAL, types, as_of=DAY, desk=desk("C24"))
    for mixed in itertools.permutations(types):
        assert choose(Grade.II, subject, Scope.REGIONAL, mixed, as_of=DAY, desk=desk("C24")) == first
    assert len({one.rule for one in first}) == len(first)


def laws(grade, industry, **options):
    return {one.id for one in measures_for(wanted(grade, **options), desk(industry), brief=False)}


def test_bodies_of_law():
    assert "i-enterprise-recall-vehicle" in laws(Grade.I, "C36")
    assert "i-enterprise-recall" not in laws(Grade.I, "C36"), "only the national authority recalls vehicles"
    assert "i-equipment-accident" in laws(Grade.I, "C3435")
    assert "ii-industry-licence" in laws(Grade.II, "C3831")
    assert "ii-industry-licence" not in laws(Grade.II, "C24")
    assert "ii-product-border" not in laws(Grade.II, "C24")
    assert "ii-product-border" in laws(Grade.II, "C24", types=("inspection-border",))
    assert "ii-product-border" in laws(Grade.II, "C24", streams=("trade_inspection",))
    assert "ii-industry-water" in laws(Grade.II, "N76")
    assert "iii-food-disposal" in laws(Grade.III, "C14")
    assert "iii-enterprise-order" not in laws(Grade.III, "C14")


@pytest.mark.parametrize(
    ("below", "possible", "recall"),
    [
        ({"toys": "C2451", "prams": "C3770"}, {GENERAL}, False),
        ({"toys": "C2451", "milk": "C1440"}, {GENERAL, "food"}, True),
        ({"toys": "C2451", "unknown": None}, set(), True),  # what cannot be told is left to the reader
    ],
)
def test_a_category_has_the_law_of_the_products_below_it(below, possible, recall):
    goods = Goods("")
    goods.attributes = pd.DataFrame({"industry": [None, *below.values()]}, index=["goods", *below])
    goods.path = lambda code: ("goods",) if code == "goods" else ("goods", code)
    at = dataclasses.replace(desk(), products=TreePaths(goods))
    found = at.bodies_of(wanted(Grade.I))
    assert (found.goods, found.possible) == (None, frozenset(possible))
    chosen = {rule.id for rule in measures_for(wanted(Grade.II), at)}
    assert ("ii-food-recall" in chosen) is recall
    assert "ii-enterprise-recall-talk" in chosen
    assert ("ii-enterprise-recall-vehicle" in chosen) is (not possible), "no law of goods that are not among them"


def test_statutory_clocks_follow_goods_and_evidence():
    def clocks(industry, *types):
        return {one.id for one in clocks_for(wanted(Grade.III, types), desk(industry))}

    assert {"food-reinspection", "food-recall-class-1"} <= clocks("C13", "inspection")
    assert "objection" not in clocks("C13", "inspection")
    assert "objection" in clocks("C24", "inspection")
    assert "complaint-accept" in clocks("C24", "complaint")
    assert "complaint-accept" not in clocks("C24", "inspection")
    assert {"accident-firm", "accident-up"} <= clocks("", "accident")


def test_working_days_over_the_spring_festival_of_2024():
    """From Wednesday 7 February: 8, 9, then the worked Sunday 18, 19, 20."""
    found = count(dt.date(2024, 2, 7), 5, "working-day", CALENDAR)
    assert (found.due_on, found.how) == (dt.date(2024, 2, 20), "working-days")
    assert found.holidays == tuple(dt.date(2024, 2, day) for day in (12, 13, 14, 15, 16))
    assert found.worked == (dt.date(2024, 2, 18),)


def test_working_days_over_the_national_day_of_2024():
    """Holiday 1-7 October; Sunday 29 September and Saturday 12 October worked."""
    found = count(dt.date(2024, 9, 27), 7, "working-day", CALENDAR)
    assert found.due_on == dt.date(2024, 10, 12)
    assert found.holidays == tuple(dt.date(2024, 10, day) for day in (1, 2, 3, 4, 7))
    assert found.worked == (dt.date(2024, 9, 29), dt.date(2024, 10, 12))


def test_hours_natural_days_and_unknown_years_say_how_they_were_counted():
    assert count(DAY, 24, "hour", CALENDAR).due_on == dt.date(2024, 6, 15)
    assert count(DAY, 60, "natural-day", CALENDAR).how == "natural-days"
    far = count(dt.date(2090, 1, 1), 5, "working-day", CALENDAR)
    assert (far.due_on, far.how, far.holidays) == (dt.date(2090, 1, 6), "natural-days-no-calendar", ())
    assert count(DAY, 0, "working-day", CALENDAR).due_on == DAY
