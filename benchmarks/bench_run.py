"""``riskwatch run daily`` on the simulated province: the first run, and a second one on unchanged data."""

from __future__ import annotations

import pytest

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.project import init_project

GROUP = "run daily, simulated province"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("run") / "project"
    init_project(made)
    datasets.simulate_province(seed=1).write(made / "data")
    return made


def test_first_run(measure, folder):
    report = measure(lambda: Project(folder).run("daily"), group=GROUP, name="peer: first run", units=1, of="run")
    assert report.exit_code == 0


def test_second_run(measure, folder):
    report = measure(lambda: Project(folder).run("daily"), group=GROUP, name="second run, nothing new", units=1, of="run")
    assert report.exit_code == 0
    assert all(pulled.new == pulled.changed == 0 for pulled in report.pulls)
