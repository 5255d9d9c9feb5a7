"""What notices weigh: worked by hand, monotone, fading, capped; and whether goods are here."""

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from riskwatch.outside.goods import goods_table, met
from riskwatch.outside.rules import OutsideRules, WeightRules
from riskwatch.outside.weight import NOTICES, lowered, weigh

CONFIG = Path(__file__).resolve().parents[2] / "config/outside.yaml"
RULES = OutsideRules.model_validate(YAML(typ="safe").load(CONFIG.read_text("utf-8")))
AS_OF = dt.date(2025, 6, 30)
WEIGHTS = WeightRules.model_validate(
    {
        **RULES.weights.model_dump(),
        "systems": {"RASFF": 2.0, "CPSC": 3.0},
        "other": 1.5,
        "cap": 4.0,
        "enough": 2,
        "half_life_days": 100,
        "forget_days": 300,
    }
)


def within(code, ancestor):
    return code.startswith(ancestor)


def tie(one, other):
    return "same" if one == other else "akin" if {one, other} == {"fire", "electrical"} else "differs"


def rows(*notices):
    return pd.DataFrame(
        [
            {
                "notice": k,
                "system": s,
                "own": "",
                "product": p,
                "day": pd.Timestamp(AS_OF - dt.timedelta(days=age)),
                "hazard": h,
                "origin": o,
            }
            for k, (s, p, age, h, o) in enumerate(notices)
        ],
        columns=list(NOTICES),
    )


def weighed(frame, **options):
    given_ = {"product": "P01", "hazard": "fire", "as_of": AS_OF, "presence": "here", "rules": WEIGHTS}
    return weigh(frame, within=within, tie=tie, home=lambda origin: origin == "CN", **{**given_, **options})


def test_one_fresh_notice_has_its_part_of_the_stated_weight():
    found = weighed(rows(("RASFF", "P01", 0, "fire", "CN")))
    assert found.ratio == pytest.approx(2**0.5)
    assert (found.terms[0].notices, found.terms[0].made_here, found.terms[0].share) == (1, 1, 0.5)


def test_age_fit_and_presence_take_their_shares():
    frame = rows(("RASFF", "P01", 100, "fire", ""), ("RASFF", "P", 0, "electrical", ""))
    # 1/2 for age; 1/2 for the category and 1/2 for an akin hazard: 0.75 of 2 notices.
    assert weighed(frame).ratio == pytest.approx(2**0.375)
    assert weighed(frame, presence="not-met").ratio == pytest.approx(2 ** (0.375 * 0.25))


def test_what_is_old_of_another_product_or_hazard_or_yet_to_come_weighs_nothing():
    frame = rows(
        ("RASFF", "P01", 301, "fire", ""),
        ("RASFF", "P02", 0, "fire", ""),
        ("RASFF", "P01", 0, "chemical", ""),
        ("RASFF", "P01", -1, "fire", ""),
    )
    assert weighed(frame).ratio == 1.0
    assert weighed(frame).terms == ()


def test_systems_add_up_to_the_cap():
    frame = rows(*[("RASFF", "P01", 0, "fire", "")] * 5, *[("CPSC", "P01", 0, "fire", "")] * 5)
    found = weighed(frame)
    assert found.capped
    assert found.ratio == pytest.approx(4.0)
    assert [term.ratio for term in found.terms] == pytest.approx([3.0, 2.0])


def test_a_notice_matched_to_several_codes_counts_once():
    frame = rows(("RASFF", "P01", 0, "fire", ""), ("RASFF", "P", 0, "fire", "")).assign(notice=0)
    assert weighed(frame).ratio == pytest.approx(2**0.5)


notice = st.tuples(
    st.sampled_from(["RASFF", "CPSC", "FSIS"]),
    st.sampled_from(["P", "P01", "P0101", "P02"]),
    st.integers(-10, 400),
    st.sampled_from(["fire", "electrical", "chemical"]),
    st.just(""),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(notice, max_size=8), notice)
def test_one_notice_more_never_lowers_the_weight(some, more):
    before, after = weighed(rows(*some)).ratio, weighed(rows(*some, more)).ratio
    assert 1.0 <= before <= after * (1 + 1e-12)
    assert after <= WEIGHTS.cap * (1 + 1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(notice, max_size=8), st.randoms())
def test_the_order_of_notices_does_not_matter(some, random):
    frame = rows(*some)
    turned = list(range(len(frame)))
    random.shuffle(turned)
    assert weighed(frame.iloc[turned].reset_index(drop=True)).ratio == weighed(frame).ratio


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1), st.floats(1, 10))
def test_q_is_never_raised(q, ratio):
    some = np.array(q)
    assert (lowered(some, ratio) <= some).all()
    assert lowered(some, 1.0) == pytest.approx(some)


def test_q_follows_bayes():
    assert lowered(np.array([0.2]), 3.0)[0] == pytest.approx(1 / (1 + 4 * 3))


@pytest.mark.parametrize("change", [{"systems": {"RASFF": 0.5}}, {"hazard": {"same": 1.0}}, {"cap": 0.9}])
def test_a_weight_that_speaks_against_a_concern_is_refused(change):
    with pytest.raises(ValidationError):
        WeightRules.model_validate({**RULES.weights.model_dump(), **change})


GOODS = goods_table(
    {
        "spot_check": pd.DataFrame(
            {"product": ["P0101"] * 3 + ["P02"] * 60, "region": ["R1"] * 63, "producer_region": ["R1", "R2", None] + ["R2"] * 60}
        ),
        "injury": pd.DataFrame({"product": ["P03"], "region": ["R2"]}),
    }
)


@pytest.mark.parametrize(
    ("code", "region", "presence", "sold", "made"),
    [
        ("P01", "R1", "here", 3, 1),
        ("P02", "R1", "here", 60, 0),
        ("P03", "R1", "not-met", 0, 0),
        ("P02", "R3", "unknown", 0, 0),
        ("P03", "", "here", 1, 0),
    ],
)
def test_goods_are_met_with_figures(code, region, presence, sold, made):
    found = met(GOODS, [code], region, product=within, place=within, rules=RULES.local)
    assert (found.presence, found.sold, found.made) == (presence, sold, made)


def test_without_records_nothing_is_known():
    assert met(goods_table({}), ["P01"], "R1", product=within, place=within, rules=RULES.local).presence == "unknown"


def test_stated_weights_are_likelihood_ratios_of_at_least_one():
    assert all(ratio >= 1 for ratio in RULES.weights.systems.values())
    assert not RULES.weights.basis.verified
    assert math.log(RULES.weights.cap) > 0
