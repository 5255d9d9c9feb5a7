"""``riskwatch enterprises`` and ``riskwatch items``: on the demonstration province after its daily run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskwatch.api import Project


@pytest.fixture(scope="module")
def table(demo_project: Path) -> pd.DataFrame:
    return Project(demo_project).enterprises().table()


def test_the_list_is_worst_first_and_shows_codes_only(cli, demo_project, table):
    found = cli("enterprises", "list", "--top", "20", "--json", project=demo_project).json
    assert [row["enterprise"] for row in found] == table["enterprise"].head(20).tolist()
    assert found[0]["proposed"] == "D"
    assert found[0]["candidacy"]
    assert "模拟企业" not in cli("enterprises", "list", project=demo_project).out


def test_filters_leave_what_they_say(cli, demo_project, table):
    found = cli("enterprises", "list", "--proposed", "c", "--region", "220100", "--top", "500", "--json", project=demo_project).json
    assert {row["proposed"] for row in found} == {"C"}
    assert all(row["region"].startswith("2201") for row in found)
    worse = cli("enterprises", "list", "--change", "worse", "--min-failed", "3", "--top", "5000", "--json", project=demo_project).json
    expected = table[(table["change"] == "worse") & (table["failed_window"] >= 3)]
    assert {row["enterprise"] for row in worse} == set(expected["enterprise"])
    candidates = cli("enterprises", "list", "--candidates", "--top", "5000", "--json", project=demo_project).json
    assert len(candidates) == (table["candidacy"] != "").sum() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("enterprises", "list", "--proposed", "E"), "--proposed takes letters of A, B, C, D"),
        (("enterprises", "list", "--change", "bad"), "--change takes worse, better, same or first"),
        (("enterprises", "clocks", "--state", "late"), "--state takes one of overdue"),
        (("items", "--by", "colour"), "--by takes product, region, selection, source"),
        (("items", "--new", "--standard-effect"), "two questions"),
    ],
)
def test_wrong_options_are_told(cli, demo_project, arguments, message):
    answer = cli(*arguments, project=demo_project)
    assert answer.code == 2
    assert message in " ".join(answer.err.replace("│", " ").split())


def test_clocks_begin_with_what_is_overdue(cli, demo_project):
    found = cli("enterprises", "clocks", "--top", "3000", "--json", project=demo_project).json
    states = [row["state"] for row in found]
    assert states == sorted(states, key=["overdue", "due-soon", "running", "waiting"].index)
    assert all(row["days_left"] < 0 for row in found if row["state"] == "overdue")
    assert {row["verified"] for row in found} == {False}
    soon = cli("enterprises", "clocks", "--state", "due-soon", "--json", project=demo_project).json
    assert all(0 <= row["days_left"] <= 14 for row in soon)
    every = cli("enterprises", "clocks", "--all", "--top", "100000", "--json", project=demo_project).json
    assert len(every) > len(found)


def test_one_enterprise_with_its_rule_and_figures(cli, demo_project, table):
    code = table["enterprise"].iloc[0]
    found = cli("enterprises", "show", code, "--json", project=demo_project).json
    assert set(found) == {"history", "class", "proposal", "rates", "terms"}
    (proposal,) = found["proposal"]
    assert proposal["proposed"] == "D"
    assert f"recheck_failures={found['history'][0]['recheck_failures']}" in proposal["evidence"]
    assert proposal["basis"]
    text = cli("enterprises", "show", code, project=demo_project).out
    assert proposal["reason_zh"] in text
    missing = cli("enterprises", "show", "nobody", project=demo_project)
    assert missing.code == 2
    assert 'no enterprise "nobody" on 2025-12-31' in missing.err


def test_an_earlier_day_knows_less(cli, demo_project):
    late = cli("enterprises", "clocks", "--all", "--top", "100000", "--json", project=demo_project).json
    early = cli("enterprises", "clocks", "--all", "--top", "100000", "--as-of", "2023-06-30", "--json", project=demo_project).json
    assert 0 < len(early) < len(late)
    assert max(row["started_on"] for row in early) <= "2023-06-30"


def test_items_new_items_and_the_effect_of_standards(cli, demo_project):
    found = cli("items", "--json", project=demo_project).json
    assert found[0]["failed"] == max(row["failed"] for row in found)
    assert {row["hazard"] for row in found} >= {"chemical", "label-only"}
    assert all(row["tested"] is None and row["rate"] is None for row in found)
    toys = cli("items", "--product", "P01", "--by", "product", "--json", project=demo_project).json
    assert all(row["product"].startswith("P01") for row in toys)
    # The province has an injected phthalate problem in electric toys at the end of 2025.
    new = cli("items", "--new", "--by", "product", "--selection", "random", "--days", "90", "--json", project=demo_project).json
    assert ("P0102", "邻苯二甲酸酯") in {(row["product"], row["item"]) for row in new if row["q_value"] < 0.05}
    effect = cli("items", "--standard-effect", "--json", project=demo_project).json
    assert {row["change"] for row in effect} == {"demo-toy-lead-2024", "demo-leakage-2025"}
    assert all(row["simulated"] for row in effect)
    assert sum(row["passed_old"] for row in effect) > 0


def test_the_summary_and_the_digest_name_nobody(demo_project, table):
    project = Project(demo_project)
    found = project.enterprises()
    with project.context() as ctx:
        counts = found.summary(ctx)
    assert counts.enterprises == len(table)
    assert counts.candidates == (table["candidacy"] != "").sum()
    assert counts.listed > 0
    assert counts.expired > 0
    assert set(counts.closure["region"]) == set(project.trees["region"].children("220000"))
    codes = set(table["enterprise"])
    files = [path for form in ("md", "json") for path in (demo_project / "var").rglob(f"digests/**/*.{form}")]
    digests = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert "企业信用风险等级（模拟数据）" in digests
    assert not [code for code in codes if code in digests]


def test_notebook_calls_give_frames(demo_project):
    project = Project(demo_project)
    assert not project.items(by=["region"], days=90).empty
    assert not project.standard_effects().empty
    assert set(project.items(new=True, days=90, selections=["random"])["item"])
