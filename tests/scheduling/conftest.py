"""A project that is as small as one can be: no models, one folder of spot checks, one pipeline that pulls and digests."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.project import init_project
from riskwatch.runner.run import RunReport
from riskwatch.scheduling import worker as working
from tests.cli.conftest import cli  # noqa: F401 - fixture
from tests.store.conftest import postgres_database, sqlite_template, url  # noqa: F401 - fixtures

PIPELINE = """
name: tiny
label: {zh: 小, en: tiny}
schedule: "0 6 * * *"
steps:
  - step: pull
    sources: [provincial-spot-checks]
  - step: detect
  - step: assess
  - step: warn
  - step: digest
"""
CENTRES = """
centres:
  - name: changchun
    label: {zh: 长春, en: Changchun}
    region: "220100"
"""


class Clock:
    """The clock of a test: it stands still until it is moved."""

    def __init__(self, text: str) -> None:
        self.now = dt.datetime.fromisoformat(text)

    def __call__(self) -> dt.datetime:
        return self.now

    def set(self, text: str) -> None:
        self.now = dt.datetime.fromisoformat(text)


@pytest.fixture(scope="session")
def tiny_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = init_project(tmp_path_factory.mktemp("tiny") / "project")
    for path in (*folder.glob("models/*.yaml"), *folder.glob("pipelines/*.yaml"), *folder.glob("config/sources/*.yaml")):
        if path.name != "demo.yaml":
            path.unlink()
    shutil.rmtree(folder / "config" / "geo")
    for name in ("delivery", "outside", "ladders", "report", "standards", "texts", "indicators", "trends", "catalogue", "dossiers"):
        (folder / "config" / f"{name}.yaml").unlink()
    (folder / "pipelines" / "tiny.yaml").write_text(PIPELINE, encoding="utf-8")
    settings = (folder / "config" / "riskwatch.yaml").read_text(encoding="utf-8").replace("as_of: 2025-12-31", "as_of: null")
    (folder / "config" / "riskwatch.yaml").write_text(settings, encoding="utf-8")
    (folder / "config" / "centres.yaml").write_text(CENTRES, encoding="utf-8")
    (folder / "data" / "demo" / "spot_checks").mkdir(parents=True)
    return folder


@pytest.fixture
def tiny(tiny_template: Path, tmp_path: Path) -> Path:
    """Return a private copy of the smallest project."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_template, folder)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock("2026-03-01T00:00:00+08:00")


@pytest.fixture(scope="session")
def loaded(tiny_template: Path) -> Project:
    return Project(tiny_template)


@pytest.fixture
def project(loaded: Project, tmp_path: Path, clock: Clock) -> Project:
    """Return the smallest project with a store and a clock of the test's own; its definitions are read once for all tests."""
    own = copy.copy(loaded)
    settings = loaded.definitions.settings.model_copy(update={"var": str(tmp_path / "var")})
    own.definitions = dataclasses.replace(loaded.definitions, settings=settings)
    own.clock = clock
    return own


@dataclass
class Runs:
    """Stands in for run_pipeline: keeps what it was called with, and fails where it is told to."""

    calls: list[tuple[str, bool, str | None]] = field(default_factory=list)
    errors: list[BaseException | None] = field(default_factory=list)
    inside: object = None

    def __call__(self, ctx, pipeline) -> RunReport:
        self.calls.append((str(ctx.as_of), ctx.quiet, ctx.catch_up_from and str(ctx.catch_up_from)))
        if self.inside is not None:
            self.inside(ctx)
        ctx.heartbeat()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        run_id = f"{pipeline.name}-{ctx.as_of}-made-up-{len(self.calls)}"
        ctx.store.start_run(run_id, pipeline=pipeline.name, as_of=ctx.as_of, now=ctx.now, definitions={})
        ctx.store.write_run_results(run_id, now=ctx.now)
        return RunReport(run_id, pipeline.name, ctx.as_of)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()
    monkeypatch.setattr(working, "run_pipeline", made)
    return made
