"""``pairs``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from riskwatch.api import Project
from riskwatch.runner.pairs import PAIR_COLUMNS
from tests.cli.conftest import Cli


def test_the_table_the_json_and_the_api_agree(demo_project: Path, cli: Cli) -> None:
    plain, answer = cli("pairs", "--limit", "5", project=demo_project), cli("pairs", "--json", project=demo_project)
    assert (plain.code, answer.code, answer.err) == (0, 0, "")
    assert plain.out.startswith("# product,diagnosis of injury, ")
    table = Project(demo_project).pairs()
    assert tuple(table.columns) == PAIR_COLUMNS
    rows = answer.json["rows"]
    assert len(rows) == (table["eb05"] > 2).sum()
    assert [row["left"] for row in rows[:5]] == table["left"].head(5).tolist()
    assert [row["EB05"] for row in plain.rows] == [f"{value:.2f}" for value in table["eb05"].head(5)]
    # What surely happens in kitchens: burns by kettles, and nothing rarer than asked for.
    assert rows[0]["right_zh"] == "烧烫伤"
    assert (table["observed"] >= 3).all()
    assert (table["eb05"] <= table["ebgm"]).all()
    assert table["eb05"].is_monotonic_decreasing
    assert (table["q_value"] >= table["p_value"]).all()


def test_strata_change_expectations_and_not_counts(demo_project: Path) -> None:
    project = Project(demo_project)
    keys = ["left", "right"]
    none, fine = (project.pairs(strata=strata, min_cases=1).set_index(keys).sort_index() for strata in ((), ("year", "sex", "age")))
    np.testing.assert_array_equal(none["observed"], fine["observed"])
    assert not np.allclose(none["expected"], fine["expected"])


def test_wrong_questions_are_refused(demo_project: Path, cli: Cli) -> None:
    for arguments, words in (
        (("--by", "product"), "two sides"),
        (("--by", "product,narrative"), "no field 'narrative'"),
        (("--stream", "indicator"), "stream must be one of"),
        (("--stream", "external_notice", "--by", "product,hazard", "--strata", "sex"), "no age or sex"),
    ):
        answer = cli("pairs", *arguments, project=demo_project)
        assert answer.code != 0
        assert words in answer.err
