"""The step `profile`: anomalies stand beside concerns and move nothing."""

from __future__ import annotations

import pytest

from riskwatch.api import Project
from riskwatch.assessment import from_payload
from riskwatch.assessment.supporting import RULE

DAY = "2025-12-31"


def with_step(folder):
    path = folder / "pipelines" / "daily.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("  - step: warn\n", "  - step: profile\n  - step: warn\n"), encoding="utf-8")
    path = folder / "config" / "anomalies.yaml"
    text = path.read_text(encoding="utf-8")
    assert "permutations: 20" in text
    path.write_text(text.replace("permutations: 20", "permutations: 10"), encoding="utf-8")
    return Project(folder)


def decided(project):
    with project.store() as store:
        found = [from_payload(row.payload) for row in store.read_assessments(as_of=project.day(DAY))]
    return {(entry.subject.kind, entry.subject.code, entry.subject.region): entry for entry in found}


def test_grades_and_confidence_stay_as_they_were(own_demo):
    before = decided(Project(own_demo))
    project = with_step(own_demo)
    report = project.run("daily", as_of=DAY)
    after = decided(project)
    assert report.exit_code == 0
    assert {key: (entry.grade, entry.confidence) for key, entry in after.items()} == {
        key: (entry.grade, entry.confidence) for key, entry in before.items()
    }
    backed = [entry for entry in after.values() if any(step.rule == RULE for step in entry.steps)]
    assert report.anomalies["supporting"] == len(backed)
    assert report.anomalies["supporting"] + report.anomalies["watch"] > 0
    again = project.run("daily", as_of=DAY)
    assert again.unchanged
    assert again.anomalies == report.anomalies


def test_without_the_rules_the_run_goes_on_and_says_so(own_demo):
    project = with_step(own_demo)
    (own_demo / "config" / "anomalies.yaml").unlink()
    project = Project(own_demo)
    report = project.run("daily", as_of=DAY)
    assert report.exit_code == 1
    assert any("config/anomalies.yaml" in fault for fault in report.faults)
    assert report.digests


@pytest.mark.parametrize("order", [("profile", "assess"), ("detect", "profile")])
def test_the_step_comes_after_the_assessment(own_demo, order, capsys):
    path = own_demo / "pipelines" / "odd.yaml"
    steps = "".join(f"  - step: {name}\n" for name in ("pull", *order))
    path.write_text(f"name: odd\nlabel: {{zh: 试, en: try}}\nsteps:\n{steps}", encoding="utf-8")
    with pytest.raises(Exception, match=r"odd\.yaml.*(must come before|needs assess before it)"):
        Project(own_demo)
