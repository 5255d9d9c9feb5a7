"""ears-c1, ears-c2, ears-c3: numbers of R surveillance, hand-computed limits, gaps, delay, calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import detector, excess_sum, short_history
from riskwatch.detectors.uncertain_dispersion import Dispersion
from riskwatch.errors import DetectorError
from riskwatch.panel import Completeness, Panel

REFERENCE = Path(__file__).parents[1] / "reference"
COUNTS = pd.read_csv(REFERENCE / "surveillance_counts.csv", dtype=str, keep_default_na=False).set_index(["dataset", "unit"])["counts"]
EXPECTED = pd.read_csv(REFERENCE / "ears.csv")
METHODS = ["ears-c1", "ears-c2", "ears-c3"]


def panel_of(counts, exposure=None, completeness=None, freq="W-SUN"):
    counts = np.atleast_2d(np.asarray(counts, float))
    periods = pd.period_range("2015-01-05", periods=counts.shape[1], freq=freq)
    if exposure is not None:
        exposure = np.broadcast_to(np.asarray(exposure, float), counts.shape)
    return Panel(counts, pd.RangeIndex(len(counts)), periods, exposure, completeness=completeness)


def null_counts(rng, mean, phi, shape):
    return (rng.poisson(mean, shape) if phi == 1 else rng.poisson(rng.gamma(mean / (phi - 1), phi - 1, shape))).astype(float)


@pytest.mark.parametrize("method", ["C1", "C2", "C3"])
def test_numbers_of_r_surveillance(method):
    """Every third row; all of them: ``python benchmarks/parity_ears.py DATA``."""
    extra = {"c3_formula": "surveillance"} if method == "C3" else {}
    compared = 0
    for (dataset, unit, baseline, alpha), rows in EXPECTED[EXPECTED["method"] == method].groupby(["dataset", "unit", "baseline", "alpha"]):
        panel = panel_of(COUNTS[dataset, unit].split())
        judge = detector(f"ears-{method.lower()}", baseline=baseline, alpha=alpha, distribution="normal", **extra)
        signals = judge.detect(panel, panel.periods[rows["t"] - 1])
        np.testing.assert_allclose(signals.upper[0], rows["upper"], rtol=1e-10, atol=1e-10, equal_nan=True)
        assert set(signals.reason_text[0][rows["upper"].isna()]) <= {"no-variation"}
        np.testing.assert_array_equal(signals.alarm[0], rows["alarm"] == 1)
        compared += len(rows)
    assert compared == {"C1": 380, "C2": 380, "C3": 388}[method]


SPARSE = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 0, 4]
# Upper limits of R from the 13th value on, with minSigma 0.5, alpha 0.01.
SPARSE_C1 = [2.2589321476869961, 2.2589321476869961, 2.4017892905441389, 3.6862351426123858, 3.6836224727195717, 3.6836224727195717,
             3.6836224727195717, 3.2092591161725190, 3.2092591161725190, 3.0664019733153758, 1.1631739370204204, 1.1631739370204204,
             5.1106699555256272, 5.1945125530967733, 5.4802268388110598, 5.4802268388110598]  # fmt: skip
SPARSE_C2 = [1.3060310798775632, 1.3060310798775632, *SPARSE_C1[:14]]
SPARSE_C3 = [0.0, 0.806031079877563172, 4.268363724494536271, 0.0, 0.045727940156439273, 2.686235142612385829, 2.826479615576714455,
             2.826479615576714455, 2.826479615576714455, 2.637830544743947403, 2.637830544743947403, 7.637830544743946959,
             0.647363414304542140, 1.147363414304542140, 0.0, 2.744006281539089986]  # fmt: skip


@pytest.mark.parametrize(("name", "upper"), [("ears-c1", SPARSE_C1), ("ears-c2", SPARSE_C2), ("ears-c3", SPARSE_C3)])
def test_smallest_deviation_as_in_r(name, upper):
    extra = {"c3_formula": "surveillance"} if name == "ears-c3" else {}
    panel = panel_of(SPARSE)
    signals = detector(name, alpha=0.01, distribution="normal", min_sigma=0.5, **extra).detect(panel, panel.periods[12:])
    np.testing.assert_allclose(signals.upper[0], upper, rtol=1e-12, atol=1e-12)


def test_the_two_formulas_of_c3_by_hand():
    """A baseline of 1, 3, 1, 3 has mean 2 and deviation sqrt(4 / 3) = 1.1547; a count of 4 exceeds it by 1.7321."""
    deviation, z = np.sqrt(4 / 3), stats.norm.isf(0.025)
    excess = 2 / deviation - 1
    risen, over = panel_of([1, 3] * 4 + [4, 4, 4]), panel_of([1, 3] * 4 + [5, 5, 0])
    settings = {"baseline": 4, "alpha": 0.025, "distribution": "normal"}
    published, quirk = (detector("ears-c3", c3_formula=formula, **settings) for formula in ("published", "surveillance"))
    ours = published.detect(risen)
    assert 3 * excess == pytest.approx(2.19615, abs=1e-5)  # above z = 1.95996: the third 4 makes the alarm
    assert ours.upper[0, 0] == pytest.approx(2 + deviation * (1 + z - 2 * excess))
    assert ours.p_value[0, 0] == pytest.approx(stats.norm.sf(3 * excess))
    assert ours.alarm[0, 0]
    theirs = quirk.detect(risen)
    assert theirs.upper[0, 0] == pytest.approx(4 + deviation * (z - 2 * excess))
    assert not theirs.alarm[0, 0]  # R: only the two earlier periods count
    # The two earlier periods alone: 2 x 1.598 > z. The count of 0 adds nothing and takes nothing away.
    assert published.detect(over).alarm[0, 0]
    assert published.detect(over).upper[0, 0] == -1
    assert quirk.detect(over).upper[0, 0] == 0


def test_t_limits_by_hand():
    signals = detector("ears-c1", distribution="t", alpha=0.01).detect(panel_of([4, 6, 5, 7, 3, 5, 5, 9]))
    deviation = np.std([4, 6, 5, 7, 3, 5, 5], ddof=1) * np.sqrt(1 + 1 / 7)
    assert signals.expected[0, 0] == pytest.approx(5)
    assert signals.upper[0, 0] == pytest.approx(5 + stats.t.isf(0.01, 6) * deviation)
    assert signals.p_value[0, 0] == pytest.approx(stats.t.sf(4 / deviation, 6))


def test_known_dispersion_gives_the_negative_binomial():
    """With phi = 1 and S cases in 7 periods: size S + 1/2, success probability 7 / 8."""
    window = short_history.Window(*(np.full((1, 1), value) for value in (7.0, 12.0, 7.0, 5.0)))
    given = short_history.predict(
        window, Dispersion(np.ones((1, 1)), np.full((1, 1), 1e13)), *(np.full((1, 1), v) for v in (1.0, 1.0, 0.0))
    )
    for y in (0.0, 1.0, 4.0, 9.0):
        at, above = short_history.tail(np.full((1, 1), y), given)
        assert at[0, 0] == pytest.approx(stats.nbinom.sf(y - 1, 12.5, 7 / 8), rel=1e-4)
        assert above[0, 0] == pytest.approx(stats.nbinom.sf(y, 12.5, 7 / 8), rel=1e-4)


def test_uncertain_dispersion_approaches_student():
    """A large mean: the mixture over phi is close to t with as many degrees of freedom."""
    for freedom in (6.0, 20.0):
        mean, spread = np.full((1,), 1e8), np.sqrt(3e8)
        given = short_history.Predictive(mean, Dispersion(np.full((1,), 3.0), np.full((1,), freedom)).nodes())
        for level in (0.05, 0.005):
            at, _ = short_history.tail(np.floor(mean + spread * stats.t.isf(level, freedom)), given)
            assert at[0] == pytest.approx(level, rel=0.06)


@pytest.mark.parametrize("mid_p", [True, False])
def test_limit_is_the_last_count_that_is_not_significant(mid_p):
    mean, phi = np.array([0.05, 0.9, 7.3, 240.0, 1e9, np.nan]), np.array([1.0, 1.7, 3.0, 40.0, 1e7, 1.0])
    given = short_history.Predictive(mean, np.stack([phi * factor for factor in (1, 1, 1.1, 1.3, 1.8, 2.5, 4)]))
    level = np.array([0.005, 0.2, 1e-6, 0.005, 0.001, 0.1])
    limit = short_history.quantile(level, given, mid_p=mid_p)
    assert np.isnan(limit[-1])
    for y, significant in ((limit, False), (limit + 1, True)):
        at, above = short_history.tail(y, given)
        p = 0.5 * (at + above) if mid_p else at
        np.testing.assert_array_equal((p <= level)[:-1], significant)


def test_dispersion_is_learnt_from_scatter_within_windows():
    rng = np.random.default_rng(4)
    for mean, phi in ((2.0, 1.0), (2.0, 3.0), (50.0, 1.0), (50.0, 3.0)):
        level = mean * np.repeat(np.geomspace(0.5, 2, 12), 7)[:, None]  # the mean may change from window to window
        y = null_counts(rng, level, phi, (84, 3000))
        window = short_history.moving_window(y, np.ones_like(y), np.arange(6, 84, 7), 7)
        parts = [
            short_history.Window(*(getattr(window, name)[[k]] for name in ("periods", "cases", "weight", "pearson"))) for k in range(12)
        ]
        known = short_history.dispersion(parts, 1.3, 4.0)
        assert np.mean(known.scale) == pytest.approx(phi, rel=0.16)
        assert 4 < known.freedom.min() <= known.freedom.max() <= 76 + 1e-9
    one = short_history.Window(*(np.full((1, 1), value) for value in (7.0, 1.0, 7.0, 6.0)))
    assert short_history.dispersion([one], 1.3, 4.0).freedom[0, 0] == 4.0  # a single case says nothing


def test_sum_of_excesses():
    x = np.array([0.0, 0.5, 1.5, 3.0])
    one = excess_sum.tail(x, np.ones(4, np.int64), 0.1)
    np.testing.assert_allclose(one[1:], stats.norm.sf(1 + x[1:]), rtol=1e-3)
    assert one[0] == 1.0
    rng = np.random.default_rng(2)
    draws = np.sqrt(0.3) * rng.normal(size=(400_000, 1)) + np.sqrt(0.7) * rng.normal(size=(400_000, 3))
    total = np.maximum(draws - 1, 0).sum(axis=1)
    three = excess_sum.tail(x, np.full(4, 3), 0.3)
    np.testing.assert_allclose(three[1:], [(total >= at).mean() for at in x[1:]], rtol=0.03)
    for terms in (1, 2, 3):
        at = excess_sum.critical_value(0.004, np.array([terms]), 0.1)
        np.testing.assert_allclose(excess_sum.tail(at, np.array([terms]), 0.1), 0.004, rtol=1e-6)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("mean", "phi"), [(1.0, 2.0), (10.0, 1.0), (10.0, 2.0), (100.0, 3.0)])
def test_level_without_an_outbreak(name, mean, phi):
    panel = panel_of(null_counts(np.random.default_rng(8), mean, phi, (4000, 96)))
    p = detector(name).detect(panel, panel.periods[-1:]).p_value
    assert 0.035 < (p <= 0.05).mean() < 0.074
    assert 0.005 < (p <= 0.01).mean() < 0.0185 + 0.003 * (mean == 1)


def test_t_is_exact_for_normal_data_and_normal_is_not():
    counts = np.round(np.random.default_rng(1).normal(1e6, 1e4, (20_000, 12)))
    rates = {kind: detector("ears-c2", distribution=kind, alpha=0.01).detect(panel_of(counts)).alarm.mean() for kind in ("t", "normal")}
    assert rates["t"] == pytest.approx(0.01, rel=0.2)
    assert rates["normal"] > 0.025
    assert detector("ears-c3", distribution="t", alpha=0.01).detect(panel_of(counts)).alarm.mean() == pytest.approx(0.01, rel=0.5)


@pytest.mark.parametrize("name", METHODS)
def test_a_gap_in_the_baseline(name):
    counts = np.append(np.tile([4.0, 6.0, 5.0, 7.0, 3.0, 5.0, 5.0], 3), 11.0)
    holes = counts.copy()
    holes[[-6, -8]] = np.nan  # within the baseline of all three, whatever the lag
    judge = detector(name)
    whole, gapped = judge.detect(panel_of(counts)), judge.detect(panel_of(holes))
    assert gapped.reason[0, 0] == 0
    assert gapped.p_value[0, 0] != whole.p_value[0, 0]
    assert gapped.expected[0, 0] == pytest.approx(whole.expected[0, 0], rel=0.2)
    assert detector(name, min_baseline=6).detect(panel_of(holes)).reason_text[0, 0] == "too-short"
    newest = counts.copy()
    newest[-1] = np.nan
    assert judge.detect(panel_of(newest)).reason_text[0, 0] == "missing"


def test_c3_without_an_earlier_period_has_fewer_terms():
    """A missing earlier count is left out of the sum, and of its distribution."""
    counts = np.append(np.full(20, 5.0), [5.0, 5.0, 14.0])
    counts[-3:-1] = np.nan
    given = detector("ears-c3").detect(panel_of(counts))
    single = detector("ears-c2").detect(panel_of(counts))
    assert given.p_value[0, 0] == pytest.approx(single.p_value[0, 0], rel=1e-3)


def test_c3_adds_up_what_c2_lets_pass():
    """Three counts that are each unremarkable."""
    counts = np.append(np.tile([8.0, 12.0, 10.0, 14.0, 6.0, 10.0, 10.0], 4), [18.0, 18.0, 18.0])
    assert detector("ears-c2").detect(panel_of(counts)).p_value[0, 0] > 0.01
    assert detector("ears-c3").detect(panel_of(counts)).alarm[0, 0]


@pytest.mark.parametrize("name", METHODS)
def test_reporting_delay(name):
    counts = null_counts(np.random.default_rng(3), 20.0, 2, (30, 80))
    ripe = Completeness(np.ones((30, 80)), np.zeros((30, 80)))
    for kind in ("negative-binomial", "t"):
        judge = detector(name, distribution=kind)
        plain, with_ripe = judge.detect(panel_of(counts)), judge.detect(panel_of(counts, completeness=ripe))
        for field in ("expected", "lower", "upper", "p_value", "alarm"):
            np.testing.assert_array_equal(getattr(plain, field), getattr(with_ripe, field))
    share, error = np.ones((30, 80)), np.zeros((30, 80))
    share[:, -1], share[0, -1], error[1, -1] = 0.5, 0.2, 0.2
    judge = detector(name)
    young = judge.detect(panel_of(counts, completeness=Completeness(share, error)))
    assert young.reason_text[0, 0] == "unripe"
    np.testing.assert_allclose(young.expected[1:], plain_expected := judge.detect(panel_of(counts)).expected[1:] / 2)
    assert plain_expected.shape == (29, 1)
    certain = judge.detect(panel_of(counts, completeness=Completeness(share, np.zeros((30, 80)))))
    assert young.upper[1, 0] > certain.upper[1, 0]
    share[:, -4:] = 0.5  # the baseline is scaled up
    np.testing.assert_allclose(
        judge.detect(panel_of(np.full((30, 80), 20.0), completeness=Completeness(share, error * 0))).expected[1:], 10 * 1.5, rtol=0.4
    )


@pytest.mark.parametrize("kind", ["negative-binomial", "t", "normal"])
def test_exposure(kind):
    rng = np.random.default_rng(6)
    exposure = rng.integers(50, 200, (4, 40)).astype(float)
    counts = rng.poisson(0.2 * exposure).astype(float)
    judge = detector("ears-c1", population_offset=True, distribution=kind)
    signals = judge.detect(panel_of(counts, exposure))
    rate = counts[:, -8:-1].sum(axis=1) / exposure[:, -8:-1].sum(axis=1)
    np.testing.assert_allclose(signals.expected[:, 0], rate * exposure[:, -1], rtol=0.02)
    scaled = judge.detect(panel_of(counts, exposure * 7.0))  # only ratios of exposures matter
    np.testing.assert_allclose(scaled.p_value, signals.p_value, rtol=1e-9)
    exposure[0, -1] = 0
    assert judge.detect(panel_of(counts, exposure)).reason_text[0, 0] == "no-exposure"
    with pytest.raises(DetectorError, match="population_offset needs a panel with exposure"):
        judge.detect(panel_of(counts))


def test_constant_baselines():
    flat = np.append(np.full(12, 3.0), 4.0)
    assert detector("ears-c1", distribution="t").detect(panel_of(flat)).reason_text[0, 0] == "no-variation"
    assert detector("ears-c1", distribution="t", min_sigma=0.5).detect(panel_of(flat)).reason[0, 0] == 0
    assert detector("ears-c3", distribution="normal").detect(panel_of(flat)).reason_text[0, 0] == "no-variation"
    as_in_r = detector("ears-c1", distribution="normal").detect(panel_of(flat))
    assert (as_in_r.upper[0, 0], as_in_r.p_value[0, 0], as_in_r.alarm[0, 0]) == (3.0, 0.0, True)
    first_case = detector("ears-c1").detect(panel_of([0.0] * 7 + [1.0]))
    assert first_case.p_value[0, 0] > 0.02  # one case after seven empty periods is no alarm by itself
    assert detector("ears-c1").detect(panel_of([0.0] * 7 + [5.0])).alarm[0, 0]


def test_parameters_are_checked():
    with pytest.raises(DetectorError, match=r"min_baseline must be <= baseline \(7\), got 9"):
        detector("ears-c1", min_baseline=9)
    with pytest.raises(DetectorError, match="c3_formula surveillance needs distribution normal, got negative-binomial"):
        detector("ears-c3", c3_formula="surveillance")
    with pytest.raises(DetectorError, match="lag must be >= 2"):
        detector("ears-c3", lag=1)
    assert [detector(name).min_periods("week") for name in METHODS] == [8, 10, 12]
