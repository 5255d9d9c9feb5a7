"""``riskwatch trends``."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskwatch.api import Project
from tests.cli.conftest import Cli


@pytest.fixture(scope="module")
def everything(demo_project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The frame that the command is held against."""
    return {"region": Project(demo_project).trends("spot-check-failures", by="region")}


def test_one_model_agrees_with_the_api_in_table_and_json(demo_project: Path, cli: Cli, everything: dict[str, object]) -> None:
    frame = everything["region"]
    table = cli("trends", "spot-check-failures", "--by", "region", "--all", project=demo_project)
    answer = cli("trends", "spot-check-failures", "--by", "region", "--all", "--json", project=demo_project)
    assert (table.code, answer.code, answer.err) == (0, 0, "")
    assert [row["region"] for row in answer.json] == frame["region"].tolist()
    assert [row["name_zh"] for row in table.rows] == frame["name_zh"].tolist()
    assert {row["model"] for row in answer.json} == {"spot-check-failures"}
    assert [row["rank"] for row in answer.json if row["rank"]] == list(range(1, 1 + sum(row["rank"] is not None for row in answer.json)))
    first = answer.json[0]
    assert first["lower"] == pytest.approx(frame["lower"].iloc[0], rel=1e-8)
    assert 0 <= first["probability_crossing"] <= 1
    assert "selection=targeted" not in table.out
    assert table.out.startswith("# spot-check-failures: ")


def test_without_all_only_what_is_worse_is_listed(demo_project: Path, cli: Cli, everything: dict[str, object]) -> None:
    frame = everything["region"]
    answer = cli("trends", "spot-check-failures", "--by", "region", "--json", project=demo_project)
    assert [row["region"] for row in answer.json] == frame.loc[frame["reason"] == "worse", "region"].tolist()


def test_lists_of_the_configuration_and_their_words(last_quarter: Path, cli: Cli) -> None:
    assert cli("pull", project=last_quarter).code == 0
    answer = cli("trends", "--by", "industry", project=last_quarter)
    assert answer.code == 0
    assert "spot-check-failures: " in answer.out
    assert "nothing is surely getting worse" in answer.out
    assert "too-short" in answer.out or "too-few-cases" in answer.out


@pytest.mark.parametrize(("arguments", "said"), [(("no-such-model",), "no model"), (("--by", "colour"), "colour")])
def test_wrong_questions_are_answered(demo_project: Path, cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    answer = cli("trends", *arguments, project=demo_project)
    assert answer.code == 2
    assert said in answer.err


def test_a_project_without_rules_is_told_where_they_are(last_quarter: Path, cli: Cli) -> None:
    (last_quarter / "config" / "trends.yaml").unlink()
    answer = cli("trends", project=last_quarter)
    assert answer.code == 2
    assert "config/trends.yaml" in answer.err
    assert "riskwatch init" in answer.err


def test_help_teaches(cli: Cli) -> None:
    text = cli("trends", "--help").out
    for word in ("lower end of that interval", "random samples", "docs/trends.md", "Examples"):
        assert word in text
