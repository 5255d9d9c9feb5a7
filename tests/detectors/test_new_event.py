"""new-event and the beta-negative-binomial distribution under it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from riskwatch.detectors import beta_negative_binomial as bnb
from riskwatch.detectors import detector
from riskwatch.detectors.new_event import NewEvent, Prior, estimate_prior, past_of
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel
from riskwatch.panel.context import Completeness

REFERENCE = Path(__file__).parents[1] / "reference"
WEEKS = pd.period_range("2018-01-01", periods=120, freq="W-SUN")


def panel_of(observed, index=None, **context):
    observed = np.asarray(observed, dtype=float)
    periods = WEEKS[: observed.shape[1]]
    return Panel(observed, pd.RangeIndex(len(observed)) if index is None else index, periods, **context)


def simulate(rng, series, *, size, newcomers, periods=120):
    """Sparse series of widely differing rates; a share of them begins at a random week; only those with a case are there."""
    rate = np.exp(rng.normal(-2.5, 1.2, series))
    start = np.where(rng.random(series) < newcomers, rng.integers(0, periods, series), 0)
    mean = rate[:, None] * (np.arange(periods) >= start[:, None])
    counts = rng.poisson(mean) if size is None else rng.negative_binomial(size, size / (size + mean))
    return counts[counts.sum(axis=1) > 0].astype(float)


# --- the distribution -------------------------------------------------------------------------------------------------


def test_tail_against_numerical_integration_in_r():
    table = pd.read_csv(REFERENCE / "new_event_tails.csv")
    y, r, a, b, expected = (table[name].to_numpy(float) for name in ("y", "r", "a", "b", "tail"))
    np.testing.assert_allclose(bnb.tail(y, r, a, b), expected, rtol=1e-7)


def test_integral_and_sum_agree(monkeypatch):
    rng = np.random.default_rng(4)
    r, b = 10 ** rng.uniform(-2, 4, 200), 10 ** rng.uniform(-2, 2, 200)
    a = 2 + r * b / 10 ** rng.uniform(-3, 1, 200)
    y = rng.integers(0, 8, 200).astype(float)
    summed = bnb.tail(y, r, a, b)
    monkeypatch.setattr(bnb, "_SUM_LIMIT", -1)
    np.testing.assert_allclose(bnb.tail(y, r, a, b), summed, rtol=1e-7, atol=1e-15)


def test_mass_sums_to_one_and_to_the_tail():
    y = np.arange(4000.0)
    mass = bnb.mass(y, 0.3, 6.0, 0.7)
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    assert bnb.tail(np.array([3.0]), 0.3, 6.0, 0.7)[0] == pytest.approx(mass[3:].sum(), rel=1e-10)
    assert (y * mass).sum() == pytest.approx(bnb.mean(0.3, 6.0, 0.7), rel=1e-6)


def test_gamma_poisson_limit():
    """With a large size this is the negative binomial of a gamma-Poisson posterior; values from R's pnbinom."""
    shape, weight, cases, periods = 0.7, 12.0, 3.0, 20.0
    size = 1e9
    ours = bnb.tail(np.array([1.0, 3, 6]), size, size * (weight + periods), shape + cases)
    np.testing.assert_allclose(ours, [0.107612779650511, 0.000432075806974316, 4.45654522826152e-08], rtol=1e-6)


def test_thinning_is_that_of_each_case():
    """A share of 1/3 reported: the tail is the mixture over how many of the complete count were."""
    r, a, b = 0.8, 7.0, 1.5
    complete = np.arange(600.0)
    mass = bnb.mass(complete, r, a, b)
    by_hand = [(mass * stats.binom.sf(y - 1, complete, 1 / 3)).sum() for y in (1, 2, 4)]
    ours = bnb.tail(np.array([1.0, 2, 4]), r, a, b, np.log(1 / 3))
    np.testing.assert_allclose(ours, by_hand, rtol=1e-7)


def test_first_case_is_given():
    """P(Y >= y | Y >= 1), the rate drawn after Y >= 1 is known: against a fine grid; with its mean and its quantile."""
    r, a, b = 0.4, 5.0, 0.3
    z = np.linspace(-250, 60, 100_001)
    log_density = -b * np.logaddexp(0, -z) - a * np.logaddexp(0, z) - special.betaln(a, b)
    some = special.betainc(1, r, special.expit(z))
    tails = []
    for y in (2, 3, 6):
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(z > -200, special.betainc(y, r, special.expit(z)) / some, 0)
        tails.append((np.exp(log_density) * ratio).sum() * (z[1] - z[0]))
    ours = bnb.tail_since_first(np.array([1.0, 2, 3, 6]), r, a, b)
    np.testing.assert_allclose(ours, [1, *tails], rtol=1e-6)
    everything = bnb.tail_since_first(np.arange(1.0, 900), r, a, b)
    assert bnb.mean_since_first(np.array([r]), a, b)[0] == pytest.approx(everything.sum(), rel=1e-4)
    limit = bnb.quantile_since_first(0.01, np.array([r]), a, b)[0]
    assert everything[int(limit) - 1] > 0.01 >= everything[int(limit)]


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e8])
def test_quantile_is_where_the_tail_crosses(scale):
    rng = np.random.default_rng(2)
    r, b = 10 ** rng.uniform(-1, 3, 30), 10 ** rng.uniform(-1, 2, 30)
    a = 2 + r * b / (scale * 10 ** rng.uniform(-1, 1, 30))
    limit = bnb.quantile(0.01, r, a, b)
    assert (bnb.tail(limit + 1, r, a, b) <= 0.01).all()
    assert ((limit == 0) | (bnb.tail(limit, r, a, b) > 0.01)).all()


@pytest.mark.parametrize(("big", "small"), [(2.6e8, 885.0), (1e12, 3.5), (12.0, 11.0), (9.0, 0.1)])
def test_log_beta_keeps_its_digits(big, small):
    """B(x, n) / B(x, n + 1) = (x + n) / n, however large the arguments."""
    step = bnb.log_beta(np.array(big), np.array(small)) - bnb.log_beta(np.array(big), np.array(small + 1))
    assert step == pytest.approx(np.log((big + small) / small), rel=1e-12)


# --- what is learnt ---------------------------------------------------------------------------------------------------


def test_first_case_is_set_aside():
    nan = np.nan
    history = np.array(
        [[0, 0, 2, 0, 1, nan, 0], [1, 0, 0, 0, 0, 0, 3], [0] * 7, [nan, nan, nan, nan, nan, nan, 4], [0, 1, 1, 1, 1, 1, 1]], dtype=float
    )
    past = past_of(history, 2)
    np.testing.assert_array_equal(past.blocks, [3, 6, 0, 0, 5])
    np.testing.assert_array_equal(past.cases, [1, 3, 0, 0, 5])
    np.testing.assert_array_equal(past.seen, [True, True, False, True, True])
    np.testing.assert_array_equal(past.late, [True, False, False, True, False])
    np.testing.assert_array_equal(past.counts, [1, 3])
    np.testing.assert_array_equal(past.times, [6, 1])


def marginal(history, size, a, b):
    """Return the log likelihood of what came after the first cases, constants of the counts left out, by the detector's formula."""
    past = past_of(history, 0)
    value = (bnb.log_beta(a + past.blocks * size, b + past.cases) - bnb.log_beta(np.array(a), np.array(b))).sum()
    return value + (past.times * (special.gammaln(past.counts + size) - special.gammaln(size) - special.gammaln(past.counts + 1))).sum()


@pytest.mark.parametrize(
    ("size", "a", "b", "expected"),
    [(0.3, 5, 0.4, -40.550059093292), (4, 60, 0.7, -47.193263352641), (50, 2.5, 3, -86.221593947319)],
)
def test_marginal_likelihood_against_numerical_integration_in_r(size, a, b, expected):
    after = [[0, 0, 1, 0, 0, 2, 0], [0, 0, 0, 0], [1, 3, 0, 5], [0] * 30, [0, 0, 0, 0, 0, 4], [2]]
    history = np.full((6, 31), np.nan)
    for row, counts in zip(history, after, strict=True):
        row[: len(counts) + 1] = [1, *counts]
    assert marginal(history, size, a, b) == pytest.approx(expected, rel=1e-9)


def test_prior_is_found_again():
    rng = np.random.default_rng(8)
    shape, size, mean = 0.6, 0.5, 0.2
    a = 2 + size * shape / mean
    q = rng.beta(shape, a, 4000)
    counts = rng.negative_binomial(size, (1 - q)[:, None], (4000, 60)).astype(float)
    past = past_of(np.column_stack([np.ones(4000), counts]), 0)
    found = estimate_prior(past, past.seen)
    np.testing.assert_allclose([found.shape, found.size], [shape, size], rtol=0.15)
    assert found.mean / (1 + found.mean / (found.size * found.shape)) == pytest.approx(size * shape / (a - 1), rel=0.1)


def test_without_siblings_the_prior_is_what_it_started_from():
    start = Prior(0.1, 0.5, 2.0)
    nothing = past_of(np.zeros((3, 9)), 2)
    assert estimate_prior(nothing, nothing.seen, start) is start
    assert estimate_prior(nothing, nothing.seen).mean == pytest.approx(0.5, rel=1e-5)


# --- the detector -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "newcomers"), [(None, 0.0), (None, 0.7), (0.3, 0.5), (2.0, 0.5)])
def test_null_calibration(size, newcomers):
    """Never above the level; and close to what counts allow: a level between two counts cannot be met exactly."""
    judge = detector("new-event", alpha=0.02)
    alarms = attainable = cells = 0.0
    for seed in range(2):
        panel = panel_of(simulate(np.random.default_rng(seed), 1500, size=size, newcomers=newcomers))
        judged = panel.periods[[60, 85, 119]]
        signals = judge.detect(panel, judged)
        known = signals.reason == 0
        cells += known.sum()
        alarms += signals.alarm.sum()
        # The predictive probability of the counts above the limit, by the limit's own count put in the judged period.
        for column, period in enumerate(judged):
            observed = panel.observed.copy()
            at = panel.periods.get_loc(period)
            rows = known[:, column]
            observed[rows, at] = signals.upper[rows, column] + 1
            attainable += judge.detect(panel_of(observed), panel.periods[at : at + 1]).p_value[rows, 0].sum()
    assert alarms / cells <= 0.02 * 1.1
    assert alarms >= 0.6 * attainable
    assert attainable >= 0.25 * 0.02 * cells


def test_a_newcomer_is_judged_by_how_newcomers_grew():
    """The first case alone is no alarm, eight at once are; where newcomers come in clusters, eight are nothing."""
    rng = np.random.default_rng(1)
    judge = NewEvent()
    lone = simulate(rng, 400, size=None, newcomers=0.8)
    clustered = lone * rng.integers(4, 12, lone.shape)
    for siblings, alarmed in ((lone, True), (clustered, False)):
        new = np.zeros((3, 120))
        new[:, -1] = [1, 8, 0]
        signals = judge.detect(panel_of(np.vstack([siblings, new])))
        assert signals.p_value[-3, 0] == 1
        assert not signals.alarm[-3, 0]
        assert signals.alarm[-2, 0] == alarmed
        assert signals.reason_text[-1, 0] == "too-few-cases"


def test_a_rich_past_counts():
    rng = np.random.default_rng(3)
    siblings = simulate(rng, 400, size=None, newcomers=0.3)
    busy = rng.poisson(4, (1, 120)).astype(float)
    busy[0, -1] = 8
    signals = NewEvent().detect(panel_of(np.vstack([siblings, busy])))
    assert not signals.alarm[-1, 0]
    assert signals.expected[-1, 0] == pytest.approx(4, abs=0.6)
    refused = NewEvent(max_expected=0.5).detect(panel_of(np.vstack([siblings, busy])))
    assert refused.reason_text[-1, 0] == "enough-history"


def test_cases_of_the_window_are_summed():
    rng = np.random.default_rng(3)
    siblings = simulate(rng, 400, size=None, newcomers=0.3)
    slow = np.zeros((2, 120))
    slow[:, 5] = 1
    slow[:, -3:] = [[2, 2, 2], [2, 2, 0]]
    panel = panel_of(np.vstack([siblings, slow]))
    alone, summed = (NewEvent(window_periods=width).detect(panel) for width in (1, 3))
    assert summed.p_value[-2, 0] < alone.p_value[-2, 0] / 10
    assert summed.alarm[-2, 0]
    assert summed.upper[-2, 0] == 0, "the two weeks before used the limit up"
    assert summed.p_value[-1, 0] == 1, "without a case in the judged week there is no alarm"
    assert not summed.alarm[-1, 0]


def test_strata_are_pooled_on_request():
    rng = np.random.default_rng(5)
    siblings = simulate(rng, 120, size=None, newcomers=0.5)
    siblings[-1] = 0
    siblings[-1, -1] = 6
    keys = [["p"] * len(siblings), [f"hazard={at}" for at in range(len(siblings))]]
    index = pd.MultiIndex.from_arrays(keys, names=["product", "stratum"])
    apart = NewEvent().detect(panel_of(siblings, index))
    pooled = NewEvent(pool_strata=True).detect(panel_of(siblings, index))
    assert not apart.alarm[-1, 0]
    assert pooled.alarm[-1, 0]
    everyone = NewEvent().detect(panel_of(siblings))
    np.testing.assert_array_equal(pooled.p_value, everyone.p_value)


def test_guard_and_history_bound_what_is_seen():
    rng = np.random.default_rng(6)
    base = simulate(rng, 200, size=None, newcomers=0.3)
    changed = base.copy()
    changed[:, 115:119] += 3  # the guard of the newest week
    changed[:, :40] += 2  # before the history
    judge = NewEvent(history_periods=70)
    seen = (base[:, 45:115] > 0).any(axis=1)
    for name in ("expected", "p_value", "upper"):
        before, after = (getattr(judge.detect(panel_of(x)), name)[seen] for x in (base, changed))
        np.testing.assert_array_equal(before, after)


def test_completeness():
    rng = np.random.default_rng(7)
    observed = simulate(rng, 200, size=None, newcomers=0.3)
    observed[1:4, -1] = [4, 6, 9]
    ones, zeros = np.ones(observed.shape), np.zeros(observed.shape)
    plain = NewEvent().detect(panel_of(observed))
    ripe = NewEvent().detect(panel_of(observed, completeness=Completeness(ones, zeros)))
    for name in ("expected", "lower", "upper", "p_value", "alarm", "reason"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(ripe, name))
    share, error = ones.copy(), zeros.copy()
    share[:, -1] = 0.5
    share[0, -1] = 0.1
    half = NewEvent().detect(panel_of(observed, completeness=Completeness(share, error)))
    assert half.reason_text[0, 0] == "unripe"
    known = (plain.reason[:, 0] == 0) & (half.reason[:, 0] == 0) & (np.arange(len(observed)) != 0) & (observed[:, :-1] > 0).any(axis=1)
    np.testing.assert_allclose(half.expected[known], plain.expected[known] / 2, rtol=1e-12)
    assert (half.p_value[known] <= plain.p_value[known]).all(), "half of the cases reported: those that are there weigh more"
    error[:, -1] = 0.2
    unsure = NewEvent().detect(panel_of(observed, completeness=Completeness(share, error)))
    strong = known & (half.p_value[:, 0] < 1e-3)
    assert strong.any()
    assert (unsure.p_value[strong] > half.p_value[strong]).all()
    np.testing.assert_allclose(unsure.expected[known], half.expected[known], rtol=1e-9)


def test_parameters_are_checked_together():
    with pytest.raises(DetectorError, match=r"new-event: min_history_periods must be <= history_periods \(10\), got 20"):
        NewEvent(history_periods=10, min_history_periods=20)
    assert NewEvent(window_periods=12).min_periods("week") == 12 + 4 + 12
    assert NewEvent(window_periods=3).memory("week") == 3
