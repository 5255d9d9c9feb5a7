"""ewma: published run lengths, exact tails of weighted sums, season, trend, gaps, delay, calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import detector, harmonic_mean, weighted_sum
from riskwatch.detectors.ewma_run_length import average_run_length, level_for_run_length
from riskwatch.errors import DetectorError
from riskwatch.panel import Completeness, Panel

PLAIN = {"harmonics": 0, "trend": False}


def panel_of(counts, exposure=None, completeness=None, freq="W-SUN"):
    counts = np.atleast_2d(np.asarray(counts, float))
    periods = pd.period_range("2015-01-05", periods=counts.shape[1], freq=freq)
    return Panel(counts, pd.RangeIndex(len(counts)), periods, exposure, completeness=completeness)


def null_counts(rng, mean, phi, shape):
    return (rng.poisson(mean, shape) if phi == 1 else rng.poisson(rng.gamma(mean / (phi - 1), phi - 1, shape))).astype(float)


# Two-sided chart started at its centre: smoothing, limit, run length at each shift (Lucas & Saccucci 1990, table 3).
PUBLISHED = [
    (0.05, 2.615, {0: 500, 0.25: 84.1, 0.5: 28.8, 1: 11.4, 2: 5.2, 4: 2.7}),
    (0.10, 2.814, {0: 500, 0.25: 106, 0.5: 31.3, 1: 10.3, 2: 4.4, 4: 2.2}),
    (0.25, 2.998, {0: 500, 0.25: 170, 0.5: 48.2, 1: 11.1, 2: 3.6, 4: 1.7}),
    (0.40, 3.054, {0: 500, 0.25: 224, 0.5: 71.2, 1: 14.3, 2: 3.5, 4: 1.4}),
]


@pytest.mark.parametrize(("smoothing", "limit", "lengths"), PUBLISHED)
def test_published_run_lengths(smoothing, limit, lengths):
    for shift, length in lengths.items():
        assert average_run_length(smoothing, limit, shift, two_sided=True) == pytest.approx(length, rel=0.006, abs=0.06)


def test_run_length_without_smoothing_is_geometric():
    assert average_run_length(1.0, 2.5) == pytest.approx(1 / stats.norm.sf(2.5), rel=1e-6)
    assert average_run_length(1.0, 2.5, 1.0) == pytest.approx(1 / stats.norm.sf(1.5), rel=1e-6)
    assert level_for_run_length(1.0, 200.0) == pytest.approx(0.005, rel=1e-6)


def test_run_length_by_simulation():
    rng = np.random.default_rng(1)
    alpha = level_for_run_length(0.4, 60.0)
    limit, z, running, total = stats.norm.isf(alpha) * np.sqrt(0.4 / 1.6), np.zeros(4000), np.ones(4000, bool), 0
    while running.any():
        z = 0.4 * rng.normal(size=4000) + 0.6 * z
        total += running.sum()
        running &= z <= limit
    assert total / 4000 == pytest.approx(60.0, rel=0.06)


def test_run_length_arguments_are_checked():
    with pytest.raises(DetectorError, match="needs 0 < smoothing <= 1, limit > 0"):
        average_run_length(0.0, 3.0)
    with pytest.raises(DetectorError, match="run_length must be 20 to 100000 periods, got 5"):
        level_for_run_length(0.2, 5.0)


@pytest.mark.parametrize(("mean", "phi"), [(0.5, 1.0), (0.5, 3.0), (5.0, 1.0), (5.0, 3.0)])
def test_tail_of_a_weighted_sum(mean, phi):
    """Weights 1/2, 1/4, 1/8, 1/16 lie on a lattice: the exact distribution is a convolution."""
    counts = np.arange(400)
    mass = stats.poisson.pmf(counts, mean) if phi == 1 else stats.nbinom.pmf(counts, mean / (phi - 1), 1 / phi)
    exact = np.ones(1)
    for step in (8, 4, 2, 1):
        spaced = np.zeros(400 * step)
        spaced[::step] = mass
        exact = np.convolve(exact, spaced)
    support = np.arange(len(exact)) / 16
    weight, one = np.array([0.5, 0.25, 0.125, 0.0625])[:, None], np.ones((4, 1))
    found = weighted_sum.cumulants(weight, mean * one, phi * one)
    centre = (support * exact).sum()
    assert found.mean[0] == pytest.approx(centre)
    assert found.variance[0] == pytest.approx((exact * (support - centre) ** 2).sum())
    assert found.third[0] == pytest.approx((exact * (support - centre) ** 3).sum())
    for level in (0.05, 0.01, 0.001):
        at = weighted_sum.critical_value(level, found)
        assert weighted_sum.tail(at, found)[0] == pytest.approx(level, rel=1e-9)
        # On average over the lattice around it; the sum jumps by half a case where the newest count does.
        near = np.mean([exact[support >= at[0] + shift].sum() for shift in np.linspace(-0.25, 0.25, 17)])
        assert near == pytest.approx(level, rel=0.3)


def test_a_common_factor_with_a_gamma_distribution():
    """Poisson counts whose mean has a gamma distribution are negative binomial: all three cumulants are known."""
    one = np.ones((1, 1))
    found = weighted_sum.with_uncertain_mean(weighted_sum.cumulants(one, 6.0 * one, one), np.array([0.25]))
    size, p = 4.0, 4.0 / 10.0
    mean, variance, skewness = stats.nbinom.stats(size, p, moments="mvs")
    assert (found.mean[0], found.variance[0]) == pytest.approx((mean, variance))
    assert found.third[0] == pytest.approx(skewness * variance**1.5)


def test_fit_of_season_and_trend():
    rng = np.random.default_rng(5)
    time = np.arange(260)
    design = np.stack([np.ones(260), np.cos(time / 8.3), np.sin(time / 8.3), time / 260], axis=1)
    truth = np.array([[2.0, 0.0], [0.5, 0.1], [-0.3, 0.0], [0.2, -0.4]])
    y = rng.poisson(np.exp(design @ truth)).astype(float)
    exposure = np.ones_like(y)
    exposure[rng.random(y.shape) < 0.1] = 0
    fitted = harmonic_mean.fit(y, exposure, design, threshold=99.0)
    assert fitted.converged.all()
    mean = harmonic_mean.means(design, fitted.coefficients)
    raised = np.where(exposure > 0, y + 0.5 / exposure.sum(axis=0), 0.0)
    prior = np.array([[0.0], [1.0], [1.0], [1.0]])
    np.testing.assert_allclose(design.T @ (raised - exposure * mean), prior * fitted.coefficients, atol=1e-5)  # the score is zero
    apart = (fitted.coefficients - truth) / np.sqrt(np.einsum("skk->ks", fitted.covariance))
    assert np.abs(apart).max() < 3.5
    np.testing.assert_allclose(fitted.phi, 1.0, atol=0.2)
    # Nothing at all, and everything in one season, still have a fit.
    odd = np.zeros((260, 2))
    odd[:20, 1] = 3
    assert harmonic_mean.fit(odd, np.ones_like(odd), design, threshold=2.58).converged.all()


def test_statistic_by_hand():
    """Smoothing 1/2 and two terms: y_t / 2 + y_(t-1) / 4 against a baseline of known mean."""
    counts = np.append(np.tile([4.0, 6.0], 200), [9.0, 11.0])
    judge = detector(
        "ewma", smoothing=0.5, run_in=2, baseline_periods=400, alpha=0.01, typical_dispersion=1.0, typical_strength=1000, **PLAIN
    )
    signals = judge.detect(panel_of(counts))
    assert signals.expected[0, 0] == pytest.approx(5.0, rel=1e-3)
    variance = 5 * (1 / 4 + 1 / 16) + 5 / 400 * (3 / 4) ** 2  # phi is 1: the scatter of the baseline is below Poisson
    third = 5 * (1 / 8 + 1 / 64)
    shape = 4 * variance**3 / third**2
    exact = stats.gamma.sf(shape + (9 / 4 + 11 / 2 - 15 / 4) * np.sqrt(shape / variance), shape)
    assert signals.p_value[0, 0] == pytest.approx(exact, rel=0.05)
    # Only what the newest count adds can still be changed: the limit is the last count without an alarm.
    for y in (signals.upper[0, 0], signals.upper[0, 0] + 1):
        counts[-1] = y
        assert judge.detect(panel_of(counts)).alarm[0, 0] == (y > signals.upper[0, 0])


@pytest.mark.parametrize(("mean", "phi"), [(1.0, 1.0), (1.0, 2.0), (10.0, 2.0), (300.0, 3.0)])
def test_level_without_a_shift(mean, phi):
    panel = panel_of(null_counts(np.random.default_rng(8), mean, phi, (2500, 160)))
    p = detector("ewma").detect(panel).p_value
    assert 0.035 < (p <= 0.05).mean() < 0.072
    assert 0.0055 < (p <= 0.01).mean() < 0.019


def test_level_with_season_and_trend():
    time = np.arange(330)
    mean = 20 * np.exp(0.4 * np.sin(2 * np.pi * time / 52.18) + 0.2 * np.cos(4 * np.pi * time / 52.18) + 0.001 * time)
    panel = panel_of(null_counts(np.random.default_rng(8), mean, 2.0, (500, 330)))
    judged = panel.periods[[-27, -14, -1]]
    rate = {flag: (detector("ewma", harmonics=2 * flag, trend=flag).detect(panel, judged).p_value <= 0.05).mean() for flag in (True, False)}
    assert 0.035 < rate[True] < 0.08
    assert rate[False] > 0.2


def test_a_slow_rise_is_seen_where_single_weeks_are_not():
    counts = null_counts(np.random.default_rng(2), 12.0, 1.0, (400, 170))
    counts[:, -10:] += null_counts(np.random.default_rng(3), 4.0, 1.0, (400, 10))
    share = {smoothing: detector("ewma", smoothing=smoothing).detect(panel_of(counts)).alarm.mean() for smoothing in (0.2, 1.0)}
    assert share[0.2] > 0.3
    assert share[0.2] > 2.5 * share[1.0]


def test_an_outbreak_in_the_baseline_does_not_hide_the_next():
    counts = np.tile([8.0, 12.0, 10.0, 14.0, 6.0], 40)
    clean = detector("ewma").detect(panel_of(counts))
    counts[100:106] = 90
    robust, gullible = (detector("ewma", reweight_threshold=at).detect(panel_of(counts)) for at in (2.58, 1e6))
    assert robust.expected[0, 0] < 1.2 * clean.expected[0, 0] < gullible.expected[0, 0]
    assert robust.upper[0, 0] < gullible.upper[0, 0]


def test_the_baseline_ends_before_the_sum_begins():
    counts = np.tile([8.0, 12.0, 10.0, 14.0, 6.0], 40)
    raised = counts.copy()
    raised[-6:] += 9  # six terms at a smoothing of 0.4
    assert detector("ewma").detect(panel_of(raised)).expected[0, 0] == detector("ewma").detect(panel_of(counts)).expected[0, 0]
    raised[-7] += 9
    assert detector("ewma").detect(panel_of(raised)).expected[0, 0] > detector("ewma").detect(panel_of(counts)).expected[0, 0]
    assert detector("ewma").min_periods("week") == 52 + 6
    assert detector("ewma", guard_periods=3, run_in=10).min_periods("week") == 52 + 13


def test_gaps():
    counts = np.tile([8.0, 12.0, 10.0, 14.0, 6.0], 40)
    counts[-4:] = [13, np.nan, 14, 16]
    gapped = detector("ewma").detect(panel_of(counts))
    assert gapped.reason[0, 0] == 0
    counts[-3] = 10.0  # as expected: the sum is diluted
    assert gapped.p_value[0, 0] < detector("ewma").detect(panel_of(counts)).p_value[0, 0]
    counts[-1] = np.nan
    assert detector("ewma").detect(panel_of(counts)).reason_text[0, 0] == "missing"
    counts[20:-20] = np.nan
    counts[-1] = 3
    assert detector("ewma").detect(panel_of(counts)).reason_text[0, 0] == "too-short"


def test_reporting_delay():
    counts = null_counts(np.random.default_rng(3), 20.0, 2, (16, 120))
    shape = counts.shape
    judge = detector("ewma")
    plain = judge.detect(panel_of(counts))
    ripe = judge.detect(panel_of(counts, completeness=Completeness(np.ones(shape), np.zeros(shape))))
    for field in ("expected", "lower", "upper", "p_value", "alarm"):
        np.testing.assert_array_equal(getattr(plain, field), getattr(ripe, field))
    share, error = np.ones(shape), np.zeros(shape)
    share[:, -1], share[:, -2], share[0, -1], error[1, -1] = 0.5, 0.8, 0.2, 0.3
    young = judge.detect(panel_of(counts, completeness=Completeness(share, error)))
    assert young.reason_text[0, 0] == "unripe"
    np.testing.assert_allclose(young.expected[1:], plain.expected[1:] / 2)
    certain = judge.detect(panel_of(counts, completeness=Completeness(share, np.zeros(shape))))
    assert young.upper[1, 0] > certain.upper[1, 0]
    # Counts that arrived in proportion to their share are as unremarkable as they would be complete.
    thinned = np.random.default_rng(4).binomial(counts.astype(int), share).astype(float)
    p = judge.detect(panel_of(thinned, completeness=Completeness(share, np.zeros(shape)))).p_value[1:]
    assert 0.2 < p.mean() < 0.8


def test_exposure():
    rng = np.random.default_rng(6)
    exposure = rng.integers(50, 200, (6, 150)).astype(float)
    counts = rng.poisson(0.2 * exposure).astype(float)
    judge = detector("ewma", population_offset=True)
    signals = judge.detect(panel_of(counts, exposure))
    np.testing.assert_allclose(signals.expected[:, 0], 0.2 * exposure[:, -1], rtol=0.25)
    np.testing.assert_allclose(judge.detect(panel_of(counts, 7.0 * exposure)).p_value, signals.p_value, rtol=1e-6)
    exposure[0, -1] = 0
    assert judge.detect(panel_of(counts, exposure)).reason_text[0, 0] == "no-exposure"
    with pytest.raises(DetectorError, match="population_offset needs a panel with exposure"):
        judge.detect(panel_of(counts))


def test_neighbours_do_not_matter():
    counts = null_counts(np.random.default_rng(3), 5.0, 2, (300, 200))
    whole = detector("ewma").detect(panel_of(counts))
    for rows in (slice(0, 1), slice(255, 258), slice(7, 290)):
        np.testing.assert_array_equal(detector("ewma").detect(panel_of(counts[rows])).p_value, whole.p_value[rows])


def test_parameters_are_checked():
    with pytest.raises(DetectorError, match=r"min_baseline must be <= baseline_periods \(20\), got 30"):
        detector("ewma", baseline_periods=20, min_baseline=30)
    assert detector("ewma", smoothing=1.0).min_periods("month") == 13
