"""Tests that stand beside the models: the template's pass, and one that should fail does, with the figures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.definitions import check, load_definitions
from riskwatch.definitions.model_tests import ModelTest, read_series
from riskwatch.project import init_project
from riskwatch.runner.model_tests import run_test, run_tests
from riskwatch.sources import ADAPTERS
from tests.cli.conftest import Cli, cli

__all__ = ["cli"]

FAILURES = {
    "name": "made-here",
    "model": "spot-check-failures",
    "product": "P0302",
    "region": "220200",
    "strata": {"selection": "random"},
    "observed": "0 1x10 0 1x9 1 5",
    "exposure": "10x24",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(init_project(tmp_path_factory.mktemp("tests") / "demo"))


def said(project: Project, **changes: object) -> tuple[str, ...]:
    given = {name: value for name, value in {**FAILURES, **changes}.items() if value is not None}
    return run_test(project.definitions, project.trees, ModelTest.model_validate(given)).said


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4", (4,)),
        ("4x3", (4, 4, 4, 4)),
        ("1+2x3", (1, 3, 5, 7)),
        ("9-3x2", (9, 6, 3)),
        ("0.5+0.25x1", (0.5, 0.75)),
        ("1 2x1  3", (1, 2, 2, 3)),
    ],
)
def test_a_series_is_read_as_prometheus_writes_it(text: str, values: tuple[float, ...]) -> None:
    assert read_series(text) == values


def test_missing_periods_are_not_numbers() -> None:
    assert [math.isnan(value) for value in read_series("_ 1 _x2")] == [True, False, True, True]


UNREADABLE = [("4y3", '"4y3" is no piece'), ("3-2x2", "goes below 0"), ("", "needs a value"), ("1x9999", "at most")]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_a_series_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_series(text)


def test_the_tests_of_the_template_pass(project: Project) -> None:
    verdicts = run_tests(project.definitions, project.trees)
    assert len(verdicts) >= 9
    assert {one.model for one in verdicts} >= {"complaints", "injury-counts", "injury-causes", "spot-check-failures", "spot-check-items"}
    assert [(one.test, one.said) for one in verdicts if not one.passed] == []


def test_what_was_not_expected_is_said_with_the_figures(project: Project) -> None:
    assert said(project, alarms=[True], grade="IV", least=True) == ()
    (alarms, grade) = said(project, alarms=[False], grade="I")
    assert alarms.startswith("alarms: expected [false], got [true]: 5 against ")
    assert "limit " in alarms
    assert grade.startswith("grade: expected I, got ")
    assert said(project, observed="0 1x10 0 1x9 1 1", grade="III", least=True) == ("grade: expected III or graver, got NONE",)
    thin = {"model": "injury-counts", "region": "", "strata": {}, "exposure": "", "observed": "0x100 1", "alarms": [True]}
    assert said(project, **thin)[0].startswith("alarms: the series was not judged by itself")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exposure": ""}, "judges shares: give exposure"),
        ({"strata": {}}, "strata: spot-check-failures needs a value of selection, got []"),
        ({"item": "lead"}, "does not judge by item"),
        ({"product": "P9999"}, 'product: no code "P9999" in the product tree'),
        (
            {"product": "P03", "region": "220200"},
            "judges no series of product category, region prefecture; it judges: product product, ",
        ),
        ({"model": "injury-words", "exposure": ""}, "injury-words judges words"),
        ({"model": "injury-clusters", "exposure": ""}, "injury-clusters judges places together"),
        ({"observed": "900000x23", "exposure": "900000x23"}, "at most 200,000 are made"),
    ],
)
def test_what_a_series_cannot_test_is_said_with_what_the_model_asks_for(project: Project, changes: dict[str, object], message: str) -> None:
    (told,) = said(project, alarms=[True], **changes)
    assert told.startswith("could not be run: ")
    assert message in told


def test_tests_change_no_model_and_wrong_ones_are_problems_with_their_place(tmp_path: Path) -> None:
    folder = init_project(tmp_path / "demo")
    path = folder / "models" / "complaints.yaml"
    whole = path.read_text(encoding="utf-8")
    before = load_definitions(folder, adapters=ADAPTERS).hashes
    path.write_text(whole.partition("\ntests:")[0], encoding="utf-8")
    assert load_definitions(folder, adapters=ADAPTERS).hashes == before
    path.write_text(whole.replace("model: complaints", "model: complaint", 1).replace("1 11\n", "1-2x1\n"), encoding="utf-8")
    told = [str(problem) for problem in check(folder, adapters=ADAPTERS)]
    assert len(told) == 2
    assert 'unknown model "complaint"' in told[0]
    assert '"1-2x1" goes below 0' in told[1]
    assert all(line.startswith("models/complaints.yaml:") for line in told)


def test_check_runs_them_and_ends_with_one_if_one_fails(tmp_path: Path, cli: Cli) -> None:
    folder = init_project(tmp_path / "demo")
    for path in (folder / "models").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.partition("\ntests:")[0] if path.name != "complaints.yaml" else text, encoding="utf-8")
    good = cli("check", "--test", project=folder)
    assert (good.code, "2 tests of models, 0 failed" in good.out) == (0, True)
    path = folder / "models" / "complaints.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("alarms: [true]", "alarms: [false]"), encoding="utf-8")
    bad = cli("check", "--test", project=folder)
    assert bad.code == 1
    assert "FAILED  complaints: eleven-persons-where-two-were-usual\n        alarms: expected [false], got [true]: 11 against" in bad.out
    assert cli("check", project=folder).code == 0
