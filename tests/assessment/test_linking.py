"""Cases across sources, ties by hazard, common causes, and the spatial figures of the scope."""

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from assessment_world import HAZARDS, TREES, WEEKS, injuries, judge_run, samples, twice
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.assessment.cases import link_cases
from riskwatch.assessment.hazards import Classifier
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.spatial import clustering
from riskwatch.assessment.ties import Tie, groups_of, tie_of

PATHS = {name: TreePaths(tree) for name, tree in TREES.items()}
DAY = WEEKS[1][0]


def case(day=0, region="220101", product="dolls", age=None, sex=None):
    return {"event_date": DAY + dt.timedelta(days=day), "region": region, "product": product, "age": age, "sex": sex}


def linked(**streams):
    return link_cases({name: pd.DataFrame(rows) for name, rows in streams.items()}, days=3, age=1, paths=PATHS)


def test_one_child_in_hospital_complaint_and_news_is_one_case():
    found = linked(injury=[case(0, age=6, sex="male")], complaint=[case(3, age=7)], media=[case(2, "220100", "toys")])
    assert found.distinct == 1
    assert not found.independent("injury", "complaint")
    assert linked(injury=[case(0)], complaint=[case(4)]).distinct == 2, "four days apart"
    assert linked(injury=[case(0)], complaint=[case(0, "220201")]).distinct == 2, "elsewhere"
    assert linked(injury=[case(age=6)], complaint=[case(age=60)]).distinct == 2
    assert linked(injury=[case(sex="male")], complaint=[case(sex="female")]).distinct == 2
    assert linked(injury=[case(), case()], complaint=[case()]).independent("injury", "complaint") is False, (
        "the complaint brings no case of its own"
    )
    assert linked(injury=[case(), case()], complaint=[case(), case(0, "220201")]).independent("complaint", "injury")


RECORD = st.builds(
    case,
    st.integers(0, 6),
    st.sampled_from(["220101", "220102", "220100", "220201"]),
    st.sampled_from(["dolls", "kites", "toys"]),
    st.sampled_from([None, 5, 30]),
    st.sampled_from([None, "male", "female"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(RECORD, min_size=1, max_size=7), st.lists(RECORD, min_size=1, max_size=7), RECORD)
def test_a_record_more_never_takes_a_case_away_and_order_does_not_matter(one, other, more):
    before = linked(injury=one, complaint=other)
    assert linked(injury=one[::-1], complaint=other[::-1]) == before
    after = linked(injury=[*one, more], complaint=other)
    assert before.distinct <= after.distinct <= before.distinct + 1


def test_words_of_complaints_lead_to_the_hazard_of_the_failing_item():
    classifier = Classifier(HAZARDS)
    rows = pd.DataFrame({"problem": ["充电时起火", "caught fire while charging", "漏电", "quality"]})
    assert classifier.of_texts(rows)[:3] == ["fire-burn", "fire-burn", "electrical"]
    assert all(known.complaints for code, known in HAZARDS.classes.items() if code != "unknown")
    assert HAZARDS.ontology is not None
    assert not HAZARDS.ontology.verified


def test_ties():
    assert tie_of(["fire-burn"], ["fire-burn", "mechanical"], HAZARDS) == ("agrees", ("fire-burn",))
    assert tie_of(["fire-burn"], ["electrical"], HAZARDS)[0] == "agrees"
    assert tie_of(["label-only"], ["mechanical"], HAZARDS) == ("differs", ())
    assert tie_of([], ["mechanical"], HAZARDS) == ("unknown", ())
    apart = [
        Tie("a", "b", "differs", (), "not compared"),
        Tie("a", "c", "agrees", (), "own cases"),
        Tie("b", "c", "unknown", (), "same cases"),
    ]
    assert groups_of(["a", "b", "c"], apart) == [("a", "c"), ("b",)]


@pytest.mark.parametrize(("item", "level", "hazard"), [("短路", "C3", "agrees"), ("蛋白质", "C2", "differs")])
def test_burns_and_a_failing_item_are_two_sources_only_where_the_hazard_agrees(item, level, hazard):
    rows = [*twice("heaters", p=1e-4), *twice("heaters", stream="spot_check", p=1e-4)]
    burns = injuries("heaters", 12, cause="烧烫伤", diagnosis="烧伤") + injuries("heaters", 12, "220201", cause="烧烫伤", diagnosis="烧伤")
    found = judge_run(rows, burns, [samples("heaters", 30, 9, item=item)])[0]
    assert found.confidence == level
    tie = next(step for step in found.steps if step.rule == "confidence.tie")
    assert tie.inputs["injury+inspection"]["hazard"] == hazard


def test_concerns_with_one_failing_item_are_told_with_the_first():
    rows = [*twice("dolls", stream="spot_check"), *twice("kites", stream="spot_check"), *twice("heaters", stream="spot_check")]
    checks = [samples("dolls", 30, 12), samples("kites", 30, 9), samples("heaters", 30, 9, item="温升", tag="h")]
    found = {one.subject.code: one for one in judge_run(rows, checks=checks)}
    related = found["dolls"].facts["related"]
    assert related["cause"]["items"] == ["小零件"]
    assert related["cause"]["category"] == "toys"
    assert [one["code"] for one in related["subjects"]] == ["kites"]
    assert found["kites"].facts["related"]["lead"] == related["lead"]
    assert "related" not in found["heaters"].facts


def test_one_batch_is_isolated_whatever_the_sellers():
    rows, items = samples("dolls", 30, 12)
    rows = [{**row, "batch_no": "B1", "producer": "P1"} for row in rows]
    found = judge_run(twice("dolls", stream="spot_check"), checks=[(rows, items)])[0]
    assert found.scope_figures["largest_batch_share"] == 1
    assert found.scope.value == "isolated"


def test_moran_and_joins_on_a_line_of_places():
    """Six places in a row, the first three high: 2 joins; I by hand: 6/5 x 3 / 6 with z = +-1."""
    places = [f"R{k}" for k in range(6)]
    borders = list(itertools.pairwise(places))
    values = dict(zip(places, (1, 1, 1, -1, -1, -1), strict=True))
    found = clustering(values, places[:3], borders, permutations=999, seed=1)
    assert found.morans_i == pytest.approx(6 / 5 * (4 - 1) / 6)
    assert found.joins == 2
    # Of the 20 ways to place three, four are a row of three.
    assert found.joins_p == pytest.approx(0.2, abs=0.04)
    assert clustering(dict(reversed(values.items())), places[2::-1], [(b, a) for a, b in borders[::-1]], permutations=999, seed=1) == found
    assert clustering(values, places[:3], [], permutations=999, seed=1).morans_i is None


def test_random_values_cluster_as_rarely_as_the_p_value_says():
    random = np.random.default_rng(2)
    places = [f"R{k:02}" for k in range(16)]
    borders = [(places[i], places[j]) for i in range(16) for j in (i + 1, i + 4) if j < 16 and (j != i + 1 or j % 4)]
    p = [
        clustering(dict(zip(places, random.normal(size=16), strict=True)), (), borders, permutations=199, seed=k).morans_p
        for k in range(300)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
