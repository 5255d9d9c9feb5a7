"""The sequential detector as a whole; what every detector must do is in test_contract.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.detectors import REASONS, detector
from riskwatch.errors import DetectorError
from riskwatch.panel import Completeness, Covariates, Panel

FIELDS = ("expected", "lower", "upper", "p_value", "alarm", "reason")


def weekly(observed, **context):
    observed = np.atleast_2d(np.asarray(observed, dtype=float))
    periods = pd.period_range("2012-01-02", periods=observed.shape[1], freq="W-SUN")
    return Panel(observed, pd.RangeIndex(len(observed)), periods, **context)


def counts(rng, mean, phi, shape):
    mean = np.broadcast_to(mean, shape)
    return (rng.negative_binomial(mean / (phi - 1), 1 / phi) if phi > 1 else rng.poisson(mean)).astype(float)


@pytest.mark.parametrize(
    ("level", "phi", "season", "trend"), [(0.14, 2.0, 0.0, 0.0), (1.1, 1.5, 0.8, 0.0), (12.0, 3.0, 0.0, 0.1), (150.0, 1.2, 0.3, -0.1)]
)
def test_null_calibration(level, phi, season, trend):
    """Without outbreaks the alarms are near the nominal level, on small and large counts, with season and trend."""
    rng = np.random.default_rng(21)
    t = np.arange(400)
    mean = level * np.exp(season * np.sin(2 * np.pi * t / 52.18) + trend * (t - 400) / 52.18)
    panel = weekly(counts(rng, mean, phi, (640, 400)))
    judged = detector("sequential-nb", alpha=0.02).detect(panel, panel.periods[-40::10])
    assert 0.5 * 0.02 < judged.alarm.mean() < 1.5 * 0.02


def test_past_outbreaks_do_not_raise_the_limit():
    rng = np.random.default_rng(3)
    clean = counts(rng, 10.0, 1.5, (60, 420))
    struck = clean.copy()
    for start in (120, 200, 270, 380):
        struck[:, start : start + 3] += [19.0, 16.0, 3.0]  # five standard deviations
    judge = detector("sequential-nb")
    before, after = (judge.detect(weekly(part)) for part in (clean, struck))
    assert (after.upper - before.upper).mean() < 1.0
    assert (after.expected / before.expected).mean() < 1.03


def test_evidence_of_two_and_three_periods():
    rng = np.random.default_rng(5)
    y = counts(rng, 20.0, 1.0, (1, 400)).repeat(3, axis=0)
    y[:, -3:] = 20.0
    y[0, -1] = y[1, -2:] = y[2, -3:] = 31.0
    three, two, one = (detector("sequential-nb", windows=most).detect(weekly(y)).p_value[:, 0] for most in (3, 2, 1))
    assert three[2] < three[1] < three[0]
    assert two[1] < one[1] / 2
    np.testing.assert_array_equal(one, one[[0, 0, 0]])
    # The sharpest evidence of a single period costs a little where longer windows are looked at as well.
    assert one[0] < three[0] < 2 * one[0]


def test_no_alarm_on_a_falling_week():
    rng = np.random.default_rng(6)
    y = counts(rng, 20.0, 1.0, (4, 400))
    y[:, -3:-1] = 60.0
    y[:, -1] = [0.0, 10.0, 26.0, 60.0]
    signals = detector("sequential-nb").detect(weekly(y))
    np.testing.assert_array_equal(signals.alarm[:, 0], [False, False, True, True])
    assert (signals.upper >= np.ceil(signals.expected) - 1).all()
    assert (signals.p_value[:2] >= 0.5).all()


def test_low_counts():
    y = np.zeros((4, 450))
    y[1, ::25] = 1.0
    y[2, ::25] = 1.0
    y[3, ::25] = 1.0
    y[1:, -1] = [1.0, 2.0, 5.0]
    signals = detector("sequential-nb").detect(weekly(y))
    assert (signals.reason == 0).all()
    np.testing.assert_array_equal(signals.alarm[:, 0], [False, False, True, True])
    assert signals.p_value[1, 0] == pytest.approx(0.5 / 25, rel=0.5)


def test_missing_periods():
    rng = np.random.default_rng(8)
    y = counts(rng, 8.0, 1.0, (3, 400))
    y[:, -1] = 30.0
    y[0, -2] = np.nan
    y[1, -3:-1] = np.nan
    y[2, 40:280] = np.nan
    signals = detector("sequential-nb").detect(weekly(y))
    assert signals.alarm.all()
    # Without the periods before, the shortest window is all there is, and it costs nothing.
    single = detector("sequential-nb", windows=1).detect(weekly(y))
    assert signals.p_value[1, 0] == single.p_value[1, 0]


def test_terms_wait_for_their_history():
    """With fourteen months, level and nothing else; with eight years, trend and season are found."""
    rng = np.random.default_rng(9)
    t = np.arange(430)
    mean = 30 * np.exp(0.5 * np.sin(2 * np.pi * t / 52.18) + 0.15 * (t - 430) / 52.18)
    y = counts(rng, mean, 1.0, (50, 430))
    judge = detector("sequential-nb")
    long, short = judge.detect(weekly(y)), judge.detect(weekly(y[:, -62:]))
    assert np.abs(long.expected / mean[-1] - 1).mean() < 0.06
    history = y[:, -62:-7].mean(axis=1)
    assert np.median(np.abs(short.expected[:, 0] / history - 1)) < 0.002


def test_expected_follows_the_season_through_53_week_years():
    """A narrow season that keeps to the calendar: fixed 52 weeks would be off by more than a week after seven years."""
    periods = pd.period_range("2012-01-02", periods=470, freq="W-SUN")
    middle = periods.start_time + pd.Timedelta(days=3.5)
    phase = (middle.day_of_year - 0.5) / np.where(middle.is_leap_year, 366, 365)
    mean = 60 * np.exp(1.0 * np.cos(2 * np.pi * phase.to_numpy()) + 0.6 * np.sin(4 * np.pi * phase.to_numpy()))
    panel = Panel(np.random.default_rng(4).poisson(mean, (30, 470)).astype(float), pd.RangeIndex(30), periods)
    calendar, fixed = (detector("sequential-nb", year_match=match).detect(panel, periods[-26::5]) for match in ("calendar", "fixed"))
    wrong = [np.abs(np.log(signals.expected / mean[-26::5])).mean() for signals in (calendar, fixed)]
    assert wrong[0] < 0.03 < wrong[1]


def test_a_level_shift_is_followed():
    rng = np.random.default_rng(10)
    mean = np.where(np.arange(450) < 330, 12.0, 24.0)
    panel = weekly(counts(rng, mean, 1.2, (200, 450)))
    judged = detector("sequential-nb", alpha=0.01).detect(panel, panel.periods[-6:])
    assert judged.alarm.mean() < 0.02
    assert judged.expected.mean() == pytest.approx(24.0, rel=0.06)


def test_covariates():
    """A moving holiday that halves the counts, a shift that is known, one that never occurred, and one that is always there."""
    rng = np.random.default_rng(12)
    holiday = np.zeros(420)
    holiday[[30, 80, 135, 186, 240, 291, 343, 395, 419]] = 1.0
    shift = (np.arange(420) >= 400).astype(float)
    late = (np.arange(420) >= 419).astype(float)
    values = np.stack([holiday, shift, late, np.ones(420)])
    y = counts(rng, 80 * np.exp(-0.7 * holiday + 0.6 * shift), 1.0, (40, 420))
    given = Covariates(("holiday", "shift", "late", "always"), values)
    judge = detector("sequential-nb")
    with_all = judge.detect(weekly(y, covariates=given))
    without = judge.detect(weekly(y))
    truth = 80 * np.exp(-0.7 + 0.6)
    assert np.abs(np.log(np.median(with_all.expected) / truth)) < 0.15
    assert not with_all.alarm.any()
    # What was never seen before widens the limit and leaves the expectation alone.
    plain = judge.detect(weekly(y, covariates=Covariates(("holiday", "shift"), values[:2])))
    np.testing.assert_allclose(with_all.expected, plain.expected, rtol=0.02)
    assert (with_all.upper > plain.upper).all()
    # Where no covariate applies, they might as well not be there.
    applies = np.zeros((4, 40), np.bool_)
    applies[:, 1:] = True
    masked = judge.detect(weekly(y, covariates=Covariates(given.names, values, applies)))
    assert masked.expected[0, 0] == pytest.approx(without.expected[0, 0], rel=1e-3)
    assert masked.expected[5, 0] == pytest.approx(with_all.expected[5, 0], rel=1e-3)


def test_completeness():
    rng = np.random.default_rng(14)
    y = counts(rng, 40.0, 1.5, (20, 400))
    judge = detector("sequential-nb")
    plain = judge.detect(weekly(y))
    share, error = np.ones_like(y), np.zeros_like(y)
    whole = judge.detect(weekly(y, completeness=Completeness(share, error)))
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(whole, name), getattr(plain, name), err_msg=name)
    share, error = share.copy(), error.copy()
    share[:, -1], share[:, -2], share[3, -1] = 0.5, 0.9, 0.1
    error[:, -1] = 0.05
    part = judge.detect(weekly(y, completeness=Completeness(share, error)))
    assert part.reason_text[3, 0] == "unripe"
    rest = np.arange(20) != 3
    np.testing.assert_allclose(part.expected[rest], 0.5 * plain.expected[rest])
    assert (part.upper[rest] < plain.upper[rest]).all()
    # What was not complete stays out of the baseline.
    share[:, 100:150] = 0.8
    y[:, 100:150] = 0.0
    low = judge.detect(weekly(y, completeness=Completeness(share, error)))
    np.testing.assert_allclose(low.expected[rest], part.expected[rest], rtol=0.05)


def test_exposure_offset():
    rng = np.random.default_rng(15)
    exposure = rng.uniform(50, 150, (30, 400))
    exposure[:, -1] = 400.0
    y = counts(rng, 0.1 * exposure, 1.0, (30, 400))
    judge = detector("sequential-nb", population_offset=True)
    signals = judge.detect(weekly(y, exposure=exposure))
    assert signals.expected.mean() == pytest.approx(40.0, rel=0.05)
    assert not signals.alarm.any()
    assert detector("sequential-nb").detect(weekly(y, exposure=exposure)).alarm.all()
    scaled = judge.detect(weekly(y, exposure=exposure * 1000))
    np.testing.assert_allclose(scaled.expected, signals.expected, rtol=1e-6)
    with pytest.raises(DetectorError, match="population_offset needs a panel with exposure"):
        judge.detect(weekly(y))


def test_guard_covers_the_windows():
    with pytest.raises(DetectorError, match="guard_periods must be >= 2, got 1"):
        detector("sequential-nb", guard_periods=1)


def test_history_that_begins_late_or_is_thin():
    rng = np.random.default_rng(16)
    y = counts(rng, 9.0, 1.0, (3, 400))
    y[0, :-40] = np.nan
    y[1, :-70] = np.nan
    y[2, ::3] = np.nan
    signals = detector("sequential-nb").detect(weekly(y), weekly(y).periods[-3:-2])
    assert [REASONS[code] for code in signals.reason[:, 0]] in (["too-short", "", ""], ["too-short", "", "missing"])


def test_neighbours_change_nothing_but_the_prior():
    """With siblings of the same dispersion a series' own regression keeps every bit, wherever it stands."""
    rng = np.random.default_rng(17)
    y = counts(rng, 5.0, 1.0, (300, 300))
    whole = detector("sequential-nb").detect(weekly(y))
    alone = detector("sequential-nb").detect(weekly(y[270:271]))
    assert alone.expected[0, 0] == whole.expected[270, 0]


def test_more_is_found_than_by_single_weeks():
    """Outbreaks of four standard deviations over three weeks; the simulation study is in benchmarks/study_sequential.py."""
    rng = np.random.default_rng(18)
    y = counts(rng, 9.0, 1.5, (128, 400))
    y[:, -3:] += rng.multinomial(15, [0.5, 0.42, 0.08], size=128)
    panel = weekly(y)
    three, one = (detector("sequential-nb", alpha=0.01, windows=most).detect(panel, panel.periods[-3:]).alarm for most in (3, 1))
    assert three[:, 1].sum() > 1.4 * one[:, 1].sum()
    assert three[:, 0].sum() > 0.8 * one[:, 0].sum()
