"""CUSUM of counts: R's numbers, hand-computed cases, in-control distribution, level, missing and unripe periods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import REASONS, cusum_statistics, detector, in_control
from riskwatch.detectors.cusum_statistics import GRID, UNIT
from riskwatch.errors import DetectorError
from riskwatch.panel import Completeness, Panel

REFERENCE = Path(__file__).parents[1] / "reference"
MONTHLY = ("rotaBB", "meningo.age")
COUNTS = pd.read_csv(REFERENCE / "surveillance_counts.csv")
CASES = [key for key, _ in pd.read_csv(REFERENCE / "cusum.csv").groupby(["series", "statistic", "mean"])]


def counts_of(series):
    dataset, unit = series.split("__")
    row = COUNTS[(COUNTS["dataset"] == dataset) & (COUNTS["unit"] == unit)]
    return np.array(row["counts"].iloc[0].split(), dtype=float), dataset in MONTHLY


def weekly(observed, exposure=None, completeness=None):
    observed = np.atleast_2d(np.asarray(observed, dtype=float))
    periods = pd.period_range("2015-01-05", periods=observed.shape[1], freq="W-SUN")
    return Panel(observed, pd.RangeIndex(len(observed)), periods, exposure, completeness=completeness)


def test_statistic_and_limit_of_r():
    table = pd.read_csv(REFERENCE / "cusum.csv").groupby(["series", "statistic", "mean"])
    assert len(CASES) == 144
    for (series, statistic, mean_by), rows in table:
        y, monthly = counts_of(series)
        start, at = int(rows["first"].iloc[0]) - 1, rows["t"].to_numpy() - int(rows["first"].iloc[0])
        x = in_control.design(np.arange(len(y)) + 1.0, 12.0 if monthly else 52.0, int(mean_by == "glm"), trend=False)
        mean = in_control.fit(y[:start, None], np.ones((start, 1)), x[:start]).predict(x[start:])[0][:, 0]
        chart = cusum_statistics.recursion(cusum_statistics.score(statistic, y[start:], mean, 0.1) - 1.04)
        np.testing.assert_allclose(chart[at], rows["cusum"], rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(chart[at] >= 2.26, rows["alarm"] == 1)
        before = np.concatenate([[0.0], chart[:-1]])
        limit = cusum_statistics.inverse_score(statistic, 3.3 - before, mean, 0.1)[at]
        limit = np.ceil(limit) if statistic == "standard" else limit
        # Rossi's quadratic has a second root, which R reports where no count at all would be low enough.
        no_root = (statistic == "rossi") & (limit == 0)
        np.testing.assert_allclose(limit[~no_root], rows["upper"][~no_root], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("statistic", ["rossi", "pearson-nb"])
def test_the_detector_alarms_as_r(statistic):
    table = pd.read_csv(REFERENCE / "cusum.csv").groupby(["series", "statistic", "mean"])
    rows = table.get_group(("shadar__total", statistic, "mean"))
    y, _ = counts_of("shadar__total")
    start = int(rows["first"].iloc[0]) - 1
    panel = weekly(y)
    made = detector("cusum", statistic=statistic, reference=1.04, limit=2.26, start="first-judged", harmonics=0, trend=False, nb_alpha=0.1)
    signals = made.detect(panel, panel.periods[start : start + 40])
    np.testing.assert_array_equal(signals.alarm[0, rows["t"].to_numpy() - start - 1], rows["alarm"] == 1)
    np.testing.assert_array_equal(signals.alarm, signals.observed > signals.upper)
    assert signals.alarm.any()


def test_binomial_ratio_of_r():
    rows = pd.read_csv(REFERENCE / "cusum_abattoir.csv")
    ratio = cusum_statistics.binomial_ratio(rows["y"].to_numpy(), rows["n"].to_numpy(), rows["pi0"].to_numpy(), 1.5)
    value = cusum_statistics.recursion(ratio, restart=2.0)
    np.testing.assert_allclose(value, rows["statistic"], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(value >= 2.0, rows["alarm"] == 1)


def test_likelihood_ratio_is_that_of_the_distributions():
    y, mean, phi, risk = np.arange(12.0), 3.0, 2.0, 1.8
    slope, reference = cusum_statistics.likelihood_ratio(np.array([mean]), np.array([phi]), np.array([risk]))
    alpha = (phi - 1) / mean
    by_scipy = [stats.nbinom.logpmf(y, 1 / alpha, 1 / (1 + alpha * m)) for m in (mean, risk * mean)]
    np.testing.assert_allclose(slope * (y - reference), by_scipy[1] - by_scipy[0], rtol=1e-10)
    slope, reference = cusum_statistics.likelihood_ratio(np.array([mean]), np.array([1.0]), np.array([risk]))
    np.testing.assert_allclose(slope * (y - reference), stats.poisson.logpmf(y, risk * mean) - stats.poisson.logpmf(y, mean), rtol=1e-10)


def test_recursion_by_hand():
    steps = np.array([[1.0, -3.0, 2.0, np.nan, 0.5, -1.0]])
    np.testing.assert_array_equal(cusum_statistics.recursion(steps), [[1, 0, 2, 2, 2.5, 1.5]])
    np.testing.assert_array_equal(cusum_statistics.recursion(steps, restart=2.0), [[1, 0, 2, 0, 0.5, 0]])


@pytest.mark.parametrize("statistic", ["standard", "rossi", "anscombe", "pearson-nb"])
def test_inverse_score(statistic):
    y = np.array([0.0, 1.0, 4.0, 60.0])
    value = cusum_statistics.score(statistic, y, np.full(4, 7.0), 0.2)
    np.testing.assert_allclose(cusum_statistics.inverse_score(statistic, value, np.full(4, 7.0), 0.2), y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("mean", "phi"), [(0.3, 1.0), (4.0, 2.0), (90.0, 1.5)])
def test_chain_against_simulation(mean, phi):
    """The in-control distribution after twelve periods, with an uncertain mean."""
    rng, runs, error = np.random.default_rng(4), 40_000, 0.2 * np.sqrt(phi / mean)
    one = np.array([mean]), np.array([phi])
    slope, reference = cusum_statistics.likelihood_ratio(*one, 1 + 1.5 * np.sqrt(one[1] / one[0]))
    edge = np.ceil(reference[:, None] + (np.arange(-GRID, GRID + 1) - 0.5) * UNIT / slope[:, None])
    tail = cusum_statistics.in_control_tail(edge, *one, np.array([error]), 12)[0]
    actual = mean * np.exp(error * rng.standard_normal((runs, 1)) - error**2 / 2)
    rate = actual * np.ones((1, 12)) if phi == 1 else rng.gamma(actual / (phi - 1) * np.ones((1, 12))) * (phi - 1)
    whole = np.floor(slope * (rng.poisson(rate) - reference) / UNIT + 0.5)
    state = cusum_statistics.recursion(whole)[:, -1]
    for j in (1, 5, 15, 25):
        seen = (state >= j).mean()
        assert tail[j] == pytest.approx(seen, abs=5 * np.sqrt(seen * (1 - seen) / runs) + 1e-4)
    assert tail[0] == 1.0
    assert (np.diff(tail) <= 1e-15).all()


@pytest.mark.parametrize(("mean", "phi", "season"), [(1.0, 1.0, 0.0), (8.0, 2.0, 0.5)])
def test_level_without_a_signal(mean, phi, season):
    rng, n, weeks = np.random.default_rng(8), 600, 220
    m = mean * np.exp(season * np.sin(2 * np.pi * np.arange(weeks) / 52.18)) * np.ones((n, 1))
    panel = weekly(rng.poisson(m if phi == 1 else rng.gamma(m / (phi - 1)) * (phi - 1)))
    p = detector("cusum").detect(panel, panel.periods[[-40, -20, -1]]).p_value
    assert 0.6 < (p <= 0.05).mean() / 0.05 < 1.4
    assert 0.4 < (p <= 0.02).mean() / 0.02 < 1.6


def test_a_lasting_shift_is_found_and_a_known_mean_helps():
    rng = np.random.default_rng(3)
    y = rng.poisson(5.0, (200, 300)).astype(float)
    y[:, -6:] += rng.poisson(4.0, (200, 6))
    panel = weekly(y)
    signals = detector("cusum").detect(panel, panel.periods[[-7, -1]])
    assert signals.alarm[:, 0].mean() < 0.03
    assert signals.alarm[:, 1].mean() > 0.6
    strict = detector("cusum", relative_risk=1.8, alpha=0.0005).detect(panel)
    assert strict.alarm.mean() < signals.alarm[:, 1].mean()


def test_upper_is_the_largest_count_without_alarm():
    rng = np.random.default_rng(6)
    y = rng.poisson(6.0, (60, 250)).astype(float)
    y[:, -3:-1] += 2
    for parameters in ({}, {"statistic": "rossi"}, {"limit": 3.0}):
        made = detector("cusum", **parameters)
        upper = made.detect(weekly(y)).upper[:, 0]
        usable = upper >= 0
        assert usable.any()
        for more, alarmed in ((0, False), (1, True)):
            changed = y.copy()
            changed[:, -1] = np.maximum(upper, 0) + more
            assert (made.detect(weekly(changed)).alarm[usable, 0] == alarmed).all(), parameters


def test_missing_periods_carry_the_statistic():
    y = np.tile([4.0, 5.0, 6.0, 5.0], 60)[None, :]
    y[0, -6:-2] = 12.0
    without = y.copy()
    without[0, -2] = np.nan
    shorter = np.delete(y, -2, axis=1)
    assert detector("cusum", trend=False, harmonics=0).detect(weekly(without)).p_value[0, 0] < 0.01
    state = [detector("cusum", trend=False, harmonics=0, limit=5.0).detect(weekly(part)).upper[0, 0] for part in (without, shorter)]
    assert abs(state[0] - state[1]) <= 1


def test_completeness():
    rng = np.random.default_rng(12)
    y = rng.poisson(20.0, (50, 200)).astype(float)
    share, none = np.ones(y.shape), np.zeros(y.shape)
    plain, full = (detector("cusum").detect(weekly(y, completeness=c)) for c in (None, Completeness(share, none)))
    for name in ("expected", "upper", "p_value", "alarm"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(full, name))
    share[:, -1], share[0, -1] = 0.5, 0.2
    half = detector("cusum").detect(weekly(y, completeness=Completeness(share, none)))
    np.testing.assert_allclose(half.expected[1:], plain.expected[1:] * 0.5, rtol=1e-12)
    assert (half.upper[1:] < plain.upper[1:]).all()
    assert half.reason[0, 0] == REASONS.index("unripe")
    unsure = detector("cusum").detect(weekly(y, completeness=Completeness(share, np.where(share < 1, 0.1, 0.0))))
    assert unsure.upper[1:].mean() > half.upper[1:].mean()
    assert (unsure.p_value[1:] >= half.p_value[1:]).mean() > 0.5


def test_exposure_scales_the_mean():
    rng = np.random.default_rng(2)
    exposure = np.full((30, 230), 100.0)
    y = rng.poisson(0.1 * exposure).astype(float)
    exposure[:, -1] = 300.0
    exposure[0, -1] = 0.0
    signals = detector("cusum", population_offset=True).detect(weekly(y, exposure))
    assert signals.expected[1:].mean() == pytest.approx(30.0, rel=0.1)
    assert signals.reason_text[0, 0] == "no-exposure"


def test_regression_is_maximum_likelihood():
    """Score equations of the fitted regression and dispersion are zero; an intercept is the mean."""
    rng = np.random.default_rng(1)
    y = rng.negative_binomial(3, 0.4, (120, 5)).astype(float)
    x = in_control.design(np.arange(120.0), 52.0, 1, trend=True, scale=120.0)
    found = in_control.fit_negative_binomial(y, np.ones(y.shape), x)
    assert found.ok.all()
    np.testing.assert_allclose(x.T @ ((y - found.mean) / (1 + found.alpha * found.mean)), 0, atol=1e-7)
    for at in range(5):

        def loss(alpha, at=at):
            return -stats.nbinom.logpmf(y[:, at], 1 / alpha, 1 / (1 + alpha * found.mean[:, at])).sum()

        assert loss(found.alpha[at]) <= min(loss(found.alpha[at] * f) for f in (0.999, 1.001))
    flat = in_control.fit(y, np.ones(y.shape), np.ones((120, 1)))
    np.testing.assert_allclose(flat.mean[0], y.mean(axis=0), rtol=1e-12)
    under = in_control.fit_negative_binomial(np.full((50, 1), 4.0) + np.arange(50)[:, None] % 2, np.ones((50, 1)), np.ones((50, 1)))
    assert under.alpha[0] == 0.0


def test_parameters_are_checked():
    with pytest.raises(DetectorError, match=r"cusum: shift must be >= 0\.1, got 0"):
        detector("cusum", shift=0)
    with pytest.raises(DetectorError, match="statistic must be one of likelihood-ratio, standard"):
        detector("cusum", statistic="page")
