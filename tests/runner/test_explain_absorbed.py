"""``actions explain`` for a warning that another one speaks for: by the handover itself, on a store of two small tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from ruamel.yaml import YAML

from riskwatch.assessment import ActionCatalogue, Assessment, Evidence, Grade, GradingRules, Scope, Subject
from riskwatch.assessment.payload import to_payload
from riskwatch.errors import ProjectError
from riskwatch.lifecycle import EarlyWarning, advance
from riskwatch.runner.actions import explain_actions

CONFIG = Path(__file__).resolve().parents[2] / "config"
DAY, LATER = dt.date(2025, 12, 1), dt.date(2025, 12, 4)


def load(name):
    return YAML(typ="safe").load((CONFIG / name).read_text(encoding="utf-8"))


RULES, ACTIONS = GradingRules.model_validate(load("grading.yaml")), ActionCatalogue.model_validate(load("actions.yaml"))


class Tree:
    """Codes whose parents are the shorter codes."""

    attributes = pd.DataFrame()

    def __init__(self, **lengths):
        self.lengths = lengths

    def path(self, code):
        return tuple(dict.fromkeys(code[:length].ljust(6, "0") if code.isdigit() else code[:length] for length in self.lengths.values()))

    def level_of(self, code):
        return list(self.lengths)[len(self.path(code)) - 1]

    def name(self, code, language):
        return f"{code}-{language}"


TREES = {"product": Tree(category=3, leaf=5), "region": Tree(province=2, prefecture=4, county=6), "industry": Tree(section=1, division=3)}


def alarm(product):
    end = DAY - dt.timedelta(days=1)
    figures = {"observed": 30.0, "exposure": None, "expected": 10.0, "lower": 4.0, "upper": 18.0, "p_value": 1e-6, "q_value": 1e-5}
    return Evidence(
        model="injury-weekly",
        stream="injury",
        source_type="injury",
        product=product,
        industry="",
        region="220100",
        stratum="",
        period_start=end - dt.timedelta(days=6),
        period_end=end,
        frequency="week",
        windows=2,
        **figures,
    )


def about(code, *products, day, grade=Grade.III):
    return Assessment(
        subject=Subject("product", code, "220100"),
        as_of=day,
        hazard="electrical",
        evidence=tuple(alarm(product) for product in products),
        severity=2,
        probability=None,
        probability_range=None,
        risk="M",
        risk_range=None,
        confidence="C2",
        scope=Scope.REGIONAL,
        scope_figures={},
        grade=grade,
        steps=(),
        actions=(),
        facts={"name": {"zh": f"{code}-zh", "en": f"{code}-en"}, "rests_on": {"source_types": ["injury"], "streams": ["injury"]}},
    )


def project(warnings, assessments, *, as_of=LATER):
    """What ``explain_actions`` reads of a run's context: warnings as they stand, assessments of their day, no ladders."""
    rows = [SimpleNamespace(warning_id=one.warning_id, payload=one.to_payload()) for one in warnings]
    store = SimpleNamespace(
        read_warnings=lambda as_of: rows,
        read_assessments=lambda as_of: [SimpleNamespace(payload=to_payload(one)) for one in assessments if one.as_of == as_of],
    )
    definitions = SimpleNamespace(catalogue=lambda name: {})
    return SimpleNamespace(store=store, as_of=as_of, trees=TREES, actions=ACTIONS, holidays=None, definitions=definitions)


def two_days(first, second):
    """Return the warnings after the assessments of two days."""
    opened = advance((), first, as_of=DAY, rules=RULES, judged=None, trees=TREES).warnings
    return advance(opened, second, as_of=LATER, rules=RULES, judged=None, trees=TREES).warnings


def of(warnings, code) -> EarlyWarning:
    return next(one for one in warnings if one.subject.code == code)


@pytest.mark.parametrize(
    ("first", "second", "absorbed", "taker"),
    [
        # A category takes over from its products ...
        ([("P0302", "P0302"), ("P0304", "P0304")], [("P03", "P03", "P0302", "P0304")], "P0302", "P03"),
        # ... and dissolves into the one that is left, whose evidence does not name it.
        ([("P03", "P03", "P0302", "P0304")], [("P0302", "P0302")], "P03", "P0302"),
    ],
)
def test_an_absorbed_warning_is_explained_by_the_one_that_speaks_for_it(first, second, absorbed, taker):
    before, after = ([about(*one, day=day) for one in some] for some, day in ((first, DAY), (second, LATER)))
    warnings = two_days(before, after)
    mine, other = of(warnings, absorbed), of(warnings, taker)
    assert (mine.state, mine.covered_by) == ("absorbed", other.warning_id)
    story = explain_actions(project(warnings, [*before, *after]), mine.warning_id)
    assert story.data["subject"]["code"] == absorbed
    assert story.data["as_of"] == LATER.isoformat()
    assert story.data["covered_by"] == {
        "warning_id": other.warning_id,
        "kind": "product",
        "code": taker,
        "region": "220100",
        "name": {"zh": f"{taker}-zh", "en": f"{taker}-en"},
    }
    own = explain_actions(project(warnings, [*before, *after]), other.warning_id)
    assert own.data["covered_by"] is None
    assert story.data["actions"] == own.data["actions"] != []
    for language, word in (("en", "spoken for by"), ("zh", "已并入")):
        line = next(line for line in story.text(language).splitlines() if word in line)
        assert other.warning_id in line
        assert f"{taker}-{language}" in line
        assert word not in own.text(language)


def test_the_taker_may_have_been_absorbed_in_turn():
    before = [about("P0302", "P0302", day=DAY)]
    after = [about("P03", "P03", "P0302", "P0304", day=LATER)]
    warnings = two_days(before, after)
    top, part = of(warnings, "P03"), of(warnings, "P0302")
    # P0304 was spoken for by P0302, which P03 speaks for now.
    low = replace(part, warning_id="0" * 16, subject=Subject("product", "P0304", "220100"), covered_by=part.warning_id)
    story = explain_actions(project([top, part, low], after), low.warning_id)
    assert story.data["covered_by"]["code"] == "P0302"
    assert story.data["grade"] == "III"


def test_a_product_whose_category_is_below_warning_level_is_explained_by_its_evidence():
    before = [about("P0302", "P0302", day=DAY)]
    after = [about("P03", "P03", "P0302", day=LATER, grade=Grade.WATCH)]
    warning = replace(two_days(before, before)[0], last_seen=LATER)
    story = explain_actions(project([warning], after), warning.warning_id)
    assert (story.data["grade"], story.data["covered_by"]) == ("WATCH", None)
    with pytest.raises(ProjectError, match=r"no assessment of 2025-12-04 is stored"):
        explain_actions(project([warning], [about("P0901", "P0901", day=LATER)]), warning.warning_id)
