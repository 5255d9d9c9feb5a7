"""``rates``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from riskwatch.api import Project
from tests.cli.conftest import Cli


def test_the_table_the_json_and_the_api_agree(demo_project: Path, cli: Cli) -> None:
    plain, answer = cli("rates", project=demo_project), cli("rates", "--json", project=demo_project)
    assert (plain.code, answer.code, answer.err) == (0, 0, "")
    assert plain.out.startswith("# failure rates by region (prefecture), 2025-01-01 to 2025-12-31\n")
    rows = answer.json["rows"]
    table = Project(demo_project).rates()
    assert [row["code"] for row in rows] == [row["code"] for row in plain.rows] == table["code"].tolist()
    for shown, row in zip(plain.rows, rows, strict=True):
        assert shown["name"] == row["name_zh"]
        assert int(shown["inspected"]) == row["inspected"]
        assert shown["rate"] == f"{100 * row['rate']:.1f} %"
    assert answer.json["left_out"]["hazard"] > 0
    assert f"{answer.json['left_out']['hazard']:,} hazard" in plain.out
    assert answer.json["since"] == "2025-01-01"


def test_a_change_is_split_into_rates_and_mix(demo_project: Path, cli: Cli) -> None:
    answer = cli("rates", "--by", "product", "--compare-with", "year-ago", "--json", project=demo_project)
    assert answer.code == 0
    assert answer.json["before"] == ["2024-01-01", "2024-12-31"]
    first = answer.json["rows"][0]
    assert (first["code"], first["name_zh"], first["name_en"]) == ("", "合计", "all")
    for row in answer.json["rows"]:
        assert row["within"] + row["mix"] == pytest.approx(row["raw_change"], abs=1e-9)
    plain = cli("rates", "--by", "product", "--compare-with", "2024-01-01:2024-12-31", project=demo_project)
    assert plain.rows[0]["mix"] == f"{100 * first['mix']:+.1f}"


def test_parts_of_the_province_and_other_days(demo_project: Path, cli: Cli) -> None:
    one = cli("rates", "--region", "220100", "--level", "county", "--json", project=demo_project)
    assert {row["code"][:4] for row in one.json["rows"]} == {"2201"}
    known = Project(demo_project).rates(by="product", until=dt.date(2023, 12, 31), as_of=dt.date(2023, 12, 31))
    later = Project(demo_project).rates(by="product", until=dt.date(2023, 12, 31))
    # What was sampled in the last weeks was not published yet.
    assert known["inspected"].sum() < later["inspected"].sum()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare-with", "last-year"], "--compare-with takes previous, year-ago or FIRST:LAST, got 'last-year'"),
        (["--since", "2025-06-01", "--until", "2025-01-01"], "the window 2025-06-01 to 2025-01-01 ends before it begins"),
        (["--level", "ward"], "the region tree has no level 'ward'"),
        (["--source", "nosuch"], 'no source "nosuch" in force'),
        (["--since", "2019-01-01", "--until", "2019-12-31"], "serves comparison"),
    ],
)
def test_wrong_questions_end_with_2(demo_project: Path, cli: Cli, arguments: list[str], message: str) -> None:
    answer = cli("rates", *arguments, project=demo_project)
    assert answer.code == 2
    assert message in answer.out + answer.err
