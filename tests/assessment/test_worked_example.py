"""docs/grading.md works one example in figures; here it is computed."""

from pathlib import Path

import pytest
from assessment_world import injuries, judge_run, quiet, samples, twice

from riskwatch.assessment import Grade, Scope

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "grading.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found():
    cards = [
        *injuries("dolls", 24),
        *injuries("dolls", 12, "220102", severity="moderate", outcome="observed"),
        *injuries("dolls", 4, "220102", severity="severe", outcome="admitted"),
    ]
    rows = [*twice("dolls", "220100", observed=20, expected=6, p=1e-5)]
    rows += [one for code in ("220200", "220300", "220400") for one in quiet("dolls", code)]
    return judge_run(rows, cards)[0]


def step(found, rule):
    return next(one for one in found.steps if one.rule == rule)


def test_the_figures_of_the_page(found):
    tests = step(found, "discovery.false-discovery-rate").inputs
    assert f"{tests['tests']} tests, {tests['alarms']} alarms, smallest q = {found.evidence[0].q_value:.6f}" in PAGE
    cluster = step(found, "risk.injury-probability").inputs
    assert f"{cluster['persons']:g} persons" in PAGE
    assert f"= {cluster['stand_for']:g} estimated" in PAGE
    assert f"severity {cluster['severity_percentile']}; maximum: {cluster['severity_maximum']}" in PAGE
    second, third = found.facts["scenarios"]
    assert f"16/40 = {second['probability']:.5f}" in PAGE
    assert f"4/40 = {third['probability']:.5f}" in PAGE
    assert (found.risk, found.risk_range, found.confidence) == ("M", ("L", "H"), "C2")
    assert (found.scope, found.grade) == (Scope.REGIONAL, Grade.IV)
    assert found.scope_figures["touched"] == 1
    assert found.scope_figures["judged"] == 4


def test_what_would_change_as_on_the_page(found):
    ends = [sentence["en"].rsplit("becomes ", 1)[1] for sentence in found.what_would_change]
    up, down = "Level III (yellow).", "Watch (grey)."
    assert ends == [up, down, up, down, up, up, down, down]
    nearest = {(one["input"], one["grade"]): one for one in found.facts["nearest_changes"]}
    assert nearest["probability", "WATCH"]["after"] == pytest.approx(1e-5, rel=2e-3)
    assert nearest["probability", "III"]["after"] == pytest.approx(1e-4, rel=2e-3)
    assert nearest["q", "WATCH"]["after"] == pytest.approx(0.01, rel=2e-3)
    assert f"III {found.facts['grade_probability']['III']:.0%}, IV {found.facts['grade_probability']['IV']:.0%}" in PAGE


def test_prevalence_in_targeted_samples_is_only_an_upper_bound():
    """12 of 40 fail a small-parts item, P(harm | defect) 1/10,000: 3e-5 at severity 4, high."""
    row = {"stream": "spot_check"}
    random = judge_run(twice("kites", **row), checks=[samples("kites", 40, 12)])[0]
    assert random.probability == pytest.approx(12 / 40 * 1e-4)
    assert (random.risk, random.hazard, random.severity) == ("H", "choking", 4)
    targeted = judge_run(twice("kites", **row), checks=[samples("kites", 40, 12, selection="targeted")])[0]
    assert targeted.probability is None
    assert targeted.probability_range[0] == 0
    assert targeted.facts["review"] is True
    mixed = judge_run(twice("kites", **row), checks=[samples("kites", 40, 4), samples("kites", 40, 30, selection="targeted")])[0]
    assert mixed.probability == pytest.approx(4 / 40 * 1e-4), "targeted samples are never pooled with random ones"
