"""Reporting delay: by hand, against a naive count, against R's Lawless nowcast, and in the limit of no delay."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from riskwatch.calendar.delay import (
    ReportingTriangle,
    completeness,
    concentration,
    delay_distribution,
    nowcast,
    period_scatter,
    reporting_triangle,
)
from riskwatch.errors import CalendarError

REFERENCE = Path(__file__).parent.parent / "reference"


def triangle(end, known, series=None, *, n_series=1, now, max_delay):
    series = np.zeros(len(end), np.int64) if series is None else np.asarray(series)
    return reporting_triangle(np.asarray(end), np.asarray(known), series, n_series=n_series, now=now, max_delay=max_delay)


def simulated(rng, *, series=30, periods=60, mean=20.0, alpha0=40.0, rho=0.0, longest=30):
    """Weekly periods with delays 0..longest; every series has its own distribution, drawn around a common one."""
    base = np.exp(-np.arange(longest + 1) / 8.0)
    base /= base.sum()
    own = rng.dirichlet(alpha0 * base, size=series)
    n = rng.poisson(mean, size=(series, periods))
    end, known, owner = [], [], []
    for s in range(series):
        for t in range(periods):
            mass = own[s] if rho == 0 else rng.dirichlet(own[s] * (1 / rho - 1) + 1e-9)
            delays = np.repeat(np.arange(longest + 1), rng.multinomial(n[s, t], mass))
            end.append(np.full(delays.size, 7 * t))
            known.append(7 * t + delays)
            owner.append(np.full(delays.size, s))
    return base, own, n, np.concatenate(end), np.concatenate(known), np.concatenate(owner)


def test_a_triangle_by_hand():
    # Three periods that ended on days 0, 7 and 14; the as-of day is 15; the record known on day 16 is not seen yet.
    end = [0, 0, 0, 7, 7, 7, 14, 14]
    known = [-2, 3, 5, 7, 10, 30, 15, 16]
    found = triangle(end, known, now=15, max_delay=5)
    assert found.reported.tolist() == [[2, 1, 0, 2, 0, 1]]
    # Delay 2 and more: the newest period is too young to show it.
    assert found.at_risk.tolist() == [[2, 3, 2, 4, 4, 5]]
    stay = [1 - 1 / 3, 1.0, 1 - 2 / 4, 1.0, 1 - 1 / 5]
    np.testing.assert_allclose(delay_distribution(found), [np.prod(stay[d:]) for d in range(6)])


def test_a_triangle_is_what_a_naive_count_gives():
    rng = np.random.default_rng(3)
    end = rng.integers(0, 80, 500)
    known = end + rng.integers(-3, 25, 500)
    series = rng.integers(0, 4, 500)
    found = triangle(end, known, series, n_series=4, now=70, max_delay=20)
    delay = np.maximum(known - end, 0)
    kept = (known <= 70) & (end <= 70) & (delay <= 20)
    for s in range(4):
        for d in range(21):
            mine = kept & (series == s)
            assert found.reported[s, d] == (mine & (delay == d)).sum()
            assert found.at_risk[s, d] == (mine & (delay <= d) & (end <= 70 - d)).sum()


def test_complete_data_give_the_dirichlet_posterior():
    n = np.array([[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    whole = ReportingTriangle(n, np.cumsum(n, axis=1))
    cdf = np.array([0.5, 0.7, 0.9, 1.0])
    share, error = completeness(whole, np.arange(4), cdf, 5.0)
    expected = (5.0 * cdf + np.cumsum(n, axis=1)) / (5.0 + n.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(share, expected)
    # F(d) is then a beta variable with this mean and alpha0 + n as its size.
    size = 5.0 + n.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(error, np.sqrt(expected * (1 - expected) / (size + 1)), atol=1e-12)


def test_without_delay_shares_are_one_to_the_last_bit():
    end = np.repeat(np.arange(0, 700, 7), 3)
    found = triangle(end, end - 1, np.arange(300) % 3, n_series=4, now=700, max_delay=60)
    cdf = delay_distribution(found)
    share, error = completeness(found, np.arange(0, 60, 7), cdf, concentration(found, cdf))
    assert (share == 1.0).all()
    assert (error == 0.0).all()
    rho = period_scatter(end, end - 1, np.arange(300) % 3, now=700, max_delay=60, ages=np.array([0, 7]), share=share[:, :2])
    assert (rho == 0.0).all()


def test_ages_that_no_period_has_shown_have_share_zero():
    # Nothing is older than 6 days: what comes after day 6 is unknown.
    found = triangle([100, 100, 94], [101, 102, 99], now=100 + 2, max_delay=30)
    cdf = delay_distribution(found)
    assert np.isnan(cdf[:8]).all()
    share, error = completeness(found, np.array([0, 6, 30]), cdf, 10.0)
    assert share.tolist() == [[0.0, 0.0, 1.0]]
    assert error.tolist() == [[0.0, 0.0, 0.0]]


def test_what_becomes_known_later_changes_nothing():
    rng = np.random.default_rng(5)
    _, _, _, end, known, owner = simulated(rng, series=3, periods=30)
    now = 7 * 29 - 20
    seen = (known <= now) & (end <= now)
    early = triangle(end[seen], known[seen], owner[seen], n_series=3, now=now, max_delay=30)
    late = triangle(end, known, owner, n_series=3, now=now, max_delay=30)
    assert (early.reported == late.reported).all()
    assert (early.at_risk == late.at_risk).all()


def test_truncated_and_shrunken_shares_are_calibrated():
    """Shares predicted on day `now` against the true ones, for young periods, in units of the standard error."""
    rng = np.random.default_rng(11)
    ages = np.array([1, 5, 10])
    scores = []
    for _ in range(15):
        _, own, _, end, known, owner = simulated(rng, series=25, periods=30, mean=4.0)
        now = 7 * 29 + 1
        found = triangle(end, known, owner, n_series=25, now=now, max_delay=30)
        cdf = delay_distribution(found)
        share, error = completeness(found, ages, cdf, concentration(found, cdf))
        scores.append((np.cumsum(own, axis=1)[:, ages] - share) / error)
    z = np.concatenate(scores)
    assert abs(z.mean()) < 0.12
    assert 0.85 < z.std() < 1.15


@pytest.mark.parametrize("alpha0", [5.0, 80.0])
def test_concentration_is_recovered(alpha0):
    rng = np.random.default_rng(7)
    _, _, _, end, known, owner = simulated(rng, series=150, periods=12, mean=10.0, alpha0=alpha0)
    found = triangle(end, known, owner, n_series=150, now=7 * 12 + 40, max_delay=30)
    assert 0.7 < concentration(found, delay_distribution(found)) / alpha0 < 1.4


def test_the_order_of_series_does_not_matter_to_the_last_bit():
    rng = np.random.default_rng(9)
    _, _, _, end, known, owner = simulated(rng, series=20, periods=20, mean=6.0)
    turned = rng.permutation(20)
    now, ages = 7 * 19 + 3, np.array([3, 10])
    results = []
    for label in (owner, turned[owner]):
        found = triangle(end, known, label, n_series=20, now=now, max_delay=30)
        cdf = delay_distribution(found)
        alpha0 = concentration(found, cdf)
        share, error = completeness(found, ages, cdf, alpha0)
        rho = period_scatter(end, known, label, now=now, max_delay=30, ages=ages, share=share)
        results.append((alpha0, share, error, rho))
    (alpha0, share, error, rho), (other_alpha0, other_share, other_error, other_rho) = results
    assert alpha0 == other_alpha0
    assert (share == other_share[turned]).all()
    assert (error == other_error[turned]).all()
    assert (rho == other_rho).all()


@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_scatter_between_periods_is_recovered(rho):
    rng = np.random.default_rng(13)
    _, own, _, end, known, owner = simulated(rng, series=20, periods=60, alpha0=200.0, rho=rho)
    ages = np.array([1, 7])
    share = np.cumsum(own, axis=1)[:, ages]
    found = period_scatter(end, known, owner, now=7 * 60 + 40, max_delay=30, ages=ages, share=share)
    np.testing.assert_allclose(found, rho, atol=0.02)


def test_nowcast_equals_the_one_of_lawless_in_r():
    """Haemolytic-uraemic syndrome in Hamburg 2011, day by day, as known on 2 June; R rounds up and uses a normal interval."""
    with (REFERENCE / "nowcast_hus_linelist.csv").open(encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    day = {text: dt.date.fromisoformat(text).toordinal() for line in lines for text in (line["hospital"], line["reported"])}
    times = [int(line["count"]) for line in lines]
    end, known = (np.repeat([day[line[name]] for line in lines], times) for name in ("hospital", "reported"))
    with (REFERENCE / "nowcast_hus.csv").open(encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["method"] == "lawless"]
    now = dt.date(2011, 6, 2).toordinal()
    ages = np.array([now - dt.date.fromisoformat(row["date"]).toordinal() for row in rows])
    reported = np.array([float(row["reported"]) for row in rows])
    assert reported.tolist() == [((end == now - age) & (known <= now)).sum() for age in ages]
    found = triangle(end, known, now=now, max_delay=15)
    share, error = completeness(found, ages, delay_distribution(found), 0.0)
    point, lower, upper = nowcast(reported, share[0], error[0])
    theirs = {name: np.array([float(row[name]) for row in rows]) for name in ("nowcast", "lower", "upper")}
    assert (np.abs(point - theirs["nowcast"]) < 1.0).all()
    assert (np.abs(lower - theirs["lower"]) <= 6).all()
    assert (np.abs(upper - theirs["upper"]) <= 10).all()


def test_prediction_intervals_cover_what_they_say():
    rng = np.random.default_rng(17)
    total = rng.poisson(rng.gamma(3.0, 10.0, 4000)).astype(np.float64)
    share = np.clip(rng.normal(0.6, 0.05, 4000), 0.05, 0.95)
    reported = rng.binomial(total.astype(np.int64), share).astype(np.float64)
    _, lower, upper = nowcast(reported, np.full(4000, 0.6), np.full(4000, 0.05), level=0.9)
    assert 0.87 < ((total >= lower) & (total <= upper)).mean() < 0.96


def test_nowcast_of_ripe_and_unknown_cells():
    point, lower, upper = nowcast(np.array([7.0, 3.0, 0.0]), np.array([1.0, 0.0, 0.5]), np.zeros(3))
    assert (point[0], lower[0], upper[0]) == (7.0, 7.0, 7.0)
    assert np.isnan([point[1], lower[1], upper[1]]).all()
    assert (point[2], lower[2]) == (0.0, 0.0)
    assert upper[2] > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: triangle([1], [1], now=1, max_delay=-1), "max_delay must be >= 0 days, got -1"),
        (lambda: triangle([1], [1, 2], now=1, max_delay=3), "of one length, got 1, 2 and 1"),
        (lambda: nowcast(np.ones(1), np.ones(1), np.zeros(1), level=1.0), "level must lie between 0 and 1, got 1.0"),
    ],
)
def test_errors_say_what_was_asked(call, message):
    with pytest.raises(CalendarError, match=message.replace("(", r"\(")):
        call()
