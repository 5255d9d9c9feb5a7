"""The list: what was planted leads it, honest levels without trends, direction, refusals, and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import TrendError
from riskwatch.panel import Panel
from riskwatch.trends.ranking import REASONS, comparable, worsening
from tests.trends.conftest import keys

COLUMNS = [
    "product", "industry", "region", "stratum", "slope_percent_per_year", "lower", "upper", "method", "p_value", "q_value",
    "level_now", "level_now_lower", "level_now_upper", "change_point", "change_ratio",
    "forecast_4", "forecast_4_lower", "forecast_4_upper", "forecast_6", "forecast_6_lower", "forecast_6_upper",
    "forecast_12", "forecast_12_lower", "forecast_12_upper", "threshold", "probability_crossing", "n_periods", "total", "rank", "reason",
]  # fmt: skip


@pytest.fixture(scope="module")
def ranked(mixed, rules):
    return worsening(mixed, rules)


def test_what_gets_worse_leads_the_list_and_is_measured(ranked):
    assert list(ranked.columns) == COLUMNS
    planted = [f"p{number:02d}" for number in range(10)]
    assert set(ranked["product"].head(10)) == set(planted)
    lead = ranked.head(10)
    assert (lead["reason"] == "worse").all()
    assert lead["slope_percent_per_year"].median() == pytest.approx(22, abs=5)  # a quarter a year, bent by the logit
    assert (ranked["reason"] == "worse").sum() <= 12
    assert lead["level_now"].median() == pytest.approx(0.12 * 1.25**2, rel=0.1)
    assert (lead["forecast_12"] > 0.12).all()
    assert lead["probability_crossing"].median() > 3 * ranked.loc[ranked["reason"] == "uncertain", "probability_crossing"].median()
    judged = ranked[ranked["rank"].notna()]
    assert judged["rank"].tolist() == list(range(1, len(judged) + 1))
    assert judged["lower"].is_monotonic_decreasing


def test_falls_are_no_worsening_and_refused_series_say_why(ranked):
    by = ranked.set_index("product")
    falling = by.loc[[f"p{number:02d}" for number in range(40, 45)]]
    assert (falling["reason"] == "falling").all()
    assert (falling["p_value"] > 0.9).all()
    assert by.loc["p45", "reason"] == "too-few-cases"
    assert (by.loc[["p47", "p48", "p49"], "reason"] == "too-short").all()
    refused = ranked[ranked["rank"].isna()]
    assert len(refused) == 5
    assert refused[["lower", "q_value", "level_now", "forecast_4"]].isna().all(axis=None)
    assert (refused["method"] == "").all()
    assert set(ranked["reason"]) <= set(REASONS)


def test_levels_of_lists_without_any_trend(rules):
    rng = np.random.default_rng(30)
    months = pd.period_range("2020-01", periods=48, freq="M")
    frame = worsening(Panel(rng.poisson(8, (300, 48)).astype(float), keys(map(str, range(300))), months), rules)
    assert (frame["p_value"] < 0.05).mean() < 0.075
    assert (frame["reason"] == "worse").sum() <= 2
    assert (frame["lower"] > 0).mean() < 0.05
    assert frame["change_point"].notna().mean() <= 0.05
    assert frame.attrs["rolling"][0]["coverage"] > 0.93


def test_rare_and_short_series_are_tested_by_mann_kendall(rules):
    rng = np.random.default_rng(31)
    months = pd.period_range("2018-01", periods=84, freq="M")
    y = rng.poisson(0.3 * np.exp(0.4 * (np.arange(84) - 42) / 12), (12, 84)).astype(float)
    frame = worsening(Panel(y, keys(map(str, range(12))), months), rules)
    rare = frame[frame["method"] == "mann-kendall"]
    assert len(rare) >= 8
    assert ((y == 0).mean(axis=1)[rare["product"].astype(int)] > 0.6).all()
    assert (rare["slope_percent_per_year"] > 0).all()
    assert (rare["reason"] == "worse").sum() >= 3  # two or three cases a year leave little to be sure of
    short = worsening(Panel(rng.poisson(9, (5, 15)).astype(float), keys(map(str, range(5))), months[:15]), rules)
    assert (short["method"] == "mann-kendall").all()
    assert short["rank"].notna().all()


def test_order_of_rows_does_not_matter(mixed, rules, ranked):
    order = np.random.default_rng(32).permutation(50)
    turned = Panel(mixed.observed[order], mixed.index[order], mixed.periods, mixed.exposure[order])
    again = worsening(turned, rules)
    pd.testing.assert_frame_equal(again, ranked)


def test_thresholds_of_a_model(mixed, rules):
    content = rules.model_dump()
    content["rolling"]["origins"] = 0
    content["thresholds"]["models"] = {"m": {"rate": 0.15}}
    own = type(rules).model_validate(content)
    frame = worsening(mixed, own, model="m")
    judged = frame[frame["rank"].notna()]
    assert (judged["threshold"] == 0.15).all()
    assert judged["probability_crossing"].head(10).min() > 0.6
    assert worsening(mixed, own, model="other")["threshold"].nunique() > 10
    content["thresholds"]["models"] = {"m": {"count": 3}}
    counts = type(rules).model_validate(content)
    assert worsening(mixed, counts, model="m")["probability_crossing"].isna().all(), "a count is no threshold of a rate"


def test_only_comparable_selections_and_one_dimension(mixed, rules):
    months = mixed.periods
    parts = [keys(["a", "b"]), keys(["a"], stratum="selection=targeted"), keys(["n"], dimension="region"), keys(["c"], stratum="")]
    index = parts[0].append(parts[1:])
    panel = Panel(np.ones((5, 60)), index, months)
    assert list(comparable(panel, rules).index.get_level_values("product")) == ["a", "b", "", "c"]
    assert list(comparable(panel, rules, "product").index.get_level_values("product")) == ["a", "b", "c"]
    assert list(comparable(panel, rules, "region").index.get_level_values("region")) == ["n"]
    assert len(worsening(comparable(panel, rules, "industry"), rules)) == 0
    with pytest.raises(TrendError, match="by must be"):
        comparable(panel, rules, "colour")
    with pytest.raises(TrendError, match="levels product"):
        comparable(Panel(np.ones((1, 60)), pd.Index(["a"]), months), rules)
