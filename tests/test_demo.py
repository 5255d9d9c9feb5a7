"""``rw.demo``: made once, found again, and never made over something else."""

from __future__ import annotations

from pathlib import Path

import pytest

import riskwatch as rw
from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.errors import ProjectError


class Province:
    """Writes the mark of the simulated province and nothing else."""

    def write(self, folder: Path) -> None:
        (folder / "demo_truth").mkdir(parents=True)


def test_what_is_missing_is_made_and_what_is_there_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def simulate(*, seed: int) -> Province:
        made.append(seed)
        return Province()

    monkeypatch.setattr(datasets, "simulate_province", simulate)
    monkeypatch.setattr(Project, "run", lambda self, pipeline: made.append(pipeline))
    project = rw.demo(tmp_path / "demo", seed=7)
    assert project.root == tmp_path / "demo"
    assert made == [7, "daily"]
    # The run was none: it is made up for, and the province is not simulated again.
    rw.demo(tmp_path / "demo")
    assert made == [7, "daily", "daily"]


def test_a_project_that_has_run_is_taken_as_it_is(demo_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Project, "run", lambda self, pipeline: pytest.fail("it has run already"))
    monkeypatch.setattr(datasets, "simulate_province", lambda **_: pytest.fail("it is there already"))
    assert not rw.demo(demo_project).warnings().empty


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ProjectError, match=r"the folder must be empty, and holds mine\.txt"):
        rw.demo(tmp_path)
