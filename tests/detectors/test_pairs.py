"""Disproportionality of pairs: expectations, the gamma-Poisson shrinker, information component, ratios; and the detector."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from riskwatch.detectors import detector
from riskwatch.detectors.gamma_poisson import TwoGammas, fit_prior, posterior, squash
from riskwatch.detectors.information_component import information_component
from riskwatch.detectors.pair_change import learn_memory, predictive_tail
from riskwatch.detectors.pair_expectation import cross_table, expected_counts, quasi_independence
from riskwatch.detectors.pair_history import first_appearance
from riskwatch.detectors.reporting_ratios import chi_square, fisher_tail, four_fold, odds_ratio, proportional_ratio
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

SQUASHED = {1: (50, 100), 2: (10, 50)}  # the settings of the reference: size of the bins, points kept
PRIOR = TwoGammas(3.25, 0.4, 2.02, 1.9, 0.065)


@pytest.fixture(scope="module")
def caers():
    """20,156 rows of FDA CAERS; numbers of openEBGM 0.9 (see the data's README)."""
    root = Path(os.environ.get("RISKWATCH_REAL_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "ref_disproportionality"
    if not root.is_dir():
        pytest.skip(f"no reference in {root}; set RISKWATCH_REAL_DATA")
    rows = pd.read_csv(root / "caers_2012_supplements.csv.gz")
    left, products = pd.factorize(rows["var1"], sort=True)
    right, events = pd.factorize(rows["var2"], sort=True)
    sex = pd.factorize(rows["strat1"])[0]
    report = rows["id"].to_numpy()

    def joined(table, name):
        frame = pd.DataFrame({"var1": products[table.left], "var2": events[table.right], "n": table.observed, "e": table.expected})
        return frame.merge(pd.read_csv(root / name), on=["var1", "var2"], how="outer", indicator=True)

    plain, stratified = cross_table(left, right, report), cross_table(left, right, report, sex)
    theta = pd.read_csv(root / "golden_hyperparameters.csv").iloc[:, 1:].to_numpy(float)
    return plain, joined(plain, "golden_ebgm.csv.gz"), joined(stratified, "golden_stratified_E.csv.gz"), theta


def test_expected_counts_equal_the_reference(caers):
    _, plain, stratified, _ = caers
    for frame in (plain, stratified):
        assert len(frame) == 17_189
        assert (frame["_merge"] == "both").all()
        np.testing.assert_array_equal(frame["n"], frame["N"])
        np.testing.assert_allclose(frame["e"], frame["E"], rtol=1e-12)


def test_prior_equals_the_reference(caers):
    table, _, _, theta = caers
    n, e, weight = squash(table.observed, table.expected, bins=SQUASHED)
    assert weight.sum() == 17_189
    np.testing.assert_allclose(fit_prior(n, e, weight).array, theta[0], rtol=1e-3)
    near = fit_prior(table.observed, table.expected, starts=[TwoGammas(3.0, 0.5, 2.0, 2.0, 0.1)]).array
    np.testing.assert_allclose(near, theta[1], rtol=1e-4)


def test_ebgm_and_quantiles_equal_the_reference(caers):
    _, frame, _, theta = caers
    known = posterior(TwoGammas(*theta[0]), frame["n"].to_numpy(), frame["e"].to_numpy())
    # The reference is printed with two decimals; its quantiles come from bisection to that accuracy.
    np.testing.assert_allclose(known.ebgm, frame["ebgm"], rtol=1e-3, atol=0.0051)
    np.testing.assert_allclose(known.quantile(0.05), frame["eb05"], rtol=1e-3, atol=0.0081)
    np.testing.assert_allclose(known.quantile(0.95), frame["eb95"], rtol=1e-3, atol=0.0081)
    np.testing.assert_allclose(known.at_most(known.quantile(0.05)), 0.05, rtol=1e-9)


def test_prr_equals_the_reference(caers):
    table, frame, _, _ = caers
    fold = four_fold(table.observed, table.row[0][table.left], table.column[0][table.right], table.total[0])
    order = frame.set_index(["var1", "var2"]).sort_index()  # labels were numbered in this order
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(proportional_ratio(fold).value, order["PRR"], rtol=1e-3, atol=0.0051)


def test_reports_count_once():
    # One report with two products and one injury, one with one of them.
    table = cross_table(np.array([0, 1, 0]), np.array([0, 0, 0]), np.array([7, 7, 9]))
    np.testing.assert_array_equal(table.observed, [2, 1])
    np.testing.assert_array_equal(table.column, [[2]])
    np.testing.assert_array_equal(table.expected, [2, 1])
    with pytest.raises(DetectorError, match="one stratum"):
        cross_table(np.array([0, 1]), np.array([0, 0]), np.array([7, 7]), np.array([0, 1]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_row_order_and_duplicates_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    left, right, report, stratum, weight = rng.integers(0, 5, 60), rng.integers(0, 4, 60), np.arange(60) // 2, None, rng.uniform(0.1, 3, 30)
    stratum = rng.integers(0, 3, 30)
    one = cross_table(left, right, report, stratum[report], weight[report])
    order = rng.permutation(np.tile(np.arange(60), 2))
    two = cross_table(left[order], right[order], report[order], stratum[report][order], weight[report][order])
    for name in ("left", "right", "observed", "row", "column", "expected"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_independence_adds_up_to_the_total():
    rng = np.random.default_rng(1)
    counts = rng.poisson(3, (2, 4, 5)).astype(float)
    row, column, total = counts.sum(axis=2), counts.sum(axis=1), counts.sum(axis=(1, 2))
    left, right = (part.ravel() for part in np.indices((4, 5)))
    assert expected_counts(row, column, total, left, right).sum() == pytest.approx(counts.sum())


def test_quasi_independence():
    rng = np.random.default_rng(2)
    possible = np.ones((3, 4), bool)
    possible[0, 0] = possible[2, 3] = False
    truth = np.outer([10, 20, 40], [1.0, 2, 3, 4]) * possible
    np.testing.assert_allclose(quasi_independence(truth, possible), truth, rtol=1e-8)
    counts = rng.poisson(truth).astype(float)
    fitted = quasi_independence(counts, possible)
    np.testing.assert_allclose(fitted.sum(axis=0), counts.sum(axis=0), rtol=1e-8)
    np.testing.assert_allclose(fitted.sum(axis=1), counts.sum(axis=1), rtol=1e-8)
    with pytest.raises(DetectorError, match="impossible"):
        quasi_independence(np.ones((3, 4)), possible)


def test_fit_finds_a_known_prior():
    rng = np.random.default_rng(3)
    e = np.exp(rng.normal(0, 1.5, 40_000))
    ratio = np.where(rng.random(40_000) < 0.1, rng.gamma(6.0, 1.0, 40_000), rng.gamma(4.0, 0.25, 40_000))
    n = rng.poisson(ratio * e).astype(float)
    found = fit_prior(*squash(n, e, ratio=1.02), floor=0)
    assert found.share == pytest.approx(0.1, abs=0.02)
    assert found.a1 / found.b1 == pytest.approx(6.0, rel=0.1)
    assert found.a2 / found.b2 == pytest.approx(1.0, rel=0.05)


def test_posterior_against_a_scipy_loop():
    n, e = np.array([0.0, 1, 3, 40, 2]), np.array([0.3, 0.02, 5.0, 10.0, 0.0001])
    known = posterior(PRIOR, n, e)
    for at in range(5):
        masses = [stats.nbinom.pmf(n[at], a, b / (b + e[at])) for a, b in ((PRIOR.a1, PRIOR.b1), (PRIOR.a2, PRIOR.b2))]
        weight = PRIOR.share * masses[0] / (PRIOR.share * masses[0] + (1 - PRIOR.share) * masses[1])
        gammas = [stats.gamma(a + n[at], scale=1 / (b + e[at])) for a, b in ((PRIOR.a1, PRIOR.b1), (PRIOR.a2, PRIOR.b2))]
        lower = optimize.brentq(lambda x: weight * gammas[0].cdf(x) + (1 - weight) * gammas[1].cdf(x) - 0.05, 1e-9, 1e4, xtol=1e-13)  # noqa: B023
        assert known.quantile(0.05)[at] == pytest.approx(lower, rel=1e-8)
        assert known.weight[at] == pytest.approx(weight, rel=1e-9)


def test_predictive_tail_against_scipy():
    known = posterior(PRIOR, np.array([2.0]), np.array([1.0]))
    e, y = np.array([1.5]), np.array([7.0])
    parts = [stats.nbinom.sf(6, a, b / (b + 1.5)) for a, b in ((known.a1, known.b1), (known.a2, known.b2))]
    assert predictive_tail(y, known, e) == pytest.approx(known.weight * parts[0] + (1 - known.weight) * parts[1])


def test_information_component_against_the_published_approximation():
    # Norén et al. (2013): IC025 is about IC - 3.3 (n + 1/2)^(-1/2) - 2 (n + 1/2)^(-3/2).
    n, e = np.array([3.0, 10, 100]), np.array([1.0, 4, 60])
    found = information_component(n, e)
    np.testing.assert_allclose(found.value, np.log2((n + 0.5) / (e + 0.5)))
    np.testing.assert_allclose(found.lower, found.value - 3.3 * (n + 0.5) ** -0.5 - 2 * (n + 0.5) ** -1.5, atol=0.05)


def test_ratios_and_tests_against_scipy():
    rng = np.random.default_rng(4)
    a, b, c, d = rng.integers(0, 30, 300), rng.integers(0, 300, 300), rng.integers(0, 300, 300), rng.integers(100, 4000, 300)
    fold = four_fold(a.astype(float), (a + b).astype(float), (a + c).astype(float), (a + b + c + d).astype(float))
    expected = [stats.hypergeom.sf(a[k] - 1, a[k] + b[k] + c[k] + d[k], a[k] + b[k], a[k] + c[k]) for k in range(300)]
    np.testing.assert_allclose(fisher_tail(fold), expected, rtol=1e-7, atol=1e-13)
    k = int(np.flatnonzero((a > 5) & (b > 5) & (c > 5))[0])
    table = [[a[k], b[k]], [c[k], d[k]]]
    assert chi_square(fold)[k] == pytest.approx(stats.chi2_contingency(table, correction=True)[0])
    odds = stats.contingency.odds_ratio(table, kind="sample")
    interval = odds.confidence_interval(0.95)
    found = odds_ratio(fold)
    assert (found.value[k], found.lower[k], found.upper[k]) == pytest.approx((odds.statistic, interval.low, interval.high))
    risk = stats.contingency.relative_risk(a[k], a[k] + b[k], c[k], c[k] + d[k])
    between, prr = risk.confidence_interval(0.95), proportional_ratio(fold)
    assert (prr.value[k], prr.lower[k], prr.upper[k]) == pytest.approx((risk.relative_risk, between.low, between.high))
    with pytest.raises(DetectorError, match="fit their margins"):
        four_fold(np.array([3.0]), np.array([2.0]), np.array([4.0]), 9.0)


def test_first_appearance_does_not_look_ahead():
    rng = np.random.default_rng(5)
    e = np.full((200, 24), 0.4)
    n = rng.poisson(e).astype(float)
    n[0, 12:] += 4
    found = first_appearance(n, e)
    assert 12 <= found[0] <= 15
    assert (found[1:] >= 0).mean() < 0.02
    early = first_appearance(n[:, :16], e[:, :16])
    np.testing.assert_array_equal(early, np.where(found < 16, found, -1))


# --- the detector -----------------------------------------------------------------------------------------------------


def world(seed, *, total=800, drift=0.0, periods=45):
    """Pairs with lasting ratios far from 1, impossible cells, products with seasons of their own."""
    rng = np.random.default_rng(seed)
    row, column = rng.dirichlet(np.full(30, 0.7)), rng.dirichlet(np.full(40, 0.3))
    mean = np.outer(row, column) * np.exp(rng.normal(0, 1, (30, 40))) * (rng.random((30, 40)) > 0.5)
    mean = (mean * total / mean.sum())[:, :, None] * (1 + 0.4 * np.sin(2 * np.pi * np.arange(periods) / 13 + rng.uniform(0, 6, (30, 1, 1))))
    if drift:
        mean = mean * rng.gamma(drift**-2, drift**2, mean.shape)
    counts = rng.poisson(mean).astype(float)
    counts = counts.reshape(1200, periods)
    keys = pd.MultiIndex.from_product(
        [[f"p{k:02d}" for k in range(30)], [f"hazard={k:02d}" for k in range(40)]], names=["product", "stratum"]
    )
    there = counts.sum(axis=1) > 0
    return Panel(counts[there], keys[there], pd.period_range("2021-01-04", periods=periods, freq="4W-SUN"))


@pytest.mark.parametrize("options", [{}, {"drift": 0.3}, {"total": 8000}])
def test_level_is_kept_when_ratios_stay(options):
    p = []
    for seed in range(4):
        panel = world(seed, **options)
        signals = detector("gamma-poisson-shrinker").detect(panel, panel.periods[[-4, -1]])
        p.append(signals.p_value[signals.reason == 0])
    p = np.concatenate(p)
    # Judged against the larger of two p-values, and counts are whole: below the level, not far below on rich tables.
    assert (p <= 0.05).mean() <= 0.05
    assert (p <= 0.01).mean() <= 0.012
    if options.get("total") == 8000:
        assert (p <= 0.05).mean() >= 0.005


def test_a_pair_that_becomes_frequent_alarms_and_one_that_was_does_not():
    panel = world(1)
    at = int(np.argmin(np.abs(panel.observed[:, :-1].sum(axis=1) - 20)))
    now, always = panel.observed.copy(), panel.observed.copy()
    now[at, -1] += 15
    always[at] += 15
    judge = detector("gamma-poisson-shrinker")
    signals = judge.detect(Panel(now, panel.index, panel.periods))
    assert signals.alarm[at, 0]
    assert signals.p_value[at, 0] < 1e-5
    # Always high: known.
    assert not judge.detect(Panel(always, panel.index, panel.periods)).alarm[at, 0]


def test_a_product_or_hazard_that_becomes_frequent_everywhere_is_no_pair():
    panel = world(2, total=4000)
    counts = panel.observed.copy()
    of_product = panel.index.get_level_values(0) == panel.index[counts.sum(axis=1).argmax()][0]
    counts[of_product, -1] *= 3
    signals = detector("gamma-poisson-shrinker").detect(Panel(counts, panel.index, panel.periods))
    assert signals.alarm[of_product].mean() < 0.1


def test_first_case_is_no_alarm():
    panel = world(3)
    counts = np.vstack([panel.observed, np.eye(1, 45, 44)])
    index = panel.index.append(pd.MultiIndex.from_tuples([("p99", "hazard=99")], names=panel.index.names))
    signals = detector("gamma-poisson-shrinker").detect(Panel(counts, index, panel.periods))
    assert signals.p_value[-1, 0] == 1


def test_order_and_tables_do_not_see_each_other():
    """Series of another level of the tree are another table, and the order of the series does not matter, to the last bit."""
    panel = world(4)
    above = pd.DataFrame(panel.observed, index=panel.index).groupby(lambda key: (key[0][:2], key[1])).sum()
    frame = [("", stratum, product) for product, stratum in panel.index] + [("g", key[1], "") for key in above.index if key[0] == "p0"]
    counts = np.vstack([panel.observed, above[[key[0] == "p0" for key in above.index]].to_numpy()])
    index = pd.MultiIndex.from_tuples(frame, names=["industry", "stratum", "product"])
    order = np.random.default_rng(0).permutation(len(counts))
    judge = detector("gamma-poisson-shrinker")
    alone, both = judge.detect(panel), judge.detect(Panel(counts[order], index[order], panel.periods))
    for name in ("expected", "lower", "upper", "p_value"):
        np.testing.assert_array_equal(getattr(both, name)[np.argsort(order)][: len(panel.index)], getattr(alone, name))


def test_memory_is_long_where_ratios_stay_and_short_where_they_drift():
    rng = np.random.default_rng(6)
    prior = TwoGammas(4.0, 1.0, 4.0, 4.0, 0.1)
    e = np.full((400, 20), 30.0)
    ratio = rng.gamma(4.0, 0.25, (400, 1))
    assert learn_memory(prior, rng.poisson(ratio * e).astype(float), e) >= 256
    moving = ratio * rng.gamma(10.0, 0.1, e.shape)
    assert 4 <= learn_memory(prior, rng.poisson(moving * e).astype(float), e) <= 64
