"""Silent reporters, artefacts, attention and the rules of a domain."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from assessment_world import RULES, TREES, injuries, judge_run, load, samples, twice
from pydantic import ValidationError

from riskwatch.assessment import GradingRules
from riskwatch.assessment.absence import (
    REPORTER_COLUMNS,
    artefact_flags,
    recall_flags,
    reporter_homes,
    reporters,
    silent_shares,
    standard_flags,
)
from riskwatch.assessment.attention import KeyProduct, signs_of
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.rules import Text
from riskwatch.assessment.types import Subject
from riskwatch.dossiers.registers import recalls_in_force

AS_OF = dt.date(2024, 6, 28)
REGIONS, PRODUCTS = TreePaths(TREES["region"]), TreePaths(TREES["product"])


def batches(name, *, every, until=AS_OF, days=400, region="220101", size=5, jitter=0, seed=1):
    """Records that arrive in batches, the delay ten days."""
    rng = np.random.default_rng(seed)
    ends = [until - dt.timedelta(days=int(age) + int(rng.integers(0, jitter + 1))) for age in range(0, days, every)]
    rows = [(name, region, day - dt.timedelta(days=10), day) for day in ends for _ in range(size)]
    return pd.DataFrame(rows, columns=["reporter", "region", "event_date", "known_at"])


def test_a_weekly_reporter_is_silent_after_weeks_and_not_after_one_missed_batch():
    for gap, silent in ((6, False), (13, False), (28, True), (90, True)):
        frame = batches("A", every=7, until=AS_OF - dt.timedelta(days=gap), jitter=2)
        found = reporters(frame, as_of=AS_OF, rules=RULES.absence)
        assert list(found.columns) == list(REPORTER_COLUMNS)
        assert (found["gap_days"] >= gap).all()
        assert bool(found["silent"].iloc[0]) is silent


def test_a_monthly_reporter_has_a_rhythm_of_its_own_and_the_new_and_the_gone_are_not_silent():
    monthly = batches("B", every=30, until=AS_OF - dt.timedelta(days=40))
    new = batches("C", every=7, until=AS_OF - dt.timedelta(days=60), days=30)
    gone = batches("D", every=7, until=AS_OF - dt.timedelta(days=500))
    found = reporters(pd.concat([monthly, new, gone]), as_of=AS_OF, rules=RULES.absence)
    assert found["reporter"].tolist() == ["B", "C"]
    assert not found["silent"].any()


def test_null_hospitals_are_hardly_ever_silent():
    """60 hospitals with Poisson arrivals at 0.1 to 1 a day, looked at on 10 days: fewer than one look in 500."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(60):
        days = np.nonzero(rng.random(460) < rng.uniform(0.1, 1.0))[0]
        rows += [(f"H{number:03}", AS_OF - dt.timedelta(days=int(day))) for day in days]
    frame = pd.DataFrame(rows, columns=["reporter", "known_at"])
    looks = [
        reporters(frame[frame["known_at"] <= day], as_of=day, rules=RULES.absence)["silent"].mean()
        for day in (AS_OF - dt.timedelta(days=9 * shift) for shift in range(10))
    ]
    assert np.mean(looks) < 1 / 500


def test_shares_are_those_of_the_area_and_everything_above_it():
    quiet = batches("A", every=7, until=AS_OF - dt.timedelta(days=60), region="220101", days=300)
    loud = batches("B", every=7, region="220201", days=300)
    both = pd.concat([quiet, loud])
    found = reporters(both, as_of=AS_OF, rules=RULES.absence)
    shares = silent_shares(both, found, REGIONS)
    assert shares["220101"] == shares["220100"] == 1.0
    assert shares["220000"] == shares[""] == pytest.approx(0.5)
    assert "220201" not in shares
    shuffled = both.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(found, reporters(shuffled, as_of=AS_OF, rules=RULES.absence))
    assert silent_shares(loud, reporters(loud, as_of=AS_OF, rules=RULES.absence), REGIONS) == {}


def test_reporters_are_at_home_where_most_of_their_records_are():
    quiet = batches("A", every=7, until=AS_OF - dt.timedelta(days=60), region="220101", days=300)
    loud = batches("B", every=7, region="220201", days=300)
    everywhere = pd.concat([batches("L", every=7, region=region, days=300) for region in ("220101", "220201", "220201")])
    half = pd.concat([batches("M", every=7, region=region, days=300) for region in ("220101", "220201")])
    nowhere = batches("N", every=7, days=300).assign(region=None)
    both = pd.concat([quiet, loud, everywhere, half, nowhere])
    found = reporters(both, as_of=AS_OF, rules=RULES.absence)
    homes = reporter_homes(both, found, REGIONS)
    assert homes == {"": (0, 1), "220000": (0, 1), "220101": (1, 1), "220201": (0, 2)}
    shuffled = both.sample(frac=1, random_state=3)
    assert reporter_homes(shuffled, reporters(shuffled, as_of=AS_OF, rules=RULES.absence), REGIONS) == homes


def test_new_hospitals_and_backlogs_are_flagged_where_they_weigh():
    old = pd.concat([batches(name, every=7, region=region) for name, region in (("A", "220101"), ("B", "220201"), ("C", "220301"))])
    new = batches("N", every=7, region="220101", days=40)
    flags = artefact_flags("injury", pd.concat([old, new]), as_of=AS_OF, rules=RULES.artefacts, paths=REGIONS)
    assert {(flag["kind"], flag["region"]) for flag in flags} == {("new-hospital", "220101"), ("new-hospital", "220100")}
    assert artefact_flags("injury", old, as_of=AS_OF, rules=RULES.artefacts, paths=REGIONS) == []
    late = batches("A", every=7, days=1, size=60)
    late["event_date"] = [day - dt.timedelta(days=90) for day in late["known_at"]]
    flags = artefact_flags("injury", pd.concat([old, late]), as_of=AS_OF, rules=RULES.artefacts, paths=REGIONS)
    assert ("backlog", "220101") in {(flag["kind"], flag["region"]) for flag in flags}


def test_standards_and_recalls_speak_for_their_products_for_a_while():
    changes = [(AS_OF - dt.timedelta(days=10), ("dolls",)), (AS_OF - dt.timedelta(days=400), ("kites",)), (AS_OF, ())]
    assert [flag["product"] for flag in standard_flags(changes, as_of=AS_OF, rules=RULES.artefacts)] == ["dolls"]


def recalls(*rows):
    """Recalls of the stream: product, region, end and share completed."""
    columns = ["product", "region", "ends_on", "completion"]
    frame = pd.DataFrame(list(rows), columns=columns).assign(event_date=pd.Timestamp("2023-06-01"), affected=10.0)
    return recalls_in_force(frame.astype({"ends_on": "datetime64[s]"}), as_of=AS_OF, ended_days=10_000)


def test_a_completed_recall_speaks_for_its_product_and_region_while_no_other_of_it_is_open():
    ended, long_ago, ahead = (AS_OF - dt.timedelta(days=days) for days in (10, 400, -30))
    standing = recalls(
        ("dolls", "220000", ended, 1.0),
        ("dolls", "220000", long_ago, 1.0),
        ("kites", "220000", ended, 1.0),
        ("kites", "220100", ahead, 0.2),
        ("heaters", "220000", ended, 1.0),
        ("heaters", "220200", long_ago, 0.4),  # overdue
        ("scooters", "220000", long_ago, 1.0),
        (None, "220000", ended, 1.0),
        ("blankets", "220000", ended, 0.6),
    )
    flags = recall_flags(standing, as_of=AS_OF, rules=RULES.artefacts)
    assert flags == [{"kind": "recall-completed", "product": "dolls", "region": "220000", "since": ended.isoformat()}]
    assert recall_flags(recalls(), as_of=AS_OF, rules=RULES.artefacts) == []


def test_the_recall_of_one_firm_does_not_settle_what_is_sold_everywhere():
    places = ("220101", "220201", "220301", "220401")
    rows = [row for code in places for row in twice("dolls", code, stream="spot_check", p=1e-5)]
    checks = [samples("dolls", 30, 10, code, tag=code) for code in places]
    flags = recall_flags(recalls(("dolls", "220000", AS_OF, 1.0)), as_of=AS_OF, rules=RULES.artefacts)
    plain, found = (judge_run(rows, checks=checks, quality={"flags": some})[0] for some in ([], flags))
    assert found.scope.value == "industry-wide"
    assert found.grade == plain.grade


@pytest.mark.parametrize(("region", "lowered"), [("220000", True), ("220100", True), ("220200", False)])
def test_a_completed_recall_lowers_concerns_of_its_product_in_its_region(region, lowered):
    rows, cards = twice("dolls", "220101"), injuries("dolls", 30)
    flags = recall_flags(recalls(("dolls", region, AS_OF, 1.0)), as_of=AS_OF, rules=RULES.artefacts)
    plain, found = (judge_run(rows, cards, quality={"flags": some})[0] for some in ([], flags))
    assert found.grade == plain.grade - lowered
    assert ("lower.recall-or-removal-complete" in next(s for s in found.steps if s.rule == "lower").inputs["because"]) is lowered


KEY = KeyProduct("heating", Text(zh="起火", en="fires"), ("elderly",), (12, 1))


def occasions(**entries):
    basis = {"source": "test", "dated": "2026-11-26", "verified": False}
    made = {name: {"label": {"zh": name, "en": name}, "basis": basis, **entry} for name, entry in entries.items()}
    return GradingRules.model_validate({**load("grading.yaml"), "attention": {**load("grading.yaml")["attention"], "occasions": made}})


@pytest.mark.parametrize(
    ("day", "names"),
    [
        (dt.date(2024, 7, 1), ["key-product", "vulnerable"]),
        (dt.date(2024, 12, 15), ["key-product", "vulnerable", "season", "winter"]),
        (dt.date(2025, 3, 31), ["key-product", "vulnerable", "winter"]),
        (dt.date(2025, 4, 1), ["key-product", "vulnerable"]),
        (dt.date(2024, 10, 20), ["key-product", "vulnerable", "winter"]),
        (dt.date(2025, 2, 14), ["key-product", "vulnerable", "winter", "feast"]),
    ],
)
def test_attention_on_its_days_with_its_reasons(day, names):
    rules = occasions(
        winter={"first": "11-01", "last": "03-31", "lead_days": 14, "products": ["heating"]},
        feast={"festival_days": [10, 20], "vulnerable": ["elderly"]},
    )
    found = signs_of(
        Subject("product", "heaters"),
        as_of=day,
        rules=rules.attention,
        products=PRODUCTS,
        catalogue=[KEY],
        festivals={2025: dt.date(2025, 1, 29)},
    )
    assert [sign.rule.removeprefix("attention.") for sign in found] == names
    assert all(sign.zh and sign.en for sign in found)
    assert signs_of(Subject("region", "220100"), as_of=day, rules=rules.attention, products=PRODUCTS, catalogue=[KEY]) == ()


def test_attention_lifts_only_where_configured():
    rows, cards = twice("kites", "220100"), injuries("kites", 30)
    shown = occasions(now={"first": "06-01", "last": "06-30", "products": ["kites"]})
    lifted = occasions(now={"first": "06-01", "last": "06-30", "products": ["kites"], "lift": True})
    base, listed, raised = (judge_run(rows, injury=cards, rules=rules)[0] for rules in (RULES, shown, lifted))
    assert base.grade == listed.grade
    assert raised.grade == base.grade + 1
    assert [sign["rule"] for sign in listed.facts["attention"]] == ["attention.now"]
    assert next(step for step in listed.steps if step.rule == "attention").outcome == "1 points"


def domains(**entries):
    basis = {"source": "test", "dated": "2026-11-26", "verified": False}
    made = {name: [{"basis": basis, **one} for one in dated] for name, dated in entries.items()}
    return GradingRules.model_validate({**load("grading.yaml"), "domains": made})


def test_a_domain_has_its_own_rules_from_their_day_on():
    rules = domains(food=[{"from": "2024-01-01", "confidence": {"q_strong": 0.02}}, {"from": "2025-01-01", "floors": {"death": "I"}}])
    assert rules.for_domain("food", dt.date(2023, 12, 31)) is rules
    assert rules.for_domain("vehicle", dt.date(2025, 6, 1)) is rules
    first, second = rules.for_domain("food", dt.date(2024, 6, 1)), rules.for_domain("food", dt.date(2025, 1, 1))
    assert (first.confidence.q_strong, first.confidence.q_weak, first.floors.death) == (0.02, 0.05, "II")
    assert (second.confidence.q_strong, second.floors.death) == (0.01, "I")
    assert second.in_force == ("food", dt.date(2025, 1, 1))


def test_the_rules_of_a_domain_grade_its_goods_and_are_named():
    rows, checks = twice("kites", stream="spot_check"), [samples("kites", 40, 12)]
    rules = domains(general=[{"from": "2024-01-01", "table": {"cells": {"H": {"C2": "II"}}}}])
    early = judge_run(rows, checks=checks, rules=RULES)[0]
    found = judge_run(rows, checks=checks, rules=rules)[0]
    step = found.steps[0]
    assert (step.rule, step.inputs["domain"]) == ("rules.in-force", early.steps[0].inputs["domain"])
    # Goods whose industry is not known fall in no domain, and keep the rules of all goods.
    assert found.grade == early.grade
    assert found.facts["rule_set"]["domain"] == ""


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"confidence": {"q_stronk": 0.02}}, "domains.food from 2024-01-01: confidence.q_stronk: Extra inputs"),
        ({"confidence": {"q_strong": 0.5}}, "q_decisive <= q_strong"),
        ({"merging": {}}, "Extra inputs"),
        ({"until": "2023-01-01"}, "lies before"),
    ],
)
def test_a_domain_is_checked_as_strictly_as_the_base(entry, message):
    with pytest.raises(ValidationError, match=message):
        domains(food=[{"from": "2024-01-01", **entry}])
