"""``where=``: values, several of them, codes with all below them, and messages that name what there is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.errors import ProjectError
from riskwatch.runner.where import allowed_values


@pytest.fixture(scope="module")
def project(demo_project: Path) -> Project:
    return Project(demo_project)


def test_a_code_takes_all_below_it(project: Project) -> None:
    whole = project.records("injury", columns=["product", "region", "event_date"])
    tree = project.trees["region"]
    city = project.records("injury", where={"region": "220100"})
    assert len(city) == tree.is_within(whole["region"], "220100").sum() > 0
    both = project.records("injury", where={"region": ["220100", "220200"], "product": "P04"})
    inside = tree.is_within(whole["region"], "220100") | tree.is_within(whole["region"], "220200")
    assert len(both) == (inside & project.trees["product"].is_within(whole["product"], "P04")).sum() > 0


def test_plain_values_days_and_bookkeeping(project: Project) -> None:
    severe = project.records("injury", where={"severity": "severe"}, since="2025-12-01", until=dt.date(2025, 12, 7))
    assert set(severe["severity"]) == {"severe"}
    assert severe["event_date"].between("2025-12-01", "2025-12-07").all()
    one = project.records("injury", where={"event_date": ["2025-12-01", "2025-12-03"]})
    assert set(one["event_date"].dt.day) == {1, 3}
    assert set(project.records("spot_check", where={"failed": 1}, since="2025-12-01")["failed"]) == {1}
    known = project.records("injury", where={"known_at": "2025-12-22"}, columns=["known_at"])
    assert set(known["known_at"].dt.strftime("%F")) == {"2025-12-22"}


def test_signals_and_warnings_are_narrowed_alike(project: Project) -> None:
    every, some = project.warnings(), project.warnings(where={"region": "220200"})
    assert 0 < len(some) < len(every)
    assert set(some["region"]) <= {str(code) for code in project.trees["region"].codes if str(code).startswith("2202")}
    assert some.index.tolist() == list(range(len(some)))
    signals = project.signals("injury-counts")
    narrow = project.signals("injury-counts", where={"alarm": True, "product": ["P03", "P04"]})
    expected = signals[signals["alarm"] & signals["product"].astype(str).str[:3].isin(["P03", "P04"])]
    assert len(narrow) == len(expected) > 0


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            {"regoin": "220100"},
            r"records of injury: no column 'regoin' to choose by; did you mean 'region'\?\nHint: columns are source, record_key",
        ),
        ({"region": "22010"}, "region '22010' is not in the region tree\nHint: near it: 220"),
        ({"region": 220100}, "region 220100 is not in the region tree"),
        ({"cause": []}, r"where must name at least one value for cause, got \[\]"),
        ({"cause": None}, "where must name at least one value for cause, got None"),
        ({"event_date": "last week"}, "event_date must be a day like 2025-12-31, got 'last week'"),
    ],
)
def test_what_is_wrong_is_named(project: Project, where: dict[str, object], words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        project.records("injury", where=where)


def test_an_unknown_stream_and_column_of_a_frame_are_named(project: Project) -> None:
    with pytest.raises(ProjectError, match='no stream "injuries"\nHint: streams are accident'):
        project.records("injuries")
    with pytest.raises(ProjectError, match=r"warnings: no column 'product' to choose by(.|\n)*columns are warning_id, grade"):
        project.warnings(where={"product": "P01"})


def test_without_the_tree_codes_are_taken_as_they_are() -> None:
    assert allowed_values({"region": "x"}, {"region": "region"}, {}, asked="records") == {"region": ["x"]}
