"""Purposes, strata, cells and enterprises."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import RateError
from riskwatch.rates import build_cells, purpose_of, stratum_of
from riskwatch.rates.clusters import Clusters, correlations, effective
from riskwatch.records.streams import CHECK_TYPES, SELECTIONS

BY = {"product": "category", "region": "prefecture"}


def checks(size=4000, seed=0):
    rng = np.random.default_rng(seed)
    codes = ["P0101", "P0102", "P0201", "P0301"]
    frame = pd.DataFrame(
        {
            "event_date": np.datetime64("2025-01-01") + rng.integers(0, 360, size).astype("timedelta64[D]"),
            "product": pd.Categorical(rng.choice(codes, size)),
            "industry": "C2452",
            "region": rng.choice(["220102", "220103", "220202"], size),
            "producer_region": rng.choice(["220102", "330100"], size),
            "check_type": pd.Categorical(rng.choice(["national", "county"], size)),
            "selection": "random",
            "channel": rng.choice(["online", "production"], size),
            "laboratory": "x",
            "producer": pd.Categorical(rng.choice([f"M{number}" for number in range(300)], size)),
            "inspected": 1,
            "failed": (rng.random(size) < 0.1).astype(int),
        }
    )
    frame.loc[:9, "product"] = np.nan
    frame.loc[5:25, "channel"] = np.nan
    frame.loc[30:80, "producer"] = np.nan
    return frame


def test_every_pair_has_one_purpose(rules):
    both = list(itertools.product([*SELECTIONS, None], [*CHECK_TYPES, None]))
    found = dict(zip(both, purpose_of(pd.DataFrame(both, columns=["selection", "check_type"]), rules), strict=True))
    assert found["random", "provincial"] == found["random", None] == "comparison"
    assert found["random", "recheck"] == found["follow-up", "national"] == "persistence"
    assert found["targeted", "county"] == found["complaint-led", None] == found["random", "enforcement"] == "hazard"
    assert found["random", "risk-monitoring"] == "hazard"
    # Selection is what statistics cannot do without.
    assert found[None, "national"] == "none"
    comparable = {pair for pair, purpose in found.items() if purpose == "comparison"}
    assert comparable == {("random", kind) for kind in ("national", "provincial", "prefecture", "county", "special", None)}


def test_strata_are_named_and_what_is_unknown_is_said(rules):
    frame = checks()
    labels = stratum_of(frame, rules)
    assert set(labels.categories) == {
        f"{kind}|random|{channel}" for kind in ("county", "national") for channel in ("?", "online", "production")
    }
    expected = frame["check_type"].astype(str) + "|random|" + frame["channel"].fillna("?")
    assert (np.asarray(labels) == expected.to_numpy()).all()
    with pytest.raises(RateError, match="lack the column"):
        stratum_of(frame.drop(columns="channel"), rules)


def test_cells_hold_every_sample_once(rules, trees):
    frame = checks()
    cells = build_cells(frame, trees, BY, rules)
    assert (cells["inspected"].sum(), cells["failed"].sum(), cells["unnamed"].sum()) == (len(frame), frame["failed"].sum(), 51)
    assert list(cells.columns[:3]) == ["product", "region", "stratum"]
    assert not cells.duplicated(["product", "region", "stratum"]).any()
    assert cells.loc[cells["product"] == "?", "inspected"].sum() == 10
    one = frame[(frame["product"].isin(["P0101", "P0102"])) & frame["region"].str.startswith("2201") & (frame["check_type"] == "county")]
    one = one[one["channel"] == "online"]
    row = cells.set_index(["product", "region", "stratum"]).loc[("P01", "220100", "county|random|online")]
    assert (row["inspected"], row["failed"], row["producers"]) == (len(one), one["failed"].sum(), one["producer"].nunique())
    assert row["largest_share"] == one["producer"].value_counts().iloc[0] / len(one)


def test_periods_are_a_key(rules, trees):
    cells = build_cells(checks(), trees, {"product": "product"}, rules, frequency="month")
    assert cells["period"].nunique() == 12
    assert cells["inspected"].sum() == 4000


def test_order_and_kind_of_columns_change_no_bit(rules, trees):
    frame = checks()
    mixed = frame.sample(frac=1, random_state=3).astype({"product": object, "producer": object, "check_type": object})
    pd.testing.assert_frame_equal(build_cells(frame, trees, BY, rules), build_cells(mixed, trees, BY, rules))


def test_one_enterprise_does_not_outweigh_the_others(rules, trees):
    frame = checks(400)
    frame["product"], frame["region"], frame["check_type"], frame["channel"] = "P0101", "220102", "county", "online"
    frame["producer"] = [f"M{number}" for number in range(400)]
    frame.loc[:299, "producer"] = "BIG"
    frame.loc[:299, "failed"] = 1
    frame.loc[300:, "failed"] = 0
    (row,) = build_cells(frame, trees, BY, rules).to_dict("records")
    assert row["largest_share"] == 0.75
    # rho is at its upper bound: 300 samples of one enterprise that all fail count for about two.
    assert row["correlation"] == pytest.approx(rules.correlation.maximum)
    assert row["failed_eff"] == pytest.approx(300 / (1 + 299 * 0.5))
    assert row["inspected_eff"] == pytest.approx(100 + 300 / (1 + 299 * 0.5))
    loose = rules.model_copy(update={"correlation": rules.correlation.model_copy(update={"minimum": 0.0, "maximum": 1e-9})})
    (row,) = build_cells(frame, trees, BY, loose).to_dict("records")
    assert row["failed_eff"] == pytest.approx(100.0, rel=1e-6)  # half of the cell's weight, not three quarters


def test_correlation_is_found_back(rules):
    rng = np.random.default_rng(5)
    cells, per_cell = 600, 12
    cell = np.repeat(np.arange(cells), per_cell)
    m = rng.integers(1, 8, len(cell)).astype(float)
    p = rng.beta(2, 20, cells)[cell]
    found = []
    for rho in (1e-9, 0.1, 0.3):
        size = 1 / rho - 1
        x = rng.binomial(m.astype(int), rng.beta(np.maximum(p * size, 1e-9), np.maximum((1 - p) * size, 1e-9))).astype(float)
        found.append(correlations(Clusters(cell, x, m), np.zeros(cells, dtype=np.int64), 1, rules.correlation)[0])
    assert found == pytest.approx([0.0, 0.1, 0.3], abs=0.03)


def test_without_pairs_the_typical_value_stands(rules):
    alone = Clusters(np.arange(5), np.zeros(5), np.ones(5))
    rho = correlations(alone, np.zeros(5, dtype=np.int64), 1, rules.correlation)
    assert rho == pytest.approx([rules.correlation.typical])
    x, n = effective(alone, np.full(5, 0.3), 0.5)
    assert (x == 0).all()
    assert (n == 1).all()


def test_wrong_counts_keys_and_columns_are_named(rules, trees):
    frame = checks(50)
    with pytest.raises(RateError, match="cannot be keyed by 'producer'"):
        build_cells(frame, trees, {"producer": "product"}, rules)
    with pytest.raises(RateError, match=r"lack the column\(s\) producer"):
        build_cells(frame.drop(columns="producer"), trees, BY, rules)
    frame.loc[3, "failed"] = 2
    with pytest.raises(RateError, match=r"1 record\(s\) do not, first: 2 of 1"):
        build_cells(frame, trees, BY, rules)
