"""``warnings list`` and ``warnings show``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

GRADES = ["I", "II", "III", "IV"]


def test_list_has_the_most_urgent_first_and_json_agrees_with_the_table(demo_project: Path, cli: Cli) -> None:
    plain, answer = cli("warnings", "list", project=demo_project), cli("warnings", "list", "--json", project=demo_project)
    assert (plain.code, answer.code, answer.err) == (0, 0, "")
    assert len(answer.json) > 3
    ranks = [GRADES.index(warning["grade"]) for warning in answer.json]
    assert ranks == sorted(ranks)
    columns = ("warning_id", "grade", "state", "name_zh", "name_en", "region", "first_seen")
    shown = [tuple(row[column] for column in columns) for row in plain.rows]
    assert shown == [tuple(str(warning[column] or "") for column in columns) for warning in answer.json]


def test_list_as_of_a_day_before_the_first_run_is_empty(demo_project: Path, cli: Cli) -> None:
    assert cli("warnings", "list", "--as-of", "2024-12-31", project=demo_project).out == "no open warnings\n"
    assert cli("warnings", "list", "--as-of", "2024-12-31", "--json", project=demo_project).json == []


def test_show_tells_evidence_rules_actions_and_history(demo_project: Path, cli: Cli) -> None:
    first = cli("warnings", "list", "--json", project=demo_project).json[0]
    story = cli("warnings", "show", first["warning_id"], "--json", project=demo_project).json
    assert story["warning"]["grade"] == first["grade"]
    assert story["assessment"]["evidence"]
    assert story["assessment"]["steps"]
    assert [event["kind"] for event in story["events"]] == ["new"]
    answer = cli("warnings", "show", first["warning_id"][:10], project=demo_project)
    assert answer.code == 0
    heads = ["evidence", "rules looked at", "what would change it", "proposed actions", "history"]
    assert [line for line in answer.out.splitlines() if line in heads] == heads
    assert first["name_en"] in answer.out
    for step in story["assessment"]["steps"]:
        assert f"  {step['rule']}: {step['outcome']}" in answer.out


@pytest.mark.parametrize(("start", "message"), [("", "warnings start with"), ("zz", '0 warnings start with "zz"')])
def test_an_ambiguous_or_unknown_id_is_explained(start: str, message: str, demo_project: Path, cli: Cli) -> None:
    answer = cli("warnings", "show", start, project=demo_project)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert "riskwatch warnings list --all" in answer.err
    if not start:
        known = {warning["warning_id"] for warning in cli("warnings", "list", "--all", "--json", project=demo_project).json}
        assert sum(name in answer.err for name in known) == min(5, len(known))
