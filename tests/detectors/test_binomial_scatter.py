"""The correlation between inspections of one period: drawn to that of all strata, without periods that stand out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from riskwatch.detectors import detector
from riskwatch.detectors.binomial_prior import Prior
from riskwatch.detectors.binomial_scatter import (
    central_moments,
    draw_together,
    estimate_correlation,
    group_correlations,
    moments,
    outlying,
    sampling_error,
)
from riskwatch.detectors.failures import families_of, siblings
from riskwatch.panel import Panel

TYPICAL = (0.05, 20.0)


def drawn(rng, rate, rho, n):
    """Return failures of ``n`` inspections, every cell with a share of its own."""
    size = 1.0 / rho - 1.0 if rho else None
    share = np.broadcast_to(rate, n.shape) if size is None else rng.beta(np.broadcast_to(rate * size, n.shape), (1.0 - rate) * size)
    return rng.binomial(n.astype(int), share).astype(float)


def items(rng, *, groups, series=40, months=28, mean_n=4.0, rates=(0.003, 0.03), rho=(0.0,)):
    """Return counts of many items and their rows; item g has the correlation rho[g modulo len(rho)]."""
    n = rng.poisson(mean_n, (groups * series, months)).astype(float)
    rate = np.repeat(np.exp(rng.uniform(*np.log(rates), groups)), series)[:, None]
    x = np.vstack(
        [drawn(rng, rate[at], rho[g % len(rho)], n[at]) for g in range(groups) for at in [slice(g * series, (g + 1) * series)]],
    )
    return x, n, list(np.arange(groups * series).reshape(groups, series))


def panel_of(x, n, items_of, *, products=None):
    products = [f"p{at:04d}" for at in range(len(x))] if products is None else products
    index = pd.MultiIndex.from_arrays([products, [f"item={at}" for at in items_of]], names=["product", "stratum"])
    return Panel(x, index, pd.period_range("2022-01", periods=x.shape[1], freq="M"), n)


# --- moments ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [1e-12, 0.02, 0.3, 0.8])
def test_central_moments_against_the_whole_distribution(rho):
    """Sum over all outcomes of scipy's mass function."""
    for n, p in ((1, 0.2), (2, 0.01), (7, 0.004), (30, 0.2), (150, 0.03)):
        k = np.arange(n + 1)
        mass = stats.betabinom.pmf(k, n, p * (1 / rho - 1), (1 - p) * (1 / rho - 1)) if rho > 1e-9 else stats.binom.pmf(k, n, p)
        found = central_moments(np.array([float(n)]), np.array([p]), rho)
        for power, one in zip((2, 3, 4), found, strict=True):
            assert one[0] == pytest.approx(mass @ (k - n * p) ** power, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_error_of_rare_items_is_what_repetition_shows(rho):
    """Many groups with some twenty failures each: their estimates average the truth and scatter as their errors say."""
    rng = np.random.default_rng(2)
    x, n, rows = items(rng, groups=400, series=60, mean_n=5.0, rates=(0.003, 0.0031), rho=(rho,))
    found = [moments(x[at], n[at]) for at in rows]
    own = np.array([one.ratio for one in found])
    error = np.array([sampling_error(x[at], n[at], np.full(60, 0.00305), rho) / one.below**2 for at, one in zip(rows, found, strict=True)])
    # Ratios of groups with few failures are skewed, sums are not.
    assert sum(one.above for one in found) / sum(one.below for one in found) == pytest.approx(rho, abs=0.02)

    assert np.mean(error) == pytest.approx(own.var(), rel=0.4)


def test_one_group_has_the_estimate_of_old():
    """By loops over cells, as the docstring says it."""
    rng = np.random.default_rng(3)
    n = rng.poisson(6.0, (12, 20)).astype(float)
    x = drawn(rng, 0.1, 0.08, n)
    above = below = 0.0
    for xs, ns in zip(x, n, strict=True):
        total, failed, looked = ns.sum(), xs.sum(), ns > 0
        p = failed / total
        v = p * (1 - p) * total / (total - 1)
        above += sum((a - b * p) ** 2 / b for a, b in zip(xs[looked], ns[looked], strict=True)) - v * (looked.sum() - 1)
        below += v * (sum(b - 1 for b in ns[looked]) - sum(b * (b - 1) for b in ns[looked]) / total)
    assert estimate_correlation(x, n) == pytest.approx(above / below, rel=1e-12)


# --- between groups ---------------------------------------------------------------------------------------------------


def test_variance_between_groups_against_statsmodels():
    """statsmodels 0.15.0: combine_effects(r, s, method_re="iterated", atol=1e-14, maxiter=1000): tau2, mean_effect_re."""
    r = np.array([0.02, 0.31, 0.0, -0.01, 0.12, 0.05, 0.2])
    s = np.array([0.0004, 0.01, 0.0025, 0.0009, 0.0036, 0.0004, 0.04])
    mean, variance, middle, between = draw_together(r, s)
    assert between == pytest.approx(0.006223542789465792, rel=1e-9)
    assert middle == pytest.approx(0.06039472478999283, rel=1e-9)
    # The posterior of a normal mean with known variances.
    np.testing.assert_allclose(variance, 1 / (1 / s + 1 / between), rtol=1e-12)
    np.testing.assert_allclose(mean, variance * (r / s + middle / between), rtol=1e-9)


def test_groups_that_differ_by_chance_are_one_and_those_that_say_nothing_follow():
    mean, variance, middle, between = draw_together(np.array([0.1, 0.11, np.nan, 0.09]), np.array([0.01, 0.01, np.nan, 0.01]))
    assert between == 0.0
    np.testing.assert_allclose(mean, 0.1)
    assert middle == pytest.approx(0.1)
    assert (variance == 0.0).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-0.1, 0.9), st.floats(1e-6, 0.1)), min_size=1, max_size=12), st.randoms())
def test_no_group_is_drawn_past_the_common_value(pairs, random):
    r, s = (np.array(part) for part in zip(*pairs, strict=True))
    mean, variance, middle, between = draw_together(r, s)
    assert ((np.minimum(r, middle) - 1e-12 <= mean) & (mean <= np.maximum(r, middle) + 1e-12)).all()
    assert ((variance >= 0) & (variance <= np.minimum(s, between) + 1e-15)).all()
    order = np.arange(len(r))
    random.shuffle(order)
    again = draw_together(r[order], s[order])
    np.testing.assert_array_equal(again[0], mean[order])
    assert again[2:] == (middle, between)


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_with_much_data_keeps_its_own_and_rare_ones_take_the_common():
    rng = np.random.default_rng(4)
    x, n, rows = items(rng, groups=30, series=40, mean_n=12.0, rates=(0.002, 0.004))
    x[rows[0]] = drawn(rng, 0.1, 0.2, n[rows[0]])
    own = [estimate_correlation(x[at], n[at]) for at in rows]
    found = group_correlations(x, n, rows, [0] * 30, outlier_tail=0.001, typical=TYPICAL)
    assert own[0] == pytest.approx(0.2, abs=0.03)
    assert found[0] == pytest.approx(own[0], rel=0.15)
    # Another family is another matter.
    alone = group_correlations(x, n, rows, [1] + [0] * 29, outlier_tail=0.001, typical=TYPICAL)
    assert alone[1:].max() < 0.01 < max(own[1:])


def test_periods_that_stand_out_are_found_and_lone_failures_are_none():
    x, n = np.zeros((3, 24)), np.full((3, 24), 10.0)
    x[0, 5], x[1, 7] = 6.0, 1.0
    x[2] = 3.0
    out = outlying(x, n, Prior(0.02, 50.0, 0.01), 0.001)
    assert np.argwhere(out).tolist() == [[0, 5]]
    a, b = 0.02 * 50.0, 0.98 * 50.0 + 10.0 * 23 / 1.09  # the other 23 months, each divided by its design effect
    r = 1.0 / (a + b + 1.0)
    size = 1.0 / (r + 0.01 * (1.0 - r)) - 1.0
    tail = stats.betabinom.sf(5, 10, a / (a + b) * size, b / (a + b) * size)
    for level in (tail * 1.001, tail * 0.999):
        assert outlying(x, n, Prior(0.02, 50.0, 0.01), level)[0, 5] == (tail < level)


@pytest.mark.parametrize("pooled", [False, True])
def test_an_old_outbreak_does_not_make_an_item_deaf(pooled):
    rng = np.random.default_rng(5)
    x, n, rows = items(rng, groups=25, series=30, months=30, mean_n=6.0, rates=(0.002, 0.006))
    at = rows[7][:5]
    n[at, 10], x[at, 10] = 8.0, [4.0, 5.0, 3.0, 6.0, 4.0]
    n[rows[7][20], -1], x[rows[7][20], -1] = 9.0, 4.0
    panel = panel_of(x, n, np.repeat(np.arange(25), 30))
    signals = detector("binomial-baseline", pool_correlation=pooled, mid_p=True).detect(panel)
    assert (signals.p_value[rows[7][20], 0] < 1e-5) == pooled


def test_scatter_in_every_period_is_no_outbreak():
    """Leaving out what stands out must not eat the correlation that is there."""
    rng = np.random.default_rng(6)
    x, n, rows = items(rng, groups=8, series=80, mean_n=15.0, rates=(0.03, 0.06), rho=(0.1,))
    found = group_correlations(x, n, rows, [0] * 8, outlier_tail=0.001, typical=TYPICAL)
    assert found.mean() == pytest.approx(0.1, rel=0.12)


def test_order_of_series_and_of_items_does_not_matter():
    rng = np.random.default_rng(7)
    x, n, _ = items(rng, groups=12, series=15, rates=(0.01, 0.1), rho=(0.0, 0.2))
    panel = panel_of(x, n, np.repeat(np.arange(12), 15))
    judge = detector("binomial-baseline", pool_correlation=True, window_periods=3, mid_p=True)
    whole = judge.detect(panel, panel.periods[-2:])
    order = rng.permutation(len(x))
    mixed = judge.detect(panel.select(panel.index[order]), panel.periods[-2:])
    for name in ("expected", "lower", "upper", "p_value"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(whole, name)[order])


def test_other_strata_count_only_where_correlations_are_drawn_together():
    rng = np.random.default_rng(8)
    x, n, rows = items(rng, groups=10, series=20, rates=(0.02, 0.05), rho=(0.0, 0.3))
    panel = panel_of(x, n, np.repeat(np.arange(10), 20))
    part = panel.select(panel.index[:20])
    for pooled in (False, True):
        judge = detector("binomial-baseline", pool_correlation=pooled)
        same = np.array_equal(judge.detect(part).p_value, judge.detect(panel).p_value[rows[0]], equal_nan=True)
        assert same != pooled


def test_families_are_those_of_the_same_dimensions():
    keys = [("a", "r", "i"), ("b", "", "i"), ("a", "r", "j"), ("c", "", "j"), ("d", "r", "j")]
    index = pd.MultiIndex.from_tuples(keys, names=["product", "region", "stratum"])
    groups = siblings(index)
    of = dict(zip([tuple(rows.tolist()) for rows in groups], families_of(index, groups), strict=True))
    assert of[(0,)] == of[(2, 4)] != of[(1,)] == of[(3,)]
    assert families_of(pd.RangeIndex(3), siblings(pd.RangeIndex(3))) == [0]


# --- levels -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mean_n", "rho"),
    [(2.5, one) for one in ((0.0,), (0.03,), (0.1,), (0.3,), (0.0, 0.03, 0.1, 0.3), (0.0, 0.0, 0.0, 0.3))]
    + [(15.0, (0.03,)), (15.0, (0.0, 0.03, 0.1, 0.3))],
)
def test_levels_hold_whether_items_scatter_alike_or_not(mean_n, rho):
    """Rates of items from 0.2 to 5 %: no more small p-values than their level says, beyond three standard errors; 1e-4 included."""
    rng = np.random.default_rng(9)
    x, n, rows = items(rng, groups=40, series=60, months=30, mean_n=mean_n, rates=(0.002, 0.05), rho=rho)
    panel = panel_of(x, n, np.repeat(np.arange(40), 60))
    signals = detector("binomial-baseline", pool_correlation=True, window_periods=3, mid_p=True).detect(panel, panel.periods[-10::3])
    p = signals.p_value[signals.reason == 0]
    assert len(rows) == 40
    assert p.size > 8000
    for level in (0.05, 0.01, 0.001, 1e-4):
        assert (p <= level).sum() <= level * p.size + 3 * np.sqrt(level * p.size) + 1, level
    # Where nothing scatters by itself, levels are used and not only kept.
    if rho == (0.0,):
        assert (p <= 0.05).mean() > 0.025


def test_without_drawing_together_rare_items_are_judged_by_luck():
    """The remedy is one: of items without any correlation, half are estimated at more than 0.03 and all are drawn to less."""
    rng = np.random.default_rng(10)
    x, n, rows = items(rng, groups=40, series=40, mean_n=3.0, rates=(0.002, 0.004))
    own = np.array([estimate_correlation(x[at], n[at]) for at in rows])
    found = group_correlations(x, n, rows, [0] * 40, outlier_tail=0.001, typical=TYPICAL)
    assert own.max() > 0.1
    assert found.max() < 0.02
