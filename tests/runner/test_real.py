"""The same pipeline on public data: every source of the profile is read whole, and the hoverboards of 2015 are found in time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.cli.commands.run import Every, run_days
from riskwatch.runner.pull import pull

ROOT = Path(__file__).resolve().parent.parent.parent


def real_project(data: Path, var: Path) -> Project:
    return Project(ROOT, profile="real", settings={"settings.data": str(data), "settings.var": str(var)})


@pytest.mark.slow
def test_every_row_of_the_public_data_is_a_record_or_in_quarantine(real_data: Path, tmp_path: Path) -> None:
    project = real_project(real_data, tmp_path)
    with project.leased(label="test") as ctx:
        reports = {report.source: report for report in pull(ctx)}
        again = pull(ctx, ["neiss-youth", "rasff"])
    records = {name: (report.new, report.rejected) for name, report in reports.items()}
    # Counts of the data sets' own descriptions.
    assert records["neiss-youth"] == (261_292, 0)
    assert records["neiss-infants"] == (446_194, 0)
    assert records["neiss-scooters"] == (2_605, 0)
    assert records["neiss-fireworks"] == (1_532, 0)
    assert records["neiss-yearly"] == (9_125, 0)
    assert records["chicago-inspections"] == (27_600, 0)
    assert records["cn-food"][0] == 9_995
    assert not any(report.faults for report in reports.values())
    assert all(report.rows == 0 for report in again), "files that were read are not read again"


@pytest.mark.slow
def test_hoverboards_are_warned_of_by_the_end_of_october_2015(real_data: Path, tmp_path: Path) -> None:
    project = real_project(real_data, tmp_path)
    grades: dict[dt.date, str] = {}
    with project.leased(label="test") as ctx:
        pull(ctx, ["neiss-youth"])
    only = project.pipeline("daily").model_copy(update={"steps": project.pipeline("daily").steps[1:]})
    for day in run_days(dt.date(2015, 8, 31), dt.date(2015, 11, 30), Every.MONTH_END):
        with project.leased(label="test", as_of=day) as ctx:
            from riskwatch.runner.run import run_pipeline

            run_pipeline(ctx, only)
        warnings = project.warnings()
        found = warnings[warnings["code"] == "neiss:5042"]
        grades[day] = "" if found.empty else found["grade"].iloc[0]
    assert grades[dt.date(2015, 10, 31)] in {"I", "II", "III", "IV"}
    # A month later its q-value (0.00102) lies just above the decisive 0.001: the warning is eased to a watch, and not forgotten.
    with project.store() as store:
        kept = [row for row in store.read_warnings(as_of=dt.date(2015, 11, 30)) if row.subject_code == "neiss:5042"]
    assert [row.state for row in kept] != ["recovered"]
    assert len(kept) == 1
    assert all(grade in {"", "IV"} for day, grade in grades.items() if day < dt.date(2015, 9, 30))
