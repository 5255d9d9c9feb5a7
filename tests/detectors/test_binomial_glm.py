"""binomial-glm: its regression, its laboratories, and what it makes of both."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import binomial_regression, detector
from riskwatch.detectors.laboratory import LabEffects, estimate_effects
from riskwatch.detectors.laboratory_effects import laboratory_effects
from riskwatch.detectors.nb_regression import pairs_of
from riskwatch.errors import DetectorError
from riskwatch.panel import Breakdown, Covariates, Panel

REFERENCE = Path(__file__).parents[1] / "reference"
MONTHS = pd.period_range("2019-01", periods=75, freq="M")
LABS = tuple(f"lab {at}" for at in range(6))


def odds(logit):
    return 1 / (1 + np.exp(-logit))


def with_laboratories(rng, series=200, size=40, strict=1.8, moved=slice(0)):
    """Rates Beta(2, 38), three of six laboratories a series; those of ``moved`` go to the first alone in the newest month."""
    n = rng.poisson(size, (series, len(MONTHS))) + 1
    share = np.zeros((series, len(MONTHS), len(LABS)))
    for step in range(3):
        share[np.arange(series), :, (np.arange(series) + step) % len(LABS)] = rng.uniform(0.2, 1, (series, 1))
    share[moved, -1] = np.eye(len(LABS))[0]
    parts = rng.multinomial(n, share / share.sum(axis=2, keepdims=True))
    rate = rng.beta(2, 38, (series, 1, 1))
    ratio = rate / (1 - rate) * np.where(np.arange(len(LABS)) == 0, strict, 1.0)
    found = rng.binomial(parts, ratio / (1 + ratio))
    found, parts = (part.transpose(2, 0, 1).astype(float) for part in (found, parts))
    return Panel(found.sum(axis=0), pd.RangeIndex(series), MONTHS, parts.sum(axis=0), breakdown=Breakdown("laboratory", LABS, found, parts))


# --- the regression ---------------------------------------------------------------------------------------------------


def month_columns(month):
    return np.column_stack([np.ones(len(month)), month / 12, np.cos(2 * np.pi * month / 12), np.sin(2 * np.pi * month / 12)])


def test_fit_equals_r_glm():
    rows = pd.read_csv(REFERENCE / "binomial_glm.csv")
    x, n, fitted = (
        rows.pivot_table(index="month", columns="series", values=name).to_numpy(float) for name in ("failed", "inspected", "fitted")
    )
    ours = binomial_regression.fit(x, n, np.ones_like(x), pairs_of(month_columns(np.arange(1.0, 25))), np.zeros((4, 5)))
    np.testing.assert_allclose(ours.rate, fitted, rtol=1e-9)


def test_fit_equals_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(1)
    columns = month_columns(np.arange(60.0))
    n = rng.poisson(np.geomspace(5, 2000, 12), (60, 12)) + 1.0
    offset = rng.normal(0, 0.3, (60, 12))
    x = rng.binomial(n.astype(int), odds(-2 + 0.4 * columns[:, 2:3] + offset)).astype(float)
    weight = np.where(rng.random((60, 12)) < 0.1, 0.0, 1.0)
    ours = binomial_regression.fit(
        np.where(weight > 0, x, 0), np.where(weight > 0, n, 0), weight, pairs_of(columns), np.zeros((4, 12)), offset=offset
    )
    for at in range(12):
        use = weight[:, at] > 0
        pair = np.column_stack([x[use, at], n[use, at] - x[use, at]])
        theirs = sm.GLM(pair, columns[use], family=sm.families.Binomial(), offset=offset[use, at]).fit(tol=1e-12)
        np.testing.assert_allclose(ours.rate[use, at], theirs.fittedvalues, rtol=1e-6)
        np.testing.assert_allclose(np.linalg.inv(ours.information[:, :, at]), theirs.cov_params(), rtol=1e-5)


def test_the_prior_is_inspections_not_made():
    """Without other terms the level is (x + r S) / (n + S), the mean of the beta posterior; its information that of n + S inspections."""
    x, n = np.array([[0.0, 3.0]]), np.array([[7.0, 11.0]])
    prior = (np.array([0.05, 0.2]), np.array([20.0, 4.0]))
    found = binomial_regression.fit(x, n, np.ones((1, 2)), pairs_of(np.ones((1, 1))), np.zeros((1, 2)), prior=prior)
    rate = (x + prior[0] * prior[1]) / (n + prior[1])
    np.testing.assert_allclose(found.rate, rate, rtol=1e-9)
    np.testing.assert_allclose(found.information[0, 0], ((n + prior[1]) * rate * (1 - rate))[0], rtol=1e-6)


# --- laboratories -----------------------------------------------------------------------------------------------------


def reference_laboratories():
    rows = pd.read_csv(REFERENCE / "laboratory.csv")
    x, n = (rows.pivot_table(index="laboratory", columns="series", values=name).to_numpy(float) for name in ("failed", "inspected"))
    return x, n, pd.read_csv(REFERENCE / "laboratory_effects.csv")


def test_effects_equal_lme4():
    """The same joint mode as glmer(nAGQ=0). With nAGQ=1 R moves the levels too to where Laplace's likelihood is highest: all effects shift
    by about 0.012, and their differences and tau change in the third or fourth digit."""
    x, n, theirs = reference_laboratories()
    ours = estimate_effects(x, n, np.zeros(x.shape), precision=0.0, restricted=False)
    joint, laplace = (theirs[theirs["nAGQ"] == at] for at in (0, 1))
    assert ours.tau == pytest.approx(joint["tau"].iloc[0], rel=1e-6)
    np.testing.assert_allclose(ours.effect, joint["effect"], atol=1e-6)
    assert ours.tau == pytest.approx(laplace["tau"].iloc[0], rel=1e-3)
    apart = ours.effect - laplace["effect"].to_numpy()
    assert np.abs(apart).max() < 0.015
    assert np.ptp(apart) < 0.003


def test_restricted_likelihood_counts_what_the_levels_took():
    x, n, _ = reference_laboratories()
    plain, restricted = (estimate_effects(x, n, np.zeros(x.shape), precision=0.0, restricted=at) for at in (False, True))
    assert 1.05 < restricted.tau / plain.tau < 1.25  # about sqrt(6 / 5)


def test_no_effect_is_none():
    rng = np.random.default_rng(4)
    n = np.full((5, 200), 30.0)
    found = estimate_effects(rng.binomial(30, 0.06, (5, 200)).astype(float), n, np.full((5, 200), -2.75))
    assert np.abs(found.effect).max() < 0.05
    one = estimate_effects(n[:1] / 10, n[:1], np.zeros((1, 200)))
    assert (one.tau, one.effect.tolist()) == (0.0, [0.0])


def test_true_effects_lie_in_their_intervals():
    """Over 40 data sets, about 95 % of the intervals hold the truth, up to the effects' mean, which the levels hold."""
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(40):
        truth = rng.normal(0, 0.4, 8)
        level = rng.normal(-3, 0.6, 150)
        n = rng.poisson(12, (8, 150)).astype(float)
        found = estimate_effects(rng.binomial(n.astype(int), odds(level + truth[:, None])).astype(float), n, np.full((8, 150), -3.0))
        error = np.sqrt(np.diag(found.covariance))
        inside.append(np.abs(found.effect - (truth - truth.mean())) < 1.96 * error)
    assert 0.9 < np.mean(inside) <= 1.0


def test_laboratory_table():
    panel = with_laboratories(np.random.default_rng(6), series=150)
    table = laboratory_effects(panel)
    assert table.index.tolist() == list(LABS)
    assert list(table.columns) == ["stratum", "effect", "lower", "upper", "n", "failed", "tau"]
    ratio = table["effect"] / table["effect"].drop("lab 0").mean()
    assert 1.55 < ratio["lab 0"] < 2.1
    assert (table["lower"] > 1).tolist() == [True, *[False] * 5]
    assert table["n"].sum() == panel.exposure.sum()
    shuffled = laboratory_effects(panel.select(panel.index[np.random.default_rng(1).permutation(150)]))
    pd.testing.assert_frame_equal(table, shuffled, check_exact=True)
    with pytest.raises(DetectorError, match="the panel needs a breakdown, got none"):
        laboratory_effects(dataclasses.replace(panel, breakdown=None))


def test_going_to_the_strict_laboratory_is_no_alarm():
    rng = np.random.default_rng(7)
    panel = with_laboratories(rng, series=240, size=150, strict=2.5, moved=slice(0, 80))
    judge = detector("binomial-glm", alpha=0.01)
    known = judge.detect(panel).alarm[:80, 0].mean()
    hidden = judge.detect(dataclasses.replace(panel, breakdown=None)).alarm[:80, 0].mean()
    assert hidden > 0.15
    assert known <= 0.04


def test_a_true_excess_at_the_strict_laboratory_alarms():
    panel = with_laboratories(np.random.default_rng(8), series=240, size=150, moved=slice(0, 80))
    clean = detector("binomial-glm").detect(panel)
    observed, parts = panel.observed.copy(), panel.breakdown.observed.copy()
    more = np.ceil(1.5 * clean.expected[:20, 0] + 8)
    more = np.minimum(more, panel.exposure[:20, -1] - observed[:20, -1])
    observed[:20, -1] += more
    parts[0, :20, -1] += more
    worse = dataclasses.replace(panel, observed=observed, breakdown=dataclasses.replace(panel.breakdown, observed=parts))
    assert detector("binomial-glm").detect(worse).alarm[:20, 0].mean() > 0.9


def test_a_laboratory_never_seen_widens_the_limit():
    panel = with_laboratories(np.random.default_rng(9), series=60, size=900)
    n, x = panel.breakdown.exposure.copy(), panel.breakdown.observed.copy()
    for part in (n, x):  # the newest month of series 0 goes to a new one
        part[:, 0, -1] = 0
    unseen = (np.concatenate([part, np.zeros((1, *part.shape[1:]))]) for part in (x, n))
    x, n = unseen
    x[-1, 0, -1], n[-1, 0, -1] = panel.observed[0, -1], panel.exposure[0, -1]
    new = dataclasses.replace(panel, breakdown=Breakdown("laboratory", (*LABS, "new"), x, n))
    assert detector("binomial-glm").detect(new).upper[0, 0] > detector("binomial-glm").detect(panel).upper[0, 0]


def test_effects_without_spread_change_nothing():
    panel = with_laboratories(np.random.default_rng(10), series=60, strict=1.0)
    assert LabEffects.none(3).covariance.shape == (3, 3)
    table = laboratory_effects(panel)
    assert table["effect"].between(0.85, 1.15).all()


# --- the detector -----------------------------------------------------------------------------------------------------


def quiet(rng, series, size, *, rho=0.0, season=0.0, trend=0.0):
    month = np.arange(len(MONTHS))
    n = rng.poisson(size, (series, len(MONTHS))).astype(float)
    rate = odds(np.log(1 / (1 / rng.beta(2, 38, (series, 1)) - 1)) + season * np.cos(2 * np.pi * month / 12) + trend * (month - 75) / 12)
    if rho:
        rate = rng.beta(rate * (1 / rho - 1), (1 - rate) * (1 / rho - 1))
    return Panel(np.where(n > 0, rng.binomial(n.astype(int), rate), np.nan), pd.RangeIndex(series), MONTHS, n)


@pytest.mark.parametrize("given", [{}, {"rho": 0.03}, {"season": 0.3, "trend": 0.08}], ids=lambda given: "-".join(given) or "flat")
def test_level_is_held(given):
    """1,800 cells of 600 series, months apart. Levels are held from below, since counts have few values; above, by no more than chance."""
    for size, least in ((10, 0.0005), (200, 0.003)):
        panel = quiet(np.random.default_rng(11), 600, size, **given)
        p = detector("binomial-glm").detect(panel, MONTHS[[-7, -4, -1]]).p_value
        p = p[np.isfinite(p)]
        for level in (0.01, 0.005):
            assert np.mean(p <= level) <= stats.binom.ppf(0.995, p.size, level) / p.size
        assert least < np.mean(p <= 0.01)


def test_season_and_trend_are_learnt():
    panel = quiet(np.random.default_rng(12), 100, 300, season=0.5, trend=0.1)
    signals = detector("binomial-glm").detect(panel, MONTHS[-12::4])
    ratio = signals.observed.sum(axis=0) / signals.expected.sum(axis=0)
    assert np.abs(ratio - 1).max() < 0.08
    flat = detector("binomial-glm", harmonics=0, trend=False).detect(panel, MONTHS[-12::4])
    assert np.abs(flat.observed.sum(axis=0) / flat.expected.sum(axis=0) - 1).max() > 0.3


def test_thin_series_have_the_siblings_season():
    """Three inspections a month say nothing of a season; the siblings' is there nevertheless."""
    panel = quiet(np.random.default_rng(13), 800, 3, season=0.6)
    expected = detector("binomial-glm").detect(panel, MONTHS[-12::3])
    share = np.nansum(expected.expected, axis=0) / np.nansum(np.where(expected.reason == 0, expected.exposure, 0), axis=0)
    assert 1.8 < share.max() / share.min() < 5.0  # exp(1.2) = 3.3


def test_level_shift_of_some_series():
    rng = np.random.default_rng(14)
    panel = quiet(rng, 60, 200)
    after = np.arange(75) >= 50
    shifted = np.arange(60) < 10
    x = panel.observed + np.where(shifted[:, None] & after, rng.binomial(panel.exposure.astype(int), 0.06), 0)
    covariates = Covariates(("new standard",), after[None].astype(float), shifted[None])
    plain = Panel(np.minimum(x, panel.exposure), panel.index, MONTHS, panel.exposure)
    told = dataclasses.replace(plain, covariates=covariates)
    judge = detector("binomial-glm", harmonics=0, trend=False)
    error = [np.abs(s.expected - s.observed)[:10].mean() for s in (judge.detect(plain, MONTHS[-6:]), judge.detect(told, MONTHS[-6:]))]
    assert error[1] < 0.6 * error[0]
    np.testing.assert_allclose(judge.detect(told).expected[10:], judge.detect(plain).expected[10:], rtol=0.2)


def test_past_exceedances_count_less():
    panel = quiet(np.random.default_rng(15), 50, 100)
    observed = panel.observed.copy()
    observed[0, 40:43] += 40
    hit = dataclasses.replace(panel, observed=np.minimum(observed, panel.exposure))
    before, after, raw = (
        detector("binomial-glm", harmonics=0, trend=False, **more).detect(which).expected[0, 0]
        for which, more in ((panel, {}), (hit, {}), (hit, {"reweight_threshold": 50.0}))
    )
    assert abs(after - before) < 0.25 * abs(raw - before)


def test_reasons_and_parameters():
    panel = quiet(np.random.default_rng(16), 6, 12)
    x, n = panel.observed.copy(), panel.exposure.copy()
    x[0, -1], n[0, -1] = np.nan, 0.0
    x[1, -1], n[1, -1] = np.nan, np.nan
    x[2, :-5], n[2, :-5] = np.nan, 0.0
    x[3, -1], n[3, -1] = 1.0, 2.0
    signals = detector("binomial-glm", min_inspected=3).detect(Panel(x, panel.index, MONTHS, n))
    assert signals.reason_text[:4, 0].tolist() == ["no-exposure", "missing", "too-short", "too-few-cases"]
    with pytest.raises(DetectorError, match=r"binomial-glm: the panel needs exposure \(inspections\), got none"):
        detector("binomial-glm").detect(Panel(x, panel.index, MONTHS))
    with pytest.raises(DetectorError, match=r"min_history_periods must be <= history_periods \(4\), got 9"):
        detector("binomial-glm", history_periods=4, min_history_periods=9)
