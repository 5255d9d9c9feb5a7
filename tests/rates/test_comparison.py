"""compare and change on the simulated province, and on Chicago and Chinese food spot checks."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskwatch.datasets import simulate_province
from riskwatch.errors import DimensionError, RateError
from riskwatch.rates import CHANGE_COLUMNS, COMPARE_COLUMNS, change, compare, window_of
from riskwatch.runner.rates import earlier_window

YEAR = (dt.date(2025, 1, 1), dt.date(2025, 12, 31))
BEFORE = (dt.date(2024, 1, 1), dt.date(2024, 12, 31))


@pytest.fixture(scope="module")
def province():
    checks = simulate_province(seed=1, start=dt.date(2024, 1, 1), scale=0.2, hazards=()).spot_checks
    return checks[checks["version"] == 1].reset_index(drop=True)


def test_regions_are_compared_at_one_mix(province, trees, rules):
    found = compare(province, trees, rules, by="region", window=YEAR)
    assert list(found.columns) == COMPARE_COLUMNS
    assert found.attrs["level"] == "prefecture"
    assert len(found) == 9
    random = province[
        (province["selection"] == "random") & (province["check_type"] != "recheck") & (province["event_date"] >= "2025-01-01")
    ]
    assert found["inspected"].sum() == random["inspected"].sum() == found.attrs["samples"]
    assert found["failed"].sum() == random["failed"].sum()
    assert found.attrs["left_out"]["hazard"] > 0
    assert ((found["lower"] < found["rate"]) & (found["rate"] < found["upper"])).all()
    # No hazard was put in and regions do not differ: standardised rates lie closer together than raw ones.
    assert found["rate"].std() < found["raw"].std()
    assert found["rate"].mean() == pytest.approx(found.attrs["reference"], rel=0.15)
    assert found["borrowed"].between(0, 1).all()


def test_a_worse_region_shows_whatever_it_samples(province, trees, rules):
    frame = province.copy()
    rng = np.random.default_rng(1)
    inside = frame["region"].astype(str).str.startswith("2207").to_numpy() & (rng.random(len(frame)) < 0.3)
    frame.loc[inside, "failed"] = 1
    found = compare(frame, trees, rules, by="region", window=YEAR).set_index("code")
    others = found.drop("220700")
    assert found.loc["220700", "lower"] > others["upper"].max() * 0.9
    assert found.loc["220700", "rate"] > 2.5 * others["rate"].mean()


@pytest.mark.parametrize(("by", "level"), [("product", "category"), ("industry", "division"), ("producer_region", "province")])
def test_other_keys(province, trees, rules, by, level):
    found = compare(province, trees, rules, by=by, window=YEAR)
    assert found.attrs["level"] == level
    assert found["code"].is_unique
    assert found["inspected"].sum() == found.attrs["samples"]


def test_row_order_changes_no_bit(province, trees, rules):
    mixed = province.sample(frac=1, random_state=5)
    for by in ("region", "product"):
        a, b = (compare(frame, trees, rules, by=by, window=YEAR) for frame in (province, mixed))
        pd.testing.assert_frame_equal(a, b, check_exact=True)


def test_few_samples_show_no_rate(province, trees, rules):
    few = province[province["selection"] == "random"].groupby(province["region"].astype(str).str[:4]).head(4)
    strict = rules.model_copy(update={"min_inspected": 5})
    found = compare(few, trees, strict, by="region")
    assert not found["shown"].any()
    assert found[["raw", "rate", "lower", "upper"]].isna().all(axis=None)
    assert found["inspected"].gt(0).all()


def test_change_of_the_mix_is_no_change_of_rates(province, trees, rules):
    """The same province, but the second year samples the bad products four times as often."""
    rng = np.random.default_rng(2)
    frame = province.copy()
    bad = frame["product"].astype(str).isin(["P0301", "P0302", "P0303", "P0401", "P0402"]).to_numpy()
    frame["failed"] = (rng.random(len(frame)) < np.where(bad, 0.4, 0.03)).astype(int)
    second = (frame["event_date"] >= "2025-01-01").to_numpy()
    frame = frame[~second | bad | (rng.random(len(frame)) < 0.25)]
    found = change(frame, trees, rules, before=BEFORE, after=YEAR, by="region")
    assert [name for name in found.columns if name in CHANGE_COLUMNS] == CHANGE_COLUMNS
    every = found.iloc[0]
    assert every["code"] == ""
    assert every["raw_change"] > 0.01
    np.testing.assert_allclose(found["within"] + found["mix"], found["raw_change"], atol=1e-12)
    parts = [name for name in found.columns if name.startswith("mix_") and name not in {"mix_lower", "mix_upper"}]
    assert parts == ["mix_stratum", "mix_category", "mix_product"]
    np.testing.assert_allclose(found[parts].sum(axis=1), found["mix"], atol=1e-12)
    assert every["mix"] > 0.5 * every["raw_change"]
    assert every["mix_lower"] > 0
    assert every["within_lower"] < 0 < every["within_upper"]
    assert every["lower"] < 0 < every["upper"]


def test_change_of_rates_is_seen(province, trees, rules):
    frame = province.copy()
    second = (frame["event_date"] >= "2025-01-01").to_numpy()
    frame.loc[second & (np.random.default_rng(3).random(len(frame)) < 0.15), "failed"] = 1
    every = change(frame, trees, rules, before=BEFORE, after=YEAR, by="product").iloc[0]
    assert every["lower"] > 0
    assert every["within_lower"] > 0
    assert abs(every["mix"]) < 0.2 * every["raw_change"]


def test_wrong_questions_are_answered(province, trees, rules):
    with pytest.raises(RateError, match="must follow each other"):
        change(province, trees, rules, before=YEAR, after=BEFORE)
    with pytest.raises(RateError, match=r"no sample from 2030-01-01 to 2030-12-31 serves comparison \(no samples at all\)"):
        compare(province, trees, rules, window=(dt.date(2030, 1, 1), dt.date(2030, 12, 31)))
    with pytest.raises(RateError, match="serves comparison"):
        compare(province[province["selection"] == "targeted"], trees, rules)
    with pytest.raises(DimensionError, match="has no level 'ward'"):
        compare(province, trees, rules, level="ward")
    with pytest.raises(RateError, match="cannot be keyed by 'laboratory'"):
        compare(province, trees, rules, by="laboratory")


def test_windows():
    assert window_of(dt.date(2025, 12, 31), 12) == YEAR
    assert earlier_window(YEAR, "year-ago") == BEFORE
    assert earlier_window((dt.date(2025, 7, 1), dt.date(2025, 7, 31)), "previous") == (dt.date(2025, 5, 31), dt.date(2025, 6, 30))
    with pytest.raises(RateError, match="'fortnight' is unknown"):
        earlier_window(YEAR, "fortnight")
