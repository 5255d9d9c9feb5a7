"""The whole run on PostgreSQL decides what it decides on SQLite."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import psycopg
import pytest

from riskwatch import datasets
from riskwatch.api import Project
from riskwatch.project import init_project


@pytest.mark.slow
def test_both_databases_decide_the_same(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tmp_path / "sqlite"
    init_project(first)
    datasets.simulate_province(seed=4, scale=0.05).write(first / "data")
    second = tmp_path / "postgres"
    shutil.copytree(first, second)
    name = f"run_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    monkeypatch.setenv("RUN_DATABASE", f"{postgres_server.rsplit('/', 1)[0]}/{name}")
    projects = [Project(first), Project(second, settings={"settings.database": "env:RUN_DATABASE"})]
    reports = [[project.run("daily", as_of=day) for day in ("2025-12-17", "2025-12-31")] for project in projects]
    for one, other in zip(*reports, strict=True):
        assert (one.records, one.tests, one.signals, one.warnings, one.events) == (
            other.records, other.tests, other.signals, other.warnings, other.events,
        )  # fmt: skip
        assert [path.name for path in one.digests] == [path.name for path in other.digests]
        for mine, theirs in zip(one.digests, other.digests, strict=True):
            assert mine.read_text(encoding="utf-8") == theirs.read_text(encoding="utf-8"), mine.name
    assert projects[1].run("daily").unchanged
    assert not (second / "var" / "demo" / "riskwatch.db").exists()
