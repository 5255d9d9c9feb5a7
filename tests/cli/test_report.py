"""``report``: files written whole, numbers explained, mistakes that teach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.runner.pull import pull
from tests.cli.conftest import Cli, copy_quarter


@pytest.fixture(scope="module")
def pulled(made_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that holds the records of the last quarter; no warnings were looked for. Read only."""
    folder = copy_quarter(made_project, tmp_path_factory.mktemp("report") / "quarter")
    with Project(folder).leased(label="pull") as ctx:
        assert all(not entry.faults for entry in pull(ctx, ()))
    return folder


def test_files_are_written_and_numbers_explained(pulled: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    answer = cli(
        "report",
        "--period",
        "2025-11",
        "--region",
        "220100",
        "--language",
        "zh",
        "--format",
        "html,docx,json",
        "--out",
        out,
        project=pulled,
    )
    assert answer.code == 0
    assert sorted(path.name for path in out.iterdir()) == [f"report-2025-11-220100.{form}" for form in ("json", "zh.docx", "zh.html")]
    assert answer.out.split() == [str(out / f"report-2025-11-220100.{form}") for form in ("zh.html", "zh.docx", "json")]
    data = json.loads((out / "report-2025-11-220100.json").read_text(encoding="utf-8"))
    assert data["header"]["region_name"]["zh"] == "长春市"
    trace = next(trace for trace in data["traces"] if trace["what"]["en"] == "failure rate of random samples")
    told = cli("-q", "report", "--period", "2025-11", "--region", "220100", "--explain", trace["id"], project=pulled)
    assert told.code == 0
    assert repr(trace["value"]) in told.out
    assert "riskwatch.reports.counting.overall_frame" in told.out
    assert (
        cli("report", "--period", "2025-11", "--region", "220100", "--explain", trace["id"], "--json", project=pulled).json["id"]
        == trace["id"]
    )
    # No run has looked for warnings: the report says so instead of an all clear.
    assert "尚未运行预警流程" in (out / "report-2025-11-220100.zh.html").read_text(encoding="utf-8")


def test_numbers_are_those_of_the_records(pulled: Path) -> None:
    project = Project(pulled)
    report = project.report("2025-11", region="220000", languages=())
    records = project.records("spot_check")
    inside = records[(records["event_date"] >= "2025-11-01") & (records["event_date"] <= "2025-11-30") & (records["selection"] == "random")]
    by_what = {trace.what.en: trace.value for trace in report.traces if trace.id.startswith("R3.1-")}
    assert by_what["random samples of the period"] == inside["inspected"].sum()
    assert by_what["failure rate"] == inside["failed"].sum() / inside["inspected"].sum()
    assert by_what["producers concerned"] == inside["producer"].nunique()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--period", "2025-13"), "write 2025-11, 2025Q4 or 2025"),
        (("--period", "2026Q1"), "after the as-of day 2025-12-31"),
        (("--period", "2025Q4", "--region", "22000"), "no code '22000'"),
        (("--period", "2025Q4", "--explain", "R99.1-01"), "no number 'R99.1-01'"),
        (("--period", "2025Q4", "--explain", "nonsense"), "no number 'nonsense'"),
        (("--period", "2025Q5"), "write 2025-11, 2025Q4 or 2025"),
        (("--period", "2025Q4", "--language", "fr"), "--language takes one or more of zh, en"),
        (("--period", "2025Q4", "--format", "doc"), "--format takes one or more of html, pdf, docx, json"),
    ],
)
def test_mistakes_teach(pulled: Path, cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    answer = cli("-q", "report", *arguments, project=pulled)
    assert answer.code == 2
    assert message in answer.err.replace("\n", " ").replace("│ ", "")


def test_nothing_is_left_behind_where_it_cannot_write(pulled: Path, tmp_path: Path, cli: Cli) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    answer = cli("-q", "report", "--period", "2025-11", "--format", "json", "--out", blocked, project=pulled)
    assert answer.code == 2
    assert "cannot write to" in answer.err
    assert blocked.read_text(encoding="utf-8") == "in the way"


def test_a_project_without_rules_of_the_report_says_how_to_get_them(last_quarter: Path, cli: Cli) -> None:
    (last_quarter / "config" / "report.yaml").unlink()
    answer = cli("-q", "report", "--period", "2025-11", project=last_quarter)
    assert answer.code == 2
    assert "the project has no config/report.yaml" in answer.err
    assert "riskwatch init" in answer.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be a GeoJSON feature collection: JSONDecodeError"),
        ("[]", "it has no list of features"),
        ('{"features": [7]}', "features[0]: must be an object"),
        ('{"features": [{"properties": {}, "geometry": null}]}', "features[0]: must have properties and a geometry"),
        ('{"features": [{"properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}', "geometry type must be one of"),
        ('{"features": [{"properties": {}, "geometry": {"type": "Polygon", "coordinates": [1, 2]}}]}', "not those of a Polygon"),
        ('{"features": [{"properties": {}, "geometry": {"type": "Polygon", "coordinates": [[["a", 2]]]}}]}', "not those of a Polygon"),
        ('{"features": [{"properties": {}, "geometry": {"type": "Polygon", "coordinates": []}}]}', "must have two points at least"),
        ('{"features": [{"properties": {}, "geometry": {"type": "LineString", "coordinates": [[1, NaN], [1, 2]]}}]}', "must be finite"),
    ],
)
def test_broken_outlines_are_named_before_anything_is_drawn(last_quarter: Path, cli: Cli, content: str, message: str) -> None:
    (last_quarter / "config" / "geo" / "jilin_prefectures.geojson").write_text(content, encoding="utf-8")
    answer = cli("-q", "report", "--period", "2025-11", project=last_quarter)
    assert answer.code == 2
    told = " ".join(answer.err.split())
    assert "config/geo/jilin_prefectures.geojson" in told
    assert message in told
    assert "interval plots only" in told
    assert not (last_quarter / "var" / "demo" / "reports").exists()


def test_outlines_that_are_gone_are_named(last_quarter: Path, cli: Cli) -> None:
    (last_quarter / "config" / "geo" / "jilin_counties.geojson").unlink()
    answer = cli("-q", "report", "--period", "2025-11", project=last_quarter)
    assert answer.code == 2
    assert "config/geo/jilin_counties.geojson" in answer.err
