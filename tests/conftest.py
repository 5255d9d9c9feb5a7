"""What several rooms' tests share: a demonstration project that has run once, and where the real data lie."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.project import init_project

ROOT = Path(__file__).resolve().parent.parent
# Folders of the demonstration's sources that a small project leaves empty: an empty folder is no fault, a missing one is.
OTHER_FOLDERS = ("accidents", "complaints", "trade", "recalls", "certificates", "laboratories", "media", "trade_notices", "insurance")
REAL_DATA = Path(os.environ.get("RISKWATCH_REAL_DATA", ROOT.parent / "shared" / "data"))


def empty_folders(project: Path) -> None:
    """Make the folders of :data:`OTHER_FOLDERS` in a project that holds a few files only."""
    for name in OTHER_FOLDERS:
        (project / "data" / "demo" / name).mkdir(parents=True, exist_ok=True)


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server, started for the tests unless RISKWATCH_TEST_POSTGRES names one."""
    if os.environ.get("RISKWATCH_SKIP_POSTGRES") == "1":
        pytest.skip("RISKWATCH_SKIP_POSTGRES=1: the store is not tested on PostgreSQL")
    given = os.environ.get("RISKWATCH_TEST_POSTGRES")
    if given:
        yield given
        return
    folder = Path("/var/tmp") / f"riskwatch-postgres-{os.getpid()}"  # noqa: S108 - the server's user must be able to enter it
    script = str(ROOT / "scripts" / "postgres.sh")
    started = subprocess.run([script, "start", str(folder)], capture_output=True, text=True, check=False)
    if started.returncode:
        pytest.fail(f"PostgreSQL for the tests did not start (RISKWATCH_SKIP_POSTGRES=1 leaves it out):\n{started.stderr}")
    try:
        yield started.stdout.strip()
    finally:
        subprocess.run([script, "stop", str(folder)], check=True)
        subprocess.run(["rm", "-rf", str(folder)], check=True)
