"""``actions list``, ``explain``, ``cases`` and ``emergency``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_list_filters_the_catalogue(demo_project: Path, cli: Cli) -> None:
    found = cli("actions", "list", "--grade", "II", "--object", "product", "--domain", "food", "--json", project=demo_project).json
    assert {(one["grade"], one["object"]) for one in found} == {("II", "product")}
    assert "ii-product-defect-vehicle" not in {one["id"] for one in found}
    clocks = cli("actions", "list", "--clocks", "--domain", "food", project=demo_project)
    assert "food-recall-class-1" in clocks.out
    wrong = cli("actions", "list", "--object", "planet", project=demo_project)
    assert wrong.code == 2
    assert "--object takes one of enterprise, product" in wrong.err


def test_explain_tells_stage_by_stage_with_clock_law_and_rule(demo_project: Path, cli: Cli) -> None:
    first = cli("warnings", "list", "--json", project=demo_project).json[0]
    data = cli("actions", "explain", first["warning_id"], "--json", project=demo_project).json
    assert data["grade"] == first["grade"]
    assert data["stored_actions_differ"] is False
    assert {one["stage"] for one in data["actions"]} >= {"verify", "assess", "approve", "handle", "recheck", "close", "evaluate"}
    assert all(one["legal_basis"] and one["why"] for one in data["actions"])
    dated = [one for one in data["actions"] if one["clock"] and one["clock"]["due_on"]]
    assert dated
    assert all(one["clock"]["how"] for one in dated)
    for language, word in (("en", "why: "), ("zh", "规则: ")):
        answer = cli("actions", "explain", first["warning_id"][:12], "--lang", language, project=demo_project)
        assert answer.code == 0
        assert all(f"{word}{one['rule']} " in answer.out for one in data["actions"])
        assert "verified: false" in answer.out


def test_an_unknown_warning_is_told_with_near_ones(demo_project: Path, cli: Cli) -> None:
    known = cli("warnings", "list", "--json", project=demo_project).json[0]["warning_id"]
    wrong = ("0" if known[0] != "0" else "1") + known[1:]
    answer = cli("actions", "explain", wrong, project=demo_project)
    assert (answer.code, answer.out) == (2, "")
    assert known in answer.err
    assert "0 warnings known on" in answer.err


def test_cases_hold_counts_only(demo_project: Path, cli: Cli) -> None:
    rows = cli("actions", "cases", "--json", project=demo_project).json
    columns = {"warning_id", "covered_by", "grade", "product", "ladder", "verdict", "overdue", "next_due", "steps"}
    assert all(set(row) == columns for row in rows)
    assert all(isinstance(count, int) for row in rows for count in row["steps"].values())
    assert cli("actions", "cases", "--verdict", "maybe", project=demo_project).code == 2


@pytest.mark.parametrize(("deaths", "label"), [("3", "较大"), ("0", "below every threshold")])
def test_emergency_says_level_and_calls(deaths: str, label: str, demo_project: Path, cli: Cli) -> None:
    answer = cli("actions", "emergency", "--deaths", deaths, project=demo_project)
    assert answer.code == 0
    assert label in answer.out
    assert ("province-duty" in answer.out) == (deaths == "3")
