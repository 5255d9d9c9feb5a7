"""Regions side by side: nobody gains by sampling little."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import RiskwatchError
from riskwatch.indicators.scorecard import SCORECARD_COLUMNS, funnel, scorecard
from riskwatch.indicators.values import binomial_interval

REGIONS = [f"22{number:02d}00" for number in range(1, 10)]


def rates(failed, inspected, regions=REGIONS):
    failed, inspected = np.asarray(failed, float), np.asarray(inspected, float)
    low, high = binomial_interval(failed, inspected)
    share = failed / inspected
    return pd.DataFrame({"code": regions, "inspected": inspected, "raw": share, "rate": share, "lower": low, "upper": high})


def coverage(shares, regions=REGIONS):
    return pd.DataFrame({"region": regions, "cells": 100, "covered": [100 * share for share in shares], "share": shares})


def closure(regions=REGIONS):
    return pd.DataFrame({"region": regions, "orders": 12, "due": 10, "closed_in_time": 9, "share": 0.9, "lower": 0.6, "upper": 0.98})


def targets(rows):
    return pd.DataFrame(rows, columns=["region", "kind", "state", "risk"])


NONE = targets([])


def test_a_low_rate_with_low_coverage_is_not_comparable(catalogue):
    failed = [60, 61, 59, 58, 62, 60, 61, 59, 2]
    inspected = [1000] * 8 + [400]
    shares = [0.9] * 8 + [0.2]
    found = scorecard(rates(failed, inspected), coverage(shares), closure(), NONE, rules=catalogue.scorecard).set_index("region")
    hidden = found.loc[REGIONS[-1]]
    assert hidden["z"] < -3
    assert hidden["position"] == "not-comparable"
    assert hidden["flags"] == "too-little-sampled"
    assert not hidden["comparable"]
    # The same region, sampled as it should be, is what it looks like.
    seen = scorecard(rates(failed, inspected), coverage([0.9] * 9), closure(), NONE, rules=catalogue.scorecard).set_index("region")
    assert seen.loc[REGIONS[-1], "position"] in {"low", "rather-low"}
    assert seen.loc[REGIONS[-1], "comparable"]


def test_a_high_rate_counts_even_where_little_was_sampled(catalogue):
    found = scorecard(rates([60] * 8 + [120], [1000] * 8 + [400]), coverage([0.9] * 8 + [0.2]), closure(), NONE, rules=catalogue.scorecard)
    last = found.iloc[-1]
    assert last["position"] in {"high", "rather-high"}
    assert last["flags"] == "too-little-sampled"


def test_what_is_unknown_is_said(catalogue):
    known = rates([60] * 8 + [2], [1000] * 8 + [20.0])
    found = scorecard(known.iloc[1:], coverage([0.9] * 9).iloc[:-2], closure().iloc[:3], NONE, rules=catalogue.scorecard).set_index(
        "region"
    )
    assert found.loc[REGIONS[0], "flags"] == "no-rate"
    assert found.loc[REGIONS[0], "position"] == ""
    assert found.loc[REGIONS[-1], "flags"] == "few-samples;coverage-unknown;closure-unknown"
    assert found.loc[REGIONS[-2], "flags"] == "coverage-unknown;closure-unknown"
    assert found.loc[REGIONS[-2], "position"] == "not-comparable"


def test_targets_are_counted_apart(catalogue):
    judged = targets(
        [
            (REGIONS[0], "q", "attained", ""),
            (REGIONS[0], "q", "missed", ""),
            (REGIONS[0], "q", "short", "at-risk"),
            (REGIONS[0], "q", "reached", "on-track"),
            (REGIONS[0], "q", "reached", "lost"),
            (REGIONS[0], "q", "unknown", ""),
            (REGIONS[0], "x", "context", ""),
            (REGIONS[0], "n", "no-figure", ""),
        ]
    )
    found = scorecard(rates([60] * 9, [1000] * 9), coverage([0.9] * 9), closure(), judged, rules=catalogue.scorecard)
    assert found.loc[0, ["targets_scored", "targets_met", "targets_at_risk"]].tolist() == [5, 2, 1]
    assert found.loc[1, ["targets_scored", "targets_met"]].tolist() == [0, 0]
    assert list(found.columns) == SCORECARD_COLUMNS
    # Parts stand side by side: no column blends them, and regions come in the order of their codes.
    assert not {"score", "rank", "total"} & set(found.columns)
    assert found["region"].tolist() == sorted(REGIONS)


def test_z_is_that_of_the_formula():
    table = rates([30, 60, 90], [1000] * 3, REGIONS[:3])
    parts = [table[name].to_numpy() for name in ("rate", "lower", "upper", "inspected")]
    z, centre, between = funnel(*parts, level=0.95, winsorise=0.0)
    assert centre == pytest.approx(0.06)
    arc = [math.asin(math.sqrt(value)) for value in (0.03, 0.06, 0.09)]
    sd = [
        (math.asin(math.sqrt(high)) - math.asin(math.sqrt(low))) / (2 * 1.959963984540054)
        for low, high in zip(table["lower"], table["upper"], strict=True)
    ]
    plain = [(value - math.asin(math.sqrt(0.06))) / error for value, error in zip(arc, sd, strict=True)]
    weights = [1 / error**2 for error in sd]
    tau2 = (sum(value**2 for value in plain) - 2) / (sum(weights) - sum(weight**2 for weight in weights) / sum(weights))
    assert between == pytest.approx(math.sqrt(tau2))
    assert z.tolist() == pytest.approx([value * error / math.sqrt(error**2 + tau2) for value, error in zip(plain, sd, strict=True)])


def test_regions_alike_are_rarely_called_out_and_true_spread_is_allowed_for():
    rng = np.random.default_rng(8)
    outside = {False: [], True: []}
    for spread in (False, True):
        for _ in range(200):
            share = 0.06 * np.exp(0.3 * rng.normal(size=20)) if spread else np.full(20, 0.06)
            inspected = rng.integers(200, 2000, 20)
            table = rates(rng.binomial(inspected, share), inspected, [str(number) for number in range(20)])
            z, _, _ = funnel(*(table[name].to_numpy() for name in ("rate", "lower", "upper", "inspected")), level=0.95, winsorise=0.1)
            outside[spread].append(float((np.abs(z) > 1.96).mean()))
    assert 0.02 < np.mean(outside[False]) < 0.08
    assert np.mean(outside[True]) < 0.12  # without allowing for it about half the regions would be


def test_order_does_not_matter_and_z_does_not_follow_size(catalogue):
    failed, inspected = [60, 66, 59, 58, 62, 60, 71, 59, 30], [1000] * 8 + [500]
    parts = (rates(failed, inspected), coverage([0.9] * 9), closure())
    expected = scorecard(*parts, NONE, rules=catalogue.scorecard)
    turned = scorecard(*(part.iloc[::-1] for part in parts), NONE, rules=catalogue.scorecard)
    pd.testing.assert_frame_equal(turned, expected)
    assert abs(expected["z"].iloc[-1]) < 0.5


def test_missing_columns_and_double_regions_are_named(catalogue):
    with pytest.raises(RiskwatchError, match="coverage needs the columns region, cells, covered, share, missing share"):
        scorecard(rates([1] * 9, [9] * 9), coverage([0.5] * 9).drop(columns="share"), closure(), NONE, rules=catalogue.scorecard)
    twice = pd.concat([closure(), closure().iloc[:1]])
    with pytest.raises(RiskwatchError, match="closure must have each region once, 220100 is there twice"):
        scorecard(rates([1] * 9, [9] * 9), coverage([0.5] * 9), twice, NONE, rules=catalogue.scorecard)
