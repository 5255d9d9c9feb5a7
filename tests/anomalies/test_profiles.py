"""Profiles from records: the order of rows, what is planted, what is absent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.anomalies import AnomalyRules, enterprise_profile, product_region_profile
from riskwatch.errors import RecordError
from tests.anomalies.conftest import AS_OF, quick, records


def column(profile, name):
    names = [feature.name for feature in profile.features]
    return pd.Series(profile.raw[:, names.index(name)], index=pd.MultiIndex.from_frame(profile.keys))


def test_the_shipped_rules_are_read_and_say_that_they_are_a_proposal(definitions):
    rules = AnomalyRules.model_validate(definitions.catalogue("anomalies"))
    assert (rules.verified, rules.source) == (False, "design proposal")
    with pytest.raises(ValueError, match="Extra inputs"):
        AnomalyRules.model_validate({**definitions.catalogue("anomalies"), "contamination": 0.1})


def test_the_order_of_records_does_not_matter(trees):
    checks, items, injuries = records()
    mixed = [frame.sample(frac=1, random_state=5) for frame in (checks, items, injuries)]
    first = product_region_profile(checks, items, injuries, trees, quick(), as_of=AS_OF)
    again = product_region_profile(*mixed, trees, quick(), as_of=AS_OF)
    pd.testing.assert_frame_equal(first.keys, again.keys)
    np.testing.assert_array_equal(first.raw, again.raw)
    firms = [enterprise_profile(checks, items, trees, quick(), as_of=AS_OF), enterprise_profile(*mixed[:2], trees, quick(), as_of=AS_OF)]
    pd.testing.assert_frame_equal(firms[0].keys, firms[1].keys)
    np.testing.assert_array_equal(firms[0].raw, firms[1].raw)


def test_what_is_planted_shows_in_its_own_feature(trees):
    checks, items, injuries = records()
    here = (checks["product"] == "P0304") & trees["region"].is_within(checks["region"], "220200")
    checks.loc[here, "failed"] = np.random.default_rng(1).binomial(1, 0.6, here.sum())
    hurt = (injuries["product"] == "P0304") & trees["region"].is_within(injuries["region"], "220200")
    injuries = pd.concat([injuries, *[injuries[hurt].assign(severity="severe")] * 3])
    profile = product_region_profile(checks, items, injuries, trees, quick(), as_of=AS_OF)
    assert len(profile.keys) == 6 * 9
    assert {feature.name for feature in profile.features} == {
        "failure", "trend", "sampling", "mix", "safety", "injury", "severe", "injury_trend",
    }  # fmt: skip
    for name in ("failure", "injury", "severe"):
        assert column(profile, name)["P0304"].idxmax() == "220200", name
    assert abs(column(profile, "sampling")["P0304", "220200"]) < 0.5


def test_rates_come_from_random_samples_and_are_drawn_to_the_products(trees):
    checks, items, injuries = records()
    checks.loc[checks["selection"] == "targeted", "failed"] = 1
    profile = product_region_profile(checks, items, injuries, trees, quick(), as_of=AS_OF)
    assert column(profile, "failure").max() < 0  # below one half: targeted failures are not in it
    few = checks[(checks["product"] == "P0101") & (checks["region"].str.startswith("2208")) & (checks["selection"] == "random")].head(6)
    thin = pd.concat([checks[~((checks["product"] == "P0101") & checks["region"].str.startswith("2208"))], few.assign(failed=1)])
    drawn = column(product_region_profile(thin, items, injuries, trees, quick(), as_of=AS_OF), "failure")["P0101", "220800"]
    assert 0 < 1 / (1 + np.exp(-drawn)) < 0.7  # six of six failed: not 100 %


def test_absent_streams_are_left_out_and_said(trees):
    checks, items, injuries = records()
    profile = product_region_profile(checks, items.iloc[:0], injuries.iloc[:0], trees, quick(), as_of=AS_OF)
    assert {feature.name for feature in profile.features} == {"failure", "trend", "sampling"}
    assert {"complaints", "mix", "safety", "injury", "severe", "injury_trend"} <= set(profile.absent)
    assert profile.absent["complaints"] == ("本项目无投诉数据流", "this project has no stream of complaints")
    with pytest.raises(RecordError, match="missing: producer"):
        product_region_profile(checks.drop(columns="producer"), items, injuries, trees, quick(), as_of=AS_OF)


def test_a_firm_that_fails_again_and_again_stands_out_and_names_are_not_needed(trees):
    checks, items, _ = records()
    checks.loc[checks["producer"] == "firm-042", "failed"] = 1
    profile = enterprise_profile(checks, items, trees, quick(), as_of=AS_OF)
    assert list(profile.keys.columns) == ["row", "enterprise"]
    assert profile.keys["row"].tolist() == list(range(1, 301))
    assert column(profile, "failure").idxmax()[1] == "firm-042"
    # With many samples everybody fails in every half-year: repetition tells where samples are few.
    few = enterprise_profile(checks.head(3000), items, trees, quick(), as_of=AS_OF)
    repeated = column(few, "repeat")
    assert repeated.xs("firm-042", level=1).item() > repeated.quantile(0.6)
    assert "producer_name" not in checks.columns


def test_the_spread_over_regions_does_not_depend_on_how_much_was_sampled(trees):
    checks, items, _ = records()
    spread = column(enterprise_profile(checks, items, trees, quick(), as_of=AS_OF), "regions")
    twice = pd.concat([checks, records(2)[0].assign(record_id=lambda frame: frame["record_id"] + 100_000)])
    doubled = column(enterprise_profile(twice, items, trees, quick(), as_of=AS_OF), "regions")
    assert abs(spread.mean() - doubled.mean()) < 0.005
    # One region only: no spread at all.
    checks.loc[checks["producer"] == "firm-007", "region"] = "220102"
    assert column(enterprise_profile(checks, items, trees, quick(), as_of=AS_OF), "regions").xs("firm-007", level=1).item() == 0
