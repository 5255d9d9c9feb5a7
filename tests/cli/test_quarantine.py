"""``quarantine list``, ``retry`` and ``export``: a mended map turns quarantined rows into records."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest

from riskwatch.api import Project
from tests.cli.conftest import Cli

SOURCE = "hospital-injury-cards"
FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture
def pulled(last_quarter: Path, cli: Cli) -> Path:
    """Return a pulled project in which two cards have an outcome that nobody mapped, one with a formula beside it."""
    path = last_quarter / "data" / "demo" / "injuries" / "2025-12.csv"
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    header = next(csv.reader(lines[:1]))
    outcome, narrative = (next(i for i, name in enumerate(header) if word in name) for word in ("结局", "经过"))
    good = [row for row in csv.reader(lines[1:]) if len(row) == len(header) and row[outcome] == "处理后离院"][:2]
    for number, row in enumerate(good):
        row[0], row[outcome] = f"KNEW{number}", "回家休养"
    good[1][narrative] = FORMULA
    with path.with_name("late.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *good])
    assert cli("pull", project=last_quarter).code == 0
    return last_quarter


def late(cli: Cli, folder: Path, *arguments: str) -> list[dict[str, object]]:
    found = cli("quarantine", "list", "--json", "--limit", "100000", *arguments, project=folder).json
    return [entry for entry in found if entry["file"] == "late.csv"]


def test_list_names_row_field_rule_and_value(pulled: Path, cli: Cli) -> None:
    found = late(cli, pulled, "--source", SOURCE)
    assert [(e["source"], e["row_no"], e["field"], e["rule"], e["value"], e["state"]) for e in found] == [
        (SOURCE, 1, "outcome", "unknown-value", "回家休养", "open"),
        (SOURCE, 2, "outcome", "unknown-value", "回家休养", "open"),
    ]
    assert late(cli, pulled, "--source", "external-notices") == []
    total = len(cli("quarantine", "list", "--json", "--limit", "100000", project=pulled).json)
    short = cli("quarantine", "list", "--limit", "1", project=pulled)
    assert len(short.rows) == 1
    assert short.out.endswith(f"{total} open, 1 shown\n")


def test_a_mended_value_map_makes_records_of_the_rows(pulled: Path, cli: Cli) -> None:
    before = len(Project(pulled).records("injury"))
    idle = cli("quarantine", "retry", "--json", "--source", SOURCE, project=pulled)
    assert idle.code == 0
    assert idle.json[SOURCE]["resolved"] == 0
    path = pulled / "config" / "sources" / "demo.yaml"
    text = path.read_text(encoding="utf-8")
    assert "        观察: observed\n" in text
    path.write_text(
        text.replace("        观察: observed\n", "        观察: observed\n        回家休养: treated-released\n"), encoding="utf-8"
    )
    answer = cli("quarantine", "retry", "--source", SOURCE, project=pulled)
    assert answer.code == 0
    row = next(row for row in answer.rows if row["source"] == SOURCE)
    assert (row["resolved"], int(row["tried"]) - int(row["still open"])) == ("2", 2)
    assert late(cli, pulled) == []
    records = Project(pulled).records("injury")
    assert len(records) == before + 2
    mended = records[records["record_key"].isin(["KNEW0", "KNEW1"])]
    assert mended["outcome"].astype(str).tolist() == ["treated-released"] * 2


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_export_is_harmless_in_a_spreadsheet(ending: str, pulled: Path, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / f"bad-rows.{ending}"
    answer = cli("quarantine", "export", path, "--source", SOURCE, project=pulled)
    assert answer.code == 0
    if ending == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file))
    else:
        cells = openpyxl.load_workbook(path).active
        assert cells is not None
        assert "f" not in {cell.data_type for row in cells.iter_rows() for cell in row}, "no cell is a formula"
        header, *rows = [[str(cell or "") for cell in row] for row in cells.iter_rows(values_only=True)]
    assert answer.out == f"{len(rows)} rows written to {path}\n"
    assert {"file", "row_no", "field", "rule", "value", "message"} <= set(header)
    assert "'" + FORMULA in {cell for row in rows for cell in row}
    assert [cell for row in rows for cell in row if cell.startswith(("=", "@"))] == []


def test_what_cannot_be_done_is_explained(pulled: Path, tmp_path: Path, cli: Cli) -> None:
    wrong = cli("quarantine", "export", tmp_path / "rows.pdf", project=pulled)
    assert (wrong.code, wrong.out) == (4, "")
    assert 'the ending must be ".csv" or ".xlsx", got ".pdf"' in wrong.err
    for command in (["list"], ["retry"], ["export", str(tmp_path / "rows.csv")]):
        answer = cli("quarantine", *command, "--source", "nosuch", project=pulled)
        assert (answer.code, answer.out) == (2, "")
        assert 'no source "nosuch" in force' in answer.err
