"""Outbreaks put into history: found as often as arithmetic says, none where nothing is added, and told by kind of series."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, poisson

from riskwatch.api import Project
from riskwatch.backtest.injection import Outbreak, injected, shares_of, trials
from riskwatch.backtest.power import POWER_COLUMNS, power_map, summarise
from riskwatch.cli.commands.tune import _times
from riskwatch.detectors import Signals
from riskwatch.errors import ProjectError
from riskwatch.panel import Breakdown, Panel
from tests.cli.conftest import Cli, cli

__all__ = ["cli"]

WEEKS = pd.period_range("2025-01-06", periods=20, freq="W-SUN")
MU, ALPHA = 5.0, 0.01


def known(panel: Panel, looked: pd.PeriodIndex) -> Signals:
    """Judge against the true mean: whether something is found follows from arithmetic alone."""
    here = panel.observed[:, panel.periods.get_indexer(looked)]
    upper = np.full_like(here, poisson.ppf(1 - ALPHA, MU))
    p_value = poisson.sf(here - 1, MU)
    reason = np.zeros(here.shape, dtype=np.uint8)
    return Signals(panel.index, looked, here, np.full_like(here, MU), np.zeros_like(here), upper, p_value, here > upper, reason)


def made(series: int, seed: int = 3) -> Panel:
    observed = np.random.default_rng(seed).poisson(MU, (series, len(WEEKS))).astype(float)
    return Panel(observed, pd.RangeIndex(series), WEEKS)


@pytest.mark.parametrize("effect", [1.5, 2.0, 3.0])
def test_outbreaks_are_found_as_often_as_arithmetic_says(effect: float) -> None:
    """One whole week with Poisson(mu) usual and Poisson((effect - 1) mu) added cases, a limit u: P(X <= u < X + Y)."""
    found = trials(
        made(4000), known, lambda signals: signals.alarm, onsets=[10], outbreak=Outbreak(effect, 7), rng=np.random.default_rng(1), later=0
    )
    limit = poisson.ppf(1 - ALPHA, MU)
    usual = np.arange(0, int(limit) + 1)
    chance = float((poisson.pmf(usual, MU) * poisson.sf(limit - usual, (effect - 1) * MU)).sum())
    assert found["found"].mean() == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 4000))
    assert set(found.loc[found["found"], "days"]) == {7.0}
    assert found["before"].mean() == pytest.approx(poisson.sf(limit, MU), abs=0.008)


def test_without_an_effect_nothing_is_found_and_the_history_is_left_as_it_was() -> None:
    panel = made(500)
    before = panel.observed.copy()
    nothing = Outbreak(1.0 + 1e-12, 14)
    found = trials(panel, known, lambda signals: signals.alarm, onsets=[4, 9], outbreak=nothing, rng=np.random.default_rng(1))
    assert not found["found"].any()
    assert np.array_equal(panel.observed, before)


def test_an_outbreak_covers_the_days_that_it_lasts() -> None:
    assert shares_of(WEEKS[:4], 10).tolist() == pytest.approx([1, 3 / 7, 0, 0])
    months = pd.period_range("2025-01", periods=2, freq="M")
    assert shares_of(months, 45).tolist() == pytest.approx([1, 14 / 28])
    expected = np.full((20_000, 2), 4.0)
    panel = Panel(np.zeros((20_000, 3)), pd.RangeIndex(20_000), WEEKS[:3])
    added = injected(panel, 1, expected, Outbreak(2.5, 10), np.random.default_rng(5)).observed
    assert added[:, 0].sum() == 0
    assert added[:, 1:].mean(axis=0) == pytest.approx([6.0, 6.0 * 3 / 7], rel=0.02)


@pytest.mark.parametrize("split", [False, True])
def test_shares_rise_by_the_factor_and_never_beyond_what_was_sampled(split: bool) -> None:
    series = 4000
    exposure = np.full((series, 3), 40.0)
    observed = binom.rvs(40, 0.1, size=(series, 3), random_state=7).astype(float)
    half = np.stack([np.floor(observed / 2), np.ceil(observed / 2)])
    parts = Breakdown("selection", ("random", "targeted"), half, np.stack([exposure / 2, exposure / 2])) if split else None
    panel = Panel(observed, pd.RangeIndex(series), WEEKS[:3], exposure=exposure, breakdown=parts)
    raised = injected(panel, 1, np.full((series, 2), 4.0), Outbreak(3.0, 7), np.random.default_rng(2))
    # A passed sample turns with probability (0.3 - 0.1) / 0.9.
    assert raised.observed[:, 1].mean() == pytest.approx(40 * 0.3, rel=0.02)
    assert np.array_equal(raised.observed[:, [0, 2]], observed[:, [0, 2]])
    assert (raised.observed <= exposure).all()
    if split:
        assert raised.breakdown is not None
        assert np.array_equal(raised.breakdown.observed.sum(axis=0), raised.observed)
    all_fail = injected(panel, 1, np.full((series, 2), 38.0), Outbreak(9.0, 7), np.random.default_rng(2))
    assert all_fail.observed[:, 1].max() <= 40


def test_missing_periods_stay_missing_and_are_no_trial() -> None:
    panel = made(3)
    observed = panel.observed.copy()
    observed[0, 8:] = np.nan
    found = trials(
        dataclasses.replace(panel, observed=observed), known, lambda signals: signals.alarm, onsets=[10], outbreak=Outbreak(2, 7),
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert found["series"].tolist() == [1, 2]


def test_classes_of_series_are_told_apart_and_those_that_alarmed_anyway_are_not_found() -> None:
    found = pd.DataFrame(
        {
            "series": [0, 1, 2, 3, 4],
            "expected": [0.1, 0.1, 7.0, 7.0, np.nan],
            "judged": [True, True, True, True, False],
            "found": [True, False, True, True, False],
            "days": [14.0, np.nan, 7.0, 21.0, np.nan],
            "before": [False, False, False, True, False],
            "level": "product product",
        }
    )
    table = summarise(found).set_index("size")
    assert table.loc["5–20", ["power", "days_median", "anyway_share"]].tolist() == [1.0, 7.0, 0.5]
    small = table.loc["< 0.5"]
    assert (small["trials"], small["power"], small["days_median"]) == (3, 0.5, 14.0)
    assert small["judged_share"] == pytest.approx(2 / 3)
    assert small["power_low"] < 0.5 < small["power_high"]


@pytest.mark.parametrize(("effect", "days"), [(1.0, 7), (float("nan"), 7), (0.5, 7), (2.0, 0)])
def test_what_is_no_outbreak_is_refused(effect: float, days: int) -> None:
    with pytest.raises(ProjectError, match="outbreak"):
        Outbreak(effect, days)


def test_the_effect_is_read_with_or_without_its_x() -> None:
    assert (_times("1.5x"), _times("2")) == (1.5, 2.0)


def test_a_project_is_told_what_it_cannot_see(lived: Path, tmp_path: Path, cli: Cli) -> None:
    with Project(lived).context(as_of="2025-12-24") as ctx:
        small, large = (power_map(ctx, Outbreak(effect, 14), models=["spot-check-failures"], onsets=2).table for effect in (1.2, 12.0))
        again = power_map(ctx, Outbreak(12.0, 14), models=["spot-check-failures"], onsets=2).table
        with pytest.raises(ProjectError, match='no model "complaint" in force'):
            power_map(ctx, Outbreak(2, 14), models=["complaint"])
        with pytest.raises(ProjectError, match="no model has a series to test"):
            power_map(ctx, Outbreak(2, 14), models=["spot-check-failures"], region="222424")
    assert list(large.columns) == list(POWER_COLUMNS)
    pd.testing.assert_frame_equal(large, again)
    assert np.average(large["power"].fillna(0), weights=large["trials"]) > np.average(small["power"].fillna(0), weights=small["trials"])
    asked = ("--effect", "5x", "--model", "spot-check-failures", "--onsets", "1", "--as-of", "2025-12-24", "--lang", "en")
    answer = cli("tune", "power", *asked, "--json", "--out", tmp_path, project=lived)
    told = json.loads(answer.out)
    assert {row["model"] for row in told["rows"]} == {"spot-check-failures"}
    page = (tmp_path / "power.en.html").read_text(encoding="utf-8")
    assert "5 times the usual, for 14 days" in page
    assert page.count("data:image/png;base64,") == 1
    assert "http" not in page
