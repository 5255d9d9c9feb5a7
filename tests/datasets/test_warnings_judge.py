"""The judge of the measured warnings (benchmarks/warnings_judge.py): in time, scope, false ones and decoys, on small logs made by hand."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pytest

from riskwatch.datasets import Hazard

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
START = dt.date(2025, 3, 3)


@pytest.fixture(scope="module")
def judge():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import warnings_judge
    finally:
        sys.path.remove(str(BENCHMARKS))
    return warnings_judge


@pytest.fixture(scope="module")
def replay():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import warnings_replay
    finally:
        sys.path.remove(str(BENCHMARKS))
    return warnings_replay


@pytest.fixture(scope="module")
def places(judge):
    product = {"P0101": "P01", "P0102": "P01", "P0201": "P02", "P01": "", "P02": ""}
    region = {"220102": "220100", "220104": "220100", "220281": "220200", "220100": "220000", "220200": "220000", "220000": ""}
    return judge.Places(product, region)


def hazard(**changes):
    fields = {
        "hazard_id": "H1",
        "kind": "hazard",
        "scope": "regional",
        "products": ("P0101",),
        "regions": ("220100",),
        "start": START,
        "end": START + dt.timedelta(days=60),
        "stream": "injury",
        "relative_risk": 4.0,
        "grade_expected": "II",
    }
    return Hazard(**{**fields, **changes})


def warning(number=1, **changes):
    fields = {
        "id": f"W{number}",
        "kind": "product",
        "code": "P0101",
        "region": "220100",
        "anchor": "220100",
        "grade": "III",
        "scope": "regional",
        "state": "new",
        "risk": "H",
        "confidence": "C2",
        "first_seen": (START + dt.timedelta(days=10)).isoformat(),
        "covered_by": "",
        "evidence": [["injury-weekly", "P0101", "220100"]],
        "floors": [],
    }
    return {**fields, **changes}


def log(*days):
    """Log lines of (days after the start, warnings); the last day is far enough off to end nothing early."""
    return [{"day": (START + dt.timedelta(days=after)).isoformat(), "warnings": list(warnings)} for after, warnings in days]


@pytest.fixture
def seen(judge):
    return lambda after=5: judge.Seen(START + dt.timedelta(days=after), None)


@pytest.mark.parametrize(("after", "in_time"), [(5, True), (19, True), (20, False)])
def test_in_time_is_within_fourteen_days_of_the_observer(judge, places, seen, after, in_time):
    row = judge.judge_hazard(log((0, []), (after, [warning()])), hazard(), seen(5), places)
    assert (row["delay"], row["in_time"]) == (after - 5, in_time)
    assert row["warned"] == START + dt.timedelta(days=after)


def test_an_unwarned_hazard_and_one_that_nobody_could_see(judge, places, seen):
    nothing = log((0, []), (30, []))
    row = judge.judge_hazard(nothing, hazard(), seen(), places)
    assert (row["warned"], row["delay"], row["in_time"], row["touched"], row["scope_right"], row["grade_near"]) == (
        None,
        None,
        False,
        False,
        False,
        False,
    )
    unseen = judge.judge_hazard(log((10, [warning()])), hazard(), judge.Seen(None, None), places)
    assert (unseen["delay"], unseen["in_time"], unseen["warned"] is not None) == (None, False, True)


def test_news_counts_and_what_stood_before_does_not(judge, places, seen):
    old = warning(first_seen=(START - dt.timedelta(days=40)).isoformat(), state="unchanged")
    assert judge.judge_hazard(log((10, [old])), hazard(), seen(), places)["warned"] is None
    worse = log((10, [old]), (12, [{**old, "state": "worsened"}]), (13, [old]))
    assert judge.judge_hazard(worse, hazard(), seen(), places)["warned"] == START + dt.timedelta(days=12)
    covered = log((10, [warning(covered_by="W9")]))
    assert judge.judge_hazard(covered, hazard(), seen(), places)["warned"] is None


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({}, True),
        ({"code": "P01"}, True),
        ({"code": "P0102"}, False),
        ({"region": "220000"}, True),
        ({"region": "220104"}, True),
        ({"region": "220200"}, False),
        ({"region": ""}, True),  # everything
        ({"kind": "industry"}, False),
    ],
)
def test_what_a_warning_is_about(judge, places, changes, about):
    assert judge.about(warning(**changes), hazard(), places) is about


def test_evidence_beside_the_subject_touches(judge, places, seen):
    other = warning(code="P0201", evidence=[["injury-weekly", "P0101", "220102"]])
    row = judge.judge_hazard(log((10, [other])), hazard(), seen(), places)
    assert (row["warned"], row["touched"]) == (None, True)


def test_statistics_are_told_from_floors(judge, places, seen):
    floor = warning(evidence=[], floors=["floor.death"], grade="II", scope="isolated")
    row = judge.judge_hazard(log((6, [floor]), (30, [floor, warning(2)])), hazard(), seen(5), places)
    assert (row["delay"], row["in_time"]) == (1, True)
    assert (row["delay_statistics"], row["in_time_statistics"]) == (25, False)
    # The height is the warning on statistics, though the floor's level is higher.
    assert (row["warned_grade"], row["scope_right"], row["grade_exact"], row["grade_near"]) == ("III", True, False, True)


def test_scope_grade_and_place_at_the_height(judge, places, seen):
    low, high = warning(grade="IV", scope="isolated", anchor="220102"), warning(grade="II", anchor="220100")
    row = judge.judge_hazard(log((10, [low]), (20, [high])), hazard(), seen(), places)
    assert (row["scope_right"], row["grade_exact"], row["place_exact"]) == (True, True, True)
    one = hazard(scope="isolated")
    near = judge.judge_hazard(log((20, [high])), one, seen(), places)
    assert (near["scope_right"], near["scope_near"]) == (False, True)
    two = hazard(scope="systemic", regions=("220100", "220200"))
    far = judge.judge_hazard(log((20, [high])), two, seen(), places)
    assert (far["scope_near"], far["place_exact"]) == (False, False)
    assert places.common(("220102", "220104")) == "220100"
    assert places.common(("220102", "220281")) == places.common(()) == "220000"


def test_false_ones_are_those_that_nothing_explains(judge, places):
    true, decoy = hazard(), hazard(hazard_id="D1", kind="decoy-campaign", products=("P0201",), regions=("220200",), grade_expected="")
    made = log(
        (9, [warning(5, code="P0201", region="220104", grade="IV")]),
        (
            10,
            [
                warning(1),
                warning(2, code="P0201", region="220281", evidence=[["check-rates", "P0201", "220281"]]),
                warning(3, code="P0201", region="220104", evidence=[["check-rates", "P0201", "220104"]]),
                warning(4, code="P0201", region="220100", evidence=[], floors=["floor.death"]),
                warning(5, code="P0201", region="220104", grade="III", evidence=[["injury-weekly", "P0101", "220102"]]),
                warning(6, grade="IV"),
                warning(7, covered_by="W1"),
            ],
        ),
        (11, [warning(1), warning(3, code="P0201", region="220104", grade="II")]),
    )
    rows = judge.high_warnings(made, [true, decoy], places, since=START).set_index("id")
    assert rows.index.tolist() == ["W1", "W2", "W3", "W4", "W5"]  # each once, when it came to III; not those below or covered
    assert rows["explained"].tolist() == ["H1", "", "", "", ""]
    assert rows["decoy"].tolist() == ["", "D1", "", "", ""]
    assert rows["beside"].tolist() == ["H1", "", "", "", "H1"]
    assert rows["basis"].tolist() == ["statistics", "statistics", "statistics", "death", "statistics"]
    false = rows[(rows[["explained", "beside", "decoy"]] == "").all(axis=1)]
    assert false.index.tolist() == ["W3", "W4"]
    per_month = judge.per_centre_month(false, ["220100", "220200", "220000"], places, months=2.0)
    assert per_month.to_dict() == {"220100": 1.0, "220200": 0.0, "220000": 1.0}
    assert judge.high_warnings(made, [true, decoy], places, since=START + dt.timedelta(days=30)).empty


def test_a_list_of_cases_counts_where_its_cases_lie(judge, places):
    cases = {"region": "220000", "evidence": [], "floors": ["floor.recheck-failed"]}
    made = log(
        (
            10,
            [
                warning(1, code="P02", cases=["220102", "220104"], **cases),
                warning(2, code="P02", cases=["220000"], **cases),  # the place is not known more closely
                warning(3, code="P02", region="220000"),  # a log from before cases were written down: the whole province
            ],
        )
    )
    rows = judge.high_warnings(made, [], places, since=START)
    assert rows["cases"].tolist() == ["220102 220104", "220000", ""]
    centres = ["220000", "220100", "220200"]
    assert judge.per_centre_month(rows, centres, places, months=1.0).to_dict() == {"220000": 3.0, "220100": 3.0, "220200": 2.0}
    assert judge.per_centre_month(rows[:1], centres, places, months=2.0).to_dict() == {"220000": 0.5, "220100": 0.5, "220200": 0.0}


def test_regions_of_cases_are_read_from_lists_of_cases_only(replay):
    listed = [{"region": "220281"}, {"region": "220102"}, {"region": "220281"}]
    assert replay.case_regions({"facts": {"cases_only": True, "speaks_for": listed}}) == ["220102", "220281"]
    assert replay.case_regions({"facts": {"speaks_for": listed}}) == replay.case_regions({}) == []


def test_reports_come_in_until_ninety_days_after_the_end(judge, places, seen):
    late = warning(first_seen=(START + dt.timedelta(days=140)).isoformat())
    ended = judge.judge_hazard(log((150, [late]), (151, [])), hazard(), seen(), places)
    after = judge.judge_hazard(log((151, [late]), (400, [])), hazard(), seen(), places)
    assert ended["warned"] == START + dt.timedelta(days=150)
    assert after["warned"] is None
    assert judge.over(hazard(end=None), START) == START
