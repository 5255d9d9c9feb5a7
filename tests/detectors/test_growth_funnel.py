"""growth-funnel: a window against those of years before, among siblings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import detector
from riskwatch.detectors.funnel_limits import funnel_table
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel


def months(counts):
    counts = np.asarray(counts, dtype=float)
    return Panel(counts, pd.RangeIndex(len(counts)), pd.period_range("2015-01", periods=counts.shape[1], freq="M"))


def quiet(rng, series=300, years=4, *, mean=3.0, drift=0.0, fall=0.0, phi=1.0):
    """Return months of counts with season, levels that differ, a common fall a year, and a drift of each series of its own."""
    at = np.arange(12 * years) / 12
    level = mean * np.exp(rng.normal(0, 0.8, (series, 1)) + rng.normal(0, drift, (series, 1)) * at - fall * at)
    level = level * (1 + 0.5 * np.cos(2 * np.pi * at))
    return rng.poisson(level) if phi == 1 else rng.negative_binomial(level / (phi - 1), 1 / phi)


def test_p_value_is_that_of_the_conditional_binomial():
    counts = quiet(np.random.default_rng(1), 60)
    counts[:, -1] += 5  # so that few judged months are below their expectation
    judge = detector("growth-funnel", window_periods=12, years_back=2, adjustment="none")
    found = judge.detect(months(counts))
    newest, past = counts[:, -12:].sum(axis=1), counts[:, -36:-12].sum(axis=1)
    share = newest.sum() / (newest + past).sum()
    for row in (0, 7, 31):
        wanted = stats.binomtest(int(newest[row]), int(newest[row] + past[row]), share, alternative="greater").pvalue
        assert found.p_value[row, 0] == pytest.approx(wanted, rel=1e-9)
    anniversaries = counts[:, -13] + counts[:, -25]
    np.testing.assert_allclose(found.expected[:, 0], anniversaries * share / (1 - share))
    same = funnel_table(newest, newest + past, adjustment="none")["p_value"].to_numpy()
    risen = (found.observed >= found.expected)[:, 0]
    np.testing.assert_allclose(found.p_value[risen, 0], same[risen], rtol=1e-9)
    np.testing.assert_allclose(found.p_value[~risen, 0], np.maximum(same[~risen], 0.5), rtol=1e-9)


@pytest.mark.parametrize("adjustment", ["additive", "multiplicative", "none"])
@pytest.mark.parametrize("limits", ["exact", "normal"])
def test_limit_is_the_largest_count_without_alarm(adjustment, limits):
    rng = np.random.default_rng(2)
    counts = quiet(rng, 40, drift=0.2)
    judge = detector("growth-funnel", window_periods=12, adjustment=adjustment, limits=limits, alpha=0.05)
    found = judge.detect(months(counts))
    np.testing.assert_array_equal(found.alarm, found.observed > found.upper)
    np.testing.assert_array_equal(found.alarm, found.p_value <= 0.05)
    assert found.alarm.any()
    # The limit of a series, tried out: what the count itself changes in the siblings' share is small among many siblings.
    many = np.vstack([counts] * 5)
    limit = judge.detect(months(many)).upper[5, 0]
    for count, alarms in ((limit - 1, False), (limit + 8, True)):
        many[5, -1] = count
        assert bool(judge.detect(months(many)).alarm[5, 0]) is alarms


def test_what_all_siblings_share_is_no_alarm():
    counts = quiet(np.random.default_rng(3), 150, fall=0.12)
    plain = detector("growth-funnel", window_periods=12).detect(months(counts))
    assert plain.alarm.mean() < 0.02
    # A hospital less: a third of all cases gone at once, of every product.
    thinned = counts.copy()
    thinned[:, -12:] = np.random.default_rng(4).binomial(thinned[:, -12:], 2 / 3)
    assert detector("growth-funnel", window_periods=12).detect(months(thinned)).alarm.mean() < 0.02


def test_a_slow_rise_is_seen_where_no_month_stands_out():
    rng = np.random.default_rng(5)
    counts = quiet(rng, 60, mean=4.0)
    # From 4 a month to 8 in two years.
    counts[0] = rng.poisson(np.concatenate([np.full(24, 4.0), np.linspace(4, 8, 24)]))
    panel = months(counts)
    found = detector("growth-funnel", window_periods=12).detect(panel, panel.periods[-6:])
    assert found.p_value[0].min() < 1e-4
    single = detector("growth-funnel").detect(panel, panel.periods[-6:])
    assert single.p_value[0].min() > 1e-4


def test_unknown_months_are_left_out_of_all_years():
    counts = quiet(np.random.default_rng(6), 40).astype(float)
    gap = counts.copy()
    gap[:, -18] = np.nan  # July of the year before
    without = counts.copy()
    without[:, [-6, -18, -30]] = 0.0
    judge = detector("growth-funnel", window_periods=12, min_total=1)
    np.testing.assert_allclose(judge.detect(months(gap)).p_value, judge.detect(months(without)).p_value)
    gap[3, -20:-8] = np.nan
    assert judge.detect(months(gap)).reason_text[3, 0] == "too-short"


def test_windows_do_not_overlap():
    judge = detector("growth-funnel", window_periods=18, years_back=1)
    assert judge.min_periods("month") == 24 + 18
    assert judge.memory("month") == 18
    assert detector("growth-funnel").min_periods("week") == 105


def test_one_period_a_year():
    """Yearly estimates stand in their Decembers: the other months are empty, and nothing is too short."""
    rng = np.random.default_rng(7)
    counts = np.zeros((30, 25))
    counts[:, ::12] = np.round(20_000 * np.exp(rng.normal(0, 0.1, (30, 3))))
    counts[4, -1] = 45_000
    counts[5, [0, 12]] = 0
    judge = detector("growth-funnel", years_back=2, adjustment="multiplicative", limits="normal")
    found = judge.detect(months(counts))
    assert set(np.flatnonzero(found.alarm[:, 0])) == {4, 5}
    assert found.expected[5, 0] == 0


def test_few_siblings_and_few_cases():
    counts = quiet(np.random.default_rng(8), 9, mean=9.0)
    judge = detector("growth-funnel", window_periods=12)
    assert set(judge.detect(months(counts)).reason_text.ravel()) == {"too-few-cases"}
    panel = months(counts)
    panel.observed[2, -1] = 0.5
    with pytest.raises(DetectorError, match=r"counts must be whole numbers, got 0.5 for series 2 in 2018-12"):
        judge.detect(panel)


@pytest.mark.parametrize(
    ("adjustment", "drift", "phi"),
    [("additive", 0.0, 1.0), ("additive", 0.1, 1.0), ("multiplicative", 0.0, 1.0), ("multiplicative", 0.0, 3.0)],
)
def test_null_calibration(adjustment, drift, phi):
    """Series that drift as their siblings do alarm at the nominal rate. In a quiet window of a year the newest month is no matter."""
    rng = np.random.default_rng(9)
    judge = detector("growth-funnel", window_periods=12, adjustment=adjustment, alpha=0.05)
    p = []
    for _ in range(2):
        found = judge.detect(months(quiet(rng, 250, drift=drift, phi=phi)))
        above = (found.reason == 0) & (found.observed >= found.expected)
        p.append(found.p_value[above])
    p = np.concatenate(p)
    # Of the months above their expectation: a little more than half of all, and they hold nearly all alarms.
    for level, low, high in ((0.1, 0.05, 0.22), (0.02, 0.004, 0.06)):
        assert low < np.mean(p <= level) < high, level
