"""Where an excess lies: in one place, in several, everywhere."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.assessment.reach import log_likelihood_ratio, reach

POPULATION = np.array([0.34, 0.17, 0.12, 0.09, 0.08, 0.07, 0.05, 0.05, 0.03])


def test_two_places_by_hand():
    """Ten cases where five were expected, none where five were: half the weight on both places, half on the two single ones."""
    here = 10 * log(2) - 5.0
    found = reach([[10, 0]], [[5, 5]], most=1)
    weights = np.exp([0.0, here - log(2), -log(2)])  # everywhere: ten of ten, no excess
    assert found.wide == pytest.approx(weights[0] / weights.sum())
    assert found.single == pytest.approx(weights[1:].sum() / weights.sum())
    assert found.places == (0,)
    assert found.several == pytest.approx(0.0, abs=1e-12)


def test_ratio_of_the_scan_statistic():
    assert log_likelihood_ratio(7.0, 2.0) == pytest.approx(7 * log(3.5) - 5.0)
    assert log_likelihood_ratio([2.0, 0.0, 3.0], [2.0, 1.0, 0.0]).tolist() == [0.0, 0.0, 0.0]


def test_nothing_to_say_without_an_excess_or_with_one_place():
    assert reach([[1, 2]], [[3, 3]], most=1) is None
    assert reach([[9]], [[3]], most=1) is None


@pytest.mark.parametrize(("kind", "size"), [("wide", 9), ("single", 1), ("several", 3)])
def test_what_was_put_in_comes_out(kind, size):
    """Forty expected cases, twice to four times as many where the hazard is: right in three of four at least."""
    rng = np.random.default_rng(7)
    right = 0
    for _ in range(300):
        expected = 40.0 * POPULATION * rng.uniform(0.8, 1.25, 9)
        # Where a hazard is local it is drawn by population, as people are.
        places = rng.choice(9, size, replace=False, p=POPULATION)
        risk = np.ones(9)
        # About thirty excess cases.
        risk[places] = 1.0 + 30.0 / expected[places].sum()
        found = reach(rng.poisson(expected * risk), expected, most=4)
        best = max(("wide", "single", "several"), key=lambda name: getattr(found, name))
        right += best == kind
    assert right >= 230


def test_two_streams_tell_more_than_one():
    expected = np.array([[6.0, 3.0, 2.0, 2.0], [2.0, 1.0, 0.5, 0.5]])
    observed = np.array([[12, 5, 4, 3], [5, 2, 1, 1]])
    one, both = reach(observed[:1], expected[:1], most=2), reach(observed, expected, most=2)
    assert both.streams == 2
    assert both.wide > one.wide


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0.2, 20.0)), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_order_of_places_does_not_matter(cells, random):
    order = list(range(len(cells)))
    random.shuffle(order)
    straight = reach([[o for o, _ in cells]], [[e for _, e in cells]], most=len(cells) // 2)
    turned = reach([[cells[at][0] for at in order]], [[cells[at][1] for at in order]], most=len(cells) // 2)
    assert (straight is None) == (turned is None)
    if straight is not None:
        assert turned.wide == pytest.approx(straight.wide, rel=1e-9, abs=1e-12)
        assert turned.single == pytest.approx(straight.single, rel=1e-9, abs=1e-12)
        assert 0.0 <= straight.wide <= 1.0


def test_many_places_are_narrowed_to_the_loudest():
    expected = np.full(60, 2.0)
    observed = np.full(60, 2.0)
    observed[[5, 40]] = 14.0
    found = reach(observed[None], expected[None], most=3)
    assert found.places == (5, 40)
    assert found.wide < 0.01
