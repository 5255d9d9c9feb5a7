"""What several rooms' tests share: a demonstration project that has run once, and where the real data lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.project import init_project

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("RISKWATCH_REAL_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with the simulated province; not run yet. Copy before you write to it."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    init_project(folder)
    datasets.simulate_province(seed=1).write(folder / "data")
    return folder


@pytest.fixture(scope="session")
def demo_project(made_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project and run its daily pipeline once. Read only: copy before you write to it."""
    folder = tmp_path_factory.mktemp("run") / "demo"
    shutil.copytree(made_project, folder)
    Project(folder).run("daily")
    return folder


@pytest.fixture
def own_demo(demo_project: Path, tmp_path: Path) -> Path:
    """Return a private copy of the project that has run once."""
    folder = tmp_path / "demo"
    shutil.copytree(demo_project, folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the public data sets; skip where they are absent."""
    if not (REAL_DATA / "neiss_youth_2011_2019").is_dir():
        pytest.skip(f"no real data in {REAL_DATA} (set RISKWATCH_REAL_DATA)")
    return REAL_DATA
