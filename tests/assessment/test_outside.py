"""Notices from elsewhere beside local alarms: they raise confidence by one at most, never lower it, and alone stay at level IV."""

import datetime as dt

import pandas as pd
import pytest
from assessment_world import AS_OF, judge_run, load, samples, twice

from riskwatch.assessment import Grade, from_payload, to_payload
from riskwatch.assessment.outside import RULE
from riskwatch.assessment.rules import CONFIDENCES
from riskwatch.outside.goods import goods_table
from riskwatch.outside.rules import OutsideRules
from riskwatch.outside.weight import NOTICES, Outside

SHIPPED = OutsideRules.model_validate(load("outside.yaml"))
# Heavier than shipped, so that a step of confidence is in reach.
HEAVY = SHIPPED.model_copy(update={"weights": SHIPPED.weights.model_copy(update={"systems": {"RASFF": 5.0}, "cap": 5.0, "enough": 1})})


def outside(count, *, rules=HEAVY, hazard="choking", product="dolls", days=3, system="RASFF"):
    day = pd.Timestamp(AS_OF - dt.timedelta(days=days))
    rows = [(number, system, "x", product, day, hazard, "220000") for number in range(count)]
    goods = goods_table(
        {"spot_check": pd.DataFrame({"product": ["dolls"] * 9, "region": ["220101"] * 9, "producer_region": ["220101"] * 9})}
    )
    return Outside(rules, pd.DataFrame(rows, columns=list(NOTICES)), goods)


def dolls(p, heard=None, extra=()):
    found = judge_run([*twice("dolls", "220101", stream="spot_check", p=p), *extra], checks=[samples("dolls", 30, 8)], outside=heard)
    return next(one for one in found if one.subject.code == "dolls")


def rank(assessment):
    return CONFIDENCES.index(assessment.confidence)


P_VALUES = (1e-6, 0.004, 0.01, 0.03)


def test_notices_raise_confidence_by_one_at_most_and_never_lower_it():
    gains = []
    for p in P_VALUES:
        plain = dolls(p)
        levels = [rank(dolls(p, outside(count))) for count in (0, 3)]
        assert levels == sorted(levels)
        gains.append(levels[-1] - rank(plain))
        assert levels[-1] < 3
    assert set(gains) == {0, 1}


def test_shipped_weights_are_light():
    raised = [rank(dolls(p, outside(9, rules=SHIPPED))) - rank(dolls(p)) for p in P_VALUES]
    assert set(raised) <= {0, 1}
    assert dolls(0.002, outside(9, rules=SHIPPED)).facts["outside"]["ratio"] == pytest.approx(1.3, abs=0.01)


@pytest.mark.parametrize("other", [{"hazard": "chemical"}, {"product": "heaters"}, {"days": 2000}, {"hazard": "unknown"}])
def test_other_hazards_products_and_old_notices_change_nothing(other):
    heard, plain = dolls(0.01, outside(9, **other)), dolls(0.01)
    assert (heard.confidence, heard.grade) == (plain.confidence, plain.grade)
    assert "outside" not in heard.facts


def test_the_line_tells_weight_goods_and_effect_in_both_languages():
    found = dolls(0.01, outside(2, rules=SHIPPED))
    text = found.facts["outside"]["text"]
    assert "RASFF 2" in text["zh"]
    assert "RASFF 2 (2 of goods from this country" in text["en"]
    assert "met here in 9 records of 3 years, 9 as made here" in text["en"]
    assert "weights not verified" in text["en"]
    assert "权重未经验证" in text["zh"]
    assert text["en"].count("\n") == text["zh"].count("\n") == 0
    step = next(step for step in found.steps if step.rule == RULE)
    assert step.inputs["RASFF"]["stated"] == 1.3
    assert from_payload(to_payload(found)).facts["outside"] == found.facts["outside"]


def test_notices_alone_stay_at_level_iv_until_something_local_shows():
    notices = [
        {"record_key": f"N{k}", "source": "rasff", "event_date": AS_OF - dt.timedelta(days=3 + k), "product": "heaters", "system": "RASFF",
         "title": "carbon monoxide", "hazard": "carbon monoxide", "notice_type": "recall", "notices": 1}
        for k in range(9)
    ]  # fmt: skip
    alone = judge_run(
        twice("heaters", stream="external_notice", p=1e-9), notices=notices, outside=outside(9, product="heaters", hazard="gas-co")
    )
    first = next(one for one in alone if one.subject.code == "heaters")
    assert first.grade <= Grade.IV
    assert next(step for step in first.steps if step.rule == "cap.outside-only").outcome == "capped"
    assert "Rests on notices" in first.facts["outside"]["text"]["en"] or first.facts["outside"]["terms"]
    signals = [*twice("heaters", stream="external_notice", p=1e-9), *twice("heaters", stream="injury", p=1e-9)]
    both = next(one for one in judge_run(signals, notices=notices) if one.subject.code == "heaters")
    assert both.grade > Grade.IV


def test_an_alarm_of_notices_is_not_strengthened_by_the_same_notices():
    for p in P_VALUES:
        signals = twice("dolls", stream="external_notice", p=p)
        plain, heard = judge_run(signals), judge_run(signals, outside=outside(9))
        assert [one.confidence for one in heard] == [one.confidence for one in plain]


def test_without_notices_from_outside_nothing_is_said():
    assert "outside" not in dolls(0.01).facts
    assert all(step.rule != RULE for step in dolls(0.01).steps)
