"""``actions explain`` for a warning that another one speaks for: by the handover itself, on a store of two small tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import pytest

from riskwatch.assessment import ActionCatalogue, Grade, Subject
from riskwatch.assessment.payload import to_payload
from riskwatch.errors import ProjectError
from riskwatch.lifecycle import EarlyWarning, advance
from riskwatch.runner.actions import explain_actions
from tests.made_warnings import RULES, Tree, alarm, assessed, load

DAY, LATER = dt.date(2025, 12, 1), dt.date(2025, 12, 4)


ACTIONS = ActionCatalogue.model_validate(load("actions.yaml"))
TREES = {"product": Tree(category=3, leaf=5), "region": Tree(province=2, prefecture=4, county=6), "industry": Tree(section=1, division=3)}


def about(code, *products, day, grade=Grade.III):
    evidence = [alarm(product, "220100", end=DAY - dt.timedelta(days=1)) for product in products]
    facts = {"name": {"zh": f"{code}-zh", "en": f"{code}-en"}, "rests_on": {"source_types": ["injury"], "streams": ["injury"]}}
    return assessed(code, "220100", evidence, as_of=day, grade=grade, facts=facts)


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
