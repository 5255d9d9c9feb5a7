"""The simulation study: what it draws is what the paper describes."""

from __future__ import annotations

import numpy as np
import pytest

from riskwatch.datasets.outbreaks import CURRENT_WEEKS, SCENARIOS, simulate_outbreaks


@pytest.fixture(scope="module")
def made():
    return simulate_outbreaks(np.random.default_rng(1), replicates=100)


def test_scenarios_are_those_of_the_paper():
    assert SCENARIOS.loc[1].tolist() == [0.1, 1.5, 0, 0, 0, 0]
    assert SCENARIOS.loc[12].tolist() == [-2, 2, 0.005, 0.1, 0.3, 2]
    assert SCENARIOS.loc[29].tolist() == [2.5, 3, 0.001, 1, 0.1, 1]
    assert SCENARIOS.loc[42].tolist() == [5, 1.2, 0.0001, 0.05, 0.01, 2]


def test_grid_is_covered_twice(made):
    design = made.design
    assert len(design) == 4200
    assert (design.groupby(["scenario", "k_past", "k_now"]).size() == 2).all()


def test_moments_without_outbreaks(made):
    quiet = made.twin.observed[:, :300]  # before past outbreaks begin
    mean, phi = made.mean[:, :300], made.phi
    standardised = (quiet - mean) / np.sqrt(mean * phi[:, None])
    assert abs(standardised.mean()) < 0.01
    by_scenario = (standardised**2).reshape(42, -1).mean(axis=1)
    assert np.abs(by_scenario - 1).max() < 0.06
    assert made.mean[0, 0] == pytest.approx(np.exp(0.1))


def test_outbreaks_are_where_they_should_be(made):
    assert (made.panel.observed - made.twin.observed == made.outbreak).all()
    assert not made.outbreak[:, :-CURRENT_WEEKS].any()
    assert (made.outbreak.sum(axis=1) > 0).mean() > 0.97
    large = made.design["k_now"].to_numpy() == 10
    # An outbreak of ten standard deviations has about ten standard deviations' cases, half of them in its first week.
    ratio = made.outbreak[large].sum(axis=1) / (10 * np.sqrt(made.phi * made.mean[:, -25])[large])
    assert 0.8 < np.median(ratio) < 1.2
    weeks = (made.outbreak > 0).sum(axis=1)
    assert 2.5 < weeks.mean() < 3.5
    none = made.design["k_past"].to_numpy() == 0
    past = slice(312, 575)

    def excess(rows):
        return ((made.twin.observed - made.mean)[rows, past] / np.sqrt(made.phi[rows, None] * made.mean[rows, past])).sum(axis=1)

    assert abs(excess(none).mean()) < 2
    assert 30 < excess(made.design["k_past"].to_numpy() == 10).mean() < 50


def test_same_seed_same_series():
    first, second = (simulate_outbreaks(np.random.default_rng(7), replicates=2, scenarios=[1, 13]) for _ in range(2))
    assert (first.panel.observed == second.panel.observed).all()
    assert first.design["scenario"].tolist() == [1, 1, 13, 13]
