"""``coverage``, ``advise`` and ``anomalies``."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from riskwatch.api import Project
from tests.cli.conftest import Cli


def test_coverage_says_what_was_not_sampled_and_json_agrees(demo_project: Path, cli: Cli) -> None:
    plain, answer = cli("coverage", project=demo_project), cli("coverage", "--json", project=demo_project)
    assert (plain.code, answer.code, answer.err) == (0, 0, "")
    summary = answer.json["summary"]
    cells = [cell for cell in answer.json["cells"] if cell["level"] == "county"]
    assert summary["cells"] == len(cells) == 1440
    assert summary["gaps"] == sum(cell["state"] == "gap" for cell in cells) > 0
    assert all(cell["rate"] is None for cell in cells if cell["state"] == "gap")
    assert f"gaps      {summary['gaps']:,}: no sample, no rate, and no sign of safety" in plain.out
    assert "entries not verified" in plain.out
    assert [row["product"] for row in plain.rows] == [gap["product"] for gap in summary["top"]]
    frame = Project(demo_project).coverage()
    assert (frame["state"] == "gap").sum() == sum(cell["state"] == "gap" for cell in answer.json["cells"])


@pytest.mark.parametrize(("by", "rows"), [("product", 24), ("region", 60)])
def test_coverage_adds_up_by_product_and_region(by: str, rows: int, demo_project: Path, cli: Cli) -> None:
    answer = cli("coverage", "--by", by, "--json", project=demo_project)
    assert len(answer.json) == rows == len(cli("coverage", "--by", by, project=demo_project).rows)
    assert sum(line["cells"] for line in answer.json) == 1440
    own = cli("coverage", "--by", by, "--region", "220100", "--json", project=demo_project).json
    assert sum(line["cells"] for line in own) == 24 * 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--as-of", "2020-01-01"), "no key-product catalogue is in force on 2020-01-01"),
        (("--region", "999999"), "the region tree has no code '999999'"),
        (("--level", "street"), "--level takes one of county, prefecture"),
    ],
)
def test_coverage_explains_what_it_cannot_do(arguments: tuple[str, ...], message: str, demo_project: Path, cli: Cli) -> None:
    answer = cli("coverage", *arguments, project=demo_project)
    assert answer.code == 2
    assert message in answer.err


def test_a_catalogue_with_foreign_codes_is_reported_and_left_out(own_demo: Path, cli: Cli) -> None:
    path = own_demo / "config" / "catalogue.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace('"P1004"', '"X1004"'), encoding="utf-8")
    answer = cli("coverage", project=own_demo)
    assert answer.code == 0
    assert "unknown product codes left out: X1004" in answer.err
    assert "1,380" in answer.out


def test_advise_places_all_samples_and_writes_a_plan(demo_project: Path, tmp_path: Path, cli: Cli) -> None:
    answer = cli("advise", "--samples", "60", "--objective", "hazard", "--json", project=demo_project)
    assert sum(row["n"] for row in answer.json["plan"]) == 60
    assert all(row["reason_zh"] and row["reason_en"] for row in answer.json["plan"])
    for name in ("plan.csv", "plan.xlsx"):
        done = cli("advise", "--samples", "60", "--objective", "hazard", "--out", tmp_path / name, project=demo_project)
        assert done.code == 0
        assert f"60 samples in {len(answer.json['plan'])} cells" in done.out
    sheet = openpyxl.load_workbook(tmp_path / "plan.xlsx")["plan"]
    head, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert head[:7] == ["product", "product_zh", "product_en", "region", "region_zh", "region_en", "n"]
    assert sum(int(row[6]) for row in rows) == 60
    assert rows[0][0] == answer.json["plan"][0]["product"]
    assert (tmp_path / "plan.csv").read_text(encoding="utf-8-sig").splitlines()[0].startswith("product,product_zh")


def test_advise_refuses_what_it_cannot_write(demo_project: Path, tmp_path: Path, cli: Cli) -> None:
    answer = cli("advise", "--samples", "5", "--out", tmp_path / "plan.pdf", project=demo_project)
    assert answer.code == 4
    assert 'must be ".csv" or ".xlsx"' in answer.err


def test_anomalies_show_no_code_of_an_enterprise_unless_asked(own_demo: Path, cli: Cli) -> None:
    path = own_demo / "config" / "anomalies.yaml"
    text = (
        path.read_text(encoding="utf-8")
        .replace("permutations: 20", "permutations: 10")
        .replace("covariance_rows: 400", "covariance_rows: 80")
    )
    path.write_text(text.replace("{trees: 100, subsample: 256}", "{trees: 20, subsample: 128}"), encoding="utf-8")
    products = cli("anomalies", "--json", project=own_demo)
    assert products.json["absent"]["complaints"]["en"] == "this project has no stream of complaints"
    assert {row["evidence"] for row in products.json["rows"]} == {"C1"}
    assert all(row["drivers_zh"] and row["region_en"] for row in products.json["rows"][:5])
    firms = cli("anomalies", "--kind", "enterprise", "--json", project=own_demo)
    assert "enterprise" not in firms.json["rows"][0]
    shown = cli("anomalies", "--kind", "enterprise", "--most", "2", "--codes", project=own_demo)
    code = shown.rows[0]["enterprise"]
    assert len(code) == 18
    assert code not in firms.out
