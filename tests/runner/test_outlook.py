"""What `riskwatch check` says of models against the store and the calendar."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.runner.outlook import outlook
from tests.cli.conftest import Cli, cli

__all__ = ["cli"]

TODAY = dt.date(2025, 12, 31)
LONGER = {
    f"models.injury-counts-severe.{key}": value
    for key, value in (("history_periods", "400"), ("parameters.years_back", "6"), ("parameters.min_years", "6"))
}


def test_a_model_with_enough_history_is_not_mentioned(demo_project: Path) -> None:
    assert outlook(Project(demo_project).definitions, today=TODAY) == ([], [])


def test_too_little_history_is_a_warning_with_its_place(demo_project: Path) -> None:
    problems, warnings = outlook(Project(demo_project, settings=LONGER).definitions, today=TODAY)
    assert problems == []
    text = (demo_project / "models" / "injury_counts.yaml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, row in enumerate(text, start=1) if row.strip() == "detector: farrington-flexible")
    assert [(str(found).split(" ", 1)[0], found.message.split(" has ")[0]) for found in warnings] == [
        (
            f"models/injury_counts.yaml:{line}:15:",
            'model "injury-counts-severe": farrington-flexible needs 79 4-week periods, stream "injury" (sources hospital-injury-cards)',
        )
    ]
    assert warnings[0].message.endswith("(since 2021-01-01): nothing is judged yet")


def test_without_a_store_nothing_is_said_of_history(made_project: Path) -> None:
    assert outlook(Project(made_project, settings=LONGER).definitions, today=TODAY) == ([], [])
    assert not list((made_project / "var").rglob("*.db"))


def test_years_without_holidays_are_problems_and_years_about_to_lack_them_warnings(demo_project: Path) -> None:
    found = Project(demo_project).definitions
    model = found.models["injury-counts"].model_copy(update={"covariates": ("workdays",)})
    found = dataclasses.replace(found, models={model.name: model})
    assert outlook(found, today=dt.date(2026, 10, 1)) == ([], [])
    problems, warnings = outlook(found, today=dt.date(2026, 12, 1))
    assert problems == []
    assert len(warnings) == 1
    assert (
        "will fail within 60 days: worked days of 2027: config/holidays.yaml marks days of the year as not verified" in warnings[0].message
    )
    empty = dataclasses.replace(
        found,
        catalogues={**found.catalogues, "holidays": {**found.catalogue("holidays"), "holidays": [], "adjusted_workdays": []}},
    )
    problems, _ = outlook(empty, today=TODAY)
    assert len(problems) == 1
    assert 'model "injury-counts": working days of ' in problems[0].message


@pytest.mark.usefixtures("demo_project")
def test_check_prints_warnings_apart_and_does_not_fail_on_them(demo_project: Path, cli: Cli) -> None:
    given = [part for key, value in LONGER.items() for part in ("--set", f"{key}={value}")]
    answer = cli(*given, "check", project=demo_project)
    assert answer.code == 0
    assert answer.out.startswith("sound, with 1 warnings: ")
    assert answer.err.rstrip().endswith("nothing is judged yet (warning)")
    listed = cli(*given, "check", "--json", project=demo_project)
    assert listed.code == 0
    assert [row["severity"] for row in listed.json] == ["warning"]
