"""The step ``report``: which periods are due, for whom, files that are not written twice, a dry run apart, a kill without traces."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.errors import ProjectError
from riskwatch.runner.periodic import due_periods, report_centres
from riskwatch.runner.reporting import read_rules
from tests.conftest import empty_folders

LAST = dt.date(2025, 12, 31)
FILES = {f"report-2025-12-220000.{form}" for form in ("zh.html", "json")}


@pytest.mark.parametrize(
    ("day", "keys"),
    [
        ("2025-12-31", ["2025-12", "2025Q4", "2025"]),
        ("2026-01-01", ["2025-12", "2025Q4", "2025"]),
        ("2026-01-30", ["2025-12", "2025Q4", "2025"]),
        ("2026-01-31", ["2026-01"]),
        ("2025-10-01", ["2025-09", "2025Q3"]),
        ("2024-02-28", ["2024-01"]),
        ("2024-02-29", ["2024-02"]),
        ("2025-06-30", ["2025-06", "2025Q2"]),
    ],
)
def test_the_last_full_month_is_due_and_what_ends_with_it(day: str, keys: list[str]) -> None:
    found = due_periods(dt.date.fromisoformat(day))
    assert [period.key for period in found] == keys
    assert all(period.last <= dt.date.fromisoformat(day) for period in found)


def edit(folder: Path, **lines: str) -> None:
    """Set keys of config/report.yaml."""
    path = folder / "config" / "report.yaml"
    text = path.read_text(encoding="utf-8")
    for key, value in lines.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old, f"{key}: {value}")
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def small_project(made_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a project with the records of the last quarter and two forms of one language; only December is due."""
    folder = tmp_path_factory.mktemp("periodic") / "quarter"
    for name in ("config", "models", "pipelines"):
        shutil.copytree(made_project / name, folder / name)
    for name in ("spot_checks/2025Q4.csv", "injuries/2025-12.csv", "notices/2025.csv", "indicators/2025.csv", "credit/2025.csv"):
        target = folder / "data" / "demo" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        found = sorted((made_project / "data" / "demo").glob(f"{Path(name).parent}/*{Path(name).stem}*"))
        shutil.copy(found[0], target.with_name(found[0].name))
    empty_folders(folder)
    edit(folder, languages="[zh]", formats="[html, json]")
    with pytest.MonkeyPatch.context() as patch:
        # The quarter and the year are the same work again.
        patch.setattr("riskwatch.runner.periodic.due_periods", lambda as_of: due_periods(as_of)[:1])
        yield folder


@pytest.fixture
def own(small_project: Path, tmp_path: Path) -> Path:
    """Return a private copy, as it stands."""
    folder = tmp_path / "own"
    shutil.copytree(small_project, folder)
    return folder


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("report-*")}


def test_monthly_writes_once_and_again_only_what_changed(small_project: Path) -> None:
    project = Project(small_project)
    folder = project.var / "reports" / "2025-12"
    report = project.run("monthly")
    assert report.exit_code == 0
    assert {path.name for path in report.reports} == {path.name for path in folder.iterdir()} == FILES
    assert all(path.is_file() and path.parent == folder for path in report.reports)
    data = json.loads((folder / "report-2025-12-220000.json").read_text(encoding="utf-8"))
    assert (data["header"]["period"], data["header"]["region"], data["header"]["as_of"]) == ("2025-12", "220000", "2025-12-31")
    # It decides nothing about warnings, and writes no digest.
    assert (report.warnings, report.events, report.digests, report.signals) == ({}, {}, [], 0)
    assert not (project.var / "digests").exists()

    before = stamps(folder)
    again = Project(small_project).run("monthly")
    assert (again.unchanged, again.reports, again.digests) == (True, report.reports, [])
    assert stamps(folder) == before

    # A file that is gone comes back; the others, which would be the same, are not touched.
    (folder / "report-2025-12-220000.zh.html").unlink()
    mended = Project(small_project).run("monthly")
    assert not mended.unchanged
    assert stamps(folder)["report-2025-12-220000.json"] == before["report-2025-12-220000.json"]
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_dry_run_writes_apart_and_leaves_the_store_alone(own: Path) -> None:
    project = Project(own)
    shutil.rmtree(project.var / "reports", ignore_errors=True)
    project.run("monthly", dry_run=True)
    with project.store() as store:
        runs = len(store.read_runs())
    report = project.run("monthly", dry_run=True)
    assert {path.parent for path in report.reports} == {project.var / "dry-run" / "reports" / "2025-12"}
    assert not (project.var / "reports").exists()
    with project.store() as store:
        assert len(store.read_runs()) == runs


def test_a_kill_while_writing_leaves_whole_files_or_none(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(own)
    folder = project.var / "reports" / "2025-12"
    shutil.rmtree(folder, ignore_errors=True)
    written: list[Path] = []
    plain = Path.write_bytes

    def killed(self: Path, content: bytes) -> int:
        if written:
            plain(self, content[: len(content) // 2])
            raise KeyboardInterrupt
        written.append(self)
        return plain(self, content)

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        project.run("monthly")
    monkeypatch.undo()
    monkeypatch.setattr("riskwatch.runner.periodic.due_periods", lambda as_of: due_periods(as_of)[:1])
    assert written
    assert list(folder.iterdir()) == []
    report = Project(own).run("monthly", wait_seconds=30)
    assert not report.unchanged
    assert {path.name for path in folder.iterdir()} == FILES


def test_reports_are_made_for_the_top_jurisdiction_or_for_those_named(own: Path) -> None:
    project = Project(own)
    with project.context() as ctx:
        rules = read_rules(ctx)
        assert [centre.name for centre in report_centres(ctx, rules)] == ["jilin-province"]
        two = rules.model_copy(update={"centres": ("changchun", "jilin-city")})
        assert [centre.region for centre in report_centres(ctx, two)] == ["220100", "220200"]
        wrong = rules.model_copy(update={"centres": ("changchum",)})
        with pytest.raises(ProjectError, match=r'centres\[0\]: unknown centre "changchum"; did you mean "changchun"') as caught:
            report_centres(ctx, wrong)
        assert "config/centres.yaml" in caught.value.hint


def test_new_records_or_outlines_make_new_reports(own: Path) -> None:
    Project(own).run("monthly")
    edit(own, cases="3")
    assert not Project(own).run("monthly").unchanged
    assert Project(own).run("monthly").unchanged
    outlines = own / "config" / "geo" / "jilin_prefectures.geojson"
    content = json.loads(outlines.read_text(encoding="utf-8"))
    content["features"] = content["features"][:5]
    outlines.write_text(json.dumps(content), encoding="utf-8")
    assert not Project(own).run("monthly").unchanged


def test_assessments_of_the_day_stay_in_sight_after_a_monthly_run(own_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that assesses nothing must not stand for the newest assessments."""
    edit(own_demo, languages="[zh]", formats="[json]")
    project = Project(own_demo)
    with project.store() as store:
        before = store.read_assessments(), store.read_assessments(as_of=LAST)
    assert before[0]
    monkeypatch.setattr("riskwatch.runner.periodic.due_periods", lambda as_of: due_periods(as_of)[:1])
    report = project.run("monthly")
    assert len(report.reports) == 1
    with project.store() as store:
        assert (store.read_assessments(), store.read_assessments(as_of=LAST)) == before
    # The warnings that the daily run decided are part of it.
    data = json.loads(report.reports[0].read_text(encoding="utf-8"))
    assert any(trace["what"]["en"] == "open warnings" for trace in data["traces"])
