"""``riskwatch indicators``: the table, the filters, JSON, and the trace of one number."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.datasets import simulate_province
from riskwatch.errors import ProjectError
from riskwatch.project import init_project
from riskwatch.runner.pull import pull
from tests.cli.conftest import Cli


@pytest.fixture(scope="module")
def pulled_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project whose records are in the store; nothing is detected."""
    folder = tmp_path_factory.mktemp("indicators") / "demo"
    init_project(folder)
    simulate_province(seed=1, scale=0.05).write(folder / "data")
    with Project(folder).leased(label="pull") as ctx:
        pull(ctx, [])
    return folder


def test_the_table_and_json_agree(pulled_project: Path, cli: Cli) -> None:
    plain = cli("indicators", "--domain", "macro", project=pulled_project)
    answer = cli("indicators", "--domain", "macro", "--json", project=pulled_project)
    assert (plain.code, answer.code, answer.err) == (0, 0, "")
    assert [row["indicator"] for row in plain.rows] == [row["indicator"] for row in answer.json]
    assert {row["domain"] for row in answer.json} == {"macro"}
    assert {row["region"] for row in answer.json} == {"220000", "CN"}  # the first centre's region, and the nation beside it
    for row, told in zip(answer.json, plain.rows, strict=True):
        value = f"{row['value']:.{row['decimals']}f}"
        assert told["value"].startswith(value + " [" if row["lower"] is not None else value + " (no interval)")
        assert ("unchanged" in told["on last year"]) == (row["year_verdict"] == "unchanged")
    rate = next(row for row in answer.json if row["indicator"] == "manufacturing-pass-rate" and row["region"] == "220000")
    assert rate["lower"] < rate["value"] < rate["upper"]
    assert (rate["target"], rate["chance_year"], rate["period"]) == ("D1", 2027, "2024")
    assert 0 < rate["chance"] < 1
    assert rate["national_source"] == "records"


def test_derived_figures_are_marked_and_come_from_the_records(pulled_project: Path, cli: Cli) -> None:
    rows = cli("indicators", "--domain", "product", project=pulled_project).rows
    notes = {row["indicator"]: row["notes"] for row in rows}
    assert {code for code, note in notes.items() if "derived" in note} == {"spot-check-pass-random", "recheck-pass", "rectified-in-time"}
    project = Project(pulled_project)
    records = project.records("spot_check")
    chosen = records.loc[
        (records["selection"] == "random")
        & records["verdict"].isin(["pass", "fail"])
        & records["recheck_of"].isna()
        & (records["event_date"].dt.year == 2024)
    ]
    told = (
        project.indicators(region="220000", domain="product")
        .set_index(["indicator", "period_type"])
        .loc[("spot-check-pass-random", "year")]
    )
    assert told["n"] == chosen["inspected"].sum()
    assert told["value"] == pytest.approx(100 * (1 - chosen["failed"].sum() / chosen["inspected"].sum()))


def test_targets_say_what_has_passed(pulled_project: Path, cli: Cli) -> None:
    rows = {row["target"]: row for row in cli("indicators", "--targets", project=pulled_project).rows}
    assert len(rows) == 36
    assert rows["P3"]["state"] == "attained, target year passed"
    assert rows["V3"]["state"] == "unknown, target year passed"
    assert rows["P7"]["state"].startswith("context")
    assert rows["E9"]["asked"] == "no figure"
    assert rows["D3"]["state"] == "short"
    assert rows["D3"]["chance"] == "<1% in 2027"
    services = cli("indicators", "--targets", "--domain", "service", "--json", project=pulled_project).json
    assert [row["target"] for row in services] == ["SV1", "SV2", "SV3", "SV4", "SV5", "D3"]
    assert all(row["asked"] is None for row in services if row["kind"] == "n")


def test_a_day_in_between_sees_the_preliminary_figure(pulled_project: Path, cli: Cli) -> None:
    def told(day: str) -> tuple[str, str, float]:
        rows = cli("indicators", "--as-of", day, "--json", project=pulled_project).json
        row = next(row for row in rows if row["indicator"] == "manufacturing-pass-rate" and row["region"] == "220000")
        return row["period"], row["status"], row["value"]

    before, first, last = told("2025-03-15"), told("2025-03-16"), told("2025-06-09")
    assert before[:2] == ("2023", "final")
    assert first[:2] == ("2024", "preliminary")
    assert last[:2] == ("2024", "final")
    assert first[2] != last[2]
    assert Project(pulled_project).indicators(as_of=dt.date(2019, 1, 1)).empty
    assert "no indicator records" in cli("indicators", "--as-of", "2019-01-01", project=pulled_project).out


def test_explain_traces_a_number_to_its_inputs_and_to_the_line(pulled_project: Path, cli: Cli) -> None:
    story = cli("indicators", "--explain", "manufacturing-pass-rate", "--json", project=pulled_project).json
    place, line, _ = story["definition"]["where"].rsplit(":", 2)
    text = (pulled_project / place).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert place == "config/indicators.yaml"
    assert "qualified samples / all samples of a designed survey of 29 manufacturing industries" in text
    (figure,) = [item for item in story["figures"] if item["period_type"] == "year"]
    assert figure["inputs"] == {
        "stream": "indicator", "source": "quality-indicators", "records": 6, "n": 2600.0, "newest_known": "2025-06-09",
    }  # fmt: skip
    assert figure["method"] == "wilson"
    assert [item["period"] for item in figure["history"]] == ["2019", "2020", "2021", "2022", "2023", "2024"]
    plain = cli("indicators", "--explain", "manufacturing-pass-rate", project=pulled_project).out
    parts = ["config/indicators.yaml:", "6 records", "n 2,600", "newest known 2025-06-09", "wilson", "target      D1", "Not the spot-check"]
    for part in parts:
        assert part in plain
    bands = cli("indicators", "--explain", "manufacturing-competitiveness", project=pulled_project).out
    assert "(competitiveness-2011, not verified)" in bands
    derived = cli("indicators", "--explain", "rectified-in-time", "--json", project=pulled_project).json
    assert {item["inputs"]["stream"] for item in derived["figures"]} == {"spot_check"}
    target = cli("indicators", "--explain", "P4", project=pulled_project).out
    assert "ambiguous" in target
    assert "target year passed" in target


def test_what_is_not_known_is_explained(pulled_project: Path, cli: Cli) -> None:
    for arguments, message in (
        (("--explain", "nothing"), 'no indicator or target is called "nothing"'),
        (("--region", "999999"), 'region "999999" is not in the region tree'),
    ):
        answer = cli("indicators", *arguments, project=pulled_project)
        assert (answer.code, answer.out) == (2, "")
        assert message in answer.err
    with pytest.raises(ProjectError, match='no domain "food"'):
        Project(pulled_project).targets(domain="food")


def test_lost_series_are_named(pulled_project: Path, cli: Cli) -> None:
    rows = cli("indicators", "--region", "222400", "--json", project=pulled_project).json
    lost = {(row["indicator"], row["period_type"]): row["missing_since"] for row in rows if row["lost"]}
    assert lost == {("customer-satisfaction", "year"): "2023", ("customer-satisfaction", "quarter"): "2023Q3"}


def test_the_daily_run_tells_of_indicators_in_every_digest(pulled_project: Path) -> None:
    report = Project(pulled_project).run("daily", dry_run=True)
    assert not report.failed_models
    digests = {path.name.split(".")[0]: json.loads(path.read_text(encoding="utf-8")) for path in report.digests if path.suffix == ".json"}
    assert all(digest["indicators"] is not None for digest in digests.values())
    province = digests["jilin-province"]["indicators"]
    assert [line["why"] for line in province["lines"]] == ["at-risk"] * 3
    assert (province["lost"], province["targets_at_risk"], province["more"]) == (1, 4, 2)
